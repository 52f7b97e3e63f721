//! Notifications on their way to devices.
//!
//! [`follow`] reads the outbox and finds the devices, [`post`] asks for each of them what it may be
//! told at that moment and hands it to its service, behind [`Carrier`]: another service is another
//! file that implements it. Who may be told is decided in the domain. Nothing here knows HTTP requests
//! to this server, and no token of a device stands in a log line.

mod apns;
mod fcm;
mod follow;
mod key;
mod post;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use apns::ApnsAccount;
pub(crate) use apns::URL as APNS_URL;
use banter_chat::{Chat, Ears};
use banter_domain::id::UserId;
use banter_domain::push::{DeviceToken, Note, Service, shortened};
pub use fcm::FcmAccount;
pub(crate) use fcm::URL as FCM_URL;
pub(crate) use key::Pem;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::follow::Follower;
use self::post::Post;
use crate::clock::Senses;

/// So much of what a service answers is read, bytes.
const ANSWER: usize = 64 * 1024;

/// With what this server speaks to the services.
#[derive(Debug, Clone)]
pub struct PushSettings {
    /// With Apple's; `None`: not at all.
    pub apns: Option<ApnsAccount>,
    /// With Google's; `None`: not at all.
    pub fcm: Option<FcmAccount>,
    /// How long until a push that failed is tried again; twice as long each time after.
    pub pause: Duration,
}

impl Default for PushSettings {
    /// With nobody.
    fn default() -> Self {
        Self { apns: None, fcm: None, pause: Duration::from_millis(500) }
    }
}

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The service has it.
    Delivered,
    /// The service no longer knows the device.
    Gone,
    /// The service could not take it now; it says for how long, or not.
    Again(Option<Duration>),
    /// The service does not take it, and would not later. Why, in its own words.
    Refused(String),
}

/// How a push ended, for the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The service has it.
    Delivered,
    /// The service no longer knew the device.
    Gone,
    /// The service did not take it.
    Refused,
    /// The service could not be had for long enough.
    GivenUp,
}

impl End {
    /// As the figures call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::GivenUp => "given_up",
        }
    }
}

/// A try under way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Somebody who carries notifications to devices.
pub trait Carrier: Send + Sync {
    /// Which service.
    fn service(&self) -> Service;

    /// Tries once to tell a device.
    fn send<'a>(&'a self, token: &'a DeviceToken, note: &'a Note) -> Sending<'a>;
}

/// Is this user listening on a socket that hears?
pub(crate) type Listens = Arc<dyn Fn(i64, &UserId) -> bool + Send + Sync>;

/// Counts how pushes end, by service.
pub(crate) type Counted = Arc<dyn Fn(Service, End) + Send + Sync>;

/// All carriers at work.
pub(crate) struct Pushing {
    stop: watch::Sender<bool>,
    followers: JoinSet<()>,
}

impl Pushing {
    /// Begins. Without an account nothing is sent, and a line in the log says so. Errors: the system
    /// gives no client for requests.
    pub(crate) fn start(
        settings: &PushSettings,
        chat: &Arc<Chat>,
        senses: &Senses,
        listens: &Listens,
        counted: &Counted,
    ) -> std::io::Result<Self> {
        let mut carriers: Vec<Box<dyn Carrier>> = Vec::new();
        if let Some(account) = &settings.apns {
            carriers.push(Box::new(apns::Apns::new(account.clone(), senses.clone())?));
        }
        if let Some(account) = &settings.fcm {
            carriers.push(Box::new(fcm::Fcm::new(account.clone(), senses.clone())?));
        }
        if carriers.is_empty() {
            tracing::info!("no account of a push service is set: no device is notified");
        }
        let (stop, stopping) = watch::channel(false);
        let mut followers = JoinSet::new();
        for carrier in carriers {
            tracing::info!(service = carrier.service().name(), "devices are notified");
            let post =
                Post::new(carrier, chat.clone(), senses.clone(), settings.pause, listens.clone(), counted.clone());
            let follower = Arc::new(Follower::new(post));
            let ears: Arc<dyn Ears> = follower.clone();
            chat.heard_by(Arc::downgrade(&ears));
            followers.spawn(follower.run(stopping.clone()));
        }
        Ok(Self { stop, followers })
    }

    /// Begins nothing new from here on.
    pub(crate) fn wind_up(&self) {
        self.stop.send_replace(true);
    }

    /// Returns when what was in hand is done, and how far each app has come is written down.
    pub(crate) async fn ended(&mut self) {
        while self.followers.join_next().await.is_some() {}
    }
}

/// Returns when the server stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Nobody left to say so says so too.
    drop(stopping.wait_for(|stops| *stops).await);
}

/// What a service answered, if it is JSON and no more than can be meant.
async fn told(mut response: reqwest::Response) -> Value {
    let mut body = Vec::new();
    while let Ok(Some(part)) = response.chunk().await {
        if body.len() + part.len() > ANSWER {
            return Value::Null;
        }
        body.extend_from_slice(&part);
    }
    serde_json::from_slice(&body).unwrap_or_default()
}

/// How long a service asks to wait, in seconds; dates are nobody's habit there.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let text = response.headers().get(reqwest::header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// What a service says why, as far as it belongs into a log line.
fn reason(answer: &Value, name: &str) -> String {
    shortened(answer.get(name).and_then(Value::as_str).unwrap_or_default(), 64)
}

/// A fault of the way there: which kind, without the address, which holds the token.
fn fault(error: reqwest::Error) -> String {
    error.without_url().to_string()
}
