//! Worlds for the planner: clusters, tables and flows in a few words.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use transship_model::access::{Endpoint, HostPort};
use transship_model::ledger::{FlowRow, FlowState, LedgerEntry, LedgerView, Owned};
use transship_model::observed::{
    Column, Health, Lease, OBSERVATION_FORMAT, Observation, Observed, Publication, RelationState, Shard,
    SubscribedTable, Subscription, Table, TableKind, User,
};
use transship_model::plan::{Plan, SpecFiles};
use transship_model::spec::{Flow, Spec, Strategy, TlsMode};
use transship_model::{FlowId, Name, SpanIndex, TableName, Version};
use transship_plan::{PlanInput, PlanOptions, digest, due_digest};
use transship_sql::connection;

/// A name that is known to be one.
pub(crate) fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// A flow id that is known to be one.
pub(crate) fn id(text: &str) -> FlowId {
    text.parse().expect("a flow id")
}

/// A table that is known to be one.
pub(crate) fn table(text: &str) -> TableName {
    text.parse().expect("schema.table")
}

/// The moment of every test.
pub(crate) fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

/// Clusters without tables and a spec without flows; the functions add to it.
pub(crate) fn world(clusters: &[&str]) -> PlanInput {
    let mut input = PlanInput {
        spec: Spec {
            workspace: name("ws"),
            environment: None,
            clusters: BTreeMap::new(),
            stores: BTreeMap::new(),
            flows: BTreeMap::new(),
            allow_drop: Vec::new(),
            fingerprint_key: None,
        },
        index: SpanIndex::default(),
        files: SpecFiles::default(),
        endpoints: BTreeMap::new(),
        stores: BTreeMap::new(),
        observation: Observation {
            format_version: OBSERVATION_FORMAT,
            taken: now(),
            clusters: BTreeMap::new(),
            stores: BTreeMap::new(),
        },
        now: now(),
        tool_version: "0.0.0".to_owned(),
        options: PlanOptions::default(),
    };
    for cluster in clusters {
        add_cluster(&mut input, cluster);
    }
    input
}

fn add_cluster(input: &mut PlanInput, cluster: &str) {
    let declared = serde_json::from_value(serde_json::json!({ "url": format!("postgres://crate@{cluster}.example/") }));
    input.spec.clusters.insert(name(cluster), declared.expect("a cluster"));
    let at = |port| HostPort { host: format!("{cluster}.example"), port };
    let endpoint = Endpoint {
        address: at(5432),
        user: "crate".to_owned(),
        tls: TlsMode::VerifyFull,
        tunnel: at(5432),
        transport: at(4300),
        subscriber: "crate".to_owned(),
        subscriber_has_password: true,
        id: None,
        limits: transship_model::spec::Limits::default(),
    };
    input.endpoints.insert(name(cluster), endpoint);
    let version = Version::new(6, 4, 3);
    let observed = Observed {
        id: format!("id-{cluster}"),
        cluster_name: format!("crate-{cluster}"),
        version,
        newest_version: version,
        user: "crate".to_owned(),
        superuser: Some(true),
        users: Some(BTreeMap::from([("crate".to_owned(), User { superuser: true, roles: Vec::new() })])),
        privileges: Some(Vec::new()),
        now: now(),
        tables: BTreeMap::new(),
        publications: BTreeMap::new(),
        subscriptions: BTreeMap::new(),
        ledger: LedgerView::Absent,
        repositories: BTreeMap::new(),
        servers: BTreeMap::new(),
        described: BTreeMap::new(),
        unseen: Vec::new(),
    };
    input.observation.clusters.insert(name(cluster), observed);
}

/// What was seen on a cluster, to change it.
pub(crate) fn at<'a>(input: &'a mut PlanInput, cluster: &str) -> &'a mut Observed {
    input.observation.clusters.get_mut(&name(cluster)).expect("a cluster of the world")
}

/// A table with one shard, ten rows and no leases.
pub(crate) fn plain_table(uuid: &str) -> Table {
    let column = |name: &str| Column {
        name: name.to_owned(),
        data_type: "bigint".to_owned(),
        nullable: name != "id",
        generated: None,
        default: None,
    };
    Table {
        kind: TableKind::Table,
        columns: vec![column("id"), column("v")],
        primary_key: vec!["id".to_owned()],
        partitioned_by: Vec::new(),
        clustered_by: Some("id".to_owned()),
        shards: Some(1),
        replicas: Some("0".to_owned()),
        column_policy: Some("strict".to_owned()),
        created: Some(Version::new(6, 4, 3)),
        closed: false,
        primaries: vec![Shard {
            partition: String::new(),
            id: 0,
            uuid: Some(uuid.to_owned()),
            max_seq_no: Some(9),
            global_checkpoint: Some(9),
            docs: 10,
            bytes: 1_000,
            stalled: false,
            leases: Vec::new(),
        }],
        health: Some(Health::Green),
        definition: None,
        writable: None,
        visible: true,
    }
}

/// What SHOW CREATE TABLE prints of [`plain_table`].
pub(crate) fn plain_definition(name: &str) -> String {
    let (schema, table) = name.split_once('.').expect("schema.table");
    format!(
        "CREATE TABLE IF NOT EXISTS \"{schema}\".\"{table}\" (\n   \"id\" BIGINT NOT NULL,\n   \"v\" BIGINT,\n   \
         PRIMARY KEY (\"id\")\n)\nCLUSTERED BY (\"id\") INTO 1 SHARDS\nWITH (\n   column_policy = 'strict'\n)"
    )
}

