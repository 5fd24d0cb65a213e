//! What happens in a run, as lines.

use transship_model::event::Happened;

use super::style::{alarm, cyan, dim, green, plain, yellow};

/// The line about something that happened; `None` where there is nothing to say.
pub fn line_of(what: &Happened) -> Option<String> {
    match what {
        Happened::StepProgress { step, text } => Some(format!("{} {step}  {}", cyan("…"), dim(text))),
        Happened::StepOutput { step, text, .. } => Some(format!("{} {step}  {}", dim("|"), plain(text))),
        Happened::StepDone { step, already, note, milliseconds } => {
            let took = if *already { "was there already".to_owned() } else { span(*milliseconds) };
            let note = note.as_ref().map(|note| format!("; {}", plain(note))).unwrap_or_default();
            Some(format!("{} {step}  {}", green("✓"), dim(&format!("{took}{note}"))))
        }
        // What to do about it is said once, at the end.
        Happened::StepFailed { step, code, message, .. } => {
            Some(format!("{} {step}  {}  {}", alarm("✗"), plain(message), dim(code)))
        }
        Happened::StepSkipped { step, because_of } => {
            Some(format!("{} {step}  {}", yellow("-"), dim(&format!("not started: {because_of} failed"))))
        }
        Happened::StepStarted { .. }
        | Happened::FlowDone { .. }
        | Happened::RunStarted { .. }
        | Happened::RunFinished { .. } => None,
    }
}

/// `0.4s`, `12s`, `3m20s`.
pub fn span(milliseconds: u64) -> String {
    match milliseconds {
        0..10_000 => format!("{}.{}s", milliseconds / 1000, milliseconds % 1000 / 100),
        10_000..60_000 => format!("{}s", milliseconds / 1000),
        _ => format!("{}m{:02}s", milliseconds / 60_000, milliseconds / 1000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        for (milliseconds, shown) in [(0, "0.0s"), (440, "0.4s"), (12_345, "12s"), (200_000, "3m20s")] {
            assert_eq!(span(milliseconds), shown);
        }
    }
}
