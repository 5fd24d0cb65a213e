//! What a run sends, and where everything halts.

use std::sync::{Arc, Mutex};

use transship_sandbox::Halt;

use crate::sandbox::Pair;

/// Something that was sent to a cluster, or to `store`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) to: String,
    pub(super) statement: String,
    pub(super) changes: bool,
}

/// Where everything halts: at the n-th of the statements that begin alike, from 1.
#[derive(Clone, Debug)]
pub(super) struct Kill {
    pub(super) to: String,
    pub(super) head: String,
    pub(super) nth: usize,
    pub(super) halt: Halt,
}

pub(super) struct Watched(Arc<Mutex<Vec<Seen>>>);

impl Watched {
    pub(super) fn begin(pair: &Pair, kill: Option<Kill>) -> Self {
        let all = Arc::new(Mutex::new(Vec::new()));
        let (seen, mut met) = (Arc::clone(&all), 0);
        pair.sandbox.gate().watch(move |arrival| {
            seen.lock().expect("nobody panics with it").push(Seen {
                to: arrival.cluster.to_owned(),
                statement: arrival.statement.to_owned(),
                changes: arrival.changes,
            });
            let kill = kill.as_ref()?;
            if arrival.cluster != kill.to || head(arrival.statement) != kill.head {
                return None;
            }
            met += 1;
            (met == kill.nth).then_some(kill.halt)
        });
        Self(all)
    }

    pub(super) fn end(self) -> Vec<Seen> {
        std::mem::take(&mut *self.0.lock().expect("nobody panics with it"))
    }
}

/// How a statement begins: what of it two worlds of one story have alike.
pub(super) fn head(statement: &str) -> &str {
    let end = statement.find(['(', '\'', '$']).unwrap_or(statement.len());
    let end = statement.find("marker-").map_or(end, |at| at.min(end));
    let end = statement.char_indices().nth(90).map_or(end, |(at, _)| at.min(end));
    statement[..end].trim_end()
}
