//! Plans with everything that views show, written down by hand.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::consent::DropKind;
use transship_model::ledger::{FlowRow, FlowState, LedgerView, Owned};
use transship_model::observed::{OBSERVATION_FORMAT, Observation, Observed};
use transship_model::plan::{
    Action, Afterwards, Blocked, ChangeTables, Consent, ConsentBy, CopyRows, DueFlow, Estimate, KeyColumn, Note,
    ObjectRef, PLAN_FORMAT, Param, ParamRef, Plan, PlannedCluster, Precondition, Record, RowWrite, SpecFiles, Step,
    StepId, StepKind, WaitReleased, WaitSynced,
};
use transship_model::span::Span;
use transship_model::spec::{ReplicationMode, Strategy};
use transship_model::{FlowId, Name, Place, SpanIndex, SpecPath, TableName, TimeSpan, Version};
use transship_plan::{FlowReport, FlowStatus, Report};

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn flow(text: &str) -> FlowId {
    text.parse().unwrap()
}

fn table(text: &str) -> TableName {
    text.parse().unwrap()
}

/// A plan that does nothing.
pub(crate) fn empty() -> Plan {
    let cluster = |id: &str| PlannedCluster { id: id.to_owned(), version: Version::new(6, 4, 0) };
    Plan {
        format_version: PLAN_FORMAT,
        tool_version: "0.1.0".to_owned(),
        workspace: name("shop-sync"),
        env: Some(name("prod")),
        spec: SpecFiles {
            path: "specs/shop".to_owned(),
            files: BTreeMap::from([("shop.yaml".to_owned(), "5e".repeat(32))]),
        },
        options: transship_plan::PlanOptions::default(),
        partial: false,
        digest: "4e1c".repeat(16),
        clusters: BTreeMap::from([
            (name("analytics"), cluster("Xk2JmZ7cQ0qEo1oW1fZ0bg")),
            (name("shop"), cluster("n34BfqsmS4yiZj9OSCC6Jg")),
        ]),
        basis: Vec::new(),
        records: Vec::new(),
        steps: Vec::new(),
        blocked: Vec::new(),
        due: Vec::new(),
        unseen: Vec::new(),
        warnings: Vec::new(),
    }
}

/// Where the two flows are declared.
pub(crate) fn index() -> SpanIndex {
    let span = |line| Span { file: "shop.yaml".to_owned(), line, column: 3, offset: 0, length: 1 };
    let keys = [("customers", 9), ("orders-live", 14)].map(|(flow, line)| (SpecPath::of("flows", flow), span(line)));
    SpanIndex { keys: BTreeMap::from(keys), values: BTreeMap::new() }
}

/// What was seen on two clusters without any table.
pub(crate) fn observation() -> Observation {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let cluster = |id: &str| Observed {
        id: id.to_owned(),
        cluster_name: "crate".to_owned(),
        version: Version::new(6, 4, 0),
        newest_version: Version::new(6, 4, 0),
        user: "transship".to_owned(),
        superuser: Some(false),
        users: None,
        privileges: None,
        now,
        tables: BTreeMap::new(),
        publications: BTreeMap::new(),
        subscriptions: BTreeMap::new(),
        ledger: LedgerView::Absent,
        repositories: BTreeMap::new(),
        servers: BTreeMap::new(),
        described: BTreeMap::new(),
        unseen: Vec::new(),
    };
    let clusters = BTreeMap::from([
        (name("analytics"), cluster("Xk2JmZ7cQ0qEo1oW1fZ0bg")),
        (name("shop"), cluster("n34BfqsmS4yiZj9OSCC6Jg")),
    ]);
    Observation { format_version: OBSERVATION_FORMAT, taken: now, clusters, stores: BTreeMap::new() }
}

