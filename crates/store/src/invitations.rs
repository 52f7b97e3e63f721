//! Who was asked to come into which room.

use banter_domain::id::{RoomId, UserId};
use banter_domain::room::{Invitation, InvitationSeen};
use banter_domain::user::Profile;

use crate::read::Read;
use crate::rooms::{LockedRoom, ROOM, ROOM_COLUMNS, room};
use crate::sql::{Row, Value, binds};
use crate::{Result, Tx, View};

/// Two people and two times, of tables spelt `i`, `v` (inviter) and `e` (invitee).
const INVITATION: &str = "i.inviter, v.nickname, v.avatar_url, COALESCE(v.last_login_ms, 0), i.invitee, e.nickname,
    e.avatar_url, COALESCE(e.last_login_ms, 0), i.created_ms, i.updated_ms";
const FROM: &str = "FROM invitations i JOIN rooms r ON r.app = i.app AND r.id = i.room
    LEFT JOIN users v ON v.app = i.app AND v.id = i.inviter LEFT JOIN users e ON e.app = i.app AND e.id = i.invitee";
/// What somebody whom the invitee blocked asks does not reach him.
const REACHES: &str = "NOT EXISTS (SELECT 1 FROM relations b WHERE b.app = i.app AND b.kind = 'block'
    AND b.blocker = i.invitee AND b.blockee = i.inviter AND b.lifted_ms IS NULL)";

fn seen(mut row: Row) -> Result<InvitationSeen> {
    let room = room(&mut row, 0)?;
    let mut profile = |at: usize| -> Result<Profile> {
        Ok(Profile {
            id: row.user(at)?,
            nickname: row.text_opt(at + 1)?,
            avatar_url: row.text_opt(at + 2)?,
            last_login_ms: row.int(at + 3)?,
        })
    };
    let (inviter, invitee) = (profile(ROOM_COLUMNS)?, profile(ROOM_COLUMNS + 4)?);
    let (created_ms, updated_ms) = (row.int(ROOM_COLUMNS + 8)?, row.int(ROOM_COLUMNS + 9)?);
    Ok(InvitationSeen { room, inviter, invitee, created_ms, updated_ms })
}

impl View {
    /// Who asked a user into a room. `None`: nobody, or nobody who reaches him.
    pub async fn invitation(&mut self, room: &RoomId, invitee: &UserId) -> Result<Option<InvitationSeen>> {
        let text = format!(
            "SELECT {ROOM}, {INVITATION} {FROM} WHERE i.app = $1 AND i.room = $2 AND i.invitee = $3 AND {REACHES}"
        );
        let rows = self.session.rows(&text, binds![self.app, room, invitee]).await?;
        rows.into_iter().next().map(seen).transpose()
    }

    /// Who invited some users into a room, of those who are.
    pub async fn invitations_among(&mut self, room: &RoomId, invitees: &[UserId]) -> Result<Vec<Invitation>> {
        let text = "SELECT invitee, inviter FROM invitations WHERE app = $1 AND room = $2 AND invitee = ANY($3)
            ORDER BY invitee";
        let rows = self.session.rows(text, binds![self.app, room, invitees]).await?;
        rows.into_iter().map(|mut row| Ok(Invitation { invitee: row.user(0)?, inviter: row.user(1)? })).collect()
    }

    /// A page of where a user is asked to come, the newest first, and how many there are.
    pub async fn invitations_to(
        &mut self,
        invitee: &UserId,
        skip: usize,
        limit: usize,
    ) -> Result<(i64, Vec<InvitationSeen>)> {
        self.invitations_where(&format!("i.invitee = $2 AND {REACHES}"), invitee.as_str(), skip, limit).await
    }

    /// A page of who is asked into a room, the newest first, and how many there are.
    pub async fn invitations_into(
        &mut self,
        room: &RoomId,
        skip: usize,
        limit: usize,
    ) -> Result<(i64, Vec<InvitationSeen>)> {
        self.invitations_where("i.room = $2", room.as_str(), skip, limit).await
    }

    async fn invitations_where(
        &mut self,
        condition: &str,
        what: &str,
        skip: usize,
        limit: usize,
    ) -> Result<(i64, Vec<InvitationSeen>)> {
        let count = format!("SELECT count(*) FROM invitations i WHERE i.app = $1 AND {condition}");
        let rows = self.session.rows(&count, binds![self.app, what]).await?;
        let total = rows.first().map_or(Ok(0), |row| row.int(0))?;
        let text = format!(
            "SELECT {ROOM}, {INVITATION} {FROM} WHERE i.app = $1 AND {condition}
             ORDER BY i.updated_ms DESC, i.room DESC, i.invitee DESC LIMIT $3 OFFSET $4"
        );
        let mut values = binds![self.app, what];
        values.extend([limit, skip].map(|n| Value::Int(i64::try_from(n).unwrap_or(i64::MAX))));
        let rows = self.session.rows(&text, values).await?;
        Ok((total, rows.into_iter().map(seen).collect::<Result<_>>()?))
    }
}

impl Tx {
    /// Asks a user into a room; who is asked again is asked by the latter.
    pub async fn put_invitation(&mut self, room: &LockedRoom, asked: &Invitation, at_ms: i64) -> Result<()> {
        let text = "INSERT INTO invitations (app, room, invitee, inviter, created_ms, updated_ms)
            VALUES ($1, $2, $3, $4, $5, $5)
            ON CONFLICT (app, room, invitee) DO UPDATE SET inviter = $4, updated_ms = $5";
        self.view.session.put(text, binds![self.view.app, &room.room.id, &asked.invitee, &asked.inviter, at_ms]).await
    }

    /// An invitation is over: accepted, declined or taken back. False: there was none.
    pub async fn delete_invitation(&mut self, room: &RoomId, invitee: &UserId) -> Result<bool> {
        let text = "DELETE FROM invitations WHERE app = $1 AND room = $2 AND invitee = $3";
        Ok(self.view.session.run(text, binds![self.view.app, room, invitee]).await? > 0)
    }
}
