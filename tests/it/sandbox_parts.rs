//! Jobs that share a workspace by `--only-flows`, between two sandbox clusters.

use std::time::Duration;

use transship_model::Name;
use transship_model::plan::Part;

use crate::real::{Outcome, Running, Transship, Workspace, wait_until};
use crate::sandbox::Pair;
use crate::sandbox_command::{COPY, with_programs};

const SOURCE: &str = "
    CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
    INSERT INTO shop.people (id, name) VALUES (1, 'Ada'), (2, 'Bea');
    CREATE TABLE shop.other (id INTEGER PRIMARY KEY) WITH (number_of_replicas = 0);
    INSERT INTO shop.other (id) VALUES (1); REFRESH TABLE shop.people, shop.other";

/// How many jobs there are, and the names of three flows that are in a part each.
const JOBS: u32 = 3;

fn in_part(index: u32) -> String {
    let part: Part = format!("{index}/{JOBS}").parse().expect("a part");
    let mut names = (0..1000).map(|number| format!("flow-{number}"));
    names.find(|name| Part::of(&name.parse::<Name>().expect("a name"), JOBS) == part).expect("some name")
}

struct World {
    pair: Pair,
    workspace: Workspace,
}

impl World {
    /// The first flow copies people from shop to analytics when the file `go` is there, the second one what the first wrote
    /// back to shop, the third one after the second something else.
    fn new() -> Self {
        let (pair, workspace) = with_programs(SOURCE);
        let world = Self { pair, workspace };
        world.script("");
        world.workspace.write(
            "flows.yaml",
            &format!(
                "version: 1\nflows:\n  {}:\n    from: shop\n    to: analytics\n    tables: [shop.people]\n    \
                 strategy: {{ custom: {{ engine: command, run: [sh, etl.sh] }} }}\n    existing: replace\n    \
                 repeat: on-change\n  {}:\n    from: analytics\n    to: shop\n    tables: [{{ from: shop.people, to: back.people }}]\n    \
                 strategy: {{ custom: {{ engine: stream }} }}\n    existing: replace\n    repeat: on-change\n  {}:\n    \
                 from: shop\n    to: analytics\n    tables: [shop.other]\n    depends_on: [{}]\n    \
                 strategy: {{ custom: {{ engine: stream }} }}\n    existing: replace\n    repeat: on-change\n",
                in_part(1),
                in_part(2),
                in_part(3),
                in_part(2)
            ),
        );
        world
    }

    /// What the first flow does before it copies.
    fn script(&self, before: &str) {
        self.workspace.write("etl.sh", &format!("{before}\nexec {COPY}\n"));
    }

    fn waits_for_go(&self) {
        self.script("echo x > begun\nwhile [ ! -e go ]; do sleep 0.1; done");
    }

    fn has(&self, file: &str) -> bool {
        self.workspace.path().join(file).exists()
    }

    /// Everything was done once, and changes now.
    fn again() -> Self {
        let world = Self::new();
        let first = in_part(1);
        world.workspace.run(&["apply", "--auto-approve", "--target", &first]).expect(0);
        world.workspace.apply();
        world.workspace.is_settled();
        world.change();
        world
    }

    fn change(&self) {
        self.pair.sql("shop", "INSERT INTO shop.people (id, name) VALUES (3, 'Cyd')");
        self.pair.sql("shop", "INSERT INTO shop.other (id) VALUES (2); REFRESH TABLE shop.people, shop.other");
    }

    fn start(&self, index: u32, more: &[&str]) -> Running {
        let part = format!("{index}/{JOBS}");
        let all = ["apply", "--auto-approve", "--only-flows", &part];
        Transship::new(&self.workspace, &[&all, more].concat()).start()
    }

    fn job(&self, index: u32, more: &[&str]) -> Outcome {
        self.start(index, more).wait()
    }

    fn back(&self) -> i64 {
        self.pair.number("shop", "SELECT count(*) FROM back.people")
    }

    /// Whether a job says of a flow of the first part that it waits.
    fn waits(&self) -> bool {
        let runs = fs_err::read_dir(self.workspace.path().join(".transship/runs")).into_iter().flatten();
        let mut texts = runs.filter_map(|run| fs_err::read_to_string(run.ok()?.path()).ok());
        texts.any(|text| text.contains("waiting for ") && text.contains(&in_part(1)))
    }
}

const SOON: Duration = Duration::from_secs(60);

