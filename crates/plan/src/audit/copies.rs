//! Rules about copies: what is sent, and that a copy is whole before it is put in place.

use transship_model::TableName;
use transship_model::ledger::CopyingRow;
use transship_model::plan::{
    Action, ChunkColumn, Chunks, CopyRows, Made, MadeColumn, ManyRows, ObjectRef, Plan, PlannedLookup, Precondition,
    PutInPlace, Record, RowWrite, Step, StepKind, Transform, Verb,
};
use transship_sql::definition::Column;
use transship_sql::place::Securable;
use transship_sql::statement::Statement;
use transship_sql::{chunk, copy, ident, lookup, place, replication, table, view};

use super::{Ancestors, Flows, Found, Rule, drops, snapshots};

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, ancestors: &Ancestors<'_>, found: &mut Found) {
    for step in plan.all_steps() {
        let of_flow = flows.steps(step);
        if !is_own(plan, flows, step) {
            found.step(Rule::DropsOwn, step, "writes something that does not belong to its flow");
        }
        match &step.action {
            Some(Action::PutInPlace(put))
                if !is_filled(step, put, of_flow, ancestors) && !is_whole(put, flows.record(step)) =>
            {
                found.step(Rule::CopyBeforePlace, step, "puts something in place that was not made and filled before");
            }
            Some(Action::FillPartition(part)) if !is_proven(step, &part.rows, of_flow, ancestors) => {
                found.step(Rule::CopyBeforePlace, step, "puts a partition in place that was not counted aside before");
            }
            Some(Action::MergeRows(merge)) if !is_proven(step, &merge.rows, of_flow, ancestors) => {
                found.step(Rule::CopyBeforePlace, step, "merges rows that were not counted aside before");
            }
            _ => {}
        }
        for (copy, _) in filled(step).into_iter().filter(|_| fills_aside(step)) {
            let (made, left) = (is_made(step, copy, of_flow, ancestors), is_left(step, flows.record(step)));
            if made == left || (left && !is_the_left(step, copy)) {
                let text = "fills a copy that was neither made before nor left by a run that was cut";
                found.step(Rule::CopyBeforePlace, step, text);
            } else if !is_placed(step, copy, of_flow, ancestors) {
                found.step(Rule::CopyBeforePlace, step, "fills a copy that is never put in place");
            }
        }
    }
}

/// The tables that a step fills, and whether their rows are counted then.
fn filled(step: &Step) -> Vec<(&TableName, bool)> {
    match &step.action {
        Some(Action::CopyRows(rows)) => vec![(&rows.into, rows.count.is_some())],
        Some(Action::ImportRows(rows)) => vec![(&rows.into, rows.count.is_some())],
        Some(Action::PullRows(rows)) => vec![(&rows.into, rows.whole.count.is_some())],
        Some(Action::RunCommand(command)) => command.tables.iter().map(|table| (&table.into, true)).collect(),
        _ => Vec::new(),
    }
}

/// Whether what a step fills has yet to be put in place.
fn fills_aside(step: &Step) -> bool {
    match &step.action {
        Some(Action::CopyRows(rows)) => rows.done.is_none(),
        Some(Action::ImportRows(rows)) => rows.done.is_none(),
        Some(Action::PullRows(rows)) => rows.done.is_none(),
        Some(Action::RunCommand(_)) => true,
        _ => false,
    }
}

/// The ledger has it that the copy is whole, and about to be put in place.
fn is_whole(put: &PutInPlace, record: Option<&Record>) -> bool {
    let note = record.and_then(|record| record.row.placing.get(&put.table));
    note.is_some_and(|note| note.holds.as_ref() == Some(&put.copy) && note.asked == put.done.asked)
}

