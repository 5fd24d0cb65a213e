//! Readers that count the rows of a table in a loop, and remember what they saw when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::Cluster;

/// How long a reader rests between two reads.
const REST: Duration = Duration::from_millis(2);
/// How long reads may take that a test waits for.
const PATIENCE: Duration = Duration::from_mins(2);

/// One read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    /// When it was asked.
    pub(crate) begun: Instant,
    /// When the answer was there.
    pub(crate) ended: Instant,
    /// The rows that it counted, or the server's message.
    pub(crate) seen: Result<u64, String>,
}

/// Several connections that count in a loop until they are stopped.
pub(crate) struct Readers {
    stop: Arc<AtomicBool>,
    /// How many reads each has made.
    made: Vec<Arc<AtomicUsize>>,
    threads: Vec<JoinHandle<Vec<Read>>>,
}

impl Readers {
    /// Starts `number` of them; each has read at least once when this returns.
    pub(crate) fn start(number: usize, cluster: &Cluster, table: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let made: Vec<_> = (0..number).map(|_| Arc::new(AtomicUsize::new(0))).collect();
        let threads = made.iter().map(|made| {
            let (stop, cluster, made) = (Arc::clone(&stop), cluster.clone(), Arc::clone(made));
            let sql = format!("SELECT count(*) FROM {table}");
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(count_until(&cluster, &sql, &stop, &made))
            })
        });
        let threads = threads.collect();
        let readers = Self { stop, made, threads };
        readers.wait_for(1);
        readers
    }

    /// Waits until each has made so many reads more, however long one takes.
    pub(crate) fn wait_for(&self, more: usize) {
        let since = Instant::now();
        for made in &self.made {
            let wanted = made.load(Ordering::Relaxed) + more;
            while made.load(Ordering::Relaxed) < wanted {
                assert!(since.elapsed() < PATIENCE, "a reader reads");
                std::thread::sleep(REST);
            }
        }
    }

    /// Everything that they saw, in the order of the answers.
    pub(crate) fn stop(self) -> Vec<Read> {
        self.stop.store(true, Ordering::Relaxed);
        let reads = self.threads.into_iter().flat_map(|thread| thread.join().expect("a reader reads"));
        let mut reads: Vec<Read> = reads.collect();
        reads.sort_by_key(|read| read.ended);
        reads
    }
}

async fn count_until(cluster: &Cluster, sql: &str, stop: &AtomicBool, made: &AtomicUsize) -> Vec<Read> {
    let (mut client, mut connection) = connect(cluster).await;
    let mut seen_so_far = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let seen = count(&client, sql).await;
        seen_so_far.push(Read { begun, ended: Instant::now(), seen });
        made.fetch_add(1, Ordering::Relaxed);
        if client.is_closed() {
            if let Some(Err(message)) = seen_so_far.last_mut().map(|last: &mut Read| &mut last.seen) {
                *message = format!("connection lost: {}", connection.await.expect("the connection ends"));
            }
            (client, connection) = connect(cluster).await;
        }
        tokio::time::sleep(REST).await;
    }
    seen_so_far
}

/// A client, and how its connection ends.
async fn connect(cluster: &Cluster) -> (Client, tokio::task::JoinHandle<String>) {
    let mut config = tokio_postgres::Config::new();
    config.host(&cluster.host).port(cluster.port).user(&cluster.admin.user).application_name("transship tests");
    if let Some(password) = &cluster.admin.password {
        config.password(password);
    }
    let (client, connection) = config.connect(NoTls).await.expect("a reader connects");
    (client, tokio::spawn(async { connection.await.err().map(|error| format!("{error:?}")).unwrap_or_default() }))
}

async fn count(client: &Client, sql: &str) -> Result<u64, String> {
    let answer = client.simple_query(sql).await;
    let messages = answer.map_err(|error| match error.as_db_error() {
        Some(db) => db.message().to_owned(),
        None => format!("{error:?}"),
    })?;
    let value = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    value.and_then(|count| count.parse().ok()).ok_or_else(|| "no count".to_owned())
}
