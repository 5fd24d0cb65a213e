//! A shared directory, as far as it is mounted on this machine.

use std::io::{ErrorKind as Io, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::error::{About, ErrorKind, StoreError};
use crate::store::Object;

/// What a file is called while it is written. CrateDB reads no such file unless it is told to.
const UNFINISHED: &str = ".unfinished";

/// A directory on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    about: About,
}

impl Directory {
    pub(crate) fn new(path: &str, about: About) -> Self {
        Self { root: PathBuf::from(path), about }
    }

    /// Writes a file, and the directories above it. Nobody sees half a file.
    pub(crate) async fn put(&self, path: String, content: Bytes) -> Result<(), StoreError> {
        let mut writing = self.begin(path).await?;
        if let Err(error) = writing.write(content).await {
            // The first error is the one to tell.
            writing.abort().await.ok();
            return Err(error);
        }
        writing.finish().await
    }

    /// Begins a file, and makes the directories above it.
    pub(crate) async fn begin(&self, path: String) -> Result<Writing, StoreError> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(path);
        let unfinished = path.with_file_name(format!("{UNFINISHED}-{}-{number}", std::process::id()));
        let new = unfinished.clone();
        self.on_thread(move |root| {
            // The root itself is never made: it would be a directory in place of a mount.
            fs_err::read_dir(root).map(drop)?;
            fs_err::create_dir_all(new.parent().unwrap_or(root))?;
            fs_err::File::create(new).map(drop)
        })
        .await?;
        Ok(Writing { directory: self.clone(), path, unfinished })
    }

    pub(crate) async fn get(&self, path: String) -> Result<Bytes, StoreError> {
        self.on_thread(move |_| fs_err::read(path).map(Bytes::from)).await
    }

    /// The bytes of a file from `from` to the one before `to`, fewer where it ends before.
    pub(crate) async fn piece(&self, path: String, from: u64, to: u64) -> Result<Bytes, StoreError> {
        self.on_thread(move |_| {
            let mut file = fs_err::File::open(path)?;
            file.seek(SeekFrom::Start(from))?;
            let mut piece = Vec::with_capacity(usize::try_from(to - from).unwrap_or_default());
            file.take(to - from).read_to_end(&mut piece)?;
            Ok(Bytes::from(piece))
        })
        .await
    }

    /// The folders right below `path`, which ends with `/`.
    pub(crate) async fn folders(&self, path: String) -> Result<Vec<String>, StoreError> {
        self.on_thread(move |root| {
            fs_err::read_dir(root).map(drop)?;
            let mut found = Vec::new();
            for entry in fs_err::read_dir(path)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    found.push(entry.path().to_string_lossy().into_owned());
                }
            }
            Ok(found)
        })
        .await
    }

    /// Removes a file, and the directories above it that it leaves empty; there may be none.
    pub(crate) async fn delete(&self, path: String) -> Result<(), StoreError> {
        self.on_thread(move |root| {
            let path = Path::new(&path);
            match fs_err::remove_file(path) {
                Err(error) if error.kind() != Io::NotFound => return Err(error),
                _ => {}
            }
            let above = path.ancestors().skip(1).take_while(|above| *above != root && above.starts_with(root));
            // Whatever is not empty stays, and so does what is above it.
            above.take_while(|above| fs_err::remove_dir(above).is_ok()).for_each(drop);
            Ok(())
        })
        .await
    }

    /// The files whose paths begin with `prefix`, at most `most` of them, by path.
    pub(crate) async fn list(&self, prefix: String, most: usize) -> Result<Vec<Object>, StoreError> {
        self.on_thread(move |root| {
            fs_err::read_dir(root).map(drop)?;
            let above =
                if prefix.ends_with('/') { Path::new(&prefix) } else { Path::new(&prefix).parent().unwrap_or(root) };
            let mut found = Vec::new();
            collect(above, &prefix, false, &mut found)?;
            found.sort_by(|a, b| a.key.cmp(&b.key));
            found.truncate(most);
            Ok(found)
        })
        .await
    }

    /// Removes the files below `prefix` that writers which were cut left unfinished.
    pub(crate) async fn remove_unfinished(&self, prefix: String) -> Result<(), StoreError> {
        let found = self
            .on_thread(move |_| {
                let mut found = Vec::new();
                collect(Path::new(&prefix), &prefix, true, &mut found)?;
                Ok(found)
            })
            .await?;
        for object in found {
            self.delete(object.key).await?;
        }
        Ok(())
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let root = self.root.clone();
        match spawn_blocking(move || work(&root)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(error) => Err(self.about.error(ErrorKind::Other, format!("the work broke off: {error}"))),
        }
    }

    fn failed(&self, error: &std::io::Error) -> StoreError {
        let kind = match error.kind() {
            _ if !self.root.is_dir() => ErrorKind::NoDirectory,
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::Forbidden,
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::Full,
            Io::StaleNetworkFileHandle | Io::ResourceBusy | Io::Interrupted => ErrorKind::Busy,
            _ => ErrorKind::Other,
        };
        self.about.error(kind, error.to_string())
    }
}

/// A file that is written piece by piece beside its place.
#[derive(Debug)]
pub(crate) struct Writing {
    directory: Directory,
    path: PathBuf,
    unfinished: PathBuf,
}

