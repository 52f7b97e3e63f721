//! Users, user groups and mutes.

mod find;

use std::collections::HashMap;
use std::sync::LazyLock;

use banter_domain::id::{RoomId, UserId};
use banter_domain::user::{Profile, User, UserKind};

use crate::read::{Read, fold, map_text};
use crate::sql::{Row, Value, binds};
use crate::{Result, Tx, View};

pub use find::{FoundUsers, REGEX_ROWS};

/// The columns [`user`] reads, of a table spelt `u`.
pub(crate) const USER: &str = "u.id, u.kind, u.nickname, u.avatar_url, u.description, u.is_robot, u.notifications,
    u.last_login_ms, u.created_ms, u.updated_ms, u.last_room_ms, u.custom";

/// How many columns [`USER`] names.
pub(crate) const USER_COLUMNS: usize = 12;

static ONE: LazyLock<String> = LazyLock::new(|| format!("SELECT {USER} FROM users u WHERE u.app = $1 AND u.id = $2"));

/// Reads a user from the columns that begin at `from`.
pub(crate) fn user(row: &mut Row, from: usize) -> Result<User> {
    Ok(User {
        profile: Profile {
            id: row.user(from)?,
            nickname: row.text_opt(from + 2)?,
            avatar_url: row.text_opt(from + 3)?,
            last_login_ms: row.int(from + 7)?,
        },
        kind: match row.str(from + 1)? {
            "group" => UserKind::Group,
            _ => UserKind::Person,
        },
        description: row.text_opt(from + 4)?,
        is_robot: row.flag(from + 5)?,
        notifications: row.flag(from + 6)?,
        created_ms: row.int(from + 8)?,
        updated_ms: row.int(from + 9)?,
        last_room_ms: row.int_opt(from + 10)?,
        custom: row.map(from + 11)?,
    })
}

impl View {
    /// One user.
    pub async fn user(&mut self, id: &UserId) -> Result<Option<User>> {
        let rows = self.session.rows(&ONE, binds![self.app, id]).await?;
        rows.into_iter().next().map(|mut row| user(&mut row, 0)).transpose()
    }

    /// Those of some users who exist.
    pub async fn users(&mut self, ids: &[UserId]) -> Result<HashMap<UserId, User>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let text = format!("SELECT {USER} FROM users u WHERE u.app = $1 AND u.id = ANY($2)");
        let rows = self.session.rows(&text, binds![self.app, ids]).await?;
        rows.into_iter()
            .map(|mut row| user(&mut row, 0))
            .map(|user| user.map(|user| (user.profile.id.clone(), user)))
            .collect()
    }

    /// The rooms a user muted.
    pub async fn mutes(&mut self, id: &UserId) -> Result<Vec<RoomId>> {
        let text = "SELECT room FROM mutes WHERE app = $1 AND user_id = $2 ORDER BY room";
        let rows = self.session.rows(text, binds![self.app, id]).await?;
        rows.into_iter().map(|mut row| row.room_id(0)).collect()
    }

    /// Those of some users' mutes, by user.
    pub async fn mutes_of(&mut self, ids: &[UserId]) -> Result<HashMap<UserId, Vec<RoomId>>> {
        let text = "SELECT user_id, room FROM mutes WHERE app = $1 AND user_id = ANY($2) ORDER BY user_id, room";
        let mut mutes: HashMap<UserId, Vec<RoomId>> = HashMap::new();
        for mut row in self.session.rows(text, binds![self.app, ids]).await? {
            mutes.entry(row.user(0)?).or_default().push(row.room_id(1)?);
        }
        Ok(mutes)
    }

    /// Who is in some user groups, by group.
    pub async fn group_members(&mut self, groups: &[UserId]) -> Result<HashMap<UserId, Vec<UserId>>> {
        let text = "SELECT grp, user_id FROM group_members WHERE app = $1 AND grp = ANY($2) ORDER BY grp, user_id";
        let mut members: HashMap<UserId, Vec<UserId>> = HashMap::new();
        for mut row in self.session.rows(text, binds![self.app, groups]).await? {
            members.entry(row.user(0)?).or_default().push(row.user(1)?);
        }
        Ok(members)
    }

    /// User groups by id, and how many there are.
    pub async fn groups(&mut self, limit: usize) -> Result<FoundUsers> {
        let count = "SELECT count(*) FROM users u WHERE u.app = $1 AND u.kind = 'group'";
        let total = match self.session.rows(count, binds![self.app]).await?.first() {
            Some(row) => row.int(0)?,
            None => 0,
        };
        let text = format!("SELECT {USER} FROM users u WHERE u.app = $1 AND u.kind = 'group' ORDER BY u.id LIMIT $2");
        let rows = self.session.rows(&text, vec![Value::Int(self.app), number(limit)]).await?;
        let users = rows.into_iter().map(|mut row| user(&mut row, 0)).collect::<Result<_>>()?;
        Ok(FoundUsers { total, users })
    }
}

