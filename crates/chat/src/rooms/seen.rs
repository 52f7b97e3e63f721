//! A room as somebody sees it.

use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::{Act, Actor, Facts, decide, sees_hidden};
use banter_domain::room::{Room, RoomSeen, Standing};
use banter_store::{Eyes, View};

use crate::{Caller, Chat, Error, Result};

/// A room with its people and newest message. `viewer`: `None` for the platform.
pub(crate) async fn seen(view: &mut View, room: &Room, viewer: Option<&UserId>) -> Result<RoomSeen> {
    let mut members = view.members(&room.id).await?;
    if room.kind.is_direct() {
        // When each of the two came would tell of a block that made the room.
        members.sort_by(|one, other| one.member.user.cmp(&other.member.user));
    }
    let owner = match &room.owner {
        None => None,
        Some(owner) => match members.iter().find(|seen| seen.user.profile.id == *owner) {
            Some(seen) => Some(seen.user.profile.clone()),
            None => view.user(owner).await?.map(|user| user.profile),
        },
    };
    let outlook = match viewer {
        None => None,
        Some(viewer) => Some(view.outlook(room, viewer).await?),
    };
    let eyes = match (viewer, &outlook) {
        (Some(user), Some(outlook)) => eyes(user, outlook.standing),
        _ => Eyes::Platform,
    };
    let last_message = view.last_seen(room, eyes).await?;
    Ok(RoomSeen { room: room.clone(), owner, members, last_message, outlook })
}

/// The eyes of a user who stands so.
pub(crate) fn eyes(user: &UserId, standing: Standing) -> Eyes<'_> {
    Eyes::User { user, sees_hidden: sees_hidden(Actor::User, standing) }
}

impl Caller {
    /// Through whose eyes this caller sees a room: the platform's own client has none.
    pub(crate) fn viewer(&self) -> Option<UserId> {
        (self.actor() != Actor::Platform).then(|| self.user())
    }
}

impl Chat {
    /// One room, for its members, its owner and the platform. Errors: [`Error::NoRoom`], refusals.
    pub async fn room(&self, caller: &Caller, id: &RoomId) -> Result<RoomSeen> {
        let mut view = self.store.view(caller.app.number).await?;
        let (room, _) = readable(&mut view, caller, id, Act::ReadRoom).await?;
        seen(&mut view, &room, caller.viewer().as_ref()).await
    }
}

/// A room the caller may read, and how he stands there. Errors: [`Error::NoRoom`], refusals.
pub(crate) async fn readable(view: &mut View, caller: &Caller, id: &RoomId, act: Act) -> Result<(Room, Standing)> {
    let (room, standing) = known(view, caller, id).await?;
    decide(act, Facts { actor: caller.actor(), room: &room, standing, author: false })?;
    Ok((room, standing))
}

/// A room, and how the caller stands there; the platform stands nowhere. Errors: [`Error::NoRoom`].
pub(crate) async fn known(view: &mut View, caller: &Caller, id: &RoomId) -> Result<(Room, Standing)> {
    match caller.viewer() {
        None => view.room(id).await?.map(|room| (room, Standing::default())),
        Some(user) => view.room_and_standing(id, &user).await?,
    }
    .ok_or(Error::NoRoom)
}
