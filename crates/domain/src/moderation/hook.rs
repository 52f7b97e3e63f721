//! What a room's webhook may hear and answer.

use super::{Act, Actor, Denied, Facts, decide};
use crate::id::UserId;
use crate::room::{Room, Standing};

/// Does a room's webhook listen and speak? One that the platform set does; any other as long as whoever set it may
/// still set one: not when he is banned, has left, or is a member like others by now. `standing`: his.
#[must_use]
pub fn webhook_stands(room: &Room, standing: Standing) -> bool {
    let facts = Facts { actor: Actor::User, room, standing, author: false };
    room.webhook_by.is_none() || standing.is_superuser() && decide(Act::UpdateRoom, facts).is_ok()
}

/// May a webhook that stands answer in this name? None speaks between two of whom one blocks the other (L-40).
/// What a user's webhook says it says for whoever set it: so it is silent in a frozen room, and names nobody but
/// robots and himself. `apart`: in a direct room, a block stands; `sender`: `None` or a robot is the app's own.
pub fn may_answer(room: &Room, apart: bool, sender: Option<&UserId>) -> Result<(), Denied> {
    match &room.webhook_by {
        _ if apart => Err(Denied::Blocked),
        None => Ok(()),
        Some(by) if sender.is_some_and(|sender| sender != by) => Err(Denied::NotPermitted(Act::Send)),
        Some(_) if room.frozen => Err(Denied::Frozen),
        Some(_) => Ok(()),
    }
}
