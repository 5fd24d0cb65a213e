//! Queries with their names resolved.

use std::cell::RefCell;

use super::aggregate::{self, Aggregates};
use super::bind::{Binder, Bound, Node};
use super::env::Env;
use super::scope::{Scope, ScopeColumn, ScopeRelation};
use super::{OutColumn, Session, operator};
use crate::ast::{Alias, Body, Expr, From, Item, Order, Query, Select};
use crate::catalog;
use crate::error::{Result, SqlError};
use crate::print;
use crate::types::DataType;
use crate::value::Value;
use crate::world::{Relation, Table, TableName};

/// A query that can run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) source: Source,
    pub(crate) filter: Option<Bound>,
    pub(crate) groups: Option<(Aggregates, Option<Bound>)>,
    /// The columns of the answer, then those that only order it.
    pub(crate) items: Vec<(String, Bound)>,
    pub(crate) width: usize,
    pub(crate) is_distinct: bool,
    pub(crate) order: Vec<OrderBy>,
    pub(crate) limit: Option<Bound>,
    pub(crate) offset: Option<Bound>,
}

/// By which of the items rows are ordered.
#[derive(Clone, Debug)]
pub(crate) struct OrderBy {
    pub(crate) item: usize,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// Where rows come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// One row without columns.
    One,
    Table(TableName),
    Rows(Vec<Vec<Value>>),
    Values(Vec<Vec<Bound>>),
    Unnest(Vec<Bound>),
    Series(Vec<Bound>),
    Query(Box<Plan>),
    Union(Box<Plan>, Box<Plan>),
    Join {
        left: Box<Source>,
        right: Box<Source>,
        right_width: usize,
        is_left: bool,
        on: Option<Bound>,
    },
}

impl Plan {
    /// The columns of the answer.
    pub(crate) fn columns(&self) -> Vec<OutColumn> {
        let column =
            |(name, bound): &(String, Bound)| OutColumn { name: name.clone(), data_type: bound.data_type.clone() };
        self.items[..self.width].iter().map(column).collect()
    }

    /// All columns of a source as they are.
    fn of(source: Source, columns: &[ScopeColumn]) -> Self {
        let item = |(at, column): (usize, &ScopeColumn)| {
            (column.name.clone(), Bound { data_type: column.data_type.clone(), node: Node::Column(at) })
        };
        Self {
            source,
            filter: None,
            groups: None,
            items: columns.iter().enumerate().map(item).collect(),
            width: columns.len(),
            is_distinct: false,
            order: Vec::new(),
            limit: None,
            offset: None,
        }
    }
}

/// The columns that VALUES are for: their names and types.
pub(crate) type Expected<'a> = (&'a [String], &'a [DataType]);

/// Resolves a query. `expected` are the types that the columns of VALUES should have, where they are known.
pub(crate) fn plan(env: &Env<'_>, query: &Query, expected: Option<Expected<'_>>) -> Result<Plan> {
    let mut plan = match &query.body {
        Body::Select(select) => return select_plan(env, select, query),
        Body::Values(rows) => values_plan(env, rows, expected)?,
        Body::UnionAll(left, right) => union_plan(env, left, right)?,
    };
    for order in &query.order {
        let item = output_of(&order.by, &plan.items, plan.width);
        let item = item.ok_or_else(|| SqlError::not_understood("ORDER BY an expression here"))?;
        plan.order.push(order_by(order, item));
    }
    limits(env, &mut plan, query)?;
    Ok(plan)
}

fn limits(env: &Env<'_>, plan: &mut Plan, query: &Query) -> Result<()> {
    let bind = |expr: &Option<Expr>| -> Result<Option<Bound>> {
        let Some(expr) = expr else { return Ok(None) };
        let bound = env.bind(expr, &Scope::default())?;
        env.expect(bound, &DataType::Bigint).map(Some)
    };
    plan.limit = bind(&query.limit)?;
    plan.offset = bind(&query.offset)?;
    Ok(())
}

/// Whether a value of one type is refused for a column of another before it is looked at.
fn is_unfit(from: &DataType, target: &DataType) -> bool {
    matches!((from, target), (DataType::Object(..), DataType::Array(_)))
}

