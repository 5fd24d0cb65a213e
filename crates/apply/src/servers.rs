//! Connections to the clusters of a plan, opened when first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Mutex;
use tokio::sync::mpsc::Sender;
use transship_cluster::{ClusterError, Gate, Server, Session};
use transship_model::access::Access;
use transship_model::observed::Observed;
use transship_model::plan::{CopyRows, InnerPlace, RowWrite, WriteFiles};
use transship_model::redact::Redactor;
use transship_model::spec::Format;
use transship_model::{Name, TableName};
use transship_mover::{End, FileColumn, Job, KeyColumn, Limits, LineFormat, Lines, MoveError, Unload, Write};
use transship_sql::copy::{Inner, inner};

use crate::cancel::Cancel;

/// How far a copy of rows has come.
pub use transship_mover::Progress as Moved;

/// What a connection is for. A statement that hangs on one does not hold up the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Statements that change something, one at a time.
    Control,
    /// Statements of a step of another cluster, beside what runs here.
    Beside,
    /// Looks, waits and the ledger.
    Watch,
}

/// Whose rows of the ledger are meant.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The workspace.
    pub workspace: &'a Name,
    /// The environment.
    pub environment: Option<&'a Name>,
}

/// Which of the rows of a copy are meant.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// All of them.
    All,
    /// Those of a chunk.
    Chunk {
        /// The statement that reads them.
        select: &'a str,
        /// Its values.
        bounds: &'a [Option<String>],
    },
}

/// Gives connections to clusters.
pub trait Servers: Send + Sync {
    /// A connection to `cluster`, the same for the same purpose as long as it lives.
    fn connect<'a>(
        &'a self,
        cluster: &'a Name,
        purpose: Purpose,
    ) -> BoxFuture<'a, Result<Arc<dyn Server>, ClusterError>>;

    /// Drops the connection, so that the next one is new: for when an answer did not come. The server is asked to stop the
    /// statement that it still does on the one for [`Purpose::Control`], which no two steps use at a time.
    fn discard<'a>(&'a self, cluster: &'a Name, purpose: Purpose) -> BoxFuture<'a, ()>;

    /// Asks the servers to stop what they do on the connections for [`Purpose::Control`].
    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Copies rows to `cluster`, and tells how many were written: all that were read.
    fn copy_rows<'a>(
        &'a self,
        cluster: &'a Name,
        rows: (&'a CopyRows, Part<'a>),
        progress: &'a (dyn Fn(Moved) + Send + Sync),
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, Result<u64, Box<MoveError>>>;

    /// Reads the rows that a select gives on `cluster`, hands over their lines, and tells how many rows there were.
    fn read_rows<'a>(
        &'a self,
        cluster: &'a Name,
        what: (&'a str, &'a WriteFiles),
        out: Sender<Lines>,
        progress: &'a (dyn Fn(Moved) + Send + Sync),
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, Result<u64, Box<MoveError>>>;

    /// Reads the catalogs of `cluster`, and whether the tables `writable` can be written.
    fn observe<'a>(
        &'a self,
        cluster: &'a Name,
        scope: Scope<'a>,
        writable: &'a BTreeSet<TableName>,
    ) -> BoxFuture<'a, Result<Observed, ClusterError>> {
        Box::pin(async move {
            let server = self.connect(cluster, Purpose::Watch).await?;
            let mut observed = transship_cluster::observe(server.as_ref(), scope.workspace, scope.environment).await?;
            if !writable.is_empty() {
                transship_cluster::define(server.as_ref(), &mut observed, &BTreeSet::new(), writable).await?;
            }
            Ok(observed)
        })
    }
}

/// Real connections, by the clusters' resolved access.
#[derive(Debug)]
pub struct Connections<'a> {
    access: &'a BTreeMap<Name, Access>,
    redactor: Arc<Redactor>,
    gate: Gate,
    open: BTreeMap<(Name, Purpose), Slot>,
}

type Slot = Mutex<Option<Arc<Session>>>;

impl<'a> Connections<'a> {
    /// Connections by `access`; nothing is opened yet.
    pub fn new(access: &'a BTreeMap<Name, Access>, redactor: Arc<Redactor>) -> Self {
        let purposes = [Purpose::Control, Purpose::Beside, Purpose::Watch];
        let keys = access.keys().flat_map(|cluster| purposes.map(|purpose| (cluster.clone(), purpose)));
        Self { access, redactor, gate: Gate::default(), open: keys.map(|key| (key, Slot::default())).collect() }
    }

