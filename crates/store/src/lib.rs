//! What Banter remembers: the only crate with SQL.
//!
//! A [`View`] reads one moment; a [`Tx`] also writes. A room changes only through a
//! [`LockedRoom`], a pair of users only through a [`LockedPair`]: both can be had from a
//! transaction alone, hold until it ends, and whoever judges, judges while holding them.
//! Nothing here decides anything.

mod apps;
mod devices;
pub mod engine;
mod error;
mod figures;
mod files;
mod filter_sql;
mod import;
mod invitations;
mod lists;
mod members;
mod messages;
mod own_rooms;
mod prefs;
mod read;
mod records;
mod relations;
mod rooms;
pub mod sabotage;
mod search;
mod search_syntax;
mod sends;
mod sight;
pub mod sql;
mod standings;
mod stickers;
mod timings;
mod tokens;
mod users;
mod vault;
mod webhooks;

use std::path::Path;
use std::sync::Arc;

pub use apps::AppRow;
pub use devices::{Among, Going, Wishes};
pub use engine::sqlite::Claim;
pub use error::{Error, Result};
pub use figures::{Refusals, Span};
pub use files::Ties;
pub use import::ImportedMessage;
pub use lists::ListOf;
pub use members::Place;
pub use messages::{Anchor, MessageChange, MessagesQuery, NewMessage, OfApp, TimeField};
pub use own_rooms::{OwnOrder, OwnPage, OwnRoom};
pub use records::{NewEvent, StoredEvent};
pub use relations::Saved;
pub use rooms::{LockedPair, LockedRoom, NewRoomRow};
pub use search::Hit;
pub use sends::{Had, NewSend, RoomForAll, Speakers};
pub use sight::{Eyes, PutAway, TOLD};
pub use sql::EngineKind;
use sql::{Engine, Session};
use timings::Timings;
pub use timings::{Observer, Operation};
pub use tokens::{Entered, TokenRow};
pub use users::{FoundUsers, REGEX_ROWS};
pub use vault::{Bytestream, Deposit, Remote, Vault};
pub use webhooks::{Delivery, DeliveryState, HookRow, NewDelivery};

/// The database of one server.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
    timings: Timings,
}

impl Store {
    /// Opens (or makes) the embedded database in a folder, for this process alone.
    /// Errors: [`Error::Setting`] if another process has it or it is newer than this binary.
    pub fn sqlite(folder: &Path) -> Result<Self> {
        Ok(Self::over(Arc::new(engine::sqlite::Sqlite::open(folder)?)))
    }

    /// As [`Store::sqlite`], in a folder that was taken before.
    pub fn sqlite_in(claim: Claim) -> Result<Self> {
        Ok(Self::over(Arc::new(engine::sqlite::Sqlite::open_in(claim)?)))
    }

    /// Opens the embedded database beside a server that has it, to copy it.
    pub fn sqlite_beside(folder: &Path) -> Result<Self> {
        Ok(Self::over(Arc::new(engine::sqlite::Sqlite::open_beside(folder)?)))
    }

    /// Lets a copy of the embedded database carry a note (the secret it was written under).
    pub fn write_note(copy: &Path, name: &str, text: &str) -> Result<()> {
        engine::sqlite::write_note(copy, name, text)
    }

    /// The note a database file carries, if any. The file must not be open anywhere.
    pub fn read_note(database: &Path, name: &str) -> Result<Option<String>> {
        engine::sqlite::read_note(database, name)
    }

    /// Takes a note out of a database file. The file must not be open anywhere.
    pub fn remove_note(database: &Path, name: &str) -> Result<()> {
        engine::sqlite::remove_note(database, name)
    }

    /// Opens a PostgreSQL database with at most so many connections.
    pub async fn postgres(url: &str, connections: usize) -> Result<Self> {
        Ok(Self::over(Arc::new(engine::postgres::Postgres::open(url, connections).await?)))
    }

    /// A database behind an engine of one's own: for tests that watch what is asked.
    #[must_use]
    pub fn over(engine: Arc<dyn Engine>) -> Self {
        Self { engine, timings: Timings::default() }
    }

    /// Tells an observer, the first one given, how long the database takes.
    pub fn observed_by(&self, observer: Observer) -> bool {
        self.timings.observed_by(observer)
    }

    /// Which database this is.
    #[must_use]
    pub fn kind(&self) -> EngineKind {
        self.engine.kind()
    }

    /// One moment of an app, to read from.
    pub async fn view(&self, app: i64) -> Result<View> {
        let session = self.timings.time(Operation::BeginRead, self.engine.read()).await?;
        Ok(View { session, app, kind: self.engine.kind() })
    }

    /// As [`Store::view`], for a reader that takes long (a streamed list).
    pub async fn view_long(&self, app: i64) -> Result<View> {
        let session = self.timings.time(Operation::BeginRead, self.engine.read_long()).await?;
        Ok(View { session, app, kind: self.engine.kind() })
    }

    /// A transaction over an app. Dropped without [`Tx::commit`], it undoes everything.
    pub async fn change(&self, app: i64) -> Result<Tx> {
        let session = self.timings.time(Operation::BeginWrite, self.engine.write()).await?;
        let view = View { session, app, kind: self.engine.kind() };
        Ok(Tx { view, timings: self.timings.clone() })
    }

    /// Returns when everything committed so far is durable: a refusal judged on somebody else's
    /// fresh write waits here. `lost`: what [`Store::lost`] said before it was judged. Errors: [`Error::TryAgain`] if a
    /// commit has failed since.
    pub async fn settled(&self, lost: u64) -> Result<()> {
        self.engine.settled().await?;
        if self.engine.lost() == lost {
            return Ok(());
        }
        Err(Error::TryAgain("what was found may have come to nothing".to_owned()))
    }

    /// How many commits that others shared have failed so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.engine.lost()
    }

    /// Copies a consistent state to a file (SQLite only).
    pub async fn backup(&self, to: &Path) -> Result<()> {
        self.engine.backup(to).await
    }
}

/// One moment of one app.
pub struct View {
    session: Box<dyn Session>,
    app: i64,
    kind: EngineKind,
}

/// A transaction over one app.
pub struct Tx {
    view: View,
    timings: Timings,
}

impl Tx {
    /// The same transaction, over another app: for making one.
    #[must_use]
    pub fn of_app(mut self, app: i64) -> Self {
        self.view.app = app;
        self
    }

    /// Writes what several statements say, in their order.
    async fn put_all(
        &mut self,
        statements: impl IntoIterator<Item = sql::Statement, IntoIter: Send> + Send,
    ) -> Result<()> {
        for sql::Statement { text, binds } in statements {
            self.view.session.put(&text, binds).await?;
        }
        Ok(())
    }

    /// Makes everything durable; returns only then.
    pub async fn commit(self) -> Result<()> {
        self.timings.time(Operation::Commit, self.view.session.commit()).await
    }
}

impl std::ops::Deref for Tx {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

impl std::ops::DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut View {
        &mut self.view
    }
}
