//! Rows as objects of JSON, in the form that COPY FROM reads exactly: digits of a `NUMERIC` and bits as texts.

use super::Column;
use super::cell::{Cell, Scalar};

/// Adds a line; always possible.
pub(super) fn line(columns: &[Column<'_>], cells: &[Cell<'_>], out: &mut String) -> bool {
    for (at, (column, cell)) in columns.iter().zip(cells).enumerate() {
        out.push(if at == 0 { '{' } else { ',' });
        string(column.name, out);
        out.push(':');
        value(cell, out);
    }
    out.push_str("}\n");
    true
}

/// Adds a value.
pub(super) fn value(cell: &Cell<'_>, out: &mut String) {
    match cell {
        Cell::Null => out.push_str("null"),
        Cell::One(one) => scalar(one, out),
        Cell::Many(many) => array(many, out),
    }
}

/// Adds an array.
pub(super) fn array(many: &[Option<Scalar<'_>>], out: &mut String) {
    out.push('[');
    for (at, one) in many.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match one {
            None => out.push_str("null"),
            Some(one) => scalar(one, out),
        }
    }
    out.push(']');
}

fn scalar(one: &Scalar<'_>, out: &mut String) {
    match one {
        Scalar::Plain(text) => out.push_str(text),
        Scalar::Text(text) => string(text, out),
        Scalar::Json(text) => out.push_str(text),
    }
}

fn string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use super::super::tests::{column, json, many, plain, text};
    use super::*;

    #[test]
    fn a_row_is_an_object() {
        let columns =
            ["integer", "text", "object", "numeric_array", "object_array", "text"].map(|kind| column("a\"b", kind));
        let cells = [
            plain("1"),
            text("x\n\"ü"),
            json("{\"n\":\"1.50\"}"),
            many(&[Some(text("0.10")), None]),
            many(&[Some(json("{}"))]),
            Cell::Null,
        ];
        let mut line = String::new();
        assert!(self::line(&columns, &cells, &mut line));
        assert_eq!(
            line.replace("a\\\"b", "c"),
            "{\"c\":1,\"c\":\"x\\n\\\"ü\",\"c\":{\"n\":\"1.50\"},\"c\":[\"0.10\",null],\"c\":[{}],\"c\":null}\n"
        );
    }
}
