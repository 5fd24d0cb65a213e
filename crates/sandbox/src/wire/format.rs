//! Values in the text format.

use crate::cast::float_text;
use crate::time;
use crate::types::DataType;
use crate::value::{Value, bit_text};

/// The text of a value; `None` for NULL.
pub(crate) fn encode(value: &Value, data_type: &DataType) -> Option<String> {
    Some(match (value, data_type) {
        (Value::Null, _) => return None,
        (Value::Bool(bool), _) => if *bool { "t" } else { "f" }.to_owned(),
        (Value::Time(at), DataType::Timestamptz) => format!("{}+00", time::format(*at)),
        (Value::Time(at), _) => time::format(*at),
        (Value::Float(number), DataType::Real) => real(*number),
        (Value::Float(number), _) => float_text(*number),
        (Value::Bits(bits), _) => bit_text(bits),
        (Value::Array(items), DataType::FloatVector(_)) => array(items, &DataType::Real),
        (Value::Array(items), DataType::Array(element)) => match element.as_ref() {
            DataType::Array(_) => value.to_json(),
            element => array(items, element),
        },
        (Value::Point(lon, lat), _) => format!("({},{})", float_text(*lon), float_text(*lat)),
        (Value::Interval(milliseconds), _) => interval(*milliseconds),
        (Value::Object(_) | Value::Array(_), _) => value.to_json(),
        (other, _) => crate::cast::text_of(other)?,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "the value was a REAL before")]
fn real(number: f64) -> String {
    float_text((number as f32).to_string().parse().unwrap_or(number))
}

fn interval(milliseconds: i64) -> String {
    let seconds = milliseconds / 1_000;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60, milliseconds % 1_000)
}

/// Every element in quotes. Quotes within are escaped in objects alone, as CrateDB does it.
fn array(items: &[Value], element: &DataType) -> String {
    let item = |item: &Value| match encode(item, element) {
        None => "NULL".to_owned(),
        Some(text) if element.oid() == 114 => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        Some(text) => format!("\"{text}\""),
    };
    format!("{{{}}}", items.iter().map(item).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_look_as_cratedb_shows_them() {
        for (value, data_type, expected) in [
            (Value::Bool(true), DataType::Boolean, "t"),
            (Value::Time(1_704_067_200_000), DataType::Timestamptz, "2024-01-01 00:00:00.000+00"),
            (Value::Time(1_704_067_200_000), DataType::Timestamp, "2024-01-01 00:00:00.000"),
            (Value::Float(f64::from(1.1_f32)), DataType::Real, "1.1"),
            (Value::texts(["a", "\""]), DataType::Text.array(), "{\"a\",\"\"\"}"),
            (Value::Array(vec![Value::Int(1), Value::Null]), DataType::Integer.array(), "{\"1\",NULL}"),
            (Value::Array(vec![Value::object([("q", Value::Int(1))])]), DataType::object().array(), r#"{"{\"q\":1}"}"#),
            (Value::Array(vec![Value::Array(vec![Value::Int(1)])]), DataType::Integer.array().array(), "[[1]]"),
            (Value::Point(9.5, 47.2), DataType::GeoPoint, "(9.5,47.2)"),
        ] {
            assert_eq!(encode(&value, &data_type).as_deref(), Some(expected));
        }
    }
}
