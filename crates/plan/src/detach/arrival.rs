//! What of a flow has arrived on the target: whole tables that have yet to be put in place, and half copies.
//!
//! Both look alike: green and full of rows. The ledger tells them apart: what it has in sync is whole. A table is known
//! by the flow's own subscription, which follows it; or else a whole one by the identity of its indices, a half one by
//! what it has: it is dropped without anybody's consent, so nobody may have written into it.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::ledger::CopyRow;
use transship_model::{Contents, TableName};

use super::is_copied;
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
    names.into_iter().find(|name| is_the_table(context, name, note)).map_or(Arrival::Ahead, Arrival::Whole)
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

/// Tables that earlier runs filled in part, by their names on the target.
pub(super) fn half(context: &Context<'_>) -> BTreeSet<TableName> {
    let Some(row) = context.row.filter(|row| row.detach.is_some()) else { return BTreeSet::new() };
    let followed = row.subscription.iter().filter_map(|owned| context.target.subscriptions.get(&owned.name));
    let followed = followed.flat_map(|is| is.tables.keys()).cloned();
    let arriving = row.detach.iter().flat_map(|detach| &detach.arriving);
    let began = arriving.filter(|(name, had)| !had.is_empty() && contents(context, name).as_ref() == Some(*had));
    let began = began.map(|(name, _)| name.clone());
    followed.chain(began).filter(|name| !is_whole(context, name)).collect()
}

/// Those, and whole copies that nobody wants any more.
pub(super) fn left_over(context: &Context<'_>, found: &[Found<'_>]) -> BTreeSet<TableName> {
    let unwanted = found.iter().filter(|found| !is_copied(found) && found.wish.pair.from != found.wish.pair.to);
    let unwanted = unwanted.filter(|found| of(context, found) == Arrival::Whole(found.wish.pair.from.clone()));
    context.half.iter().cloned().chain(unwanted.map(|found| found.wish.pair.from.clone())).collect()
}

/// What the ledger has to know of copies before the next one begins: half ones that are there, those to come, and whole
/// ones, which are half a copy as soon as something else is declared.
pub(super) fn arriving(context: &Context<'_>, found: &[Found<'_>]) -> BTreeMap<TableName, Contents> {
    let to_come = to_fill(context, found);
    let noted = context.row.and_then(|row| row.detach.as_ref()).map(|detach| detach.arriving.clone());
    let yet_to_place: BTreeSet<TableName> = whole(context, found).into_values().map(|note| note.from).collect();
    let left_over = left_over(context, found);
    let has = |name: &TableName| {
        let seen = context.half.contains(name) || !to_come.contains(name);
        contents(context, name).filter(|_| seen).unwrap_or_default()
    };
    let half = left_over.iter().chain(&to_come).map(|name| (name.clone(), has(name)));
    let whole = noted.unwrap_or_default().into_iter().filter(|(name, _)| yet_to_place.contains(name));
    whole.chain(half).collect()
}

/// Whether the ledger has the table in sync, for what is declared now or under its own name.
fn is_whole(context: &Context<'_>, name: &TableName) -> bool {
    let Some(row) = context.row else { return false };
    let in_place = row.placing.get(name).filter(|note| note.from == *name);
    let wanted = context.pairs.iter().filter(|pair| pair.from == *name && !context.is_resync());
    in_place
        .into_iter()
        .chain(wanted.filter_map(|pair| noted(context, pair)))
        .any(|note| is_there(context, name, &note.indices))
}

/// What the ledger has in sync of a table, for what is declared now.
fn noted<'a>(context: &Context<'a>, pair: &Pair<'_>) -> Option<&'a CopyRow> {
    let row = context.row.filter(|row| row.detach.is_some())?;
    let note = row.placing.get(&pair.to)?;
    (note.holds.is_none() && note.from == pair.from && note.asked == copies::asked(context, pair)).then_some(note)
}

fn is_the_table(context: &Context<'_>, name: &TableName, note: &CopyRow) -> bool {
    is_there(context, name, &note.indices)
}

fn is_there(context: &Context<'_>, name: &TableName, indices: &BTreeSet<String>) -> bool {
    context.target.tables.get(name).is_some_and(|table| is_the_very(indices, table))
}

fn contents(context: &Context<'_>, name: &TableName) -> Option<Contents> {
    context.target.tables.get(name).map(Contents::of)
}
