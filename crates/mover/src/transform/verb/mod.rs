//! What is done with a value, one file for each kind of verb.

mod cast;
mod digest;
mod hide;
mod lookup;
mod round;
mod truncate;

use std::sync::Arc;

use transship_model::spec::{Partial, TruncateTo};
use transship_sql::scalar::ScalarType;

pub(crate) use cast::cast;
pub use digest::Key;
pub use lookup::{Entries, LookupFull};

use super::refusal::Refusal;
use super::value::Value;

/// What is done with a value. NULL stays NULL but for [`Verb::Default`].
#[derive(Clone, Debug)]
pub enum Verb {
    /// The value in place of NULL.
    Default(Constant),
    /// A point in time, cut down to a unit of UTC.
    Truncate(TruncateTo),
    /// A number, rounded to so many decimals, half away from zero.
    Round(i8),
    /// The value that is found under this one; NULL where there is none.
    Lookup(Arc<Entries>),
    /// HMAC-SHA-256 of the value's text, in hexadecimal.
    Mask(Key),
    /// SHA-256 of the value's text, in hexadecimal.
    Hash,
    /// This text in its place.
    Redact(String),
    /// The ends of a text.
    Partial(Partial),
    /// The value as one of this type.
    Cast(ScalarType),
}

/// A value that a spec gives.
#[derive(Clone, Debug)]
pub struct Constant(pub(crate) Option<Value<'static>>);

impl Constant {
    /// The value of a spec as one of a type; NULL where it is none of it, which the planner refuses.
    pub fn of(cell: &transship_model::spec::Cell, data_type: &ScalarType) -> Self {
        Self(Value::of_spec(cell, data_type))
    }
}

impl Verb {
    /// Does it. What it gives for a value that is NULL is for its caller to say.
    pub(crate) fn apply<'a>(&'a self, value: Option<Value<'a>>) -> Result<Option<Value<'a>>, Refusal> {
        let Some(value) = value else {
            return Ok(if let Self::Default(constant) = self { constant.0.clone() } else { None });
        };
        Ok(Some(match self {
            Self::Default(_) => value,
            Self::Truncate(unit) => truncate::truncate(&value, *unit)?,
            Self::Round(decimals) => round::round(value, *decimals)?,
            Self::Lookup(entries) => return entries.find(&value),
            Self::Mask(key) => key.mask(&value)?,
            Self::Hash => digest::hash(&value)?,
            Self::Redact(text) => Value::Text(text.as_str().into()),
            Self::Partial(partial) => hide::partial(&value, partial)?,
            Self::Cast(data_type) => cast(value, data_type)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_stays_null_but_for_a_default() {
        let cell = transship_model::spec::Cell::Text("x".to_owned());
        let default = Verb::Default(Constant::of(&cell, &ScalarType::read("text").unwrap()));
        assert_eq!(default.apply(None), Ok(Some(Value::Text("x".into()))));
        assert_eq!(default.apply(Some(Value::Text("y".into()))), Ok(Some(Value::Text("y".into()))));
        let others = [
            Verb::Truncate(TruncateTo::Day),
            Verb::Round(0),
            Verb::Lookup(Arc::default()),
            Verb::Mask(Key::new(b"k")),
            Verb::Hash,
            Verb::Redact("***".to_owned()),
            Verb::Partial(Partial { first: 1, last: 1 }),
            Verb::Cast(ScalarType::read("text").unwrap()),
        ];
        for verb in others {
            assert_eq!(verb.apply(None), Ok(None), "{verb:?}");
        }
    }
}
