//! Rules about partitions that are filled from a copy aside.

use transship_model::plan::{Action, FillPartition, Step, StepKind};
use transship_sql::{ident, partition, replication, table};

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
        && rows.count.is_none()
        && rows.done.is_none()
        && copies::writes(rows)
        && part.expected == partition::count_rows(&rows.from, std::slice::from_ref(&of_part))
        && part.count == partition::count_rows(&rows.into, &[of_part])
        && part.clear.as_ref().is_none_or(|clear| *clear == table::drop_table(&rows.from))
        && part.done.table == rows.into
}
