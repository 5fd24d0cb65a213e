//! The URI of a store in COPY TO and COPY FROM, and the options that go with it.
//!
//! CrateDB takes an S3 URI apart after decoding it, so that not every key can stand in one; it asks the bucket itself
//! for its region; and without keys it signs nothing.

use secrecy::{ExposeSecret as _, SecretString};

use super::location::{AzureLocation, S3Location, StoreLocation, joined};
use super::repository::{credential, protocol};
use super::{Setting, StoreAccess, StoreSecret};
use crate::redact::{MASK, percent_encode};

/// Why CrateDB cannot copy to or from a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is a Google Cloud Storage bucket.
    Gcs,
    /// The store can only be read from.
    ReadOnly,
    /// A key of an S3 bucket has `:` in it, or `@` where the URI names no endpoint.
    Key(StoreSecret),
    /// The host of an Azure endpoint does not begin with the account.
    ForeignEndpoint,
    /// A secret is missing.
    Missing(StoreSecret),
}

impl Unfit {
    /// Why not, and what to do: for people.
    pub const fn reason(self) -> (&'static str, &'static str) {
        match self {
            Self::Gcs => (
                "CrateDB cannot copy files to or from Google Cloud Storage",
                "use an `s3`, `directory` or `azure` store, or strategy `snapshot`",
            ),
            Self::ReadOnly => ("the store can only be read from", "use an `s3`, `directory` or `azure` store"),
            Self::Key(_) => (
                "the keys stand in the URI of a COPY, where CrateDB cannot read a key with `:` or `@` in it",
                "make a key pair of other characters, or use strategy `snapshot`",
            ),
            Self::ForeignEndpoint => (
                "CrateDB takes the account from the first part of the endpoint's host, and this host has another",
                "use an endpoint such as `https://ACCOUNT.blob.core.windows.net`, or strategy `snapshot`",
            ),
            Self::Missing(_) => ("a secret of the store is missing", "give the store its keys"),
        }
    }
}

/// The URI of what lies under `below` (parts joined by `/`), as reviewers see it: without secrets.
pub fn shown(location: &StoreLocation, below: &str) -> Result<String, Unfit> {
    let path = encode_path(&location.path(below));
    match location {
        StoreLocation::Directory(_) => Ok(format!("file://{path}")),
        StoreLocation::S3(s3) => Ok(s3_uri(s3, &path, s3.has_keys.then_some((MASK, MASK)))),
        StoreLocation::Azure(azure) => azure_uri(azure, &path),
        StoreLocation::Gcs(_) => Err(Unfit::Gcs),
        StoreLocation::Url(url) => Ok(with_path(&url.url, &encode_path(below))),
    }
}

/// The URI of one file below `below` to bind for COPY FROM: a secret.
///
/// CrateDB decodes the path of an S3 URI twice, so that the name of a file is encoded twice.
pub fn bound_file(access: &StoreAccess, below: &str, file: &str) -> Result<SecretString, Unfit> {
    let name = match access.location {
        StoreLocation::S3(_) => encode_path(file),
        _ => file.to_owned(),
    };
    bound(access, &joined(below, &name))
}

/// What RETURN SUMMARY calls a file whose URI is that of [`bound_file`]. It holds no secret, but for a `url` store.
pub fn in_summary(location: &StoreLocation, below: &str, file: &str) -> Result<String, Unfit> {
    match location {
        StoreLocation::S3(s3) => {
            Ok(format!("s3://{}/{}", s3.bucket, joined(&location.path(below), &encode_path(file))))
        }
        _ => shown(location, &joined(below, file)),
    }
}

/// The URI to bind, for COPY TO and for COPY FROM with `*`: a secret.
pub fn bound(access: &StoreAccess, below: &str) -> Result<SecretString, Unfit> {
    let location = &access.location;
    match location {
        StoreLocation::S3(s3) if s3.has_keys => {
            let (key, secret) = (key(access, s3, StoreSecret::AccessKey)?, key(access, s3, StoreSecret::SecretKey)?);
            let path = encode_path(&location.path(below));
            Ok(s3_uri(s3, &path, Some((&key, &secret))).into())
        }
        StoreLocation::Url(url) if url.masked => {
            let url = access.secret(StoreSecret::Url).ok_or(Unfit::Missing(StoreSecret::Url))?.expose_secret();
            Ok(with_path(url, &encode_path(below)).into())
        }
        _ => shown(location, below).map(SecretString::from),
    }
}

