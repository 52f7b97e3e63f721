//! Sends that wait for one another anyway share a transaction: one look at who comes in, one lock a room, one commit.
//!
//! Whoever has the turn does what waits, his own wish among it. Each is judged by himself, by what was read under the
//! room's lock; who is refused is left out, and the others go on. So are those on PostgreSQL whose room or token somebody else
//! has locked: they wait for it among those of their room, and hold up nobody else.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use banter_domain::id::{RoomId, UserId};
use banter_domain::message::Message;
use banter_domain::room::Standing;
use banter_store::{EngineKind, Entered, Error as StoreError, Had, LockedRoom, RoomForAll, Speakers};
use tokio::sync::{MutexGuard, oneshot};

use super::Words;
use super::send::Judged;
use crate::access::TokenHash;
use crate::open::Open;
use crate::{Caller, Chat, Error, Result};

/// So many sends share a transaction at most, so that the first of them does not wait long.
const TOGETHER: usize = 128;

/// What somebody wants to say.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) caller: Caller,
    pub(crate) words: Words,
}

/// A user's wish to say something in a room, and where he waits to hear what became of it.
struct Waiting {
    room: RoomId,
    user: UserId,
    token: TokenHash,
    wish: Wish,
    answer: oneshot::Sender<Told>,
    /// Somebody is at it: his turn has come without him.
    taken: Arc<AtomicBool>,
}

/// What becomes of a wish.
enum Told {
    Done(Result<Message>),
    /// Somebody else has its room: here it is back.
    Elsewhere(Wish),
}

impl Waiting {
    /// Those of some who wait that come first by room, in their order within each.
    fn by_room(all: &[Self]) -> impl Iterator<Item = &[Self]> {
        all.chunk_by(|one, other| one.room == other.room)
    }
}

/// Those who wait to speak in one lane.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

impl Queue {
    fn put(&self, one: Waiting) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    }

    fn is_empty(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Those who are next: of one user only such as came by the same token.
    fn next(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tokens: HashMap<UserId, TokenHash> = HashMap::with_capacity(waiting.len());
        let (mut next, mut later) = (Vec::with_capacity(waiting.len()), Vec::new());
        for one in waiting.drain(..).filter(|one| !one.answer.is_closed()) {
            let by_one_token = *tokens.entry(one.user.clone()).or_insert(one.token) == one.token;
            let list = if by_one_token && next.len() < TOGETHER { &mut next } else { &mut later };
            list.push(one);
        }
        next.iter().for_each(|one| one.taken.store(true, Ordering::SeqCst));
        *waiting = later;
        next
    }
}

/// Where a wish waits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Lane {
    /// With those of its app and, on PostgreSQL, of its room and some others.
    Shared(i64, u64),
    /// With those of its room, which somebody else has.
    Room(i64, RoomId),
}

/// Among so many lanes an app's rooms are spread on PostgreSQL, so that several processors have work.
const LANES: u64 = 2;

/// The lanes in which somebody waits to speak.
#[derive(Default)]
pub(crate) struct Queues {
    all: Mutex<HashMap<Lane, Weak<Queue>>>,
    spread: RandomState,
}

impl Queues {
    fn shared(&self, app: i64, room: &RoomId, on: EngineKind) -> Lane {
        match on {
            EngineKind::Sqlite => Lane::Shared(app, 0),
            EngineKind::Postgres => Lane::Shared(app, self.spread.hash_one(room) % LANES),
        }
    }

    fn of(&self, lane: &Lane) -> Arc<Queue> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = all.entry(lane.clone()).or_default();
        slot.upgrade().unwrap_or_else(|| {
            let queue = Arc::default();
            *slot = Arc::downgrade(&queue);
            queue
        })
    }

    /// Forgets a lane where nobody waits.
    fn leave(&self, lane: &Lane, queue: Arc<Queue>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        drop(queue);
        if all.get(lane).is_some_and(|queue| queue.strong_count() == 0) {
            all.remove(lane);
        }
    }
}

