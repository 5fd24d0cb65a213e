//! What forbids that the target reads by itself: types that the driver bends, tables that do not fit its heap, names that
//! are taken, privileges.

use transship_model::observed::Table;
use transship_model::plan::ObjectRef;
use transship_model::{Finding, SpecPath};
use transship_sql::definition::Definition;
use transship_sql::foreign::{beyond_driver, beyond_json};

use super::foreign::{self, Foreign, server};
use super::foreign_left;
use crate::copies::{Context, Deed, Found};
use crate::missing::Missing;
use crate::privileges::{self, On};

/// The most bytes, on the source's disk, of a table that is read at once: the target keeps it on the heap of one node.
const HEAP: i64 = 64 * 1024 * 1024;

/// Everything that forbids it.
pub(super) fn check(how: &Foreign<'_>, context: &Context<'_>, found: &[Found<'_>]) -> Vec<Finding> {
    let busy: Vec<&Found<'_>> = found.iter().filter(|it| moves(it)).collect();
    let mut findings: Vec<Finding> = busy.iter().flat_map(|found| types(found)).collect();
    findings.extend(busy.iter().flat_map(|found| numbers(found)));
    findings.extend(busy.iter().filter_map(|found| size(found)));
    findings.extend(busy.iter().filter_map(|found| uncounted(found)));
    findings.extend(taken(context));
    if !busy.is_empty() {
        findings.extend(reader(how, context, &busy));
        let mut missing = Missing::default();
        let target = (context.target_name, context.target);
        missing.on_cluster(target);
        // The foreign table, which is read, lies beside the table under a name of its own.
        let schemas = busy.iter().map(|found| found.wish.pair.to.schema.as_str()).collect();
        missing.on_schemas(target, &["DQL"], &schemas);
        findings.extend(missing.findings(&context.instance.path));
    }
    findings
}

const fn moves(found: &Found<'_>) -> bool {
    matches!(found.deed, Deed::Create | Deed::Replace | Deed::Restore | Deed::Append | Deed::Upsert)
}

/// Columns that are read and do not survive it.
fn types(found: &Found<'_>) -> Vec<Finding> {
    let wish = &found.wish;
    let mut findings = Vec::new();
    for name in foreign::read(wish) {
        let Some((place, data_type, why)) = bent(wish.source, name) else { continue };
        let carried = wish.columns.iter().find(|column| column.is_column(name));
        let path = carried.filter(|_| foreign::has_columns(wish.pair.entry)).map(|column| column.path.clone());
        let message = format!(
            "column {place} of {} is `{data_type}`, which does not arrive through a foreign table as it is: {why}",
            wish.pair.from
        );
        findings.push(
            Finding::error("plan::type-not-foreign", message)
                .at(path.unwrap_or_else(|| wish.pair.path.clone()))
                .help("`engine: stream` carries every type; or leave the column out by `columns`"),
        );
    }
    findings
}

/// The column, or a part of it, that does not survive, with its type and the reason.
fn bent<'a>(source: &'a Table, name: &'a str) -> Option<(&'a str, &'a str, &'static str)> {
    let prefix = format!("{name}['");
    let own = source.columns.iter().find(|column| column.name == name)?;
    if let Some(why) = beyond_driver(&own.data_type) {
        return Some((&own.name, &own.data_type, why));
    }
    let mut parts = source.columns.iter().filter(|it| it.name.starts_with(&prefix));
    parts.find_map(|part| Some((part.name.as_str(), part.data_type.as_str(), beyond_json(&part.data_type)?)))
}

/// Numbers that go into a column of another precision: `INSERT … SELECT` stores other numbers then.
fn numbers(found: &Found<'_>) -> Vec<Finding> {
    let writes = matches!(found.deed, Deed::Append | Deed::Upsert | Deed::Restore);
    let Some(there) = found.there.filter(|_| writes) else { return Vec::new() };
    // A definition that cannot be read is refused elsewhere.
    let there = there.definition.as_deref().and_then(|text| Definition::read(text).ok());
    let Some(there) = there else { return Vec::new() };
    let differs = |name: &&String| {
        let made = found.wish.derived.definition.column(name);
        let Some((from, to)) = made.zip(there.column(name)) else { return false };
        let is_number = |text: &str| text.to_uppercase().contains("NUMERIC");
        (is_number(&from.data_type) || is_number(&to.data_type)) && from.data_type != to.data_type
    };
    let finding = |name: &String| {
        let message = format!("column {name} of {} is another NUMERIC than that of the source", found.wish.pair.to);
        Finding::error("plan::type-not-foreign", message)
            .at(found.wish.pair.path.clone())
            .help("`engine: stream` converts it exactly; or give both the same precision and scale")
    };
    found.wish.written.iter().filter(differs).map(finding).collect()
}

