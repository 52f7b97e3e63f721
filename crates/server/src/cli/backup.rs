//! `banter backup`.

use std::path::PathBuf;

use banter_store::Store;

use super::{Failure, named, say};
use crate::config::Backup;

/// Copies the embedded database to a file, in one step: a reader of the file sees the old copy or
/// the new one.
pub(super) async fn run(backup: Backup) -> Result<(), Failure> {
    let Backup { data, file } = backup;
    if !data.join("banter.db").is_file() {
        return Err(Failure::Setting(format!("--data {}: there is no database in it", data.display())));
    }
    let mut partial = file.clone().into_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let store = Store::sqlite_beside(&data).map_err(|error| named("--data", error))?;
    let written = store.backup(&partial).await.map_err(Failure::from).and_then(|()| {
        std::fs::File::open(&partial)?.sync_all()?;
        Ok(std::fs::rename(&partial, &file)?)
    });
    if let Err(error) = written {
        // What is half written is of no use to anybody.
        drop(std::fs::remove_file(&partial));
        return Err(error);
    }
    say(&format!(
        "{} is a copy of {}; keep {} with it",
        file.display(),
        data.join("banter.db").display(),
        data.join("secret").display()
    ));
    Ok(())
}
