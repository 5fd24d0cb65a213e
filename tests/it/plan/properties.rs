//! What holds for every plan, over random workspaces and observations.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;
use transship_model::consent::DropKind;
use transship_model::ledger::{FlowState, LedgerView};
use transship_model::observed::{RelationState, Table, Writable};
use transship_model::plan::{Action, ConsentBy, Plan, Step, StepId, StepKind};
use transship_model::spec::{Existing, StrategyChoice};
use transship_model::{AllowDrop, Glob, TableName};
use transship_plan::{PlanInput, PlanOptions, audit, plan, project};

use super::world::{applied, at, id, name, now, plain_definition, plain_table, table, tables, world, write_to};

const CLUSTERS: [&str; 3] = ["a", "b", "c"];
const TABLES: [&str; 5] = ["s.t0", "s.t1", "s.t2", "r.t3", "r.t4"];

/// A flow: what is declared, and in which state the world is.
#[derive(Clone, Debug)]
struct FlowCase {
    from: usize,
    to: usize,
    declared: u8,
    was: Option<u8>,
    damage: Vec<Damage>,
    existing: bool,
    prevent_destroy: bool,
    gone: bool,
    sniff: bool,
    depends: bool,
}

/// Something that happened to a flow behind transship's back.
#[derive(Clone, Debug)]
enum Damage {
    PublicationDropped,
    SubscriptionDropped,
    LedgerLost,
    RunCut,
    Unpublished(usize),
    Released(usize),
    Failed(usize),
    Copying(usize),
    LeasesLost(usize),
    SourceDropped(usize),
    TargetDropped(usize),
    InTheWay(usize),
    SubscribedByOthers(usize),
    Moved,
}

fn damage() -> impl Strategy<Value = Damage> {
    let table = || 0..TABLES.len();
    prop_oneof![
        Just(Damage::PublicationDropped),
        Just(Damage::SubscriptionDropped),
        Just(Damage::LedgerLost),
        Just(Damage::RunCut),
        table().prop_map(Damage::Unpublished),
        table().prop_map(Damage::Released),
        table().prop_map(Damage::Failed),
        table().prop_map(Damage::Copying),
        table().prop_map(Damage::LeasesLost),
        table().prop_map(Damage::SourceDropped),
        table().prop_map(Damage::TargetDropped),
        table().prop_map(Damage::InTheWay),
        table().prop_map(Damage::SubscribedByOthers),
        Just(Damage::Moved),
    ]
}

prop_compose! {
    fn flow_case()(
        from in 0..3_usize,
        shift in 1..3_usize,
        declared in 1..32_u8,
        was in prop::option::weighted(0.8, 1..32_u8),
        damage in prop::collection::vec(damage(), 0..3),
        existing in any::<bool>(),
        prevent_destroy in prop::bool::weighted(0.1),
        gone in prop::bool::weighted(0.15),
        sniff in prop::bool::weighted(0.2),
        depends in any::<bool>(),
    ) -> FlowCase {
        FlowCase { from, to: (from + shift) % 3, declared, was, damage, existing, prevent_destroy, gone, sniff, depends }
    }
}

/// A flow that copies rows: what is declared, and what became of it. Each copies what the one before it has written.
#[derive(Clone, Debug)]
struct CopyCase {
    existing: usize,
    repeat: usize,
    by_view: bool,
    detach: bool,
    auto: bool,
    applied: bool,
    hours: i64,
    written: bool,
    more: bool,
    cut: bool,
}

const MODES: [&str; 5] = ["error", "replace", "append", "upsert", "skip"];

prop_compose! {
    fn copy_case()(
        existing in prop::sample::select(vec![0_usize, 1, 1, 1, 1, 2, 3, 3, 3, 3, 4]),
        repeat in prop::sample::select(vec![0_usize, 1, 1, 2, 2]),
        by_view in prop::bool::weighted(0.1),
        detach in prop::bool::weighted(0.3),
        auto in prop::bool::weighted(0.3),
        applied in prop::bool::weighted(0.9),
        hours in 0..48_i64,
        written in any::<bool>(),
        more in prop::bool::weighted(0.2),
        cut in prop::bool::weighted(0.2),
    ) -> CopyCase {
        CopyCase { existing, repeat, by_view, detach, auto, applied, hours, written, more, cut }
    }
}

