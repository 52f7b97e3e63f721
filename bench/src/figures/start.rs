//! How soon the server listens, and what it holds while nothing happens.

use std::time::{Duration, Instant};

use super::{Bench, SQLITE};
use crate::Result;
use crate::prepare::{KEEPER, Large, ROOMS};
use crate::process::memory;
use crate::report::{Aim, Figure};
use crate::stats::{median, ratio};

const TIMES: usize = 5;
const MIB: f64 = 1024.0 * 1024.0;

/// With nothing in it: on a new folder, and again on the same.
pub(crate) async fn empty(bench: &mut Bench<'_>) -> Result<()> {
    eprintln!("start: empty …");
    let (mut new, mut again, mut resident, mut anonymous) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for number in 0..TIMES {
        let data = bench.folder.join(format!("empty-{number}"));
        for times in [&mut new, &mut again] {
            let house = bench.builder.serve(&data)?;
            times.push(house.program.ready_after.as_secs_f64() * 1e3);
            tokio::time::sleep(Duration::from_millis(if bench.args.quick { 100 } else { 500 })).await;
            let held = memory(house.program.pid())?;
            resident.push(held.rss as f64 / MIB);
            anonymous.push(held.anonymous as f64 / MIB);
            house.close().await?;
        }
    }
    let (new, again) = (median(&new), median(&again));
    bench.report.add(
        Figure::new("start.new-folder", SQLITE, (new, "ms"), (again, "ms second start"), ratio(new, again))
            .aim_value(Aim::AtMost(200.0)),
    );
    let (resident, anonymous) = (median(&resident), median(&anonymous));
    bench.report.add(
        Figure::new(
            "start.idle-memory",
            SQLITE,
            (resident, "MiB"),
            (anonymous, "MiB anonymous"),
            ratio(resident, anonymous),
        )
        .aim_value(Aim::AtMost(30.0)),
    );
    Ok(())
}

/// With a million relations in it, against a folder with nothing.
pub(crate) async fn large(bench: &mut Bench<'_>, large: &Large) -> Result<()> {
    eprintln!("start: large …");
    let (mut empties, mut times, mut answers, mut resident) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let nothing = bench.folder.join("nothing");
    bench.builder.serve(&nothing)?.close().await?;
    for _ in 0..TIMES {
        let house = bench.builder.serve(&nothing)?;
        empties.push(house.program.ready_after.as_secs_f64() * 1e3);
        house.close().await?;
        let house = bench.builder.serve(&large.data)?;
        times.push(house.program.ready_after.as_secs_f64() * 1e3);
        let listening = Instant::now();
        let keepers = house.tokens(&[KEEPER.to_owned()]).await?;
        for (keeper, room) in keepers.iter().zip(ROOMS.iter().rev()) {
            house.fetch(&keeper.get(&format!("/blockStatus/room/{room}?limit=100"))).await?;
        }
        answers.push(listening.elapsed().as_secs_f64() * 1e3);
        resident.push(memory(house.program.pid())?.rss as f64 / MIB);
        house.close().await?;
    }
    let relations: usize = bench.pace.sizes.iter().sum();
    let (empty, time) = (median(&empties), median(&times));
    let figure = Figure::new(
        format!("start.{relations}-relations"),
        SQLITE,
        (time, "ms"),
        (empty, "ms empty"),
        ratio(time, empty),
    )
    .aim_value(Aim::AtMost(1000.0))
    .detail("rounds", times)
    .detail("msToFirstPageAfterListening", median(&answers))
    .detail("residentMiB", median(&resident));
    bench.report.add(figure);
    Ok(())
}
