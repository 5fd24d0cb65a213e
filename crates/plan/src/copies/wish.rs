//! What one table is to become: its definition on the target, and the statements that read and write its rows.

use std::collections::BTreeMap;

use transship_model::observed::{Described, Observed, Table};
use transship_model::plan::{InnerPlace, KeyColumn, Transform};
use transship_model::spec::{Cell, Existing, TableEntry};
use transship_model::{Finding, TableName};
use transship_sql::copy::{self, Source};
use transship_sql::definition::{CopiedColumn, Definition, Derived, Made, Overrides};
use transship_sql::ident::literal;
use transship_sql::partition::{self, Partition};

use super::columns::{self, Carried, Origin};
use super::context::{Context, Pair};
use super::transform::{Reading, Reads, transform};
use super::verbs::{self, Outcome};
use super::{new_columns, partitions, sensitive};
use crate::digest;

/// What one table is to become.
pub(crate) struct Wish<'a> {
    pub(crate) pair: &'a Pair<'a>,
    /// The table on the source.
    pub(crate) source: &'a Table,
    /// The definition of the copy, and what it cannot keep.
    pub(crate) derived: Derived,
    /// Every column of the copy, generated ones included.
    pub(crate) columns: Vec<Carried>,
    /// The columns that are written, in the order of the select.
    pub(crate) written: Vec<String>,
    /// The columns of the primary key; empty without one.
    pub(crate) primary_key: Vec<String>,
    /// The types of `written`, as the catalog names them.
    pub(crate) types: Vec<String>,
    /// The statement that reads.
    pub(crate) select: String,
    /// The columns of the select that name a row.
    pub(crate) key: Vec<KeyColumn>,
    /// Places whose values JSON does not carry by itself.
    pub(crate) inner: Vec<InnerPlace>,
    /// What transship itself does with the rows.
    pub(crate) transform: Option<Transform>,
    /// The partitions that are chosen; none for the whole table.
    pub(crate) partitions: Vec<Partition>,
    /// SHA-256 of what was asked.
    pub(crate) asked: String,
}

/// Makes it; errors are about columns, types and what could not be read.
pub(crate) fn wish<'a>(context: &Context<'a>, pair: &'a Pair<'a>) -> Result<Wish<'a>, Vec<Finding>> {
    let source = context.source.tables.get(&pair.from).ok_or_else(|| vec![unread(context, pair, "it is gone")])?;
    if source.closed {
        return Err(vec![closed(context, pair)]);
    }
    let columns = new_columns::kept(context, pair, columns::carried(pair.entry, &pair.path, source)?);
    let typed = types(context, pair, &columns, source)?;
    let definition = source.definition.as_deref().ok_or_else(|| vec![unread(context, pair, "it was not read")])?;
    let definition = Definition::read(definition).map_err(|error| vec![unread(context, pair, &error.to_string())])?;
    let copied: Vec<CopiedColumn> = columns.iter().zip(&typed).map(|(column, it)| it.copied(column)).collect();
    let derived = definition
        .derive(&copied, &overrides(context))
        .map_err(|error| vec![unread(context, pair, &error.to_string())])?;
    let partitions = partitions::chosen(context, pair, source)?;
    Ok(assembled((context, pair, source), columns, &typed, derived, partitions))
}

/// A table as it is, of whatever types: for what moves files.
pub(crate) fn whole<'a>(context: &Context<'a>, pair: &'a Pair<'a>) -> Result<Wish<'a>, Vec<Finding>> {
    let source = context.source.tables.get(&pair.from).ok_or_else(|| vec![unread(context, pair, "it is gone")])?;
    let definition = source.definition.as_deref().ok_or_else(|| vec![unread(context, pair, "it was not read")])?;
    let definition = Definition::read(definition).map_err(|error| vec![unread(context, pair, &error.to_string())])?;
    Ok(Wish {
        pair,
        source,
        columns: columns::carried(pair.entry, &pair.path, source)?,
        written: Vec::new(),
        types: Vec::new(),
        primary_key: definition.primary_key(),
        derived: Derived { definition, lost: Vec::new() },
        select: String::new(),
        key: Vec::new(),
        inner: Vec::new(),
        transform: None,
        partitions: Vec::new(),
        asked: asked(context, pair),
    })
}

