//! A whole case as text, made of a seed: clusters, what is in them, what was applied before, what is declared, and what
//! changes after a cut.

use crate::random::Random;

use super::carried::Carried;
use super::flows::Flow;
use super::kinds::{Existing, Past, Strategy};
use super::tables::THEIRS;

/// What is in tables of others. Their names are such that a statement which touches them can be told.
const STRANGERS: &str = "
    CREATE TABLE theirs.kept (id INTEGER PRIMARY KEY, v TEXT) WITH (number_of_replicas = 0);
    INSERT INTO theirs.kept (id, v) VALUES (1, 'a'), (2, 'b'), (3, NULL);
    CREATE TABLE s0.stranger (id INTEGER, m INTEGER) PARTITIONED BY (m) WITH (number_of_replicas = 0);
    INSERT INTO s0.stranger (id, m) VALUES (1, 1), (2, 2), (2, 2);
    CREATE TABLE s0.transship__0a0a0a0a__new__people (id INTEGER) WITH (number_of_replicas = 0);
    INSERT INTO s0.transship__0a0a0a0a__new__people (id) VALUES (7);
    CREATE VIEW theirs.seen AS SELECT id FROM theirs.kept;
    REFRESH TABLE theirs.kept, s0.stranger, s0.transship__0a0a0a0a__new__people;
    CREATE USER app; GRANT DQL ON TABLE theirs.kept TO app";

/// What names a stranger in a statement.
pub(super) const STRANGE: [&str; 3] = ["theirs", "stranger", "0a0a0a0a"];

