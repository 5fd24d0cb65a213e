//! Faults on demand: statements that fail, take long, or lose their connection or their answer.

use std::time::Duration;

/// What goes wrong with which statement.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The cluster.
    pub cluster: String,
    /// A part of the statement's text; its case does not matter.
    pub statement: String,
    /// The first such statement that it happens to, from 1.
    pub nth: u32,
    /// To how many of them it happens.
    pub times: u32,
    /// What happens.
    pub what: What,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum What {
    /// The statement does nothing and fails.
    Fail {
        /// The SQLSTATE.
        sqlstate: String,
        /// The message.
        message: String,
    },
    /// The statement begins later.
    Delay(Duration),
    /// A snapshot ends as partial or failed, a restore lacks shards, an import cannot read a file: one, or all of them. A
    /// subscription forgets what it copies, as after a restart: all shards are missing, or only the word that they are there.
    Ail {
        /// Whether all shards or files fail.
        all: bool,
    },
    /// The connection ends before the statement has done anything.
    DropConnectionBefore,
    /// The connection ends after the statement was done: its answer is lost.
    DropConnectionAfter,
}

/// The faults of a world, with how often each was met.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Fault, u32)>);

impl Faults {
    pub(crate) fn set(&mut self, faults: Vec<Fault>) {
        self.0 = faults.into_iter().map(|fault| (fault, 0)).collect();
    }

    /// What goes wrong with a statement that is about to run.
    pub(crate) fn meet(&mut self, cluster: &str, sql: &str) -> Option<What> {
        let sql = sql.to_lowercase();
        let mut found = None;
        for (fault, met) in &mut self.0 {
            if fault.cluster == cluster && sql.contains(&fault.statement.to_lowercase()) {
                *met += 1;
                let happens = (fault.nth..fault.nth.saturating_add(fault.times)).contains(met);
                found = found.or_else(|| happens.then(|| fault.what.clone()));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_happen_to_the_statements_that_they_name() {
        let fault = Fault {
            cluster: "a".to_owned(),
            statement: "insert into".to_owned(),
            nth: 2,
            times: 1,
            what: What::DropConnectionAfter,
        };
        let mut faults = Faults::default();
        faults.set(vec![fault]);
        let met: Vec<bool> = ["INSERT INTO t", "SELECT 1", "INSERT INTO t", "INSERT INTO t"]
            .map(|sql| faults.meet("a", sql).is_some())
            .to_vec();
        assert_eq!(met, [false, false, true, false]);
        assert!(faults.meet("b", "INSERT INTO t").is_none());
    }
}
