//! Columns that grow with every change: from which value on rows are read, and what forbids it or is worth knowing.

use jiff::Timestamp;
use transship_model::ledger::{CopyRow, CopyingRow};
use transship_model::observed::{Column, Shard, Table};
use transship_model::plan::{Cursor, CursorRead, Since, Slices};
use transship_model::spec::{Custom, Existing, StrategyChoice, TableEntry};
use transship_model::{Finding, TimeSpan};
use transship_sql::cursor::{self, Rows};
use transship_sql::partition;

use super::assess::{Deed, Found};
use super::columns;
use super::context::Context;
use super::sensitive;
use super::wish::{Wish, filter};
use crate::draft::FlowDraft;

/// How late rows may be unless the spec says otherwise.
const OVERLAP: TimeSpan = TimeSpan::seconds(60);

/// The cursor that the spec declares for a table.
pub(crate) fn declared(entry: &TableEntry) -> Option<&str> {
    entry.settings()?.cursor.as_deref()
}

/// What is done with a copy of ours that has a cursor, and is due.
pub(super) const fn again(existing: Existing) -> Deed {
    match existing {
        Existing::Append => Deed::Append,
        _ => Deed::Upsert,
    }
}

/// Whether what the ledger has of a copy aside is by the cursor that is declared.
pub(super) fn is_same(wish: &Wish<'_>, noted: &CopyingRow) -> bool {
    declared(wish.pair.entry) == noted.cursor.as_ref().map(|cursor| cursor.column.as_str())
}

/// Whether the ledger has how far a copy has come by the cursor that is declared.
pub(super) fn is_noted(wish: &Wish<'_>, note: &CopyRow) -> bool {
    note.cursor.as_ref().is_some_and(|cursor| Some(cursor.column.as_str()) == declared(wish.pair.entry))
}

/// Whether a cut run left a table in part that it filled by a cursor, and none is declared any more to go on by: the ledger
/// has what the source had only from the run on that read to the end.
pub(super) fn was_cut(wish: &Wish<'_>, note: &CopyRow) -> bool {
    let has_nothing = note.marks.values().all(|(_, highest)| *highest < 0);
    declared(wish.pair.entry).is_none() && note.cursor.is_some() && has_nothing
}

/// Why all rows are read, though the ledger has how far a copy has come; `None` where they need not be.
pub(super) fn lost(wish: &Wish<'_>, note: &CopyRow, full: &str) -> Option<String> {
    was_made_again(note, wish.source)
        .then(|| format!("{full} was made again since it was last copied: all rows are read"))
}

/// Whether the source is another table than the one that was copied.
fn was_made_again(note: &CopyRow, source: &Table) -> bool {
    let index = |shard: &'_ Shard| Some((format!("{}/{}", shard.partition, shard.id), shard.uuid.clone()?));
    let now: Vec<(String, String)> = source.primaries.iter().filter_map(index).collect();
    note.is_of_another(now.iter().map(|(key, index)| (key.clone(), index.as_str())))
}

/// The column of the source.
fn column<'a>(wish: &Wish<'a>) -> Option<&'a Column> {
    let name = declared(wish.pair.entry)?;
    columns::top_level(wish.source).find(|column| column.name == name)
}

/// What a step that copies rows has to know; `into` says what writes them into a table that is there, and is `None` for a
/// copy aside.
pub(crate) fn of(context: &Context<'_>, found: &Found<'_>, into: Option<&str>) -> Option<Box<Cursor>> {
    let (wish, column) = (&found.wish, column(&found.wish)?);
    let chosen = partition::condition(&wish.partitions, filter(wish.pair.entry));
    let all = Rows {
        of: &wish.pair.from,
        column: &column.name,
        data_type: &column.data_type,
        filter: chosen.as_deref(),
        from: None,
        nullable: column.nullable,
    };
    let read = |rows: Rows<'_>| CursorRead {
        highest: rows.highest(),
        sample: rows.sample(),
        select: rows.select(&wish.select),
    };
    let slices = |insert: &str| Slices {
        since: since(found, column).map(|(value, from, overlap)| {
            let read = read(Rows { from: Some(&from), ..all });
            Since { value, from, overlap, read }
        }),
        rows: match &context.instance.flow.strategy {
            StrategyChoice::Custom(Custom { chunk_rows, .. }) => chunk_rows.map(u64::from),
            _ => None,
        },
        writing: cursor::writing(insert),
    };
    let slices = into.map(slices);
    let (column, data_type) = (column.name.clone(), column.data_type.clone());
    Some(Box::new(Cursor { column, data_type, all: read(all), slices }))
}

/// What the ledger has, from which value on rows are read for that, and by how much that is less.
fn since(found: &Found<'_>, column: &Column) -> Option<(String, String, Option<TimeSpan>)> {
    let value = found.since.clone()?;
    let overlap = overlap(found.wish.pair.entry, column);
    let from = cursor::less(&column.data_type, &value, overlap.map_or(0, TimeSpan::as_milliseconds))?;
    Some((value, from, overlap))
}

