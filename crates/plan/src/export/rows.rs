//! How rows get to the target: exported by the source's nodes or by transship, imported by the target's nodes, counted
//! at both ends.

use transship_model::TableName;
use transship_model::ledger::{ExportRow, FlowRow};
use transship_model::plan::{
    Action, CopyNote, ExportRows, FileColumn, ImportRows, MakeDirectory, ObjectRef, Param, ParamRef, Precondition,
    RemoveFiles, StepKind, WriteFiles,
};
use transship_model::spec::Format;
use transship_model::store::{StoreLocation, path_in};
use transship_sql::definition::{beyond_json, is_numeric};
use transship_sql::repository::{self, RepositoryKind, RepositorySettings};
use transship_sql::transfer::{self, Export, ExportColumn, FileFormat, Import};
use transship_sql::{lookup, partition, place as place_sql, replication, table as table_sql};

use super::files::{self, Files};
use super::writer::Writer;
use super::{refuse, retention, shown, to_store};
use crate::copies::{
    Context, Deed, Fill, Found, because, fill_partitions, filter, made_as, sensitive, source_as_planned,
};
use crate::draft::{FlowDraft, NewStep};
use crate::names;

impl Fill for Files<'_> {
    fn begin(&self, context: &Context<'_>, found: &[Found<'_>], draft: &mut FlowDraft) {
        shown::check(self, context, found, draft);
    }

    fn aside(&self, context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
        let path = self.export(context, found, draft);
        make(context, found, copy, draft);
        self.import(context, found, (copy, path), None, draft);
    }

    fn into(&self, context: &Context<'_>, found: &Found<'_>, done: CopyNote, draft: &mut FlowDraft) {
        if found.deed == Deed::Restore {
            return fill_partitions(self, context, found, draft);
        }
        let path = self.export(context, found, draft);
        self.import(context, found, (&found.wish.pair.to, path), Some(done), draft);
    }

    fn check(&self, context: &Context<'_>, found: &[Found<'_>]) -> Vec<transship_model::Finding> {
        refuse::check(self, context, found)
    }

    fn end(&self, context: &Context<'_>, draft: &mut FlowDraft) {
        let exports = context.row.map(|row| retention::aged(&row.exports, self.keep)).unwrap_or_default();
        if exports.is_empty() {
            return;
        }
        let because = "files of runs that failed, or of exports that are not kept any longer";
        draft.push(
            NewStep::new(context.target_name, StepKind::RemoveFiles, because)
                .action(Action::RemoveFiles(RemoveFiles { exports })),
        );
    }

    fn row(&self, context: &Context<'_>, found: &[Found<'_>], row: FlowRow) -> FlowRow {
        to_store::row(context, found, row)
    }

    fn note(&self, context: &Context<'_>, copies: bool, row: &mut FlowRow) {
        if copies {
            let (number, path) = export(context);
            row.exports.insert(number, ExportRow { store: self.name.clone(), path, whole: false });
        }
    }
}

