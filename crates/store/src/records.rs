//! What is written beside a change: audit, outbox, tallies; and the configuration.

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::record::{Doer, Entry, Topic};
use serde_json::{Map, Value as Json};

use crate::read::Read;
use crate::sql::{Row, Statement, Value, binds};
use crate::{Result, Tx, View};

/// An event for the outbox.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    /// Its id, time-ordered.
    pub id: ObjectId,
    /// What it is about.
    pub topic: Topic,
    /// Where; its listeners are that room's.
    pub room: Option<&'a RoomId>,
    /// Its place in the room's order.
    pub seq: Option<i64>,
    /// Who did it, or whom it is for.
    pub user: Option<&'a UserId>,
    /// More about it, in the domain's words.
    pub payload: Option<Json>,
}

/// An event as it was written.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Its id, time-ordered.
    pub id: ObjectId,
    /// What it is about; `None`: something this version does not know.
    pub topic: Option<Topic>,
    /// Where.
    pub room: Option<RoomId>,
    /// Its place in the room's order.
    pub seq: Option<i64>,
    /// Who did it, or whom it is for.
    pub user: Option<UserId>,
    /// More about it; null: nothing.
    pub payload: Json,
}

pub(crate) fn stored_event(mut row: Row) -> Result<StoredEvent> {
    Ok(StoredEvent {
        id: row.object_id(0)?,
        topic: Topic::parse(row.str(1)?),
        room: row.room_id_opt(2)?,
        seq: row.int_opt(3)?,
        user: row.user_opt(4)?,
        payload: row.text_opt(5)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
    })
}

/// An act takes its ids when it writes, which is a little after the moment it is of.
const IDS_RUN_AHEAD_MS: i64 = 60_000;

fn entry(mut row: Row) -> Result<Entry> {
    let doer = row.text(1)?;
    let actor = row.user_opt(2)?;
    Ok(Entry {
        id: row.object_id(0)?,
        doer: match (doer.as_str(), actor) {
            ("platform", user) => Doer::Platform(user),
            (_, Some(user)) => Doer::User(user),
            (_, None) => Doer::Operator,
        },
        action: row.text(3)?,
        target: row.user_opt(4)?,
        room: row.room_id_opt(5)?,
        at_ms: row.int(6)?,
        address: row.text_opt(7)?,
        detail: row.text_opt(8)?.and_then(|text| serde_json::from_str(&text).ok()),
    })
}

impl View {
    /// Events of the outbox from one id on and before another, in order, at most `limit`.
    pub async fn events(&mut self, from: ObjectId, until: ObjectId, limit: usize) -> Result<Vec<StoredEvent>> {
        let text = "SELECT id, topic, room, seq, user_id, payload FROM events
            WHERE app = $1 AND id >= $2 AND id < $3 ORDER BY id LIMIT $4";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.session.rows(text, binds![self.app, from, until, limit]).await?;
        rows.into_iter().map(stored_event).collect()
    }

    /// A page of the audit, newest first, before an id and of a span of time: from its first millisecond on, the
    /// last one not among it. `None` in the parts of the question: any.
    pub async fn audit(
        &mut self,
        actor: Option<&UserId>,
        target: Option<&UserId>,
        room: Option<&RoomId>,
        action: Option<&str>,
        (before, from_ms, to_ms): (Option<ObjectId>, Option<i64>, Option<i64>),
        limit: usize,
    ) -> Result<Vec<Entry>> {
        let mut values = binds![self.app];
        let mut condition = String::new();
        // Ids lead to the entries, and know seconds alone; an id may be of a moment after its entry's, never before.
        let from = from_ms.map(ObjectId::first_of);
        let to = to_ms.map(|to_ms| ObjectId::first_of(to_ms.saturating_add(IDS_RUN_AHEAD_MS)));
        let before = [before, to].into_iter().flatten().min();
        let parts: [(&str, Option<Value>); 8] = [
            ("actor =", actor.map(Value::from)),
            ("target =", target.map(Value::from)),
            ("room =", room.map(Value::from)),
            ("action =", action.map(Value::from)),
            ("id >=", from.map(Value::from)),
            ("id <", before.map(Value::from)),
            ("at_ms >=", from_ms.map(Value::Int)),
            ("at_ms <", to_ms.map(Value::Int)),
        ];
        for (test, value) in parts {
            if let Some(value) = value {
                values.push(value);
                condition.push_str(&format!(" AND {test} ${}", values.len()));
            }
        }
        values.push(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
        let text = format!(
            "SELECT id, doer, actor, action, target, room, at_ms, address, detail FROM audit
             WHERE app = $1{condition} ORDER BY id DESC LIMIT ${}",
            values.len()
        );
        self.session.rows(&text, values).await?.into_iter().map(entry).collect()
    }

    /// The app's configuration.
    pub async fn config(&mut self) -> Result<Map<String, Json>> {
        let text = "SELECT name, value FROM config WHERE app = $1 ORDER BY name";
        let rows = self.session.rows(text, binds![self.app]).await?;
        rows.into_iter().map(|mut row| Ok((row.text(0)?, row.json(1)?))).collect()
    }
}

impl View {
    /// How far a reader of the outbox has come: the first event he has not read. `None`: he never read.
    pub async fn cursor(&mut self, name: &str) -> Result<Option<ObjectId>> {
        let text = "SELECT next FROM cursors WHERE app = $1 AND name = $2";
        let rows = self.session.rows(text, binds![self.app, name]).await?;
        rows.into_iter().next().map(|mut row| row.object_id(0)).transpose()
    }

