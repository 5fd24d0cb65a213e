//! The ways in which a flow's tables can travel: strategies, told apart as far as keys depend on it.

use super::{Engine, Flow, Need, StrategyChoice};

/// A column of the matrices of [`super::matrix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// `logical-replication` that goes on.
    Replication,
    /// `logical-replication` with `then: detach`.
    Detach,
    /// `snapshot`.
    Snapshot,
    /// `export-import`.
    ExportImport,
    /// `custom` with `engine: stream`.
    Stream,
    /// `custom` with `engine: foreign-table`.
    ForeignTable,
    /// `custom` with `engine: command`.
    Command,
    /// To be chosen.
    Auto,
}

impl Way {
    /// Every way but `auto`, which stands for one of them.
    pub const CONCRETE: [Self; 7] = [
        Self::Replication,
        Self::Detach,
        Self::Snapshot,
        Self::ExportImport,
        Self::Stream,
        Self::ForeignTable,
        Self::Command,
    ];

    /// The way of a strategy.
    pub const fn of(strategy: &StrategyChoice) -> Self {
        match strategy {
            StrategyChoice::Auto => Self::Auto,
            StrategyChoice::LogicalReplication(settings) if settings.then.is_none() => Self::Replication,
            StrategyChoice::LogicalReplication(_) => Self::Detach,
            StrategyChoice::Snapshot(_) => Self::Snapshot,
            StrategyChoice::ExportImport(_) => Self::ExportImport,
            StrategyChoice::Custom(custom) => match custom.engine {
                Engine::Stream => Self::Stream,
                Engine::ForeignTable => Self::ForeignTable,
                Engine::Command => Self::Command,
            },
        }
    }

    /// How sentences name it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Replication => "`logical-replication`",
            Self::Detach => "`logical-replication` with `then: detach`",
            Self::Snapshot => "`snapshot`",
            Self::ExportImport => "`export-import`",
            Self::Stream => "`custom` with `engine: stream`",
            Self::ForeignTable => "`custom` with `engine: foreign-table`",
            Self::Command => "`custom` with `engine: command`",
            Self::Auto => "`auto`",
        }
    }

    /// Whether it can provide `need`.
    pub const fn provides(self, need: Need) -> bool {
        match need {
            Need::Continuous => matches!(self, Self::Replication | Self::Stream),
            Need::Transform => {
                matches!(self, Self::ExportImport | Self::Stream | Self::ForeignTable | Self::Command)
            }
            Need::OpenFormat => matches!(self, Self::ExportImport),
        }
    }
}

/// The ways that a flow may take: its strategy, or with `auto` those that provide what it needs.
pub fn candidates(flow: &Flow) -> Vec<Way> {
    match Way::of(&flow.strategy) {
        Way::Auto => {
            let provides = |way: &Way| flow.needs.iter().all(|need| way.provides(*need));
            Way::CONCRETE.into_iter().filter(provides).collect()
        }
        way => vec![way],
    }
}

/// The ways in words, the engines of `custom` as one where all of them are meant.
pub fn list(ways: &[Way]) -> String {
    let engines = [Way::Stream, Way::ForeignTable, Way::Command];
    let all_engines = engines.iter().all(|engine| ways.contains(engine));
    let mut words: Vec<&str> = Vec::new();
    for way in ways.iter().filter(|way| **way != Way::Auto) {
        let word = if all_engines && engines.contains(way) { "`custom`" } else { way.words() };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(", ")
}
