//! Every type with its extremes, value by value.

use super::{Pair, run};
use crate::real::{Clusters, Scope};

/// A column of each type that tables can have.
pub(crate) const TYPES: &str = "id INTEGER PRIMARY KEY, b BOOLEAN, byt BYTE, si SMALLINT, i INTEGER, bi BIGINT, r REAL, \
    d DOUBLE PRECISION, n NUMERIC(20, 6), n0 NUMERIC(30), t TEXT, v VARCHAR(10), c CHAR(5), ip IP, \
    ts TIMESTAMP WITH TIME ZONE, tn TIMESTAMP WITHOUT TIME ZONE, gp GEO_POINT, gs GEO_SHAPE, \
    o OBJECT(DYNAMIC) AS (gp GEO_POINT, n NUMERIC(20, 6), r REAL, ts TIMESTAMP WITH TIME ZONE, fv FLOAT_VECTOR(2), \
    u UUID, byt BYTE, bt BIT(4), l ARRAY(NUMERIC(20, 6))), oi OBJECT(IGNORED), fv FLOAT_VECTOR(3), bt BIT(8), u UUID, at ARRAY(TEXT), \
    ai ARRAY(INTEGER), ao ARRAY(OBJECT(DYNAMIC) AS (n NUMERIC(20, 6), bt BIT(4))), agp ARRAY(GEO_POINT), an ARRAY(NUMERIC(10, 2)), ats ARRAY(TIMESTAMP WITH TIME ZONE), \
    ad ARRAY(DOUBLE PRECISION), aip ARRAY(IP), abt ARRAY(BIT(4)), au ARRAY(UUID), aby ARRAY(BYTE), ab ARRAY(BOOLEAN), \
    ar ARRAY(REAL), ag ARRAY(GEO_SHAPE), aai ARRAY(ARRAY(INTEGER)), aad ARRAY(ARRAY(DOUBLE PRECISION)), \
    aao ARRAY(ARRAY(OBJECT)), aagp ARRAY(ARRAY(GEO_POINT)), aan ARRAY(ARRAY(NUMERIC(20, 6))), \
    aats ARRAY(ARRAY(TIMESTAMP WITH TIME ZONE)), def TEXT DEFAULT 'x', gen INTEGER GENERATED ALWAYS AS id + 1";

/// Rows for [`TYPES`] with their extremes: lists of columns, each with its rows.
pub(crate) const ROWS: &[(&str, &[&str])] = &[
    (
        "id, b, byt, si, i, bi, r, d, n, n0, t, v, c, ip, ts, tn, gp, gs, bt, fv, u, def",
        &[
            "1, true, 127, 32767, 2147483647, 9223372036854775806, 3.4028235e38, 'NaN', 12345678901234.567891, \
             123456789012345678901234567890, E'quote '' \" back\\\\slash {x} ü 😀 \\t\\n', '0123456789', 'abc', '10.0.0.1', \
             '0001-01-01T00:00:00Z', '0001-01-01T00:00:00', [9.7438, 47.4108], \
             {type = 'Polygon', coordinates = [[[30.123456789, 10.0], [40.0, 40.0], [20.0, 40.0], [30.123456789, 10.0]]]}, \
             B'10100101', [1.1, -0.0, 3.4e38], 'f47ac10b-58cc-4372-a567-0e02b2c3d479', NULL",
            "2, false, -128, -32768, -2147483648, -9223372036854775807, -1.4e-45, 'Infinity', -99999999999999.999999, -1, '', \
             '', '', '::1', '9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999', [-180.0, -90.0], 'POINT (9.7438 47.4108)', \
             B'00000000', [0.0, 0.0, 0.0], '00000000-0000-0000-0000-000000000000', ''",
            "3, NULL, 0, 0, 0, 0, 'NaN', '-Infinity', 0.000001, 0, repeat('x', 30000), 'é', 'ééééé', '2001:db8::ff00:42:8329', \
             -9223372036854775807::bigint, 9223372036854775806::bigint, [180.0, 90.0], 'LINESTRING (1 1, 2 2)', B'11111111', \
             [0.1, 0.2, 0.3], 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'NULL'",
            "4, true, 1, 1, 1, 1, 0.1, -0.0, 0.1, 1, 'null', 'NULL', 'a', '255.255.255.255', '1582-10-14', '1582-10-04', \
             [0.0, 0.0], NULL, B'00000001', [1.0, 2.0, 3.0], NULL, 'x'",
            "5, true, 1, 1, 1, 1, 'Infinity', 4.9e-324, 1.5, 10, E'\\u0001', '{}', ' a', NULL, '1969-12-31T23:59:59.999Z', \
             '2026-03-29T02:30:00', [1e-12, -1e-12], NULL, NULL, NULL, NULL, 'y'",
            "6, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
             NULL, NULL",
        ],
    ),
    (
        "id, o",
        &[
            "11, {gp = [9.7438, 47.4108], n = 12345678901234.567891, r = 0.1, bt = B'1010', l = [0.1, 12345678901234.567891], ts = '0001-01-01', fv = [1.1, 2.2], \
             u = 'f47ac10b-58cc-4372-a567-0e02b2c3d479', byt = -128}",
            "12, {gp = NULL, n = NULL, more = {}}",
            "13, {more = {deep = [1, 2], \"x y\" = E'\"'}, ts = -9223372036854775807::bigint}",
            "14, {}",
            "15, {n = 99999999999999.999999, l = [], fv = [0.0, 0.0], more = {n = 0.1}}",
            "16, NULL",
        ],
    ),
    (
        "id, oi",
        &[
            "21, {a = NULL, b = [], c = {}, d = [NULL, 1], e = 1.5, h = [[1], [2, 3]], \"x y\" = E'\"'}",
            "22, {g = 'NaN'::double precision, h = 1.5}",
            "23, {l = 9223372036854775806, f = 0.1, d = 1e300}",
        ],
    ),
    (
        "id, at, ai, ab, aby, ar, ad, an, ats, aip, au, agp",
        &[
            "31, [E'\"', NULL, E'back\\\\s', '{}', '', 'NULL', 'a,b'], [2147483647, NULL, -2147483648], [true, NULL, false], \
             [127, -128, NULL], [0.1, 'NaN', NULL], ['NaN'::double precision, 'Infinity', 0.1, NULL], [0.10, NULL, 99999999.99], \
             ['0001-01-01'::timestamp with time zone, NULL, '2026-01-01'::timestamp with time zone], ['10.0.0.1', '::1'], \
             ['f47ac10b-58cc-4372-a567-0e02b2c3d479', NULL], [[9.7438, 47.4108], [1.0, 2.0]]",
            "32, [], [], [], [], [], [], [], [], [], [], []",
            "33, [NULL], [NULL], [NULL], [NULL], [NULL], [NULL], [NULL], [NULL], [NULL], [NULL], NULL",
            "34, ['b', 'a', 'b', 'a'], [3, 1, 3, 2], [true, true], [1, 1], [1.0, 1.0], [2.0, 1.0, 2.0], [2.5, 1.5, 2.5], \
             ['2026-01-01'::timestamp with time zone, '2025-01-01'::timestamp with time zone], ['::1', '10.0.0.1', '::1'], \
             ['f47ac10b-58cc-4372-a567-0e02b2c3d479', '00000000-0000-0000-0000-000000000000'], [[1e-12, 90.0], [9.7438, 47.4108]]",
            "35, ['x'], [1], [false], [0], ['-Infinity'], ['-Infinity'], [-0.01], [0::timestamp with time zone], ['1.2.3.4'], \
             ['f47ac10b-58cc-4372-a567-0e02b2c3d479'], [[-180.0, -90.0]]",
            "36, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
        ],
    ),
    (
        "id, ao",
        &[
            "41, [{a = 1, b = 'x', n = 12345678901234.567891, bt = B'0001'}, {}, NULL, {c = [1, 2], d = {e = E'\"'}}]",
            "42, []",
            "43, [NULL]",
            "44, [{a = NULL}]",
        ],
    ),
    ("id, abt", &["51, [B'1010', NULL, B'0001']", "52, []"]),
    ("id, ag", &["56, ['POINT (9.7438 47.4108)', NULL]", "57, []"]),
    (
        "id, aai, aad, aan, aagp, aats",
        &[
            "61, [[1, 2], [3], [], [NULL]], [['NaN'::double precision, 0.1], []], [[12345678901234.567891], []], \
             [[[9.7438, 47.4108]], []], [['0001-01-01'::timestamp with time zone, NULL], []]",
            "62, [], [], [], [], []",
            "63, [[2147483647], [-2147483648]], [[0.1, 1e300]], [[-99999999999999.999999]], [[[-180.0, 90.0]]], \
             [[9223372036854775806::bigint::timestamp with time zone]]",
        ],
    ),
    ("id, aao", &["71, [[{a = 1}], [], [{b = [1], c = NULL}]]", "72, []"]),
];

