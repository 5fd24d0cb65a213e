//! Gives and denies what users may do with a table, and looks that it holds. Each statement may be sent twice.

use std::collections::BTreeSet;

use transship_cluster::{Rows, ValueError};
use transship_model::plan::ObjectRef;
use transship_sql::lookup;
use transship_sql::place::Grant;

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Work;
use crate::catalog;
use crate::statement::Statement;

pub(super) struct GrantPrivileges {
    grants: Vec<Grant>,
}

impl GrantPrivileges {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        let read = |sql: &String| match Statement::read(sql) {
            Some(Statement::Grant(grant)) => Some(grant),
            _ => None,
        };
        let grants: Option<Vec<Grant>> = cx.step.sql.iter().map(read).collect();
        grants.map(|grants| Self { grants }).ok_or_else(|| cx.wrong("its statements do something else"))
    }
}

/// The first privilege that does not hold yet.
pub(super) async fn lacking<'g>(cx: &Context<'_>, grants: &'g [Grant]) -> Result<Option<&'g Grant>, StepError> {
    for grant in grants {
        let held = cx.look(&cx.step.cluster, &lookup::privileges_on(grant.class, &grant.on), read_held).await?;
        let state = if grant.granted { "GRANT" } else { "DENY" };
        if !held.contains(&[state, grant.kind.as_str(), &grant.user].map(str::to_owned)) {
            return Ok(Some(grant));
        }
    }
    Ok(None)
}

fn read_held(rows: &Rows) -> Result<BTreeSet<[String; 3]>, ValueError> {
    let row = |row: &Vec<_>| Ok([catalog::text(row, 0)?, catalog::text(row, 1)?, catalog::text(row, 2)?]);
    rows.rows.iter().map(row).collect()
}

impl Work for GrantPrivileges {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(lacking(cx, &self.grants).await?.is_none())
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        for statement in &cx.step.sql {
            // The count is 0 where the privilege was held already.
            cx.execute(statement, &[], LIMIT).await?;
        }
        Ok(())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        match lacking(cx, &self.grants).await? {
            None => Ok(()),
            Some(grant) => {
                let object = ObjectRef::table(&cx.step.cluster, &grant.on);
                let problem = format!("has no {} for {}", grant.kind.as_str(), grant.user);
                Err(StepError::NoEffect { object, problem })
            }
        }
    }
}
