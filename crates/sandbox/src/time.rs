//! Points in time as milliseconds since 1970, and their texts. The calendar goes beyond the years that libraries know,
//! since CrateDB takes any number of milliseconds.

use jiff::civil::{Date, DateTime};
use jiff::{Span, Unit};

const DAY: i64 = 86_400_000;

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CalendarDay {
    year: i64,
    month: i64,
    number: i64,
}

impl CalendarDay {
    /// The day that begins so many days after 1970-01-01, in the calendar of today for all times.
    const fn of(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        Self { year, month, number: of_year - (153 * shifted_month + 2) / 5 + 1 }
    }

    /// Days since 1970-01-01.
    const fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = if self.month > 2 { self.month - 3 } else { self.month + 9 };
        let of_year = (153 * shifted_month + 2) / 5 + self.number - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
    }
}

/// Reads a timestamp: ISO 8601 in its usual forms, or a number of milliseconds. Without an offset it is in UTC; with
/// `keep_offset` false, an offset is dropped.
pub(crate) fn parse(text: &str, keep_offset: bool) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return (number.to_string().len() > 4).then_some(number);
    }
    let plain = text.trim_end_matches(['Z', 'z']);
    let (local, offset) = offset_at(plain).map_or((plain, ""), |at| plain.split_at(at));
    let civil = local.parse::<DateTime>().or_else(|_| local.parse::<Date>().map(DateTime::from)).ok()?;
    let day = CalendarDay { year: civil.year().into(), month: civil.month().into(), number: civil.day().into() };
    let seconds = i64::from(civil.hour()) * 3_600 + i64::from(civil.minute()) * 60 + i64::from(civil.second());
    let at = day.days() * DAY + seconds * 1_000 + i64::from(civil.subsec_nanosecond() / 1_000_000);
    Some(if keep_offset { at - offset_of(offset)? } else { at })
}

/// Where an offset begins: a sign after the time.
fn offset_at(text: &str) -> Option<usize> {
    let time = text.find(':')?;
    text[time..].find(['+', '-']).map(|at| at + time)
}

/// `+01`, `+0130` or `+01:30` in milliseconds.
fn offset_of(text: &str) -> Option<i64> {
    let Some(sign) = text.chars().next() else { return Some(0) };
    let digits: String = text[1..].chars().filter(|digit| *digit != ':').collect();
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { 0 } else { minutes.parse::<i64>().ok()? };
    let found = (hours.parse::<i64>().ok()? * 60 + minutes) * 60_000;
    Some(if sign == '-' { -found } else { found })
}

/// `2026-01-05 00:00:00.000`.
pub(crate) fn format(at: i64) -> String {
    let (day, rest) = (CalendarDay::of(at.div_euclid(DAY)), at.rem_euclid(DAY));
    let (seconds, milliseconds) = (rest / 1_000, rest % 1_000);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{milliseconds:03}",
        day.year,
        day.month,
        day.number,
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The start of the `unit` that a point in time lies in.
pub(crate) fn truncate(unit: &str, at: i64) -> Option<i64> {
    let days = at.div_euclid(DAY);
    let day = CalendarDay::of(days);
    let start = match unit.to_lowercase().as_str() {
        "second" => return Some(at - at.rem_euclid(1_000)),
        "minute" => return Some(at - at.rem_euclid(60_000)),
        "hour" => return Some(at - at.rem_euclid(3_600_000)),
        "day" => days,
        "week" => days - (days + 3).rem_euclid(7),
        "month" => CalendarDay { number: 1, ..day }.days(),
        "quarter" => CalendarDay { number: 1, month: (day.month - 1) / 3 * 3 + 1, ..day }.days(),
        "year" => CalendarDay { number: 1, month: 1, ..day }.days(),
        _ => return None,
    };
    Some(start * DAY)
}

/// A part of a point in time.
pub(crate) fn extract(field: &str, at: i64) -> Option<i64> {
    let (days, rest) = (at.div_euclid(DAY), at.rem_euclid(DAY));
    let day = CalendarDay::of(days);
    Some(match field.to_lowercase().as_str() {
        "year" => day.year,
        "quarter" => (day.month - 1) / 3 + 1,
        "month" => day.month,
        "day" | "day_of_month" => day.number,
        "day_of_week" | "dow" => (days + 3).rem_euclid(7) + 1,
        "day_of_year" | "doy" => days - CalendarDay { number: 1, month: 1, ..day }.days() + 1,
        "hour" => rest / 3_600_000,
        "minute" => rest / 60_000 % 60,
        "second" => rest / 1_000 % 60,
        "epoch" => at.div_euclid(1_000),
        _ => return None,
    })
}

/// Reads a length of time such as `10 seconds`, `1 day` or `PT1H`.
pub(crate) fn parse_interval(text: &str) -> Option<i64> {
    let span: Span = text.trim().parse().ok()?;
    let total = span.total((Unit::Millisecond, jiff::SpanRelativeTo::days_are_24_hours())).ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "intervals are short")]
    Some(total as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_in_every_usual_form() {
        for (text, shown) in [
            ("2026-01-05", "2026-01-05 00:00:00.000"),
            ("2026-01-05T10:00:00.5", "2026-01-05 10:00:00.500"),
            ("2026-01-05 10:00:00+01", "2026-01-05 09:00:00.000"),
            ("2026-01-05T10:00:00+0100", "2026-01-05 09:00:00.000"),
            ("2026-01-05T10:00:00Z", "2026-01-05 10:00:00.000"),
            ("1767571200000", "2026-01-05 00:00:00.000"),
            ("0001-01-01", "0001-01-01 00:00:00.000"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31 23:59:59.999"),
            ("-62135596800001", "0000-12-31 23:59:59.999"),
        ] {
            assert_eq!(parse(text, true).map(format).as_deref(), Some(shown), "{text}");
        }
        assert_eq!(parse("2026-01-05 10:00:00+01", false).map(format).as_deref(), Some("2026-01-05 10:00:00.000"));
        assert_eq!(parse("x", true), None);
        assert_eq!(parse_interval("10 seconds"), Some(10_000));
        assert_eq!(parse_interval("1 day"), Some(86_400_000));
    }

    #[test]
    fn units_begin_where_they_should() {
        let at = parse("2026-05-06T07:08:09.5", true).unwrap();
        for (unit, shown) in
            [("month", "2026-05-01"), ("quarter", "2026-04-01"), ("week", "2026-05-04"), ("year", "2026-01-01")]
        {
            assert_eq!(truncate(unit, at).map(format), Some(format!("{shown} 00:00:00.000")));
        }
    }
}
