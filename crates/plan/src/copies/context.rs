//! What is declared for one flow and what was seen of it, side by side.

use std::collections::BTreeSet;

use transship_model::ledger::{FlowRow, StoreEnd};
use transship_model::observed::{Observed, TableKind, Writable};
use transship_model::spec::{Custom, Engine, Existing, Instance, ReplaceBy, StrategyChoice, TableEntry, To};
use transship_model::{Finding, Name, SpecPath, TableName};

use super::steps::Fill;
use super::verbs;
use super::wish::{self, Wish};
use crate::ends;
use crate::input::PlanInput;
use crate::stage::Others;
use crate::tables;
use crate::wanted::WantedByCluster;

/// What is declared for one flow and what was seen of it.
pub(crate) struct Context<'a> {
    pub(crate) input: &'a PlanInput,
    pub(crate) instance: &'a Instance<'a>,
    pub(crate) source_name: &'a Name,
    pub(crate) target_name: &'a Name,
    pub(crate) source: &'a Observed,
    pub(crate) target: &'a Observed,
    /// The ledger's row of the flow, where it could be read and has one.
    pub(crate) row: Option<&'a FlowRow>,
    /// The tables that are copied, in the order of their names.
    pub(crate) pairs: Vec<Pair<'a>>,
    /// What the other flows do.
    pub(crate) others: &'a Others,
    /// Tables on the target that this flow filled in part: they count as absent.
    pub(crate) half: BTreeSet<TableName>,
    /// The store at one end. Where the flow begins in one, `source` is what a manifest describes, and `source_name` the
    /// store's; where it ends in one, the target is the source, whose ledger has the row.
    pub(crate) end: Option<StoreEnd>,
}

/// A table and where it goes.
pub(crate) struct Pair<'a> {
    pub(crate) from: TableName,
    pub(crate) to: TableName,
    pub(crate) path: SpecPath,
    pub(crate) entry: &'a TableEntry,
}

impl<'a> Context<'a> {
    /// Gathers it; errors are about tables that the source does not have, and about targets that two of them share.
    pub(crate) fn gather(
        input: &'a PlanInput,
        instance: &'a Instance<'a>,
        others: &'a Others,
    ) -> Result<Self, Vec<Finding>> {
        let strategy = format!("`{}`", instance.flow.strategy.strategy());
        let (source_name, source) = ends::end(input, instance.from, instance, &strategy)?;
        let end = match (&instance.flow.to, &instance.flow.strategy) {
            (To::Store(to), StrategyChoice::ExportImport(_)) => Some(StoreEnd::To(to.store.clone())),
            _ => None,
        };
        let target = match end {
            Some(_) => (source_name, source),
            None => ends::end(input, instance.to, instance, &strategy)?,
        };
        let pairs = pairs(instance, source)?;
        Ok(Self::between((source_name, source), target, end, (input, instance, pairs, others)))
    }

    /// Gathers it for a flow that begins in `store`, of which a manifest describes `source`.
    pub(crate) fn from_store(
        input: &'a PlanInput,
        instance: &'a Instance<'a>,
        others: &'a Others,
        (store, source): (&'a Name, &'a Observed),
    ) -> Result<Self, Vec<Finding>> {
        let target = ends::end(input, instance.to, instance, "an import")?;
        let pairs = pairs(instance, source)?;
        let end = Some(StoreEnd::From(store.clone()));
        Ok(Self::between((store, source), target, end, (input, instance, pairs, others)))
    }

    fn between(
        (source_name, source): (&'a Name, &'a Observed),
        (target_name, target): (&'a Name, &'a Observed),
        end: Option<StoreEnd>,
        (input, instance, pairs, others): (&'a PlanInput, &'a Instance<'a>, Vec<Pair<'a>>, &'a Others),
    ) -> Self {
        let row = target.ledger.row(&instance.id);
        let half = BTreeSet::new();
        Self { input, instance, source_name, target_name, source, target, row, pairs, others, half, end }
    }

    /// Whether the flow begins in a store: no cluster is read.
    pub(crate) const fn is_from_store(&self) -> bool {
        matches!(self.end, Some(StoreEnd::From(_)))
    }

    /// Whether the flow ends in a store: no table is written.
    pub(crate) const fn is_to_store(&self) -> bool {
        matches!(self.end, Some(StoreEnd::To(_)))
    }

    /// The cluster that is read; the target where the flow begins in a store.
    pub(crate) fn read_cluster(&self) -> (&'a Name, &'a Observed) {
        if self.is_from_store() { (self.target_name, self.target) } else { (self.source_name, self.source) }
    }

    /// What each table is to become; errors are about columns.
    pub(crate) fn wishes(&self, fill: &dyn Fill) -> Result<Vec<Wish<'_>>, Vec<Finding>> {
        let mut findings = Vec::new();
        let mut wishes = Vec::new();
        for pair in &self.pairs {
            match fill.wish(self, pair) {
                Ok(wish) => wishes.push(wish),
                Err(problems) => findings.extend(problems),
            }
        }
        if findings.is_empty() { Ok(wishes) } else { Err(findings) }
    }

