//! The `banter` binary.

fn main() -> std::process::ExitCode {
    banter_server::cli::run()
}
