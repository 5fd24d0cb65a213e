//! What forbids an export or an import, beyond what forbids every copy.

use transship_model::spec::Format;
use transship_model::store::StoreTrouble;
use transship_model::{Finding, SpecPath};
use transship_sql::copy::element;
use transship_sql::transfer;

use super::files::Files;
use super::writer::Writer;
use crate::copies::{Context, Deed, Found};
use crate::missing::Missing;

/// Everything that forbids the tables of a flow.
pub(super) fn check(files: &Files<'_>, context: &Context<'_>, found: &[Found<'_>]) -> Vec<Finding> {
    let busy: Vec<&Found<'_>> =
        found.iter().filter(|found| !matches!(found.deed, Deed::Nothing | Deed::Refuse(_) | Deed::Finish)).collect();
    let mut findings = Vec::new();
    for found in &busy {
        findings.extend(exported(files, found));
        findings.extend(imported(context, found));
    }
    let writers: Vec<Writer> = busy.iter().map(|found| Writer::of(files, found)).collect();
    if let Some(Writer::Here(why)) = writers.iter().find(|writer| writer.is_here()) {
        findings.extend(unreached(files, context, why));
    }
    if !busy.is_empty() && files.is_directory() {
        if writers.contains(&Writer::Source) {
            findings.extend(directory(context));
        }
        findings.extend(superuser(context));
    }
    findings
}

/// What forbids the export of a table.
pub(super) fn exported(files: &Files<'_>, found: &Found<'_>) -> Vec<Finding> {
    names(found).into_iter().chain(types(files, found)).collect()
}

/// What forbids the import of a table into one that is there.
pub(super) fn imported(context: &Context<'_>, found: &Found<'_>) -> Vec<Finding> {
    overwritten(context, found).into_iter().chain(partitions(context, found)).collect()
}

/// CrateDB takes the path of a file for a URI without encoding it.
fn names(found: &Found<'_>) -> Option<Finding> {
    let from = &found.wish.pair.from;
    let can = transfer::can_name_files(&from.schema) && transfer::can_name_files(&from.table);
    let message = format!("CrateDB cannot export {from}: its name does not fit into that of a file");
    let help = "rename it on the source, or use strategy `snapshot` or `custom`";
    (!can).then(|| Finding::error("plan::unfit-name", message).at(found.wish.pair.path.clone()).help(help))
}

/// What CrateDB reads from no file of CSV as it was.
fn types<'a>(files: &Files<'_>, found: &'a Found<'_>) -> impl Iterator<Item = Finding> + 'a {
    let is_csv = files.format == Format::Csv;
    let wish = &found.wish;
    wish.columns.iter().filter(move |_| is_csv).filter_map(|column| {
        let at = wish.written.iter().position(|name| *name == column.name)?;
        let shape = match element(&wish.types[at]).0 {
            "float_vector" => "is a FLOAT_VECTOR",
            "geo_shape" => "holds shapes",
            _ if column.name.contains(['\n', '\r']) => "has a line break in its name",
            _ => return None,
        };
        let message = format!("column {} of {} {shape}: CrateDB reads that from no CSV", column.name, wish.pair.from);
        let help = "use `format: json`, which keeps every value, or leave the column out by `columns`";
        Some(Finding::error("plan::export-bends", message).at(place(found, column.path.clone())).help(help))
    })
}

/// What this machine sees of a store that it has to write to; nothing where nobody has looked.
fn unreached(files: &Files<'_>, context: &Context<'_>, why: &str) -> Option<Finding> {
    let StoreTrouble { message, help, .. } = context.input.observation.stores.get(files.name)?.trouble.as_ref()?;
    let message =
        format!("transship writes files of this flow itself ({why}), and does not reach the store: {message}");
    let finding = Finding::error("plan::store-unreachable", message).at(context.instance.path.key("strategy"));
    let help = help.as_deref().map(|help| format!("{help}; or run transship where the store is reached"));
    Some(finding.help(help.unwrap_or_else(|| "run transship where the store is reached".to_owned())))
}

/// The column where the spec names it, the table otherwise.
fn place(found: &Found<'_>, column: SpecPath) -> SpecPath {
    let named = found.wish.pair.path.key("columns") != column;
    if named { column } else { found.wish.pair.path.clone() }
}

/// A row that overwrites another one replaces all of it.
fn overwritten(context: &Context<'_>, found: &Found<'_>) -> Option<Finding> {
    let there = found.there.filter(|_| found.deed == Deed::Upsert)?;
    let lost = there.columns.iter().filter(|column| !column.name.contains("['") && column.generated.is_none());
    let lost: Vec<&str> = lost
        .map(|column| column.name.as_str())
        .filter(|name| !found.wish.written.iter().any(|it| it == name))
        .collect();
    if lost.is_empty() {
        return None;
    }
    let full = format!("{}.{}", context.target_name, found.wish.pair.to);
    let message = format!("an import replaces whole rows: {full} would lose {}", lost.join(", "));
    let help = "use strategy `custom`, which overwrites the columns that it has and no others";
    Some(Finding::error("plan::overwrites-more", message).at(found.wish.pair.path.clone()).help(help))
}

/// Rows without the columns that make partitions would all go to the partition of NULL.
fn partitions(context: &Context<'_>, found: &Found<'_>) -> Option<Finding> {
    let there = found.there.filter(|_| matches!(found.deed, Deed::Append | Deed::Upsert))?;
    let is_given = |name: &String| {
        let generated = there.columns.iter().any(|column| column.name == *name && column.generated.is_some());
        generated || found.wish.written.contains(name)
    };
    let missing: Vec<&str> = there.partitioned_by.iter().filter(|name| !is_given(name)).map(String::as_str).collect();
    if missing.is_empty() {
        return None;
    }
    let full = format!("{}.{}", context.target_name, found.wish.pair.to);
    let message = format!("{full} is partitioned by {}, which the flow does not give", missing.join(", "));
    let help = "add it to `columns`: else every row would go to the partition of NULL";
    Some(Finding::error("plan::missing-column", message).at(found.wish.pair.path.clone()).help(help))
}

/// The directory of an export is made by a repository, which takes DDL.
pub(super) fn directory(context: &Context<'_>) -> Vec<Finding> {
    let mut missing = Missing::default();
    missing.for_repositories((context.source_name, context.source));
    missing.findings(&context.instance.path)
}

/// CrateDB lets only superusers read files of its nodes.
pub(super) fn superuser(context: &Context<'_>) -> Option<Finding> {
    let cluster = SpecPath::of("clusters", context.target_name);
    let (user, name) = (&context.target.user, context.target_name);
    let message = format!("`{user}` is no superuser of {name}, and CrateDB lets nobody else import from a directory");
    (context.target.superuser == Some(false)).then(|| {
        Finding::error("plan::needs-superuser", message)
            .at_key(cluster)
            .related(context.instance.path.clone(), "this flow needs it")
            .help("connect as `crate`, use an `s3` store, or strategy `snapshot`")
    })
}
