//! The closed loop: every lane asks, waits for its answer, and asks again.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Result;
use crate::http::Connection;
use crate::stats::quantile;

/// After this long without any lane being done, none will be.
const PATIENCE: Duration = Duration::from_secs(300);

/// One connection and the requests it sends in turn.
struct Lane {
    connection: Connection,
    requests: Arc<Vec<Vec<u8>>>,
    next: usize,
    expect: u16,
}

/// When a lane has done enough.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stop {
    /// At this moment.
    At(Instant),
    /// When each of its requests was answered once.
    Once,
}

/// What a drive did, as its clients saw it.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    latencies_us: Vec<u32>,
}

impl Driven {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds.max(f64::EPSILON)
    }

    /// The latency in milliseconds below which the share `at` lies.
    pub(crate) fn latency_ms(&mut self, at: f64) -> f64 {
        f64::from(quantile(&mut self.latencies_us, at)) / 1e3
    }

    /// Adds what a later drive did.
    pub(crate) fn add(&mut self, later: Self) {
        self.requests += later.requests;
        self.seconds += later.seconds;
        self.latencies_us.extend(later.latencies_us);
    }
}

/// Who asks what: for each connection the requests it sends in turn.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) lanes: Vec<Arc<Vec<Vec<u8>>>>,
    /// The only status that counts.
    pub(crate) expect: u16,
}

impl Plan {
    /// A plan that expects 200.
    pub(crate) fn new(address: SocketAddr, lanes: Vec<Vec<Vec<u8>>>) -> Self {
        Self { address, lanes: lanes.into_iter().map(Arc::new).collect(), expect: 200 }
    }

    /// The same request over so many connections.
    pub(crate) fn same(address: SocketAddr, request: Vec<u8>, connections: usize) -> Self {
        let lane = Arc::new(vec![request]);
        Self { address, lanes: vec![lane; connections], expect: 200 }
    }

    /// Opens its connections and sends each request once, so that a measurement begins warm.
    /// Connections are opened for each measurement: a server may close those that stay idle.
    pub(crate) async fn open(&self) -> Result<Lanes> {
        let mut lanes = self.connect().await?;
        lanes.drive(Stop::Once).await?;
        Ok(lanes)
    }

    /// Opens its connections.
    pub(crate) async fn connect(&self) -> Result<Lanes> {
        let mut lanes = Vec::with_capacity(self.lanes.len());
        for requests in &self.lanes {
            let connection = Connection::open(self.address).await?;
            lanes.push(Lane { connection, requests: Arc::clone(requests), next: 0, expect: self.expect });
        }
        Ok(Lanes(lanes))
    }
}

/// Connections that ask together.
pub(crate) struct Lanes(Vec<Lane>);

impl Lanes {
    /// Drives all lanes for a while.
    pub(crate) async fn drive_for(&mut self, time: Duration) -> Result<Driven> {
        self.drive(Stop::At(Instant::now() + time)).await
    }

    /// Drives all lanes until each has done enough.
    pub(crate) async fn drive(&mut self, stop: Stop) -> Result<Driven> {
        let begin = Instant::now();
        let mut set = JoinSet::new();
        for lane in self.0.drain(..) {
            set.spawn(lane.run(stop));
        }
        let mut driven = Driven::default();
        while let Some(done) =
            timeout(PATIENCE, set.join_next()).await.map_err(|_| "the server left a request unanswered")?
        {
            let (lane, latencies) = done??;
            self.0.push(lane);
            driven.requests += latencies.len() as u64;
            driven.latencies_us.extend(latencies);
        }
        driven.seconds = begin.elapsed().as_secs_f64();
        Ok(driven)
    }
}

impl Lane {
    async fn run(mut self, stop: Stop) -> Result<(Self, Vec<u32>)> {
        let mut latencies = Vec::with_capacity(1024);
        let mut now = Instant::now();
        loop {
            let enough = match stop {
                Stop::At(end) => now >= end,
                Stop::Once => latencies.len() >= self.requests.len(),
            };
            if enough {
                return Ok((self, latencies));
            }
            let requests = Arc::clone(&self.requests);
            let request = requests.get(self.next % requests.len().max(1)).ok_or("a lane without requests")?;
            self.next += 1;
            let answer = self.connection.ask(request).await?;
            if answer.status != self.expect {
                return Err(self.unexpected(answer.status, request).await);
            }
            let then = std::mem::replace(&mut now, Instant::now());
            latencies.push(u32::try_from((now - then).as_micros()).unwrap_or(u32::MAX));
        }
    }

    /// Asks once more, to show what the server said.
    async fn unexpected(&mut self, status: u16, request: &[u8]) -> crate::Error {
        let line =
            String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
        let said = match self.connection.fetch(request).await {
            Ok(whole) => {
                String::from_utf8_lossy(whole.body.get(..whole.body.len().min(300)).unwrap_or_default()).into_owned()
            }
            Err(error) => error.to_string(),
        };
        format!("{line} answered {status} where {} was expected; asked again it says: {said}", self.expect).into()
    }
}

/// Sends every request once over a few connections; each must be answered with 200.
pub(crate) async fn send_all(address: SocketAddr, requests: Vec<Vec<u8>>, connections: usize) -> Result<Driven> {
    let mut queue = VecDeque::from(requests);
    let mut plans = vec![Vec::new(); connections.min(queue.len()).max(1)];
    while !queue.is_empty() {
        for plan in &mut plans {
            plan.extend(queue.pop_front());
        }
    }
    Plan::new(address, plans).connect().await?.drive(Stop::Once).await
}