    /// What happens with target tables that are there already.
    pub(crate) fn existing(&self) -> Existing {
        self.instance.flow.existing()
    }

    /// Whether the target's names are views over the copies.
    pub(crate) fn by_view(&self) -> bool {
        self.instance.flow.replace_by == Some(ReplaceBy::View)
    }

    /// Whether an external program fills the copies: it is given no table that is there, whatever `existing` says.
    pub(crate) fn has_program(&self) -> bool {
        matches!(&self.instance.flow.strategy, StrategyChoice::Custom(Custom { engine: Engine::Command, .. }))
    }

    /// Whether the whole flow is to be done again.
    pub(crate) fn is_resync(&self) -> bool {
        self.input.options.resync.contains(&self.instance.id)
    }

    /// Whether a table of the source is the target of a replication, by whosoever.
    pub(crate) fn is_subscribed(&self, table: &TableName) -> bool {
        let seen = self.source.tables.get(table).and_then(|table| table.writable.as_ref());
        seen == Some(&Writable::Subscribed)
    }

    /// The tables that it reads, by cluster.
    pub(crate) fn reads(&self) -> BTreeSet<(Name, TableName)> {
        let of_cluster = self.pairs.iter().filter(|_| !self.is_from_store());
        let of_cluster = of_cluster.map(|pair| (self.source_name.clone(), pair.from.clone()));
        let looked_up = self.lookups().into_iter().map(|table| (self.target_name.clone(), table));
        of_cluster.chain(looked_up).collect()
    }

    /// The tables of the target in which values are looked up.
    pub(crate) fn lookups(&self) -> BTreeSet<TableName> {
        self.pairs.iter().flat_map(|pair| verbs::tables(pair.entry)).collect()
    }

    /// The tables that it writes, by cluster.
    pub(crate) fn writes(&self) -> BTreeSet<(Name, TableName)> {
        let to_cluster = self.pairs.iter().filter(|_| !self.is_to_store());
        to_cluster.map(|pair| (self.target_name.clone(), pair.to.clone())).collect()
    }

    /// Asks for the definitions of all tables, for the types of expressions, and whether target tables can be written.
    pub(crate) fn want(&self, wanted: &mut WantedByCluster) {
        if !self.is_from_store() {
            let source = wanted.entry(self.source_name.clone()).or_default();
            source.definitions.extend(self.pairs.iter().map(|pair| pair.from.clone()));
            source.described.extend(self.pairs.iter().filter_map(|pair| wish::described(self.source, pair)));
        }
        if self.is_to_store() {
            return;
        }
        let is_table = |name: &&TableName| self.target.tables.get(name).is_some_and(|it| it.kind == TableKind::Table);
        let there: Vec<TableName> = self.pairs.iter().map(|pair| &pair.to).filter(is_table).cloned().collect();
        let target = wanted.entry(self.target_name.clone()).or_default();
        target.definitions.extend(there.iter().cloned());
        let is_there = |table: &TableName| self.target.tables.contains_key(table);
        target.definitions.extend(self.lookups().into_iter().filter(is_there));
        target.writable.extend(there);
    }
}

fn pairs<'a>(instance: &Instance<'a>, source: &Observed) -> Result<Vec<Pair<'a>>, Vec<Finding>> {
    let mut findings = Vec::new();
    let mut pairs: Vec<Pair<'a>> = Vec::new();
    for (from, path) in tables::choose(instance, source)? {
        let entry =
            instance.flow.tables.iter().enumerate().find(|(index, _)| path == instance.path.key("tables").item(*index));
        let Some((_, entry)) = entry else { continue };
        let to = match entry {
            TableEntry::Table(table) => table.to.as_ref().and_then(|to| to.parse().ok()),
            TableEntry::Pattern(_) => None,
        };
        let pair = Pair { to: to.unwrap_or_else(|| from.clone()), from, path, entry };
        if let Some(first) = pairs.iter().find(|first| first.to == pair.to) {
            let message = format!("{} and {} would both become {}", first.from, pair.from, pair.to);
            findings.push(
                Finding::error("plan::two-writers", message)
                    .at(pair.path.clone())
                    .related(first.path.clone(), "the other table")
                    .help("give one of them another name by `to`"),
            );
        }
        pairs.push(pair);
    }
    if findings.is_empty() { Ok(pairs) } else { Err(findings) }
}
