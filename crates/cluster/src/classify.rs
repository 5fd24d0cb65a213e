//! From SQLSTATE and message to a kind of error. The only place that knows the texts of CrateDB's messages.
//!
//! CrateDB gives most errors the SQLSTATE `XX000`, so messages are matched against the templates they are made from.

use crate::error::{ErrorKind, ObjectKind, StoreFault};

/// `message` without the Java exception classes that wrap it.
pub(crate) fn plain(message: &str) -> String {
    let mut text = message.trim();
    while let Some(inner) = unwrap_class(text) {
        text = inner.trim();
    }
    without_trace(text)
}

/// What CrateDB says of buckets goes on for a page: what, where and why are kept of it.
fn without_trace(text: &str) -> String {
    let Some((what, page)) = text.split_once("\n\nContext:\n") else { return text.to_owned() };
    let line = |name: &str| page.lines().find_map(|line| line.trim().strip_prefix(name));
    let place = line("uri: ").or_else(|| line("url: ")).map(|place| format!(" ({place})"));
    let why = page.split_once("\n\nSource:\n").and_then(|(_, rest)| rest.lines().next());
    let why = why.map(|why| format!(": {}", why.trim()));
    format!("{what}{}{}", place.unwrap_or_default(), why.unwrap_or_default())
}

/// The kind of an error, by message and then by SQLSTATE.
pub(crate) fn kind(sqlstate: &str, message: &str) -> ErrorKind {
    let by_message = TEMPLATES.iter().find_map(|(template, make)| Some(make(&captures(template, message)?)));
    by_message.unwrap_or_else(|| by_sqlstate(sqlstate))
}

fn unwrap_class(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "._$".contains(c)))?;
    let (class, rest) = text.split_at(end);
    let is_class = class.ends_with("Exception") || (class.ends_with("Error") && class.contains('.'));
    let rest = Some(rest).filter(|_| is_class)?;
    rest.strip_prefix(": ").or_else(|| rest.strip_prefix('[')?.strip_suffix(']'))
}

fn by_sqlstate(sqlstate: &str) -> ErrorKind {
    match sqlstate {
        "23505" => ErrorKind::DuplicateKey,
        "42601" => ErrorKind::Syntax,
        "57014" => ErrorKind::Killed,
        state if state.starts_with("28") => ErrorKind::Authentication,
        state if state.starts_with("08") => ErrorKind::ConnectionLost,
        state if state.starts_with("53") || state.starts_with("57P") => ErrorKind::Transient,
        _ => ErrorKind::Other,
    }
}

/// What stands for each `%` of `template` when the whole of `text` matches. The first and the last piece are anchored
/// unless the template begins or ends with `%`.
fn captures<'a>(template: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut pieces = template.split('%');
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let pieces: Vec<_> = pieces.collect();
    let mut found = Vec::with_capacity(pieces.len());
    for (at, piece) in pieces.iter().enumerate() {
        let last = at + 1 == pieces.len();
        let end = match (last, piece.is_empty()) {
            (true, true) => rest.len(),
            (true, false) if rest.ends_with(piece) => rest.len() - piece.len(),
            (true, false) => return None,
            (false, _) => rest.find(piece)?,
        };
        found.push(&rest[..end]);
        rest = &rest[end + piece.len()..];
    }
    rest.is_empty().then_some(found)
}

type Make = fn(&[&str]) -> ErrorKind;

