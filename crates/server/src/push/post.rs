//! One notification to one device: judged, sent, tried again, given up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use banter_chat::{Chat, Telling};
use banter_domain::push::{Device, Service};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{Carrier, Counted, End, Listens, Outcome, stopped};
use crate::clock::Senses;

/// So many pushes are on their way to one service at once.
const ON_THE_WAY: usize = 64;
/// So many wait, for their turn or for their next try; then the outbox is not read on.
const WAITING: usize = 1_024;
/// A push is tried so often.
const TRIES: u32 = 4;
/// Whatever a service asks for, nobody waits longer.
const LONGEST: Duration = Duration::from_secs(30);

/// The way to one service.
pub(super) struct Post {
    carrier: Box<dyn Carrier>,
    pub(super) chat: Arc<Chat>,
    senses: Senses,
    pause: Duration,
    listens: Listens,
    counted: Counted,
    line: Semaphore,
    room: Arc<Semaphore>,
    /// What was last complained about; nothing, after a push that was delivered.
    complaint: Mutex<String>,
}

impl Post {
    pub(super) fn new(
        carrier: Box<dyn Carrier>,
        chat: Arc<Chat>,
        senses: Senses,
        pause: Duration,
        listens: Listens,
        counted: Counted,
    ) -> Self {
        let (line, room) = (Semaphore::new(ON_THE_WAY), Arc::new(Semaphore::new(WAITING)));
        Self { carrier, chat, senses, pause, listens, counted, line, room, complaint: Mutex::default() }
    }

    pub(super) fn service(&self) -> Service {
        self.carrier.service()
    }

    /// Room for one more that waits. `None`: the server stops.
    pub(super) async fn room(&self, stopping: &mut watch::Receiver<bool>) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            room = self.room.clone().acquire_owned() => room.ok(),
            () = stopped(stopping) => None,
        }
    }

    /// Tells a device, if it may be told. False: the server stops, and it is not done.
    pub(super) async fn deliver(
        &self,
        app: i64,
        telling: &Telling,
        device: &Device,
        mut stopping: watch::Receiver<bool>,
    ) -> bool {
        let (service, mut wait) = (self.service(), None);
        for tried in 0..TRIES {
            if let Some(asked) = wait.take() {
                let pause = self.pause_after(tried, asked);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stopped(&mut stopping) => return false,
                }
            }
            let turn = tokio::select! {
                turn = self.line.acquire() => turn,
                () = stopped(&mut stopping) => return false,
            };
            let Ok(_turn) = turn else { return false };
            match self.try_once(app, telling, device).await {
                None => return true,
                Some(Outcome::Delivered) => {
                    (self.counted)(service, End::Delivered);
                    self.complaint().clear();
                    return true;
                }
                Some(Outcome::Gone) => {
                    // If it cannot be taken off now, its next push will say so again.
                    if let Err(error) = self.chat.drop_dead(app, device).await {
                        tracing::warn!(%error, "a device that is gone could not be taken off");
                    }
                    (self.counted)(service, End::Gone);
                    return true;
                }
                Some(Outcome::Refused(why)) => {
                    (self.counted)(service, End::Refused);
                    self.complain(&why);
                    return true;
                }
                Some(Outcome::Again(asked)) => wait = Some(asked),
            }
        }
        (self.counted)(service, End::GivenUp);
        self.complain("it was not to be had for long enough");
        true
    }

    /// A line in the log, unless it would say again what the last one said: an account that is wrong is
    /// wrong for every push.
    fn complain(&self, why: &str) {
        let mut last = self.complaint();
        if *last != why {
            tracing::warn!(service = self.service().name(), why, "a push came to nothing");
            why.clone_into(&mut last);
        }
    }

    fn complaint(&self) -> MutexGuard<'_, String> {
        self.complaint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks what may be told at this moment, and tells it. `None`: nothing may be.
    async fn try_once(&self, app: i64, telling: &Telling, device: &Device) -> Option<Outcome> {
        let listens = (self.listens)(app, &device.user);
        match self.chat.note_for(app, telling, device, listens).await {
            Ok(note) => Some(self.carrier.send(&device.token, &note?).await),
            Err(error) => {
                // A fault never lets anything through.
                tracing::warn!(%error, "who may be notified could not be read");
                Some(Outcome::Again(None))
            }
        }
    }

    /// Twice as long after each try, half of it by chance; or what the service asks for, if that is longer.
    fn pause_after(&self, tried: u32, asked: Option<Duration>) -> Duration {
        let whole = self.pause * 2_u32.saturating_pow(tried.saturating_sub(1));
        // Without chance all wait equally long, which is no harm to one server's devices.
        let [chance] = self.senses.bytes::<1>().unwrap_or_default();
        let pause = whole / 2 + whole * u32::from(chance) / 510;
        asked.map_or(pause, |asked| asked.max(pause)).min(LONGEST)
    }
}
