//! Cells as typed values, and back.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::BufMut as _;
use postgres_protocol::Oid;
use tokio_postgres::types::Type;
use transship_model::spec::Cell;
use transship_sql::scalar::{self, Kind, ScalarType};

use super::decimal::Decimal;
use super::refusal::Refusal;

/// A value that is not NULL.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Bool(bool),
    /// A whole number of any width.
    Whole(i64),
    Real(f32),
    Double(f64),
    Numeric(Decimal),
    /// A text, a UUID, an IP.
    Text(Cow<'a, str>),
    /// Milliseconds since 1970.
    Time(i64),
    /// A value that can be replaced, and nothing else.
    Other,
}

/// How cells of a column are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    oid: Oid,
    kind: Option<Kind>,
}

/// The wire counts microseconds from the year 2000, CrateDB milliseconds from 1970.
const MILLIS_OF_2000: i64 = 946_684_800_000;

impl Reading {
    /// How cells of type `oid` of the wire are read, which the catalog calls `data_type`; `None` where they do not fit.
    pub(crate) fn of(oid: Oid, data_type: &str) -> Option<Self> {
        let kind = ScalarType::read(data_type).map(|it| it.kind);
        let fits = match kind {
            None => true,
            Some(Kind::Time) => [Type::INT8, Type::TIMESTAMP, Type::TIMESTAMPTZ].iter().any(|it| it.oid() == oid),
            Some(Kind::Text | Kind::Ip) => is_text(oid),
            Some(Kind::Uuid) => is_text(oid) || oid == Type::UUID.oid(),
            Some(kind) => wire(kind).oid() == oid,
        };
        fits.then_some(Self { oid, kind })
    }

    /// Reads a cell.
    pub(crate) fn value(self, cell: &[u8]) -> Result<Value<'_>, Refusal> {
        let Some(kind) = self.kind else { return Ok(Value::Other) };
        read(kind, self.oid, cell).ok_or(Refusal::Unreadable)
    }
}

fn is_text(oid: Oid) -> bool {
    [Type::VARCHAR, Type::TEXT, Type::BPCHAR].iter().any(|it| it.oid() == oid)
}

fn read(kind: Kind, oid: Oid, cell: &[u8]) -> Option<Value<'_>> {
    Some(match kind {
        Kind::Boolean => Value::Bool(*cell.first()? != 0),
        Kind::Byte => Value::Whole(i8::from_be_bytes(cell.try_into().ok()?).into()),
        Kind::Smallint => Value::Whole(i16::from_be_bytes(cell.try_into().ok()?).into()),
        Kind::Integer => Value::Whole(i32::from_be_bytes(cell.try_into().ok()?).into()),
        Kind::Bigint => Value::Whole(i64::from_be_bytes(cell.try_into().ok()?)),
        Kind::Real => Value::Real(f32::from_be_bytes(cell.try_into().ok()?)),
        Kind::Double => Value::Double(f64::from_be_bytes(cell.try_into().ok()?)),
        Kind::Numeric => Value::Numeric(Decimal::of_wire(cell)?),
        Kind::Uuid if oid == Type::UUID.oid() => Value::Text(uuid(cell)?.into()),
        Kind::Text | Kind::Uuid | Kind::Ip => Value::Text(std::str::from_utf8(cell).ok()?.into()),
        Kind::Time if oid == Type::INT8.oid() => Value::Time(i64::from_be_bytes(cell.try_into().ok()?)),
        Kind::Time => {
            let micros = i64::from_be_bytes(cell.try_into().ok()?);
            Value::Time(micros.div_euclid(1000) + MILLIS_OF_2000)
        }
    })
}

fn uuid(cell: &[u8]) -> Option<String> {
    let bytes: [u8; 16] = cell.try_into().ok()?;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{byte:02x}").ok()?;
    }
    Some(text)
}

/// The type of the wire in which values are written.
pub(crate) fn wire(kind: Kind) -> Type {
    match kind {
        Kind::Boolean => Type::BOOL,
        Kind::Byte => Type::CHAR,
        Kind::Smallint => Type::INT2,
        Kind::Integer => Type::INT4,
        Kind::Bigint | Kind::Time => Type::INT8,
        Kind::Real => Type::FLOAT4,
        Kind::Double => Type::FLOAT8,
        Kind::Numeric => Type::NUMERIC,
        Kind::Text | Kind::Uuid | Kind::Ip => Type::VARCHAR,
    }
}

