//! What only single tables can tell: their definition, and whether they can be written.

use std::collections::BTreeSet;

use transship_model::observed::{Observed, TableKind, Writable};
use transship_model::{Name, TableName};
use transship_sql::observe as catalog;

use crate::error::{ClusterError, ErrorKind};
use crate::session::Server;
use crate::value::Rows;

/// Adds the definitions and the writability that a plan asked for to `observed`, by one statement for each. Tables that
/// are not there are passed over, and so are the definitions of those that the user cannot see or that are closed:
/// CrateDB refuses to show them.
pub async fn define(
    server: &dyn Server,
    observed: &mut Observed,
    definitions: &BTreeSet<TableName>,
    writable: &BTreeSet<TableName>,
) -> Result<(), ClusterError> {
    let (defined, probed): (Vec<_>, Vec<_>) = (
        definitions.iter().filter(|name| is_readable(observed, name) && !is_closed(observed, name)).cloned().collect(),
        writable.iter().filter(|name| observed.tables.contains_key(name)).cloned().collect(),
    );
    let questions: Vec<_> = probed.iter().map(|name| probe(observed, name)).collect();
    let requests: Vec<_> = defined.iter().map(catalog::show_create_table).collect();
    let texts = server.query_texts(&requests).await;
    for (name, answer) in defined.iter().zip(texts) {
        let text = definition(server.name(), answer)?;
        observed.tables.entry(name.clone()).and_modify(|table| table.definition = text);
    }
    for (name, question) in probed.iter().zip(questions) {
        let answer = ask(server, question.as_deref()).await?;
        observed.tables.entry(name.clone()).and_modify(|table| table.writable = Some(answer));
    }
    Ok(())
}

fn is_readable(observed: &Observed, name: &TableName) -> bool {
    observed.tables.get(name).is_some_and(|table| table.visible && table.kind == TableKind::Table)
}

fn is_closed(observed: &Observed, name: &TableName) -> bool {
    observed.tables.get(name).is_some_and(|table| table.closed)
}

/// The statement that tells whether a table can be written, where there is one to ask. It names the table's key, which
/// no insert may leave out; a sub-column is given by its object.
fn probe(observed: &Observed, name: &TableName) -> Option<String> {
    let table = observed.tables.get(name).filter(|_| is_readable(observed, name))?;
    let key = table.primary_key.iter().chain(table.clustered_by.iter().filter(|column| *column != "_id"));
    let first = table.columns.first().map(|column| &column.name)?;
    let columns: BTreeSet<&str> = key.chain([first]).map(|column| top_level(column)).collect();
    Some(catalog::explain_insert(name, columns))
}

fn top_level(column: &str) -> &str {
    column.split('[').next().unwrap_or(column)
}

/// The text of a definition; `None` where the table has vanished or its definition may not be seen.
fn definition(cluster: &Name, answer: Result<Rows, ClusterError>) -> Result<Option<String>, ClusterError> {
    let rows = match answer {
        Err(error) if error.is_unseen() => return Ok(None),
        answer => answer?,
    };
    let Some(column) = rows.columns.first() else { return Ok(None) };
    let text = rows.text(0, column).map_err(|error| ClusterError::answer(cluster, "SHOW CREATE TABLE", &error))?;
    Ok(Some(text.to_owned()))
}

/// Whether a subscription holds the table. CrateDB looks at that before it looks at the user's privileges, so that DQL
/// is enough to learn of a subscription, while DML is needed to learn that there is none.
async fn ask(server: &dyn Server, sql: Option<&str>) -> Result<Writable, ClusterError> {
    let Some(sql) = sql else {
        return Ok(Writable::Unknown("it is no table, or one on which the user has no privilege".to_owned()));
    };
    match server.query(sql, &[]).await {
        Ok(_) => Ok(Writable::Yes),
        Err(error) if matches!(error.kind, ErrorKind::Subscribed { .. }) => Ok(Writable::Subscribed),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => Ok(Writable::Unknown(error.message.clone())),
    }
}
