//! Messages, in their rooms' order.

mod write;

use std::collections::HashMap;

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::{Message, Reaction, Sender};
use banter_domain::room::Room;
use banter_domain::user::Profile;
use serde_json::{Map, Value as Json};

use crate::read::Read;
use crate::sight::Eyes;
use crate::sql::{Row, Value, binds};
use crate::{Result, View};

/// A message to be written.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Its id.
    pub id: ObjectId,
    /// Who writes.
    pub sender: UserId,
    /// Its type.
    pub kind: String,
    /// What it says.
    pub text: Json,
    /// Other fields.
    pub body: Map<String, Json>,
    /// The message it answers.
    pub reply: Option<ObjectId>,
    /// Users it names.
    pub mentions: Vec<UserId>,
    /// The batch it belongs to.
    pub batch: Option<String>,
    /// Does it count as unread?
    pub counts: bool,
    /// Sent past a block or ban.
    pub forced: bool,
    /// The sender is in the room through a user group alone: his own mark may have to be made.
    pub from_group: bool,
    /// Now, milliseconds.
    pub now_ms: i64,
}

/// A change to a message: edit or recall.
#[derive(Debug, Clone)]
pub struct MessageChange {
    /// Who is shown as its sender.
    pub sender: UserId,
    /// Its type.
    pub kind: String,
    /// What it says.
    pub text: Json,
    /// Other fields.
    pub body: Map<String, Json>,
    /// When it was changed, milliseconds.
    pub updated_ms: i64,
    /// When its words were last edited, milliseconds.
    pub edited_ms: Option<i64>,
}

/// Where a page of messages begins; the anchor itself is its first element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// This message and older ones.
    Before(ObjectId),
    /// This message and newer ones.
    After(ObjectId),
}

/// Which of a message's times is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeField {
    /// Last changed.
    Updated,
    /// Stored.
    Created,
    /// Written.
    Message,
}

/// Which messages of a room are asked for.
#[derive(Debug, Clone)]
pub struct MessagesQuery {
    /// Where the page begins; `None`: at the newest (or oldest, if ascending).
    pub anchor: Option<Anchor>,
    /// Oldest first.
    pub ascending: bool,
    /// At most so many.
    pub limit: usize,
    /// Only those whose time is after this, milliseconds.
    pub after_time: Option<(TimeField, i64)>,
}

/// What a message spelt `m` must be to be after a moment.
pub(crate) fn after(time: Option<(TimeField, i64)>, values: &mut Vec<Value>) -> String {
    let Some((field, after_ms)) = time else { return String::new() };
    values.push(Value::Int(after_ms));
    let at = values.len();
    let column = match field {
        TimeField::Updated => "updated_ms",
        TimeField::Created => "created_ms",
        TimeField::Message => "message_ms",
    };
    format!(" AND m.{column} > ${at}")
}

/// Of a room's messages some that follow each other.
struct Part {
    condition: String,
    order: &'static str,
    values: Vec<Value>,
}

/// The messages after a moment, in two parts: such as changed after it but stand at or before `place`, where those end that
/// were stored by then; and all behind it. The first part comes from an index of the few that changed after they were
/// stored, hence the sum, which is in no index. Nothing is older than its last change, so these are all.
fn after_parts(field: TimeField, after_ms: i64, place: i64, at: usize) -> Vec<Part> {
    let time = at + 1;
    let written = if field == TimeField::Message { format!(" AND m.message_ms > ${time}") } else { String::new() };
    let values = || binds![place, after_ms];
    let mut parts = Vec::with_capacity(2);
    if field != TimeField::Created {
        let condition =
            format!(" AND m.seq + 0 <= ${at} AND m.updated_ms > m.created_ms AND m.updated_ms > ${time}{written}");
        parts.push(Part { condition, order: "m.seq + 0", values: values() });
    }
    let condition = format!(" AND m.seq > ${at} AND m.created_ms > ${time}{written}");
    parts.push(Part { condition, order: "m.seq", values: values() });
    parts
}

/// Which messages of a whole app are asked for.
#[derive(Debug, Clone, Copy)]
pub enum OfApp<'a> {
    /// Those of a batch.
    Batch(&'a str),
    /// Stored from one moment on and before another, milliseconds.
    Between(i64, i64),
}

