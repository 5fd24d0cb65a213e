//! What of a flow has arrived on the target: whole tables that have yet to be put in place, and half copies.
//!
//! Both look alike: green and full of rows. The ledger tells them apart: what it has in sync is whole. A table is known
//! by the flow's own subscription, which follows it; or else a whole one by the identity of its indices, a half one by
//! what it has: it is dropped without anybody's consent, so nobody may have written into it.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::consent::DropKind;
use transship_model::ledger::CopyRow;
use transship_model::observed::Writable;
use transship_model::plan::ConsentBy;
use transship_model::{Contents, TableName};

use super::is_copied;
use crate::consent::Consents;
use crate::copies::{self, Context, Found, Pair, is_the_very};

/// How far the copy of a table has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It has to be filled.
    Ahead,
    /// It is whole, under this name on the target.
    Whole(TableName),
}

/// How far the copy of a table has come.
pub(super) fn of(context: &Context<'_>, found: &Found<'_>) -> Arrival {
    let pair = found.wish.pair;
    let Some(note) = noted(context, pair).filter(|_| !context.is_resync()) else { return Arrival::Ahead };
    let mut names = vec![pair.from.clone()];
    if !context.by_view() {
        names.push(copies::name_of_copy(context, found));
    }
    names.into_iter().find(|name| is_there(context, name, &note.indices)).map_or(Arrival::Ahead, Arrival::Whole)
}

/// The tables that have to be filled, by their names on the source.
pub(super) fn to_fill(context: &Context<'_>, found: &[Found<'_>]) -> BTreeSet<TableName> {
    let ahead = found.iter().filter(|found| is_copied(found) && of(context, found) == Arrival::Ahead);
    ahead.map(|found| found.wish.pair.from.clone()).collect()
}

/// The copies that are whole and have yet to be put in place, as the ledger has them.
pub(super) fn whole(context: &Context<'_>, found: &[Found<'_>]) -> BTreeMap<TableName, CopyRow> {
    let whole = found.iter().filter(|found| is_copied(found) && of(context, found) != Arrival::Ahead);
    whole.filter_map(|found| Some((found.wish.pair.to.clone(), noted(context, found.wish.pair)?.clone()))).collect()
}

/// Tables that earlier runs filled in part, by their names on the target: those that the flow's subscription still fills,
/// those that have what they had then, and others that have to make room where somebody consents to drop them.
pub(super) fn half(context: &Context<'_>) -> BTreeSet<TableName> {
    let noted = noted_contents(context);
    let left = noted.iter().filter(|(name, had)| !had.is_empty() && contents(context, name).as_ref() == Some(*had));
    let left = left.map(|(name, _)| name.clone());
    let own_names = context.pairs.iter().filter(|pair| pair.from == pair.to).map(|pair| pair.from.clone());
    let given = own_names.filter(|name| is_given(context, name));
    followed(context).into_iter().chain(left).chain(given).filter(|name| !is_whole(context, name)).collect()
}

/// Those, others in the way of what is filled where somebody consents to drop them, and whole copies that nobody wants any
/// more and nobody has written into.
pub(super) fn left_over(context: &Context<'_>, found: &[Found<'_>]) -> BTreeSet<TableName> {
    let noted = noted_contents(context);
    let is_still = |name: &TableName| {
        noted.get(name).is_some_and(|had| !had.is_empty() && contents(context, name).as_ref() == Some(had))
    };
    let given = to_fill(context, found).into_iter().filter(|name| is_given(context, name) && !is_whole(context, name));
    let unwanted = found.iter().filter(|found| !is_copied(found) && found.wish.pair.from != found.wish.pair.to);
    let unwanted = unwanted.filter(|found| of(context, found) == Arrival::Whole(found.wish.pair.from.clone()));
    let unwanted = unwanted.map(|found| found.wish.pair.from.clone()).filter(is_still);
    context.half.iter().cloned().chain(unwanted).chain(given).collect()
}

