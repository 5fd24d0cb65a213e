//! Cells in binary form as the texts that files have.

use std::borrow::Cow;
use std::fmt::Debug;
use std::str::from_utf8;

use bytes::Buf as _;
use postgres_protocol::Oid;
use tokio_postgres::types::{FromSql as _, Kind as TypeKind, Type};
use transship_cluster::Value;

use crate::cell::bits;

/// The wire counts microseconds from the year 2000, CrateDB milliseconds from 1970.
const MILLIS_OF_2000: i64 = 946_684_800_000;

/// A value, or the values of an array.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    One(Scalar<'a>),
    Many(Vec<Option<Scalar<'a>>>),
}

/// A value that is no array of the wire.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    /// A number or a boolean, as JSON has it.
    Plain(String),
    /// A text, or what stands in files as one: a `NUMERIC`, which keeps all of its digits so, a `BIT`, NaN.
    Text(Cow<'a, str>),
    /// JSON: an object, a point, an array of arrays.
    Json(Cow<'a, str>),
}

/// How cells of a column are read.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    element: Type,
    is_array: bool,
}

impl Kind {
    /// How cells of a type of the wire are read; `None` for one that is not known.
    pub(crate) fn of(oid: Oid) -> Option<Self> {
        let of = Type::from_oid(oid)?;
        let (element, is_array) = match of.kind() {
            TypeKind::Array(element) => (element.clone(), true),
            _ => (of, false),
        };
        let known = [
            Type::BOOL,
            Type::CHAR,
            Type::INT2,
            Type::INT4,
            Type::INT8,
            Type::FLOAT4,
            Type::FLOAT8,
            Type::NUMERIC,
            Type::TEXT,
            Type::VARCHAR,
            Type::BPCHAR,
            Type::UUID,
            Type::JSON,
            Type::POINT,
            Type::BIT,
            Type::TIMESTAMP,
            Type::TIMESTAMPTZ,
        ];
        known.contains(&element).then_some(Self { element, is_array })
    }

    /// Reads a cell; `None` where it is not what its type says.
    pub(crate) fn read<'a>(&self, cell: Option<&'a [u8]>) -> Option<Cell<'a>> {
        match cell {
            None => Some(Cell::Null),
            Some(cell) if self.is_array => self.elements(cell).map(Cell::Many),
            Some(cell) => self.scalar(cell).map(Cell::One),
        }
    }

    /// An array: number of dimensions, whether there are NULLs, oid, then length and lower bound of its one dimension,
    /// then the elements with a length before each.
    fn elements<'a>(&self, cell: &'a [u8]) -> Option<Vec<Option<Scalar<'a>>>> {
        let mut rest = match cell.get(..4)?.get_i32() {
            0 => return Some(Vec::new()),
            1 => cell.get(20..)?,
            _ => return None,
        };
        let mut elements = Vec::new();
        while !rest.is_empty() {
            let length = rest.get(..4)?.get_i32();
            rest = &rest[4..];
            let Ok(length) = usize::try_from(length) else {
                elements.push(None);
                continue;
            };
            elements.push(Some(self.scalar(rest.get(..length)?)?));
            rest = &rest[length..];
        }
        Some(elements)
    }

    fn scalar<'a>(&self, cell: &'a [u8]) -> Option<Scalar<'a>> {
        Some(match self.element {
            Type::TEXT | Type::VARCHAR | Type::BPCHAR => Scalar::Text(from_utf8(cell).ok()?.into()),
            Type::JSON => Scalar::Json(from_utf8(cell).ok()?.into()),
            Type::FLOAT4 => float(f32::from_be_bytes(cell.try_into().ok()?)),
            Type::FLOAT8 => double(f64::from_be_bytes(cell.try_into().ok()?)),
            Type::POINT => point(cell)?,
            Type::BIT => Scalar::Text(bits(cell, Type::BIT.oid())?.into()),
            Type::TIMESTAMP | Type::TIMESTAMPTZ => {
                let micros = i64::from_be_bytes(cell.try_into().ok()?);
                Scalar::Plain((micros.div_euclid(1000) + MILLIS_OF_2000).to_string())
            }
            _ => match Value::from_sql(&self.element, cell).ok()? {
                Value::Bool(bool) => Scalar::Plain(bool.to_string()),
                Value::Int(number) => Scalar::Plain(number.to_string()),
                Value::Text(text) => Scalar::Text(text.into()),
                _ => return None,
            },
        })
    }
}

/// The shortest text that is read as the same number, also through a double, as JSON is read.
fn float(number: f32) -> Scalar<'static> {
    let text = format!("{number:?}");
    #[expect(clippy::cast_possible_truncation, reason = "it is what the server does")]
    let is_same =
        number.is_finite() && text.parse::<f64>().is_ok_and(|double| (double as f32).to_bits() == number.to_bits());
    if is_same { Scalar::Plain(text) } else { double(number.into()) }
}

