//! Chosen partitions of a table that is there: tried aside first, then each put in place of the one that goes.
//!
//! A restore that fails leaves shards that never start, and no query over all partitions of the table answers then. So the
//! very files are restored on the target under a reserved name, counted and dropped again, before anything of the table is
//! touched.

use transship_model::plan::{Action, ObjectRef, Precondition, RestorePartition, RestoreTable, StepKind};
use transship_model::{Finding, TableName};
use transship_sql::definition::{Definition, differences};
use transship_sql::partition::{self, Partition};
use transship_sql::snapshot::{self, Part};
use transship_sql::{replication, table as table_sql};

use crate::copies::partitions::{self, Restored, planned};
use crate::copies::{Context, Deed, Found, because, name_of_copy, note};
use crate::draft::{FlowDraft, NewStep};

/// Where the partitions come from.
pub(super) struct From<'a> {
    pub(super) repository: &'a str,
    pub(super) snapshot: &'a str,
}

/// Restores chosen partitions into the table that is there.
pub(super) fn restore(context: &Context<'_>, found: &Found<'_>, from: &From<'_>, draft: &mut FlowDraft) {
    try_aside(context, found, from, draft);
    for part in &found.parts {
        in_place(context, found, part, from, draft);
    }
    let full = format!("{}.{}", context.target_name, found.wish.pair.to);
    if !context.instance.flow.target.is_empty() {
        let text =
            format!("`target` says how tables are made: partitions that are restored into {full} keep their settings");
        draft.warn("plan::settings-stay", text);
    }
    let deletes = format!(
        "chosen partitions of {full} are deleted before they are restored: until then readers see fewer rows, or errors, and a \
         run that is cut there leaves them out until the next one"
    );
    let adds = format!("partitions are restored into {full} itself: while their shards arrive, reading it may fail");
    partitions::warn(context, found, (&deletes, &adds), draft);
}

fn try_aside(context: &Context<'_>, found: &Found<'_>, from: &From<'_>, draft: &mut FlowDraft) {
    let (cluster, copy) = (context.target_name, name_of_copy(context, found));
    let partitions: Vec<Partition> = found.parts.iter().map(|part| part.partition.clone()).collect();
    let table = found.wish.pair.from.clone();
    let part = Part { table: table.clone(), partitions: partitions.clone() };
    draft.push(
        NewStep::new(
            cluster,
            StepKind::TryRestore,
            "nothing is deleted before its replacement is known to be whole here",
        )
        .sql(snapshot::restore_table(from.repository, from.snapshot, &part, &copy))
        .sql(table_sql::drop_table(&copy))
        .action(Action::RestoreTable(action(context, from, &table, &copy, &partitions)))
        .requires(Precondition::Present(ObjectRef::repository(cluster, from.repository)))
        .requires(Precondition::Absent(ObjectRef::table(cluster, &copy)))
        .moves(chosen(found, &partitions)),
    );
}

fn chosen<'a>(
    found: &'a Found<'_>,
    partitions: &[Partition],
) -> impl Iterator<Item = &'a transship_model::observed::Shard> {
    let idents: Vec<String> = partitions.iter().map(Partition::ident).collect();
    found.wish.source.primaries.iter().filter(move |shard| idents.contains(&shard.partition))
}

/// The restore of a table aside, or of chosen partitions of it.
pub(super) fn action(
    context: &Context<'_>,
    from: &From<'_>,
    table: &TableName,
    copy: &TableName,
    partitions: &[Partition],
) -> RestoreTable {
    RestoreTable {
        repository: from.repository.to_owned(),
        snapshot: from.snapshot.to_owned(),
        from: table.clone(),
        copy: copy.clone(),
        partitions: partitions.iter().map(planned).collect(),
        running: snapshot::running_restores(from.repository, from.snapshot),
        missing: snapshot::missing_shards([copy]),
        reached: replication::checkpoints([copy]),
        refresh: table_sql::refresh([copy]),
        count: transship_sql::place::count_rows(copy),
        timeout: context.instance.flow.timeout(),
    }
}

