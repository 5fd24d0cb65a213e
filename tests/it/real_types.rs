//! Every type that a table can have by every way to copy it, on real clusters: equal value by value, or refused with the
//! reason. Nothing in between. `docs/types.md` is what came out; `TRANSSHIP_BLESS=1` writes it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::real::{Copies, replication_turn};
use crate::real_mover::unordered;

/// A table: what stands in `docs/types.md`, its columns beside `id INTEGER`, more of its definition, and its rows as values of
/// the columns that are given.
struct Kind {
    name: &'static str,
    columns: &'static str,
    more: &'static str,
    given: &'static str,
    rows: &'static [&'static str],
}

const fn of(name: &'static str, columns: &'static str, rows: &'static [&'static str]) -> Kind {
    Kind { name, columns, more: "", given: "v", rows }
}

/// Times that the calendar of Java shifts, and some that its driver does not take.
const EARLY: &str = "`TIMESTAMP WITH TIME ZONE` before 1582-10-25 or after 9999";

const KINDS: &[Kind] = &[
    of("`BOOLEAN`", "v BOOLEAN", &["true", "false", "NULL"]),
    of("`BYTE`", "v BYTE", &["127", "-128", "NULL"]),
    of("`SMALLINT`", "v SMALLINT", &["32767", "-32768", "NULL"]),
    of("`INTEGER`", "v INTEGER", &["2147483647", "-2147483648", "NULL"]),
    of("`BIGINT`", "v BIGINT", &["9223372036854775806", "-9223372036854775807", "NULL"]),
    of("`REAL`", "v REAL", &["3.4028235e38", "-1.4e-45", "'NaN'", "'-Infinity'", "-0.0", "0.1", "NULL"]),
    of(
        "`DOUBLE PRECISION`",
        "v DOUBLE PRECISION",
        &["1.7976931348623157e308", "4.9e-324", "'NaN'", "'Infinity'", "-0.0", "0.1", "NULL"],
    ),
    of("`NUMERIC(20, 6)`", "v NUMERIC(20, 6)", &["12345678901234.567891", "-0.000001", "0.1", "NULL"]),
    of("`NUMERIC(30)`", "v NUMERIC(30)", &["123456789012345678901234567890", "-1", "NULL"]),
    of(
        "`TEXT`",
        "v TEXT",
        &[
            "E'quote '' \" back\\\\slash {x} ü 😀 \\t\\n'",
            "''",
            "'NULL'",
            "'{}'",
            "E'\\u0001'",
            "repeat('x', 30000)",
            "NULL",
        ],
    ),
    of("`VARCHAR(n)`", "v VARCHAR(10)", &["'0123456789'", "'é'", "''", "NULL"]),
    of("`CHARACTER(n)`", "v CHARACTER(5)", &["'abc'", "'ééééé'", "''", "NULL"]),
    of("`IP`", "v IP", &["'10.0.0.1'", "'::1'", "'2001:db8::ff00:42:8329'", "NULL"]),
    of(
        "`TIMESTAMP WITH TIME ZONE`",
        "v TIMESTAMP WITH TIME ZONE",
        &[
            "'1582-10-25'",
            "'1969-12-31T23:59:59.999Z'",
            "'2026-03-29T02:30:00.123Z'",
            "'9999-12-31T23:59:59.999Z'",
            "NULL",
        ],
    ),
    of(
        EARLY,
        "v TIMESTAMP WITH TIME ZONE",
        &["'0001-01-01'", "'1582-10-14'", "-9223372036854775807::bigint", "9223372036854775806::bigint", "NULL"],
    ),
    of(
        "`TIMESTAMP WITHOUT TIME ZONE`",
        "v TIMESTAMP WITHOUT TIME ZONE",
        &["'0001-01-01'", "'1582-10-04'", "'2026-03-29T02:30:00'", "9223372036854775806::bigint", "NULL"],
    ),
    of(
        "`GEO_POINT`",
        "v GEO_POINT",
        &["[9.7438, 47.4108]", "[-180.0, -90.0]", "[0.0, 0.0]", "[1e-12, -1e-12]", "NULL"],
    ),
    of(
        "`GEO_SHAPE`",
        "v GEO_SHAPE",
        &[
            "'POINT (9.7438 47.4108)'",
            "{type = 'Polygon', coordinates = [[[30.123456789, 10.0], [40.0, 40.0], [20.0, 40.0], [30.123456789, 10.0]]]}",
            "NULL",
        ],
    ),
    of("`BIT(n)`", "v BIT(8)", &["B'10100101'", "B'00000000'", "NULL"]),
    of(
        "`UUID`",
        "v UUID",
        &["'f47ac10b-58cc-4372-a567-0e02b2c3d479'", "'00000000-0000-0000-0000-000000000000'", "NULL"],
    ),
    of("`FLOAT_VECTOR(n)`", "v FLOAT_VECTOR(3)", &["[1.1, -0.0, 3.4e38]", "[0.0, 0.0, 0.0]", "NULL"]),
    of(
        "`OBJECT(DYNAMIC)`",
        "v OBJECT(DYNAMIC) AS (r REAL, ts TIMESTAMP WITH TIME ZONE, gp GEO_POINT, l ARRAY(TEXT))",
        &[
            "{r = 0.1, ts = '0001-01-01', gp = [9.7438, 47.4108], l = ['\"', NULL, 'x']}",
            "{more = {deep = [1, 2], \"x y\" = E'\"'}, r = NULL}",
            "{}",
            "NULL",
        ],
    ),
    of(
        "`OBJECT(STRICT)`",
        "v OBJECT(STRICT) AS (a BIGINT, u UUID, b BYTE)",
        &["{a = 9223372036854775806, b = -128}", "{a = NULL}", "NULL"],
    ),
    of(
        "`OBJECT(IGNORED)`",
        "v OBJECT(IGNORED)",
        &["{a = NULL, b = [], c = {}, d = [NULL, 1], e = 1.5, h = [[1], [2]]}", "NULL"],
    ),
    of("`OBJECT` with `NUMERIC`", "v OBJECT(STRICT) AS (n NUMERIC(20, 6))", &["{n = 12345678901234.567891}", "NULL"]),
    of("`OBJECT` with `BIT`", "v OBJECT(STRICT) AS (b BIT(4))", &["{b = B'1010'}", "NULL"]),
    of("`ARRAY(BOOLEAN)`", "v ARRAY(BOOLEAN)", &["[true, NULL, false]", "[]", "[NULL]", "NULL"]),
    of("`ARRAY(BYTE)`", "v ARRAY(BYTE)", &["[127, -128, NULL]", "[]", "NULL"]),
    of("`ARRAY(SMALLINT)`", "v ARRAY(SMALLINT)", &["[32767, NULL]", "[]", "NULL"]),
    of("`ARRAY(INTEGER)`", "v ARRAY(INTEGER)", &["[2147483647, NULL, -2147483648]", "[]", "[NULL]", "NULL"]),
    of("`ARRAY(BIGINT)`", "v ARRAY(BIGINT)", &["[9223372036854775806, NULL]", "[]", "NULL"]),
    of("`ARRAY(REAL)`", "v ARRAY(REAL)", &["[0.1, 'NaN', NULL]", "['-Infinity']", "[]", "NULL"]),
    of(
        "`ARRAY(DOUBLE PRECISION)`",
        "v ARRAY(DOUBLE PRECISION)",
        &["['NaN'::double precision, 'Infinity', 0.1, NULL]", "[]", "NULL"],
    ),
    of("`ARRAY(NUMERIC)`", "v ARRAY(NUMERIC(20, 6))", &["[12345678901234.567891, NULL, 0.1]", "[]", "NULL"]),
    of(
        "`ARRAY(TEXT)`",
        "v ARRAY(TEXT)",
        &["[E'\"', NULL, E'back\\\\s', '{}', '', 'NULL', 'a,b']", "[]", "[NULL]", "NULL"],
    ),
    of("`ARRAY(IP)`", "v ARRAY(IP)", &["['10.0.0.1', '::1', NULL]", "[]", "NULL"]),
    of("`ARRAY(UUID)`", "v ARRAY(UUID)", &["['f47ac10b-58cc-4372-a567-0e02b2c3d479', NULL]", "[]", "NULL"]),
    of(
        "`ARRAY(TIMESTAMP WITH TIME ZONE)`",
        "v ARRAY(TIMESTAMP WITH TIME ZONE)",
        &["['0001-01-01'::timestamp with time zone, NULL, '2026-01-01'::timestamp with time zone]", "[]", "NULL"],
    ),
    of("`ARRAY(GEO_POINT)`", "v ARRAY(GEO_POINT)", &["[[9.7438, 47.4108], [1.0, 2.0]]", "[]", "NULL"]),
    of("`ARRAY(GEO_SHAPE)`", "v ARRAY(GEO_SHAPE)", &["['POINT (9.7438 47.4108)']", "[]"]),
    of("`ARRAY(BIT)`", "v ARRAY(BIT(4))", &["[B'1010', NULL, B'0001']", "[]"]),
    of(
        "`ARRAY(OBJECT)`",
        "v ARRAY(OBJECT(DYNAMIC) AS (n NUMERIC(20, 6)))",
        &["[{a = 1, b = E'\"', n = 12345678901234.567891}, {}, NULL]", "[]", "[NULL]"],
    ),
    of("`ARRAY(ARRAY(INTEGER))`", "v ARRAY(ARRAY(INTEGER))", &["[[1, 2], [3], [], [NULL]]", "[]", "NULL"]),
    of("`ARRAY(ARRAY(NUMERIC))`", "v ARRAY(ARRAY(NUMERIC(20, 6)))", &["[[12345678901234.567891], []]", "[]"]),
    of("`ARRAY(ARRAY(OBJECT))`", "v ARRAY(ARRAY(OBJECT))", &["[[{a = 1}], [], [{b = [1], c = NULL}]]", "[]"]),
    Kind {
        name: "NULL under a DEFAULT",
        columns: "v TEXT DEFAULT 'x', n NUMERIC(5, 2) DEFAULT 1.5",
        more: "",
        given: "v, n",
        rows: &["NULL, NULL", "'', 0", "'x', 1.5"],
    },
    Kind {
        name: "generated column",
        columns: "v INTEGER, g INTEGER GENERATED ALWAYS AS v + 1, m TIMESTAMP WITH TIME ZONE GENERATED ALWAYS AS date_trunc('month', at), at TIMESTAMP WITH TIME ZONE",
        more: "",
        given: "v, at",
        rows: &["1, '2026-02-03'", "NULL, NULL"],
    },
    Kind {
        name: "partitioned by `INTEGER`",
        columns: "v INTEGER",
        more: "PARTITIONED BY (v)",
        given: "v",
        rows: &["1", "-2", "NULL"],
    },
    Kind {
        name: "partitioned by `TEXT`",
        columns: "v TEXT",
        more: "PARTITIONED BY (v)",
        given: "v",
        rows: &["'a''b'", "''", "E'\"{}'", "NULL"],
    },
    Kind {
        name: "partitioned by `BOOLEAN`",
        columns: "v BOOLEAN",
        more: "PARTITIONED BY (v)",
        given: "v",
        rows: &["true", "NULL"],
    },
    Kind {
        name: "partitioned by `TIMESTAMP WITH TIME ZONE`",
        columns: "v TIMESTAMP WITH TIME ZONE",
        more: "PARTITIONED BY (v)",
        given: "v",
        rows: &["'2026-01-01'", "NULL"],
    },
    Kind {
        name: "partitioned by `IP`",
        columns: "v IP",
        more: "PARTITIONED BY (v)",
        given: "v",
        rows: &["'10.0.0.1'", "NULL"],
    },
    Kind {
        name: "names that need quotes",
        columns: "v INTEGER, \"A b\"\"c\" TEXT, \"select\" OBJECT(DYNAMIC) AS (\"x y\" INTEGER)",
        more: "",
        given: "v, \"A b\"\"c\", \"select\"",
        rows: &["1, 'x', {\"x y\" = 1}", "2, NULL, NULL"],
    },
];

