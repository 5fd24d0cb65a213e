//! The repositories at both ends of a flow: whether they are there, ours, and where they should be. Exactly one cluster may
//! write into a place: a second writer destroys it.

use std::collections::BTreeMap;

use transship_model::ledger::FlowRow;
use transship_model::observed::{Observed, Repository};
use transship_model::plan::{ObjectRef, Param, ParamRef, Precondition, StepKind};
use transship_model::store::repository::{self as declared, Role};
use transship_model::store::{Setting, SettingValue, place_of};
use transship_model::{DropKind, Finding, FlowId, Name};
use transship_sql::repository::{self, RepositoryKind, RepositorySettings};

use super::place::{Place, of_all_targets};
use crate::consent::Consents;
use crate::copies::Context;
use crate::draft::{FlowDraft, NewStep};
use crate::input::PlanInput;

/// Everything that forbids using the repositories.
pub(super) fn check(context: &Context<'_>, place: &Place<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let at = context.instance.path.key("strategy");
    if declared::repository(place.location, Role::Writer, &place.below).is_none() {
        let message = format!("store {} can only be read: no snapshot can be made there", place.store);
        findings.push(Finding::error("plan::read-only-store", message).at(at.clone()).help("use another store"));
    }
    for (cluster, seen) in [(context.source_name, context.source), (context.target_name, context.target)] {
        let there = seen.repositories.get(&place.repository);
        if place.adopted && there.is_none() {
            let message = format!("repository {cluster}.{} does not exist", place.repository);
            let help = "make it there by hand, or take `names: { repository }` out";
            findings.push(Finding::error("plan::no-repository", message).at(at.clone()).help(help));
        }
        if !place.adopted && there.is_some() && !is_ours(context, place) {
            let message = format!("repository {cluster}.{} exists, and this flow did not make it", place.repository);
            let help = format!(
                "on {cluster}: DROP REPOSITORY {}, which leaves its snapshots where they lie; or adopt it by `names: {{ repository: … }}`",
                transship_sql::ident::ident(&place.repository)
            );
            findings.push(Finding::error("plan::name-taken", message).at(at.clone()).help(help));
        }
    }
    findings.extend(other_writers(context, place));
    findings
}

/// Any cluster but the source that may write where the flow's snapshots lie.
fn other_writers(context: &Context<'_>, place: &Place<'_>) -> Vec<Finding> {
    let Some(settings) = texts(place, Role::Writer) else { return Vec::new() };
    let Some(kind) = kind(place) else { return Vec::new() };
    let same_place = |other: &Repository| {
        other.kind == kind.as_str() && kind.place().iter().all(|key| other.settings.get(*key) == settings.get(*key))
    };
    let writes = |other: &Repository| other.settings.get("readonly").is_none_or(|readonly| readonly != "true");
    let clusters = context.input.observation.clusters.iter().filter(|(name, _)| *name != context.source_name);
    let mut findings = Vec::new();
    for (cluster, seen) in clusters {
        for (name, _) in seen.repositories.iter().filter(|(_, other)| same_place(other) && writes(other)) {
            let message = format!("repository {cluster}.{name} may write where the snapshots of this flow lie");
            let help = "a second writer destroys a repository: make that one anew with readonly = true";
            findings.push(
                Finding::error("plan::two-writers", message).at(context.instance.path.key("strategy")).help(help),
            );
        }
    }
    findings
}

/// Makes the repository of one end where it is not there, and makes anew what is elsewhere.
pub(super) fn make(context: &Context<'_>, place: &Place<'_>, role: Role, draft: &mut FlowDraft) {
    let (cluster, _) = end(context, role);
    let Some(lacking) = lacking(context, place, role) else { return };
    if let Lacking::Elsewhere(difference) = &lacking {
        drop_repository(context, place, cluster, difference, draft);
    }
    create(context, place, cluster, role, draft);
    draft.basis.insert(ObjectRef::repository(cluster, &place.repository));
}

/// Whether no copy has shown yet that both ends see the same place: a restore from these very repositories would have.
pub(super) fn is_new(context: &Context<'_>, place: &Place<'_>) -> bool {
    let nothing_copied = context.row.is_none_or(|row| row.copies.is_empty());
    nothing_copied || [Role::Writer, Role::Reader].into_iter().any(|role| lacking(context, place, role).is_some())
}

fn end<'a>(context: &Context<'a>, role: Role) -> (&'a Name, &'a Observed) {
    match role {
        Role::Writer => (context.source_name, context.source),
        Role::Reader => (context.target_name, context.target),
    }
}

/// Why a repository has to be made.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lacking {
    /// There is none.
    Absent,
    /// It has something otherwise than declared.
    Elsewhere(String),
}

