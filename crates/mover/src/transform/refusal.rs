//! Why a value cannot be made: in words that repeat none.

use std::fmt;

use transship_expr::Failure;

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The source sent something else than its type says.
    Unreadable,
    /// The value is of a type that the verb does not take.
    OtherType,
    /// A number has no place in its type.
    OutOfRange,
    /// A number has decimals that the type has not.
    Fraction,
    /// A text is none of the type.
    Form,
    /// A text is longer than the type allows.
    TooLong,
    /// The expression has no value.
    Expression(Failure),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Unreadable => "the value that was read is none of its type",
            Self::OtherType => "the value is of another type than was planned with",
            Self::OutOfRange => "a number is out of the range of its type",
            Self::Fraction => "a number has more decimals than its type: `round` comes first",
            Self::Form => "a text cannot be read as a value of the type",
            Self::TooLong => "a text is longer than its type allows",
            Self::Expression(failure) => return write!(f, "`expr` fails: {failure}"),
        };
        f.write_str(text)
    }
}
