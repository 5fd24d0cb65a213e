//! Reads a file of an export back, piece by piece: its size, its checksum, and its rows.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use transship_model::spec::{Compression, Format};
use transship_store::{Object, Store};

use super::context::Context;
use super::error::StepError;

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) size: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub(super) sha256: String,
    /// Its rows: one in each line, but for the header of CSV.
    pub(super) rows: u64,
}

/// What its rows are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) format: Format,
    pub(super) compression: Option<Compression>,
}

/// The checksum of a file alone.
pub(super) async fn checksum(cx: &Context<'_>, store: &Store, object: Object) -> Result<String, StepError> {
    let mut hashing = Sha256::new();
    each_piece(cx, store, object, |piece| {
        hashing.update(piece);
        Ok(())
    })
    .await?;
    Ok(hexadecimal(&hashing.finalize()))
}

/// Everything that is known of a file by reading it. One that cannot be unpacked is an error.
pub(super) async fn facts(cx: &Context<'_>, store: &Store, object: Object, kind: Kind) -> Result<Facts, StepError> {
    let (key, size) = (object.key.clone(), object.size);
    let mut hashing = Sha256::new();
    let mut lines = Unpacking::of(kind.compression);
    let broken = |error: &io::Error| StepError::FileBroken { file: key.clone(), problem: error.to_string() };
    each_piece(cx, store, object, |piece| {
        hashing.update(piece);
        lines.write(piece).map_err(|error| broken(&error))
    })
    .await?;
    let lines = lines.finish().map_err(|error| broken(&error))?;
    let rows = match kind.format {
        Format::Json => lines,
        Format::Csv => lines.saturating_sub(1),
    };
    Ok(Facts { size, sha256: hexadecimal(&hashing.finalize()), rows })
}

async fn each_piece(
    cx: &Context<'_>,
    store: &Store,
    object: Object,
    mut take: impl FnMut(&[u8]) -> Result<(), StepError>,
) -> Result<(), StepError> {
    let mut download = store.download(object);
    while let Some(piece) = download.next().await? {
        if cx.cancel.is_requested() {
            return Err(StepError::Cancelled);
        }
        take(&piece)?;
    }
    Ok(())
}

/// Counts lines, of what is packed or not.
enum Unpacking {
    Plain(Lines),
    Gzip(Box<MultiGzDecoder<Lines>>),
}

impl Unpacking {
    fn of(compression: Option<Compression>) -> Self {
        match compression {
            None => Self::Plain(Lines::default()),
            Some(Compression::Gzip) => Self::Gzip(Box::new(MultiGzDecoder::new(Lines::default()))),
        }
    }

    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(lines) => lines.write_all(piece),
            Self::Gzip(decoder) => decoder.write_all(piece),
        }
    }

    fn finish(self) -> io::Result<u64> {
        match self {
            Self::Plain(lines) => Ok(lines.count()),
            Self::Gzip(decoder) => Ok(decoder.finish()?.count()),
        }
    }
}

/// Counts the lines of what is written to it. The last one need not end.
#[derive(Default)]
struct Lines {
    ended: u64,
    is_open: bool,
}

impl Lines {
    fn count(&self) -> u64 {
        self.ended + u64::from(self.is_open)
    }
}

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let ends = text.split(|byte| *byte == b'\n').count() - 1;
        self.ended += u64::try_from(ends).unwrap_or(u64::MAX);
        self.is_open = text.last().map_or(self.is_open, |last| *last != b'\n');
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn lines_are_counted_packed_or_not() {
        for (text, expected) in [("", 0), ("{}\n", 1), ("{}\n{}", 2), ("{}\n{}\n", 2)] {
            let mut plain = Unpacking::of(None);
            // Piece by piece, wherever they end.
            text.as_bytes().chunks(2).for_each(|piece| plain.write(piece).unwrap());
            assert_eq!(plain.finish().unwrap(), expected, "{text:?}");
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(text.as_bytes()).unwrap();
            let packed = encoder.finish().unwrap();
            let mut gzip = Unpacking::of(Some(Compression::Gzip));
            packed.chunks(3).for_each(|piece| gzip.write(piece).unwrap());
            assert_eq!(gzip.finish().unwrap(), expected, "{text:?}");
            let mut cut = Unpacking::of(Some(Compression::Gzip));
            let ended = cut.write(&packed[..packed.len() - 6]).and_then(|()| cut.finish());
            assert!(ended.is_err(), "a file that is cut off");
        }
    }
}
