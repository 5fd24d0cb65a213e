//! Reads a few rows of every table that a flow changes on the way, and makes of them what would be written.

use std::sync::Arc;

use transship_apply::Connections;
use transship_model::{Finding, SpecPath};
use transship_plan::Sample;

use super::{Seen, materials};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::view::preview::{Previewed, Previews};

impl Seen {
    /// At most `most` rows of each table, before and after.
    pub async fn preview(&self, most: usize) -> Result<Previews, CommandError> {
        let samples = transship_plan::samples(&self.input, most)
            .map_err(|findings| CommandError::workspace(findings, self.workspace.sources()))?;
        let keys = samples
            .iter()
            .flat_map(|sample| materials::of_transform(&sample.transform).map(|key| (key, Some(&sample.flow))));
        let materials = materials::of(&self.workspace, &self.resolved, keys.collect())?;
        let servers = Connections::new(&self.resolved.access, Arc::new(self.redactor().clone())).with(materials);
        let mut tables = Vec::with_capacity(samples.len());
        for sample in samples {
            let rows = servers.preview(&sample).await.map_err(|error| failed(&sample, &error))?;
            tables.push(Previewed::new(&sample, rows));
        }
        Ok(Previews::new(tables))
    }
}

fn failed(sample: &Sample, error: &transship_apply::MoveError) -> CommandError {
    let finding = Finding::error(error.code(), error.to_string()).at_key(SpecPath::of("flows", &sample.flow.flow));
    let finding = match error.help() {
        Some(help) => finding.help(help),
        None => finding,
    };
    CommandError::new(Exit::Error, finding)
}
