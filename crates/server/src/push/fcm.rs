//! Google's service: HTTP v1, with access tokens for a service account.

use std::time::Duration;

use banter_domain::push::{DeviceToken, Note, Says, Service};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::key::{Pem, signed};
use super::{Carrier, Outcome, Sending, fault, reason, retry_after, told};
use crate::clock::Senses;
use crate::outgoing;

/// Where it is.
pub(crate) const URL: &str = "https://fcm.googleapis.com";
/// What the access token is for.
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// How access tokens are asked for: `grant_type`, as it stands in a form.
const GRANT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
/// The question for an access token is good for so long, seconds.
const ASKED_S: i64 = 3600;
/// An access token is renewed so long before it ends.
const EARLY: Duration = Duration::from_secs(60);

/// A service account, as the operator gets it in a file.
#[derive(Debug, Clone)]
pub struct FcmAccount {
    /// Where the service is.
    pub url: String,
    /// Which project's devices.
    pub project: String,
    /// Who asks.
    pub email: String,
    /// Which key.
    pub key_id: Option<String>,
    /// Signs the questions for access tokens.
    pub key: EncodingKey,
    /// Where access tokens are to be had.
    pub token_url: String,
}

#[derive(Deserialize)]
struct AccountFile {
    project_id: String,
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: String,
}

impl FcmAccount {
    /// Reads an account file. Errors: why it is none.
    pub(crate) fn read(text: &str, url: String, token_url: Option<String>) -> Result<Self, String> {
        let file: AccountFile =
            serde_json::from_str(text).map_err(|error| format!("not a service account: {error}"))?;
        Ok(Self {
            url,
            project: file.project_id,
            email: file.client_email,
            key_id: file.private_key_id,
            key: Pem::rsa(&file.private_key)?,
            token_url: token_url.unwrap_or(file.token_uri),
        })
    }
}

/// The service.
pub(super) struct Fcm {
    account: FcmAccount,
    /// Where messages are sent.
    url: String,
    http: reqwest::Client,
    senses: Senses,
    /// The access token, and until when it is used. Locked while it is asked for: once is enough.
    access: Mutex<Option<(String, Duration)>>,
}

impl Fcm {
    pub(super) fn new(account: FcmAccount, senses: Senses) -> std::io::Result<Self> {
        let http = outgoing::client().build().map_err(std::io::Error::other)?;
        let url = format!("{}/v1/projects/{}/messages:send", account.url, account.project);
        Ok(Self { account, url, http, senses, access: Mutex::default() })
    }

    /// An access token that is good for now. Errors: what is to be done without one.
    async fn access(&self) -> Result<String, Outcome> {
        let mut kept = self.access.lock().await;
        if let Some((token, until)) = &*kept
            && (self.senses.elapsed)() < *until
        {
            return Ok(token.clone());
        }
        let now_s = (self.senses.now_ms)().div_euclid(1000);
        let header = Header { kid: self.account.key_id.clone(), ..Header::new(Algorithm::RS256) };
        let claims = json!({
            "iss": self.account.email, "scope": SCOPE, "aud": self.account.token_url,
            "iat": now_s, "exp": now_s + ASKED_S,
        });
        let assertion = signed(&header, &claims, &self.account.key).map_err(Outcome::Refused)?;
        let asked = (self.senses.elapsed)();
        let request = self
            .http
            .post(&self.account.token_url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("grant_type={GRANT}&assertion={assertion}"));
        let response = request.send().await.map_err(|error| {
            tracing::warn!(error = fault(error), "Google gives no access token");
            Outcome::Again(None)
        })?;
        let (status, wait) = (response.status(), retry_after(&response));
        let answer = told(response).await;
        let token = answer.get("access_token").and_then(Value::as_str);
        let life = answer.get("expires_in").and_then(Value::as_u64);
        match (token, life) {
            (Some(token), Some(life)) if status.is_success() => {
                let until = asked + Duration::from_secs(life).saturating_sub(EARLY);
                *kept = Some((token.to_owned(), until));
                Ok(token.to_owned())
            }
            _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Err(Outcome::Again(wait)),
            _ => Err(Outcome::Refused(format!("Google gives no access token: {}", status.as_u16()))),
        }
    }

    /// The service no longer takes an access token.
    async fn forget(&self, token: &str) {
        let mut kept = self.access.lock().await;
        if kept.as_ref().is_some_and(|(known, _)| known == token) {
            *kept = None;
        }
    }

    async fn try_once(&self, to: &DeviceToken, note: &Note) -> Outcome {
        let access = match self.access().await {
            Ok(access) => access,
            Err(outcome) => return outcome,
        };
        let now_s = (self.senses.now_ms)().div_euclid(1000);
        let request = self.http.post(&self.url).bearer_auth(&access).json(&payload(to, note, now_s));
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(error = fault(error), "Google's push service was not reached");
                return Outcome::Again(None);
            }
        };
        let (status, wait) = (response.status(), retry_after(&response));
        if status.is_success() {
            return Outcome::Delivered;
        }
        let error = told(response).await.get_mut("error").map(Value::take).unwrap_or_default();
        if is_gone(status, &error) {
            return Outcome::Gone;
        }
        match status {
            StatusCode::UNAUTHORIZED => {
                self.forget(&access).await;
                Outcome::Again(None)
            }
            StatusCode::TOO_MANY_REQUESTS => Outcome::Again(wait),
            status if status.is_server_error() => Outcome::Again(wait),
            status => Outcome::Refused(format!("{} {}", status.as_u16(), reason(&error, "status"))),
        }
    }
}

impl Carrier for Fcm {
    fn service(&self) -> Service {
        Service::Fcm
    }

