//! A room full of sockets, and lanes of messages into it.
//!
//! A lane sends its next message when every socket has heard the one before. So as many messages are
//! under way as there are lanes, the server is as busy as it can be, and no queue of it can overflow. Each
//! message carries its lane and number, so what a socket hears twice or not at all is found.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Socket;
use crate::Result;
use crate::http::Connection;
use crate::stats::quantile;

/// What stands before lane and number in each message.
const MARK: &str = "tick ";
const LANE_DIGITS: usize = 4;
const NUMBER_DIGITS: usize = 8;
/// Whoever has not heard a message after so long will not.
const PATIENCE: Duration = Duration::from_secs(15);

/// The text by which a message is known.
pub(crate) fn mark(lane: usize, number: u32) -> String {
    format!("{MARK}{lane:0LANE_DIGITS$}{number:0NUMBER_DIGITS$}")
}

/// One message under way in each lane.
#[derive(Debug, Default)]
struct Lane {
    number: AtomicU32,
    /// When it was sent, nanoseconds after the crowd's beginning.
    sent_ns: AtomicU64,
    /// Who has not heard it yet.
    left: AtomicU32,
    heard: Notify,
}

/// What is known of all sockets and lanes.
#[derive(Debug)]
struct Tally {
    begin: Instant,
    lanes: Vec<Lane>,
    /// By socket: messages it heard, whichever.
    heard: Vec<AtomicU64>,
    /// Sockets that the server cut off.
    cut: AtomicU32,
    /// Heard, but not under way any more: a message told twice.
    stray: AtomicU32,
    latencies_us: Mutex<Vec<u32>>,
    /// Where the mark was found last: it nearly always is there again.
    place: AtomicU64,
    wanted: AtomicBool,
}

/// Sockets that listen until the crowd is dropped.
#[derive(Debug)]
pub(crate) struct Crowd {
    tally: Arc<Tally>,
    _listening: JoinSet<()>,
}

/// How messages come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    pub(crate) lanes: usize,
    /// Each lane waits so long between two messages, if it is not held up longer.
    pub(crate) every: Duration,
    pub(crate) time: Duration,
}

/// What was heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) deliveries: u64,
    pub(crate) seconds: f64,
    pub(crate) latencies_us: Vec<u32>,
    /// Messages that a socket did not hear, summed over all sockets, and those told twice.
    pub(crate) lost: u64,
    /// Sockets that were cut off.
    pub(crate) cut: u64,
}

impl Heard {
    /// Deliveries a second.
    pub(crate) fn rate(&self) -> f64 {
        self.deliveries as f64 / self.seconds.max(f64::EPSILON)
    }

    /// The latency in milliseconds below which the share `at` lies.
    pub(crate) fn latency_ms(&mut self, at: f64) -> f64 {
        f64::from(quantile(&mut self.latencies_us, at)) / 1e3
    }

    /// Adds what was heard later.
    pub(crate) fn add(&mut self, later: Self) {
        self.deliveries += later.deliveries;
        self.seconds += later.seconds;
        self.latencies_us.extend(later.latencies_us);
        self.lost += later.lost;
        self.cut = self.cut.max(later.cut);
    }
}

impl Crowd {
    /// Listens on all these sockets.
    pub(crate) fn listen(sockets: Vec<Socket>, lanes: usize) -> Self {
        let tally = Arc::new(Tally {
            begin: Instant::now(),
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            heard: sockets.iter().map(|_| AtomicU64::new(0)).collect(),
            cut: AtomicU32::new(0),
            stray: AtomicU32::new(0),
            latencies_us: Mutex::default(),
            place: AtomicU64::new(0),
            wanted: AtomicBool::new(true),
        });
        let mut listening = JoinSet::new();
        for (number, mut socket) in sockets.into_iter().enumerate() {
            let tally = Arc::clone(&tally);
            listening.spawn(async move {
                while let Some(text) = socket.next().await {
                    tally.hear(number, text.as_bytes());
                }
                tally.lose();
            });
        }
        Self { tally, _listening: listening }
    }

    /// Lets messages flow. `request` writes the request that sends the message with this mark.
    /// Errors: a message was not accepted.
    pub(crate) async fn flow(
        &self,
        address: SocketAddr,
        flow: Flow,
        request: impl Fn(usize, &str) -> Vec<u8> + Send + Sync + Clone + 'static,
    ) -> Result<Heard> {
        let before: Vec<u64> = self.counts();
        let strays = self.tally.stray.load(Ordering::Relaxed);
        let begin = Instant::now();
        let mut lanes = JoinSet::new();
        for lane in 0..flow.lanes.min(self.tally.lanes.len()) {
            let (tally, request) = (Arc::clone(&self.tally), request.clone());
            let head_start = flow.every.mul_f64(lane as f64 / flow.lanes.max(1) as f64);
            lanes.spawn(async move {
                tokio::time::sleep(head_start).await;
                tally.run(lane, address, flow, begin + flow.time, request).await
            });
        }
        let mut sent = 0;
        while let Some(lane) = lanes.join_next().await {
            sent += lane??;
        }
        let seconds = begin.elapsed().as_secs_f64();
        let now = self.counts();
        let each = now.iter().zip(before).map(|(now, before)| now - before);
        let (deliveries, lost) = each.fold((0, 0), |(all, lost), heard| (all + heard, lost + sent.abs_diff(heard)));
        let latencies_us = std::mem::take(&mut *self.tally.latencies_us.lock().unwrap_or_else(PoisonError::into_inner));
        let strays = self.tally.stray.load(Ordering::Relaxed) - strays;
        let cut = u64::from(self.tally.cut.load(Ordering::Relaxed));
        Ok(Heard { deliveries, seconds, latencies_us, lost: lost.max(u64::from(strays)), cut })
    }

