//! Stands between transship and a program. Whoever was killed cannot end what it has started: the guard is told to by its
//! stdin, which comes to its end however transship does.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, ErrorKind, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// How long a program may take to end by itself once it is asked to.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// What shells exit with where a program cannot be run, or is not there.
const NOT_RUN: i32 = 126;
const NOT_FOUND: i32 = 127;

/// What is added to the number of the signal that has ended a program.
const SIGNALLED: i32 = 128;

/// Starts `program` in a process group of its own, hands it the first line of stdin, and waits for its end. When stdin
/// ends before, the group gets SIGTERM, and some time later SIGKILL. What the program leaves running is killed.
///
/// Tells what to exit with: as the program did, or as shells do.
pub fn guard(program: &OsStr, arguments: &[OsString]) -> i32 {
    let mut document = Vec::new();
    let read = io::stdin().lock().read_until(b'\n', &mut document);
    if read.is_err() || document.last() != Some(&b'\n') {
        return NOT_RUN;
    }
    let started = Command::new(program).args(arguments).stdin(Stdio::piped()).process_group(0).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{} cannot be started: {error}", program.display());
            return if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN };
        }
    };
    let group = Pid::from_child(&child);
    let stdin = child.stdin.take();
    thread::spawn(move || feed(stdin, &document));
    thread::spawn(move || end_with_stdin(group));
    ended(&mut child, group)
}

/// A program need not read what it is told.
fn feed(stdin: Option<ChildStdin>, document: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(document);
    }
}

fn end_with_stdin(group: Pid) {
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    let _ = kill_process_group(group, Signal::TERM);
    thread::sleep(GRACE);
    let _ = kill_process_group(group, Signal::KILL);
}

/// Waits for the end of a program. As long as nobody has asked how it ended, its group is nobody else's.
fn ended(child: &mut Child, group: Pid) -> i32 {
    while waitid(WaitId::Pid(group), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        .is_err_and(|error| error == rustix::io::Errno::INTR)
    {}
    let _ = kill_process_group(group, Signal::KILL);
    match child.wait() {
        Ok(status) => status.code().or_else(|| Some(SIGNALLED + status.signal()?)).unwrap_or(NOT_RUN),
        Err(_) => NOT_RUN,
    }
}
