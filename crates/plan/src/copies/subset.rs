//! Chosen partitions of a table that is there, where rows are copied: all of them are filled and counted aside first, in a
//! table that is defined as the target is; then each is put in place, and the one that is there goes first.

use transship_model::observed::Table;
use transship_model::plan::{
    Action, CopyRows, FillPartition, KeyColumn, ObjectRef, PartsOfCopy, Precondition, RowWrite, StepKind,
};
use transship_model::{Finding, TableName};
use transship_sql::copy::{self, Source};
use transship_sql::definition::Definition;
use transship_sql::{partition, place, replication, table as table_sql};

use super::assess::{Deed, Found};
use super::context::Context;
use super::partitions::{self, Restored, planned};
use super::steps::{Fill, because, note};
use super::{sensitive, versions, wish};
use crate::draft::{FlowDraft, NewStep};

/// Fills the chosen partitions of the table that is there.
pub(crate) fn fill(rows: &dyn Fill, context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    let Some(there) = found.there else { return };
    let copy = versions::name_of_copy(context, found);
    rows.aside(context, found, &copy, draft);
    for at in 0..found.parts.len() {
        in_place(context, (found, there), at, &copy, draft);
    }
    let full = format!("{}.{}", context.target_name, found.wish.pair.to);
    let deletes = format!(
        "chosen partitions of {full} are deleted before their rows are written: until then readers see fewer rows, and a run \
         that is cut there leaves them out until the next one"
    );
    let adds = format!("partitions of {full} are filled in place: readers see them come");
    partitions::warn(context, found, (&deletes, &adds), draft);
}

/// The definition of the copy that is made aside: the target's own where rows are to go into the table that is there.
pub(crate) fn made_as(found: &Found<'_>) -> Definition {
    let own = found.there.filter(|_| found.deed == Deed::Restore).and_then(definition);
    own.unwrap_or_else(|| found.wish.derived.definition.clone())
}

fn definition(there: &Table) -> Option<Definition> {
    Definition::read(there.definition.as_deref()?).ok()
}

fn in_place(
    context: &Context<'_>,
    (found, there): (&Found<'_>, &Table),
    at: usize,
    copy: &TableName,
    draft: &mut FlowDraft,
) {
    let (part, is_last) = (&found.parts[at], at + 1 == found.parts.len());
    let (cluster, to) = (context.target_name, &found.wish.pair.to);
    let kind = if part.replaces.is_some() { StepKind::ReplacePartition } else { StepKind::FillPartition };
    let only = std::slice::from_ref(&part.partition);
    let action = FillPartition {
        rows: Box::new(rows(context, found, there, part, copy)),
        partition: planned(&part.partition),
        replaces: part.replaces.clone(),
        allow_shrink: context.instance.flow.allow_shrink,
        expected: partition::count_rows(copy, only),
        parts: (at == 0).then(|| parts_of(found, copy)),
        count: partition::count_rows(to, only),
        clear: is_last.then(|| table_sql::drop_table(copy)),
        done: note(found, None),
        keeps: found.keeps,
        renews: found.renews(part),
    };
    let step = NewStep::new(cluster, kind, because(found))
        .action(Action::FillPartition(action))
        .requires(Precondition::Present(ObjectRef::table(cluster, copy)));
    partitions::put(context, found, part, (step, None), draft);
}

fn parts_of(found: &Found<'_>, copy: &TableName) -> PartsOfCopy {
    PartsOfCopy { all: place::count_rows(copy), chosen: partition::count_rows(copy, &found.wish.partitions) }
}

/// How the rows of one partition get from the copy into the table.
fn rows(context: &Context<'_>, found: &Found<'_>, there: &Table, part: &Restored, copy: &TableName) -> CopyRows {
    let (wish, to) = (&found.wish, &found.wish.pair.to);
    let written: Vec<&str> = wish.written.iter().map(String::as_str).collect();
    let of = |name: &str| there.columns.iter().find(|it| it.name == name).map_or("", |it| it.data_type.as_str());
    let sources = written.iter().map(|name| Source::Column { name, data_type: of(name) });
    let within = partition::condition(std::slice::from_ref(&part.partition), None);
    let place = |at: usize| u32::try_from(at).expect("a table has fewer columns than that");
    let hidden = sensitive::declared(wish.pair.entry);
    let of_key = written.iter().enumerate().filter(|(_, name)| there.primary_key.iter().any(|key| key == *name));
    let key = of_key.map(|(at, name)| KeyColumn {
        at: place(at),
        name: (*name).to_owned(),
        data_type: of(name).to_owned(),
        sensitive: !hidden.is_empty(),
    });
    let given = |key: &String| written.contains(&key.as_str());
    CopyRows {
        source: context.target_name.clone(),
        from: copy.clone(),
        into: to.clone(),
        refresh_source: table_sql::refresh([copy]),
        unreadable: None,
        mark: replication::checkpoints([copy]),
        columns: None,
        select: copy::select(copy, sources, within.as_deref()),
        insert: copy::insert(to, &written),
        write: RowWrite::Insert,
        many: None,
        keyed: !there.primary_key.is_empty() && there.primary_key.iter().all(given),
        key: key.collect(),
        sensitive: !hidden.is_empty(),
        transform: None,
        inner: written.iter().enumerate().flat_map(|(at, name)| wish::inner_places(place(at), name, there)).collect(),
        refresh: table_sql::refresh([to]),
        count: None,
        chunks: None,
        cursor: None,
        timeout: context.instance.flow.timeout(),
        done: None,
    }
}

/// What forbids chosen partitions to go into the table that is there.
pub(super) fn check(context: &Context<'_>, found: &Found<'_>) -> Option<Finding> {
    let there = found.there.filter(|there| found.deed == Deed::Restore && !there.closed)?;
    let wish = &found.wish;
    if wish.written.is_empty() {
        // Files of a snapshot, which have rules of their own.
        return None;
    }
    let full = format!("{}.{}", context.target_name, wish.pair.to);
    let error = |code, message: String, help: &str| {
        Some(Finding::error(code, message).at(wish.pair.path.key("partitions")).help(help))
    };
    let as_it_is = |column: &String| wish.columns.iter().any(|it| it.name == *column && it.is_column(column));
    if there.partitioned_by != wish.source.partitioned_by || !there.partitioned_by.iter().all(as_it_is) {
        let message = format!(
            "{full} is partitioned by {}, and {} by {}",
            names(&there.partitioned_by),
            wish.pair.from,
            names(&wish.source.partitioned_by)
        );
        let help = "both have to be partitioned by the same columns, and the flow has to carry them under their names";
        return error("plan::other-partitions", message, help);
    }
    let made = |table: &Table, name: &String| {
        let column = table.columns.iter().find(|it| it.name == *name);
        column.map(|it| (it.data_type.clone(), it.generated.clone()))
    };
    if let Some(name) = there.partitioned_by.iter().find(|name| made(there, name) != made(wish.source, name)) {
        let message =
            format!("column {name}, which makes partitions, is another one in {full} than in {}", wish.pair.from);
        let help = "both need the same type and the same generation expression: rows would go to other partitions";
        return error("plan::other-partitions", message, help);
    }
    if let Some(finding) = partitions::generated_key(context, found, there) {
        return Some(finding);
    }
    if definition(there).is_none() {
        let help = "GRANT DQL on it; or take the observation again with --save-observed";
        return error("plan::not-defined", format!("the definition of {full} is not known"), help);
    }
    None
}

fn names(columns: &[String]) -> String {
    if columns.is_empty() { "nothing".to_owned() } else { columns.join(", ") }
}
