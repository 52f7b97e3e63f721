//! Several messages in one transaction: a commit has its price, and on PostgreSQL every statement.

use std::collections::BTreeSet;

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::record::Topic;
use banter_domain::room::Standing;
use serde_json::{Value as Json, json};

use crate::messages::NewMessage;
use crate::read::map_text;
use crate::records::NewEvent;
use crate::rooms::LockedRoom;
use crate::search::{searchable, tokens_in};
use crate::sql::{Statement, binds};
use crate::{EngineKind, Entered, Result, Tx};

/// Several users who want to speak in one room.
#[derive(Debug)]
pub struct Speakers {
    /// The room.
    pub room: RoomId,
    /// The hash of each one's token, and whose it is.
    pub who: Vec<(String, UserId)>,
}

/// A room for several who want to speak there.
#[derive(Debug)]
pub struct RoomForAll {
    /// Whether it could be locked.
    pub had: Had,
    /// Each as he was asked for: himself, if he is to be let in, and how he stands in the room.
    pub who: Vec<(Option<Entered>, Standing)>,
}

/// Whether a room could be locked.
#[derive(Debug)]
pub enum Had {
    /// It is locked.
    Locked(Box<LockedRoom>),
    /// There is no such room.
    Missing,
    /// Somebody else has it locked, or there is no such room: whoever asks for it alone will know.
    Elsewhere,
}

fn had(room: LockedRoom) -> Had {
    Had::Locked(Box::new(room))
}

/// A message to be written, with the event that tells of it.
#[derive(Debug)]
pub struct NewSend {
    /// The message.
    pub message: NewMessage,
    /// The event's id.
    pub event: ObjectId,
    /// What else the event holds.
    pub payload: Option<Json>,
}

/// All rows as one value, and the rooms as another: one statement writes them where they belong. They enter the search index
/// at once: to mark a row as indexed later would write it, and its entry in every index, a second time.
const WRITE_ALL: &str = "WITH new AS MATERIALIZED (SELECT * FROM json_to_recordset($2::text::json) AS n (room TEXT,
        seq BIGINT, id TEXT, sender TEXT, kind TEXT, text TEXT, body TEXT, reply TEXT, batch TEXT, at_ms BIGINT,
        count_no BIGINT, counts BIGINT, forced BIGINT, event TEXT, payload TEXT, indexed BIGINT, tokens TEXT, marks BIGINT)),
    written AS (INSERT INTO messages (app, room, seq, id, sender, kind, text, body, reply, batch, message_ms, created_ms,
            updated_ms, count_no, counts, forced, indexed)
        SELECT $1, room, seq, id, sender, kind, text, body, reply, batch, at_ms, at_ms, at_ms, count_no, counts, forced,
            indexed
        FROM new),
    searchable AS (INSERT INTO search (app, room, seq, tokens)
        SELECT $1, room, seq, tokens::tsvector FROM new WHERE tokens IS NOT NULL),
    marked AS (UPDATE members m SET read_count = n.count_no, read_message = n.id, shown_count = n.count_no,
            shown_message = n.id
        FROM new n WHERE n.marks = 1 AND m.app = $1 AND m.room = n.room AND m.user_id = n.sender),
    counted AS (UPDATE rooms r SET last_seq = k.last_seq, last_count = k.last_count, total = k.total,
            last_message = k.last_seq, last_message_ms = k.last_message_ms
        FROM json_to_recordset($3::text::json) AS k (id TEXT, last_seq BIGINT, last_count BIGINT, total BIGINT,
            last_message_ms BIGINT)
        WHERE r.app = $1 AND r.id = k.id)
    INSERT INTO events (app, id, topic, room, seq, user_id, payload)
        SELECT $1, event, $4, room, seq, sender, payload FROM new";

/// What a send asks and writes goes by keys: one plan a statement is as good as one a call, and making it is half
/// the work. And each of the few is looked up, where PostgreSQL, which takes them to be more, would read whole tables.
const BY_KEYS: &str = "SELECT set_config('plan_cache_mode', 'force_generic_plan', true),
    set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
    set_config('enable_seqscan', 'off', true)";