    fn counts(&self) -> Vec<u64> {
        self.tally.heard.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.tally.wanted.store(false, Ordering::Relaxed);
    }
}

impl Tally {
    /// One lane; returns how many messages it sent.
    async fn run(
        &self,
        at: usize,
        address: SocketAddr,
        flow: Flow,
        end: Instant,
        request: impl Fn(usize, &str) -> Vec<u8>,
    ) -> Result<u64> {
        let lane = self.lanes.get(at).ok_or("a lane too many")?;
        let mut connection = Connection::open(address).await?;
        let mut sent = 0;
        let mut next = Instant::now();
        while Instant::now() < end {
            let number = lane.number.load(Ordering::Relaxed) + 1;
            let bytes = request(at, &mark(at, number));
            let here = self.heard.len() - self.cut.load(Ordering::Relaxed) as usize;
            lane.left.store(u32::try_from(here)?, Ordering::Relaxed);
            lane.number.store(number, Ordering::Relaxed);
            lane.sent_ns.store(self.now_ns(), Ordering::Relaxed);
            let answer = connection.ask(&bytes).await?;
            if answer.status != 200 {
                return Err(format!("a message was answered {}", answer.status).into());
            }
            sent += 1;
            if timeout(PATIENCE, lane.heard.notified()).await.is_err() {
                // Somebody did not hear it; the counts say who. There is nothing more to learn.
                return Ok(sent);
            }
            next += flow.every;
            tokio::time::sleep_until(next.into()).await;
        }
        Ok(sent)
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn hear(&self, socket: usize, text: &[u8]) {
        // What carries no mark is told for other reasons.
        let Some((lane, number)) = self.find(text) else { return };
        if let Some(count) = self.heard.get(socket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let Some(lane) = self.lanes.get(lane).filter(|lane| lane.number.load(Ordering::Relaxed) == number) else {
            self.stray.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let took = self.now_ns().saturating_sub(lane.sent_ns.load(Ordering::Relaxed)) / 1000;
        let took = u32::try_from(took).unwrap_or(u32::MAX);
        self.latencies_us.lock().unwrap_or_else(PoisonError::into_inner).push(took);
        if lane.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            lane.heard.notify_one();
        }
    }

    fn find(&self, text: &[u8]) -> Option<(usize, u32)> {
        let usual = self.place.load(Ordering::Relaxed) as usize;
        if let Some(found) = text.get(usual..).and_then(read) {
            return Some(found);
        }
        let place = text.windows(MARK.len()).position(|part| part == MARK.as_bytes())?;
        self.place.store(place as u64, Ordering::Relaxed);
        read(text.get(place..)?)
    }

    /// The server ended a connection that was wanted.
    fn lose(&self) {
        if self.wanted.load(Ordering::Relaxed) {
            self.cut.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Lane and number of a mark that begins here.
fn read(text: &[u8]) -> Option<(usize, u32)> {
    let digits = text.strip_prefix(MARK.as_bytes())?;
    let (lane, rest) = digits.split_at_checked(LANE_DIGITS)?;
    let number = rest.get(..NUMBER_DIGITS)?;
    Some((std::str::from_utf8(lane).ok()?.parse().ok()?, std::str::from_utf8(number).ok()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(sockets: usize) -> Tally {
        Tally {
            begin: Instant::now(),
            lanes: vec![Lane::default()],
            heard: (0..sockets).map(|_| AtomicU64::new(0)).collect(),
            cut: AtomicU32::new(0),
            stray: AtomicU32::new(0),
            latencies_us: Mutex::default(),
            place: AtomicU64::new(0),
            wanted: AtomicBool::new(true),
        }
    }

    #[test]
    fn a_mark_is_found_wherever_it_stands() {
        let tally = tally(1);
        for text in [format!("{} x", mark(3, 17)), format!("42[\"tick\",\"{}\"]", mark(3, 17))] {
            assert_eq!(tally.find(text.as_bytes()), Some((3, 17)));
        }
        assert_eq!(tally.find(b"tick tock"), None);
        assert_eq!(tally.find(b""), None);
    }

    #[test]
    fn what_is_heard_twice_or_late_is_no_delivery_of_what_is_under_way() {
        let tally = tally(2);
        tally.lanes[0].number.store(5, Ordering::Relaxed);
        tally.lanes[0].left.store(2, Ordering::Relaxed);
        tally.hear(0, mark(0, 4).as_bytes());
        tally.hear(0, mark(0, 5).as_bytes());
        assert_eq!(tally.lanes[0].left.load(Ordering::Relaxed), 1);
        assert_eq!(tally.stray.load(Ordering::Relaxed), 1);
        assert_eq!(tally.heard[0].load(Ordering::Relaxed), 2);
        assert_eq!(tally.heard[1].load(Ordering::Relaxed), 0);
    }
}
