//! Every setting, once: flag, environment twin, default and bounds.
//!
//! `banter help` prints this file. A setting that cannot work ends the process with exit code 2
//! and one line on stderr that names it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use banter_chat::Options;
use banter_domain::file::MediaTypes;
use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

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
    /// Sockets that may be opened by polling in a minute from one address; 0: no limit
    #[arg(long, env = "BANTER_POLL_OPENINGS", value_name = "N", default_value_t = 600)]
    pub poll_openings: u32,
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
    /// Take the client's address from the last entry of X-Forwarded-For, and the scheme from X-Forwarded-Proto: only behind a proxy that sets both
    #[arg(long, env = "BANTER_TRUST_FORWARDED", value_parser = BoolishValueParser::new())]
    pub trust_forwarded: bool,
    /// Issue tokens to whoever has the client key (POST /auths/sign/v2): for trying things out, never for real
    #[arg(long, env = "BANTER_SANDBOX", value_parser = BoolishValueParser::new())]
    pub sandbox: bool,
    /// How long an issued token lives, days
    #[arg(long, env = "BANTER_TOKEN_DAYS", value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub token_days: u32,
    /// How long events are kept for nodes and sockets that lag behind, days
    #[arg(long, env = "BANTER_OUTBOX_DAYS", value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub outbox_days: u32,
    /// What the webhook of a room is put behind when it is no address but a key: https://robots.example/hooks/
    #[arg(long, env = "BANTER_WEBHOOK_PREFIX", value_name = "URL", value_parser = prefix)]
    pub webhook_prefix: Option<Url>,
    /// Let webhooks lead to private and loopback addresses too: whoever sets one can make the server ask its neighbours
    #[arg(long, env = "BANTER_WEBHOOK_PRIVATE", value_parser = BoolishValueParser::new())]
    pub webhook_private: bool,
    /// How long until a webhook that was not told is told again, seconds; twice as long each further time, an hour at most
    #[arg(long, env = "BANTER_WEBHOOK_RETRY", value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub webhook_retry: u32,
    /// How long that goes on, hours; then it is given up, and can be seen and tried again at /admin/webhook/deliveries
    #[arg(long, env = "BANTER_WEBHOOK_HOURS", value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=720))]
    pub webhook_hours: u32,
    /// The largest file, bytes
    #[arg(long, env = "BANTER_FILE_LIMIT", value_name = "BYTES", default_value_t = 100 << 20, value_parser = clap::value_parser!(u64).range(1024..=1 << 32))]
    pub file_limit: u64,
    /// Which media types of files are taken: image/*, video/mp4, */*; with ! in front: not taken
    #[arg(long, env = "BANTER_FILE_TYPES", value_name = "LIST", default_value = FILE_TYPES, value_parser = MediaTypes::parse)]
    pub file_types: MediaTypes,
    /// How long a file's signed address works, seconds
    #[arg(long, env = "BANTER_FILE_URL_SECONDS", value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=604_800))]
    pub file_url_seconds: u32,
    /// Where clients find this server, for addresses it makes: https://chat.example; without, as the request came in
    #[arg(long, env = "BANTER_PUBLIC_URL", value_name = "URL", value_parser = web_address)]
    pub public_url: Option<String>,
    /// How much memory ready-made list answers may take, MiB; 0 keeps none
    #[arg(long, env = "BANTER_KEPT_MIB", value_name = "MIB", default_value_t = 32, value_parser = clap::value_parser!(u32).range(0..=65_536))]
    pub kept_mib: u32,
}

/// Everything but programs that a click would run.
const FILE_TYPES: &str = "*/*,!application/x-msdownload,!application/vnd.microsoft.portable-executable,\
    !application/x-msi,!application/x-executable,!application/vnd.android.package-archive";

