//! Who is in a room, and what the room remembers of him.

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::room::{Member, MemberSeen, Outlook, ReadMark, Room};
use serde_json::{Map, Value as Json};

use crate::read::{Read, fold, map_text};
use crate::rooms::LockedRoom;
use crate::sql::{Row, binds};
use crate::users::{USER, USER_COLUMNS, user};
use crate::{Result, Tx, View};

/// How a new member comes in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// As a manager.
    pub manager: bool,
    /// The room was made by a block and he must not see it.
    pub hidden: bool,
}

fn member(row: &mut Row, from: usize, id: UserId) -> Result<Member> {
    Ok(Member {
        user: id,
        manager: row.flag(from)?,
        read: ReadMark { count: row.int(from + 1)?, message: row.object_id_opt(from + 2)? },
        shown_read: ReadMark { count: row.int(from + 3)?, message: row.object_id_opt(from + 4)? },
        properties: row.map(from + 5)?,
    })
}

const MEMBER: &str = "m.manager, m.read_count, m.read_message, m.shown_count, m.shown_message, m.properties";

/// A mark counts what is read, the deleted among it; what was deleted behind it is not unread either.
fn without_gone(member: &mut Member, gone: &[i64]) {
    for mark in [&mut member.read, &mut member.shown_read] {
        let behind = gone.len() - gone.partition_point(|count_no| *count_no <= mark.count);
        mark.count += i64::try_from(behind).unwrap_or(i64::MAX);
    }
}

impl View {
    /// Everyone in a room, in the order they came, with profiles; user groups with their people.
    pub async fn members(&mut self, room: &RoomId) -> Result<Vec<MemberSeen>> {
        let text = format!(
            "SELECT {USER}, {MEMBER} FROM members m JOIN users u ON u.app = m.app AND u.id = m.user_id
             WHERE m.app = $1 AND m.room = $2 AND m.member = 1 ORDER BY m.joined_ms, m.user_id"
        );
        let mut seen = Vec::new();
        let mut groups = Vec::new();
        for mut row in self.session.rows(&text, binds![self.app, room]).await? {
            let user = user(&mut row, 0)?;
            let member = member(&mut row, USER_COLUMNS, user.profile.id.clone())?;
            if user.kind == banter_domain::user::UserKind::Group {
                groups.push(user.profile.id.clone());
            }
            seen.push(MemberSeen { member, user, group: Vec::new() });
        }
        let lowest = seen.iter().map(|seen| seen.member.read.count.min(seen.member.shown_read.count)).min();
        let gone = self.gone(room, lowest.unwrap_or(i64::MAX)).await?;
        for seen in &mut seen {
            without_gone(&mut seen.member, &gone);
        }
        if !groups.is_empty() {
            let text = format!(
                "SELECT g.grp, {USER} FROM group_members g JOIN users u ON u.app = g.app AND u.id = g.user_id
                 WHERE g.app = $1 AND g.grp = ANY($2) ORDER BY g.grp, g.user_id"
            );
            for mut row in self.session.rows(&text, binds![self.app, groups.as_slice()]).await? {
                let group = row.user(0)?;
                let person = user(&mut row, 1)?;
                if let Some(seen) = seen.iter_mut().find(|seen| seen.user.profile.id == group) {
                    seen.group.push(person);
                }
            }
        }
        Ok(seen)
    }

    /// The ids of everyone in a room, in the order they came.
    pub async fn member_ids(&mut self, room: &RoomId) -> Result<Vec<UserId>> {
        let text =
            "SELECT user_id FROM members WHERE app = $1 AND room = $2 AND member = 1 ORDER BY joined_ms, user_id";
        let rows = self.session.rows(text, binds![self.app, room]).await?;
        rows.into_iter().map(|mut row| row.user(0)).collect()
    }

    /// The rooms a user is a member of himself, in the order of their ids.
    pub async fn rooms_of(&mut self, id: &UserId) -> Result<Vec<RoomId>> {
        let text = "SELECT room FROM members WHERE app = $1 AND user_id = $2 ORDER BY room";
        let rows = self.session.rows(text, binds![self.app, id]).await?;
        rows.into_iter().map(|mut row| row.room_id(0)).collect()
    }

