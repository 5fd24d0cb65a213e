//! Where stores are looked at for flows that begin or end in one, and what was found there.

use transship_model::spec::{From, Instance, StoreSource, Strategy, To};
use transship_model::store::{SeenExport, SeenManifest, StoreTrouble, place_of};
use transship_model::{Finding, Name, SpecPath};

use crate::input::PlanInput;

/// The places that a flow has to know of.
pub(crate) fn wanted(input: &PlanInput, instance: &Instance<'_>) -> Vec<(Name, String)> {
    if instance.flow.strategy.strategy() != Strategy::ExportImport {
        return Vec::new();
    }
    match (&instance.flow.from, &instance.flow.to) {
        (From::Store(source), _) => vec![(source.store.clone(), place(source).to_owned())],
        (_, To::Store(end)) => vec![(end.store.clone(), place_of_flow(input, instance))],
        _ => Vec::new(),
    }
}

/// Where an export is looked for that a flow begins with.
pub(super) fn place(source: &StoreSource) -> &str {
    source.export.as_deref().unwrap_or_default()
}

/// Where a flow has its exports.
pub(super) fn place_of_flow(input: &PlanInput, instance: &Instance<'_>) -> String {
    place_of(&input.spec.workspace, input.spec.environment.as_ref(), &instance.id)
}

/// The highest number of an export that was seen where a flow has its exports, if it ends in a store.
pub(super) fn newest_of_flow(input: &PlanInput, instance: &Instance<'_>) -> Option<u32> {
    let To::Store(end) = &instance.flow.to else { return None };
    let place = place_of_flow(input, instance);
    let number = |path: &str| path.strip_prefix(&place)?.strip_prefix('/')?.split('/').next()?.parse().ok();
    match seen(input, &end.store, &place)? {
        SeenExport::Found(found) => number(&found.directory),
        SeenExport::Several(places) => places.iter().filter_map(|path| number(path)).max(),
        SeenExport::Unreadable { path, .. } => number(path),
        SeenExport::Absent => None,
    }
}

/// The directory that a flow imports from: that of the manifest or, where none was found, the place that it names.
pub(crate) fn directory<'a>(input: &'a PlanInput, source: &'a StoreSource) -> Option<&'a str> {
    match seen(input, &source.store, place(source))? {
        SeenExport::Found(found) => Some(&found.directory),
        _ => Some(place(source)),
    }
}

fn seen<'a>(input: &'a PlanInput, store: &Name, place: &str) -> Option<&'a SeenExport> {
    input.observation.stores.get(store)?.exports.get(place)
}

/// What was found at a place; an error where this machine could not look. `at` is where the flow names the store.
pub(super) fn looked<'a>(
    input: &'a PlanInput,
    store: &Name,
    place: &str,
    at: &SpecPath,
) -> Result<&'a SeenExport, Finding> {
    let trouble = input.observation.stores.get(store).and_then(|seen| seen.trouble.as_ref());
    if let Some(trouble) = trouble {
        return Err(unusable(store, trouble, at));
    }
    seen(input, store, place).ok_or_else(|| {
        Finding::error("plan::not-observed", format!("nothing is known of store {store}"))
            .at(at.clone())
            .help("the observation was taken for another workspace; take it again with --save-observed")
    })
}

fn unusable(store: &Name, trouble: &StoreTrouble, at: &SpecPath) -> Finding {
    let key = trouble.key.as_ref().map_or_else(|| SpecPath::of("stores", store), |key| SpecPath(key.clone()));
    let StoreTrouble { code, message, .. } = trouble;
    let finding = Finding::error("plan::store-unreachable", format!("this machine cannot use {message} ({code})"));
    let finding = if trouble.key.is_some() { finding.at(key) } else { finding.at_key(key) };
    let finding =
        finding.related(at.clone(), "this flow has files read and written by the machine that runs transship");
    match &trouble.help {
        Some(help) => finding.help(help.clone()),
        None => finding,
    }
}

/// The manifest that a flow imports; an error says what was found instead.
pub(super) fn manifest<'a>(
    input: &'a PlanInput,
    source: &StoreSource,
    at: &SpecPath,
) -> Result<&'a SeenManifest, Vec<Finding>> {
    let (store, place) = (&source.store, place(source));
    let shown = if place.is_empty() { String::new() } else { format!(" at {place}") };
    let error = |code, message: String, help: String| vec![Finding::error(code, message).at(at.clone()).help(help)];
    match looked(input, store, place, at).map_err(|finding| vec![finding])? {
        SeenExport::Found(found) if found.damaged.is_empty() => Ok(found),
        SeenExport::Found(found) => Err(found
            .damaged
            .iter()
            .map(|(file, problem)| {
                let message = format!("the export in store {store}{shown} is not whole: {file}: {problem}");
                Finding::error("plan::export-damaged", message).at(at.clone()).help("export anew, or put the file back")
            })
            .collect()),
        SeenExport::Absent => Err(error(
            "plan::no-export",
            format!("store {store} has no export{shown}: there is neither a manifest.json nor a latest.json"),
            "name its place by `export`, below the path of the store; has the flow run that exports?".to_owned(),
        )),
        SeenExport::Several(places) => Err(error(
            "plan::which-export",
            format!("store {store} has several exports"),
            format!("say which: `export: {}`", places.join("`, or `export: ")),
        )),
        SeenExport::Unreadable { path, reason } => Err(error(
            "plan::bad-manifest",
            format!("{path} in store {store} cannot be used: {reason}"),
            "docs/export.md tells what a manifest says".to_owned(),
        )),
    }
}
