//! How rows get to the target where a program moves them: it fills copies aside of all tables, which are counted; then each
//! is put in place, or its rows go into the table that is there.
//!
//! A program is never given a table that anybody reads. So whatever it does, and wherever it is cut, it can be run again.

use transship_model::TableName;
use transship_model::plan::{
    Action, CommandColumn, CommandTable, CopyNote, CopyRows, MergeRows, ObjectRef, Precondition, RunCommand, StepKind,
};
use transship_model::{Finding, spec};
use transship_sql::command::{self, Made};
use transship_sql::copy::{self, Source};
use transship_sql::{lookup, partition, place, replication, table as table_sql};

use super::foreign_left;
use super::rows::writing;
use crate::copies::{
    self, Context, Deed, Fill, Found, Origin, Pair, Wish, because, clear_left, fill_partitions, filter, made_as,
    name_of_copy, sensitive, source_as_planned,
};
use crate::digest;
use crate::draft::{FlowDraft, NewStep};

/// A program, and what it is started with.
pub(super) struct Command<'a>(pub(super) &'a spec::Custom);

impl Fill for Command<'_> {
    /// Rows that another program, or one with other arguments, would write are others.
    fn wish<'a>(&self, context: &Context<'a>, pair: &'a Pair<'a>) -> Result<Wish<'a>, Vec<Finding>> {
        let wish = copies::wish(context, pair)?;
        Ok(Wish { asked: digest::of(&(&wish.asked, "command", &self.0.run)), ..wish })
    }

    fn prepares(&self) -> bool {
        true
    }

    fn clear(&self, context: &Context<'_>, _: &[Found<'_>], draft: &mut FlowDraft) {
        foreign_left::drop(context, draft);
    }

    fn begin(&self, context: &Context<'_>, found: &[Found<'_>], draft: &mut FlowDraft) {
        foreign_left::drop(context, draft);
        let filled: Vec<(&Found<'_>, TableName)> =
            found.iter().filter(|it| is_filled(it)).map(|it| (it, name_of_copy(context, it))).collect();
        for (found, copy) in &filled {
            clear_left(context, found, draft);
            draft.push(
                NewStep::new(context.target_name, StepKind::CreateTable, because(found))
                    .sql(made_as(found).create_table(copy))
                    .requires(Precondition::Absent(ObjectRef::table(context.target_name, copy))),
            );
        }
        self.run(context, &filled, draft);
    }

    /// It is made and filled by now.
    fn aside(&self, _: &Context<'_>, _: &Found<'_>, _: &TableName, _: &mut FlowDraft) {}

    fn into(&self, context: &Context<'_>, found: &Found<'_>, done: CopyNote, draft: &mut FlowDraft) {
        if found.deed == Deed::Restore {
            return fill_partitions(self, context, found, draft);
        }
        merge(context, found, done, draft);
    }
}

const fn is_filled(found: &Found<'_>) -> bool {
    matches!(found.deed, Deed::Create | Deed::Replace | Deed::Restore | Deed::Append | Deed::Upsert)
}

impl Command<'_> {
    /// One step for all tables.
    fn run(&self, context: &Context<'_>, filled: &[(&Found<'_>, TableName)], draft: &mut FlowDraft) {
        let action = RunCommand {
            run: self.0.run.clone(),
            source: context.source_name.clone(),
            existing: context.existing(),
            tables: filled.iter().map(|(found, copy)| table(found, copy)).collect(),
            sensitive: filled.iter().any(|(found, _)| !sensitive::declared(found.wish.pair.entry).is_empty()),
            timeout: context.instance.flow.timeout(),
        };
        let mut whys: Vec<String> = filled.iter().map(|(found, _)| because(found)).collect();
        whys.dedup();
        let mut step = NewStep::new(context.target_name, StepKind::RunCommand, whys.join("; "))
            .action(Action::RunCommand(action))
            .moves(filled.iter().flat_map(|(found, _)| &found.wish.source.primaries));
        for (found, copy) in filled {
            let from = &found.wish.pair.from;
            step = step
                .requires(Precondition::Present(ObjectRef::table(context.target_name, copy)))
                .requires(source_as_planned(context, from));
            draft.basis.insert(ObjectRef::table(context.source_name, from));
        }
        draft.push(step);
    }
}

