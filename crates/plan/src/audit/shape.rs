//! Rules about the shape of a plan: ids, texts, clusters, statements.

use std::collections::BTreeSet;

use transship_model::Name;
use transship_model::plan::{Action, CheckStore, PLAN_FORMAT, Plan, Record, Step, StepId, StepKind};

use transship_model::ledger::Owned;
use transship_model::spec::StrategyChoice;
use transship_sql::statement::Statement;
use transship_sql::{ledger, replication, table};

use super::{Flows, Found, Rule, commands, copies, detach, exports, foreign, manifests, partitions, prune, snapshots};
use crate::digest::edited;

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, found: &mut Found) {
    whole(plan, found);
    for steps in std::iter::once(&plan.steps).chain(plan.due.iter().map(|due| &due.steps)) {
        in_order(steps, found);
    }
    let mut ids = BTreeSet::new();
    for step in plan.all_steps() {
        if step.depends_on.iter().any(|id| !ids.contains(id)) {
            found.step(Rule::DependenciesPrecede, step, "depends on a step that does not come before it");
        }
        if !ids.insert(&step.id) {
            found.step(Rule::UniqueIds, step, "another step has the same id");
        }
        one(plan, flows, step, found);
    }
}

/// Steps that stand together stand after those among them that they depend on.
fn in_order(steps: &[Step], found: &mut Found) {
    let mut later: BTreeSet<&StepId> = steps.iter().map(|step| &step.id).collect();
    for step in steps {
        if step.depends_on.iter().any(|id| later.contains(id)) {
            found.step(Rule::DependenciesPrecede, step, "stands before a step that it depends on");
        }
        later.remove(&step.id);
    }
}

fn whole(plan: &Plan, found: &mut Found) {
    if plan.format_version != PLAN_FORMAT {
        found.plan(Rule::Format, format!("format {} is not {PLAN_FORMAT}", plan.format_version));
    }
    if edited(plan).is_some() {
        found.plan(Rule::Digest, "a digest is not that of the content");
    }
    let text = |value: Option<String>| value.is_none_or(|text| holds_secret(&text));
    let notes = plan.all_warnings().chain(&plan.unseen).any(|note| text(serde_json::to_string(note).ok()));
    let steps = plan.all_steps().any(|step| text(serde_json::to_string(step).ok()));
    let records = plan.all_records().any(|record| text(serde_json::to_string(record).ok()));
    let rest = text(serde_json::to_string(&(plan.all_blocked().collect::<Vec<_>>(), &plan.spec, &plan.options)).ok())
        || records;
    if notes || steps || rest {
        found.plan(Rule::NoSecret, "a text of the plan holds a password");
    }
    let chosen = |record: &Record| record.row.auto.as_ref().map(StrategyChoice::strategy);
    if let Some(record) = plan.all_records().find(|it| chosen(it).is_some_and(|chosen| chosen != it.row.strategy)) {
        found.plan(
            Rule::ChoiceMatches,
            format!("the record of flow {} has another strategy than was chosen", record.flow),
        );
    }
    let named = plan.all_records().flat_map(|record| [&record.cluster, &record.row.from, &record.row.to]);
    if let Some(cluster) = named.into_iter().find(|cluster| !plan.clusters.contains_key(*cluster)) {
        found.plan(Rule::KnownClusters, format!("a record names cluster {cluster}, which the plan does not know"));
    }
}

/// Whether a connection string with a password in clear text stands in `text`.
fn holds_secret(text: &str) -> bool {
    let lower = text.to_lowercase();
    lower.match_indices("password=").any(|(at, key)| !lower[at + key.len()..].starts_with('*'))
}

