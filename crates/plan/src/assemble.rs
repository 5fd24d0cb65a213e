//! Puts the flows' drafts together into one plan.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::ledger::LedgerView;
use transship_model::plan::{
    Basis, DueFlow, Note, ObjectRef, PLAN_FORMAT, Plan, PlannedCluster, Precondition, Step, StepId, StepKind,
};
use transship_model::spec::{Instance, Strategy, StrategyChoice};
use transship_model::{Finding, FlowId, Name};

use crate::check::{self, Judged};
use crate::choose::{self, Choice, Choices};
use crate::digest::{digest, due_digest, named_clusters};
use crate::draft::FlowDraft;
use crate::input::PlanInput;
use crate::names;
use crate::order::{self, FlowEdges};
use crate::report::{FlowStatus, Report};
use crate::stage::{FlowOutcome, Others};
use crate::{basis, copies, custom, detach, export, parts, replication, shared, snapshot};

/// A plan, and what the planner found about every flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What was found, also about flows for which nothing is planned.
    pub report: Report,
}

/// What the planner makes of a workspace of which some flows cannot be planned.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// The plan of the flows that can be planned. Not to be applied while there are findings.
    pub planned: Planned,
    /// What forbids the others.
    pub findings: Vec<Finding>,
}

/// Plans the chosen flows. Every problem that forbids a plan is reported in one go, each with its place in the spec.
pub fn plan(input: &PlanInput) -> Result<Planned, Vec<Finding>> {
    let Survey { planned, findings } = survey(input);
    if findings.is_empty() { Ok(planned) } else { Err(findings) }
}

/// Plans what can be planned, and says what forbids the rest: one flow that is refused does not hide the others.
pub fn survey(input: &PlanInput) -> Survey {
    let choices = choose::choose(input);
    let mut survey = surveyed(choices.input.as_ref().unwrap_or(input), &choices);
    survey.findings.extend(choices.refused.into_values().flatten());
    survey
}

fn surveyed(input: &PlanInput, choices: &Choices) -> Survey {
    let instances = input.spec.instances();
    let mut findings = check::clusters(input);
    findings.extend(unknown_options(input, &instances));
    let moved = check::moved(input, &instances);
    let is_staying = |is: &&Instance<'_>| !moved.contains_key(&is.id) && !choices.refused.contains_key(&is.id.flow);
    let staying: Vec<&Instance<'_>> = instances.iter().filter(is_staying).collect();
    findings.extend(moved.into_values());
    let declared = declared(input, choices, &staying, &mut findings);
    let removed = removed(input, &instances, &mut findings);
    let judged: Vec<Judged<'_>> = declared.iter().map(|(instance, outcome)| (*instance, outcome)).collect();
    findings.extend(check::writers(&judged));
    findings.extend(check::subscriber_names(input, &judged));
    findings.extend(check::own_exports(input, &judged));
    let edges = order::flows(&input.spec, &judged).unwrap_or_else(|cycles| {
        findings.extend(cycles);
        FlowEdges::new()
    });
    findings.extend(check::newer_ledgers(input));
    let planned = assemble(input, declared, removed, &edges);
    findings.extend(check::failed_neighbours(input, &planned.plan));
    Survey { planned, findings }
}

/// Flows that the command line names and the spec does not have: a typing mistake must not plan nothing.
fn unknown_options(input: &PlanInput, instances: &[Instance<'_>]) -> Vec<Finding> {
    let known = |matches: &dyn Fn(&FlowId) -> bool| instances.iter().any(|instance| matches(&instance.id));
    let mut findings = Vec::new();
    for flow in input.options.resync.iter().filter(|flow| !known(&|id| id == *flow)) {
        findings.push(Finding::error("plan::no-such-flow", format!("--resync {flow}: there is no such flow")));
    }
    for glob in input.options.targets.iter().chain(&input.options.exclude) {
        if !known(&|id| glob.matches(&id.to_string()) || glob.matches(id.flow.as_str())) {
            findings.push(Finding::error("plan::no-such-flow", format!("no flow matches {glob}")));
        }
    }
    findings
}

fn declared<'a>(
    input: &PlanInput,
    choices: &Choices,
    instances: &[&'a Instance<'a>],
    findings: &mut Vec<Finding>,
) -> Vec<(&'a Instance<'a>, FlowOutcome)> {
    let mut outcomes: Vec<_> =
        instances.iter().map(|instance| (*instance, outcome(input, choices, instance, &Others::default()))).collect();
    follow_changes(input, choices, &mut outcomes);
    let mut planned = Vec::with_capacity(outcomes.len());
    for (instance, outcome) in outcomes {
        match outcome {
            Ok(outcome) => planned.push((instance, outcome)),
            Err(problems) => findings.extend(problems),
        }
    }
    planned
}

