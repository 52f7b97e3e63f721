//! Where the bytes of files lie: a folder, or an S3-compatible store.
//!
//! It knows an app's number and a file's id, of which it makes its own keys: nothing that a user names becomes a path. What
//! it says is there is durable.

use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use banter_domain::id::ObjectId;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use md5::{Digest, Md5};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};

use crate::{Error, Result};

/// A file's bytes, piece by piece.
pub type Bytestream = BoxStream<'static, Result<Bytes>>;

/// What one write to a folder holds, bytes.
const FOLDER_PART: usize = 512 << 10;
/// What one part sent to S3 holds, bytes: the least it takes.
const REMOTE_PART: usize = 5 << 20;
/// How long S3 may keep silent, and how long one part or file may take.
const SILENCE: Duration = Duration::from_secs(30);
const WHOLE: Duration = Duration::from_secs(3600);

/// An S3-compatible store.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its bucket.
    pub bucket: String,
    /// What all keys begin with; may be empty.
    pub prefix: String,
    /// Its address; `None`: Amazon's.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// Who asks.
    pub access_key: String,
    /// By what secret.
    pub secret_key: String,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Remote(s3://{}/{})", self.bucket, self.prefix)
    }
}

/// Where the bytes of files lie.
#[derive(Debug, Clone)]
pub struct Vault {
    objects: Arc<dyn ObjectStore>,
    /// Of a folder: which.
    folder: Option<PathBuf>,
    /// So much is held in memory of a file that comes in, and written at once.
    part: usize,
}

fn failed(error: &object_store::Error) -> Error {
    Error::Bytes(error.to_string())
}

