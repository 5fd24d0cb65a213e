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

/// A row whose primary key is what the filter demands of it, for a look-up that needs no refresh; `None` where the
/// filter does not name the whole key.
pub(super) fn key_of(table: &Table, filter: &Bound, env: &Env<'_>) -> Result<Option<Vec<Value>>> {
    let mut demanded = Vec::new();
    equalities(filter, &mut demanded);
    let mut row = vec![Value::Null; table.columns.len()];
    if table.primary_key.is_empty() {
        return Ok(None);
    }
    for key in &table.primary_key {
        let Some(at) = table.column(key) else { return Ok(None) };
        let Some((_, bound)) = demanded.iter().find(|(column, _)| *column == at) else { return Ok(None) };
        let found = run::value(bound, &[], env)?;
        let Some(found) = crate::cast::convert(&found, &table.columns[at].data_type) else { return Ok(None) };
        row[at] = found;
    }
    Ok(Some(row))
}

/// Whether a filter names the whole primary key.
pub(super) fn names_key(table: &Table, filter: &Bound) -> bool {
    let mut demanded = Vec::new();
    equalities(filter, &mut demanded);
    let is_demanded =
        |key: &String| table.column(key).is_some_and(|at| demanded.iter().any(|(column, _)| *column == at));
    !table.primary_key.is_empty() && table.primary_key.iter().all(is_demanded)
}

/// `column = value without columns`, joined by AND.
fn equalities<'a>(bound: &'a Bound, found: &mut Vec<(usize, &'a Bound)>) {
    match &bound.node {
        Node::And(left, right) => {
            equalities(left, found);
            equalities(right, found);
        }
        Node::Call(Function::Compare("="), sides) => match (&column(&sides[0]), &sides[1]) {
            (Some(at), value) if is_constant(value) => found.push((*at, value)),
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
        _ => false,
    }
}

/// The documents that a filter matches, with their ids: by primary key the newest, otherwise those that readers see.
fn matching(env: &Env<'_>, name: &TableName, filter: Option<&Bound>) -> Result<Vec<(String, Vec<Value>)>> {
    let table = env.cluster.table(name)?;
    let width = table.columns.len();
    let mut found = Vec::new();
    let key = filter.map(|filter| key_of(table, filter, env)).transpose()?.flatten();
    let candidates: Vec<(String, Vec<Value>)> = match key {
        Some(key) => {
            let id = table.id(&key).unwrap_or_default();
            table.lookup(&key, &id).map(|doc| (id.clone(), run::document(&id, doc, width))).into_iter().collect()
        }
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
        let Some((_, bound)) = demanded.iter().find(|(found, _)| *found == at) else { return Ok(None) };
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
