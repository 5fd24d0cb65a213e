//! Puts a copy in place: by a name that is free, by a swap, by the view that has the name, or by one that takes it.

use transship_model::observed::TableKind;
use transship_model::plan::{Action, Consent, ConsentBy, ObjectRef, Precondition, PutInPlace, StepKind};
use transship_model::{DropKind, TableName};
use transship_sql::place::Securable;
use transship_sql::{place, view};

use super::assess::Found;
use super::context::Context;
use super::versions::{self, Names};
use super::{grants, losses, steps};
use crate::draft::{FlowDraft, LIFT_PREVENT_DESTROY, NewStep};

/// Puts a copy in place.
pub(super) fn put_in_place(context: &Context<'_>, found: &Found<'_>, names: &Names, draft: &mut FlowDraft) {
    losses::warn(context, found, draft);
    match (context.by_view(), found.there.map(|there| there.kind)) {
        (false, None) => {
            rename(context, found, &names.copy, draft);
            pass_grants_of_cut(context, found, draft);
        }
        (false, Some(_)) => swap(context, found, &names.copy, draft),
        (true, Some(TableKind::Table)) => replace_by_view(context, found, names, draft),
        (true, _) => {
            switch(context, found, &names.copy, draft);
            pass_grants_of_cut(context, found, draft);
        }
    }
}

/// Gives a whole copy the name that a cut run took away for it, and the view the privileges of the table before.
pub(super) fn finish(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    let to = &found.wish.pair.to;
    let Some(copy) = context.row.and_then(|row| row.placing.get(to)?.holds.clone()) else { return };
    let (table, indices) = (ObjectRef::table(context.target_name, to), ObjectRef::indices(context.target_name, &copy));
    draft.push(
        NewStep::new(context.target_name, StepKind::SwitchView, steps::because(found))
            .sql(view::switch_view(to, &copy))
            .action(check(context, found, &copy, Checks::default()))
            .requires(Precondition::Unchanged(indices.clone()))
            .requires(Precondition::Absent(table.clone())),
    );
    draft.basis.extend([table, indices]);
    grants_of_before(context, to, &copy, draft);
}

/// Gives a view what a cut run did not get to: the privileges that the table before it has.
pub(super) fn pass_late_grants(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    if let Some(copy) = found.note.filter(|_| found.adopted).and_then(|note| note.holds.as_ref()) {
        grants_of_before(context, &found.wish.pair.to, copy, draft);
    }
}

/// A cut run took the name away from a table, and another copy than its own gets it now: the privileges still go with it.
fn pass_grants_of_cut(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    let to = &found.wish.pair.to;
    if let Some(copy) = context.row.and_then(|row| row.placing.get(to)?.holds.as_ref()) {
        grants_of_before(context, to, copy, draft);
    }
}

/// Passes the privileges of the table whose name the view `to` over `copy` took, as far as what has the name lacks them.
fn grants_of_before(context: &Context<'_>, to: &TableName, copy: &TableName, draft: &mut FlowDraft) {
    let before = versions::kept(context, to, copy).filter(|kept| context.target.tables.contains_key(kept));
    let Some(before) = before else { return };
    let because = format!("privileges follow the table that was {}.{to}, not its name", context.target_name);
    let step = NewStep::new(context.target_name, StepKind::GrantPrivileges, because)
        .requires(Precondition::Present(ObjectRef::table(context.target_name, to)));
    let class = if context.by_view() { Securable::View } else { Securable::Table };
    let Some(grants) = grants::of(context.target, &before, class, to) else {
        return block_unknown(context, to, draft);
    };
    let lacking: Vec<_> = grants.iter().filter(|grant| !grants::has(context.target, grant)).collect();
    if !lacking.is_empty() {
        draft.push(lacking.into_iter().fold(step, |step, grant| step.sql(place::grant(grant))));
    }
}

fn rename(context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
    let to = &found.wish.pair.to;
    draft.push(
        NewStep::new(context.target_name, StepKind::RenameTable, "the copy is complete, and nothing has its name")
            .sql(place::rename_table(copy, &to.table))
            .action(check(context, found, copy, Checks::default()))
            .requires(Precondition::Present(ObjectRef::table(context.target_name, copy)))
            .requires(Precondition::Absent(ObjectRef::table(context.target_name, to))),
    );
}

fn swap(context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
    let (cluster, to) = (context.target_name, &found.wish.pair.to);
    let known = grants::of(context.target, to, Securable::Table, copy);
    if let Some(grants) = known.as_ref().filter(|grants| !grants.is_empty()) {
        let because = format!("privileges follow the table that was {cluster}.{to}, not its name");
        let step = NewStep::new(cluster, StepKind::GrantPrivileges, because)
            .requires(Precondition::Present(ObjectRef::table(cluster, copy)));
        draft.push(grants.iter().fold(step, |step, grant| step.sql(place::grant(grant))));
    }
    let name = format!("{cluster}.{to}");
    let consent = Consent { kind: DropKind::Table, name, given: Some(ConsentBy::Replace) };
    let because = "the copy is complete, and takes the place of what is there";
    let checks = Checks { replaces: true, aside: None };
    let step = NewStep::new(cluster, StepKind::SwapTable, because)
        .sql(place::swap_table(copy, to))
        .action(check(context, found, copy, checks))
        .drops(consent);
    draft.push(guarded(context, to, copy, step));
    draft.basis.insert(ObjectRef::privileges(cluster, to));
    if known.is_none() {
        block_unknown(context, to, draft);
    }
    prevent_destroy(context, to, draft);
    let text = format!(
        "readers of {cluster}.{to} may see errors, too few rows or none while the copy is swapped in; `replace_by: view` avoids it"
    );
    draft.warn("plan::swap-shows", text);
}

