//! Several messages of one room in one transaction: what a hot room on PostgreSQL needs, where every
//! statement has its price.

use std::collections::HashMap;

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

/// A room locked for several who want to speak, and how each stands there.
#[derive(Debug)]
pub struct RoomForAll {
    /// Under its lock.
    pub room: LockedRoom,
    /// By user; whoever is missing has nobody's standing.
    pub standings: HashMap<UserId, Standing>,
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

/// All rows as one value; one statement writes them where they belong, but for the marks of their senders: PostgreSQL
/// would read everybody in the room to find those few. They enter the search index at once:
/// to mark a row as indexed later would write it, and its entry in every index, a second time.
const WRITE_ALL: &str = "WITH new AS MATERIALIZED (SELECT * FROM json_to_recordset($3::text::json) AS n (seq BIGINT,
        id TEXT, sender TEXT, kind TEXT, text TEXT, body TEXT, reply TEXT, batch TEXT, at_ms BIGINT, count_no BIGINT,
        counts BIGINT, forced BIGINT, event TEXT, payload TEXT, indexed BIGINT, tokens TEXT)),
    written AS (INSERT INTO messages (app, room, seq, id, sender, kind, text, body, reply, batch, message_ms, created_ms,
            updated_ms, count_no, counts, forced, indexed)
        SELECT $1, $2, seq, id, sender, kind, text, body, reply, batch, at_ms, at_ms, at_ms, count_no, counts, forced,
            indexed
        FROM new),
    searchable AS (INSERT INTO search (app, room, seq, tokens)
        SELECT $1, $2, seq, tokens::tsvector FROM new WHERE tokens IS NOT NULL),
    counted AS (UPDATE rooms SET last_seq = $4, last_count = $5, total = $6, last_message = $4, last_message_ms = $7
        WHERE app = $1 AND id = $2)
    INSERT INTO events (app, id, topic, room, seq, user_id, payload)
        SELECT $1, event, $8, $2, seq, sender, payload FROM new";

/// What a send asks and writes goes by keys: one plan a statement is as good as one a call, and making it is half
/// the work.
const KEEP_PLANS: &str = "SET LOCAL plan_cache_mode = force_generic_plan";

/// So many tokens of a message enter the search index while its room is locked; a longer message enters it later.
const SEARCHABLE_AT_ONCE: usize = 500;

impl Tx {
    /// What [`Tx::enter`] and then [`Tx::lock_room_for`] do, for several users with their tokens' hashes and in one
    /// round trip: who of them is still to be let in, by hash, and the room. PostgreSQL only.
    pub async fn enter_and_lock(
        &mut self,
        who: &[(String, UserId)],
        now_ms: i64,
        room: &RoomId,
    ) -> Result<(HashMap<String, Entered>, Option<RoomForAll>)> {
        let mut statements = vec![
            Statement { text: KEEP_PLANS.into(), binds: Vec::new() },
            self.entering(who.iter().map(|(hash, _)| hash.clone()).collect(), now_ms),
        ];
        statements.extend(self.locking_for(room, who.iter().map(|(_, user)| user)));
        let mut answers = self.view.session.batch(statements).await?;
        let (stand, locked) = (answers.pop().unwrap_or_default(), answers.pop().unwrap_or_default());
        let entered = crate::tokens::entered(answers.into_iter().nth(1).unwrap_or_default())?;
        Ok((entered, crate::rooms::locked_for_all(locked, stand)?))
    }

    /// Writes messages in a locked room, each with the event that tells of it, and returns each one's place
    /// and time. What they change of the room and of what their senders have read goes with them.
    pub async fn insert_messages(&mut self, locked: &mut LockedRoom, all: &[NewSend]) -> Result<Vec<(i64, i64)>> {
        let mut places = Vec::with_capacity(all.len());
        if self.view.kind == EngineKind::Sqlite {
            for NewSend { message: new, event, payload } in all {
                let (seq, at_ms) = self.insert_message(locked, new).await?;
                let (room, user, payload) = (Some(&locked.room.id), Some(&new.sender), payload.clone());
                let event = NewEvent { id: *event, topic: Topic::Message, room, seq: Some(seq), user, payload };
                self.insert_event(&event).await?;
                places.push((seq, at_ms));
            }
            return Ok(places);
        }
        let mut rows = Vec::with_capacity(all.len());
        for (at, NewSend { message: new, event, payload }) in all.iter().enumerate() {
            let (seq, at_ms) = locked.count(new);
            let mut tokens = searchable(&new.kind, &new.text, &new.body);
            let at_once = tokens.len() <= SEARCHABLE_AT_ONCE;
            if !at_once {
                tokens.clear();
            }
            rows.push(json!({
                "seq": seq, "id": new.id.to_string(), "sender": new.sender.as_str(), "kind": new.kind,
                "text": new.text.to_string(), "body": map_text(&new.body), "reply": new.reply.map(|id| id.to_string()),
                "batch": new.batch, "at_ms": at_ms, "count_no": locked.room.last_count, "counts": i64::from(new.counts),
                "forced": i64::from(new.forced), "event": event.to_string(), "payload": payload.as_ref().map(Json::to_string),
                "indexed": i64::from(at_once), "tokens": tokens_in(self.view.app, &locked.room.id, &tokens),
            }));
            places.push((seq, at_ms));
            // A mark moves to its member's last message.
            let counts_later = |later: &NewSend| later.message.counts && later.message.sender == new.sender;
            if new.counts && !all.iter().skip(at + 1).any(counts_later) {
                self.mark_own(locked, new, at_ms).await?;
            }
            self.insert_mentions(locked, new).await?;
        }
        let room = &locked.room;
        let values = binds![
            self.view.app,
            &room.id,
            Json::Array(rows).to_string(),
            room.last_seq,
            room.last_count,
            room.total,
            room.last_message_ms,
            Topic::Message.name(),
        ];
        if all.len() > 1 {
            // What does not fit shows before the commit: then each can still be written alone.
            self.view.session.run(WRITE_ALL, values).await?;
        } else {
            self.view.session.put(WRITE_ALL, values).await?;
        }
        Ok(places)
    }
}
