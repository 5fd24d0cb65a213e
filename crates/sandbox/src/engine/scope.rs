//! The columns that names can mean.

use crate::error::{Result, SqlError};
use crate::types::DataType;

/// A column of a relation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScopeColumn {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    /// Columns such as `_id`, which `*` leaves out.
    pub(crate) is_system: bool,
}

/// A relation of FROM.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScopeRelation {
    /// Its alias or its name, with the schema before it where it has no alias.
    pub(crate) names: Vec<String>,
    pub(crate) columns: Vec<ScopeColumn>,
    /// Whether its rows are documents, so that `_doc` means something.
    pub(crate) is_table: bool,
}

/// All relations of FROM, whose columns stand in a row one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scope {
    pub(crate) relations: Vec<ScopeRelation>,
}

impl ScopeColumn {
    pub(crate) fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type, is_system: false }
    }

    pub(crate) fn system(name: &str, data_type: DataType) -> Self {
        Self { name: name.to_owned(), data_type, is_system: true }
    }
}

impl Scope {
    /// The relations with where their columns begin in a row.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (usize, &ScopeRelation)> {
        self.relations.iter().scan(0, |start, relation| {
            let at = *start;
            *start += relation.columns.len();
            Some((at, relation))
        })
    }

    /// How many columns a row has.
    pub(crate) fn width(&self) -> usize {
        self.relations.iter().map(|relation| relation.columns.len()).sum()
    }

    /// The relation that a qualifier means, with where it begins.
    pub(crate) fn relation(&self, qualifier: &[String]) -> Option<(usize, &ScopeRelation)> {
        self.placed().find(|(_, relation)| relation.names.ends_with(qualifier))
    }

    /// The column that a name means.
    pub(crate) fn column(&self, name: &[String]) -> Result<(usize, &ScopeColumn)> {
        let (column, qualifier) = name.split_last().expect("a name has a last part");
        let candidates = self.placed().filter(|(_, relation)| relation.names.ends_with(qualifier));
        let mut found = candidates.filter_map(|(start, relation)| {
            let at = relation.columns.iter().position(|known| known.name == *column)?;
            Some((start + at, &relation.columns[at]))
        });
        let Some(first) = found.next() else { return Err(self.unknown(column, qualifier)) };
        if found.next().is_some() {
            return Err(SqlError::new("42702", format!("Column \"{column}\" is ambiguous")));
        }
        Ok(first)
    }

    fn unknown(&self, column: &str, qualifier: &[String]) -> SqlError {
        if !qualifier.is_empty() && self.relation(qualifier).is_none() {
            return SqlError::relation_unknown(qualifier.join("."));
        }
        SqlError::column_unknown(column)
    }
}
