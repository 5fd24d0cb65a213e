//! Rules about partitions that are filled from a copy aside.

use transship_model::TableName;
use transship_model::plan::{Action, FillPartition, PartsOfCopy, Step, StepKind};
use transship_sql::{ident, partition, place, replication, table};

use super::copies;
use crate::copies::partitions::read;

/// Statements and actions are those that the builders make of the plan's own facts, to the letter: what goes first is the
/// very partition, and what comes is that of the copy.
pub(super) fn matches_kind(step: &Step) -> bool {
    let Some(Action::FillPartition(part)) = &step.action else { return false };
    let fits = match (step.kind, step.sql.as_slice()) {
        (StepKind::FillPartition, []) => part.replaces.is_none(),
        (StepKind::ReplacePartition, [delete]) => {
            part.replaces.is_some() && *delete == partition::delete_partition(&part.rows.into, &read(&part.partition))
        }
        _ => false,
    };
    fits && fills(step, part)
}

/// All rows of the copy, and those of partitions of which this is one.
fn counts_parts(parts: &PartsOfCopy, copy: &TableName, within: &str) -> bool {
    let chosen = format!("{} WHERE ", place::count_rows(copy));
    parts.all == place::count_rows(copy) && parts.chosen.starts_with(&chosen) && parts.chosen.contains(within)
}

fn fills(step: &Step, part: &FillPartition) -> bool {
    let (rows, of_part) = (&part.rows, read(&part.partition));
    let reads = format!(" FROM {} WHERE ", ident::table(&rows.from));
    let within = partition::condition(std::slice::from_ref(&of_part), None).unwrap_or_default();
    rows.source == step.cluster
        && rows.from.is_aside()
        && !rows.into.is_reserved()
        && rows.select.starts_with("SELECT ")
        && rows.select.contains(&reads)
        && rows.select.ends_with(&format!("({within})"))
        && rows.refresh_source == table::refresh([&rows.from])
        && rows.refresh == table::refresh([&rows.into])
        && rows.mark == replication::checkpoints([&rows.from])
        && rows.unreadable.is_none()
        && rows.count.is_none()
        && rows.many.is_none()
        && rows.transform.is_none()
        && rows.chunks.is_none()
        && rows.done.is_none()
        && copies::writes(rows)
        && part.expected == partition::count_rows(&rows.from, std::slice::from_ref(&of_part))
        && part.parts.as_ref().is_none_or(|parts| counts_parts(parts, &rows.from, &within))
        && part.count == partition::count_rows(&rows.into, &[of_part])
        && part.clear.as_ref().is_none_or(|clear| *clear == table::drop_table(&rows.from))
        && part.done.table == rows.into
}