    fn send<'a>(&'a self, token: &'a DeviceToken, note: &'a Note) -> Sending<'a> {
        Box::pin(self.try_once(token, note))
    }
}

/// Does the service say that it does not know the device? An answer that is not its own, such as a
/// proxy's 404, says nothing about a device; nor does an argument that is wrong elsewhere.
fn is_gone(status: StatusCode, error: &Value) -> bool {
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let details = || error.get("details").and_then(Value::as_array).into_iter().flatten();
    let unregistered = details().any(|detail| detail.get("errorCode").is_some_and(|code| code == "UNREGISTERED"));
    let violations = details().filter_map(|detail| detail.get("fieldViolations")?.as_array()).flatten();
    let names_token = violations.filter_map(|one| one.get("field")).any(|field| field == "message.token");
    unregistered
        || (status == StatusCode::NOT_FOUND && text("status") == "NOT_FOUND")
        || (status == StatusCode::BAD_REQUEST
            && text("status") == "INVALID_ARGUMENT"
            && (names_token || text("message").contains("registration token")))
}

/// A note as the service takes it. On Android and Apple's phones the app's own words are looked up by
/// their key; browsers know none.
fn payload(to: &DeviceToken, note: &Note, now_s: i64) -> Value {
    let mut shown = Map::new();
    let (mut android, mut browser, mut aps) = (Map::new(), Map::new(), Map::new());
    if let Some(title) = &note.title {
        shown.insert("title".to_owned(), json!(title));
    }
    match (&note.plain, &note.says) {
        (Some(text), _) | (None, Some(Says::Text(text))) => drop(shown.insert("body".to_owned(), json!(text))),
        (None, Some(Says::Key { key, args })) => {
            android.insert("body_loc_key".to_owned(), json!(key));
            android.insert("body_loc_args".to_owned(), json!(args));
            aps.insert("alert".to_owned(), json!({ "title": note.title, "loc-key": key, "loc-args": args }));
        }
        (None, None) => {}
    }
    if let Some(badge) = note.badge {
        android.insert("notification_count".to_owned(), json!(badge.clamp(0, i64::from(i32::MAX))));
        aps.insert("badge".to_owned(), json!(badge));
    }
    if let Some(sound) = &note.sound {
        android.insert("sound".to_owned(), json!(sound));
        aps.insert("sound".to_owned(), json!(sound));
    }
    if let Some(icon) = &note.icon {
        browser.insert("icon".to_owned(), json!(icon));
    }
    let mut data = Map::new();
    if let Some(kind) = &note.kind {
        data.insert("type".to_owned(), json!(kind));
    }
    if let Some(about) = &note.about {
        data.insert("room".to_owned(), json!(about.room.as_str()));
        data.insert("message".to_owned(), json!(about.message.to_string()));
        data.insert("sender".to_owned(), json!(about.sender.as_str()));
    }
    let mut for_android = json!({ "priority": "high", "notification": android });
    if let Some(fields) = for_android.as_object_mut() {
        if let Some(collapse) = &note.collapse {
            fields.insert("collapse_key".to_owned(), json!(collapse));
        }
        if let Some(expires_s) = note.expires_s {
            fields.insert("ttl".to_owned(), json!(format!("{}s", (expires_s - now_s).max(0))));
        }
    }
    let mut message = json!({
        "token": to.reveal(), "notification": shown, "data": data, "android": for_android,
        "apns": { "payload": { "aps": aps } },
    });
    if let (false, Some(fields)) = (browser.is_empty(), message.as_object_mut()) {
        fields.insert("webpush".to_owned(), json!({ "notification": browser }));
    }
    json!({ "message": message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_services_own_word_ends_a_device() {
        let detail = |detail: Value| json!({ "status": "INVALID_ARGUMENT", "message": "x", "details": [detail] });
        let (bad, missing) = (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND);
        for (status, error) in [
            (missing, json!({ "status": "NOT_FOUND", "message": "Requested entity was not found." })),
            (missing, detail(json!({ "errorCode": "UNREGISTERED" }))),
            (bad, detail(json!({ "fieldViolations": [{ "field": "message.token" }] }))),
            (bad, json!({ "status": "INVALID_ARGUMENT", "message": "The registration token is not a valid one" })),
        ] {
            assert!(is_gone(status, &error), "{status} {error}");
        }
        for (status, error) in [
            (missing, Value::Null),
            (bad, detail(json!({ "errorCode": "INVALID_ARGUMENT" }))),
            (bad, detail(json!({ "fieldViolations": [{ "field": "message.android.ttl" }] }))),
            (StatusCode::FORBIDDEN, detail(json!({ "errorCode": "SENDER_ID_MISMATCH" }))),
        ] {
            assert!(!is_gone(status, &error), "{status} {error}");
        }
    }

    #[test]
    fn plain_words_come_before_those_under_a_key() {
        let to = DeviceToken::parse("abc".to_owned()).expect("a token");
        let says = Some(Says::Key { key: "k".to_owned(), args: vec!["a".to_owned()] });
        let note = Note { says, expires_s: Some(100), ..Note::default() };
        let keyed = payload(&to, &note, 40);
        assert_eq!(keyed["message"]["android"]["notification"]["body_loc_key"], "k");
        assert_eq!(keyed["message"]["android"]["ttl"], "60s");
        let plain = payload(&to, &Note { plain: Some("words".to_owned()), ..note }, 140);
        assert_eq!(plain["message"]["notification"]["body"], "words");
        assert_eq!(plain["message"]["android"]["notification"].get("body_loc_key"), None);
        assert_eq!(plain["message"]["android"]["ttl"], "0s");
    }
}
