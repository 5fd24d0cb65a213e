//! What goes wrong with a cluster, in kinds that callers can act upon.

use std::fmt;
use std::ops::{Deref, DerefMut};

use transship_model::Name;
use transship_model::redact::Redactor;

use crate::classify;
use crate::value::ValueError;

/// An error of one cluster; its [`Details`] are its fields. Its texts have passed the redactor and hold no parameter of
/// a statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cluster `{}`: {}", .0.cluster, .0.message)]
pub struct ClusterError(Box<Details>);

/// What an error of a cluster tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The cluster's name in the spec.
    pub cluster: Name,
    /// What went wrong.
    pub kind: ErrorKind,
    /// The server's SQLSTATE; CrateDB says `XX000` for most things.
    pub sqlstate: Option<String>,
    /// What the server or the network said, without Java class names.
    pub message: String,
    /// The statement, where there was one.
    pub statement: Option<String>,
}

impl Deref for ClusterError {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for ClusterError {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

/// A kind of error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Nobody answers at the address.
    Unreachable,
    /// TLS was asked for, and the server has none.
    TlsRefused,
    /// The server's certificate is not valid for the host, or no authority that is trusted has signed it.
    Certificate,
    /// TLS cannot be set up from the files of the spec, or the handshake fails otherwise.
    Tls,
    /// The server does not let this user in.
    Authentication,
    /// The user lacks a privilege.
    MissingPrivilege {
        /// `DQL`, `DML`, `DDL` or `AL`, where the server says which.
        privilege: Option<String>,
        /// `SCHEMA sys`, `TABLE shop.orders`; `None` for the whole cluster or where the server does not say.
        on: Option<String>,
        /// The user.
        user: String,
    },
    /// The object belongs to another user.
    NotOwner,
    /// An object does not exist, or the user may not know that it does.
    NotFound {
        /// What it is.
        object: ObjectKind,
        /// Its name, as the server writes it.
        name: String,
    },
    /// An object exists already, possibly one that the user may not see.
    AlreadyExists {
        /// What it is.
        object: ObjectKind,
        /// Its name, as the server writes it.
        name: String,
    },
    /// The table belongs to a subscription, which allows no such operation.
    Subscribed {
        /// The table.
        relation: String,
        /// The operation, for example `INSERT`.
        operation: String,
    },
    /// The table belongs to a publication, which allows no such operation.
    Published {
        /// The table.
        relation: String,
        /// The operation, for example `ALTER RENAME`.
        operation: String,
    },
    /// The relation allows no such operation: a view, a foreign or a blocked table.
    NotAllowed {
        /// The relation.
        relation: String,
        /// The operation.
        operation: String,
    },
    /// A row with the same primary key exists.
    DuplicateKey,
    /// A subscription is refused: the publishing cluster cannot be reached from the subscribing one.
    PublisherUnreachable,
    /// A subscription is refused: the publishing cluster does not let the subscriber's user in, or does not know it.
    PublisherRefuses,
    /// A subscription is refused: a published table was created by a newer version than the subscriber's.
    PublisherNewer,
    /// A store cannot be used from the nodes.
    Store(StoreFault),
    /// The statement was never sent: the one before it was not answered in time.
    Busy,
    /// The statement took longer than it may. It may still run or have run.
    Timeout,
    /// The statement was killed on the server.
    Killed,
    /// The connection broke. The statement may still run or have run.
    ConnectionLost,
    /// The server cannot do it now: no shard, no master, overload, a block that goes away.
    Transient,
    /// A disk has passed the flood stage: tables with shards on its node take no more rows until there is space again.
    DiskFull,
    /// The server is not CrateDB.
    NotCrateDb,
    /// The statement is not understood: another version than transship knows.
    Syntax,
    /// The statement was not sent: nothing may be sent any more.
    Withheld,
    /// The answer is not what it should be.
    Answer,
    /// Anything else.
    Other,
}

/// Why the nodes of a cluster cannot use a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreFault {
    /// Nobody answers them, or the bucket's region is neither declared nor told by the bucket.
    Unreachable,
    /// Its keys are wrong, or they or the nodes' user may not do this.
    Refused,
    /// The bucket or the directory is not there.
    Missing,
    /// The nodes are not set up to use the directory or the URL.
    NotAllowed,
    /// The nodes do not see the same directory.
    NotShared,
    /// Another cluster has written into the repository.
    TwoWriters,
    /// No space is left.
    Full,
}

impl StoreFault {
    const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "cluster::store-unreachable",
            Self::Refused => "cluster::store-refused",
            Self::Missing => "cluster::store-missing",
            Self::NotAllowed => "cluster::store-not-allowed",
            Self::NotShared => "cluster::store-not-shared",
            Self::TwoWriters => "cluster::store-two-writers",
            Self::Full => "cluster::store-full",
        }
    }

    const fn help(self) -> &'static str {
        match self {
            Self::Unreachable => {
                "look at `endpoint` and `protocol` of the store as the nodes see them; where nobody answers, CrateDB says \
                 that the region is missing: a bucket that does not tell its own needs `region`"
            }
            Self::Refused => {
                "look at the keys of the store and at what they allow; for a directory, at its owner and rights"
            }
            Self::Missing => "make the bucket or mount the directory on every node, or correct the store",
            Self::NotAllowed => {
                "directories need `path.repo` on every node, URLs `repositories.url.allowed_urls`: see crate.yml"
            }
            Self::NotShared => "mount the same directory on every node of the cluster",
            Self::TwoWriters => {
                "only one cluster may write into a repository: drop the repository on the others, then drop it and make \
                 it again on the one that writes"
            }
            Self::Full => "make space where it says, then run again",
        }
    }
}

