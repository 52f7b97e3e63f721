//! Editing, recalling, pinning, reacting.

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::{Kind, Message, Reaction};
use banter_domain::moderation::{Act, Actor, may_hear_room, sees_hidden};
use banter_domain::record::{Action, Topic};
use banter_store::{LockedRoom, MessageChange};
use serde_json::{Map, Value};

use super::Words;
use super::send::mentioned;
use crate::open::Open;
use crate::{Caller, Chat, Error, Result};

/// In how many ways one user may react to one message.
const MAX_REACTIONS: usize = 50;

impl Chat {
    /// Changes the words of a message one wrote (rest.md 5.1). Fields that are not given stay. An API
    /// key may name the user in whose name it does so, who is then bound by his bans and blocks.
    /// Errors: [`Error::NoRoom`], [`Error::NoMessage`], refusals.
    pub async fn edit(
        &self,
        caller: &Caller,
        room: &RoomId,
        id: ObjectId,
        words: Words,
        (sender, force): (Option<UserId>, bool),
    ) -> Result<Message> {
        let mut open = self.begin(caller).await?;
        let (room, old) = open.message_as(room, id, Act::Edit, sender, force).await?;
        if old.kind == Kind::Recall.name() || Kind::is_system(&old.kind) {
            return Err(Error::NoMessage);
        }
        let Words { kind, text, body, mentions, files, .. } = open.clean(words).await?;
        let mut whole = old.body.clone();
        whole.extend(body);
        if !mentions.is_empty() {
            whole.insert("mentions".to_owned(), mentioned(&mentions));
        }
        open.tx.name_users(&room, &old, &mentions).await?;
        let change = MessageChange {
            sender: old.sender.profile.id,
            kind: kind.unwrap_or(old.kind),
            text: if text.is_null() { old.text } else { text },
            body: whole,
            updated_ms: open.now_ms.max(old.updated_ms),
            edited_ms: Some(open.now_ms.max(old.created_ms)),
        };
        open.tx.change_message(&room, id, &change).await?;
        open.carry(&room, id, &files, &change.sender).await?;
        open.changed(room, id).await
    }

    /// Takes a message back: its words and all it carried are gone, its place stays (rest.md 5.1).
    /// Errors: [`Error::NoRoom`], [`Error::NoMessage`], refusals.
    pub async fn recall(
        &self,
        caller: &Caller,
        room: &RoomId,
        id: ObjectId,
        (sender, force): (Option<UserId>, bool),
    ) -> Result<Message> {
        let mut open = self.begin(caller).await?;
        let (room, old) = open.message_as(room, id, Act::Recall, sender, force).await?;
        if Kind::is_system(&old.kind) {
            return Err(Error::NoMessage);
        }
        let change = MessageChange {
            sender: if caller.is_platform() { old.sender.profile.id.clone() } else { caller.user() },
            kind: Kind::Recall.name().to_owned(),
            text: Value::from(""),
            body: Map::new(),
            updated_ms: open.now_ms.max(old.updated_ms),
            edited_ms: None,
        };
        open.tx.change_message(&room, id, &change).await?;
        open.tx.forget_echoes(&room, &old).await?;
        open.changed(room, id).await
    }

    /// Pins a message in place of the one that was, or unpins it (rest.md 5.6). Errors:
    /// [`Error::NoMessage`], refusals.
    pub async fn pin(&self, caller: &Caller, id: ObjectId, on: bool) -> Result<Message> {
        let mut open = self.begin(caller).await?;
        let (mut room, _) = open.message(id, Act::Pin).await?;
        if on {
            open.tx.set_pinned(&mut room, Some(id)).await?;
        } else if room.pinned == Some(id) {
            open.tx.set_pinned(&mut room, None).await?;
        }
        open.touched(room, id).await
    }

