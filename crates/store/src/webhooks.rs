//! Webhooks: whom an app tells by request, and what waits to be told.

use std::collections::HashSet;

use banter_domain::id::ObjectId;
use banter_domain::record::Topic;
use banter_domain::webhook::{HookEvent, Target};

use crate::read::{Read, texts_text};
use crate::records::stored_event;
use crate::sql::{Row, Value, binds};
use crate::{Error, Result, StoredEvent, Tx, View};

/// Where an app is told of moderation, and what its webhooks are signed with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookRow {
    /// Where. `None`: nowhere.
    pub url: Option<String>,
    /// Of what; empty: of everything.
    pub events: Vec<HookEvent>,
    /// Which secret, counted from 1 on; 0: nobody has seen one.
    pub secret_no: i64,
    /// When the secret was last replaced, milliseconds.
    pub rotated_ms: i64,
}

/// Something to be told.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// The id of its event.
    pub id: ObjectId,
    /// Whom.
    pub target: Target,
    /// What it is.
    pub event: HookEvent,
    /// What is sent, to the letter.
    pub body: String,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// It is tried, or waits for those before it.
    Waiting,
    /// It is not tried any more.
    Dead,
    /// It arrived.
    Done,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Dead, Self::Done];

    /// How it is written down.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Dead => "dead",
            Self::Done => "done",
        }
    }

    /// Reads a name. `None`: no such state.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A delivery as it stands.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The id of its event: its place in the order of what its target is told.
    pub id: ObjectId,
    /// Whom.
    pub target: Target,
    /// What it is; `None`: something this version does not know.
    pub event: Option<HookEvent>,
    /// What is sent, to the letter.
    pub body: String,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it failed since it is tried.
    pub failed: u32,
    /// Why it did the last time.
    pub reason: Option<String>,
    /// When it was written, milliseconds.
    pub made_ms: i64,
    /// Since when it is tried, milliseconds.
    pub since_ms: i64,
    /// When it is to be tried next, milliseconds.
    pub due_ms: i64,
}

/// So many rows are read at once where all are looked at.
const STEP: i64 = 1_000;

const DELIVERY: &str = "d.id, d.target, d.event, d.body, d.state, d.failed, d.reason, d.made_ms, d.since_ms, d.due_ms";

fn target_text(target: &Target) -> &str {
    match target {
        Target::App => "",
        Target::Room(room) => room.as_str(),
    }
}

fn target(row: &mut Row, at: usize) -> Result<Target> {
    if row.str(at)?.is_empty() { Ok(Target::App) } else { row.room_id(at).map(Target::Room) }
}

fn delivery(mut row: Row) -> Result<Delivery> {
    Ok(Delivery {
        id: row.object_id(0)?,
        target: target(&mut row, 1)?,
        event: HookEvent::parse(row.str(2)?),
        body: row.text(3)?,
        state: DeliveryState::parse(row.str(4)?)
            .ok_or_else(|| Error::Corrupt("a delivery in no known state".to_owned()))?,
        failed: u32::try_from(row.int(5)?).unwrap_or(u32::MAX),
        reason: row.text_opt(6)?,
        made_ms: row.int(7)?,
        since_ms: row.int(8)?,
        due_ms: row.int(9)?,
    })
}

impl View {
    /// Where the app is told of moderation. `None`: it never said.
    pub async fn webhook(&mut self) -> Result<Option<HookRow>> {
        let text = "SELECT url, events, secret_no, rotated_ms FROM webhooks WHERE app = $1";
        let rows = self.session.rows(text, binds![self.app]).await?;
        let read = |mut row: Row| {
            Ok(HookRow {
                url: row.text_opt(0)?,
                events: row.texts(1)?.iter().filter_map(|name| HookEvent::parse(name)).collect(),
                secret_no: row.int(2)?,
                rotated_ms: row.int(3)?,
            })
        };
        rows.into_iter().next().map(read).transpose()
    }

    /// Of all apps, how far a reader of the outbox has come in each where he reads.
    pub async fn cursors(&mut self, name: &str) -> Result<Vec<(i64, ObjectId)>> {
        let text = "SELECT app, next FROM cursors WHERE name = $1";
        let rows = self.session.rows(text, binds![name]).await?;
        rows.into_iter().map(|mut row| Ok((row.int(0)?, row.object_id(1)?))).collect()
    }

