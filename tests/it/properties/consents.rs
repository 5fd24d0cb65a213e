//! What a run may say to clusters: nothing of others, and no drop or delete that was not consented to.

use super::judge::{Target, sources, targets};
use super::kinds::{Existing, Strategy};
use super::stage::{Place, State};
use super::story::{STRANGE, Story};
use super::watch::Seen;

/// Every statement of a run is one that the story allows, in which `before` was there.
pub(super) fn hold(story: &Story, before: &State, seen: &[Seen]) -> Result<(), String> {
    let judge = Judge { story, before };
    for sent in seen.iter().filter(|sent| sent.changes && sent.to != "store") {
        judge.may_send(sent).map_err(|problem| format!("{problem}: on {}, {}", sent.to, sent.statement))?;
    }
    Ok(())
}

struct Judge<'a> {
    story: &'a Story,
    before: &'a State,
}

impl Judge<'_> {
    fn may_send(&self, sent: &Seen) -> Result<(), &'static str> {
        let sql = &sent.statement;
        if STRANGE.iter().any(|part| sql.contains(part)) {
            return Err("it names what is others'");
        }
        let cluster = self.story.clusters.iter().find(|name| **name == sent.to).ok_or("nobody knows that cluster")?;
        let tables = tables(sql);
        let is_read = ["CREATE PUBLICATION", "ALTER PUBLICATION", "CREATE SNAPSHOT", "COPY "];
        let restored = restored_as(sql);
        for table in restored.as_ref().map_or(&tables[..], std::slice::from_ref).iter().filter(|table| !is_own(table)) {
            let place = (*cluster, table.clone());
            let target = targets(self.story).find(|target| target.place == place);
            match target {
                Some(target) => self.may_touch(sql, &target)?,
                None if sources(self.story).contains(&place) && is_read.iter().any(|start| sql.starts_with(start)) => {}
                // A table arrives under the name that it has at its source.
                None if self.arrives(&place) => {}
                None => return Err("it names a table that no flow writes"),
            }
        }
        self.may_drop(sql)
    }

    fn arrives(&self, (cluster, table): &Place) -> bool {
        let mut flows =
            self.story.flows.iter().filter(|flow| matches!(flow.strategy, Strategy::Detach | Strategy::Auto));
        let was_there = self.before.relations.contains_key(&(*cluster, table.clone()));
        !was_there
            && flows.any(|flow| {
                flow.to.contains(cluster) && flow.carried.iter().any(|carried| carried.table.name == *table)
            })
    }

    /// What becomes of a target's table in place.
    fn may_touch(&self, sql: &str, target: &Target<'_>) -> Result<(), &'static str> {
        let was_there = self.before.relations.contains_key(&target.place);
        // A table that one run has made is one that the next adds to.
        let chooses = !target.carried.months.is_empty();
        let replaces = matches!(target.flow.existing, Existing::Replace | Existing::View);
        let starts = |start: &str| sql.starts_with(start);
        let adds = chooses || matches!(target.flow.existing, Existing::Append | Existing::Upsert);
        match () {
            () if starts("DROP TABLE") && was_there && !self.consents("table") => Err("nobody consented to that drop"),
            () if starts("DELETE") && !chooses => Err("only chosen partitions are deleted"),
            () if ["INSERT", "COPY", "RESTORE"].into_iter().any(starts) && !adds => {
                Err("no rows are added to that table")
            }
            () if starts("ALTER CLUSTER SWAP") && !replaces => Err("that table is not replaced"),
            () if starts("UPDATE") => Err("nothing is updated"),
            () => Ok(()),
        }
    }

    fn may_drop(&self, sql: &str) -> Result<(), &'static str> {
        let kinds = ["publication", "subscription", "repository", "snapshot"];
        let Some(kind) = kinds.into_iter().find(|kind| sql.to_lowercase().starts_with(&format!("drop {kind}"))) else {
            return Ok(());
        };
        let is_ours = sql.contains("\"transship_");
        let by_itself = self.story.flows.iter().any(|flow| match kind {
            "publication" | "subscription" => matches!(flow.strategy, Strategy::Detach | Strategy::Auto),
            "repository" => flow.strategy != Strategy::Snapshot,
            _ => true,
        });
        match is_ours {
            false => Err("that is not ours"),
            true if by_itself || self.consents(kind) || sql.contains("marker") => Ok(()),
            true => Err("nobody consented to that drop"),
        }
    }

    fn consents(&self, kind: &str) -> bool {
        self.story.consents.iter().any(|consent| consent.starts_with(kind))
    }
}

/// Whether a name is reserved for what transship makes by itself: tables, and snapshots in repositories.
fn is_own(table: &str) -> bool {
    table.starts_with("transship") || table.contains(".transship__")
}

/// The name under which a RESTORE makes the table of a snapshot.
fn restored_as(sql: &str) -> Option<String> {
    let part = |key: &str| Some(sql.split_once(key)?.1.split('\'').nth(1)?.to_owned());
    let part = |key: &str| part(key).filter(|_| sql.starts_with("RESTORE"));
    Some(format!("{}.{}", part("schema_rename_replacement")?, part("table_rename_replacement")?))
}

/// The tables that a statement names, as `schema.table`.
fn tables(sql: &str) -> Vec<String> {
    let parts: Vec<&str> = sql.split("\".\"").collect();
    parts
        .windows(2)
        .filter_map(|both| {
            let schema = both[0].rsplit('"').next()?;
            let table = both[1].split('"').next()?;
            Some(format!("{schema}.{table}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_name_tables() {
        let sql = "ALTER CLUSTER SWAP TABLE \"s 0\".\"a b\" TO \"s1\".\"c\" WITH (drop_source = true)";
        assert_eq!(tables(sql), ["s 0.a b", "s1.c"]);
        assert_eq!(tables("DROP TABLE \"x\""), Vec::<String>::new());
        let sql = "RESTORE SNAPSHOT \"r\".\"n\" TABLE \"s\".\"t\" WITH (schema_rename_pattern = '^s$', \
                   schema_rename_replacement = 'crm', table_rename_pattern = '^t$', table_rename_replacement = 'u')";
        assert_eq!(restored_as(sql).as_deref(), Some("crm.u"));
    }
}