/// Rows that overwrite nothing are not counted where they are there, and neither are those that CrateDB leaves out.
fn uncounted(found: &Found<'_>) -> Option<Finding> {
    let there = found.there.filter(|_| found.deed == Deed::Upsert)?;
    let is_key = found.wish.written.iter().all(|column| there.primary_key.contains(column));
    let message = format!(
        "every column that goes into {} belongs to its primary key: rows that are there are not counted, and so would be rows \
         that are left out",
        found.wish.pair.to
    );
    is_key.then(|| {
        Finding::error("plan::uncounted", message)
            .at(found.wish.pair.path.clone())
            .help("`engine: stream` has an answer for each row; or use `existing: replace`")
    })
}

/// A table that cannot be divided has to fit the heap of a node of the target.
fn size(found: &Found<'_>) -> Option<Finding> {
    let wish = &found.wish;
    let bytes: i64 = wish.source.primaries.iter().map(|shard| shard.bytes).sum();
    let asked = foreign::sent(wish);
    if bytes <= HEAP || asked.is_ok() && !foreign::divisors(wish).is_empty() {
        return None;
    }
    let why = match asked {
        Err(_) => {
            "`where` is more than comparisons of columns with literals, joined by AND, OR and NOT, and so are chunks then"
        }
        Ok(()) => "it has no column that is never NULL and divides its rows: one of the primary key, or of partitions",
    };
    let message = format!(
        "{} is read at once, and has {} MiB: the target would keep it on the heap of one node; {why}",
        wish.pair.from,
        bytes / (1024 * 1024)
    );
    Some(
        Finding::error("plan::exceeds-heap", message)
            .at(wish.pair.path.clone())
            .help("`engine: stream` holds back what cannot be written yet; or write `where` by comparisons alone"),
    )
}

/// Objects that have the names which this flow gives, where the ledger does not know the flow.
fn taken(context: &Context<'_>) -> Vec<Finding> {
    if context.row.is_some() {
        return Vec::new();
    }
    let (cluster, spec, name) = (context.target_name, &context.input.spec, server(context));
    let identity = ((&spec.workspace, spec.environment.as_ref()), &context.instance.id);
    let tables: Vec<_> = context.pairs.iter().map(|pair| &pair.to).collect();
    let of_tables = foreign_left::tables_left(context.target, identity, &tables);
    let objects = of_tables.iter().map(|table| ObjectRef::table(cluster, table));
    let server = context.target.servers.contains_key(&name).then(|| ObjectRef::server(cluster, &name));
    objects
        .chain(server)
        .map(|object| {
            let message = format!("{object} is there, and the ledger does not know that this flow made it");
            Finding::error("plan::name-taken", message)
                .at(context.instance.path.clone())
                .help(format!("on {cluster}: drop it by hand, foreign tables first, then user mappings and the server"))
        })
        .collect()
}

/// Who reads at the source: the user has to be there, and may read the tables.
fn reader(how: &Foreign<'_>, context: &Context<'_>, busy: &[&Found<'_>]) -> Vec<Finding> {
    let (user, source) = (&how.endpoint.subscriber, context.source);
    let finding = |what: String, help: String| {
        Finding::error("plan::missing-privilege", what)
            .at_key(SpecPath::of("clusters", context.source_name))
            .related(context.instance.path.clone(), "this flow needs it")
            .help(help)
    };
    if source.users.as_ref().is_some_and(|users| !users.contains_key(user)) {
        let what = format!("{} has no user `{user}`, as whom the target would read", context.source_name);
        let help = "make it there, or name another one by `subscriber` of the cluster".to_owned();
        return vec![finding(what, help)];
    }
    let lacks =
        |found: &&&Found<'_>| privileges::holds(source, user, "DQL", On::Table(&found.wish.pair.from)) == Some(false);
    let tables: Vec<String> = busy.iter().filter(lacks).map(|found| found.wish.pair.from.to_string()).collect();
    if tables.is_empty() {
        return Vec::new();
    }
    let tables = tables.join(", ");
    let what = format!("`{user}`, as whom the target reads, lacks DQL on TABLE {tables} on {}", context.source_name);
    vec![finding(what, format!("on {}: GRANT DQL ON TABLE {tables} TO \"{user}\"", context.source_name))]
}