/// The options of a COPY that go with the URI.
pub fn options(location: &StoreLocation) -> Vec<Setting> {
    match location {
        StoreLocation::S3(s3) => vec![Setting::text("protocol", protocol(s3.protocol))],
        StoreLocation::Azure(azure) => {
            let mut options = vec![credential(azure)];
            let word = if plain_http(azure) { "http" } else { "https" };
            options.push(Setting::text("protocol", word));
            options
        }
        StoreLocation::Directory(_) | StoreLocation::Gcs(_) | StoreLocation::Url(_) => Vec::new(),
    }
}

/// A key as it stands in a URI. CrateDB splits the decoded user part at `:`; without a port in the URI, it takes the
/// bucket for what follows the first `@`.
fn key(access: &StoreAccess, s3: &S3Location, secret: StoreSecret) -> Result<String, Unfit> {
    let value = access.secret(secret).ok_or(Unfit::Missing(secret))?.expose_secret();
    let unfit = value.contains(':') || (s3.endpoint.is_none() && value.contains('@'));
    if unfit { Err(Unfit::Key(secret)) } else { Ok(percent_encode(value, false)) }
}

/// `s3://[KEY:SECRET@][HOST:PORT/]BUCKET/PATH`. The port must be there, or the host would be taken for the bucket.
fn s3_uri(s3: &S3Location, path: &str, keys: Option<(&str, &str)>) -> String {
    let keys = keys.map(|(key, secret)| format!("{key}:{secret}@")).unwrap_or_default();
    let endpoint = s3.endpoint.as_ref().map(|endpoint| format!("{endpoint}/")).unwrap_or_default();
    joined(&format!("s3://{keys}{endpoint}{}", s3.bucket), path)
}

/// `az://ACCOUNT.SUFFIX/CONTAINER/PATH`.
fn azure_uri(azure: &AzureLocation, path: &str) -> Result<String, Unfit> {
    let host = match &azure.endpoint {
        None => format!("{}.blob.core.windows.net", azure.account),
        Some(endpoint) => {
            let host = endpoint.split_once("://").map_or(endpoint.as_str(), |(_, rest)| rest).trim_end_matches('/');
            let account = host.split('.').next().unwrap_or_default();
            if account != azure.account || host.contains('/') {
                return Err(Unfit::ForeignEndpoint);
            }
            host.to_owned()
        }
    };
    Ok(joined(&format!("az://{host}/{}", azure.container), path))
}

fn plain_http(azure: &AzureLocation) -> bool {
    azure.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"))
}

/// `url` with `below` after its path and before its query.
fn with_path(url: &str, below: &str) -> String {
    match url.split_once('?') {
        Some((url, query)) => format!("{}?{query}", joined(url.trim_end_matches('/'), below)),
        None => joined(url.trim_end_matches('/'), below),
    }
}

