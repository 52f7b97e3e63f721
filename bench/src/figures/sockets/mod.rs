//! What is heard over sockets: how many at once, how soon, at what cost of memory, and nothing after a ban.

mod bans;
mod fanout;
mod memory;

use std::path::Path;

use super::{Bench, SQLITE};
use crate::Result;
use crate::house::House;
use crate::process;
use crate::sockets::hosts::{Host, Other};
use crate::sockets::said_again;

/// Measures all of it that was asked for.
pub(crate) async fn measure(bench: &mut Bench<'_>, out: &Path) -> Result<()> {
    let files = process::open_many_files()?;
    if bench.args.wants("sockets.fanout") {
        fanout::throughput(bench, out).await?;
    }
    if bench.args.wants("sockets.latency") {
        fanout::latency(bench, out).await?;
    }
    if bench.args.wants("sockets.bans") {
        bans::measure(bench).await?;
    }
    if bench.args.wants("sockets.memory") {
        memory::measure(bench, out, files).await?;
    }
    match said_again() {
        0 => {}
        times => {
            bench.report.note(format!("sockets: {times} times an auth2 was not answered and had to be said again."))
        }
    }
    Ok(())
}

impl Bench<'_> {
    async fn socket_house(&self, name: &str) -> Result<House> {
        self.open(SQLITE, &format!("sockets-{name}")).await
    }

    /// Banter's references. Where there is no Node, that one is left out with a word.
    fn others(&mut self, out: &Path, people: usize, frame: &str) -> Result<Vec<Host>> {
        let mut hosts = Vec::new();
        for which in [Other::Broadcast, Other::Library] {
            hosts.push(Host::other(which, out, &self.folder, people, frame)?);
        }
        match Host::other(Other::Node, out, &self.folder, people, frame) {
            Ok(node) => hosts.push(node),
            Err(error) => self.report.note(format!("Node's socket.io was not measured: {error}.")),
        }
        Ok(hosts)
    }
}
