//! Sending.

use std::sync::Arc;

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::{Message, Sender};
use banter_domain::moderation::{Act, Actor};
use banter_domain::push::Notice;
use banter_domain::record::Action;
use banter_domain::room::Standing;
use banter_domain::user::{Profile, User};
use banter_domain::words::WordFilter;
use banter_store::sabotage::{Lock, removed};
use banter_store::{LockedRoom, NewMessage, NewSend};
use serde_json::{Map, Value};

use super::Words;
use super::together::Wish;
use crate::open::Open;
use crate::{Caller, Chat, Error, Result, Who};

/// Who speaks, and by what right.
pub(crate) struct Speaker {
    pub(crate) user: User,
    pub(crate) actor: Actor,
    /// Past the user's bans and blocks, which is written down (R-16).
    pub(crate) force: bool,
    /// In answer to the room's webhook, which is not told of it again.
    pub(crate) answers: bool,
}

/// A message that may be sent.
pub(crate) struct Judged {
    new: NewSend,
    /// As it will be, but for its place and time.
    message: Message,
}

impl Chat {
    /// Sends a message as the caller; an API key sends as `sender`, or as the platform's own
    /// client, and may `force` it past that user's bans and blocks (R-16). Once polled, what a user sends goes on to
    /// its end even if this is dropped; it needs a Tokio runtime. What an API key sends stops with this. Errors:
    /// [`Error::NoRoom`], [`Error::NoUser`] (no such sender), refusals.
    pub async fn send(
        self: &Arc<Self>,
        caller: &Caller,
        room: &RoomId,
        words: Words,
        sender: Option<UserId>,
        force: bool,
    ) -> Result<Message> {
        let wish = Wish { caller: caller.clone(), words };
        match &caller.who {
            // It goes on without whoever asked, on which the route relies.
            Who::User { id, token } if !removed(Lock::TokenCheck) => {
                self.send_together(room, (id.clone(), *token), wish).await
            }
            // An API key may send past bans and blocks, which takes more than can be shared.
            Who::User { .. } | Who::Platform { .. } => Box::pin(self.send_alone(room, wish, sender, force)).await,
        }
    }

    /// Sends one message in a transaction of its own.
    pub(crate) async fn send_alone(
        &self,
        room: &RoomId,
        Wish { caller, words }: Wish,
        sender: Option<UserId>,
        force: bool,
    ) -> Result<Message> {
        let mut open = self.begin(&caller).await?;
        let speaker = open.speaker(sender, force).await?;
        let sender = speaker.user.profile.id.clone();
        let (mut room, standing) = open.tx.lock_room_for(room, &sender).await?.ok_or(Error::NoRoom)?;
        open.move_on();
        let words = open.clean(words).await?;
        let written = open.write((&mut room, standing), &speaker, words, None).await;
        if let Err(Error::Denied(why)) = &written {
            self.message_refused(&caller, sender, Some(room.id.clone()), *why);
        }
        let message = written?;
        open.done().await?;
        Ok(message)
    }
}

