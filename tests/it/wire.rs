//! A few messages of the PostgreSQL wire by hand, for what tokio-postgres cannot send: several executions before one Sync.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// A connection without TLS of a user without a password.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) fn connect(host: &str, port: u16, user: &str) -> Self {
        let mut wire = Self(TcpStream::connect((host, port)).expect("somebody listens"));
        let parameters = format!("user\0{user}\0database\0doc\0\0");
        let length = u32::try_from(parameters.len() + 8).expect("it is short");
        wire.0
            .write_all(&[&length.to_be_bytes()[..], &196_608_u32.to_be_bytes(), parameters.as_bytes()].concat())
            .expect("sent");
        wire.answers();
        wire
    }

    /// Messages up to `ReadyForQuery`: their letter, with the tag or the error of those that have one.
    fn answers(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        loop {
            let mut head = [0; 5];
            if self.0.read_exact(&mut head).is_err() {
                found.push("closed".to_owned());
                return found;
            }
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4;
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).expect("the rest of the message");
            let text = String::from_utf8_lossy(&body).into_owned();
            match head[0] {
                b'C' => found.push(format!("C {}", text.trim_end_matches('\0'))),
                b'E' => {
                    let part = |code: char| {
                        text.split('\0').find_map(|field| field.strip_prefix(code)).unwrap_or("").to_owned()
                    };
                    found.push(format!("E {} {}", part('C'), part('M')));
                }
                b'Z' => {
                    found.push(format!("Z {text}"));
                    return found;
                }
                other => found.push(char::from(other).to_string()),
            }
        }
    }

    /// One Parse, a Bind and an Execute for each set of texts, one Sync; what came back.
    pub(crate) fn bulk(&mut self, sql: &str, rows: &[&[&str]]) -> Vec<String> {
        let mut out = message(b'P', &[b"\0", sql.as_bytes(), b"\0", &[0, 0]].concat());
        for row in rows {
            let mut bind = b"\0\0\0\0".to_vec();
            bind.extend(u16::try_from(row.len()).expect("few columns").to_be_bytes());
            for cell in *row {
                bind.extend(u32::try_from(cell.len()).expect("short cells").to_be_bytes());
                bind.extend(cell.as_bytes());
            }
            bind.extend([0, 0]);
            out.extend(message(b'B', &bind));
            out.extend(message(b'E', &[0, 0, 0, 0, 0]));
        }
        out.extend(message(b'S', &[]));
        self.0.write_all(&out).expect("sent");
        self.answers()
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("short messages");
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// What several executions before one Sync give: all right, one refused, one of a wrong type. `schema` has no tables yet.
pub(crate) fn bulk_answers(wire: &mut Wire, schema: &str) -> Vec<Vec<String>> {
    let insert = format!("INSERT INTO {schema}.bulk (id, v) VALUES ($1, $2)");
    let columns = "id INTEGER PRIMARY KEY, v INTEGER NOT NULL CHECK (v < 100)";
    let create =
        format!("CREATE TABLE {schema}.bulk ({columns}) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)");
    vec![
        wire.bulk(&create, &[&[]]),
        wire.bulk(&insert, &[&["1", "1"], &["2", "2"], &["3", "3"]]),
        wire.bulk(&insert, &[&["4", "4"], &["2", "2"], &["5", "500"], &["6", "6"]]),
        wire.bulk(&insert, &[&["7", "7"], &["8", "eight"], &["9", "9"]]),
        wire.bulk(&insert, &[&["2", "2"]]),
        wire.bulk(&format!("UPDATE {schema}.bulk SET v = $2 WHERE id = $1"), &[&["1", "11"], &["70", "1"]]),
        wire.bulk(&format!("DELETE FROM {schema}.bulk WHERE id = $1"), &[&["1"], &["70"], &["3"]]),
        wire.bulk("SELECT 1 / $1::INTEGER", &[&["0"]]),
    ]
}
