//! The drift report as annotations of a GitHub workflow.

use super::super::{Github, View};
use super::{Drift, DriftStatus};
use crate::diagnostics::github::annotation;

impl View<Drift> for Github<'_> {
    fn render(&self, drift: &Drift) -> String {
        let mut out = String::new();
        for (id, flow) in &drift.flows {
            let (level, title) = match flow.status {
                DriftStatus::Differs => ("error", format!("{id} has drifted")),
                DriftStatus::Unhealthy => ("error", format!("{id} is unhealthy")),
                DriftStatus::Due => ("notice", format!("{id} is due")),
                DriftStatus::NotObservable => ("warning", format!("{id} could not be judged")),
                DriftStatus::Clean | DriftStatus::Disabled => continue,
            };
            let file = flow.at.as_ref().map(|at| self.sources.open(&at.file));
            let place = file.as_deref().zip(flow.at.as_ref()).map(|(file, at)| (file, at.line, None));
            let text: Vec<_> = flow
                .differences
                .iter()
                .chain(&flow.unhealthy)
                .chain(&flow.blocked)
                .chain(&flow.notes)
                .cloned()
                .collect();
            out.push_str(&annotation(level, &title, place, &text.join("\n")));
        }
        out.push_str(&annotation("notice", "transship drift", None, &drift.summary()));
        out
    }
}
