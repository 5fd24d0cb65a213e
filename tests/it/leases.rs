//! Leases that are held, renewed, lost and taken away: on clusters of the sandbox whose time the tests move, and on real
//! ones, whose time they wait for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use transship_apply::{
    ApplyError, Cancel, Canceller, Clock, Connections, HeldLease, LockRequest, Locks, Lost, Scope, Unlocked, Unlocker,
    cancellation,
};
use transship_model::access::Access;
use transship_model::plan::PlannedCluster;
use transship_model::spec::TlsMode;
use transship_model::{FlowId, Name};
use transship_sandbox::{ClusterSpec, Sandbox};

use crate::real::{Cluster, access};

const BEGIN: i64 = 1_800_000_000_000;

/// A clock that takes a moment to sleep, and the clock of a cluster with it where they go together.
pub(crate) struct Hands {
    elapsed: Mutex<Duration>,
    cluster: Option<transship_sandbox::Clock>,
}

impl Hands {
    fn alone() -> Self {
        Self { elapsed: Mutex::default(), cluster: None }
    }

    fn with(cluster: &transship_sandbox::Clock) -> Self {
        Self { elapsed: Mutex::default(), cluster: Some(cluster.clone()) }
    }

    fn advance(&self, by: Duration) {
        *self.elapsed.lock().unwrap() += by;
        if let Some(cluster) = &self.cluster {
            cluster.advance(i64::try_from(by.as_millis()).unwrap());
        }
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(BEGIN).unwrap() + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Answers come sooner.
            tokio::time::sleep(Duration::from_millis(300)).await;
            self.advance(duration);
        })
    }
}

/// One who wants locks.
pub(crate) struct Party<C> {
    pub(crate) servers: Connections<'static>,
    pub(crate) clock: C,
    workspace: Name,
    flows: BTreeSet<(Name, FlowId)>,
    clusters: BTreeMap<Name, PlannedCluster>,
    holder: &'static str,
    timeout: Duration,
    cancel: Cancel,
    _canceller: Canceller,
    told: Arc<Mutex<Vec<String>>>,
    waiting: Box<dyn Fn(&HeldLease) + Send + Sync>,
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

impl<C: Clock> Party<C> {
    /// Wants flows of workspace `w`, whose ledgers are on the cluster.
    pub(crate) fn new(cluster: &Cluster, clock: C, holder: &'static str, flows: &[&str]) -> Self {
        let all: BTreeMap<Name, Access> = [(name("c"), access(cluster, &cluster.admin, TlsMode::Disable))].into();
        let (canceller, cancel) = cancellation();
        let told = Arc::<Mutex<Vec<String>>>::default();
        let telling = Arc::clone(&told);
        Self {
            servers: Connections::new(Box::leak(Box::new(all)), Arc::default()),
            clock,
            workspace: name("w"),
            flows: flows.iter().map(|flow| (name("c"), flow.parse().expect("a flow"))).collect(),
            clusters: BTreeMap::new(),
            holder,
            timeout: Duration::ZERO,
            cancel,
            _canceller: canceller,
            told,
            waiting: Box::new(move |lease| telling.lock().unwrap().push(lease.told())),
        }
    }

    pub(crate) fn of(mut self, workspace: &str) -> Self {
        self.workspace = name(workspace);
        self
    }

    pub(crate) fn waits(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn scope(&self) -> Scope<'_> {
        Scope { workspace: &self.workspace, environment: None }
    }

    pub(crate) async fn take(&self) -> Result<Locks<'_>, ApplyError> {
        Locks::take(LockRequest {
            round_of: None,
            servers: &self.servers,
            clock: &self.clock,
            scope: self.scope(),
            flows: &self.flows,
            clusters: &self.clusters,
            holder: self.holder,
            timeout: self.timeout,
            cancel: &self.cancel,
            waiting: self.waiting.as_ref(),
        })
        .await
    }

    /// Who holds the lock that this one wants.
    async fn refused(&self) -> HeldLease {
        match self.take().await {
            Err(ApplyError::Locked { lease, .. }) => *lease,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("nobody holds it"),
        }
    }

    fn unlocker(&self) -> Unlocker<'_> {
        Unlocker::new(&self.servers, &self.clock, self.scope(), self.holder)
    }
}

/// A cluster of the sandbox, and its time.
struct Bench {
    sandbox: Sandbox,
    time: transship_sandbox::Clock,
}

