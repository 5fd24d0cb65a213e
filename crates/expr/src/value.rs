//! Values that go into an expression and come out of it.

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a binary fraction.
    Double(f64),
    /// A text.
    Text(String),
    /// The elements of an array.
    List(Vec<Value>),
}

impl Value {
    /// How many bytes it has.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64 + 8,
            Self::List(values) => values.iter().map(Self::bytes).sum::<u64>() + 8,
            _ => 8,
        }
    }

    /// How many elements it has.
    pub(crate) fn elements(&self) -> u64 {
        match self {
            Self::List(values) => values.len() as u64,
            _ => 1,
        }
    }

    pub(crate) fn into_cel(self) -> cel::Value {
        match self {
            Self::Null => cel::Value::Null,
            Self::Bool(value) => cel::Value::Bool(value),
            Self::Int(value) => cel::Value::Int(value),
            Self::Double(value) => cel::Value::Float(value),
            Self::Text(value) => cel::Value::from(value),
            Self::List(values) => cel::Value::List(values.into_iter().map(Self::into_cel).collect::<Vec<_>>().into()),
        }
    }

    /// `None` for what no column is made of.
    pub(crate) fn of_cel(value: &cel::Value) -> Option<Self> {
        Some(match value {
            cel::Value::Null => Self::Null,
            cel::Value::Bool(value) => Self::Bool(*value),
            cel::Value::Int(value) => Self::Int(*value),
            cel::Value::UInt(value) => Self::Int(i64::try_from(*value).ok()?),
            cel::Value::Float(value) => Self::Double(*value),
            cel::Value::String(value) => Self::Text(value.as_str().to_owned()),
            _ => return None,
        })
    }
}
