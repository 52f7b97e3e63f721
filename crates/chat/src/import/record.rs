//! What can be taken over, one thing a record. What it means for what is there already is decided
//! where it is taken.

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::Reaction;
use banter_domain::user::{UserChange, UserKind};
use serde_json::{Map, Value};

use crate::{NewKind, RoomChange, Words};

/// One thing to take over.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A user, or a user group with its members.
    User {
        /// Who.
        id: UserId,
        /// Person or group.
        kind: UserKind,
        /// His profile and custom fields.
        change: UserChange,
        /// Of a user group: who is in it.
        members: Option<Vec<UserId>>,
        /// Only named by something else: then who is there already stays what he is, a person, a
        /// group or a robot.
        implied: bool,
    },
    /// A room.
    Room {
        /// Which.
        id: RoomId,
        /// What kind; `None`: as it is, or a group.
        kind: Option<NewKind>,
        /// Its owner.
        owner: Option<UserId>,
        /// When it was made, milliseconds.
        created_ms: Option<i64>,
        /// What it is called and shows.
        change: RoomChange,
        /// Who is in it.
        members: Vec<UserId>,
        /// Who manages it.
        managers: Vec<UserId>,
        /// Only named by a block or ban, not given for itself: then a group that is not there yet
        /// is owned by who banned, and a direct room is not seen by who is blocked. A new room that
        /// is given without owner, members and managers leaves them to blocks and bans as well.
        implied: bool,
    },
    /// A place in a room.
    Member {
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
        /// Manager?
        manager: bool,
        /// The last message read.
        last_read: Option<ObjectId>,
        /// Properties there.
        properties: Map<String, Value>,
    },
    /// A message.
    Message {
        /// Its id; `None`: one made of its time.
        id: Option<ObjectId>,
        /// Where.
        room: RoomId,
        /// Who wrote it.
        sender: UserId,
        /// What it says.
        words: Words,
        /// When it was written, milliseconds.
        message_ms: i64,
        /// When it was stored, milliseconds.
        created_ms: i64,
        /// When it was last changed, milliseconds.
        updated_ms: i64,
        /// When it was edited, milliseconds.
        edited_ms: Option<i64>,
        /// Reactions to it.
        reactions: Vec<Reaction>,
    },
    /// A block or ban.
    Relation {
        /// Who shuts out.
        blocker: UserId,
        /// Who is shut out.
        blockee: UserId,
        /// Where; `None`: the pair's room.
        room: Option<RoomId>,
        /// What kind of room it is, if that is said.
        room_kind: Option<NewKind>,
        /// When it was made, milliseconds.
        created_ms: i64,
        /// When it last became active or was lifted, milliseconds.
        updated_ms: i64,
        /// When it was lifted, milliseconds.
        lifted_ms: Option<i64>,
    },
}

impl Record {
    /// In which turn it is written: what others stand on comes first.
    pub(super) fn turn(&self) -> u8 {
        match self {
            Self::User { kind: UserKind::Person, .. } => 0,
            Self::User { kind: UserKind::Group, .. } => 1,
            Self::Room { implied: false, .. } => 2,
            Self::Room { implied: true, .. } => 3,
            Self::Message { .. } => 4,
            Self::Member { .. } => 5,
            Self::Relation { .. } => 6,
        }
    }
}
