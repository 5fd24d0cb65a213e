//! Who reads and who writes: as many at a time as the [`Pace`] finds worth it, each with a connection of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::{Mutex, OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use crate::batch::Batch;
use crate::error::MoveError;
use crate::job::{End, Job};
use crate::memory::Memory;
use crate::pace::{Note, Pace, Setting};
use crate::read::{Column, Out, Reader, Reading};
use crate::tally::Tally;
use crate::write::Writer;

/// A statement gets no smaller for a target that is busy or slow.
const FEWEST_ROWS: usize = 100;

/// How long somebody waits who finds no place for a connection.
const PLACES: Duration = Duration::from_secs(3);

/// Everybody who works at one copy.
pub(crate) struct Crew<'a> {
    job: &'a Job,
    reading: Reading<'a>,
    tally: &'a Tally<'a>,
    /// The columns of rows that are read, and of those that are written.
    columns: (&'a [Column], &'a [Column]),
    memory: Memory,
    began: Instant,
    pace: std::sync::Mutex<Pace>,
    /// What went wrong at the target, after which everybody ends what they are at and begins nothing: as few rows as can
    /// be are left of which nobody knows, and whoever repairs it meets no statement that is still on its way.
    failed: OnceLock<MoveError>,
    /// The part that is read next.
    next: AtomicUsize,
    state: watch::Sender<State>,
}

/// What everybody waits for.
#[derive(Clone, Copy, Debug)]
struct State {
    setting: Setting,
    /// Whether there are parts that nobody reads yet.
    has_parts: bool,
    /// Whether everything is read.
    is_read: bool,
    /// Whether nothing more is to be written.
    is_stopped: bool,
}

impl<'a> Crew<'a> {
    /// For rows of `columns`, those that are read and those that are written.
    pub(crate) fn new(
        job: &'a Job,
        reading: Reading<'a>,
        tally: &'a Tally<'a>,
        columns: (&'a [Column], &'a [Column]),
    ) -> Self {
        let rows = reading.limits.rows;
        let at_least_one = |count: usize| count.max(1);
        let (readers, writers) = (job.limits.readers, job.limits.writers);
        let first = Setting { readers: at_least_one(readers.first), writers: at_least_one(writers.first), rows };
        let most = Setting { readers: readers.most.max(first.readers), writers: writers.most.max(first.writers), rows };
        Self {
            job,
            reading,
            tally,
            columns,
            memory: Memory::new(job.limits.memory),
            began: Instant::now(),
            pace: std::sync::Mutex::new(Pace::new(first, most, FEWEST_ROWS)),
            failed: OnceLock::new(),
            next: AtomicUsize::new(0),
            state: watch::Sender::new(State { setting: first, has_parts: true, is_read: false, is_stopped: false }),
        }
    }

    /// Reads all parts, the first of them by `first`.
    pub(crate) async fn read(&self, first: Reader, queue: Sender<Batch>) -> Result<(), MoveError> {
        let mut first = Some(first);
        let readers = (0..self.job.limits.readers.most.max(1)).map(|at| self.reader(at, first.take(), &queue));
        let read = try_join_all(readers).await;
        drop(queue);
        self.state.send_modify(|state| state.is_read = true);
        read.map(drop)
    }

