//! `transship demo`: the whole story in seconds, between two clusters in memory. It runs the very commands that a user
//! would type.

pub mod world;

use std::fmt::Write as _;

use clap::Parser as _;
use transship_sandbox::Sandbox;

use crate::args::Cli;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::term::Term;
use world::{ANALYTICS, SHOP};

const CLUSTERS: &str = include_str!("../../../../../specs/quickstart/clusters.yaml");
const FLOWS: &str = include_str!("../../../../../specs/quickstart/flows.yaml");

/// What is compared: how it is called, and the query on either side.
const COMPARED: [(&str, &str, &str); 6] = [
    ("shop.orders", "SELECT count(*) FROM shop.orders", "SELECT count(*) FROM shop.orders"),
    ("shop.order_lines", "SELECT count(*) FROM shop.order_lines", "SELECT count(*) FROM shop.order_lines"),
    (
        "shop.customers → crm.people",
        "SELECT count(*) FROM shop.customers WHERE active",
        "SELECT count(*) FROM crm.people",
    ),
    ("shop.products", "SELECT count(*) FROM shop.products", "SELECT count(*) FROM shop.products"),
    ("shop.customers", "SELECT count(*) FROM shop.customers", "SELECT count(*) FROM shop.customers"),
    (
        "shop.orders → finance.paid_orders",
        "SELECT count(*) FROM shop.orders WHERE status = 'paid'",
        "SELECT count(*) FROM finance.paid_orders",
    ),
];

/// Tells the story.
pub async fn run(term: &Term) -> Result<Exit, CommandError> {
    let folder = Folder::new().map_err(|error| failed("demo::folder", &error.to_string()))?;
    let sandbox = world::start([None, None], &folder.exchange())
        .await
        .map_err(|error| failed("demo::start", &error.to_string()))?;
    world::fill(&sandbox).map_err(|error| failed("demo::fill", &error.message))?;
    folder.write(&sandbox).map_err(|error| failed("demo::folder", &error.to_string()))?;
    let path = folder.0.to_string_lossy().into_owned();

    chapter(
        term,
        "1. Two clusters in memory",
        "`shop` has orders, customers and products, `analytics` is empty. Both reach one directory.",
    );
    chapter(term, "2. What is declared", "specs/quickstart/flows.yaml says which tables flow where, and how:");
    term.result(&indented(FLOWS));
    chapter(term, "3. transship plan", "What would happen, and why. Nothing has been changed yet.");
    command(&["plan", &path, "--detailed-exitcode"], Exit::Changes, term).await?;
    chapter(term, "4. transship apply", "The same plan, step by step.");
    command(&["apply", &path, "--auto-approve"], Exit::Done, term).await?;
    chapter(term, "5. What arrived", "Counted by plain SQL on both clusters:");
    compare(&sandbox, term)?;
    chapter(term, "6. transship plan, again", "What is as declared needs nothing.");
    command(&["plan", &path, "--detailed-exitcode"], Exit::Done, term).await?;
    chapter(
        term,
        "That is all",
        "`transship sandbox` gives you these two clusters to play with; the README tells how to begin with your own.",
    );
    Ok(Exit::Done)
}

/// Runs a command as if it had been typed, and insists on how it ends.
async fn command(arguments: &[&str], expected: Exit, term: &Term) -> Result<(), CommandError> {
    let typed = ["transship"].iter().chain(arguments);
    let cli = Cli::try_parse_from(typed).map_err(|error| failed("demo::command", &error.to_string()))?;
    let exit = Box::pin(super::run(&cli.command, term)).await?;
    if exit == expected {
        return Ok(());
    }
    Err(failed("demo::unexpected", &format!("`transship {}` ended with {exit:?}", arguments[0])))
}

fn compare(sandbox: &Sandbox, term: &Term) -> Result<(), CommandError> {
    let mut page = String::from("                                     shop  analytics\n");
    for (name, here, there) in COMPARED {
        let count = |cluster, sql| {
            world::number(sandbox, cluster, sql).map_err(|error| failed("demo::compare", &error.message))
        };
        let (source, target) = (count(SHOP, here)?, count(ANALYTICS, there)?);
        if source != target || source == 0 {
            return Err(failed("demo::compare", &format!("{name}: {source} rows on shop, {target} on analytics")));
        }
        writeln!(page, "  {name:<33} {source:>6}     {target:>6}  equal").expect("writing to a String cannot fail");
    }
    term.result(&page);
    Ok(())
}

fn chapter(term: &Term, title: &str, text: &str) {
    term.result(&format!("\n── {title} ──\n{text}\n\n"));
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

fn failed(code: &'static str, message: &str) -> CommandError {
    CommandError::plain(code, message)
}

/// A folder for the workspace that goes with the demo.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("transship-demo-{}", std::process::id()));
        fs_err::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// The directory that both clusters reach.
    fn exchange(&self) -> std::path::PathBuf {
        self.0.join("exchange")
    }

    /// Writes the specs, with the ports that the clusters have got, and the directory.
    fn write(&self, sandbox: &Sandbox) -> std::io::Result<()> {
        let port = |cluster| sandbox.port(cluster).unwrap_or_default().to_string();
        let clusters = CLUSTERS.replace("5433", &port(SHOP)).replace("5434", &port(ANALYTICS));
        let clusters = clusters.replace(world::EXCHANGE, &self.exchange().to_string_lossy());
        fs_err::write(self.0.join("clusters.yaml"), clusters)?;
        fs_err::write(self.0.join("flows.yaml"), FLOWS)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs_err::remove_dir_all(&self.0).ok();
    }
}