fn assembled<'a>(
    (context, pair, source): (&Context<'a>, &'a Pair<'a>, &'a Table),
    columns: Vec<Carried>,
    typed: &[Typed],
    derived: Derived,
    partitions: Vec<Partition>,
) -> Wish<'a> {
    let is_generated = |name: &str| derived.definition.column(name).is_some_and(|column| column.generated.is_some());
    let primary_key = derived.definition.primary_key();
    let (written, rest): (Vec<usize>, Vec<usize>) =
        (0..columns.len()).partition(|index| !is_generated(&columns[*index].name));
    let naming = rest.into_iter().filter(|index| primary_key.contains(&columns[*index].name));
    let read: Vec<usize> = written.iter().copied().chain(naming).collect();
    let chosen = partition::condition(&partitions, filter(pair.entry));
    let reads = transform((pair, source), read.iter().map(|index| (&columns[*index], &typed[*index])));
    let select = if let Some(reads) = &reads {
        copy::select(&pair.from, reads.select.iter().map(|(it, _)| it.source()), chosen.as_deref())
    } else {
        let sources = read.iter().map(|index| typed[*index].reading(&columns[*index]).source());
        copy::select(&pair.from, sources, chosen.as_deref())
    };
    let place = |at: usize| u32::try_from(at).expect("a table has fewer columns than that");
    let key = read.iter().enumerate().filter(|(_, index)| primary_key.contains(&columns[**index].name));
    let key = key
        .map(|(at, index)| KeyColumn {
            at: place(at),
            name: columns[*index].name.clone(),
            data_type: typed[*index].result(),
            sensitive: sensitive::carries(pair.entry, &columns[*index], source),
        })
        .collect();
    let inner = match &reads {
        Some(reads) => {
            let named = reads.select.iter().enumerate().filter_map(|(at, (reading, _))| match reading {
                Reading::Column(name, _) => Some((at, *name)),
                Reading::Sql(_) => None,
            });
            named.flat_map(|(at, name)| inner_places(place(at), name, source)).collect()
        }
        None => read.iter().enumerate().flat_map(|(at, index)| inner(place(at), &columns[*index], source)).collect(),
    };
    let transform = reads.map(Reads::finish);
    Wish {
        written: written.iter().map(|index| columns[*index].name.clone()).collect(),
        types: written.iter().map(|index| typed[*index].result()).collect(),
        asked: asked_of(context, pair, &partitions),
        partitions,
        pair,
        source,
        derived,
        columns,
        primary_key,
        select,
        key,
        inner,
        transform,
    }
}

/// The places of a carried column that need care.
fn inner(at: u32, column: &Carried, source: &Table) -> Vec<InnerPlace> {
    let Origin::Column(from) = &column.from else { return Vec::new() };
    inner_places(at, from, source)
}

/// The places of a column of a table that need care.
pub(crate) fn inner_places(at: u32, from: &str, source: &Table) -> Vec<InnerPlace> {
    let prefix = format!("{from}['");
    let places = source.columns.iter().filter(|it| it.name == from || it.name.starts_with(&prefix));
    places
        .filter(|it| copy::inner(&it.name, &it.data_type).is_some())
        .map(|it| InnerPlace { at, name: it.name.clone(), data_type: it.data_type.clone() })
        .collect()
}

/// What is known of a column's type.
pub(super) struct Typed {
    /// That of what is read, as the catalog names it.
    pub(super) data_type: String,
    /// The expression that is read, for a computed column.
    sql: Option<String>,
    /// As CREATE TABLE has it, for a computed column.
    declared: String,
    /// What comes of it where transship itself changes it.
    pub(super) outcome: Option<Outcome>,
}

