//! Expressions with their names resolved and their types known.

use std::cell::RefCell;

use super::aggregate::Aggregates;
use super::env::Env;
use super::function::{self, Function};
use super::query::Plan;
use super::scope::Scope;
use super::{operator, query};
use crate::ast::Expr;
use crate::cast::convert;
use crate::error::{Result, SqlError};
use crate::print;
use crate::types::{DataType, Policy};
use crate::value::Value;

/// An expression that can be evaluated.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) data_type: DataType,
    pub(crate) node: Node,
}

/// What a bound expression does.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Const(Value),
    Column(usize),
    /// A `GEO_POINT` read as a column, which loses digits.
    Quantised(usize),
    Parameter(usize),
    /// The document: names and columns.
    Doc(Vec<(String, usize)>),
    Call(Function, Vec<Bound>),
    Cast {
        value: Box<Bound>,
        is_try: bool,
    },
    Key(Box<Bound>, String),
    Element(Box<Bound>, Box<Bound>),
    And(Box<Bound>, Box<Bound>),
    Or(Box<Bound>, Box<Bound>),
    Not(Box<Bound>),
    IsNull(Box<Bound>),
    In(Box<Bound>, Vec<Bound>),
    Quantified {
        op: &'static str,
        all: bool,
        value: Box<Bound>,
        array: Box<Bound>,
    },
    Case {
        branches: Vec<(Bound, Bound)>,
        otherwise: Box<Bound>,
    },
    Array(Vec<Bound>),
    Object(Vec<(String, Bound)>),
    Query(Box<Plan>),
    /// All values of the first column of a query.
    Column0(Box<Plan>),
    Exists(Box<Plan>),
}

/// Binds expressions; with `aggregates`, those after GROUP BY.
pub(crate) struct Binder<'a> {
    pub(crate) env: &'a Env<'a>,
    pub(crate) scope: &'a Scope,
    pub(crate) aggregates: Option<&'a RefCell<Aggregates>>,
}

