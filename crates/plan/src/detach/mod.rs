//! `logical-replication` with `then: detach`: a one-time copy at the speed of files. A subscription fills the tables, the
//! ledger notes that they are whole, subscription and publication are dropped, and the tables are put in place.
//!
//! [`crate::copies`] says what is to be copied and puts it in place, [`crate::replication`] fills it. [`arrival`] tells
//! whole tables from half ones, [`refuse`] finds what forbids a flow, [`steps`] writes down what is done.

mod arrival;
mod refuse;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use transship_model::ledger::{Detach as DetachRow, FlowRow, FlowState};
use transship_model::spec::{Instance, LogicalReplication};
use transship_model::{Finding, Name, TableName};

use crate::copies::{self, Context, Deed, Fill, Found, Pair, Wish};
use crate::draft::FlowDraft;
use crate::input::PlanInput;
use crate::replication::{self, Once};
use crate::stage::{FlowOutcome, Others};
use crate::wanted::WantedByCluster;
use arrival::Arrival;

/// Plans one flow beside `others`.
pub(crate) fn plan(
    input: &PlanInput,
    instance: &Instance<'_>,
    settings: &LogicalReplication,
    others: &Others,
) -> Result<FlowOutcome, Vec<Finding>> {
    refuse::before(input, instance)?;
    // What cannot be gathered is told here, and does not happen later.
    Once::gather(input, instance, settings, &BTreeSet::new(), &BTreeSet::new())?;
    copies::plan(input, instance, others, &Detach { settings })
}

/// Adds what has to be looked at before the flow can be judged.
pub(crate) fn want(
    input: &PlanInput,
    instance: &Instance<'_>,
    settings: &LogicalReplication,
    wanted: &mut WantedByCluster,
) {
    copies::want(input, instance, wanted);
    replication::want(input, instance, settings, wanted);
}

/// Tables that a subscription fills.
struct Detach<'s> {
    settings: &'s LogicalReplication,
}

impl Detach<'_> {
    /// The replication that fills what has to be filled.
    fn once<'c>(&'c self, context: &'c Context<'_>, found: &[Found<'_>]) -> Option<Once<'c>> {
        let (filled, half) = (arrival::to_fill(context, found), arrival::left_over(context, found));
        Once::gather(context.input, context.instance, self.settings, &filled, &half).ok()
    }
}

impl Fill for Detach<'_> {
    fn observable(&self, context: &Context<'_>) -> Result<(), String> {
        self.once(context, &[]).map_or(Ok(()), |once| once.observable())
    }

    fn half(&self, context: &Context<'_>) -> BTreeSet<TableName> {
        arrival::half(context)
    }

    /// Files are copied, whatever types are in them.
    fn wish<'a>(&self, context: &Context<'a>, pair: &'a Pair<'a>) -> Result<Wish<'a>, Vec<Finding>> {
        copies::whole(context, pair)
    }

    fn check(&self, context: &Context<'_>, found: &[Found<'_>]) -> Vec<Finding> {
        self.once(context, found).map(|once| refuse::check(context, found, &once)).unwrap_or_default()
    }

    fn writes(&self, context: &Context<'_>) -> BTreeSet<(Name, TableName)> {
        context.pairs.iter().map(|pair| (context.target_name.clone(), pair.from.clone())).collect()
    }

    fn begin(&self, context: &Context<'_>, found: &[Found<'_>], draft: &mut FlowDraft) {
        if let Some(once) = self.once(context, found) {
            steps::begin(context, found, &once, draft);
        }
    }

    fn clear(&self, context: &Context<'_>, found: &[Found<'_>], draft: &mut FlowDraft) {
        self.begin(context, found, draft);
    }

    fn is_in_place(&self, found: &Found<'_>) -> bool {
        found.wish.pair.from == found.wish.pair.to
    }

    fn late(&self, context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
        if self.is_in_place(found) {
            copies::settings::set(context, &found.wish.pair.to, draft);
        }
    }

    fn keeps(&self, context: &Context<'_>, found: &Found<'_>) -> bool {
        arrival::of(context, found) == Arrival::Whole(copies::name_of_copy(context, found))
    }

    fn row(&self, context: &Context<'_>, found: &[Found<'_>], row: FlowRow) -> FlowRow {
        let Some(once) = self.once(context, found) else { return row };
        let (publication, subscription) = once.owned();
        let arriving = match row.state {
            FlowState::Done => BTreeMap::new(),
            FlowState::Applying | FlowState::Removing => arrival::arriving(context, found),
        };
        let mut placing = row.placing.clone();
        placing.extend(arrival::whole(context, found));
        FlowRow {
            publication: Some(publication),
            subscription: Some(subscription),
            detach: Some(DetachRow { arriving }),
            placing,
            ..row
        }
    }

    fn aside(&self, context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
        steps::take(context, found, copy, draft);
    }

    fn into(
        &self,
        _context: &Context<'_>,
        _found: &Found<'_>,
        _done: transship_model::plan::CopyNote,
        _draft: &mut FlowDraft,
    ) {
        unreachable!("the matrix of keys refuses `append` and `upsert` with `then: detach`")
    }
}

/// Whether a copy is to be made of the table.
fn is_copied(found: &Found<'_>) -> bool {
    matches!(found.deed, Deed::Create | Deed::Replace)
}
