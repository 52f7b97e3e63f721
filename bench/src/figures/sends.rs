//! Durable sends over REST, against what the disk can do.
//!
//! 32 rooms of ten members and 32 of a thousand, the same eight senders in the room of each
//! number, so that nothing differs but who else is there. Between the slices the disk is measured
//! in the same folder while the server stands still: the raw rate of 4 KiB write and fdatasync (in
//! place, and at the end of a file), and one transaction a message.
//!
//! A loop that waits for the disk also waits for its turn on the processor, so neighbours make the
//! disk look slow (down to one write a tick, some 280 a second) and sends beside it fast. So the
//! best tenth of all slices is compared with the best tenth of all slices of the disk, and if the
//! disk was much slower than elsewhere in the run, no verdict is given.

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

/// Rates of the disk, all through the rounds.
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
    let mut disk = Disk::default();
    // By number of senders, then by size of the room.
    let mut all: [[Sends; 2]; 3] = Default::default();
    for round in 0..bench.pace.rounds {
        eprintln!("sends ({store}): round {} of {}", round + 1, bench.pace.rounds);
        for (both, senders) in all.iter_mut().zip(SENDERS) {
            let mut lanes = Vec::with_capacity(SIZES.len());
            for size in SIZES {
                lanes.push(plan(house, &askers, senders, size).open().await?);
            }
            for turn in 0..TURNS {
                disk.measure(bench, house)?;
                let mut slices: Vec<_> = both.iter_mut().zip(&mut lanes).zip(SIZES).collect();
                if (round + turn) % 2 == 1 {
                    // Whoever comes second pays for what the first left to be done in the background.
                    slices.reverse();
                }
                for ((sends, lanes), size) in slices {
                    let recording = bench.profiler.record(&format!("sends.{senders}.{size}"), house.program.pid())?;
                    slice(bench, house, sends, lanes).await?;
                    drop(recording);
                }
            }
        }
    }
    bench.disk.extend(&disk.raw);
    let (now, usual) = (median(&disk.raw), best(&bench.disk));
    let unsure = (now < usual / 2.0)
        .then(|| format!("neighbours disturbed the loop that measures it: {now:.0} raw fsyncs/s where {usual:.0} were seen in this run"));
    if let Some(reason) = &unsure {
        bench.report.note(format!("sends ({store}): no verdict against the disk, for {reason}."));
    }
    for (sends, senders) in all.iter_mut().zip(SENDERS) {
        tell(bench, (sends, senders), &disk, unsure.as_deref(), store);
    }
    bench.report.note(
        "sends: the ratio is that of the best tenths (neighbours make a disk look slow, and sends beside it fast); \
         ratioOfMedians is in the JSON.",
    );
    Ok(())
}

impl Disk {
    /// Adds what the disk can do now. The server stands still meanwhile.
    fn measure(&mut self, bench: &Bench<'_>, house: &House) -> Result<()> {
        let time = bench.pace.slice.mul_f64(0.1);
        house.program.freeze()?;
        self.raw.push(fsync::raw_rate(&bench.folder, time)?);
        self.append.push(fsync::append_rate(&bench.folder, time)?);
        self.one_each.push(fsync::one_each_rate(&bench.folder, time)?);
        house.program.thaw()
    }
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

fn tell(
    bench: &mut Bench<'_>,
    (sends, senders): (&mut [Sends; 2], usize),
    disk: &Disk,
    unsure: Option<&str>,
    store: &'static str,
) {
    let many = senders == MOST;
    for (sends, size) in sends.iter_mut().zip(SIZES) {
        let figure = |name: &str, base: &[f64], against: &str| {
            let (rate, reference) = (best(&sends.rate), best(base));
            let name = format!("sends.{senders}-senders.room-of-{size}{name}");
            Figure::new(name, store, (rate, "sends/s"), (reference, against), ratio(rate, reference))
                .detail("ratioOfMedians", ratio(median(&sends.rate), median(base)))
                .detail("referenceTurns", base.to_vec())
        };
        let mut by_raw = figure("", &disk.raw, "raw fsyncs/s");
        if many {
            by_raw = by_raw.aim(Aim::AtLeast(if store == SQLITE { 3.0 } else { 1.0 })).unsure(unsure);
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
