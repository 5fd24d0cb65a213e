//! What views need to know of a plan beyond its fields: names of objects, counts, groups.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::ledger::StoreEnd;
use transship_model::plan::{Action, DueFlow, PartitionValue, Plan, PlannedPartition, Step, StepKind};
use transship_model::{FlowId, Place, TableName};
use transship_sql::statement::Statement;

use super::style::counted;

/// What a step does, in one sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// `+`
    Create,
    /// `~`
    Change,
    /// `»`
    Copy,
    /// `-`
    Drop,
    /// `…`
    Wait,
}

impl Sign {
    /// The sign of a kind of step.
    pub const fn of(kind: StepKind) -> Self {
        match kind {
            StepKind::CreateLedger
            | StepKind::CreatePublication
            | StepKind::CreateSubscription
            | StepKind::CreateRepository
            | StepKind::WriteManifest
            | StepKind::CreateTable => Self::Create,
            StepKind::RecordFlow
            | StepKind::PublishTables
            | StepKind::UnpublishTables
            | StepKind::GrantPrivileges
            | StepKind::RenameTable
            | StepKind::SwapTable
            | StepKind::SwitchView
            | StepKind::ReplaceByView
            | StepKind::AlterTable
            | StepKind::NoteSynced
            | StepKind::TakeCopy => Self::Change,
            StepKind::CopyRows
            | StepKind::CreateSnapshot
            | StepKind::RestoreTable
            | StepKind::TryRestore
            | StepKind::RestorePartition
            | StepKind::FillPartition
            | StepKind::ExportRows
            | StepKind::WriteFiles
            | StepKind::ImportRows => Self::Copy,
            StepKind::DropSubscription
            | StepKind::DropPublication
            | StepKind::DropTable
            | StepKind::ReplacePartition
            | StepKind::DropRepository
            | StepKind::DropSnapshot
            | StepKind::RemoveFiles => Self::Drop,
            StepKind::WaitReleased
            | StepKind::WaitSynced
            | StepKind::WaitLeasesGone
            | StepKind::CheckFiles
            | StepKind::CheckStore => Self::Wait,
        }
    }

    /// The character.
    pub const fn character(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Change => "~",
            Self::Copy => "»",
            Self::Drop => "-",
            Self::Wait => "…",
        }
    }
}

/// The steps of one flow, or of the ledger.
#[derive(Debug)]
pub struct Group<'a> {
    /// The flow; `None` for the ledger.
    pub flow: Option<&'a FlowId>,
    /// Whether the work merely fell due.
    pub due: bool,
    /// Its steps in order.
    pub steps: Vec<&'a Step>,
}

impl<'a> Group<'a> {
    /// The groups of a plan in the order in which they begin, what fell due at the end.
    pub fn of(plan: &'a Plan) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        let mut places = BTreeMap::new();
        for step in &plan.steps {
            let flow = step.flow.as_ref();
            let place = *places.entry(flow).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.steps.push(step),
                None => groups.push(Self { flow, due: false, steps: vec![step] }),
            }
        }
        let due = |due: &'a DueFlow| Self { flow: Some(&due.flow), due: true, steps: due.steps.iter().collect() };
        groups.extend(plan.due.iter().map(due));
        groups
    }

    /// `orders-live`, or `ledger`.
    pub fn title(&self) -> String {
        self.flow.map_or_else(|| "ledger".to_owned(), ToString::to_string)
    }

    /// The place that all steps share.
    pub fn place(&self) -> Option<&'a Place> {
        let first = self.steps.first()?.at.as_ref();
        first.filter(|_| self.steps.iter().all(|step| step.at.as_ref() == first))
    }

    /// `shop → analytics`, where the plan's records tell.
    pub fn ends(&self, plan: &Plan) -> Option<String> {
        let record = plan.all_records().find(|record| Some(&record.flow) == self.flow)?;
        let (from, to) = (record.row.from.to_string(), record.row.to.to_string());
        let (from, to) = match &record.row.end {
            None => (from, to),
            Some(StoreEnd::From(store)) => (format!("store {store}"), to),
            Some(StoreEnd::To(store)) => (from, format!("store {store}")),
        };
        Some(format!("{from} → {to}"))
    }
}

