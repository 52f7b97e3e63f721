//! Tokens the server issues to users: JWT HS256, because the web client reads its user's id from
//! the token (rest.md 2.1).
//!
//! A token holds because its row is there, never because its signature is right: revoking one is a
//! delete. So nothing here verifies.

use banter_chat::Grant;
use banter_domain::user::Profile;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::clock::{Senses, hex};
use crate::errors::ApiError;

/// A day, in milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Makes tokens.
pub struct Issuer {
    key: EncodingKey,
    life_ms: i64,
    senses: Senses,
}

#[derive(Serialize)]
struct Claims<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<&'a str>,
    #[serde(rename = "avatarUrl", skip_serializing_if = "Option::is_none")]
    avatar_url: Option<&'a str>,
    iat: i64,
    exp: i64,
    // Two tokens issued in one second must differ: each can be revoked alone.
    jti: String,
}

impl Issuer {
    /// `secret`: the server's; the signing key is derived from it. `days`: how long a token lives.
    #[must_use]
    pub fn new(secret: &[u8; 32], days: u32, senses: Senses) -> Self {
        let key = EncodingKey::from_secret(&blake3::derive_key("banter 2026 user token signing key", secret));
        Self { key, life_ms: i64::from(days) * DAY_MS, senses }
    }

    /// How long an issued token, or a bound one without an expiry of its own, lives, in
    /// milliseconds.
    #[must_use]
    pub fn life_ms(&self) -> i64 {
        self.life_ms
    }

    /// A new token for `user`, who is shown as `profile` says, issued at `now_ms` (milliseconds
    /// since the epoch). It is worth nothing until the chat has stored it.
    ///
    /// Errors: [`ApiError::Fault`] when the system gives no random bytes.
    pub fn issue(&self, profile: &Profile, now_ms: i64) -> Result<Grant, ApiError> {
        self.issue_until(profile, now_ms, now_ms.saturating_add(self.life_ms))
    }

    /// As [`Issuer::issue`], for a token that runs out at `expires_ms`.
    pub fn issue_until(&self, profile: &Profile, now_ms: i64, expires_ms: i64) -> Result<Grant, ApiError> {
        let fault = |why: String| ApiError::Fault(format!("a token cannot be made: {why}"));
        let id = self.senses.bytes::<12>().map_err(|error| fault(error.to_string()))?;
        // `exp` counts seconds; rounded down, so that the client never shows a token that is over.
        let claims = Claims {
            id: profile.id.as_str(),
            nickname: profile.nickname.as_deref(),
            avatar_url: profile.avatar_url.as_deref(),
            iat: now_ms.div_euclid(1000),
            exp: expires_ms.div_euclid(1000),
            jti: hex(&id),
        };
        let token =
            encode(&Header::new(Algorithm::HS256), &claims, &self.key).map_err(|error| fault(error.to_string()))?;
        Ok(Grant { token, expires_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use banter_domain::id::UserId;
    use base64::Engine;

    #[test]
    fn a_token_tells_its_user_and_its_end() {
        let issuer = Issuer::new(&[7; 32], 7, Senses::real());
        let id = UserId::parse("aaa").expect("an id");
        let profile = Profile { id, nickname: Some("Alecia".into()), avatar_url: None, last_login_ms: 0 };
        let grant = issuer.issue(&profile, 1_000).expect("a token");
        assert_eq!(grant.expires_ms, 1_000 + 7 * DAY_MS);
        let payload = grant.token.split('.').nth(1).expect("three parts");
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64");
        let payload: serde_json::Value = serde_json::from_slice(&payload).expect("json");
        assert_eq!(
            (&payload["id"], &payload["iat"], &payload["exp"]),
            (&"aaa".into(), &1.into(), &(1 + 7 * 86_400).into())
        );
        assert!(payload.get("avatarUrl").is_none());
        let claims = |expires_ms: i64| {
            let token = issuer.issue_until(&profile, 0, expires_ms).expect("a token").token;
            let payload = token.split('.').nth(1).expect("three parts").to_owned();
            let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64");
            serde_json::from_slice::<serde_json::Value>(&payload).expect("json")
        };
        assert_eq!(claims(61_999)["exp"], 61, "no later than the server ends it");
        assert_ne!(issuer.issue(&profile, 1_000).expect("a token").token, grant.token);
    }
}