fn values_plan(env: &Env<'_>, rows: &[Vec<Expr>], expected: Option<Expected<'_>>) -> Result<Plan> {
    let (names, expected) = expected.unwrap_or_default();
    let mut bound = Vec::with_capacity(rows.len());
    for row in rows {
        let cells = row.iter().enumerate().map(|(at, cell)| {
            let cell = env.bind(cell, &Scope::default())?;
            match expected.get(at) {
                // Lengths are checked when the value is stored, with messages of their own.
                Some(DataType::Varchar(_) | DataType::Character(_) | DataType::Bit(_))
                    if matches!(cell.node, Node::Const(_)) =>
                {
                    Ok(cell)
                }
                Some(target) if cell.data_type == DataType::Undefined || matches!(cell.node, Node::Const(_)) => {
                    env.expect(cell, target)
                }
                Some(target) if is_unfit(&cell.data_type, target) => Err(SqlError::internal(format!(
                    "Cannot convert VALUES element in row 1 of type `{}` to `{}` for `{}`",
                    cell.data_type.name(),
                    target.name(),
                    names.get(at).map_or("", String::as_str)
                ))),
                _ => Ok(cell),
            }
        });
        bound.push(cells.collect::<Result<Vec<_>>>()?);
    }
    let width = bound.first().map_or(0, Vec::len);
    if bound.iter().any(|row| row.len() != width) {
        return Err(SqlError::internal("VALUES lists must all be the same length"));
    }
    let column = |at: usize| {
        let data_type = operator::widest(bound.iter().map(|row| &row[at].data_type));
        ScopeColumn::new(format!("col{}", at + 1), data_type)
    };
    let columns: Vec<ScopeColumn> = (0..width).map(column).collect();
    Ok(Plan::of(Source::Values(bound), &columns))
}

fn union_plan(env: &Env<'_>, left: &Body, right: &Body) -> Result<Plan> {
    let query = |body: &Body| Query { body: body.clone(), order: Vec::new(), limit: None, offset: None };
    let (left, right) = (plan(env, &query(left), None)?, plan(env, &query(right), None)?);
    if left.width != right.width {
        return Err(SqlError::internal("Number of output columns must be the same for all parts of a UNION"));
    }
    let columns: Vec<ScopeColumn> =
        left.columns().into_iter().map(|column| ScopeColumn::new(column.name, column.data_type)).collect();
    Ok(Plan::of(Source::Union(Box::new(left), Box::new(right)), &columns))
}

fn select_plan(env: &Env<'_>, select: &Select, query: &Query) -> Result<Plan> {
    let mut scope = Scope::default();
    let source = match &select.from {
        Some(from) => source(env, from, &mut scope)?,
        None => Source::One,
    };
    let filter = select.filter.as_ref().map(|filter| env.bind(filter, &scope)).transpose()?;
    let outputs = outputs(&scope, &select.items)?;
    let has_groups = !select.group.is_empty()
        || select.having.is_some()
        || outputs.iter().any(|(_, expr)| aggregate::is_in(expr))
        || query.order.iter().any(|order| aggregate::is_in(&order.by));
    let groups =
        RefCell::new(Aggregates::new(if has_groups { keys(env, select, &outputs, &scope)? } else { Vec::new() }));
    let binder = Binder { env, scope: &scope, aggregates: has_groups.then_some(&groups) };
    let mut items = Vec::with_capacity(outputs.len());
    for (name, expr) in &outputs {
        items.push((name.clone(), binder.bind(expr)?));
    }
    let is_lookup = match (&source, &filter) {
        (Source::Table(name), Some(filter)) => super::change::names_key(env.cluster.table(name)?, filter),
        _ => false,
    };
    if is_lookup || !query.order.is_empty() {
        for (_, item) in &mut items {
            fetched(item);
        }
    }
    let width = items.len();
    let mut order = Vec::new();
    for by in &query.order {
        let item = if let Some(item) = output_of(&by.by, &items, width) {
            item
        } else {
            items.push((String::new(), binder.bind(&by.by)?));
            items.len() - 1
        };
        order.push(order_by(by, item));
    }
    let having = select.having.as_ref().map(|having| binder.bind(having)).transpose()?;
    let groups = has_groups.then(|| (groups.into_inner(), having));
    let mut plan =
        Plan { source, filter, groups, items, width, is_distinct: select.distinct, order, limit: None, offset: None };
    limits(env, &mut plan, query)?;
    Ok(plan)
}

