//! Keys of the language whose turn has not come.

use transship_model::Finding;
use transship_model::spec::{Custom, Engine, Instance, StrategyChoice, TableEntry, Verify};

/// Refuses keys of the language whose turn has not come.
pub(super) fn check(instance: &Instance<'_>) -> Result<(), Vec<Finding>> {
    let flow = instance.flow;
    let stream = matches!(&flow.strategy, StrategyChoice::Custom(Custom { engine: Engine::Stream, .. }));
    let mut keys: Vec<(&str, bool)> = vec![
        ("strategy", !stream),
        ("on_new_column", flow.on_new_column.is_some()),
        ("verify", flow.verify == Some(Verify::Full)),
    ];
    for entry in &flow.tables {
        if let TableEntry::Table(table) = entry {
            keys.push(("cursor", table.cursor.is_some()));
            keys.push(("prune", table.prune));
            keys.push(("partitions", !table.partitions.is_empty()));
        }
    }
    let help = "it is part of the language and validates; set `enabled: false` to plan the other flows";
    let unavailable = |(key, _): (&str, bool)| {
        let message = if key == "strategy" { "this engine".to_owned() } else { format!("`{key}` of a `custom` flow") };
        Finding::error("plan::not-available-yet", format!("{message} is not available yet"))
            .at_key(instance.path.clone())
            .help(help)
    };
    let findings: Vec<Finding> = keys.into_iter().filter(|(_, used)| *used).map(unavailable).collect();
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}