    /// The latest id that the outbox or one of its readers knows. `None`: neither knows any.
    pub async fn outbox_newest(&mut self) -> Result<Option<ObjectId>> {
        let events = "SELECT id FROM events WHERE app = $1 ORDER BY id DESC LIMIT 1";
        let cursors = "SELECT next FROM cursors WHERE app = $1 ORDER BY next DESC LIMIT 1";
        let mut newest = None;
        for text in [events, cursors] {
            for mut row in self.session.rows(text, binds![self.app]).await? {
                newest = newest.max(Some(row.object_id(0)?));
            }
        }
        Ok(newest)
    }

    /// One key of the configuration.
    pub async fn config_of(&mut self, name: &str) -> Result<Option<Json>> {
        let text = "SELECT value FROM config WHERE app = $1 AND name = $2";
        let rows = self.session.rows(text, binds![self.app, name]).await?;
        rows.into_iter().next().map(|mut row| row.json(0)).transpose()
    }
}

impl Tx {
    /// Writes an audit entry; `held_ms`: of a lifted relation, how long it held.
    pub async fn insert_audit(&mut self, entry: &Entry, held_ms: Option<i64>) -> Result<()> {
        let (doer, actor) = match &entry.doer {
            Doer::Platform(user) => ("platform", user.as_ref()),
            Doer::Operator => ("operator", None),
            Doer::User(user) => ("user", Some(user)),
        };
        let text = "INSERT INTO audit (app, id, doer, actor, action, target, room, at_ms, address, detail, held_ms)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let values = binds![
            self.view.app,
            entry.id,
            doer,
            actor.map(UserId::as_str),
            entry.action.as_str(),
            entry.target.as_ref().map(UserId::as_str),
            entry.room.as_ref().map(RoomId::as_str),
            entry.at_ms,
            entry.address.as_deref(),
            entry.detail.as_ref().map(Json::to_string),
            held_ms,
        ];
        self.view.session.put(text, values).await
    }

    /// Writes an event into the outbox.
    pub async fn insert_event(&mut self, event: &NewEvent<'_>) -> Result<()> {
        self.put_all([self.event_row(event)]).await
    }

    /// What writes an event into the outbox.
    pub(crate) fn event_row(&self, event: &NewEvent<'_>) -> Statement {
        let text =
            "INSERT INTO events (app, id, topic, room, seq, user_id, payload) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let binds = binds![
            self.view.app,
            event.id,
            event.topic.name(),
            event.room.map(RoomId::as_str),
            event.seq,
            event.user.map(UserId::as_str),
            event.payload.as_ref().map(Json::to_string),
        ];
        Statement { text: text.into(), binds }
    }

    /// A reader of the outbox has read all events before this one.
    pub async fn set_cursor(&mut self, name: &str, next: ObjectId) -> Result<()> {
        let text = "INSERT INTO cursors (app, name, next) VALUES ($1, $2, $3)
            ON CONFLICT (app, name) DO UPDATE SET next = $3";
        self.view.session.put(text, binds![self.view.app, name, next]).await
    }

    /// Deletes events older than an id, at most `limit`; true: there may be more.
    pub async fn prune_events(&mut self, before: ObjectId, limit: i64) -> Result<bool> {
        let text = "DELETE FROM events WHERE app = $1 AND id IN
            (SELECT id FROM events WHERE app = $1 AND id < $2 ORDER BY id LIMIT $3)";
        let gone = self.view.session.run(text, binds![self.view.app, before, limit]).await?;
        Ok(i64::try_from(gone).unwrap_or(limit) >= limit)
    }

    /// Adds to a tally.
    pub async fn add_tally(&mut self, hour_ms: i64, name: &str, count: i64) -> Result<()> {
        let text = "INSERT INTO tallies (app, hour_ms, name, count) VALUES ($1, $2, $3, $4)
            ON CONFLICT (app, hour_ms, name) DO UPDATE SET count = tallies.count + $4";
        self.view.session.put(text, binds![self.view.app, hour_ms, name, count]).await
    }

    /// Sets one key of the configuration.
    pub async fn put_config(&mut self, name: &str, value: &Json) -> Result<()> {
        let text = "INSERT INTO config (app, name, value) VALUES ($1, $2, $3)
            ON CONFLICT (app, name) DO UPDATE SET value = $3";
        self.view.session.put(text, binds![self.view.app, name, value.to_string()]).await
    }

    /// Deletes one key of the configuration. False: there is none.
    pub async fn delete_config(&mut self, name: &str) -> Result<bool> {
        let text = "DELETE FROM config WHERE app = $1 AND name = $2";
        Ok(self.view.session.run(text, binds![self.view.app, name]).await? > 0)
    }
}
