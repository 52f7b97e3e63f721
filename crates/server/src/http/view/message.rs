//! Messages on the wire.

use banter_domain::id::{AppId, ObjectId};
use banter_domain::message::{Kind, Message, Reaction};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::time::Iso;
use super::user::SenderView;

/// Fields of a message that are the sender's and are given back as they came, beside `message`,
/// `messageType`, `mentions`, `reply` and `extra`. What is not named here is dropped at the door:
/// an SDK leaves local data in its posts and would draw it on everybody's screen.
pub const ECHOED: [&str; 13] = [
    "originalUrl",
    "thumbnailUrl",
    "width",
    "height",
    "images",
    "duration",
    "latitude",
    "longitude",
    "sticker",
    "url",
    "template",
    "contents",
    "rtcSession",
];

/// A message as its readers see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView<'a> {
    /// Same as `id`.
    #[serde(rename = "_id")]
    #[schema(value_type = String)]
    key: Hex,
    /// 24 hex digits, time-ordered.
    #[schema(value_type = String)]
    id: Hex,
    /// Which room.
    room: &'a str,
    /// Which app.
    #[serde(rename = "appID")]
    app: &'a str,
    /// Who wrote it; after a recall, who recalled it.
    sender: Author<'a>,
    /// Its type, such as `text`, `image`, `recall`; any other text is a type of the app's own.
    #[serde(rename = "messageType")]
    kind: &'a str,
    /// What it says: text, or any JSON in types that are not text.
    message: &'a Value,
    /// When it was written.
    #[serde(rename = "messageTime")]
    #[schema(value_type = String, format = DateTime)]
    message_time: Iso,
    /// When it was written, milliseconds.
    #[serde(rename = "messageTimeMS")]
    message_ms: i64,
    /// When it was stored.
    #[serde(rename = "createdAt")]
    #[schema(value_type = String, format = DateTime)]
    created: Iso,
    /// When it was stored, milliseconds.
    #[serde(rename = "createdAtMS")]
    created_ms: i64,
    /// When it last changed.
    #[serde(rename = "updatedAt")]
    #[schema(value_type = String, format = DateTime)]
    updated: Iso,
    /// When it last changed, milliseconds.
    #[serde(rename = "updatedAtMS")]
    updated_ms: i64,
    /// When its words were last edited; null: never.
    #[serde(rename = "editedAt")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    edited: Option<Iso>,
    /// Users it names.
    mentions: Vec<&'a str>,
    /// The message it answers, without the one that one answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion, nullable = false)]
    reply: Option<Box<MessageView<'a>>>,
    /// Who reacted with what, oldest first.
    reactions: Vec<ReactionView<'a>>,
    /// How many reactions.
    #[serde(rename = "reactionCount")]
    reaction_count: usize,
    /// Is it the room's pinned message?
    pinned: bool,
    /// The same, under the name older clients read.
    #[serde(rename = "isPined")]
    is_pined: bool,
    /// Out of the members' sight: only owner, managers and the platform read this. Absent: it is not.
    #[serde(rename = "isHidden", skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    is_hidden: bool,
    /// The batch it was sent in.
    #[serde(rename = "batchID", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    batch: Option<&'a str>,
    /// Of a system message: the user it speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = super::user::ShortUser, required = false)]
    member: Option<Subject<'a>>,
    /// As the sender gave it, object or JSON text; of a system message, the users it speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value, required = false)]
    extra: Option<Extra<'a>>,
    /// Fields of the message's type, as the sender gave them.
    #[serde(flatten)]
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    body: Echo<'a>,
}

impl<'a> MessageView<'a> {
    /// Of a message and the one it answers.
    #[must_use]
    pub fn of(app: &'a AppId, message: &'a Message) -> Self {
        let reply = message.reply.as_deref().map(|reply| Box::new(Self::alone(app, reply)));
        Self { reply, ..Self::alone(app, message) }
    }

    /// With the sender as an id, as the answer to the platform's own sending has it.
    #[must_use]
    pub fn with_sender_id(app: &'a AppId, message: &'a Message) -> Self {
        Self { sender: Author::Id(message.sender.profile.id.as_str()), ..Self::of(app, message) }
    }