#[test]
fn three_jobs_at_once_do_what_one_run_would() {
    let world = World::again();
    world.waits_for_go();
    let jobs = [2, 3, 1].map(|index| world.start(index, &[]));
    wait_until("the first one is at it", SOON, || world.has("begun"));
    wait_until("the second one waits", SOON, || world.waits());
    assert_eq!(world.back(), 2);
    world.workspace.write("go", "");
    for job in jobs {
        let outcome = job.wait();
        assert_eq!(outcome.code, 0, "{}", outcome.all());
    }
    assert_eq!((world.back(), world.pair.number("analytics", "SELECT count(*) FROM shop.other")), (3, 2));
    world.workspace.is_settled();
}

#[test]
fn jobs_one_after_the_other_wait_for_nothing() {
    let world = World::again();
    for index in 1..=JOBS {
        let outcome = world.job(index, &[]).expect(0);
        assert!(!outcome.all().contains("wait-flows"), "{}", outcome.all());
    }
    assert_eq!(world.back(), 3);
    world.workspace.is_settled();
}

#[test]
fn a_job_that_fails_fails_who_waits_for_it_and_nobody_else_and_all_can_be_run_again() {
    let world = World::again();
    world.script("echo x > begun\nwhile [ ! -e go ]; do sleep 0.1; done\nexit 1");
    let (first, second) = (world.start(1, &[]), world.start(2, &[]));
    wait_until("the first one is at it", SOON, || world.has("begun"));
    wait_until("the second one waits", SOON, || world.waits());
    world.workspace.write("go", "");
    assert_eq!(first.wait().code, 7);
    let second = second.wait();
    assert_eq!(second.code, 7, "{}", second.all());
    assert!(second.all().contains("apply::awaited-failed"), "{}", second.all());
    assert_eq!(world.back(), 2, "what was there is there");
    world.script("");
    let again = [2, 1].map(|index| world.start(index, &[]));
    for job in again {
        let outcome = job.wait();
        assert_eq!(outcome.code, 0, "{}", outcome.all());
    }
    assert_eq!(world.back(), 3);
}

#[test]
fn a_job_that_is_killed_is_waited_for_until_it_is_run_again() {
    let world = World::again();
    world.waits_for_go();
    let (first, second) = (world.start(1, &[]), world.start(2, &[]));
    wait_until("the first one is at it", SOON, || world.has("begun"));
    wait_until("the second one waits", SOON, || world.waits());
    first.kill();
    world.workspace.run(&["unlock", "--flow", &in_part(1), "--auto-approve"]).expect(0);
    world.workspace.write("go", "");
    world.job(1, &[]).expect(0);
    let outcome = second.wait();
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    assert_eq!(world.back(), 3);
}

#[test]
fn a_job_that_is_killed_while_it_waits_is_run_again() {
    let world = World::again();
    world.waits_for_go();
    let (first, second) = (world.start(1, &[]), world.start(2, &[]));
    wait_until("the first one is at it", SOON, || world.has("begun"));
    wait_until("the second one waits", SOON, || world.waits());
    second.kill();
    world.workspace.run(&["unlock", "--flow", &in_part(2), "--auto-approve"]).expect(0);
    let second = world.start(2, &[]);
    world.workspace.write("go", "");
    assert_eq!((first.wait().code, second.wait().code), (0, 0));
    assert_eq!(world.back(), 3);
    world.job(3, &[]).expect(0);
    world.workspace.is_settled();
}

#[test]
fn a_job_that_never_comes_is_waited_for_no_longer_than_said() {
    let world = World::again();
    let outcome = world.job(2, &["--wait-timeout", "1s"]).expect(7);
    assert!(outcome.all().contains("apply::timed-out"), "{}", outcome.all());
    assert!(outcome.all().contains("which no run has begun"), "{}", outcome.all());
    assert_eq!(world.back(), 2);
}

#[test]
fn a_part_removes_nothing() {
    let world = World::again();
    world.workspace.apply();
    let flow = in_part(1);
    let text = format!(
        "version: 1\nflows:\n  {flow}:\n    from: shop\n    to: analytics\n    tables: [shop.people]\n    \
         strategy: {{ custom: {{ engine: command, run: [sh, etl.sh] }} }}\n    existing: replace\n    repeat: on-change\n"
    );
    world.workspace.write("flows.yaml", &text);
    for index in 1..=JOBS {
        world.job(index, &[]).expect(0);
    }
    let rows = || {
        let of = |cluster| world.pair.number(cluster, "SELECT count(*) FROM transship.flows");
        of("analytics") + of("shop")
    };
    assert_eq!(rows(), 3);
    world.workspace.apply();
    assert_eq!(rows(), 1, "a run of all flows forgets those that are gone");
}
