//! Starts a program below a guard, hands it its document, listens, and ends it when its time is over.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};
use futures_util::future::join3;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use transship_model::command::CommandInput;
use transship_model::event::OutputStream;
use transship_model::redact::Redactor;

use super::document::RESULT_FD;
use super::output::Output;
use super::{environment, program};
use crate::cancel::Cancel;
use crate::clock::Clock;

/// So much of a result is read.
const LONGEST_RESULT: u64 = 4 * 1024 * 1024;

/// How long is listened once a program has ended: what it left behind in another process group may keep its pipes open.
const LINGERS: Duration = Duration::from_secs(2);

/// What stands between transship and programs, and where they run.
#[derive(Clone, Debug)]
pub struct CommandHost {
    /// The executable of the guard.
    pub guard: PathBuf,
    /// What makes it one: its first arguments.
    pub arguments: Vec<String>,
    /// The directory of the workspace: where programs run, and where those lie that are named with a slash.
    pub directory: PathBuf,
}

/// A program that is to be started.
pub(crate) struct Start<'a> {
    pub(crate) host: &'a CommandHost,
    /// The program and its arguments.
    pub(crate) run: &'a [String],
    pub(crate) input: &'a CommandInput,
    pub(crate) redactor: &'a Redactor,
    /// How long it may take.
    pub(crate) limit: Duration,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself, or by somebody else's signal: what it exited with, as shells tell it, and what it wrote as its result.
    Exited(i32, Vec<u8>),
    /// Its time was over.
    TimedOut,
    /// The run is to stop.
    Cancelled,
}

/// Why a program could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotStarted(pub(crate) String);

/// Runs a program to its end.
pub(crate) async fn run(
    start: &Start<'_>,
    output: &Output<'_>,
    (clock, cancel): (&dyn Clock, &Cancel),
) -> Result<Ending, NotStarted> {
    let directory = start.host.directory.canonicalize().map_err(|error| NotStarted(error.to_string()))?;
    let (name, arguments) = start.run.split_first().ok_or_else(|| NotStarted("there is none".to_owned()))?;
    let path = env::var_os("PATH");
    let program = program::find(name, &directory, path.as_deref()).map_err(NotStarted)?;
    let document = document(start.input).map_err(|error| NotStarted(error.to_string()))?;
    let (child, result) = spawn(start, (&program, arguments), &directory).map_err(|error| {
        let guard = start.host.guard.display();
        NotStarted(format!("{guard}, which would start it, cannot be started: {error}"))
    })?;
    Ok(Running { child, result }.follow(document, output, (clock, cancel, start.limit)).await)
}

/// One line.
fn document(input: &CommandInput) -> serde_json::Result<Vec<u8>> {
    let mut document = serde_json::to_vec(input)?;
    document.push(b'\n');
    Ok(document)
}

/// Starts the guard, in a process group of its own: an interrupt of the terminal is for transship alone.
fn spawn(
    start: &Start<'_>,
    (program, arguments): (&Path, &[String]),
    directory: &Path,
) -> io::Result<(Child, pipe::Receiver)> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(&start.host.guard);
    command.args(&start.host.arguments).arg("--").arg(program).args(arguments);
    command.current_dir(directory).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in environment::changes(env::vars_os(), start.redactor, start.input) {
        set(&mut command, &name, value);
    }
    let result = FdMapping { parent_fd: OwnedFd::from(writer), child_fd: RESULT_FD };
    command.fd_mappings(vec![result]).map_err(io::Error::other)?;
    Ok((command.spawn()?, pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?))
}

fn set(command: &mut Command, name: &OsString, value: Option<OsString>) {
    match value {
        Some(value) => command.env(name, value),
        None => command.env_remove(name),
    };
}

/// A guard that runs, and what its program writes as its result.
struct Running {
    child: Child,
    result: pipe::Receiver,
}

impl Running {
    /// Tells the program what to do, and listens until it has ended. Whoever drops this has it ended, too.
    async fn follow(
        self,
        document: Vec<u8>,
        output: &Output<'_>,
        (clock, cancel, limit): (&dyn Clock, &Cancel, Duration),
    ) -> Ending {
        let Self { mut child, result } = self;
        let mut told = child.stdin.take();
        if let Some(stdin) = &mut told {
            // One that is gone already says why by what it exits with.
            let _ = stdin.write_all(&document).await;
        }
        drop(document);
        let mut written = Vec::new();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut listening = Box::pin(join3(
            pump(output, OutputStream::Stdout, stdout),
            pump(output, OutputStream::Stderr, stderr),
            read(result, &mut written),
        ));
        let (mut is_silent, mut stopped) = (false, None);
        let mut stop = pin!(stop(clock, cancel, limit));
        let status = loop {
            tokio::select! {
                biased;
                status = child.wait() => break status,
                _ = &mut listening, if !is_silent => is_silent = true,
                why = &mut stop, if stopped.is_none() => {
                    stopped = Some(why);
                    // The guard ends the program.
                    told = None;
                }
            }
        };
        drop(told);
        if !is_silent {
            tokio::select! {
                _ = &mut listening => {}
                () = clock.sleep(LINGERS) => {}
            }
        }
        drop(listening);
        let code = status.ok().and_then(|status| status.code()).unwrap_or(-1);
        stopped.unwrap_or(Ending::Exited(code, written))
    }
}

/// Ends when the program is to end.
async fn stop(clock: &dyn Clock, cancel: &Cancel, limit: Duration) -> Ending {
    tokio::select! {
        biased;
        () = cancel.requested() => Ending::Cancelled,
        () = clock.sleep(limit) => Ending::TimedOut,
    }
}

async fn pump(output: &Output<'_>, stream: OutputStream, from: Option<impl AsyncRead + Unpin + Send>) {
    if let Some(from) = from {
        output.pump(stream, from).await;
    }
}

/// Reads all of it, so that nobody waits for room, and keeps what is not too long.
async fn read(mut result: pipe::Receiver, into: &mut Vec<u8>) {
    let _ = (&mut result).take(LONGEST_RESULT).read_to_end(into).await;
    let _ = tokio::io::copy(&mut result, &mut tokio::io::sink()).await;
}
