//! The two lists with twenty entries, read over 64 connections.
//!
//! 512 users with a list of their own and 512 rooms with one, no blockee shared between two
//! lists of a kind; each connection reads its eight in turn. Compared is the server's CPU per
//! request with that of the fixed answer of the same size, taking turns.
//!
//! For "changed" everybody waits while one call changes profiles, one blockee of every list or
//! all of them; then every list is read once. Only the reading is on the clock: the change is
//! answered before the first read is sent and the last read before the next change.

use std::process::Command;

use serde_json::json;

use super::{Bench, POSTGRES};
use crate::Result;
use crate::house::{CLIENT_KEY, Clock, House, ids, nickname, profiles};
use crate::load::{Driven, Lanes, Plan, Stop};
use crate::process::{Program, cpu_us};
use crate::report::{Aim, Figure};
use crate::request::Asker;
use crate::stats::{median, median_ratio, ratio};

const ENTRIES: usize = 20;
const CONNECTIONS: usize = 64;

/// One of the two lists.
struct Kind {
    name: &'static str,
    /// Who reads what, list by list.
    lists: Vec<(Asker, String)>,
    reference: Program,
    size: usize,
    base: Samples,
    unchanged: Samples,
    not_modified: Samples,
    one_changed: Samples,
    all_changed: Samples,
}

/// What the rounds gave for one way to ask.
#[derive(Default)]
struct Samples {
    cpu: Vec<f64>,
    database: Vec<f64>,
    rate: Vec<f64>,
    driven: Driven,
}

impl Samples {
    fn take(&mut self, driven: Driven, before: Clock, after: Clock) {
        let requests = driven.requests.max(1) as f64;
        self.cpu.push((after.server - before.server) / requests);
        self.database.push((after.database - before.database) / requests);
        self.rate.push(driven.rate());
        self.driven.add(driven);
    }
}

/// Fills the house and measures both lists.
pub(crate) async fn measure(bench: &mut Bench<'_>, house: &House, store: &'static str) -> Result<()> {
    let lists = if bench.args.quick { CONNECTIONS } else { 8 * CONNECTIONS };
    eprintln!("lists ({store}): filling {lists} lists of each kind …");
    let persons = ids("person", lists * ENTRIES);
    let mut kinds = fill(bench, house, lists, &persons).await?;
    let waves = if bench.args.quick { (2, 1) } else { (8, 3) };
    let mut version = 1;
    for round in 0..bench.pace.rounds {
        eprintln!("lists ({store}): round {} of {}", round + 1, bench.pace.rounds);
        bench.glance_at_disk()?;
        for kind in &mut kinds {
            steady(bench, house, kind).await?;
        }
        let mut readers = Vec::with_capacity(kinds.len());
        for kind in &kinds {
            readers.push(deal(kind, house, |_, reader, path| reader.get(path)).open().await?);
        }
        // Changes and the reading of both lists in one: they are told apart by their functions.
        let recording = bench.profiler.record("lists.changed", house.program.pid())?;
        for wave in 0..waves.0 {
            version += 1;
            let one_each: Vec<String> = persons.iter().skip(wave % ENTRIES).step_by(ENTRIES).cloned().collect();
            let change = Change { persons: &one_each, version };
            changed(house, &mut kinds, &mut readers, change, |kind| &mut kind.one_changed).await?;
        }
        drop(recording);
        for _ in 0..waves.1 {
            version += 1;
            let change = Change { persons: &persons, version };
            changed(house, &mut kinds, &mut readers, change, |kind| &mut kind.all_changed).await?;
        }
    }
    for kind in kinds {
        tell(bench, kind, store);
    }
    bench.report.note(
        "lists.*-changed: all 64 connections wait while one call changes profiles (one blockee of each list, or all twenty); \
         then each list is read once. Only the reading is on the CPU clock, so what the change itself costs is not in the figure.",
    );
    Ok(())
}

