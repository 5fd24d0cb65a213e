//! Writes down what is done: fill all tables by one subscription, note that they are whole, let go of them, and take each
//! for a copy.

use std::collections::BTreeSet;

use transship_model::TableName;
use transship_model::plan::{Action, NoteSynced, ObjectRef, Precondition, StepKind, SyncedTable, TakeCopy};
use transship_sql::{place, replication as sql, table as table_sql};

use super::arrival::{self, Arrival};
use super::is_copied;
use crate::copies::{self, Context, Found, because};
use crate::draft::{FlowDraft, NewStep};
use crate::replication::Once;

/// Fills all tables by one subscription, or takes down what a run that was cut has left of one.
pub(super) fn begin(context: &Context<'_>, found: &[Found<'_>], once: &Once<'_>, draft: &mut FlowDraft) {
    let to_fill = arrival::to_fill(context, found);
    let filled: Vec<&Found<'_>> =
        found.iter().filter(|found| is_copied(found) && to_fill.contains(&found.wish.pair.from)).collect();
    let why = filled.first().map(|found| because(found)).unwrap_or_default();
    if once.fill(&why, draft) {
        note_synced(context, &filled, once, draft);
        once.let_go(draft);
        warn(context, &filled, draft);
    } else {
        once.clear("a run that was cut left it", draft);
    }
}

fn note_synced(context: &Context<'_>, filled: &[&Found<'_>], once: &Once<'_>, draft: &mut FlowDraft) {
    let names: BTreeSet<TableName> = filled.iter().map(|found| found.wish.pair.from.clone()).collect();
    let table = |found: &&Found<'_>| SyncedTable {
        count: place::count_rows(&found.wish.pair.from),
        note: copies::note(found, None),
    };
    let note = NoteSynced {
        source: context.source_name.clone(),
        subscription: once.subscription().to_owned(),
        states: sql::subscribed_tables(),
        mark: sql::checkpoints(&names),
        refresh: table_sql::refresh(&names),
        tables: filled.iter().map(table).collect(),
    };
    let because =
        "without this a table that was cut short would look like a whole one once nothing follows it any more";
    draft.push(
        NewStep::new(context.target_name, StepKind::NoteSynced, because)
            .action(Action::NoteSynced(note))
            .requires(Precondition::Present(ObjectRef::subscription(context.target_name, once.subscription()))),
    );
    draft.basis.extend(names.iter().map(|name| ObjectRef::table(context.source_name, name)));
}

fn warn(context: &Context<'_>, filled: &[&Found<'_>], draft: &mut FlowDraft) {
    let names: Vec<String> = filled.iter().map(|found| found.wish.pair.from.to_string()).collect();
    let text = format!(
        "readers of {} see {} fill up: a subscription makes its tables under the names that they have on {}",
        context.target_name,
        names.join(", "),
        context.source_name
    );
    draft.warn("plan::arrives-visibly", text);
    let text =
        "a copy of tables under writes is no consistent cut: each table has what its source had at a moment of its own";
    draft.warn("plan::not-a-cut", text);
}

/// Takes a table that has arrived for the copy `copy`: under its own name, by a rename, or from another schema by a swap
/// with an empty table, since CrateDB renames no table into another schema.
pub(super) fn take(context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
    let (cluster, pair) = (context.target_name, found.wish.pair);
    let arrived = match arrival::of(context, found) {
        Arrival::Whole(name) => name,
        Arrival::Ahead => pair.from.clone(),
    };
    let take = TakeCopy {
        arrived: arrived.clone(),
        copy: copy.clone(),
        table: pair.to.clone(),
        reached: sql::checkpoints([copy]),
        refresh: table_sql::refresh([copy]),
        count: place::count_rows(copy),
        done: (*copy == pair.to).then(|| copies::note(found, None)),
    };
    let because = if *copy == pair.to {
        "it has arrived under its own name, and nothing follows it any more"
    } else {
        "it has arrived, and nothing follows it any more: it is a copy aside until it is put in place"
    };
    // The ledger takes a table that has arrived under its own name for finished as soon as it is taken.
    if *copy == pair.to {
        copies::settings::set(context, &arrived, draft);
    }
    let mut step = NewStep::new(cluster, StepKind::TakeCopy, because)
        .action(Action::TakeCopy(take))
        .requires(Precondition::Writable(ObjectRef::table(cluster, &arrived)));
    if arrived != *copy && arrived.schema == copy.schema {
        step = step
            .sql(place::rename_table(&arrived, &copy.table))
            .requires(Precondition::Absent(ObjectRef::table(cluster, copy)));
    } else if arrived != *copy {
        draft.push(
            NewStep::new(cluster, StepKind::CreateTable, "tables change their schema only by a swap with another one")
                .sql(found.wish.derived.definition.create_table(copy))
                .requires(Precondition::Absent(ObjectRef::table(cluster, copy))),
        );
        step = step
            .sql(place::swap_table(&arrived, copy))
            .requires(Precondition::Present(ObjectRef::table(cluster, copy)));
    }
    draft.push(step.moves(&found.wish.source.primaries));
    if *copy != pair.to {
        copies::settings::set(context, copy, draft);
    }
}
