//! References, files and what becomes of them; nothing that is secret is shown.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;
use transship_model::{Finding, SpecPath};

use crate::corpus::Scratch;
use crate::{LoadOptions, Loaded, Resolved, load, resolve, resolve_secret};

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIBszCCARwCCQ==\n-----END CERTIFICATE-----\n";

fn options(scratch: &Scratch) -> LoadOptions {
    LoadOptions { directory: scratch.0.join("workspace"), environment: None, allow_roots: Vec::new() }
}

fn loaded(scratch: &Scratch, clusters: &str) -> Loaded {
    scratch.write("workspace/a.yaml", format!("version: 1\nworkspace: w\nclusters:\n{clusters}"));
    load(&options(scratch)).map_err(|error| error.findings).unwrap()
}

fn variables(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn resolved(name: &str, clusters: &str, environment: &[(&str, &str)]) -> Result<Resolved, Vec<Finding>> {
    let scratch = Scratch::new(name);
    scratch.write("workspace/password.txt", "from file\r\n");
    scratch.write("workspace/ca.pem", PEM);
    scratch.write("workspace/empty.txt", "\n");
    scratch.write("workspace/large.txt", "x".repeat(64 * 1024 + 1));
    scratch.write("workspace/binary.txt", [0xff, 0xfe]);
    scratch.write("outside.txt", "outside");
    let loaded = loaded(&scratch, clusters);
    resolve(&loaded, &options(&scratch), &variables(environment))
}

/// The codes and paths of what is found.
fn problems(result: Result<Resolved, Vec<Finding>>) -> Vec<String> {
    let findings = result.map_or_else(|findings| findings, |resolved| resolved.warnings);
    findings.iter().map(|f| format!("{} {}", f.code, f.path.as_ref().map_or("", |path| &path.0))).collect()
}

#[test]
fn a_cluster_gets_its_defaults() {
    let resolved = resolved(
        "defaults",
        "  a: { url: { env: URL }, password: { file: password.txt } }\n",
        &[("URL", "postgres://u%40x@h:5433/")],
    )
    .unwrap();
    let access = resolved.access.values().next().unwrap();
    let endpoint = &access.endpoint;
    assert_eq!(endpoint.user, "u@x");
    assert_eq!(endpoint.subscriber, "u@x");
    assert!(endpoint.subscriber_has_password);
    let addresses = [&endpoint.address, &endpoint.tunnel, &endpoint.transport].map(ToString::to_string);
    assert_eq!(addresses, ["h:5433", "h:5433", "h:4300"]);
    let passwords = [&access.password, &access.subscriber_password];
    assert_eq!(passwords.map(|p| p.as_ref().unwrap().expose_secret()), ["from file"; 2]);
    assert_eq!(resolved.redactor.redact("x from file y"), "x *** y");
}

#[test]
fn a_cluster_keeps_what_it_says() {
    let cluster = "  a:
    url: postgres://u@h
    password: { env: P }
    ca: ca.pem
    cert: { env: CERT }
    key: ca.pem
    subscriber: { user: { env: REPL }, password: { env: Q } }
    tunnel: t
    transport: \"[::1]:1\"
    id: { env: ID }
";
    let values = [("P", "pee"), ("Q", "queue"), ("REPL", "repl"), ("ID", "n34"), ("CERT", "ca.pem")];
    let resolved = resolved("says", cluster, &values).unwrap();
    let access = resolved.access.values().next().unwrap();
    assert_eq!(access.endpoint.subscriber, "repl");
    assert_eq!(access.subscriber_password.as_ref().unwrap().expose_secret(), "queue");
    assert_eq!([access.endpoint.tunnel.to_string(), access.endpoint.transport.to_string()], ["t:5432", "[::1]:1"]);
    assert_eq!(access.endpoint.id.as_deref(), Some("n34"));
    assert_eq!([access.ca.as_deref(), access.cert.as_deref()], [Some(PEM); 2]);
    assert_eq!(resolved.redactor.redact("pee queue MIIBszCCARwCCQ=="), "*** *** ***");
}

#[test]
fn a_password_in_a_url_from_a_reference_is_a_secret() {
    let url = [("URL", "postgres://u:p%2Fw%20d@h/")];
    let resolved = resolved("url", "  a: { url: { env: URL } }\n", &url).unwrap();
    let access = resolved.access.values().next().unwrap();
    assert_eq!(access.password.as_ref().unwrap().expose_secret(), "p/w d");
    assert_eq!(resolved.redactor.redact("p/w d p%2Fw%20d p%2fw%20d"), "*** *** ***");
}

#[test]
fn everything_that_is_missing_is_reported() {
    let clusters = "  a: { url: { env: URL }, password: { env: P } }
  b: { url: { env: EMPTY }, subscriber: { user: { env: REPL }, password: { file: none.txt } } }
  c: { url: postgres://u@h, password: { file: ../outside.txt } }
  d: { url: postgres://u@h, password: { file: empty.txt }, id: { file: large.txt } }
  e: { url: postgres://u@h, password: { file: binary.txt }, ca: none.pem }
  f: { url: postgres://u@h, ca: password.txt, password: { file: . } }
  g: { url: { env: SECRET }, password: { env: SECRET }, tunnel: { env: SECRET } }
  h: { url: { env: GOOD }, password: { env: SECRET }, tunnel: { env: SECRET } }
";
    let values = [("EMPTY", ""), ("SECRET", "hunter 2"), ("GOOD", "postgres://u:x@h")];
    let result = resolved("missing", clusters, &values);
    assert!(!format!("{result:?}").contains("hunter"));
    assert_eq!(
        problems(result),
        [
            "spec::missing-variable clusters.a.url",
            "spec::missing-variable clusters.a.password",
            "spec::missing-variable clusters.b.url",
            "spec::missing-variable clusters.b.subscriber.user",
            "spec::missing-file clusters.b.subscriber.password",
            "spec::file-outside clusters.c.password",
            "spec::missing-file clusters.d.password",
            "spec::unfit-file clusters.d.id",
            "spec::unfit-file clusters.e.password",
            "spec::missing-file clusters.e.ca",
            "spec::unfit-file clusters.f.password",
            "spec::unfit-file clusters.f.ca",
            "spec::bad-url clusters.g.url",
            "spec::two-passwords clusters.h.password",
        ]
    );
}

#[test]
fn a_password_without_tls_is_a_warning() {
    let clusters = "  a: { url: postgres://u@h, password: { env: P }, tls: disable }
  b: { url: postgres://u@127.0.0.1, password: { env: P }, tls: disable }
  c: { url: postgres://u@h, tls: disable }
";
    let result = resolved("clear", clusters, &[("P", "pee")]);
    assert_eq!(problems(result), ["spec::clear-text-password clusters.a.tls"]);
}

/// A cluster, two stores of every kind, and a flow through each of the first ones.
const STORES: &str = "  a: { url: postgres://u@h }
  b: { url: postgres://u@i }
stores:
  s: { s3: { bucket: { env: BUCKET }, prefix: /shop/x/, endpoint: minio, protocol: http,
             access_key: { env: KEY }, secret_key: { env: KEY2 } } }
  d: { directory: { path: /exchange/ } }
  z: { azure: { account: acme, container: c, sas_token: { env: KEY } } }
  g: { gcs: { bucket: b, project_id: p, private_key_id: { env: KEY }, private_key: { env: KEY2 },
              client_id: { env: KEY }, client_email: { env: KEY } } }
  u: { url: { url: { env: REPOSITORY } } }
flows:
  s: { from: a, to: b, tables: [x.s], strategy: { snapshot: { store: s } } }
  d: { from: a, to: b, tables: [x.d], strategy: { export-import: { store: d } } }
  z: { from: a, to: { store: z }, tables: [x.z], strategy: { export-import: {} } }
  g: { from: a, to: b, tables: [x.g], strategy: { snapshot: { store: g } } }
  u: { from: { store: u }, to: b, tables: [x.u], strategy: { export-import: {} } }
";

#[test]
fn stores_of_every_kind_get_their_secrets() {
    let repository = "https://me:pass word@h.example/repo/?sig=abcdefgh";
    let values = [("BUCKET", "bucket"), ("KEY", "the key"), ("KEY2", "key two"), ("REPOSITORY", repository)];
    let resolved = resolved("kinds", STORES, &values).unwrap();
    let shown: Vec<String> = resolved.stores.values().map(|access| access.location.to_string()).collect();
    assert_eq!(
        shown,
        [
            "directory /exchange",
            "gcs bucket b",
            "s3 bucket bucket/shop/x at minio:80",
            "url https://***@h.example/repo?***",
            "azure container c of acme"
        ]
    );
    let counts: Vec<usize> = resolved.stores.values().map(|access| access.secrets.len()).collect();
    assert_eq!(counts, [0, 4, 2, 1, 1]);
    let all = format!("{:?}", resolved.stores);
    for secret in ["the key", "key two", "pass word", "abcdefgh"] {
        assert!(!all.contains(secret), "{secret}");
        assert_eq!(resolved.redactor.redact(secret), "***");
    }
}

#[test]
fn everything_that_a_store_in_use_lacks_is_reported() {
    let values = [("BUCKET", "a/b"), ("REPOSITORY", "no url"), ("KEY2", "key two")];
    let result = resolved("lacking", STORES, &values);
    assert_eq!(
        problems(result),
        [
            "spec::missing-variable stores.g.gcs.private_key_id",
            "spec::missing-variable stores.g.gcs.client_id",
            "spec::missing-variable stores.g.gcs.client_email",
            "spec::bad-bucket stores.s.s3.bucket",
            "spec::missing-variable stores.s.s3.access_key",
            "spec::bad-store-url stores.u.url.url",
            "spec::missing-variable stores.z.azure.sas_token",
        ]
    );
}

#[test]
fn places_that_cannot_be_are_refused() {
    let stores = |store: &str| {
        let flow = "flows: { f: { from: a, to: b, tables: [x.y], strategy: { snapshot: { store: s } } } }";
        format!("  a: {{ url: postgres://u@h }}\n  b: {{ url: postgres://u@i }}\nstores:\n  s: {store}\n{flow}\n")
    };
    for (store, problem) in [
        ("{ s3: { bucket: b, prefix: a//b } }", "spec::bad-prefix stores.s.s3.prefix"),
        ("{ s3: { bucket: b, prefix: ../b } }", "spec::bad-prefix stores.s.s3.prefix"),
        ("{ s3: { bucket: b, prefix: my files } }", "spec::bad-prefix stores.s.s3.prefix"),
        ("{ s3: { bucket: b, endpoint: 'http://minio:9000' } }", "spec::bad-address stores.s.s3.endpoint"),
        ("{ directory: { path: /exchange/../etc } }", "spec::bad-directory stores.s.directory.path"),
        ("{ directory: { path: / } }", "spec::bad-directory stores.s.directory.path"),
        (
            "{ azure: { account: a, container: c, key: { env: K }, endpoint: h } }",
            "spec::bad-store-url stores.s.azure.endpoint",
        ),
    ] {
        assert_eq!(problems(resolved("places", &stores(store), &[("K", "key")])), [problem], "{store}");
    }
}

#[test]
fn secrets_of_unused_stores_are_not_demanded_but_known() {
    let scratch = Scratch::new("stores");
    let more = "  a: { url: postgres://u@h }
stores:
  s: { s3: { bucket: b, access_key: { env: KNOWN }, secret_key: { env: UNKNOWN } } }
";
    let loaded = loaded(&scratch, more);
    let environment = variables(&[("KNOWN", "known key")]);
    let resolved = resolve(&loaded, &options(&scratch), &environment).unwrap();
    assert_eq!(resolved.redactor.redact("a known key"), "a ***");
    assert!(resolved.stores.is_empty());
    let path = SpecPath("stores.s.s3.secret_key".into());
    let transship_model::spec::Store::S3(s3) = loaded.spec.stores.values().next().unwrap() else { panic!() };
    let missing = resolve_secret(s3.secret_key.as_ref().unwrap(), &path, &options(&scratch), &environment);
    assert_eq!(missing.unwrap_err().code, "spec::missing-variable");
}

#[test]
fn an_allowed_root_opens_a_directory() {
    let scratch = Scratch::new("roots");
    scratch.write("secrets/password.txt", "pee");
    scratch.write("workspace/x.txt", "x");
    let loaded = loaded(&scratch, "  a: { url: postgres://u@h, password: { file: ../secrets/password.txt } }\n");
    let mut options = options(&scratch);
    assert_eq!(problems(resolve(&loaded, &options, &variables(&[]))), ["spec::file-outside clusters.a.password"]);
    options.allow_roots.push(scratch.0.join("secrets"));
    assert_eq!(problems(resolve(&loaded, &options, &variables(&[]))), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_outside() {
    let scratch = Scratch::new("links");
    scratch.write("outside.txt", "outside");
    scratch.write("outside.yaml", "version: 1\n");
    let loaded = loaded(&scratch, "  a: { url: postgres://u@h, password: { file: link.txt } }\n");
    std::os::unix::fs::symlink(scratch.0.join("outside.txt"), scratch.0.join("workspace/link.txt")).unwrap();
    let result = resolve(&loaded, &options(&scratch), &variables(&[]));
    assert_eq!(problems(result), ["spec::file-outside clusters.a.password"]);
    std::os::unix::fs::symlink(scratch.0.join("outside.yaml"), scratch.0.join("workspace/b.yaml")).unwrap();
    let error = load(&options(&scratch)).unwrap_err();
    assert_eq!(error.findings[0].code, "spec::file-outside");
}