/// The object of a step: `publication shop.transship__shop_sync__orders`.
pub fn object(step: &Step) -> String {
    let cluster = &step.cluster;
    let names = identifiers(step.sql.first().map_or("", String::as_str));
    let name = names.first().map_or("?", String::as_str);
    match step.kind {
        StepKind::CreateLedger => format!("ledger on {cluster}"),
        StepKind::RecordFlow => format!("ledger row on {cluster}"),
        StepKind::CreatePublication
        | StepKind::PublishTables
        | StepKind::UnpublishTables
        | StepKind::DropPublication => format!("publication {cluster}.{name}"),
        StepKind::CreateSubscription | StepKind::DropSubscription => format!("subscription {cluster}.{name}"),
        StepKind::DropTable => format!("table {cluster}.{}", names.join(".")),
        StepKind::CreateRepository | StepKind::DropRepository => format!("repository {cluster}.{name}"),
        StepKind::CreateSnapshot | StepKind::DropSnapshot => snapshot(step),
        StepKind::CheckStore => checking(step),
        StepKind::RestoreTable
        | StepKind::TryRestore
        | StepKind::RestorePartition
        | StepKind::FillPartition
        | StepKind::ReplacePartition => restoring(step),
        StepKind::WaitSynced | StepKind::WaitReleased | StepKind::WaitLeasesGone => waiting(step),
        StepKind::CreateTable
        | StepKind::CopyRows
        | StepKind::ExportRows
        | StepKind::WriteFiles
        | StepKind::ImportRows
        | StepKind::RemoveFiles
        | StepKind::WriteManifest
        | StepKind::CheckFiles
        | StepKind::GrantPrivileges
        | StepKind::AlterTable
        | StepKind::RenameTable
        | StepKind::SwapTable
        | StepKind::SwitchView
        | StepKind::ReplaceByView
        | StepKind::NoteSynced
        | StepKind::TakeCopy => copying(step),
    }
}

/// The snapshot that a step makes or drops.
fn snapshot(step: &Step) -> String {
    let names = identifiers(step.sql.first().map_or("", String::as_str));
    let full = names.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(".");
    match &step.action {
        Some(Action::CreateSnapshot(made)) => {
            format!("snapshot {}.{full} of {}", step.cluster, tables_of(&made.tables))
        }
        _ => format!("snapshot {}.{full}", step.cluster),
    }
}

/// The store that two clusters have to see alike.
fn checking(step: &Step) -> String {
    match &step.action {
        Some(Action::CheckStore(check)) => {
            format!("store {}: {} sees what {} writes there", check.store, step.cluster, check.writer)
        }
        _ => format!("{} on {}", step.kind, step.cluster),
    }
}

/// The table that a step restores; what is named is what readers know, the copy's own name stands in the SQL.
fn restoring(step: &Step) -> String {
    match &step.action {
        Some(Action::RestoreTable(restored)) if step.kind == StepKind::TryRestore => format!(
            "{} of table {} of snapshot {} into a copy aside on {}, which is dropped again",
            partitions(&restored.partitions),
            restored.from,
            restored.snapshot,
            step.cluster
        ),
        Some(Action::FillPartition(filled)) => format!(
            "{} of {}.{}: from the copy aside{}",
            partitions(std::slice::from_ref(&filled.partition)),
            step.cluster,
            filled.rows.into,
            if filled.replaces.is_some() { ", after it was deleted with its rows" } else { "" }
        ),
        Some(Action::RestorePartition(restored)) => format!(
            "{} of {}.{}: restored from snapshot {}{}",
            partitions(std::slice::from_ref(&restored.partition)),
            step.cluster,
            restored.table,
            restored.snapshot,
            if restored.replaces.is_some() { ", after it was deleted with its rows" } else { "" }
        ),
        Some(Action::RestoreTable(restored)) => {
            format!("table {} of snapshot {} into a copy aside on {}", restored.from, restored.snapshot, step.cluster)
        }
        _ => format!("{} on {}", step.kind, step.cluster),
    }
}

