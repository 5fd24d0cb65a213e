//! Six tables that are copied in bulk again while others read them: by a swap, readers have all rows as soon as the run
//! has ended, and may read them; by a view, they never see anything but the old or the new.

use std::time::Instant;

use crate::real::{Copies, Read, Readers};
use crate::real_snapshot::{SIX, six_are_equal, six_tables};

/// The tables that readers count, with the rows that each round adds.
const READ: [&str; 2] = ["people", "large"];
const MORE: u32 = 300;

struct Six {
    copies: Copies,
    store: String,
    strategy: &'static str,
}

impl Six {
    fn new(name: &str, strategy: &'static str) -> Option<Self> {
        let copies = Copies::new(name)?;
        let folder = copies.clusters.exchange(name)?.join(&copies.scope.workspace);
        six_tables(&copies);
        Some(Self { copies, store: format!("directory: {{ path: {} }}", folder.display()), strategy })
    }

    fn declare(&self, replace_by: &str) {
        let tables = SIX.replace("SCHEMA", &self.copies.scope.schema);
        self.copies.workspace.write(
            "flows.yaml",
            &format!(
                "version: 1\nstores:\n  place:\n    {}\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables: {tables}\n    \
                 strategy: {{ {}: {{ store: place }} }}\n    existing: replace\n    replace_by: {replace_by}\n",
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
        let readers = READ.map(|name| Readers::start(1, self.copies.beta(), &self.copies.scope.table(name)));
        self.copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
        let ended = Instant::now();
        std::thread::sleep(std::time::Duration::from_millis(300));
        (readers.into_iter().map(Readers::stop).collect(), ended)
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
    six_are_equal(&six.copies);
    let schema = &six.copies.scope.schema;
    for name in READ {
        six.copies.beta().sql(&format!("GRANT DQL ON TABLE \"{schema}\".\"{name}\" TO \"{}\"", app.user));
    }
    six.write(0);
    let (seen, ended) = six.again();
    for ((reads, new), name) in seen.iter().zip(six.counts()).zip(READ) {
        let after: Vec<&Read> = reads.iter().filter(|read| read.begun > ended).collect();
        assert!(after.len() > 5 && after.iter().all(|read| read.seen == Ok(new)), "{name} after the swap: {after:?}");
        let count = format!("SELECT count(*) FROM \"{schema}\".\"{name}\"");
        let rows = six.copies.beta().try_sql_as(&app, &count).expect("the privileges are kept");
        assert_eq!(rows, [[Some(new.to_string())]], "{name}");
    }
    six_are_equal(&six.copies);
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
            let count = format!("SELECT count(*) FROM \"{schema}\".\"{name}\"");
            let rows = six.copies.beta().try_sql_as(&app, &count).expect("the privileges are kept");
            assert_eq!(rows, [[Some(new.to_string())]], "{name}");
        }
        six.copies.workspace.is_settled();
    }
}

#[test]
fn real_six_tables_are_replaced_by_snapshot_under_readers() {
    again_and_again("again-snap", "snapshot");
}
