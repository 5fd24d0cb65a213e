//! A cluster: how transship and other clusters reach it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::{Secret, Text};

/// A CrateDB cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// `postgres://USER@HOST:PORT/` of the PostgreSQL wire; a password only where the whole URL is a reference.
    pub url: Text,
    /// The password of the URL's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// How the connection is protected; `verify-full` unless said otherwise.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tls: TlsMode,
    /// A PEM file with the certificate authorities to trust, in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<Text>,
    /// A PEM file with the client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<Text>,
    /// A PEM file with the key of the client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Text>,
    /// `HOST:PORT` of the transport protocol as other clusters reach it, for `mode: sniff`; port 4300 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Text>,
    /// `HOST:PORT` of the PostgreSQL wire as other clusters reach it, for `mode: tunnel` and foreign tables; the URL's unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Text>,
    /// Who other clusters connect as; the URL's user unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriber: Option<Subscriber>,
    /// The expected `sys.cluster.id`; another one is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Text>,
    /// Whether existing rows and tables of this cluster are safe from every flow.
    #[serde(default, skip_serializing_if = "is_default")]
    pub protected: bool,
    /// How much transship asks of this cluster at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
}

/// The user as whom other clusters connect to this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscriber {
    /// The user's name.
    pub user: Text,
    /// The user's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum TlsMode {
    /// TLS; the certificate must be valid for the host.
    #[default]
    VerifyFull,
    /// TLS; the certificate is not checked.
    Require,
    /// No TLS.
    Disable,
}

/// How much transship asks of a cluster at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at most.
    #[schemars(range(min = 2, max = 1000))]
    pub connections: u32,
    /// Tables or partitions copied at the same time at most.
    #[schemars(range(min = 1, max = 100))]
    pub copies: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 8, copies: 2 }
    }
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