/// What is ordered or looked up is fetched from documents, where points have all their digits.
fn fetched(item: &mut Bound) {
    if let Node::Quantised(at) = item.node {
        item.node = Node::Column(at);
    }
}

fn order_by(order: &Order, item: usize) -> OrderBy {
    OrderBy { item, descending: order.descending, nulls_first: order.nulls_first.unwrap_or(order.descending) }
}

/// The item that ORDER BY names by number or by name.
fn output_of(expr: &Expr, items: &[(String, Bound)], width: usize) -> Option<usize> {
    match expr {
        Expr::Literal(Value::Int(number), _) => usize::try_from(number - 1).ok().filter(|at| *at < width),
        Expr::Column(name) if name.len() == 1 => items[..width].iter().position(|(known, _)| *known == name[0]),
        _ => None,
    }
}

/// The expressions of SELECT with their names; `*` gives every column that is not a system column.
pub(super) fn outputs(scope: &Scope, items: &[Item]) -> Result<Vec<(String, Expr)>> {
    let mut found = Vec::new();
    for item in items {
        match item {
            Item::Expr(expr, alias) => {
                found.push((alias.clone().unwrap_or_else(|| print::column_name(expr)), expr.clone()));
            }
            Item::Star(qualifier) => {
                let qualifier: Vec<String> = qualifier.iter().cloned().collect();
                let relations: Vec<&ScopeRelation> =
                    scope.relations.iter().filter(|relation| relation.names.ends_with(&qualifier)).collect();
                if relations.is_empty() {
                    return Err(SqlError::internal("\"SELECT *\" needs a FROM clause"));
                }
                for relation in relations {
                    for column in relation.columns.iter().filter(|column| !column.is_system) {
                        let name = [relation.names.clone(), vec![column.name.clone()]].concat();
                        found.push((column.name.clone(), Expr::Column(name)));
                    }
                }
            }
        }
    }
    Ok(found)
}

fn keys(env: &Env<'_>, select: &Select, outputs: &[(String, Expr)], scope: &Scope) -> Result<Vec<(Expr, Bound)>> {
    let key = |expr: &Expr| {
        let named = match expr {
            Expr::Literal(Value::Int(number), _) => {
                usize::try_from(number - 1).ok().and_then(|at| outputs.get(at)).map(|(_, expr)| expr.clone())
            }
            Expr::Column(name) if name.len() == 1 && scope.column(name).is_err() => {
                outputs.iter().find(|(known, _)| *known == name[0]).map(|(_, expr)| expr.clone())
            }
            _ => None,
        };
        let expr = named.unwrap_or_else(|| expr.clone());
        Ok((expr.clone(), env.bind(&expr, scope)?))
    };
    select.group.iter().map(key).collect()
}

fn source(env: &Env<'_>, from: &From, scope: &mut Scope) -> Result<Source> {
    match from {
        From::Table { name, alias } => named(env, name, alias.as_ref(), scope),
        From::Query { query, alias } => {
            let plan = plan(env, query, None)?;
            let columns = plan.columns().into_iter().map(|column| ScopeColumn::new(column.name, column.data_type));
            push(scope, Vec::new(), columns.collect(), alias.as_ref(), false);
            Ok(Source::Query(Box::new(plan)))
        }
        From::Function { name, arguments, alias } => function(env, name, arguments, alias.as_ref(), scope),
        From::Join { left, right, is_left, on } => {
            let left = source(env, left, scope)?;
            let before = scope.width();
            let right = source(env, right, scope)?;
            let on = on.as_ref().map(|on| env.bind(on, scope)).transpose()?;
            let right_width = scope.width() - before;
            Ok(Source::Join { left: Box::new(left), right: Box::new(right), right_width, is_left: *is_left, on })
        }
    }
}

