//! The expression language of columns: CEL over the values of one row, pure, the same each time, and bounded.
//!
//! There are no clocks, no random numbers, no regular expressions, and nothing whose order is chance. What an expression may
//! cost is known before it runs: [`LONGEST`] characters, no loop within a loop, no function whose result is more than its
//! arguments together, and at most [`MOST_WORK`] for a row.

mod check;
mod value;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, ExecutionError, Program, extensions};

pub use value::Value;

use check::Shape;

/// The most characters of an expression.
pub const LONGEST: usize = 1_000;

/// The most that an expression may work on in one row: its parts times the bytes of the values that it names, times the
/// elements of the longest list where it goes through one.
pub const MOST_WORK: u64 = 256 * 1024 * 1024;

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib().with_optional_support(false);
    environment.add_extension(extensions::strings).expect("the names of its functions are free");
    Arc::new(environment)
});

/// An expression that was read and is bounded.
pub struct Expression {
    program: Program,
    shape: Shape,
}

/// Why an expression has no value for a row. It never repeats one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure(&'static str);

impl Expression {
    /// Reads one; the error says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.chars().count() > LONGEST {
            return Err(format!("it has more than {LONGEST} characters"));
        }
        let program = ENVIRONMENT.compile(text).map_err(|errors| {
            let first = errors.errors.first().map(|error| (error.pos, error.msg.trim().to_owned()));
            let ((line, column), problem) = first.unwrap_or(((1, 1), "it cannot be read".to_owned()));
            format!("line {line}, character {column}: {problem}")
        })?;
        let shape = check::shape(program.expression())?;
        Ok(Self { program, shape })
    }

    /// The names of the values that it uses.
    pub const fn names(&self) -> &BTreeSet<String> {
        &self.shape.names
    }

    /// Its value, where its names have these.
    pub fn evaluate<'a>(&self, values: impl IntoIterator<Item = (&'a str, Value)>) -> Result<Value, Failure> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        let (mut bytes, mut elements) = (0_u64, 1_u64);
        for (name, value) in values {
            bytes = bytes.saturating_add(value.bytes());
            elements = elements.max(value.elements());
            context.add_variable_from_value(name, value.into_cel());
        }
        if self.shape.work(bytes, elements) > MOST_WORK {
            return Err(Failure("the values are more than an expression may work on"));
        }
        let found = self.program.execute(&context).map_err(|error| failure(&error))?;
        Value::of_cel(&found).ok_or(Failure("its value is no boolean, number, text or NULL"))
    }
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expression").field("names", &self.shape.names).finish_non_exhaustive()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// What went wrong, without the values that the error has.
fn failure(error: &ExecutionError) -> Failure {
    Failure(match error {
        ExecutionError::NoSuchOverload(_)
        | ExecutionError::UnexpectedType { .. }
        | ExecutionError::ValuesNotComparable(..)
        | ExecutionError::UnsupportedBinaryOperator(..) => "its parts have types that do not go together",
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "it divides by zero",
        ExecutionError::Overflow(..) => "a number grows too large",
        ExecutionError::IndexOutOfBounds(_) => "a list has no such element",
        ExecutionError::FunctionError { .. } => "a function cannot take what it is given",
        _ => "it cannot be evaluated",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, values: &[(&str, Value)]) -> Result<Value, String> {
        let expression = Expression::read(text)?;
        expression.evaluate(values.iter().cloned()).map_err(|failure| failure.to_string())
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn values_are_computed() {
        let row = [
            ("n", Value::Int(7)),
            ("d", Value::Double(0.5)),
            ("t", text("Süd")),
            ("nothing", Value::Null),
            ("l", Value::List(vec![Value::Int(1), Value::Int(2)])),
        ];
        for (expression, expected) in [
            ("n * 2 + 1", Value::Int(15)),
            ("double(n) * d", Value::Double(3.5)),
            ("t.startsWith('S') && n > 5", Value::Bool(true)),
            ("nothing == null ? 'none' : t", text("none")),
            ("t + '-' + string(n)", text("Süd-7")),
            ("t.substring(0, 2)", text("Sü")),
            ("l.exists(x, x == 2)", Value::Bool(true)),
            ("l.map(x, x * n)[1]", Value::Int(14)),
            ("size(t)", Value::Int(3)),
            ("t.lowerAscii()", text("süd")),
            ("nothing", Value::Null),
            ("t in ['Nord', 'Süd'] ? 1 : 0", Value::Int(1)),
        ] {
            assert_eq!(value(expression, &row), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn names_are_those_of_the_row() {
        let expression = Expression::read("xs.exists(x, x > n) ? a : 'b'").unwrap();
        assert_eq!(expression.names().iter().map(String::as_str).collect::<Vec<_>>(), ["a", "n", "xs"]);
    }

    #[test]
    fn what_has_no_bound_is_refused() {
        let long = "1 + ".repeat(300) + "1";
        for (expression, part) in [
            ("a +", "line 1"),
            ("a.matches('x')", "matches"),
            ("s.replace('', s)", "replace"),
            ("s.split('').join(s)", "join"),
            ("xs.map(x, xs.map(y, x + y)).size()", "loop"),
            ("[s].map(x, x + x).map(x, x + x)[0]", "one loop"),
            ("xs.exists(x, x == 1) || ys.exists(y, y == 1)", "one loop"),
            ("{'a': 1}.map(k, k)[0]", "map"),
            ("now()", "now"),
            (long.as_str(), "1000 characters"),
            ("", "line 1"),
        ] {
            let refused = Expression::read(expression).map(|_| ()).unwrap_err();
            assert!(refused.contains(part), "{expression}: {refused}");
        }
    }

    #[test]
    fn failures_repeat_no_value() {
        let row = [("s", text("canary")), ("n", Value::Int(0)), ("l", Value::List(Vec::new()))];
        for (expression, expected) in [
            ("s + n", "its parts have types that do not go together"),
            ("7 / n", "it divides by zero"),
            ("9223372036854775807 + 1 + n", "a number grows too large"),
            ("int(s)", "a function cannot take what it is given"),
            ("l", "its value is no boolean, number, text or NULL"),
        ] {
            assert_eq!(value(expression, &row), Err(expected.to_owned()), "{expression}");
        }
    }

    #[test]
    fn a_row_may_cost_only_so_much() {
        let large = text(&"x".repeat(64 * 1024 * 1024));
        let refused = value("s + s + s", &[("s", large)]);
        assert_eq!(refused, Err("the values are more than an expression may work on".to_owned()));
        let list = Value::List(vec![Value::Int(1); 100_000]);
        assert!(value("l.exists(x, x == 2)", &[("l", list.clone())]).is_err(), "a loop counts its elements");
        let medium = || [("s", text(&"x".repeat(400_000)))];
        let literal = format!("size([{}1].map(x, s + s))", "1, ".repeat(200));
        assert!(value(&literal, &medium()).is_err(), "and those that stand in the expression");
        assert!(
            value("(s + s + s).split('').exists(x, x == 'y')", &medium()).is_err(),
            "and those that a text is split into"
        );
        assert_eq!(value("size(l)", &[("l", list)]), Ok(Value::Int(100_000)));
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in "[a-c(){}\\[\\]?:.,+*/<>=!&|'\"0-9 \\\\]{0,40}") {
            if let Ok(expression) = Expression::read(&text) {
                let _ = expression.evaluate([("a", Value::Int(1)), ("b", Value::Text("b".to_owned())), ("c", Value::Null)]);
            }
        }
    }
}
