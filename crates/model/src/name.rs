//! Names: of the spec's own things, of CrateDB tables, and the globs that match them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The longest name that a spec may use, in characters.
pub const NAME_MAX: usize = 40;

/// The pattern of a name, as the JSON Schema and the messages show it.
pub const NAME_PATTERN: &str = "[a-z][a-z0-9]*(-[a-z0-9]+)*";

/// The name of a workspace, environment, cluster, store, flow or label: [`NAME_PATTERN`], at most [`NAME_MAX`] characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as part of an identifier in CrateDB: `-` becomes `_`. No name holds `_`, so this is injective.
    pub fn to_identifier_part(&self) -> String {
        self.0.replace('-', "_")
    }
}

/// Why a text is no [`Name`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError(pub String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameError {}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > NAME_MAX {
            return Err(NameError(format!("a name has at most {NAME_MAX} characters, this one has {}", text.len())));
        }
        let part_ok =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('-').all(part_ok) {
            return Ok(Self(text.to_owned()));
        }
        Err(NameError(format!(
            "`{text}` is not a name: lower-case letters, digits and single dashes, starting with a letter"
        )))
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Name {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": format!("^{NAME_PATTERN}$"), "maxLength": NAME_MAX })
    }
}

/// A flow towards one target: `orders-live`, or `orders-live@analytics` where the flow declares a list of targets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FlowId {
    /// The name under which the spec declares it.
    pub flow: Name,
    /// The target cluster, where the flow has a list of them.
    pub target: Option<Name>,
}

impl FromStr for FlowId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('@') {
            None => Ok(Self { flow: text.parse()?, target: None }),
            Some((flow, target)) => Ok(Self { flow: flow.parse()?, target: Some(target.parse()?) }),
        }
    }
}

impl TryFrom<String> for FlowId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<FlowId> for String {
    fn from(id: FlowId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            None => write!(f, "{}", self.flow),
            Some(target) => write!(f, "{}@{target}", self.flow),
        }
    }
}

/// A table of a cluster by schema and name, both as stored: unquoted, case kept.
///
/// The text form is `schema.table`, split at the first dot (CrateDB allows no dot in a schema or table name).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName {
    /// The schema, for example `doc`.
    pub schema: String,
    /// The name within the schema.
    pub table: String,
}

impl TableName {
    /// The table `schema.table`.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self { schema: schema.into(), table: table.into() }
    }

    /// Whether no pattern and no name of a spec may reach the table: a system's, the ledger's, or a copy on its way.
    pub fn is_reserved(&self) -> bool {
        RESERVED_SCHEMAS.contains(&self.schema.as_str()) || self.is_aside()
    }

    /// Whether the name is that of a copy that is made aside before it is put in place.
    pub fn is_aside(&self) -> bool {
        self.table.starts_with(ASIDE_PREFIX)
    }
}

/// Schemas whose tables are not the users' own.
pub const RESERVED_SCHEMAS: [&str; 5] = ["transship", "sys", "information_schema", "pg_catalog", "blob"];

/// What begins the name of a copy that is made aside before it is put in place.
pub const ASIDE_PREFIX: &str = "transship__";

impl FromStr for TableName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('.') {
            Some((schema, table)) if !schema.is_empty() && !table.is_empty() => Ok(Self::new(schema, table)),
            _ => Err(NameError(format!("`{text}` is not a table: write `schema.table`"))),
        }
    }
}

impl TryFrom<String> for TableName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// A pattern over names: `*` is any run of characters (dots too), `?` is one; anything else is itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Glob(pub String);

impl Glob {
    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        wildmatch::WildMatch::new(&self.0).matches(text)
    }

    /// Whether the pattern is a plain name, without `*` and `?`.
    pub fn is_literal(&self) -> bool {
        !self.0.contains(['*', '?'])
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_pattern() {
        for good in ["a", "shop", "orders-live", "a1-2b", &"x".repeat(40)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "1a", "a_b", "a b", "é", &"x".repeat(41)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_flow_id_reads_back() {
        for text in ["orders-live", "orders-live@analytics"] {
            assert_eq!(text.parse::<FlowId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
        assert!("a@".parse::<FlowId>().is_err());
    }

    #[test]
    fn a_glob_star_also_matches_dots() {
        assert!(Glob("prod.*".into()).matches("prod.shop.orders"));
        assert!(!Glob("prod.shop".into()).matches("prod.shop.orders"));
    }
}
