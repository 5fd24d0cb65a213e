//! Checks a workspace against its JSON Schema, and says what is wrong in words.
//!
//! The published schema is the validator: [`compile`] turns the subset of JSON Schema that occurs in it into a
//! [`Shape`], and refuses keywords that it does not know, so that nothing in it can be left unchecked.

mod check;
mod compile;
mod form;
mod union;
mod unknown;
mod words;

use std::collections::BTreeMap;

pub(crate) use check::check;
pub(crate) use compile::workspace;
use form::Form;
pub(crate) use unknown::{Unknown, meant_section, settle};

/// What a value may be: any of the kinds that are set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    null: bool,
    boolean: bool,
    number: Option<NumberRule>,
    text: Option<TextRule>,
    list: Option<Box<ListRule>>,
    /// Alternatives, told apart by the keys that only one of them needs.
    maps: Vec<MapRule>,
    /// A secret: a literal is an error of its own, and is never shown.
    secret: bool,
}

#[derive(Clone, Debug)]
struct NumberRule {
    whole: bool,
    least: Option<i64>,
    most: Option<i64>,
}

#[derive(Clone, Debug, Default)]
struct TextRule {
    /// The words that are allowed; any text if there are none.
    choices: Vec<String>,
    form: Option<Form>,
    not_empty: bool,
}

impl TextRule {
    fn can_be(&self, word: &str) -> bool {
        self.choices.iter().any(|choice| choice == word)
    }
}

#[derive(Clone, Debug)]
struct ListRule {
    items: Shape,
    not_empty: bool,
    unique: bool,
}

#[derive(Clone, Debug, Default)]
struct MapRule {
    known: BTreeMap<String, Shape>,
    required: Vec<String>,
    /// What other keys hold, and their form.
    other: Option<(Option<Form>, Box<Shape>)>,
    not_empty: bool,
}
