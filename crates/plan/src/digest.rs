//! Digests: SHA-256 over canonical JSON (keys sorted, no spaces).

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use transship_model::Name;
use transship_model::plan::{Action, DueFlow, Plan, PlannedCluster, Record, Step, StepId};

/// The digest of a plan, in hexadecimal: of everything but who made it, with which options and from which files, and what
/// merely fell due. Its own `digest` field does not count, and neither do estimates.
pub fn digest(plan: &Plan) -> String {
    // A field that is added to the plan has to be named here, and is part of the digest unless there is a reason.
    let Plan {
        format_version,
        tool_version: _,
        workspace,
        env,
        spec: _,
        options: _,
        partial,
        digest: _,
        clusters: _,
        basis,
        records,
        steps,
        blocked,
        due,
        unseen,
        warnings,
    } = plan;
    let mut object = Object::default();
    object.list("basis", basis);
    object.list("blocked", blocked);
    object.field("clusters", &touched(plan, steps, records));
    object.field("env", env);
    object.field("format_version", format_version);
    object.field("partial", partial);
    object.list("records", records);
    let fell_due: BTreeSet<&StepId> = due.iter().flat_map(|due| &due.steps).map(|step| &step.id).collect();
    object.list("steps", steps.iter().map(|step| counted(step, |id| !fell_due.contains(id))));
    object.list("unseen", unseen);
    object.list("warnings", warnings);
    object.field("workspace", workspace);
    object.finish()
}

/// The digest of a flow of `plan` that fell due, in hexadecimal: of everything that belongs to it, and of whose it is.
pub fn due_digest(plan: &Plan, due: &DueFlow) -> String {
    let DueFlow { flow, digest: _, basis, record, steps, warnings, blocked } = due;
    let own: BTreeSet<&StepId> = steps.iter().map(|step| &step.id).collect();
    let mut object = Object::default();
    object.list("basis", basis);
    object.field("clusters", &touched(plan, steps, std::slice::from_ref(record)));
    object.field("env", &plan.env);
    object.list("blocked", blocked);
    object.field("flow", flow);
    object.field("format_version", &plan.format_version);
    object.field("record", record);
    object.list("steps", steps.iter().map(|step| counted(step, |id| own.contains(id))));
    object.list("warnings", warnings);
    object.field("workspace", &plan.workspace);
    object.finish()
}

/// The first digest of a plan that is not that of its content: what the plan says, and what it is.
pub fn edited(plan: &Plan) -> Option<(&str, String)> {
    let own = std::iter::once_with(|| (plan.digest.as_str(), digest(plan)));
    let due = plan.due.iter().map(|due| (due.digest.as_str(), due_digest(plan, due)));
    own.chain(due).find(|(stated, computed)| stated != computed)
}

/// A step as it counts: without its estimate, and with those of the steps before it that do not come and go with time.
fn counted(step: &Step, counts: impl Fn(&StepId) -> bool) -> Step {
    let mut step = Step { estimate: None, ..step.clone() };
    step.depends_on.retain(counts);
    step
}

/// Those of the plan's clusters that the steps and records name.
fn touched<'a>(plan: &'a Plan, steps: &[Step], records: &[Record]) -> BTreeMap<&'a Name, &'a PlannedCluster> {
    let named: BTreeSet<&Name> = named_clusters(steps, records).collect();
    plan.clusters.iter().filter(|(name, _)| named.contains(name)).collect()
}

/// The clusters that steps and records name.
pub(crate) fn named_clusters<'a>(steps: &'a [Step], records: &'a [Record]) -> impl Iterator<Item = &'a Name> {
    let ends = records.iter().flat_map(|record| [&record.row.from, &record.row.to]);
    let awaited = steps.iter().flat_map(|step| match &step.action {
        Some(Action::WaitFlows(wait)) => wait.flows.as_slice(),
        _ => &[],
    });
    steps.iter().map(|step| &step.cluster).chain(ends).chain(awaited.map(|flow| &flow.cluster))
}

/// The canonical JSON of an object, hashed key by key: a large plan never stands in memory as a whole once more.
struct Object {
    hashing: Hashing,
    separator: u8,
}

impl Default for Object {
    fn default() -> Self {
        Self { hashing: Hashing(Sha256::new()), separator: b'{' }
    }
}

impl Object {
    /// The next key, in alphabetical order.
    fn key(&mut self, key: &str) {
        self.hashing.0.update([self.separator]);
        self.separator = b',';
        self.hashing.0.update(format!("{key:?}:"));
    }

    fn field(&mut self, key: &str, value: &impl Serialize) {
        self.key(key);
        self.hashing.canonical(value);
    }

    fn list<T: Serialize>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        self.key(key);
        let mut separator = b'[';
        for value in values {
            self.hashing.0.update([separator]);
            separator = b',';
            self.hashing.canonical(&value);
        }
        self.hashing.0.update(if separator == b'[' { "[]" } else { "]" });
    }

    fn finish(mut self) -> String {
        self.hashing.0.update("}");
        self.hashing.finish()
    }
}

/// SHA-256 in hexadecimal of the canonical JSON of `value`.
pub(crate) fn of(value: &impl Serialize) -> String {
    let mut hashing = Hashing(Sha256::new());
    hashing.canonical(value);
    hashing.finish()
}

/// Hashes what is written, so that the text of a large plan never stands in memory.
struct Hashing(Sha256);

impl Hashing {
    /// Hashes canonical JSON: `serde_json` keeps object keys sorted, and writes no spaces.
    fn canonical(&mut self, value: &impl Serialize) {
        let value = serde_json::to_value(value).expect("the types of the model have text keys only");
        serde_json::to_writer(self, &value).expect("hashing takes every byte");
    }

    fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_digest_is_that_of_the_canonical_json_without_what_does_not_count() {
        let mut value = json!({
            "format_version": 1, "tool_version": "x", "workspace": "w", "env": null,
            "spec": { "path": "p", "files": {} },
            "options": { "targets": [], "exclude": [], "resync": [], "allow_drop": [] },
            "partial": false, "digest": "", "clusters": {}, "basis": [], "records": [],
            "steps": [{
                "id": "f/01-record-flow", "flow": "f", "cluster": "b", "kind": "record-flow", "sql": [], "params": [],
                "action": "record", "preconditions": [], "because": "so", "depends_on": [], "destructive": false,
                "estimate": { "rows": 7 },
            }],
            "blocked": [], "due": [], "unseen": [], "warnings": [{ "code": "c", "flow": null, "text": "t" }],
        });
        let plan: Plan = serde_json::from_value(value.clone()).unwrap();
        let fields = value.as_object_mut().unwrap();
        for name in ["digest", "tool_version", "spec", "due", "options"] {
            fields.remove(name);
        }
        fields["steps"][0].as_object_mut().unwrap().remove("estimate");
        assert_eq!(digest(&plan), of(&value));
    }
}
