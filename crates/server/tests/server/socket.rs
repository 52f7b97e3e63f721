//! Sockets, by a client nobody here wrote: the official one, driven line by line over a pipe.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use crate::common::{Caller, House};

/// How long something may take that surely comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a socket heard: event and payload, in order.
pub(crate) type Heard = Vec<(String, Value)>;
type Answers = Arc<Mutex<HashMap<u64, oneshot::Sender<Result<Value, String>>>>>;
type Logs = Arc<Mutex<HashMap<String, watch::Sender<Heard>>>>;

/// The process that holds the clients of all tests.
struct Driver {
    /// It ends when its input does, with this process.
    _node: Child,
    stdin: Mutex<ChildStdin>,
    count: AtomicU64,
    answers: Answers,
    logs: Logs,
}

/// A client's socket. It is closed with the test.
pub(crate) struct Socket {
    name: String,
    driver: &'static Driver,
    heard: watch::Receiver<Heard>,
}

/// Where the clients are installed. `None`: nowhere, and that is fine.
pub(crate) fn clients() -> Option<PathBuf> {
    let folder = std::env::var_os("BANTER_TEST_CLIENTS").map(PathBuf::from);
    assert!(
        folder.is_some() || std::env::var_os("BANTER_TEST_ALL").is_none(),
        "BANTER_TEST_CLIENTS names no folder: run the tests through `make test`, which installs the clients"
    );
    folder
}

fn driver() -> Option<&'static Driver> {
    static DRIVER: OnceLock<Option<Driver>> = OnceLock::new();
    DRIVER.get_or_init(|| clients().map(|folder| Driver::start(&folder))).as_ref()
}

impl Driver {
    fn start(folder: &std::path::Path) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients/driver.js");
        let mut child = Command::new("node")
            .arg(script)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let (stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (answers, logs) = (Answers::default(), Logs::default());
        let to = (Arc::clone(&answers), Arc::clone(&logs));
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let line: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
                heard(line, &to.0, &to.1);
            }
        });
        Self { _node: child, stdin: Mutex::new(stdin), count: AtomicU64::new(1), answers, logs }
    }

    fn number(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    async fn does(&self, does: &str, mut command: Value) -> Result<Value, String> {
        let id = self.number();
        command["id"] = json!(id);
        command["does"] = json!(does);
        let (answer, answered) = oneshot::channel();
        self.answers.lock().expect("a lock").insert(id, answer);
        writeln!(self.stdin.lock().expect("a lock"), "{command}").expect("node takes it");
        tokio::time::timeout(PATIENCE, answered).await.expect("node answers in time").expect("node answers")
    }
}

fn heard(mut line: Value, answers: &Answers, logs: &Logs) {
    if let Some(id) = line["id"].as_u64() {
        // Nobody asks how a closing went.
        let Some(answer) = answers.lock().expect("a lock").remove(&id) else { return };
        let told = match line.get_mut("done") {
            Some(done) => Ok(done.take()),
            None => Err(line["failed"].to_string()),
        };
        // Who asked may have given up.
        let _ = answer.send(told);
        return;
    }
    let socket = line["socket"].as_str().expect("a name").to_owned();
    let event = line["event"].as_str().expect("an event").to_owned();
    let payload = line["payload"].as_array_mut().and_then(Vec::pop).unwrap_or_default();
    if let Some(log) = logs.lock().expect("a lock").get(&socket) {
        log.send_modify(|heard| heard.push((event, payload)));
    }
}

impl House {
    /// A socket on which nobody said who he is. `None`: there are no clients here.
    pub(crate) async fn socket(&self, options: Value) -> Option<Socket> {
        let driver = driver()?;
        let name = format!("s{}", driver.number());
        let (log, heard) = watch::channel(Vec::new());
        driver.logs.lock().expect("a lock").insert(name.clone(), log);
        let command = json!({ "socket": name, "base": self.base(), "options": options });
        driver.does("open", command).await.expect("the socket opens");
        Some(Socket { name, driver, heard })
    }

