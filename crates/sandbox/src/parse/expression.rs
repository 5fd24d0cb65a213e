//! Expressions by precedence.

use super::reader::Reader;
use crate::ast::Expr;
use crate::decimal::Decimal;
use crate::error::{Result, SqlError};
use crate::lexer::Token;
use crate::types::DataType;
use crate::value::Value;

/// Words that are functions without parentheses.
const BARE_FUNCTIONS: [&str; 7] =
    ["current_user", "session_user", "user", "current_timestamp", "current_schema", "current_role", "current_date"];

impl Reader<'_> {
    /// An expression.
    pub(super) fn expression(&mut self) -> Result<Expr> {
        let mut left = self.conjunction()?;
        while self.words("OR") {
            left = Expr::binary("OR", left, self.conjunction()?);
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expr> {
        let mut left = self.negation()?;
        while self.words("AND") {
            left = Expr::binary("AND", left, self.negation()?);
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expr> {
        if self.words("NOT") { Ok(Expr::Not(Box::new(self.negation()?))) } else { self.comparison() }
    }

    fn comparison(&mut self) -> Result<Expr> {
        let mut left = self.sum()?;
        loop {
            let op =
                ["=", "<>", "!=", "<=", ">=", "<", ">", "~*", "!~*", "!~", "~"].into_iter().find(|op| self.symbol(op));
            if let Some(op) = op {
                left = self.compared(left, if op == "!=" { "<>" } else { op })?;
                continue;
            }
            if self.words("IS NOT NULL") {
                left = Expr::Not(Box::new(Expr::IsNull(Box::new(left))));
            } else if self.words("IS NULL") {
                left = Expr::IsNull(Box::new(left));
            } else if self.is_word(0, "IS") && self.is_word(1, "NOT") {
                self.expect_words("IS NOT DISTINCT FROM")?;
                left = Expr::call("_is_not_distinct", vec![left, self.sum()?]);
            } else if self.words("IS DISTINCT FROM") {
                left = Expr::Not(Box::new(Expr::call("_is_not_distinct", vec![left, self.sum()?])));
            } else {
                let mark = self.mark();
                let negated = self.words("NOT");
                let Some(found) = self.membership(&left)? else {
                    self.back_to(mark);
                    return Ok(left);
                };
                left = if negated { Expr::Not(Box::new(found)) } else { found };
            }
        }
    }

    fn compared(&mut self, left: Expr, op: &'static str) -> Result<Expr> {
        let all = self.is_word(0, "ALL") && self.is_symbol(1, "(");
        if all || ((self.is_word(0, "ANY") || self.is_word(0, "SOME")) && self.is_symbol(1, "(")) {
            self.take();
            self.expect_symbol("(")?;
            let array =
                if self.is_word(0, "SELECT") { Expr::Query(Box::new(self.query()?)) } else { self.expression()? };
            self.expect_symbol(")")?;
            return Ok(Expr::Quantified { op, all, value: Box::new(left), array: Box::new(array) });
        }
        Ok(Expr::binary(op, left, self.sum()?))
    }

    /// IN, BETWEEN, LIKE and ILIKE.
    fn membership(&mut self, left: &Expr) -> Result<Option<Expr>> {
        let value = || Box::new(left.clone());
        if self.words("IN") {
            self.expect_symbol("(")?;
            if self.is_word(0, "SELECT") {
                let query = Box::new(self.query()?);
                self.expect_symbol(")")?;
                return Ok(Some(Expr::InQuery { value: value(), query }));
            }
            let list = self.list(Self::expression)?;
            self.expect_symbol(")")?;
            return Ok(Some(Expr::In { value: value(), list }));
        }
        if self.words("BETWEEN") {
            let low = self.sum()?;
            self.expect_words("AND")?;
            let high = self.sum()?;
            let (low, high) = (Expr::binary(">=", left.clone(), low), Expr::binary("<=", left.clone(), high));
            return Ok(Some(Expr::binary("AND", low, high)));
        }
        let op = if self.words("LIKE") {
            "LIKE"
        } else if self.words("ILIKE") {
            "ILIKE"
        } else {
            return Ok(None);
        };
        Ok(Some(self.compared(left.clone(), op)?))
    }

    fn sum(&mut self) -> Result<Expr> {
        let mut left = self.product()?;
        while let Some(op) = ["||", "+", "-"].into_iter().find(|op| self.symbol(op)) {
            left = Expr::binary(op, left, self.product()?);
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expr> {
        let mut left = self.signed()?;
        while let Some(op) = ["*", "/", "%"].into_iter().find(|op| self.symbol(op)) {
            left = Expr::binary(op, left, self.signed()?);
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Expr> {
        if !self.symbol("-") {
            self.symbol("+");
            return self.postfix();
        }
        Ok(match self.signed()? {
            Expr::Literal(Value::Int(number), data_type) => Expr::Literal(Value::Int(-number), data_type),
            Expr::Literal(Value::Float(number), data_type) => Expr::Literal(Value::Float(-number), data_type),
            Expr::Literal(Value::Numeric(number), data_type) => {
                Expr::Literal(Value::Numeric(Decimal::new(-number.unscaled, number.scale)), data_type)
            }
            other => Expr::Negate(Box::new(other)),
        })
    }

    fn postfix(&mut self) -> Result<Expr> {
        let mut found = self.primary()?;
        loop {
            if self.symbol("::") {
                found = Expr::Cast { value: Box::new(found), target: self.data_type()?, is_try: false };
            } else if self.symbol("[") {
                let index = self.expression()?;
                self.expect_symbol("]")?;
                found = Expr::Subscript(Box::new(found), Box::new(index));
            } else {
                return Ok(found);
            }
        }
    }

    fn primary(&mut self) -> Result<Expr> {
        match self.peek().cloned() {
            Some(Token::Text(text)) => Ok(self.constant(Value::Text(text), DataType::Text)),
            Some(Token::Bits(bits)) => {
                let length = u32::try_from(bits.len()).unwrap_or(u32::MAX);
                Ok(self.constant(Value::Bits(bits.chars().map(|bit| bit == '1').collect()), DataType::Bit(length)))
            }
            Some(Token::Number(number)) => {
                let (value, data_type) = number_literal(&number)?;
                Ok(self.constant(value, data_type))
            }
            Some(Token::Parameter(number)) => {
                self.take();
                Ok(Expr::Parameter(number))
            }
            Some(Token::Symbol("(")) => self.parenthesised(),
            Some(Token::Symbol("[")) => {
                self.take();
                self.items("]").map(Expr::Array)
            }
            Some(Token::Symbol("{")) => self.object_literal(),
            Some(Token::Word(word)) => self.word_expression(&word.to_lowercase()),
            Some(Token::Quoted(_)) => self.column(),
            _ => Err(self.unexpected()),
        }
    }

    fn constant(&mut self, value: Value, data_type: DataType) -> Expr {
        self.take();
        Expr::Literal(value, data_type)
    }

    fn parenthesised(&mut self) -> Result<Expr> {
        self.expect_symbol("(")?;
        let found = if self.is_word(0, "SELECT") { Expr::Query(Box::new(self.query()?)) } else { self.expression()? };
        self.expect_symbol(")")?;
        Ok(found)
    }

    fn items(&mut self, end: &str) -> Result<Vec<Expr>> {
        if self.symbol(end) {
            return Ok(Vec::new());
        }
        let items = self.list(Self::expression)?;
        self.expect_symbol(end)?;
        Ok(items)
    }

    fn object_literal(&mut self) -> Result<Expr> {
        self.expect_symbol("{")?;
        if self.symbol("}") {
            return Ok(Expr::Object(Vec::new()));
        }
        let fields = self.list(|reader| {
            let name = match reader.peek() {
                Some(Token::Text(name)) => {
                    let name = name.clone();
                    reader.take();
                    name
                }
                _ => reader.identifier()?,
            };
            if !reader.symbol("=") {
                reader.expect_symbol(":")?;
            }
            Ok((name, reader.expression()?))
        })?;
        self.expect_symbol("}")?;
        Ok(Expr::Object(fields))
    }

    fn word_expression(&mut self, word: &str) -> Result<Expr> {
        if self.is_symbol(1, "(") {
            match word {
                "cast" | "try_cast" => return self.cast(word == "try_cast"),
                "exists" => {
                    self.take();
                    self.expect_symbol("(")?;
                    let query = self.query()?;
                    self.expect_symbol(")")?;
                    return Ok(Expr::Exists(Box::new(query)));
                }
                "extract" => return self.extract(),
                "substring" => return self.substring(),
                "position" => return Err(SqlError::not_understood("position(…)")),
                _ => {}
            }
        }
        match word {
            "null" => Ok(self.constant(Value::Null, DataType::Undefined)),
            "true" | "false" => Ok(self.constant(Value::Bool(word == "true"), DataType::Boolean)),
            "case" => self.case(),
            "array" if self.is_symbol(1, "[") => {
                self.take();
                self.take();
                self.items("]").map(Expr::Array)
            }
            "interval" if matches!(self.tokens_ahead(1), Some(Token::Text(_))) => self.typed_text(DataType::Interval),
            "timestamp" if matches!(self.tokens_ahead(1), Some(Token::Text(_))) => self.typed_text(DataType::Timestamp),
            "date" if matches!(self.tokens_ahead(1), Some(Token::Text(_))) => self.typed_text(DataType::Timestamptz),
            bare if BARE_FUNCTIONS.contains(&bare) && !self.is_symbol(1, "(") && !self.is_symbol(1, ".") => {
                self.take();
                Ok(Expr::call(bare, Vec::new()))
            }
            _ => self.column(),
        }
    }

    fn tokens_ahead(&mut self, ahead: usize) -> Option<Token> {
        let mark = self.mark();
        for _ in 0..ahead {
            self.take();
        }
        let found = self.peek().cloned();
        self.back_to(mark);
        found
    }

    fn typed_text(&mut self, target: DataType) -> Result<Expr> {
        self.take();
        let value = self.primary()?;
        Ok(Expr::Cast { value: Box::new(value), target, is_try: false })
    }

    fn cast(&mut self, is_try: bool) -> Result<Expr> {
        self.take();
        self.expect_symbol("(")?;
        let value = Box::new(self.expression()?);
        self.expect_words("AS")?;
        let target = self.data_type()?;
        self.expect_symbol(")")?;
        Ok(Expr::Cast { value, target, is_try })
    }

    fn extract(&mut self) -> Result<Expr> {
        self.take();
        self.expect_symbol("(")?;
        let field = match self.take() {
            Some(Token::Text(field)) => field,
            Some(Token::Word(field)) => field.to_lowercase(),
            _ => return Err(self.unexpected()),
        };
        self.expect_words("FROM")?;
        let value = self.expression()?;
        self.expect_symbol(")")?;
        Ok(Expr::call("extract", vec![Expr::Literal(Value::Text(field), DataType::Text), value]))
    }

    fn substring(&mut self) -> Result<Expr> {
        self.take();
        self.expect_symbol("(")?;
        let mut arguments = vec![self.expression()?];
        for word in ["FROM", "FOR"] {
            if self.words(word) || self.symbol(",") {
                arguments.push(self.expression()?);
            }
        }
        self.expect_symbol(")")?;
        Ok(Expr::call("substr", arguments))
    }

    fn case(&mut self) -> Result<Expr> {
        self.take();
        let operand = if self.is_word(0, "WHEN") { None } else { Some(Box::new(self.expression()?)) };
        let mut branches = Vec::new();
        while self.words("WHEN") {
            let when = self.expression()?;
            self.expect_words("THEN")?;
            branches.push((when, self.expression()?));
        }
        let otherwise = if self.words("ELSE") { Some(Box::new(self.expression()?)) } else { None };
        self.expect_words("END")?;
        Ok(Expr::Case { operand, branches, otherwise })
    }

    /// A column, or a call of a function.
    fn column(&mut self) -> Result<Expr> {
        let name = self.name()?;
        if !self.symbol("(") {
            return Ok(Expr::Column(name));
        }
        let name = name.last().cloned().unwrap_or_default();
        if self.symbol("*") {
            self.expect_symbol(")")?;
            return Ok(Expr::Call { name, arguments: Vec::new(), star: true, distinct: false });
        }
        let distinct = self.words("DISTINCT");
        let arguments = self.items(")")?;
        Ok(Expr::Call { name, arguments, star: false, distinct })
    }
}

fn number_literal(text: &str) -> Result<(Value, DataType)> {
    if let Ok(number) = text.parse::<i64>() {
        let data_type = if i32::try_from(number).is_ok() { DataType::Integer } else { DataType::Bigint };
        return Ok((Value::Int(number), data_type));
    }
    if text.contains('e') || text.len() < 17 {
        let number = text.parse().map_err(|_| SqlError::syntax(format!("invalid number {text}")))?;
        return Ok((Value::Float(number), DataType::Double));
    }
    let number = Decimal::parse(text).ok_or_else(|| SqlError::syntax(format!("invalid number {text}")))?;
    Ok((Value::Numeric(number), DataType::Numeric(Some((number.precision(), number.scale)))))
}
