//! Flows of every strategy, with what may be seen of their tables while they run.

use crate::random::Random;

use super::carried::Carried;
use super::kinds::{Existing, How, Past, Strategy};
use super::tables::Table;

#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) name: String,
    pub(super) from: &'static str,
    /// The target clusters; none where it ends in the store.
    pub(super) to: Vec<&'static str>,
    pub(super) strategy: Strategy,
    pub(super) existing: Existing,
    pub(super) past: Past,
    pub(super) carried: Vec<Carried>,
    /// Whether it is repeated on change.
    pub(super) repeats: bool,
    /// Whether its tables are named by a pattern.
    by_pattern: bool,
    /// More lines of its declaration.
    keys: Vec<&'static str>,
}

const STRATEGIES: [Strategy; 13] = [
    Strategy::Stream(None),
    Strategy::Stream(None),
    Strategy::Stream(Some(10)),
    Strategy::Stream(Some(7)),
    Strategy::Json,
    Strategy::Csv,
    Strategy::Snapshot,
    Strategy::Snapshot,
    Strategy::Detach,
    Strategy::Live,
    Strategy::Live,
    Strategy::ToStore,
    Strategy::Auto,
];

const PROTECTED: &str = "prevent_destroy: true";

impl Flow {
    pub(super) fn random(random: &mut Random, number: usize, clusters: &[&'static str]) -> Self {
        let strategy = STRATEGIES[random.below(STRATEGIES.len())];
        let (from, to) = ends(random, strategy, clusters);
        let existing = strategy.existing(random);
        let (name, schema) = (format!("f{number}"), format!("s{number}"));
        let mut carried = Vec::new();
        for table in 0..=usize::from(random.chance(35)) {
            let table = Table::random(random, &schema, table);
            let target = format!("{name}-{}", carried.len());
            carried.push(Carried::random(random, table, (&target, strategy, existing)));
        }
        let by_pattern = carried.iter().all(Carried::is_plain) && random.chance(25);
        let (past, repeats, keys) = (Past::Nothing, false, Vec::new());
        let mut flow = Self { name, from, to, strategy, existing, past, carried, repeats, by_pattern, keys };
        flow.choose_keys(random);
        flow.past = flow.choose_past(random);
        flow
    }

    /// A flow that imports what `export` exports, which was applied before.
    pub(super) fn import(random: &mut Random, export: &mut Self, clusters: &[&'static str]) -> Self {
        (export.past, export.repeats) = (Past::Same, false);
        let targets: Vec<&'static str> = clusters.iter().copied().filter(|name| *name != export.from).collect();
        let strategy = Strategy::FromStore;
        let mut carried = export.carried.clone();
        for carried in &mut carried {
            carried.from = carried.to.clone();
        }
        Self {
            name: format!("{}in", export.name),
            from: export.from,
            to: vec![targets[0]],
            strategy,
            existing: strategy.existing(random),
            past: Past::Nothing,
            carried,
            repeats: false,
            by_pattern: false,
            keys: Vec::new(),
        }
    }

    fn choose_keys(&mut self, random: &mut Random) {
        let replaces = matches!(self.existing, Existing::Replace | Existing::View);
        let repeatable = replaces && self.strategy != Strategy::Live || self.existing == Existing::Upsert;
        let arrives = self.strategy == Strategy::Detach && self.carried.iter().any(|it| it.to == it.table.name);
        self.repeats = (repeatable || self.strategy == Strategy::ToStore) && !arrives && random.chance(40);
        if replaces && self.strategy != Strategy::Live && random.chance(70) {
            self.keys.push("allow_shrink: true");
        }
        let settings = matches!(self.strategy, Strategy::Live | Strategy::ToStore | Strategy::Auto);
        if !settings && random.chance(20) {
            self.keys.push("target: { refresh_interval: 500 }");
        }
        if random.chance(8) {
            self.keys.push(PROTECTED);
        }
    }

    /// Whether nothing of it may be dropped.
    pub(super) fn is_protected(&self) -> bool {
        self.keys.contains(&PROTECTED)
    }

    fn choose_past(&self, random: &mut Random) -> Past {
        let again = matches!(self.existing, Existing::Replace | Existing::View | Existing::Upsert);
        let arrives = self.strategy == Strategy::Detach && self.carried.iter().any(|it| it.to == it.table.name);
        let again = again && self.strategy != Strategy::Detach || self.strategy == Strategy::ToStore;
        let has_less = again && self.strategy.chooses() || self.strategy == Strategy::Live && self.carried.len() > 1;
        let has_rows = self.strategy == Strategy::Live || self.carried.iter().all(|it| it.months.is_empty());
        let has_less = has_less && has_rows && !self.by_pattern;
        match random.below(10) {
            0 if again && !arrives => Past::Resync,
            1 if has_less => Past::Less,
            2 | 3 if self.repeats || random.chance(30) => Past::Same,
            4 => Past::Gone,
            _ => Past::Nothing,
        }
    }

    /// Its declaration now, or before; nothing where it was, or is, not declared.
    pub(super) fn yaml(&self, is_past: bool) -> String {
        let is_declared = if is_past { self.past != Past::Nothing } else { self.past != Past::Gone };
        if !is_declared {
            return String::new();
        }
        let has_less = is_past && self.past == Past::Less;
        let some = if has_less && self.strategy == Strategy::Live { 1 } else { self.carried.len() };
        let less_rows = has_less && self.strategy != Strategy::Live;
        let tables: String = match self.carried[0].from.split_once('.') {
            Some((schema, _)) if self.by_pattern => {
                format!("      - {schema}.*\n    exclude: [{schema}.stranger*, {schema}.f*]\n")
            }
            _ => self.carried.iter().take(some).map(|carried| carried.yaml(self.strategy, less_rows)).collect(),
        };
        let from = match self.strategy {
            Strategy::FromStore => {
                format!("{{ store: disk, export: sandboxed/{} }}", self.name.trim_end_matches("in"))
            }
            _ => self.from.to_owned(),
        };
        let to = match &self.to[..] {
            [] => "{ store: disk }".to_owned(),
            [one] => (*one).to_owned(),
            several => format!("[{}]", several.join(", ")),
        };
        let mut keys: Vec<String> = self.keys.iter().map(|key| (*key).to_owned()).collect();
        keys.extend((self.strategy != Strategy::ToStore).then(|| self.existing.yaml().to_owned()));
        keys.extend(self.repeats.then(|| "repeat: on-change".to_owned()));
        let keys: String = keys.iter().map(|key| format!("    {key}\n")).collect();
        let (name, strategy) = (&self.name, self.strategy.yaml());
        format!("  {name}:\n    from: {from}\n    to: {to}\n    tables:\n{tables}    strategy: {strategy}\n{keys}")
    }

    /// The ids of its instances.
    pub(super) fn ids(&self) -> Vec<String> {
        match &self.to[..] {
            [] | [_] => vec![self.name.clone()],
            several => several.iter().map(|to| format!("{}@{to}", self.name)).collect(),
        }
    }

    /// What may be seen of a table of the target, which was there when the run began, or not.
    pub(super) fn how(&self, carried: &Carried, was_there: bool) -> How {
        match (self.strategy, self.existing) {
            (Strategy::Live | Strategy::Auto, _) => How::Arrives,
            (Strategy::Detach, _) if carried.to == carried.table.name => How::Arrives,
            _ if !was_there || self.past == Past::Gone => How::Aside,
            (_, Existing::Append) => How::Append,
            (_, Existing::Upsert) => How::Upsert,
            _ if !carried.months.is_empty() => How::Parts,
            _ => How::Aside,
        }
    }

    /// Whether it does what its source does meanwhile, or does it again.
    pub(super) const fn follows(&self) -> bool {
        matches!(self.strategy, Strategy::Live) || self.repeats
    }

    /// Whether what it keeps for a while goes when it copies again.
    pub(super) fn keeps(&self) -> bool {
        let stores = matches!(
            self.strategy,
            Strategy::Json | Strategy::Csv | Strategy::Snapshot | Strategy::ToStore | Strategy::Auto
        );
        let copies_again = matches!(self.existing, Existing::Replace | Existing::View | Existing::Upsert);
        let is_export = self.strategy == Strategy::ToStore;
        let is_left = self.past == Past::Gone || self.past == Past::Same && !self.repeats;
        !is_left && (stores && copies_again || is_export || self.existing == Existing::View)
    }
}

fn ends(random: &mut Random, strategy: Strategy, clusters: &[&'static str]) -> (&'static str, Vec<&'static str>) {
    let from = clusters[if random.chance(80) { 0 } else { random.below(clusters.len()) }];
    let mut others: Vec<&'static str> = clusters.iter().copied().filter(|name| *name != from).collect();
    match strategy {
        Strategy::ToStore => others.clear(),
        _ if others.len() > 1 && random.chance(40) => {}
        _ => others = vec![others[random.below(others.len())]],
    }
    (from, others)
}
