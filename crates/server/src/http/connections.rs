//! Who is connected: open connections in all and by app, and the last hour's peak.
//!
//! A connection counts for an app when it is a socket on which somebody of that app said who he is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;
use std::time::Duration;

use futures_util::task::AtomicWaker;

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

/// How a client begins who speaks HTTP/2 (RFC 9113 3.4), and nobody else does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// No app has this number.
const NOBODY: i64 = -1;

/// One connection, counted from here until it is dropped. It also knows since when it waits for a
/// request, so that a client who takes too long can be cut off (the HTTP library's own timer would
/// be set anew for every request).
pub(crate) struct Connection {
    all: Arc<Connections>,
    app: AtomicI64,
    /// The peer's address.
    pub(crate) peer: IpAddr,
    /// Requests that are not answered to their end.
    in_hand: AtomicU32,
    /// Requests so far.
    heard: AtomicU64,
    /// Since when it waits, milliseconds.
    waiting_ms: AtomicU64,
    /// Has anything been read since the last whole header?
    speaking: AtomicBool,
    /// Does the peer not take what is written?
    stuck: AtomicBool,
    /// How many bytes the peer's side has taken.
    written: AtomicU64,
    http2: AtomicBool,
    too_slow: AtomicBool,
    /// It is to end at once.
    cut: AtomicBool,
    /// It has ended.
    over: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Connection {
    pub(crate) fn new(all: Arc<Connections>, peer: IpAddr) -> Self {
        all.open.fetch_add(1, Ordering::Relaxed);
        let no = || AtomicBool::new(false);
        let connection = Self {
            all,
            app: AtomicI64::new(NOBODY),
            peer,
            in_hand: AtomicU32::new(0),
            heard: AtomicU64::new(0),
            waiting_ms: AtomicU64::new(0),
            speaking: no(),
            stuck: no(),
            written: AtomicU64::new(0),
            http2: no(),
            too_slow: no(),
            cut: no(),
            over: no(),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        };
        connection.waits_from((connection.all.senses.elapsed)());
        connection
    }

    fn waits_from(&self, at: Duration) {
        self.waiting_ms.store(u64::try_from(at.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Ends the connection at once, from wherever.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        self.reader.wake();
        self.writer.wake();
    }

    /// Ends the connection at once, if no other request came over it since it counted so many. Over HTTP/2, where
    /// nobody can tell whose turn it is, it ends in any case.
    pub(crate) fn cut_if_last(&self, request: u64) {
        if self.http2.load(Ordering::Relaxed) || self.requests() == request {
            self.cut();
        }
    }

    /// How many requests came so far.
    pub(crate) fn requests(&self) -> u64 {
        self.heard.load(Ordering::SeqCst)
    }

    /// It has ended.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Has it ended?
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Is it to end? If not, whoever reads is woken when it is.
    pub(crate) fn is_cut_for_reader(&self, context: &Context<'_>) -> bool {
        self.reader.register(context.waker());
        self.cut.load(Ordering::SeqCst)
    }

    /// As [`Connection::is_cut_for_reader`], for whoever writes.
    pub(crate) fn is_cut_for_writer(&self, context: &Context<'_>) -> bool {
        self.writer.register(context.waker());
        self.cut.load(Ordering::SeqCst)
    }

    /// These bytes came in.
    pub(crate) fn spoke(&self, bytes: &[u8]) {
        let first = !self.speaking.swap(true, Ordering::Relaxed) && self.requests() == 0;
        if first && bytes.starts_with(PREFACE) {
            self.http2.store(true, Ordering::Relaxed);
        }
    }

    /// Is HTTP/2 spoken over it?
    pub(crate) fn is_http2(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
    }

    /// How many bytes went out so far.
    pub(crate) fn bytes_written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// So many bytes went out; `None`: none could.
    pub(crate) fn wrote(&self, bytes: Option<usize>) {
        let taken = bytes.is_some();
        self.written.fetch_add(bytes.unwrap_or(0) as u64, Ordering::Relaxed);
        if taken == self.stuck.load(Ordering::Relaxed) {
            self.stuck.store(!taken, Ordering::Relaxed);
            self.waits_from((self.all.senses.elapsed)());
        }
    }

    /// A whole header was read; the request is in hand as long as the answer is kept.
    pub(crate) fn heard(self: &Arc<Self>) -> InHand {
        self.speaking.store(false, Ordering::Relaxed);
        self.in_hand.fetch_add(1, Ordering::Relaxed);
        self.heard.fetch_add(1, Ordering::SeqCst);
        InHand { connection: self.clone(), ended: None }
    }

    /// How much longer a client with so much patience to use up may take. `None`: it is used up.
    /// Waiting for a request uses it up; so does, ten times slower, a client that takes nothing of
    /// what is written.
    pub(crate) fn patience_left(&self, patience: Duration) -> Option<Duration> {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let stuck = is(&self.stuck);
        if !stuck && self.in_hand.load(Ordering::Relaxed) > 0 {
            return Some(patience);
        }
        let patience = if stuck { patience.saturating_mul(10) } else { patience };
        let until = Duration::from_millis(self.waiting_ms.load(Ordering::Relaxed)).saturating_add(patience);
        let left = until.checked_sub((self.all.senses.elapsed)()).filter(|left| !left.is_zero());
        self.too_slow.store(left.is_none(), Ordering::Relaxed);
        left
    }

    /// Was the client cut off in the middle of a header, so that it should be told? HTTP/2 has no words for it.
    pub(crate) fn is_owed_a_word(&self) -> bool {
        self.too_slow.load(Ordering::Relaxed) && self.speaking.load(Ordering::Relaxed) && !self.is_http2()
    }

    /// Somebody of this app has said on this socket who he is; the first one decides.
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

/// A request that is not answered to its end.
pub(crate) struct InHand {
    connection: Arc<Connection>,
    ended: Option<Duration>,
}

impl InHand {
    /// It was answered, at this time of [`Senses::elapsed`].
    pub(crate) fn ended(mut self, at: Duration) {
        self.ended = Some(at);
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let at = self.ended.unwrap_or_else(|| (self.connection.all.senses.elapsed)());
        // What was read meanwhile was the request's body.
        self.connection.speaking.store(false, Ordering::Relaxed);
        self.connection.waits_from(at);
        self.connection.in_hand.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn only_waiting_uses_up_patience() {
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = seconds.clone();
        let senses =
            Senses { elapsed: Arc::new(move || Duration::from_secs(clock.load(Ordering::Relaxed))), ..Senses::real() };
        let connection = Arc::new(Connection::new(Arc::new(Connections::new(senses)), IpAddr::from([127, 0, 0, 1])));
        let left = |at: u64| {
            seconds.store(at, Ordering::Relaxed);
            connection.patience_left(Duration::from_secs(10)).map(|left| left.as_secs())
        };
        assert_eq!((left(4), left(9)), (Some(6), Some(1)));
        connection.spoke(b"GET /");
        assert_eq!((left(10), connection.is_owed_a_word()), (None, true));
        let in_hand = connection.heard();
        assert_eq!(left(100), Some(10), "a request is being answered");
        drop(in_hand);
        assert_eq!((left(105), connection.is_owed_a_word()), (Some(5), false));
        connection.wrote(None);
        assert_eq!((left(200), left(205)), (Some(5), None), "the client takes nothing of its answer");
        connection.wrote(Some(1));
        assert_eq!((left(210), left(215), connection.is_owed_a_word()), (Some(5), None, false));
    }

    #[test]
    fn over_http2_nobody_is_told_in_http1_that_he_was_too_slow() {
        let connection =
            Arc::new(Connection::new(Arc::new(Connections::new(Senses::real())), IpAddr::from([127, 0, 0, 1])));
        connection.spoke(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assert_eq!(connection.patience_left(Duration::ZERO), None);
        assert_eq!((connection.is_http2(), connection.is_owed_a_word()), (true, false));
        drop(connection.heard());
        assert_eq!(connection.patience_left(Duration::ZERO), None, "who says nothing between requests waits no less");
    }
}