/// The templates, the more special ones first. `%` is any text.
const TEMPLATES: &[(&str, Make)] = &[
    ("Missing '%' privilege for user '%'", |found| missing(Some(found[0]), found[1])),
    ("Missing privilege for user '%'", |found| missing(None, found[0])),
    ("A publication can only be % by the owner or a superuser", |_| ErrorKind::NotOwner),
    ("A subscription can only be % by the owner or a superuser", |_| ErrorKind::NotOwner),
    ("Subscription '%' cannot be created as included relation '%' already exists", |found| {
        exists(ObjectKind::Relation, found[1])
    }),
    ("Publication '%' already exists", |found| exists(ObjectKind::Publication, found[0])),
    ("Subscription '%' already exists", |found| exists(ObjectKind::Subscription, found[0])),
    ("Relation '%' already exists%", |found| exists(ObjectKind::Relation, found[0])),
    ("Partition '%' already exists", |found| exists(ObjectKind::Partition, found[0])),
    ("Schema '%' already exists", |found| exists(ObjectKind::Schema, found[0])),
    ("Role '%' already exists", |found| exists(ObjectKind::Role, found[0])),
    ("User '%' already exists", |found| exists(ObjectKind::Role, found[0])),
    ("Repository '%' already exists", |found| exists(ObjectKind::Repository, found[0])),
    ("Server '%' already exists", |found| exists(ObjectKind::Server, found[0])),
    ("USER MAPPING for '%' and server '%' already exists", |found| exists(ObjectKind::Server, found[1])),
    ("[%] Invalid snapshot name [%], snapshot with the same name already exists", |found| {
        exists(ObjectKind::Snapshot, found[0])
    }),
    ("The table % already has a column named %", |found| exists(ObjectKind::Column, found[1])),
    ("Publication '%' unknown", |found| absent(ObjectKind::Publication, found[0])),
    ("Subscription '%' unknown", |found| absent(ObjectKind::Subscription, found[0])),
    ("Relation '%' unknown%", |found| absent(ObjectKind::Relation, found[0])),
    ("Relation [%] not found in snapshot", |found| absent(ObjectKind::Relation, found[0])),
    ("Schema '%' unknown%", |found| absent(ObjectKind::Schema, found[0])),
    ("Column % unknown%", |found| absent(ObjectKind::Column, found[0])),
    ("Role '%' does not exist", |found| absent(ObjectKind::Role, found[0])),
    ("User '%' does not exist", |found| absent(ObjectKind::Role, found[0])),
    ("Unknown function: %", |found| absent(ObjectKind::Function, found[0])),
    ("Server `%` not found", |found| absent(ObjectKind::Server, found[0])),
    ("[%] is missing", |found| absent(ObjectKind::Snapshot, found[0])),
    ("[%] snapshot does not exist", |found| absent(ObjectKind::Snapshot, found[0])),
    ("[%] missing", |found| absent(ObjectKind::Repository, found[0])),
    (
        "The relation \"%\" doesn't allow % operations, because it is included in a logical replication subscription.",
        |found| ErrorKind::Subscribed { relation: found[0].to_owned(), operation: found[1].to_owned() },
    ),
    (
        "The relation \"%\" doesn't allow % operations, because it is included in a logical replication publication.",
        |found| ErrorKind::Published { relation: found[0].to_owned(), operation: found[1].to_owned() },
    ),
    (
        "Setting [%] cannot be applied to table '%' because it is included in a logical replication publication %",
        |found| ErrorKind::Published { relation: found[1].to_owned(), operation: "ALTER".to_owned() },
    ),
    ("The relation \"%\" doesn't support or allow % operations%", |found| ErrorKind::NotAllowed {
        relation: found[0].to_owned(),
        operation: found[1].to_owned(),
    }),
    ("A document with the same primary key exists already", |_| ErrorKind::DuplicateKey),
    ("One of the published tables has version higher than subscriber's minimal node version.%", |_| {
        ErrorKind::PublisherNewer
    }),
    ("Cannot build publication state, subscribing user '%' was not found.", |_| ErrorKind::PublisherRefuses),
    ("Cannot build publication state, no publications found", |_| absent(ObjectKind::Publication, "")),
    ("Error response: FATAL, % authentication failed for user %", |_| ErrorKind::PublisherRefuses),
    ("Error response: FATAL, No valid auth.host_based entry found for host %", |_| ErrorKind::PublisherRefuses),
    ("[%][%] connect_exception%", |_| ErrorKind::PublisherUnreachable),
    ("[%][%] connect_timeout%", |_| ErrorKind::PublisherUnreachable),
    ("%region is missing%", |_| ErrorKind::Store(StoreFault::Unreachable)),
    ("%NoSuchBucket%", |_| ErrorKind::Store(StoreFault::Missing)),
    ("%PermissionDenied (p%", |_| ErrorKind::Store(StoreFault::Refused)),
    ("%=> send http request%", |_| ErrorKind::Store(StoreFault::Unreachable)),
    ("%Unable to verify the repository%NoSuchFileException%", |_| ErrorKind::Store(StoreFault::Missing)),
    ("%Unable to verify the repository%AccessDeniedException%", |_| ErrorKind::Store(StoreFault::Refused)),
    ("%path.repo%", |_| ErrorKind::Store(StoreFault::NotAllowed)),
    ("%a file written by master to the store % cannot be accessed on the node%", |_| {
        ErrorKind::Store(StoreFault::NotShared)
    }),
    ("%the contents of the repository do not match its expected state%", |_| ErrorKind::Store(StoreFault::TwoWriters)),
    ("Failed to open output: '% (No such file or directory)'", |_| ErrorKind::Store(StoreFault::Missing)),
    ("Failed to open output: '% (Permission denied)'", |_| ErrorKind::Store(StoreFault::Refused)),
    ("%No space left on device%", |_| ErrorKind::Store(StoreFault::Full)),
    ("Job killed. statement_timeout (%", |_| ErrorKind::Timeout),
    ("Job killed%", |_| ErrorKind::Killed),
    ("% authentication failed for user %", |_| ErrorKind::Authentication),
    ("No valid auth.host_based entry found for host %", |_| ErrorKind::Authentication),
    ("blocked by: [%read-only / allow delete (api)%", |_| ErrorKind::DiskFull),
    ("blocked by: [%", |_| ErrorKind::Transient),
    ("%ClusterBlockException%", |_| ErrorKind::Transient),
    ("%breaker would use%", |_| ErrorKind::Transient),
    ("%rejected execution%", |_| ErrorKind::Transient),
    ("No shard available for %", |_| ErrorKind::Transient),
    ("%shard % is not available%", |_| ErrorKind::Transient),
    ("no such shard%", |_| ErrorKind::Transient),
    ("%CurrentState[RECOVERING]%", |_| ErrorKind::Transient),
    ("%no longer master%", |_| ErrorKind::Transient),
    ("%MasterNotDiscovered%", |_| ErrorKind::Transient),
    ("%trying to modify or unregister repository that is currently used%", |_| ErrorKind::Transient),
];

