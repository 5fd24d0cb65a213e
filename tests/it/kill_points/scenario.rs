//! What is applied when it is killed: flows in situations, together every kind of step.

/// Something that happens before the run that is killed.
pub(super) enum Do {
    /// Statements on a cluster.
    On(&'static str, &'static str),
    /// Flows are declared and applied.
    Apply(&'static str),
}

use Do::{Apply, On};

/// Flows in a situation.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) before: &'static [Do],
    /// The flows that are applied, as YAML below `flows:`.
    pub(super) flows: &'static str,
    /// The consents that `apply` is given.
    pub(super) consents: &'static [&'static str],
    /// How many versions behind views may be there at the end.
    pub(super) versions: usize,
    /// The flow whose older snapshots, exports or versions may stay until its next run that copies.
    pub(super) keeps: Option<&'static str>,
    /// Whether the store is a bucket, which sees what transship itself writes to it; else a directory.
    pub(super) bucket: bool,
}

const PLAIN: Scenario =
    Scenario { name: "", before: &[], flows: "", consents: &[], versions: 0, keeps: None, bucket: false };

/// What the source has at the beginning.
pub(super) const SOURCE: &str = "
    CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
    INSERT INTO shop.people (id, name) SELECT g, 'n' || g FROM generate_series(1, 30) AS t(g);
    CREATE TABLE shop.parts (id INTEGER, month INTEGER, v TEXT, PRIMARY KEY (id, month))
      PARTITIONED BY (month) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);
    INSERT INTO shop.parts (id, month, v) SELECT g, g % 4, 'new' FROM generate_series(1, 40) AS t(g);
    REFRESH TABLE shop.people, shop.parts";

const THEIRS: &str = "
    CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
    INSERT INTO shop.people (id, name) VALUES (1, 'old'), (900, 'theirs'); REFRESH TABLE shop.people;
    CREATE USER app; GRANT DQL ON TABLE shop.people TO app";
const THEIR_PERSONS: &str = "
    CREATE TABLE shop.persons (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
    INSERT INTO shop.persons (id, name) VALUES (1, 'old'), (900, 'theirs'); REFRESH TABLE shop.persons;
    CREATE USER app; GRANT DQL ON TABLE shop.persons TO app";
const EMPTY: &str = "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0)";
const THEIR_PARTS: &str = "
    CREATE TABLE shop.parts (id INTEGER, month INTEGER, v TEXT, PRIMARY KEY (id, month))
      PARTITIONED BY (month) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);
    INSERT INTO shop.parts (id, month, v) SELECT g, g % 3, 'old' FROM generate_series(1, 30) AS t(g);
    REFRESH TABLE shop.parts";
const ONE_MORE: Do = On("shop", "INSERT INTO shop.people (id, name) VALUES (31, 'n31'); REFRESH TABLE shop.people");

/// A flow of `shop.people`: existing, strategy, more keys.
macro_rules! copy {
    ($entry:literal, $strategy:literal, $more:literal) => {
        concat!(
            "  copy:\n    from: shop\n    to: analytics\n    tables:\n      - ",
            $entry,
            "\n    strategy: { ",
            $strategy,
            " }\n    ",
            $more,
            "\n"
        )
    };
}

/// A flow of tables whose rows a program moves: entries, existing and more keys.
macro_rules! etl {
    ($entries:literal, $more:literal) => {
        concat!(
            "  copy:\n    from: shop\n    to: analytics\n    tables: [",
            $entries,
            "]\n    strategy: { custom: { engine: command, run: [",
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/commands/copy.py] } }\n    ",
            $more,
            "\n"
        )
    };
}

macro_rules! live {
    ($tables:literal) => {
        concat!(
            "  live:\n    from: shop\n    to: analytics\n    tables: [",
            $tables,
            "]\n    strategy: { logical-replication: {} }\n"
        )
    };
}

macro_rules! export {
    ($more:literal) => {
        concat!(
            "  out:\n    from: shop\n    to: { store: disk }\n    tables: [shop.people]\n    strategy: { export-import: { ",
            $more,
            " } }\n    repeat: on-change\n"
        )
    };
}

