//! What the fake world answers to each statement that steps send.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use transship_cluster::{Bind, ClusterError, ErrorKind, ObjectKind, Rows, Value};
use transship_model::observed::RelationState;
use transship_model::{Name, TableName};
use transship_sql::{ident, ledger, lookup, replication};

use super::world::{Followed, Table, World};
use crate::statement::Statement;

type Answer = Result<(u64, Rows), ClusterError>;

impl World {
    /// Does what a statement says.
    pub(super) fn answer(&mut self, cluster: &Name, sql: &str, binds: &[Bind]) -> Answer {
        if let Some(statement) = Statement::read(sql) {
            return self.change(cluster, statement, binds).map(|()| (1, Rows::default()));
        }
        if let Some(answer) = self.ledger_answer(cluster, sql, binds) {
            return answer;
        }
        Ok((0, Rows { columns: Vec::new(), rows: self.look(cluster, sql) }))
    }

    fn look(&mut self, cluster: &Name, sql: &str) -> Vec<Vec<Value>> {
        if sql == replication::subscribed_tables() {
            self.tick(cluster);
            return self.subscription_rows(cluster);
        }
        if sql == replication::restores() {
            let subscriptions = self.clusters[cluster].subscriptions.keys().filter(|_| !self.forgotten);
            return subscriptions.map(|name| vec![text(&replication::repository_of(name))]).collect();
        }
        if sql == replication::published_tables() {
            return self.publication_rows(cluster);
        }
        if sql == lookup::users() {
            return self.clusters[cluster].users.iter().map(|user| vec![text(user)]).collect();
        }
        if sql.starts_with("SELECT table_schema, table_name FROM information_schema.tables") {
            return self.existing_rows(cluster, sql);
        }
        if sql.contains("FROM sys.health") || sql == lookup::disk_checks() {
            return Vec::new();
        }
        if sql.contains("seq_no_stats") {
            return self.checkpoint_rows(cluster, sql);
        }
        if sql.contains("partition_uuid") {
            return self.shard_rows(cluster, sql);
        }
        if sql.contains("retention_leases") {
            self.age_leases(cluster);
            return self.lease_rows(cluster, sql);
        }
        assert!(sql.starts_with("REFRESH TABLE "), "nobody understands {sql}");
        Vec::new()
    }

    fn change(&mut self, cluster: &Name, statement: Statement, binds: &[Bind]) -> Result<(), ClusterError> {
        match statement {
            Statement::CreatePublication { publication } => self.create_publication(cluster, publication),
            Statement::PublishTables { publication, tables } => {
                self.own_publication(cluster, &publication)?.extend(tables);
                Ok(())
            }
            Statement::UnpublishTables { publication, tables } => {
                *self.own_publication(cluster, &publication)? = tables.into_iter().collect();
                Ok(())
            }
            Statement::WithdrawTables { publication, tables } => {
                self.own_publication(cluster, &publication)?.retain(|table| !tables.contains(table));
                Ok(())
            }
            Statement::DropPublication { publication } => {
                self.clusters.get_mut(cluster).unwrap().publications.remove(&publication);
                Ok(())
            }
            Statement::CreateSubscription { subscription, publication } => {
                let [Bind::Secret(connection)] = binds else { panic!("a connection is bound as a secret") };
                self.create_subscription(cluster, &subscription, publication, connection)
            }
            Statement::DropSubscription { subscription } => {
                self.drop_subscription(cluster, &subscription);
                Ok(())
            }
            Statement::DropTable { table } => self.drop_table(cluster, &table),
            Statement::CreateTable { .. }
            | Statement::RenameTable { .. }
            | Statement::SetSettings { .. }
            | Statement::AddColumns { .. }
            | Statement::SwapTable { .. }
            | Statement::SwitchView { .. }
            | Statement::Grant(_) => unreachable!("tables of this world have no rows"),
        }
    }

