//! The edge over HTTP: one listener, one dispatcher, one route table.
//!
//! Handlers translate and do nothing else; what they may assume (who asks, valid ids, readable
//! bodies) is seen to before they run, and what they answer is finished after.

pub mod answer;
mod auth;
mod compress;
pub mod connections;
mod cors;
mod cursor;
mod dispatch;
pub mod extract;
mod limits;
pub mod limits_of_fields;
mod listen;
mod matcher;
pub mod metrics;
pub mod openapi;
pub mod routes;
mod service;
mod shape;
mod sockets;
pub mod token;
mod webhooks;

pub mod admin;
pub mod auths;
pub mod badges;
pub mod block_status;
pub mod config;
pub mod files;
pub mod groups;
pub mod invitations;
pub mod me;
pub mod members;
pub mod messages;
pub mod prefs;
pub mod push;
pub mod rooms;
pub mod search;
pub mod stickers;
pub mod users;
pub mod view;

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use axum::http::HeaderValue;
use banter_chat::Chat;
use bytes::Bytes;

use crate::clock::Senses;
use crate::config::ServeSettings;
use crate::errors::ApiError;

use self::token::Issuer;

pub use listen::Running;
pub(crate) use listen::listen;

/// What every handler can reach: `State(edge): State<Edge>`, then `edge.chat`.
#[derive(Clone)]
pub struct Edge(Arc<Parts>);

/// The parts behind [`Edge`].
pub struct Parts {
    /// The actions.
    pub chat: Arc<Chat>,
    /// How this server was set up.
    pub settings: ServeSettings,
    /// Makes tokens for users.
    pub issuer: Issuer,
    /// Who is connected.
    pub connections: Arc<connections::Connections>,
    /// What is counted.
    pub metrics: metrics::Metrics,
    /// Clock and randomness.
    pub senses: Senses,
    limits: limits::Limits,
    /// Set when the server listens.
    sockets: OnceLock<Arc<sockets::Sockets>>,
    /// The same.
    hooks: OnceLock<Arc<webhooks::Hooks>>,
    matcher: matcher::Matcher,
    request_ids: RequestIds,
    document: OnceLock<Bytes>,
}

/// Names requests: four random bytes for the process, then a count, in hex.
struct RequestIds {
    process: [u8; 4],
    count: AtomicU32,
}

impl RequestIds {
    fn next(&self) -> HeaderValue {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 0xf)).copied().unwrap_or(b'0');
        let [a, b, c, d] = self.process;
        let [e, f, g, h] = self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut text = [0; 16];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *pair = [digit(byte >> 4), digit(byte)];
        }
        // Hex digits always make a header.
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("0"))
    }
}

impl Edge {
    /// The edge over a chat. Errors: the system gives no random bytes.
    pub(crate) fn new(settings: ServeSettings, chat: Arc<Chat>) -> std::io::Result<Self> {
        let senses = settings.senses.clone();
        let routes = routes::routes();
        let metrics = metrics::Metrics::new(&routes);
        metrics.watch(chat.store(), senses.elapsed.clone());
        Ok(Self(Arc::new(Parts {
            chat,
            issuer: Issuer::new(&settings.secret.0, settings.token_days, senses.clone()),
            connections: Arc::new(connections::Connections::new(senses.clone())),
            metrics,
            limits: limits::Limits::new(settings.rate_limit, settings.poll_openings),
            sockets: OnceLock::new(),
            hooks: OnceLock::new(),
            matcher: matcher::Matcher::new(routes),
            request_ids: RequestIds { process: senses.bytes::<4>()?, count: AtomicU32::new(0) },
            document: OnceLock::new(),
            senses,
            settings,
        })))
    }

    /// Without keeping the parts alive.
    fn downgrade(&self) -> Weak<Parts> {
        Arc::downgrade(&self.0)
    }

    /// The edge again, if its parts are still there.
    fn upgrade(parts: &Weak<Parts>) -> Option<Self> {
        parts.upgrade().map(Self)
    }

    /// The OpenAPI document as bytes, made when first asked for. Errors: it cannot be written.
    fn document(&self) -> Result<Bytes, ApiError> {
        if let Some(document) = self.document.get() {
            return Ok(document.clone());
        }
        let written = serde_json::to_vec(&openapi::document(self.matcher.routes()));
        let written =
            Bytes::from(written.map_err(|error| ApiError::Fault(format!("the document cannot be written: {error}")))?);
        Ok(self.document.get_or_init(|| written).clone())
    }
}

impl Deref for Edge {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
