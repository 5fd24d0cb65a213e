//! The columns of relations, with those within objects.

use super::{tables, views};
use crate::engine::Env;
use crate::print::expression;
use crate::types::DataType;
use crate::value::Value;
use crate::world::TableName;

/// A row of `information_schema.columns`.
pub(super) struct ColumnRow {
    pub(super) table: TableName,
    pub(super) name: String,
    pub(super) position: usize,
    pub(super) data_type: DataType,
    pub(super) nullable: bool,
    pub(super) generated: Option<String>,
    pub(super) default: Option<String>,
}

/// The columns of all relations that the user sees.
pub(super) fn all(env: &Env<'_>) -> Vec<ColumnRow> {
    let mut found = Vec::new();
    for (name, table) in tables(env) {
        let mut position = 0;
        for column in &table.columns {
            let row = ColumnRow {
                table: name.clone(),
                name: column.name.clone(),
                position: 0,
                data_type: column.data_type.clone(),
                nullable: !column.not_null,
                generated: column.generated.as_ref().map(|expr| expression(expr, false)),
                default: column.default.as_ref().map(|expr| expression(expr, false)),
            };
            push(&mut found, row, &mut position);
        }
    }
    for (name, view) in views(env) {
        let outputs: Vec<crate::engine::OutColumn> = crate::engine::view_columns(env, view).unwrap_or_default();
        for (at, column) in outputs.into_iter().enumerate() {
            found.push(ColumnRow {
                table: name.clone(),
                name: column.name,
                position: at + 1,
                data_type: column.data_type,
                nullable: true,
                generated: None,
                default: None,
            });
        }
    }
    found
}

fn push(found: &mut Vec<ColumnRow>, mut row: ColumnRow, position: &mut usize) {
    *position += 1;
    row.position = *position;
    let (table, name) = (row.table.clone(), row.name.clone());
    let fields = match row.data_type.innermost() {
        DataType::Object(_, fields) => fields.clone(),
        _ => Vec::new(),
    };
    found.push(row);
    for field in fields {
        let row = ColumnRow {
            table: table.clone(),
            name: format!("{name}['{}']", field.name),
            position: 0,
            data_type: field.data_type,
            nullable: !field.not_null,
            generated: None,
            default: None,
        };
        push(found, row, position);
    }
}

/// The precision in bits of a number, as the catalog gives it.
pub(super) fn precision(data_type: &DataType) -> Value {
    match data_type {
        DataType::Byte => Value::Int(8),
        DataType::Smallint => Value::Int(16),
        DataType::Integer => Value::Int(32),
        DataType::Bigint => Value::Int(64),
        DataType::Real => Value::Int(24),
        DataType::Double => Value::Int(53),
        DataType::Numeric(Some((precision, _))) => Value::Int((*precision).into()),
        _ => Value::Null,
    }
}
