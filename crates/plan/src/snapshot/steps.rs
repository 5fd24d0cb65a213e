//! What is done around each table: the repositories and a snapshot before, retention after.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::ledger::FlowRow;
use transship_model::observed::TableKind;
use transship_model::plan::{
    Action, Consent, ConsentBy, CopyNote, CreateSnapshot, ObjectRef, Precondition, SnapshotPartition, StepKind,
};
use transship_model::spec::{Snapshot, To};
use transship_model::store::repository::Role;
use transship_model::{DropKind, Finding, Name, TableName};
use transship_sql::snapshot::{self, Part};
use transship_sql::{partition, replication, table as table_sql};

use super::partitions::From;
use super::place::{self, Place};
use super::repositories;
use crate::copies::{Context, Deed, Fill, Found, Wish, because, partitions, settings, source_as_planned, whole};
use crate::digest;
use crate::draft::{FlowDraft, NewStep};
use crate::missing::Missing;
use crate::store_check;

/// Tables as files.
pub(super) struct Files<'a> {
    pub(super) place: Place<'a>,
    pub(super) settings: &'a Snapshot,
    /// The name of the next snapshot.
    pub(super) next: String,
}

impl Fill for Files<'_> {
    fn wish<'a>(&self, context: &Context<'a>, pair: &'a crate::copies::Pair<'a>) -> Result<Wish<'a>, Vec<Finding>> {
        let mut wish = whole(context, pair)?;
        wish.partitions = partitions::chosen(context, pair, wish.source)?;
        if !wish.partitions.is_empty() {
            // Which partitions they are is compared one by one.
            wish.asked = digest::of(&(&wish.asked, "partitions"));
        }
        Ok(wish)
    }

    fn check(&self, context: &Context<'_>, found: &[Found<'_>]) -> Vec<Finding> {
        if !found.iter().any(copies) {
            return Vec::new();
        }
        let mut findings = repositories::check(context, &self.place);
        findings.extend(replicated(context));
        findings.extend(newer(context));
        findings.extend(settings::check(context));
        findings.extend(found.iter().filter_map(|found| super::partitions::other_definition(context, found)));
        findings.extend(found.iter().filter_map(|found| super::partitions::in_the_way(context, found)));
        // Repositories, snapshots and restores all take it, at either end.
        let mut missing = Missing::default();
        missing.for_repositories((context.source_name, context.source));
        missing.for_repositories((context.target_name, context.target));
        findings.extend(missing.findings(&context.instance.path));
        findings
    }

    fn begin(&self, context: &Context<'_>, found: &[Found<'_>], draft: &mut FlowDraft) {
        if repositories::is_new(context, &self.place) {
            let ends = (context.source_name, context.target_name);
            store_check::push(context.input, context.instance, ends, (self.place.store, self.place.location), draft);
        }
        repositories::make(context, &self.place, Role::Writer, draft);
        // The snapshots of one run are made together, also one of which nothing is restored this time.
        let why = found.iter().find(|found| copies(found)).map(because).unwrap_or_default();
        for (name, found) in self.snapshots(context, found) {
            self.take(context, &name, (&found, &why), draft);
        }
        repositories::make(context, &self.place, Role::Reader, draft);
    }

    fn aside(&self, context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
        let (cluster, repository) = (context.target_name, &self.place.repository);
        let (part, name) = (part(found), self.snapshot_of(context, &found.wish.pair.from));
        let from = From { repository, snapshot: &name };
        let restore = if hidden(context, &part.table) {
            snapshot::restore_only(repository, &name, &part.table, copy)
        } else {
            snapshot::restore_table(repository, &name, &part, copy)
        };
        let action = super::partitions::action(context, &from, &part.table, copy, &part.partitions);
        draft.push(
            NewStep::new(cluster, StepKind::RestoreTable, because(found))
                .sql(restore)
                .action(Action::RestoreTable(action))
                .requires(Precondition::Present(ObjectRef::repository(cluster, repository)))
                .requires(Precondition::Absent(ObjectRef::table(cluster, copy)))
                .moves(&found.wish.source.primaries),
        );
        settings::set(context, copy, draft);
    }

    fn into(&self, context: &Context<'_>, found: &Found<'_>, _: CopyNote, draft: &mut FlowDraft) {
        let from = From { repository: &self.place.repository, snapshot: &self.next };
        super::partitions::restore(context, found, &from, draft);
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
            let taken = context.pairs.iter().map(|pair| self.snapshot_of(context, &pair.from));
            row.snapshots.extend(taken);
        }
    }
}

