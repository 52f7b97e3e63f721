//! Users on the wire: the short view of lists, the sender of a message, a room's member, the full
//! view, and user groups.

use banter_chat::{Account, UserGroup};
use banter_domain::id::{AppId, RoomId, UserId};
use banter_domain::message::Sender;
use banter_domain::room::MemberSeen;
use banter_domain::user::{Profile, User, UserKind};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::time::Iso;

/// What other people's lists show of a user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShortUser)]
pub struct ShortUser<'a> {
    /// Same as `id`.
    #[serde(rename = "_id")]
    key: &'a str,
    /// What to call him; absent: never given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    nickname: Option<&'a str>,
    /// His picture; absent: never given.
    #[serde(rename = "avatarUrl", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    avatar_url: Option<&'a str>,
    /// The id the app gave him.
    id: &'a str,
    /// When he last logged in, milliseconds; 0: never.
    #[serde(rename = "lastLoginTimeMS")]
    last_login_ms: i64,
}

impl<'a> ShortUser<'a> {
    /// Of a profile.
    #[must_use]
    pub fn of(profile: &'a Profile) -> Self {
        Self {
            key: profile.id.as_str(),
            nickname: profile.nickname.as_deref(),
            avatar_url: profile.avatar_url.as_deref(),
            id: profile.id.as_str(),
            last_login_ms: profile.last_login_ms,
        }
    }
}

/// The author of a message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sender)]
pub struct SenderView<'a> {
    #[serde(flatten)]
    short: ShortUser<'a>,
    /// A few words about him.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<&'a str>,
    /// Robot or person.
    #[serde(rename = "isRobot")]
    is_robot: bool,
}

impl<'a> SenderView<'a> {
    /// Of a message's author.
    #[must_use]
    pub fn of(sender: &'a Sender) -> Self {
        Self {
            short: ShortUser::of(&sender.profile),
            description: sender.description.as_deref(),
            is_robot: sender.is_robot,
        }
    }
}

/// A user as a member of a room.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberView<'a> {
    #[serde(flatten)]
    short: ShortUser<'a>,
    /// The same moment as `lastLoginTimeMS`; absent: never.
    #[serde(rename = "lastLoginTime", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, format = DateTime)]
    last_login: Option<Iso>,
    /// A few words about him.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<&'a str>,
    /// Robot or person.
    #[serde(rename = "isRobot")]
    is_robot: bool,
    /// `user` or `group`.
    #[serde(rename = "clientType")]
    client_type: &'static str,
    /// Of a user group: who is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion, nullable = false)]
    members: Option<Vec<MemberView<'a>>>,
}

impl<'a> MemberView<'a> {
    /// Of a room's member, with the people behind him if he is a user group.
    #[must_use]
    pub fn of(seen: &'a MemberSeen) -> Self {
        let group = seen.user.kind == UserKind::Group;
        let members = group.then(|| seen.group.iter().map(Self::alone).collect());
        Self { members, ..Self::alone(&seen.user) }
    }

    fn alone(user: &'a User) -> Self {
        Self {
            short: ShortUser::of(&user.profile),
            last_login: login(&user.profile),
            description: user.description.as_deref(),
            is_robot: user.is_robot,
            client_type: client_type(user.kind),
            members: None,
        }
    }
}

fn login(profile: &Profile) -> Option<Iso> {
    (profile.last_login_ms > 0).then(|| Iso::of(profile.last_login_ms))
}

/// What kind of user he is.
#[must_use]
pub fn client_type(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Person => "user",
        UserKind::Group => "group",
    }
}

