//! Deleting messages for oneself alone (rest.md 5.8). To everybody else they stay what they are.

use banter_domain::id::{ObjectId, RoomId};
use banter_domain::moderation::Act;
use banter_domain::record::Topic;
use banter_store::{PutAway, TOLD};
use serde_json::json;

use crate::rooms::{eyes, readable};
use crate::{Caller, Chat, MessagesQuery, Page, Result};

/// What somebody deleted for himself.
#[derive(Debug, Clone)]
pub struct PutAwayDone {
    /// How many messages.
    pub count: i64,
    /// Which; of a whole room the newest 1,000.
    pub messages: Vec<ObjectId>,
}

impl Chat {
    /// The caller deletes messages of a room for himself; those that are not there for him are passed over.
    /// Errors: [`crate::Error::NoRoom`], refusals.
    pub async fn put_away(&self, caller: &Caller, room: &RoomId, messages: &[ObjectId]) -> Result<PutAwayDone> {
        let mut open = self.begin(caller).await?;
        let room = open.lock_room(room).await?;
        open.judge(Act::PutAway, &room).await?;
        let user = caller.user();
        let gone = open.tx.put_away(&room, &user, messages, open.now_ms).await?;
        if !gone.is_empty() {
            let ids: Vec<String> = gone.iter().map(ToString::to_string).collect();
            let payload = json!({ "room": room.id.as_str(), "messages": ids, "all": false });
            open.event(Topic::PutAway, None, Some(&user), Some(payload)).await?;
        }
        open.done().await?;
        Ok(PutAwayDone { count: i64::try_from(gone.len()).unwrap_or(i64::MAX), messages: gone })
    }

    /// The caller deletes everything there is in a room for himself; he has read it then. Errors:
    /// [`crate::Error::NoRoom`], refusals.
    pub async fn put_all_away(&self, caller: &Caller, room: &RoomId) -> Result<PutAwayDone> {
        let mut open = self.begin(caller).await?;
        let room = open.lock_room(room).await?;
        let standing = open.judge(Act::PutAway, &room).await?;
        let user = caller.user();
        let eyes = eyes(&user, standing);
        let count = open.tx.count_seen(&room, eyes).await?;
        let limit = usize::try_from(TOLD).unwrap_or(usize::MAX);
        let query = MessagesQuery { anchor: None, ascending: false, limit, after_time: None };
        let newest = open.tx.messages(&room, &query, eyes).await?;
        open.tx.clear(&room, &user, open.now_ms).await?;
        let messages: Vec<ObjectId> = newest.into_iter().map(|message| message.id).collect();
        let ids: Vec<String> = messages.iter().map(ToString::to_string).collect();
        let payload = json!({ "room": room.id.as_str(), "messages": ids, "all": true });
        open.event(Topic::PutAway, None, Some(&user), Some(payload)).await?;
        open.done().await?;
        Ok(PutAwayDone { count, messages })
    }

    /// A page of what the caller deleted of a room for himself, the newest first. Errors: [`crate::Error::NoRoom`],
    /// refusals.
    pub async fn messages_put_away(
        &self,
        caller: &Caller,
        room: &RoomId,
        skip: usize,
        limit: usize,
    ) -> Result<Page<PutAway>> {
        let mut view = self.store.view(caller.app.number).await?;
        readable(&mut view, caller, room, Act::ReadMessages).await?;
        let (total, data) = view.put_away_of(room, &caller.user(), skip, limit).await?;
        Ok(Page { total, data })
    }
}