    fn create_publication(&mut self, cluster: &Name, publication: String) -> Result<(), ClusterError> {
        let found = self.clusters.get_mut(cluster).unwrap();
        if found.publications.contains_key(&publication) {
            return Err(exists(cluster, ObjectKind::Publication, &publication));
        }
        found.publications.insert(publication, (found.user.clone(), std::collections::BTreeSet::new()));
        Ok(())
    }

    fn own_publication(
        &mut self,
        cluster: &Name,
        publication: &str,
    ) -> Result<&mut std::collections::BTreeSet<TableName>, ClusterError> {
        let found = self.clusters.get_mut(cluster).unwrap().publications.get_mut(publication);
        found.map(|(_, tables)| tables).ok_or_else(|| {
            let kind = ErrorKind::NotFound { object: ObjectKind::Publication, name: publication.to_owned() };
            ClusterError::new(cluster, kind, format!("Publication '{publication}' unknown"))
        })
    }

    fn create_subscription(
        &mut self,
        cluster: &Name,
        subscription: &str,
        publication: String,
        connection: &SecretString,
    ) -> Result<(), ClusterError> {
        let target = &self.clusters[cluster];
        if target.subscriptions.contains_key(subscription) {
            return Err(exists(cluster, ObjectKind::Subscription, subscription));
        }
        let connection = connection.expose_secret();
        assert!(connection.contains("password=canary%261"), "the password goes along");
        // The host of every cluster is its name.
        let host = connection.strip_prefix("crate://").and_then(|rest| rest.split(':').next()).unwrap();
        let source: Name = host.parse().unwrap();
        let tables = self.published(&source, &publication);
        if let Some(table) = tables.iter().find(|table| target.tables.contains_key(*table)) {
            let mut error = exists(cluster, ObjectKind::Relation, &table.to_string());
            error.sqlstate = Some("42P07".to_owned());
            return Err(error);
        }
        let masked = format!("crate://{host}:5432?user=*&password=*&mode=pg_tunnel&sslmode=disable");
        let followed = Followed {
            owner: target.user.clone(),
            connection: masked,
            source: source.clone(),
            publication,
            tables: BTreeMap::new(),
        };
        self.clusters.get_mut(cluster).unwrap().subscriptions.insert(subscription.to_owned(), followed);
        for table in &tables {
            self.take_up(cluster, subscription, &source, table);
        }
        Ok(())
    }

    fn drop_subscription(&mut self, cluster: &Name, subscription: &str) {
        let Some(followed) = self.clusters[cluster].subscriptions.get(subscription).cloned() else { return };
        for table in followed.tables.keys() {
            self.release(cluster, subscription, table);
        }
        self.clusters.get_mut(cluster).unwrap().subscriptions.remove(subscription);
    }

    fn drop_table(&mut self, cluster: &Name, table: &TableName) -> Result<(), ClusterError> {
        let found = self.clusters.get_mut(cluster).unwrap();
        match found.tables.get(table) {
            Some(Table { subscribed: Some(_), .. }) => {
                let kind = ErrorKind::Subscribed { relation: table.to_string(), operation: "DROP".to_owned() };
                Err(ClusterError::new(cluster, kind, "subscribed"))
            }
            Some(_) => {
                found.tables.remove(table);
                Ok(())
            }
            None => {
                let kind = ErrorKind::NotFound { object: ObjectKind::Relation, name: table.to_string() };
                Err(ClusterError::new(cluster, kind, "Relation unknown"))
            }
        }
    }

    fn subscription_rows(&self, cluster: &Name) -> Vec<Vec<Value>> {
        let found = &self.clusters[cluster];
        let mut rows = Vec::new();
        for (name, followed) in found.subscriptions.iter().filter(|(_, followed)| followed.owner == found.user) {
            let publications = Value::List(vec![text(&followed.publication)]);
            let head = vec![text(name), text(&followed.connection), publications];
            if followed.tables.is_empty() {
                rows.push([head.clone(), vec![Value::Null; 3]].concat());
            }
            for (table, state) in &followed.tables {
                let reason = state.reason.as_deref().map_or(Value::Null, text);
                rows.push([head.clone(), vec![text(&table.to_string()), text(letter(state.state)), reason]].concat());
            }
        }
        rows
    }