fn one(plan: &Plan, flows: &Flows<'_>, step: &Step, found: &mut Found) {
    if !is_derived(step) {
        found.step(Rule::DerivedIds, step, "the id is not derived from flow (or cluster), number and kind");
    }
    if step.because.trim().is_empty() {
        found.step(Rule::Because, step, "does not say why");
    }
    if let Some(cluster) = clusters(step).into_iter().find(|cluster| !plan.clusters.contains_key(*cluster)) {
        found.step(Rule::KnownClusters, step, format!("names cluster {cluster}, which the plan does not know"));
    }
    if !matches_kind(flows.record(step), step) {
        found.step(Rule::KindMatches, step, "statements or action are not those of its kind");
    }
    if step.sql.iter().any(|sql| is_several(sql)) {
        found.step(Rule::SingleStatement, step, "one text holds more than one statement");
    }
    let placeholders: usize = step.sql.iter().map(|sql| count_placeholders(sql)).sum();
    if placeholders != step.params.len() {
        found.step(Rule::ParamsMatch, step, format!("{placeholders} placeholders, {} values", step.params.len()));
    }
}

fn is_derived(step: &Step) -> bool {
    let owner = step.flow.as_ref().map_or_else(|| format!("@{}", step.cluster), ToString::to_string);
    let rest = step.id.0.strip_prefix(&owner).and_then(|rest| rest.strip_prefix('/'));
    let number = rest.and_then(|rest| rest.strip_suffix(step.kind.as_str())).and_then(|rest| rest.strip_suffix('-'));
    number.is_some_and(|number| number.len() >= 2 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn clusters(step: &Step) -> Vec<&Name> {
    let mut all = vec![&step.cluster];
    match &step.action {
        Some(Action::WaitSynced(wait)) => all.push(&wait.source),
        Some(Action::NoteSynced(synced)) => all.push(&synced.source),
        Some(Action::RunCommand(command)) => all.push(&command.source),
        Some(Action::WaitFlows(wait)) => all.extend(wait.flows.iter().map(|awaited| &awaited.cluster)),
        Some(Action::ImportRows(rows)) => all.extend(&rows.source),
        Some(Action::CheckStore(check)) => all.push(&check.writer),
        Some(Action::PullRows(rows)) => all.push(&rows.source),
        _ => {}
    }
    all
}

/// Statements and waits are those that the builders make of the plan's own facts, to the letter.
fn matches_kind(record: Option<&Record>, step: &Step) -> bool {
    let owned = |owned: Option<&Owned>| owned.map(|owned| owned.name.clone()).unwrap_or_default();
    let publication = owned(record.and_then(|record| record.row.publication.as_ref()));
    let subscription = owned(record.and_then(|record| record.row.subscription.as_ref()));
    let only = |statement: Statement| step.sql == [statement.sql()] && step.action.is_none();
    let quiet = step.sql.is_empty();
    match step.kind {
        StepKind::CreateLedger => step.sql == ledger::create_tables() && step.action.is_none(),
        StepKind::RecordFlow => quiet && step.action == Some(Action::Record),
        StepKind::CreatePublication => only(Statement::CreatePublication { publication }),
        StepKind::PublishTables | StepKind::UnpublishTables => changes_tables(step, &publication),
        StepKind::CreateSubscription => only(Statement::CreateSubscription { subscription, publication }),
        StepKind::DropSubscription => only(Statement::DropSubscription { subscription }),
        StepKind::DropPublication => only(Statement::DropPublication { publication }),
        StepKind::DropTable => match &step.action {
            Some(Action::DropTable(dropped)) => step.sql == [table::drop_table(&dropped.table)],
            _ => false,
        },
        StepKind::CreateTable
        | StepKind::CopyRows
        | StepKind::GrantPrivileges
        | StepKind::AlterTable
        | StepKind::RenameTable
        | StepKind::SwapTable
        | StepKind::SwitchView
        | StepKind::ReplaceByView => copies::matches_kind(step),
        StepKind::CheckStore => match &step.action {
            Some(Action::CheckStore(check)) => quiet && checks_own(record, step, check),
            _ => false,
        },
        StepKind::CreateRepository
        | StepKind::DropRepository
        | StepKind::CreateSnapshot
        | StepKind::RestoreTable
        | StepKind::TryRestore
        | StepKind::RestorePartition
        | StepKind::DropSnapshot => snapshots::matches_kind(record, step),
        StepKind::FillPartition => partitions::matches_kind(step),
        StepKind::PruneRows => prune::matches_kind(step),
        StepKind::RunCommand | StepKind::MergeRows => commands::matches_kind(step),
        StepKind::ReplacePartition => partitions::matches_kind(step) || snapshots::matches_kind(record, step),
        StepKind::NoteSynced => quiet && detach::notes(step, &subscription),
        StepKind::TakeCopy => detach::takes(step),
        StepKind::ExportRows | StepKind::WriteFiles | StepKind::ImportRows | StepKind::RemoveFiles => {
            exports::matches_kind(step)
        }
        StepKind::WriteManifest | StepKind::CheckFiles => manifests::matches_kind(step),
        StepKind::WaitFlows => match &step.action {
            Some(Action::WaitFlows(wait)) => {
                let is_own = wait.look == ledger::read_flow_state() && wait.run == ledger::read_run();
                quiet && is_own && !wait.flows.is_empty()
            }
            _ => false,
        },
        StepKind::CreateServer
        | StepKind::CreateUserMapping
        | StepKind::CreateForeignTable
        | StepKind::PullRows
        | StepKind::DropForeignTable
        | StepKind::DropUserMapping
        | StepKind::DropServer => foreign::matches_kind(step),
        StepKind::WaitSynced | StepKind::WaitReleased | StepKind::WaitLeasesGone => {
            quiet && step.action.as_ref().is_some_and(|action| waits(step.kind, action, &subscription))
        }
    }
}

/// A store is checked between the ends of the flow.
fn checks_own(record: Option<&Record>, step: &Step, check: &CheckStore) -> bool {
    let own = record.is_some_and(|it| it.row.from == check.writer && it.row.to == step.cluster);
    own && crate::store_check::is_sound(check)
}

/// A wait sends the statements that look at its own tables, and no other.
fn waits(kind: StepKind, action: &Action, flows_subscription: &str) -> bool {
    match (kind, action) {
        (StepKind::WaitSynced, Action::WaitSynced(wait)) => {
            let checkpoints = replication::checkpoints(&wait.tables);
            wait.subscription == flows_subscription
                && wait.mark == checkpoints
                && wait.reached == checkpoints
                && wait.states == replication::subscribed_tables()
                && wait.refresh == table::refresh(&wait.tables)
        }
        (StepKind::WaitReleased, Action::WaitReleased(wait)) => {
            wait.subscription == flows_subscription && wait.states == replication::subscribed_tables()
        }
        (StepKind::WaitLeasesGone, Action::WaitLeasesGone(wait)) => wait.leases == replication::leases(&wait.tables),
        _ => false,
    }
}

/// The statement is the very one that turns the tables before into those after.
fn changes_tables(step: &Step, publication: &str) -> bool {
    let Some(Action::ChangeTables(change)) = &step.action else { return false };
    let sql = match step.kind {
        StepKind::PublishTables if change.before.is_subset(&change.after) => {
            replication::publish_tables(&change.publication, change.after.difference(&change.before))
        }
        StepKind::UnpublishTables if change.after.is_subset(&change.before) => {
            let withdrawn = replication::withdraw_tables(&change.publication, change.before.difference(&change.after));
            let set = replication::set_published_tables(&change.publication, &change.after);
            if change.after.is_empty() || step.sql == [withdrawn.as_str()] { withdrawn } else { set }
        }
        _ => return false,
    };
    change.publication == publication && step.sql == [sql] && change.before != change.after
}

/// The characters of a statement that stand outside of quotes.
fn outside_quotes(sql: &str) -> impl Iterator<Item = char> + '_ {
    let mut quote = None;
    sql.chars().filter(move |&c| match quote {
        Some(open) if c == open => {
            quote = None;
            false
        }
        Some(_) => false,
        None if c == '"' || c == '\'' => {
            quote = Some(c);
            false
        }
        None => true,
    })
}

fn is_several(sql: &str) -> bool {
    let bare: String = outside_quotes(sql).collect();
    bare.contains(';') || bare.contains("--") || bare.contains("/*")
}

fn count_placeholders(sql: &str) -> usize {
    outside_quotes(sql).filter(|c| *c == '$').count()
}
