//! Checks of meaning: one file per subject, each finding with a code, a place and a next step.

use transship_model::spec::Spec;

use crate::decode::Declared;
use crate::node::Node;
use crate::report::Report;

/// What the checks look at.
pub(crate) struct Context<'a> {
    /// What could be decoded.
    pub(crate) spec: &'a Spec,
    /// Every declared name.
    pub(crate) declared: &'a Declared,
    /// The whole tree, to mask parts of it.
    pub(crate) root: &'a Node,
}

/// Runs every check.
pub(crate) fn check(context: &Context<'_>, report: &mut Report) {
    let _ = (
        context.spec,
        &context.declared.clusters,
        &context.declared.stores,
        &context.declared.flows,
        context.root,
        report,
    );
}
