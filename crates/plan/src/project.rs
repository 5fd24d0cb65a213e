//! What the clusters look like once a plan has been applied: a plan that is projected and planned again is empty.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use transship_model::ledger::{CopyRow, CursorRow, FlowRow, LedgerEntry, LedgerView};
use transship_model::observed::{
    Column, Lease, Observation, Observed, Publication, RelationState, Shard, SubscribedTable, Subscription, Table,
    TableKind,
};
use transship_model::plan::{
    Action, Afterwards, CopyNote, CopyRows, ForeignObject, ParamRef, Plan, Record, Step, StepId, StepKind,
};
use transship_model::{Name, TableName};
use transship_sql::connection;
use transship_sql::definition::{Column as DefinedColumn, Definition};
use transship_sql::statement::Statement;

mod exports;
mod snapshots;

use crate::copies::partitions::read;
use crate::input::PlanInput;

/// The observation after every step of `plan` has succeeded, with sources that stood still.
pub fn project(input: &PlanInput, plan: &Plan) -> Observation {
    let mut world = input.observation.clone();
    let mut marks = MarksByStep::new();
    for step in plan.all_steps() {
        match &step.action {
            Some(Action::CopyRows(rows)) => {
                let noted = continued(plan, step, rows);
                let read = noted.unwrap_or_else(|| marks_of(&world, &rows.source, &rows.from));
                marks.insert((&step.cluster, &rows.into), read);
            }
            Some(Action::PullRows(rows)) => {
                let read = marks_of(&world, &rows.source, &rows.from);
                marks.insert((&step.cluster, &rows.into), read);
            }
            Some(Action::RunCommand(command)) => {
                let read = |from| marks_of(&world, &command.source, from);
                marks.extend(command.tables.iter().map(|it| ((&step.cluster, &it.into), read(&it.from))));
            }
            Some(Action::MergeRows(merge)) => {
                let read = marks.get(&(&step.cluster, &merge.rows.from)).cloned().unwrap_or_default();
                marks.insert((&step.cluster, &merge.rows.into), read);
            }
            Some(Action::NoteSynced(synced)) => {
                let noted = synced.tables.iter().map(|table| &table.note);
                marks.extend(
                    noted.map(|note| ((&step.cluster, &note.table), marks_of(&world, &synced.source, &note.from))),
                );
            }
            Some(Action::RestoreTable(restored)) => {
                let source = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref());
                if let Some(record) = source {
                    marks.insert(
                        (&step.cluster, &restored.copy),
                        snapshots::marks_of(&world, &record.row.from, restored),
                    );
                }
            }
            Some(Action::RestorePartition(restored)) => {
                if let Some(record) = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref()) {
                    let of_part = snapshots::marks_of_partition(&world, &record.row.from, restored);
                    let before = record.row.copies.get(&restored.table).filter(|_| restored.keeps);
                    let known = || before.map(|note| note.marks.clone()).unwrap_or_default();
                    marks.entry((&step.cluster, &restored.table)).or_insert_with(known).extend(of_part);
                }
            }
            Some(Action::FillPartition(filled)) => {
                if let Some(record) = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref()) {
                    let of_part =
                        snapshots::of_partition(&world, &record.row.from, (&filled.done.from, &filled.partition));
                    let before = record.row.copies.get(&filled.done.table).filter(|_| filled.keeps);
                    let known = || before.map(|note| note.marks.clone()).unwrap_or_default();
                    marks.entry((&step.cluster, &filled.done.table)).or_insert_with(known).extend(of_part);
                }
            }
            Some(Action::ImportRows(rows)) => {
                let of_cluster = rows.source.as_ref().map(|source| marks_of(&world, source, &rows.from));
                let marks_of_rows = of_cluster.unwrap_or_else(|| exports::marks(plan, step, &rows.from));
                marks.insert((&step.cluster, &rows.into), marks_of_rows);
            }
            Some(Action::WriteManifest(manifest)) => {
                let noted = manifest.done.iter();
                marks.extend(
                    noted.map(|note| ((&step.cluster, &note.table), marks_of(&world, &step.cluster, &note.from))),
                );
                exports::appear(&mut world, manifest);
            }
            _ => {}
        }
        let record = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref());
        match record {
            None => create_ledger(&mut world, step),
            Some(record) => apply(input, &mut world, step, record),
        }
    }
    for record in plan.all_records() {
        let copies = copied(plan, record, &marks, input.now);
        keep(&mut world, plan, record, copies);
    }
    world
}

