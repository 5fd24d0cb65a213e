//! How rows get to the target where it reads them by itself: through a foreign table, in chunks that fit its heap, each of
//! which is counted at both ends. The server, the user mapping and the foreign tables are made for it and dropped after it.

use transship_model::TableName;
use transship_model::access::Endpoint;
use transship_model::plan::{
    Action, CopyNote, ForeignColumn, ForeignObject, ObjectRef, Param, ParamRef, Precondition, PullColumn, PullRanges,
    PullRows, RowWrite, StepKind,
};
use transship_model::redact::MASK;
use transship_model::spec::{self, TableEntry};
use transship_model::{Finding, Name};
use transship_sql::copy::Source;
use transship_sql::definition::{Definition, creatable};
use transship_sql::foreign::{self, Pull, Range};
use transship_sql::{chunk, lookup, partition, replication, table as table_sql};

use super::foreign_check;
use super::foreign_left as left;
use crate::copies::{
    Carried, Context, Deed, Fill, Found, Origin, Wish, because, fill_partitions, filter, is_whole, made_as,
    name_of_through, sensitive, source_as_planned,
};
use crate::draft::{FlowDraft, NewStep};
use crate::names;

/// The target reads by itself.
pub(super) struct Foreign<'a> {
    /// How it is declared.
    pub(super) settings: &'a spec::Custom,
    /// How the source is reached.
    pub(super) endpoint: &'a Endpoint,
}

impl Fill for Foreign<'_> {
    fn check(&self, context: &Context<'_>, found: &[Found<'_>]) -> Vec<Finding> {
        foreign_check::check(self, context, found)
    }

    fn begin(&self, context: &Context<'_>, _: &[Found<'_>], draft: &mut FlowDraft) {
        left::drop(context, draft);
        let why = "the target reads the source by itself";
        let server = server(context);
        let object = ForeignObject::Server { server: server.clone(), url: foreign::url(self.endpoint) };
        let absent = ObjectRef::server(context.target_name, &server);
        draft.basis.insert(absent.clone());
        draft.push(made(context, StepKind::CreateServer, object, why).requires(Precondition::Absent(absent.clone())));
        let mapping = ForeignObject::UserMapping {
            server,
            user: self.endpoint.subscriber.clone(),
            password: self.endpoint.subscriber_has_password,
        };
        let mut step = made(context, StepKind::CreateUserMapping, mapping, why).requires(Precondition::Present(absent));
        if self.endpoint.subscriber_has_password {
            let reference = ParamRef::SubscriberPassword { cluster: context.source_name.clone() };
            step = step.param(Param { reference, shown: MASK.to_owned() });
        }
        draft.push(step);
    }

    fn clear(&self, context: &Context<'_>, _: &[Found<'_>], draft: &mut FlowDraft) {
        left::drop(context, draft);
    }

    fn aside(&self, context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft) {
        draft.push(
            NewStep::new(context.target_name, StepKind::CreateTable, because(found))
                .sql(made_as(found).create_table(copy))
                .requires(Precondition::Absent(ObjectRef::table(context.target_name, copy))),
        );
        self.pull(context, found, copy, None, draft);
    }

    fn into(&self, context: &Context<'_>, found: &Found<'_>, done: CopyNote, draft: &mut FlowDraft) {
        if found.deed == Deed::Restore {
            return fill_partitions(self, context, found, draft);
        }
        self.pull(context, found, &found.wish.pair.to, Some(done), draft);
    }

    fn end(&self, context: &Context<'_>, draft: &mut FlowDraft) {
        let why = "the rows are there, and nothing reads the source any more";
        let server = server(context);
        for (kind, object) in left::of_server(&server) {
            draft.push(dropped(context.target_name, kind, object, why));
        }
    }
}

/// The name of the flow's foreign server.
pub(super) fn server(context: &Context<'_>) -> String {
    names::of_flow(&context.input.spec, &context.instance.id)
}

fn made(context: &Context<'_>, kind: StepKind, object: ForeignObject, because: &str) -> NewStep {
    NewStep::new(context.target_name, kind, because).sql(foreign::create(&object)).action(Action::Foreign(object))
}

/// A step that drops an object of the flow, which holds no rows.
pub(super) fn dropped(cluster: &Name, kind: StepKind, object: ForeignObject, because: &str) -> NewStep {
    NewStep::new(cluster, kind, because).sql(foreign::drop(&object)).action(Action::Foreign(object))
}