const MESSAGE: &str = "m.id, m.seq, m.room, m.sender, m.kind, m.text, m.body, m.reply, m.batch, m.message_ms,
    m.created_ms, m.updated_ms, m.edited_ms, u.nickname, u.avatar_url, u.last_login_ms, u.description, u.is_robot,
    m.hidden";
const FROM: &str = "FROM messages m LEFT JOIN users u ON u.app = m.app AND u.id = m.sender";

struct Read1 {
    message: Message,
    reply: Option<ObjectId>,
}

fn message(row: &mut Row) -> Result<Read1> {
    let id = row.user(3)?;
    // No last login, no user: he was deleted, or never was one (the platform's own client).
    let (profile, is_robot) = match row.int_opt(15)? {
        None => (Profile::deleted(id), false),
        Some(last_login_ms) => {
            let (nickname, avatar_url) = (row.text_opt(13)?, row.text_opt(14)?);
            (Profile { id, nickname, avatar_url, last_login_ms }, row.flag(17)?)
        }
    };
    let message = Message {
        id: row.object_id(0)?,
        seq: row.int(1)?,
        room: row.room_id(2)?,
        sender: Sender { profile, description: row.text_opt(16)?, is_robot },
        kind: row.text(4)?,
        text: row.json(5)?,
        body: row.map(6)?,
        reply: None,
        reactions: Vec::new(),
        pinned: false,
        message_ms: row.int(9)?,
        created_ms: row.int(10)?,
        updated_ms: row.int(11)?,
        edited_ms: row.int_opt(12)?,
        batch: row.text_opt(8)?,
        hidden: row.flag(18)?,
    };
    Ok(Read1 { message, reply: row.object_id_opt(7)? })
}

impl View {
    /// One message of a room, with all a reader is shown. `None`: no such message there.
    pub async fn message(&mut self, room: &Room, id: ObjectId) -> Result<Option<Message>> {
        let text = format!("SELECT {MESSAGE} {FROM} WHERE m.app = $1 AND m.id = $2 AND m.room = $3 AND m.gone = 0");
        let rows = self.session.rows(&text, binds![self.app, id, &room.id]).await?;
        Ok(self.complete(rows, Some(room)).await?.pop())
    }

    /// Those of some messages that are in a room, the newest first.
    pub async fn messages_among(&mut self, room: &Room, ids: &[ObjectId]) -> Result<Vec<Message>> {
        let ids: Vec<String> = ids.iter().map(ObjectId::to_string).collect();
        let text = format!(
            "SELECT {MESSAGE} {FROM} WHERE m.app = $1 AND m.id = ANY($2) AND m.room = $3 AND m.gone = 0
             ORDER BY m.id DESC"
        );
        let rows = self.session.rows(&text, binds![self.app, ids, &room.id]).await?;
        self.complete(rows, Some(room)).await
    }

    /// The message at a place of a room. `None`: there is none (any more).
    pub async fn message_at(&mut self, room: &Room, seq: i64) -> Result<Option<Message>> {
        let text = format!("SELECT {MESSAGE} {FROM} WHERE m.app = $1 AND m.room = $2 AND m.seq = $3 AND m.gone = 0");
        let rows = self.session.rows(&text, binds![self.app, &room.id, seq]).await?;
        Ok(self.complete(rows, Some(room)).await?.pop())
    }

    /// The room a message stands in.
    pub async fn room_of_message(&mut self, id: ObjectId) -> Result<Option<RoomId>> {
        let text = "SELECT room FROM messages WHERE app = $1 AND id = $2 AND gone = 0";
        let rows = self.session.rows(text, binds![self.app, id]).await?;
        rows.into_iter().next().map(|mut row| row.room_id(0)).transpose()
    }

    /// The place of a message in a room's order, also of a deleted one.
    pub async fn place_of(&mut self, room: &Room, id: ObjectId) -> Result<Option<i64>> {
        let text = "SELECT seq FROM messages WHERE app = $1 AND id = $3 AND room = $2";
        let rows = self.session.rows(text, binds![self.app, &room.id, id]).await?;
        rows.first().map(|row| row.int(0)).transpose()
    }

