//! Runs in which all goes well.

use super::harness::{Options, apply};
use crate::fake::{Draft, FakeServers, World, name, table};

const TABLES: [&str; 3] = ["t", "p", "empty"];

#[tokio::test]
async fn a_replication_is_set_up_and_followed_to_the_mark() {
    let servers = FakeServers::new(World::new());
    servers.change(|world| world.writes = 3);
    let plan = Draft::new(&servers.world()).ledger().replicate("orders", &TABLES).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert!(ran.outcome.is_success(), "{:?}", ran.lines());
    assert_eq!(ran.outcome.warnings, Vec::<String>::new());
    let lines = ran.lines();
    assert_eq!(lines[..3], ["run of 5 steps", "start @b/01-create-ledger", "done @b/01-create-ledger"]);
    assert!(lines[10].starts_with("done orders/04-wait-synced: 3 tables in sync, "), "{lines:?}");
    assert_eq!(lines[11..], ["flow orders done", "5 done, 0 failed, 0 skipped"]);
    let world = servers.world();
    assert_eq!(world.clusters[&name("b")].tables.keys().cloned().collect::<Vec<_>>(), ["empty", "p", "t"].map(table));
}

#[tokio::test]
async fn the_ledger_tells_the_run() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("orders", &TABLES).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    let ledger = &servers.world().clusters[&name("b")].ledger;
    assert_eq!(ledger["meta"]["shop-sync||format_version"], ["1"]);
    let flow = &ledger["flows"]["shop-sync||orders"];
    assert!(flow[0].contains(r#""state":"done""#), "{flow:?}");
    assert_eq!(flow[1..], ["done", &ran.outcome.run, "0"]);
    let run = &ledger["runs"][&format!("shop-sync||{}", ran.outcome.run)];
    assert_eq!((run[0].as_str(), run[4].as_str()), ("done", plan.digest.as_str()));
    let steps: Vec<_> = ledger["steps"].iter().map(|(key, row)| (key.rsplit('|').next().unwrap(), &*row[2])).collect();
    assert_eq!(
        steps,
        [
            ("@b/01-create-ledger", "done"),
            ("orders/01-create-publication", "done"),
            ("orders/02-publish-tables", "done"),
            ("orders/03-create-subscription", "done"),
            ("orders/04-wait-synced", "done"),
        ]
    );
}

#[tokio::test]
async fn the_flow_is_written_down_before_anything_of_it_is_made() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("orders", &TABLES).build();
    apply(&servers, &plan, Options::default()).await.unwrap();
    let sent = servers.sent();
    let first = |part: &str| sent.iter().position(|sql| sql.contains(part)).unwrap();
    assert!(first(r#"INSERT INTO "transship"."flows""#) < first("CREATE PUBLICATION"));
    assert!(first(r#"INSERT INTO "transship"."steps""#) < first("CREATE PUBLICATION"));
    let last = sent.last().unwrap();
    assert!(last.starts_with(r#"b REFRESH TABLE "transship"."#), "{last}");
}

#[tokio::test]
async fn a_flow_is_removed_and_forgotten_and_its_tables_stay() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("orders", &TABLES).build();
    apply(&servers, &plan, Options::default()).await.unwrap();
    let plan = Draft::new(&servers.world()).remove("orders", &TABLES).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert!(ran.outcome.is_success(), "{:?}", ran.lines());
    let world = servers.world();
    let (source, target) = (&world.clusters[&name("a")], &world.clusters[&name("b")]);
    assert!(source.publications.is_empty() && target.subscriptions.is_empty());
    assert_eq!(target.tables.values().filter(|table| table.subscribed.is_none()).count(), 3);
    assert!(target.ledger["flows"].is_empty());
}

#[tokio::test]
async fn leases_that_stay_are_a_note_unless_they_are_in_the_way() {
    let set_up = async |looks| {
        let servers = FakeServers::new(World::new());
        servers.change(|world| world.lease_looks = looks);
        let plan = Draft::new(&servers.world()).ledger().replicate("orders", &TABLES).build();
        apply(&servers, &plan, Options::default()).await.unwrap();
        servers
    };
    let servers = set_up(u32::MAX).await;
    let plan = Draft::new(&servers.world()).remove("orders", &TABLES).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert!(ran.outcome.is_success());
    let waited = ran.lines().into_iter().find(|line| line.starts_with("done orders/04")).unwrap();
    assert!(
        waited.contains("leases of `b` are left on shop.empty, shop.p, shop.t; they end by themselves"),
        "{waited}"
    );

    let servers = set_up(u32::MAX).await;
    let plan = Draft::new(&servers.world()).resync("orders", &TABLES).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert_eq!(ran.failure().0, "apply::timed-out");
    assert_eq!(servers.world().clusters[&name("b")].tables.len(), 3);

    let servers = set_up(u32::MAX).await;
    servers.change(|world| {
        world.clusters.get_mut(&name("a")).unwrap().tables.values_mut().for_each(|table| table.unused = true);
    });
    let plan = Draft::new(&servers.world()).resync("orders", &TABLES).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert!(ran.outcome.is_success(), "nobody uses them: {:?}", ran.lines());

    let servers = set_up(3).await;
    let plan = Draft::new(&servers.world()).resync("orders", &TABLES).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert!(ran.outcome.is_success(), "{:?}", ran.lines());
}

#[tokio::test]
async fn tables_that_are_taken_out_are_let_go_of() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("orders", &TABLES).build();
    apply(&servers, &plan, Options::default()).await.unwrap();
    let plan = Draft::new(&servers.world()).unpublish("orders", &["t", "p"], &["empty"]).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert!(ran.outcome.is_success(), "{:?}", ran.lines());
    assert_eq!(servers.world().clusters[&name("b")].tables[&table("empty")].subscribed, None);
}

#[tokio::test]
async fn adopting_writes_a_row_and_nothing_else() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().adopt("orders", &TABLES).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert!(ran.outcome.is_success());
    let world = servers.world();
    assert_eq!(world.clusters[&name("b")].ledger["flows"]["shop-sync||orders"][1], "done");
    assert!(world.clusters[&name("a")].publications.is_empty());
}

#[tokio::test]
async fn the_log_of_the_run_has_every_event() {
    let directory = std::env::temp_dir().join(format!("transship-apply-{}", std::process::id()));
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("orders", &TABLES).build();
    let options = Options { workspace: Some(&directory), ..Options::default() };
    let ran = apply(&servers, &plan, options).await.unwrap();
    let text = fs_err::read_to_string(crate::run_log_path(&directory, &ran.outcome.run)).unwrap();
    fs_err::remove_dir_all(&directory).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["format_version"], 1);
    assert_eq!(lines[0]["digest"], plan.digest.as_str());
    assert_eq!(lines.len(), 1 + ran.events.len());
    assert_eq!(lines[1]["what"]["run-started"]["steps"], 5);

    let nowhere = Options { workspace: Some(std::path::Path::new("/dev/null/x")), ..Options::default() };
    let servers = FakeServers::new(World::new());
    let ran = apply(&servers, &plan, nowhere).await.unwrap();
    assert!(ran.outcome.is_success());
    assert!(ran.outcome.warnings[0].starts_with("the log of the run is not written"), "{:?}", ran.outcome.warnings);
}
