//! COPY TO: a file of JSON lines for each shard.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::bind::Bound;
use super::env::Env;
use super::row::scope_of;
use super::{Outcome, Session, run as evaluate, snapshot};
use crate::ast::{CopyTo, Expr, Options};
use crate::error::{Result, SqlError};
use crate::types::DataType;
use crate::value::Value;
use crate::world::{Doc, Location, Partition, Relation, Table, TableName, World, partition_text};

/// The options of COPY TO.
struct Settings {
    is_gzip: bool,
    is_array: bool,
    protocol: String,
}

impl Settings {
    fn new(env: &Env<'_>, options: &Options) -> Result<Self> {
        let mut found = Self { is_gzip: false, is_array: false, protocol: String::new() };
        let one_of = |value: &str, known: &str| {
            let message = format!("Unsupported setting value: {value}. Supported values are: {known}");
            Err(SqlError::internal(message))
        };
        for (name, expr) in options {
            let value = env.text(expr)?;
            match (name.as_str(), value.as_str()) {
                ("compression", "gzip") => found.is_gzip = true,
                ("compression", other) => return one_of(other, "gzip"),
                ("format", "json_object") => found.is_array = false,
                ("format", "json_array") => found.is_array = true,
                ("format", other) => return one_of(other, "json_array, json_object"),
                ("protocol", protocol) => found.protocol = super::copy_from::checked(protocol)?,
                ("wait_for_completion" | "key" | "sas_token", _) => {}
                (other, _) => return Err(SqlError::internal(format!("Setting '{other}' is not supported"))),
            }
        }
        Ok(found)
    }
}

/// What becomes of a row.
struct Lines<'a> {
    env: &'a Env<'a>,
    table: &'a Table,
    /// With the name that each has in the file; empty for the whole document.
    columns: Vec<(String, Bound)>,
    filter: Option<Bound>,
    /// Whether rows are looked up by their primary key: CrateDB writes NULL for every column in the list then.
    is_lookup: bool,
    is_array: bool,
}

/// A file that is to be written.
struct File {
    name: String,
    lines: Vec<String>,
}

/// Runs the statement.
pub(super) fn run(world: &mut World, session: &Session, copy: &CopyTo, values: &[Value]) -> Result<Outcome> {
    if !copy.is_directory {
        return Err(SqlError::internal("Using COPY TO without specifying a DIRECTORY is not supported"));
    }
    let (target, files, settings) = {
        let env = Env::with_values(world, session, values);
        let settings = Settings::new(&env, &copy.options)?;
        (env.text(&copy.target)?, files(&env, copy, &settings)?, settings)
    };
    let count: usize = files.iter().map(|file| file.lines.len()).sum();
    for file in files {
        let suffix = if settings.is_gzip { ".json.gz" } else { ".json" };
        let uri = format!("{}/{}{suffix}", target.trim_end_matches('/'), file.name);
        let bytes = packed(&file.lines, settings.is_gzip).map_err(|error| SqlError::internal(error.to_string()))?;
        write(world, &session.cluster, (&uri, &settings.protocol), bytes)?;
    }
    Ok(Outcome::done("COPY", i64::try_from(count).unwrap_or(i64::MAX)))
}

