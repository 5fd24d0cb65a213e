//! Values in the binary format.

use bytes::{BufMut as _, BytesMut};

use crate::decimal::Decimal;
use crate::types::DataType;
use crate::value::Value;

/// Milliseconds from 1970 to 2000.
pub(super) const EPOCH: i64 = 946_684_800_000;

/// Writes a value that is not NULL.
pub(super) fn encode(value: &Value, data_type: &DataType, out: &mut BytesMut) {
    match (value, data_type) {
        (Value::Bool(bool), _) => out.put_u8(u8::from(*bool)),
        (Value::Int(number), _) => integer(*number, data_type, out),
        (Value::Relation(oid, _), _) => out.put_i32(*oid),
        #[expect(clippy::cast_possible_truncation, reason = "the value was a REAL before")]
        (Value::Float(number), DataType::Real) => out.put_f32(*number as f32),
        (Value::Float(number), _) => out.put_f64(*number),
        (Value::Numeric(number), _) => numeric(*number, out),
        (Value::Text(text), DataType::Uuid) => {
            let digits: String = text.chars().filter(|character| *character != '-').collect();
            out.put_u128(u128::from_str_radix(&digits, 16).unwrap_or(0));
        }
        (Value::Text(text), _) => out.put_slice(text.as_bytes()),
        (Value::Time(at), DataType::Timestamptz | DataType::Timestamp) => out.put_i64(microseconds(*at)),
        (Value::Time(at), _) => out.put_i64(*at),
        (Value::Interval(length), _) => {
            out.put_i64(length * 1_000);
            out.put_i64(0);
        }
        (Value::Bits(bits), _) => bit_string(bits, out),
        (Value::Point(lon, lat), _) => {
            out.put_f64(*lon);
            out.put_f64(*lat);
        }
        (Value::Array(items), DataType::FloatVector(_)) => array(items, &DataType::Real, false, out),
        (Value::Array(items), DataType::Array(element)) if !matches!(**element, DataType::Array(_)) => {
            array(items, element, true, out);
        }
        (other, _) => out.put_slice(other.to_json().as_bytes()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "values are within their types")]
fn integer(number: i64, data_type: &DataType, out: &mut BytesMut) {
    match data_type {
        DataType::Byte => out.put_i8(number as i8),
        DataType::Smallint => out.put_i16(number as i16),
        DataType::Integer | DataType::Regclass => out.put_i32(number as i32),
        #[expect(clippy::cast_precision_loss, reason = "the column is a float")]
        DataType::Double => out.put_f64(number as f64),
        #[expect(clippy::cast_precision_loss, reason = "the column is a float")]
        DataType::Real => out.put_f32(number as f32),
        DataType::Numeric(_) => numeric(Decimal::new(number.into(), 0), out),
        DataType::Timestamptz | DataType::Timestamp => out.put_i64(microseconds(number)),
        DataType::Undefined | DataType::Text => out.put_slice(number.to_string().as_bytes()),
        _ => out.put_i64(number),
    }
}

/// Microseconds since 2000 in 64 bits, which wrap around as CrateDB's do.
const fn microseconds(at: i64) -> i64 {
    at.wrapping_sub(EPOCH).wrapping_mul(1_000)
}

fn bit_string(bits: &[bool], out: &mut BytesMut) {
    out.put_i32(i32::try_from(bits.len()).unwrap_or(i32::MAX));
    for byte in bits.chunks(8) {
        out.put_u8(byte.iter().enumerate().fold(0, |byte, (at, bit)| byte | (u8::from(*bit) << (7 - at))));
    }
}

/// CrateDB gives the length as the lower bound too, and says of all arrays but vectors that they may hold NULL.
fn array(items: &[Value], element: &DataType, nullable: bool, out: &mut BytesMut) {
    out.put_i32(1);
    out.put_i32(i32::from(nullable));
    out.put_u32(element.oid());
    let length = i32::try_from(items.len()).unwrap_or(i32::MAX);
    out.put_i32(length);
    out.put_i32(length);
    for item in items {
        cell(item, out, |item, out| encode(item, element, out));
    }
}

/// A length and what `write` writes; -1 for NULL.
pub(super) fn cell(value: &Value, out: &mut BytesMut, write: impl FnOnce(&Value, &mut BytesMut)) {
    if value.is_null() {
        out.put_i32(-1);
        return;
    }
    let start = out.len();
    out.put_i32(0);
    write(value, out);
    let length = i32::try_from(out.len() - start - 4).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Groups of four digits with the weight of the first, sign and scale.
fn numeric(number: Decimal, out: &mut BytesMut) {
    let text = number.to_string();
    let (whole, fraction) = text.trim_start_matches('-').split_once('.').unwrap_or((text.trim_start_matches('-'), ""));
    let whole = format!("{whole:0>width$}", width = whole.len().div_ceil(4) * 4);
    let fraction = format!("{fraction:0<width$}", width = fraction.len().div_ceil(4) * 4);
    let digits = format!("{whole}{fraction}");
    let mut groups: Vec<i16> =
        (0..digits.len() / 4).map(|at| digits[at * 4..at * 4 + 4].parse().unwrap_or(0)).collect();
    let mut weight = i16::try_from(whole.len() / 4).unwrap_or(0) - 1;
    while groups.first() == Some(&0) {
        groups.remove(0);
        weight -= 1;
    }
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    out.put_i16(i16::try_from(groups.len()).unwrap_or(0));
    out.put_i16(weight);
    out.put_u16(if number.unscaled < 0 { 0x4000 } else { 0 });
    out.put_i16(i16::try_from(number.scale).unwrap_or(0));
    for group in groups {
        out.put_i16(group);
    }
}