/// `partition (month = 3)`, `2 partitions`.
fn partitions(partitions: &[PlannedPartition]) -> String {
    let value = |it: &PartitionValue| format!("{} = {}", it.column, it.value.as_deref().unwrap_or("NULL"));
    match partitions {
        [one] => format!("partition ({})", one.values.iter().map(value).collect::<Vec<_>>().join(", ")),
        several => format!("{} partitions", several.len()),
    }
}

/// Where rows go.
fn into(step: &Step, table: &TableName) -> String {
    if table.is_aside() { " into a copy aside".to_owned() } else { format!(" into {}.{table}", step.cluster) }
}

/// The object of a step about a copy; what is named is what readers know, the copy's own name stands in the SQL.
fn copying(step: &Step) -> String {
    let cluster = &step.cluster;
    if let Some(Action::CopyRows(rows)) = &step.action {
        return format!("rows of {}.{}{}", rows.source, rows.from, into(step, &rows.into));
    }
    match &step.action {
        Some(Action::ExportRows(rows)) => {
            return format!("rows of {cluster}.{} to store {}: {}", rows.from, rows.store, rows.path);
        }
        Some(Action::WriteFiles(rows)) => {
            let (from, store, path) = (&rows.from, &rows.store, &rows.path);
            return format!("rows of {cluster}.{from} to store {store}, written by this machine: {path}");
        }
        Some(Action::ImportRows(rows)) => {
            return format!(
                "rows of {}{}{} from store {}",
                rows.source.as_ref().map(|source| format!("{source}.")).unwrap_or_default(),
                rows.from,
                into(step, &rows.into),
                rows.store
            );
        }
        Some(Action::WriteManifest(manifest)) => {
            let tables = counted(manifest.done.len(), "table");
            return format!("manifest of {tables} in store {}: {}", manifest.store, manifest.path);
        }
        Some(Action::CheckFiles(check)) => {
            let files = check.tables.iter().map(|table| table.files.len()).sum();
            return format!("{} in store {}: compared with the manifest", counted(files, "file"), check.store);
        }
        Some(Action::RemoveFiles(files)) => {
            return format!("files of {}", counted(files.exports.len(), "earlier export"));
        }
        _ => {}
    }
    match &step.action {
        Some(Action::NoteSynced(synced)) => {
            let tables: Vec<TableName> = synced.tables.iter().map(|table| table.note.from.clone()).collect();
            return format!("ledger row on {cluster}: in sync with {}: {}", synced.source, tables_of(&tables));
        }
        Some(Action::TakeCopy(take)) if take.arrived == take.copy => return format!("table {cluster}.{}", take.copy),
        Some(Action::TakeCopy(take)) => return format!("table {cluster}.{} becomes a copy aside", take.arrived),
        _ => {}
    }
    if let (StepKind::ReplaceByView, Some(Action::PutInPlace(put))) = (step.kind, &step.action) {
        return format!("table {cluster}.{}: becomes a view over the copy", put.table);
    }
    match step.sql.first().and_then(|sql| Statement::read(sql)) {
        Some(Statement::CreateTable { table, .. }) => format!("table {cluster}.{table}"),
        Some(Statement::RenameTable { table, to }) => {
            format!("table {cluster}.{} from the copy", TableName::new(table.schema, to))
        }
        Some(Statement::SetSettings { table, settings }) => {
            let names: Vec<&str> = settings.keys().map(String::as_str).collect();
            let what = if table.is_aside() { "the copy aside".to_owned() } else { format!("table {cluster}.{table}") };
            format!("{} of {what}", names.join(", "))
        }
        Some(Statement::SwapTable { table, .. }) => format!("table {cluster}.{table}: replaced by the copy (swap)"),
        Some(Statement::SwitchView { view, .. }) => format!("view {cluster}.{view}: reads from the copy"),
        Some(Statement::Grant(grant)) => {
            let privileges = counted(step.sql.len(), "privilege");
            format!("{privileges} on {cluster}.{}", grant.on)
        }
        _ => format!("{} on {cluster}", step.kind),
    }
}

