//! Values that go to and come from a server.

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{ToSql, Type};

/// One value of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of any width.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A text; a `NUMERIC` and a `UUID` are texts too, to keep every digit.
    Text(String),
    /// A point in time; one without a time zone is read as UTC.
    Time(Timestamp),
    /// An object.
    Json(serde_json::Value),
    /// An array.
    List(Vec<Value>),
}

impl Value {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Time(_) => "a time",
            Self::Json(_) => "an object",
            Self::List(_) => "an array",
        }
    }
}

/// A parameter of a statement.
#[derive(Clone)]
pub enum Bind {
    /// A text.
    Text(String),
    /// A text or NULL.
    OptText(Option<String>),
    /// An integer.
    Int(i64),
    /// A text that is never printed.
    Secret(SecretString),
    /// An array of texts that are never printed.
    Secrets(Vec<SecretString>),
    /// An object.
    Json(serde_json::Value),
    /// An array of texts.
    TextList(Vec<String>),
    /// An array of texts that are never printed.
    SecretList(Vec<SecretString>),
    /// A point in time.
    Time(Timestamp),
    /// A boolean.
    Bool(bool),
}

impl Bind {
    /// What tokio-postgres sends, with the type that CrateDB is told.
    pub(crate) fn encode(&self) -> (Box<dyn ToSql + Sync + Send>, Type) {
        match self {
            Self::Text(text) => (Box::new(text.clone()), Type::VARCHAR),
            Self::OptText(text) => (Box::new(text.clone()), Type::VARCHAR),
            Self::Int(number) => (Box::new(*number), Type::INT8),
            Self::Secret(secret) => (Box::new(secret.expose_secret().to_owned()), Type::VARCHAR),
            Self::Secrets(secrets) => {
                let texts: Vec<String> = secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect();
                (Box::new(texts), Type::VARCHAR_ARRAY)
            }
            Self::Json(json) => (Box::new(json.clone()), Type::JSON),
            Self::TextList(texts) => (Box::new(texts.clone()), Type::VARCHAR_ARRAY),
            Self::SecretList(secrets) => {
                let texts: Vec<String> = secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect();
                (Box::new(texts), Type::VARCHAR_ARRAY)
            }
            Self::Time(time) => (Box::new(*time), Type::TIMESTAMPTZ),
            Self::Bool(bool) => (Box::new(*bool), Type::BOOL),
        }
    }
}

/// Shows the kind of a parameter, never its value.
impl fmt::Debug for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) | Self::OptText(_) => "Text(…)",
            Self::Int(_) => "Int(…)",
            Self::Secret(_) => "Secret(***)",
            Self::Secrets(_) => "Secrets(***)",
            Self::Json(_) => "Json(…)",
            Self::TextList(_) => "TextList(…)",
            Self::SecretList(_) => "SecretList(***)",
            Self::Time(_) => "Time(…)",
            Self::Bool(_) => "Bool(…)",
        })
    }
}

/// The rows of an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
}

/// A value that is not what the reader of an answer expects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}` of the answer is {found}, not {expected}")]
pub struct ValueError {
    /// The column.
    pub column: String,
    /// What the reader expects.
    pub expected: &'static str,
    /// What the server sent.
    pub found: String,
}

impl Rows {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The value in row `row` of `column`.
    pub fn value(&self, row: usize, column: &str) -> Result<&Value, ValueError> {
        let at = self.columns.iter().position(|name| name == column);
        at.and_then(|at| self.rows.get(row)?.get(at)).ok_or_else(|| ValueError {
            column: column.to_owned(),
            expected: "a value",
            found: "missing".to_owned(),
        })
    }

    /// A text.
    pub fn text(&self, row: usize, column: &str) -> Result<&str, ValueError> {
        self.get(row, column, "a text", as_text)
    }

    /// A text or NULL.
    pub fn opt_text(&self, row: usize, column: &str) -> Result<Option<&str>, ValueError> {
        self.opt(row, column, "a text", as_text)
    }

    /// An integer.
    pub fn int(&self, row: usize, column: &str) -> Result<i64, ValueError> {
        self.get(row, column, "an integer", as_int)
    }

    /// An integer or NULL.
    pub fn opt_int(&self, row: usize, column: &str) -> Result<Option<i64>, ValueError> {
        self.opt(row, column, "an integer", as_int)
    }

