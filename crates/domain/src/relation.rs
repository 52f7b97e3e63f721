//! Blocks and bans as records.

use std::sync::Arc;

use crate::id::{ObjectId, RoomId, UserId};
use crate::room::RoomType;
use crate::user::Profile;

/// Who shuts out whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    /// One user shuts out another in their direct rooms.
    Block,
    /// A user is shut out of a group room.
    Ban,
}

/// One block or ban, active or lifted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Internal id, time-ordered.
    pub id: ObjectId,
    /// Block or ban.
    pub kind: RelationKind,
    /// Where: the pair's room, or the room of the ban.
    pub room: RoomId,
    /// Who shuts out.
    pub blocker: UserId,
    /// Who is shut out.
    pub blockee: UserId,
    /// When it was first made, milliseconds; a later re-block keeps it.
    pub created_ms: i64,
    /// When it last became active or was lifted, milliseconds.
    pub updated_ms: i64,
    /// When it was lifted, milliseconds; `None`: it holds.
    pub lifted_ms: Option<i64>,
}

/// The short view of a room that the lists show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomBrief {
    /// Which room.
    pub id: RoomId,
    /// Direct, group or custom.
    pub kind: RoomType,
    /// When it was made, as the list's reader may know it, milliseconds.
    pub created_ms: i64,
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Internal id, which breaks ties in the order.
    pub id: ObjectId,
    /// Who is shut out.
    pub blockee: Profile,
    /// Who shuts out: mostly the same in all entries of a page, and then shared by them.
    pub blocker: Arc<Profile>,
    /// Where: of a room's list the same in all entries, and shared by them.
    pub room: Arc<RoomBrief>,
    /// When it was first made, milliseconds.
    pub created_ms: i64,
    /// When it last became active or was lifted, milliseconds.
    pub updated_ms: i64,
    /// When it was lifted, milliseconds.
    pub lifted_ms: Option<i64>,
}

/// Where a page of a list begins: after this entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// Its `updated_ms`.
    pub updated_ms: i64,
    /// Its id.
    pub id: ObjectId,
}

/// Which entries of a list are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// At most so many; `None`: all.
    pub limit: Option<usize>,
    /// Only after this one.
    pub after: Option<After>,
    /// Only those whose id or nickname holds this, ignoring case.
    pub holds: Option<String>,
    /// Only these users.
    pub users: Option<Vec<UserId>>,
    /// Only direct (`true`) or group (`false`) rooms.
    pub direct: Option<bool>,
    /// What changed after this moment, milliseconds, lifted ones too.
    pub since_ms: Option<i64>,
}

impl ListQuery {
    /// The whole, present list: what the seeds describe.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        *self == Self::default()
    }
}
