//! How users stand in rooms, and the lock under which it is asked of several.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use banter_domain::id::{RoomId, UserId};
use banter_domain::room::{Role, Room, Standing};

use crate::read::Read;
use crate::rooms::{CONCEALED, LockedRoom, ROOM, ROOM_COLUMNS, locked, locked_row, room};
use crate::sabotage::{self, Lock};
use crate::sends::Speakers;
use crate::sql::{Row, Statement, binds};
use crate::users::{USER, USER_COLUMNS};
use crate::{EngineKind, Entered, Result, Tx, View};

/// How a user stands in a room, in one question. `$2` the room, `$3` the user. `CASE`, because SQLite
/// asks both sides of an `AND` in a column: it would look through all members of a group. `CROSS JOIN`, because it
/// looks from left to right then: from the user's few groups, and not from the room's many members. The fifth is about
/// the user groups that bring him: none (NULL), all of them banned (1), or not all (0).
const STANDING_COLUMNS: &str = "r.owner, m.member, m.manager, m.hidden,
        (SELECT MIN(CASE WHEN r.kind <> 'direct' AND EXISTS (SELECT 1 FROM relations b WHERE b.app = g.app
                AND b.kind = 'ban' AND b.room = r.id AND b.blockee = g.grp AND b.lifted_ms IS NULL) THEN CAST(1 AS BIGINT) ELSE 0 END)
            FROM group_members g CROSS JOIN members gm WHERE g.app = r.app AND g.user_id = $3
            AND gm.app = g.app AND gm.room = r.id AND gm.user_id = g.grp AND gm.member = 1 AND gm.hidden = 0),
        CASE WHEN r.kind <> 'direct' THEN EXISTS (SELECT 1 FROM relations b WHERE b.app = r.app AND b.kind = 'ban'
            AND b.room = r.id AND b.blockee = $3 AND b.lifted_ms IS NULL) ELSE FALSE END,
        CASE WHEN r.kind = 'direct' THEN
            EXISTS (SELECT 1 FROM relations b WHERE b.app = r.app AND b.kind = 'block'
                AND b.blocker IN ($3, r.low, r.high) AND b.blockee IN ($3, r.low, r.high) AND b.lifted_ms IS NULL
                AND ($3 IN (r.low, r.high) OR $3 NOT IN (b.blocker, b.blockee) OR NOT EXISTS (SELECT 1
                    FROM group_members o WHERE o.app = b.app AND o.user_id = $3 AND o.grp IN (b.blocker, b.blockee))))
            OR EXISTS (SELECT 1 FROM group_members g CROSS JOIN relations b WHERE g.app = r.app
                AND g.grp IN (r.low, r.high) AND b.app = g.app AND b.kind = 'block'
                AND b.blocker IN ($3, g.user_id) AND b.blockee IN ($3, g.user_id) AND b.lifted_ms IS NULL
                AND NOT EXISTS (SELECT 1 FROM group_members o WHERE o.app = g.app AND o.grp = g.grp AND o.user_id = $3))
            ELSE FALSE END,
        r.secret = 1 AND m.user_id IS NULL,
        CASE WHEN r.kind = 'direct' THEN $3 IN (r.low, r.high) ELSE FALSE END";
const STANDING_FROM: &str = "FROM rooms r LEFT JOIN members m ON m.app = r.app AND m.room = r.id AND m.user_id = $3
    WHERE r.app = $1 AND r.id = $2";

static STANDING: LazyLock<String> = LazyLock::new(|| format!("SELECT {STANDING_COLUMNS} {STANDING_FROM}"));
static ROOM_AND_STANDING: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {ROOM}, {STANDING_COLUMNS} {STANDING_FROM}"));

static LOCKED_AND_STANDING: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {ROOM}, {CONCEALED}, {STANDING_COLUMNS} {STANDING_FROM}"));

/// Whose token `$4` is, if it is alive at `$5`, and how he, `$3`, stands in the room.
static ENTERED_AND_STANDING: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {USER}, {STANDING_COLUMNS} FROM tokens t CROSS JOIN users u CROSS JOIN rooms r
         LEFT JOIN members m ON m.app = r.app AND m.room = r.id AND m.user_id = $3
         WHERE t.app = $1 AND t.hash = $4 AND t.expires_ms > $5 AND u.app = t.app AND u.id = t.user_id
         AND r.app = $1 AND r.id = $2"
    )
});