#[test]
fn real_every_type_arrives_exactly() {
    let Some(clusters) = Clusters::require("real_every_type_arrives_exactly") else { return };
    let scope = Scope::new(clusters, "types");
    let pair = Pair::new(clusters, &scope, "t", TYPES, "CLUSTERED INTO 2 SHARDS");
    let mut rows = 0;
    for (columns, values) in ROWS {
        for values in *values {
            pair.fill(columns, &format!("VALUES ({values})"));
            rows += 1;
        }
    }
    for job in [pair.job(&["id"]), pair.many(&["id"])] {
        assert_eq!(run(&job).expect("every row").rows, rows);
        pair.is_equal("id");
        pair.clear();
    }
}

#[test]
fn real_twenty_thousand_rows_of_every_type_arrive_exactly() {
    let Some(clusters) = Clusters::require("real_twenty_thousand_rows_of_every_type_arrive_exactly") else { return };
    let scope = Scope::new(clusters, "many");
    let seed = Pair::new(clusters, &scope, "seed", TYPES, "CLUSTERED INTO 1 SHARDS");
    let many = Pair::new(clusters, &scope, "many", TYPES, "CLUSTERED INTO 2 SHARDS");
    for (columns, values) in ROWS {
        for values in *values {
            seed.fill(columns, &format!("VALUES ({values})"));
        }
    }
    let count = clusters.alpha.count(&seed.table);
    let rounds = 20_000 / count + 1;
    let names: Vec<String> = many.columns().into_iter().skip(1).map(|(name, _)| name).collect();
    let values: Vec<String> = names.iter().map(|name| format!("_doc['{name}']")).collect();
    // In parts, since the join keeps its rows in memory.
    for from in (1..=rounds).step_by(100) {
        let (to, values) = ((from + 99).min(rounds), values.join(", "));
        let rows =
            format!("(SELECT id + 100 * g, {values} FROM {}, generate_series({from}, {to}) AS s(g))", seed.table);
        many.fill(&format!("id, {}", names.join(", ")), &rows);
    }
    let made = clusters.alpha.count(&many.table);
    assert!(made >= 20_000, "{made} rows to copy");
    for job in [many.job(&["id"]), many.many(&["id"])] {
        assert_eq!(run(&job).expect("every row").rows, made);
        many.is_equal("id");
        many.clear();
    }
}
