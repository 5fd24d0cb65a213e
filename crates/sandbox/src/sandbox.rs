//! Sandboxes: clusters that listen, share a world, and follow each other.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::engine::{self, Outcome, Session};
use crate::error::SqlError;
use crate::fault::Fault;
use crate::halt::Gate;
use crate::parse;
use crate::value::Value;
use crate::wire::{Shared, SharedRef, serve, text};
use crate::world::{Bucket, Cluster, SUPERUSER, User, World};

/// How often subscriptions take a step by themselves.
const TICK: Duration = Duration::from_millis(50);

/// A cluster to start.
#[derive(Clone, Debug)]
pub struct ClusterSpec {
    /// Its name, as `sys.cluster` gives it.
    pub name: String,
    /// Users with their passwords, beside the superuser `crate`, who needs none.
    pub users: Vec<(String, Option<String>)>,
    /// The port of the loopback interface that it listens on; any that is free by default.
    pub port: Option<u16>,
    /// The directory of the machine that its file system begins at; that of the machine by default.
    pub root: Option<PathBuf>,
    /// The directories of its file system that repositories may lie in; none by default.
    pub path_repo: Vec<PathBuf>,
}

impl ClusterSpec {
    /// A cluster with the superuser alone, on any free port.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), users: Vec::new(), port: None, root: None, path_repo: Vec::new() }
    }

    /// The same with a file system of its own: `/a` lies at `root/a` of the machine. Clusters with one root share it.
    #[must_use]
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// The same with one more directory that repositories may lie in.
    #[must_use]
    pub fn path_repo(mut self, directory: impl Into<PathBuf>) -> Self {
        self.path_repo.push(directory.into());
        self
    }

    /// The same with one more user.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: Option<&str>) -> Self {
        self.users.push((name.into(), password.map(str::to_owned)));
        self
    }
}

/// What a statement gives that was run without a connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The tag, such as `INSERT 0 2`.
    pub tag: String,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// Their oids on the wire.
    pub oids: Vec<u32>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
    /// The rows in the text format of the wire; `None` for NULL.
    pub texts: Vec<Vec<Option<String>>>,
}

impl Answer {
    fn new(outcome: Outcome) -> Self {
        let count = outcome.count.map(|count| format!(" {count}")).unwrap_or_default();
        let columns = outcome.columns.unwrap_or_default();
        let cells =
            |row: &Vec<Value>| row.iter().zip(&columns).map(|(cell, column)| text(cell, &column.data_type)).collect();
        Self {
            tag: format!("{}{count}", outcome.tag),
            oids: columns.iter().map(|column| column.data_type.oid()).collect(),
            texts: outcome.rows.iter().map(cells).collect(),
            columns: columns.into_iter().map(|column| column.name).collect(),
            rows: outcome.rows,
        }
    }
}

/// Running clusters. They end when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    shared: SharedRef,
    tasks: JoinSet<()>,
}

