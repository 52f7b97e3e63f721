//! Sets of stickers.

use serde_json::{Map, Value};

/// A set of stickers an app offers its users; the pictures themselves lie elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct StickerSet {
    /// Its id, the app's own.
    pub id: String,
    /// Where it stands among the others.
    pub place: i64,
    /// Its name and pictures, as the app gave them.
    pub value: Map<String, Value>,
    /// When it last changed, milliseconds.
    pub updated_ms: i64,
}