fn waiting(step: &Step) -> String {
    let cluster = &step.cluster;
    match &step.action {
        Some(Action::WaitSynced(wait)) => {
            let verb = if wait.tables.len() == 1 { "has" } else { "have" };
            format!("wait until {} on {cluster} {verb} what {} has now", tables_of(&wait.tables), wait.source)
        }
        Some(Action::WaitReleased(wait)) => {
            format!("wait until {cluster} no longer follows {}", tables_of(&wait.tables))
        }
        Some(Action::WaitLeasesGone(wait)) => {
            let tables = tables_of(&wait.tables);
            let subscriber = &wait.subscriber;
            format!(
                "wait until {cluster} has released its retention leases for {tables} (subscriber cluster `{subscriber}`)"
            )
        }
        Some(
            Action::Record
            | Action::ChangeTables(_)
            | Action::DropTable(_)
            | Action::CopyRows(_)
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
            | Action::TakeCopy(_),
        )
        | None => {
            format!("{} on {cluster}", step.kind)
        }
    }
}

fn tables_of(tables: &[TableName]) -> String {
    match tables {
        [table] => table.to_string(),
        _ => counted(tables.len(), "table"),
    }
}

/// How long a wait may take.
pub fn timeout(step: &Step) -> Option<transship_model::TimeSpan> {
    match step.action.as_ref()? {
        Action::WaitSynced(wait) => Some(wait.timeout),
        Action::WaitReleased(wait) => Some(wait.timeout),
        Action::WaitLeasesGone(wait) => Some(wait.timeout),
        Action::CopyRows(rows) => Some(rows.timeout),
        Action::CreateSnapshot(snapshot) => Some(snapshot.timeout),
        Action::RestoreTable(restore) => Some(restore.timeout),
        Action::RestorePartition(restore) => Some(restore.timeout),
        Action::FillPartition(filled) => Some(filled.rows.timeout),
        Action::ExportRows(rows) => Some(rows.timeout),
        Action::ImportRows(rows) => Some(rows.timeout),
        Action::WriteManifest(manifest) => Some(manifest.timeout),
        Action::CheckFiles(check) => Some(check.timeout),
        Action::Record
        | Action::ChangeTables(_)
        | Action::DropTable(_)
        | Action::PutInPlace(_)
        | Action::WriteFiles(_)
        | Action::RemoveFiles(_)
        | Action::CheckStore(_)
        | Action::NoteSynced(_)
        | Action::TakeCopy(_) => None,
    }
}

/// `about 1.2 M rows`, `3.4 GiB`, as far as it is known; empty where nothing moves.
pub fn moves(step: &Step) -> Vec<String> {
    let Some(estimate) = step.estimate else { return Vec::new() };
    let rows = estimate.rows.filter(|rows| *rows > 0).map(|rows| match rows {
        1 => "about 1 row".to_owned(),
        _ => format!("about {} rows", short(rows, 1000, ["", " k", " M", " G"])),
    });
    let bytes = estimate.bytes.filter(|_| rows.is_some());
    let bytes = bytes.map(|bytes| short(bytes, 1024, [" B", " KiB", " MiB", " GiB"]));
    rows.into_iter().chain(bytes).collect()
}

