//! How fast rows move from one cluster to another, by every way that there is, side by side.
//!
//! `docs/benchmarks.md` tells how to run it and how to read its table. It makes tables in the schema `transship_bench`,
//! and a repository, a subscription and a foreign server of that name, on both clusters, and drops them at the end.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that shows figures")]

mod arguments;
mod bench;
mod child;
mod inside;
mod job;
mod peers;
mod process;
mod replay;
mod report;
mod rounds;
mod shape;
mod tunnel;
mod way;

use arguments::{Arguments, Wanted};
use bench::Bench;

/// Whatever goes wrong ends the program, or the way that it happens to.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    match Arguments::parse(std::env::args().skip(1))? {
        Wanted::Benchmark(arguments) => measure(*arguments).await,
        Wanted::Child(child) => child::run(&child).await,
    }
}

async fn measure(arguments: Arguments) -> Outcome<()> {
    let bench = Bench::open(arguments).await?;
    let figures = tokio::select! {
        figures = rounds::run(&bench) => figures,
        _ = tokio::signal::ctrl_c() => Err("stopped".into()),
    };
    let cleared = bench.clear().await;
    let figures = figures?;
    println!("{}", report::table(&bench.arguments, &figures));
    if let Some(file) = &bench.arguments.json {
        serde_json::to_writer_pretty(std::fs::File::create(file)?, &report::json(&figures))?;
    }
    cleared
}