/// Nothing to do, and the report beside it.
pub(crate) fn unchanged_report() -> Report {
    let clean = |note: &str| FlowReport {
        status: FlowStatus::UpToDate,
        differences: Vec::new(),
        unhealthy: Vec::new(),
        notes: vec![note.to_owned()],
    };
    Report {
        flows: BTreeMap::from([
            (flow("customers"), clean("every operation has arrived")),
            (flow("orders-live"), clean("17 operations behind")),
        ]),
        unmanaged: vec!["publication shop.transship__shop_sync__old".to_owned()],
        unseen: BTreeMap::new(),
    }
}

fn step(flow_id: &str, number: usize, cluster: &str, kind: StepKind, because: &str) -> Step {
    Step {
        id: StepId(format!("{flow_id}/{number:02}-{kind}")),
        flow: Some(flow(flow_id)),
        cluster: name(cluster),
        kind,
        sql: Vec::new(),
        params: Vec::new(),
        action: None,
        preconditions: Vec::new(),
        because: because.to_owned(),
        at: Some(Place { file: "shop.yaml".to_owned(), line: 14 }),
        depends_on: Vec::new(),
        destructive: false,
        consent: None,
        estimate: None,
    }
}

fn record(flow_id: &str, tables: &[&str]) -> Record {
    let owned = |name: &str| Some(Owned { name: name.to_owned(), owner: "transship".to_owned() });
    Record {
        flow: flow(flow_id),
        cluster: name("analytics"),
        row: FlowRow {
            state: FlowState::Applying,
            strategy: Strategy::LogicalReplication,
            from: name("shop"),
            from_id: "n34BfqsmS4yiZj9OSCC6Jg".to_owned(),
            to: name("analytics"),
            to_id: "Xk2JmZ7cQ0qEo1oW1fZ0bg".to_owned(),
            publication: owned("transship__shop_sync__prod__orders_live"),
            subscription: owned("transship__shop_sync__prod__orders_live"),
            tables: tables.iter().map(|text| table(text)).collect::<BTreeSet<_>>(),
            made: BTreeSet::new(),
            prevent_destroy: false,
            declaration: "d0".repeat(32),
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
        },
        then: Afterwards::Done,
    }
}

fn chain(mut steps: Vec<Step>) -> Vec<Step> {
    for i in 1..steps.len() {
        if steps[i].flow == steps[i - 1].flow {
            steps[i].depends_on = vec![steps[i - 1].id.clone()];
        }
    }
    steps
}

fn wait_synced(tables: &[&str]) -> Action {
    Action::WaitSynced(WaitSynced {
        source: name("shop"),
        subscription: "transship__shop_sync__prod__orders_live".to_owned(),
        tables: tables.iter().map(|text| table(text)).collect(),
        timeout: TimeSpan::seconds(86_400),
        mark: "SELECT schema_name, id FROM sys.shards".to_owned(),
        states: "SELECT srrelid::text, srsubstate FROM pg_catalog.pg_subscription_rel".to_owned(),
        reached: "SELECT schema_name, id FROM sys.shards".to_owned(),
        refresh: "REFRESH TABLE \"shop\".\"orders\"".to_owned(),
    })
}

fn change_tables(before: &[&str], after: &[&str]) -> Action {
    let tables = |names: &[&str]| names.iter().map(|text| table(text)).collect();
    Action::ChangeTables(ChangeTables {
        publication: "transship__shop_sync__prod__orders_live".to_owned(),
        before: tables(before),
        after: tables(after),
    })
}