/// A flow writes tables of its own, on its own target, and copies of them.
fn is_own(plan: &Plan, flows: &Flows<'_>, step: &Step) -> bool {
    let names: Vec<TableName> = match (&step.action, step.sql.first().and_then(|sql| Statement::read(sql))) {
        (Some(Action::CopyRows(rows)), _) => vec![rows.into.clone()],
        (Some(Action::RestoreTable(restored)), _) => vec![restored.copy.clone()],
        (Some(Action::RestorePartition(restored)), _) => vec![restored.table.clone()],
        (Some(Action::RunCommand(command)), _) => {
            command.tables.iter().flat_map(|table| [table.into.clone(), table.to.clone()]).collect()
        }
        (Some(Action::MergeRows(merge)), _) => vec![merge.rows.from.clone(), merge.rows.into.clone()],
        (Some(Action::FillPartition(filled)), _) => vec![filled.rows.from.clone(), filled.rows.into.clone()],
        (Some(Action::TakeCopy(take)), _) => vec![take.copy.clone(), take.table.clone()],
        (Some(Action::ImportRows(rows)), _) => vec![rows.into.clone()],
        (Some(Action::PruneRows(rows)), _) => vec![rows.into.clone()],
        (Some(Action::PullRows(rows)), _) => vec![rows.into.clone(), rows.through.clone()],
        (Some(Action::PutInPlace(put)), _) => [&put.table, &put.copy].into_iter().chain(&put.aside).cloned().collect(),
        (
            _,
            Some(
                Statement::CreateTable { table, .. }
                | Statement::SetSettings { table, .. }
                | Statement::AddColumns { table, .. },
            ),
        ) => vec![table],
        (_, Some(Statement::Grant(grant))) => vec![grant.on],
        _ => return true,
    };
    let Some(record) = flows.record(step) else { return false };
    let identity = (&plan.workspace, plan.env.as_ref());
    let is_copy =
        |on: &TableName| record.row.tables.iter().any(|it| crate::copies::is_copy(identity, &record.flow, it, on));
    step.cluster == record.row.to && names.iter().all(|on| record.row.tables.contains(on) || is_copy(on))
}

/// The copy was filled by a step whose rows are counted.
fn is_filled(step: &Step, put: &PutInPlace, of_flow: &[&Step], ancestors: &Ancestors<'_>) -> bool {
    of_flow.iter().any(|other| {
        let takes = matches!(&other.action, Some(Action::TakeCopy(take))
            if take.copy == put.copy && take.table == put.table && take.done.is_none());
        let fills = filled(other).contains(&(&put.copy, true)) || takes || snapshots::fills(other, &put.copy);
        fills && ancestors.precedes(other, step)
    })
}

/// The copy that rows are taken from was filled by a step whose rows are counted.
fn is_proven(step: &Step, rows: &CopyRows, of_flow: &[&Step], ancestors: &Ancestors<'_>) -> bool {
    of_flow.iter().any(|other| {
        filled(other).contains(&(&rows.from, true)) && other.cluster == step.cluster && ancestors.precedes(other, step)
    })
}

fn is_made(step: &Step, copy: &TableName, of_flow: &[&Step], ancestors: &Ancestors<'_>) -> bool {
    of_flow.iter().any(|other| {
        other.kind == StepKind::CreateTable && created(other).as_ref() == Some(copy) && ancestors.precedes(other, step)
    })
}

/// The ledger has it how far a run that was cut has come with the copy.
fn is_left(step: &Step, record: Option<&Record>) -> bool {
    let Some(Action::CopyRows(CopyRows { into, chunks: Some(chunks), .. })) = &step.action else { return false };
    let noted = record.and_then(|record| record.row.copying.get(&chunks.table));
    let same = |noted: &CopyingRow| (&noted.copy, &noted.asked, &noted.made) == (into, &chunks.asked, &chunks.made);
    noted.is_some_and(same)
}

/// The step insists on the copy being the one that was left.
fn is_the_left(step: &Step, copy: &TableName) -> bool {
    step.preconditions.contains(&Precondition::Unchanged(ObjectRef::indices(&step.cluster, copy)))
}

fn is_placed(step: &Step, copy: &TableName, of_flow: &[&Step], ancestors: &Ancestors<'_>) -> bool {
    of_flow.iter().any(|other| {
        let places = match &other.action {
            Some(Action::PutInPlace(put)) => put.copy == *copy,
            Some(Action::FillPartition(part)) => part.rows.from == *copy,
            Some(Action::MergeRows(merge)) => merge.rows.from == *copy,
            _ => false,
        };
        places && ancestors.precedes(step, other)
    })
}

fn created(step: &Step) -> Option<TableName> {
    match Statement::read(step.sql.first()?)? {
        Statement::CreateTable { table, .. } => Some(table),
        _ => None,
    }
}

