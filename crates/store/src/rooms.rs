//! Rooms, pairs, and the locks both are changed under.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use banter_domain::id::{ObjectId, Pair, RoomId, UserId};
use banter_domain::room::{Room, RoomKind};

use crate::messages::NewMessage;
use crate::read::{Read, texts_text};
use crate::sabotage::{self, Lock};
use crate::sql::{Row, Statement, Value, binds};
use crate::{EngineKind, Error, Result, Ties, Tx, View};

/// The columns [`room`] reads, of a table spelt `r`.
pub(crate) const ROOM: &str = "r.id, r.kind, r.low, r.high, r.owner, r.name, r.cover, r.description, r.tags, r.webhook,
    r.bot_mode, r.ext_params, r.frozen, r.closed, r.last_seq, r.last_count, r.total, r.last_message,
    r.last_message_ms, r.pinned, r.created_ms, r.secret, r.bot_state, r.webhook_by";

/// How many columns [`ROOM`] names.
pub(crate) const ROOM_COLUMNS: usize = 24;

/// Reads a room from the columns that begin at `from`.
pub(crate) fn room(row: &mut Row, from: usize) -> Result<Room> {
    let kind = match row.str(from + 1)? {
        "direct" => {
            let pair = Pair::of(&row.user(from + 2)?, &row.user(from + 3)?);
            RoomKind::Direct(pair.ok_or_else(|| Error::Corrupt("a direct room of one".to_owned()))?)
        }
        "group" => RoomKind::Group,
        _ => RoomKind::Custom,
    };
    Ok(Room {
        id: row.room_id(from)?,
        kind,
        owner: row.user_opt(from + 4)?,
        name: row.text_opt(from + 5)?,
        cover: row.text_opt(from + 6)?,
        description: row.text_opt(from + 7)?,
        tags: row.texts(from + 8)?,
        webhook: row.text_opt(from + 9)?,
        bot_mode: row.flag(from + 10)?,
        ext_params: row.text_opt(from + 11)?,
        frozen: row.flag(from + 12)?,
        closed: row.flag(from + 13)?,
        last_seq: row.int(from + 14)?,
        last_count: row.int(from + 15)?,
        total: row.int(from + 16)?,
        last_message: row.int_opt(from + 17)?,
        last_message_ms: row.int(from + 18)?,
        pinned: row.object_id_opt(from + 19)?,
        created_ms: row.int(from + 20)?,
        secret: row.flag(from + 21)?,
        bot_state: row.text(from + 22)?,
        webhook_by: row.user_opt(from + 23)?,
    })
}

/// Is it a direct room that one of its two does not see yet?
pub(crate) const CONCEALED: &str =
    "CASE WHEN r.kind = 'direct' THEN EXISTS (SELECT 1 FROM members h WHERE h.app = r.app
        AND h.room = r.id AND h.hidden = 1) ELSE FALSE END";

static LOCK: LazyLock<String> = LazyLock::new(|| {
    let lock = if sabotage::removed(Lock::Room) { "" } else { " FOR UPDATE" };
    format!("SELECT {ROOM}, {CONCEALED} FROM rooms r WHERE r.app = $1 AND r.id = $2{lock}")
});

/// A room that is locked until its transaction ends: the proof that every change to it asks for.
#[derive(Debug)]
pub struct LockedRoom {
    /// The room as it is under the lock, kept in step with what is written through it.
    pub(crate) room: Room,
    /// A direct room that one of its two does not see yet.
    pub(crate) concealed: bool,
}

impl LockedRoom {
    /// Takes the next place for a message, and returns it with the message's time.
    pub(crate) fn count(&mut self, new: &NewMessage) -> (i64, i64) {
        let room = &mut self.room;
        let at_ms = new.now_ms.max(room.last_message_ms);
        room.last_seq += 1;
        room.last_count += i64::from(new.counts);
        room.total += 1;
        room.last_message = Some(room.last_seq);
        room.last_message_ms = at_ms;
        (room.last_seq, at_ms)
    }

    /// Is it a direct room that one of its two does not see yet?
    #[must_use]
    pub fn is_concealed(&self) -> bool {
        self.concealed
    }
}

impl std::ops::Deref for LockedRoom {
    type Target = Room;

    fn deref(&self) -> &Room {
        &self.room
    }
}

/// A pair of users that is locked until its transaction ends.
#[derive(Debug)]
pub struct LockedPair {
    /// Which pair.
    pub(crate) pair: Pair,
    /// The room of the pair, if it has one.
    pub room: Option<RoomId>,
}

