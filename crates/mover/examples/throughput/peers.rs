//! Other tools that move rows, as far as they are installed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::bench::Bench;
use crate::process;
use crate::shape::NAME;
use crate::way::Ran;

/// Where their programs are.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/throughput/peers");

pub(crate) async fn asyncpg(bench: &Bench) -> Outcome<Ran> {
    let python = match python(bench, "asyncpg") {
        Ok(python) => python,
        Err(missing) => return Ok(missing),
    };
    let insert = insert(bench, numbered);
    let mut command = script(python, "asyncpg_many.py");
    command.args([&bench.arguments.source, &bench.arguments.target, &select(bench), &insert]);
    finish(command).await
}

pub(crate) async fn http_bulk(bench: &Bench) -> Outcome<Ran> {
    let (Some(source), Some(target)) = (&bench.arguments.source_http, &bench.arguments.target_http) else {
        return Ok(missing("needs --source-http and --target-http"));
    };
    let python = match python(bench, "aiohttp") {
        Ok(python) => python,
        Err(missing) => return Ok(missing),
    };
    let mut command = script(python, "http_bulk.py");
    command.args([source, target, &select(bench), &insert(bench, question_mark)]);
    command.arg(bench.arguments.rows.to_string());
    finish(command).await
}

pub(crate) async fn cr8(bench: &Bench) -> Outcome<Ran> {
    let Some(target) = &bench.arguments.target_http else { return Ok(missing("needs --target-http")) };
    let python = match python(bench, "cr8") {
        Ok(python) => python,
        Err(missing) => return Ok(missing),
    };
    let mut command = script(python, "cr8_tuned.py");
    let source = format!("postgresql://crate@{}/doc", bench.arguments.source);
    command.args(["insert-from-sql", "--src-uri", &source, "--query", &select(bench)]);
    command.args(["--table", &format!("{NAME}.moved"), "--hosts", target]);
    command.args(["--fetch-size", "5000", "--concurrency", "4"]);
    finish(command).await
}

pub(crate) async fn ingestr(bench: &Bench) -> Outcome<Ran> {
    let beside = bench.arguments.python.as_deref().map(|python| python.with_file_name("ingestr"));
    // The package of this name for Python has no program in it, only one that downloads it.
    let works = |program: &PathBuf| answers(Command::new(program).arg("--version"));
    let Some(program) = beside.into_iter().chain([PathBuf::from("ingestr")]).find(works) else {
        return Ok(missing("no ingestr that runs, beside --python or in PATH"));
    };
    let uri = |address: &str| format!("cratedb://crate@{address}/?sslmode=disable");
    let mut command = Command::new(program);
    command.args(["ingest", "--yes", "--no-load-timestamp", "--incremental-strategy", "append"]);
    command.args(["--source-uri", &uri(&bench.arguments.source), "--source-table", &format!("{NAME}.source")]);
    command.args(["--dest-uri", &uri(&bench.arguments.target), "--dest-table", &format!("{NAME}.moved")]);
    finish(command).await
}

pub(crate) async fn pgjdbc(bench: &Bench, rewrite: bool) -> Outcome<Ran> {
    let Some(driver) = &bench.arguments.jdbc else { return Ok(missing("needs --jdbc")) };
    if !answers(Command::new("java").arg("-version")) {
        return Ok(missing("no java in PATH"));
    }
    let mut command = Command::new("java");
    command.arg("-cp").arg(driver).arg(Path::new(SCRIPTS).join("Batch.java"));
    command.args([&bench.arguments.source, &bench.arguments.target, &select(bench), &insert(bench, question_mark)]);
    command.arg(rewrite.to_string());
    finish(command).await
}

async fn finish(command: Command) -> Outcome<Ran> {
    Ok(Ran::Done(process::run(command).await?.0))
}

/// The Python that was given, if it has these modules.
fn python<'a>(bench: &'a Bench, modules: &str) -> Result<&'a Path, Ran> {
    let python = bench.arguments.python.as_deref().ok_or_else(|| missing("needs --python"))?;
    let has = answers(Command::new(python).arg("-c").arg(format!("import {modules}")));
    if has { Ok(python) } else { Err(missing(&format!("no {modules} in --python"))) }
}

fn script(python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    let file: OsString = Path::new(SCRIPTS).join(name).into();
    // Compiled modules do not belong into the repository.
    command.arg("-B").arg(file);
    command
}

fn answers(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn missing(what: &str) -> Ran {
    Ran::NotInstalled(what.to_owned())
}

fn select(bench: &Bench) -> String {
    let columns: Vec<_> = bench.arguments.shape.columns().iter().map(|column| column.name).collect();
    format!("SELECT {} FROM {NAME}.source", columns.join(", "))
}

fn insert(bench: &Bench, parameter: impl Fn(usize) -> String) -> String {
    let columns = bench.arguments.shape.columns();
    let names: Vec<_> = columns.iter().map(|column| column.name).collect();
    let parameters: Vec<_> = (1..=columns.len()).map(parameter).collect();
    format!("INSERT INTO {NAME}.moved ({}) VALUES ({})", names.join(", "), parameters.join(", "))
}

fn question_mark(_: usize) -> String {
    "?".to_owned()
}

fn numbered(at: usize) -> String {
    format!("${at}")
}
