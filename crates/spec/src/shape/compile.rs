//! From JSON Schema to [`Shape`].

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::form::Form;
use super::{ListRule, MapRule, NumberRule, Shape, TextRule};

/// Keywords that say nothing about which values are allowed.
const NOTES: [&str; 5] = ["$schema", "$defs", "title", "description", "default"];

/// The shape of a workspace, made once.
pub(crate) fn workspace() -> &'static Shape {
    static SHAPE: OnceLock<Shape> = OnceLock::new();
    SHAPE.get_or_init(|| {
        let schema = crate::workspace_schema();
        let definitions = schema["$defs"].as_object().cloned().unwrap_or_default();
        Compiler { definitions: &definitions }.shape(&schema)
    })
}

struct Compiler<'a> {
    definitions: &'a Map<String, Value>,
}

impl Compiler<'_> {
    fn shape(&self, schema: &Value) -> Shape {
        let object = schema.as_object().expect("a schema is a map");
        let mut shape = Shape::default();
        for (keyword, value) in object {
            match keyword.as_str() {
                "$ref" => shape.join(self.reference(value)),
                "anyOf" | "oneOf" => {
                    for alternative in list_of(value) {
                        shape.join(self.shape(alternative));
                    }
                }
                "type" => self.kind(value.as_str().expect("a type is one word"), object, &mut shape),
                keyword => assert!(
                    NOTES.contains(&keyword) || object.contains_key("type"),
                    "the schema uses `{keyword}` without a type"
                ),
            }
        }
        shape
    }

    fn reference(&self, value: &Value) -> Shape {
        let name = value.as_str().and_then(|text| text.strip_prefix("#/$defs/")).expect("references are local");
        let mut shape = self.shape(&self.definitions[name]);
        shape.secret = name == "Secret";
        shape
    }

    fn kind(&self, kind: &str, schema: &Map<String, Value>, shape: &mut Shape) {
        let known: &[&str] = match kind {
            "null" => {
                shape.null = true;
                &[]
            }
            "boolean" => {
                shape.boolean = true;
                &[]
            }
            "number" | "integer" => {
                shape.number = Some(number(kind, schema));
                &["minimum", "maximum", "format", "const"]
            }
            "string" => {
                shape.text = Some(text(schema));
                &["const", "pattern", "minLength", "maxLength"]
            }
            "array" => {
                shape.list = Some(Box::new(self.list(schema)));
                &["items", "minItems", "uniqueItems"]
            }
            "object" => {
                shape.maps.push(self.map(schema));
                &[
                    "properties",
                    "required",
                    "additionalProperties",
                    "patternProperties",
                    "propertyNames",
                    "minProperties",
                ]
            }
            other => panic!("the schema uses type `{other}`"),
        };
        for keyword in schema.keys().map(String::as_str) {
            let understood = keyword == "type" || NOTES.contains(&keyword) || known.contains(&keyword);
            assert!(understood, "the schema uses `{keyword}` on `{kind}`");
        }
    }

    fn list(&self, schema: &Map<String, Value>) -> ListRule {
        ListRule {
            items: self.shape(&schema["items"]),
            not_empty: at_least_one(schema, "minItems"),
            unique: schema.get("uniqueItems") == Some(&Value::Bool(true)),
        }
    }

    fn map(&self, schema: &Map<String, Value>) -> MapRule {
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").map_or(&[][..], list_of);
        MapRule {
            known: properties.into_iter().flatten().map(|(key, inner)| (key.clone(), self.shape(inner))).collect(),
            required: required.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            other: self.other(schema),
            not_empty: at_least_one(schema, "minProperties"),
        }
    }

    fn other(&self, schema: &Map<String, Value>) -> Option<(Option<Form>, Box<Shape>)> {
        if let Some(patterns) = schema.get("patternProperties").and_then(Value::as_object) {
            let (pattern, inner) = patterns.iter().next().expect("a pattern of properties is not empty");
            return Some((Some(form(pattern)), Box::new(self.shape(inner))));
        }
        let inner = schema.get("additionalProperties").filter(|inner| inner.is_object())?;
        Some((None, Box::new(self.shape(inner))))
    }
}

impl Shape {
    /// Also allows what `other` allows.
    fn join(&mut self, other: Self) {
        self.null |= other.null;
        self.boolean |= other.boolean;
        self.secret |= other.secret;
        self.number = self.number.take().or(other.number);
        self.list = self.list.take().or(other.list);
        self.maps.extend(other.maps);
        self.text = match (self.text.take(), other.text) {
            (Some(mut one), Some(two)) => {
                assert_eq!(one.choices.is_empty(), two.choices.is_empty(), "the schema mixes words with any text");
                one.choices.extend(two.choices);
                Some(one)
            }
            (one, two) => one.or(two),
        };
    }
}

fn list_of(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn form(pattern: &str) -> Form {
    Form::of_pattern(pattern).unwrap_or_else(|| panic!("the schema uses pattern `{pattern}`"))
}

/// Whether `keyword` asks for at least one of something; it never asks for more.
fn at_least_one(schema: &Map<String, Value>, keyword: &str) -> bool {
    schema.get(keyword).is_some_and(|least| {
        assert_eq!(least, 1, "the schema uses `{keyword}` with another number than 1");
        true
    })
}

fn number(kind: &str, schema: &Map<String, Value>) -> NumberRule {
    let bound = |keyword| schema.get(keyword).and_then(Value::as_i64);
    let (least, most) = match schema.get("format").and_then(Value::as_str) {
        Some("uint32") => (Some(0), Some(i64::from(u32::MAX))),
        Some("int8") => (Some(i64::from(i8::MIN)), Some(i64::from(i8::MAX))),
        Some(other) => panic!("the schema uses format `{other}`"),
        None => (None, None),
    };
    NumberRule { whole: kind == "integer", least: bound("minimum").or(least), most: bound("maximum").or(most) }
}

fn text(schema: &Map<String, Value>) -> TextRule {
    let form = schema.get("pattern").and_then(Value::as_str).map(form);
    let is_limited = schema.contains_key("maxLength");
    assert!(!is_limited || form == Some(Form::Name), "the schema limits the length of what is no name");
    TextRule {
        choices: schema.get("const").and_then(Value::as_str).map(str::to_owned).into_iter().collect(),
        form,
        not_empty: at_least_one(schema, "minLength"),
    }
}