impl Chat {
    /// Sends a user's message together with what others send at the same time.
    pub(crate) async fn send_together(
        &self,
        room: &RoomId,
        (user, token): (UserId, TokenHash),
        wish: Wish,
    ) -> Result<Message> {
        let app = wish.caller.app.number;
        let lane = self.sending.shared(app, room, self.store.kind());
        match self.send_in(lane, room, (user.clone(), token), wish).await {
            Told::Done(outcome) => outcome,
            Told::Elsewhere(wish) => {
                match self.send_in(Lane::Room(app, room.clone()), room, (user, token), wish).await {
                    Told::Done(outcome) => outcome,
                    Told::Elsewhere(_) => Err(Error::NoRoom),
                }
            }
        }
    }

    async fn send_in(&self, lane: Lane, room: &RoomId, (user, token): (UserId, TokenHash), wish: Wish) -> Told {
        let queue = self.sending.of(&lane);
        let caller = wish.caller.clone();
        let (answer, mut told) = oneshot::channel();
        let taken = Arc::<AtomicBool>::default();
        queue.put(Waiting { room: room.clone(), user, token, wish, answer, taken: Arc::clone(&taken) });
        let told = loop {
            tokio::select! {
                biased;
                told = &mut told => break told,
                turn = queue.turn.lock(), if !taken.load(Ordering::SeqCst) => {
                    // Who is served already leaves the turn to who is not, and only waits to be told.
                    if !taken.load(Ordering::SeqCst) {
                        // In a box: most who wait never have the turn.
                        Box::pin(self.send_next(&caller, (&lane, &queue), turn)).await;
                    }
                }
            }
        };
        self.sending.leave(&lane, queue);
        // Whoever had the turn is gone, and nobody knows how far he came.
        let gone = |_| Told::Done(Err(StoreError::Database("a shared send was given up".to_owned()).into()));
        told.unwrap_or_else(gone)
    }

    /// Sends what waits.
    async fn send_next(&self, caller: &Caller, (lane, queue): (&Lane, &Queue), turn: MutexGuard<'_, ()>) {
        if queue.is_empty() {
            return;
        }
        // On SQLite this waits for whoever writes, and more come meanwhile. The next to have the turn can wait there while
        // these are written; on PostgreSQL he would find their rooms locked.
        let open = self.begin_unentered(caller).await;
        let mut all = queue.next();
        let turn = (self.store.kind() == EngineKind::Postgres).then_some(turn);
        all.sort_by(|one, other| one.room.cmp(&other.room));
        let waits = matches!(lane, Lane::Room(..));
        let outcomes = match open.map_err(store) {
            Ok(open) => send_in_one(open, &all, waits).await,
            Err(error) => Err(error),
        };
        match outcomes {
            Ok(outcomes) => {
                for (one, outcome) in all.into_iter().zip(outcomes) {
                    self.tell(one, outcome);
                }
                drop(turn);
            }
            // One of them may be what does not fit, or be in somebody's way.
            Err(StoreError::Database(_) | StoreError::TryAgain(_) | StoreError::Corrupt(_)) if all.len() > 1 => {
                drop(turn);
                if waits {
                    self.send_each(all).await;
                } else {
                    // Among those of his room he shall find out.
                    all.into_iter().for_each(|one| self.tell(one, None));
                }
            }
            Err(error) => all.into_iter().for_each(|one| self.tell(one, Some(Err(error.clone().into())))),
        }
    }

    /// Tells somebody who waits what became of his wish; who does not wait any more is not told.
    fn tell(&self, Waiting { room, wish, answer, .. }: Waiting, outcome: Option<Result<Message>>) {
        if let Some(Err(Error::Denied(why))) = outcome {
            self.message_refused(&wish.caller, wish.caller.user(), Some(room), why);
        }
        let _ = answer.send(outcome.map_or_else(|| Told::Elsewhere(wish), Told::Done));
    }