impl Vault {
    /// A folder, made if it is missing, for its owner alone. Errors: [`Error::Setting`].
    pub fn folder(folder: &Path) -> Result<Self> {
        let trouble = |why: &dyn std::fmt::Display| Error::Setting(format!("{}: {why}", folder.display()));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| trouble(&error))?;
        // The folder's own name must be as durable as what is put into it.
        if let Some(parent) = folder.parent() {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(|error| trouble(&error))?;
        }
        let objects = LocalFileSystem::new_with_prefix(folder).map_err(|error| trouble(&error))?.with_fsync(true);
        Ok(Self { objects: Arc::new(objects), folder: Some(folder.to_owned()), part: FOLDER_PART })
    }

    /// An S3-compatible store. It is not asked anything yet. Errors: [`Error::Setting`].
    pub fn remote(remote: &Remote) -> Result<Self> {
        // Somebody may have chosen one for the process already, and that is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let plain = remote.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let options = ClientOptions::new().with_allow_http(plain).with_timeout(WHOLE).with_read_timeout(SILENCE);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&remote.bucket)
            .with_region(&remote.region)
            .with_access_key_id(&remote.access_key)
            .with_secret_access_key(&remote.secret_key)
            // One file goes at a time, and not every such store deletes in bulk.
            .with_disable_bulk_delete(true)
            .with_client_options(options);
        if let Some(endpoint) = &remote.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let objects = builder.build().map_err(|error| Error::Setting(error.to_string()))?;
        let prefix = Key::parse(&remote.prefix).map_err(|error| Error::Setting(error.to_string()))?;
        Ok(Self { objects: Arc::new(PrefixStore::new(objects, prefix)), folder: None, part: REMOTE_PART })
    }

    fn key(app: i64, id: ObjectId) -> Key {
        let id = id.to_string();
        Key::from(format!("{app}/{}/{id}", id.get(..2).unwrap_or_default()))
    }

    /// A place for the bytes of a file that is about to come.
    #[must_use]
    pub fn deposit(&self, app: i64, id: ObjectId) -> Deposit {
        Deposit {
            vault: self.clone(),
            key: Self::key(app, id),
            waiting: BytesMut::new(),
            begun: None,
            length: 0,
            md5: Md5::new(),
        }
    }

    /// Are the bytes of a file here?
    pub async fn has(&self, app: i64, id: ObjectId) -> Result<bool> {
        match self.objects.head(&Self::key(app, id)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(failed(&error)),
        }
    }

    /// These of a file's bytes. `None`: they are not here.
    pub async fn read(&self, app: i64, id: ObjectId, range: Range<u64>) -> Result<Option<Bytestream>> {
        if range.is_empty() {
            return Ok(self.has(app, id).await?.then(|| futures_util::stream::empty().boxed()));
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let found = match self.objects.get_opts(&Self::key(app, id), options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        if found.range != range {
            return Err(Error::Corrupt(format!("the file {id} is shorter than it was")));
        }
        Ok(Some(found.into_stream().map_err(|error| failed(&error)).boxed()))
    }

    /// Removes the bytes of a file, and what is left of some that never came whole. None there is as good.
    pub async fn remove(&self, app: i64, id: ObjectId) -> Result<()> {
        let key = Self::key(app, id);
        match self.objects.delete(&key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(&error)),
        }
        // Where a file in a folder lies until it is whole. Its id was drawn for one upload, so there is no second.
        let Some(folder) = &self.folder else { return Ok(()) };
        match tokio::fs::remove_file(folder.join(format!("{key}#1"))).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::Bytes(error.to_string())),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Bytes of a file that come in. What is short is not written before it is whole; of what is long nobody can read
/// anything before [`Deposit::finish`]. Dropped, nothing of it is there.
pub struct Deposit {
    vault: Vault,
    key: Key,
    waiting: BytesMut,
    begun: Option<Box<dyn MultipartUpload>>,
    length: u64,
    md5: Md5,
}

impl Deposit {
    /// How much has come, bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Takes some more.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.md5.update(bytes);
        self.length += bytes.len() as u64;
        self.waiting.extend_from_slice(bytes);
        while self.waiting.len() >= self.vault.part {
            let part = self.waiting.split_to(self.vault.part).freeze();
            let upload = match &mut self.begun {
                Some(upload) => upload,
                None => {
                    let begun = self.vault.objects.put_multipart(&self.key).await;
                    self.begun.insert(begun.map_err(|error| failed(&error))?)
                }
            };
            upload.put_part(PutPayload::from(part)).await.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// That was all: returns when it is durable, with its length and its MD5 in hex.
    pub async fn finish(&mut self) -> Result<(u64, String)> {
        let rest = PutPayload::from(std::mem::take(&mut self.waiting).freeze());
        let done = match &mut self.begun {
            None => self.vault.objects.put(&self.key, rest).await,
            Some(upload) => {
                if rest.content_length() > 0 {
                    upload.put_part(rest).await.map_err(|error| failed(&error))?;
                }
                upload.complete().await
            }
        };
        done.map_err(|error| failed(&error))?;
        self.begun = None;
        let md5 = self.md5.finalize_reset();
        Ok((self.length, md5.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// It is not wanted: what was written of it goes.
    pub async fn abandon(&mut self) -> Result<()> {
        self.waiting.clear();
        match self.begun.take() {
            None => Ok(()),
            Some(mut upload) => upload.abort().await.map_err(|error| failed(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(stream: Option<Bytestream>) -> Option<Vec<u8>> {
        let pieces: Vec<Bytes> = stream?.try_collect().await.expect("bytes");
        Some(pieces.concat())
    }

    fn left(folder: &Path) -> usize {
        let Ok(entries) = fs::read_dir(folder) else { return 0 };
        entries.flatten().map(|entry| if entry.path().is_dir() { left(&entry.path()) } else { 1 }).sum()
    }

    #[tokio::test]
    async fn a_folder_gives_back_what_it_was_given() {
        let folder = tempfile::tempdir().expect("a folder");
        let vault = Vault::folder(&folder.path().join("files")).expect("a vault");
        for (number, length) in [0_usize, 1, FOLDER_PART, 3 * FOLDER_PART + 7].into_iter().enumerate() {
            let id = ObjectId::from_bytes([u8::try_from(number).expect("few"); 12]);
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).expect("a byte")).collect();
            let mut deposit = vault.deposit(7, id);
            for piece in bytes.chunks(100_000) {
                deposit.write(piece).await.expect("taken");
            }
            assert!(!vault.has(7, id).await.expect("an answer"), "nothing is there before it is whole");
            let (told, md5) = deposit.finish().await.expect("whole");
            assert_eq!(told, length as u64);
            assert_eq!(md5, Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            assert_eq!(all(vault.read(7, id, 0..told).await.expect("read")).await, Some(bytes.clone()));
            assert!(vault.read(8, id, 0..told).await.expect("read").is_none(), "another app's");
            if length > 10 {
                assert_eq!(all(vault.read(7, id, 3..9).await.expect("read")).await, Some(bytes[3..9].to_vec()));
                assert!(vault.read(7, id, 0..told + 1).await.is_err(), "shorter than is thought");
            }
            vault.remove(7, id).await.expect("gone");
            vault.remove(7, id).await.expect("gone already");
            assert!(vault.read(7, id, 0..told).await.expect("read").is_none());
        }
        assert_eq!(left(folder.path()), 0);
    }

    #[tokio::test]
    async fn what_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let vault = Vault::folder(folder.path()).expect("a vault");
        let id = ObjectId::from_bytes([1; 12]);
        let long = vec![1; 2 * FOLDER_PART];
        let mut deposit = vault.deposit(1, id);
        deposit.write(&long).await.expect("taken");
        assert_eq!(left(folder.path()), 1);
        deposit.abandon().await.expect("gone");
        assert_eq!(left(folder.path()), 0);
        // As if the process had died in the middle.
        let mut deposit = vault.deposit(1, id);
        deposit.write(&long).await.expect("taken");
        std::mem::forget(deposit);
        assert_eq!(left(folder.path()), 1);
        vault.remove(1, id).await.expect("gone");
        assert_eq!(left(folder.path()), 0);
    }
}
