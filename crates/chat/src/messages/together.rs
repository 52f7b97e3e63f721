//! Sends that wait for one another anyway share a transaction: one look at who comes in, one lock a room, one commit.
//!
//! They wait in lanes. Whoever sees to a lane takes what waits there. Each is judged by himself, by what was read under the
//! room's lock; who is refused is left out, and the others go on. So are those on PostgreSQL whose room or token somebody else
//! has locked: they wait for it among those of their room, and hold up nobody else.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use banter_domain::id::{RoomId, UserId};
use banter_domain::message::Message;
use banter_domain::room::Standing;
use banter_store::{EngineKind, Entered, Error as StoreError, Had, LockedRoom, RoomForAll, Speakers};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::Words;
use super::lanes::Lanes;
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
    answer: oneshot::Sender<Result<Message>>,
}

impl Waiting {
    /// Those of some who wait that come first by room, in their order within each.
    fn by_room(all: &[Self]) -> impl Iterator<Item = &[Self]> {
        all.chunk_by(|one, other| one.room == other.room)
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

/// Those who wait to speak.
#[derive(Default)]
pub(crate) struct Sending {
    lanes: Lanes<Lane, Waiting>,
    spread: RandomState,
}

impl Sending {
    fn shared(&self, app: i64, room: &RoomId, on: EngineKind) -> Lane {
        match on {
            EngineKind::Sqlite => Lane::Shared(app, 0),
            EngineKind::Postgres => Lane::Shared(app, self.spread.hash_one(room) % LANES),
        }
    }

    /// Those of a lane who are next: of one user only such as came by the same token.
    fn next(&self, lane: &Lane) -> Vec<Waiting> {
        let mut tokens: HashMap<UserId, TokenHash> = HashMap::new();
        let by_one_token = |one: &Waiting| *tokens.entry(one.user.clone()).or_insert(one.token) == one.token;
        self.lanes.next(lane, TOGETHER, by_one_token)
    }
}

/// Seeing to a lane. Dropped when those it took are told, or have failed and go other ways, it goes on to a new one if
/// somebody waits by then: so more come meanwhile, and share the next one.
struct Turn {
    chat: Arc<Chat>,
    lane: Lane,
    /// It took those who were next.
    took: bool,
}

impl Turn {
    /// Begins one, in a task of its own: who waits may go away, and what he began goes on without him.
    fn begin(chat: &Arc<Chat>, lane: &Lane, caller: Caller) {
        let turn = Self { chat: Arc::clone(chat), lane: lane.clone(), took: false };
        if let Ok(on) = Handle::try_current() {
            on.spawn(async move { turn.send_next(&caller).await });
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Sending { lanes, .. } = &self.chat.sending;
        if !self.took {
            // It came to nothing before it could take anybody, as another would: the runtime ends, or it panicked.
            lanes.give_up(&self.lane);
        } else if let Some(caller) = lanes.leave(&self.lane, |one| one.wish.caller.clone()) {
            Self::begin(&self.chat, &self.lane, caller);
        }
    }
}

impl Chat {
    /// Sends a user's message together with what others send at the same time.
    pub(crate) async fn send_together(
        self: &Arc<Self>,
        room: &RoomId,
        (user, token): (UserId, TokenHash),
        wish: Wish,
    ) -> Result<Message> {
        let (answer, told) = oneshot::channel();
        let lane = self.sending.shared(wish.caller.app.number, room, self.store.kind());
        self.put(&lane, Waiting { room: room.clone(), user, token, wish, answer });
        // Whoever saw to the lane is gone, and nobody knows how far he came.
        let gone = |_| Err(StoreError::Database("a shared send was given up".to_owned()).into());
        told.await.unwrap_or_else(gone)
    }

    /// Puts somebody in a lane, and sees to it that it is seen to.
    fn put(self: &Arc<Self>, lane: &Lane, one: Waiting) {
        let caller = one.wish.caller.clone();
        if self.sending.lanes.put(lane, one) {
            Turn::begin(self, lane, caller);
        }
    }

    /// Tells somebody who waits what became of his wish, if he still does; `None`: somebody else has his room or his token, for
    /// which he waits among those of his room.
    fn tell(self: &Arc<Self>, one: Waiting, outcome: Option<Result<Message>>) {
        let Some(outcome) = outcome else {
            return self.put(&Lane::Room(one.wish.caller.app.number, one.room.clone()), one);
        };
        let Waiting { room, wish, answer, .. } = one;
        if let Err(Error::Denied(why)) = outcome {
            self.message_refused(&wish.caller, wish.caller.user(), Some(room), why);
        }
        let _ = answer.send(outcome);
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
            let _ = answer.send(outcome);
        }
    }
}

impl Turn {
    /// Sends what waits. `caller`: one of those who do.
    async fn send_next(mut self, caller: &Caller) {
        let chat = Arc::clone(&self.chat);
        // This may wait for whoever else writes, and more come meanwhile.
        let open = chat.begin_unentered(caller).await;
        let mut all = chat.sending.next(&self.lane);
        self.took = true;
        if all.is_empty() {
            return;
        }
        all.sort_by(|one, other| one.room.cmp(&other.room));
        let waits = matches!(self.lane, Lane::Room(..));
        let outcomes = match open.map_err(store) {
            Ok(open) => send_in_one(open, &all, waits).await,
            Err(error) => Err(error),
        };
        match outcomes {
            Ok(outcomes) => {
                for (one, outcome) in all.into_iter().zip(outcomes) {
                    chat.tell(one, outcome);
                }
            }
            // One of them may be what does not fit, or be in somebody's way.
            Err(StoreError::Database(_) | StoreError::TryAgain(_) | StoreError::Corrupt(_)) if all.len() > 1 => {
                drop(self);
                if waits {
                    chat.send_each(all).await;
                } else {
                    all.into_iter().for_each(|one| chat.tell(one, None));
                }
            }
            Err(error) => all.into_iter().for_each(|one| chat.tell(one, Some(Err(error.clone().into())))),
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
