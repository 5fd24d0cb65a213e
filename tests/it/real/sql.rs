//! Plain SQL over tokio-postgres' simple protocol, so that tests judge transship by other code than its own.

use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

/// A user of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Option<String>,
}

/// A cluster and how tests reach it.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// `alpha` or `beta`.
    pub(crate) label: String,
    pub(crate) host: String,
    /// Of the PostgreSQL wire.
    pub(crate) port: u16,
    /// Of the transport protocol.
    pub(crate) transport: u16,
    /// A superuser.
    pub(crate) admin: Login,
    /// The certificate of a node that speaks TLS, as PEM.
    pub(crate) ca: Option<String>,
}

/// What the server refused.
#[derive(Debug)]
pub(crate) struct SqlError {
    pub(crate) sqlstate: String,
    pub(crate) message: String,
}

/// The rows of the last statement, every value as a text.
pub(crate) type TextRows = Vec<Vec<Option<String>>>;

impl Cluster {
    /// The cluster at `postgres://USER[:PASSWORD]@HOST:PORT/`.
    pub(crate) fn at(url: &str) -> Self {
        let config: Config = url.trim().parse().expect("a URL of the PostgreSQL wire");
        let host = match config.get_hosts() {
            [tokio_postgres::config::Host::Tcp(host)] => host.clone(),
            other => panic!("one host in {url}, not {other:?}"),
        };
        let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        Self {
            label: host.clone(),
            host,
            port: config.get_ports().first().copied().unwrap_or(5432),
            transport: 4300,
            admin: Login { user: config.get_user().unwrap_or("crate").to_owned(), password },
            ca: None,
        }
    }

    /// Runs statements as the superuser and gives the rows of the last one.
    pub(crate) fn sql(&self, text: &str) -> TextRows {
        self.try_sql(text).unwrap_or_else(|error| panic!("{}: {text}: {}", self.label, error.message))
    }

    /// The same where an error is expected.
    pub(crate) fn try_sql(&self, text: &str) -> Result<TextRows, SqlError> {
        self.try_sql_as(&self.admin, text)
    }

    /// Runs statements as another user.
    pub(crate) fn try_sql_as(&self, login: &Login, text: &str) -> Result<TextRows, SqlError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(self, login, text)).map_err(|error| SqlError {
            sqlstate: error.code().map(|code| code.code().to_owned()).unwrap_or_default(),
            message: error.as_db_error().map_or_else(|| format!("{error:?}"), |db| db.message().to_owned()),
        })
    }

    /// The first value of the first row, as a text.
    pub(crate) fn value(&self, text: &str) -> Option<String> {
        self.sql(text).into_iter().next()?.into_iter().next()?
    }

    /// The number of rows of a table, those included that were written a moment ago.
    pub(crate) fn count(&self, table: &str) -> u64 {
        let count = self.value(&format!("REFRESH TABLE {table}; SELECT count(*) FROM {table}"));
        count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{}: no count of {table}", self.label))
    }
}

async fn run(cluster: &Cluster, login: &Login, text: &str) -> Result<TextRows, tokio_postgres::Error> {
    let mut config = Config::new();
    config.host(&cluster.host).port(cluster.port).user(&login.user).application_name("transship tests");
    if let Some(password) = &login.password {
        config.password(password);
    }
    let (client, connection) = config.connect(NoTls).await?;
    let task = tokio::spawn(connection);
    let messages = client.simple_query(text).await?;
    drop(client);
    // The answer is there: how the connection ends does not matter.
    task.await.ok();
    let mut rows = TextRows::new();
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(_) => rows.clear(),
            SimpleQueryMessage::Row(row) => {
                rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
            }
            _ => {}
        }
    }
    Ok(rows)
}