impl Typed {
    fn copied(&self, column: &Carried) -> CopiedColumn {
        let made = match (&column.from, &self.outcome) {
            (Origin::Column(from), None) => Made::Column(from.clone()),
            (Origin::Column(from), Some(outcome)) => Made::Changed {
                column: from.clone(),
                data_type: outcome.replaces.then(|| outcome.data_type.declared()),
                may_be_null: outcome.may_lose,
            },
            (_, Some(outcome)) if outcome.replaces => Made::Expression(outcome.data_type.declared()),
            (_, _) => Made::Expression(self.declared.clone()),
        };
        CopiedColumn { name: column.name.clone(), made }
    }

    /// What stands in the select; nothing does for a constant, or what an expression makes of other columns.
    pub(super) fn reading<'a>(&'a self, column: &'a Carried) -> Reading<'a> {
        match (&column.from, &self.sql) {
            (Origin::Column(name), _) => Reading::Column(name, &self.data_type),
            (_, Some(sql)) | (Origin::Sql { sql, .. }, None) => Reading::Sql(sql),
            (Origin::Const(_) | Origin::Expr(_), None) => Reading::Sql("NULL"),
        }
    }

    /// The type of what is written, as the catalog names it.
    pub(super) fn result(&self) -> String {
        let changed = self.outcome.as_ref().filter(|outcome| outcome.replaces);
        changed.map_or_else(|| self.data_type.clone(), |outcome| outcome.data_type.catalog())
    }
}

