//! A small world for the document's examples and for tests: what it shows of an object is what the
//! object's own view makes of this.

use banter_chat::{Account, UserGroup};
use banter_domain::id::{AppId, ObjectId, RoomId, UserId};
use banter_domain::message::{Message, Reaction, Sender};
use banter_domain::room::{Member, MemberSeen, Outlook, ReadMark, Role, Room, RoomKind, RoomSeen, Standing};
use banter_domain::user::{Profile, User, UserKind};
use serde_json::{Map, Value, json};

use super::message::MessageView;
use super::room::RoomView;
use super::user::{FullUser, GroupView};

/// 2021-08-04T15:18:10.735Z.
const NOON: i64 = 1_628_090_290_735;

/// An invitation of Bob's, by Alecia, as Bob reads it.
#[must_use]
pub fn invitation_shown() -> Value {
    let person = |name: &str, nickname: &str| {
        json!({
            "_id": name, "nickname": nickname, "id": name, "lastLoginTimeMS": 0,
        })
    };
    json!({
        "inviter": person("aaa", "Alecia"), "invitee": person("bbb", "Bob"),
        "createdAt": "2021-08-04T15:18:10.735Z", "updatedAt": "2021-08-04T15:18:10.735Z",
        "createdTimeMS": NOON, "updatedTimeMS": NOON,
    })
}

/// The app's id.
#[must_use]
pub fn app() -> Option<AppId> {
    AppId::parse("SampleApp").ok()
}

/// A user's id.
#[must_use]
pub fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap_or_else(|_| UserId::platform())
}

/// The room's id.
#[must_use]
pub fn room_id() -> RoomId {
    RoomId::parse("demo-room").unwrap_or_else(|_| RoomId::from(object_id(0)))
}

/// A message's id.
#[must_use]
pub fn object_id(second: i64) -> ObjectId {
    ObjectId::first_of(NOON + second * 1_000)
}

/// A user.
#[must_use]
pub fn user(name: &str) -> User {
    User {
        profile: Profile {
            id: id(name),
            nickname: Some(name.to_uppercase()),
            avatar_url: Some(format!("https://example.com/{name}.jpg")),
            last_login_ms: NOON - 60_000,
        },
        kind: UserKind::Person,
        description: Some("Likes tea".to_owned()),
        is_robot: false,
        notifications: true,
        created_ms: NOON - 3_600_000,
        updated_ms: NOON - 60_000,
        last_room_ms: Some(NOON - 120_000),
        custom: Map::from_iter([("city".to_owned(), json!("Taipei"))]),
    }
}

/// A user with what only he and the platform see.
#[must_use]
pub fn account(name: &str) -> Account {
    Account { user: user(name), mutes: vec![room_id()] }
}

/// A user group of two.
#[must_use]
pub fn group() -> UserGroup {
    UserGroup { user: User { kind: UserKind::Group, ..user("support") }, members: vec![id("bbb"), id("ccc")] }
}

/// A message that answers another.
#[must_use]
pub fn message() -> Message {
    let first = Message {
        id: object_id(0),
        seq: 1,
        room: room_id(),
        sender: sender("bbb"),
        kind: "text".to_owned(),
        text: json!("Tea at four?"),
        body: Map::new(),
        reply: None,
        reactions: Vec::new(),
        pinned: false,
        message_ms: NOON,
        created_ms: NOON,
        updated_ms: NOON,
        edited_ms: None,
        batch: None,
        hidden: false,
    };
    Message {
        id: object_id(60),
        seq: 2,
        sender: sender("aaa"),
        text: json!("Gladly, bbb"),
        body: Map::from_iter([("mentions".to_owned(), json!(["bbb"]))]),
        reactions: vec![Reaction { user: id("bbb"), reaction: "like".to_owned() }],
        message_ms: NOON + 60_000,
        created_ms: NOON + 60_000,
        updated_ms: NOON + 60_000,
        reply: Some(Box::new(first.clone())),
        ..first
    }
}

fn sender(name: &str) -> Sender {
    let user = user(name);
    Sender { profile: user.profile, description: user.description, is_robot: user.is_robot }
}

/// A group room of two as its owner sees it.
#[must_use]
pub fn room() -> RoomSeen {
    RoomSeen {
        room: Room {
            id: room_id(),
            kind: RoomKind::Group,
            owner: Some(id("aaa")),
            name: Some("Demo room".to_owned()),
            cover: Some("https://example.com/cover.jpg".to_owned()),
            description: Some("Where the tour begins".to_owned()),
            tags: vec!["demo".to_owned()],
            webhook: None,
            webhook_by: None,
            bot_mode: false,
            bot_state: String::new(),
            ext_params: None,
            frozen: false,
            closed: false,
            secret: false,
            last_seq: 2,
            last_count: 2,
            total: 2,
            last_message: Some(2),
            last_message_ms: NOON + 60_000,
            pinned: None,
            created_ms: NOON - 1_000,
        },
        owner: Some(user("aaa").profile),
        members: vec![member("aaa", false, 2), member("bbb", true, 1)],
        last_message: Some(message()),
        outlook: Some(Outlook {
            standing: Standing { role: Some(Role::Owner), member: true, ..Standing::default() },
            unread: 0,
            mentioned: false,
            muted: false,
            pref: Map::new(),
            did_block_ms: None,
            was_banned_ms: None,
            created_ms: NOON - 1_000,
        }),
    }
}

fn member(name: &str, manager: bool, read: i64) -> MemberSeen {
    let read = ReadMark { count: read, message: Some(object_id((read - 1) * 60)) };
    MemberSeen {
        member: Member { user: id(name), manager, shown_read: read, read, properties: Map::new() },
        user: user(name),
        group: Vec::new(),
    }
}

/// The envelope around a result.
#[must_use]
pub fn answer(result: &Value) -> Value {
    json!({"RC": 0, "RM": "OK", "result": result})
}

/// The envelope around a page of one.
#[must_use]
pub fn page(entry: &Value) -> Value {
    answer(&json!({"totalCount": 1, "data": [entry]}))
}

/// The full view of a user.
#[must_use]
pub fn account_shown() -> Value {
    shown(|app| json!(FullUser::of(app, &account("aaa"))))
}

/// The view of a user group.
#[must_use]
pub fn group_shown() -> Value {
    json!(GroupView::of(&group()))
}

/// The view of a message.
#[must_use]
pub fn message_shown() -> Value {
    shown(|app| json!(MessageView::of(app, &message())))
}

/// The view of a room.
#[must_use]
pub fn room_shown() -> Value {
    shown(|app| json!(RoomView::of(app, &room(), Some(&id("aaa")))))
}

fn shown(view: impl FnOnce(&AppId) -> Value) -> Value {
    app().map(|app| view(&app)).unwrap_or_default()
}
