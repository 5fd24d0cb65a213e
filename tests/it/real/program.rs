//! Runs the built `transship` the way a user would, in an environment that holds nothing but what a test gives it.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Workspace;

/// How long a run may take: longer than one waits for what does not come, two minutes after a node has started.
const LIMIT: Duration = Duration::from_mins(6);

/// A run to come.
pub(crate) struct Transship {
    command: Command,
    shown: String,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    shown: String,
}

impl Transship {
    /// `transship ARGUMENTS` in the folder of `workspace`, with its variables.
    pub(crate) fn new(workspace: &Workspace, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transship"));
        command
            .args(arguments)
            .current_dir(workspace.path())
            .env_clear()
            .env("HOME", workspace.path())
            .env("TMPDIR", std::env::temp_dir())
            .env("NO_COLOR", "1")
            .envs(workspace.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self { command, shown: format!("transship {}", arguments.join(" ")) }
    }

    /// Sets one more variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Outcome {
        self.start().wait()
    }

    /// Starts it and lets the test go on.
    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().expect("the built program runs");
        let stdout = drain(child.stdout.take().expect("a pipe"));
        let stderr = drain(child.stderr.take().expect("a pipe"));
        Running { child, stdout: Some(stdout), stderr: Some(stderr), shown: self.shown }
    }
}

/// A run that has started; killed on drop if it has not ended.
pub(crate) struct Running {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    shown: String,
}

impl Running {
    /// The process, for signals.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([format!("-{signal}"), self.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{signal} cannot be sent");
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the child can be waited for").is_some()
    }

    /// The highest resident set that it had until now, in KiB; 0 where the system does not tell.
    pub(crate) fn peak_kib(&self) -> u64 {
        peak_kib(self.id())
    }

    /// Kills it at once, wherever it is, and waits until it is gone.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Outcome {
        let started = Instant::now();
        let ended = loop {
            match self.child.try_wait().expect("the child can be waited for") {
                None if started.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(10)),
                ended => break ended,
            }
        };
        if ended.is_none() {
            self.child.kill().ok();
        }
        let text = |pipe: Option<JoinHandle<String>>| pipe.and_then(|pipe| pipe.join().ok()).unwrap_or_default();
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        let Some(status) = ended else {
            panic!("{} did not end within {} s\n{stdout}\n{stderr}", self.shown, LIMIT.as_secs())
        };
        Outcome { code: status.code().unwrap_or(-1), stdout, stderr, shown: self.shown.clone() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Outcome {
    /// Fails with everything that was printed unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "`{}` exits {}\n--- stdout\n{}\n--- stderr\n{}",
            self.shown, self.code, self.stdout, self.stderr
        );
        self
    }

    /// Everything that was printed.
    pub(crate) fn all(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("`{}`: {error}\n{}", self.shown, self.stdout))
    }
}

/// The highest resident set that a process had until now, in KiB; 0 where the system does not tell.
pub(crate) fn peak_kib(process: u32) -> u64 {
    let status = fs_err::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).ok();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