impl LockedPair {
    /// Which pair.
    #[must_use]
    pub fn pair(&self) -> &Pair {
        &self.pair
    }
}

pub(crate) fn locked(rows: Vec<Row>) -> Result<Option<LockedRoom>> {
    rows.into_iter().next().map(locked_row).transpose()
}

pub(crate) fn locked_row(mut row: Row) -> Result<LockedRoom> {
    Ok(LockedRoom { room: room(&mut row, 0)?, concealed: row.flag(ROOM_COLUMNS)? })
}

/// What a new room begins with.
pub type NewRoomRow = Room;

impl View {
    /// One room.
    pub async fn room(&mut self, id: &RoomId) -> Result<Option<Room>> {
        let text = format!("SELECT {ROOM} FROM rooms r WHERE r.app = $1 AND r.id = $2");
        let rows = self.session.rows(&text, binds![self.app, id]).await?;
        rows.into_iter().next().map(|mut row| room(&mut row, 0)).transpose()
    }

    /// The room of a pair: where its blocks stand and where "open a direct room" leads.
    pub async fn pair_room(&mut self, pair: &Pair) -> Result<Option<RoomId>> {
        let [low, high] = pair.both();
        let text = "SELECT room FROM pairs WHERE app = $1 AND low = $2 AND high = $3";
        let rows = self.session.rows(text, binds![self.app, low, high]).await?;
        rows.into_iter().next().map_or(Ok(None), |mut row| row.room_id_opt(0))
    }
}

impl Tx {
    /// Locks a room until this transaction ends, and its pair before it if it is a direct one.
    /// Everything read after it stays true until then. `None`: no such room.
    pub async fn lock_room(&mut self, id: &RoomId) -> Result<Option<LockedRoom>> {
        let statements = self.locking(id);
        let answers = self.view.session.batch(statements).await?;
        answers.into_iter().next_back().map_or(Ok(None), locked)
    }

    /// What locks a room, and its pair before it.
    pub(crate) fn locking(&self, id: &RoomId) -> Vec<Statement> {
        let app = self.view.app;
        let mut statements = Vec::with_capacity(3);
        if self.view.kind == EngineKind::Postgres && !sabotage::removed(Lock::Pair) {
            // A room's pair never changes, so it can be read without the room's lock.
            statements.push(Statement {
                text: "SELECT p.low FROM rooms r JOIN pairs p ON p.app = r.app AND p.low = r.low AND p.high = r.high
                    WHERE r.app = $1 AND r.id = $2 FOR UPDATE OF p"
                    .into(),
                binds: binds![app, id],
            });
        }
        statements.push(Statement { text: LOCK.as_str().into(), binds: binds![app, id] });
        statements
    }

    /// Locks a pair until this transaction ends. Pairs are locked before rooms.
    pub async fn lock_pair(&mut self, pair: &Pair) -> Result<LockedPair> {
        let [low, high] = pair.both();
        let app = self.view.app;
        let insert = "INSERT INTO pairs (app, low, high, room) VALUES ($1, $2, $3, NULL) ON CONFLICT DO NOTHING";
        self.view.session.put(insert, binds![app, low, high]).await?;
        let text = if sabotage::removed(Lock::Pair) {
            "SELECT room FROM pairs WHERE app = $1 AND low = $2 AND high = $3"
        } else {
            "SELECT room FROM pairs WHERE app = $1 AND low = $2 AND high = $3 FOR UPDATE"
        };
        let mut rows = self.view.session.rows(text, binds![app, low, high]).await?;
        let room = rows.first_mut().map_or(Ok(None), |row| row.room_id_opt(0))?;
        Ok(LockedPair { pair: pair.clone(), room })
    }

    /// Locks a pair of whom one is to block the other, and every pair in whose room that holds too, because one of the two
    /// is a user group that has one of them in it: whoever speaks there holds that room's own pair.
    pub async fn lock_pairs_of_block(&mut self, pair: &Pair) -> Result<LockedPair> {
        let mut pairs = BTreeSet::from([pair.clone()]);
        if self.view.kind == EngineKind::Postgres {
            let [low, high] = pair.both();
            let (mut lows, mut highs) = (vec![low.clone()], vec![high.clone()]);
            let text = "SELECT user_id, grp FROM group_members WHERE app = $1 AND user_id = ANY($2)";
            let both = [low.clone(), high.clone()];
            for mut row in self.view.session.rows(text, binds![self.view.app, both.as_slice()]).await? {
                let (user, group) = (row.user(0)?, row.user(1)?);
                if user == *low { lows.push(group) } else { highs.push(group) }
            }
            pairs.extend(lows.iter().flat_map(|low| highs.iter().filter_map(|high| Pair::of(low, high))));
        }
        let mut own = None;
        for one in &pairs {
            let locked = self.lock_pair(one).await?;
            if one == pair {
                own = Some(locked);
            }
        }
        own.ok_or_else(|| Error::Database("a pair is not among its own".to_owned()))
    }

