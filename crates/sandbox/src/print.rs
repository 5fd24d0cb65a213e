//! Expressions as text, the way CrateDB prints them.

use crate::ast::Expr;
use crate::cast::text_of;
use crate::value::{Value, bit_text};

/// The expression with its identifiers in quotes if `quoted`.
pub(crate) fn expression(expr: &Expr, quoted: bool) -> String {
    let print = |expr: &Expr| expression(expr, quoted);
    let list = |items: &[Expr]| items.iter().map(print).collect::<Vec<_>>().join(", ");
    match expr {
        Expr::Literal(value, _) => literal(value),
        Expr::Column(name) => name.iter().map(|part| identifier(part, quoted)).collect::<Vec<_>>().join("."),
        Expr::Parameter(number) => format!("${number}"),
        Expr::Negate(inner) => format!("- {}", print(inner)),
        Expr::Not(inner) => match inner.as_ref() {
            Expr::IsNull(inner) => format!("({} IS NOT NULL)", print(inner)),
            inner => format!("(NOT {})", print(inner)),
        },
        Expr::Binary(op @ ("AND" | "OR"), left, right) => format!("({} {op} {})", print(left), print(right)),
        Expr::Binary(op @ ("LIKE" | "ILIKE"), left, right) => format!("{} {op} {}", print(left), print(right)),
        Expr::Binary("||", left, right) => format!("concat({}, {})", print(left), print(right)),
        Expr::Binary(op, left, right) => {
            if quoted {
                format!("{} {op} {}", print(left), print(right))
            } else {
                format!("({} {op} {})", print(left), print(right))
            }
        }
        Expr::Call { name, star: true, .. } => format!("{name}(*)"),
        Expr::Call { name, arguments, .. } if arguments.is_empty() && name.starts_with("current_") => {
            name.to_uppercase()
        }
        Expr::Call { name, arguments, distinct, .. } => {
            format!("{name}({}{})", if *distinct { "DISTINCT " } else { "" }, list(arguments))
        }
        Expr::Cast { value, target, is_try } => {
            format!("{}CAST({} AS {})", if *is_try { "TRY_" } else { "" }, print(value), target.name())
        }
        Expr::Subscript(base, index) => format!("{}[{}]", print(base), print(index)),
        Expr::Case { operand, branches, otherwise } => {
            let operand = operand.as_ref().map_or_else(String::new, |operand| format!(" {}", print(operand)));
            let branches: String =
                branches.iter().map(|(when, then)| format!(" WHEN {} THEN {}", print(when), print(then))).collect();
            let otherwise = otherwise.as_ref().map_or_else(String::new, |value| format!(" ELSE {}", print(value)));
            format!("CASE{operand}{branches}{otherwise} END")
        }
        Expr::In { value, list: items } => format!("({} IN ({}))", print(value), list(items)),
        Expr::InQuery { value, .. } => format!("({} IN (SELECT …))", print(value)),
        Expr::Quantified { op, all, value, array } => {
            format!("({} {op} {}({}))", print(value), if *all { "ALL" } else { "ANY" }, print(array))
        }
        Expr::IsNull(inner) => format!("({} IS NULL)", print(inner)),
        Expr::Array(items) => format!("[{}]", list(items)),
        Expr::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("\"{name}\"= {}", print(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Expr::Query(_) => "(SELECT …)".to_owned(),
        Expr::Exists(_) => "EXISTS (SELECT …)".to_owned(),
    }
}

/// The name that CrateDB gives to a column without an alias.
pub(crate) fn column_name(expr: &Expr) -> String {
    match expr {
        Expr::Column(name) => name.last().cloned().unwrap_or_default(),
        Expr::Call { name, .. } => name.clone(),
        Expr::Binary("||", ..) => "op_||".to_owned(),
        Expr::Subscript(base, index) => format!("{}[{}]", column_name(base), expression(index, false)),
        Expr::Cast { value, target, is_try } => {
            let inner = match value.as_ref() {
                inner @ Expr::Column(_) => column_name(inner),
                inner => expression(inner, false),
            };
            format!("{}CAST({inner} AS {})", if *is_try { "TRY_" } else { "" }, target.name())
        }
        other => expression(other, false),
    }
}

/// A literal.
pub(crate) fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Bits(bits) => format!("B'{}'", bit_text(bits)),
        Value::Null => "NULL".to_owned(),
        Value::Int(number) if *number < 0 => format!("- {}", number.unsigned_abs()),
        other => text_of(other).unwrap_or_default(),
    }
}

fn identifier(name: &str, quoted: bool) -> String {
    if quoted { quote(name) } else { name.to_owned() }
}

/// An identifier in quotes.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
