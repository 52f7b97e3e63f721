//! The two lists.

use std::collections::HashMap;
use std::sync::Arc;

use banter_domain::id::{Pair, RoomId, UserId};
use banter_domain::relation::{After, ListQuery, Listed, RelationKind, RoomBrief};
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
    Room(&'a RoomId),
    /// Blocks between the two of a direct room; only one side's, or both.
    Pair(&'a Pair, Option<&'a UserId>),
}

const ENTRY: &str = "l.id, l.kind, l.updated_ms, l.created_ms, l.room, l.room_kind, l.room_created_ms, l.blocker,
    l.blockee, e.nickname, e.avatar_url, e.last_login_ms";
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

/// `one_before`: who shuts out in the entry before this one.
fn listed(mut row: Row, one_before: &mut Option<Arc<Profile>>) -> Result<Listed> {
    let blocker = row.user(7)?;
    let same = one_before.take().filter(|before| before.id == blocker);
    // Who he is is filled in where he is shown.
    let blocker = same.unwrap_or_else(|| Arc::new(Profile::deleted(blocker)));
    *one_before = Some(Arc::clone(&blocker));
    Ok(Listed {
        id: row.object_id(0)?,
        kind: if row.str(1)? == "ban" { RelationKind::Ban } else { RelationKind::Block },
        updated_ms: row.int(2)?,
        created_ms: row.int(3)?,
        room: RoomBrief { id: row.room_id(4)?, kind: room_type(row.str(5)?)?, created_ms: row.int(6)? },
        blocker,
        blockee: profile(&mut row, 8)?,
        lifted_ms: row.int_opt(12)?,
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
            ListOf::Room(room) => format!("l.kind = 'ban' AND l.room = {}", bind(&mut values, room.into())),
            ListOf::Pair(pair, side) => {
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
                "CAST(NULL AS BIGINT)"
            }
            Some(since_ms) => {
                let since = bind(&mut values, since_ms.into());
                condition.push_str(&format!(" AND l.updated_ms > {since}"));
                // A ban whose room is gone left the list with it.
                "COALESCE(l.lifted_ms, CASE WHEN l.listed = 0 THEN l.updated_ms END)"
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
        let text = format!(
            "SELECT {ENTRY}, {lifted} FROM relations l {PEOPLE} WHERE l.app = $1 AND {condition}
             ORDER BY l.updated_ms DESC, l.id DESC LIMIT {limit}"
        );
        let rows = self.session.rows(&text, values).await?;
        let mut one_before = None;
        let mut page = Vec::with_capacity(rows.len());
        for row in rows {
            page.push(listed(row, &mut one_before)?);
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
