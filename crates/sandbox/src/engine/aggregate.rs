//! GROUP BY and the functions over groups.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::bind::{Binder, Bound, Node};
use super::env::Env;
use super::run;
use crate::ast::Expr;
use crate::cast::text_of;
use crate::decimal::Decimal;
use crate::error::{Result, SqlError};
use crate::types::DataType;
use crate::value::Value;

/// A function over a group.
#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    name: &'static str,
    /// `None` for `count(*)`.
    arguments: Vec<Bound>,
    is_distinct: bool,
    data_type: DataType,
}

/// Keys and functions of a query with groups. Its rows are the keys followed by the functions' results.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aggregates {
    keys: Vec<(Expr, Bound)>,
    functions: Vec<Aggregate>,
}

const NAMES: [&str; 9] = ["count", "sum", "min", "max", "avg", "mean", "string_agg", "array_agg", "arbitrary"];

/// Whether an expression has a function over a group.
pub(crate) fn is_in(expr: &Expr) -> bool {
    match expr {
        Expr::Call { name, arguments, .. } => NAMES.contains(&name.as_str()) || arguments.iter().any(is_in),
        Expr::Negate(inner) | Expr::Not(inner) | Expr::IsNull(inner) | Expr::Cast { value: inner, .. } => is_in(inner),
        Expr::Binary(_, left, right) | Expr::Subscript(left, right) => is_in(left) || is_in(right),
        Expr::Case { operand, branches, otherwise } => {
            operand.as_deref().is_some_and(is_in)
                || otherwise.as_deref().is_some_and(is_in)
                || branches.iter().any(|(when, then)| is_in(when) || is_in(then))
        }
        Expr::In { value, list } => is_in(value) || list.iter().any(is_in),
        _ => false,
    }
}

impl Aggregates {
    pub(crate) fn new(keys: Vec<(Expr, Bound)>) -> Self {
        Self { keys, functions: Vec::new() }
    }

    /// The key that an expression is.
    pub(super) fn key(&self, expr: &Expr, input: &Binder<'_>) -> Option<Bound> {
        let column = |bound: &Bound| match bound.node {
            Node::Column(at) | Node::Quantised(at) => Some(at),
            _ => None,
        };
        let at = match expr {
            Expr::Column(_) => input.bind(expr).ok().and_then(|bound| column(&bound)),
            _ => None,
        };
        let position =
            self.keys.iter().position(|(key, bound)| key == expr || (at.is_some() && column(bound) == at))?;
        Some(Bound { data_type: self.keys[position].1.data_type.clone(), node: Node::Column(position) })
    }

    /// The result of a function over a group, which is noted.
    pub(super) fn call(this: &RefCell<Self>, expr: &Expr, input: &Binder<'_>) -> Result<Option<Bound>> {
        let Expr::Call { name, arguments, distinct, .. } = expr else { return Ok(None) };
        let Some(name) = NAMES.into_iter().find(|known| known == name) else { return Ok(None) };
        let arguments: Vec<Bound> = arguments.iter().map(|argument| input.bind(argument)).collect::<Result<_>>()?;
        let data_type = result_type(name, arguments.first().map(|argument| &argument.data_type));
        let mut this = this.borrow_mut();
        let at = this.keys.len() + this.functions.len();
        this.functions.push(Aggregate { name, arguments, is_distinct: *distinct, data_type: data_type.clone() });
        Ok(Some(Bound { data_type, node: Node::Column(at) }))
    }

    /// The rows of the groups of `rows`.
    pub(crate) fn rows(&self, rows: &[Vec<Value>], env: &Env<'_>) -> Result<Vec<Vec<Value>>> {
        let mut groups: BTreeMap<Key, Vec<&[Value]>> = BTreeMap::new();
        if self.keys.is_empty() {
            groups.insert(Key(Vec::new()), Vec::new());
        }
        for row in rows {
            let key = self.keys.iter().map(|(_, key)| run::value(key, row, env)).collect::<Result<_>>()?;
            groups.entry(Key(key)).or_default().push(row);
        }
        let mut found = Vec::with_capacity(groups.len());
        for (Key(mut row), members) in groups {
            for function in &self.functions {
                row.push(function.value(&members, env)?);
            }
            found.push(row);
        }
        Ok(found)
    }
}

fn result_type(name: &str, argument: Option<&DataType>) -> DataType {
    match (name, argument) {
        ("count", _) => DataType::Bigint,
        ("sum", Some(argument)) if argument.is_integer() => DataType::Bigint,
        ("sum" | "avg" | "mean", Some(DataType::Numeric(_))) => DataType::Numeric(None),
        ("avg" | "mean", _) => DataType::Double,
        ("string_agg", _) => DataType::Text,
        ("array_agg", Some(argument)) => argument.clone().array(),
        (_, argument) => argument.cloned().unwrap_or(DataType::Undefined),
    }
}

/// Values that are in one group when they are equal.
#[derive(Clone, Debug)]
pub(crate) struct Key(pub(crate) Vec<Value>);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let mut orders = self.0.iter().zip(&other.0).map(|(left, right)| left.order(right));
        orders.find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    }
}

impl Aggregate {
    fn value(&self, rows: &[&[Value]], env: &Env<'_>) -> Result<Value> {
        let Some(argument) = self.arguments.first() else { return Ok(Value::count(rows.len())) };
        let mut values = Vec::with_capacity(rows.len());
        for row in rows {
            let value = run::value(argument, row, env)?;
            if !value.is_null() || self.name == "array_agg" {
                values.push(value);
            }
        }
        if self.is_distinct {
            values.sort_by(Value::order);
            values.dedup_by(|left, right| left.order(right).is_eq());
        }
        match self.name {
            "count" => Ok(Value::count(values.len())),
            "array_agg" => Ok(Value::Array(values)),
            _ if values.is_empty() => Ok(Value::Null),
            "sum" => self.sum(&values),
            "min" => Ok(values.into_iter().min_by(Value::order).unwrap_or(Value::Null)),
            "max" => Ok(values.into_iter().max_by(Value::order).unwrap_or(Value::Null)),
            "arbitrary" => Ok(values.swap_remove(0)),
            "string_agg" => {
                let separator = self.arguments.get(1).map(|argument| run::value(argument, &[], env)).transpose()?;
                let separator = separator.as_ref().and_then(text_of).unwrap_or_default();
                Ok(Value::Text(values.iter().filter_map(text_of).collect::<Vec<_>>().join(&separator)))
            }
            #[expect(clippy::cast_precision_loss, reason = "an average is a float")]
            _ => Ok(Value::Float(values.iter().filter_map(Value::as_float).sum::<f64>() / values.len() as f64)),
        }
    }

    fn sum(&self, values: &[Value]) -> Result<Value> {
        let overflow = || SqlError::internal("long overflow");
        match self.data_type {
            DataType::Bigint => {
                let mut sum = 0_i64;
                for value in values {
                    sum = sum.checked_add(value.as_int().unwrap_or(0)).ok_or_else(overflow)?;
                }
                Ok(Value::Int(sum))
            }
            DataType::Numeric(_) => {
                let mut sum = Decimal::new(0, 0);
                for value in values {
                    if let Value::Numeric(number) = value {
                        sum = sum.add(*number).ok_or_else(overflow)?;
                    }
                }
                Ok(Value::Numeric(sum))
            }
            _ => Ok(Value::Float(values.iter().filter_map(Value::as_float).sum())),
        }
    }
}
