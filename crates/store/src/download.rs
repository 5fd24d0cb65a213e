//! An object that is read piece by piece, for files that are too large to be held at once.

use bytes::Bytes;

use crate::error::{ErrorKind, StoreError};
use crate::store::{Object, Store};

/// How much is read at once, in bytes.
const PIECE: u64 = 8 * 1024 * 1024;

/// An object as it is read.
#[derive(Debug)]
pub struct Download<'a> {
    store: &'a Store,
    object: Object,
    read: u64,
}

impl<'a> Download<'a> {
    pub(crate) const fn of(store: &'a Store, object: Object) -> Self {
        Self { store, object, read: 0 }
    }

    /// The next bytes; `None` at the end. One that has another size by now is an error.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let to = self.object.size.min(self.read + PIECE);
        if self.read == to {
            return Ok(None);
        }
        let piece = self.store.piece(&self.object.key, self.read, to).await?;
        let expected = to - self.read;
        if piece.len() as u64 != expected {
            let message = format!("`{}` gave {} bytes instead of {expected}", self.object.key, piece.len());
            return Err(self.store.error(ErrorKind::Answer, message));
        }
        self.read = to;
        Ok(Some(piece))
    }
}
