//! Chosen partitions: which of the source's they are, and what is to be done with each where the table is there already.
//!
//! A partition that is absent is restored in place; one that is present goes first. Others of the table stay as they are, so
//! a subset never takes the place of the whole.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use transship_model::ledger::CopyRow;
use transship_model::observed::{Shard, Table};
use transship_model::plan::{Consent, ConsentBy, ObjectRef, PartitionValue, PlannedPartition, Precondition};
use transship_model::spec::{Cell, Existing, Repeat, StrategyChoice, TableEntry};
use transship_model::{DropKind, Finding};
use transship_sql::partition::{self, Partition};

use super::assess::{Deed, Found, Refusal, Standing};
use super::context::{Context, Pair};
use super::due::{self, Due};
use super::wish::Wish;
use crate::consent::Consents;
use crate::draft::{FlowDraft, LIFT_PREVENT_DESTROY, NewStep};

/// How many partitions a message names at most.
const NAMED: usize = 10;

/// A chosen partition that is to be restored into the table that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) partition: Partition,
    /// The identity of the index that goes first; `None` where the partition is absent.
    pub(crate) replaces: Option<String>,
    /// A run of this flow began to restore it and did not say that it is whole.
    pub(crate) unfinished: bool,
}

/// What is to be done with the chosen partitions of a table that is there.
pub(super) struct Judged {
    pub(super) deed: Deed,
    pub(super) parts: Vec<Restored>,
    pub(super) due: Due,
    pub(super) difference: Option<String>,
    /// Whether what the ledger has of the other partitions stays.
    pub(super) keeps: bool,
    /// Whether all chosen partitions are among them.
    pub(super) all: bool,
}

/// The partitions as a plan has them.
pub(crate) fn planned(partition: &Partition) -> PlannedPartition {
    let value =
        |(column, value): &(String, Option<String>)| PartitionValue { column: column.clone(), value: value.clone() };
    PlannedPartition { values: partition.0.iter().map(value).collect() }
}

/// The partition that a plan has.
pub(crate) fn read(planned: &PlannedPartition) -> Partition {
    Partition(planned.values.iter().map(|it| (it.column.clone(), it.value.clone())).collect())
}

/// `(month = 3, region = eu)`.
pub(crate) fn shown(partition: &Partition) -> String {
    let value =
        |(column, value): &(String, Option<String>)| format!("{column} = {}", value.as_deref().unwrap_or("NULL"));
    format!("({})", partition.0.iter().map(value).collect::<Vec<_>>().join(", "))
}

/// The partitions of the source that the spec chooses, none for the whole table.
pub(crate) fn chosen(context: &Context<'_>, pair: &Pair<'_>, source: &Table) -> Result<Vec<Partition>, Vec<Finding>> {
    let TableEntry::Table(entry) = pair.entry else { return Ok(Vec::new()) };
    let full = format!("{}.{}", context.source_name, pair.from);
    let path = pair.path.key("partitions");
    if entry.partitions.is_empty() {
        return Ok(Vec::new());
    }
    if context.by_view() {
        let message = format!("a view over chosen partitions of {} would show no others", pair.from);
        let help = "use `replace_by: swap`: partitions go into the table that is there";
        return Err(vec![Finding::error("plan::partitions-by-view", message).at(path).help(help)]);
    }
    if source.partitioned_by.is_empty() {
        let message = format!("table {full} is not partitioned");
        let help = "take `partitions` out; `custom` and `export-import` choose rows by `where`";
        return Err(vec![Finding::error("plan::not-partitioned", message).at(path).help(help)]);
    }
    let restores = matches!(context.instance.flow.strategy, StrategyChoice::Snapshot(_));
    let there = partitions_of(source);
    let (mut found, mut findings) = (BTreeSet::new(), Vec::new());
    for (index, declared) in entry.partitions.iter().enumerate() {
        let at = path.item(index);
        let names: BTreeSet<&String> = declared.keys().collect();
        if names != source.partitioned_by.iter().collect() {
            let message = format!("{full} is partitioned by {}", source.partitioned_by.join(", "));
            let help = "give each of these columns a value, and no other";
            findings.push(Finding::error("plan::partition-columns", message).at(at).help(help));
            continue;
        }
        let is_meant = |partition: &&Partition| {
            partition.0.iter().all(|(column, text)| is_same(source, column, &declared[column], text.as_deref()))
        };
        match there.iter().find(is_meant) {
            Some(partition) if partition.has_null() && restores => {
                let message = format!("CrateDB cannot restore partition {} of {full} by itself", shown(partition));
                let help = "copy the whole table: a partition with a NULL comes with it";
                findings.push(Finding::error("plan::null-partition", message).at(at).help(help));
            }
            Some(partition) => drop(found.insert(partition.clone())),
            None => {
                let message = format!("table {full} has no such partition");
                let help = if there.is_empty() { "it has none".to_owned() } else { format!("it has {}", some(&there)) };
                findings.push(Finding::error("plan::no-such-partition", message).at(at).help(help));
            }
        }
    }
    if findings.is_empty() { Ok(found.into_iter().collect()) } else { Err(findings) }
}