/// A whole world.
#[derive(Clone, Debug)]
struct Case {
    flows: Vec<FlowCase>,
    copies: Vec<CopyCase>,
    consents: Vec<usize>,
    protected: Option<usize>,
    stranger: Option<usize>,
    partial: bool,
    resync: bool,
}

prop_compose! {
    fn cases()(
        flows in prop_oneof![prop::collection::vec(flow_case(), 1..4), prop::collection::vec(flow_case(), 0..1)],
        copies in prop::collection::vec(copy_case(), 0..4),
        consents in prop::collection::vec(0..4_usize, 0..4),
        protected in prop::option::weighted(0.1, 0..3_usize),
        stranger in prop::option::weighted(0.1, 0..3_usize),
        partial in prop::bool::weighted(0.1),
        resync in prop::bool::weighted(0.1),
    ) -> Case {
        Case { flows, copies, consents, protected, stranger, partial, resync }
    }
}

impl Case {
    fn input(&self) -> PlanInput {
        let mut input = world(&CLUSTERS);
        for (index, case) in self.flows.iter().enumerate() {
            build(&mut input, &format!("f{index}"), case);
        }
        for (index, case) in self.copies.iter().enumerate() {
            build_copy(&mut input, index, case, index + 1 == self.copies.len());
        }
        let all = ["table:*", "subscription:*", "publication:*", "table:b.*"];
        input.options.allow_drop = self.consents.iter().map(|index| all[*index].parse().expect("a consent")).collect();
        if let Some(index) = self.protected {
            input.spec.clusters.get_mut(&name(CLUSTERS[index])).expect("a cluster").protected = true;
        }
        if let Some(index) = self.stranger {
            let seen = at(&mut input, CLUSTERS[index]);
            seen.user = "stranger".to_owned();
            seen.publications.clear();
            seen.subscriptions.clear();
        }
        if self.partial && input.spec.flows.contains_key(&name("f0")) {
            input.options.exclude = vec![Glob("f0".to_owned())];
        }
        if self.resync {
            input.options.resync = input.spec.flows.keys().map(|flow| id(flow.as_str())).collect();
        }
        input
    }
}

fn subset(bits: u8) -> Vec<&'static str> {
    TABLES.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0).map(|(_, text)| *text).collect()
}

fn build(input: &mut PlanInput, flow: &str, case: &FlowCase) {
    let (from, to) = (CLUSTERS[case.from], CLUSTERS[case.to]);
    for text in TABLES {
        let seen = at(input, from);
        seen.tables.entry(table(text)).or_insert_with(|| plain_table(&format!("{from}-{text}")));
    }
    if let Some(was) = case.was {
        // CrateDB lets one subscription alone have a table, so what another flow has is not this one's.
        let taken: BTreeSet<TableName> =
            at(input, to).subscriptions.values().flat_map(|other| other.tables.keys().cloned()).collect();
        let free: Vec<&str> = subset(was).into_iter().filter(|text| !taken.contains(&table(text))).collect();
        applied(input, flow, from, to, &free);
    } else {
        for text in subset(case.declared) {
            at(input, to).tables.remove(&table(text));
        }
    }
    for damage in &case.damage {
        inflict(input, flow, case, damage);
    }
    if !case.gone {
        let mode = if case.sniff { "sniff" } else { "tunnel" };
        let declared = serde_json::json!({
            "from": from, "to": to, "tables": subset(case.declared),
            "strategy": { "logical-replication": { "mode": mode } },
            "existing": if case.existing { "replace" } else { "error" },
            "prevent_destroy": case.prevent_destroy,
            "depends_on": if case.depends && flow != "f0" { vec!["f0"] } else { vec![] },
        });
        super::world::flow(input, flow, declared);
    }
}

