//! What was seen of the clusters of a workspace: tables as they may be, and then otherwise.

use serde_json::{Value, json};
use transship_model::observed::{Observation, Table, User};
use transship_model::spec::Spec;
use transship_model::{Name, TableName};

use super::files::TABLES;
use super::mutate;
use crate::plan::world::{at, now, plain_definition, plain_table, world};
use crate::random::Random;

/// Some of the tables, on every cluster of the workspace.
pub(super) fn observation(spec: &Spec, random: &mut Random) -> Observation {
    let names: Vec<&str> = spec.clusters.keys().map(Name::as_str).collect();
    let mut input = world(&names);
    for (number, name) in names.into_iter().enumerate() {
        let percent = if number == 0 { [100, 100, 70][random.below(3)] } else { [0, 0, 30][random.below(3)] };
        let tables = random.some(&TABLES, percent);
        let seen = at(&mut input, name);
        for text in tables.into_iter().chain(["n.t0"].into_iter().filter(|_| percent == 30)) {
            seen.tables.insert(text.parse::<TableName>().expect("schema.table"), table(name, text, random));
        }
        let known = |name: &str| (name.to_owned(), User { superuser: true, roles: Vec::new() });
        seen.users = Some(["crate", "u", "u@v", "u:v", "repl"].into_iter().map(known).collect());
        if random.chance(7) {
            seen.user = "stranger".to_owned();
            seen.superuser = [None, Some(false)][random.below(2)];
        }
        if random.chance(5) {
            (seen.users, seen.privileges) = (None, None);
        }
    }
    input.observation
}

fn table(cluster: &str, name: &str, random: &mut Random) -> Table {
    let mut found = plain_table(&format!("{cluster}-{name}"));
    let mut definition = plain_definition(name);
    if name == "s.parts" {
        found.partitioned_by = vec!["month".to_owned()];
        definition = definition.replace("   PRIMARY", "   \"month\" INTEGER,\n   PRIMARY");
        definition = definition.replace("\nWITH", "\nPARTITIONED BY (\"month\")\nWITH");
        found.primaries[0].partition = "04132".to_owned();
    }
    if random.chance(80) {
        found.definition = Some(definition);
    }
    if random.chance(20) {
        found.primaries[0].docs = i64::try_from(random.next() >> (1 + random.below(63))).expect("it has 63 bits");
    }
    found
}

/// The same, and a few values otherwise, as long as that is an observation.
pub(super) fn otherwise(observation: &Observation, random: &mut Random) -> Observation {
    let mut observation = observation.clone();
    for table in observation.clusters.values_mut().flat_map(|seen| seen.tables.values_mut()) {
        if let Some(definition) = table.definition.as_mut().filter(|_| random.chance(10)) {
            *definition = mutate::text(definition, random);
        }
    }
    let mut value: Value = serde_json::to_value(&observation).expect("an observation is JSON");
    for _ in 0..=random.below(4) {
        let before = value.clone();
        mutate::json(&mut value, random);
        if serde_json::from_value::<Observation>(value.clone()).is_err() {
            value = before;
        }
    }
    if random.chance(5) {
        value["taken"] = json!("9999-12-31T23:59:59Z");
    }
    serde_json::from_value(value).unwrap_or(observation)
}

/// The moment of every plan.
pub(super) fn moment() -> jiff::Timestamp {
    now()
}
