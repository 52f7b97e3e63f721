//! Banter's edge: the binary, HTTP, and the names things have on the wire.
//!
//! Nothing is decided here. Requests become actions of the chat, and what the chat answers becomes
//! what the wire says. Wire names stop at this crate.

pub mod cli;
pub mod clock;
pub mod config;
pub mod errors;
pub mod http;
pub mod outgoing;
pub mod push;
pub mod telemetry;

use std::sync::Arc;

use banter_chat::Chat;

pub use config::ServeSettings;
pub use http::Running;
pub use http::routes::{Route, routes};

/// Starts serving a chat and returns once it listens.
///
/// Errors: the address cannot be had, the database does not answer, or the system gives no random bytes.
pub async fn start(settings: &ServeSettings, chat: Arc<Chat>) -> std::io::Result<Running> {
    http::listen(http::Edge::new(settings.clone(), chat)?).await
}
