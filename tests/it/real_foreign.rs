//! Copies that the target reads by itself, through a foreign table, on real clusters.

use std::time::Duration;

use crate::real::{Copies, Transship, wait_until};

const COLUMNS: &str = "id, name, email, active, amount::text, at, month";

/// Declares the flow with one table entry, settings of the strategy and more keys.
fn declare(copies: &Copies, entry: &str, settings: &str, more: &str) {
    let entry = entry.replace("SCHEMA", &copies.scope.schema);
    let flow = format!(
        "version: 1\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables:\n      - {entry}\n    \
         strategy: {{ custom: {{ engine: foreign-table{settings} }} }}\n    {more}\n"
    );
    copies.workspace.write("flows.yaml", &flow);
}

/// Neither a foreign table, nor a user mapping, nor a server of the flow is there.
#[track_caller]
fn is_clean(copies: &Copies) {
    copies.aside(0);
    let name = copies.scope.workspace.replace('-', "_");
    for sql in [
        format!(
            "SELECT foreign_server_name FROM information_schema.foreign_servers WHERE foreign_server_name LIKE '%{name}%'"
        ),
        format!(
            "SELECT foreign_server_name FROM information_schema.user_mappings WHERE foreign_server_name LIKE '%{name}%'"
        ),
    ] {
        assert_eq!(copies.beta().sql(&sql), Vec::<Vec<Option<String>>>::new());
    }
}

#[test]
fn real_a_target_reads_by_itself() {
    let Some(copies) = Copies::new("foreignself") else { return };
    declare(&copies, "SCHEMA.people", ", chunk_rows: 100", "existing: replace");
    let applied = copies.workspace.apply();
    assert!(applied.all().contains("1000 rows in"), "{}", applied.all());
    copies.is_equal(COLUMNS, 1000);
    is_clean(&copies);
    copies.workspace.is_settled();

    copies.insert(1001, 1010);
    copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
    copies.is_equal(COLUMNS, 1010);
    is_clean(&copies);
    copies.workspace.is_settled();
}

#[test]
fn real_chosen_rows_and_columns_are_read_by_the_target() {
    let Some(copies) = Copies::new("foreignpart") else { return };
    let target = copies.scope.table("some");
    let entry = "{ from: SCHEMA.people, to: SCHEMA.some, where: \"active AND id > 500\", \
                 columns: { id: id, \"Na me\": name, upper: upper(email), amount: amount } }";
    declare(&copies, entry, ", chunk_rows: 100", "");
    let applied = copies.workspace.apply();
    assert!(applied.all().contains("250 rows in"), "{}", applied.all());
    let source = copies.alpha().sql(&format!(
        "SELECT id, name, upper(email), amount::text FROM {} WHERE active AND id > 500 ORDER BY id",
        copies.people()
    ));
    assert_eq!(
        copies.beta().sql(&format!("SELECT id, \"Na me\", upper, amount::text FROM {target} ORDER BY id")),
        source
    );
    is_clean(&copies);
    copies.workspace.is_settled();
    // What is not sent to the source is read whole, in one piece, and said so.
    let entry = "{ from: SCHEMA.people, to: SCHEMA.like, where: \"email LIKE 'e1%'\" }";
    declare(&copies, entry, ", chunk_rows: 100", "");
    let planned = copies.workspace.run(&["plan"]).expect(0);
    assert!(planned.all().contains("travel"), "{}", planned.all());
    copies.workspace.apply();
    let count = |cluster: &crate::real::Cluster, table: &str| cluster.count(table);
    assert_eq!(count(copies.beta(), &copies.scope.table("like")), 112);
}

#[test]
fn real_rows_are_added_and_overwritten_by_the_target() {
    let Some(copies) = Copies::new("foreigninto") else { return };
    let people = copies.people();
    declare(&copies, "SCHEMA.people", "", "existing: upsert");
    copies.workspace.apply();
    copies.alpha().sql(&format!("UPDATE {people} SET name = 'other' WHERE id <= 10; REFRESH TABLE {people}"));
    copies.insert(1001, 1005);
    copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
    copies.is_equal(COLUMNS, 1005);
    is_clean(&copies);
    // Rows that are there already are refused without a word by CrateDB, and told by their number here.
    let target = copies.scope.table("more");
    copies.beta().sql(&format!(
        "CREATE TABLE {target} (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO {target} (id) VALUES (7); REFRESH TABLE {target}"
    ));
    let entry = "{ from: SCHEMA.people, to: SCHEMA.more, columns: [id, name] }";
    copies.workspace.write("flows.yaml", "version: 1\n");
    copies.workspace.apply();
    declare(&copies, entry, "", "existing: append");
    let failed = copies.workspace.run(&["apply", "--auto-approve"]).expect(7);
    assert!(failed.all().contains("apply::pull-differs"), "{}", failed.all());
}

