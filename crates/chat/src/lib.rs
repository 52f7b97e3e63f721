//! What one can do in Banter: one function per action.
//!
//! An action opens a transaction, asks a rule of the domain while it holds the locks, writes,
//! commits, and only then answers. HTTP, sockets, batches and the command line call the same
//! actions; nobody else writes.

mod access;
mod badges;
mod config;
mod error;
mod figures;
mod files;
mod house;
mod import;
mod kept;
mod live;
mod me;
mod messages;
mod moderation;
mod open;
mod outbox;
mod prefs;
mod push;
mod rooms;
mod search;
mod stickers;
mod users;
mod webhooks;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, RwLock, Weak};

pub use access::{App, Caller, TokenHash, Who};
use banter_domain::id::{ObjectId, ObjectIds, RoomId};
use banter_domain::words::WordFilter;
pub use banter_store::{Anchor, MessagesQuery, PutAway, TimeField};
pub use banter_store::{Delivery, DeliveryState, NewDelivery};
use banter_store::{EngineKind, Store, Vault};
pub use banter_store::{Error as StoreError, StoredEvent as Happening};
pub use error::{Error, Result};
pub use figures::{AuditQuery, Bucket, BucketSize, ModerationStats, Stats};
pub use files::{Incoming, NewFile};
pub use import::{ImportError, Imported, Record};
pub use kept::{Kept, KeptAnswer, ListKey, Ticket};
pub use messages::{Batch, BatchDone, Deleted, MessagesOfApp, MessagesPage, Para, PutAwayDone, Words};
pub use moderation::{ListReader, Written};
pub use outbox::{Ears, RoomForEach, RoomOfOne};
pub use push::{MAX_DEVICES, Reach, Telling};
pub use rooms::{NewKind, NewRoom, Property, Reading, RoomChange, RoomsQuery, SortBy, Way};
pub use search::{Found, SearchFor, SearchQuery};
pub use users::{Account, Grant, TokenRecord, UserGroup};
pub use webhooks::{Facts, HookTelling, Place, Reply, Webhook};

/// Where the time comes from: milliseconds since the epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A page of a longer list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// How long the whole list is.
    pub total: i64,
    /// The page.
    pub data: Vec<T>,
}

/// What an operator may set.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long an event stays in the outbox, days.
    pub outbox_days: u32,
    /// Keep ready-made answers of the two lists in memory. Right only where this process is the
    /// whole server: the embedded database. On PostgreSQL it is ignored.
    pub keep_answers: bool,
    /// At most so many bytes of them.
    pub kept_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { outbox_days: 7, keep_answers: true, kept_bytes: 64 << 20 }
    }
}

/// A chat server without its edges.
pub struct Chat {
    store: Store,
    /// Keys the hashes of API keys and tokens.
    secret: [u8; 32],
    clock: Clock,
    ids: ObjectIds,
    options: Options,
    kept: Kept,
    outbox: outbox::Outbox,
    /// Where the bytes of files lie.
    vault: OnceLock<Vault>,
    ears: RwLock<Vec<Weak<dyn Ears>>>,
    access: access::Cache,
    /// Sensitive words by app: their configuration as text, and what is built from it.
    words: RwLock<HashMap<i64, (String, Arc<WordFilter>)>>,
    refusals: Mutex<HashMap<(i64, i64, &'static str), i64>>,
    refused_messages: webhooks::Refusals,
    /// Held by who makes deliveries: there is one in a process.
    delivering: tokio::sync::Mutex<()>,
    sending: messages::Sending,
}

impl Chat {
    /// A chat server over a database. `process`: random bytes that tell its ids from those of
    /// other processes.
    #[must_use]
    pub fn new(store: Store, secret: [u8; 32], clock: Clock, process: [u8; 5], options: Options) -> Self {
        let alone = store.kind() == EngineKind::Sqlite;
        Self {
            kept: Kept::new(if alone && options.keep_answers { options.kept_bytes } else { 0 }),
            access: access::Cache::new(alone),
            outbox: outbox::Outbox::default(),
            vault: OnceLock::new(),
            ears: RwLock::default(),
            ids: ObjectIds::new(process),
            words: RwLock::default(),
            refusals: Mutex::default(),
            refused_messages: webhooks::Refusals::default(),
            delivering: tokio::sync::Mutex::default(),
            sending: messages::Sending::default(),
            store,
            secret,
            clock,
            options,
        }
    }

    /// Now, milliseconds since the epoch.
    #[must_use]
    pub fn now(&self) -> i64 {
        (self.clock)()
    }

    /// A new id, later than all before it.
    #[must_use]
    pub fn new_id(&self) -> ObjectId {
        self.ids.next(self.now())
    }

    /// A new room id that does not say when it was made: for rooms of pairs, whose making may be a
    /// secret.
    pub(crate) fn timeless_room_id(&self) -> RoomId {
        RoomId::from(self.hidden_id())
    }

    /// A new id that does not say when it was made, and that nobody can guess.
    pub(crate) fn hidden_id(&self) -> ObjectId {
        let seed = self.new_id().to_string();
        let hash = blake3::keyed_hash(&self.secret, seed.as_bytes());
        ObjectId::from_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
    }

    /// Answers kept ready of the two lists.
    #[must_use]
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The database, for copying it.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns when everything that was committed is durable. A refusal is told only after it: it
    /// may rest on what another act has just written. `lost`: what [`Chat::lost`] said when the act began. Errors: what it
    /// rests on may have come to nothing.
    pub async fn settled(&self, lost: u64) -> Result<()> {
        Ok(self.store.settled(lost).await?)
    }

    /// How many commits that others shared have failed so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.store.lost()
    }

    /// Does the database answer?
    pub async fn ready(&self) -> Result<()> {
        self.store.apps().await?;
        Ok(())
    }
}
