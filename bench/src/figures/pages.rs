//! A page of a hundred bans, first and last, out of a room with few and rooms with many.
//!
//! A page costs what is on it, not what lies behind or before it: the six are read in turn over
//! the same 64 connections and compared with the cheapest room's first page.

use serde_json::Value;

use super::{Bench, SQLITE};
use crate::Result;
use crate::house::House;
use crate::load::{Driven, Plan};
use crate::prepare::{KEEPER, Large, ROOMS};
use crate::report::{Aim, Figure};
use crate::request::Asker;
use crate::stats::{median, median_ratio};

const PAGE: usize = 100;
/// The longest page one may ask for.
const STRIDE: usize = 1000;
const CONNECTIONS: usize = 64;

struct Page {
    room: usize,
    name: &'static str,
    request: Vec<u8>,
    size: usize,
    cpu: Vec<f64>,
    driven: Driven,
}

/// Finds the pages and reads them in turn.
pub(crate) async fn measure(bench: &mut Bench<'_>, large: &Large) -> Result<()> {
    let house = bench.builder.serve(&large.data)?;
    let keepers = house.tokens(&[KEEPER.to_owned()]).await?;
    let keeper = keepers.first().ok_or("no keeper")?;
    let mut pages = Vec::new();
    for (room, (id, size)) in ROOMS.into_iter().zip(bench.pace.sizes).enumerate() {
        eprintln!("pages: walking to the last page of {size} …");
        let path = format!("/blockStatus/room/{id}");
        let last = last_page(&house, keeper, &path, size).await?;
        for (name, path) in [("first", format!("{path}?limit={PAGE}")), ("last", last)] {
            let request = keeper.get(&path);
            let whole = house.fetch(&request).await?;
            let entries = entries(&whole.body);
            if entries != PAGE {
                return Err(format!("{path} has {entries} entries").into());
            }
            pages.push(Page {
                room,
                name,
                request,
                size: whole.body.len(),
                cpu: Vec::new(),
                driven: Driven::default(),
            });
        }
    }
    for round in 0..bench.pace.rounds {
        eprintln!("pages: round {} of {}", round + 1, bench.pace.rounds);
        bench.glance_at_disk()?;
        for page in &mut pages {
            let mut lanes = Plan::same(house.address(), page.request.clone(), CONNECTIONS).open().await?;
            let recording =
                bench.profiler.record(&format!("pages.{}-{}", page.name, page.room), house.program.pid())?;
            let before = house.clock()?;
            let driven = lanes.drive_for(bench.pace.slice).await?;
            page.cpu.push((house.clock()?.server - before.server) / driven.requests.max(1) as f64);
            drop(recording);
            page.driven.add(driven);
        }
    }
    tell(bench, &mut pages);
    house.close().await
}

fn tell(bench: &mut Bench<'_>, pages: &mut [Page]) {
    let Some(first) = pages.first().map(|page| page.cpu.clone()) else { return };
    let mut ratios = Vec::new();
    for page in pages {
        let ratio = median_ratio(&page.cpu, &first);
        ratios.push(ratio);
        let out_of = bench.pace.sizes.get(page.room).copied().unwrap_or_default();
        let figure = Figure::new(
            format!("pages.{}-of-{out_of}", page.name),
            SQLITE,
            (median(&page.cpu), "µs CPU"),
            (median(&first), "µs CPU first page of the smallest"),
            ratio,
        );
        let figure = figure
            .detail("bytes", page.size)
            .detail("cpuRounds", page.cpu.clone())
            .detail("requestsPerSecond", page.driven.rate().round())
            .detail("p50Ms", page.driven.latency_ms(0.5))
            .detail("p99Ms", page.driven.latency_ms(0.99));
        bench.report.add(figure);
    }
    let (least, most) =
        ratios.iter().fold((f64::MAX, 0.0_f64), |(least, most), ratio| (least.min(*ratio), most.max(*ratio)));
    bench.report.add(
        Figure::new("pages.dearest-to-cheapest", SQLITE, (most, "×"), (least, "×"), most / least).aim(Aim::AtMost(1.3)),
    );
}

/// The path of the last full page of a list of `size`.
async fn last_page(house: &House, keeper: &Asker, path: &str, size: usize) -> Result<String> {
    let mut at = format!("{path}?limit={PAGE}");
    let mut left = size;
    while left > PAGE {
        // Long strides while they leave a page, then short ones.
        let step = if left > STRIDE { STRIDE } else { PAGE };
        let stride = at.replace(&format!("limit={PAGE}"), &format!("limit={step}"));
        let whole = house.fetch(&keeper.get(&stride)).await?;
        let cursor = cursor(&whole.body).ok_or_else(|| format!("{stride} has no nextCursor though {left} are left"))?;
        at = format!("{path}?limit={PAGE}&cursor={cursor}");
        left -= step;
    }
    Ok(at)
}

/// `nextCursor` of a page, ready for a query.
fn cursor(body: &[u8]) -> Option<String> {
    let page: Value = serde_json::from_slice(body).ok()?;
    let cursor = page.pointer("/result/nextCursor")?.as_str()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let escaped = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    // Opaque, so nothing is known of its letters.
    Some(cursor.bytes().map(escaped).collect())
}

fn entries(body: &[u8]) -> usize {
    String::from_utf8_lossy(body).matches("\"blockee\"").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_found_and_escaped() {
        assert_eq!(cursor(br#"{"result":{"data":[],"nextCursor":"a+b="}}"#), Some("a%2Bb%3D".to_owned()));
        assert_eq!(cursor(br#"{"result":{"data":[]}}"#), None);
    }
}
