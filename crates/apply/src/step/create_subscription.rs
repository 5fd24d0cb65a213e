//! Makes a subscription, and sees that it got every table.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::SecretString;
use transship_cluster::{Bind, ErrorKind};
use transship_model::access::Access;
use transship_model::observed::RelationState;
use transship_model::plan::{ObjectKind, ObjectRef, Param, ParamRef, Precondition};
use transship_model::spec::ReplicationMode;
use transship_model::{Name, TableName};
use transship_sql::{connection, lookup};

use super::context::Context;
use super::error::{StepError, names};
use super::perform::Work;
use crate::catalog;
use crate::statement::{self, Statement};

/// How long CREATE SUBSCRIPTION may take: `sslmode=require` towards a publisher without TLS never answers.
const LIMIT: Duration = Duration::from_mins(1);

/// How long the tables of a new subscription may take to show.
const SHOW: Duration = Duration::from_secs(15);

/// The SQLSTATE of a relation that exists; a subscription that exists has none of its own.
const RELATION_EXISTS: &str = "42P07";

pub(super) struct CreateSubscription<'a> {
    subscription: String,
    publication: String,
    source: &'a Name,
    mode: ReplicationMode,
    access: &'a Access,
    shown: &'a str,
    tables: BTreeSet<TableName>,
}

impl<'a> CreateSubscription<'a> {
    pub(super) fn of(cx: &Context<'a>) -> Result<Self, StepError> {
        let tables = tables(cx)?;
        let Statement::CreateSubscription { subscription, publication } = statement::of(cx.step)? else {
            return Err(cx.wrong("its statement does something else"));
        };
        let [Param { reference: ParamRef::SubscriptionConnection { cluster: source, mode }, shown }] =
            cx.step.params.as_slice()
        else {
            return Err(cx.wrong("it has not exactly one value to bind"));
        };
        let access = cx.access.get(source).ok_or_else(|| cx.wrong("its source is not a cluster of the workspace"))?;
        Ok(Self { subscription, publication, source, mode: *mode, access, shown, tables })
    }

    fn object(&self, cx: &Context<'_>) -> ObjectRef {
        ObjectRef::subscription(&cx.step.cluster, &self.subscription)
    }

    /// The connection string, if it is the one that was reviewed.
    fn connection(&self) -> Result<SecretString, StepError> {
        let now = connection::shown(&self.access.endpoint, self.mode);
        if now != self.shown {
            return Err(StepError::ParameterChanged { planned: self.shown.to_owned(), now });
        }
        Ok(transship_cluster::subscription_connection(self.access, self.mode))
    }

    /// Sees that the source will not refuse: CrateDB remembers the connection of a CREATE SUBSCRIPTION that failed by
    /// the subscription's name, and takes it for the next one of that name.
    async fn check_source(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if !cx.publications(self.source).await?.contains_key(&self.publication) {
            let publication = ObjectRef::publication(self.source, &self.publication);
            return Err(StepError::NoPublication { publication });
        }
        let user = &self.access.endpoint.subscriber;
        // Who may not read `sys.users` cannot tell; then the target's own check has to do.
        let users = cx.look(self.source, &lookup::users(), catalog::read_names).await;
        match users {
            Ok(users) if !users.contains(user) => {
                Err(StepError::NoSubscriber { cluster: self.source.clone(), user: user.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Sees that no other subscription of the target has failed since the plan was made.
    async fn check_neighbours(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let subscriptions = cx.subscriptions(&cx.step.cluster).await?;
        let failed = subscriptions.iter().find(|(name, other)| {
            **name != self.subscription && other.tables.values().any(|table| table.state == RelationState::Failed)
        });
        failed.map_or(Ok(()), |(name, _)| {
            Err(StepError::FailedNeighbour { subscription: ObjectRef::subscription(&cx.step.cluster, name) })
        })
    }

    fn refused(&self, cx: &Context<'_>, error: StepError) -> StepError {
        match error {
            StepError::Cluster(error)
                if matches!(error.kind, ErrorKind::AlreadyExists { .. })
                    && error.sqlstate.as_deref() != Some(RELATION_EXISTS) =>
            {
                StepError::OwnedByAnother { object: self.object(cx), user: cx.user() }
            }
            error => error,
        }
    }
}

/// The tables that it is to get: those of the flow, or where it fills them only once those that are to be filled.
fn tables(cx: &Context<'_>) -> Result<BTreeSet<TableName>, StepError> {
    let row = &cx.record()?.row;
    if row.detach.is_none() {
        return Ok(row.tables.clone());
    }
    let table = |precondition: &Precondition| match precondition {
        Precondition::Absent(object) if object.kind == ObjectKind::Table => object.name.parse().ok(),
        _ => None,
    };
    Ok(cx.step.preconditions.iter().filter_map(table).collect())
}

impl Work for CreateSubscription<'_> {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        let subscriptions = cx.subscriptions(&cx.step.cluster).await?;
        let Some(found) = subscriptions.get(&self.subscription) else { return Ok(false) };
        let expected = connection::catalog_form(&self.access.endpoint, self.mode);
        let difference = if found.publications != [self.publication.as_str()] {
            format!("it reads publication {}", found.publications.join(", "))
        } else if found.connection != expected {
            format!("its connection is `{}`, not `{expected}`", found.connection)
        } else {
            return Ok(true);
        };
        Err(StepError::Differs { object: self.object(cx), difference })
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let connection = self.connection()?;
        self.check_source(cx).await?;
        self.check_neighbours(cx).await?;
        let answer = cx.execute(&cx.step.sql[0], &[Bind::Secret(connection)], LIMIT).await;
        answer.map(|_| ()).map_err(|error| self.refused(cx, error))
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let mut pace = cx.settle(SHOW);
        loop {
            let subscriptions = cx.subscriptions(&cx.step.cluster).await?;
            let Some(found) = subscriptions.get(&self.subscription) else {
                return Err(StepError::NoEffect { object: self.object(cx), problem: "is not there".to_owned() });
            };
            let got: BTreeSet<TableName> = found.tables.keys().cloned().collect();
            if let Some(more) = got.difference(&self.tables).next() {
                let problem = format!("also follows {more}, which the flow does not name");
                return Err(StepError::NoEffect { object: self.object(cx), problem });
            }
            let missing: Vec<TableName> = self.tables.difference(&got).cloned().collect();
            if missing.is_empty() {
                return Ok(());
            }
            match pace.pause(|| names(&missing)).await {
                Err(StepError::TimedOut { .. }) => {
                    return Err(StepError::TablesMissing {
                        tables: missing,
                        user: self.access.endpoint.subscriber.clone(),
                        source_cluster: self.source.clone(),
                    });
                }
                pause => pause?,
            }
        }
    }
}
