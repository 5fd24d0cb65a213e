//! CrateDB's types: their names in SQL and in the catalogs, and their oids on the wire.

use std::fmt::Write as _;

/// What an object does with keys that are not declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Dynamic,
    Strict,
    Ignored,
}

impl Policy {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dynamic => "DYNAMIC",
            Self::Strict => "STRICT",
            Self::Ignored => "IGNORED",
        }
    }
}

/// A declared key of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) not_null: bool,
}

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum DataType {
    Undefined,
    Boolean,
    Byte,
    Smallint,
    Integer,
    Bigint,
    Real,
    Double,
    /// Precision and scale, where they are known.
    Numeric(Option<(u32, u32)>),
    Text,
    Varchar(u32),
    Character(u32),
    Ip,
    Timestamptz,
    Timestamp,
    Interval,
    Uuid,
    Bit(u32),
    FloatVector(u32),
    GeoPoint,
    GeoShape,
    Object(Policy, Vec<Field>),
    Regclass,
    Array(Box<DataType>),
}

impl DataType {
    /// An object of which nothing is declared.
    pub(crate) const fn object() -> Self {
        Self::Object(Policy::Dynamic, Vec::new())
    }

    pub(crate) fn array(self) -> Self {
        Self::Array(Box::new(self))
    }

    /// The type of the innermost elements.
    pub(crate) fn innermost(&self) -> &Self {
        match self {
            Self::Array(element) => element.innermost(),
            other => other,
        }
    }

    pub(crate) const fn is_integer(&self) -> bool {
        matches!(self, Self::Byte | Self::Smallint | Self::Integer | Self::Bigint | Self::Regclass)
    }

    pub(crate) const fn is_number(&self) -> bool {
        self.is_integer() || matches!(self, Self::Real | Self::Double | Self::Numeric(_))
    }

    pub(crate) const fn is_text(&self) -> bool {
        matches!(self, Self::Text | Self::Varchar(_) | Self::Character(_))
    }

    /// The oid of the type on the wire.
    pub(crate) fn oid(&self) -> u32 {
        match self {
            Self::Array(element) => match element.as_ref() {
                Self::Array(_) => 114,
                element => element.array_oid(),
            },
            Self::Undefined => 705,
            Self::Boolean => 16,
            Self::Byte => 18,
            Self::Smallint => 21,
            Self::Integer => 23,
            Self::Bigint => 20,
            Self::Real => 700,
            Self::Double => 701,
            Self::Numeric(_) => 1700,
            Self::Text | Self::Varchar(_) | Self::Ip => 1043,
            Self::Character(_) => 1042,
            Self::Timestamptz => 1184,
            Self::Timestamp => 1114,
            Self::Interval => 1186,
            Self::Uuid => 2950,
            Self::Bit(_) => 1560,
            Self::FloatVector(_) => 1021,
            Self::GeoPoint => 600,
            Self::GeoShape | Self::Object(..) => 114,
            Self::Regclass => 2205,
        }
    }

    fn array_oid(&self) -> u32 {
        match self {
            Self::Boolean => 1000,
            Self::Byte => 1002,
            Self::Smallint => 1005,
            Self::Integer => 1007,
            Self::Bigint => 1016,
            Self::Real => 1021,
            Self::Double => 1022,
            Self::Numeric(_) => 1231,
            Self::Character(_) => 1014,
            Self::Timestamptz => 1185,
            Self::Timestamp => 1115,
            Self::Interval => 1187,
            Self::Uuid => 2951,
            Self::Bit(_) => 1561,
            Self::GeoPoint => 1017,
            Self::GeoShape | Self::Object(..) => 199,
            Self::Regclass => 2210,
            _ => 1015,
        }
    }

