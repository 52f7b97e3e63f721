//! Outgoing webhooks (rest.md 8): what happened is told by request to whoever an app or a room names.
//!
//! One task reads the outbox of each app that has webhooks and writes down what is to be told ([`bodies`]),
//! one row an event. Each target has a task of its own while something waits for it ([`lane`]), so its
//! requests go out in order and a target that is down holds up nobody else. [`ask`] makes the request and
//! sees to it that it goes where it may; [`admin`] is what the API key sees of all this.

pub(crate) mod admin;
mod ask;
mod bodies;
mod lane;
mod reply;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use banter_chat::{App, Ears, TokenHash};
use banter_domain::id::ObjectId;
use banter_domain::webhook::Target;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use self::ask::Asker;
use self::lane::Lane;
use super::Edge;

/// So many events are read at once.
const AT_ONCE: usize = 256;
/// After a fault of the database: how long until it is asked again.
const PAUSE: Duration = Duration::from_millis(200);
/// How often apps are looked for that have their first webhook.
const OFTEN: Duration = Duration::from_secs(1);
/// So many rounds of that pass until deliveries are looked for that nobody was told of: those of a process
/// before this one, or beside it.
const SELDOM: u32 = 60;
/// So many requests are under way at once.
const REQUESTS: usize = 64;
/// So many of them to one host.
const REQUESTS_A_HOST: usize = 8;

/// Everything about webhooks.
pub(crate) struct Hooks {
    asker: Asker,
    /// Apps whose outbox is read.
    followed: Mutex<HashSet<i64>>,
    /// Of them those with news.
    news: Mutex<HashSet<i64>>,
    /// Targets that have something to be told.
    waiting: Mutex<HashSet<(i64, Target)>>,
    wake: Notify,
    lanes: Mutex<HashMap<(i64, Target), Arc<Lane>>>,
    requests: Semaphore,
    hosts: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// An app whose outbox is read.
struct Followed {
    app: Arc<App>,
    /// Where to go on.
    next: ObjectId,
    /// Where a restart would go on.
    saved: ObjectId,
}

/// What the task that reads outboxes knows.
struct Reader {
    hooks: Arc<Hooks>,
    edge: Edge,
    followed: HashMap<i64, Followed>,
    lanes: JoinSet<()>,
    stopping: watch::Receiver<()>,
}

impl Hooks {
    /// The webhooks of a server. Errors: no client can be made.
    pub(crate) fn over(edge: &Edge) -> io::Result<Arc<Self>> {
        let hooks = Arc::new(Self {
            asker: Asker::new(&edge.settings)?,
            followed: Mutex::default(),
            news: Mutex::default(),
            waiting: Mutex::default(),
            wake: Notify::new(),
            lanes: Mutex::default(),
            requests: Semaphore::new(REQUESTS),
            hosts: Mutex::default(),
        });
        let ears: Arc<dyn Ears> = hooks.clone();
        edge.chat.heard_by(Arc::downgrade(&ears));
        Ok(hooks)
    }

    /// Tells until the server stops, and then ends the requests that are under way.
    pub(crate) async fn run(self: Arc<Self>, edge: Edge, mut stopping: watch::Receiver<()>) {
        let chat = edge.chat.clone();
        let _turn = tokio::select! {
            turn = chat.delivering() => turn,
            _ = stopping.changed() => return,
        };
        let mut reader =
            Reader { hooks: self, edge, followed: HashMap::new(), lanes: JoinSet::new(), stopping: stopping.clone() };
        let mut often = tokio::time::interval(OFTEN);
        often.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut round, mut failing) = (0_u32, false);
        loop {
            let done = tokio::select! {
                () = reader.hooks.wake.notified() => reader.catch_up().await,
                _ = often.tick() => {
                    let done = reader.look_around(round.is_multiple_of(SELDOM)).await;
                    round = if done.is_ok() { round.wrapping_add(1) } else { 0 };
                    done
                }
                Some(ended) = reader.lanes.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the telling of a webhook broke off; it is taken up again");
                        round = 0;
                    }
                    Ok(())
                }
                _ = stopping.changed() => break,
            };
            // A database that is away is told once, not each time.
            match &done {
                Err(error) if !failing => {
                    tracing::error!(%error, "what is to be told cannot be read; it is tried again")
                }
                Ok(()) if failing => tracing::info!("what is to be told can be read again"),
                Ok(()) | Err(_) => {}
            }
            failing = done.is_err();
            if failing {
                tokio::time::sleep(PAUSE).await;
                reader.hooks.wake.notify_one();
            }
        }
        while reader.lanes.join_next().await.is_some() {}
    }

    /// Something waits for a target.
    pub(crate) fn poke(&self, app: i64, target: Target) {
        locked(&self.waiting).insert((app, target));
        self.wake.notify_one();
    }
}

