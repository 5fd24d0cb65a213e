//! Publications and subscriptions. Both show to their owner alone, superusers included.

use std::collections::BTreeMap;

use transship_model::TableName;
use transship_model::observed::{ForeignServer, Publication, RelationState, SubscribedTable, Subscription};
use transship_sql::observe as catalog;

use super::answers::{Answers, Problem};
use crate::value::{Rows, ValueError};

/// The publications by name.
pub(super) fn publications(answers: &mut Answers) -> Result<BTreeMap<String, Publication>, Problem> {
    let rows = answers.seen(catalog::PUBLICATIONS)?.unwrap_or_default();
    let mut found = BTreeMap::<String, Publication>::new();
    for row in 0..rows.len() {
        let publication = found.entry(rows.text(row, "name")?.to_owned()).or_default();
        publication.all_tables = rows.bool(row, "all_tables")?;
        let (schema, table) = (rows.opt_text(row, "table_schema")?, rows.opt_text(row, "table_name")?);
        publication.tables.extend(schema.zip(table).map(|(schema, table)| TableName::new(schema, table)));
    }
    Ok(found)
}

/// The subscriptions by name.
pub(super) fn subscriptions(answers: &mut Answers) -> Result<BTreeMap<String, Subscription>, Problem> {
    Ok(read_subscriptions(&answers.seen(catalog::SUBSCRIPTIONS)?.unwrap_or_default())?)
}

/// The subscriptions by name, from the answer to [`catalog::SUBSCRIPTIONS`].
pub(crate) fn read_subscriptions(rows: &Rows) -> Result<BTreeMap<String, Subscription>, ValueError> {
    let mut found = BTreeMap::<String, Subscription>::new();
    for row in 0..rows.len() {
        let subscription = found.entry(rows.text(row, "name")?.to_owned()).or_default();
        rows.opt_text(row, "connection")?.unwrap_or_default().clone_into(&mut subscription.connection);
        subscription.publications = rows.texts(row, "publications")?;
        let Some(relation) = rows.opt_text(row, "relation")? else { continue };
        let table = relation.parse().map_err(|_| wrong("relation", "schema.table", relation))?;
        let state = rows.text(row, "state")?;
        let state = RelationState::from_letter(state).ok_or_else(|| wrong("state", "a known state", state))?;
        let reason = rows.opt_text(row, "reason")?.filter(|reason| !reason.is_empty()).map(str::to_owned);
        subscription.tables.insert(table, SubscribedTable { reason, ..SubscribedTable::new(state) });
    }
    Ok(found)
}

/// The foreign servers by name. CrateDB has them since 5.7; before that there are none.
pub(super) fn servers(answers: &mut Answers) -> Result<BTreeMap<String, ForeignServer>, Problem> {
    let rows = answers.seen_or_absent(catalog::SERVERS)?;
    let mut found = BTreeMap::<String, ForeignServer>::new();
    for row in 0..rows.len() {
        let server = found.entry(rows.text(row, "name")?.to_owned()).or_default();
        rows.text(row, "owner")?.clone_into(&mut server.owner);
        rows.opt_text(row, "url")?.unwrap_or_default().clone_into(&mut server.url);
        server.mapped.extend(rows.opt_text(row, "mapped")?.map(str::to_owned));
    }
    for server in found.values_mut() {
        server.mapped.sort_unstable();
        server.mapped.dedup();
    }
    Ok(found)
}

fn wrong(column: &str, expected: &'static str, found: &str) -> ValueError {
    ValueError { column: column.to_owned(), expected, found: format!("`{found}`") }
}
