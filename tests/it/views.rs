//! Every view of fixed plans, held against `tests/golden/`. `TRANSSHIP_BLESS=1` writes them anew.

use std::path::Path;

use transship::commands::apply::stale::check as check_stale;
use transship::exit::Exit;
use transship::view::applied::Applied;
use transship::view::drift::Drift;
use transship::view::{Github, Human, Json, Markdown, PlanShown, View};
use transship_apply::RunOutcome;
use transship_model::Finding;
use transship_model::event::Happened;
use transship_model::plan::{Basis, ObjectRef, Plan, StepKind};
use transship_plan::Report;

use crate::views_plans::{
    blocked, blocked_report, change, create, due, due_report, empty, index, observation, unchanged_report,
};

/// Compares with the golden file, or writes it when asked to.
#[track_caller]
pub(crate) fn golden(file: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(file);
    if std::env::var_os("TRANSSHIP_BLESS").is_some() {
        fs_err::write(&path, actual).unwrap();
        return;
    }
    let expected = fs_err::read_to_string(&path).unwrap_or_default();
    if expected != actual {
        let diff = similar::TextDiff::from_lines(&expected, actual);
        panic!("{file} differs (TRANSSHIP_BLESS=1 writes it anew):\n{}", diff.unified_diff());
    }
}

pub(crate) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

const HUMAN: Human = Human { width: 100, verbose: false, explain: false };

#[track_caller]
fn check(name: &str, plan: &Plan, report: Option<&Report>) {
    let shown = PlanShown { plan, report, observation: None };
    golden(&format!("plan-{name}.txt"), &plain(&HUMAN.render(&shown)));
    golden(
        &format!("plan-{name}-explain.txt"),
        &plain(&Human { verbose: true, explain: true, ..HUMAN }.render(&shown)),
    );
    golden(&format!("plan-{name}.md"), &Markdown { explain: false }.render(&shown));
    golden(&format!("plan-{name}.json"), &Json.render(&shown));
}

#[test]
fn plans() {
    check("empty", &empty(), Some(&unchanged_report()));
    check("create", &create(), None);
    check("change", &change(), Some(&unchanged_report()));
    check("blocked", &blocked(), Some(&blocked_report()));
    check("due", &due(), None);
}

#[test]
fn drifts() {
    let sources = transship::diagnostics::Sources { directory: "specs".to_owned(), ..Default::default() };
    let only_due = Plan { steps: Vec::new(), records: Vec::new(), ..due() };
    for (name, plan, report) in [
        ("clean", empty(), unchanged_report()),
        ("found", blocked(), blocked_report()),
        ("due", only_due, due_report()),
    ] {
        let drift = Drift::new(&plan, &report, &observation(), &index());
        golden(&format!("drift-{name}.txt"), &plain(&HUMAN.render(&drift)));
        golden(&format!("drift-{name}.md"), &Markdown { explain: false }.render(&drift));
        golden(&format!("drift-{name}.json"), &Json.render(&drift));
        golden(&format!("drift-{name}.github"), &Github { sources: &sources }.render(&drift));
    }
}

#[test]
fn a_drift_report_with_refused_flows_is_not_complete() {
    let sources = transship::diagnostics::Sources::default();
    let refused = [Finding::error("plan::no-match", "no table on the source matches nope.*")];
    for (plan, report, summary, exit) in [
        (empty(), unchanged_report(), "No drift was seen, but 1 problem keeps flows from being judged.", Exit::Error),
        (
            blocked(),
            blocked_report(),
            "Drift: 1 of 2 flows differs, 1 could not be judged, 1 problem keeps flows from being judged.",
            Exit::Error,
        ),
    ] {
        let drift = Drift::new(&plan, &report, &observation(), &index()).with_findings(&refused, &sources);
        let text = plain(&HUMAN.render(&drift));
        assert!(text.contains(summary), "{text}");
        assert_eq!((drift.exit(), drift.complete, drift.findings.len()), (exit, false, 1));
    }
}

