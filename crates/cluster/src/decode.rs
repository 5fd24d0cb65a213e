//! From the binary form of the PostgreSQL wire to values.
//!
//! A type that is not known here is an error: reading it as NULL or as bytes would make a wrong observation.

use std::error::Error;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tokio_postgres::types::{FromSql, Kind, Type};

use crate::value::Value;

type Decoded = Result<Value, Box<dyn Error + Sync + Send>>;

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Decoded {
        if let Kind::Array(_) = kind.kind() {
            return Ok(Self::List(Vec::<Self>::from_sql(kind, raw)?));
        }
        match *kind {
            Type::BOOL => Ok(Self::Bool(bool::from_sql(kind, raw)?)),
            Type::CHAR => Ok(Self::Int(i8::from_sql(kind, raw)?.into())),
            Type::INT2 => Ok(Self::Int(i16::from_sql(kind, raw)?.into())),
            // CrateDB's oids are signed.
            Type::INT4 | Type::OID | Type::REGCLASS | Type::REGPROC => {
                Ok(Self::Int(i32::from_sql(&Type::INT4, raw)?.into()))
            }
            Type::INT8 => Ok(Self::Int(i64::from_sql(kind, raw)?)),
            Type::FLOAT4 => Ok(Self::Float(f32::from_sql(kind, raw)?.into())),
            Type::FLOAT8 => Ok(Self::Float(f64::from_sql(kind, raw)?)),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
                Ok(Self::Text(String::from_sql(&Type::VARCHAR, raw)?))
            }
            Type::TIMESTAMPTZ => Ok(Self::Time(Timestamp::from_sql(kind, raw)?)),
            Type::TIMESTAMP => Ok(Self::Time(DateTime::from_sql(kind, raw)?.to_zoned(TimeZone::UTC)?.timestamp())),
            Type::JSON => Ok(Self::Json(serde_json::from_slice(raw)?)),
            Type::NUMERIC => numeric(raw).map(Self::Text).ok_or_else(|| "a NUMERIC that cannot be read".into()),
            Type::UUID => uuid(raw).map(Self::Text).ok_or_else(|| "a UUID that cannot be read".into()),
            _ => Err(format!("the type `{kind}` (oid {}) is not known", kind.oid()).into()),
        }
    }

    fn from_sql_null(_: &Type) -> Decoded {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn uuid(raw: &[u8]) -> Option<String> {
    if raw.len() != 16 {
        return None;
    }
    let mut text = String::with_capacity(36);
    for (at, byte) in raw.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{byte:02x}").ok()?;
    }
    Some(text)
}

