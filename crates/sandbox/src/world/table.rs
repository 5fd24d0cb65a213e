//! Tables: their definition, their partitions and where a row belongs.

use std::collections::BTreeMap;

use super::TableName;
use super::shard::{Doc, Shard};
use crate::ast::{Check, Expr, Index, Options};
use crate::cast::text_of;
use crate::error::{Result, SqlError};
use crate::types::DataType;
use crate::value::Value;

/// How long after a write readers see it unless a table says otherwise, in milliseconds.
const REFRESH_INTERVAL: i64 = 1_000;

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) not_null: bool,
    pub(crate) default: Option<Expr>,
    pub(crate) generated: Option<Expr>,
    pub(crate) index: Option<Index>,
    pub(crate) storage: Options,
}

/// A partition, or the whole of a table without partitions.
#[derive(Clone, Debug)]
pub(crate) struct Partition {
    pub(crate) values: Vec<Value>,
    pub(crate) uuid: String,
    pub(crate) shards: Vec<Shard>,
    /// Whether a restore has not brought its rows yet.
    pub(crate) is_arriving: bool,
    /// Whether they never come.
    pub(crate) lost: bool,
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) oid: i32,
    /// The name that its indices have for as long as they live.
    pub(crate) made_as: TableName,
    pub(crate) columns: Vec<Column>,
    pub(crate) primary_key: Vec<String>,
    pub(crate) checks: Vec<Check>,
    pub(crate) clustered_by: Option<String>,
    pub(crate) shards: u32,
    pub(crate) partitioned_by: Vec<String>,
    pub(crate) settings: BTreeMap<String, Value>,
    /// By ident, which is empty for a table without partitions.
    pub(crate) partitions: BTreeMap<String, Partition>,
    /// The subscription that writes it.
    pub(crate) subscription: Option<String>,
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    pub(crate) fn setting(&self, name: &str) -> Option<&Value> {
        self.settings.get(name)
    }

    pub(crate) fn setting_text(&self, name: &str, otherwise: &str) -> String {
        self.setting(name).and_then(text_of).unwrap_or_else(|| otherwise.to_owned())
    }

    /// How long after a write readers see it, in milliseconds; 0 for never by itself.
    pub(crate) fn refresh_interval(&self) -> i64 {
        self.setting("refresh_interval").and_then(Value::as_int).unwrap_or(REFRESH_INTERVAL)
    }

    pub(crate) fn is_partitioned(&self) -> bool {
        !self.partitioned_by.is_empty()
    }

    /// The values of the partition that a row belongs to.
    pub(crate) fn partition_values(&self, row: &[Value]) -> Vec<Value> {
        let value = |name: &String| self.column(name).and_then(|at| row.get(at)).cloned().unwrap_or(Value::Null);
        self.partitioned_by.iter().map(value).collect()
    }

    /// The `_id` of a row; `None` where it has no primary key and therefore gets a random one.
    pub(crate) fn id(&self, row: &[Value]) -> Option<String> {
        let key = self.key_values(row)?;
        Some(id_of(&key))
    }

    /// The values of the primary key, in its order.
    pub(crate) fn key_values(&self, row: &[Value]) -> Option<Vec<Value>> {
        if self.primary_key.is_empty() {
            return None;
        }
        Some(self.primary_key.iter().map(|name| self.column_value(name, row)).collect())
    }

    /// The value of a column or of a key within it.
    pub(crate) fn column_value(&self, path: &str, row: &[Value]) -> Value {
        let (name, keys) = path.split_once('[').map_or((path, ""), |(name, keys)| (name, keys));
        let mut value = self.column(name).and_then(|at| row.get(at)).cloned().unwrap_or(Value::Null);
        for key in keys.split(['[', ']', '\'']).filter(|key| !key.is_empty()) {
            value = match value {
                Value::Object(mut fields) => fields.remove(key).unwrap_or(Value::Null),
                _ => Value::Null,
            };
        }
        value
    }

    /// The number of the shard that a row belongs to.
    pub(crate) fn shard_of(&self, row: &[Value], id: &str) -> usize {
        let routing = match &self.clustered_by {
            Some(column) => text_of(&self.column_value(column, row)).unwrap_or_default(),
            None => id.to_owned(),
        };
        let hash = routing
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        usize::try_from((hash >> 32) % u64::from(self.shards.max(1))).unwrap_or(0)
    }

    /// Every document that readers see, with its `_id`, partition by partition.
    pub(crate) fn visible(&self, now: i64) -> impl Iterator<Item = (&str, &Doc)> {
        let interval = self.refresh_interval();
        let shards = self.partitions.values().flat_map(|partition| &partition.shards);
        shards.flat_map(move |shard| shard.visible(now, interval))
    }

    /// Fails while a restore has not brought all rows.
    pub(crate) fn check_arrived(&self, name: &TableName) -> Result<()> {
        if self.partitions.values().any(|partition| partition.is_arriving) {
            return Err(SqlError::internal(format!("[{name}] shard 0 is not available")));
        }
        Ok(())
    }

    /// The newest state of the document with this primary key.
    pub(crate) fn lookup(&self, row: &[Value], id: &str) -> Option<&Doc> {
        let partition = self.partitions.get(&partition_ident(&self.partition_values(row)))?;
        partition.shards.get(self.shard_of(row, id))?.get(id).map(AsRef::as_ref)
    }

    /// Makes everything visible.
    pub(crate) fn refresh(&mut self) {
        self.partitions.values_mut().flat_map(|partition| &mut partition.shards).for_each(Shard::refresh);
    }

    /// An empty partition.
    pub(crate) fn new_partition(&self, values: Vec<Value>, uuid: String) -> Partition {
        let shards = (0..self.shards.max(1)).map(|_| Shard::new()).collect();
        Partition { values, uuid, shards, is_arriving: false, lost: false }
    }
}

