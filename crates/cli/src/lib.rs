//! The command line: arguments, commands, views, errors with hints, exit codes.

pub mod args;
pub mod commands;
pub mod diagnostics;
pub mod error;
pub mod exit;
pub mod file;
pub mod interrupt;
pub mod pipeline;
pub mod progress;
pub mod term;
pub mod view;

use std::ffi::OsString;

use clap::Parser as _;

use crate::args::{Cli, Color, Global};
use crate::commands::Aloud;
use crate::diagnostics::{Diagnostics, github, graphical, markdown};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::term::Term;
use crate::view::{Json, View as _};

/// Runs the program with `arguments`, its own name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    match Cli::try_parse_from(arguments) {
        Ok(cli) => execute(&cli),
        Err(error) => misunderstood(&error),
    }
}

fn execute(cli: &Cli) -> Exit {
    let term = Term::new(&cli.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            term.error(&format!("cannot start: {error}\n"));
            return Exit::Error;
        }
    };
    let result = runtime.block_on(commands::run(&cli.command, &term));
    // Connections that still linger are of no interest any more.
    runtime.shutdown_background();
    let exit = result.unwrap_or_else(|error| failed(&error, commands::aloud(&cli.command), &term));
    exit.and(Exit::Error.when(term.has_lost()))
}

/// Tells people on stderr what is wrong, and on stdout whoever reads the format that was asked for.
fn failed(error: &CommandError, aloud: Aloud, term: &Term) -> Exit {
    let (findings, sources) = (&error.findings, &error.sources);
    match aloud {
        Aloud::Json => term.result(&Json.render(&Diagnostics::new(findings, sources))),
        Aloud::Github => term.result(&github::annotations(findings, sources)),
        Aloud::Markdown => term.result(&markdown::list(findings, sources)),
        Aloud::Nothing => {}
    }
    term.error(&graphical(&error.findings, &error.sources, term.width()));
    error.exit
}

/// Help and version are no errors; everything else that clap refuses is a wrong command line.
fn misunderstood(error: &clap::Error) -> Exit {
    let term = Term::new(&Global { color: Color::Auto, verbose: false, quiet: false });
    let text = error.render().ansi().to_string();
    if error.use_stderr() {
        term.error(&text);
        return Exit::Usage;
    }
    term.result(&text);
    Exit::Done
}
