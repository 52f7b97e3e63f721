//! Ready-made answers of the two lists, for as long as nothing in them changes.
//!
//! An answer is outdated before the change that outdates it commits, and one that was begun before
//! such a change ended is never used: whoever is told of a change never reads an older list.
//!
//! What an answer shows (people, rooms, what somebody made) is hashed to stamps: counters that move
//! when a change of it begins and when it ends. An answer holds as long as none of its stamps moved
//! after its reading began. Two things that share a stamp outdate one another's answers, which
//! costs a reading and nothing else.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use banter_domain::id::{RoomId, UserId};
use foldhash::quality::RandomState;

/// How many stamps there are: half a megabyte. A power of two.
const STAMPS: usize = 1 << 16;

/// Which answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListKey {
    /// The list of a user's own blocks and bans.
    Blocker(i64, UserId),
    /// The list of a group's bans, as this reader may see it; `None`: the platform.
    Room(i64, RoomId, Option<UserId>),
}

/// A kept answer.
#[derive(Debug, Clone)]
pub struct KeptAnswer {
    /// Its bytes.
    pub body: bytes::Bytes,
    /// Its strong validator, as it stands in a header.
    pub etag: bytes::Bytes,
}

/// What an answer shows of: if it changes, the answer is outdated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Shown {
    /// A user's profile.
    User(i64, UserId),
    /// The blocks and bans a user made.
    MadeBy(i64, UserId),
    /// A room: its bans, and who may read them.
    Room(i64, RoomId),
}

/// An answer on the shelf.
struct OnShelf {
    answer: KeptAnswer,
    began: Ticket,
    /// Places of the stamps of what it shows.
    shows: Box<[u32]>,
    /// It was seen to hold when so many changes had moved their stamps.
    seen: AtomicU64,
}

#[derive(Default)]
struct Shelf {
    answers: HashMap<ListKey, OnShelf, RandomState>,
    bytes: usize,
}

/// Counts changes of whatever is hashed to it: those under way in the upper 16 bits, in the lower
/// ones the moment at which the latest of them began or ended.
#[derive(Default)]
struct Stamp(AtomicU64);

/// More changes than there will be.
const NEVER: u64 = u64::MAX;

const ONE_UNDER_WAY: u64 = 1 << 48;

impl Stamp {
    fn begin(&self, moment: u64) {
        self.set(|under_way| under_way + ONE_UNDER_WAY, moment);
    }

    fn end(&self, moment: u64) {
        self.set(|under_way| under_way.saturating_sub(ONE_UNDER_WAY), moment);
    }

    fn set(&self, count: impl Fn(u64) -> u64, moment: u64) {
        let moved = |now: u64| {
            let (under_way, latest) = (now & !(ONE_UNDER_WAY - 1), now & (ONE_UNDER_WAY - 1));
            Some(count(under_way) | latest.max(moment))
        };
        // The closure never declines, so this cannot fail.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
    }

    /// Nothing of it changed since, and nothing of it is changing.
    fn stands_since(&self, ticket: Ticket) -> bool {
        // With a change under way the value is larger than any moment.
        self.0.load(Ordering::SeqCst) <= ticket.0
    }
}

/// The answers kept.
pub struct Kept {
    most_bytes: usize,
    /// The latest moment: how often a change began or ended.
    moment: AtomicU64,
    /// How many of those have moved their stamps.
    moved: AtomicU64,
    stamps: Box<[Stamp]>,
    hasher: RandomState,
    shelf: RwLock<Shelf>,
}

/// Taken before an answer's data is read: the answer is as old as this.
#[derive(Debug, Clone, Copy)]
pub struct Ticket(u64);

impl Kept {
    /// `most_bytes` of answers at most; 0: none are kept.
    pub(crate) fn new(most_bytes: usize) -> Self {
        let stamps = if most_bytes > 0 { STAMPS } else { 0 };
        Self {
            most_bytes,
            moment: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            stamps: std::iter::repeat_with(Stamp::default).take(stamps).collect(),
            hasher: RandomState::default(),
            shelf: RwLock::default(),
        }
    }

    /// The answer, if it is kept.
    #[must_use]
    pub fn get(&self, key: &ListKey) -> Option<KeptAnswer> {
        if self.most_bytes == 0 {
            return None;
        }
        let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
        let kept = shelf.answers.get(key)?;
        // Mostly nothing at all moved since somebody looked at all its stamps.
        let moved = self.moved.load(Ordering::SeqCst);
        if kept.seen.load(Ordering::SeqCst) != moved {
            let stands = |place: &u32| self.stamp(*place).is_some_and(|stamp| stamp.stands_since(kept.began));
            if !kept.shows.iter().all(stands) {
                return None;
            }
            kept.seen.store(moved, Ordering::SeqCst);
        }
        Some(kept.answer.clone())
    }

