//! What COPY FROM says of the files that it read.

use std::fmt::Write as _;

use transship_cluster::{ClusterError, Rows, Value, ValueError};

use super::context::Context;
use super::error::StepError;

/// So many problems are told.
const MOST: usize = 10;

/// So many lines are named for each.
const LINES: usize = 10;

/// So much of a message is told: it may repeat the whole row.
const LONGEST: usize = 400;

/// What a cluster said of a file that it did not import whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// The file's name.
    pub file: String,
    /// Why.
    pub reason: String,
    /// How many rows it is about; none where it is about the file.
    pub rows: u64,
    /// The first lines that it is about.
    pub lines: Vec<u64>,
    /// Whether it is only that there is no such file.
    pub is_missing: bool,
}

/// What COPY FROM says of all files.
#[derive(Default)]
pub(super) struct Summary {
    /// The rows that were imported.
    pub(super) imported: u64,
    /// The first problems.
    pub(super) problems: Vec<FileProblem>,
    /// Whether rows were refused, or files could not be read that are there.
    is_damaged: bool,
}

impl Summary {
    /// Adds an answer; with `sensitive` values, only the kinds of reasons.
    pub(super) fn add_all(&mut self, cx: &Context<'_>, answer: &Rows, sensitive: bool) -> Result<(), StepError> {
        for row in 0..answer.len() {
            self.add(cx, answer, row, sensitive)
                .map_err(|error| StepError::from(ClusterError::answer(&cx.step.cluster, &cx.step.sql[0], &error)))?;
        }
        Ok(())
    }

    /// Whether nothing was refused. A file that is not there is none: shards that a condition rules out write none, and
    /// that no row is missing is seen by the numbers.
    pub(super) const fn is_clean(&self) -> bool {
        !self.is_damaged
    }

    fn add(&mut self, cx: &Context<'_>, answer: &Rows, row: usize, sensitive: bool) -> Result<(), ValueError> {
        let uri = answer.text(row, "uri")?;
        let file = uri.rsplit('/').next().unwrap_or_default().to_owned();
        let number = |column: &str| match answer.value(row, column)? {
            Value::Int(number) => Ok(u64::try_from(*number).ok()),
            Value::Null => Ok(None),
            other => Err(wrong(column, &format!("{other:?}"))),
        };
        let (good, bad) = (number("success_count")?, number("error_count")?);
        self.imported += good.unwrap_or(0);
        let Value::Json(errors) = answer.value(row, "errors")? else { return Err(wrong("errors", "no object")) };
        let errors = errors.as_object().ok_or_else(|| wrong("errors", "no object"))?;
        let whole_file = bad.is_none();
        for (message, details) in errors {
            let is_missing = whole_file && is_missing(message);
            self.is_damaged |= !is_missing;
            let reason = if sensitive { transship_mover::kind_of_reason(message) } else { told(cx, message) };
            let rows = if whole_file { 0 } else { details["count"].as_u64().unwrap_or(0) };
            let lines = details["line_numbers"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_u64);
            let problem =
                FileProblem { file: file.clone(), reason, rows, lines: lines.take(LINES).collect(), is_missing };
            if self.problems.len() < MOST {
                self.problems.push(problem);
            }
        }
        // An answer of a form that nobody knows is no success.
        self.is_damaged |= bad.is_some_and(|bad| bad > 0) || (whole_file && errors.is_empty());
        Ok(())
    }
}

/// Whether a message is that there is no such file, or none that a pattern stands for.
fn is_missing(message: &str) -> bool {
    ["No such file or directory", "NotFound", "NoSuchKey", "Cannot find any URI matching"]
        .iter()
        .any(|words| message.contains(words))
}

fn told(cx: &Context<'_>, message: &str) -> String {
    let message = cx.redactor.redact(message);
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

fn wrong(column: &str, found: &str) -> ValueError {
    ValueError { column: column.to_owned(), expected: "a summary of COPY FROM", found: found.to_owned() }
}

/// Problems for people, each in a sentence part: `; orders_0_.json, line 3: …`.
pub(super) fn shown(problems: &[FileProblem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let lines: Vec<String> = problem.lines.iter().map(ToString::to_string).collect();
        let word = if lines.len() == 1 { "line" } else { "lines" };
        let lines = if lines.is_empty() { String::new() } else { format!(", {word} {}", lines.join(", ")) };
        let more = if problem.rows > problem.lines.len() as u64 { ", …" } else { "" };
        write!(text, "; {}{lines}{more}: {}", problem.file, problem.reason).expect("writing to a String");
    }
    text
}
