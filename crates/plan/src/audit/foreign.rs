//! Rules about what a target reads its source through: statements to the letter, names of the flow's own, and nothing that
//! stays.

use transship_model::TableName;
use transship_model::plan::{Action, ForeignObject, Plan, PullRows, PullStatements, Record, Step, StepKind};
use transship_sql::foreign::Range;
use transship_sql::{chunk, foreign, ident, lookup, replication, table};

use super::{Ancestors, Flows, Found, Rule};
use crate::copies::{is_any_copy, is_copy};

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, ancestors: &Ancestors<'_>, found: &mut Found) {
    for step in plan.all_steps() {
        let of_flow = flows.steps(step);
        match &step.action {
            Some(Action::Foreign(object)) => {
                if !flows.record(step).is_some_and(|record| is_own(plan, record, step, object)) {
                    found.step(Rule::ForeignOwn, step, "makes or drops something that is not the flow's own");
                }
                if creates(step.kind) && !of_flow.iter().any(|it| drops_it(it, object) && ancestors.precedes(step, it))
                {
                    found.step(Rule::ForeignOwn, step, "makes something that stays");
                }
            }
            Some(Action::PullRows(rows)) if !is_made(step, rows, of_flow, ancestors) => {
                found.step(Rule::ForeignOwn, step, "reads through something that was not made before");
            }
            _ => {}
        }
    }
}

const fn creates(kind: StepKind) -> bool {
    matches!(kind, StepKind::CreateServer | StepKind::CreateUserMapping | StepKind::CreateForeignTable)
}

/// Whether a step drops an object of this kind and name.
fn drops_it(step: &Step, made: &ForeignObject) -> bool {
    let Some(Action::Foreign(object)) = &step.action else { return false };
    !creates(step.kind) && foreign::drop(object) == foreign::drop(made)
}

/// The names are those that are derived from workspace, environment, flow and table.
fn is_own(plan: &Plan, record: &Record, step: &Step, object: &ForeignObject) -> bool {
    let identity = (&plan.workspace, plan.env.as_ref());
    let name = crate::names::derived(identity.0, identity.1, &record.flow);
    let (server, table) = match object {
        ForeignObject::Server { server, .. } | ForeignObject::UserMapping { server, .. } => (server, None),
        ForeignObject::Table { server, table, .. } => (server, Some(table)),
    };
    // What a cut run left may be of a table that has left the flow since.
    let is_of_table = |name: &TableName| {
        let is_left = !creates(step.kind) && is_any_copy(identity, &record.flow, name);
        is_left || record.row.tables.iter().any(|it| is_copy(identity, &record.flow, it, name))
    };
    step.cluster == record.row.to && *server == name && table.is_none_or(is_of_table)
}

/// Server, user mapping and foreign table are there, and the foreign table is one of what is read.
fn is_made(step: &Step, rows: &PullRows, of_flow: &[&Step], ancestors: &Ancestors<'_>) -> bool {
    let before = |fits: &dyn Fn(&ForeignObject) -> bool| {
        of_flow.iter().any(|it| {
            let Some(Action::Foreign(object)) = &it.action else { return false };
            creates(it.kind) && fits(object) && it.cluster == step.cluster && ancestors.precedes(it, step)
        })
    };
    before(&|it| matches!(it, ForeignObject::Server { .. }))
        && before(&|it| matches!(it, ForeignObject::UserMapping { .. }))
        && before(
            &|it| matches!(it, ForeignObject::Table { table, from, .. } if *table == rows.through && *from == rows.from),
        )
}

/// Statements and actions are those that the builders make of the plan's own facts, to the letter.
pub(super) fn matches_kind(step: &Step) -> bool {
    let made = |object: &ForeignObject| step.sql == [foreign::create(object)];
    let dropped = |object: &ForeignObject| step.sql == [foreign::drop(object)];
    match (step.kind, &step.action) {
        (StepKind::CreateServer, Some(Action::Foreign(it @ ForeignObject::Server { .. })))
        | (StepKind::CreateUserMapping, Some(Action::Foreign(it @ ForeignObject::UserMapping { .. })))
        | (StepKind::CreateForeignTable, Some(Action::Foreign(it @ ForeignObject::Table { .. }))) => made(it),
        (StepKind::DropServer, Some(Action::Foreign(it @ ForeignObject::Server { .. })))
        | (StepKind::DropUserMapping, Some(Action::Foreign(it @ ForeignObject::UserMapping { .. })))
        | (StepKind::DropForeignTable, Some(Action::Foreign(it @ ForeignObject::Table { .. }))) => dropped(it),
        (StepKind::PullRows, Some(Action::PullRows(rows))) => step.sql.is_empty() && pulls(rows),
        _ => false,
    }
}

fn pulls(rows: &PullRows) -> bool {
    let from = [&rows.from];
    let aside = rows.done.is_none();
    let columns = |name: &&String| foreign::unfit(&rows.from, [name.as_str()], None).contains(&ident::ident(name));
    let all = rows.ranges.iter().flat_map(|ranges| &ranges.by);
    let in_range = |column: &transship_model::plan::PullColumn| {
        let fits = |statements: &PullStatements, range: Range| {
            let read = range.of(&column.name, &column.data_type);
            let written = range.of(&column.to, &column.data_type);
            is_part(rows, statements)
                && statements.insert.contains(&read)
                && statements.expected.ends_with(&read)
                && statements
                    .count
                    .iter()
                    .chain(&statements.clear)
                    .all(|sql| sql.ends_with(&format!(" WHERE {written}")))
        };
        let asked = format!("EXPLAIN INSERT INTO {} (", ident::table(&rows.into));
        chunk::is_orderable(&column.data_type)
            && column.explain.starts_with(&asked)
            && fits(&column.first, Range::First)
            && fits(&column.between, Range::Between)
            && fits(&column.last, Range::Last)
    };
    rows.mark == replication::checkpoints(from)
        && lookup::is_unreadable(&rows.unreadable, &rows.from)
        && rows.refresh_source == table::refresh(from)
        && rows.refresh == table::refresh([&rows.into])
        && rows.sizes == lookup::sizes(&rows.from)
        && rows.columns.as_ref().is_none_or(|columns| *columns == lookup::columns(&rows.from))
        && rows.through.is_aside()
        && rows.unfit.is_some() != rows.limited.is_empty()
        && rows.limited.iter().all(|name| columns(&name))
        && rows
            .arrived
            .as_ref()
            .is_none_or(|sql| aside && sql.contains(&format!(" FROM {} WHERE (", ident::table(&rows.into))))
        && aside == rows.into.is_aside()
        && rows.done.as_ref().is_none_or(|done| done.table == rows.into)
        && is_part(rows, &rows.whole)
        && all.into_iter().all(in_range)
}

/// Rows are counted at the source, read through the foreign table, and counted and deleted in a copy aside alone.
fn is_part(rows: &PullRows, statements: &PullStatements) -> bool {
    let (from, into, through) = (ident::table(&rows.from), ident::table(&rows.into), ident::table(&rows.through));
    let aside = rows.done.is_none();
    statements.expected.starts_with(&format!("SELECT count(*) AS count FROM {from}"))
        && statements.insert.starts_with(&format!("INSERT INTO {into} ("))
        && statements.insert.contains(&format!(" FROM {through}"))
        && statements.count.is_some() == aside
        && statements.clear.is_some() == aside
        && statements.count.iter().all(|sql| sql.starts_with(&format!("SELECT count(*) AS count FROM {into}")))
        && statements.clear.iter().all(|sql| sql.starts_with(&format!("DELETE FROM {into}")))
}
