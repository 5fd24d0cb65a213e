//! Observations of recorded answers.

use std::collections::BTreeSet;

use serde_json::json;
use transship_model::ledger::LedgerView;
use transship_model::observed::{Health, Observed, RelationState, TableKind, Writable};
use transship_model::{Name, TableName};
use transship_sql::observe as catalog;

use crate::error::{ClusterError, ErrorKind};
use crate::recorded::Replay;
use crate::value::{Rows, Value};

const PUBLISHER: &str = include_str!("../../recordings/publisher.json");
const SUBSCRIBER: &str = include_str!("../../recordings/subscriber.json");
const PLAIN: &str = include_str!("../../recordings/plain.json");

async fn observe(replay: &Replay) -> Result<Observed, ClusterError> {
    let workspace: Name = "shop-sync".parse().expect("a name");
    crate::observe(replay, &workspace, None).await
}

async fn observed(text: &str) -> Observed {
    observe(&Replay::of(text)).await.expect("an observation")
}

fn table(name: &str) -> TableName {
    name.parse().expect("a table")
}

fn rows(columns: &[&str], rows: &[&[&str]]) -> Rows {
    let text = |text: &&str| Value::Text((*text).to_owned());
    Rows {
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        rows: rows.iter().map(|row| row.iter().map(text).collect()).collect(),
    }
}

#[tokio::test]
async fn a_publisher_shows_its_tables_and_who_follows_them() {
    let observed = observed(PUBLISHER).await;
    assert_eq!((observed.cluster_name.as_str(), observed.user.as_str()), ("shop", "crate"));
    assert_eq!((observed.superuser, observed.version.to_string()), (Some(true), "6.4.0".to_owned()));
    assert_eq!(observed.users.as_ref().map(|users| users["repl"].roles.clone()), Some(vec!["auditors".to_owned()]));
    assert_eq!(observed.privileges.as_ref().map(Vec::len), Some(2));
    assert_eq!((observed.unseen.len(), &observed.ledger), (0, &LedgerView::Absent));
    assert_eq!(
        observed.publications["transship__shop_sync__live"].tables,
        BTreeSet::from([table("shop.customers"), table("shop.orders")])
    );

    let orders = &observed.tables[&table("shop.orders")];
    let columns: Vec<_> = orders.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["id", "month", "status", "meta", "meta['src']", "day"]);
    assert_eq!(orders.columns[2].default.as_deref(), Some("'new'"));
    assert_eq!(orders.columns[5].generated.as_deref(), Some("date_trunc('day', month)"));
    assert!(!orders.columns[2].nullable && orders.columns[5].nullable);
    assert_eq!((orders.primary_key.join(","), orders.partitioned_by.join(",")), ("id,month".into(), "month".into()));
    assert_eq!(
        (orders.clustered_by.as_deref(), orders.shards, orders.health),
        (Some("id"), Some(1), Some(Health::Green))
    );
    assert_eq!(orders.primaries.len(), 2);
    assert!(orders.primaries.iter().all(|shard| shard.leases.len() == 1 && shard.leases[0].subscriber == "analytics"));

    let customers = &observed.tables[&table("shop.customers")];
    assert_eq!(customers.primaries.len(), 2, "replicas that are not assigned do not count");
    assert_eq!(customers.health, Some(Health::Yellow));
    assert_eq!(observed.tables[&table("shop.v")].kind, TableKind::View);
}

#[tokio::test]
async fn a_subscriber_shows_what_it_follows() {
    let replay = Replay::of(SUBSCRIBER);
    let mut observed = observe(&replay).await.expect("an observation");
    let subscription = &observed.subscriptions["transship__shop_sync__live"];
    assert!(subscription.connection.contains("?user=*&password=*&mode=pg_tunnel"));
    assert_eq!(subscription.publications, ["transship__shop_sync__live"]);
    assert_eq!(subscription.tables[&table("shop.orders")].state, RelationState::Monitoring);

    let all = observed.tables.keys().cloned().collect();
    crate::define(&replay, &mut observed, &all, &all).await.expect("definitions");
    let orders = &observed.tables[&table("shop.orders")];
    assert_eq!(orders.writable, Some(Writable::Subscribed));
    assert!(orders.definition.as_deref().is_some_and(|text| text.starts_with("CREATE TABLE IF NOT EXISTS")));
}

