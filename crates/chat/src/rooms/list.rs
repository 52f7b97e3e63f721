//! One's own rooms.

use banter_domain::filter::Filter;
use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::room::RoomSeen;
use banter_store::{OwnOrder, OwnPage, OwnRoom, View};
use serde_json::Value;

use super::seen::seen;
use super::{RoomsQuery, SortBy};
use crate::{Caller, Chat, Page, Result};

impl Chat {
    /// A page of the rooms the caller is in, frozen ones excepted (rest.md 3.3).
    pub async fn rooms(&self, caller: &Caller, query: RoomsQuery) -> Result<Page<RoomSeen>> {
        let user = caller.user();
        let mut view = self.store.view(caller.app.number).await?;
        let (total, page) = match query.filter_of_ones_own() {
            None => view.own_rooms_page(&user, &query.page()).await?,
            Some(_) => {
                // What a filter means is decided here, so its rooms are sorted here as well.
                let limit = query.limit.unwrap_or(usize::MAX);
                let (mut total, mut best) = (0, Vec::new());
                let mutes = view.mutes(&user).await?;
                let mut own = OwnRooms::of(&user);
                while let Some(some) = own.next(&mut view).await? {
                    let before = best.len();
                    best.extend(some.into_iter().filter(|own| wanted(own, &mutes, &query)));
                    total += best.len() - before;
                    sort(&mut best, &query);
                    best.truncate(query.skip.saturating_add(limit));
                }
                (i64::try_from(total).unwrap_or(i64::MAX), best.into_iter().skip(query.skip).collect::<Vec<_>>())
            }
        };
        let mut data = Vec::new();
        for own in page {
            data.push(seen(&mut view, &own.room, Some(&user)).await?);
        }
        Ok(Page { total, data })
    }
}

/// One's own rooms, some at a time.
pub(crate) struct OwnRooms<'a> {
    user: &'a UserId,
    /// Where the next ones begin; `None`: there are none.
    next: Option<Option<RoomId>>,
}

impl<'a> OwnRooms<'a> {
    pub(crate) fn of(user: &'a UserId) -> Self {
        Self { user, next: Some(None) }
    }

    /// The next ones, perhaps none that count; `None`: there were no more.
    pub(crate) async fn next(&mut self, view: &mut View) -> Result<Option<Vec<OwnRoom>>> {
        let Some(after) = self.next.take() else { return Ok(None) };
        let (some, next) = view.own_rooms_after(self.user, after.as_ref()).await?;
        self.next = next.map(Some);
        Ok(Some(some))
    }
}

impl RoomsQuery {
    /// A filter that asks something: clients send one that only names themselves.
    fn filter_of_ones_own(&self) -> Option<&Filter> {
        self.filter.as_ref().filter(|filter| !filter.is_always()).or(self.pref.as_ref())
    }

    fn page(&self) -> OwnPage {
        let order = |(by, descending): &(SortBy, bool)| match by {
            SortBy::LastMessage => (OwnOrder::LastMessage, *descending),
            SortBy::CreatedTime => (OwnOrder::CreatedTime, *descending),
        };
        let sort = if self.sort.is_empty() { BY_DEFAULT.as_slice() } else { self.sort.as_slice() };
        OwnPage {
            order: sort.iter().map(order).collect(),
            unread_first: self.unread_first,
            updated_after_ms: self.updated_after_ms,
            skip: self.skip,
            limit: self.limit,
        }
    }
}

const BY_DEFAULT: [(SortBy, bool); 1] = [(SortBy::LastMessage, true)];

fn wanted(own: &OwnRoom, mutes: &[RoomId], query: &RoomsQuery) -> bool {
    let updated = query
        .updated_after_ms
        .is_none_or(|after| own.created_ms > after || own.last.is_some_and(|(said_ms, _)| said_ms > after));
    let pref = query.pref.as_ref().is_none_or(|filter| filter.matches(&|path| inside(&own.pref, path.as_str())));
    let room = query.filter.as_ref().is_none_or(|filter| filter.matches(&|path| field(own, mutes, path.as_str())));
    updated && pref && room
}

fn inside(map: &serde_json::Map<String, Value>, path: &str) -> Option<Value> {
    let mut names = path.split('.');
    let first = map.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name)).cloned()
}

/// A room's fields in a filter, as `Filter::renamed` writes them.
fn field(own: &OwnRoom, mutes: &[RoomId], path: &str) -> Option<Value> {
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let room = &own.room;
    match path {
        "$id" => Some(room.id.as_str().into()),
        "$name" => text(&room.name),
        "$description" => text(&room.description),
        "$kind" => Some(room.kind.name().into()),
        "$owner" => room.owner.as_ref().map(|owner| owner.as_str().into()),
        "$created_ms" => Some(own.created_ms.into()),
        "$tags" => Some(room.tags.clone().into()),
        "$unread" => Some(own.unread.into()),
        "$muted" => Some(mutes.contains(&room.id).into()),
        "$cover" => text(&room.cover),
        "$status" => Some(i64::from(!room.frozen).into()),
        "$opening" => Some(i64::from(!room.closed).into()),
        "$webhook" => text(&room.webhook),
        "$bot_mode" => Some(room.bot_mode.into()),
        "$bot_state" => Some(room.bot_state.as_str().into()),
        "$ext_params" => text(&room.ext_params),
        "pref" => Some(own.pref.clone().into()),
        other => inside(&own.pref, other.strip_prefix("pref.")?),
    }
}

/// Rooms without a message come last when the newest is asked for first.
pub(crate) fn sort(own: &mut [OwnRoom], query: &RoomsQuery) {
    let sort = if query.sort.is_empty() { BY_DEFAULT.as_slice() } else { query.sort.as_slice() };
    own.sort_by(|one, other| {
        let unread = |own: &OwnRoom| query.unread_first && own.unread > 0;
        let mut order = unread(other).cmp(&unread(one));
        for (by, descending) in sort {
            let key = |own: &OwnRoom| match by {
                SortBy::LastMessage => own.last,
                SortBy::CreatedTime => Some((own.created_ms, ObjectId::first_of(own.created_ms))),
            };
            let next = key(one).cmp(&key(other));
            order = order.then(if *descending { next.reverse() } else { next });
        }
        order.then_with(|| one.room.id.cmp(&other.room.id))
    });
}
