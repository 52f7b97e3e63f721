//! Small questions about rooms (rest.md 3.5).

use banter_domain::id::RoomId;
use banter_domain::moderation::{Act, Facts, decide};
use banter_domain::room::LeftRoom;

use super::seen::{known, readable};
use crate::messages::seen_by;
use crate::{Caller, Chat, Error, Page, Result};

impl Chat {
    /// Is there a room of this id, as far as the caller may know?
    pub async fn room_exists(&self, caller: &Caller, id: &RoomId) -> Result<bool> {
        let mut view = self.store.view(caller.app.number).await?;
        match known(&mut view, caller, id).await {
            Ok((room, standing)) => {
                let facts = Facts { actor: caller.actor(), room: &room, standing, author: false };
                Ok(decide(Act::FindRoom, facts).is_ok())
            }
            Err(Error::NoRoom) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many messages of a room the caller sees that were stored after a moment (milliseconds), or all.
    /// Errors: [`Error::NoRoom`], refusals.
    pub async fn count_messages(&self, caller: &Caller, id: &RoomId, after_ms: Option<i64>) -> Result<i64> {
        let mut view = self.store.view(caller.app.number).await?;
        let (room, standing) = readable(&mut view, caller, id, Act::ReadMessages).await?;
        let user = caller.user();
        let eyes = seen_by(caller, &user, standing);
        match after_ms {
            None => Ok(view.count_seen(&room, eyes).await?),
            Some(after_ms) => {
                let place = view.place_at(&room, after_ms).await?;
                Ok(view.count_seen_after(&room, place, eyes).await?)
            }
        }
    }

    /// A page of the ids of the caller's active rooms, in their order; `limit` `None`: all.
    pub async fn room_ids(&self, caller: &Caller, skip: usize, limit: Option<usize>) -> Result<Page<RoomId>> {
        let mut view = self.store.view(caller.app.number).await?;
        let (total, data) = view.own_room_ids(&caller.user(), skip, limit).await?;
        Ok(Page { total, data })
    }

    /// A page of the rooms the caller left and has not come back to, the last one first.
    pub async fn rooms_left(&self, caller: &Caller, skip: usize, limit: usize) -> Result<Page<LeftRoom>> {
        let mut view = self.store.view(caller.app.number).await?;
        let (total, data) = view.rooms_left(&caller.user(), skip, limit).await?;
        Ok(Page { total, data })
    }
}
