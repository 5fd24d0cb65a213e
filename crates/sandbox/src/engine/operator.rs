//! Operators: their types and what they do.

use std::cmp::Ordering;

use crate::cast::text_of;
use crate::decimal::Decimal;
use crate::error::{Result, SqlError};
use crate::types::DataType;
use crate::value::Value;

/// The most digits of a NUMERIC.
const MOST_DIGITS: u32 = 38;

/// Whether an operator compares.
pub(crate) fn is_comparison(op: &str) -> bool {
    matches!(op, "=" | "<>" | "<" | "<=" | ">" | ">=" | "LIKE" | "ILIKE" | "~" | "!~" | "~*" | "!~*")
}

/// Which of two types a value is converted to when both meet, the wider one.
fn rank(data_type: &DataType) -> u8 {
    match data_type {
        DataType::Undefined => 0,
        DataType::Text => 1,
        DataType::Varchar(_) | DataType::Character(_) => 2,
        DataType::Boolean => 3,
        DataType::Byte => 4,
        DataType::Smallint => 5,
        DataType::Integer | DataType::Regclass => 6,
        DataType::Bigint => 7,
        DataType::Numeric(_) => 8,
        DataType::Real => 9,
        DataType::Double => 10,
        _ => 11,
    }
}

/// The type in which two types are compared; `None` if they need no conversion.
pub(crate) fn common(left: &DataType, right: &DataType) -> Option<DataType> {
    (left != right).then(|| if rank(left) >= rank(right) { left.clone() } else { right.clone() })
}

/// The widest of some types.
pub(crate) fn widest<'a>(types: impl Iterator<Item = &'a DataType>) -> DataType {
    types.max_by_key(|data_type| rank(data_type)).cloned().unwrap_or(DataType::Undefined)
}

/// The type of the result of an operator that does not compare.
pub(crate) fn result(op: &str, left: &DataType, right: &DataType) -> Result<DataType> {
    use DataType::{Array, Double, Integer, Interval, Text, Timestamp, Timestamptz};
    if op == "||" {
        return Ok(match (left, right) {
            (Array(_), _) => left.clone(),
            (_, Array(_)) => right.clone(),
            _ => Text,
        });
    }
    match (left, right) {
        (Timestamptz | Timestamp, Interval) => Ok(left.clone()),
        (Interval, Timestamptz | Timestamp) if op == "+" => Ok(right.clone()),
        (Timestamptz | Timestamp, Timestamptz | Timestamp) if op == "-" => Ok(Interval),
        (Interval, Interval) => Ok(Interval),
        _ => {
            let wide = widest([left, right].into_iter());
            match wide {
                DataType::Undefined | DataType::Byte | DataType::Smallint => Ok(Integer),
                DataType::Numeric(limits) => Ok(DataType::Numeric(limits.map(|(_, scale)| (MOST_DIGITS, scale)))),
                Text => Ok(Double),
                Timestamptz | Timestamp => Ok(DataType::Bigint),
                wide if wide.is_number() => Ok(wide),
                wide => Err(SqlError::not_understood(format!("{op} of {} and {}", left.name(), wide.name()))),
            }
        }
    }
}

/// The result of a comparison; NULL where either side is.
pub(crate) fn compare(op: &str, left: &Value, right: &Value) -> Result<Value> {
    if left.is_null() || right.is_null() {
        return Ok(Value::Null);
    }
    let order = || left.order(right);
    Ok(Value::Bool(match op {
        "=" => order() == Ordering::Equal,
        "<>" => order() != Ordering::Equal,
        "<" => order() == Ordering::Less,
        "<=" => order() != Ordering::Greater,
        ">" => order() == Ordering::Greater,
        ">=" => order() != Ordering::Less,
        "LIKE" => like(&texts(left), &texts(right)),
        "ILIKE" => like(&texts(left).to_lowercase(), &texts(right).to_lowercase()),
        _ => return Err(SqlError::not_understood(format!("the operator {op}"))),
    }))
}

fn texts(value: &Value) -> String {
    text_of(value).unwrap_or_default()
}

/// LIKE: `%` for anything, `_` for one character, backslash before either.
fn like(text: &str, pattern: &str) -> bool {
    fn matches(text: &[char], pattern: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['%', rest @ ..] => (0..=text.len()).any(|start| matches(&text[start..], rest)),
            ['_', rest @ ..] => !text.is_empty() && matches(&text[1..], rest),
            ['\\', escaped, rest @ ..] => text.first() == Some(escaped) && matches(&text[1..], rest),
            [character, rest @ ..] => text.first() == Some(character) && matches(&text[1..], rest),
        }
    }
    matches(&text.chars().collect::<Vec<_>>(), &pattern.chars().collect::<Vec<_>>())
}