/// Statements and actions are those that the builders make of the plan's own facts, to the letter.
pub(super) fn matches_kind(step: &Step) -> bool {
    let read = |sql: &String| Statement::read(sql);
    match step.kind {
        StepKind::CreateTable => {
            step.sql.len() == 1 && created(step).is_some_and(|table| table.is_aside()) && step.action.is_none()
        }
        StepKind::CopyRows => match &step.action {
            Some(Action::CopyRows(rows)) => step.sql.is_empty() && copies(rows),
            _ => false,
        },
        StepKind::GrantPrivileges => {
            let is_grant = |sql: &String| matches!(read(sql), Some(Statement::Grant(_)));
            !step.sql.is_empty() && step.sql.iter().all(is_grant) && step.action.is_none()
        }
        StepKind::AlterTable => {
            let changes = match step.sql.first().and_then(read) {
                Some(Statement::SetSettings { .. }) => true,
                Some(Statement::AddColumns { columns, .. }) => columns.iter().all(can_be_added),
                _ => false,
            };
            changes && step.sql.len() == 1 && step.action.is_none()
        }
        StepKind::ReplaceByView => step.sql.len() >= 2 && replaces_by_view(step),
        StepKind::RenameTable | StepKind::SwapTable | StepKind::SwitchView => {
            step.sql.len() == 1 && step.sql.first().and_then(read).is_some_and(|statement| puts(step, &statement))
        }
        _ => false,
    }
}

/// Rows that are there have no value in it: it is none that refuses that, or makes one.
fn can_be_added(column: &Column) -> bool {
    !column.not_null && column.generated.is_none() && !column.options.to_uppercase().contains("PRIMARY KEY")
}

/// A table gets the name that its check tells, a view over the copy takes its own, and privileges are given on the view.
fn replaces_by_view(step: &Step) -> bool {
    let Some(Action::PutInPlace(put)) = &step.action else { return false };
    let table = ObjectRef::table(&step.cluster, &put.table);
    let renames = put.aside.as_ref().is_some_and(|aside| {
        aside.is_aside() && *aside != put.copy && step.sql[0] == place::rename_table(&put.table, &aside.table)
    });
    let on_view = |sql: &String| {
        let statement = Statement::read(sql);
        matches!(statement, Some(Statement::Grant(grant)) if grant.class == Securable::View && grant.on == put.table)
    };
    renames
        && step.sql[1] == view::switch_view(&put.table, &put.copy)
        && step.sql[2..].iter().all(on_view)
        && put.done.holds.as_ref() == Some(&put.copy)
        && put.count_table.is_some()
        && is_sound(put)
        && drops::takes_name_guarded(step, &table)
}

/// The check counts what it is about, and the names are those of a copy and of a table of the flow.
fn is_sound(put: &PutInPlace) -> bool {
    put.count_copy == place::count_rows(&put.copy)
        && put.count_table.as_ref().is_none_or(|count| *count == place::count_rows(&put.table))
        && put.copy.is_aside()
        && !put.table.is_reserved()
        && put.done.table == put.table
}

/// A statement that puts a copy in place does what its check is about.
fn puts(step: &Step, statement: &Statement) -> bool {
    let Some(Action::PutInPlace(put)) = &step.action else { return false };
    let fits = match statement {
        Statement::RenameTable { table, to } => {
            *table == put.copy && *to == put.table.table && table.schema == put.table.schema && put.done.holds.is_none()
        }
        Statement::SwapTable { copy, table } => {
            *copy == put.copy && *table == put.table && put.count_table.is_some() && put.done.holds.is_none()
        }
        Statement::SwitchView { view, copy } => {
            *view == put.table && *copy == put.copy && put.done.holds.as_ref() == Some(copy)
        }
        _ => false,
    };
    is_sound(put) && fits && put.aside.is_none() && statement.kind() == step.kind
}

fn copies(rows: &CopyRows) -> bool {
    let from = [&rows.from];
    let reads = format!(" FROM {}", ident::table(&rows.from));
    rows.refresh_source == table::refresh(from)
        && rows.mark == replication::checkpoints(from)
        && rows.unreadable.as_ref().is_some_and(|unreadable| lookup::is_unreadable(unreadable, &rows.from))
        && rows.columns.as_ref().is_none_or(|columns| *columns == lookup::columns(&rows.from))
        && rows.refresh == table::refresh([&rows.into])
        && rows.count.as_ref().is_none_or(|count| *count == place::count_rows(&rows.into))
        && rows.select.starts_with("SELECT ")
        && rows.select.contains(&reads)
        && writes(rows)
        && rows.many.as_ref().is_none_or(|many| writes_many(rows, many))
        && rows.transform.as_ref().is_none_or(|transform| makes(rows, transform))
        && rows.chunks.as_ref().is_none_or(|chunks| divides(rows, chunks))
        && rows.done.as_ref().map_or(rows.into.is_aside(), |done| done.table == rows.into && !rows.into.is_reserved())
}

