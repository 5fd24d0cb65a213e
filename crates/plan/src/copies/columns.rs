//! What becomes of each column: taken as it is, renamed, computed by the source, or left out.

use std::collections::BTreeMap;

use transship_model::observed::{Column, Table};
use transship_model::spec::{Cell, ColumnRule, Columns, Rule, TableEntry};
use transship_model::{Finding, SpecPath};

use super::verbs;

/// A column of the copy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Carried {
    /// Its name on the target.
    pub(crate) name: String,
    /// Where it comes from.
    pub(crate) from: Origin,
    /// What transship itself does with its values, where it does anything.
    pub(crate) rule: Option<Rule>,
    /// The columns of the source that its expression names.
    pub(crate) uses: Vec<String>,
    /// Where the spec says so.
    pub(crate) path: SpecPath,
}

/// Where a column of the copy comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Origin {
    /// A column of the source as it is.
    Column(String),
    /// An SQL expression over the source, with the type that the spec gives it.
    Sql { sql: String, cast: Option<String> },
    /// The same value in every row.
    Const(Cell),
    /// An expression of transship's own language.
    Expr(String),
}

impl Carried {
    /// Whether it is that column of the source, untouched.
    pub(crate) fn is_column(&self, name: &str) -> bool {
        self.rule.is_none() && matches!(&self.from, Origin::Column(from) if from == name)
    }
}

/// The columns of the copy, in order. Every problem is reported, each at its column.
pub(crate) fn carried(entry: &TableEntry, path: &SpecPath, table: &Table) -> Result<Vec<Carried>, Vec<Finding>> {
    let declared = match entry {
        TableEntry::Table(settings) => settings.columns.as_ref(),
        TableEntry::Pattern(_) => None,
    };
    let path = path.key("columns");
    match declared {
        None => Ok(top_level(table).map(|column| as_it_is(&column.name, &column.name, &path)).collect()),
        Some(Columns::Names(names)) => {
            all(names.iter().enumerate().map(|(index, name)| named(name, table, &path.item(index))))
        }
        Some(Columns::Rules(rules)) => all(ruled(rules, table, &path)),
    }
}

fn all(found: impl Iterator<Item = Result<Carried, Finding>>) -> Result<Vec<Carried>, Vec<Finding>> {
    let (mut carried, mut findings) = (Vec::new(), Vec::new());
    for one in found {
        match one {
            Ok(column) => carried.push(column),
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() { Ok(carried) } else { Err(findings) }
}

/// The columns that are no part of an object.
pub(crate) fn top_level(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| !column.name.contains("['"))
}

fn as_it_is(name: &str, from: &str, path: &SpecPath) -> Carried {
    let from = Origin::Column(from.to_owned());
    Carried { name: name.to_owned(), from, rule: None, uses: Vec::new(), path: path.clone() }
}

fn named(name: &str, table: &Table, path: &SpecPath) -> Result<Carried, Finding> {
    if top_level(table).any(|column| column.name == name) {
        return Ok(as_it_is(name, name, path));
    }
    let names: Vec<&str> = top_level(table).map(|column| column.name.as_str()).collect();
    let help = match similar::get_close_matches(name, &names, 1, 0.6).first() {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("it has {}", names.join(", ")),
    };
    Err(Finding::error("plan::no-such-column", format!("the source has no column `{name}`"))
        .at(path.clone())
        .help(help))
}

/// Columns in the order of the source where they are its own, and after those the computed ones by name.
fn ruled<'a>(
    rules: &'a BTreeMap<String, ColumnRule>,
    table: &'a Table,
    path: &'a SpecPath,
) -> impl Iterator<Item = Result<Carried, Finding>> {
    let mut columns: Vec<(usize, Result<Carried, Finding>)> = rules
        .iter()
        .map(|(name, rule)| {
            let column = one(name, rule, table, &path.key(name));
            let place = match column.as_ref().map(|column| &column.from) {
                Ok(Origin::Column(from)) => top_level(table).position(|column| column.name == *from),
                _ => None,
            };
            (place.unwrap_or(usize::MAX), column)
        })
        .collect();
    columns.sort_by_key(|(place, _)| *place);
    columns.into_iter().map(|(_, column)| column)
}

fn one(name: &str, rule: &ColumnRule, table: &Table, path: &SpecPath) -> Result<Carried, Finding> {
    let mut uses = Vec::new();
    let (sql, cast, changes) = match rule {
        ColumnRule::Sql(sql) => (sql.clone(), None, None),
        ColumnRule::Rule(rule) => {
            let sql = rule.sql.clone().unwrap_or_else(|| transship_sql::ident::ident(name));
            // A cast alone is for the source to do.
            let changes = (!is_of_source(rule)).then(|| (**rule).clone());
            (sql, rule.cast.clone().filter(|_| changes.is_none()), changes)
        }
    };
    let plain = plain_column(&sql, table).filter(|_| cast.is_none());
    let from = match &changes {
        Some(Rule { constant: Some(cell), .. }) => Origin::Const(cell.clone()),
        Some(Rule { expr: Some(text), .. }) => {
            uses = verbs::uses(text, path, table)?;
            Origin::Expr(text.clone())
        }
        _ => plain.map_or(Origin::Sql { sql, cast }, Origin::Column),
    };
    Ok(Carried { name: name.to_owned(), from, rule: changes, uses, path: path.clone() })
}

/// The rules by which columns of an entry are made.
pub(crate) fn rules(entry: &TableEntry) -> impl Iterator<Item = &Rule> {
    let declared = match entry {
        TableEntry::Table(settings) => settings.columns.as_ref(),
        TableEntry::Pattern(_) => None,
    };
    let rules = declared.into_iter().filter_map(|columns| match columns {
        Columns::Rules(rules) => Some(rules.values()),
        Columns::Names(_) => None,
    });
    rules.flatten().filter_map(|rule| match rule {
        ColumnRule::Rule(rule) => Some(&**rule),
        ColumnRule::Sql(_) => None,
    })
}

/// The column that an expression merely names: unquoted names are lower-case, as SQL has it.
fn plain_column(sql: &str, table: &Table) -> Option<String> {
    let text = sql.trim();
    let name = match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => text.to_lowercase(),
    };
    top_level(table).find(|column| column.name == name).map(|column| column.name.clone())
}

/// Whether the source does all of it.
fn is_of_source(rule: &Rule) -> bool {
    *rule == Rule { sql: rule.sql.clone(), cast: rule.cast.clone(), ..Rule::default() }
}
