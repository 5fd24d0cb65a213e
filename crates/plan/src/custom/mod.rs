//! `custom`: tables copied row by row, changed on the way, by transship itself (`engine: stream`) or by another program
//! (`engine: command`).

mod available;
mod command;
mod rows;

pub(crate) use rows::Rows;
use transship_model::Finding;
use transship_model::spec::{Custom, Engine, Instance, StrategyChoice};

use crate::copies;
use crate::input::PlanInput;
use crate::stage::{FlowOutcome, Others};

/// Plans one flow beside `others`.
pub(crate) fn plan(input: &PlanInput, instance: &Instance<'_>, others: &Others) -> Result<FlowOutcome, Vec<Finding>> {
    available::check(instance)?;
    match &instance.flow.strategy {
        StrategyChoice::Custom(custom @ Custom { engine: Engine::Command, .. }) => {
            copies::plan(input, instance, others, &command::Command(custom))
        }
        _ => copies::plan(input, instance, others, &Rows),
    }
}
