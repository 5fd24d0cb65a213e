//! What a step is about, in a few words: `publication shop.transship__shop_sync__orders`, what is copied from where to where.

use transship_model::TableName;
use transship_model::plan::{Action, ForeignObject, PartitionValue, PlannedPartition, Step, StepKind};
use transship_sql::statement::Statement;

use super::style::counted;

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
        StepKind::WaitSynced | StepKind::WaitReleased | StepKind::WaitLeasesGone | StepKind::WaitFlows => waiting(step),
        StepKind::CreateServer
        | StepKind::CreateUserMapping
        | StepKind::CreateForeignTable
        | StepKind::PullRows
        | StepKind::DropForeignTable
        | StepKind::DropUserMapping
        | StepKind::DropServer => foreign(step),
        StepKind::CreateTable
        | StepKind::CopyRows
        | StepKind::RunCommand
        | StepKind::MergeRows
        | StepKind::PruneRows
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
        Some(Action::RunCommand(command)) => {
            let tables: Vec<TableName> = command.tables.iter().map(|table| table.from.clone()).collect();
            let (program, source) = (command.run.join(" "), &command.source);
            let into = if tables.len() == 1 { "a copy aside" } else { "copies aside" };
            return format!("`{program}`: {} of {source} into {into} on {cluster}", tables_of(&tables));
        }
        Some(Action::MergeRows(merge)) => {
            return format!("rows of the copy aside into {cluster}.{}", merge.rows.into);
        }
        Some(Action::PruneRows(rows)) => {
            return format!("rows of {cluster}.{} whose key {}.{} no longer has", rows.into, rows.source, rows.from);
        }
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

/// What a target reads its source through, and the rows that it reads.
fn foreign(step: &Step) -> String {
    let cluster = &step.cluster;
    match &step.action {
        Some(Action::Foreign(ForeignObject::Server { server, .. })) => format!("foreign server {cluster}.{server}"),
        Some(Action::Foreign(ForeignObject::UserMapping { server, .. })) => {
            format!("user mapping of foreign server {cluster}.{server}")
        }
        Some(Action::Foreign(ForeignObject::Table { from, table, .. })) if from == table => {
            format!("foreign table {cluster}.{table}")
        }
        Some(Action::Foreign(ForeignObject::Table { from, .. })) => format!("foreign table on {cluster} over {from}"),
        Some(Action::PullRows(rows)) => {
            format!("rows of {}.{}{}, read by {cluster}", rows.source, rows.from, into(step, &rows.into))
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
        Some(Action::WaitFlows(wait)) => {
            let flows: Vec<String> = wait.flows.iter().map(|it| format!("{} (part {})", it.flow, it.part)).collect();
            format!("wait until another job has done {}", flows.join(", "))
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
            | Action::RunCommand(_)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_from_statements() {
        let sql = r#"ALTER PUBLICATION "p" ADD TABLE "shop"."orders", "shop"."a""b""#;
        assert_eq!(identifiers(sql), ["p", "shop", "orders", "shop", "a\"b"]);
        assert_eq!(identifiers("REFRESH"), Vec::<String>::new());
        assert_eq!(identifiers("\"open"), [""]);
    }
}
