//! Makes and drops what the target reads its source through: a foreign server, a user mapping, a foreign table.

use std::collections::{BTreeMap, BTreeSet};

use transship_cluster::{Bind, Rows, ValueError};
use transship_model::Name;
use transship_model::plan::{ForeignObject, ObjectRef, Param, ParamRef, StepKind};
use transship_sql::observe;

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Work;
use crate::catalog;

pub(super) struct ForeignWork<'a> {
    object: &'a ForeignObject,
    /// Whether it makes it.
    makes: bool,
}

impl<'a> ForeignWork<'a> {
    pub(super) fn of(cx: &Context<'a>) -> Result<Self, StepError> {
        let makes =
            matches!(cx.step.kind, StepKind::CreateServer | StepKind::CreateUserMapping | StepKind::CreateForeignTable);
        match (&cx.step.action, cx.step.sql.as_slice()) {
            (Some(transship_model::plan::Action::Foreign(object)), [_]) => Ok(Self { object, makes }),
            _ => Err(cx.wrong("it does not say what it makes or drops by one statement")),
        }
    }

    fn named(&self, cx: &Context<'_>) -> ObjectRef {
        match self.object {
            ForeignObject::Server { server, .. } | ForeignObject::UserMapping { server, .. } => {
                ObjectRef::server(&cx.step.cluster, server)
            }
            ForeignObject::Table { table, .. } => ObjectRef::table(&cx.step.cluster, table),
        }
    }

    /// Whether it is there; one that lies elsewhere than planned is an error.
    async fn is_there(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        let cluster = &cx.step.cluster;
        match self.object {
            ForeignObject::Server { server, url } => match servers(cx, cluster).await?.remove(server) {
                Some(seen) if self.makes && seen.url != *url => {
                    let difference = "it leads elsewhere".to_owned();
                    Err(StepError::Differs { object: self.named(cx), difference })
                }
                found => Ok(found.is_some()),
            },
            ForeignObject::UserMapping { server, .. } => {
                let mapped = servers(cx, cluster).await?.remove(server).map(|found| found.mapped);
                Ok(mapped.is_some_and(|users| users.contains(&cx.user())))
            }
            ForeignObject::Table { table, .. } => {
                Ok(!cx.existing(cluster, &BTreeSet::from([table.clone()])).await?.is_empty())
            }
        }
    }

    fn binds(cx: &Context<'_>) -> Result<Vec<Bind>, StepError> {
        let bind = |param: &Param| match &param.reference {
            ParamRef::SubscriberPassword { cluster } => cx.access.get(cluster)?.subscriber_password.clone(),
            _ => None,
        };
        let bound = cx.step.params.iter().map(|param| bind(param).map(Bind::Secret));
        bound.collect::<Option<Vec<_>>>().ok_or_else(|| cx.wrong("the password of its source is not known"))
    }

    /// The source has to be where the plan says, and read as whom it says.
    fn check_address(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let planned = match self.object {
            ForeignObject::Server { url, .. } if self.makes => url,
            ForeignObject::UserMapping { user, .. } if self.makes => user,
            _ => return Ok(()),
        };
        let source = &cx.record()?.row.from;
        let access = cx.access.get(source).ok_or_else(|| cx.wrong("its source is not a cluster of the workspace"))?;
        let now = match self.object {
            ForeignObject::Server { .. } => transship_sql::foreign::url(&access.endpoint),
            _ => access.endpoint.subscriber.clone(),
        };
        if now == *planned { Ok(()) } else { Err(StepError::ParameterChanged { planned: planned.clone(), now }) }
    }
}

/// A foreign server as a catalog shows it.
pub(crate) struct SeenServer {
    url: String,
    mapped: BTreeSet<String>,
}

/// The foreign servers that can be seen.
pub(crate) async fn servers(cx: &Context<'_>, cluster: &Name) -> Result<BTreeMap<String, SeenServer>, StepError> {
    cx.look(cluster, observe::SERVERS, read).await
}

fn read(rows: &Rows) -> Result<BTreeMap<String, SeenServer>, ValueError> {
    let mut found = BTreeMap::new();
    for row in &rows.rows {
        let url = catalog::opt_text(row, 2)?.unwrap_or_default();
        let server = found.entry(catalog::text(row, 0)?).or_insert_with(|| SeenServer { url, mapped: BTreeSet::new() });
        server.mapped.extend(catalog::opt_text(row, 3)?);
    }
    Ok(found)
}

impl Work for ForeignWork<'_> {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(self.is_there(cx).await? == self.makes)
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if self.makes {
            cx.record()?;
        }
        self.check_address(cx)?;
        cx.execute(&cx.step.sql[0], &Self::binds(cx)?, LIMIT).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if self.is_done(cx).await? {
            return Ok(());
        }
        let problem = if self.makes { "is not there" } else { "is still there" };
        Err(StepError::NoEffect { object: self.named(cx), problem: problem.to_owned() })
    }
}