impl Binder<'_> {
    pub(crate) fn bind(&self, expr: &Expr) -> Result<Bound> {
        if let Some(found) = self.after_grouping(expr)? {
            return Ok(found);
        }
        match expr {
            Expr::Literal(value, data_type) => {
                Ok(Bound { data_type: data_type.clone(), node: Node::Const(value.clone()) })
            }
            Expr::Column(name) => self.column(name),
            Expr::Parameter(number) => Ok(self.parameter(*number)),
            Expr::Negate(inner) => {
                let zero = Expr::Literal(Value::Int(0), DataType::Integer);
                self.binary("-", &zero, inner)
            }
            Expr::Not(inner) => self.bind(inner).map(|inner| boolean(Node::Not(Box::new(inner)))),
            Expr::Binary("AND", left, right) => {
                Ok(boolean(Node::And(Box::new(self.bind(left)?), Box::new(self.bind(right)?))))
            }
            Expr::Binary("OR", left, right) => {
                Ok(boolean(Node::Or(Box::new(self.bind(left)?), Box::new(self.bind(right)?))))
            }
            Expr::Binary(op, left, right) => self.binary(op, left, right),
            Expr::Call { name, arguments, .. } => self.call(name, arguments),
            Expr::Cast { value, target, is_try } => self.cast(value, target, *is_try),
            Expr::Subscript(base, index) => self.subscript(base, index),
            Expr::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref())
            }
            Expr::In { value, list } => self.membership(value, list),
            Expr::InQuery { value, query } => {
                let (value, plan) = (self.bind(value)?, query::plan(self.env, query, None)?);
                let array = Bound {
                    data_type: plan.columns()[0].data_type.clone().array(),
                    node: Node::Column0(Box::new(plan)),
                };
                Ok(boolean(Node::Quantified { op: "=", all: false, value: Box::new(value), array: Box::new(array) }))
            }
            Expr::Quantified { op, all, value, array } => self.quantified(op, *all, value, array),
            Expr::IsNull(inner) => self.bind(inner).map(|inner| boolean(Node::IsNull(Box::new(inner)))),
            Expr::Array(items) => self.array(items),
            Expr::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| Ok((name.clone(), self.bind(value)?)));
                Ok(Bound { data_type: DataType::object(), node: Node::Object(fields.collect::<Result<_>>()?) })
            }
            Expr::Query(query) => {
                let plan = query::plan(self.env, query, None)?;
                Ok(Bound { data_type: plan.columns()[0].data_type.clone(), node: Node::Query(Box::new(plan)) })
            }
            Expr::Exists(query) => Ok(boolean(Node::Exists(Box::new(query::plan(self.env, query, None)?)))),
        }
    }

    /// What an expression is after GROUP BY: a key, or an aggregate.
    fn after_grouping(&self, expr: &Expr) -> Result<Option<Bound>> {
        let Some(aggregates) = self.aggregates else { return Ok(None) };
        let input = Binder { aggregates: None, ..*self };
        if let Some(found) = aggregates.borrow().key(expr, &input) {
            return Ok(Some(found));
        }
        if let Some(found) = Aggregates::call(aggregates, expr, &input)? {
            return Ok(Some(found));
        }
        match expr {
            Expr::Column(name) => {
                input.bind(expr)?;
                let message = format!(
                    "'{}' must appear in the GROUP BY clause or be used in an aggregation function.",
                    name.join(".")
                );
                Err(SqlError::internal(message))
            }
            _ => Ok(None),
        }
    }

    fn parameter(&self, number: usize) -> Bound {
        Bound { data_type: self.env.parameter(number), node: Node::Parameter(number) }
    }

    fn column(&self, name: &[String]) -> Result<Bound> {
        if name.last().is_some_and(|name| name == "_doc")
            && let Some(fields) = self.doc(&name[..name.len() - 1])
        {
            return Ok(Bound { data_type: DataType::object(), node: Node::Doc(fields) });
        }
        let (at, column) = self.scope.column(name)?;
        let node = if column.data_type == DataType::GeoPoint { Node::Quantised(at) } else { Node::Column(at) };
        Ok(Bound { data_type: column.data_type.clone(), node })
    }

    /// The columns of the document that `_doc` means.
    fn doc(&self, qualifier: &[String]) -> Option<Vec<(String, usize)>> {
        let (start, relation) =
            self.scope.placed().find(|(_, relation)| relation.is_table && relation.names.ends_with(qualifier))?;
        let columns = relation.columns.iter().enumerate().filter(|(_, column)| !column.is_system);
        Some(columns.map(|(at, column)| (column.name.clone(), start + at)).collect())
    }

    fn binary(&self, op: &'static str, left: &Expr, right: &Expr) -> Result<Bound> {
        let (mut left, mut right) = (self.bind(left)?, self.bind(right)?);
        if operator::is_comparison(op) {
            let target = operator::common(&left.data_type, &right.data_type);
            if let Some(target) = target {
                left = self.align(left, &target)?;
                right = self.align(right, &target)?;
            }
            return Ok(boolean(Node::Call(Function::Compare(op), vec![left, right])));
        }
        let found = operator::result(op, &left.data_type, &right.data_type)?;
        if op == "||" && !matches!(found, DataType::Array(_)) {
            left = self.align(left, &DataType::Text)?;
            right = self.align(right, &DataType::Text)?;
        }
        let data_type = found;
        Ok(Bound { data_type, node: Node::Call(Function::Operator(op), vec![left, right]) })
    }

    /// The expression as `target` where the types differ in a way that matters to a comparison.
    fn align(&self, bound: Bound, target: &DataType) -> Result<Bound> {
        let is_kin = bound.data_type.is_number() && target.is_number() || bound.data_type.is_text() && target.is_text();
        if is_kin { Ok(bound) } else { self.env.expect(bound, target) }
    }

    fn call(&self, name: &str, arguments: &[Expr]) -> Result<Bound> {
        let bound: Vec<Bound> = arguments.iter().map(|argument| self.bind(argument)).collect::<Result<_>>()?;
        let types: Vec<DataType> = bound.iter().map(|bound| bound.data_type.clone()).collect();
        let Some((function, data_type)) = function::find(name, &types) else {
            let arguments: Vec<String> = arguments.iter().map(|argument| self.shown(argument)).collect();
            return Err(SqlError::new("0A000", format!("Unknown function: {name}({})", arguments.join(", "))));
        };
        Ok(Bound { data_type, node: Node::Call(function, bound) })
    }

    /// An argument as messages show it: columns with their tables.
    fn shown(&self, expr: &Expr) -> String {
        match expr {
            Expr::Column(name) if name.len() == 1 => {
                let relation = self
                    .scope
                    .relations
                    .iter()
                    .find(|relation| relation.columns.iter().any(|column| column.name == name[0]));
                let prefix = relation.map_or_else(String::new, |relation| format!("{}.", relation.names.join(".")));
                format!("{prefix}{}", name[0])
            }
            other => print::expression(other, false),
        }
    }

    fn cast(&self, value: &Expr, target: &DataType, is_try: bool) -> Result<Bound> {
        let bound = self.bind(value)?;
        if let Node::Const(value) = &bound.node {
            constant_cast(value, &bound.data_type, target, is_try)
        } else {
            if bound.data_type == DataType::Undefined {
                return self.env.expect(bound, target);
            }
            Ok(cast_node(bound, target, is_try))
        }
    }

    fn subscript(&self, base: &Expr, index: &Expr) -> Result<Bound> {
        if let (Expr::Column(name), Expr::Literal(Value::Text(key), _)) = (base, index)
            && let Some(fields) =
                name.last().filter(|name| *name == "_doc").and_then(|_| self.doc(&name[..name.len() - 1]))
        {
            let at = fields.iter().find(|(name, _)| name == key).map(|(_, at)| *at);
            let at = at.ok_or_else(|| SqlError::column_unknown(&format!("_doc['{key}']")))?;
            return Ok(Bound { data_type: self.type_at(at), node: Node::Column(at) });
        }
        let bound = self.bind(base)?;
        if let Expr::Literal(Value::Text(key), _) = index {
            let unknown = || {
                SqlError::column_unknown(&print::expression(
                    &Expr::Subscript(Box::new(base.clone()), Box::new(index.clone())),
                    false,
                ))
            };
            let data_type = key_type(&bound.data_type, key).ok_or_else(unknown)?;
            return Ok(Bound { data_type, node: Node::Key(Box::new(bound), key.clone()) });
        }
        let DataType::Array(element) = &bound.data_type else {
            return Err(SqlError::not_understood(format!("[…] of a value of type {}", bound.data_type.name())));
        };
        let data_type = element.as_ref().clone();
        Ok(Bound { data_type, node: Node::Element(Box::new(bound), Box::new(self.bind(index)?)) })
    }

    fn type_at(&self, at: usize) -> DataType {
        let columns = self.scope.relations.iter().flat_map(|relation| &relation.columns);
        columns.into_iter().nth(at).map_or(DataType::Undefined, |column| column.data_type.clone())
    }

    fn case(&self, operand: Option<&Expr>, branches: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Result<Bound> {
        let mut found = Vec::new();
        for (when, then) in branches {
            let when = match operand {
                Some(operand) => self.binary("=", operand, when)?,
                None => self.bind(when)?,
            };
            found.push((when, self.bind(then)?));
        }
        let otherwise = match otherwise {
            Some(otherwise) => self.bind(otherwise)?,
            None => Bound { data_type: DataType::Undefined, node: Node::Const(Value::Null) },
        };
        let types = found.iter().map(|(_, then)| &then.data_type).chain([&otherwise.data_type]);
        let data_type = operator::widest(types);
        Ok(Bound { data_type, node: Node::Case { branches: found, otherwise: Box::new(otherwise) } })
    }

    fn membership(&self, value: &Expr, list: &[Expr]) -> Result<Bound> {
        let value = self.bind(value)?;
        let list = list.iter().map(|item| {
            let item = self.bind(item)?;
            match operator::common(&value.data_type, &item.data_type) {
                Some(target) => self.align(item, &target),
                None => Ok(item),
            }
        });
        let list = list.collect::<Result<_>>()?;
        Ok(boolean(Node::In(Box::new(value), list)))
    }

    fn quantified(&self, op: &'static str, all: bool, value: &Expr, array: &Expr) -> Result<Bound> {
        let value = self.bind(value)?;
        let array = match array {
            Expr::Query(query) => {
                let plan = query::plan(self.env, query, None)?;
                Bound { data_type: plan.columns()[0].data_type.clone().array(), node: Node::Column0(Box::new(plan)) }
            }
            array => {
                let bound = self.bind(array)?;
                if bound.data_type == DataType::Undefined {
                    self.env.expect(bound, &value.data_type.clone().array())?
                } else {
                    bound
                }
            }
        };
        Ok(boolean(Node::Quantified { op, all, value: Box::new(value), array: Box::new(array) }))
    }

    fn array(&self, items: &[Expr]) -> Result<Bound> {
        let bound: Vec<Bound> = items.iter().map(|item| self.bind(item)).collect::<Result<_>>()?;
        let element = operator::widest(bound.iter().map(|bound| &bound.data_type));
        let items = bound.into_iter().map(|item| self.align(item, &element)).collect::<Result<_>>()?;
        Ok(Bound { data_type: element.array(), node: Node::Array(items) })
    }
}

