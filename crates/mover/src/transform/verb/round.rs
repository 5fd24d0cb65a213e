//! Numbers rounded to decimals, half away from zero: what the digits that people see say, whatever the bits are.

use super::super::decimal::Decimal;
use super::super::refusal::Refusal;
use super::super::value::Value;

pub(super) fn round(value: Value<'_>, decimals: i8) -> Result<Value<'_>, Refusal> {
    Ok(match value {
        Value::Whole(number) if decimals < 0 => {
            Value::Whole(Decimal::of_whole(number).round(decimals).whole().ok_or(Refusal::OutOfRange)?)
        }
        Value::Whole(_) => value,
        Value::Numeric(number) => Value::Numeric(number.round(decimals)),
        // Infinity and NaN are what they are.
        Value::Real(number) if !number.is_finite() => value,
        Value::Double(number) if !number.is_finite() => value,
        Value::Real(number) => Value::Real(rounded(&number.to_string(), decimals)?),
        Value::Double(number) => Value::Double(rounded(&number.to_string(), decimals)?),
        _ => return Err(Refusal::OtherType),
    })
}

/// The number that is nearest to the shortest digits of another, rounded.
fn rounded<T: std::str::FromStr>(shortest: &str, decimals: i8) -> Result<T, Refusal> {
    let decimal = Decimal::of_text(shortest).ok_or(Refusal::OtherType)?.round(decimals);
    decimal.to_string().parse().map_err(|_| Refusal::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_type_are_rounded() {
        let double = |number: f64, decimals| round(Value::Double(number), decimals);
        assert_eq!(double(2.5, 0), Ok(Value::Double(3.0)));
        assert_eq!(double(-2.5, 0), Ok(Value::Double(-3.0)));
        assert_eq!(double(2.675, 2), Ok(Value::Double(2.68)), "by its digits, not by its bits");
        assert_eq!(double(1e300, 2), Ok(Value::Double(1e300)));
        assert_eq!(double(4.9e-324, 18), Ok(Value::Double(0.0)));
        assert_eq!(double(f64::INFINITY, 2), Ok(Value::Double(f64::INFINITY)));
        assert_eq!(double(1234.5, -2), Ok(Value::Double(1200.0)));
        assert_eq!(round(Value::Real(0.15), 1), Ok(Value::Real(0.2)));
        let whole = |number: i64, decimals| round(Value::Whole(number), decimals);
        assert_eq!(whole(7, 3), Ok(Value::Whole(7)));
        assert_eq!(whole(-1250, -2), Ok(Value::Whole(-1300)));
        assert_eq!(whole(i64::MAX, -1), Err(Refusal::OutOfRange));
        assert_eq!(whole(i64::MAX, -18), Ok(Value::Whole(9_000_000_000_000_000_000)));
        assert_eq!(round(Value::Text("1".into()), 0), Err(Refusal::OtherType));
    }
}