fn push(scope: &mut Scope, names: Vec<String>, mut columns: Vec<ScopeColumn>, alias: Option<&Alias>, is_table: bool) {
    let names = alias.map_or(names, |alias| vec![alias.name.clone()]);
    for (column, name) in columns.iter_mut().zip(alias.into_iter().flat_map(|alias| &alias.columns)) {
        column.name.clone_from(name);
    }
    scope.relations.push(ScopeRelation { names, columns, is_table });
}

fn named(env: &Env<'_>, name: &[String], alias: Option<&Alias>, scope: &mut Scope) -> Result<Source> {
    let table = env.session.resolve(name)?;
    env.cluster.require(&env.session.user, "DQL", &table)?;
    let names = vec![table.schema.clone(), table.table.clone()];
    match env.cluster.relation(&table) {
        Some(Relation::Table(found)) => {
            push(scope, names, table_columns(found), alias, true);
            Ok(Source::Table(table))
        }
        Some(Relation::View(view)) => {
            let owner = Session { user: view.owner.clone(), ..env.session.clone() };
            let plan = plan(&Env::with_values(env.world, &owner, &[]), &view.query, None)?;
            let columns = plan.columns().into_iter().map(|column| ScopeColumn::new(column.name, column.data_type));
            push(scope, names, columns.collect(), alias, false);
            Ok(Source::Query(Box::new(plan)))
        }
        Some(Relation::Foreign(found)) => {
            let columns = found.columns.iter().map(|(name, data_type)| ScopeColumn::new(name, data_type.clone()));
            push(scope, names, columns.collect(), alias, false);
            Ok(Source::Rows(super::foreign::rows(env, found)?))
        }
        None => {
            let found = catalog::find(env, &table).ok_or_else(|| env.cluster.unknown(&table))?;
            let columns = found.columns.into_iter().map(|(name, data_type)| ScopeColumn::new(name, data_type));
            push(scope, names, columns.collect(), alias, false);
            Ok(Source::Rows(found.rows))
        }
    }
}

/// The columns of a table with the system columns, in the order in which [`super::run`] gives them.
pub(super) fn table_columns(table: &Table) -> Vec<ScopeColumn> {
    let own = table.columns.iter().map(|column| ScopeColumn::new(&column.name, column.data_type.clone()));
    let system = [
        ("_id", DataType::Text),
        ("_seq_no", DataType::Bigint),
        ("_primary_term", DataType::Bigint),
        ("_version", DataType::Bigint),
        ("_docid", DataType::Integer),
    ];
    own.chain(system.map(|(name, data_type)| ScopeColumn::system(name, data_type))).collect()
}

fn function(env: &Env<'_>, name: &str, arguments: &[Expr], alias: Option<&Alias>, scope: &mut Scope) -> Result<Source> {
    let bound: Vec<Bound> = arguments.iter().map(|expr| env.bind(expr, &Scope::default())).collect::<Result<_>>()?;
    match name {
        "unnest" => {
            let column = |(at, bound): (usize, &Bound)| {
                ScopeColumn::new(format!("col{}", at + 1), bound.data_type.innermost().clone())
            };
            let mut columns: Vec<ScopeColumn> = bound.iter().enumerate().map(column).collect();
            if let [column] = columns.as_mut_slice() {
                column.name = alias.map_or_else(|| name.to_owned(), |alias| alias.name.clone());
            }
            push(scope, vec![name.to_owned()], columns, alias, false);
            Ok(Source::Unnest(bound))
        }
        "generate_series" => {
            let data_type = operator::widest(bound.iter().take(2).map(|bound| &bound.data_type));
            let name = alias.map_or("generate_series", |alias| &alias.name);
            push(scope, vec!["generate_series".to_owned()], vec![ScopeColumn::new(name, data_type)], alias, false);
            Ok(Source::Series(bound))
        }
        other => Err(SqlError::new("0A000", format!("Unknown function: {other}()"))),
    }
}
