//! The drift report for an issue or a pull request.

use transship_model::FlowId;

use super::super::markdown::{code, diff_line, marker, scope, text};
use super::super::{Markdown, View};
use super::{Drift, DriftStatus, FlowDrift};

impl View<Drift> for Markdown {
    fn render(&self, drift: &Drift) -> String {
        let mut lines = vec![
            marker("drift", &drift.workspace, drift.env.as_ref()),
            format!("## transship drift: {}", scope(&drift.workspace, drift.env.as_ref())),
            String::new(),
            format!("**{}**", text(&drift.summary())),
        ];
        lines.extend(drift.flows.iter().flat_map(|(id, flow)| section(id, flow)));
        lines.extend(listed("Not managed by any flow", drift.unmanaged.iter().map(|object| code(object)).collect()));
        let unseen = drift.unseen.iter().flat_map(|(cluster, all)| all.iter().map(move |one| (cluster, one)));
        lines.extend(listed("Not seen", unseen.map(|(cluster, one)| format!("{cluster}: {}", text(one))).collect()));
        lines.push(String::new());
        lines.join("\n")
    }
}

/// What there is to say about a flow; nothing about one that is as declared.
fn section(id: &FlowId, flow: &FlowDrift) -> Vec<String> {
    let judged = match flow.status {
        DriftStatus::Clean | DriftStatus::Disabled => return Vec::new(),
        DriftStatus::Differs => "",
        DriftStatus::Due => " is due",
        DriftStatus::Unhealthy => " is unhealthy",
        DriftStatus::NotObservable => " could not be judged",
    };
    let at = flow.at.as_ref().map(|at| format!(" ({})", code(&at.to_string()))).unwrap_or_default();
    let mut lines = vec![String::new(), format!("### {id}{judged}{at}"), String::new()];
    lines.extend(flow.differences.iter().chain(&flow.unhealthy).map(|one| format!("- {}", text(one))));
    lines.extend(flow.blocked.iter().map(|one| format!("- **blocked**: {}", text(one))));
    lines.extend(flow.notes.iter().map(|one| format!("- {}", text(one))));
    if !flow.remedies.is_empty() {
        lines.extend([String::new(), "A plan would:".to_owned(), String::new(), "```diff".to_owned()]);
        lines.extend(flow.remedies.iter().map(|one| diff_line(one)));
        lines.push("```".to_owned());
    }
    lines
}

fn listed(title: &str, items: Vec<String>) -> Vec<String> {
    if items.is_empty() {
        return Vec::new();
    }
    let items = items.into_iter().map(|item| format!("- {item}"));
    [String::new(), format!("### {title}"), String::new()].into_iter().chain(items).collect()
}
