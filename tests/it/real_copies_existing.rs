//! The table of `existing`, every cell of it, on real clusters: what happens on the target, and an empty second plan.

use std::fmt::Write as _;

use crate::real::Copies;

const MODES: [&str; 5] = ["error", "replace", "append", "upsert", "skip"];
const STANDINGS: [Standing; 4] = [Standing::Absent, Standing::NotOurs, Standing::Same, Standing::Edited];

/// How the target stands to the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// There is no such table.
    Absent,
    /// Somebody else made it: with a row 5000, and a row 1 that says `old` unless rows are appended.
    NotOurs,
    /// The flow made it as declared; since then row 1 was set to `mark`, and a row 5000 came.
    Same,
    /// The same, and rows above 80 are no longer declared.
    Edited,
}

/// What becomes of the target.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The plan is refused with this code, and the target stays as it was.
    Refused(&'static str),
    /// So many rows, this in row 1, and whether row 5000 is there.
    Holds(u64, &'static str, bool),
}

/// The table of `existing`; the source has rows 1 to 100, which say `n1` to `n100`.
fn expected(mode: &str, standing: Standing) -> Outcome {
    use Outcome::{Holds, Refused};
    match (standing, mode) {
        (Standing::Absent, _) | (Standing::NotOurs, "replace") => Holds(100, "n1", false),
        (Standing::NotOurs, "error") => Refused("plan::target-exists"),
        (Standing::NotOurs, "skip") => Holds(2, "old", true),
        (Standing::NotOurs, _) | (Standing::Edited, "upsert") => Holds(101, "n1", true),
        (Standing::Edited, "error") => Refused("plan::edited"),
        (Standing::Edited, "append") => Refused("plan::doubles-rows"),
        (Standing::Edited, "replace") => Holds(80, "n1", false),
        (Standing::Same | Standing::Edited, _) => Holds(101, "mark", true),
    }
}

fn cells() -> impl Iterator<Item = (&'static str, Standing)> {
    MODES.into_iter().flat_map(|mode| STANDINGS.into_iter().map(move |standing| (mode, standing)))
}

fn name(mode: &str, standing: Standing) -> String {
    format!("{mode}-{standing:?}").to_lowercase()
}

/// Declares a flow for each cell, with a table of its own.
fn declare(copies: &Copies, cells: &[(&str, Standing)], edited: bool) {
    let schema = &copies.scope.schema;
    let mut text = "version: 1\nflows:\n".to_owned();
    for (mode, standing) in cells {
        let name = name(mode, *standing);
        let filter = if edited && *standing == Standing::Edited { ", where: id <= 80" } else { "" };
        write!(
            text,
            "  {name}:\n    from: alpha\n    to: beta\n    strategy: {{ custom: {{ engine: stream }} }}\n    \
             existing: {mode}\n    tables:\n      - {{ from: {schema}.source, to: {schema}.{}{filter} }}\n",
            name.replace('-', "_")
        )
        .expect("writing to a String");
    }
    copies.workspace.write("flows.yaml", &text);
}

fn target(copies: &Copies, mode: &str, standing: Standing) -> String {
    copies.scope.table(&name(mode, standing).replace('-', "_"))
}

/// Rows, what row 1 says, and whether row 5000 is there.
fn holds(copies: &Copies, mode: &str, standing: Standing) -> (u64, String, bool) {
    let table = target(copies, mode, standing);
    let said = copies.beta().value(&format!("SELECT v FROM {table} WHERE id = 1")).unwrap_or_default();
    let theirs = copies.beta().value(&format!("SELECT id FROM {table} WHERE id = 5000")).is_some();
    (copies.beta().count(&table), said, theirs)
}

#[test]
fn real_every_cell_of_the_table_of_existing() {
    let Some(copies) = Copies::bare("cells") else { return };
    let (source, columns) = (copies.scope.table("source"), "(id INTEGER PRIMARY KEY, v TEXT)");
    let one = "CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)";
    copies.alpha().sql(&format!(
        "CREATE TABLE {source} {columns} {one}; INSERT INTO {source} (SELECT g, 'n' || g FROM generate_series(1, 100) AS t(g)); \
         REFRESH TABLE {source}"
    ));
    let is_ours = |standing| matches!(standing, Standing::Same | Standing::Edited);
    let ours: Vec<_> = cells().filter(|(_, standing)| is_ours(*standing)).collect();
    declare(&copies, &ours, false);
    copies.workspace.apply();
    copies.workspace.is_settled();
    for (mode, standing) in cells() {
        let table = target(&copies, mode, standing);
        let sql = match standing {
            Standing::Absent => continue,
            Standing::NotOurs if mode == "append" => format!("CREATE TABLE {table} {columns} {one}"),
            Standing::NotOurs => {
                format!("CREATE TABLE {table} {columns} {one}; INSERT INTO {table} (id, v) VALUES (1, 'old')")
            }
            Standing::Same | Standing::Edited => format!("UPDATE {table} SET v = 'mark' WHERE id = 1"),
        };
        copies
            .beta()
            .sql(&format!("{sql}; INSERT INTO {table} (id, v) VALUES (5000, 'theirs'); REFRESH TABLE {table}"));
    }

    let (refused, rest): (Vec<_>, Vec<_>) =
        cells().partition(|(mode, standing)| matches!(expected(mode, *standing), Outcome::Refused(_)));
    assert_eq!((refused.len(), rest.len()), (3, 17));
    for (mode, standing) in refused {
        let before = holds(&copies, mode, standing);
        let same = ours.iter().copied().filter(|(_, standing)| *standing == Standing::Same);
        declare(&copies, &same.chain([(mode, standing)]).collect::<Vec<_>>(), true);
        for command in [["plan", "--detailed-exitcode"].as_slice(), &["apply", "--auto-approve"]] {
            let said = copies.workspace.run(command).expect(1).all();
            let Outcome::Refused(code) = expected(mode, standing) else { unreachable!("it is one of those") };
            assert!(said.contains(code), "{mode}, {standing:?}: {said}");
        }
        assert_eq!(holds(&copies, mode, standing), before, "{mode}, {standing:?}");
    }

    declare(&copies, &rest, true);
    copies.workspace.apply();
    for (mode, standing) in &rest {
        let (rows, said, theirs) = holds(&copies, mode, *standing);
        let Outcome::Holds(of, text, with) = expected(mode, *standing) else { unreachable!("it is none of those") };
        assert_eq!((rows, said.as_str(), theirs), (of, text, with), "{mode}, {standing:?}");
    }
    copies.workspace.is_settled();
    copies.workspace.run(&["drift"]).expect(0);
    copies.aside(0);
}

#[test]
fn real_copies_name_a_closed_table_and_how_to_open_it() {
    let Some(copies) = Copies::new("closed") else { return };
    copies.declare("SCHEMA.people", "existing: upsert");
    let apply = ["apply", "--auto-approve"];
    copies.workspace.run(&apply).expect(0);
    let plan = |expected: i32, code: &str| {
        let outcome = copies.workspace.run(&["plan", "--resync", "copy"]).expect(expected);
        assert!(outcome.stderr.contains(code), "{}", outcome.stderr);
    };
    for (cluster, code) in [(copies.beta(), "plan::target-closed"), (copies.alpha(), "plan::source-closed")] {
        cluster.sql(&format!("ALTER TABLE {} CLOSE", copies.people()));
        plan(1, code);
        cluster.sql(&format!("ALTER TABLE {} OPEN", copies.people()));
    }
    copies.workspace.run(&apply).expect(0);
}
