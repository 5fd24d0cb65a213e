//! Has an external program fill copies aside, and counts what is there: as many rows as it says. It may ask to be run once
//! more: nobody but it has seen the copies, and they are emptied before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use transship_model::TableName;
use transship_model::plan::{CommandTable, RunCommand};
use transship_sql::lookup;

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::marks::{self, Marks};
use super::perform::Done;
use super::whole_source::WholeSource;
use crate::catalog;
use crate::command::{self, Ending, Output, Start};
use crate::ledger::Filled;

/// What a program exits with that asks to be run once more (`EX_TEMPFAIL`).
const AGAIN: i32 = 75;

/// A table before the program has seen it.
struct Before<'a> {
    table: &'a CommandTable,
    /// The table that is read.
    source: WholeSource<'a>,
    marks: Marks,
    /// The identities of the copy's indices: none where it has partitions, which come with the rows.
    indices: BTreeSet<String>,
    /// Its columns.
    columns: BTreeSet<String>,
}

/// Runs it.
pub(super) async fn run(cx: &Context<'_>, command: &RunCommand) -> Result<Done, StepError> {
    let before = before(cx, command).await?;
    let reported = attempts(cx, command).await?;
    let mut notes = Vec::new();
    for table in before {
        let rows = reported.get(&table.table.to).copied().unwrap_or_default();
        notes.push(format!("{}: {rows} rows", table.table.to));
        take(cx, table, rows).await?;
    }
    Ok(Done { already: false, note: Some(notes.join(", ")) })
}

/// What the marks count, the refresh makes visible: what is written later is found as a change.
async fn before<'a>(cx: &Context<'_>, command: &'a RunCommand) -> Result<Vec<Before<'a>>, StepError> {
    let mut all = Vec::new();
    for table in &command.tables {
        let source = WholeSource::begin(cx, (&command.source, &table.from), &table.unreadable).await?;
        let found = marks::read(cx, &command.source, &table.mark, std::slice::from_ref(&table.from)).await?;
        let marks = found.get(&table.from).cloned().unwrap_or_default();
        cx.query(&command.source, &table.refresh_source).await?;
        let indices = cx.indices(&cx.step.cluster, &table.into).await?;
        let columns = columns(cx, table).await?;
        all.push(Before { table, source, marks, indices, columns });
    }
    Ok(all)
}

/// Runs the program until it does not ask to be run once more, and tells what it says.
async fn attempts(cx: &Context<'_>, command: &RunCommand) -> Result<BTreeMap<TableName, u64>, StepError> {
    let (began, limit, mut retry) = (cx.clock.elapsed(), command.timeout.as_duration(), cx.retry());
    for attempt in 0.. {
        let left = limit.saturating_sub(cx.clock.elapsed().saturating_sub(began));
        let (code, result, last) = once(cx, command, (attempt, left, limit)).await?;
        let failed = |how| StepError::CommandFailed { program: program(command), how, last: last.clone() };
        match code {
            0 => {
                let tables = command.tables.iter().map(|table| &table.to).collect();
                let read = command::read(&result, &tables);
                return read.map_err(|reason| StepError::CommandResult { program: program(command), reason });
            }
            AGAIN if retry.again().await => empty(cx, command).await?,
            AGAIN if cx.cancel.is_requested() => return Err(StepError::Cancelled),
            AGAIN => return Err(failed(format!("asked {} times to be run again", attempt + 1))),
            129..=192 => return Err(failed(format!("was ended by signal {}", code - 128))),
            _ => return Err(failed(format!("ended with {code}"))),
        }
    }
    Err(cx.wrong("it is run without end"))
}

/// Runs the program once, and tells what it exits with, its result and its last line.
async fn once(
    cx: &Context<'_>,
    command: &RunCommand,
    (attempt, left, limit): (u32, Duration, Duration),
) -> Result<(i32, Vec<u8>, Option<String>), StepError> {
    let Some(host) = cx.host else { return Err(cx.wrong("no programs are started here")) };
    let document = command::document((cx.plan, cx.step, cx.ledger.run()), command, cx.access, attempt);
    let document = document.ok_or_else(|| cx.wrong("one of its clusters is not one of the workspace"))?;
    let output = Output::new((&cx.step.id, command.sensitive), cx.emitter, cx.redactor, cx.clock);
    let start = Start { host, run: &command.run, input: &document, redactor: cx.redactor, limit: left };
    cx.may_change()?;
    let ending = command::run(&start, &output, (cx.clock, cx.cancel)).await;
    output.finish().await;
    match ending {
        Ok(Ending::Exited(code, result)) => Ok((code, result, output.last())),
        Ok(Ending::Cancelled) => Err(StepError::Cancelled),
        Ok(Ending::TimedOut) => {
            let state = format!("`{}` was ended", program(command));
            Err(StepError::TimedOut { limit, state })
        }
        Err(command::NotStarted(reason)) => Err(StepError::CommandNotStarted { program: program(command), reason }),
    }
}

/// Takes away what the program wrote before it asked to be run once more.
async fn empty(cx: &Context<'_>, command: &RunCommand) -> Result<(), StepError> {
    for table in &command.tables {
        cx.query(&cx.step.cluster, &table.refresh).await?;
        cx.execute(&table.clear, &[], LIMIT).await?;
        cx.query(&cx.step.cluster, &table.refresh).await?;
        count(cx, table, 0).await?;
    }
    Ok(())
}

/// A copy has as many rows as were reported, and is the one that was made for them.
async fn take(cx: &Context<'_>, before: Before<'_>, rows: u64) -> Result<(), StepError> {
    let (table, cluster) = (before.table, &cx.step.cluster);
    before.source.check(cx).await?;
    if cx.existing(cluster, &[table.into.clone()].into()).await?.is_empty() {
        return Err(cx.changed(&table.into, "is gone: the program may not drop what it is to fill"));
    }
    cx.query(cluster, &table.refresh).await?;
    count(cx, table, rows).await?;
    let indices = cx.indices(cluster, &table.into).await?;
    if !before.indices.is_subset(&indices) {
        return Err(cx.changed(&table.into, "was made again: the program may not do that with what it is to fill"));
    }
    if columns(cx, table).await? != before.columns {
        return Err(cx.changed(&table.into, "has other columns than it was given: what is declared makes them"));
    }
    let filled = Filled { rows, indices, marks: before.marks, began: None, cursor: None };
    cx.ledger.fill(cx.step, &table.into, filled).await;
    Ok(())
}

/// The columns of a copy that are no part of an object: values may bring those.
async fn columns(cx: &Context<'_>, table: &CommandTable) -> Result<BTreeSet<String>, StepError> {
    let all = cx.look(&cx.step.cluster, &lookup::column_ids(&table.into), catalog::read_ids).await?;
    Ok(all.into_keys().filter(|name| !name.contains("['")).collect())
}

async fn count(cx: &Context<'_>, table: &CommandTable, reported: u64) -> Result<(), StepError> {
    let found = cx.look(&cx.step.cluster, &table.count, catalog::read_count).await?;
    if found == reported {
        return Ok(());
    }
    Err(StepError::CommandCounts { table: table.to.clone(), found, reported })
}

fn program(command: &RunCommand) -> String {
    command.run.first().cloned().unwrap_or_default()
}
