//! Scalar functions.

use md5::Digest as _;

use super::env::Env;
use crate::cast::{convert, text_of};
use crate::error::{Result, SqlError};
use crate::time;
use crate::types::DataType;
use crate::value::Value;

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Compare(&'static str),
    Operator(&'static str),
    Named(&'static str),
}

/// The names that are known, each with the type of its result where that is always the same.
const FIXED: [(&str, DataType); 35] = [
    ("repeat", DataType::Text),
    ("md5", DataType::Text),
    ("upper", DataType::Text),
    ("lower", DataType::Text),
    ("trim", DataType::Text),
    ("ltrim", DataType::Text),
    ("rtrim", DataType::Text),
    ("concat", DataType::Text),
    ("concat_ws", DataType::Text),
    ("substr", DataType::Text),
    ("left", DataType::Text),
    ("right", DataType::Text),
    ("replace", DataType::Text),
    ("reverse", DataType::Text),
    ("initcap", DataType::Text),
    ("split_part", DataType::Text),
    ("lpad", DataType::Text),
    ("rpad", DataType::Text),
    ("quote_ident", DataType::Text),
    ("version", DataType::Text),
    ("current_user", DataType::Text),
    ("session_user", DataType::Text),
    ("user", DataType::Text),
    ("current_role", DataType::Text),
    ("current_schema", DataType::Text),
    ("current_database", DataType::Text),
    ("length", DataType::Integer),
    ("char_length", DataType::Integer),
    ("octet_length", DataType::Integer),
    ("ascii", DataType::Integer),
    ("extract", DataType::Integer),
    ("array_length", DataType::Integer),
    ("now", DataType::Timestamptz),
    ("current_timestamp", DataType::Timestamptz),
    ("_is_not_distinct", DataType::Boolean),
];

/// Functions whose result has the type of an argument.
const OF_ARGUMENT: [(&str, usize); 10] = [
    ("coalesce", 0),
    ("nullif", 0),
    ("greatest", 0),
    ("least", 0),
    ("abs", 0),
    ("date_trunc", 1),
    ("date_bin", 1),
    ("mod", 0),
    ("array_cat", 0),
    ("array_unique", 0),
];

/// The function of a name, and the type of its result.
pub(crate) fn find(name: &str, arguments: &[DataType]) -> Option<(Function, DataType)> {
    if let Some((name, data_type)) = FIXED.iter().find(|(known, _)| *known == name) {
        return Some((Function::Named(name), data_type.clone()));
    }
    if let Some((name, at)) = OF_ARGUMENT.iter().find(|(known, _)| *known == name) {
        let data_type = match *name {
            "coalesce" | "greatest" | "least" => super::operator::widest(arguments.iter()),
            "date_trunc" => DataType::Timestamptz,
            _ => arguments.get(*at)?.clone(),
        };
        return Some((Function::Named(name), data_type));
    }
    match name {
        "round" | "ceil" | "floor" => {
            let name = ["round", "ceil", "floor"].into_iter().find(|known| *known == name)?;
            let data_type =
                if matches!(arguments.first()?, DataType::Real) { DataType::Integer } else { DataType::Bigint };
            Some((Function::Named(name), if arguments.len() > 1 { DataType::Double } else { data_type }))
        }
        _ => None,
    }
}

/// Calls a function.
pub(crate) fn call(name: &str, arguments: &[Value], result: &DataType, env: &Env<'_>) -> Result<Value> {
    if let Some(found) = of_session(name, env) {
        return Ok(found);
    }
    match name {
        "concat" => return Ok(Value::Text(arguments.iter().filter_map(text_of).collect())),
        "coalesce" => {
            let found = arguments.iter().find(|value| !value.is_null()).cloned().unwrap_or(Value::Null);
            return crate::cast::cast(&found, result);
        }
        "greatest" | "least" => {
            let known = arguments.iter().filter(|value| !value.is_null());
            let found = if name == "least" { known.min_by(|a, b| a.order(b)) } else { known.max_by(|a, b| a.order(b)) };
            return Ok(found.cloned().unwrap_or(Value::Null));
        }
        "nullif" => {
            let same = super::operator::compare("=", &arguments[0], &arguments[1])?;
            return Ok(if same.is_true() { Value::Null } else { arguments[0].clone() });
        }
        "_is_not_distinct" => return Ok(Value::Bool(arguments[0].order(&arguments[1]).is_eq())),
        "concat_ws" => {
            let Some(separator) = text_of(&arguments[0]) else { return Ok(Value::Null) };
            return Ok(Value::Text(arguments[1..].iter().filter_map(text_of).collect::<Vec<_>>().join(&separator)));
        }
        _ => {}
    }
    if arguments.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    let found = of_texts(name, arguments).or_else(|| of_numbers(name, arguments)).or_else(|| of_times(name, arguments));
    found.ok_or_else(|| SqlError::not_understood(format!("{name}({arguments:?})")))
}

fn of_session(name: &str, env: &Env<'_>) -> Option<Value> {
    Some(match name {
        "now" | "current_timestamp" => Value::Time(env.now),
        "current_user" | "session_user" | "user" | "current_role" => Value::text(&env.session.user),
        "current_schema" => Value::text(&env.session.schema),
        "current_database" => Value::text("crate"),
        "version" => Value::text(crate::VERSION_TEXT),
        _ => return None,
    })
}

fn of_texts(name: &str, arguments: &[Value]) -> Option<Value> {
    let text = text_of(arguments.first()?)?;
    let argument = |at: usize| arguments.get(at).and_then(text_of);
    let number = |at: usize| arguments.get(at).and_then(Value::as_int);
    Some(match name {
        "md5" => {
            let digest = md5::Md5::digest(text.as_bytes());
            Value::Text(digest.iter().map(|byte| format!("{byte:02x}")).collect())
        }
        "upper" => Value::Text(text.to_uppercase()),
        "lower" => Value::Text(text.to_lowercase()),
        "trim" => Value::text(text.trim()),
        "ltrim" => Value::text(text.trim_start()),
        "rtrim" => Value::text(text.trim_end()),
        "reverse" => Value::Text(text.chars().rev().collect()),
        "length" | "char_length" if !matches!(arguments[0], Value::Array(_)) => Value::count(text.chars().count()),
        "octet_length" => Value::count(text.len()),
        "ascii" => Value::Int(text.chars().next().map_or(0, |first| i64::from(u32::from(first)))),
        "left" => Value::Text(text.chars().take(usize::try_from(number(1)?).ok()?).collect()),
        "right" => {
            let skip = text.chars().count().saturating_sub(usize::try_from(number(1)?).ok()?);
            Value::Text(text.chars().skip(skip).collect())
        }
        "replace" => Value::Text(text.replace(&argument(1)?, &argument(2)?)),
        "repeat" => Value::Text(text.repeat(usize::try_from(number(1)?).ok()?)),
        "quote_ident" => Value::Text(crate::print::quote(&text)),
        "initcap" => Value::Text(capitals(&text)),
        "split_part" => {
            let at = usize::try_from(number(2)?.checked_sub(1)?).ok()?;
            Value::text(text.split(argument(1)?.as_str()).nth(at).unwrap_or_default())
        }
        "lpad" | "rpad" => {
            let (length, fill) = (usize::try_from(number(1)?).ok()?, argument(2).unwrap_or_else(|| " ".to_owned()));
            let missing = length.saturating_sub(text.chars().count());
            let pad: String = fill.chars().cycle().take(missing).collect();
            let padded = if name == "lpad" { format!("{pad}{text}") } else { format!("{text}{pad}") };
            Value::Text(padded.chars().take(length).collect())
        }
        "substr" => {
            let from = usize::try_from(number(1)?.max(1) - 1).ok()?;
            let length = if arguments.len() > 2 { usize::try_from(number(2)?).ok()? } else { usize::MAX };
            Value::Text(text.chars().skip(from).take(length).collect())
        }
        _ => return None,
    })
}

fn capitals(text: &str) -> String {
    let mut found = String::new();
    let mut is_start = true;
    for character in text.chars() {
        found.extend(if is_start {
            character.to_uppercase().collect::<Vec<_>>()
        } else {
            character.to_lowercase().collect()
        });
        is_start = !character.is_alphanumeric();
    }
    found
}

#[expect(clippy::cast_possible_truncation, reason = "CrateDB rounds to whole numbers too")]
fn of_numbers(name: &str, arguments: &[Value]) -> Option<Value> {
    let first = arguments.first()?;
    match (name, first) {
        ("abs", Value::Int(number)) => Some(Value::Int(number.abs())),
        ("abs", Value::Float(number)) => Some(Value::Float(number.abs())),
        ("round", _) if arguments.len() > 1 => {
            let factor = 10_f64.powi(i32::try_from(arguments[1].as_int()?).ok()?);
            Some(Value::Float((first.as_float()? * factor).round() / factor))
        }
        ("round", _) => Some(Value::Int(first.as_float()?.round() as i64)),
        ("ceil", _) => Some(Value::Int(first.as_float()?.ceil() as i64)),
        ("floor", _) => Some(Value::Int(first.as_float()?.floor() as i64)),
        ("mod", _) => first.as_int()?.checked_rem(arguments.get(1)?.as_int()?).map(Value::Int),
        ("array_length", Value::Array(items)) => {
            Some(if items.is_empty() { Value::Null } else { Value::count(items.len()) })
        }
        ("array_cat", Value::Array(items)) => match arguments.get(1)? {
            Value::Array(more) => Some(Value::Array([items.clone(), more.clone()].concat())),
            _ => None,
        },
        ("array_unique", Value::Array(items)) => {
            let mut found: Vec<Value> = Vec::new();
            for item in items {
                if !found.contains(item) {
                    found.push(item.clone());
                }
            }
            Some(Value::Array(found))
        }
        _ => None,
    }
}

fn of_times(name: &str, arguments: &[Value]) -> Option<Value> {
    let at = || match convert(arguments.get(1)?, &DataType::Timestamptz)? {
        Value::Time(at) => Some(at),
        _ => None,
    };
    match name {
        "date_trunc" => time::truncate(arguments[0].as_text()?, at()?).map(Value::Time),
        "extract" => time::extract(arguments[0].as_text()?, at()?).map(Value::Int),
        "date_bin" => {
            let Value::Interval(width) = convert(arguments.first()?, &DataType::Interval)? else { return None };
            let origin = arguments.get(2).and_then(Value::as_int).unwrap_or(0);
            Some(Value::Time(at()? - (at()? - origin).rem_euclid(width.max(1))))
        }
        _ => None,
    }
}
