//! Values as such of another type: exactly, or not at all.

use transship_sql::scalar::{self, Kind, ScalarType};

use super::super::decimal::Decimal;
use super::super::refusal::Refusal;
use super::super::value::Value;

pub(crate) fn cast<'a>(value: Value<'a>, to: &ScalarType) -> Result<Value<'a>, Refusal> {
    match to.kind {
        Kind::Boolean => boolean(&value),
        Kind::Real => real(&value),
        Kind::Double => double(&value),
        Kind::Numeric => numeric(&value, to),
        Kind::Text => text(value, to),
        Kind::Uuid | Kind::Ip => match value {
            Value::Text(_) => Ok(value),
            _ => Err(Refusal::OtherType),
        },
        Kind::Time => time(&value),
        Kind::Byte | Kind::Smallint | Kind::Integer | Kind::Bigint => whole(&value, to.kind),
    }
}

fn boolean(value: &Value<'_>) -> Result<Value<'static>, Refusal> {
    match value {
        Value::Bool(value) => Ok(Value::Bool(*value)),
        Value::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" => Ok(Value::Bool(true)),
            "false" | "f" => Ok(Value::Bool(false)),
            _ => Err(Refusal::Form),
        },
        _ => Err(Refusal::OtherType),
    }
}

fn whole(value: &Value<'_>, kind: Kind) -> Result<Value<'static>, Refusal> {
    let number = match value {
        Value::Whole(number) | Value::Time(number) => *number,
        Value::Text(text) => text.parse().map_err(|_| Refusal::Form)?,
        Value::Numeric(number) => of_decimal(number)?,
        Value::Double(number) => of_decimal(&digits(*number)?)?,
        Value::Real(number) => of_decimal(&digits(f64::from(*number))?)?,
        Value::Bool(_) | Value::Other => return Err(Refusal::OtherType),
    };
    let (least, most) = kind.whole_range().ok_or(Refusal::OtherType)?;
    if (least..=most).contains(&number) { Ok(Value::Whole(number)) } else { Err(Refusal::OutOfRange) }
}

fn of_decimal(number: &Decimal) -> Result<i64, Refusal> {
    let has_fraction = number.clone().round(0).to_string().parse::<f64>() != number.to_string().parse::<f64>();
    number.whole().ok_or(if has_fraction { Refusal::Fraction } else { Refusal::OutOfRange })
}

/// The shortest digits that are the number.
fn digits(number: f64) -> Result<Decimal, Refusal> {
    Decimal::of_text(&number.to_string()).ok_or(Refusal::OutOfRange)
}

fn double(value: &Value<'_>) -> Result<Value<'static>, Refusal> {
    Ok(Value::Double(match value {
        Value::Double(number) => *number,
        Value::Real(number) => f64::from(*number),
        Value::Whole(number) => number.to_string().parse().map_err(|_| Refusal::Form)?,
        Value::Numeric(number) => finite(number.to_string().parse().map_err(|_| Refusal::Form)?)?,
        Value::Text(text) => finite(number(text)?)?,
        _ => return Err(Refusal::OtherType),
    }))
}

/// What digits say is finite: one that is not has grown too large.
fn finite(number: f64) -> Result<f64, Refusal> {
    if number.is_finite() { Ok(number) } else { Err(Refusal::OutOfRange) }
}

fn real(value: &Value<'_>) -> Result<Value<'static>, Refusal> {
    let number = match value {
        Value::Real(number) => *number,
        Value::Text(text) => number(text)?,
        #[expect(clippy::cast_possible_truncation, reason = "the nearest number of 32 bits is what is meant")]
        Value::Double(number) => *number as f32,
        Value::Whole(number) => number.to_string().parse().map_err(|_| Refusal::Form)?,
        Value::Numeric(number) => number.to_string().parse().map_err(|_| Refusal::Form)?,
        _ => return Err(Refusal::OtherType),
    };
    let was_finite = !matches!(value, Value::Double(number) if !number.is_finite())
        && !matches!(value, Value::Real(number) if !number.is_finite());
    if was_finite && !number.is_finite() { Err(Refusal::OutOfRange) } else { Ok(Value::Real(number)) }
}

/// A number of a text: without the spaces and words that other programs take for one.
fn number<T: std::str::FromStr>(text: &str) -> Result<T, Refusal> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if is_plain { text.parse().map_err(|_| Refusal::Form) } else { Err(Refusal::Form) }
}

fn numeric(value: &Value<'_>, to: &ScalarType) -> Result<Value<'static>, Refusal> {
    let decimal = match value {
        Value::Numeric(number) => number.clone(),
        Value::Whole(number) => Decimal::of_whole(*number),
        Value::Text(text) => Decimal::of_text(text).ok_or(Refusal::Form)?,
        Value::Double(number) => digits(*number)?,
        Value::Real(number) => Decimal::of_text(&number.to_string()).ok_or(Refusal::OutOfRange)?,
        _ => return Err(Refusal::OtherType),
    };
    let scale = to.sizes.get(1).copied().unwrap_or(0);
    let rounds = !to.sizes.is_empty() && decimal.clone().within(&[u32::MAX, scale]).is_none();
    let refusal = if rounds { Refusal::Fraction } else { Refusal::OutOfRange };
    decimal.within(&to.sizes).map(Value::Numeric).ok_or(refusal)
}

fn text<'a>(value: Value<'a>, to: &ScalarType) -> Result<Value<'a>, Refusal> {
    let value = match value {
        Value::Text(_) => value,
        other => Value::Text(other.text().ok_or(Refusal::OtherType)?.into_owned().into()),
    };
    let length = if let Value::Text(text) = &value { text.chars().count() } else { 0 };
    if to.sizes.first().is_some_and(|most| length > *most as usize) { Err(Refusal::TooLong) } else { Ok(value) }
}

fn time(value: &Value<'_>) -> Result<Value<'static>, Refusal> {
    match value {
        Value::Time(millis) | Value::Whole(millis) => Ok(Value::Time(*millis)),
        Value::Text(text) => scalar::millis(text).map(Value::Time).ok_or(Refusal::Form),
        _ => Err(Refusal::OtherType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "each case is a line")]
    fn check(value: Value<'static>, to: &str, expected: Result<Value<'static>, Refusal>) {
        let to = ScalarType::read(to).expect("a type");
        assert_eq!(cast(value.clone(), &to), expected, "{value:?} to {to:?}");
    }

    fn text(text: &'static str) -> Value<'static> {
        Value::Text(text.into())
    }

    fn numeric(text: &str) -> Value<'static> {
        Value::Numeric(Decimal::of_text(text).expect("a number"))
    }

    #[test]
    fn numbers_are_cast_exactly_or_not_at_all() {
        check(text("-128"), "byte", Ok(Value::Whole(-128)));
        check(text("128"), "byte", Err(Refusal::OutOfRange));
        check(text("12 "), "integer", Err(Refusal::Form));
        check(Value::Double(3.0), "integer", Ok(Value::Whole(3)));
        check(Value::Double(3.5), "integer", Err(Refusal::Fraction));
        check(Value::Double(1e19), "bigint", Err(Refusal::OutOfRange));
        check(Value::Double(f64::NAN), "bigint", Err(Refusal::OutOfRange));
        check(numeric("9223372036854775807.0"), "bigint", Ok(Value::Whole(i64::MAX)));
        check(numeric("1.5"), "bigint", Err(Refusal::Fraction));
        check(numeric("1.5"), "double", Ok(Value::Double(1.5)));
        check(Value::Double(0.1), "numeric(3,2)", Ok(numeric("0.10")));
        check(Value::Double(0.125), "numeric(3,2)", Err(Refusal::Fraction));
        check(Value::Whole(1000), "numeric(3)", Err(Refusal::OutOfRange));
        check(Value::Double(1e39), "real", Err(Refusal::OutOfRange));
        check(text("1e2"), "double", Ok(Value::Double(100.0)));
        check(text("inf"), "double", Err(Refusal::Form));
    }

    #[test]
    fn texts_and_times_are_cast() {
        check(Value::Whole(7), "text", Ok(text("7")));
        check(numeric("1.50"), "text", Ok(text("1.50")));
        check(Value::Time(-1), "text", Ok(text("-1")));
        check(Value::Double(1.0), "text", Err(Refusal::OtherType));
        check(text("äöü"), "varchar(3)", Ok(text("äöü")));
        check(text("äöü!"), "varchar(3)", Err(Refusal::TooLong));
        check(text("2024-02-29"), "timestamp", Ok(Value::Time(1_709_164_800_000)));
        check(text("2023-02-29"), "timestamp", Err(Refusal::Form));
        check(Value::Whole(-1), "timestamp", Ok(Value::Time(-1)));
        check(text("TRUE"), "boolean", Ok(Value::Bool(true)));
        check(text("yes"), "boolean", Err(Refusal::Form));
        check(Value::Whole(1), "boolean", Err(Refusal::OtherType));
    }
}
