//! The environment of a program: transship's own without its secrets, and what the program may know.

use std::ffi::{OsStr, OsString};

use transship_model::command::{COMMAND_FORMAT, CommandInput};
use transship_model::redact::Redactor;

use super::document::address;

/// What begins the names of all variables that a program is given.
const PREFIX: &str = "TRANSSHIP_";

/// What is changed in transship's own environment: a value, or none where the variable is taken out.
pub(super) fn changes(
    own: impl Iterator<Item = (OsString, OsString)>,
    redactor: &Redactor,
    input: &CommandInput,
) -> Vec<(OsString, Option<OsString>)> {
    let is_secret = |value: &OsStr| redactor.is_secret(&value.to_string_lossy());
    let is_own = |name: &OsStr| name.to_string_lossy().starts_with(PREFIX);
    let out = own.filter(|(name, value)| is_own(name) || is_secret(value)).map(|(name, _)| (name, None));
    let given = given(input).into_iter().map(|(name, value)| {
        let name = OsString::from(format!("{PREFIX}{name}"));
        (name, Some(OsString::from(value)))
    });
    out.chain(given).collect()
}

/// The variables, none of which is a secret: environments are inherited, listed and dumped.
fn given(input: &CommandInput) -> Vec<(&'static str, String)> {
    vec![
        ("COMMAND_FORMAT", COMMAND_FORMAT.to_string()),
        ("RUN", input.run.clone()),
        ("WORKSPACE", input.workspace.to_string()),
        ("ENVIRONMENT", input.environment.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("FLOW", input.flow.to_string()),
        ("ATTEMPT", input.attempt.to_string()),
        ("SOURCE_URL", address(&input.source, None)),
        ("TARGET_URL", address(&input.target, None)),
        ("RESULT_FD", input.result_fd.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::command::document::testing::input;

    #[test]
    fn secrets_are_taken_out_and_nothing_that_is_given_is_one() {
        let own = [("PATH", "/bin"), ("SHOP_PASSWORD", "can&ary"), ("SHOP_URL", "postgres://u:can%26ary@h/")];
        let own = own.into_iter().chain([("TRANSSHIP_RUN", "another"), ("NOTE", "a can&ary sings")]);
        let own = own.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let redactor = Redactor::new(&[SecretString::from("can&ary")]);
        let changes = changes(own, &redactor, &input("can&ary"));
        let out: Vec<_> = changes.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert_eq!(out, ["SHOP_PASSWORD", "SHOP_URL", "TRANSSHIP_RUN"]);
        let given: Vec<String> = changes
            .iter()
            .filter_map(|(name, value)| Some(format!("{}={}", name.display(), value.as_ref()?.display())))
            .collect();
        assert_eq!(
            given,
            [
                "TRANSSHIP_COMMAND_FORMAT=1",
                "TRANSSHIP_RUN=run-1",
                "TRANSSHIP_WORKSPACE=w",
                "TRANSSHIP_ENVIRONMENT=",
                "TRANSSHIP_FLOW=people",
                "TRANSSHIP_ATTEMPT=0",
                "TRANSSHIP_SOURCE_URL=postgres://tool@[::1]:5433/doc?sslmode=disable",
                "TRANSSHIP_TARGET_URL=postgres://tool@h:5434/doc?sslmode=verify-full",
                "TRANSSHIP_RESULT_FD=3",
            ]
        );
    }
}