/// So many tokens of a message enter the search index while its room is locked; a longer message enters it later.
const SEARCHABLE_AT_ONCE: usize = 500;

impl Tx {
    /// What [`Tx::enter`] and then [`Tx::lock_room_for`] do, for several users in several rooms, in the order they are
    /// given; on PostgreSQL in one round trip. `waits`: for a room and for tokens that somebody else has, which must not be asked of several rooms.
    pub async fn enter_and_lock(&mut self, all: Vec<Speakers>, waits: bool, now_ms: i64) -> Result<Vec<RoomForAll>> {
        match self.view.kind {
            EngineKind::Sqlite => self.enter_each(all, now_ms).await,
            EngineKind::Postgres => self.enter_at_once(all, waits, now_ms).await,
        }
    }

    async fn enter_each(&mut self, all: Vec<Speakers>, now_ms: i64) -> Result<Vec<RoomForAll>> {
        let locking = all.iter().flat_map(|Speakers { room, .. }| self.locking(room)).collect();
        let locked = self.view.session.batch(locking).await?;
        let entering = |Speakers { room, who }: &Speakers| {
            who.iter().map(|(hash, user)| self.entering_where(room, (hash, user), now_ms)).collect::<Vec<_>>()
        };
        let entering = all.iter().flat_map(entering).collect();
        let mut entered = self.view.session.batch(entering).await?.into_iter();
        let mut rooms = Vec::with_capacity(all.len());
        for (Speakers { who, .. }, room) in all.into_iter().zip(locked) {
            let had = crate::rooms::locked(room)?.map_or(Had::Missing, had);
            let mut stand = Vec::with_capacity(who.len());
            for ((hash, user), rows) in who.into_iter().zip(entered.by_ref()) {
                stand.push(match had {
                    Had::Locked(_) => crate::standings::entered_where(rows, &user)?,
                    // The question was about the room as well.
                    Had::Missing | Had::Elsewhere => (self.enter(&hash, now_ms).await?, Standing::default()),
                });
            }
            rooms.push(RoomForAll { had, who: stand });
        }
        Ok(rooms)
    }

    async fn enter_at_once(&mut self, all: Vec<Speakers>, waits: bool, now_ms: i64) -> Result<Vec<RoomForAll>> {
        let hashes: BTreeSet<_> = all.iter().flat_map(|some| &some.who).map(|(hash, _)| hash.clone()).collect();
        let mut statements = vec![
            Statement { text: BY_KEYS.into(), binds: Vec::new() },
            self.entering(hashes.into_iter().collect(), waits, now_ms),
        ];
        statements.extend(self.locking_all(&all, waits));
        let mut answers = self.view.session.batch(statements).await?.into_iter().skip(1);
        let entered = crate::tokens::entered(answers.next().unwrap_or_default())?;
        let mut locked = crate::standings::locked_all(answers.by_ref(), waits)?;
        let read = |Speakers { room, who }: Speakers| {
            let nobodys = if waits { Had::Missing } else { Had::Elsewhere };
            let had = locked.rooms.remove(&room).map_or(nobodys, had);
            let stand = |(hash, user)| {
                let standing = locked.standings.get(&(room.clone(), user)).copied().unwrap_or_default();
                (entered.get(&hash).cloned(), standing)
            };
            RoomForAll { had, who: who.into_iter().map(stand).collect() }
        };
        Ok(all.into_iter().map(read).collect())
    }

    /// Writes messages in locked rooms, each with the event that tells of it, and returns each one's place
    /// and time, in their order. What they change of the rooms and of what their senders have read goes with them.
    pub async fn insert_messages(&mut self, rooms: &mut [(&mut LockedRoom, Vec<NewSend>)]) -> Result<Vec<(i64, i64)>> {
        match self.view.kind {
            EngineKind::Sqlite => self.insert_each(rooms).await,
            EngineKind::Postgres => self.insert_at_once(rooms).await,
        }
    }

