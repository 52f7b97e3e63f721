//! Who is connected: open connections in all and by app, and the last hour's peak.
//!
//! A connection is nobody's until a request on it has shown good credentials.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::Version;

use crate::clock::Senses;

/// The peak is that of so many minutes.
const MINUTES: usize = 60;

/// Counts connections.
pub struct Connections {
    senses: Senses,
    open: AtomicI64,
    by_app: Mutex<HashMap<i64, OfApp>>,
}

struct OfApp {
    open: i64,
    /// The highest count of each of the last minutes; the newest is `minute`'s.
    peaks: [i64; MINUTES],
    minute: u64,
}

impl OfApp {
    /// Brings the minutes up to date: one nobody came or went in had the count that stands.
    fn turn_to(&mut self, minute: u64) {
        let passed = usize::try_from(minute.saturating_sub(self.minute)).unwrap_or(MINUTES).min(MINUTES);
        self.peaks.rotate_right(passed);
        self.peaks.iter_mut().take(passed).for_each(|peak| *peak = self.open);
        self.minute = minute.max(self.minute);
    }

    fn change(&mut self, minute: u64, by: i64) {
        self.turn_to(minute);
        self.open += by;
        if let Some(peak) = self.peaks.first_mut() {
            *peak = self.open.max(*peak);
        }
    }
}

impl Connections {
    pub(crate) fn new(senses: Senses) -> Self {
        Self { senses, open: AtomicI64::new(0), by_app: Mutex::default() }
    }

    fn minute(&self) -> u64 {
        (self.senses.elapsed)().as_secs() / 60
    }

    fn with<T>(&self, app: i64, act: impl FnOnce(&mut OfApp, u64) -> T) -> T {
        let minute = self.minute();
        let mut by_app = self.by_app.lock().unwrap_or_else(PoisonError::into_inner);
        act(by_app.entry(app).or_insert(OfApp { open: 0, peaks: [0; MINUTES], minute }), minute)
    }

    /// Open connections of an app (by [`banter_chat::App::number`]).
    #[must_use]
    pub fn of_app(&self, app: i64) -> i64 {
        self.with(app, |of, _| of.open)
    }

    /// The most connections an app had at once in the last hour.
    #[must_use]
    pub fn peak_of_app(&self, app: i64) -> i64 {
        self.with(app, |of, minute| {
            of.turn_to(minute);
            of.peaks.iter().copied().max().unwrap_or_default()
        })
    }

    /// Open connections in all.
    #[must_use]
    pub fn open(&self) -> i64 {
        self.open.load(Ordering::Relaxed)
    }
}

/// No app has this number.
const NOBODY: i64 = -1;

/// One connection, counted from here until it is dropped.
pub(crate) struct Connection {
    all: Arc<Connections>,
    app: AtomicI64,
    /// The peer's address.
    pub(crate) peer: IpAddr,
    used: AtomicBool,
    speaking: AtomicBool,
    http2: AtomicBool,
    too_slow: AtomicBool,
}

impl Connection {
    pub(crate) fn new(all: Arc<Connections>, peer: IpAddr) -> Self {
        all.open.fetch_add(1, Ordering::Relaxed);
        let no = || AtomicBool::new(false);
        Self { all, app: AtomicI64::new(NOBODY), peer, used: no(), speaking: no(), http2: no(), too_slow: no() }
    }

    /// Bytes came in.
    pub(crate) fn spoke(&self) {
        self.speaking.store(true, Ordering::Relaxed);
    }

    /// A whole header was read.
    pub(crate) fn heard(&self, version: Version) {
        self.used.store(true, Ordering::Relaxed);
        self.speaking.store(false, Ordering::Relaxed);
        if version == Version::HTTP_2 {
            self.http2.store(true, Ordering::Relaxed);
        }
    }

    /// A request was answered, and its body with it.
    pub(crate) fn answered(&self) {
        self.speaking.store(false, Ordering::Relaxed);
    }

    /// Has there been a whole header yet?
    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// The client took too long with a header.
    pub(crate) fn lost_patience(&self) {
        self.too_slow.store(true, Ordering::Relaxed);
    }

    /// Was the client cut off in the middle of a header, so that it should be told?
    pub(crate) fn is_owed_a_word(&self) -> bool {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        is(&self.too_slow) && is(&self.speaking) && !is(&self.http2)
    }

    /// A request on it has shown credentials of this app; the first one decides.
    pub(crate) fn belongs_to(&self, app: i64) {
        if self.app.load(Ordering::Relaxed) == NOBODY
            && self.app.compare_exchange(NOBODY, app, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.all.with(app, |of, minute| of.change(minute, 1));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.open.fetch_sub(1, Ordering::Relaxed);
        let app = *self.app.get_mut();
        if app != NOBODY {
            self.all.with(app, |of, minute| of.change(minute, -1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    #[test]
    fn a_connection_counts_for_the_app_it_first_showed_credentials_of() {
        let minutes = Arc::new(AtomicU64::new(0));
        let clock = minutes.clone();
        let senses = Senses {
            elapsed: Arc::new(move || Duration::from_secs(60 * clock.load(Ordering::Relaxed))),
            ..Senses::real()
        };
        let all = Arc::new(Connections::new(senses));
        let connect = || Connection::new(all.clone(), IpAddr::from([127, 0, 0, 1]));
        let (one, two) = (connect(), connect());
        assert_eq!((all.open(), all.of_app(1)), (2, 0));
        one.belongs_to(1);
        one.belongs_to(2);
        two.belongs_to(1);
        assert_eq!((all.of_app(1), all.of_app(2), all.peak_of_app(1)), (2, 0, 2));
        drop(one);
        assert_eq!((all.open(), all.of_app(1), all.peak_of_app(1)), (1, 1, 2));
        minutes.store(59, Ordering::Relaxed);
        assert_eq!(all.peak_of_app(1), 2);
        minutes.store(60, Ordering::Relaxed);
        assert_eq!(all.peak_of_app(1), 1, "an hour later only what stayed counts");
        drop(two);
        minutes.store(300, Ordering::Relaxed);
        assert_eq!(all.peak_of_app(1), 0);
    }
}
