//! The two lists.

use std::collections::HashMap;
use std::sync::Arc;

use banter_domain::id::{Pair, UserId};
use banter_domain::relation::{After, ListQuery, Listed, RoomBrief};
use banter_domain::room::RoomType;
use banter_domain::user::{Profile, User};

use crate::read::{Read, fold};
use crate::sql::{Row, Value, binds};
use crate::{Error, Result, View};

/// Which list.
#[derive(Debug, Clone, Copy)]
pub enum ListOf<'a> {
    /// Blocks and bans a user made.
    Blocker(&'a UserId),
    /// Bans of a room, whoever made them.
    Room(&'a Arc<RoomBrief>),
    /// Blocks between the two of a direct room, shown so; only one side's, or both.
    Pair(&'a Pair, Option<&'a UserId>, &'a Arc<RoomBrief>),
}

const ENTRY: &str = "l.id, l.updated_ms, l.created_ms, l.blockee, e.nickname, e.avatar_url, e.last_login_ms";
/// What tells the entries of a list apart besides, one's own and a room's. What is known of all of them is not asked.
const WHERE: &str = "l.room, l.room_kind, l.room_created_ms";
const BY_WHOM: &str = "l.blocker";
const PEOPLE: &str = "LEFT JOIN users e ON e.app = l.app AND e.id = l.blockee";

fn profile(row: &mut Row, from: usize) -> Result<Profile> {
    let id = row.user(from)?;
    match row.int_opt(from + 3)? {
        None => Ok(Profile::deleted(id)),
        Some(last_login_ms) => {
            Ok(Profile { id, nickname: row.text_opt(from + 1)?, avatar_url: row.text_opt(from + 2)?, last_login_ms })
        }
    }
}

fn room_type(name: &str) -> Result<RoomType> {
    RoomType::of_name(name).ok_or_else(|| Error::Corrupt(format!("not a type of room: {name:?}")))
}

/// The columns of [`ENTRY`], and then those of [`WHERE`] or of [`BY_WHOM`]. `blocker`: who shuts out in the entry
/// before this one, and from here on in this one.
fn listed(mut row: Row, of: ListOf<'_>, blocker: &mut Arc<Profile>, since: bool) -> Result<Listed> {
    let (room, lifted_at) = match of {
        ListOf::Blocker(_) => {
            let brief = RoomBrief { id: row.room_id(7)?, kind: room_type(row.str(8)?)?, created_ms: row.int(9)? };
            (Arc::new(brief), 10)
        }
        ListOf::Room(room) | ListOf::Pair(_, _, room) => {
            if row.str(7)? != blocker.id.as_str() {
                // Who he is is filled in later.
                *blocker = Arc::new(Profile::deleted(row.user(7)?));
            }
            (Arc::clone(room), 8)
        }
    };
    Ok(Listed {
        id: row.object_id(0)?,
        updated_ms: row.int(1)?,
        created_ms: row.int(2)?,
        room,
        blocker: Arc::clone(blocker),
        blockee: profile(&mut row, 3)?,
        lifted_ms: if since { row.int_opt(lifted_at)? } else { None },
    })
}

impl View {
    /// At most `limit` entries of a list, newest first, after `after`. One range of one index,
    /// whatever the length of the list.
    pub async fn list(
        &mut self,
        of: ListOf<'_>,
        query: &ListQuery,
        after: Option<After>,
        limit: usize,
    ) -> Result<Vec<Listed>> {
        let mut values = binds![self.app];
        let bind = |values: &mut Vec<Value>, value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        let mut condition = match of {
            ListOf::Blocker(user) => format!("l.blocker = {}", bind(&mut values, user.into())),
            ListOf::Room(room) => format!("l.kind = 'ban' AND l.room = {}", bind(&mut values, (&room.id).into())),
            ListOf::Pair(pair, side, _) => {
                let [low, high] = pair.both();
                let (low, high) = (bind(&mut values, low.into()), bind(&mut values, high.into()));
                let mut condition =
                    format!("l.kind = 'block' AND l.blocker IN ({low}, {high}) AND l.blockee IN ({low}, {high})");
                if let Some(side) = side {
                    condition.push_str(&format!(" AND l.blocker = {}", bind(&mut values, side.into())));
                }
                condition
            }
        };
        // What is listed was not lifted. Not asking for it keeps the question within the index.
        let lifted = match query.since_ms {
            None => {
                condition.push_str(" AND l.listed = 1");
                ""
            }
            Some(since_ms) => {
                let since = bind(&mut values, since_ms.into());
                condition.push_str(&format!(" AND l.updated_ms > {since}"));
                // A ban whose room is gone left the list with it.
                ", COALESCE(l.lifted_ms, CASE WHEN l.listed = 0 THEN l.updated_ms END)"
            }
        };
        if let Some(After { updated_ms, id }) = after {
            let (updated, id) = (bind(&mut values, updated_ms.into()), bind(&mut values, id.into()));
            condition.push_str(&format!(" AND (l.updated_ms, l.id) < ({updated}, {id})"));
        }
        if let Some(users) = &query.users {
            condition.push_str(&format!(" AND l.blockee = ANY({})", bind(&mut values, users.as_slice().into())));
        }
        if let Some(holds) = &query.holds {
            // A deleted user is still found by his id; as it is written, since SQLite folds ASCII alone.
            let (folded, written) = (bind(&mut values, fold(holds).into()), bind(&mut values, holds.as_str().into()));
            condition.push_str(&format!(
                " AND (strpos(COALESCE(e.fold, lower(l.blockee)), {folded}) > 0
                    OR e.id IS NULL AND strpos(l.blockee, {written}) > 0)"
            ));
        }
        if let Some(direct) = query.direct {
            condition.push_str(if direct { " AND l.kind = 'block'" } else { " AND l.kind = 'ban'" });
        }
        let limit = bind(&mut values, Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
        let (apart, mut blocker) = match of {
            ListOf::Blocker(user) => (WHERE, Profile::deleted(user.clone()).into()),
            ListOf::Room(_) | ListOf::Pair(..) => (BY_WHOM, Profile::deleted(UserId::platform()).into()),
        };
        let text = format!(
            "SELECT {ENTRY}, {apart}{lifted} FROM relations l {PEOPLE} WHERE l.app = $1 AND {condition}
             ORDER BY l.updated_ms DESC, l.id DESC LIMIT {limit}"
        );
        let rows = self.session.rows(&text, values).await?;
        let mut page = Vec::with_capacity(rows.len());
        for row in rows {
            page.push(listed(row, of, &mut blocker, query.since_ms.is_some())?);
        }
        if !matches!(of, ListOf::Blocker(_)) {
            let mut blockers: Vec<UserId> = page.iter().map(|entry| entry.blocker.id.clone()).collect();
            blockers.sort();
            blockers.dedup();
            // Mostly it is one, the owner.
            let users: Vec<User> = match blockers.as_slice() {
                [one] => self.user(one).await?.into_iter().collect(),
                several => self.users(several).await?.into_values().collect(),
            };
            let known: HashMap<UserId, Arc<Profile>> =
                users.into_iter().map(|user| (user.profile.id.clone(), Arc::new(user.profile))).collect();
            for entry in &mut page {
                if let Some(profile) = known.get(&entry.blocker.id) {
                    entry.blocker = Arc::clone(profile);
                }
            }
        }
        Ok(page)
    }
}
