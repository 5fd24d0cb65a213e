//! Types as CREATE TABLE has them, and which of them hold every value of another exactly.
//!
//! CrateDB converts what is written to the type of the column, and most of that without a word: a BIGINT that does not
//! fit wraps around in a SMALLINT, NUMERIC is rounded, a point in time becomes a number. What is exact was measured for
//! every pair of types over the wire.

use super::scan::Scan;

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
enum DataType {
    /// One without parts, by its name as SHOW CREATE TABLE prints it, with its lengths.
    Scalar(String, Vec<u32>),
    /// An array of elements.
    Array(Box<Self>),
    /// An object: whether it refuses other columns, and those that it declares.
    Object { strict: bool, columns: Vec<(String, Self)> },
}

/// How values travel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Travel {
    /// In the binary form of their type.
    Binary,
    /// As JSON, within an object or an array of arrays.
    Json,
}

/// Whether a column of type `to` holds every value of type `from` exactly. Types that are not understood hold those of
/// the same text.
pub fn holds(to: &str, from: &str) -> bool {
    match (read(to), read(from)) {
        (Some(to), Some(from)) => to.takes(&from, Travel::Binary),
        _ => to == from,
    }
}

/// Whether a table that does not declare a column gets one from its rows that holds every value of type `from` exactly.
/// As measured: a point in time would make a BIGINT, an IP a TEXT, a vector an array; a BIT is refused.
pub fn holds_undeclared(from: &str) -> bool {
    read(from).is_some_and(|from| match &from {
        DataType::Scalar(name, _) if ["REAL", "CHARACTER", "GEO_POINT"].contains(&name.as_str()) => true,
        from => from.is_of_json(),
    })
}

/// The part of a type whose values an export as JSON and its import bend or lose, if there is one: CrateDB reads numbers
/// through a double, which keeps 15 digits, and does not read bits as it writes them.
pub fn beyond_json(data_type: &str) -> Option<String> {
    let suspicious = |word: &str| {
        let upper = data_type.to_uppercase();
        upper.split(|character: char| !character.is_ascii_alphanumeric()).any(|it| it == word)
    };
    match read(data_type) {
        Some(data_type) => data_type.beyond_json(),
        None => ["NUMERIC", "DECIMAL", "BIT"].into_iter().find(|word| suspicious(word)).map(str::to_owned),
    }
}

/// Whether a type is NUMERIC itself, of any precision: written as a text, it keeps every digit on the way through JSON.
pub fn is_numeric(data_type: &str) -> bool {
    matches!(read(data_type), Some(DataType::Scalar(name, _)) if name == "NUMERIC")
}

/// As many digits as a double keeps.
const DIGITS_OF_DOUBLE: u32 = 15;

impl DataType {
    fn beyond_json(&self) -> Option<String> {
        match self {
            Self::Scalar(name, sizes) => {
                let fits = match (name.as_str(), sizes.first()) {
                    ("NUMERIC", Some(digits)) => *digits <= DIGITS_OF_DOUBLE,
                    ("NUMERIC", None) | ("BIT", _) => false,
                    _ => true,
                };
                let lengths: Vec<String> = sizes.iter().map(ToString::to_string).collect();
                let shown = if sizes.is_empty() { name.clone() } else { format!("{name}({})", lengths.join(", ")) };
                (!fits).then_some(shown)
            }
            Self::Array(element) => element.beyond_json(),
            Self::Object { columns, .. } => columns.iter().find_map(|(_, column)| column.beyond_json()),
        }
    }

    fn takes(&self, from: &Self, travel: Travel) -> bool {
        match (self, from) {
            (Self::Scalar(to, sizes), Self::Scalar(from, from_sizes)) => {
                (to == from && sizes == from_sizes) || widens((from, from_sizes), (to, sizes), travel)
            }
            (Self::Array(to), Self::Array(from)) => {
                let nested = matches!(**to, Self::Array(_));
                to.takes(from, if nested { Travel::Json } else { travel })
            }
            (Self::Object { strict, columns }, Self::Object { columns: from, .. }) => {
                from.iter().all(|(name, from)| match columns.iter().find(|(column, _)| column == name) {
                    Some((_, to)) => to.takes(from, Travel::Json),
                    None => !strict && from.is_of_json(),
                })
            }
            _ => false,
        }
    }

