//! An act under way: the transaction, who acts in it, and what it leaves behind.

use std::collections::BTreeSet;

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::moderation::{Act, Actor, Denied, Facts, decide};
use banter_domain::record::{Action, Entry, Topic};
use banter_domain::room::Standing;
use banter_store::sabotage::{Lock, removed};
use banter_store::{EngineKind, Entered, LockedRoom, NewEvent, Tx, View};
use serde_json::Value as Json;

use crate::kept::Shown;
use crate::{Caller, Chat, Error, Result, Who};

/// An act under way. Dropped without [`Open::done`], it changes nothing. Whoever found nothing left to do calls it too:
/// what he tells rests on others' acts, and waits until they are durable.
pub(crate) struct Open<'a> {
    pub(crate) chat: &'a Chat,
    pub(crate) caller: &'a Caller,
    pub(crate) tx: Tx,
    /// The user who acts with his own token, as he was when the act began.
    pub(crate) entered: Option<Entered>,
    /// The moment of the act, milliseconds.
    pub(crate) now_ms: i64,
    /// Who joined or made a room in this act.
    noted: BTreeSet<UserId>,
    /// What of the kept answers this act outdates.
    outdates: Vec<Shown>,
    /// Its events, until they are committed or gone.
    told: Told<'a>,
    /// Only in a build that takes locks away, to see their tests fail, and on SQLite, whose one writer is a lock that
    /// cannot be taken away: facts from before it.
    stale: Option<View>,
}

impl Chat {
    /// Begins an act. A user's token is looked at inside the transaction, so that a revocation is
    /// either before the whole act or after it.
    pub(crate) async fn begin<'a>(&'a self, caller: &'a Caller) -> Result<Open<'a>> {
        let mut open = self.begin_unentered(caller).await?;
        open.entered = match &caller.who {
            Who::User { token, .. } if !removed(Lock::TokenCheck) => {
                Some(caller.entered_as(open.tx.enter(&token.hex(), open.now_ms).await?)?)
            }
            Who::Platform { on_behalf_of: Some(id) } => {
                let user = open.tx.user(id).await?.ok_or(Denied::NotPermitted(Act::ListBlocks))?;
                Some(Entered { user, words: None })
            }
            Who::User { .. } | Who::Platform { on_behalf_of: None } => None,
        };
        Ok(open)
    }

    /// Begins an act without asking who comes in: whoever calls this asks for himself.
    pub(crate) async fn begin_unentered<'a>(&'a self, caller: &'a Caller) -> Result<Open<'a>> {
        let stale = if self.store.kind() == EngineKind::Sqlite && (removed(Lock::Room) || removed(Lock::Pair)) {
            let mut view = self.store.view(caller.app.number).await?;
            view.config().await?;
            Some(view)
        } else {
            None
        };
        let tx = self.store.change(caller.app.number).await?;
        let now_ms = self.now();
        Ok(Open {
            chat: self,
            caller,
            tx,
            entered: None,
            now_ms,
            noted: BTreeSet::new(),
            outdates: Vec::new(),
            told: Told::by(self, caller.app.number),
            stale,
        })
    }
}

impl Caller {
    /// Whose token was found, if it is the caller's: it may have ended since he came, and have been bound to somebody else.
    /// Errors: [`Error::TokenGone`].
    pub(crate) fn entered_as(&self, found: Option<Entered>) -> Result<Entered> {
        found.filter(|found| found.user.profile.id == self.user()).ok_or(Error::TokenGone)
    }
}

