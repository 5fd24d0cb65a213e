//! The table of leases and every statement that reads or writes it.
//!
//! A lease is a row that somebody holds until it expires by the server's clock. Who holds it is decided by expressions that
//! CrateDB evaluates on the row as it is when it is written: of a condition in WHERE that is not so. Nothing is compared
//! with `_seq_no`, which also moves when somebody else asks for the lease in vain. `docs/locks.md` has what was tried.

use crate::ledger::{OPTIONS, SCHEMA};

/// The name of the table within [`SCHEMA`].
pub const TABLE: &str = "leases";

/// The binds that the rows of a statement share: workspace, environment, owner, holder, run.
const SHARED: usize = 5;

/// What the flow of a row begins with that says who waits.
const WAITS: &str = "?";

const KEY: &str = "(\"workspace\", \"environment\", \"flow\")";

const FREE: &str = "\"expires\" <= CURRENT_TIMESTAMP";

const OWN: &str = "\"owner\" = excluded.\"owner\" AND \"epoch\" = excluded.\"epoch\"";

/// Makes the table where it does not exist.
pub fn create_table() -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS \"{SCHEMA}\".\"{TABLE}\" (\"workspace\" TEXT, \"environment\" TEXT, \"flow\" TEXT, \
         \"owner\" TEXT NOT NULL, \"holder\" TEXT NOT NULL, \"run\" TEXT NOT NULL, \"epoch\" BIGINT NOT NULL, \
         \"taken\" TIMESTAMP WITH TIME ZONE NOT NULL, \"expires\" TIMESTAMP WITH TIME ZONE NOT NULL, \
         PRIMARY KEY {KEY}) {OPTIONS}"
    )
}

/// Takes the leases of `flows` flows that nobody holds, for `seconds`. Binds: workspace, environment, owner, holder, run,
/// then for each the flow and the lowest epoch to take it with. A row for each tells who holds it now, see
/// [`COLUMNS`]: the epoch goes up whenever another owner takes over.
pub fn take(flows: usize, seconds: u64) -> String {
    let until = format!("CURRENT_TIMESTAMP + INTERVAL '{seconds} seconds'");
    let free =
        |column: &str| format!("\"{column}\" = CASE WHEN {FREE} THEN excluded.\"{column}\" ELSE \"{column}\" END");
    let epoch = format!(
        "\"epoch\" = CASE WHEN NOT {FREE} THEN \"epoch\" WHEN excluded.\"epoch\" > \"epoch\" THEN excluded.\"epoch\" \
         ELSE \"epoch\" + 1 END"
    );
    let set = ["owner", "holder", "run", "taken", "expires"].map(free).join(", ");
    upsert(flows, &until, &format!("{set}, {epoch}"))
}

/// Holds leases for `seconds` from now. Binds as with [`take`], with the epochs that they were taken with.
pub fn renew(flows: usize, seconds: u64) -> String {
    let until = format!("CURRENT_TIMESTAMP + INTERVAL '{seconds} seconds'");
    upsert(flows, &until, &format!("\"expires\" = CASE WHEN {OWN} THEN excluded.\"expires\" ELSE \"expires\" END"))
}

/// Lets go of leases, which expire as of when they were taken. Binds as with [`renew`].
pub fn release(flows: usize) -> String {
    let set = format!("\"expires\" = CASE WHEN {OWN} THEN \"taken\" ELSE \"expires\" END");
    upsert(flows, "CURRENT_TIMESTAMP", &set)
}

/// Takes one lease away from who holds it, and holds it no moment. Binds: workspace, environment, the new owner, holder and
/// run, the flow and the new epoch, which is one higher than that of the lease, and at last the owner whose lease it is.
pub fn revoke() -> String {
    let theirs = "\"owner\" = $8 AND \"epoch\" < excluded.\"epoch\"";
    let set = ["owner", "holder", "run", "taken", "expires", "epoch"]
        .map(|column| format!("\"{column}\" = CASE WHEN {theirs} THEN excluded.\"{column}\" ELSE \"{column}\" END"));
    upsert(1, "CURRENT_TIMESTAMP", &set.join(", "))
}

