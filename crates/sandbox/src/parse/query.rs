//! Queries.

use super::reader::Reader;
use crate::ast::{Alias, Body, Expr, From, Item, Order, Query, Select};
use crate::error::{Result, SqlError};

impl Reader<'_> {
    /// A query with its order and limit.
    pub(super) fn query(&mut self) -> Result<Query> {
        if self.is_word(0, "WITH") {
            return Err(SqlError::not_understood("WITH queries"));
        }
        let mut body = self.body()?;
        while self.words("UNION") {
            if !self.words("ALL") {
                return Err(SqlError::not_understood("UNION without ALL"));
            }
            body = Body::UnionAll(Box::new(body), Box::new(self.body()?));
        }
        let order = if self.words("ORDER BY") { self.list(Self::order)? } else { Vec::new() };
        let mut query = Query { body, order, limit: None, offset: None };
        loop {
            if self.words("LIMIT") {
                query.limit = if self.words("ALL") { None } else { Some(self.expression()?) };
            } else if self.words("OFFSET") {
                query.offset = Some(self.expression()?);
            } else {
                return Ok(query);
            }
        }
    }

    fn body(&mut self) -> Result<Body> {
        if self.symbol("(") {
            let query = self.query()?;
            self.expect_symbol(")")?;
            if !query.order.is_empty() || query.limit.is_some() || query.offset.is_some() {
                return Err(SqlError::not_understood("ORDER BY or LIMIT within parentheses"));
            }
            return Ok(query.body);
        }
        if self.words("VALUES") {
            return Ok(Body::Values(self.list(|reader| reader.in_parentheses(Self::expression))?));
        }
        self.expect_words("SELECT")?;
        let mut select = Select { distinct: self.words("DISTINCT"), ..Select::default() };
        self.words("ALL");
        select.items = self.list(Self::item)?;
        if self.words("FROM") {
            select.from = Some(self.relations()?);
        }
        if self.words("WHERE") {
            select.filter = Some(self.expression()?);
        }
        if self.words("GROUP BY") {
            select.group = self.list(Self::expression)?;
        }
        if self.words("HAVING") {
            select.having = Some(self.expression()?);
        }
        Ok(Body::Select(Box::new(select)))
    }

    /// One of the items of SELECT or RETURNING.
    pub(super) fn item(&mut self) -> Result<Item> {
        if self.symbol("*") {
            return Ok(Item::Star(None));
        }
        if self.is_symbol(1, ".") && self.is_symbol(2, "*") {
            let table = self.identifier()?;
            self.take();
            self.take();
            return Ok(Item::Star(Some(table)));
        }
        let value = self.expression()?;
        let alias = if self.words("AS") { Some(self.alias_name()?) } else { self.optional_identifier() };
        Ok(Item::Expr(value, alias))
    }

    fn alias_name(&mut self) -> Result<String> {
        self.identifier()
    }

    fn order(&mut self) -> Result<Order> {
        let by = self.expression()?;
        let descending = !self.words("ASC") && self.words("DESC");
        let nulls_first = if self.words("NULLS FIRST") {
            Some(true)
        } else if self.words("NULLS LAST") {
            Some(false)
        } else {
            None
        };
        Ok(Order { by, descending, nulls_first })
    }

    fn relations(&mut self) -> Result<From> {
        let mut left = self.joined()?;
        while self.symbol(",") {
            let right = self.joined()?;
            left = From::Join { left: Box::new(left), right: Box::new(right), is_left: false, on: None };
        }
        Ok(left)
    }

    fn joined(&mut self) -> Result<From> {
        let mut left = self.relation()?;
        loop {
            let is_cross = self.words("CROSS JOIN");
            let is_left = !is_cross && (self.words("LEFT JOIN") || self.words("LEFT OUTER JOIN"));
            if !(is_cross || is_left || self.words("JOIN") || self.words("INNER JOIN")) {
                return Ok(left);
            }
            let right = self.relation()?;
            let on = if is_cross { None } else { Some(self.join_condition()?) };
            left = From::Join { left: Box::new(left), right: Box::new(right), is_left, on };
        }
    }

    fn join_condition(&mut self) -> Result<Expr> {
        if self.is_word(0, "USING") {
            return Err(SqlError::not_understood("JOIN … USING"));
        }
        self.expect_words("ON")?;
        self.expression()
    }

    fn relation(&mut self) -> Result<From> {
        if self.symbol("(") {
            let query = Box::new(self.query()?);
            self.expect_symbol(")")?;
            return Ok(From::Query { query, alias: self.alias()? });
        }
        let name = self.name()?;
        if self.is_symbol(0, "(") {
            let arguments = self.in_parentheses(Self::expression)?;
            let name = name.last().cloned().unwrap_or_default();
            return Ok(From::Function { name, arguments, alias: self.alias()? });
        }
        Ok(From::Table { name, alias: self.alias()? })
    }

    fn alias(&mut self) -> Result<Option<Alias>> {
        let name = if self.words("AS") { Some(self.identifier()?) } else { self.optional_identifier() };
        let Some(name) = name else { return Ok(None) };
        let columns = if self.is_symbol(0, "(") { self.in_parentheses(Self::identifier)? } else { Vec::new() };
        Ok(Some(Alias { name, columns }))
    }
}
