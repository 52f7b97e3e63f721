//! Apple's and Google's push services, as far as a server can tell: they check who asks, remember
//! what they were given, and answer as they were told to.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::routing::post;
use banter_server::config::Push;
use banter_server::push::PushSettings;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

/// The public halves of `tests/keys`.
const APNS_KEY: &str = "BCRhp9lXcgNvC0gftGAS+8QMdXVJgNAacTnwtE5zmk2nzvJDO6yestcq7QvP5v1dQ0PcwfLXYXhB0EfeZfip/0I=";
const FCM_KEY: &str = "MIIBCgKCAQEA7s5jBpKnjVdPUZWnBRAscQauOnHMzfM//XxcVnG/6btiRxiu6lzlf03UU2gmJ5lb5FKhN0V3wspvE1T7k9VQ1ESbmeu4maP7bFA6sLew0c/jsmoQulnBeLwEn8+fvILzyBtKirafDnCTTXCmIkTPgiZegLlvGvpkMrJeZpK+Qk3/DD605bhNHaix82CgZOuhvyThnY3RIRTOKGUQl3psEF/M9jIoBr2wItXIr9W2KEJtSrAeUPSJcAswsWPPP2dh+jUd504u3CXmIbmxJrJncsjaf3NjnkHrmiqu4T5X3T53BYlDHt+H9OhwfVLhWxqs9QhdRb8TX88m6VvcoizxxQIDAQAB";