/// Everything of a user, for himself and for the platform. Never a token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Client)]
pub struct FullUser<'a> {
    #[serde(flatten)]
    short: ShortUser<'a>,
    /// The same moment as `lastLoginTimeMS`; absent: never.
    #[serde(rename = "lastLoginTime", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, format = DateTime)]
    last_login: Option<Iso>,
    /// A few words about him.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<&'a str>,
    /// Robot or person.
    #[serde(rename = "isRobot")]
    is_robot: bool,
    /// `user` or `group`.
    #[serde(rename = "clientType")]
    client_type: &'static str,
    /// Which app he belongs to.
    #[serde(rename = "appID")]
    app: &'a str,
    /// Rooms he wants no notifications from.
    mute: Vec<&'a str>,
    /// Does he want notifications at all?
    #[serde(rename = "notificationEnabled")]
    notifications: bool,
    /// When he was made.
    #[serde(rename = "createdAt")]
    #[schema(value_type = String, format = DateTime)]
    created: Iso,
    /// When he was last changed.
    #[serde(rename = "updatedAt")]
    #[schema(value_type = String, format = DateTime)]
    updated: Iso,
    /// When he last joined or made a room.
    #[serde(rename = "lastJoinOrCreateRoomTime", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, format = DateTime)]
    last_room: Option<Iso>,
    /// Fields of the app's own.
    #[serde(flatten)]
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    custom: Custom<'a>,
}

impl<'a> FullUser<'a> {
    /// Of a user and the rooms he muted.
    #[must_use]
    pub fn of(app: &'a AppId, account: &'a Account) -> Self {
        let Account { user, mutes } = account;
        Self {
            short: ShortUser::of(&user.profile),
            last_login: login(&user.profile),
            description: user.description.as_deref(),
            is_robot: user.is_robot,
            client_type: client_type(user.kind),
            app: app.as_str(),
            mute: mutes.iter().map(RoomId::as_str).collect(),
            notifications: user.notifications,
            created: Iso::of(user.created_ms),
            updated: Iso::of(user.updated_ms),
            last_room: user.last_room_ms.map(Iso::of),
            custom: Custom { fields: &user.custom },
        }
    }
}

/// Field names of a user that are Banter's: a custom field of that name is neither stored nor
/// shown. `data` is among them for the sake of SDKs that unwrap it.
const OURS: [&str; 25] = [
    "_id",
    "id",
    "__v",
    "appID",
    "nickname",
    "avatarUrl",
    "description",
    "isRobot",
    "clientType",
    "members",
    "mute",
    "notificationEnabled",
    "lastLoginTime",
    "lastLoginTimeMS",
    "lastActiveTime",
    "lastActiveTimeMS",
    "isSocketConnected",
    "lastJoinOrCreateRoomTime",
    "createdAt",
    "updatedAt",
    "issueAccessToken",
    "token",
    "expirationDate",
    "expirationDateMS",
    "data",
];

/// Is this the name of a field the app may not define for its users?
#[must_use]
pub fn is_ours(field: &str) -> bool {
    OURS.contains(&field)
}

#[derive(Debug)]
struct Custom<'a> {
    fields: &'a Map<String, Value>,
}

impl Serialize for Custom<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.fields.iter().filter(|(name, _)| !is_ours(name)) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A user group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserGroup)]
pub struct GroupView<'a> {
    /// Same as `id`.
    #[serde(rename = "_id")]
    key: &'a str,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    nickname: Option<&'a str>,
    /// Its picture.
    #[serde(rename = "avatarUrl", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    avatar_url: Option<&'a str>,
    /// Ids of those in it.
    members: Vec<&'a str>,
    /// When it was made.
    #[serde(rename = "createdAt")]
    #[schema(value_type = String, format = DateTime)]
    created: Iso,
    /// When it was last changed.
    #[serde(rename = "updatedAt")]
    #[schema(value_type = String, format = DateTime)]
    updated: Iso,
    /// Its id.
    id: &'a str,
}

impl<'a> GroupView<'a> {
    /// Of a user group.
    #[must_use]
    pub fn of(group: &'a UserGroup) -> Self {
        let profile = &group.user.profile;
        Self {
            key: profile.id.as_str(),
            nickname: profile.nickname.as_deref(),
            avatar_url: profile.avatar_url.as_deref(),
            members: group.members.iter().map(UserId::as_str).collect(),
            created: Iso::of(group.user.created_ms),
            updated: Iso::of(group.user.updated_ms),
            id: profile.id.as_str(),
        }
    }
}