    /// The type that a parameter of this oid has; `None` for oids that CrateDB does not know.
    pub(crate) fn of_oid(oid: u32) -> Option<Self> {
        Some(match oid {
            0 | 705 => Self::Undefined,
            16 => Self::Boolean,
            18 => Self::Byte,
            21 => Self::Smallint,
            23 | 26 => Self::Integer,
            20 => Self::Bigint,
            700 => Self::Real,
            701 => Self::Double,
            1700 => Self::Numeric(None),
            19 | 25 | 1042 | 1043 => Self::Text,
            1184 => Self::Timestamptz,
            1114 => Self::Timestamp,
            1186 => Self::Interval,
            2950 => Self::Uuid,
            1560 => Self::Bit(0),
            600 => Self::GeoPoint,
            114 => Self::object(),
            1000 => Self::Boolean.array(),
            1002 => Self::Byte.array(),
            1005 => Self::Smallint.array(),
            1007 => Self::Integer.array(),
            1016 => Self::Bigint.array(),
            1021 => Self::Real.array(),
            1022 => Self::Double.array(),
            1231 => Self::Numeric(None).array(),
            1009 | 1014 | 1015 => Self::Text.array(),
            1185 => Self::Timestamptz.array(),
            1115 => Self::Timestamp.array(),
            2951 => Self::Uuid.array(),
            1561 => Self::Bit(0).array(),
            1017 => Self::GeoPoint.array(),
            199 => Self::object().array(),
            _ => return None,
        })
    }

    /// The fixed size in bytes that a row description gives; -1 where it varies.
    pub(crate) const fn wire_size(&self) -> i16 {
        match self {
            Self::Boolean | Self::Byte => 1,
            Self::Smallint => 2,
            Self::Integer | Self::Real | Self::Regclass => 4,
            Self::Bigint | Self::Double | Self::Timestamptz | Self::Timestamp => 8,
            Self::GeoPoint | Self::Uuid | Self::Interval => 16,
            _ => -1,
        }
    }

    /// The name in `information_schema.columns` and in errors, such as `text_array`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Undefined => "undefined".to_owned(),
            Self::Boolean => "boolean".to_owned(),
            Self::Byte => "byte".to_owned(),
            Self::Smallint => "smallint".to_owned(),
            Self::Integer => "integer".to_owned(),
            Self::Bigint => "bigint".to_owned(),
            Self::Real => "real".to_owned(),
            Self::Double => "double precision".to_owned(),
            Self::Numeric(None) => "numeric".to_owned(),
            Self::Numeric(Some((precision, scale))) => format!("numeric({precision}, {scale})"),
            Self::Text => "text".to_owned(),
            Self::Varchar(length) => format!("character varying({length})"),
            Self::Character(length) => format!("character({length})"),
            Self::Ip => "ip".to_owned(),
            Self::Timestamptz => "timestamp with time zone".to_owned(),
            Self::Timestamp => "timestamp without time zone".to_owned(),
            Self::Interval => "interval".to_owned(),
            Self::Uuid => "uuid".to_owned(),
            Self::Bit(length) => format!("bit({length})"),
            Self::FloatVector(dimensions) => format!("float_vector({dimensions})"),
            Self::GeoPoint => "geo_point".to_owned(),
            Self::GeoShape => "geo_shape".to_owned(),
            Self::Object(..) => "object".to_owned(),
            Self::Regclass => "regclass".to_owned(),
            Self::Array(element) => format!("{}_array", element.name()),
        }
    }

    /// The type as SHOW CREATE TABLE prints it, `indent` levels deep.
    pub(crate) fn definition(&self, indent: usize) -> String {
        match self {
            Self::Numeric(Some((precision, scale))) => format!("NUMERIC({precision}, {scale})"),
            Self::Varchar(length) => format!("VARCHAR({length})"),
            Self::Array(element) => format!("ARRAY({})", element.definition(indent)),
            Self::Object(policy, fields) => {
                let mut text = format!("OBJECT({})", policy.name());
                if !fields.is_empty() {
                    let pad = "   ".repeat(indent + 1);
                    let lines: Vec<String> = fields.iter().map(|field| field.definition(indent + 1)).collect();
                    write!(text, " AS (\n{pad}{}\n{})", lines.join(&format!(",\n{pad}")), "   ".repeat(indent))
                        .expect("writing to a String cannot fail");
                }
                text
            }
            other => other.name().to_uppercase(),
        }
    }
}

impl Field {
    fn definition(&self, indent: usize) -> String {
        let not_null = if self.not_null { " NOT NULL" } else { "" };
        format!("\"{}\" {}{not_null}", self.name.replace('"', "\"\""), self.data_type.definition(indent))
    }
}
