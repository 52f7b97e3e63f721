//! Sets of stickers an app offers its users.

use banter_domain::sticker::StickerSet;

use crate::read::Read;
use crate::sql::{Row, binds};
use crate::{Result, Tx, View};

fn sticker_set(mut row: Row) -> Result<StickerSet> {
    Ok(StickerSet { id: row.text(0)?, place: row.int(1)?, value: row.map(2)?, updated_ms: row.int(3)? })
}

impl View {
    /// All sets of an app, in their order.
    pub async fn stickers(&mut self) -> Result<Vec<StickerSet>> {
        let text = "SELECT id, place, value, updated_ms FROM stickers WHERE app = $1 ORDER BY place, id";
        self.session.rows(text, binds![self.app]).await?.into_iter().map(sticker_set).collect()
    }
}

impl Tx {
    /// Writes a set, new or not.
    pub async fn put_sticker_set(&mut self, set: &StickerSet) -> Result<()> {
        let text = "INSERT INTO stickers (app, id, place, value, updated_ms) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (app, id) DO UPDATE SET place = $3, value = $4, updated_ms = $5";
        let value = crate::read::map_text(&set.value);
        self.view.session.put(text, binds![self.view.app, set.id.as_str(), set.place, value, set.updated_ms]).await
    }

    /// Deletes a set. False: there is none of this id.
    pub async fn delete_sticker_set(&mut self, id: &str) -> Result<bool> {
        let text = "DELETE FROM stickers WHERE app = $1 AND id = $2";
        Ok(self.view.session.run(text, binds![self.view.app, id]).await? > 0)
    }
}
