//! A store: a place that both clusters of a flow reach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::{Secret, Text};

/// A bucket or a shared directory: exactly one of `s3`, `directory`, `azure`, `gcs`, `url`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Store {
    /// An S3 bucket, of AWS or compatible.
    S3(S3Store),
    /// A directory that is the same mount on every node of the clusters, under `path.repo`.
    Directory(DirectoryStore),
    /// An Azure blob container.
    Azure(AzureStore),
    /// A Google Cloud Storage bucket.
    Gcs(GcsStore),
    /// A repository to read from, by URL.
    Url(UrlStore),
}

impl Store {
    /// The references of its secrets.
    pub fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::S3(s3) => s3.access_key.iter().chain(&s3.secret_key).collect(),
            Self::Azure(azure) => azure.key.iter().chain(&azure.sas_token).collect(),
            Self::Gcs(gcs) => vec![&gcs.private_key_id, &gcs.private_key, &gcs.client_id, &gcs.client_email],
            Self::Directory(_) | Self::Url(_) => Vec::new(),
        }
    }
}

/// An S3 bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Store {
    /// The bucket.
    pub bucket: Text,
    /// The path below which transship writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Text>,
    /// The region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Text>,
    /// `HOST:PORT` of an S3-compatible server; AWS unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Text>,
    /// Whether the bucket stands in the path rather than in the host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// The protocol of the endpoint; `https` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// The access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key: Option<Secret>,
    /// The secret key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<Secret>,
}

/// The protocol of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Protocol {
    /// With TLS.
    Https,
    /// Without TLS.
    Http,
}

/// A shared directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryStore {
    /// The absolute path, the same on every node.
    pub path: Text,
}

/// An Azure blob container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureStore {
    /// The storage account.
    pub account: Text,
    /// The container, which must exist.
    pub container: Text,
    /// The path below which transship writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Text>,
    /// The endpoint; Azure's unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Text>,
    /// The account's key; this or `sas_token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret>,
    /// A shared access token; this or `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sas_token: Option<Secret>,
}

/// A Google Cloud Storage bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GcsStore {
    /// The bucket.
    pub bucket: Text,
    /// The path below which transship writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Text>,
    /// The endpoint; Google's unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Text>,
    /// The project.
    pub project_id: Text,
    /// The service account's key id.
    pub private_key_id: Secret,
    /// The service account's private key.
    pub private_key: Secret,
    /// The service account's client id.
    pub client_id: Secret,
    /// The service account's address.
    pub client_email: Secret,
}

/// A repository to read from, by URL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UrlStore {
    /// The URL of the repository's root, allowed by `repositories.url.allowed_urls` of the cluster.
    pub url: Text,
}
