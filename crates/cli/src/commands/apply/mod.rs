//! `transship apply`: does what the plan says, be it the plan of a workspace made now or one that was saved.

mod execute;
mod follow;
pub(crate) mod locked;
mod resume;
pub mod stale;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use transship_apply::{Locks, SystemClock};
use transship_model::plan::Plan;
use transship_model::{Finding, FlowId, Name};
use transship_plan::{PlanOptions, Planned};
use transship_spec::Resolved;

use super::json_out;
use crate::args::{ApplyArgs, BasicFormat, EnvironmentArgs};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::file;
use crate::interrupt::unless_interrupted;
use crate::pipeline::{self, SavedPlan, Seen, Workspace};
use crate::term::Term;
use crate::view::applied::Applied;
use crate::view::{Human, Json, PlanShown, View as _, clusters};

use locked::{Wanted, locked};

/// Plans, asks, runs.
pub async fn run(args: &ApplyArgs, term: &Term) -> Result<Exit, CommandError> {
    let extension = args.path.extension().and_then(OsStr::to_str).unwrap_or_default();
    if extension == "json" || (args.path.is_file() && !["yaml", "yml"].contains(&extension)) {
        if args.resume.is_some() {
            let help = "give the workspace: what is left is planned anew, with the options of that run";
            return Err(CommandError::usage("a saved plan cannot be resumed", help));
        }
        if args.follow {
            let help = "give the workspace: each round is planned anew";
            return Err(CommandError::usage("a saved plan cannot be followed", help));
        }
        return Box::pin(saved(args, term)).await;
    }
    if args.follow {
        return Box::pin(follow::follow(args, term)).await;
    }
    Box::pin(of_workspace(args, term)).await
}

/// So often a plan that nobody had to approve is made under locks, when the clusters change meanwhile: a target lets go of
/// a dropped table by itself, for example.
const PLANS: usize = 3;

async fn of_workspace(args: &ApplyArgs, term: &Term) -> Result<Exit, CommandError> {
    if !args.auto_approve && !term.can_ask() {
        let help =
            "give --auto-approve, or review a plan first: transship plan -o plan.json, then transship apply plan.json";
        return Err(CommandError::usage("nobody is there to approve the plan", help));
    }
    let options = unless_interrupted(resume::options(args, term)).await?;
    let workspace = Workspace::load(&args.path, &args.environment, term)?;
    let (seen, planned) = unless_interrupted(plan(workspace, &options, term)).await?;
    show(args, &planned, &seen, term);
    if let Some(exit) = ends_here(args, &planned.plan, term)? {
        return Ok(exit);
    }
    if !args.auto_approve
        && !unless_interrupted(async { Ok(approved(&seen.workspace, &planned.plan, term).await) }).await?
    {
        term.note("Nothing was changed.");
        return Ok(Exit::Cancelled);
    }
    let (clusters, mut flows) = (clusters(&seen.input.observation), Locks::wanted_by(&planned.plan));
    for attempt in 1..=PLANS {
        let wanted = Wanted {
            workspace: &seen.workspace,
            resolved: &seen.resolved,
            clusters: &clusters,
            flows: &flows,
            timeout: args.lock_timeout,
            round_of: None,
        };
        let ended = locked(wanted, term, async |locks, clock| {
            plan_and_run(args, (&planned.plan, &options), (locks, clock), term).await
        });
        match ended.await {
            Ok(Locked::Ended(exit)) => return Ok(exit),
            Ok(Locked::Needs(more)) if attempt < PLANS => flows.extend(more),
            Ok(Locked::Needs(_)) => break,
            Err(error) if args.auto_approve && error.exit == Exit::Stale && attempt < PLANS => {
                term.note("The clusters changed while they were looked at: planning again.");
            }
            Err(error) => return Err(error),
        }
    }
    let message = "other flows have work each time that it is planned again";
    let finding =
        Finding::error("apply::stale", message).help("nothing was changed; apply again once less is changing");
    Err(CommandError::new(Exit::Stale, finding))
}

/// What came of planning again under locks.
enum Locked {
    /// It is over.
    Ended(Exit),
    /// There is work for these flows, too.
    Needs(BTreeSet<(Name, FlowId)>),
}

