//! The request itself: where it may go, how it is signed, and what came back.
//!
//! An address is judged where it is used: the name is looked up here, and the connection is made to the
//! address that was judged and to no other. Redirects are not followed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use banter_chat::Delivery;
use banter_domain::address::is_public;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use sha2::Sha256;
use url::{Host, Url};

use super::bodies;
use crate::clock::hex;
use crate::config::ServeSettings;
use crate::http::answer::JSON;
use crate::outgoing;

/// The longest answer that is read, bytes.
const ANSWER: usize = 64 * 1024;
/// The longest reason that is written down, characters.
const REASON: usize = 200;

/// Who makes the requests.
pub(super) struct Asker {
    client: reqwest::Client,
    prefix: Option<Url>,
    /// May requests go anywhere?
    anywhere: bool,
}

/// Where a request goes.
pub(super) struct Place {
    url: Url,
    secrets: Vec<String>,
}

/// How it went.
pub(super) enum Went {
    /// It was taken; with what was answered, if that may count (200, and not too long).
    Arrived(Option<Vec<u8>>),
    /// It was not, and this is why.
    Failed(String),
    /// It was not made: the name leads where nobody may be led.
    Forbidden,
}

impl Place {
    /// Whom it asks.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

impl Asker {
    /// As the settings say. Errors: no client can be made.
    pub(super) fn new(settings: &ServeSettings) -> io::Result<Self> {
        let anywhere = settings.webhook_private;
        let client = outgoing::client().dns_resolver(Arc::new(Judging { anywhere }));
        Ok(Self {
            client: client.build().map_err(io::Error::other)?,
            prefix: settings.webhook_prefix.clone(),
            anywhere,
        })
    }

    /// Where a target is told. Errors: why nowhere.
    pub(super) fn place(&self, place: banter_chat::Place) -> Result<Place, &'static str> {
        let address = place.address.ok_or("there is no webhook any more")?;
        let url = located(&address, self.prefix.as_ref())?;
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        if !self.anywhere && literal.is_some_and(|address| !is_public(address)) {
            return Err("the address is not one of the public internet");
        }
        Ok(Place { url, secrets: place.secrets })
    }

    /// Makes the request.
    pub(super) async fn ask(&self, place: &Place, delivery: &Delivery, now_ms: i64) -> Went {
        let seconds = now_ms.div_euclid(1000);
        let signatures: Vec<String> =
            place.secrets.iter().map(|secret| format!("v1={}", signed(secret, seconds, &delivery.body))).collect();
        let request = self
            .client
            .post(place.url.clone())
            .header(CONTENT_TYPE, JSON)
            .header(USER_AGENT, concat!("banter/", env!("CARGO_PKG_VERSION")))
            .header("x-banter-event", delivery.event.map_or("", bodies::event_name))
            .header("x-banter-delivery", delivery.id.to_string())
            .header("x-banter-timestamp", seconds)
            .header("x-banter-signature", signatures.join(", "))
            .body(delivery.body.clone());
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if is_forbidden(&error) => return Went::Forbidden,
            Err(error) => return Went::Failed(cause(&error)),
        };
        let status = response.status();
        if status.is_redirection() {
            return Went::Failed(format!("answered {}: redirects are not followed", status.as_u16()));
        }
        if !status.is_success() {
            return Went::Failed(format!("answered {}", status.as_u16()));
        }
        if status.as_u16() != 200 {
            return Went::Arrived(None);
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER => body.extend_from_slice(&chunk),
                Ok(Some(_)) => {
                    tracing::warn!(delivery = %delivery.id, "what a webhook answered is too long to be read");
                    return Went::Arrived(None);
                }
                Ok(None) => return Went::Arrived(Some(body)),
                Err(error) => return Went::Failed(cause(&error)),
            }
        }
    }
}