fn number(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

impl Tx {
    /// Locks the rows of users, in one order, and returns those who exist.
    pub async fn lock_users(&mut self, ids: &[UserId]) -> Result<HashMap<UserId, User>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let text = format!("SELECT {USER} FROM users u WHERE u.app = $1 AND u.id = ANY($2) ORDER BY u.id FOR UPDATE");
        let rows = self.view.session.rows(&text, binds![self.view.app, ids]).await?;
        rows.into_iter()
            .map(|mut row| user(&mut row, 0))
            .map(|user| user.map(|user| (user.profile.id.clone(), user)))
            .collect()
    }

    /// Writes a user if there is none of this id. False: there is one.
    pub async fn insert_user(&mut self, user: &User) -> Result<bool> {
        let text = "INSERT INTO users (app, id, kind, created_ms, updated_ms, fold) VALUES ($1, $2, $3, $4, $4, '')
            ON CONFLICT DO NOTHING";
        let kind = if user.kind == UserKind::Group { "group" } else { "person" };
        let values = binds![self.view.app, &user.profile.id, kind, user.created_ms];
        if self.view.session.run(text, values).await? == 0 {
            return Ok(false);
        }
        self.put_user(user).await?;
        Ok(true)
    }

    /// Locks a user's row against others who change it. `None`: no such user.
    pub async fn lock_user(&mut self, id: &UserId) -> Result<Option<User>> {
        let text = format!("SELECT {USER} FROM users u WHERE u.app = $1 AND u.id = $2 FOR UPDATE");
        let rows = self.view.session.rows(&text, binds![self.view.app, id]).await?;
        rows.into_iter().next().map(|mut row| user(&mut row, 0)).transpose()
    }

    /// Writes a user, new or not.
    pub async fn put_user(&mut self, user: &User) -> Result<()> {
        let profile = &user.profile;
        let folded = fold(&format!("{}\n{}", profile.id, profile.nickname.as_deref().unwrap_or_default()));
        let text = "INSERT INTO users (app, id, kind, nickname, avatar_url, description, is_robot, notifications,
                last_login_ms, created_ms, updated_ms, last_room_ms, custom, fold)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            ON CONFLICT (app, id) DO UPDATE SET kind = $3, nickname = $4, avatar_url = $5, description = $6,
                is_robot = $7, notifications = $8, last_login_ms = $9, created_ms = $10, updated_ms = $11,
                last_room_ms = $12, custom = $13, fold = $14";
        let values = binds![
            self.view.app,
            &profile.id,
            match user.kind {
                UserKind::Person => "person",
                UserKind::Group => "group",
            },
            profile.nickname.as_deref(),
            profile.avatar_url.as_deref(),
            user.description.as_deref(),
            user.is_robot,
            user.notifications,
            profile.last_login_ms,
            user.created_ms,
            user.updated_ms,
            user.last_room_ms,
            map_text(&user.custom),
            folded,
        ];
        self.view.session.put(text, values).await
    }

    /// Notes that a user joined or made a room.
    pub async fn note_room(&mut self, id: &UserId, at_ms: i64) -> Result<()> {
        let text = "UPDATE users SET last_room_ms = $3 WHERE app = $1 AND id = $2";
        self.view.session.put(text, binds![self.view.app, id, at_ms]).await
    }

    /// Forgets a user: profile, tokens, devices, mutes, groups and places in rooms. What he wrote, and who
    /// shut him out, stay.
    pub async fn delete_user(&mut self, id: &UserId) -> Result<()> {
        self.drop_unsent_files(id).await?;
        for text in [
            "DELETE FROM tokens WHERE app = $1 AND user_id = $2",
            "DELETE FROM mutes WHERE app = $1 AND user_id = $2",
            "DELETE FROM prefs WHERE app = $1 AND user_id = $2",
            "DELETE FROM devices WHERE app = $1 AND user_id = $2",
            "DELETE FROM mentions WHERE app = $1 AND user_id = $2",
            "DELETE FROM put_away WHERE app = $1 AND user_id = $2",
            "DELETE FROM invitations WHERE app = $1 AND invitee = $2",
            "DELETE FROM invitations WHERE app = $1 AND inviter = $2",
            "DELETE FROM group_prefs WHERE app = $1 AND grp = $2",
            // A room that is hidden from him stays so if he comes again.
            "DELETE FROM members WHERE app = $1 AND user_id = $2 AND hidden = 0",
            "DELETE FROM group_members WHERE app = $1 AND user_id = $2",
            "DELETE FROM group_members WHERE app = $1 AND grp = $2",
            "DELETE FROM users WHERE app = $1 AND id = $2",
        ] {
            self.view.session.put(text, binds![self.view.app, id]).await?;
        }
        Ok(())
    }

    /// Puts a room on, or takes it off, a user's mute list. False: nothing changed.
    pub async fn set_mute(&mut self, id: &UserId, room: &RoomId, on: bool) -> Result<bool> {
        let text = if on {
            "INSERT INTO mutes (app, user_id, room) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM mutes WHERE app = $1 AND user_id = $2 AND room = $3"
        };
        Ok(self.view.session.run(text, binds![self.view.app, id, room]).await? > 0)
    }

    /// Puts a user into a user group.
    pub async fn insert_group_member(&mut self, group: &UserId, user: &UserId) -> Result<()> {
        let text = "INSERT INTO group_members (app, grp, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        self.view.session.put(text, binds![self.view.app, group, user]).await
    }
}
