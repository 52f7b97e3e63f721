//! Files: bringing them, reading them, and removing what nobody may read any more.

mod read;
mod sweep;
mod upload;

use banter_domain::file::MediaType;
use banter_domain::id::{Bucket, RoomId};
use banter_store::Vault;

pub use upload::Incoming;

use crate::{Chat, Error, Result};

/// A file that is about to come.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// What it is sorted by.
    pub bucket: Bucket,
    /// What its uploader calls it.
    pub name: String,
    /// Its media type.
    pub media: MediaType,
    /// The room it is brought into, as far as that is known yet.
    pub room: Option<RoomId>,
}

impl Chat {
    /// Says where the bytes of files lie. The first one said holds; without one no file comes or is read.
    pub fn keep_files_in(&self, vault: Vault) {
        if self.vault.set(vault).is_err() {
            tracing::warn!("where files lie was said already");
        }
    }

    fn vault(&self) -> Result<&Vault> {
        let nowhere = || banter_store::Error::Bytes("nobody said where they lie".to_owned());
        self.vault.get().ok_or_else(nowhere).map_err(Error::Store)
    }
}
