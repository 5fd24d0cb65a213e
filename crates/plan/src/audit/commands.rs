//! Rules about programs that fill copies aside, and about rows that go from there into a table.

use transship_model::plan::{Action, CommandTable, MergeRows, RunCommand, Step, StepKind};
use transship_sql::{command, ident, lookup, place, replication, table};

use super::copies;

/// Statements and actions are those that the builders make of the plan's own facts, to the letter.
pub(super) fn matches_kind(step: &Step) -> bool {
    match (step.kind, &step.action) {
        (StepKind::RunCommand, Some(Action::RunCommand(it))) => step.sql.is_empty() && runs(it),
        (StepKind::MergeRows, Some(Action::MergeRows(it))) => step.sql.is_empty() && merges(step, it),
        _ => false,
    }
}

/// A program is given copies aside and nothing else to write to.
fn runs(it: &RunCommand) -> bool {
    let is_program = it.run.first().is_some_and(|program| !program.is_empty());
    is_program && !it.tables.is_empty() && it.tables.iter().all(fills)
}

fn fills(it: &CommandTable) -> bool {
    let columns = it.columns.iter().map(|column| (column.name.as_str(), column.sql.as_str()));
    it.into.is_aside()
        && !it.to.is_reserved()
        && !it.columns.is_empty()
        && it.mark == replication::checkpoints([&it.from])
        && lookup::is_unreadable(&it.unreadable, &it.from)
        && it.refresh_source == table::refresh([&it.from])
        && it.refresh == table::refresh([&it.into])
        && it.count == place::count_rows(&it.into)
        && it.clear == command::clear(&it.into)
        && it.query == command::query(&it.from, columns, it.filter.as_deref())
}

/// All rows of a copy aside go into a table that is none, and the copy is dropped.
fn merges(step: &Step, it: &MergeRows) -> bool {
    let rows = &it.rows;
    rows.source == step.cluster
        && rows.from.is_aside()
        && !rows.into.is_reserved()
        && rows.select.starts_with("SELECT ")
        && rows.select.ends_with(&format!(" FROM {}", ident::table(&rows.from)))
        && rows.refresh_source == table::refresh([&rows.from])
        && rows.refresh == table::refresh([&rows.into])
        && rows.mark == replication::checkpoints([&rows.from])
        && rows.unreadable.is_none()
        && rows.count.is_none()
        && rows.chunks.is_none()
        && rows.many.is_none()
        && rows.transform.is_none()
        && rows.done.is_none()
        && copies::writes(rows)
        && it.expected == place::count_rows(&rows.from)
        && it.clear == table::drop_table(&rows.from)
        && it.done.table == rows.into
}
