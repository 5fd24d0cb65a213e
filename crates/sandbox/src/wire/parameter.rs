//! Parameters to values.

use bytes::Buf;

use super::binary::EPOCH;
use crate::cast;
use crate::decimal::Decimal;
use crate::error::{Result, SqlError};
use crate::json;
use crate::types::DataType;
use crate::value::Value;

/// Reads a parameter of a type in one of the two formats.
pub(super) fn decode(raw: Option<&[u8]>, data_type: &DataType, is_binary: bool) -> Result<Value> {
    let Some(raw) = raw else { return Ok(Value::Null) };
    if is_binary {
        let unreadable =
            || SqlError::internal(format!("a binary parameter of type {} cannot be read", data_type.name()));
        return binary(raw, data_type).ok_or_else(unreadable);
    }
    let text = std::str::from_utf8(raw).map_err(|_| SqlError::internal("a parameter is not UTF-8"))?;
    if data_type.oid() == 114 {
        return json::parse(text).ok_or_else(|| SqlError::internal(format!("`{text}` is no JSON")));
    }
    cast::convert(&Value::text(text), data_type).ok_or_else(|| match data_type {
        number if number.is_number() => SqlError::internal(format!("For input string: \"{text}\"")),
        other => SqlError::internal(format!("Cannot cast value `{text}` to type `{}`", other.name())),
    })
}

fn binary(mut raw: &[u8], data_type: &DataType) -> Option<Value> {
    match data_type {
        DataType::Boolean => Some(Value::Bool(raw.try_get_u8().ok()? != 0)),
        DataType::Byte => Some(Value::Int(raw.try_get_i8().ok()?.into())),
        DataType::Smallint => Some(Value::Int(raw.try_get_i16().ok()?.into())),
        DataType::Integer | DataType::Regclass => Some(Value::Int(raw.try_get_i32().ok()?.into())),
        DataType::Bigint => Some(Value::Int(raw.try_get_i64().ok()?)),
        DataType::Real => Some(Value::Float(raw.try_get_f32().ok()?.into())),
        DataType::Double => Some(Value::Float(raw.try_get_f64().ok()?)),
        DataType::Numeric(_) => numeric(raw).map(Value::Numeric),
        DataType::Timestamptz | DataType::Timestamp => {
            Some(Value::Time(raw.try_get_i64().ok()?.div_euclid(1_000) + EPOCH))
        }
        DataType::Interval => {
            let microseconds = raw.try_get_i64().ok()?;
            let (days, months) = (raw.try_get_i32().ok()?, raw.try_get_i32().ok()?);
            Some(Value::Interval(microseconds / 1_000 + (i64::from(days) + i64::from(months) * 30) * 86_400_000))
        }
        DataType::Uuid => cast::convert(&Value::Text(format!("{:032x}", raw.try_get_u128().ok()?)), data_type),
        DataType::Bit(_) => {
            let length = usize::try_from(raw.try_get_i32().ok()?).ok()?;
            let bit = |at: usize| Some(raw.get(at / 8)? >> (7 - at % 8) & 1 == 1);
            (0..length).map(bit).collect::<Option<_>>().map(Value::Bits)
        }
        DataType::GeoPoint => Some(Value::Point(raw.try_get_f64().ok()?, raw.try_get_f64().ok()?)),
        DataType::Object(..) | DataType::GeoShape => json::parse(std::str::from_utf8(raw).ok()?),
        DataType::FloatVector(_) => array(raw, &DataType::Real),
        DataType::Array(element) => match element.as_ref() {
            DataType::Array(_) => json::parse(std::str::from_utf8(raw).ok()?),
            element => array(raw, element),
        },
        _ => String::from_utf8(raw.to_vec()).ok().map(Value::Text),
    }
}

fn array(mut raw: &[u8], element: &DataType) -> Option<Value> {
    let dimensions = raw.try_get_i32().ok()?;
    let (_has_nulls, oid) = (raw.try_get_i32().ok()?, raw.try_get_u32().ok()?);
    let element = DataType::of_oid(oid).unwrap_or_else(|| element.clone());
    if dimensions == 0 {
        return Some(Value::Array(Vec::new()));
    }
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(usize::try_from(raw.try_get_i32().ok()?).ok()?);
        raw.try_get_i32().ok()?;
    }
    nested(&mut raw, &lengths, &element)
}

fn nested(raw: &mut &[u8], lengths: &[usize], element: &DataType) -> Option<Value> {
    let (length, rest) = lengths.split_first()?;
    let mut items = Vec::with_capacity((*length).min(100_000));
    for _ in 0..*length {
        if !rest.is_empty() {
            items.push(nested(raw, rest, element)?);
            continue;
        }
        let size = raw.try_get_i32().ok()?;
        let Ok(size) = usize::try_from(size) else {
            items.push(Value::Null);
            continue;
        };
        items.push(binary(raw.get(..size)?, element)?);
        raw.advance(size);
    }
    Some(Value::Array(items))
}

fn numeric(mut raw: &[u8]) -> Option<Decimal> {
    let (count, weight) = (raw.try_get_i16().ok()?, raw.try_get_i16().ok()?);
    let (sign, scale) = (raw.try_get_u16().ok()?, u32::try_from(raw.try_get_i16().ok()?).ok()?);
    let mut unscaled = 0_i128;
    for _ in 0..count {
        unscaled = unscaled.checked_mul(10_000)?.checked_add(raw.try_get_i16().ok()?.into())?;
    }
    let written = i32::from(count - 1 - weight) * 4;
    let number = if written >= 0 {
        Decimal::new(unscaled, written.unsigned_abs())
    } else {
        Decimal::new(unscaled.checked_mul(10_i128.checked_pow(written.unsigned_abs())?)?, 0)
    };
    let signed = if sign == 0x4000 { Decimal::new(-number.unscaled, number.scale) } else { number };
    (sign & 0x8000 == 0).then(|| signed.with_scale(scale)).flatten()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::super::binary;
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let decimal = |text: &str| Value::Numeric(Decimal::parse(text).unwrap());
        for (value, data_type) in [
            (decimal("12345678901234.567891"), DataType::Numeric(None)),
            (decimal("-0.00050"), DataType::Numeric(None)),
            (decimal("50000"), DataType::Numeric(None)),
            (decimal("0.00"), DataType::Numeric(None)),
            (Value::Time(-1), DataType::Timestamptz),
            (Value::Bits(vec![true, false, true, true, false, false, false, false, true]), DataType::Bit(9)),
            (Value::Array(vec![Value::Int(1), Value::Null]), DataType::Integer.array()),
            (Value::Array(vec![Value::object([("a", Value::Null)])]), DataType::object().array()),
            (Value::text("00010203-0405-0607-0809-0a0b0c0d0e0f"), DataType::Uuid),
            (Value::Point(9.7438, -47.25), DataType::GeoPoint),
            (Value::Float(f64::INFINITY), DataType::Real),
        ] {
            let mut out = BytesMut::new();
            binary::encode(&value, &data_type, &mut out);
            assert_eq!(decode(Some(&out), &data_type, true), Ok(value));
        }
    }
}
