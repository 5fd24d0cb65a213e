//! Rows as lines of CSV, in the form that COPY FROM reads exactly with `empty_string_as_null`.
//!
//! Nothing between two commas is NULL, and so is `""`; a line ends at its line break also within quotes. Arrays are
//! array literals, arrays of arrays such within such, objects and arrays of objects are JSON.

use serde_json::value::RawValue;

use super::cell::{Cell, Scalar};
use super::{Column, json};

/// Adds the line with the names of the columns.
pub(super) fn header<'a>(names: impl Iterator<Item = &'a str>, out: &mut String) {
    for (at, name) in names.enumerate() {
        if at > 0 {
            out.push(',');
        }
        quote(name, out);
    }
    out.push('\n');
}

/// Adds a line. Says `false` for a row that has no exact form; part of its line may have been added then.
pub(super) fn line(columns: &[Column<'_>], cells: &[Cell<'_>], out: &mut String) -> bool {
    for (at, (column, cell)) in columns.iter().zip(cells).enumerate() {
        if at > 0 {
            out.push(',');
        }
        match written(column, cell) {
            // An empty line would be passed over.
            Some(Written::Null) if columns.len() == 1 => out.push_str("\"\""),
            Some(Written::Null) => {}
            Some(Written::Plain(text)) => out.push_str(text),
            Some(Written::Quoted(text)) if is_fit(&text) => quote(&text, out),
            Some(Written::Quoted(_)) | None => return false,
        }
    }
    out.push('\n');
    true
}

/// What stands between two commas.
enum Written<'a> {
    Null,
    Plain(&'a str),
    Quoted(std::borrow::Cow<'a, str>),
}

/// Whether a text stays what it is between quotes.
fn is_fit(text: &str) -> bool {
    !text.is_empty() && !text.contains(['\n', '\r'])
}

fn written<'a>(column: &Column<'_>, cell: &'a Cell<'_>) -> Option<Written<'a>> {
    Some(match cell {
        Cell::Null => Written::Null,
        Cell::One(Scalar::Plain(text)) => Written::Plain(text),
        Cell::One(Scalar::Json(text)) if column.levels > 1 => {
            Written::Quoted(nested(text, column.base, column.levels)?.into())
        }
        Cell::One(Scalar::Text(text) | Scalar::Json(text)) => Written::Quoted(text.as_ref().into()),
        Cell::Many(many) if column.base == "object" => {
            let mut text = String::new();
            json::array(many, &mut text);
            Written::Quoted(text.into())
        }
        Cell::Many(many) => Written::Quoted(literal(many).into()),
    })
}

/// An array literal: `{1,NULL,"a\"b"}`.
fn literal(many: &[Option<Scalar<'_>>]) -> String {
    let mut out = "{".to_owned();
    for (at, one) in many.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match one {
            None => out.push_str("NULL"),
            Some(Scalar::Plain(text)) => out.push_str(text),
            Some(Scalar::Text(text) | Scalar::Json(text)) => element(text, &mut out),
        }
    }
    out.push('}');
    out
}

/// The literal of an array of `levels` levels that came as JSON; `None` where it is another thing.
fn nested(text: &str, base: &str, levels: usize) -> Option<String> {
    let raw: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let mut out = "{".to_owned();
    for (at, raw) in raw.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let raw = raw.get();
        match raw.as_bytes().first()? {
            b'n' => out.push_str("NULL"),
            b'[' if levels == 2 && base == "object" => element(raw, &mut out),
            b'[' if levels > 1 => element(&nested(raw, base, levels - 1)?, &mut out),
            b'"' => element(&serde_json::from_str::<String>(raw).ok()?, &mut out),
            // A point, or an object.
            b'[' | b'{' => element(raw, &mut out),
            _ => out.push_str(raw),
        }
    }
    out.push('}');
    Some(out)
}

/// An element of a literal between quotes.
fn element(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::tests::{column, json, many, plain, text};
    use super::*;

    #[track_caller]
    fn check(kind: &str, cell: Cell<'_>, expected: Option<&str>) {
        let mut line = String::new();
        let is_written = self::line(&[column("id", "integer"), column("c", kind)], &[plain("1"), cell], &mut line);
        assert_eq!(is_written.then_some(line), expected.map(|text| format!("1,{text}\n")));
    }

    #[test]
    fn values_stand_between_commas() {
        check("bigint", plain("-5"), Some("-5"));
        check("text", Cell::Null, Some(""));
        check("text", text("say \"hi\", ü "), Some("\"say \"\"hi\"\", ü \""));
        check("text", text("NULL"), Some("\"NULL\""));
        for unfit in ["", "a\nb", "\r"] {
            check("text", text(unfit), None);
        }
        check("geo_point", json("[1.0,2.0]"), Some("\"[1.0,2.0]\""));
        check("object", json("{\"a\":\"\\n\"}"), Some("\"{\"\"a\"\":\"\"\\n\"\"}\""));
    }

    #[test]
    fn arrays_are_literals_or_json() {
        let texts = many(&[Some(text("a\"b")), Some(text("c\\d")), None, Some(text(""))]);
        check("text_array", texts, Some("\"{\"\"a\\\"\"b\"\",\"\"c\\\\d\"\",NULL,\"\"\"\"}\""));
        check("text_array", many(&[Some(text("a\nb"))]), None);
        check("integer_array", many(&[Some(plain("1")), None]), Some("\"{1,NULL}\""));
        check("object_array", many(&[Some(json("{}")), None]), Some("\"[{},null]\""));
        check("geo_point_array", many(&[Some(json("[1.0,2.0]"))]), Some("\"{\"\"[1.0,2.0]\"\"}\""));
    }

    #[test]
    fn arrays_of_arrays_are_literals_within_literals() {
        let check = |kind: &str, text: &str, expected: &str| {
            let mut out = String::new();
            assert!(line(&[column("c", kind)], &[json(text)], &mut out), "{kind}");
            assert_eq!(out.trim_end().replace("\"\"", "\"").trim_matches('"'), expected.trim_matches('"'));
        };
        check("integer_array_array", "[[1,2],[null],[],null]", r#"{"{1,2}","{NULL}","{}",NULL}"#);
        check("text_array_array", r#"[["a\"\u00fc"]]"#, r#"{"{\"a\\\"ü\"}"}"#);
        check("numeric_array_array", r#"[["1.50"]]"#, r#"{"{\"1.50\"}"}"#);
        check("geo_point_array_array", "[[[1.0,2.0],null]]", r#"{"{\"[1.0,2.0]\",NULL}"}"#);
        check("object_array_array", r#"[[{"a":"\""}],[]]"#, r#"{"[{\"a\":\"\\\"\"}]","[]"}"#);
        check("integer_array_array_array", "[[[1]],[]]", r#"{"{\"{1}\"}","{}"}"#);
    }

    #[test]
    fn a_line_is_never_empty() {
        let mut out = String::new();
        header(["a\"b", "c d"].into_iter(), &mut out);
        assert!(line(&[column("c", "text")], &[Cell::Null], &mut out));
        assert_eq!(out, "\"a\"\"b\",\"c d\"\n\"\"\n");
    }
}
