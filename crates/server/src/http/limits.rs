//! How often one API key may call, and how often something may be done from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::errors::ApiError;

/// Counts the calls of each app's API key.
pub(crate) struct Limits {
    /// `None`: no limit.
    by_app: Option<DefaultKeyedRateLimiter<i64>>,
    clock: DefaultClock,
    /// Failures to say on a socket who one is.
    failed: ByAddress,
    /// Sockets that were opened by polling.
    opened: ByAddress,
    /// So many may be opened so in a minute from one address; 0: any number.
    openings: u32,
}

/// Since when in this minute, and how often, something was done from an address.
#[derive(Default)]
struct ByAddress(Mutex<HashMap<IpAddr, (Duration, u32)>>);

impl ByAddress {
    fn are_below(&self, most: u32, peer: IpAddr, now: Duration) -> Result<(), ApiError> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get(&peer) {
            Some((since, count)) if *count >= most && now < *since + MINUTE => {
                Err(ApiError::RateLimited((*since + MINUTE - now).as_secs().max(1)))
            }
            _ => Ok(()),
        }
    }

    fn count(&self, peer: IpAddr, now: Duration) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= ADDRESSES && !counts.contains_key(&peer) {
            counts.clear();
        }
        let (since, count) = counts.entry(peer).or_insert((now, 0));
        if now >= *since + MINUTE {
            (*since, *count) = (now, 0);
        }
        *count += 1;
    }
}

/// So often may that fail …
const FAILURES: u32 = 10;
/// … in so long.
const MINUTE: Duration = Duration::from_secs(60);
/// Of so many addresses it is remembered; past them, all are forgotten.
const ADDRESSES: usize = 10_000;

impl Limits {
    /// `per_minute`: 0 turns the limit off. The whole minute's calls may come at once. `openings`: so many sockets may be
    /// opened by polling in a minute from one address; 0: any number.
    pub(crate) fn new(per_minute: u32, openings: u32) -> Self {
        let by_app = NonZeroU32::new(per_minute).map(|calls| RateLimiter::keyed(Quota::per_minute(calls)));
        Self {
            by_app,
            clock: DefaultClock::default(),
            failed: ByAddress::default(),
            opened: ByAddress::default(),
            openings,
        }
    }

    /// May somebody at this address try to say on a socket who he is? Errors: [`ApiError::RateLimited`].
    pub(crate) fn may_try(&self, peer: IpAddr, now: Duration) -> Result<(), ApiError> {
        self.failed.are_below(FAILURES, peer, now)
    }

    /// He failed.
    pub(crate) fn failed(&self, peer: IpAddr, now: Duration) {
        self.failed.count(peer, now);
    }

    /// Counts a socket that is opened by polling from this address; nobody has to say who he is for that. Errors:
    /// [`ApiError::RateLimited`].
    pub(crate) fn opens(&self, peer: IpAddr, now: Duration) -> Result<(), ApiError> {
        if self.openings == 0 {
            return Ok(());
        }
        self.opened.are_below(self.openings, peer, now)?;
        self.opened.count(peer, now);
        Ok(())
    }

    /// Counts a call of this app's API key. Errors: [`ApiError::RateLimited`].
    pub(crate) fn count(&self, app: i64) -> Result<(), ApiError> {
        let Some(limiter) = &self.by_app else { return Ok(()) };
        limiter.check_key(&app).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            ApiError::RateLimited(wait.saturating_add(Duration::from_millis(999)).as_secs().max(1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r23_calls_are_counted_per_app() {
        let limits = Limits::new(3, 0);
        for _ in 0..3 {
            assert!(limits.count(1).is_ok());
        }
        assert!(matches!(limits.count(1), Err(ApiError::RateLimited(seconds)) if (1..=60).contains(&seconds)));
        assert!(limits.count(2).is_ok());
        let off = Limits::new(0, 0);
        assert!((0..10_000).all(|_| off.count(1).is_ok()));
    }
}
