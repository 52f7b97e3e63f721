//! Every setting, once: flag, environment twin, default and bounds.
//!
//! `banter help` prints this file. A setting that cannot work ends the process with exit code 2
//! and one line on stderr that names it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use banter_chat::Options;
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::clock::Senses;
use crate::push::PushSettings;

mod push;

pub use push::Push;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "banter", version, about = "A chat server whose heart is moderation", flatten_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(Box<Serve>),
    /// Run a throwaway server with people in it, on this machine only
    Demo(Box<Demo>),
    /// Bring records in from a file: one JSON object a line, original times kept
    Import(Import),
    /// Make and look after apps
    #[command(subcommand, flatten_help = true)]
    App(AppCommand),
    /// Write a consistent copy of the embedded database, also while the server runs
    Backup(Backup),
}

/// Where things are kept.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// The folder that holds everything: database, server secret
    #[arg(long, env = "BANTER_DATA", value_name = "DIR", default_value = "./banter-data")]
    pub data: PathBuf,
    /// PostgreSQL (15 or newer) instead of the file in --data: postgres://user:password@host/name
    #[arg(long, env = "BANTER_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
    /// With --database: a file with the server's secret (at least 32 characters, the same on all nodes); BANTER_SECRET may hold the secret itself
    #[arg(long, env = "BANTER_SECRET_FILE", value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// The secret itself: only from the environment, since command lines are public.
    #[arg(long = "secret-from-environment-only", env = "BANTER_SECRET", hide = true, hide_env_values = true)]
    pub secret: Option<String>,
    /// With --database: how many connections to keep
    #[arg(long, env = "BANTER_PG_CONNECTIONS", value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub pg_connections: u16,
}

/// How to speak to the outside.
#[derive(Debug, Clone, Args)]
pub struct Edge {
    /// Address and port; port 0 takes a free one
    #[arg(long, env = "BANTER_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:3100", value_parser = address)]
    pub listen: SocketAddr,
    /// Calls a minute with one API key; 0: no limit
    #[arg(long, env = "BANTER_RATE_LIMIT", value_name = "N", default_value_t = 6000)]
    pub rate_limit: u32,
    /// The largest body, bytes
    #[arg(long, env = "BANTER_BODY_LIMIT", value_name = "BYTES", default_value_t = 1 << 20, value_parser = clap::value_parser!(u32).range(1024..=1 << 30))]
    pub body_limit: u32,
    /// The largest body on the message routes, bytes
    #[arg(long, env = "BANTER_MESSAGE_BODY_LIMIT", value_name = "BYTES", default_value_t = 10 << 20, value_parser = clap::value_parser!(u32).range(1024..=1 << 30))]
    pub message_body_limit: u32,
    /// The longest packet over a socket, bytes
    #[arg(long, env = "BANTER_SOCKET_PACKET_LIMIT", value_name = "BYTES", default_value_t = 1 << 20, value_parser = clap::value_parser!(u32).range(1024..=1 << 28))]
    pub socket_packet_limit: u32,
    /// How many events may wait for one socket; past them it is cut off, and comes back
    #[arg(long, env = "BANTER_SOCKET_QUEUE", value_name = "EVENTS", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(16..=1 << 20))]
    pub socket_queue: u32,
    /// How many bytes may wait for one socket; past them it is cut off as well
    #[arg(long, env = "BANTER_SOCKET_QUEUE_BYTES", value_name = "BYTES", default_value_t = 8 << 20, value_parser = clap::value_parser!(u32).range(65_536..=1 << 30))]
    pub socket_queue_bytes: u32,
    /// How long a client may take to send a request's headers, and be silent between two requests, seconds
    #[arg(long, env = "BANTER_HEADER_TIMEOUT", value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub header_timeout: u32,
    /// How long a client may be silent while it sends a body, seconds; the whole may take ten times that
    #[arg(long, env = "BANTER_BODY_TIMEOUT", value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub body_timeout: u32,
    /// How many headers a request may have; more are answered 431
    #[arg(long, env = "BANTER_MAX_HEADERS", value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(16..=1000))]
    pub max_headers: u16,
    /// How long a stopping server may take to answer what it has accepted, seconds
    #[arg(long, env = "BANTER_STOP_TIMEOUT", value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub stop_timeout: u32,
    /// Take the client's address from the last entry of X-Forwarded-For: only behind a proxy that sets it
    #[arg(long, env = "BANTER_TRUST_FORWARDED", value_parser = FalseyValueParser::new())]
    pub trust_forwarded: bool,
    /// Issue tokens to whoever has the client key (POST /auths/sign/v2): for trying things out, never for real
    #[arg(long, env = "BANTER_SANDBOX", value_parser = FalseyValueParser::new())]
    pub sandbox: bool,
    /// How long an issued token lives, days
    #[arg(long, env = "BANTER_TOKEN_DAYS", value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub token_days: u32,
    /// How long events are kept for nodes and sockets that lag behind, days
    #[arg(long, env = "BANTER_OUTBOX_DAYS", value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub outbox_days: u32,
    /// How much memory ready-made list answers may take, MiB; 0 keeps none
    #[arg(long, env = "BANTER_KEPT_MIB", value_name = "MIB", default_value_t = 32, value_parser = clap::value_parser!(u32).range(0..=65_536))]
    pub kept_mib: u32,
}

