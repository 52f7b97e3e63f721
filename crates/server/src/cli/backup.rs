//! `banter backup`.

use std::path::PathBuf;

use banter_store::Store;

use super::{Failure, SECRET_NOTE, named, say};
use crate::clock::hex;
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
    let secret = std::fs::read(data.join("secret"))
        .map_err(|error| Failure::Setting(format!("--data {}: its secret: {error}", data.display())))?;
    let store = Store::sqlite_beside(&data).map_err(|error| named("--data", error))?;
    // An earlier backup may have been cut off.
    drop(std::fs::remove_file(&partial));
    let written = store.backup(&partial).await.map_err(Failure::from).and_then(|()| {
        // Without it no key or token in the copy could be recognised.
        Store::write_note(&partial, SECRET_NOTE, &hex(&secret)).map_err(Failure::from)?;
        std::fs::File::open(&partial)?.sync_all()?;
        Ok(std::fs::rename(&partial, &file)?)
    });
    if let Err(error) = written {
        // What is half written is of no use to anybody.
        drop(std::fs::remove_file(&partial));
        return Err(error);
    }
    say(&format!(
        "{} is a whole copy of {}, its secret with it; to restore, name it banter.db in an empty folder",
        file.display(),
        data.display()
    ));
    Ok(())
}