    fn alone(app: &'a AppId, message: &'a Message) -> Self {
        let subjects = Subjects::of(message);
        Self {
            key: Hex(message.id),
            id: Hex(message.id),
            room: message.room.as_str(),
            app: app.as_str(),
            sender: Author::Seen(SenderView::of(&message.sender)),
            kind: &message.kind,
            message: &message.text,
            message_time: Iso::of(message.message_ms),
            message_ms: message.message_ms,
            created: Iso::of(message.created_ms),
            created_ms: message.created_ms,
            updated: Iso::of(message.updated_ms),
            updated_ms: message.updated_ms,
            edited: message.edited_ms.map(Iso::of),
            mentions: strings(message.body.get("mentions")),
            reply: None,
            reactions: message.reactions.iter().map(ReactionView::of).collect(),
            reaction_count: message.reactions.len(),
            pinned: message.pinned,
            is_pined: message.pinned,
            is_hidden: message.hidden,
            batch: message.batch.as_deref(),
            member: subjects.as_ref().and_then(|subjects| subjects.first()),
            extra: match subjects {
                Some(subjects) => Some(Extra::Subjects(subjects)),
                None => match message.body.get("extra") {
                    Some(extra) => Some(Extra::AsGiven(extra)),
                    // A client reads these two from it without looking whether it is there.
                    None => ["audio", "file"].contains(&message.kind.as_str()).then(|| Extra::AsGiven(empty())),
                },
            },
            body: Echo(&message.body),
        }
    }
}

/// `{}`.
fn empty() -> &'static Value {
    static EMPTY: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::Object(Map::new()));
    &EMPTY
}

fn strings(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// An id of 24 hex digits, written without a text of its own.
#[derive(Debug, Clone, Copy)]
pub struct Hex(pub ObjectId);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageSender)]
#[serde(untagged)]
enum Author<'a> {
    Seen(SenderView<'a>),
    Id(&'a str),
}

/// Who reacted with what.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reaction)]
struct ReactionView<'a> {
    /// Who.
    client: &'a str,
    /// With what.
    reaction: &'a str,
}

impl<'a> ReactionView<'a> {
    fn of(reaction: &'a Reaction) -> Self {
        Self { client: reaction.user.as_str(), reaction: &reaction.reaction }
    }
}

/// The users a system message speaks of, under the name its type wants. Clients take them out
/// without looking whether they are there.
#[derive(Debug)]
struct Subjects<'a> {
    name: &'static str,
    users: &'a [Value],
}

impl<'a> Subjects<'a> {
    fn of(message: &'a Message) -> Option<Self> {
        let kinds = [Kind::AddMember, Kind::AddMembers, Kind::DeleteMember, Kind::AssignAdmin, Kind::CancelInvitations];
        let kind = kinds.into_iter().find(|kind| kind.name() == message.kind)?;
        let name = match kind {
            Kind::AddMember | Kind::AddMembers | Kind::CancelInvitations => "invitees",
            _ => "members",
        };
        let users = message.body.get("subjects").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Some(Self { name, users })
    }

    fn first(&self) -> Option<Subject<'a>> {
        self.users.first().map(Subject)
    }
}

impl Serialize for Subjects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let users: Vec<_> = self.users.iter().map(Subject).collect();
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.name, &users)?;
        map.end()
    }
}

/// A stored subject, as a short user.
#[derive(Debug)]
struct Subject<'a>(&'a Value);

impl Serialize for Subject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |name| self.0.get(name).and_then(Value::as_str);
        let id = text("id").unwrap_or_default();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("_id", id)?;
        if let Some(nickname) = text("nickname") {
            map.serialize_entry("nickname", nickname)?;
        }
        if let Some(avatar_url) = text("avatar_url") {
            map.serialize_entry("avatarUrl", avatar_url)?;
        }
        map.serialize_entry("id", id)?;
        map.serialize_entry("lastLoginTimeMS", &self.0.get("last_login_ms").and_then(Value::as_i64).unwrap_or(0))?;
        map.end()
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Extra<'a> {
    AsGiven(&'a Value),
    Subjects(Subjects<'a>),
}

/// The whitelisted fields of a message's body.
#[derive(Debug)]
struct Echo<'a>(&'a Map<String, Value>);

impl Serialize for Echo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0.iter().filter(|(name, _)| ECHOED.contains(&name.as_str())) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
