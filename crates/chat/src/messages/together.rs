//! Sends into one room that wait for one another anyway share a transaction: one look at their tokens, one
//! lock, one write, one commit.
//!
//! Whoever has the room's turn does what waits for it, his own wish among it. Each is judged by himself, by
//! what was read under the lock; who is refused is left out, and the others go on. Only on PostgreSQL: on
//! SQLite writers share their commits already.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use banter_domain::id::{RoomId, UserId};
use banter_domain::message::Message;
use banter_domain::room::Standing;
use banter_store::{Entered, Error as StoreError, RoomForAll};
use tokio::sync::oneshot;

use super::Words;
use super::send::Judged;
use crate::open::Open;
use crate::{Caller, Chat, Error, Result, Who};

/// So many sends share a transaction at most, so that the first of them does not wait long.
const TOGETHER: usize = 64;

/// What somebody wants to say.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) caller: Caller,
    pub(crate) words: Words,
}

impl Wish {
    /// Who wishes, and the hash of his token. `None`: it is no user.
    fn who(&self) -> Option<(String, UserId)> {
        match &self.caller.who {
            Who::User { id, token } => Some((token.hex(), id.clone())),
            Who::Platform { .. } => None,
        }
    }
}

struct Waiting {
    wish: Wish,
    answer: oneshot::Sender<Result<Message>>,
}

/// Those who wait to speak in one room.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

impl Queue {
    /// Those who are next: of one user only such as came by the same token.
    fn next(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tokens = HashMap::new();
        let (mut next, mut later) = (Vec::new(), Vec::new());
        for one in waiting.drain(..).filter(|one| !one.answer.is_closed()) {
            let same = one.wish.who().is_some_and(|(hash, user)| *tokens.entry(user).or_insert(hash.clone()) == hash);
            let list = if same && next.len() < TOGETHER { &mut next } else { &mut later };
            list.push(one);
        }
        *waiting = later;
        next
    }
}

/// The rooms in which somebody waits to speak.
#[derive(Default)]
pub(crate) struct Queues(Mutex<HashMap<(i64, RoomId), Weak<Queue>>>);

impl Queues {
    fn of(&self, app: i64, room: &RoomId) -> Arc<Queue> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = all.entry((app, room.clone())).or_default();
        slot.upgrade().unwrap_or_else(|| {
            let queue = Arc::default();
            *slot = Arc::downgrade(&queue);
            queue
        })
    }

    /// Forgets a room where nobody waits.
    fn leave(&self, app: i64, room: &RoomId, queue: Arc<Queue>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(queue);
        let key = (app, room.clone());
        if all.get(&key).is_some_and(|queue| queue.strong_count() == 0) {
            all.remove(&key);
        }
    }
}

/// Why nothing of a shared transaction was done.
enum Failed {
    /// Something before the commit: nothing is left behind.
    Before(StoreError),
    /// The commit, or what cannot be told from it.
    Commit(StoreError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Before(error)
    }
}

