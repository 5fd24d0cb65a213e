//! transship's own access to stores, against an S3 server and a directory.

use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;
use transship_model::Name;
use transship_model::access::HostPort;
use transship_model::redact::Redactor;
use transship_model::spec::Protocol;
use transship_model::store::{DirectoryLocation, S3Location, StoreAccess, StoreLocation, StoreSecret};
use transship_store::{ErrorKind, Sight, Store, StoreError, look, probe};

use crate::s3::{ACCESS_KEY, Fault, S3, SECRET_KEY};

const BUCKET: &str = "exports";

/// A bucket of the server, as a spec would resolve it.
pub(crate) fn s3_location(server: &S3) -> S3Location {
    S3Location {
        bucket: BUCKET.to_owned(),
        prefix: "shop/x".to_owned(),
        region: None,
        endpoint: Some(HostPort { host: server.address.ip().to_string(), port: server.address.port() }),
        path_style: true,
        protocol: Protocol::Http,
        has_keys: true,
    }
}

/// Access with these keys.
pub(crate) fn access(location: S3Location, access_key: &str, secret_key: &str) -> StoreAccess {
    let keys = [(StoreSecret::AccessKey, access_key), (StoreSecret::SecretKey, secret_key)];
    let secrets = keys.map(|(secret, value)| (secret, SecretString::from(value))).into();
    StoreAccess { location: StoreLocation::S3(location), secrets }
}

fn right(server: &S3) -> StoreAccess {
    access(s3_location(server), ACCESS_KEY, SECRET_KEY)
}

fn name() -> Name {
    "handover".parse().expect("a name")
}

fn open(access: &StoreAccess) -> Store {
    let redactor = Redactor::new(access.secrets.values());
    Store::open(&name(), access, &redactor).expect("a client")
}

async fn sight(access: &StoreAccess) -> Sight {
    look(&name(), access, &Redactor::new(access.secrets.values())).await
}

