//! What the small looks at the catalogs answer, as types. An answer of another form is an error, never an absence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use transship_cluster::{Rows, Value, ValueError};
use transship_model::TableName;
use transship_model::observed::{RelationState, SubscribedTable, Subscription};

/// A primary shard: table, partition, number.
pub(crate) type ShardKey = (TableName, String, i64);

/// How far a primary shard has come; `None` while it is not started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShardProgress {
    pub(crate) max_seq_no: Option<i64>,
    pub(crate) global_checkpoint: Option<i64>,
    /// Bytes that were copied into it: what moves while files are copied.
    pub(crate) recovered: Option<i64>,
}

/// The tables of each publication, from the answer of [`transship_sql::replication::published_tables`].
pub(crate) fn read_publications(rows: &Rows) -> Result<BTreeMap<String, BTreeSet<TableName>>, ValueError> {
    let mut publications = BTreeMap::<String, BTreeSet<TableName>>::new();
    for row in &rows.rows {
        let tables = publications.entry(text(row, 0)?).or_default();
        if let Some(schema) = opt_text(row, 1)? {
            tables.insert(TableName::new(schema, text(row, 2)?));
        }
    }
    Ok(publications)
}

/// The subscriptions that the user owns, from the answer of [`transship_sql::replication::subscribed_tables`].
pub(crate) fn read_subscriptions(rows: &Rows) -> Result<BTreeMap<String, Subscription>, ValueError> {
    let mut subscriptions = BTreeMap::<String, Subscription>::new();
    for row in &rows.rows {
        let (connection, publications) = (text(row, 1)?, texts(row, 2)?);
        let new = || Subscription { connection, publications, tables: BTreeMap::new() };
        let subscription = subscriptions.entry(text(row, 0)?).or_insert_with(new);
        if let Some(name) = opt_text(row, 3)? {
            let table = name.parse::<TableName>().map_err(|_| wrong(3, "schema.table", &name))?;
            let letter = text(row, 4)?;
            let state = RelationState::from_letter(&letter).ok_or_else(|| wrong(4, "a state", &letter))?;
            let reason = opt_text(row, 5)?;
            subscription.tables.insert(table, SubscribedTable { reason, ..SubscribedTable::new(state) });
        }
    }
    Ok(subscriptions)
}

/// The repositories from which something is restored, from the answer of [`transship_sql::replication::restores`].
pub(crate) fn read_restores(rows: &Rows) -> Result<BTreeSet<String>, ValueError> {
    rows.rows.iter().map(|row| text(row, 0)).collect()
}

/// How far each shard is, from the answer of [`transship_sql::replication::checkpoints`].
pub(crate) fn read_checkpoints(rows: &Rows) -> Result<BTreeMap<ShardKey, ShardProgress>, ValueError> {
    let shard = |row: &Vec<Value>| {
        let table = TableName::new(text(row, 0)?, text(row, 1)?);
        let key = (table, opt_text(row, 2)?.unwrap_or_default(), integer(row, 3)?);
        let checkpoint = ShardProgress {
            max_seq_no: opt_integer(row, 4)?,
            global_checkpoint: opt_integer(row, 5)?,
            recovered: opt_integer(row, 6)?,
        };
        Ok((key, checkpoint))
    };
    // A primary that moves to another node may be listed twice.
    let mut found = BTreeMap::<ShardKey, ShardProgress>::new();
    for (key, progress) in rows.rows.iter().map(shard).collect::<Result<Vec<_>, ValueError>>()? {
        let further = found.get(&key).is_none_or(|known| known.global_checkpoint < progress.global_checkpoint);
        if further {
            found.insert(key, progress);
        }
    }
    Ok(found)
}

/// Every shard, with the identity of its index, from the answer of [`transship_sql::lookup::shards`].
pub(crate) fn read_shards(rows: &Rows) -> Result<BTreeMap<ShardKey, Option<String>>, ValueError> {
    let shard = |row: &Vec<Value>| {
        let table = TableName::new(text(row, 0)?, text(row, 1)?);
        Ok(((table, opt_text(row, 2)?.unwrap_or_default(), integer(row, 3)?), opt_text(row, 4)?))
    };
    rows.rows.iter().map(shard).collect()
}

/// The tables of an answer of [`transship_sql::replication::leases`] that have leases of a subscriber, and whether one of them is in
/// use: it keeps more than the first operation has left, or somebody renewed it within `unused_after`.
pub(crate) fn read_leased(
    rows: &Rows,
    subscriber: &str,
    unused_after: Duration,
) -> Result<BTreeMap<TableName, bool>, ValueError> {
    let prefix = format!("logical_replication:{subscriber}:");
    let unused_after = i64::try_from(unused_after.as_millis()).unwrap_or(i64::MAX);
    let mut leased = BTreeMap::new();
    for row in &rows.rows {
        let table = TableName::new(text(row, 0)?, text(row, 1)?);
        let (names, retaining, renewed) = (texts(row, 4)?, integers(row, 5)?, integers(row, 6)?);
        if names.len() != retaining.len() || names.len() != renewed.len() {
            return Err(wrong(5, "a number for each lease", &retaining.len().to_string()));
        }
        let now = integer(row, 7)?;
        for (_, (kept, renewed)) in
            names.iter().zip(retaining.iter().zip(&renewed)).filter(|(name, _)| name.starts_with(&prefix))
        {
            let is_used = *kept > 0 || now.saturating_sub(*renewed) <= unused_after;
            *leased.entry(table.clone()).or_insert(false) |= is_used;
        }
    }
    Ok(leased)
}

