//! The step that shows that two clusters see the same place in a store, before anything else is done: neither an address nor
//! a path tells, and a read-only repository in an empty bucket is no error. `plan` only reads, and says that it is still to
//! be shown.

use transship_model::plan::{Action, CheckStore, Param, ParamRef, RUN, StepKind};
use transship_model::spec::Instance;
use transship_model::store::marker::Marker;
use transship_model::store::repository::{self as declared, Role};
use transship_model::store::{SettingValue, StoreLocation};
use transship_model::{FlowId, Name};
use transship_sql::repository::{self, RepositoryKind, RepositorySettings};
use transship_sql::snapshot::{self, Part};

use crate::draft::{FlowDraft, NewStep};
use crate::input::PlanInput;

/// What the names of repositories of markers begin with, that no other repository has.
const PREFIX: &str = "transship_marker__";

/// Adds the step for a flow whose `source` writes to `store` and whose `target` reads there, where CrateDB can write there
/// at all.
pub(crate) fn push(
    input: &PlanInput,
    instance: &Instance<'_>,
    ends: (&Name, &Name),
    store: (&Name, &StoreLocation),
    draft: &mut FlowDraft,
) {
    add(input, instance, (ends, true), store, draft);
}

/// The same for a flow that does without repositories: clusters that allow none there are left to the copy.
pub(crate) fn push_if_allowed(
    input: &PlanInput,
    instance: &Instance<'_>,
    ends: (&Name, &Name),
    store: (&Name, &StoreLocation),
    draft: &mut FlowDraft,
) {
    add(input, instance, (ends, false), store, draft);
}

fn add(
    input: &PlanInput,
    instance: &Instance<'_>,
    ((source, target), required): ((&Name, &Name), bool),
    (store, location): (&Name, &StoreLocation),
    draft: &mut FlowDraft,
) {
    let Some(mut check) = check(input, instance, source, (store, location)) else { return };
    check.required = required;
    let because = format!("neither an address nor a path tells whether {source} and {target} see the same place");
    draft.push(NewStep::new(target, StepKind::CheckStore, because).action(Action::CheckStore(check)));
    let text =
        format!("whether {source} and {target} see the same store {store} is still to be shown, by the first step");
    draft.warn("plan::store-to-show", text);
}

fn check(
    input: &PlanInput,
    instance: &Instance<'_>,
    source: &Name,
    (store, location): (&Name, &StoreLocation),
) -> Option<CheckStore> {
    let spec = &input.spec;
    let Marker { below, .. } = Marker::new(&spec.workspace, spec.environment.as_ref(), &instance.id, RUN);
    let repository = repository_name(input, &instance.id);
    let marker = marker();
    let (writer, secrets) = settings(store, location, Role::Writer, &below)?;
    let (reader, _) = settings(store, location, Role::Reader, &below)?;
    Some(CheckStore {
        store: store.clone(),
        writer: source.clone(),
        create_writer: repository::create_repository(&repository, &writer),
        secrets,
        create_table: repository::create_marker_table(),
        create_marker: snapshot::create_snapshot(&repository, &marker, &[Part::whole(Marker::table())]),
        create_reader: repository::create_repository(&repository, &reader),
        look: snapshot::snapshots_of(&repository),
        drop_marker: snapshot::drop_snapshot(&repository, &marker),
        drop_repository: repository::drop_repository(&repository),
        repository,
        marker,
        required: true,
    })
}

/// The name of a marker; `RUN` stands for the run.
fn marker() -> String {
    format!("marker-{RUN}")
}

fn repository_name(input: &PlanInput, id: &FlowId) -> String {
    crate::names::of_flow(&input.spec, id).replacen(crate::names::PREFIX, PREFIX, 1)
}

/// The settings as CREATE REPOSITORY takes them, and the secrets to bind in their order.
fn settings(
    store: &Name,
    location: &StoreLocation,
    role: Role,
    below: &str,
) -> Option<(RepositorySettings, Vec<Param>)> {
    let declared = declared::repository(location, role, below)?;
    let mut settings = RepositorySettings::new(RepositoryKind::read(declared.kind)?);
    let mut secrets = Vec::new();
    for setting in declared.settings {
        match setting.value {
            SettingValue::Text(text) => settings = settings.literal(setting.key, text),
            SettingValue::Secret(secret) => {
                settings = settings.bound(setting.key);
                let reference = ParamRef::StoreSecret { store: store.clone(), secret };
                secrets.push(Param { reference, shown: "•••".to_owned() });
            }
        }
    }
    Some((settings, secrets))
}

/// Whether the statements of a check are those that the builders make of its own facts, to the letter.
pub(crate) fn is_sound(check: &CheckStore) -> bool {
    use transship_sql::bulk::Bulk;
    let makes = |sql: &str| match Bulk::read(sql) {
        Some(Bulk::CreateRepository { repository, settings }) if repository == check.repository => Some(settings),
        _ => None,
    };
    let (Some(writer), Some(reader)) = (makes(&check.create_writer), makes(&check.create_reader)) else { return false };
    let place = |settings: &RepositorySettings| {
        let mut literals = settings.literals.clone();
        literals.remove("readonly");
        (settings.kind, literals, settings.bound.clone())
    };
    check.repository.starts_with(PREFIX)
        && check.marker == marker()
        && place(&writer) == place(&reader)
        && writer.bound.len() == check.secrets.len()
        && check.create_table == repository::create_marker_table()
        && check.create_marker
            == snapshot::create_snapshot(&check.repository, &check.marker, &[Part::whole(Marker::table())])
        && check.look == snapshot::snapshots_of(&check.repository)
        && check.drop_marker == snapshot::drop_snapshot(&check.repository, &check.marker)
        && check.drop_repository == repository::drop_repository(&check.repository)
}