/// Plans again, now that nobody else works on these flows, and runs that plan if it is the one that was approved, or
/// nobody had to.
async fn plan_and_run(
    args: &ApplyArgs,
    (before, options): (&Plan, &PlanOptions),
    locks: (&Locks<'_>, SystemClock),
    term: &Term,
) -> Result<Locked, CommandError> {
    let (seen, mut planned) =
        unless_interrupted(async { plan(Workspace::reload(&args.path, &args.environment)?, options, term).await })
            .await?;
    let is_known = is_same(before, &planned.plan);
    if !args.auto_approve && !is_known && !planned.plan.is_empty() {
        let plan = stale::check(before, &planned.plan)?;
        for line in stale::due_since(before, &plan, &planned.plan) {
            term.note(&line);
        }
        planned.plan = plan;
    } else if !is_known {
        term.note("There is another plan now that the locks are held: others were at work.");
        show(args, &planned, &seen, term);
    }
    if let Some(exit) = ends_here(args, &planned.plan, term)? {
        return Ok(Locked::Ended(exit));
    }
    let flows = Locks::wanted_by(&planned.plan);
    if !locks.0.cover(&flows) {
        return Ok(Locked::Needs(flows));
    }
    run_text(args, &file::json(&planned.plan), &seen, locks, term).await.map(Locked::Ended)
}

/// Whether one plan is the other, estimates aside.
fn is_same(before: &Plan, now: &Plan) -> bool {
    let due = |plan: &Plan| plan.due.iter().map(|due| due.digest.clone()).collect::<Vec<_>>();
    before.digest == now.digest && due(before) == due(now)
}

async fn plan(workspace: Workspace, options: &PlanOptions, term: &Term) -> Result<(Seen, Planned), CommandError> {
    let seen = pipeline::live(workspace, options.clone(), term).await?;
    let planned = seen.plan()?;
    Ok((seen, planned))
}

async fn saved(args: &ApplyArgs, term: &Term) -> Result<Exit, CommandError> {
    let saved = pipeline::read_plan(&args.path)?;
    let environment = environment_of(args, &saved.plan)?;
    if !saved.intact {
        return Err(stale::edited(&args.path));
    }
    let workspace = workspace_of(&saved.plan, &environment, term)?;
    let resolved = workspace.resolve(term)?;
    let wanted = Wanted {
        workspace: &workspace,
        resolved: &resolved,
        clusters: &saved.plan.clusters,
        flows: &locks_of(&saved.plan, &resolved),
        timeout: args.lock_timeout,
        round_of: None,
    };
    locked(wanted, term, async |locks, clock| check_and_run(args, &saved, &environment, (locks, clock), term).await)
        .await
}

/// The locks that a saved plan needs; none where it cannot run anyway, which is found out then.
fn locks_of(plan: &Plan, resolved: &Resolved) -> BTreeSet<(Name, FlowId)> {
    let flows = Locks::wanted_by(plan);
    let is_known = flows.iter().all(|(cluster, _)| resolved.access.contains_key(cluster));
    if plan.is_blocked() || !is_known { BTreeSet::new() } else { flows }
}

async fn check_and_run(
    args: &ApplyArgs,
    saved: &SavedPlan,
    environment: &EnvironmentArgs,
    locks: (&Locks<'_>, SystemClock),
    term: &Term,
) -> Result<Exit, CommandError> {
    let (seen, Planned { plan: fresh, report }) =
        unless_interrupted(plan_again(args, saved, environment, term)).await?;
    let plan = stale::check(&saved.plan, &fresh)?;
    for line in stale::due_since(&saved.plan, &plan, &fresh) {
        term.note(&line);
    }
    let text = if plan == saved.plan { saved.text.clone() } else { file::json(&plan) };
    let planned = Planned { plan, report };
    show(args, &planned, &seen, term);
    if let Some(exit) = ends_here(args, &planned.plan, term)? {
        return Ok(exit);
    }
    run_text(args, &text, &seen, locks, term).await
}

/// The environment of the plan; another one on the command line is a mistake.
fn environment_of(args: &ApplyArgs, plan: &Plan) -> Result<EnvironmentArgs, CommandError> {
    let given = args.environment.env.as_ref();
    if given.is_some() && given != plan.env.as_ref() {
        let made = plan.env.as_ref().map_or_else(|| "no environment".to_owned(), |env| format!("environment {env}"));
        return Err(CommandError::usage(format!("the plan was made for {made}"), "leave --env out: the plan knows it"));
    }
    Ok(EnvironmentArgs { env: plan.env.clone(), allow_roots: args.environment.allow_roots.clone() })
}

async fn plan_again(
    args: &ApplyArgs,
    saved: &SavedPlan,
    environment: &EnvironmentArgs,
    term: &Term,
) -> Result<(Seen, Planned), CommandError> {
    let workspace = Workspace::reload(Path::new(&saved.plan.spec.path), environment)?;
    let options = pipeline::options_of(&saved.plan, &pipeline::plan_options(&args.scope));
    let seen = pipeline::live(workspace, options, term).await?;
    let planned = seen.plan().map_err(stale::refused)?;
    Ok((seen, planned))
}

/// The workspace that a plan was made from, by its path as it was given then.
fn workspace_of(plan: &Plan, environment: &EnvironmentArgs, term: &Term) -> Result<Workspace, CommandError> {
    let path = Path::new(&plan.spec.path);
    match Workspace::load(path, environment, term) {
        Ok(workspace) if workspace.loaded.spec.workspace == plan.workspace => Ok(workspace),
        Err(error) if error.findings.iter().all(|finding| finding.code != "spec::no-workspace") => Err(error),
        Ok(_) | Err(_) => Err(elsewhere(plan, path)),
    }
}

fn elsewhere(plan: &Plan, path: &Path) -> CommandError {
    let message =
        format!("the plan was made from workspace {} in `{}`, which is not there", plan.workspace, path.display());
    let help = if path.is_absolute() {
        "put the workspace there, or plan again"
    } else {
        "this path is relative to the directory where the plan was made: run `transship apply` there"
    };
    CommandError::new(Exit::Error, Finding::error("cli::no-workspace", message).help(help))
}

fn show(args: &ApplyArgs, planned: &Planned, seen: &Seen, term: &Term) {
    if args.format == BasicFormat::Human {
        let observation = Some(&seen.input.observation);
        let shown = PlanShown { plan: &planned.plan, report: Some(&planned.report), observation };
        term.result(&human(args, term).render(&shown));
    }
}

fn human(args: &ApplyArgs, term: &Term) -> Human {
    Human { width: term.width(), verbose: term.verbose(), explain: args.explain }
}

/// How the command ends where nothing is to be run: blocked, or nothing to do.
fn ends_here(args: &ApplyArgs, plan: &Plan, term: &Term) -> Result<Option<Exit>, CommandError> {
    if !plan.is_blocked() && !plan.is_empty() {
        return Ok(None);
    }
    let applied = Applied::without_a_run(plan);
    if args.format == BasicFormat::Json {
        term.result(&Json.render(&applied));
    }
    json_out(args.json_out.as_deref(), &Json.render(&applied), term)?;
    Ok(Some(Exit::Blocked.when(plan.is_blocked()).and(unjudged(plan))))
}

/// Flows that could not be judged keep an apply from being a plain success.
fn unjudged(plan: &Plan) -> Exit {
    Exit::Error.when(!plan.unseen.is_empty())
}

async fn approved(workspace: &Workspace, plan: &Plan, term: &Term) -> bool {
    let clusters: Vec<_> = plan.clusters.keys().map(ToString::to_string).collect();
    let destructive = match plan.destructive().count() {
        0 => String::new(),
        1 => " One of its steps drops something.".to_owned(),
        n => format!(" {n} of its steps drop something."),
    };
    let question = format!("Apply this plan of {} to {}?{destructive}", workspace.title(), clusters.join(", "));
    term.ask(&question).await
}

/// Runs a plan from its text, so that what was reviewed is what runs.
async fn run_text(
    args: &ApplyArgs,
    text: &str,
    seen: &Seen,
    locks: (&Locks<'_>, SystemClock),
    term: &Term,
) -> Result<Exit, CommandError> {
    let plan = transship_apply::read_plan(text).map_err(CommandError::from)?;
    let applied = execute::execute(&plan, seen, locks, args.timeout, (term, true)).await?;
    match args.format {
        BasicFormat::Human => term.result(&human(args, term).render(&applied)),
        BasicFormat::Json => term.result(&Json.render(&applied)),
    }
    json_out(args.json_out.as_deref(), &Json.render(&applied), term)?;
    Ok(applied.exit().and(unjudged(&plan)))
}
