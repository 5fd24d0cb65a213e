//! Flows whose rows an external program moves, between two sandbox clusters.

use std::time::{Duration, Instant};

use serde_json::Value;
use transship_model::command::{CommandInput, CommandResult};

use crate::real::{Outcome, Transship, Workspace, wait_until};
use crate::sandbox::{PASSWORD, Pair};

/// The program that really copies.
pub(crate) const COPY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/commands/copy.py");

/// Where programs are found: the system's, before those that a developer has put before them.
pub(crate) const PATH: &str = "/usr/bin:/bin:/usr/local/bin";

const PEOPLE: &str = "
    CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT, active BOOLEAN) CLUSTERED INTO 2 SHARDS
      WITH (number_of_replicas = 0);
    INSERT INTO shop.people (id, name, active) VALUES (1, 'Ada', true), (2, NULL, true), (3, 'it''s', false);
    CREATE TABLE shop.parts (id INTEGER, month INTEGER, v TEXT) PARTITIONED BY (month)
      WITH (number_of_replicas = 0);
    INSERT INTO shop.parts (id, month, v) SELECT g, g % 3, 'v' FROM generate_series(1, 9) AS t(g);
    REFRESH TABLE shop.people, shop.parts";

/// Two clusters, of which the first has what `source` makes, and a workspace whose flows find programs.
pub(crate) fn with_programs(source: &str) -> (Pair, Workspace) {
    let pair = Pair::start();
    pair.sql("shop", source);
    let mut workspace = pair.workspace();
    workspace.variables.push(("PATH".to_owned(), PATH.to_owned()));
    (pair, workspace)
}

struct World {
    pair: Pair,
    workspace: Workspace,
}

impl World {
    fn new() -> Self {
        let (pair, workspace) = with_programs(PEOPLE);
        Self { pair, workspace }
    }

    /// Declares a flow `etl` of `tables` that runs a program.
    fn declare(&self, run: &str, tables: &str, more: &str) {
        let text = format!(
            "version: 1\nflows:\n  etl:\n    from: shop\n    to: analytics\n    tables: [{tables}]\n    \
             strategy: {{ custom: {{ engine: command, run: {run} }} }}\n    {more}\n"
        );
        self.workspace.write("flows.yaml", &text);
    }

    /// The same with a shell script beside the specs.
    fn script(&self, script: &str, more: &str) {
        self.workspace.write("etl.sh", script);
        self.declare("[sh, etl.sh]", "shop.people", more);
    }

    fn apply(&self) -> Outcome {
        self.workspace.run(&["apply", "--auto-approve"])
    }

    fn people(&self) -> String {
        let rows = self.pair.sql("analytics", "SELECT id, name FROM shop.people ORDER BY id").texts;
        let text = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "NULL".to_owned());
        rows.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
    }

    fn tables(&self) -> i64 {
        let of_shop = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'shop'";
        self.pair.number("analytics", of_shop)
    }

    /// What the only run has written to its log.
    fn log(&self) -> String {
        let runs = fs_err::read_dir(self.workspace.path().join(".transship/runs")).expect("there was a run");
        runs.map(|run| fs_err::read_to_string(run.expect("an entry").path()).expect("a log")).collect()
    }

    /// An apply that fails with `code` and leaves nothing under the target's name.
    #[track_caller]
    fn fails(&self, code: &str, text: &str) -> Outcome {
        let outcome = self.apply().expect(7);
        assert!(outcome.all().contains(code) && outcome.all().contains(text), "{}", outcome.all());
        assert_eq!(
            self.pair.number(
                "analytics",
                "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = 'people'"
            ),
            0
        );
        outcome
    }

    /// The next run does it all.
    #[track_caller]
    fn recovers(&self) {
        self.declare(&format!("[{COPY}]"), "shop.people", "existing: error");
        self.apply().expect(0);
        assert_eq!(self.people(), "1 Ada, 2 NULL, 3 it's");
        assert_eq!(self.tables(), 1, "nothing is left aside");
        self.workspace.is_settled();
    }
}

