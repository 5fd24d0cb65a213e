//! How the rows of a copy that is made aside are divided into chunks, and which copy that a cut run left is gone on with.

use std::collections::BTreeSet;

use transship_model::TableName;
use transship_model::ledger::CopyingRow;
use transship_model::observed::{Table, TableKind};
use transship_model::plan::{ChunkColumn, Chunks};
use transship_model::spec::{Custom, Engine, StrategyChoice};
use transship_sql::chunk;

use super::assess::{Deed, Found};
use super::context::Context;
use super::{cursor, sensitive, wish};
use crate::digest;

/// How the rows of `copy` are divided; `None` where they cannot be. Chosen partitions are read as a whole: which they are
/// is no part of what the ledger has of a copy.
pub(crate) fn divided(context: &Context<'_>, found: &Found<'_>, copy: &TableName) -> Option<Chunks> {
    let wish = &found.wish;
    if !wish.partitions.is_empty() {
        return None;
    }
    let by: Vec<ChunkColumn> = columns(found, copy);
    if by.is_empty() {
        return None;
    }
    let filter = wish::filter(wish.pair.entry);
    let sampled = by.iter().map(|column| (column.name.as_str(), column.data_type.as_str()));
    let definition = wish.derived.definition.create_table(copy);
    Some(Chunks {
        table: wish.pair.to.clone(),
        asked: wish.asked.clone(),
        made: made(wish, &definition, &by),
        rows: match &context.instance.flow.strategy {
            StrategyChoice::Custom(custom) => custom.chunk_rows.map(u64::from),
            _ => None,
        },
        sample: chunk::sample(&wish.pair.from, sampled, filter),
        by,
    })
}

/// SHA-256 of how the copy is made.
fn made(wish: &wish::Wish<'_>, definition: &str, by: &[ChunkColumn]) -> String {
    let plainly = digest::of(&(definition, &wish.select, &wish.written, by));
    wish.transform.as_ref().map_or_else(|| plainly.clone(), |transform| digest::of(&(&plainly, transform)))
}

/// The columns of the source whose ranges divide its rows, and those of the copy in the same way: they make partitions or
/// belong to the primary key, are carried as they are, and nothing forbids to show their values in the ledger.
fn columns(found: &Found<'_>, copy: &TableName) -> Vec<ChunkColumn> {
    let (wish, source) = (&found.wish, found.wish.source);
    let keys = source.primary_key.iter().filter(|name| !source.partitioned_by.contains(name));
    let is_filtered = wish::filter(wish.pair.entry).is_some();
    let named = source.partitioned_by.iter().chain(keys);
    named
        .filter_map(|name| {
            let data_type = &source.columns.iter().find(|it| it.name == *name)?.data_type;
            let carried = wish.columns.iter().find(|it| it.is_column(name))?;
            if !chunk::is_orderable(data_type) || sensitive::carries(wish.pair.entry, carried, source) {
                return None;
            }
            let (read, written) = (chunk::within(name, data_type), chunk::within(&carried.name, data_type));
            Some(ChunkColumn {
                name: name.clone(),
                to: carried.name.clone(),
                data_type: data_type.clone(),
                partitions: source.partitioned_by.contains(name),
                select: chunk::select(&wish.select, is_filtered, &read),
                clear: chunk::clear(copy, &written),
                count: chunk::count(copy, &written),
            })
        })
        .collect()
}

/// The copy aside of a table that a cut run has filled in part and that is as it left it, where the next one would be made
/// in the very same way of the very same table.
pub(crate) fn continued<'a>(context: &Context<'a>, found: &Found<'_>) -> Option<&'a CopyingRow> {
    let wish = &found.wish;
    let engine = &context.instance.flow.strategy;
    let streams = matches!(engine, StrategyChoice::Custom(Custom { engine: Engine::Stream, .. }));
    let copies = matches!(found.deed, Deed::Create | Deed::Replace);
    let written = context.others.written.contains(&(context.source_name.clone(), wish.pair.from.clone()));
    if !streams || !copies || written || context.is_resync() {
        return None;
    }
    let noted = context.row?.copying.get(&wish.pair.to)?;
    let copy = context.target.tables.get(&noted.copy).filter(|copy| copy.kind == TableKind::Table && !copy.closed)?;
    let same = divided(context, found, &noted.copy).is_some_and(|chunks| {
        (chunks.asked, chunks.made) == (noted.asked.clone(), noted.made.clone())
            && chunks.by.iter().any(|column| column.name == noted.by)
    });
    let of_source: BTreeSet<&String> = noted.marks.values().map(|(index, _)| index).collect();
    let fits = same
        && noted.from == wish.pair.from
        && noted.rows() > 0
        && cursor::is_same(wish, noted)
        && is_the_copy(copy, &noted.indices.iter().collect())
        && has_all(wish.source, &of_source);
    fits.then_some(noted)
}

/// Whether a copy is the one that was noted. Of its partitions some may be gone that chunks had made which were not whole,
/// since their rows are deleted before they are copied again: the count of all tells whether more is.
fn is_the_copy(copy: &Table, noted: &BTreeSet<&String>) -> bool {
    let is_there = |uuid: &String| noted.contains(uuid);
    let some = copy.primaries.iter().filter_map(|shard| shard.uuid.as_ref()).any(is_there);
    if copy.partitioned_by.is_empty() { has_all(copy, noted) } else { some }
}

/// Whether a table has all of these indices, and no others unless it has partitions, which may have come since.
fn has_all(table: &Table, indices: &BTreeSet<&String>) -> bool {
    let found: BTreeSet<&String> = table.primaries.iter().filter_map(|shard| shard.uuid.as_ref()).collect();
    let known = !indices.is_empty() && indices.is_subset(&found);
    known && (!table.partitioned_by.is_empty() || found == *indices)
}
