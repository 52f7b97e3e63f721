//! The views against the shapes of the documented examples (`spec/golden`): every field that an
//! example shows is there, of the same JSON type. Values are ours.

use banter_domain::message::{Kind, Message};
use banter_domain::room::{Member, MemberSeen, Outlook, ReadMark, Role, RoomKind, RoomSeen, Standing};
use banter_domain::user::{Profile, User, UserKind};
use serde_json::{Map, Value, json};

use super::message::MessageView;
use super::room::RoomView;
use super::sample::{self, account, app, group, id, message, object_id, room, user};
use super::user::{FullUser, GroupView, MemberView, SenderView, ShortUser};

/// Every field of `example` is in `actual`, of the same type; of lists, the first entry's.
#[track_caller]
fn has_the_shape_of(actual: &Value, example: &Value) {
    match (actual, example) {
        (Value::Object(actual), Value::Object(example)) => {
            for (name, example) in example {
                let value = actual.get(name).unwrap_or_else(|| panic!("{name} is missing"));
                has_the_shape_of(value, example);
            }
        }
        (Value::Array(actual), Value::Array(example)) => {
            if let (Some(actual), Some(example)) = (actual.first(), example.first()) {
                has_the_shape_of(actual, example);
            }
        }
        (Value::Number(actual), Value::Number(example)) => {
            assert_eq!(actual.is_i64(), example.is_i64(), "{actual} against {example}");
        }
        (actual, example) => {
            assert_eq!(std::mem::discriminant(actual), std::mem::discriminant(example), "{actual} against {example}");
        }
    }
}

fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn shown(message: &Message) -> Value {
    json!(MessageView::of(&app().unwrap(), message))
}

fn seen(room: &RoomSeen, viewer: Option<&str>) -> Value {
    json!(RoomView::of(&app().unwrap(), room, viewer.map(id).as_ref()))
}

#[test]
fn a_short_user_has_the_seeds_five_fields() {
    let shown = json!(ShortUser::of(&user("aaa").profile));
    assert_eq!(names(&shown), ["_id", "avatarUrl", "id", "lastLoginTimeMS", "nickname"]);
}

#[test]
fn r05_a_deleted_user_has_an_empty_nickname_and_no_picture() {
    let shown = json!(ShortUser::of(&Profile::deleted(id("aaa"))));
    assert_eq!(shown, json!({"_id": "aaa", "id": "aaa", "nickname": "", "lastLoginTimeMS": 0}));
}

#[test]
fn the_full_view_has_what_the_examples_show_and_never_a_token() {
    let shown = sample::account_shown();
    has_the_shape_of(
        &shown,
        &json!({
            "_id": "", "id": "", "appID": "", "nickname": "", "description": "", "avatarUrl": "",
            "lastJoinOrCreateRoomTime": "", "updatedAt": "", "createdAt": "", "isRobot": false, "mute": [""],
            "lastLoginTimeMS": 1, "lastLoginTime": "", "clientType": "user", "notificationEnabled": true, "city": "",
        }),
    );
    assert!(shown.get("token").is_none() && shown.get("data").is_none());
}

#[test]
fn a_custom_field_never_stands_in_for_ours_and_is_never_called_data() {
    let mut account = account("aaa");
    for name in ["_id", "id", "nickname", "token", "data", "mute", "clientType", "members", "createdAt"] {
        account.user.custom.insert(name.to_owned(), json!({"forged": true}));
    }
    account.user.custom.insert("level".to_owned(), json!(3));
    let shown = json!(FullUser::of(&app().unwrap(), &account));
    assert!(!shown.to_string().contains("forged"), "{shown}");
    assert_eq!(shown["level"], 3);
}

#[test]
fn a_user_who_never_logged_in_has_no_login_time() {
    let mut account = account("aaa");
    account.user.profile.last_login_ms = 0;
    let shown = json!(FullUser::of(&app().unwrap(), &account));
    assert_eq!(shown["lastLoginTimeMS"], 0);
    assert!(shown.get("lastLoginTime").is_none());
}

