//! What ledgers of the sandbox say, held against what is there.

use std::collections::BTreeSet;

use serde_json::Value;
use transship_sandbox::Sandbox;

use crate::inventory::{has_ledger, quoted};

/// The row of a flow.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    pub(crate) flow: String,
    pub(crate) state: String,
    pub(crate) run: String,
    pub(crate) document: Value,
}

/// The rows of the workspace `sandboxed` on a cluster, by flow.
pub(crate) fn noted(sandbox: &Sandbox, cluster: &str) -> Vec<Noted> {
    if !has_ledger(sandbox, cluster) {
        return Vec::new();
    }
    let sql = "REFRESH TABLE transship.flows; SELECT flow, state, run, document FROM transship.flows \
               WHERE workspace = 'sandboxed' ORDER BY flow";
    let rows = sandbox.execute(cluster, sql).expect("a ledger that is there can be read").texts;
    let row = |row: Vec<Option<String>>| {
        let [flow, state, run, document] =
            <[_; 4]>::try_from(row).expect("four columns").map(Option::unwrap_or_default);
        let document = serde_json::from_str(&document).expect("the document is JSON");
        Noted { flow, state, run, document }
    };
    rows.into_iter().map(row).collect()
}

/// Which chunks of a copy aside the ledger takes for whole; an error where one of them has other rows. `by` is the column
/// of the copy that divides it, and the type of its bounds.
pub(crate) fn whole_chunks(
    sandbox: &Sandbox,
    cluster: &str,
    copying: &Value,
    (by, data_type): (&str, &str),
) -> Result<BTreeSet<usize>, String> {
    let copy = quoted(copying["copy"].as_str().expect("a name"));
    let chunks = copying["chunks"].as_array().expect("chunks");
    if sandbox.execute(cluster, &format!("REFRESH TABLE {copy}")).is_err() {
        // It has its name already.
        return Ok(BTreeSet::new());
    }
    let mut whole = BTreeSet::new();
    for (at, chunk) in chunks.iter().enumerate() {
        let Some(rows) = chunk["rows"].as_i64() else { continue };
        let range = range(chunk, chunks.get(at + 1), by, data_type);
        let sql = format!("SELECT count(*) FROM {copy} WHERE {range}");
        let found = sandbox.execute(cluster, &sql).map_err(|error| format!("{sql}: {error}"))?;
        if found.rows != [[transship_sandbox::Value::Int(rows)]] {
            return Err(format!(
                "the ledger has chunk {at} of {copy} with {rows} rows, and there are {:?}",
                found.rows
            ));
        }
        whole.insert(at);
    }
    Ok(whole)
}

/// The rows of a chunk; the first one has those without a value, too.
fn range(chunk: &Value, next: Option<&Value>, by: &str, data_type: &str) -> String {
    let by = format!("\"{}\"", by.replace('"', "\"\""));
    let bound = |chunk: &Value| Some(format!("'{}'::{data_type}", chunk["from"].as_str()?));
    let below = next.and_then(bound).map_or("true".to_owned(), |below| format!("{by} < {below}"));
    match bound(chunk) {
        Some(from) => format!("{by} >= {from} AND {below}"),
        None => format!("({by} IS NULL OR {below})"),
    }
}