/// A number with one decimal in the largest unit that it fills.
fn short(number: u64, step: u64, units: [&str; 4]) -> String {
    let (mut scale, mut unit) = (1, 0);
    while number / scale >= step && unit + 1 < units.len() {
        (scale, unit) = (scale * step, unit + 1);
    }
    let (whole, tenth) = (number / scale, number % scale * 10 / scale);
    if unit == 0 || whole >= 100 || tenth == 0 {
        format!("{whole}{}", units[unit])
    } else {
        format!("{whole}.{tenth}{}", units[unit])
    }
}

/// The statements that a wait sends, each with its cluster and when it is sent.
pub fn waits(step: &Step) -> Vec<(String, &str)> {
    let here = &step.cluster;
    match step.action.as_ref() {
        Some(Action::WaitSynced(wait)) => vec![
            (format!("once, on {}", wait.source), wait.mark.as_str()),
            (format!("until done, on {here}"), wait.states.as_str()),
            (format!("until done, on {here}"), wait.reached.as_str()),
            (format!("at the end, on {here}"), wait.refresh.as_str()),
        ],
        Some(Action::WaitReleased(wait)) => vec![(format!("until done, on {here}"), wait.states.as_str())],
        Some(Action::WaitLeasesGone(wait)) => vec![(format!("until done, on {here}"), wait.leases.as_str())],
        Some(Action::CopyRows(rows)) => {
            let mut sent = vec![
                (format!("first, on {}", rows.source), rows.mark.as_str()),
                (format!("then, on {}", rows.source), rows.refresh_source.as_str()),
                (format!("read from {}", rows.source), rows.select.as_str()),
                (format!("for each row, on {here}"), rows.insert.as_str()),
                (format!("at the end, on {here}"), rows.refresh.as_str()),
            ];
            sent.extend(
                rows.count.iter().map(|count| (format!("must give as many as were read, on {here}"), count.as_str())),
            );
            sent
        }
        Some(Action::ExportRows(rows)) => {
            let mut sent = Vec::new();
            if let Some(directory) = &rows.directory {
                sent.push((format!("before, on {here}"), directory.create.as_str()));
                sent.push((format!("before, on {here}"), directory.drop.as_str()));
            }
            sent.extend([
                (format!("before, on {here}"), rows.mark.as_str()),
                (format!("before, on {here}"), rows.refresh.as_str()),
                (format!("before, on {here}"), rows.count.as_str()),
            ]);
            sent
        }
        Some(Action::WriteFiles(rows)) => vec![
            (format!("before, on {here}"), rows.mark.as_str()),
            (format!("before, on {here}"), rows.refresh.as_str()),
        ],
        Some(Action::ImportRows(rows)) => {
            let mut sent: Vec<_> = rows
                .rest
                .iter()
                .map(|rest| (format!("for rows that CSV cannot hold, on {here}"), rest.as_str()))
                .collect();
            sent.push((format!("at the end, on {here}"), rows.refresh.as_str()));
            sent.extend(
                rows.count.iter().map(|count| (format!("must give as many as were read, on {here}"), count.as_str())),
            );
            sent
        }
        Some(Action::PutInPlace(put)) => {
            let mut sent = vec![(format!("before, on {here}"), put.count_copy.as_str())];
            sent.extend(put.count_table.iter().map(|count| (format!("before, on {here}"), count.as_str())));
            sent
        }
        Some(Action::CheckStore(check)) => {
            let there = &check.writer;
            vec![
                (format!("first, on {there}"), check.create_writer.as_str()),
                (format!("then, on {there}"), check.create_table.as_str()),
                (format!("then, on {there}"), check.create_marker.as_str()),
                (format!("then, on {here}"), check.create_reader.as_str()),
                (format!("must find it, on {there} and on {here}"), check.look.as_str()),
                (format!("at the end, on {there}"), check.drop_marker.as_str()),
                (format!("at the end, on {here} and on {there}"), check.drop_repository.as_str()),
            ]
        }
        Some(Action::CreateSnapshot(made)) => {
            let mut sent = vec![
                (format!("before and after, on {here}"), made.mark.as_str()),
                (format!("before, on {here}"), made.refresh.as_str()),
            ];
            sent.extend(made.counts.iter().map(|count| (format!("before, on {here}"), count.as_str())));
            let each = made.partitions.iter();
            sent.extend(each.map(|it| (format!("before, on {here}"), it.count.as_str())));
            sent.push((format!("until done, on {here}"), made.look.as_str()));
            sent
        }
        Some(Action::RestoreTable(restored)) => vec![
            (format!("until done, on {here}"), restored.running.as_str()),
            (format!("until done, on {here}"), restored.missing.as_str()),
            (format!("at the end, on {here}"), restored.refresh.as_str()),
            (format!("must have what the source had, on {here}"), restored.reached.as_str()),
            (format!("must have what the source had, on {here}"), restored.count.as_str()),
        ],
        Some(Action::FillPartition(filled)) => {
            let rows = &filled.rows;
            let mut sent = vec![
                (format!("before, on {here}"), filled.expected.as_str()),
                (format!("reads the copy, on {here}"), rows.select.as_str()),
                (format!("writes each row, on {here}"), rows.insert.as_str()),
                (format!("at the end, on {here}"), rows.refresh.as_str()),
                (format!("must give as many, on {here}"), filled.count.as_str()),
            ];
            sent.extend(filled.clear.iter().map(|clear| (format!("at the end, on {here}"), clear.as_str())));
            sent
        }
        Some(Action::RestorePartition(restored)) => {
            let mut sent = vec![
                (format!("until done, on {here}"), restored.running.as_str()),
                (format!("until done, on {here}"), restored.missing.as_str()),
                (format!("at the end, on {here}"), restored.refresh.as_str()),
                (format!("must have what the source had, on {here}"), restored.reached.as_str()),
                (format!("must have what the source had, on {here}"), restored.count.as_str()),
            ];
            if restored.replaces.is_some() {
                sent.insert(0, (format!("before, on {here}"), restored.refresh.as_str()));
                sent.insert(1, (format!("before, on {here}"), restored.count.as_str()));
            }
            sent
        }
        Some(Action::NoteSynced(synced)) => {
            let there = &synced.source;
            let mut sent = vec![
                (format!("before and after, on {here}"), synced.states.as_str()),
                (format!("before and after, on {there}; before, on {here}"), synced.mark.as_str()),
                (format!("first, on {there} and on {here}"), synced.refresh.as_str()),
            ];
            let counts = synced.tables.iter().map(|table| table.count.as_str());
            sent.extend(counts.map(|count| (format!("on {there} and on {here}"), count)));
            sent
        }
        Some(Action::TakeCopy(take)) => vec![
            (format!("then, on {here}"), take.refresh.as_str()),
            (format!("then, on {here}"), take.reached.as_str()),
            (format!("then, on {here}"), take.count.as_str()),
        ],
        Some(
            Action::Record
            | Action::ChangeTables(_)
            | Action::DropTable(_)
            | Action::RemoveFiles(_)
            | Action::WriteManifest(_)
            | Action::CheckFiles(_),
        )
        | None => Vec::new(),
    }
}

