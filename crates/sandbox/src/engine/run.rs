//! Rows of queries and values of expressions.

use std::cmp::Ordering;

use super::aggregate::Key;
use super::bind::{Bound, Node};
use super::env::Env;
use super::function::{self, Function};
use super::operator;
use super::query::{Plan, Source};
use crate::cast;
use crate::error::{Result, SqlError};
use crate::types::DataType;
use crate::value::Value;
use crate::world::Doc;

/// The rows of a query.
pub(crate) fn rows(plan: &Plan, env: &Env<'_>) -> Result<Vec<Vec<Value>>> {
    let mut rows = source(&plan.source, plan.filter.as_ref(), env)?;
    if let Some(filter) = &plan.filter {
        rows = keep(rows, filter, env)?;
    }
    if let Some((groups, having)) = &plan.groups {
        rows = groups.rows(&rows, env)?;
        if let Some(having) = having {
            rows = keep(rows, having, env)?;
        }
    }
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.push(plan.items.iter().map(|(_, item)| value(item, row, env)).collect::<Result<Vec<_>>>()?);
    }
    if plan.is_distinct {
        let mut seen = std::collections::BTreeSet::new();
        found.retain(|row| seen.insert(Key(row[..plan.width].to_vec())));
    }
    if !plan.order.is_empty() {
        found.sort_by(|left, right| order(plan, left, right));
    }
    let (skip, take) = (count(plan.offset.as_ref(), env)?.unwrap_or(0), count(plan.limit.as_ref(), env)?);
    let mut found: Vec<_> = found.into_iter().skip(skip).take(take.unwrap_or(usize::MAX)).collect();
    for row in &mut found {
        row.truncate(plan.width);
    }
    Ok(found)
}

fn count(bound: Option<&Bound>, env: &Env<'_>) -> Result<Option<usize>> {
    let Some(bound) = bound else { return Ok(None) };
    match value(bound, &[], env)? {
        Value::Null => Ok(None),
        found => {
            let number = found.as_int().and_then(|number| usize::try_from(number).ok());
            number.map(Some).ok_or_else(|| SqlError::internal("invalid LIMIT or OFFSET"))
        }
    }
}

