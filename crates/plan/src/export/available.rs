//! Keys of the language whose turn has not come.

use transship_model::Finding;
use transship_model::spec::{From, Instance, TableEntry, To, Verify};

use crate::available;

/// Refuses them.
pub(super) fn check(instance: &Instance<'_>) -> Result<(), Vec<Finding>> {
    let flow = instance.flow;
    let mut tables = flow.tables.iter().filter_map(TableEntry::settings);
    let at_store = matches!(flow.from, From::Store(_)) || matches!(flow.to, To::Store(_));
    let keys = [
        ("`partitions` with a store as an end", at_store && tables.any(|table| !table.partitions.is_empty())),
        ("`verify: full`", flow.verify == Some(Verify::Full)),
    ];
    available::check(instance, "an `export-import` flow", &keys)
}
