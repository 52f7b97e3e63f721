//! Apple's service: HTTP/2, with tokens signed by a key of the operator's.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use banter_domain::push::{DeviceToken, Note, Says, Service};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::key::signed;
use super::{Carrier, Outcome, Sending, fault, reason, retry_after, told};
use crate::clock::Senses;
use crate::outgoing;

/// Where it is.
pub(crate) const URL: &str = "https://api.push.apple.com";
/// A signed token is good for an hour, and must not be renewed within twenty minutes.
const RENEWED_AFTER: Duration = Duration::from_secs(40 * 60);
/// A longer key for replacing an older notification is refused, bytes.
const COLLAPSE: usize = 64;

/// What the service knows the operator by.
#[derive(Debug, Clone)]
pub struct ApnsAccount {
    /// Where it is.
    pub url: String,
    /// Signs the tokens.
    pub key: EncodingKey,
    /// Which key.
    pub key_id: String,
    /// Whose.
    pub team_id: String,
    /// Which app: its bundle id.
    pub topic: String,
}

/// The service, reached over one connection that stays open.
pub(super) struct Apns {
    account: ApnsAccount,
    http: reqwest::Client,
    senses: Senses,
    /// The signed token, and when it was signed.
    token: Mutex<Option<(String, Duration)>>,
}

impl Apns {
    pub(super) fn new(account: ApnsAccount, senses: Senses) -> std::io::Result<Self> {
        let http = outgoing::client()
            // It speaks nothing else, and in the clear there is nobody to agree it with.
            .http2_prior_knowledge()
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Self { account, http, senses, token: Mutex::default() })
    }

    /// The token that shows who asks.
    fn bearer(&self) -> Result<String, String> {
        let now = (self.senses.elapsed)();
        let mut kept = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, since)) = &*kept
            && now.saturating_sub(*since) < RENEWED_AFTER
        {
            return Ok(token.clone());
        }
        let header = Header { kid: Some(self.account.key_id.clone()), ..Header::new(Algorithm::ES256) };
        let claims = json!({ "iss": self.account.team_id, "iat": (self.senses.now_ms)().div_euclid(1000) });
        let token = signed(&header, &claims, &self.account.key)?;
        *kept = Some((token.clone(), now));
        Ok(token)
    }

    /// The service says that a token is over: the next one is new.
    fn forget(&self, token: &str) {
        let mut kept = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_some_and(|(known, _)| known == token) {
            *kept = None;
        }
    }

    async fn try_once(&self, to: &DeviceToken, note: &Note) -> Outcome {
        let bearer = match self.bearer() {
            Ok(bearer) => bearer,
            Err(why) => return Outcome::Refused(why),
        };
        let path = utf8_percent_encode(to.reveal(), NON_ALPHANUMERIC);
        let mut request = self
            .http
            .post(format!("{}/3/device/{path}", self.account.url))
            .bearer_auth(&bearer)
            .header("apns-topic", note.topic.as_ref().unwrap_or(&self.account.topic))
            .header("apns-push-type", "alert")
            .header("apns-priority", "10")
            .json(&payload(note));
        if let Some(expires_s) = note.expires_s {
            request = request.header("apns-expiration", expires_s);
        }
        if let Some(collapse) = note.collapse.as_ref().filter(|key| key.len() <= COLLAPSE) {
            request = request.header("apns-collapse-id", collapse);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_builder() => return Outcome::Refused(fault(error)),
            Err(error) => {
                tracing::debug!(error = fault(error), "Apple's push service was not reached");
                return Outcome::Again(None);
            }
        };
        let (status, wait) = (response.status(), retry_after(&response));
        if status == StatusCode::OK {
            return Outcome::Delivered;
        }
        let reason = reason(&told(response).await, "reason");
        match (status, reason.as_str()) {
            (StatusCode::GONE, _) | (StatusCode::BAD_REQUEST, "BadDeviceToken" | "Unregistered") => Outcome::Gone,
            (StatusCode::FORBIDDEN, "ExpiredProviderToken") => {
                self.forget(&bearer);
                Outcome::Again(None)
            }
            (StatusCode::TOO_MANY_REQUESTS, _) => Outcome::Again(wait),
            (status, _) if status.is_server_error() => Outcome::Again(wait),
            (status, reason) => Outcome::Refused(format!("{} {reason}", status.as_u16())),
        }
    }
}

impl Carrier for Apns {
    fn service(&self) -> Service {
        Service::Apns
    }

    fn send<'a>(&'a self, token: &'a DeviceToken, note: &'a Note) -> Sending<'a> {
        Box::pin(self.try_once(token, note))
    }
}

/// A note as the service takes it, at most 4 KiB.
fn payload(note: &Note) -> Value {
    let mut alert = Map::new();
    if let Some(title) = &note.title {
        alert.insert("title".to_owned(), json!(title));
    }
    match (&note.says, &note.plain) {
        (Some(Says::Key { key, args }), _) => {
            alert.insert("loc-key".to_owned(), json!(key));
            alert.insert("loc-args".to_owned(), json!(args));
        }
        (Some(Says::Text(text)), _) | (None, Some(text)) => drop(alert.insert("body".to_owned(), json!(text))),
        (None, None) => {}
    }
    let mut aps = Map::new();
    if !alert.is_empty() {
        aps.insert("alert".to_owned(), Value::Object(alert));
    }
    if let Some(badge) = note.badge {
        aps.insert("badge".to_owned(), json!(badge));
    }
    if let Some(sound) = &note.sound {
        aps.insert("sound".to_owned(), json!(sound));
    }
    let mut payload = Map::from_iter([("aps".to_owned(), Value::Object(aps))]);
    if let Some(kind) = &note.kind {
        payload.insert("type".to_owned(), json!(kind));
    }
    if let Some(about) = &note.about {
        payload.insert("room".to_owned(), json!(about.room.as_str()));
        payload.insert("message".to_owned(), json!(about.message.to_string()));
        payload.insert("sender".to_owned(), json!(about.sender.as_str()));
    }
    Value::Object(payload)
}

#[cfg(test)]
mod tests {
    use banter_domain::id::{ObjectId, RoomId, UserId};
    use banter_domain::push::{About, SHOWN_CHARS, TITLE_CHARS};

    use super::*;

    #[test]
    fn the_longest_note_of_a_message_fits() {
        let longest = "\u{1F600}".repeat(255);
        let note = Note {
            title: Some("\u{1}".repeat(TITLE_CHARS)),
            says: Some(Says::Text("\u{1}".repeat(SHOWN_CHARS))),
            badge: Some(i64::MAX),
            sound: Some("default".to_owned()),
            about: Some(About {
                room: RoomId::parse(longest.as_str()).expect("an id"),
                message: ObjectId::from_bytes([255; 12]),
                sender: UserId::parse(longest.as_str()).expect("an id"),
            }),
            ..Note::default()
        };
        let size = payload(&note).to_string().len();
        assert!(size <= 4096, "{size}");
    }

    #[test]
    fn words_under_a_key_are_the_devices_own() {
        let says = Some(Says::Key { key: "im_loc_image".to_owned(), args: vec!["Ann".to_owned()] });
        let note = Note { title: Some("Den".to_owned()), says, plain: Some("a picture".to_owned()), ..Note::default() };
        let alert = json!({ "title": "Den", "loc-key": "im_loc_image", "loc-args": ["Ann"] });
        assert_eq!(payload(&note), json!({ "aps": { "alert": alert } }));
    }
}
