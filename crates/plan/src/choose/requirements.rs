//! What a strategy needs of a flow, and which of it holds: the findings of its own planner, sorted by what they are about.

use std::fmt;

use transship_model::observed::Observed;
use transship_model::spec::Instance;
use transship_model::spec::way::Way;
use transship_model::{Finding, Name};

use super::candidates::Candidate;
use super::evidence::Evidence;
use crate::input::PlanInput;

/// One thing that a strategy needs, and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// What it is about.
    pub subject: Subject,
    /// Whether it holds.
    pub state: State,
    /// What was seen, or what is wrong.
    pub text: String,
    /// The code of what is wrong.
    pub code: Option<&'static str>,
    /// What to do about it.
    pub help: Option<String>,
}

/// Whether something that is needed holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It does not hold.
    Fails,
    /// Nothing that can be read tells; it will show.
    Open,
    /// It was not looked at.
    Unjudged,
    /// It holds.
    Holds,
}

/// What a requirement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The keys of the flow, and its needs.
    Declaration,
    /// How the flow was made.
    History,
    /// The network from target to source.
    Network,
    /// The store between them.
    Store,
    /// The versions of the clusters.
    Versions,
    /// What the connected users may do.
    Privileges,
    /// The tables on the source.
    Source,
    /// Columns and their types.
    Columns,
    /// What is on the target.
    Target,
    /// Publications, subscriptions and repositories of the flow's names.
    Objects,
    /// The other flows.
    Flows,
    /// Anything else.
    Else,
}

impl Subject {
    /// The word that views use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declaration => "declaration",
            Self::History => "history",
            Self::Network => "network",
            Self::Store => "store",
            Self::Versions => "versions",
            Self::Privileges => "privileges",
            Self::Source => "source",
            Self::Columns => "columns",
            Self::Target => "target",
            Self::Objects => "objects",
            Self::Flows => "flows",
            Self::Else => "else",
        }
    }

    /// What a finding of a planner is about.
    fn of(code: &str) -> Self {
        match code.trim_start_matches("plan::") {
            "not-available-yet" | "needs-clusters" => Self::Declaration,
            "moved" => Self::History,
            "store-unknown" | "store-unfit" | "read-only-store" | "store-unreachable" => Self::Store,
            "source-newer" | "newer-source" => Self::Versions,
            "missing-privilege" | "needs-superuser" | "no-such-subscriber" | "no-privilege" => Self::Privileges,
            "no-such-table" | "no-match" | "source-subscribed" | "source-closed" | "not-defined"
            | "not-partitioned" | "partition-columns" | "null-partition" | "no-such-partition" => Self::Source,
            "other-type"
            | "unknown-type"
            | "bad-expression"
            | "export-bends"
            | "export-computes"
            | "no-such-column"
            | "missing-column"
            | "generated-column"
            | "overwrites-more"
            | "unfit-name"
            | "sensitive-partition" => Self::Columns,
            "target-exists" | "target-subscribed" | "target-closed" | "target-published" | "in-the-way" | "edited"
            | "replaces-more" | "doubles-rows" | "append-unfinished" | "no-primary-key" | "left-followed"
            | "not-a-table" | "other-definition" | "partitions-by-view" => Self::Target,
            "name-taken" | "no-repository" | "unmanaged" | "renamed" | "all-tables" | "adopts-more" => Self::Objects,
            "two-writers" | "cycle" | "same-cluster-name" | "failed-subscription" => Self::Flows,
            _ => Self::Else,
        }
    }

    /// Those that a planner looks at, for one way.
    const fn judged_by_planner(way: Way) -> &'static [Self] {
        match way {
            Way::Replication | Way::Detach | Way::Snapshot => &[
                Self::Versions,
                Self::Privileges,
                Self::Source,
                Self::Columns,
                Self::Target,
                Self::Objects,
                Self::Flows,
            ],
            _ => &[Self::Privileges, Self::Source, Self::Columns, Self::Target, Self::Flows],
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a planner finds when it looks at everything. One that finds something else may have gone no further: what it would
/// have looked at next is not known then.
const LAST: [&str; 36] = [
    "plan::adopts-more",
    "plan::all-tables",
    "plan::append-unfinished",
    "plan::cycle",
    "plan::doubles-rows",
    "plan::edited",
    "plan::export-bends",
    "plan::export-computes",
    "plan::failed-subscription",
    "plan::generated-column",
    "plan::in-the-way",
    "plan::left-followed",
    "plan::missing-column",
    "plan::missing-privilege",
    "plan::name-taken",
    "plan::needs-superuser",
    "plan::newer-source",
    "plan::no-primary-key",
    "plan::no-repository",
    "plan::no-such-subscriber",
    "plan::other-definition",
    "plan::other-type",
    "plan::overwrites-more",
    "plan::read-only-store",
    "plan::renamed",
    "plan::replaces-more",
    "plan::same-cluster-name",
    "plan::sensitive-partition",
    "plan::source-newer",
    "plan::source-subscribed",
    "plan::store-unreachable",
    "plan::target-closed",
    "plan::target-exists",
    "plan::target-published",
    "plan::target-subscribed",
    "plan::unmanaged",
];

/// How far a planner came.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Judgement {
    /// It was not asked, since the declaration rules the strategy out.
    NotAsked,
    /// It could not judge the flow; why.
    Unseen(String),
    /// The flow is as declared: nothing is to be done, and nothing was looked at for it.
    Settled,
    /// It would plan the flow.
    Possible,
    /// It would refuse it.
    Refused(Vec<Finding>),
}

