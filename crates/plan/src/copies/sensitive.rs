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

/// Whether a column of the copy carries values of a sensitive one. What is computed from one counts, too; what hides it
/// does not.
pub(crate) fn carries(entry: &TableEntry, column: &Carried, source: &Table) -> bool {
    !hides(column) && (declared(entry).contains(&column.name) || reads(entry, column, source))
}

/// Whether nothing can be told of a value any more once the verbs are done with it: a part of it is one.
fn hides(column: &Carried) -> bool {
    column.rule.as_ref().is_some_and(|rule| rule.mask.is_some() || rule.hash.is_some() || rule.redact.is_some())
}

/// Whether what a column is made of has values of a sensitive one.
pub(crate) fn reads(entry: &TableEntry, column: &Carried, source: &Table) -> bool {
    let declared = declared(entry);
    let mentioned = |text: &str| {
        let text = text.to_lowercase();
        // The whole row in one column.
        let whole = !declared.is_empty() && ["_doc", "_raw"].iter().any(|name| text.contains(name));
        whole || declared.iter().any(|name| text.contains(&name.to_lowercase()))
    };
    match &column.from {
        Origin::Const(_) => false,
        Origin::Expr(text) => mentioned(text),
        Origin::Sql { sql, .. } => mentioned(sql),
        Origin::Column(from) => {
            let generated = source.columns.iter().find(|it| it.name == *from).and_then(|it| it.generated.as_ref());
            declared.contains(from) || generated.is_some_and(|expression| mentioned(expression))
        }
    }
}

/// Columns that would show what the flow hides: they derive from a column that a verb hides, and are carried as they are.
pub(super) fn derived(found: &Found<'_>) -> Vec<Finding> {
    let wish = &found.wish;
    let hidden: Vec<String> = wish.columns.iter().filter(|it| hides(it) || is_partial(it)).flat_map(words).collect();
    let finding = |column: &Carried| {
        let Origin::Column(from) = &column.from else { return None };
        let of_source = wish.source.columns.iter().find(|it| it.name == *from)?;
        let expression = of_source.generated.as_ref().filter(|_| column.rule.is_none())?;
        let base = words_of(expression).find(|word| hidden.contains(word) && *word != from.to_lowercase())?;
        let message = format!("column {from} derives from {base}, which the flow hides: it would arrive in clear");
        let help = "leave it out by `columns`, give it a verb of its own, or say that it may be seen by an expression of its \
                    own, such as `sql: \"x::TEXT\"`";
        Some(Finding::error("plan::derived-in-clear", message).at(column.path.clone()).help(help))
    };
    wish.columns.iter().filter_map(finding).collect()
}

fn is_partial(column: &Carried) -> bool {
    column.rule.as_ref().is_some_and(|rule| rule.partial.is_some())
}

/// The names in what a column is made of.
fn words(column: &Carried) -> Vec<String> {
    match &column.from {
        Origin::Column(from) => vec![from.to_lowercase()],
        Origin::Sql { sql, .. } => words_of(sql).collect(),
        Origin::Expr(text) => words_of(text).collect(),
        Origin::Const(_) => Vec::new(),
    }
}

fn words_of(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_').map(str::to_lowercase)
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
