//! One user shuts out another.

use banter_domain::id::{Pair, UserId};
use banter_domain::moderation::{Act, Denied};
use banter_domain::record::{Action, Topic};
use banter_domain::relation::Relation;
use banter_domain::room::{Room, RoomKind};
use banter_domain::user::Profile;
use banter_store::{LockedPair, LockedRoom, Place, Saved};
use serde_json::json;

use super::Written;
use crate::kept::Shown;
use crate::open::Open;
use crate::rooms::new_room_row;
use crate::{Caller, Chat, Error, Result};

impl Chat {
    /// The caller blocks a user. Errors: [`Error::Oneself`], [`Error::NoUser`],
    /// [`Error::AlreadyShutOut`].
    pub async fn block(&self, caller: &Caller, blockee: &UserId) -> Result<Written> {
        let mut open = self.begin(caller).await?;
        let written = open.block(&caller.user(), blockee).await?;
        open.done().await?;
        Ok(written)
    }

    /// The caller lifts his block of a user. Errors: [`Error::BadUser`] for himself,
    /// [`Error::NoRelation`].
    pub async fn unblock(&self, caller: &Caller, blockee: &UserId) -> Result<Written> {
        let mut open = self.begin(caller).await?;
        let written = open.unblock(&caller.user(), blockee).await?;
        open.done().await?;
        Ok(written)
    }
}

