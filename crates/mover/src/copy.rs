//! One copy from its first connection to its last row.

use std::pin::pin;

use futures_util::future::{try_join, try_join_all};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, Receiver};

use crate::batch::Batch;
use crate::class;
use crate::error::MoveError;
use crate::job::{Done, Job, Progress};
use crate::read::{Reader, Reading};
use crate::tally::Tally;
use crate::write::Writer;

/// Copies every row that the job's select gives.
///
/// `progress` is told after every batch that was read or written. Once `cancel` ends, the copy stops and says so; to
/// drop the future stops it as well, and leaves the servers to notice by themselves.
pub async fn copy(
    job: &Job,
    progress: &(dyn Fn(Progress) + Send + Sync),
    cancel: impl Future<Output = ()> + Send,
) -> Result<Done, MoveError> {
    let tally = Tally::new(job.limits.shown, progress);
    let outcome = tokio::select! {
        biased;
        () = pin!(cancel) => Err(MoveError::Cancelled { progress: tally.progress() }),
        outcome = run(job, &tally) => outcome,
    };
    if outcome.is_err() {
        tally.stop().await;
    }
    if job.sensitive { outcome.map_err(class::hide) } else { outcome }
}

async fn run(job: &Job, tally: &Tally<'_>) -> Result<Done, MoveError> {
    let source = |error| MoveError::Source { error, progress: tally.progress() };
    let reading =
        Reading { end: &job.source, select: &job.select, values: &job.values, inner: &job.inner, limits: job.limits };
    let reader = Reader::open(&reading, tally).await.map_err(source)?;
    let columns = reader.columns.clone();
    let writers = (0..job.limits.writers.max(1)).map(|_| Writer::open(job, &columns, tally));
    let writers = try_join_all(writers).await?;
    let (sender, receiver) = mpsc::channel(writers.len());
    let receiver = Mutex::new(receiver);
    // What was read before the source failed is written; a writer that fails ends everything.
    let reading = async { Ok(reader.run(&reading, sender, tally).await) };
    let writing = try_join_all(writers.into_iter().map(|writer| drain(writer, &receiver)));
    let (read, _) = try_join(reading, writing).await?;
    read.map_err(|error| MoveError::Source { error, progress: tally.progress() })?;
    account(tally)
}

/// Writes what comes until nothing more comes.
async fn drain(mut writer: Writer<'_>, queue: &Mutex<Receiver<Batch>>) -> Result<(), MoveError> {
    loop {
        let next = queue.lock().await.recv().await;
        let Some(batch) = next else { break };
        writer.write(&batch).await?;
    }
    writer.close().await;
    Ok(())
}

/// Every row that was read has to be written or refused.
fn account(tally: &Tally<'_>) -> Result<Done, MoveError> {
    let progress = tally.progress();
    match progress {
        Progress { read, written, refused, .. } if read != written + refused => {
            Err(MoveError::Unaccounted { progress })
        }
        Progress { refused: 0, read, bytes, .. } => Ok(Done { rows: read, bytes }),
        _ => Err(tally.refusal(false)),
    }
}
