//! Scalar types whose values transship itself reads, changes and writes, by the names that catalogs and CREATE TABLE give them.

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use transship_model::spec::Cell;

/// What values of a type are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `BOOLEAN`.
    Boolean,
    /// `BYTE`, 8 bits.
    Byte,
    /// `SMALLINT`, 16 bits.
    Smallint,
    /// `INTEGER`, 32 bits.
    Integer,
    /// `BIGINT`, 64 bits.
    Bigint,
    /// `REAL`, 32 bits.
    Real,
    /// `DOUBLE PRECISION`, 64 bits.
    Double,
    /// `NUMERIC`.
    Numeric,
    /// `TEXT`, and texts of a limited length.
    Text,
    /// `UUID`.
    Uuid,
    /// `IP`.
    Ip,
    /// `TIMESTAMP` with or without time zone: milliseconds since 1970.
    Time,
}

/// A scalar type with its lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalarType {
    /// What its values are.
    pub kind: Kind,
    /// Length of a text, or precision and scale of a `NUMERIC`; empty without limits.
    pub sizes: Vec<u32>,
    /// Whether it is a `TIMESTAMP` without time zone.
    pub local: bool,
}

/// Names, as the catalog has them and as people write them, in lower case.
const NAMES: [(&str, Kind); 32] = [
    ("boolean", Kind::Boolean),
    ("bool", Kind::Boolean),
    ("byte", Kind::Byte),
    ("char", Kind::Byte),
    ("smallint", Kind::Smallint),
    ("short", Kind::Smallint),
    ("int2", Kind::Smallint),
    ("integer", Kind::Integer),
    ("int", Kind::Integer),
    ("int4", Kind::Integer),
    ("bigint", Kind::Bigint),
    ("long", Kind::Bigint),
    ("int8", Kind::Bigint),
    ("real", Kind::Real),
    ("float", Kind::Real),
    ("float4", Kind::Real),
    ("double precision", Kind::Double),
    ("double", Kind::Double),
    ("float8", Kind::Double),
    ("numeric", Kind::Numeric),
    ("decimal", Kind::Numeric),
    ("text", Kind::Text),
    ("string", Kind::Text),
    ("varchar", Kind::Text),
    ("character varying", Kind::Text),
    ("character", Kind::Text),
    ("uuid", Kind::Uuid),
    ("ip", Kind::Ip),
    ("timestamp with time zone", Kind::Time),
    ("timestamptz", Kind::Time),
    ("timestamp without time zone", Kind::Time),
    ("timestamp", Kind::Time),
];

/// Of the names of times, those without a time zone.
const LOCAL: [&str; 2] = ["timestamp without time zone", "timestamp"];

impl ScalarType {
    /// A type without limits.
    pub const fn of(kind: Kind) -> Self {
        Self { kind, sizes: Vec::new(), local: false }
    }

    /// The type of a name such as `NUMERIC(10, 2)`; `None` for arrays, objects, shapes and whatever else is not scalar.
    pub fn read(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        let (base, sizes) = match name.split_once('(') {
            None => (name.as_str(), Vec::new()),
            Some((base, rest)) => {
                let sizes = rest.strip_suffix(')')?.split(',').map(|size| size.trim().parse().ok());
                (base.trim_end(), sizes.collect::<Option<Vec<u32>>>()?)
            }
        };
        let base = base.split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, kind) = NAMES.iter().find(|(name, _)| *name == base)?;
        let most = match kind {
            Kind::Numeric => 2,
            Kind::Text => 1,
            _ => 0,
        };
        (sizes.len() <= most && sizes != [0]).then_some(Self {
            kind: *kind,
            sizes,
            local: LOCAL.contains(&base.as_str()),
        })
    }

    /// As CREATE TABLE has it.
    pub fn declared(&self) -> String {
        let name = match (self.kind, self.sizes.as_slice()) {
            (Kind::Text, [_]) => "VARCHAR",
            (Kind::Time, _) if self.local => "TIMESTAMP WITHOUT TIME ZONE",
            (kind, _) => kind.as_str(),
        };
        if self.sizes.is_empty() {
            return name.to_owned();
        }
        let sizes: Vec<String> = self.sizes.iter().map(ToString::to_string).collect();
        format!("{name}({})", sizes.join(", "))
    }

    /// As the catalog names it, but with its lengths.
    pub fn catalog(&self) -> String {
        self.declared().to_lowercase()
    }

    /// Whether a value that stands in a spec is one of this type.
    pub fn takes(&self, cell: &Cell) -> bool {
        match (cell, self.kind) {
            (Cell::Bool(_), kind) => kind == Kind::Boolean,
            (Cell::Number(number), kind) => match (number.as_i64(), kind.whole_range()) {
                (Some(whole), Some((least, most))) => (least..=most).contains(&whole),
                (Some(_), None) | (None, _) => matches!(kind, Kind::Real | Kind::Double | Kind::Numeric),
            },
            (Cell::Text(text), Kind::Text) => {
                self.sizes.first().is_none_or(|most| text.chars().count() <= *most as usize)
            }
            (Cell::Text(text), Kind::Time) => millis(text).is_some(),
            (Cell::Text(text), Kind::Numeric) => is_decimal(text),
            (Cell::Text(_), kind) => matches!(kind, Kind::Uuid | Kind::Ip),
            (Cell::Null(()), _) => false,
        }
    }
}

