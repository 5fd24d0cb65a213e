//! Keys of the language whose turn has not come.

use transship_model::Finding;
use transship_model::spec::{Instance, TableEntry, Verify};

use crate::available;

/// Refuses them.
pub(super) fn check(instance: &Instance<'_>) -> Result<(), Vec<Finding>> {
    let flow = instance.flow;
    let mut tables = flow.tables.iter().filter_map(TableEntry::settings);
    let keys = [
        ("`on_new_column`", flow.on_new_column.is_some()),
        ("`verify: full`", flow.verify == Some(Verify::Full)),
        ("`partitions`", tables.any(|table| !table.partitions.is_empty())),
    ];
    available::check(instance, "an `export-import` flow", &keys)
}
