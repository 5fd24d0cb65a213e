//! What goes wrong with a store, in kinds that callers can act upon.

use std::ops::Deref;

use transship_model::Name;
use transship_model::redact::Redactor;
use transship_model::store::StoreLocation;

/// An error of one store; its [`Details`] are its fields. Its texts have passed the redactor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("store `{}`: {}", .0.store, .0.message)]
pub struct StoreError(Box<Details>);

/// What an error of a store tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The store's name in the spec.
    pub store: Name,
    /// The key of the spec that says the store's kind.
    pub place: &'static str,
    /// What went wrong.
    pub kind: ErrorKind,
    /// What the server, the network or the file system said.
    pub message: String,
}

impl Deref for StoreError {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

/// A kind of error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Nobody answers at the address.
    Unreachable,
    /// TLS fails: a certificate that is not trusted, or a server without TLS.
    Tls,
    /// No answer in time.
    Timeout,
    /// The connection broke, or the server cannot do it now.
    Busy,
    /// Whoever answers does not speak S3 as declared.
    NotS3,
    /// The server does not know the keys, or they do not fit each other.
    Credentials,
    /// The clocks of this machine and of the server differ too much.
    Clock,
    /// The keys are right, and not allowed to do this.
    Forbidden,
    /// There is no such bucket.
    NoBucket,
    /// The bucket is in another region.
    Region {
        /// Which one, where the server says so.
        expected: Option<String>,
    },
    /// The directory is not there.
    NoDirectory,
    /// There is no such object or file.
    NotFound,
    /// No space is left.
    Full,
    /// Only clusters reach stores of this kind.
    NotHere,
    /// The answer is not what it should be.
    Answer,
    /// Anything else.
    Other,
}

/// The store that errors are about.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) store: Name,
    pub(crate) place: &'static str,
    pub(crate) redactor: Redactor,
}

impl About {
    pub(crate) fn new(store: &Name, location: &StoreLocation, redactor: &Redactor) -> Self {
        Self { store: store.clone(), place: location.kind(), redactor: redactor.clone() }
    }

    /// An error, its message redacted.
    pub(crate) fn error(&self, kind: ErrorKind, message: impl AsRef<str>) -> StoreError {
        let message = self.redactor.redact(message.as_ref());
        StoreError(Box::new(Details { store: self.store.clone(), place: self.place, kind, message }))
    }
}

impl StoreError {
    /// Whether it may go away by itself.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Unreachable | ErrorKind::Timeout | ErrorKind::Busy)
    }

    /// Whether it may hold for this machine alone, so that the clusters may use the store all the same.
    pub fn may_be_local(&self) -> bool {
        let network = matches!(self.kind, ErrorKind::Unreachable | ErrorKind::Timeout | ErrorKind::Tls);
        let clock = matches!(self.kind, ErrorKind::Clock);
        let mount = self.place == "directory" && !matches!(self.kind, ErrorKind::Full);
        network || clock || mount || matches!(self.kind, ErrorKind::NotHere)
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self.kind {
            ErrorKind::Unreachable => "store::unreachable",
            ErrorKind::Tls => "store::tls",
            ErrorKind::Timeout => "store::timeout",
            ErrorKind::Busy => "store::busy",
            ErrorKind::NotS3 => "store::not-s3",
            ErrorKind::Credentials => "store::credentials",
            ErrorKind::Clock => "store::clock",
            ErrorKind::Forbidden => "store::forbidden",
            ErrorKind::NoBucket => "store::no-bucket",
            ErrorKind::Region { .. } => "store::region",
            ErrorKind::NoDirectory => "store::no-directory",
            ErrorKind::NotFound => "store::not-found",
            ErrorKind::Full => "store::full",
            ErrorKind::NotHere => "store::not-here",
            ErrorKind::Answer => "store::answer",
            ErrorKind::Other => "store::error",
        }
    }

    /// The key of the spec to look at, as a path below the workspace, for errors that the spec can cause.
    pub fn spec_key(&self) -> Option<String> {
        let key = match self.kind {
            ErrorKind::Unreachable => "endpoint",
            ErrorKind::Tls | ErrorKind::NotS3 => "protocol",
            ErrorKind::Credentials => "secret_key",
            ErrorKind::NoBucket => "bucket",
            ErrorKind::Region { .. } => "region",
            ErrorKind::NoDirectory => "path",
            _ => return None,
        };
        Some(format!("stores.{}.{}.{key}", self.store, self.place))
    }

    /// What to do next.
    pub fn help(&self) -> Option<String> {
        let at = format!("stores.{}.{}", self.store, self.place);
        Some(match &self.kind {
            ErrorKind::Unreachable => {
                format!("is `{at}.endpoint` the host and port of the store, seen from this machine?")
            }
            ErrorKind::Tls => format!(
                "is `{at}.protocol` right? The certificate has to be valid for the host, and signed by an authority that \
                 this system trusts (`SSL_CERT_FILE` names others)"
            ),
            ErrorKind::Timeout | ErrorKind::Busy => "try again when the store answers".to_owned(),
            ErrorKind::NotS3 => format!("look at `endpoint`, `protocol` and `path_style` under `{at}`"),
            ErrorKind::Credentials => format!("look at `access_key` and `secret_key` under `{at}`"),
            ErrorKind::Clock => "set the clock of this machine".to_owned(),
            ErrorKind::Forbidden if self.place == "directory" => {
                format!("the user that runs transship lacks a right on the directory of `{at}`")
            }
            ErrorKind::Forbidden => format!(
                "the keys under `{at}` need the rights to list the bucket, and to read, write and delete objects below \
                 the prefix"
            ),
            ErrorKind::NoBucket => format!("make the bucket, or correct `{at}.bucket`; transship makes none"),
            ErrorKind::Region { expected: Some(region) } => format!("write `{at}.region: {region}`"),
            ErrorKind::Region { expected: None } => format!("write the bucket's region as `{at}.region`"),
            ErrorKind::NoDirectory => format!("mount the directory, or correct `{at}.path`"),
            ErrorKind::Full => "make space, then run again".to_owned(),
            ErrorKind::NotFound | ErrorKind::NotHere | ErrorKind::Answer | ErrorKind::Other => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn errors_name_the_key_of_the_spec_and_no_secret() {
        let redactor = Redactor::new(&[SecretString::from("hunter/2")]);
        let about = About { store: "handover".parse().expect("a name"), place: "s3", redactor };
        let error = about.error(ErrorKind::Credentials, "no such key: hunter%2F2");
        assert_eq!(error.to_string(), "store `handover`: no such key: ***");
        assert_eq!(error.spec_key().as_deref(), Some("stores.handover.s3.secret_key"));
        assert_eq!([error.is_transient(), error.may_be_local()], [false, false]);
        let error = about.error(ErrorKind::Region { expected: Some("eu-west-1".to_owned()) }, "no");
        assert_eq!(error.help().as_deref(), Some("write `stores.handover.s3.region: eu-west-1`"));
    }
}
