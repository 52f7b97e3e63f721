//! Reading a room's messages.

use banter_domain::id::RoomId;
use banter_domain::message::Message;
use banter_domain::moderation::Act;
use banter_store::MessagesQuery;

use crate::rooms::readable;
use crate::{Caller, Chat, Page, Result};

impl Chat {
    /// A page of a room's messages (rest.md 5.4); `total` is how many the room holds. Errors:
    /// [`crate::Error::NoRoom`], refusals.
    pub async fn messages(&self, caller: &Caller, room: &RoomId, query: MessagesQuery) -> Result<Page<Message>> {
        let mut view = self.store.view(caller.app.number).await?;
        let room = readable(&mut view, caller, room, Act::ReadMessages).await?;
        let data = view.messages(&room, &query).await?;
        Ok(Page { total: room.total, data })
    }
}
