//! Deleting messages for everybody.

use banter_domain::id::{ObjectId, RoomId};
use banter_domain::moderation::Act;
use banter_domain::record::Topic;
use serde_json::json;

use crate::{Caller, Chat, Error, Result};

/// What was deleted.
#[derive(Debug, Clone, Copy)]
pub struct Deleted {
    /// How many messages.
    pub count: i64,
    /// When, milliseconds.
    pub at_ms: i64,
}

impl Chat {
    /// Deletes one message for everybody (rest.md 5.5). Errors: [`Error::NoRoom`],
    /// [`Error::NoMessage`], refusals.
    pub async fn delete_message(&self, caller: &Caller, room: &RoomId, id: ObjectId) -> Result<Deleted> {
        let mut open = self.begin(caller).await?;
        let mut room = open.lock_room(room).await?;
        open.judge(Act::DeleteMessages, &room).await?;
        if !open.tx.delete_message(&mut room, id).await? {
            return Err(Error::NoMessage);
        }
        let payload = json!({ "message": id.to_string() });
        let place = (&room.id.clone(), room.last_seq);
        open.event(Topic::MessagesDeleted, Some(place), Some(&caller.user()), Some(payload)).await?;
        let deleted = Deleted { count: 1, at_ms: open.now_ms };
        open.done().await?;
        Ok(deleted)
    }

    /// Deletes all messages of a room for everybody. Errors: [`Error::NoRoom`], refusals.
    pub async fn delete_all_messages(&self, caller: &Caller, room: &RoomId) -> Result<Deleted> {
        let mut open = self.begin(caller).await?;
        let mut room = open.lock_room(room).await?;
        open.judge(Act::DeleteMessages, &room).await?;
        let count = open.tx.delete_all_messages(&mut room).await?;
        let place = (&room.id.clone(), room.last_seq);
        open.event(Topic::MessagesDeleted, Some(place), Some(&caller.user()), Some(json!({ "all": true }))).await?;
        let deleted = Deleted { count, at_ms: open.now_ms };
        open.done().await?;
        Ok(deleted)
    }
}
