//! The wish to stop: nothing new is started, what runs is finished, waits end.

use tokio::sync::watch;

/// Tells a run to stop.
#[derive(Debug)]
pub struct Canceller(watch::Sender<bool>);

/// Knows whether a run is to stop.
#[derive(Clone, Debug)]
pub struct Cancel(watch::Receiver<bool>);

/// A pair of one who asks and one who listens.
pub fn cancellation() -> (Canceller, Cancel) {
    let (sender, receiver) = watch::channel(false);
    (Canceller(sender), Cancel(receiver))
}

impl Canceller {
    /// Asks the run to stop.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl Cancel {
    /// For what has to be finished once it has begun.
    pub(crate) fn never() -> Self {
        cancellation().1
    }

    /// Whether the run is to stop.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when the run is to stop; never, when nobody is left who could ask.
    pub async fn requested(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
