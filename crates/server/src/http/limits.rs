//! How often one API key may call.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::errors::ApiError;

/// Counts the calls of each app's API key.
pub(crate) struct Limits {
    /// `None`: no limit.
    by_app: Option<DefaultKeyedRateLimiter<i64>>,
    clock: DefaultClock,
}

impl Limits {
    /// `per_minute`: 0 turns the limit off. The whole minute's calls may come at once.
    pub(crate) fn new(per_minute: u32) -> Self {
        let by_app = NonZeroU32::new(per_minute).map(|calls| RateLimiter::keyed(Quota::per_minute(calls)));
        Self { by_app, clock: DefaultClock::default() }
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
