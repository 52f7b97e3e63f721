//! The rooms somebody is in.

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::room::{LeftRoom, Room};

use crate::read::Read;
use crate::rooms::{ROOM, ROOM_COLUMNS, room};
use crate::sql::{Row, Value, binds};
use crate::{Result, View};

/// One of the rooms somebody is in.
#[derive(Debug, Clone)]
pub struct OwnRoom {
    /// The room.
    pub room: Room,
    /// Its unread messages for him.
    pub unread: i64,
    /// When it was made as far as he may know, milliseconds.
    pub created_ms: i64,
    /// When its newest message was written, milliseconds, and that message.
    pub last: Option<(i64, ObjectId)>,
    /// His preferences for it, as stored.
    pub pref: serde_json::Map<String, serde_json::Value>,
}

/// What a page of one's own rooms is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnOrder {
    /// The newest message; a room without one is older than all.
    LastMessage,
    /// When it was made, as far as he may know.
    CreatedTime,
}

/// So many rooms [`View::own_rooms_after`] looks at.
const SOME: usize = 200;

/// Which page of one's own rooms is asked for.
#[derive(Debug, Clone, Default)]
pub struct OwnPage {
    /// Sorted by these, each perhaps descending; then by id.
    pub order: Vec<(OwnOrder, bool)>,
    /// Those with unread messages first.
    pub unread_first: bool,
    /// Only those with a newer message or made later, milliseconds.
    pub updated_after_ms: Option<i64>,
    /// After so many.
    pub skip: usize,
    /// At most so many; `None`: all.
    pub limit: Option<usize>,
}

/// The ids of one's own rooms. `$1` the app, `$2` the user; `more` narrows the rooms, named `mine`.
fn mine(more: &str) -> String {
    format!(
        "SELECT mine.app, mine.room FROM members mine
            WHERE mine.app = $1 AND mine.user_id = $2 AND mine.member = 1 AND mine.hidden = 0{more}
         UNION
         SELECT mine.app, mine.room FROM group_members g CROSS JOIN members mine
            WHERE g.app = $1 AND g.user_id = $2 AND mine.app = g.app AND mine.user_id = g.grp AND mine.member = 1
                AND mine.hidden = 0{more}"
    )
}

/// One's own rooms that are not frozen or hidden from one; `more` as in [`mine`].
fn own(more: &str) -> String {
    let mine = mine(more);
    format!(
        "SELECT q.*, (SELECT count(*) FROM messages g WHERE g.app = $1 AND g.room = q.id AND g.gone = 1
                AND g.counts = 1 AND g.count_no > q.read_mark) AS gone_since
         FROM (SELECT {ROOM}, COALESCE(m.read_count, (SELECT MAX(gm.read_count) FROM group_members g
                CROSS JOIN members gm WHERE g.app = $1 AND g.user_id = $2
                    AND gm.app = g.app AND gm.room = r.id AND gm.user_id = g.grp AND gm.member = 1), 0) AS read_mark, COALESCE(m.pref, '{{}}') AS pref,
            COALESCE(m.shown_created_ms, r.created_ms) AS shown_ms, lm.id AS last_id, lm.created_ms AS said_ms
         FROM ({mine}) mine
         JOIN rooms r ON r.app = mine.app AND r.id = mine.room
         LEFT JOIN members m ON m.app = r.app AND m.room = r.id AND m.user_id = $2 AND m.left_ms IS NULL
         LEFT JOIN messages lm ON lm.app = r.app AND lm.room = r.id AND lm.seq = r.last_message
         WHERE r.frozen = 0) q"
    )
}

fn own_room(mut row: Row) -> Result<OwnRoom> {
    let room = room(&mut row, 0)?;
    let unread = (room.last_count - row.int(ROOM_COLUMNS)? - row.int(ROOM_COLUMNS + 5)?).max(0);
    let pref = row.map(ROOM_COLUMNS + 1)?;
    let last = row.int_opt(ROOM_COLUMNS + 4)?.zip(row.object_id_opt(ROOM_COLUMNS + 3)?);
    Ok(OwnRoom { unread, pref, created_ms: row.int(ROOM_COLUMNS + 2)?, last, room })
}

impl View {
    /// Those of some users who hear a room: they are in it, themselves or through a user group, and it
    /// is not hidden from them.
    pub async fn hearers_among(&mut self, room: &RoomId, users: &[UserId]) -> Result<Vec<UserId>> {
        let text = "SELECT m.user_id FROM members m
                WHERE m.app = $1 AND m.room = $2 AND m.user_id = ANY($3) AND m.member = 1 AND m.hidden = 0
            UNION
            SELECT g.user_id FROM group_members g CROSS JOIN members gm
                WHERE g.app = $1 AND g.user_id = ANY($3) AND gm.app = g.app AND gm.room = $2 AND gm.user_id = g.grp
                    AND gm.member = 1 AND gm.hidden = 0";
        let rows = self.session.rows(text, binds![self.app, room, users]).await?;
        rows.into_iter().map(|mut row| row.user(0)).collect()
    }

    /// All rooms a user hears: he is in them, himself or through a user group, and they are not
    /// hidden from him. Only their ids.
    pub async fn rooms_heard(&mut self, user: &UserId) -> Result<Vec<RoomId>> {
        let text = format!("SELECT room FROM ({}) heard", mine(""));
        let rows = self.session.rows(&text, binds![self.app, user]).await?;
        rows.into_iter().map(|mut row| row.room_id(0)).collect()
    }

