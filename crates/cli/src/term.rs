//! The one place that prints. Results go to stdout, everything else to stderr, and whatever goes out passes the
//! redactor once more.

use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use indicatif::ProgressBar;
use transship_model::redact::Redactor;

use crate::args::{Color, Global};

/// The width of text where there is no terminal to ask.
pub const WIDTH: usize = 100;

/// Standard output and standard error, as the options and the environment want them.
#[derive(Debug)]
pub struct Term {
    color: ColorChoice,
    quiet: bool,
    verbose: bool,
    redactor: Mutex<Redactor>,
    lost: AtomicBool,
}

impl Term {
    /// A terminal as `options` want it.
    pub fn new(options: &Global) -> Self {
        let color = match options.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::AlwaysAnsi,
            Color::Never => ColorChoice::Never,
        };
        Self {
            color,
            quiet: options.quiet,
            verbose: options.verbose,
            redactor: Mutex::default(),
            lost: AtomicBool::new(false),
        }
    }

    /// From now on, nothing that `redactor` knows is printed.
    pub fn protect(&self, redactor: Redactor) {
        *self.redactor.lock().unwrap_or_else(PoisonError::into_inner) = redactor;
    }

    /// Whether `-v` was given.
    pub const fn verbose(&self) -> bool {
        self.verbose
    }

    /// The columns that text may take.
    pub fn width(&self) -> usize {
        self.columns().clamp(60, 140)
    }

    /// The columns of the terminal.
    pub fn columns(&self) -> usize {
        terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0))
    }

    /// The result of the command, on stdout.
    pub fn result(&self, text: &str) {
        let sent = send(&mut AutoStream::new(io::stdout(), self.color), &self.safe(text));
        // Whoever closed the pipe does not want the rest; a full disk is another matter.
        if let Err(error) =
            sent.or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
        {
            self.lost.store(true, Ordering::Relaxed);
            self.error(&format!("error: the result could not be written: {error}\n"));
        }
    }

    /// Whether a result was lost on its way out.
    pub fn has_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// An error, on stderr.
    pub fn error(&self, text: &str) {
        // There is nobody left to tell that an error could not be told.
        let _ = send(&mut AutoStream::new(io::stderr(), self.color), &self.safe(text));
    }

    /// Something to know that is no result, on stderr; nothing with `-q`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.error(&format!("{text}\n"));
        }
    }

    /// Whether progress may be drawn and redrawn: stderr is a terminal, and nobody records it.
    pub fn draws(&self) -> bool {
        !self.quiet && io::stderr().is_terminal() && std::env::var_os("CI").is_none_or(|ci| ci.is_empty())
    }

    /// Shows on a terminal that something goes on, until the value is dropped.
    pub fn busy(&self, what: &str) -> Busy {
        let bar = self.draws().then(|| ProgressBar::new_spinner().with_message(self.safe(what)));
        if let Some(bar) = &bar {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Busy(bar)
    }

    /// Whether somebody is there to be asked.
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks a question that only `y` or `yes` answers with yes.
    pub async fn ask(&self, question: &str) -> bool {
        self.error(&format!("{question} [y/N] "));
        let answer = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer).map(|_| answer)
        });
        let answer = answer.await.ok().and_then(Result::ok).unwrap_or_default();
        matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }

    /// `text` with every known secret masked.
    pub fn safe(&self, text: &str) -> String {
        let redactor = self.redactor.lock().unwrap_or_else(PoisonError::into_inner);
        let safe = redactor.redact(text);
        if safe == text {
            return safe;
        }
        // A secret such as `null` must not make JSON unreadable: there, texts are masked one by one.
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(mut document) => {
                redact_texts(&redactor, &mut document);
                crate::file::json(&document)
            }
            Err(_) => safe,
        }
    }
}

/// Shows that something goes on.
#[derive(Debug)]
pub struct Busy(Option<ProgressBar>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn send(stream: &mut impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes()).and_then(|()| stream.flush())
}

fn redact_texts(redactor: &Redactor, value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = redactor.redact(text),
        serde_json::Value::Array(list) => list.iter_mut().for_each(|value| redact_texts(redactor, value)),
        serde_json::Value::Object(map) => map.values_mut().for_each(|value| redact_texts(redactor, value)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn nothing_secret_passes() {
        let options = Global { color: Color::Never, verbose: false, quiet: false };
        let term = Term::new(&options);
        assert_eq!(term.safe("canary"), "canary");
        term.protect(Redactor::new(&[SecretString::from("canary")]));
        assert_eq!(term.safe("a canary sings"), "a *** sings");
        term.protect(Redactor::new(&[SecretString::from("null")]));
        let json = term.safe(r#"{"a": null, "b": "not null"}"#);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&json).unwrap(),
            serde_json::json!({ "a": null, "b": "not ***" })
        );
    }
}
