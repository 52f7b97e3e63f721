//! What is said over sockets, each event once: its name, who hears it and what it carries. The document at
//! `/asyncapi.json` is made of this table.

use serde_json::{Map, Value, json};

use crate::http::openapi::info;
use crate::http::routes::{Kind, Shape};
use crate::http::view::invitation::InvitationView;
use crate::http::view::message::MessageView;
use crate::http::view::room::RoomView;
use crate::http::view::user::{FullUser, ShortUser};

/// What the server tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Message,
    Room,
    LastRead,
    Typing,
    RoomPref,
    PrefChange,
    PrefDelete,
    Invitation,
    InvitationCancelled,
    DeletedForOneself,
    BlockStatus,
}

impl Event {
    const ALL: [Self; 11] = [
        Self::Message,
        Self::Room,
        Self::LastRead,
        Self::Typing,
        Self::RoomPref,
        Self::PrefChange,
        Self::PrefDelete,
        Self::Invitation,
        Self::InvitationCancelled,
        Self::DeletedForOneself,
        Self::BlockStatus,
    ];

    /// Its name on the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Message => "chat message",
            Self::Room => "room",
            Self::LastRead => "lastRead",
            Self::Typing => "typing",
            Self::RoomPref => "roomPref",
            Self::PrefChange => "myPrefChange",
            Self::PrefDelete => "myPrefDelete",
            Self::Invitation => "invitation",
            Self::InvitationCancelled => "cancelInvitation",
            Self::DeletedForOneself => "userDeleteMessages",
            Self::BlockStatus => "blockStatus",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Message => {
                "A message, to everybody in its room on all his devices, whoever wrote it; again when it is edited, \
                 recalled, reacted to or pinned"
            }
            Self::Room => {
                "A room as the listener sees it, when it, its people or the number of its messages change; after a block to \
                 the blocker alone, after a ban to the banned user, to who banned and to the owner"
            }
            Self::LastRead => {
                "How far somebody has read, to everybody in the room; nothing of a banned user, nothing between a blocked \
                 pair"
            }
            Self::Typing => "Somebody is typing, to the others in the room",
            Self::RoomPref => "All of one's own preferences for a room, to one's own devices",
            Self::PrefChange => "One of one's own preferences, to one's own devices",
            Self::PrefDelete => "One of one's own preferences is gone: its name, to one's own devices",
            Self::Invitation => "One is asked into a room, by somebody whom one has not blocked",
            Self::InvitationCancelled => "One is asked into a room no longer",
            Self::DeletedForOneself => "Messages one deleted for oneself, to one's own devices",
            Self::BlockStatus => {
                "A block or ban was made or lifted, to the blocker's own devices; of a ban also to the owner. Never to the \
                 blockee"
            }
        }
    }

    fn shape(self) -> Shape {
        match self {
            Self::Message => Shape::of::<MessageView<'_>>(),
            Self::Room => Shape::of::<RoomView<'_>>(),
            Self::LastRead => Shape::object("LastReadEvent")
                .required("roomID", Kind::Id, "Where")
                .required("memberID", Kind::Id, "Who")
                .required("messageID", Kind::Id, "The last message he read"),
            Self::Typing => Shape::object("TypingEvent")
                .required("room", Kind::Id, "Where")
                .required("sender", Kind::Id, "Who")
                .required("senderInfo", Kind::one(Shape::of::<ShortUser<'_>>()), "Who")
                .required("message", Kind::Text, "What stands there so far"),
            Self::RoomPref => Shape::object("RoomPrefEvent").required("room", Kind::Id, "Which room"),
            Self::PrefChange => Shape::object("PrefEvent").required("key", Kind::Text, "Its name").required(
                "data",
                Kind::Any,
                "What the client keeps there",
            ),
            Self::PrefDelete => Shape::text_only("PrefKey"),
            Self::Invitation => Shape::of::<InvitationView<'_>>(),
            Self::InvitationCancelled => {
                Shape::object("CancelledInvitation").required("room", Kind::Id, "Into which room")
            }
            Self::DeletedForOneself => Shape::object("OwnDeletionEvent")
                .required("room", Kind::Id, "In which room")
                .required("messages", Kind::Ids, "Which; of a whole room the newest 1,000")
                .required("isUserDeleteAllMessagesInRoom", Kind::Flag, "All there were"),
            Self::BlockStatus => Shape::object("BlockStatusEvent")
                .required("op", Kind::OneOf(&["block", "unblock", "ban", "unban"]), "What was done")
                .required("blockee", Kind::Id, "Who is shut out")
                .required("room", Kind::Id, "Where it stands")
                .required("createdAt", Kind::Time, "When first")
                .required("updatedAt", Kind::Time, "When last"),
        }
    }
}

/// What a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Conf,
    Enter,
    EnterAsBefore,
    Message,
    Typing,
}

impl Word {
    const ALL: [Self; 5] = [Self::Conf, Self::Enter, Self::EnterAsBefore, Self::Message, Self::Typing];