impl Ears for Hooks {
    fn news(&self, app: i64) {
        if locked(&self.followed).contains(&app) {
            locked(&self.news).insert(app);
            self.wake.notify_one();
        }
    }

    fn revoked(&self, _: i64, _: &[TokenHash]) {}
}

impl Reader {
    /// Finds apps whose first webhook was set, and remembers how far the others were read. `all`: finds what
    /// waits of before as well.
    async fn look_around(&mut self, all: bool) -> banter_chat::Result<()> {
        for (number, next) in self.edge.chat.hooked_apps().await? {
            if let Entry::Vacant(vacant) = self.followed.entry(number)
                && let Some(app) = self.edge.chat.app_numbered(number).await?
            {
                vacant.insert(Followed { app, next, saved: next });
                // From here on it is told of news, and what came before is found now.
                locked(&self.hooks.followed).insert(number);
                locked(&self.hooks.news).insert(number);
            }
        }
        if all {
            for (number, followed) in &self.followed {
                for target in self.edge.chat.waiting_targets(&followed.app).await? {
                    locked(&self.hooks.waiting).insert((*number, target));
                }
            }
        }
        self.catch_up().await?;
        for followed in self.followed.values_mut().filter(|followed| followed.next != followed.saved) {
            let span = (followed.saved, followed.next);
            if self.edge.chat.queue_deliveries(&followed.app, &[], span).await? {
                followed.saved = followed.next;
            }
        }
        Ok(())
    }

    /// Reads what happened, writes down what is to be told of it, and wakes those who tell.
    async fn catch_up(&mut self) -> banter_chat::Result<()> {
        let news: Vec<i64> = locked(&self.hooks.news).drain().collect();
        let mut done = Ok(());
        for number in news {
            if let Err(error) = self.read_on(number).await {
                locked(&self.hooks.news).insert(number);
                done = Err(error);
            }
        }
        let waiting: Vec<(i64, Target)> = locked(&self.hooks.waiting).drain().collect();
        for (number, target) in waiting {
            if let Some(followed) = self.followed.get(&number) {
                let key = (number, target);
                if let Some(lane) = self.hooks.lane(&key) {
                    let (hooks, edge) = (self.hooks.clone(), self.edge.clone());
                    let app = followed.app.clone();
                    self.lanes.spawn(lane::tell(hooks, edge, app, key, lane, self.stopping.clone()));
                }
            }
        }
        done
    }

    async fn read_on(&mut self, number: i64) -> banter_chat::Result<()> {
        let Some(followed) = self.followed.get_mut(&number) else { return Ok(()) };
        let chat = &self.edge.chat;
        loop {
            let (tellings, next) = chat.tellings(&followed.app, followed.next, AT_ONCE).await?;
            if next == followed.next {
                return Ok(());
            }
            let deliveries: Vec<_> =
                tellings.into_iter().filter_map(|telling| bodies::delivery(&followed.app, telling)).collect();
            if !deliveries.is_empty() {
                if chat.queue_deliveries(&followed.app, &deliveries, (followed.saved, next)).await? {
                    followed.saved = next;
                    let targets = deliveries.into_iter().map(|delivery| (number, delivery.target));
                    locked(&self.hooks.waiting).extend(targets);
                } else {
                    tracing::warn!(app = %followed.app.id, "another process reads this app's outbox for its webhooks");
                    let cursors = chat.hooked_apps().await?;
                    let Some((_, next)) = cursors.into_iter().find(|(app, _)| *app == number) else { return Ok(()) };
                    (followed.next, followed.saved) = (next, next);
                    continue;
                }
            }
            followed.next = next;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
