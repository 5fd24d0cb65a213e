//! One-time copies of tables, whatever moves the rows: what is there, what is to be done about it, and how a copy that was
//! made aside gets its name. How it is filled is for each strategy to say ([`Fill`]).
//!
//! [`context`] gathers what is declared and seen, [`columns`] says what becomes of each column, [`wish`] what one table
//! is to become, [`assess`] compares it with what is there (the table of `existing`), [`identity`] tells whether that is
//! ours, [`partitions`] which of them are chosen, [`due`] when it is to be copied again, [`cursor`] which rows are new then, [`refuse`] finds what forbids it,
//! [`new_columns`] what becomes of columns that the source gets or loses, [`sensitive`] whose values nothing may show, [`types`] what would be bent, [`published`] what cannot be replaced for its
//! readers, [`lacking`] which privileges are missing, [`chunks`] how rows are divided and which copy is gone on with, [`steps`] writes down what to do, [`subset`] fills chosen partitions, [`verbs`] what transship itself does with values, [`transform`] how written columns come of those that are read,
//! [`prune`] what goes since the source no longer has it, [`losses`] tells what a replaced table loses, [`place`] how a copy gets its name, [`versions`] what copies are called and which are left over, [`grants`] who keeps
//! which privileges, [`removal`] forgets a flow that is gone.

mod assess;
mod chunks;
mod columns;
mod context;
pub(crate) mod cursor;
mod due;
mod grants;
mod identity;
mod lacking;
mod losses;
mod names;
mod new_columns;
pub(crate) mod partitions;
mod place;
pub(crate) mod prune;
mod published;
mod refuse;
mod removal;
pub(crate) mod sensitive;
pub(crate) mod settings;
mod steps;
mod subset;
mod transform;
mod types;
mod verbs;
mod versions;
mod wish;

use transship_model::Finding;
use transship_model::spec::Instance;

use crate::draft::FlowDraft;
use crate::input::PlanInput;
use crate::report::{FlowReport, FlowStatus};
use crate::stage::{FlowOutcome, Others};
use crate::wanted::WantedByCluster;

pub(crate) use assess::{Deed, Found, judge};
pub(crate) use chunks::{continued, divided};
pub(crate) use columns::{Carried, Origin};
pub(crate) use context::{Context, Pair};
pub(crate) use due::Due;
pub(crate) use identity::is_the_very;
pub(crate) use lacking::check as lacking_privileges;
pub(crate) use names::{is_any_copy, is_copy, is_kept};
pub(crate) use new_columns::is_whole;
pub(crate) use refuse::strategy as refuse_moved;
pub(crate) use removal::forget;
pub(crate) use steps::{Fill, because, clear_left, finish, is_due, note, source_as_planned};
pub(crate) use subset::{fill as fill_partitions, made_as};
pub(crate) use transform::as_it_is;
pub(crate) use versions::{name_of_copy, name_of_through};
pub(crate) use wish::{Wish, asked, filter, whole, wish};

/// Plans one flow, whose rows `fill` moves, beside `others`.
pub(crate) fn plan(
    input: &PlanInput,
    instance: &Instance<'_>,
    others: &Others,
    fill: &dyn Fill,
) -> Result<FlowOutcome, Vec<Finding>> {
    plan_within(Context::gather(input, instance, others)?, fill)
}

/// Plans the flow that `context` is about.
pub(crate) fn plan_within(mut context: Context<'_>, fill: &dyn Fill) -> Result<FlowOutcome, Vec<Finding>> {
    let (input, instance) = (context.input, context.instance);
    let readable = crate::replication::readable_ledger(context.target_name, context.target);
    if let Err(reason) = readable.and_then(|()| fill.observable(&context)) {
        return Ok(unseen(&context, reason));
    }
    refuse::strategy(&context)?;
    context.half = fill.half(&context);
    let wishes = context.wishes(fill)?;
    let found = assess::assess(&context, wishes);
    if let Some(reason) = assess::unknown(&found) {
        return Ok(unseen(&context, reason));
    }
    refuse::check(&context, &found, fill)?;
    let mut draft = FlowDraft::new(instance.id.clone(), input.index.place(&instance.path));
    steps::write(&context, &found, fill, &mut draft);
    let mut report = FlowReport::new(FlowStatus::of(&draft));
    report.differences = found.iter().filter_map(|found| found.difference.clone()).collect();
    report.notes = found.iter().flat_map(|found| found.notes.clone()).collect();
    let due = found.iter().filter_map(|found| found.due.reason().map(str::to_owned));
    if draft.due {
        report.notes.extend(due);
    } else {
        report.differences.extend(due);
    }
    let writes = context.writes().into_iter().chain(fill.writes(&context)).collect();
    Ok(FlowOutcome { reads: context.reads(), writes, ..FlowOutcome::of(draft, report) })
}

/// A flow that cannot be judged still reads and writes its tables.
pub(crate) fn unseen(context: &Context<'_>, reason: String) -> FlowOutcome {
    let outcome = FlowOutcome::unseen(&context.instance.id, reason, Vec::new());
    FlowOutcome { reads: context.reads(), writes: context.writes(), ..outcome }
}

/// Adds what has to be looked at before the flow can be judged; nothing where its tables cannot be resolved.
pub(crate) fn want(input: &PlanInput, instance: &Instance<'_>, wanted: &mut WantedByCluster) {
    if let Ok(context) = Context::gather(input, instance, &Others::default()) {
        context.want(wanted);
    }
}
