//! What there is to choose from: every strategy, with every store that it can go through, and what rules it out whatever the
//! clusters say.

use transship_model::ledger::FlowRow;
use transship_model::spec::matrix::misfits;
use transship_model::spec::way::Way;
use transship_model::spec::{
    Custom, Engine, ExportImport, Flow, Format, LogicalReplication, Need, ReplicationMode, Snapshot, StoreUse,
    StrategyChoice, TableEntry, Then,
};
use transship_model::{Name, SpecPath};

use super::rule::Asked;
use crate::input::PlanInput;
use crate::snapshot;

/// A strategy that a flow may take, or may not.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Which one.
    pub(super) way: Way,
    /// With its settings; `None` where it cannot even be written down.
    pub(super) strategy: Option<StrategyChoice>,
    /// Why the declaration does not go with it, one sentence each.
    pub(super) unfit: Vec<String>,
}

impl Candidate {
    /// Whether the declaration goes with it.
    pub(super) fn fits(&self) -> bool {
        self.unfit.is_empty() && self.strategy.is_some()
    }

    /// The store that it goes through.
    pub(super) fn store(&self) -> Option<&Name> {
        match self.strategy.as_ref()? {
            StrategyChoice::Snapshot(settings) => Some(&settings.store),
            StrategyChoice::ExportImport(settings) => settings.store.as_ref(),
            StrategyChoice::Auto | StrategyChoice::LogicalReplication(_) | StrategyChoice::Custom(_) => None,
        }
    }

    /// Whether it is this strategy, through the same store; other settings may have been others once.
    pub(super) fn is(&self, strategy: &StrategyChoice) -> bool {
        let other = Self { way: Way::of(strategy), strategy: Some(strategy.clone()), unfit: Vec::new() };
        self.strategy.is_some() && self.way == other.way && self.store() == other.store()
    }

    /// How sentences name it.
    pub(super) fn words(&self) -> String {
        let through = self.store().map(|store| format!(" through store {store}")).unwrap_or_default();
        format!("{}{through}", self.way.words())
    }

    /// Whether what the flow has made lies in the store of this candidate.
    pub(super) fn holds_files(&self, input: &PlanInput, flow: &Name, row: &FlowRow) -> bool {
        let Some(store) = self.store() else { return false };
        match self.way {
            Way::Snapshot => snapshot::lies_in(input, flow, row, store),
            _ => row.exports.last_key_value().is_some_and(|(_, export)| export.store == *store),
        }
    }
}

/// Every candidate, in the order of the documentation. Where the flow declares a strategy, it is among them as declared.
pub(super) fn of(input: &PlanInput, flow: &Name) -> Vec<Candidate> {
    let Some(declared) = input.spec.flows.get(flow) else { return Vec::new() };
    let path = SpecPath::of("flows", flow);
    let mut all = Vec::new();
    for way in Way::CONCRETE {
        let strategies = strategies(input, declared, way);
        if strategies.is_empty() {
            all.push(Candidate { way, strategy: None, unfit: vec![nothing(way).to_owned()] });
        }
        for strategy in strategies {
            let unfit = unfit(input, declared, way, &strategy, &path);
            all.push(Candidate { way, strategy: Some(strategy), unfit });
        }
    }
    all
}

/// A way with its settings: as declared, else as they are unless said otherwise, with each store.
fn strategies(input: &PlanInput, flow: &Flow, way: Way) -> Vec<StrategyChoice> {
    if Way::of(&flow.strategy) == way {
        return vec![flow.strategy.clone()];
    }
    let stores = input.spec.stores.keys().cloned();
    let replication =
        |then| vec![StrategyChoice::LogicalReplication(LogicalReplication { mode: ReplicationMode::Tunnel, then })];
    let custom = |engine| vec![StrategyChoice::Custom(Custom { engine, run: Vec::new(), chunk_rows: None })];
    match way {
        Way::Replication => replication(None),
        Way::Detach => replication(Some(Then::Detach)),
        Way::Snapshot => stores.map(|store| StrategyChoice::Snapshot(Snapshot { store, keep: 1 })).collect(),
        Way::ExportImport => stores.map(|store| StrategyChoice::ExportImport(exported(store))).collect(),
        Way::Stream => custom(Engine::Stream),
        Way::ForeignTable => custom(Engine::ForeignTable),
        Way::Command | Way::Auto => Vec::new(),
    }
}

const fn exported(store: Name) -> ExportImport {
    ExportImport { store: Some(store), format: Format::Json, compression: None, keep: 1 }
}

/// Why a way cannot be written down.
const fn nothing(way: Way) -> &'static str {
    match way {
        Way::Snapshot | Way::ExportImport => "the workspace declares no store",
        _ => "only the spec can name the program to run",
    }
}

fn unfit(input: &PlanInput, flow: &Flow, way: Way, strategy: &StrategyChoice, path: &SpecPath) -> Vec<String> {
    let asked = Asked::of(flow);
    let mut all = Vec::new();
    if asked.continuous && !way.provides(Need::Continuous) {
        all.push("it copies once, and the flow is to follow its source".to_owned());
    }
    if asked.continuous && way == Way::Stream && !flow.tables.iter().all(has_cursor) {
        all.push("it copies once where a table has no `cursor`, and the flow is to follow its source".to_owned());
    }
    if !asked.continuous && way == Way::Replication {
        all.push("it follows its source for good, which only `needs: [continuous]` asks for".to_owned());
    }
    if asked.open_format && !way.provides(Need::OpenFormat) {
        all.push("it leaves no files that other tools can read".to_owned());
    }
    if asked.transform && !way.provides(Need::Transform) {
        all.push("rows do not change on the way".to_owned());
    }
    all.extend(misfits(flow, way, path).into_iter().map(|(text, _)| text));
    all.extend(store(input, way, strategy));
    all
}

fn has_cursor(entry: &TableEntry) -> bool {
    entry.settings().is_some_and(|table| table.cursor.is_some())
}

/// Why the store is none for this strategy.
fn store(input: &PlanInput, way: Way, strategy: &StrategyChoice) -> Option<String> {
    let candidate = Candidate { way, strategy: Some(strategy.clone()), unfit: Vec::new() };
    let name = candidate.store()?;
    let usage = if way == Way::Snapshot { StoreUse::Snapshots } else { StoreUse::Export };
    if let Some((_, reason, _)) = input.spec.stores.get(name).and_then(|store| store.cannot(usage)) {
        return Some(format!("store {name}: {reason}"));
    }
    (!input.stores.contains_key(name)).then(|| format!("store {name}: what it needs is not set"))
}
