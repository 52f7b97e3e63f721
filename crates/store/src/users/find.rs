//! The filtered list of users.
//!
//! What the database can decide alone, it decides: then only the page is read. A pattern it cannot run is decided
//! here, by the fields the filter asks about, and whole users are still read for the page alone.

use banter_domain::filter::Filter;
use banter_domain::id::UserId;
use banter_domain::user::User;

use super::{USER, number, user};
use crate::filter_sql::{self, Column, ColumnType, Rest};
use crate::read::Read;
use crate::sql::{Value, binds};
use crate::{Error, Result, View};

/// How many users a filter may have judged here.
pub const REGEX_ROWS: usize = 100_000;

/// How many of them are read at a time.
const REGEX_PAGE: usize = 1_000;

const PEOPLE: &str = "FROM users u WHERE u.app = $1 AND u.kind = 'person' AND u.id <> 'platform'";

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
    /// A page of users by id, filtered as the app's backend asked, after `skip` of them.
    ///
    /// Errors: [`Error::TooBroad`] if more than [`REGEX_ROWS`] users would have to be judged here: those who pass
    /// everything else the filter asks, and hold what its patterns need.
    pub async fn find_users(&mut self, filter: Option<&Filter>, limit: usize, skip: usize) -> Result<FoundUsers> {
        let mut values = binds![self.app];
        let (mut condition, mut rest) = (String::new(), None);
        if let Some(filter) = filter {
            let compiled = filter_sql::compile(filter, &|path| column(path.as_str()), "u.custom", 2, self.kind);
            condition = format!(" AND ({})", compiled.text);
            values.extend(compiled.binds);
            rest = compiled.rest;
        }
        match rest {
            None => self.find_settled(&condition, values, limit, skip).await,
            Some(rest) => self.find_judged(&condition, values, &rest, limit, skip).await,
        }
    }

    async fn find_settled(
        &mut self,
        condition: &str,
        mut values: Vec<Value>,
        limit: usize,
        skip: usize,
    ) -> Result<FoundUsers> {
        let count = format!("SELECT count(*) {PEOPLE}{condition}");
        let total = match self.session.rows(&count, values.clone()).await?.first() {
            Some(row) => row.int(0)?,
            None => 0,
        };
        let bound = values.len();
        values.extend([number(limit), number(skip)]);
        let text =
            format!("SELECT {USER} {PEOPLE}{condition} ORDER BY u.id LIMIT ${} OFFSET ${}", bound + 1, bound + 2);
        let rows = self.session.rows(&text, values).await?;
        let users = rows.into_iter().map(|mut row| user(&mut row, 0)).collect::<Result<_>>()?;
        Ok(FoundUsers { total, users })
    }

    async fn find_judged(
        &mut self,
        condition: &str,
        values: Vec<Value>,
        rest: &Rest,
        limit: usize,
        skip: usize,
    ) -> Result<FoundUsers> {
        let (columns, after) = (rest.columns().join(", "), values.len() + 1);
        let text =
            format!("SELECT u.id, {columns} {PEOPLE}{condition} AND u.id > ${after} ORDER BY u.id LIMIT {REGEX_PAGE}");
        let (mut read, mut total, mut page, mut last) = (0, 0, Vec::new(), String::new());
        loop {
            let mut values = values.clone();
            values.push(last.as_str().into());
            let rows = self.session.rows(&text, values).await?;
            read += rows.len();
            if read > REGEX_ROWS {
                return Err(Error::TooBroad);
            }
            let more = rows.len() == REGEX_PAGE;
            for mut row in rows {
                let id = row.user(0)?;
                id.as_str().clone_into(&mut last);
                if rest.passes(&mut row, 1)? {
                    total += 1;
                    if total > skip && page.len() < limit {
                        page.push(id);
                    }
                }
            }
            if !more {
                break;
            }
        }
        let mut users = self.users(&page).await?;
        let users = page.iter().filter_map(|id: &UserId| users.remove(id)).collect();
        Ok(FoundUsers { total: i64::try_from(total).unwrap_or(i64::MAX), users })
    }
}
