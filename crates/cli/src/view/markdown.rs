//! The plan for a pull request: the summary and the destructive part first, details folded, and never longer than a
//! comment may be.

use transship_model::Name;
use transship_model::plan::{Note, Plan, Step};

use super::columns::{self, transform};
use super::consent::{continued, missing_consents, shorter_consents};
use super::facts::{Counts, Group, Sign, number, table_sets};
use super::human::{condition_text, other_blocks, with_flow};
use super::object::object;
use super::sent::waits;
use super::style::counted;
use super::{Markdown, PlanShown, View};

/// A comment of GitHub holds 65,536 characters; some room stays for what wraps it.
const LONGEST: usize = 60_000;

/// Flows with no more steps than this are not folded.
const UNFOLDED: usize = 6;

impl View<PlanShown<'_>> for Markdown {
    fn render(&self, shown: &PlanShown<'_>) -> String {
        let plan = shown.plan;
        let mut lines = vec![
            marker("plan", &plan.workspace, plan.env.as_ref()),
            format!("## transship plan: {}", scope(&plan.workspace, plan.env.as_ref())),
            String::new(),
            format!("**{}**", summary(plan)),
            String::new(),
        ];
        lines.extend(
            shown.clusters().iter().map(|(name, c)| format!("- {name}: CrateDB {}, id {}", c.version, code(&c.id))),
        );
        if plan.partial {
            lines.push(
                "- partial: only the chosen flows are planned, and nothing is removed for being absent".to_owned(),
            );
        }
        lines.extend(destructive(plan));
        lines.extend(blocked(plan));
        lines.extend(notes(plan));
        let rest = foot(plan);
        let room = LONGEST.saturating_sub(length(&lines) + length(&rest));
        lines.extend(self.groups(plan, room));
        lines.extend(rest);
        lines.push(String::new());
        lines.join("\n")
    }
}

/// A comment that tools find their own earlier output by.
pub fn marker(kind: &str, workspace: &Name, env: Option<&Name>) -> String {
    let env = env.map(|env| format!(":{env}")).unwrap_or_default();
    format!("<!-- transship {kind} {workspace}{env} -->")
}

/// `shop-sync (prod)`.
pub fn scope(workspace: &Name, env: Option<&Name>) -> String {
    env.map_or_else(|| workspace.to_string(), |env| format!("{workspace} ({env})"))
}