    /// To be taken before reading what an answer is made of.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        Ticket(self.moment.load(Ordering::SeqCst))
    }

    /// Keeps an answer that shows these people. It is used as long as nothing in it changed since
    /// the ticket was taken.
    pub fn offer(&self, ticket: Ticket, key: ListKey, users: impl IntoIterator<Item = UserId>, answer: KeptAnswer) {
        if answer.body.len() > self.most_bytes / 8 {
            return;
        }
        let (app, whole) = match &key {
            ListKey::Blocker(app, user) => (*app, Shown::MadeBy(*app, user.clone())),
            ListKey::Room(app, room, _) => (*app, Shown::Room(*app, room.clone())),
        };
        let people = users.into_iter().map(|user| self.place(&Shown::User(app, user)));
        let shows: Box<[u32]> = people.chain([self.place(&whole)]).collect();
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(older) = shelf.answers.remove(&key) {
            shelf.bytes -= older.answer.body.len();
        }
        if shelf.bytes + answer.body.len() > self.most_bytes {
            *shelf = Shelf::default();
        }
        shelf.bytes += answer.body.len();
        shelf.answers.insert(key, OnShelf { answer, began: ticket, shows, seen: AtomicU64::new(NEVER) });
    }

    /// Begins a change to what answers show. To be held until the commit has returned.
    pub(crate) fn changing(&self, what: &[Shown]) -> Changing<'_> {
        let places = if self.most_bytes > 0 { what.iter().map(|one| self.place(one)).collect() } else { Vec::new() };
        let changing = Changing { kept: self, places };
        changing.each(Stamp::begin);
        changing
    }

    fn place(&self, shown: &Shown) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the lowest bits of a hash are as good as any")]
        let low = self.hasher.hash_one(shown) as u32;
        low % STAMPS as u32
    }

    fn stamp(&self, place: u32) -> Option<&Stamp> {
        self.stamps.get(place as usize)
    }
}

/// A change under way.
pub(crate) struct Changing<'a> {
    kept: &'a Kept,
    places: Vec<u32>,
}

impl Changing<'_> {
    fn each(&self, move_on: impl Fn(&Stamp, u64)) {
        if self.places.is_empty() {
            return;
        }
        let moment = self.kept.moment.fetch_add(1, Ordering::SeqCst) + 1;
        for place in &self.places {
            if let Some(stamp) = self.kept.stamp(*place) {
                move_on(stamp, moment);
            }
        }
        self.kept.moved.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.each(Stamp::end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).expect("a valid id")
    }

    fn answer() -> KeptAnswer {
        KeptAnswer { body: bytes::Bytes::from_static(b"{}"), etag: bytes::Bytes::from_static(b"\"e\"") }
    }

    #[test]
    fn an_answer_holds_until_something_in_it_changes() {
        let kept = Kept::new(1024);
        let key = ListKey::Blocker(1, user("aaa"));
        kept.offer(kept.ticket(), key.clone(), [user("bbb"), user("ccc")], answer());
        assert!(kept.get(&key).is_some());
        drop(kept.changing(&[Shown::User(1, user("zzz")), Shown::MadeBy(2, user("aaa"))]));
        assert!(kept.get(&key).is_some());
        for shown in [Shown::User(1, user("bbb")), Shown::MadeBy(1, user("aaa"))] {
            kept.offer(kept.ticket(), key.clone(), [user("bbb"), user("ccc")], answer());
            assert!(kept.get(&key).is_some());
            let change = kept.changing(std::slice::from_ref(&shown));
            assert!(kept.get(&key).is_none(), "{shown:?} is changing");
            drop(change);
            assert!(kept.get(&key).is_none(), "{shown:?} has changed");
        }
    }

    #[test]
    fn an_answer_read_while_something_in_it_changed_is_not_used() {
        let kept = Kept::new(1024);
        let key = ListKey::Blocker(1, user("aaa"));
        let before = kept.ticket();
        let change = kept.changing(&[Shown::User(1, user("bbb"))]);
        let during = kept.ticket();
        let other = kept.changing(&[Shown::User(1, user("bbb"))]);
        for ticket in [before, during] {
            kept.offer(ticket, key.clone(), [user("bbb")], answer());
            assert!(kept.get(&key).is_none());
        }
        drop(change);
        kept.offer(kept.ticket(), key.clone(), [user("bbb")], answer());
        assert!(kept.get(&key).is_none(), "the other change is still under way");
        drop(other);
        assert!(kept.get(&key).is_none());
        kept.offer(kept.ticket(), key.clone(), [user("bbb")], answer());
        assert!(kept.get(&key).is_some());
    }

    #[test]
    fn no_more_is_kept_than_was_said() {
        let kept = Kept::new(16);
        for id in ["aaa", "bbb", "ccc", "ddd", "eee", "fff", "ggg", "hhh", "iii"] {
            kept.offer(kept.ticket(), ListKey::Blocker(1, user(id)), [], answer());
        }
        assert!(kept.get(&ListKey::Blocker(1, user("aaa"))).is_none());
        assert!(kept.get(&ListKey::Blocker(1, user("iii"))).is_some());
    }
}
