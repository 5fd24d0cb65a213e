//! Compares what is declared for each table with what is there: the table of `existing`.

use transship_model::TableName;
use transship_model::ledger::{CopyRow, FlowRow};
use transship_model::observed::Table;
use transship_model::spec::{Existing, Repeat};
use transship_sql::definition::Column;

use super::context::Context;
use super::cursor;
use super::due::{self, Due};
use super::partitions::{self, Judged, Restored};
use super::wish::Wish;
use super::{identity, new_columns, place, versions};

/// What is to happen with one table, and why.
pub(crate) struct Found<'a> {
    pub(crate) wish: Wish<'a>,
    /// The table on the target, of whatever kind.
    pub(crate) there: Option<&'a Table>,
    /// What the ledger has of the copy that has the name, if it is the flow's.
    pub(crate) note: Option<&'a CopyRow>,
    /// The run that put it in place was cut before it could say so.
    pub(crate) adopted: bool,
    pub(crate) deed: Deed,
    /// The partitions that [`Deed::Restore`] restores.
    pub(crate) parts: Vec<Restored>,
    /// Whether the ledger keeps what it has of the other partitions then.
    pub(crate) keeps: bool,
    /// Whether those are all that were chosen.
    pub(crate) all: bool,
    /// What differs from the spec.
    pub(crate) difference: Option<String>,
    /// Whether a copy that is as declared is to be done once more; then `deed` does it.
    pub(crate) due: Due,
    /// What else is worth telling.
    pub(crate) notes: Vec<String>,
    /// The columns that the table gets before rows go into it.
    pub(crate) added: Vec<Column>,
    /// What the table's cursor has come to, as the ledger has it, where only what is new is read.
    pub(crate) since: Option<String>,
}

impl Found<'_> {
    /// Whether all chosen partitions are copied anew once this one is.
    pub(crate) fn renews(&self, part: &Restored) -> bool {
        self.all && self.parts.last() == Some(part)
    }
}

/// What is to happen with one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Nothing.
    Nothing,
    /// A copy is made aside, and gets the name.
    Create,
    /// A copy is made aside, and takes the place of what is there.
    Replace,
    /// A copy that is whole already gets the name: the run that took the name away was cut before it gave it.
    Finish,
    /// Chosen partitions are restored into the table that is there; those of them that are there go first.
    Restore,
    /// Rows are added to what is there.
    Append,
    /// Rows are inserted or overwritten by primary key.
    Upsert,
    /// It is refused; why is for [`super::refuse`] to say.
    Refuse(Refusal),
}

/// Why a table is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `existing: error`, and a table that is not ours is there.
    Exists,
    /// `existing: error`, and the declaration was edited since the copy.
    Edited,
    /// `existing: append`, and doing it once more would double rows.
    Doubles,
    /// `existing: append`, and the last run of it did not end.
    Unfinished,
    /// `existing: append`, and the table is another one than that to which the rows were added, or looks like it.
    Remade,
}

/// How the target stands to the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Absent,
    NotOurs,
    Same,
    Edited,
}

/// Compares.
pub(crate) fn assess<'a>(context: &Context<'a>, wishes: Vec<Wish<'a>>) -> Vec<Found<'a>> {
    wishes.into_iter().map(|wish| found(context, wish)).collect()
}