    /// The same, on which nothing is sent once the gate is closed; only sources are still read to the end.
    #[must_use]
    pub fn gated(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    fn slot(&self, cluster: &Name, purpose: Purpose) -> &Slot {
        self.open
            .get(&(cluster.clone(), purpose))
            .expect("a run checks that it has access to every cluster of its plan")
    }
}

impl Connections<'_> {
    fn end(&self, cluster: &Name) -> End {
        End { name: cluster.clone(), access: self.access[cluster].clone(), redactor: Arc::clone(&self.redactor) }
    }

    fn unload(&self, cluster: &Name, select: &str, rows: &WriteFiles) -> Unload {
        let column = |it: &transship_model::plan::FileColumn| FileColumn {
            name: it.name.clone(),
            data_type: it.data_type.clone(),
        };
        Unload {
            source: self.end(cluster),
            select: select.to_owned(),
            columns: rows.columns.iter().map(column).collect(),
            inner: inner_places(&rows.inner),
            format: match rows.format {
                Format::Json => LineFormat::Json,
                Format::Csv => LineFormat::Csv,
            },
            sensitive: rows.sensitive,
            limits: Limits::default(),
        }
    }

    fn job(&self, cluster: &Name, rows: &CopyRows, part: Part<'_>) -> Job {
        let (select, values) = match part {
            Part::All => (&*rows.select, Vec::new()),
            Part::Chunk { select, bounds } => (select, bounds.to_vec()),
        };
        let key = rows.key.iter().map(|column| KeyColumn {
            at: at(column.at),
            name: column.name.clone(),
            data_type: column.data_type.clone(),
            sensitive: column.sensitive,
        });
        Job {
            source: self.end(&rows.source),
            target: self.end(cluster),
            select: select.to_owned(),
            values,
            insert: rows.insert.clone(),
            write: match rows.write {
                RowWrite::Insert => Write::Insert,
                RowWrite::Upsert => Write::Upsert,
                RowWrite::Keep => Write::Keep,
            },
            key: key.collect(),
            keyed: rows.keyed,
            sensitive: rows.sensitive,
            inner: inner_places(&rows.inner),
            limits: Limits::default(),
            gate: self.gate.clone(),
        }
    }
}

fn at(place: u32) -> usize {
    usize::try_from(place).expect("a place among columns")
}

fn inner_places(places: &[InnerPlace]) -> Vec<(usize, Inner)> {
    places.iter().filter_map(|it| Some((at(it.at), inner(&it.name, &it.data_type)?))).collect()
}

impl Servers for Connections<'_> {
    fn connect<'a>(
        &'a self,
        cluster: &'a Name,
        purpose: Purpose,
    ) -> BoxFuture<'a, Result<Arc<dyn Server>, ClusterError>> {
        Box::pin(async move {
            let mut slot = self.slot(cluster, purpose).lock().await;
            if let Some(session) = slot.as_ref().filter(|session| !session.is_closed()) {
                return Ok(Arc::clone(session) as Arc<dyn Server>);
            }
            let session = Session::open(cluster, &self.access[cluster], Arc::clone(&self.redactor)).await?;
            let session = Arc::new(session.gated(self.gate.clone()));
            *slot = Some(Arc::clone(&session));
            Ok(session as Arc<dyn Server>)
        })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let control = self.open.iter().filter(|((_, purpose), _)| *purpose == Purpose::Control);
            // A slot that is taken just now has no statement running.
            let open = control.filter_map(|(_, slot)| slot.try_lock().ok()?.clone());
            join_all(open.map(|session| async move { session.cancel().await })).await;
        })
    }

    fn copy_rows<'a>(
        &'a self,
        cluster: &'a Name,
        (rows, part): (&'a CopyRows, Part<'a>),
        progress: &'a (dyn Fn(Moved) + Send + Sync),
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, Result<u64, Box<MoveError>>> {
        Box::pin(async move {
            let job = self.job(cluster, rows, part);
            let done = transship_mover::copy(&job, progress, cancel.requested()).await?;
            Ok(done.rows)
        })
    }

    fn read_rows<'a>(
        &'a self,
        cluster: &'a Name,
        (select, rows): (&'a str, &'a WriteFiles),
        out: Sender<Lines>,
        progress: &'a (dyn Fn(Moved) + Send + Sync),
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, Result<u64, Box<MoveError>>> {
        Box::pin(async move {
            let job = self.unload(cluster, select, rows);
            let done = transship_mover::unload(&job, out, progress, cancel.requested()).await?;
            Ok(done.rows)
        })
    }

    fn discard<'a>(&'a self, cluster: &'a Name, purpose: Purpose) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let session = self.slot(cluster, purpose).lock().await.take();
            // Several steps share the other connections: that one of them has no answer must not end those of others.
            let gives_up = purpose == Purpose::Control;
            if let Some(session) = session.filter(|session| gives_up && !session.is_closed()) {
                session.cancel().await;
            }
        })
    }
}
