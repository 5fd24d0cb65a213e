//! Keys of the language whose turn has not come.

use transship_model::Finding;
use transship_model::spec::{Instance, Verify};

use crate::available;

/// Refuses them.
pub(super) fn check(instance: &Instance<'_>) -> Result<(), Vec<Finding>> {
    let flow = instance.flow;
    let keys = [("`verify: full`", flow.verify == Some(Verify::Full))];
    available::check(instance, "a `custom` flow", &keys)
}
