//! Points in time, cut down to a unit of UTC, over all that 64 bits of milliseconds hold.

use transship_model::spec::TruncateTo;

use super::super::refusal::Refusal;
use super::super::value::Value;

const SECOND: i64 = 1000;
const DAY: i64 = 86_400 * SECOND;

pub(super) fn truncate(value: &Value<'_>, unit: TruncateTo) -> Result<Value<'static>, Refusal> {
    let Value::Time(millis) = value else { return Err(Refusal::OtherType) };
    cut(*millis, unit).map(Value::Time).ok_or(Refusal::OutOfRange)
}

/// The last moment of `unit` that is not after `millis`; `None` where it is before all that there is.
fn cut(millis: i64, unit: TruncateTo) -> Option<i64> {
    let down = |step: i64| millis.div_euclid(step).checked_mul(step);
    let days = millis.div_euclid(DAY);
    match unit {
        TruncateTo::Second => down(SECOND),
        TruncateTo::Minute => down(60 * SECOND),
        TruncateTo::Hour => down(3600 * SECOND),
        TruncateTo::Day => down(DAY),
        // 1970 began with a Thursday.
        TruncateTo::Week => ((days + 3).div_euclid(7) * 7 - 3).checked_mul(DAY),
        TruncateTo::Month | TruncateTo::Quarter | TruncateTo::Year => {
            let (year, month) = month_of(days);
            let month = match unit {
                TruncateTo::Month => month,
                TruncateTo::Quarter => month - (month - 1) % 3,
                _ => 1,
            };
            first_day(year, month).checked_mul(DAY)
        }
    }
}

/// Days in 400 years, after which the calendar is the same.
const ERA: i64 = 146_097;

/// Days from the first of March of the year 0 to 1970.
const TO_1970: i64 = 719_468;

/// The year and the month of a day, counted from 1970. Years begin with March, so that the day that some have comes last.
fn month_of(days: i64) -> (i64, i64) {
    let days = days + TO_1970;
    let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i64::from(month <= 2), month)
}

/// The first day of a month, counted from 1970.
fn first_day(year: i64, month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5;
    era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - TO_1970
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};
    use proptest::prelude::*;
    use transship_sql::scalar::millis;

    use super::*;

    const UNITS: [TruncateTo; 8] = [
        TruncateTo::Second,
        TruncateTo::Minute,
        TruncateTo::Hour,
        TruncateTo::Day,
        TruncateTo::Week,
        TruncateTo::Month,
        TruncateTo::Quarter,
        TruncateTo::Year,
    ];

    #[test]
    fn times_are_cut_down_in_utc() {
        let check = |time: &str, expected: [&str; 8]| {
            let found = UNITS.map(|unit| cut(millis(time).unwrap(), unit));
            assert_eq!(found, expected.map(|text| Some(millis(text).unwrap())), "{time}");
        };
        check(
            "2024-02-29T13:14:15.999Z",
            [
                "2024-02-29T13:14:15Z",
                "2024-02-29T13:14:00Z",
                "2024-02-29T13:00:00Z",
                "2024-02-29",
                "2024-02-26",
                "2024-02-01",
                "2024-01-01",
                "2024-01-01",
            ],
        );
        check(
            "1969-12-31T23:59:59.001Z",
            [
                "1969-12-31T23:59:59Z",
                "1969-12-31T23:59:00Z",
                "1969-12-31T23:00:00Z",
                "1969-12-31",
                "1969-12-29",
                "1969-12-01",
                "1969-10-01",
                "1969-01-01",
            ],
        );
        check(
            "0000-01-01T00:00:00.500Z",
            [
                "0000-01-01T00:00:00Z",
                "0000-01-01T00:00:00Z",
                "0000-01-01T00:00:00Z",
                "0000-01-01",
                "-000001-12-27",
                "0000-01-01",
                "0000-01-01",
                "0000-01-01",
            ],
        );
        assert_eq!(UNITS.map(|unit| cut(i64::MIN, unit)), [None; 8], "there is nothing before it");
        assert!(UNITS.iter().all(|unit| cut(i64::MAX, *unit).is_some()));
    }

    proptest! {
        #[test]
        fn cutting_again_changes_nothing(millis: i64, unit in 0..8_usize) {
            let Some(once) = cut(millis, UNITS[unit]) else { return Ok(()) };
            prop_assert!(once <= millis);
            prop_assert_eq!(cut(once, UNITS[unit]), Some(once));
        }

        #[test]
        fn months_are_those_of_the_calendar(millis in -377_000_000_000_000_i64..253_000_000_000_000) {
            let date = Timestamp::from_millisecond(millis).unwrap().to_zoned(TimeZone::UTC).date();
            let first = date.first_of_month().to_zoned(TimeZone::UTC).unwrap().timestamp().as_millisecond();
            prop_assert_eq!(cut(millis, TruncateTo::Month), Some(first));
        }
    }
}
