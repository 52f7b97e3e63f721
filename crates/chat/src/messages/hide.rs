//! Taking messages out of the members' sight (rest.md 5.9). Owner, managers and the platform go on
//! seeing them, marked; for everybody else they are not there.

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::Message;
use banter_domain::moderation::Act;
use banter_domain::record::{Action, Topic};
use serde_json::json;

use crate::{Caller, Chat, Result};

impl Chat {
    /// Takes a message out of the members' sight, or puts it back; twice is once. Errors:
    /// [`crate::Error::NoMessage`], refusals.
    pub async fn hide(&self, caller: &Caller, id: ObjectId, on: bool) -> Result<Message> {
        let mut open = self.begin(caller).await?;
        let (room, found) = open.message(id, Act::Hide).await?;
        if !open.tx.set_hidden(&room, id, on, open.now_ms).await? {
            open.done().await?;
            return Ok(found);
        }
        let sender = found.sender.profile.id;
        let detail = json!({ "message": id.to_string() });
        open.audit(Action::hiding(on), Some(&sender), Some(&room.id), Some(detail), None).await?;
        // What the room shows as its newest message may be another now.
        open.room_changed(&room).await?;
        open.changed(room, id).await
    }

    /// The same with everything somebody has written in a room so far. Returns how many messages changed.
    /// Errors: [`crate::Error::NoRoom`], refusals.
    pub async fn hide_by_sender(&self, caller: &Caller, room: &RoomId, sender: &UserId, on: bool) -> Result<i64> {
        let mut open = self.begin(caller).await?;
        let room = open.lock_room(room).await?;
        open.judge(Act::Hide, &room).await?;
        let count = open.tx.set_hidden_of(&room, sender, on, open.now_ms).await?;
        if count > 0 {
            let detail = json!({ "messages": count });
            open.audit(Action::hiding(on), Some(sender), Some(&room.id), Some(detail), None).await?;
            let place = Some((&room.id, room.last_seq));
            open.event(Topic::MessagesDeleted, place, Some(&caller.user()), Some(json!({ "by": sender.as_str() })))
                .await?;
        }
        open.done().await?;
        Ok(count)
    }
}
