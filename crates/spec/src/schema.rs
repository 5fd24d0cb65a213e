//! The JSON Schema of the spec language, as it is published and as the shape check reads it.

use serde_json::{Map, Value, json};
use transship_model::name::NAME_MAX;
use transship_model::spec::Workspace;

/// The JSON Schema of a workspace file.
///
/// It is the types' own schema without the nulls of their optional keys: in a spec, a key without a value is a mistake.
pub fn workspace_schema() -> Value {
    let mut schema = schemars::schema_for!(Workspace).to_value();
    tidy(&mut schema, "");
    schema
}

fn tidy(value: &mut Value, definition: &str) {
    match value {
        Value::Object(object) => {
            if definition != "Cell" {
                drop_null(object);
            }
            limit_names(object);
            for (key, inner) in object.iter_mut() {
                if key == "$defs" {
                    let definitions = inner.as_object_mut().expect("definitions are a map");
                    definitions.iter_mut().for_each(|(name, inner)| tidy(inner, name));
                } else {
                    tidy(inner, definition);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| tidy(item, definition)),
        _ => {}
    }
}

/// Takes `null` out of the alternatives, and makes a single one that is left stand for itself.
fn drop_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [single] = &types[..] {
            let single = single.clone();
            object.insert("type".to_owned(), single);
        }
    }
    let Some(Value::Array(mut any)) = object.remove("anyOf") else { return };
    any.retain(|alternative| *alternative != json!({ "type": "null" }));
    match &any[..] {
        [Value::Object(single)] => {
            for (key, value) in single {
                object.entry(key.clone()).or_insert_with(|| value.clone());
            }
            drop_null(object);
        }
        _ => {
            object.insert("anyOf".to_owned(), Value::Array(any));
        }
    }
}

/// A map whose keys are names says their form, but not their length.
fn limit_names(object: &mut Map<String, Value>) {
    if object.contains_key("patternProperties") {
        object.insert("propertyNames".to_owned(), json!({ "maxLength": NAME_MAX }));
    }
}
