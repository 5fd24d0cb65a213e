//! What is done around each table: the repositories and a snapshot before, retention after.

use std::collections::BTreeSet;

use transship_model::ledger::FlowRow;
use transship_model::plan::{
    Action, Consent, ConsentBy, CopyNote, CreateSnapshot, ObjectRef, Precondition, RestoreTable, StepKind,
};
use transship_model::spec::Snapshot;
use transship_model::{DropKind, Finding, TableName};
use transship_sql::snapshot::{self, Part};
use transship_sql::{place as place_sql, replication, table as table_sql};

use super::place::{self, Place};
use super::repositories;
use crate::copies::{Context, Deed, Fill, Found, Wish, because, source_as_planned, whole};
use crate::draft::{FlowDraft, NewStep};
use crate::missing::Missing;

/// Tables as files.
pub(super) struct Files<'a> {
    pub(super) place: Place<'a>,
    pub(super) settings: &'a Snapshot,
}

impl Fill for Files<'_> {
    fn wish<'a>(&self, context: &Context<'a>, pair: &'a crate::copies::Pair<'a>) -> Result<Wish<'a>, Vec<Finding>> {
        whole(context, pair)
    }

    fn check(&self, context: &Context<'_>, found: &[Found<'_>]) -> Vec<Finding> {
        if !found.iter().any(copies) {
            return Vec::new();
        }
        let mut findings = repositories::check(context, &self.place);
        findings.extend(replicated(context));
        findings.extend(newer(context));
        // Repositories, snapshots and restores all take it, at either end.
        let mut missing = Missing::default();
        missing.for_repositories((context.source_name, context.source));
        missing.for_repositories((context.target_name, context.target));
        findings.extend(missing.findings(&context.instance.path));
        findings
    }

    fn begin(&self, context: &Context<'_>, found: &[Found<'_>], draft: &mut FlowDraft) {
        repositories::make(context, &self.place, draft);
        let tables: Vec<TableName> = context.pairs.iter().map(|pair| pair.from.clone()).collect();
        let (cluster, name) = (context.source_name, self.next(context));
        let parts: Vec<Part> = tables.iter().cloned().map(Part::whole).collect();
        let repository = &self.place.repository;
        let action = CreateSnapshot {
            repository: repository.clone(),
            snapshot: name.clone(),
            refresh: table_sql::refresh(&tables),
            mark: replication::checkpoints(&tables),
            counts: tables.iter().map(place_sql::count_rows).collect(),
            look: snapshot::snapshot(repository, &name),
            timeout: context.instance.flow.timeout(),
            tables,
        };
        let because = found.iter().find(|found| copies(found)).map(because).unwrap_or_default();
        let step = NewStep::new(cluster, StepKind::CreateSnapshot, because)
            .sql(snapshot::create_snapshot(repository, &name, &parts))
            .action(Action::CreateSnapshot(action))
            .requires(Precondition::Present(ObjectRef::repository(cluster, repository)))
            .moves(found.iter().flat_map(|found| &found.wish.source.primaries));
        let unchanged = context.pairs.iter().map(|pair| source_as_planned(context, &pair.from));
        draft.push(unchanged.fold(step, NewStep::requires));
        draft.basis.extend(context.pairs.iter().map(|pair| ObjectRef::table(cluster, &pair.from)));
    }

    fn aside(&self, context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
        let (cluster, repository, name) = (context.target_name, &self.place.repository, self.next(context));
        let from = &found.wish.pair.from;
        let action = RestoreTable {
            repository: repository.clone(),
            snapshot: name.clone(),
            from: from.clone(),
            copy: copy.clone(),
            running: snapshot::running_restores(repository, &name),
            missing: snapshot::missing_shards([copy]),
            reached: replication::checkpoints([copy]),
            refresh: table_sql::refresh([copy]),
            count: place_sql::count_rows(copy),
            timeout: context.instance.flow.timeout(),
        };
        draft.push(
            NewStep::new(cluster, StepKind::RestoreTable, because(found))
                .sql(snapshot::restore_table(repository, &name, &Part::whole(from.clone()), copy))
                .action(Action::RestoreTable(action))
                .requires(Precondition::Present(ObjectRef::repository(cluster, repository)))
                .requires(Precondition::Absent(ObjectRef::table(cluster, copy)))
                .moves(&found.wish.source.primaries),
        );
    }

    fn into(&self, _: &Context<'_>, found: &Found<'_>, _: CopyNote, _: &mut FlowDraft) {
        unreachable!("`existing` of a snapshot adds no rows to {}", found.wish.pair.to)
    }

    fn end(&self, context: &Context<'_>, draft: &mut FlowDraft) {
        for name in self.aged_out(context) {
            let (cluster, repository) = (context.source_name, &self.place.repository);
            let consent = Consent {
                kind: DropKind::Snapshot,
                name: format!("{cluster}.{repository}.{name}"),
                given: Some(ConsentBy::Keep),
            };
            let because = format!("`keep: {}`", self.settings.keep);
            draft.push(
                NewStep::new(cluster, StepKind::DropSnapshot, because)
                    .sql(snapshot::drop_snapshot(repository, &name))
                    .requires(Precondition::Present(ObjectRef::repository(cluster, repository)))
                    .drops(consent),
            );
        }
    }

    fn note(&self, context: &Context<'_>, copies: bool, row: &mut FlowRow) {
        row.repository = Some(self.place.repository.clone());
        // What is known to be gone leaves the row when it is written anyway.
        row.snapshots = context.row.map(|row| row.snapshots.clone()).unwrap_or_default();
        if copies {
            row.snapshots = self.known(context);
            row.snapshots.insert(self.next(context));
        }
    }
}

