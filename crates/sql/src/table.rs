//! Tables as a whole.

use transship_model::TableName;

use crate::ident::{table, tables};

/// Drops a table; an error where there is none, so that dropping is never assumed.
pub fn drop_table(name: &TableName) -> String {
    format!("DROP TABLE {}", table(name))
}

/// Deletes every row that readers see.
pub fn delete_rows(of: &TableName) -> String {
    format!("DELETE FROM {}", table(of))
}

/// Makes everything written to `names` visible to readers.
pub fn refresh<'a>(names: impl IntoIterator<Item = &'a TableName>) -> String {
    format!("REFRESH TABLE {}", tables(names))
}
