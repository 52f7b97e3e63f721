//! What of a room's messages somebody sees: not what he deleted for himself, and not what the room's
//! owner and managers took out of sight.

use std::collections::HashSet;

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::Message;
use banter_domain::room::Room;

use crate::messages::after;
use crate::read::Read;
use crate::rooms::LockedRoom;
use crate::sql::{Row, Value, binds};
use crate::{MessagesQuery, Result, TimeField, Tx, View};

/// So many ids of messages somebody deleted for himself are told at once.
pub const TOLD: i64 = 1_000;

/// Through whose eyes messages are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eyes<'a> {
    /// The platform's: it sees everything that is there.
    Platform,
    /// A user's.
    User {
        /// Whose.
        user: &'a UserId,
        /// Also what is out of the others' sight: he is the owner or a manager.
        sees_hidden: bool,
    },
}

impl Eyes<'_> {
    /// What a message spelt `m` must be to be seen, as a condition that begins with `AND`; what it names
    /// is added to the values. `$1` is the app.
    pub(crate) fn condition(&self, values: &mut Vec<Value>) -> String {
        match self {
            Self::Platform => String::new(),
            Self::User { user, sees_hidden } => {
                values.push(Value::from(*user));
                let me = values.len();
                let hidden = if *sees_hidden { "" } else { " AND m.hidden = 0" };
                format!("{hidden} AND NOT {}", put_away(me))
            }
        }
    }
}

/// Did the user at this placeholder delete a message spelt `m` for himself?
pub(crate) fn put_away(user: usize) -> String {
    format!(
        "(m.seq <= COALESCE((SELECT c.cleared_seq FROM members c WHERE c.app = $1 AND c.room = m.room
            AND c.user_id = ${user}), 0)
          OR EXISTS (SELECT 1 FROM put_away p WHERE p.app = $1 AND p.user_id = ${user} AND p.room = m.room
            AND p.seq = m.seq))"
    )
}

/// A message somebody deleted for himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutAway {
    /// Which.
    pub message: ObjectId,
    /// When, milliseconds.
    pub at_ms: i64,
}

impl View {
    /// How many messages of a room somebody sees.
    pub async fn count_seen(&mut self, room: &Room, eyes: Eyes<'_>) -> Result<i64> {
        let Eyes::User { user, sees_hidden } = eyes else { return Ok(room.total) };
        let text =
            "SELECT COALESCE((SELECT cleared_seq FROM members WHERE app = $1 AND room = $2 AND user_id = $3), 0),
            (SELECT count(*) FROM put_away p CROSS JOIN messages m WHERE p.app = $1 AND p.user_id = $3 AND p.room = $2
                AND m.app = p.app AND m.room = p.room AND m.seq = p.seq AND m.gone = 0),
            (SELECT count(*) FROM messages m WHERE m.app = $1 AND m.room = $2 AND m.hidden = 1 AND m.gone = 0
                AND NOT EXISTS (SELECT 1 FROM put_away p WHERE p.app = $1 AND p.user_id = $3 AND p.room = $2
                    AND p.seq = m.seq))";
        let rows = self.session.rows(text, binds![self.app, &room.id, user]).await?;
        let Some(row) = rows.first() else { return Ok(room.total) };
        let (cleared, put_away, hidden) = (row.int(0)?, row.int(1)?, row.int(2)?);
        if cleared == 0 {
            return Ok((room.total - put_away - if sees_hidden { 0 } else { hidden }).max(0));
        }
        // Who cleared a room sees what came after: that is counted, since what was there is no figure of the room's.
        let mut values = binds![self.app, &room.id, cleared];
        let condition = eyes.condition(&mut values);
        let text = format!(
            "SELECT count(*) FROM messages m WHERE m.app = $1 AND m.room = $2 AND m.seq > $3 AND m.gone = 0{condition}"
        );
        let rows = self.session.rows(&text, values).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }

    /// The newest message of a room that somebody sees.
    pub async fn last_seen(&mut self, room: &Room, eyes: Eyes<'_>) -> Result<Option<Message>> {
        if room.last_message.is_none() {
            return Ok(None);
        }
        let query = MessagesQuery { anchor: None, ascending: false, limit: 1, after_time: None };
        Ok(self.messages(room, &query, eyes).await?.pop())
    }

    /// Which messages of a stretch of a room's order, and after a moment, somebody deleted for himself: the newest
    /// 1,000 of them.
    pub async fn put_away_between(
        &mut self,
        room: &RoomId,
        user: &UserId,
        (first, last): (i64, i64),
        after_time: Option<(TimeField, i64)>,
    ) -> Result<Vec<ObjectId>> {
        let mut values = binds![self.app, room, user, first, last, TOLD];
        let after = after(after_time, &mut values);
        let text = format!(
            "SELECT m.id FROM messages m WHERE m.app = $1 AND m.room = $2 AND m.seq >= $4 AND m.seq <= $5 AND m.gone = 0
                AND {}{after} ORDER BY m.seq DESC LIMIT $6",
            put_away(3)
        );
        let rows = self.session.rows(&text, values).await?;
        rows.into_iter().map(|mut row| row.object_id(0)).collect()
    }