fn packed(lines: &[String], is_gzip: bool) -> std::io::Result<Vec<u8>> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    if !is_gzip {
        return Ok(text.into_bytes());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

fn write(world: &mut World, cluster: &str, (uri, protocol): (&str, &str), bytes: Vec<u8>) -> Result<()> {
    if uri.contains(|character| "{}[]^`\"<>\\| ".contains(character)) {
        return Err(SqlError::internal(format!("Invalid uri '{uri}'")));
    }
    // Of a path without a scheme, too, CrateDB makes a URI, and decodes what was never encoded.
    let location = match Location::read(uri)?.over(protocol) {
        Location::File(path) => Location::File(crate::world::decode(&path)),
        object @ Location::Object { .. } => object,
    };
    world.write_file(cluster, &location, bytes).map_err(|error| match &location {
        Location::File(path) => SqlError::internal(format!("Failed to open output: '{path} ({error})'")),
        Location::Object { .. } => SqlError::internal(error),
    })
}

fn files(env: &Env<'_>, copy: &CopyTo, settings: &Settings) -> Result<Vec<File>> {
    let name = env.session.resolve(&copy.part.table)?;
    let table = readable(env, &name)?;
    let scope = scope_of(&name, table);
    let mut lines = Lines {
        env,
        table,
        columns: Vec::new(),
        filter: None,
        is_lookup: false,
        is_array: settings.is_array || !copy.columns.is_empty(),
    };
    lines.is_array &= !copy.options.iter().any(|(name, _)| name == "format") || settings.is_array;
    if settings.is_array && copy.columns.is_empty() {
        return Err(SqlError::internal("Output format not supported without specifying columns."));
    }
    for column in &copy.columns {
        lines.columns.push((label(column)?, env.bind(column, &scope)?));
    }
    let only = snapshot::partition(env, &name, table, &copy.part)?;
    if let Some(filter) = &copy.filter {
        lines.filter = Some(env.expect(env.bind(filter, &scope)?, &DataType::Boolean)?);
    }
    lines.is_lookup = lines.filter.as_ref().is_some_and(|filter| super::change::names_key(table, filter));
    // Beside a condition CrateDB passes over the partition that was named.
    let only = only.filter(|_| lines.filter.is_none());
    let mut files = Vec::new();
    for (ident, partition) in &table.partitions {
        if only.as_ref().is_none_or(|only| only == ident) {
            files.extend(lines.of_partition(&name.table, ident, partition)?);
        }
    }
    Ok(files)
}

fn readable<'a>(env: &'a Env<'_>, name: &TableName) -> Result<&'a Table> {
    env.cluster.require(&env.session.user, "DQL", name)?;
    match env.cluster.relation(name) {
        Some(Relation::Table(table)) => {
            table.check_arrived(name)?;
            Ok(table)
        }
        Some(Relation::View(_) | Relation::Foreign(_)) => Err(SqlError::not_allowed(name, "COPY TO")),
        None if crate::catalog::find(env, name).is_some() => Err(SqlError::not_allowed(name, "COPY TO")),
        None => Err(env.cluster.unknown(name)),
    }
}

fn label(column: &Expr) -> Result<String> {
    match column {
        Expr::Column(name) => Ok(name.last().cloned().unwrap_or_default()),
        Expr::Cast { value, .. } => label(value),
        Expr::Subscript(..) => Ok(crate::print::expression(column, false).replace('"', "")),
        _ => Err(SqlError::not_understood("expressions in COPY TO")),
    }
}

impl Lines<'_> {
    /// The files of a partition; none where the condition cannot hold for any row of it.
    fn of_partition(&self, table: &str, ident: &str, partition: &Partition) -> Result<Vec<File>> {
        let interval = self.table.refresh_interval();
        let mut files = Vec::new();
        for (number, shard) in partition.shards.iter().enumerate() {
            let mut lines = Vec::new();
            for (id, doc) in shard.visible(self.env.now, interval) {
                lines.extend(self.line(id, doc)?);
            }
            files.push(File { name: format!("{table}_{number}_{ident}"), lines });
        }
        let is_empty = files.iter().all(|file| file.lines.is_empty());
        Ok(if is_empty && self.excludes(partition)? { Vec::new() } else { files })
    }

    fn excludes(&self, partition: &Partition) -> Result<bool> {
        let Some(filter) = &self.filter else { return Ok(false) };
        let mut row = vec![Value::Null; self.table.columns.len() + 8];
        for (column, value) in self.table.partitioned_by.iter().zip(&partition.values) {
            if let Some(at) = self.table.column(column) {
                row[at] = value.clone();
            }
        }
        Ok(evaluate::value(filter, &row, self.env)? == Value::Bool(false))
    }

    fn line(&self, id: &str, doc: &Doc) -> Result<Option<String>> {
        let row = evaluate::document(id, doc, self.table.columns.len());
        if let Some(filter) = &self.filter
            && !evaluate::value(filter, &row, self.env)?.is_true()
        {
            return Ok(None);
        }
        if self.columns.is_empty() {
            return Ok(Some(self.document(&row)));
        }
        let mut fields = Vec::new();
        for (name, bound) in &self.columns {
            let text = match self.table.column(name) {
                _ if self.is_lookup => "null".to_owned(),
                // Points keep their digits here.
                Some(at) if self.table.columns[at].data_type == bound.data_type => {
                    json(&row[at], &self.table.columns[at].data_type)
                }
                _ => json(&evaluate::value(bound, &row, self.env)?, &bound.data_type),
            };
            fields.push(if self.is_array { text } else { format!("{}:{text}", Value::text(name).to_json()) });
        }
        let text = fields.join(",");
        Ok(Some(if self.is_array { format!("[{text}]") } else { format!("{{{text}}}") }))
    }

    /// The whole document: without what is NULL, values of partitions as texts.
    fn document(&self, row: &[Value]) -> String {
        let mut fields = Vec::new();
        for (column, value) in self.table.columns.iter().zip(row) {
            let text = if self.table.partitioned_by.contains(&column.name) {
                partition_text(value).map_or_else(|| "null".to_owned(), |text| Value::Text(text).to_json())
            } else if value.is_null() {
                continue;
            } else {
                json(value, &column.data_type)
            };
            fields.push(format!("{}:{text}", Value::text(&column.name).to_json()));
        }
        format!("{{{}}}", fields.join(","))
    }
}

/// A value as JSON. A REAL has no more digits than it holds.
fn json(value: &Value, data_type: &DataType) -> String {
    match (value, data_type) {
        (Value::Float(number), DataType::Real) if number.is_finite() => {
            crate::wire::text(value, data_type).unwrap_or_default()
        }
        (Value::Array(items), DataType::FloatVector(_)) => list(items, &DataType::Real),
        (Value::Array(items), DataType::Array(element)) => list(items, element),
        (Value::Object(found), DataType::Object(_, fields)) => {
            let field = |(name, value): (&String, &Value)| {
                let data_type = fields.iter().find(|field| field.name == *name).map(|field| &field.data_type);
                let text = data_type.map_or_else(|| value.to_json(), |data_type| json(value, data_type));
                format!("{}:{text}", Value::text(name).to_json())
            };
            format!("{{{}}}", found.iter().map(field).collect::<Vec<_>>().join(","))
        }
        _ => value.to_json(),
    }
}

fn list(items: &[Value], element: &DataType) -> String {
    format!("[{}]", items.iter().map(|item| json(item, element)).collect::<Vec<_>>().join(","))
}
