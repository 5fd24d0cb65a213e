//! Names of copies that are made aside: derived from workspace, environment, flow and table, so that nobody else's copy
//! can have one.

use transship_model::name::ASIDE_PREFIX;
use transship_model::spec::Spec;
use transship_model::{FlowId, Name, TableName};

use crate::digest;

/// How much of the table's own name stays readable in that of its copy.
const READABLE: usize = 80;

/// What the names of all copies of a table begin with, in the table's own schema: CrateDB renames no table into another.
fn stem(workspace: &Name, environment: Option<&Name>, flow: &FlowId, table: &TableName) -> String {
    let identity = (workspace, environment, flow.to_string(), table.to_string());
    let digest = digest::of(&identity);
    format!("{ASIDE_PREFIX}{}__", &digest[..16])
}

/// The name of the copy that is to take the place of a table.
pub(super) fn aside(spec: &Spec, flow: &FlowId, table: &TableName) -> TableName {
    named(table, &of_spec(spec, flow, table), "")
}

/// The name of the table that a view is to read from: a version that none of `others` has.
pub(super) fn version<'a>(
    spec: &Spec,
    flow: &FlowId,
    table: &TableName,
    others: impl IntoIterator<Item = &'a TableName>,
) -> TableName {
    let highest = others.into_iter().filter_map(|other| number(spec, flow, table, other)).max().unwrap_or(0);
    named(table, &of_spec(spec, flow, table), &format!("v{}__", highest + 1))
}

/// Which version of a table a copy is; `None` for one without a number.
pub(super) fn number(spec: &Spec, flow: &FlowId, table: &TableName, copy: &TableName) -> Option<u32> {
    copy.table.strip_prefix(&of_spec(spec, flow, table))?.split("__").next()?.strip_prefix('v')?.parse().ok()
}

/// Whether `found` is a copy of `table` that a flow of this identity made.
pub(crate) fn is_copy(
    (workspace, environment): (&Name, Option<&Name>),
    flow: &FlowId,
    table: &TableName,
    found: &TableName,
) -> bool {
    found.schema == table.schema && found.table.starts_with(&stem(workspace, environment, flow, table))
}

fn of_spec(spec: &Spec, flow: &FlowId, table: &TableName) -> String {
    stem(&spec.workspace, spec.environment.as_ref(), flow, table)
}

fn named(table: &TableName, stem: &str, version: &str) -> TableName {
    let readable: String = table.table.chars().take(READABLE).collect();
    TableName::new(&table.schema, format!("{stem}{version}{readable}"))
}