#[tokio::test]
async fn what_the_user_may_not_see_is_said() {
    let seen = observed(PLAIN).await;
    assert!(!seen.tables[&table("shop.orders")].visible);
    assert!(seen.subscriptions.is_empty());

    let hidden =
        |sql, what: &'static str| (Replay::of(PUBLISHER).with_error(sql, "3F000", "Schema 'sys' unknown"), what);
    for (replay, what) in [
        hidden(catalog::PRIVILEGES, "sys.privileges"),
        hidden(catalog::USERS, "sys.users"),
        hidden(catalog::NODES, "sys.nodes"),
        hidden(catalog::SHARDS, "sys.shards"),
        hidden(catalog::SEGMENTS, "sys.segments"),
    ] {
        let observed = observe(&replay).await.expect("an observation");
        let unseen: Vec<_> = observed.unseen.iter().map(|unseen| unseen.what.as_str()).collect();
        assert_eq!(unseen, [what]);
        assert_eq!(observed.version.to_string(), "6.4.0");
        assert_eq!(observed.superuser.is_none(), what == "sys.users");
    }
}

#[tokio::test]
async fn a_cluster_without_identity_or_answer_is_an_error() {
    let error = |sql, sqlstate: &'static str, message: &'static str| async move {
        observe(&Replay::of(PUBLISHER).with_error(sql, sqlstate, message)).await.expect_err("an error")
    };
    let hidden = error(catalog::CLUSTER, "3F000", "Schema 'sys' unknown").await;
    assert!(matches!(&hidden.kind, ErrorKind::MissingPrivilege { user, .. } if user == "crate"));
    assert!(hidden.help().is_some_and(|help| help.contains("GRANT DQL ON SCHEMA sys TO \"crate\"")));
    let killed = error(catalog::SHARDS, "XX000", "Job killed. NODE: b-1").await;
    assert_eq!(killed.kind, ErrorKind::Killed);
    let strange = Replay::of(PUBLISHER).with_rows(catalog::CLUSTER, rows(&["id"], &[&["x"]]));
    let strange = observe(&strange).await.expect_err("an error");
    assert_eq!(strange.kind, ErrorKind::Answer);
    assert!(strange.message.contains("column `name`"), "{}", strange.message);
}

#[tokio::test]
async fn the_ledger_is_read_as_far_as_it_goes() {
    let row = json!({
        "state": "done", "strategy": "logical-replication", "from": "shop", "from_id": "a", "to": "analytics", "to_id": "b",
        "tables": ["shop.orders"], "made": [], "prevent_destroy": false, "declaration": "00"
    });
    let with = |format: &str, document: &str| {
        Replay::of(SUBSCRIBER)
            .with_rows(catalog::LEDGER_META, rows(&["key", "value"], &[&["format_version", format]]))
            .with_rows(catalog::LEDGER_FLOWS, rows(&["flow", "document", "run"], &[&["live", document, "r1"]]))
    };
    let view = |replay: Replay| async move { observe(&replay).await.expect("an observation").ledger };

    let present = view(with("1", &row.to_string())).await;
    assert_eq!(present.rows().map(|(flow, _)| flow.to_string()).collect::<Vec<_>>(), ["live"]);
    assert_eq!(present.entry(&"live".parse().unwrap()).map(|entry| entry.run.as_str()), Some("r1"));
    assert_eq!(view(with("9", "{}")).await, LedgerView::Newer(9));
    assert!(matches!(view(with("x", "{}")).await, LedgerView::Unreadable(_)));
    assert!(matches!(view(with("1", "{}")).await, LedgerView::Unreadable(_)));
    let denied = with("1", "{}").with_error(catalog::LEDGER_META, "XX000", "Missing 'DQL' privilege for user 'x'");
    assert!(matches!(view(denied).await, LedgerView::Unreadable(_)));
    let half = with("1", "{}").with_error(catalog::LEDGER_FLOWS, "42P01", "Relation 'transship.flows' unknown");
    assert_eq!(view(half).await, LedgerView::Absent);
}

#[tokio::test]
async fn a_hidden_ledger_is_not_an_absent_one() {
    let segments = rows(&["table_schema", "table_name"], &[&["transship", "flows"], &["shop", "secret"]]);
    let observed =
        observe(&Replay::of(SUBSCRIBER).with_rows(catalog::SEGMENTS, segments)).await.expect("an observation");
    assert!(matches!(&observed.ledger, LedgerView::Unreadable(why) if why.contains("may not read")));
    assert!(!observed.tables[&table("shop.secret")].visible);
    assert!(!observed.tables.contains_key(&table("transship.flows")));
}