/// What the ledger has to know of copies before the next one begins: half ones that are there, those to come, and whole
/// ones, which are half a copy as soon as something else is declared. What nothing follows has what it had before, or it
/// is another one: what is seen of it now does not count.
pub(super) fn arriving(context: &Context<'_>, found: &[Found<'_>]) -> BTreeMap<TableName, Contents> {
    let noted = noted_contents(context);
    let followed = followed(context);
    let yet_to_place = whole(context, found).into_values().map(|note| note.from);
    let names: BTreeSet<TableName> =
        left_over(context, found).into_iter().chain(to_fill(context, found)).chain(yet_to_place).collect();
    let had = |name: &TableName| {
        let seen = || contents(context, name).filter(|_| followed.contains(name));
        seen().or_else(|| noted.get(name).cloned()).unwrap_or_default()
    };
    names.into_iter().map(|name| (name.clone(), had(&name))).collect()
}

/// The tables that the flow's own subscription follows. One that is listed and can be written is somebody else's.
fn followed(context: &Context<'_>) -> BTreeSet<TableName> {
    let row = context.row.filter(|row| row.detach.is_some());
    let owned = row.and_then(|row| row.subscription.as_ref());
    let subscription = owned.and_then(|owned| context.target.subscriptions.get(&owned.name));
    let tables = subscription.into_iter().flat_map(|it| &it.tables).filter(|(_, table)| !table.is_in_the_way());
    let is_its_own = |name: &&TableName| {
        context.target.tables.get(*name).is_none_or(|table| table.writable == Some(Writable::Subscribed))
    };
    tables.map(|(name, _)| name).filter(is_its_own).cloned().collect()
}

/// What tables had that a subscription of the flow filled, as far as the ledger knows.
fn noted_contents(context: &Context<'_>) -> BTreeMap<TableName, Contents> {
    let detach = context.row.and_then(|row| row.detach.as_ref());
    detach.map(|detach| detach.arriving.clone()).unwrap_or_default()
}

/// Whether the table may be half a copy, and somebody who has seen that consents to drop it. What the spec says was written
/// before.
pub(super) fn is_given(context: &Context<'_>, name: &TableName) -> bool {
    let consents = Consents::new(context.input, &context.instance.flow.allow_drop);
    noted_contents(context).contains_key(name)
        && context.target.tables.contains_key(name)
        && !followed(context).contains(name)
        && matches!(
            consents.ask(DropKind::Table, format!("{}.{name}", context.target_name)).given,
            Some(ConsentBy::Flag(_))
        )
}

/// Whether the ledger has the table in sync, for what is declared now or under its own name.
fn is_whole(context: &Context<'_>, name: &TableName) -> bool {
    let Some(row) = context.row else { return false };
    let in_place = [row.placing.get(name), row.copies.get(name)].into_iter().flatten();
    let in_place = in_place.filter(|note| note.from == *name && note.holds.is_none());
    let wanted = context.pairs.iter().filter(|pair| pair.from == *name && !context.is_resync());
    in_place.chain(wanted.filter_map(|pair| noted(context, pair))).any(|note| is_there(context, name, &note.indices))
}

/// What the ledger has in sync of a table, for what is declared now.
fn noted<'a>(context: &Context<'a>, pair: &Pair<'_>) -> Option<&'a CopyRow> {
    let row = context.row.filter(|row| row.detach.is_some())?;
    let note = row.placing.get(&pair.to)?;
    (note.holds.is_none() && note.from == pair.from && note.asked == copies::asked(context, pair)).then_some(note)
}

fn is_there(context: &Context<'_>, name: &TableName, indices: &BTreeSet<String>) -> bool {
    context.target.tables.get(name).is_some_and(|table| is_the_very(indices, table))
}

fn contents(context: &Context<'_>, name: &TableName) -> Option<Contents> {
    context.target.tables.get(name).map(Contents::of)
}
