//! How rows get to the target: read from the source and written one by one, every one accounted for.

use transship_model::TableName;
use transship_model::ledger::CopyingRow;
use transship_model::plan::{
    Action, CopyNote, CopyRows, ManyRows, ObjectRef, Precondition, RowWrite, StepKind, Transform, WriteAgain,
};
use transship_sql::{copy, lookup, place, replication, table as table_sql};

use super::foreign_left;
use crate::copies::{
    Context, Deed, Fill, Found, because, continued, cursor, divided, fill_partitions, is_whole, made_as, sensitive,
    source_as_planned,
};
use crate::draft::{FlowDraft, NewStep};

/// transship's own mover.
pub(crate) struct Rows;

impl Fill for Rows {
    fn begin(&self, context: &Context<'_>, _: &[Found<'_>], draft: &mut FlowDraft) {
        foreign_left::drop(context, draft);
    }

    fn clear(&self, context: &Context<'_>, _: &[Found<'_>], draft: &mut FlowDraft) {
        foreign_left::drop(context, draft);
    }

    fn keeps(&self, context: &Context<'_>, found: &Found<'_>) -> bool {
        continued(context, found).is_some()
    }

    fn continues(&self, context: &Context<'_>, found: &Found<'_>) -> Option<CopyingRow> {
        continued(context, found).cloned()
    }

    fn aside(&self, context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
        if self.keeps(context, found) {
            return copy_rows(context, found, copy, None, draft);
        }
        draft.push(
            NewStep::new(context.target_name, StepKind::CreateTable, because(found))
                .sql(made_as(found).create_table(copy))
                .requires(Precondition::Absent(ObjectRef::table(context.target_name, copy))),
        );
        copy_rows(context, found, copy, None, draft);
    }

    fn into(&self, context: &Context<'_>, found: &Found<'_>, done: CopyNote, draft: &mut FlowDraft) {
        if found.deed == Deed::Restore {
            return fill_partitions(self, context, found, draft);
        }
        copy_rows(context, found, &found.wish.pair.to, Some(done), draft);
    }
}

fn copy_rows(
    context: &Context<'_>,
    found: &Found<'_>,
    into: &TableName,
    done: Option<CopyNote>,
    draft: &mut FlowDraft,
) {
    let wish = &found.wish;
    let from = &wish.pair.from;
    let written: Vec<&str> = wish.written.iter().map(String::as_str).collect();
    let key = found.there.filter(|_| done.is_some()).map_or(&wish.primary_key, |there| &there.primary_key);
    let key: Vec<&str> = key.iter().map(String::as_str).collect();
    let tracks = done.is_some() && cursor::declared(wish.pair.entry).is_some();
    let (insert, write) = writing(found.deed, into, &written, &key, tracks);
    let cursor = cursor::of(context, found, tracks.then_some(&*insert));
    let copy = CopyRows {
        source: context.source_name.clone(),
        from: from.clone(),
        into: into.clone(),
        refresh_source: table_sql::refresh([from]),
        unreadable: Some(lookup::unreadable(from, &wish.partitions)),
        mark: replication::checkpoints([from]),
        columns: is_whole(wish.pair).then(|| lookup::columns(from)),
        select: wish.select.clone(),
        insert,
        write,
        many: many(found, into, &written, &key, done.is_none()),
        keyed: keyed(found, &key, done.is_none()),
        key: wish.key.clone(),
        sensitive: !sensitive::declared(wish.pair.entry).is_empty(),
        inner: wish.inner.clone(),
        transform: wish.transform.clone().map(Box::new),
        refresh: table_sql::refresh([into]),
        count: done.is_none().then(|| place::count_rows(into)),
        chunks: if done.is_none() { divided(context, found, into) } else { None },
        cursor,
        timeout: context.instance.flow.timeout(),
        done,
    };
    let noted = continued(context, found).filter(|noted| noted.copy == *into);
    let why = because(found);
    let why = noted.map_or(why.clone(), |noted| format!("{why}; {}", how_far(noted)));
    let why = cursor::told(found).filter(|_| tracks).map_or(why.clone(), |told| format!("{why}; {told}"));
    cursor::warn(context, found, draft);
    let mut step = NewStep::new(context.target_name, StepKind::CopyRows, why)
        .action(Action::CopyRows(copy))
        .requires(Precondition::Present(ObjectRef::table(context.target_name, into)))
        .requires(source_as_planned(context, from))
        .moves(&found.wish.source.primaries);
    for table in wish.transform.iter().flat_map(Transform::tables) {
        step = step.requires(looked_up(context, table, draft));
    }
    // Partitions of the target come and go; everything else has the rows that were written before, or is another table.
    let is_whole = found.there.is_some_and(|there| there.partitioned_by.is_empty());
    if noted.is_some() || (tracks && found.since.is_some() && is_whole) {
        let objects = [ObjectRef::table(context.target_name, into), ObjectRef::indices(context.target_name, into)];
        step = objects.iter().fold(step, |step, object| step.requires(Precondition::Unchanged(object.clone())));
        draft.basis.extend(objects);
    }
    draft.push(step);
    draft.basis.insert(ObjectRef::table(context.source_name, from));
}

