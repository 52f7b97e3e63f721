//! Clock and randomness of this process: the only place that reaches for either.
//!
//! Everything else is handed a [`Senses`], so that a test can hold time still. `clippy.toml`
//! forbids the calls made here everywhere else.

use std::sync::Arc;
use std::time::Duration;

/// Milliseconds since the epoch.
pub type WallClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Fills a buffer with bytes nobody can guess.
pub type Random = Arc<dyn Fn(&mut [u8]) -> std::io::Result<()> + Send + Sync>;

/// What a process knows of time and chance.
#[derive(Clone)]
pub struct Senses {
    /// The wall clock, milliseconds since the epoch. May jump.
    pub now_ms: WallClock,
    /// Time since some moment before; never goes back.
    pub elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Fills a buffer with bytes nobody can guess. Errors: the system gives none.
    pub random: Random,
}

impl Senses {
    /// The machine's own.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reaches for clock and randomness")]
    pub fn real() -> Self {
        let start = std::time::Instant::now();
        Self {
            now_ms: Arc::new(wall_ms),
            elapsed: Arc::new(move || start.elapsed()),
            random: Arc::new(|buffer| {
                getrandom::fill(buffer).map_err(|error| std::io::Error::other(error.to_string()))
            }),
        }
    }

    /// `N` bytes nobody can guess. Errors: the system gives none.
    pub fn bytes<const N: usize>(&self) -> std::io::Result<[u8; N]> {
        let mut bytes = [0; N];
        (self.random)(&mut bytes)?;
        Ok(bytes)
    }

    /// 32 hex digits nobody can guess: an API key, a client key. Errors: as [`Senses::bytes`].
    pub fn key(&self) -> std::io::Result<String> {
        Ok(hex(&self.bytes::<16>()?))
    }
}

impl std::fmt::Debug for Senses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Senses")
    }
}

impl Default for Senses {
    fn default() -> Self {
        Self::real()
    }
}

/// Lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[expect(clippy::disallowed_methods, reason = "as above")]
fn wall_ms() -> i64 {
    let now = std::time::SystemTime::now();
    // A clock before 1970 reads as 1970.
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
