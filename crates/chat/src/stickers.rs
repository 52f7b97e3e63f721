//! Sets of stickers an app offers its users (rest.md 8).

use banter_domain::sticker::StickerSet;

use crate::{Caller, Chat, Error, Result};

/// The most sets an app may have.
const MAX_SETS: usize = 1_000;

impl Chat {
    /// All sets of the caller's app, in their order.
    pub async fn stickers(&self, app: i64) -> Result<Vec<StickerSet>> {
        Ok(self.store.view(app).await?.stickers().await?)
    }

    /// Writes a set, new or not. Errors: [`Error::TooMuch`].
    pub async fn save_stickers(&self, caller: &Caller, mut set: StickerSet) -> Result<StickerSet> {
        let mut open = self.begin(caller).await?;
        let known = open.tx.stickers().await?;
        if known.len() >= MAX_SETS && !known.iter().any(|known| known.id == set.id) {
            return Err(Error::TooMuch(format!("an app has at most {MAX_SETS} sets of stickers")));
        }
        set.updated_ms = open.now_ms;
        open.tx.put_sticker_set(&set).await?;
        open.done().await?;
        Ok(set)
    }

    /// Deletes a set. Errors: [`Error::NoStickers`].
    pub async fn delete_stickers(&self, caller: &Caller, id: &str) -> Result<()> {
        let mut open = self.begin(caller).await?;
        if !open.tx.delete_sticker_set(id).await? {
            return Err(Error::NoStickers);
        }
        open.done().await
    }
}
