//! COPY FROM: lines of files to rows, with what became of them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;

use super::env::Env;
use super::insert::check_write;
use super::line::Line;
use super::row::{self, Rules};
use super::{OutColumn, Outcome, Session};
use crate::ast::{CopyFrom, Options};
use crate::cast::convert;
use crate::error::{Result, SqlError};
use crate::types::DataType;
use crate::value::Value;
use crate::world::{Ailment, Location, SUPERUSER, TableName, World, decode};

/// The options of COPY FROM.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the statement")]
pub(super) struct Settings {
    is_gzip: bool,
    pub(super) is_csv: bool,
    pub(super) has_header: bool,
    pub(super) delimiter: char,
    pub(super) empty_is_null: bool,
    overwrites: bool,
    fails_fast: bool,
    waits: bool,
    protocol: String,
}

/// How many lines of an error are listed.
const LINES: usize = 50;

impl Settings {
    fn new(env: &Env<'_>, options: &Options, uris: &[String]) -> Result<Self> {
        let mut found = Self {
            is_gzip: !uris.is_empty() && uris.iter().all(|uri| ends_in(uri, "gz")),
            is_csv: uris.iter().all(|uri| ends_in(uri.trim_end_matches(".gz"), "csv")),
            has_header: true,
            delimiter: ',',
            empty_is_null: false,
            overwrites: false,
            fails_fast: false,
            waits: true,
            protocol: String::new(),
        };
        let one_of = |value: &str, known: &str| {
            let message = format!("Unsupported setting value: {value}. Supported values are: {known}");
            Err(SqlError::internal(message))
        };
        for (name, expr) in options {
            let value = env.constant(expr)?;
            let text = crate::cast::text_of(&value).unwrap_or_default();
            let is_true = convert(&value, &DataType::Boolean) == Some(Value::Bool(true));
            match (name.as_str(), text.as_str()) {
                ("compression", "gzip") => found.is_gzip = true,
                ("compression", other) => return one_of(other, "gzip"),
                ("format", "json") => found.is_csv = false,
                ("format", "csv") => found.is_csv = true,
                ("format", other) => return one_of(other, "csv, json"),
                ("header", _) => found.has_header = is_true,
                ("delimiter", text) => found.delimiter = text.chars().next().unwrap_or(','),
                ("empty_string_as_null", _) => found.empty_is_null = is_true,
                ("overwrite_duplicates", _) => found.overwrites = is_true,
                ("fail_fast", _) => found.fails_fast = is_true,
                ("wait_for_completion", _) => found.waits = is_true,
                ("protocol", protocol) => found.protocol = checked(protocol)?,
                ("shared" | "num_readers" | "bulk_size" | "node_filters" | "key" | "sas_token", _) => {}
                (other, _) => return Err(SqlError::internal(format!("Setting '{other}' is not supported"))),
            }
        }
        Ok(found)
    }
}

/// `http` or `https`.
pub(super) fn checked(protocol: &str) -> Result<String> {
    match protocol {
        "http" | "https" => Ok(protocol.to_owned()),
        other => Err(SqlError::internal(format!("invalid protocol `{other}`. Expected HTTP or HTTPS"))),
    }
}

fn ends_in(uri: &str, extension: &str) -> bool {
    Path::new(uri).extension().is_some_and(|found| found == extension)
}

/// What became of a file.
#[derive(Default)]
struct Report {
    written: i64,
    refused: i64,
    /// Whether the file could not be read to its end.
    is_broken: bool,
    errors: BTreeMap<String, (i64, Vec<i64>)>,
}

impl Report {
    fn broken(error: String) -> Self {
        Self { is_broken: true, errors: BTreeMap::from([(error, (1, Vec::new()))]), ..Self::default() }
    }

    fn refuse(&mut self, error: SqlError, line: i64) {
        self.refused += 1;
        let (count, lines) = self.errors.entry(error.message).or_default();
        *count += 1;
        if lines.len() < LINES {
            lines.push(line);
        }
    }

    fn row(&self, node: &Value, uri: String) -> Vec<Value> {
        let count = |count: i64| if self.is_broken { Value::Null } else { Value::Int(count) };
        let error = |(message, (count, lines)): (&String, &(i64, Vec<i64>))| {
            let lines = Value::Array(lines.iter().copied().map(Value::Int).collect());
            (message.clone(), Value::object([("count", Value::Int(*count)), ("line_numbers", lines)]))
        };
        let errors = Value::Object(self.errors.iter().map(error).collect());
        vec![node.clone(), Value::Text(uri), count(self.written), count(self.refused), errors]
    }
}