impl Kind {
    /// As CREATE TABLE has it, without lengths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Byte => "BYTE",
            Self::Smallint => "SMALLINT",
            Self::Integer => "INTEGER",
            Self::Bigint => "BIGINT",
            Self::Real => "REAL",
            Self::Double => "DOUBLE PRECISION",
            Self::Numeric => "NUMERIC",
            Self::Text => "TEXT",
            Self::Uuid => "UUID",
            Self::Ip => "IP",
            Self::Time => "TIMESTAMP WITH TIME ZONE",
        }
    }

    /// Whether its values are whole numbers.
    pub const fn is_whole(self) -> bool {
        self.whole_range().is_some()
    }

    /// Whether its values are numbers.
    pub const fn is_number(self) -> bool {
        self.is_whole() || matches!(self, Self::Real | Self::Double | Self::Numeric)
    }

    /// Whether each of its values has one text: that of a binary fraction is a matter of taste.
    pub const fn has_text(self) -> bool {
        !matches!(self, Self::Real | Self::Double)
    }

    /// The least and the greatest whole number, for those whose values are such.
    pub const fn whole_range(self) -> Option<(i64, i64)> {
        match self {
            Self::Byte => Some((i8::MIN as i64, i8::MAX as i64)),
            Self::Smallint => Some((i16::MIN as i64, i16::MAX as i64)),
            Self::Integer => Some((i32::MIN as i64, i32::MAX as i64)),
            Self::Bigint => Some((i64::MIN, i64::MAX)),
            _ => None,
        }
    }
}

/// The milliseconds since 1970 of a date, or of a date with a time, in UTC unless it has an offset. What is finer than a
/// millisecond is none.
pub fn millis(text: &str) -> Option<i64> {
    let time = text.parse::<Timestamp>().ok().or_else(|| {
        let local = text.parse::<civil::DateTime>().ok()?;
        local.to_zoned(TimeZone::UTC).ok().as_ref().map(Zoned::timestamp)
    })?;
    (time.as_nanosecond() % 1_000_000 == 0).then(|| time.as_millisecond())
}

/// Whether a text is a number with digits, at most one point among them, and a sign perhaps.
pub fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    all(whole) && all(fraction) && !(whole.is_empty() && fraction.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_by_all_of_their_names() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(ScalarType::read(name).map(|it| it.declared()).as_deref(), expected, "{name}");
        };
        check("integer", Some("INTEGER"));
        check(" LONG ", Some("BIGINT"));
        check("Double  Precision", Some("DOUBLE PRECISION"));
        check("numeric(10,2)", Some("NUMERIC(10, 2)"));
        check("DECIMAL ( 5 )", Some("NUMERIC(5)"));
        check("varchar(7)", Some("VARCHAR(7)"));
        check("timestamp without time zone", Some("TIMESTAMP WITHOUT TIME ZONE"));
        check("TimestampTZ", Some("TIMESTAMP WITH TIME ZONE"));
        for none in
            ["object", "text_array", "geo_point", "array(text)", "varchar(0)", "integer(3)", "numeric(1,2,3)", ""]
        {
            check(none, None);
        }
    }

    #[test]
    fn values_of_a_spec_have_to_fit() {
        let check = |name: &str, cell: Cell, expected: bool| {
            assert_eq!(ScalarType::read(name).unwrap().takes(&cell), expected, "{name} {cell:?}");
        };
        let text = |text: &str| Cell::Text(text.to_owned());
        let number = |number: &str| Cell::Number(number.parse().unwrap());
        check("smallint", number("32767"), true);
        check("smallint", number("32768"), false);
        check("bigint", number("1.5"), false);
        check("numeric", number("1.5"), true);
        check("numeric", text("-12345678901234567890.5"), true);
        check("numeric", text("1e5"), false);
        check("boolean", Cell::Bool(true), true);
        check("text", Cell::Bool(true), false);
        check("varchar(2)", text("üü"), true);
        check("varchar(2)", text("üüü"), false);
        check("timestamp", text("1969-12-31"), true);
        check("timestamp", text("soon"), false);
        check("text", Cell::Null(()), false);
    }

    #[test]
    fn times_are_milliseconds_of_utc() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31T23:59:59.999Z", Some(-1)),
            ("2024-02-29 12:00:00", Some(1_709_208_000_000)),
            ("2024-02-29T12:00:00+02:00", Some(1_709_200_800_000)),
            ("2024-02-29T12:00:00.0001Z", None),
            ("2023-02-29", None),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }
}