fn overlap(entry: &TableEntry, column: &Column) -> Option<TimeSpan> {
    let declared = entry.settings().and_then(|table| table.overlap);
    cursor::is_time(&column.data_type).then(|| declared.unwrap_or(OVERLAP))
}

/// Which rows are read, in words.
pub(crate) fn told(found: &Found<'_>) -> Option<String> {
    let column = column(&found.wish)?;
    let name = &column.name;
    let Some((value, _, overlap)) = since(found, column) else { return Some(format!("all rows, by {name}")) };
    let since = match value.parse().ok().and_then(|time| Timestamp::from_millisecond(time).ok()) {
        Some(time) if cursor::is_time(&column.data_type) => time.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string(),
        _ => value,
    };
    let overlap = overlap.map(|overlap| format!(", less {overlap}")).unwrap_or_default();
    let absent = if column.nullable { format!(", and rows without {name}") } else { String::new() };
    Some(format!("rows since {name} = {since}{overlap}{absent}"))
}

/// What forbids a cursor.
pub(super) fn check(context: &Context<'_>, found: &Found<'_>) -> Vec<Finding> {
    let wish = &found.wish;
    let Some(name) = declared(wish.pair.entry) else { return Vec::new() };
    let path = wish.pair.path.key("cursor");
    let error = |code, message: String, help: String| Finding::error(code, message).at(path.clone()).help(help);
    let Some(column) = column(wish) else {
        let names: Vec<&str> = columns::top_level(wish.source).map(|column| column.name.as_str()).collect();
        let help = match similar::get_close_matches(name, &names, 1, 0.6).first() {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("it has {}; a part of an object cannot be one", names.join(", ")),
        };
        return vec![error("plan::no-such-column", format!("{} has no column `{name}`", wish.pair.from), help)];
    };
    let mut findings = Vec::new();
    if !cursor::is_cursor(&column.data_type) {
        let message = format!("a column of type {} cannot be a cursor: {name}", column.data_type);
        let help = "a cursor is a TIMESTAMP, SMALLINT, INTEGER, BIGINT or TEXT that grows with every change";
        findings.push(error("plan::cursor-type", message, help.to_owned()));
    }
    if sensitive::declared(wish.pair.entry).iter().any(|hidden| hidden == name) {
        let message = format!("values of {name} would be shown: plans and the ledger say how far a cursor has come");
        let help = "take another column, or take it out of `sensitive`";
        findings.push(error("plan::cursor-sensitive", message, help.to_owned()));
    }
    if wish.pair.entry.settings().is_some_and(|table| table.overlap.is_some()) && !cursor::is_time(&column.data_type) {
        let message = format!("`overlap` is a span of time, and {name} holds none");
        let overlap = Finding::error("plan::cursor-overlap", message).at_key(wish.pair.path.key("overlap"));
        findings
            .push(overlap.help("remove `overlap`: such a cursor must not be given out of order; or take a TIMESTAMP"));
    }
    if context.existing() == Existing::Append && !has_key(found) {
        let message = format!("{}.{} has no primary key that the flow gives", context.target_name, wish.pair.to);
        let help = "without one nobody can tell rows that are there from new ones after a run that was cut: give every \
                    column of the key";
        findings.push(error("plan::cursor-needs-key", message, help.to_owned()));
    }
    findings
}

/// Whether the table has a primary key, all of whose columns are written.
fn has_key(found: &Found<'_>) -> bool {
    let key = found.there.map_or(&found.wish.primary_key, |there| &there.primary_key);
    !key.is_empty() && key.iter().all(|column| found.wish.written.contains(column))
}

/// What a reviewer should know of a cursor.
pub(crate) fn warn(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    let Some(column) = column(&found.wish) else { return };
    let (name, from) = (&column.name, format!("{}.{}", context.source_name, found.wish.pair.from));
    if column.nullable {
        draft.warn("plan::cursor-null", format!("rows of {from} that have no {name} are read each time"));
    }
    let late = match overlap(found.wish.pair.entry, column) {
        Some(overlap) => format!("rows of {from} that show up more than {overlap} after their {name} are not found"),
        None => format!("rows of {from} that show up after one with a higher {name} are not found"),
    };
    draft.warn("plan::cursor-late", late);
    if !is_told_apart(found) {
        let text = format!("rows of {from} may have one key on the target, and any of them may be the one that stays");
        draft.warn("plan::cursor-key", text);
    }
}

/// Whether each row of the source has a key of its own on the target.
fn is_told_apart(found: &Found<'_>) -> bool {
    let key = found.there.map_or(&found.wish.primary_key, |there| &there.primary_key);
    let of_source = &found.wish.source.primary_key;
    let carried = |name: &String| found.wish.columns.iter().any(|it| it.is_column(name) && key.contains(&it.name));
    !of_source.is_empty() && of_source.iter().all(carried)
}
