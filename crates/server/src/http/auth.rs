//! Who asks (rest.md 0.2, R-20): found out from the headers, before the handler runs.
//!
//! 401 is for a bad token or API key and nothing else; clients take it for a lost session.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use banter_chat::{App, Caller, Who};
use banter_domain::id::UserId;
use banter_domain::moderation::Act;

use super::Edge;
use super::connections::Connection;
use super::files;
use super::routes::{Auth, Route};
use crate::errors::{ApiError, rows};

const API_KEY: HeaderName = HeaderName::from_static("im-api-key");
const CLIENT_KEY: HeaderName = HeaderName::from_static("im-client-key");
const TOKEN: HeaderName = HeaderName::from_static("im-authorization");
const CLIENT_ID: HeaderName = HeaderName::from_static("im-client-id");
/// Older names, with underscores that some proxies drop.
const OLD_API_KEY: HeaderName = HeaderName::from_static("api_key");
const OLD_CLIENT_KEY: HeaderName = HeaderName::from_static("client_key");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What a request shows. Nothing of it is checked yet.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shown<'a> {
    /// Present, perhaps empty.
    api_key: Option<&'a str>,
    /// Not empty.
    client_key: Option<&'a str>,
    /// Not empty, without `Bearer `.
    token: Option<&'a str>,
    /// Present, perhaps empty.
    client_id: Option<&'a str>,
}

impl<'a> Shown<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        // Bytes that are no text are no key of anybody's: they read as an empty one.
        let text = |name: &HeaderName| {
            headers.get(name).map(|value| std::str::from_utf8(value.as_bytes()).unwrap_or_default().trim())
        };
        let some = |name: &HeaderName| text(name).filter(|text| !text.is_empty());
        let bearer = |text: &'a str| match text.split_at_checked(7) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => token.trim_start(),
            _ => text,
        };
        Self {
            api_key: text(&API_KEY).or_else(|| text(&OLD_API_KEY)),
            client_key: some(&CLIENT_KEY).or_else(|| some(&OLD_CLIENT_KEY)),
            token: some(&TOKEN)
                .or_else(|| some(&axum::http::header::AUTHORIZATION))
                .map(bearer)
                .filter(|token| !token.is_empty()),
            client_id: text(&CLIENT_ID),
        }
    }
}

