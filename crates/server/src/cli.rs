//! The command line: one file per verb.
//!
//! Exit codes: 0 done, 1 it failed, 2 a setting cannot work. A failure is one line on stderr.

mod app;
mod backup;
mod demo;
mod import;
mod import_line;
mod serve;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use banter_chat::{Chat, Options};
use banter_domain::id::AppId;
use banter_store::{Claim, Remote, Store, Vault};
use clap::Parser;
use clap::error::ErrorKind;

use crate::clock::Senses;
use crate::config::{Cli, Command, Files, Place, Secret};

/// Why a command did not do what it was told.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// A setting cannot work; the text names it.
    Setting(String),
    /// It was tried and failed.
    Failed(String),
}

impl From<banter_store::Error> for Failure {
    fn from(error: banter_store::Error) -> Self {
        match error {
            banter_store::Error::Setting(why) => Self::Setting(why),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<banter_chat::Error> for Failure {
    fn from(error: banter_chat::Error) -> Self {
        match error {
            banter_chat::Error::Store(error) => error.into(),
            banter_chat::Error::AppExists(why) => Self::Setting(why),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Runs the binary.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misread(&error),
    };
    let done =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::from).and_then(|runtime| {
            runtime.block_on(async {
                match cli.command {
                    Command::Serve(serve) => serve::run(*serve).await,
                    Command::Demo(demo) => demo::run(*demo).await,
                    Command::Import(import) => import::run(import).await,
                    Command::App(command) => app::run(command).await,
                    Command::Backup(backup) => backup::run(backup).await,
                }
            })
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(why)) => complain(&why, 1),
        Err(Failure::Setting(why)) => complain(&why, 2),
    }
}

fn complain(why: &str, code: u8) -> ExitCode {
    let line: Vec<&str> = why.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // If stderr is gone, the exit code has to do.
    drop(writeln!(io::stderr(), "banter: {}", line.join(" ")));
    ExitCode::from(code)
}

/// Help and version go to stdout; anything else is a setting that cannot work.
fn misread(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            drop(error.print());
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            drop(error.print());
            ExitCode::from(2)
        }
        _ => complain(&first_paragraph(&error.to_string()), 2),
    }
}

fn first_paragraph(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A line on stdout. If nobody reads it, that is no reason to stop.
fn say(line: &str) {
    drop(writeln!(io::stdout(), "{line}"));
}

fn app_id(text: String) -> Result<AppId, Failure> {
    AppId::parse(text).map_err(|error| Failure::Setting(format!("--app-id: {error}")))
}

/// A key given on the command line must be one that can stand in a header.
fn checked_key(flag: &str, key: &str) -> Result<(), Failure> {
    if (1..=512).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(Failure::Setting(format!("{flag}: a key is 1 to 512 printable ASCII characters without spaces")))
    }
}

/// The given key, checked, or a random one.
fn key_or_random(flag: &str, given: Option<String>, senses: &Senses) -> Result<String, Failure> {
    match given {
        Some(key) => checked_key(flag, &key).map(|()| key),
        None => Ok(senses.key()?),
    }
}

/// Opens the database that the settings name, and the chat over it.
async fn open(place: &Place, options: Options, senses: &Senses) -> Result<(Arc<Chat>, Secret), Failure> {
    let (store, secret) = match &place.database {
        Some(url) => {
            let secret = shared_secret(place)?;
            let store = Store::postgres(url, usize::from(place.pg_connections)).await;
            (store.map_err(|error| Failure::Setting(format!("--database: {error}")))?, secret)
        }
        None => {
            let flag = |error| named("--data", error);
            // The folder is held first, so that of two first starts only one makes a secret.
            let claim = Claim::take(&place.data).map_err(flag)?;
            let secret = own_secret(&place.data, senses)?;
            (Store::sqlite_in(claim).map_err(flag)?, secret)
        }
    };
    let chat = chat(store, secret, options, senses)?;
    chat.resume().await?;
    Ok((chat, secret))
}

/// Where the bytes of files lie, as the settings say.
fn vault(files: &Files, place: &Place) -> Result<Vault, Failure> {
    let flag = |error| named("--files", error);
    let Some(address) = files.files.as_deref().and_then(|files| files.strip_prefix("s3://")) else {
        let folder = files.files.as_ref().map_or_else(|| place.data.join("files"), PathBuf::from);
        return Vault::folder(&folder).map_err(flag);
    };
    let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
    let (Some(access_key), Some(secret_key)) = (&files.s3_access_key, &files.s3_secret_key) else {
        return Err(Failure::Setting(
            "--s3-access-key and BANTER_S3_SECRET_KEY are needed with --files s3://".to_owned(),
        ));
    };
    if bucket.is_empty() {
        return Err(Failure::Setting("--files: s3:// names no bucket".to_owned()));
    }
    let remote = Remote {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: files.s3_endpoint.clone(),
        region: files.s3_region.clone(),
        access_key: access_key.clone(),
        secret_key: secret_key.clone(),
    };
    Vault::remote(&remote).map_err(flag)
}

fn named(flag: &str, error: banter_store::Error) -> Failure {
    match error {
        banter_store::Error::Setting(why) => Failure::Setting(format!("{flag}: {why}")),
        error => Failure::Failed(error.to_string()),
    }
}

fn chat(store: Store, secret: Secret, options: Options, senses: &Senses) -> Result<Arc<Chat>, Failure> {
    Ok(Arc::new(Chat::new(store, secret.0, senses.now_ms.clone(), senses.bytes::<5>()?, options)))
}

/// The secret that all nodes of a server share.
fn shared_secret(place: &Place) -> Result<Secret, Failure> {
    let (flag, text) = match (&place.secret_file, &place.secret) {
        (Some(file), _) => {
            let text = fs::read_to_string(file)
                .map_err(|error| Failure::Setting(format!("--secret-file {}: {error}", file.display())))?;
            ("--secret-file", text)
        }
        (None, Some(text)) => ("BANTER_SECRET", text.clone()),
        (None, None) => {
            return Err(Failure::Setting("--secret-file or BANTER_SECRET is needed with --database".to_owned()));
        }
    };
    let text = text.trim();
    if text.chars().count() < 32 {
        return Err(Failure::Setting(format!("{flag}: the secret must have at least 32 characters")));
    }
    Ok(Secret(blake3::derive_key("banter 2026 server secret", text.as_bytes())))
}

/// The secret of an embedded server: a file beside its database, made on the first start. The folder
/// is this process's own.
fn own_secret(data: &Path, senses: &Senses) -> Result<Secret, Failure> {
    let trouble = |error: io::Error| Failure::Setting(format!("--data {}: {error}", data.display()));
    let path = data.join("secret");
    let database = data.join("banter.db");
    if path.try_exists().map_err(trouble)? {
        let bytes = fs::read(&path).map_err(trouble)?;
        let secret = bytes
            .try_into()
            .map_err(|_| Failure::Setting(format!("--data: {} is not 32 bytes long", path.display())))?;
        return Ok(Secret(secret));
    }
    let restored = database.try_exists().map_err(trouble)?;
    let secret = if restored {
        // A restored backup brings its secret in itself.
        let note = Store::read_note(&database, SECRET_NOTE).map_err(|error| named("--data", error))?;
        note.as_deref().and_then(unhex).ok_or_else(|| {
            let why = "the database is there but its secret is not; without it no key or token can be recognised";
            Failure::Setting(format!("--data {}: {why}", data.display()))
        })?
    } else {
        senses.bytes::<32>()?
    };
    write_secret(data, &path, &secret).map_err(trouble)?;
    if restored {
        Store::remove_note(&database, SECRET_NOTE).map_err(|error| named("--data", error))?;
    }
    Ok(Secret(secret))
}

/// The file gets its name when it is whole. What an earlier start left unfinished is written over.
fn write_secret(data: &Path, path: &Path, secret: &[u8]) -> io::Result<()> {
    let partial = data.join("secret.partial");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(secret)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    // The name must be as durable as what is stored under its protection.
    fs::File::open(data)?.sync_all()
}

/// Under which name a backup carries the secret it was written under.
const SECRET_NOTE: &str = "secret";

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_secret_is_made_once_and_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("new");
        fs::create_dir(&data).expect("a folder");
        let secret = own_secret(&data, &Senses::real()).expect("a secret");
        assert!(own_secret(&data, &Senses::real()) == Ok(secret));
        let mode = fs::metadata(data.join("secret")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(data.join("secret"), "short").expect("a write");
        assert!(matches!(own_secret(&data, &Senses::real()), Err(Failure::Setting(_))));
        fs::remove_file(data.join("secret")).expect("a removal");
        fs::write(data.join("banter.db"), "").expect("a write");
        assert!(
            matches!(own_secret(&data, &Senses::real()), Err(Failure::Setting(_))),
            "a database without its secret"
        );
    }

