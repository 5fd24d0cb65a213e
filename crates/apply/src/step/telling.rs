//! What is told while chunks are copied.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use transship_model::ledger::CopyingRow;
use transship_mover::{PartNews, Watch};

use super::context::Context;
use crate::servers::Moved;

/// Tells how many rows and chunks are there, and passes on what becomes of each chunk.
pub(super) struct Telling<'a> {
    cx: &'a Context<'a>,
    /// Rows of the chunks that were whole before.
    before: u64,
    whole: AtomicUsize,
    all: usize,
    news: UnboundedSender<PartNews>,
}

impl<'a> Telling<'a> {
    /// Goes on from what is there. The receiver ends with this.
    pub(super) fn new(cx: &'a Context<'a>, copying: &CopyingRow) -> (Self, UnboundedReceiver<PartNews>) {
        let (news, receiver) = mpsc::unbounded_channel();
        let (before, whole, all) = (copying.rows(), copying.done().into(), copying.chunks.len());
        (Self { cx, before, whole, all, news }, receiver)
    }
}

impl Watch for Telling<'_> {
    fn progress(&self, moved: Moved) {
        let refused = if moved.refused == 0 { String::new() } else { format!(", {} refused", moved.refused) };
        let (written, whole, all) = (self.before + moved.written, self.whole.load(Ordering::Relaxed), self.all);
        let text = format!("{written} rows written{refused}; {whole} of {all} chunks");
        self.cx.emitter.progress(&self.cx.step.id, text);
    }

    fn part(&self, news: PartNews) {
        if matches!(news, PartNews::Whole { .. }) {
            self.whole.fetch_add(1, Ordering::Relaxed);
        }
        // Nobody listens where a chunk is copied once more.
        self.news.send(news).ok();
    }
}
