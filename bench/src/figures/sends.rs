//! Durable sends over REST, against what the disk can do.
//!
//! 32 rooms of ten members and 32 of a thousand, the same eight senders in the room of each
//! number, so that nothing differs but who else is there. Between the slices the disk is measured
//! in the same folder while the server stands still: the raw rate of 4 KiB write and fdatasync (in
//! place, and at the end of a file), and one transaction a message.
//!
//! A disk that neighbours use looks slow for a moment, and sends beside it fast. So the best
//! tenth of all slices is compared with the best tenth of all slices of the disk.

use serde_json::json;

use super::{Bench, POSTGRES, SQLITE};
use crate::Result;
use crate::fsync;
use crate::house::{House, ids};
use crate::load::{Driven, Lanes, Plan};
use crate::report::{Aim, Figure};
use crate::request::Asker;
use crate::stats::{best, median, median_ratio, ratio};

const SENDERS: [usize; 3] = [1, 64, 256];
const MOST: usize = 256;
const ROOMS: usize = 32;
const SIZES: [usize; 2] = [10, 1000];
/// How often sends and disk take turns in a round.
const TURNS: usize = 3;

/// What the turns gave for one number of senders.
#[derive(Default)]
struct Turns {
    disk: Disk,
    /// By size of the room.
    sends: [Sends; 2],
}

/// Rates of the disk.
#[derive(Default)]
struct Disk {
    raw: Vec<f64>,
    append: Vec<f64>,
    one_each: Vec<f64>,
}

#[derive(Default)]
struct Sends {
    rate: Vec<f64>,
    cpu: Vec<f64>,
    database: Vec<f64>,
    driven: Driven,
}

/// Fills the house and measures.
pub(crate) async fn measure(bench: &mut Bench<'_>, house: &House, store: &'static str) -> Result<()> {
    eprintln!("sends ({store}): filling {ROOMS} rooms of {} and {ROOMS} of {} …", SIZES[0], SIZES[1]);
    let senders = ids("sender", MOST);
    let fillers = ids("filler", SIZES[1]);
    house.people(&senders, 1).await?;
    house.people(&fillers, 1).await?;
    let askers = house.tokens(&senders).await?;
    for size in SIZES {
        house.send_all(rooms(house, size, &senders, &fillers)).await?;
    }
    let mut all: [Turns; 3] = Default::default();
    for round in 0..bench.pace.rounds {
        eprintln!("sends ({store}): round {} of {}", round + 1, bench.pace.rounds);
        for (turns, senders) in all.iter_mut().zip(SENDERS) {
            let mut lanes = Vec::with_capacity(SIZES.len());
            for size in SIZES {
                lanes.push(plan(house, &askers, senders, size).open().await?);
            }
            for _ in 0..TURNS {
                disk(bench, house, &mut turns.disk)?;
                for ((sends, lanes), size) in turns.sends.iter_mut().zip(&mut lanes).zip(SIZES) {
                    let recording = bench.profiler.record(&format!("sends.{senders}.{size}"), house.program.pid())?;
                    slice(bench, house, sends, lanes).await?;
                    drop(recording);
                }
            }
        }
    }
    for (turns, senders) in all.iter_mut().zip(SENDERS) {
        tell(bench, turns, senders, store);
    }
    bench.report.note(
        "sends: the ratio is that of the best tenths (neighbours make a disk look slow, and sends beside it fast); \
         medianOfRatios is in the JSON.",
    );
    Ok(())
}

/// What the disk can do now. The server stands still meanwhile.
fn disk(bench: &Bench<'_>, house: &House, disk: &mut Disk) -> Result<()> {
    let time = bench.pace.slice.mul_f64(0.1);
    house.program.freeze()?;
    disk.raw.push(fsync::raw_rate(&bench.folder, time)?);
    disk.append.push(fsync::append_rate(&bench.folder, time)?);
    disk.one_each.push(fsync::one_each_rate(&bench.folder, time)?);
    house.program.thaw()
}

