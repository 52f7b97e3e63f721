//! Notifications: where users want them, who is to be told of what, and what he is told.
//!
//! Who might be told is looked up in pages, from the room to its devices. Whether he is told is
//! decided device by device, at the moment it would be sent and at every try: a ban or block that was
//! acknowledged meanwhile holds (L-16, N-08).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::moderation::{Awaited, may_notify};
use banter_domain::push::{Device, DeviceKind, DeviceToken, Note, Notice, Says, Service, note_of};
use banter_domain::record::Topic;
use banter_store::{Among, StoredEvent};
use serde_json::{Value, json};

use crate::badges::unread;
use crate::{Caller, Chat, Error, Result};

/// A user's devices; with one more, the one that registered longest ago goes.
pub const MAX_DEVICES: usize = 20;

/// So many devices are looked up at once.
const PAGE: usize = 200;
/// The devices of so many users at once.
const USERS: usize = 50;

/// Something that devices are to be told.
#[derive(Debug)]
pub enum Telling {
    /// Of a message.
    Message {
        /// In which room.
        room: RoomId,
        /// At which place.
        seq: i64,
        /// Who wrote it.
        sender: UserId,
        /// How it is told.
        notice: Notice,
        /// The event it was written with.
        event: ObjectId,
    },
    /// What the platform has to say.
    Platform {
        /// To whom.
        users: Vec<UserId>,
        /// What.
        note: Box<Note>,
    },
}

impl Telling {
    /// What devices are to be told of something that happened. `None`: nothing.
    #[must_use]
    pub fn of(happened: &StoredEvent) -> Option<Self> {
        match (happened.topic?, &happened.room, happened.seq, &happened.user) {
            (Topic::Message, Some(room), Some(seq), Some(sender)) => {
                let notice = happened
                    .payload
                    .get("notice")
                    .map_or(Notice::Loud, |notice| Notice::parse(notice.as_str().unwrap_or_default()));
                let (room, sender, event) = (room.clone(), sender.clone(), happened.id);
                (notice != Notice::Silent).then_some(Self::Message { room, seq, sender, notice, event })
            }
            (Topic::Push, ..) => {
                let users = happened.payload.get("users")?.as_array()?.iter();
                let users = users.filter_map(|user| UserId::parse(user.as_str()?).ok()).collect();
                Some(Self::Platform { users, note: Box::new(read(happened.payload.get("note")?)) })
            }
            _ => None,
        }
    }
}

/// The devices that might be told, page by page. Nobody comes twice.
pub struct Reach {
    service: Service,
    telling: Arc<Telling>,
    stage: Stage,
    after: Option<Device>,
    /// Who is there through user groups, and through which he came first: he may be in another.
    through: HashMap<UserId, UserId>,
}

enum Stage {
    /// Those who are in the room themselves.
    InRoom,
    /// Those who are there through these user groups.
    InGroups(VecDeque<UserId>),
    /// Those who were named, from this place on.
    Named(usize),
    Over,
}

impl Reach {
    /// From the first page on.
    #[must_use]
    pub fn of(telling: Arc<Telling>, service: Service) -> Self {
        let stage = match *telling {
            Telling::Message { .. } => Stage::InRoom,
            Telling::Platform { .. } => Stage::Named(0),
        };
        Self { service, telling, stage, after: None, through: HashMap::new() }
    }

