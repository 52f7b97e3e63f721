//! A user is shut out of a room.

use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::{Act, Actor, Denied};
use banter_domain::record::{Action, Topic};
use banter_domain::relation::Relation;
use banter_domain::user::Profile;
use banter_store::{LockedRoom, Saved};
use serde_json::json;

use super::Written;
use crate::kept::Shown;
use crate::open::Open;
use crate::{Caller, Chat, Error, Result};

impl Chat {
    /// Bans a user from a room; in a direct room it is a block. Errors: [`Error::NoRoom`],
    /// [`Error::NoUser`], [`Error::Oneself`], [`Error::AlreadyShutOut`], refusals.
    pub async fn ban(&self, caller: &Caller, room: &RoomId, blockee: &UserId) -> Result<Written> {
        let mut open = self.begin(caller).await?;
        let mut room = open.lock_room(room).await?;
        open.judge(Act::Ban, &room).await?;
        let written = if room.kind.is_direct() {
            let blocker = open.other_side(&room, blockee)?;
            open.block(&blocker, blockee).await?
        } else {
            open.ban(&mut room, blockee).await?
        };
        open.done().await?;
        Ok(written)
    }

    /// Lifts a ban; in a direct room a block. Errors: [`Error::NoRoom`], [`Error::NoRelation`], in a direct
    /// room [`Error::NoUser`] for whoever is not its other member, refusals.
    pub async fn unban(&self, caller: &Caller, room: &RoomId, blockee: &UserId) -> Result<Written> {
        let mut open = self.begin(caller).await?;
        let mut room = open.lock_room(room).await?;
        open.judge(Act::Unban, &room).await?;
        let written = if room.kind.is_direct() {
            // Oneself is not the other one either.
            let blocker = open.other_side(&room, blockee).map_err(|_| Error::NoUser)?;
            open.unblock(&blocker, blockee).await?
        } else {
            open.unban(&mut room, blockee).await?
        };
        open.done().await?;
        Ok(written)
    }
}

impl Open<'_> {
    /// Who blocks `blockee` in a direct room: the caller, or for an API key the other one.
    fn other_side(&self, room: &LockedRoom, blockee: &UserId) -> Result<UserId> {
        let blocker = room.kind.pair().and_then(|pair| pair.other(blockee)).ok_or(Error::NoUser)?;
        match self.caller.actor() {
            Actor::User if self.caller.user() == *blockee => Err(Error::Oneself),
            Actor::User | Actor::Platform | Actor::PlatformAs => Ok(blocker.clone()),
        }
    }

    async fn ban(&mut self, room: &mut LockedRoom, blockee: &UserId) -> Result<Written> {
        let blocker = self.caller.user();
        if *blockee == blocker {
            return Err(Error::Oneself);
        }
        let user = self.tx.user(blockee).await?.filter(|_| !blockee.is_platform()).ok_or(Error::NoUser)?;
        if room.owner.as_ref() == Some(blockee) && self.caller.actor() == Actor::User {
            return Err(Denied::TargetIsOwner.into());
        }
        let record = (self.new_id(), self.now_ms);
        let relation = match self.tx.save_ban(room, &blocker, blockee, record).await? {
            Saved::Done(relation) => relation,
            Saved::Already(_) => return Err(Error::AlreadyShutOut),
        };
        self.note_ban(Action::Ban, room, &relation, None).await?;
        Ok(Written { relation, blockee: user.profile })
    }

    async fn unban(&mut self, room: &mut LockedRoom, blockee: &UserId) -> Result<Written> {
        let held_since = self.tx.ban(&room.id, blockee).await?.map_or(0, |known| known.updated_ms);
        let relation = self.tx.lift_ban(room, blockee, self.now_ms).await?.ok_or(Error::NoRelation)?;
        self.note_ban(Action::Unban, room, &relation, Some(relation.updated_ms - held_since)).await?;
        let user = self.tx.user(blockee).await?;
        let blockee = user.map_or_else(|| Profile::deleted(blockee.clone()), |user| user.profile);
        Ok(Written { relation, blockee })
    }

    async fn note_ban(
        &mut self,
        action: Action,
        room: &mut LockedRoom,
        relation: &Relation,
        held_ms: Option<i64>,
    ) -> Result<()> {
        let seq = self.tx.take_place(room).await?;
        self.audit(action, Some(&relation.blockee), Some(&room.id), None, held_ms).await?;
        let payload = json!({
            "active": relation.lifted_ms.is_none(), "blockee": relation.blockee.as_str(),
            "blocker": relation.blocker.as_str(),
            "created_ms": relation.created_ms, "updated_ms": relation.updated_ms,
        });
        let by = self.caller.user();
        self.event(Topic::Ban, Some((&room.id, seq)), Some(&by), Some(payload)).await?;
        let app = self.app();
        self.outdates([Shown::Room(app, room.id.clone()), Shown::MadeBy(app, relation.blocker.clone())]);
        Ok(())
    }
}