fn double(number: f64) -> Scalar<'static> {
    match number {
        _ if number.is_nan() => Scalar::Text("NaN".into()),
        f64::INFINITY => Scalar::Text("Infinity".into()),
        f64::NEG_INFINITY => Scalar::Text("-Infinity".into()),
        number => Scalar::Plain(text(&number)),
    }
}

fn text(number: &impl Debug) -> String {
    format!("{number:?}")
}

fn point(cell: &[u8]) -> Option<Scalar<'static>> {
    let (x, y) = cell.split_first_chunk::<8>()?;
    let (x, y) = (f64::from_be_bytes(*x), f64::from_be_bytes(y.try_into().ok()?));
    Some(Scalar::Json(format!("[{},{}]", text(&x), text(&y)).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &Type, cell: &[u8]) -> Option<Cell<'static>> {
        let owned = |scalar: Scalar<'_>| match scalar {
            Scalar::Plain(text) => Scalar::Plain(text),
            Scalar::Text(text) => Scalar::Text(text.into_owned().into()),
            Scalar::Json(text) => Scalar::Json(text.into_owned().into()),
        };
        Some(match Kind::of(kind.oid())?.read(Some(cell))? {
            Cell::Null => Cell::Null,
            Cell::One(scalar) => Cell::One(owned(scalar)),
            Cell::Many(scalars) => Cell::Many(scalars.into_iter().map(|scalar| scalar.map(owned)).collect()),
        })
    }

    #[test]
    fn cells_are_read_by_their_type() {
        let plain = |text: &str| Some(Cell::One(Scalar::Plain(text.to_owned())));
        let quoted = |text: &str| Some(Cell::One(Scalar::Text(text.to_owned().into())));
        let json = |text: &str| Some(Cell::One(Scalar::Json(text.to_owned().into())));
        assert_eq!(read(&Type::BOOL, &[1]), plain("true"));
        assert_eq!(read(&Type::CHAR, &[0x80]), plain("-128"));
        assert_eq!(read(&Type::INT8, &i64::MIN.to_be_bytes()), plain("-9223372036854775808"));
        assert_eq!(read(&Type::FLOAT8, &4.9e-324_f64.to_be_bytes()), plain("5e-324"));
        assert_eq!(read(&Type::FLOAT8, &(-0.0_f64).to_be_bytes()), plain("-0.0"));
        assert_eq!(read(&Type::FLOAT4, &0.1_f32.to_be_bytes()), plain("0.1"));
        assert_eq!(read(&Type::FLOAT4, &f32::MAX.to_be_bytes()), plain("3.4028235e38"));
        assert_eq!(read(&Type::FLOAT4, &f32::NEG_INFINITY.to_be_bytes()), quoted("-Infinity"));
        assert_eq!(read(&Type::FLOAT8, &f64::NAN.to_be_bytes()), quoted("NaN"));
        assert_eq!(read(&Type::VARCHAR, "ü\n".as_bytes()), quoted("ü\n"));
        assert_eq!(read(&Type::BIT, &[0, 0, 0, 4, 0b1010_0000]), quoted("1010"));
        assert_eq!(read(&Type::TIMESTAMPTZ, &(-1_i64).to_be_bytes()), plain("946684799999"));
        let point = [(-180.0_f64).to_be_bytes(), 1e-12_f64.to_be_bytes()].concat();
        assert_eq!(read(&Type::POINT, &point), json("[-180.0,1e-12]"));
        assert_eq!(read(&Type::JSON, b"{\"a\":1.50}"), json("{\"a\":1.50}"));
        assert_eq!(read(&Type::INT4, &[1]), None, "too short");
        assert!(Kind::of(Type::BYTEA.oid()).is_none() && Kind::of(1).is_none());
    }

    #[test]
    fn arrays_keep_their_nulls() {
        let header = [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1];
        let array = [&header[..], &[0, 0, 0, 4, 0, 0, 0, 7], &[0xff; 4]].concat();
        assert_eq!(read(&Type::INT4_ARRAY, &array), Some(Cell::Many(vec![Some(Scalar::Plain("7".to_owned())), None])));
        assert_eq!(read(&Type::INT4_ARRAY, &[0; 12]), Some(Cell::Many(Vec::new())));
        assert_eq!(read(&Type::INT4_ARRAY, &array[..26]), None, "cut off");
    }

    #[test]
    fn every_float_survives_a_double() {
        for bits in (0..u32::MAX).step_by(99_991) {
            let number = f32::from_bits(bits);
            let Scalar::Plain(text) = float(number) else { continue };
            #[expect(clippy::cast_possible_truncation, reason = "it is what the server does")]
            let back = text.parse::<f64>().expect("a number") as f32;
            assert_eq!(back.to_bits(), bits, "{text}");
        }
    }
}
