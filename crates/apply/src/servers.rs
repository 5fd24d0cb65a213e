//! Connections to the clusters of a plan, opened when first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Mutex;
use tokio::sync::mpsc::Sender;
use transship_cluster::{ClusterError, Gate, Server, Session, Wire};
use transship_model::access::Access;
use transship_model::observed::Observed;
use transship_model::plan::{self, CopyRows, InnerPlace, RowWrite, WriteFiles};
use transship_model::redact::Redactor;
use transship_model::spec::Format;
use transship_model::{Name, TableName};
use transship_mover::{
    End, FileColumn, Job, KeyColumn, Limits, LineFormat, Lines, Many, MoveError, Preview, PreviewRow, Transform,
    Unload, Watch, Write,
};
use transship_plan::Sample;
use transship_sql::copy::{Inner, inner};

use crate::cancel::Cancel;
use crate::making::{Maker, Materials, Tables};
use crate::pools::Pools;

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
    /// Those of some chunks, each a part of its own.
    Chunks {
        /// The statement that reads them.
        select: &'a str,
        /// Its values, for each chunk.
        bounds: &'a [[Option<String>; 2]],
    },
}

/// How many rows go to the target at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtATime {
    /// As many as the plan says.
    AsPlanned,
    /// One: each has an answer of its own.
    One,
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
        rows: (&'a CopyRows, Part<'a>, AtATime),
        watch: &'a dyn Watch,
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, Result<u64, Box<MoveError>>>;

    /// Reads the rows that a select gives on `cluster`, hands over their lines, and tells how many rows there were.
    fn read_rows<'a>(
        &'a self,
        cluster: &'a Name,
        what: (&'a str, &'a WriteFiles),
        out: Sender<Lines>,
        watch: &'a dyn Watch,
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, Result<u64, Box<MoveError>>>;

    /// Executes a statement on `cluster` once for each of `rows`, the texts of its parameters, and tells how many rows each
    /// affected; a negative number says nothing.
    fn execute_many<'a>(
        &'a self,
        cluster: &'a Name,
        statement: &'a str,
        rows: &'a [Vec<String>],
    ) -> BoxFuture<'a, Result<Vec<i64>, ClusterError>>;

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
    materials: Materials,
    tables: Tables,
    pools: Pools,
    open: BTreeMap<(Name, Purpose), Slot>,
}

type Slot = Mutex<Option<Arc<Session>>>;

impl<'a> Connections<'a> {
    /// Connections by `access`; nothing is opened yet.
    pub fn new(access: &'a BTreeMap<Name, Access>, redactor: Arc<Redactor>) -> Self {
        let purposes = [Purpose::Control, Purpose::Beside, Purpose::Watch];
        let keys = access.keys().flat_map(|cluster| purposes.map(|purpose| (cluster.clone(), purpose)));
        let open = keys.map(|key| (key, Slot::default())).collect();
        let (gate, materials, tables) = (Gate::default(), Materials::default(), Tables::default());
        Self { access, redactor, gate, materials, tables, pools: Pools::new(access), open }
    }

    /// The same with what rows are changed by on the way.
    #[must_use]
    pub fn with(mut self, materials: Materials) -> Self {
        self.materials = materials;
        self
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
        let (access, redactor) = (self.access[cluster].clone(), Arc::clone(&self.redactor));
        End { name: cluster.clone(), access, redactor, more: self.pools.more(cluster) }
    }

