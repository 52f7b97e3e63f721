//! The large folder: three rooms with 10³, 10⁵ and 10⁶ bans, imported once.
//!
//! Importing takes longer than measuring, so the folder is kept for as long as the server is the
//! same binary (or longer, with `--reuse`).

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, UNIX_EPOCH};

use serde_json::json;

use crate::Result;
use crate::args::Pace;
use crate::house::Builder;

/// Who owns all three rooms and banned everybody in them.
pub(crate) const KEEPER: &str = "keeper";
/// The rooms, by the place of their size in [`Pace::sizes`].
pub(crate) const ROOMS: [&str; 3] = ["den-small", "den-middle", "den-large"];
/// Raised when the lines change, so that an older folder is not taken.
const EDITION: u32 = 1;

/// The folder, and what importing took if it was done now: lines and seconds.
#[derive(Debug)]
pub(crate) struct Large {
    pub(crate) data: PathBuf,
    pub(crate) imported: Option<(usize, f64)>,
}

/// Finds or makes the folder.
pub(crate) fn large(builder: &Builder, out: &Path, pace: Pace, reuse: bool) -> Result<Large> {
    let binary = fs::metadata(&builder.server)?;
    let built = binary.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
    let wanted = format!("edition {EDITION}, sizes {:?}", pace.sizes);
    let exactly = format!("{wanted}, server {built}");
    let folder = out.join("large");
    let data = folder.join("data");
    let mark = folder.join("mark");
    let found = fs::read_to_string(&mark).unwrap_or_default();
    if found == exactly || (reuse && found.starts_with(&wanted)) {
        return Ok(Large { data, imported: None });
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let file = folder.join("large.ndjson");
    let lines = write_lines(&file, pace.sizes)?;
    // A first start creates the app that is imported into.
    builder.serve(&data)?.program.stop()?;
    eprintln!("importing {lines} lines (kept in {} for later runs) …", folder.display());
    let begin = Instant::now();
    builder.import(&data, &file)?;
    let seconds = begin.elapsed().as_secs_f64();
    fs::remove_file(&file)?;
    fs::write(&mark, exactly)?;
    Ok(Large { data, imported: Some((lines, seconds)) })
}

fn write_lines(file: &Path, sizes: [usize; 3]) -> Result<usize> {
    let mut out = BufWriter::with_capacity(1 << 20, fs::File::create(file)?);
    let people = sizes.into_iter().max().unwrap_or_default();
    writeln!(out, "{}", json!({ "kind": "client", "_id": KEEPER, "nickname": "Keeper" }))?;
    let mut lines = 1;
    for number in 0..people {
        let id = person(number);
        writeln!(
            out,
            r#"{{"kind":"client","_id":"{id}","nickname":"Person {number:07}","avatarUrl":"https://cdn.example.com/avatars/{id}.jpg"}}"#
        )?;
    }
    for room in ROOMS {
        let room = json!({ "kind": "room", "_id": room, "roomType": "group", "owner": KEEPER, "members": [KEEPER], "createdTimeMS": 1_767_200_000_000_u64 });
        writeln!(out, "{room}")?;
    }
    lines += people + ROOMS.len();
    for (room, size) in ROOMS.into_iter().zip(sizes) {
        for number in 0..size {
            let (id, at) = (person(number), moment(number));
            writeln!(
                out,
                r#"{{"kind":"blockStatus","blocker":"{KEEPER}","blockee":"{id}","room":{{"_id":"{room}","roomType":"group","createdTimeMS":1767200000000}},"createdAt":"{at}","updatedAt":"{at}"}}"#
            )?;
        }
        lines += size;
    }
    out.into_inner()?.sync_all()?;
    Ok(lines)
}

/// An id that says nothing about its number, so that neighbours in a list are no neighbours in an index.
fn person(number: usize) -> String {
    let scattered = u32::try_from(number).unwrap_or(u32::MAX).wrapping_mul(2_654_435_761);
    format!("u{scattered:08x}")
}

/// A moment of the first day of 2026, a millisecond later for each number.
fn moment(number: usize) -> String {
    let (seconds, ms) = (number / 1000, number % 1000);
    format!("2026-01-01T{:02}:{:02}:{:02}.{ms:03}Z", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn moments_follow_each_other() {
        assert_eq!(moment(0), "2026-01-01T00:00:00.000Z");
        assert_eq!(moment(3_661_007), "2026-01-01T01:01:01.007Z");
    }

    #[test]
    fn people_are_as_many_as_numbers() {
        let ids: HashSet<String> = (0..10_000).map(person).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 9));
    }
}