/// How to tell what happens (on stderr).
#[derive(Debug, Clone, Args)]
pub struct Log {
    /// How log lines are written
    #[arg(long, env = "BANTER_LOG", value_name = "FORMAT", default_value = "text")]
    pub log: LogFormat,
    /// From which level on: error, warn, info, debug (a line for each request), trace
    #[arg(long, env = "BANTER_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: LogLevel,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// From which level on lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Faults only.
    Error,
    /// And what may become one.
    Warn,
    /// And what an operator wants to know.
    Info,
    /// And each request.
    Debug,
    /// And everything else.
    Trace,
}

/// An app and its keys.
#[derive(Debug, Clone, Args)]
pub struct AppKeys {
    /// An app to create if it is missing; needs both keys
    #[arg(long, env = "BANTER_APP_ID", value_name = "ID", requires_all = ["api_key", "client_key"])]
    pub app_id: Option<String>,
    /// Its API key
    #[arg(long, env = "BANTER_API_KEY", value_name = "KEY", hide_env_values = true, requires = "app_id")]
    pub api_key: Option<String>,
    /// Its client key
    #[arg(long, env = "BANTER_CLIENT_KEY", value_name = "KEY", hide_env_values = true, requires = "app_id")]
    pub client_key: Option<String>,
}

/// `banter serve`.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// How to speak to the outside.
    #[command(flatten)]
    pub edge: Edge,
    /// Where things are kept.
    #[command(flatten)]
    pub place: Place,
    /// The app.
    #[command(flatten)]
    pub keys: AppKeys,
    /// How to notify devices.
    #[command(flatten)]
    pub push: Push,
    /// How to tell what happens.
    #[command(flatten)]
    pub log: Log,
}

/// `banter demo`.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// How to speak to the outside.
    #[command(flatten)]
    pub edge: Edge,
    /// Keep the demo in this folder; without, it is gone when the server stops
    #[arg(long, env = "BANTER_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How to tell what happens.
    #[command(flatten)]
    pub log: Log,
}

/// `banter import`.
#[derive(Debug, Clone, Args)]
pub struct Import {
    /// Where things are kept.
    #[command(flatten)]
    pub place: Place,
    /// The app the records belong to; made if it is missing
    #[arg(long, env = "BANTER_APP_ID", value_name = "ID")]
    pub app_id: String,
    /// The file; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to tell what happens.
    #[command(flatten)]
    pub log: Log,
}

/// `banter app …`.
#[derive(Debug, Clone, Subcommand)]
pub enum AppCommand {
    /// Make an app and print its keys, once
    Create {
        /// Where things are kept.
        #[command(flatten)]
        place: Place,
        /// Its id; without, a random one
        #[arg(value_name = "ID")]
        id: Option<String>,
        /// The same
        #[arg(long, env = "BANTER_APP_ID", value_name = "ID")]
        app_id: Option<String>,
        /// Its API key; without, a random one
        #[arg(long, env = "BANTER_API_KEY", value_name = "KEY", hide_env_values = true)]
        api_key: Option<String>,
        /// Its client key; without, a random one
        #[arg(long, env = "BANTER_CLIENT_KEY", value_name = "KEY", hide_env_values = true)]
        client_key: Option<String>,
    },
    /// Show all apps
    List {
        /// Where things are kept.
        #[command(flatten)]
        place: Place,
    },
    /// Replace an app's API key and print the new one; the old one is refused from then on
    RotateKey {
        /// Where things are kept.
        #[command(flatten)]
        place: Place,
        /// Which app
        #[arg(value_name = "ID")]
        id: Option<String>,
        /// The same
        #[arg(long, env = "BANTER_APP_ID", value_name = "ID")]
        app_id: Option<String>,
        /// The new API key; without, a random one
        #[arg(long, env = "BANTER_API_KEY", value_name = "KEY", hide_env_values = true)]
        api_key: Option<String>,
    },
}