/// Where the bytes of files lie.
#[derive(Debug, Clone, Args)]
pub struct Files {
    /// Where the bytes of files lie: a folder, or s3://bucket/prefix; without, the folder `files` in --data
    #[arg(long, env = "BANTER_FILES", value_name = "FOLDER|URL")]
    pub files: Option<String>,
    /// With s3://: the store's address; without, Amazon's
    #[arg(long, env = "BANTER_S3_ENDPOINT", value_name = "URL", value_parser = web_address)]
    pub s3_endpoint: Option<String>,
    /// With s3://: the store's region
    #[arg(long, env = "BANTER_S3_REGION", value_name = "NAME", default_value = "us-east-1")]
    pub s3_region: String,
    /// With s3://: the id of the access key; BANTER_S3_SECRET_KEY holds its secret
    #[arg(long, env = "BANTER_S3_ACCESS_KEY", value_name = "ID", hide_env_values = true)]
    pub s3_access_key: Option<String>,
    /// The secret itself: only from the environment, since command lines are public.
    #[arg(long = "s3-secret-from-environment-only", env = "BANTER_S3_SECRET_KEY", hide = true, hide_env_values = true)]
    pub s3_secret_key: Option<String>,
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
    /// Where the bytes of files lie.
    #[command(flatten)]
    pub files: Files,
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

/// An http or https address to put a key behind.
fn prefix(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if ["http", "https"].contains(&url.scheme()) && url.has_host() && plain {
        Ok(url)
    } else {
        Err("it must be an http or https address without a user and a fragment".to_owned())
    }
}

/// An address that paths can be put behind.
fn web_address(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let fits = !host.is_empty() && !host.starts_with('/') && !text.contains(['?', '#', '@', ' ']);
    if fits { Ok(text.to_owned()) } else { Err("it is no address such as https://chat.example".to_owned()) }
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
    /// Sockets that may be opened by polling in a minute from one address; 0: any number.
    pub poll_openings: u32,
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
    /// The largest file, bytes.
    pub file_limit: u64,
    /// Which media types of files are taken.
    pub file_types: MediaTypes,
    /// How long a file's signed address works, seconds.
    pub file_url_seconds: u32,
    /// Where clients find this server; `None`: as the request came in.
    pub public_url: Option<String>,
    /// Are `X-Forwarded-For` and `X-Forwarded-Proto` to be believed?
    pub trust_forwarded: bool,
    /// With which accounts devices are notified.
    pub push: PushSettings,
    /// What the key of a room's webhook is put behind.
    pub webhook_prefix: Option<Url>,
    /// May webhooks lead to addresses that are not public?
    pub webhook_private: bool,
    /// How long until a webhook that was not told is told again, the first time.
    pub webhook_retry: Duration,
    /// How long it is tried.
    pub webhook_patience: Duration,
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
            poll_openings: 600,
            body_limit: 1 << 20,
            message_body_limit: 10 << 20,
            socket_packet_limit: 1 << 20,
            socket_queue: 1024,
            socket_queue_bytes: 8 << 20,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            max_headers: 100,
            stop_timeout: Duration::from_secs(10),
            file_limit: 100 << 20,
            file_types: MediaTypes::parse(FILE_TYPES).unwrap_or_else(|_| MediaTypes::none()),
            file_url_seconds: 600,
            public_url: None,
            trust_forwarded: false,
            push: PushSettings::default(),
            webhook_prefix: None,
            webhook_private: false,
            webhook_retry: Duration::from_secs(5),
            webhook_patience: Duration::from_secs(24 * 3600),
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
            poll_openings: self.poll_openings,
            body_limit: self.body_limit as usize,
            message_body_limit: self.message_body_limit as usize,
            socket_packet_limit: self.socket_packet_limit as usize,
            socket_queue: self.socket_queue as usize,
            socket_queue_bytes: self.socket_queue_bytes as usize,
            header_timeout: seconds(self.header_timeout),
            body_timeout: seconds(self.body_timeout),
            max_headers: usize::from(self.max_headers),
            stop_timeout: seconds(self.stop_timeout),
            file_limit: self.file_limit,
            file_types: self.file_types.clone(),
            file_url_seconds: self.file_url_seconds,
            public_url: self.public_url.clone(),
            trust_forwarded: self.trust_forwarded,
            push: PushSettings::default(),
            webhook_prefix: self.webhook_prefix.clone(),
            webhook_private: self.webhook_private,
            webhook_retry: seconds(self.webhook_retry),
            webhook_patience: Duration::from_secs(u64::from(self.webhook_hours) * 3600),
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
