//! Refused messages, for the app's own webhook: counted, and told of once a minute at most.
//!
//! Whoever tries again and again fills no disk: of one user in one room for one reason the first refusal is
//! told of within a second, and the others together when the minute is over.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::Denied;
use banter_domain::record::Topic;
use banter_domain::webhook::HookEvent;
use banter_store::NewEvent;
use serde_json::{Value, json};

use super::told;
use crate::open::Told;
use crate::{Caller, Chat, Result};

/// How often one user is told of for one room and reason, milliseconds.
const MINUTE_MS: i64 = 60_000;
/// At most so many users, rooms and reasons are told apart at once; what is beyond them shows in the
/// figures and nowhere else.
const MOST: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Refused {
    app: i64,
    sender: UserId,
    room: Option<RoomId>,
    why: Denied,
}

#[derive(Debug, Default)]
struct Count {
    /// Not told of yet.
    open: i64,
    /// When he was last told of, milliseconds.
    told_ms: Option<i64>,
}

/// Refusals of this process that are not told of yet.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<Refused, Count>>);

impl Refusals {
    fn count(&self, refused: Refused) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST || all.contains_key(&refused) {
            all.entry(refused).or_default().open += 1;
        }
    }

    /// What is to be told now. What has been quiet for a minute is forgotten.
    fn due(&self, now_ms: i64) -> HashMap<i64, Vec<(Refused, i64)>> {
        let mut due = HashMap::<i64, Vec<_>>::new();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|refused, count| {
            let over = count.told_ms.is_none_or(|told_ms| now_ms.saturating_sub(told_ms) >= MINUTE_MS);
            if over && count.open > 0 {
                due.entry(refused.app).or_default().push((refused.clone(), std::mem::take(&mut count.open)));
                count.told_ms = Some(now_ms);
            } else if over {
                return false;
            }
            true
        });
        due
    }
}

/// How a reason is written down. `None`: not one that moderation gave.
fn reason(why: Denied) -> Option<&'static str> {
    match why {
        Denied::Banned => Some("banned"),
        Denied::Blocked => Some("blocked"),
        Denied::Frozen => Some("frozen"),
        _ => None,
    }
}

/// Why, and how many, of an event as it was written.
pub(super) fn read(payload: &Value) -> Option<(Denied, i64)> {
    let name = payload.get("why")?.as_str()?;
    let why = [Denied::Banned, Denied::Blocked, Denied::Frozen].into_iter().find(|why| reason(*why) == Some(name))?;
    Some((why, payload.get("count")?.as_i64()?))
}

impl Chat {
    /// A message was refused. It leaves no trace in anybody's view.
    pub(crate) fn message_refused(&self, caller: &Caller, sender: UserId, room: Option<RoomId>, why: Denied) {
        if reason(why).is_some() {
            self.refused_messages.count(Refused { app: caller.app.number, sender, room, why });
        }
    }

    /// Writes down, for the apps that want to know, which messages were refused. To be called about once
    /// a second.
    pub(crate) async fn tell_refusals(&self) -> Result<()> {
        let now_ms = self.now();
        for (app, refused) in self.refused_messages.due(now_ms) {
            let hook = self.store.view(app).await?.webhook().await?.unwrap_or_default();
            if hook.url.is_none() || !told(&hook.events).contains(&HookEvent::Refused) {
                continue;
            }
            let mut told = Told::by(self, app);
            let mut tx = self.store.change(app).await?;
            for (Refused { sender, room, why, .. }, count) in &refused {
                let event = NewEvent {
                    id: told.draw(now_ms),
                    topic: Topic::Refused,
                    room: room.as_ref(),
                    seq: None,
                    user: Some(sender),
                    payload: Some(json!({ "why": reason(*why), "count": count })),
                };
                tx.insert_event(&event).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(sender: &str) -> Refused {
        let sender = UserId::parse(sender).unwrap();
        Refused { app: 1, sender, room: None, why: Denied::Banned }
    }

    fn counts(refusals: &Refusals, now_ms: i64) -> Vec<i64> {
        refusals.due(now_ms).into_values().flatten().map(|(_, count)| count).collect()
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_when_the_minute_is_over() {
        let refusals = Refusals::default();
        refusals.count(refused("bob"));
        assert_eq!(counts(&refusals, 1_000), [1]);
        for _ in 0..5 {
            refusals.count(refused("bob"));
        }
        assert!(counts(&refusals, 60_999).is_empty());
        assert_eq!(counts(&refusals, 61_000), [5]);
        assert!(counts(&refusals, 121_000).is_empty());
        assert!(refusals.0.lock().unwrap().is_empty(), "who is quiet is forgotten");
    }

    #[test]
    fn a_flood_of_many_is_bounded() {
        let refusals = Refusals::default();
        for number in 0..MOST + 10 {
            refusals.count(refused(&format!("user{number}")));
        }
        assert_eq!(counts(&refusals, 0).len(), MOST);
    }
}
