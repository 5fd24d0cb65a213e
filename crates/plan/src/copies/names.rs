//! Names of copies that are made aside: derived from workspace, environment, flow and table, so that nobody else's copy
//! can have one.

use transship_model::name::ASIDE_PREFIX;
use transship_model::spec::Spec;
use transship_model::{FlowId, Name, TableName};

use crate::digest;

/// How many bytes of the table's own name stay readable in that of its copy, at most.
const READABLE: usize = 80;

/// How many bytes CrateDB allows in `schema.table`. The names of partitions are derived from it, and may be longer.
const LONGEST: usize = 255;

/// What the names of all copies of a table begin with, in the table's own schema: CrateDB renames no table into another.
fn stem(workspace: &Name, environment: Option<&Name>, flow: &FlowId, table: &TableName) -> String {
    let identity = (workspace, environment, flow.to_string(), table.to_string());
    let digest = digest::of(&identity);
    format!("{ASIDE_PREFIX}{}__", &digest[..16])
}

/// The name of the copy that is to take the place of a table.
pub(super) fn aside(spec: &Spec, flow: &FlowId, table: &TableName) -> TableName {
    named(table, &of_spec(spec, flow, table), "new")
}

/// The name of a version of a table, of those that a view reads one after the other.
pub(super) fn version(spec: &Spec, flow: &FlowId, table: &TableName, number: u32) -> TableName {
    named(table, &of_spec(spec, flow, table), &format!("v{number}"))
}

/// The name of the table whose own a view over that version took.
pub(super) fn kept(spec: &Spec, flow: &FlowId, table: &TableName, number: u32) -> TableName {
    named(table, &of_spec(spec, flow, table), &format!("was{number}"))
}

/// The name of the foreign table through which a table is read.
pub(super) fn through(spec: &Spec, flow: &FlowId, table: &TableName) -> TableName {
    named(table, &of_spec(spec, flow, table), "far")
}

/// Which version of a table a copy is; `None` for any other.
pub(super) fn number(spec: &Spec, flow: &FlowId, table: &TableName, copy: &TableName) -> Option<u32> {
    kind(spec, flow, table, copy)?.strip_prefix('v')?.parse().ok()
}

/// The number that no further version can have for it: that of a version, or of the table whose name one took.
pub(super) fn taken(spec: &Spec, flow: &FlowId, table: &TableName, copy: &TableName) -> Option<u32> {
    let kind = kind(spec, flow, table, copy)?;
    kind.strip_prefix("was").or_else(|| kind.strip_prefix('v'))?.parse().ok()
}

fn kind<'a>(spec: &Spec, flow: &FlowId, table: &TableName, copy: &'a TableName) -> Option<&'a str> {
    copy.table.strip_prefix(&of_spec(spec, flow, table))?.split("__").next()
}

/// Whether a copy is a table whose name a view took. CrateDB up to the newest version known (6.4.3, and its sources of
/// 2026-08) names the index of a table after what it was made as, and fails to commit the deletion of an index that has
/// the name of a view; the master steps down over it. So nothing may drop such a table while there is the view.
pub(crate) fn is_kept(copy: &TableName) -> bool {
    let mut parts = copy.table.strip_prefix(ASIDE_PREFIX).unwrap_or_default().splitn(3, "__");
    let number = parts.nth(1).and_then(|kind| kind.strip_prefix("was"));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Whether `found` is a copy that a flow of this identity made, of whatever table: where its name holds all of the table's.
pub(crate) fn is_any_copy(identity: (&Name, Option<&Name>), flow: &FlowId, found: &TableName) -> bool {
    let readable = found.table.strip_prefix(ASIDE_PREFIX).and_then(|rest| rest.splitn(3, "__").nth(2));
    readable.is_some_and(|name| is_copy(identity, flow, &TableName::new(&found.schema, name), found))
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

fn named(table: &TableName, stem: &str, kind: &str) -> TableName {
    let taken = table.schema.len() + ".".len() + stem.len() + kind.len() + "__".len();
    let end = table.table.floor_char_boundary(READABLE.min(LONGEST.saturating_sub(taken)));
    TableName::new(&table.schema, format!("{stem}{kind}__{}", &table.table[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_what_the_server_allows() {
        let check = |schema: &str, table: &str, readable: usize| {
            let stem = format!("{ASIDE_PREFIX}0123456789abcdef__");
            let copy = named(&TableName::new(schema, table), &stem, "v10");
            assert_eq!(copy.table.len() - stem.len() - "v10__".len(), readable, "{copy}");
            assert!(copy.schema.len() + 1 + copy.table.len() <= LONGEST, "{copy}");
        };
        check("s", "orders", 6);
        check("s", &"a".repeat(250), 80);
        check("s", &"é".repeat(120), 80);
        check("s", &format!("a{}", "é".repeat(120)), 79);
        check("s", &"表".repeat(80), 78);
        check(&"s".repeat(200), &"a".repeat(54), 20);
    }
}
