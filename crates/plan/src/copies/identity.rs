//! Whether what has a target's name is the copy that the ledger tells of: known by the identity of its indices, since
//! anybody may drop a table and make another one of the name.

use std::collections::BTreeSet;

use transship_model::TableName;
use transship_model::ledger::{CopyRow, FlowRow};
use transship_model::observed::{Observed, Table, TableKind};
use transship_sql::view;

use super::context::Context;
use super::wish::Wish;

/// What the ledger has of a copy that is in place.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) note: &'a CopyRow,
    /// It was put in place by a run that was cut before it could say so.
    pub(super) adopted: bool,
}

/// What the ledger has of the copy that has the name now; `None` where what has it is somebody else's.
pub(super) fn known<'a>(target: &Observed, row: &'a FlowRow, to: &TableName) -> Option<Known<'a>> {
    let there = target.tables.get(to)?;
    let placed = row.placing.get(to).filter(|note| is_placed(target, there, note));
    let noted = || row.copies.get(to).filter(|note| is_there(target, there, note));
    match placed {
        Some(note) => Some(Known { note, adopted: true }),
        None => noted().map(|note| Known { note, adopted: false }),
    }
}

/// The table that has the rows of a copy of ours that has the name now.
pub(super) fn table_of<'a>(target: &'a Observed, row: &FlowRow, to: &TableName) -> Option<&'a Table> {
    let known = known(target, row, to)?;
    holder(target, target.tables.get(to)?, known.note)
}

/// Whether a cut run left a whole copy without the name that it had taken away for it.
pub(super) fn is_whole(context: &Context<'_>, wish: &Wish<'_>) -> bool {
    let note = context.row.and_then(|row| row.placing.get(&wish.pair.to));
    let is_whole = |note: &CopyRow| {
        let copy = note.holds.as_ref().and_then(|holds| context.target.tables.get(holds));
        note.asked == wish.asked && copy.is_some_and(|copy| is_the_very(&note.indices, copy))
    };
    context.by_view() && !context.is_resync() && note.is_some_and(is_whole)
}

/// The table that a view reads, where it reads all of one and nothing else.
pub(super) fn viewed(view: &Table) -> Option<TableName> {
    view.definition.as_deref().filter(|_| view.kind == TableKind::View).and_then(view::viewed_table)
}

/// Whether a copy that was about to be put in place is what has the name now.
fn is_placed(target: &Observed, there: &Table, note: &CopyRow) -> bool {
    holder(target, there, note).is_some_and(|holder| is_the_very(&note.indices, holder))
}

/// Whether a copy that was put in place is what has the name still. A table whose indices cannot be seen, and a
/// partitioned one of which no partition is left, passes for it: taking it for another one could end in replacing it.
fn is_there(target: &Observed, there: &Table, note: &CopyRow) -> bool {
    holder(target, there, note).is_some_and(|holder| {
        let unknown = note.indices.is_empty() || holder.primaries.is_empty() || !holder.partitioned_by.is_empty();
        unknown || is_the_very(&note.indices, holder)
    })
}

/// The table that has the rows, where what has the name is of the kind that was made.
fn holder<'a>(target: &'a Observed, there: &'a Table, note: &CopyRow) -> Option<&'a Table> {
    match &note.holds {
        None => (there.kind == TableKind::Table).then_some(there),
        Some(holds) if viewed(there).as_ref() == Some(holds) => target.tables.get(holds),
        Some(_) => None,
    }
}

/// Whether the indices are those of the table: all of a table without partitions, one at least of a partitioned one, or
/// none at all of one that has none.
pub(crate) fn is_the_very(indices: &BTreeSet<String>, table: &Table) -> bool {
    let found: BTreeSet<&String> = table.primaries.iter().filter_map(|shard| shard.uuid.as_ref()).collect();
    match table.partitioned_by.as_slice() {
        [] => !found.is_empty() && found == indices.iter().collect(),
        _ => indices.is_empty() && found.is_empty() || indices.iter().any(|index| found.contains(index)),
    }
}

#[cfg(test)]
mod tests {
    use transship_model::observed::Shard;

    use super::*;

    fn table(partitioned: bool, indices: &[&str]) -> Table {
        let partitioned_by = if partitioned { vec!["day".to_owned()] } else { Vec::new() };
        let shard = |uuid: &&str| {
            let json = serde_json::json!({ "partition": "", "id": 0, "uuid": uuid, "max_seq_no": 1,
                "global_checkpoint": 1, "docs": 1, "bytes": 1 });
            serde_json::from_value::<Shard>(json).expect("a shard")
        };
        let json = serde_json::json!({ "kind": "table", "columns": [], "primary_key": [], "partitioned_by": partitioned_by,
            "clustered_by": null, "shards": 1, "replicas": null, "column_policy": null, "created": null,
            "closed": false, "primaries": [], "health": null });
        let mut table: Table = serde_json::from_value(json).expect("a table");
        table.primaries = indices.iter().map(shard).collect();
        table
    }

    fn noted(indices: &[&str]) -> BTreeSet<String> {
        indices.iter().map(|index| (*index).to_owned()).collect()
    }

    #[test]
    fn a_table_is_the_very_one_by_its_indices() {
        for (partitioned, before, now, same) in [
            (false, &["a"][..], &["a"][..], true),
            (false, &["a"], &["b"], false),
            (false, &["a"], &[], false),
            (false, &[], &[], false),
            (true, &["a", "b"], &["b", "c"], true),
            (true, &["a"], &["c"], false),
            (true, &[], &[], true),
            (true, &["a"], &[], false),
        ] {
            let found = is_the_very(&noted(before), &table(partitioned, now));
            assert_eq!(found, same, "{partitioned} {before:?} {now:?}");
        }
    }
}
