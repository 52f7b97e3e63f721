//! The binary as those who run it meet it: its contract, its races, its crashes.
//!
//! `make test` names what was built for these tests in the environment: the release binary
//! (`BANTER_BIN`), the one whose locks can be taken away (`BANTER_SABOTAGED_BIN`), and how often to
//! try (`BANTER_RACES`, `BANTER_CRASHES`). A bare `cargo test` takes the debug binary and few rounds.
#![cfg(test)]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "the house has verbs for all that is tested; here a few are enough")]
mod common;
mod dice;
mod place;
mod process;
#[path = "../server/socket.rs"]
#[expect(dead_code, reason = "the sockets' own tests ask for more than a restart does")]
mod socket;

mod backup;
mod contract;
mod crash;
mod import;
mod powercut;
mod races;
mod sockets;