/// What the candidate needs, in the order of the subjects.
pub(super) fn of(
    input: &PlanInput,
    instances: &[Instance<'_>],
    candidate: &Candidate,
    judgement: &Judgement,
    evidence: &[Evidence],
) -> Vec<Requirement> {
    let mut all = declaration(candidate);
    all.extend(evidence.iter().filter_map(|evidence| shown(candidate, evidence)));
    let findings = match judgement {
        Judgement::Refused(findings) => findings.as_slice(),
        _ => &[],
    };
    all.extend(findings.iter().map(failing));
    for subject in Subject::judged_by_planner(candidate.way) {
        if all.iter().any(|it| it.subject == *subject) || matches!(judgement, Judgement::NotAsked) {
            continue;
        }
        let (state, text) = match unjudged(candidate.way, judgement, *subject) {
            Some(why) => (State::Unjudged, why),
            None => holding(input, instances, *subject),
        };
        all.push(Requirement { subject: *subject, state, text, code: None, help: None });
    }
    all.sort_by_key(|it| it.subject);
    all
}

fn declaration(candidate: &Candidate) -> Vec<Requirement> {
    let requirement = |state, text: &str| Requirement {
        subject: Subject::Declaration,
        state,
        text: text.to_owned(),
        code: None,
        help: None,
    };
    if candidate.unfit.is_empty() {
        return vec![requirement(State::Holds, "what the flow asks for goes with it")];
    }
    candidate.unfit.iter().map(|reason| requirement(State::Fails, reason)).collect()
}

/// What is known of network and store.
fn shown(candidate: &Candidate, evidence: &Evidence) -> Option<Requirement> {
    let subject = if candidate.store().is_some() { Subject::Store } else { Subject::Network };
    let (state, text) = match evidence {
        Evidence::Needless => return None,
        Evidence::Shown(what) => (State::Holds, what.clone()),
        Evidence::Declared(what) | Evidence::Open(what) => (State::Open, format!("still to be shown: {what}")),
    };
    Some(Requirement { subject, state, text, code: None, help: None })
}

fn failing(finding: &Finding) -> Requirement {
    Requirement {
        subject: Subject::of(finding.code),
        state: State::Fails,
        text: finding.message.clone(),
        code: Some(finding.code),
        help: finding.help.clone(),
    }
}

/// Why a planner did not get to look at a subject.
fn unjudged(way: Way, judgement: &Judgement, subject: Subject) -> Option<String> {
    match judgement {
        Judgement::NotAsked | Judgement::Possible => None,
        Judgement::Unseen(why) => Some(why.clone()),
        Judgement::Settled => Some("the flow is as declared: nothing is asked of it".to_owned()),
        Judgement::Refused(findings) => {
            let early = findings.iter().any(|finding| !LAST.contains(&finding.code));
            // What a replication needs is looked at once nothing else forbids the copy.
            let later = way == Way::Detach && matches!(subject, Subject::Versions | Subject::Objects);
            (early || later).then(|| "not looked at, for what is said here".to_owned())
        }
    }
}

/// What was seen where nothing is wrong.
fn holding(input: &PlanInput, instances: &[Instance<'_>], subject: Subject) -> (State, String) {
    let ends = ends(input, instances);
    let holds = |text: &str| (State::Holds, text.to_owned());
    match subject {
        Subject::Versions => (State::Holds, versions(&ends)),
        Subject::Privileges => privileges(&ends),
        Subject::Source => holds("its tables are there, and can be read"),
        Subject::Columns => holds("every column arrives as it is declared"),
        Subject::Target => holds("nothing on the target is in the way"),
        Subject::Objects => holds("the names of its objects are free, or its own"),
        Subject::Flows => holds("no other flow stands against it"),
        Subject::Declaration | Subject::History | Subject::Network | Subject::Store | Subject::Else => holds(""),
    }
}

/// The clusters at the ends of a flow, each once.
fn ends<'a>(input: &'a PlanInput, instances: &[Instance<'a>]) -> Vec<(&'a Name, &'a Observed)> {
    let mut all: Vec<(&Name, &Observed)> = Vec::new();
    for name in instances.iter().flat_map(|instance| [instance.from, instance.to]).flatten() {
        let seen = input.observed(name).filter(|_| !all.iter().any(|(known, _)| *known == name));
        all.extend(seen.map(|seen| (name, seen)));
    }
    all
}

fn versions(ends: &[(&Name, &Observed)]) -> String {
    let all: Vec<String> = ends.iter().map(|(name, seen)| format!("{name} runs CrateDB {}", seen.version)).collect();
    all.join(", ")
}

/// A privilege that nobody can see is not known to be missing, and not known to be there.
fn privileges(ends: &[(&Name, &Observed)]) -> (State, String) {
    let knows = |seen: &Observed| seen.superuser == Some(true) || (seen.users.is_some() && seen.privileges.is_some());
    let users = |known: bool| -> Vec<String> {
        let those = ends.iter().filter(|(_, seen)| knows(seen) == known);
        those.map(|(name, seen)| format!("`{}` on {name}", seen.user)).collect()
    };
    let unknown = users(false);
    if unknown.is_empty() {
        return (State::Holds, format!("nothing is missing for {}", users(true).join(", ")));
    }
    (State::Open, format!("still to be shown: what {} may do cannot be seen", unknown.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_sorted_by_what_they_are_about() {
        for (code, subject) in [
            ("plan::needs-superuser", Subject::Privileges),
            ("plan::in-the-way", Subject::Target),
            ("plan::moved", Subject::History),
            ("plan::something-new", Subject::Else),
        ] {
            assert_eq!(Subject::of(code), subject, "{code}");
        }
    }
}