    /// Those of some rooms where a member's id or nickname holds a text, ignoring case.
    pub async fn rooms_with(&mut self, rooms: &[RoomId], holds: &str) -> Result<Vec<RoomId>> {
        let text = "SELECT DISTINCT m.room FROM members m JOIN users u ON u.app = m.app AND u.id = m.user_id
            WHERE m.app = $1 AND m.room = ANY($2) AND m.member = 1 AND strpos(u.fold, $3) > 0";
        let rows = self.session.rows(text, binds![self.app, rooms, fold(holds)]).await?;
        rows.into_iter().map(|mut row| row.room_id(0)).collect()
    }

    /// Ids and nicknames of those who are in some rooms, at most `limit`; `plain`: those of ASCII alone are left out.
    pub async fn names_in(
        &mut self,
        rooms: &[RoomId],
        plain: bool,
        limit: i64,
    ) -> Result<Vec<(RoomId, UserId, Option<String>)>> {
        if rooms.is_empty() {
            return Ok(Vec::new());
        }
        let beyond = if plain { " AND octet_length(u.fold) <> length(u.fold)" } else { "" };
        let text = format!(
            "SELECT m.room, m.user_id, u.nickname FROM members m JOIN users u ON u.app = m.app AND u.id = m.user_id
             WHERE m.app = $1 AND m.room = ANY($2) AND m.member = 1{beyond} ORDER BY m.room, m.user_id LIMIT $3"
        );
        let rows = self.session.rows(&text, binds![self.app, rooms, limit]).await?;
        rows.into_iter().map(|mut row| Ok((row.room_id(0)?, row.user(1)?, row.text_opt(2)?))).collect()
    }

    /// The managers of a room among some users.
    pub async fn managers_among(&mut self, room: &RoomId, users: &[UserId]) -> Result<Vec<UserId>> {
        let text = "SELECT user_id FROM members WHERE app = $1 AND room = $2 AND user_id = ANY($3) AND member = 1
            AND manager = 1";
        let rows = self.session.rows(text, binds![self.app, room, users]).await?;
        rows.into_iter().map(|mut row| row.user(0)).collect()
    }

    /// Was this user in the room, and left?
    pub async fn has_left(&mut self, room: &RoomId, id: &UserId) -> Result<bool> {
        let text = "SELECT 1 FROM members WHERE app = $1 AND room = $2 AND user_id = $3 AND left_ms IS NOT NULL";
        Ok(!self.session.rows(text, binds![self.app, room, id]).await?.is_empty())
    }

    /// What the room remembers of one user; also of one who is in it through a user group.
    pub async fn member(&mut self, room: &RoomId, id: &UserId) -> Result<Option<Member>> {
        let text = format!("SELECT {MEMBER} FROM members m WHERE m.app = $1 AND m.room = $2 AND m.user_id = $3");
        let rows = self.session.rows(&text, binds![self.app, room, id]).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        let mut member = member(&mut row, 0, id.clone())?;
        let gone = self.gone(room, member.read.count.min(member.shown_read.count)).await?;
        without_gone(&mut member, &gone);
        Ok(Some(member))
    }

    /// The deleted counting messages behind a mark, by their counts.
    async fn gone(&mut self, room: &RoomId, mark: i64) -> Result<Vec<i64>> {
        let text = "SELECT count_no FROM messages WHERE app = $1 AND room = $2 AND gone = 1 AND counts = 1
            AND count_no > $3 ORDER BY count_no";
        let rows = self.session.rows(text, binds![self.app, room, mark]).await?;
        rows.into_iter().map(|row| row.int(0)).collect()
    }

