//! The definition of a table: read from what SHOW CREATE TABLE prints, derived for a copy, and written as CREATE TABLE.
//!
//! Only what has to be understood is taken apart: names, clauses, settings. Types, expressions and options stay the
//! text that CrateDB printed, so that nothing of them is lost. The order of the clauses is that of CrateDB's own
//! formatter: columns, PRIMARY KEY, INDEX, CHECK; then CLUSTERED BY, PARTITIONED BY, WITH.

mod data_type;
mod derive;
mod differences;
mod scan;
mod undefined;
mod write;

use std::collections::BTreeMap;

use thiserror::Error;
use transship_model::TableName;

use scan::{Scan, words_of};

use crate::ident::ident;

pub use data_type::{beyond_json, holds, holds_undeclared, is_numeric};
pub use derive::{CopiedColumn, Derived, Made, Overrides, UnknownColumn};
pub use differences::differences;
pub use undefined::creatable;

/// What a constraint with a name begins with.
const CONSTRAINT: &str = "CONSTRAINT ";

/// The definition of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// PRIMARY KEY, INDEX and CHECK, each as it was printed, in order.
    pub constraints: Vec<Constraint>,
    /// The column that rows are routed by, as it was printed; `None` for the default.
    pub clustered_by: Option<String>,
    /// The number of shards (of each partition).
    pub shards: Option<u32>,
    /// The columns that make partitions, in order.
    pub partitioned_by: Vec<String>,
    /// The settings under WITH, each as the literal that was printed.
    pub settings: BTreeMap<String, String>,
}

/// A column of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, with the columns of an object.
    pub data_type: String,
    /// The expression of a generated column.
    pub generated: Option<String>,
    /// The expression that stands for a value that is not given.
    pub default: Option<String>,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// INDEX and STORAGE, as they were printed; empty for the defaults.
    pub options: String,
}

/// What stands after the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// What it is.
    pub kind: ConstraintKind,
    /// The names that it mentions in quotes: columns, and words that merely look like some.
    pub names: Vec<String>,
    /// Its text.
    pub text: String,
}

/// A kind of constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstraintKind {
    /// The primary key.
    PrimaryKey,
    /// A named index.
    Index,
    /// A CHECK.
    Check,
}

/// A definition that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the definition cannot be read: {expected} expected at `{found}`")]
pub struct DefinitionError {
    /// What should stand there.
    expected: &'static str,
    /// What stands there, at most 40 characters.
    found: String,
}

impl Definition {
    /// Reads what SHOW CREATE TABLE printed.
    pub fn read(sql: &str) -> Result<Self, DefinitionError> {
        let mut scan = Scan::new(sql);
        scan.words("CREATE TABLE IF NOT EXISTS")?;
        Self::read_named(scan).map(|(_, definition)| definition)
    }

    /// Reads what [`create_table`](Self::create_table) wrote.
    pub fn read_created(sql: &str) -> Result<(TableName, Self), DefinitionError> {
        let mut scan = Scan::new(sql);
        scan.words("CREATE TABLE")?;
        Self::read_named(scan)
    }

    fn read_named(mut scan: Scan<'_>) -> Result<(TableName, Self), DefinitionError> {
        let schema = scan.name()?;
        scan.symbol(".", "a dot between schema and table")?;
        let table = TableName::new(schema, scan.name()?);
        let elements = scan.list()?;
        let mut definition = Self {
            columns: Vec::new(),
            constraints: Vec::new(),
            clustered_by: None,
            shards: None,
            partitioned_by: Vec::new(),
            settings: BTreeMap::new(),
        };
        for element in elements {
            definition.element(element)?;
        }
        definition.tail(&mut scan)?;
        scan.end()?;
        Ok((table, definition))
    }

    fn element(&mut self, element: &str) -> Result<(), DefinitionError> {
        let text = with_quoted_name(element);
        match constraint_kind(&text) {
            Some(kind) => self.constraints.push(Constraint { kind, names: scan::quoted_names(body(&text)), text }),
            None => self.columns.push(column(element)?),
        }
        Ok(())
    }