fn missing(privilege: Option<&str>, user: &str) -> ErrorKind {
    ErrorKind::MissingPrivilege { privilege: privilege.map(str::to_owned), on: None, user: user.to_owned() }
}

fn exists(object: ObjectKind, name: &str) -> ErrorKind {
    ErrorKind::AlreadyExists { object, name: name.to_owned() }
}

fn absent(object: ObjectKind, name: &str) -> ErrorKind {
    ErrorKind::NotFound { object, name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Every error that real servers gave, one `SQLSTATE message` a line, with the kind that is expected.
    const MESSAGES: &str = include_str!("../recordings/errors.txt");

    #[test]
    fn recorded_messages_are_classified() {
        let mut found = String::new();
        for line in MESSAGES.lines().filter(|line| !line.starts_with("  ")) {
            let (sqlstate, message) = line.split_once(' ').expect("SQLSTATE and message");
            writeln!(found, "{line}\n  {:?}", kind(sqlstate, &plain(message))).expect("writing to a String");
        }
        if std::env::var_os("UPDATE_ERRORS").is_some() {
            fs_err::write(concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/errors.txt"), &found).expect("written");
        }
        assert_eq!(found, MESSAGES, "UPDATE_ERRORS=1 writes the file anew");
    }

    #[test]
    fn classes_are_taken_off() {
        for (message, expected) in [
            ("io.crate.x.CreateSubscriptionException: no", "no"),
            ("CreateSubscriptionException[io.crate.x.CreateSubscriptionException: no]", "no"),
            ("UncheckedIOException[java.io.FileNotFoundException: /a (No such file)]", "/a (No such file)"),
            ("java.lang.OutOfMemoryError: heap", "heap"),
            ("Error response: FATAL", "Error response: FATAL"),
            ("Exceptional: x", "Exceptional: x"),
            ("plain", "plain"),
        ] {
            assert_eq!(plain(message), expected);
        }
    }

    #[test]
    fn a_page_about_a_bucket_becomes_a_line() {
        let page = "OpenDALException[Unexpected (persistent) at stat => send http request\n\nContext:\n   url: \
                    http://h:1/b/x\n   service: s3\n\nSource:\n   Connection refused (os error 111)\n\nBacktrace:\n   \
                    0: <unknown>\n\n]";
        let line = plain(page);
        assert_eq!(
            line,
            "Unexpected (persistent) at stat => send http request (http://h:1/b/x): Connection refused (os error 111)"
        );
        assert_eq!(kind("XX000", &line), ErrorKind::Store(StoreFault::Unreachable));
        let build = "ConfigInvalid (permanent) at Builder::build => region is missing. Please find it\n\nContext:\n   \
                     service: s3\n";
        assert_eq!(plain(build), "ConfigInvalid (permanent) at Builder::build => region is missing. Please find it");
    }

    #[test]
    fn templates_capture() {
        assert_eq!(captures("a '%' b", "a 'x' b"), Some(vec!["x"]));
        assert_eq!(captures("a '%' b%", "a 'x' b, c"), Some(vec!["x", ", c"]));
        assert_eq!(captures("a", "a"), Some(vec![]));
        assert_eq!(captures("a", "ab"), None);
        assert_eq!(captures("%b%", "xbz"), Some(vec!["x", "z"]));
        assert_eq!(captures("a '%' b", "a 'x' c"), None);
    }
}