fn order(plan: &Plan, left: &[Value], right: &[Value]) -> Ordering {
    for by in &plan.order {
        let (left, right) = (&left[by.item], &right[by.item]);
        let order = match (left.is_null(), right.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => {
                if by.nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (false, true) => {
                if by.nulls_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (false, false) => {
                if by.descending {
                    right.order(left)
                } else {
                    left.order(right)
                }
            }
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn keep(rows: Vec<Vec<Value>>, filter: &Bound, env: &Env<'_>) -> Result<Vec<Vec<Value>>> {
    let mut kept = Vec::new();
    for row in rows {
        if value(filter, &row, env)?.is_true() {
            kept.push(row);
        }
    }
    Ok(kept)
}

fn source(source_of: &Source, filter: Option<&Bound>, env: &Env<'_>) -> Result<Vec<Vec<Value>>> {
    match source_of {
        Source::One => Ok(vec![Vec::new()]),
        Source::Rows(rows) => Ok(rows.clone()),
        Source::Table(name) => {
            let table = env.cluster.table(name)?;
            table.check_arrived(name)?;
            let width = table.columns.len();
            if let Some(keys) = filter.map(|filter| super::change::keys_of(table, filter, env)).transpose()?.flatten() {
                let look_up = |key: &Vec<Value>| {
                    let id = table.id(key).unwrap_or_default();
                    table.lookup(key, &id).map(|doc| document(&id, doc, width))
                };
                return Ok(keys.iter().filter_map(look_up).collect());
            }
            Ok(table.visible(env.now).map(|(id, doc)| document(id, doc, width)).collect())
        }
        Source::Values(rows) => rows.iter().map(|row| row.iter().map(|cell| value(cell, &[], env)).collect()).collect(),
        Source::Unnest(arrays) => unnest(arrays, env),
        Source::Series(bounds) => series(bounds, env),
        Source::Query(plan) => rows(plan, env),
        Source::Union(left, right) => Ok([rows(left, env)?, rows(right, env)?].concat()),
        Source::Join { left, right, right_width, is_left, on } => {
            let (left, right) = (source(left, None, env)?, source(right, None, env)?);
            join(&left, &right, *right_width, *is_left, on.as_ref(), env)
        }
    }
}

/// A document as a row: its columns, then the system columns.
pub(super) fn document(id: &str, doc: &Doc, width: usize) -> Vec<Value> {
    let mut row = doc.values.clone();
    row.resize(width, Value::Null);
    let number = Value::Int(doc.seq_no);
    row.extend([Value::text(id), number.clone(), Value::Int(1), Value::Int(doc.version), number]);
    row
}

fn join(
    left: &[Vec<Value>],
    right: &[Vec<Value>],
    right_width: usize,
    is_left: bool,
    on: Option<&Bound>,
    env: &Env<'_>,
) -> Result<Vec<Vec<Value>>> {
    let mut found = Vec::new();
    for left in left {
        let before = found.len();
        for right in right {
            let row = [left.as_slice(), right.as_slice()].concat();
            let matches = match on {
                Some(on) => value(on, &row, env)?.is_true(),
                None => true,
            };
            if matches {
                found.push(row);
            }
        }
        check_size(found.len())?;
        if is_left && found.len() == before {
            found.push([left.as_slice(), &vec![Value::Null; right_width]].concat());
        }
    }
    Ok(found)
}

/// How many rows a join or a series may have: what takes minutes would stop the whole sandbox.
const MOST_ROWS: usize = 2_000_000;

fn check_size(rows: usize) -> Result<()> {
    if rows > MOST_ROWS { Err(SqlError::not_understood(format!("more than {MOST_ROWS} rows"))) } else { Ok(()) }
}

/// Arrays as columns, down to their innermost elements; shorter ones end in NULL.
fn unnest(arrays: &[Bound], env: &Env<'_>) -> Result<Vec<Vec<Value>>> {
    let mut columns = Vec::with_capacity(arrays.len());
    for array in arrays {
        let mut column = Vec::new();
        flatten(value(array, &[], env)?, &mut column);
        columns.push(column);
    }
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    for column in &mut columns {
        column.resize(height, Value::Null);
    }
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    Ok((0..height).map(|_| columns.iter_mut().map(|column| column.next().unwrap_or(Value::Null)).collect()).collect())
}

fn flatten(found: Value, column: &mut Vec<Value>) {
    match found {
        Value::Array(items) => {
            for item in items {
                match item {
                    nested @ Value::Array(_) => flatten(nested, column),
                    item => column.push(item),
                }
            }
        }
        Value::Null => {}
        other => column.push(other),
    }
}

fn series(bounds: &[Bound], env: &Env<'_>) -> Result<Vec<Vec<Value>>> {
    let values: Vec<Value> = bounds.iter().map(|bound| value(bound, &[], env)).collect::<Result<_>>()?;
    let number = |at: usize| match values.get(at) {
        Some(Value::Interval(number)) => Some(*number),
        Some(value) => value.as_int(),
        None => None,
    };
    let (Some(first), Some(last)) = (number(0), number(1)) else { return Ok(Vec::new()) };
    let step = number(2).unwrap_or(1);
    let is_time = matches!(values[0], Value::Time(_));
    let (mut rows, mut at) = (Vec::new(), first);
    while step != 0 && if step > 0 { at <= last } else { at >= last } {
        rows.push(vec![if is_time { Value::Time(at) } else { Value::Int(at) }]);
        at += step;
        check_size(rows.len())?;
    }
    Ok(rows)
}

/// The value of an expression over a row.
pub(crate) fn value(bound: &Bound, row: &[Value], env: &Env<'_>) -> Result<Value> {
    let of = |bound: &Bound| value(bound, row, env);
    match &bound.node {
        Node::Const(found) => Ok(found.clone()),
        Node::Column(at) => Ok(row.get(*at).cloned().unwrap_or(Value::Null)),
        Node::Quantised(at) => Ok(quantised(row.get(*at).unwrap_or(&Value::Null))),
        Node::Parameter(number) => Ok(env.values.get(number - 1).cloned().unwrap_or(Value::Null)),
        Node::Doc(fields) => {
            let known = fields.iter().filter(|(_, at)| !row[*at].is_null());
            Ok(Value::Object(known.map(|(name, at)| (name.clone(), row[*at].clone())).collect()))
        }
        Node::Call(Function::Compare(op), sides) => operator::compare(op, &of(&sides[0])?, &of(&sides[1])?),
        Node::Call(Function::Operator(op), sides) => {
            operator::apply(op, of(&sides[0])?, of(&sides[1])?, &bound.data_type)
        }
        Node::Call(Function::Named(name), arguments) => {
            let arguments: Vec<Value> = arguments.iter().map(of).collect::<Result<_>>()?;
            function::call(name, &arguments, &bound.data_type, env)
        }
        Node::Cast { value: inner, is_try } => {
            let found = of(inner)?;
            match cast::convert(&found, &bound.data_type) {
                Some(converted) => Ok(converted),
                None if *is_try => Ok(Value::Null),
                None => cast::cast(&found, &bound.data_type),
            }
        }
        Node::Key(base, key) => Ok(of_key(of(base)?, key)),
        Node::Element(base, index) => Ok(match (of(base)?, of(index)?.as_int()) {
            (Value::Array(items), Some(at)) => {
                usize::try_from(at - 1).ok().and_then(|at| items.into_iter().nth(at)).unwrap_or(Value::Null)
            }
            _ => Value::Null,
        }),
        Node::And(left, right) => both(of(left)?, || of(right), false),
        Node::Or(left, right) => both(of(left)?, || of(right), true),
        Node::Not(inner) => Ok(match of(inner)? {
            Value::Bool(bool) => Value::Bool(!bool),
            _ => Value::Null,
        }),
        Node::IsNull(inner) => Ok(Value::Bool(of(inner)?.is_null())),
        Node::In(inner, list) => {
            let list = list.iter().map(of).collect::<Result<Vec<_>>>()?;
            any("=", &of(inner)?, &list, false)
        }
        Node::Quantified { op, all, value: inner, array } => match of(array)? {
            Value::Array(items) => any(op, &of(inner)?, &items, *all),
            _ => Ok(Value::Null),
        },
        Node::Case { branches, otherwise } => {
            for (when, then) in branches {
                if of(when)?.is_true() {
                    return widened(of(then)?, &bound.data_type);
                }
            }
            widened(of(otherwise)?, &bound.data_type)
        }
        Node::Array(items) => items.iter().map(of).collect::<Result<_>>().map(Value::Array),
        Node::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| Ok((name.clone(), of(field)?)));
            fields.collect::<Result<_>>().map(Value::Object)
        }
        Node::Query(plan) => {
            let found = rows(plan, env)?;
            if found.len() > 1 {
                return Err(SqlError::internal("Subquery returned more than 1 row when it shouldn't."));
            }
            Ok(found.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or(Value::Null))
        }
        Node::Column0(plan) => {
            let found = rows(plan, env)?.into_iter().filter_map(|row| row.into_iter().next());
            Ok(Value::Array(found.collect()))
        }
        Node::Exists(plan) => Ok(Value::Bool(!rows(plan, env)?.is_empty())),
    }
}

fn widened(found: Value, data_type: &DataType) -> Result<Value> {
    if data_type.is_number() { cast::cast(&found, data_type) } else { Ok(found) }
}

/// AND and OR with NULL as unknown; `decides` is the value that needs no other side.
fn both(left: Value, right: impl FnOnce() -> Result<Value>, decides: bool) -> Result<Value> {
    if left == Value::Bool(decides) {
        return Ok(left);
    }
    let right = right()?;
    Ok(match (left, right) {
        (_, Value::Bool(right)) if right == decides => Value::Bool(decides),
        (Value::Bool(_), Value::Bool(_)) => Value::Bool(!decides),
        _ => Value::Null,
    })
}

fn any(op: &str, found: &Value, items: &[Value], all: bool) -> Result<Value> {
    let mut is_unknown = false;
    for item in items {
        match operator::compare(op, found, item)? {
            Value::Bool(matches) if matches != all => return Ok(Value::Bool(!all)),
            Value::Null => is_unknown = true,
            _ => {}
        }
    }
    Ok(if is_unknown { Value::Null } else { Value::Bool(all) })
}

/// A key of an object, or of every object of an array.
fn of_key(base: Value, key: &str) -> Value {
    match base {
        Value::Object(mut fields) => fields.remove(key).unwrap_or(Value::Null),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| of_key(item, key)).collect()),
        _ => Value::Null,
    }
}

/// A point as the column store has it: 32 bits for each coordinate.
fn quantised(found: &Value) -> Value {
    let Value::Point(lon, lat) = found else { return found.clone() };
    let steps = 4_294_967_296.0;
    let (lon_unit, lat_unit) = (360.0 / steps, 180.0 / steps);
    Value::Point((lon / lon_unit).floor() * lon_unit, (lat / lat_unit).floor() * lat_unit)
}
