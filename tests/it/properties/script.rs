//! Random scripts of what goes wrong in a run, of the statements that a run sends which nothing disturbs.

use std::collections::BTreeMap;
use std::time::Duration;

use transship_sandbox::{Fault, Halt, What};

use crate::random::Random;

use super::watch::{Kill, Seen, head};

/// What goes wrong in one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut {
    pub(super) faults: Vec<Fault>,
    pub(super) kill: Option<Kill>,
}

/// What the product takes for passing, and tries again.
const PASSING: [(&str, &str); 5] = [
    ("XX000", "[query] Data too large, breaker would use 9gb in total"),
    ("XX000", "rejected execution of TimedRunnable on EsThreadPoolExecutor[name = write, queue capacity = 200]"),
    ("XX000", "No shard available for [get]"),
    ("XX000", "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];"),
    ("57P01", "terminating connection due to administrator command"),
];

/// What it does not.
const LASTING: [(&str, &str); 4] = [
    ("XX000", "no room"),
    ("XX000", "blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];"),
    ("57014", "Job killed. by somebody"),
    ("XX000", "java.lang.NullPointerException: null"),
];

/// The statements that begin alike, with how many there are.
struct Heads(Vec<(String, String, usize)>);

impl Heads {
    fn of<'a>(seen: impl Iterator<Item = &'a Seen>) -> Self {
        let mut found: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for sent in seen {
            *found.entry((&sent.to, head(&sent.statement))).or_default() += 1;
        }
        Self(found.into_iter().map(|((to, head), count)| (to.to_owned(), head.to_owned(), count)).collect())
    }

    /// One of them, and which of those that begin like it.
    fn pick(&self, random: &mut Random) -> Option<(String, String, usize)> {
        let (to, head, count) = self.0.get(random.below(self.0.len()))?;
        Some((to.clone(), head.clone(), 1 + random.below(*count)))
    }
}

/// What a run can be cut at.
pub(super) struct Places {
    own: Heads,
    ledger: Heads,
    any: Heads,
    ailing: Heads,
}

impl Places {
    pub(super) fn of(seen: &[Seen]) -> Self {
        let is_ledger = |sent: &&Seen| sent.statement.contains("\"transship\".");
        let changing = || seen.iter().filter(|sent| sent.changes);
        let ails = |sent: &&Seen| {
            let sql = sent.statement.to_lowercase();
            let is_import = sql.starts_with("copy ") && sql.contains(" from ");
            is_import || ["create snapshot", "restore snapshot"].iter().any(|start| sql.starts_with(start))
        };
        Self {
            own: Heads::of(changing().filter(|sent| !is_ledger(sent))),
            ledger: Heads::of(changing().filter(is_ledger)),
            any: Heads::of(seen.iter()),
            ailing: Heads::of(changing().filter(ails)),
        }
    }

    fn pick(&self, random: &mut Random) -> Option<(String, String, usize)> {
        let heads = match random.below(20) {
            0..12 => &self.own,
            12..16 => &self.ledger,
            _ => &self.any,
        };
        heads.pick(random).or_else(|| self.any.pick(random))
    }

    pub(super) fn cut(&self, random: &mut Random) -> Cut {
        let mut cut = Cut::default();
        let is_killed = random.chance(55);
        if is_killed {
            let halt = [Halt::Before, Halt::During, Halt::After][random.below(3)];
            cut.kill = self.pick(random).map(|(to, head, nth)| Kill { to, head, nth, halt });
        }
        let faults = if is_killed { [0, 0, 1][random.below(3)] } else { 1 + random.below(3) };
        cut.faults.extend((0..faults).filter_map(|_| self.fault(random)));
        cut
    }

    fn fault(&self, random: &mut Random) -> Option<Fault> {
        let ailing = self.ailing.pick(random).filter(|_| random.chance(12));
        // Shards that a restore does not bring are waited for, two minutes long.
        if let Some((cluster, statement, nth)) = ailing.filter(|it| !it.1.starts_with("RESTORE") || random.chance(5)) {
            let what = What::Ail { all: random.chance(50) };
            return Some(Fault { cluster, statement, nth: number(nth), times: 1, what });
        }
        let (cluster, statement, nth) = self.pick(random)?;
        let fail = |of: &[(&str, &str)], random: &mut Random| {
            let (sqlstate, message) = of[random.below(of.len())];
            What::Fail { sqlstate: sqlstate.to_owned(), message: message.to_owned() }
        };
        let what = match random.below(10) {
            0..3 => fail(&PASSING, random),
            3..6 => fail(&LASTING, random),
            6 => What::Delay(Duration::from_millis(random.below(400) as u64)),
            7 | 8 => What::DropConnectionAfter,
            _ => What::DropConnectionBefore,
        };
        // Whatever passes is waited for, some twenty seconds where it does not.
        let is_lasting = matches!(&what, What::Fail { message, .. } if LASTING.iter().any(|(_, it)| it == message));
        let is_late = matches!(what, What::Delay(_));
        let times = match random.below(30) {
            0 if !is_late => u32::MAX,
            _ if is_lasting && random.chance(30) => u32::MAX,
            1..4 => 2,
            4 => 3,
            _ => 1,
        };
        Some(Fault { cluster, statement, nth: number(nth), times, what })
    }
}

fn number(nth: usize) -> u32 {
    u32::try_from(nth).expect("few statements begin alike")
}