/// The type of a key of an object, or of the objects of an array; `None` for a key that nobody declared.
fn key_type(data_type: &DataType, key: &str) -> Option<DataType> {
    match data_type {
        DataType::Object(policy, fields) => match fields.iter().find(|field| field.name == key) {
            Some(field) => Some(field.data_type.clone()),
            None if *policy == Policy::Ignored || (*policy == Policy::Dynamic && fields.is_empty()) => {
                Some(DataType::Undefined)
            }
            None => None,
        },
        DataType::Array(element) => key_type(element, key).map(DataType::array),
        DataType::GeoShape | DataType::Undefined => Some(DataType::Undefined),
        _ => None,
    }
}

pub(crate) fn boolean(node: Node) -> Bound {
    Bound { data_type: DataType::Boolean, node }
}

pub(crate) fn cast_node(bound: Bound, target: &DataType, is_try: bool) -> Bound {
    Bound { data_type: target.clone(), node: Node::Cast { value: Box::new(bound), is_try } }
}

/// A constant as another type. The error shows it as a literal, with the type that it has.
pub(super) fn constant_cast(value: &Value, from: &DataType, target: &DataType, is_try: bool) -> Result<Bound> {
    let value = match convert(value, target) {
        Some(converted) => converted,
        None if is_try => return Ok(Bound { data_type: DataType::Undefined, node: Node::Const(Value::Null) }),
        None => {
            let (literal, from, target) = (print::literal(value), from.name(), target.name());
            return Err(SqlError::internal(format!("Cannot cast `{literal}` of type `{from}` to type `{target}`")));
        }
    };
    Ok(Bound { data_type: target.clone(), node: Node::Const(value) })
}
