//! Columns whose values nothing may show: which columns of a copy carry them, and what cannot be kept from showing them.

use transship_model::Finding;
use transship_model::observed::Table;
use transship_model::spec::TableEntry;

use super::assess::Found;
use super::columns::{self, Carried, Origin};

/// The columns that the spec declares to be sensitive.
pub(crate) fn declared(entry: &TableEntry) -> &[String] {
    match entry {
        TableEntry::Table(table) => &table.sensitive,
        TableEntry::Pattern(_) => &[],
    }
}

/// Whether a column of the copy carries values of a sensitive one. What is computed from one counts, too.
pub(crate) fn carries(entry: &TableEntry, column: &Carried, source: &Table) -> bool {
    let declared = declared(entry);
    let mentioned = |text: &str| {
        let text = text.to_lowercase();
        // The whole row in one column.
        let whole = !declared.is_empty() && ["_doc", "_raw"].iter().any(|name| text.contains(name));
        whole || declared.iter().any(|name| text.contains(&name.to_lowercase()))
    };
    let of_source = || match &column.from {
        Origin::Sql { sql, .. } => mentioned(sql),
        Origin::Column(from) => {
            let generated = source.columns.iter().find(|it| it.name == *from).and_then(|it| it.generated.as_ref());
            declared.contains(from) || generated.is_some_and(|expression| mentioned(expression))
        }
    };
    declared.contains(&column.name) || of_source()
}

/// A sensitive column has to be one; and one that makes partitions stands in their names.
pub(crate) fn check(found: &Found<'_>) -> Vec<Finding> {
    let wish = &found.wish;
    let path = wish.pair.path.key("sensitive");
    let finding = |(index, name): (usize, &String)| {
        let partitions =
            wish.source.partitioned_by.contains(name) || wish.derived.definition.partitioned_by.contains(name);
        let known = wish.columns.iter().any(|column| column.name == *name)
            || columns::top_level(wish.source).any(|column| column.name == *name);
        let (code, message, help) = if partitions {
            let message = format!("column {name} makes partitions, whose names hold its values");
            ("plan::sensitive-partition", message, "take it out of `sensitive`")
        } else if known {
            return None;
        } else {
            let message = format!("there is no column {name}, of {} or of its copy", wish.pair.from);
            ("plan::no-such-column", message, "name columns of the table, no parts of objects")
        };
        Some(Finding::error(code, message).at(path.item(index)).help(help))
    };
    declared(wish.pair.entry).iter().enumerate().filter_map(finding).collect()
}