impl Writing {
    pub(crate) async fn write(&mut self, content: Bytes) -> Result<(), StoreError> {
        let unfinished = self.unfinished.clone();
        self.directory
            .on_thread(move |_| {
                let mut file = fs_err::OpenOptions::new().append(true).open(unfinished)?;
                std::io::Write::write_all(&mut file, &content)
            })
            .await
    }

    pub(crate) async fn finish(self) -> Result<(), StoreError> {
        let Self { directory, path, unfinished } = self;
        directory
            .on_thread(move |_| {
                fs_err::File::open(&unfinished)?.sync_all()?;
                fs_err::rename(unfinished, path)
            })
            .await
    }

    pub(crate) async fn abort(self) -> Result<(), StoreError> {
        let unfinished = self.unfinished.to_string_lossy().into_owned();
        self.directory.delete(unfinished).await
    }
}

/// Files that are whole, or those that are not.
fn collect(folder: &Path, prefix: &str, unfinished: bool, found: &mut Vec<Object>) -> std::io::Result<()> {
    let entries = match fs_err::read_dir(folder) {
        // What is gone by now, or was never there, has no files.
        Err(error) if error.kind() == Io::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let shown = path.to_string_lossy().into_owned();
        let related = shown.starts_with(prefix) || prefix.starts_with(&shown);
        if entry.file_type()?.is_dir() {
            if related {
                collect(&path, prefix, unfinished, found)?;
            }
        } else if shown.starts_with(prefix) && entry.file_name().to_string_lossy().starts_with(UNFINISHED) == unfinished
        {
            found.push(Object { key: shown, size: entry.metadata()?.len() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use transship_model::redact::Redactor;

    use super::*;

    /// A fresh directory and its client.
    fn fresh() -> (PathBuf, Directory) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("transship-store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = std::env::temp_dir().join(name);
        fs_err::create_dir_all(&root).expect("the temporary folder can be written");
        let about = About { store: "disk".parse().expect("a name"), place: "directory", redactor: Redactor::default() };
        (root.clone(), Directory::new(&root.to_string_lossy(), about))
    }

    #[tokio::test]
    async fn files_come_and_go_with_their_directories() {
        let (root, directory) = fresh();
        let path = |key: &str| format!("{}/{key}", root.display());
        for key in ["w/f/b.json", "w/f/a.json", "w/fx/c.json"] {
            directory.put(path(key), Bytes::from_static(b"{}")).await.expect("written");
        }
        let keys = |found: Vec<Object>| found.into_iter().map(|it| it.key).collect::<Vec<_>>();
        assert_eq!(
            keys(directory.list(path("w/f/"), 9).await.expect("a list")),
            [path("w/f/a.json"), path("w/f/b.json")]
        );
        assert_eq!(directory.list(path("w/f"), 9).await.expect("a list").len(), 3);
        assert_eq!(keys(directory.list(path(""), 1).await.expect("a list")), [path("w/f/a.json")]);
        assert_eq!(directory.list(path("none/"), 9).await.expect("a list"), []);
        assert_eq!(directory.get(path("w/f/a.json")).await.expect("read"), "{}");
        for key in ["w/f/a.json", "w/f/b.json", "w/f/b.json"] {
            directory.delete(path(key)).await.expect("removed");
        }
        assert!(!root.join("w/f").exists() && root.join("w/fx").exists());
        assert_eq!(
            directory.get(path("w/f/a.json")).await.map_err(|error| error.kind.clone()),
            Err(ErrorKind::NotFound)
        );
        fs_err::remove_dir_all(root).expect("removed");
    }

    #[tokio::test]
    async fn what_was_left_unfinished_is_not_listed_and_can_be_removed() {
        let (root, directory) = fresh();
        let path = |key: &str| format!("{}/{key}", root.display());
        let mut writing = directory.begin(path("w/f/1/a.csv")).await.expect("begun");
        writing.write(Bytes::from_static(b"x")).await.expect("written");
        directory.put(path("w/f/2/a.csv"), Bytes::new()).await.expect("written");
        drop(writing);
        assert_eq!(directory.list(path("w/f/1/"), 9).await.expect("a list"), []);
        directory.remove_unfinished(path("w/f/1/")).await.expect("removed");
        directory.remove_unfinished(path("w/f/3/")).await.expect("there is nothing");
        assert!(!root.join("w/f/1").exists() && root.join("w/f/2/a.csv").exists());
        fs_err::remove_dir_all(root).expect("removed");
    }

    #[tokio::test]
    async fn a_directory_that_is_not_mounted_is_not_made() {
        let (root, directory) = fresh();
        fs_err::remove_dir(&root).expect("removed");
        let path = format!("{}/w/a.json", root.display());
        let errors = [
            directory.put(path.clone(), Bytes::new()).await.expect_err("no directory"),
            directory.get(path.clone()).await.expect_err("no directory"),
            directory.list(path, 1).await.expect_err("no directory"),
        ];
        for error in errors {
            assert_eq!((&error.kind, error.may_be_local()), (&ErrorKind::NoDirectory, true));
        }
        assert!(!root.exists());
    }
}
