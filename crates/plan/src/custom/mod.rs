//! `custom` with `engine: stream`: tables copied row by row, changed on the way.

mod available;
mod rows;

use transship_model::Finding;
use transship_model::spec::Instance;

use crate::copies;
use crate::input::PlanInput;
use crate::stage::{FlowOutcome, Others};

/// Plans one flow beside `others`.
pub(crate) fn plan(input: &PlanInput, instance: &Instance<'_>, others: &Others) -> Result<FlowOutcome, Vec<Finding>> {
    available::check(instance)?;
    copies::plan(input, instance, others, &rows::Rows)
}
