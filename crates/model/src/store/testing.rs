//! One store of each kind, for tests.

use secrecy::SecretString;

use super::{
    AzureCredential, AzureLocation, DirectoryLocation, GcsLocation, S3Location, StoreAccess, StoreLocation,
    StoreSecret, UrlLocation,
};
use crate::access::HostPort;
use crate::spec::Protocol;

pub(super) fn s3() -> StoreLocation {
    StoreLocation::S3(S3Location {
        bucket: "transship".to_owned(),
        prefix: "shop".to_owned(),
        region: Some("eu-central-1".to_owned()),
        endpoint: Some(HostPort { host: "minio".to_owned(), port: 9000 }),
        path_style: true,
        protocol: Protocol::Http,
        has_keys: true,
    })
}

pub(super) fn directory() -> StoreLocation {
    StoreLocation::Directory(DirectoryLocation { path: "/exchange".to_owned() })
}

pub(super) fn azure() -> StoreLocation {
    StoreLocation::Azure(AzureLocation {
        account: "acme".to_owned(),
        container: "c".to_owned(),
        prefix: String::new(),
        endpoint: None,
        credential: AzureCredential::SasToken,
    })
}

pub(super) fn gcs() -> StoreLocation {
    let (bucket, project_id) = ("b".to_owned(), "p".to_owned());
    StoreLocation::Gcs(GcsLocation { bucket, prefix: String::new(), endpoint: None, project_id })
}

pub(super) fn url() -> StoreLocation {
    StoreLocation::Url(UrlLocation { url: "https://h/repo".to_owned(), masked: false })
}

pub(super) fn access(location: StoreLocation, secrets: &[(StoreSecret, &str)]) -> StoreAccess {
    let secrets = secrets.iter().map(|(secret, value)| (*secret, SecretString::from(*value)));
    StoreAccess { location, secrets: secrets.collect() }
}
