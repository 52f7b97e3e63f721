//! The acts, and what each needs.

/// Something a caller does. Every route of the server names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Act {
    /// Read what everybody may read (documents, health).
    Look,
    /// Run the app: users, tokens, groups, configuration, figures, audit.
    Operate,
    /// Read or change what is only one's own (profile, mutes, badges, own lists).
    MindOwn,
    /// List one's own blocks and bans.
    ListBlocks,
    /// Block a user.
    Block,
    /// Lift one's own block.
    Unblock,
    /// List the bans of a room.
    ListBans,
    /// Ban a user from a room.
    Ban,
    /// Lift a ban.
    Unban,
    /// Make a room.
    CreateRoom,
    /// Make or open a room, and join it.
    OpenRoom,
    /// Read a room and who is in it.
    ReadRoom,
    /// Read a room's messages.
    ReadMessages,
    /// Find rooms and messages among one's own rooms.
    Search,
    /// Ask whether there is a room of some id.
    FindRoom,
    /// Change what a room is called and shows.
    UpdateRoom,
    /// Freeze or thaw a room.
    Freeze,
    /// Give a room away, or name its managers.
    Appoint,
    /// Delete a room with everything in it.
    DeleteRoom,
    /// Bring others into a room, or ask them in.
    Invite,
    /// Take an invitation back.
    Uninvite,
    /// Come into a room.
    Join,
    /// Leave a room.
    Leave,
    /// Put somebody out of a room.
    Remove,
    /// Set a property of oneself in a room.
    SetOwnProperty,
    /// Set a property of somebody else in a room.
    SetOthersProperty,
    /// Send a message.
    Send,
    /// Send many messages to many rooms; each is judged as [`Act::Send`].
    SendBatch,
    /// Change the words of a message.
    Edit,
    /// Take a message back.
    Recall,
    /// Delete a message for everybody.
    DeleteMessages,
    /// Delete messages for oneself alone.
    PutAway,
    /// Take messages out of the members' sight, or put them back.
    Hide,
    /// Pin or unpin a message.
    Pin,
    /// React to a message, or take a reaction back.
    React,
    /// Say how far one has read.
    MarkRead,
    /// Show that one is typing.
    Type,
}

/// What a room's freeze does to an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frozen {
    /// Goes on.
    Passes,
    /// Refused to every user.
    Stops,
    /// Refused to all but owner and managers.
    StopsMembers,
}

/// What somebody must be to do an act in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Anyone.
    Nothing,
    /// A member, or the owner.
    Insider,
    /// A member.
    Member,
    /// Owner or manager.
    Superuser,
    /// Owner or manager; where a room has no owner, any member.
    SuperuserOrOwnerless,
    /// The owner; in a direct room either of the two.
    OwnerOrDirect,
    /// The owner.
    Owner,
    /// A member who wrote the message.
    Author,
    /// A member who wrote the message or made the invitation, or owner or manager.
    AuthorOrSuperuser,
    /// Only the platform.
    Platform,
}

/// What an act needs, and what stops it. `true` in `ban` or `block`: stops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Refused to a banned user.
    pub ban: bool,
    /// Refused in a direct room while either side blocks the other.
    pub block: bool,
    /// What a freeze does (rest.md 1.8).
    pub frozen: Frozen,
    /// Who may.
    pub needs: Needs,
}

impl Act {
    /// All acts, for tables and tests.
    pub const ALL: [Self; 37] = [
        Self::Look,
        Self::Operate,
        Self::MindOwn,
        Self::ListBlocks,
        Self::Block,
        Self::Unblock,
        Self::ListBans,
        Self::Ban,
        Self::Unban,
        Self::CreateRoom,
        Self::OpenRoom,
        Self::ReadRoom,
        Self::ReadMessages,
        Self::Search,
        Self::FindRoom,
        Self::UpdateRoom,
        Self::Freeze,
        Self::Appoint,
        Self::DeleteRoom,
        Self::Invite,
        Self::Uninvite,
        Self::Join,
        Self::Leave,
        Self::Remove,
        Self::SetOwnProperty,
        Self::SetOthersProperty,
        Self::Send,
        Self::SendBatch,
        Self::Edit,
        Self::Recall,
        Self::DeleteMessages,
        Self::PutAway,
        Self::Hide,
        Self::Pin,
        Self::React,
        Self::MarkRead,
        Self::Type,
    ];

    /// What the act needs, and what stops it: the table of `docs/moderation.md`.
    #[must_use]
    pub const fn terms(self) -> Terms {
        use Frozen::{Passes, Stops, StopsMembers};
        let (ban, block, frozen, needs) = match self {
            Self::Look | Self::MindOwn | Self::ListBlocks | Self::Search | Self::FindRoom => {
                (false, false, Passes, Needs::Nothing)
            }
            Self::Block | Self::Unblock | Self::CreateRoom | Self::OpenRoom | Self::SendBatch => {
                (false, false, Passes, Needs::Nothing)
            }
            Self::Operate => (false, false, Passes, Needs::Platform),
            Self::ListBans => (false, false, Passes, Needs::OwnerOrDirect),
            // An owner whom the platform banned does not lift it himself.
            Self::Ban | Self::Unban => (true, false, Passes, Needs::OwnerOrDirect),
            Self::ReadRoom | Self::ReadMessages => (false, false, Passes, Needs::Insider),
            Self::UpdateRoom => (true, true, StopsMembers, Needs::SuperuserOrOwnerless),
            Self::Freeze | Self::Remove => (true, true, Passes, Needs::Superuser),
            Self::Appoint => (true, true, Passes, Needs::Superuser),
            Self::DeleteRoom => (true, true, Passes, Needs::Owner),
            Self::Invite => (true, true, Stops, Needs::Insider),
            Self::Uninvite => (true, false, Passes, Needs::AuthorOrSuperuser),
            Self::Join => (true, false, Stops, Needs::Nothing),
            Self::Leave | Self::MarkRead | Self::PutAway => (false, false, Passes, Needs::Member),
            Self::SetOwnProperty => (true, true, StopsMembers, Needs::Member),
            Self::SetOthersProperty => (true, true, Passes, Needs::Superuser),
            Self::Send | Self::React | Self::Type => (true, true, Stops, Needs::Member),
            Self::Edit => (true, true, Stops, Needs::Author),
            Self::Recall => (true, false, Passes, Needs::AuthorOrSuperuser),
            Self::DeleteMessages | Self::Hide | Self::Pin => (true, true, Passes, Needs::Superuser),
        };
        Terms { ban, block, frozen, needs }
    }
}