    /// Who of some users deleted the message at this place for himself.
    pub async fn who_put_away(&mut self, room: &RoomId, seq: i64, users: &[UserId]) -> Result<HashSet<UserId>> {
        let text = "SELECT c.user_id FROM members c WHERE c.app = $1 AND c.room = $2 AND c.user_id = ANY($4)
                AND c.cleared_seq >= $3
            UNION ALL SELECT p.user_id FROM put_away p WHERE p.app = $1 AND p.user_id = ANY($4) AND p.room = $2
                AND p.seq = $3";
        let rows = self.session.rows(text, binds![self.app, room, seq, users]).await?;
        rows.into_iter().map(|mut row| row.user(0)).collect()
    }

    /// Has somebody deleted anything of a room for himself?
    pub async fn has_put_away(&mut self, room: &RoomId, user: &UserId) -> Result<bool> {
        let text = "SELECT 1 FROM members WHERE app = $1 AND room = $2 AND user_id = $3 AND cleared_seq > 0
            UNION ALL SELECT 1 FROM put_away WHERE app = $1 AND user_id = $3 AND room = $2 LIMIT 1";
        Ok(!self.session.rows(text, binds![self.app, room, user]).await?.is_empty())
    }

    /// A page of what somebody deleted of a room for himself, the newest first, and how much it is.
    pub async fn put_away_of(
        &mut self,
        room: &RoomId,
        user: &UserId,
        skip: usize,
        limit: usize,
    ) -> Result<(i64, Vec<PutAway>)> {
        let theirs = format!("m.app = $1 AND m.room = $2 AND m.gone = 0 AND {}", put_away(3));
        let count = format!("SELECT count(*) FROM messages m WHERE {theirs}");
        let rows = self.session.rows(&count, binds![self.app, room, user]).await?;
        let total = rows.first().map_or(Ok(0), |row| row.int(0))?;
        let text = format!(
            "SELECT m.id, COALESCE((SELECT p.at_ms FROM put_away p WHERE p.app = $1 AND p.user_id = $3 AND p.room = m.room
                    AND p.seq = m.seq),
                (SELECT c.cleared_ms FROM members c WHERE c.app = $1 AND c.room = m.room AND c.user_id = $3), 0)
             FROM messages m WHERE {theirs} ORDER BY m.seq DESC LIMIT $4 OFFSET $5"
        );
        let mut values = binds![self.app, room, user];
        values.extend([limit, skip].map(|n| Value::Int(i64::try_from(n).unwrap_or(i64::MAX))));
        let one = |mut row: Row| Ok(PutAway { message: row.object_id(0)?, at_ms: row.int(1)? });
        Ok((total, self.session.rows(&text, values).await?.into_iter().map(one).collect::<Result<_>>()?))
    }
}

impl Tx {
    /// Somebody deletes messages of a room for himself; those that are not there are passed over. Returns
    /// which ones are new to that.
    pub async fn put_away(
        &mut self,
        room: &LockedRoom,
        user: &UserId,
        messages: &[ObjectId],
        at_ms: i64,
    ) -> Result<Vec<ObjectId>> {
        let ids: Vec<String> = messages.iter().map(ToString::to_string).collect();
        let text = "INSERT INTO put_away (app, user_id, room, seq, message, at_ms)
            SELECT m.app, CAST($3 AS TEXT), m.room, m.seq, m.id, CAST($5 AS BIGINT) FROM messages m
                WHERE m.app = $1 AND m.room = $2 AND m.id = ANY($4) AND m.gone = 0
            ON CONFLICT DO NOTHING RETURNING message";
        let rows = self.view.session.rows(text, binds![self.view.app, &room.room.id, user, ids, at_ms]).await?;
        rows.into_iter().map(|mut row| row.object_id(0)).collect()
    }

    /// Somebody deletes everything there is in a room for himself; he has read it all then. `read`: how
    /// far he had. He may be there through a user group.
    pub async fn clear(&mut self, room: &LockedRoom, user: &UserId, at_ms: i64) -> Result<()> {
        let text = "INSERT INTO members (app, room, user_id, member, joined_ms, read_count, cleared_seq, cleared_ms)
            VALUES ($1, $2, $3, 0, $4, $5, $6, $4)
            ON CONFLICT (app, room, user_id) DO UPDATE SET cleared_seq = $6, cleared_ms = $4, left_ms = NULL,
                read_count = GREATEST(members.read_count, $5)";
        let values = binds![self.view.app, &room.room.id, user, at_ms, room.room.last_count, room.room.last_seq];
        self.view.session.put(text, values).await
    }

    /// Takes a message out of the members' sight, or puts it back. False: nothing changed.
    pub async fn set_hidden(&mut self, room: &LockedRoom, id: ObjectId, on: bool, at_ms: i64) -> Result<bool> {
        let text = "UPDATE messages SET hidden = $4, updated_ms = GREATEST(updated_ms, $5)
            WHERE app = $1 AND room = $2 AND id = $3 AND gone = 0 AND hidden <> $4";
        Ok(self.view.session.run(text, binds![self.view.app, &room.room.id, id, on, at_ms]).await? > 0)
    }

    /// The same with everything somebody has written in a room. Returns how many messages changed.
    pub async fn set_hidden_of(&mut self, room: &LockedRoom, sender: &UserId, on: bool, at_ms: i64) -> Result<i64> {
        let text = "UPDATE messages SET hidden = $4, updated_ms = GREATEST(updated_ms, $5)
            WHERE app = $1 AND room = $2 AND sender = $3 AND gone = 0 AND hidden <> $4";
        let changed = self.view.session.run(text, binds![self.view.app, &room.room.id, sender, on, at_ms]).await?;
        Ok(i64::try_from(changed).unwrap_or(i64::MAX))
    }
}
