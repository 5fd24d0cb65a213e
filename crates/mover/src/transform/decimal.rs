//! `NUMERIC` values, digit by digit: nothing is lost on the way through.

use bytes::{Buf as _, BufMut as _};

/// A number as its digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    /// All digits, the whole ones first, without zeros before them; as many of the last as `scale` says are decimals.
    digits: Vec<u8>,
    scale: usize,
}

/// The sign of a negative number on the wire.
const NEGATIVE: u16 = 0x4000;

/// How many digits the wire puts into one of its own.
const GROUP: usize = 4;

impl Decimal {
    fn new(negative: bool, mut digits: Vec<u8>, scale: usize) -> Self {
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..zeros.min(digits.len().saturating_sub(scale)));
        while digits.len() < scale {
            digits.insert(0, 0);
        }
        let negative = negative && digits.iter().any(|digit| *digit != 0);
        Self { negative, digits, scale }
    }

    /// Reads the binary form: how many groups of four digits, the weight of the first, the sign, how many decimals to show.
    pub(crate) fn of_wire(mut cell: &[u8]) -> Option<Self> {
        if cell.len() < 8 {
            return None;
        }
        let (groups, weight) = (usize::try_from(cell.get_i16()).ok()?, i64::from(cell.get_i16()));
        let (sign, scale) = (cell.get_u16(), usize::from(cell.get_u16()));
        if cell.len() != groups * 2 || (sign != 0 && sign != NEGATIVE) {
            return None;
        }
        let mut group = |at: i64| -> u16 {
            // Groups are asked for from the left, each once.
            if at > weight || at <= weight - i64::try_from(groups).unwrap_or(i64::MAX) { 0 } else { cell.get_u16() }
        };
        let first = weight.max(0);
        let last = -i64::try_from(scale.div_ceil(GROUP)).ok()?;
        let mut digits = Vec::new();
        for at in (last..=first).rev() {
            let group = group(at);
            digits.extend([1000, 100, 10, 1].map(|unit| u8::try_from(group / unit % 10).unwrap_or(0)));
        }
        digits.truncate(digits.len() - (scale.div_ceil(GROUP) * GROUP - scale));
        Some(Self::new(sign == NEGATIVE, digits, scale))
    }

    /// Reads digits with a point among them, perhaps.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        if !transship_sql::scalar::is_decimal(text) {
            return None;
        }
        let (negative, digits) = (text.starts_with('-'), text.trim_start_matches(['-', '+']));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let digits = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
        Some(Self::new(negative, digits, fraction.len()))
    }

    pub(crate) fn of_whole(number: i64) -> Self {
        let digits = number.unsigned_abs().to_string().bytes().map(|byte| byte - b'0').collect();
        Self::new(number < 0, digits, 0)
    }

    /// The whole number that it is; `None` for one with decimals, or beyond 64 bits.
    pub(crate) fn whole(&self) -> Option<i64> {
        let (whole, fraction) = self.digits.split_at(self.digits.len() - self.scale);
        let sign = if self.negative { -1 } else { 1 };
        let next = |number: i64, digit: &u8| number.checked_mul(10)?.checked_add(sign * i64::from(*digit));
        let number = whole.iter().try_fold(0_i64, next)?;
        fraction.iter().all(|digit| *digit == 0).then_some(number)
    }

    /// Rounded to so many decimals, half away from zero.
    pub(crate) fn round(self, decimals: i8) -> Self {
        let keep = isize::from(decimals);
        let (scale, length) = (isize::try_from(self.scale).unwrap_or(isize::MAX), self.digits.len());
        if keep >= scale {
            return self;
        }
        let dropped = usize::try_from(scale - keep).unwrap_or(usize::MAX);
        let mut digits = self.digits[..length.saturating_sub(dropped)].to_vec();
        let is_up = dropped <= length && self.digits[length - dropped] >= 5;
        if is_up {
            increment(&mut digits);
        }
        let zeros = usize::try_from(-keep).unwrap_or(0);
        digits.extend(std::iter::repeat_n(0, zeros));
        Self::new(self.negative, digits, usize::try_from(keep).unwrap_or(0))
    }

    /// As a value of `NUMERIC` with these lengths; `None` where it has more digits than that.
    pub(crate) fn within(mut self, sizes: &[u32]) -> Option<Self> {
        let Some(precision) = sizes.first() else { return Some(self) };
        let scale = sizes.get(1).copied().unwrap_or(0) as usize;
        while self.scale > scale && self.digits.last() == Some(&0) {
            self.digits.pop();
            self.scale -= 1;
        }
        if self.scale > scale {
            return None;
        }
        self.digits.extend(std::iter::repeat_n(0, scale - self.scale));
        let decimal = Self::new(self.negative, self.digits, scale);
        let significant = decimal.digits.iter().skip_while(|digit| **digit == 0).count();
        (significant <= *precision as usize).then_some(decimal)
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let whole = self.digits.len() - self.scale;
        let mut digits = vec![0; whole.div_ceil(GROUP) * GROUP - whole];
        digits.extend_from_slice(&self.digits);
        digits.resize(digits.len().next_multiple_of(GROUP), 0);
        let mut groups: Vec<u16> =
            digits.chunks(GROUP).map(|four| four.iter().fold(0, |sum, it| sum * 10 + u16::from(*it))).collect();
        let mut weight = i16::try_from(whole.div_ceil(GROUP)).unwrap_or(i16::MAX) - 1;
        let zeros = groups.iter().take_while(|group| **group == 0).count();
        groups.drain(..zeros);
        weight -= i16::try_from(zeros).unwrap_or(i16::MAX);
        while groups.last() == Some(&0) {
            groups.pop();
        }
        if groups.is_empty() {
            weight = 0;
        }
        out.put_i16(i16::try_from(groups.len()).unwrap_or(i16::MAX));
        out.put_i16(weight);
        out.put_u16(if self.negative { NEGATIVE } else { 0 });
        out.put_u16(u16::try_from(self.scale).unwrap_or(u16::MAX));
        for group in groups {
            out.put_u16(group);
        }
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |digits: &[u8]| digits.iter().map(|digit| char::from(b'0' + digit)).collect::<String>();
        let (whole, fraction) = self.digits.split_at(self.digits.len() - self.scale);
        let sign = if self.negative { "-" } else { "" };
        let whole = if whole.is_empty() { "0".to_owned() } else { text(whole) };
        if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{}", text(fraction)) }
    }
}