/// The flow `cI` copies table `k.tI` to `k.tJ`, J = I + 1, from one cluster to the next; only the last one may make a
/// view of it, from which nothing can flow.
fn build_copy(input: &mut PlanInput, index: usize, case: &CopyCase, last: bool) {
    let (from, to) = (CLUSTERS[index % 3], CLUSTERS[(index + 1) % 3]);
    let flow = format!("c{index}");
    let (read, written) = (format!("k.t{index}"), format!("k.t{}", index + 1));
    for name in [read.clone(), format!("m.t{index}")] {
        let plain = || Table { definition: Some(plain_definition(&name)), ..plain_table(&format!("{from}-{name}")) };
        at(input, from).tables.entry(table(&name)).or_insert_with(plain);
    }
    let hours = serde_json::json!({ "every": "24h" });
    let repeat = [serde_json::json!("once"), hours, serde_json::json!("on-change")][case.repeat].clone();
    let view = last && case.by_view && MODES[case.existing] == "replace";
    // Whole tables only: rows are neither added nor overwritten.
    let detaches = case.detach && ["error", "replace", "skip"].contains(&MODES[case.existing]);
    let stream = serde_json::json!({ "custom": { "engine": "stream" } });
    let detach = serde_json::json!({ "logical-replication": { "then": "detach" } });
    let strategy = match (case.auto, detaches) {
        (true, _) => serde_json::json!("auto"),
        (false, true) => detach,
        (false, false) => stream,
    };
    // By a network that somebody declares, `auto` takes it where it can.
    if case.auto && case.detach {
        let cluster = input.spec.clusters.get_mut(&name(from)).expect("a cluster");
        cluster.tunnel = Some(serde_json::from_value(serde_json::json!("there:5432")).expect("a text"));
    }
    let declared = |more: bool| {
        let one = serde_json::json!({ "from": read, "to": written });
        let other = serde_json::json!({ "from": format!("m.t{index}"), "to": format!("m.u{index}") });
        serde_json::json!({
            "from": from, "to": to, "tables": if more { vec![one, other] } else { vec![one] },
            "strategy": strategy, "existing": MODES[case.existing],
            "repeat": repeat, "replace_by": if view { "view" } else { "swap" },
        })
    };
    super::world::flow(input, &flow, declared(false));
    if case.applied {
        let alone = vec![Glob(flow.clone())];
        let options = PlanOptions { targets: alone, ..PlanOptions::default() };
        let before = PlanInput { options, now: now() - SignedDuration::from_hours(case.hours), ..input.clone() };
        if let Ok(first) = plan(&before) {
            input.observation = project(&before, &first.plan);
        }
    }
    if case.written {
        write_to(input, from, &read);
    }
    if case.cut
        && let LedgerView::Present(rows) = &mut at(input, to).ledger
        && let Some(entry) = rows.get_mut(&id(&flow))
    {
        entry.row.state = FlowState::Applying;
    }
    super::world::flow(input, &flow, declared(case.more));
}

fn inflict(input: &mut PlanInput, flow: &str, case: &FlowCase, damage: &Damage) {
    let object = transship_plan::derived(&name("ws"), None, &id(flow));
    let (from, to) = (CLUSTERS[case.from], CLUSTERS[case.to]);
    match *damage {
        Damage::PublicationDropped => drop(at(input, from).publications.remove(&object)),
        Damage::SubscriptionDropped => drop(at(input, to).subscriptions.remove(&object)),
        Damage::LedgerLost => at(input, to).ledger = LedgerView::Absent,
        Damage::RunCut => {
            if let LedgerView::Present(rows) = &mut at(input, to).ledger
                && let Some(entry) = rows.get_mut(&id(flow))
            {
                entry.row.state = FlowState::Applying;
            }
        }
        Damage::Unpublished(index) => {
            if let Some(publication) = at(input, from).publications.get_mut(&object) {
                publication.tables.remove(&table(TABLES[index]));
            }
        }
        Damage::Released(index) => {
            if let Some(subscription) = at(input, to).subscriptions.get_mut(&object) {
                subscription.tables.remove(&table(TABLES[index]));
            }
        }
        Damage::Failed(index) => set_state(input, to, &object, index, RelationState::Failed),
        Damage::Copying(index) => set_state(input, to, &object, index, RelationState::Restoring),
        Damage::LeasesLost(index) => {
            if let Some(table) = at(input, from).tables.get_mut(&table(TABLES[index])) {
                table.primaries[0].leases.clear();
            }
        }
        Damage::SourceDropped(index) => drop(at(input, from).tables.remove(&table(TABLES[index]))),
        Damage::TargetDropped(index) => drop(at(input, to).tables.remove(&table(TABLES[index]))),
        Damage::InTheWay(index) => tables(input, to, &[TABLES[index]]),
        Damage::SubscribedByOthers(index) => {
            tables(input, to, &[TABLES[index]]);
            let seen = at(input, to).tables.get_mut(&table(TABLES[index])).expect("was just made");
            seen.writable = Some(Writable::Subscribed);
        }
        Damage::Moved => input.endpoints.get_mut(&name(from)).expect("a cluster").tunnel.port = 7777,
    }
}

