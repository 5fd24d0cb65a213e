//! Keys of the language whose turn has not come.

use transship_model::Finding;
use transship_model::spec::Instance;

/// Refuses those of `keys` that a flow `of` some strategy uses.
pub(crate) fn check(instance: &Instance<'_>, of: &str, keys: &[(&str, bool)]) -> Result<(), Vec<Finding>> {
    let unavailable = |(key, _): &(&str, bool)| {
        Finding::error("plan::not-available-yet", format!("{key} of {of} is not available yet"))
            .at_key(instance.path.clone())
            .help("it is part of the language and validates; set `enabled: false` to plan the other flows")
    };
    let findings: Vec<Finding> = keys.iter().filter(|(_, used)| *used).map(unavailable).collect();
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}