impl Bench {
    async fn start() -> Self {
        let time = transship_sandbox::Clock::still(BEGIN);
        let sandbox = Sandbox::start_still(&[ClusterSpec::new("c")], time.clone()).await.expect("a free port");
        Self { sandbox, time }
    }

    /// One whose clock goes with the cluster's.
    fn party(&self, holder: &'static str, flows: &[&str]) -> Party<Hands> {
        Party::new(&Cluster::at(&self.sandbox.url("c")), Hands::with(&self.time), holder, flows)
    }

    /// One whose clock stands still while the cluster's goes on.
    fn sleeper(&self, holder: &'static str, flows: &[&str]) -> Party<Hands> {
        Party::new(&Cluster::at(&self.sandbox.url("c")), Hands::alone(), holder, flows)
    }

    /// The columns of every lease in the order of flows, as texts.
    fn rows(&self, columns: &str) -> Vec<String> {
        let sql = format!("REFRESH TABLE transship.leases; SELECT {columns} FROM transship.leases ORDER BY flow");
        let rows = self.sandbox.execute("c", &sql).expect("the table is there").texts;
        let text =
            |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join(" ");
        rows.into_iter().map(text).collect()
    }
}

#[tokio::test]
async fn a_lease_is_held_by_one_and_its_epoch_tells_how_often_it_changed_hands() {
    let bench = Bench::start().await;
    let (one, two) = (bench.party("a@x", &["orders"]), bench.party("b@y", &["orders"]));
    let held = one.take().await.expect("it is free");
    one.clock.advance(Duration::from_secs(12));
    let lease = two.refused().await;
    assert_eq!((lease.holder.as_str(), lease.run.as_str()), ("a@x", held.run()));
    assert_eq!((lease.since, lease.left), (Duration::from_secs(12), Duration::from_secs(18)));
    let told = format!("a@x (run {}, since 12 s, until 18 s from now unless renewed)", held.run());
    assert_eq!(lease.told(), told);
    assert_eq!(bench.rows("epoch, holder"), ["1 a@x"]);
    assert!(held.release().await.is_empty());
    let held = two.take().await.expect("it was released");
    assert_eq!(bench.rows("epoch, holder"), ["2 b@y"]);
    assert!(held.release().await.is_empty());
    assert_eq!(bench.rows("epoch, holder, expires = taken"), ["2 b@y t"]);
}

#[tokio::test]
async fn who_says_nothing_more_loses_its_lease_after_thirty_seconds() {
    let bench = Bench::start().await;
    let (dead, next) = (bench.sleeper("dead@x", &["orders"]), bench.party("b@y", &["orders"]));
    let held = dead.take().await.expect("it is free");
    bench.time.advance(29_999);
    assert_eq!(next.refused().await.holder, "dead@x");
    bench.time.advance(1);
    let mine = next.take().await.expect("it has expired");
    assert_eq!(bench.rows("epoch, holder"), ["2 b@y"]);
    // Its own clock says that nothing has happened. It learns by asking.
    assert_eq!(held.why_lost(), None);
    held.keep(dead.clock.sleep(Duration::from_secs(11))).await;
    held.keep(tokio::time::sleep(Duration::from_millis(500))).await;
    let expected =
        Lost::Taken { flow: "orders".parse().unwrap(), holder: "b@y".to_owned(), run: mine.run().to_owned() };
    assert_eq!(held.why_lost(), Some(expected));
    // What is lost is not released either.
    assert!(held.release().await.is_empty());
    assert_eq!(dead.refused().await.holder, "b@y");
}

