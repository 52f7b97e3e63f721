//! Private keys as operators get them: PEM files in PKCS#8.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use pkcs8::{PrivateKeyInfo, SecretDocument};
use serde::Serialize;

/// A private key that was read, and what it can sign.
pub(crate) enum Pem {}

impl Pem {
    /// A key on the curve P-256, for ES256. Errors: why it is none.
    pub(crate) fn elliptic(text: &str) -> Result<EncodingKey, String> {
        let document = read(text)?;
        checked(EncodingKey::from_ec_der(document.as_bytes()), Algorithm::ES256)
    }

    /// An RSA key, for RS256. Errors: why it is none.
    pub(crate) fn rsa(text: &str) -> Result<EncodingKey, String> {
        let document = read(text)?;
        let inner: PrivateKeyInfo<'_> = document.decode_msg().map_err(|_| "the key is not PKCS#8".to_owned())?;
        checked(EncodingKey::from_rsa_der(inner.private_key), Algorithm::RS256)
    }
}

fn read(text: &str) -> Result<SecretDocument, String> {
    let (label, document) = SecretDocument::from_pem(text.trim()).map_err(|_| "the key is not PEM".to_owned())?;
    if label == "PRIVATE KEY" { Ok(document) } else { Err(format!("the key is a {label}, not a PRIVATE KEY (PKCS#8)")) }
}

/// A key that signs once signs again.
fn checked(key: EncodingKey, algorithm: Algorithm) -> Result<EncodingKey, String> {
    match signed(&Header::new(algorithm), &serde_json::json!({}), &key) {
        Ok(_) => Ok(key),
        Err(_) => Err(format!("the key does not sign {algorithm:?}")),
    }
}

/// A signed token. Errors: the key does not sign so.
pub(super) fn signed<T: Serialize>(header: &Header, claims: &T, key: &EncodingKey) -> Result<String, String> {
    encode(header, claims, key).map_err(|error| format!("a token cannot be signed: {error}"))
}
