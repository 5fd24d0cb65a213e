//! What may be dropped: the consents that specs and command lines give.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::Glob;

/// A kind of thing that can be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DropKind {
    /// A table, named `cluster.schema.table`.
    Table,
    /// A publication, named `cluster.publication`.
    Publication,
    /// A subscription, named `cluster.subscription`.
    Subscription,
    /// A snapshot repository, named `cluster.repository`.
    Repository,
    /// A snapshot, named `cluster.repository.snapshot`.
    Snapshot,
    /// Rows of a table, named `cluster.schema.table`.
    Rows,
}

impl DropKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Table, Self::Publication, Self::Subscription, Self::Repository, Self::Snapshot, Self::Rows];

    /// The word that specs and command lines use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Publication => "publication",
            Self::Subscription => "subscription",
            Self::Repository => "repository",
            Self::Snapshot => "snapshot",
            Self::Rows => "rows",
        }
    }
}

impl fmt::Display for DropKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A consent to drop what matches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowDrop {
    /// What kind of thing may be dropped.
    pub kind: DropKind,
    /// A pattern over `cluster.schema.table` (tables, rows), `cluster.name` (publications, subscriptions, repositories)
    /// or `cluster.repository.snapshot`; `*` also matches dots.
    pub name: Glob,
    /// The last day (UTC) on which the consent holds; without it, it holds as long as it stands here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    pub until: Option<Date>,
}

impl AllowDrop {
    /// Whether this lets `kind` with the full `name` be dropped on `today` (UTC).
    pub fn allows(&self, kind: DropKind, name: &str, today: Date) -> bool {
        self.kind == kind && self.until.is_none_or(|until| today <= until) && self.name.matches(name)
    }
}

impl FromStr for AllowDrop {
    type Err = String;

    /// Reads the command line's `KIND:GLOB`.
    fn from_str(text: &str) -> Result<Self, String> {
        let kinds = || DropKind::ALL.map(DropKind::as_str).join(", ");
        let (kind, glob) = text.split_once(':').ok_or_else(|| format!("write KIND:GLOB; kinds are {}", kinds()))?;
        let kind = DropKind::ALL
            .into_iter()
            .find(|k| k.as_str() == kind)
            .ok_or_else(|| format!("`{kind}` is no kind of thing to drop; kinds are {}", kinds()))?;
        if glob.is_empty() {
            return Err("the pattern after `:` is empty".to_owned());
        }
        Ok(Self { kind, name: Glob(glob.to_owned()), until: None })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_consent_ends_with_its_day() {
        let consent = AllowDrop { kind: DropKind::Table, name: Glob("b.shop.*".into()), until: Some(date(2026, 3, 1)) };
        assert!(consent.allows(DropKind::Table, "b.shop.orders", date(2026, 3, 1)));
        assert!(!consent.allows(DropKind::Table, "b.shop.orders", date(2026, 3, 2)));
        assert!(!consent.allows(DropKind::Rows, "b.shop.orders", date(2026, 3, 1)));
        assert!(!consent.allows(DropKind::Table, "a.shop.orders", date(2026, 3, 1)));
    }

    #[test]
    fn the_command_line_form() {
        assert!("table:b.shop.*".parse::<AllowDrop>().is_ok());
        for bad in ["table", "tables:x", "table:"] {
            assert!(bad.parse::<AllowDrop>().is_err(), "{bad}");
        }
    }
}