    /// How far a user has read, himself or, if he is in the room through user groups alone, they.
    pub async fn read_mark(&mut self, room: &RoomId, id: &UserId) -> Result<Option<i64>> {
        let text = "SELECT COALESCE((SELECT read_count FROM members WHERE app = $1 AND room = $2 AND user_id = $3
                    AND left_ms IS NULL),
                (SELECT MAX(gm.read_count) FROM group_members g CROSS JOIN members gm
                    WHERE g.app = $1 AND g.user_id = $3
                        AND gm.app = g.app AND gm.room = $2 AND gm.user_id = g.grp AND gm.member = 1))";
        let rows = self.session.rows(text, binds![self.app, room, id]).await?;
        rows.first().map_or(Ok(None), |row| row.int_opt(0))
    }

    /// How many counting messages behind a mark are deleted.
    pub(crate) async fn gone_after(&mut self, room: &RoomId, mark: i64) -> Result<i64> {
        let text = "SELECT count(*) FROM messages WHERE app = $1 AND room = $2 AND gone = 1 AND counts = 1
            AND count_no > $3";
        let rows = self.session.rows(text, binds![self.app, room, mark]).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }

    /// How a room looks to one user.
    pub async fn outlook(&mut self, room: &Room, id: &UserId) -> Result<Outlook> {
        let standing = self.standing(&room.id, id).await?;
        let text = "SELECT
                (SELECT pref FROM members WHERE app = $1 AND room = $2 AND user_id = $3),
                (SELECT shown_created_ms FROM members WHERE app = $1 AND room = $2 AND user_id = $3),
                EXISTS (SELECT 1 FROM mutes WHERE app = $1 AND user_id = $3 AND room = $2),
                (SELECT MAX(count_no) FROM mentions WHERE app = $1 AND user_id = $3 AND room = $2),
                (SELECT updated_ms FROM relations WHERE app = $1 AND kind = 'ban' AND room = $2 AND blockee = $3
                    AND lifted_ms IS NULL)";
        let rows = self.session.rows(text, binds![self.app, &room.id, id]).await?;
        let mut row = rows.into_iter().next().unwrap_or(Row(Vec::new()));
        let read = self.read_mark(&room.id, id).await?;
        let did_block_ms = match room.kind.pair().and_then(|pair| pair.other(id)) {
            None => None,
            Some(other) => {
                let text = "SELECT updated_ms FROM relations WHERE app = $1 AND kind = 'block' AND blocker = $2
                    AND blockee = $3 AND lifted_ms IS NULL";
                self.session.rows(text, binds![self.app, id, other]).await?.first().map(|row| row.int(0)).transpose()?
            }
        };
        let unread = match read {
            None => 0,
            Some(read) => (room.last_count - read - self.gone_after(&room.id, read).await?).max(0),
        };
        Ok(Outlook {
            standing,
            unread,
            mentioned: row.int_opt(3)?.is_some_and(|count| read.is_some_and(|read| count > read)),
            muted: row.flag(2)?,
            pref: row.text_opt(0)?.map(|text| parsed(&text)).transpose()?.unwrap_or_default(),
            did_block_ms,
            was_banned_ms: if room.kind.is_direct() { None } else { row.int_opt(4)? },
            created_ms: row.int_opt(1)?.unwrap_or(room.created_ms),
        })
    }
}

pub(crate) fn parsed(text: &str) -> Result<Map<String, Json>> {
    serde_json::from_str(text).map_err(|_| crate::Error::Corrupt("preferences are not an object".to_owned()))
}

