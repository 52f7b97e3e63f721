//! Unread counters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use banter_domain::id::UserId;
use banter_store::View;

use crate::rooms::OwnRooms;
use crate::{App, Caller, Chat, Result, Who};

impl Chat {
    /// Unread messages of the caller's rooms that carry all these tags (rest.md 2.13).
    pub async fn badge(&self, caller: &Caller, tags: &[String]) -> Result<i64> {
        let mut view = self.store.view(caller.app.number).await?;
        unread(&mut view, &caller.user(), tags).await
    }

    /// Unread messages of those to whom some tokens belong, each once, in the order of their tokens; a token
    /// of nobody is passed over (rest.md 4). A badge is told to whoever holds a token of that user.
    pub async fn badges_of_tokens(&self, app: &Arc<App>, tokens: &[String]) -> Result<Vec<(UserId, i64)>> {
        let mut found: Vec<(UserId, i64)> = Vec::new();
        for token in tokens {
            let Some((id, token)) = self.user_of_token(app, token).await? else { continue };
            if !found.iter().any(|(known, _)| *known == id) {
                let caller = Caller { app: app.clone(), who: Who::User { id: id.clone(), token }, address: None };
                found.push((id, self.badge(&caller, &[]).await?));
            }
        }
        Ok(found)
    }

    /// Unread messages by tag, and over all rooms that carry one of them (rest.md 4). `tags` `None`: all
    /// tags of the caller's rooms; `before_ms`: only messages stored before that moment, milliseconds.
    pub async fn badges_by_tags(
        &self,
        caller: &Caller,
        tags: Option<Vec<String>>,
        before_ms: Option<i64>,
    ) -> Result<(i64, Vec<(String, i64)>)> {
        let mut view = self.store.view(caller.app.number).await?;
        let user = caller.user();
        let mut own = OwnRooms::of(&user);
        let wanted = |tag: &String| tags.as_ref().is_none_or(|tags| tags.contains(tag));
        let mut by_tag: BTreeMap<String, i64> = tags.iter().flatten().map(|tag| (tag.clone(), 0)).collect();
        let mut total = 0;
        while let Some(some) = own.next(&mut view).await? {
            for own in &some {
                if !own.room.tags.iter().any(wanted) {
                    continue;
                }
                let unread = match before_ms {
                    Some(before_ms) if own.unread > 0 => {
                        let mark = view.read_mark(&own.room.id, &user).await?.unwrap_or(0);
                        let place = view.place_at(&own.room, before_ms - 1).await?;
                        view.unread_until(&own.room, mark, place).await?
                    }
                    Some(_) | None => own.unread,
                };
                // A room may have been stored with a tag twice.
                let distinct: BTreeSet<&String> = own.room.tags.iter().filter(|tag| wanted(tag)).collect();
                for tag in distinct {
                    *by_tag.entry(tag.clone()).or_default() += unread;
                }
                total += unread;
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
