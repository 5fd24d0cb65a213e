//! Spans of time as a spec writes them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A span such as `24h`, `90s`, `1h30m` or `250ms`; units `ms`, `s`, `m`, `h`, `d` (24 hours), `w`. Kept in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeSpan {
    milliseconds: u64,
}

const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl TimeSpan {
    /// A span of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self { milliseconds: seconds.saturating_mul(1_000) }
    }

    /// The span in milliseconds.
    pub const fn as_milliseconds(self) -> u64 {
        self.milliseconds
    }

    /// The span for timers.
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

impl FromStr for TimeSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem =
            || format!("`{text}` is not a span of time: write `24h`, `90s`, `1h30m`; units are ms, s, m, h, d, w");
        let mut rest = text;
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(problem)?;
            let (number, tail) = rest.split_at(digits);
            let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, next) = tail.split_at(end);
            let scale = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(problem)?.1;
            let number: u64 = number.parse().map_err(|_| problem())?;
            total = number.checked_mul(scale).and_then(|ms| total.checked_add(ms)).ok_or_else(problem)?;
            rest = next;
        }
        if total == 0 { Err(problem()) } else { Ok(Self { milliseconds: total }) }
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.milliseconds;
        for (unit, scale) in UNITS {
            if rest >= scale {
                write!(f, "{}{unit}", rest / scale)?;
                rest %= scale;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for TimeSpan {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeSpan> for String {
    fn from(span: TimeSpan) -> Self {
        span.to_string()
    }
}

impl JsonSchema for TimeSpan {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TimeSpan".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w))+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print() {
        for (text, ms) in [("24h", 86_400_000), ("90s", 90_000), ("1h30m", 5_400_000), ("250ms", 250)] {
            assert_eq!(text.parse::<TimeSpan>().map(TimeSpan::as_milliseconds), Ok(ms), "{text}");
        }
        assert_eq!(TimeSpan::seconds(5_400).to_string(), "1h30m");
        for bad in ["", "0s", "10", "h", "-1h", "1 h", "99999999999999999999h"] {
            assert!(bad.parse::<TimeSpan>().is_err(), "{bad}");
        }
    }
}
