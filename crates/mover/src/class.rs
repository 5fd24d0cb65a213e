//! The kind of reason for which a server refuses a row, told without its words: they may repeat values, and so may the
//! names of an object's columns.

use transship_cluster::{ClusterError, ErrorKind, ObjectKind};

use crate::error::MoveError;

/// What is told of a message whose kind is not known.
const OTHER: &str = "another reason; the server's words may hold values of sensitive columns, and are not shown";

/// The kind of a reason. Of a message only what stands in the definition of the table is taken over.
pub(crate) fn of(message: &str) -> String {
    let known =
        [duplicate, not_null, check, cast, validation, too_long, generated, out_of_range, too_large, undeclared];
    known.iter().find_map(|read| read(message)).unwrap_or_else(|| OTHER.to_owned())
}

/// The kind of a reason for which a server refuses a row, for where its words may repeat what nothing may show.
pub fn kind_of_reason(message: &str) -> String {
    of(message)
}

/// The same error without what a server said about values.
pub(crate) fn hide(error: MoveError) -> MoveError {
    match error {
        MoveError::Source { error, progress } => MoveError::Source { error: without_values(error), progress },
        MoveError::Target { error, progress } => MoveError::Target { error: without_values(error), progress },
        MoveError::Unknown { rows, error, progress } => {
            MoveError::Unknown { rows, error: without_values(error), progress }
        }
        MoveError::Short { rows, written, error, progress } => {
            MoveError::Short { rows, written, error: error.map(without_values), progress }
        }
        // Refused rows are told by kind as soon as they are found.
        other => other,
    }
}

/// The same error without what the server said about values: for where nothing may show them.
pub fn without_values(mut error: ClusterError) -> ClusterError {
    let of_values = matches!(
        error.kind,
        ErrorKind::DuplicateKey
            | ErrorKind::Other
            | ErrorKind::Transient
            | ErrorKind::NotFound { object: ObjectKind::Column | ObjectKind::Partition, .. }
    );
    if of_values {
        error.message = of(&error.message);
        if error.kind != ErrorKind::Transient {
            error.kind = ErrorKind::Other;
        }
    }
    error
}

fn duplicate(message: &str) -> Option<String> {
    let same_key = message.starts_with("A document with the same primary key exists already");
    same_key.then(|| "a row with the same primary key is there".to_owned())
}

fn not_null(message: &str) -> Option<String> {
    let column = message.strip_prefix('"')?.strip_suffix("\" must not be null")?;
    Some(format!("column {} must not be null", top_level(column)))
}

fn check(message: &str) -> Option<String> {
    let (name, _) = message.strip_prefix("Failed CONSTRAINT ")?.split_once(" CHECK (")?;
    Some(format!("constraint {name} is broken"))
}

/// The type is the last of the message; a value cannot come after it.
fn cast(message: &str) -> Option<String> {
    let rest = message.strip_prefix("Cannot cast ")?;
    let (_, data_type) = rest.rsplit_once("` to type `")?;
    Some(format!("a value cannot be cast to type {}", data_type.strip_suffix('`')?))
}

fn validation(message: &str) -> Option<String> {
    let (column, _) = message.strip_prefix("Validation failed for ")?.split_once(": ")?;
    Some(format!("column {} does not take the value", top_level(column)))
}

fn too_long(message: &str) -> Option<String> {
    let (_, length) = message.rsplit_once(" type of length: ")?;
    let length: u32 = length.parse().ok()?;
    Some(format!("a text is longer than {length} characters"))
}

fn generated(message: &str) -> Option<String> {
    message.starts_with("Given value ").then(|| "a generated column gives another value".to_owned())
}

fn out_of_range(message: &str) -> Option<String> {
    let outside = message.contains(" value out of range: ") || message.contains(" exceeds allowed range for column ");
    outside.then(|| "a number is out of the range of its column".to_owned())
}

fn too_large(message: &str) -> Option<String> {
    let large = message.contains(" immense term ") || message.contains("\" is too large, must be <=");
    large.then(|| "a value is too large to be indexed".to_owned())
}

fn undeclared(message: &str) -> Option<String> {
    message.starts_with("Cannot add column ").then(|| "an object has a column that is not declared".to_owned())
}

/// The column that a path leads into: the names of what is within may be data.
fn top_level(path: &str) -> &str {
    path.split('[').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Progress;

    #[test]
    fn reasons_are_told_without_values() {
        let check = |message: &str, expected: &str| assert_eq!(of(message), expected);
        check("A document with the same primary key exists already", "a row with the same primary key is there");
        check("\"o['canary']\" must not be null", "column o must not be null");
        check("Failed CONSTRAINT ok CHECK (\"n\" > 0) for values: [canary]", "constraint ok is broken");
        check("Cannot cast value `canary` to type `ip`", "a value cannot be cast to type ip");
        check("Cannot cast value `x` to type `canary` to type `ip`", "a value cannot be cast to type ip");
        check(
            "Cannot cast object element `canary` with value `canary` to type `integer`",
            "a value cannot be cast to type integer",
        );
        check(
            "Validation failed for o['canary']: Invalid value 'canary' for type 'x'",
            "column o does not take the value",
        );
        check("'canary' is too long for the text type of length: 3", "a text is longer than 3 characters");
        check(
            "Given value canary for generated column g does not match calculation x = canary",
            "a generated column gives another value",
        );
        check("integer value out of range: 4242", "a number is out of the range of its column");
        check("Document contains at least one immense term in canary", "a value is too large to be indexed");
        check("Cannot add column `canary` to strict object `o`", "an object has a column that is not declared");
        check("The canary is strange", OTHER);
        check("canary type of length: canary", OTHER);
    }

    #[test]
    fn errors_of_a_cluster_are_told_without_values() {
        let cluster = "target".parse().expect("a name");
        let error = |kind| ClusterError::new(&cluster, kind, "canary");
        let of_kind = |kind| hide(MoveError::Target { error: error(kind), progress: Progress::default() }).to_string();
        for kind in [ErrorKind::Other, ErrorKind::DuplicateKey, ErrorKind::Transient] {
            assert!(!of_kind(kind.clone()).contains("canary"), "{kind:?}");
        }
        assert!(of_kind(ErrorKind::Unreachable).contains("canary"), "what is said of the network stays");
    }
}
