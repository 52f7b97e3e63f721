//! What Banter's performance claims are measured with.
//!
//! Every figure is a ratio within one run on one machine: the server is driven as a black box
//! over TCP, a reference program beside it is driven the same way in the same minute, and the
//! two take turns. It never links the server and never looks into its database.

#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod args;
mod chart;
mod figures;
mod fsync;
mod house;
mod http;
mod load;
mod postgres;
mod prepare;
mod process;
mod profile;
mod reference;
mod report;
mod request;
mod sockets;
mod stats;

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Args, Command};

/// What can go wrong here is told to the person at the terminal, nobody else.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
/// The result of everything here.
pub(crate) type Result<T> = std::result::Result<T, Error>;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.command {
        // As many threads as a server has.
        Some(reference) => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(Error::from)
            .and_then(|runtime| runtime.block_on(serve(reference))),
        // One thread drives: it must take as little as possible from whom it measures.
        None => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::from)
            .and_then(|runtime| runtime.block_on(until_interrupted(figures::run(&args)))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("banter-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Is one of the references.
async fn serve(reference: &Command) -> Result<()> {
    match reference {
        Command::Reference(fixed) => reference::fixed::serve(fixed).await,
        Command::ReferenceBroadcast => reference::broadcast::serve().await,
        Command::ReferenceLibrary => reference::library::serve().await,
    }
}

/// Runs until it is done or somebody asks to stop; either way no server is left behind.
async fn until_interrupted(run: impl Future<Output = Result<()>>) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = run => done,
        _ = terminate.recv() => Err("terminated".into()),
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    }
}