/// The user's token as a request shows it.
pub(super) fn token_shown(headers: &HeaderMap) -> Option<&str> {
    Shown::of(headers).token
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum Asking {
    /// Anybody: the route is public, or the address speaks for itself.
    Anybody,
    /// Somebody of an app, whose client key came alone.
    Of(Arc<App>),
    /// A user or the platform.
    Caller(Caller),
}

impl Asking {
    /// Whose key came with the request.
    pub(crate) fn app(&self) -> Option<&Arc<App>> {
        match self {
            Self::Anybody => None,
            Self::Of(app) => Some(app),
            Self::Caller(caller) => Some(&caller.app),
        }
    }
}

/// Finds out who calls a route.
pub(crate) async fn caller(
    edge: &Edge,
    route: &Route,
    (query, headers): (Option<&str>, &HeaderMap),
    connection: &Connection,
) -> Result<Asking, ApiError> {
    if route.auth == Auth::Public {
        return Ok(Asking::Anybody);
    }
    let shown = Shown::of(headers);
    if route.auth == Auth::Address && (files::is_signed(query) || shown == Shown::default()) {
        return Ok(Asking::Anybody);
    }
    let (app, who) = match (shown.api_key, route.auth) {
        (Some(key), _) => platform(edge, route, key, shown.client_id).await?,
        (None, Auth::ApiKey) => return Err(not_the_platform(edge, route, &shown).await?),
        (None, Auth::ClientKey) => {
            let key = shown.client_key.ok_or(rows::MISSING_CLIENT_KEY)?;
            let app = edge.chat.app_of_client_key(key).await?.ok_or(rows::INVALID_CLIENT_KEY)?;
            return Ok(Asking::Of(app));
        }
        (None, Auth::Client | Auth::Either | Auth::Address | Auth::Public) => user(edge, &shown).await?,
    };
    let address = address(edge, headers, connection);
    Ok(Asking::Caller(Caller { app, who, address: Some(address) }))
}

async fn platform(edge: &Edge, route: &Route, key: &str, client_id: Option<&str>) -> Result<(Arc<App>, Who), ApiError> {
    let strangers_get = if route.auth == Auth::ApiKey { route.strangers_get } else { rows::INVALID_API_KEY };
    let app = edge.chat.app_of_api_key(key).await?.ok_or(strangers_get)?;
    edge.limits.count(app.number)?;
    // Where only the platform calls, and where it reads who is banned from a room, it acts for nobody (rest.md 0.2,
    // a backend may send the header always.
    let for_nobody = route.auth == Auth::ApiKey || matches!(route.act, Act::Operate | Act::ListBans);
    let on_behalf_of = client_id.filter(|_| !for_nobody).map(UserId::parse).transpose()?;
    Ok((app, Who::Platform { on_behalf_of }))
}

/// The client key comes first, then the token; who shows neither has lost his session.
async fn user(edge: &Edge, shown: &Shown<'_>) -> Result<(Arc<App>, Who), ApiError> {
    let key = match (shown.client_key, shown.token) {
        (None, None) => return Err(rows::INVALID_TOKEN.into()),
        (None, Some(_)) => return Err(rows::MISSING_CLIENT_KEY.into()),
        (Some(key), _) => key,
    };
    let app = edge.chat.app_of_client_key(key).await?.ok_or(rows::INVALID_CLIENT_KEY)?;
    let token = shown.token.ok_or(rows::INVALID_TOKEN)?;
    let (id, token) = edge.chat.user_of_token(&app, token).await?.ok_or(rows::INVALID_TOKEN)?;
    Ok((app, Who::User { id, token }))
}

/// What somebody without an API key gets on a route of the platform's. A user with good
/// credentials may be told that he is not the platform; anybody else has shown bad ones.
async fn not_the_platform(edge: &Edge, route: &Route, shown: &Shown<'_>) -> Result<ApiError, ApiError> {
    if route.clients_get == route.strangers_get {
        return Ok(route.clients_get.into());
    }
    match user(edge, shown).await {
        Ok(_) => Ok(route.clients_get.into()),
        Err(ApiError::Row(_)) => Ok(route.strangers_get.into()),
        Err(fault) => Err(fault),
    }
}

/// From where: the peer, or what a trusted proxy says of it.
pub(super) fn address(edge: &Edge, headers: &HeaderMap, connection: &Connection) -> IpAddr {
    let forwarded = if edge.settings.trust_forwarded { forwarded(headers) } else { None };
    forwarded.unwrap_or(connection.peer)
}

/// The last entry is the one the proxy itself wrote; those before it came from outside.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn newer_names_win_over_older_ones() {
        let given = headers(&[
            ("im-api-key", "k"),
            ("api_key", "old"),
            ("im-client-key", "c"),
            ("client_key", "old"),
            ("im-authorization", "t"),
            ("authorization", "Bearer old"),
            ("im-client-id", "aaa"),
        ]);
        let expected = Shown { api_key: Some("k"), client_key: Some("c"), token: Some("t"), client_id: Some("aaa") };
        assert_eq!(Shown::of(&given), expected);
        let given = headers(&[("api_key", "k"), ("client_key", "c"), ("authorization", "bEaReR  t")]);
        assert_eq!(
            Shown::of(&given),
            Shown { api_key: Some("k"), client_key: Some("c"), token: Some("t"), client_id: None }
        );
    }

    #[test]
    fn one_bearer_is_stripped_and_no_more() {
        for (given, token) in [
            ("Bearer x", Some("x")),
            ("bearer Bearer x", Some("Bearer x")),
            ("Bearer ", Some("Bearer")),
            ("Bearerx", Some("Bearerx")),
            ("x", Some("x")),
            ("", None),
        ] {
            assert_eq!(Shown::of(&headers(&[("im-authorization", given)])).token, token, "{given}");
        }
    }

    #[test]
    fn an_empty_key_is_a_key_and_an_empty_token_is_none() {
        let given =
            headers(&[("im-api-key", ""), ("im-client-key", " "), ("im-authorization", ""), ("authorization", "t")]);
        assert_eq!(Shown::of(&given), Shown { api_key: Some(""), client_key: None, token: Some("t"), client_id: None });
        let mut bad = HeaderMap::new();
        bad.insert(API_KEY, HeaderValue::from_bytes(b"\xff\xfe").expect("opaque bytes"));
        assert_eq!(Shown::of(&bad).api_key, Some(""));
    }

    #[test]
    fn a_proxy_is_believed_in_its_last_word() {
        let given = headers(&[("x-forwarded-for", "1.2.3.4, 10.0.0.7")]);
        assert_eq!(forwarded(&given), Some(IpAddr::from([10, 0, 0, 7])));
        assert_eq!(forwarded(&headers(&[("x-forwarded-for", "unknown")])), None);
        assert_eq!(forwarded(&HeaderMap::new()), None);
    }
}