async fn fill(bench: &Bench<'_>, house: &House, lists: usize, persons: &[String]) -> Result<[Kind; 2]> {
    let (readers, keepers, rooms) = (ids("reader", lists), ids("keeper", lists), ids("den", lists));
    for people in [persons, &readers, &keepers] {
        house.people(people, 1).await?;
    }
    let (readers, keepers_in) = (house.tokens(&readers).await?, house.tokens(&keepers).await?);
    let platform = house.platform();
    let create = rooms.iter().zip(&keepers).map(|(room, keeper)| {
        platform.post(
            "/rooms",
            &json!({ "_id": room, "name": room, "roomType": "group", "owner": keeper, "members": [keeper] }),
        )
    });
    house.send_all(create.collect()).await?;
    let blocks = persons
        .chunks(ENTRIES)
        .zip(&readers)
        .flat_map(|(some, reader)| some.iter().map(|person| reader.post_empty(&format!("/blockStatus/my/{person}"))));
    house.send_all(blocks.collect()).await?;
    let bans = persons.chunks(ENTRIES).zip(&keepers_in).zip(&rooms).flat_map(|((some, keeper), room)| {
        some.iter().map(move |person| keeper.post_empty(&format!("/blockStatus/room/{room}/{person}")))
    });
    house.send_all(bans.collect()).await?;
    let my = readers.into_iter().map(|reader| (reader, "/blockStatus/my".to_owned())).collect();
    let room =
        keepers_in.into_iter().zip(rooms).map(|(keeper, room)| (keeper, format!("/blockStatus/room/{room}"))).collect();
    Ok([kind(bench, house, "my", my).await?, kind(bench, house, "room", room).await?])
}

async fn kind(bench: &Bench<'_>, house: &House, name: &'static str, lists: Vec<(Asker, String)>) -> Result<Kind> {
    let (reader, path) = lists.first().ok_or("no list")?;
    let whole = house.fetch(&reader.get(path)).await?;
    let entries = String::from_utf8_lossy(&whole.body).matches("\"blockee\"").count();
    if entries != ENTRIES {
        return Err(format!("{path} has {entries} entries where {ENTRIES} were made").into());
    }
    let token = token(reader);
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["reference", "--size", &whole.body.len().to_string(), "--client-key", CLIENT_KEY, "--token", token]);
    let reference = Program::start(&mut command, &bench.folder.join(format!("reference-{name}.log")))?;
    Ok(Kind {
        name,
        size: whole.body.len(),
        lists,
        reference,
        base: Samples::default(),
        unchanged: Samples::default(),
        not_modified: Samples::default(),
        one_changed: Samples::default(),
        all_changed: Samples::default(),
    })
}

fn token(asker: &Asker) -> &str {
    match asker {
        Asker::User { token, .. } => token,
        Asker::Platform(_) => "",
    }
}

/// Deals the lists to the connections.
fn deal(kind: &Kind, house: &House, request: impl Fn(usize, &Asker, &str) -> Vec<u8>) -> Plan {
    let mut lanes = vec![Vec::new(); CONNECTIONS];
    for (number, (reader, path)) in kind.lists.iter().enumerate() {
        if let Some(lane) = lanes.get_mut(number % CONNECTIONS) {
            lane.push(request(number, reader, path));
        }
    }
    Plan::new(house.address(), lanes)
}

/// Base, unchanged, base, 304: what is compared follows what it is compared with.
async fn steady(bench: &Bench<'_>, house: &House, kind: &mut Kind) -> Result<()> {
    let slice = bench.pace.slice;
    let (reader, _) = kind.lists.first().ok_or("no list")?;
    let fixed = Plan::same(kind.reference.address, reader.get("/fixed"), CONNECTIONS);
    let unchanged = deal(kind, house, |_, reader, path| reader.get(path));
    let mut etags = Vec::with_capacity(kind.lists.len());
    for (reader, path) in &kind.lists {
        let whole = house.fetch(&reader.get(path)).await?;
        etags.push(whole.etag.ok_or_else(|| format!("{path} has no ETag"))?);
    }
    let mut not_modified =
        deal(kind, house, |number, reader, path| reader.get_unless(path, etags.get(number).map_or("", String::as_str)));
    not_modified.expect = 304;
    let ways = [("unchanged", &unchanged, &mut kind.unchanged), ("304", &not_modified, &mut kind.not_modified)];
    for (way, plan, samples) in ways {
        let mut lanes = fixed.open().await?;
        let recording = bench.profiler.record(&format!("lists.{}.fixed", kind.name), kind.reference.pid())?;
        let before = Clock { server: cpu_us(kind.reference.pid())?, database: 0.0 };
        let driven = lanes.drive_for(slice).await?;
        let after = Clock { server: cpu_us(kind.reference.pid())?, database: 0.0 };
        drop(recording);
        kind.base.take(driven, before, after);
        drop(lanes);
        let mut lanes = plan.open().await?;
        let recording = bench.profiler.record(&format!("lists.{}.{way}", kind.name), house.program.pid())?;
        let before = house.clock()?;
        let driven = lanes.drive_for(slice).await?;
        samples.take(driven, before, house.clock()?);
        drop(recording);
    }
    Ok(())
}

