//! What a room's robot answers: said in the room like anything else.

use std::sync::Arc;

use banter_domain::id::UserId;
use banter_domain::moderation::{Act, Actor, may_answer};
use banter_domain::room::RoomKind;
use banter_domain::webhook::Target;
use banter_store::{Delivery, LockedRoom};

use super::stands;
use crate::messages::{Speaker, Words};
use crate::open::Open;
use crate::{App, Caller, Chat, Error, Result, Who};

/// What a webhook answered.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// In whose name; `None`: the platform's own client.
    pub sender: Option<UserId>,
    /// The robot's new state.
    pub state: Option<String>,
    /// What it says in the room.
    pub words: Option<Words>,
}

impl Chat {
    /// A delivery has arrived. What was answered is done with it, in one transaction, so that it is done
    /// once however often the delivery is made; and only where the room lets its robot answer. Answers with
    /// why the words were not said; they are then left unsaid, and the delivery has arrived all the same.
    pub async fn delivered(&self, app: &Arc<App>, delivery: &Delivery, reply: Reply) -> Result<Option<Error>> {
        let caller = Caller { app: app.clone(), who: Who::Platform { on_behalf_of: None }, address: None };
        let mut open = self.begin(&caller).await?;
        // The room before the delivery, as everybody locks it.
        let room = match &delivery.target {
            Target::Room(room) if reply.state.is_some() || reply.words.is_some() => open.tx.lock_room(room).await?,
            Target::Room(_) | Target::App => None,
        };
        open.move_on();
        if !open.tx.end_delivery(delivery.id, &delivery.target).await? {
            return Ok(None);
        }
        let refused = match room {
            Some(mut room) if room.bot_mode && stands(&mut open.tx, &room).await? => {
                open.take_reply(&mut room, reply).await?
            }
            Some(_) | None => None,
        };
        open.done().await?;
        Ok(refused)
    }
}

impl Open<'_> {
    async fn take_reply(&mut self, room: &mut LockedRoom, reply: Reply) -> Result<Option<Error>> {
        let sender = reply.sender.clone().unwrap_or_else(UserId::platform);
        match self.answer(room, reply).await {
            Ok(()) => Ok(None),
            // A fault is no refusal: the delivery is made again.
            Err(error @ Error::Store(_)) => Err(error),
            Err(error) => {
                if let Error::Denied(why) = error {
                    self.chat.message_refused(self.caller, sender, Some(room.id.clone()), why);
                }
                Ok(Some(error))
            }
        }
    }

    /// Nothing is written before it is judged, so that a refusal leaves the rest of the act as it is.
    async fn answer(&mut self, room: &mut LockedRoom, reply: Reply) -> Result<()> {
        let mut speaker = Speaker { answers: true, ..self.speaker(reply.sender, false).await? };
        let standing = self.tx.standing(&room.id, &speaker.user.profile.id).await?;
        let named = (speaker.actor != Actor::Platform).then_some(&speaker.user.profile.id);
        if room.webhook_by.is_some() && named.is_some() {
            // Only the platform speaks for users by more right than their own.
            speaker.actor = Actor::User;
        }
        self.judge_standing(Act::Send, room, (&speaker.user.profile.id, standing), speaker.actor, false).await?;
        let apart = match &room.kind {
            RoomKind::Direct(pair) => self.tx.standing(&room.id, pair.both()[0]).await?.blocked,
            RoomKind::Group | RoomKind::Custom => false,
        };
        may_answer(room, apart, named)?;
        if let Some(words) = reply.words {
            let mut words = self.clean(words).await?;
            if room.webhook_by.is_some() {
                // Whoever names a file by his webhook does not get to read it.
                words.files.clear();
            }
            self.write((room, standing), &speaker, words, None).await?;
        }
        if let Some(state) = reply.state {
            let state = self.words().await?.mask(&state).into_owned();
            if state != room.bot_state {
                self.tx.set_bot_state(room, &state).await?;
                self.room_changed(room).await?;
            }
        }
        Ok(())
    }
}
