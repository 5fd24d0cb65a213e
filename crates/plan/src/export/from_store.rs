//! Flows that begin in a store: what a manifest describes, imported like any other copy. Before anything is changed, this
//! machine reads every file and compares it with the manifest.

use std::collections::BTreeSet;

use transship_model::manifest::ManifestTable;
use transship_model::plan::{Action, CheckFiles, CheckedTable, CopyNote, ObjectRef, StepKind};
use transship_model::spec::{ExportImport, Instance, StoreSource};
use transship_model::store::SeenManifest;
use transship_model::{Finding, SpecPath, TableName};
use transship_sql::definition::beyond_json;

use super::files::Files;
use super::{manifest, refuse, rows, stores};
use crate::copies::{self, Context, Deed, Fill, Found};
use crate::draft::{FlowDraft, NewStep};
use crate::input::PlanInput;
use crate::stage::{FlowOutcome, Others};
use crate::wanted::WantedByCluster;

/// Plans one flow beside `others`.
pub(super) fn plan(
    input: &PlanInput,
    instance: &Instance<'_>,
    (settings, source): (&ExportImport, &StoreSource),
    others: &Others,
) -> Result<FlowOutcome, Vec<Finding>> {
    let mut files = Files::of(input, instance, settings).map_err(|finding| vec![finding])?;
    let at = instance.path.key("from");
    let seen = stores::manifest(input, source, &at)?;
    sound(seen, &at)?;
    (files.format, files.packed) = (seen.manifest.format, seen.manifest.compression);
    let described = described(input, instance, source, seen)?;
    let context = Context::from_store(input, instance, others, (&source.store, &described))?;
    copies::plan_within(context, &Import { files, seen, source })
}

/// Adds what has to be looked at on the target; nothing where there is no manifest.
pub(super) fn want(input: &PlanInput, instance: &Instance<'_>, source: &StoreSource, wanted: &mut WantedByCluster) {
    let Ok(seen) = stores::manifest(input, source, &instance.path) else { return };
    let Ok(described) = described(input, instance, source, seen) else { return };
    let others = Others::default();
    if let Ok(context) = Context::from_store(input, instance, &others, (&source.store, &described)) {
        context.want(wanted);
    }
}

/// The tables of the manifest as a source.
fn described(
    input: &PlanInput,
    instance: &Instance<'_>,
    source: &StoreSource,
    seen: &SeenManifest,
) -> Result<transship_model::observed::Observed, Vec<Finding>> {
    let (_, target) = crate::ends::end(input, instance.to, instance, "an import")?;
    let id = format!("store {} {}", source.store, stores::place(source));
    Ok(manifest::source(id, &seen.manifest, target))
}

/// A manifest of which the tables are what their definitions say.
fn sound(seen: &SeenManifest, at: &SpecPath) -> Result<(), Vec<Finding>> {
    let error = |message: String| {
        Finding::error("plan::bad-manifest", message).at(at.clone()).help("docs/export.md tells what a manifest says")
    };
    let problems = seen.manifest.tables.iter().filter_map(problem);
    let findings: Vec<Finding> = problems.map(error).collect();
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

/// What is wrong with what a manifest says of a table.
fn problem(table: &ManifestTable) -> Option<String> {
    let name = &table.table;
    let definition = match manifest::definition(table) {
        Ok(definition) => definition,
        Err(error) => return Some(format!("the definition of {name} in the manifest cannot be read: {error}")),
    };
    let declared: BTreeSet<&str> = definition.columns.iter().map(|column| column.name.as_str()).collect();
    let listed: BTreeSet<&str> =
        table.columns.iter().map(|column| column.name.as_str()).filter(|name| !name.contains("['")).collect();
    if let Some(column) = declared.symmetric_difference(&listed).next() {
        return Some(format!("column {column} of {name} stands in one of `definition` and `columns` alone"));
    }
    if definition.primary_key() != table.primary_key || definition.partitioned_by != table.partitioned_by {
        return Some(format!("the definition of {name} has another primary key or other partitions than the manifest"));
    }
    let mut written = definition.columns.iter().filter(|column| column.generated.is_none());
    let bent = written.find_map(|column| {
        let beyond = beyond_json(&column.data_type).filter(|_| !table.as_text.contains(&column.name))?;
        Some((column.name.clone(), beyond))
    });
    bent.map(|(column, beyond)| {
        format!("column {column} of {name} holds {beyond}, and does not stand in `as_text`: JSON numbers would be bent")
    })
}

/// How rows get from a manifest to the target.
struct Import<'a> {
    files: Files<'a>,
    seen: &'a SeenManifest,
    source: &'a StoreSource,
}

impl Fill for Import<'_> {
    fn check(&self, context: &Context<'_>, found: &[Found<'_>]) -> Vec<Finding> {
        let mut busy = found.iter().filter(|found| is_busy(found)).peekable();
        let superuser = busy.peek().filter(|_| self.files.is_directory()).and_then(|_| refuse::superuser(context));
        superuser.into_iter().chain(busy.flat_map(|found| refuse::imported(context, found))).collect()
    }

    fn begin(&self, context: &Context<'_>, found: &[Found<'_>], draft: &mut FlowDraft) {
        let busy = found.iter().filter(|found| is_busy(found));
        let tables = busy.filter_map(|found| Some(checked(self.seen.manifest.table(&found.wish.pair.from)?)));
        let check = CheckFiles {
            store: self.files.name.clone(),
            directory: self.seen.directory.clone(),
            sha256: self.seen.sha256.clone(),
            tables: tables.collect(),
            timeout: context.instance.flow.timeout(),
        };
        let because = "every file has to be what the manifest says before anything is changed";
        let step = NewStep::new(context.target_name, StepKind::CheckFiles, because);
        draft.push(step.action(Action::CheckFiles(check)));
        draft.basis.insert(self.basis());
    }

    fn aside(&self, context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
        rows::make(context, found, copy, draft);
        self.import(context, found, copy, None, draft);
    }

    fn into(&self, context: &Context<'_>, found: &Found<'_>, done: CopyNote, draft: &mut FlowDraft) {
        self.import(context, found, &found.wish.pair.to, Some(done), draft);
    }
}

impl Import<'_> {
    /// The import of a table. What the manifest says to be sensitive is, whatever the flow says.
    fn import(
        &self,
        context: &Context<'_>,
        found: &Found<'_>,
        into: &TableName,
        done: Option<CopyNote>,
        draft: &mut FlowDraft,
    ) {
        self.files.import(context, found, (into, self.seen.directory.clone()), done, draft);
        let is_sensitive = |table: &ManifestTable| !table.sensitive.is_empty();
        if let Some(Action::ImportRows(rows)) = draft.steps.last_mut().and_then(|step| step.action.as_mut()) {
            rows.sensitive |= self.seen.manifest.table(&rows.from).is_some_and(is_sensitive);
        }
    }

    fn basis(&self) -> ObjectRef {
        ObjectRef::export(&self.source.store, stores::place(self.source))
    }
}

fn is_busy(found: &Found<'_>) -> bool {
    matches!(found.deed, Deed::Create | Deed::Replace | Deed::Append | Deed::Upsert)
}

fn checked(table: &ManifestTable) -> CheckedTable {
    CheckedTable {
        table: table.table.clone(),
        mark: manifest::mark(table),
        rows: table.rows,
        files: table.files.clone(),
    }
}