/// The statement that writes a row, and what it does with one that is there: where rows are only added by a cursor, it
/// stays.
pub(super) fn writing(
    deed: Deed,
    into: &TableName,
    written: &[&str],
    key: &[&str],
    tracks: bool,
) -> (String, RowWrite) {
    if tracks && deed == Deed::Append {
        return (copy::keep(into, written, key), RowWrite::Keep);
    }
    if deed == Deed::Upsert { upsert(into, written, key) } else { (copy::insert(into, written), RowWrite::Insert) }
}

fn upsert(into: &TableName, written: &[&str], key: &[&str]) -> (String, RowWrite) {
    let is_all_key = written.iter().all(|column| key.contains(column));
    let write = if is_all_key { RowWrite::Keep } else { RowWrite::Upsert };
    (copy::upsert(into, written, key), write)
}

/// How rows are written many at a time. A statement says only how many it wrote: into a table that was there that is
/// enough where rows overwrite what has their key, and never where such rows are refused.
fn many(found: &Found<'_>, into: &TableName, written: &[&str], key: &[&str], is_aside: bool) -> Option<Box<ManyRows>> {
    if !is_aside {
        return (found.deed == Deed::Upsert).then(Box::default);
    }
    // An upsert cannot change what a generated partition column derives from.
    let is_given = !key.is_empty() && key.iter().all(|column| written.contains(column));
    let again = is_given.then(|| upsert(into, written, key));
    let again = again.map(|(insert, write)| WriteAgain { insert, write });
    Some(Box::new(ManyRows { again, clear: Some(table_sql::delete_rows(into)) }))
}

/// A table in which values are looked up has to be the one that was planned with, unless another flow writes it before.
fn looked_up(context: &Context<'_>, table: &TableName, draft: &mut FlowDraft) -> Precondition {
    let object = ObjectRef::table(context.target_name, table);
    draft.basis.insert(object.clone());
    let written = context.others.written.contains(&(context.target_name.clone(), table.clone()));
    if written { Precondition::Present(object) } else { Precondition::Unchanged(object) }
}

/// How far a run came that was cut.
fn how_far(noted: &CopyingRow) -> String {
    format!("a run that was cut copied {} of {} chunks", noted.done(), noted.chunks.len())
}

/// Whether a row that is sent again is refused, or overwrites itself. What a table that was there makes of a key column by
/// itself may be another value each time; a copy made aside has only such expressions as give the same one.
fn keyed(found: &Found<'_>, key: &[&str], is_aside: bool) -> bool {
    let given = |column: &&str| found.wish.written.iter().any(|name| name == column);
    !key.is_empty() && (is_aside || key.iter().all(given))
}