/// A statement on a cluster.
pub(super) type On = (&'static str, String);

pub(super) struct Story {
    pub(super) clusters: Vec<&'static str>,
    pub(super) flows: Vec<Flow>,
    /// What is there before anything is applied.
    filled: Vec<On>,
    /// What changes between what was applied before and the run that is cut.
    changed: Vec<On>,
    /// What changes after a cut.
    pub(super) later: Vec<On>,
    /// Whether tables are among that which flows follow.
    sources_change: bool,
    pub(super) consents: Vec<&'static str>,
    /// Whether the store is a bucket.
    pub(super) bucket: bool,
    /// Whether the next runs are told to resume.
    pub(super) resumes: bool,
    /// Whether others have a replication and snapshots of their own.
    pub(super) others_replicate: bool,
}

const CONSENTS: [&str; 6] = ["table:*", "rows:*", "publication:*", "subscription:*", "repository:*", "snapshot:*"];

impl Story {
    pub(super) fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let clusters: Vec<&'static str> =
            if random.chance(35) { vec!["shop", "analytics", "reports"] } else { vec!["shop", "analytics"] };
        let mut flows: Vec<Flow> =
            (0..[1, 1, 2, 3][random.below(4)]).map(|number| Flow::random(&mut random, number, &clusters)).collect();
        let exports = |flow: &&mut Flow| flow.strategy == Strategy::ToStore && flow.past != Past::Gone;
        if let Some(export) = flows.iter_mut().find(exports).filter(|_| random.chance(60)) {
            let import = Flow::import(&mut random, export, &clusters);
            flows.push(import);
        }
        let consents = if random.chance(75) { CONSENTS.to_vec() } else { random.some(&CONSENTS, 30) };
        let mut story = Self {
            clusters,
            flows,
            filled: Vec::new(),
            changed: Vec::new(),
            later: Vec::new(),
            sources_change: false,
            consents,
            bucket: random.chance(25),
            resumes: false,
            others_replicate: random.chance(25),
        };
        story.resumes = random.chance(15) && !story.flows.iter().any(|flow| flow.past == Past::Resync);
        story.fill(&mut random);
        story.change(&mut random);
        story
    }

    fn fill(&mut self, random: &mut Random) {
        let strangers = self.clusters.iter().map(|cluster| (*cluster, STRANGERS.to_owned()));
        self.filled.extend(strangers);
        for flow in self.flows.iter().filter(|flow| flow.strategy != Strategy::FromStore) {
            for carried in &flow.carried {
                let table = &carried.table;
                self.filled.push((flow.from, table.create(&table.name)));
                self.filled.push((flow.from, table.insert(&table.name, 1..=table.rows, "")));
            }
        }
        for flow in self.flows.iter().filter(|flow| flow.past == Past::Nothing) {
            for cluster in &flow.to {
                for carried in &flow.carried {
                    let in_the_way = in_the_way(random, flow, carried);
                    self.filled.extend(in_the_way.into_iter().map(|sql| (*cluster, sql)));
                }
            }
        }
    }

    /// What sources get beside what was copied before, and what changes once a run was cut.
    fn change(&mut self, random: &mut Random) {
        let more = |flow: &Flow, from: usize, tag: &str| -> Vec<On> {
            let tables = flow.carried.iter().map(|carried| &carried.table);
            let insert = |table: &super::tables::Table| table.insert(&table.name, from..from + 5, tag);
            tables.map(|table| (flow.from, insert(table))).collect()
        };
        for flow in self.flows.iter().filter(|flow| flow.past != Past::Nothing && flow.strategy != Strategy::FromStore)
        {
            let is_imported = self.flows.iter().any(|import| import.name == format!("{}in", flow.name));
            if !is_imported && random.chance(70) {
                self.changed.extend(more(flow, 5_000, "more"));
                self.changed.extend(flow.carried.iter().filter_map(|it| Some((flow.from, it.table.update()?))));
            }
        }
        let can = self.flows.iter().filter(|flow| flow.follows() && flow.past != Past::Gone);
        let follow: Vec<On> = can.flat_map(|flow| more(flow, 6_000, "later")).collect();
        // What is copied again may need a consent, or be forbidden.
        let is_permitted = self.consents.len() == CONSENTS.len() && !self.flows.iter().any(Flow::is_protected);
        if is_permitted && random.chance(40) {
            self.sources_change = !follow.is_empty();
            self.later.extend(follow);
        }
        if random.chance(30) {
            let another = "CREATE TABLE s0.\"stranger-2\" (id INTEGER) WITH (number_of_replicas = 0); \
                           INSERT INTO s0.\"stranger-2\" (id) VALUES (1); REFRESH TABLE s0.\"stranger-2\"";
            self.later.extend(self.clusters.iter().map(|cluster| (*cluster, another.to_owned())));
        }
    }

    pub(super) const fn filled(&self) -> &Vec<On> {
        &self.filled
    }

    pub(super) const fn changed(&self) -> &Vec<On> {
        &self.changed
    }

    /// What is declared, or was before; nothing where nothing was.
    pub(super) fn yaml(&self, is_past: bool) -> String {
        let flows: String = self.flows.iter().map(|flow| flow.yaml(is_past)).collect();
        if flows.is_empty() { String::new() } else { format!("flows:\n{flows}") }
    }

    /// Whether a change after a cut changes what the flow carries.
    pub(super) fn moves(&self, flow: &Flow) -> bool {
        flow.follows() && self.sources_change
    }

    /// Everything that is needed to understand a failure.
    pub(super) fn text(&self) -> String {
        let shown = |title: &str, all: &[On]| {
            let short = |sql: &str| {
                sql.lines().map(|line| line.chars().take(300).collect()).collect::<Vec<String>>().join("\n")
            };
            let lines: String = all
                .iter()
                .filter(|(_, sql)| sql != STRANGERS)
                .map(|(cluster, sql)| format!("  {cluster}> {}\n", short(sql)))
                .collect();
            format!("{title}:\n{lines}")
        };
        format!(
            "{}--- applied before\n{}{}--- applied {:?}\n{}{}",
            shown("filled", &self.filled),
            self.yaml(true),
            shown("changed", &self.changed),
            self.consents,
            self.yaml(false),
            shown("later", &self.later)
        )
    }
}

/// What stands under a target's name before the flow has ever been applied.
fn in_the_way(random: &mut Random, flow: &Flow, carried: &Carried) -> Option<String> {
    let percent = match flow.existing {
        Existing::Error => 7,
        Existing::Replace | Existing::View | Existing::Skip => 45,
        Existing::Append | Existing::Upsert => 80,
    };
    if !random.chance(percent) {
        return None;
    }
    let (name, table) = (&carried.to, &carried.table);
    let rows = 1 + random.below(4);
    let is_alike = matches!(flow.existing, Existing::Append | Existing::Upsert) || !carried.months.is_empty();
    let grant = format!("; GRANT DQL ON TABLE {} TO app", crate::inventory::quoted(name));
    let grant = if random.chance(40) { grant.as_str() } else { "" };
    if is_alike {
        let theirs = THEIRS..THEIRS + rows;
        let mut sql = format!("{};\n{}", table.create(name), table.insert(name, theirs, "theirs"));
        if table.is_keyed && flow.existing != Existing::Append {
            sql += &format!(";\n{}", table.insert(name, 2..8, "old"));
        }
        return Some(sql + grant);
    }
    let quoted = crate::inventory::quoted(name);
    Some(format!(
        "CREATE TABLE {quoted} (old TEXT) WITH (number_of_replicas = 0); INSERT INTO {quoted} (old) VALUES ('theirs'), ('b'); \
         REFRESH TABLE {quoted}{grant}"
    ))
}