fn set_state(input: &mut PlanInput, cluster: &str, object: &str, index: usize, state: RelationState) {
    if let Some(subscription) = at(input, cluster).subscriptions.get_mut(object)
        && let Some(followed) = subscription.tables.get_mut(&table(TABLES[index]))
    {
        followed.state = state;
    }
}

/// Judged apart from the planner: everything that is dropped is permitted by a consent that covers it, on a cluster
/// where it may be dropped, or the plan is blocked.
fn drops_only_what_it_may(input: &PlanInput, plan: &Plan) -> Result<(), String> {
    let spec: Vec<&AllowDrop> = input.spec.allow_drop.iter().collect();
    let consents: Vec<&AllowDrop> = input.options.allow_drop.iter().chain(spec).collect();
    let today = input.observation.day();
    for step in plan.all_steps() {
        let swaps = step.kind == StepKind::SwapTable;
        let drops = swaps || step.sql.iter().any(|sql| sql.starts_with("DROP "));
        if drops != step.destructive {
            return Err(format!("{} is not marked as what it is", step.id));
        }
        let Some(consent) = &step.consent else { continue };
        if is_given_so(input, plan, step) {
            continue;
        }
        let covered = consents.iter().any(|by| by.allows(consent.kind, &consent.name, today));
        let blocked = plan.blocked.iter().any(|blocked| blocked.step.as_ref() == Some(&step.id));
        let protected = input.spec.clusters[&step.cluster].protected && consent.kind == DropKind::Table;
        if (!covered || protected) && !blocked {
            return Err(format!("{} drops {} {}", step.id, consent.kind, consent.name));
        }
        if covered != matches!(consent.given, Some(ConsentBy::Flag(_) | ConsentBy::Spec(_))) {
            return Err(format!("{} tells a wrong consent", step.id));
        }
    }
    Ok(())
}

/// What nobody has to permit: to put a copy in the place of what a flow with `existing: replace` writes, and to drop
/// copies made aside.
fn is_given_so(input: &PlanInput, plan: &Plan, step: &Step) -> bool {
    let Some(flow) = step.flow.as_ref().and_then(|flow| input.spec.flows.get(&flow.flow)) else { return false };
    let row = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref()).map(|record| &record.row);
    let full = step.consent.as_ref().and_then(|consent| consent.name.split_once('.'));
    let dropped = full.and_then(|(_, name)| name.parse::<TableName>().ok());
    if let (StepKind::DropSubscription | StepKind::DropPublication, Some(row)) = (step.kind, row) {
        let detaches = match &flow.strategy {
            StrategyChoice::LogicalReplication(settings) => settings.then.is_some(),
            StrategyChoice::Auto => true,
            _ => false,
        };
        return detaches && row.detach.is_some();
    }
    let Some((row, dropped)) = row.zip(dropped) else { return false };
    match step.kind {
        StepKind::SwapTable => flow.existing() == Existing::Replace && row.tables.contains(&dropped),
        StepKind::DropTable => dropped.is_aside() && row.copies.values().all(|it| it.holds.as_ref() != Some(&dropped)),
        _ => false,
    }
}

