//! Does a step. Those that are one change have one form: done already? preconditions, act, confirm. Copies have their own.

use std::time::Duration;

use transship_model::plan::{Action, StepKind};

use super::alter_table::AlterTable;
use super::context::Context;
use super::create_ledger::CreateLedger;
use super::create_publication::CreatePublication;
use super::create_repository::CreateRepository;
use super::create_subscription::CreateSubscription;
use super::create_table::CreateTable;
use super::drop_publication::DropPublication;
use super::drop_repository::DropRepository;
use super::drop_snapshot::DropSnapshot;
use super::drop_subscription::DropSubscription;
use super::drop_table::DropTable;
use super::error::StepError;
use super::foreign_object::ForeignWork;
use super::grant_privileges::GrantPrivileges;
use super::publish_tables::PublishTables;
use super::put_in_place::Place;
use super::replace_by_view::ReplaceByView;
use super::take_copy::TakeCopy;
use super::unpublish_tables::UnpublishTables;
use super::{
    check_files, check_store, copy_rows, create_snapshot, disks, export_rows, fill_partition, import_rows, merge_rows,
    note_synced, prune_rows, pull_rows, remove_files, restore_partition, restore_table, run_command, wait_flows,
    wait_leases_gone, wait_released, wait_synced, write_files, write_manifest,
};
use crate::precondition;

/// How long the effect of a statement may take to show after its answer was lost.
const LATE: Duration = Duration::from_secs(3);

/// How a step succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Its effect was there already.
    pub(crate) already: bool,
    /// What it found out.
    pub(crate) note: Option<String>,
}

/// A step that changes something.
pub(super) trait Work {
    /// Whether the effect is there already, so that nothing has to be sent.
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError>;

    /// Sends the statements. May be called again when no answer came and the effect is not there.
    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError>;

    /// Looks whether the effect is there.
    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError>;
}

/// Does one step.
pub(crate) async fn perform(cx: &Context<'_>) -> Result<Done, StepError> {
    match run(cx).await {
        Err(error) => Err(disks::blamed(cx, error).await),
        done => done,
    }
}

async fn run(cx: &Context<'_>) -> Result<Done, StepError> {
    match cx.step.kind {
        StepKind::CreateLedger => ledger(cx).await,
        StepKind::CreatePublication => drive(&CreatePublication::of(cx)?, cx).await,
        StepKind::PublishTables => drive(&PublishTables::of(cx)?, cx).await,
        StepKind::UnpublishTables => drive(&UnpublishTables::of(cx)?, cx).await,
        StepKind::CreateSubscription => drive(&CreateSubscription::of(cx)?, cx).await,
        StepKind::DropSubscription => drive(&DropSubscription::of(cx)?, cx).await,
        StepKind::DropPublication => drive(&DropPublication::of(cx)?, cx).await,
        StepKind::DropTable => drive(&DropTable::of(cx)?, cx).await,
        StepKind::CreateTable => drive(&CreateTable::of(cx)?, cx).await,
        StepKind::AlterTable => drive(&AlterTable::of(cx)?, cx).await,
        StepKind::GrantPrivileges => drive(&GrantPrivileges::of(cx)?, cx).await,
        StepKind::RenameTable | StepKind::SwapTable | StepKind::SwitchView => drive(&Place::of(cx)?, cx).await,
        StepKind::ReplaceByView => drive(&ReplaceByView::of(cx)?, cx).await,
        StepKind::CreateRepository => drive(&CreateRepository::of(cx)?, cx).await,
        StepKind::DropRepository => drive(&DropRepository::of(cx)?, cx).await,
        StepKind::DropSnapshot => drive(&DropSnapshot::of(cx)?, cx).await,
        StepKind::CreateServer
        | StepKind::CreateUserMapping
        | StepKind::CreateForeignTable
        | StepKind::DropForeignTable
        | StepKind::DropUserMapping
        | StepKind::DropServer => drive(&ForeignWork::of(cx)?, cx).await,
        StepKind::CopyRows
        | StepKind::PullRows
        | StepKind::RunCommand
        | StepKind::MergeRows
        | StepKind::PruneRows
        | StepKind::CheckStore
        | StepKind::CreateSnapshot
        | StepKind::RestoreTable
        | StepKind::TryRestore
        | StepKind::RestorePartition
        | StepKind::FillPartition
        | StepKind::ReplacePartition
        | StepKind::ExportRows
        | StepKind::WriteFiles
        | StepKind::ImportRows
        | StepKind::RemoveFiles
        | StepKind::WriteManifest
        | StepKind::CheckFiles => copy(cx).await,
        StepKind::TakeCopy => drive(&TakeCopy::of(cx)?, cx).await,
        StepKind::NoteSynced => note_synced(cx).await,
        StepKind::RecordFlow => record(cx).await,
        StepKind::WaitSynced | StepKind::WaitReleased | StepKind::WaitLeasesGone | StepKind::WaitFlows => {
            wait(cx).await
        }
    }
}