/// The primary shards of a source, as [`CopyRow`] has them.
type Marks = BTreeMap<String, (String, i64)>;

/// The marks of what was copied, by cluster and table into which it was.
type MarksByStep<'a> = BTreeMap<(&'a Name, &'a TableName), Marks>;

/// The primary shards of what is copied, as they were when a run began that was cut.
fn continued(plan: &Plan, step: &Step, rows: &CopyRows) -> Option<Marks> {
    let record = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref())?;
    let noted = record.row.copying.get(&rows.chunks.as_ref()?.table)?;
    Some(noted.marks.clone())
}

/// The primary shards of what is copied, at the time of the copy.
fn marks_of(world: &Observation, source: &Name, from: &TableName) -> Marks {
    let source = world.clusters.get(source).and_then(|seen| seen.tables.get(from));
    let mark = |shard: &Shard| {
        let uuid = shard.uuid.clone().unwrap_or_default();
        (format!("{}/{}", shard.partition, shard.id), (uuid, shard.max_seq_no.unwrap_or(-1)))
    };
    source.into_iter().flat_map(|table| &table.primaries).map(mark).collect()
}

fn create_ledger(world: &mut Observation, step: &Step) {
    if let (StepKind::CreateLedger, Some(observed)) = (step.kind, world.clusters.get_mut(&step.cluster)) {
        observed.ledger = LedgerView::Present(BTreeMap::new());
    }
}

/// The exports whose files the steps of a flow remove.
fn removed(plan: &Plan, record: &Record) -> BTreeSet<u32> {
    let steps = plan.all_steps().filter(|step| step.flow.as_ref() == Some(&record.flow));
    let removed = steps.filter_map(|step| match &step.action {
        Some(Action::RemoveFiles(files)) => Some(files.exports.keys().copied()),
        _ => None,
    });
    removed.flatten().collect()
}

fn keep(world: &mut Observation, plan: &Plan, record: &Record, copies: BTreeMap<TableName, CopyRow>) {
    let Some(LedgerView::Present(rows)) = world.clusters.get_mut(&record.cluster).map(|seen| &mut seen.ledger) else {
        return;
    };
    match record.then {
        Afterwards::Done => {
            let exported = exports::paths(plan, record);
            let mut row = FlowRow { copies, ..record.row.done(exported.iter().map(String::as_str)) };
            let removed = removed(plan, record);
            row.exports.retain(|number, _| !removed.contains(number));
            settle(plan, record, &mut row);
            let entry = LedgerEntry { run: "projected".to_owned(), row };
            rows.insert(record.flow.clone(), entry);
        }
        Afterwards::Forget => {
            rows.remove(&record.flow);
        }
    }
}

/// What the steps of a flow bring to an end is no longer begun.
fn settle(plan: &Plan, record: &Record, row: &mut FlowRow) {
    for step in plan.all_steps().filter(|step| step.flow.as_ref() == Some(&record.flow)) {
        let part = match &step.action {
            Some(Action::RestorePartition(restored)) => Some((&restored.table, &restored.partition)),
            Some(Action::FillPartition(filled)) => Some((&filled.rows.into, &filled.partition)),
            _ => None,
        };
        if let Some((table, partition)) = part {
            if let Some(begun) = row.restoring.get_mut(table) {
                begun.remove(&read(partition).ident());
            }
            continue;
        }
        for (note, _) in notes(step) {
            row.adding.remove(&note.table);
            row.restoring.remove(&note.table);
        }
    }
    row.restoring.retain(|_, begun| !begun.is_empty());
}

