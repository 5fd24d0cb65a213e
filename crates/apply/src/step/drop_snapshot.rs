//! Drops a snapshot.

use std::time::Duration;

use transship_sql::bulk::Bulk;
use transship_sql::snapshot::{self, Probed};

use super::context::Context;
use super::error::StepError;
use super::perform::Work;

/// Files of a large snapshot are deleted one by one.
const LIMIT: Duration = Duration::from_hours(1);

pub(super) struct DropSnapshot {
    repository: String,
    snapshot: String,
}

impl DropSnapshot {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        match cx.step.sql.first().and_then(|sql| Bulk::read(sql)) {
            Some(Bulk::DropSnapshot { repository, snapshot }) => Ok(Self { repository, snapshot }),
            _ => Err(cx.wrong("its statement does something else")),
        }
    }
}

impl Work for DropSnapshot {
    /// The catalog shows nothing of a repository that it cannot read, so the server is asked for the snapshot itself.
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        let probe = snapshot::probe_snapshot(&self.repository, &self.snapshot);
        match cx.execute(&probe, &[], LIMIT).await {
            Ok(_) => Err(cx.wrong("a table that cannot exist was restored")),
            Err(StepError::Cluster(error)) => match Probed::read(&error.message) {
                Some(Probed::Absent) => Ok(true),
                Some(Probed::There) => Ok(false),
                Some(Probed::NoRepository) | None => Err(error.into()),
            },
            Err(error) => Err(error),
        }
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        cx.execute(&cx.step.sql[0], &[], LIMIT).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if self.is_done(cx).await? {
            return Ok(());
        }
        let snapshot = format!("{}.{}", self.repository, self.snapshot);
        Err(StepError::SnapshotFailed { snapshot, state: "is still there after it was dropped".to_owned() })
    }
}