    /// By table, so that each statement is prepared once.
    async fn insert_each(&mut self, rooms: &mut [(&mut LockedRoom, Vec<NewSend>)]) -> Result<Vec<(i64, i64)>> {
        let mut places = Vec::new();
        let (mut messages, mut marks, mut mentions, mut events, mut counts) = (vec![], vec![], vec![], vec![], vec![]);
        for (locked, all) in rooms {
            for NewSend { message: new, event, payload } in all.iter() {
                let (seq, at_ms) = locked.count(new);
                messages.push(self.message_row(locked, new, at_ms));
                marks.extend(new.counts.then(|| self.own_mark(locked, new, at_ms)));
                mentions.extend(self.mention_rows(locked, new));
                let (room, user, payload) = (Some(&locked.room.id), Some(&new.sender), payload.clone());
                let event = NewEvent { id: *event, topic: Topic::Message, room, seq: Some(seq), user, payload };
                events.push(self.event_row(&event));
                places.push((seq, at_ms));
            }
            counts.push(self.counts_row(locked));
        }
        let statements = [messages, marks, mentions, events, counts].into_iter().flatten().collect();
        self.view.session.batch(statements).await?;
        Ok(places)
    }

    async fn insert_at_once(&mut self, rooms: &mut [(&mut LockedRoom, Vec<NewSend>)]) -> Result<Vec<(i64, i64)>> {
        let (mut places, mut rows, mut counts) = (Vec::new(), Vec::new(), Vec::with_capacity(rooms.len()));
        for (locked, all) in rooms {
            for (at, NewSend { message: new, event, payload }) in all.iter().enumerate() {
                let (seq, at_ms) = locked.count(new);
                let mut tokens = searchable(&new.kind, &new.text, &new.body);
                let at_once = tokens.split(' ').count() <= SEARCHABLE_AT_ONCE;
                if !at_once {
                    tokens.clear();
                }
                // A mark moves to its member's last message.
                let counts_later = |later: &NewSend| later.message.counts && later.message.sender == new.sender;
                let marks = new.counts && !all.iter().skip(at + 1).any(counts_later);
                if marks && new.from_group {
                    self.put_all([self.own_mark(locked, new, at_ms)]).await?;
                }
                rows.push(json!({
                    "room": locked.room.id.as_str(), "seq": seq, "id": new.id.to_string(),
                    "sender": new.sender.as_str(), "kind": new.kind, "text": new.text.to_string(),
                    "body": map_text(&new.body), "reply": new.reply.map(|id| id.to_string()), "batch": new.batch,
                    "at_ms": at_ms, "count_no": locked.room.last_count, "counts": i64::from(new.counts),
                    "forced": i64::from(new.forced), "event": event.to_string(),
                    "payload": payload.as_ref().map(Json::to_string), "indexed": i64::from(at_once),
                    "tokens": tokens_in(self.view.app, &locked.room.id, &tokens),
                    "marks": i64::from(marks && !new.from_group),
                }));
                places.push((seq, at_ms));
                self.put_all(self.mention_rows(locked, new)).await?;
            }
            let room = &locked.room;
            counts.push(json!({
                "id": room.id.as_str(), "last_seq": room.last_seq, "last_count": room.last_count, "total": room.total,
                "last_message_ms": room.last_message_ms,
            }));
        }
        self.view.session.put(BY_KEYS, Vec::new()).await?;
        let (rows, counts) = (Json::Array(rows).to_string(), Json::Array(counts).to_string());
        let values = binds![self.view.app, rows, counts, Topic::Message.name()];
        if places.len() > 1 {
            // What does not fit shows before the commit: then each can still be written alone.
            self.view.session.run(WRITE_ALL, values).await?;
        } else {
            self.view.session.put(WRITE_ALL, values).await?;
        }
        Ok(places)
    }
}
