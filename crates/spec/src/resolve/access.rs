//! How a cluster is reached.

use std::collections::BTreeMap;
use std::net::IpAddr;

use secrecy::{ExposeSecret as _, SecretString};
use transship_model::access::{Access, Endpoint, HostPort};
use transship_model::redact::Redactor;
use transship_model::spec::{Cluster, Secret, Text, TlsMode};
use transship_model::store::StoreAccess;
use transship_model::{Finding, Name, SpecPath};

use super::{Resolved, Variables, read};
use crate::LoadOptions;
use crate::url::{self, ClusterUrl};

/// The port of the transport protocol.
const TRANSPORT_PORT: u16 = 4300;

/// Resolves references, and keeps what went wrong and what must never be shown.
pub(super) struct Resolver<'a> {
    options: &'a LoadOptions,
    environment: &'a dyn Variables,
    secrets: Vec<SecretString>,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(options: &'a LoadOptions, environment: &'a dyn Variables) -> Self {
        Self { options, environment, secrets: Vec::new(), errors: Vec::new(), warnings: Vec::new() }
    }

    /// Reports an error, and gives nothing.
    pub(super) fn refuse<T>(&mut self, finding: Finding) -> Option<T> {
        self.errors.push(finding);
        None
    }

    /// Keeps `secret` out of every text from now on.
    pub(super) fn keep_secret(&mut self, secret: &str) {
        self.secrets.push(SecretString::from(secret));
    }

    /// What `resolve` gives, or nothing if anything is wrong with it, which is then not reported.
    pub(super) fn attempt<T>(&mut self, resolve: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.errors.len();
        let found = resolve(self);
        self.errors.truncate(before);
        found
    }

    /// Takes up the secrets that can be resolved; those that cannot are not needed.
    pub(super) fn learn(&mut self, secrets: &[&Secret]) {
        let nowhere = SpecPath::default();
        let known = |secret: &&Secret| read::secret(secret, &nowhere, self.options, self.environment).ok();
        let learned: Vec<SecretString> = secrets.iter().filter_map(known).collect();
        self.secrets.extend(learned);
    }

    /// The keys of masks that can be resolved: only a run that masks needs them.
    pub(super) fn keys<'s>(&self, secrets: impl Iterator<Item = &'s Secret>) -> BTreeMap<Secret, SecretString> {
        let nowhere = SpecPath::default();
        let known = |secret: &Secret| read::secret(secret, &nowhere, self.options, self.environment).ok();
        secrets.filter_map(|secret| Some((secret.clone(), known(secret)?))).collect()
    }

    pub(super) fn finish(
        self,
        access: BTreeMap<Name, Access>,
        stores: BTreeMap<Name, StoreAccess>,
        keys: BTreeMap<Secret, SecretString>,
    ) -> Result<Resolved, Vec<Finding>> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        Ok(Resolved { access, stores, keys, redactor: Redactor::new(&self.secrets), warnings: self.warnings })
    }

    /// How `cluster` is reached; `None` if anything that is needed is missing, which is reported.
    pub(super) fn cluster(&mut self, name: &Name, cluster: &Cluster) -> Option<Access> {
        let path = SpecPath::of("clusters", name);
        // Everything is resolved before anything is given up, so that all that is missing is reported.
        let url = self.url(&cluster.url, &path.key("url"));
        let password = self.optional_secret(cluster.password.as_ref(), &path.key("password"));
        let subscriber = path.key("subscriber");
        let declared = cluster.subscriber.as_ref();
        let user = self.optional_text(declared.map(|s| &s.user), &subscriber.key("user"));
        let user_password =
            self.optional_secret(declared.and_then(|s| s.password.as_ref()), &subscriber.key("password"));
        let tunnel = self.optional_text(cluster.tunnel.as_ref(), &path.key("tunnel"));
        let transport = self.optional_text(cluster.transport.as_ref(), &path.key("transport"));
        let id = self.optional_text(cluster.id.as_ref(), &path.key("id"));
        let ca = self.pem(cluster.ca.as_ref(), &path.key("ca"));
        let cert = self.pem(cluster.cert.as_ref(), &path.key("cert"));
        let key = self.pem(cluster.key.as_ref(), &path.key("key")).map(|key| key.map(SecretString::from));
        if let Ok(Some(key)) = &key {
            self.secrets.push(key.clone());
        }

        let url = url.ok()?;
        let password = self.one_password(&url, password.ok()?, &path).ok()?;
        let transport_default = HostPort { host: url.address.host.clone(), port: TRANSPORT_PORT };
        let tunnel = self.address(tunnel.ok()?, url.address.clone(), &path.key("tunnel"));
        let transport = self.address(transport.ok()?, transport_default, &path.key("transport"));
        let (subscriber, subscriber_password) = match user.ok()? {
            // Who is the URL's user has that user's password.
            Some(user) if user == url.user => (user, user_password.ok()?.or_else(|| password.clone())),
            Some(user) => (user, user_password.ok()?),
            None => (url.user.clone(), password.clone()),
        };
        let endpoint = Endpoint {
            address: url.address,
            user: url.user,
            tls: cluster.tls,
            tunnel: tunnel?,
            transport: transport?,
            subscriber,
            subscriber_has_password: subscriber_password.is_some(),
            id: id.ok()?,
            limits: cluster.limits.clone(),
        };
        self.warn_of_clear_text(&endpoint, password.is_some(), &path);
        Some(Access { endpoint, password, subscriber_password, ca: ca.ok()?, cert: cert.ok()?, key: key.ok()? })
    }

    fn url(&mut self, text: &Text, path: &SpecPath) -> Result<ClusterUrl, ()> {
        let value = self.text(text, path)?;
        let parsed = url::parse(&value);
        if let Ok(ClusterUrl { password: Some(password), .. }) = &parsed {
            self.secrets.push(SecretString::from(password.decoded.clone()));
            self.secrets.push(SecretString::from(password.written.clone()));
        }
        parsed.map_err(|problem| {
            self.errors.push(
                Finding::error("spec::bad-url", format!("this is not the URL of a cluster: {problem}"))
                    .at(path.clone())
                    .help("write `postgres://USER@HOST:PORT/`"),
            );
        })
    }

    fn one_password(
        &mut self,
        url: &ClusterUrl,
        password: Option<SecretString>,
        path: &SpecPath,
    ) -> Result<Option<SecretString>, ()> {
        let Some(in_url) = &url.password else { return Ok(password) };
        if password.is_none() {
            return Ok(Some(SecretString::from(in_url.decoded.clone())));
        }
        self.errors.push(
            Finding::error("spec::two-passwords", "the URL has a password, and `password` is another")
                .at(path.key("password"))
                .related(path.key("url"), "the URL comes from here")
                .help("keep one of them"),
        );
        Err(())
    }

    /// `HOST:PORT`; the message does not repeat what a reference gave.
    fn address(&mut self, value: Option<String>, default: HostPort, path: &SpecPath) -> Option<HostPort> {
        let Some(value) = value else { return Some(default) };
        let parsed = HostPort::parse(&value, default.port);
        if parsed.is_err() {
            self.errors.push(
                Finding::error("spec::bad-address", "this is not HOST:PORT")
                    .at(path.clone())
                    .help("write for example `shop.internal:4300`"),
            );
        }
        parsed.ok()
    }

    fn warn_of_clear_text(&mut self, endpoint: &Endpoint, has_password: bool, path: &SpecPath) {
        if endpoint.tls != TlsMode::Disable || !has_password || is_loopback(&endpoint.address.host) {
            return;
        }
        self.warnings.push(
            Finding::warning("spec::clear-text-password", "the password crosses the network unprotected")
                .at(path.key("tls"))
                .help("use `tls: verify-full`, with `ca` for a certificate authority of your own"),
        );
    }

    pub(super) fn text(&mut self, text: &Text, path: &SpecPath) -> Result<String, ()> {
        read::text(text, path, self.options, self.environment).map_err(|finding| self.errors.push(finding))
    }

    pub(super) fn optional_text(&mut self, text: Option<&Text>, path: &SpecPath) -> Result<Option<String>, ()> {
        text.map(|text| self.text(text, path)).transpose()
    }

    pub(super) fn optional_secret(
        &mut self,
        secret: Option<&Secret>,
        path: &SpecPath,
    ) -> Result<Option<SecretString>, ()> {
        let Some(secret) = secret else { return Ok(None) };
        let value =
            read::secret(secret, path, self.options, self.environment).map_err(|finding| self.errors.push(finding))?;
        self.secrets.push(SecretString::from(value.expose_secret().to_owned()));
        Ok(Some(value))
    }

    /// The content of a PEM file, whose path is given.
    fn pem(&mut self, file: Option<&Text>, path: &SpecPath) -> Result<Option<String>, ()> {
        let Some(file) = file else { return Ok(None) };
        let name = self.text(file, path)?;
        let content = read::file_content(&name, path, self.options).map_err(|finding| self.errors.push(finding))?;
        if content.contains("-----BEGIN ") {
            return Ok(Some(content));
        }
        self.errors.push(
            Finding::error("spec::unfit-file", "this is not a PEM file")
                .at(path.clone())
                .help("a PEM file has lines such as `-----BEGIN CERTIFICATE-----`"),
        );
        Err(())
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
