//! The `transship` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    transship::run(std::env::args_os()).into()
}