/// Tables that a plan drops, by what its statements say.
fn dropped_tables(plan: &Plan) -> BTreeSet<(String, TableName)> {
    let aside = |step: &Step| matches!(&step.action, Some(Action::DropTable(it)) if it.table.is_aside());
    let drops = plan.all_steps().filter(|step| step.kind == StepKind::DropTable && !aside(step));
    drops
        .map(|step| {
            let full = step.consent.as_ref().map(|consent| consent.name.clone()).unwrap_or_default();
            let (cluster, name) = full.split_once('.').expect("cluster.schema.table");
            (cluster.to_owned(), table(name))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_input_gives_the_same_plan(case in cases()) {
        let input = case.input();
        let text = |input: &PlanInput| plan(input).map(|planned| serde_json::to_string(&planned.plan).expect("serialises"));
        prop_assert_eq!(text(&input), text(&input.clone()));
    }

    #[test]
    fn a_plan_that_is_projected_and_planned_again_is_empty(case in cases()) {
        let input = case.input();
        let Ok(first) = plan(&input) else { return Ok(()) };
        let observation = project(&input, &first.plan);
        let again = PlanInput { observation, options: without_resync(&input), ..input };
        match plan(&again) {
            Ok(second) => prop_assert_eq!(steps(&second.plan), "", "after\n{}", steps(&first.plan)),
            Err(findings) => prop_assert!(false, "refused after its own plan: {:?}", findings),
        }
    }

    #[test]
    fn what_falls_due_changes_neither_the_digest_nor_the_rest(case in cases(), days in 1..3_i64) {
        let input = case.input();
        let Ok(before) = plan(&input) else { return Ok(()) };
        let later = PlanInput { now: input.now + SignedDuration::from_hours(24 * days), ..input };
        let Ok(after) = plan(&later) else { return Ok(()) };
        // What a flow has beside other work of its own is a part of that, and what is blocked is told.
        let mixed = |plan: &Plan| plan.steps.iter().map(|step| step.id.clone()).collect::<BTreeSet<StepId>>();
        if mixed(&before.plan) == mixed(&after.plan) && after.plan.blocked.len() == before.plan.blocked.len() {
            prop_assert_eq!(&before.plan.digest, &after.plan.digest);
            let alone = |plan: &Plan| plan.clone().with_due(|_| false).steps;
            prop_assert_eq!(alone(&before.plan), alone(&after.plan));
        }
        // What is due stays due, be it beside other work of its flow.
        prop_assert!(before.plan.due.len() <= after.plan.due.len() + mixed(&after.plan).len());
    }

    #[test]
    fn all_steps_follow_what_they_depend_on(case in cases()) {
        let input = case.input();
        let Ok(planned) = plan(&input) else { return Ok(()) };
        let mut before = BTreeSet::new();
        for step in planned.plan.all_steps() {
            prop_assert!(step.depends_on.iter().all(|id| before.contains(id)), "{} comes too early", step.id);
            before.insert(step.id.clone());
        }
    }

    #[test]
    fn no_plan_drops_what_it_may_not(case in cases()) {
        let input = case.input();
        let Ok(planned) = plan(&input) else { return Ok(()) };
        prop_assert_eq!(drops_only_what_it_may(&input, &planned.plan), Ok(()));
        let sources: BTreeSet<String> = planned.plan.all_records().map(|record| record.row.from.to_string()).collect();
        for (cluster, name) in dropped_tables(&planned.plan) {
            let writes = planned.plan.all_records().any(|record| {
                record.row.to.as_str() == cluster && record.row.tables.contains(&name)
            });
            prop_assert!(writes, "{}.{} is no target ({:?} are sources)", cluster, name, sources);
        }
    }

    #[test]
    fn every_plan_passes_the_audit(case in cases()) {
        let input = case.input();
        let Ok(planned) = plan(&input) else { return Ok(()) };
        prop_assert_eq!(audit(&planned.plan), vec![]);
    }

    #[test]
    fn a_plan_reads_back_as_it_was_written(case in cases()) {
        let input = case.input();
        let Ok(planned) = plan(&input) else { return Ok(()) };
        let text = serde_json::to_string(&planned.plan).expect("serialises");
        let read: Plan = serde_json::from_str(&text).expect("reads back");
        prop_assert_eq!(read, planned.plan);
    }
}

fn steps(plan: &Plan) -> String {
    plan.all_steps().map(|step| format!("{} {} ({})\n", step.cluster, step.id, step.because)).collect()
}

fn without_resync(input: &PlanInput) -> PlanOptions {
    PlanOptions { resync: Vec::new(), ..input.options.clone() }
}
