//! Where a store is, without its secrets.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::access::HostPort;
use crate::spec::Protocol;

/// What a plan may know and show of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreLocation {
    /// An S3 bucket.
    S3(S3Location),
    /// A shared directory.
    Directory(DirectoryLocation),
    /// An Azure blob container.
    Azure(AzureLocation),
    /// A Google Cloud Storage bucket.
    Gcs(GcsLocation),
    /// A repository to read from.
    Url(UrlLocation),
}

/// Where an S3 bucket is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Location {
    /// The bucket.
    pub bucket: String,
    /// The path below which transship writes: without `/` at its ends, empty for the bucket itself.
    pub prefix: String,
    /// The region, where the spec names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The server; AWS where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<HostPort>,
    /// Whether the bucket stands in the path rather than in the host name.
    pub path_style: bool,
    /// The protocol.
    pub protocol: Protocol,
    /// Whether keys go with it; the nodes have their own otherwise.
    pub has_keys: bool,
}

/// Where a shared directory is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryLocation {
    /// The absolute path, without `/` at its end.
    pub path: String,
}

/// Where an Azure blob container is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AzureLocation {
    /// The storage account.
    pub account: String,
    /// The container.
    pub container: String,
    /// The path below which transship writes: without `/` at its ends, empty for the container itself.
    pub prefix: String,
    /// The endpoint; Azure's where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// What stands in for a user.
    pub credential: AzureCredential,
}

/// What stands in for a user of Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AzureCredential {
    /// The account's key.
    Key,
    /// A shared access token.
    SasToken,
}

/// Where a Google Cloud Storage bucket is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcsLocation {
    /// The bucket.
    pub bucket: String,
    /// The path below which transship writes: without `/` at its ends, empty for the bucket itself.
    pub prefix: String,
    /// The endpoint; Google's where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The project.
    pub project_id: String,
}

/// Where a repository to read from is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UrlLocation {
    /// The URL; what is secret in it is masked.
    pub url: String,
    /// Whether something is.
    pub masked: bool,
}

impl StoreLocation {
    /// The key of the spec that says the kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::S3(_) => "s3",
            Self::Directory(_) => "directory",
            Self::Azure(_) => "azure",
            Self::Gcs(_) => "gcs",
            Self::Url(_) => "url",
        }
    }

    /// The path below which transship writes, and `below` appended: the key prefix of a bucket, the path of a directory.
    ///
    /// `below` is made of parts joined by `/`.
    pub fn path(&self, below: &str) -> String {
        match self {
            Self::S3(S3Location { prefix, .. })
            | Self::Azure(AzureLocation { prefix, .. })
            | Self::Gcs(GcsLocation { prefix, .. }) => joined(prefix, below),
            Self::Directory(DirectoryLocation { path }) => joined(path, below),
            Self::Url(UrlLocation { url, .. }) => joined(url.trim_end_matches('/'), below),
        }
    }
}

/// Two paths with one `/` between; either may be empty.
pub(super) fn joined(above: &str, below: &str) -> String {
    match (above.is_empty(), below.is_empty()) {
        (_, true) => above.to_owned(),
        (true, false) => below.to_owned(),
        (false, false) => format!("{above}/{below}"),
    }
}

impl fmt::Display for StoreLocation {
    /// For people: what it is and where, in a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3(s3) => {
                write!(f, "s3 bucket {}", joined(&s3.bucket, &s3.prefix))?;
                match (&s3.endpoint, &s3.region) {
                    (Some(endpoint), _) => write!(f, " at {endpoint}"),
                    (None, Some(region)) => write!(f, " in {region}"),
                    (None, None) => Ok(()),
                }
            }
            Self::Directory(directory) => write!(f, "directory {}", directory.path),
            Self::Azure(azure) => {
                write!(f, "azure container {} of {}", joined(&azure.container, &azure.prefix), azure.account)
            }
            Self::Gcs(gcs) => write!(f, "gcs bucket {}", joined(&gcs.bucket, &gcs.prefix)),
            Self::Url(url) => write!(f, "url {}", url.url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_by_one_slash() {
        let directory = StoreLocation::Directory(DirectoryLocation { path: "/exchange".to_owned() });
        assert_eq!([directory.path(""), directory.path("w/f")], ["/exchange", "/exchange/w/f"]);
        let gcs = |prefix: &str| {
            let (bucket, prefix) = ("b".to_owned(), prefix.to_owned());
            StoreLocation::Gcs(GcsLocation { bucket, prefix, endpoint: None, project_id: "p".to_owned() })
        };
        assert_eq!([gcs("").path("w/f"), gcs("p/q").path("w")], ["w/f", "p/q/w"]);
        assert_eq!([gcs("").to_string(), gcs("p").to_string()], ["gcs bucket b", "gcs bucket b/p"]);
    }
}
