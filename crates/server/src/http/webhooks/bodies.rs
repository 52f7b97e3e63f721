//! What is told, as it goes over the wire (rest.md 8).

use banter_chat::{App, Facts, HookTelling, NewDelivery};
use banter_domain::moderation::{Act, Denied};
use banter_domain::room::Room;
use banter_domain::webhook::HookEvent;
use serde::Serialize;
use serde_json::{Value, json};

use crate::errors::ApiError;
use crate::http::view::message::MessageView;
use crate::http::view::time::Iso;
use crate::http::view::user::{SenderView, ShortUser};

/// What an event is called on the wire.
pub(super) const fn event_name(event: HookEvent) -> &'static str {
    match event {
        HookEvent::Joined => "JOIN_ROOM",
        HookEvent::Added => "ADD_MEMBERS",
        HookEvent::Removed => "DELETE_MEMBERS",
        HookEvent::Message => "MESSAGE",
        HookEvent::Block => "BLOCK",
        HookEvent::Unblock => "UNBLOCK",
        HookEvent::Ban => "BAN",
        HookEvent::Unban => "UNBAN",
        HookEvent::Freeze => "FREEZE",
        HookEvent::Thaw => "UNFREEZE",
        HookEvent::Refused => "MESSAGE_REFUSED",
    }
}

/// What a room's webhook is told.
#[derive(Serialize)]
struct RoomBody<'a, T> {
    #[serde(rename = "appID")]
    app: &'a str,
    /// The app's own client: in whose name the platform acts.
    #[serde(rename = "clientID")]
    client: &'a str,
    #[serde(rename = "roomID")]
    room: &'a str,
    event: &'a str,
    #[serde(rename = "botState")]
    bot_state: &'a str,
    data: T,
}

impl<'a, T: Serialize> RoomBody<'a, T> {
    fn written(app: &'a App, room: &'a Room, event: HookEvent, data: T) -> serde_json::Result<String> {
        serde_json::to_string(&Self {
            app: app.id.as_str(),
            client: PLATFORM,
            room: room.id.as_str(),
            event: event_name(event),
            bot_state: &room.bot_state,
            data,
        })
    }
}

/// The app's own client, in every app.
const PLATFORM: &str = "platform";

#[derive(Serialize)]
struct People<'a> {
    room: &'a str,
    sender: SenderView<'a>,
    members: Vec<SenderView<'a>>,
}

/// What is written down to be told. `None`: it cannot be written, which the log says.
pub(super) fn delivery(app: &App, telling: HookTelling) -> Option<NewDelivery> {
    let HookTelling { id, target, event, facts } = telling;
    let written = match &facts {
        Facts::Message(message) => {
            let (room, message) = &**message;
            RoomBody::written(app, room, event, MessageView::of(&app.id, message))
        }
        Facts::People { room, by, people } => {
            let members = people.iter().map(SenderView::of).collect();
            let data = People { room: room.id.as_str(), sender: SenderView::of(by), members };
            RoomBody::written(app, room, event, data)
        }
        Facts::Relation { room, by, blocker, blockee, created_ms, updated_ms } => moderation(
            (app, event, Some(room.as_str())),
            json!({
                "room": room.as_str(),
                "sender": ShortUser::of(by),
                "blocker": ShortUser::of(blocker),
                "blockee": ShortUser::of(blockee),
                "createdAt": Iso::of(*created_ms),
                "updatedAt": Iso::of(*updated_ms),
            }),
        ),
        Facts::Frozen { room, by } => {
            moderation((app, event, Some(room.as_str())), json!({ "room": room.as_str(), "sender": ShortUser::of(by) }))
        }
        Facts::Refused { room, sender, why, count } => moderation(
            (app, event, room.as_ref().map(|room| room.as_str())),
            json!({
                "room": room.as_ref().map(|room| room.as_str()),
                "sender": ShortUser::of(sender),
                "reason": code(*why),
                "count": count,
            }),
        ),
    };
    match written {
        Ok(body) => Some(NewDelivery { id, target, event, body }),
        Err(error) => {
            tracing::error!(%error, event = event_name(event), "what is to be told cannot be written");
            None
        }
    }
}

/// What the app's own webhook is told.
fn moderation((app, event, room): (&App, HookEvent, Option<&str>), data: Value) -> serde_json::Result<String> {
    serde_json::to_string(&json!({
        "appID": app.id.as_str(),
        "clientID": PLATFORM,
        "roomID": room,
        "event": event_name(event),
        "data": data,
    }))
}

/// The code of the error table that the refused was answered with.
fn code(why: Denied) -> &'static str {
    ApiError::from(banter_chat::Error::Denied(why)).row(Act::Send).code
}
