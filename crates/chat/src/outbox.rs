//! What was written for the world to hear, in the order in which it happened.
//!
//! An act writes its events into the outbox with its change. Their ids grow, and each is drawn under
//! the lock that decides the act, so the ids of a room's events are in the room's order. Whoever
//! reads the outbox reads up to the first event of an act that is still under way: what comes later
//! may be there already, but something before it is yet to come.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError, Weak};

use banter_domain::id::{ObjectId, ObjectIds, RoomId, UserId};
use banter_domain::message::Message;
use banter_domain::moderation::{hears, shows_reading};
use banter_domain::room::{Outlook, Room, RoomSeen};
use banter_store::StoredEvent;

use crate::access::TokenHash;
use crate::rooms::{eyes, seen};
use crate::{Chat, Result};

/// Whoever wants to know at once that something happened.
pub trait Ears: Send + Sync {
    /// Something new is in the outbox of an app.
    fn news(&self, app: i64);

    /// These tokens ended. Called before the revocation is acknowledged: when it returns, nobody hears
    /// anything by them any more.
    fn revoked(&self, app: i64, tokens: &[TokenHash]);
}

/// A room as each of some users sees it.
#[derive(Debug, Clone)]
pub struct RoomForEach {
    /// What all see alike. Its newest message is not among that.
    pub seen: RoomSeen,
    /// Those of the users who hear the room, and how they see it.
    pub each: Vec<RoomOfOne>,
}

/// How one user sees a room.
#[derive(Debug, Clone)]
pub struct RoomOfOne {
    /// Who.
    pub user: UserId,
    /// How he stands there, and what is his own.
    pub outlook: Outlook,
    /// The newest message that he sees.
    pub last_message: Option<Message>,
}

#[derive(Default)]
struct Drawn {
    /// The first event of each act that is under way.
    under_way: BTreeSet<ObjectId>,
    newest: Option<ObjectId>,
}

/// The events of this process that are not all committed yet, by app.
#[derive(Default)]
pub(crate) struct Outbox(Mutex<HashMap<i64, Drawn>>);

impl Outbox {
    /// An id for an act's next event; `first`: where the act's first one is remembered.
    pub(crate) fn draw(&self, app: i64, ids: &ObjectIds, now_ms: i64, first: &mut Option<ObjectId>) -> ObjectId {
        let mut apps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = apps.entry(app).or_default();
        let id = ids.next(now_ms);
        drawn.newest = Some(id);
        if first.is_none() {
            *first = Some(id);
            drawn.under_way.insert(id);
        }
        id
    }

    /// The act with this first event has committed, or left nothing.
    pub(crate) fn end(&self, app: i64, first: ObjectId) {
        if let Some(drawn) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&app) {
            drawn.under_way.remove(&first);
        }
    }

    /// Everything before this id has committed, or never will.
    fn until(&self, app: i64, ids: &ObjectIds, now_ms: i64) -> ObjectId {
        let mut apps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = apps.entry(app).or_default();
        match (drawn.under_way.first(), drawn.newest) {
            (Some(first), _) => *first,
            (None, Some(newest)) => newest.successor(),
            (None, None) => {
                let id = ids.next(now_ms);
                drawn.newest = Some(id);
                id.successor()
            }
        }
    }
}

