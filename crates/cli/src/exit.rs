//! The exit codes: a contract that scripts rely on. `docs/exit-codes.md` explains them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; with `plan --detailed-exitcode`: no changes.
    Done = 0,
    /// An error: bad workspace content, an unreachable cluster, a check that could not look at everything.
    Error = 1,
    /// `plan --detailed-exitcode`: there are changes.
    Changes = 2,
    /// `drift` found drift.
    Drift = 3,
    /// The saved plan is stale or was used already.
    Stale = 4,
    /// Something needs a consent that was not given, or a policy forbids it.
    Blocked = 5,
    /// Another run holds the lock.
    Locked = 6,
    /// Some steps failed or went stale on the way; run again to go on.
    Incomplete = 7,
    /// Cancelled, or 'no' at the prompt.
    Cancelled = 8,
    /// The command line is wrong.
    Usage = 64,
}

impl Exit {
    /// Every code, the one that wins over all others first.
    pub const PRECEDENCE: [Self; 10] = [
        Self::Usage,
        Self::Cancelled,
        Self::Locked,
        Self::Stale,
        Self::Blocked,
        Self::Incomplete,
        Self::Error,
        Self::Drift,
        Self::Changes,
        Self::Done,
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The code to exit with when both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self.rank() <= other.rank() { self } else { other }
    }

    /// `self` when `holds`, else [`Exit::Done`].
    #[must_use]
    pub const fn when(self, holds: bool) -> Self {
        if holds { self } else { Self::Done }
    }

    fn rank(self) -> usize {
        Self::PRECEDENCE.iter().position(|code| *code == self).expect("every code has a rank")
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_pair_the_first_in_the_documented_order_wins() {
        let order: Vec<u8> = Exit::PRECEDENCE.map(Exit::code).to_vec();
        assert_eq!(order, [64, 8, 6, 4, 5, 7, 1, 3, 2, 0]);
        for (i, first) in Exit::PRECEDENCE.into_iter().enumerate() {
            for (j, second) in Exit::PRECEDENCE.into_iter().enumerate() {
                assert_eq!(first.and(second), Exit::PRECEDENCE[i.min(j)], "{first:?} and {second:?}");
            }
        }
    }

    #[test]
    fn a_code_counts_only_when_it_holds() {
        assert_eq!(Exit::Blocked.when(true), Exit::Blocked);
        assert_eq!(Exit::Blocked.when(false), Exit::Done);
    }
}