#[test]
fn runs() {
    let plan = create();
    let outcome = |failed, skipped| RunOutcome {
        run: "20261122T120000Z-abcd".to_owned(),
        done: plan.steps.len() - failed - skipped,
        failed,
        skipped,
        cancelled: false,
        warnings: Vec::new(),
    };
    let id = |index: usize| plan.steps[index].id.clone();
    let done = |index| Happened::StepDone { step: id(index), already: false, note: None, milliseconds: 120 };
    let mut well = Applied::new(&plan);
    (0..plan.steps.len()).for_each(|index| well.take(done(index)));
    let mut badly = Applied::new(&plan);
    (0..3).for_each(|index| badly.take(done(index)));
    badly.take(Happened::StepFailed {
        step: id(3),
        code: "cluster::publisher-refuses".to_owned(),
        message: "cluster `analytics`: Cannot build publication state, subscribing user 'repl' was not found."
            .to_owned(),
        help: Some("see `subscriber` of the source cluster: its user and password must exist there".to_owned()),
    });
    badly.take(Happened::StepSkipped { step: id(4), because_of: id(3) });
    for (name, applied) in [
        ("done", well.with(outcome(0, 0))),
        ("failed", badly.with(outcome(1, 1))),
        ("nothing", Applied::without_a_run(&empty())),
    ] {
        golden(&format!("applied-{name}.txt"), &plain(&HUMAN.render(&applied)));
        golden(&format!("applied-{name}.json"), &Json.render(&applied));
    }
}

#[test]
fn many_drops_of_one_schema_are_permitted_in_short_too() {
    let mut plan = blocked();
    let table = plan.steps.iter().position(|step| step.kind == StepKind::DropTable).unwrap();
    for name in ["stock", "refunds", "audit"] {
        let mut step = plan.steps[table].clone();
        step.consent.as_mut().unwrap().name = format!("analytics.shop.{name}");
        plan.steps.push(step);
    }
    let text = plain(&HUMAN.render(&PlanShown { plan: &plan, report: None, observation: None }));
    let short = "\
    Or in short, for every table of the schema, whatever else a plan drops of it:
      --allow-drop subscription:analytics.transship__shop_sync__prod__orders_live \\
      --allow-drop 'table:analytics.shop.*'\n";
    assert!(text.contains(short.trim_start()), "{text}");
}

#[test]
fn a_stale_plan_says_what_changed_before_what_is_planned_instead() {
    let object = ObjectRef::publication(&"shop".parse().unwrap(), "p");
    let with_basis = |fingerprint: &str| Plan {
        basis: vec![Basis { object: object.clone(), fingerprint: fingerprint.to_owned() }],
        ..create()
    };
    let (saved, mut fresh) = (with_basis("one"), with_basis("another"));
    fresh.digest = "another".to_owned();
    fresh.spec.files.insert("more.yaml".to_owned(), "0".to_owned());
    fresh.steps[0].sql = vec!["CREATE TABLE another ledger".to_owned()];
    fresh.steps[2].sql.push("SELECT 1".to_owned());
    fresh.steps.pop();
    let error = check_stale(&saved, &fresh).unwrap_err();
    assert_eq!(error.exit, Exit::Stale);
    golden("stale.txt", &format!("{}\n", error.findings[0].message));
    assert!(check_stale(&saved, &saved).is_ok());
    let used = check_stale(&saved, &Plan { digest: "another".to_owned(), ..empty() }).unwrap_err();
    assert!(used.findings[0].message.contains("used already"), "{:?}", used.findings);
}

#[test]
fn of_a_saved_plan_runs_what_is_due_as_it_was() {
    let saved = due();
    let same = check_stale(&saved, &Plan { tool_version: "later".to_owned(), ..saved.clone() });
    assert_eq!(same.unwrap(), saved);
    // Nothing runs that nobody saw, and nothing that is due no longer or otherwise; neither makes the plan stale.
    assert_eq!(check_stale(&create(), &saved).unwrap(), create());
    let mut otherwise = saved.clone();
    otherwise.due[0].digest = "another".to_owned();
    for fresh in [create(), otherwise] {
        let runs = check_stale(&saved, &fresh).unwrap();
        assert_eq!((runs.due.len(), runs.all_steps().count()), (0, 5));
        assert_eq!(runs.steps[1].depends_on, [runs.steps[0].id.clone()], "nothing waits for what is left out");
    }
    let only_due = Plan { steps: Vec::new(), records: Vec::new(), ..due() };
    let used = check_stale(&only_due, &Plan { due: Vec::new(), ..only_due.clone() }).unwrap_err();
    assert!(used.findings[0].message.contains("used already"), "{:?}", used.findings);
}

#[test]
fn a_plan_of_five_thousand_steps_fits_into_a_comment() {
    let mut plan = create();
    let steps = plan.steps.split_off(1);
    for flow in 0..1_250 {
        plan.steps.extend(steps.iter().cloned().map(|mut step| {
            step.flow = Some(format!("orders-{flow}").parse().unwrap());
            step
        }));
    }
    let text = Markdown { explain: true }.render(&PlanShown { plan: &plan, report: None, observation: None });
    assert!(text.len() < 65_536, "{}", text.len());
    assert!(text.contains("more flows: the saved plan has them all"));
}
