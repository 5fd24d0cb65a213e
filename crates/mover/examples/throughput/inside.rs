//! Ways that the clusters go by themselves.

use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::bench::{Bench, execute};
use crate::process::Used;
use crate::shape::NAME;
use crate::way::Ran;

/// How many rows a foreign table is asked for at once: all that it is asked for it holds on the heap.
const CHUNK: u64 = 100_000;

pub(crate) async fn floor(bench: &Bench) -> Outcome<Ran> {
    let started = Instant::now();
    execute(&bench.target, &format!("INSERT INTO {NAME}.moved (SELECT * FROM {NAME}.base)")).await?;
    Ok(done(started))
}

pub(crate) async fn foreign_table(bench: &Bench) -> Outcome<Ran> {
    let (target, source) = (&bench.target, &bench.arguments.source);
    let started = Instant::now();
    let url = format!("jdbc:postgresql://{source}/");
    execute(target, &format!("CREATE SERVER {NAME} FOREIGN DATA WRAPPER jdbc OPTIONS (url '{url}')")).await?;
    execute(target, &bench.arguments.shape.create_foreign("remote")).await?;
    let pulled = pull(bench).await;
    let ran = done(started);
    execute(target, &format!("DROP FOREIGN TABLE {NAME}.remote")).await?;
    execute(target, &format!("DROP SERVER {NAME}")).await?;
    pulled.map(|()| ran)
}

async fn pull(bench: &Bench) -> Outcome<()> {
    let columns: Vec<_> = bench.arguments.shape.columns().iter().map(|column| column.name).collect();
    let columns = columns.join(", ");
    let mut from = 0;
    while from < bench.arguments.rows {
        let range = format!("id > {from} AND id <= {}", from + CHUNK);
        let rows = format!("SELECT {columns} FROM {NAME}.remote WHERE {range}");
        execute(&bench.target, &format!("INSERT INTO {NAME}.moved ({columns}) ({rows})")).await?;
        from += CHUNK;
    }
    Ok(())
}

pub(crate) async fn copy(bench: &Bench) -> Outcome<Ran> {
    let Some(folder) = &bench.exchange else { return Ok(no_exchange()) };
    let folder = folder.join("copy");
    let files = files(&folder)?;
    let started = Instant::now();
    execute(&bench.source, &format!("COPY {NAME}.source TO DIRECTORY '{files}'")).await?;
    execute(&bench.target, &format!("COPY {NAME}.moved FROM '{files}/*' WITH (shared = true)")).await?;
    let ran = done(started);
    std::fs::remove_dir_all(folder)?;
    Ok(ran)
}

pub(crate) async fn snapshot(bench: &Bench) -> Outcome<Ran> {
    let Some(folder) = &bench.exchange else { return Ok(no_exchange()) };
    let folder = folder.join("snapshot");
    execute(&bench.target, &format!("DROP TABLE IF EXISTS {NAME}.source")).await?;
    let started = Instant::now();
    let restored = restore(bench, &folder).await;
    let ran = done(started);
    for session in [&bench.target, &bench.source] {
        execute(session, &format!("DROP REPOSITORY {NAME}")).await.ok();
    }
    std::fs::remove_dir_all(folder).ok();
    restored.map(|()| ran)
}

async fn restore(bench: &Bench, folder: &Path) -> Outcome<()> {
    let location = folder.display();
    let repository =
        |options: &str| format!("CREATE REPOSITORY {NAME} TYPE fs WITH (location = '{location}'{options})");
    execute(&bench.source, &repository("")).await?;
    let table = format!("TABLE {NAME}.source WITH (wait_for_completion = true)");
    execute(&bench.source, &format!("CREATE SNAPSHOT {NAME}.rows {table}")).await?;
    execute(&bench.target, &repository(", readonly = true")).await?;
    execute(&bench.target, &format!("RESTORE SNAPSHOT {NAME}.rows {table}")).await?;
    Ok(())
}

fn files(folder: &Path) -> Outcome<String> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777))?;
    Ok(format!("file://{}", folder.display()))
}

fn no_exchange() -> Ran {
    Ran::NotInstalled("needs --exchange".to_owned())
}

pub(crate) fn done(started: Instant) -> Ran {
    Ran::Done(Used { seconds: started.elapsed().as_secs_f64(), ..Used::default() })
}
