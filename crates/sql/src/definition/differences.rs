//! What a table loses when another definition takes its place.

use std::collections::BTreeSet;

use super::{Column, Constraint, Definition};
use crate::ident::ident;

/// What of `old` is not in `new`, one clause each, about a table that is named before it: `loses column nick (TEXT)`,
/// `setting number_of_replicas '1' becomes '0-1'`. What `new` has besides is no loss.
pub fn differences(old: &Definition, new: &Definition) -> Vec<String> {
    let columns = old.columns.iter().flat_map(|column| of_column(column, new));
    let constraints = old.constraints.iter().filter_map(|constraint| of_constraint(constraint, new));
    let layout = [
        becomes("routing by", old.clustered_by.as_deref(), new.clustered_by.as_deref()),
        becomes(
            "shards",
            old.shards.map(|it| it.to_string()).as_deref(),
            new.shards.map(|it| it.to_string()).as_deref(),
        ),
        becomes("partitions by", list(&old.partitioned_by).as_deref(), list(&new.partitioned_by).as_deref()),
    ];
    columns.chain(constraints).chain(layout.into_iter().flatten()).chain(of_settings(old, new)).collect()
}

fn of_column(old: &Column, all: &Definition) -> Vec<String> {
    let Some(new) = all.column(&old.name) else {
        return vec![format!("loses column {} ({})", old.name, on_one_line(&old.data_type))];
    };
    let text = |text: &String| (!text.is_empty()).then(|| on_one_line(text));
    let of = |what: &str| format!("{what} of column {}", old.name);
    let not_null = (old.not_null && !new.not_null).then(|| format!("column {} loses NOT NULL", old.name));
    let parts = [
        becomes(&of("type"), text(&old.data_type).as_deref(), text(&new.data_type).as_deref()),
        becomes(&of("expression"), old.generated.as_deref(), new.generated.as_deref()),
        becomes(&of("default"), old.default.as_deref(), new.default.as_deref()),
        not_null,
        becomes(&of("index or storage"), text(&old.options).as_deref(), text(&new.options).as_deref()),
    ];
    parts.into_iter().flatten().collect()
}

/// A constraint without a name that CrateDB has made up counts by what it says.
fn of_constraint(old: &Constraint, new: &Definition) -> Option<String> {
    let says =
        |constraint: &Constraint| on_one_line(constraint.text.split_once("CHECK").map_or(&constraint.text, |it| it.1));
    let kept = new.constraints.iter().any(|it| it.kind == old.kind && says(it) == says(old));
    (!kept).then(|| format!("loses {}", on_one_line(&old.text)))
}

fn of_settings(old: &Definition, new: &Definition) -> Vec<String> {
    let names: BTreeSet<&String> = old.settings.keys().chain(new.settings.keys()).collect();
    let setting = |name: &&String| {
        let (old, new) = (old.settings.get(*name), new.settings.get(*name));
        becomes(&format!("setting {name}"), old.map(String::as_str), new.map(String::as_str))
    };
    names.iter().filter_map(setting).collect()
}

/// `WHAT OLD becomes NEW`; nothing where they are the same.
fn becomes(what: &str, old: Option<&str>, new: Option<&str>) -> Option<String> {
    match (old, new) {
        (old, new) if old == new => None,
        (Some(old), Some(new)) => Some(format!("{what} {old} becomes {new}")),
        (Some(old), None) => Some(format!("loses {what} {old}")),
        (None, Some(new)) => Some(format!("gets {what} {new}")),
        (None, None) => None,
    }
}

fn list(columns: &[String]) -> Option<String> {
    (!columns.is_empty()).then(|| columns.iter().map(|column| ident(column)).collect::<Vec<_>>().join(", "))
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"CREATE TABLE IF NOT EXISTS "crm"."people" (
   "id" BIGINT NOT NULL,
   "nick" TEXT,
   "name" TEXT DEFAULT 'nobody' NOT NULL,
   "age" SMALLINT,
   "note" TEXT INDEX USING FULLTEXT,
   PRIMARY KEY ("id"),
   CONSTRAINT of_age CHECK("age" > 17)
)
CLUSTERED BY ("id") INTO 4 SHARDS
WITH (
   "blocks.write" = true,
   number_of_replicas = '1'
)"#;

    const NEW: &str = r#"CREATE TABLE "crm"."copy" (
   "id" BIGINT NOT NULL,
   "name" TEXT,
   "age" INTEGER,
   "note" TEXT,
   "more" TEXT,
   PRIMARY KEY ("id")
)
CLUSTERED BY ("id") INTO 2 SHARDS
PARTITIONED BY ("age")
WITH (
   "number_of_replicas" = '0-1',
   "refresh_interval" = 500
)"#;

    #[test]
    fn what_is_lost_is_told_with_both_values() {
        let (old, (_, new)) = (Definition::read(OLD).unwrap(), Definition::read_created(NEW).unwrap());
        assert_eq!(
            differences(&old, &new),
            [
                "loses column nick (TEXT)",
                "loses default of column name 'nobody'",
                "column name loses NOT NULL",
                "type of column age SMALLINT becomes INTEGER",
                "loses index or storage of column note INDEX USING FULLTEXT",
                "loses CONSTRAINT \"of_age\" CHECK(\"age\" > 17)",
                "shards 4 becomes 2",
                "gets partitions by \"age\"",
                "loses setting blocks.write true",
                "setting number_of_replicas '1' becomes '0-1'",
                "gets setting refresh_interval 500",
            ]
        );
        assert_eq!(differences(&old, &old), Vec::<String>::new());
    }
}
