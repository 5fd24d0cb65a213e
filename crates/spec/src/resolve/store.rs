//! How a store is reached.

use std::collections::BTreeMap;

use secrecy::SecretString;
use transship_model::access::HostPort;
use transship_model::redact::MASK;
use transship_model::spec::{AzureStore, GcsStore, Protocol, S3Store, Secret, Store, Text};
use transship_model::store::{
    AzureCredential, AzureLocation, DirectoryLocation, GcsLocation, S3Location, StoreAccess, StoreLocation,
    StoreSecret, UrlLocation,
};
use transship_model::{Finding, Name, SpecPath};

use super::access::Resolver;

type Secrets = BTreeMap<StoreSecret, SecretString>;

impl Resolver<'_> {
    /// How `store` is reached; `None` if anything that is needed is missing, which is reported.
    pub(super) fn store(&mut self, name: &Name, store: &Store) -> Option<StoreAccess> {
        let path = SpecPath::of("stores", name);
        match store {
            Store::S3(s3) => self.s3(s3, &path.key("s3")),
            Store::Directory(directory) => {
                let path = path.key("directory").key("path");
                let text = self.text(&directory.path, &path).ok()?;
                let location = DirectoryLocation { path: self.directory(&text, &path)? };
                Some(StoreAccess { location: StoreLocation::Directory(location), secrets: Secrets::new() })
            }
            Store::Azure(azure) => self.azure(azure, &path.key("azure")),
            Store::Gcs(gcs) => self.gcs(gcs, &path.key("gcs")),
            Store::Url(url) => {
                let path = path.key("url").key("url");
                let text = self.text(&url.url, &path).ok()?;
                self.repository_url(&text, &path)
            }
        }
    }

    fn s3(&mut self, s3: &S3Store, path: &SpecPath) -> Option<StoreAccess> {
        // Everything is resolved before anything is given up, so that all that is missing is reported.
        let bucket = self.bucket(&s3.bucket, &path.key("bucket"));
        let prefix = self.prefix(s3.prefix.as_ref(), &path.key("prefix"));
        let region = self.optional_text(s3.region.as_ref(), &path.key("region"));
        let protocol = s3.protocol.unwrap_or(Protocol::Https);
        let endpoint = self.s3_endpoint(s3.endpoint.as_ref(), protocol, &path.key("endpoint"));
        let declared = [(StoreSecret::AccessKey, &s3.access_key), (StoreSecret::SecretKey, &s3.secret_key)];
        let secrets = self.secrets_at(declared.map(|(kind, secret)| (kind, secret.as_ref())), path)?;
        let location = S3Location {
            bucket: bucket?,
            prefix: prefix?,
            region: region.ok()?,
            endpoint: endpoint.ok()?,
            path_style: s3.path_style.unwrap_or(true),
            protocol,
            has_keys: !secrets.is_empty(),
        };
        Some(StoreAccess { location: StoreLocation::S3(location), secrets })
    }

    fn azure(&mut self, azure: &AzureStore, path: &SpecPath) -> Option<StoreAccess> {
        let account = self.text(&azure.account, &path.key("account"));
        let container = self.bucket(&azure.container, &path.key("container"));
        let prefix = self.prefix(azure.prefix.as_ref(), &path.key("prefix"));
        let endpoint = self.azure_endpoint(azure.endpoint.as_ref(), &path.key("endpoint"));
        let declared = [(StoreSecret::AzureKey, azure.key.as_ref()), (StoreSecret::SasToken, azure.sas_token.as_ref())];
        let secrets = self.secrets_at(declared, path)?;
        let by_key = secrets.contains_key(&StoreSecret::AzureKey);
        let location = AzureLocation {
            account: account.ok()?,
            container: container?,
            prefix: prefix?,
            endpoint: endpoint.ok()?,
            credential: if by_key { AzureCredential::Key } else { AzureCredential::SasToken },
        };
        Some(StoreAccess { location: StoreLocation::Azure(location), secrets })
    }

    fn gcs(&mut self, gcs: &GcsStore, path: &SpecPath) -> Option<StoreAccess> {
        let bucket = self.bucket(&gcs.bucket, &path.key("bucket"));
        let prefix = self.prefix(gcs.prefix.as_ref(), &path.key("prefix"));
        let endpoint = self.optional_text(gcs.endpoint.as_ref(), &path.key("endpoint"));
        let project_id = self.text(&gcs.project_id, &path.key("project_id"));
        let declared = [
            (StoreSecret::PrivateKeyId, Some(&gcs.private_key_id)),
            (StoreSecret::PrivateKey, Some(&gcs.private_key)),
            (StoreSecret::ClientId, Some(&gcs.client_id)),
            (StoreSecret::ClientEmail, Some(&gcs.client_email)),
        ];
        let secrets = self.secrets_at(declared, path)?;
        let location =
            GcsLocation { bucket: bucket?, prefix: prefix?, endpoint: endpoint.ok()?, project_id: project_id.ok()? };
        Some(StoreAccess { location: StoreLocation::Gcs(location), secrets })
    }

    fn secrets_at<'a>(
        &mut self,
        declared: impl IntoIterator<Item = (StoreSecret, Option<&'a Secret>)>,
        path: &SpecPath,
    ) -> Option<Secrets> {
        let (mut secrets, mut complete) = (Secrets::new(), true);
        for (kind, secret) in declared {
            match self.optional_secret(secret, &path.key(kind.spec_key())) {
                Ok(value) => secrets.extend(value.map(|value| (kind, value))),
                Err(()) => complete = false,
            }
        }
        complete.then_some(secrets)
    }

    /// The name of a bucket or a container; what is wrong with it is told without repeating it.
    fn bucket(&mut self, text: &Text, path: &SpecPath) -> Option<String> {
        let name = self.text(text, path).ok()?;
        if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
            return Some(name);
        }
        self.refuse(
            Finding::error("spec::bad-bucket", "this is not the name of a bucket or a container")
                .at(path.clone())
                .help("write the name alone: letters, digits, `-`, `.` and `_`"),
        )
    }

    /// A prefix without `/` at its ends, of characters that every kind of URI and repository takes as they are.
    fn prefix(&mut self, text: Option<&Text>, path: &SpecPath) -> Option<String> {
        let Some(text) = text else { return Some(String::new()) };
        let given = self.text(text, path).ok()?;
        let prefix = given.trim_matches('/');
        let plain = |part: &str| {
            let fit = part.chars().all(|c| c.is_ascii_alphanumeric() || "-._~=".contains(c));
            fit && !["", ".", ".."].contains(&part)
        };
        if prefix.is_empty() || prefix.split('/').all(plain) {
            return Some(prefix.to_owned());
        }
        self.refuse(
            Finding::error("spec::bad-prefix", "CrateDB cannot read files back below this prefix")
                .at(path.clone())
                .help("write parts joined by `/`, of letters, digits and `-._~=`"),
        )
    }

    /// An absolute path without `/` at its end, and without parts that lead elsewhere.
    fn directory(&mut self, text: &str, path: &SpecPath) -> Option<String> {
        let trimmed = text.trim_end_matches('/');
        let parts = trimmed.strip_prefix('/');
        if parts
            .is_some_and(|parts| parts.split('/').all(|part| !["", ".", ".."].contains(&part) && !part.contains('*')))
        {
            return Some(trimmed.to_owned());
        }
        self.refuse(
            Finding::error("spec::bad-directory", "this is not the absolute path of a directory")
                .at(path.clone())
                .help("write the path that is the same on every node, below `path.repo`, without `..` and `*`"),
        )
    }

    /// `HOST:PORT`, where there is one; the message does not repeat what a reference gave.
    fn s3_endpoint(
        &mut self,
        text: Option<&Text>,
        protocol: Protocol,
        path: &SpecPath,
    ) -> Result<Option<HostPort>, ()> {
        let Some(text) = text else { return Ok(None) };
        let given = self.text(text, path)?;
        let port = match protocol {
            Protocol::Https => 443,
            Protocol::Http => 80,
        };
        if let Ok(address) = HostPort::parse(&given, port) {
            return Ok(Some(address));
        }
        let refused = self.refuse(
            Finding::error("spec::bad-address", "this is not HOST:PORT")
                .at(path.clone())
                .help("write for example `minio:9000`; `protocol` says whether it is `https` or `http`"),
        );
        refused.ok_or(())
    }

    /// A URL, where there is one.
    fn azure_endpoint(&mut self, text: Option<&Text>, path: &SpecPath) -> Result<Option<String>, ()> {
        let Some(text) = text else { return Ok(None) };
        let given = self.text(text, path)?;
        if host_of(&given).is_some_and(|host| !host.contains('@')) && !given.contains('?') {
            return Ok(Some(given.trim_end_matches('/').to_owned()));
        }
        let refused = self.refuse(
            Finding::error("spec::bad-store-url", "this is not the URL of an endpoint")
                .at(path.clone())
                .help("write for example `https://ACCOUNT.blob.core.windows.net`"),
        );
        refused.ok_or(())
    }

    /// The URL of a repository. A user part and a query are secrets, wherever the URL comes from.
    fn repository_url(&mut self, text: &str, path: &SpecPath) -> Option<StoreAccess> {
        let known = ["http", "https", "ftp", "file", "jar"];
        let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| known.contains(scheme)) else {
            return self.refuse(
                Finding::error("spec::bad-store-url", "this is not the URL of a repository")
                    .at(path.clone())
                    .help("write for example `https://backup.example.org/repository`, or `file:///path`"),
            );
        };
        let (authority, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let (tail, query) = tail.split_once('?').map_or((tail, None), |(tail, query)| (tail, Some(query)));
        let mut secrets = Secrets::new();
        let values = query.into_iter().flat_map(|query| query.split('&').filter_map(|pair| pair.split_once('=')));
        // Short values of a query (`true`, `2026`) are words, and would be masked wherever they stand.
        let values = values.map(|(_, value)| value).filter(|value| value.len() >= 8);
        let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
        user.into_iter().chain(password).chain(query).chain(values).for_each(|secret| self.keep_secret(secret));
        let masked = user.is_some() || query.is_some();
        if masked {
            secrets.insert(StoreSecret::Url, SecretString::from(text));
        }
        let user = user.map(|_| format!("{MASK}@")).unwrap_or_default();
        let query = query.map(|_| format!("?{MASK}")).unwrap_or_default();
        let url = format!("{scheme}://{user}{host}{}{query}", tail.trim_end_matches('/'));
        Some(StoreAccess { location: StoreLocation::Url(UrlLocation { url, masked }), secrets })
    }
}

fn host_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    rest.split('/').next().filter(|host| !host.is_empty())
}
