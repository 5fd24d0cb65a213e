//! The flow's ledger row as this plan makes it.

use transship_model::TableName;
use transship_model::ledger::{FlowRow, FlowState, Owned};
use transship_model::plan::{Afterwards, Record};
use transship_model::spec::Strategy;

use super::context::Context;
use crate::digest;

/// The row that the plan writes, and what becomes of it in the end.
pub(super) fn record(context: &Context<'_>) -> Record {
    Record {
        flow: context.instance.id.clone(),
        cluster: context.target_name.clone(),
        row: row(context, FlowState::Applying),
        then: Afterwards::Done,
    }
}

/// Whether the ledger says something else than it should once all is well. What merely was written differently in the
/// spec does not count, nor whether it was chosen.
pub(super) fn differs(context: &Context<'_>) -> bool {
    let should = row(context, FlowState::Done);
    context.row.is_none_or(|is| FlowRow { declaration: should.declaration.clone(), auto: None, ..is.clone() } != should)
}

fn row(context: &Context<'_>, state: FlowState) -> FlowRow {
    FlowRow {
        state,
        strategy: Strategy::LogicalReplication,
        from: context.source_name.clone(),
        from_id: context.source.id.clone(),
        to: context.target_name.clone(),
        to_id: context.target.id.clone(),
        publication: Some(Owned { name: context.publication_name.clone(), owner: context.source.user.clone() }),
        subscription: Some(Owned { name: context.subscription_name.clone(), owner: context.target.user.clone() }),
        tables: context.desired(),
        made: match state {
            FlowState::Done => context.desired(),
            FlowState::Applying | FlowState::Removing => {
                let not_begun = context.not_begun();
                let is_part = |table: &TableName| context.arriving.contains_key(table) || not_begun.contains(table);
                let whole = |table: &&TableName| context.is_ours(table) && !is_part(table);
                context.chosen.keys().filter(whole).cloned().collect()
            }
        },
        prevent_destroy: context.instance.flow.prevent_destroy,
        declaration: digest::of(context.instance.flow),
        copies: std::collections::BTreeMap::new(),
        repository: None,
        snapshots: std::collections::BTreeSet::new(),
        placing: std::collections::BTreeMap::new(),
        adding: std::collections::BTreeSet::new(),
        restoring: std::collections::BTreeMap::new(),
        copying: std::collections::BTreeMap::new(),
        arriving: match state {
            FlowState::Done => std::collections::BTreeMap::new(),
            FlowState::Applying | FlowState::Removing => context.arriving.clone(),
        },
        detach: None,
        end: None,
        exports: std::collections::BTreeMap::new(),
        auto: None,
    }
}
