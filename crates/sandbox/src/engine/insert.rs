//! INSERT: from values, from queries, with conflicts, one by one and in bulk.

use super::bind::Bound;
use super::env::Env;
use super::query::{self, Plan, outputs};
use super::row::{self, Rules, scope_of};
use super::scope::ScopeRelation;
use super::{OutColumn, Outcome, Session, run as evaluate};
use crate::ast::{Body, Insert};
use crate::error::{Result, SqlError};
use crate::types::DataType;
use crate::value::Value;
use crate::world::{Relation, TableName, World};

/// What one execution within a bulk gives.
#[derive(Clone, Debug)]
pub(crate) enum BulkOutcome {
    Done(Outcome),
    /// Its row was refused; nobody says why.
    Refused(&'static str),
}

/// What an INSERT does where the primary key is taken.
enum Taken {
    Refuse,
    Skip,
    Update(Vec<(usize, Bound)>),
}

/// An INSERT that can run.
pub(super) struct Writer {
    table: TableName,
    targets: Vec<usize>,
    types: Vec<DataType>,
    source: Plan,
    rules: Rules,
    taken: Taken,
    returning: Vec<(String, Bound)>,
    /// Whether a refused row is an error rather than a smaller count.
    is_strict: bool,
}

/// Fails unless the relation can be written by the user. Of a subscription, everybody who sees the table learns.
pub(super) fn check_write(env: &Env<'_>, name: &TableName, operation: &str) -> Result<()> {
    let (cluster, user) = (env.cluster, &env.session.user);
    if !cluster.sees(user, name) {
        return Err(SqlError::schema_unknown(&name.schema));
    }
    let table = match cluster.relation(name) {
        Some(Relation::Table(table)) => table,
        Some(Relation::View(_) | Relation::Foreign(_)) => return Err(SqlError::not_allowed(name, operation)),
        None if crate::catalog::find(env, name).is_some() => return Err(SqlError::not_allowed(name, operation)),
        None => return Err(cluster.unknown(name)),
    };
    if table.subscription.is_some() {
        return Err(SqlError::replicated(name, operation, "subscription"));
    }
    let is_blocked = |setting: &str| table.setting(setting).is_some_and(|value| matches!(value, Value::Bool(true)));
    if is_blocked("blocks.write") || is_blocked("blocks.read_only") {
        return Err(SqlError::not_allowed(name, operation));
    }
    cluster.require(user, "DML", name)
}

impl Writer {
    pub(super) fn new(env: &Env<'_>, insert: &Insert) -> Result<Self> {
        let name = env.session.resolve(&insert.table)?;
        check_write(env, &name, "INSERT")?;
        let table = env.cluster.table(&name)?;
        let mut targets = Vec::new();
        for column in &insert.columns {
            targets.push(table.column(column).ok_or_else(|| SqlError::column_unknown(column))?);
        }
        if insert.columns.is_empty() {
            targets = (0..table.columns.len()).collect();
        }
        let types =
            |targets: &[usize]| targets.iter().map(|at| table.columns[*at].data_type.clone()).collect::<Vec<_>>();
        let names: Vec<String> = targets.iter().map(|at| table.columns[*at].name.clone()).collect();
        let source = query::plan(env, &insert.source, Some((&names, &types(&targets))))?;
        if insert.columns.is_empty() {
            targets.truncate(source.width);
        }
        if source.width != targets.len() {
            let message = format!("Invalid number of values: expected {} but got {}", targets.len(), source.width);
            return Err(SqlError::internal(message));
        }
        check_types(&source, table, &targets)?;
        for key in &table.primary_key {
            let at = table.column(key.split('[').next().unwrap_or(key));
            let is_given = at.is_none_or(|at| {
                targets.contains(&at) || table.columns[at].default.is_some() || table.columns[at].generated.is_some()
            });
            if !is_given {
                let message = format!("Column `{key}` is required but is missing from the insert statement");
                return Err(SqlError::internal(message));
            }
        }
        let is_values = matches!(&insert.source.body, Body::Values(_));
        let is_single = matches!(&insert.source.body, Body::Values(rows) if rows.len() == 1);
        let is_strict = is_single || (is_values && table.is_partitioned()) || (!is_values && env.session.fail_fast);
        let scope = scope_of(&name, table);
        let returning = outputs(&scope, &insert.returning)?;
        let returning = returning.into_iter().map(|(label, expr)| Ok((label, env.bind(&expr, &scope)?)));
        Ok(Self {
            types: types(&targets),
            rules: Rules::new(env, &name, table)?,
            taken: taken(env, insert, &name)?,
            returning: returning.collect::<Result<_>>()?,
            table: name,
            targets,
            source,
            is_strict,
        })
    }

    /// The columns of RETURNING.
    pub(super) fn columns(&self) -> Option<Vec<OutColumn>> {
        let column =
            |(name, bound): &(String, Bound)| OutColumn { name: name.clone(), data_type: bound.data_type.clone() };
        (!self.returning.is_empty()).then(|| self.returning.iter().map(column).collect())
    }