/// The types of all columns: the catalog's, the spec's, or those that the source told when it was asked to prepare.
fn types(
    context: &Context<'_>,
    pair: &Pair<'_>,
    columns: &[Carried],
    source: &Table,
) -> Result<Vec<Typed>, Vec<Finding>> {
    let mut told = told(context, pair)?.into_iter();
    let (mut typed, mut findings) = (Vec::new(), Vec::new());
    for column in columns {
        match &column.from {
            Origin::Column(from) => {
                let data_type = source.columns.iter().find(|it| it.name == *from).map(|it| it.data_type.clone());
                let data_type = data_type.unwrap_or_default();
                if !copy::is_known(&data_type) {
                    let message = format!("type `{data_type}` of column {from} is not known to arrive exactly");
                    let help = "leave the column out by `columns`, or give an expression with a `cast`";
                    findings.push(Finding::error("plan::unknown-type", message).at(column.path.clone()).help(help));
                }
                typed.push(Typed { data_type, sql: None, declared: String::new(), outcome: None });
            }
            Origin::Sql { sql, cast: Some(cast) } => typed.push(Typed {
                data_type: cast.to_lowercase(),
                sql: Some(format!("CAST(({sql}) AS {cast})")),
                declared: cast.clone(),
                outcome: None,
            }),
            Origin::Const(_) | Origin::Expr(_) => {
                typed.push(Typed { data_type: String::new(), sql: None, declared: String::new(), outcome: None });
            }
            Origin::Sql { .. } => match told.next().filter(|declared| !declared.is_empty()) {
                Some(declared) => {
                    let data_type = declared.to_lowercase();
                    typed.push(Typed { data_type, sql: None, declared, outcome: None });
                }
                None => findings.push(
                    Finding::error("plan::unknown-type", format!("the type of column {} cannot be told", column.name))
                        .at(column.path.clone())
                        .help("say it: `{ sql: …, cast: TYPE }`"),
                ),
            },
        }
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    for (column, typed) in columns.iter().zip(&mut typed) {
        match verbs::outcome(context, column, &typed.data_type) {
            Ok(outcome) => typed.outcome = outcome,
            Err(problems) => findings.extend(problems),
        }
    }
    if findings.is_empty() { Ok(typed) } else { Err(findings) }
}

/// What the source said about the expressions without a `cast`.
fn told(context: &Context<'_>, pair: &Pair<'_>) -> Result<Vec<String>, Vec<Finding>> {
    let Some(statement) = described(context.source, pair) else { return Ok(Vec::new()) };
    match context.source.described.get(&statement) {
        Some(Described::Types(types)) => Ok(types.clone()),
        Some(Described::Refused(reason)) => {
            let message = format!("{} refuses an expression: {reason}", context.source_name);
            Err(vec![
                Finding::error("plan::bad-expression", message)
                    .at_key(pair.path.key("columns"))
                    .help("expressions are SQL over the columns of the source table"),
            ])
        }
        None => Err(vec![unread(context, pair, "the types of its expressions were not asked for")]),
    }
}

/// The statement whose columns are the expressions of which only the source knows the type; never executed.
pub(crate) fn described(source: &Observed, pair: &Pair<'_>) -> Option<String> {
    let table = source.tables.get(&pair.from)?;
    let columns = columns::carried(pair.entry, &pair.path, table).ok()?;
    let unknown: Vec<Source<'_>> = columns
        .iter()
        .filter_map(|column| match &column.from {
            Origin::Sql { sql, cast: None } => Some(Source::Expression(sql)),
            _ => None,
        })
        .collect();
    (!unknown.is_empty()).then(|| copy::select(&pair.from, unknown, filter(pair.entry)))
}

/// The condition that the spec sets for the rows of a table.
pub(crate) fn filter(entry: &TableEntry) -> Option<&str> {
    match entry {
        TableEntry::Table(table) => table.filter.as_deref(),
        TableEntry::Pattern(_) => None,
    }
}

/// `target` of the flow, as settings of the table that is made.
pub(super) fn overrides(context: &Context<'_>) -> Overrides {
    let mut overrides = Overrides::default();
    for (name, value) in &context.instance.flow.target {
        match name.as_str() {
            "shards" => overrides.shards = word(value).parse().ok(),
            "replicas" => drop(overrides.settings.insert("number_of_replicas".to_owned(), literal(&word(value)))),
            _ => drop(overrides.settings.insert(name.clone(), setting(value))),
        }
    }
    overrides
}

fn word(value: &Cell) -> String {
    match value {
        Cell::Null(()) => "NULL".to_owned(),
        Cell::Bool(value) => value.to_string(),
        Cell::Number(value) => value.to_string(),
        Cell::Text(value) => value.clone(),
    }
}

fn setting(value: &Cell) -> String {
    match value {
        Cell::Text(text) => literal(text),
        other => word(other),
    }
}

/// What was asked for the table: everything in the spec that makes its rows or its definition another one.
pub(crate) fn asked(context: &Context<'_>, pair: &Pair<'_>) -> String {
    let columns = match pair.entry {
        TableEntry::Table(table) => table.columns.as_ref(),
        TableEntry::Pattern(_) => None,
    };
    let names: (&TableName, &TableName) = (&pair.from, &pair.to);
    let asked = digest::of(&(&context.source.id, names, columns, filter(pair.entry), &context.instance.flow.target));
    // Another file under the same name gives other rows.
    let hashes = &context.input.files.files;
    let files: BTreeMap<&str, &String> =
        verbs::files(pair.entry).filter_map(|file| Some((file, hashes.get(file)?))).collect();
    if files.is_empty() { asked } else { digest::of(&(&asked, files)) }
}

/// The same of chosen partitions, too: which they are is compared one by one where the table is there; what is added to it
/// is another thing for others.
fn asked_of(context: &Context<'_>, pair: &Pair<'_>, partitions: &[Partition]) -> String {
    let asked = asked(context, pair);
    let prunes = pair.entry.settings().is_some_and(|table| table.prune);
    let asked = if prunes { digest::of(&(&asked, "prune")) } else { asked };
    let adds = matches!(context.existing(), Existing::Append | Existing::Upsert);
    match partitions {
        [] => asked,
        _ if adds => digest::of(&(&asked, partition::condition(partitions, None))),
        _ => digest::of(&(&asked, "partitions")),
    }
}

/// CrateDB neither reads a closed table nor shows its definition.
fn closed(context: &Context<'_>, pair: &Pair<'_>) -> Finding {
    Finding::error("plan::source-closed", format!("table {}.{} is closed", context.source_name, pair.from))
        .at(pair.path.clone())
        .help(format!("on {}: ALTER TABLE {} OPEN", context.source_name, pair.from))
}

fn unread(context: &Context<'_>, pair: &Pair<'_>, why: &str) -> Finding {
    let message = format!("the definition of {}.{} is not known: {why}", context.source_name, pair.from);
    Finding::error("plan::not-defined", message)
        .at(pair.path.clone())
        .help("plan against the clusters, or take the observation again with --save-observed")
}
