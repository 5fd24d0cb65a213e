//! Whether a copy that is as declared is due again, and why.
//!
//! The reasons name neither the time nor numbers: work that stays due says the same from one plan to the next.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use transship_model::TimeSpan;
use transship_model::ledger::CopyRow;
use transship_model::observed::{Shard, Table};
use transship_model::spec::{Every, Repeat};

/// Whether a copy is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// It is not.
    No,
    /// It is; why.
    Yes(String),
    /// That cannot be told; why.
    Unknown(String),
}

impl Due {
    /// Why it is due.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Yes(why) => Some(why),
            Self::No | Self::Unknown(_) => None,
        }
    }
}

/// Judges the copy `note` of the table `source`, which is called `full`, at the time `now`.
pub(super) fn judge(repeat: &Repeat, note: &CopyRow, full: &str, source: &Table, now: Timestamp) -> Due {
    match repeat {
        Repeat::Every(Every { every }) if has_passed(note.began, *every, now) => {
            let began = note.began.strftime("%Y-%m-%d %H:%M:%S UTC");
            Due::Yes(format!("{full} was last copied by a run that began {began}, and is due every {every}"))
        }
        Repeat::Once | Repeat::Every(_) => Due::No,
        Repeat::OnChange => match changed(&note.marks, source) {
            Ok(true) => Due::Yes(format!("{full} has changed since it was last copied")),
            Ok(false) => Due::No,
            Err(why) => Due::Unknown(format!("whether {full} has changed cannot be told: {why}")),
        },
    }
}

/// Whether `every` has passed since `began`. A span that leads beyond the end of time never passes.
fn has_passed(began: Timestamp, every: TimeSpan, now: Timestamp) -> bool {
    let span = SignedDuration::try_from(every.as_duration()).ok();
    span.and_then(|span| began.checked_add(span).ok()).is_some_and(|due| due <= now)
}

/// Whether the primary shards are others than those that were noted, or have other operations.
fn changed(marks: &BTreeMap<String, (String, i64)>, source: &Table) -> Result<bool, String> {
    if source.primaries.is_empty() && source.partitioned_by.is_empty() {
        return Err("none of its primary shards was seen".to_owned());
    }
    let mut now = BTreeMap::new();
    for shard in &source.primaries {
        let uuid = shard.uuid.as_deref().ok_or_else(|| unseen(shard, "its index is not known"))?;
        let highest = shard.max_seq_no.ok_or_else(|| unseen(shard, "it is not started"))?;
        now.insert(key(shard), (uuid, highest));
    }
    let before: BTreeMap<String, (&str, i64)> =
        marks.iter().map(|(key, (uuid, highest))| (key.clone(), (uuid.as_str(), *highest))).collect();
    Ok(now != before)
}

/// The name of a primary shard in the ledger: `PARTITION/SHARD`.
fn key(shard: &Shard) -> String {
    format!("{}/{}", shard.partition, shard.id)
}

