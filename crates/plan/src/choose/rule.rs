//! The order of preference, and the choice by it.

use transship_model::spec::way::Way;
use transship_model::spec::{Flow, Need};
use transship_model::{Finding, Name, SpecPath};

use super::candidates::Candidate;
use super::evidence::{self, Evidence};
use super::judge::{self, Neighbours};
use super::{Choice, set};
use crate::input::PlanInput;

/// What a flow asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// To follow its source.
    pub(super) continuous: bool,
    /// To change rows on the way.
    pub(super) transform: bool,
    /// To leave files that other tools can read.
    pub(super) open_format: bool,
}

impl Asked {
    /// What the flow says under `needs`, and what goes without saying: how far it may be behind.
    pub(super) fn of(flow: &Flow) -> Self {
        let needs = |need| flow.needs.contains(&need);
        let follows = flow.max_lag.is_some() || Way::of(&flow.strategy) == Way::Replication;
        Self {
            continuous: needs(Need::Continuous) || follows,
            transform: needs(Need::Transform),
            open_format: needs(Need::OpenFormat),
        }
    }

    /// The ways in order of preference. Those that are not among them are never chosen.
    const fn order(self) -> &'static [Way] {
        match (self.open_format, self.continuous, self.transform) {
            (true, ..) => &[Way::ExportImport],
            (false, true, _) => &[Way::Replication, Way::Stream],
            (false, false, true) => &[Way::Stream, Way::ExportImport],
            (false, false, false) => &[Way::Detach, Way::Snapshot, Way::Stream, Way::ExportImport],
        }
    }

    /// The place of a way in that order.
    fn place(self, way: Way) -> Option<usize> {
        self.order().iter().position(|it| *it == way)
    }
}

/// The candidates that the declaration goes with, the preferred one first; those that nobody would choose are left out.
pub(super) fn in_order(all: &[Candidate], asked: Asked) -> Vec<Candidate> {
    let mut fitting: Vec<Candidate> =
        all.iter().filter(|it| it.fits() && asked.place(it.way).is_some()).cloned().collect();
    fitting.sort_by_key(|candidate| asked.place(candidate.way));
    fitting
}

/// The first candidate that no planner refuses. One that rests on a network of which nothing is known comes after all
/// others; among stores, one through which copies have gone comes first.
pub(super) fn choose(
    trial: &mut PlanInput,
    flow: &Name,
    all: &[Candidate],
    neighbours: &Neighbours<'_>,
) -> Result<Choice, Vec<Finding>> {
    let asked = trial.spec.flows.get(flow).map(Asked::of).unwrap_or_default();
    let mut ranked: Vec<(Candidate, Evidence)> = in_order(all, asked)
        .into_iter()
        .map(|candidate| {
            let evidence = evidence::of(trial, flow, &candidate);
            (candidate, evidence)
        })
        .collect();
    ranked.sort_by_key(|(it, evidence)| (evidence.is_open(), asked.place(it.way), !evidence.is_shown()));
    let mut refused: Vec<(Candidate, Vec<Finding>)> = Vec::new();
    for (candidate, evidence) in &ranked {
        let Some(strategy) = &candidate.strategy else { continue };
        set(trial, flow, strategy);
        match judge::judge(trial, flow, neighbours) {
            Ok(()) => {
                let text = text(candidate, evidence, &refused, &ranked, asked);
                return Ok(Choice { strategy: strategy.clone(), kept: false, text });
            }
            Err(findings) => refused.push((candidate.clone(), findings)),
        }
    }
    Err(none(flow, all, &refused))
}

/// What the choice rests on, and which strategies that are preferred were passed over.
fn text(
    chosen: &Candidate,
    evidence: &Evidence,
    refused: &[(Candidate, Vec<Finding>)],
    ranked: &[(Candidate, Evidence)],
    asked: Asked,
) -> String {
    let mut passed: Vec<(Option<usize>, String)> = Vec::new();
    for (candidate, findings) in refused {
        let reason = findings.first().map(|finding| finding.message.clone()).unwrap_or_default();
        passed.push((asked.place(candidate.way), format!("not {} ({reason})", candidate.words())));
    }
    let unsure = ranked.iter().filter(|(it, _)| asked.place(it.way) < asked.place(chosen.way));
    for (candidate, evidence) in unsure.filter(|(_, evidence)| evidence.is_open()) {
        let open = evidence.still_to_be_shown().unwrap_or_default();
        passed.push((asked.place(candidate.way), format!("not {} (nothing shows that {open})", candidate.words())));
    }
    passed.sort();
    let open = evidence.still_to_be_shown().map(|open| format!("still to be shown: {open}"));
    let first = format!("`auto` chose {}: {}", chosen.words(), purpose(chosen.way));
    let all = std::iter::once(first).chain(open).chain(passed.into_iter().map(|(_, text)| text));
    all.collect::<Vec<_>>().join("; ")
}

const fn purpose(way: Way) -> &'static str {
    match way {
        Way::Replication => "tables as they are, followed from then on",
        Way::Detach => "tables as they are, copied once as files from cluster to cluster",
        Way::Snapshot => "tables as they are, copied once as files",
        Way::ExportImport => "tables copied once through files that other tools can read",
        Way::Stream | Way::ForeignTable | Way::Command | Way::Auto => "tables copied row by row",
    }
}

/// What forbids every strategy; what is the same for all is said once, and as it is.
fn none(flow: &Name, all: &[Candidate], refused: &[(Candidate, Vec<Finding>)]) -> Vec<Finding> {
    let first = refused.first().map(|(_, findings)| findings.as_slice()).unwrap_or_default();
    let of_all = |finding: &&Finding| refused.iter().all(|(_, findings)| findings.contains(finding));
    let common: Vec<Finding> = first.iter().filter(of_all).cloned().collect();
    if !common.is_empty() {
        return common;
    }
    let refused = refused.iter().filter_map(|(candidate, findings)| Some((candidate, &findings.first()?.message)));
    let unfit = all.iter().filter_map(|candidate| Some((candidate, candidate.unfit.first()?)));
    let reasons = refused.chain(unfit).map(|(candidate, reason)| format!("\n{}: {reason}", candidate.words()));
    vec![nothing(flow, &reasons.collect::<String>())]
}

fn nothing(flow: &Name, reasons: &str) -> Finding {
    let message = format!("no strategy can do what flow {flow} asks for{reasons}");
    let help = format!("`transship explain {flow}` tells what each strategy needs, and what of it is missing");
    Finding::error("plan::no-strategy", message).at(SpecPath::of("flows", flow).key("strategy")).help(help)
}