/// The columns of RETURN SUMMARY.
pub(super) fn columns() -> Vec<OutColumn> {
    let types = [DataType::object(), DataType::Text, DataType::Bigint, DataType::Bigint, DataType::object()];
    let names = ["node", "uri", "success_count", "error_count", "errors"];
    names.iter().zip(types).map(|(name, data_type)| OutColumn { name: (*name).to_owned(), data_type }).collect()
}

/// Runs the statement.
pub(super) fn run(world: &mut World, session: &Session, copy: &CopyFrom, values: &[Value]) -> Result<Outcome> {
    let env = Env::with_values(world, session, values);
    let name = session.resolve(&copy.part.table)?;
    check_write(&env, &name, "INSERT")?;
    if !copy.part.partition.is_empty() {
        return Err(SqlError::not_understood("COPY FROM into a partition"));
    }
    let uris = uris(&env.constant(&copy.source)?)?;
    let settings = Settings::new(&env, &copy.options, &uris)?;
    if copy.is_summary && !settings.waits {
        return Err(SqlError::internal(
            "Cannot use RETURN SUMMARY with wait_for_completion=false. Either set wait_for_completion=true, or remove \
             RETURN SUMMARY",
        ));
    }
    let is_local = |uri: &String| !uri.contains("://") || uri.starts_with("file:");
    if session.user != SUPERUSER && uris.iter().any(is_local) {
        return Err(SqlError::internal("Only a superuser can read from the local file system"));
    }
    let reports = import(world, session, &name, copy, &settings, &uris)?;
    answer(world, session, copy, &settings, &reports)
}

/// The URIs of an array or of a text.
fn uris(source: &Value) -> Result<Vec<String>> {
    match source {
        Value::Text(uri) => Ok(vec![uri.clone()]),
        Value::Array(uris) if uris.is_empty() => Err(SqlError::internal("Index 0 out of bounds for length 0")),
        Value::Array(uris) => Ok(uris.iter().filter_map(|uri| uri.as_text().map(str::to_owned)).collect()),
        _ => Err(SqlError::internal("fileUri must be of type STRING or STRING ARRAY. Got undefined")),
    }
}

fn answer(
    world: &World,
    session: &Session,
    copy: &CopyFrom,
    settings: &Settings,
    reports: &BTreeMap<String, Report>,
) -> Result<Outcome> {
    let cluster = world.cluster(&session.cluster);
    if settings.fails_fast && reports.values().any(|report| report.refused > 0 || report.is_broken) {
        return Err(SqlError::internal(format!("Job killed. NODE: {}", cluster.name)));
    }
    if !copy.is_summary {
        return Ok(Outcome::done("COPY", reports.values().map(|report| report.written).sum()));
    }
    let node = Value::object([("id", Value::text(&cluster.node_id)), ("name", Value::text(&cluster.name))]);
    let has_row = |report: &&Report| report.is_broken || report.written + report.refused > 0;
    let rows = reports.iter().filter(|(_, report)| has_row(report)).map(|(uri, report)| report.row(&node, uri.clone()));
    Ok(Outcome::rows("COPY", columns(), rows.collect()))
}

/// Imports all files, and tells what became of each by the URI that the summary shows.
fn import(
    world: &mut World,
    session: &Session,
    name: &TableName,
    copy: &CopyFrom,
    settings: &Settings,
    uris: &[String],
) -> Result<BTreeMap<String, Report>> {
    let mut ailment = world.cluster_mut(&session.cluster).ailment.take();
    let mut reports = BTreeMap::new();
    for uri in uris {
        for (shown, location) in locations(world, session, settings, uri)? {
            let report = match location {
                None => Report::broken(format!("Cannot find any URI matching: {shown}")),
                Some(_) if ailment.is_some() => {
                    ailment = ailment.filter(|ailment| *ailment == Ailment::All);
                    Report::broken("No space left on device".to_owned())
                }
                Some(location) => file(world, session, name, copy, settings, &location)?,
            };
            reports.insert(shown, report);
        }
    }
    Ok(reports)
}