impl Files<'_> {
    /// The export of a table; tells where its files lie.
    pub(super) fn export(&self, context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) -> String {
        let from = &found.wish.pair.from;
        let path = files::place(&export(context).1, from);
        let step = match Writer::of(self, found) {
            Writer::Source => self.copy_to(context, found, &path),
            Writer::Here(why) => self.write(context, found, &path, &why),
        };
        draft.push(step.requires(source_as_planned(context, from)).moves(&found.wish.source.primaries));
        draft.basis.insert(ObjectRef::table(context.source_name, from));
        path
    }

    /// By the source's nodes.
    fn copy_to(&self, context: &Context<'_>, found: &Found<'_>, path: &str) -> NewStep {
        let from = &found.wish.pair.from;
        let export = Export {
            table: from.clone(),
            columns: columns(found),
            condition: partition::condition(&found.wish.partitions, filter(found.wish.pair.entry))
                .as_deref()
                .map(transfer::condition),
            compression: self.compression(),
            options: self.options.clone(),
        };
        let rows = ExportRows {
            store: self.name.clone(),
            path: path.to_owned(),
            from: from.clone(),
            directory: self.directory(context, path),
            unreadable: lookup::unreadable(from, &found.wish.partitions),
            mark: replication::checkpoints([from]),
            refresh: table_sql::refresh([from]),
            count: transfer::count(&export),
            timeout: context.instance.flow.timeout(),
        };
        let param = Param {
            reference: ParamRef::CopyTo { store: self.name.clone(), path: path.to_owned() },
            shown: self.shown(path),
        };
        NewStep::new(context.source_name, StepKind::ExportRows, because(found))
            .sql(transfer::copy_to(&export))
            .param(param)
            .action(Action::ExportRows(rows))
    }

    /// By the machine that runs transship.
    fn write(&self, context: &Context<'_>, found: &Found<'_>, path: &str, why: &str) -> NewStep {
        let wish = &found.wish;
        let from = &wish.pair.from;
        let column =
            |(name, data_type): (&String, &String)| FileColumn { name: name.clone(), data_type: data_type.clone() };
        let rows = WriteFiles {
            store: self.name.clone(),
            path: path.to_owned(),
            place: self.shown(path),
            from: from.clone(),
            columns: wish.written.iter().zip(&wish.types).map(column).collect(),
            inner: wish.inner.clone(),
            format: self.format,
            compression: self.packed,
            sensitive: !sensitive::declared(wish.pair.entry).is_empty(),
            unreadable: lookup::unreadable(from, &wish.partitions),
            mark: replication::checkpoints([from]),
            refresh: table_sql::refresh([from]),
        };
        NewStep::new(context.source_name, StepKind::WriteFiles, format!("{}; {why}", because(found)))
            .sql(wish.select.clone())
            .action(Action::WriteFiles(rows))
    }

    /// How the directory is made: a node writes to none that is not there.
    fn directory(&self, context: &Context<'_>, path: &str) -> Option<MakeDirectory> {
        let StoreLocation::Directory(_) = self.location else { return None };
        let repository = names::of_flow(&context.input.spec, &context.instance.id);
        let settings = RepositorySettings::new(RepositoryKind::Fs).literal("location", self.location.path(path));
        let all = export(context).1;
        let below = self.location.path(all.rsplit_once('/').map_or("", |(all, _)| all));
        Some(MakeDirectory {
            create: repository::create_repository(&repository, &settings),
            drop: repository::drop_repository(&repository),
            repository,
            below,
        })
    }

    pub(super) fn import(
        &self,
        context: &Context<'_>,
        found: &Found<'_>,
        (into, path): (&TableName, String),
        done: Option<CopyNote>,
        draft: &mut FlowDraft,
    ) {
        let json = Import {
            table: into.clone(),
            columns: Vec::new(),
            format: FileFormat::Json,
            compression: self.compression(),
            overwrite: found.deed == Deed::Upsert,
            options: self.options.clone(),
        };
        let csv = Import { format: FileFormat::Csv { header: true, empty_as_null: true }, ..json.clone() };
        let (import, rest) = match self.format {
            Format::Json => (json, None),
            Format::Csv => (csv, Some(transfer::copy_from(&json))),
        };
        let param = Param {
            reference: ParamRef::CopyFrom { store: self.name.clone(), path: path.clone() },
            shown: self.shown(&path_in(&path, "*")),
        };
        let rows = ImportRows {
            store: self.name.clone(),
            path,
            source: context.end.is_none().then(|| context.source_name.clone()),
            from: found.wish.pair.from.clone(),
            into: into.clone(),
            rest,
            overwrites: import.overwrite,
            sensitive: !sensitive::declared(found.wish.pair.entry).is_empty(),
            refresh: table_sql::refresh([into]),
            count: done.is_none().then(|| place_sql::count_rows(into)),
            timeout: context.instance.flow.timeout(),
            done,
        };
        draft.push(
            NewStep::new(context.target_name, StepKind::ImportRows, because(found))
                .sql(transfer::copy_from(&import))
                .param(param)
                .action(Action::ImportRows(rows))
                .requires(Precondition::Present(ObjectRef::table(context.target_name, into)))
                .moves(&found.wish.source.primaries),
        );
    }
}

/// Makes the table that is to be filled.
pub(super) fn make(context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
    draft.push(
        NewStep::new(context.target_name, StepKind::CreateTable, because(found))
            .sql(made_as(found).create_table(copy))
            .requires(Precondition::Absent(ObjectRef::table(context.target_name, copy))),
    );
}

/// The columns that are exported: all of them by name, so that NULLs are written, too.
pub(super) fn columns(found: &Found<'_>) -> Vec<ExportColumn> {
    let definition = &found.wish.derived.definition;
    let column = |name: &String| {
        let data_type = definition.column(name).map(|column| column.data_type.as_str()).unwrap_or_default();
        ExportColumn { name: name.clone(), as_text: is_numeric(data_type) && beyond_json(data_type).is_some() }
    };
    found.wish.written.iter().map(column).collect()
}

/// The number of the next export of the flow, and where it lies: above what the ledger has and, where the flow ends in a
/// store, what lies there. A flow that was forgotten and declared again has exports there that the ledger does not know.
pub(super) fn export(context: &Context<'_>) -> (u32, String) {
    let noted = context.row.map_or(1, |row| retention::next(&row.exports));
    let lying = super::stores::newest_of_flow(context.input, context.instance);
    let number = lying.map_or(noted, |newest| noted.max(newest.saturating_add(1)));
    let spec = &context.input.spec;
    (number, files::path((&spec.workspace, spec.environment.as_ref()), &context.instance.id, number))
}