    /// Events that a webhook may be told of, from one id on and before another, in order, at most `limit`:
    /// moderation, and what happened in rooms that have one.
    pub async fn hook_events(&mut self, from: ObjectId, until: ObjectId, limit: usize) -> Result<Vec<StoredEvent>> {
        let named = |topics: &[Topic]| topics.iter().map(|topic| topic.name().to_owned()).collect::<Vec<_>>();
        let text = "SELECT ev.id, ev.topic, ev.room, ev.seq, ev.user_id, ev.payload
            FROM events ev LEFT JOIN rooms r ON r.app = ev.app AND r.id = ev.room
            WHERE ev.app = $1 AND ev.id >= $2 AND ev.id < $3 AND (ev.topic = ANY($4)
                OR (ev.topic = $5 AND ev.payload IS NOT NULL) OR (ev.topic = ANY($6) AND r.webhook <> ''))
            ORDER BY ev.id LIMIT $7";
        let values = binds![
            self.app,
            from,
            until,
            named(&[Topic::Block, Topic::Ban, Topic::Refused]),
            Topic::Room.name(),
            named(&[Topic::Message, Topic::Joined, Topic::Left]),
            i64::try_from(limit).unwrap_or(i64::MAX),
        ];
        self.session.rows(text, values).await?.into_iter().map(stored_event).collect()
    }

    /// The next thing a target is to be told.
    pub async fn next_delivery(&mut self, target: &Target) -> Result<Option<Delivery>> {
        let text = format!(
            "SELECT {DELIVERY} FROM deliveries d WHERE d.app = $1 AND d.target = $2 AND d.state = 'waiting'
             ORDER BY d.id LIMIT 1"
        );
        let rows = self.session.rows(&text, binds![self.app, target_text(target)]).await?;
        rows.into_iter().next().map(delivery).transpose()
    }

    /// Who is to be told something.
    pub async fn waiting_targets(&mut self) -> Result<HashSet<Target>> {
        let text = "SELECT d.id, d.target FROM deliveries d WHERE d.app = $1 AND d.state = 'waiting' AND d.id >= $2
            ORDER BY d.id LIMIT $3";
        let (mut all, mut from) = (HashSet::new(), ObjectId::first_of(0));
        loop {
            let rows = self.session.rows(text, binds![self.app, from, STEP]).await?;
            let more = rows.len() >= STEP as usize;
            for mut row in rows {
                from = row.object_id(0)?.successor();
                all.insert(target(&mut row, 1)?);
            }
            if !more {
                return Ok(all);
            }
        }
    }

    /// A page of deliveries, newest first, before one of them. `None`: in any state; from the first on.
    pub async fn deliveries(
        &mut self,
        state: Option<DeliveryState>,
        before: Option<ObjectId>,
        limit: usize,
    ) -> Result<Vec<Delivery>> {
        let mut values = binds![self.app, i64::try_from(limit).unwrap_or(i64::MAX)];
        let mut condition = String::new();
        let parts = [("state =", state.map(|state| Value::from(state.name()))), ("id <", before.map(Value::from))];
        for (test, value) in parts {
            if let Some(value) = value {
                values.push(value);
                condition.push_str(&format!(" AND d.{test} ${}", values.len()));
            }
        }
        let text =
            format!("SELECT {DELIVERY} FROM deliveries d WHERE d.app = $1{condition} ORDER BY d.id DESC LIMIT $2");
        self.session.rows(&text, values).await?.into_iter().map(delivery).collect()
    }

    /// How many of the app's deliveries wait, and how many are dead.
    pub async fn count_deliveries(&mut self) -> Result<(i64, i64)> {
        let count = "SELECT count(*) FROM deliveries d WHERE d.app = $1 AND d.state = $2";
        let mut counts = [0, 0];
        for (slot, state) in counts.iter_mut().zip([DeliveryState::Waiting, DeliveryState::Dead]) {
            let rows = self.session.rows(count, binds![self.app, state.name()]).await?;
            *slot = rows.first().map_or(Ok(0), |row| row.int(0))?;
        }
        let [waiting, dead] = counts;
        Ok((waiting, dead))
    }

    /// The same of all apps, and when the oldest that waits was written.
    pub async fn count_deliveries_everywhere(&mut self) -> Result<(i64, i64, Option<i64>)> {
        let count = "SELECT count(*), MIN(d.made_ms) FROM deliveries d WHERE d.state = $1";
        let mut counts = [(0, None); 2];
        for (slot, state) in counts.iter_mut().zip([DeliveryState::Waiting, DeliveryState::Dead]) {
            if let Some(row) = self.session.rows(count, binds![state.name()]).await?.first() {
                *slot = (row.int(0)?, row.int_opt(1)?);
            }
        }
        let [(waiting, oldest_ms), (dead, _)] = counts;
        Ok((waiting, dead, oldest_ms))
    }
}

impl Tx {
    /// Where the app is told of moderation; held until this transaction ends.
    pub async fn lock_webhook(&mut self) -> Result<HookRow> {
        let insert = "INSERT INTO webhooks (app) VALUES ($1) ON CONFLICT DO NOTHING";
        self.view.session.put(insert, binds![self.view.app]).await?;
        let lock = "SELECT app FROM webhooks WHERE app = $1 FOR UPDATE";
        self.view.session.rows(lock, binds![self.view.app]).await?;
        Ok(self.view.webhook().await?.unwrap_or_default())
    }

