//! Writes rows of the source to files in a store. Never repeated by itself: files lie in a place of this run alone.

use std::collections::BTreeSet;

use secrecy::SecretString;
use transship_cluster::Bind;
use transship_model::TableName;
use transship_model::plan::{ExportRows, MakeDirectory, ObjectRef};
use transship_sql::bulk::Bulk;
use transship_sql::transfer::{self, Compression};

use super::context::{Context, LIMIT};
use super::create_repository::repositories;
use super::error::StepError;
use super::marks::Marks;
use super::perform::Done;
use super::watch::{self, Look, Seen};
use super::whole_source::WholeSource;
use super::{files, marks};
use crate::catalog;
use crate::ledger::Exported;

/// Exports.
pub(super) async fn export(cx: &Context<'_>, rows: &ExportRows) -> Result<Done, StepError> {
    let cluster = &cx.step.cluster;
    let Some(Bulk::CopyTo(export)) = Bulk::read(&cx.step.sql[0]) else {
        return Err(cx.wrong("its statement does something else"));
    };
    let uri = files::place(cx)?;
    if let Some(directory) = &rows.directory {
        make(cx, directory).await?;
    }
    let source = WholeSource::begin(cx, (cluster, &rows.from), &rows.unreadable).await?;
    let marks = read_marks(cx, rows).await?;
    cx.query(cluster, &rows.refresh).await?;
    let counted = cx.look(cluster, &rows.count, catalog::read_count).await?;
    let mut files = file_names(cx, rows, export.compression).await?;
    let exported = copy_to(cx, rows, uri, counted).await?;
    source.check(cx).await?;
    // Partitions may have come meanwhile.
    files.extend(file_names(cx, rows, export.compression).await?);
    let mut note = format!("{exported} rows");
    if exported != counted {
        if read_marks(cx, rows).await? == marks {
            return Err(StepError::ExportDiffers { table: rows.from.clone(), counted, exported });
        }
        note = format!("{exported} rows; {counted} were counted before, and the table was written to meanwhile");
    }
    let is_chosen = export.condition.is_some();
    let exported = Exported { rows: exported, files, rest: BTreeSet::new(), is_chosen, marks };
    cx.ledger.export(cx.step, (&rows.path, &rows.from), exported).await;
    Ok(Done { already: false, note: Some(note) })
}

/// Sends COPY TO, and tells what lies in the store meanwhile, as far as this machine sees it. That is no sign of life: nodes
/// write in pieces, show a file in a bucket when it is whole, and look long for rows that a condition leaves over.
async fn copy_to(cx: &Context<'_>, rows: &ExportRows, uri: SecretString, counted: u64) -> Result<u64, StepError> {
    let store = cx.store(&rows.store).ok();
    let store = store.as_ref();
    let look = || -> Look<'_> {
        Box::pin(async move {
            let objects = match store {
                Some(store) => store.list(&rows.path).await.unwrap_or_default(),
                None => Vec::new(),
            };
            let size: u64 = objects.iter().map(|object| object.size).sum();
            let text = match objects.len() {
                0 => format!("{counted} rows to write"),
                files => format!("{counted} rows to write; {files} files of {} MiB so far", size >> 20),
            };
            Ok(Seen { number: None, text })
        })
    };
    let binds = [Bind::Secret(uri)];
    let statement = cx.execute(&cx.step.sql[0], &binds, rows.timeout.as_duration());
    watch::watched(cx, statement, look).await
}

/// Makes the directory by a repository in it, which is dropped again; also one that a run left which was cut here.
async fn make(cx: &Context<'_>, directory: &MakeDirectory) -> Result<(), StepError> {
    if let Some((kind, settings)) = repositories(cx, &cx.step.cluster).await?.get(&directory.repository) {
        // An earlier run of the flow left it, if it is for a directory of the flow's exports.
        let is_ours =
            |location: &String| location.strip_prefix(&directory.below).is_some_and(|rest| rest.starts_with('/'));
        if kind != "fs" || !settings.get("location").is_some_and(is_ours) {
            let object = ObjectRef::repository(&cx.step.cluster, &directory.repository);
            return Err(StepError::Changed {
                object,
                how: "is there, and is for something else than the flow's exports",
            });
        }
        cx.execute(&directory.drop, &[], LIMIT).await?;
    }
    cx.execute(&directory.create, &[], LIMIT).await?;
    cx.execute(&directory.drop, &[], LIMIT).await.map(|_| ())
}

async fn read_marks(cx: &Context<'_>, rows: &ExportRows) -> Result<Marks, StepError> {
    let marks = marks::read(cx, &cx.step.cluster, &rows.mark, std::slice::from_ref(&rows.from)).await?;
    Ok(marks.get(&rows.from).cloned().unwrap_or_default())
}

/// The files that the primary shards write.
async fn file_names(cx: &Context<'_>, rows: &ExportRows, packed: Compression) -> Result<BTreeSet<String>, StepError> {
    let primaries = cx.look(&cx.step.cluster, &rows.mark, catalog::read_checkpoints).await?;
    Ok(primaries.into_keys().filter_map(|key| file_name(key, packed)).collect())
}

fn file_name((table, partition, shard): (TableName, String, i64), compression: Compression) -> Option<String> {
    let shard = i32::try_from(shard).ok()?;
    Some(transfer::file_name(&table.table, shard, &partition, compression))
}
