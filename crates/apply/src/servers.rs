//! Connections to the clusters of a plan, opened when first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use transship_cluster::{ClusterError, Server, Session};
use transship_model::access::Access;
use transship_model::observed::Observed;
use transship_model::redact::Redactor;
use transship_model::{Name, TableName};

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

    fn discard<'a>(&'a self, cluster: &'a Name, purpose: Purpose) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            *self.slot(cluster, purpose).lock().await = None;
        })
    }
}