fn copy_rows(from: &str, into: &str) -> Action {
    let (from, into) = (table(from), table(into));
    Action::CopyRows(CopyRows {
        cursor: None,
        source: name("shop"),
        unreadable: None,
        mark: "SELECT schema_name, id FROM sys.shards".to_owned(),
        refresh_source: "REFRESH TABLE \"shop\".\"customers\"".to_owned(),
        columns: None,
        select: "SELECT \"id\" FROM \"shop\".\"customers\"".to_owned(),
        insert: format!("INSERT INTO \"shop\".\"{}\" (\"id\") VALUES ($1)", into.table),
        write: RowWrite::Insert,
        many: None,
        sensitive: false,
        keyed: true,
        key: vec![KeyColumn { at: 0, name: "id".to_owned(), data_type: "bigint".to_owned(), sensitive: false }],
        inner: Vec::new(),
        transform: None,
        refresh: format!("REFRESH TABLE \"shop\".\"{}\"", into.table),
        count: Some(format!("SELECT count(*) FROM \"shop\".\"{}\"", into.table)),
        chunks: None,
        timeout: TimeSpan::seconds(86_400),
        done: None,
        from,
        into,
    })
}

/// A first run: the ledger and one new flow that comes after another.
pub(crate) fn create() -> Plan {
    let because = "flow orders-live is new";
    let publication = "transship__shop_sync__prod__orders_live";
    let publication_ref = ObjectRef::publication(&name("shop"), publication);
    let ledger = Step {
        id: StepId("@analytics/01-create-ledger".to_owned()),
        flow: None,
        sql: vec!["CREATE TABLE IF NOT EXISTS \"transship\".\"flows\" (workspace TEXT)".to_owned()],
        at: None,
        ..step("x", 1, "analytics", StepKind::CreateLedger, "analytics keeps the history of what flows into it")
    };
    let steps = vec![
        ledger.clone(),
        Step {
            sql: vec![format!("CREATE PUBLICATION \"{publication}\"")],
            preconditions: vec![Precondition::Absent(publication_ref.clone())],
            depends_on: vec![ledger.id, StepId("customers/04-wait-synced".to_owned())],
            ..step("orders-live", 1, "shop", StepKind::CreatePublication, because)
        },
        Step {
            sql: vec![format!(
                "ALTER PUBLICATION \"{publication}\" ADD TABLE \"shop\".\"order_lines\", \"shop\".\"orders\""
            )],
            preconditions: vec![Precondition::Present(publication_ref)],
            action: Some(change_tables(&[], &["shop.order_lines", "shop.orders"])),
            ..step("orders-live", 2, "shop", StepKind::PublishTables, because)
        },
        Step {
            sql: vec![format!("CREATE SUBSCRIPTION \"{publication}\" CONNECTION $1 PUBLICATION \"{publication}\"")],
            params: vec![Param {
                reference: ParamRef::SubscriptionConnection { cluster: name("shop"), mode: ReplicationMode::Tunnel },
                shown: "crate://shop.internal:5432?user=repl&password=***&mode=pg_tunnel&sslmode=require".to_owned(),
            }],
            ..step("orders-live", 3, "analytics", StepKind::CreateSubscription, because)
        },
        Step {
            action: Some(wait_synced(&["shop.order_lines", "shop.orders"])),
            ..step("orders-live", 4, "analytics", StepKind::WaitSynced, because)
        },
    ];
    Plan { steps: chain(steps), records: vec![record("orders-live", &["shop.orders", "shop.order_lines"])], ..empty() }
}

