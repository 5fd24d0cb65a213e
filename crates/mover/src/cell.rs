//! Cells as text, to name a row.

use jiff::Timestamp;
use postgres_protocol::Oid;
use tokio_postgres::types::{FromSql as _, Type};
use transship_cluster::Value;

/// The longest text of a cell.
const SHOWN: usize = 200;

/// A cell in binary form as text. Points in time may be read as numbers of milliseconds: `data_type` tells.
pub(crate) fn text(cell: Option<&[u8]>, oid: Oid, data_type: &str) -> String {
    let Some(cell) = cell else { return "NULL".to_owned() };
    let value = Type::from_oid(oid).and_then(|kind| Value::from_sql(&kind, cell).ok());
    let mut text = match value {
        Some(Value::Bool(bool)) => bool.to_string(),
        Some(Value::Int(millis)) if data_type.starts_with("timestamp") => {
            Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |time| time.to_string())
        }
        Some(Value::Int(number)) => number.to_string(),
        Some(Value::Float(number)) => number.to_string(),
        Some(Value::Text(text)) => text,
        Some(Value::Time(time)) => time.to_string(),
        Some(Value::Json(json)) => format!("{json:?}"),
        Some(Value::List(_)) => "an array".to_owned(),
        Some(Value::Null) | None => bits(cell, oid).unwrap_or_else(|| "a value that has no text".to_owned()),
    };
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A `BIT` in binary form: its length, then its bits from the left.
pub(crate) fn bits(cell: &[u8], oid: Oid) -> Option<String> {
    let (length, bytes) = cell.split_first_chunk::<4>().filter(|_| oid == Type::BIT.oid())?;
    let length = usize::try_from(i32::from_be_bytes(*length)).ok().filter(|length| *length <= bytes.len() * 8)?;
    Some((0..length).map(|at| if bytes[at / 8] & (0x80 >> (at % 8)) == 0 { '0' } else { '1' }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_a_text() {
        let check = |cell: &[u8], kind: &Type, data_type: &str, expected: &str| {
            assert_eq!(text(Some(cell), kind.oid(), data_type), expected);
        };
        check(b"x", &Type::VARCHAR, "text", "x");
        check(&7_i32.to_be_bytes(), &Type::INT4, "integer", "7");
        check(&0_i64.to_be_bytes(), &Type::INT8, "timestamp with time zone", "1970-01-01T00:00:00Z");
        check(&i64::MIN.to_be_bytes(), &Type::INT8, "timestamp with time zone", "-9223372036854775808");
        check(&[0, 0, 0, 9, 0b1010_0000, 0x80], &Type::BIT, "bit", "101000001");
        check(&[1], &Type::POINT, "geo_point", "a value that has no text");
        check("é".repeat(300).as_bytes(), &Type::VARCHAR, "text", &format!("{}…", "é".repeat(200)));
        assert_eq!(text(None, Type::INT4.oid(), "integer"), "NULL");
    }
}
