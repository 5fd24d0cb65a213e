//! Lines of files that COPY FROM reads: JSON objects and CSV.

use super::copy_from::Settings;
use crate::decimal::Decimal;
use crate::error::{Result, SqlError};
use crate::types::DataType;
use crate::value::Value;

/// A line, as the columns that it names with their values.
pub(super) struct Line {
    pub(super) fields: Vec<(String, Value)>,
}

/// The lines of a text with their numbers. `names` are the columns of CSV without a header, in their order.
pub(super) fn lines(text: &str, settings: &Settings, names: Vec<String>) -> Vec<(i64, Result<Line>)> {
    let mut names = names;
    let mut needs_header = settings.is_csv && settings.has_header;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        if needs_header {
            names = split(line, settings.delimiter).unwrap_or_default();
            needs_header = false;
            continue;
        }
        found.push((number, if settings.is_csv { csv(number, line, &names, settings) } else { json(line) }));
    }
    found
}

fn json(line: &str) -> Result<Line> {
    match crate::json::parse(line) {
        Some(Value::Object(fields)) => Ok(Line { fields: fields.into_iter().collect() }),
        _ => Err(SqlError::internal("JSON parser error: Failed to parse content to map")),
    }
}

fn csv(number: i64, line: &str, names: &[String], settings: &Settings) -> Result<Line> {
    let cells = split(line, settings.delimiter)?;
    if !settings.has_header && cells.len() < names.len() {
        return Err(SqlError::internal(format!(
            "Expected {} values, encountered {} at line {number}. This is not allowed when there is no header provided)",
            names.len(),
            cells.len()
        )));
    }
    let value = |cell: String| if settings.empty_is_null && cell.is_empty() { Value::Null } else { Value::Text(cell) };
    Ok(Line { fields: names.iter().cloned().zip(cells.into_iter().map(value)).collect() })
}

/// The cells of a line. Within quotes a quote is doubled; a cell cannot go on in the next line.
fn split(line: &str, delimiter: char) -> Result<Vec<String>> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let cell = cells.last_mut().expect("there is always one");
        match character {
            '"' if is_quoted && characters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if is_quoted || cell.is_empty() => is_quoted = !is_quoted,
            other if other == delimiter && !is_quoted => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    if is_quoted {
        let column = line.chars().count() + 1;
        return Err(SqlError::internal(format!(
            "Missing closing quote for value\n at [Source: (byte[])\"{line}\"; line: 1, column: {column}]"
        )));
    }
    Ok(cells)
}

/// A value as an import takes it: numbers of JSON go through a double on their way to NUMERIC, and BIT is not taken in
/// the form in which it was exported.
pub(super) fn as_imported(value: &Value, target: &DataType) -> Result<Value> {
    match (target, value) {
        (DataType::Numeric(_), Value::Numeric(number)) => {
            let bent = Decimal::parse(&crate::cast::float_text(number.to_f64()));
            Ok(bent.map_or(Value::Null, Value::Numeric))
        }
        (DataType::Bit(_), Value::Text(text)) if text.starts_with("B'") => {
            Err(SqlError::internal(format!("Cannot cast value `{text}` to type `{}`", target.name())))
        }
        (DataType::Array(element), Value::Array(items)) => {
            items.iter().map(|item| as_imported(item, element)).collect::<Result<_>>().map(Value::Array)
        }
        (DataType::Object(_, fields), Value::Object(found)) => {
            let field = |(name, value): (&String, &Value)| {
                let field = fields.iter().find(|field| field.name == *name);
                let value = field.map_or_else(|| Ok(value.clone()), |field| as_imported(value, &field.data_type))?;
                Ok((name.clone(), value))
            };
            found.iter().map(field).collect::<Result<_>>().map(Value::Object)
        }
        _ => Ok(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_split() {
        let check = |line: &str, expected: &[&str]| assert_eq!(split(line, ',').unwrap(), expected, "{line}");
        check("1,\"a,b\",", &["1", "a,b", ""]);
        check("\"q\"\"x\",\"{\"\"a\"\":1}\"", &["q\"x", "{\"a\":1}"]);
        assert!(split("1,\"a", ',').is_err());
    }

    #[test]
    fn json_bends_long_numbers() {
        let bent = |text: &str| {
            let value = crate::json::parse(text).unwrap();
            as_imported(&value, &DataType::Numeric(Some((20, 6)))).ok().map(|value| value.to_json())
        };
        assert_eq!(bent("12345678901234.567891").as_deref(), Some("12345678901234.568"));
        assert_eq!(bent("1.5").as_deref(), Some("1.5"));
    }
}