    /// The next devices. `None`: there are no more. After an error it can be asked again and goes on there.
    pub async fn next(&mut self, chat: &Chat, app: i64) -> Result<Option<Vec<Device>>> {
        let telling = Arc::clone(&self.telling);
        let mut view = chat.store.view(app).await?;
        match (&*telling, &mut self.stage) {
            (_, Stage::Over) => Ok(None),
            (Telling::Message { room, .. }, Stage::InRoom) => {
                let page = view.devices_among(Among::Room(room), self.service, self.after.as_ref(), PAGE).await?;
                if page.len() < PAGE {
                    self.stage = Stage::InGroups(view.groups_in(room).await?.into());
                }
                self.go_on_after(&page);
                Ok(Some(page))
            }
            (Telling::Message { room, .. }, Stage::InGroups(groups)) => {
                let Some(group) = groups.front().cloned() else {
                    self.stage = Stage::Over;
                    return Ok(None);
                };
                let mut page =
                    view.devices_among(Among::Group(&group, room), self.service, self.after.as_ref(), PAGE).await?;
                if page.len() < PAGE {
                    groups.pop_front();
                }
                self.go_on_after(&page);
                page.retain(|device| {
                    *self.through.entry(device.user.clone()).or_insert_with(|| group.clone()) == group
                });
                Ok(Some(page))
            }
            (Telling::Platform { users, .. }, Stage::Named(from)) => {
                let some = users.get(*from..).unwrap_or_default();
                let some = some.get(..USERS).unwrap_or(some);
                if some.is_empty() {
                    return Ok(None);
                }
                let page = view.devices_of(some, self.service).await?;
                // Not before: after a fault it is asked again.
                *from += some.len();
                Ok(Some(page))
            }
            (Telling::Message { .. }, Stage::Named(_)) | (Telling::Platform { .. }, _) => Ok(None),
        }
    }

    /// After a page that is full the next one goes on behind it; any other one was the last.
    fn go_on_after(&mut self, page: &[Device]) {
        self.after = page.last().filter(|_| page.len() >= PAGE).cloned();
    }
}

impl Chat {
    /// Registers a device of the caller's. Its token is his from now on, whoever had it. Errors:
    /// [`Error::NoUser`].
    pub async fn register_device(
        &self,
        caller: &Caller,
        kind: DeviceKind,
        token: DeviceToken,
        name: String,
    ) -> Result<()> {
        let mut open = self.begin(caller).await?;
        let user = caller.user();
        open.tx.lock_user(&user).await?.ok_or(Error::NoUser)?;
        open.tx.put_device(&Device { user: user.clone(), name, kind, token, since_ms: open.now_ms }).await?;
        open.tx.bound_devices(&user, MAX_DEVICES).await?;
        open.done().await
    }

    /// Takes a device of the caller's off. False: it is not registered. Errors: [`Error::NoUser`].
    pub async fn forget_device(&self, caller: &Caller, kind: DeviceKind, name: &str) -> Result<bool> {
        let mut open = self.begin(caller).await?;
        let user = caller.user();
        open.tx.lock_user(&user).await?.ok_or(Error::NoUser)?;
        let gone = open.tx.delete_device(&user, name, kind).await?;
        open.done().await?;
        Ok(gone)
    }

    /// Says something to the devices of some users, whatever stands between users: it is the platform's
    /// word. Who is unknown, or has no device, is passed by. It is on its way when this returns, and
    /// survives a restart.
    pub async fn push_to(&self, caller: &Caller, users: &[UserId], note: &Note) -> Result<()> {
        let mut open = self.begin(caller).await?;
        let users: Vec<&str> = users.iter().map(UserId::as_str).collect();
        open.event(Topic::Push, None, None, Some(json!({ "users": users, "note": written(note) }))).await?;
        open.done().await
    }

