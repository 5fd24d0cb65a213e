use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::BoxFuture;
use transship_model::observed::{Shard, SubscribedTable, Table};

use super::*;
use crate::recorded::Replay;
use crate::value::{Bind, Value};

/// A cluster of which one of two things gets on: of two shards that are behind, and of two subscriptions that copy a table
/// each, of which the second restores at its fifth look.
struct OneOfTwo {
    name: Name,
    looks: AtomicU32,
}

const RESTORES: u32 = 5;

impl OneOfTwo {
    fn new() -> Self {
        Self { name: "b".parse().expect("a name"), looks: AtomicU32::new(0) }
    }

    fn checkpoints(&self) -> Rows {
        let looks = i64::from(self.looks.fetch_add(1, Ordering::Relaxed));
        let row = |id, checkpoint| {
            vec![text("s"), text("t"), text(""), Value::Int(id), Value::Int(9), Value::Int(checkpoint)]
        };
        let columns = ["schema_name", "table_name", "partition_ident", "id", "max_seq_no", "global_checkpoint"];
        rows(&columns, vec![row(0, 5), row(1, 5 + looks)])
    }

    fn restores(&self) -> Rows {
        let runs = self.looks.load(Ordering::Relaxed) == RESTORES;
        rows(&["repository"], if runs { vec![vec![text("_logical_replication_slow")]] } else { Vec::new() })
    }
}

fn rows(columns: &[&str], rows: Vec<Vec<Value>>) -> Rows {
    Rows { columns: columns.iter().map(|&column| column.to_owned()).collect(), rows }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn subscriptions() -> Rows {
    let columns = ["name", "connection", "publications", "relation", "state", "reason"];
    let row = |name| {
        let publications = Value::List(vec![text("p")]);
        vec![text(name), text("crate://"), publications, text("s.t"), text("d"), Value::Null]
    };
    rows(&columns, vec![row("dead"), row("slow")])
}

impl Server for OneOfTwo {
    fn name(&self) -> &Name {
        &self.name
    }

    fn query<'a>(&'a self, sql: &'a str, _: &'a [Bind]) -> BoxFuture<'a, Result<Rows, ClusterError>> {
        let answer = match sql {
            catalog::SUBSCRIPTIONS => subscriptions(),
            _ if sql == replication::restores() => self.restores(),
            _ => self.checkpoints(),
        };
        Box::pin(async move { Ok(answer) })
    }

    fn execute<'a>(&'a self, _: &'a str, _: &'a [Bind]) -> BoxFuture<'a, Result<u64, ClusterError>> {
        unreachable!("watching changes nothing")
    }
}

/// A cluster with a table of two shards, which have come to 5.
async fn observed(name: &TableName) -> Observed {
    let recorded = Replay::of(include_str!("../../recordings/subscriber.json"));
    let workspace = "shop-sync".parse().expect("a name");
    let mut observed = crate::observe(&recorded, &workspace, None).await.expect("an observation");
    let some = observed.tables.values().find(|table| !table.primaries.is_empty()).expect("a table").clone();
    let shard = |id| Shard { id, partition: String::new(), global_checkpoint: Some(5), ..some.primaries[0].clone() };
    let table = Table { primaries: vec![shard(0), shard(1)], ..some };
    observed.tables.insert(name.clone(), table);
    observed
}

#[tokio::test]
async fn a_shard_that_never_moves_is_told_from_one_that_catches_up() {
    let name = TableName::new("s", "t");
    let mut observed = observed(&name).await;
    let behind = [0, 1].map(|id| ((name.clone(), String::new(), id), 8)).into();
    let server = OneOfTwo::new();
    let cluster = server.name.clone();
    let wanted = (&behind, &BTreeMap::new());
    look_again((&cluster, &server), &mut observed, wanted, Duration::ZERO).await.expect("looks");
    let stalled: Vec<bool> = observed.tables[&name].primaries.iter().map(|shard| shard.stalled).collect();
    assert_eq!(stalled, [true, false]);
    assert_eq!(server.looks.load(Ordering::Relaxed), LOOKS);
}

#[tokio::test]
async fn a_copy_without_a_restore_is_told_from_one_that_goes_on() {
    let name = TableName::new("s", "t");
    let mut observed = observed(&name).await;
    for of in ["dead", "slow"] {
        let copied = SubscribedTable::new(RelationState::Restoring);
        let subscription = Subscription { tables: [(name.clone(), copied)].into(), ..Subscription::default() };
        observed.subscriptions.insert(of.to_owned(), subscription);
    }
    let copying = ["dead", "slow"].map(|of| (of.to_owned(), BTreeSet::from([name.clone()]))).into();
    let server = OneOfTwo::new();
    let cluster = server.name.clone();
    let wanted = (&BTreeMap::new(), &copying);
    look_again((&cluster, &server), &mut observed, wanted, Duration::ZERO).await.expect("looks");
    let abandoned = |of: &str| observed.subscriptions[of].tables[&name].abandoned;
    assert_eq!([abandoned("dead"), abandoned("slow")], [true, false]);
    assert_eq!(server.looks.load(Ordering::Relaxed), LOOKS);
    let reached: Vec<Option<i64>> = observed.tables[&name].primaries.iter().map(|it| it.global_checkpoint).collect();
    assert_eq!(reached, [Some(5), Some(5 + i64::from(LOOKS) - 1)], "the shards are those of the last look");
}

#[tokio::test]
async fn a_partition_that_does_not_come_is_told_from_one_that_does() {
    let name = TableName::new("s", "t");
    let mut observed = observed(&name).await;
    let followed = SubscribedTable::new(RelationState::Monitoring);
    let subscription = Subscription { tables: [(name.clone(), followed)].into(), ..Subscription::default() };
    observed.subscriptions.insert("live".to_owned(), subscription);
    let server = OneOfTwo::new();
    let cluster = server.name.clone();
    let lacks = |observed: &Observed| observed.subscriptions["live"].tables[&name].lacks_partitions;

    observed.tables.get_mut(&name).unwrap().primaries.clear();
    let comes = [((name.clone(), String::new(), 1), 8)].into();
    look_again((&cluster, &server), &mut observed, (&comes, &BTreeMap::new()), Duration::ZERO).await.expect("looks");
    assert!(!lacks(&observed), "its shard is listed at the next look");

    let never = [((name.clone(), "p".to_owned(), 0), 8)].into();
    look_again((&cluster, &server), &mut observed, (&never, &BTreeMap::new()), Duration::ZERO).await.expect("looks");
    assert!(lacks(&observed));
}