impl Foreign<'_> {
    /// Makes the foreign table, has the target read it, and drops it.
    fn pull(
        &self,
        context: &Context<'_>,
        found: &Found<'_>,
        into: &TableName,
        done: Option<CopyNote>,
        draft: &mut FlowDraft,
    ) {
        let from = &found.wish.pair.from;
        let through = name_of_through(context, &found.wish.pair.to);
        let object = ForeignObject::Table {
            table: through.clone(),
            server: server(context),
            from: from.clone(),
            columns: columns(found),
        };
        let cluster = context.target_name;
        let absent = ObjectRef::table(cluster, &through);
        draft.basis.insert(absent.clone());
        draft.push(
            made(context, StepKind::CreateForeignTable, object.clone(), &because(found))
                .requires(Precondition::Present(ObjectRef::server(cluster, &server(context))))
                .requires(Precondition::Absent(absent.clone())),
        );
        let rows = self.rows(context, found, (into, &through), done);
        draft.push(
            NewStep::new(cluster, StepKind::PullRows, because(found))
                .action(Action::PullRows(rows))
                .requires(Precondition::Present(ObjectRef::table(cluster, into)))
                .requires(Precondition::Present(absent))
                .requires(source_as_planned(context, from))
                .moves(&found.wish.source.primaries),
        );
        draft.basis.insert(ObjectRef::table(context.source_name, from));
        draft.push(dropped(cluster, StepKind::DropForeignTable, object, "its rows are there"));
        if sent(&found.wish).is_err() {
            let text = format!(
                "`where` of {from} is not of the kind that CrateDB sends to the source: all of its rows travel, and the target \
                 leaves out those that are not chosen"
            );
            draft.warn("plan::travels-whole", text);
        }
    }

    fn rows(
        &self,
        context: &Context<'_>,
        found: &Found<'_>,
        (into, through): (&TableName, &TableName),
        done: Option<CopyNote>,
    ) -> PullRows {
        let wish = &found.wish;
        let from = &wish.pair.from;
        let written: Vec<&str> = wish.written.iter().map(String::as_str).collect();
        let key = found.there.filter(|_| done.is_some()).map_or(&wish.primary_key, |there| &there.primary_key);
        let key: Vec<&str> = key.iter().map(String::as_str).collect();
        let upserts = found.deed == Deed::Upsert && done.is_some();
        let condition = condition(wish);
        let pull = Pull {
            from,
            through,
            into,
            columns: &written,
            made: written.iter().filter_map(|name| origin(wish, name)).collect(),
            upsert: upserts.then_some(key.as_slice()),
            filter: condition.as_deref(),
            aside: done.is_none(),
        };
        let limited = limited(found);
        PullRows {
            source: context.source_name.clone(),
            from: from.clone(),
            through: through.clone(),
            into: into.clone(),
            unreadable: lookup::unreadable(from, &wish.partitions),
            mark: replication::checkpoints([from]),
            refresh_source: table_sql::refresh([from]),
            unfit: (!limited.is_empty())
                .then(|| foreign::unfit(from, limited.iter().map(String::as_str), condition.as_deref())),
            arrived: arrived(wish, &limited, (into, done.is_none())),
            limited,
            whole: pull.statements(None),
            columns: is_whole(wish.pair).then(|| lookup::columns(from)),
            sizes: lookup::sizes(from),
            write: if upserts { RowWrite::Upsert } else { RowWrite::Insert },
            ranges: self.ranges(found, &pull),
            sensitive: !sensitive::declared(wish.pair.entry).is_empty(),
            refresh: table_sql::refresh([into]),
            timeout: context.instance.flow.timeout(),
            done,
        }
    }

    /// How the rows are divided, where the condition of a chunk is sent to the source.
    fn ranges(&self, found: &Found<'_>, pull: &Pull<'_>) -> Option<PullRanges> {
        let by = divisors(&found.wish);
        if by.is_empty() || sent(&found.wish).is_err() {
            return None;
        }
        let sampled = by.iter().map(|(name, _, data_type)| (name.as_str(), data_type.as_str()));
        let sample = chunk::sample(pull.from, sampled, pull.filter);
        let column = |(name, to, data_type): (String, String, String)| {
            let of = |range| pull.statements(Some((range, (&name, &to), &data_type)));
            let (first, between, last) = (of(Range::First), of(Range::Between), of(Range::Last));
            let explain = pull.explain(&name, &data_type);
            PullColumn { name, to, data_type, explain, first, between, last }
        };
        let by = by.into_iter().map(column).collect();
        Some(PullRanges { rows: self.settings.chunk_rows.map(u64::from), sample, by })
    }
}

/// The condition for the rows: chosen partitions, and `where`.
pub(super) fn condition(wish: &Wish<'_>) -> Option<String> {
    partition::condition(&wish.partitions, filter(wish.pair.entry))
}

/// Whether the condition is of the kind that is sent to the source; if not, the condition.
pub(super) fn sent(wish: &Wish<'_>) -> Result<(), String> {
    match condition(wish) {
        Some(condition) if !foreign::is_sendable(&condition) => Err(condition),
        _ => Ok(()),
    }
}