#[tokio::test]
async fn leases_that_are_renewed_are_held_as_long_as_that_goes_on() {
    let bench = Bench::start().await;
    let (one, two) = (bench.party("a@x", &["a", "b"]), bench.sleeper("b@y", &["b"]));
    let held = one.take().await.expect("they are free");
    // Every time it sleeps, ten seconds go by.
    let work = async {
        while one.clock.elapsed() < Duration::from_mins(1) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    held.keep(work).await;
    assert_eq!(held.why_lost(), None);
    assert_eq!(two.refused().await.holder, "a@x");
    assert_eq!(bench.rows("epoch"), ["1", "1"]);
    // Nobody renews them any more, by any clock.
    one.clock.advance(Duration::from_secs(26));
    held.keep(tokio::time::sleep(Duration::from_millis(900))).await;
    assert!(matches!(held.why_lost(), Some(Lost::Expired { .. })), "{:?}", held.why_lost());
}

#[tokio::test]
async fn all_are_taken_or_none() {
    let bench = Bench::start().await;
    let (one, two) = (bench.party("a@x", &["b"]), bench.party("b@y", &["a", "b", "c"]));
    let held = one.take().await.expect("it is free");
    let lease = two.refused().await;
    assert_eq!((lease.flow.to_string().as_str(), lease.holder.as_str()), ("b", "a@x"));
    assert_eq!(bench.rows("flow, holder, expires = taken"), ["a b@y t", "b a@x f", "c b@y t"]);
    held.release().await;
    let held = two.take().await.expect("they are free");
    assert_eq!(bench.rows("flow, epoch, expires = taken"), ["a 2 f", "b 2 f", "c 2 f"]);
    held.release().await;
}

#[tokio::test]
async fn workspaces_do_not_hinder_each_other() {
    let bench = Bench::start().await;
    let (one, two) = (bench.party("a@x", &["orders"]), bench.party("b@y", &["orders"]).of("other"));
    let (one, two) = (one.take().await.expect("it is free"), two.take().await.expect("it is free"));
    assert_eq!(bench.rows("workspace, epoch").len(), 2);
    assert!(one.release().await.is_empty() && two.release().await.is_empty());
}

#[tokio::test]
async fn who_waits_gets_the_lease_when_it_ends() {
    let bench = Bench::start().await;
    let (dead, two) = (bench.sleeper("dead@x", &["orders"]), bench.party("b@y", &["orders"]));
    dead.take().await.expect("it is free");
    let two = two.waits(Duration::from_secs(3));
    assert_eq!(two.refused().await.holder, "dead@x");
    assert!(two.clock.elapsed() >= Duration::from_secs(3), "{:?}", two.clock.elapsed());
    let two = two.waits(Duration::from_mins(1));
    // Most of the time is over by now.
    bench.time.advance(24_000);
    two.take().await.expect("it ends in time");
    assert_eq!(two.told.lock().unwrap().len(), 2, "{:?}", two.told);
    assert_eq!(bench.rows("epoch, holder"), ["0 b@y", "2 b@y"], "the lease, and that b waited for it");
}

#[tokio::test]
async fn what_is_unlocked_is_free_and_its_holder_kept_out() {
    let bench = Bench::start().await;
    let (one, ops) = (bench.sleeper("a@x", &["orders"]), bench.party("ops@desk", &[]));
    let held = one.take().await.expect("it is free");
    let unlocker = ops.unlocker();
    let leases = unlocker.held(&name("c")).await.expect("they can be read");
    let shown: Vec<_> = leases.iter().map(|lease| (lease.flow.to_string(), lease.holder.as_str())).collect();
    assert_eq!(shown, [("orders".to_owned(), "a@x")]);
    assert_eq!(unlocker.unlock(&leases[0]).await.expect("it is taken away"), Unlocked::Done);
    assert_eq!(unlocker.held(&name("c")).await.expect("they can be read"), []);
    let other = bench.party("late@desk", &[]);
    assert_eq!(other.unlocker().unlock(&leases[0]).await.expect("it is asked for"), Unlocked::Gone);
    held.keep(one.clock.sleep(Duration::from_secs(11))).await;
    held.keep(tokio::time::sleep(Duration::from_millis(500))).await;
    let lost = Lost::Unlocked { flow: "orders".parse().unwrap(), holder: "ops@desk".to_owned() };
    assert_eq!(held.why_lost(), Some(lost));
    let next = bench.party("b@y", &["orders"]);
    next.take().await.expect("it is free");
    assert_eq!(bench.rows("epoch, holder"), ["3 b@y"]);
}

#[tokio::test]
async fn epochs_go_on_where_the_leases_were_lost() {
    let bench = Bench::start().await;
    for sql in transship_sql::ledger::create_tables() {
        bench.sandbox.execute("c", &sql).expect("a table");
    }
    let row = "INSERT INTO transship.flows (workspace, environment, flow, document, state, run, epoch, updated) \
               VALUES ('w', '', 'orders', '{}', 'done', 'r', 57, now())";
    bench.sandbox.execute("c", row).expect("a row");
    let held = bench.party("a@x", &["new", "orders"]);
    held.take().await.expect("they are free");
    assert_eq!(bench.rows("flow, epoch"), ["new 1", "orders 58"]);
    let sql = "REFRESH TABLE transship.flows; SELECT flow, epoch, state, run FROM transship.flows";
    let rows = bench.sandbox.execute("c", sql).expect("rows").texts;
    let expected = ["orders", "58", "done", "r"].map(|text| Some(text.to_owned()));
    assert_eq!(rows, [expected]);
}
