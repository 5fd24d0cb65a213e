//! Values from one type to another.

use std::collections::BTreeMap;

use crate::decimal::Decimal;
use crate::error::{Result, SqlError};
use crate::json;
use crate::time;
use crate::types::DataType;
use crate::value::{Value, bit_text};

/// `value` as `target`, or an error that names the value.
pub(crate) fn cast(value: &Value, target: &DataType) -> Result<Value> {
    convert(value, target)
        .ok_or_else(|| SqlError::internal(format!("Cannot cast value `{}` to type `{}`", show(value), target.name())))
}

/// A value as messages show it.
pub(crate) fn show(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => text_of(other).unwrap_or_else(|| "NULL".to_owned()),
    }
}

/// `value` as `target`; `None` if it cannot be.
pub(crate) fn convert(value: &Value, target: &DataType) -> Option<Value> {
    if value.is_null() {
        return Some(Value::Null);
    }
    match target {
        DataType::Undefined => Some(value.clone()),
        DataType::Boolean => boolean(value),
        DataType::Byte => integer(value, i8::MIN.into(), i8::MAX.into()),
        DataType::Smallint => integer(value, i16::MIN.into(), i16::MAX.into()),
        DataType::Integer | DataType::Regclass => integer(value, i32::MIN.into(), i32::MAX.into()),
        DataType::Bigint => integer(value, i64::MIN, i64::MAX),
        DataType::Real => real(value),
        DataType::Double => float(value).map(Value::Float),
        DataType::Numeric(limits) => numeric(value, *limits),
        DataType::Text => text_of(value).map(Value::Text),
        DataType::Varchar(length) => {
            text_of(value).map(|text| Value::Text(text.chars().take(*length as usize).collect()))
        }
        DataType::Character(length) => Some(character(&text_of(value)?, *length as usize)),
        DataType::Ip => address(value),
        DataType::Timestamptz => timestamp(value, true),
        DataType::Timestamp => timestamp(value, false),
        DataType::Interval => match value {
            Value::Interval(_) => Some(value.clone()),
            _ => time::parse_interval(value.as_text()?).map(Value::Interval),
        },
        DataType::Uuid => uuid(value.as_text()?).map(Value::Text),
        DataType::Bit(length) => bits(value, *length as usize),
        DataType::FloatVector(dimensions) => vector(value, *dimensions as usize),
        DataType::GeoPoint => point(value),
        DataType::GeoShape => shape(value),
        DataType::Object(_, fields) => object(value, fields),
        DataType::Array(element) => array(value, element),
    }
}

fn boolean(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => Some(value.clone()),
        Value::Int(number) => Some(Value::Bool(*number != 0)),
        Value::Text(text) => match text.to_lowercase().as_str() {
            "t" | "true" | "1" => Some(Value::Bool(true)),
            "f" | "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        _ => None,
    }
}