#[test]
fn a_member_says_what_kind_of_client_he_is() {
    let person = room().members.remove(0);
    let shown = json!(MemberView::of(&person));
    has_the_shape_of(
        &shown,
        &json!({
            "_id": "", "id": "", "nickname": "", "avatarUrl": "", "isRobot": false, "clientType": "user",
            "description": "", "lastLoginTime": "", "lastLoginTimeMS": 1,
        }),
    );
    assert!(shown.get("members").is_none());
    for private in ["appID", "mute", "city", "notificationEnabled", "createdAt"] {
        assert!(shown.get(private).is_none(), "{private} is private");
    }
    let of_group =
        MemberSeen { user: User { kind: UserKind::Group, ..user("team") }, group: vec![user("bbb")], ..person };
    let shown = json!(MemberView::of(&of_group));
    assert_eq!(shown["clientType"], "group");
    assert_eq!(shown["members"][0]["_id"], "bbb");
    assert_eq!(shown["members"][0]["clientType"], "user");
}

#[test]
fn a_sender_and_a_user_group_have_their_fields() {
    let shown = json!(SenderView::of(&message().sender));
    assert_eq!(names(&shown), ["_id", "avatarUrl", "description", "id", "isRobot", "lastLoginTimeMS", "nickname"]);
    let shown = json!(GroupView::of(&group()));
    assert_eq!(names(&shown), ["_id", "avatarUrl", "createdAt", "id", "members", "nickname", "updatedAt"]);
    assert_eq!(shown["members"], json!(["bbb", "ccc"]));
}

