//! Sends the events of a run to whoever listens and to the log of the run, redacted.

use std::sync::Mutex;

use tokio::sync::mpsc;
use transship_model::event::{Event, Happened};
use transship_model::plan::StepId;
use transship_model::redact::Redactor;

use crate::clock::Clock;
use crate::runlog::RunLog;

/// Sends events.
pub(crate) struct Emitter<'a> {
    clock: &'a dyn Clock,
    redactor: &'a Redactor,
    sender: mpsc::Sender<Event>,
    log: Mutex<Option<RunLog>>,
    warnings: Mutex<Vec<String>>,
}

impl<'a> Emitter<'a> {
    pub(crate) fn new(clock: &'a dyn Clock, redactor: &'a Redactor, sender: mpsc::Sender<Event>) -> Self {
        Self { clock, redactor, sender, log: Mutex::new(None), warnings: Mutex::new(Vec::new()) }
    }

    /// Keeps a log from here on.
    pub(crate) fn log_to(&self, log: Result<RunLog, String>) {
        match log {
            Ok(log) => *lock(&self.log) = Some(log),
            Err(problem) => self.warn(problem),
        }
    }

    /// Tells what happened. A listener that is gone is no reason to stop a run.
    pub(crate) async fn tell(&self, what: Happened) {
        let event = self.record(what);
        let _ = self.sender.send(event).await;
    }

    /// Tells how far a step has come; dropped when the listener is behind.
    pub(crate) fn progress(&self, step: &StepId, text: String) {
        let event = self.record(Happened::StepProgress { step: step.clone(), text });
        let _ = self.sender.try_send(event);
    }

    /// Notes something that went wrong without harm to the run; the same is told once.
    pub(crate) fn warn(&self, text: impl AsRef<str>) {
        let (text, mut warnings) = (self.redactor.redact(text.as_ref()), lock(&self.warnings));
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }

    /// What went wrong without harm to the run.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.warnings))
    }

    fn record(&self, what: Happened) -> Event {
        let event = Event { at: self.clock.now(), what: redacted(what, self.redactor) };
        let mut log = lock(&self.log);
        if let Some(Err(problem)) = log.as_mut().map(|log| log.write(&event)) {
            // One warning is enough: what follows could not be written either.
            *log = None;
            drop(log);
            self.warn(problem);
        }
        event
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics while holding it")
}

fn redacted(mut what: Happened, redactor: &Redactor) -> Happened {
    let clean = |text: &mut String| *text = redactor.redact(text);
    match &mut what {
        Happened::StepProgress { text, .. } | Happened::StepOutput { text, .. } => clean(text),
        Happened::StepDone { note, .. } => note.iter_mut().for_each(clean),
        Happened::StepFailed { message, help, .. } => {
            clean(message);
            help.iter_mut().for_each(clean);
        }
        Happened::RunStarted { .. }
        | Happened::StepStarted { .. }
        | Happened::StepSkipped { .. }
        | Happened::FlowDone { .. }
        | Happened::RunFinished { .. } => {}
    }
    what
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::clock::manual::ManualClock;

    #[tokio::test]
    async fn a_secret_in_any_text_is_masked_on_the_way_out() {
        let (clock, redactor) = (ManualClock::new(), Redactor::new(&[SecretString::from("canary&1")]));
        let (sender, mut receiver) = mpsc::channel(8);
        let emitter = Emitter::new(&clock, &redactor, sender);
        let step = || StepId("a/01".to_owned());
        let secret = || "the password canary%261 is wrong".to_owned();
        emitter.progress(&step(), secret());
        emitter.tell(Happened::StepDone { step: step(), already: false, note: Some(secret()), milliseconds: 1 }).await;
        emitter
            .tell(Happened::StepFailed { step: step(), code: "x".to_owned(), message: secret(), help: Some(secret()) })
            .await;
        drop(emitter);
        let mut told = String::new();
        while let Some(event) = receiver.recv().await {
            told.push_str(&serde_json::to_string(&event).unwrap());
        }
        assert!(!told.contains("canary"), "{told}");
        assert_eq!(told.matches("***").count(), 4);
    }
}