/// `banter backup`.
#[derive(Debug, Clone, Args)]
pub struct Backup {
    /// The folder of the server
    #[arg(long, env = "BANTER_DATA", value_name = "DIR", default_value = "./banter-data")]
    pub data: PathBuf,
    /// The copy; replaced in one step if it exists
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let mut all = text.to_socket_addrs().map_err(|error| error.to_string())?;
    all.next().ok_or_else(|| "the name has no address".to_owned())
}

/// 32 bytes that never show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What [`crate::start`] needs to know.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Signs issued tokens.
    pub secret: Secret,
    /// How long an issued token lives, days.
    pub token_days: u32,
    /// Are tokens issued to whoever has the client key?
    pub sandbox: bool,
    /// Calls a minute with one API key; 0: no limit.
    pub rate_limit: u32,
    /// The largest body, bytes.
    pub body_limit: usize,
    /// The largest body on the message routes, bytes.
    pub message_body_limit: usize,
    /// The longest packet over a socket, bytes.
    pub socket_packet_limit: usize,
    /// How many events may wait for one socket.
    pub socket_queue: usize,
    /// How many bytes may wait for one socket.
    pub socket_queue_bytes: usize,
    /// How long the headers of a request may take, and silence between two requests.
    pub header_timeout: Duration,
    /// How long the next piece of a body may take.
    pub body_timeout: Duration,
    /// How many headers a request may have.
    pub max_headers: usize,
    /// How long answering what was accepted may take when stopping.
    pub stop_timeout: Duration,
    /// Is `X-Forwarded-For` to be believed?
    pub trust_forwarded: bool,
    /// With which accounts devices are notified.
    pub push: PushSettings,
    /// Clock and randomness.
    pub senses: Senses,
}

impl Default for ServeSettings {
    /// The defaults of the command line, on a free port, for tests.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            secret: Secret([0; 32]),
            token_days: 7,
            sandbox: false,
            rate_limit: 6000,
            body_limit: 1 << 20,
            message_body_limit: 10 << 20,
            socket_packet_limit: 1 << 20,
            socket_queue: 1024,
            socket_queue_bytes: 8 << 20,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            max_headers: 100,
            stop_timeout: Duration::from_secs(10),
            trust_forwarded: false,
            push: PushSettings::default(),
            senses: Senses::real(),
        }
    }
}

impl Edge {
    /// The settings of the listener.
    #[must_use]
    pub fn settings(&self, secret: Secret, senses: Senses) -> ServeSettings {
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        ServeSettings {
            listen: self.listen,
            secret,
            token_days: self.token_days,
            sandbox: self.sandbox,
            rate_limit: self.rate_limit,
            body_limit: self.body_limit as usize,
            message_body_limit: self.message_body_limit as usize,
            socket_packet_limit: self.socket_packet_limit as usize,
            socket_queue: self.socket_queue as usize,
            socket_queue_bytes: self.socket_queue_bytes as usize,
            header_timeout: seconds(self.header_timeout),
            body_timeout: seconds(self.body_timeout),
            max_headers: usize::from(self.max_headers),
            stop_timeout: seconds(self.stop_timeout),
            trust_forwarded: self.trust_forwarded,
            push: PushSettings::default(),
            senses,
        }
    }

    /// The options of the chat.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            outbox_days: self.outbox_days,
            keep_answers: self.kept_mib > 0,
            kept_bytes: (self.kept_mib as usize) << 20,
        }
    }
}

/// The options of a process that answers nobody (import, app): nothing is kept ready.
#[must_use]
pub fn few_options() -> Options {
    Options { keep_answers: false, kept_bytes: 0, ..Options::default() }
}

#[cfg(test)]
mod tests;
