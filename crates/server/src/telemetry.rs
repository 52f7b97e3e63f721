//! Log lines, on stderr: a sentence plus fields. Never a message's text, a token or a key.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat, LogLevel};

/// Starts logging as the settings say. Only the first call in a process counts.
///
/// Lines below warnings come from Banter's own crates only: what libraries say at that level may
/// hold what clients sent.
pub fn start(log: &Log) {
    let level = match log.log_level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    };
    let mut filter = Targets::new().with_default(level.min(Level::WARN));
    for ours in ["banter", "banter_server", "banter_chat", "banter_store", "banter_domain"] {
        filter = filter.with_target(ours, level);
    }
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false);
    let started = match log.log {
        LogFormat::Text => tracing_subscriber::registry().with(filter).with(lines).try_init(),
        LogFormat::Json => {
            tracing_subscriber::registry().with(filter).with(lines.json().flatten_event(true)).try_init()
        }
    };
    // A second call, in a test process: the first one's settings hold.
    drop(started);
}
