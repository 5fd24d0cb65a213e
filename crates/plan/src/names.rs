//! Derived names of what transship makes: injective over workspace, environment, flow and target.

use transship_model::spec::Spec;
use transship_model::{FlowId, Name};

/// What every derived name begins with.
pub const PREFIX: &str = "transship__";

/// `transship__WORKSPACE[__ENVIRONMENT]__FLOW[__at__TARGET]`, dashes as underscores.
///
/// No part holds `__`, and the four shapes have 3, 4, 5 and 6 parts, so two identities never share a name.
pub fn derived(workspace: &Name, environment: Option<&Name>, flow: &FlowId) -> String {
    let mut parts = vec!["transship".to_owned(), workspace.to_identifier_part()];
    parts.extend(environment.map(Name::to_identifier_part));
    parts.push(flow.flow.to_identifier_part());
    if let Some(target) = &flow.target {
        parts.extend(["at".to_owned(), target.to_identifier_part()]);
    }
    parts.join("__")
}

/// The derived name of a flow's objects in the spec's workspace and environment.
pub(crate) fn of_flow(spec: &Spec, flow: &FlowId) -> String {
    derived(&spec.workspace, spec.environment.as_ref(), flow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_derived_and_distinct() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let flow = |text: &str| text.parse::<FlowId>().unwrap();
        let all = [
            derived(&name("shop-sync"), None, &flow("orders-live")),
            derived(&name("shop-sync"), Some(&name("orders-live")), &flow("orders-live")),
            derived(&name("shop-sync"), None, &flow("orders-live@b")),
            derived(&name("shop-sync"), Some(&name("orders-live")), &flow("at@b")),
        ];
        assert_eq!(all[0], "transship__shop_sync__orders_live");
        assert_eq!(all[2], "transship__shop_sync__orders_live__at__b");
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    }
}
