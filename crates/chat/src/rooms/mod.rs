//! Rooms and their members.

mod come_and_go;
mod create;
mod find;
mod invitations;
mod list;
mod members;
mod seen;
mod update;

pub(crate) use list::{OwnRooms, sort};
pub(crate) use seen::{eyes, known, readable, seen};

use banter_domain::filter::Filter;
use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::room::{Room, RoomKind};
use serde_json::Value;

/// What kind of room is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewKind {
    /// Two people.
    Direct,
    /// Many.
    Group,
    /// As a group.
    Custom,
}

/// How somebody is brought into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// He is in it at once.
    #[default]
    Brought,
    /// He is asked, and comes when he accepts.
    Asked,
}

/// A room to be made.
#[derive(Debug, Clone, Default)]
pub struct NewRoom {
    /// Its id; `None`: a fresh one, or the pair's.
    pub id: Option<RoomId>,
    /// Direct, group or custom; `None`: group.
    pub kind: Option<NewKind>,
    /// Shown name.
    pub name: Option<String>,
    /// Shown picture.
    pub cover: Option<String>,
    /// Shown description.
    pub description: Option<String>,
    /// Shared tags.
    pub tags: Vec<String>,
    /// Where messages are told to a robot.
    pub webhook: Option<String>,
    /// May the robot answer?
    pub bot_mode: Option<bool>,
    /// The app's own parameters.
    pub ext_params: Option<String>,
    /// Its owner (API key only).
    pub owner: Option<UserId>,
    /// Who is in it besides.
    pub members: Vec<UserId>,
    /// How those others come in; only into a group they can be asked.
    pub way: Way,
    /// Say in the room who came.
    pub system_message: bool,
}

/// A change to a room; `None` leaves a part as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomChange {
    /// Shown name.
    pub name: Option<String>,
    /// Shown picture.
    pub cover: Option<String>,
    /// Shown description.
    pub description: Option<String>,
    /// Shared tags.
    pub tags: Option<Vec<String>>,
    /// Where messages are told to a robot.
    pub webhook: Option<String>,
    /// May the robot answer?
    pub bot_mode: Option<bool>,
    /// The app's own parameters.
    pub ext_params: Option<String>,
    /// Closed to joining and inviting.
    pub closed: Option<bool>,
    /// Frozen.
    pub frozen: Option<bool>,
    /// A new owner.
    pub owner: Option<UserId>,
    /// Exactly these are managers.
    pub managers: Option<Vec<UserId>>,
}

/// What a list of rooms is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// The newest message.
    LastMessage,
    /// When it was made.
    CreatedTime,
}

/// Which of one's rooms are asked for.
#[derive(Debug, Clone, Default)]
pub struct RoomsQuery {
    /// Sorted by these, each perhaps descending.
    pub sort: Vec<(SortBy, bool)>,
    /// After so many.
    pub skip: usize,
    /// At most so many; `None`: all.
    pub limit: Option<usize>,
    /// Only those with a newer message or made later, milliseconds.
    pub updated_after_ms: Option<i64>,
    /// Only those whose preferences match.
    pub pref: Option<Filter>,
    /// Only those that match.
    pub filter: Option<Filter>,
    /// Those with unread messages first.
    pub unread_first: bool,
}

/// A property of a member.
#[derive(Debug, Clone)]
pub enum Property {
    /// Manager or plain member.
    Manager(bool),
    /// One of the app's own.
    Custom(String, Value),
}

/// How far somebody has read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Who.
    pub user: UserId,
    /// The last message read.
    pub last_read: Option<ObjectId>,
    /// What remains unread.
    pub badge: i64,
}

/// The row of a room that is just made.
pub(crate) fn new_room_row(id: RoomId, kind: RoomKind, created_ms: i64) -> Room {
    Room {
        id,
        kind,
        owner: None,
        name: None,
        cover: None,
        description: None,
        tags: Vec::new(),
        webhook: None,
        webhook_by: None,
        bot_mode: false,
        bot_state: String::new(),
        ext_params: None,
        frozen: false,
        closed: false,
        secret: false,
        last_seq: 0,
        last_count: 0,
        total: 0,
        last_message: None,
        last_message_ms: 0,
        pinned: None,
        created_ms,
    }
}
