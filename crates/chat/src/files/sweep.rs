//! Removing the bytes of files that nobody may read any more, or that never came whole.

use banter_domain::id::ObjectId;

use crate::{Chat, Result};

/// No upload takes so long, milliseconds: what was begun before that is dead.
const DEAD_MS: i64 = 3 * 86_400_000;
/// At most so many files go in one transaction.
const STEP: i64 = 100;

impl Chat {
    /// Removes files that are gone, and what is left of those whose upload broke off. Without a place for files there
    /// is nothing to do.
    pub(crate) async fn sweep_files(&self, app: i64) -> Result<()> {
        if self.vault.get().is_none() {
            return Ok(());
        }
        let dead_ms = self.now() - DEAD_MS;
        loop {
            let files = self.store.view(app).await?.files_to_sweep(dead_ms, STEP).await?;
            if files.is_empty() {
                return Ok(());
            }
            self.remove_files(app, &files).await?;
        }
    }

    /// Removes files that are not to be read any more: bytes first, so that a row is left to find what could not be
    /// removed.
    pub(crate) async fn remove_files(&self, app: i64, files: &[ObjectId]) -> Result<()> {
        let vault = self.vault()?;
        for file in files {
            vault.remove(app, *file).await?;
        }
        let mut tx = self.store.change(app).await?;
        for file in files {
            tx.forget_file(*file).await?;
        }
        Ok(tx.commit().await?)
    }
}
