//! Writes down what to do about each table, in the one safe order: clear left-overs, make the copy aside, fill it, give
//! it the privileges of what it replaces, put it in place, drop the versions before.

use transship_model::ledger::{FlowRow, FlowState};
use transship_model::observed::{Observed, TableKind};
use transship_model::plan::{
    Action, Afterwards, Consent, ConsentBy, CopyNote, CopyRows, ObjectRef, Precondition, PutInPlace, Record, RowWrite,
    StepKind,
};
use transship_model::spec::{Spec, Strategy};
use transship_model::{DropKind, FlowId, Name, TableName};
use transship_sql::{copy, place, replication, table as table_sql};

use super::assess::{Deed, Found};
use super::context::Context;
use super::{grants, names};
use crate::digest;
use crate::draft::{FlowDraft, LIFT_PREVENT_DESTROY, NewStep};

/// Writes the steps of every table, one table after the other.
pub(super) fn write(context: &Context<'_>, found: &[Found<'_>], draft: &mut FlowDraft) {
    for found in found {
        match found.deed {
            Deed::Nothing | Deed::Refuse(_) => {}
            Deed::Create | Deed::Replace => copy_aside(context, found, draft),
            Deed::Append | Deed::Upsert => copy_into(context, found, draft),
        }
    }
    finish(context, found, draft);
}

/// A copy that is made aside and put in place.
fn copy_aside(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    let (to, because) = (&found.wish.pair.to, because(found));
    let copy = copy_name(context, found);
    if context.target.tables.contains_key(&copy) {
        let because = "a copy that an earlier run left unfinished";
        drop_copy(context.target_name, context.target, &copy, because, draft);
    }
    let object = ObjectRef::table(context.target_name, &copy);
    draft.push(
        NewStep::new(context.target_name, StepKind::CreateTable, &because)
            .sql(found.wish.derived.definition.create_table(&copy))
            .requires(Precondition::Absent(object)),
    );
    warn_of_losses(context, found, draft);
    copy_rows(context, found, &copy, None, draft);
    put_in_place(context, found, &copy, draft);
    // Until the new copy is in place, an old version may be all that there is of the table.
    for left in replaced_versions(context, found) {
        let because = "a version that has been replaced";
        drop_copy(context.target_name, context.target, &left, because, draft);
    }
    draft.basis.insert(ObjectRef::table(context.target_name, to));
}

/// Rows that go straight into the table that is there.
fn copy_into(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    let to = found.wish.pair.to.clone();
    copy_rows(context, found, &to, Some(note(found, None)), draft);
    draft.basis.insert(ObjectRef::table(context.target_name, &to));
    let text = match found.deed {
        Deed::Append => {
            format!("rows are added to {}.{to} one batch at a time: readers see them come", context.target_name)
        }
        _ => format!(
            "rows of {}.{to} that are gone at the source, or no longer chosen, stay (existing: upsert)",
            context.target_name
        ),
    };
    draft.warn("plan::in-place", text);
}

fn copy_name(context: &Context<'_>, found: &Found<'_>) -> TableName {
    let (spec, flow, to) = (&context.input.spec, &context.instance.id, &found.wish.pair.to);
    if !context.by_view() {
        return names::aside(spec, flow, to);
    }
    let holds = found.note.and_then(|note| note.holds.clone());
    let others: Vec<TableName> = copies_of(spec, flow, to, context.target).into_iter().chain(holds).collect();
    names::version(spec, flow, to, &others)
}

/// Versions that the ledger knows to have been replaced: older than the one that the view is known to have read. Whatever
/// else lies there may be what the view reads now.
fn replaced_versions(context: &Context<'_>, found: &Found<'_>) -> Vec<TableName> {
    let (spec, flow, to) = (&context.input.spec, &context.instance.id, &found.wish.pair.to);
    let number = |copy: &TableName| names::number(spec, flow, to, copy);
    let holds = found.note.and_then(|note| note.holds.as_ref()).and_then(number);
    let copies = copies_of(spec, flow, to, context.target).into_iter();
    copies.filter(|copy| number(copy).zip(holds).is_some_and(|(copy, holds)| copy < holds)).collect()
}

/// The copies that a flow made of a table, whatever became of them.
fn copies_of(spec: &Spec, flow: &FlowId, table: &TableName, target: &Observed) -> Vec<TableName> {
    let tables = target.tables.iter().filter(|(_, seen)| seen.kind == TableKind::Table).map(|(name, _)| name);
    let identity = (&spec.workspace, spec.environment.as_ref());
    tables.filter(|name| names::is_copy(identity, flow, table, name)).cloned().collect()
}

