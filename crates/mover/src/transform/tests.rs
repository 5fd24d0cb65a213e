//! Whole rows.

use bytes::BufMut as _;
use postgres_protocol::Oid;
use proptest::prelude::*;
use tokio_postgres::types::Type;
use transship_model::spec::{Cell, Partial};

use super::*;
use crate::batch::Cells;

fn cells(row: &[Option<&[u8]>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for cell in row {
        bytes.put_i32(cell.map_or(-1, |cell| i32::try_from(cell.len()).unwrap()));
        bytes.extend_from_slice(cell.unwrap_or_default());
    }
    bytes
}

fn read(columns: &[(&str, &str, Oid)]) -> (Vec<(String, String)>, Vec<Column>) {
    let reads = columns.iter().map(|(name, data_type, _)| ((*name).to_owned(), (*data_type).to_owned())).collect();
    (reads, columns.iter().map(|(name, _, oid)| Column { name: (*name).to_owned(), oid: *oid }).collect())
}

fn as_it_is(name: &str, at: usize) -> Making {
    Making { name: name.to_owned(), from: Origin::Read(at), verbs: Vec::new(), data_type: None }
}

fn made(name: &str, from: Origin, verbs: Vec<Verb>, data_type: &str) -> Making {
    Making { name: name.to_owned(), from, verbs, data_type: ScalarType::read(data_type) }
}

/// Four columns, of which a text is masked in part, and two more that nothing of the source gives.
fn people() -> (Transform, Vec<Column>) {
    let (reads, columns) = read(&[
        ("id", "bigint", Type::INT8.oid()),
        ("name", "text", Type::VARCHAR.oid()),
        ("n", "integer", Type::INT4.oid()),
        ("o", "object", Type::JSON.oid()),
    ]);
    let constant = Constant::of(&Cell::Text("eu".to_owned()), &ScalarType::read("text").unwrap());
    let expression = Origin::Expr {
        expression: Arc::new(Expression::read("100 / n").unwrap()),
        uses: vec![("n".to_owned(), 2)],
        data_type: ScalarType::read("smallint").unwrap(),
    };
    let makings = vec![
        as_it_is("id", 0),
        made("name", Origin::Read(1), vec![Verb::Partial(Partial { first: 1, last: 0 })], "text"),
        as_it_is("n", 2),
        as_it_is("o", 3),
        made("region", Origin::Const(constant), Vec::new(), "text"),
        made("share", expression, Vec::new(), "smallint"),
    ];
    (Transform { reads, columns: makings }, columns)
}

#[test]
fn rows_are_made_column_by_column() {
    let (transform, columns) = people();
    let gives: Vec<Oid> = transform.gives(&columns).unwrap().iter().map(|column| column.oid).collect();
    assert_eq!(gives, [20, 1043, 23, 114, 1043, 21]);
    let ready = transform.over(&columns).unwrap();
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    let row = cells(&[Some(&[0; 8]), Some(b"Ada Lovelace"), Some(&7_i32.to_be_bytes()), None]);
    ready.row(&row, &mut scratch, &mut out).unwrap();
    let expected: [Option<&[u8]>; 6] =
        [Some(&[0; 8]), Some(b"A***"), Some(&[0, 0, 0, 7]), None, Some(b"eu"), Some(&[0, 14])];
    assert_eq!(out, cells(&expected));
}

#[test]
fn a_row_that_cannot_be_made_leaves_nothing() {
    let (transform, columns) = people();
    let ready = transform.over(&columns).unwrap();
    let (mut scratch, mut out) = (Scratch::default(), vec![7]);
    let row = cells(&[Some(&[0; 8]), None, Some(&0_i32.to_be_bytes()), None]);
    let refused = ready.row(&row, &mut scratch, &mut out).unwrap_err();
    assert_eq!(refused.to_string(), "column share cannot be made: `expr` fails: it divides by zero");
    assert_eq!(out, [7]);
    assert_eq!(ready.cell(0, &row, &mut scratch), Some(Some(vec![0; 8])), "its key can still be told");
    assert_eq!(ready.cell(5, &row, &mut scratch), None);
    assert!(ready.row(&row[..9], &mut scratch, &mut out).is_err(), "cells are missing");
}

#[test]
fn columns_that_changed_are_told() {
    let (transform, mut columns) = people();
    columns[2].oid = Type::INT8.oid();
    assert_eq!(transform.over(&columns).unwrap_err(), "n is no integer any more");
    assert_eq!(transform.over(&columns[1..]).unwrap_err(), "3 columns are read, and 4 were planned with");
}

/// Ten columns, of which a time is truncated and a text masked: `cargo test --release -p transship-mover --lib -- --ignored
/// --nocapture measure`.
#[test]
#[ignore = "it measures"]
#[expect(clippy::print_stderr, reason = "it tells what it measured")]
fn measure_rows_per_second() {
    use std::time::Instant;
    use transship_model::spec::TruncateTo;
    let kinds: Vec<_> = (0..10)
        .map(|at| match at {
            0 => ("at", "timestamp with time zone", Type::INT8.oid()),
            1..5 => ("n", "bigint", Type::INT8.oid()),
            _ => ("text", "text", Type::VARCHAR.oid()),
        })
        .collect();
    let (reads, columns) = read(&kinds);
    let number = 1_709_212_455_999_i64.to_be_bytes();
    let row: Vec<Option<&[u8]>> =
        kinds.iter().map(|it| Some(if it.0 == "text" { &b"ada.lovelace@example.org"[..] } else { &number })).collect();
    let row = cells(&row);
    let plain = || (0..10).map(|at| as_it_is("c", at)).collect::<Vec<_>>();
    let verbs = |verb: Verb| {
        let mut columns = plain();
        columns[0] = made("at", Origin::Read(0), vec![Verb::Truncate(TruncateTo::Month)], "timestamp with time zone");
        columns[9] = made("text", Origin::Read(9), vec![verb], "text");
        columns
    };
    let partial = Verb::Partial(Partial { first: 1, last: 4 });
    let all = [
        ("no verb", plain()),
        ("truncate, partial", verbs(partial)),
        ("truncate, mask", verbs(Verb::Mask(Key::new(b"k")))),
    ];
    for (what, columns_made) in all {
        let transform = Transform { reads: reads.clone(), columns: columns_made };
        let (settled, mut scratch, mut out) = (transform.over(&columns).unwrap(), Scratch::default(), Vec::new());
        let (began, rows) = (Instant::now(), 1_000_000_u32);
        for _ in 0..rows {
            out.clear();
            settled.row(std::hint::black_box(&row), &mut scratch, &mut out).unwrap();
        }
        eprintln!("{what}: {:.1} million rows/s", f64::from(rows) / began.elapsed().as_secs_f64() / 1e6);
    }
}

proptest! {
    #[test]
    fn untouched_cells_are_the_bytes_that_came(
        row in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..12)), 1..8),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
    ) {
        let columns: Vec<_> = (0..row.len()).map(|_| ("c", "object", Type::JSON.oid())).collect();
        let (reads, columns) = read(&columns);
        let order: Vec<usize> = order.iter().map(|at| at.index(row.len())).collect();
        let transform = Transform { reads, columns: order.iter().map(|at| as_it_is("c", *at)).collect() };
        let bytes = cells(&row.iter().map(Option::as_deref).collect::<Vec<_>>());
        let mut out = Vec::new();
        transform.over(&columns).unwrap().row(&bytes, &mut Scratch::default(), &mut out).unwrap();
        let found: Vec<_> = Cells::of(&out).collect();
        prop_assert_eq!(found, order.iter().map(|at| row[*at].as_deref()).collect::<Vec<_>>());
    }
}
