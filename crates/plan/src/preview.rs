//! What `--preview` reads: a few rows of every table that a `stream` flow copies, whatever there is to be done about it.

use transship_model::plan::{InnerPlace, Transform};
use transship_model::spec::{Custom, Engine, Instance, StrategyChoice};
use transship_model::{Finding, FlowId, Name, TableName};

use crate::copies;
use crate::input::PlanInput;
use crate::stage::Others;

/// A table of which rows are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The flow.
    pub flow: FlowId,
    /// The cluster that is read.
    pub source: Name,
    /// The cluster that would be written.
    pub target: Name,
    /// The table that is read.
    pub from: TableName,
    /// The table that would be written.
    pub to: TableName,
    /// The statement that reads the rows.
    pub select: String,
    /// Places in its columns whose values JSON does not carry by itself.
    pub inner: Vec<InnerPlace>,
    /// What becomes of the columns, those that stay as they are among them.
    pub transform: Transform,
}

/// The tables of all chosen flows, at most `most` rows of each; errors are about columns and what could not be read.
pub fn samples(input: &PlanInput, most: usize) -> Result<Vec<Sample>, Vec<Finding>> {
    let (mut samples, mut findings) = (Vec::new(), Vec::new());
    for instance in input.spec.instances() {
        let streams = matches!(&instance.flow.strategy, StrategyChoice::Custom(Custom { engine: Engine::Stream, .. }));
        if !streams || !instance.flow.enabled || !input.options.selects(&instance.id) {
            continue;
        }
        match of_flow(input, &instance, most) {
            Ok(found) => samples.extend(found),
            Err(problems) => findings.extend(problems),
        }
    }
    if findings.is_empty() { Ok(samples) } else { Err(findings) }
}

fn of_flow(input: &PlanInput, instance: &Instance<'_>, most: usize) -> Result<Vec<Sample>, Vec<Finding>> {
    let others = Others::default();
    let context = copies::Context::gather(input, instance, &others)?;
    let wishes = context.wishes(&crate::custom::Rows)?;
    let sample = |wish: &copies::Wish<'_>| {
        let key: Vec<&str> = wish.source.primary_key.iter().map(String::as_str).collect();
        // A part of an object cannot be named as a column.
        let key = if key.iter().any(|name| name.contains('[')) { Vec::new() } else { key };
        Sample {
            flow: instance.id.clone(),
            source: context.source_name.clone(),
            target: context.target_name.clone(),
            from: wish.pair.from.clone(),
            to: wish.pair.to.clone(),
            select: transship_sql::copy::some(&wish.select, &key, most),
            inner: wish.inner.clone(),
            transform: copies::as_it_is(wish),
        }
    };
    Ok(wishes.iter().map(sample).collect())
}
