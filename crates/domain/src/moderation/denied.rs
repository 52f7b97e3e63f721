//! Why not.

use super::Act;

/// The reason an act is refused. It knows no status code; the edge's one error table does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Denied {
    /// For this caller there is no such room.
    NoSuchRoom,
    /// Not in the room.
    NotAMember,
    /// The caller is banned from the room.
    Banned,
    /// One side of the pair has blocked the other; both sides read the same.
    Blocked,
    /// The room is frozen (rest.md 1.8).
    Frozen,
    /// The caller has not the role this act needs.
    NotPermitted(Act),
    /// The one acted upon is banned, and the caller may know it.
    TargetBanned,
    /// The room's owner is out of reach of everyone but the platform.
    TargetIsOwner,
    /// The room takes nobody in.
    Closed,
    /// A direct room belongs to its two and nobody else.
    DirectRoom,
    /// Nobody does this to himself.
    Oneself,
}
