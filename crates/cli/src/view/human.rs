//! The plan for people at a terminal: short, the destructive part first, the same summary at top and bottom.

use std::collections::BTreeSet;

use similar::{ChangeTag, TextDiff};
use transship_model::FlowId;
use transship_model::plan::{
    Action, Blocked, ConsentBy, Note, ObjectKind, ObjectRef, ParamRef, Plan, Precondition, Step, StepId,
};
use transship_plan::FlowStatus;

use super::columns::{self, transform};
use super::consent::{continued, missing_consents, shorter_consents};
use super::facts::{Counts, Group, Sign, number, table_sets};
use super::object::object;
use super::sent::{moves, timeout, waits};
use super::style::{Page, alarm, bold, columns, counted, cyan, dim, green, red, yellow};
use super::{Human, PlanShown, View};

/// So many tables are listed without `-v`.
const TABLES: usize = 12;

/// Where the text of a step begins.
const INDENT: usize = 11;

impl View<PlanShown<'_>> for Human {
    fn render(&self, shown: &PlanShown<'_>) -> String {
        let mut page = Page::new(self.width);
        let plan = shown.plan;
        header(&mut page, shown, self.verbose);
        page.gap();
        page.line(&summary(shown));
        if !plan.is_empty() || plan.is_blocked() || !plan.unseen.is_empty() || plan.all_warnings().next().is_some() {
            destructive(&mut page, plan);
            let (due, changes): (Vec<_>, Vec<_>) = Group::of(plan).into_iter().partition(|group| group.due);
            for group in &changes {
                self.group(&mut page, plan, group);
            }
            fell_due(&mut page, &due);
            for group in &due {
                self.group(&mut page, plan, group);
            }
            warnings(&mut page, plan.all_warnings());
            unhealthy(&mut page, shown);
            unseen(&mut page, shown, self.verbose);
            blocked(&mut page, plan);
            self.flows(&mut page, shown);
            page.gap();
            page.line(&summary(shown));
        } else {
            unhealthy(&mut page, shown);
            self.flows(&mut page, shown);
        }
        page.finish()
    }
}

/// Workspace, environment and clusters: what is about to be changed.
fn header(page: &mut Page, shown: &PlanShown<'_>, verbose: bool) {
    let plan = shown.plan;
    let env = plan.env.as_ref().map(|env| format!(" in {env}")).unwrap_or_default();
    page.pair(
        &format!("{} {}", bold("Workspace"), bold(&format!("{}{env}", plan.workspace))),
        &dim(&format!("transship {}", plan.tool_version)),
    );
    let clusters = shown.clusters();
    let width = clusters.keys().map(|name| name.as_str().len()).max().unwrap_or_default();
    for (name, cluster) in &clusters {
        page.line(&format!(
            "  {:width$}  CrateDB {}  {}",
            name.as_str(),
            cluster.version,
            dim(&format!("id {}", cluster.id))
        ));
    }
    if verbose {
        page.line(&dim(&format!("  digest {}", plan.digest)));
    }
    if plan.partial {
        let partial = "Partial: only the chosen flows are planned, and nothing is removed for being absent.";
        page.wrapped("  ", 2, partial, yellow);
    }
}

/// The one line at top and bottom.
pub(super) fn summary(shown: &PlanShown<'_>) -> String {
    let counts = Counts::of(shown.plan);
    let remarks = counts.remarks();
    if counts.work().is_empty() && remarks.is_empty() {
        let flows =
            shown.report.map(|report| report.flows.values().filter(|flow| flow.status == FlowStatus::UpToDate).count());
        return match flows {
            Some(1) => bold("No changes: the one flow is as declared."),
            Some(flows) if flows > 0 => bold(&format!("No changes: {flows} flows are as declared.")),
            _ => bold("No changes."),
        };
    }
    let work = if counts.work().is_empty() { "nothing to do".to_owned() } else { counts.work() };
    let remarks: Vec<_> = remarks.iter().map(|remark| alarm(remark)).collect();
    let all: Vec<_> = [bold(&format!("Plan: {work}"))].into_iter().chain(remarks).collect();
    format!("{}.", all.join("; "))
}

