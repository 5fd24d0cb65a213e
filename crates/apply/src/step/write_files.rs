//! Reads rows from the source and writes them to files in a store, for what the source does not write itself, or not
//! exactly. Never repeated by itself: files lie in a place of this run alone.

use futures_util::future::join;
use tokio::sync::mpsc::{self, Receiver};
use transship_model::plan::WriteFiles;
use transship_model::spec::Format;
use transship_mover::Lines;
use transship_store::Store;

use super::context::Context;
use super::error::StepError;
use super::perform::Done;
use super::row_files::{Naming, RowFiles, WrittenFile};
use super::whole_source::WholeSource;
use super::{files, marks};
use crate::ledger::Exported;
use crate::servers::Moved;

/// Lines of so many batches wait for the store.
const QUEUE: usize = 2;

/// Exports.
pub(super) async fn write(cx: &Context<'_>, rows: &WriteFiles) -> Result<Done, StepError> {
    let cluster = &cx.step.cluster;
    let access = files::seen(cx, &rows.store, &rows.path, &rows.place)?;
    let store = Store::open(&rows.store, access, cx.redactor)?;
    let source = WholeSource::begin(cx, (cluster, &rows.from), &rows.unreadable).await?;
    // What the marks count, the refresh makes visible: what is written later is found as a change.
    let marks = marks::read(cx, cluster, &rows.mark, std::slice::from_ref(&rows.from)).await?;
    let marks = marks.get(&rows.from).cloned().unwrap_or_default();
    cx.query(cluster, &rows.refresh).await?;
    let (read, written, rest) = through(cx, rows, &store).await?;
    source.check(cx).await?;
    let note = told(read, &written, &rest);
    let names = |files: Vec<WrittenFile>| files.into_iter().map(|file| file.name).collect();
    let exported = Exported { rows: read, files: names(written), rest: names(rest), is_chosen: false, marks };
    cx.ledger.export(cx.step, (&rows.path, &rows.from), exported).await;
    Ok(Done { already: false, note: Some(note) })
}

/// All rows, and the files that hold them: as many as were read.
async fn through(
    cx: &Context<'_>,
    rows: &WriteFiles,
    store: &Store,
) -> Result<(u64, Vec<WrittenFile>, Vec<WrittenFile>), StepError> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let progress = |moved: Moved| cx.emitter.progress(&cx.step.id, format!("{} rows read", moved.read));
    let reading = cx.servers.read_rows(&cx.step.cluster, (&cx.step.sql[0], rows), sender, &progress, cx.cancel);
    let (mut main, mut rest) = (RowFiles::new(store, naming(rows)), RowFiles::new(store, naming_of_rest(rows)));
    let (read, written) = join(reading, take(cx, receiver, &mut main, &mut rest)).await;
    // Where the store took no more, the reading stopped for that reason.
    let outcome = written.and_then(|()| read.map_err(StepError::from));
    match outcome {
        Ok(read) => {
            cx.may_change()?;
            Ok((read, main.finish().await?, rest.finish().await?))
        }
        Err(error) => {
            main.abort().await;
            rest.abort().await;
            Err(error)
        }
    }
}

async fn take(
    cx: &Context<'_>,
    mut queue: Receiver<Lines>,
    main: &mut RowFiles<'_>,
    rest: &mut RowFiles<'_>,
) -> Result<(), StepError> {
    while let Some(lines) = queue.recv().await {
        cx.may_change()?;
        main.add(&lines.text, lines.rows).await?;
        rest.add(&lines.rest, lines.rest_rows).await?;
    }
    Ok(())
}

fn naming(rows: &WriteFiles) -> Naming<'_> {
    let columns = rows.columns.iter().map(|column| column.name.as_str());
    let (extension, header) = match rows.format {
        Format::Csv => ("csv", transship_mover::csv_header(columns)),
        Format::Json => ("json", String::new()),
    };
    Naming { path: &rows.path, stem: "rows", extension, packed: rows.compression.is_some(), header }
}

/// The files of rows that have no exact form in CSV.
fn naming_of_rest(rows: &WriteFiles) -> Naming<'_> {
    Naming { stem: "rest", extension: "json", header: String::new(), ..naming(rows) }
}

fn told(read: u64, written: &[WrittenFile], rest: &[WrittenFile]) -> String {
    let bytes: u64 = written.iter().chain(rest).map(|file| file.bytes).sum();
    let apart: u64 = rest.iter().map(|file| file.rows).sum();
    let note = format!("{read} rows in {} files, {bytes} bytes", written.len() + rest.len());
    if apart == 0 {
        note
    } else {
        format!("{note}; {apart} of them as JSON: CSV holds no empty text and no line break")
    }
}
