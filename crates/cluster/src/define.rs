//! What only single tables can tell: their definition, and whether they can be written.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use transship_model::TableName;
use transship_model::observed::{Observed, TableKind, Writable};

use crate::error::{ClusterError, ErrorKind};
use crate::session::Server;

/// Adds the definitions and the writability that a plan asked for to `observed`, in one pipeline of one statement for
/// each. Tables that are not there, and those that the user cannot see, are passed over.
pub async fn define(
    server: &dyn Server,
    observed: &mut Observed,
    definitions: &BTreeSet<TableName>,
    writable: &BTreeSet<TableName>,
) -> Result<(), ClusterError> {
    let (defined, probed): (Vec<_>, Vec<_>) = (
        definitions.iter().filter(|name| is_readable(observed, name)).cloned().collect(),
        writable.iter().filter(|name| observed.tables.contains_key(name)).cloned().collect(),
    );
    let probes: Vec<_> = probed.iter().map(|name| probe(observed, name)).collect();
    let (texts, answers) = tokio::join!(
        join_all(defined.iter().map(|name| show(server, name))),
        join_all(probes.iter().map(|sql| ask(server, sql.as_deref()))),
    );
    for (name, text) in defined.iter().zip(texts) {
        let text = text?;
        observed.tables.entry(name.clone()).and_modify(|table| table.definition = text);
    }
    for (name, answer) in probed.iter().zip(answers) {
        let answer = answer?;
        observed.tables.entry(name.clone()).and_modify(|table| table.writable = Some(answer));
    }
    Ok(())
}

fn is_readable(observed: &Observed, name: &TableName) -> bool {
    observed.tables.get(name).is_some_and(|table| table.visible && table.kind == TableKind::Table)
}

/// The statement that tells whether a table can be written, where there is one to ask.
fn probe(observed: &Observed, name: &TableName) -> Option<String> {
    let table = observed.tables.get(name).filter(|_| is_readable(observed, name))?;
    let column = table.columns.iter().find(|column| !column.name.contains('['))?;
    Some(transship_sql::observe::explain_insert(name, &column.name))
}

/// The definition; `None` where the table has vanished or its definition may not be seen.
async fn show(server: &dyn Server, name: &TableName) -> Result<Option<String>, ClusterError> {
    let sql = transship_sql::observe::show_create_table(name);
    let rows = match server.query(&sql, &[]).await {
        Err(error) if error.is_unseen() => return Ok(None),
        answer => answer?,
    };
    let column = rows.columns.first().cloned().unwrap_or_default();
    let text = rows.text(0, &column).map_err(|error| ClusterError::answer(server.name(), &sql, &error))?;
    Ok(Some(text.to_owned()))
}

/// Whether a subscription holds the table. CrateDB looks at that before it looks at the user's privileges, so that DQL
/// is enough to learn of a subscription, while DML is needed to learn that there is none.
async fn ask(server: &dyn Server, sql: Option<&str>) -> Result<Writable, ClusterError> {
    let Some(sql) = sql else {
        return Ok(Writable::Unknown("it has no column that the user can see".to_owned()));
    };
    match server.query(sql, &[]).await {
        Ok(_) => Ok(Writable::Yes),
        Err(error) if matches!(error.kind, ErrorKind::Subscribed { .. }) => Ok(Writable::Subscribed),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => Ok(Writable::Unknown(error.message.clone())),
    }
}
