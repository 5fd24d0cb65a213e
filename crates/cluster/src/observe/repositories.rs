//! Repositories of snapshots.

use std::collections::BTreeMap;

use transship_model::observed::Repository;
use transship_sql::observe as catalog;

use super::answers::{Answers, Problem};
use crate::value::Value;

/// The repositories by name. Settings that are no texts are shown as JSON has them.
pub(super) fn repositories(answers: &mut Answers) -> Result<BTreeMap<String, Repository>, Problem> {
    let rows = answers.seen(catalog::REPOSITORIES)?.unwrap_or_default();
    let mut found = BTreeMap::new();
    for row in 0..rows.len() {
        let settings = match rows.value(row, "settings")? {
            Value::Json(serde_json::Value::Object(settings)) => settings.iter().map(setting).collect(),
            _ => BTreeMap::new(),
        };
        let repository = Repository { kind: rows.text(row, "type")?.to_owned(), settings, snapshots: None };
        found.insert(rows.text(row, "name")?.to_owned(), repository);
    }
    Ok(found)
}

fn setting((name, value): (&String, &serde_json::Value)) -> (String, String) {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    (name.clone(), text)
}
