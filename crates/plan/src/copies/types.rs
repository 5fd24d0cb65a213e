//! Types of columns that are there already: a value that is written must be the one that was read.

use transship_model::observed::Table;
use transship_model::spec::TableEntry;
use transship_model::{Finding, SpecPath};
use transship_sql::definition::{Definition, holds, holds_undeclared};
use transship_sql::ident::ident;

use super::assess::{Deed, Found};
use super::columns::Origin;
use super::context::Context;
use crate::privileges::{self, On};

/// Refuses columns whose type does not hold what is read, which CrateDB would bend without a word.
pub(super) fn check(context: &Context<'_>, found: &Found<'_>) -> Vec<Finding> {
    // A closed table is refused as such, and its definition cannot be read.
    let writes = matches!(found.deed, Deed::Append | Deed::Upsert | Deed::Restore) && !found.wish.written.is_empty();
    let there = found.there.filter(|there| writes && !there.closed);
    let Some(there) = there else { return Vec::new() };
    match definition(there) {
        Ok(definition) => other_types(context, found, &definition),
        // A missing privilege is told as such.
        Err(_) if lacks_privilege(context, found) => Vec::new(),
        Err(why) => {
            let message = format!("the types of {}.{} are not known: {why}", context.target_name, found.wish.pair.to);
            let help = "plan against the clusters, or take the observation again with --save-observed";
            vec![Finding::error("plan::not-defined", message).at(found.wish.pair.path.clone()).help(help)]
        }
    }
}

fn definition(there: &Table) -> Result<Definition, String> {
    let text = there.definition.as_deref().ok_or("its definition was not read")?;
    Definition::read(text).map_err(|error| error.to_string())
}

fn lacks_privilege(context: &Context<'_>, found: &Found<'_>) -> bool {
    let on = On::Table(&found.wish.pair.to);
    privileges::holds(context.target, &context.target.user, "DQL", on) == Some(false)
}

fn other_types(context: &Context<'_>, found: &Found<'_>, there: &Definition) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in &found.wish.written {
        let Some(read) = found.wish.derived.definition.column(name) else { continue };
        if found.added.iter().any(|column| column.name == *name) {
            continue;
        }
        let Some(has) = there.column(name) else {
            findings.extend(undeclared(context, found, name, &read.data_type));
            continue;
        };
        if holds(&has.data_type, &read.data_type) {
            continue;
        }
        let full = format!("{}.{}", context.target_name, found.wish.pair.to);
        let (from, to) = (on_one_line(&read.data_type), on_one_line(&has.data_type));
        let message = format!("column {name} of {full} is {to}, and does not hold every value of {from} exactly");
        let finding = Finding::error("plan::other-type", message).at(path(found, name));
        findings.push(finding.help(help(found, name, &to)));
    }
    findings
}

/// A column that a dynamic table is to get from its rows, in a type of the server's choice.
fn undeclared(context: &Context<'_>, found: &Found<'_>, name: &str, read: &str) -> Option<Finding> {
    let is_dynamic = found.there.is_some_and(|there| there.column_policy.as_deref() == Some("dynamic"));
    if !is_dynamic || holds_undeclared(read) {
        return None;
    }
    let (cluster, to, read) = (context.target_name, &found.wish.pair.to, on_one_line(read));
    let message = format!("{cluster}.{to} has no column {name}, and would get one from its rows that is no {read}");
    let finding = Finding::error("plan::other-type", message).at(path(found, name));
    Some(finding.help(format!("on {cluster}: ALTER TABLE … ADD COLUMN {} {read}, or leave it out", ident(name))))
}

fn help(found: &Found<'_>, name: &str, to: &str) -> String {
    let carried = found.wish.columns.iter().find(|column| column.name == name);
    let sql = match carried.map(|column| &column.from) {
        Some(Origin::Column(from)) => from,
        Some(Origin::Sql { sql, .. }) => sql,
        Some(Origin::Const(_) | Origin::Expr(_)) | None => name,
    };
    format!(
        "say how it is to be converted: `columns: {{ {name}: {{ sql: {sql:?}, cast: {to:?} }} }}`; or change the column, or leave it out"
    )
}

/// The place of the column where the spec names it, of the table otherwise.
fn path(found: &Found<'_>, name: &str) -> SpecPath {
    let named = matches!(found.wish.pair.entry, TableEntry::Table(table) if table.columns.is_some());
    let carried = found.wish.columns.iter().find(|column| column.name == name).filter(|_| named);
    carried.map_or_else(|| found.wish.pair.path.clone(), |column| column.path.clone())
}

/// A type as people read it: without the line breaks between the columns of an object.
fn on_one_line(data_type: &str) -> String {
    data_type.split_whitespace().collect::<Vec<_>>().join(" ")
}
