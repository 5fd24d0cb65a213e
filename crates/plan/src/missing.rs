//! Privileges that the connected users lack for the steps of a flow, as far as the catalogs tell, each with the statement
//! that grants it.

use std::collections::BTreeSet;

use transship_model::observed::Observed;
use transship_model::{Finding, Name, SpecPath, TableName};

use crate::privileges::{On, holds};

/// What is missing so far.
#[derive(Default)]
pub(crate) struct Missing<'a>(Vec<(End<'a>, String)>);

/// A cluster, and what was seen of it.
pub(crate) type End<'a> = (&'a Name, &'a Observed);

impl<'a> Missing<'a> {
    /// Asks for `AL`.
    pub(crate) fn on_cluster(&mut self, end: End<'a>) {
        if holds(end.1, &end.1.user, "AL", On::Cluster) == Some(false) {
            self.0.push((end, "AL".to_owned()));
        }
    }

    /// Asks for `DDL` on the whole cluster, which repositories take.
    pub(crate) fn for_repositories(&mut self, end: End<'a>) {
        if holds(end.1, &end.1.user, "DDL", On::Cluster) == Some(false) {
            self.0.push((end, "DDL".to_owned()));
        }
    }

    /// Asks for `DQL` on schema `sys` where one of these catalogs could not be seen.
    pub(crate) fn on_sys(&mut self, end: End<'a>, catalogs: &[&str]) {
        if end.1.unseen.iter().any(|unseen| catalogs.contains(&unseen.what.as_str())) {
            self.0.push((end, "DQL on SCHEMA sys".to_owned()));
        }
    }

    /// Asks for one privilege on tables that are there.
    pub(crate) fn on_tables(&mut self, end: End<'a>, kind: &str, tables: &BTreeSet<TableName>) {
        let lacks = |table: &&TableName| holds(end.1, &end.1.user, kind, On::Table(table)) == Some(false);
        let tables: Vec<String> = tables.iter().filter(lacks).map(ToString::to_string).collect();
        if !tables.is_empty() {
            self.0.push((end, format!("{kind} on TABLE {}", tables.join(", "))));
        }
    }

    /// Asks for privileges on schemas in which tables will be made.
    pub(crate) fn on_schemas(&mut self, end: End<'a>, kinds: &[&str], schemas: &BTreeSet<&str>) {
        for schema in schemas {
            let lacks = |kind: &&str| holds(end.1, &end.1.user, kind, On::Schema(schema)) == Some(false);
            let kinds: Vec<&str> = kinds.iter().copied().filter(|kind| lacks(kind)).collect();
            if !kinds.is_empty() {
                self.0.push((end, format!("{} on SCHEMA {schema}", kinds.join(", "))));
            }
        }
    }

    /// One finding each; `flow` is where the flow stands that needs them.
    pub(crate) fn findings(self, flow: &SpecPath) -> Vec<Finding> {
        let finding = |((cluster, observed), what): (End<'_>, String)| {
            let user = &observed.user;
            Finding::error("plan::missing-privilege", format!("`{user}` lacks {what} on {cluster}"))
                .at_key(SpecPath::of("clusters", cluster))
                .related(flow.clone(), "this flow needs it")
                .help(format!("on {cluster}: GRANT {} TO \"{user}\"", what.replace(" on ", " ON ")))
        };
        self.0.into_iter().map(finding).collect()
    }
}
