//! Deletes rows whose key the source no longer has. Nothing goes before all that would go is counted, and each row only as
//! it was seen, after the source was asked for it once more.

mod gone;

use std::collections::{BTreeMap, BTreeSet};

use transship_model::plan::PruneRows;

use self::gone::{Digest, Gone, Seen};
use super::context::Context;
use super::error::StepError;
use super::perform::Done;
use super::whole_source::WholeSource;

/// How many rows are looked at once more at a time.
const LOOKED_AT: usize = 20_000;

/// How many are deleted by one message.
const SENT: usize = 1_000;

/// What came of it so far.
#[derive(Default)]
struct Pruned {
    deleted: u64,
    /// Rows that were written since they were seen, or that the source has again.
    stay: u64,
}

/// Deletes them.
pub(super) async fn prune(cx: &Context<'_>, action: &PruneRows) -> Result<Done, StepError> {
    if cx.step.consent.as_ref().is_none_or(|consent| consent.given.is_none()) {
        return Err(cx.wrong("nobody consented to it"));
    }
    let source = WholeSource::begin(cx, (&action.source, &action.from), &action.unreadable).await?;
    let mut pruned = Pruned::default();
    let mut gone = gone::find(cx, action).await?;
    check(action, &gone)?;
    loop {
        let before = pruned.deleted;
        for some in gone.rows.chunks(LOOKED_AT) {
            delete(cx, (action, &source), some, &mut pruned).await?;
            cx.emitter.progress(&cx.step.id, format!("{} rows deleted", pruned.deleted));
        }
        if !gone.is_cut() || pruned.deleted == before {
            break;
        }
        gone = gone::find(cx, action).await?;
    }
    Ok(Done { already: false, note: Some(pruned.told()) })
}

impl Pruned {
    fn told(&self) -> String {
        match self.stay {
            0 => format!("{} rows deleted", self.deleted),
            stay => format!("{} rows deleted; {stay} stay: they were written meanwhile", self.deleted),
        }
    }
}

/// Where more than half of the rows would go, somebody has to have said that this is right.
fn check(action: &PruneRows, gone: &Gone) -> Result<(), StepError> {
    let left = gone.of.saturating_sub(gone.count);
    let shrinks = gone.count > 0 && left < gone.of.div_ceil(2);
    if shrinks && !action.allow_shrink {
        return Err(StepError::Prunes { table: action.into.clone(), gone: gone.count, old: gone.of });
    }
    Ok(())
}

/// Deletes some rows. Where no answer comes, what is left of them is looked at anew.
async fn delete(
    cx: &Context<'_>,
    (action, source): (&PruneRows, &WholeSource<'_>),
    some: &[(Digest, Seen)],
    pruned: &mut Pruned,
) -> Result<(), StepError> {
    let mut retry = cx.retry();
    let wanted: BTreeMap<Digest, Seen> = some.iter().copied().collect();
    let mut sent = BTreeSet::new();
    loop {
        let mut rows = gone::as_seen(cx, action, &wanted).await?.as_they_were;
        if rows.is_empty() {
            break;
        }
        for found in gone::at_source_again(cx, action, &rows).await? {
            rows.remove(&found);
        }
        source.check(cx).await?;
        sent.extend(rows.keys().copied());
        match send(cx, action, rows.into_values().collect()).await {
            Ok(()) => break,
            Err(StepError::Cluster(error)) if error.is_transient() && retry.again().await => {}
            Err(error) => return Err(error),
        }
    }
    let left = gone::as_seen(cx, action, &wanted).await?;
    let not_deleted = left.as_they_were.keys().filter(|digest| sent.contains(*digest)).count();
    if not_deleted > 0 {
        return Err(StepError::NotDeleted { table: action.into.clone(), count: count(not_deleted) });
    }
    let stay = left.of_all.iter().filter(|digest| wanted.contains_key(*digest)).count();
    pruned.deleted += count(wanted.len() - stay);
    pruned.stay += count(stay);
    Ok(())
}

/// Sends the statement once for each row, by the texts of its key and its version.
async fn send(cx: &Context<'_>, action: &PruneRows, rows: Vec<Vec<String>>) -> Result<(), StepError> {
    for some in rows.chunks(SENT) {
        if cx.cancel.is_requested() {
            return Err(StepError::Cancelled);
        }
        cx.execute_many(&action.delete, some).await?;
    }
    Ok(())
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