fn integer(value: &Value, low: i64, high: i64) -> Option<Value> {
    let number = match value {
        Value::Int(number) | Value::Time(number) => *number,
        Value::Relation(oid, _) => i64::from(*oid),
        Value::Bool(bool) => i64::from(*bool),
        Value::Float(number) if number.is_finite() => whole(number.trunc())?,
        Value::Numeric(number) => i64::try_from(number.unscaled / 10_i128.checked_pow(number.scale)?).ok()?,
        Value::Text(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (low..=high).contains(&number).then_some(Value::Int(number))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the range is checked")]
fn whole(number: f64) -> Option<i64> {
    (number.abs() < i64::MAX as f64).then_some(number as i64)
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Text(text) => match text.trim() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            hexadecimal if hexadecimal.starts_with("0x") => hexadecimal_float(hexadecimal),
            text => text.parse().ok(),
        },
        Value::Bool(bool) => Some(f64::from(u8::from(*bool))),
        other => other.as_float(),
    }
}

/// Java's hexadecimal form of whole numbers, `0xffp0`.
#[expect(clippy::cast_precision_loss, reason = "that is what the cast is for")]
fn hexadecimal_float(text: &str) -> Option<f64> {
    let digits = text.strip_prefix("0x")?.strip_suffix("p0")?;
    u64::from_str_radix(digits, 16).ok().map(|number| number as f64)
}

#[expect(clippy::cast_possible_truncation, reason = "REAL has less digits")]
fn real(value: &Value) -> Option<Value> {
    let number = float(value)?;
    let narrow = match value {
        Value::Text(text) => text.trim().parse::<f32>().unwrap_or(number as f32),
        _ => number as f32,
    };
    (number.is_infinite() || !narrow.is_infinite()).then_some(Value::Float(f64::from(narrow)))
}

fn numeric(value: &Value, limits: Option<(u32, u32)>) -> Option<Value> {
    let number = match value {
        Value::Numeric(number) => *number,
        Value::Int(number) => Decimal::new((*number).into(), 0),
        Value::Float(number) => Decimal::parse(&float_text(*number))?,
        Value::Text(text) => Decimal::parse(text)?,
        _ => return None,
    };
    let Some((precision, scale)) = limits else { return Some(Value::Numeric(number)) };
    let fitted = number.with_scale(scale)?;
    (fitted.precision() <= precision).then_some(Value::Numeric(fitted))
}

fn character(text: &str, length: usize) -> Value {
    let cut: String = text.chars().take(length).collect();
    Value::Text(format!("{cut:<length$}"))
}

fn address(value: &Value) -> Option<Value> {
    let text = value.as_text()?;
    text.parse::<std::net::IpAddr>().ok().map(|address| Value::Text(address.to_string()))
}

fn timestamp(value: &Value, keep_offset: bool) -> Option<Value> {
    match value {
        Value::Time(_) => Some(value.clone()),
        Value::Int(number) => Some(Value::Time(*number)),
        Value::Float(number) => whole(*number).map(Value::Time),
        Value::Text(text) => time::parse(text, keep_offset).map(Value::Time),
        _ => None,
    }
}

fn uuid(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|character| *character != '-').collect();
    let number = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
    let digits = format!("{number:032x}");
    Some(format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]))
}

fn bits(value: &Value, length: usize) -> Option<Value> {
    let bits = match value {
        Value::Bits(bits) => bits.clone(),
        Value::Text(text) => {
            let digits = text.strip_prefix("B'").and_then(|rest| rest.strip_suffix('\'')).unwrap_or(text);
            digits
                .chars()
                .map(|digit| match digit {
                    '0' => Some(false),
                    '1' => Some(true),
                    _ => None,
                })
                .collect::<Option<_>>()?
        }
        _ => return None,
    };
    (length == 0 || bits.len() == length).then_some(Value::Bits(bits))
}

fn vector(value: &Value, dimensions: usize) -> Option<Value> {
    let Value::Array(items) = value else { return None };
    let items: Vec<Value> = items.iter().map(real).collect::<Option<_>>()?;
    (dimensions == 0 || items.len() == dimensions).then_some(Value::Array(items))
}

fn point(value: &Value) -> Option<Value> {
    let (lon, lat) = match value {
        Value::Point(..) => return Some(value.clone()),
        Value::Array(items) => match items.as_slice() {
            [lon, lat] => (float(lon)?, float(lat)?),
            _ => return None,
        },
        Value::Text(text) => {
            let upper = text.trim().to_uppercase();
            let inner = upper.strip_prefix("POINT")?.trim().strip_prefix('(')?.strip_suffix(')')?;
            let mut numbers = inner.split_whitespace().map(str::parse::<f64>);
            (numbers.next()?.ok()?, numbers.next()?.ok()?)
        }
        _ => return None,
    };
    ((-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat)).then_some(Value::Point(lon, lat))
}

/// `GeoJSON` is kept as it is; of WKT, points, lines and polygons are read.
fn shape(value: &Value) -> Option<Value> {
    let text = match value {
        Value::Object(_) => return Some(value.clone()),
        Value::Text(text) if text.trim_start().starts_with('{') => return json::parse(text),
        Value::Text(text) => text.trim(),
        _ => return None,
    };
    let (word, rest) = text.split_at(text.find('(')?);
    let (kind, depth) = match word.trim().to_uppercase().as_str() {
        "POINT" => ("Point", 0),
        "LINESTRING" => ("LineString", 1),
        "POLYGON" => ("Polygon", 2),
        _ => return None,
    };
    let json = coordinates(rest, depth)?;
    Some(Value::object([("type", Value::text(kind)), ("coordinates", json)]))
}