/// Says that somebody waits for the leases of flows, for `seconds`. Binds as with [`take`], with flows by [`awaited`].
pub fn wait(flows: usize, seconds: u64) -> String {
    let until = format!("CURRENT_TIMESTAMP + INTERVAL '{seconds} seconds'");
    let set =
        ["owner", "holder", "run", "taken", "expires"].map(|column| format!("\"{column}\" = excluded.\"{column}\""));
    upsert(flows, &until, &set.join(", "))
}

/// The row of who waits for the lease of a flow: no flow has such a name.
pub fn awaited(flow: &str) -> String {
    format!("{WAITS}{flow}")
}

/// The flow that such a row is about.
pub fn flow_awaited(row: &str) -> &str {
    row.strip_prefix(WAITS).unwrap_or(row)
}

/// Who waits for flows. Binds: workspace, environment, the flows by [`awaited`], and the owner who does not count. Columns as
/// [`COLUMNS`]. The table is to be refreshed before.
pub fn waiting() -> String {
    format!(
        "SELECT {} FROM \"{SCHEMA}\".\"{TABLE}\" WHERE \"workspace\" = $1 AND \"environment\" = $2 AND \"flow\" = ANY($3) \
         AND \"owner\" <> $4 AND NOT {FREE}",
        columns()
    )
}

/// The columns of what all of these give, in their order; the last is the server's clock.
pub const COLUMNS: [&str; 8] = ["flow", "owner", "holder", "run", "epoch", "taken", "expires", "now"];

/// The leases of a workspace and environment that somebody holds. Binds: workspace, environment. Columns as
/// [`COLUMNS`]. The table is to be refreshed before.
pub fn held() -> String {
    format!(
        "SELECT {} FROM \"{SCHEMA}\".\"{TABLE}\" WHERE \"workspace\" = $1 AND \"environment\" = $2 AND NOT {FREE} \
         AND \"flow\" NOT LIKE '{WAITS}%' ORDER BY \"flow\"",
        columns()
    )
}

/// Makes what was written visible to [`held`].
pub fn refresh() -> String {
    format!("REFRESH TABLE \"{SCHEMA}\".\"{TABLE}\"")
}

fn columns() -> String {
    let [flow, owner, holder, run, epoch, taken, expires, now] = COLUMNS;
    let stored = [flow, owner, holder, run, epoch, taken, expires].map(|name| format!("\"{name}\"")).join(", ");
    format!("{stored}, CURRENT_TIMESTAMP AS \"{now}\"")
}

fn upsert(flows: usize, until: &str, set: &str) -> String {
    let row = |at: usize| {
        let flow = SHARED + 1 + 2 * at;
        format!("($1, $2, ${flow}, $3, $4, $5, ${}, CURRENT_TIMESTAMP, {until})", flow + 1)
    };
    let rows: Vec<String> = (0..flows).map(row).collect();
    format!(
        "INSERT INTO \"{SCHEMA}\".\"{TABLE}\" (\"workspace\", \"environment\", \"flow\", \"owner\", \"holder\", \"run\", \
         \"epoch\", \"taken\", \"expires\") VALUES {} ON CONFLICT {KEY} DO UPDATE SET {set} RETURNING {}",
        rows.join(", "),
        columns()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_own_flow_and_epoch() {
        let sql = take(2, 30);
        let rows = "VALUES ($1, $2, $6, $3, $4, $5, $7, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP + INTERVAL '30 seconds'), \
                    ($1, $2, $8, $3, $4, $5, $9, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP + INTERVAL '30 seconds') ON CONFLICT";
        assert!(sql.contains(rows), "{sql}");
        let held = "\"owner\" = CASE WHEN \"expires\" <= CURRENT_TIMESTAMP THEN excluded.\"owner\" ELSE \"owner\" END";
        assert!(sql.contains(held), "{sql}");
    }

    #[test]
    fn who_lets_go_changes_only_what_is_its_own() {
        let set = "DO UPDATE SET \"expires\" = CASE WHEN \"owner\" = excluded.\"owner\" AND \"epoch\" = excluded.\"epoch\" \
                   THEN \"taken\" ELSE \"expires\" END RETURNING";
        assert!(release(1).contains(set), "{}", release(1));
    }
}
