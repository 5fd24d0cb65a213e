//! How columns are made.

use std::collections::BTreeSet;

use transship_expr::Expression;
use transship_model::spec::{ColumnRule, Columns, Flow, Lookup, Redact, Rule, Table};
use transship_model::{Finding, SpecPath};

use super::tables::check_name;
use super::{sql, tables_with_settings};
use crate::report::Report;
use crate::suggest;

pub(super) fn check(flow: &Flow, path: &SpecPath, report: &mut Report) {
    for (path, table) in tables_with_settings(flow, path) {
        check_names(&table.sensitive, &path.key("sensitive"), report);
        if let Some(cursor) = &table.cursor {
            check_names(std::slice::from_ref(cursor), &path.key("cursor"), report);
        }
        check_columns(table, &path.key("columns"), report);
    }
}

/// Column names: not empty, none twice.
fn check_names(names: &[String], path: &SpecPath, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for (i, name) in names.iter().enumerate() {
        let problem = if name.trim().is_empty() {
            ("spec::empty-value", "the name of the column is empty".to_owned())
        } else if !seen.insert(name) {
            ("spec::defined-twice", format!("`{name}` stands here twice"))
        } else {
            continue;
        };
        report.push(
            Finding::error(problem.0, problem.1).at(path.item(i)).help("write each column once, as it is stored"),
        );
    }
}

fn check_columns(table: &Table, path: &SpecPath, report: &mut Report) {
    match &table.columns {
        None => {}
        Some(Columns::Names(names)) => check_names(names, path, report),
        Some(Columns::Rules(rules)) => {
            for (column, rule) in rules {
                let path = path.key(column);
                match rule {
                    ColumnRule::Sql(text) => check_sql(text, path, report),
                    ColumnRule::Rule(rule) => check_rule(rule, &path, report),
                }
            }
        }
    }
}

fn check_sql(text: &str, path: SpecPath, report: &mut Report) {
    if let Err((code, message, help)) = sql::check(text) {
        report.push(Finding::error(code, message).at(path).help(help));
    }
}

fn check_rule(rule: &Rule, path: &SpecPath, report: &mut Report) {
    let values = [("sql", rule.sql.is_some()), ("const", rule.constant.is_some()), ("expr", rule.expr.is_some())];
    let values: Vec<&str> = values.into_iter().filter(|(_, is_set)| *is_set).map(|(key, _)| key).collect();
    if let [first, second, ..] = values[..] {
        report.push(
            Finding::error("spec::exactly-one-of", format!("{} exclude each other", suggest::list(&values)))
                .at_key(path.key(second))
                .related(path.key(first), "and here")
                .help("keep the one that gives the value"),
        );
    }
    for (key, text) in [("sql", &rule.sql), ("cast", &rule.cast)] {
        if let Some(text) = text {
            check_sql(text, path.key(key), report);
        }
    }
    if rule.expr.as_ref().is_some_and(|text| text.trim().is_empty()) {
        report.push(
            Finding::error("spec::empty-value", "the expression is empty")
                .at(path.key("expr"))
                .help("write an expression"),
        );
    }
    if let Some(text) = rule.expr.as_ref().filter(|text| !text.trim().is_empty())
        && let Err(problem) = Expression::read(text)
    {
        report.push(
            Finding::error("spec::bad-expression", format!("the expression cannot be used: {problem}"))
                .at(path.key("expr"))
                .help("docs/transform.md has the language: CEL over the columns of the row"),
        );
    }
    if rule.redact == Some(Redact::Stars(false)) {
        report.push(
            Finding::error("spec::redact-false", "`redact: false` would show the value")
                .at(path.key("redact"))
                .help("remove the key to copy the value as it is; `true` for `***`, or a text"),
        );
    }
    if rule.partial.as_ref().is_some_and(|partial| partial.first == 0 && partial.last == 0) {
        report.push(
            Finding::error("spec::empty-value", "`partial` keeps nothing of the value")
                .at_key(path.key("partial"))
                .help("write `first` or `last` with the number of characters to keep, or use `redact: true`"),
        );
    }
    if let Some(Lookup::Table(lookup)) = &rule.lookup {
        check_name(&lookup.table, path.key("lookup").key("table"), report);
    }
}
