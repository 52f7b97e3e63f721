//! Writing messages, changing and deleting them.

use banter_domain::id::{ObjectId, UserId};
use banter_domain::message::{Message, Reaction};

use super::{MessageChange, NewMessage};
use crate::read::map_text;
use crate::rooms::LockedRoom;
use crate::sql::{Statement, Value, binds};
use crate::{EngineKind, Result, Ties, Tx};

impl Tx {
    /// Writes a message at the next place of the room, and moves its sender's own mark. Returns
    /// the place and the time it was stored at (which never goes back in a room).
    pub async fn insert_message(&mut self, locked: &mut LockedRoom, new: &NewMessage) -> Result<(i64, i64)> {
        let (_, at_ms) = locked.count(new);
        let mut statements = vec![self.message_row(locked, new, at_ms)];
        statements.extend(new.counts.then(|| self.own_mark(locked, new, at_ms)));
        statements.extend(self.mention_rows(locked, new));
        statements.push(self.counts_row(locked));
        self.put_all(statements).await?;
        Ok((locked.room.last_seq, at_ms))
    }

    /// What writes the room's newest message.
    pub(crate) fn message_row(&self, locked: &LockedRoom, new: &NewMessage, at_ms: i64) -> Statement {
        let text = "INSERT INTO messages (app, room, seq, id, sender, kind, text, body, reply, batch, message_ms,
                created_ms, updated_ms, count_no, counts, forced)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $11, $12, $13, $14)";
        let room = &locked.room;
        let binds = binds![
            self.view.app,
            &room.id,
            room.last_seq,
            new.id,
            &new.sender,
            new.kind.as_str(),
            new.text.to_string(),
            map_text(&new.body),
            new.reply,
            new.batch.as_deref(),
            at_ms,
            room.last_count,
            new.counts,
            new.forced,
        ];
        Statement { text: text.into(), binds }
    }

    /// What writes into the room what its newest message changed of it.
    pub(crate) fn counts_row(&self, locked: &LockedRoom) -> Statement {
        let room = &locked.room;
        let text = "UPDATE rooms SET last_seq = $3, last_count = $4, total = $5, last_message = $3,
                last_message_ms = $6 WHERE app = $1 AND id = $2";
        let binds = binds![self.view.app, &room.id, room.last_seq, room.last_count, room.total, room.last_message_ms];
        Statement { text: text.into(), binds }
    }

    /// What one writes one has read, and so has everything before it: of the room's newest message.
    pub(crate) fn own_mark(&self, locked: &LockedRoom, new: &NewMessage, at_ms: i64) -> Statement {
        let text = if new.from_group {
            "INSERT INTO members (app, room, user_id, member, joined_ms, read_count, read_message, shown_count,
                    shown_message)
                VALUES ($1, $2, $3, 0, $6, CAST($4 AS BIGINT), CAST($5 AS TEXT), CAST($4 AS BIGINT), CAST($5 AS TEXT))
                ON CONFLICT (app, room, user_id) DO UPDATE SET left_ms = NULL, read_count = CAST($4 AS BIGINT),
                    read_message = CAST($5 AS TEXT), shown_count = CAST($4 AS BIGINT), shown_message = CAST($5 AS TEXT)"
        } else {
            "UPDATE members SET read_count = $4, read_message = $5, shown_count = $4, shown_message = $5
                WHERE app = $1 AND room = $2 AND user_id = $3"
        };
        let mut binds = binds![self.view.app, &locked.room.id, &new.sender, locked.room.last_count, new.id];
        binds.extend(new.from_group.then_some(Value::Int(at_ms)));
        Statement { text: text.into(), binds }
    }

    /// What notes whom the room's newest message names.
    pub(crate) fn mention_rows(&self, locked: &LockedRoom, new: &NewMessage) -> Vec<Statement> {
        let (app, room) = (self.view.app, &locked.room);
        let text = "INSERT INTO mentions (app, user_id, room, seq, count_no) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING";
        let row =
            |user| Statement { text: text.into(), binds: binds![app, user, &room.id, room.last_seq, room.last_count] };
        new.mentions.iter().map(row).collect()
    }

    /// Changes a message in place: an edit or a recall.
    pub async fn change_message(&mut self, room: &LockedRoom, id: ObjectId, change: &MessageChange) -> Result<()> {
        let text = "UPDATE messages SET sender = $4, kind = $5, text = $6, body = $7, updated_ms = $8, edited_ms = $9,
                indexed = 0, reply = CASE WHEN $5 = 'recall' THEN NULL ELSE reply END
            WHERE app = $1 AND room = $2 AND id = $3";
        let values = binds![
            self.view.app,
            &room.room.id,
            id,
            &change.sender,
            change.kind.as_str(),
            change.text.to_string(),
            map_text(&change.body),
            change.updated_ms,
            change.edited_ms,
        ];
        self.view.session.put(text, values).await?;
        self.index_again(room, id).await
    }

    /// Forgets who was named in a message, what was said to it and which files came with it: it was taken back.
    pub async fn forget_echoes(&mut self, room: &LockedRoom, message: &Message) -> Result<()> {
        let app = self.view.app;
        let text = "DELETE FROM reactions WHERE app = $1 AND message = $2";
        self.view.session.put(text, binds![app, message.id]).await?;
        let text = "DELETE FROM mentions WHERE app = $1 AND room = $2 AND seq = $3";
        self.view.session.put(text, binds![app, &room.room.id, message.seq]).await?;
        self.untie_files(room, Ties::Message(message.id)).await
    }

    /// Notes whom an edited message names.
    pub async fn name_users(&mut self, room: &LockedRoom, message: &Message, users: &[UserId]) -> Result<()> {
        for user in users {
            let text = "INSERT INTO mentions (app, user_id, room, seq, count_no)
                SELECT app, CAST($4 AS TEXT), room, seq, count_no FROM messages WHERE app = $1 AND room = $2 AND id = $3
                ON CONFLICT DO NOTHING";
            self.view.session.put(text, binds![self.view.app, &room.room.id, message.id, user]).await?;
        }
        Ok(())
    }

    /// Notes that something about a message changed (a pin, a reaction).
    pub async fn touch_message(&mut self, room: &LockedRoom, id: ObjectId, now_ms: i64) -> Result<()> {
        let text = "UPDATE messages SET updated_ms = GREATEST(updated_ms, $4) WHERE app = $1 AND room = $2 AND id = $3";
        self.view.session.put(text, binds![self.view.app, &room.room.id, id, now_ms]).await
    }

    /// Adds or takes back a reaction. False: nothing changed.
    pub async fn set_reaction(&mut self, message: ObjectId, new: &Reaction, id: ObjectId, on: bool) -> Result<bool> {
        let app = self.view.app;
        let done = if on {
            let text = "INSERT INTO reactions (app, message, user_id, reaction, id) VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT DO NOTHING";
            self.view.session.run(text, binds![app, message, &new.user, new.reaction.as_str(), id]).await?
        } else {
            let text = "DELETE FROM reactions WHERE app = $1 AND message = $2 AND user_id = $3 AND reaction = $4";
            self.view.session.run(text, binds![app, message, &new.user, new.reaction.as_str()]).await?
        };
        Ok(done > 0)
    }

    /// Deletes a message for everybody; its place in the order, and its count, stay taken.
    /// False: no such message.
    pub async fn delete_message(&mut self, locked: &mut LockedRoom, id: ObjectId) -> Result<bool> {
        let app = self.view.app;
        let room = locked.room.id.clone();
        let text = "UPDATE messages SET gone = 1, text = '\"\"', body = '{}', reply = NULL, batch = NULL, indexed = 1
            WHERE app = $1 AND room = $2 AND id = $3 AND gone = 0 RETURNING seq";
        let rows = self.view.session.rows(text, binds![app, &room, id]).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let seq = row.int(0)?;
        let forget = match self.view.kind {
            EngineKind::Sqlite => {
                "DELETE FROM search WHERE rowid = (SELECT number FROM messages
                WHERE app = $1 AND room = $2 AND seq = $3)"
            }
            EngineKind::Postgres => "DELETE FROM search WHERE app = $1 AND room = $2 AND seq = $3",
        };
        self.view.session.put(forget, binds![app, &room, seq]).await?;
        self.view.session.put("DELETE FROM reactions WHERE app = $1 AND message = $2", binds![app, id]).await?;
        let text = "DELETE FROM mentions WHERE app = $1 AND room = $2 AND seq = $3";
        self.view.session.put(text, binds![app, &room, seq]).await?;
        self.untie_files(locked, Ties::Message(id)).await?;
        if locked.room.pinned == Some(id) {
            self.set_pinned(locked, None).await?;
        }
        let text = "SELECT MAX(seq) FROM messages WHERE app = $1 AND room = $2 AND gone = 0";
        let last = match self.view.session.rows(text, binds![app, &room]).await?.first() {
            Some(row) => row.int_opt(0)?,
            None => None,
        };
        locked.room.total -= 1;
        locked.room.last_message = last;
        let text = "UPDATE rooms SET total = $3, last_message = $4 WHERE app = $1 AND id = $2";
        self.view.session.put(text, binds![app, &room, locked.room.total, last]).await?;
        Ok(true)
    }

    /// Deletes all messages of a room for everybody, and returns how many there were.
    pub async fn delete_all_messages(&mut self, locked: &mut LockedRoom) -> Result<i64> {
        let count = locked.room.total;
        self.forget_messages(locked).await?;
        self.untie_files(locked, Ties::Messages).await?;
        self.forget_counts(locked).await?;
        locked.room.total = 0;
        locked.room.last_message = None;
        locked.room.pinned = None;
        let text = "UPDATE rooms SET total = 0, last_message = NULL, pinned = NULL WHERE app = $1 AND id = $2";
        self.view.session.put(text, binds![self.view.app, &locked.room.id]).await?;
        Ok(count)
    }

    pub(crate) async fn forget_messages(&mut self, locked: &LockedRoom) -> Result<()> {
        let forget = match self.view.kind {
            EngineKind::Sqlite => {
                "DELETE FROM search WHERE rowid IN (SELECT number FROM messages
                WHERE app = $1 AND room = $2)"
            }
            EngineKind::Postgres => "DELETE FROM search WHERE app = $1 AND room = $2",
        };
        let reactions = "DELETE FROM reactions WHERE app = $1
            AND message IN (SELECT id FROM messages WHERE app = $1 AND room = $2)";
        let mentions = "DELETE FROM mentions WHERE app = $1 AND room = $2";
        let put_away = "DELETE FROM put_away WHERE app = $1 AND room = $2";
        let messages = "DELETE FROM messages WHERE app = $1 AND room = $2";
        let again =
            "DELETE FROM search_again WHERE number IN (SELECT number FROM messages WHERE app = $1 AND room = $2)";
        let texts = match self.view.kind {
            // The index of one names messages by their number; the other's is locked after messages.
            EngineKind::Sqlite => vec![forget, again, reactions, mentions, put_away, messages],
            EngineKind::Postgres => vec![reactions, mentions, put_away, messages, forget],
        };
        for text in texts {
            self.view.session.put(text, binds![self.view.app, &locked.room.id]).await?;
        }
        if self.view.kind == EngineKind::Sqlite {
            // The numbers of the newest messages are given out again.
            let text = "UPDATE search_upto SET number = (SELECT COALESCE(MAX(number), 0) FROM messages)
                WHERE number > (SELECT COALESCE(MAX(number), 0) FROM messages)";
            self.view.session.put(text, binds![]).await?;
        }
        Ok(())
    }
}