/// Drops a copy that was made aside; its name says whose it is.
fn drop_copy(cluster: &Name, target: &Observed, copy: &TableName, because: &str, draft: &mut FlowDraft) {
    let (object, indices) = (ObjectRef::table(cluster, copy), ObjectRef::indices(cluster, copy));
    let consent = Consent { kind: DropKind::Table, name: format!("{cluster}.{copy}"), given: Some(ConsentBy::Aside) };
    let step = NewStep::drop_table(cluster, copy, target, consent, because);
    draft.push(step.requires(Precondition::Unchanged(indices.clone())));
    draft.basis.extend([object, indices]);
}

fn copy_rows(
    context: &Context<'_>,
    found: &Found<'_>,
    into: &TableName,
    done: Option<CopyNote>,
    draft: &mut FlowDraft,
) {
    let wish = &found.wish;
    let from = &wish.pair.from;
    let written: Vec<&str> = wish.written.iter().map(String::as_str).collect();
    let key = found.there.map_or(&wish.primary_key, |there| &there.primary_key);
    let key: Vec<&str> = key.iter().map(String::as_str).collect();
    let upserts = found.deed == Deed::Upsert;
    let all_key = written.iter().all(|column| key.contains(column));
    let (insert, write) = match (upserts, all_key) {
        (false, _) => (copy::insert(into, &written), RowWrite::Insert),
        (true, false) => (copy::upsert(into, &written, &key), RowWrite::Upsert),
        (true, true) => (copy::upsert(into, &written, &key), RowWrite::Keep),
    };
    let copy = CopyRows {
        source: context.source_name.clone(),
        from: from.clone(),
        into: into.clone(),
        refresh_source: table_sql::refresh([from]),
        mark: replication::checkpoints([from]),
        select: wish.select.clone(),
        insert,
        write,
        key: wish.key.clone(),
        inner: wish.inner.clone(),
        refresh: table_sql::refresh([into]),
        count: done.is_none().then(|| place::count_rows(into)),
        timeout: context.instance.flow.timeout(),
        done,
    };
    draft.push(
        NewStep::new(context.target_name, StepKind::CopyRows, because(found))
            .action(Action::CopyRows(copy))
            .requires(Precondition::Present(ObjectRef::table(context.target_name, into)))
            .requires(Precondition::Unchanged(ObjectRef::table(context.source_name, from)))
            .moves(&found.wish.source.primaries),
    );
    draft.basis.insert(ObjectRef::table(context.source_name, from));
}

fn put_in_place(context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
    match (context.by_view(), found.there.map(|there| there.kind)) {
        (false, None) => rename(context, found, copy, draft),
        (false, Some(_)) => swap(context, found, copy, draft),
        (true, _) => switch(context, found, copy, draft),
    }
}

fn rename(context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
    let to = &found.wish.pair.to;
    draft.push(
        NewStep::new(context.target_name, StepKind::RenameTable, "the copy is complete, and nothing has its name")
            .sql(place::rename_table(copy, &to.table))
            .action(check(context, found, copy, None))
            .requires(Precondition::Present(ObjectRef::table(context.target_name, copy)))
            .requires(Precondition::Absent(ObjectRef::table(context.target_name, to))),
    );
}

fn swap(context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
    let to = &found.wish.pair.to;
    let known = pass_grants(context, found, copy, draft);
    let object = ObjectRef::table(context.target_name, to);
    let name = format!("{}.{to}", context.target_name);
    let consent = Consent { kind: DropKind::Table, name, given: Some(ConsentBy::Replace) };
    let because = "the copy is complete, and takes the place of what is there";
    draft.push(
        NewStep::new(context.target_name, StepKind::SwapTable, because)
            .sql(place::swap_table(copy, to))
            .action(check(context, found, copy, Some(to)))
            .requires(Precondition::Unchanged(object.clone()))
            .requires(Precondition::Writable(object))
            .requires(Precondition::Present(ObjectRef::table(context.target_name, copy)))
            .drops(consent),
    );
    if !known {
        let reason = format!("`{}` cannot read sys.privileges on {}", context.target.user, context.target_name);
        let help =
            format!("grants on {}.{to} itself would be lost with it: GRANT DQL ON SCHEMA sys", context.target_name);
        draft.block_last("plan::grants-unknown", reason, help);
    }
    prevent_destroy(context, to, draft);
    let text = format!(
        "readers of {}.{to} may see errors, too few rows or none while the copy is swapped in; `replace_by: view` avoids it",
        context.target_name
    );
    draft.warn("plan::swap-shows", text);
}

fn switch(context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
    let to = &found.wish.pair.to;
    let is_view = found.there.is_some_and(|there| there.kind == TableKind::View);
    let because =
        if is_view { "the view reads from the new copy from now on" } else { "the name is a view over the copy" };
    let replaced = is_view.then_some(to);
    draft.push(
        NewStep::new(context.target_name, StepKind::SwitchView, because)
            .sql(place::switch_view(to, copy))
            .action(check(context, found, copy, replaced))
            .requires(Precondition::Present(ObjectRef::table(context.target_name, copy)))
            .requires(if is_view {
                Precondition::Unchanged(ObjectRef::table(context.target_name, to))
            } else {
                Precondition::Absent(ObjectRef::table(context.target_name, to))
            }),
    );
}

