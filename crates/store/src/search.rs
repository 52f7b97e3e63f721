//! The search index. A message enters it shortly after it is written, and at the latest when
//! somebody searches: whoever searches indexes what is pending first. Sends on PostgreSQL enter it as they are
//! written; FTS5 takes many at once for a fraction of what it costs to take each.

use std::collections::HashMap;

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::Kind;
use banter_domain::search::{RESERVED, Term, index_text};
use compact_str::CompactString;
use serde_json::{Map, Value as Json, json};

use crate::read::Read;
use crate::rooms::LockedRoom;
use crate::search_syntax::{to_fts5, to_tsquery, tsvector_text};
use crate::sight::Eyes;
use crate::sql::{Row, Statement, binds};
use crate::{EngineKind, Result, Tx, View};

/// All that was found in pending messages as one value, for PostgreSQL: there every statement has its price.
const INDEX_ALL: &str = "WITH found AS MATERIALIZED (SELECT * FROM json_to_recordset($1::text::json)
        AS n (app BIGINT, room TEXT, seq BIGINT, tokens TEXT)),
    emptied AS (DELETE FROM search s USING found n
        WHERE n.tokens IS NULL AND s.app = n.app AND s.room = n.room AND s.seq = n.seq),
    entered AS (INSERT INTO search (app, room, seq, tokens)
        SELECT app, room, seq, tokens::tsvector FROM found WHERE tokens IS NOT NULL
        ON CONFLICT (app, room, seq) DO UPDATE SET tokens = excluded.tokens)
    UPDATE messages m SET indexed = 1 FROM found n WHERE m.app = n.app AND m.room = n.room AND m.seq = n.seq";

/// A found message.
pub type Hit = (RoomId, ObjectId);

impl View {
    /// Is anything written that the index does not know yet?
    pub async fn index_lags(&mut self) -> Result<bool> {
        let text = match self.kind {
            EngineKind::Sqlite => {
                "SELECT 1 WHERE EXISTS (SELECT 1 FROM search_again)
                    OR (SELECT MAX(number) FROM messages) > (SELECT number FROM search_upto)"
            }
            EngineKind::Postgres => "SELECT 1 FROM messages WHERE indexed = 0 LIMIT 1",
        };
        Ok(!self.session.rows(text, binds![]).await?.is_empty())
    }

    /// The newest messages that hold all terms, of these rooms only, as a user sees them; `files`: only
    /// files. What is out of the members' sight is found by nobody.
    pub async fn find_messages(
        &mut self,
        user: &UserId,
        rooms: &[RoomId],
        terms: &[Term],
        files: bool,
        limit: i64,
    ) -> Result<Vec<Hit>> {
        if rooms.is_empty() || terms.is_empty() {
            return Ok(Vec::new());
        }
        let eyes = Eyes::User { user, sees_hidden: false };
        let mut values = binds![self.app];
        let seen = eyes.condition(&mut values);
        let kinds = if files { " AND m.kind IN ('file', 'audio', 'video', 'image')" } else { "" };
        let (text, question) = match self.kind {
            EngineKind::Sqlite => {
                let scopes: Vec<String> = rooms.iter().map(|room| format!("\"{}\"", scope(self.app, room))).collect();
                let question = format!("scope : ({}) AND tokens : ({})", scopes.join(" OR "), to_fts5(terms));
                let text = format!(
                    "SELECT m.room, m.id FROM search s JOIN messages m ON m.number = s.rowid
                     WHERE search MATCH $3 AND m.app = $1 AND m.room = ANY($4) AND m.gone = 0{seen}{kinds}
                     ORDER BY s.rowid DESC LIMIT $5"
                );
                (text, question)
            }
            EngineKind::Postgres => {
                let scopes: Vec<String> = rooms.iter().map(|room| format!("'{}'", scope(self.app, room))).collect();
                let question = format!("({}) & {}", scopes.join(" | "), to_tsquery(terms));
                let text = format!(
                    "SELECT m.room, m.id FROM search s JOIN messages m ON m.app = s.app AND m.room = s.room AND m.seq = s.seq
                     WHERE s.tokens @@ $3::text::tsquery AND s.app = $1 AND s.room = ANY($4) AND m.gone = 0{seen}{kinds}
                     ORDER BY m.id DESC LIMIT $5"
                );
                (text, question)
            }
        };
        values.extend(binds![question, rooms, limit]);
        let rows = self.session.rows(&text, values).await?;
        rows.into_iter().map(|mut row| Ok((row.room_id(0)?, row.object_id(1)?))).collect()
    }
}

impl Tx {
    /// Indexes at most `limit` pending messages of all apps; true: there may be more.
    pub async fn index_pending(&mut self, limit: i64) -> Result<bool> {
        match self.view.kind {
            EngineKind::Sqlite => self.index_by_number(limit).await,
            EngineKind::Postgres => self.index_marked(limit).await,
        }
    }

