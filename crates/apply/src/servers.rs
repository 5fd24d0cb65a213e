//! Connections to the clusters of a plan, opened when first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use transship_cluster::{ClusterError, Server, Session};
use transship_model::access::Access;
use transship_model::observed::Observed;
use transship_model::plan::{CopyRows, RowWrite};
use transship_model::redact::Redactor;
use transship_model::{Name, TableName};
use transship_mover::{End, Job, KeyColumn, Limits, MoveError, Write};
use transship_sql::copy::inner;

use crate::cancel::Cancel;

/// How far a copy of rows has come.
pub use transship_mover::Progress as Moved;

/// What a connection is for. A statement that hangs on one does not hold up the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Statements that change something, one at a time.
    Control,
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

/// Gives connections to clusters.
pub trait Servers: Send + Sync {
    /// A connection to `cluster`, the same for the same purpose as long as it lives.
    fn connect<'a>(
        &'a self,
        cluster: &'a Name,
        purpose: Purpose,
    ) -> BoxFuture<'a, Result<Arc<dyn Server>, ClusterError>>;

    /// Drops the connection, so that the next one is new: for when an answer did not come.
    fn discard<'a>(&'a self, cluster: &'a Name, purpose: Purpose) -> BoxFuture<'a, ()>;

    /// Copies rows to `cluster`, and tells how many were written: all that were read.
    fn copy_rows<'a>(
        &'a self,
        cluster: &'a Name,
        rows: &'a CopyRows,
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
    open: BTreeMap<(Name, Purpose), Slot>,
}

type Slot = Mutex<Option<Arc<Session>>>;

impl<'a> Connections<'a> {
    /// Connections by `access`; nothing is opened yet.
    pub fn new(access: &'a BTreeMap<Name, Access>, redactor: Arc<Redactor>) -> Self {
        let purposes = [Purpose::Control, Purpose::Watch];
        let keys = access.keys().flat_map(|cluster| purposes.map(|purpose| (cluster.clone(), purpose)));
        Self { access, redactor, open: keys.map(|key| (key, Slot::default())).collect() }
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

    fn job(&self, cluster: &Name, rows: &CopyRows) -> Job {
        let at = |place: u32| usize::try_from(place).expect("a place among columns");
        let key = rows.key.iter().map(|column| KeyColumn {
            at: at(column.at),
            name: column.name.clone(),
            data_type: column.data_type.clone(),
            sensitive: column.sensitive,
        });
        let inner = rows.inner.iter().filter_map(|it| Some((at(it.at), inner(&it.name, &it.data_type)?)));
        Job {
            source: self.end(&rows.source),
            target: self.end(cluster),
            select: rows.select.clone(),
            insert: rows.insert.clone(),
            write: match rows.write {
                RowWrite::Insert => Write::Insert,
                RowWrite::Upsert => Write::Upsert,
                RowWrite::Keep => Write::Keep,
            },
            key: key.collect(),
            keyed: rows.keyed,
            sensitive: rows.sensitive,
            inner: inner.collect(),
            limits: Limits::default(),
        }
    }
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
            let session = Arc::new(Session::open(cluster, &self.access[cluster], Arc::clone(&self.redactor)).await?);
            *slot = Some(Arc::clone(&session));
            Ok(session as Arc<dyn Server>)
        })
    }

    fn copy_rows<'a>(
        &'a self,
        cluster: &'a Name,
        rows: &'a CopyRows,
        progress: &'a (dyn Fn(Moved) + Send + Sync),
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, Result<u64, Box<MoveError>>> {
        Box::pin(async move {
            let job = self.job(cluster, rows);
            let done = transship_mover::copy(&job, progress, cancel.requested()).await?;
            Ok(done.rows)
        })
    }

    fn discard<'a>(&'a self, cluster: &'a Name, purpose: Purpose) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            *self.slot(cluster, purpose).lock().await = None;
        })
    }
}
