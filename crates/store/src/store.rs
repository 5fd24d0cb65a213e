//! One store, whatever its kind.

use bytes::Bytes;
use transship_model::Name;
use transship_model::redact::Redactor;
use transship_model::store::{StoreAccess, StoreLocation};

use crate::directory::Directory;
use crate::download::Download;
use crate::error::{About, ErrorKind, StoreError};
use crate::s3::S3;
use crate::upload::Upload;

/// An object of a bucket, or a file of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// Its key below the path of the store: parts joined by `/`.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A store that this machine reaches. Keys are below the path of the store: parts joined by `/`.
///
/// What may go away by itself is tried again a few times; everything here may be done twice.
#[derive(Debug)]
pub struct Store {
    location: StoreLocation,
    client: Client,
    about: About,
}

#[derive(Debug)]
enum Client {
    S3(Box<S3>),
    Directory(Directory),
}

impl Store {
    /// A client of a store; nothing is sent yet. Stores that only clusters reach are [`ErrorKind::NotHere`].
    pub fn open(name: &Name, access: &StoreAccess, redactor: &Redactor) -> Result<Self, StoreError> {
        let about = About::new(name, &access.location, redactor);
        let client = match &access.location {
            StoreLocation::S3(s3) => Client::S3(Box::new(S3::new(s3, access, about.clone())?)),
            StoreLocation::Directory(directory) => Client::Directory(Directory::new(&directory.path, about.clone())),
            StoreLocation::Azure(_) | StoreLocation::Gcs(_) | StoreLocation::Url(_) => {
                let kind = access.location.kind();
                return Err(about.error(ErrorKind::NotHere, format!("only clusters reach a store of kind `{kind}`")));
            }
        };
        Ok(Self { location: access.location.clone(), client, about })
    }

    /// Writes an object; whatever has the key is replaced.
    pub async fn put(&self, key: &str, content: Bytes) -> Result<(), StoreError> {
        let path = self.location.path(key);
        match &self.client {
            Client::S3(s3) => s3.put(&path, content).await,
            Client::Directory(directory) => directory.put(path, content).await,
        }
    }

    /// Begins an object that is written piece by piece.
    pub async fn upload(&self, key: &str) -> Result<Upload<'_>, StoreError> {
        let path = self.location.path(key);
        match &self.client {
            Client::S3(s3) => Ok(Upload::to_s3(s3, path)),
            Client::Directory(directory) => Ok(Upload::to_directory(directory.begin(path).await?)),
        }
    }

    /// The content of an object, which has to be small.
    pub async fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        let path = self.location.path(key);
        match &self.client {
            Client::S3(s3) => s3.get(&path).await,
            Client::Directory(directory) => directory.get(path).await,
        }
    }

    /// Begins to read an object of any size, as [`Self::list`] tells it.
    pub const fn download(&self, object: Object) -> Download<'_> {
        Download::of(self, object)
    }

    /// The bytes of an object from `from` to the one before `to`.
    pub(crate) async fn piece(&self, key: &str, from: u64, to: u64) -> Result<Bytes, StoreError> {
        let path = self.location.path(key);
        match &self.client {
            Client::S3(s3) => s3.piece(&path, from, to).await,
            Client::Directory(directory) => directory.piece(path, from, to).await,
        }
    }

    /// The folders right below `below`, sorted.
    pub async fn folders(&self, below: &str) -> Result<Vec<String>, StoreError> {
        let root = self.location.path("");
        let root = if root.is_empty() { root } else { format!("{root}/") };
        let path = self.location.path(below);
        let path = if path.is_empty() { path } else { format!("{path}/") };
        let mut found = match &self.client {
            Client::S3(s3) => s3.folders(&path).await?,
            Client::Directory(directory) => directory.folders(path).await?,
        };
        found.sort();
        Ok(found.iter().filter_map(|folder| Some(folder.strip_prefix(&root)?.to_owned())).collect())
    }

    /// An error of this store.
    pub(crate) fn error(&self, kind: ErrorKind, message: impl AsRef<str>) -> StoreError {
        self.about.error(kind, message)
    }

    /// Removes an object; there may be none.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let path = self.location.path(key);
        match &self.client {
            Client::S3(s3) => s3.delete(&path).await,
            Client::Directory(directory) => directory.delete(path).await,
        }
    }

    /// Whether there is an object of this key.
    pub async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        // Asked by a list: a bucket that is not there would look like an object that is not.
        Ok(self.first(key, 1).await?.iter().any(|object| object.key == key))
    }

    /// The objects below `below`, by key; all of the store for an empty one.
    pub async fn list(&self, below: &str) -> Result<Vec<Object>, StoreError> {
        let below = if below.is_empty() { String::new() } else { format!("{below}/") };
        self.first(&below, usize::MAX).await
    }

    /// Removes whatever lies below `below`, in a directory also what writers that were cut left unfinished, and tells how
    /// many objects there were.
    pub async fn remove_below(&self, below: &str) -> Result<usize, StoreError> {
        let objects = self.list(below).await?;
        for object in &objects {
            self.delete(&object.key).await?;
        }
        if let Client::Directory(directory) = &self.client {
            directory.remove_unfinished(format!("{}/", self.location.path(below))).await?;
        }
        Ok(objects.len())
    }

    /// Writes a small object of this key, reads it back and removes it.
    pub(crate) async fn write_and_read(&self, key: &str) -> Result<(), StoreError> {
        let content = Bytes::copy_from_slice(key.as_bytes());
        self.put(key, content.clone()).await?;
        let read = self.get(key).await;
        let removed = self.delete(key).await;
        if read? != content {
            return Err(self.about.error(ErrorKind::Answer, format!("`{key}` was read back with another content")));
        }
        removed
    }

    /// The first objects whose keys begin with `start`.
    pub(crate) async fn first(&self, start: &str, most: usize) -> Result<Vec<Object>, StoreError> {
        let root = self.location.path("");
        let root = if root.is_empty() { root } else { format!("{root}/") };
        let prefix = format!("{root}{start}");
        let found = match &self.client {
            Client::S3(s3) => s3.list(&prefix, most).await?,
            Client::Directory(directory) => directory.list(prefix, most).await?,
        };
        let below = |object: Object| Some(Object { key: object.key.strip_prefix(&root)?.to_owned(), ..object });
        Ok(found.into_iter().filter_map(below).collect())
    }
}
