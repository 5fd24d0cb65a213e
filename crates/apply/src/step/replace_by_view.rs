//! Has a view take the name of a table: the table gets another one, the view is made over the copy, and gets the
//! privileges that the table had. Readers get errors between the first statement and the last, so nothing else is done
//! there.

use std::sync::atomic::{AtomicBool, Ordering};

use transship_model::TableName;
use transship_model::plan::{Action, ObjectRef, PutInPlace};
use transship_sql::place::Grant;

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::grant_privileges::lacking;
use super::perform::Work;
use super::{readable, whole_copy};
use crate::statement::Statement;

pub(super) struct ReplaceByView<'a> {
    put: &'a PutInPlace,
    /// The name that the table keeps.
    aside: &'a TableName,
    grants: Vec<Grant>,
    /// Whether anything was sent.
    sent: AtomicBool,
}

impl<'a> ReplaceByView<'a> {
    pub(super) fn of(cx: &Context<'a>) -> Result<Self, StepError> {
        let Some(Action::PutInPlace(put @ PutInPlace { aside: Some(aside), .. })) = &cx.step.action else {
            return Err(cx.wrong("it has no check of its copy"));
        };
        let statements: Option<Vec<Statement>> = cx.step.sql.iter().map(|sql| Statement::read(sql)).collect();
        let Some([Statement::RenameTable { .. }, Statement::SwitchView { .. }, rest @ ..]) = statements.as_deref()
        else {
            return Err(cx.wrong("its statements do something else"));
        };
        let grant = |statement: &Statement| match statement {
            Statement::Grant(grant) => Some(grant.clone()),
            _ => None,
        };
        let grants: Option<Vec<Grant>> = rest.iter().map(grant).collect();
        let grants = grants.ok_or_else(|| cx.wrong("its statements do something else"))?;
        Ok(Self { put, aside, grants, sent: AtomicBool::new(false) })
    }

    async fn is_renamed(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        let existing = cx.existing(&cx.step.cluster, &[self.aside.clone()].into()).await?;
        Ok(!existing.is_empty())
    }

    async fn is_viewed(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(cx.viewed(&cx.step.cluster, &self.put.table).await?.as_ref() == Some(&self.put.copy))
    }

    /// Sends the statements whose effect is not there, in order. All but the first may be sent twice.
    async fn go_on(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let again = self.sent.swap(true, Ordering::Relaxed);
        let renamed = again && self.is_renamed(cx).await?;
        for statement in cx.step.sql.iter().skip(usize::from(renamed)) {
            cx.execute(statement, &[], LIMIT).await?;
        }
        Ok(())
    }
}

impl Work for ReplaceByView<'_> {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        let sent = self.sent.load(Ordering::Relaxed);
        Ok(sent
            && self.is_renamed(cx).await?
            && self.is_viewed(cx).await?
            && lacking(cx, &self.grants).await?.is_none())
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let is_first = !self.sent.load(Ordering::Relaxed);
        if is_first {
            whole_copy::check(cx, self.put).await?;
            cx.ledger.place(cx.step, self.put).await?;
        }
        let mut retry = cx.retry();
        loop {
            match self.go_on(cx).await {
                Err(error) if is_first && error.is_transient() && retry.again().await => {}
                ended => return ended,
            }
        }
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if self.is_done(cx).await? {
            return readable::wait(cx, self.put).await;
        }
        let object = ObjectRef::table(&cx.step.cluster, &self.put.table);
        Err(StepError::NoEffect { object, problem: "is not the view over the copy, with all privileges".to_owned() })
    }
}