    /// A page of a room's messages, of those somebody sees.
    pub async fn messages(&mut self, room: &Room, query: &MessagesQuery, eyes: Eyes<'_>) -> Result<Vec<Message>> {
        let (mut condition, mut values) = (String::new(), binds![self.app, &room.id]);
        let scan_up = match query.anchor {
            None => query.ascending,
            Some(anchor) => {
                let (id, sign, up) = match anchor {
                    Anchor::Before(id) => (id, "<=", false),
                    Anchor::After(id) => (id, ">=", true),
                };
                values.push(Value::from(id));
                condition = format!(
                    " AND m.seq {sign} (SELECT a.seq FROM messages a WHERE a.app = $1 AND a.id = $3 AND a.room = $2)"
                );
                up
            }
        };
        condition.push_str(&eyes.condition(&mut values));
        let (up_or_down, first_at) = (if scan_up { "ASC" } else { "DESC" }, values.len() + 1);
        let mut parts = match query.after_time {
            None => vec![Part { condition: String::new(), order: "m.seq", values: Vec::new() }],
            Some((field, after_ms)) => after_parts(field, after_ms, self.place_at(room, after_ms).await?, first_at),
        };
        if !scan_up {
            parts.reverse();
        }
        let mut rows = Vec::new();
        for part in parts.into_iter() {
            let left = query.limit - rows.len();
            let mut values = values.clone();
            values.extend(part.values);
            values.push(Value::Int(i64::try_from(left).unwrap_or(i64::MAX)));
            let text = format!(
                "SELECT {MESSAGE} {FROM} WHERE m.app = $1 AND m.room = $2 AND m.gone = 0{condition}{}
                 ORDER BY {} {up_or_down} LIMIT ${}",
                part.condition,
                part.order,
                values.len()
            );
            rows.extend(self.session.rows(&text, values).await?);
            if rows.len() >= query.limit {
                break;
            }
        }
        let mut page = self.complete(rows, Some(room)).await?;
        if scan_up != query.ascending {
            page.reverse();
        }
        Ok(page)
    }

    /// The platform's look at messages of all rooms, the newest first: of a batch, or stored between two
    /// moments (milliseconds, the latter left out). Also how many there are.
    pub async fn messages_of_app(
        &mut self,
        which: &OfApp<'_>,
        skip: usize,
        limit: usize,
    ) -> Result<(i64, Vec<Message>)> {
        let (condition, mut values) = match which {
            OfApp::Batch(batch) => ("m.batch = $2", binds![self.app, *batch]),
            // Ids tell the second; within it the time itself decides.
            OfApp::Between(from, until) => (
                "m.id >= $2 AND m.id < $3 AND m.created_ms >= $4 AND m.created_ms < $5",
                binds![
                    self.app,
                    ObjectId::first_of(*from),
                    ObjectId::first_of(until.saturating_add(1_000)),
                    *from,
                    *until
                ],
            ),
        };
        let count = format!("SELECT count(*) FROM messages m WHERE m.app = $1 AND {condition} AND m.gone = 0");
        let rows = self.session.rows(&count, values.clone()).await?;
        let total = rows.first().map_or(Ok(0), |row| row.int(0))?;
        values.extend([limit, skip].map(|n| Value::Int(i64::try_from(n).unwrap_or(i64::MAX))));
        let text = format!(
            "SELECT {MESSAGE} {FROM} WHERE m.app = $1 AND {condition} AND m.gone = 0 ORDER BY m.id DESC
             LIMIT ${} OFFSET ${}",
            values.len() - 1,
            values.len()
        );
        let rows = self.session.rows(&text, values).await?;
        Ok((total, self.complete(rows, None).await?))
    }

    /// The place of the last message of a room that was stored at or before a moment, milliseconds, deleted
    /// ones too; 0: none was. Messages never go back in time in a room, so it takes few looks.
    pub async fn place_at(&mut self, room: &Room, moment_ms: i64) -> Result<i64> {
        let text = "SELECT seq, created_ms FROM messages WHERE app = $1 AND room = $2 AND seq >= $3
            ORDER BY seq LIMIT 1";
        // Every message before `low` is early enough, none from `high` on.
        let (mut low, mut high) = (1, room.last_seq + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let rows = self.session.rows(text, binds![self.app, &room.id, middle]).await?;
            match rows.first() {
                Some(row) if row.int(0)? < high && row.int(1)? <= moment_ms => low = row.int(0)? + 1,
                _ => high = middle,
            }
        }
        Ok(low - 1)
    }

