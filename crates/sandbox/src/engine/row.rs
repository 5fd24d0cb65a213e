//! Rows of tables: what they must be before they are written, and the writing.

use super::bind::Bound;
use super::env::Env;
use super::query::table_columns;
use super::run;
use super::scope::{Scope, ScopeRelation};
use crate::cast::{self, text_of};
use crate::error::{Result, SqlError};
use crate::print;
use crate::types::{DataType, Field, Policy};
use crate::value::Value;
use crate::world::{Cluster, Table, TableName, partition_ident};

/// The rules of a table.
pub(super) struct Rules {
    defaults: Vec<(usize, Bound)>,
    generated: Vec<(usize, Bound)>,
    checks: Vec<(String, String, Bound)>,
}

/// The scope of a table's own expressions.
pub(super) fn scope_of(name: &TableName, table: &Table) -> Scope {
    let names = vec![name.schema.clone(), name.table.clone()];
    Scope { relations: vec![ScopeRelation { names, columns: table_columns(table), is_table: true }] }
}

impl Rules {
    pub(super) fn new(env: &Env<'_>, name: &TableName, table: &Table) -> Result<Self> {
        let scope = scope_of(name, table);
        let mut rules = Self { defaults: Vec::new(), generated: Vec::new(), checks: Vec::new() };
        for (at, column) in table.columns.iter().enumerate() {
            if let Some(default) = &column.default {
                rules.defaults.push((at, env.expect(env.bind(default, &scope)?, &column.data_type)?));
            }
            if let Some(generated) = &column.generated {
                rules.generated.push((at, env.expect(env.bind(generated, &scope)?, &column.data_type)?));
            }
        }
        for check in &table.checks {
            let text = print::expression(&check.condition, true);
            let label = check.name.clone().unwrap_or_default();
            rules.checks.push((label, text, env.bind(&check.condition, &scope)?));
        }
        Ok(rules)
    }

    /// Fills defaults and generated columns in, and checks everything. `given` tells which columns were named.
    pub(super) fn complete(&self, env: &Env<'_>, table: &Table, row: &mut [Value], given: &[usize]) -> Result<()> {
        for (at, default) in self.defaults.iter().filter(|(at, _)| !given.contains(at)) {
            row[*at] = run::value(default, &[], env)?;
        }
        for (at, generated) in &self.generated {
            let found = run::value(generated, row, env)?;
            if given.contains(at) && !row[*at].is_null() && row[*at].order(&found).is_ne() {
                return Err(mismatch(table, *at, &row[*at], &found));
            }
            row[*at] = found;
        }
        self.check(env, table, row)
    }

    /// NOT NULL, the primary key and CHECK.
    pub(super) fn check(&self, env: &Env<'_>, table: &Table, row: &[Value]) -> Result<()> {
        for key in &table.primary_key {
            if table.column_value(key, row).is_null() {
                return Err(SqlError::internal("A primary key value must not be NULL"));
            }
        }
        if let Some(at) = table.columns.iter().enumerate().position(|(at, column)| column.not_null && row[at].is_null())
        {
            return Err(SqlError::internal(format!("\"{}\" must not be null", table.columns[at].name)));
        }
        for (column, value) in table.columns.iter().zip(row) {
            storable(&column.name, &column.data_type, value)?;
        }
        for (label, text, check) in &self.checks {
            if run::value(check, row, env)? == Value::Bool(false) {
                let values = row.iter().map(|value| text_of(value).unwrap_or_else(|| "null".to_owned()));
                let values: Vec<String> = values.collect();
                let message = format!("Failed CONSTRAINT {label} CHECK ({text}) for values: [{}]", values.join(", "));
                return Err(SqlError::internal(message));
            }
        }
        Ok(())
    }
}

