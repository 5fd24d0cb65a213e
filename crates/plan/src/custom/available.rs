//! Keys of the language whose turn has not come.

use transship_model::Finding;
use transship_model::spec::{Custom, Engine, Instance, StrategyChoice, TableEntry, Verify};

use crate::available;

/// Refuses them.
pub(super) fn check(instance: &Instance<'_>) -> Result<(), Vec<Finding>> {
    let flow = instance.flow;
    let is_there = |engine| matches!(engine, Engine::Stream | Engine::Command);
    let known = matches!(&flow.strategy, StrategyChoice::Custom(Custom { engine, .. }) if is_there(*engine));
    let tables = || flow.tables.iter().filter_map(TableEntry::settings);
    let keys = [
        ("this engine", !known),
        ("`on_new_column`", flow.on_new_column.is_some()),
        ("`verify: full`", flow.verify == Some(Verify::Full)),
        ("`prune`", tables().any(|table| table.prune)),
    ];
    available::check(instance, "a `custom` flow", &keys)
}
