//! SHOW CREATE TABLE.

use super::{Outcome, Session, text_column};
use crate::ast::{Expr, Index, Options};
use crate::error::{Result, SqlError};
use crate::print::{expression, literal, quote};
use crate::types::DataType;
use crate::value::Value;
use crate::world::{Column, Relation, Table, TableName, World};

/// The name of the one column of the answer.
pub(super) fn title(session: &Session, name: &[String]) -> Result<String> {
    Ok(format!("SHOW CREATE TABLE {}", session.resolve(name)?))
}

/// Runs the statement.
pub(super) fn show(world: &World, session: &Session, name: &[String]) -> Result<Outcome> {
    let table = session.resolve(name)?;
    let cluster = world.cluster(&session.cluster);
    cluster.require(&session.user, "DQL", &table)?;
    let text = match cluster.relation(&table) {
        Some(Relation::Table(found)) => definition(&table, found),
        Some(Relation::View(_) | Relation::Foreign(_)) => return Err(SqlError::not_allowed(&table, "SHOW CREATE")),
        None => return Err(cluster.unknown(&table)),
    };
    Ok(Outcome::rows("SHOW", vec![text_column(&title(session, name)?)], vec![vec![Value::Text(text)]]))
}

/// The statement that makes the table.
fn definition(name: &TableName, table: &Table) -> String {
    let mut elements: Vec<String> = table.columns.iter().map(column).collect();
    if !table.primary_key.is_empty() {
        elements.push(format!("PRIMARY KEY ({})", paths(&table.primary_key)));
    }
    for check in &table.checks {
        let label = check.name.as_ref().map_or_else(String::new, |name| format!("CONSTRAINT {name} "));
        elements.push(format!("{label}CHECK({})", expression(&check.condition, true)));
    }
    let clustered = table.clustered_by.as_ref().map_or_else(String::new, |column| format!(" BY ({})", path(column)));
    let partitioned = if table.is_partitioned() {
        format!("\nPARTITIONED BY ({})", paths(&table.partitioned_by))
    } else {
        String::new()
    };
    format!(
        "CREATE TABLE IF NOT EXISTS {}.{} (\n   {}\n)\nCLUSTERED{clustered} INTO {} SHARDS{partitioned}\nWITH (\n   {}\n)",
        quote(&name.schema),
        quote(&name.table),
        elements.join(",\n   "),
        table.shards,
        settings(table).join(",\n   "),
    )
}

fn settings(table: &Table) -> Vec<String> {
    let mut found = vec![
        format!("column_policy = '{}'", table.setting_text("column_policy", "strict")),
        format!("number_of_replicas = '{}'", table.setting_text("number_of_replicas", "0-1")),
    ];
    let known = ["column_policy", "number_of_replicas"];
    for (name, value) in table.settings.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
        let name = if name.contains('.') { quote(name) } else { name.clone() };
        found.push(format!("{name} = {}", literal(value)));
    }
    found
}

fn column(column: &Column) -> String {
    let mut parts = vec![quote(&column.name), column.data_type.definition(1)];
    parts.extend(column.default.as_ref().map(|default| format!("DEFAULT {}", expression(default, true))));
    parts.extend(column.generated.as_ref().map(|expr| format!("GENERATED ALWAYS AS {}", expression(expr, true))));
    if column.not_null {
        parts.push("NOT NULL".to_owned());
    }
    match &column.index {
        Some(Index::Off) => parts.push("INDEX OFF".to_owned()),
        Some(Index::Using(method, options)) => {
            parts.push(format!("INDEX USING {}{}", method.to_uppercase(), with(options)));
        }
        None if column.data_type == DataType::GeoShape => parts.push("INDEX USING GEOHASH".to_owned()),
        None => {}
    }
    if !column.storage.is_empty() {
        parts.push(format!("STORAGE{}", with(&column.storage)));
    }
    parts.join(" ")
}

fn with(options: &Options) -> String {
    if options.is_empty() {
        return String::new();
    }
    let option = |(name, value): &(String, Expr)| format!("{name} = {}", expression(value, true));
    format!(" WITH (\n      {}\n   )", options.iter().map(option).collect::<Vec<_>>().join(",\n      "))
}

/// `a` or `a['b']` with the column in quotes.
fn path(path: &str) -> String {
    match path.split_once('[') {
        Some((name, rest)) => format!("{}[{rest}", quote(name)),
        None => quote(path),
    }
}

fn paths(names: &[String]) -> String {
    names.iter().map(|name| path(name)).collect::<Vec<_>>().join(", ")
}
