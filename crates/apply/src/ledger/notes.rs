//! What steps tell the ledger of copies, snapshots and exports, and ask of it.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::ledger::{CopyRow, CopyingRow};
use transship_model::plan::{CopyNote, PutInPlace, Step};
use transship_model::{Contents, TableName};

use super::{Exported, Filled, Ledger, PartitionFilled, Taken};
use crate::step::StepError;

impl Ledger<'_> {
    /// A snapshot that the step's flow was to make, for all of its targets, is not its own.
    pub(crate) async fn not_made(&self, step: &Step, snapshot: &str) -> Result<(), StepError> {
        let name = step.flow.as_ref().map(|flow| &flow.flow);
        for (_, flow) in self.flows.iter().filter(|(id, _)| Some(&id.flow) == name) {
            flow.not_made.lock().await.insert(snapshot.to_owned());
            if flow.opened.initialized() {
                self.write_flow(flow, flow.record.row.state).await?;
            }
        }
        Ok(())
    }

    /// Notes what the source had when a snapshot of it was made.
    pub(crate) async fn take(&self, key: (String, String, TableName), taken: Taken) {
        self.taken.lock().await.insert(key, taken);
    }

    /// What the source had when this run made the snapshot.
    pub(crate) async fn taken(&self, key: &(String, String, TableName)) -> Option<Taken> {
        self.taken.lock().await.get(key).cloned()
    }

    /// What was read into `copy`.
    pub(crate) async fn fill(&self, step: &Step, copy: &TableName, filled: Filled) {
        if let Some(flow) = self.flow_of(step) {
            flow.copies.lock().await.fill(copy, filled);
        }
    }

    /// What this run has read into `copy`.
    pub(crate) async fn filled(&self, step: &Step, copy: &TableName) -> Option<Filled> {
        self.flow_of(step)?.copies.lock().await.filled(copy)
    }

    /// What was exported of a table to `path`, or is there and whole.
    pub(crate) async fn export(&self, step: &Step, (path, table): (&str, &TableName), exported: Exported) {
        if let Some(flow) = self.flow_of(step) {
            flow.exported.lock().await.insert((path.to_owned(), table.clone()), exported);
        }
    }

    /// What this run has exported of a table to `path`, or found there.
    pub(crate) async fn exported(&self, step: &Step, (path, table): (&str, &TableName)) -> Option<Exported> {
        self.flow_of(step)?.exported.lock().await.get(&(path.to_owned(), table.clone())).cloned()
    }

    /// The files of these exports are gone.
    pub(crate) async fn removed(&self, step: &Step, exports: BTreeSet<u32>) {
        if let Some(flow) = self.flow_of(step) {
            flow.removed.lock().await.extend(exports);
        }
    }

    /// What is known of a copy that is to be put in place: read by this run, or by one that was cut just then.
    pub(crate) async fn whole(&self, step: &Step, put: &PutInPlace) -> Option<Filled> {
        self.flow_of(step)?.copies.lock().await.whole(put)
    }

    /// Writes down that a copy is about to be put in place.
    pub(crate) async fn place(&self, step: &Step, put: &PutInPlace) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.place(put, self.started);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// Writes down that a partition is about to be restored into its table, or has begun to be.
    pub(crate) async fn begin_partition(
        &self,
        step: &Step,
        table: &TableName,
        ident: &str,
        index: Option<String>,
    ) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.begin_partition(table, ident, index);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// Writes down that a partition is whole in its table.
    pub(crate) async fn end_partition(
        &self,
        step: &Step,
        note: (&CopyNote, bool, bool),
        filled: PartitionFilled,
    ) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.end_partition(note, filled, self.started);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// The tables that a subscription of the flow fills or has filled in part, with what is known of what they have.
    pub(crate) async fn arriving(&self, step: &Step) -> BTreeMap<TableName, Contents> {
        let Some(flow) = self.flow_of(step) else { return BTreeMap::new() };
        flow.copies.lock().await.arriving().clone()
    }

    /// Writes down what the tables have that a subscription is filling.
    pub(crate) async fn note_arriving(
        &self,
        step: &Step,
        arriving: BTreeMap<TableName, Contents>,
    ) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.arrive(arriving);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// Writes down that a subscription has filled tables in full.
    pub(crate) async fn note_synced(&self, step: &Step, synced: Vec<(&CopyNote, Filled)>) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        for (note, filled) in synced {
            flow.copies.lock().await.sync(note, filled, self.started);
        }
        self.write_flow(flow, flow.record.row.state).await
    }

    /// What the ledger has of a table that is in sync, or about to be put in place.
    pub(crate) async fn synced(&self, step: &Step, table: &TableName) -> Option<Filled> {
        self.flow_of(step)?.copies.lock().await.synced(table)
    }

    /// What the ledger has of a copy aside that is being filled by chunks, by the table that it is for.
    pub(crate) async fn copying(&self, step: &Step, table: &TableName) -> Option<CopyingRow> {
        self.flow_of(step)?.copies.lock().await.copying(table)
    }

    /// Writes down how far a copy aside has come, or that it is not to be gone on with.
    pub(crate) async fn note_copying(
        &self,
        step: &Step,
        table: &TableName,
        copying: Option<CopyingRow>,
    ) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.note_copying(table, copying);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// What the ledger had of a table before this run.
    pub(crate) async fn before(&self, step: &Step, table: &TableName) -> Option<CopyRow> {
        self.flow_of(step)?.copies.lock().await.before(table)
    }

    /// Writes down how far a table has come by its cursor.
    pub(crate) async fn come(&self, step: &Step, note: &CopyNote, filled: Filled) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.come(note, filled, self.started);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// Writes down that all rows of a copy are in the table.
    pub(crate) async fn merged(&self, step: &Step, note: &CopyNote, filled: Filled) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        let mut copies = flow.copies.lock().await;
        copies.fill(&note.table, filled);
        copies.finish(note, &note.table, self.started);
        drop(copies);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// Writes down that rows are about to be added to a table.
    pub(crate) async fn add_to(&self, step: &Step, table: &TableName) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.add_to(table);
        self.write_flow(flow, flow.record.row.state).await
    }
}
