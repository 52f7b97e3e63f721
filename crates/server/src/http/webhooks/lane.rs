//! One target is told, thing by thing: the next one waits until the one before has arrived or is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use banter_chat::{App, Delivery, Error, Reply};
use banter_domain::moderation::Act;
use banter_domain::webhook::{Target, wait_ms};
use tokio::sync::{Notify, Semaphore, watch};

use super::ask::{Place, Went};
use super::{Hooks, PAUSE, REQUESTS_A_HOST, locked, reply};
use crate::errors::ApiError;
use crate::http::Edge;
use crate::http::metrics::Delivered;

/// No wait is longer without a look at what waits: the wall clock may have jumped.
const LOOK: Duration = Duration::from_secs(60);
/// How often what arrived is written down if the database asks to try again.
const TRIES: usize = 3;

/// Who tells one target.
#[derive(Default)]
pub(super) struct Lane {
    /// Something came while he was busy.
    again: AtomicBool,
    wake: Notify,
}

impl Hooks {
    /// Wakes who tells a target; if nobody does, answers with a place for somebody.
    pub(super) fn lane(&self, key: &(i64, Target)) -> Option<Arc<Lane>> {
        let mut lanes = locked(&self.lanes);
        if let Some(lane) = lanes.get(key) {
            lane.again.store(true, Ordering::Relaxed);
            lane.wake.notify_one();
            return None;
        }
        let lane = Arc::new(Lane::default());
        lanes.insert(key.clone(), lane.clone());
        Some(lane)
    }

    /// Nothing was found to tell. True: nothing came meanwhile, and the place is given up.
    fn leave(&self, key: &(i64, Target), lane: &Lane) -> bool {
        let mut lanes = locked(&self.lanes);
        // Under the lock under which others say that something came.
        let over = !lane.again.load(Ordering::Relaxed);
        if over {
            lanes.remove(key);
        }
        over
    }

    /// How many requests may go to one host.
    fn host(&self, host: &str) -> Arc<Semaphore> {
        let mut hosts = locked(&self.hosts);
        if let Some(known) = hosts.get(host).and_then(std::sync::Weak::upgrade) {
            return known;
        }
        hosts.retain(|_, known| known.strong_count() > 0);
        let new = Arc::new(Semaphore::new(REQUESTS_A_HOST));
        hosts.insert(host.to_owned(), Arc::downgrade(&new));
        new
    }
}

/// Gives the place up also if the task that held it breaks off.
struct Held<'a>(&'a Hooks, &'a (i64, Target));

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            locked(&self.0.lanes).remove(self.1);
        }
    }
}

/// Tells a target what waits for it, until nothing does or the server stops.
pub(super) async fn tell(
    hooks: Arc<Hooks>,
    edge: Edge,
    app: Arc<App>,
    key: (i64, Target),
    lane: Arc<Lane>,
    mut stopping: watch::Receiver<()>,
) {
    let _held = Held(&hooks, &key);
    let teller = Teller { hooks: &hooks, edge: &edge, app: &app };
    loop {
        if stopping.has_changed().unwrap_or(true) {
            return;
        }
        lane.again.store(false, Ordering::Relaxed);
        let waits = match edge.chat.next_delivery(&app, &key.1).await {
            Ok(None) if hooks.leave(&key, &lane) => return,
            Ok(None) => continue,
            Ok(Some(delivery)) => match u64::try_from(delivery.due_ms.saturating_sub(edge.chat.now())) {
                Ok(early_ms) if early_ms > 0 => Duration::from_millis(early_ms).min(LOOK),
                Ok(_) | Err(_) => match teller.attempt(&delivery, &stopping).await {
                    Ok(()) => continue,
                    Err(error) => paused(&error),
                },
            },
            Err(error) => paused(&error),
        };
        tokio::select! {
            () = tokio::time::sleep(waits) => {}
            () = lane.wake.notified() => {}
            _ = stopping.changed() => return,
        }
    }
}

fn paused(error: &Error) -> Duration {
    tracing::warn!(%error, "what is to be told to a webhook, or became of it, is out of reach; it is tried again");
    PAUSE
}

struct Teller<'a> {
    hooks: &'a Hooks,
    edge: &'a Edge,
    app: &'a Arc<App>,
}

