//! How clusters are reached, once every reference is resolved.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::spec::{Limits, TlsMode};

/// A host name or address with a port. IPv6 addresses are kept without brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPort {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Reads `HOST`, `HOST:PORT` or `[IPV6]:PORT`; without a port, it is `default_port`.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let problem = || format!("`{text}` is not HOST:PORT");
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(problem)?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(problem)?) })
            }
            None => match text.split_once(':') {
                None => (text, None),
                Some((host, port)) => (host, Some(port)),
            },
        };
        let host_ok = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:%".contains(c));
        let port = port.map_or(Ok(default_port), str::parse).ok().filter(|port| *port != 0);
        match (host_ok, port) {
            (true, Some(port)) => Ok(Self { host: host.to_owned(), port }),
            _ => Err(problem()),
        }
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, 5432)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl TryFrom<String> for HostPort {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<HostPort> for String {
    fn from(value: HostPort) -> Self {
        value.to_string()
    }
}

impl JsonSchema for HostPort {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HostPort".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

/// The addresses and users of a cluster: what a plan may know and show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Where transship connects.
    pub address: HostPort,
    /// As whom.
    pub user: String,
    /// How the connection is protected, also that of other clusters in tunnel mode.
    pub tls: TlsMode,
    /// Where other clusters connect in tunnel mode and for foreign tables.
    pub tunnel: HostPort,
    /// Where other clusters connect in sniff mode.
    pub transport: HostPort,
    /// As whom other clusters connect.
    pub subscriber: String,
    /// Whether a password goes with [`Endpoint::subscriber`].
    pub subscriber_has_password: bool,
    /// The pinned `sys.cluster.id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How much is asked of the cluster at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
}

impl Endpoint {
    /// A cluster that everybody reaches at one address as one user, without TLS and without a password for others.
    pub fn plain(address: HostPort, user: &str) -> Self {
        Self {
            user: user.to_owned(),
            tls: TlsMode::Disable,
            tunnel: address.clone(),
            transport: address.clone(),
            address,
            subscriber: user.to_owned(),
            subscriber_has_password: false,
            id: None,
            limits: Limits::default(),
        }
    }
}

fn is_default(limits: &Limits) -> bool {
    *limits == Limits::default()
}

/// Everything that a connection needs. Not serialisable: it holds secrets.
#[derive(Clone, Debug)]
pub struct Access {
    /// Addresses and users.
    pub endpoint: Endpoint,
    /// The password of [`Endpoint::user`].
    pub password: Option<SecretString>,
    /// The password of [`Endpoint::subscriber`].
    pub subscriber_password: Option<SecretString>,
    /// PEM text of the certificate authorities to trust.
    pub ca: Option<String>,
    /// PEM text of the client certificate.
    pub cert: Option<String>,
    /// PEM text of the client certificate's key.
    pub key: Option<SecretString>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_print() {
        for (text, shown) in [("a.b:1", "a.b:1"), ("a", "a:5432"), ("[::1]:9", "[::1]:9"), ("[::1]", "[::1]:5432")] {
            assert_eq!(text.parse::<HostPort>().map(|a| a.to_string()), Ok(shown.to_owned()));
        }
        for bad in ["", ":1", "a:0", "a:x", "a:70000", "a b:1", "[::1", "a@b:1", "a/b"] {
            assert!(bad.parse::<HostPort>().is_err(), "{bad}");
        }
    }
}