/// Who gets which version of his profile.
struct Change<'a> {
    persons: &'a [String],
    version: usize,
}

/// One wave: a change, answered; then each list once.
async fn changed(
    house: &House,
    kinds: &mut [Kind; 2],
    readers: &mut [Lanes],
    change: Change<'_>,
    samples: impl Fn(&mut Kind) -> &mut Samples,
) -> Result<()> {
    for request in profiles(&house.platform(), change.persons, change.version) {
        house.fetch(&request).await?;
    }
    for (kind, readers) in kinds.iter_mut().zip(readers) {
        let before = house.clock()?;
        let driven = readers.drive(Stop::Once).await?;
        let after = house.clock()?;
        let (reader, path) = kind.lists.first().ok_or("no list")?;
        let whole = house.fetch(&reader.get(path)).await?;
        let expected = change.persons.first().map(|person| nickname(person, change.version)).unwrap_or_default();
        if !String::from_utf8_lossy(&whole.body).contains(&expected) {
            return Err(format!("{path} does not show what was changed before it was read").into());
        }
        samples(kind).take(driven, before, after);
    }
    Ok(())
}

fn tell(bench: &mut Bench<'_>, kind: Kind, store: &'static str) {
    let Kind { name, size, base, unchanged, not_modified, one_changed, all_changed, .. } = kind;
    let rounds = bench.pace.rounds;
    let bases: Vec<f64> = base.cpu.chunks(2).map(median).collect();
    let rates: Vec<f64> = base.rate.chunks(2).map(median).collect();
    let halves = |at: usize| base.cpu.iter().skip(at).step_by(2).copied().collect::<Vec<f64>>();
    let (one, other) = (halves(0), halves(1));
    let spread: Vec<f64> = one.iter().zip(&other).map(|(one, other)| ratio(*one, *other)).collect();
    let noise = Figure::new(
        format!("lists.{name}.noise"),
        store,
        (median(&one), "µs CPU"),
        (median(&other), "µs CPU fixed answer itself"),
        median_ratio(&one, &other),
    );
    bench.report.add(noise.detail("ratios", spread).detail("requestsPerSecond", median(&base.rate).round()));
    let ways = [
        ("unchanged", unchanged, 1.4),
        ("304", not_modified, 1.0),
        ("one-changed", one_changed, 8.0),
        ("all-changed", all_changed, 8.0),
    ];
    for (way, mut samples, aim) in ways {
        // Several waves a round are one sample of it.
        let waves = (samples.cpu.len() / rounds).max(1);
        let each = |values: &[f64]| values.chunks(waves).map(median).collect::<Vec<f64>>();
        let cpu = each(&samples.cpu);
        let mut figure = Figure::new(
            format!("lists.{name}.{way}"),
            store,
            (median(&cpu), "µs CPU"),
            (median(&bases), "µs CPU fixed answer"),
            median_ratio(&cpu, &bases),
        )
        .detail("bytes", size)
        .detail("cpuRounds", cpu.clone())
        .detail("baseRounds", bases.clone())
        .detail("p50Ms", samples.driven.latency_ms(0.5))
        .detail("p99Ms", samples.driven.latency_ms(0.99));
        if store == POSTGRES {
            let database = each(&samples.database);
            bench.report.add(Figure::new(
                format!("lists.{name}.{way}.backends"),
                store,
                (median(&database), "µs CPU"),
                (median(&bases), "µs CPU fixed answer"),
                median_ratio(&database, &bases),
            ));
        } else {
            figure = figure.aim(Aim::AtMost(aim));
        }
        bench.report.add(figure);
        bench.report.add(Figure::new(
            format!("lists.{name}.{way}.rate"),
            store,
            (median(&samples.rate), "requests/s"),
            (median(&rates), "requests/s fixed answer"),
            median_ratio(&each(&samples.rate), &rates),
        ));
    }
}
