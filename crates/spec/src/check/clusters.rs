//! Clusters: URLs, addresses and certificates, as far as they are written out.

use transship_model::access::HostPort;
use transship_model::spec::{Cluster, Text, TlsMode};
use transship_model::{Finding, SpecPath};

use super::Context;
use crate::node::Node;
use crate::report::Report;
use crate::url;

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    // URLs are looked at in the tree: also a cluster that has other problems must not hold a password.
    for cluster in context.root.get("clusters").map_or(&[][..], Node::entries) {
        if let Some(url) = cluster.value.get("url") {
            check_url(url, SpecPath::of("clusters", &cluster.key).key("url"), report);
        }
    }
    for (name, cluster) in &context.spec.clusters {
        let path = SpecPath::of("clusters", name);
        check_address(cluster.transport.as_ref(), 4300, &path.key("transport"), report);
        check_address(cluster.tunnel.as_ref(), 5432, &path.key("tunnel"), report);
        check_certificates(cluster, &path, report);
    }
}

fn check_url(url: &Node, path: SpecPath, report: &mut Report) {
    let Some(text) = url.as_text() else { return };
    if url::shows_password(text) {
        url.mask(report);
        report.push(
            Finding::error("spec::literal-password", "the URL holds a password as it is").at(path.clone()).help(
                "write `password: { env: NAME }` and the URL without it, or put the whole URL into a variable: \
                 `url: { env: NAME }`; if this file was shared, replace the password",
            ),
        );
    }
    if let Err(problem) = url::parse(text) {
        report.push(
            Finding::error("spec::bad-url", format!("this is not the URL of a cluster: {problem}"))
                .at(path)
                .help("write `postgres://USER@HOST:PORT/`"),
        );
    }
}

fn check_address(text: Option<&Text>, port: u16, path: &SpecPath, report: &mut Report) {
    let Some(Text::Literal(text)) = text else { return };
    if HostPort::parse(text, port).is_err() {
        report.push(
            Finding::error("spec::bad-address", "this is not HOST:PORT")
                .at(path.clone())
                .help(format!("write for example `shop.internal:{port}`")),
        );
    }
}

fn check_certificates(cluster: &Cluster, path: &SpecPath, report: &mut Report) {
    let keys = [("ca", &cluster.ca), ("cert", &cluster.cert), ("key", &cluster.key)];
    for (key, _) in keys.into_iter().filter(|(_, value)| value.is_some()) {
        let problem = match cluster.tls {
            TlsMode::Disable => "there is no TLS with `tls: disable`",
            TlsMode::Require if key == "ca" => "`tls: require` does not check certificates",
            TlsMode::Require | TlsMode::VerifyFull => continue,
        };
        report.push(
            Finding::error("spec::certificate-without-tls", format!("`{key}` has no use: {problem}"))
                .at_key(path.key(key))
                .help("use `tls: verify-full`, or remove the key"),
        );
    }
    let (present, missing) = match (&cluster.cert, &cluster.key) {
        (Some(_), None) => ("cert", "key"),
        (None, Some(_)) => ("key", "cert"),
        _ => return,
    };
    report.push(
        Finding::error("spec::half-certificate", format!("`{present}` has no use without `{missing}`"))
            .at_key(path.key(present))
            .help(format!("write `{missing}:` with the path of its PEM file")),
    );
}