fn apply(input: &PlanInput, world: &mut Observation, step: &Step, record: &Record) {
    let (source, target) = (&record.row.from, &record.row.to);
    let publication = record.row.publication.as_ref().map(|owned| owned.name.clone()).unwrap_or_default();
    let subscription = record.row.subscription.as_ref().map(|owned| owned.name.clone()).unwrap_or_default();
    match step.kind {
        StepKind::CreateLedger
        | StepKind::RecordFlow
        | StepKind::GrantPrivileges
        | StepKind::NoteSynced
        | StepKind::CheckStore
        | StepKind::ExportRows
        | StepKind::WriteFiles
        | StepKind::RemoveFiles
        | StepKind::WriteManifest
        | StepKind::WaitFlows
        | StepKind::CreateServer
        | StepKind::CreateUserMapping
        | StepKind::CreateForeignTable
        | StepKind::DropUserMapping
        | StepKind::CheckFiles => {}
        // What the plan makes of them it drops; so does it with what is left of others.
        StepKind::DropForeignTable | StepKind::DropServer => match &step.action {
            Some(Action::Foreign(ForeignObject::Table { table, .. })) => {
                at(world, target).tables.remove(table);
            }
            Some(Action::Foreign(ForeignObject::Server { server, .. })) => {
                at(world, target).servers.remove(server);
            }
            _ => {}
        },
        StepKind::CreatePublication => {
            at(world, source).publications.insert(publication, Publication::default());
        }
        StepKind::PublishTables | StepKind::UnpublishTables => {
            if let Some(Action::ChangeTables(change)) = &step.action {
                at(world, source).publications.entry(publication).or_default().tables.clone_from(&change.after);
            }
        }
        StepKind::DropPublication => {
            at(world, source).publications.remove(&publication);
        }
        StepKind::DropSubscription => {
            let dropped = at(world, target).subscriptions.remove(&subscription).unwrap_or_default();
            release(world, source, target, &dropped.tables.into_keys().collect());
        }
        StepKind::DropTable => {
            if let Some(Action::DropTable(dropped)) = &step.action {
                at(world, target).tables.remove(&dropped.table);
            }
        }
        StepKind::CreateSubscription => {
            let made = new_subscription(input, step, publication);
            at(world, target).subscriptions.insert(subscription, made);
        }
        StepKind::RunCommand | StepKind::MergeRows | StepKind::PruneRows => moved(at(world, target), step),
        StepKind::CreateTable
        | StepKind::CopyRows
        | StepKind::ImportRows
        | StepKind::PullRows
        | StepKind::AlterTable
        | StepKind::RenameTable
        | StepKind::SwapTable
        | StepKind::SwitchView
        | StepKind::ReplaceByView
        | StepKind::TakeCopy => {
            let into = match &step.action {
                Some(Action::CopyRows(rows)) => Some(&rows.into),
                Some(Action::ImportRows(rows)) => Some(&rows.into),
                Some(Action::PullRows(rows)) => Some(&rows.into),
                _ => None,
            };
            if let Some(into) = into {
                written(at(world, target), into);
            }
            for statement in step.sql.iter().filter_map(|sql| Statement::read(sql)) {
                copy(at(world, target), step, statement);
            }
        }
        StepKind::CreateRepository
        | StepKind::DropRepository
        | StepKind::CreateSnapshot
        | StepKind::RestoreTable
        | StepKind::TryRestore
        | StepKind::RestorePartition
        | StepKind::FillPartition
        | StepKind::ReplacePartition
        | StepKind::DropSnapshot => snapshots::apply(world, step, source),
        StepKind::WaitReleased | StepKind::WaitLeasesGone | StepKind::WaitSynced => {
            wait(world, step, source, target, &subscription);
        }
    }
}

