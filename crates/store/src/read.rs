//! Reading cells as the domain's types.

use banter_domain::id::{ObjectId, RoomId, UserId};
use serde_json::{Map, Value as Json};

use crate::sql::{Row, Value};
use crate::{Error, Result};

/// Reads columns that must hold what their table promises.
pub(crate) trait Read {
    fn user(&mut self, at: usize) -> Result<UserId>;
    fn user_opt(&mut self, at: usize) -> Result<Option<UserId>>;
    fn room_id(&mut self, at: usize) -> Result<RoomId>;
    fn room_id_opt(&mut self, at: usize) -> Result<Option<RoomId>>;
    fn object_id(&mut self, at: usize) -> Result<ObjectId>;
    fn object_id_opt(&mut self, at: usize) -> Result<Option<ObjectId>>;
    fn json(&mut self, at: usize) -> Result<Json>;
    fn json_opt(&mut self, at: usize) -> Result<Option<Json>>;
    fn map(&mut self, at: usize) -> Result<Map<String, Json>>;
    fn texts(&mut self, at: usize) -> Result<Vec<String>>;
}

fn corrupt(what: &str, text: &str) -> Error {
    Error::Corrupt(format!("{what}: {text:?}"))
}

fn object_id(text: &str) -> Result<ObjectId> {
    ObjectId::parse(text).ok_or_else(|| corrupt("not an object id", text))
}

impl Read for Row {
    fn user(&mut self, at: usize) -> Result<UserId> {
        UserId::parse(self.compact(at)?).map_err(|why| corrupt("not a user id", &why.to_string()))
    }

    fn user_opt(&mut self, at: usize) -> Result<Option<UserId>> {
        self.compact_opt(at)?.map(UserId::parse).transpose().map_err(|why| corrupt("not a user id", &why.to_string()))
    }

    fn room_id(&mut self, at: usize) -> Result<RoomId> {
        RoomId::parse(self.compact(at)?).map_err(|why| corrupt("not a room id", &why.to_string()))
    }

    fn room_id_opt(&mut self, at: usize) -> Result<Option<RoomId>> {
        self.compact_opt(at)?.map(RoomId::parse).transpose().map_err(|why| corrupt("not a room id", &why.to_string()))
    }

    fn object_id(&mut self, at: usize) -> Result<ObjectId> {
        object_id(self.str(at)?)
    }

    fn object_id_opt(&mut self, at: usize) -> Result<Option<ObjectId>> {
        self.compact_opt(at)?.map(|text| object_id(&text)).transpose()
    }

    fn json(&mut self, at: usize) -> Result<Json> {
        let text = self.str(at)?;
        serde_json::from_str(text).map_err(|_| corrupt("not JSON", text))
    }

    fn json_opt(&mut self, at: usize) -> Result<Option<Json>> {
        let Some(text) = self.compact_opt(at)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| corrupt("not JSON", &text))
    }

    fn map(&mut self, at: usize) -> Result<Map<String, Json>> {
        let text = self.str(at)?;
        if text == "{}" {
            return Ok(Map::new());
        }
        serde_json::from_str(text).map_err(|_| corrupt("not a JSON object", text))
    }

    fn texts(&mut self, at: usize) -> Result<Vec<String>> {
        let text = self.str(at)?;
        if text == "[]" {
            return Ok(Vec::new());
        }
        serde_json::from_str(text).map_err(|_| corrupt("not a list of texts", text))
    }
}

impl From<&UserId> for Value {
    fn from(id: &UserId) -> Self {
        Self::Text(id.as_str().into())
    }
}

impl From<&RoomId> for Value {
    fn from(id: &RoomId) -> Self {
        Self::Text(id.as_str().into())
    }
}

impl From<ObjectId> for Value {
    fn from(id: ObjectId) -> Self {
        Self::Text(compact_str::format_compact!("{id}"))
    }
}

impl From<&[UserId]> for Value {
    fn from(ids: &[UserId]) -> Self {
        Self::Texts(ids.iter().map(|id| id.as_str().to_owned()).collect())
    }
}

impl From<&[RoomId]> for Value {
    fn from(ids: &[RoomId]) -> Self {
        Self::Texts(ids.iter().map(|id| id.as_str().to_owned()).collect())
    }
}

/// A JSON object as stored.
pub(crate) fn map_text(map: &Map<String, Json>) -> String {
    if map.is_empty() { "{}".to_owned() } else { Json::Object(map.clone()).to_string() }
}

/// A list of texts as stored.
pub(crate) fn texts_text(texts: &[String]) -> String {
    Json::from(texts).to_string()
}

/// A text as it is compared when case does not matter.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}
