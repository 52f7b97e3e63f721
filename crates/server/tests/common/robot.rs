//! Somebody else's server: it hears what webhooks are told, and answers what the test wants.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long something may take that surely comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the robot answers.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    This(u16, Value),
    /// Go elsewhere.
    Redirect(String),
    /// Nothing, ever.
    Nothing,
}

#[derive(Clone)]
struct Mind {
    heard: UnboundedSender<Heard>,
    /// What it says next; then always an empty object.
    says: Arc<Mutex<VecDeque<Says>>>,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
    pub(crate) body: Value,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn event(&self) -> &str {
        self.body["event"].as_str().unwrap_or_default()
    }

    /// What was said, of a message.
    pub(crate) fn words(&self) -> &str {
        self.body["data"]["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn id(&self) -> &str {
        self.header("x-banter-delivery")
    }

    /// Is it signed with this secret, as the documentation says?
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
        mac.update(self.header("x-banter-timestamp").as_bytes());
        mac.update(b".");
        mac.update(&self.bytes);
        let sum: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        self.header("x-banter-signature").split(", ").any(|one| one == format!("v1={sum}"))
    }
}

/// A server of the test's own.
pub(crate) struct Robot {
    pub(crate) url: String,
    pub(crate) port: u16,
    heard: UnboundedReceiver<Heard>,
    says: Arc<Mutex<VecDeque<Says>>>,
}

impl Robot {
    pub(crate) async fn listens() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (tell, heard) = unbounded_channel();
        let says = Arc::<Mutex<VecDeque<Says>>>::default();
        let mind = Mind { heard: tell, says: says.clone() };
        let service = Router::new().fallback(hears).with_state(mind);
        tokio::spawn(async move { axum::serve(listener, service).await.expect("it serves") });
        Self { url: format!("http://127.0.0.1:{port}/hook"), port, heard, says }
    }

    /// What it says to the next request that nothing was said for yet.
    pub(crate) fn says(&self, what: Says) {
        self.says.lock().expect("a list").push_back(what);
    }

    /// From now on it is content with everything.
    pub(crate) fn forgets_what_to_say(&self) {
        self.says.lock().expect("a list").clear();
    }

    pub(crate) fn answers(&self, body: Value) {
        self.says(Says::This(200, body));
    }

    /// The next thing it is told.
    pub(crate) async fn hears(&mut self) -> Heard {
        let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        heard.expect("the robot is told").expect("it still listens")
    }

    /// The next message it is told.
    pub(crate) async fn hears_words(&mut self) -> String {
        let heard = self.hears().await;
        assert_eq!(heard.event(), "MESSAGE", "{heard:?}");
        heard.words().to_owned()
    }

    /// What it was told by now and nobody looked at, if anything.
    pub(crate) fn has_heard(&mut self) -> Option<Heard> {
        self.heard.try_recv().ok()
    }

    /// Nothing came that nobody looked at.
    pub(crate) fn hears_no_more(&mut self) {
        if let Ok(heard) = self.heard.try_recv() {
            panic!("nobody wanted to hear {heard:?}");
        }
    }
}

async fn hears(State(mind): State<Mind>, uri: Uri, headers: HeaderMap, bytes: Bytes) -> Response {
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    let says = mind.says.lock().expect("a list").pop_front();
    // A test that has ended hears nothing.
    let _ = mind.heard.send(Heard { path: uri.to_string(), headers, bytes, body });
    match says.unwrap_or(Says::This(200, json!({}))) {
        Says::This(status, body) => (StatusCode::from_u16(status).expect("a status"), body.to_string()).into_response(),
        Says::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response(),
        Says::Nothing => pending().await,
    }
}
