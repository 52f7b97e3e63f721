//! Ready-made answers of the two lists, for as long as nothing in them changes.
//!
//! An answer is dropped before the change that outdates it commits, and none is kept that was
//! begun before such a change ended: whoever is told of a change never reads an older list.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use banter_domain::id::{RoomId, UserId};

/// Which answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListKey {
    /// The list of a user's own blocks and bans.
    Blocker(i64, UserId),
    /// The list of a group's bans, as this reader may see it; `None`: the platform.
    Room(i64, RoomId, Option<UserId>),
}

/// A kept answer.
#[derive(Debug)]
pub struct KeptAnswer {
    /// Its bytes.
    pub body: bytes::Bytes,
    /// Its strong validator, without quotes.
    pub etag: String,
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

/// An answer, and what it shows of.
type OnShelf = (Arc<KeptAnswer>, Vec<Arc<Shown>>);

#[derive(Default)]
struct Shelf {
    answers: HashMap<Arc<ListKey>, OnShelf>,
    by_shown: HashMap<Arc<Shown>, HashSet<Arc<ListKey>>>,
    bytes: usize,
    /// Changes under way: committed or not, nothing is kept until they end.
    changing: usize,
}

impl Shelf {
    fn drop_key(&mut self, key: &ListKey) {
        if let Some((answer, shown)) = self.answers.remove(key) {
            self.bytes -= answer.body.len();
            for one in shown {
                if let Some(keys) = self.by_shown.get_mut(&one) {
                    keys.remove(key);
                    if keys.is_empty() {
                        self.by_shown.remove(&one);
                    }
                }
            }
        }
    }
}

/// The answers kept.
pub struct Kept {
    most_bytes: usize,
    /// Moves when a change begins and when it ends.
    generation: AtomicU64,
    shelf: RwLock<Shelf>,
}

/// Taken before an answer's data is read; the answer is kept only if nothing changed since.
#[derive(Debug, Clone, Copy)]
pub struct Ticket(u64);

impl Kept {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, generation: AtomicU64::new(0), shelf: RwLock::default() }
    }

    /// The answer, if it is kept.
    #[must_use]
    pub fn get(&self, key: &ListKey) -> Option<Arc<KeptAnswer>> {
        if self.most_bytes == 0 {
            return None;
        }
        let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
        shelf.answers.get(key).map(|(answer, _)| answer.clone())
    }

    /// To be taken before reading what an answer is made of.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        Ticket(self.generation.load(Ordering::SeqCst))
    }

    /// Keeps an answer that shows these people, unless something changed meanwhile.
    pub fn offer(
        &self,
        ticket: Ticket,
        key: ListKey,
        users: impl IntoIterator<Item = UserId>,
        answer: Arc<KeptAnswer>,
    ) {
        if answer.body.len() > self.most_bytes / 8 {
            return;
        }
        let (app, whole) = match &key {
            ListKey::Blocker(app, user) => (*app, Shown::MadeBy(*app, user.clone())),
            ListKey::Room(app, room, _) => (*app, Shown::Room(*app, room.clone())),
        };
        let key = Arc::new(key);
        let mut shown: Vec<Arc<Shown>> = users.into_iter().map(|user| Arc::new(Shown::User(app, user))).collect();
        shown.push(Arc::new(whole));
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        if shelf.changing > 0 || self.generation.load(Ordering::SeqCst) != ticket.0 {
            return;
        }
        shelf.drop_key(&key);
        if shelf.bytes + answer.body.len() > self.most_bytes {
            *shelf = Shelf { changing: shelf.changing, ..Shelf::default() };
        }
        shelf.bytes += answer.body.len();
        for one in &shown {
            shelf.by_shown.entry(one.clone()).or_default().insert(key.clone());
        }
        shelf.answers.insert(key, (answer, shown));
    }

    /// Begins a change to what answers show. To be held until the commit has returned.
    pub(crate) fn changing(&self, what: &[Shown]) -> Changing<'_> {
        if self.most_bytes > 0 {
            let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
            shelf.changing += 1;
            self.generation.fetch_add(1, Ordering::SeqCst);
            for one in what {
                let keys: Vec<Arc<ListKey>> = shelf.by_shown.get(one).into_iter().flatten().cloned().collect();
                for key in keys {
                    shelf.drop_key(&key);
                }
            }
        }
        Changing { kept: self }
    }
}

/// A change under way.
pub(crate) struct Changing<'a> {
    kept: &'a Kept,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        if self.kept.most_bytes > 0 {
            let mut shelf = self.kept.shelf.write().unwrap_or_else(PoisonError::into_inner);
            shelf.changing -= 1;
            self.kept.generation.fetch_add(1, Ordering::SeqCst);
        }
    }
}
