//! The figures, one file a subject, and the order they are taken in.

mod lists;
mod pages;
mod sends;
mod sockets;
mod start;
mod stream;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};

use crate::args::{Args, Pace, Stores};
use crate::house::{Builder, House};
use crate::postgres::Database;
use crate::prepare::{self, Large};
use crate::profile::Profiler;
use crate::report::Report;
use crate::{Result, chart, fsync};

/// What all figures share.
pub(crate) struct Bench<'a> {
    args: &'a Args,
    pace: Pace,
    builder: Builder,
    /// Working folder of this run, on the disk whose fsync is measured.
    folder: PathBuf,
    report: Report,
    profiler: Profiler,
    /// Raw fsync rates seen all through the run: what the disk can do when nobody else uses it.
    disk: Vec<f64>,
}

/// The stores, as they are named in results.
const SQLITE: &str = "sqlite";
const POSTGRES: &str = "postgres";

/// Measures everything asked for, prints the table and writes the results.
pub(crate) async fn run(args: &Args) -> Result<()> {
    let begin = Instant::now();
    let beside = std::env::current_exe()?.with_file_name("banter");
    let builder = Builder::new(args.server.as_ref().unwrap_or(&beside))?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench")),
    };
    fs::create_dir_all(&out)?;
    let out = out.canonicalize()?;
    let folder = out.join(format!("run-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let profiler = Profiler::new(args.perf.as_deref())?;
    let mut bench =
        Bench { args, pace: args.pace(), builder, folder, report: Report::default(), profiler, disk: Vec::new() };
    bench.report.facts = facts(&bench);

    let measured = bench.measure(&out).await;

    bench.report.facts.insert("after".to_owned(), state());
    bench.report.facts.insert("seconds".to_owned(), json!(begin.elapsed().as_secs()));
    if !args.keep && measured.is_ok() {
        fs::remove_dir_all(&bench.folder)?;
    }
    println!("{}", bench.report.table());
    bench.report.write_json(&out.join("bench.json"))?;
    fs::write(out.join("bench.svg"), chart::svg(&bench.report))?;
    println!("{} s; {} and bench.svg beside it", begin.elapsed().as_secs(), out.join("bench.json").display());
    measured.map_err(|error| format!("{error} (logs are in {})", bench.folder.display()).into())
}

impl Bench<'_> {
    async fn measure(&mut self, out: &Path) -> Result<()> {
        let sqlite = self.args.store != Stores::Postgres;
        if sqlite && self.args.wants("start") {
            start::empty(self).await?;
        }
        if sqlite && ["start", "stream", "pages"].iter().any(|name| self.args.wants(name)) {
            let large = prepare::large(&self.builder, out, self.pace, self.args.reuse)?;
            self.large(&large).await?;
        }
        if sqlite {
            self.small(SQLITE).await?;
        }
        if sqlite && self.args.wants("sockets") {
            sockets::measure(self, out).await?;
        }
        if self.args.store == Stores::Sqlite || !["lists", "sends"].iter().any(|name| self.args.wants(name)) {
            return Ok(());
        }
        if self.args.postgres.is_some() {
            self.small(POSTGRES).await
        } else if self.args.store == Stores::Postgres {
            Err("BANTER_TEST_POSTGRES is not set".into())
        } else {
            self.report.note("PostgreSQL was not measured: BANTER_TEST_POSTGRES is not set.");
            Ok(())
        }
    }

    /// What is measured with a million relations in the database.
    async fn large(&mut self, large: &Large) -> Result<()> {
        if let Some((lines, seconds)) = large.imported {
            self.report
                .note(format!("Importing {lines} lines took {seconds:.1} s, {:.0} a second.", lines as f64 / seconds));
        }
        if self.args.wants("start") {
            start::large(self, large).await?;
        }
        if self.args.wants("stream") {
            stream::measure(self, large).await?;
        }
        if self.args.wants("pages") {
            pages::measure(self, large).await?;
        }
        Ok(())
    }

    /// What is measured in a house of its own.
    async fn small(&mut self, store: &'static str) -> Result<()> {
        if self.args.wants("lists") {
            let house = self.open(store, "lists").await?;
            lists::measure(self, &house, store).await?;
            house.close().await?;
        }
        if self.args.wants("sends") {
            let house = self.open(store, "sends").await?;
            if let Some(durability) = house.durability() {
                self.report.note(format!("PostgreSQL sends were measured with {durability}."));
            }
            sends::measure(self, &house, store).await?;
            house.close().await?;
        }
        Ok(())
    }

    /// Looks what the disk can do just now; to be called when no server is busy.
    fn glance_at_disk(&mut self) -> Result<()> {
        let rate = fsync::raw_rate(&self.folder, self.pace.slice.mul_f64(0.05))?;
        self.disk.push(rate);
        Ok(())
    }

    /// A new server with an empty database.
    async fn open(&self, store: &str, name: &str) -> Result<House> {
        let data = self.folder.join(format!("{store}-{name}"));
        match &self.args.postgres {
            Some(admin) if store == POSTGRES => {
                let database = Database::create(admin, &format!("banter_bench_{}_{name}", std::process::id())).await?;
                self.builder.serve_database(&data, database)
            }
            _ => self.builder.serve(&data),
        }
    }
}

/// The machine, which every figure is a ratio on.
fn facts(bench: &Bench<'_>) -> serde_json::Map<String, Value> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model =
        cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map(|(_, model)| model.trim());
    let memory = read("/proc/meminfo");
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).map(str::trim);
    let facts = json!({
        "quick": bench.args.quick, "rounds": bench.pace.rounds, "sliceMs": bench.pace.slice.as_millis() as u64,
        "server": bench.builder.server, "cores": std::thread::available_parallelism().map(std::num::NonZero::get).unwrap_or_default(),
        "cpu": model, "memory": memory, "kernel": read("/proc/sys/kernel/osrelease").trim(), "before": state(),
    });
    match facts {
        Value::Object(facts) => facts,
        _ => serde_json::Map::new(),
    }
}

/// How busy the machine is, and what its host takes away.
fn state() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let jiffies: Vec<u64> = read("/proc/stat")
        .lines()
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace()
        .filter_map(|part| part.parse().ok())
        .collect();
    json!({
        "loadAverage": read("/proc/loadavg").trim(),
        "cpuJiffies": { "all": jiffies.iter().take(8).sum::<u64>(), "stolen": jiffies.get(7).copied().unwrap_or_default() },
    })
}