    /// The rows to write, each with the values that were given.
    fn rows(&self, env: &Env<'_>) -> Result<Vec<Result<Vec<Value>>>> {
        let mut cells = evaluate::rows(&self.source, env)?;
        if !matches!(self.source.source, query::Source::Values(_)) {
            self.bend_numerics(&mut cells);
        }
        Ok(cells
            .into_iter()
            .map(|cells| cells.iter().zip(&self.types).map(|(cell, target)| row::stored(cell, target)).collect())
            .collect())
    }

    /// CrateDB stores wrong numbers where a query gives NUMERIC without precision and scale: the digits stay, the point
    /// moves to where the column has it.
    fn bend_numerics(&self, rows: &mut [Vec<Value>]) {
        for (at, (column, target)) in self.source.columns().iter().zip(&self.types).enumerate() {
            let (DataType::Numeric(None), DataType::Numeric(Some((_, scale)))) = (&column.data_type, target) else {
                continue;
            };
            for row in &mut *rows {
                if let Some(Value::Numeric(number)) = row.get_mut(at) {
                    number.scale = *scale;
                }
            }
        }
    }

    /// Writes one row; `None` where it was skipped, otherwise the row with its system columns.
    fn write(
        &self,
        world: &mut World,
        session: &Session,
        cells: &[Value],
        values: &[Value],
    ) -> Result<Option<Vec<Value>>> {
        let env = Env::with_values(world, session, values);
        let table = env.cluster.table(&self.table)?;
        let width = table.columns.len();
        let mut row = vec![Value::Null; width];
        for (target, cell) in self.targets.iter().zip(cells) {
            row[*target] = cell.clone();
        }
        self.rules.complete(&env, table, &mut row, &self.targets)?;
        let id = table.id(&row);
        if let Some(existing) = id.as_deref().and_then(|id| table.lookup(&row, id)) {
            match &self.taken {
                Taken::Refuse => return Err(SqlError::duplicate_key()),
                Taken::Skip => return Ok(None),
                Taken::Update(set) => {
                    let old = evaluate::document(id.as_deref().unwrap_or_default(), existing, width);
                    let both = [old.as_slice(), row.as_slice()].concat();
                    let mut new = existing.values.clone();
                    new.resize(width, Value::Null);
                    for (at, bound) in set {
                        new[*at] = row::stored(&evaluate::value(bound, &both, &env)?, &table.columns[*at].data_type)?;
                    }
                    self.rules.check(&env, table, &new)?;
                    row = new;
                }
            }
        }
        let now = env.now;
        let cluster = world.cluster_mut(&session.cluster);
        let id = id.unwrap_or_else(|| cluster.next_uuid());
        let seq_no = row::write(cluster, &self.table, &id, &row, false, now)?;
        row.extend([Value::Text(id), Value::Int(seq_no), Value::Int(1), Value::Int(1)]);
        Ok(Some(row))
    }

