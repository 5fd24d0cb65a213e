//! Files that COPY writes and reads: in directories of the machine, and in buckets of the world.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::World;
use super::remote::Remote;
use crate::error::{Result, SqlError};

/// What comes of a file, or why it cannot be read or written, as CrateDB says it.
pub(super) type Access<T> = std::result::Result<T, String>;

/// The buckets of a world, by endpoint and name.
pub(crate) type Buckets = BTreeMap<(String, String), Bucket>;

/// A bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    /// The access key and the secret key that it wants; anything opens it otherwise.
    pub(crate) keys: Option<(String, String)>,
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
}

/// Where a URI points.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Location {
    /// A path of the cluster's own file system.
    File(String),
    Object {
        endpoint: String,
        bucket: String,
        keys: (String, String),
        key: String,
        /// Whether the endpoint speaks HTTP without TLS.
        is_plain: bool,
    },
}

impl Location {
    /// Reads a URI. Paths without a scheme are taken as they are, those with one are decoded.
    pub(crate) fn read(uri: &str) -> Result<Self> {
        let (scheme, rest) = uri.split_once("://").unwrap_or(("", uri));
        match scheme {
            "" => Ok(Self::File(uri.strip_prefix("file:").unwrap_or(uri).to_owned())),
            "file" => Ok(Self::File(decode(rest))),
            "s3" => Ok(Self::bucket(rest)),
            other => Err(SqlError::internal(format!("Unknown scheme '{other}'"))),
        }
    }

    /// `[key:secret@][host:port/]bucket/path`.
    fn bucket(rest: &str) -> Self {
        let (keys, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        // CrateDB decodes first and splits then: a secret with a colon is cut there.
        let keys = decode(keys);
        let mut keys = keys.split(':');
        let (access, secret) = (keys.next().unwrap_or_default(), keys.next().unwrap_or_default());
        let (first, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (endpoint, path) = if first.contains(':') { (first, path) } else { ("", rest) };
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Self::Object {
            endpoint: endpoint.to_owned(),
            bucket: bucket.to_owned(),
            keys: (access.to_owned(), secret.to_owned()),
            key: decode(key),
            is_plain: false,
        }
    }

    /// The path or the key.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::File(path) => path,
            Self::Object { key, .. } => key,
        }
    }

    /// The same with another path or key.
    pub(crate) fn with_path(&self, path: String) -> Self {
        match self.clone() {
            Self::File(_) => Self::File(path),
            Self::Object { endpoint, bucket, keys, is_plain, .. } => {
                Self::Object { endpoint, bucket, keys, key: path, is_plain }
            }
        }
    }

    /// The same with the protocol that the option `protocol` names.
    pub(crate) fn over(mut self, protocol: &str) -> Self {
        if let Self::Object { is_plain, .. } = &mut self {
            *is_plain = protocol == "http";
        }
        self
    }

    /// As the summary of COPY FROM names it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::File(path) => format!("file://{}", encode(path)),
            Self::Object { bucket, key, .. } => format!("s3://{bucket}/{key}"),
        }
    }
}

impl World {
    /// Where a path of a cluster lies on the machine.
    pub(crate) fn on_machine(&self, cluster: &str, path: &str) -> PathBuf {
        match &self.cluster(cluster).root {
            Some(root) => root.join(path.trim_start_matches('/')),
            None => PathBuf::from(path),
        }
    }

    /// Writes a file.
    pub(crate) fn write_file(&mut self, cluster: &str, to: &Location, bytes: Vec<u8>) -> Access<()> {
        match to {
            Location::File(path) => {
                fs_err::write(self.on_machine(cluster, path), bytes).map_err(|error| reason(&error))
            }
            Location::Object { key, .. } => match self.open_bucket(to)? {
                Opened::Here(bucket) => {
                    bucket.objects.insert(key.clone(), bytes);
                    Ok(())
                }
                Opened::There(remote) => remote.put(key, &bytes),
            },
        }
    }

    /// Reads a file.
    pub(crate) fn read_file(&mut self, cluster: &str, from: &Location) -> Access<Vec<u8>> {
        match from {
            Location::File(path) => {
                let read = fs_err::read(self.on_machine(cluster, path));
                read.map_err(|error| format!("{path} ({})", reason(&error)))
            }
            Location::Object { key, .. } => match self.open_bucket(from)? {
                Opened::Here(bucket) => bucket.objects.get(key).cloned().ok_or_else(|| NO_KEY.to_owned()),
                Opened::There(remote) => remote.get(key),
            },
        }
    }