fn table(found: &Found<'_>, copy: &TableName) -> CommandTable {
    let (wish, from) = (&found.wish, &found.wish.pair.from);
    let columns = columns(wish);
    let condition = partition::condition(&wish.partitions, filter(wish.pair.entry));
    let read = columns.iter().map(|column| (column.name.as_str(), column.sql.as_str()));
    CommandTable {
        query: command::query(from, read, condition.as_deref()),
        from: from.clone(),
        to: wish.pair.to.clone(),
        into: copy.clone(),
        columns,
        filter: condition,
        unreadable: lookup::unreadable(from, &wish.partitions),
        mark: replication::checkpoints([from]),
        refresh_source: table_sql::refresh([from]),
        refresh: table_sql::refresh([copy]),
        count: place::count_rows(copy),
        clear: command::clear(copy),
    }
}

/// The columns that are written; the target computes the others.
fn columns(wish: &Wish<'_>) -> Vec<CommandColumn> {
    let written = wish.columns.iter().filter(|column| wish.written.contains(&column.name));
    written
        .map(|column| {
            let made = match &column.from {
                Origin::Column(name) => Made::Column(name),
                Origin::Sql { sql, cast } => Made::Expression(sql, cast.as_deref()),
                Origin::Const(_) | Origin::Expr(_) => unreachable!("`const` and `expr` go with `engine: stream` alone"),
            };
            let declared = wish.derived.definition.column(&column.name);
            CommandColumn {
                name: column.name.clone(),
                data_type: declared.map(|declared| declared.data_type.clone()).unwrap_or_default(),
                sql: command::expression(made),
            }
        })
        .collect()
}

/// The rows of the copy go into the table that is there, by transship's own mover.
fn merge(context: &Context<'_>, found: &Found<'_>, done: CopyNote, draft: &mut FlowDraft) {
    let copy = name_of_copy(context, found);
    let action = MergeRows {
        expected: place::count_rows(&copy),
        clear: table_sql::drop_table(&copy),
        rows: Box::new(rows(context, found, &copy)),
        done,
    };
    draft.push(
        NewStep::new(context.target_name, StepKind::MergeRows, because(found))
            .action(Action::MergeRows(action))
            .requires(Precondition::Present(ObjectRef::table(context.target_name, &copy)))
            .requires(Precondition::Present(ObjectRef::table(context.target_name, &found.wish.pair.to)))
            .moves(&found.wish.source.primaries),
    );
}

fn rows(context: &Context<'_>, found: &Found<'_>, copy: &TableName) -> CopyRows {
    let (wish, to) = (&found.wish, &found.wish.pair.to);
    let written: Vec<&str> = wish.written.iter().map(String::as_str).collect();
    let key = found.there.map_or(&wish.primary_key, |there| &there.primary_key);
    let key: Vec<&str> = key.iter().map(String::as_str).collect();
    let (insert, write) = writing(found.deed, to, &written, &key, false);
    CopyRows {
        source: context.target_name.clone(),
        from: copy.clone(),
        into: to.clone(),
        refresh_source: table_sql::refresh([copy]),
        unreadable: None,
        mark: replication::checkpoints([copy]),
        columns: None,
        select: copy::select(copy, read(wish), None),
        insert,
        write,
        many: None,
        transform: None,
        key: wish.key.clone(),
        keyed: !key.is_empty() && key.iter().all(|column| written.contains(column)),
        sensitive: !sensitive::declared(wish.pair.entry).is_empty(),
        inner: wish.inner.clone(),
        refresh: table_sql::refresh([to]),
        count: None,
        chunks: None,
        cursor: None,
        timeout: context.instance.flow.timeout(),
        done: None,
    }
}

/// What is read from the copy: the columns that are written, and behind them what names a row and is computed there.
fn read<'a>(wish: &'a Wish<'_>) -> impl Iterator<Item = Source<'a>> {
    let written = wish.written.iter().zip(&wish.types);
    let last = wish.written.len();
    let naming = wish.key.iter().filter(move |column| usize::try_from(column.at).is_ok_and(|at| at >= last));
    let naming = naming.map(|column| (&column.name, &column.data_type));
    written.chain(naming).map(|(name, data_type)| Source::Column { name, data_type })
}
