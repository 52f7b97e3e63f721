//! `banter import`.

use std::io::{BufRead, BufReader};
use std::path::Path;

use banter_chat::{ImportError, Imported, Record};

use super::import_line::{Earlier, parse};
use super::{Failure, app_id, open, say};
use crate::clock::Senses;
use crate::config::{Import, few_options};
use crate::telemetry;

/// Reads the whole file before anything is written: a bad line, wherever it stands, leaves nothing
/// behind.
pub(super) async fn run(import: Import) -> Result<(), Failure> {
    telemetry::start(&import.log);
    let id = app_id(import.app_id)?;
    let name = import.file.display().to_string();
    let lines = Lines::read(&import.file)?;
    let senses = Senses::real();
    let (chat, _) = open(&import.place, few_options(), &senses).await?;
    let count = lines.numbers.last().copied().unwrap_or_default();
    let Lines { records, numbers } = lines;
    let done = chat.import(&id, records).await.map_err(|error| match error {
        ImportError::Bad { index, why } => {
            let line = numbers.get(index).copied().unwrap_or(count);
            Failure::Failed(format!("{name}:{line}: {why}; nothing was imported"))
        }
        ImportError::Store(error) => error.into(),
    })?;
    let Imported { users, rooms, members, messages, relations } = done;
    say(&format!(
        "{name}: made or changed {users} users, {rooms} rooms, {members} places in rooms, {messages} messages, {relations} blocks and bans"
    ));
    if chat.apps().await?.iter().any(|app| app.id == id && !app.has_keys()) {
        say(&format!("The app {id} has no keys yet: it gets them from `banter serve` or `banter app rotate-key`."));
    }
    Ok(())
}

/// The records of a file, and the line each came from.
pub(super) struct Lines {
    pub(super) records: Vec<Record>,
    pub(super) numbers: Vec<usize>,
}

impl Lines {
    fn read(file: &Path) -> Result<Self, Failure> {
        let name = file.display();
        let trouble = |error: std::io::Error| Failure::Failed(format!("{name}: {error}"));
        if file.as_os_str() == "-" {
            return Self::of(std::io::stdin().lock(), "standard input");
        }
        let opened = std::fs::File::open(file).map_err(trouble)?;
        Self::of(BufReader::new(opened), &name.to_string())
    }

    /// Errors: the first line that cannot be read, by its number.
    pub(super) fn of(reader: impl BufRead, name: &str) -> Result<Self, Failure> {
        let mut lines = Self { records: Vec::new(), numbers: Vec::new() };
        let mut earlier = Earlier::new();
        for (index, line) in reader.split(b'\n').enumerate() {
            let number = index + 1;
            let line = line.map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
            let bare = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| index == 0).unwrap_or(&line).trim_ascii();
            if bare.is_empty() {
                continue;
            }
            let records = parse(bare, &mut earlier)
                .map_err(|why| Failure::Failed(format!("{name}:{number}: {why}; nothing was imported")))?;
            lines.numbers.extend(std::iter::repeat_n(number, records.len()));
            lines.records.extend(records);
        }
        Ok(lines)
    }
}