    /// What a device is told, as things stand now. `None`: nothing. `listens`: its owner is listening on
    /// a socket.
    pub async fn note_for(&self, app: i64, telling: &Telling, device: &Device, listens: bool) -> Result<Option<Note>> {
        let mut view = self.store.view(app).await?;
        let (room, seq, sender, notice, event) = match telling {
            Telling::Platform { note, .. } => {
                let wishes = view.wishes(device, None).await?;
                return Ok(wishes.filter(|wishes| wishes.any).map(|_| Note::clone(note)));
            }
            Telling::Message { room, seq, sender, notice, event } => (room, *seq, sender, *notice, *event),
        };
        let user = &device.user;
        let Some(wishes) = view.wishes(device, Some(room)).await? else { return Ok(None) };
        let Some((room, standing)) = view.room_and_standing(room, user).await? else { return Ok(None) };
        let awaited = Awaited {
            standing,
            sender: view.standing(&room.id, sender).await?,
            wrote_it: sender == user,
            listens,
            muted: wishes.muted,
            wants_any: wishes.any,
        };
        if !may_notify(awaited) {
            return Ok(None);
        }
        // A later one is of another room that has the id by now; what is out of sight is told to nobody.
        let message = view.message_at(&room, seq).await?.filter(|message| message.id <= event);
        let Some(message) = message else { return Ok(None) };
        let badge = match notice {
            Notice::Loud => Some(unread(&mut view, user, &[]).await?),
            Notice::WithoutBadge | Notice::Silent => None,
        };
        Ok(note_of(&room, &message, badge))
    }

    /// A device's service no longer knows it: it is taken off, unless it registered again meanwhile.
    pub async fn drop_dead(&self, app: i64, device: &Device) -> Result<()> {
        let mut tx = self.store.change(app).await?;
        tx.delete_dead(device).await?;
        Ok(tx.commit().await?)
    }

    /// How far a service's part of the outbox is done. `None`: nothing was ever sent through it.
    pub async fn pushed_up_to(&self, app: i64, service: Service) -> Result<Option<ObjectId>> {
        Ok(self.store.view(app).await?.cursor(&reader(service)).await?)
    }

    /// Writes down how far a service's part of the outbox is done.
    pub async fn note_pushed(&self, app: i64, service: Service, next: ObjectId) -> Result<()> {
        let mut tx = self.store.change(app).await?;
        tx.set_cursor(&reader(service), next).await?;
        Ok(tx.commit().await?)
    }
}

fn reader(service: Service) -> String {
    format!("push-{}", service.name())
}

/// What the platform says, as it stands in an event.
fn written(note: &Note) -> Value {
    let (text, key, args) = match &note.says {
        None => (None, None, None),
        Some(Says::Text(text)) => (Some(text), None, None),
        Some(Says::Key { key, args }) => (None, Some(key), Some(args)),
    };
    json!({
        "title": note.title, "text": text, "key": key, "args": args, "plain": note.plain, "badge": note.badge, "sound": note.sound,
        "icon": note.icon, "topic": note.topic, "collapse": note.collapse, "kind": note.kind, "expires_s": note.expires_s,
    })
}

/// What [`written`] wrote.
fn read(written: &Value) -> Note {
    let text = |name: &str| written.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| written.get(name).and_then(Value::as_i64);
    let args = || {
        let args = written.get("args").and_then(Value::as_array).into_iter().flatten();
        args.filter_map(|arg| arg.as_str().map(str::to_owned)).collect()
    };
    Note {
        title: text("title"),
        says: text("text").map(Says::Text).or_else(|| text("key").map(|key| Says::Key { key, args: args() })),
        plain: text("plain"),
        badge: number("badge"),
        sound: text("sound"),
        icon: text("icon"),
        topic: text("topic"),
        collapse: text("collapse"),
        kind: text("kind"),
        expires_s: number("expires_s"),
        about: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_platform_says_is_read_as_it_was_written() {
        let text = |text: &str| Some(text.to_owned());
        let whole = Note {
            title: text("t"),
            says: Some(Says::Key { key: "k".to_owned(), args: vec!["a".to_owned(), "b".to_owned()] }),
            plain: text("p"),
            badge: Some(3),
            sound: text("s"),
            icon: text("i"),
            topic: text("io.app"),
            collapse: text("c"),
            kind: text("marketing"),
            expires_s: Some(1_800_000_000),
            about: None,
        };
        let plain = Note { says: Some(Says::Text("hi".to_owned())), ..Note::default() };
        for note in [whole, plain, Note::default()] {
            assert_eq!(read(&written(&note)), note);
        }
    }
}
