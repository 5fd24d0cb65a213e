//! Rules about what is dropped: marked, permitted, guarded, and ours.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::consent::DropKind;
use transship_model::plan::{
    Action, Basis, ConsentBy, ObjectKind, ObjectRef, Plan, Precondition, Record, Step, StepKind,
};
use transship_model::{FlowId, TableName};
use transship_sql::statement::Statement;

use super::{Flows, Found, Rule, detach, prune, snapshots};
use crate::copies;

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, found: &mut Found) {
    let basis = BasisOf::of(plan);
    let blocked: BTreeSet<_> = plan.all_blocked().filter_map(|blocked| blocked.step.as_ref()).collect();
    for step in plan.all_steps() {
        let unguarded = guards(step).into_iter().any(|object| !basis.contains(step, object));
        if unguarded {
            found.step(Rule::BasisCovers, step, "relies on an object that is not in the basis");
        }
        let Some(kind) = dropped_kind(step.kind) else {
            if step.destructive || step.consent.is_some() {
                found.step(Rule::DropsMarked, step, "is marked as dropping something, and drops nothing");
            }
            continue;
        };
        if !step.destructive || step.consent.as_ref().is_none_or(|consent| consent.kind != kind) {
            found.step(Rule::DropsMarked, step, "drops something without being marked so");
        }
        let permitted = step.consent.as_ref().is_some_and(|consent| consent.given.is_some());
        if !permitted && !blocked.contains(&step.id) || !may_be_given_so(plan, step) {
            found.step(Rule::ConsentOrBlocked, step, "drops something without consent, and does not block the plan");
        }
        if !is_guarded(step, flows.steps(step)) {
            found.step(Rule::DropsGuarded, step, "does not check just before what it drops");
        }
        if !is_own(plan, flows.record(step), step) {
            found.step(Rule::DropsOwn, step, "drops something that does not belong to its flow");
        }
    }
}

/// The objects that each part of a plan relies on: no part may rely on what another one's digest covers.
struct BasisOf<'a> {
    plan: BTreeSet<&'a ObjectRef>,
    due: BTreeMap<&'a FlowId, BTreeSet<&'a ObjectRef>>,
}

impl<'a> BasisOf<'a> {
    fn of(plan: &'a Plan) -> Self {
        let objects = |basis: &'a [Basis]| basis.iter().map(|basis| &basis.object).collect();
        let due = plan.due.iter().map(|due| (&due.flow, objects(&due.basis))).collect();
        Self { plan: objects(&plan.basis), due }
    }

    fn contains(&self, step: &Step, object: &ObjectRef) -> bool {
        step.flow.as_ref().and_then(|flow| self.due.get(flow)).unwrap_or(&self.plan).contains(object)
    }
}

const fn dropped_kind(kind: StepKind) -> Option<DropKind> {
    match kind {
        StepKind::DropSubscription => Some(DropKind::Subscription),
        StepKind::DropPublication => Some(DropKind::Publication),
        StepKind::DropTable | StepKind::SwapTable => Some(DropKind::Table),
        StepKind::DropRepository => Some(DropKind::Repository),
        StepKind::DropSnapshot => Some(DropKind::Snapshot),
        StepKind::ReplacePartition | StepKind::PruneRows => Some(DropKind::Rows),
        StepKind::CreateTable
        | StepKind::CheckStore
        | StepKind::CreateRepository
        | StepKind::CreateSnapshot
        | StepKind::RestoreTable
        | StepKind::TryRestore
        | StepKind::RestorePartition
        | StepKind::FillPartition
        | StepKind::CopyRows
        | StepKind::RunCommand
        | StepKind::MergeRows
        | StepKind::ExportRows
        | StepKind::WriteFiles
        | StepKind::ImportRows
        | StepKind::RemoveFiles
        | StepKind::WriteManifest
        | StepKind::CheckFiles
        | StepKind::GrantPrivileges
        | StepKind::AlterTable
        | StepKind::RenameTable
        | StepKind::SwitchView
        | StepKind::ReplaceByView
        | StepKind::CreateLedger
        | StepKind::RecordFlow
        | StepKind::CreatePublication
        | StepKind::PublishTables
        | StepKind::UnpublishTables
        | StepKind::WaitReleased
        | StepKind::CreateSubscription
        | StepKind::WaitSynced
        | StepKind::WaitLeasesGone
        | StepKind::WaitFlows
        | StepKind::NoteSynced
        | StepKind::TakeCopy
        | StepKind::CreateServer
        | StepKind::CreateUserMapping
        | StepKind::CreateForeignTable
        | StepKind::PullRows
        | StepKind::DropForeignTable
        | StepKind::DropUserMapping
        | StepKind::DropServer => None,
    }
}

