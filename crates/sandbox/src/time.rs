//! Points in time as milliseconds since 1970, and their texts.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Unit};

/// Reads a timestamp: ISO 8601 in its usual forms, or a number of milliseconds. Without an offset it is in UTC; with
/// `keep_offset` false, an offset is dropped.
pub(crate) fn parse(text: &str, keep_offset: bool) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return (number.to_string().len() > 4).then_some(number);
    }
    if keep_offset {
        let padded = pad_offset(text);
        if let Ok(timestamp) = padded.parse::<Timestamp>() {
            return Some(timestamp.as_millisecond());
        }
    }
    let local = text.trim_end_matches(['Z', 'z']);
    let local = offset_at(local).map_or(local, |at| &local[..at]);
    let civil =
        local.parse::<DateTime>().ok().or_else(|| Some(local.parse::<Date>().ok()?.to_datetime(Time::default())))?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// `+00` and `+0100` become `+00:00` and `+01:00`.
fn pad_offset(text: &str) -> String {
    match offset_at(text) {
        Some(at) if text.len() - at == 3 => format!("{text}:00"),
        Some(at) if text.len() - at == 5 && !text[at..].contains(':') => {
            format!("{}:{}", &text[..at + 3], &text[at + 3..])
        }
        _ => text.to_owned(),
    }
}

fn offset_at(text: &str) -> Option<usize> {
    let time = text.find([':'])?;
    text[time..].find(['+', '-']).map(|at| at + time)
}

/// `2026-01-05 00:00:00.000`.
pub(crate) fn format(milliseconds: i64) -> String {
    match civil(milliseconds) {
        Some(civil) => civil.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string(),
        None => milliseconds.to_string(),
    }
}

fn civil(milliseconds: i64) -> Option<DateTime> {
    Some(TimeZone::UTC.to_datetime(Timestamp::from_millisecond(milliseconds).ok()?))
}

fn milliseconds(civil: DateTime) -> Option<i64> {
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// The start of the `unit` that a point in time lies in.
pub(crate) fn truncate(unit: &str, at: i64) -> Option<i64> {
    let found = civil(at)?;
    let day = found.date();
    let start = match unit.to_lowercase().as_str() {
        "second" => return Some(at - at.rem_euclid(1_000)),
        "minute" => return Some(at - at.rem_euclid(60_000)),
        "hour" => return Some(at - at.rem_euclid(3_600_000)),
        "day" => day,
        "week" => day.checked_sub(Span::new().days(day.weekday().to_monday_zero_offset())).ok()?,
        "month" => day.first_of_month(),
        "quarter" => Date::new(day.year(), (day.month() - 1) / 3 * 3 + 1, 1).ok()?,
        "year" => day.first_of_year(),
        _ => return None,
    };
    milliseconds(start.to_datetime(Time::default()))
}

/// A part of a point in time.
pub(crate) fn extract(field: &str, at: i64) -> Option<i64> {
    let found = civil(at)?;
    Some(match field.to_lowercase().as_str() {
        "year" => found.year().into(),
        "quarter" => i64::from((found.month() - 1) / 3 + 1),
        "month" => found.month().into(),
        "week" => found.date().iso_week_date().week().into(),
        "day" | "day_of_month" => found.day().into(),
        "day_of_week" | "dow" => found.weekday().to_monday_one_offset().into(),
        "day_of_year" | "doy" => found.day_of_year().into(),
        "hour" => found.hour().into(),
        "minute" => found.minute().into(),
        "second" => found.second().into(),
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