impl Chat {
    /// Names somebody who is told at once of news and revocations, as long as he is there.
    pub fn heard_by(&self, ears: Weak<dyn Ears>) {
        let mut all = self.ears.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|ears| ears.strong_count() > 0);
        all.push(ears);
    }

    pub(crate) fn each_ear(&self, tell: impl Fn(&dyn Ears)) {
        let all = self.ears.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(Weak::upgrade).for_each(|ears| tell(&*ears));
    }

    /// Goes on where the last process ended: to be called once, before anything else happens. Within one
    /// second the ids of two processes come in any order; after this, whatever happens comes later in the
    /// outbox than all that is there, so that no reader who goes on at his place misses it.
    pub async fn resume(&self) -> Result<()> {
        for app in self.apps().await? {
            if let Some(newest) = self.store.view(app.number).await?.outbox_newest().await? {
                self.ids.go_on_after(newest);
            }
        }
        Ok(())
    }

    /// Where the outbox of an app ends for now: what happens from here on has this id or a later one.
    #[must_use]
    pub fn outbox_end(&self, app: i64) -> ObjectId {
        self.outbox.until(app, &self.ids, self.now())
    }

    /// What happened from an event on, in order, at most `limit`; and where to go on.
    pub async fn happenings(&self, app: i64, from: ObjectId, limit: usize) -> Result<(Vec<StoredEvent>, ObjectId)> {
        let until = self.outbox_end(app);
        if until <= from {
            return Ok((Vec::new(), from));
        }
        let events = self.store.view(app).await?.events(from, until, limit).await?;
        let next = match events.last() {
            Some(last) if events.len() >= limit => last.id.successor(),
            _ => until,
        };
        Ok((events, next))
    }

    /// When a user's token ends, milliseconds, and the rooms he hears. `None`: it is no longer good.
    pub async fn rooms_heard(&self, app: i64, user: &UserId, token: &TokenHash) -> Result<Option<(i64, Vec<RoomId>)>> {
        let mut view = self.store.view(app).await?;
        let now_ms = self.now();
        match view.token(&token.hex()).await? {
            Some(row) if row.user == *user && row.expires_ms > now_ms => {
                Ok(Some((row.expires_ms, view.rooms_heard(user).await?)))
            }
            _ => Ok(None),
        }
    }

    /// The message at a place of a room, and the room. `None`: it is gone.
    pub async fn message_at(&self, app: i64, room: &RoomId, seq: i64) -> Result<Option<(Room, Message)>> {
        let mut view = self.store.view(app).await?;
        let Some(room) = view.room(room).await? else { return Ok(None) };
        Ok(view.message_at(&room, seq).await?.map(|message| (room, message)))
    }

    /// Is this user shut out in a direct room by a block, so that nothing he does there shows?
    pub async fn is_kept_apart(&self, app: i64, room: &Room, user: &UserId) -> Result<bool> {
        Ok(room.kind.is_direct() && self.store.view(app).await?.standing(&room.id, user).await?.blocked)
    }

    /// Calls `tell` unless a user's block of another stands, and before any that comes is acknowledged.
    pub async fn unless_blocked(
        &self,
        app: i64,
        (blocker, blockee): (&UserId, &UserId),
        tell: impl FnOnce() + Send,
    ) -> Result<()> {
        // Nothing is written: the pair is held until it is told.
        let mut tx = self.store.change(app).await?;
        tx.lock_pairs(blocker, std::slice::from_ref(blockee)).await?;
        if tx.block(blocker, blockee).await?.is_none_or(|block| block.lifted_ms.is_some()) {
            tell();
        }
        Ok(())
    }

    /// Does what a user reads in a room still show to the others?
    pub async fn still_shows_reading(&self, app: i64, room: &RoomId, user: &UserId) -> Result<bool> {
        Ok(shows_reading(self.store.view(app).await?.standing(room, user).await?))
    }

    /// A room as each of some users sees it; who they are is chosen when it is known who is in it.
    /// `None`: it is gone.
    pub async fn room_for_each(
        &self,
        app: i64,
        room: &RoomId,
        choose: impl FnOnce(&RoomSeen) -> Vec<UserId>,
    ) -> Result<Option<RoomForEach>> {
        let mut view = self.store.view(app).await?;
        let Some(room) = view.room(room).await? else { return Ok(None) };
        let seen = seen(&mut view, &room, None).await?;
        let mut each = Vec::new();
        for user in choose(&seen) {
            let outlook = view.outlook(&room, &user).await?;
            if hears(outlook.standing) {
                let last_message = view.last_seen(&room, eyes(&user, outlook.standing)).await?;
                each.push(RoomOfOne { user, outlook, last_message });
            }
        }
        Ok(Some(RoomForEach { seen, each }))
    }

    /// Which of these users hear a room.
    pub async fn hearers(&self, app: i64, room: &RoomId, users: Vec<UserId>) -> Result<Vec<(UserId, bool)>> {
        let hear = self.store.view(app).await?.hearers_among(room, &users).await?;
        Ok(users.into_iter().map(|user| (user.clone(), hear.contains(&user))).collect())
    }

    /// The owner and managers of a room among some users.
    pub async fn superusers_among(&self, app: i64, room: &Room, users: &[UserId]) -> Result<Vec<UserId>> {
        let mut above = self.store.view(app).await?.managers_among(&room.id, users).await?;
        above.extend(
            room.owner
                .iter()
                .filter(|owner| users.contains(owner) && !above.contains(owner))
                .cloned()
                .collect::<Vec<_>>(),
        );
        Ok(above)
    }

    /// Who of some users deleted the message at this place of a room for himself.
    pub async fn who_put_away(&self, app: i64, room: &Room, seq: i64, users: &[UserId]) -> Result<HashSet<UserId>> {
        Ok(self.store.view(app).await?.who_put_away(&room.id, seq, users).await?)
    }

    /// Who is meant by a user: those in it, if it is a user group; else himself.
    pub async fn people_of(&self, app: i64, user: &UserId) -> Result<Vec<UserId>> {
        let in_it = self.store.view(app).await?.group_members(std::slice::from_ref(user)).await?;
        Ok(in_it.into_values().next().unwrap_or_else(|| vec![user.clone()]))
    }
}
