//! From what happened to what is told: which event concerns whose webhook, and what it shows.

use std::collections::HashMap;
use std::sync::Arc;

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::{Kind, Message, Sender};
use banter_domain::moderation::Denied;
use banter_domain::record::Topic;
use banter_domain::room::Room;
use banter_domain::user::{Profile, User};
use banter_domain::webhook::{HookEvent, Target};
use banter_store::{HookRow, NewDelivery, StoredEvent, View};
use serde_json::Value;

use super::refusals;
use super::{READER, listening, told};
use crate::{App, Chat, Result};

/// Something to be told.
#[derive(Debug, Clone)]
pub struct HookTelling {
    /// The id of its event.
    pub id: ObjectId,
    /// Whom.
    pub target: Target,
    /// What it is.
    pub event: HookEvent,
    /// What it shows.
    pub facts: Facts,
}

/// What is told of an event: as things stand when it is read, after its commit.
#[derive(Debug, Clone)]
pub enum Facts {
    /// A message of a room.
    Message(Box<(Room, Message)>),
    /// Who came into a room or left it, and who did it.
    People {
        /// Where.
        room: Box<Room>,
        /// Who did it.
        by: Box<Sender>,
        /// Who came or left.
        people: Vec<Sender>,
    },
    /// A block or ban.
    Relation {
        /// Where it stands.
        room: RoomId,
        /// Who did it: the blocker, or whoever acted on the room's bans.
        by: Box<Profile>,
        /// Who shuts out.
        blocker: Box<Profile>,
        /// Who is shut out.
        blockee: Box<Profile>,
        /// When it was first made, milliseconds.
        created_ms: i64,
        /// When it became active or was lifted, milliseconds.
        updated_ms: i64,
    },
    /// A room was frozen or thawed.
    Frozen {
        /// Which.
        room: RoomId,
        /// By whom.
        by: Box<Profile>,
    },
    /// Messages were refused.
    Refused {
        /// Where; `None`: in a direct room that was never made.
        room: Option<RoomId>,
        /// Whose.
        sender: Box<Profile>,
        /// Why.
        why: Denied,
        /// How many.
        count: i64,
    },
}

impl Chat {
    /// The apps that have, or once had, a webhook of any kind, and how far each one's outbox was read.
    pub async fn hooked_apps(&self) -> Result<Vec<(i64, ObjectId)>> {
        Ok(self.store.view(0).await?.cursors(READER).await?)
    }

    /// What is to be told of the events of an app from one on, in order, of at most `limit` events; and
    /// where to go on.
    pub async fn tellings(&self, app: &App, from: ObjectId, limit: usize) -> Result<(Vec<HookTelling>, ObjectId)> {
        let until = self.outbox_end(app.number);
        if until <= from {
            return Ok((Vec::new(), from));
        }
        let mut view = self.store.view(app.number).await?;
        let events = view.hook_events(from, until, limit).await?;
        let next = match events.last() {
            Some(last) if events.len() >= limit => last.id.successor(),
            _ => until,
        };
        if events.is_empty() {
            return Ok((Vec::new(), next));
        }
        let mut turn = Turn { hook: view.webhook().await?.unwrap_or_default(), view };
        let mut tellings = Vec::with_capacity(events.len());
        for event in events {
            tellings.extend(turn.telling(event).await?);
        }
        Ok((tellings, next))
    }

