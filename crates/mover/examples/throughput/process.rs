//! What processes take of the machine, by `/proc`.

use std::io;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;

/// The unit of processor time in `/proc`: `USER_HZ`, which is 100 on every architecture that Linux has today.
const TICKS: f64 = 100.0;

/// How often the memory of a process is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// The longest text that an error repeats.
const SHOWN: usize = 160;

/// What a way took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) seconds: f64,
    /// Processor seconds of the process that moved the rows; none where the servers did it.
    pub(crate) own: Option<f64>,
    /// The most memory that this process and those that it started had, each by itself, in KiB.
    pub(crate) peak: Option<u64>,
    /// Processor seconds of source and target, where their processes are known.
    pub(crate) servers: Option<(f64, f64)>,
}

/// Runs a command to its end. One that ends with an error says why by what it wrote last.
pub(crate) async fn run(mut command: Command) -> Outcome<(Used, Output)> {
    let before = of_children()?;
    let started = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = child.id();
    let mut ending = tokio::task::spawn_blocking(move || {
        let output = child.wait_with_output();
        (output, started.elapsed())
    });
    let mut peak = 0;
    let (output, elapsed) = loop {
        tokio::select! {
            ended = &mut ending => break ended?,
            () = tokio::time::sleep(LOOK) => peak = peak.max(memory(pid)),
        }
    };
    let output = output?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, last(&String::from_utf8_lossy(&output.stderr))).into());
    }
    let used = Used {
        seconds: elapsed.as_secs_f64(),
        own: Some(of_children()? - before),
        peak: (peak > 0).then_some(peak),
        servers: None,
    };
    Ok((used, output))
}

/// Where Java says what went wrong, or the last line, where everybody else does.
fn last(said: &str) -> String {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let java = lines.clone().find(|line| line.starts_with("Exception in thread"));
    let last = java.or_else(|| lines.next_back()).unwrap_or("nothing said");
    last.char_indices().nth(SHOWN).map_or_else(|| last.to_owned(), |(end, _)| format!("{}…", &last[..end]))
}

/// Processor seconds of a process.
pub(crate) fn of(pid: u32) -> Outcome<f64> {
    ticks(&format!("/proc/{pid}/stat"), 11)
}

/// Processor seconds of the processes that this one has started and waited for.
fn of_children() -> Outcome<f64> {
    ticks("/proc/self/stat", 13)
}

/// The sum of two numbers of a `stat`, counted from the one behind the name, which may hold spaces.
fn ticks(path: &str, at: usize) -> Outcome<f64> {
    let text = read(path)?;
    let numbers: Vec<_> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let number = |at: usize| numbers.get(at).and_then(|number| number.parse::<f64>().ok());
    let (user, system) = number(at).zip(number(at + 1)).ok_or("a /proc/PID/stat that is not understood")?;
    Ok((user + system) / TICKS)
}

/// The most memory of a process, or of one that it has started, in KiB; 0 once it has ended.
fn memory(pid: u32) -> u64 {
    let status = read(&format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    let children = read(&format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(memory);
    children.fold(peak.unwrap_or(0), u64::max)
}

fn read(path: &str) -> io::Result<String> {
    std::fs::File::open(path).and_then(io::read_to_string)
}