/// The room a sender speaks in.
fn room(sender: usize, size: usize) -> String {
    format!("room-of-{size}-{:02}", sender / (MOST / ROOMS))
}

fn rooms(house: &House, size: usize, senders: &[String], fillers: &[String]) -> Vec<Vec<u8>> {
    let each = MOST / ROOMS;
    let create = |(number, some): (usize, &[String])| {
        let members: Vec<&String> = some.iter().chain(fillers).take(size).collect();
        let body = json!({ "_id": room(number * each, size), "name": "A room", "roomType": "group", "owner": some.first(), "members": members });
        house.platform().post("/rooms", &body)
    };
    senders.chunks(each).enumerate().map(create).collect()
}

fn plan(house: &House, askers: &[Asker], senders: usize, size: usize) -> Plan {
    let text = "What a day it was, and nobody said a word about it. ".repeat(4);
    let body = json!({ "messageType": "text", "message": text.trim_end() });
    let lane =
        |(number, asker): (usize, &Asker)| vec![asker.post(&format!("/rooms/{}/message", room(number, size)), &body)];
    Plan::new(house.address(), askers.iter().take(senders).enumerate().map(lane).collect())
}

async fn slice(bench: &Bench<'_>, house: &House, sends: &mut Sends, lanes: &mut Lanes) -> Result<()> {
    let before = house.clock()?;
    let driven = lanes.drive_for(bench.pace.slice.mul_f64(0.5)).await?;
    let after = house.clock()?;
    sends.rate.push(driven.rate());
    sends.cpu.push((after.server - before.server) / driven.requests.max(1) as f64);
    sends.database.push((after.database - before.database) / driven.requests.max(1) as f64);
    sends.driven.add(driven);
    Ok(())
}

fn tell(bench: &mut Bench<'_>, turns: &mut Turns, senders: usize, store: &'static str) {
    let Turns { disk, sends } = turns;
    let many = senders == MOST;
    for (sends, size) in sends.iter_mut().zip(SIZES) {
        let figure = |name: &str, base: &[f64], against: &str| {
            let (rate, reference) = (best(&sends.rate), best(base));
            let name = format!("sends.{senders}-senders.room-of-{size}{name}");
            Figure::new(name, store, (rate, "sends/s"), (reference, against), ratio(rate, reference))
                .detail("medianOfRatios", median_ratio(&sends.rate, base))
                .detail("referenceTurns", base.to_vec())
        };
        let mut by_raw = figure("", &disk.raw, "raw fsyncs/s");
        if many {
            by_raw = by_raw.aim(Aim::AtLeast(if store == SQLITE { 3.0 } else { 1.0 }));
        }
        let by_append = figure(".by-append", &disk.append, "appending fsyncs/s");
        let by_each = figure(".by-one-each", &disk.one_each, "one fsync each/s");
        let by_raw = by_raw
            .detail("sendsTurns", sends.rate.clone())
            .detail("cpuUs", median(&sends.cpu))
            .detail("p50Ms", sends.driven.latency_ms(0.5))
            .detail("p99Ms", sends.driven.latency_ms(0.99));
        bench.report.add(by_raw);
        bench.report.add(by_append);
        bench.report.add(by_each);
    }
    let [small, big] = sends;
    let cpu = |name: &str, big: &[f64], small: &[f64]| {
        let name = format!("sends.{senders}-senders.cpu{name}");
        let (value, reference) = ((median(big), "µs CPU room of 1000"), (median(small), "µs CPU room of 10"));
        Figure::new(name, store, value, reference, median_ratio(big, small))
    };
    let server = cpu("", &big.cpu, &small.cpu);
    bench.report.add(if senders == 1 { server } else { server.aim(Aim::AtMost(1.2)) });
    if store == POSTGRES {
        bench.report.add(cpu(".backends", &big.database, &small.database));
    }
}