/// The table that the step takes away.
fn table_of(step: &Step) -> Option<TableName> {
    match Statement::read(step.sql.first()?)? {
        Statement::DropTable { table } | Statement::SwapTable { table, .. } => Some(table),
        _ => None,
    }
}

/// Consents that nobody had to type hold only for what they are about: copies made aside, but for the one that a view is
/// known to read, and putting in place.
fn may_be_given_so(plan: &Plan, step: &Step) -> bool {
    match step.consent.as_ref().and_then(|consent| consent.given.as_ref()) {
        Some(ConsentBy::Aside) => {
            table_of(step).is_some_and(|table| is_copy(plan, step, &table) && !is_held(plan, &table))
                && !is_kept_by_view(plan, step)
        }
        Some(ConsentBy::Replace) => step.kind == StepKind::SwapTable,
        Some(ConsentBy::Prune) => step.kind == StepKind::PruneRows,
        Some(ConsentBy::Keep) => step.kind == StepKind::DropSnapshot,
        Some(ConsentBy::Arriving) if step.kind == StepKind::ReplacePartition => snapshots::is_unfinished(plan, step),
        Some(ConsentBy::Arriving) if step.kind == StepKind::DropSubscription => detach::never_filled(plan, step),
        Some(ConsentBy::Arriving) => table_of(step)
            .is_some_and(|table| detach::is_arriving(plan, step, &table) && detach::is_watched(plan, step, &table)),
        Some(ConsentBy::Detach) => detach::is_own_replication(plan, step),
        Some(ConsentBy::Flag(_) | ConsentBy::Spec(_)) | None => true,
    }
}

/// Whether the ledger has it that a view reads the table, or is about to.
fn is_held(plan: &Plan, table: &TableName) -> bool {
    let noted = plan.all_records().flat_map(|record| record.row.copies.values().chain(record.row.placing.values()));
    noted.into_iter().any(|copy| copy.holds.as_ref() == Some(table))
}

/// Whether the step drops a table whose name a view of the flow has: that takes the cluster's master down.
fn is_kept_by_view(plan: &Plan, step: &Step) -> bool {
    let record = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref());
    let views =
        record.is_some_and(|it| it.row.copies.values().chain(it.row.placing.values()).any(|it| it.holds.is_some()));
    views && table_of(step).is_some_and(|table| copies::is_kept(&table))
}

/// Whether the table is a copy that the step's flow made of one of its tables.
fn is_copy(plan: &Plan, step: &Step, found: &TableName) -> bool {
    let record = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref());
    let identity = (&plan.workspace, plan.env.as_ref());
    record.is_some_and(|it| it.row.tables.iter().any(|table| copies::is_copy(identity, &it.flow, table, found)))
}

fn guards(step: &Step) -> Vec<&ObjectRef> {
    step.preconditions
        .iter()
        .filter_map(|precondition| match precondition {
            Precondition::Unchanged(object) => Some(object),
            Precondition::Absent(_) | Precondition::Present(_) | Precondition::Writable(_) => None,
        })
        .collect()
}