const EXPORT: &str = export!("keep: 1");
const EXPORT_AND_IMPORT: &str = concat!(
    export!("keep: 1"),
    "  in:\n    from: { store: disk }\n    to: analytics\n    tables: [shop.people]\n    strategy: { export-import: {} }\n",
);
const KEPT_UP: &str = copy!("{ from: shop.people, cursor: id }", "custom: { engine: stream }", "existing: upsert");
const PRUNED: &str = copy!(
    "{ from: shop.people, prune: true }",
    "custom: { engine: stream }",
    "existing: upsert\n    repeat: on-change"
);
const LESS: Do = On("shop", "DELETE FROM shop.people WHERE id IN (3, 4); REFRESH TABLE shop.people");
const ADDED: &str = copy!("{ from: shop.people, cursor: id }", "custom: { engine: stream }", "existing: append");
const BY_VIEW: &str = copy!("shop.people", "custom: { engine: stream }", "existing: replace\n    replace_by: view");
const BY_VIEW_LESS: &str = copy!(
    "{ from: shop.people, where: id > 2 }",
    "custom: { engine: stream }",
    "existing: replace\n    replace_by: view"
);
const SNAPSHOT_AGAIN: &str =
    copy!("shop.people", "snapshot: { store: disk, keep: 1 }", "existing: replace\n    repeat: on-change");