impl Open<'_> {
    pub(crate) fn new_id(&self) -> ObjectId {
        self.chat.ids.next(self.now_ms)
    }

    pub(crate) fn app(&self) -> i64 {
        self.caller.app.number
    }

    /// Locks a room. Errors: [`Error::NoRoom`].
    pub(crate) async fn lock_room(&mut self, id: &RoomId) -> Result<LockedRoom> {
        let room = self.tx.lock_room(id).await?.ok_or(Error::NoRoom)?;
        self.move_on();
        Ok(room)
    }

    /// After a lock was waited for: the act takes place now and not when it was asked for, or a reader
    /// of "what changed since" could miss it.
    pub(crate) fn move_on(&mut self) {
        self.now_ms = self.now_ms.max(self.chat.now());
    }

    /// Notes that somebody joined or made a room.
    pub(crate) fn note(&mut self, user: &UserId) {
        self.noted.insert(user.clone());
    }

    /// Judges an act of the caller in a locked room, and returns how he stands there.
    pub(crate) async fn judge(&mut self, act: Act, room: &LockedRoom) -> Result<Standing> {
        self.judge_as(act, room, &self.caller.user(), self.caller.actor(), false).await
    }

    /// As [`Open::judge`], for an act on a message; `author`: the caller wrote it.
    pub(crate) async fn judge_on(&mut self, act: Act, room: &LockedRoom, author: bool) -> Result<Standing> {
        self.judge_as(act, room, &self.caller.user(), self.caller.actor(), author).await
    }

    /// Judges an act of any user.
    pub(crate) async fn judge_as(
        &mut self,
        act: Act,
        room: &LockedRoom,
        user: &UserId,
        actor: Actor,
        author: bool,
    ) -> Result<Standing> {
        let standing =
            if actor == Actor::Platform { Standing::default() } else { self.tx.standing(&room.id, user).await? };
        self.judge_standing(act, room, (user, standing), actor, author).await
    }

    /// Judges an act of a user whose standing was read under the room's lock.
    pub(crate) async fn judge_standing(
        &mut self,
        act: Act,
        room: &LockedRoom,
        (user, standing): (&UserId, Standing),
        actor: Actor,
        author: bool,
    ) -> Result<Standing> {
        if let Some(view) = &mut self.stale
            && removed(if room.kind.is_direct() { Lock::Pair } else { Lock::Room })
            && let Some(room) = view.room(&room.id).await?
        {
            let standing = view.standing(&room.id, user).await?;
            decide(act, Facts { actor, room: &room, standing, author })?;
            return Ok(standing);
        }
        decide(act, Facts { actor, room, standing, author })?;
        Ok(standing)
    }

    /// An id for an event that is written with what it tells of; before those of all events written after this call.
    pub(crate) fn draw_event(&mut self) -> ObjectId {
        self.told.draw(self.now_ms)
    }

    /// Writes an event into the outbox.
    pub(crate) async fn event(
        &mut self,
        topic: Topic,
        room: Option<(&RoomId, i64)>,
        user: Option<&UserId>,
        payload: Option<Json>,
    ) -> Result<()> {
        let id = self.told.draw(self.now_ms);
        let event = NewEvent { id, topic, room: room.map(|(id, _)| id), seq: room.map(|(_, seq)| seq), user, payload };
        Ok(self.tx.insert_event(&event).await?)
    }

    /// Writes an audit entry; `held_ms`: of something lifted, how long it held.
    pub(crate) async fn audit(
        &mut self,
        action: Action,
        target: Option<&UserId>,
        room: Option<&RoomId>,
        detail: Option<Json>,
        held_ms: Option<i64>,
    ) -> Result<()> {
        let entry = Entry {
            id: self.new_id(),
            doer: self.caller.doer(),
            action: action.name().to_owned(),
            target: target.cloned(),
            room: room.cloned(),
            at_ms: self.now_ms,
            address: self.caller.address.map(|address| address.to_string()),
            detail,
        };
        Ok(self.tx.insert_audit(&entry, held_ms).await?)
    }

    /// The act outdates these parts of the kept answers.
    pub(crate) fn outdates(&mut self, what: impl IntoIterator<Item = Shown>) {
        self.outdates.extend(what);
    }

    /// Commits. What the act outdates is dropped before, and nothing older can be kept after.
    pub(crate) async fn done(mut self) -> Result<()> {
        // In one order, so that two acts that note the same people do not wait for each other.
        for user in std::mem::take(&mut self.noted) {
            self.tx.note_room(&user, self.now_ms).await?;
        }
        let _changing = (!self.outdates.is_empty()).then(|| self.chat.kept.changing(&self.outdates));
        Ok(self.tx.commit().await?)
    }
}

/// The events of one act. Dropped, it lets go of them: by then they are committed or gone.
pub(crate) struct Told<'a> {
    chat: &'a Chat,
    app: i64,
    first: Option<ObjectId>,
}

impl<'a> Told<'a> {
    pub(crate) fn by(chat: &'a Chat, app: i64) -> Self {
        Self { chat, app, first: None }
    }

    pub(crate) fn draw(&mut self, now_ms: i64) -> ObjectId {
        self.chat.outbox.draw(self.app, &self.chat.ids, now_ms, &mut self.first)
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let Some(first) = self.first else { return };
        self.chat.outbox.end(self.app, first);
        // Also after one that left nothing: others may have waited behind it.
        self.chat.each_ear(|ears| ears.news(self.app));
    }
}