fn unseen(shard: &Shard, why: &str) -> String {
    let of = if shard.partition.is_empty() { String::new() } else { format!(" of partition {}", shard.partition) };
    format!("primary shard {}{of}: {why}", shard.id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn shard(partition: &str, id: i32, uuid: &str, highest: i64) -> Shard {
        let shard = json!({
            "partition": partition, "id": id, "uuid": uuid, "max_seq_no": highest, "global_checkpoint": highest,
            "docs": 1, "bytes": 1,
        });
        serde_json::from_value(shard).unwrap()
    }

    fn table(primaries: Vec<Shard>) -> Table {
        let table = json!({
            "kind": "table", "columns": [], "primary_key": [], "partitioned_by": [], "clustered_by": null,
            "shards": 1, "replicas": null, "column_policy": null, "created": null, "closed": false,
            "primaries": [], "health": null,
        });
        Table { primaries, ..serde_json::from_value(table).unwrap() }
    }

    fn note(began: &str, marks: &[(&str, &str, i64)]) -> CopyRow {
        let marks: BTreeMap<_, _> = marks.iter().map(|(key, uuid, highest)| (key, (uuid, highest))).collect();
        let note = json!({ "from": "s.t", "asked": "x", "began": began, "rows": 1, "marks": marks });
        serde_json::from_value(note).unwrap()
    }

    fn by(repeat: &Repeat, note: &CopyRow, source: &Table, now: &str) -> Due {
        judge(repeat, note, "a.s.t", source, time(now))
    }

    #[test]
    fn a_span_counts_from_the_start_of_the_run() {
        let every = Repeat::Every(Every { every: "24h".parse().unwrap() });
        let note = note("2026-03-01T10:00:00.5Z", &[]);
        let at = |now| by(&every, &note, &table(Vec::new()), now);
        assert_eq!(at("2026-03-02T10:00:00.499999999Z"), Due::No);
        let why = "a.s.t was last copied by a run that began 2026-03-01 10:00:00 UTC, and is due every 1d";
        assert_eq!(at("2026-03-02T10:00:00.5Z"), Due::Yes(why.to_owned()));
        assert_eq!(at("2026-04-01T00:00:00Z"), Due::Yes(why.to_owned()), "the reason stays the same");
        assert_eq!(at("2026-02-01T00:00:00Z"), Due::No, "a clock that is behind");
        let never = Repeat::Every(Every { every: "30000000w".parse().unwrap() });
        assert_eq!(by(&never, &note, &table(Vec::new()), "9000-01-01T00:00:00Z"), Due::No);
        assert_eq!(by(&Repeat::Once, &note, &table(Vec::new()), "9000-01-01T00:00:00Z"), Due::No);
    }

    #[test]
    fn any_difference_of_the_primary_shards_is_a_change() {
        let note = note("2026-03-01T10:00:00Z", &[("/0", "u", 9), ("/1", "u", -1)]);
        let of = |shards: &[(&str, i32, &str, i64)]| {
            let shards = shards.iter().map(|(partition, id, uuid, highest)| shard(partition, *id, uuid, *highest));
            by(&Repeat::OnChange, &note, &table(shards.collect()), "2026-03-01T10:00:00Z")
        };
        let yes = Due::Yes("a.s.t has changed since it was last copied".to_owned());
        assert_eq!(of(&[("", 0, "u", 9), ("", 1, "u", -1)]), Due::No);
        assert_eq!(of(&[("", 0, "u", 10), ("", 1, "u", -1)]), yes, "it was written to");
        assert_eq!(of(&[("", 0, "u", 8), ("", 1, "u", -1)]), yes, "it was set back");
        assert_eq!(of(&[("", 0, "v", 9), ("", 1, "v", -1)]), yes, "it was made again");
        assert_eq!(of(&[("", 0, "u", 9)]), yes, "one is gone");
        assert_eq!(of(&[("", 0, "u", 9), ("", 1, "u", -1), ("p", 0, "w", -1)]), yes, "one is new");
    }

    #[test]
    fn what_is_not_seen_is_not_unchanged() {
        let note = note("2026-03-01T10:00:00Z", &[("/0", "u", 9)]);
        let unknown = |source: &Table| match by(&Repeat::OnChange, &note, source, "2026-03-01T10:00:00Z") {
            Due::Unknown(why) => why,
            other => panic!("{other:?}"),
        };
        let starting = Shard { max_seq_no: None, ..shard("p", 3, "u", 9) };
        let whole = "whether a.s.t has changed cannot be told: primary shard 3 of partition p: it is not started";
        assert_eq!(unknown(&table(vec![starting])), whole);
        assert!(unknown(&table(vec![Shard { uuid: None, ..shard("", 0, "u", 9) }])).contains("index is not known"));
        assert!(unknown(&table(Vec::new())).contains("none of its primary shards"));
        let emptied = Table { partitioned_by: vec!["p".to_owned()], ..table(Vec::new()) };
        let why = "a.s.t has changed since it was last copied".to_owned();
        assert_eq!(by(&Repeat::OnChange, &note, &emptied, "2026-03-01T10:00:00Z"), Due::Yes(why), "no partitions");
    }
}
