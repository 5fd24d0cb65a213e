//! One statement and its answer on a connection.

use std::pin::pin;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use crate::describe::declared;
use crate::value::{Bind, Rows, Value};

/// The rows of an answer in binary form.
pub(crate) fn rows(
    client: Arc<Client>,
    sql: String,
    binds: &[Bind],
) -> impl Future<Output = Result<Rows, Error>> + Send + 'static {
    let parameters = encode(binds);
    async move {
        let stream = client.query_typed_raw(&sql, parameters).await?;
        let rows: Vec<_> = stream.try_collect().await?;
        let columns = rows.first().map(|row| row.columns().iter().map(|column| column.name().to_owned()).collect());
        let values = rows.iter().map(|row| (0..row.len()).map(|at| row.try_get::<_, Value>(at)).collect());
        Ok(Rows { columns: columns.unwrap_or_default(), rows: values.collect::<Result<_, _>>()? })
    }
}

/// The number of rows that the server says it affected.
pub(crate) fn affected(
    client: Arc<Client>,
    sql: String,
    binds: &[Bind],
) -> impl Future<Output = Result<u64, Error>> + Send + 'static {
    let parameters = encode(binds);
    async move {
        let mut stream = pin!(client.query_typed_raw(&sql, parameters).await?);
        while stream.try_next().await?.is_some() {}
        Ok(stream.rows_affected().unwrap_or_default())
    }
}

/// The answers to several statements in one message, every value as a text.
pub(crate) async fn texts(client: Arc<Client>, sql: String) -> Result<Vec<Rows>, Error> {
    let mut answers = Vec::new();
    let mut current = Rows::default();
    for message in client.simple_query(&sql).await? {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                current.columns = columns.iter().map(|column| column.name().to_owned()).collect();
            }
            SimpleQueryMessage::Row(row) => {
                let value = |at| row.get(at).map_or(Value::Null, |text| Value::Text(text.to_owned()));
                current.rows.push((0..row.len()).map(value).collect());
            }
            SimpleQueryMessage::CommandComplete(_) => answers.push(std::mem::take(&mut current)),
            _ => {}
        }
    }
    Ok(answers)
}

fn encode(binds: &[Bind]) -> Vec<(Box<dyn ToSql + Sync + Send>, Type)> {
    binds.iter().map(Bind::encode).collect()
}

/// The types of a statement's columns, from preparing it.
pub(crate) async fn types(client: Arc<Client>, sql: String) -> Result<Vec<String>, Error> {
    let statement = client.prepare(&sql).await?;
    Ok(statement.columns().iter().map(|column| declared(column.type_()).to_owned()).collect())
}
