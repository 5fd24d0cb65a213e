//! Digests: SHA-256 over canonical JSON (keys sorted, no spaces).

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use transship_model::plan::Plan;

/// What a plan's digest leaves out: who made it, from which files, when, and what merely fell due.
const LEFT_OUT: [&str; 4] = ["digest", "tool_version", "spec", "due"];

/// The digest of a plan, in hexadecimal. Its own `digest` field does not count.
pub fn digest(plan: &Plan) -> String {
    let mut value = canonical(plan);
    if let Value::Object(fields) = &mut value {
        for name in LEFT_OUT {
            fields.remove(name);
        }
        if let Some(Value::Array(steps)) = fields.get_mut("steps") {
            for step in steps.iter_mut().filter_map(Value::as_object_mut) {
                step.remove("estimate");
            }
        }
    }
    hash(&value)
}

/// SHA-256 in hexadecimal of the canonical JSON of `value`.
pub(crate) fn of(value: &impl Serialize) -> String {
    hash(&canonical(value))
}

fn canonical(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("the types of the model have text keys only")
}

fn hash(value: &Value) -> String {
    // serde_json keeps object keys sorted, so its text is canonical.
    let bytes = Sha256::digest(value.to_string().as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