fn some(partitions: &BTreeSet<Partition>) -> String {
    let named: Vec<String> = partitions.iter().take(NAMED).map(shown).collect();
    let more = partitions.len().saturating_sub(NAMED);
    if more == 0 { named.join(", ") } else { format!("{}, and {more} more", named.join(", ")) }
}

/// The partitions that a table has.
fn partitions_of(table: &Table) -> BTreeSet<Partition> {
    let idents = table.primaries.iter().map(|shard| shard.partition.as_str());
    idents.filter_map(|ident| Partition::of_ident(&table.partitioned_by, ident)).collect()
}

/// Whether a declared value is that of a partition, by the column's type. The names of partitions hold texts: `t` and `f`
/// for booleans, milliseconds for timestamps.
fn is_same(table: &Table, column: &str, declared: &Cell, text: Option<&str>) -> bool {
    let data_type = table.columns.iter().find(|it| it.name == column).map_or("", |it| it.data_type.as_str());
    let (declared, text) = match (declared, text) {
        (Cell::Null(()), None) => return true,
        (Cell::Null(()), Some(_)) | (_, None) => return false,
        (Cell::Bool(value), Some(text)) => (value.to_string(), text),
        (Cell::Number(value), Some(text)) => (value.to_string(), text),
        (Cell::Text(value), Some(text)) => (value.clone(), text),
    };
    if declared == text {
        return true;
    }
    match data_type {
        "boolean" => matches!((declared.as_str(), text), ("true", "t") | ("false", "f")),
        "text" => false,
        it if it.starts_with("timestamp") => milliseconds(&declared).is_some_and(|it| it.to_string() == text),
        // Neighbours beyond 2^53 are one to a double.
        "byte" | "char" | "smallint" | "integer" | "bigint" => {
            declared.parse::<i128>().ok().zip(text.parse::<i128>().ok()).is_some_and(|(a, b)| a == b)
        }
        _ => declared.parse::<f64>().ok().zip(text.parse::<f64>().ok()).is_some_and(|(a, b)| a.total_cmp(&b).is_eq()),
    }
}

/// The milliseconds since 1970 of a time as people write it.
fn milliseconds(text: &str) -> Option<i64> {
    let civil = |time: DateTime| Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let timestamp = text.parse::<jiff::Timestamp>().ok();
    let timestamp = timestamp.or_else(|| civil(text.parse::<Date>().ok()?.into()));
    timestamp.or_else(|| civil(text.parse::<DateTime>().ok()?)).map(jiff::Timestamp::as_millisecond)
}

/// Whether nothing was ever written to a partition of the source, so that no rows are to be copied; a snapshot has it all
/// the same.
fn is_empty(context: &Context<'_>, source: &Table, partition: &Partition) -> bool {
    let ident = partition.ident();
    let restores = matches!(context.instance.flow.strategy, StrategyChoice::Snapshot(_));
    let was_written = |shard: &&Shard| shard.docs > 0 || shard.max_seq_no.is_none_or(|highest| highest >= 0);
    !restores && !source.primaries.iter().filter(|shard| shard.partition == ident).any(|shard| was_written(&shard))
}