impl Teller<'_> {
    /// Makes one request, and writes down what became of it. Errors: the database; then it is made again.
    async fn attempt(&self, delivery: &Delivery, stopping: &watch::Receiver<()>) -> banter_chat::Result<()> {
        let chat = &self.edge.chat;
        let place = match self.hooks.asker.place(chat.place_of(self.app, &delivery.target).await?) {
            Ok(place) => place,
            Err(why) => return self.bury(delivery, why, None).await,
        };
        let host = self.hooks.host(place.host());
        let permits = async { (host.acquire().await, self.hooks.requests.acquire().await) };
        // A copy hears it: who asked must hear it too.
        let mut stopped = stopping.clone();
        let _permits = tokio::select! {
            permits = permits => permits,
            _ = stopped.changed() => return Ok(()),
        };
        // The permits may have been waited for: what is told is what holds now.
        if !chat.is_still_so(self.app, delivery).await? {
            return chat.drop_delivery(self.app, delivery).await;
        }
        let known = place.host().to_owned();
        let place = match self.hooks.asker.place(chat.place_of(self.app, &delivery.target).await?) {
            Ok(place) if place.host() == known => place,
            // It is another's permit that was waited for.
            Ok(_) => return Ok(()),
            Err(why) => return self.bury(delivery, why, None).await,
        };
        match self.hooks.asker.ask(&place, delivery, chat.now()).await {
            Went::Arrived(body) => self.arrived(&place, delivery, body).await,
            Went::Forbidden => self.bury(delivery, "the address is not one of the public internet", None).await,
            Went::Failed(why) => {
                let patience_ms = i64::try_from(self.edge.settings.webhook_patience.as_millis()).unwrap_or(i64::MAX);
                if chat.now().saturating_sub(delivery.since_ms) >= patience_ms {
                    return self.bury(delivery, &why, Some(patience_ms)).await;
                }
                self.edge.metrics.delivered(Delivered::Failed, 1);
                let first_ms = i64::try_from(self.edge.settings.webhook_retry.as_millis()).unwrap_or(i64::MAX);
                // Without a dice everybody waits the whole time, which is no harm.
                let dice = self.edge.senses.bytes().map_or(0, u16::from_be_bytes);
                let wait_ms = wait_ms(delivery.failed.saturating_add(1), first_ms, dice);
                tracing::debug!(app = %self.app.id, delivery = %delivery.id, why, wait_ms, "a webhook was not told");
                chat.put_off_delivery(self.app, delivery.id, &why, wait_ms).await
            }
        }
    }

    async fn bury(&self, delivery: &Delivery, why: &str, patience_ms: Option<i64>) -> banter_chat::Result<()> {
        let buried = self.edge.chat.bury_delivery(self.app, delivery, why, patience_ms).await?;
        self.edge.metrics.delivered(Delivered::Dead, buried);
        tracing::warn!(app = %self.app.id, delivery = %delivery.id, buried, why, "a webhook is not told any more");
        Ok(())
    }

    async fn arrived(&self, place: &Place, delivery: &Delivery, body: Option<Vec<u8>>) -> banter_chat::Result<()> {
        let asked = match (&delivery.target, body) {
            (Target::Room(_), Some(body)) => reply::read(&body),
            (Target::Room(_) | Target::App, _) => Ok(Reply::default()),
        };
        let answer = asked.unwrap_or_else(|error| {
            let why = error.told(Act::Send).0.code;
            tracing::warn!(app = %self.app.id, delivery = %delivery.id, why, "what a webhook answered cannot be meant");
            Reply::default()
        });
        let mut tries_left = TRIES;
        let refused = loop {
            tries_left -= 1;
            match self.edge.chat.delivered(self.app, delivery, answer.clone()).await {
                Err(Error::Store(error)) if tries_left > 0 && is_lost_race(&error) => {}
                done => break done?,
            }
        };
        self.edge.metrics.delivered(Delivered::Arrived, 1);
        if let Some(error) = refused {
            let row = ApiError::from(error).row(Act::Send);
            if row.status == 403 {
                self.edge.metrics.refused(row.code);
                self.edge.chat.refused(self.app.number, row.code);
            }
            let host = place.host();
            tracing::warn!(app = %self.app.id, delivery = %delivery.id, host, code = row.code, "what a webhook answered was refused");
        }
        Ok(())
    }
}

/// Another transaction was in the way, and nothing was left behind.
fn is_lost_race(error: &banter_chat::StoreError) -> bool {
    matches!(error, banter_chat::StoreError::TryAgain(_))
}
