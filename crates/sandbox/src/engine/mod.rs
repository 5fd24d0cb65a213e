//! Statements on the world.

mod aggregate;
mod alter;
mod bind;
mod change;
mod copy_from;
mod copy_to;
mod env;
mod foreign;
mod function;
mod insert;
mod line;
mod operator;
mod publication;
mod query;
mod repository;
mod restore;
mod row;
mod run;
mod scope;
mod show_create;
mod snapshot;
mod subscription;
mod table;
mod user;

use crate::ast::Statement;
use crate::error::{Result, SqlError};
use crate::parse::Parsed;
use crate::types::DataType;
use crate::value::Value;
use crate::world::{Logged, TableName, World};

pub(crate) use env::Env;
pub(crate) use insert::BulkOutcome;

/// Who asks, and where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Session {
    pub(crate) cluster: String,
    pub(crate) user: String,
    /// The schema of names without one.
    pub(crate) schema: String,
    pub(crate) fail_fast: bool,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OutColumn {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
}

/// What a statement gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// The first word of the tag, such as `INSERT 0`.
    pub(crate) tag: &'static str,
    /// The number in the tag; `None` where there is none.
    pub(crate) count: Option<i64>,
    pub(crate) columns: Option<Vec<OutColumn>>,
    pub(crate) rows: Vec<Vec<Value>>,
}

/// What is known of a statement before it runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Description {
    pub(crate) parameters: Vec<DataType>,
    /// `None` for a statement without rows.
    pub(crate) columns: Option<Vec<OutColumn>>,
}

impl Outcome {
    fn done(tag: &'static str, count: i64) -> Self {
        Self { tag, count: Some(count), columns: None, rows: Vec::new() }
    }

    fn rows(tag: &'static str, columns: Vec<OutColumn>, rows: Vec<Vec<Value>>) -> Self {
        Self { tag, count: Some(i64::try_from(rows.len()).unwrap_or(i64::MAX)), columns: Some(columns), rows }
    }
}

impl Session {
    /// A name with the schema that it lies in.
    fn resolve(&self, name: &[String]) -> Result<TableName> {
        match name {
            [table] if table.starts_with("pg_") => Ok(TableName::new("pg_catalog", table)),
            [table] => Ok(TableName::new(&self.schema, table)),
            [schema, table] | [_, schema, table] => Ok(TableName::new(schema, table)),
            _ => Err(SqlError::not_understood(format!("the name {}", name.join(".")))),
        }
    }
}

/// The types of a statement's parameters, as far as they were `declared` or can be told, and its columns.
pub(crate) fn describe(
    world: &World,
    session: &Session,
    parsed: &Parsed,
    declared: &[DataType],
) -> Result<Description> {
    let env = Env::new(world, session, declared);
    let columns = match &parsed.statement {
        Statement::Query(query) => Some(query::plan(&env, query, None)?.columns()),
        Statement::Insert(insert) => insert::Writer::new(&env, insert)?.columns(),
        Statement::Update { table, set, filter } => {
            change::Update::new(&env, table, set, filter.as_ref())?;
            None
        }
        Statement::Delete { table, filter } => {
            change::Delete::new(&env, table, filter.as_ref())?;
            None
        }
        Statement::CreateSubscription { connection, .. } => {
            env.expect_text(connection)?;
            None
        }
        Statement::CreateRepository { options, .. }
        | Statement::CreateServer { options, .. }
        | Statement::CreateUserMapping { options, .. }
        | Statement::CreateSnapshot { options, .. }
        | Statement::Restore { options, .. } => {
            expect_options(&env, options)?;
            None
        }
        Statement::CopyTo(copy) => {
            env.expect_text(&copy.target)?;
            expect_options(&env, &copy.options)?;
            None
        }
        Statement::CopyFrom(copy) => {
            env.expect_any(&copy.source)?;
            expect_options(&env, &copy.options)?;
            copy.is_summary.then(copy_from::columns)
        }
        Statement::ExplainInsert(_) => Some(vec![text_column("QUERY PLAN")]),
        Statement::ShowCreateTable(name) => Some(vec![text_column(&show_create::title(session, name)?)]),
        Statement::ShowTables => Some(vec![text_column("table_name")]),
        _ => None,
    };
    Ok(Description { parameters: env.parameter_types(), columns })
}