/// Why the repository of one end has to be made; `None` where it is as declared, or somebody else's.
pub(super) fn lacking(context: &Context<'_>, place: &Place<'_>, role: Role) -> Option<Lacking> {
    if place.adopted {
        return None;
    }
    match end(context, role).1.repositories.get(&place.repository) {
        None => Some(Lacking::Absent),
        Some(there) => difference(place, role, there).map(Lacking::Elsewhere),
    }
}

fn create(context: &Context<'_>, place: &Place<'_>, cluster: &Name, role: Role, draft: &mut FlowDraft) {
    let Some((settings, secrets)) = settings(place, role) else { return };
    let because = match role {
        Role::Writer => format!("{cluster} writes its snapshots for {} there", context.instance.id.flow),
        Role::Reader => format!("{cluster} reads them, and never writes there"),
    };
    let step = NewStep::new(cluster, StepKind::CreateRepository, because)
        .sql(repository::create_repository(&place.repository, &settings))
        .requires(Precondition::Absent(ObjectRef::repository(cluster, &place.repository)));
    draft.push(secrets.into_iter().fold(step, NewStep::param));
}

fn drop_repository(context: &Context<'_>, place: &Place<'_>, cluster: &Name, why: &str, draft: &mut FlowDraft) {
    let consents = Consents::new(context.input, &context.instance.flow.allow_drop);
    let name = format!("{cluster}.{}", place.repository);
    let because = format!("{why}; its snapshots stay where they lie");
    draft.push(
        NewStep::new(cluster, StepKind::DropRepository, because)
            .sql(repository::drop_repository(&place.repository))
            .requires(Precondition::Unchanged(ObjectRef::repository(cluster, &place.repository)))
            .drops(consents.ask(DropKind::Repository, name)),
    );
}

/// Whether the ledger of any target has it that the flow made the repository.
fn is_ours(context: &Context<'_>, place: &Place<'_>) -> bool {
    let flow = of_all_targets(&context.instance.id).flow;
    let rows = context.input.observation.clusters.values().flat_map(|seen: &Observed| seen.ledger.rows());
    rows.filter(|(id, _)| id.flow == flow).any(|(_, row)| row.repository.as_ref() == Some(&place.repository))
}

/// Whether the repository that the ledger has of a flow is there, and lies in `store` where the flow has its things.
pub(crate) fn lies_in(input: &PlanInput, flow: &Name, row: &FlowRow, store: &Name) -> bool {
    let Some((repository, location)) = row.repository.clone().zip(input.stores.get(store)) else { return false };
    let id = FlowId { flow: flow.clone(), target: None };
    let below = place_of(&input.spec.workspace, input.spec.environment.as_ref(), &id);
    let there = input.observed(&row.from).and_then(|seen| seen.repositories.get(&repository));
    let place = Place { store, location, repository, below, adopted: false };
    there.is_some_and(|there| difference(&place, Role::Writer, there).is_none())
}

/// What a repository that is there has otherwise than declared. Secrets cannot be compared, and settings beside those
/// that are declared are the operator's.
fn difference(place: &Place<'_>, role: Role, there: &Repository) -> Option<String> {
    let declared = texts(place, role)?;
    let kind = kind(place)?.as_str();
    if there.kind != kind {
        return Some(format!("it is of type {}, not {kind}", there.kind));
    }
    let differs = declared.iter().find(|(key, value)| there.settings.get(*key) != Some(*value));
    if let Some((key, value)) = differs {
        let is = there.settings.get(key).map_or("not set", String::as_str);
        return Some(format!("its {key} is {is}, not {value}"));
    }
    let readonly = there.settings.get("readonly").is_some_and(|readonly| readonly == "true");
    (readonly && role == Role::Writer).then(|| "it is read-only".to_owned())
}

fn kind(place: &Place<'_>) -> Option<RepositoryKind> {
    RepositoryKind::read(declared::repository(place.location, Role::Reader, &place.below)?.kind)
}

fn texts(place: &Place<'_>, role: Role) -> Option<BTreeMap<String, String>> {
    let declared = declared::repository(place.location, role, &place.below)?;
    let text = |setting: &Setting| match &setting.value {
        SettingValue::Text(text) => Some((setting.key.to_owned(), text.clone())),
        SettingValue::Secret(_) => None,
    };
    Some(declared.settings.iter().filter_map(text).collect())
}

/// The settings as CREATE REPOSITORY takes them, and the secrets to bind in their order.
fn settings(place: &Place<'_>, role: Role) -> Option<(RepositorySettings, Vec<Param>)> {
    let declared = declared::repository(place.location, role, &place.below)?;
    let mut settings = RepositorySettings::new(kind(place)?);
    let mut secrets = Vec::new();
    for Setting { key, value } in declared.settings {
        match value {
            SettingValue::Text(text) => settings = settings.literal(key, text),
            SettingValue::Secret(secret) => {
                settings = settings.bound(key);
                let reference = ParamRef::StoreSecret { store: place.store.clone(), secret };
                secrets.push(Param { reference, shown: "•••".to_owned() });
            }
        }
    }
    Some((settings, secrets))
}
