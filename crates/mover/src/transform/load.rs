//! Keys and values of a lookup as a cluster tells them.

use transship_cluster::Value as Told;
use transship_sql::scalar::{Kind, ScalarType};

use super::decimal::Decimal;
use super::value::Value;

/// The text of a key; `Some(None)` for NULL, `None` for what is no key.
#[expect(clippy::option_option, reason = "a key that is NULL is another thing than none")]
pub(crate) fn key(told: &Told) -> Option<Option<String>> {
    Some(match told {
        Told::Null => None,
        Told::Bool(value) => Some(if *value { "t" } else { "f" }.to_owned()),
        Told::Int(value) => Some(value.to_string()),
        Told::Text(text) => Some(text.clone()),
        _ => return None,
    })
}

/// A value of a type; `Some(None)` for NULL, `None` for one of another type.
#[expect(clippy::option_option, reason = "a value that is NULL is another thing than none")]
pub(crate) fn value(told: &Told, data_type: &ScalarType) -> Option<Option<Value<'static>>> {
    Some(Some(match (told, data_type.kind) {
        (Told::Null, _) => return Some(None),
        (Told::Bool(value), Kind::Boolean) => Value::Bool(*value),
        (Told::Int(value), Kind::Time) => Value::Time(*value),
        (Told::Int(value), kind) if kind.is_whole() => Value::Whole(*value),
        (Told::Float(value), Kind::Double) => Value::Double(*value),
        #[expect(clippy::cast_possible_truncation, reason = "it was a number of 32 bits before")]
        (Told::Float(value), Kind::Real) => Value::Real(*value as f32),
        (Told::Text(text), Kind::Numeric) => Value::Numeric(Decimal::of_text(text)?),
        (Told::Text(text), Kind::Text | Kind::Uuid | Kind::Ip) => Value::Text(text.clone().into()),
        _ => return None,
    }))
}
