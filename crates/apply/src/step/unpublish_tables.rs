//! Takes tables out of a publication.

use std::collections::BTreeSet;

use transship_model::TableName;
use transship_model::plan::ObjectRef;

use super::context::{Context, LIMIT};
use super::error::{StepError, names};
use super::perform::Work;
use crate::statement::{self, Statement};

pub(super) struct UnpublishTables {
    publication: String,
    aim: Aim,
}

/// What the publication has to have in the end.
enum Aim {
    /// These, and no other.
    Exactly(BTreeSet<TableName>),
    /// None of these.
    Without(BTreeSet<TableName>),
}

impl UnpublishTables {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        let (publication, aim) = match statement::of(cx.step)? {
            Statement::UnpublishTables { publication, tables } => {
                (publication, Aim::Exactly(tables.into_iter().collect()))
            }
            Statement::WithdrawTables { publication, tables } => {
                (publication, Aim::Without(tables.into_iter().collect()))
            }
            _ => return Err(cx.wrong("its statement does something else")),
        };
        Ok(Self { publication, aim })
    }

    /// What of the aim is not reached.
    async fn problem(&self, cx: &Context<'_>) -> Result<Option<String>, StepError> {
        let found = cx.publications(&cx.step.cluster).await?.remove(&self.publication);
        let (more, less): (Vec<_>, Vec<_>) = match (&self.aim, &found) {
            (Aim::Exactly(stay), Some(found)) => (found.difference(stay).collect(), stay.difference(found).collect()),
            (Aim::Exactly(_), None) => return Err(StepError::NoPublication { publication: self.object(cx) }),
            (Aim::Without(go), Some(found)) => (found.intersection(go).collect(), Vec::new()),
            (Aim::Without(_), None) => (Vec::new(), Vec::new()),
        };
        Ok(match (more.is_empty(), less.is_empty()) {
            (true, true) => None,
            (false, _) => Some(format!("still has {}", names(more))),
            (true, false) => Some(format!("has not got {}", names(less))),
        })
    }

    fn object(&self, cx: &Context<'_>) -> ObjectRef {
        ObjectRef::publication(&cx.step.cluster, &self.publication)
    }
}

impl Work for UnpublishTables {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(self.problem(cx).await?.is_none())
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        cx.execute(&cx.step.sql[0], &[], LIMIT).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        match self.problem(cx).await? {
            None => Ok(()),
            Some(problem) => Err(StepError::NoEffect { object: self.object(cx), problem }),
        }
    }
}
