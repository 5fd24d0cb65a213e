//! Both clusters, and what is made there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use transship_cluster::{Rows, Server as _, Session};

use crate::arguments::Arguments;
use crate::shape::NAME;
use crate::way::Way;
use crate::{Outcome, job, replay};

const LONG: Duration = Duration::from_mins(30);

/// Everything that ways need.
pub(crate) struct Bench {
    pub(crate) arguments: Arguments,
    pub(crate) source: Session,
    pub(crate) target: Session,
    /// The folder of this run in the exchange.
    pub(crate) exchange: Option<PathBuf>,
    replay: OnceCell<String>,
}

/// What arrived: the number of rows, and a text for each column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) rows: u64,
    pub(crate) columns: Vec<Option<String>>,
}

impl Bench {
    pub(crate) async fn open(arguments: Arguments) -> Outcome<Self> {
        let open = async |name, address| {
            let end = job::end(name, address)?;
            Outcome::Ok(Session::open(&end.name, &end.access, Arc::default()).await?)
        };
        let source = open("source", &arguments.source).await?;
        let target = open("target", &arguments.target).await?;
        let exchange = arguments.exchange.as_deref().map(folder).transpose()?;
        Ok(Self { arguments, source, target, exchange, replay: OnceCell::new() })
    }

    /// Makes the rows, on the target too, for the way that stays inside.
    pub(crate) async fn fill(&self) -> Outcome<()> {
        let (shape, rows) = (self.arguments.shape, self.arguments.rows);
        for (session, name) in [(&self.source, "source"), (&self.target, "base")] {
            execute(session, &shape.create(name)).await?;
            let written = execute(session, &shape.fill(name, rows)).await?;
            if written != rows {
                return Err(format!("{written} of {rows} rows are written into {name}").into());
            }
            execute(session, &format!("REFRESH TABLE {NAME}.{name}")).await?;
            execute(session, &format!("OPTIMIZE TABLE {NAME}.{name}")).await?;
        }
        Ok(())
    }

    /// Makes room for the rows of a way.
    pub(crate) async fn prepare(&self, way: Way) -> Outcome<()> {
        execute(&self.target, &format!("DROP TABLE IF EXISTS {NAME}.moved")).await?;
        if way.arrives() == Some("moved") {
            execute(&self.target, &self.arguments.shape.create("moved")).await?;
        }
        Ok(())
    }

    /// The rows of a table, for comparing.
    pub(crate) async fn arrived(&self, session: &Session, table: &str) -> Outcome<Arrived> {
        execute(session, &format!("REFRESH TABLE {NAME}.{table}")).await?;
        let shape = self.arguments.shape;
        let answer: Rows = session.query_within(LONG, &shape.check(table), &[]).await?;
        let columns = shape.columns().iter().map(|column| answer.opt_text(0, column.name));
        let columns = columns.map(|text| Ok(text?.map(str::to_owned))).collect::<Outcome<_>>()?;
        Ok(Arrived { rows: u64::try_from(answer.int(0, "rows")?)?, columns })
    }

    /// The address of recorded rows; they are recorded when first asked for.
    pub(crate) async fn replay(&self) -> Outcome<&str> {
        let Arguments { source, shape, .. } = &self.arguments;
        Ok(self.replay.get_or_try_init(|| replay::open(source, *shape)).await?)
    }

    /// Drops whatever a run makes on the clusters, also what one that was killed has left.
    pub(crate) async fn clear(&self) -> Outcome<()> {
        let target = [
            format!("DROP SUBSCRIPTION IF EXISTS {NAME}"),
            format!("DROP FOREIGN TABLE IF EXISTS {NAME}.remote"),
            format!("DROP SERVER IF EXISTS {NAME}"),
        ];
        for sql in target {
            execute(&self.target, &sql).await?;
        }
        execute(&self.source, &format!("DROP PUBLICATION IF EXISTS {NAME}")).await?;
        for session in [&self.target, &self.source] {
            for table in ["source", "base", "moved"] {
                execute(session, &format!("DROP TABLE IF EXISTS {NAME}.{table}")).await?;
            }
            let sql = format!("SELECT name FROM sys.repositories WHERE name = '{NAME}'");
            if !session.query(&sql, &[]).await?.is_empty() {
                execute(session, &format!("DROP REPOSITORY {NAME}")).await?;
            }
        }
        Ok(())
    }
}

impl Drop for Bench {
    /// Whatever became of the clusters, the folder goes.
    fn drop(&mut self) {
        if let Some(folder) = &self.exchange {
            std::fs::remove_dir_all(folder).ok();
        }
    }
}

/// Runs a statement, however long it takes.
pub(crate) async fn execute(session: &Session, sql: &str) -> Outcome<u64> {
    Ok(session.execute_within(LONG, sql, &[]).await?)
}

/// A folder of one's own, into which the clusters may write.
fn folder(exchange: &std::path::Path) -> Outcome<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = exchange.canonicalize()?.join(format!("transship-bench-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777))?;
    Ok(folder)
}