const CSV_AGAIN: &str = copy!(
    "shop.people",
    "export-import: { store: disk, format: csv, keep: 1 }",
    "existing: replace\n    repeat: on-change"
);

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a copy is made",
        flows: copy!("shop.people", "custom: { engine: stream }", "existing: error"),
        ..PLAIN
    },
    Scenario {
        name: "a copy is swapped in",
        before: &[On("analytics", THEIRS)],
        flows: copy!("shop.people", "custom: { engine: stream }", "existing: replace"),
        ..PLAIN
    },
    Scenario {
        name: "a target reads by itself",
        flows: copy!("shop.people", "custom: { engine: foreign-table, chunk_rows: 10 }", "existing: error"),
        ..PLAIN
    },
    Scenario {
        name: "a target reads into what is there",
        before: &[On("analytics", THEIRS)],
        flows: copy!("shop.people", "custom: { engine: foreign-table }", "existing: upsert"),
        ..PLAIN
    },
    Scenario {
        name: "a target adds rows that it reads",
        before: &[On("analytics", EMPTY)],
        flows: copy!("shop.people", "custom: { engine: foreign-table }", "existing: append"),
        ..PLAIN
    },
    Scenario {
        name: "a view takes the place of a table",
        before: &[On("analytics", THEIRS)],
        flows: BY_VIEW,
        versions: 3,
        keeps: Some("copy"),
        ..PLAIN
    },
    Scenario {
        name: "a view is switched",
        before: &[Apply(BY_VIEW), Apply(BY_VIEW_LESS)],
        flows: copy!(
            "{ from: shop.people, where: id > 5 }",
            "custom: { engine: stream }",
            "existing: replace\n    replace_by: view"
        ),
        versions: 2,
        keeps: Some("copy"),
        ..PLAIN
    },
    Scenario {
        name: "rows are appended",
        before: &[On("analytics", EMPTY)],
        flows: copy!("shop.people", "custom: { engine: stream }", "existing: append"),
        ..PLAIN
    },
    Scenario {
        name: "rows are upserted",
        before: &[On("analytics", THEIRS)],
        flows: copy!("shop.people", "custom: { engine: stream }", "existing: upsert"),
        ..PLAIN
    },
    Scenario { name: "a table is kept up by a cursor", before: &[Apply(KEPT_UP), ONE_MORE], flows: KEPT_UP, ..PLAIN },
    Scenario { name: "rows are pruned", before: &[Apply(PRUNED), LESS], flows: PRUNED, ..PLAIN },
    Scenario {
        name: "rows of others are pruned",
        before: &[On("analytics", THEIRS)],
        flows: PRUNED,
        consents: &["rows:*"],
        ..PLAIN
    },
    Scenario { name: "rows are added by a cursor", before: &[Apply(ADDED), ONE_MORE], flows: ADDED, ..PLAIN },
    Scenario {
        name: "a copy is forgotten",
        before: &[Apply(copy!("shop.people", "custom: { engine: stream }", "existing: error"))],
        ..PLAIN
    },
    Scenario { name: "tables are replicated", flows: live!("shop.people, shop.parts"), ..PLAIN },
    Scenario {
        name: "a table leaves a replication",
        before: &[Apply(live!("shop.people, shop.parts"))],
        flows: live!("shop.people"),
        ..PLAIN
    },
    Scenario {
        name: "a replication ends",
        before: &[Apply(live!("shop.people"))],
        consents: &["subscription:*", "publication:*"],
        ..PLAIN
    },
    Scenario {
        name: "tables are detached",
        flows: copy!("shop.people", "logical-replication: { then: detach }", "existing: error"),
        ..PLAIN
    },
    Scenario {
        name: "a table is detached into another schema",
        flows: copy!(
            "{ from: shop.people, to: crm.people }",
            "logical-replication: { then: detach }",
            "existing: error\n    target: { replicas: 0-1, refresh_interval: 5000 }"
        ),
        ..PLAIN
    },
    Scenario {
        name: "a detached table is swapped in",
        before: &[On("analytics", THEIR_PERSONS)],
        flows: copy!(
            "{ from: shop.people, to: shop.persons }",
            "logical-replication: { then: detach }",
            "existing: replace"
        ),
        ..PLAIN
    },
    Scenario {
        name: "a snapshot is restored",
        flows: copy!(
            "shop.people",
            "snapshot: { store: disk }",
            "existing: error\n    target: { replicas: 0-1, refresh_interval: 5000 }"
        ),
        ..PLAIN
    },
    Scenario {
        name: "a snapshot is restored again",
        before: &[Apply(SNAPSHOT_AGAIN), ONE_MORE],
        flows: SNAPSHOT_AGAIN,
        keeps: Some("copy"),
        ..PLAIN
    },
    Scenario {
        name: "snapshots end",
        before: &[Apply(SNAPSHOT_AGAIN)],
        consents: &["repository:*", "snapshot:*"],
        ..PLAIN
    },
    Scenario {
        name: "partitions are restored",
        before: &[On("analytics", THEIR_PARTS)],
        flows: copy!(
            "{ from: shop.parts, partitions: [{ month: 1 }, { month: 3 }] }",
            "snapshot: { store: disk }",
            "existing: replace"
        ),
        consents: &["rows:*"],
        ..PLAIN
    },
    Scenario {
        name: "partitions are filled",
        before: &[On("analytics", THEIR_PARTS)],
        flows: copy!(
            "{ from: shop.parts, partitions: [{ month: 1 }, { month: 3 }] }",
            "custom: { engine: stream }",
            "existing: replace"
        ),
        consents: &["rows:*"],
        ..PLAIN
    },
    Scenario {
        name: "a program makes copies",
        before: &[On("analytics", THEIRS)],
        flows: etl!("shop.people, shop.parts", "existing: replace"),
        ..PLAIN
    },
    Scenario {
        name: "rows of a program are appended",
        before: &[On("analytics", EMPTY)],
        flows: etl!("shop.people", "existing: append"),
        ..PLAIN
    },
    Scenario {
        name: "rows of a program are upserted",
        before: &[On("analytics", THEIRS)],
        flows: etl!("shop.people", "existing: upsert"),
        ..PLAIN
    },
    Scenario {
        name: "files are exported and imported",
        flows: copy!("shop.people", "export-import: { store: disk }", "existing: error"),
        ..PLAIN
    },
    Scenario {
        name: "files are written and imported again",
        before: &[Apply(CSV_AGAIN), ONE_MORE],
        flows: CSV_AGAIN,
        keeps: Some("copy"),
        bucket: true,
        ..PLAIN
    },
    Scenario {
        name: "an export goes into a store again",
        before: &[Apply(EXPORT), ONE_MORE],
        flows: EXPORT,
        keeps: Some("out"),
        bucket: true,
        ..PLAIN
    },
    Scenario {
        name: "an export is imported",
        before: &[Apply(EXPORT)],
        flows: EXPORT_AND_IMPORT,
        bucket: true,
        ..PLAIN
    },
];
