//! `custom`: tables copied row by row, changed on the way, by transship itself (`engine: stream`) or by another program
//! (`engine: command`), or by the target itself (`engine: foreign-table`).

mod available;
mod command;
mod foreign;
mod foreign_check;
mod foreign_left;
mod rows;

pub(crate) use foreign_left::of as left_of;
pub(crate) use rows::Rows;
use transship_model::Finding;
use transship_model::spec::{Custom, Engine, Instance, StrategyChoice};

use crate::input::PlanInput;
use crate::stage::{FlowOutcome, Others};
use crate::{copies, ends};

/// Plans one flow beside `others`.
pub(crate) fn plan(input: &PlanInput, instance: &Instance<'_>, others: &Others) -> Result<FlowOutcome, Vec<Finding>> {
    available::check(instance)?;
    match &instance.flow.strategy {
        StrategyChoice::Custom(custom @ Custom { engine: Engine::Command, .. }) => {
            copies::plan(input, instance, others, &command::Command(custom))
        }
        StrategyChoice::Custom(settings @ Custom { engine: Engine::ForeignTable, .. }) => {
            let (source, _) = ends::end(input, instance.from, instance, "`custom`")?;
            let endpoint = input.endpoints.get(source).ok_or_else(|| vec![ends::not_observed(instance, source)])?;
            copies::plan(input, instance, others, &foreign::Foreign { settings, endpoint })
        }
        _ => copies::plan(input, instance, others, &Rows),
    }
}
