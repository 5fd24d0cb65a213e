//! Views that stand in the place of a table: made over a copy, and read back.

use transship_model::TableName;

use crate::ident::{table, table_condition};

/// Makes `name` a view over `copy`, or has the view that it is read from `copy` from now on.
pub fn switch_view(name: &TableName, copy: &TableName) -> String {
    format!("CREATE OR REPLACE VIEW {} AS {}", table(name), reads(copy))
}

/// What such a view reads: all rows and columns of `copy`.
pub fn reads(copy: &TableName) -> String {
    format!("SELECT * FROM {}", table(copy))
}

/// One column, `view_definition`: what a view reads; no row where there is no such view.
pub fn view_definition(name: &TableName) -> String {
    format!(
        "SELECT view_definition FROM information_schema.views WHERE {}",
        table_condition("table_schema", "table_name", [name])
    )
}

/// The table that a view merely reads, all of its rows and columns; `None` for a view that does anything else. Takes the
/// text of `information_schema.views.view_definition`, in which the server quotes and breaks lines as it likes.
pub fn viewed_table(definition: &str) -> Option<TableName> {
    let rest = word(definition, "select")?;
    let rest = rest.trim_start().strip_prefix('*')?;
    let (schema, rest) = identifier(word(rest, "from")?.trim_start())?;
    let (name, rest) = identifier(rest.strip_prefix('.')?)?;
    rest.trim().is_empty().then(|| TableName::new(schema, name))
}

/// What follows a keyword.
fn word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let (found, rest) = text.split_at_checked(word.len())?;
    let ends = !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    (found.eq_ignore_ascii_case(word) && ends).then_some(rest)
}

/// An identifier, quoted or not, and what follows it.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_lowercase(), &text[end..]));
    };
    let mut name = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' if characters.next_if(|(_, next)| *next == '"').is_some() => name.push('"'),
            '"' => return Some((name, &quoted[index + 1..])),
            other => name.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_known_by_the_table_that_it_reads() {
        let copy = TableName::new("crm", "transship__0a1__v2__people");
        for definition in [
            "SELECT *\nFROM \"crm\".\"transship__0a1__v2__people\"\n",
            "SELECT * FROM crm.transship__0a1__v2__people",
            "select  * from \"crm\".transship__0a1__v2__people",
        ] {
            assert_eq!(viewed_table(definition).as_ref(), Some(&copy), "{definition}");
        }
        assert_eq!(viewed_table("SELECT * FROM \"a\"\"b\".\"c. d\""), Some(TableName::new("a\"b", "c. d")));
        let sql = switch_view(&TableName::new("crm", "people"), &copy);
        assert_eq!(sql, r#"CREATE OR REPLACE VIEW "crm"."people" AS SELECT * FROM "crm"."transship__0a1__v2__people""#);
        assert_eq!(viewed_table(&reads(&copy)), Some(copy));
    }

    #[test]
    fn a_view_that_does_more_is_none() {
        for definition in [
            "SELECT \"id\"\nFROM \"crm\".\"people\"\n",
            "SELECT *\nFROM \"crm\".\"people\"\nWHERE \"active\"\n",
            "SELECT *\nFROM \"people\"\n",
            "SELECT *\nFROM \"crm\".\"people\", \"crm\".\"more\"\n",
            "SELECT *\nFROM \"crm\".\"people",
            "SELECT *, 1\nFROM \"crm\".\"people\"",
            "SELECTED * FROM a.b",
            "",
        ] {
            assert_eq!(viewed_table(definition), None, "{definition}");
        }
    }
}
