//! What a program says that it has done.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::error::Category;
use transship_model::TableName;
use transship_model::command::{COMMAND_FORMAT, CommandResult};

/// The rows that it has written to each of `tables`; an error says why that cannot be told.
pub(crate) fn read(text: &[u8], tables: &BTreeSet<&TableName>) -> Result<BTreeMap<TableName, u64>, String> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err("it wrote none to file descriptor 3".to_owned());
    }
    let result: CommandResult = serde_json::from_slice(text).map_err(|error| unread(&error))?;
    if result.format_version != COMMAND_FORMAT {
        return Err(format!("it has format {}, this transship reads {COMMAND_FORMAT}", result.format_version));
    }
    if let Some(missing) = tables.iter().find(|table| !result.rows.contains_key(**table)) {
        return Err(format!("it says nothing of {missing}"));
    }
    if result.rows.keys().any(|table| !tables.contains(table)) {
        return Err("it names a table that it was not given".to_owned());
    }
    Ok(result.rows)
}

/// What is wrong, and where; not what stands there, which may be data.
fn unread(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Eof => "it ends too early",
        Category::Data => "it has not the form of schemas/command-result.json",
        Category::Syntax | Category::Io => "it is no JSON document",
    };
    format!("{what}: line {}, column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_about_the_tables_that_were_given_and_no_other() {
        let (a, b) = (TableName::new("s", "a"), TableName::new("s", "b"));
        let tables = BTreeSet::from([&a, &b]);
        let of = |text: &str| read(text.as_bytes(), &tables);
        let rows = of(r#"{ "format_version": 1, "rows": { "s.a": 3, "s.b": 0 } }"#).unwrap();
        assert_eq!(rows, BTreeMap::from([(a.clone(), 3), (b.clone(), 0)]));
        for (text, problem) in [
            ("", "none to file descriptor 3"),
            (" \n", "none to file descriptor 3"),
            ("{", "too early: line 1"),
            (r#"{ "format_version": 2, "rows": {} }"#, "format 2"),
            (r#"{ "format_version": 1, "rows": { "s.a": 3 } }"#, "nothing of s.b"),
            (r#"{ "format_version": 1, "rows": { "s.a": 3, "s.b": 0, "s.c": 1 } }"#, "a table that it was not given"),
            (r#"{ "format_version": 1, "rows": { "s.a": -1, "s.b": 0 } }"#, "the form of"),
            (r#"{ "format_version": 1, "rows": {}, "more": 1 }"#, "the form of"),
            (r#"{ "format_version": 1, "rows": { "s.a": 1, "s.b": 0 } } again"#, "no JSON document"),
        ] {
            let found = of(text).unwrap_err();
            assert!(found.contains(problem), "{text}: {found}");
        }
    }
}
