//! What forbids a flow, beside what forbids every copy and every replication.

use std::collections::BTreeSet;

use transship_model::spec::{Instance, Repeat, Strategy, Verify};
use transship_model::{Finding, TableName};

use super::arrival;
use super::is_copied;
use crate::copies::{Context, Found, settings};
use crate::input::PlanInput;
use crate::missing::Missing;
use crate::replication::Once;

/// What forbids a flow whatever is on the target: keys whose turn has not come, and a flow that was another one.
pub(super) fn before(input: &PlanInput, instance: &Instance<'_>) -> Result<(), Vec<Finding>> {
    let flow = instance.flow;
    let keys = [("verify", flow.verify == Some(Verify::Full))];
    let unavailable = |key: &str| {
        let message = format!("`{key}` of a flow with `then: detach` is not available yet");
        Finding::error("plan::not-available-yet", message)
            .at_key(instance.path.key(key))
            .help("it is part of the language and validates; alter the table by hand, or take the key out")
    };
    let mut findings: Vec<Finding> = keys.iter().filter(|(_, used)| *used).map(|(key, _)| unavailable(key)).collect();
    let row = instance.to.and_then(|to| input.observed(to)?.ledger.row(&instance.id));
    if row.is_some_and(|row| row.strategy == Strategy::LogicalReplication && row.detach.is_none()) {
        let message = format!("flow {} follows its source for good, and was never taken down", instance.id);
        let help = "apply once with the flow left out, which takes it down and keeps its tables; then declare it anew";
        findings.push(Finding::error("plan::moved", message).at(instance.path.key("strategy")).help(help));
    }
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

/// Everything that forbids to fill tables.
pub(super) fn check(context: &Context<'_>, found: &[Found<'_>], once: &Once<'_>) -> Vec<Finding> {
    let mut findings = unmanaged(context, once);
    findings.extend(settings::check(context));
    findings.extend(found.iter().filter_map(|found| own_name(context, found)));
    let to_fill = arrival::to_fill(context, found);
    let filled = || found.iter().filter(|found| is_copied(found) && to_fill.contains(&found.wish.pair.from));
    findings.extend(filled().filter_map(|found| in_the_way(context, found)));
    if !to_fill.is_empty() && findings.is_empty() {
        findings.extend(once.refuse());
    }
    let taken = found.iter().filter(|found| is_copied(found) && found.wish.pair.from != found.wish.pair.to);
    let schemas: BTreeSet<&str> = taken.map(|found| found.wish.pair.from.schema.as_str()).collect();
    let mut missing = Missing::default();
    missing.on_schemas((context.target_name, context.target), &["DQL", "DML", "DDL"], &schemas);
    for lacking in missing.findings(&context.instance.path) {
        if !findings.contains(&lacking) {
            findings.push(lacking);
        }
    }
    findings
}

/// Publication and subscription are dropped in the end: nobody else's are taken over for that.
fn unmanaged(context: &Context<'_>, once: &Once<'_>) -> Vec<Finding> {
    if context.row.is_some() {
        return Vec::new();
    }
    let finding = |object: String| {
        let message = format!("{object} exists, the ledger does not know it, and `then: detach` would drop it");
        let help = "drop it, or choose another name under `names` of the flow";
        Finding::error("plan::unmanaged", message).at_key(context.instance.path.clone()).help(help)
    };
    once.objects().into_iter().map(finding).collect()
}

/// A subscription makes its tables under the names of the source, and only where there are none.
const BY_NAME: &str = "give the copy another name by `to`, or use a strategy that copies aside: `snapshot`, or `custom` with `engine: stream`";

/// A table that keeps its name arrives under it: it cannot arrive there a second time, nor below a view.
fn own_name(context: &Context<'_>, found: &Found<'_>) -> Option<Finding> {
    let pair = found.wish.pair;
    if pair.from != pair.to {
        return None;
    }
    let full = format!("{}.{}", context.target_name, pair.to);
    let repeats = context.instance.flow.repeat.as_ref().is_some_and(|repeat| *repeat != Repeat::Once);
    let message = if context.by_view() {
        format!("{full} cannot become a view: a subscription makes a table of that name")
    } else if repeats && context.existing() == transship_model::spec::Existing::Replace {
        format!("{full} cannot be copied again: a subscription makes a table of that name, and the copy before has it")
    } else {
        return None;
    };
    Some(Finding::error("plan::in-the-way", message).at(pair.path.clone()).help(BY_NAME))
}

/// What has the name under which the table would arrive.
fn in_the_way(context: &Context<'_>, found: &Found<'_>) -> Option<Finding> {
    let pair = found.wish.pair;
    let full = format!("{}.{}", context.target_name, pair.from);
    let error = |message: String, help: &str| {
        Some(Finding::error("plan::in-the-way", message).at(pair.path.clone()).help(help))
    };
    if let Some(other) = context.pairs.iter().find(|other| other.to == pair.from && other.from != pair.from) {
        let message = format!("{} becomes {}, under whose name {} arrives", other.from, other.to, pair.from);
        return error(message, "give it another name, or copy the two by a flow each");
    }
    let makes_room = || context.half.contains(&pair.from) || arrival::is_given(context, &pair.from);
    if !context.target.tables.contains_key(&pair.from) || makes_room() {
        return None;
    }
    if is_begun(context, &pair.from) {
        let message =
            format!("table {full} is there: it may be half a copy that a cut run left, and it may be somebody else's");
        let help = format!("look at it; then give it another name, or consent with --allow-drop table:{full}");
        return error(message, &help);
    }
    let message = format!("table {full} is there, and a subscription makes a table of that name");
    error(message, BY_NAME)
}

/// Whether a run of the flow was about to have the table filled, and nobody knows which table that was.
fn is_begun(context: &Context<'_>, name: &TableName) -> bool {
    let detach = context.row.and_then(|row| row.detach.as_ref());
    detach.is_some_and(|detach| detach.arriving.contains_key(name))
}