/// The check before a copy gets the name.
fn check(context: &Context<'_>, found: &Found<'_>, copy: &TableName, replaced: Option<&TableName>) -> Action {
    let holds = context.by_view().then(|| copy.clone());
    Action::PutInPlace(PutInPlace {
        copy: copy.clone(),
        table: found.wish.pair.to.clone(),
        count_copy: place::count_rows(copy),
        count_table: replaced.map(place::count_rows),
        allow_shrink: context.instance.flow.allow_shrink,
        done: note(found, holds),
    })
}

fn prevent_destroy(context: &Context<'_>, to: &TableName, draft: &mut FlowDraft) {
    if context.instance.flow.prevent_destroy || context.row.is_some_and(|row| row.prevent_destroy) {
        draft.prevent_destroy(&format!("replaces table {}.{to}", context.target_name), LIFT_PREVENT_DESTROY);
    }
}

/// Grants follow the physical table, so what takes its place gets them before it is in place. Whether they are known.
fn pass_grants(context: &Context<'_>, found: &Found<'_>, on: &TableName, draft: &mut FlowDraft) -> bool {
    let to = &found.wish.pair.to;
    let Some(grants) = grants::of(context.target, to, on) else { return false };
    if grants.is_empty() {
        return true;
    }
    let because = format!("privileges follow the table that was {}.{to}, not its name", context.target_name);
    let step = NewStep::new(context.target_name, StepKind::GrantPrivileges, because)
        .requires(Precondition::Present(ObjectRef::table(context.target_name, on)));
    draft.push(grants.iter().fold(step, |step, grant| step.sql(place::grant(grant))));
    true
}

fn note(found: &Found<'_>, holds: Option<TableName>) -> CopyNote {
    let wish = &found.wish;
    CopyNote { table: wish.pair.to.clone(), from: wish.pair.from.clone(), asked: wish.asked.clone(), holds }
}

fn because(found: &Found<'_>) -> String {
    found.difference.clone().unwrap_or_default()
}

fn warn_of_losses(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    for lost in &found.wish.derived.lost {
        let text = format!("{}.{} does not keep {lost}", context.target_name, found.wish.pair.to);
        draft.warn("plan::not-kept", text);
    }
}

/// The ledger row goes with whatever the flow does; where nothing else is to be done, it is a step of its own.
fn finish(context: &Context<'_>, found: &[Found<'_>], draft: &mut FlowDraft) {
    if draft.steps.is_empty() {
        if !differs(context) {
            return;
        }
        let because =
            if context.row.is_some() { "the ledger's row of the flow is out of date" } else { "the flow is new" };
        draft.push(NewStep::new(context.target_name, StepKind::RecordFlow, because).action(Action::Record));
    }
    if found.iter().any(|found| matches!(found.deed, Deed::Create | Deed::Replace | Deed::Append | Deed::Upsert)) {
        let text = "a copy of tables under writes is no consistent cut: each table is read at a moment of its own";
        draft.warn("plan::not-a-cut", text);
    }
    draft.record = Some(Record {
        flow: context.instance.id.clone(),
        cluster: context.target_name.clone(),
        row: row(context, FlowState::Applying),
        then: Afterwards::Done,
    });
    let target = context.target_name;
    draft.basis.extend([
        ObjectRef::cluster(context.source_name),
        ObjectRef::cluster(target),
        ObjectRef::ledger(target),
        ObjectRef::flow(target, &context.instance.id),
    ]);
}

/// Whether the ledger says something else than it should once all is well.
fn differs(context: &Context<'_>) -> bool {
    let should = row(context, FlowState::Done);
    context.row.is_none_or(|is| FlowRow { declaration: should.declaration.clone(), ..is.clone() } != should)
}

fn row(context: &Context<'_>, state: FlowState) -> FlowRow {
    let tables = context.pairs.iter().map(|pair| pair.to.clone());
    let before = context.row;
    FlowRow {
        state,
        strategy: Strategy::Custom,
        from: context.source_name.clone(),
        from_id: context.source.id.clone(),
        to: context.target_name.clone(),
        to_id: context.target.id.clone(),
        publication: None,
        subscription: None,
        tables: tables.clone().collect(),
        made: match state {
            FlowState::Done => tables.collect(),
            FlowState::Applying | FlowState::Removing => before.map(|row| row.made.clone()).unwrap_or_default(),
        },
        prevent_destroy: context.instance.flow.prevent_destroy,
        declaration: digest::of(context.instance.flow),
        // A table that the source has not got today is still one that was copied.
        copies: before.map(|row| row.copies.clone()).unwrap_or_default(),
    }
}
