//! Values that are found under others.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use transship_sql::copy::LOOKUP_MOST;
use transship_sql::scalar::ScalarType;

use super::super::refusal::Refusal;
use super::super::value::Value;
use crate::transform::load;

/// Values by the text of their key.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    values: BTreeMap<String, Option<Value<'static>>>,
    bytes: usize,
}

/// Why not all entries can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupFull {
    /// Two of them have one key.
    Twice,
    /// They take too much memory.
    TooLarge,
    /// A key or a value is not of its type.
    OtherType,
}

impl Entries {
    /// The most entries, and the most bytes of their texts.
    const MOST: usize = LOOKUP_MOST;
    const MOST_BYTES: usize = 32 * 1024 * 1024;

    /// Adds what a cluster said: a key, and a value of a type. An entry without a key is never found.
    pub fn add(
        &mut self,
        key: &transship_cluster::Value,
        value: &transship_cluster::Value,
        data_type: &ScalarType,
    ) -> Result<(), LookupFull> {
        let Some(key) = load::key(key).ok_or(LookupFull::OtherType)? else { return Ok(()) };
        let value = load::value(value, data_type).ok_or(LookupFull::OtherType)?;
        self.insert(key, value)
    }

    /// Adds what a file says.
    pub fn add_text(&mut self, key: &str, value: Option<&str>) -> Result<(), LookupFull> {
        self.insert(key.to_owned(), value.map(|value| Value::Text(value.to_owned().into())))
    }

    fn insert(&mut self, key: String, value: Option<Value<'static>>) -> Result<(), LookupFull> {
        self.bytes += key.len() + if let Some(Value::Text(text)) = &value { text.len() } else { 16 };
        if self.values.len() >= Self::MOST || self.bytes > Self::MOST_BYTES {
            return Err(LookupFull::TooLarge);
        }
        match self.values.entry(key) {
            Entry::Occupied(_) => Err(LookupFull::Twice),
            Entry::Vacant(vacant) => {
                vacant.insert(value);
                Ok(())
            }
        }
    }

    pub(super) fn find<'a>(&'a self, key: &Value<'_>) -> Result<Option<Value<'a>>, Refusal> {
        let key = key.text().ok_or(Refusal::OtherType)?;
        Ok(self.values.get(key.as_ref()).cloned().flatten())
    }
}

#[cfg(test)]
mod tests {
    use transship_cluster::Value as Told;

    use super::*;

    #[test]
    fn values_are_found_by_their_key() {
        let (mut entries, numeric) = (Entries::default(), ScalarType::read("numeric").unwrap());
        entries.add(&Told::Int(49), &Told::Text("1.50".to_owned()), &numeric).unwrap();
        entries.add(&Told::Int(43), &Told::Null, &numeric).unwrap();
        entries.add(&Told::Null, &Told::Null, &numeric).unwrap();
        let found = entries.find(&Value::Whole(49)).unwrap().unwrap();
        assert_eq!(found.text().as_deref(), Some("1.50"));
        assert_eq!(entries.find(&Value::Whole(43)), Ok(None), "the value is NULL");
        assert_eq!(entries.find(&Value::Whole(1)), Ok(None), "there is no such key");
        assert_eq!(entries.find(&Value::Double(1.0)), Err(Refusal::OtherType));
        assert_eq!(entries.add(&Told::Int(49), &Told::Null, &numeric), Err(LookupFull::Twice));
        assert_eq!(entries.add(&Told::Int(50), &Told::Bool(true), &numeric), Err(LookupFull::OtherType));
    }

    #[test]
    fn too_many_are_refused() {
        let mut entries = Entries::default();
        let large = "x".repeat(1024 * 1024);
        let full = (0..40).map(|at| entries.add_text(&at.to_string(), Some(&large))).find(Result::is_err);
        assert_eq!(full, Some(Err(LookupFull::TooLarge)));
    }
}