impl Files<'_> {
    /// The snapshots that this row knows, as far as they are there.
    fn known(&self, context: &Context<'_>) -> BTreeSet<String> {
        let noted = context.row.map(|row| row.snapshots.clone()).unwrap_or_default();
        match self.seen(context) {
            Some(seen) if !seen.is_empty() => noted.into_iter().filter(|name| seen.contains(name)).collect(),
            _ => noted,
        }
    }

    /// The flow's snapshots that are in the repository, where it could be read.
    fn seen(&self, context: &Context<'_>) -> Option<BTreeSet<String>> {
        let seen = context.source.repositories.get(&self.place.repository)?.snapshots.as_ref()?;
        Some(seen.keys().filter(|name| place::number(&context.instance.id, name).is_some()).cloned().collect())
    }

    /// The name of the next snapshot: above every number that a ledger or the repository has, whatever target it was for.
    fn next(&self, context: &Context<'_>) -> String {
        let id = &context.instance.id;
        let rows = context.input.observation.clusters.values().flat_map(|seen| seen.ledger.rows());
        let noted = rows.filter(|(other, _)| other.flow == id.flow).flat_map(|(_, row)| row.snapshots.clone());
        let all = noted.chain(self.seen(context).unwrap_or_default());
        let highest = all.filter_map(|name| place::number(id, &name)).max().unwrap_or(0);
        place::snapshot_name(id, highest + 1)
    }

    /// Snapshots beyond those that are kept, the new one among these, and those that did not become whole.
    fn aged_out(&self, context: &Context<'_>) -> Vec<String> {
        let id = &context.instance.id;
        let mut all: Vec<String> =
            self.seen(context).unwrap_or_default().into_iter().chain(self.known(context)).collect();
        all.sort_by_key(|name| std::cmp::Reverse(place::number(id, name)));
        all.dedup();
        let states = context.source.repositories.get(&self.place.repository).and_then(|it| it.snapshots.as_ref());
        let is_whole = |name: &String| states.and_then(|it| it.get(name)).is_none_or(|state| state == "SUCCESS");
        let (whole, broken): (Vec<String>, Vec<String>) = all.into_iter().partition(is_whole);
        let keep = usize::try_from(self.settings.keep).unwrap_or(usize::MAX).saturating_sub(1);
        let mut aged: Vec<String> = whole.into_iter().skip(keep).chain(broken).collect();
        aged.sort_by_key(|name| place::number(id, name));
        aged
    }
}

fn copies(found: &Found<'_>) -> bool {
    matches!(found.deed, Deed::Create | Deed::Replace)
}

/// A table that is itself the target of a replication: its restored copy could be neither written nor dropped.
fn replicated(context: &Context<'_>) -> Vec<Finding> {
    let subscribed = |table: &TableName| context.source.subscriptions.values().any(|it| it.tables.contains_key(table));
    let pairs = context.pairs.iter().filter(|pair| subscribed(&pair.from) || context.is_subscribed(&pair.from));
    let finding = |pair: &crate::copies::Pair<'_>| {
        let message = format!("table {}.{} is the target of a replication", context.source_name, pair.from);
        Finding::error("plan::source-subscribed", message)
            .at(pair.path.clone())
            .help("its copy could be neither written nor dropped: copy it from where it comes from, or by `custom`")
    };
    pairs.map(finding).collect()
}

/// A snapshot is restored by the same version or a newer one only.
fn newer(context: &Context<'_>) -> Option<Finding> {
    let (source, target) = (context.source.newest_version, context.target.version);
    (source > target).then(|| {
        let message = format!(
            "{} runs CrateDB {source}, and {} only {target}: it cannot restore newer snapshots",
            context.source_name, context.target_name
        );
        Finding::error("plan::newer-source", message)
            .at(context.instance.path.clone())
            .help("upgrade the target, or use `export-import` or `custom`")
    })
}
