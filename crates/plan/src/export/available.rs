//! Keys of the language whose turn has not come.

use transship_model::Finding;
use transship_model::spec::{ExportImport, Format, From, Instance, TableEntry, To, Verify};

/// Refuses keys of the language whose turn has not come.
pub(super) fn check(instance: &Instance<'_>, settings: &ExportImport) -> Result<(), Vec<Finding>> {
    let flow = instance.flow;
    let mut keys: Vec<(&str, bool)> = vec![
        ("a store as `from`", matches!(flow.from, From::Store(_))),
        ("a store as `to`", matches!(flow.to, To::Store(_))),
        ("`format: csv`", settings.format == Format::Csv),
        ("`on_new_column`", flow.on_new_column.is_some()),
        ("`verify: full`", flow.verify == Some(Verify::Full)),
    ];
    for entry in &flow.tables {
        if let TableEntry::Table(table) = entry {
            keys.push(("`partitions`", !table.partitions.is_empty()));
        }
    }
    let help = "it is part of the language and validates; set `enabled: false` to plan the other flows";
    let unavailable = |(key, _): (&str, bool)| {
        Finding::error("plan::not-available-yet", format!("{key} of an `export-import` flow is not available yet"))
            .at_key(instance.path.clone())
            .help(help)
    };
    let findings: Vec<Finding> = keys.into_iter().filter(|(_, used)| *used).map(unavailable).collect();
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}