    /// A page of the ids of one's own active rooms in their order, and how many there are.
    pub async fn own_room_ids(
        &mut self,
        user: &UserId,
        skip: usize,
        limit: Option<usize>,
    ) -> Result<(i64, Vec<RoomId>)> {
        let active =
            format!("FROM ({}) ids JOIN rooms r ON r.app = ids.app AND r.id = ids.room WHERE r.frozen = 0", mine(""));
        let rows = self.session.rows(&format!("SELECT count(*) {active}"), binds![self.app, user]).await?;
        let total = rows.first().map_or(Ok(0), |row| row.int(0))?;
        let text = format!("SELECT r.id {active} ORDER BY r.id LIMIT $3 OFFSET $4");
        let number = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let mut values = binds![self.app, user];
        values.extend([number(limit.unwrap_or(usize::MAX)), number(skip)]);
        let rows = self.session.rows(&text, values).await?;
        Ok((total, rows.into_iter().map(|mut row| row.room_id(0)).collect::<Result<_>>()?))
    }

    /// A page of the rooms somebody left and has not come back to, the last one first, and how many there
    /// are. What was hidden from him still is.
    pub async fn rooms_left(&mut self, user: &UserId, skip: usize, limit: usize) -> Result<(i64, Vec<LeftRoom>)> {
        const LEFT: &str = "FROM members m JOIN rooms r ON r.app = m.app AND r.id = m.room
            WHERE m.app = $1 AND m.user_id = $2 AND m.member = 0 AND m.hidden = 0 AND m.left_ms IS NOT NULL
                AND r.secret = 0";
        let rows = self.session.rows(&format!("SELECT count(*) {LEFT}"), binds![self.app, user]).await?;
        let total = rows.first().map_or(Ok(0), |row| row.int(0))?;
        let text = format!("SELECT {ROOM}, m.pref, m.left_ms {LEFT} ORDER BY m.left_ms DESC, r.id LIMIT $3 OFFSET $4");
        let mut values = binds![self.app, user];
        values.extend([limit, skip].map(|n| Value::Int(i64::try_from(n).unwrap_or(i64::MAX))));
        let left = |mut row: Row| {
            let (pref, left_ms) = (row.map(ROOM_COLUMNS)?, row.int(ROOM_COLUMNS + 1)?);
            Ok(LeftRoom { room: room(&mut row, 0)?, pref, left_ms })
        };
        Ok((total, self.session.rows(&text, values).await?.into_iter().map(left).collect::<Result<_>>()?))
    }

    /// Some of the rooms somebody is in, himself or through a user group, that are not frozen or
    /// hidden from him: those among the next 200 in the order of their
    /// ids, after `after`. Also where the
    /// next ones begin; `None`: these were the last.
    pub async fn own_rooms_after(
        &mut self,
        user: &UserId,
        after: Option<&RoomId>,
    ) -> Result<(Vec<OwnRoom>, Option<RoomId>)> {
        let text = format!("SELECT room FROM ({}) ids ORDER BY room LIMIT $4", mine(" AND mine.room > $3"));
        let after = after.map(RoomId::as_str).unwrap_or_default();
        let limit = i64::try_from(SOME).unwrap_or(i64::MAX);
        let rows = self.session.rows(&text, binds![self.app, user, after, limit]).await?;
        let ids = rows.into_iter().map(|mut row| row.room_id(0)).collect::<Result<Vec<_>>>()?;
        if ids.is_empty() {
            return Ok((Vec::new(), None));
        }
        let text = own(" AND mine.room = ANY($3)");
        let rows = self.session.rows(&text, binds![self.app, user, ids.as_slice()]).await?;
        let rooms = rows.into_iter().map(own_room).collect::<Result<_>>()?;
        Ok((rooms, ids.into_iter().nth(SOME - 1)))
    }

    /// A page of them, and how many there are.
    pub async fn own_rooms_page(&mut self, user: &UserId, page: &OwnPage) -> Result<(i64, Vec<OwnRoom>)> {
        const WANTED: &str = "(w.shown_ms > $3 OR w.said_ms > $3)";
        let own = own("");
        let after = page.updated_after_ms.unwrap_or(i64::MIN);
        let count = format!("SELECT count(*) FROM ({own}) w WHERE {WANTED}");
        let rows = self.session.rows(&count, binds![self.app, user, after]).await?;
        let total = rows.first().map_or(Ok(0), |row| row.int(0))?;
        let mut order = String::new();
        if page.unread_first {
            order.push_str("CASE WHEN w.last_count - w.read_mark - w.gone_since > 0 THEN 0 ELSE 1 END, ");
        }
        for (by, descending) in &page.order {
            let way = if *descending { "DESC" } else { "ASC" };
            order.push_str(&match by {
                OwnOrder::LastMessage => format!("COALESCE(w.said_ms, -1) {way}, COALESCE(w.last_id, '') {way}, "),
                OwnOrder::CreatedTime => format!("w.shown_ms {way}, "),
            });
        }
        let text = format!("SELECT w.* FROM ({own}) w WHERE {WANTED} ORDER BY {order}w.id LIMIT $4 OFFSET $5");
        let number = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let mut values = binds![self.app, user, after];
        values.extend([number(page.limit.unwrap_or(usize::MAX)), number(page.skip)]);
        let rooms = self.session.rows(&text, values).await?.into_iter().map(own_room).collect::<Result<_>>()?;
        Ok((total, rooms))
    }
}
