//! Which tables a flow means: patterns resolved against what is on the source, once, and frozen in the plan.

use std::collections::{BTreeMap, BTreeSet};

use similar::get_close_matches;
use transship_model::observed::{Observed, TableKind};
use transship_model::spec::{Instance, TableEntry};
use transship_model::{Finding, Glob, SpecPath, TableName};

/// The tables that a flow reads, each with the place in the spec that names it.
pub(crate) type Chosen = BTreeMap<TableName, SpecPath>;

/// Resolves the flow's table entries against the source; an entry that matches nothing is an error.
pub(crate) fn choose(instance: &Instance<'_>, source: &Observed) -> Result<Chosen, Vec<Finding>> {
    let mut chosen = Chosen::new();
    let mut findings = Vec::new();
    for (index, entry) in instance.flow.tables.iter().enumerate() {
        let path = instance.path.key("tables").item(index);
        match matching(entry, source, &instance.flow.exclude) {
            Ok(names) if names.is_empty() => findings.push(nothing_matches(entry.from(), source, path)),
            Ok(names) => chosen.extend(names.into_iter().map(|name| (name, path.clone()))),
            Err(finding) => findings.push(finding.at(path)),
        }
    }
    if findings.is_empty() { Ok(chosen) } else { Err(findings) }
}

fn matching(entry: &TableEntry, source: &Observed, exclude: &[Glob]) -> Result<BTreeSet<TableName>, Finding> {
    let glob = entry.from();
    if glob.is_literal() {
        return literal(glob, source);
    }
    let wanted = |name: &TableName| {
        let text = name.to_string();
        glob.matches(&text) && !name.is_reserved() && !exclude.iter().any(|glob| glob.matches(&text))
    };
    let tables =
        source.tables.iter().filter(|(name, table)| table.kind == TableKind::Table && table.visible && wanted(name));
    Ok(tables.map(|(name, _)| name.clone()).collect())
}

fn literal(glob: &Glob, source: &Observed) -> Result<BTreeSet<TableName>, Finding> {
    let Ok(name) = glob.0.parse::<TableName>() else {
        return Ok(BTreeSet::new());
    };
    match source.tables.get(&name) {
        None => Ok(BTreeSet::new()),
        Some(table) if !table.visible => Err(Finding::error(
            "plan::no-privilege",
            format!("table {name} exists, but `{}` has no privilege on it", source.user),
        )
        .help(format!("as a superuser of that cluster: GRANT DQL, DML, DDL ON TABLE {name} TO \"{}\"", source.user))),
        Some(table) if table.kind != TableKind::Table => Err(Finding::error(
            "plan::not-a-table",
            format!("{name} is a {}, and only tables can flow", word(table.kind)),
        )),
        Some(_) => Ok(BTreeSet::from([name])),
    }
}

fn nothing_matches(glob: &Glob, source: &Observed, path: SpecPath) -> Finding {
    let names: Vec<String> = source.tables.keys().map(TableName::to_string).collect();
    let candidates: Vec<&str> = names.iter().map(String::as_str).collect();
    let (code, message) = if glob.is_literal() {
        ("plan::no-such-table", format!("there is no table {glob} on the source"))
    } else {
        ("plan::no-match", format!("no table on the source matches {glob}"))
    };
    let seen = format!("`{}` sees {} tables there", source.user, names.len());
    let help = match get_close_matches(glob.0.as_str(), &candidates, 1, 0.7).first() {
        Some(close) => format!("did you mean {close}? {seen}"),
        None => format!("{seen}; a table without any privilege for it is invisible"),
    };
    Finding::error(code, message).at(path).help(help)
}

const fn word(kind: TableKind) -> &'static str {
    match kind {
        TableKind::Table => "table",
        TableKind::View => "view",
        TableKind::Foreign => "foreign table",
        TableKind::Blob => "blob table",
    }
}
