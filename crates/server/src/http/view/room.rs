//! Rooms on the wire, as one viewer sees them.

use banter_domain::id::{AppId, UserId};
use banter_domain::room::{Member, MemberSeen, Outlook, ReadMark, Room, RoomSeen};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::message::{Hex, MessageView};
use super::time::Iso;
use super::user::{MemberView, ShortUser};

/// A room with its people and its last message, for one viewer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Room)]
pub struct RoomView<'a> {
    /// Same as `id`.
    #[serde(rename = "_id")]
    key: &'a str,
    /// The room's id.
    id: &'a str,
    /// Which app.
    #[serde(rename = "appID")]
    app: &'a str,
    /// Shown name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    name: Option<&'a str>,
    /// Shown picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cover: Option<&'a str>,
    /// Shown description.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<&'a str>,
    /// `direct`, `group` or `custom`.
    #[serde(rename = "roomType")]
    kind: &'static str,
    /// Who owns it; only groups have owners.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    owner: Option<ShortUser<'a>>,
    /// Ids of its managers.
    managers: Vec<&'a str>,
    /// Everyone in it.
    members: People<'a>,
    /// What the room remembers of each member.
    #[serde(rename = "memberProperties")]
    properties: Vec<PropertyView<'a>>,
    /// The newest message; absent: none.
    #[serde(rename = "lastMessage", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_message: Option<MessageView<'a>>,
    #[serde(flatten)]
    #[schema(value_type = OutlookView)]
    outlook: Option<OutlookView<'a>>,
    /// Is the viewer owner or manager? Also true for both of a direct room, and for the platform.
    #[serde(rename = "isSuperuser")]
    is_superuser: bool,
    /// Tags shared by all.
    #[serde(rename = "roomTags")]
    tags: &'a [String],
    /// 1: active. 0: frozen.
    status: u8,
    /// 1: people may join and be invited. 0: only by owner and managers.
    opening: u8,
    /// Where messages are told to a robot.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    webhook: Option<&'a str>,
    /// May the robot answer?
    #[serde(rename = "botMode")]
    bot_mode: bool,
    /// The robot's state.
    #[serde(rename = "botState")]
    bot_state: &'a str,
    /// Of the platform's customer service; always 0 here.
    #[serde(rename = "serviceStatus")]
    service_status: u8,
    /// Always false here.
    encrypted: bool,
    /// The app's own parameters.
    #[serde(rename = "extParams", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ext_params: Option<&'a str>,
    /// When it was made, as far as the viewer may know.
    #[serde(rename = "createdTime")]
    #[schema(value_type = String, format = DateTime)]
    created: Iso,
    /// The same, milliseconds.
    #[serde(rename = "createdTimeMS")]
    created_ms: i64,
}

impl<'a> RoomView<'a> {
    /// Of a room, for the user it was read for; `None`: the platform, for itself.
    #[must_use]
    pub fn of(app: &'a AppId, seen: &'a RoomSeen, viewer: Option<&UserId>) -> Self {
        let RoomSeen { room, owner, members, last_message, outlook } = seen;
        let created_ms = outlook.as_ref().map_or(room.created_ms, |outlook| outlook.created_ms);
        Self {
            key: room.id.as_str(),
            id: room.id.as_str(),
            app: app.as_str(),
            name: room.name.as_deref(),
            cover: room.cover.as_deref(),
            description: room.description.as_deref(),
            kind: room.kind.name(),
            owner: owner.as_ref().map(ShortUser::of),
            managers: members.iter().filter(|seen| seen.member.manager).map(|seen| seen.member.user.as_str()).collect(),
            members: People::Seen(members.iter().map(MemberView::of).collect()),
            properties: members.iter().map(|seen| PropertyView::of(seen, room, outlook.as_ref(), viewer)).collect(),
            last_message: last_message.as_ref().map(|message| MessageView::of(app, message)),
            outlook: outlook.as_ref().map(OutlookView::of),
            is_superuser: outlook.as_ref().map_or(viewer.is_none(), |outlook| is_superuser(room, outlook)),
            tags: &room.tags,
            status: u8::from(!room.frozen),
            opening: u8::from(!room.closed),
            webhook: room.webhook.as_deref(),
            bot_mode: room.bot_mode,
            bot_state: &room.bot_state,
            service_status: 0,
            encrypted: false,
            ext_params: room.ext_params.as_deref(),
            created: Iso::of(created_ms),
            created_ms,
        }
    }