fn coordinates(text: &str, depth: u32) -> Option<Value> {
    let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    let position = |text: &str| {
        let numbers = text.split_whitespace().map(|number| number.parse().ok().map(Value::Float));
        numbers.collect::<Option<Vec<_>>>().map(Value::Array)
    };
    match depth {
        0 => position(inner),
        1 => inner.split(',').map(position).collect::<Option<_>>().map(Value::Array),
        _ => inner
            .split("),")
            .map(|ring| coordinates(&format!("{})", ring.trim().trim_end_matches(')')), depth - 1))
            .collect::<Option<_>>()
            .map(Value::Array),
    }
}

fn object(value: &Value, fields: &[crate::types::Field]) -> Option<Value> {
    let mut found: BTreeMap<String, Value> = match value {
        Value::Object(found) => found.clone(),
        Value::Text(text) => match json::parse(text)? {
            Value::Object(found) => found,
            _ => return None,
        },
        _ => return None,
    };
    for field in fields {
        if let Some(value) = found.get_mut(&field.name) {
            *value = convert(value, &field.data_type)?;
        }
    }
    Some(Value::Object(found))
}

fn array(value: &Value, element: &DataType) -> Option<Value> {
    let items = match value {
        Value::Array(items) => items.clone(),
        Value::Point(lon, lat) => vec![Value::Float(*lon), Value::Float(*lat)],
        Value::Text(text) if text.trim_start().starts_with('[') => match json::parse(text)? {
            Value::Array(items) => items,
            _ => return None,
        },
        Value::Text(text) if text.starts_with('{') && text.ends_with('}') => braces(&text[1..text.len() - 1]),
        _ => return None,
    };
    items.iter().map(|item| convert(item, element)).collect::<Option<_>>().map(Value::Array)
}

/// PostgreSQL's text form of arrays, without nesting.
fn braces(inner: &str) -> Vec<Value> {
    if inner.is_empty() {
        return Vec::new();
    }
    let item = |text: &str| if text == "NULL" { Value::Null } else { Value::text(text.trim_matches('"')) };
    inner.split(',').map(item).collect()
}

/// The text of a value, as a cast to TEXT gives it.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(bool) => bool.to_string(),
        Value::Int(number) | Value::Time(number) | Value::Interval(number) => number.to_string(),
        Value::Float(number) => float_text(*number),
        Value::Numeric(number) => number.to_string(),
        Value::Text(text) | Value::Relation(_, text) => text.clone(),
        Value::Bits(bits) => format!("B'{}'", bit_text(bits)),
        Value::Point(lon, lat) => format!("({},{})", float_text(*lon), float_text(*lat)),
        Value::Object(_) | Value::Array(_) => value.to_json(),
    })
}

/// Java's shortest form: always with a point.
pub(crate) fn float_text(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number.is_nan() {
        return "NaN".to_owned();
    }
    let size = number.abs();
    if size != 0.0 && !(1e-3..1e7).contains(&size) {
        let text = format!("{number:E}");
        return match text.split_once('E') {
            Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
            _ => text,
        };
    }
    let text = number.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: impl Into<String>, target: &DataType, expected: Option<&str>) {
        let value = Value::Text(value.into());
        assert_eq!(convert(&value, target).and_then(|value| text_of(&value)).as_deref(), expected, "{value:?}");
    }

    #[test]
    fn texts_become_what_they_say() {
        check("12", &DataType::Smallint, Some("12"));
        check("40000", &DataType::Smallint, None);
        check("9223372036854775808", &DataType::Bigint, None);
        check("2.345", &DataType::Numeric(Some((5, 2))), Some("2.35"));
        check("12345.6", &DataType::Numeric(Some((5, 2))), None);
        check("ab", &DataType::Character(4), Some("ab  "));
        check("10.0.0.1", &DataType::Ip, Some("10.0.0.1"));
        check("10.0.0", &DataType::Ip, None);
        check("1010", &DataType::Bit(4), Some("B'1010'"));
        check("101", &DataType::Bit(4), None);
        check("POINT (9.5 47.25)", &DataType::GeoPoint, Some("(9.5,47.25)"));
        check("POINT (1 2)", &DataType::GeoShape, Some(r#"{"coordinates":[1.0,2.0],"type":"Point"}"#));
        check("0xffp0", &DataType::Double, Some("255.0"));
        check("[1,null]", &DataType::Integer.array(), Some("[1,null]"));
        check("00010203-0405-0607-0809-0A0B0C0D0E0F", &DataType::Uuid, Some("00010203-0405-0607-0809-0a0b0c0d0e0f"));
    }
}
