//! What an action answers when it does not do what was asked.

use banter_domain::moderation::Denied;

/// Why an action did nothing. Whatever the variant: nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule said no.
    #[error("refused: {0:?}")]
    Denied(Denied),
    /// The caller's token was revoked or ran out before the act took its place.
    #[error("the token is gone")]
    TokenGone,
    /// No such room.
    #[error("no such room")]
    NoRoom,
    /// No such user.
    #[error("no such user")]
    NoUser,
    /// No such message in this room.
    #[error("no such message")]
    NoMessage,
    /// The user named is not in the room.
    #[error("not a member")]
    NoMember,
    /// No such active block or ban.
    #[error("no such block or ban")]
    NoRelation,
    /// The block or ban holds already.
    #[error("blocked or banned already")]
    AlreadyShutOut,
    /// Nobody blocks or bans himself.
    #[error("blocking oneself")]
    Oneself,
    /// The id names the caller where another must be named.
    #[error("not a user to be named here")]
    BadUser,
    /// A room with this id exists.
    #[error("the room exists")]
    RoomExists,
    /// A user or group with this id exists.
    #[error("the group exists")]
    GroupExists,
    /// A direct room has exactly two different members, and a room's kind never changes.
    #[error("not a possible kind of room")]
    BadRoomKind,
    /// The token belongs to another user.
    #[error("the token is taken")]
    TokenTaken,
    /// The user has no such token.
    #[error("no such token")]
    NoToken,
    /// No such configuration key.
    #[error("no such configuration key")]
    NoConfig,
    /// No such set of stickers.
    #[error("no such set of stickers")]
    NoStickers,
    /// No such user group, or the caller is not in it.
    #[error("no such user group")]
    NoGroup,
    /// The room is not in the user's mute list.
    #[error("the room is not muted")]
    NotMuted,
    /// An app with this id or key exists.
    #[error("the app exists: {0}")]
    AppExists(String),
    /// No such app.
    #[error("no such app")]
    NoApp,
    /// A limit of the server would be passed; the text says which.
    #[error("{0}")]
    TooMuch(String),
    /// A fault; never a verdict.
    #[error(transparent)]
    Store(#[from] banter_store::Error),
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

/// What an action returns.
pub type Result<T> = std::result::Result<T, Error>;
