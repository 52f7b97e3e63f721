//! The whole bare list of 10⁵ bans: when it begins, and what it makes the server hold.
//!
//! A list is streamed, so the server may not grow with it, neither for a quick reader nor for
//! one who takes his time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Bench, SQLITE};
use crate::Result;
use crate::house::House;
use crate::http::Connection;
use crate::prepare::{KEEPER, Large, ROOMS};
use crate::process::{forget_peak, memory};
use crate::report::{Aim, Figure};
use crate::request::Asker;
use crate::stats::median;

const MIB: f64 = 1024.0 * 1024.0;
/// The middle room.
const ROOM: usize = 1;

/// What reading the list once showed.
struct Reading {
    first_byte_ms: f64,
    all_ms: f64,
    bytes: usize,
    /// Growth of resident memory, and of that which is not pages of files.
    growth: f64,
    anonymous: f64,
}

/// Reads the list, quickly and slowly.
pub(crate) async fn measure(bench: &mut Bench<'_>, large: &Large) -> Result<()> {
    let size = bench.pace.sizes.get(ROOM).copied().unwrap_or_default();
    let path = format!("/blockStatus/room/{}", ROOMS[ROOM]);
    eprintln!("stream: the bare list of {size} …");
    let (mut quick, mut slow) = (Vec::new(), Vec::new());
    for round in 0..bench.pace.rounds.min(3) {
        for (readings, pause) in [(&mut quick, Duration::ZERO), (&mut slow, Duration::from_millis(3))] {
            // A new server each time: memory that was used once is seldom given back.
            let house = bench.builder.serve(&large.data)?;
            let keepers = house.tokens(&[KEEPER.to_owned()]).await?;
            let keeper = keepers.first().ok_or("no keeper")?;
            house.fetch(&keeper.get(&format!("{path}?limit=100"))).await?;
            readings.push(read(&house, keeper, &path, pause).await?);
            if round == 0 && pause.is_zero() {
                let entries = String::from_utf8_lossy(&house.fetch(&keeper.get(&path)).await?.body)
                    .matches("\"blockee\"")
                    .count();
                if entries != size {
                    return Err(format!("{path} has {entries} entries where {size} were imported").into());
                }
            }
            house.close().await?;
        }
    }
    let of = |readings: &[Reading], what: fn(&Reading) -> f64| median(&readings.iter().map(what).collect::<Vec<f64>>());
    let bytes = of(&quick, |reading| reading.bytes as f64);
    let (first, all) = (of(&quick, |reading| reading.first_byte_ms), of(&quick, |reading| reading.all_ms));
    bench.report.add(
        Figure::new(
            format!("stream.{size}.first-byte"),
            SQLITE,
            (first, "ms"),
            (all, "ms to the last byte"),
            first / all,
        )
        .detail("bytes", bytes),
    );
    for (name, readings) in [("memory", &quick), ("memory-slow-reader", &slow)] {
        let growth = of(readings, |reading| reading.growth);
        let figure = Figure::new(
            format!("stream.{size}.{name}"),
            SQLITE,
            (growth / MIB, "MiB"),
            (bytes / MIB, "MiB of list"),
            growth / bytes,
        )
        .aim_value(Aim::AtMost(64.0))
        .detail("anonymousMiB", of(readings, |reading| reading.anonymous) / MIB)
        .detail("msToLastByte", of(readings, |reading| reading.all_ms));
        bench.report.add(figure);
    }
    Ok(())
}

async fn read(house: &House, keeper: &Asker, path: &str, pause: Duration) -> Result<Reading> {
    let pid = house.program.pid();
    let mut connection = Connection::open(house.address()).await?;
    forget_peak(pid)?;
    let before = memory(pid)?;
    let done = Arc::new(AtomicBool::new(false));
    let most = Arc::new(AtomicU64::new(before.anonymous));
    let sampler = std::thread::spawn({
        let (done, most) = (Arc::clone(&done), Arc::clone(&most));
        move || {
            while !done.load(Ordering::Relaxed) {
                // A server that is gone shows as a failed answer.
                if let Ok(now) = memory(pid) {
                    most.fetch_max(now.anonymous, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    });
    let begin = Instant::now();
    connection.send(&keeper.get(path)).await?;
    let mut hold = |_: &[u8]| {
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    };
    let answer = connection.finish(&mut hold).await;
    let all = begin.elapsed();
    done.store(true, Ordering::Relaxed);
    sampler.join().map_err(|_| "the sampler of memory failed")?;
    let answer = answer?;
    if answer.status != 200 {
        return Err(format!("{path} answered {}", answer.status).into());
    }
    let after = memory(pid)?;
    Ok(Reading {
        first_byte_ms: (answer.first_byte - begin).as_secs_f64() * 1e3,
        all_ms: all.as_secs_f64() * 1e3,
        bytes: answer.body,
        growth: after.peak.saturating_sub(before.rss) as f64,
        anonymous: most.load(Ordering::Relaxed).saturating_sub(before.anonymous) as f64,
    })
}