#[test]
fn a_message_has_what_the_clients_read() {
    let message = shown(&message());
    has_the_shape_of(
        &message,
        &json!({
            "_id": "", "id": "", "room": "", "appID": "", "message": "", "messageType": "text",
            "sender": {"_id": "", "id": "", "nickname": "", "avatarUrl": "", "description": "", "lastLoginTimeMS": 1},
            "messageTime": "", "messageTimeMS": 1, "createdAt": "", "createdAtMS": 1, "updatedAt": "", "updatedAtMS": 1,
            "editedAt": null, "mentions": [""], "reactions": [{"client": "", "reaction": ""}], "reactionCount": 1,
            "pinned": false, "isPined": false,
            "reply": {"_id": "", "message": "", "messageType": "", "sender": {"_id": ""}, "messageTimeMS": 1},
        }),
    );
    assert_eq!(message["_id"].as_str().map(str::len), Some(24));
    for absent in ["extra", "member", "batchID", "data", "subjects"] {
        assert!(message.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn a_reply_goes_one_level_deep() {
    let mut quoting = message();
    quoting.reply = Some(Box::new(message()));
    let shown = shown(&quoting);
    assert!(shown["reply"].is_object() && shown["reply"].get("reply").is_none());
}

#[test]
fn the_sender_is_an_id_where_the_platform_sends() {
    let shown = json!(MessageView::with_sender_id(&app().unwrap(), &message()));
    assert_eq!(shown["sender"], "aaa");
}

#[test]
fn only_documented_fields_of_a_body_are_shown() {
    let mut message = message();
    message.kind = "video".to_owned();
    message.body = Map::from_iter([
        ("originalUrl".to_owned(), json!("https://example.com/v.mp4")),
        ("duration".to_owned(), json!(3)),
        ("extra".to_owned(), json!("{\"bytes\":1}")),
        ("video".to_owned(), json!({"thumb": "data:"})),
        ("data".to_owned(), json!(1)),
        ("sender".to_owned(), json!("forged")),
    ]);
    let shown = shown(&message);
    assert_eq!(shown["originalUrl"], "https://example.com/v.mp4");
    assert_eq!(shown["duration"], 3);
    assert_eq!(shown["extra"], "{\"bytes\":1}", "echoed as given");
    assert!(shown.get("video").is_none() && shown.get("data").is_none());
    assert_eq!(shown["sender"]["_id"], "aaa");
}

#[test]
fn a_file_always_has_extra() {
    for (kind, expected) in [("file", Some(json!({}))), ("audio", Some(json!({}))), ("text", None)] {
        let shown = shown(&Message { kind: kind.to_owned(), ..message() });
        assert_eq!(shown.get("extra"), expected.as_ref(), "{kind}");
    }
}

#[test]
fn system_messages_carry_the_users_they_speak_of() {
    let subject = |id: &str| json!({"id": id, "nickname": id.to_uppercase(), "avatar_url": null, "last_login_ms": 5});
    let of = |kind: Kind, ids: &[&str]| {
        let subjects: Vec<_> = ids.iter().map(|id| subject(id)).collect();
        let body = Map::from_iter([("subjects".to_owned(), json!(subjects))]);
        shown(&Message { kind: kind.name().to_owned(), body, ..message() })
    };
    let short = |id: &str| json!({"_id": id, "id": id, "nickname": id.to_uppercase(), "lastLoginTimeMS": 5});
    let added = of(Kind::AddMember, &["ccc"]);
    assert_eq!(added["member"], short("ccc"));
    assert_eq!(added["extra"], json!({"invitees": [short("ccc")]}));
    let added = of(Kind::AddMembers, &["bbb", "ccc"]);
    assert_eq!(added["extra"], json!({"invitees": [short("bbb"), short("ccc")]}));
    for kind in [Kind::DeleteMember, Kind::AssignAdmin] {
        let about = of(kind, &["ccc"]);
        assert_eq!(about["member"], short("ccc"));
        assert_eq!(about["extra"], json!({"members": [short("ccc")]}));
    }
    let joined = of(Kind::JoinRoom, &["ccc"]);
    assert!(joined.get("extra").is_none() && joined.get("member").is_none());
    assert!(!joined.to_string().contains("subjects"));
}

#[test]
fn a_room_has_what_the_clients_read() {
    let shown = sample::room_shown();
    has_the_shape_of(
        &shown,
        &json!({
            "_id": "", "id": "", "appID": "", "name": "", "cover": "", "description": "", "roomType": "group",
            "owner": {"_id": "", "id": "", "nickname": "", "avatarUrl": "", "lastLoginTimeMS": 1}, "managers": [""],
            "members": [{"_id": "", "id": "", "clientType": ""}],
            "memberProperties": [{"client": "", "badge": 1, "lastRead": ""}],
            "lastMessage": {"_id": "", "message": "", "messageType": "", "sender": {"_id": ""}, "createdAtMS": 1},
            "unread": 0, "isMentioned": false, "muted": false, "pref": {}, "isSuperuser": true,
            "didBlockAt": null, "didBlockAtMS": null, "wasBlockedAt": null, "wasBlockedAtMS": null,
            "roomTags": [""], "status": 1, "opening": 1, "botMode": false, "botState": "", "serviceStatus": 0,
            "encrypted": false, "createdTime": "", "createdTimeMS": 1,
        }),
    );
    for absent in ["data", "webhook", "extParams"] {
        assert!(shown.get(absent).is_none(), "{absent}");
    }
    assert_eq!(shown["managers"], json!(["bbb"]));
    assert_eq!(shown["memberProperties"][1]["role"], "admin");
    assert!(shown["memberProperties"][0].get("role").is_none());
}

#[test]
fn a_room_without_messages_has_no_last_message() {
    let seen_room = RoomSeen { last_message: None, owner: None, ..room() };
    let shown = seen(&seen_room, Some("aaa"));
    assert!(shown.get("lastMessage").is_none() && shown.get("owner").is_none());
}

#[test]
fn frozen_and_closed_are_numbers() {
    let mut room = room();
    (room.room.frozen, room.room.closed) = (true, true);
    let shown = seen(&room, Some("aaa"));
    assert_eq!((&shown["status"], &shown["opening"]), (&json!(0), &json!(0)));
}

#[test]
fn members_are_ids_only_where_the_platform_makes_a_room() {
    let room = room();
    let shown = json!(RoomView::with_member_ids(&app().unwrap(), &room, None));
    assert_eq!(shown["members"], json!(["aaa", "bbb"]));
}

#[test]
fn others_are_shown_what_reading_may_tell_and_oneself_what_one_read() {
    let mut room = room();
    room.room.last_count = 10;
    for seen in &mut room.members {
        seen.member.read = ReadMark { count: 9, message: Some(object_id(9)) };
        seen.member.shown_read = ReadMark { count: 4, message: Some(object_id(4)) };
    }
    room.outlook = room.outlook.map(|outlook| Outlook { unread: 1, ..outlook });
    let shown = seen(&room, Some("aaa"));
    let mark = |shown: &Value, at: usize| shown["memberProperties"][at].clone();
    assert_eq!(mark(&shown, 0)["badge"], 1);
    assert_eq!(mark(&shown, 0)["lastRead"], object_id(9).to_string());
    assert_eq!(mark(&shown, 1)["badge"], 6);
    assert_eq!(mark(&shown, 1)["lastRead"], object_id(4).to_string());
    room.members[1].member.shown_read.count = 11;
    assert_eq!(mark(&seen(&room, Some("aaa")), 1)["badge"], 0, "never below nothing");
}

#[test]
fn a_members_own_property_never_stands_in_for_ours() {
    let mut room = room();
    let Member { properties, .. } = &mut room.members[1].member;
    properties.insert("badge".to_owned(), json!("forged"));
    properties.insert("score".to_owned(), json!(7));
    let shown = seen(&room, Some("aaa"));
    assert_eq!(shown["memberProperties"][1]["score"], 7);
    assert!(!shown.to_string().contains("forged"));
}

fn direct(standing: Standing, did_block_ms: Option<i64>) -> RoomSeen {
    let pair = banter_domain::id::Pair::of(&id("aaa"), &id("bbb")).unwrap();
    let mut room = room();
    room.room.kind = RoomKind::Direct(pair);
    room.owner = None;
    room.outlook = room.outlook.map(|outlook| Outlook { standing, did_block_ms, created_ms: 77, ..outlook });
    room
}

#[test]
fn both_of_a_direct_room_are_superusers_and_the_blocker_sees_his_block() {
    let member = Standing { role: Some(Role::Member), member: true, ..Standing::default() };
    let shown = seen(&direct(member, Some(1_628_090_290_735)), Some("aaa"));
    assert_eq!(shown["isSuperuser"], true);
    assert_eq!(shown["didBlockAt"], "2021-08-04T15:18:10.735Z");
    assert_eq!(shown["didBlockAtMS"], 1_628_090_290_735_i64);
    assert_eq!(shown["createdTimeMS"], 77, "as far as the viewer may know");
    let shown = seen(&direct(Standing { blocked: true, ..member }, None), Some("bbb"));
    for field in ["didBlockAt", "didBlockAtMS", "wasBlockedAt", "wasBlockedAtMS"] {
        assert_eq!(shown.get(field), Some(&Value::Null), "R-09: {field}");
    }
}

#[test]
fn superusers_are_owner_managers_and_the_platform() {
    let with = |standing| {
        let mut room = room();
        room.outlook = room.outlook.map(|outlook| Outlook { standing, ..outlook });
        seen(&room, Some("ccc"))["isSuperuser"].clone()
    };
    let standing = |role| Standing { role: Some(role), member: true, ..Standing::default() };
    assert_eq!(with(standing(Role::Owner)), true);
    assert_eq!(with(standing(Role::Manager)), true);
    assert_eq!(with(standing(Role::Member)), false);
    let unseen = RoomSeen { outlook: None, ..room() };
    let shown = seen(&unseen, None);
    assert_eq!(shown["isSuperuser"], true);
    assert!(shown.get("unread").is_none() && shown.get("pref").is_none(), "the platform has no unread messages");
    assert_eq!(seen(&unseen, Some("ccc"))["isSuperuser"], false, "who has just left sees nothing of his own");
}

#[test]
fn the_banned_see_since_when() {
    let mut room = room();
    room.outlook = room.outlook.map(|outlook| Outlook { was_banned_ms: Some(0), ..outlook });
    let shown = seen(&room, Some("aaa"));
    assert_eq!((&shown["wasBlockedAt"], &shown["wasBlockedAtMS"]), (&json!("1970-01-01T00:00:00.000Z"), &json!(0)));
}
