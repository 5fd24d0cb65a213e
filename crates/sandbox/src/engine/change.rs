//! UPDATE and DELETE.

use super::bind::{Bound, Node};
use super::env::Env;
use super::function::Function;
use super::insert::check_write;
use super::row::{self, Rules, scope_of};
use super::{Outcome, Session, run};
use crate::ast::Expr;
use crate::error::{Result, SqlError};
use crate::value::Value;
use crate::world::{Table, TableName, World, partition_ident};

/// An UPDATE that can run.
pub(super) struct Update {
    table: TableName,
    set: Vec<(usize, Bound)>,
    filter: Option<Bound>,
    rules: Rules,
}

/// A DELETE that can run.
pub(super) struct Delete {
    table: TableName,
    filter: Option<Bound>,
}

impl Update {
    pub(super) fn new(env: &Env<'_>, name: &[String], set: &[(String, Expr)], filter: Option<&Expr>) -> Result<Self> {
        let name = env.session.resolve(name)?;
        check_write(env, &name, "UPDATE")?;
        let table = env.cluster.table(&name)?;
        let scope = scope_of(&name, table);
        let mut bound = Vec::new();
        for (column, value) in set {
            let at = table.column(column).ok_or_else(|| SqlError::column_unknown(column))?;
            let fixed = if table.partitioned_by.contains(column) {
                Some("partitioned-by column")
            } else {
                table.primary_key.contains(column).then_some("primary key")
            };
            if let Some(kind) = fixed {
                let message = format!("Validation failed for {column}: Updating a {kind} is not supported");
                return Err(SqlError::internal(message));
            }
            bound.push((at, env.expect(env.bind(value, &scope)?, &table.columns[at].data_type)?));
        }
        let filter = filter.map(|filter| env.bind(filter, &scope)).transpose()?;
        Ok(Self { rules: Rules::new(env, &name, table)?, table: name, set: bound, filter })
    }
}

impl Delete {
    pub(super) fn new(env: &Env<'_>, name: &[String], filter: Option<&Expr>) -> Result<Self> {
        let table = env.session.resolve(name)?;
        check_write(env, &table, "DELETE")?;
        let scope = scope_of(&table, env.cluster.table(&table)?);
        let filter = filter.map(|filter| env.bind(filter, &scope)).transpose()?;
        Ok(Self { table, filter })
    }
}

/// Rows whose primary keys are what the filter demands of them, for look-ups that need no refresh; `None` where the filter
/// does not name the whole key.
pub(super) fn keys_of(table: &Table, filter: &Bound, env: &Env<'_>) -> Result<Option<Vec<Vec<Value>>>> {
    let mut demanded = Vec::new();
    equalities(filter, &mut demanded);
    if table.primary_key.is_empty() {
        return Ok(None);
    }
    let mut rows = vec![vec![Value::Null; table.columns.len()]];
    for key in &table.primary_key {
        let Some(at) = table.column(key) else { return Ok(None) };
        let Some((_, demand)) = demanded.iter().find(|(column, _)| *column == at) else { return Ok(None) };
        let found = match demand {
            Demand::One(bound) => vec![run::value(bound, &[], env)?],
            Demand::Any(bound) => match run::value(bound, &[], env)? {
                Value::Array(values) => values,
                _ => return Ok(None),
            },
        };
        let convert = |value: &Value| crate::cast::convert(value, &table.columns[at].data_type);
        let Some(mut found) = found.iter().map(convert).collect::<Option<Vec<_>>>() else { return Ok(None) };
        found.dedup();
        let with = |row: &Vec<Value>, value: &Value| {
            let mut row = row.clone();
            row[at] = value.clone();
            row
        };
        rows = rows.iter().flat_map(|row| found.iter().map(move |value| with(row, value))).collect();
    }
    Ok(Some(rows))
}

/// Whether a filter names the whole primary key.
pub(super) fn names_key(table: &Table, filter: &Bound) -> bool {
    let mut demanded = Vec::new();
    equalities(filter, &mut demanded);
    let is_demanded =
        |key: &String| table.column(key).is_some_and(|at| demanded.iter().any(|(column, _)| *column == at));
    !table.primary_key.is_empty() && table.primary_key.iter().all(is_demanded)
}