/// The tables of a publication before and after a step, where the step changes them.
pub fn table_sets(step: &Step) -> Option<(BTreeSet<String>, BTreeSet<String>)> {
    let Some(Action::ChangeTables(change)) = &step.action else { return None };
    let texts = |tables: &BTreeSet<TableName>| tables.iter().map(ToString::to_string).collect();
    Some((texts(&change.before), texts(&change.after)))
}

/// The quoted identifiers of a statement, unquoted, in order.
fn identifiers(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = sql;
    while let Some(start) = rest.find('"') {
        let mut name = String::new();
        rest = &rest[start + 1..];
        while let Some(end) = rest.find('"') {
            name.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            let Some(after) = rest.strip_prefix('"') else { break };
            name.push('"');
            rest = after;
        }
        found.push(name);
    }
    found
}

/// How many steps of each sort, and what stands against them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `+`
    pub create: usize,
    /// `~`
    pub change: usize,
    /// `»`
    pub copy: usize,
    /// `-`
    pub drop: usize,
    /// `…`
    pub wait: usize,
    /// Flows that fell due.
    pub due: usize,
    /// Steps that drop something or overwrite what was there.
    pub destructive: usize,
    /// Reasons that forbid applying.
    pub blocked: usize,
    /// Flows that could not be judged.
    pub unseen: usize,
}