/// Runs of other workspaces and flows may be as far at the same moment: whoever makes the ledger, it is the same.
async fn ledger(cx: &Context<'_>) -> Result<Done, StepError> {
    match drive(&CreateLedger, cx).await {
        Err(StepError::Precondition { .. }) => drive(&CreateLedger, cx).await,
        done => done,
    }
}

async fn drive(work: &impl Work, cx: &Context<'_>) -> Result<Done, StepError> {
    let already = work.is_done(cx).await?;
    if !already {
        act(work, cx).await?;
    }
    work.confirm(cx).await?;
    Ok(Done { already, note: None })
}

/// Acts, and looks what came of it where no answer did: a step is never repeated blindly.
async fn act(work: &impl Work, cx: &Context<'_>) -> Result<(), StepError> {
    let (mut retry, mut is_lost) = (cx.retry(), false);
    loop {
        let error = match attempt(work, cx).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if !error.is_uncertain() {
            // What was sent before may have had its effect only after it was looked for.
            return if is_lost && comes(work, cx).await? { Ok(()) } else { Err(error) };
        }
        if work.is_done(cx).await? {
            return Ok(());
        }
        is_lost = true;
        if !error.is_transient() || !retry.again().await {
            return Err(error);
        }
        if work.is_done(cx).await? {
            return Ok(());
        }
    }
}

async fn attempt(work: &impl Work, cx: &Context<'_>) -> Result<(), StepError> {
    precondition::check(cx).await?;
    work.act(cx).await
}

/// Whether the effect shows within a while: a server goes on with a statement whose connection is gone.
async fn comes(work: &impl Work, cx: &Context<'_>) -> Result<bool, StepError> {
    let mut pace = cx.settle(LATE);
    while !work.is_done(cx).await? {
        match pace.pause(String::new).await {
            Err(StepError::TimedOut { .. }) => return Ok(false),
            pause => pause?,
        }
    }
    Ok(true)
}

/// The ledger row is written before the first step of every flow; nothing is left to do.
async fn record(cx: &Context<'_>) -> Result<Done, StepError> {
    cx.record()?;
    precondition::check(cx).await?;
    Ok(Done::default())
}

async fn copy(cx: &Context<'_>) -> Result<Done, StepError> {
    precondition::check(cx).await?;
    match &cx.step.action {
        Some(Action::CopyRows(rows)) => copy_rows::copy(cx, rows).await,
        Some(Action::PullRows(rows)) => pull_rows::pull(cx, rows).await,
        Some(Action::RunCommand(command)) => run_command::run(cx, command).await,
        Some(Action::MergeRows(merge)) => merge_rows::merge(cx, merge).await,
        Some(Action::PruneRows(rows)) => prune_rows::prune(cx, rows).await,
        Some(Action::CheckStore(action)) => check_store::check(cx, action).await,
        Some(Action::CreateSnapshot(action)) => create_snapshot::make(cx, action).await,
        Some(Action::RestoreTable(action)) if cx.step.kind == StepKind::TryRestore => {
            restore_table::try_out(cx, action).await
        }
        Some(Action::FillPartition(action)) => fill_partition::fill(cx, action).await,
        Some(Action::RestorePartition(action)) => restore_partition::restore(cx, action).await,
        Some(Action::RestoreTable(action)) => restore_table::restore(cx, action).await,
        Some(Action::ExportRows(rows)) => export_rows::export(cx, rows).await,
        Some(Action::WriteFiles(rows)) => write_files::write(cx, rows).await,
        Some(Action::ImportRows(rows)) => import_rows::import(cx, rows).await,
        Some(Action::RemoveFiles(files)) => remove_files::remove(cx, files).await,
        Some(Action::WriteManifest(manifest)) => write_manifest::write(cx, manifest).await,
        Some(Action::CheckFiles(check)) => check_files::check(cx, check).await,
        _ => Err(cx.wrong("it has no action, or another kind's")),
    }
}

async fn note_synced(cx: &Context<'_>) -> Result<Done, StepError> {
    precondition::check(cx).await?;
    match &cx.step.action {
        Some(Action::NoteSynced(synced)) => note_synced::note(cx, synced).await,
        _ => Err(cx.wrong("it has no action, or another kind's")),
    }
}

async fn wait(cx: &Context<'_>) -> Result<Done, StepError> {
    precondition::check(cx).await?;
    match (cx.step.kind, &cx.step.action) {
        (StepKind::WaitSynced, Some(Action::WaitSynced(wait))) => wait_synced::wait(cx, wait).await,
        (StepKind::WaitReleased, Some(Action::WaitReleased(wait))) => wait_released::wait(cx, wait).await,
        (StepKind::WaitFlows, Some(Action::WaitFlows(wait))) => wait_flows::wait(cx, wait).await,
        (StepKind::WaitLeasesGone, Some(Action::WaitLeasesGone(wait))) => wait_leases_gone::wait(cx, wait).await,
        _ => Err(cx.wrong("it has no action, or another kind's")),
    }
}
