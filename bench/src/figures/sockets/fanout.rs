//! Messages into a room where everybody listens: as many as can be, and how soon they are heard.
//!
//! Each message is posted over HTTP. To Banter it is a message like any other: judged, written and synced
//! before anybody hears it, and the server's CPU includes all of that. The others are given the very text
//! that Banter's clients hear, ready to be sent. Lanes send their next message when all have heard the
//! one before, so every server goes at its own best pace.

use std::path::Path;
use std::time::Duration;

use super::{Bench, SQLITE};
use crate::Result;
use crate::report::{Aim, Figure};
use crate::sockets::crowd::{Crowd, Flow, Heard};
use crate::sockets::hosts::Host;
use crate::stats::{median, median_ratio, ratio};

/// Sockets in the large room, and messages under way in it.
const MANY: usize = 500;
const LANES: usize = 128;
/// Sockets in the room where it is looked how soon something is heard, and messages a second there.
const SOME: usize = 100;
const UNHURRIED: Flow = Flow { lanes: 10, every: Duration::from_millis(200), time: Duration::ZERO };

/// One server with its sockets, and what was seen of it.
struct Side {
    host: Host,
    crowd: Crowd,
    /// Deliveries a second, and a second of the server's CPU, by round.
    rate: Vec<f64>,
    by_cpu: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    heard: Heard,
}

/// How many deliveries a second, and what each costs.
pub(super) async fn throughput(bench: &mut Bench<'_>, out: &Path) -> Result<()> {
    let flow = Flow { lanes: LANES, every: Duration::ZERO, time: bench.pace.slice.mul_f64(2.0) };
    let sides = run(bench, out, MANY, flow).await?;
    let Some((banter, others)) = sides.split_first() else { return Ok(()) };
    for other in others {
        let name = if other.host.name == "broadcast" { String::new() } else { format!(".by-{}", other.host.name) };
        let aim = match other.host.name {
            "broadcast" => Some(Aim::AtLeast(0.35)),
            "node" => Some(Aim::AtLeast(5.0)),
            _ => None,
        };
        for (part, ours, theirs, unit) in [
            ("", &banter.rate, &other.rate, "deliveries/s"),
            (".cpu", &banter.by_cpu, &other.by_cpu, "deliveries/s of CPU"),
        ] {
            let name = format!("sockets.fanout-{MANY}{part}{name}");
            let against = (median(theirs), other.host.name);
            let mut figure = Figure::new(name, SQLITE, (median(ours), unit), against, median_ratio(ours, theirs))
                .detail("rounds", ours.clone())
                .detail("referenceRounds", theirs.clone());
            figure.aim = aim;
            bench.report.add(figure);
        }
        let (ours, theirs) = (median(&banter.p99), median(&other.p99));
        let name = format!("sockets.fanout-{MANY}.p99{name}");
        bench.report.add(Figure::new(name, SQLITE, (ours, "ms"), (theirs, other.host.name), ratio(ours, theirs)));
    }
    tell_lost(bench, &format!("sockets.fanout-{MANY}.lost"), banter, others);
    bench.report.note(format!(
        "sockets.fanout: {LANES} messages under way into a room of {MANY} sockets; Banter judges, writes and syncs each \
         of them, the others are given its text ready-made. lost: deliveries that were missing, or came twice, and \
         sockets that were cut off."
    ));
    close(sides).await
}

/// How soon what is sent is heard.
pub(super) async fn latency(bench: &mut Bench<'_>, out: &Path) -> Result<()> {
    let flow = Flow { time: bench.pace.slice.mul_f64(2.0), ..UNHURRIED };
    let sides = run(bench, out, SOME, flow).await?;
    let Some((banter, others)) = sides.split_first() else { return Ok(()) };
    for other in others {
        let name = if other.host.name == "broadcast" { String::new() } else { format!(".by-{}", other.host.name) };
        for (part, ours, theirs) in [("p50", &banter.p50, &other.p50), ("p99", &banter.p99, &other.p99)] {
            let name = format!("sockets.latency-{SOME}.{part}{name}");
            let against = (median(theirs), other.host.name);
            let figure = Figure::new(name, SQLITE, (median(ours), "ms"), against, median_ratio(ours, theirs));
            bench.report.add(figure.detail("rounds", ours.clone()).detail("referenceRounds", theirs.clone()));
        }
    }
    tell_lost(bench, &format!("sockets.latency-{SOME}.lost"), banter, others);
    close(sides).await
}

/// Banter first, then the others; all in the same room, in turns.
async fn run(bench: &mut Bench<'_>, out: &Path, size: usize, flow: Flow) -> Result<Vec<Side>> {
    eprintln!("sockets: {size} of them in a room …");
    let house = bench.socket_house(&format!("room-of-{size}")).await?;
    let banter = Host::banter(house, size, size).await?;
    let frame = banter.sample().await?;
    let mut hosts = vec![banter];
    hosts.extend(bench.others(out, size, &frame)?);
    let mut sides = Vec::with_capacity(hosts.len());
    for host in hosts {
        let crowd = Crowd::listen(host.sockets().await?, flow.lanes);
        let warm = Flow { time: bench.pace.slice.mul_f64(0.2), ..flow };
        crowd.flow(host.address(), warm, host.request()).await?;
        let (rate, by_cpu, p50, p99) = Default::default();
        sides.push(Side { host, crowd, rate, by_cpu, p50, p99, heard: Heard::default() });
    }
    for round in 0..bench.pace.rounds {
        eprintln!("sockets: round {} of {}", round + 1, bench.pace.rounds);
        for side in &mut sides {
            let recording =
                bench.profiler.record(&format!("sockets.room-of-{size}.{}", side.host.name), side.host.pid())?;
            let before = side.host.cpu_us()?;
            let mut heard = side.crowd.flow(side.host.address(), flow, side.host.request()).await?;
            let cpu_us = side.host.cpu_us()? - before;
            drop(recording);
            side.rate.push(heard.rate());
            side.by_cpu.push(ratio(heard.deliveries as f64, cpu_us / 1e6));
            side.p50.push(heard.latency_ms(0.5));
            side.p99.push(heard.latency_ms(0.99));
            heard.latencies_us = Vec::new();
            side.heard.add(heard);
        }
    }
    Ok(sides)
}

/// What did not arrive. A socket that was cut off counts, whatever it missed.
fn tell_lost(bench: &mut Bench<'_>, name: &str, banter: &Side, others: &[Side]) {
    let missing = |side: &Side| (side.heard.lost + side.heard.cut) as f64;
    let mut figure = Figure::new(
        name,
        SQLITE,
        (missing(banter), "lost"),
        (others.iter().map(missing).sum(), "all references"),
        ratio(missing(banter), banter.heard.deliveries as f64),
    )
    .aim_value(Aim::AtMost(0.0));
    for side in std::iter::once(banter).chain(others) {
        let seen = serde_json::json!({ "deliveries": side.heard.deliveries, "lost": side.heard.lost, "cutOff": side.heard.cut });
        figure = figure.detail(side.host.name, seen);
    }
    bench.report.add(figure);
}

async fn close(sides: Vec<Side>) -> Result<()> {
    for Side { host, crowd, .. } in sides {
        drop(crowd);
        host.close().await?;
    }
    Ok(())
}