/// The tables of an answer whose first columns are schema and name.
pub(crate) fn read_tables(rows: &Rows) -> Result<BTreeSet<TableName>, ValueError> {
    rows.rows.iter().map(|row| Ok(TableName::new(text(row, 0)?, text(row, 1)?))).collect()
}

/// The number in the only row and column of a count.
pub(crate) fn read_count(rows: &Rows) -> Result<u64, ValueError> {
    let row = rows.rows.first().ok_or_else(|| wrong(0, "a count", "no row"))?;
    let count = integer(row, 0)?;
    u64::try_from(count).map_err(|_| wrong(0, "a count", &count.to_string()))
}

/// Names with the numbers beside them.
pub(crate) fn read_ids(rows: &Rows) -> Result<BTreeMap<String, Option<i64>>, ValueError> {
    rows.rows.iter().map(|row| Ok((text(row, 0)?, opt_integer(row, 1)?))).collect()
}

/// The numbers of the first column.
pub(crate) fn read_integers(rows: &Rows) -> Result<BTreeSet<i64>, ValueError> {
    rows.rows.iter().map(|row| integer(row, 0)).collect()
}

/// The texts of the first column.
pub(crate) fn read_names(rows: &Rows) -> Result<BTreeSet<String>, ValueError> {
    rows.rows.iter().map(|row| text(row, 0)).collect()
}

/// The text in a column.
pub(crate) fn text(row: &[Value], column: usize) -> Result<String, ValueError> {
    opt_text(row, column)?.ok_or_else(|| wrong(column, "a text", "NULL"))
}

pub(crate) fn opt_text(row: &[Value], column: usize) -> Result<Option<String>, ValueError> {
    match cell(row, column)? {
        Value::Text(text) => Ok(Some(text.clone())),
        Value::Null => Ok(None),
        other => Err(wrong(column, "a text", &format!("{other:?}"))),
    }
}

pub(crate) fn integer(row: &[Value], column: usize) -> Result<i64, ValueError> {
    opt_integer(row, column)?.ok_or_else(|| wrong(column, "an integer", "NULL"))
}

pub(crate) fn opt_integer(row: &[Value], column: usize) -> Result<Option<i64>, ValueError> {
    match cell(row, column)? {
        Value::Int(number) => Ok(Some(*number)),
        Value::Null => Ok(None),
        other => Err(wrong(column, "an integer", &format!("{other:?}"))),
    }
}

/// The texts of an array; none for NULL.
pub(crate) fn texts(row: &[Value], column: usize) -> Result<Vec<String>, ValueError> {
    match cell(row, column)? {
        Value::List(values) => (0..values.len()).map(|index| text(values, index)).collect(),
        Value::Null => Ok(Vec::new()),
        other => Err(wrong(column, "an array of texts", &format!("{other:?}"))),
    }
}

/// The integers of an array; none of NULL.
fn integers(row: &[Value], column: usize) -> Result<Vec<i64>, ValueError> {
    match cell(row, column)? {
        Value::List(values) => (0..values.len()).map(|index| integer(values, index)).collect(),
        Value::Null => Ok(Vec::new()),
        other => Err(wrong(column, "an array of integers", &format!("{other:?}"))),
    }
}

fn cell(row: &[Value], column: usize) -> Result<&Value, ValueError> {
    row.get(column).ok_or_else(|| wrong(column, "a value", "missing"))
}

fn wrong(column: usize, expected: &'static str, found: &str) -> ValueError {
    ValueError { column: (column + 1).to_string(), expected, found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(row: Vec<Value>) -> Rows {
        Rows { rows: vec![row], ..Rows::default() }
    }

    #[test]
    fn an_answer_of_another_form_is_an_error() {
        let word = |text: &str| Value::Text(text.to_owned());
        let shard = |last: Value| rows(vec![word("s"), word("t"), word(""), Value::Int(0), last]);
        let leases = |names: Value, kept: &[i64], renewed: &[i64]| {
            let list = |numbers: &[i64]| Value::List(numbers.iter().copied().map(Value::Int).collect());
            let row =
                vec![word("s"), word("t"), word(""), Value::Int(0), names, list(kept), list(renewed), Value::Int(100)];
            read_leased(&rows(row), "b", Duration::from_millis(90))
        };
        let own = || Value::List(vec![word("peer/x"), word("logical_replication:b:[t][0]")]);
        let found = |is_used| Ok(BTreeMap::from([(TableName::new("s", "t"), is_used)]));
        assert_eq!(leases(Value::List(Vec::new()), &[], &[]), Ok(BTreeMap::new()));
        assert_eq!(leases(own(), &[7, 0], &[99, 9]), found(false), "nobody has renewed it");
        assert_eq!(leases(own(), &[0, 0], &[0, 10]), found(true));
        assert_eq!(leases(own(), &[0, 1], &[0, 0]), found(true), "a new subscription would begin there");
        assert!(leases(own(), &[0], &[0, 0]).is_err());
        assert!(leases(word("no list"), &[], &[]).is_err());
        assert!(read_leased(&rows(vec![word("s")]), "b", Duration::ZERO).is_err());
        assert!(read_checkpoints(&shard(Value::Null)).is_err());
        let state = |letter: &str| {
            let publications = Value::List(vec![word("p")]);
            rows(vec![word("s"), word("c"), publications, word("s.t"), word(letter), Value::Null])
        };
        assert!(read_subscriptions(&state("r")).is_ok());
        assert!(read_subscriptions(&state("x")).is_err());
        assert!(read_publications(&rows(vec![Value::Null, Value::Null, Value::Null])).is_err());
    }
}