/// Whether a copy found nothing to write of a partition: it was read, as it is or by a condition, and nothing that the flow
/// made is gone since.
fn was_left_out(wish: &Wish<'_>, there: &Table, note: &CopyRow, partition: &Partition) -> bool {
    let TableEntry::Table(entry) = wish.pair.entry else { return false };
    let is_there = |index: &String| there.primaries.iter().any(|shard| shard.uuid.as_ref() == Some(index));
    let had_none = entry.filter.is_some() || !has_changed(wish, note, partition);
    note.partitions.contains(&partition.ident()) && had_none && note.indices.iter().all(is_there)
}

/// Whether a partition of the source is another one than the one that was copied.
fn has_changed(wish: &Wish<'_>, note: &CopyRow, partition: &Partition) -> bool {
    let prefix = format!("{}/", partition.ident());
    let shards = wish.source.primaries.iter().filter(|shard| format!("{}/", shard.partition) == prefix);
    let now = shards.map(|it| (format!("{prefix}{}", it.id), it.uuid.clone(), it.max_seq_no));
    let before = note.marks.iter().filter(|(key, _)| key.starts_with(&prefix));
    let before = before.map(|(key, (uuid, highest))| (key.clone(), Some(uuid.clone()), Some(*highest)));
    now.collect::<BTreeSet<_>>() != before.collect()
}

/// The identity of a partition's index; `None` where the table has no such partition.
fn index_of(table: &Table, partition: &Partition) -> Option<String> {
    let ident = partition.ident();
    let shard = table.primaries.iter().find(|shard| shard.partition == ident)?;
    Some(shard.uuid.clone().unwrap_or_default())
}

/// The source with the chosen partitions alone, as far as what is due goes.
fn narrowed(context: &Context<'_>, wish: &Wish<'_>) -> Table {
    let filled = wish.partitions.iter().filter(|partition| !is_empty(context, wish.source, partition));
    let idents: BTreeSet<String> = filled.map(Partition::ident).collect();
    let chosen = |shard: &&Shard| idents.contains(&shard.partition);
    let primaries = wish.source.primaries.iter().filter(chosen).cloned().collect();
    Table { primaries, ..wish.source.clone() }
}

/// Whether the chosen partitions are due, where nothing else is to be done with the table.
pub(super) fn judge(context: &Context<'_>, wish: &Wish<'_>, repeat: &Repeat, note: &CopyRow) -> Due {
    let full = format!("{}.{}", context.source_name, wish.pair.from);
    due::judge(repeat, &marked(wish, note), &full, &narrowed(context, wish), context.input.now)
}

/// What the ledger has of the chosen partitions: others that the flow restored before are not asked for any more.
fn marked(wish: &Wish<'_>, note: &CopyRow) -> CopyRow {
    let idents: BTreeSet<String> = wish.partitions.iter().map(Partition::ident).collect();
    let of_chosen = |key: &&String| key.split_once('/').is_some_and(|(ident, _)| idents.contains(ident));
    let marks = note.marks.iter().filter(|(key, _)| of_chosen(key));
    CopyRow { marks: marks.map(|(key, mark)| (key.clone(), mark.clone())).collect(), ..note.clone() }
}

