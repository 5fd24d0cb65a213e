//! What transship's own sessions need to reach the clusters.

use transship_model::access::{Access, Endpoint, HostPort};
use transship_model::spec::TlsMode;

use super::sql::{Cluster, Login};

/// Access to `cluster` as `login`.
pub(crate) fn access(cluster: &Cluster, login: &Login, tls: TlsMode) -> Access {
    let address = |port| HostPort { host: cluster.host.clone(), port };
    Access {
        endpoint: Endpoint {
            address: address(cluster.port),
            user: login.user.clone(),
            tls,
            tunnel: address(cluster.port),
            transport: address(cluster.transport),
            subscriber: login.user.clone(),
            subscriber_has_password: login.password.is_some(),
            id: None,
            limits: transship_model::spec::Limits::default(),
        },
        password: login.password.as_deref().map(Into::into),
        subscriber_password: login.password.as_deref().map(Into::into),
        ca: None,
        cert: None,
        key: None,
    }
}
