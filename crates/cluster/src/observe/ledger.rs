//! The ledger of one workspace and environment, as far as it can be read.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::ledger::{FlowRow, LEDGER_FORMAT, LedgerEntry, LedgerView};
use transship_model::{FlowId, TableName};
use transship_sql::ledger::{FORMAT_KEY, SCHEMA as LEDGER_SCHEMA};
use transship_sql::observe as catalog;

use super::answers::{Answers, Problem};
use crate::error::{ClusterError, ErrorKind};
use crate::value::{Rows, ValueError};

/// Reads the ledger. `hidden` are the tables that exist although the user may not see them.
pub(super) fn view(answers: &mut Answers, hidden: &BTreeSet<TableName>) -> Result<LedgerView, Problem> {
    drop(answers.take(catalog::LEDGER_REFRESH));
    let (meta, flows) = (answers.take(catalog::LEDGER_META), answers.take(catalog::LEDGER_FLOWS));
    let (meta, flows) = match (meta, flows) {
        (Ok(meta), Ok(flows)) => (meta, flows),
        (Err(error), _) | (Ok(_), Err(error)) => return unread(error, hidden),
    };
    match format(&meta)? {
        Err(problem) => Ok(LedgerView::Unreadable(problem)),
        Ok(format) if format > LEDGER_FORMAT => Ok(LedgerView::Newer(format)),
        Ok(_) => rows(&flows),
    }
}

/// What a ledger is that gives an error: hidden tables look exactly like tables that do not exist. One that was made by
/// half is absent, so that the other half is planned.
fn unread(error: ClusterError, hidden: &BTreeSet<TableName>) -> Result<LedgerView, Problem> {
    let hidden = hidden.iter().any(|table| table.schema == LEDGER_SCHEMA);
    match &error.kind {
        ErrorKind::NotFound { .. } if !hidden => Ok(LedgerView::Absent),
        ErrorKind::NotFound { .. } => Ok(LedgerView::Unreadable(format!(
            "schema `{LEDGER_SCHEMA}` has tables that this user may not read ({})",
            error.message
        ))),
        ErrorKind::ConnectionLost | ErrorKind::Timeout | ErrorKind::Killed => Err(error.into()),
        _ => Ok(LedgerView::Unreadable(error.message.clone())),
    }
}

/// The format; that of this transship where no run has written one yet.
fn format(meta: &Rows) -> Result<Result<u32, String>, ValueError> {
    for row in 0..meta.len() {
        if meta.text(row, "key")? == FORMAT_KEY {
            let value = meta.opt_text(row, "value")?.unwrap_or_default();
            return Ok(value.parse().map_err(|_| format!("its format `{value}` is not a number")));
        }
    }
    Ok(Ok(LEDGER_FORMAT))
}

fn rows(flows: &Rows) -> Result<LedgerView, Problem> {
    let mut found = BTreeMap::new();
    for row in 0..flows.len() {
        let flow = flows.text(row, "flow")?;
        let document = flows.opt_text(row, "document")?.unwrap_or_default();
        match (flow.parse::<FlowId>(), serde_json::from_str::<FlowRow>(document)) {
            (Ok(id), Ok(flow_row)) => {
                let run = flows.opt_text(row, "run")?.unwrap_or_default().to_owned();
                found.insert(id, LedgerEntry { run, row: flow_row })
            }
            (Err(problem), _) => return Ok(LedgerView::Unreadable(problem.to_string())),
            (_, Err(problem)) => return Ok(LedgerView::Unreadable(format!("the row of flow `{flow}`: {problem}"))),
        };
    }
    Ok(LedgerView::Present(found))
}