fn destructive(page: &mut Page, plan: &Plan) {
    let steps: Vec<_> = plan.destructive().collect();
    if steps.is_empty() {
        return;
    }
    page.gap();
    page.line(&alarm(&format!("Destructive: {}", counted(steps.len(), "step"))));
    for step in steps {
        let flow = step.flow.as_ref().map(ToString::to_string).unwrap_or_default();
        page.pair(&format!("  {} {}", sign(step), red(&object(step))), &dim(&flow));
        page.wrapped("      ", 6, &step.because, dim);
        match step.consent.as_ref().map(|consent| &consent.given) {
            Some(None) => page.line(&format!("      {}", alarm("not permitted"))),
            Some(Some(ConsentBy::Flag(by))) => page.line(&dim(&format!("      permitted by --allow-drop {by}"))),
            Some(Some(ConsentBy::Spec(by))) => {
                page.line(&dim(&format!("      permitted by allow_drop of the spec: {by}")));
            }
            Some(Some(ConsentBy::Replace)) => page.line(&dim("      permitted by existing: replace")),
            Some(Some(ConsentBy::Prune)) => {
                page.line(&dim("      permitted by prune: the copy was made as it is declared now"));
            }
            Some(Some(ConsentBy::Keep)) => page.line(&dim("      permitted by keep")),
            Some(Some(ConsentBy::Detach)) => page.line(&dim("      permitted by then: detach")),
            Some(Some(ConsentBy::Arriving)) if step.kind == transship_model::plan::StepKind::DropSubscription => {
                page.line(&dim("      nothing that it follows was ever in sync"));
            }
            Some(Some(ConsentBy::Arriving)) => page.line(&dim("      half a copy that a run of this flow left")),
            Some(Some(ConsentBy::Aside)) => page.line(&dim("      a copy that this flow made aside")),
            None => {}
        }
    }
}

impl Human {
    fn group(&self, page: &mut Page, plan: &Plan, group: &Group<'_>) {
        page.gap();
        let ends = group.ends(plan).map(|ends| format!("  {ends}")).unwrap_or_default();
        let due = if group.due { "  due" } else { "" };
        let place = group.place().map(ToString::to_string).unwrap_or_default();
        page.pair(&format!("{}{ends}{}", bold(&group.title()), cyan(due)), &dim(&place));
        for step in &group.steps {
            Self::step(page, step, group.place().is_none());
            page.wrapped(&" ".repeat(INDENT), INDENT, &step.because, dim);
            after(page, step, group);
            self.tables(page, step);
            self.columns(page, step);
            if self.explain {
                explain(page, step);
            }
        }
    }

    fn step(page: &mut Page, step: &Step, placed: bool) {
        let place = step.at.as_ref().filter(|_| placed).map(ToString::to_string).unwrap_or_default();
        let at_most = timeout(step).map(|span| format!("at most {span}"));
        let more = at_most.into_iter().chain(moves(step)).collect::<Vec<_>>().join(", ");
        let object =
            if step.destructive { red(&object(step)) } else { super::style::plain(&object(step)).into_owned() };
        let line = format!("  {} {} {object}", dim(&format!("{:>4}", number(step))), sign(step));
        let fits = columns(&line) + columns(&place) + more.len() + 4 <= page.width();
        page.pair(
            &if fits && !more.is_empty() { format!("{line}{}", dim(&format!(", {more}"))) } else { line },
            &dim(&place),
        );
        if !fits {
            page.wrapped(&" ".repeat(INDENT), INDENT, &more, dim);
        }
    }

    /// What becomes of the columns of a copy.
    fn columns(&self, page: &mut Page, step: &Step) {
        let Some(transform) = transform(step) else { return };
        let indent = " ".repeat(INDENT);
        for line in columns::lines(transform, self.explain || self.verbose) {
            page.wrapped(&format!("{indent}{} ", cyan("→")), INDENT + 6, &line, str::to_owned);
        }
    }

    /// What a step adds to and takes from the tables of a publication.
    fn tables(&self, page: &mut Page, step: &Step) {
        let Some((before, after)) = table_sets(step) else { return };
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        let after: Vec<&str> = after.iter().map(String::as_str).collect();
        let diff = TextDiff::from_slices(&before, &after);
        let indent = " ".repeat(INDENT);
        let (same, changed): (Vec<_>, Vec<_>) =
            diff.iter_all_changes().partition(|change| change.tag() == ChangeTag::Equal);
        let most = if self.verbose { usize::MAX } else { TABLES };
        for change in changed.iter().take(most) {
            match change.tag() {
                ChangeTag::Delete => page.line(&format!("{indent}{}", red(&format!("- {}", change.value())))),
                _ => page.line(&format!("{indent}{}", green(&format!("+ {}", change.value())))),
            }
        }
        let left = changed.len().saturating_sub(most);
        if left > 0 {
            page.line(&dim(&format!("{indent}… and {left} more (-v shows all)")));
        }
        if !same.is_empty() {
            page.line(&dim(&format!("{indent}  ({} unchanged)", counted(same.len(), "table"))));
        }
    }