/// How long a push may take that surely comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A push that came.
#[derive(Debug, Clone)]
pub(crate) struct Pushed {
    pub(crate) token: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Pushed {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What is answered to one push, once.
#[derive(Clone)]
pub(crate) enum Answers {
    At(u16, Value),
    /// The same, but not before it is let go.
    Held(u16, Value, Arc<Notify>),
}

#[derive(Default)]
struct Inner {
    base: Mutex<String>,
    pushed: watch::Sender<Vec<Pushed>>,
    answers: Mutex<HashMap<String, VecDeque<Answers>>>,
    /// How often an access token was asked for.
    accesses: Mutex<usize>,
}

/// Both services.
#[derive(Clone, Default)]
pub(crate) struct Services(Arc<Inner>);

impl Services {
    /// They listen on a port of their own.
    pub(crate) async fn start() -> Self {
        let services = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        *services.0.base.lock().unwrap() = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new()
            .route("/3/device/{token}", post(apple))
            .route("/v1/projects/sample/messages:send", post(google))
            .route("/token", post(access))
            .with_state(services.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        services
    }

    /// What a server is set up with to use them.
    pub(crate) fn settings(&self) -> PushSettings {
        let base = self.0.base.lock().unwrap().clone();
        let keys = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/keys");
        let settings = Push {
            apns_key_file: Some(keys.join("apns.p8")),
            apns_key_id: Some("KEY1".to_owned()),
            apns_team_id: Some("TEAM1".to_owned()),
            apns_topic: Some("io.sample.app".to_owned()),
            apns_url: base.clone(),
            fcm_account_file: Some(keys.join("fcm.json")),
            fcm_url: base.clone(),
            fcm_token_url: Some(format!("{base}/token")),
        };
        PushSettings { pause: Duration::from_millis(5), ..settings.settings().expect("good settings") }
    }

    /// The next pushes to a device are answered so, each once.
    pub(crate) fn answer<const N: usize>(&self, token: &str, answers: [Answers; N]) {
        self.0.answers.lock().unwrap().entry(token.to_owned()).or_default().extend(answers);
    }

    /// Waits for the so-many-th push to a device.
    pub(crate) async fn gets_nth(&self, token: &str, nth: usize) -> Pushed {
        let find = |all: &Vec<Pushed>| all.iter().filter(|one| one.token == token).nth(nth - 1).cloned();
        let mut pushed = self.0.pushed.subscribe();
        let waited = tokio::time::timeout(PATIENCE, pushed.wait_for(|all| find(all).is_some())).await.map(|_| ());
        assert!(waited.is_ok(), "no push {nth} to {token}: {:#?}", self.all());
        find(&self.all()).expect("it came")
    }

    /// Waits for the first push to a device.
    pub(crate) async fn gets(&self, token: &str) -> Pushed {
        self.gets_nth(token, 1).await
    }

    /// All pushes that came, answered well or not.
    pub(crate) fn all(&self) -> Vec<Pushed> {
        self.0.pushed.borrow().clone()
    }

    /// How many came to a device.
    pub(crate) fn count(&self, token: &str) -> usize {
        self.all().iter().filter(|one| one.token == token).count()
    }

    /// How often an access token was asked for.
    pub(crate) fn accesses(&self) -> usize {
        *self.0.accesses.lock().unwrap()
    }

    async fn took(&self, token: String, headers: HeaderMap, body: Value) -> (StatusCode, Json<Value>) {
        let answer = self.0.answers.lock().unwrap().get_mut(&token).and_then(VecDeque::pop_front);
        self.0.pushed.send_modify(|all| all.push(Pushed { token, headers, body }));
        let (status, body) = match answer {
            None => (200, json!({})),
            Some(Answers::At(status, body)) => (status, body),
            Some(Answers::Held(status, body, held)) => {
                held.notified().await;
                (status, body)
            }
        };
        (StatusCode::from_u16(status).expect("a status"), Json(body))
    }
}

fn bearer(headers: &HeaderMap) -> &str {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.strip_prefix("Bearer ").or_else(|| given.strip_prefix("bearer ")).unwrap_or_default()
}

/// What a token says, if it was signed with the key of the tests. `key`: which one it names.
fn signed(token: &str, algorithm: Algorithm, public: &DecodingKey, key: &str) -> Option<Value> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let named = decode_header(token).ok()?.kid?;
    let claims = decode::<Value>(token, public, &validation).ok()?.claims;
    (named == key).then_some(claims)
}

async fn apple(
    State(services): State<Services>,
    Path(token): Path<String>,
    version: Version,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    if version != Version::HTTP_2 {
        return (StatusCode::HTTP_VERSION_NOT_SUPPORTED, Json(json!({})));
    }
    let public = DecodingKey::from_ec_der(&STANDARD.decode(APNS_KEY).expect("base64"));
    let claims = signed(bearer(&headers), Algorithm::ES256, &public, "KEY1");
    match claims {
        Some(claims) if claims["iss"] == "TEAM1" && claims["iat"].is_i64() => services.took(token, headers, body).await,
        _ => (StatusCode::FORBIDDEN, Json(json!({"reason": "InvalidProviderToken"}))),
    }
}

async fn google(
    State(services): State<Services>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    if !bearer(&headers).starts_with("access-") {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": {"status": "UNAUTHENTICATED"}})));
    }
    let token = body["message"]["token"].as_str().unwrap_or_default().to_owned();
    services.took(token, headers, body).await
}

async fn access(State(services): State<Services>, form: String) -> (StatusCode, Json<Value>) {
    let refused = (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"})));
    let Some(assertion) =
        form.strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
    else {
        return refused;
    };
    let public = DecodingKey::from_rsa_der(&STANDARD.decode(FCM_KEY).expect("base64"));
    let Some(claims) = signed(assertion, Algorithm::RS256, &public, "key-2") else { return refused };
    let here = format!("{}/token", services.0.base.lock().unwrap());
    let scope = "https://www.googleapis.com/auth/firebase.messaging";
    if claims["iss"] != "banter@sample.example" || claims["aud"] != here.as_str() || claims["scope"] != scope {
        return refused;
    }
    let mut accesses = services.0.accesses.lock().unwrap();
    *accesses += 1;
    (StatusCode::OK, Json(json!({"access_token": format!("access-{accesses}"), "expires_in": 3600})))
}