/// Rows were written to a table: its sequence numbers go on.
fn written(target: &mut Observed, into: &TableName) {
    let primaries = target.tables.get_mut(into).into_iter().flat_map(|it| &mut it.primaries);
    primaries.for_each(|shard| shard.max_seq_no = shard.max_seq_no.map(|highest| highest + 1));
}

/// A program has filled copies, or the rows of one went into the table, and it is gone; or rows were deleted.
fn moved(target: &mut Observed, step: &Step) {
    match &step.action {
        Some(Action::RunCommand(command)) => command.tables.iter().for_each(|table| written(target, &table.into)),
        Some(Action::MergeRows(merge)) => {
            written(target, &merge.rows.into);
            target.tables.remove(&merge.rows.from);
        }
        Some(Action::PruneRows(pruned)) => written(target, &pruned.into),
        _ => {}
    }
}

pub(super) fn at<'a>(world: &'a mut Observation, cluster: &Name) -> &'a mut Observed {
    world.clusters.get_mut(cluster).expect("a plan touches observed clusters only")
}

fn new_subscription(input: &PlanInput, step: &Step, publication: String) -> Subscription {
    let connection = step.params.first().and_then(|param| {
        let ParamRef::SubscriptionConnection { cluster, mode } = &param.reference else { return None };
        Some(connection::catalog_form(input.endpoints.get(cluster)?, *mode))
    });
    Subscription {
        connection: connection.unwrap_or_default(),
        publications: vec![publication],
        tables: BTreeMap::new(),
    }
}

fn wait(world: &mut Observation, step: &Step, source: &Name, target: &Name, subscription: &str) {
    match &step.action {
        Some(Action::WaitSynced(wait)) => {
            for table in &wait.tables {
                follow(world, source, target, subscription, table);
            }
        }
        Some(Action::WaitReleased(wait)) => {
            if let Some(subscription) = at(world, target).subscriptions.get_mut(subscription) {
                subscription.tables.retain(|table, _| !wait.tables.contains(table));
            }
            release(world, source, target, &wait.tables.iter().cloned().collect());
        }
        Some(Action::WaitLeasesGone(wait)) => {
            release(world, source, target, &wait.tables.iter().cloned().collect());
        }
        Some(
            Action::Record
            | Action::ChangeTables(_)
            | Action::DropTable(_)
            | Action::CopyRows(_)
            | Action::RunCommand(_)
            | Action::WaitFlows(_)
            | Action::MergeRows(_)
            | Action::PruneRows(_)
            | Action::ExportRows(_)
            | Action::WriteFiles(_)
            | Action::ImportRows(_)
            | Action::RemoveFiles(_)
            | Action::WriteManifest(_)
            | Action::CheckFiles(_)
            | Action::PutInPlace(_)
            | Action::CheckStore(_)
            | Action::CreateSnapshot(_)
            | Action::RestoreTable(_)
            | Action::RestorePartition(_)
            | Action::FillPartition(_)
            | Action::NoteSynced(_)
            | Action::TakeCopy(_)
            | Action::Foreign(_)
            | Action::PullRows(_),
        )
        | None => {}
    }
}

/// What a statement of a step about a copy makes of the target.
fn copy(target: &mut Observed, step: &Step, statement: Statement) {
    match statement {
        Statement::CreateTable { table, definition } => {
            let made = made(&table, &definition, &step.id);
            target.tables.insert(table, made);
        }
        Statement::AddColumns { table, columns } => {
            if let Some(found) = target.tables.get_mut(&table) {
                widened(found, &table, columns);
            }
        }
        Statement::RenameTable { table, to } => {
            if let Some(moved) = target.tables.remove(&table) {
                target.tables.insert(TableName::new(&table.schema, to), moved);
            }
        }
        Statement::SwapTable { copy, table } => {
            if let Some(moved) = target.tables.remove(&copy) {
                target.tables.insert(table, moved);
            }
        }
        Statement::SwitchView { view, copy } => {
            if let Some(copied) = target.tables.get(&copy) {
                let definition = Some(transship_sql::view::reads(&copy));
                let view_of = Table { kind: TableKind::View, primaries: Vec::new(), definition, ..copied.clone() };
                target.tables.insert(view, view_of);
            }
        }
        _ => {}
    }
}

