//! How often one API key may call.

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
    /// Since when, and how often, somebody failed to say on a socket who he is, by address.
    failed: Mutex<HashMap<IpAddr, (Duration, u32)>>,
}

/// So often may that fail …
const FAILURES: u32 = 10;
/// … in so long.
const MINUTE: Duration = Duration::from_secs(60);
/// Of so many addresses it is remembered; past them, all are forgotten.
const ADDRESSES: usize = 10_000;

impl Limits {
    /// `per_minute`: 0 turns the limit off. The whole minute's calls may come at once.
    pub(crate) fn new(per_minute: u32) -> Self {
        let by_app = NonZeroU32::new(per_minute).map(|calls| RateLimiter::keyed(Quota::per_minute(calls)));
        Self { by_app, clock: DefaultClock::default(), failed: Mutex::default() }
    }

    /// May somebody at this address try to say on a socket who he is? Errors: [`ApiError::RateLimited`].
    pub(crate) fn may_try(&self, peer: IpAddr, now: Duration) -> Result<(), ApiError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match failed.get(&peer) {
            Some((since, count)) if *count >= FAILURES && now < *since + MINUTE => {
                Err(ApiError::RateLimited((*since + MINUTE - now).as_secs().max(1)))
            }
            _ => Ok(()),
        }
    }

    /// He failed.
    pub(crate) fn failed(&self, peer: IpAddr, now: Duration) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= ADDRESSES && !failed.contains_key(&peer) {
            failed.clear();
        }
        let (since, count) = failed.entry(peer).or_insert((now, 0));
        if now >= *since + MINUTE {
            (*since, *count) = (now, 0);
        }
        *count += 1;
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
        let limits = Limits::new(3);
        for _ in 0..3 {
            assert!(limits.count(1).is_ok());
        }
        assert!(matches!(limits.count(1), Err(ApiError::RateLimited(seconds)) if (1..=60).contains(&seconds)));
        assert!(limits.count(2).is_ok());
        let off = Limits::new(0);
        assert!((0..10_000).all(|_| off.count(1).is_ok()));
    }
}
