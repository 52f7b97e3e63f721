//! A page of another origin in a real browser: preflights, exposed headers and both transports, as the
//! platform's web clients need them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::common::House;
use crate::socket::clients;

/// How long the browser may take to start and the page to do all its steps.
const PATIENCE: Duration = Duration::from_secs(120);

/// The browser. `None`: there is none here, and that is fine.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("BANTER_TEST_BROWSER").map(PathBuf::from);
    assert!(
        path.is_some() || std::env::var_os("BANTER_TEST_ALL").is_none(),
        "BANTER_TEST_BROWSER names no browser: run the tests through `make test`, which installs one"
    );
    path
}

/// A running browser, ended with the test.
struct Browser {
    child: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn open(path: &PathBuf, url: &str) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let quiet = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ];
        let mut command = Command::new(path);
        command.args(quiet).arg(format!("--user-data-dir={}", profile.path().display())).arg(url);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the browser starts");
        Self { child, _profile: profile }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves the page on an origin of its own, and waits for what it found out.
async fn found_out(browser: &PathBuf, bundle: String, query: &str) -> Value {
    let (tell, told) = oneshot::channel::<Value>();
    let tell = std::sync::Arc::new(Mutex::new(Some(tell)));
    let page = || async { Html(include_str!("../clients/page.html")) };
    let outcome = move |body: String| async move {
        if let Some(tell) = tell.lock().expect("a lock").take() {
            let _ = tell.send(serde_json::from_str(&body).expect("JSON"));
        }
    };
    let script = move || async move { ([(CONTENT_TYPE, "text/javascript")], bundle) };
    let router =
        Router::new().route("/", get(page)).route("/socket.io.js", get(script)).route("/outcome", post(outcome));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let _browser = Browser::open(browser, &format!("http://{address}/?{query}"));
    let outcome = tokio::time::timeout(PATIENCE, told).await.expect("the page is done in time").expect("an outcome");
    serving.abort();
    outcome
}

each_store! {
    async fn a_page_of_another_origin_does_what_a_client_does(house: House) {
        let (Some(browser), Some(clients)) = (browser(), clients()) else { return };
        house.room("den").owner("ann").members(["bob"]).await;
        let ann = house.user("ann").await;
        let bundle = clients.join("node_modules/socket.io-client/dist/socket.io.min.js");
        let bundle = std::fs::read_to_string(bundle).expect("the client's bundle");
        let query = format!("server={}&key={}&token={}", house.base(), house.keys().client, ann.token());
        let outcome = found_out(&browser, bundle, &query).await;
        let expected = json!({
            "rooms": 1,
            "prefs": true,
            "etag": [true, 304],
            "refusal": [401, "INVALID_TOKEN"],
            "banAndUnban": [200, 200],
            "read": 200,
            "reactAndRecall": [200, "recall"],
            "files": ["點.png", true, 1],
            "websocket": [0, true],
            "polling": [0, "ann"],
        });
        assert_eq!(outcome, expected);
    }
}
