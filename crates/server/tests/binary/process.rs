//! Running the binary.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::common::{House, Keys};
use crate::place::Place;

/// How long anything here may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("BANTER_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_banter")), PathBuf::from)
}

/// The binary whose locks can be taken away. `None`: it was not built, and that is fine.
pub(crate) fn sabotaged() -> Option<PathBuf> {
    let path = std::env::var_os("BANTER_SABOTAGED_BIN").map(PathBuf::from).filter(|path| path.exists());
    assert!(
        path.is_some() || std::env::var_os("BANTER_TEST_ALL").is_none(),
        "BANTER_SABOTAGED_BIN names no binary: run the tests through `make test`, which builds it"
    );
    path
}

/// A command of the binary, with nothing of this process's settings in its environment.
pub(crate) fn command(binary: PathBuf) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BANTER_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(words: &[&str], flags: &[String]) -> Output {
    command(binary()).args(words).args(flags).output().expect("the binary runs")
}

/// What a finished command said on one of its streams.
pub(crate) fn said(stream: &[u8]) -> String {
    String::from_utf8_lossy(stream).into_owned()
}

/// The keys of the app that servers are started with here.
pub(crate) fn keys() -> Keys {
    Keys { app: "SampleApp".to_owned(), api: "the-api-key-0123".to_owned(), client: "the-client-key".to_owned() }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    pub(crate) address: String,
}

impl Server {
    /// `banter serve` in a place, with the app of [`keys`], on a free port.
    pub(crate) fn start(place: &Place) -> Self {
        Self::start_as(command(binary()), place)
    }

    /// The same with another binary or environment.
    pub(crate) fn start_as(mut command: Command, place: &Place) -> Self {
        let Keys { app, api, client } = keys();
        command.args(["serve", "--listen", "127.0.0.1:0", "--rate-limit", "0", "--log-level", "warn"]);
        command.args(place.flags()).args(["--app-id", &app, "--api-key", &api, "--client-key", &client]);
        Self::of(command)
    }

    /// Any command that becomes a server.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let (line, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|text| line.send(text)));
        // Shown with a failing test.
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).for_each(|text| println!("  server: {text}")));
        let first = lines.recv_timeout(PATIENCE).expect("the server says that it listens");
        let address =
            first.strip_prefix("banter: listening on ").unwrap_or_else(|| panic!("not ready: {first}")).to_owned();
        Self { child, lines, address }
    }

    /// The app of [`keys`] on it.
    pub(crate) fn house(&self) -> House {
        House::new(self.address.clone(), keys())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line it prints.
    pub(crate) fn line(&self) -> String {
        self.next_line().expect("a line")
    }

    /// The next line it prints. Errors: it ended.
    pub(crate) fn next_line(&self) -> Result<String, std::sync::mpsc::RecvTimeoutError> {
        self.lines.recv_timeout(PATIENCE)
    }

    /// Sends a signal by name: `TERM`, `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let id = self.id();
        let (done, waited) = channel();
        let mut child = std::mem::replace(&mut self.child, Command::new("true").spawn().expect("true runs"));
        std::thread::spawn(move || done.send(child.wait()));
        match waited.recv_timeout(PATIENCE) {
            Ok(status) => status.expect("a status"),
            Err(_) => {
                let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
                panic!("the server does not end");
            }
        }
    }

    /// SIGKILL, now.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs an async test.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(test)
}