impl Open<'_> {
    /// Who speaks: a user for himself; for an API key whom it names. Robots and the platform's own
    /// client are not users in the sense of bans and blocks.
    pub(crate) async fn speaker(&mut self, sender: Option<UserId>, force: bool) -> Result<Speaker> {
        let id = match &self.caller.who {
            Who::User { id, .. } => id.clone(),
            Who::Platform { .. } => sender.unwrap_or_else(UserId::platform),
        };
        let user = match &self.entered {
            Some(entered) if entered.user.profile.id == id => entered.user.clone(),
            Some(_) | None => self.tx.user(&id).await?.ok_or(Error::NoUser)?,
        };
        let platform = self.caller.is_platform();
        let actor = match (platform, id.is_platform() || user.is_robot || force) {
            (false, _) => Actor::User,
            (true, true) => Actor::Platform,
            (true, false) => Actor::PlatformAs,
        };
        Ok(Speaker { user, actor, force: platform && force, answers: false })
    }

    /// The app's sensitive words, as they are inside this transaction.
    pub(crate) async fn words(&mut self) -> Result<Arc<WordFilter>> {
        let asked = match (&self.caller.who, &self.entered) {
            (Who::User { .. }, Some(entered)) => Some(entered.words.clone()),
            (Who::User { .. } | Who::Platform { .. }, _) => None,
        };
        self.chat.words_of(self.caller.app.number, &mut self.tx, asked).await
    }

    /// Masks what is sensitive; the number of characters stays (rest.md 6).
    pub(crate) async fn clean(&mut self, mut words: Words) -> Result<Words> {
        let filter = self.words().await?;
        if !filter.is_empty() {
            filter.mask_json(&mut words.text);
            for shown in ["template", "contents"] {
                if let Some(value) = words.body.get_mut(shown) {
                    mask_template(&filter, value);
                }
            }
        }
        Ok(words)
    }

    /// Judges and writes one message in a locked room, where the speaker stands so.
    pub(crate) async fn write(
        &mut self,
        (room, standing): (&mut LockedRoom, Standing),
        speaker: &Speaker,
        words: Words,
        batch: Option<&str>,
    ) -> Result<Message> {
        let judged = self.judge_message((room, standing), speaker, words, batch).await?;
        let message = self.insert(&mut [(&mut *room, vec![judged])]).await?.pop();
        if speaker.force {
            let sender = &speaker.user.profile.id;
            self.audit(Action::Force, Some(sender), Some(&room.id), None, None).await?;
        }
        Ok(message.ok_or_else(|| banter_store::Error::Database("a message has no place".to_owned()))?)
    }

    /// Writes messages that were judged under their rooms' locks, with their events, and returns them in their order.
    pub(crate) async fn insert(&mut self, rooms: &mut [(&mut LockedRoom, Vec<Judged>)]) -> Result<Vec<Message>> {
        let mut messages = Vec::new();
        let mut all = Vec::with_capacity(rooms.len());
        for (room, judged) in rooms {
            let (new, made): (Vec<_>, Vec<_>) =
                std::mem::take(judged).into_iter().map(|Judged { new, message }| (new, message)).unzip();
            messages.extend(made);
            all.push((&mut **room, new));
        }
        let places = self.tx.insert_messages(&mut all).await?;
        for (message, (seq, at_ms)) in messages.iter_mut().zip(places) {
            (message.seq, message.message_ms, message.created_ms, message.updated_ms) = (seq, at_ms, at_ms, at_ms);
        }
        Ok(messages)
    }

    /// Judges one message in a locked room, where the speaker stands so, and makes it ready to be written.
    pub(crate) async fn judge_message(
        &mut self,
        (room, standing): (&mut LockedRoom, Standing),
        speaker: &Speaker,
        words: Words,
        batch: Option<&str>,
    ) -> Result<Judged> {
        let Profile { id: sender, .. } = &speaker.user.profile;
        self.judge_standing(Act::Send, room, (sender, standing), speaker.actor, false).await?;
        let reply = match words.reply {
            None => None,
            Some(id) => {
                let quoted = self.tx.message(room, id).await?.filter(|quoted| !quoted.hidden);
                quoted.map(|quoted| Message { reply: None, ..quoted })
            }
        };
        // With a message a room that a block made is there for both (R-09).
        self.show_to_both(room).await?;
        let mut body = words.body;
        if !words.mentions.is_empty() {
            body.insert("mentions".to_owned(), mentioned(&words.mentions));
        }
        let new = NewMessage {
            id: self.new_id(),
            sender: sender.clone(),
            kind: words.kind.unwrap_or_else(|| "text".to_owned()),
            text: words.text,
            body,
            reply: reply.as_ref().map(|quoted| quoted.id),
            mentions: words.mentions,
            batch: batch.map(str::to_owned),
            counts: true,
            forced: speaker.force,
            from_group: standing.member && standing.in_group_only,
            now_ms: self.now_ms,
        };
        self.carry(room, new.id, &words.files, sender).await?;
        let message = Message {
            id: new.id,
            seq: 0,
            room: room.id.clone(),
            sender: Sender {
                profile: speaker.user.profile.clone(),
                description: speaker.user.description.clone(),
                is_robot: speaker.user.is_robot,
            },
            kind: new.kind.clone(),
            text: new.text.clone(),
            body: new.body.clone(),
            reply: reply.map(Box::new),
            reactions: Vec::new(),
            pinned: false,
            message_ms: self.now_ms,
            created_ms: self.now_ms,
            updated_ms: self.now_ms,
            edited_ms: None,
            batch: new.batch.clone(),
            hidden: false,
        };
        let payload = told_with(words.notice, speaker.answers);
        Ok(Judged { new: NewSend { message: new, event: self.draw_event(), payload }, message })
    }
}