/// A table added to a flow and one taken out, with a warning.
pub(crate) fn change() -> Plan {
    let publication = "transship__shop_sync__prod__orders_live";
    let steps = vec![
        Step {
            sql: vec![format!("ALTER PUBLICATION \"{publication}\" ADD TABLE \"shop\".\"refunds\"")],
            action: Some(change_tables(
                &["shop.audit", "shop.order_lines", "shop.orders"],
                &["shop.audit", "shop.order_lines", "shop.orders", "shop.refunds"],
            )),
            ..step(
                "orders-live",
                1,
                "shop",
                StepKind::PublishTables,
                "shop.refunds matches the flow and is not published",
            )
        },
        Step {
            sql: vec![format!(
                "ALTER PUBLICATION \"{publication}\" SET TABLE \"shop\".\"order_lines\", \"shop\".\"orders\", \
                 \"shop\".\"refunds\""
            )],
            action: Some(change_tables(
                &["shop.audit", "shop.order_lines", "shop.orders", "shop.refunds"],
                &["shop.order_lines", "shop.orders", "shop.refunds"],
            )),
            ..step("orders-live", 2, "shop", StepKind::UnpublishTables, "shop.audit no longer belongs to the flow")
        },
        Step {
            action: Some(Action::WaitReleased(WaitReleased {
                subscription: publication.to_owned(),
                tables: vec![table("shop.audit")],
                timeout: TimeSpan::seconds(600),
                required: true,
                states: "SELECT srrelid::text FROM pg_catalog.pg_subscription_rel".to_owned(),
            })),
            ..step("orders-live", 3, "analytics", StepKind::WaitReleased, "shop.audit no longer belongs to the flow")
        },
        Step {
            action: Some(wait_synced(&["shop.refunds"])),
            ..step(
                "orders-live",
                4,
                "analytics",
                StepKind::WaitSynced,
                "shop.refunds matches the flow and is not published",
            )
        },
    ];
    let warning = Note {
        code: "plan::stays-writable".to_owned(),
        flow: Some(flow("orders-live")),
        text: "analytics.shop.audit stays as an ordinary, writable table; it is no longer kept up to date".to_owned(),
    };
    let tables = ["shop.orders", "shop.order_lines", "shop.refunds"];
    Plan { steps: chain(steps), records: vec![record("orders-live", &tables)], warnings: vec![warning], ..empty() }
}

/// A lost publication: drops that nobody permitted, one that somebody did, and a flow that cannot be judged.
pub(crate) fn blocked() -> Plan {
    let object = "transship__shop_sync__prod__orders_live";
    let because = "publication shop.transship__shop_sync__prod__orders_live is gone: the subscription looks alive, but \
                   nothing arrives";
    let consent = |kind, full: &str, given| Some(Consent { kind, name: full.to_owned(), given });
    let drop_table = |number, full: &str, quoted: &str, given| Step {
        sql: vec![format!("DROP TABLE {quoted}")],
        destructive: true,
        consent: consent(DropKind::Table, full, given),
        ..step(
            "orders-live",
            number,
            "analytics",
            StepKind::DropTable,
            "a subscription cannot take over a table that exists",
        )
    };
    let steps = vec![
        Step {
            sql: vec![format!("DROP SUBSCRIPTION IF EXISTS \"{object}\"")],
            destructive: true,
            consent: consent(DropKind::Subscription, &format!("analytics.{object}"), None),
            ..step("orders-live", 1, "analytics", StepKind::DropSubscription, because)
        },
        drop_table(2, "analytics.shop.orders", "\"shop\".\"orders\"", None),
        drop_table(
            3,
            "analytics.shop.order lines",
            "\"shop\".\"order lines\"",
            Some(ConsentBy::Flag("table:analytics.shop.*lines".to_owned())),
        ),
        Step {
            sql: vec![format!("CREATE PUBLICATION \"{object}\"")],
            ..step("orders-live", 4, "shop", StepKind::CreatePublication, because)
        },
    ];
    let block = |index: usize, reason: &str| Blocked {
        code: "plan::needs-consent".to_owned(),
        step: Some(steps[index].id.clone()),
        flow: Some(flow("orders-live")),
        reason: reason.to_owned(),
        help: "--allow-drop …, or allow_drop in the spec".to_owned(),
    };
    let blocked = vec![
        block(0, &format!("drops subscription analytics.{object}")),
        block(1, "drops table analytics.shop.orders and its rows"),
        Blocked {
            code: "plan::prevent-destroy".to_owned(),
            step: None,
            flow: Some(flow("orders-live")),
            reason: "prevent_destroy forbids every drop of this flow".to_owned(),
            help: "take prevent_destroy out of the flow, in a change of its own".to_owned(),
        },
    ];
    let unseen = Note {
        code: "plan::not-observable".to_owned(),
        flow: Some(flow("customers")),
        text:
            "not observable as `reader`: publication shop.transship__shop_sync__prod__customers belongs to `transship`"
                .to_owned(),
    };
    Plan {
        blocked,
        unseen: vec![unseen],
        records: vec![record("orders-live", &["shop.orders"])],
        steps: chain(steps),
        ..empty()
    }
}

