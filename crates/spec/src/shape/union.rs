//! Maps that come in several kinds, told apart by the keys that only one kind needs: references, stores, strategies.

use transship_model::{Finding, SpecPath};

use super::{MapRule, Shape};
use crate::node::Node;
use crate::report::Report;
use crate::suggest;

impl Shape {
    /// The kind of map that `node` is; reported and `None` if that cannot be told.
    pub(super) fn choose(&self, node: &Node, path: &SpecPath, report: &mut Report) -> Option<&MapRule> {
        if let [single] = &self.maps[..] {
            return Some(single);
        }
        let marks = self.marks();
        let present: Vec<(usize, &str)> = marks.iter().copied().filter(|(_, mark)| node.get(mark).is_some()).collect();
        match &present[..] {
            [(rule, _)] => Some(&self.maps[*rule]),
            [] => {
                self.none(node, &marks, path, report);
                None
            }
            [(_, first), others @ ..] => {
                let others = others.iter().map(|(_, mark)| *mark);
                several(std::iter::once(*first).chain(others), path, report);
                None
            }
        }
    }

    /// No kind can be told: every key that no kind knows is unknown; if there is none, the telling one is missing.
    fn none(&self, node: &Node, marks: &[(usize, &str)], path: &SpecPath, report: &mut Report) {
        let names = || marks.iter().map(|(_, mark)| *mark);
        let is_unknown = |key: &String| !self.maps.iter().any(|rule| rule.known.contains_key(key));
        let unknown: Vec<_> = node.entries().iter().filter(|entry| is_unknown(&entry.key)).collect();
        if unknown.is_empty() {
            let message = format!("exactly one of {} must stand here", suggest::list(names()));
            report.push(
                Finding::error("spec::missing-key", message)
                    .at_key(path.clone())
                    .help("write one of them with its settings"),
            );
        }
        for entry in unknown {
            report.push(
                Finding::error("spec::unknown-key", format!("unknown key `{}`", entry.key))
                    .at_key(path.key(&entry.key))
                    .help(suggest::help(&entry.key, "exactly one of these must stand here", names())),
            );
        }
    }

    /// The key that tells each alternative from the others.
    pub(super) fn marks(&self) -> Vec<(usize, &str)> {
        let is_common = |key: &String| self.maps.iter().all(|rule| rule.known.contains_key(key));
        let own = |rule: &'_ MapRule| rule.required.iter().find(|key| !is_common(key)).cloned();
        (self.maps.iter().enumerate())
            .filter_map(|(i, rule)| {
                let mark = own(rule)?;
                rule.required.iter().find(|key| **key == mark).map(|key| (i, key.as_str()))
            })
            .collect()
    }
}

fn several<'a>(marks: impl Iterator<Item = &'a str>, path: &SpecPath, report: &mut Report) {
    let marks: Vec<&str> = marks.collect();
    let finding = Finding::error("spec::exactly-one-of", format!("{} exclude each other", suggest::list(&marks)))
        .at_key(path.key(marks[0]))
        .help("keep exactly one of them");
    report.push(marks[1..].iter().fold(finding, |finding, mark| finding.related(path.key(mark), "and here")));
}