/// Compares the chosen partitions with those of the table that is there.
pub(super) fn assess(
    context: &Context<'_>,
    wish: &Wish<'_>,
    there: &Table,
    (standing, note): (Standing, Option<&CopyRow>),
    due: Due,
) -> Judged {
    let nothing = |deed| Judged { deed, parts: Vec::new(), due: Due::No, difference: None, keeps: true, all: false };
    let refused = match (context.existing(), standing) {
        (Existing::Skip, _) => return nothing(Deed::Nothing),
        (Existing::Error, Standing::NotOurs) => Some(Refusal::Exists),
        (Existing::Error, Standing::Edited) => Some(Refusal::Edited),
        _ => None,
    };
    let full = format!("{}.{}", context.target_name, wish.pair.to);
    if let Some(refusal) = refused {
        let difference = Some(format!("what is declared for {full} is not what is there"));
        return Judged { difference, ..nothing(Deed::Refuse(refusal)) };
    }
    let begun = context.row.and_then(|row| row.restoring.get(&wish.pair.to));
    let (mut parts, mut differences, mut is_foreign) = (Vec::new(), Vec::new(), false);
    for partition in &wish.partitions {
        let is = index_of(there, partition);
        let noted = begun.and_then(|begun| begun.get(&partition.ident()));
        let unfinished = is.is_some() && noted.is_some_and(|noted| *noted == is);
        let ours = |index: &String| note.is_some_and(|note| note.indices.is_empty() || note.indices.contains(index));
        let named = format!("partition {} of {full}", shown(partition));
        let difference = match &is {
            // Rows make partitions: without any there is nothing to fill.
            None if is_empty(context, wish.source, partition) => continue,
            None if noted.is_some() => format!("{named} was deleted, and not restored: a run was cut there"),
            None if standing == Standing::Same
                && note.is_some_and(|note| was_left_out(wish, there, note, partition)) =>
            {
                continue;
            }
            None => format!("{named} does not exist"),
            Some(_) if unfinished => format!("{named} is not known to be whole: a run that restored it was cut"),
            Some(index) if standing == Standing::Same && ours(index) => continue,
            Some(_) if standing == Standing::Same => {
                is_foreign = true;
                format!("{named} is not the one that this flow restored")
            }
            Some(_) => format!("{named} is there, and is to be restored anew"),
        };
        differences.push(difference);
        parts.push(Restored { partition: partition.clone(), replaces: is, unfinished });
    }
    if is_foreign && context.existing() == Existing::Error {
        return Judged { difference: Some(differences.join("; ")), ..nothing(Deed::Refuse(Refusal::Exists)) };
    }
    if !parts.is_empty() {
        // What is due goes along: nothing is left to the next plan.
        let note = note.filter(|_| standing == Standing::Same && due.reason().is_some());
        let also = note.map(|note| due_parts(context, wish, there, note)).unwrap_or_default();
        let is_new = |part: &Restored| parts.iter().all(|known| known.partition != part.partition);
        let also: Vec<Restored> = also.into_iter().filter(is_new).collect();
        parts.extend(also);
        let keeps = standing == Standing::Same;
        let (difference, all) = (Some(differences.join("; ")), are_all(context, wish, &parts));
        return Judged { deed: Deed::Restore, parts, due: Due::No, difference, keeps, all };
    }
    let Some(note) = note.filter(|_| due.reason().is_some()) else { return Judged { due, ..nothing(Deed::Nothing) } };
    let parts = due_parts(context, wish, there, note);
    let all = are_all(context, wish, &parts);
    Judged { deed: Deed::Restore, parts, due, difference: None, keeps: true, all }
}

/// Whether these are all chosen partitions that have rows.
fn are_all(context: &Context<'_>, wish: &Wish<'_>, parts: &[Restored]) -> bool {
    let is_among = |partition: &Partition| parts.iter().any(|part| part.partition == *partition);
    wish.partitions.iter().all(|partition| is_empty(context, wish.source, partition) || is_among(partition))
}

/// Those that have changed since they were copied; all of them where that is not why they are due.
fn due_parts(context: &Context<'_>, wish: &Wish<'_>, there: &Table, note: &CopyRow) -> Vec<Restored> {
    let changed: Vec<&Partition> = wish.partitions.iter().filter(|it| has_changed(wish, note, it)).collect();
    let all: Vec<&Partition> = wish.partitions.iter().collect();
    let by_time = changed.is_empty() || matches!(context.instance.flow.repeat, Some(Repeat::Every(_)));
    let restored = |partition: &Partition| Restored {
        partition: partition.clone(),
        replaces: index_of(there, partition),
        unfinished: false,
    };
    (if by_time { all } else { changed }).into_iter().map(restored).collect()
}