impl Files<'_> {
    /// The snapshots of the run, each with what goes into it: one for all tables, and one for each that needs its own.
    fn snapshots<'a, 'b>(&self, context: &Context<'_>, found: &'b [Found<'a>]) -> Vec<(String, Vec<&'b Found<'a>>)> {
        let mut all = Vec::<(String, Vec<&Found<'_>>)>::new();
        for found in found {
            let name = self.snapshot_of(context, &found.wish.pair.from);
            match all.iter_mut().find(|(other, _)| *other == name) {
                Some((_, tables)) => tables.push(found),
                None => all.push((name, vec![found])),
            }
        }
        all
    }

    /// The snapshot that a table is in.
    fn snapshot_of(&self, context: &Context<'_>, table: &TableName) -> String {
        let mut alone = context.pairs.iter().map(|pair| &pair.from).filter(|from| hidden(context, from));
        match alone.position(|from| from == table) {
            Some(index) => place::alone(&self.next, index + 1),
            None => self.next.clone(),
        }
    }

    /// Makes one of them.
    fn take(&self, context: &Context<'_>, name: &str, (found, why): (&[&Found<'_>], &str), draft: &mut FlowDraft) {
        let tables: Vec<TableName> = found.iter().map(|found| found.wish.pair.from.clone()).collect();
        let (cluster, repository) = (context.source_name, &self.place.repository);
        let parts: Vec<Part> = found.iter().map(|found| part(found)).collect();
        let counted = |part: &Part| partition::count_rows(&part.table, &part.partitions);
        let action = CreateSnapshot {
            repository: repository.clone(),
            snapshot: name.to_owned(),
            refresh: table_sql::refresh(&tables),
            mark: replication::checkpoints(&tables),
            counts: parts.iter().map(counted).collect(),
            partitions: parts.iter().flat_map(snapshot_partitions).collect(),
            look: snapshot::snapshot(repository, name),
            timeout: context.instance.flow.timeout(),
            tables: tables.clone(),
        };
        let because = found.iter().find(|found| copies(found)).map_or_else(|| why.to_owned(), |found| because(found));
        let step = NewStep::new(cluster, StepKind::CreateSnapshot, because)
            .sql(snapshot::create_snapshot(repository, name, &parts))
            .action(Action::CreateSnapshot(action))
            .requires(Precondition::Present(ObjectRef::repository(cluster, repository)))
            .moves(found.iter().flat_map(|found| &found.wish.source.primaries));
        let unchanged = tables.iter().map(|table| source_as_planned(context, table));
        draft.push(unchanged.fold(step, NewStep::requires));
        draft.basis.extend(tables.iter().map(|table| ObjectRef::table(cluster, table)));
    }

    /// The snapshots that this row knows, as far as they are there.
    fn known(&self, context: &Context<'_>) -> BTreeSet<String> {
        let noted = context.row.map(|row| row.snapshots.clone()).unwrap_or_default();
        match place::seen(context.input, context.instance, &self.place) {
            Some(seen) if !seen.is_empty() => noted.into_iter().filter(|name| seen.contains(name)).collect(),
            _ => noted,
        }
    }

    /// Snapshots beyond those that are kept, the new one among these, and those that did not become whole.
    fn aged_out(&self, context: &Context<'_>) -> Vec<String> {
        let id = &context.instance.id;
        let known = place::known(context.input, context.instance);
        let seen = place::seen(context.input, context.instance, &self.place).filter(|seen| !seen.is_empty());
        let is_there = |name: &String| seen.as_ref().is_none_or(|seen| seen.contains(name));
        let all = known.into_iter().filter(|name| place::is_snapshot(id, name) && is_there(name));
        let states = context.source.repositories.get(&self.place.repository).and_then(|it| it.snapshots.as_ref());
        let is_whole = |name: &String| states.and_then(|it| it.get(name)).is_none_or(|state| state == "SUCCESS");
        // The snapshots of one run stay together, or go.
        let mut runs = BTreeMap::<_, Vec<String>>::new();
        for name in all {
            runs.entry(place::number(id, &name)).or_default().push(name);
        }
        let (whole, broken): (Vec<_>, Vec<_>) = runs.into_values().partition(|run| run.iter().all(is_whole));
        let keep = usize::try_from(self.settings.keep).unwrap_or(usize::MAX).saturating_sub(1);
        let mut aged: Vec<String> = whole.into_iter().rev().skip(keep).chain(broken).flatten().collect();
        aged.sort_by_key(|name| (place::number(id, name), name.clone()));
        aged
    }
}

/// Whether something that is no table has the name of a source table on one of the flow's targets: CrateDB restores no table
/// by its name then (`Unsupported relation type: View`), so that it goes into a snapshot of its own. With `replace_by: view`
/// that is how it is from the second run on. All targets share their snapshots, so all are looked at.
pub(super) fn hidden(context: &Context<'_>, table: &TableName) -> bool {
    let targets: &[Name] = match &context.instance.flow.to {
        To::Cluster(name) => std::slice::from_ref(name),
        To::Clusters(names) => names,
        To::Store(_) => &[],
    };
    let mut there = targets.iter().filter_map(|name| context.input.observed(name)?.tables.get(table));
    there.any(|there| there.kind != TableKind::Table)
}

fn copies(found: &Found<'_>) -> bool {
    matches!(found.deed, Deed::Create | Deed::Replace | Deed::Restore)
}

/// What of a table goes into the snapshot: the whole, or what is chosen.
fn part(found: &Found<'_>) -> Part {
    Part { table: found.wish.pair.from.clone(), partitions: found.wish.partitions.clone() }
}

fn snapshot_partitions(part: &Part) -> impl Iterator<Item = SnapshotPartition> + '_ {
    part.partitions.iter().map(|partition| SnapshotPartition {
        table: part.table.clone(),
        partition: partitions::planned(partition),
        count: partition::count_rows(&part.table, std::slice::from_ref(partition)),
    })
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
