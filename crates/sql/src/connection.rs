//! The connection string of a subscription.

use transship_model::access::Endpoint;
use transship_model::redact::{MASK, percent_encode};
use transship_model::spec::{ReplicationMode, TlsMode};

/// `crate://HOST:PORT?user=…&password=…&mode=…` as CREATE SUBSCRIPTION takes it.
///
/// With a password this is a secret. Without one, see [`shown`]. The mode `sniff` never authenticates, so it carries
/// no password; `sslmode` exists in tunnel mode only and follows the cluster's `tls`.
pub fn text(endpoint: &Endpoint, mode: ReplicationMode, password: Option<&str>) -> String {
    build(endpoint, mode, password.map(|password| percent_encode(password, false)).as_deref())
}

/// The same with the password masked, for plans and reviewers.
pub fn shown(endpoint: &Endpoint, mode: ReplicationMode) -> String {
    build(endpoint, mode, endpoint.subscriber_has_password.then_some(MASK))
}

/// What `pg_subscription.subconninfo` shows for such a connection: user and password masked, whether set or not.
pub fn catalog_form(endpoint: &Endpoint, mode: ReplicationMode) -> String {
    let (address, mode_word) = address_and_mode(endpoint, mode);
    match mode {
        ReplicationMode::Sniff => format!("crate://{address}?user=*&password=*&mode={mode_word}"),
        ReplicationMode::Tunnel => {
            format!("crate://{address}?user=*&password=*&mode={mode_word}&sslmode={}", ssl_mode(endpoint.tls))
        }
    }
}

fn build(endpoint: &Endpoint, mode: ReplicationMode, password: Option<&str>) -> String {
    let (address, mode_word) = address_and_mode(endpoint, mode);
    let user = percent_encode(&endpoint.subscriber, false);
    match mode {
        ReplicationMode::Sniff => format!("crate://{address}?user={user}&mode={mode_word}"),
        ReplicationMode::Tunnel => {
            let password = password.map(|password| format!("&password={password}")).unwrap_or_default();
            format!("crate://{address}?user={user}{password}&mode={mode_word}&sslmode={}", ssl_mode(endpoint.tls))
        }
    }
}

fn address_and_mode(endpoint: &Endpoint, mode: ReplicationMode) -> (String, &'static str) {
    match mode {
        ReplicationMode::Sniff => (endpoint.transport.to_string(), "sniff"),
        ReplicationMode::Tunnel => (endpoint.tunnel.to_string(), "pg_tunnel"),
    }
}

const fn ssl_mode(tls: TlsMode) -> &'static str {
    match tls {
        TlsMode::VerifyFull | TlsMode::Require => "require",
        TlsMode::Disable => "disable",
    }
}

#[cfg(test)]
mod tests {
    use transship_model::access::HostPort;

    use super::*;

    fn endpoint(tls: TlsMode) -> Endpoint {
        let address = |port| HostPort { host: "shop.internal".to_owned(), port };
        Endpoint {
            address: address(5432),
            user: "transship".to_owned(),
            tls,
            tunnel: address(5433),
            transport: address(4300),
            subscriber: "re pl".to_owned(),
            subscriber_has_password: true,
            id: None,
            limits: transship_model::spec::Limits::default(),
        }
    }

    #[test]
    fn connections_follow_mode_and_tls() {
        let tunnel = text(&endpoint(TlsMode::VerifyFull), ReplicationMode::Tunnel, Some("a&b"));
        assert_eq!(tunnel, "crate://shop.internal:5433?user=re%20pl&password=a%26b&mode=pg_tunnel&sslmode=require");
        let plain = text(&endpoint(TlsMode::Disable), ReplicationMode::Tunnel, None);
        assert_eq!(plain, "crate://shop.internal:5433?user=re%20pl&mode=pg_tunnel&sslmode=disable");
        let sniff = text(&endpoint(TlsMode::Disable), ReplicationMode::Sniff, Some("x"));
        assert_eq!(sniff, "crate://shop.internal:4300?user=re%20pl&mode=sniff");
        let shown = shown(&endpoint(TlsMode::Disable), ReplicationMode::Tunnel);
        assert_eq!(shown, "crate://shop.internal:5433?user=re%20pl&password=***&mode=pg_tunnel&sslmode=disable");
        assert_eq!(
            catalog_form(&endpoint(TlsMode::Disable), ReplicationMode::Tunnel),
            "crate://shop.internal:5433?user=*&password=*&mode=pg_tunnel&sslmode=disable"
        );
    }
}