    /// How many messages of a room behind a place somebody sees.
    pub async fn count_seen_after(&mut self, room: &Room, place: i64, eyes: Eyes<'_>) -> Result<i64> {
        let mut values = binds![self.app, &room.id, place];
        let condition = eyes.condition(&mut values);
        let text = format!(
            "SELECT count(*) FROM messages m WHERE m.app = $1 AND m.room = $2 AND m.seq > $3 AND m.gone = 0{condition}"
        );
        let rows = self.session.rows(&text, values).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }

    /// How many messages behind a mark, up to a place of the room, are unread.
    pub async fn unread_until(&mut self, room: &Room, mark: i64, place: i64) -> Result<i64> {
        let text = "SELECT COALESCE(MAX(count_no), 0) FROM (SELECT count_no FROM messages WHERE app = $1 AND room = $2
                AND seq <= $3 ORDER BY seq DESC LIMIT 1) last";
        let rows = self.session.rows(text, binds![self.app, &room.id, place]).await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        let text = "SELECT count(*) FROM messages WHERE app = $1 AND room = $2 AND gone = 1 AND counts = 1
            AND count_no > $3 AND count_no <= $4";
        let rows = self.session.rows(text, binds![self.app, &room.id, mark, count]).await?;
        Ok((count - mark - rows.first().map_or(Ok(0), |row| row.int(0))?).max(0))
    }

    /// Adds reactions, quoted messages and the pin.
    async fn complete(&mut self, rows: Vec<Row>, room: Option<&Room>) -> Result<Vec<Message>> {
        let mut read = Vec::with_capacity(rows.len());
        for mut row in rows {
            read.push(message(&mut row)?);
        }
        let ids: Vec<String> = read.iter().map(|one| one.message.id.to_string()).collect();
        let quoted: Vec<String> = read.iter().filter_map(|one| one.reply).map(|id| id.to_string()).collect();
        let mut reactions: HashMap<String, Vec<Reaction>> = HashMap::new();
        if !ids.is_empty() {
            let text = "SELECT message, user_id, reaction FROM reactions WHERE app = $1 AND message = ANY($2) ORDER BY message, id";
            for mut row in self.session.rows(text, binds![self.app, ids]).await? {
                let reaction = Reaction { user: row.user(1)?, reaction: row.text(2)? };
                reactions.entry(row.text(0)?).or_default().push(reaction);
            }
        }
        let mut quotes = HashMap::new();
        if !quoted.is_empty() {
            // What is out of the members' sight is not quoted either.
            let text =
                format!("SELECT {MESSAGE} {FROM} WHERE m.app = $1 AND m.id = ANY($2) AND m.gone = 0 AND m.hidden = 0");
            for mut row in self.session.rows(&text, binds![self.app, quoted]).await? {
                let quote = message(&mut row)?.message;
                quotes.insert(quote.id, quote);
            }
        }
        let pinned = room.and_then(|room| room.pinned);
        Ok(read
            .into_iter()
            .map(|Read1 { mut message, reply }| {
                message.reactions = reactions.remove(&message.id.to_string()).unwrap_or_default();
                message.pinned = pinned == Some(message.id);
                // A quote of another room would carry words to where they were not said.
                message.reply = reply
                    .and_then(|id| quotes.get(&id))
                    .filter(|quote| quote.room == message.room)
                    .cloned()
                    .map(Box::new);
                message
            })
            .collect())
    }

    /// How many counting messages there were in a room up to this one.
    pub async fn read_up_to(&mut self, room: &Room, id: ObjectId) -> Result<Option<i64>> {
        let text = "SELECT count_no FROM messages WHERE app = $1 AND id = $3 AND room = $2";
        let rows = self.session.rows(text, binds![self.app, &room.id, id]).await?;
        rows.first().map(|row| row.int(0)).transpose()
    }
}
