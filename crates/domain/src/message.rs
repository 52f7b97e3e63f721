//! Messages.

use serde_json::{Map, Value};

use crate::id::{ObjectId, RoomId, UserId};
use crate::user::Profile;

/// A message as stored, with what a reader is shown of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id, time-ordered.
    pub id: ObjectId,
    /// Its place in the room's order.
    pub seq: i64,
    /// Which room.
    pub room: RoomId,
    /// Who wrote it (after a recall: who recalled it).
    pub sender: Sender,
    /// Its type; any text is legal, see [`Kind`] for those with a meaning here.
    pub kind: String,
    /// What it says: text, or any JSON for types that are not text.
    pub text: Value,
    /// The other accepted fields, as given.
    pub body: Map<String, Value>,
    /// The message it answers.
    pub reply: Option<Box<Message>>,
    /// Reactions, oldest first.
    pub reactions: Vec<Reaction>,
    /// Is it the room's pinned message?
    pub pinned: bool,
    /// When it was written, by its author's account, milliseconds.
    pub message_ms: i64,
    /// When it was stored, milliseconds. Never goes back within a room.
    pub created_ms: i64,
    /// When it was last changed, milliseconds.
    pub updated_ms: i64,
    /// When its text was last edited, milliseconds.
    pub edited_ms: Option<i64>,
    /// The batch it was sent in.
    pub batch: Option<String>,
    /// Out of the members' sight: only the room's owner and managers, and the platform, see it.
    pub hidden: bool,
}

/// The author of a message as readers see him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// His profile; a deleted user's as [`Profile::deleted`].
    pub profile: Profile,
    /// His description.
    pub description: Option<String>,
    /// Robot or person.
    pub is_robot: bool,
}

/// One user's reaction to one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Who.
    pub user: UserId,
    /// With what.
    pub reaction: String,
}

/// Types of messages the server itself gives a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Plain words.
    Text,
    /// A message taken back.
    Recall,
    /// Somebody joined.
    JoinRoom,
    /// Somebody left.
    LeaveRoom,
    /// One user was added.
    AddMember,
    /// Several users were added.
    AddMembers,
    /// Users were removed.
    DeleteMember,
    /// A member became manager.
    AssignAdmin,
    /// Invitations were taken back.
    CancelInvitations,
}

impl Kind {
    /// The type's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Recall => "recall",
            Self::JoinRoom => "joinRoom",
            Self::LeaveRoom => "leaveRoom",
            Self::AddMember => "addMember",
            Self::AddMembers => "addMembers",
            Self::DeleteMember => "deleteMember",
            Self::AssignAdmin => "assignAdmin",
            Self::CancelInvitations => "cancelInvitations",
        }
    }

    /// Types only the server writes: a client that names one is refused.
    #[must_use]
    pub fn is_system(name: &str) -> bool {
        const SYSTEM: [Kind; 7] = [
            Kind::JoinRoom,
            Kind::LeaveRoom,
            Kind::AddMember,
            Kind::AddMembers,
            Kind::DeleteMember,
            Kind::AssignAdmin,
            Kind::CancelInvitations,
        ];
        SYSTEM.iter().any(|kind| kind.name() == name)
    }
}

/// A message to be written.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its type.
    pub kind: String,
    /// What it says, masked already.
    pub text: Value,
    /// Other accepted fields, masked already.
    pub body: Map<String, Value>,
    /// The message it answers.
    pub reply: Option<ObjectId>,
    /// Users it names.
    pub mentions: Vec<UserId>,
    /// The batch it belongs to.
    pub batch: Option<String>,
    /// Does it count as unread for others? System messages do not.
    pub counts: bool,
    /// Sent past a block or ban by an API key that said so.
    pub forced: bool,
}
