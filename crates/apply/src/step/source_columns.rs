//! The columns of a table while it is read: rows may bring new ones at any time, which are in no select that was planned.

use std::collections::BTreeSet;

use transship_model::plan::{CopyRows, ObjectRef, RowWrite};

use super::context::Context;
use super::error::StepError;
use crate::catalog;

/// Those that were there before.
pub(super) struct SourceColumns(BTreeSet<String>);

impl SourceColumns {
    /// Reads them; none where it does not matter.
    pub(super) async fn read(cx: &Context<'_>, rows: &CopyRows) -> Result<Self, StepError> {
        let Some(columns) = &rows.columns else { return Ok(Self(BTreeSet::new())) };
        let mut found = cx.look(&rows.source, columns, catalog::read_names).await?;
        // What is within an object is read with it.
        found.retain(|name| !name.contains("['"));
        Ok(Self(found))
    }

    /// Fails where others are there now. Rows that were added cannot be added again: there it is told.
    pub(super) async fn check(self, cx: &Context<'_>, rows: &CopyRows) -> Result<(), StepError> {
        let now = Self::read(cx, rows).await?;
        if self.0 == now.0 {
            return Ok(());
        }
        if rows.done.is_some() && rows.write == RowWrite::Insert {
            let names: Vec<&str> = self.0.symmetric_difference(&now.0).map(String::as_str).collect();
            cx.emitter.warn(format!(
                "{}.{} got or lost columns while it was read: {}. What is in them was not copied",
                rows.source,
                rows.from,
                names.join(", ")
            ));
            return Ok(());
        }
        let object = ObjectRef::table(&rows.source, &rows.from);
        Err(StepError::Changed { object, how: "got or lost columns while it was read" })
    }
}