/// The columns whose ranges divide the rows: names on source and target, and the type. None of them can be NULL, since
/// what asks for NULL is not sent to the source.
pub(super) fn divisors(wish: &Wish<'_>) -> Vec<(String, String, String)> {
    let source = wish.source;
    let named = source.partitioned_by.iter().chain(source.primary_key.iter());
    let mut found: Vec<(String, String, String)> = Vec::new();
    for name in named {
        let Some(column) = source.columns.iter().find(|it| it.name == *name) else { continue };
        let Some(carried) = wish.columns.iter().find(|it| it.is_column(name)) else { continue };
        let is_null = column.nullable && !source.primary_key.contains(name);
        let shows = sensitive::carries(wish.pair.entry, carried, source);
        let known = found.iter().any(|(known, _, _)| known == name);
        if !is_null && !shows && !known && chunk::is_orderable(&column.data_type) {
            found.push((name.clone(), carried.name.clone(), column.data_type.clone()));
        }
    }
    found
}

fn origin<'a>(wish: &'a Wish<'_>, name: &str) -> Option<Source<'a>> {
    let carried = wish.columns.iter().find(|column| column.name == name)?;
    match &carried.from {
        Origin::Column(from) => Some(Source::Column { name: from, data_type: "" }),
        Origin::Sql { sql, .. } => Some(Source::Expression(sql)),
        Origin::Const(_) | Origin::Expr(_) => None,
    }
}

/// The columns of the source that are read: those that are carried, those that are named by what is computed or asked for,
/// and those that divide the rows.
pub(super) fn read<'a>(wish: &'a Wish<'_>) -> Vec<&'a str> {
    let divisors: Vec<String> = divisors(wish).into_iter().map(|(name, _, _)| name).collect();
    let written = |column: &&Carried| wish.written.contains(&column.name);
    let is_carried = |name: &str| {
        wish.columns.iter().filter(written).any(|it| matches!(&it.from, Origin::Column(from) if from == name))
    };
    let texts: Vec<String> = wish
        .columns
        .iter()
        .filter_map(|column| match &column.from {
            Origin::Sql { sql, .. } => Some(sql.clone()),
            _ => None,
        })
        .chain(condition(wish))
        .collect();
    let is_named = |name: &str| texts.iter().any(|text| names_column(text, name));
    let top = wish.source.columns.iter().map(|column| column.name.as_str()).filter(|name| !name.contains("['"));
    top.filter(|name| is_carried(name) || divisors.iter().any(|it| it == name) || is_named(name)).collect()
}

/// Whether a name may stand in an expression.
fn names_column(text: &str, name: &str) -> bool {
    // Of the pieces between quotes every second one is the value of a text, and names nothing; not so where quotes stand in
    // names or comments, or are escaped.
    let is_plain = !text.contains(['"', '\\', '$']) && !text.contains("--") && !text.contains("/*");
    let text = if is_plain { text.split('\'').step_by(2).collect::<Vec<_>>().join(" ") } else { text.to_owned() };
    let text = text.to_lowercase();
    let name = name.to_lowercase();
    let plain = name.chars().all(|character| character.is_alphanumeric() || character == '_');
    if !plain {
        return text.contains(&name.replace('"', "\"\""));
    }
    text.split(|character: char| !character.is_alphanumeric() && character != '_').any(|word| word == name)
}

/// The columns of the foreign table, with the types that the source has them with.
fn columns(found: &Found<'_>) -> Vec<ForeignColumn> {
    let definition = found.wish.source.definition.as_deref().and_then(|text| Definition::read(text).ok());
    let of = |name: &str| {
        let column = definition.as_ref()?.column(name)?;
        Some(ForeignColumn { name: name.to_owned(), data_type: creatable(&column.data_type) })
    };
    read(&found.wish).into_iter().filter_map(of).collect()
}

/// Columns that are read and whose values have to lie within the calendar that the driver shares with CrateDB.
fn limited(found: &Found<'_>) -> Vec<String> {
    let wish = &found.wish;
    let is_time = |name: &&str| {
        wish.source.columns.iter().any(|it| it.name == **name && it.data_type == "timestamp with time zone")
    };
    read(wish).into_iter().filter(is_time).map(str::to_owned).collect()
}

/// Looks for such values in a copy aside.
fn arrived(wish: &Wish<'_>, limited: &[String], (into, aside): (&TableName, bool)) -> Option<String> {
    let carried = limited.iter().filter_map(|name| wish.columns.iter().find(|column| column.is_column(name)));
    let written: Vec<&str> =
        carried.map(|it| it.name.as_str()).filter(|it| wish.written.iter().any(|to| to == it)).collect();
    (aside && !written.is_empty()).then(|| foreign::unfit(into, written, None))
}

/// Whether an entry has columns of its own.
pub(super) const fn has_columns(entry: &TableEntry) -> bool {
    matches!(entry, TableEntry::Table(table) if table.columns.is_some())
}