/// As [`STANDING`], of several users in several rooms at once; where and who it is comes first. `OFFSET 0` keeps PostgreSQL
/// from joining: however many are in the room, each of the few is looked up.
static STANDINGS: LazyLock<String> = LazyLock::new(|| {
    let columns = STANDING_COLUMNS.replace("$3", "u.id");
    format!(
        "SELECT r.id, u.id, {columns} FROM (SELECT unnest(CAST($2 AS TEXT[])) AS room, unnest(CAST($3 AS TEXT[])) AS id) u
         CROSS JOIN LATERAL (SELECT x.* FROM rooms x WHERE x.app = $1 AND x.id = u.room OFFSET 0) r
         LEFT JOIN LATERAL (SELECT x.member, x.manager, x.hidden, x.user_id FROM members x
            WHERE x.app = r.app AND x.room = r.id AND x.user_id = u.id OFFSET 0) m ON TRUE"
    )
});

/// Reads a standing from the columns that begin at `from`.
fn standing(row: &mut Row, from: usize, user: &UserId) -> Result<Standing> {
    let owner = row.user_opt(from)?.as_ref() == Some(user);
    let own = row.int_opt(from + 1)? == Some(1);
    let manager = row.int_opt(from + 2)? == Some(1);
    let brought = row.int_opt(from + 4)?;
    let member = own || brought.is_some();
    Ok(Standing {
        role: match (owner, member) {
            (true, _) => Some(Role::Owner),
            (false, true) if own && manager => Some(Role::Manager),
            (false, true) => Some(Role::Member),
            (false, false) => None,
        },
        member,
        in_group_only: member && !own,
        // Whom only banned user groups bring is banned with them.
        banned: row.flag(from + 5)? || (!own && brought == Some(1)),
        // One of the two may be a user group: a block of the two holds for all of its people, and a block between
        // somebody and one of the other side's people for him. It is nothing to those who are not in the room.
        blocked: row.flag(from + 6)? && (member || row.int_opt(from + 1)?.is_some() || row.flag(from + 8)?),
        // What a block made is hidden from everybody who is not in it: a second account, or a
        // friend, could tell the blocked side.
        hidden: row.int_opt(from + 3)? == Some(1) || row.flag(from + 7)?,
    })
}

/// Rooms that could be locked, and how some stand there.
pub(crate) struct LockedAll {
    pub(crate) rooms: HashMap<RoomId, LockedRoom>,
    pub(crate) standings: HashMap<(RoomId, UserId), Standing>,
}

/// Reads the answers to [`Tx::locking_all`].
pub(crate) fn locked_all(mut answers: impl Iterator<Item = Vec<Row>>, waits: bool) -> Result<LockedAll> {
    let mut next = || answers.next().unwrap_or_default().into_iter();
    let paired = next().map(|mut row| row.room_id(0)).collect::<Result<HashSet<_>>>()?;
    let mut rooms = HashMap::new();
    for row in next() {
        let locked = locked_row(row)?;
        // Whoever has the pair may be about to block.
        let pair_is_had = waits || paired.contains(&locked.room.id) || sabotage::removed(Lock::Pair);
        if pair_is_had || !locked.room.kind.is_direct() {
            rooms.insert(locked.room.id.clone(), locked);
        }
    }
    let read = |mut row: Row| {
        let user = row.user(1)?;
        let standing = standing(&mut row, 2, &user)?;
        Ok(((row.room_id(0)?, user), standing))
    };
    Ok(LockedAll { rooms, standings: next().map(read).collect::<Result<HashMap<_, _>>>()? })
}

/// Reads the answer to [`Tx::entering_where`].
pub(crate) fn entered_where(rows: Vec<Row>, user: &UserId) -> Result<(Option<Entered>, Standing)> {
    let Some(mut row) = rows.into_iter().next() else { return Ok((None, Standing::default())) };
    let standing = standing(&mut row, USER_COLUMNS, user)?;
    Ok((Some(Entered { user: crate::users::user(&mut row, 0)?, words: None }), standing))
}

impl View {
    /// How a user stands in a room. A room that is not there gives the standing of nobody.
    pub async fn standing(&mut self, id: &RoomId, user: &UserId) -> Result<Standing> {
        let rows = self.session.rows(&STANDING, binds![self.app, id, user]).await?;
        rows.into_iter().next().map_or(Ok(Standing::default()), |mut row| standing(&mut row, 0, user))
    }

