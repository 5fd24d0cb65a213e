//! Looks at stores from this machine: those that flows begin or end in, and those that it writes files to.

use std::collections::BTreeSet;

use transship_model::Name;
use transship_model::redact::Redactor;
use transship_model::store::{ObservedStore, StoreAccess, StoreTrouble};
use transship_plan::PlanInput;
use transship_spec::Resolved;
use transship_store::{Sight, Store, StoreError, look_for_export};

/// Looks at every place that the planner wants to know of. What goes wrong is for the planner to tell, flow by flow.
pub(super) async fn look(resolved: &Resolved, input: &mut PlanInput) {
    for (name, places) in transship_plan::wanted_stores(input) {
        let Some(access) = resolved.stores.get(&name) else { continue };
        let seen = match one(&name, access, &resolved.redactor, &places).await {
            Ok(seen) => seen,
            Err(error) => ObservedStore { trouble: Some(trouble(&error)), ..ObservedStore::default() },
        };
        input.observation.stores.insert(name, seen);
    }
}

/// Looks at the stores that this machine has to write to itself, once it is known which; what it saw is for the planner to
/// judge.
pub(super) async fn look_where_written(resolved: &Resolved, input: &mut PlanInput) {
    for name in transship_plan::stores_wanted(input) {
        let access = resolved.stores.get(&name).filter(|_| !input.observation.stores.contains_key(&name));
        let Some(access) = access else { continue };
        let trouble = match transship_store::look(&name, access, &resolved.redactor).await {
            Sight::Seen => None,
            Sight::Unseen(error) | Sight::Wrong(error) => Some(trouble(&error)),
        };
        input.observation.stores.insert(name, ObservedStore { trouble, ..ObservedStore::default() });
    }
}

async fn one(
    name: &Name,
    access: &StoreAccess,
    redactor: &Redactor,
    places: &BTreeSet<String>,
) -> Result<ObservedStore, StoreError> {
    let store = Store::open(name, access, redactor)?;
    let mut seen = ObservedStore::default();
    for place in places {
        seen.exports.insert(place.clone(), look_for_export(&store, place).await?);
    }
    Ok(seen)
}

fn trouble(error: &StoreError) -> StoreTrouble {
    StoreTrouble {
        code: error.code().to_owned(),
        message: error.to_string(),
        help: error.help(),
        key: error.spec_key(),
    }
}