pub(crate) type Outcome = Result<FlowOutcome, Vec<Finding>>;

/// Flows that copy what other flows write are planned once more with that in mind, until none of them writes more: what
/// is written anew in the same plan has changed for who repeats on change.
fn follow_changes(input: &PlanInput, choices: &Choices, outcomes: &mut [(&Instance<'_>, Outcome)]) {
    let mut known = Others::default();
    loop {
        let now = Others::of(outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().ok()));
        if now == known {
            return;
        }
        for (instance, judged) in outcomes.iter_mut() {
            let copies = match &instance.flow.strategy {
                StrategyChoice::LogicalReplication(settings) => settings.then.is_some(),
                other => matches!(
                    other,
                    StrategyChoice::Custom(_) | StrategyChoice::ExportImport(_) | StrategyChoice::Snapshot(_)
                ),
            };
            if copies && judged.as_ref().is_ok_and(|flow| now.tell_more(&known, flow)) {
                *judged = outcome(input, choices, instance, &now);
            }
        }
        known = now;
    }
}

fn outcome(input: &PlanInput, choices: &Choices, instance: &Instance<'_>, others: &Others) -> Outcome {
    if !instance.flow.enabled {
        return Ok(FlowOutcome::idle(&instance.id, FlowStatus::Disabled));
    }
    if !input.options.selects(&instance.id) {
        return Ok(FlowOutcome::idle(&instance.id, FlowStatus::LeftOut));
    }
    let mut outcome = match by_strategy(input, instance, others) {
        Err(_) if parts::is_under_way(input, instance) => return Ok(parts::stand_in(input, instance)),
        outcome => outcome?,
    };
    if let Some(choice) = choices.made.get(&instance.id.flow) {
        tell(choice, &mut outcome);
    }
    Ok(outcome)
}

/// Reviewers see what was chosen, and the ledger keeps it.
fn tell(choice: &Choice, outcome: &mut FlowOutcome) {
    if outcome.unseen.is_some() {
        return;
    }
    outcome.report.notes.push(choice.text.clone());
    if let Some(record) = &mut outcome.draft.record {
        record.row.auto = Some(choice.strategy.clone());
    }
    if !choice.kept && !outcome.draft.steps.is_empty() {
        outcome.draft.warn("plan::chosen", choice.text.clone());
    }
}

/// Plans one flow by its strategy, which `auto` is none of.
pub(crate) fn by_strategy(input: &PlanInput, instance: &Instance<'_>, others: &Others) -> Outcome {
    match &instance.flow.strategy {
        StrategyChoice::LogicalReplication(settings) if settings.then.is_some() => {
            detach::plan(input, instance, settings, others)
        }
        StrategyChoice::LogicalReplication(settings) => replication::plan(input, instance, settings),
        StrategyChoice::Custom(_) => custom::plan(input, instance, others),
        StrategyChoice::Snapshot(_) => snapshot::plan(input, instance, others),
        StrategyChoice::ExportImport(settings) => export::plan(input, instance, settings, others),
        StrategyChoice::Auto => unreachable!("a flow for which nothing was chosen is not planned"),
    }
}

/// Flows that only the ledger knows. A partial plan takes absence for nothing.
fn removed(input: &PlanInput, instances: &[Instance<'_>], findings: &mut Vec<Finding>) -> Vec<(FlowId, FlowOutcome)> {
    if !input.options.is_full() {
        return Vec::new();
    }
    let declared: BTreeSet<(&FlowId, Option<&Name>)> =
        instances.iter().map(|instance| (&instance.id, instance.home())).collect();
    let mut outcomes = Vec::new();
    for (cluster, observed) in &input.observation.clusters {
        for (flow, row) in observed.ledger.rows().filter(|(flow, _)| !declared.contains(&(*flow, Some(cluster)))) {
            let outcome = match row.strategy {
                Strategy::Custom | Strategy::ExportImport => Ok(copies::forget(input, cluster, flow, row)),
                Strategy::Snapshot => Ok(snapshot::remove(input, cluster, flow, row)),
                _ => replication::remove(input, cluster, flow, row),
            };
            match outcome {
                Ok(outcome) => outcomes.push((flow.clone(), outcome)),
                Err(problems) => findings.extend(problems),
            }
        }
    }
    outcomes
}

fn assemble(
    input: &PlanInput,
    declared: Vec<(&Instance<'_>, FlowOutcome)>,
    removed: Vec<(FlowId, FlowOutcome)>,
    edges: &FlowEdges,
) -> Planned {
    let mut plan = empty(input);
    let mut report = Report { unmanaged: unmanaged(input), unseen: unseen(input), ..Report::default() };
    let mut objects = BTreeSet::new();
    let instances: Vec<&Instance<'_>> = declared.iter().map(|(instance, _)| *instance).collect();
    let mut outcomes: Vec<(FlowId, FlowOutcome)> =
        declared.into_iter().map(|(instance, outcome)| (instance.id.clone(), outcome)).collect();
    shared::merge(&mut outcomes);
    parts::leave_out(input, &instances, &mut outcomes, edges);
    wait_for_flows(&mut outcomes, edges);
    for (flow, outcome) in removed.into_iter().chain(outcomes) {
        let FlowOutcome { draft, report: of_flow, unseen, .. } = outcome;
        report.flows.insert(flow.clone(), of_flow);
        if draft.due {
            plan.due.extend(due(input, flow, draft));
            continue;
        }
        objects.extend(draft.basis);
        plan.records.extend(draft.record);
        plan.steps.extend(draft.steps);
        plan.blocked.extend(draft.blocked);
        plan.warnings.extend(draft.warnings);
        plan.unseen.extend(unseen);
    }
    plan.due.sort_by(|a, b| a.flow.cmp(&b.flow));
    plan.warnings.extend(unreadable_ledgers(input));
    ledgers(input, &mut plan);
    let due = plan.due.iter_mut().map(|due| &mut due.steps);
    order::keep_apart(&mut std::iter::once(&mut plan.steps).chain(due).collect::<Vec<_>>());
    plan.steps = order::steps(std::mem::take(&mut plan.steps));
    plan.clusters = clusters(input, &plan);
    plan.basis = fingerprints(input, objects);
    for index in 0..plan.due.len() {
        plan.due[index].digest = due_digest(&plan, &plan.due[index]);
    }
    plan.digest = digest(&plan);
    Planned { plan, report }
}

/// The work of a flow that merely fell due.
fn due(input: &PlanInput, flow: FlowId, draft: FlowDraft) -> Option<DueFlow> {
    let FlowDraft { steps, basis, warnings, record, blocked, .. } = draft;
    let basis = fingerprints(input, basis);
    Some(DueFlow { flow, digest: String::new(), basis, record: record?, steps, warnings, blocked })
}

fn fingerprints(input: &PlanInput, objects: BTreeSet<ObjectRef>) -> Vec<Basis> {
    let basis = |object| Basis { fingerprint: basis::fingerprint(&input.observation, &object), object };
    objects.into_iter().map(basis).collect()
}

fn empty(input: &PlanInput) -> Plan {
    Plan {
        format_version: PLAN_FORMAT,
        tool_version: input.tool_version.clone(),
        workspace: input.spec.workspace.clone(),
        env: input.spec.environment.clone(),
        spec: input.files.clone(),
        options: input.options.clone(),
        partial: !input.options.is_full(),
        digest: String::new(),
        clusters: BTreeMap::new(),
        basis: Vec::new(),
        records: Vec::new(),
        steps: Vec::new(),
        blocked: Vec::new(),
        due: Vec::new(),
        unseen: Vec::new(),
        warnings: Vec::new(),
    }
}

/// What a flow makes waits for the last step of every flow that comes before it. What it takes down first does not:
/// every subscription that goes is dropped before another is made on its cluster, whatever the order of the flows.
fn wait_for_flows(outcomes: &mut [(FlowId, FlowOutcome)], edges: &FlowEdges) {
    let last: Vec<Option<StepId>> =
        outcomes.iter().map(|(_, outcome)| outcome.draft.steps.last().map(|step| step.id.clone())).collect();
    for (before, after) in edges {
        let Some(before) = &last[*before] else { continue };
        let steps = &mut outcomes[*after].1.draft.steps;
        let first = steps.iter().position(|step| !step.kind.takes_down());
        // Steps that are done for other targets, too, wait for none of their own flow.
        let free = (0..steps.len()).filter(|index| is_free(&steps[*index]) && !steps[*index].kind.takes_down());
        let waiting: BTreeSet<usize> = free.chain(first).collect();
        for index in waiting {
            steps[index].depends_on.push(before.clone());
            steps[index].depends_on.sort();
        }
    }
}

/// Whether a step waits for none of its own flow.
fn is_free(step: &Step) -> bool {
    let own = step.flow.as_ref().map(|flow| format!("{flow}/")).unwrap_or_default();
    !step.depends_on.iter().any(|id| id.0.starts_with(&own))
}

/// A ledger that cannot be read may know flows that are gone from the spec. Flows towards such a cluster say so
/// themselves; where there are none, the plan has to.
fn unreadable_ledgers(input: &PlanInput) -> Vec<Note> {
    let instances = input.spec.instances();
    let targets: BTreeSet<&Name> = instances.iter().filter_map(Instance::home).collect();
    let others =
        input.observation.clusters.iter().filter(|(name, _)| !targets.contains(name) && input.options.is_full());
    others
        .filter_map(|(name, seen)| match &seen.ledger {
            LedgerView::Unreadable(reason) => Some(Note {
                code: "plan::ledger-unreadable".to_owned(),
                flow: None,
                text: format!(
                    "`{}` cannot read the ledger on {name} ({reason}): flows into {name} that are gone from the spec are not seen",
                    seen.user
                ),
            }),
            LedgerView::Absent | LedgerView::Newer(_) | LedgerView::Present(_) => None,
        })
        .collect()
}

/// Makes the ledger where a record goes and none is.
fn ledgers(input: &PlanInput, plan: &mut Plan) {
    let targets: BTreeSet<Name> = plan.records.iter().map(|record| record.cluster.clone()).collect();
    let absent = |cluster: &Name| input.observed(cluster).is_some_and(|is| is.ledger == LedgerView::Absent);
    for cluster in targets.into_iter().rev().filter(absent) {
        let id = StepId(format!("@{cluster}/01-{}", StepKind::CreateLedger));
        let flows: BTreeSet<&FlowId> =
            plan.records.iter().filter(|record| record.cluster == cluster).map(|record| &record.flow).collect();
        for step in &mut plan.steps {
            if step.flow.as_ref().is_some_and(|flow| flows.contains(flow)) && is_free(step) {
                step.depends_on.push(id.clone());
                step.depends_on.sort();
            }
        }
        plan.steps.insert(0, create_ledger(id, cluster));
    }
}

fn create_ledger(id: StepId, cluster: Name) -> Step {
    Step {
        id,
        flow: None,
        kind: StepKind::CreateLedger,
        sql: transship_sql::ledger::create_tables(),
        params: Vec::new(),
        action: None,
        preconditions: vec![Precondition::Absent(ObjectRef::ledger(&cluster))],
        because: format!("{cluster} keeps the history of what flows into it"),
        at: None,
        depends_on: Vec::new(),
        destructive: false,
        consent: None,
        estimate: None,
        cluster,
    }
}

/// The clusters that the plan touches, looks at or relies on.
fn clusters(input: &PlanInput, plan: &Plan) -> BTreeMap<Name, PlannedCluster> {
    let due = plan.due.iter().flat_map(|due| named_clusters(&due.steps, std::slice::from_ref(&due.record)));
    let names: BTreeSet<&Name> = named_clusters(&plan.steps, &plan.records).chain(due).collect();
    let planned = names.into_iter().filter_map(|name| Some((name, input.observed(name)?)));
    planned.map(|(name, seen)| (name.clone(), PlannedCluster { id: seen.id.clone(), version: seen.version })).collect()
}

/// Objects whose names are this workspace's and that the ledger does not know.
fn unmanaged(input: &PlanInput) -> Vec<String> {
    let spec = &input.spec;
    let mut prefix = format!("{}{}__", names::PREFIX, spec.workspace.to_identifier_part());
    if let Some(environment) = &spec.environment {
        prefix.push_str(&environment.to_identifier_part());
        prefix.push_str("__");
    }
    let rows = input.observation.clusters.values().flat_map(|seen| seen.ledger.rows());
    let mut known: BTreeSet<(&Name, String)> = BTreeSet::new();
    for (_, row) in rows {
        known.extend(row.publication.iter().map(|owned| (&row.from, owned.name.clone())));
        known.extend(row.subscription.iter().map(|owned| (&row.to, owned.name.clone())));
    }
    for instance in spec.instances() {
        let name = names::of_flow(spec, &instance.id);
        known.extend([instance.from, instance.to].into_iter().flatten().map(|end| (end, name.clone())));
    }
    let ours = |cluster, name: &str| name.starts_with(&prefix) && !known.contains(&(cluster, name.to_owned()));
    let mut found = Vec::new();
    for (cluster, seen) in &input.observation.clusters {
        let publications = seen.publications.keys().filter(|name| ours(cluster, name));
        found.extend(publications.map(|name| format!("publication {cluster}.{name}")));
        let subscriptions = seen.subscriptions.keys().filter(|name| ours(cluster, name));
        found.extend(subscriptions.map(|name| format!("subscription {cluster}.{name}")));
    }
    found
}

fn unseen(input: &PlanInput) -> BTreeMap<Name, Vec<String>> {
    let by_cluster = input.observation.clusters.iter().filter(|(_, seen)| !seen.unseen.is_empty());
    by_cluster
        .map(|(name, seen)| {
            (name.clone(), seen.unseen.iter().map(|it| format!("{}: {}", it.what, it.reason)).collect())
        })
        .collect()
}
