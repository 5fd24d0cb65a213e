//! What becomes of the columns of a copy, in words.

use transship_model::plan::{Action, Made, MadeColumn, PlannedLookup, Step, Transform, Verb};
use transship_model::spec::{Cell, TruncateTo};

use super::style::columns;

/// What a step does with columns on the way.
pub fn transform(step: &Step) -> Option<&Transform> {
    match &step.action {
        Some(Action::CopyRows(rows)) => rows.transform.as_deref(),
        _ => None,
    }
}

/// `email  TEXT  from email, then HMAC-SHA-256 under env:MASK_KEY`: each column that is another than on the source, and how
/// many are not; all of them where `every` is asked for.
pub fn lines(transform: &Transform, every: bool) -> Vec<String> {
    let is_shown = |column: &&MadeColumn| every || !is_as_it_is(transform, column);
    let shown: Vec<&MadeColumn> = transform.columns.iter().filter(is_shown).collect();
    let width = |of: &dyn Fn(&MadeColumn) -> String| shown.iter().map(|column| columns(&of(column))).max().unwrap_or(0);
    let (names, types) = (width(&|it| it.name.clone()), width(&|it| it.data_type.to_uppercase()));
    let mut lines: Vec<String> = shown
        .iter()
        .map(|column| {
            let (name, data_type) = (&column.name, column.data_type.to_uppercase());
            let (after_name, after_type) = (names - columns(name), types - columns(&data_type));
            let made = words(transform, column);
            format!("{name}{}  {data_type}{}  {made}", " ".repeat(after_name), " ".repeat(after_type))
        })
        .collect();
    match transform.columns.len() - shown.len() {
        0 => {}
        1 => lines.push("(1 column as it is)".to_owned()),
        left => lines.push(format!("({left} columns as they are)")),
    }
    lines
}

fn is_as_it_is(transform: &Transform, column: &MadeColumn) -> bool {
    matches!(source(transform, column), Some(from) if from == column.name) && column.verbs.is_empty()
}

fn source<'a>(transform: &'a Transform, column: &MadeColumn) -> Option<&'a str> {
    match &column.from {
        Made::Read(at) => {
            transform.reads.get(usize::try_from(*at).unwrap_or(usize::MAX)).map(|column| column.from.as_str())
        }
        Made::Const { .. } | Made::Expr { .. } => None,
    }
}

fn words(transform: &Transform, column: &MadeColumn) -> String {
    let from = match &column.from {
        Made::Read(_) => format!("from {}", source(transform, column).unwrap_or_default()),
        Made::Const { value, .. } => format!("always {}", cell(value)),
        Made::Expr { text, .. } => format!("computed as {}", text.split_whitespace().collect::<Vec<_>>().join(" ")),
    };
    let verbs: Vec<String> = column.verbs.iter().map(verb).collect();
    if verbs.is_empty() { from } else { format!("{from}, then {}", verbs.join(", then ")) }
}

fn verb(verb: &Verb) -> String {
    match verb {
        Verb::Default(value) => format!("{} for NULL", cell(value)),
        Verb::Truncate(unit) => format!("cut down to the {}", unit_word(*unit)),
        Verb::Round(decimals) => format!("rounded to {decimals} decimals"),
        Verb::Lookup(PlannedLookup::Table { table, select, .. }) => {
            format!("looked up in {table} ({})", looked_up(select))
        }
        Verb::Lookup(PlannedLookup::File { file, key, value, .. }) => format!("looked up in {file} ({value} by {key})"),
        Verb::Mask(secret) => format!("HMAC-SHA-256 under {secret}"),
        Verb::Hash(_) => "SHA-256".to_owned(),
        Verb::Redact(text) => format!("{text:?} in its place"),
        Verb::Partial(partial) => match (partial.first, partial.last) {
            (first, 0) => format!("its first {first} characters"),
            (0, last) => format!("its last {last} characters"),
            (first, last) => format!("its first {first} and last {last} characters"),
        },
        Verb::Cast(data_type) => format!("cast to {data_type}"),
    }
}

/// `"name" by "code"` of the statement that reads them.
fn looked_up(select: &str) -> String {
    let columns =
        select.strip_prefix("SELECT ").and_then(|rest| rest.split_once(" FROM ")).map_or("", |(columns, _)| columns);
    columns.split_once(", ").map_or_else(|| columns.to_owned(), |(key, value)| format!("{value} by {key}"))
}

const fn unit_word(unit: TruncateTo) -> &'static str {
    match unit {
        TruncateTo::Second => "second",
        TruncateTo::Minute => "minute",
        TruncateTo::Hour => "hour",
        TruncateTo::Day => "day",
        TruncateTo::Week => "week",
        TruncateTo::Month => "month",
        TruncateTo::Quarter => "quarter",
        TruncateTo::Year => "year",
    }
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Null(()) => "NULL".to_owned(),
        Cell::Bool(value) => value.to_string(),
        Cell::Number(value) => value.to_string(),
        Cell::Text(value) => format!("{value:?}"),
    }
}