fn expect_options(env: &Env<'_>, options: &crate::ast::Options) -> Result<()> {
    options.iter().try_for_each(|(_, value)| env.expect_any(value))
}

/// Runs a statement for a client, and notes it.
pub(crate) fn run_noted(
    world: &mut World,
    session: &mut Session,
    parsed: &Parsed,
    values: &[Value],
) -> Result<Outcome> {
    let outcome = run(world, session, parsed, values);
    note(world, session, parsed, outcome.as_ref().err());
    outcome
}

fn note(world: &mut World, session: &Session, parsed: &Parsed, error: Option<&SqlError>) {
    let logged = Logged {
        user: session.user.clone(),
        statement: parsed.text.clone(),
        error: error.map(|error| error.message.clone()),
        ended: world.clock.now(),
    };
    world.cluster_mut(&session.cluster).note(logged);
}

/// Runs a statement.
pub(crate) fn run(world: &mut World, session: &mut Session, parsed: &Parsed, values: &[Value]) -> Result<Outcome> {
    match &parsed.statement {
        Statement::Query(query) => {
            let env = Env::with_values(world, session, values);
            let plan = query::plan(&env, query, None)?;
            Ok(Outcome::rows("SELECT", plan.columns(), run::rows(&plan, &env)?))
        }
        Statement::ShowTables => {
            let sql = "SELECT table_name FROM information_schema.tables \
                       WHERE table_schema NOT IN ('information_schema', 'pg_catalog', 'sys') ORDER BY 1";
            let outcome = run(world, session, &crate::parse::statement(sql)?, &[])?;
            Ok(Outcome { tag: "SHOW", ..outcome })
        }
        Statement::ShowCreateTable(name) => show_create::show(world, session, name),
        Statement::Insert(insert) => insert::run(world, session, insert, values),
        Statement::ExplainInsert(insert) => insert::explain(world, session, insert, values),
        Statement::Update { table, set, filter } => change::update(world, session, table, set, filter.as_ref(), values),
        Statement::Delete { table, filter } => change::delete(world, session, table, filter.as_ref(), values),
        _ => run_definition(world, session, parsed, values),
    }
}

/// Runs one write statement with several sets of values as one bulk. An error of a row is a count of its own.
pub(crate) fn run_bulk(
    world: &mut World,
    session: &mut Session,
    parsed: &Parsed,
    values: &[Vec<Value>],
) -> Result<Vec<BulkOutcome>> {
    let outcomes = match &parsed.statement {
        Statement::Insert(insert) => insert::run_bulk(world, session, insert, values),
        _ => values.iter().map(|values| run(world, session, parsed, values).map(changed)).collect(),
    };
    note(world, session, parsed, outcomes.as_ref().err());
    outcomes
}

/// Within a bulk, an UPDATE or a DELETE that finds nothing counts as refused.
fn changed(outcome: Outcome) -> BulkOutcome {
    if outcome.count == Some(0) { BulkOutcome::Refused(outcome.tag) } else { BulkOutcome::Done(outcome) }
}