/// Declares a flow `name` that copies tables by `custom` with `engine: stream`, with more keys.
pub(crate) fn copying(input: &mut PlanInput, name: &str, tables: &serde_json::Value, more: &serde_json::Value) {
    let mut declared = serde_json::json!({
        "from": "a", "to": "b", "tables": tables, "strategy": { "custom": { "engine": "stream" } },
    });
    let object = declared.as_object_mut().expect("an object");
    object.extend(more.as_object().expect("an object").clone());
    flow(input, name, declared);
}

/// Adds tables to a cluster.
pub(crate) fn tables(input: &mut PlanInput, cluster: &str, names: &[&str]) {
    for text in names {
        let uuid = format!("{cluster}-{text}");
        at(input, cluster).tables.insert(table(text), plain_table(&uuid));
    }
}

/// Declares a flow, as YAML would, in JSON.
pub(crate) fn flow(input: &mut PlanInput, flow: &str, declared: serde_json::Value) {
    let declared: Flow = serde_json::from_value(declared).expect("a flow");
    input.spec.flows.insert(name(flow), declared);
}

/// Declares a replication flow of `tables`.
pub(crate) fn replication(input: &mut PlanInput, name: &str, from: &str, to: &str, tables: &[&str]) {
    let declared = serde_json::json!({
        "from": from, "to": to, "tables": tables, "strategy": { "logical-replication": {} },
    });
    flow(input, name, declared);
}

/// The state after a flow was applied: publication, subscription, tables, leases and ledger row.
pub(crate) fn applied(input: &mut PlanInput, flow: &str, from: &str, to: &str, names: &[&str]) {
    let object = transship_plan::derived(&input.spec.workspace, None, &id(flow));
    let set: BTreeSet<TableName> = names.iter().map(|text| table(text)).collect();
    let publication = Publication { all_tables: false, tables: set.clone() };
    at(input, from).publications.insert(object.clone(), publication);
    let connection = connection::catalog_form(&input.endpoints[&name(from)], Default::default());
    let followed = |name: &TableName| (name.clone(), SubscribedTable::new(RelationState::Monitoring));
    let subscription =
        Subscription { connection, publications: vec![object.clone()], tables: set.iter().map(followed).collect() };
    at(input, to).subscriptions.insert(object.clone(), subscription);
    tables(input, to, names);
    let subscriber = at(input, to).cluster_name.clone();
    for text in names {
        if let Some(source) = at(input, from).tables.get_mut(&table(text)) {
            let lease = Lease { subscriber: subscriber.clone(), retaining: 10, renewed: now() };
            source.primaries[0].leases.push(lease);
        }
    }
    let owned = || Some(Owned { name: object.clone(), owner: "crate".to_owned() });
    let row = FlowRow {
        state: FlowState::Done,
        strategy: Strategy::LogicalReplication,
        from: name(from),
        from_id: format!("id-{from}"),
        to: name(to),
        to_id: format!("id-{to}"),
        publication: owned(),
        subscription: owned(),
        made: set.clone(),
        tables: set,
        prevent_destroy: false,
        declaration: String::new(),
        copies: BTreeMap::new(),
        repository: None,
        snapshots: BTreeSet::new(),
        placing: BTreeMap::new(),
        adding: BTreeSet::new(),
        restoring: BTreeMap::new(),
        copying: BTreeMap::new(),
        arriving: BTreeMap::new(),
        detach: None,
        end: None,
        exports: BTreeMap::new(),
        auto: None,
    };
    ledger(input, to, flow, row);
}

/// Writes a ledger row.
pub(crate) fn ledger(input: &mut PlanInput, cluster: &str, flow: &str, row: FlowRow) {
    let seen = at(input, cluster);
    if !matches!(seen.ledger, LedgerView::Present(_)) {
        seen.ledger = LedgerView::Present(BTreeMap::new());
    }
    if let LedgerView::Present(rows) = &mut seen.ledger {
        rows.insert(id(flow), LedgerEntry { run: "before".to_owned(), row });
    }
}

/// Consents to drop everything.
pub(crate) fn allow_all(input: &mut PlanInput) {
    input.options.allow_drop = ["table:*", "subscription:*", "publication:*", "repository:*"]
        .iter()
        .map(|text| text.parse().expect("a consent"))
        .collect();
}

/// Makes the digests of a plan that was changed those of its content.
pub(crate) fn digest_again(plan: &mut Plan) {
    for index in 0..plan.due.len() {
        plan.due[index].digest = due_digest(plan, &plan.due[index]);
    }
    plan.digest = digest(plan);
}

/// The time of a world, moved on by so many seconds.
pub(crate) fn later(input: &mut PlanInput, seconds: i64) {
    input.now += jiff::SignedDuration::from_secs(seconds);
}

/// Somebody writes to a table.
pub(crate) fn write_to(input: &mut PlanInput, cluster: &str, name: &str) {
    let written = at(input, cluster).tables.get_mut(&table(name)).expect("a table of the world");
    written.primaries[0].max_seq_no = written.primaries[0].max_seq_no.map(|highest| highest + 1);
}
