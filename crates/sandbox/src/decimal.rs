//! Decimal numbers of up to 38 digits, as NUMERIC holds them.

use std::cmp::Ordering;
use std::fmt;

/// `unscaled · 10^-scale`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    pub(crate) unscaled: i128,
    pub(crate) scale: u32,
}

impl Decimal {
    pub(crate) const fn new(unscaled: i128, scale: u32) -> Self {
        Self { unscaled, scale }
    }

    /// Reads `-12.50` or `1.5e3`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let unscaled: i128 = digits.parse().ok()?;
        let scale = i32::try_from(fraction.len()).ok()? - exponent;
        if scale >= 0 {
            return Some(Self::new(unscaled, scale.unsigned_abs()));
        }
        Some(Self::new(unscaled.checked_mul(power(scale.unsigned_abs())?)?, 0))
    }

    /// The same number with `scale` digits after the point, rounded half up; `None` if it has too many digits.
    pub(crate) fn with_scale(self, scale: u32) -> Option<Self> {
        match scale.cmp(&self.scale) {
            Ordering::Equal => Some(self),
            Ordering::Greater => {
                let factor = power(scale - self.scale)?;
                Some(Self::new(self.unscaled.checked_mul(factor)?, scale))
            }
            Ordering::Less => {
                let divisor = power(self.scale - scale)?;
                let (quotient, rest) = (self.unscaled / divisor, self.unscaled % divisor);
                let up = i128::from(rest.abs() * 2 >= divisor) * self.unscaled.signum();
                Some(Self::new(quotient + up, scale))
            }
        }
    }

    /// Digits before and after the point together.
    pub(crate) fn precision(self) -> u32 {
        self.unscaled.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1)
    }

    pub(crate) fn to_f64(self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let scale = self.scale.max(other.scale);
        Some((self.with_scale(scale)?.unscaled, other.with_scale(scale)?.unscaled, scale))
    }

    pub(crate) fn add(self, other: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Self::new(left.checked_add(right)?, scale))
    }

    pub(crate) fn subtract(self, other: Self) -> Option<Self> {
        self.add(Self::new(-other.unscaled, other.scale))
    }

    pub(crate) fn multiply(self, other: Self) -> Option<Self> {
        Some(Self::new(self.unscaled.checked_mul(other.unscaled)?, self.scale + other.scale))
    }

    /// The quotient with ten more digits than the dividend has, without the zeros at its end; `None` for a zero divisor.
    pub(crate) fn divide(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale) + 10;
        let dividend = self.with_scale(scale + other.scale)?.unscaled;
        let mut found = Self::new(dividend.checked_div(other.unscaled)?, scale);
        while found.scale > 0 && found.unscaled % 10 == 0 {
            found = Self::new(found.unscaled / 10, found.scale - 1);
        }
        Some(found)
    }

    pub(crate) fn compare(self, other: Self) -> Ordering {
        match self.aligned(other) {
            Some((left, right, _)) => left.cmp(&right),
            None => self.to_f64().total_cmp(&other.to_f64()),
        }
    }
}

fn power(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.compare(*other) == Ordering::Equal
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.unscaled.unsigned_abs().to_string();
        let scale = self.scale as usize;
        let sign = if self.unscaled < 0 { "-" } else { "" };
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_and_shown_to_the_digit() {
        for (text, shown) in
            [("12.50", "12.50"), ("-0.005", "-0.005"), ("1e3", "1000"), ("1.5e-2", "0.015"), ("7", "7")]
        {
            assert_eq!(Decimal::parse(text).map(|number| number.to_string()).as_deref(), Some(shown));
        }
        let long = Decimal::parse("12345678901234.567891").unwrap();
        assert_eq!(long.to_string(), "12345678901234.567891");
        assert_eq!(long.with_scale(2).unwrap().to_string(), "12345678901234.57");
        let (one, eight) = (Decimal::parse("1.00").unwrap(), Decimal::parse("8").unwrap());
        assert_eq!(one.divide(eight).unwrap().to_string(), "0.125");
        assert!(one.divide(Decimal::new(0, 0)).is_none());
        assert_eq!(Decimal::parse("1.0"), Decimal::parse("1"));
        assert!(Decimal::parse("x").is_none());
    }
}