    const fn name(self) -> &'static str {
        match self {
            Self::Conf => "conf",
            Self::Enter => "auth2",
            Self::EnterAsBefore => "auth",
            Self::Message => "chat message",
            Self::Typing => "typing",
        }
    }

    /// By its name on the wire. `None`: nothing that is understood here.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name() == name)
    }

    fn text(self) -> &'static str {
        match self {
            Self::Conf => "How events are written from now on: `base64`, or plain JSON. Acknowledged",
            Self::Enter => {
                "Who it is: the token, then an object with the client key, a device id or nothing. Acknowledged with one's \
                 own account; a failure leaves the socket open and deaf"
            }
            Self::EnterAsBefore => "As `auth2`",
            Self::Message => "A message, as `POST /rooms/{id}/message` takes it. Acknowledged with the message",
            Self::Typing => "A room, or a room and a text, or an object of both: the others hear `typing`",
        }
    }

    /// Its arguments, as a list.
    fn arguments(self) -> Value {
        let key = json!({"type": ["object", "string", "null"], "properties": {
            "IM-CLIENT-KEY": {"type": "string"}, "CLIENT_KEY": {"type": "string"},
        }});
        let list = |items: Value| json!({"type": "array", "prefixItems": items});
        match self {
            Self::Conf => list(json!([{"type": "object", "properties": {"encoding": {"enum": ["base64", "json"]}}}])),
            Self::Enter | Self::EnterAsBefore => list(json!([{"type": "string"}, key])),
            Self::Message => list(json!([{"type": "object", "required": ["room"], "properties": {
                "room": {"type": "string"}, "messageType": {"type": "string"}, "message": {},
            }}])),
            Self::Typing => list(json!([{"type": ["string", "object"]}, {"type": "string"}])),
        }
    }

    fn acknowledged_with(self) -> Option<Shape> {
        match self {
            Self::Enter | Self::EnterAsBefore => Some(Shape::of::<FullUser<'_>>()),
            Self::Message => Some(Shape::of::<MessageView<'_>>()),
            Self::Conf | Self::Typing => None,
        }
    }
}

/// A name as it may stand in a reference.
fn named(kind: &str, name: &str) -> String {
    format!("{kind}_{}", name.replace(' ', "_"))
}

/// AsyncAPI knows a licence by its address, and no summary.
fn about(title: &str, description: &str) -> Value {
    let mut about = info(title, description);
    if let Some(fields) = about.as_object_mut() {
        fields.remove("summary");
        let licence = json!({"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"});
        fields.insert("license".to_owned(), licence);
    }
    about
}

/// The AsyncAPI document of the sockets.
pub(crate) fn document() -> Value {
    let (mut messages, mut schemas, mut operations) = (Map::new(), Map::new(), Map::new());
    let mut put = |action: &str, name: &str, message: Value, reply: Option<String>| {
        let id = named(if action == "send" { "hear" } else { "say" }, name);
        messages.insert(id.clone(), message);
        let mut operation = json!({
            "action": action, "channel": {"$ref": "#/channels/root"},
            "messages": [{"$ref": format!("#/channels/root/messages/{id}")}],
        });
        if let (Some(reply), Some(fields)) = (reply, operation.as_object_mut()) {
            fields.insert("description".to_owned(), reply.into());
        }
        operations.insert(id, operation);
    };
    for event in Event::ALL {
        let shape = event.shape();
        let message = json!({"name": event.name(), "summary": event.text(), "payload": shape.reference()});
        put("send", event.name(), message, None);
        schemas.extend(shape.into_all());
    }
    for word in Word::ALL {
        let message = json!({"name": word.name(), "summary": word.text(), "payload": word.arguments()});
        let reply = word.acknowledged_with().map(|shape| {
            let reply =
                format!("Acknowledged, if that is asked for, with the envelope of REST around `{}`.", shape.name());
            schemas.extend(shape.into_all());
            reply
        });
        put("receive", word.name(), message, reply);
    }
    let in_channel: Map<String, Value> =
        messages.keys().map(|id| (id.clone(), json!({"$ref": format!("#/components/messages/{id}")}))).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": about("Banter's sockets", "Socket.IO 5 over Engine.IO 4, at /socket.io/ on the port of the REST API. See docs/protocol.md."),
        "defaultContentType": "application/json",
        "channels": {"root": {"address": "/", "title": "The default namespace", "messages": in_channel}},
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document = document();
        let mut open = vec![&document];
        let mut seen = 0;
        while let Some(value) = open.pop() {
            match value {
                Value::Array(all) => open.extend(all),
                Value::Object(fields) => {
                    if let Some(Value::String(to)) = fields.get("$ref") {
                        assert!(document.pointer(to.trim_start_matches('#')).is_some(), "{to}");
                        seen += 1;
                    }
                    open.extend(fields.values());
                }
                _ => {}
            }
        }
        assert!(seen > 40, "{seen}");
    }

    #[test]
    fn what_a_client_says_is_found_by_its_name() {
        for word in Word::ALL {
            assert_eq!(Word::of(word.name()), Some(word));
        }
        assert_eq!(Word::of("disconnect"), None);
    }
}