/// What a filter demands of a column.
enum Demand<'a> {
    One(&'a Bound),
    /// One of an array.
    Any(&'a Bound),
}

/// `column = value without columns` and `column = ANY(array without columns)`, joined by AND.
fn equalities<'a>(bound: &'a Bound, found: &mut Vec<(usize, Demand<'a>)>) {
    match &bound.node {
        Node::And(left, right) => {
            equalities(left, found);
            equalities(right, found);
        }
        Node::Call(Function::Compare("="), sides) => match (&column(&sides[0]), &sides[1]) {
            (Some(at), value) if is_constant(value) => found.push((*at, Demand::One(value))),
            _ => {}
        },
        Node::Quantified { op: "=", all: false, value, array } => match column(value) {
            Some(at) if is_constant(array) => found.push((at, Demand::Any(array))),
            _ => {}
        },
        _ => {}
    }
}

fn column(bound: &Bound) -> Option<usize> {
    match &bound.node {
        Node::Column(at) => Some(*at),
        _ => None,
    }
}

fn is_constant(bound: &Bound) -> bool {
    match &bound.node {
        Node::Const(_) | Node::Parameter(_) => true,
        Node::Cast { value, .. } => is_constant(value),
        Node::Array(items) => items.iter().all(is_constant),
        _ => false,
    }
}

/// The documents that a filter matches, with their ids: by primary key the newest, otherwise those that readers see.
fn matching(env: &Env<'_>, name: &TableName, filter: Option<&Bound>) -> Result<Vec<(String, Vec<Value>)>> {
    let table = env.cluster.table(name)?;
    let width = table.columns.len();
    let mut found = Vec::new();
    let keys = filter.map(|filter| keys_of(table, filter, env)).transpose()?.flatten();
    let look_up = |key: &Vec<Value>| {
        let id = table.id(key).unwrap_or_default();
        table.lookup(key, &id).map(|doc| (id.clone(), run::document(&id, doc, width)))
    };
    let candidates: Vec<(String, Vec<Value>)> = match keys {
        Some(keys) => keys.iter().filter_map(look_up).collect(),
        None => table.visible(env.now).map(|(id, doc)| (id.to_owned(), run::document(id, doc, width))).collect(),
    };
    for (id, row) in candidates {
        let matches = match filter {
            Some(filter) => run::value(filter, &row, env)?.is_true(),
            None => true,
        };
        // What was deleted since the last refresh is seen, but not there any more.
        if matches && table.lookup(&row, &id).is_some() {
            found.push((id, row));
        }
    }
    Ok(found)
}

/// Runs an UPDATE.
pub(super) fn update(
    world: &mut World,
    session: &Session,
    name: &[String],
    set: &[(String, Expr)],
    filter: Option<&Expr>,
    values: &[Value],
) -> Result<Outcome> {
    let env = Env::with_values(world, session, values);
    let update = Update::new(&env, name, set, filter)?;
    let table = env.cluster.table(&update.table)?;
    let mut changed = Vec::new();
    for (id, row) in matching(&env, &update.table, update.filter.as_ref())? {
        let mut new = row[..table.columns.len()].to_vec();
        for (at, value) in &update.set {
            new[*at] = row::stored(&run::value(value, &row, &env)?, &table.columns[*at].data_type)?;
        }
        let given: Vec<usize> = (0..new.len()).filter(|at| table.columns[*at].generated.is_none()).collect();
        update.rules.complete(&env, table, &mut new, &given)?;
        changed.push((id, new));
    }
    write_all(world, session, &update.table, &changed, false)?;
    Ok(Outcome::done("UPDATE", i64::try_from(changed.len()).unwrap_or(i64::MAX)))
}

/// The count that CrateDB answers with when it drops a partition, whether or not there is one.
const UNKNOWN: i64 = -2;

/// The partition that a filter names by all of its columns and nothing else: it goes as a whole.
fn partition_of(table: &Table, filter: Option<&Bound>, env: &Env<'_>) -> Result<Option<String>> {
    let Some(filter) = filter.filter(|_| table.is_partitioned()) else { return Ok(None) };
    let mut demanded = Vec::new();
    equalities(filter, &mut demanded);
    if demanded.len() != conditions(filter) || demanded.len() != table.partitioned_by.len() {
        return Ok(None);
    }
    let mut values = Vec::new();
    for column in &table.partitioned_by {
        let Some(at) = table.column(column) else { return Ok(None) };
        let Some((_, Demand::One(bound))) = demanded.iter().find(|(found, _)| *found == at) else { return Ok(None) };
        let value = crate::cast::convert(&run::value(bound, &[], env)?, &table.columns[at].data_type);
        let Some(value) = value else { return Ok(None) };
        values.push(value);
    }
    Ok(Some(partition_ident(&values)))
}

/// How many conditions AND joins.
fn conditions(bound: &Bound) -> usize {
    match &bound.node {
        Node::And(left, right) => conditions(left) + conditions(right),
        _ => 1,
    }
}

/// Runs a DELETE.
pub(super) fn delete(
    world: &mut World,
    session: &Session,
    name: &[String],
    filter: Option<&Expr>,
    values: &[Value],
) -> Result<Outcome> {
    let env = Env::with_values(world, session, values);
    let delete = Delete::new(&env, name, filter)?;
    if let Some(ident) = partition_of(env.cluster.table(&delete.table)?, delete.filter.as_ref(), &env)? {
        let table = world.cluster_mut(&session.cluster).tables.get_mut(&delete.table);
        table.and_then(|table| table.partitions.remove(&ident));
        return Ok(Outcome::done("DELETE", UNKNOWN));
    }
    let found = matching(&env, &delete.table, delete.filter.as_ref())?;
    write_all(world, session, &delete.table, &found, true)?;
    Ok(Outcome::done("DELETE", i64::try_from(found.len()).unwrap_or(i64::MAX)))
}

fn write_all(
    world: &mut World,
    session: &Session,
    name: &TableName,
    rows: &[(String, Vec<Value>)],
    is_delete: bool,
) -> Result<()> {
    let now = world.clock.now();
    let cluster = world.cluster_mut(&session.cluster);
    for (id, row) in rows {
        row::write(cluster, name, id, row, is_delete, now)?;
    }
    Ok(())
}
