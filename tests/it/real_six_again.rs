//! Six tables that are copied in bulk again while others read them: by a swap, readers have all rows as soon as the run
//! has ended, and may read them; by a view, they never see anything but the old or the new.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use crate::real::{Copies, Read, Readers};
use crate::real_snapshot::{SIX, six_are_equal, six_but, six_tables};

/// The tables that readers count, with the rows that each round adds.
const READ: [&str; 2] = ["people", "large"];
const MORE: u32 = 300;
/// How many reads are looked at after a run has ended.
const AFTER: usize = 5;

const SNAPSHOT: &str = "snapshot: { store: place }";
const EXPORT: &str = "export-import: { store: place, compression: gzip }";
const DETACH: &str = "logical-replication: { then: detach }";

struct Six {
    copies: Copies,
    store: String,
    strategy: &'static str,
}

impl Six {
    fn new(name: &str, strategy: &'static str) -> Option<Self> {
        let copies = Copies::new(name)?;
        let folder = copies.clusters.exchange(name)?.join(&copies.scope.workspace);
        // This machine writes some of the files, the nodes the others.
        fs_err::create_dir_all(&folder).expect("the directory can be made");
        fs_err::set_permissions(&folder, Permissions::from_mode(0o777)).expect("it is ours");
        six_tables(&copies);
        Some(Self { copies, store: format!("directory: {{ path: {} }}", folder.display()), strategy })
    }

    /// The name of a table on the target: a subscription brings tables under their own names, which have to be free.
    fn target(&self, name: &str) -> String {
        if self.strategy == DETACH { format!("new_{name}") } else { name.to_owned() }
    }

    fn declare(&self, replace_by: &str) {
        let schema = &self.copies.scope.schema;
        let entry = |name: &str| format!("{{ from: {schema}.{name}, to: {schema}.{} }}", self.target(name));
        let names = SIX.trim_matches(['[', ']']).split(", ").map(|name| name.trim_start_matches("SCHEMA."));
        let tables = format!("[{}]", names.map(entry).collect::<Vec<_>>().join(", "));
        self.copies.workspace.write(
            "flows.yaml",
            &format!(
                "version: 1\nstores:\n  place:\n    {}\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables: {tables}\n    \
                 strategy: {{ {} }}\n    existing: replace\n    replace_by: {replace_by}\n",
                self.store, self.strategy
            ),
        );
    }

    /// Writes more rows into the tables that are read.
    fn write(&self, round: u32) {
        let large = self.copies.scope.table("large");
        let from = 1_000_000 + round * MORE;
        self.copies.insert(from + 1, from + MORE);
        self.copies.alpha().sql(&format!(
            "INSERT INTO {large} (id, v) SELECT g, 'more' FROM generate_series({}, {}) AS t(g); REFRESH TABLE {large}",
            from + 1,
            from + MORE
        ));
    }

    /// What readers of each table saw of a run that does it all again, and when it had ended.
    fn again(&self) -> (Vec<Vec<Read>>, Instant) {
        let table = |name: &str| self.copies.scope.table(&self.target(name));
        let readers = READ.map(|name| Readers::start(1, self.copies.beta(), &table(name)));
        self.copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
        let ended = Instant::now();
        // One of them may have begun before.
        for readers in &readers {
            readers.wait_for(AFTER + 1);
        }
        (readers.into_iter().map(Readers::stop).collect(), ended)
    }

    /// Every value of the six tables is the same at both ends.
    fn is_equal(&self) {
        match self.strategy {
            // The names differ; that values are equal is shown elsewhere.
            DETACH => {}
            SNAPSHOT => six_are_equal(&self.copies),
            _ => six_but(&self.copies, &[]),
        }
    }

    fn counts(&self) -> Vec<u64> {
        READ.iter().map(|name| self.copies.alpha().count(&self.copies.scope.table(name))).collect()
    }
}

fn again_and_again(name: &str, strategy: &'static str) {
    let Some(mut six) = Six::new(name, strategy) else { return };
    let app = six.copies.scope.user("app", &[]);
    six.declare("swap");
    six.copies.workspace.apply();
    six.is_equal();
    let schema = &six.copies.scope.schema;
    for name in READ {
        six.copies.beta().sql(&format!("GRANT DQL ON TABLE \"{schema}\".\"{}\" TO \"{}\"", six.target(name), app.user));
    }
    six.write(0);
    let (seen, ended) = six.again();
    for ((reads, new), name) in seen.iter().zip(six.counts()).zip(READ) {
        let after: Vec<&Read> = reads.iter().filter(|read| read.begun > ended).collect();
        assert!(
            after.len() >= AFTER && after.iter().all(|read| read.seen == Ok(new)),
            "{name} after the swap: {after:?}"
        );
        let count = format!("SELECT count(*) FROM \"{schema}\".\"{}\"", six.target(name));
        let rows = six.copies.beta().try_sql_as(&app, &count).expect("the privileges are kept");
        assert_eq!(rows, [[Some(new.to_string())]], "{name}");
    }
    six.is_equal();
    six.copies.workspace.is_settled();
    six.copies.aside(0);

    // From tables to views, which takes a moment; then from view to view.
    six.declare("view");
    six.copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
    for round in 1..3 {
        let old = six.counts();
        six.write(round);
        let (seen, ended) = six.again();
        for (((reads, old), new), name) in seen.iter().zip(old).zip(six.counts()).zip(READ) {
            for read in reads {
                let is_right = read.seen == Ok(new) || read.seen == Ok(old) && read.begun < ended;
                assert!(is_right, "{name} of a view: {:?} is neither {old} nor {new}", read.seen);
            }
            assert!(reads.iter().any(|read| read.seen == Ok(old)) && reads.iter().any(|read| read.seen == Ok(new)));
            let count = format!("SELECT count(*) FROM \"{schema}\".\"{}\"", six.target(name));
            let rows = six.copies.beta().try_sql_as(&app, &count).expect("the privileges are kept");
            assert_eq!(rows, [[Some(new.to_string())]], "{name}");
        }
        six.copies.workspace.is_settled();
    }
}

#[test]
fn real_six_tables_are_replaced_by_snapshot_under_readers() {
    again_and_again("again-snap", SNAPSHOT);
}

#[test]
fn real_six_tables_are_replaced_by_export_and_import_under_readers() {
    again_and_again("again-exp", EXPORT);
}

#[test]
fn real_six_tables_are_replaced_by_detached_replications_under_readers() {
    let _turn = crate::real::replication_turn();
    again_and_again("again-det", DETACH);
}
