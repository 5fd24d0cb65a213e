//! What CREATE REPOSITORY needs for a store, as plain data: the type, and settings that are texts or secrets to bind.

use super::location::{AzureCredential, AzureLocation, GcsLocation, S3Location, StoreLocation, joined};
use super::{Setting, StoreSecret};
use crate::spec::Protocol;

/// What a cluster does with a repository. Exactly one cluster may write into it: a second one destroys it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It makes and drops snapshots.
    Writer,
    /// It restores them.
    Reader,
}

/// A repository to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// CrateDB's word for the type.
    pub kind: &'static str,
    /// Its settings, by key.
    pub settings: Vec<Setting>,
}

/// The repository in `location`, below whatever transship writes there: `below` is made of parts joined by `/`.
///
/// `None` for a writer where the store can only be read.
pub fn repository(location: &StoreLocation, role: Role, below: &str) -> Option<Repository> {
    let path = || location.path(below);
    let (kind, mut settings) = match location {
        StoreLocation::Directory(_) => ("fs", vec![Setting::text("location", path())]),
        StoreLocation::S3(s3) => ("s3", of_s3(s3, path())),
        StoreLocation::Azure(azure) => ("azure", of_azure(azure, path())),
        StoreLocation::Gcs(gcs) => ("gcs", of_gcs(gcs, path())),
        StoreLocation::Url(_) if role == Role::Writer => return None,
        StoreLocation::Url(url) if url.masked => ("url", vec![Setting::secret("url", StoreSecret::Url)]),
        StoreLocation::Url(url) => ("url", vec![Setting::text("url", joined(&url.url, below))]),
    };
    if role == Role::Reader && has_readonly(location) {
        settings.push(Setting::text("readonly", "true"));
    }
    settings.sort();
    Some(Repository { kind, settings })
}

/// Whether CrateDB can be told to leave a repository of this kind alone. For `gcs` it cannot: there the reader's
/// service account must lack the right to write.
pub const fn has_readonly(location: &StoreLocation) -> bool {
    matches!(location, StoreLocation::S3(_) | StoreLocation::Directory(_) | StoreLocation::Azure(_))
}

fn of_s3(s3: &S3Location, base_path: String) -> Vec<Setting> {
    let mut settings = vec![
        Setting::text("bucket", &s3.bucket),
        Setting::text("protocol", protocol(s3.protocol)),
        Setting::text("use_path_style_access", if s3.path_style { "true" } else { "false" }),
    ];
    settings.extend(base(base_path));
    settings.extend(s3.endpoint.as_ref().map(|endpoint| Setting::text("endpoint", endpoint.to_string())));
    settings.extend(s3.region.as_ref().map(|region| Setting::text("region", region)));
    if s3.has_keys {
        settings.push(Setting::secret("access_key", StoreSecret::AccessKey));
        settings.push(Setting::secret("secret_key", StoreSecret::SecretKey));
    }
    settings
}

fn of_azure(azure: &AzureLocation, base_path: String) -> Vec<Setting> {
    let mut settings =
        vec![Setting::text("account", &azure.account), Setting::text("container", &azure.container), credential(azure)];
    settings.extend(base(base_path));
    settings.extend(azure.endpoint.as_ref().map(|endpoint| Setting::text("endpoint", endpoint)));
    settings
}

fn of_gcs(gcs: &GcsLocation, base_path: String) -> Vec<Setting> {
    let mut settings = vec![
        Setting::text("bucket", &gcs.bucket),
        Setting::text("project_id", &gcs.project_id),
        Setting::secret("private_key_id", StoreSecret::PrivateKeyId),
        Setting::secret("private_key", StoreSecret::PrivateKey),
        Setting::secret("client_id", StoreSecret::ClientId),
        Setting::secret("client_email", StoreSecret::ClientEmail),
    ];
    settings.extend(base(base_path));
    settings.extend(gcs.endpoint.as_ref().map(|endpoint| Setting::text("endpoint", endpoint)));
    settings
}

fn base(path: String) -> Option<Setting> {
    (!path.is_empty()).then(|| Setting::text("base_path", path))
}

/// The key or the token of an Azure store, which a repository and a COPY take under the same names.
pub(super) fn credential(azure: &AzureLocation) -> Setting {
    match azure.credential {
        AzureCredential::Key => Setting::secret("key", StoreSecret::AzureKey),
        AzureCredential::SasToken => Setting::secret("sas_token", StoreSecret::SasToken),
    }
}

/// CrateDB's word for a protocol.
pub(super) const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Https => "https",
        Protocol::Http => "http",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{azure, directory, gcs, s3, url};
    use super::super::{SettingValue, StoreLocation};
    use super::*;

    /// `kind(key=value, …)`, with secrets as `<key of the spec>`.
    fn shown(location: &StoreLocation, role: Role, below: &str) -> String {
        let Some(repository) = repository(location, role, below) else { return "none".to_owned() };
        let settings = repository.settings.iter().map(|setting| match &setting.value {
            SettingValue::Text(text) => format!("{}={text}", setting.key),
            SettingValue::Secret(secret) => format!("{}=<{}>", setting.key, secret.spec_key()),
        });
        format!("{}({})", repository.kind, settings.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn every_kind_has_its_settings() {
        assert_eq!(shown(&directory(), Role::Writer, "w/f"), "fs(location=/exchange/w/f)");
        assert_eq!(shown(&directory(), Role::Reader, "w/f"), "fs(location=/exchange/w/f, readonly=true)");
        assert_eq!(
            shown(&s3(), Role::Reader, "w/f"),
            "s3(access_key=<access_key>, base_path=shop/w/f, bucket=transship, endpoint=minio:9000, protocol=http, \
             readonly=true, region=eu-central-1, secret_key=<secret_key>, use_path_style_access=true)"
        );
        assert_eq!(
            shown(&azure(), Role::Writer, "w"),
            "azure(account=acme, base_path=w, container=c, sas_token=<sas_token>)"
        );
        assert_eq!(
            shown(&gcs(), Role::Reader, ""),
            "gcs(bucket=b, client_email=<client_email>, client_id=<client_id>, private_key=<private_key>, \
             private_key_id=<private_key_id>, project_id=p)"
        );
        assert_eq!(shown(&url(), Role::Writer, "w"), "none");
        assert_eq!(shown(&url(), Role::Reader, "w"), "url(url=https://h/repo/w)");
    }

    #[test]
    fn a_bucket_without_keys_sends_none() {
        let StoreLocation::S3(s3) = s3() else { panic!("an S3 store") };
        let bare = S3Location { prefix: String::new(), endpoint: None, region: None, has_keys: false, ..s3 };
        assert_eq!(
            shown(&StoreLocation::S3(bare), Role::Writer, ""),
            "s3(bucket=transship, protocol=http, use_path_style_access=true)"
        );
    }
}