/// A new flow, and another one that fell due: its copy replaces what is there.
pub(crate) fn due() -> Plan {
    let because =
        "shop.shop.customers was last copied by a run that began 2026-11-21 03:00:07 UTC, and is due every 1d";
    let aside = "\"shop\".\"transship__5f99381bccadd0a1__customers\"";
    let consent =
        Consent { kind: DropKind::Table, name: "analytics.shop.customers".to_owned(), given: Some(ConsentBy::Replace) };
    let steps = vec![
        Step {
            sql: vec![format!(
                "CREATE TABLE {aside} (\n   \"id\" BIGINT NOT NULL,\n   PRIMARY KEY (\"id\")\n)\nCLUSTERED BY (\"id\") \
                 INTO 4 SHARDS\nWITH (\n   \"column_policy\" = 'strict'\n)"
            )],
            ..step("customers", 1, "analytics", StepKind::CreateTable, because)
        },
        Step {
            action: Some(copy_rows("shop.customers", "shop.transship__5f99381bccadd0a1__customers")),
            estimate: Some(Estimate { rows: Some(850_000), bytes: Some(96_000_000), seconds: None }),
            ..step("customers", 2, "analytics", StepKind::CopyRows, because)
        },
        Step {
            sql: vec![format!("ALTER CLUSTER SWAP TABLE {aside} TO \"shop\".\"customers\" WITH (drop_source = true)")],
            destructive: true,
            consent: Some(consent),
            ..step(
                "customers",
                3,
                "analytics",
                StepKind::SwapTable,
                "the copy is complete, and takes the place of what is there",
            )
        },
    ];
    let warning = Note {
        code: "plan::swap-shows".to_owned(),
        flow: Some(flow("customers")),
        text: "readers of analytics.shop.customers may see errors, too few rows or none while the copy is swapped in"
            .to_owned(),
    };
    let due = DueFlow {
        flow: flow("customers"),
        digest: "d0e1".repeat(16),
        basis: Vec::new(),
        record: record("customers", &["shop.customers"]),
        steps: chain(steps),
        blocked: Vec::new(),
        warnings: vec![warning],
    };
    let waits = due.steps[2].id.clone();
    let mut plan = Plan { due: vec![due], ..create() };
    plan.steps[1].depends_on = vec![plan.steps[0].id.clone(), waits];
    plan
}

/// The report of a workspace of which one flow is due.
pub(crate) fn due_report() -> Report {
    let because =
        "shop.shop.customers was last copied by a run that began 2026-11-21 03:00:07 UTC, and is due every 1d";
    let mut report = unchanged_report();
    let customers = FlowReport {
        status: FlowStatus::Due,
        differences: Vec::new(),
        unhealthy: Vec::new(),
        notes: vec![because.to_owned()],
    };
    report.flows.insert(flow("customers"), customers);
    report
}

/// The report beside [`blocked`].
pub(crate) fn blocked_report() -> Report {
    let flows = [
        (
            "customers",
            FlowReport {
                status: FlowStatus::NotObservable,
                differences: Vec::new(),
                unhealthy: Vec::new(),
                notes: vec![
                    "analytics.shop.customers: shop keeps operations for analytics; 12 operations behind".into(),
                ],
            },
        ),
        (
            "orders-live",
            FlowReport {
                status: FlowStatus::Blocked,
                differences: vec!["publication shop.transship__shop_sync__prod__orders_live is gone".into()],
                unhealthy: Vec::new(),
                notes: Vec::new(),
            },
        ),
    ];
    Report { flows: flows.into_iter().map(|(id, report)| (flow(id), report)).collect(), ..unchanged_report() }
}
