//! The two databases behind [`crate::sql`].
//!
//! An engine opens a database, brings its tables up to date, carries out texts and makes commits
//! durable. It knows no table but `meta`, and decides nothing.

mod migrate;
pub mod postgres;
pub mod sqlite;

pub use migrate::BINARY_LEVEL;
