//! Rooms, and how one user stands in one room at one moment.

use serde_json::{Map, Value};

use crate::id::{ObjectId, Pair, RoomId, UserId};
use crate::message::Message;

/// What kind of room it is. The kind never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomKind {
    /// Two people and nobody else, ever.
    Direct(Pair),
    /// Many people.
    Group,
    /// As a group; what it really is stands in the app's own parameters.
    Custom,
}

impl RoomKind {
    /// The two of a direct room.
    #[must_use]
    pub fn pair(&self) -> Option<&Pair> {
        match self {
            Self::Direct(pair) => Some(pair),
            Self::Group | Self::Custom => None,
        }
    }

    /// Is it a direct room?
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.pair().is_some()
    }

    /// Which type of room.
    #[must_use]
    pub fn room_type(&self) -> RoomType {
        match self {
            Self::Direct(_) => RoomType::Direct,
            Self::Group => RoomType::Group,
            Self::Custom => RoomType::Custom,
        }
    }

    /// `direct`, `group` or `custom`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.room_type().name()
    }
}

/// A [`RoomKind`] without the pair: what is shown of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomType {
    /// Of two people.
    Direct,
    /// Of many.
    Group,
    /// Of many, for purposes of the app's own.
    Custom,
}

impl RoomType {
    /// `direct`, `group` or `custom`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
            Self::Custom => "custom",
        }
    }

    /// By its name; `None`: there is no such type.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Direct, Self::Group, Self::Custom].into_iter().find(|one| one.name() == name)
    }
}

/// A room as stored, without what depends on who looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Room {
    /// Which room.
    pub id: RoomId,
    /// Direct, group or custom.
    pub kind: RoomKind,
    /// Who owns it; only groups have owners.
    pub owner: Option<UserId>,
    /// Shown name.
    pub name: Option<String>,
    /// Shown picture.
    pub cover: Option<String>,
    /// Shown description.
    pub description: Option<String>,
    /// Tags shared by all.
    pub tags: Vec<String>,
    /// Where messages are told to a robot.
    pub webhook: Option<String>,
    /// Who set it, and speaks and listens by it; `None`: the platform.
    pub webhook_by: Option<UserId>,
    /// May the robot answer?
    pub bot_mode: bool,
    /// What the robot last said its state was; empty: nothing yet.
    pub bot_state: String,
    /// The app's own parameters.
    pub ext_params: Option<String>,
    /// Frozen: nobody speaks.
    pub frozen: bool,
    /// Closed: nobody joins or is invited, but by superusers.
    pub closed: bool,
    /// Made by a block and opened by nobody yet: to outsiders there is no such room, and one that claims
    /// its id gets it.
    pub secret: bool,
    /// The last place given out in the room's order.
    pub last_seq: i64,
    /// How many messages ever counted as unread for somebody.
    pub last_count: i64,
    /// How many messages the room holds.
    pub total: i64,
    /// The last message's place; `None`: no message.
    pub last_message: Option<i64>,
    /// When the last message was written, milliseconds; message times never go back in a room.
    pub last_message_ms: i64,
    /// The pinned message.
    pub pinned: Option<ObjectId>,
    /// When it was made, milliseconds.
    pub created_ms: i64,
}

/// The rights of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one owner.
    Owner,
    /// May manage, but not ban.
    Manager,
    /// A plain member.
    Member,
}

/// How one user stands in one room at one moment. Read under the room's lock before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// `None`: neither a member nor the owner.
    pub role: Option<Role>,
    /// In the room, by himself or through a user group.
    pub member: bool,
    /// In it through a user group and not by himself.
    pub in_group_only: bool,
    /// Shut out of the room.
    pub banned: bool,
    /// In a direct room: either side has blocked the other.
    pub blocked: bool,
    /// A room made by a block, not to be seen by the blocked side.
    pub hidden: bool,
}

impl Standing {
    /// Owner or manager.
    #[must_use]
    pub fn is_superuser(&self) -> bool {
        matches!(self.role, Some(Role::Owner | Role::Manager))
    }
}

/// A place in a room: what the room remembers of one member.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// Manager or plain member (ownership stands in the room).
    pub manager: bool,
    /// How far others may know he has read: the count of messages, and the last one.
    pub shown_read: ReadMark,
    /// How far he has read.
    pub read: ReadMark,
    /// Properties set for him in this room.
    pub properties: Map<String, Value>,
}

/// How far somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadMark {
    /// Counting messages read; unread is the room's count less this.
    pub count: i64,
    /// The last message read.
    pub message: Option<ObjectId>,
}

/// What depends on who looks at a room.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// How he stands.
    pub standing: Standing,
    /// Messages he has not read.
    pub unread: i64,
    /// An unread message names him.
    pub mentioned: bool,
    /// He wants no notification from it.
    pub muted: bool,
    /// His own preferences for it.
    pub pref: Map<String, Value>,
    /// When he blocked the other side of a direct room, milliseconds.
    pub did_block_ms: Option<i64>,
    /// When he was banned from the group, milliseconds.
    pub was_banned_ms: Option<i64>,
    /// The room's making as he may know it, milliseconds: a room that was hidden from him was made
    /// when he first could see it.
    pub created_ms: i64,
}

/// A room with its people and last message, as one viewer sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomSeen {
    /// The room.
    pub room: Room,
    /// Owner's profile.
    pub owner: Option<crate::user::Profile>,
    /// Everyone in it.
    pub members: Vec<MemberSeen>,
    /// The newest message.
    pub last_message: Option<Message>,
    /// `None`: seen by the platform, which has no place in it.
    pub outlook: Option<Outlook>,
}

/// A member with his profile.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberSeen {
    /// His place.
    pub member: Member,
    /// His profile, kind and more.
    pub user: crate::user::User,
    /// Of a user group: who is in it.
    pub group: Vec<crate::user::User>,
}

/// Somebody is asked to come into a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Whom.
    pub invitee: UserId,
    /// By whom; who asked last, if several did.
    pub inviter: UserId,
}

/// An invitation with its room and people.
#[derive(Debug, Clone, PartialEq)]
pub struct InvitationSeen {
    /// Where.
    pub room: Room,
    /// By whom.
    pub inviter: crate::user::Profile,
    /// Whom.
    pub invitee: crate::user::Profile,
    /// When first, milliseconds.
    pub created_ms: i64,
    /// When last, milliseconds.
    pub updated_ms: i64,
}

/// A room somebody left.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftRoom {
    /// Which.
    pub room: Room,
    /// His preferences for it.
    pub pref: Map<String, Value>,
    /// When, milliseconds.
    pub left_ms: i64,
}