    /// Writes all batches, the first of them by `first`.
    pub(crate) async fn write<'w>(&'w self, first: Writer<'w>, queue: &Mutex<Receiver<Batch>>) {
        let mut first = Some(first);
        let writers = (0..self.job.limits.writers.most.max(1)).map(|at| self.writer(at, first.take(), queue));
        join_all(writers).await;
    }

    async fn reader(&self, at: usize, first: Option<Reader>, queue: &Sender<Batch>) -> Result<(), MoveError> {
        let failed = |error| MoveError::Source { error, progress: self.tally.progress() };
        let (mut reader, mut place) = (first, None);
        let out = Out { queue, memory: &self.memory, tally: self.tally };
        while self.may_read(at).await {
            if reader.is_none() && at > 0 && !take_place(&self.job.source, &mut place) {
                self.wait_for_place().await;
                continue;
            }
            let Some(part) = self.next_part() else { break };
            let open = match reader.take() {
                Some(open) => open,
                None => Reader::open(&self.reading, self.tally).await.map_err(failed)?,
            };
            let open = reader.insert(open);
            if open.columns != self.columns.0 {
                let problem = "the source gives other columns than before".to_owned();
                return Err(MoveError::Columns { problem });
            }
            if !open.read(&self.reading, (part, &self.job.parts[part]), &out).await.map_err(failed)? {
                // Nobody takes rows any more, or too many cannot be made: what is left is not begun.
                self.state.send_modify(|state| state.has_parts = false);
            }
        }
        if let Some(reader) = reader {
            reader.close().await;
        }
        Ok(())
    }

    /// Writes what comes, until nothing more comes or something goes wrong.
    async fn writer<'w>(&'w self, at: usize, first: Option<Writer<'w>>, queue: &Mutex<Receiver<Batch>>) {
        let (mut writer, mut place) = (first, None);
        loop {
            if at > 0 && self.setting().writers <= at {
                // A connection that waits for long may be gone when it is wanted again.
                if let Some(idle) = writer.take() {
                    idle.close().await;
                }
                place = None;
            }
            if !self.may_write(at).await {
                break;
            }
            if writer.is_none() && at > 0 && place.is_none() && !take_place(&self.job.target, &mut place) {
                self.wait_for_place().await;
                continue;
            }
            let asked = Instant::now();
            let Some(batch) = self.next_batch(queue).await else { break };
            let waited = asked.elapsed();
            if let Err(error) = self.write_one(&mut writer, batch, waited).await {
                self.stop(error, queue).await;
                break;
            }
        }
        if let Some(writer) = writer {
            writer.close().await;
        }
    }

    async fn write_one<'w>(
        &'w self,
        writer: &mut Option<Writer<'w>>,
        batch: Batch,
        waited: Duration,
    ) -> Result<(), MoveError> {
        let began = Instant::now();
        let open = match writer.take() {
            Some(open) => open,
            None => Writer::open(self.job, self.columns.1, self.tally).await?,
        };
        let open = writer.insert(open);
        open.write(&batch, self.setting().rows).await?;
        let busy = std::mem::take(&mut open.was_busy);
        self.note(Note { rows: batch.rows() as u64, took: began.elapsed(), waited, busy });
        Ok(())
    }
}

impl Crew<'_> {
    fn setting(&self) -> Setting {
        self.state.borrow().setting
    }

    /// Waits until so many read; `false` once there is nothing to read.
    async fn may_read(&self, at: usize) -> bool {
        let mut state = self.state.subscribe();
        let state = state.wait_for(|state| state.setting.readers > at || !state.has_parts).await;
        state.is_ok_and(|state| state.has_parts)
    }

    /// Waits until so many write; `false` once the others are enough for what is left.
    async fn may_write(&self, at: usize) -> bool {
        let mut state = self.state.subscribe();
        let state = state.wait_for(|state| state.setting.writers > at || state.is_read).await;
        state.is_ok_and(|state| state.setting.writers > at)
    }

    /// The batch that is next; none once all are written, or nothing more is to be.
    async fn next_batch(&self, queue: &Mutex<Receiver<Batch>>) -> Option<Batch> {
        let mut state = self.state.subscribe();
        let taking = async { queue.lock().await.recv().await };
        tokio::select! {
            biased;
            _ = state.wait_for(|state| state.is_stopped) => None,
            batch = taking => batch,
        }
    }

    /// Others have all the places: one may be free after a while.
    async fn wait_for_place(&self) {
        let mut state = self.state.subscribe();
        tokio::select! {
            _ = state.changed() => {}
            () = tokio::time::sleep(PLACES) => {}
        }
    }

    fn next_part(&self) -> Option<usize> {
        let part = self.next.fetch_add(1, Ordering::Relaxed);
        if part + 1 >= self.job.parts.len() {
            self.state.send_if_modified(|state| std::mem::replace(&mut state.has_parts, false));
        }
        (part < self.job.parts.len()).then_some(part)
    }

    /// Why everybody stopped, if so.
    pub(crate) fn stopped_by(self) -> Option<MoveError> {
        self.failed.into_inner()
    }

    /// Has everybody stop: readers find nobody who takes their batches.
    async fn stop(&self, why: MoveError, queue: &Mutex<Receiver<Batch>>) {
        // The first is told.
        self.failed.set(why).ok();
        self.state.send_modify(|state| {
            state.is_stopped = true;
            state.has_parts = false;
        });
        let mut queue = queue.lock().await;
        queue.close();
        while queue.try_recv().is_ok() {}
    }

    fn note(&self, note: Note) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.note(self.began.elapsed(), note) {
            let setting = pace.setting();
            self.state.send_modify(|state| state.setting = setting);
        }
    }
}

/// Takes a place for one more connection, if there is one.
fn take_place(end: &End, place: &mut Option<OwnedSemaphorePermit>) -> bool {
    let Some(more) = &end.more else { return true };
    *place = Arc::clone(more).try_acquire_owned().ok();
    place.is_some()
}
