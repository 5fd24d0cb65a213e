//! Watches a statement that runs long: tells how far it has come, and gives it up where nothing moves any more. CrateDB
//! never ends a COPY FROM whose rows a node cannot take.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::BoxFuture;
use transship_model::TableName;
use transship_sql::replication;

use super::context::Context;
use super::error::StepError;
use crate::catalog;
use crate::pace::Pace;
use crate::servers::Purpose;

/// The flow's `timeout` limits the statement that is watched.
const NO_LIMIT: Duration = Duration::MAX;

/// What a look says.
pub(super) struct Seen {
    /// What moves as long as the statement goes on; `None` where nothing can be relied on to move.
    pub(super) number: Option<u64>,
    /// How far it has come, for people.
    pub(super) text: String,
}

/// The answer to a look.
pub(super) type Look<'a> = BoxFuture<'a, Result<Seen, StepError>>;

/// The answer to `statement`, which runs on the step's cluster; [`StepError::Stalled`] where the number that `look` sees
/// stays as it is. A run that is told to stop waits for it, as for any statement.
pub(super) async fn watched<'a, T>(
    cx: &Context<'_>,
    statement: impl Future<Output = Result<T, StepError>> + Send,
    look: impl FnMut() -> Look<'a> + Send,
) -> Result<T, StepError> {
    let mut statement = pin!(statement);
    let tell = |text| cx.emitter.progress(&cx.step.id, text);
    let given_up = tokio::select! {
        biased;
        answer = &mut statement => return answer,
        error = keep_looking(cx.settle(NO_LIMIT), tell, look) => error,
    };
    // The server is still at it, and the connection with it.
    cx.servers.discard(&cx.step.cluster, Purpose::Control).await;
    Err(given_up)
}

/// Looks until nothing has changed for too long. A look without an answer is one in which nothing changed; one that is
/// refused says nothing at all.
async fn keep_looking<'a>(
    mut pace: Pace<'_>,
    tell: impl Fn(String) + Send,
    mut look: impl FnMut() -> Look<'a> + Send,
) -> StepError {
    let (mut last, mut state, mut told) = (None, String::new(), String::new());
    loop {
        if let Err(error) = pace.pause(String::new).await {
            return error;
        }
        match look().await {
            Ok(seen) => {
                if seen.number.is_none() || seen.number != last {
                    pace.changed();
                }
                (last, state) = (seen.number, seen.text);
            }
            Err(error) if error.is_uncertain() && last.is_some() => {}
            Err(_) => pace.changed(),
        }
        if state != told && pace.may_tell() {
            told.clone_from(&state);
            tell(state.clone());
        }
        if let Err(error) = pace.check_stall(|| state.clone()) {
            return error;
        }
    }
}

/// The operations of the primary shards of a table of the step's cluster: each row that is written is one, also before a
/// refresh shows it.
pub(super) async fn operations(cx: &Context<'_>, table: &TableName) -> Result<u64, StepError> {
    let shards = cx.look(&cx.step.cluster, &replication::checkpoints([table]), catalog::read_checkpoints).await?;
    let highest = shards.values().filter_map(|shard| shard.max_seq_no);
    Ok(highest.map(|highest| u64::try_from(highest.saturating_add(1)).unwrap_or(0)).sum())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use transship_cluster::{ClusterError, ErrorKind};

    use super::*;
    use crate::clock::Clock as _;
    use crate::clock::manual::ManualClock;

    fn failed(kind: ErrorKind) -> StepError {
        ClusterError::new(&"b".parse().expect("a name"), kind, "no answer").into()
    }

    /// Looks at what `numbers` says until some time has passed; the error, the time, and what was told.
    async fn looking(
        until: Duration,
        numbers: impl Fn(u64) -> Result<Option<u64>, StepError> + Sync,
    ) -> (Option<StepError>, Duration, Vec<String>) {
        let (clock, told) = (ManualClock::new(), Mutex::new(Vec::new()));
        let pace = Pace::new(&clock, None, until);
        let mut looks = 0;
        let look = || -> Look<'_> {
            looks += 1;
            let number = numbers(looks);
            Box::pin(async move { number.map(|number| Seen { number, text: format!("{number:?}") }) })
        };
        let error = keep_looking(pace, |text| told.lock().expect("no panic").push(text), look).await;
        let error = Some(error).filter(|error| !matches!(error, StepError::TimedOut { .. }));
        (error, clock.elapsed(), told.into_inner().expect("no panic"))
    }

    const HOUR: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn what_moves_is_told_and_what_stands_still_for_ten_minutes_is_given_up() {
        let (error, after, told) = looking(HOUR, |look| Ok(Some(look.min(100)))).await;
        assert!(matches!(&error, Some(StepError::Stalled { state, .. }) if state == "Some(100)"), "{error:?}");
        assert!((690..710).contains(&after.as_secs()), "100 looks, and ten minutes: {after:?}");
        assert_eq!(told.last().map(String::as_str), Some("Some(100)"));
        assert!((90..=100).contains(&told.len()), "the same is told once: {}", told.len());
        let (error, ..) = looking(HOUR, |look| Ok(Some(look / 250))).await;
        assert!(error.is_none(), "it moves every eight minutes: {error:?}");
    }

    #[tokio::test]
    async fn what_cannot_be_relied_on_or_seen_is_never_given_up() {
        for number in [|_| Ok(None), |_| Err(failed(ErrorKind::Other)), |_| Err(failed(ErrorKind::Timeout))] {
            let number: fn(u64) -> Result<Option<u64>, StepError> = number;
            assert!(looking(HOUR, number).await.0.is_none());
        }
    }

    #[tokio::test]
    async fn a_cluster_that_stops_answering_stands_still() {
        let numbers = |look| if look < 10 { Ok(Some(look)) } else { Err(failed(ErrorKind::Timeout)) };
        let (error, after, _) = looking(HOUR, numbers).await;
        assert!(matches!(&error, Some(StepError::Stalled { state, .. }) if state == "Some(9)"), "{error:?}");
        assert!(after < Duration::from_mins(11), "{after:?}");
    }
}