fn in_place(context: &Context<'_>, found: &Found<'_>, part: &Restored, from: &From<'_>, draft: &mut FlowDraft) {
    let (cluster, to) = (context.target_name, &found.wish.pair.to);
    let restored = Part { table: found.wish.pair.from.clone(), partitions: vec![part.partition.clone()] };
    let restore = snapshot::restore_table(from.repository, from.snapshot, &restored, to);
    let kind = if part.replaces.is_some() { StepKind::ReplacePartition } else { StepKind::RestorePartition };
    let step = NewStep::new(cluster, kind, because(found))
        .action(Action::RestorePartition(RestorePartition {
            repository: from.repository.to_owned(),
            snapshot: from.snapshot.to_owned(),
            from: found.wish.pair.from.clone(),
            table: to.clone(),
            partition: planned(&part.partition),
            replaces: part.replaces.clone(),
            allow_shrink: context.instance.flow.allow_shrink,
            running: snapshot::running_restores(from.repository, from.snapshot),
            missing: snapshot::missing_shards([to]),
            reached: replication::checkpoints([to]),
            refresh: table_sql::refresh([to]),
            count: partition::count_rows(to, std::slice::from_ref(&part.partition)),
            timeout: context.instance.flow.timeout(),
            done: note(found, None),
            keeps: found.keeps,
            renews: found.renews(part),
        }))
        .requires(Precondition::Present(ObjectRef::repository(cluster, from.repository)))
        .moves(chosen(found, std::slice::from_ref(&part.partition)));
    partitions::put(context, found, part, (step, Some(restore)), draft);
}

/// One partition is restored by the name of its table, which has to be free of anything but a table here.
pub(super) fn in_the_way(context: &Context<'_>, found: &Found<'_>) -> Option<Finding> {
    let from = &found.wish.pair.from;
    (found.deed == Deed::Restore && super::steps::hidden(context, from)).then(|| {
        let message = format!(
            "{}.{from} is no table: CrateDB restores no partition of one of that name then",
            context.target_name
        );
        Finding::error("plan::in-the-way", message)
            .at(found.wish.pair.path.clone())
            .help("rename what has the name there, copy the whole table, or use `export-import` or `custom`")
    })
}

/// A partition fits into a table that is defined as its own was, settings included: CrateDB notices missing columns alone,
/// and gives the table the settings of the other.
pub(super) fn other_definition(context: &Context<'_>, found: &Found<'_>) -> Option<Finding> {
    let there = found.there.filter(|there| found.deed == Deed::Restore && !there.closed)?;
    let full = format!("{}.{}", context.target_name, found.wish.pair.to);
    let path = found.wish.pair.path.clone();
    let Some(is) = there.definition.as_deref().and_then(|text| Definition::read(text).ok()) else {
        let message = format!("the definition of {full} is not known");
        let help = "GRANT DQL on it; or take the observation again with --save-observed";
        return Some(Finding::error("plan::not-defined", message).at(path).help(help));
    };
    let source = &found.wish.derived.definition;
    let mut differs = differences(&is, source);
    if differs.is_empty() {
        differs = differences(source, &is);
    }
    // CrateDB gives a table the settings of the one that a partition comes from.
    let names: std::collections::BTreeSet<&String> = source.settings.keys().chain(is.settings.keys()).collect();
    let other = names.into_iter().filter(|name| source.settings.get(*name) != is.settings.get(*name));
    differs.extend(other.map(|name| format!("would lose its own setting {name}")));
    if let Some(finding) = partitions::generated_key(context, found, there) {
        return Some(finding);
    }
    if differs.is_empty() {
        return None;
    }
    let message = format!("{full} is not defined as {}.{}", context.source_name, found.wish.pair.from);
    let help = format!(
        "a partition fits into a table that is defined as its own was: by the other definition it {}. Alter one of them, or \
         copy the whole table",
        differs.join(", ")
    );
    Some(Finding::error("plan::other-definition", message).at(path).help(help))
}