#[test]
fn a_program_fills_every_table_at_once_and_the_second_plan_is_empty() {
    let world = World::new();
    world.declare(&format!("[{COPY}]"), "shop.people, shop.parts", "existing: error");
    let planned = world.workspace.run(&["plan", "--detailed-exitcode", "--explain"]).expect(2);
    assert!(planned.all().contains("copy.py"), "{}", planned.all());
    assert!(!world.workspace.path().join(".transship").exists(), "a plan runs nothing");
    let applied = world.apply().expect(0);
    assert!(applied.all().contains("3 rows of shop.people"), "{}", applied.all());
    assert_eq!(world.people(), "1 Ada, 2 NULL, 3 it's");
    assert_eq!(world.pair.number("analytics", "SELECT count(*) FROM shop.parts WHERE month = 0"), 3);
    assert_eq!(world.tables(), 2);
    assert_eq!(world.log().matches("\"step-output\"").count(), 2);
    world.workspace.is_settled();
    world.workspace.run(&["drift"]).expect(0);
    let edited = format!("[{COPY}, --faster]");
    world.declare(&edited, "shop.people, shop.parts", "existing: error");
    assert!(world.workspace.run(&["plan"]).expect(1).all().contains("plan::edited"));
}

#[test]
fn rows_and_columns_are_told_to_the_program() {
    let world = World::new();
    let table = "{ from: shop.people, to: crm.persons, where: active, columns: { id: id, name: upper(name) } }";
    world.declare(&format!("[{COPY}]"), table, "existing: error");
    world.apply().expect(0);
    let rows = world.pair.sql("analytics", "SELECT id, name FROM crm.persons ORDER BY id").texts;
    assert_eq!(rows, [[Some("1".to_owned()), Some("ADA".to_owned())], [Some("2".to_owned()), None]]);
    world.workspace.is_settled();
}

#[test]
fn every_mode_of_existing_ends_as_it_should() {
    for (mode, key, expected) in [
        ("replace", "PRIMARY KEY", "1 Ada, 2 NULL, 3 it's"),
        ("replace\n    replace_by: view", "PRIMARY KEY", "1 Ada, 2 NULL, 3 it's"),
        ("upsert", "PRIMARY KEY", "1 Ada, 2 NULL, 3 it's, 9 theirs"),
        ("append", "", "1 old, 1 Ada, 2 NULL, 3 it's, 9 theirs"),
        ("skip", "PRIMARY KEY", "1 old, 9 theirs"),
    ] {
        let world = World::new();
        let there = format!(
            "CREATE TABLE shop.people (id INTEGER {key}, name TEXT, active BOOLEAN) WITH (number_of_replicas = 0);
             INSERT INTO shop.people (id, name) VALUES (1, 'old'), (9, 'theirs'); REFRESH TABLE shop.people"
        );
        world.pair.sql("analytics", &there);
        world.declare(&format!("[{COPY}]"), "shop.people", &format!("existing: {mode}"));
        world.apply().expect(0);
        let mut found: Vec<String> = world.people().split(", ").map(str::to_owned).collect();
        let mut expected: Vec<String> = expected.split(", ").map(str::to_owned).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{mode}");
        world.workspace.is_settled();
        assert!(mode.contains("view") || world.tables() == 1, "{mode}: nothing is left aside");
    }
}

#[test]
fn chosen_partitions_are_filled() {
    let world = World::new();
    let defined = "CREATE TABLE shop.parts (id INTEGER, month INTEGER, v TEXT) PARTITIONED BY (month)
        WITH (number_of_replicas = 0);
      INSERT INTO shop.parts (id, month, v) VALUES (100, 1, 'old'), (200, 2, 'old'); REFRESH TABLE shop.parts";
    world.pair.sql("analytics", defined);
    let table = "{ from: shop.parts, partitions: [{ month: 1 }] }";
    world.declare(&format!("[{COPY}]"), table, "existing: replace");
    world.workspace.run(&["apply", "--auto-approve", "--allow-drop", "rows:*"]).expect(0);
    let count =
        |month| world.pair.number("analytics", &format!("SELECT count(*) FROM shop.parts WHERE month = {month}"));
    assert_eq!((count(0), count(1), count(2)), (0, 3, 1));
    assert_eq!(world.tables(), 1);
    world.workspace.is_settled();
}

