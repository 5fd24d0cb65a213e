//! The results as JSON: the documents themselves.

use transship_model::plan::Plan;

use super::drift::Drift;
use super::explain::Explained;
use super::{Json, PlanShown, View};
use crate::diagnostics::Diagnostics;
use crate::file;

impl View<PlanShown<'_>> for Json {
    fn render(&self, shown: &PlanShown<'_>) -> String {
        plan(shown.plan)
    }
}

impl View<Drift> for Json {
    fn render(&self, drift: &Drift) -> String {
        file::json(drift)
    }
}

impl View<Explained> for Json {
    fn render(&self, explained: &Explained) -> String {
        file::json(explained)
    }
}

impl View<Diagnostics> for Json {
    fn render(&self, diagnostics: &Diagnostics) -> String {
        file::json(diagnostics)
    }
}

/// A plan as it is saved.
pub fn plan(plan: &Plan) -> String {
    file::json(plan)
}
