//! Users, user groups and mutes.

use std::collections::HashMap;

use banter_domain::filter::Filter;
use banter_domain::id::{RoomId, UserId};
use banter_domain::user::{Profile, User, UserKind};

use crate::filter_sql::{self, Column, ColumnType};
use crate::read::{Read, fold, map_text};
use crate::sql::{Row, Value, binds};
use crate::{Error, Result, Tx, View};

/// The columns [`user`] reads, of a table spelt `u`.
pub(crate) const USER: &str = "u.id, u.kind, u.nickname, u.avatar_url, u.description, u.is_robot, u.notifications,
    u.last_login_ms, u.created_ms, u.updated_ms, u.last_room_ms, u.custom";

/// How many columns [`USER`] names.
pub(crate) const USER_COLUMNS: usize = 12;

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

/// Our own fields in a filter, as [`Filter::renamed`] writes them; all others are the app's.
fn column(name: &str) -> Option<Column> {
    let (name, kind) = match name {
        "$id" => ("u.id", ColumnType::Text),
        "$nickname" => ("u.nickname", ColumnType::Text),
        "$avatar_url" => ("u.avatar_url", ColumnType::Text),
        "$description" => ("u.description", ColumnType::Text),
        "$is_robot" => ("u.is_robot", ColumnType::Flag),
        "$notifications" => ("u.notifications", ColumnType::Flag),
        "$last_login_ms" => ("u.last_login_ms", ColumnType::Int),
        // 0 is never.
        "$last_login" => ("NULLIF(GREATEST(u.last_login_ms, 0), 0)", ColumnType::TimeIso),
        "$created_ms" => ("u.created_ms", ColumnType::TimeIso),
        "$updated_ms" => ("u.updated_ms", ColumnType::TimeIso),
        "$last_room_ms" => ("u.last_room_ms", ColumnType::TimeIso),
        "$mutes" => ("x.room", ColumnType::Texts("mutes x WHERE x.app = u.app AND x.user_id = u.id")),
        _ => return None,
    };
    Some(Column { name, kind })
}

/// A page of a filtered list of users.
#[derive(Debug)]
pub struct FoundUsers {
    /// How many there are in all.
    pub total: i64,
    /// The page.
    pub users: Vec<User>,
}

impl View {
    /// One user.
    pub async fn user(&mut self, id: &UserId) -> Result<Option<User>> {
        let text = format!("SELECT {USER} FROM users u WHERE u.app = $1 AND u.id = $2");
        let rows = self.session.rows(&text, binds![self.app, id]).await?;
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

    /// A page of users by id, filtered as the app's backend asked, after `skip` of them.
    ///
    /// A filter with a regular expression cannot be answered by the database alone: rows are then
    /// read in pages and judged here, at most [`REGEX_ROWS`] of them.
    pub async fn find_users(&mut self, filter: Option<&Filter>, limit: usize, skip: usize) -> Result<FoundUsers> {
        const PEOPLE: &str = "FROM users u WHERE u.app = $1 AND u.kind = 'person' AND u.id <> 'platform'";
        let (condition, mut values, residual) = match filter {
            None => (String::new(), binds![self.app], None),
            Some(filter) => {
                let compiled = filter_sql::compile(filter, &|path| column(path.as_str()), "u.custom", 2, self.kind);
                let mut values = binds![self.app];
                values.extend(compiled.binds);
                (format!(" AND ({})", compiled.text), values, compiled.residual)
            }
        };
        let bound = values.len();
        let Some(residual) = residual else {
            let count = format!("SELECT count(*) {PEOPLE}{condition}");
            let total = match self.session.rows(&count, values.clone()).await?.first() {
                Some(row) => row.int(0)?,
                None => 0,
            };
            values.extend([number(limit), number(skip)]);
            let text =
                format!("SELECT {USER} {PEOPLE}{condition} ORDER BY u.id LIMIT ${} OFFSET ${}", bound + 1, bound + 2);
            let rows = self.session.rows(&text, values).await?;
            let users = rows.into_iter().map(|mut row| user(&mut row, 0)).collect::<Result<_>>()?;
            return Ok(FoundUsers { total, users });
        };
        let text =
            format!("SELECT {USER} {PEOPLE}{condition} AND u.id > ${} ORDER BY u.id LIMIT {REGEX_PAGE}", bound + 1);
        let (mut total, mut users, mut after) = (0, Vec::new(), String::new());
        for _ in 0..REGEX_ROWS.div_ceil(REGEX_PAGE) {
            let mut values = values.clone();
            values.push(after.clone().into());
            let rows = self.session.rows(&text, values).await?;
            let last = rows.len() < REGEX_PAGE;
            let page: Vec<User> = rows.into_iter().map(|mut row| user(&mut row, 0)).collect::<Result<_>>()?;
            let ids: Vec<UserId> = page.iter().map(|user| user.profile.id.clone()).collect();
            let mutes = self.mutes_of(&ids).await?;
            for found in page {
                after = found.profile.id.as_str().to_owned();
                let muted = mutes.get(&found.profile.id).map_or(&[][..], Vec::as_slice);
                if residual.matches(&|path| field(&found, muted, path.as_str())) {
                    total += 1;
                    if total > skip && users.len() < limit {
                        users.push(found);
                    }
                }
            }
            if last {
                return Ok(FoundUsers { total: i64::try_from(total).unwrap_or(i64::MAX), users });
            }
        }
        Err(Error::TooBroad)
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

/// How many rows a filter with a regular expression may read.
pub const REGEX_ROWS: usize = 100_000;
const REGEX_PAGE: usize = 1_000;

fn number(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// A documented or custom field of a user, for filters judged here.
fn field(user: &User, mutes: &[RoomId], path: &str) -> Option<serde_json::Value> {
    let text = |text: &Option<String>| text.clone().map(serde_json::Value::from);
    match path {
        "$id" => Some(user.profile.id.as_str().into()),
        "$nickname" => text(&user.profile.nickname),
        "$avatar_url" => text(&user.profile.avatar_url),
        "$description" => text(&user.description),
        "$is_robot" => Some(user.is_robot.into()),
        "$notifications" => Some(user.notifications.into()),
        "$last_login_ms" => Some(user.profile.last_login_ms.into()),
        "$last_login" => Some(user.profile.last_login_ms).filter(|ms| *ms > 0).map(Into::into),
        "$created_ms" => Some(user.created_ms.into()),
        "$updated_ms" => Some(user.updated_ms.into()),
        "$last_room_ms" => user.last_room_ms.map(Into::into),
        "$mutes" => Some(mutes.iter().map(RoomId::as_str).collect::<Vec<_>>().into()),
        _ => path
            .split('.')
            .try_fold(None, |at: Option<&serde_json::Value>, name| match at {
                None => user.custom.get(name).map(Some),
                Some(value) => value.get(name).map(Some),
            })?
            .cloned(),
    }
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