/// A table gets more columns.
fn widened(table: &mut Table, name: &TableName, columns: Vec<DefinedColumn>) {
    table.columns.extend(columns.iter().map(column));
    let definition = table.definition.as_deref().and_then(|text| Definition::read(text).ok());
    table.definition = definition.map(|mut definition| {
        definition.columns.extend(columns);
        printed(name, &definition)
    });
}

fn column(column: &DefinedColumn) -> Column {
    Column {
        name: column.name.clone(),
        data_type: column.data_type.to_lowercase(),
        nullable: !column.not_null,
        generated: column.generated.clone(),
        default: column.default.clone(),
    }
}

/// A definition as SHOW CREATE TABLE would print it.
fn printed(name: &TableName, definition: &Definition) -> String {
    definition.create_table(name).replacen("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1)
}

/// A table as its definition makes it, with one shard that the step made.
fn made(name: &TableName, definition: &Definition, by: &StepId) -> Table {
    let shard = Shard {
        partition: String::new(),
        id: 0,
        uuid: Some(format!("projected-{by}")),
        max_seq_no: Some(-1),
        global_checkpoint: Some(-1),
        docs: 0,
        bytes: 0,
        stalled: false,
        leases: Vec::new(),
    };
    Table {
        kind: TableKind::Table,
        columns: definition.columns.iter().map(column).collect(),
        primary_key: definition.primary_key(),
        partitioned_by: definition.partitioned_by.clone(),
        clustered_by: definition.clustered_by.clone(),
        shards: definition.shards,
        replicas: None,
        column_policy: None,
        created: None,
        closed: false,
        primaries: vec![shard],
        health: None,
        definition: Some(printed(name, definition)),
        writable: None,
        visible: true,
    }
}

/// The copies that the steps of a flow have brought to their end.
fn copied(plan: &Plan, record: &Record, marks: &MarksByStep<'_>, now: Timestamp) -> BTreeMap<TableName, CopyRow> {
    let steps = plan.all_steps().filter(|step| step.flow.as_ref() == Some(&record.flow));
    let notes = steps.flat_map(|step| notes(step).into_iter().map(move |(note, copy)| (step, note, copy)));
    let mut copies = record.row.copies.clone();
    copies.extend(notes.map(|(step, note, copy)| {
        let marks = marks.get(&(&step.cluster, copy)).or_else(|| marks.get(&(&step.cluster, &note.table)));
        let marks = marks.cloned().unwrap_or_default();
        let (from, asked, holds) = (note.from.clone(), note.asked.clone(), note.holds.clone());
        let kept = || record.row.copies.get(&note.table).map(|before| before.began);
        let began = if keeps(step) { kept().unwrap_or(now) } else { now };
        (
            note.table.clone(),
            CopyRow {
                from,
                asked,
                holds,
                partitions: note.partitions.clone(),
                columns: note.columns.clone(),
                indices: BTreeSet::new(),
                began,
                rows: 0,
                marks,
                cursor: cursor_of(plan, step, copy),
            },
        )
    }));
    copies
}

/// How far a copy has come by its cursor: the source stood still.
fn cursor_of(plan: &Plan, of: &Step, copy: &TableName) -> Option<CursorRow> {
    let mut steps = plan.all_steps().filter(|step| step.flow == of.flow);
    steps.find_map(|step| match &step.action {
        Some(Action::CopyRows(rows)) if rows.into == *copy => {
            let cursor = rows.cursor.as_ref()?;
            let since = cursor.slices.as_ref().and_then(|slices| slices.since.as_ref());
            Some(CursorRow { column: cursor.column.clone(), value: since.map(|since| since.value.clone()) })
        }
        _ => None,
    })
}

/// What a step notes of tables that are done, and the table that it has filled for each.
fn notes(step: &Step) -> Vec<(&CopyNote, &TableName)> {
    let one = match &step.action {
        Some(Action::CopyRows(rows)) => rows.done.as_ref().map(|done| (done, &rows.into)),
        Some(Action::ImportRows(rows)) => rows.done.as_ref().map(|done| (done, &rows.into)),
        Some(Action::PullRows(rows)) => rows.done.as_ref().map(|done| (done, &rows.into)),
        Some(Action::PutInPlace(put)) => Some((&put.done, &put.copy)),
        Some(Action::MergeRows(merge)) => Some((&merge.done, &merge.rows.into)),
        Some(Action::TakeCopy(take)) => take.done.as_ref().map(|done| (done, &take.copy)),
        Some(Action::RestorePartition(restored)) => Some((&restored.done, &restored.table)),
        Some(Action::FillPartition(filled)) => Some((&filled.done, &filled.done.table)),
        Some(Action::WriteManifest(manifest)) => {
            return manifest.done.iter().map(|note| (note, &note.table)).collect();
        }
        _ => None,
    };
    one.into_iter().collect()
}

/// Whether the ledger keeps when the other partitions of the table were copied.
const fn keeps(step: &Step) -> bool {
    match &step.action {
        Some(Action::RestorePartition(restored)) => restored.keeps && !restored.renews,
        Some(Action::FillPartition(filled)) => filled.keeps && !filled.renews,
        _ => false,
    }
}

/// The source no longer keeps operations of the tables for the target.
fn release(world: &mut Observation, source: &Name, target: &Name, tables: &BTreeSet<TableName>) {
    let subscriber = at(world, target).cluster_name.clone();
    let all = at(world, source).tables.iter_mut();
    for (_, table) in all.filter(|(name, _)| tables.contains(*name)) {
        for shard in &mut table.primaries {
            shard.leases.retain(|lease| lease.subscriber != subscriber);
        }
    }
}

fn follow(world: &mut Observation, source: &Name, target: &Name, subscription: &str, name: &TableName) {
    let subscriber = at(world, target).cluster_name.clone();
    let publisher = at(world, source);
    let renewed = publisher.now;
    let Some(table) = publisher.tables.get_mut(name) else { return };
    for shard in &mut table.primaries {
        if !shard.leases.iter().any(|lease| lease.subscriber == subscriber) {
            let retaining = shard.max_seq_no.unwrap_or(0).max(0);
            shard.leases.push(Lease { subscriber: subscriber.clone(), retaining, renewed });
        }
    }
    let copy = copy_of(table);
    let observed = at(world, target);
    match observed.tables.get_mut(name) {
        Some(table) => catch_up(table, &copy),
        None => drop(observed.tables.insert(name.clone(), copy)),
    }
    if let Some(subscription) = observed.subscriptions.get_mut(subscription) {
        let followed = SubscribedTable::new(RelationState::Monitoring);
        subscription.tables.insert(name.clone(), followed);
    }
}

fn copy_of(table: &Table) -> Table {
    let mut copy = Table { writable: None, ..table.clone() };
    for shard in &mut copy.primaries {
        shard.leases.clear();
        shard.global_checkpoint = shard.max_seq_no;
    }
    copy
}

/// A table that is there already gets what it lacks, and keeps what others keep operations of it for.
fn catch_up(table: &mut Table, copy: &Table) {
    for shard in &mut table.primaries {
        let same = copy.primaries.iter().find(|other| other.partition == shard.partition && other.id == shard.id);
        if let Some(same) = same {
            shard.max_seq_no = same.max_seq_no;
            shard.global_checkpoint = same.global_checkpoint;
        }
    }
}
