//! What transship adds to snapshots and to export and import, against the same statements typed by hand: measured on two
//! nodes by an ignored test; `docs/benchmarks.md` has the command and what came out.

use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::real::{Cluster, Copies};

/// The variable with the number of rows, of about 290 bytes as JSON.
const ROWS: &str = "TRANSSHIP_BENCHMARK_ROWS";
/// So many rows make about 1 GB of JSON.
const MANY: u32 = 3_500_000;
/// How often each way is measured.
const ROUNDS: usize = 3;

struct Bench {
    copies: Copies,
    folder: String,
    rows: u32,
}

fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr takes a line");
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

impl Bench {
    fn new(name: &str) -> Option<Self> {
        let copies = Copies::bare(name)?;
        let folder = copies.clusters.exchange(name)?.join(&copies.scope.workspace).display().to_string();
        let rows = std::env::var(ROWS).ok().map_or(MANY, |rows| rows.parse().expect("a number of rows"));
        let bench = Self { copies, folder, rows };
        bench.fill();
        Some(bench)
    }

    fn table(&self) -> String {
        self.copies.scope.table("facts")
    }

    fn make(&self, cluster: &Cluster) {
        cluster.sql(&format!(
            "CREATE TABLE {} (id BIGINT PRIMARY KEY, part INTEGER, name TEXT, note TEXT, amount DOUBLE PRECISION, \
             at TIMESTAMP WITH TIME ZONE, active BOOLEAN) CLUSTERED INTO 4 SHARDS WITH (number_of_replicas = 0)",
            self.table()
        ));
    }

    fn fill(&self) {
        self.make(self.copies.alpha());
        let step = 100_000;
        for from in (1..=self.rows).step_by(step) {
            let to = self.rows.min(from + u32::try_from(step).expect("fits") - 1);
            self.copies.alpha().sql(&format!(
                "INSERT INTO {} (id, part, name, note, amount, at, active) (SELECT g, g % 100, md5(g::text), \
                 md5(g::text || 'a') || md5(g::text || 'b') || md5(g::text || 'c') || md5(g::text || 'd'), g * 0.25, \
                 '2026-01-01'::timestamp + g::bigint * 1000, g % 2 = 0 FROM generate_series({from}, {to}) AS t(g))",
                self.table()
            ));
        }
        self.copies.alpha().sql(&format!("OPTIMIZE TABLE {0}; REFRESH TABLE {0}", self.table()));
    }

    /// The table is whole on the target; it goes for the next round.
    fn check_and_drop(&self) {
        assert_eq!(self.copies.beta().count(&self.table()), u64::from(self.rows));
        self.copies.beta().sql(&format!("DROP TABLE {}", self.table()));
    }

    /// What is typed by hand for a snapshot.
    fn snapshot_by_hand(&self, round: usize) {
        let (alpha, beta, table) = (self.copies.alpha(), self.copies.beta(), self.table());
        let repository = format!("by_hand_{}_{round}", self.copies.scope.schema);
        let place = format!("location = '{}/hand-{round}'", self.folder);
        alpha.sql(&format!("CREATE REPOSITORY \"{repository}\" TYPE fs WITH ({place})"));
        beta.sql(&format!("CREATE REPOSITORY \"{repository}\" TYPE fs WITH ({place}, readonly = true)"));
        alpha.sql(&format!("CREATE SNAPSHOT \"{repository}\".s TABLE {table} WITH (wait_for_completion = true)"));
        beta.sql(&format!("RESTORE SNAPSHOT \"{repository}\".s TABLE {table} WITH (wait_for_completion = true)"));
        beta.sql(&format!("SELECT count(*) FROM {table}"));
        for cluster in [alpha, beta] {
            cluster.sql(&format!("DROP REPOSITORY \"{repository}\""));
        }
    }

    /// What is typed by hand for an export and an import.
    fn export_by_hand(&self, round: usize) {
        let (alpha, beta, table) = (self.copies.alpha(), self.copies.beta(), self.table());
        let folder = format!("{}/files-{round}", self.folder);
        fs_err::create_dir_all(&folder).expect("the folder can be made");
        let mut rights = fs_err::metadata(&folder).expect("it is there").permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o777);
        fs_err::set_permissions(&folder, rights).expect("it is ours");
        alpha.sql(&format!(
            "COPY {table} (id, part, name, note, amount, at, active) TO DIRECTORY '{folder}' \
             WITH (format = 'json_object')"
        ));
        self.make(beta);
        beta.sql(&format!("COPY {table} FROM 'file://{folder}/*' RETURN SUMMARY"));
        beta.sql(&format!("REFRESH TABLE {table}; SELECT count(*) FROM {table}"));
        fs_err::remove_dir_all(&folder).expect("the files can be removed");
    }

    /// The same by a flow.
    fn flow(&self, strategy: &str, round: usize) {
        let schema = &self.copies.scope.schema;
        self.copies.workspace.write(
            "flows.yaml",
            &format!(
                "version: 1\nstores:\n  place:\n    directory: {{ path: {}/flow }}\nflows:\n  {strategy}-{round}:\n    \
                 from: alpha\n    to: beta\n    tables: [{schema}.facts]\n    strategy: {{ {strategy}: {{ store: place }} }}\n",
                self.folder
            ),
        );
        self.copies.workspace.run(&["apply", "--auto-approve", "--allow-drop", "repository:*"]).expect(0);
    }

    fn compare(&self, what: &str, strategy: &str, by_hand: impl Fn(usize)) {
        let (mut hand, mut flow) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let first = timed(|| by_hand(round));
            self.check_and_drop();
            let second = timed(|| self.flow(strategy, round));
            self.check_and_drop();
            say(&format!("{what} {round}: by hand {first:.2?}, by a flow {second:.2?}"));
            // The first round warms up.
            if round > 0 {
                hand.push(first);
                flow.push(second);
            }
        }
        let (hand, flow) = (median(hand), median(flow));
        say(&format!(
            "{what}, {} rows, medians: by hand {hand:.2} s, by a flow {flow:.2} s: {:.3}",
            self.rows,
            flow / hand
        ));
    }
}

#[test]
#[ignore = "it measures, for many minutes"]
fn real_benchmark_of_snapshots() {
    let Some(bench) = Bench::new("bench-snap") else { return };
    bench.compare("snapshot", "snapshot", |round| bench.snapshot_by_hand(round));
}

#[test]
#[ignore = "it measures, for many minutes"]
fn real_benchmark_of_exports() {
    let Some(bench) = Bench::new("bench-export") else { return };
    bench.compare("export and import", "export-import", |round| bench.export_by_hand(round));
}
