//! Which rows of a table the source no longer has, by digests of their keys.

use std::collections::{BTreeMap, BTreeSet};

use transship_cluster::{Bind, ClusterError, Rows, ValueError};
use transship_model::Name;
use transship_model::plan::PruneRows;

use super::super::context::Context;
use super::super::error::StepError;

/// The digest of a key.
pub(super) type Digest = u128;

/// How many rows are compared at a time.
const AT_ONCE: i64 = 200_000;

/// How many rows that are gone are kept: 48 MiB.
const MOST: usize = 1_000_000;

/// The version of a row when it was seen first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    seq_no: i64,
    primary_term: i64,
}

/// Rows whose key the source no longer has.
#[derive(Default)]
pub(super) struct Gone {
    /// The first of them.
    pub(super) rows: Vec<(Digest, Seen)>,
    /// How many there are.
    pub(super) count: u64,
    /// How many rows the table has.
    pub(super) of: u64,
}

impl Gone {
    /// Whether there are more than were kept.
    pub(super) fn is_cut(&self) -> bool {
        u64::try_from(self.rows.len()).is_ok_and(|kept| kept < self.count)
    }
}

/// The number of rows of a bucket and two sums of their digests.
type Bucket = [i64; 3];

/// Finds them. What is read of the target first and of the source afterwards was gone when it was read.
pub(super) async fn find(cx: &Context<'_>, action: &PruneRows) -> Result<Gone, StepError> {
    let (target, source) = (&cx.step.cluster, &action.source);
    cx.query(target, &action.at_target.refresh).await?;
    let there = buckets(cx, (target, &action.at_target.buckets), action).await?;
    cx.query(source, &action.at_source.refresh).await?;
    let from = buckets(cx, (source, &action.at_source.buckets), action).await?;
    let of: i64 = there.values().map(|[rows, ..]| rows).sum();
    let mut gone = Gone { of: u64::try_from(of).unwrap_or_default(), ..Gone::default() };
    let differing = there.into_iter().filter(|(bucket, sums)| from.get(bucket) != Some(sums));
    for some in groups(differing.map(|(bucket, [rows, ..])| (bucket, rows))) {
        if cx.cancel.is_requested() {
            return Err(StepError::Cancelled);
        }
        compare(cx, action, &some, &mut gone).await?;
        cx.emitter.progress(&cx.step.id, format!("{} rows found that are gone at the source", gone.count));
    }
    Ok(gone)
}

async fn buckets(
    cx: &Context<'_>,
    (cluster, statement): (&Name, &str),
    action: &PruneRows,
) -> Result<BTreeMap<String, Bucket>, StepError> {
    let found = cx.query_with(cluster, (statement, &[]), action.timeout.as_duration()).await?;
    let bucket = |row: usize| -> Result<Option<(String, Bucket)>, ValueError> {
        // A row of the source that has no key cannot be one of the target.
        let Some(bucket) = found.opt_text(row, "bucket")? else { return Ok(None) };
        Ok(Some((bucket.to_owned(), [found.int(row, "n")?, found.int(row, "low")?, found.int(row, "high")?])))
    };
    let buckets: Result<Vec<_>, ValueError> = (0..found.len()).map(bucket).collect();
    let buckets = buckets.map_err(|error| ClusterError::answer(cluster, statement, &error))?;
    Ok(buckets.into_iter().flatten().collect())
}

/// Buckets in groups of about as many rows as are compared at a time.
fn groups(buckets: impl Iterator<Item = (String, i64)>) -> Vec<Vec<String>> {
    let (mut groups, mut rows) = (Vec::<Vec<String>>::new(), AT_ONCE);
    for (bucket, more) in buckets {
        if rows >= AT_ONCE {
            rows = 0;
            groups.push(Vec::new());
        }
        rows += more;
        groups.last_mut().expect("the first bucket begins a group").push(bucket);
    }
    groups
}

async fn compare(cx: &Context<'_>, action: &PruneRows, buckets: &[String], gone: &mut Gone) -> Result<(), StepError> {
    let (binds, limit) = ([Bind::TextList(buckets.to_vec())], action.timeout.as_duration());
    let (target, source) = (&cx.step.cluster, &action.source);
    let statement = &action.at_target.in_buckets;
    let found = cx.query_with(target, (statement, &binds), limit).await?;
    let mut rows = seen(&found).map_err(|error| ClusterError::answer(target, statement, &error))?;
    let statement = &action.at_source.in_buckets;
    let found = cx.query_with(source, (statement, &binds), limit).await?;
    for digest in digests(&found).map_err(|error| ClusterError::answer(source, statement, &error))? {
        rows.remove(&digest);
    }
    gone.count += u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let room = MOST.saturating_sub(gone.rows.len());
    gone.rows.extend(rows.into_iter().take(room));
    Ok(())
}

