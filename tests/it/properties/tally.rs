//! What came of all cases.

use std::collections::BTreeMap;
use std::fmt;

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// The plan was refused, and why.
    Refused(String),
    /// There was nothing to do.
    Settled,
    /// The run fails, whatever is done.
    Failed,
    /// So many runs were killed, failed, and ended well in spite of what went wrong.
    Cut { killed: usize, failed: usize, ended: usize },
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    refused: BTreeMap<String, usize>,
    settled: usize,
    failing: usize,
    cut: usize,
    killed: usize,
    failed: usize,
    ended: usize,
}

impl Tally {
    pub(super) fn add(&mut self, came: Came) {
        match came {
            Came::Refused(why) => *self.refused.entry(why).or_default() += 1,
            Came::Settled => self.settled += 1,
            Came::Failed => self.failing += 1,
            Came::Cut { killed, failed, ended } => {
                self.cut += 1;
                self.killed += killed;
                self.failed += failed;
                self.ended += ended;
            }
        }
    }

    /// Whether most stories come to a run that can be cut; of few, some.
    pub(super) fn is_worth_it(&self) -> bool {
        let all = self.refused.values().sum::<usize>() + self.settled + self.failing + self.cut;
        self.cut * 10 >= all * if all < 100 { 2 } else { 6 }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refused, settled, failing, cut, killed, failed, ended } = self;
        write!(
            f,
            "{cut} stories were cut ({killed} runs were killed, {failed} failed, {ended} ended well), refused: {refused:?}, \
             {settled} had nothing to do, {failing} always fail"
        )
    }
}
