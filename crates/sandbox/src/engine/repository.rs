//! CREATE REPOSITORY and DROP REPOSITORY.

use std::collections::BTreeMap;
use std::path::Path;

use super::env::Env;
use super::{Outcome, Session};
use crate::ast::Options;
use crate::cast::text_of;
use crate::error::{Result, SqlError};
use crate::value::Value;
use crate::world::{Location, Place, Repository, World, reason};

/// What a kind of repository takes.
struct Kind {
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
}

/// What every kind takes.
const GENERAL: [&str; 2] = ["max_restore_bytes_per_sec", "max_snapshot_bytes_per_sec"];

const KINDS: [Kind; 5] = [
    Kind { name: "fs", required: &["location"], optional: &["compress", "chunk_size", "readonly"] },
    Kind {
        name: "s3",
        required: &[],
        optional: &[
            "access_key",
            "secret_key",
            "bucket",
            "base_path",
            "endpoint",
            "region",
            "protocol",
            "compress",
            "chunk_size",
            "buffer_size",
            "server_side_encryption",
            "max_retries",
            "use_throttle_retries",
            "readonly",
            "storage_class",
            "use_path_style_access",
        ],
    },
    Kind {
        name: "azure",
        required: &["account"],
        optional: &[
            "key",
            "sas_token",
            "container",
            "base_path",
            "chunk_size",
            "readonly",
            "max_retries",
            "endpoint",
            "compress",
        ],
    },
    Kind {
        name: "gcs",
        required: &["bucket", "project_id", "private_key_id", "private_key", "client_id", "client_email"],
        optional: &["chunk_size", "compress", "base_path", "endpoint", "connect_timeout", "read_timeout"],
    },
    Kind { name: "url", required: &["url"], optional: &[] },
];

/// CREATE REPOSITORY.
pub(super) fn create(
    world: &mut World,
    session: &Session,
    name: &str,
    kind: &str,
    options: &Options,
    values: &[Value],
) -> Result<Outcome> {
    world.cluster(&session.cluster).require_on_cluster(&session.user, "DDL")?;
    let settings = settings(&Env::with_values(world, session, values), options)?;
    check(kind, &settings)?;
    if world.cluster(&session.cluster).repositories.contains_key(name) {
        return Err(SqlError::internal(format!("Repository '{name}' already exists")));
    }
    let is_readonly = kind == "url" || settings.get("readonly").is_some_and(|value| value == "true");
    let place = place(world, session, name, kind, &settings)?;
    verify(world, name, &place, &settings, is_readonly)?;
    let repository = Repository {
        kind: kind.to_owned(),
        settings,
        place,
        is_readonly,
        seen: None,
        is_broken: false,
        running: BTreeMap::new(),
    };
    world.cluster_mut(&session.cluster).repositories.insert(name.to_owned(), repository);
    Ok(Outcome::done("CREATE", 1))
}

fn settings(env: &Env<'_>, options: &Options) -> Result<BTreeMap<String, String>> {
    let setting = |(name, value): &(String, crate::ast::Expr)| {
        Ok((name.clone(), text_of(&env.constant(value)?).unwrap_or_default()))
    };
    options.iter().map(setting).collect()
}

fn check(kind: &str, settings: &BTreeMap<String, String>) -> Result<()> {
    let Some(found) = KINDS.iter().find(|found| found.name == kind) else {
        return Err(SqlError::internal(format!("Invalid repository type \"{kind}\"")));
    };
    let is_known =
        |name: &&str| found.required.contains(name) || found.optional.contains(name) || GENERAL.contains(name);
    if let Some(unknown) = settings.keys().map(String::as_str).find(|name| !is_known(name)) {
        return Err(SqlError::internal(format!("Setting '{unknown}' for '{kind}' repository is not supported")));
    }
    let missing: Vec<_> = found.required.iter().filter(|name| !settings.contains_key(**name)).copied().collect();
    if !missing.is_empty() {
        return Err(SqlError::internal(format!(
            "The following required parameters are missing to create a repository of type \"{kind}\": [{}]",
            missing.join(", ")
        )));
    }
    Ok(())
}

fn place(
    world: &World,
    session: &Session,
    name: &str,
    kind: &str,
    settings: &BTreeMap<String, String>,
) -> Result<Place> {
    let setting = |name: &str| settings.get(name).cloned().unwrap_or_default();
    match kind {
        "fs" => {
            let path = under_path_repo(world, session, name, &setting("location"))?;
            Ok(Place::Directory(world.on_machine(&session.cluster, &path)))
        }
        "url" => {
            let url = setting("url");
            let path = url.strip_prefix("file://").or_else(|| url.strip_prefix("file:"));
            let path = path.ok_or_else(|| SqlError::not_understood("repositories of other URLs than of files"))?;
            Ok(Place::Directory(world.on_machine(&session.cluster, path)))
        }
        kind => {
            let parts = ["endpoint", "account", "container", "bucket", "base_path"].map(setting);
            Ok(Place::Remote([&[kind.to_owned()][..], &parts].concat()))
        }
    }
}

fn under_path_repo(world: &World, session: &Session, name: &str, location: &str) -> Result<String> {
    let allowed = &world.cluster(&session.cluster).path_repo;
    let refused = |why: &str| {
        let message =
            format!("[{name}] location [{location}] doesn't match any of the locations specified by path.repo");
        Err(SqlError::internal(format!("{message}{why}")))
    };
    let Some(first) = allowed.first() else { return refused(" because this setting is empty") };
    let path = first.join(location);
    let is_plain = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
    if is_plain && allowed.iter().any(|allowed| path.starts_with(allowed)) {
        Ok(path.to_string_lossy().into_owned())
    } else {
        refused("")
    }
}

/// Every node tries to write there, or at least looks.
fn verify(
    world: &mut World,
    name: &str,
    place: &Place,
    settings: &BTreeMap<String, String>,
    is_readonly: bool,
) -> Result<()> {
    let verified = match place {
        Place::Directory(path) => verify_directory(path, is_readonly),
        Place::Remote(parts) if parts[0] == "s3" => {
            let setting = |name: &str| settings.get(name).cloned().unwrap_or_default();
            let bucket = Location::Object {
                endpoint: setting("endpoint"),
                bucket: setting("bucket"),
                keys: (setting("access_key"), setting("secret_key")),
                key: setting("base_path") + "/",
                is_plain: setting("protocol") == "http",
            };
            world.check_bucket(&bucket).map_err(|error| format!("OpenDALException '{error}"))
        }
        Place::Remote(_) => Ok(()),
    };
    verified.map_err(|error| {
        let message = format!("Unable to verify the repository, [{name}] is not accessible on master node: {error}");
        SqlError::internal(format!("[] [{name}] {message}"))
    })
}

fn verify_directory(path: &Path, is_readonly: bool) -> std::result::Result<(), String> {
    if !is_readonly {
        return fs_err::create_dir_all(path).map_err(|error| format!("IOException '{}'", reason(&error)));
    }
    if path.is_dir() { Ok(()) } else { Err(format!("NoSuchFileException '{}'", path.display())) }
}

/// DROP REPOSITORY.
pub(super) fn drop(world: &mut World, session: &Session, name: &str) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    cluster.require_on_cluster(&session.user, "DDL")?;
    let found = cluster.repositories.get(name).ok_or_else(|| SqlError::internal(format!("[{name}] missing")))?;
    if !found.running.is_empty() || cluster.restores.iter().any(|restore| restore.repository == name) {
        return Err(SqlError::internal("trying to modify or unregister repository that is currently used"));
    }
    cluster.repositories.remove(name);
    Ok(Outcome::done("DROP", 1))
}
