//! The ledger's tables and every statement that reads or writes them.
//!
//! All rows are addressed by primary keys that begin with (workspace, environment); without an environment the
//! second is the empty text. Reading by the whole primary key is realtime, anything else needs [`refresh`] before.

/// The schema of the ledger.
pub const SCHEMA: &str = "transship";

/// The names of the ledger's tables within [`SCHEMA`].
pub const TABLES: [&str; 4] = ["meta", "flows", "runs", "steps"];

/// The key of the row of `meta` that holds the ledger's format.
pub const FORMAT_KEY: &str = "format_version";

/// What all tables of the schema are made with.
pub(crate) const OPTIONS: &str = "CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = '0-1', column_policy = 'strict')";

/// Of a text that is indexed CrateDB takes 32,766 bytes and no more.
const LONG: &str = "INDEX OFF STORAGE WITH (columnstore = false)";

/// Makes the tables where they do not exist; each answers 1 row when it made its table and 0 when it was there. `meta` and
/// `flows` are those that a plan looks at: `flows` comes last, so that a ledger that was made by half is seen to be none.
pub fn create_tables() -> Vec<String> {
    let create = |table: &str, columns: &[String], key: &[&str]| {
        let key = key.iter().map(|name| format!(", \"{name}\"")).collect::<String>();
        format!(
            "CREATE TABLE IF NOT EXISTS \"{SCHEMA}\".\"{table}\" ({}, \
             PRIMARY KEY (\"workspace\", \"environment\"{key})) {OPTIONS}",
            columns.join(", ")
        )
    };
    let owner = ["\"workspace\" TEXT", "\"environment\" TEXT"];
    let with = |columns: &[&str]| [&owner[..], columns].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
    vec![
        create("meta", &with(&["\"key\" TEXT", "\"value\" TEXT NOT NULL"]), &["key"]),
        create(
            "runs",
            &with(&[
                "\"run\" TEXT",
                "\"state\" TEXT NOT NULL",
                "\"started\" TIMESTAMP WITH TIME ZONE NOT NULL",
                "\"finished\" TIMESTAMP WITH TIME ZONE",
                "\"tool_version\" TEXT NOT NULL",
                "\"digest\" TEXT NOT NULL",
            ]),
            &["run"],
        ),
        create(
            "steps",
            &with(&[
                "\"run\" TEXT",
                "\"step\" TEXT",
                "\"cluster\" TEXT NOT NULL",
                "\"kind\" TEXT NOT NULL",
                "\"state\" TEXT NOT NULL",
                "\"started\" TIMESTAMP WITH TIME ZONE",
                "\"finished\" TIMESTAMP WITH TIME ZONE",
                "\"code\" TEXT",
                &format!("\"message\" TEXT {LONG}"),
            ]),
            &["run", "step"],
        ),
        create(
            "flows",
            &with(&[
                "\"flow\" TEXT",
                &format!("\"document\" TEXT NOT NULL {LONG}"),
                "\"state\" TEXT NOT NULL",
                "\"run\" TEXT NOT NULL",
                "\"epoch\" BIGINT NOT NULL",
                "\"updated\" TIMESTAMP WITH TIME ZONE NOT NULL",
            ]),
            &["flow"],
        ),
    ]
}

/// Writes a row of `meta` unless it is there: workspace, environment, key, value. 1 row or 0.
pub fn insert_meta() -> String {
    format!(
        "INSERT INTO \"{SCHEMA}\".\"meta\" (\"workspace\", \"environment\", \"key\", \"value\") \
         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
    )
}

/// Reads a row of `meta` by primary key: workspace, environment, key. One column, `value`.
pub fn read_meta() -> String {
    format!(
        "SELECT \"value\" FROM \"{SCHEMA}\".\"meta\" WHERE \"workspace\" = $1 AND \"environment\" = $2 AND \"key\" = $3"
    )
}