impl Value<'_> {
    /// Puts the bytes of a cell of that kind.
    pub(crate) fn put(&self, kind: Kind, out: &mut Vec<u8>) -> Result<(), Refusal> {
        match (kind, self) {
            (Kind::Boolean, Value::Bool(value)) => out.put_u8((*value).into()),
            (Kind::Byte, Value::Whole(value)) => out.put_i8(i8::try_from(*value).map_err(|_| Refusal::OutOfRange)?),
            (Kind::Smallint, Value::Whole(value)) => {
                out.put_i16(i16::try_from(*value).map_err(|_| Refusal::OutOfRange)?);
            }
            (Kind::Integer, Value::Whole(value)) => {
                out.put_i32(i32::try_from(*value).map_err(|_| Refusal::OutOfRange)?);
            }
            (Kind::Bigint, Value::Whole(value)) | (Kind::Time, Value::Time(value)) => out.put_i64(*value),
            (Kind::Real, Value::Real(value)) => out.put_f32(*value),
            (Kind::Double, Value::Double(value)) => out.put_f64(*value),
            (Kind::Numeric, Value::Numeric(value)) => value.put(out),
            (Kind::Text | Kind::Uuid | Kind::Ip, Value::Text(text)) => out.extend_from_slice(text.as_bytes()),
            _ => return Err(Refusal::OtherType),
        }
        Ok(())
    }

    /// The one text that it has, as CrateDB casts it; `None` for binary fractions and what is no scalar.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Value::Text(text) => Cow::Borrowed(text.as_ref()),
            Value::Bool(value) => Cow::Borrowed(if *value { "t" } else { "f" }),
            Value::Whole(value) | Value::Time(value) => Cow::Owned(value.to_string()),
            Value::Numeric(value) => Cow::Owned(value.to_string()),
            Value::Real(_) | Value::Double(_) | Value::Other => return None,
        })
    }

    /// The value of a spec as one of a type; `None` for NULL, and where it is none of it.
    pub(crate) fn of_spec(cell: &Cell, data_type: &ScalarType) -> Option<Value<'static>> {
        if !data_type.takes(cell) {
            return None;
        }
        Some(match (cell, data_type.kind) {
            (Cell::Bool(value), _) => Value::Bool(*value),
            (Cell::Number(number), Kind::Double) => Value::Double(number.as_f64()?),
            #[expect(clippy::cast_possible_truncation, reason = "the nearest number of the type is what is meant")]
            (Cell::Number(number), Kind::Real) => Value::Real(number.as_f64()? as f32),
            (Cell::Number(number), Kind::Numeric) => Value::Numeric(Decimal::of_text(&plain(number))?),
            (Cell::Number(number), _) => Value::Whole(number.as_i64()?),
            (Cell::Text(text), Kind::Time) => Value::Time(scalar::millis(text)?),
            (Cell::Text(text), Kind::Numeric) => Value::Numeric(Decimal::of_text(text)?),
            (Cell::Text(text), _) => Value::Text(text.clone().into()),
            (Cell::Null(()), _) => return None,
        })
    }
}

/// A number of a spec without an exponent.
fn plain(number: &serde_json::Number) -> String {
    let text = number.to_string();
    if text.contains(['e', 'E']) { number.as_f64().map(|number| number.to_string()).unwrap_or(text) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_they_are_read() {
        let check = |kind: Kind, data_type: &str, cell: &[u8]| {
            let reading = Reading::of(wire(kind).oid(), data_type).expect("it fits");
            let mut out = Vec::new();
            reading.value(cell).unwrap().put(kind, &mut out).unwrap();
            assert_eq!(out, cell, "{data_type}");
        };
        check(Kind::Boolean, "boolean", &[1]);
        check(Kind::Byte, "byte", &[0x80]);
        check(Kind::Smallint, "smallint", &i16::MIN.to_be_bytes());
        check(Kind::Integer, "integer", &i32::MAX.to_be_bytes());
        check(Kind::Bigint, "bigint", &i64::MIN.to_be_bytes());
        check(Kind::Real, "real", &f32::MIN_POSITIVE.to_be_bytes());
        check(Kind::Double, "double precision", &f64::NAN.to_be_bytes());
        check(Kind::Double, "double precision", &(-0.0_f64).to_be_bytes());
        check(Kind::Text, "text", "Süd\n".as_bytes());
        check(Kind::Time, "timestamp with time zone", &i64::MAX.to_be_bytes());
        check(Kind::Ip, "ip", b"::1");
    }

    #[test]
    fn the_wire_has_other_times_and_uuids() {
        let reading = |kind: &Type, data_type: &str| Reading::of(kind.oid(), data_type).unwrap();
        let time = reading(&Type::TIMESTAMPTZ, "timestamp with time zone");
        assert_eq!(time.value(&(-1_i64).to_be_bytes()), Ok(Value::Time(946_684_799_999)));
        let id = reading(&Type::UUID, "uuid");
        let text = "00010203-0405-0607-0809-0a0b0c0d0e0f";
        assert_eq!(id.value(&(0..16).collect::<Vec<u8>>()), Ok(Value::Text(text.into())));
        assert!(Reading::of(Type::INT4.oid(), "bigint").is_none(), "the column has another type than was planned with");
        assert_eq!(reading(&Type::JSON, "object").value(b"{}"), Ok(Value::Other));
        assert_eq!(reading(&Type::INT4, "integer").value(&[1]), Err(Refusal::Unreadable));
    }

    #[test]
    fn values_of_a_spec_get_a_type() {
        let of = |cell: Cell, data_type: &str| Value::of_spec(&cell, &ScalarType::read(data_type).unwrap());
        let number = |text: &str| Cell::Number(text.parse().unwrap());
        assert_eq!(of(number("1"), "numeric"), Some(Value::Numeric(Decimal::of_whole(1))));
        assert_eq!(of(number("1"), "double"), Some(Value::Double(1.0)));
        assert_eq!(of(number("0.1"), "real"), Some(Value::Real(0.1)));
        assert_eq!(of(Cell::Text("1970-01-02".to_owned()), "timestamp"), Some(Value::Time(86_400_000)));
        assert_eq!(of(Cell::Null(()), "text"), None);
    }
}
