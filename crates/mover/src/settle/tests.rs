//! A target that answers by a script: what becomes of rows that real servers refuse only on bad days.

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use transship_model::access::{Access, Endpoint, HostPort};

use super::*;
use crate::job::{End, Job, KeyColumn, Limits, Many, Progress};
use crate::read::Column;
use crate::tally::Tally;

/// The answer to one bulk.
enum Reply {
    Counts(&'static [i64]),
    Error(&'static str, &'static str),
    Silence,
}

use Reply::{Counts, Error, Silence};

/// What became of rows 1, 2, … and how many rows each bulk had.
struct Settled {
    outcome: Result<(), MoveError>,
    progress: Progress,
    bulks: Vec<usize>,
    refusal: String,
}

fn settle(rows: i32, write: Write, key: &[&str], script: Vec<Reply>) -> Settled {
    settle_job(rows, |port| job(port, write, key), script)
}

/// Rows that go by one statement where there are 20 of them or more.
fn settle_many(rows: i32, again: Option<Write>, script: Vec<Reply>) -> Settled {
    let again = again.map(|write| ("INSERT INTO t VALUES ($1) ON CONFLICT …".to_owned(), write));
    let of = |port| Job {
        many: Some(Many { again }),
        insert: "INSERT INTO t VALUES ($1)".to_owned(),
        limits: Limits { rows: 20, ..Limits::default() },
        ..job(port, Write::Insert, &["id"])
    };
    settle_job(rows, of, script)
}

fn settle_job(rows: i32, job: impl FnOnce(u16) -> Job, script: Vec<Reply>) -> Settled {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move { serve(listener.accept().await.unwrap().0, script).await });
        let job = job(port);
        let columns = [Column { name: "id".to_owned(), oid: 23 }];
        let tally = Tally::new(10, &|_: Progress| ());
        let mut batch = Batch::new(0);
        for id in 1..=rows {
            batch.push(&[4_i32.to_be_bytes(), id.to_be_bytes()].concat());
        }
        let mut writer = Writer::open(&job, &columns, &tally).await.unwrap();
        let outcome = writer.write(&batch, usize::MAX).await;
        drop(writer);
        let refusal = tally.refusal(false).to_string();
        Settled { outcome, progress: tally.progress(), bulks: server.await.unwrap(), refusal }
    })
}

fn job(port: u16, write: Write, key: &[&str]) -> Job {
    let address = HostPort { host: "127.0.0.1".to_owned(), port };
    let endpoint = Endpoint::plain(address, "crate");
    let access = Access { endpoint, password: None, subscriber_password: None, ca: None, cert: None, key: None };
    let end = End { name: "target".parse().unwrap(), access, redactor: std::sync::Arc::default(), more: None };
    let key = key.iter().map(|name| KeyColumn {
        at: 0,
        name: (*name).to_owned(),
        data_type: "integer".to_owned(),
        sensitive: false,
    });
    Job {
        source: end.clone(),
        target: end,
        select: String::new(),
        parts: vec![Vec::new()],
        insert: "INSERT".to_owned(),
        write,
        many: None,
        keyed: key.len() > 0,
        key: key.collect(),
        sensitive: false,
        inner: Vec::new(),
        transform: None,
        limits: Limits { refused: 4, ..Limits::default() },
        gate: transship_cluster::Gate::default(),
    }
}