    /// The flows that nothing happens to.
    fn flows(self, page: &mut Page, shown: &PlanShown<'_>) {
        let Some(report) = shown.report else { return };
        let of = |status: FlowStatus| report.flows.iter().filter(move |(_, flow)| flow.status == status);
        let untouched = [
            (FlowStatus::UpToDate, "unchanged"),
            (FlowStatus::Disabled, "disabled: left as they are"),
            (FlowStatus::LeftOut, "left out by --target or --exclude"),
        ];
        page.gap();
        for (status, words) in untouched {
            let flows: Vec<_> = of(status).collect();
            if flows.is_empty() || (status == FlowStatus::UpToDate && shown.plan.is_empty() && !self.verbose) {
                continue;
            }
            page.line(&dim(&format!("{} {words}", counted(flows.len(), "flow"))));
            for (id, flow) in flows.iter().filter(|_| self.verbose) {
                let notes = if flow.notes.is_empty() { String::new() } else { format!(": {}", flow.notes.join("; ")) };
                page.wrapped("  ", 4, &format!("{id}{notes}"), dim);
            }
        }
        for object in report.unmanaged.iter().filter(|_| self.verbose) {
            page.line(&dim(&format!("  not managed by any flow: {object}")));
        }
    }
}

fn sign(step: &Step) -> String {
    let sign = Sign::of(step.kind);
    let paint = match sign {
        Sign::Create => green,
        Sign::Change => yellow,
        Sign::Drop => red,
        Sign::Copy | Sign::Wait => cyan,
    };
    paint(sign.character())
}

/// The steps of other flows that a step waits for: the steps of one flow follow each other, and the ledger comes first.
fn after(page: &mut Page, step: &Step, group: &Group<'_>) {
    let obvious = |id: &StepId| id.0.starts_with('@') || group.steps.iter().any(|step| step.id == *id);
    let ids: Vec<_> = step.depends_on.iter().filter(|id| !obvious(id)).map(ToString::to_string).collect();
    if !ids.is_empty() {
        page.wrapped(&" ".repeat(INDENT), INDENT + 2, &format!("after {}", ids.join(", ")), dim);
    }
}

/// Every statement and bound value, and what has to hold before.
fn explain(page: &mut Page, step: &Step) {
    let indent = " ".repeat(INDENT);
    for condition in &step.preconditions {
        page.line(&dim(&format!("{indent}if   {}", condition_text(condition))));
    }
    for sql in &step.sql {
        page.line(&format!("{indent}{}  {}", cyan("sql"), super::style::plain(sql)));
    }
    for (index, param) in step.params.iter().enumerate() {
        let source = match &param.reference {
            ParamRef::SubscriptionConnection { cluster, .. } => format!("(connection to {cluster})"),
            ParamRef::SubscriberPassword { cluster } => format!("(password for {cluster})"),
            ParamRef::StoreSecret { store, secret } => format!("({} of store {store})", secret.spec_key()),
            ParamRef::CopyTo { store, .. } => format!("(in store {store})"),
            ParamRef::CopyFrom { store, .. } => format!("(each file that was exported there to store {store})"),
        };
        let source = dim(&source);
        page.line(&format!("{indent}     ${} = {} {source}", index + 1, super::style::plain(&param.shown)));
    }
    if let Some(Action::DropTable(dropped)) = &step.action
        && let Some(definition) = &dropped.definition
    {
        page.line(&dim(&format!("{indent}what is lost was made like this:")));
        for line in definition.lines() {
            page.line(&dim(&format!("{indent}     {}", super::style::plain(line))));
        }
    }
    for (when, sql) in waits(step) {
        page.line(&dim(&format!("{indent}{when}:")));
        page.line(&format!("{indent}{}  {}", cyan("sql"), super::style::plain(sql)));
    }
}

/// A precondition as a sentence.
pub(super) fn condition_text(condition: &Precondition) -> String {
    match condition {
        Precondition::Absent(object) => format!("{} is absent", named(object)),
        Precondition::Present(object) => format!("{} exists", named(object)),
        Precondition::Unchanged(object) => format!("{} is as it was planned with", named(object)),
        Precondition::Writable(object) => format!("{} can be written", named(object)),
    }
}

fn named(object: &ObjectRef) -> String {
    match object.kind {
        ObjectKind::Ledger => format!("the {object}"),
        _ => object.to_string(),
    }
}

