//! Rows that are written and counted: as the plan says at first, and, where they are not all there, once more after they
//! are deleted, each with an answer of its own. The second time names what the first could only count.

use transship_cluster::Bind;
use transship_model::plan::CopyRows;
use transship_mover::{MoveError, Watch};

use super::context::Context;
use super::error::StepError;
use crate::catalog;
use crate::servers::{AtATime, Part};

/// Some rows of a copy.
pub(super) struct Fill<'a> {
    pub(super) cx: &'a Context<'a>,
    pub(super) rows: &'a CopyRows,
    /// Which they are.
    pub(super) part: Part<'a>,
    /// The statement that counts them on the target, for a copy aside.
    pub(super) count: Option<&'a str>,
    /// The statement that deletes them there.
    pub(super) clear: Option<&'a str>,
    /// The values of both.
    pub(super) binds: &'a [Bind],
    /// Who is told how far it has come.
    pub(super) watch: &'a dyn Watch,
}

impl Fill<'_> {
    /// Writes them and gives their number, which is that of the rows that readers see.
    pub(super) async fn run(&self) -> Result<u64, StepError> {
        match self.once(AtATime::AsPlanned).await {
            Err(error) if is_short(&error) && self.clear.is_some() => self.anew().await,
            outcome => outcome,
        }
    }

    /// Deletes what there is of them, and writes them one by one.
    pub(super) async fn anew(&self) -> Result<u64, StepError> {
        let Some(clear) = self.clear else { return Err(self.cx.wrong("its rows cannot be deleted")) };
        let cluster = &self.cx.step.cluster;
        self.cx.query(cluster, &self.rows.refresh).await?;
        self.cx.execute_on(cluster, clear, self.binds, self.rows.timeout.as_duration()).await?;
        self.cx.query(cluster, &self.rows.refresh).await?;
        match self.found().await? {
            None | Some(0) => self.once(AtATime::One).await,
            Some(found) => Err(self.differs(found, 0)),
        }
    }

    async fn once(&self, pace: AtATime) -> Result<u64, StepError> {
        let (cx, cluster) = (self.cx, &self.cx.step.cluster);
        let written = cx.servers.copy_rows(cluster, (self.rows, self.part, pace), self.watch, cx.cancel).await?;
        cx.query(cluster, &self.rows.refresh).await?;
        match self.found().await? {
            Some(found) if found != written => Err(self.differs(found, written)),
            _ => Ok(written),
        }
    }

    async fn found(&self) -> Result<Option<u64>, StepError> {
        let Some(count) = self.count else { return Ok(None) };
        let cluster = &self.cx.step.cluster;
        Ok(Some(self.cx.look_with(cluster, (count, self.binds), catalog::read_count).await?))
    }

    fn differs(&self, found: u64, written: u64) -> StepError {
        StepError::CountDiffers { table: self.rows.into.clone(), found, written }
    }
}

/// Whether rows are missing of which nobody knows which they are.
pub(super) fn is_short(error: &StepError) -> bool {
    match error {
        StepError::CountDiffers { .. } => true,
        StepError::Copy(error) => matches!(**error, MoveError::Short { .. }),
        _ => false,
    }
}
