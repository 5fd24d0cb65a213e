//! What an external program is told in SQL, and how what it wrote is taken away again.

use transship_model::TableName;

use crate::ident::{ident, table};

/// What a column of the copy is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made<'a> {
    /// A column of the source as it is.
    Column(&'a str),
    /// A checked SQL expression, with the type that it is to have.
    Expression(&'a str, Option<&'a str>),
}

/// What the source has for a column.
pub fn expression(made: Made<'_>) -> String {
    match made {
        Made::Column(name) => ident(name),
        Made::Expression(sql, None) => format!("({sql})"),
        Made::Expression(sql, Some(cast)) => format!("CAST(({sql}) AS {cast})"),
    }
}

/// Reads one column of each of the names, made of the SQL beside it, of the rows for which the checked `filter` holds.
pub fn query<'a>(
    from: &TableName,
    columns: impl IntoIterator<Item = (&'a str, &'a str)>,
    filter: Option<&str>,
) -> String {
    let column = |(name, sql): (&str, &str)| {
        let name = ident(name);
        if sql == name { name } else { format!("{sql} AS {name}") }
    };
    let columns: Vec<String> = columns.into_iter().map(column).collect();
    let filter = filter.map_or_else(String::new, |filter| format!(" WHERE ({filter})"));
    format!("SELECT {} FROM {}{filter}", columns.join(", "), table(from))
}

/// Takes every row out of a copy that is made aside.
pub fn clear(copy: &TableName) -> String {
    format!("DELETE FROM {}", table(copy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_told_what_to_read_in_sql_that_it_can_send() {
        let made = [
            ("id", Made::Column("id")),
            ("na\"me", Made::Column("old")),
            ("n", Made::Expression("a + 1", None)),
            ("t", Made::Expression("a", Some("TEXT"))),
        ];
        let sql: Vec<(&str, String)> = made.into_iter().map(|(name, made)| (name, expression(made))).collect();
        let from = TableName::new("shop", "people");
        let of = || sql.iter().map(|(name, sql)| (*name, sql.as_str()));
        let columns = r#""id", "old" AS "na""me", (a + 1) AS "n", CAST((a) AS TEXT) AS "t""#;
        assert_eq!(query(&from, of(), None), format!(r#"SELECT {columns} FROM "shop"."people""#));
        let chosen = query(&from, of(), Some("a > 1 OR b"));
        assert_eq!(chosen, format!(r#"SELECT {columns} FROM "shop"."people" WHERE (a > 1 OR b)"#));
        assert_eq!(clear(&from), r#"DELETE FROM "shop"."people""#);
    }
}