/// The result of an operator that does not compare.
pub(crate) fn apply(op: &str, left: Value, right: Value, result: &DataType) -> Result<Value> {
    if op == "||" {
        return Ok(concat(left, right));
    }
    if left.is_null() || right.is_null() {
        return Ok(Value::Null);
    }
    match result {
        DataType::Numeric(_) => decimal(op, &left, &right),
        DataType::Double | DataType::Real => float(op, &left, &right),
        DataType::Timestamptz | DataType::Timestamp => Ok(Value::Time(integer(op, &left, &right)?)),
        DataType::Interval => Ok(Value::Interval(integer(op, &left, &right)?)),
        _ => {
            let found = integer(op, &left, &right)?;
            let fits = *result != DataType::Integer || i32::try_from(found).is_ok();
            if fits { Ok(Value::Int(found)) } else { Err(SqlError::internal("integer overflow")) }
        }
    }
}

fn concat(left: Value, right: Value) -> Value {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => Value::Array([left, right].concat()),
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        (Value::Array(mut left), right) => {
            left.push(right);
            Value::Array(left)
        }
        (left, right) => Value::Text(format!("{}{}", texts(&left), texts(&right))),
    }
}

fn number(value: &Value) -> Result<i64> {
    match value {
        Value::Interval(number) => Ok(*number),
        other => other.as_int().ok_or_else(|| SqlError::internal(format!("{other:?} is not a number"))),
    }
}

fn integer(op: &str, left: &Value, right: &Value) -> Result<i64> {
    let (left, right) = (number(left)?, number(right)?);
    let found = match op {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "/" | "%" if right == 0 => return Err(SqlError::internal("/ by zero")),
        "/" => left.checked_div(right),
        "%" => left.checked_rem(right),
        _ => return Err(SqlError::not_understood(format!("the operator {op}"))),
    };
    found.ok_or_else(|| SqlError::internal("long overflow"))
}

fn float(op: &str, left: &Value, right: &Value) -> Result<Value> {
    let float = |value: &Value| match crate::cast::convert(value, &DataType::Double) {
        Some(Value::Float(number)) => Ok(number),
        _ => Err(SqlError::internal(format!(
            "Cannot cast value `{}` to type `double precision`",
            crate::cast::show(value)
        ))),
    };
    let (left, right) = (float(left)?, float(right)?);
    Ok(Value::Float(match op {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        "%" => left % right,
        _ => return Err(SqlError::not_understood(format!("the operator {op}"))),
    }))
}

fn decimal(op: &str, left: &Value, right: &Value) -> Result<Value> {
    let decimal = |value: &Value| match crate::cast::convert(value, &DataType::Numeric(None)) {
        Some(Value::Numeric(number)) => Ok(number),
        _ => Err(SqlError::internal("a number is expected")),
    };
    let (left, right): (Decimal, Decimal) = (decimal(left)?, decimal(right)?);
    let found = match op {
        "+" => left.add(right),
        "-" => left.subtract(right),
        "*" => left.multiply(right),
        "/" if right.unscaled == 0 => return Err(SqlError::internal("/ by zero")),
        "/" => left.divide(right),
        _ => return Err(SqlError::not_understood(format!("{op} of NUMERIC"))),
    };
    found.map(Value::Numeric).ok_or_else(|| SqlError::internal("numeric overflow"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match() {
        assert!(like("shop_orders", "shop\\_%") && !like("shopXorders", "shop\\_%"));
        assert!(like("a@b", "%@%") && like("abc", "a_c") && !like("abc", "a_"));
    }

    #[test]
    fn numbers_and_nulls_compute() {
        assert_eq!(apply("/", Value::Int(1), Value::Int(0), &DataType::Integer).unwrap_err().message, "/ by zero");
        assert_eq!(apply("+", Value::Int(1), Value::Null, &DataType::Integer), Ok(Value::Null));
        assert_eq!(compare("<", &Value::Int(1), &Value::Float(1.5)), Ok(Value::Bool(true)));
        assert_eq!(compare("=", &Value::Null, &Value::Null), Ok(Value::Null));
    }
}