impl Open<'_> {
    pub(super) async fn block(&mut self, blocker: &UserId, blockee: &UserId) -> Result<Written> {
        let pair = Pair::of(blocker, blockee).ok_or(Error::Oneself)?;
        // The platform's own client is not a user in this sense.
        let user = self.tx.user(blockee).await?.filter(|_| !blockee.is_platform()).ok_or(Error::NoUser)?;
        if self.tx.user(blocker).await?.is_none() {
            return Err(Denied::NotPermitted(Act::Block).into());
        }
        let mut pair = self.tx.lock_pairs_of_block(&pair).await?;
        let (room, made_ms) = self.room_for_block(&mut pair, blocker, blockee).await?;
        let record = (self.new_id(), self.now_ms);
        let relation = match self.tx.save_block(&pair, &room, blocker, made_ms, record).await? {
            Some(Saved::Done(relation)) => relation,
            Some(Saved::Already(_)) => return Err(Error::AlreadyShutOut),
            None => return Err(Error::Oneself),
        };
        self.note_block(Action::Block, &relation, None).await?;
        Ok(Written { relation, blockee: user.profile })
    }

    pub(super) async fn unblock(&mut self, blocker: &UserId, blockee: &UserId) -> Result<Written> {
        let pair = Pair::of(blocker, blockee).ok_or(Error::BadUser)?;
        let pair = self.tx.lock_pair(&pair).await?;
        let held_since = self.tx.block(blocker, blockee).await?.map_or(0, |known| known.updated_ms);
        let relation = self.tx.lift_block(&pair, blocker, self.now_ms).await?.ok_or(Error::NoRelation)?;
        self.note_block(Action::Unblock, &relation, Some(relation.updated_ms - held_since)).await?;
        let user = self.tx.user(blockee).await?;
        let blockee = user.map_or_else(|| Profile::deleted(blockee.clone()), |user| user.profile);
        Ok(Written { relation, blockee })
    }

    /// The room a block is shown in, and when it was made as the blocker may know. If the pair has
    /// none, one is made that the blocked side does not see.
    async fn room_for_block(
        &mut self,
        pair: &mut LockedPair,
        blocker: &UserId,
        blockee: &UserId,
    ) -> Result<(LockedRoom, i64)> {
        if let Some(room) = self.room_of_pair(pair).await? {
            // Made by the other side's block: for this side it is made now.
            self.show(&room, blocker).await?;
            let made_ms = self.tx.outlook(&room, blocker).await?.created_ms;
            return Ok((room, made_ms));
        }
        let room = self.make_pair_room(pair, true).await?;
        self.tx.insert_member(&room, blocker, Place::default(), self.now_ms).await?;
        self.tx.insert_member(&room, blockee, Place { hidden: true, ..Place::default() }, self.now_ms).await?;
        self.tx.move_block(pair.pair(), blocker, &room, room.created_ms).await?;
        let made_ms = room.created_ms;
        Ok((room, made_ms))
    }

    /// The pair's room, locked, if it has one.
    pub(crate) async fn room_of_pair(&mut self, pair: &mut LockedPair) -> Result<Option<LockedRoom>> {
        match pair.room.clone() {
            None => Ok(None),
            Some(id) => Ok(self.tx.lock_room(&id).await?),
        }
    }

    /// Makes the room of a pair that has none: under the id clients compute, or, if other people's
    /// room has that id, under a fresh one.
    pub(crate) async fn make_pair_room(&mut self, pair: &mut LockedPair, secret: bool) -> Result<LockedRoom> {
        let computed = pair.pair().computed_room();
        let kind = RoomKind::Direct(pair.pair().clone());
        let mut row = Room { secret, ..new_room_row(computed.clone(), kind, self.now_ms) };
        let taken = self.tx.room(&computed).await?;
        let by_others = taken.is_some_and(|taken| taken.secret && taken.kind.pair() != Some(pair.pair()));
        if by_others && !secret {
            // What another pair's block made there makes way, as for any room that claims its id.
            self.claim(&computed).await?;
        }
        let made = match self.tx.insert_room(&row).await? {
            Some(made) => made,
            None => match self.tx.lock_room(&computed).await? {
                Some(taken) if taken.kind.pair() == Some(pair.pair()) => taken,
                Some(_) | None => {
                    row.id = self.chat.timeless_room_id();
                    self.tx.insert_room(&row).await?.ok_or(Error::RoomExists)?
                }
            },
        };
        self.tx.set_pair_room(pair, Some(&made.id)).await?;
        if !secret {
            self.room_changed(&made).await?;
        }
        Ok(made)
    }

    /// Lets one of the two see a room that was hidden from him, as if it were made now; his own block
    /// is shown there from then on.
    pub(crate) async fn show(&mut self, room: &LockedRoom, user: &UserId) -> Result<()> {
        if room.is_concealed() && self.tx.reveal(room, user, self.now_ms).await? {
            self.show_block_in(room, user, self.now_ms).await?;
            self.seated(room, user).await?;
        }
        Ok(())
    }

    /// Lets both see a room.
    pub(crate) async fn show_to_both(&mut self, room: &mut LockedRoom) -> Result<()> {
        if room.secret {
            self.tx.end_secret(room).await?;
        }
        let pair = room.kind.pair().filter(|_| room.is_concealed()).cloned();
        for user in pair.iter().flat_map(Pair::both) {
            self.show(room, user).await?;
        }
        Ok(())
    }

    /// The block that a user holds in a pair is shown in the pair's room, which he sees.
    pub(crate) async fn show_block_in(&mut self, room: &LockedRoom, user: &UserId, made_ms: i64) -> Result<()> {
        if let Some(pair) = room.kind.pair().cloned() {
            self.tx.move_block(&pair, user, room, made_ms).await?;
            let app = self.app();
            self.outdates([Shown::MadeBy(app, user.clone())]);
        }
        Ok(())
    }

    async fn note_block(&mut self, action: Action, relation: &Relation, held_ms: Option<i64>) -> Result<()> {
        let Relation { blocker, blockee, room, .. } = relation;
        let detail = (self.caller.user() != *blocker).then(|| json!({ "for": blocker.as_str() }));
        self.audit(action, Some(blockee), Some(room), detail, held_ms).await?;
        let payload = json!({
            "active": relation.lifted_ms.is_none(), "blockee": blockee.as_str(), "room": room.as_str(),
            "created_ms": relation.created_ms, "updated_ms": relation.updated_ms,
        });
        // For the blocker's own devices and nobody else: no room stands in the event.
        self.event(Topic::Block, None, Some(blocker), Some(payload)).await?;
        let app = self.app();
        self.outdates([Shown::MadeBy(app, blocker.clone())]);
        Ok(())
    }
}