/// Reads a header of four 16-bit numbers (digits, weight, sign, scale) and groups of four decimal digits.
fn numeric(raw: &[u8]) -> Option<String> {
    let words: Vec<i16> = raw.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
    let (header, groups) = words.split_at_checked(4)?;
    let (weight, scale) = (i64::from(header[1]), usize::try_from(header[3]).ok()?);
    let sign = match header[2].cast_unsigned() {
        0x0000 => "",
        0x4000 => "-",
        0xC000 => return Some("NaN".to_owned()),
        _ => return None,
    };
    if groups.len() != usize::try_from(header[0]).ok()? {
        return None;
    }
    let group = |power: i64| usize::try_from(weight - power).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0);
    let mut whole = String::new();
    for power in (0..=weight.max(0)).rev() {
        write!(whole, "{:04}", group(power)).ok()?;
    }
    let mut fraction = String::new();
    for power in 1..=i64::try_from(scale.div_ceil(4)).ok()? {
        write!(fraction, "{:04}", group(-power)).ok()?;
    }
    fraction.truncate(scale);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn every_type_of_the_catalogs_is_read() {
        let text = |text: &str| Value::Text(text.to_owned());
        let json = Value::Json(serde_json::json!({"a": 1}));
        let cases: Vec<(Type, Vec<u8>, Value)> = vec![
            (Type::BOOL, vec![1], Value::Bool(true)),
            (Type::CHAR, vec![0xff], Value::Int(-1)),
            (Type::INT2, vec![0, 3], Value::Int(3)),
            (Type::INT4, vec![0, 0, 0, 4], Value::Int(4)),
            (Type::INT8, vec![0xff; 8], Value::Int(-1)),
            (Type::OID, vec![0xff, 0xff, 0xff, 0xfe], Value::Int(-2)),
            (Type::REGCLASS, vec![0, 0, 0, 9], Value::Int(9)),
            (Type::FLOAT4, 1.5_f32.to_be_bytes().to_vec(), Value::Float(1.5)),
            (Type::FLOAT8, 1.5_f64.to_be_bytes().to_vec(), Value::Float(1.5)),
            (Type::VARCHAR, b"x".to_vec(), text("x")),
            (Type::TEXT, b"x".to_vec(), text("x")),
            (Type::BPCHAR, b"x ".to_vec(), text("x ")),
            (Type::NAME, b"n".to_vec(), text("n")),
            (Type::UNKNOWN, b"u".to_vec(), text("u")),
            (Type::JSON, br#"{"a":1}"#.to_vec(), json.clone()),
            (Type::UUID, (0..16).collect(), text("00010203-0405-0607-0809-0a0b0c0d0e0f")),
            (Type::TIMESTAMPTZ, 1_000_000_i64.to_be_bytes().to_vec(), time("2000-01-01T00:00:01Z")),
            (Type::TIMESTAMP, 1_000_000_i64.to_be_bytes().to_vec(), time("2000-01-01T00:00:01Z")),
        ];
        for (kind, raw, expected) in cases {
            assert_eq!(Value::from_sql(&kind, &raw).ok(), Some(expected), "{kind}");
        }
    }

    fn time(text: &str) -> Value {
        Value::Time(text.parse().expect("a timestamp"))
    }

    #[test]
    fn arrays_keep_their_nulls() {
        let header = |oid: u32, count: u8| -> Vec<u8> {
            [&[0, 0, 0, 1, 0, 0, 0, 1][..], &oid.to_be_bytes(), &[0, 0, 0, count, 0, 0, 0, 1]].concat()
        };
        let raw = [&header(1043, 2)[..], &[0, 0, 0, 1, b'a'], &[0xff; 4]].concat();
        let expected = Value::List(vec![Value::Text("a".into()), Value::Null]);
        assert_eq!(Value::from_sql(&Type::VARCHAR_ARRAY, &raw).ok(), Some(expected));
        let raw = [&header(114, 1)[..], &[0, 0, 0, 2, b'{', b'}']].concat();
        let expected = Value::List(vec![Value::Json(serde_json::json!({}))]);
        assert_eq!(Value::from_sql(&Type::JSON_ARRAY, &raw).ok(), Some(expected));
    }

    #[test]
    fn numerics_keep_every_digit() {
        for (raw, expected) in [
            (vec![0, 0, 0, 0], "0"),
            (vec![0, 0, 0, 2], "0.00"),
            (vec![2, 0, 0, 3], "12.345"),
            (vec![2, 0, 0x4000, 4], "-12.3450"),
            (vec![1, 1, 0, 0], "50000"),
            (vec![1, 0xffff, 0, 6], "0.000500"),
            (vec![1, 0xfffe, 0, 8], "0.00000005"),
            (vec![0, 0, 0xc000, 0], "NaN"),
        ] {
            let groups: &[u16] = match raw[0] {
                2 => &[12, 3450],
                1 => &[5],
                _ => &[],
            };
            assert_eq!(numeric(&words(&[&raw[..], groups].concat())).as_deref(), Some(expected));
        }
        assert_eq!(numeric(&words(&[2, 0, 0, 0, 1])), None);
        assert_eq!(numeric(&[0]), None);
    }

    #[test]
    fn an_unknown_type_is_an_error() {
        for kind in [Type::POINT, Type::BIT, Type::BYTEA, Type::JSONB] {
            let error = Value::from_sql(&kind, &[0; 16]).err().map(|error| error.to_string());
            assert_eq!(error, Some(format!("the type `{kind}` (oid {}) is not known", kind.oid())));
        }
    }
}
