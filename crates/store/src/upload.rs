//! An object that is written piece by piece, for files that are too large to be held at once.

use bytes::{Bytes, BytesMut};

use crate::directory::Writing;
use crate::error::StoreError;
use crate::s3::{Parts, S3};

/// How much is sent at once, in bytes. S3 takes 10,000 parts, hence 156 GiB of an object.
pub(crate) const PART: usize = 16 * 1024 * 1024;

/// An object to be. Nobody sees it before [`Self::finish`]; whoever gives it up calls [`Self::abort`], or its pieces
/// stay in the store.
#[derive(Debug)]
pub struct Upload<'a> {
    place: Place<'a>,
    buffer: BytesMut,
    size: u64,
}

#[derive(Debug)]
enum Place<'a> {
    /// `None` as long as everything fits into one part.
    S3(&'a S3, String, Option<Parts>),
    Directory(Writing),
}

impl<'a> Upload<'a> {
    pub(crate) fn to_s3(s3: &'a S3, path: String) -> Self {
        Self { place: Place::S3(s3, path, None), buffer: BytesMut::new(), size: 0 }
    }

    pub(crate) fn to_directory(writing: Writing) -> Self {
        Self { place: Place::Directory(writing), buffer: BytesMut::new(), size: 0 }
    }

    /// Adds to it.
    pub async fn write(&mut self, mut piece: &[u8]) -> Result<(), StoreError> {
        while !piece.is_empty() {
            let (fits, rest) = piece.split_at(piece.len().min(PART - self.buffer.len()));
            self.buffer.extend_from_slice(fits);
            self.size += u64::try_from(fits.len()).expect("a part is smaller than that");
            piece = rest;
            if self.buffer.len() == PART {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Puts it in place; whatever has the key is replaced. Gives its size in bytes.
    pub async fn finish(mut self) -> Result<u64, StoreError> {
        if let Place::S3(s3, path, None) = &self.place {
            s3.put(path, self.buffer.split().freeze()).await?;
            return Ok(self.size);
        }
        self.send().await?;
        match self.place {
            Place::S3(s3, path, Some(parts)) => s3.complete(&path, &parts).await?,
            Place::S3(_, _, None) => {}
            Place::Directory(writing) => writing.finish().await?,
        }
        Ok(self.size)
    }

    /// Removes what there is of it.
    pub async fn abort(self) -> Result<(), StoreError> {
        match self.place {
            Place::S3(s3, path, Some(parts)) => s3.abort(&path, &parts).await,
            Place::S3(_, _, None) => Ok(()),
            Place::Directory(writing) => writing.abort().await,
        }
    }

    async fn send(&mut self) -> Result<(), StoreError> {
        let part: Bytes = self.buffer.split().freeze();
        if part.is_empty() {
            return Ok(());
        }
        match &mut self.place {
            Place::S3(s3, path, parts) => {
                let begun = match parts.take() {
                    Some(begun) => begun,
                    None => s3.begin(path).await?,
                };
                s3.add(path, parts.insert(begun), part).await
            }
            Place::Directory(writing) => writing.write(part).await,
        }
    }
}