/// Writes a row of `flows` unless a newer epoch has written it: workspace, environment, flow, document, state, run, epoch.
/// `updated` is the server's clock. One row tells what stands there now: epoch, run, and the version of the row for
/// [`delete_flow`].
pub fn upsert_flow() -> String {
    let newest = |name: &str| {
        format!("\"{name}\" = CASE WHEN excluded.\"epoch\" >= \"epoch\" THEN excluded.\"{name}\" ELSE \"{name}\" END")
    };
    let set = ["document", "state", "run", "updated", "epoch"].map(newest).join(", ");
    format!(
        "INSERT INTO \"{SCHEMA}\".\"flows\" (\"workspace\", \"environment\", \"flow\", \"document\", \"state\", \"run\", \
         \"epoch\", \"updated\") VALUES ($1, $2, $3, $4, $5, $6, $7, CURRENT_TIMESTAMP) \
         ON CONFLICT (\"workspace\", \"environment\", \"flow\") DO UPDATE SET {set} \
         RETURNING \"epoch\", \"run\", \"_seq_no\", \"_primary_term\""
    )
}

/// Deletes a row of `flows` in the version that was written last: workspace, environment, flow, `_seq_no`,
/// `_primary_term`. 1 row, or 0 when it was gone or written again.
pub fn delete_flow() -> String {
    format!(
        "DELETE FROM \"{SCHEMA}\".\"flows\" WHERE \"workspace\" = $1 AND \"environment\" = $2 AND \"flow\" = $3 \
         AND \"_seq_no\" = $4 AND \"_primary_term\" = $5"
    )
}

/// The epochs of rows of `flows`: workspace, environment, flows. Two columns, `flow` and `epoch`. By a list of keys CrateDB finds
/// only what was refreshed (6.4.0), so [`refresh`] comes first.
pub fn read_epochs() -> String {
    format!(
        "SELECT \"flow\", \"epoch\" FROM \"{SCHEMA}\".\"flows\" \
         WHERE \"workspace\" = $1 AND \"environment\" = $2 AND \"flow\" = ANY($3)"
    )
}

/// Reads who wrote a row of `flows` last, by primary key: workspace, environment, flow. Columns `state`, `run`.
pub fn read_flow_state() -> String {
    format!(
        "SELECT \"state\", \"run\" FROM \"{SCHEMA}\".\"flows\" \
         WHERE \"workspace\" = $1 AND \"environment\" = $2 AND \"flow\" = $3"
    )
}

/// Keeps every older epoch from writing a row of `flows` again: workspace, environment, flow, epoch. 1 row, or 0 where
/// there is none.
pub fn raise_epoch() -> String {
    format!(
        "UPDATE \"{SCHEMA}\".\"flows\" SET \"epoch\" = CASE WHEN \"epoch\" < $4 THEN $4 ELSE \"epoch\" END \
         WHERE \"workspace\" = $1 AND \"environment\" = $2 AND \"flow\" = $3"
    )
}

/// Writes a row of `runs`: workspace, environment, run, state, started, finished, `tool_version`, digest. Always 1 row.
pub fn upsert_run() -> String {
    upsert("runs", &["workspace", "environment", "run"], &["state", "started", "finished", "tool_version", "digest"])
}

/// Writes a row of `steps`: workspace, environment, run, step, cluster, kind, state, started, finished, code, message.
/// Always 1 row.
pub fn upsert_step() -> String {
    upsert(
        "steps",
        &["workspace", "environment", "run", "step"],
        &["cluster", "kind", "state", "started", "finished", "code", "message"],
    )
}

/// The key of the row of `meta` that holds the options of a run, as JSON; without the row, it had none.
pub fn options_key(run: &str) -> String {
    format!("options/{run}")
}

/// Reads the flows that a run has begun and no run has ended: workspace, environment. Columns `flow`, `run`.
pub fn unfinished_flows() -> String {
    format!(
        "SELECT \"flow\", \"run\" FROM \"{SCHEMA}\".\"flows\" \
         WHERE \"workspace\" = $1 AND \"environment\" = $2 AND \"state\" <> 'done'"
    )
}

/// Reads the newest rows of `runs`, the newest first: workspace, environment. Columns `run`, `state`, `started`, `finished`,
/// `tool_version`, `digest`.
pub fn newest_runs(limit: u32) -> String {
    format!(
        "SELECT \"run\", \"state\", \"started\", \"finished\", \"tool_version\", \"digest\" FROM \"{SCHEMA}\".\"runs\" \
         WHERE \"workspace\" = $1 AND \"environment\" = $2 ORDER BY \"run\" DESC LIMIT {limit}"
    )
}

