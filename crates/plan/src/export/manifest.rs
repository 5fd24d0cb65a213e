//! What a plan knows of the manifest of an export before it has run, and what a manifest says of tables that are to be
//! imported.

use transship_model::manifest::{Exported, MANIFEST_FORMAT, Manifest, ManifestTable};
use transship_model::observed::{Column, Observed, Shard, Table, TableKind};
use transship_model::spec::ExportImport;
use transship_sql::definition::{Definition, DefinitionError, beyond_json, is_numeric};

use super::files::Files;
use super::writer::Writer;
use crate::copies::{Carried, Context, Found, Origin, filter, sensitive};
use crate::digest;

/// The manifest of an export, but for what its run finds: rows, files, the run and the time.
pub(super) fn planned(
    context: &Context<'_>,
    settings: &ExportImport,
    (files, found): (&Files<'_>, &[Found<'_>]),
    number: u32,
) -> Manifest {
    let spec = &context.input.spec;
    let exported = Exported {
        tool_version: context.input.tool_version.clone(),
        workspace: spec.workspace.clone(),
        environment: spec.environment.clone(),
        flow: context.instance.id.clone(),
        number,
        cluster: context.source_name.clone(),
        cluster_id: context.source.id.clone(),
        cluster_version: context.source.version,
        run: None,
        written: None,
    };
    Manifest {
        format_version: MANIFEST_FORMAT,
        exported: Some(exported),
        format: settings.format,
        compression: settings.compression,
        tables: found.iter().map(|found| table(files, found)).collect(),
    }
}

fn table(files: &Files<'_>, found: &Found<'_>) -> ManifestTable {
    let wish = &found.wish;
    let definition = &wish.derived.definition;
    // What transship writes has every NUMERIC as a text, what CrateDB writes those that JSON would bend.
    let is_here = Writer::of(files, found).is_here();
    let is_text = |data_type: &str| beyond_json(data_type).is_some() || is_here && is_numeric(data_type);
    let as_text = |name: &&String| definition.column(name).is_some_and(|it| is_text(&it.data_type));
    ManifestTable {
        table: wish.pair.to.clone(),
        definition: definition.create_table(&wish.pair.to),
        columns: columns(found),
        as_text: wish.written.iter().filter(as_text).cloned().collect(),
        primary_key: definition.primary_key(),
        partitioned_by: definition.partitioned_by.clone(),
        clustered_by: definition.clustered_by.clone(),
        filter: filter(wish.pair.entry).map(str::to_owned),
        sensitive: sensitive::declared(wish.pair.entry).to_vec(),
        rows: 0,
        files: Vec::new(),
    }
}

/// The columns of the table, under their own names: as the source has them, or as it computes them. A generated one that
/// is written like any other is one.
fn columns(found: &Found<'_>) -> Vec<Column> {
    let wish = &found.wish;
    let of = |carried: &Carried| match &carried.from {
        Origin::Column(from) => {
            let kept = wish.source.columns.iter().filter_map(|column| {
                let rest =
                    column.name.strip_prefix(from.as_str()).filter(|rest| rest.is_empty() || rest.starts_with("['"))?;
                let generated = column.generated.clone().filter(|_| !wish.written.contains(&carried.name));
                Some(Column { name: format!("{}{rest}", carried.name), generated, ..column.clone() })
            });
            kept.collect()
        }
        Origin::Sql { .. } | Origin::Const(_) | Origin::Expr(_) => {
            computed(found, &carried.name).into_iter().collect::<Vec<Column>>()
        }
    };
    wish.columns.iter().flat_map(of).collect()
}

fn computed(found: &Found<'_>, name: &str) -> Option<Column> {
    let at = found.wish.written.iter().position(|written| written == name)?;
    let nullable = found.wish.derived.definition.column(name).is_some_and(|column| !column.not_null);
    let (name, data_type) = (name.to_owned(), found.wish.types.get(at)?.clone());
    Some(Column { name, data_type, nullable, generated: None, default: None })
}

/// The tables of a manifest as a source of copies. Each has one shard, whose identity is what the manifest says of it:
/// another export is another one.
pub(super) fn source(id: String, manifest: &Manifest, target: &Observed) -> Observed {
    let tables = manifest.tables.iter().map(|table| (table.table.clone(), seen(table)));
    Observed {
        id,
        cluster_name: String::new(),
        version: target.version,
        newest_version: target.newest_version,
        user: target.user.clone(),
        superuser: None,
        users: None,
        privileges: None,
        now: target.now,
        tables: tables.collect(),
        publications: std::collections::BTreeMap::new(),
        subscriptions: std::collections::BTreeMap::new(),
        repositories: std::collections::BTreeMap::new(),
        servers: std::collections::BTreeMap::new(),
        ledger: transship_model::ledger::LedgerView::Absent,
        described: std::collections::BTreeMap::new(),
        unseen: Vec::new(),
    }
}

/// What tells one export of a table from another.
pub(super) fn mark(table: &ManifestTable) -> String {
    digest::of(table)
}

/// The definition of a table, be it as SHOW CREATE TABLE prints it or as transship writes it.
pub(super) fn definition(table: &ManifestTable) -> Result<Definition, DefinitionError> {
    let created = Definition::read_created(&table.definition).map(|(_, definition)| definition);
    created.or_else(|_| Definition::read(&table.definition))
}

/// The same as SHOW CREATE TABLE would print it; what cannot be read stays as it is, and is refused.
fn shown(table: &ManifestTable) -> String {
    let create = |definition: Definition| definition.create_table(&table.table);
    let text = definition(table).map_or_else(|_| table.definition.clone(), create);
    text.replacen("CREATE TABLE \"", "CREATE TABLE IF NOT EXISTS \"", 1)
}

fn seen(table: &ManifestTable) -> Table {
    let bytes: u64 = table.files.iter().map(|file| file.size).sum();
    let shard = Shard {
        partition: String::new(),
        id: 0,
        uuid: Some(mark(table)),
        max_seq_no: Some(0),
        global_checkpoint: Some(0),
        docs: i64::try_from(table.rows).unwrap_or(i64::MAX),
        bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        stalled: false,
        leases: Vec::new(),
    };
    Table {
        kind: TableKind::Table,
        columns: table.columns.clone(),
        primary_key: table.primary_key.clone(),
        partitioned_by: table.partitioned_by.clone(),
        clustered_by: table.clustered_by.clone(),
        shards: None,
        replicas: None,
        column_policy: None,
        created: None,
        closed: false,
        primaries: vec![shard],
        health: None,
        definition: Some(shown(table)),
        writable: None,
        visible: true,
    }
}
