//! Texts of a given form. The model's own parsers decide, so that a text which passes here also decodes.

use jiff::civil::Date;
use transship_model::{Name, TimeSpan};

use crate::suggest;

/// The form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Name,
    TimeSpan,
    Date,
    Variable,
}

/// A text that has not the form: code, message, help.
pub(super) struct Misformed {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: String,
}

impl Form {
    /// The form behind a pattern of the schema.
    pub(super) fn of_pattern(pattern: &str) -> Option<Self> {
        match pattern {
            "^[a-z][a-z0-9]*(-[a-z0-9]+)*$" => Some(Self::Name),
            "^([0-9]+(ms|s|m|h|d|w))+$" => Some(Self::TimeSpan),
            "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => Some(Self::Date),
            "^[A-Za-z_][A-Za-z0-9_]*$" => Some(Self::Variable),
            _ => None,
        }
    }

    pub(super) fn check(self, text: &str) -> Result<(), Misformed> {
        match self {
            Self::Name => text.parse::<Name>().map(drop).map_err(|error| misnamed(text, error.0)),
            Self::TimeSpan => text.parse::<TimeSpan>().map(drop).map_err(|message| Misformed {
                code: "spec::bad-span",
                message,
                help: "write for example `15m` or `24h`".to_owned(),
            }),
            Self::Date => check_date(text),
            Self::Variable => check_variable(text),
        }
    }
}

fn misnamed(text: &str, message: String) -> Misformed {
    let lower = text.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let parts: Vec<&str> = lower.split('-').filter(|part| !part.is_empty()).collect();
    let better = parts.join("-");
    let help = match better.parse::<Name>() {
        Ok(name) if name.as_str() != text => format!("write for example {}", suggest::list([name])),
        _ => "names are lower-case letters, digits and single dashes, at most 40 characters".to_owned(),
    };
    Misformed { code: "spec::bad-name", message, help }
}

fn check_date(text: &str) -> Result<(), Misformed> {
    // The parser also takes times; a date has ten characters.
    if text.len() == 10 && text.parse::<Date>().is_ok() {
        return Ok(());
    }
    Err(Misformed {
        code: "spec::bad-date",
        message: format!("`{text}` is not a date"),
        help: "write year, month and day, for example `2026-12-31`".to_owned(),
    })
}

/// The name of a variable. The message does not repeat it: it may be the secret itself, written in the wrong place.
fn check_variable(text: &str) -> Result<(), Misformed> {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(());
    }
    Err(Misformed {
        code: "spec::bad-variable-name",
        message: "this is not the name of an environment variable".to_owned(),
        help: "a variable is letters, digits and `_`, for example `{ env: SHOP_PASSWORD }`".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_tell_good_from_bad() {
        for (form, good, bad) in [
            (Form::Name, "orders-live", "Orders_Live"),
            (Form::TimeSpan, "1h30m", "0s"),
            (Form::Date, "2026-02-28", "2026-02-30"),
            (Form::Variable, "S3_KEY", "hunter-2"),
        ] {
            assert!(form.check(good).is_ok(), "{good}");
            assert!(form.check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bad_name_gets_a_better_one() {
        let help = Form::Name.check("Orders_Live").map_err(|misformed| misformed.help);
        assert_eq!(help, Err("write for example `orders-live`".to_owned()));
    }
}
