//! Search among one's own rooms.

use std::collections::HashSet;

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::Message;
use banter_domain::moderation::Act;
use banter_domain::room::{Room, RoomSeen};
use banter_domain::search::{Term, matches, query_terms};
use banter_store::{OwnRoom, View};
use serde_json::Value;

use crate::rooms::{OwnRooms, RoomsQuery, readable, seen, sort};
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

/// So many names of members are looked at for their accents, in each 200 rooms. Ours: it bounds the memory.
const NAMES: i64 = 10_000;

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
        let terms = query_terms(&query.keyword);
        let mut finding: Vec<(SearchFor, Finding)> =
            query.what.iter().map(|what| (*what, Finding::default())).collect();
        let mut own = OwnRooms::of(&user);
        while let Some(mut some) = own.next(&mut view).await? {
            some.retain(|own| {
                query.room.as_ref().is_none_or(|room| own.room.id == *room)
                    && query.tags.iter().all(|tag| own.room.tags.contains(tag))
            });
            for (what, finding) in &mut finding {
                match what {
                    SearchFor::Messages | SearchFor::Files => {
                        let files = *what == SearchFor::Files;
                        finding.messages((&mut view, &user), &some, &terms, files, query.limit).await?;
                    }
                    _ => finding.rooms(&mut view, &some, *what, &query).await?,
                }
            }
        }
        let mut found = Vec::new();
        for (what, finding) in finding {
            let hits = match what {
                SearchFor::Messages | SearchFor::Files => Found::Messages(finding.by_room(&mut view, &user).await?),
                _ => Found::Rooms(finding.seen(&mut view, &user).await?),
            };
            found.push((what, hits));
        }
        Ok(found)
    }

    /// The newest messages that a keyword finds in one room, or in all of the caller's own. Errors:
    /// [`crate::Error::NoRoom`], refusals.
    pub async fn messages_with(
        &self,
        caller: &Caller,
        room: Option<&RoomId>,
        keyword: &str,
        limit: usize,
    ) -> Result<Vec<Message>> {
        self.index_pending().await?;
        let user = caller.user();
        let mut view = self.store.view(caller.app.number).await?;
        let terms = query_terms(keyword);
        let (rooms, hits): (Vec<Room>, _) = if let Some(room) = room {
            let (room, _) = readable(&mut view, caller, room, Act::ReadMessages).await?;
            let most = i64::try_from(limit).unwrap_or(i64::MAX);
            let hits = view.find_messages(&user, std::slice::from_ref(&room.id), &terms, false, most).await?;
            (vec![room], hits)
        } else {
            let (mut own, mut finding) = (OwnRooms::of(&user), Finding::default());
            while let Some(some) = own.next(&mut view).await? {
                finding.messages((&mut view, &user), &some, &terms, false, limit).await?;
            }
            (finding.rooms.into_iter().map(|own| own.room).collect(), finding.messages)
        };
        let mut found = Vec::with_capacity(hits.len());
        for room in &rooms {
            let ids: Vec<ObjectId> = hits.iter().filter(|(of, _)| *of == room.id).map(|(_, id)| *id).collect();
            if !ids.is_empty() {
                found.extend(view.messages_among(room, &ids).await?);
            }
        }
        found.sort_by_key(|message| std::cmp::Reverse(message.id));
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

/// What was found so far, never more than is asked for.
#[derive(Default)]
struct Finding {
    rooms: Vec<OwnRoom>,
    /// Newest first, all of `rooms`.
    messages: Vec<(RoomId, ObjectId)>,
}

impl Finding {
    /// Looks for messages in some more rooms.
    async fn messages(
        &mut self,
        (view, user): (&mut View, &UserId),
        some: &[OwnRoom],
        terms: &[Term],
        files: bool,
        limit: usize,
    ) -> Result<()> {
        let ids: Vec<RoomId> = some.iter().map(|own| own.room.id.clone()).collect();
        let hits = view.find_messages(user, &ids, terms, files, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
        self.messages.extend(hits);
        self.messages.sort_by_key(|(_, id)| std::cmp::Reverse(*id));
        self.messages.truncate(limit);
        self.rooms.extend(some.iter().cloned());
        let messages = &self.messages;
        self.rooms.retain(|own| messages.iter().any(|(room, _)| *room == own.room.id));
        Ok(())
    }

    /// Looks at some more rooms themselves.
    async fn rooms(&mut self, view: &mut View, some: &[OwnRoom], what: SearchFor, query: &SearchQuery) -> Result<()> {
        let lower = query.keyword.to_lowercase();
        let holds = |text: &str| matches(text, &query.keyword) || text.to_lowercase().contains(&lower);
        let mut with_member: HashSet<RoomId> = HashSet::new();
        if what == SearchFor::RoomMember {
            let mut ids: Vec<RoomId> = some.iter().map(|own| own.room.id.clone()).collect();
            with_member.extend(view.rooms_with(&ids, &query.keyword).await?);
            // The database minds accents: names that have some, or all if the keyword has, are looked at here.
            ids.retain(|id| !with_member.contains(id));
            for (room, user, nickname) in view.names_in(&ids, query.keyword.is_ascii(), NAMES).await? {
                if holds(user.as_str()) || nickname.as_deref().is_some_and(holds) {
                    with_member.insert(room);
                }
            }
        }
        let hit = |own: &&OwnRoom| match what {
            SearchFor::RoomName => own.room.name.as_deref().is_some_and(holds),
            SearchFor::RoomMember => with_member.contains(&own.room.id),
            SearchFor::RoomTags => own.room.tags.iter().any(|tag| holds(tag)),
            SearchFor::RoomPrefTags => texts(own.pref.get("tags")).any(holds),
            SearchFor::RoomPrefFolder => texts(own.pref.get("folder")).any(holds),
            SearchFor::Messages | SearchFor::Files => false,
        };
        self.rooms.extend(some.iter().filter(hit).cloned());
        // In the order one lists them, so that nothing but what is in them can move them.
        sort(&mut self.rooms, &RoomsQuery::default());
        self.rooms.truncate(query.limit);
        Ok(())
    }

    /// The messages by room, the room with the newest one first, oldest first within each.
    async fn by_room(self, view: &mut View, user: &UserId) -> Result<Vec<(RoomSeen, Vec<ObjectId>)>> {
        let mut grouped: Vec<(RoomId, Vec<ObjectId>)> = Vec::new();
        for (room, id) in self.messages {
            match grouped.iter_mut().find(|(known, _)| *known == room) {
                Some((_, ids)) => ids.insert(0, id),
                None => grouped.push((room, vec![id])),
            }
        }
        let mut found = Vec::new();
        for (room, ids) in grouped {
            let Some(own) = self.rooms.iter().find(|own| own.room.id == room) else { continue };
            found.push((seen(view, &own.room, Some(user)).await?, ids));
        }
        Ok(found)
    }

    async fn seen(self, view: &mut View, user: &UserId) -> Result<Vec<RoomSeen>> {
        let mut found = Vec::new();
        for own in self.rooms {
            found.push(seen(view, &own.room, Some(user)).await?);
        }
        Ok(found)
    }
}

/// A text, or a list of texts.
fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, many) = match value {
        Some(Value::String(text)) => (Some(text.as_str()), None),
        Some(Value::Array(all)) => (None, Some(all)),
        _ => (None, None),
    };
    one.into_iter().chain(many.into_iter().flatten().filter_map(Value::as_str))
}