    /// Sends each of several messages alone.
    async fn send_each(&self, all: Vec<Waiting>) {
        // A room that is held by somebody else: nobody waits for him twice.
        let mut held: Option<(RoomId, StoreError)> = None;
        for Waiting { room, wish, answer, .. } in all {
            let outcome = match &held {
                Some((of, error)) if *of == room => Err(error.clone().into()),
                Some(_) | None => self.send_alone(&room, wish, None, false).await,
            };
            if let Err(Error::Store(error @ StoreError::TryAgain(_))) = &outcome {
                held = Some((room, error.clone()));
            }
            let _ = answer.send(Told::Done(outcome));
        }
    }
}

/// Sends several messages in one transaction, and returns what became of each; `None`: somebody else has his room or his token.
/// `waits`: for a room that somebody else has, of which there is only one then. Errors: from before the commit, when nothing is
/// left behind; a commit that fails is what became of those it was to carry.
async fn send_in_one<'a>(
    mut open: Open<'a>,
    all: &'a [Waiting],
    waits: bool,
) -> std::result::Result<Vec<Option<Result<Message>>>, StoreError> {
    let speakers: Vec<_> = Waiting::by_room(all)
        .filter_map(|some| {
            let who = some.iter().map(|one| (one.token.hex(), one.user.clone())).collect();
            Some(Speakers { room: some.first()?.room.clone(), who })
        })
        .collect();
    let mut rooms = open.tx.enter_and_lock(speakers, waits, open.now_ms).await?;
    open.move_on();
    // There, who revokes a token has it until he is done.
    let skips = !waits && open.chat.store.kind() == EngineKind::Postgres;
    // Nothing is written before all are judged.
    let (mut outcomes, mut judged) = (Vec::with_capacity(all.len()), Vec::with_capacity(rooms.len()));
    for (some, RoomForAll { had, who }) in Waiting::by_room(all).zip(&mut rooms) {
        let mut of_room = Vec::with_capacity(some.len());
        for (one, who) in some.iter().zip(who.drain(..)) {
            let room = match had {
                Had::Locked(room) => Some(&mut **room),
                Had::Missing => None,
                Had::Elsewhere => {
                    outcomes.push(Outcome::Elsewhere);
                    continue;
                }
            };
            if who.0.is_none() && skips {
                outcomes.push(Outcome::Elsewhere);
                continue;
            }
            match open.judge_wish(room, &one.wish, who).await {
                Ok(one) => {
                    of_room.push(one);
                    outcomes.push(Outcome::Sent);
                }
                Err(Error::Store(error)) => return Err(error),
                Err(refusal) => outcomes.push(Outcome::Refused(refusal)),
            }
        }
        if let Had::Locked(room) = had
            && !of_room.is_empty()
        {
            judged.push((&mut **room, of_room));
        }
    }
    let (mut sent, mut lost) = (Vec::new(), None);
    if !judged.is_empty() {
        sent = open.insert(&mut judged).await.map_err(store)?;
        lost = open.done().await.map_err(store).err();
    }
    let mut sent = sent.into_iter();
    let tell = |outcome| match (outcome, &lost) {
        (Outcome::Elsewhere, _) => None,
        (Outcome::Refused(refusal), _) => Some(Err(refusal)),
        (Outcome::Sent, Some(error)) => Some(Err(error.clone().into())),
        (Outcome::Sent, None) => {
            Some(sent.next().ok_or_else(|| StoreError::Database("a message has no place".to_owned()).into()))
        }
    };
    Ok(outcomes.into_iter().map(tell).collect())
}

/// How one of several was judged.
enum Outcome {
    Sent,
    Refused(Error),
    Elsewhere,
}

impl<'a> Open<'a> {
    /// Judges what one of several wants to say, as if the act were his alone.
    async fn judge_wish(
        &mut self,
        room: Option<&mut LockedRoom>,
        wish: &'a Wish,
        (entered, standing): (Option<Entered>, Standing),
    ) -> Result<Judged> {
        self.caller = &wish.caller;
        self.entered = Some(self.caller.entered_as(entered)?);
        let room = room.ok_or(Error::NoRoom)?;
        let speaker = self.speaker(None, false).await?;
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
