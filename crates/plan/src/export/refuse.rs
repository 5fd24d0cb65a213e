//! What forbids an export or an import, beyond what forbids every copy.

use transship_model::{Finding, SpecPath};
use transship_sql::definition::{beyond_json, is_numeric};
use transship_sql::transfer;

use super::files::Files;
use crate::copies::{Context, Deed, Found, Origin};
use crate::missing::Missing;

/// Everything that forbids the tables of a flow.
pub(super) fn check(files: &Files<'_>, context: &Context<'_>, found: &[Found<'_>]) -> Vec<Finding> {
    let busy: Vec<&Found<'_>> =
        found.iter().filter(|found| !matches!(found.deed, Deed::Nothing | Deed::Refuse(_) | Deed::Finish)).collect();
    let mut findings = Vec::new();
    for found in &busy {
        findings.extend(names(found));
        findings.extend(columns(found));
        findings.extend(types(found));
        findings.extend(overwritten(context, found));
        findings.extend(partitions(context, found));
    }
    if !busy.is_empty() && files.is_directory() {
        findings.extend(directory(context));
    }
    findings
}

/// CrateDB takes the path of a file for a URI without encoding it.
fn names(found: &Found<'_>) -> Option<Finding> {
    let from = &found.wish.pair.from;
    let can = transfer::can_name_files(&from.schema) && transfer::can_name_files(&from.table);
    let message = format!("CrateDB cannot export {from}: its name does not fit into that of a file");
    let help = "rename it on the source, or use strategy `snapshot` or `custom`";
    (!can).then(|| Finding::error("plan::unfit-name", message).at(found.wish.pair.path.clone()).help(help))
}

/// COPY TO writes columns under their own names: an expression has the name of what it is made from.
fn columns<'a>(found: &'a Found<'_>) -> impl Iterator<Item = Finding> + 'a {
    found.wish.columns.iter().filter_map(|column| {
        let what = match &column.from {
            Origin::Column(from) if *from == column.name => return None,
            Origin::Column(from) => format!("column {from} cannot become {}", column.name),
            Origin::Sql { .. } => format!("column {} cannot be computed", column.name),
        };
        let message = format!("{what}: COPY TO writes columns as they are, under their own names");
        let help = "use strategy `custom`, or a view of the target's table";
        Some(Finding::error("plan::export-computes", message).at(column.path.clone()).help(help))
    })
}

fn types<'a>(found: &'a Found<'_>) -> impl Iterator<Item = Finding> + 'a {
    let wish = &found.wish;
    wish.columns.iter().filter(|column| wish.written.contains(&column.name)).filter_map(|column| {
        let data_type = &wish.derived.definition.column(&column.name)?.data_type;
        let beyond = beyond_json(data_type).filter(|_| !is_numeric(data_type))?;
        let reason = if beyond.starts_with("BIT") {
            "CrateDB does not read it from JSON as it writes it"
        } else {
            "CrateDB reads it from JSON through a double, which keeps 15 digits"
        };
        let message = format!("column {} of {} holds {beyond}, and {reason}", column.name, wish.pair.from);
        let help = "use strategy `snapshot` or `custom`, which keep every value, or leave the column out by `columns`";
        Some(Finding::error("plan::export-bends", message).at(place(found, column.path.clone())).help(help))
    })
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

/// CrateDB lets only superusers read files of its nodes. The directory is made by a repository, which takes DDL.
fn directory(context: &Context<'_>) -> Vec<Finding> {
    let mut missing = Missing::default();
    missing.for_repositories((context.source_name, context.source));
    let mut findings = missing.findings(&context.instance.path);
    let cluster = SpecPath::of("clusters", context.target_name);
    if context.target.superuser == Some(false) {
        let (user, name) = (&context.target.user, context.target_name);
        let message =
            format!("`{user}` is no superuser of {name}, and CrateDB lets nobody else import from a directory");
        findings.push(
            Finding::error("plan::needs-superuser", message)
                .at_key(cluster)
                .related(context.instance.path.clone(), "this flow needs it")
                .help("connect as `crate`, use an `s3` store, or strategy `snapshot`"),
        );
    }
    findings
}
