//! Notifications: which devices there are, and what they are told.
//!
//! Whether somebody is notified at all is decided in [`crate::moderation::may_notify`].

use std::fmt;

use serde_json::Value;

use crate::id::{ObjectId, RoomId, UserId};
use crate::message::{Kind, Message};
use crate::room::Room;

/// At most so many characters of a message's words are shown on a device.
pub const SHOWN_CHARS: usize = 200;
/// At most so many characters of a room's or a user's name.
pub const TITLE_CHARS: usize = 64;
/// The longest token of a device, bytes.
pub const TOKEN_BYTES: usize = 2_048;

/// Who carries notifications to devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Apple's.
    Apns,
    /// Google's.
    Fcm,
}

impl Service {
    /// `apns` or `fcm`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apns => "apns",
            Self::Fcm => "fcm",
        }
    }
}

/// What a device registered as (rest.md 2.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// A phone or tablet of Apple's.
    Ios,
    /// The same, under its service's name.
    Apns,
    /// The same, for calls. A message is none, and an app that is woken for a call and shows none is
    /// shut down by its system: nothing is sent there.
    IosVoip,
    /// A phone with Google's services.
    Android,
    /// Whatever Google's service reaches.
    Fcm,
    /// A browser.
    Web,
}

impl DeviceKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Ios, Self::Apns, Self::IosVoip, Self::Android, Self::Fcm, Self::Web];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ios => "ios",
            Self::Apns => "apns",
            Self::IosVoip => "ios-voip",
            Self::Android => "android",
            Self::Fcm => "fcm",
            Self::Web => "web",
        }
    }

    /// Reads a name. `None`: no such kind.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Who carries messages there. `None`: nobody.
    #[must_use]
    pub const fn service(self) -> Option<Service> {
        match self {
            Self::Ios | Self::Apns => Some(Service::Apns),
            Self::Android | Self::Fcm | Self::Web => Some(Service::Fcm),
            Self::IosVoip => None,
        }
    }
}

/// Where its service finds a device. Whoever has it can send there: it never shows.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DeviceToken(String);

impl DeviceToken {
    /// 1 to [`TOKEN_BYTES`] printable ASCII characters without spaces. `None`: it is none.
    #[must_use]
    pub fn parse(text: String) -> Option<Self> {
        let fits = (1..=TOKEN_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then_some(Self(text))
    }

    /// The token itself, for its service and for the database.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceToken(…)")
    }
}

/// A user's device as it registered. A token is one user's at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Whose.
    pub user: UserId,
    /// What its client calls it; empty: nothing.
    pub name: String,
    /// What it registered as.
    pub kind: DeviceKind,
    /// Where its service finds it.
    pub token: DeviceToken,
    /// When it registered last, milliseconds.
    pub since_ms: i64,
}

/// How those who are away are told of a message (rest.md 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Notice {
    /// With a notification that carries the number of unread messages.
    #[default]
    Loud,
    /// With a notification that leaves that number on the device alone.
    WithoutBadge,
    /// Not at all.
    Silent,
}

impl Notice {
    /// How it is written down.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loud => "loud",
            Self::WithoutBadge => "without-badge",
            Self::Silent => "silent",
        }
    }

    /// Reads a name. What is not known is not told: better no notification than one nobody wanted.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        [Self::Loud, Self::WithoutBadge].into_iter().find(|notice| notice.name() == name).unwrap_or(Self::Silent)
    }
}

/// The words of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// These.
    Text(String),
    /// A sentence the app on the device knows under a key, in the language of the device.
    Key {
        /// Its key.
        key: String,
        /// What to put into it.
        args: Vec<String>,
    },
}

/// What a notification is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// In which room.
    pub room: RoomId,
    /// Which message.
    pub message: ObjectId,
    /// Who wrote it.
    pub sender: UserId,
}

/// What a device is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note {
    /// Its heading.
    pub title: Option<String>,
    /// Its words.
    pub says: Option<Says>,
    /// Its words where the service, or the app on the device, knows no keys.
    pub plain: Option<String>,
    /// The number on the app's icon.
    pub badge: Option<i64>,
    /// With which sound.
    pub sound: Option<String>,
    /// With which picture.
    pub icon: Option<String>,
    /// For which of the operator's apps, where the service tells them apart.
    pub topic: Option<String>,
    /// A newer one with the same key takes its place on the device.
    pub collapse: Option<String>,
    /// Of what kind it is, for the app on the device.
    pub kind: Option<String>,
    /// From when on it is of no use, seconds since the epoch.
    pub expires_s: Option<i64>,
    /// The message it tells of.
    pub about: Option<About>,
}

/// What a device is told of a message. `None`: nothing: system messages, and those that were taken
/// back or out of the members' sight, are no news.
#[must_use]
pub fn note_of(room: &Room, message: &Message, badge: Option<i64>) -> Option<Note> {
    if message.hidden || Kind::is_system(&message.kind) || message.kind == Kind::Recall.name() {
        return None;
    }
    let sender = &message.sender.profile;
    let nickname = sender.nickname.as_deref().unwrap_or(sender.id.as_str());
    let title = room.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(nickname);
    let says = match &message.text {
        Value::String(text) if message.kind == Kind::Text.name() => Says::Text(shortened(text, SHOWN_CHARS)),
        _ => Says::Key { key: format!("im_loc_{}", message.kind), args: vec![shortened(nickname, TITLE_CHARS)] },
    };
    Some(Note {
        title: Some(shortened(title, TITLE_CHARS)).filter(|title| !title.is_empty()),
        says: Some(says),
        badge,
        sound: Some("default".to_owned()),
        about: Some(About { room: room.id.clone(), message: message.id, sender: sender.id.clone() }),
        ..Note::default()
    })
}

/// A text of at most so many characters; what is cut off shows as `…`.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_printable_bounded_and_never_shows() {
        let token = DeviceToken::parse("c:APA91b-_".to_owned()).expect("a token");
        assert_eq!((token.reveal(), format!("{token:?}").as_str()), ("c:APA91b-_", "DeviceToken(…)"));
        for bad in [String::new(), "a b".to_owned(), "a\n".to_owned(), "é".to_owned(), "x".repeat(TOKEN_BYTES + 1)] {
            assert_eq!(DeviceToken::parse(bad), None);
        }
    }

    #[test]
    fn kinds_are_read_as_they_are_written_and_calls_carry_no_messages() {
        for kind in DeviceKind::ALL {
            assert_eq!(DeviceKind::parse(kind.name()), Some(kind));
            assert_eq!(kind.service().is_none(), kind == DeviceKind::IosVoip, "{kind:?}");
        }
        assert_eq!(DeviceKind::parse("IOS"), None);
    }

    #[test]
    fn a_notice_nobody_knows_is_silent() {
        for notice in [Notice::Loud, Notice::WithoutBadge, Notice::Silent] {
            assert_eq!(Notice::parse(notice.name()), notice);
        }
        assert_eq!(Notice::parse("louder"), Notice::Silent);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(shortened("héllo", 5), "héllo");
        assert_eq!(shortened("héllo!", 5), "héll…");
        assert_eq!(shortened("", 5), "");
        assert_eq!(shortened("ab", 0), "…");
    }
}
