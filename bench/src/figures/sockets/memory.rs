//! What a socket takes in memory while nothing is said: users who said who they are, each in one room
//! of a hundred.
//!
//! Resident memory before and after so many sockets were opened. Everybody had opened one before, so that
//! what a server keeps of its people anyway (pages of its database, for one) is in neither. The kernel's
//! own buffers are not counted; they are the same for all. Node keeps what its warm-up left behind, so it
//! shows less than a fresh one would.

use std::path::Path;
use std::time::Duration;

use super::{Bench, SQLITE};
use crate::Result;
use crate::process::memory;
use crate::report::{Aim, Figure};
use crate::sockets::hosts::{Host, Other};
use crate::stats::ratio;

const KIB: f64 = 1024.0;
const GROUP: usize = 100;
/// Files that are open for other reasons.
const OTHER_FILES: usize = 500;

/// Opens and looks, one server after the other.
pub(super) async fn measure(bench: &mut Bench<'_>, out: &Path, files: usize) -> Result<()> {
    let count = bench.pace.sockets.min(files.saturating_sub(OTHER_FILES));
    if count < bench.pace.sockets {
        bench.report.note(format!(
            "sockets.memory: {count} sockets and not {}, for no more files may be open here.",
            bench.pace.sockets
        ));
    }
    eprintln!("sockets: memory of {count} idle ones …");
    let house = bench.socket_house("memory").await?;
    let banter = idle(Host::banter(house, count, GROUP).await?, count).await?;
    let mut others = Vec::new();
    // Nothing is sent, so it does not matter what would be.
    for which in [Other::Library, Other::Broadcast, Other::Node] {
        match Host::other(which, out, &bench.folder, count, "42[\"chat message\",{}]") {
            Ok(host) => others.push((host.name, idle(host, count).await?)),
            Err(error) if which == Other::Node => {
                bench.report.note(format!("Node's socket.io was not measured: {error}."));
            }
            Err(error) => return Err(error),
        }
    }
    for (name, kib) in others {
        bench.report.add(
            Figure::new(
                format!("sockets.memory-{count}.by-{name}"),
                SQLITE,
                (banter, "KiB a socket"),
                (kib, name),
                ratio(banter, kib),
            )
            .detail("sockets", count),
        );
        if name == "library" {
            let name = format!("sockets.memory-{count}.own-state");
            let figure = Figure::new(name, SQLITE, (banter - kib, "KiB"), (kib, "KiB library"), ratio(banter, kib));
            bench.report.add(figure.aim_value(Aim::AtMost(4.0)));
        }
    }
    Ok(())
}

/// KiB a socket.
async fn idle(host: Host, count: usize) -> Result<f64> {
    host.warm_up().await?;
    let before = settled(host.pid()).await?;
    let sockets = host.sockets().await?;
    let after = settled(host.pid()).await?;
    drop(sockets);
    host.close().await?;
    Ok((after - before) / KIB / count as f64)
}

/// Resident memory once it stands still.
async fn settled(pid: u32) -> Result<f64> {
    let mut last = memory(pid)?.rss;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = memory(pid)?.rss;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last as f64)
}