/// A kind of object that errors name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// A publication.
    Publication,
    /// A subscription.
    Subscription,
    /// A table, view or foreign table.
    Relation,
    /// A partition.
    Partition,
    /// A schema.
    Schema,
    /// A column.
    Column,
    /// A user or role.
    Role,
    /// A repository.
    Repository,
    /// A snapshot.
    Snapshot,
    /// A function.
    Function,
    /// A foreign server or a user mapping.
    Server,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publication => "publication",
            Self::Subscription => "subscription",
            Self::Relation => "relation",
            Self::Partition => "partition",
            Self::Schema => "schema",
            Self::Column => "column",
            Self::Role => "role",
            Self::Repository => "repository",
            Self::Snapshot => "snapshot",
            Self::Function => "function",
            Self::Server => "server",
        })
    }
}

impl ClusterError {
    /// An error that is not the server's: of the network, of TLS, of time.
    pub fn new(cluster: &Name, kind: ErrorKind, message: impl Into<String>) -> Self {
        let details =
            Details { cluster: cluster.clone(), kind, sqlstate: None, message: message.into(), statement: None };
        Self(Box::new(details))
    }

    /// What the server said, classified and redacted.
    pub fn from_server(cluster: &Name, sqlstate: &str, message: &str, redactor: &Redactor) -> Self {
        let message = redactor.redact(&classify::plain(message));
        let kind = classify::kind(sqlstate, &message);
        let mut error = Self::new(cluster, kind, message);
        error.sqlstate = Some(sqlstate.to_owned());
        error
    }

    /// An answer that cannot be read.
    pub fn answer(cluster: &Name, statement: &str, error: &ValueError) -> Self {
        Self::new(cluster, ErrorKind::Answer, format!("{error}, reading {statement}"))
    }

    /// The same with its statement.
    #[must_use]
    pub fn during(mut self, statement: impl Into<String>) -> Self {
        self.statement = Some(statement.into());
        self
    }

    /// The same with another message, made from its own.
    #[must_use]
    pub fn saying(mut self, change: impl FnOnce(&str) -> String) -> Self {
        self.message = change(&self.message);
        self
    }

    /// A statement that was not sent, since nothing may be sent any more.
    pub(crate) fn withheld(cluster: &Name) -> Self {
        Self::new(cluster, ErrorKind::Withheld, "the statement was not sent: nothing may be sent any more")
    }

