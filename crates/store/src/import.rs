//! Writing what came from elsewhere, with its own times.

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::Reaction;
use banter_domain::relation::{Relation, RelationKind};
use serde_json::{Map, Value as Json};

use crate::read::map_text;
use crate::rooms::LockedRoom;
use crate::sql::binds;
use crate::{EngineKind, Result, Tx};

/// A message that was written elsewhere.
#[derive(Debug, Clone)]
pub struct ImportedMessage {
    /// Its id.
    pub id: ObjectId,
    /// Who wrote it.
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
    /// Its reactions, each with an id for their order.
    pub reactions: Vec<(ObjectId, Reaction)>,
    /// Does it count as unread?
    pub counts: bool,
    /// When it was written, milliseconds.
    pub message_ms: i64,
    /// When it was stored, milliseconds.
    pub created_ms: i64,
    /// When it was last changed, milliseconds.
    pub updated_ms: i64,
    /// When its words were edited, milliseconds.
    pub edited_ms: Option<i64>,
}

impl Tx {
    /// Writes messages into a room so that its order is that of their times, together with those
    /// it had. Returns how many were new; a known id is left as it is.
    pub async fn import_messages(&mut self, locked: &mut LockedRoom, new: &[ImportedMessage]) -> Result<usize> {
        let (app, id) = (self.view.app, locked.room.id.clone());
        let mut written = 0;
        for message in new {
            let updated_ms = message.updated_ms.max(message.created_ms).max(message.message_ms);
            let text =
                "INSERT INTO messages (app, room, seq, id, sender, kind, text, body, reply, message_ms, created_ms,
                    updated_ms, edited_ms, count_no, counts)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14) ON CONFLICT DO NOTHING";
            // A place far behind all others; the room is put in order below.
            let place = locked.room.last_seq + 1 + i64::try_from(written).unwrap_or_default();
            let values = binds![
                app,
                &id,
                place,
                message.id,
                &message.sender,
                message.kind.as_str(),
                message.text.to_string(),
                map_text(&message.body),
                message.reply,
                message.message_ms,
                message.created_ms,
                updated_ms,
                message.edited_ms,
                message.counts,
            ];
            if self.view.session.run(text, values).await? == 0 {
                continue;
            }
            written += 1;
            for user in &message.mentions {
                let text = "INSERT INTO mentions (app, user_id, room, seq, count_no) VALUES ($1, $2, $3, $4, 0)
                    ON CONFLICT DO NOTHING";
                self.view.session.put(text, binds![app, user, &id, place]).await?;
            }
            for (reaction, by) in &message.reactions {
                self.set_reaction(message.id, by, *reaction, true).await?;
            }
        }
        if written > 0 {
            self.put_in_order(locked).await?;
        }
        Ok(written)
    }

    /// Renumbers a room's messages by their times. Bans and freezes took places of their own: all
    /// places move behind the room's last one, so none is given out twice.
    async fn put_in_order(&mut self, locked: &mut LockedRoom) -> Result<()> {
        let (app, id) = (self.view.app, locked.room.id.clone());
        let text = "SELECT seq, counts, gone, created_ms FROM messages WHERE app = $1 AND room = $2
            ORDER BY created_ms, seq";
        let rows = self.view.session.rows(text, binds![app, &id]).await?;
        let highest = rows.iter().map(|row| row.int(0)).collect::<Result<Vec<_>>>()?.into_iter().max().unwrap_or(0);
        let (mut seq, mut count, mut total) = (highest.max(locked.room.last_seq), 0, 0);
        let (mut last, mut last_ms) = (None, 0);
        for row in rows {
            let (old, counts, gone, created_ms) = (row.int(0)?, row.flag(1)?, row.flag(2)?, row.int(3)?);
            seq += 1;
            count += i64::from(counts);
            for text in [
                "UPDATE messages SET seq = $4, count_no = $5 WHERE app = $1 AND room = $2 AND seq = $3",
                "UPDATE mentions SET seq = $4, count_no = $5 WHERE app = $1 AND room = $2 AND seq = $3",
            ] {
                self.view.session.put(text, binds![app, &id, old, seq, count]).await?;
            }
            if !gone {
                (total, last) = (total + 1, Some(seq));
            }
            last_ms = created_ms.max(last_ms);
        }
        if self.view.kind == EngineKind::Postgres {
            // Its search index knows messages by their places, which are new.
            for text in [
                "UPDATE messages SET indexed = 0 WHERE app = $1 AND room = $2 AND gone = 0",
                "DELETE FROM search WHERE app = $1 AND room = $2",
            ] {
                self.view.session.put(text, binds![app, &id]).await?;
            }
        }
        let room = &mut locked.room;
        (room.last_seq, room.last_count, room.total, room.last_message) = (seq, count, total, last);
        room.last_message_ms = last_ms;
        let text =
            "UPDATE rooms SET last_seq = $3, last_count = $4, total = $5, last_message = $6, last_message_ms = $7
            WHERE app = $1 AND id = $2";
        self.view.session.put(text, binds![app, &id, seq, count, total, last, last_ms]).await?;
        // Whoever is in the room has read what came from elsewhere, unless the import says less.
        self.forget_counts(locked).await
    }

    /// Writes a block or ban with its own times. Written again it changes nothing.
    pub async fn import_relation(
        &mut self,
        relation: &Relation,
        room_kind: &str,
        room_created_ms: i64,
    ) -> Result<bool> {
        let known = match relation.kind {
            RelationKind::Block => self.block(&relation.blocker, &relation.blockee).await?,
            RelationKind::Ban => self.ban(&relation.room, &relation.blockee).await?,
        };
        let same = known.as_ref().is_some_and(|known| {
            (known.created_ms, known.updated_ms, known.lifted_ms, &known.blocker, &known.room)
                == (relation.created_ms, relation.updated_ms, relation.lifted_ms, &relation.blocker, &relation.room)
        });
        if same {
            return Ok(false);
        }
        let id = known.map_or(relation.id, |known| known.id);
        self.put_relation(&Relation { id, ..relation.clone() }, room_kind, room_created_ms).await?;
        Ok(true)
    }

    /// When a room was made, as its import says.
    pub async fn set_room_created(&mut self, locked: &mut LockedRoom, created_ms: i64) -> Result<()> {
        locked.room.created_ms = created_ms;
        for text in [
            "UPDATE rooms SET created_ms = $3 WHERE app = $1 AND id = $2",
            "UPDATE relations SET room_created_ms = $3 WHERE app = $1 AND room = $2",
        ] {
            self.view.session.put(text, binds![self.view.app, &locked.room.id, created_ms]).await?;
        }
        Ok(())
    }

    /// The count of a room's message, to set a read mark by.
    pub async fn count_of(&mut self, room: &RoomId, id: ObjectId) -> Result<Option<i64>> {
        let text = "SELECT count_no FROM messages WHERE app = $1 AND room = $2 AND id = $3";
        let mut rows = self.view.session.rows(text, binds![self.view.app, room, id]).await?;
        rows.first_mut().map(|row| row.int(0)).transpose()
    }
}
