//! A flow with every verb between two real clusters, compared with what each of them computes by itself in SQL, or another
//! program has computed.

use crate::real::{Clusters, Scope, Workspace};

const KEY: &str = "canary of the mask";

/// HMAC-SHA-256 under the key, and SHA-256, computed by another program.
const MASK: &str = "9503ef044a1e177bf4a773aca0f080d480b43af713f365ea9e86d79bef7e1300";
const HASH: &str = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b";

/// The values of an expression over a table in the order of the ids, as texts of the server.
fn values(cluster: &crate::real::Cluster, expression: &str, table: &str) -> Vec<Option<String>> {
    let rows = cluster.sql(&format!("SELECT {expression} FROM {table} ORDER BY id"));
    rows.into_iter().map(|mut row| row.remove(0)).collect()
}

#[test]
fn real_transform() {
    let Some(clusters) = Clusters::require("real_transform") else { return };
    let scope = Scope::new(clusters, "transform");
    let (source, target, codes) = (scope.table("events"), scope.table("made"), scope.table("codes"));
    clusters.alpha.sql(&format!(
        "CREATE TABLE {source} (id INTEGER PRIMARY KEY, email TEXT, code TEXT, n INTEGER, b BIGINT, total NUMERIC(20, 4), rate DOUBLE
           PRECISION, small REAL, at TIMESTAMP WITH TIME ZONE, plain TIMESTAMP WITHOUT TIME ZONE, ok BOOLEAN, host IP, o OBJECT(DYNAMIC), xs
           ARRAY(INTEGER), place GEO_POINT) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);
         INSERT INTO {source} (id, email, code, n, b, total, rate, small, at, plain, ok, host, o, xs, place) VALUES
           (1, 'ada@example.org', 'DE', 1250, 9007199254740993, 12.3450, 2.675, 0.15, '2024-02-29T13:14:15.999Z',
            '2024-02-29T13:14:15.999', true, '127.0.0.1', {{a = 1}}, [1, NULL], [1.5, 2.5]);
         INSERT INTO {source} (id, email, code, n, b, total, rate, small, at, plain, ok, host, o, xs, place) VALUES
           (2, 'ü', 'XX', -1250, -9007199254740993, -0.0050, -2.5, -2.5, '1969-12-31T23:59:59.001Z',
            '1883-07-04T05:06:07', false, '10.0.0.2', {{c = 2}}, [3, 4], [-1.5, 2.5]);
         INSERT INTO {source} (id, email, code, n, b, total, rate, small, at, plain, ok, host, o, xs, place) VALUES
           (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
         INSERT INTO {source} (id, email, code, n, b, total, rate, small, at, plain, ok, host, o, xs, place) VALUES
           (4, '', 'AT', 5, 50, 99999999.9950, 1.0E300, 3.0E38, '9999-12-31T23:59:59.999Z', '0001-01-01T00:00:00', true, '10.0.0.1',
            {{b = 'x'}}, [7], [0.1, 0.2]);
         REFRESH TABLE {source}"
    ));
    clusters.beta.sql(&format!(
        "CREATE TABLE {codes} (code TEXT PRIMARY KEY, name TEXT, vat NUMERIC(4, 1), since TIMESTAMP WITH TIME ZONE)
           WITH (number_of_replicas = 0);
         INSERT INTO {codes} (code, name, vat, since) VALUES ('DE', 'Germany', 19.0, '1990-10-03'), ('AT', NULL, 20.5, NULL);
         REFRESH TABLE {codes}"
    ));
    let plain = |table: &str| table.replace('"', "");
    let mut workspace = Workspace::of(&scope.workspace, clusters);
    workspace.variables.push(("MASK_KEY".to_owned(), KEY.to_owned()));
    workspace.write("names.csv", "code,name\nDE,\"Germany, once\"\nnone,Nobody\n");
    let (from, to, named) = (plain(&source), plain(&target), plain(&codes));
    let mut columns = vec![
        "id: id".to_owned(),
        "o: o".to_owned(),
        "xs: xs".to_owned(),
        "place: place".to_owned(),
        "plain: plain".to_owned(),
        "c: { const: 1.5, cast: \"NUMERIC(5, 2)\" }".to_owned(),
        "d: { sql: n, default: 7 }".to_owned(),
        "email: { mask: { hmac: { env: MASK_KEY } } }".to_owned(),
        "hashed: { sql: id, hash: sha256 }".to_owned(),
        "hid: { sql: o, redact: true }".to_owned(),
        "part: { sql: email, partial: { first: 2, last: 4 } }".to_owned(),
        format!("name: {{ sql: code, lookup: {{ table: {named}, key: code, value: name }} }}"),
        format!("vat: {{ sql: code, lookup: {{ table: {named}, key: code, value: vat }} }}"),
        format!("since: {{ sql: code, lookup: {{ table: {named}, key: code, value: since }} }}"),
        "file: { sql: code, default: none, lookup: { file: names.csv, key: code, value: name } }".to_owned(),
        "computed: { expr: \"n == null ? -1 : n > 0 ? n * 2 : 0\", cast: BIGINT }".to_owned(),
        "texts: { sql: total, round: 3, cast: TEXT }".to_owned(),
        "whens: { sql: at, truncate: hour, cast: TEXT }".to_owned(),
        "oks: { sql: ok, default: false, cast: TEXT }".to_owned(),
        "host: { default: 8.8.8.8 }".to_owned(),
        "whole: { sql: total, round: 0, cast: BIGINT }".to_owned(),
    ];
    for (name, decimals) in [("n", -2), ("total", 2), ("rate", 1), ("small", 1)] {
        columns.push(format!("{name}_r: {{ sql: {name}, round: {decimals} }}"));
    }
    for unit in ["second", "minute", "hour", "day", "week", "month", "quarter", "year"] {
        columns.push(format!("at_{unit}: {{ sql: at, truncate: {unit} }}"));
        columns.push(format!("plain_{unit}: {{ sql: plain, truncate: {unit} }}"));
    }
    let columns: String = columns.iter().map(|column| format!("          {column}\n")).collect();
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables:\n      - from: {from}\n        to: {to}\n        \
             columns:\n{columns}    strategy: {{ custom: {{ engine: stream }} }}\n    existing: replace\n"
        ),
    );
    let preview = workspace.run(&["plan", "--preview", "4"]).expect(0).stdout;
    assert!(preview.contains(MASK) && preview.contains("row 4"), "{preview}");
    workspace.apply();
    workspace.is_settled();
    let (before, after) = (&clusters.alpha, &clusters.beta);
    // What is untouched is equal, to the last bit.
    for name in ["o", "xs", "place", "plain"] {
        let doc = format!("_doc['{name}']");
        assert_eq!(values(after, &doc, &target), values(before, &doc, &source), "{name}");
    }
    // What SQL can say as well, the source is asked for.
    let mut same = vec![
        ("d".to_owned(), "coalesce(n, 7)".to_owned()),
        ("computed".to_owned(), "CASE WHEN n IS NULL THEN -1 WHEN n > 0 THEN n * 2 ELSE 0 END".to_owned()),
        ("whens".to_owned(), "date_trunc('hour', at)::BIGINT::TEXT".to_owned()),
        ("whens".to_owned(), "date_trunc('hour', at)::TEXT".to_owned()),
        ("oks".to_owned(), "coalesce(ok, false)::TEXT".to_owned()),
        ("total_r::DOUBLE PRECISION".to_owned(), "round(total, 2)::DOUBLE PRECISION".to_owned()),
        ("rate_r".to_owned(), "round(rate, 1)::DOUBLE PRECISION".to_owned()),
        ("small_r".to_owned(), "round(small, 1)::REAL".to_owned()),
        ("host".to_owned(), "coalesce(host, '8.8.8.8'::IP)".to_owned()),
        (
            "file".to_owned(),
            "CASE coalesce(code, 'none') WHEN 'DE' THEN 'Germany, once' WHEN 'none' THEN 'Nobody' END".to_owned(),
        ),
    ];
    for unit in ["second", "minute", "hour", "day", "week", "month", "quarter", "year"] {
        same.push((format!("at_{unit}"), format!("date_trunc('{unit}', at)")));
        same.push((format!("plain_{unit}::BIGINT"), format!("date_trunc('{unit}', plain)::BIGINT")));
    }
    let mut others = Vec::new();
    for (made, expected) in same {
        let (made, expected) = (values(after, &made, &target), (made, values(before, &expected, &source)));
        if made != expected.1 {
            others.push(format!("{}: {made:?}, and {:?} by SQL", expected.0, expected.1));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
    let check = |column: &str, expected: [Option<&str>; 4]| {
        assert_eq!(values(after, column, &target), expected.map(|text| text.map(str::to_owned)), "{column}");
    };
    check(
        "email",
        [
            Some(MASK),
            Some("b51e9d426654fbd7f58556974b650245d6aa5c07450ec60aa0d8d5390e5e828e"),
            None,
            Some("48d07c09fc1783367bb819b1713cf34d92431235e36eaf05861489a600310ff1"),
        ],
    );
    check(
        "hashed",
        [
            Some(HASH),
            Some("d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35"),
            Some("4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce"),
            Some("4b227777d4dd1fc61c6f884f48641d02b4d121d3fd328cb08b5531fcacdabf8a"),
        ],
    );
    check("hid", [Some("***"), Some("***"), None, Some("***")]);
    check("part", [Some("ad***.org"), Some("***"), None, Some("***")]);
    check("name", [Some("Germany"), None, None, None]);
    check("vat", [Some("19.0"), None, None, Some("20.5")]);
    check("since::BIGINT", [Some("654912000000"), None, None, None]);
    check("c", [Some("1.50"); 4]);
    check("n_r", [Some("1300"), Some("-1300"), None, Some("0")]);
    check("texts", [Some("12.345"), Some("-0.005"), None, Some("99999999.995")]);
    check("whole", [Some("12"), Some("0"), None, Some("100000000")]);
}