#[test]
fn real_times_that_the_driver_shifts_stop_the_copy() {
    let Some(copies) = Copies::new("foreigntimes") else { return };
    let people = copies.people();
    copies.alpha().sql(&format!("INSERT INTO {people} (id, at) VALUES (5000, '1582-10-14'); REFRESH TABLE {people}"));
    declare(&copies, "SCHEMA.people", "", "");
    let failed = copies.workspace.run(&["apply", "--auto-approve"]).expect(7);
    assert!(failed.all().contains("apply::times-unfit"), "{}", failed.all());
    copies.alpha().sql(&format!("DELETE FROM {people} WHERE id = 5000; REFRESH TABLE {people}"));
    // What the run left is dropped, and all of it is made anew.
    copies.workspace.apply();
    copies.is_equal(COLUMNS, 1000);
    is_clean(&copies);
    copies.workspace.is_settled();
}

#[test]
fn real_a_cut_run_of_a_target_leaves_nothing_for_good() {
    let Some(copies) = Copies::new("foreigncut") else { return };
    copies.insert(1001, 6000);
    declare(&copies, "SCHEMA.people", ", chunk_rows: 200", "");
    let people = copies.people();
    for _ in 0..2 {
        let running = Transship::new(&copies.workspace, &["apply", "--auto-approve"]).start();
        let aside = format!(
            "SELECT sum(num_docs) FROM sys.shards WHERE schema_name = '{}' AND table_name LIKE 'transship_%'",
            copies.scope.schema
        );
        wait_until("rows are read", Duration::from_secs(60), || {
            copies.beta().value(&aside).and_then(|rows| rows.parse::<f64>().ok()).is_some_and(|rows| rows > 0.0)
        });
        running.kill();
        assert!(copies.beta().try_sql(&format!("SELECT 1 FROM {people}")).is_err(), "nothing is put in place");
    }
    // The flow goes, and with it what is left of servers and foreign tables.
    let flow = copies.workspace.read("flows.yaml");
    let lock = ["--lock-timeout", "60s"];
    copies.workspace.write("flows.yaml", "version: 1\n");
    copies.workspace.run(&[&["apply", "--auto-approve"][..], &lock].concat()).expect(0);
    let left = "SELECT foreign_server_name FROM information_schema.foreign_servers WHERE foreign_server_name LIKE";
    let name = copies.scope.workspace.replace('-', "_");
    assert!(copies.beta().sql(&format!("{left} '%{name}%'")).is_empty());
    copies.workspace.write("flows.yaml", &flow);
    copies.workspace.apply();
    copies.is_equal(COLUMNS, 6000);
    is_clean(&copies);
}

#[test]
fn real_who_reads_for_a_target_needs_little() {
    let Some(mut copies) = Copies::new("foreignuser") else { return };
    let schema = copies.scope.schema.clone();
    let login = copies.scope.user("mover", &[]);
    let (alpha, beta) = (&copies.clusters.alpha, &copies.clusters.beta);
    let of_source = format!("DQL ON SCHEMA \"{schema}\"");
    crate::real::Scope::grant(alpha, &login, &[&of_source, "DQL ON SCHEMA sys"]);
    crate::real::Scope::grant(beta, &login, &["DQL, DML, DDL ON SCHEMA transship", "DQL ON SCHEMA sys"]);
    crate::real::Scope::grant(beta, &login, &[&format!("DQL, DML, DDL ON SCHEMA \"{schema}\"")]);
    copies.workspace.clusters(&copies.scope.workspace.clone(), copies.clusters, Some(&login));
    declare(&copies, "SCHEMA.people", ", chunk_rows: 400", "");
    let refused = copies.workspace.run(&["plan"]).expect(1);
    assert!(refused.all().contains("lacks AL on beta"), "{}", refused.all());
    crate::real::Scope::grant(beta, &login, &["AL"]);
    let planned = copies.workspace.run(&["plan", "--explain", "--format", "json"]).expect(0);
    assert!(!planned.all().contains(login.password.as_deref().expect("a password")));
    copies.workspace.apply();
    copies.is_equal(COLUMNS, 1000);
    is_clean(&copies);
    copies.workspace.is_settled();
    let log = beta.sql("SELECT stmt FROM sys.jobs_log WHERE stmt LIKE 'CREATE USER MAPPING%'");
    assert!(!format!("{log:?}").contains(login.password.as_deref().expect("a password")), "{log:?}");
}