fn wrong(sight: Sight) -> StoreError {
    match sight {
        Sight::Wrong(error) => error,
        other => panic!("not wrong: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_a_bucket_come_and_go() {
    let server = S3::start(&[BUCKET]);
    let store = open(&right(&server));
    for key in ["w/f/b c.json", "w/f/a.json", "w/fx/ü=1.json"] {
        store.put(key, Bytes::from_static(b"{}")).await.unwrap();
    }
    assert_eq!(server.keys(BUCKET), ["shop/x/w/f/a.json", "shop/x/w/f/b c.json", "shop/x/w/fx/ü=1.json"]);
    let keys: Vec<String> = store.list("w/f").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["w/f/a.json", "w/f/b c.json"]);
    assert_eq!(store.list("").await.unwrap().len(), 3);
    assert_eq!(store.list("none").await.unwrap(), []);
    assert!(store.exists("w/f/a.json").await.unwrap());
    assert!(!store.exists("w/f/a").await.unwrap());
    assert_eq!(store.get("w/fx/ü=1.json").await.unwrap(), "{}");
    for _ in 0..2 {
        store.delete("w/f/a.json").await.unwrap();
    }
    assert_eq!(store.get("w/f/a.json").await.unwrap_err().kind, ErrorKind::NotFound);
}

/// Larger than two parts.
async fn large(store: &Store, key: &str) -> Vec<u8> {
    let piece: Vec<u8> = (0..=250).cycle().take(999_983).collect();
    let mut upload = store.upload(key).await.unwrap();
    let mut whole = Vec::new();
    for _ in 0..35 {
        upload.write(&piece).await.unwrap();
        whole.extend_from_slice(&piece);
    }
    assert_eq!(upload.finish().await.unwrap(), whole.len() as u64);
    whole
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_goes_in_parts() {
    let server = S3::start(&[BUCKET]);
    let store = std::sync::Arc::new(open(&right(&server)));
    // On another thread: whatever the store does can be sent there.
    let other = std::sync::Arc::clone(&store);
    let whole = tokio::spawn(async move { large(&other, "w/large").await }).await.unwrap();
    assert_eq!(store.get("w/large").await.unwrap(), whole);
    let parts = server.requests().iter().filter(|line| line.starts_with("PUT ")).count();
    assert_eq!(parts, 3);
    let mut given_up = store.upload("w/given-up").await.unwrap();
    given_up.write(&whole).await.unwrap();
    given_up.abort().await.unwrap();
    let mut small = store.upload("w/small").await.unwrap();
    small.write(b"small").await.unwrap();
    assert_eq!(small.finish().await.unwrap(), 5);
    assert_eq!(server.keys(BUCKET), ["shop/x/w/large", "shop/x/w/small"]);
}

#[tokio::test]
async fn a_large_file_is_seen_when_it_is_whole() {
    let root = std::env::temp_dir().join(format!("transship-it-large-{}", std::process::id()));
    fs_err::create_dir_all(&root).unwrap();
    let location = DirectoryLocation { path: root.to_string_lossy().into_owned() };
    let store = open(&StoreAccess { location: StoreLocation::Directory(location), secrets: [].into() });
    let whole = large(&store, "w/large").await;
    assert_eq!(store.get("w/large").await.unwrap(), whole);
    let mut given_up = store.upload("x/given-up").await.unwrap();
    given_up.write(&whole).await.unwrap();
    assert_eq!(store.list("").await.unwrap().len(), 1);
    given_up.abort().await.unwrap();
    assert!(!root.join("x").exists());
    fs_err::remove_dir_all(&root).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_several_pages_is_whole() {
    let server = S3::start(&[BUCKET]);
    let folder = server.bucket(BUCKET).join("shop/x/many");
    fs_err::create_dir_all(&folder).unwrap();
    for number in 0..1234 {
        fs_err::write(folder.join(format!("{number:04}")), "").unwrap();
    }
    let found = open(&right(&server)).list("many").await.unwrap();
    assert_eq!((found.len(), found[1233].key.as_str()), (1234, "many/1233"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_bucket_is_said() {
    let server = S3::start(&[BUCKET]);
    assert_eq!(sight(&right(&server)).await, Sight::Seen);
    for (location, access_key, secret_key, code, key) in [
        (s3_location(&server), ACCESS_KEY, "another secret", "store::credentials", "secret_key"),
        (s3_location(&server), "ANOTHER", SECRET_KEY, "store::credentials", "secret_key"),
        (
            S3Location { bucket: "nope".to_owned(), ..s3_location(&server) },
            ACCESS_KEY,
            SECRET_KEY,
            "store::no-bucket",
            "bucket",
        ),
    ] {
        let error = wrong(sight(&access(location, access_key, secret_key)).await);
        assert_eq!((error.code(), error.spec_key()), (code, Some(format!("stores.handover.s3.{key}"))), "{error}");
        assert!(error.help().is_some() && !error.to_string().contains(secret_key), "{error}");
    }
    server.fail(Fault::Forbid);
    assert_eq!(wrong(sight(&right(&server)).await).code(), "store::forbidden");
    server.fail(Fault::ReadOnly);
    assert_eq!(sight(&right(&server)).await, Sight::Seen);
    let access = right(&server);
    let probed = probe(&name(), &access, &Redactor::default(), "w/probe").await;
    assert_eq!(wrong(probed).code(), "store::forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_hold_for_this_machine_alone_is_not_held_against_the_clusters() {
    let server = S3::start(&[BUCKET]);
    let nobody = HostPort { host: "127.0.0.1".to_owned(), port: 1 };
    let away = S3Location { endpoint: Some(nobody), ..s3_location(&server) };
    let https = S3Location { protocol: Protocol::Https, ..s3_location(&server) };
    for (location, code) in [(away, "store::unreachable"), (https, "store::tls")] {
        match sight(&access(location, ACCESS_KEY, SECRET_KEY)).await {
            Sight::Unseen(error) => assert_eq!(error.code(), code, "{error}"),
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_is_asked_again_a_few_times() {
    let server = S3::start(&[BUCKET]);
    let store = open(&right(&server));
    store.put("a", Bytes::new()).await.unwrap();
    server.fail(Fault::SlowDown(2));
    store.get("a").await.unwrap();
    server.fail(Fault::SlowDown(usize::MAX));
    let before = server.requests().len();
    assert_eq!(store.get("a").await.unwrap_err().kind, ErrorKind::Busy);
    assert_eq!(server.requests().len() - before, 4);
    server.fail(Fault::Slow(Duration::from_millis(50)));
    store.get("a").await.unwrap();
    server.fail(Fault::Refuse);
    assert!(store.get("a").await.unwrap_err().is_transient());
    server.fail(Fault::None);
    assert_eq!(probe(&name(), &right(&server), &Redactor::default(), "w/probe").await, Sight::Seen);
    assert_eq!(server.keys(BUCKET), ["shop/x/a"]);
}

#[tokio::test]
async fn a_directory_is_seen_where_it_is_mounted() {
    let root = std::env::temp_dir().join(format!("transship-it-directory-{}", std::process::id()));
    let location = DirectoryLocation { path: root.to_string_lossy().into_owned() };
    let access = StoreAccess { location: StoreLocation::Directory(location), secrets: [].into() };
    match sight(&access).await {
        Sight::Unseen(error) => assert_eq!(error.code(), "store::no-directory"),
        other => panic!("{other:?}"),
    }
    fs_err::create_dir_all(&root).unwrap();
    assert_eq!(probe(&name(), &access, &Redactor::default(), "w/f/probe").await, Sight::Seen);
    assert_eq!(fs_err::read_dir(&root).unwrap().count(), 0);
    fs_err::remove_dir(&root).unwrap();
}