/// The address of a webhook: absolute, or a key behind the prefix, and then under it. Errors: why it is
/// none.
fn located(address: &str, prefix: Option<&Url>) -> Result<Url, &'static str> {
    if let Some(url) = absolute(address) {
        return Ok(url);
    }
    if address.contains("://") {
        return Err("the webhook is no http or https address, or names a user");
    }
    let prefix = prefix.ok_or("the webhook is no http or https address, and no prefix is set")?;
    let url = Url::parse(&format!("{prefix}{address}")).ok().filter(|url| {
        // A key must not change whom it is told to, nor lead out from under the prefix.
        url.origin() == prefix.origin() && url.username().is_empty() && url.path().starts_with(prefix.path())
    });
    url.ok_or("the webhook is no key that the prefix can take")
}

/// An http or https address that names a host and no user.
pub(super) fn absolute(address: &str) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let plain = url.username().is_empty() && url.password().is_none();
    (["http", "https"].contains(&url.scheme()) && url.has_host() && plain).then_some(url)
}

/// HMAC-SHA-256 over `seconds.body`, in hex.
fn signed(secret: &str, seconds: i64, body: &str) -> String {
    // A key of any length will do, so this never fails.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// The innermost reason, without the address: it may hold a key.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string().chars().filter(|c| !c.is_control()).take(REASON).collect()
}

fn is_forbidden(error: &reqwest::Error) -> bool {
    let mut inner: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(source) = inner {
        if source.is::<Forbidden>() {
            return true;
        }
        inner = source.source();
    }
    false
}

/// A name has no address that may be asked.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address of the public internet")]
struct Forbidden;

/// Looks names up, and gives only addresses that may be asked.
struct Judging {
    anywhere: bool,
}

impl Resolve for Judging {
    fn resolve(&self, name: Name) -> Resolving {
        let anywhere = self.anywhere;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let known = !found.is_empty();
            let good: Vec<SocketAddr> =
                found.into_iter().filter(|address| anywhere || is_public(address.ip())).collect();
            if known && good.is_empty() {
                return Err(Forbidden.into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_absolute_or_a_key_behind_the_prefix() {
        let prefix = Url::parse("https://robots.example/hooks/").unwrap();
        let goes = |address: &str| located(address, Some(&prefix)).map(String::from);
        assert_eq!(goes("http://x.example/a?b=c").unwrap(), "http://x.example/a?b=c");
        assert_eq!(goes("robot001").unwrap(), "https://robots.example/hooks/robot001");
        assert_eq!(goes("robot001?x=1").unwrap(), "https://robots.example/hooks/robot001?x=1");
        for bad in [
            "../admin",
            "a/../../admin",
            "%2e%2e/admin",
            "ftp://x.example/",
            "http://user@x.example/",
            "http://:password@x.example/",
            "https://",
            "file:///etc/passwd",
        ] {
            assert!(goes(bad).is_err(), "{bad}");
        }
        assert!(located("robot001", None).is_err());
    }

    #[test]
    fn a_key_does_not_choose_another_host() {
        let prefix = Url::parse("https://robots.example").unwrap();
        // A URL without a path ends with a slash, whatever the setting says.
        assert_eq!(located(".evil.example/", Some(&prefix)).unwrap().host_str(), Some("robots.example"));
        assert_eq!(located("@evil.example/", Some(&prefix)).unwrap().host_str(), Some("robots.example"));
    }

    #[test]
    fn a_literal_address_is_judged_however_it_is_spelt() {
        let asker = |anywhere| {
            let settings = ServeSettings { webhook_private: anywhere, ..ServeSettings::default() };
            Asker::new(&settings).unwrap()
        };
        let (careful, careless) = (asker(false), asker(true));
        let place = |address: &str| banter_chat::Place { address: Some(address.to_owned()), secrets: Vec::new() };
        for inside in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://0/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1:8080/",
            "http://１２７.0.0.1/",
        ] {
            assert!(careful.place(place(inside)).is_err(), "{inside}");
            assert!(careless.place(place(inside)).is_ok(), "{inside}");
        }
        assert!(careful.place(place("http://93.184.215.14/")).is_ok());
    }

    #[test]
    fn a_signature_is_what_everybody_computes() {
        // RFC 4231, test case 2, with what we sign put in the place of its data.
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        assert_eq!(
            hex(&mac.finalize().into_bytes()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(signed("secret", 7, "{}").len(), 64);
        assert_ne!(signed("secret", 7, "{}"), signed("secret", 8, "{}"));
    }
}
