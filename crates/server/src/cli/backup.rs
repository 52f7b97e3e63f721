//! `banter backup`.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use banter_store::Store;
use tempfile::TempDir;

use super::{Failure, SECRET_NOTE, named, say};
use crate::clock::hex;
use crate::config::Backup;

/// Copies the embedded database to a file, in one step: a reader of the file sees the old copy or
/// the new one. Each copy is written in a folder of its own beside the file.
pub(super) async fn run(backup: Backup) -> Result<(), Failure> {
    let Backup { data, file } = backup;
    if !data.join("banter.db").is_file() {
        return Err(Failure::Setting(format!("--data {}: there is no database in it", data.display())));
    }
    let secret = fs::read(data.join("secret"))
        .map_err(|error| Failure::Setting(format!("--data {}: its secret: {error}", data.display())))?;
    let store = Store::sqlite_beside(&data).map_err(|error| named("--data", error))?;
    let whole = std::path::absolute(&file)?;
    let folder = whole.parent().unwrap_or(&whole);
    // It goes with what is in it, also when the copy fails: what is half written is of no use.
    let workshop = workshop(folder)
        .map_err(|error| Failure::Setting(format!("the backup cannot be written to {}: {error}", file.display())))?;
    let copy = workshop.path().join("banter.db");
    store.backup(&copy).await?;
    // Without it no key or token in the copy could be recognised.
    Store::write_note(&copy, SECRET_NOTE, &hex(&secret))?;
    File::open(&copy)?.sync_all()?;
    fs::rename(&copy, &whole)?;
    File::open(folder)?.sync_all()?;
    say(&format!(
        "{} is a whole copy of {}, its secret with it; to restore, name it banter.db in an empty folder",
        file.display(),
        data.display()
    ));
    Ok(())
}

/// A folder nobody else uses, on the same file system as the copy.
fn workshop(beside: &Path) -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix(".banter-backup-").permissions(Permissions::from_mode(0o700)).tempdir_in(beside)
}