    fn tail(&mut self, scan: &mut Scan<'_>) -> Result<(), DefinitionError> {
        if scan.try_words("CLUSTERED") {
            if scan.try_words("BY") {
                self.clustered_by = Some(scan.parenthesised()?.to_owned());
            }
            if scan.try_words("INTO") {
                self.shards = Some(scan.number()?);
                scan.words("SHARDS")?;
            }
        }
        if scan.try_words("PARTITIONED BY") {
            self.partitioned_by =
                scan.list()?.into_iter().map(scan::whole_name).collect::<Result<_, DefinitionError>>()?;
        }
        if scan.try_words("WITH") {
            for setting in scan.list()? {
                let (name, value) = scan::setting(setting)?;
                self.settings.insert(name, value);
            }
        }
        Ok(())
    }

    /// The columns of the primary key; empty without one. Columns within objects are written `"o"['x']`.
    pub fn primary_key(&self) -> Vec<String> {
        let key = self.constraints.iter().find(|constraint| constraint.kind == ConstraintKind::PrimaryKey);
        key.and_then(|key| {
            let from = key.text.rfind("PRIMARY KEY")? + "PRIMARY KEY".len();
            let columns = Scan::new(&key.text[from..]).list().ok()?;
            Some(columns.into_iter().map(|text| scan::whole_name(text).unwrap_or_else(|_| text.to_owned())).collect())
        })
        .unwrap_or_default()
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// The names in the parentheses at the start of a text.
pub fn names_in_parentheses(text: &str) -> Option<Vec<String>> {
    let list = Scan::new(text).list().ok()?;
    list.into_iter().map(|name| scan::whole_name(name).ok()).collect()
}

/// A constraint with its name in quotes: CrateDB prints names of constraints without, whatever is in them.
fn with_quoted_name(element: &str) -> String {
    let named = element.strip_prefix(CONSTRAINT).filter(|rest| !rest.starts_with('"'));
    let end = named.and_then(|rest| [" CHECK", " PRIMARY KEY"].iter().filter_map(|kind| rest.find(kind)).min());
    match named.zip(end) {
        Some((rest, end)) => format!("{CONSTRAINT}{}{}", ident(&rest[..end]), &rest[end..]),
        None => element.to_owned(),
    }
}

/// A constraint without its name.
fn body(text: &str) -> &str {
    let Some(named) = text.strip_prefix(CONSTRAINT) else { return text };
    let mut scan = Scan::new(named);
    scan.name().map_or(text, |_| scan.rest())
}

/// What an element is that is no column. Columns are printed in quotes wherever their name is one of these words.
fn constraint_kind(element: &str) -> Option<ConstraintKind> {
    let words = words_of(element, 4);
    let mut words = words.iter().map(String::as_str);
    match words.next()? {
        "PRIMARY" => Some(ConstraintKind::PrimaryKey),
        "INDEX" => Some(ConstraintKind::Index),
        "CHECK" => Some(ConstraintKind::Check),
        "CONSTRAINT" => match words.nth(1)? {
            "PRIMARY" => Some(ConstraintKind::PrimaryKey),
            _ => Some(ConstraintKind::Check),
        },
        _ => None,
    }
}

/// Reads one column. Its clauses come in the order type, GENERATED or DEFAULT, NOT NULL, INDEX, STORAGE.
fn column(element: &str) -> Result<Column, DefinitionError> {
    let mut scan = Scan::new(element);
    let name = scan.name()?;
    let data_type = scan.until(&["GENERATED ALWAYS AS", "DEFAULT", "NOT NULL", "INDEX", "STORAGE"]).to_owned();
    if data_type.is_empty() {
        return Err(scan.error("a type"));
    }
    let ends = ["NOT NULL", "INDEX OFF", "INDEX USING", "STORAGE WITH"];
    let generated = scan.try_words("GENERATED ALWAYS AS").then(|| scan.until(&ends).to_owned());
    let default = scan.try_words("DEFAULT").then(|| scan.until(&ends).to_owned());
    let not_null = scan.try_words("NOT NULL");
    Ok(Column { name, data_type, generated, default, not_null, options: scan.rest().to_owned() })
}

impl Column {
    /// Reads a column as CREATE TABLE has it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        column(text).ok()
    }
}

/// The elements of a list, without the parentheses around it, of which commas within parts of an element are no part.
pub(crate) fn elements(text: &str) -> Option<Vec<String>> {
    let list = format!("({text})");
    let mut scan = Scan::new(&list);
    let elements = scan.list().ok()?.into_iter().map(str::to_owned).collect();
    scan.end().ok().map(|()| elements)
}

#[cfg(test)]
mod tests;