    /// A room, and how a user stands in it. `None`: no such room.
    pub async fn room_and_standing(&mut self, id: &RoomId, user: &UserId) -> Result<Option<(Room, Standing)>> {
        let rows = self.session.rows(&ROOM_AND_STANDING, binds![self.app, id, user]).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        let standing = standing(&mut row, ROOM_COLUMNS, user)?;
        Ok(Some((room(&mut row, 0)?, standing)))
    }
}

impl Tx {
    /// As [`Tx::lock_room`], with how a user stands there: asked together, so that it takes one
    /// round trip, and in that order, so that the standing is read under the lock.
    pub async fn lock_room_for(&mut self, id: &RoomId, user: &UserId) -> Result<Option<(LockedRoom, Standing)>> {
        if self.view.kind == EngineKind::Sqlite {
            // The one writer's lock is held already: one question is enough.
            let rows = self.view.session.rows(&LOCKED_AND_STANDING, binds![self.view.app, id, user]).await?;
            let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
            let standing = standing(&mut row, ROOM_COLUMNS + 1, user)?;
            return Ok(Some((locked_row(row)?, standing)));
        }
        let mut statements = self.locking(id);
        statements.push(Statement { text: STANDING.as_str().into(), binds: binds![self.view.app, id, user] });
        let mut answers = self.view.session.batch(statements).await?.into_iter();
        let (stands, room) = (answers.next_back().unwrap_or_default(), answers.next_back().unwrap_or_default());
        let (Some(room), Some(mut row)) = (locked(room)?, stands.into_iter().next()) else { return Ok(None) };
        Ok(Some((room, standing(&mut row, 0, user)?)))
    }

    /// What asks what [`Tx::enter`] and [`View::standing`] answer, at once. SQLite only: there everything is locked already.
    pub(crate) fn entering_where(&self, room: &RoomId, (hash, user): (&str, &UserId), now_ms: i64) -> Statement {
        let binds = binds![self.view.app, room, user, hash, now_ms];
        Statement { text: ENTERED_AND_STANDING.as_str().into(), binds }
    }

    /// What locks rooms, and their pairs before, and then asks how these users stand there: those that nobody else has, or
    /// (`waits`) the only one. So nobody waits for a second, and it does not matter in which order others take them.
    /// PostgreSQL only.
    pub(crate) fn locking_all(&self, all: &[Speakers], waits: bool) -> Vec<Statement> {
        let app = self.view.app;
        let ids: Vec<String> = all.iter().map(|some| some.room.as_str().to_owned()).collect();
        let (rooms, users): (Vec<String>, Vec<String>) = all
            .iter()
            .flat_map(|Speakers { room, who }| {
                let users: BTreeSet<_> = who.iter().map(|(_, user)| user.as_str()).collect();
                users.into_iter().map(|user| (room.as_str().to_owned(), user.to_owned()))
            })
            .unzip();
        let skip = if waits { "" } else { " SKIP LOCKED" };
        let pairs = if sabotage::removed(Lock::Pair) {
            "SELECT id FROM rooms WHERE app = $1 AND id = ANY($2) AND FALSE".to_owned()
        } else {
            // A room's pair never changes, so it can be read without the room's lock.
            format!(
                "SELECT p.room FROM (SELECT unnest(CAST($2 AS TEXT[])) AS id) h
                 CROSS JOIN LATERAL (SELECT r.id AS room FROM rooms r
                    JOIN pairs x ON x.app = r.app AND x.low = r.low AND x.high = r.high
                    WHERE r.app = $1 AND r.id = h.id FOR UPDATE OF x{skip}) p"
            )
        };
        let lock = if sabotage::removed(Lock::Room) { String::new() } else { format!(" FOR UPDATE{skip}") };
        let text = format!("SELECT {ROOM}, {CONCEALED} FROM rooms r WHERE r.app = $1 AND r.id = ANY($2){lock}");
        vec![
            Statement { text: pairs.into(), binds: binds![app, ids.clone()] },
            Statement { text: text.into(), binds: binds![app, ids] },
            Statement { text: STANDINGS.as_str().into(), binds: binds![app, rooms, users] },
        ]
    }
}