impl Counts {
    /// Counts a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut counts = Self {
            due: plan.due.len(),
            destructive: plan.destructive().count(),
            blocked: plan.all_blocked().count(),
            unseen: plan.unseen.iter().map(|note| &note.flow).collect::<BTreeSet<_>>().len(),
            ..Self::default()
        };
        for step in plan.all_steps() {
            match Sign::of(step.kind) {
                Sign::Create => counts.create += 1,
                Sign::Change => counts.change += 1,
                Sign::Copy => counts.copy += 1,
                Sign::Drop => counts.drop += 1,
                Sign::Wait => counts.wait += 1,
            }
        }
        counts
    }

    /// `2 to create, 1 to change (1 flow due)`: what is done, without what stands against it; empty when nothing is done.
    pub fn work(&self) -> String {
        let parts = [
            (self.create, "to create"),
            (self.change, "to change"),
            (self.copy, "to copy"),
            (self.drop, "to drop"),
            (self.wait, "to wait for"),
        ];
        let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let due = (self.due > 0).then(|| format!(" ({} due)", counted(self.due, "flow")));
        format!("{}{}", parts.join(", "), due.unwrap_or_default())
    }

    /// The remarks that follow the work, each with whether it is alarming.
    pub fn remarks(&self) -> Vec<String> {
        let parts = [
            (self.destructive, format!("{} destructive", self.destructive)),
            (self.blocked, format!("{} blocked", self.blocked)),
            (self.unseen, format!("{} not judged", counted(self.unseen, "flow"))),
        ];
        parts.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text).collect()
    }
}

/// `01` of `orders-live/01-create-publication`; the whole id where it is of another form.
pub fn number(step: &Step) -> &str {
    let last = step.id.0.rsplit('/').next().unwrap_or(&step.id.0);
    match last.split_once('-') {
        Some((number, _)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => number,
        _ => last,
    }
}

/// A step as a line to compare: `orders-live/01 + publication shop.p`.
pub fn step_line(step: &Step) -> String {
    let group = step.flow.as_ref().map_or_else(|| "ledger".to_owned(), ToString::to_string);
    format!("{group}/{} {} {}", number(step), Sign::of(step.kind).character(), object(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, rows, bytes) in [
            (0, "0", "0 B"),
            (999, "999", "999 B"),
            (1_234_567, "1.2 M", "1.1 MiB"),
            (850_000, "850 k", "830 KiB"),
            (4_096, "4 k", "4 KiB"),
        ] {
            assert_eq!(short(number, 1000, ["", " k", " M", " G"]), rows);
            assert_eq!(short(number, 1024, [" B", " KiB", " MiB", " GiB"]), bytes);
        }
    }

    #[test]
    fn names_are_read_back_from_statements() {
        let sql = r#"ALTER PUBLICATION "p" ADD TABLE "shop"."orders", "shop"."a""b""#;
        assert_eq!(identifiers(sql), ["p", "shop", "orders", "shop", "a\"b"]);
        assert_eq!(identifiers("REFRESH"), Vec::<String>::new());
        assert_eq!(identifiers("\"open"), [""]);
    }
}