    /// Whether an object that does not declare it gets an equal value from JSON: a NUMERIC would become a text there.
    fn is_of_json(&self) -> bool {
        match self {
            Self::Scalar(name, _) => {
                ["BYTE", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE PRECISION", "TEXT", "VARCHAR", "BOOLEAN"]
                    .contains(&name.as_str())
            }
            Self::Array(element) => element.is_of_json(),
            Self::Object { columns, .. } => columns.iter().all(|(_, column)| column.is_of_json()),
        }
    }
}

/// Whether every value of one scalar type is one of another.
fn widens((from, from_sizes): (&str, &[u32]), (to, sizes): (&str, &[u32]), travel: Travel) -> bool {
    let binary = travel == Travel::Binary;
    match (from, to) {
        ("BYTE", "SMALLINT" | "INTEGER" | "BIGINT")
        | ("SMALLINT", "INTEGER" | "BIGINT")
        | ("INTEGER", "BIGINT")
        | ("VARCHAR" | "CHARACTER", "TEXT") => true,
        // JSON's text of a number is the shortest for its type: 0.1 is another number as a double.
        ("BYTE" | "SMALLINT", "REAL" | "DOUBLE PRECISION") | ("INTEGER" | "REAL", "DOUBLE PRECISION") => binary,
        ("BYTE" | "SMALLINT" | "INTEGER" | "BIGINT", "NUMERIC") => binary && whole_digits(from, sizes),
        ("NUMERIC", "NUMERIC") => match (from_sizes, sizes) {
            ([precision, scale], [to_precision, to_scale]) => {
                to_scale >= scale && to_precision.saturating_sub(*to_scale) >= precision.saturating_sub(*scale)
            }
            _ => false,
        },
        ("VARCHAR" | "CHARACTER", "VARCHAR") => from_sizes.first() <= sizes.first(),
        _ => false,
    }
}

/// Whether a NUMERIC has as many digits before the point as a whole number needs.
fn whole_digits(from: &str, sizes: &[u32]) -> bool {
    let needed = match from {
        "BYTE" => 3,
        "SMALLINT" => 5,
        "INTEGER" => 10,
        _ => 19,
    };
    matches!(sizes, [precision, scale] if precision.saturating_sub(*scale) >= needed)
}

fn read(text: &str) -> Option<DataType> {
    let mut scan = Scan::new(text);
    let data_type = data_type(&mut scan)?;
    scan.end().ok().map(|()| data_type)
}

fn data_type(scan: &mut Scan<'_>) -> Option<DataType> {
    let name = scan.name().ok()?.to_uppercase();
    match name.as_str() {
        "ARRAY" => Some(DataType::Array(Box::new(read(scan.parenthesised().ok()?)?))),
        "OBJECT" => object(scan),
        name => scalar(name, scan),
    }
}

fn object(scan: &mut Scan<'_>) -> Option<DataType> {
    let policy = scan.parenthesised().unwrap_or_default();
    let elements = if scan.try_words("AS") || scan.try_words("as") { scan.list().ok()? } else { Vec::new() };
    let column = |element: &str| {
        let column = super::column(element).ok()?;
        Some((column.name, read(&column.data_type)?))
    };
    let columns = elements.into_iter().map(column).collect::<Option<_>>()?;
    Some(DataType::Object { strict: policy.eq_ignore_ascii_case("strict"), columns })
}

/// A scalar, by whichever of its names.
fn scalar(first: &str, scan: &mut Scan<'_>) -> Option<DataType> {
    let sizes = |scan: &mut Scan<'_>| match scan.list() {
        Ok(sizes) => sizes.into_iter().map(|size| size.parse().ok()).collect::<Option<Vec<u32>>>(),
        Err(_) => Some(Vec::new()),
    };
    let name = match first {
        "TEXT" | "STRING" => "TEXT",
        "INT" | "INT4" => "INTEGER",
        "INT2" | "SHORT" => "SMALLINT",
        "INT8" | "LONG" => "BIGINT",
        "FLOAT" | "FLOAT4" => "REAL",
        "FLOAT8" => "DOUBLE PRECISION",
        "DOUBLE" => match scan.rest().to_uppercase().as_str() {
            "" | "PRECISION" => "DOUBLE PRECISION",
            _ => return None,
        },
        "CHAR" => "CHARACTER",
        "DECIMAL" => "NUMERIC",
        "TIMESTAMPTZ" => "TIMESTAMP WITH TIME ZONE",
        "TIMESTAMP" => match scan.rest().to_uppercase().as_str() {
            "" | "WITHOUT TIME ZONE" => "TIMESTAMP WITHOUT TIME ZONE",
            "WITH TIME ZONE" => "TIMESTAMP WITH TIME ZONE",
            _ => return None,
        },
        other => other,
    };
    let mut sizes = sizes(scan)?;
    match (name, sizes.as_slice()) {
        ("VARCHAR", []) => return Some(DataType::Scalar("TEXT".to_owned(), sizes)),
        ("CHARACTER", []) => sizes.push(1),
        ("NUMERIC", [_]) => sizes.push(0),
        _ => {}
    }
    Some(DataType::Scalar(name.to_owned(), sizes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_make_columns_of_few_types() {
        for from in ["BIGINT", "SMALLINT", "REAL", "TEXT", "VARCHAR(3)", "BOOLEAN", "GEO_POINT", "ARRAY(TEXT)"] {
            assert!(holds_undeclared(from), "{from}");
        }
        for from in ["TIMESTAMP WITH TIME ZONE", "IP", "BIT(4)", "FLOAT_VECTOR(2)", "NUMERIC(6, 2)", "ARRAY(IP)"] {
            assert!(!holds_undeclared(from), "{from}");
        }
    }

    #[test]
    fn json_bends_wide_numbers_and_bits_wherever_they_are() {
        for (data_type, beyond) in [
            ("NUMERIC(15, 2)", None),
            ("NUMERIC(16, 2)", Some("NUMERIC(16, 2)")),
            ("NUMERIC", Some("NUMERIC")),
            ("BIT(8)", Some("BIT(8)")),
            ("ARRAY(ARRAY(NUMERIC(20, 6)))", Some("NUMERIC(20, 6)")),
            ("OBJECT(DYNAMIC) AS (\"a\" TEXT, \"b\" ARRAY(BIT(4)))", Some("BIT(4)")),
            ("OBJECT(DYNAMIC) AS (\"BIT\" TEXT)", None),
            ("DOUBLE PRECISION", None),
            ("FLOAT_VECTOR(3)", None),
        ] {
            assert_eq!(beyond_json(data_type).as_deref(), beyond, "{data_type}");
        }
    }

    #[test]
    fn types_hold_what_they_hold_exactly() {
        let yes = [
            ("BYTE", "SMALLINT"),
            ("SMALLINT", "REAL"),
            ("INTEGER", "BIGINT"),
            ("INTEGER", "DOUBLE PRECISION"),
            ("REAL", "DOUBLE PRECISION"),
            ("BIGINT", "NUMERIC(21, 2)"),
            ("NUMERIC(6, 2)", "NUMERIC(8, 4)"),
            ("VARCHAR(3)", "TEXT"),
            ("VARCHAR(3)", "VARCHAR(4)"),
            ("CHARACTER(3)", "TEXT"),
            ("ARRAY(INTEGER)", "ARRAY(BIGINT)"),
            ("ARRAY(ARRAY(INTEGER))", "ARRAY(ARRAY(BIGINT))"),
            (
                "OBJECT(STRICT) AS (\n\"a\" INTEGER,\n\"b x\" VARCHAR(2) INDEX OFF\n)",
                "OBJECT(DYNAMIC) AS (\"a\" BIGINT)",
            ),
            ("OBJECT(DYNAMIC)", "OBJECT(STRICT) AS (\"a\" BIGINT)"),
            ("OBJECT(STRICT) AS (\"a\" BIGINT)", "OBJECT(DYNAMIC)"),
            ("timestamp", "TIMESTAMP WITHOUT TIME ZONE"),
            ("double", "DOUBLE PRECISION"),
            ("varchar", "TEXT"),
            ("numeric(6)", "NUMERIC(6, 0)"),
            ("IP", "IP"),
        ];
        for (from, to) in yes {
            assert!(holds(to, from), "{from} into {to}");
        }
        let no = [
            ("BIGINT", "INTEGER"),
            ("BIGINT", "DOUBLE PRECISION"),
            ("INTEGER", "REAL"),
            ("DOUBLE PRECISION", "REAL"),
            ("BIGINT", "NUMERIC(20, 2)"),
            ("NUMERIC(6, 2)", "NUMERIC(6, 1)"),
            ("NUMERIC(6, 2)", "NUMERIC(6, 3)"),
            ("NUMERIC(6, 2)", "DOUBLE PRECISION"),
            ("TEXT", "VARCHAR(4)"),
            ("VARCHAR(5)", "VARCHAR(4)"),
            ("VARCHAR(3)", "CHARACTER(4)"),
            ("CHARACTER(3)", "CHARACTER(4)"),
            ("TIMESTAMP WITHOUT TIME ZONE", "TIMESTAMP WITH TIME ZONE"),
            ("TIMESTAMP WITH TIME ZONE", "BIGINT"),
            ("BIT(3)", "BIT(8)"),
            ("TEXT", "TIMESTAMP WITH TIME ZONE"),
            ("INTEGER", "TEXT"),
            ("ARRAY(BIGINT)", "ARRAY(SMALLINT)"),
            ("ARRAY(ARRAY(REAL))", "ARRAY(ARRAY(DOUBLE PRECISION))"),
            ("OBJECT(DYNAMIC) AS (\"a\" REAL)", "OBJECT(DYNAMIC) AS (\"a\" DOUBLE PRECISION)"),
            (
                "OBJECT(DYNAMIC) AS (\"a\" OBJECT(DYNAMIC) AS (\"b\" BIGINT))",
                "OBJECT(DYNAMIC) AS (\"a\" OBJECT(DYNAMIC) AS (\"b\" INTEGER))",
            ),
            ("OBJECT(DYNAMIC) AS (\"a\" BIGINT)", "OBJECT(STRICT) AS (\"b\" BIGINT)"),
            ("OBJECT(DYNAMIC) AS (\"a\" NUMERIC(6, 2))", "OBJECT(DYNAMIC)"),
            ("GEO_POINT", "ARRAY(DOUBLE PRECISION)"),
            ("NUMERIC", "NUMERIC(6, 2)"),
        ];
        for (from, to) in no {
            assert!(!holds(to, from), "{from} into {to}");
        }
    }
}
