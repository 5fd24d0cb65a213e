//! `transship sandbox`: two clusters in memory on given ports, for the tutorial, until it is interrupted.

use super::demo::world::{self, ANALYTICS, SHOP};
use crate::args::SandboxArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::interrupt::interrupted;
use crate::term::Term;

/// Starts the clusters and waits.
pub async fn run(args: &SandboxArgs, term: &Term) -> Result<Exit, CommandError> {
    let ports = [Some(args.shop_port), Some(args.analytics_port)];
    let exchange = std::path::absolute(&args.exchange).unwrap_or_else(|_| args.exchange.clone());
    let sandbox = world::start(ports, &exchange).await.map_err(|error| {
        let (shop, analytics) = (args.shop_port, args.analytics_port);
        let message = format!(
            "the clusters cannot listen on ports {shop} and {analytics}, or not use {}: {error}",
            exchange.display()
        );
        CommandError::plain("sandbox::start", &message)
    })?;
    if !args.empty {
        world::fill(&sandbox).map_err(|error| CommandError::plain("sandbox::fill", &error.message))?;
    }
    let (shop, analytics) = (sandbox.url(SHOP), sandbox.url(ANALYTICS));
    term.result(&format!(
        "Two clusters in memory. They forget everything when this ends (Ctrl-C).\n\n  \
         {SHOP:<10} {shop}\n  {ANALYTICS:<10} {analytics}\n  {:<10} {}\n\n\
         In another terminal:\n\n  transship plan specs/quickstart\n  transship apply specs/quickstart\n  \
         psql {analytics} -c 'SELECT count(*) FROM crm.people'\n",
        "both reach",
        exchange.display()
    ));
    interrupted().await;
    Ok(Exit::Done)
}
