//! One case: a workspace, loaded and planned, and planned again over what its plan makes.

use std::env::VarError;
use std::fmt;
use std::path::{Path, PathBuf};

use transship_model::observed::Observation;
use transship_plan::{
    PlanInput, PlanOptions, audit, explain, plan, project, stores_wanted, survey, wanted, wanted_stores,
};
use transship_spec::{LoadOptions, Variables, load, resolve};

use super::files::{File, VARIABLES, tame, wild};
use super::{mutate, seen, tell};
use crate::random::Random;

/// The folder whose files are those of the case at hand.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        Self(std::env::temp_dir().join(format!("transship-fuzz-{}", std::process::id())))
    }

    fn fill(&self, files: &[File]) {
        fs_err::remove_dir_all(&self.0).ok();
        fs_err::create_dir_all(&self.0).expect("a folder");
        for (name, text) in files {
            let path = self.0.join(name);
            fs_err::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs_err::write(path, text).expect("a file");
        }
    }

    /// All files, one after the other.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for folder in [self.0.clone(), self.0.join("environments")] {
            for entry in fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
                let found = fs_err::read_to_string(entry.path()).unwrap_or_default();
                text += &format!("--- {}\n{}\n", entry.path().display(), found.get(..4_000).unwrap_or(&found));
            }
        }
        text
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs_err::remove_dir_all(&self.0).ok();
    }
}

/// How far a case came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    NotLoaded,
    NotResolved,
    Refused,
    Planned { steps: bool },
}

/// How far the cases came.
#[derive(Debug, Default)]
pub(super) struct Tally {
    refused_files: usize,
    refused: usize,
    empty: usize,
    planned: usize,
}

impl Tally {
    pub(super) fn add(&mut self, came: Came) {
        *match came {
            Came::NotLoaded | Came::NotResolved => &mut self.refused_files,
            Came::Refused => &mut self.refused,
            Came::Planned { steps: false } => &mut self.empty,
            Came::Planned { steps: true } => &mut self.planned,
        } += 1;
    }

    /// Whether every part of the program was reached by many.
    pub(super) fn is_worth_it(&self) -> bool {
        let all = self.refused_files + self.refused + self.empty + self.planned;
        [self.refused_files, self.refused, self.planned].into_iter().all(|count| count * 20 > all)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refused_files, refused, empty, planned } = self;
        write!(f, "{refused_files} not loaded, {refused} refused, {empty} empty plans, {planned} plans")
    }
}

/// The variables that workspaces name, and a URL for each that only an example knows.
struct Given;

impl Variables for Given {
    fn get(&self, name: &str) -> Result<String, VarError> {
        let known = VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        known
            .or_else(|| name.ends_with("_URL").then(|| format!("postgres://u@{}/", name.to_lowercase())))
            .ok_or(VarError::NotPresent)
    }
}

/// Does the case of a number.
pub(super) fn case(folder: &Folder, seed: u64, number: usize, is_told: bool) -> Came {
    let mut random = Random::new(seed.wrapping_add((number as u64).wrapping_mul(0x9e37_79b9)));
    let mut files = match random.below(20) {
        0 | 1 => example(&mut random),
        2..6 => wild(&mut random),
        _ => tame(&mut random),
    };
    if random.chance(35) {
        let at = random.below(files.len());
        files[at].1 = mutate::text(&files[at].1, &mut random);
    }
    folder.fill(&files);
    if is_told {
        tell(&folder.text());
    }
    let environment = files.iter().any(|(name, _)| name.starts_with("environments/"));
    let options = LoadOptions {
        directory: folder.0.clone(),
        environment: environment.then(|| "dev".parse().expect("a name")),
        allow_roots: Vec::new(),
    };
    let loaded = match load(&options) {
        Ok(loaded) => loaded,
        Err(error) => {
            if is_told {
                tell(&format!("{:#?}", error.findings));
            }
            return Came::NotLoaded;
        }
    };
    let resolved = match resolve(&loaded, &options, &Given) {
        Ok(resolved) => resolved,
        Err(findings) => {
            if is_told {
                tell(&format!("{findings:#?}"));
            }
            return Came::NotResolved;
        }
    };
    let observation = seen::observation(&loaded.spec, &mut random);
    let input = PlanInput {
        spec: loaded.spec,
        index: loaded.index,
        files: loaded.files,
        endpoints: resolved.access.iter().map(|(name, access)| (name.clone(), access.endpoint.clone())).collect(),
        stores: resolved.stores.iter().map(|(name, access)| (name.clone(), access.location.clone())).collect(),
        now: seen::moment(),
        observation,
        tool_version: "0.0.0".to_owned(),
        options: PlanOptions::default(),
    };
    if is_told {
        tell(&format!("{:#?}", survey(&input).findings));
    }
    planned(input, &mut random)
}

/// Plans over what is seen, over something else, and over what the plan makes of it.
fn planned(mut input: PlanInput, random: &mut Random) -> Came {
    if random.chance(70) {
        input.options.allow_drop = vec!["table:*".parse().expect("a consent"), "rows:*".parse().expect("a consent")];
    }
    let came = once(&input, true);
    for _ in 0..2 {
        let observation = seen::otherwise(&input.observation, random);
        once(&PlanInput { observation, ..input.clone() }, false);
    }
    let Ok(first) = plan(&input) else { return came };
    let made = project(&input, &first.plan);
    let again = |observation: Observation| PlanInput { observation, ..input.clone() };
    match plan(&again(made.clone())) {
        Ok(second) => {
            let steps = second.plan.all_steps().count();
            assert_eq!(steps, 0, "a plan over what a plan has made: {:?}", second.plan);
        }
        // A table that is made of chosen partitions alone is projected without them.
        Err(findings) if findings.iter().all(|finding| finding.code == "plan::other-partitions") => {}
        Err(findings) => panic!("refused after its own plan: {findings:?}"),
    }
    once(&again(seen::otherwise(&made, random)), false);
    let mut gone = again(made);
    gone.spec.flows.pop_first();
    once(&gone, true);
    came
}

/// Everything that is asked of the planner; whatever it plans is text that can be read back, and passes the audit. Over
/// what no server says, such as half a definition, the audit may find what is not to be run.
fn once(input: &PlanInput, is_possible: bool) -> Came {
    let _ = (wanted(input), wanted_stores(input), stores_wanted(input));
    let found = survey(input);
    let violations = audit(&found.planned.plan);
    assert!(violations.is_empty() || !is_possible, "{violations:?} {:?}", found.planned.plan);
    if let Some(flow) = input.spec.flows.keys().next() {
        let _ = explain(input, flow);
    }
    let text = serde_json::to_string(&found.planned.plan).expect("a plan is text");
    assert_eq!(serde_json::from_str::<transship_model::plan::Plan>(&text).expect("and back"), found.planned.plan);
    if !found.findings.is_empty() {
        return Came::Refused;
    }
    Came::Planned { steps: found.planned.plan.all_steps().next().is_some() }
}

/// The files of one of the examples.
fn example(random: &mut Random) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs");
    let name = random.pick(&["handover", "quickstart", "replication", "shop-sync"]);
    let mut files: Vec<File> = fs_err::read_dir(root.join(name))
        .expect("the examples are there")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "yaml"))
        .map(|entry| {
            let text = fs_err::read_to_string(entry.path()).expect("a file");
            (entry.file_name().to_string_lossy().into_owned(), text)
        })
        .collect();
    files.sort();
    files
}
