//! Reading the two lists.

use std::sync::Arc;

use banter_domain::id::{Pair, RoomId, UserId};
use banter_domain::moderation::{Act, Actor, Denied, Facts, decide};
use banter_domain::relation::{After, ListQuery, Listed, RoomBrief};
use banter_store::{ListOf, View};

use crate::rooms::known;
use crate::{Caller, Chat, Result};

enum Which {
    Blocker(UserId),
    Room(Arc<RoomBrief>),
    Pair { pair: Pair, side: Option<UserId>, shown: Arc<RoomBrief> },
}

/// A list being read: one moment, page after page.
pub struct ListReader {
    view: View,
    which: Which,
    query: ListQuery,
    after: Option<After>,
}

impl Chat {
    /// Opens the list of the caller's own blocks and bans. `long`: it may take long, page after
    /// page. Refused to an API key that names an unknown user.
    pub async fn my_blocks(&self, caller: &Caller, query: ListQuery, long: bool) -> Result<ListReader> {
        let mut view = self.look(caller, long).await?;
        let blocker = caller.user();
        if caller.is_platform() && view.user(&blocker).await?.is_none() {
            return Err(Denied::NotPermitted(Act::ListBlocks).into());
        }
        Ok(ListReader { view, which: Which::Blocker(blocker), after: query.after, query })
    }

    /// Opens the list of a room's bans; in a direct room, of the caller's own block.
    /// Errors: [`Error::NoRoom`], refusals.
    pub async fn bans(&self, caller: &Caller, room: &RoomId, query: ListQuery, long: bool) -> Result<ListReader> {
        let mut view = self.look(caller, long).await?;
        let (room, standing) = known(&mut view, caller, room).await?;
        let (actor, user) = (caller.actor(), caller.user());
        decide(Act::ListBans, Facts { actor, room: &room, standing, author: false })?;
        let mut shown = RoomBrief { id: room.id.clone(), kind: room.kind.room_type(), created_ms: room.created_ms };
        let which = match room.kind.pair() {
            None => Which::Room(shown.into()),
            Some(pair) => {
                let side = (actor == Actor::User).then_some(user);
                if let Some(user) = &side {
                    shown.created_ms = view.outlook(&room, user).await?.created_ms;
                }
                Which::Pair { pair: pair.clone(), side, shown: shown.into() }
            }
        };
        Ok(ListReader { view, which, after: query.after, query })
    }

    async fn look(&self, caller: &Caller, long: bool) -> Result<View> {
        let app = caller.app.number;
        Ok(if long { self.store.view_long(app).await? } else { self.store.view(app).await? })
    }
}

impl ListReader {
    /// The next entries, at most `limit`. Empty: there are no more.
    pub async fn page(&mut self, limit: usize) -> Result<Vec<Listed>> {
        let of = match &self.which {
            Which::Blocker(blocker) => ListOf::Blocker(blocker),
            Which::Room(room) => ListOf::Room(room),
            Which::Pair { pair, side, shown } => ListOf::Pair(pair, side.as_ref(), shown),
        };
        let page = self.view.list(of, &self.query, self.after, limit).await?;
        if let Some(last) = page.last() {
            self.after = Some(After { updated_ms: last.updated_ms, id: last.id });
        }
        Ok(page)
    }

    /// Does it list a group's bans (and not a pair's blocks)?
    #[must_use]
    pub fn is_of_room(&self) -> bool {
        matches!(self.which, Which::Room(_))
    }

    /// Are lifted entries asked for as well?
    #[must_use]
    pub fn since(&self) -> bool {
        self.query.since_ms.is_some()
    }

    /// Begins again at the list's first entry, at the same moment.
    pub fn rewind(&mut self) {
        self.after = self.query.after;
    }
}