    /// Writes what is to be told, and that the outbox was read up to `next`: both or nothing. False: the
    /// outbox is not where it was read from; somebody else reads it.
    pub async fn queue_deliveries(
        &self,
        app: &App,
        deliveries: &[NewDelivery],
        (from, next): (ObjectId, ObjectId),
    ) -> Result<bool> {
        let mut tx = self.store.change(app.number).await?;
        if !tx.move_cursor(READER, from, next).await? {
            return Ok(false);
        }
        let now_ms = self.now();
        for delivery in deliveries {
            tx.insert_delivery(delivery, now_ms).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// An app by its number. `None`: there is none.
    pub async fn app_numbered(&self, number: i64) -> Result<Option<Arc<App>>> {
        let row = self.store.apps().await?.into_iter().find(|app| app.number == number);
        Ok(row.map(|row| Arc::new(App::from(row))))
    }
}

/// One moment, from which events are turned into what is told of them.
struct Turn {
    hook: HookRow,
    view: View,
}

impl Turn {
    async fn telling(&mut self, event: StoredEvent) -> Result<Option<HookTelling>> {
        let told = match (event.topic, &event.room) {
            (Some(Topic::Message), Some(room)) => self.message(room, &event).await?,
            (Some(Topic::Joined | Topic::Left), Some(room)) => self.people(room, &event).await?,
            (Some(Topic::Block), _) => self.block(&event).await?,
            (Some(Topic::Ban), Some(room)) => self.ban(room, &event).await?,
            (Some(Topic::Room), Some(room)) => self.frozen(room, &event).await?,
            (Some(Topic::Refused), room) => self.refused(room.clone(), &event).await?,
            // Nothing to a webhook, or of a version that is to come.
            _ => None,
        };
        Ok(told.map(|(target, event_kind, facts)| HookTelling { id: event.id, target, event: event_kind, facts }))
    }

    /// Is the app told of this?
    fn wants(&self, event: HookEvent) -> bool {
        self.hook.url.is_some() && told(&self.hook.events).contains(&event)
    }

    /// A room whose webhook listens.
    async fn room(&mut self, id: &RoomId) -> Result<Option<Room>> {
        listening(&mut self.view, id).await
    }

    /// What somebody said. What the server says of who came and went is told as that, and what a robot
    /// answered it knows.
    async fn message(&mut self, room: &RoomId, event: &StoredEvent) -> Result<Option<(Target, HookEvent, Facts)>> {
        if event.payload.get("answer").is_some() {
            return Ok(None);
        }
        let Some(room) = self.room(room).await? else { return Ok(None) };
        let Some(seq) = event.seq else { return Ok(None) };
        let Some(message) = self.view.message_at(&room, seq).await? else { return Ok(None) };
        // Another room may have the id by now: then this is its message.
        // What was taken out of the members' sight meanwhile is told to nobody.
        if message.id > event.id || Kind::is_system(&message.kind) || message.hidden {
            return Ok(None);
        }
        let target = Target::Room(room.id.clone());
        Ok(Some((target, HookEvent::Message, Facts::Message(Box::new((room, message))))))
    }

    /// Who came or left. Of those who came or left together the first event tells of all.
    async fn people(&mut self, room: &RoomId, event: &StoredEvent) -> Result<Option<(Target, HookEvent, Facts)>> {
        let (Some(by), Some(people)) = (user(&event.payload, "by"), event.payload.get("people")) else {
            return Ok(None);
        };
        let Some(room) = self.room(room).await? else { return Ok(None) };
        if event.payload.get("room_ms").and_then(Value::as_i64) != Some(room.created_ms) {
            // Another room has the id by now.
            return Ok(None);
        }
        let people: Vec<UserId> = people.as_array().into_iter().flatten().filter_map(as_user).collect();
        let kind = match event.topic {
            Some(Topic::Left) => HookEvent::Removed,
            _ if people == [by.clone()] => HookEvent::Joined,
            _ => HookEvent::Added,
        };
        let mut all = people.clone();
        all.push(by.clone());
        let known = self.view.users(&all).await?;
        let facts = Facts::People {
            by: Box::new(sender(&known, &by)),
            people: people.iter().map(|id| sender(&known, id)).collect(),
            room: Box::new(room),
        };
        Ok(Some((target_of(&facts), kind, facts)))
    }

    async fn block(&mut self, event: &StoredEvent) -> Result<Option<(Target, HookEvent, Facts)>> {
        let kind = if is_active(event) { HookEvent::Block } else { HookEvent::Unblock };
        let room = event.payload.get("room").and_then(Value::as_str).and_then(|room| RoomId::parse(room).ok());
        let (Some(blocker), Some(room)) = (event.user.clone(), room) else { return Ok(None) };
        self.relation(kind, room, (blocker.clone(), blocker), event).await
    }

    async fn ban(&mut self, room: &RoomId, event: &StoredEvent) -> Result<Option<(Target, HookEvent, Facts)>> {
        let kind = if is_active(event) { HookEvent::Ban } else { HookEvent::Unban };
        let (Some(by), Some(blocker)) = (event.user.clone(), user(&event.payload, "blocker")) else { return Ok(None) };
        self.relation(kind, room.clone(), (by, blocker), event).await
    }

    async fn relation(
        &mut self,
        kind: HookEvent,
        room: RoomId,
        (by, blocker): (UserId, UserId),
        event: &StoredEvent,
    ) -> Result<Option<(Target, HookEvent, Facts)>> {
        let Some(blockee) = user(&event.payload, "blockee").filter(|_| self.wants(kind)) else { return Ok(None) };
        let known = self.view.users(&[by.clone(), blocker.clone(), blockee.clone()]).await?;
        let moment = |name: &str| event.payload.get(name).and_then(Value::as_i64).unwrap_or_default();
        let facts = Facts::Relation {
            room,
            by: Box::new(profile(&known, &by)),
            blocker: Box::new(profile(&known, &blocker)),
            blockee: Box::new(profile(&known, &blockee)),
            created_ms: moment("created_ms"),
            updated_ms: moment("updated_ms"),
        };
        Ok(Some((Target::App, kind, facts)))
    }

    async fn frozen(&mut self, room: &RoomId, event: &StoredEvent) -> Result<Option<(Target, HookEvent, Facts)>> {
        let frozen = event.payload.get("frozen").and_then(Value::as_bool);
        let (Some(frozen), Some(by)) = (frozen, &event.user) else { return Ok(None) };
        let kind = if frozen { HookEvent::Freeze } else { HookEvent::Thaw };
        if !self.wants(kind) {
            return Ok(None);
        }
        let known = self.view.users(std::slice::from_ref(by)).await?;
        let facts = Facts::Frozen { room: room.clone(), by: Box::new(profile(&known, by)) };
        Ok(Some((Target::App, kind, facts)))
    }

    async fn refused(
        &mut self,
        room: Option<RoomId>,
        event: &StoredEvent,
    ) -> Result<Option<(Target, HookEvent, Facts)>> {
        let (Some(sender), Some((why, count))) = (&event.user, refusals::read(&event.payload)) else {
            return Ok(None);
        };
        if !self.wants(HookEvent::Refused) {
            return Ok(None);
        }
        let known = self.view.users(std::slice::from_ref(sender)).await?;
        let sender = Box::new(profile(&known, sender));
        Ok(Some((Target::App, HookEvent::Refused, Facts::Refused { room, sender, why, count })))
    }
}

fn target_of(facts: &Facts) -> Target {
    match facts {
        Facts::Message(message) => Target::Room(message.0.id.clone()),
        Facts::People { room, .. } => Target::Room(room.id.clone()),
        Facts::Relation { .. } | Facts::Frozen { .. } | Facts::Refused { .. } => Target::App,
    }
}

fn is_active(event: &StoredEvent) -> bool {
    event.payload.get("active").and_then(Value::as_bool).unwrap_or_default()
}

fn as_user(value: &Value) -> Option<UserId> {
    value.as_str().and_then(|id| UserId::parse(id).ok())
}

fn user(payload: &Value, name: &str) -> Option<UserId> {
    payload.get(name).and_then(as_user)
}

fn profile(known: &HashMap<UserId, User>, id: &UserId) -> Profile {
    known.get(id).map_or_else(|| Profile::deleted(id.clone()), |user| user.profile.clone())
}

fn sender(known: &HashMap<UserId, User>, id: &UserId) -> Sender {
    match known.get(id) {
        Some(user) => {
            Sender { profile: user.profile.clone(), description: user.description.clone(), is_robot: user.is_robot }
        }
        None => Sender { profile: Profile::deleted(id.clone()), description: None, is_robot: false },
    }
}
