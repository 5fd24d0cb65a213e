//! A world that stops answering at a chosen statement, as if whoever sent it had been killed just then.
//!
//! A watcher sees every statement that comes over the wire, and says where to halt. From then on nothing is answered on any
//! connection, until [`crate::Sandbox::resume`] ends those connections. A store that a test runs beside the clusters may ask
//! the same gate.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A statement that came over the wire, before it is run.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The cluster, or what else asks.
    pub cluster: &'a str,
    /// Its text.
    pub statement: &'a str,
    /// Whether it changes something that lasts: a refresh changes nothing, and neither does a setting of the session.
    pub changes: bool,
}

/// Where all clusters halt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Halt {
    /// Before the statement has done anything.
    Before,
    /// After it was done, before it is answered.
    During,
    /// After it was answered: with the next statement, which does nothing.
    After,
}

type Watcher = Box<dyn FnMut(&Arrival<'_>) -> Option<Halt> + Send>;

/// What the wire asks before and after each statement.
#[derive(Default)]
pub struct Gate(Mutex<State>);

#[derive(Default)]
struct State {
    watcher: Option<Watcher>,
    /// Whether the next statement halts.
    is_last: bool,
    is_halted: bool,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `watcher` see every statement from now on, and say where everything halts.
    pub fn watch(&self, watcher: impl FnMut(&Arrival<'_>) -> Option<Halt> + Send + 'static) {
        *self.state() = State { watcher: Some(Box::new(watcher)), ..State::default() };
    }

    /// Lets everything pass again, unseen.
    pub(crate) fn open(&self) {
        *self.state() = State::default();
    }

    /// Whether everything has halted.
    pub fn is_halted(&self) -> bool {
        self.state().is_halted
    }

    /// Waits, for good where the world is halted; whether it halts once the statement is done.
    pub async fn enter(&self, arrival: &Arrival<'_>) -> bool {
        let Some(halts) = self.ask(arrival) else { std::future::pending().await };
        halts
    }

    /// Halts the world; the connection waits for its end.
    pub async fn halt(&self) {
        self.state().is_halted = true;
        std::future::pending::<()>().await;
    }

    /// Whether the world halts once the statement is done; `None` where it is not to be done.
    fn ask(&self, arrival: &Arrival<'_>) -> Option<bool> {
        let mut state = self.state();
        if state.is_halted || state.is_last {
            state.is_halted = true;
            return None;
        }
        let halt = state.watcher.as_mut().and_then(|watcher| watcher(arrival));
        state.is_last = halt == Some(Halt::After);
        state.is_halted = halt == Some(Halt::Before);
        if state.is_halted { None } else { Some(halt == Some(Halt::During)) }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Gate").field("is_last", &state.is_last).field("is_halted", &state.is_halted).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(halt: Halt) -> Vec<Option<bool>> {
        let gate = Gate::default();
        gate.watch(move |arrival| (arrival.statement == "b").then_some(halt));
        let ask = |statement| gate.ask(&Arrival { cluster: "x", statement, changes: true });
        let answers = ["a", "b", "c"].map(ask).to_vec();
        assert!(gate.is_halted() || halt == Halt::During);
        answers
    }

    #[test]
    fn a_statement_is_not_done_or_not_answered_or_the_last() {
        assert_eq!(asked(Halt::Before), [Some(false), None, None]);
        // Who asks halts the world himself, once the statement is done.
        assert_eq!(asked(Halt::During), [Some(false), Some(true), Some(false)]);
        assert_eq!(asked(Halt::After), [Some(false), Some(false), None]);
    }
}