    fn unload(&self, cluster: &Name, select: &str, rows: &WriteFiles) -> Unload {
        let column = |it: &plan::FileColumn| FileColumn { name: it.name.clone(), data_type: it.data_type.clone() };
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

    async fn job(&self, cluster: &Name, rows: &CopyRows, part: Part<'_>) -> Result<Job, MoveError> {
        let transform = self.transform(cluster, rows).await?;
        let (select, parts) = match part {
            Part::All => (&*rows.select, vec![Vec::new()]),
            Part::Chunks { select, bounds } => (select, bounds.iter().map(|values| values.to_vec()).collect()),
        };
        let key = rows.key.iter().map(|column| KeyColumn {
            at: at(column.at),
            name: column.name.clone(),
            data_type: column.data_type.clone(),
            sensitive: column.sensitive,
        });
        Ok(Job {
            source: self.end(&rows.source),
            target: self.end(cluster),
            select: select.to_owned(),
            parts,
            insert: rows.insert.clone(),
            write: write(rows.write),
            many: rows.many.as_ref().map(|many| Many {
                again: many.again.as_ref().map(|again| (again.insert.clone(), write(again.write))),
            }),
            key: key.collect(),
            keyed: rows.keyed,
            sensitive: rows.sensitive,
            inner: inner_places(&rows.inner),
            transform,
            limits: Limits::default(),
            gate: self.gate.clone(),
        })
    }

    /// What becomes of the columns on the way, with the secrets and the entries that the plan names.
    async fn transform(&self, cluster: &Name, rows: &CopyRows) -> Result<Option<Arc<Transform>>, MoveError> {
        let Some(transform) = &rows.transform else { return Ok(None) };
        self.made(cluster, transform).await.map(|made| Some(Arc::new(made)))
    }

    async fn made(&self, target: &Name, transform: &plan::Transform) -> Result<Transform, MoveError> {
        let failed = |error| MoveError::Target { error, progress: Moved::default() };
        let target = self.connect(target, Purpose::Beside).await.map_err(failed)?;
        let maker = Maker { materials: &self.materials, target: target.as_ref(), tables: &self.tables };
        maker.make(transform).await
    }
}

impl Connections<'_> {
    /// Rows of a sample, before and after. Nothing is written.
    pub async fn preview(&self, sample: &Sample) -> Result<Vec<PreviewRow>, MoveError> {
        let transform = self.made(&sample.target, &sample.transform).await?;
        let preview = Preview {
            source: self.end(&sample.source),
            select: sample.select.clone(),
            inner: inner_places(&sample.inner),
            transform,
            sensitive: sample.transform.reads.iter().any(|column| column.sensitive),
        };
        transship_mover::preview(&preview).await
    }
}

const fn write(write: RowWrite) -> Write {
    match write {
        RowWrite::Insert => Write::Insert,
        RowWrite::Upsert => Write::Upsert,
        RowWrite::Keep => Write::Keep,
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
        (rows, part, pace): (&'a CopyRows, Part<'a>, AtATime),
        watch: &'a dyn Watch,
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, Result<u64, Box<MoveError>>> {
        Box::pin(async move {
            let mut job = self.job(cluster, rows, part).await?;
            job.many = job.many.filter(|_| pace == AtATime::AsPlanned);
            let places = tokio::select! {
                biased;
                () = cancel.requested() => return Err(Box::new(MoveError::Cancelled { progress: Moved::default() })),
                places = self.pools.places(&rows.source, cluster) => places,
            };
            let done = transship_mover::copy(&job, watch, cancel.requested()).await?;
            drop(places);
            Ok(done.rows)
        })
    }

    fn execute_many<'a>(
        &'a self,
        cluster: &'a Name,
        statement: &'a str,
        rows: &'a [Vec<String>],
    ) -> BoxFuture<'a, Result<Vec<i64>, ClusterError>> {
        Box::pin(async move {
            let mut wire = Wire::open(cluster, &self.access[cluster], Arc::clone(&self.redactor)).await?;
            wire.set_gate(self.gate.clone());
            let counts = wire.execute_many(statement, rows).await?;
            wire.close().await;
            Ok(counts)
        })
    }

    fn read_rows<'a>(
        &'a self,
        cluster: &'a Name,
        (select, rows): (&'a str, &'a WriteFiles),
        out: Sender<Lines>,
        watch: &'a dyn Watch,
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, Result<u64, Box<MoveError>>> {
        Box::pin(async move {
            let job = self.unload(cluster, select, rows);
            let done = transship_mover::unload(&job, out, watch, cancel.requested()).await?;
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
