//! Rows that are streamed to a target that is slow, or full: memory stays bounded, the report is clear, and the next run
//! goes on.

use std::time::Duration;

use transship_model::access::HostPort;

use crate::real::{Cluster, Clusters, Copies, Proxy, Transship, say, wait_until};
use crate::real_bulk_failures::watermarks;
use crate::real_chunks::whole_on;

const MIB: u64 = 1024 * 1024;

/// A table of `rows` rows with a text of `length` bytes each, a multiple of 32, and a flow in chunks of `chunk` rows.
fn prepared(name: &str, (rows, length): (u64, u64), chunk: u64) -> Option<Copies> {
    let copies = Copies::bare(name)?;
    let people = copies.people();
    copies.alpha().sql(&format!(
        "CREATE TABLE {people} (id BIGINT PRIMARY KEY, name TEXT INDEX OFF STORAGE WITH (columnstore = false)) \
         CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0); \
         INSERT INTO {people} (id, name) SELECT g, repeat(md5(g::text), {}) FROM generate_series(1::bigint, {rows}::bigint) \
         AS t(g); REFRESH TABLE {people}",
        length / 32
    ));
    assert_eq!(copies.alpha().count(&people), rows);
    copies.workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables: [{}.people]\n    \
             strategy: {{ custom: {{ engine: stream, chunk_rows: {chunk} }} }}\n",
            copies.scope.schema
        ),
    );
    Some(copies)
}

/// A cluster that takes so many bytes a second, and once nothing at all for some seconds.
fn slowly(cluster: &Cluster, rate: u64, rest: (u64, Duration)) -> Cluster {
    let proxy = Proxy::slow(&HostPort { host: cluster.host.clone(), port: cluster.port }, rate, rest);
    Cluster { host: proxy.address.host, port: proxy.address.port, ..cluster.clone() }
}

/// Rows are read as fast as they are written, and no faster: of 200 MiB only a small part is in memory at any time, though
/// the target takes 12 MiB a second, and nothing for ten seconds in the middle.
#[test]
fn real_a_slow_target_does_not_fill_the_memory() {
    let Some(copies) = prepared("slow", (50_000, 4_096), 1_000_000) else { return };
    let slow = slowly(copies.beta(), 12 * MIB, (60 * MIB, Duration::from_secs(10)));
    copies.workspace.reach(copies.beta(), &slow);
    let mut run = Transship::new(&copies.workspace, &["apply", "--auto-approve"]).start();
    let mut peak = 0;
    while !run.has_ended() {
        peak = run.peak_kib().max(peak);
        std::thread::sleep(Duration::from_millis(20));
    }
    let said = run.wait().expect(0).all();
    say(&format!("a slow target: peak {} MiB", peak / 1024));
    assert!(said.contains("50000 rows"), "{said}");
    assert!(peak < 100 * 1024, "{peak} KiB");
    copies.workspace.reach(&slow, copies.beta());
    is_equal(&copies, copies.beta());
    copies.workspace.is_settled();
}

/// Rows of one text each, which are their keys' own.
#[track_caller]
fn is_equal(copies: &Copies, target: &Cluster) {
    let sums = format!(
        "SELECT count(*), sum(id), sum(length(name)), sum(ascii(name)), count(DISTINCT substr(name, 1, 32)) FROM {}",
        copies.people()
    );
    assert_eq!(target.sql(&sums), copies.alpha().sql(&sums));
}

/// The disk of the target fills up in the middle: the run says so, and once there is space again the next one goes on with
/// the chunks that are whole.
#[test]
fn real_a_copy_onto_a_full_disk_is_gone_on_with() {
    let Some(copies) = prepared("brim", (100_000, 32), 10_000) else { return };
    let Some((_node, brim)) = Clusters::another("brim", "brim", &["cluster.info.update.interval=10s"]) else { return };
    let slow = slowly(&brim, 200 * 1024, (0, Duration::ZERO));
    copies.workspace.reach(copies.beta(), &slow);
    let probe = copies.scope.table("probe");
    brim.sql(&format!("CREATE TABLE {probe} (id INTEGER)"));
    let takes_rows = || brim.try_sql(&format!("INSERT INTO {probe} VALUES (1)")).is_ok();

    let run = Transship::new(&copies.workspace, &["apply", "--auto-approve"]).start();
    wait_until("two chunks are whole", Duration::from_secs(180), || whole_on(&brim, &copies).0 >= 2);
    brim.sql(&watermarks("1000000gb"));
    let said = run.wait().expect(7).all();
    // Whichever finds out first: who writes rows, or who writes the ledger.
    assert!(said.contains("a disk of `beta` is full, see sys.node_checks"), "{said}");
    let (done, all) = whole_on(&brim, &copies);
    assert!(done >= 2 && done < all, "{done} of {all}");
    assert!(!takes_rows());
    // Neither ledger nor locks can be written.
    let said = copies.workspace.run(&["apply", "--auto-approve"]).expect(1).all();
    assert!(said.contains("cluster::disk-full") || said.contains("node_checks"), "{said}");

    brim.sql(&watermarks("1b"));
    wait_until("tables take rows again", Duration::from_secs(180), takes_rows);
    copies.workspace.reach(&slow, &brim);
    // The first run could not let go of its locks.
    let said = copies.workspace.run(&["apply", "--auto-approve", "--lock-timeout", "2m"]).expect(0).all();
    assert!(said.contains(&format!("of which an earlier run copied {done}")), "{said}");
    is_equal(&copies, &brim);
    copies.workspace.is_settled();
}