    fn publication_rows(&self, cluster: &Name) -> Vec<Vec<Value>> {
        let found = &self.clusters[cluster];
        let mut rows = Vec::new();
        for (name, (_, tables)) in found.publications.iter().filter(|(_, (owner, _))| *owner == found.user) {
            if tables.is_empty() {
                rows.push(vec![text(name), Value::Null, Value::Null]);
            }
            rows.extend(tables.iter().map(|table| vec![text(name), text(&table.schema), text(&table.table)]));
        }
        rows
    }

    fn existing_rows(&self, cluster: &Name, sql: &str) -> Vec<Vec<Value>> {
        let found = &self.clusters[cluster];
        let ledger = found.ledger.keys().map(|table| TableName::new(ledger::SCHEMA, table));
        let all = found.tables.keys().cloned().chain(ledger);
        all.filter(|table| is_named(sql, table)).map(|table| vec![text(&table.schema), text(&table.table)]).collect()
    }

    fn checkpoint_rows(&self, cluster: &Name, sql: &str) -> Vec<Vec<Value>> {
        let mut rows = Vec::new();
        for (name, table) in self.clusters[cluster].tables.iter().filter(|(name, _)| is_named(sql, name)) {
            for ((partition, shard), max) in &table.shards {
                let numbers = [*shard, *max, *max].map(Value::Int);
                let head = vec![text(&name.schema), text(&name.table), text(partition)];
                rows.push([head, numbers.to_vec(), vec![Value::Null]].concat());
            }
        }
        rows
    }

    fn shard_rows(&self, cluster: &Name, sql: &str) -> Vec<Vec<Value>> {
        let named = self.clusters[cluster].tables.iter().filter(|(name, _)| is_named(sql, name));
        let dead = ("dead".to_owned(), 0);
        let dead = |table: &Table| (self.dead_shard && table.subscribed.is_some()).then_some(&dead);
        named
            .flat_map(|(name, table)| table.shards.keys().chain(dead(table)).map(move |shard| (name, table, shard)))
            .map(|(name, table, (partition, shard))| {
                let head = vec![text(&name.schema), text(&name.table), text(partition)];
                [head, vec![Value::Int(*shard), text(&table.uuid.to_string())]].concat()
            })
            .collect()
    }

    fn lease_rows(&self, cluster: &Name, sql: &str) -> Vec<Vec<Value>> {
        let mut rows = Vec::new();
        for (name, table) in self.clusters[cluster].tables.iter().filter(|(name, _)| is_named(sql, name)) {
            for (partition, shard) in table.shards.keys() {
                let lease = |subscriber: &String| text(&format!("logical_replication:{subscriber}:[{name}][{shard}]"));
                let mut leases = vec![text("peer_recovery/x")];
                leases.extend(table.leases.keys().map(lease));
                let each = |value: i64| Value::List(vec![Value::Int(value); leases.len()]);
                let kept = each(if table.unused { 0 } else { 5 });
                let (renewed, now) = (each(1_000), Value::Int(if table.unused { 1_000_000 } else { 2_000 }));
                let shard = [text(partition), Value::Int(*shard), Value::List(leases), kept, renewed, now];
                rows.push([vec![text(&name.schema), text(&name.table)], shard.to_vec()].concat());
            }
        }
        rows
    }