/// What no column takes: the two limits of BIGINT, which CrateDB keeps for itself, and new keys of strict objects.
fn storable(name: &str, data_type: &DataType, value: &Value) -> Result<()> {
    match (data_type, value) {
        (DataType::Bigint, Value::Int(number @ (i64::MIN | i64::MAX))) => {
            Err(SqlError::internal(format!("Value {number} exceeds allowed range for column of type bigint")))
        }
        (DataType::Object(policy, fields), Value::Object(found)) => {
            for (key, value) in found {
                match fields.iter().find(|field| field.name == *key) {
                    Some(field) => storable(key, &field.data_type, value)?,
                    None if *policy == Policy::Strict => {
                        return Err(SqlError::internal(format!("Cannot add column `{key}` to strict object `{name}`")));
                    }
                    None => {}
                }
            }
            Ok(())
        }
        (DataType::Array(element), Value::Array(items)) => {
            items.iter().try_for_each(|item| storable(name, element, item))
        }
        _ => Ok(()),
    }
}

fn mismatch(table: &Table, at: usize, given: &Value, found: &Value) -> SqlError {
    let column = &table.columns[at];
    let expression = column.generated.as_ref().map(|expr| print::expression(expr, false)).unwrap_or_default();
    let (given, found) = (cast::show(given), cast::show(found));
    SqlError::internal(format!(
        "Given value {given} for generated column {} does not match calculation {expression} = {found}",
        column.name
    ))
}

/// A value as a column stores it: texts that are too long are refused rather than cut.
pub(super) fn stored(value: &Value, target: &DataType) -> Result<Value> {
    if let (DataType::Varchar(length) | DataType::Character(length), Some(text)) = (target, value.as_text())
        && text.trim_end().chars().count() > *length as usize
    {
        return Err(SqlError::internal(format!("'{text}' is too long for the text type of length: {length}")));
    }
    if let (DataType::Bit(length), Value::Bits(bits)) = (target, value)
        && bits.len() != *length as usize
    {
        let message = format!("bit string length {} does not match type bit({length})", bits.len());
        return Err(SqlError::internal(message));
    }
    cast::cast(value, target)
}

/// Writes a row, or deletes it. Makes the partition and the keys of objects that are new. Returns the sequence number.
pub(super) fn write(
    cluster: &mut Cluster,
    name: &TableName,
    id: &str,
    row: &[Value],
    is_delete: bool,
    now: i64,
) -> Result<i64> {
    let ident = partition_ident(&cluster.table(name)?.partition_values(row));
    if !cluster.table(name)?.partitions.contains_key(&ident) {
        let uuid = cluster.next_uuid();
        let table = cluster.table_mut(name)?;
        let partition = table.new_partition(table.partition_values(row), uuid);
        table.partitions.insert(ident.clone(), partition);
    }
    let table = cluster.table_mut(name)?;
    for (column, value) in table.columns.iter_mut().zip(row) {
        extend(&mut column.data_type, value);
    }
    let (shard, interval) = (table.shard_of(row, id), table.refresh_interval());
    let partition = table.partitions.get_mut(&ident).expect("it was just made");
    let values = (!is_delete).then(|| row.to_vec());
    Ok(partition.shards[shard].write(id, values, now, interval))
}

/// Declares the keys of an object that are new.
fn extend(data_type: &mut DataType, value: &Value) {
    match (data_type, value) {
        (DataType::Object(Policy::Dynamic, fields), Value::Object(found)) => {
            for (name, value) in found {
                match fields.iter_mut().find(|field| field.name == *name) {
                    Some(field) => extend(&mut field.data_type, value),
                    None => {
                        if let Some(data_type) = guess(value) {
                            fields.push(Field { name: name.clone(), data_type, not_null: false });
                        }
                    }
                }
            }
        }
        (DataType::Array(element), Value::Array(items)) => items.iter().for_each(|item| extend(element, item)),
        _ => {}
    }
}

/// The type that a new key gets from its first value.
fn guess(value: &Value) -> Option<DataType> {
    Some(match value {
        Value::Bool(_) => DataType::Boolean,
        Value::Int(_) => DataType::Bigint,
        Value::Float(_) | Value::Numeric(_) => DataType::Double,
        Value::Text(_) => DataType::Text,
        Value::Time(_) => DataType::Timestamptz,
        Value::Object(_) => {
            let mut data_type = DataType::object();
            extend(&mut data_type, value);
            data_type
        }
        Value::Array(items) => items.iter().find_map(guess)?.array(),
        _ => return None,
    })
}