    /// Many sockets of one user at once, each of which says who it is as soon as it may; what each was answered.
    pub(crate) async fn enters_at_once(&self, user: &Caller, count: usize, transport: &str) -> Option<Vec<Value>> {
        let headers = json!({ "CLIENT_KEY": self.keys().client, "Authorization": user.token() });
        let command = json!({
            "base": self.base(), "options": { "transports": [transport] }, "count": count,
            "event": "auth2", "payload": [user.token(), headers],
        });
        let answers = driver()?.does("burst", command).await.expect("each is answered");
        Some(answers.as_array().expect("a list").clone())
    }

    /// A user's socket, as the web client opens it: he has said who he is, and hears.
    pub(crate) async fn listens(&self, user: &Caller) -> Option<Socket> {
        let socket = self.socket(json!({ "transports": ["websocket"] })).await?;
        let entered = socket.enters(self, user).await;
        assert_eq!(entered["RC"], 0, "{entered}");
        Some(socket)
    }
}

impl Socket {
    /// Says who he is.
    pub(crate) async fn enters(&self, house: &House, user: &Caller) -> Value {
        let headers = json!({ "CLIENT_KEY": house.keys().client, "Authorization": user.token() });
        self.asks("auth2", json!([user.token(), headers])).await
    }

    /// Says something and waits for the acknowledgement.
    pub(crate) async fn asks(&self, event: &str, payload: Value) -> Value {
        let command = json!({ "socket": self.name, "event": event, "payload": payload });
        self.driver.does("ask", command).await.expect("an acknowledgement")
    }

    /// Says something that needs none.
    pub(crate) async fn tells(&self, event: &str, payload: Value) {
        let command = json!({ "socket": self.name, "event": event, "payload": payload });
        self.driver.does("tell", command).await.expect("it is said");
    }

    /// Takes nothing more off the wire.
    pub(crate) async fn stops_reading(&self) {
        self.driver.does("pause", json!({ "socket": self.name })).await.expect("it stops");
    }

    /// All it heard so far.
    pub(crate) fn heard(&self) -> Heard {
        self.heard.borrow().clone()
    }

    /// Waits until it has heard such an event, and answers with its payload.
    pub(crate) async fn hears(&self, event: &str, such: impl Fn(&Value) -> bool) -> Value {
        let find = |heard: &Heard| heard.iter().find(|(name, payload)| name == event && such(payload)).cloned();
        let mut heard = self.heard.clone();
        let waited = heard.wait_for(|heard| find(heard).is_some());
        // Not kept: what it returns locks what was heard, and who looks again while somebody writes waits for himself.
        let waited =
            tokio::time::timeout(PATIENCE, waited).await.map(|heard| heard.ok().and_then(|heard| find(&heard)));
        let found = waited.unwrap_or_else(|_| panic!("{event} was not heard: {:#?}", self.heard()));
        found.expect("it was heard").1
    }

    /// Everything a user's socket was told of what happened before this call, and nothing after. A
    /// room is made for him: what happens in an app is told in its order, so when he hears of that
    /// room he has heard all before it.
    pub(crate) async fn heard_until_now(&self, house: &House, user: &Caller) -> Heard {
        let fence = format!("fence-{}", self.driver.number());
        house.room(&fence).owner(&user.id).await;
        let is_fence = |payload: &Value| decoded(payload)["_id"] == fence.as_str();
        self.hears("room", is_fence).await;
        self.heard().into_iter().take_while(|(_, payload)| !is_fence(payload)).collect()
    }
}

/// A payload as JSON, also if the socket asked for base64.
pub(crate) fn decoded(payload: &Value) -> Value {
    let bytes = payload.as_str().and_then(|text| STANDARD.decode(text).ok());
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_else(|| payload.clone())
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.driver.logs.lock().expect("a lock").remove(&self.name);
        let command = json!({ "id": 0, "does": "close", "socket": self.name });
        let _ = writeln!(self.driver.stdin.lock().expect("a lock"), "{command}");
    }
}
