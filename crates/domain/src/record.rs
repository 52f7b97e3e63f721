//! What is written down beside a change: who did it, and what others must hear.

use serde_json::Value;

use crate::id::{ObjectId, RoomId, UserId};

/// Who did something, for the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doer {
    /// An API key, in the name of a user if it named one.
    Platform(Option<UserId>),
    /// A user.
    User(UserId),
    /// Whoever runs the machine (command line).
    Operator,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A user blocked another.
    Block,
    /// A block was lifted.
    Unblock,
    /// A user was banned from a room.
    Ban,
    /// A ban was lifted.
    Unban,
    /// A room was frozen.
    Freeze,
    /// A room was thawed.
    Thaw,
    /// A message was sent past a block or ban.
    Force,
    /// An app's API key was replaced.
    RotateKey,
    /// An app was made.
    CreateApp,
    /// A member's role changed.
    Role,
    /// A room changed owner.
    Owner,
    /// A user was deleted.
    DeleteUser,
    /// A room was deleted.
    DeleteRoom,
    /// Tokens of a user were revoked.
    RevokeTokens,
    /// The app's webhook was set or taken away, or its secret replaced.
    Webhook,
    /// Messages were taken out of the members' sight.
    Hide,
    /// They were put back.
    Unhide,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 17] = [
        Self::Block,
        Self::Unblock,
        Self::Ban,
        Self::Unban,
        Self::Freeze,
        Self::Thaw,
        Self::Force,
        Self::RotateKey,
        Self::CreateApp,
        Self::Role,
        Self::Owner,
        Self::DeleteUser,
        Self::DeleteRoom,
        Self::RevokeTokens,
        Self::Webhook,
        Self::Hide,
        Self::Unhide,
    ];

    /// Hiding messages, or putting them back.
    #[must_use]
    pub const fn hiding(on: bool) -> Self {
        if on { Self::Hide } else { Self::Unhide }
    }

    /// How it is written down.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Force => "force",
            Self::RotateKey => "rotate-key",
            Self::CreateApp => "create-app",
            Self::Role => "role",
            Self::Owner => "owner",
            Self::DeleteUser => "delete-user",
            Self::DeleteRoom => "delete-room",
            Self::RevokeTokens => "revoke-tokens",
            Self::Webhook => "webhook",
            Self::Hide => "hide",
            Self::Unhide => "unhide",
        }
    }

    /// Reads a name. `None`: no such action.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// An entry of the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its id, time-ordered.
    pub id: ObjectId,
    /// Who.
    pub doer: Doer,
    /// What.
    pub action: String,
    /// Whom.
    pub target: Option<UserId>,
    /// Where.
    pub room: Option<RoomId>,
    /// When, milliseconds.
    pub at_ms: i64,
    /// From which address.
    pub address: Option<String>,
    /// More about it.
    pub detail: Option<Value>,
}

/// What the world must hear of, written with the change and read from the outbox after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A message was written.
    Message,
    /// A message changed (edited, recalled, reacted to, pinned).
    MessageChanged,
    /// Messages were deleted.
    MessagesDeleted,
    /// A room changed.
    Room,
    /// A room is gone.
    RoomDeleted,
    /// Somebody came in.
    Joined,
    /// Somebody is gone.
    Left,
    /// Somebody read on.
    Read,
    /// A block was made or lifted; only the blocker hears.
    Block,
    /// A ban was made or lifted.
    Ban,
    /// A user's own data changed.
    User,
    /// A user keeps something for his own clients, or no longer.
    Pref,
    /// A user keeps something about a room for his own clients, or no longer.
    RoomPref,
    /// Tokens were revoked.
    TokensRevoked,
    /// The app's configuration changed.
    Config,
    /// Messages of somebody were refused; only the app-wide webhook hears.
    Refused,
    /// Somebody is asked to come into a room; only he hears.
    Invited,
    /// He is asked no longer.
    Uninvited,
    /// Somebody deleted messages for himself; only he hears.
    PutAway,
    /// The platform has something to say to the devices of some users.
    Push,
}

impl Topic {
    /// All topics.
    const ALL: [Self; 20] = [
        Self::Message,
        Self::MessageChanged,
        Self::MessagesDeleted,
        Self::Room,
        Self::RoomDeleted,
        Self::Joined,
        Self::Left,
        Self::Read,
        Self::Block,
        Self::Ban,
        Self::User,
        Self::Pref,
        Self::RoomPref,
        Self::TokensRevoked,
        Self::Config,
        Self::Refused,
        Self::Invited,
        Self::Uninvited,
        Self::PutAway,
        Self::Push,
    ];

    /// Reads a name. `None`: no such topic.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// How it is written down.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::MessageChanged => "message-changed",
            Self::MessagesDeleted => "messages-deleted",
            Self::Room => "room",
            Self::RoomDeleted => "room-deleted",
            Self::Joined => "joined",
            Self::Left => "left",
            Self::Read => "read",
            Self::Block => "block",
            Self::Ban => "ban",
            Self::User => "user",
            Self::Pref => "pref",
            Self::RoomPref => "room-pref",
            Self::TokensRevoked => "tokens-revoked",
            Self::Config => "config",
            Self::Refused => "refused",
            Self::Invited => "invited",
            Self::Uninvited => "uninvited",
            Self::PutAway => "put-away",
            Self::Push => "push",
        }
    }
}
