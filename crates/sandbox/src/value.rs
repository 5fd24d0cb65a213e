//! Values of cells and of expressions.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::cast::float_text;
use crate::decimal::Decimal;

/// A value. Integers of all widths, REAL and DOUBLE, and all kinds of texts share a variant: the type tells them apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of any width.
    Int(i64),
    /// A floating-point number of any width.
    Float(f64),
    /// A NUMERIC.
    #[expect(private_interfaces, reason = "what it holds shows in its text alone")]
    Numeric(Decimal),
    /// A text, an IP address or a UUID.
    Text(String),
    /// Milliseconds since 1970.
    Time(i64),
    /// A length of time in milliseconds.
    Interval(i64),
    /// A bit string.
    Bits(Vec<bool>),
    /// Longitude and latitude.
    Point(f64, f64),
    /// An object.
    Object(BTreeMap<String, Value>),
    /// An array.
    Array(Vec<Value>),
    /// A relation with its oid.
    Relation(i32, String),
}

impl Value {
    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A text, or NULL.
    pub(crate) fn opt_text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.into()))
    }

    /// A number that came from a count.
    pub(crate) fn count(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// An array of texts.
    pub(crate) fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::Array(texts.into_iter().map(|text| Self::Text(text.into())).collect())
    }

    /// An object of the given keys.
    pub(crate) fn object<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) const fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) | Self::Time(number) => Some(*number),
            Self::Relation(oid, _) => Some(*oid as i64),
            _ => None,
        }
    }

    pub(crate) fn as_float(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "CrateDB loses it too")]
            Self::Int(number) | Self::Time(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Numeric(number) => Some(number.to_f64()),
            _ => None,
        }
    }

    /// The value as JSON, as it stands within objects. Numbers keep all their digits.
    pub(crate) fn to_json(&self) -> String {
        let list = |parts: Vec<String>| parts.join(",");
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(bool) => bool.to_string(),
            Self::Int(number) | Self::Time(number) | Self::Interval(number) => number.to_string(),
            Self::Float(number) if number.is_finite() => float_text(*number),
            Self::Float(number) => format!("\"{}\"", float_text(*number)),
            Self::Numeric(number) => number.to_string(),
            Self::Text(text) | Self::Relation(_, text) => json_text(text),
            Self::Bits(bits) => format!("\"B'{}'\"", bit_text(bits)),
            Self::Point(lon, lat) => format!("[{},{}]", float_text(*lon), float_text(*lat)),
            Self::Object(fields) => {
                let field = |(name, value): (&String, &Self)| format!("{}:{}", json_text(name), value.to_json());
                format!("{{{}}}", list(fields.iter().map(field).collect()))
            }
            Self::Array(items) => format!("[{}]", list(items.iter().map(Self::to_json).collect())),
        }
    }

    /// The order of two values of comparable types; NULL comes last. Total, so that it can sort.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Greater,
            (_, Self::Null) => Ordering::Less,
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) | (Self::Relation(_, left), Self::Relation(_, right)) => {
                left.cmp(right)
            }
            (Self::Bits(left), Self::Bits(right)) => left.cmp(right),
            (Self::Interval(left), Self::Interval(right)) => left.cmp(right),
            (Self::Numeric(left), Self::Numeric(right)) => left.compare(*right),
            (Self::Numeric(left), Self::Int(right)) => left.compare(Decimal::new((*right).into(), 0)),
            (Self::Int(left), Self::Numeric(right)) => Decimal::new((*left).into(), 0).compare(*right),
            (Self::Array(left), Self::Array(right)) => {
                let first = left.iter().zip(right).map(|(left, right)| left.order(right)).find(|order| order.is_ne());
                first.unwrap_or_else(|| left.len().cmp(&right.len()))
            }
            _ => match (self.as_int(), other.as_int()) {
                (Some(left), Some(right)) => left.cmp(&right),
                _ => match (self.as_float(), other.as_float()) {
                    // Both zeros are equal.
                    (Some(left), Some(right)) => (left + 0.0).total_cmp(&(right + 0.0)),
                    _ => self.to_json().cmp(&other.to_json()),
                },
            },
        }
    }
}

/// A text as JSON.
fn json_text(text: &str) -> String {
    Json::from(text).to_string()
}

/// `0101`.
pub(crate) fn bit_text(bits: &[bool]) -> String {
    bits.iter().map(|bit| if *bit { '1' } else { '0' }).collect()
}