/// The step checks that the very object of its statement and its consent is unchanged, and for a table that nobody
/// replicates into it and that no partition came from elsewhere: the indices are the same, or it just left a
/// publication of `of_flow`, whose subscription kept others from writing.
fn is_guarded(step: &Step, of_flow: &[&Step]) -> bool {
    let (wanted, name) = match (step.kind, step.sql.first().and_then(|sql| Statement::read(sql))) {
        (_, Some(Statement::DropSubscription { subscription })) => (ObjectKind::Subscription, subscription),
        (_, Some(Statement::DropPublication { publication })) => (ObjectKind::Publication, publication),
        _ => (ObjectKind::Table, table_of(step).map(|table| table.to_string()).unwrap_or_default()),
    };
    let named = |object: &ObjectRef| {
        let full = format!("{}.{}", object.cluster, object.name);
        object.kind == wanted
            && object.cluster == step.cluster
            && object.name == name
            && step.consent.as_ref().is_some_and(|consent| consent.name == full)
    };
    let writable = |object: &&ObjectRef| step.preconditions.contains(&Precondition::Writable((*object).clone()));
    let guarded = guards(step).into_iter().find(|object| named(object));
    let same_indices = |object: &ObjectRef| {
        let indices = ObjectRef { kind: ObjectKind::Indices, ..object.clone() };
        step.preconditions.contains(&Precondition::Unchanged(indices))
    };
    let before: Vec<&&Step> = of_flow.iter().take_while(|other| other.id != step.id).collect();
    let withdrawn = |object: &ObjectRef| {
        before.iter().any(|other| match &other.action {
            Some(Action::ChangeTables(change)) if other.kind == StepKind::UnpublishTables => {
                change.before.difference(&change.after).any(|table| table.to_string() == object.name)
            }
            _ => false,
        })
    };
    let dropped = before.iter().any(|other| other.kind == StepKind::DropSubscription);
    let held = |object: &ObjectRef| dropped && withdrawn(object);
    if matches!(step.kind, StepKind::DropRepository | StepKind::DropSnapshot | StepKind::ReplacePartition) {
        return snapshots::is_guarded(step);
    }
    if step.kind == StepKind::PruneRows {
        return prune::is_guarded(step);
    }
    if matches!(step.kind, StepKind::DropSubscription | StepKind::DropPublication)
        && detach::is_seen_synced(step, &before)
    {
        return true;
    }
    guarded.is_some_and(|object| match step.kind {
        StepKind::DropTable => writable(&object) && (held(object) || same_indices(object)),
        StepKind::SwapTable => takes_name_guarded(step, object),
        _ => true,
    })
}

/// What takes the name of a table checks just before that the table is the very one, that nobody replicates into it, and
/// that its privileges are those that pass to what takes its place.
pub(super) fn takes_name_guarded(step: &Step, table: &ObjectRef) -> bool {
    let privileges = ObjectRef { kind: ObjectKind::Privileges, ..table.clone() };
    [Precondition::Unchanged(table.clone()), Precondition::Writable(table.clone()), Precondition::Unchanged(privileges)]
        .iter()
        .all(|wanted| step.preconditions.contains(wanted))
}

/// A flow drops its own publication and subscription, and tables that it writes itself.
fn is_own(plan: &Plan, record: Option<&Record>, step: &Step) -> bool {
    let of_snapshots =
        matches!(step.kind, StepKind::DropRepository | StepKind::DropSnapshot | StepKind::ReplacePartition);
    if let Some(record) = record.filter(|_| of_snapshots) {
        return snapshots::is_own(record, step);
    }
    if let Some(record) = record.filter(|_| step.kind == StepKind::PruneRows) {
        return prune::is_own(record, step);
    }
    let present = || {
        step.preconditions.iter().find_map(|precondition| match precondition {
            Precondition::Present(object) => Some(object),
            _ => None,
        })
    };
    let Some((record, object)) = record.zip(guards(step).into_iter().next().or_else(present)) else { return false };
    match step.kind {
        StepKind::DropTable | StepKind::SwapTable => is_own_table(plan, record, step, object),
        StepKind::DropSubscription => {
            record.row.to == object.cluster
                && record.row.subscription.as_ref().is_some_and(|owned| owned.name == object.name)
        }
        _ => {
            record.row.from == object.cluster
                && record.row.publication.as_ref().is_some_and(|owned| owned.name == object.name)
        }
    }
}

fn is_own_table(plan: &Plan, record: &Record, step: &Step, object: &ObjectRef) -> bool {
    let Ok(name) = object.name.parse::<TableName>() else { return false };
    let declared = !name.is_reserved() && record.row.tables.contains(&name);
    record.row.to == object.cluster
        && (declared || is_copy(plan, step, &name) || detach::is_arriving(plan, step, &name))
}