/// The files that a URI stands for, as the summary shows them. A pattern that none matches stands for itself; one in a
/// directory that is not there stands for nothing.
fn locations(
    world: &mut World,
    session: &Session,
    settings: &Settings,
    uri: &str,
) -> Result<Vec<(String, Option<Location>)>> {
    let pattern = Location::read(uri)?.over(&settings.protocol);
    if !pattern.path().contains('*') {
        // A key by itself is decoded twice, and shown as it was decoded once.
        let (shown, decoded) = (pattern.shown(), decode(pattern.path()));
        let location = if let Location::Object { .. } = pattern { pattern.with_path(decoded) } else { pattern };
        return Ok(vec![(shown, Some(location))]);
    }
    let found = world.matching(&session.cluster, &pattern).map_err(SqlError::internal)?;
    let shown = |location: &Location| match location {
        Location::Object { key, .. } => key.clone(),
        file @ Location::File(_) => file.shown(),
    };
    let Some(found) = found else { return Ok(Vec::new()) };
    if found.is_empty() {
        let itself = match &pattern {
            Location::File(path) => format!("file://{path}"),
            Location::Object { bucket, .. } => format!("s3://{bucket}/"),
        };
        return Ok(vec![(itself, None)]);
    }
    Ok(found.into_iter().map(|location| (shown(&location), Some(location))).collect())
}

fn file(
    world: &mut World,
    session: &Session,
    name: &TableName,
    copy: &CopyFrom,
    settings: &Settings,
    location: &Location,
) -> Result<Report> {
    let bytes = match (world.read_file(&session.cluster, location), location) {
        (Ok(bytes), _) => bytes,
        (Err(error), Location::File(_)) => return Ok(Report::broken(error)),
        // Of a bucket, what cannot be read fails the statement.
        (Err(error), Location::Object { .. }) => return Err(SqlError::internal(error)),
    };
    let (text, broken) = unpacked(&bytes, settings.is_gzip);
    let mut report = Report::default();
    let table = world.cluster(&session.cluster).table(name)?;
    let rules = Rules::new(&Env::with_values(world, session, &[]), name, table)?;
    let all = || table.columns.iter().map(|column| column.name.clone()).collect();
    let names = if copy.columns.is_empty() { all() } else { copy.columns.clone() };
    for (number, line) in super::line::lines(&text, settings, names) {
        match line.and_then(|line| write(world, session, (name, &rules), &line, settings)) {
            Ok(()) => report.written += 1,
            Err(error) => report.refuse(error, number),
        }
    }
    // What was read before the file broke off is written all the same.
    match broken {
        Some(error) => Ok(Report::broken(error)),
        None => Ok(report),
    }
}

/// The text of a file, as far as it could be unpacked, and what went wrong.
fn unpacked(bytes: &[u8], is_gzip: bool) -> (String, Option<String>) {
    if !is_gzip {
        return (String::from_utf8_lossy(bytes).into_owned(), None);
    }
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return (String::new(), Some("Not in GZIP format".to_owned()));
    }
    let mut text = Vec::new();
    let read = GzDecoder::new(bytes).read_to_end(&mut text);
    let broken = read.err().map(|_| "Unexpected end of ZLIB input stream".to_owned());
    (String::from_utf8_lossy(&text).into_owned(), broken)
}

fn write(
    world: &mut World,
    session: &Session,
    (name, rules): (&TableName, &Rules),
    line: &Line,
    settings: &Settings,
) -> Result<()> {
    let env = Env::with_values(world, session, &[]);
    let table = env.cluster.table(name)?;
    let mut cells = vec![Value::Null; table.columns.len()];
    let mut given = Vec::new();
    for (column, value) in &line.fields {
        let at = table.column(column).ok_or_else(|| SqlError::column_unknown(column))?;
        let target = &table.columns[at].data_type;
        cells[at] = row::stored(&super::line::as_imported(value, target)?, target)?;
        given.push(at);
    }
    rules.complete(&env, table, &mut cells, &given)?;
    let id = table.id(&cells);
    if !settings.overwrites && id.as_deref().is_some_and(|id| table.lookup(&cells, id).is_some()) {
        return Err(SqlError::duplicate_key());
    }
    let now = env.now;
    let cluster = world.cluster_mut(&session.cluster);
    let id = id.unwrap_or_else(|| cluster.next_uuid());
    row::write(cluster, name, &id, &cells, false, now).map(drop)
}
