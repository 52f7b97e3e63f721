//! Unread counters.

use std::collections::BTreeMap;

use banter_domain::id::UserId;
use banter_store::View;

use crate::rooms::OwnRooms;
use crate::{Caller, Chat, Result};

impl Chat {
    /// Unread messages of the caller's rooms that carry all these tags (rest.md 2.13).
    pub async fn badge(&self, caller: &Caller, tags: &[String]) -> Result<i64> {
        let mut view = self.store.view(caller.app.number).await?;
        unread(&mut view, &caller.user(), tags).await
    }

    /// Unread messages by tag, and over all rooms that carry one of them (rest.md 4). `None`: all
    /// tags of the caller's rooms.
    pub async fn badges_by_tags(
        &self,
        caller: &Caller,
        tags: Option<Vec<String>>,
    ) -> Result<(i64, Vec<(String, i64)>)> {
        let mut view = self.store.view(caller.app.number).await?;
        let user = caller.user();
        let mut own = OwnRooms::of(&user);
        let wanted = |tag: &String| tags.as_ref().is_none_or(|tags| tags.contains(tag));
        let mut by_tag: BTreeMap<String, i64> = tags.iter().flatten().map(|tag| (tag.clone(), 0)).collect();
        let mut total = 0;
        while let Some(some) = own.next(&mut view).await? {
            for own in &some {
                let mut counted = false;
                for tag in own.room.tags.iter().filter(|tag| wanted(tag)) {
                    *by_tag.entry(tag.clone()).or_default() += own.unread;
                    counted = true;
                }
                total += if counted { own.unread } else { 0 };
            }
        }
        Ok((total, by_tag.into_iter().collect()))
    }
}

/// Unread messages of a user's rooms that carry all these tags.
pub(crate) async fn unread(view: &mut View, user: &UserId, tags: &[String]) -> Result<i64> {
    let (mut own, mut total) = (OwnRooms::of(user), 0);
    while let Some(some) = own.next(view).await? {
        let tagged = some.iter().filter(|own| tags.iter().all(|tag| own.room.tags.contains(tag)));
        total += tagged.map(|own| own.unread).sum::<i64>();
    }
    Ok(total)
}