/// A view takes the name of a table, which stays under another one.
fn replace_by_view(context: &Context<'_>, found: &Found<'_>, names: &Names, draft: &mut FlowDraft) {
    let (cluster, to, copy) = (context.target_name, &found.wish.pair.to, &names.copy);
    let known = grants::of(context.target, to, Securable::View, to);
    let because = "the copy is complete; a view over it takes the name of the table, which stays under another one";
    let checks = Checks { replaces: true, aside: Some(names.kept.clone()) };
    let step = NewStep::new(cluster, StepKind::ReplaceByView, because)
        .sql(place::rename_table(to, &names.kept.table))
        .sql(view::switch_view(to, copy))
        .action(check(context, found, copy, checks))
        .requires(Precondition::Absent(ObjectRef::table(cluster, &names.kept)));
    let step = known.iter().flatten().fold(step, |step, grant| step.sql(place::grant(grant)));
    draft.push(guarded(context, to, copy, step));
    draft.basis.insert(ObjectRef::privileges(cluster, to));
    if known.is_none() {
        block_unknown(context, to, draft);
    }
    prevent_destroy(context, to, draft);
    let text = format!(
        "{cluster}.{to} becomes a view, which cannot be written; for the moment in which it takes the name readers get errors"
    );
    draft.warn("plan::view-takes-name", text);
    draft.warn("plan::kept", kept_for_good(context, &names.kept));
}

/// What is to be known of a table whose name a view took.
pub(super) fn kept_for_good(context: &Context<'_>, kept: &TableName) -> String {
    let full = format!("{}.{kept}", context.target_name);
    if context.by_view() {
        return format!(
            "{full} stays: CrateDB fails to drop a table while a view has the name that it was made under (docs/copies.md)"
        );
    }
    format!("{full} stays: a view took its name, and this flow may not have made it; drop it by hand")
}

/// With what has to hold of a table that loses its name: it is the one that was planned with, nobody replicates into it,
/// and its privileges are those that were passed on.
fn guarded(context: &Context<'_>, to: &TableName, copy: &TableName, step: NewStep) -> NewStep {
    let table = ObjectRef::table(context.target_name, to);
    let privileges = ObjectRef::privileges(context.target_name, to);
    step.requires(Precondition::Unchanged(table.clone()))
        .requires(Precondition::Writable(table))
        .requires(Precondition::Unchanged(privileges))
        .requires(Precondition::Present(ObjectRef::table(context.target_name, copy)))
}

fn switch(context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
    let to = &found.wish.pair.to;
    let replaces = found.there.is_some_and(|there| there.kind == TableKind::View);
    let because =
        if replaces { "the view reads from the new copy from now on" } else { "the name is a view over the copy" };
    let table = ObjectRef::table(context.target_name, to);
    draft.push(
        NewStep::new(context.target_name, StepKind::SwitchView, because)
            .sql(view::switch_view(to, copy))
            .action(check(context, found, copy, Checks { replaces, aside: None }))
            .requires(Precondition::Present(ObjectRef::table(context.target_name, copy)))
            .requires(if replaces { Precondition::Unchanged(table) } else { Precondition::Absent(table) }),
    );
}

/// What else is looked at before a copy gets the name.
#[derive(Default)]
struct Checks {
    /// Something has the name, and may not shrink unasked.
    replaces: bool,
    /// The name that it gets.
    aside: Option<TableName>,
}

/// The check before a copy gets the name.
fn check(context: &Context<'_>, found: &Found<'_>, copy: &TableName, checks: Checks) -> Action {
    let to = &found.wish.pair.to;
    let holds = context.by_view().then(|| copy.clone());
    Action::PutInPlace(PutInPlace {
        copy: copy.clone(),
        table: to.clone(),
        aside: checks.aside,
        count_copy: place::count_rows(copy),
        count_table: checks.replaces.then(|| place::count_rows(to)),
        allow_shrink: context.instance.flow.allow_shrink,
        done: steps::note(found, holds),
    })
}

fn prevent_destroy(context: &Context<'_>, to: &TableName, draft: &mut FlowDraft) {
    if context.instance.flow.prevent_destroy || context.row.is_some_and(|row| row.prevent_destroy) {
        draft.prevent_destroy(&format!("replaces table {}.{to}", context.target_name), LIFT_PREVENT_DESTROY);
    }
}

fn block_unknown(context: &Context<'_>, to: &TableName, draft: &mut FlowDraft) {
    let reason = format!("`{}` cannot read sys.privileges on {}", context.target.user, context.target_name);
    let help = format!("grants on {}.{to} itself would be lost with it: GRANT DQL ON SCHEMA sys", context.target_name);
    draft.block_last("plan::grants-unknown", reason, help);
}
