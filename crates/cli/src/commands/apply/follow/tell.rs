//! What is told of a round: a line for people, and one of JSON.

use std::time::Duration;

use serde::Serialize;
use transship_apply::{Clock as _, YIELDED};

use super::Following;
use crate::args::BasicFormat;
use crate::view::applied::{Applied, Fate};

/// What a line of JSON says of a round.
#[derive(Serialize)]
struct Line<'a> {
    round: u64,
    at: String,
    result: &'a str,
    rows: u64,
    /// How long ago a row may have come that is not there yet, in milliseconds, at the end of the round.
    lag: Option<u128>,
    code: Option<&'a str>,
    message: Option<&'a str>,
}

impl Following<'_> {
    pub(super) fn tell(&self, result: &str, rows: u64, failed: Option<(&str, &str)>) {
        let (lag, now) = (self.lag(), self.clock.now());
        if self.args.format == BasicFormat::Json {
            let line = Line {
                round: self.number,
                at: now.to_string(),
                result,
                rows,
                lag: lag.map(|lag| lag.as_millis()),
                code: failed.map(|(code, _)| code),
                message: failed.map(|(_, message)| message),
            };
            let line = serde_json::to_string(&line).expect("it has text keys only");
            self.term.result(&format!("{line}\n"));
        }
        let lag = lag.map(|lag| format!(", lag {}", seconds(lag))).unwrap_or_default();
        let time = now.strftime("%H:%M:%S");
        match failed {
            Some((code, message)) => {
                let again = self.again().as_secs();
                self.term.note(&format!("{time}  failed: {message} ({code}); again in {again} s{lag}"));
            }
            None if result == "done" => self.term.note(&format!("{time}  {rows} rows{lag}")),
            None => {}
        }
    }
}

/// The rows that the steps of a round say that they wrote: a note begins with their number.
pub(super) fn rows(applied: &Applied) -> u64 {
    let of = |fate: &Fate| match fate {
        Fate::Done { note: Some(note), .. } => note.split_once(" rows")?.0.parse::<u64>().ok(),
        _ => None,
    };
    applied.steps.iter().filter_map(|became| of(&became.fate)).sum()
}

pub(super) fn is_yielded(fate: &Fate) -> bool {
    matches!(fate, Fate::Done { note: Some(note), .. } if note.ends_with(YIELDED))
}

pub(super) fn seconds(span: Duration) -> String {
    let milliseconds = span.as_millis();
    format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100)
}
