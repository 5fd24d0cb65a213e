//! Lines of rows to files in a store: packed where that is asked for, piece by piece, a new file wherever one is long
//! enough, so that several nodes read them at once.

use std::io::Write as _;

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use transship_store::{Store, StoreError, Upload};

/// After so many bytes, not packed, a file is long enough.
const LONG: u64 = 128 * 1024 * 1024;

/// What files are called, and what they begin with.
#[derive(Clone, Debug)]
pub(super) struct Naming<'a> {
    /// Where they lie in the store.
    pub(super) path: &'a str,
    /// `rows` of `rows-1.csv.gz`.
    pub(super) stem: &'static str,
    /// `csv` of it.
    pub(super) extension: &'static str,
    /// Whether they are packed by gzip.
    pub(super) packed: bool,
    /// The first line of each; none for an empty text.
    pub(super) header: String,
}

/// A file that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WrittenFile {
    /// Its name below the path.
    pub(super) name: String,
    /// The rows in it.
    pub(super) rows: u64,
    /// Its size in bytes.
    pub(super) bytes: u64,
}

/// Files of one table that are being written, one after the other.
#[derive(Debug)]
pub(super) struct RowFiles<'a> {
    store: &'a Store,
    naming: Naming<'a>,
    open: Option<Open<'a>>,
    written: Vec<WrittenFile>,
}

#[derive(Debug)]
struct Open<'a> {
    name: String,
    upload: Upload<'a>,
    packer: Option<GzEncoder<Vec<u8>>>,
    rows: u64,
    plain: u64,
}

impl<'a> RowFiles<'a> {
    /// No file yet.
    pub(super) const fn new(store: &'a Store, naming: Naming<'a>) -> Self {
        Self { store, naming, open: None, written: Vec::new() }
    }

    /// Adds lines of `rows` rows.
    pub(super) async fn add(&mut self, lines: &str, rows: u64) -> Result<(), StoreError> {
        if rows == 0 {
            return Ok(());
        }
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(begin(self.store, &self.naming, self.written.len() + 1).await?),
        };
        open.write(lines).await?;
        open.rows += rows;
        if open.plain >= LONG {
            self.close().await?;
        }
        Ok(())
    }

    /// Puts the last file in place, and tells of all.
    pub(super) async fn finish(mut self) -> Result<Vec<WrittenFile>, StoreError> {
        self.close().await?;
        Ok(self.written)
    }

    /// Gives up the file that is open. Those before it are removed with the export.
    pub(super) async fn abort(self) {
        if let Some(open) = self.open {
            // Why the export failed is the error to tell.
            open.upload.abort().await.ok();
        }
    }

    async fn close(&mut self) -> Result<(), StoreError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        self.written.push(open.finish().await?);
        Ok(())
    }
}

async fn begin<'a>(store: &'a Store, naming: &Naming<'_>, number: usize) -> Result<Open<'a>, StoreError> {
    let suffix = if naming.packed { ".gz" } else { "" };
    let name = format!("{}-{number}.{}{suffix}", naming.stem, naming.extension);
    let upload = store.upload(&format!("{}/{name}", naming.path)).await?;
    let packer = naming.packed.then(|| GzEncoder::new(Vec::new(), Level::default()));
    let mut open = Open { name, upload, packer, rows: 0, plain: 0 };
    open.write(&naming.header).await?;
    Ok(open)
}

impl Open<'_> {
    async fn write(&mut self, lines: &str) -> Result<(), StoreError> {
        self.plain += lines.len() as u64;
        let Some(packer) = &mut self.packer else { return self.upload.write(lines.as_bytes()).await };
        packer.write_all(lines.as_bytes()).expect("a Vec takes everything");
        let bytes = std::mem::take(packer.get_mut());
        self.upload.write(&bytes).await
    }

    async fn finish(mut self) -> Result<WrittenFile, StoreError> {
        if let Some(packer) = self.packer.take() {
            let bytes = packer.finish().expect("a Vec takes everything");
            self.upload.write(&bytes).await?;
        }
        let bytes = self.upload.finish().await?;
        Ok(WrittenFile { name: self.name, rows: self.rows, bytes })
    }
}