/// `text` without anything that Markdown or HTML reads.
pub fn text(text: &str) -> String {
    let text = super::style::plain(text).replace('\n', " ");
    // Between single backticks stands code, in which nothing is read and nothing can be escaped.
    let has_code = text.matches('`').count().is_multiple_of(2) && !text.contains("``");
    let mut out = String::new();
    let mut in_code = false;
    for c in text.chars() {
        match c {
            '`' if has_code => {
                in_code = !in_code;
                out.push(c);
            }
            c if in_code => out.push(c),
            '`' => out.push_str("\\`"),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '*' | '_' | '|' | '[' | ']' | '#' | '@' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// `text` as code.
pub fn code(text: &str) -> String {
    let text = super::style::plain(text).replace('\n', " ");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// A line of a `diff` fence: changes are marked by the sign that is coloured.
pub fn diff_line(line: &str) -> String {
    match line.chars().next() {
        Some('~') => format!("!{}", &line[1..]),
        Some('+' | '-') => line.to_owned(),
        _ => format!("  {line}"),
    }
}

fn summary(plan: &Plan) -> String {
    let counts = Counts::of(plan);
    let all: Vec<_> = [counts.work()].into_iter().filter(|work| !work.is_empty()).chain(counts.remarks()).collect();
    if all.is_empty() { "No changes.".to_owned() } else { format!("Plan: {}.", all.join("; ")) }
}

fn destructive(plan: &Plan) -> Vec<String> {
    let steps: Vec<_> = plan.destructive().collect();
    if steps.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "> [!CAUTION]".to_owned(), format!("> **{} destructive**", steps.len())];
    for step in steps {
        let consent = match step.consent.as_ref() {
            Some(consent) if consent.given.is_none() => " (**not permitted**)",
            _ => "",
        };
        lines.push(format!("> - {}{consent}: {}", code(&object(step)), text(&step.because)));
    }
    lines
}

fn blocked(plan: &Plan) -> Vec<String> {
    if !plan.is_blocked() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "### Blocked: nothing runs until this is settled".to_owned(), String::new()];
    for blocked in other_blocks(plan) {
        lines.push(format!("- {}", text(&with_flow(blocked.flow.as_ref(), &blocked.reason))));
        lines.push(format!("  - {}", text(&blocked.help)));
    }
    let flags = missing_consents(plan);
    if !flags.is_empty() {
        let drops = format!("{} to be permitted, here or by `allow_drop` in the spec:", counted(flags.len(), "drop"));
        lines.extend([String::new(), drops, String::new(), "```".to_owned()]);
        lines.extend(continued(&flags));
        lines.push("```".to_owned());
        let shorter = shorter_consents(plan);
        if !shorter.is_empty() {
            lines.extend([String::new(), "Or in short:".to_owned(), String::new(), "```".to_owned()]);
            lines.extend(continued(&shorter));
            lines.push("```".to_owned());
        }
    }
    lines
}

fn notes(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    let all: [(&str, Vec<&Note>); 2] =
        [("Not judged", plan.unseen.iter().collect()), ("Warnings", plan.all_warnings().collect())];
    for (title, notes) in all {
        if !notes.is_empty() {
            lines.extend([String::new(), format!("### {title}"), String::new()]);
            lines.extend(notes.iter().map(|note| format!("- {}", text(&with_flow(note.flow.as_ref(), &note.text)))));
        }
    }
    lines
}

fn foot(plan: &Plan) -> Vec<String> {
    vec![String::new(), format!("<sub>transship {}, digest {}</sub>", plan.tool_version, code(&plan.digest))]
}

impl Markdown {
    /// The flows, as many as there is room for.
    fn groups(self, plan: &Plan, room: usize) -> Vec<String> {
        let groups = Group::of(plan);
        let mut lines = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let next = self.group(plan, group);
            if length(&lines) + length(&next) + 200 > room {
                let left = counted(groups.len() - index, "more flow");
                lines.extend([String::new(), format!("**… and {left}: the saved plan has them all.**")]);
                break;
            }
            lines.extend(next);
        }
        lines
    }

    fn group(self, plan: &Plan, group: &Group<'_>) -> Vec<String> {
        let ends = group.ends(plan).map(|ends| format!(" {ends}")).unwrap_or_default();
        let place = group.place().map(|place| format!(", {}", code(&place.to_string()))).unwrap_or_default();
        let due = if group.due { ", due" } else { "" };
        let title = format!("{}{ends}{due}", group.title());
        let steps = counted(group.steps.len(), "step");
        let mut body = vec![String::new(), "```diff".to_owned()];
        body.extend(group.steps.iter().flat_map(|step| self.step(step)));
        body.push("```".to_owned());
        if group.steps.len() <= UNFOLDED {
            return [vec![String::new(), format!("#### {title} ({steps}{place})")], body].concat();
        }
        let open = format!("<details><summary><b>{title}</b> ({steps})</summary>");
        [vec![String::new(), open], body, vec![String::new(), "</details>".to_owned()]].concat()
    }

    fn step(self, step: &Step) -> Vec<String> {
        let sign = Sign::of(step.kind).character();
        let mut lines = vec![diff_line(&format!("{sign} {} {}", number(step), fenced(&object(step))))];
        lines.push(format!("       # {}", fenced(&step.because)));
        if let Some((before, after)) = table_sets(step) {
            lines.extend(before.difference(&after).map(|table| format!("-      {}", fenced(table))));
            lines.extend(after.difference(&before).map(|table| format!("+      {}", fenced(table))));
        }
        if let Some(transform) = transform(step) {
            let columns = columns::lines(transform, self.explain);
            lines.extend(columns.iter().map(|line| format!("       → {}", fenced(line))));
        }
        if self.explain {
            lines.extend(step.preconditions.iter().map(|c| format!("       if {}", fenced(&condition_text(c)))));
            lines.extend(step.sql.iter().map(|sql| format!("       {};", fenced(sql))));
            lines.extend(
                step.params.iter().enumerate().map(|(i, p)| format!("       ${} = {}", i + 1, fenced(&p.shown))),
            );
            lines.extend(waits(step).iter().map(|(when, sql)| format!("       {when}: {};", fenced(sql))));
        }
        lines
    }
}

/// One line that cannot end the fence it stands in.
fn fenced(text: &str) -> String {
    super::style::plain(text).replace('\n', " ").replace("```", "'''")
}

fn length(lines: &[String]) -> usize {
    lines.iter().map(|line| line.len() + 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(text("<b> a_b |x| @all"), r"&lt;b> a\_b \|x\| \@all");
        assert_eq!(text("`a_b` a_b"), r"`a_b` a\_b");
        assert_eq!(text("a`b <b>"), r"a\`b &lt;b>");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(fenced("a\n```b"), "a '''b");
        assert_eq!(diff_line("~ x"), "! x");
    }
}
