//! Search among one's own rooms.

use std::collections::{HashMap, HashSet};

use banter_domain::id::{ObjectId, RoomId};
use banter_domain::room::RoomSeen;
use banter_domain::search::{Term, matches, query_terms};
use banter_store::{OwnRoom, View};

use crate::rooms::{RoomsQuery, seen, sort};
use crate::{Caller, Chat, Result};

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SearchFor {
    /// Messages by their words.
    Messages,
    /// Messages with files, by words and file name.
    Files,
    /// Rooms by name.
    RoomName,
    /// Rooms by a member's nickname or id.
    RoomMember,
    /// Rooms by a shared tag.
    RoomTags,
    /// Rooms by a tag of one's own.
    RoomPrefTags,
    /// Rooms by a folder of one's own.
    RoomPrefFolder,
}

/// A search.
#[derive(Debug, Clone)]
pub struct SearchQuery {
    /// The words.
    pub keyword: String,
    /// Where to look for them.
    pub what: Vec<SearchFor>,
    /// Only in this room.
    pub room: Option<RoomId>,
    /// Only in rooms with all these tags.
    pub tags: Vec<String>,
    /// At most so many messages, and so many rooms a kind.
    pub limit: usize,
}

/// What was found.
#[derive(Debug, Clone)]
pub enum Found {
    /// Messages by room, oldest first within each.
    Messages(Vec<(RoomSeen, Vec<ObjectId>)>),
    /// Rooms.
    Rooms(Vec<RoomSeen>),
}

/// The index is brought up to date in steps of so many messages.
const INDEX_STEP: i64 = 500;

impl Chat {
    /// Searches the caller's rooms. A room that is not his, frozen or hidden is as one that is not
    /// there.
    pub async fn search(&self, caller: &Caller, query: SearchQuery) -> Result<Vec<(SearchFor, Found)>> {
        let messages = query.what.iter().any(|what| matches!(what, SearchFor::Messages | SearchFor::Files));
        if messages {
            self.index_pending().await?;
        }
        let user = caller.user();
        let mut view = self.store.view(caller.app.number).await?;
        let mut own = view.own_rooms(&user).await?;
        own.retain(|own| {
            query.room.as_ref().is_none_or(|room| own.room.id == *room)
                && query.tags.iter().all(|tag| own.room.tags.contains(tag))
        });
        // In the order one lists them, so that nothing but what is in them can move them.
        sort(&mut own, &RoomsQuery::default());
        let terms = query_terms(&query.keyword);
        let mut found = Vec::new();
        for what in &query.what {
            let hits = match what {
                SearchFor::Messages | SearchFor::Files => {
                    let files = *what == SearchFor::Files;
                    Found::Messages(by_room(&mut view, caller, &own, &terms, files, query.limit).await?)
                }
                _ => Found::Rooms(rooms(&mut view, caller, &own, *what, &query).await?),
            };
            found.push((*what, hits));
        }
        Ok(found)
    }

    /// Brings the search index up to date.
    pub(crate) async fn index_pending(&self) -> Result<()> {
        if !self.store.view(0).await?.index_lags().await? {
            return Ok(());
        }
        loop {
            let mut tx = self.store.change(0).await?;
            let more = tx.index_pending(INDEX_STEP).await?;
            tx.commit().await?;
            if !more {
                return Ok(());
            }
        }
    }
}

async fn by_room(
    view: &mut View,
    caller: &Caller,
    own: &[OwnRoom],
    terms: &[Term],
    files: bool,
    limit: usize,
) -> Result<Vec<(RoomSeen, Vec<ObjectId>)>> {
    /// So many rooms are asked about at once.
    const ROOMS: usize = 200;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut hits = Vec::new();
    let ids: Vec<RoomId> = own.iter().map(|own| own.room.id.clone()).collect();
    for some in ids.chunks(ROOMS) {
        hits.extend(view.find_messages(some, terms, files, limit).await?);
    }
    hits.sort_by_key(|(_, id)| std::cmp::Reverse(*id));
    hits.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut grouped: HashMap<RoomId, Vec<ObjectId>> = HashMap::new();
    let mut order = Vec::new();
    for (room, id) in hits {
        let ids = grouped.entry(room.clone()).or_default();
        if ids.is_empty() {
            order.push(room);
        }
        ids.push(id);
    }
    let mut found = Vec::new();
    for room in order {
        let Some(own) = own.iter().find(|own| own.room.id == room) else { continue };
        let mut ids = grouped.remove(&room).unwrap_or_default();
        ids.reverse();
        found.push((seen(view, &own.room, Some(&caller.user())).await?, ids));
    }
    Ok(found)
}

async fn rooms(
    view: &mut View,
    caller: &Caller,
    own: &[OwnRoom],
    what: SearchFor,
    query: &SearchQuery,
) -> Result<Vec<RoomSeen>> {
    let holds =
        |text: &str| matches(text, &query.keyword) || text.to_lowercase().contains(&query.keyword.to_lowercase());
    let with_member: HashSet<RoomId> = match what {
        SearchFor::RoomMember => {
            let found = view.rooms_with(&caller.user(), &query.keyword).await?;
            found.into_iter().collect()
        }
        _ => HashSet::new(),
    };
    let texts = |value: Option<&serde_json::Value>| -> Vec<String> {
        match value {
            Some(serde_json::Value::String(text)) => vec![text.clone()],
            Some(serde_json::Value::Array(all)) => {
                all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        }
    };
    let mut found = Vec::new();
    for own in own {
        let hit = match what {
            SearchFor::RoomName => own.room.name.as_deref().is_some_and(holds),
            SearchFor::RoomMember => with_member.contains(&own.room.id),
            SearchFor::RoomTags => own.room.tags.iter().any(|tag| holds(tag)),
            SearchFor::RoomPrefTags => texts(own.pref.get("tags")).iter().any(|tag| holds(tag)),
            SearchFor::RoomPrefFolder => texts(own.pref.get("folder")).iter().any(|folder| holds(folder)),
            SearchFor::Messages | SearchFor::Files => false,
        };
        if hit && found.len() < query.limit {
            found.push(seen(view, &own.room, Some(&caller.user())).await?);
        }
    }
    Ok(found)
}
