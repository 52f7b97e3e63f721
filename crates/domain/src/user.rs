//! People, robots and user groups.

use serde_json::{Map, Value};

use crate::id::UserId;

/// What stands behind a user id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKind {
    /// A person or a robot.
    Person,
    /// A virtual user whose members share the rooms it is in.
    Group,
}

/// The short view of a user that other people's lists show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Who.
    pub id: UserId,
    /// What to call him; `None`: never given.
    pub nickname: Option<String>,
    /// His picture; `None`: never given.
    pub avatar_url: Option<String>,
    /// When he last logged in, milliseconds since the epoch; 0: never.
    pub last_login_ms: i64,
}

impl Profile {
    /// How a deleted user is shown.
    #[must_use]
    pub fn deleted(id: UserId) -> Self {
        Self { id, nickname: Some(String::new()), avatar_url: None, last_login_ms: 0 }
    }
}

/// A user as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// What others see of him.
    pub profile: Profile,
    /// Person or group.
    pub kind: UserKind,
    /// A few words about him.
    pub description: Option<String>,
    /// A robot is not a user in the sense of blocks and bans.
    pub is_robot: bool,
    /// Does he want notifications?
    pub notifications: bool,
    /// When he was made, milliseconds.
    pub created_ms: i64,
    /// When he was last changed, milliseconds.
    pub updated_ms: i64,
    /// When he last joined or made a room, milliseconds.
    pub last_room_ms: Option<i64>,
    /// Fields of the app's own, stored as given.
    pub custom: Map<String, Value>,
}

/// What a change to a user gives; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserChange {
    /// A new nickname, masked already where the app has sensitive words.
    pub nickname: Option<String>,
    /// A new picture.
    pub avatar_url: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// Robot or not.
    pub is_robot: Option<bool>,
    /// A login to record, milliseconds (import only).
    pub last_login_ms: Option<i64>,
    /// When he was made, milliseconds (import only).
    pub created_ms: Option<i64>,
    /// Custom fields to set; a `null` removes one.
    pub custom: Map<String, Value>,
}