impl Tx {
    /// Brings a user in, who is asked no longer. What was said before does not count as unread for him.
    pub async fn insert_member(&mut self, room: &LockedRoom, id: &UserId, place: Place, at_ms: i64) -> Result<()> {
        let text =
            "INSERT INTO members (app, room, user_id, member, manager, hidden, joined_ms, read_count, shown_count)
            VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $7)
            ON CONFLICT (app, room, user_id) DO UPDATE SET member = 1, manager = $4, hidden = $5, joined_ms = $6,
                read_count = CASE WHEN members.member = 1 THEN members.read_count ELSE $7 END,
                shown_count = CASE WHEN members.member = 1 THEN members.shown_count ELSE $7 END,
                left_ms = NULL";
        let values = binds![self.view.app, &room.room.id, id, place.manager, place.hidden, at_ms, room.room.last_count];
        self.view.session.put(text, values).await?;
        let text = "DELETE FROM invitations WHERE app = $1 AND room = $2 AND invitee = $3";
        self.view.session.put(text, binds![self.view.app, &room.room.id, id]).await
    }

    /// Takes a user out, with all the room remembers of him but that he was there. False: he was
    /// not in it.
    pub async fn delete_member(&mut self, room: &LockedRoom, id: &UserId, at_ms: i64) -> Result<bool> {
        let text = "UPDATE members SET member = 0, manager = 0, left_ms = $4, read_message = NULL,
                shown_message = NULL, properties = '{}'
            WHERE app = $1 AND room = $2 AND user_id = $3 AND member = 1";
        Ok(self.view.session.run(text, binds![self.view.app, &room.room.id, id, at_ms]).await? > 0)
    }

    /// Lets the side a room was hidden from see it, as if it were made now. False: it was not
    /// hidden from him.
    pub async fn reveal(&mut self, room: &LockedRoom, id: &UserId, at_ms: i64) -> Result<bool> {
        let text = "UPDATE members SET hidden = 0, member = 1, left_ms = NULL, shown_created_ms = $4, joined_ms = $4
            WHERE app = $1 AND room = $2 AND user_id = $3 AND hidden = 1";
        Ok(self.view.session.run(text, binds![self.view.app, &room.room.id, id, at_ms]).await? > 0)
    }

    /// Makes a member a manager, or a plain member again. False: he is not in the room.
    pub async fn set_manager(&mut self, room: &LockedRoom, id: &UserId, manager: bool) -> Result<bool> {
        let text = "UPDATE members SET manager = $4 WHERE app = $1 AND room = $2 AND user_id = $3 AND member = 1";
        Ok(self.view.session.run(text, binds![self.view.app, &room.room.id, id, manager]).await? > 0)
    }

    /// Writes a member's properties. False: he is not in the room himself.
    pub async fn set_properties(&mut self, room: &LockedRoom, id: &UserId, all: &Map<String, Json>) -> Result<bool> {
        let text = "UPDATE members SET properties = $4 WHERE app = $1 AND room = $2 AND user_id = $3 AND member = 1";
        Ok(self.view.session.run(text, binds![self.view.app, &room.room.id, id, map_text(all)]).await? > 0)
    }

    /// Moves how far a user has read, never backwards; `shown`: the others may know. A user who is
    /// in the room through a user group gets a row that remembers it.
    pub async fn set_read(
        &mut self,
        room: &LockedRoom,
        id: &UserId,
        mark: ReadMark,
        shown: bool,
        at_ms: i64,
    ) -> Result<()> {
        // What a parameter is must be said where PostgreSQL would guess twice.
        let text = "INSERT INTO members (app, room, user_id, member, joined_ms, read_count, read_message, shown_count,
                shown_message)
            VALUES ($1, $2, $3, 0, $7, CAST($4 AS BIGINT), CAST($5 AS TEXT),
                CASE WHEN $6 = 1 THEN CAST($4 AS BIGINT) ELSE 0 END,
                CASE WHEN $6 = 1 THEN CAST($5 AS TEXT) END)
            ON CONFLICT (app, room, user_id) DO UPDATE SET left_ms = NULL,
                read_count = GREATEST(CAST($4 AS BIGINT), members.read_count),
                read_message = CASE WHEN members.read_message IS NULL OR CAST($5 AS TEXT) > members.read_message
                    THEN CAST($5 AS TEXT) ELSE members.read_message END,
                shown_count = CASE WHEN $6 = 1 THEN GREATEST(CAST($4 AS BIGINT), members.shown_count)
                    ELSE members.shown_count END,
                shown_message = CASE WHEN $6 = 1
                        AND (members.shown_message IS NULL OR CAST($5 AS TEXT) > members.shown_message)
                    THEN CAST($5 AS TEXT) ELSE members.shown_message END";
        let message = mark.message.map(|id| id.to_string());
        let values = binds![self.view.app, &room.room.id, id, mark.count, message, i64::from(shown), at_ms];
        self.view.session.put(text, values).await
    }

    /// After all messages are gone: nobody has anything unread.
    pub(crate) async fn forget_counts(&mut self, room: &LockedRoom) -> Result<()> {
        let text = "UPDATE members SET read_count = $3, shown_count = $3 WHERE app = $1 AND room = $2";
        self.view.session.put(text, binds![self.view.app, &room.room.id, room.room.last_count]).await
    }

    /// Writes down that somebody's place carries an older message as last read (import only).
    pub async fn import_read(
        &mut self,
        room: &RoomId,
        id: &UserId,
        count: i64,
        message: Option<ObjectId>,
    ) -> Result<()> {
        let text = "UPDATE members SET read_count = $4, shown_count = $4, read_message = $5, shown_message = $5
            WHERE app = $1 AND room = $2 AND user_id = $3";
        let message = message.map(|id| id.to_string());
        self.view.session.put(text, binds![self.view.app, room, id, count, message]).await
    }
}