    /// SQLite: first what changed after it was indexed, then what is newer than all that is indexed.
    async fn index_by_number(&mut self, limit: i64) -> Result<bool> {
        let text = "SELECT a.number, m.app, m.room, m.kind, m.text, m.body
            FROM search_again a LEFT JOIN messages m ON m.number = a.number ORDER BY a.number LIMIT $1";
        let again = self.view.session.rows(text, binds![limit]).await?;
        let left = limit - count(&again);
        let (mut scopes, mut entries) = (HashMap::new(), Vec::new());
        for row in again {
            let number = row.int(0)?;
            for text in ["DELETE FROM search WHERE rowid = $1", "DELETE FROM search_again WHERE number = $1"] {
                self.view.session.put(text, binds![number]).await?;
            }
            if row.int_opt(1)?.is_some() {
                entries.extend(index_entry(row, &mut scopes)?);
            }
        }
        let text = "SELECT number, app, room, kind, text, body FROM messages
            WHERE number > (SELECT number FROM search_upto) ORDER BY number LIMIT $1";
        let new = self.view.session.rows(text, binds![left]).await?;
        let more = count(&new) >= left;
        if let Some(last) = new.last() {
            let text = "UPDATE search_upto SET number = $1";
            self.view.session.put(text, binds![last.int(0)?]).await?;
        }
        for row in new {
            entries.extend(index_entry(row, &mut scopes)?);
        }
        self.view.session.batch(entries).await?;
        Ok(more)
    }

    /// PostgreSQL. Who searches waits for whoever indexes already, and then finds what he wrote.
    async fn index_marked(&mut self, limit: i64) -> Result<bool> {
        let text = "SELECT app, room, seq, kind, text, body FROM messages WHERE indexed = 0
            ORDER BY app, room, seq LIMIT $1 FOR UPDATE";
        let rows = self.view.session.rows(text, binds![limit]).await?;
        let more = count(&rows) >= limit;
        let mut found = Vec::with_capacity(rows.len());
        for mut row in rows {
            let (app, room, seq) = (row.int(0)?, row.room_id(1)?, row.int(2)?);
            let tokens = searchable(&row.text(3)?, &row.json(4)?, &row.map(5)?);
            let tokens = tokens_in(app, &room, &tokens);
            found.push(json!({ "app": app, "room": room.as_str(), "seq": seq, "tokens": tokens }));
        }
        if !found.is_empty() {
            self.view.session.put(INDEX_ALL, binds![Json::Array(found).to_string()]).await?;
        }
        Ok(more)
    }

    /// Notes for SQLite that what a message says has changed: it enters the search index anew. What is newer than all that
    /// is indexed is read in any case, as it is then; read twice it would be entered twice.
    pub(crate) async fn index_again(&mut self, room: &LockedRoom, id: ObjectId) -> Result<()> {
        if self.view.kind == EngineKind::Postgres {
            return Ok(());
        }
        let text = "INSERT INTO search_again (number)
            SELECT number FROM messages WHERE app = $1 AND room = $2 AND id = $3
                AND number <= (SELECT number FROM search_upto)
            ON CONFLICT DO NOTHING";
        self.view.session.put(text, binds![self.view.app, &room.room.id, id]).await
    }
}

fn count(rows: &[Row]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

/// What enters a message into SQLite's index; `None`: nothing of it can be searched for. `scopes`: those of the rooms met so far.
fn index_entry(mut row: Row, scopes: &mut HashMap<(i64, RoomId), CompactString>) -> Result<Option<Statement>> {
    let (number, app, room) = (row.int(0)?, row.int(1)?, row.room_id(2)?);
    let tokens = searchable(&row.text(3)?, &row.json(4)?, &row.map(5)?);
    if tokens.is_empty() {
        return Ok(None);
    }
    let scope = scopes.entry((app, room)).or_insert_with_key(|(app, room)| scope(*app, room).into());
    let text = "INSERT INTO search (rowid, scope, tokens) VALUES ($1, $2, $3)";
    Ok(Some(Statement { text: text.into(), binds: binds![number, scope.as_str(), tokens] }))
}

/// A token that stands for one room of one app. It begins as no token of words does.
fn scope(app: i64, room: &RoomId) -> String {
    format!("{RESERVED}{app}r{}", room.digest())
}

/// What PostgreSQL is to index of a message in a room; `None`: nothing. The scope stands where no phrase of tokens
/// can reach it.
pub(crate) fn tokens_in(app: i64, room: &RoomId, tokens: &str) -> Option<String> {
    (!tokens.is_empty()).then(|| format!("{} '{}':16383", tsvector_text(tokens), scope(app, room)))
}

/// What of a message can be searched for: its words, and the name of its file.
pub(crate) fn searchable(kind: &str, text: &Json, body: &Map<String, Json>) -> String {
    if kind == Kind::Recall.name() || Kind::is_system(kind) {
        return String::new();
    }
    let words = text.as_str().unwrap_or_default();
    match body.get("file_name").and_then(Json::as_str) {
        Some(name) => index_text(&format!("{words}\n{name}")),
        None => index_text(words),
    }
}