/// What is left of some rows.
#[derive(Default)]
pub(super) struct Left {
    /// The texts by which those are deleted that are as they were.
    pub(super) as_they_were: BTreeMap<Digest, Vec<String>>,
    /// All that have one of the keys.
    pub(super) of_all: BTreeSet<Digest>,
}

/// What is there of some rows now.
pub(super) async fn as_seen(
    cx: &Context<'_>,
    action: &PruneRows,
    wanted: &BTreeMap<Digest, Seen>,
) -> Result<Left, StepError> {
    let (target, reads) = (&cx.step.cluster, &action.at_target);
    cx.query(target, &reads.refresh).await?;
    let binds = [Bind::SecretList(wanted.keys().map(|digest| text(*digest).into()).collect())];
    let found = cx.query_with(target, (&reads.among, &binds), action.timeout.as_duration()).await?;
    let answer = |error: ValueError| ClusterError::answer(target, &reads.among, &error);
    let now = seen(&found).map_err(answer)?;
    let mut left = Left { of_all: now.keys().copied().collect(), ..Left::default() };
    for row in 0..found.len() {
        let digest = digest(&found, row).map_err(answer)?;
        if now.get(&digest) == wanted.get(&digest) {
            left.as_they_were.insert(digest, texts(&found, row, action.key.len()).map_err(answer)?);
        }
    }
    Ok(left)
}

/// Those of some rows that the source has after all.
pub(super) async fn at_source_again(
    cx: &Context<'_>,
    action: &PruneRows,
    rows: &BTreeMap<Digest, Vec<String>>,
) -> Result<Vec<Digest>, StepError> {
    let (source, reads) = (&action.source, &action.at_source);
    cx.query(source, &reads.refresh).await?;
    let binds = [Bind::SecretList(rows.keys().map(|digest| text(*digest).into()).collect())];
    let found = cx.query_with(source, (&reads.among, &binds), action.timeout.as_duration()).await?;
    digests(&found).map_err(|error| ClusterError::answer(source, &reads.among, &error).into())
}

/// The texts of a row's key, and of its version.
fn texts(found: &Rows, row: usize, keys: usize) -> Result<Vec<String>, ValueError> {
    let key = (1..=keys).map(|at| found.text(row, &format!("key_{at}")).map(str::to_owned));
    let version = ["_seq_no", "_primary_term"].map(|name| found.int(row, name).map(|number| number.to_string()));
    key.chain(version).collect()
}

fn seen(found: &Rows) -> Result<BTreeMap<Digest, Seen>, ValueError> {
    let row = |row: usize| {
        let seen = Seen { seq_no: found.int(row, "_seq_no")?, primary_term: found.int(row, "_primary_term")? };
        Ok((digest(found, row)?, seen))
    };
    (0..found.len()).map(row).collect()
}

fn digests(found: &Rows) -> Result<Vec<Digest>, ValueError> {
    (0..found.len()).map(|row| digest(found, row)).collect()
}

fn digest(found: &Rows, row: usize) -> Result<Digest, ValueError> {
    let text = found.text(row, "digest")?;
    let digest = (text.len() == 32).then(|| Digest::from_str_radix(text, 16).ok()).flatten();
    digest.ok_or_else(|| ValueError {
        column: "digest".to_owned(),
        expected: "32 hexadecimal digits",
        found: "another text".to_owned(),
    })
}

fn text(digest: Digest) -> String {
    format!("{digest:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_compared_in_groups() {
        let of = |rows: &[i64]| {
            let buckets = rows.iter().enumerate().map(|(at, rows)| (at.to_string(), *rows));
            groups(buckets).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(of(&[]), Vec::<usize>::new());
        assert_eq!(of(&[1, 2, 3]), [3]);
        assert_eq!(of(&[AT_ONCE, 1, AT_ONCE, 7]), [1, 2, 1]);
    }

    #[test]
    fn a_digest_is_its_text() {
        assert_eq!(text(0xab), "000000000000000000000000000000ab");
    }
}
