//! What a room remembers of a member: role, properties, how far he read.

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::Kind;
use banter_domain::moderation::{Act, shows_reading};
use banter_domain::record::{Action, Topic};
use banter_domain::room::{ReadMark, RoomSeen};
use serde_json::{Value, json};

use super::seen::{eyes, seen};
use super::{Property, Reading};
use crate::{Caller, Chat, Error, Result};

/// The most properties one member may have in one room.
const MAX_PROPERTIES: usize = 100;

impl Chat {
    /// Sets a property of a member (rest.md 3.10): a role by a superuser, the app's own properties
    /// by oneself or a superuser; `null` removes one. Errors: [`Error::NoRoom`],
    /// [`Error::NoMember`], refusals.
    pub async fn set_property(&self, caller: &Caller, id: &RoomId, user: &UserId, to: Property) -> Result<RoomSeen> {
        let mut open = self.begin(caller).await?;
        let mut room = open.lock_room(id).await?;
        let itself = !caller.is_platform() && caller.user() == *user;
        let act = match &to {
            Property::Manager(_) => Act::Appoint,
            Property::Custom(..) if itself => Act::SetOwnProperty,
            Property::Custom(..) => Act::SetOthersProperty,
        };
        open.judge(act, &room).await?;
        let Some(member) = open.tx.member(id, user).await? else { return Err(Error::NoMember) };
        match to {
            Property::Manager(manager) => {
                if !open.tx.set_manager(&room, user, manager).await? {
                    return Err(Error::NoMember);
                }
                let detail = json!({ "manager": manager });
                open.audit(Action::Role, Some(user), Some(id), Some(detail), None).await?;
                if manager && !member.manager {
                    open.say(&mut room, Kind::AssignAdmin, &caller.user(), std::slice::from_ref(user)).await?;
                }
            }
            Property::Custom(name, mut value) => {
                open.words().await?.mask_json(&mut value);
                let mut properties = member.properties;
                match value {
                    Value::Null => drop(properties.remove(&name)),
                    value => drop(properties.insert(name, value)),
                }
                if properties.len() > MAX_PROPERTIES {
                    return Err(Error::TooMuch(format!("a member has at most {MAX_PROPERTIES} properties")));
                }
                if !open.tx.set_properties(&room, user, &properties).await? {
                    return Err(Error::NoMember);
                }
            }
        }
        open.room_changed(&room).await?;
        let seen = seen(&mut open.tx, &room, caller.viewer().as_ref()).await?;
        open.done().await?;
        Ok(seen)
    }

    /// The caller has read up to a message, or all there is; never backwards (rest.md 3.11). The
    /// others learn of it unless a ban or block stands between. Errors:
    /// [`Error::NoRoom`], [`Error::NoMessage`], refusals.
    pub async fn mark_read(&self, caller: &Caller, id: &RoomId, message: Option<ObjectId>) -> Result<Reading> {
        let mut open = self.begin(caller).await?;
        let room = open.lock_room(id).await?;
        let standing = open.judge(Act::MarkRead, &room).await?;
        let user = caller.user();
        let mark = match message {
            None => {
                // All there is; deleted messages among it do not matter.
                let last = open.tx.last_seen(&room, eyes(&user, standing)).await?;
                ReadMark { count: room.last_count, message: last.map(|last| last.id) }
            }
            Some(message) => {
                let count = open.tx.read_up_to(&room, message).await?.ok_or(Error::NoMessage)?;
                ReadMark { count: count.min(room.last_count), message: Some(message) }
            }
        };
        // Never back, also where so far only his user group remembers how far.
        let before = open.tx.read_mark(id, &user).await?.unwrap_or(0);
        let mark = ReadMark { count: mark.count.max(before), ..mark };
        let shown = shows_reading(standing);
        open.tx.set_read(&room, &user, mark, shown, open.now_ms).await?;
        let now = open.tx.member(id, &user).await?.map_or(mark, |member| member.read);
        if shown {
            let payload = json!({ "message": now.message.map(|id| id.to_string()) });
            open.event(Topic::Read, Some((id, room.last_seq)), Some(&user), Some(payload)).await?;
        }
        let badge = (room.last_count - now.count).max(0);
        open.done().await?;
        Ok(Reading { user, last_read: now.message, badge })
    }
}