/// Tells which partitions a run that was cut left deleted or half filled, where nothing of this plan sees to them.
pub(crate) fn warn_of_incomplete(context: &Context<'_>, found: &[Found<'_>], draft: &mut FlowDraft) {
    let begun = context.row.map(|row| &row.restoring).into_iter().flatten();
    for (table, idents) in begun {
        let of_table = found.iter().find(|found| found.wish.pair.to == *table);
        let is_made = of_table.is_some_and(|found| !matches!(found.deed, Deed::Nothing | Deed::Restore));
        let Some(there) = context.target.tables.get(table).filter(|_| !is_made) else { continue };
        for (ident, noted) in idents {
            let Some(partition) = Partition::of_ident(&there.partitioned_by, ident) else { continue };
            let parts = of_table.map(|found| &found.parts[..]).unwrap_or_default();
            let is_planned = parts.iter().any(|part| part.partition == partition);
            // One that is another by now is somebody else's.
            if !is_planned && index_of(there, &partition).as_ref() == noted.as_ref() {
                let state = if noted.is_some() { "may be there by half" } else { "was deleted" };
                let text = format!(
                    "partition {} of {}.{table} {state}: a run of this flow was cut there, and nothing of this plan brings it \
                     back; choose it under `partitions` again, with `existing: replace`",
                    shown(&partition),
                    context.target_name
                );
                draft.warn("plan::stays-incomplete", text);
            }
        }
    }
}

/// Adds a step that fills a partition of the table that is there, by a statement of its own where it has one: the partition
/// that is there goes first, if it is the very one that was planned with.
pub(crate) fn put(
    context: &Context<'_>,
    found: &Found<'_>,
    part: &Restored,
    (step, fill): (NewStep, Option<String>),
    draft: &mut FlowDraft,
) {
    let (cluster, to) = (context.target_name, &found.wish.pair.to);
    let (table, object) = (ObjectRef::table(cluster, to), ObjectRef::partition(cluster, to, &part.partition.ident()));
    draft.basis.extend([table.clone(), object.clone()]);
    let step = step.requires(Precondition::Unchanged(table.clone())).requires(Precondition::Writable(table));
    let step = match part.replaces {
        None => step.requires(Precondition::Absent(object)),
        Some(_) => step
            .sql(partition::delete_partition(to, &part.partition))
            .requires(Precondition::Unchanged(object))
            .drops(consent(context, found, part)),
    };
    draft.push(fill.into_iter().fold(step, NewStep::sql));
}

/// Rows that go before others are there need a consent, but for those of a partition of which the ledger has it that a
/// run of this flow began to fill it.
fn consent(context: &Context<'_>, found: &Found<'_>, part: &Restored) -> Consent {
    let name = format!("{}.{}", context.target_name, found.wish.pair.to);
    if part.unfinished {
        return Consent { kind: DropKind::Rows, name, given: Some(ConsentBy::Arriving) };
    }
    Consents::new(context.input, &context.instance.flow.allow_drop).ask(DropKind::Rows, name)
}

/// Tells what readers see: `deletes` where partitions go before they come, `adds` where they only come.
pub(crate) fn warn(context: &Context<'_>, found: &Found<'_>, (deletes, adds): (&str, &str), draft: &mut FlowDraft) {
    if found.parts.iter().all(|part| part.replaces.is_none()) {
        draft.warn("plan::in-place", adds.to_owned());
        return;
    }
    draft.warn("plan::deletes-first", deletes.to_owned());
    if context.instance.flow.prevent_destroy || context.row.is_some_and(|row| row.prevent_destroy) {
        let full = format!("{}.{}", context.target_name, found.wish.pair.to);
        draft.prevent_destroy(&format!("deletes partitions of table {full}"), LIFT_PREVENT_DESTROY);
    }
}

/// CrateDB computes generated columns of the key from the values that a DELETE names. One that makes no partitions turns
/// the drop of a partition into a search for its rows, which leaves it there, empty.
pub(crate) fn generated_key(context: &Context<'_>, found: &Found<'_>, there: &Table) -> Option<Finding> {
    let is_generated = |key: &&String| there.columns.iter().any(|it| it.name == **key && it.generated.is_some());
    let mut keys = there.primary_key.iter().filter(|key| !there.partitioned_by.contains(key));
    let key = keys.find(is_generated)?;
    let message =
        format!("column {key} of the primary key of {}.{} is generated", context.target_name, found.wish.pair.to);
    let finding = Finding::error("plan::generated-key", message).at(found.wish.pair.path.key("partitions"));
    Some(finding.help("CrateDB deletes the rows of such a partition one by one and leaves it: copy the whole table"))
}
