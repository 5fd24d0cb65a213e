//! From the cells that were read to those that are written: per column a way that is settled before the first row. Cells
//! that nothing touches are copied as the bytes that came.

mod decimal;
mod load;
mod refusal;
mod row;
#[cfg(test)]
mod tests;
mod value;
mod verb;

use std::sync::Arc;

use transship_expr::Expression;
use transship_sql::scalar::{Kind, ScalarType};

pub use row::{Ready, Refused, Scratch};
pub use verb::{Constant, Entries, Key, LookupFull, Verb};

use crate::read::Column;
use value::{Reading, wire};

/// What becomes of the columns of a row.
#[derive(Clone, Debug, Default)]
pub struct Transform {
    /// The names and the types of the columns of the select, as the catalog calls them.
    pub reads: Vec<(String, String)>,
    /// The columns that are written, then those that only name a row.
    pub columns: Vec<Making>,
}

/// How a column is made.
#[derive(Clone, Debug)]
pub struct Making {
    /// Its name on the target.
    pub name: String,
    /// Where its value comes from.
    pub from: Origin,
    /// What is done with it, in this order.
    pub verbs: Vec<Verb>,
    /// The type of what comes of it; `None` where a cell stays as it was read.
    pub data_type: Option<ScalarType>,
}

/// Where the value of a column comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A column of the select, from 0.
    Read(usize),
    /// The same for all rows.
    Const(Constant),
    /// An expression over the columns of the select, each by its name and place.
    Expr {
        /// The expression.
        expression: Arc<Expression>,
        /// The columns that it names.
        uses: Vec<(String, usize)>,
        /// The type that its value is made to be of.
        data_type: ScalarType,
    },
}

impl Transform {
    /// Settles it for columns of these types of the wire; the error says what does not fit.
    pub(crate) fn over(&self, columns: &[Column]) -> Result<Ready<'_>, String> {
        if columns.len() != self.reads.len() {
            return Err(format!("{} columns are read, and {} were planned with", columns.len(), self.reads.len()));
        }
        let readings = columns.iter().zip(&self.reads).map(|(column, (name, data_type))| {
            Reading::of(column.oid, data_type).ok_or_else(|| format!("{name} is no {data_type} any more"))
        });
        Ok(Ready { transform: self, readings: readings.collect::<Result<_, _>>()? })
    }

    /// The type of a column as the catalog calls it.
    pub(crate) fn type_of<'a>(&'a self, making: &'a Making) -> &'a str {
        match (&making.data_type, &making.from) {
            (Some(ScalarType { kind: Kind::Time, .. }), _) => "timestamp",
            (None, Origin::Read(at)) => self.reads.get(*at).map_or("", |(_, data_type)| data_type),
            _ => "",
        }
    }

    /// The columns that it gives, of those that are read.
    pub(crate) fn gives(&self, read: &[Column]) -> Result<Vec<Column>, String> {
        let column = |making: &Making| {
            let oid = match (&making.data_type, &making.from) {
                (Some(data_type), _) => Some(wire(data_type.kind).oid()),
                (None, Origin::Read(at)) => read.get(*at).map(|column| column.oid),
                (None, _) => None,
            };
            let oid = oid.ok_or_else(|| format!("{} has no type", making.name))?;
            Ok(Column { name: making.name.clone(), oid })
        };
        self.columns.iter().map(column).collect()
    }
}
