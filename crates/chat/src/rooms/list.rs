//! One's own rooms.

use banter_domain::id::ObjectId;
use banter_domain::room::RoomSeen;
use banter_store::OwnRoom;
use serde_json::Value;

use super::seen::seen;
use super::{RoomsQuery, SortBy};
use crate::{Caller, Chat, Page, Result};

impl Chat {
    /// A page of the rooms the caller is in, frozen ones excepted (rest.md 3.3).
    pub async fn rooms(&self, caller: &Caller, query: RoomsQuery) -> Result<Page<RoomSeen>> {
        let user = caller.user();
        let mut view = self.store.view(caller.app.number).await?;
        let mut own = view.own_rooms(&user).await?;
        own.retain(|own| wanted(own, &query));
        sort(&mut own, &query);
        let total = i64::try_from(own.len()).unwrap_or(i64::MAX);
        let page = own.into_iter().skip(query.skip).take(query.limit.unwrap_or(usize::MAX));
        let mut data = Vec::new();
        for own in page {
            data.push(seen(&mut view, &own.room, Some(&user)).await?);
        }
        Ok(Page { total, data })
    }
}

fn wanted(own: &OwnRoom, query: &RoomsQuery) -> bool {
    let updated = query
        .updated_after_ms
        .is_none_or(|after| own.created_ms > after || own.last.is_some_and(|(said_ms, _)| said_ms > after));
    let pref = query.pref.as_ref().is_none_or(|filter| filter.matches(&|path| inside(&own.pref, path.as_str())));
    let room = query.filter.as_ref().is_none_or(|filter| filter.matches(&|path| field(own, path.as_str())));
    updated && pref && room
}

fn inside(map: &serde_json::Map<String, Value>, path: &str) -> Option<Value> {
    let mut names = path.split('.');
    let first = map.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name)).cloned()
}

/// A room's fields in a filter, as `Filter::renamed` writes them.
fn field(own: &OwnRoom, path: &str) -> Option<Value> {
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let room = &own.room;
    match path {
        "@id" => Some(room.id.as_str().into()),
        "@name" => text(&room.name),
        "@description" => text(&room.description),
        "@kind" => Some(room.kind.name().into()),
        "@owner" => room.owner.as_ref().map(|owner| owner.as_str().into()),
        "@created_ms" => Some(own.created_ms.into()),
        "@tags" => Some(room.tags.clone().into()),
        "@unread" => Some(own.unread.into()),
        _ => None,
    }
}

/// Rooms without a message come last when the newest is asked for first.
pub(crate) fn sort(own: &mut [OwnRoom], query: &RoomsQuery) {
    let by_default = [(SortBy::LastMessage, true)];
    let sort = if query.sort.is_empty() { by_default.as_slice() } else { query.sort.as_slice() };
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
