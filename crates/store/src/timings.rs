//! How long the database takes, told to whoever wants to know.
//!
//! The store reads no clock of its own: who observes brings one.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What took so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Waiting for a transaction that may write: the one write lock, or a connection.
    BeginWrite,
    /// Waiting for a transaction that reads.
    BeginRead,
    /// A commit, until it is durable.
    Commit,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::BeginWrite, Self::BeginRead, Self::Commit];

    /// What it is called in figures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeginWrite => "begin_write",
            Self::BeginRead => "begin_read",
            Self::Commit => "commit",
        }
    }
}

/// Somebody who wants to know.
pub struct Observer {
    /// Time since some moment; never goes back.
    pub elapsed: Box<dyn Fn() -> Duration + Send + Sync>,
    /// Told of everything that was timed.
    pub observe: Box<dyn Fn(Operation, Duration) + Send + Sync>,
}

/// The one who is told, once there is one.
#[derive(Clone, Default)]
pub(crate) struct Timings(Arc<OnceLock<Observer>>);

impl Timings {
    pub(crate) fn observed_by(&self, observer: Observer) -> bool {
        self.0.set(observer).is_ok()
    }

    /// Awaits something, and tells how long it took.
    pub(crate) async fn time<T>(&self, what: Operation, doing: impl Future<Output = T>) -> T {
        let Some(observer) = self.0.get() else { return doing.await };
        let begun = (observer.elapsed)();
        let done = doing.await;
        (observer.observe)(what, (observer.elapsed)().saturating_sub(begun));
        done
    }
}
