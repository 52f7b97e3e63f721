//! Webhooks: who is told of what by request, and when a failed request is made again.

use crate::id::RoomId;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HookEvent {
    /// Somebody joined a room.
    Joined,
    /// People were brought into a room.
    Added,
    /// People left a room or were put out of it.
    Removed,
    /// A message was written in a room.
    Message,
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
    /// Messages of somebody were refused.
    Refused,
}

impl HookEvent {
    /// All of them.
    const ALL: [Self; 11] = [
        Self::Joined,
        Self::Added,
        Self::Removed,
        Self::Message,
        Self::Block,
        Self::Unblock,
        Self::Ban,
        Self::Unban,
        Self::Freeze,
        Self::Thaw,
        Self::Refused,
    ];

    /// What the app-wide webhook can be told of: moderation.
    pub const MODERATION: [Self; 7] =
        [Self::Block, Self::Unblock, Self::Ban, Self::Unban, Self::Freeze, Self::Thaw, Self::Refused];

    /// How it is written down.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Message => "message",
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Refused => "refused",
        }
    }

    /// Reads a name. `None`: something this version does not know.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}

/// Who is told. What one of them is told comes in order; they do not wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// The app's own webhook, which hears of moderation.
    App,
    /// The webhook of a room.
    Room(RoomId),
}

/// No wait is longer, milliseconds.
pub const LONGEST_WAIT_MS: i64 = 3_600_000;

/// How long to wait after a request has failed for the `failed`th time (from 1 on), milliseconds: twice
/// as long each time, an hour at most, and by chance up to half of it less, so that those who failed
/// together do not all come back together. `dice`: any number, drawn anew for each wait.
#[must_use]
pub fn wait_ms(failed: u32, first_ms: i64, dice: u16) -> i64 {
    let doublings = failed.saturating_sub(1).min(30);
    let whole = first_ms.max(1).saturating_mul(1 << doublings).min(LONGEST_WAIT_MS);
    let less = whole / 2 * i64::from(dice) / i64::from(u16::MAX);
    whole - less
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_names_one_event() {
        for event in HookEvent::ALL {
            assert_eq!(HookEvent::parse(event.name()), Some(event));
        }
        assert_eq!(HookEvent::parse("else"), None);
    }

    #[test]
    fn waits_double_up_to_an_hour() {
        let waits: Vec<i64> = (1..=5).map(|failed| wait_ms(failed, 1_000, 0)).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000]);
        assert_eq!(wait_ms(40, 1_000, 0), LONGEST_WAIT_MS);
        assert_eq!(wait_ms(u32::MAX, i64::MAX, u16::MAX), LONGEST_WAIT_MS / 2);
    }

    #[test]
    fn chance_takes_off_half_at_most() {
        for dice in [0, 1, 7, 30_000, u16::MAX] {
            let wait = wait_ms(3, 1_000, dice);
            assert!((2_000..=4_000).contains(&wait), "{wait}");
        }
        assert!(wait_ms(1, 0, u16::MAX) >= 0);
    }
}
