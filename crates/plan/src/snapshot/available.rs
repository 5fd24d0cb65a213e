//! Keys of the language whose turn has not come.

use transship_model::Finding;
use transship_model::spec::{Instance, TableEntry, Verify};

/// Refuses them.
pub(super) fn check(instance: &Instance<'_>) -> Result<(), Vec<Finding>> {
    let flow = instance.flow;
    let partitions = |entry: &TableEntry| matches!(entry, TableEntry::Table(table) if !table.partitions.is_empty());
    let keys = [
        ("partitions", flow.tables.iter().any(partitions)),
        ("verify", flow.verify == Some(Verify::Full)),
        ("on_new_column", flow.on_new_column.is_some()),
    ];
    let unavailable = |(key, _): (&str, bool)| {
        Finding::error("plan::not-available-yet", format!("`{key}` of a `snapshot` flow is not available yet"))
            .at_key(instance.path.clone())
            .help("it is part of the language and validates; set `enabled: false` to plan the other flows")
    };
    let findings: Vec<Finding> = keys.into_iter().filter(|(_, used)| *used).map(unavailable).collect();
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}