/// What stands above work that merely fell due.
fn fell_due(page: &mut Page, groups: &[Group<'_>]) {
    if !groups.is_empty() {
        page.gap();
        let flows = counted(groups.len(), "flow");
        page.line(&cyan(&format!("Due: {flows} as declared, to be copied again by `repeat`")));
    }
}

fn warnings<'a>(page: &mut Page, notes: impl Iterator<Item = &'a Note>) {
    let mut notes = notes.peekable();
    if notes.peek().is_some() {
        page.gap();
        page.line(&yellow("Warnings"));
        for note in notes {
            page.wrapped(&format!("  {} ", yellow("!")), 4, &with_flow(note.flow.as_ref(), &note.text), str::to_owned);
        }
    }
}

/// What is wrong with flows that are as declared: nothing that a plan could mend.
fn unhealthy(page: &mut Page, shown: &PlanShown<'_>) {
    let flows = shown.report.into_iter().flat_map(|report| &report.flows);
    let all: Vec<_> = flows.flat_map(|(id, flow)| flow.unhealthy.iter().map(move |text| (id, text))).collect();
    if !all.is_empty() {
        page.gap();
        page.line(&alarm("Unhealthy: nothing that a plan can mend"));
        for (id, text) in all {
            page.wrapped(&format!("  {} ", alarm("!")), 4, &with_flow(Some(id), text), str::to_owned);
        }
    }
}

/// Flows that could not be judged, each with the evidence that is left.
fn unseen(page: &mut Page, shown: &PlanShown<'_>, verbose: bool) {
    let notes = &shown.plan.unseen;
    if notes.is_empty() {
        return;
    }
    page.gap();
    page.line(&alarm("Not judged: nothing is planned for these flows, and nobody says that they are well"));
    for note in notes {
        page.wrapped(&format!("  {} ", alarm("?")), 4, &with_flow(note.flow.as_ref(), &note.text), str::to_owned);
        let report = note.flow.as_ref().and_then(|flow| shown.report?.flows.get(flow));
        let evidence = report.map(|report| report.notes.as_slice()).unwrap_or_default();
        let most = if verbose { evidence.len() } else { TABLES };
        for one in evidence.iter().take(most) {
            page.wrapped("      ", 6, one, dim);
        }
        if evidence.len() > most {
            page.line(&dim(&format!("      … and {} more (-v shows all)", evidence.len() - most)));
        }
    }
}

fn blocked(page: &mut Page, plan: &Plan) {
    if !plan.is_blocked() {
        return;
    }
    page.gap();
    page.line(&alarm("Blocked: nothing runs until this is settled"));
    for blocked in other_blocks(plan) {
        page.wrapped(
            &format!("  {} ", alarm("x")),
            4,
            &with_flow(blocked.flow.as_ref(), &blocked.reason),
            str::to_owned,
        );
        page.wrapped("      ", 6, &blocked.help, cyan);
    }
    let flags = missing_consents(plan);
    if !flags.is_empty() {
        let drops = format!(
            "{} not permitted. To permit what you want gone (or by allow_drop in the spec):",
            drops(flags.len())
        );
        page.wrapped(&format!("  {} ", alarm("x")), 4, &drops, str::to_owned);
        paste(page, &flags);
        let shorter = shorter_consents(plan);
        if !shorter.is_empty() {
            page.wrapped(
                "    ",
                4,
                "Or in short, for every table of the schema, whatever else a plan drops of it:",
                str::to_owned,
            );
            paste(page, &shorter);
        }
    }
}

/// Flags as they can be pasted behind a command.
fn paste(page: &mut Page, flags: &[String]) {
    for line in continued(flags) {
        page.line(&format!("      {}", cyan(&line)));
    }
}

fn drops(n: usize) -> String {
    if n == 1 { "1 drop is".to_owned() } else { format!("{n} drops are") }
}

/// What blocks the plan beside missing consents, which the list of flags covers.
pub(super) fn other_blocks(plan: &Plan) -> Vec<&Blocked> {
    let missing = |step: &&Step| step.consent.as_ref().is_some_and(|consent| consent.given.is_none());
    let asking: BTreeSet<&StepId> = plan.all_steps().filter(missing).map(|step| &step.id).collect();
    let covered = |blocked: &&Blocked| {
        blocked.code == "plan::needs-consent" && blocked.step.as_ref().is_some_and(|step| asking.contains(step))
    };
    plan.all_blocked().filter(|blocked| !covered(blocked)).collect()
}

pub(super) fn with_flow(flow: Option<&FlowId>, text: &str) -> String {
    flow.map_or_else(|| text.to_owned(), |flow| format!("{flow}: {text}"))
}
