//! How stores are reached, once every reference is resolved: what a plan may know and show ([`StoreLocation`]), and the
//! secrets beside it ([`StoreAccess`]).
//!
//! From a location alone follow the settings of a repository ([`repository`]) and the URI of a copy as reviewers see
//! it ([`uri`]); the URI that is bound needs the access.

mod location;
pub mod marker;
pub mod repository;
mod seen;
#[cfg(test)]
mod testing;
pub mod uri;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::name::{FlowId, Name};

pub use seen::{ObservedStore, SeenExport, SeenManifest, StoreTrouble};

pub use location::{
    AzureCredential, AzureLocation, DirectoryLocation, GcsLocation, S3Location, StoreLocation, UrlLocation,
};

/// Where a flow has its things below a store: `WORKSPACE[@ENVIRONMENT]/FLOW[@TARGET]`. No two flows share a place, since
/// names have no `@` in them.
pub fn place_of(workspace: &Name, environment: Option<&Name>, flow: &FlowId) -> String {
    let environment = environment.map(|name| format!("@{name}")).unwrap_or_default();
    format!("{workspace}{environment}/{flow}")
}

/// The path of what is called `name` in the directory `directory` below a store.
pub fn path_in(directory: &str, name: &str) -> String {
    location::joined(directory, name)
}

/// A secret of a store, without its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StoreSecret {
    /// The access key of an S3 bucket.
    AccessKey,
    /// The secret key of an S3 bucket.
    SecretKey,
    /// The key of an Azure storage account.
    AzureKey,
    /// A shared access token of Azure.
    SasToken,
    /// The id of a private key of Google.
    PrivateKeyId,
    /// A private key of Google.
    PrivateKey,
    /// The client id of a service account of Google.
    ClientId,
    /// The address of a service account of Google.
    ClientEmail,
    /// The URL of a read-only repository, which holds a password or a signature.
    Url,
}

impl StoreSecret {
    /// The key of the spec, below the store's kind, that holds its reference.
    pub const fn spec_key(self) -> &'static str {
        match self {
            Self::AccessKey => "access_key",
            Self::SecretKey => "secret_key",
            Self::AzureKey => "key",
            Self::SasToken => "sas_token",
            Self::PrivateKeyId => "private_key_id",
            Self::PrivateKey => "private_key",
            Self::ClientId => "client_id",
            Self::ClientEmail => "client_email",
            Self::Url => "url",
        }
    }
}

/// A setting of a repository, or an option of a COPY.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// CrateDB's word for it.
    pub key: &'static str,
    /// Its value.
    pub value: SettingValue,
}

/// The value of a [`Setting`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingValue {
    /// A text, which may be shown and compared.
    Text(String),
    /// A secret of the store, to be bound.
    Secret(StoreSecret),
}

impl Setting {
    fn text(key: &'static str, value: impl Into<String>) -> Self {
        Self { key, value: SettingValue::Text(value.into()) }
    }

    const fn secret(key: &'static str, secret: StoreSecret) -> Self {
        Self { key, value: SettingValue::Secret(secret) }
    }
}

/// Everything that is needed to use a store. Not serialisable: it holds secrets.
#[derive(Clone, Debug)]
pub struct StoreAccess {
    /// Where it is.
    pub location: StoreLocation,
    /// Its secrets; which ones follows from the location.
    pub secrets: BTreeMap<StoreSecret, SecretString>,
}

impl StoreAccess {
    /// The value of a secret.
    pub fn secret(&self, secret: StoreSecret) -> Option<&SecretString> {
        self.secrets.get(&secret)
    }
}
