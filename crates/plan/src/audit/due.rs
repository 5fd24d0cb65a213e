//! Rules about work that merely fell due: the digest of the plan does not see it, so it may do little.

use std::collections::BTreeSet;

use transship_model::FlowId;
use transship_model::plan::{Action, Afterwards, ConsentBy, DueFlow, Plan, Step, StepKind};

use super::{Found, Rule};

pub(super) fn check(plan: &Plan, found: &mut Found) {
    let steps = plan.steps.iter().filter_map(|step| step.flow.as_ref());
    let mut seen: BTreeSet<&FlowId> = steps.chain(plan.records.iter().map(|record| &record.flow)).collect();
    for due in &plan.due {
        if !seen.insert(&due.flow) {
            found.plan(Rule::DueApart, format!("flow {} fell due, and stands elsewhere in the plan, too", due.flow));
        }
        one(due, found);
    }
}

fn one(due: &DueFlow, found: &mut Found) {
    if due.steps.is_empty() || due.record.flow != due.flow {
        found.plan(Rule::DueApart, format!("flow {} fell due without steps, or without its ledger row", due.flow));
    }
    if due.record.then != Afterwards::Done {
        found.plan(Rule::DueCopiesAgain, format!("flow {} fell due, and would be forgotten", due.flow));
    }
    for step in &due.steps {
        if step.flow.as_ref() != Some(&due.flow) {
            found.step(Rule::DueApart, step, "fell due with another flow than its own");
        }
        if !copies_again(step, due.record.row.detach.is_some()) {
            found.step(Rule::DueCopiesAgain, step, "fell due, and does more than to copy again what is there");
        }
    }
}

/// No name is given to anything that was not there before, and nothing is dropped but copies that were made aside. A flow
/// that has its tables filled by a subscription makes one, and drops it again.
fn copies_again(step: &Step, detaches: bool) -> bool {
    match step.kind {
        StepKind::CreateTable
        | StepKind::CopyRows
        | StepKind::CreateServer
        | StepKind::CreateUserMapping
        | StepKind::CreateForeignTable
        | StepKind::PullRows
        | StepKind::DropForeignTable
        | StepKind::DropUserMapping
        | StepKind::DropServer
        | StepKind::RunCommand
        | StepKind::WaitFlows
        | StepKind::MergeRows
        | StepKind::ExportRows
        | StepKind::WriteFiles
        | StepKind::ImportRows
        | StepKind::RemoveFiles
        | StepKind::WriteManifest
        | StepKind::CheckFiles
        | StepKind::GrantPrivileges
        | StepKind::AlterTable
        | StepKind::SwapTable
        | StepKind::SwitchView
        | StepKind::CheckStore
        | StepKind::CreateSnapshot
        | StepKind::RestoreTable
        | StepKind::TryRestore
        | StepKind::RestorePartition
        | StepKind::FillPartition
        | StepKind::ReplacePartition
        | StepKind::PruneRows
        | StepKind::DropSnapshot => true,
        StepKind::DropTable => {
            let by_ledger = step.consent.as_ref().is_some_and(|consent| consent.given == Some(ConsentBy::Arriving));
            matches!(&step.action, Some(Action::DropTable(dropped)) if dropped.table.is_aside()) || by_ledger
        }
        StepKind::CreatePublication
        | StepKind::PublishTables
        | StepKind::UnpublishTables
        | StepKind::WaitReleased
        | StepKind::CreateSubscription
        | StepKind::WaitSynced
        | StepKind::DropSubscription
        | StepKind::WaitLeasesGone
        | StepKind::DropPublication
        | StepKind::NoteSynced
        | StepKind::TakeCopy => detaches,
        StepKind::CreateLedger
        | StepKind::RecordFlow
        | StepKind::RenameTable
        | StepKind::CreateRepository
        | StepKind::DropRepository
        | StepKind::ReplaceByView => false,
    }
}