/// Reads one row of `runs` by primary key: workspace, environment, run. Columns as [`newest_runs`].
pub fn read_run() -> String {
    format!(
        "SELECT \"run\", \"state\", \"started\", \"finished\", \"tool_version\", \"digest\" FROM \"{SCHEMA}\".\"runs\" \
         WHERE \"workspace\" = $1 AND \"environment\" = $2 AND \"run\" = $3"
    )
}

/// Counts the steps of runs by how they ended: workspace, environment, the runs as a list. Columns `run`, `state`, `steps`.
pub fn count_steps() -> String {
    format!(
        "SELECT \"run\", \"state\", count(*) AS \"steps\" FROM \"{SCHEMA}\".\"steps\" \
         WHERE \"workspace\" = $1 AND \"environment\" = $2 AND \"run\" = ANY($3) GROUP BY \"run\", \"state\""
    )
}

/// Reads the steps of one run: workspace, environment, run. Columns `step`, `cluster`, `kind`, `state`, `started`, `finished`,
/// `code`, `message`.
pub fn steps_of_run() -> String {
    format!(
        "SELECT \"step\", \"cluster\", \"kind\", \"state\", \"started\", \"finished\", \"code\", \"message\" \
         FROM \"{SCHEMA}\".\"steps\" WHERE \"workspace\" = $1 AND \"environment\" = $2 AND \"run\" = $3 \
         ORDER BY \"started\", \"step\""
    )
}

/// Makes what was written visible to reads that are not by primary key.
pub fn refresh() -> String {
    let tables = TABLES.map(|table| format!("\"{SCHEMA}\".\"{table}\"")).join(", ");
    format!("REFRESH TABLE {tables}")
}

/// An insert that overwrites by primary key.
fn upsert(table: &str, key: &[&str], columns: &[&str]) -> String {
    let quoted = |names: &[&str]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>();
    let all = [key, columns].concat();
    let values: Vec<String> = (1..=all.len()).map(|number| format!("${number}")).collect();
    let assignments: Vec<String> = quoted(columns).iter().map(|name| format!("{name} = excluded.{name}")).collect();
    format!(
        "INSERT INTO \"{SCHEMA}\".\"{table}\" ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}",
        quoted(&all).join(", "),
        values.join(", "),
        quoted(key).join(", "),
        assignments.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_key_and_is_strict() {
        let keys = ["\"key\"", "\"flow\"", "\"run\"", "\"run\", \"step\""];
        let statements = create_tables();
        assert_eq!(statements.len(), TABLES.len());
        for (table, key) in TABLES.iter().zip(keys) {
            let begins = format!("CREATE TABLE IF NOT EXISTS \"transship\".\"{table}\" (");
            let statement = statements.iter().find(|statement| statement.starts_with(&begins)).expect("every table");
            assert!(statement.contains(&format!("PRIMARY KEY (\"workspace\", \"environment\", {key})) CLUSTERED")));
            assert!(statement.ends_with("(number_of_replicas = '0-1', column_policy = 'strict')"), "{statement}");
        }
    }

    #[test]
    fn an_upsert_overwrites_everything_but_the_key() {
        assert_eq!(
            upsert_run(),
            "INSERT INTO \"transship\".\"runs\" (\"workspace\", \"environment\", \"run\", \"state\", \"started\", \
             \"finished\", \"tool_version\", \"digest\") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (\"workspace\", \"environment\", \"run\") DO UPDATE SET \"state\" = excluded.\"state\", \
             \"started\" = excluded.\"started\", \"finished\" = excluded.\"finished\", \
             \"tool_version\" = excluded.\"tool_version\", \"digest\" = excluded.\"digest\""
        );
        assert!(upsert_step().contains("VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"));
    }

    #[test]
    fn a_row_of_a_flow_stays_as_a_newer_epoch_wrote_it() {
        let sql = upsert_flow();
        for column in ["document", "state", "run", "updated", "epoch"] {
            let set = format!(
                "\"{column}\" = CASE WHEN excluded.\"epoch\" >= \"epoch\" THEN excluded.\"{column}\" ELSE \"{column}\" END"
            );
            assert!(sql.contains(&set), "{sql}");
        }
    }
}