    /// The files that a location with `*` stands for; `None` where not even its directory is there.
    pub(crate) fn matching(&mut self, cluster: &str, pattern: &Location) -> Access<Option<Vec<Location>>> {
        let (directory, name) = pattern.path().rsplit_once('/').unwrap_or(("", pattern.path()));
        let names: Vec<String> = match pattern {
            Location::File(_) => match file_names(&self.on_machine(cluster, directory)) {
                Ok(names) => names,
                Err(_) => return Ok(None),
            },
            Location::Object { .. } => {
                let prefix = format!("{directory}/");
                let keys = match self.open_bucket(pattern)? {
                    Opened::Here(bucket) => bucket.objects.keys().cloned().collect(),
                    Opened::There(remote) => remote.list(&prefix)?,
                };
                keys.iter().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect()
            }
        };
        let found = names.iter().filter(|found| matches(name, found));
        Ok(Some(found.map(|found| pattern.with_path(format!("{directory}/{found}"))).collect()))
    }

    /// Fails where a location is in a bucket that does not open.
    pub(crate) fn check_bucket(&mut self, location: &Location) -> Access<()> {
        match self.open_bucket(location)? {
            Opened::Here(_) => Ok(()),
            Opened::There(remote) => remote.list(&format!("{}index-", location.path())).map(drop),
        }
    }

    /// The bucket of an object, if its keys open it: one of the world, or else of a server.
    fn open_bucket(&mut self, location: &Location) -> Access<Opened<'_>> {
        let Location::Object { endpoint, bucket, keys, is_plain, .. } = location else {
            return Err(NO_REGION.to_owned());
        };
        let Some(found) = self.buckets.get_mut(&(endpoint.clone(), bucket.clone())) else {
            if !is_plain || endpoint.is_empty() {
                return Err(NO_REGION.to_owned());
            }
            return Remote::new(endpoint, bucket, keys).map(Opened::There);
        };
        if found.keys.as_ref().is_some_and(|wanted| wanted != keys) {
            return Err(format!("PermissionDenied (permanent) at stat => {}", s3_error("InvalidAccessKeyId")));
        }
        Ok(Opened::Here(found))
    }
}

/// Where a bucket is.
enum Opened<'a> {
    Here(&'a mut Bucket),
    There(Remote),
}

fn s3_error(code: &str) -> String {
    format!("S3Error {{ code: \"{code}\", message: \"\", resource: \"\", request_id: \"\" }}")
}

/// What is said of an object that is not there.
const NO_KEY: &str = "Unexpected (permanent) at  => NotFound (permanent) at read => S3Error { code: \"NoSuchKey\", \
                      message: \"\", resource: \"\", request_id: \"\" }";

/// What is said of an endpoint or a bucket that is not there.
pub(super) const NO_REGION: &str = "ConfigInvalid (permanent) at Builder::build => region is missing. Please find it by S3::detect_region() or set \
     them in env.";

fn file_names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(directory)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// What Java says of an error.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Whether a name is one that a pattern with `*` stands for.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => {
            let Some(tail) = name.strip_prefix(start) else { return false };
            (0..=tail.len()).any(|at| tail.is_char_boundary(at) && matches(rest, &tail[at..]))
        }
    }
}

/// Replaces `%41` by what it stands for.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        let code = tail.get(..2).filter(|_| *byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(*byte));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A path as it stands in a URI.
fn encode(path: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/_-!.~'()*,;:$&+=@".contains(byte);
    let part = |byte: u8| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path.bytes().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_read() {
        let file = |path: &str| Location::File(path.to_owned());
        assert_eq!(Location::read("/a/b%41"), Ok(file("/a/b%41")));
        assert_eq!(Location::read("file:///a/b%41"), Ok(file("/a/bA")));
        assert!(Location::read("ftp://x").is_err());
        let found = Location::read("s3://k:s%2F@127.0.0.1:9000/bkt/a/b").unwrap();
        let keys = ("k".to_owned(), "s/".to_owned());
        let (endpoint, bucket, key) = ("127.0.0.1:9000".to_owned(), "bkt".to_owned(), "a/b".to_owned());
        assert_eq!(found, Location::Object { endpoint, bucket, keys, key, is_plain: false });
        assert!(
            matches!(Location::read("s3://bkt/a").unwrap(), Location::Object { endpoint, .. } if endpoint.is_empty())
        );
        assert_eq!(file("/c/ä%$1").shown(), "file:///c/%C3%A4%25$1");
    }

    #[test]
    fn stars_stand_for_anything() {
        assert!(matches("a_*.json", "a_0_.json") && matches("*", "") && !matches("a*.gz", "a.json"));
    }
}