fn run_definition(world: &mut World, session: &mut Session, parsed: &Parsed, values: &[Value]) -> Result<Outcome> {
    match &parsed.statement {
        Statement::CreateTable(create) => table::create(world, session, create),
        Statement::DropTable { names, if_exists } => table::drop_tables(world, session, names, *if_exists),
        Statement::Refresh(names) => table::refresh(world, session, names),
        Statement::CreateView { name, or_replace, query, text } => {
            table::create_view(world, session, name, *or_replace, query, text)
        }
        Statement::DropView { names, if_exists } => table::drop_views(world, session, names, *if_exists),
        Statement::AlterTable { name, change } => alter::table(world, session, name, change),
        Statement::SwapTable { source, target, options } => alter::swap(world, session, source, target, options),
        Statement::CreatePublication { name, tables } => publication::create(world, session, name, tables.as_deref()),
        Statement::AlterPublication { name, change, tables } => {
            publication::alter(world, session, name, *change, tables)
        }
        Statement::DropPublication { name, if_exists } => publication::drop(world, session, name, *if_exists),
        Statement::CreateSubscription { name, connection, publications, has_options } => {
            if *has_options {
                let message = "Settings with 'WITH' clause are not supported for CREATE SUBSCRIPTION";
                return Err(SqlError::internal(message));
            }
            let connection = Env::with_values(world, session, values).text(connection)?;
            subscription::create(world, session, name, &connection, publications)
        }
        Statement::AlterSubscription { name } => subscription::alter(name),
        Statement::DropSubscription { name, if_exists } => subscription::drop(world, session, name, *if_exists),
        Statement::CreateRepository { name, kind, options } => {
            repository::create(world, session, name, kind, options, values)
        }
        Statement::CreateServer { name, options } => foreign::create_server(world, session, name, options, values),
        Statement::CreateUserMapping { server, options } => {
            foreign::create_mapping(world, session, server, options, values)
        }
        Statement::CreateForeignTable { name, columns, server, options } => {
            foreign::create_table(world, session, (name, server), columns, options)
        }
        Statement::DropServer { name } => foreign::drop_server(world, session, name),
        Statement::DropUserMapping { server } => foreign::drop_mapping(world, session, server),
        Statement::DropForeignTable { names } => foreign::drop_tables(world, session, names),
        Statement::DropRepository { name } => repository::drop(world, session, name),
        Statement::CreateSnapshot { name, parts, options } => {
            snapshot::create(world, session, name, parts, options, values)
        }
        Statement::DropSnapshot { name } => snapshot::drop(world, session, name),
        Statement::Restore { name, parts, options } => restore::run(world, session, name, parts, options, values),
        Statement::CopyTo(copy) => copy_to::run(world, session, copy, values),
        Statement::CopyFrom(copy) => copy_from::run(world, session, copy, values),
        Statement::CreateUser { name, is_role, options } => {
            let password = Env::with_values(world, session, values).option(options, "password")?;
            user::create(world, session, name, *is_role, password)
        }
        Statement::AlterUser { name, options } => {
            let password = Env::with_values(world, session, values).option(options, "password")?;
            user::alter(world, session, name, password)
        }
        Statement::DropUser { name, if_exists } => user::drop(world, session, name, *if_exists),
        Statement::Privileges { how, privileges, on, to } => {
            user::privileges(world, session, *how, privileges, on.as_ref(), to)
        }
        Statement::Transaction(tag) => Ok(Outcome { tag, count: None, columns: None, rows: Vec::new() }),
        Statement::Set { name, value } => set(world, session, name, value),
        Statement::Empty => Ok(Outcome { tag: "", count: None, columns: None, rows: Vec::new() }),
        other => Err(SqlError::not_understood(format!("{other:?}"))),
    }
}

/// Settings of the session: those with a meaning here are kept, those that drivers send are passed over.
fn set(world: &World, session: &mut Session, name: &str, value: &crate::ast::Expr) -> Result<Outcome> {
    let text = Env::with_values(world, session, &[]).text(value)?;
    match name {
        "insert_select_fail_fast" => session.fail_fast = matches!(text.as_str(), "true" | "on" | "1" | "t"),
        "search_path" => session.schema = text,
        "statement_timeout"
        | "application_name"
        | "client_encoding"
        | "extra_float_digits"
        | "datestyle"
        | "timezone"
        | "standard_conforming_strings"
        | "client_min_messages"
        | "bytea_output"
        | "intervalstyle" => {}
        other => return Err(SqlError::not_understood(format!("SET {other}"))),
    }
    Ok(Outcome::done("SET", 0))
}

/// The columns of a view, as its owner sees them.
pub(crate) fn view_columns(env: &Env<'_>, view: &crate::world::View) -> Result<Vec<OutColumn>> {
    let owner = Session { user: view.owner.clone(), ..env.session.clone() };
    Ok(query::plan(&Env::with_values(env.world, &owner, &[]), &view.query, None)?.columns())
}

fn text_column(name: &str) -> OutColumn {
    OutColumn { name: name.to_owned(), data_type: DataType::Text }
}