#[test]
fn what_is_on_change_is_run_again() {
    let world = World::new();
    world.declare(&format!("[{COPY}]"), "shop.people", "existing: replace\n    repeat: on-change");
    world.apply().expect(0);
    world.workspace.is_settled();
    world.pair.sql("shop", "INSERT INTO shop.people (id, name) VALUES (4, 'Dee'); REFRESH TABLE shop.people");
    world.workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
    world.apply().expect(0);
    assert_eq!(world.people(), "1 Ada, 2 NULL, 3 it's, 4 Dee");
    world.workspace.is_settled();
}

#[test]
fn the_document_and_the_environment_are_as_documented() {
    let world = World::new();
    let script =
        "cat > told.json\nenv | sort > environment.txt\necho \"$0 $*\" > arguments.txt\npwd > directory.txt\nexit 1\n";
    world.script(script, "existing: append");
    world.fails("apply::command-failed", "`sh` ended with 1");
    let told: Value = serde_json::from_str(&world.workspace.read("told.json")).expect("JSON");
    let schema: Value = schemars::schema_for!(CommandInput).into();
    let problems: Vec<String> = jsonschema::validator_for(&schema)
        .expect("a schema")
        .iter_errors(&told)
        .map(|error| error.to_string())
        .collect();
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(told["source"]["password"], PASSWORD);
    assert_eq!(told["existing"], "append");
    assert_eq!(told["tables"][0]["query"], r#"SELECT "id", "name", "active" FROM "shop"."people""#);
    let environment = world.workspace.read("environment.txt");
    for line in ["TRANSSHIP_FLOW=etl", "TRANSSHIP_RESULT_FD=3", "TRANSSHIP_ATTEMPT=0", "TRANSSHIP_COMMAND_FORMAT=1"] {
        assert!(environment.lines().any(|it| it == line), "{line} in {environment}");
    }
    assert!(!environment.contains("canary") && !environment.contains("TOOL="), "{environment}");
    assert_eq!(world.workspace.read("arguments.txt"), "etl.sh \n");
    let directory = fs_err::canonicalize(world.workspace.path()).expect("a directory");
    assert_eq!(world.workspace.read("directory.txt").trim(), directory.display().to_string());
    world.workspace.remove("told.json");
    world.recovers();
}

#[test]
fn a_result_follows_its_schema() {
    let schema: Value = schemars::schema_for!(CommandResult).into();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let is_valid = |text: &str| validator.is_valid(&serde_json::from_str(text).expect("JSON"));
    assert!(is_valid(r#"{ "format_version": 1, "rows": { "shop.people": 3 } }"#));
    assert!(!is_valid(r#"{ "format_version": 1, "rows": { "shop.people": -3 } }"#));
    assert!(!is_valid(r#"{ "format_version": 1 }"#));
}

#[test]
fn a_program_that_does_not_do_its_work_puts_nothing_in_place() {
    let copies = |how: &str| format!("[{COPY}, {how}]");
    for (run, code, text) in [
        (copies("one-more"), "apply::command-counts", "4 rows were reported for shop.people, and 3 are in the copy"),
        (copies("makes-anew"), "apply::changed", "was made again"),
        (copies("adds"), "apply::changed", "has other columns"),
        (copies("drops"), "apply::changed", "is gone"),
        ("[\"true\"]".to_owned(), "apply::command-result", "none to file descriptor 3"),
        ("[\"false\"]".to_owned(), "apply::command-failed", "`false` ended with 1"),
        (
            "[sh, -c, \"echo oops >&2; kill -9 $$\"]".to_owned(),
            "apply::command-failed",
            "ended by signal 9; its last line: oops",
        ),
        ("[sh, -c, \"echo {} >&3\"]".to_owned(), "apply::command-result", "has not the form of"),
        ("[no-such-program]".to_owned(), "apply::command-not-started", "in no directory of PATH"),
        ("[./no-such-program]".to_owned(), "apply::command-not-started", "there is no"),
    ] {
        let world = World::new();
        world.declare(&run, "shop.people", "existing: error");
        world.fails(code, text);
        world.recovers();
    }
}

#[test]
fn a_program_that_asks_for_it_is_run_again_over_empty_copies() {
    let world = World::new();
    world.declare(&format!("[{COPY}, again]"), "shop.people", "existing: error");
    let applied = world.apply().expect(0);
    assert_eq!(applied.all().matches("not yet").count(), 2, "{}", applied.all());
    assert_eq!(world.people(), "1 Ada, 2 NULL, 3 it's");
    world.workspace.is_settled();
}

#[test]
fn a_program_is_ended_with_all_that_it_has_started_when_its_time_is_over() {
    let world = World::new();
    let script = "trap '' TERM\n(while :; do echo x >> beats.txt; sleep 0.1; done) &\necho begun\nwait\n";
    world.script(script, "existing: error\n    timeout: 1s");
    let began = Instant::now();
    world.fails("apply::timed-out", "`sh` was ended");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    is_still(&world);
    world.recovers();
}

/// Nothing beats any more.
#[track_caller]
fn is_still(world: &World) {
    let beats = || world.workspace.read("beats.txt").len();
    let mut last = 0;
    wait_until("nothing writes any more", Duration::from_secs(30), || {
        let before = std::mem::replace(&mut last, beats());
        std::thread::sleep(Duration::from_millis(400));
        before == last
    });
}

const BEATS: &str = "echo $$ > pid.txt\nwhile :; do echo x >> beats.txt; sleep 0.1; done\n";

#[test]
fn an_interrupted_run_ends_its_program() {
    let world = World::new();
    world.script(BEATS, "existing: error");
    let running = Transship::new(&world.workspace, &["apply", "--auto-approve"]).start();
    wait_until("it runs", Duration::from_secs(30), || world.workspace.path().join("beats.txt").exists());
    running.signal("INT");
    let outcome = running.wait();
    assert_eq!(outcome.code, 8, "{}", outcome.all());
    is_still(&world);
    world.recovers();
}

#[test]
fn a_killed_run_takes_its_program_along() {
    let world = World::new();
    world.script(BEATS, "existing: error");
    let running = Transship::new(&world.workspace, &["apply", "--auto-approve"]).start();
    wait_until("it runs", Duration::from_secs(30), || world.workspace.path().join("beats.txt").exists());
    running.kill();
    is_still(&world);
    world.workspace.run(&["unlock", "--all", "--auto-approve"]).expect(0);
    world.recovers();
}

#[test]
fn no_secret_in_the_output_is_shown_or_kept() {
    let world = World::new();
    let script = "cat\necho\ncat told >&2 2>/dev/null\nexit 3\n";
    world.script(script, "existing: error");
    let outcome = world.fails("apply::command-failed", "ended with 3");
    for text in [outcome.all(), world.log()] {
        assert!(text.contains("format_version") && text.contains("***"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
    let ledger = "SELECT count(*) FROM transship.steps WHERE message LIKE '%canary%'";
    assert_eq!(world.pair.number("analytics", ledger), 0);
}

#[test]
fn output_without_end_is_bounded() {
    let world = World::new();
    let script = "i=0\nwhile [ $i -lt 200 ]; do seq 1 1000; i=$((i+1)); done\n\
                  head -c 3000000 /dev/zero | tr '\\0' x\necho\necho the end\nexit 1\n";
    world.script(script, "existing: error");
    world.fails("apply::command-failed", "its last line: the end");
    let log = world.log();
    assert!(log.len() < 1_000_000, "{}", log.len());
    assert!(log.contains("lines not shown: there were too many at once"));
    assert!(log.lines().all(|line| line.len() < 2_000));
}

#[test]
fn output_of_a_flow_with_sensitive_columns_is_not_shown() {
    let world = World::new();
    world.workspace.write("etl.sh", "echo Ada lives here\nexit 1\n");
    world.declare("[sh, etl.sh]", "{ from: shop.people, sensitive: [name] }", "existing: error");
    let outcome = world.fails("apply::command-failed", "1 line not shown: the flow has sensitive columns");
    assert!(!outcome.all().contains("Ada lives") && !world.log().contains("Ada lives"), "{}", outcome.all());
}
