//! Reading messages.

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::Message;
use banter_domain::moderation::{Act, Actor};
use banter_domain::room::{Room, Standing};
use banter_store::{Anchor, Eyes, MessagesQuery, OfApp, OwnOrder, OwnPage, View};

use crate::rooms::{eyes, readable};
use crate::{Caller, Chat, Error, Page, Result};

/// A page of a room's messages.
#[derive(Debug, Clone)]
pub struct MessagesPage {
    /// How many messages of the room the caller sees.
    pub total: i64,
    /// The page.
    pub data: Vec<Message>,
    /// Messages of the page's stretch, and after the moment asked for, that the caller deleted for himself, at most 1,000.
    pub put_away: Vec<ObjectId>,
}

/// Through whose eyes a caller reads messages of a room in which he stands so. `user`: he.
pub(crate) fn seen_by<'a>(caller: &Caller, user: &'a UserId, standing: Standing) -> Eyes<'a> {
    if caller.actor() == Actor::Platform { Eyes::Platform } else { eyes(user, standing) }
}

impl Chat {
    /// A page of a room's messages (rest.md 5.4). Errors: [`Error::NoRoom`], refusals.
    pub async fn messages(&self, caller: &Caller, room: &RoomId, query: MessagesQuery) -> Result<MessagesPage> {
        let mut view = self.store.view(caller.app.number).await?;
        let (room, standing) = readable(&mut view, caller, room, Act::ReadMessages).await?;
        let user = caller.user();
        let eyes = seen_by(caller, &user, standing);
        let data = view.messages(&room, &query, eyes).await?;
        let put_away = match eyes {
            Eyes::User { user, .. } if view.has_put_away(&room.id, user).await? => {
                let stretch = stretch(&mut view, &room, &query, &data).await?;
                view.put_away_between(&room.id, user, stretch, query.after_time).await?
            }
            Eyes::User { .. } | Eyes::Platform => Vec::new(),
        };
        Ok(MessagesPage { total: view.count_seen(&room, eyes).await?, data, put_away })
    }

    /// A message with what was said before and after it, the newest first (rest.md 5.4). Errors:
    /// [`Error::NoRoom`], [`Error::NoMessage`], refusals.
    pub async fn messages_around(
        &self,
        caller: &Caller,
        room: &RoomId,
        id: ObjectId,
        (before, after): (usize, usize),
    ) -> Result<Page<Message>> {
        let mut view = self.store.view(caller.app.number).await?;
        let (room, standing) = readable(&mut view, caller, room, Act::ReadMessages).await?;
        let user = caller.user();
        let eyes = seen_by(caller, &user, standing);
        let part =
            |anchor, ascending, limit| MessagesQuery { anchor: Some(anchor), ascending, limit, after_time: None };
        let older = view.messages(&room, &part(Anchor::Before(id), false, before + 1), eyes).await?;
        if older.first().is_none_or(|first| first.id != id) {
            return Err(Error::NoMessage);
        }
        let newer = view.messages(&room, &part(Anchor::After(id), true, after + 1), eyes).await?;
        let data = newer.into_iter().skip(1).rev().chain(older).collect();
        Ok(Page { total: view.count_seen(&room, eyes).await?, data })
    }

    /// The newest messages of all of the caller's active rooms, the newest first.
    pub async fn recent_messages(&self, caller: &Caller, limit: usize) -> Result<Vec<Message>> {
        let mut view = self.store.view(caller.app.number).await?;
        let user = caller.user();
        let page = OwnPage { order: vec![(OwnOrder::LastMessage, true)], limit: Some(limit), ..OwnPage::default() };
        let (_, rooms) = view.own_rooms_page(&user, &page).await?;
        let mut newest: Vec<Message> = Vec::new();
        for own in rooms {
            // Rooms come by their newest message: those that follow have nothing newer than this.
            let full = newest.len() >= limit;
            if own.last.is_none_or(|(_, last)| full && newest.last().is_some_and(|oldest| oldest.id > last)) {
                break;
            }
            let standing = view.standing(&own.room.id, &user).await?;
            let query = MessagesQuery { anchor: None, ascending: false, limit, after_time: None };
            newest.extend(view.messages(&own.room, &query, eyes(&user, standing)).await?);
            newest.sort_by_key(|message| std::cmp::Reverse(message.id));
            newest.truncate(limit);
        }
        Ok(newest)
    }

    /// The room's pinned message, if the caller sees it. Errors: [`Error::NoRoom`], refusals.
    pub async fn pinned_messages(&self, caller: &Caller, room: &RoomId) -> Result<Vec<Message>> {
        let mut view = self.store.view(caller.app.number).await?;
        let (room, standing) = readable(&mut view, caller, room, Act::ReadMessages).await?;
        let Some(pinned) = room.pinned else { return Ok(Vec::new()) };
        let user = caller.user();
        let anchor = Some(Anchor::Before(pinned));
        let query = MessagesQuery { anchor, ascending: false, limit: 1, after_time: None };
        let mut found = view.messages(&room, &query, seen_by(caller, &user, standing)).await?;
        found.retain(|message| message.id == pinned);
        Ok(found)
    }

    /// The platform's look at messages of all rooms, the newest first: those of a batch, or those stored
    /// between two moments (milliseconds, the latter left out).
    pub async fn messages_of_app(
        &self,
        caller: &Caller,
        which: MessagesOfApp,
        skip: usize,
        limit: usize,
    ) -> Result<Page<Message>> {
        let mut view = self.store.view(caller.app.number).await?;
        let which = match &which {
            MessagesOfApp::Batch(id) => OfApp::Batch(id),
            MessagesOfApp::Between(from, until) => OfApp::Between(*from, *until),
        };
        let (total, data) = view.messages_of_app(&which, skip, limit).await?;
        Ok(Page { total, data })
    }
}

/// Which messages of all rooms the platform asks for.
#[derive(Debug, Clone)]
pub enum MessagesOfApp {
    /// Those of a batch.
    Batch(String),
    /// Those stored from one moment on and before another, milliseconds.
    Between(i64, i64),
}

/// Which stretch of the room's order a page covers: from its beginning to its last message, or to the
/// end of the room where it was not filled.
async fn stretch(view: &mut View, room: &Room, query: &MessagesQuery, page: &[Message]) -> Result<(i64, i64)> {
    let places = || page.iter().map(|message| message.seq);
    let (low, high) = (places().min(), places().max());
    let whole = page.len() < query.limit;
    let upward = match query.anchor {
        Some(Anchor::After(_)) => true,
        Some(Anchor::Before(_)) => false,
        None => query.ascending,
    };
    let anchor = match query.anchor {
        None => None,
        Some(Anchor::Before(id) | Anchor::After(id)) => view.place_of(room, id).await?,
    };
    Ok(if upward {
        (anchor.unwrap_or(0), if whole { room.last_seq } else { high.unwrap_or(room.last_seq) })
    } else {
        (if whole { 0 } else { low.unwrap_or(0) }, anchor.unwrap_or(room.last_seq))
    })
}