/// Why it cannot be told what is due.
pub(crate) fn unknown(found: &[Found<'_>]) -> Option<String> {
    found.iter().find_map(|found| match &found.due {
        Due::Unknown(why) => Some(why.clone()),
        Due::No | Due::Yes(_) => None,
    })
}

fn found<'a>(context: &Context<'a>, wish: Wish<'a>) -> Found<'a> {
    let to = &wish.pair.to;
    let whole = !context.half.contains(to);
    let there = context.target.tables.get(to).filter(|_| whole);
    let known = context.row.filter(|_| whole).and_then(|row| identity::known(context.target, row, to));
    let note = known.map(|known| known.note);
    let adopted = known.is_some_and(|known| known.adopted);
    let standing = standing(context, &wish, there, note);
    let due = note.filter(|_| standing == Standing::Same).map_or(Due::No, |note| due(context, &wish, note));
    let adds = matches!(context.existing(), Existing::Append | Existing::Upsert);
    let chosen = there.filter(|_| !wish.partitions.is_empty() && !adds);
    let parts = chosen.map(|there| partitions::assess(context, &wish, there, (standing, note), due.clone()));
    if let Some(Judged { deed, parts, due, difference, keeps, all }) = parts {
        let mut notes = skipped(context, to, standing);
        notes.extend(new_columns::ignored(context, &wish));
        let (added, since) = (Vec::new(), None);
        return Found { wish, there, note, adopted, deed, parts, keeps, all, difference, due, notes, added, since };
    }
    let tracks = cursor::declared(wish.pair.entry).is_some();
    let ours = note.filter(|_| tracks && standing == Standing::Same);
    let Kept { due, since, is_new } = kept(context, &wish, (ours, there), due);
    let deed = match standing {
        Standing::Absent if identity::is_whole(context, &wish) => Deed::Finish,
        Standing::Same if tracks && (is_new || due.reason().is_some()) => cursor::again(context.existing()),
        Standing::Same if due.reason().is_some() => again(context.existing()),
        Standing::NotOurs | Standing::Edited if tracks && may_go_on(context, &wish, note) => Deed::Append,
        _ => match deed(context.existing(), standing, is_begun(context, to)) {
            Deed::Append if is_added(context, to) => Deed::Refuse(Refusal::Remade),
            deed => deed,
        },
    };
    let difference = difference(context, to, standing, deed).filter(|_| due == Due::No);
    let begins = || format!("{}.{to} was copied before it had its `cursor`", context.target_name);
    let difference = if is_new { Some(begins()) } else { difference };
    let notes = match skipped(context, to, standing) {
        notes if !notes.is_empty() => notes,
        _ => versions::all_kept(context, to).iter().map(|kept| place::kept_for_good(context, kept)).collect(),
    };
    let mut notes = notes;
    if context.is_resync() && standing == Standing::Same && was_added_whole(context, to) {
        let full = format!("{}.{to}", context.target_name);
        notes.push(format!("{full} had all of its rows before the run that was cut, and is left as it is"));
    }
    notes.extend(new_columns::ignored(context, &wish));
    let added = new_columns::added(context, &wish, there, deed);
    let (parts, keeps, all) = (Vec::new(), false, false);
    Found { wish, there, note, adopted, deed, parts, keeps, all, difference, due, notes, added, since }
}

/// How a table stands that is kept up by a cursor.
struct Kept {
    due: Due,
    /// What the ledger has of it, where only what is new is read.
    since: Option<String>,
    /// The ledger has a copy of ours, and not how far it has come by this cursor.
    is_new: bool,
}

/// How it stands; `note` is what the ledger has of a copy that is as declared, in the table that is `there`.
fn kept(context: &Context<'_>, wish: &Wish<'_>, (note, there): (Option<&CopyRow>, Option<&Table>), due: Due) -> Kept {
    let Some(note) = note else { return Kept { due, since: None, is_new: false } };
    if !cursor::is_noted(wish, note) {
        return Kept { due: Due::No, since: None, is_new: true };
    }
    let lost = cursor::lost(wish, note, &format!("{}.{}", context.source_name, wish.pair.from));
    // Of a table with partitions the flow takes any for its own; rows that were written before are only in the very same.
    let gone = there.filter(|there| !there.partitioned_by.is_empty() && !identity::is_the_very(&note.indices, there));
    let gone = gone.map(|_| {
        format!(
            "{}.{} has no partition left of those that were filled: all rows are read",
            context.target_name, wish.pair.to
        )
    });
    let since = note.cursor.as_ref().and_then(|cursor| cursor.value.clone());
    // Rows that were written before have no value in a column that is new.
    let is_narrow = context.existing() == Existing::Upsert && new_columns::grown(wish, note);
    let since = since.filter(|_| lost.is_none() && gone.is_none() && !is_narrow);
    let due = match (due, lost, gone) {
        (_, _, Some(why)) | (Due::Yes(_), Some(why), None) => Due::Yes(why),
        (due, _, _) => due,
    };
    Kept { due, since, is_new: false }
}

/// What is to be told of a table that `existing: skip` leaves alone.
fn skipped(context: &Context<'_>, to: &TableName, standing: Standing) -> Vec<String> {
    let full = format!("{}.{to}", context.target_name);
    match (context.existing(), standing) {
        (Existing::Skip, Standing::NotOurs) => vec![format!("table {full} is there, and left alone (existing: skip)")],
        (Existing::Skip, Standing::Edited) => {
            vec![format!("what is declared for {full} was edited since it was copied (existing: skip leaves it alone)")]
        }
        _ => Vec::new(),
    }
}

/// Whether rows that are only added may be added again: those that are there are told by their key.
fn may_go_on(context: &Context<'_>, wish: &Wish<'_>, note: Option<&CopyRow>) -> bool {
    context.existing() == Existing::Append && note.is_none_or(|note| note.asked == wish.asked)
}

/// Whether a copy that is as declared is due, where `existing` does anything about it.
fn due(context: &Context<'_>, wish: &Wish<'_>, note: &CopyRow) -> Due {
    if cursor::declared(wish.pair.entry).is_some() {
        return judge(context, wish, note, &Repeat::OnChange);
    }
    let repeat = context.instance.flow.repeat.as_ref().filter(|_| again(context.existing()) != Deed::Nothing);
    let Some(repeat) = repeat else { return Due::No };
    judge(context, wish, note, repeat)
}

/// Whether a copy is due by `repeat`.
pub(crate) fn judge(context: &Context<'_>, wish: &Wish<'_>, note: &CopyRow, repeat: &Repeat) -> Due {
    let read = (context.source_name.clone(), wish.pair.from.clone());
    let full = format!("{}.{}", read.0, read.1);
    let rewritten = || !context.is_from_store() && context.others.rewritten.contains(&read);
    let judged = if wish.partitions.is_empty() {
        due::judge(repeat, note, &full, wish.source, context.input.now)
    } else {
        partitions::judge(context, wish, repeat, note)
    };
    match judged {
        Due::No | Due::Unknown(_) if *repeat == Repeat::OnChange && rewritten() => {
            Due::Yes(format!("{full} is written anew in the same plan"))
        }
        judged => judged,
    }
}

/// What is done with a copy of ours that is due.
pub(crate) const fn again(existing: Existing) -> Deed {
    match existing {
        Existing::Replace => Deed::Replace,
        Existing::Upsert => Deed::Upsert,
        Existing::Error | Existing::Append | Existing::Skip => Deed::Nothing,
    }
}

fn difference(context: &Context<'_>, to: &TableName, standing: Standing, deed: Deed) -> Option<String> {
    let full = format!("{}.{to}", context.target_name);
    let was_copied = context.row.is_some_and(|row| row.copies.contains_key(to));
    Some(match (deed, standing) {
        (Deed::Nothing, _) => return None,
        (Deed::Finish, _) => format!("{full} is gone: a run that gives the name to a view was cut halfway"),
        (_, Standing::Absent) if was_copied => format!("table {full} is gone"),
        (_, Standing::Absent) => format!("table {full} does not exist"),
        (_, Standing::NotOurs) if was_copied => format!("table {full} is not the one that this flow made"),
        (_, Standing::NotOurs) => format!("table {full} was not made by this flow"),
        (_, Standing::Same) => format!("--resync {}", context.instance.id),
        (_, Standing::Edited) => format!("what is declared for {full} was edited since it was copied"),
    })
}

/// Whether a run that was cut may have added rows, or filled a partition by half. `--resync` is the word of somebody who has
/// looked.
fn is_begun(context: &Context<'_>, to: &TableName) -> bool {
    let is_noted = |row: &FlowRow| row.adding.contains(to) || row.restoring.contains_key(to);
    context.row.is_some_and(is_noted) && !context.is_resync()
}

/// Whether rows were added before, to a table that had other indices. One that was restored or that got another number of
/// shards has other indices, too, and the rows.
fn is_added(context: &Context<'_>, to: &TableName) -> bool {
    context.row.is_some_and(|row| row.copies.contains_key(to)) && !context.is_resync()
}

fn standing(context: &Context<'_>, wish: &Wish<'_>, there: Option<&Table>, note: Option<&CopyRow>) -> Standing {
    let again = context.is_resync() && !was_added_whole(context, &wish.pair.to);
    match (there, note) {
        (None, _) => Standing::Absent,
        (Some(_), None) => Standing::NotOurs,
        (Some(_), Some(note)) if note.asked == wish.asked && !again && !cursor::was_cut(wish, note) => Standing::Same,
        (Some(_), Some(_)) => Standing::Edited,
    }
}

/// Whether `--resync` is about other tables of the flow: a run that added rows was cut in one of them, and had added all of
/// this one before.
fn was_added_whole(context: &Context<'_>, to: &TableName) -> bool {
    let is_cut = |row: &FlowRow| context.pairs.iter().any(|pair| row.adding.contains(&pair.to));
    let begun = |row: &FlowRow| is_cut(row) && !row.adding.contains(to) && !row.restoring.contains_key(to);
    context.existing() == Existing::Append && context.row.is_some_and(begun)
}

/// The table of `existing`. `begun` says that rows may have been added by a run that did not end.
fn deed(existing: Existing, standing: Standing, begun: bool) -> Deed {
    match (existing, standing) {
        (_, Standing::Absent) => Deed::Create,
        (Existing::Error, Standing::NotOurs) => Deed::Refuse(Refusal::Exists),
        (Existing::Error, Standing::Edited) => Deed::Refuse(Refusal::Edited),
        (Existing::Append, Standing::NotOurs) if begun => Deed::Refuse(Refusal::Unfinished),
        (Existing::Append, Standing::NotOurs) => Deed::Append,
        (Existing::Append, Standing::Edited) => Deed::Refuse(Refusal::Doubles),
        (Existing::Replace, Standing::NotOurs | Standing::Edited) => Deed::Replace,
        (Existing::Upsert, Standing::NotOurs | Standing::Edited) => Deed::Upsert,
        (Existing::Skip, _) | (_, Standing::Same) => Deed::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_existing() {
        use Deed::{Append, Create, Nothing, Replace, Upsert};
        let refuse = Deed::Refuse;
        let rows = [
            (Existing::Error, [Create, refuse(Refusal::Exists), Nothing, refuse(Refusal::Edited)]),
            (Existing::Replace, [Create, Replace, Nothing, Replace]),
            (Existing::Append, [Create, Append, Nothing, refuse(Refusal::Doubles)]),
            (Existing::Upsert, [Create, Upsert, Nothing, Upsert]),
            (Existing::Skip, [Create, Nothing, Nothing, Nothing]),
        ];
        let standings = [Standing::Absent, Standing::NotOurs, Standing::Same, Standing::Edited];
        for (existing, expected) in rows {
            assert_eq!(standings.map(|standing| deed(existing, standing, false)), expected, "{existing:?}");
        }
        assert_eq!(deed(Existing::Append, Standing::NotOurs, true), refuse(Refusal::Unfinished));
    }
}