/// The `_id` of a primary key.
pub(super) fn id_of(key: &[Value]) -> String {
    match key {
        [single] => text_of(single).unwrap_or_default(),
        several => {
            let part = |value: &Value| text_of(value).map(|text| format!("{}:{text}", text.len())).unwrap_or_default();
            several.iter().map(part).collect()
        }
    }
}

/// The text of a partition's value; `None` for NULL.
pub(crate) fn partition_text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(bool) => Some(if *bool { "t" } else { "f" }.to_owned()),
        other => text_of(other),
    }
}

/// The ident of a partition by its values: lower-case base32 of their texts, as CrateDB names partitions.
pub(crate) fn partition_ident(values: &[Value]) -> String {
    if values.is_empty() {
        return String::new();
    }
    let mut bytes = vec![u8::try_from(values.len()).unwrap_or(u8::MAX)];
    for value in values {
        match partition_text(value) {
            None => bytes.push(0),
            Some(text) => {
                bytes.push(u8::try_from(text.len() + 1).unwrap_or(u8::MAX));
                bytes.extend(text.bytes());
            }
        }
    }
    base32(&bytes)
}

/// Base32 with the alphabet that keeps the order of bytes, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let (mut text, mut buffer, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[((buffer >> bits) & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[((buffer << (5 - bits)) & 31) as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_have_the_idents_that_cratedb_gives_them() {
        assert_eq!(partition_ident(&[Value::text("1")]), "04132");
        assert_eq!(partition_ident(&[Value::Time(1_767_225_600_000)]), "04732dpm6sp34d9m60o30c1g");
        let mixed = [Value::text("it's"), Value::Time(1_769_904_000_000), Value::Bool(true), Value::Int(5)];
        assert_eq!(partition_ident(&mixed), "0g2mit17ec732dpm74sj0d1g60o30c1g09q04d8");
        assert_eq!(partition_ident(&[const { Value::Null }; 4]), "0g000000");
        assert_eq!(partition_ident(&[]), "");
    }

    #[test]
    fn ids_of_compound_keys_are_injective() {
        assert_ne!(id_of(&[Value::text("a"), Value::text("b1")]), id_of(&[Value::text("a2"), Value::text("b")]));
        assert_eq!(id_of(&[Value::Int(7)]), "7");
    }
}
