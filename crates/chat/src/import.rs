//! Taking over what was elsewhere, with its own times: all of it or nothing, and twice is once.

mod record;

use std::collections::HashMap;

use banter_domain::id::{AppId, ObjectId, Pair, RoomId, UserId};
use banter_domain::message::Kind;
use banter_domain::relation::{Relation, RelationKind};
use banter_domain::room::RoomKind;
use banter_domain::user::{UserChange, UserKind};
use banter_store::{ImportedMessage, LockedRoom, Place, Tx};
use serde_json::{Map, Value};

pub use self::record::Record;
use crate::rooms::new_room_row;
use crate::users::new_user;
use crate::{Chat, Error, NewKind, RoomChange};

/// What was new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Users made or changed.
    pub users: usize,
    /// Rooms made or changed.
    pub rooms: usize,
    /// Places in rooms made or changed.
    pub members: usize,
    /// Messages written.
    pub messages: usize,
    /// Blocks and bans written or changed.
    pub relations: usize,
}

/// Why nothing was taken over.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// One record cannot be; `index` counts from 0.
    #[error("record {index}: {why}")]
    Bad {
        /// Which record.
        index: usize,
        /// Why, in a sentence.
        why: String,
    },
    /// A fault.
    #[error(transparent)]
    Store(#[from] banter_store::Error),
}

type Result<T> = std::result::Result<T, ImportError>;

/// A message may be given twice, but not two messages with one id.
fn check_ids(records: &[Record]) -> Result<()> {
    let mut given = HashMap::new();
    for (index, record) in records.iter().enumerate() {
        if let Record::Message { id: Some(id), .. } = record
            && given.insert(*id, record).is_some_and(|earlier| earlier != record)
        {
            let why = format!("another message before it has the id {id} as well");
            return Err(ImportError::Bad { index, why });
        }
    }
    Ok(())
}

struct Import<'a> {
    chat: &'a Chat,
    tx: Tx,
    now_ms: i64,
    done: Imported,
    /// New rooms of which nothing said yet who is in them, and when they were made. Groups are there
    /// already, direct rooms are not.
    implied: HashMap<RoomId, i64>,
    /// The direct ones among them, each with the index of its record.
    awaited: Vec<(usize, RoomId)>,
    /// Messages are written a room at a time; each with its record's index.
    messages: HashMap<RoomId, Vec<(usize, ImportedMessage)>>,
    at: usize,
}

impl Chat {
    /// Takes records over into an app, in one transaction. A record that cannot be undoes all. An
    /// app that is not there yet is made with it, without keys.
    pub async fn import(&self, app: &AppId, records: Vec<Record>) -> Result<Imported> {
        check_ids(&records)?;
        let now_ms = self.now();
        let tx = self.store.change(0).await?;
        let tx = self.app_for_import(tx, app, now_ms).await.map_err(|error| match error {
            Error::Store(fault) => ImportError::Store(fault),
            other => ImportError::Bad { index: 0, why: other.to_string() },
        })?;
        let mut import = Import {
            chat: self,
            tx,
            now_ms,
            done: Imported::default(),
            implied: HashMap::new(),
            awaited: Vec::new(),
            messages: HashMap::new(),
            at: 0,
        };
        let mut records: Vec<(usize, Record)> = records.into_iter().enumerate().collect();
        records.sort_by_key(|(_, record)| record.turn());
        let mut wrote_messages = false;
        for (at, record) in records {
            if record.turn() > 4 && !wrote_messages {
                wrote_messages = true;
                import.write_messages().await?;
            }
            import.at = at;
            import.take(record).await?;
        }
        import.write_messages().await?;
        import.expect_rooms().await?;
        import.tx.commit().await?;
        Ok(import.done)
    }
}