    /// Locks the pairs of a user with others, so that what is read of blocks between them stays true
    /// until this transaction ends. Where all writes wait for each other anyway it has nothing to do.
    pub async fn lock_pairs(&mut self, user: &UserId, others: &[UserId]) -> Result<()> {
        if self.view.kind == EngineKind::Postgres {
            let mut pairs: Vec<Pair> = others.iter().filter_map(|other| Pair::of(user, other)).collect();
            pairs.sort();
            pairs.dedup();
            for pair in &pairs {
                self.lock_pair(pair).await?;
            }
        }
        Ok(())
    }

    /// Says which room is the pair's.
    pub async fn set_pair_room(&mut self, pair: &mut LockedPair, room: Option<&RoomId>) -> Result<()> {
        let [low, high] = pair.pair.both();
        let text = "UPDATE pairs SET room = $4 WHERE app = $1 AND low = $2 AND high = $3";
        let values = binds![self.view.app, low, high, room.map_or(Value::Null, Value::from)];
        pair.room = room.cloned();
        self.view.session.put(text, values).await
    }

    /// Writes a new room and locks it. `None`: the id is taken.
    pub async fn insert_room(&mut self, new: &NewRoomRow) -> Result<Option<LockedRoom>> {
        let pair = new.kind.pair().map(Pair::both);
        let text = "INSERT INTO rooms (app, id, kind, low, high, owner, name, cover, description, tags, webhook,
                bot_mode, ext_params, frozen, closed, last_seq, created_ms, secret, webhook_by)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
            ON CONFLICT DO NOTHING";
        let values = binds![
            self.view.app,
            &new.id,
            new.kind.name(),
            pair.map(|[low, _]| low.as_str()),
            pair.map(|[_, high]| high.as_str()),
            new.owner.as_ref().map(UserId::as_str),
            new.name.as_deref(),
            new.cover.as_deref(),
            new.description.as_deref(),
            texts_text(&new.tags),
            new.webhook.as_deref(),
            new.bot_mode,
            new.ext_params.as_deref(),
            new.frozen,
            new.closed,
            new.last_seq,
            new.created_ms,
            new.secret,
            new.webhook_by.as_ref().map(UserId::as_str),
        ];
        if self.view.session.run(text, values).await? == 0 {
            return Ok(None);
        }
        let made = LockedRoom { room: new.clone(), concealed: false };
        if new.kind.is_direct() {
            return Ok(Some(made));
        }
        // A ban outlives its room, and holds again in a new one of the same id, from now on.
        let again = "UPDATE relations SET listed = 1, room_created_ms = $3, room_kind = $4,
                updated_ms = CASE WHEN listed = 0 THEN GREATEST($3, updated_ms + 1) ELSE updated_ms END
            WHERE app = $1 AND room = $2 AND kind = 'ban' AND lifted_ms IS NULL";
        let values = binds![self.view.app, &new.id, new.created_ms, new.kind.name()];
        self.view.session.put(again, values).await?;
        Ok(Some(made))
    }

    /// Writes what a room is called and shows, who owns it, and whether it is frozen or closed.
    pub async fn save_room(&mut self, locked: &mut LockedRoom, room: Room) -> Result<()> {
        let text = "UPDATE rooms SET owner = $3, name = $4, cover = $5, description = $6, tags = $7, webhook = $8,
                bot_mode = $9, ext_params = $10, frozen = $11, closed = $12, last_seq = $13, webhook_by = $14
            WHERE app = $1 AND id = $2";
        let values = binds![
            self.view.app,
            &locked.room.id,
            room.owner.as_ref().map(UserId::as_str),
            room.name.as_deref(),
            room.cover.as_deref(),
            room.description.as_deref(),
            texts_text(&room.tags),
            room.webhook.as_deref(),
            room.bot_mode,
            room.ext_params.as_deref(),
            room.frozen,
            room.closed,
            room.last_seq,
            room.webhook_by.as_ref().map(UserId::as_str),
        ];
        locked.room = room;
        self.view.session.put(text, values).await
    }

    /// Remembers what the room's robot says its state is.
    pub async fn set_bot_state(&mut self, locked: &mut LockedRoom, state: &str) -> Result<()> {
        state.clone_into(&mut locked.room.bot_state);
        let text = "UPDATE rooms SET bot_state = $3 WHERE app = $1 AND id = $2";
        self.view.session.put(text, binds![self.view.app, &locked.room.id, state]).await
    }

    /// Takes the next place in the room's order, for a ban or a freeze.
    pub async fn take_place(&mut self, locked: &mut LockedRoom) -> Result<i64> {
        locked.room.last_seq += 1;
        let text = "UPDATE rooms SET last_seq = $3 WHERE app = $1 AND id = $2";
        let values = binds![self.view.app, &locked.room.id, locked.room.last_seq];
        self.view.session.put(text, values).await?;
        Ok(locked.room.last_seq)
    }

    /// Pins a message, or none.
    pub async fn set_pinned(&mut self, locked: &mut LockedRoom, message: Option<ObjectId>) -> Result<()> {
        locked.room.pinned = message;
        let text = "UPDATE rooms SET pinned = $3 WHERE app = $1 AND id = $2";
        let values = binds![self.view.app, &locked.room.id, message];
        self.view.session.put(text, values).await
    }

    /// Deletes a room with its messages, files and mutes. Its bans leave the lists, as of now, and stay on record
    /// the blocks of a pair do not depend on its room.
    pub async fn delete_room(&mut self, locked: LockedRoom, at_ms: i64) -> Result<()> {
        self.forget_messages(&locked).await?;
        self.untie_files(&locked, Ties::All).await?;
        let bans = "UPDATE relations SET listed = 0, updated_ms = GREATEST($3, updated_ms + 1)
            WHERE app = $1 AND room = $2 AND kind = 'ban' AND listed = 1";
        self.view.session.put(bans, binds![self.view.app, &locked.room.id, at_ms]).await?;
        for text in [
            "UPDATE pairs SET room = NULL WHERE app = $1 AND room = $2
                AND low = (SELECT low FROM rooms WHERE app = $1 AND id = $2)
                AND high = (SELECT high FROM rooms WHERE app = $1 AND id = $2)",
            "DELETE FROM invitations WHERE app = $1 AND room = $2",
            "DELETE FROM group_prefs WHERE app = $1 AND room = $2",
            "DELETE FROM members WHERE app = $1 AND room = $2",
            "DELETE FROM mutes WHERE app = $1 AND room = $2",
            // Another room may get the id, and its webhook must not hear of this one.
            "DELETE FROM deliveries WHERE app = $1 AND target = $2",
            "DELETE FROM rooms WHERE app = $1 AND id = $2",
        ] {
            self.view.session.put(text, binds![self.view.app, &locked.room.id]).await?;
        }
        Ok(())
    }

    /// Gives a room another id: a hidden room makes way for one that claims its id. Such a
    /// room holds no message.
    pub async fn rename_room(&mut self, pair: &mut LockedPair, locked: &mut LockedRoom, id: &RoomId) -> Result<()> {
        for text in [
            "UPDATE rooms SET id = $3 WHERE app = $1 AND id = $2",
            "UPDATE members SET room = $3 WHERE app = $1 AND room = $2",
            "UPDATE mutes SET room = $3 WHERE app = $1 AND room = $2",
            "UPDATE file_rooms SET room = $3 WHERE app = $1 AND room = $2",
            "UPDATE relations SET room = $3 WHERE app = $1 AND room = $2 AND kind = 'block'",
        ] {
            self.view.session.put(text, binds![self.view.app, &locked.room.id, id]).await?;
        }
        if pair.room.as_ref() == Some(&locked.room.id) {
            self.set_pair_room(pair, Some(id)).await?;
        }
        locked.room.id = id.clone();
        Ok(())
    }

    /// A room that a block made was opened: from now on it is a room like any other.
    pub async fn end_secret(&mut self, locked: &mut LockedRoom) -> Result<()> {
        locked.room.secret = false;
        let text = "UPDATE rooms SET secret = 0 WHERE app = $1 AND id = $2";
        self.view.session.put(text, binds![self.view.app, &locked.room.id]).await
    }
}