    /// Says where the app is told of moderation. Its row is to be locked.
    pub async fn save_webhook(&mut self, row: &HookRow) -> Result<()> {
        let names: Vec<String> = row.events.iter().map(|event| event.name().to_owned()).collect();
        let text = "UPDATE webhooks SET url = $2, events = $3, secret_no = $4, rotated_ms = $5 WHERE app = $1";
        let values = binds![self.view.app, row.url.as_deref(), texts_text(&names), row.secret_no, row.rotated_ms];
        self.view.session.put(text, values).await
    }

    /// A reader of the outbox begins with this event, unless he reads already.
    pub async fn begin_cursor(&mut self, name: &str, next: ObjectId) -> Result<()> {
        let text = "INSERT INTO cursors (app, name, next) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        self.view.session.put(text, binds![self.view.app, name, next]).await
    }

    /// Moves a reader of the outbox on, if he is where he is thought to be. False: he is elsewhere.
    pub async fn move_cursor(&mut self, name: &str, from: ObjectId, next: ObjectId) -> Result<bool> {
        let text = "UPDATE cursors SET next = $4 WHERE app = $1 AND name = $2 AND next = $3";
        Ok(self.view.session.run(text, binds![self.view.app, name, from, next]).await? > 0)
    }

    /// Writes what is to be told.
    pub async fn insert_delivery(&mut self, new: &NewDelivery, now_ms: i64) -> Result<()> {
        let text = "INSERT INTO deliveries (app, id, target, event, body, made_ms, since_ms, due_ms)
            VALUES ($1, $2, $3, $4, $5, $6, $6, $6)";
        let values =
            binds![self.view.app, new.id, target_text(&new.target), new.event.name(), new.body.as_str(), now_ms];
        self.view.session.put(text, values).await
    }

    /// A delivery has arrived. What was told to a room's webhook goes; what the app's own was told stays, so
    /// that it can be told again. False: it does not wait, and nothing was done.
    pub async fn end_delivery(&mut self, id: ObjectId, target: &Target) -> Result<bool> {
        let text = match target {
            Target::Room(_) => "DELETE FROM deliveries WHERE app = $1 AND id = $2 AND state = 'waiting'",
            Target::App => {
                "UPDATE deliveries SET state = 'done', reason = NULL WHERE app = $1 AND id = $2 AND state = 'waiting'"
            }
        };
        Ok(self.view.session.run(text, binds![self.view.app, id]).await? > 0)
    }

    /// A delivery has failed, and is tried again later.
    pub async fn put_off_delivery(&mut self, id: ObjectId, reason: &str, due_ms: i64) -> Result<()> {
        let text = "UPDATE deliveries SET failed = failed + 1, reason = $3, due_ms = $4
            WHERE app = $1 AND id = $2 AND state = 'waiting'";
        self.view.session.put(text, binds![self.view.app, id, reason, due_ms]).await
    }

    /// A delivery is not tried any more, and neither are those behind it that are tried since `before_ms`
    /// or longer. How many these are.
    pub async fn bury_delivery(&mut self, id: ObjectId, target: &Target, reason: &str, before_ms: i64) -> Result<u64> {
        let text = "UPDATE deliveries SET state = 'dead', failed = failed + 1, reason = $3
            WHERE app = $1 AND id = $2 AND state = 'waiting'";
        let buried = self.view.session.run(text, binds![self.view.app, id, reason]).await?;
        let text = "UPDATE deliveries SET state = 'dead', reason = $3
            WHERE app = $1 AND target = $2 AND state = 'waiting' AND since_ms <= $4";
        let values = binds![self.view.app, target_text(target), reason, before_ms];
        Ok(buried + self.view.session.run(text, values).await?)
    }

    /// A delivery is tried from now on, whatever became of it before. `None`: there is none.
    pub async fn revive_delivery(&mut self, id: ObjectId, now_ms: i64) -> Result<Option<Delivery>> {
        let text = "UPDATE deliveries SET state = 'waiting', failed = 0, since_ms = $3, due_ms = $3
            WHERE app = $1 AND id = $2";
        self.view.session.put(text, binds![self.view.app, id, now_ms]).await?;
        let text = format!("SELECT {DELIVERY} FROM deliveries d WHERE d.app = $1 AND d.id = $2");
        let rows = self.view.session.rows(&text, binds![self.view.app, id]).await?;
        rows.into_iter().next().map(delivery).transpose()
    }

    /// Deletes deliveries of events older than an id that do not wait, at most `limit` of each state; true:
    /// there may be more.
    pub async fn prune_deliveries(&mut self, before: ObjectId, limit: i64) -> Result<bool> {
        let text = "DELETE FROM deliveries WHERE app = $1 AND id IN (SELECT d.id FROM deliveries d
            WHERE d.app = $1 AND d.state = $2 AND d.id < $3 ORDER BY d.id LIMIT $4)";
        let mut more = false;
        for state in [DeliveryState::Dead, DeliveryState::Done] {
            let gone = self.view.session.run(text, binds![self.view.app, state.name(), before, limit]).await?;
            more |= i64::try_from(gone).unwrap_or(limit) >= limit;
        }
        Ok(more)
    }
}
