//! Deliveries: which is next, and what became of it.

use std::collections::HashSet;

use banter_domain::id::ObjectId;
use banter_domain::message::Kind;
use banter_domain::webhook::{HookEvent, Target};
use banter_store::{Delivery, DeliveryState};

use super::listening;
use crate::{App, Caller, Chat, Error, Result};

/// Where a target is told, and what it is signed with.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where, as it was set: an address, or the key of one. `None`: nowhere any more.
    pub address: Option<String>,
    /// The secrets to sign with, the newest first; at least one.
    pub secrets: Vec<String>,
}

impl Chat {
    /// Waits until nobody else in this process makes deliveries; for as long as the answer is held it is
    /// the caller who does.
    pub async fn delivering(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.delivering.lock().await
    }

    /// Who of an app is to be told something.
    pub async fn waiting_targets(&self, app: &App) -> Result<HashSet<Target>> {
        Ok(self.store.view(app.number).await?.waiting_targets().await?)
    }

    /// The next thing a target is to be told.
    pub async fn next_delivery(&self, app: &App, target: &Target) -> Result<Option<Delivery>> {
        Ok(self.store.view(app.number).await?.next_delivery(target).await?)
    }

    /// Where a target is told now. A room's webhook is told as long as whoever set it could still do so.
    pub async fn place_of(&self, app: &App, target: &Target) -> Result<Place> {
        let mut view = self.store.view(app.number).await?;
        let hook = view.webhook().await?.unwrap_or_default();
        let secrets = self.hook_secrets(app.number, &hook);
        let address = match target {
            Target::App => hook.url,
            Target::Room(room) => listening(&mut view, room).await?.and_then(|room| room.webhook),
        };
        Ok(Place { address, secrets })
    }

    /// Is what a delivery tells of still there to be told? Not a message that was deleted, taken back or taken out of
    /// the members' sight since it was read from the outbox.
    pub async fn is_still_so(&self, app: &App, delivery: &Delivery) -> Result<bool> {
        let (Target::Room(room), Some(HookEvent::Message)) = (&delivery.target, delivery.event) else {
            return Ok(true);
        };
        let mut view = self.store.view(app.number).await?;
        let told = view.events(delivery.id, delivery.id.successor(), 1).await?;
        let (Some(seq), Some(room)) = (told.first().and_then(|event| event.seq), view.room(room).await?) else {
            return Ok(false);
        };
        let message = view.message_at(&room, seq).await?;
        Ok(message.is_some_and(|message| !message.hidden && message.kind != Kind::Recall.name()))
    }

    /// What a delivery tells of is not there any more: it is told to nobody.
    pub async fn drop_delivery(&self, app: &App, delivery: &Delivery) -> Result<()> {
        let mut tx = self.store.change(app.number).await?;
        tx.end_delivery(delivery.id, &delivery.target).await?;
        Ok(tx.commit().await?)
    }

    /// A delivery has failed, and is tried again after `wait_ms`.
    pub async fn put_off_delivery(&self, app: &App, id: ObjectId, reason: &str, wait_ms: i64) -> Result<()> {
        let mut tx = self.store.change(app.number).await?;
        tx.put_off_delivery(id, reason, self.now().saturating_add(wait_ms)).await?;
        Ok(tx.commit().await?)
    }

    /// A delivery is not tried any more, nor are those behind it that are tried for `patience_ms` already;
    /// `None`: it alone. How many these are.
    pub async fn bury_delivery(
        &self,
        app: &App,
        delivery: &Delivery,
        reason: &str,
        patience_ms: Option<i64>,
    ) -> Result<u64> {
        let before_ms = patience_ms.map_or(i64::MIN, |patience_ms| self.now().saturating_sub(patience_ms));
        let mut tx = self.store.change(app.number).await?;
        let buried = tx.bury_delivery(delivery.id, &delivery.target, reason, before_ms).await?;
        tx.commit().await?;
        Ok(buried)
    }

    /// A page of an app's deliveries, newest first, after one of them; and where the next page begins.
    pub async fn deliveries(
        &self,
        caller: &Caller,
        state: Option<DeliveryState>,
        after: Option<ObjectId>,
        limit: usize,
    ) -> Result<(Vec<Delivery>, Option<ObjectId>)> {
        let mut page = self.store.view(caller.app.number).await?.deliveries(state, after, limit + 1).await?;
        let more = page.len() > limit;
        page.truncate(limit);
        let next = page.last().map(|delivery| delivery.id).filter(|_| more);
        Ok((page, next))
    }

    /// A delivery is tried again from now on, one that arrived as well. Errors: [`Error::NoDelivery`].
    pub async fn retry_delivery(&self, caller: &Caller, id: ObjectId) -> Result<Delivery> {
        let mut open = self.begin(caller).await?;
        let delivery = open.tx.revive_delivery(id, open.now_ms).await?.ok_or(Error::NoDelivery)?;
        open.done().await?;
        Ok(delivery)
    }

    /// Of all apps: how many deliveries wait, how many are dead, and for how long the oldest waits,
    /// milliseconds.
    pub async fn delivery_gauges(&self) -> Result<(i64, i64, i64)> {
        let (waiting, dead, oldest_ms) = self.store.view(0).await?.count_deliveries_everywhere().await?;
        let lag_ms = oldest_ms.map_or(0, |oldest_ms| self.now().saturating_sub(oldest_ms).max(0));
        Ok((waiting, dead, lag_ms))
    }
}