/// Answers one connection, and gives the number of rows of each bulk that came.
async fn serve(mut socket: TcpStream, script: Vec<Reply>) -> Vec<usize> {
    let (mut incoming, mut out) = (BytesMut::new(), BytesMut::new());
    let (mut bulks, mut script) = (Vec::new(), script.into_iter());
    let startup = socket.read_i32().await.unwrap();
    socket.read_exact(&mut vec![0; usize::try_from(startup).unwrap() - 4]).await.unwrap();
    message(b'R', &0_i32.to_be_bytes(), &mut out);
    message(b'Z', b"I", &mut out);
    let (mut described, mut executed) = (false, 0);
    loop {
        socket.write_all_buf(&mut out).await.unwrap();
        while incoming.len() < 5 || incoming.len() < (&incoming[1..5]).get_u32() as usize + 1 {
            if socket.read_buf(&mut incoming).await.unwrap_or(0) == 0 {
                return bulks;
            }
        }
        let length = (&incoming[1..5]).get_u32() as usize + 1;
        match incoming.split_to(length)[0] {
            b'D' => described = true,
            b'E' => executed += 1,
            b'S' => {
                if std::mem::take(&mut described) {
                    message(b't', &[0, 1, 0, 0, 0, 23], &mut out);
                }
                if executed > 0 {
                    bulks.push(std::mem::take(&mut executed));
                    match script.next() {
                        Some(Counts(counts)) => {
                            for count in counts {
                                message(b'C', format!("INSERT 0 {count}\0").as_bytes(), &mut out);
                            }
                        }
                        Some(Error(sqlstate, text)) => {
                            message(b'E', format!("SERROR\0C{sqlstate}\0M{text}\0\0").as_bytes(), &mut out);
                        }
                        Some(Silence) | None => return bulks,
                    }
                }
                message(b'Z', b"I", &mut out);
            }
            _ => {}
        }
    }
}

fn message(tag: u8, body: &[u8], out: &mut BytesMut) {
    out.put_u8(tag);
    out.put_i32(i32::try_from(body.len()).unwrap() + 4);
    out.put_slice(body);
}

const DUPLICATE: Reply = Error("23505", "A document with the same primary key exists already");
const BREAKER: Reply = Error("XX000", "[parent] Data too large, the breaker would use 1gb");

#[test]
fn a_refused_row_is_sent_alone_and_named() {
    let settled = settle(3, Write::Insert, &["id"], vec![Counts(&[1, -3, 1]), DUPLICATE]);
    assert_eq!((settled.outcome, settled.bulks), (Ok(()), vec![3, 1]));
    assert_eq!((settled.progress.written, settled.progress.refused), (2, 1));
    assert!(settled.refusal.contains("id = 2: A document"), "{}", settled.refusal);
}

#[test]
fn a_row_that_is_taken_the_second_time_counts_as_written() {
    let settled = settle(2, Write::Insert, &[], vec![Counts(&[-3, 1]), Counts(&[1])]);
    assert_eq!((settled.outcome, settled.progress.written, settled.progress.refused), (Ok(()), 2, 0));
}

#[test]
fn a_bulk_that_is_refused_as_a_whole_is_halved() {
    let cast = || Error("XX000", "Cannot cast value `canary` to type `integer`");
    let script = vec![cast(), Counts(&[1, 1]), cast(), cast(), Counts(&[1])];
    let settled = settle(4, Write::Insert, &[], script);
    assert_eq!((settled.outcome, settled.bulks), (Ok(()), vec![4, 2, 2, 1, 1]));
    assert_eq!((settled.progress.written, settled.progress.refused), (3, 1));
    assert!(settled.refusal.contains("row 3 of those read: Cannot cast value `***`"), "{}", settled.refusal);
    let script = vec![Counts(&[-3, -3]), Counts(&[1]), Error("XX000", "\"n\" must not be null")];
    let settled = settle(2, Write::Insert, &["id"], script);
    assert_eq!((settled.progress.written, settled.progress.refused), (1, 1));
}

#[test]
fn a_target_that_is_busy_gets_the_rows_again_where_that_doubles_none() {
    for write in [Write::Upsert, Write::Insert] {
        let settled = settle(2, write, &["id"], vec![BREAKER, Counts(&[1, 1])]);
        assert_eq!((settled.outcome, settled.progress.written, settled.bulks), (Ok(()), 2, vec![2, 2]));
    }
    let settled = settle(2, Write::Insert, &[], vec![BREAKER, Counts(&[1, 1])]);
    assert!(matches!(settled.outcome, Err(MoveError::Unknown { rows: 2, .. })), "{:?}", settled.outcome);
    assert_eq!(settled.bulks, [2]);
}

#[test]
fn a_key_that_is_taken_after_a_failed_attempt_is_not_known_to_be_refused() {
    let settled = settle(2, Write::Insert, &["id"], vec![BREAKER, Counts(&[-3, 1]), DUPLICATE]);
    assert!(matches!(settled.outcome, Err(MoveError::Unknown { rows: 1, .. })), "{:?}", settled.outcome);
    let settled = settle(2, Write::Insert, &["id"], vec![Counts(&[0, 1]), DUPLICATE]);
    assert!(matches!(settled.outcome, Err(MoveError::Unknown { rows: 1, .. })), "{:?}", settled.outcome);
    let settled = settle(2, Write::Insert, &[], vec![Counts(&[0, 1])]);
    assert!(matches!(settled.outcome, Err(MoveError::Unknown { rows: 1, .. })), "{:?}", settled.outcome);
}