    /// With its members as ids, as the answer to the platform's making of a room has them.
    #[must_use]
    pub fn with_member_ids(app: &'a AppId, seen: &'a RoomSeen, viewer: Option<&UserId>) -> Self {
        let ids = seen.members.iter().map(|seen| seen.member.user.as_str()).collect();
        Self { members: People::Ids(ids), ..Self::of(app, seen, viewer) }
    }
}

/// A client loads the list of blocks only where this is true, so a blocked peer of a direct room
/// could not be unblocked without it. No right follows from it.
fn is_superuser(room: &Room, outlook: &Outlook) -> bool {
    outlook.standing.is_superuser() || (room.kind.is_direct() && outlook.standing.member)
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomMembers)]
#[serde(untagged)]
enum People<'a> {
    Seen(Vec<MemberView<'a>>),
    Ids(Vec<&'a str>),
}

/// What depends on who looks. Absent as a whole when the platform looks for itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomOutlook)]
struct OutlookView<'a> {
    /// Messages the viewer has not read.
    #[schema(required = false)]
    unread: i64,
    /// An unread message names the viewer.
    #[serde(rename = "isMentioned")]
    #[schema(required = false)]
    is_mentioned: bool,
    /// The viewer wants no notifications from it.
    #[schema(required = false)]
    muted: bool,
    /// The viewer's preferences for it.
    #[schema(value_type = Object, required = false)]
    pref: &'a Map<String, Value>,
    /// In a direct room: when the viewer blocked the other.
    #[serde(rename = "didBlockAt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    did_block: Option<Iso>,
    /// The same, milliseconds.
    #[serde(rename = "didBlockAtMS")]
    did_block_ms: Option<i64>,
    /// In a group: when the viewer was banned.
    #[serde(rename = "wasBlockedAt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    was_banned: Option<Iso>,
    /// The same, milliseconds.
    #[serde(rename = "wasBlockedAtMS")]
    was_banned_ms: Option<i64>,
}

impl<'a> OutlookView<'a> {
    fn of(outlook: &'a Outlook) -> Self {
        Self {
            unread: outlook.unread,
            is_mentioned: outlook.mentioned,
            muted: outlook.muted,
            pref: &outlook.pref,
            did_block: outlook.did_block_ms.map(Iso::of),
            did_block_ms: outlook.did_block_ms,
            was_banned: outlook.was_banned_ms.map(Iso::of),
            was_banned_ms: outlook.was_banned_ms,
        }
    }
}

/// What a room remembers of one member.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MemberProperty)]
pub struct PropertyView<'a> {
    /// Who.
    client: &'a str,
    /// Messages he has not read.
    badge: i64,
    /// The last message he has read.
    #[serde(rename = "lastRead", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    last_read: Option<Hex>,
    /// `admin`: a manager. Absent: a plain member, or the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    role: Option<&'static str>,
    /// Properties set for him.
    #[serde(flatten)]
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    properties: Properties<'a>,
}

/// Names a member's property cannot have: they are the view's own.
const OURS: [&str; 4] = ["client", "badge", "lastRead", "role"];

/// Is this the name of a member property the server keeps itself?
#[must_use]
pub fn is_ours(property: &str) -> bool {
    OURS.contains(&property)
}

impl<'a> PropertyView<'a> {
    fn of(seen: &'a MemberSeen, room: &Room, outlook: Option<&Outlook>, viewer: Option<&UserId>) -> Self {
        let Member { user, manager, shown_read, read, properties } = &seen.member;
        // Others are shown only what their reading may tell; one's own count is the viewer's
        // unread, from which deleted messages are taken out.
        let (ReadMark { count, message }, own) = match outlook {
            Some(outlook) if viewer == Some(user) => (read, Some(outlook.unread)),
            Some(_) | None => (shown_read, None),
        };
        Self {
            client: user.as_str(),
            badge: own.unwrap_or_else(|| room.last_count.saturating_sub(*count).max(0)),
            last_read: message.map(Hex),
            role: manager.then_some("admin"),
            properties: Properties(properties),
        }
    }
}

#[derive(Debug)]
struct Properties<'a>(&'a Map<String, Value>);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0.iter().filter(|(name, _)| !is_ours(name)) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
