//! Logical replication through one address of the PostgreSQL wire, until all rows are there.

use std::time::{Duration, Instant};

use transship_cluster::{Bind, Server as _};
use transship_model::TableName;
use transship_model::spec::ReplicationMode;
use transship_sql::{connection, replication as sql};

use crate::bench::{Bench, execute};
use crate::inside::done;
use crate::shape::NAME;
use crate::way::Ran;
use crate::{Outcome, job};

/// How often it is asked how far it has come.
const LOOK: Duration = Duration::from_millis(50);

/// How long nothing may be there.
const PATIENCE: Duration = Duration::from_mins(15);

pub(crate) async fn replication(bench: &Bench) -> Outcome<Ran> {
    execute(&bench.target, &format!("DROP TABLE IF EXISTS {NAME}.source")).await?;
    let started = Instant::now();
    execute(&bench.source, &sql::create_publication(NAME)).await?;
    let followed = follow(bench, started).await;
    let ran = done(started);
    execute(&bench.target, &format!("DROP SUBSCRIPTION IF EXISTS {NAME}")).await?;
    execute(&bench.source, &sql::drop_publication(NAME)).await?;
    followed.map(|()| ran)
}

async fn follow(bench: &Bench, started: Instant) -> Outcome<()> {
    let table = TableName::new(NAME, "source");
    execute(&bench.source, &sql::publish_tables(NAME, [&table])).await?;
    let end = job::end("source", &bench.arguments.source)?;
    let text = connection::text(&end.access.endpoint, ReplicationMode::Tunnel, None);
    bench.target.execute(&sql::create_subscription(NAME, NAME), &[Bind::Text(text)]).await?;
    while !all_there(bench).await? {
        if started.elapsed() > PATIENCE {
            return Err(format!("not all rows were there after {} s", PATIENCE.as_secs()).into());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Whether the table is copied, and can be read with all of its rows.
async fn all_there(bench: &Bench) -> Outcome<bool> {
    let state = format!(
        "SELECT r.srsubstate::text AS state FROM pg_catalog.pg_subscription s \
         JOIN pg_catalog.pg_subscription_rel r ON s.oid = r.srsubid WHERE s.subname = '{NAME}'"
    );
    let states = bench.target.query(&state, &[]).await?;
    if states.is_empty() || states.text(0, "state")? != "r" {
        return Ok(false);
    }
    let count = format!("SELECT count(*) AS rows FROM {NAME}.source");
    // A table whose shards are still coming up cannot be read.
    let Ok(rows) = bench.target.query(&count, &[]).await else { return Ok(false) };
    Ok(u64::try_from(rows.int(0, "rows")?)? == bench.arguments.rows)
}
