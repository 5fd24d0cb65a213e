//! What is there in clusters of the sandbox, as lines that two worlds of one story have alike.

use std::path::Path;

use transship_sandbox::Sandbox;

use crate::s3::S3;
use crate::sandbox::Pair;

/// What is listed by name: the kind, and how it is found.
const LISTS: [(&str, &str); 5] = [
    ("publication", "SELECT pubname FROM pg_catalog.pg_publication"),
    ("subscription", "SELECT subname FROM pg_catalog.pg_subscription"),
    ("repository", "SELECT name FROM sys.repositories"),
    ("snapshot", "SELECT repository, name, state FROM sys.snapshots"),
    ("privilege", "SELECT grantee, type, ident FROM sys.privileges WHERE grantee = 'app'"),
];

/// The rows of an answer, a line for each.
#[track_caller]
pub(crate) fn lines(sandbox: &Sandbox, cluster: &str, sql: &str) -> Vec<String> {
    let answer = sandbox.execute(cluster, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let shown = |row: Vec<Option<String>>| row.into_iter().map(|cell| cell.unwrap_or_else(|| "NULL".to_owned()));
    answer.texts.into_iter().map(|row| shown(row).collect::<Vec<_>>().join(" ")).collect()
}

/// What a cluster has beside tables; what counts up is not told apart.
pub(crate) fn objects(sandbox: &Sandbox, cluster: &str) -> Vec<String> {
    let of = |(what, sql)| lines(sandbox, cluster, sql).into_iter().map(move |line| format!("{cluster} {what} {line}"));
    LISTS.into_iter().flat_map(of).map(|line| uncounted(&line)).collect()
}

/// The files of the store that all clusters see: those of a bucket of `server`, or of the shared directory.
pub(crate) fn files(pair: &Pair, server: Option<&S3>) -> Vec<String> {
    let files = match server {
        Some(server) => server.keys("bucket"),
        None => files_below(&pair.folder()),
    };
    files.into_iter().map(|file| uncounted(&format!("file {file}"))).collect()
}

/// Tables and views as `schema.table`, those of the server and of the ledger left out.
pub(crate) fn relations(sandbox: &Sandbox, cluster: &str) -> Vec<String> {
    let sql = "SELECT table_schema || '.' || table_name FROM information_schema.tables \
               WHERE table_schema NOT IN ('sys', 'information_schema', 'pg_catalog', 'blob', 'transship')";
    lines(sandbox, cluster, sql)
}

/// `schema.table` for a statement.
pub(crate) fn quoted(table: &str) -> String {
    let (schema, name) = table.split_once('.').expect("schema.table");
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    format!("{}.{}", quote(schema), quote(name))
}

/// The same once readers see all of it.
pub(crate) fn refreshed(sandbox: &Sandbox, cluster: &str, table: &str) -> String {
    let quoted = quoted(table);
    // There are no refreshes of views.
    sandbox.execute(cluster, &format!("REFRESH TABLE {quoted}")).ok();
    quoted
}

/// Whether there is a ledger that counts.
pub(crate) fn has_ledger(sandbox: &Sandbox, cluster: &str) -> bool {
    let sql =
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'transship' AND table_name = 'flows'";
    !lines(sandbox, cluster, sql).is_empty()
}

/// A version behind a view: `transship__DIGEST__v3__people`, and the table whose name the view took.
pub(crate) fn is_version(table: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let part = |part: &str| part.strip_prefix("was").or_else(|| part.strip_prefix('v')).is_some_and(is_number);
    table.contains(".transship__") && table.split("__").any(part)
}

/// The line with every number that stands by itself as `N`: runs, exports, snapshots and versions are counted.
pub(crate) fn uncounted(line: &str) -> String {
    let mut parts = Vec::new();
    for part in line.split_inclusive(['-', '/', '.', ' ', '_']) {
        let bare = part.trim_end_matches(['-', '/', '.', ' ', '_']);
        let number = bare.trim_start_matches("was").trim_start_matches('v');
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        parts.push(if is_number { part.replace(number, "N") } else { part.to_owned() });
    }
    parts.concat()
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap_or(&path).display().to_string());
            }
        }
    }
    found
}