impl Open<'_> {
    /// With a message come its sender's own files: from now on who reads it may read them. An API key sends files of the
    /// platform's own as well.
    pub(super) async fn carry(
        &mut self,
        room: &LockedRoom,
        message: ObjectId,
        files: &[ObjectId],
        sender: &UserId,
    ) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let mut of = vec![sender.clone()];
        of.extend(self.caller.is_platform().then(UserId::platform));
        Ok(self.tx.tie_files(room, message, files, &of).await?)
    }
}

/// What readers of the outbox must know of a new message beyond itself.
fn told_with(notice: Notice, answers: bool) -> Option<Value> {
    let mut payload = Map::new();
    if notice != Notice::Loud {
        payload.insert("notice".to_owned(), notice.name().into());
    }
    if answers {
        payload.insert("answer".to_owned(), true.into());
    }
    (!payload.is_empty()).then_some(payload.into())
}

pub(crate) fn mentioned(users: &[UserId]) -> Value {
    users.iter().map(|user| Value::from(user.as_str())).collect()
}

/// Masks a template, an object or a JSON text of one, as clients decode it: an escape hides no word. A JSON text in
/// which nothing is masked stays as it was written.
fn mask_template(filter: &WordFilter, value: &mut Value) {
    let Value::String(text) = value else { return mask_shown(filter, value) };
    match serde_json::from_str::<Value>(text) {
        Ok(written) if written.is_object() || written.is_array() || written.is_string() => {
            let mut masked = written.clone();
            mask_shown(filter, &mut masked);
            if masked != written {
                *text = masked.to_string();
            }
        }
        Ok(_) | Err(_) => mask_shown(filter, value),
    }
}

/// Masks the words of a template; addresses stay what they are.
fn mask_shown(filter: &WordFilter, value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("http://") || text.starts_with("https://") => {}
        Value::String(text) => {
            let masked = filter.mask(text).into_owned();
            *text = masked;
        }
        Value::Array(all) => all.iter_mut().for_each(|one| mask_shown(filter, one)),
        Value::Object(all) => all.values_mut().for_each(|one| mask_shown(filter, one)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn masked(mut value: Value) -> Value {
        mask_template(&WordFilter::new(&["bad".to_owned(), "text".to_owned()]).unwrap(), &mut value);
        value
    }

    #[test]
    fn a_template_is_masked_as_it_is_decoded() {
        assert_eq!(masked(json!({"text": "bad", "url": "https://bad"})), json!({"text": "***", "url": "https://bad"}));
        let written = r#"{ "text": "bad \u0062ad", "url": "https:\/\/bad" }"#;
        assert_eq!(masked(json!(written)), json!(r#"{"text":"*** ***","url":"https://bad"}"#));
        for untouched in [r#"{ "text": "g\u006fod", "n": 1.0 }"#, "[1, 2]", "https://bad"] {
            assert_eq!(masked(json!(untouched)), json!(untouched), "not rewritten");
        }
        for (other, left) in [("a bad text", "a *** ****"), (r#""b\u0061d""#, r#""***""#)] {
            assert_eq!(masked(json!(other)), json!(left));
        }
    }
}