    /// Whether it may go away by itself, so that asking again later makes sense. Look at
    /// [`Self::may_have_happened`] before a statement that changes something is sent again.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Unreachable
                | ErrorKind::Busy
                | ErrorKind::Timeout
                | ErrorKind::ConnectionLost
                | ErrorKind::Transient
        )
    }

    /// Whether the statement may have taken effect in spite of the error.
    pub fn may_have_happened(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Timeout
                | ErrorKind::Killed
                | ErrorKind::ConnectionLost
                | ErrorKind::Transient
                | ErrorKind::Answer
        )
    }

    /// Whether it says no more than that the user cannot see something, or that it is not there.
    pub fn is_unseen(&self) -> bool {
        matches!(self.kind, ErrorKind::MissingPrivilege { .. } | ErrorKind::NotFound { .. })
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self.kind {
            ErrorKind::Unreachable => "cluster::unreachable",
            ErrorKind::TlsRefused => "cluster::tls-refused",
            ErrorKind::Certificate => "cluster::certificate",
            ErrorKind::Tls => "cluster::tls",
            ErrorKind::Authentication => "cluster::authentication",
            ErrorKind::MissingPrivilege { .. } => "cluster::missing-privilege",
            ErrorKind::NotOwner => "cluster::not-owner",
            ErrorKind::NotFound { .. } => "cluster::not-found",
            ErrorKind::AlreadyExists { .. } => "cluster::already-exists",
            ErrorKind::Subscribed { .. } => "cluster::subscribed",
            ErrorKind::Published { .. } => "cluster::published",
            ErrorKind::NotAllowed { .. } => "cluster::not-allowed",
            ErrorKind::DuplicateKey => "cluster::duplicate-key",
            ErrorKind::PublisherUnreachable => "cluster::publisher-unreachable",
            ErrorKind::PublisherRefuses => "cluster::publisher-refuses",
            ErrorKind::PublisherNewer => "cluster::publisher-newer",
            ErrorKind::Store(fault) => fault.code(),
            ErrorKind::Busy => "cluster::busy",
            ErrorKind::Timeout => "cluster::timeout",
            ErrorKind::Killed => "cluster::killed",
            ErrorKind::ConnectionLost => "cluster::connection-lost",
            ErrorKind::Transient => "cluster::transient",
            ErrorKind::DiskFull => "cluster::disk-full",
            ErrorKind::NotCrateDb => "cluster::not-cratedb",
            ErrorKind::Syntax => "cluster::syntax",
            ErrorKind::Withheld => "cluster::withheld",
            ErrorKind::Answer => "cluster::answer",
            ErrorKind::Other => "cluster::error",
        }
    }

    /// The key of the spec to look at, as a path below the workspace, for errors that the spec can cause.
    pub fn spec_key(&self) -> Option<String> {
        let key = match self.kind {
            ErrorKind::Unreachable | ErrorKind::NotCrateDb => "url",
            ErrorKind::TlsRefused | ErrorKind::Tls => "tls",
            ErrorKind::Certificate => "ca",
            ErrorKind::Authentication => "password",
            _ => return None,
        };
        Some(format!("clusters.{}.{key}", self.cluster))
    }

    /// What to do next.
    pub fn help(&self) -> Option<String> {
        let cluster = format!("clusters.{}", self.cluster);
        let help = match &self.kind {
            ErrorKind::Unreachable => format!(
                "is CrateDB running, and is `{cluster}.url` the host and port of its PostgreSQL wire (5432 by default)?"
            ),
            ErrorKind::TlsRefused => format!(
                "turn on `ssl.psql.enabled` on the server, or write `tls: disable` under `{cluster}` where the network is safe: \
                 passwords then travel in clear text"
            ),
            ErrorKind::Certificate => format!(
                "name the authority that signed it with `{cluster}.ca`, use the host name of the certificate in \
                 `{cluster}.url`, or write `tls: require` to encrypt without checking"
            ),
            ErrorKind::Tls => format!("look at `tls`, `ca`, `cert` and `key` under `{cluster}`"),
            ErrorKind::Authentication => format!(
                "look at the user in `{cluster}.url`, at `{cluster}.password`, and at the server's `auth.host_based` \
                 settings; some of their entries want TLS"
            ),
            ErrorKind::MissingPrivilege { privilege, on: Some(on), user } => format!(
                "a superuser of `{}` can run: GRANT {} ON {on} TO \"{user}\"",
                self.cluster,
                privilege.as_deref().unwrap_or("DQL")
            ),
            ErrorKind::MissingPrivilege { privilege, on: None, user } => format!(
                "a superuser of `{}` can run: GRANT {} TO \"{user}\" (or narrower, ON SCHEMA … or ON TABLE …)",
                self.cluster,
                privilege.as_deref().unwrap_or("DQL")
            ),
            ErrorKind::NotFound { object: ObjectKind::Schema, name } => format!(
                "a schema also looks unknown to users without privileges on it; a superuser of `{}` can run: \
                 GRANT DQL ON SCHEMA \"{name}\" TO the user of `{cluster}.url`",
                self.cluster
            ),
            ErrorKind::NotOwner => {
                format!("connect as its owner, or as a superuser: see the user in `{cluster}.url`")
            }
            ErrorKind::AlreadyExists { object: ObjectKind::Publication | ObjectKind::Subscription, .. } => {
                "publications and subscriptions show only to their owner: another user may have made it".to_owned()
            }
            ErrorKind::PublisherUnreachable => {
                "the subscribing cluster itself must reach the source: see `tunnel` and `transport` of the source \
                 cluster"
                    .to_owned()
            }
            ErrorKind::PublisherRefuses => {
                "see `subscriber` of the source cluster: its user and password must exist there".to_owned()
            }
            ErrorKind::PublisherNewer => "upgrade the target cluster first, or copy with another strategy".to_owned(),
            ErrorKind::Store(fault) => fault.help().to_owned(),
            ErrorKind::Timeout | ErrorKind::ConnectionLost => {
                "the statement may have taken effect: plan again to see what is there".to_owned()
            }
            ErrorKind::Transient => {
                format!("try again when `{}` is healthy: see sys.health and sys.checks", self.cluster)
            }
            ErrorKind::DiskFull => format!(
                "a disk of `{}` is full, see sys.node_checks: make space or add nodes; CrateDB then takes rows again by itself",
                self.cluster
            ),
            ErrorKind::NotCrateDb => {
                format!("`{cluster}.url` must be the address of CrateDB's PostgreSQL wire (5432 by default)")
            }
            _ => return None,
        };
        Some(help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_key_of_the_spec() {
        let cluster: Name = "shop".parse().expect("a name");
        for (kind, key) in [
            (ErrorKind::Unreachable, Some("clusters.shop.url")),
            (ErrorKind::Authentication, Some("clusters.shop.password")),
            (ErrorKind::Certificate, Some("clusters.shop.ca")),
            (ErrorKind::Other, None),
        ] {
            let error = ClusterError::new(&cluster, kind, "no");
            assert_eq!(error.spec_key().as_deref(), key);
            assert_eq!(error.help().is_some(), key.is_some());
        }
    }
}
