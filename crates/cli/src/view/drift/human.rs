//! The drift report for people at a terminal.

use transship_model::FlowId;

use super::super::style::{Page, alarm, bold, counted, cyan, dim, green, plain, red, yellow};
use super::super::{Human, View};
use super::{Drift, DriftStatus, FlowDrift};
use crate::exit::Exit;

impl View<Drift> for Human {
    fn render(&self, drift: &Drift) -> String {
        let mut page = Page::new(self.width);
        let env = drift.env.as_ref().map(|env| format!(" in {env}")).unwrap_or_default();
        page.line(&bold(&format!("Workspace {}{env}", drift.workspace)));
        let width = drift.clusters.keys().map(|name| name.as_str().len()).max().unwrap_or_default();
        for (name, cluster) in &drift.clusters {
            page.line(&format!(
                "  {:width$}  CrateDB {}  {}",
                name.as_str(),
                cluster.version,
                dim(&format!("id {}", cluster.id))
            ));
        }
        page.gap();
        page.line(&summary_line(drift));
        for (id, flow) in drift.of(DriftStatus::Differs).chain(drift.of(DriftStatus::Unhealthy)) {
            differing(&mut page, id, flow);
        }
        for (id, flow) in drift.of(DriftStatus::Due) {
            page.gap();
            let at = flow.at.as_ref().map(ToString::to_string).unwrap_or_default();
            page.pair(&format!("{}  {}", bold(&id.to_string()), cyan("due")), &dim(&at));
            for note in &flow.notes {
                page.wrapped("    ", 4, note, dim);
            }
            for reason in &flow.blocked {
                page.wrapped(&format!("    {} ", yellow("blocked:")), 13, reason, yellow);
            }
        }
        for (id, flow) in drift.of(DriftStatus::NotObservable) {
            page.gap();
            page.line(&format!("{}  {}", bold(&id.to_string()), alarm("could not be judged")));
            for note in &flow.notes {
                page.wrapped(&format!("  {} ", alarm("?")), 4, note, str::to_owned);
            }
        }
        self.rest(&mut page, drift);
        page.finish()
    }
}

fn summary_line(drift: &Drift) -> String {
    match drift.exit() {
        Exit::Done => green(&drift.summary()),
        _ => alarm(&drift.summary()),
    }
}

fn differing(page: &mut Page, id: &FlowId, flow: &FlowDrift) {
    page.gap();
    let at = flow.at.as_ref().map(ToString::to_string).unwrap_or_default();
    page.pair(&bold(&id.to_string()), &dim(&at));
    for difference in &flow.differences {
        page.wrapped(&format!("  {} ", red("≠")), 4, difference, str::to_owned);
    }
    for reason in &flow.unhealthy {
        page.wrapped(&format!("  {} ", alarm("!")), 4, reason, str::to_owned);
    }
    for note in &flow.notes {
        page.wrapped("    ", 4, note, dim);
    }
    if !flow.remedies.is_empty() {
        let drops = flow.remedies.iter().filter(|remedy| remedy.starts_with('-')).count();
        let drops = match drops {
            0 => String::new(),
            1 => ", of which 1 drops something".to_owned(),
            n => format!(", of which {n} drop something"),
        };
        page.line(&dim(&format!("    a plan has {} for it{drops}", counted(flow.remedies.len(), "step"))));
    }
    for reason in &flow.blocked {
        page.wrapped(&format!("    {} ", yellow("blocked:")), 13, reason, yellow);
    }
}

impl Human {
    fn rest(self, page: &mut Page, drift: &Drift) {
        if !drift.unmanaged.is_empty() {
            page.gap();
            page.line("Not managed by any flow, and never touched:");
            for object in &drift.unmanaged {
                page.line(&format!("  {}", plain(object)));
            }
        }
        if !drift.unseen.is_empty() {
            page.gap();
            page.line("Not seen:");
            for (cluster, what) in &drift.unseen {
                for reason in what {
                    page.wrapped(&format!("  {cluster}: "), 4, reason, str::to_owned);
                }
            }
        }
        if self.verbose {
            page.gap();
            for (id, flow) in drift.of(DriftStatus::Clean) {
                page.wrapped("  ", 4, &format!("{id}: as declared{}", joined(&flow.notes)), dim);
            }
        }
    }
}

fn joined(notes: &[String]) -> String {
    if notes.is_empty() { String::new() } else { format!("; {}", notes.join("; ")) }
}