    /// Reacts to a message, or takes the reaction back; twice is once (rest.md 5.7). Errors:
    /// [`Error::NoMessage`], refusals.
    pub async fn react(&self, caller: &Caller, id: ObjectId, reaction: &str, on: bool) -> Result<Message> {
        let mut open = self.begin(caller).await?;
        let (room, found) = open.message(id, Act::React).await?;
        let own = found.reactions.iter().filter(|one| one.user == caller.user()).count();
        if on && own >= MAX_REACTIONS {
            return Err(Error::TooMuch(format!("one reacts to a message in at most {MAX_REACTIONS} ways")));
        }
        let reaction = Reaction { user: caller.user(), reaction: reaction.to_owned() };
        let mark = open.new_id();
        if !open.tx.set_reaction(id, &reaction, mark, on).await? {
            let message = open.tx.message(&room, id).await?.ok_or(Error::NoMessage)?;
            open.done().await?;
            return Ok(message);
        }
        open.touched(room, id).await
    }
}

impl Open<'_> {
    /// As [`Open::message_in`], in the name of a user whom an API key names, if it names one.
    async fn message_as(
        &mut self,
        room: &RoomId,
        id: ObjectId,
        act: Act,
        sender: Option<UserId>,
        force: bool,
    ) -> Result<(LockedRoom, Message)> {
        if !self.caller.is_platform() || sender.is_none() {
            return self.message_in(room, id, act).await;
        }
        let speaker = self.speaker(sender, force).await?;
        let room = self.lock_room(room).await?;
        self.judge_as(act, &room, &speaker.user.profile.id, speaker.actor, true).await?;
        if speaker.force {
            self.audit(Action::Force, Some(&speaker.user.profile.id), Some(&room.id), None, None).await?;
        }
        let found = self.tx.message(&room, id).await?.ok_or(Error::NoMessage)?;
        Ok((room, found))
    }

    /// As [`Open::message_in`], by the message's id alone. Somebody who may not know of its room does not learn that
    /// there is such a message.
    pub(super) async fn message(&mut self, id: ObjectId, act: Act) -> Result<(LockedRoom, Message)> {
        let room = self.tx.room_of_message(id).await?.ok_or(Error::NoMessage)?;
        let found = self.message_in(&room, id, act).await;
        if let (Err(Error::Denied(_)), Actor::User) = (&found, self.caller.actor())
            && !may_hear_room(self.tx.standing(&room, &self.caller.user()).await?)
        {
            return Err(Error::NoMessage);
        }
        found
    }

    /// Locks a room, finds a message in it and judges an act on it. The room is judged before the
    /// message is looked for: an outsider learns nothing of what is in it.
    pub(super) async fn message_in(&mut self, room: &RoomId, id: ObjectId, act: Act) -> Result<(LockedRoom, Message)> {
        let room = self.lock_room(room).await?;
        let found = self.tx.message(&room, id).await?;
        let author = found.as_ref().is_some_and(|found| found.sender.profile.id == self.caller.user());
        let standing = self.judge_on(act, &room, author || found.is_none()).await?;
        // What is out of his sight is not there for him.
        let seen = found.filter(|found| !found.hidden || sees_hidden(self.caller.actor(), standing));
        Ok((room, seen.ok_or(Error::NoMessage)?))
    }

    async fn touched(mut self, room: LockedRoom, id: ObjectId) -> Result<Message> {
        self.tx.touch_message(&room, id, self.now_ms).await?;
        self.changed(room, id).await
    }

    pub(super) async fn changed(mut self, room: LockedRoom, id: ObjectId) -> Result<Message> {
        let message = self.tx.message(&room, id).await?.ok_or(Error::NoMessage)?;
        // An API key changes it for who wrote it.
        let by = if self.caller.is_platform() { message.sender.profile.id.clone() } else { self.caller.user() };
        self.event(Topic::MessageChanged, Some((&room.id, message.seq)), Some(&by), None).await?;
        self.done().await?;
        Ok(message)
    }
}
