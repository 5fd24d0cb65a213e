//! Connections to the fake world, with faults on demand.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::Sender;
use transship_cluster::{Bind, ClusterError, ErrorKind, Rows, Server};
use transship_model::observed::Observed;
use transship_model::plan::{CopyRows, WriteFiles};
use transship_model::{Name, TableName};
use transship_mover::{Lines, MoveError, Watch};

use super::world::World;
use crate::cancel::Cancel;
use crate::lock::{Guard, Lost};
use crate::servers::{AtATime, Part, Purpose, Scope, Servers};

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// From the statement with this number on nothing reaches the clusters any more.
    CutBefore(usize),
    /// The statement with this number still has its effect; nothing after it.
    CutAfter(usize),
    /// The answer of the statement with this number gets lost, its effect does not.
    LoseAnswer(usize),
    /// The statement with this number does not arrive; the next ones do.
    LoseStatement(usize),
    /// The answer of the statement with this number gets lost, and its effect comes so many statements later.
    Late(usize, usize),
    /// Statements that contain this text are refused.
    Refuse(&'static str, ErrorKind),
    /// When a statement that contains this text has had its effect, the locks are lost.
    LoseLocks(&'static str, Arc<Guard>, Lost),
    /// Statements that contain this text have no answer in time, and no effect.
    Hang(&'static str),
}

/// Connections to one world.
#[derive(Clone)]
pub(crate) struct FakeServers(Arc<Mutex<State>>);

struct State {
    world: World,
    fault: Option<Fault>,
    sent: Vec<(Name, String)>,
    /// What a cluster is still at although nobody waits for it: from which statement on its effect is there.
    late: Option<(usize, Name, String, Vec<Bind>)>,
}

struct FakeServer {
    cluster: Name,
    state: Arc<Mutex<State>>,
}

impl FakeServers {
    pub(crate) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(State { world, fault: None, sent: Vec::new(), late: None })))
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        let mut state = self.state();
        state.fault = fault;
        state.sent.clear();
    }

    pub(crate) fn world(&self) -> World {
        self.state().world.clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.state().world);
    }

    /// The statements so far, as `CLUSTER SQL`.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.state().sent.iter().map(|(cluster, sql)| format!("{cluster} {sql}")).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Servers for FakeServers {
    fn copy_rows<'a>(
        &'a self,
        _: &'a Name,
        (rows, ..): (&'a CopyRows, Part<'a>, AtATime),
        _: &'a dyn Watch,
        _: &'a Cancel,
    ) -> BoxFuture<'a, Result<u64, Box<MoveError>>> {
        unreachable!("tables of this world have no rows: {rows:?}")
    }

    fn execute_many<'a>(
        &'a self,
        _: &'a Name,
        statement: &'a str,
        _: &'a [Vec<String>],
    ) -> BoxFuture<'a, Result<Vec<i64>, ClusterError>> {
        unreachable!("tables of this world have no rows: {statement}")
    }

    fn read_rows<'a>(
        &'a self,
        _: &'a Name,
        (_, rows): (&'a str, &'a WriteFiles),
        _: Sender<Lines>,
        _: &'a dyn Watch,
        _: &'a Cancel,
    ) -> BoxFuture<'a, Result<u64, Box<MoveError>>> {
        unreachable!("tables of this world have no rows: {rows:?}")
    }

    fn connect<'a>(&'a self, cluster: &'a Name, _: Purpose) -> BoxFuture<'a, Result<Arc<dyn Server>, ClusterError>> {
        let server = FakeServer { cluster: cluster.clone(), state: Arc::clone(&self.0) };
        Box::pin(async move { Ok(Arc::new(server) as Arc<dyn Server>) })
    }

    fn discard<'a>(&'a self, _: &'a Name, _: Purpose) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn observe<'a>(
        &'a self,
        cluster: &'a Name,
        _: Scope<'a>,
        writable: &'a BTreeSet<TableName>,
    ) -> BoxFuture<'a, Result<Observed, ClusterError>> {
        Box::pin(async move { Ok(self.state().world.observe(cluster, writable)) })
    }
}

impl FakeServer {
    fn send(&self, sql: &str, binds: &[Bind]) -> Result<(u64, Rows), ClusterError> {
        let mut state = self.state.lock().unwrap();
        let number = state.sent.len();
        state.sent.push((self.cluster.clone(), sql.to_owned()));
        if state.late.as_ref().is_some_and(|(from, ..)| number >= *from)
            && let Some((_, cluster, sql, binds)) = state.late.take()
        {
            // An error would be said to nobody.
            drop(state.world.answer(&cluster, &sql, &binds));
        }
        let lost = || Err(ClusterError::new(&self.cluster, ErrorKind::ConnectionLost, "the connection was lost"));
        match state.fault.clone() {
            Some(Fault::CutBefore(at)) if number >= at => lost(),
            Some(Fault::CutAfter(at)) if number > at => lost(),
            Some(Fault::LoseStatement(at)) if number == at => lost(),
            Some(Fault::Late(at, by)) if number == at => {
                state.late = Some((at + by, self.cluster.clone(), sql.to_owned(), binds.to_vec()));
                lost()
            }
            Some(Fault::CutAfter(at) | Fault::LoseAnswer(at)) if number == at => {
                let _ = state.world.answer(&self.cluster, sql, binds);
                lost()
            }
            Some(Fault::Refuse(part, kind)) if sql.contains(part) => {
                let message = format!("refused for password canary%261: {sql}");
                Err(ClusterError::new(&self.cluster, kind, message))
            }
            Some(Fault::LoseLocks(part, guard, lost)) if sql.contains(part) => {
                guard.lose(lost);
                state.world.answer(&self.cluster, sql, binds)
            }
            Some(Fault::Hang(part)) if sql.contains(part) => {
                Err(ClusterError::new(&self.cluster, ErrorKind::Timeout, "no answer"))
            }
            _ => state.world.answer(&self.cluster, sql, binds),
        }
    }
}

impl Server for FakeServer {
    fn name(&self) -> &Name {
        &self.cluster
    }

    fn query<'a>(&'a self, sql: &'a str, binds: &'a [Bind]) -> BoxFuture<'a, Result<Rows, ClusterError>> {
        Box::pin(async move { self.send(sql, binds).map(|(_, rows)| rows) })
    }

    fn execute<'a>(&'a self, sql: &'a str, binds: &'a [Bind]) -> BoxFuture<'a, Result<u64, ClusterError>> {
        Box::pin(async move { self.send(sql, binds).map(|(affected, _)| affected) })
    }

    fn execute_within<'a>(
        &'a self,
        _: Duration,
        sql: &'a str,
        binds: &'a [Bind],
    ) -> BoxFuture<'a, Result<u64, ClusterError>> {
        self.execute(sql, binds)
    }
}