    fn ledger_answer(&mut self, cluster: &Name, sql: &str, binds: &[Bind]) -> Option<Answer> {
        let ledger = &mut self.clusters.get_mut(cluster).unwrap().ledger;
        if let Some(at) = ledger::create_tables().iter().position(|create| create == sql) {
            let is_new = ledger
                .insert(ledger::TABLES[at].to_owned(), ledger.get(ledger::TABLES[at]).cloned().unwrap_or_default());
            return Some(Ok((u64::from(is_new.is_none()), Rows::default())));
        }
        if sql == ledger::read_epochs() {
            return Some(Ok((0, epochs(ledger, binds))));
        }
        let binds: Vec<String> = binds.iter().map(bound).collect();
        let (table, key) = match () {
            () if sql == ledger::upsert_flow() || sql == ledger::delete_flow() => ("flows", 3),
            () if sql == ledger::upsert_run() => ("runs", 3),
            () if sql == ledger::upsert_step() => ("steps", 4),
            () if sql == ledger::insert_meta() || sql == ledger::read_meta() => ("meta", 3),
            () => return None,
        };
        let Some(rows) = ledger.get_mut(table) else {
            let kind = ErrorKind::NotFound { object: ObjectKind::Schema, name: "transship".to_owned() };
            return Some(Err(ClusterError::new(cluster, kind, "Schema 'transship' unknown")));
        };
        let (key, rest) = (binds[..key].join("|"), binds[key..].to_vec());
        if sql == ledger::read_meta() {
            let rows = rows.get(&key).map(|row| vec![text(&row[0])]).into_iter().collect();
            return Some(Ok((0, Rows { columns: Vec::new(), rows })));
        }
        if sql == ledger::upsert_flow() {
            let row = rows.entry(key).and_modify(|row| overwrite(row, &rest)).or_insert(rest);
            let row = vec![Value::Int(row[3].parse().unwrap()), text(&row[2]), Value::Int(0), Value::Int(1)];
            return Some(Ok((1, Rows { columns: Vec::new(), rows: vec![row] })));
        }
        let affected = if sql == ledger::delete_flow() {
            rows.remove(&key).is_some()
        } else if sql == ledger::insert_meta() {
            let is_new = !rows.contains_key(&key);
            rows.entry(key).or_insert(rest);
            is_new
        } else {
            rows.insert(key, rest);
            true
        };
        Some(Ok((affected.into(), Rows::default())))
    }
}

/// Writes the row of a flow, unless a newer epoch has.
fn overwrite(row: &mut Vec<String>, new: &[String]) {
    let epoch = |row: &[String]| row[3].parse::<i64>().unwrap();
    if epoch(new) >= epoch(row) {
        *row = new.to_vec();
    }
}

fn epochs(ledger: &BTreeMap<String, BTreeMap<String, Vec<String>>>, binds: &[Bind]) -> Rows {
    let [Bind::Text(workspace), Bind::Text(environment), Bind::TextList(flows)] = binds else { panic!("{binds:?}") };
    let row = |flow: &String| {
        let row = ledger.get("flows")?.get(&format!("{workspace}|{environment}|{flow}"))?;
        Some(vec![text(flow), Value::Int(row[3].parse().unwrap())])
    };
    Rows { columns: vec!["flow".to_owned(), "epoch".to_owned()], rows: flows.iter().filter_map(row).collect() }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn bound(bind: &Bind) -> String {
    match bind {
        Bind::Text(text) => text.clone(),
        Bind::OptText(text) => text.clone().unwrap_or_default(),
        Bind::Int(number) => number.to_string(),
        Bind::Time(time) => time.to_string(),
        other => panic!("the ledger binds no {other:?}"),
    }
}

fn is_named(sql: &str, table: &TableName) -> bool {
    sql.contains(&ident::literal(&table.schema)) && sql.contains(&ident::literal(&table.table))
}

fn exists(cluster: &Name, object: ObjectKind, name: &str) -> ClusterError {
    let kind = ErrorKind::AlreadyExists { object, name: name.to_owned() };
    ClusterError::new(cluster, kind, format!("{object} '{name}' already exists"))
}

const fn letter(state: RelationState) -> &'static str {
    match state {
        RelationState::Initializing => "i",
        RelationState::Restoring => "d",
        RelationState::Monitoring => "r",
        RelationState::Failed => "e",
    }
}
