//! Durable sends over REST, against what the disk can do.
//!
//! 32 rooms of ten members and 32 of a thousand, the same eight senders in the room of each
//! number, so that nothing differs but who else is there. Before each pair of slices the disk is
//! measured in the same folder: the raw rate of 4 KiB write and fdatasync (in place, and at the
//! end of a file), and one transaction a message.

use serde_json::json;

use super::{Bench, POSTGRES, SQLITE};
use crate::Result;
use crate::fsync;
use crate::house::{House, ids};
use crate::load::{Driven, Plan};
use crate::report::{Aim, Figure};
use crate::request::Asker;
use crate::stats::{median, median_ratio};

const SENDERS: [usize; 3] = [1, 64, 256];
const MOST: usize = 256;
const ROOMS: usize = 32;
const SIZES: [usize; 2] = [10, 1000];

/// What the rounds gave for one number of senders.
#[derive(Default)]
struct Rounds {
    raw: Vec<f64>,
    append: Vec<f64>,
    one_each: Vec<f64>,
    /// By size of the room.
    sends: [Sends; 2],
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
    let mut all: [Rounds; 3] = Default::default();
    for round in 0..bench.pace.rounds {
        eprintln!("sends ({store}): round {} of {}", round + 1, bench.pace.rounds);
        for (rounds, senders) in all.iter_mut().zip(SENDERS) {
            rounds.raw.push(fsync::raw_rate(&bench.folder, bench.pace.slice.mul_f64(0.4))?);
            rounds.append.push(fsync::append_rate(&bench.folder, bench.pace.slice.mul_f64(0.4))?);
            rounds.one_each.push(fsync::one_each_rate(&bench.folder, bench.pace.slice.mul_f64(0.4))?);
            for (sends, size) in rounds.sends.iter_mut().zip(SIZES) {
                slice(bench, house, sends, &askers, senders, size).await?;
            }
        }
    }
    for (rounds, senders) in all.iter_mut().zip(SENDERS) {
        tell(bench, rounds, senders, store);
    }
    Ok(())
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

async fn slice(
    bench: &Bench<'_>,
    house: &House,
    sends: &mut Sends,
    askers: &[Asker],
    senders: usize,
    size: usize,
) -> Result<()> {
    let body = json!({ "messageType": "text", "message": "What a day it was, and nobody said a word about it. ".repeat(4).trim_end() });
    let lane =
        |(number, asker): (usize, &Asker)| vec![asker.post(&format!("/rooms/{}/message", room(number, size)), &body)];
    let lanes = askers.iter().take(senders).enumerate().map(lane).collect();
    let mut lanes = Plan::new(house.address(), lanes).open().await?;
    let recording = bench.profiler.record(&format!("sends.{senders}.{size}"), house.program.pid())?;
    let before = house.clock()?;
    let driven = lanes.drive_for(bench.pace.slice).await?;
    let after = house.clock()?;
    drop(recording);
    sends.rate.push(driven.rate());
    sends.cpu.push((after.server - before.server) / driven.requests.max(1) as f64);
    sends.database.push((after.database - before.database) / driven.requests.max(1) as f64);
    sends.driven.add(driven);
    Ok(())
}

fn tell(bench: &mut Bench<'_>, rounds: &mut Rounds, senders: usize, store: &'static str) {
    let Rounds { raw, append, one_each, sends } = rounds;
    let many = senders == MOST;
    for (sends, size) in sends.iter_mut().zip(SIZES) {
        let figure = |against: &str, base: &[f64], name: &str| {
            Figure::new(
                format!("sends.{senders}-senders.room-of-{size}{name}"),
                store,
                (median(&sends.rate), "sends/s"),
                (median(base), against),
                median_ratio(&sends.rate, base),
            )
        };
        let mut by_raw = figure("raw fsyncs/s", raw, "");
        if many {
            by_raw = by_raw.aim(Aim::AtLeast(if store == SQLITE { 3.0 } else { 1.0 }));
        }
        let by_append = figure("appending fsyncs/s", append, ".by-append");
        let by_each = figure("one fsync each/s", one_each, ".by-one-each");
        let by_raw = by_raw
            .detail("sendsRounds", sends.rate.clone())
            .detail("rawRounds", raw.clone())
            .detail("appendRounds", append.clone())
            .detail("oneEachRounds", one_each.clone())
            .detail("cpuUs", median(&sends.cpu))
            .detail("p50Ms", sends.driven.latency_ms(0.5))
            .detail("p99Ms", sends.driven.latency_ms(0.99));
        bench.report.add(by_raw);
        bench.report.add(by_append);
        bench.report.add(by_each);
    }
    let [small, big] = sends;
    let cpu = |name: &str, big: &[f64], small: &[f64]| {
        Figure::new(
            format!("sends.{senders}-senders.cpu{name}"),
            store,
            (median(big), "µs CPU room of 1000"),
            (median(small), "µs CPU room of 10"),
            median_ratio(big, small),
        )
    };
    let server = cpu("", &big.cpu, &small.cpu);
    bench.report.add(if senders == 1 { server } else { server.aim(Aim::AtMost(1.2)) });
    if store == POSTGRES {
        bench.report.add(cpu(".backends", &big.database, &small.database));
    }
}