/// Percent-encodes every part of a path but `*`, by which COPY FROM chooses files.
pub fn encode_path(path: &str) -> String {
    let parts = path.split('/').map(|part| part.split('*').map(|text| percent_encode(text, false)));
    parts.map(|part| part.collect::<Vec<_>>().join("*")).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{access, azure, directory, gcs, s3, url};
    use super::super::{AzureLocation, SettingValue, UrlLocation};
    use super::*;

    #[test]
    fn reviewers_see_no_secret() {
        assert_eq!(shown(&s3(), "w/f/*").as_deref(), Ok("s3://***:***@minio:9000/transship/shop/w/f/*"));
        assert_eq!(shown(&directory(), "w/my f").as_deref(), Ok("file:///exchange/w/my%20f"));
        assert_eq!(shown(&azure(), "w").as_deref(), Ok("az://acme.blob.core.windows.net/c/w"));
        assert_eq!(shown(&url(), "w/x.json").as_deref(), Ok("https://h/repo/w/x.json"));
        assert_eq!(shown(&gcs(), ""), Err(Unfit::Gcs));
    }

    #[test]
    fn a_bound_uri_holds_the_keys_encoded() {
        let keys = [(StoreSecret::AccessKey, "a/+b"), (StoreSecret::SecretKey, "s=%@&#")];
        let uri = bound(&access(s3(), &keys), "w").expect("a URI");
        assert_eq!(uri.expose_secret(), "s3://a%2F%2Bb:s%3D%25%40%26%23@minio:9000/transship/shop/w");
        assert_eq!(
            bound(&access(directory(), &[]), "w").map(|uri| uri.expose_secret().to_owned()).as_deref(),
            Ok("file:///exchange/w")
        );
    }

    #[test]
    fn the_name_of_a_file_in_a_bucket_is_encoded_twice() {
        let keys = [(StoreSecret::AccessKey, "a"), (StoreSecret::SecretKey, "s")];
        let uri = bound_file(&access(s3(), &keys), "w", "my t_0_.json").expect("a URI");
        assert_eq!(uri.expose_secret(), "s3://a:s@minio:9000/transship/shop/w/my%2520t_0_.json");
        let shown = |location: StoreLocation| in_summary(&location, "w", "my t_0_.json").expect("a URI");
        assert_eq!(shown(s3()), "s3://transship/shop/w/my%20t_0_.json");
        let uri = bound_file(&access(directory(), &[]), "w", "my t_0_.json").expect("a URI");
        assert_eq!(uri.expose_secret(), shown(directory()));
        assert_eq!(shown(directory()), "file:///exchange/w/my%20t_0_.json");
    }

    #[test]
    fn a_key_that_no_uri_can_carry_is_refused() {
        let keys = [(StoreSecret::AccessKey, "a"), (StoreSecret::SecretKey, "s:t")];
        assert_eq!(bound(&access(s3(), &keys), "").err(), Some(Unfit::Key(StoreSecret::SecretKey)));
        assert_eq!(bound(&access(s3(), &keys[..1]), "").err(), Some(Unfit::Missing(StoreSecret::SecretKey)));
    }

    #[test]
    fn a_store_of_aws_names_no_host() {
        let StoreLocation::S3(mut s3) = s3() else { panic!("an S3 store") };
        (s3.endpoint, s3.prefix) = (None, String::new());
        assert_eq!(shown(&StoreLocation::S3(s3.clone()), "").as_deref(), Ok("s3://***:***@transship"));
        s3.has_keys = false;
        assert_eq!(shown(&StoreLocation::S3(s3), "w").as_deref(), Ok("s3://transship/w"));
    }

    #[test]
    fn an_azure_endpoint_begins_with_the_account() {
        let StoreLocation::Azure(azure) = azure() else { panic!("an Azure store") };
        let at = |endpoint: &str| {
            StoreLocation::Azure(AzureLocation { endpoint: Some(endpoint.to_owned()), ..azure.clone() })
        };
        assert_eq!(shown(&at("http://acme.local:10000"), "w").as_deref(), Ok("az://acme.local:10000/c/w"));
        assert_eq!(shown(&at("http://127.0.0.1:10000/acme"), "w"), Err(Unfit::ForeignEndpoint));
        let protocol = options(&at("http://acme.local:10000")).pop().map(|option| option.value);
        assert_eq!(protocol, Some(SettingValue::Text("http".to_owned())));
    }

    #[test]
    fn what_is_signed_stays_behind_the_path() {
        let location = StoreLocation::Url(UrlLocation { url: "https://h/repo?***".to_owned(), masked: true });
        let access = access(location, &[(StoreSecret::Url, "https://h/repo/?sig=x")]);
        assert_eq!(bound(&access, "w").expect("a URI").expose_secret(), "https://h/repo/w?sig=x");
    }
}
