//! The `banter` binary.

use mimalloc::MiMalloc;

/// SQLite's memory too: it stands in for the system's (docs/decisions/0021).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> std::process::ExitCode {
    banter_server::cli::run()
}