    #[test]
    fn a_first_start_that_was_cut_off_is_made_up_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path();
        fs::write(data.join("secret.partial"), "shor").expect("a write");
        let secret = own_secret(data, &Senses::real()).expect("a secret");
        assert_eq!(fs::read(data.join("secret")).expect("a file"), secret.0);
        assert!(!data.join("secret.partial").exists());
    }

    #[test]
    fn a_shared_secret_must_be_long() {
        let place = |secret: Option<&str>| Place {
            data: ".".into(),
            database: Some("postgres://".into()),
            secret_file: None,
            secret: secret.map(str::to_owned),
            pg_connections: 1,
        };
        assert!(shared_secret(&place(None)).is_err());
        assert!(shared_secret(&place(Some(&"x".repeat(31)))).is_err());
        let long = "x".repeat(32);
        assert!(shared_secret(&place(Some(&long))) == shared_secret(&place(Some(&format!(" {long}\n")))));
    }

    #[test]
    fn files_lie_where_the_settings_say() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place {
            data: folder.path().join("data"),
            database: None,
            secret_file: None,
            secret: None,
            pg_connections: 1,
        };
        let files = |files: Option<&str>, key: Option<&str>| Files {
            files: files.map(str::to_owned),
            s3_endpoint: None,
            s3_region: "us-east-1".to_owned(),
            s3_access_key: key.map(str::to_owned),
            s3_secret_key: key.map(str::to_owned),
        };
        assert!(vault(&files(None, None), &place).is_ok() && place.data.join("files").is_dir());
        let other = folder.path().join("other").to_string_lossy().into_owned();
        assert!(vault(&files(Some(&other), None), &place).is_ok() && Path::new(&other).is_dir());
        assert!(vault(&files(Some("s3://bucket/prefix"), Some("key")), &place).is_ok());
        for (address, key) in [("s3://bucket/prefix", None), ("s3://", Some("key")), ("s3:///prefix", Some("key"))] {
            assert!(matches!(vault(&files(Some(address), key), &place), Err(Failure::Setting(_))), "{address}");
        }
    }

    #[test]
    fn a_bad_setting_is_told_in_one_line() {
        let error = Cli::try_parse_from(["banter", "serve", "--listen", "x"]).expect_err("refused");
        let line = first_paragraph(&error.to_string());
        assert!(line.contains("--listen") && !line.contains('\n'), "{line}");
        let error = Cli::try_parse_from(["banter", "import"]).expect_err("refused");
        let line = first_paragraph(&error.to_string());
        assert!(line.contains("--app-id") && line.contains("FILE") && !line.contains('\n'), "{line}");
    }
}
