//! Reads the outbox for one service, each app by itself, and remembers how far it is done.
//!
//! How far is written down, so that a restart goes on there: what was in hand is then told again, and
//! nothing is lost. An app that was never read begins where the outbox ended when this process began.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use banter_chat::{Ears, Happening, Reach, Telling, TokenHash};
use banter_domain::id::ObjectId;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::post::Post;
use super::stopped;

/// So many events are read at once.
const AT_ONCE: usize = 256;
/// How often is written down how far an app is done; and after a fault of the database, how long until
/// it is asked again.
const OFTEN: Duration = Duration::from_secs(1);
/// What is older is nobody's news any more, milliseconds.
const STALE_MS: i64 = 15 * 60 * 1000;

/// One service's reader.
pub(super) struct Follower {
    post: Arc<Post>,
    /// Apps with news.
    news: Mutex<HashSet<i64>>,
    wake: Notify,
    /// Where the outboxes ended when this began.
    begin: ObjectId,
}

impl Follower {
    pub(super) fn new(post: Post) -> Self {
        let begin = post.chat.new_id();
        Self { post: Arc::new(post), news: Mutex::default(), wake: Notify::new(), begin }
    }

    /// Goes on until the server stops; returns when what was in hand is done.
    pub(super) async fn run(self: Arc<Self>, stopping: watch::Receiver<bool>) {
        let (mut apps, mut tasks) = (HashMap::<i64, Arc<Notify>>::new(), JoinSet::new());
        let mut stops = stopping.clone();
        // What was left when the last process stopped.
        let mut known = self.known_apps(&mut stops).await;
        loop {
            known.extend(locked(&self.news).drain());
            for app in known.drain() {
                let wake = apps.entry(app).or_insert_with(|| {
                    let wake = Arc::new(Notify::new());
                    tasks.spawn(Followed::new(self.clone(), app).run(wake.clone(), stopping.clone()));
                    wake
                });
                wake.notify_one();
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = stopped(&mut stops) => break,
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn known_apps(&self, stops: &mut watch::Receiver<bool>) -> HashSet<i64> {
        loop {
            match self.post.chat.apps().await {
                Ok(apps) => return apps.into_iter().map(|app| app.number).collect(),
                Err(error) => tracing::warn!(%error, "the apps could not be read; it is tried again"),
            }
            if paused(stops).await {
                return HashSet::new();
            }
        }
    }
}

impl Ears for Follower {
    fn news(&self, app: i64) {
        locked(&self.news).insert(app);
        self.wake.notify_one();
    }

    fn revoked(&self, _: i64, _: &[TokenHash]) {}
}

/// Events that are not done yet, with how many pushes of each are in hand.
#[derive(Default)]
struct InHand(Mutex<BTreeMap<ObjectId, usize>>);

impl InHand {
    fn take(&self, event: ObjectId) {
        *locked(&self.0).entry(event).or_default() += 1;
    }

    fn done(&self, event: ObjectId) {
        let mut events = locked(&self.0);
        if let Some(count) = events.get_mut(&event) {
            *count -= 1;
            if *count == 0 {
                events.remove(&event);
            }
        }
    }

    fn first(&self) -> Option<ObjectId> {
        locked(&self.0).keys().next().copied()
    }
}

/// One app's outbox, for one service.
struct Followed {
    follower: Arc<Follower>,
    app: i64,
    /// Where to read on; `None`: not known yet.
    next: Option<ObjectId>,
    /// How far is written down.
    written: Option<ObjectId>,
    in_hand: Arc<InHand>,
    sending: JoinSet<()>,
}

impl Followed {
    fn new(follower: Arc<Follower>, app: i64) -> Self {
        Self { follower, app, next: None, written: None, in_hand: Arc::default(), sending: JoinSet::new() }
    }

    async fn run(mut self, wake: Arc<Notify>, stopping: watch::Receiver<bool>) {
        let mut stops = stopping.clone();
        let mut often = tokio::time::interval(OFTEN);
        often.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            let read = self.read_on(&stopping).await;
            match &read {
                Err(error) if !failing => {
                    tracing::warn!(%error, "what devices are to be told could not be read; it is tried again");
                }
                _ => {}
            }
            failing = read.is_err();
            tokio::select! {
                // Who failed is not hurried.
                () = wake.notified(), if !failing => {}
                _ = often.tick() => self.write_down().await,
                () = stopped(&mut stops) => break,
            }
        }
        while self.sending.join_next().await.is_some() {}
        self.write_down().await;
    }

    /// Reads all that is there. Errors: the database; it goes on there when asked again.
    async fn read_on(&mut self, stopping: &watch::Receiver<bool>) -> banter_chat::Result<()> {
        let follower = self.follower.clone();
        let post = &follower.post;
        let mut next = match self.next {
            Some(next) => next,
            None => {
                self.written = post.chat.pushed_up_to(self.app, post.service()).await?;
                self.written.unwrap_or(follower.begin)
            }
        };
        self.next = Some(next);
        loop {
            let (happened, after) = post.chat.happenings(self.app, next, AT_ONCE).await?;
            let more = happened.len() >= AT_ONCE;
            let stale = ObjectId::first_of(post.chat.now() - STALE_MS);
            for one in happened.iter().filter(|one| one.id >= stale) {
                if !self.tell(one, stopping.clone()).await {
                    return Ok(());
                }
                self.next = Some(one.id.successor());
            }
            next = after;
            self.next = Some(next);
            if !more {
                return Ok(());
            }
        }
    }

    /// Sends to all whom one event concerns. False: the server stops, and it is not done.
    async fn tell(&mut self, one: &Happening, mut stopping: watch::Receiver<bool>) -> bool {
        let Some(telling) = Telling::of(one).map(Arc::new) else { return true };
        let post = self.follower.post.clone();
        let (app, event) = (self.app, one.id);
        let mut reach = Reach::of(telling.clone(), post.service());
        self.in_hand.take(event);
        loop {
            let devices = match reach.next(&post.chat, app).await {
                Ok(Some(devices)) => devices,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "whom to notify could not be read; it is tried again");
                    if paused(&mut stopping).await {
                        return false;
                    }
                    continue;
                }
            };
            for device in devices {
                let Some(room) = post.room(&mut stopping).await else { return false };
                self.in_hand.take(event);
                let (post, telling, in_hand) = (post.clone(), telling.clone(), self.in_hand.clone());
                let stopping = stopping.clone();
                self.sending.spawn(async move {
                    if post.deliver(app, &telling, &device, stopping).await {
                        in_hand.done(event);
                    }
                    drop(room);
                });
            }
        }
        self.in_hand.done(event);
        while self.sending.try_join_next().is_some() {}
        true
    }

    /// Writes down how far all is done. If it cannot be, it is tried later: what was told is then told
    /// again after a restart.
    async fn write_down(&mut self) {
        let Some(done) = self.in_hand.first().or(self.next) else { return };
        if self.written == Some(done) {
            return;
        }
        let post = &self.follower.post;
        match post.chat.note_pushed(self.app, post.service(), done).await {
            Ok(()) => self.written = Some(done),
            Err(error) => tracing::warn!(%error, "how far pushing has come could not be written down"),
        }
    }
}

/// Waits a moment. True: the server stops.
async fn paused(stopping: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(OFTEN) => false,
        () = stopped(stopping) => true,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