impl Import<'_> {
    fn bad<T>(&self, why: impl Into<String>) -> Result<T> {
        Err(ImportError::Bad { index: self.at, why: why.into() })
    }

    async fn take(&mut self, record: Record) -> Result<()> {
        match record {
            Record::User { id, kind, change, members, implied } => self.user(id, kind, change, members, implied).await,
            Record::Room { id, kind, owner, created_ms, change, members, managers, implied } => {
                let created_ms = created_ms.unwrap_or(self.now_ms);
                self.room(id, kind, owner, created_ms, change, (members, managers), implied).await
            }
            Record::Member { room, user, manager, last_read, properties } => {
                self.member(&room, &user, manager, last_read, properties).await
            }
            Record::Message { id, room, sender, words, message_ms, created_ms, updated_ms, edited_ms, reactions } => {
                let reactions = reactions.into_iter().map(|one| (self.chat.ids.next(self.now_ms), one)).collect();
                let kind = words.kind.unwrap_or_else(|| "text".to_owned());
                let message = ImportedMessage {
                    id: id.unwrap_or_else(|| self.chat.ids.next(created_ms)),
                    sender,
                    counts: !Kind::is_system(&kind),
                    kind,
                    text: words.text,
                    body: words.body,
                    reply: words.reply,
                    mentions: words.mentions,
                    reactions,
                    message_ms,
                    created_ms,
                    updated_ms,
                    edited_ms,
                };
                if self.tx.room(&room).await?.is_none() {
                    return self.bad(format!("there is no room {room}"));
                }
                self.messages.entry(room).or_default().push((self.at, message));
                Ok(())
            }
            Record::Relation { blocker, blockee, room, room_kind, created_ms, updated_ms, lifted_ms } => {
                let relation = Relation {
                    id: self.chat.ids.next(created_ms),
                    kind: RelationKind::Block,
                    room: room.clone().unwrap_or_else(|| RoomId::from(self.chat.ids.next(created_ms))),
                    blocker,
                    blockee,
                    created_ms,
                    updated_ms,
                    lifted_ms,
                };
                self.relation(relation, room.is_some(), room_kind).await
            }
        }
    }

    async fn user(
        &mut self,
        id: UserId,
        kind: UserKind,
        change: UserChange,
        members: Option<Vec<UserId>>,
        implied: bool,
    ) -> Result<()> {
        if id.is_platform() {
            return self.bad("the id platform is the platform's own");
        }
        let known = self.tx.user(&id).await?;
        let mut user = known.clone().unwrap_or_else(|| new_user(id.clone(), self.now_ms));
        if known.is_none() || !implied {
            user.kind = kind;
            user.is_robot = change.is_robot.unwrap_or(user.is_robot);
        }
        user.profile.nickname = change.nickname.or(user.profile.nickname);
        user.profile.avatar_url = change.avatar_url.or(user.profile.avatar_url);
        user.description = change.description.or(user.description);
        user.profile.last_login_ms = change.last_login_ms.unwrap_or(user.profile.last_login_ms);
        user.created_ms = change.created_ms.unwrap_or(user.created_ms);
        user.custom.extend(change.custom);
        if known.as_ref() != Some(&user) {
            self.tx.put_user(&user).await?;
            self.done.users += 1;
        }
        for member in members.filter(|_| user.kind == UserKind::Group).unwrap_or_default() {
            if self.tx.user(&member).await?.is_none() {
                return self.bad(format!("there is no user {member} to be in the group {id}"));
            }
            self.tx.insert_group_member(&id, &member).await?;
        }
        Ok(())
    }

    /// A user who is only named gets a bare profile.
    async fn known_user(&mut self, id: &UserId) -> Result<()> {
        if self.tx.user(id).await?.is_none() {
            self.tx.put_user(&new_user(id.clone(), self.now_ms)).await?;
            self.done.users += 1;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one record")]
    async fn room(
        &mut self,
        id: RoomId,
        kind: Option<NewKind>,
        owner: Option<UserId>,
        created_ms: i64,
        change: RoomChange,
        (members, managers): (Vec<UserId>, Vec<UserId>),
        implied: bool,
    ) -> Result<()> {
        for named in members.iter().chain(&managers).chain(&owner) {
            if self.tx.user(named).await?.is_none() {
                return self.bad(format!("there is no user {named} to be in the room {id}"));
            }
        }
        let silent = owner.is_none() && members.is_empty() && managers.is_empty();
        let before = self.done.rooms;
        let mut room = match self.tx.lock_room(&id).await? {
            Some(_) if implied => return Ok(()),
            Some(room) => room,
            None if kind == Some(NewKind::Direct) && silent && change == RoomChange::default() => {
                self.await_room(id, created_ms);
                return Ok(());
            }
            None => {
                if silent {
                    self.implied.insert(id.clone(), created_ms);
                }
                let kind = match (kind.unwrap_or(NewKind::Group), members.as_slice()) {
                    (NewKind::Group, _) => RoomKind::Group,
                    (NewKind::Custom, _) => RoomKind::Custom,
                    (NewKind::Direct, [one, other]) => match Pair::of(one, other) {
                        Some(pair) => RoomKind::Direct(pair),
                        None => return self.bad("a direct room has two different members"),
                    },
                    (NewKind::Direct, _) => return self.bad("a direct room has exactly two members"),
                };
                self.make(new_room_row(id.clone(), kind, created_ms)).await?
            }
        };
        if implied {
            return Ok(());
        }
        let now = banter_domain::room::Room {
            owner: if room.kind.is_direct() { None } else { owner.or_else(|| room.owner.clone()) },
            name: change.name.or_else(|| room.name.clone()),
            cover: change.cover.or_else(|| room.cover.clone()),
            description: change.description.or_else(|| room.description.clone()),
            tags: change.tags.unwrap_or_else(|| room.tags.clone()),
            webhook_by: if change.webhook.is_some() { None } else { room.webhook_by.clone() },
            webhook: change.webhook.or_else(|| room.webhook.clone()),
            bot_mode: change.bot_mode.unwrap_or(room.bot_mode),
            ext_params: change.ext_params.or_else(|| room.ext_params.clone()),
            closed: change.closed.unwrap_or(room.closed),
            frozen: change.frozen.unwrap_or(room.frozen),
            created_ms: room.created_ms,
            ..(*room).clone()
        };
        if now.webhook.as_ref().is_some_and(|webhook| !webhook.is_empty()) && now.webhook != room.webhook {
            self.tx.begin_cursor(crate::webhooks::READER, self.chat.new_id()).await?;
        }
        // Made, changed or both, a room is counted once.
        if now != *room {
            self.tx.save_room(&mut room, now).await?;
            self.done.rooms = before + 1;
        }
        if room.created_ms != created_ms && created_ms != self.now_ms {
            self.tx.set_room_created(&mut room, created_ms).await?;
            self.done.rooms = before + 1;
        }
        let owner = room.owner.clone();
        for member in owner.iter().chain(&members).chain(&managers) {
            self.place(&room, member, managers.contains(member)).await?;
        }
        Ok(())
    }

    /// A direct room that is only named is made by the block that says whose it is.
    fn await_room(&mut self, id: RoomId, created_ms: i64) {
        let known = self.implied.entry(id.clone()).or_insert(created_ms);
        if *known == self.now_ms {
            *known = created_ms;
        }
        self.awaited.push((self.at, id));
    }

    async fn expect_rooms(&mut self) -> Result<()> {
        for (at, id) in std::mem::take(&mut self.awaited) {
            if self.tx.room(&id).await?.is_none() {
                self.at = at;
                return self.bad(format!("nothing says who the two of the direct room {id} are"));
            }
        }
        Ok(())
    }

    async fn make(&mut self, row: banter_domain::room::Room) -> Result<LockedRoom> {
        let pair = row.kind.pair().cloned();
        let Some(room) = self.tx.insert_room(&row).await? else {
            return self.bad(format!("the room {} cannot be made", row.id));
        };
        if let Some(pair) = pair {
            let mut pair = self.tx.lock_pair(&pair).await?;
            if pair.room.is_none() {
                self.tx.set_pair_room(&mut pair, Some(&room.id)).await?;
            }
        }
        self.done.rooms += 1;
        Ok(room)
    }

    async fn place(&mut self, room: &LockedRoom, user: &UserId, manager: bool) -> Result<()> {
        if room.kind.pair().is_some_and(|pair| !pair.has(user)) {
            return self.bad(format!("{user} is not one of the two of the direct room {}", room.id));
        }
        let standing = self.tx.standing(&room.id, user).await?;
        if !standing.member {
            self.tx.insert_member(room, user, Place { manager, hidden: false }, self.now_ms).await?;
            self.done.members += 1;
        } else if manager && self.tx.member(&room.id, user).await?.is_some_and(|member| !member.manager) {
            self.tx.set_manager(room, user, true).await?;
            self.done.members += 1;
        }
        Ok(())
    }

    async fn member(
        &mut self,
        room: &RoomId,
        user: &UserId,
        manager: bool,
        last_read: Option<ObjectId>,
        properties: Map<String, Value>,
    ) -> Result<()> {
        let Some(locked) = self.tx.lock_room(room).await? else {
            return self.bad(format!("there is no room {room}"));
        };
        if self.tx.user(user).await?.is_none() {
            return self.bad(format!("there is no user {user}"));
        }
        self.place(&locked, user, manager).await?;
        let Some(now) = self.tx.member(room, user).await? else { return Ok(()) };
        if !properties.is_empty() && now.properties != properties {
            self.tx.set_properties(&locked, user, &properties).await?;
            self.done.members += 1;
        }
        if let Some(id) = last_read
            && now.read.message != Some(id)
        {
            let Some(count) = self.tx.count_of(room, id).await? else {
                return self.bad(format!("there is no message {id} in the room {room}"));
            };
            self.tx.import_read(room, user, count, Some(id)).await?;
            self.done.members += 1;
        }
        Ok(())
    }

    async fn write_messages(&mut self) -> Result<()> {
        let mut rooms: Vec<_> = std::mem::take(&mut self.messages).into_iter().collect();
        rooms.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (id, messages) in rooms {
            let Some(mut room) = self.tx.lock_room(&id).await? else {
                return self.bad(format!("there is no room {id}"));
            };
            let (places, messages): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
            let written = self.tx.import_messages(&mut room, &messages).await?;
            self.done.messages += written;
            if written < messages.len() {
                self.expect_here(&id, places.iter().copied().zip(&messages)).await?;
            }
        }
        Ok(())
    }

    /// What was not written is left as it is, if it is of this room.
    async fn expect_here(
        &mut self,
        room: &RoomId,
        messages: impl Iterator<Item = (usize, &ImportedMessage)>,
    ) -> Result<()> {
        for (place, message) in messages {
            if self.tx.count_of(room, message.id).await?.is_none() {
                self.at = place;
                return self.bad(format!("the id {} belongs to a message of another room", message.id));
            }
        }
        Ok(())
    }

    async fn relation(&mut self, relation: Relation, named: bool, kind: Option<NewKind>) -> Result<()> {
        let Some(pair) = Pair::of(&relation.blocker, &relation.blockee) else {
            return self.bad("nobody shuts out himself");
        };
        self.known_user(&relation.blocker).await?;
        self.known_user(&relation.blockee).await?;
        let room = if named { self.tx.lock_room(&relation.room).await? } else { None };
        let direct = match (&room, kind) {
            (Some(room), _) => room.kind.is_direct(),
            (None, Some(kind)) => kind == NewKind::Direct,
            (None, None) if !named || relation.room == pair.computed_room() => true,
            (None, None) if self.implied.contains_key(&relation.room) => true,
            (None, None) => return self.bad(format!("there is no room {}", relation.room)),
        };
        if direct { self.block(relation, pair, room, named).await } else { self.ban(relation, room).await }
    }

    async fn block(&mut self, relation: Relation, pair: Pair, room: Option<LockedRoom>, named: bool) -> Result<()> {
        let mut locked = self.tx.lock_pair(&pair).await?;
        let known = match (&room, &locked.room) {
            (Some(_), _) => room,
            (None, Some(id)) if !named || *id == relation.room => self.tx.lock_room(&id.clone()).await?,
            (None, _) => None,
        };
        let room = match known {
            Some(room) if room.kind.pair() == Some(&pair) => room,
            Some(room) => return self.bad(format!("the room {} is not of these two", room.id)),
            None => {
                let id = if named { relation.room.clone() } else { pair.computed_room() };
                let made_ms = self.implied.get(&id).copied().filter(|made_ms| *made_ms != self.now_ms);
                let created_ms = made_ms.unwrap_or(relation.created_ms);
                let kind = RoomKind::Direct(pair.clone());
                let row = banter_domain::room::Room { secret: true, ..new_room_row(id, kind, created_ms) };
                let Some(room) = self.tx.insert_room(&row).await? else {
                    return self.bad(format!("the room {} cannot be made", row.id));
                };
                if locked.room.is_none() {
                    self.tx.set_pair_room(&mut locked, Some(&room.id)).await?;
                }
                self.tx.insert_member(&room, &relation.blocker, Place::default(), created_ms).await?;
                let hidden = Place { hidden: true, ..Place::default() };
                self.tx.insert_member(&room, &relation.blockee, hidden, created_ms).await?;
                self.done.rooms += 1;
                room
            }
        };
        let shown = self.tx.outlook(&room, &relation.blocker).await?;
        if shown.standing.hidden {
            self.tx.reveal(&room, &relation.blocker, relation.created_ms).await?;
        }
        let created_ms = if shown.standing.hidden { relation.created_ms } else { shown.created_ms };
        let relation = Relation { room: room.id.clone(), ..relation };
        self.done.relations += usize::from(self.tx.import_relation(&relation, "direct", created_ms).await?);
        Ok(())
    }

    async fn ban(&mut self, relation: Relation, room: Option<LockedRoom>) -> Result<()> {
        let mut room = match room {
            Some(room) => room,
            None => self.make(new_room_row(relation.room.clone(), RoomKind::Group, relation.created_ms)).await?,
        };
        if room.owner.is_none() && self.implied.contains_key(&room.id) && !relation.blocker.is_platform() {
            // Only owners ban: who did it here owns the room, until its own record says otherwise.
            let now = banter_domain::room::Room { owner: Some(relation.blocker.clone()), ..(*room).clone() };
            self.tx.save_room(&mut room, now).await?;
            self.place(&room, &relation.blocker, false).await?;
        }
        let relation = Relation { kind: RelationKind::Ban, ..relation };
        let written = self.tx.import_relation(&relation, room.kind.name(), room.created_ms).await?;
        self.done.relations += usize::from(written);
        Ok(())
    }
}

impl std::fmt::Display for Imported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { users, rooms, members, messages, relations } = self;
        write!(
            f,
            "{users} users, {rooms} rooms, {members} places in rooms, {messages} messages, {relations} blocks and bans"
        )
    }
}
