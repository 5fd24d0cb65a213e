//! Whole workspaces that nobody would write, mutated files among them, through loading and planning: whatever they hold, it
//! is read or refused, in a short time and in little memory.
//!
//! A second process does the work, so that one that hangs or grows can be told. `TRANSSHIP_FUZZ=100000` says how many
//! workspaces, `TRANSSHIP_SEED` from where; a case is known by its number, and `TRANSSHIP_SEED` with
//! `TRANSSHIP_FUZZ_CASE` does it alone.

mod files;
mod mutate;
mod seen;
mod work;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::random::{SEED, seed};
use crate::real::peak_kib;

/// How many workspaces.
const COUNT: &str = "TRANSSHIP_FUZZ";
/// The case that is done alone.
const CASE: &str = "TRANSSHIP_FUZZ_CASE";

/// How long a hundred cases may take, and how much memory all of them: many times what they need.
const LIMIT: Duration = Duration::from_mins(1);
const MOST_KIB: u64 = 512 * 1024;

/// How many cases are told at once.
const AT_ONCE: usize = 100;

#[test]
fn no_workspace_makes_it_panic_hang_or_grow() {
    let (count, seed) = (number(COUNT).unwrap_or(300), seed());
    tell(&format!("{count} workspaces, {SEED}={seed}"));
    let mut child = Command::new(std::env::current_exe().expect("a test has a program"))
        .args(["--exact", "--ignored", "--nocapture", "fuzz::worker"])
        .env(COUNT, count.to_string())
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the tests run");
    let (sender, lines) = channel();
    let pipe = BufReader::new(child.stdout.take().expect("a pipe"));
    std::thread::spawn(move || pipe.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut last = String::new();
    let ended = loop {
        match lines.recv_timeout(LIMIT) {
            Ok(line) if line.contains(" cases: ") => last = line,
            Ok(line) => tell(&line),
            Err(RecvTimeoutError::Disconnected) => break Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                break Err(format!("nothing within {} s after `{last}`", LIMIT.as_secs()));
            }
        }
        let peak = peak_kib(child.id());
        if peak > MOST_KIB {
            break Err(format!("{peak} KiB after `{last}`"));
        }
    };
    if ended.is_err() {
        child.kill().ok();
    }
    let status = child.wait().expect("it can be waited for");
    assert!(ended.is_ok() && status.success(), "{SEED}={seed}: {ended:?}, {status}, `{last}`");
}

fn tell(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("stdout takes a line");
}

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
#[ignore = "it is started by the test beside it"]
fn worker() {
    let (count, seed) = (number(COUNT).unwrap_or(0), seed());
    let folder = work::Folder::new();
    let mut tally = work::Tally::default();
    if let Some(case) = number(CASE) {
        tally.add(work::case(&folder, seed, case, true));
        tell(&format!("case {case}: {tally}"));
        return;
    }
    let mut panicked = Vec::new();
    for case in 0..count {
        if let Ok(came) = std::panic::catch_unwind(|| work::case(&folder, seed, case, false)) {
            tally.add(came);
        } else {
            tell(&format!("{CASE}={case} {SEED}={seed} panics, with these files:\n{}", folder.text()));
            panicked.push(case);
        }
        if (case + 1) % AT_ONCE == 0 {
            tell(&format!("{} cases: {tally}", case + 1));
        }
    }
    assert_eq!(panicked, [0_usize; 0]);
    assert!(count < 1_000 || tally.is_worth_it(), "too few of the workspaces come to a plan: {tally}");
}
