//! The columns of a table while it is read: rows may bring new ones at any time, which are in no select that was planned.

use std::collections::BTreeSet;

use transship_model::plan::{CopyRows, ObjectRef, PullRows, RowWrite};
use transship_model::{Name, TableName};

use super::context::Context;
use super::error::StepError;
use crate::catalog;

/// The table that is read, and its columns before.
pub(super) struct SourceColumns<'a> {
    source: &'a Name,
    from: &'a TableName,
    /// The statement that tells them; `None` where it does not matter.
    statement: Option<&'a str>,
    /// Whether what was written can be written again.
    repeats: bool,
    before: BTreeSet<String>,
}

impl<'a> SourceColumns<'a> {
    /// Reads those of a table whose rows are copied.
    pub(super) async fn of_copy(cx: &Context<'_>, rows: &'a CopyRows) -> Result<Self, StepError> {
        let repeats = rows.done.is_none() || rows.write != RowWrite::Insert;
        Self::read(cx, (&rows.source, &rows.from), rows.columns.as_deref(), repeats).await
    }

    /// Reads those of a table that the target reads.
    pub(super) async fn of_pull(cx: &Context<'_>, rows: &'a PullRows) -> Result<Self, StepError> {
        let repeats = rows.done.is_none() || rows.write != RowWrite::Insert;
        Self::read(cx, (&rows.source, &rows.from), rows.columns.as_deref(), repeats).await
    }

    async fn read(
        cx: &Context<'_>,
        (source, from): (&'a Name, &'a TableName),
        statement: Option<&'a str>,
        repeats: bool,
    ) -> Result<Self, StepError> {
        let before = top_level(cx, source, statement).await?;
        Ok(Self { source, from, statement, repeats, before })
    }

    /// Fails where others are there now. Rows that were added cannot be added again: there it is told.
    pub(super) async fn check(self, cx: &Context<'_>) -> Result<(), StepError> {
        let now = top_level(cx, self.source, self.statement).await?;
        if self.before == now {
            return Ok(());
        }
        if self.repeats {
            let object = ObjectRef::table(self.source, self.from);
            return Err(StepError::Changed { object, how: "got or lost columns while it was read" });
        }
        let names: Vec<&str> = self.before.symmetric_difference(&now).map(String::as_str).collect();
        cx.emitter.warn(format!(
            "{}.{} got or lost columns while it was read: {}. What is in them was not copied",
            self.source,
            self.from,
            names.join(", ")
        ));
        Ok(())
    }
}

/// What is within an object is read with it.
async fn top_level(cx: &Context<'_>, source: &Name, statement: Option<&str>) -> Result<BTreeSet<String>, StepError> {
    let Some(statement) = statement else { return Ok(BTreeSet::new()) };
    let mut found = cx.look(source, statement, catalog::read_names).await?;
    found.retain(|name| !name.contains("['"));
    Ok(found)
}