/// A way: what stands in `docs/types.md`, the name of its flow, and its strategy.
const WAYS: [(&str, &str, &str); 6] = [
    ("`stream`", "stream", "custom: { engine: stream }"),
    ("`foreign-table`", "foreign", "custom: { engine: foreign-table }"),
    ("`export-import`, JSON", "json", "export-import: { store: disk, format: json }"),
    ("`export-import`, CSV", "csv", "export-import: { store: disk, format: csv }"),
    ("`snapshot`", "snapshot", "snapshot: { store: disk }"),
    ("`then: detach`", "detach", "logical-replication: { then: detach }"),
];

/// The ways that may refuse a type have a table for each; the others one with a column for each, which is quicker.
const PER_TYPE: [&str; 3] = ["stream", "foreign", "csv"];

/// Whether a kind is a column of the one table, too.
fn is_plain(kind: &Kind) -> bool {
    kind.given == "v" && kind.more.is_empty()
}

/// What came out, by number of the kind and name of the way.
type Found = BTreeMap<(usize, &'static str), String>;

#[test]
fn real_every_type_arrives_or_is_refused() {
    let Some(copies) = Copies::bare("everytype") else { return };
    let _turn = replication_turn();
    let Some(exchange) = copies.clusters.exchange("real_every_type_arrives_or_is_refused") else { return };
    let folder = exchange.join(&copies.scope.schema);
    fs_err::create_dir_all(&folder).expect("the exchange can be written");
    let store = format!("version: 1\nstores:\n  disk:\n    directory: {{ path: {} }}\n", folder.display());
    copies.workspace.write("stores.yaml", &store);
    fill(&copies);
    let mut found = Found::new();
    declare(&copies, &found);
    let refused = copies.workspace.run(&["plan", "--format", "json"]);
    note_refused(&refused.stdout, &copies.scope.schema, &mut found);
    declare(&copies, &found);
    let applied = copies.workspace.run(&["apply", "--auto-approve"]).expect(7);
    assert!(applied.all().contains("apply::times-unfit"), "{}", applied.all());
    let failed = applied.stdout.lines().filter(|line| line.starts_with('✗')).count();
    assert_eq!(failed, 1, "{}", applied.stdout);
    compare(&copies, &mut found);
    assert!(WAYS.iter().all(|(_, way, _)| found.keys().any(|(_, of)| of == way)));
    let stream = found.iter().filter(|((_, way), _)| *way == "stream");
    stream.for_each(|((at, _), outcome)| assert_eq!(outcome, "equal", "stream refuses {}", KINDS[*at].name));
    held_against(&page(&found));
}

fn fill(copies: &Copies) {
    for (at, kind) in KINDS.iter().enumerate() {
        let table = copies.scope.table(&format!("t{at}"));
        let key = if kind.more.is_empty() { " PRIMARY KEY" } else { "" };
        copies.alpha().sql(&format!(
            "CREATE TABLE {table} (id INTEGER{key}, {}) CLUSTERED INTO 1 SHARDS {} WITH (number_of_replicas = 0)",
            kind.columns, kind.more
        ));
        for (number, row) in kind.rows.iter().enumerate() {
            copies.alpha().sql(&format!("INSERT INTO {table} (id, {}) VALUES ({number}, {row})", kind.given));
        }
        copies.alpha().sql(&format!("REFRESH TABLE {table}"));
    }
    fill_wide(copies);
}

fn fill_wide(copies: &Copies) {
    let plain: Vec<(usize, &Kind)> = KINDS.iter().enumerate().filter(|(_, kind)| is_plain(kind)).collect();
    let columns: Vec<String> =
        plain.iter().map(|(at, kind)| kind.columns.replacen("v ", &format!("v{at} "), 1)).collect();
    let names: Vec<String> = plain.iter().map(|(at, _)| format!("v{at}")).collect();
    let wide = copies.scope.table("wide");
    copies.alpha().sql(&format!(
        "CREATE TABLE {wide} (id INTEGER PRIMARY KEY, {}) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)",
        columns.join(", ")
    ));
    for number in 0..plain.iter().map(|(_, kind)| kind.rows.len()).max().unwrap_or(0) {
        let row: Vec<&str> = plain.iter().map(|(_, kind)| kind.rows.get(number).copied().unwrap_or("NULL")).collect();
        let (names, row) = (names.join(", "), row.join(", "));
        copies.alpha().sql(&format!("INSERT INTO {wide} (id, {names}) VALUES ({number}, {row})"));
    }
    copies.alpha().sql(&format!("REFRESH TABLE {wide}"));
}

/// One flow for each way, of all tables that it has not refused. Times that are told while a run goes on are a flow of their own.
fn declare(copies: &Copies, found: &Found) {
    let schema = &copies.scope.schema;
    let mut flows = "version: 1\nflows:\n".to_owned();
    let add =
        |flows: &mut String, (name, way): (&str, &'static str), strategy: &str, chosen: &dyn Fn(usize) -> bool| {
            write!(flows, "  {name}:\n    from: alpha\n    to: beta\n    strategy: {{ {strategy} }}\n    tables:\n")
                .expect("a String");
            if !PER_TYPE.contains(&way) {
                writeln!(flows, "      - {{ from: {schema}.wide, to: {schema}.wide_{way} }}").expect("a String");
            }
            for at in (0..KINDS.len()).filter(|at| chosen(*at) && !found.contains_key(&(*at, way))) {
                writeln!(flows, "      - {{ from: {schema}.t{at}, to: {schema}.t{at}_{way} }}").expect("a String");
            }
        };
    let early = |at: usize| KINDS[at].name == EARLY;
    for (_, way, strategy) in WAYS {
        match way {
            "stream" | "csv" => add(&mut flows, (way, way), strategy, &|_| true),
            "foreign" => {
                add(&mut flows, (way, way), strategy, &|at| !early(at));
                add(&mut flows, ("early", way), strategy, &early);
            }
            _ => add(&mut flows, (way, way), strategy, &|at| !is_plain(&KINDS[at])),
        }
    }
    copies.workspace.write("flows.yaml", &flows);
}

/// What the planner refuses, by the table that a finding names.
fn note_refused(text: &str, schema: &str, found: &mut Found) {
    let told: serde_json::Value = serde_json::from_str(text).expect("findings are told as JSON");
    let findings = told["diagnostics"].as_array().or_else(|| told["findings"].as_array()).expect("findings");
    for finding in findings {
        let (code, message) =
            (finding["code"].as_str().expect("a code"), finding["message"].as_str().expect("a message"));
        let all = finding.to_string();
        let path = finding["path"].as_str().unwrap_or_default();
        let way = WAYS
            .iter()
            .map(|(_, way, _)| *way)
            .find(|way| path.contains(&format!("flows.{way}")) || all.contains(&format!("_{way}")));
        let number = message
            .split(&format!("{schema}.t"))
            .nth(1)
            .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        let at = number.and_then(|number| number.parse::<usize>().ok());
        let (Some(way), Some(at)) = (way, at) else { panic!("a finding names no table: {all}") };
        let reason = message.rsplit_once(": ").map_or(message, |(_, reason)| reason).replace(schema, "s");
        found.insert((at, way), format!("refused: {reason} (`{code}`)"));
    }
}

/// Every table that was not refused, value by value.
fn compare(copies: &Copies, found: &mut Found) {
    for (at, kind) in KINDS.iter().enumerate() {
        let columns: Vec<String> = copies
            .alpha()
            .sql(&format!(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = '{}' AND table_name = 't{at}' \
                 AND column_details['path'] = [] ORDER BY ordinal_position",
                copies.scope.schema
            ))
            .into_iter()
            .map(|mut row| row[0].take().expect("a name"))
            // The document has the values of partition columns as texts, which CrateDB fails to give out.
            .map(|name| if kind.more.is_empty() { format!("_doc['{name}']") } else { format!("\"{name}\"") })
            .collect();
        let select =
            |table: &str| format!("SELECT {} FROM {} ORDER BY id", columns.join(", "), copies.scope.table(table));
        let own = copies.alpha().sql(&select(&format!("t{at}")));
        assert_eq!(own.len(), kind.rows.len());
        for (_, way, _) in WAYS {
            if found.contains_key(&(at, way)) {
                continue;
            }
            let of_wide = !PER_TYPE.contains(&way) && is_plain(kind);
            let wide = |table: &str| format!("SELECT id, _doc['v{at}'] FROM {} ORDER BY id", copies.scope.table(table));
            let (source, sql) = if of_wide {
                (copies.alpha().sql(&wide("wide")), wide(&format!("wide_{way}")))
            } else {
                (own.clone(), select(&format!("t{at}_{way}")))
            };
            let target = match copies.beta().try_sql(&sql) {
                Ok(target) => target,
                Err(_) if kind.name == EARLY && way == "foreign" => {
                    let told = "refused: while it is copied, before anything is put in place (`apply::times-unfit`)";
                    found.insert((at, way), told.to_owned());
                    continue;
                }
                Err(error) => panic!("{} by {way}: {error:?}", kind.name),
            };
            assert_eq!(source.len(), target.len(), "{} by {way}", kind.name);
            for (source, target) in source.iter().flatten().zip(target.iter().flatten()) {
                let same = source == target || source.as_deref().map(unordered) == target.as_deref().map(unordered);
                assert!(same, "{} by {way}: {source:?} became {target:?}", kind.name);
            }
            found.insert((at, way), "equal".to_owned());
        }
    }
}

fn page(found: &Found) -> String {
    let mut page = "# Which type arrives by which way\n\nWritten by a test on two nodes of CrateDB (`TRANSSHIP_BLESS=1 cargo test -p transship --test it -- real_every_type_arrives_or_is_refused`): \
        extremes and NULL of each type are copied by each way and compared value by value. *Equal* means all of them; what is refused is refused before anything is written, unless it says otherwise. \
        `engine: command` is not in the table: another program moves the rows.\n\n| type |"
        .to_owned();
    for (name, ..) in WAYS {
        write!(page, " {name} |").expect("a String");
    }
    write!(page, "\n|{}\n", "---|".repeat(WAYS.len() + 1)).expect("a String");
    let mut reasons: Vec<&str> = Vec::new();
    for (at, kind) in KINDS.iter().enumerate() {
        write!(page, "| {} |", kind.name).expect("a String");
        for (_, way, _) in WAYS {
            let outcome = found[&(at, way)].as_str();
            let cell = match outcome.strip_prefix("refused: ") {
                None => outcome.to_owned(),
                Some(reason) => {
                    if !reasons.contains(&reason) {
                        reasons.push(reason);
                    }
                    let number = reasons.iter().position(|known| *known == reason).expect("it is known") + 1;
                    format!("refused ({number})")
                }
            };
            write!(page, " {cell} |").expect("a String");
        }
        page.push('\n');
    }
    page.push('\n');
    for (at, reason) in reasons.iter().enumerate() {
        writeln!(page, "{}. {reason}", at + 1).expect("a String");
    }
    page
}

fn held_against(page: &str) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/types.md");
    if std::env::var_os("TRANSSHIP_BLESS").is_some() {
        fs_err::write(file, page).expect("the page can be written");
    }
    let committed = fs_err::read_to_string(file).unwrap_or_default();
    assert!(committed == page, "docs/types.md is out of date; TRANSSHIP_BLESS=1 writes it:\n{page}");
}
