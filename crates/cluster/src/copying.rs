//! Tells copies of tables by a subscription that go on from those that are said to, and do not, by looking again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use transship_model::observed::{Observed, RelationState};
use transship_model::{Name, TableName};
use transship_sql::{observe as catalog, replication};

use crate::error::ClusterError;
use crate::observe::objects::read_subscriptions;
use crate::session::Server;
use crate::value::{Rows, ValueError};

/// How often it is looked again, and how long after the look before. Between the states of a copy no restore runs, for
/// less than a second on a server that is not overloaded.
const LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

const FOLLOWED: Option<RelationState> = Some(RelationState::Monitoring);

/// Looks again at tables that are said to be copied by a subscription, until it is followed or failed, or a restore of the
/// subscription runs. Those of which neither was seen for ten seconds are marked as abandoned in `observed`, and those that
/// are followed by now as followed.
pub async fn watch_copies(
    cluster: &Name,
    server: &dyn Server,
    observed: &mut Observed,
    copying: &BTreeMap<String, BTreeSet<TableName>>,
) -> Result<(), ClusterError> {
    look_again(cluster, server, observed, copying, BETWEEN_LOOKS).await
}

async fn look_again(
    cluster: &Name,
    server: &dyn Server,
    observed: &mut Observed,
    copying: &BTreeMap<String, BTreeSet<TableName>>,
    between_looks: Duration,
) -> Result<(), ClusterError> {
    let mut waiting = copying.clone();
    for look in 0..LOOKS {
        waiting.retain(|_, tables| !tables.is_empty());
        if waiting.is_empty() {
            return Ok(());
        }
        if look > 0 {
            tokio::time::sleep(between_looks).await;
        }
        let restoring = ask(cluster, server, &replication::restores(), restoring).await?;
        waiting.retain(|subscription, _| !restoring.contains(&replication::repository_of(subscription)));
        let now = ask(cluster, server, catalog::SUBSCRIPTIONS, read_subscriptions).await?;
        for (subscription, tables) in &mut waiting {
            let state = |table: &TableName| Some(now.get(subscription)?.tables.get(table)?.state);
            note_followed(observed, subscription, tables.iter().filter(|table| state(table) == FOLLOWED));
            tables.retain(|table| state(table).is_some_and(RelationState::is_copying));
        }
    }
    for (subscription, tables) in waiting {
        let known = observed.subscriptions.get_mut(&subscription).into_iter().flat_map(|it| &mut it.tables);
        for (_, table) in known.filter(|(name, _)| tables.contains(*name)) {
            table.abandoned = true;
        }
    }
    Ok(())
}

/// A copy that has ended since the first look is one no more: partitions come and go within a second.
fn note_followed<'a>(observed: &mut Observed, subscription: &str, followed: impl Iterator<Item = &'a TableName>) {
    let Some(known) = observed.subscriptions.get_mut(subscription) else { return };
    for table in followed {
        if let Some(found) = known.tables.get_mut(table) {
            found.state = RelationState::Monitoring;
        }
    }
}

async fn ask<T>(
    cluster: &Name,
    server: &dyn Server,
    statement: &str,
    read: fn(&Rows) -> Result<T, ValueError>,
) -> Result<T, ClusterError> {
    let rows = server.query(statement, &[]).await?;
    read(&rows).map_err(|error| ClusterError::answer(cluster, statement, &error))
}

fn restoring(rows: &Rows) -> Result<BTreeSet<String>, ValueError> {
    (0..rows.rows.len()).map(|row| Ok(rows.text(row, "repository")?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::BoxFuture;
    use transship_model::observed::{SubscribedTable, Subscription};

    use super::*;
    use crate::value::{Bind, Value};

    /// A cluster with two subscriptions of one table each, which are copied; a restore of the second runs at the fifth look.
    struct TwoCopies {
        name: Name,
        looks: AtomicU32,
        restores: u32,
    }

    fn rows(columns: &[&str], rows: Vec<Vec<Value>>) -> Rows {
        Rows { columns: columns.iter().map(|&column| column.to_owned()).collect(), rows }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    impl Server for TwoCopies {
        fn name(&self) -> &Name {
            &self.name
        }

        fn query<'a>(&'a self, sql: &'a str, _: &'a [Bind]) -> BoxFuture<'a, Result<Rows, ClusterError>> {
            let answer = if sql == catalog::SUBSCRIPTIONS {
                let columns = ["name", "connection", "publications", "relation", "state", "reason"];
                let row = |name| {
                    let publications = Value::List(vec![text("p")]);
                    vec![text(name), text("crate://"), publications, text("s.t"), text("d"), Value::Null]
                };
                rows(&columns, vec![row("dead"), row("slow")])
            } else {
                let look = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
                let runs = look == self.restores;
                let row = vec![text("_logical_replication_slow")];
                rows(&["repository"], if runs { vec![row] } else { Vec::new() })
            };
            Box::pin(async move { Ok(answer) })
        }

        fn execute<'a>(&'a self, _: &'a str, _: &'a [Bind]) -> BoxFuture<'a, Result<u64, ClusterError>> {
            unreachable!("watching changes nothing")
        }
    }

    #[tokio::test]
    async fn a_copy_without_a_restore_is_told_from_one_that_goes_on() {
        let recorded = crate::recorded::Replay::of(include_str!("../recordings/subscriber.json"));
        let workspace = "shop-sync".parse().expect("a name");
        let mut observed = crate::observe(&recorded, &workspace, None).await.expect("an observation");
        let table = TableName::new("s", "t");
        for name in ["dead", "slow"] {
            let copied = SubscribedTable::new(RelationState::Restoring);
            let subscription = Subscription { tables: [(table.clone(), copied)].into(), ..Subscription::default() };
            observed.subscriptions.insert(name.to_owned(), subscription);
        }
        let copying = ["dead", "slow"].map(|name| (name.to_owned(), BTreeSet::from([table.clone()]))).into();
        let server = TwoCopies { name: "b".parse().expect("a name"), looks: AtomicU32::new(0), restores: 5 };
        let cluster = server.name.clone();
        look_again(&cluster, &server, &mut observed, &copying, Duration::ZERO).await.expect("looks");
        let abandoned = |name: &str| observed.subscriptions[name].tables[&table].abandoned;
        assert_eq!([abandoned("dead"), abandoned("slow")], [true, false]);
        assert_eq!(server.looks.load(Ordering::Relaxed), LOOKS);
    }
}