#[test]
fn rows_that_are_there_already_are_kept_where_that_is_meant() {
    let settled = settle(2, Write::Keep, &["id"], vec![Counts(&[0, 1])]);
    assert_eq!((settled.outcome, settled.progress.written), (Ok(()), 2));
}

#[test]
fn too_many_refused_rows_end_the_copy() {
    let mut script = vec![Counts(&[-3, -3, -3, -3, -3, 1])];
    script.extend((0..5).map(|_| DUPLICATE));
    let settled = settle(6, Write::Insert, &["id"], script);
    assert!(matches!(settled.outcome, Err(MoveError::Refused { given_up: true, .. })), "{:?}", settled.outcome);
    assert_eq!((settled.progress.refused, settled.bulks.len()), (4, 5));
}

#[test]
fn errors_that_every_row_would_meet_and_lost_answers_end_it_at_once() {
    let denied = Error("XX000", "Missing 'DML' privilege for user 'u'");
    let settled = settle(2, Write::Insert, &["id"], vec![denied]);
    assert!(matches!(settled.outcome, Err(MoveError::Target { .. })), "{:?}", settled.outcome);
    for script in [vec![Silence], vec![Counts(&[1])], vec![Error("57014", "Job killed")]] {
        let settled = settle(2, Write::Upsert, &["id"], script);
        assert!(matches!(settled.outcome, Err(MoveError::Unknown { rows: 2, .. })), "{:?}", settled.outcome);
        assert_eq!(settled.bulks, [2]);
    }
}

#[test]
fn rows_of_one_statement_that_are_all_written_need_no_more() {
    let settled = settle_many(43, None, vec![Counts(&[20]), Counts(&[20]), Counts(&[1, 1, 1])]);
    assert_eq!((settled.outcome, settled.progress.written, settled.bulks), (Ok(()), 43, vec![1, 1, 3]));
}

#[test]
fn rows_that_a_count_leaves_out_are_sent_again_one_by_one() {
    let mut counts = [1; 20];
    counts[3] = -3;
    let each = Counts(Box::leak(Box::new(counts)));
    let check = Error("XX000", "Failed CONSTRAINT c CHECK (\"n\" > 0) for values: [4]");
    let settled = settle_many(20, Some(Write::Upsert), vec![Counts(&[19]), each, check]);
    assert_eq!((settled.outcome, settled.bulks), (Ok(()), vec![1, 20, 1]));
    assert_eq!((settled.progress.written, settled.progress.refused), (19, 1));
    assert!(settled.refusal.contains("id = 4: Failed CONSTRAINT c"), "{}", settled.refusal);
    let all = || Counts(&[1; 20]);
    let settled = settle_many(20, Some(Write::Upsert), vec![BREAKER, all()]);
    assert_eq!((settled.outcome, settled.progress.written, settled.bulks), (Ok(()), 20, vec![1, 20]));
}

#[test]
fn rows_that_may_be_there_are_not_sent_again_where_nothing_is_for_that() {
    let settled = settle_many(20, None, vec![Counts(&[19])]);
    assert!(matches!(settled.outcome, Err(MoveError::Short { rows: 20, written: 19, .. })), "{:?}", settled.outcome);
    let settled = settle_many(20, None, vec![BREAKER]);
    assert!(matches!(settled.outcome, Err(MoveError::Short { written: 0, .. })), "{:?}", settled.outcome);
    let cast = Error("XX000", "Cannot cast value `x` to type `integer`");
    let settled = settle_many(20, None, vec![cast, Counts(&[1; 20])]);
    assert_eq!((settled.outcome, settled.progress.written), (Ok(()), 20), "nothing was written before");
    let settled = settle_many(20, None, vec![Silence]);
    assert!(matches!(settled.outcome, Err(MoveError::Unknown { rows: 20, .. })), "{:?}", settled.outcome);
}
