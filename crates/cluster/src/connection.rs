//! The connection that a subscription keeps to its publisher.

use secrecy::{ExposeSecret, SecretString};
use transship_model::access::Access;
use transship_model::spec::ReplicationMode;

/// The connection string to `access` as CREATE SUBSCRIPTION takes it, password included. It travels as a bind
/// parameter only.
pub fn subscription_connection(access: &Access, mode: ReplicationMode) -> SecretString {
    let password = access.subscriber_password.as_ref().map(ExposeSecret::expose_secret);
    SecretString::from(transship_sql::connection::text(&access.endpoint, mode, password))
}

#[cfg(test)]
mod tests {
    use transship_model::access::{Endpoint, HostPort};

    use super::*;

    #[test]
    fn the_subscriber_password_is_used_and_never_printed() {
        let address = HostPort { host: "shop".to_owned(), port: 5432 };
        let endpoint = Endpoint { subscriber: "repl".to_owned(), ..Endpoint::plain(address, "tool") };
        let access = |subscriber: &str, subscriber_password: Option<&str>| Access {
            endpoint: Endpoint { subscriber: subscriber.to_owned(), ..endpoint.clone() },
            password: Some("own".into()),
            subscriber_password: subscriber_password.map(Into::into),
            ca: None,
            cert: None,
            key: None,
        };
        let check = |access: &Access, part: &str, present: bool| {
            let text = subscription_connection(access, ReplicationMode::Tunnel);
            assert_eq!(text.expose_secret().contains(part), present, "{part}");
            assert!(!format!("{text:?}").contains("shop"));
        };
        check(&access("repl", Some("p w")), "user=repl&password=p%20w&", true);
        check(&access("repl", None), "password", false);
        check(&access("tool", None), "password", false);
    }
}
