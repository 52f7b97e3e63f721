//! What one can ask of the bench.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures Banter against references on this machine, in this minute.
#[derive(Debug, Parser)]
#[command(name = "banter-bench", version)]
pub(crate) struct Args {
    /// A short run that shows the bench works; its figures mean little
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only figures whose name begins with one of these: lists, pages, sends, sockets, stream, start
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Which store to measure; PostgreSQL needs BANTER_TEST_POSTGRES
    #[arg(long, value_enum, default_value_t = Stores::Both)]
    pub(crate) store: Stores,
    /// Rounds of base and variant that a median is taken of
    #[arg(long, value_name = "N")]
    pub(crate) rounds: Option<usize>,
    /// The server; beside this program unless told
    #[arg(long, value_name = "FILE")]
    pub(crate) server: Option<PathBuf>,
    /// Where results and working data go
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Use the million imported relations of an earlier run even if the server was rebuilt since
    #[arg(long)]
    pub(crate) reuse: bool,
    /// Leave the working folder of this run behind
    #[arg(long)]
    pub(crate) keep: bool,
    /// Record with Linux's `perf` where the server's time goes, into this folder; spoils the figures
    #[arg(long, value_name = "DIR")]
    pub(crate) perf: Option<PathBuf>,
    /// A PostgreSQL in which databases may be created
    #[arg(long, value_name = "URL", env = "BANTER_TEST_POSTGRES", hide_env_values = true)]
    pub(crate) postgres: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The other programs in here.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The reference: an axum server with one fixed answer
    Reference(Fixed),
    /// The reference for sockets: what is posted to /say, every websocket at /socket hears
    ReferenceBroadcast,
    /// The library Banter's sockets stand on, alone, with the same /say
    ReferenceLibrary,
}

/// What the reference answers, and to whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Fixed {
    /// Bytes of the body
    #[arg(long)]
    pub(crate) size: usize,
    /// What `IM-CLIENT-KEY` must be
    #[arg(long)]
    pub(crate) client_key: String,
    /// What `IM-Authorization` must be
    #[arg(long)]
    pub(crate) token: String,
}

/// Which stores to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stores {
    /// The embedded one
    Sqlite,
    /// The one beside the server
    Postgres,
    /// Both; PostgreSQL is left out with a word when there is none
    Both,
}

/// How long and how often, which `--quick` shortens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Rounds of base and variant.
    pub(crate) rounds: usize,
    /// How long one side of a round is driven.
    pub(crate) slice: Duration,
    /// Bans in the small, the middle and the large room.
    pub(crate) sizes: [usize; 3],
    /// Idle sockets whose memory is looked at.
    pub(crate) sockets: usize,
    /// How often somebody is banned while he types.
    pub(crate) bans: usize,
}

impl Args {
    /// The pace asked for.
    pub(crate) fn pace(&self) -> Pace {
        let usual = if self.quick {
            Pace { rounds: 2, slice: Duration::from_millis(250), sizes: [1_000, 5_000, 20_000], sockets: 500, bans: 10 }
        } else {
            Pace {
                rounds: 5,
                slice: Duration::from_millis(1_000),
                sizes: [1_000, 100_000, 1_000_000],
                sockets: 10_000,
                bans: 200,
            }
        };
        Pace { rounds: self.rounds.unwrap_or(usual.rounds).max(1), ..usual }
    }

    /// Whether the figures of this name were asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only.as_str()) || only.starts_with(name))
    }
}