    /// Writes all rows of one execution.
    fn write_all(
        &self,
        world: &mut World,
        session: &Session,
        rows: Vec<Result<Vec<Value>>>,
        values: &[Value],
    ) -> Result<Outcome> {
        let mut written = Vec::new();
        for cells in rows {
            match cells.and_then(|cells| self.write(world, session, &cells, values)) {
                Ok(row) => written.extend(row),
                Err(error) if self.is_strict => return Err(error),
                Err(_) => {}
            }
        }
        let count = i64::try_from(written.len()).unwrap_or(i64::MAX);
        let env = Env::with_values(world, session, values);
        let mut rows = Vec::new();
        if !self.returning.is_empty() {
            for row in &written {
                rows.push(
                    self.returning.iter().map(|(_, item)| evaluate::value(item, row, &env)).collect::<Result<_>>()?,
                );
            }
        }
        Ok(Outcome { tag: "INSERT 0", count: Some(count), columns: self.columns(), rows })
    }
}

/// Refuses sources whose arrays do not match those of the table.
fn check_types(source: &Plan, table: &crate::world::Table, targets: &[usize]) -> Result<()> {
    for (column, at) in source.columns().iter().zip(targets) {
        let target = &table.columns[*at];
        let depth = |data_type: &DataType| matches!(data_type, DataType::Array(_) | DataType::FloatVector(_));
        let flexible = matches!(
            column.data_type,
            DataType::Undefined | DataType::Text | DataType::Object(..) | DataType::Array(_) | DataType::GeoPoint
        );
        if depth(&target.data_type) && !depth(&column.data_type) && !flexible {
            return Err(SqlError::internal(format!(
                "The type '{}' of the insert source '{}' is not convertible to the type '{}' of target column '{}'",
                column.data_type.name(),
                column.name,
                target.data_type.name(),
                target.name
            )));
        }
    }
    Ok(())
}

fn taken(env: &Env<'_>, insert: &Insert, name: &TableName) -> Result<Taken> {
    let Some(conflict) = &insert.conflict else { return Ok(Taken::Refuse) };
    let table = env.cluster.table(name)?;
    let mut named = conflict.columns.clone();
    let mut key = table.primary_key.clone();
    named.sort();
    key.sort();
    if !named.is_empty() && named != key {
        let message = format!(
            "Number of conflict targets ({:?}) did not match the number of primary key columns ([{}])",
            conflict.columns,
            table.primary_key.join(", ")
        );
        return Err(SqlError::internal(message));
    }
    if conflict.set.is_empty() {
        return Ok(Taken::Skip);
    }
    let mut scope = scope_of(name, table);
    let excluded = scope.relations[0].columns.iter().filter(|column| !column.is_system).cloned().collect();
    let own = scope.clone();
    scope.relations.push(ScopeRelation { names: vec!["excluded".to_owned()], columns: excluded, is_table: false });
    let mut set = Vec::new();
    for (column, value) in &conflict.set {
        let at = table.column(column).ok_or_else(|| SqlError::column_unknown(column))?;
        let bound = bind_update(env, value, &own, &scope)?;
        set.push((at, env.expect(bound, &table.columns[at].data_type)?));
    }
    Ok(Taken::Update(set))
}

/// A column without a qualifier is that of the row that is there.
fn bind_update(
    env: &Env<'_>,
    value: &crate::ast::Expr,
    own: &super::scope::Scope,
    both: &super::scope::Scope,
) -> Result<Bound> {
    match env.bind(value, own) {
        Ok(bound) => Ok(bound),
        Err(_) => env.bind(&qualify(value, own), both),
    }
}

/// The expression with the table's name before every column that has none.
fn qualify(expr: &crate::ast::Expr, own: &super::scope::Scope) -> crate::ast::Expr {
    use crate::ast::Expr;
    let inner = |expr: &Expr| Box::new(qualify(expr, own));
    match expr {
        Expr::Column(name) if name.len() == 1 => Expr::Column([own.relations[0].names.clone(), name.clone()].concat()),
        Expr::Binary(op, left, right) => Expr::Binary(op, inner(left), inner(right)),
        Expr::Not(value) => Expr::Not(inner(value)),
        Expr::IsNull(value) => Expr::IsNull(inner(value)),
        Expr::Cast { value, target, is_try } => {
            Expr::Cast { value: inner(value), target: target.clone(), is_try: *is_try }
        }
        Expr::Call { name, arguments, star, distinct } => Expr::Call {
            name: name.clone(),
            arguments: arguments.iter().map(|argument| qualify(argument, own)).collect(),
            star: *star,
            distinct: *distinct,
        },
        Expr::Case { operand, branches, otherwise } => Expr::Case {
            operand: operand.as_deref().map(inner),
            branches: branches.iter().map(|(when, then)| (qualify(when, own), qualify(then, own))).collect(),
            otherwise: otherwise.as_deref().map(inner),
        },
        other => other.clone(),
    }
}

/// Runs an INSERT.
pub(super) fn run(world: &mut World, session: &Session, insert: &Insert, values: &[Value]) -> Result<Outcome> {
    let env = Env::with_values(world, session, values);
    let writer = Writer::new(&env, insert)?;
    let rows = writer.rows(&env)?;
    writer.write_all(world, session, rows, values)
}

/// Runs an INSERT with several sets of values. A value of a wrong type fails all, a row that is refused only itself.
pub(super) fn run_bulk(
    world: &mut World,
    session: &Session,
    insert: &Insert,
    values: &[Vec<Value>],
) -> Result<Vec<BulkOutcome>> {
    let Some(first) = values.first() else { return Ok(Vec::new()) };
    let env = Env::with_values(world, session, first);
    let writer = Writer::new(&env, insert)?;
    let mut all = Vec::with_capacity(values.len());
    for values in values {
        let rows = writer.rows(&env.values(values))?;
        all.push(rows.into_iter().collect::<Result<Vec<_>>>()?);
    }
    let mut outcomes = Vec::with_capacity(values.len());
    for (rows, values) in all.into_iter().zip(values) {
        let is_single = rows.len() == 1;
        let found = writer.write_all(world, session, rows.into_iter().map(Ok).collect(), values);
        outcomes.push(match found {
            Ok(outcome) => BulkOutcome::Done(outcome),
            Err(_) if is_single => BulkOutcome::Refused("INSERT 0"),
            Err(error) => return Err(error),
        });
    }
    Ok(outcomes)
}

/// What EXPLAIN says of an INSERT, after everything that an INSERT checks before it runs.
pub(super) fn explain(world: &World, session: &Session, insert: &Insert, values: &[Value]) -> Result<Outcome> {
    let env = Env::with_values(world, session, values);
    Writer::new(&env, insert)?;
    let told = super::foreign::explained(&env, insert);
    let rows = vec![vec![Value::text(told.as_deref().unwrap_or("InsertFromValues[] (rows=unknown)"))]];
    Ok(Outcome::rows("EXPLAIN", vec![super::text_column("QUERY PLAN")], rows))
}
