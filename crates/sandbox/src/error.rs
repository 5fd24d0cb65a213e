//! Errors of statements as CrateDB gives them: a SQLSTATE and a message, word for word.

/// What a statement is refused with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({sqlstate})")]
pub struct SqlError {
    /// The SQLSTATE; CrateDB gives `XX000` for most.
    pub sqlstate: String,
    /// The message.
    pub message: String,
}

/// What a part of the engine gives.
pub(crate) type Result<T> = std::result::Result<T, SqlError>;

impl SqlError {
    /// An error with a SQLSTATE of its own.
    pub(crate) fn new(sqlstate: &str, message: impl Into<String>) -> Self {
        Self { sqlstate: sqlstate.to_owned(), message: message.into() }
    }

    /// An error for which CrateDB has no SQLSTATE.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new("XX000", message)
    }

    /// What the sandbox does not understand, which is never a silent success.
    pub(crate) fn not_understood(what: impl std::fmt::Display) -> Self {
        Self::new("0A000", format!("sandbox: not understood: {what}"))
    }

    pub(crate) fn syntax(message: impl Into<String>) -> Self {
        Self::new("42601", message)
    }

    pub(crate) fn column_unknown(name: &str) -> Self {
        Self::new("42703", format!("Column {name} unknown"))
    }

    pub(crate) fn relation_unknown(name: impl std::fmt::Display) -> Self {
        Self::new("42P01", format!("Relation '{name}' unknown"))
    }

    pub(crate) fn relation_exists(name: impl std::fmt::Display) -> Self {
        Self::new("42P07", format!("Relation '{name}' already exists."))
    }

    pub(crate) fn schema_unknown(name: &str) -> Self {
        Self::new("3F000", format!("Schema '{name}' unknown"))
    }

    pub(crate) fn duplicate_key() -> Self {
        Self::new("23505", "A document with the same primary key exists already")
    }

    pub(crate) fn missing_privilege(privilege: &str, user: &str) -> Self {
        Self::internal(format!("Missing '{privilege}' privilege for user '{user}'"))
    }

    /// The operation is not for this kind of relation, or not now.
    pub(crate) fn not_allowed(relation: impl std::fmt::Display, operation: &str) -> Self {
        Self::internal(format!("The relation \"{relation}\" doesn't support or allow {operation} operations"))
    }

    /// The relation takes part in logical replication: `side` is `subscription` or `publication`.
    pub(crate) fn replicated(relation: impl std::fmt::Display, operation: &str, side: &str) -> Self {
        Self::internal(format!(
            "The relation \"{relation}\" doesn't allow {operation} operations, because it is included in a logical \
             replication {side}."
        ))
    }
}