impl Sandbox {
    /// Starts clusters by the machine's clock, whose subscriptions follow by themselves.
    pub async fn start(specs: &[ClusterSpec]) -> io::Result<Self> {
        let mut sandbox = Self::start_still(specs, Clock::real()).await?;
        let shared = SharedRef::clone(&sandbox.shared);
        sandbox.tasks.spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                shared.world().tick();
            }
        });
        Ok(sandbox)
    }

    /// Starts clusters by `clock`, whose subscriptions follow only when [`Self::tick`] is called.
    pub async fn start_still(specs: &[ClusterSpec], clock: Clock) -> io::Result<Self> {
        let mut listeners = Vec::new();
        let mut world = World::new(clock);
        for spec in specs {
            let listener = TcpListener::bind(("127.0.0.1", spec.port.unwrap_or(0))).await?;
            let mut cluster = Cluster::new(&spec.name, listener.local_addr()?.port());
            cluster.root.clone_from(&spec.root);
            cluster.path_repo.clone_from(&spec.path_repo);
            for (name, password) in &spec.users {
                cluster.users.insert(name.clone(), User { password: password.clone(), ..User::default() });
            }
            if world.clusters.insert(spec.name.clone(), cluster).is_some() {
                return Err(io::Error::other(format!("two clusters of the name {}", spec.name)));
            }
            listeners.push((spec.name.clone(), listener));
        }
        let shared = Shared::new(world);
        let mut tasks = JoinSet::new();
        for (name, listener) in listeners {
            tasks.spawn(listen(listener, name, SharedRef::clone(&shared)));
        }
        Ok(Self { shared, tasks })
    }

    /// The port that a cluster listens on; `None` for a cluster that there is not.
    pub fn port(&self, cluster: &str) -> Option<u16> {
        self.shared.world().clusters.get(cluster).map(|found| found.port)
    }

    /// `postgres://crate@127.0.0.1:PORT/` of a cluster.
    ///
    /// # Panics
    /// Where there is no such cluster.
    pub fn url(&self, cluster: &str) -> String {
        let port = self.port(cluster).expect("the name is that of a cluster of the sandbox");
        format!("postgres://{SUPERUSER}@127.0.0.1:{port}/")
    }

    /// Runs statements as the superuser and without faults, and gives the answer to the last.
    ///
    /// # Panics
    /// Where there is no such cluster.
    pub fn execute(&self, cluster: &str, sql: &str) -> Result<Answer, SqlError> {
        self.execute_as(cluster, SUPERUSER, sql)
    }

    /// The same as any user, who needs no password here.
    ///
    /// # Panics
    /// Where there is no such cluster.
    pub fn execute_as(&self, cluster: &str, user: &str, sql: &str) -> Result<Answer, SqlError> {
        assert!(self.port(cluster).is_some(), "there is no cluster {cluster}");
        let mut session =
            Session { cluster: cluster.to_owned(), user: user.to_owned(), schema: "doc".to_owned(), fail_fast: false };
        let mut answer = Answer::default();
        for parsed in parse::statements(sql)? {
            answer = Answer::new(engine::run(&mut self.shared.world(), &mut session, &parsed, &[])?);
        }
        Ok(answer)
    }

    /// Makes a bucket, which every cluster reaches; with `keys`, an access key and a secret key, only by these.
    /// `endpoint` is `HOST:PORT`, or empty for the one that URIs without a host mean.
    pub fn make_bucket(&self, endpoint: &str, bucket: &str, keys: Option<(&str, &str)>) {
        let keys = keys.map(|(access, secret)| (access.to_owned(), secret.to_owned()));
        let made = Bucket { keys, ..Bucket::default() };
        self.shared.world().buckets.insert((endpoint.to_owned(), bucket.to_owned()), made);
    }

    /// The objects of a bucket, by key; `None` where there is no such bucket.
    pub fn objects(&self, endpoint: &str, bucket: &str) -> Option<BTreeMap<String, Vec<u8>>> {
        let world = self.shared.world();
        world.buckets.get(&(endpoint.to_owned(), bucket.to_owned())).map(|found| found.objects.clone())
    }

    /// Removes an object. Whether it was there.
    pub fn remove_object(&self, endpoint: &str, bucket: &str, key: &str) -> bool {
        let mut world = self.shared.world();
        let found = world.buckets.get_mut(&(endpoint.to_owned(), bucket.to_owned()));
        found.is_some_and(|found| found.objects.remove(key).is_some())
    }

    /// Sets the fault script in place of the one before.
    pub fn faults(&self, script: Vec<Fault>) {
        self.shared.faults().set(script);
    }

    /// What every statement passes that comes over the wire: who watches it can halt everything.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(self.shared.gate())
    }

    /// Ends all connections and the watching, and answers whoever comes from now on.
    pub async fn resume(&self) {
        let mut connections = std::mem::take(&mut *self.shared.connections());
        connections.shutdown().await;
        self.shared.gate().open();
    }

    /// Lets every subscription take a step.
    pub fn tick(&self) {
        self.shared.world().tick();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Each of them holds what all share, themselves included.
        self.shared.connections().abort_all();
    }
}

async fn listen(listener: TcpListener, cluster: String, shared: SharedRef) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let mut connections = shared.connections();
        while connections.try_join_next().is_some() {}
        let (cluster, of_all) = (cluster.clone(), SharedRef::clone(&shared));
        connections.spawn(async move {
            // A connection that breaks concerns nobody else.
            serve(stream, cluster, of_all).await.ok();
        });
    }
}