/// What is written is made of what is read, in the order of the statement that writes, and looked up by the statements for
/// that alone.
fn makes(rows: &CopyRows, transform: &Transform) -> bool {
    let Some(written) = copy::columns_of(&rows.insert, &rows.into) else { return false };
    let names: Vec<&str> = transform.columns.iter().map(|column| column.name.as_str()).collect();
    let (reads, makes) = (transform.reads.len(), transform.columns.len());
    let is_read = |at: &u32| usize::try_from(*at).is_ok_and(|at| at < reads);
    let is_made = |column: &MadeColumn| match &column.from {
        Made::Read(at) => is_read(at),
        Made::Const { .. } => true,
        Made::Expr { uses, .. } => uses.iter().all(is_read),
    };
    let is_looked_up = |verb: &Verb| match verb {
        Verb::Lookup(PlannedLookup::Table { table: of, refresh, select, .. }) => {
            *refresh == table::refresh([of])
                && select.starts_with("SELECT ")
                && select.contains(&format!(" FROM {} WHERE ", ident::table(of)))
        }
        _ => true,
    };
    names.starts_with(&written.iter().map(String::as_str).collect::<Vec<_>>())
        && transform.columns.iter().all(is_made)
        && transform.columns.iter().flat_map(|column| &column.verbs).all(is_looked_up)
        && rows.key.iter().all(|key| usize::try_from(key.at).is_ok_and(|at| at < makes))
}

/// Chunks are ranges of one column each in the source and in the copy aside, and their statements the very ones for that.
fn divides(rows: &CopyRows, chunks: &Chunks) -> bool {
    let sampled = chunks.by.iter().map(|column| (column.name.as_str(), column.data_type.as_str()));
    let Some(rest) = chunks.sample.strip_prefix(&chunk::sample(&rows.from, sampled, None)) else { return false };
    let is_filtered = !rest.is_empty();
    let filter = rest.strip_prefix(" AND ").map_or_else(String::new, |filter| format!(" WHERE {filter}"));
    let is_range = |column: &ChunkColumn| {
        let read = chunk::within(&column.name, &column.data_type);
        let written = chunk::within(&column.to, &column.data_type);
        chunk::is_orderable(&column.data_type)
            && column.select == chunk::select(&rows.select, is_filtered, &read)
            && column.clear == chunk::clear(&rows.into, &written)
            && column.count == chunk::count(&rows.into, &written)
    };
    rows.done.is_none()
        && rows.count.is_some()
        && rows.write == RowWrite::Insert
        && !chunks.by.is_empty()
        && chunks.by.iter().all(is_range)
        && filter.is_empty() != is_filtered
        && rows.select.ends_with(&format!(" FROM {}{filter}", ident::table(&rows.from)))
}

/// The statement that writes is the very one for its columns.
pub(super) fn writes(rows: &CopyRows) -> bool {
    is_write(&rows.insert, rows.write, &rows.into)
}

fn is_write(insert: &str, write: RowWrite, into: &TableName) -> bool {
    let Some(columns) = copy::columns_of(insert, into) else { return false };
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    match write {
        RowWrite::Insert => insert == copy::insert(into, &columns),
        RowWrite::Upsert | RowWrite::Keep => {
            let conflict = insert.split_once(" ON CONFLICT ").map(|(_, rest)| rest);
            let Some(by) = conflict.and_then(transship_sql::definition::names_in_parentheses) else { return false };
            let by: Vec<&str> = by.iter().map(String::as_str).collect();
            let expected = if write == RowWrite::Keep {
                copy::keep(into, &columns, &by)
            } else {
                copy::upsert(into, &columns, &by)
            };
            insert == expected && !by.is_empty()
        }
    }
}

/// Many rows at a time go to a copy aside, which is emptied where they are not all there, or to a table where rows that are
/// sent twice overwrite themselves.
fn writes_many(rows: &CopyRows, many: &ManyRows) -> bool {
    let same_columns =
        |insert: &str| copy::columns_of(insert, &rows.into) == copy::columns_of(&rows.insert, &rows.into);
    let again = many.again.as_ref().is_none_or(|again| {
        again.write != RowWrite::Insert
            && is_write(&again.insert, again.write, &rows.into)
            && same_columns(&again.insert)
    });
    let place = match &many.clear {
        Some(clear) => rows.done.is_none() && rows.count.is_some() && *clear == table::delete_rows(&rows.into),
        None => rows.write != RowWrite::Insert && many.again.is_none(),
    };
    again && place
}