    /// A boolean.
    pub fn bool(&self, row: usize, column: &str) -> Result<bool, ValueError> {
        self.get(row, column, "a boolean", as_bool)
    }

    /// A boolean or NULL.
    pub fn opt_bool(&self, row: usize, column: &str) -> Result<Option<bool>, ValueError> {
        self.opt(row, column, "a boolean", as_bool)
    }

    /// A point in time.
    pub fn time(&self, row: usize, column: &str) -> Result<Timestamp, ValueError> {
        self.get(row, column, "a time", |value| if let Value::Time(time) = value { Some(*time) } else { None })
    }

    /// A point in time or NULL.
    pub fn opt_time(&self, row: usize, column: &str) -> Result<Option<Timestamp>, ValueError> {
        self.opt(row, column, "a time", |value| if let Value::Time(time) = value { Some(*time) } else { None })
    }

    /// The texts of an array, without its NULLs; empty for NULL.
    pub fn texts(&self, row: usize, column: &str) -> Result<Vec<String>, ValueError> {
        let texts = self.opt(row, column, "an array of texts", as_list)?.unwrap_or_default();
        texts
            .iter()
            .filter(|value| **value != Value::Null)
            .map(|value| as_text(value).map(str::to_owned).ok_or_else(|| wrong(column, "an array of texts", value)))
            .collect()
    }

    /// The elements of an array; empty for NULL.
    pub fn list(&self, row: usize, column: &str) -> Result<&[Value], ValueError> {
        Ok(self.opt(row, column, "an array", as_list)?.unwrap_or_default())
    }

    /// Whether row `row` of `column` is NULL.
    pub fn is_null(&self, row: usize, column: &str) -> Result<bool, ValueError> {
        Ok(*self.value(row, column)? == Value::Null)
    }

    fn get<'a, T>(
        &'a self,
        row: usize,
        column: &str,
        expected: &'static str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<T, ValueError> {
        let value = self.value(row, column)?;
        read(value).ok_or_else(|| wrong(column, expected, value))
    }

    fn opt<'a, T>(
        &'a self,
        row: usize,
        column: &str,
        expected: &'static str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ValueError> {
        if self.is_null(row, column)? { Ok(None) } else { self.get(row, column, expected, read).map(Some) }
    }
}

fn wrong(column: &str, expected: &'static str, value: &Value) -> ValueError {
    ValueError { column: column.to_owned(), expected, found: value.kind().to_owned() }
}

fn as_text(value: &Value) -> Option<&str> {
    if let Value::Text(text) = value { Some(text) } else { None }
}

fn as_int(value: &Value) -> Option<i64> {
    if let Value::Int(number) = value { Some(*number) } else { None }
}

fn as_bool(value: &Value) -> Option<bool> {
    if let Value::Bool(bool) = value { Some(*bool) } else { None }
}

fn as_list(value: &Value) -> Option<&[Value]> {
    if let Value::List(values) = value { Some(values) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let list = Value::List(vec![Value::Text("a".into()), Value::Null]);
        Rows {
            columns: vec!["t".into(), "n".into(), "l".into()],
            rows: vec![vec![Value::Text("x".into()), Value::Null, list]],
        }
    }

    #[test]
    fn getters_name_the_column_that_is_wrong() {
        assert_eq!(rows().text(0, "t"), Ok("x"));
        assert_eq!(rows().opt_text(0, "n"), Ok(None));
        assert_eq!(rows().texts(0, "l"), Ok(vec!["a".to_owned()]));
        assert_eq!(rows().texts(0, "n"), Ok(vec![]));
        let message = |error: ValueError| error.to_string();
        assert_eq!(
            rows().int(0, "t").map_err(message),
            Err("column `t` of the answer is a text, not an integer".into())
        );
        assert_eq!(rows().int(0, "n").map_err(message), Err("column `n` of the answer is null, not an integer".into()));
        assert_eq!(
            rows().text(0, "z").map_err(message),
            Err("column `z` of the answer is missing, not a value".into())
        );
        assert_eq!(
            rows().text(1, "t").map_err(message),
            Err("column `t` of the answer is missing, not a value".into())
        );
    }

    #[test]
    fn a_secret_is_never_printed() {
        let shown = format!("{:?}", [Bind::Secret("canary".into()), Bind::Text("canary".into())]);
        assert!(!shown.contains("canary"), "{shown}");
    }
}
