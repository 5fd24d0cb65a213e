//! Where statements are bound and run: the world, the session, and the parameters.

use std::cell::RefCell;

use super::Session;
use super::bind::{Binder, Bound, Node, cast_node, constant_cast};
use super::scope::Scope;
use crate::ast::{Expr, Options};
use crate::cast::text_of;
use crate::error::{Result, SqlError};
use crate::types::DataType;
use crate::value::Value;
use crate::world::{Cluster, World};

/// Where statements are bound and run.
pub(crate) struct Env<'a> {
    pub(crate) world: &'a World,
    pub(crate) cluster: &'a Cluster,
    pub(crate) session: &'a Session,
    pub(crate) now: i64,
    pub(crate) values: &'a [Value],
    parameters: RefCell<Vec<DataType>>,
}

impl<'a> Env<'a> {
    /// To describe a statement whose parameters have the `declared` types.
    pub(crate) fn new(world: &'a World, session: &'a Session, declared: &[DataType]) -> Self {
        let cluster = world.cluster(&session.cluster);
        let parameters = RefCell::new(declared.to_vec());
        Self { world, cluster, session, now: world.clock.now(), values: &[], parameters }
    }

    /// To run a statement with these values.
    pub(crate) fn with_values(world: &'a World, session: &'a Session, values: &'a [Value]) -> Self {
        Self { values, ..Self::new(world, session, &[]) }
    }

    /// The same with other values.
    pub(crate) fn values<'b>(&'b self, values: &'b [Value]) -> Env<'b> {
        Env {
            world: self.world,
            cluster: self.cluster,
            session: self.session,
            now: self.now,
            values,
            parameters: RefCell::default(),
        }
    }

    /// The types of the parameters that were named, as far as they are known; others are texts.
    pub(crate) fn parameter_types(&self) -> Vec<DataType> {
        let known = |found: &DataType| if *found == DataType::Undefined { DataType::Text } else { found.clone() };
        self.parameters.borrow().iter().map(known).collect()
    }

    pub(super) fn parameter(&self, number: usize) -> DataType {
        let mut parameters = self.parameters.borrow_mut();
        if parameters.len() < number {
            parameters.resize(number, DataType::Undefined);
        }
        parameters[number - 1].clone()
    }

    /// Notes that an expression should be of a type: a parameter without one gets it, constants are converted.
    pub(crate) fn expect(&self, bound: Bound, target: &DataType) -> Result<Bound> {
        if let (Node::Parameter(number), DataType::Undefined) = (&bound.node, &bound.data_type) {
            self.parameters.borrow_mut()[number - 1] = target.clone();
            // Values come in the type that was described.
            return Ok(cast_node(bound, target, false));
        }
        if bound.data_type == *target {
            return Ok(bound);
        }
        if let Node::Const(value) = &bound.node {
            return constant_cast(value, &bound.data_type, target, false);
        }
        Ok(cast_node(bound, target, false))
    }

    /// The value of an expression without columns.
    pub(crate) fn constant(&self, expr: &Expr) -> Result<Value> {
        let bound = self.bind(expr, &Scope::default())?;
        super::run::value(&bound, &[], self)
    }

    /// The text of an expression without columns.
    pub(crate) fn text(&self, expr: &Expr) -> Result<String> {
        let value = self.constant(expr)?;
        text_of(&value).ok_or_else(|| SqlError::internal("a text is expected, not NULL"))
    }

    /// Notes that an expression is a text.
    pub(crate) fn expect_text(&self, expr: &Expr) -> Result<()> {
        let bound = self.bind(expr, &Scope::default())?;
        self.expect(bound, &DataType::Text).map(drop)
    }

    /// Notes that an expression is there: a parameter without a type is a text.
    pub(crate) fn expect_any(&self, expr: &Expr) -> Result<()> {
        self.bind(expr, &Scope::default()).map(drop)
    }

    /// The text of an option, if it is there.
    pub(crate) fn option(&self, options: &Options, name: &str) -> Result<Option<String>> {
        options.iter().find(|(found, _)| found == name).map(|(_, value)| self.text(value)).transpose()
    }

    /// An expression over the columns of `scope`.
    pub(crate) fn bind(&self, expr: &Expr, scope: &Scope) -> Result<Bound> {
        Binder { env: self, scope, aggregates: None }.bind(expr)
    }
}
