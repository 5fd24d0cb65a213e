//! `strategy: auto` and what it has to provide; `engine: command` and what it runs.

use transship_model::spec::way::candidates;
use transship_model::spec::{Engine, Flow, StrategyChoice};
use transship_model::{Finding, SpecPath};

use crate::report::Report;

pub(super) fn check(flow: &Flow, path: &SpecPath, report: &mut Report) {
    match &flow.strategy {
        StrategyChoice::Auto if candidates(flow).is_empty() => report.push(
            Finding::error("spec::needs-conflict", "no strategy provides all of these `needs`")
                .at_key(path.key("needs"))
                .help("`open-format` goes only with one-time copies: remove one of the needs, or make two flows"),
        ),
        StrategyChoice::Auto => {}
        _ if !flow.needs.is_empty() => report.push(
            Finding::error("spec::needs-without-auto", "`needs` has no use where the strategy is chosen")
                .at_key(path.key("needs"))
                .help("remove `needs`, or write `strategy: auto`"),
        ),
        StrategyChoice::Custom(custom) if custom.engine == Engine::Command && custom.run.is_empty() => report.push(
            Finding::error("spec::command-needs-run", "`engine: command` has no command to run")
                .at_key(path.key("strategy").key("custom"))
                .help("write `run: [PROGRAM, ARGUMENT, …]`"),
        ),
        _ => {}
    }
}