impl Chat {
    /// Sends a message together with what others send into the same room at the same time.
    pub(crate) async fn send_together(&self, room: &RoomId, wish: Wish) -> Result<Message> {
        let app = wish.caller.app.number;
        let queue = self.sending.of(app, room);
        let (answer, mut told) = oneshot::channel();
        queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { wish, answer });
        let told = loop {
            tokio::select! {
                biased;
                told = &mut told => break told,
                turn = queue.turn.lock() => {
                    let next = queue.next();
                    if !next.is_empty() {
                        self.send_all(room, next).await;
                    }
                    drop(turn);
                }
            }
        };
        self.sending.leave(app, room, queue);
        // Whoever had the turn is gone, and nobody knows how far he came.
        told.unwrap_or_else(|_| Err(StoreError::Database("a shared send was given up".to_owned()).into()))
    }

    async fn send_all(&self, room: &RoomId, all: Vec<Waiting>) {
        let (wishes, answers): (Vec<_>, Vec<_>) = all.into_iter().map(|one| (one.wish, one.answer)).unzip();
        let outcomes = match self.send_in_one(room, &wishes).await {
            Ok(outcomes) => {
                for (wish, outcome) in wishes.iter().zip(&outcomes) {
                    if let Err(Error::Denied(why)) = outcome {
                        self.message_refused(&wish.caller, wish.caller.user(), Some(room.clone()), *why);
                    }
                }
                outcomes
            }
            // One of them may be what does not fit, or be in somebody's way.
            Err(Failed::Before(StoreError::Database(_) | StoreError::TryAgain(_) | StoreError::Corrupt(_)))
                if wishes.len() > 1 =>
            {
                let mut outcomes: Vec<Result<Message>> = Vec::with_capacity(wishes.len());
                for wish in wishes {
                    let outcome = match outcomes.last() {
                        // The room is held by somebody else: nobody waits for him twice.
                        Some(Err(Error::Store(error @ StoreError::TryAgain(_)))) => Err(error.clone().into()),
                        Some(_) | None => self.send_alone(room, wish, None, false).await,
                    };
                    outcomes.push(outcome);
                }
                outcomes
            }
            Err(Failed::Before(error) | Failed::Commit(error)) => {
                wishes.iter().map(|_| Err(Error::Store(error.clone()))).collect()
            }
        };
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Who does not wait any more is not told.
            let _ = answer.send(outcome);
        }
    }

    /// Sends several messages into one room in one transaction, and returns what became of each.
    async fn send_in_one(&self, room: &RoomId, wishes: &[Wish]) -> std::result::Result<Vec<Result<Message>>, Failed> {
        let Some(first) = wishes.first() else { return Ok(Vec::new()) };
        let mut open = self.begin_unentered(&first.caller).await.map_err(fault)?;
        let who: Vec<_> = wishes.iter().filter_map(Wish::who).collect();
        let (entered, mut locked) = open.tx.enter_and_lock(&who, open.now_ms, room).await?;
        open.move_on();
        let (mut judged, mut refused) = (Vec::new(), Vec::with_capacity(wishes.len()));
        for wish in wishes {
            let entered = wish.who().and_then(|(hash, _)| entered.get(&hash)).cloned();
            match open.judge_wish(locked.as_mut(), wish, entered).await {
                Ok(one) => {
                    judged.push(one);
                    refused.push(None);
                }
                Err(Error::Store(error)) => return Err(error.into()),
                Err(refusal) => refused.push(Some(refusal)),
            }
        }
        let mut sent = Vec::new().into_iter();
        if let Some(RoomForAll { room, .. }) = &mut locked
            && !judged.is_empty()
        {
            sent = open.insert(room, judged).await.map_err(fault)?.into_iter();
            open.done().await.map_err(|error| Failed::Commit(store(error)))?;
        }
        let outcome = |refusal: Option<Error>| match refusal {
            Some(refusal) => Err(refusal),
            None => sent.next().ok_or_else(|| StoreError::Database("a message has no place".to_owned()).into()),
        };
        Ok(refused.into_iter().map(outcome).collect())
    }
}

impl<'a> Open<'a> {
    /// Judges what one of several wants to say, as if the act were his alone.
    async fn judge_wish(
        &mut self,
        room: Option<&mut RoomForAll>,
        wish: &'a Wish,
        entered: Option<Entered>,
    ) -> Result<Judged> {
        self.caller = &wish.caller;
        self.entered = Some(entered.ok_or(Error::TokenGone)?);
        let RoomForAll { room, standings } = room.ok_or(Error::NoRoom)?;
        let speaker = self.speaker(None, false).await?;
        let standing = standings.get(&speaker.user.profile.id).copied().unwrap_or(Standing::default());
        let words = self.clean(wish.words.clone()).await?;
        self.judge_message((room, standing), &speaker, words, None).await
    }
}

/// What ends a whole act is a fault of the store; everything else is somebody's refusal.
fn store(error: Error) -> StoreError {
    match error {
        Error::Store(error) => error,
        other => StoreError::Database(other.to_string()),
    }
}

fn fault(error: Error) -> Failed {
    Failed::Before(store(error))
}
