//! One copy from its first connection to its last row.

use std::pin::pin;

use futures_util::future::join;
use tokio::sync::{Mutex, mpsc};

use crate::class;
use crate::crew::Crew;
use crate::error::MoveError;
use crate::job::{Done, Job, Limits, Progress, Watch};
use crate::making::Making;
use crate::read::{Column, Reader, Reading};
use crate::tally::Tally;
use crate::write::Writer;

/// Copies every row that the job's select gives.
///
/// `watch` is told after every batch that was read or written, and of every part. Once `cancel` ends, the copy stops and
/// says so; to drop the future stops it as well, and leaves the servers to notice by themselves.
pub async fn copy(job: &Job, watch: &dyn Watch, cancel: impl Future<Output = ()> + Send) -> Result<Done, MoveError> {
    let tally = Tally::new(job.limits.shown, watch);
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
    let parameters = job.parts.first().map_or(0, Vec::len);
    let (end, select, inner, limits) = (&job.source, &*job.select, &*job.inner, job.limits);
    let mut reading = Reading { end, select, parameters, inner, limits, making: None };
    let reader = Reader::open(&reading, tally).await.map_err(source)?;
    let read = reader.columns.clone();
    let gives = written(job, &read)?;
    if let Some(transform) = &job.transform {
        reading.making = Some(Making::new(transform.over(&read).map_err(changed)?, job, &gives));
    }
    let writer = Writer::open(job, &gives, tally).await?;
    reading.limits.rows = writer.rows();
    let crew = Crew::new(job, reading, tally, (&read, &gives));
    let (sender, receiver) = mpsc::channel(limits.writers.most.max(1));
    let queue = Mutex::new(receiver);
    // What was read before the source failed is written; after a writer that fails the others end what they are at.
    let (outcome, ()) = join(crew.read(reader, sender), crew.write(writer, &queue)).await;
    let now = |error: MoveError| error.after(tally.progress());
    if let Some(failed) = crew.stopped_by() {
        return Err(now(failed));
    }
    outcome.map_err(now)?;
    account(tally, limits)
}

/// The columns of the rows that are written.
fn written(job: &Job, read: &[Column]) -> Result<Vec<Column>, MoveError> {
    job.transform.as_ref().map_or_else(|| Ok(read.to_vec()), |transform| transform.gives(read).map_err(changed))
}

const fn changed(problem: String) -> MoveError {
    MoveError::Columns { problem }
}

/// Every row that was read has to be written or refused.
fn account(tally: &Tally<'_>, limits: Limits) -> Result<Done, MoveError> {
    let progress = tally.progress();
    match progress {
        Progress { read, written, refused, .. } if read != written + refused => {
            Err(MoveError::Unaccounted { progress })
        }
        Progress { refused: 0, read, bytes, .. } => Ok(Done { rows: read, bytes }),
        _ => Err(tally.refusal(progress.refused >= limits.refused)),
    }
}
