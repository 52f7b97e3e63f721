//! A Banter that was started for a measurement, and the people and rooms in it.
//!
//! Everything is put in over REST, as an app would, so that nothing here depends on how the
//! server keeps it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::Result;
use crate::http::Connection;
use crate::load::send_all;
use crate::postgres::Database;
use crate::process::{Program, cpu_us};
use crate::request::Asker;

const APP: &str = "bench";
const API_KEY: &str = "bench-api-key-0123456789abcdef";
/// As long as a real one need be.
pub(crate) const CLIENT_KEY: &str = "bench-client-key-0123456789abcdef";
/// How many connections put people and relations in: as many as the server has to its database, so that none
/// waits for one too long where others keep the machine busy.
const HANDS: usize = 16;

/// How the server is started.
#[derive(Debug, Clone)]
pub(crate) struct Builder {
    /// The binary.
    pub(crate) server: PathBuf,
    /// What it is told so that nothing but the machine holds it back, as far as it can be told.
    unlimited: Vec<String>,
}

/// CPU time so far, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    /// The server's.
    pub(crate) server: f64,
    /// Its database's, where that is another program.
    pub(crate) database: f64,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) program: Program,
    database: Option<Database>,
}

impl Builder {
    /// Finds out what this server can be told.
    pub(crate) fn new(server: &Path) -> Result<Self> {
        let help = Command::new(server).args(["serve", "--help"]).output();
        let help = help.map_err(|error| {
            format!("{} cannot be run ({error}); build it first: cargo build --release", server.display())
        })?;
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let mut unlimited = Vec::new();
        // No limit of calls; and connections may be silent for as long as a change takes.
        for (flag, value) in [("--rate-limit", "0"), ("--header-timeout", "600")] {
            if help.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-')).any(|word| word == flag) {
                unlimited.extend([flag.to_owned(), value.to_owned()]);
            } else {
                eprintln!("note: `serve --help` does not name {flag}");
            }
        }
        Ok(Self { server: server.to_owned(), unlimited })
    }

    /// Starts a server on a data folder.
    pub(crate) fn serve(&self, data: &Path) -> Result<House> {
        Ok(House { program: Program::start(&mut self.command(data), &data.with_extension("log"))?, database: None })
    }

    /// Starts a server on a database beside it; the folder holds the rest.
    pub(crate) fn serve_database(&self, data: &Path, database: Database) -> Result<House> {
        let secret = data.with_extension("secret");
        std::fs::write(&secret, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n")?;
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let mut command = self.command(data);
        command.arg("--database").arg(&database.url).arg("--secret-file").arg(&secret);
        Ok(House { program: Program::start(&mut command, &data.with_extension("log"))?, database: Some(database) })
    }

    fn command(&self, data: &Path) -> Command {
        let mut command = Command::new(&self.server);
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--app-id",
            APP,
            "--api-key",
            API_KEY,
            "--client-key",
            CLIENT_KEY,
        ]);
        command.args(&self.unlimited).arg("--data").arg(data);
        command
    }

    /// Imports a file into a data folder.
    pub(crate) fn import(&self, data: &Path, file: &Path) -> Result<()> {
        let mut command = Command::new(&self.server);
        command.arg("import").arg("--data").arg(data).args(["--app-id", APP]).arg(file);
        let done = command.output()?;
        if done.status.success() {
            return Ok(());
        }
        Err(format!("{command:?}: {}\n{}", done.status, String::from_utf8_lossy(&done.stderr)).into())
    }
}

impl House {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.program.address
    }

    /// How durable its database beside it is.
    pub(crate) fn durability(&self) -> Option<&str> {
        self.database.as_ref().map(|database| database.durability.as_str())
    }

    /// CPU time it took so far.
    pub(crate) fn clock(&self) -> Result<Clock> {
        let database = self.database.as_ref().map(|database| database.backends.cpu_us()).unwrap_or_default();
        Ok(Clock { server: cpu_us(self.program.pid())?, database })
    }

    /// Stops it and drops its database.
    pub(crate) async fn close(self) -> Result<()> {
        self.program.stop()?;
        if let Some(database) = &self.database {
            database.drop_it().await?;
        }
        Ok(())
    }

    /// The platform, who may do everything.
    pub(crate) fn platform(&self) -> Asker {
        Asker::Platform(API_KEY.to_owned())
    }

    /// Sends every request once; each must be answered with 200.
    pub(crate) async fn send_all(&self, requests: Vec<Vec<u8>>) -> Result<()> {
        send_all(self.address(), requests, HANDS).await?;
        Ok(())
    }

    /// Creates users, or gives them the profile of this version.
    pub(crate) async fn people(&self, ids: &[String], version: usize) -> Result<()> {
        self.send_all(profiles(&self.platform(), ids, version)).await
    }

    /// Issues a token to each, creating who is not there yet.
    pub(crate) async fn tokens(&self, ids: &[String]) -> Result<Vec<Asker>> {
        let share = ids.len().div_ceil(HANDS).max(1);
        let hands = futures_util::future::join_all(ids.chunks(share).map(|some| self.tokens_of(some))).await;
        let mut askers = Vec::with_capacity(ids.len());
        for some in hands {
            askers.extend(some?);
        }
        Ok(askers)
    }

    async fn tokens_of(&self, ids: &[String]) -> Result<Vec<Asker>> {
        let mut connection = Connection::open(self.address()).await?;
        let mut askers = Vec::with_capacity(ids.len());
        for id in ids {
            let request = self.platform().post("/admin/clients", &json!({ "_id": id, "issueAccessToken": true }));
            let whole = connection.fetch(&request).await?;
            let said: Value = serde_json::from_slice(&whole.body)?;
            let token = said.pointer("/result/token").and_then(Value::as_str);
            let token = token.ok_or_else(|| format!("no token for {id}: {said}"))?.to_owned();
            askers.push(Asker::User { client_key: CLIENT_KEY.to_owned(), token });
        }
        Ok(askers)
    }

    /// Asks once and keeps the answer, which must be a 200.
    pub(crate) async fn fetch(&self, request: &[u8]) -> Result<crate::http::Whole> {
        let whole = Connection::open(self.address()).await?.fetch(request).await?;
        if whole.answer.status == 200 {
            return Ok(whole);
        }
        let line =
            String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
        Err(format!("{line} answered {}: {}", whole.answer.status, String::from_utf8_lossy(&whole.body)).into())
    }
}

/// Requests that give each the profile of this version, a thousand a request.
pub(crate) fn profiles(platform: &Asker, ids: &[String], version: usize) -> Vec<Vec<u8>> {
    let profile = |id: &String| json!({ "_id": id, "nickname": nickname(id, version), "avatarUrl": format!("https://cdn.example.com/avatars/{id}.jpg") });
    let call = |some: &[String]| {
        let data: Vec<Value> = some.iter().map(profile).collect();
        platform.post("/admin/clients/list", &json!({ "data": data }))
    };
    ids.chunks(1000).map(call).collect()
}

/// What somebody is called in a version of his profile; always as long.
pub(crate) fn nickname(id: &str, version: usize) -> String {
    format!("Name {version:06} of {id}")
}

/// `prefix0000`, `prefix0001`, …
pub(crate) fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number:05}")).collect()
}