/// Adds one to the last digit.
fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    digits.insert(0, 1);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::of_text(text).expect("a number")
    }

    #[test]
    fn numbers_are_rounded_half_away_from_zero() {
        for (text, decimals, expected) in [
            ("2.5", 0, "3"),
            ("-2.5", 0, "-3"),
            ("2.4999999999999999999", 0, "2"),
            ("0.005", 2, "0.01"),
            ("-0.004", 2, "0.00"),
            ("999.995", 2, "1000.00"),
            ("12345.678", -2, "12300"),
            ("50", -2, "100"),
            ("49", -2, "0"),
            ("5", -3, "0"),
            ("1.5", 4, "1.5"),
            ("99999999999999999999999999999999999999", -1, "100000000000000000000000000000000000000"),
        ] {
            assert_eq!(decimal(text).round(decimals).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn limits_are_kept() {
        let within = |text: &str, sizes: &[u32]| decimal(text).within(sizes).map(|it| it.to_string());
        assert_eq!(within("1.50", &[3, 1]).as_deref(), Some("1.5"));
        assert_eq!(within("1.5", &[5, 3]).as_deref(), Some("1.500"));
        assert_eq!(within("1.55", &[5, 1]), None);
        assert_eq!(within("100", &[3, 1]), None);
        assert_eq!(within("0.001", &[3, 3]).as_deref(), Some("0.001"));
        assert_eq!(decimal("9223372036854775807").whole(), Some(i64::MAX));
        assert_eq!(decimal("-9223372036854775808.00").whole(), Some(i64::MIN));
        assert_eq!(decimal("9223372036854775808").whole(), None);
        assert_eq!(decimal("0.5").whole(), None);
    }

    proptest! {
        #[test]
        fn the_wire_keeps_every_digit(text in "-?[1-9]?[0-9]{0,30}\\.?[0-9]{1,20}") {
            let number = decimal(&text);
            let mut cell = Vec::new();
            number.put(&mut cell);
            prop_assert_eq!(Decimal::of_wire(&cell), Some(number));
        }

        #[test]
        fn the_wire_is_that_of_others(text in "-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,20}") {
            use tokio_postgres::types::{FromSql as _, Type};
            let mut cell = Vec::new();
            decimal(&text).put(&mut cell);
            let read = transship_cluster::Value::from_sql(&Type::NUMERIC, &cell).expect("a cell");
            prop_assert_eq!(read, transship_cluster::Value::Text(decimal(&text).to_string()));
        }

        #[test]
        fn rounding_again_changes_nothing(text in "-?[0-9]{1,20}\\.[0-9]{1,20}", decimals in -18_i8..=18) {
            let once = decimal(&text).round(decimals);
            prop_assert_eq!(once.clone().round(decimals), once);
        }
    }
}
