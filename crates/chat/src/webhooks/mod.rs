//! Telling others by request: an app of moderation, a room's robot of what happens in the room.
//!
//! What happened is read from the outbox, turned into deliveries ([`turn`]), and each target is told its
//! own in order ([`deliver`]). What a robot answers is an act like any other ([`reply`]).

mod deliver;
mod refusals;
mod reply;
mod turn;

use banter_domain::id::{ObjectId, RoomId};
use banter_domain::moderation::webhook_stands;
use banter_domain::record::Action;
use banter_domain::room::{Room, Standing};
use banter_domain::webhook::HookEvent;
use banter_store::View;
use serde_json::json;

pub use deliver::Place;
pub(crate) use refusals::Refusals;
pub use reply::Reply;
pub use turn::{Facts, HookTelling};

use crate::open::Open;
use crate::{Caller, Chat, Error, Result};

/// Under which name the reader of the outbox remembers how far he has come.
pub(crate) const READER: &str = "webhooks";

/// How long what is told is signed with the secret before as well, after it was replaced.
const GRACE_MS: i64 = 24 * 3_600_000;

/// Where an app is told of moderation.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where. `None`: nowhere.
    pub url: Option<String>,
    /// Of what.
    pub events: Vec<HookEvent>,
    /// When the secret was made, milliseconds. `None`: nobody has asked for one.
    pub secret_ms: Option<i64>,
    /// How many deliveries wait, to the app's own webhook and to those of its rooms.
    pub waiting: i64,
    /// How many are not tried any more.
    pub dead: i64,
}

impl Chat {
    /// Where the app is told of moderation, and how that goes.
    pub async fn webhook(&self, caller: &Caller) -> Result<Webhook> {
        let mut view = self.store.view(caller.app.number).await?;
        let row = view.webhook().await?.unwrap_or_default();
        let (waiting, dead) = view.count_deliveries().await?;
        let secret_ms = (row.secret_no > 0).then_some(row.rotated_ms);
        Ok(Webhook { events: told(&row.events), url: row.url, secret_ms, waiting, dead })
    }

    /// The app is told of moderation there, from now on; `events`: of what, none is everything. Answers
    /// with the secret that all its webhooks are signed with, if nobody has seen one yet.
    pub async fn set_webhook(
        &self,
        caller: &Caller,
        url: String,
        events: Vec<HookEvent>,
    ) -> Result<(Webhook, Option<String>)> {
        let mut open = self.begin(caller).await?;
        open.begin_webhooks().await?;
        let mut row = open.tx.lock_webhook().await?;
        let first = row.secret_no == 0;
        if first {
            (row.secret_no, row.rotated_ms) = (1, open.now_ms);
        }
        (row.url, row.events) = (Some(url), events);
        open.tx.save_webhook(&row).await?;
        open.audit(Action::Webhook, None, None, Some(json!({ "set": row.url })), None).await?;
        open.done().await?;
        let secret = first.then(|| self.hook_secret(caller.app.number, row.secret_no));
        Ok((self.webhook(caller).await?, secret))
    }

    /// The app is told of moderation no more. Errors: [`Error::NoWebhook`].
    pub async fn delete_webhook(&self, caller: &Caller) -> Result<()> {
        let mut open = self.begin(caller).await?;
        let mut row = open.tx.lock_webhook().await?;
        if row.url.take().is_none() {
            return Err(Error::NoWebhook);
        }
        open.tx.save_webhook(&row).await?;
        open.audit(Action::Webhook, None, None, Some(json!({ "set": null })), None).await?;
        open.done().await
    }

    /// A new secret for all webhooks of the app; for a day they are signed with the one before as well.
    pub async fn replace_hook_secret(&self, caller: &Caller) -> Result<String> {
        let mut open = self.begin(caller).await?;
        let mut row = open.tx.lock_webhook().await?;
        (row.secret_no, row.rotated_ms) = (row.secret_no + 1, open.now_ms);
        open.tx.save_webhook(&row).await?;
        open.audit(Action::Webhook, None, None, Some(json!({ "secret": row.secret_no })), None).await?;
        open.done().await?;
        Ok(self.hook_secret(caller.app.number, row.secret_no))
    }

    /// The `no`th secret of an app's webhooks. None is stored: each follows from the server's own.
    fn hook_secret(&self, app: i64, no: i64) -> String {
        self.hash("webhook-secret", &format!("{app}:{no}"))
    }

    /// What an app's webhooks are signed with at this moment: its secret, and the one before for a day.
    fn hook_secrets(&self, app: i64, row: &banter_store::HookRow) -> Vec<String> {
        let mut all = vec![self.hook_secret(app, row.secret_no)];
        if row.secret_no > 1 && self.now() < row.rotated_ms.saturating_add(GRACE_MS) {
            all.push(self.hook_secret(app, row.secret_no - 1));
        }
        all
    }
}

/// A room whose webhook listens.
async fn listening(view: &mut View, id: &RoomId) -> Result<Option<Room>> {
    let room = view.room(id).await?.filter(|room| room.webhook.as_ref().is_some_and(|webhook| !webhook.is_empty()));
    match room {
        Some(room) if stands(view, &room).await? => Ok(Some(room)),
        Some(_) | None => Ok(None),
    }
}

/// Could whoever set a room's webhook still do so?
async fn stands(view: &mut View, room: &Room) -> Result<bool> {
    let standing = match &room.webhook_by {
        Some(by) => view.standing(&room.id, by).await?,
        None => Standing::default(),
    };
    Ok(webhook_stands(room, standing))
}

/// An empty list stands for everything.
fn told(events: &[HookEvent]) -> Vec<HookEvent> {
    if events.is_empty() { HookEvent::MODERATION.to_vec() } else { events.to_vec() }
}

impl Open<'_> {
    /// From now on there may be a webhook to be told: what happens before this act is never told to it.
    pub(crate) async fn begin_webhooks(&mut self) -> Result<()> {
        let from: ObjectId = self.draw_event();
        Ok(self.tx.begin_cursor(READER, from).await?)
    }
}
