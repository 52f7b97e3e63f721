//! Every action, once: so that every statement is sent.

use std::sync::Arc;

use banter_chat::{
    Anchor, AuditQuery, Batch, BucketSize, Caller, Chat, DeliveryState, Error, Grant, HookTelling, MAX_DEVICES,
    MessagesOfApp, MessagesQuery, NewDelivery, NewFile, NewKind, NewRoom, Options, Para, Property, Reach, Reply,
    RoomChange, RoomsQuery, SearchFor, SearchQuery, Telling, TimeField, Way, Who, Words,
};
use banter_domain::file::MediaType;
use banter_domain::filter::Filter;
use banter_domain::id::{AppId, Bucket, RoomId, UserId};
use banter_domain::push::{DeviceKind, DeviceToken, Note, Service};
use banter_domain::record::Action;
use banter_domain::relation::ListQuery;
use banter_domain::sticker::StickerSet;
use banter_domain::user::UserChange;
use banter_store::sql::Engine;
use banter_store::{Store, Vault};
use serde_json::json;

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("an id")
}

fn room(id: &str) -> RoomId {
    RoomId::parse(id).expect("an id")
}

fn says(text: &str) -> Words {
    Words { text: json!(text), mentions: vec![user("bob")], ..Words::default() }
}

/// How many of these acts are refused; all others succeed.
pub(crate) const REFUSED: usize = 3;

pub(crate) async fn done_once(engine: Arc<dyn Engine>) {
    let chat =
        Arc::new(Chat::new(Store::over(engine), [7; 32], Arc::new(|| 1_700_000_000_000), [1; 5], Options::default()));
    let app = chat.create_app(AppId::parse("app").expect("an id"), "api", "client").await.expect("an app");
    let platform = Caller { app: app.clone(), who: Who::Platform { on_behalf_of: None }, address: None };
    for id in ["ann", "bob", "cat", "dan"] {
        let change = UserChange { nickname: Some(id.to_owned()), ..UserChange::default() };
        let grant = Grant { token: format!("token-{id}"), expires_ms: 1_800_000_000_000 };
        chat.save_user(&platform, user(id), change, Some(grant)).await.expect("a user");
    }
    chat.create_group(&platform, Some(user("grp")), "them".to_owned(), None, vec![user("dan")]).await.expect("a group");
    let (id, token) = chat.user_of_token(&app, "token-ann").await.expect("an answer").expect("a user");
    let ann = Caller { app: app.clone(), who: Who::User { id, token }, address: None };
    let as_bob = Caller { app, who: Who::Platform { on_behalf_of: Some(user("bob")) }, address: None };
    rooms(&chat, &platform, &ann).await;
    let (id, token) = chat.user_of_token(&ann.app, "token-cat").await.expect("an answer").expect("a user");
    let cat = Caller { app: ann.app.clone(), who: Who::User { id, token }, address: None };
    chat.join(&cat, &room("den"), true).await.expect("in");
    for _ in 0..2 {
        chat.remove_members(&cat, &room("den"), vec![user("cat")], true).await.expect("out");
    }
    messages(&chat, &platform, &ann, &as_bob).await;
    files(&chat, &platform, &ann).await;
    moderation(&chat, &platform, &ann).await;
    the_rest(&chat, &platform, &ann).await;
    notifications(&chat, &platform, &ann, &as_bob).await;
    webhooks(&chat, &platform, &ann).await;
    chat.revoke_tokens(&platform, &user("ann"), None).await.expect("it goes");
    r21_a_token_bound_anew_lets_its_old_owner_do_nothing(&chat, &platform, &ann).await;
    chat.delete_room(&platform, &room("den")).await.expect("it goes");
    chat.delete_user(&platform, &user("bob")).await.expect("he goes");
    chat.forget_the_old().await.expect("forgotten");
    chat.resume().await.expect("it goes on");
}

/// He came in before his token ended, and acts after somebody else has it.
async fn r21_a_token_bound_anew_lets_its_old_owner_do_nothing(chat: &Arc<Chat>, platform: &Caller, ann: &Caller) {
    let grant = Grant { token: "token-ann".to_owned(), expires_ms: 1_800_000_000_000 };
    chat.replace_token(platform, &user("cat"), grant).await.expect("replaced");
    let sent = chat.send(ann, &room("den"), says("I was here before"), None, false).await;
    assert!(matches!(sent, Err(Error::TokenGone)), "{sent:?}");
    let blocked = chat.block(ann, &user("cat")).await;
    assert!(matches!(blocked, Err(Error::TokenGone)), "{blocked:?}");
}

async fn rooms(chat: &Arc<Chat>, platform: &Caller, ann: &Caller) {
    let members = vec![user("ann"), user("bob"), user("grp")];
    let den = NewRoom {
        id: Some(room("den")),
        owner: Some(user("ann")),
        members,
        system_message: true,
        ..NewRoom::default()
    };
    chat.create_room(platform, den).await.expect("a room");
    let direct = NewRoom { kind: Some(NewKind::Direct), members: vec![user("bob")], ..NewRoom::default() };
    chat.open_room(ann, direct).await.expect("a room");
    chat.add_members(ann, &room("den"), vec![user("cat")], Way::Brought, true).await.expect("in");
    chat.set_property(ann, &room("den"), &user("cat"), Property::Manager(true)).await.expect("set");
    chat.set_property(ann, &room("den"), &user("cat"), Property::Custom("level".to_owned(), json!(3)))
        .await
        .expect("set");
    let change = RoomChange { name: Some("Den".to_owned()), tags: Some(vec!["t".to_owned()]), ..RoomChange::default() };
    chat.update_room(ann, &room("den"), change).await.expect("changed");
    chat.remove_members(ann, &room("den"), vec![user("cat")], true).await.expect("out");
    let query = RoomsQuery { unread_first: true, updated_after_ms: Some(0), ..RoomsQuery::default() };
    chat.rooms(ann, query).await.expect("rooms");
    chat.room(ann, &room("den")).await.expect("a room");
    chat.add_members(ann, &room("den"), vec![user("cat"), user("dan")], Way::Asked, false).await.expect("asked");
    chat.my_invitations(ann, 0, 10).await.expect("invitations");
    chat.invitations_into(ann, &room("den"), 0, 10).await.expect("invitations");
    chat.invitation(ann.app.number, &room("den"), &user("cat")).await.expect("an answer").expect("he is asked");
    chat.cancel_invitations(ann, &room("den"), vec![user("cat")], true).await.expect("taken back");
    chat.decline_invitation(ann, &room("den")).await.expect("nothing to decline");
    assert!(chat.room_exists(ann, &room("den")).await.expect("an answer"));
    chat.room_ids(ann, 0, Some(10)).await.expect("ids");
    chat.rooms_left(ann, 0, 10).await.expect("rooms");
}

async fn messages(chat: &Arc<Chat>, platform: &Caller, ann: &Caller, as_bob: &Caller) {
    let den = room("den");
    let first = chat.send(ann, &den, says("hello 世界"), None, false).await.expect("sent").id;
    let reply = Words { reply: Some(first), ..says("again") };
    let second = chat.send(platform, &den, reply, Some(user("bob")), true).await.expect("sent").id;
    chat.edit(ann, &den, first, says("hullo 世界"), (None, false)).await.expect("edited");
    chat.pin(ann, first, true).await.expect("pinned");
    for on in [true, true, false, false] {
        chat.react(as_bob, first, "👍", on).await.expect("reacted, or taken back");
    }
    chat.mark_read(ann, &den, Some(second)).await.expect("read");
    chat.mark_read(as_bob, &den, None).await.expect("read");
    for anchor in [None, Some(Anchor::Before(second)), Some(Anchor::After(first))] {
        let query = MessagesQuery { anchor, ascending: false, limit: 20, after_time: None };
        chat.messages(ann, &den, query).await.expect("messages");
    }
    for field in [TimeField::Updated, TimeField::Created, TimeField::Message] {
        let query = MessagesQuery { anchor: None, ascending: true, limit: 20, after_time: Some((field, 5)) };
        chat.messages(ann, &den, query).await.expect("messages");
    }
    let paras = vec![
        Para { receiver: Some(user("cat")), room: None, fills: Vec::new() },
        Para { receiver: None, room: Some(den.clone()), fills: Vec::new() },
    ];
    chat.send_batch(ann, Batch { words: says("all"), sender: None, force: false, paras }).await.expect("sent");
    use SearchFor::{Files, Messages, RoomMember, RoomName, RoomPrefFolder, RoomPrefTags, RoomTags};
    let what = vec![Messages, Files, RoomName, RoomMember, RoomTags, RoomPrefTags, RoomPrefFolder];
    let query = SearchQuery { keyword: "hul".to_owned(), what, room: None, tags: Vec::new(), limit: 10 };
    chat.search(ann, query).await.expect("found");
    chat.count_messages(ann, &den, None).await.expect("a count");
    chat.count_messages(ann, &den, Some(1)).await.expect("a count");
    chat.messages_around(ann, &den, second, (5, 5)).await.expect("messages");
    chat.pinned_messages(ann, &den).await.expect("messages");
    chat.recent_messages(ann, 10).await.expect("messages");
    chat.messages_of_app(platform, MessagesOfApp::Batch(first.to_string()), 0, 10).await.expect("messages");
    chat.messages_of_app(platform, MessagesOfApp::Between(0, 1_800_000_000_000), 0, 10).await.expect("messages");
    chat.put_away(ann, &den, &[second]).await.expect("put away");
    let query = MessagesQuery { anchor: Some(Anchor::Before(second)), ascending: false, limit: 20, after_time: None };
    assert_eq!(chat.messages(ann, &den, query).await.expect("messages").put_away, [second]);
    chat.messages_put_away(ann, &den, 0, 10).await.expect("messages");
    for on in [true, true, false, false] {
        chat.hide(ann, second, on).await.expect("hidden, or shown");
    }
    chat.hide_by_sender(ann, &den, &user("bob"), true).await.expect("hidden");
    chat.put_all_away(as_bob, &den).await.expect("put away");
    chat.count_messages(as_bob, &den, None).await.expect("a count");
    let listeners = [user("ann"), user("bob")];
    let seen = chat.room(ann, &den).await.expect("a room").room;
    let above = chat.superusers_among(ann.app.number, &seen, &listeners).await.expect("an answer");
    assert_eq!(above, [user("ann")]);
    chat.recall(ann, &den, first, (None, false)).await.expect("recalled");
    chat.delete_message(ann, &den, second).await.expect("deleted");
    chat.delete_all_messages(platform, &den).await.expect("deleted");
}

async fn files(chat: &Arc<Chat>, platform: &Caller, ann: &Caller) {
    let folder = tempfile::tempdir().expect("a folder");
    chat.keep_files_in(Vault::folder(folder.path()).expect("a vault"));
    let bucket = |name| Bucket::parse(name).expect("a bucket");
    let new = |name, room: Option<RoomId>| NewFile {
        bucket: bucket(name),
        name: "a.txt".to_owned(),
        media: MediaType::said("text/plain"),
        room,
    };
    let mut incoming = chat.receive(ann, new("b", Some(room("den")))).await.expect("it comes");
    incoming.write(b"words").await.expect("taken");
    let file = incoming.finish(serde_json::Map::new()).await.expect("a file");
    chat.receive(ann, new("b", None)).await.expect("it comes").discard().await;
    let public = chat.receive(ann, new("public", None)).await.expect("it comes");
    let public = public.finish(serde_json::Map::new()).await.expect("a file");
    chat.public_file(public.id).await.expect("a file");
    for caller in [platform, ann] {
        chat.file(caller, &bucket("b"), file.id).await.expect("a file");
    }
    let app = chat.app_of_id(&ann.app.id).await.expect("an answer").expect("an app");
    chat.file_at(&app, &bucket("b"), file.id).await.expect("a file");
    let naming = Words { files: vec![file.id], ..says("look") };
    let message = chat.send(ann, &room("den"), naming, None, false).await.expect("sent").id;
    chat.recall(ann, &room("den"), message, (None, false)).await.expect("recalled");
    chat.forget_the_old().await.expect("swept");
}

async fn moderation(chat: &Arc<Chat>, platform: &Caller, ann: &Caller) {
    let den = room("den");
    chat.block(ann, &user("dan")).await.expect("blocked");
    chat.block(ann, &user("bob")).await.expect("blocked");
    chat.ban(ann, &den, &user("bob")).await.expect("banned");
    let queries = [
        ListQuery::default(),
        ListQuery { limit: Some(1), ..ListQuery::default() },
        ListQuery { holds: Some("b".to_owned()), ..ListQuery::default() },
        ListQuery { users: Some(vec![user("bob")]), ..ListQuery::default() },
        ListQuery { direct: Some(true), ..ListQuery::default() },
        ListQuery { since_ms: Some(0), ..ListQuery::default() },
    ];
    for query in queries {
        for long in [false, true] {
            let mut list = chat.my_blocks(ann, query.clone(), long).await.expect("a list");
            let page = list.page(1).await.expect("a page");
            assert!(query.direct.is_none() || !page.is_empty(), "the list shows what was done");
            list.page(1).await.expect("the next page");
            chat.bans(ann, &den, query.clone(), long).await.expect("a list").page(5).await.expect("a page");
        }
    }
    let direct = chat.rooms(ann, RoomsQuery::default()).await.expect("rooms").data;
    let direct = direct.into_iter().find(|seen| seen.room.kind.is_direct()).expect("a direct room").room.id;
    for caller in [platform, ann] {
        chat.bans(caller, &direct, ListQuery::default(), false).await.expect("a list").page(5).await.expect("a page");
    }
    chat.update_room(ann, &den, RoomChange { frozen: Some(true), ..RoomChange::default() }).await.expect("frozen");
    chat.update_room(ann, &den, RoomChange { frozen: Some(false), ..RoomChange::default() }).await.expect("thawed");
    chat.unban(ann, &den, &user("bob")).await.expect("lifted");
    chat.unblock(ann, &user("dan")).await.expect("lifted");
    // A room under the id of a hidden one makes that one move.
    chat.block(ann, &user("dan")).await.expect("blocked");
    let hidden = banter_domain::id::Pair::of(&user("ann"), &user("dan")).expect("a pair").computed_room();
    let claimed = chat.create_room(platform, NewRoom { id: Some(hidden), ..NewRoom::default() }).await;
    claimed.expect("it makes way");
}

async fn notifications(chat: &Arc<Chat>, platform: &Caller, ann: &Caller, as_bob: &Caller) {
    let (app, start) = (platform.app.number, chat.new_id());
    assert_eq!(chat.pushed_up_to(app, Service::Apns).await.expect("an answer"), None);
    let token = |text: &str| DeviceToken::parse(text.to_owned()).expect("a token");
    // One more than a user may have.
    for number in 0..=MAX_DEVICES {
        let name = format!("phone-{number}");
        chat.register_device(as_bob, DeviceKind::Ios, token(&name), name).await.expect("registered");
    }
    chat.register_device(ann, DeviceKind::Ios, token("anns"), String::new()).await.expect("registered");
    assert!(chat.forget_device(ann, DeviceKind::Ios, "").await.expect("taken off"));
    chat.send(ann, &room("den"), says("who is there?"), None, false).await.expect("sent");
    chat.push_to(platform, &[user("ann"), user("bob")], &Note::default()).await.expect("on record");
    let (happened, next) = chat.happenings(app, start, 100).await.expect("events");
    let mut told = 0;
    for telling in happened.iter().filter_map(Telling::of).map(Arc::new) {
        let mut reach = Reach::of(telling.clone(), Service::Apns);
        while let Some(devices) = reach.next(chat, app).await.expect("a page") {
            for device in devices {
                told += i32::from(chat.note_for(app, &telling, &device, false).await.expect("a verdict").is_some());
                if device.name == "phone-20" {
                    chat.drop_dead(app, &device).await.expect("taken off");
                }
            }
        }
    }
    assert_eq!(told, 39, "twenty of the message, and one less of the platform's words");
    chat.note_pushed(app, Service::Apns, next).await.expect("written");
    assert_eq!(chat.pushed_up_to(app, Service::Apns).await.expect("an answer"), Some(next));
    chat.log_out(as_bob, false, Some("phone-3")).await.expect("logged out");
}

async fn webhooks(chat: &Arc<Chat>, platform: &Caller, ann: &Caller) {
    let den = room("den");
    chat.set_webhook(platform, "https://example.com/".to_owned(), Vec::new()).await.expect("set");
    chat.replace_hook_secret(platform).await.expect("a secret");
    let change = RoomChange { webhook: Some("robot".to_owned()), bot_mode: Some(true), ..RoomChange::default() };
    chat.update_room(ann, &den, change).await.expect("changed");
    for words in ["one", "two", "three"] {
        chat.send(ann, &den, says(words), None, false).await.expect("sent");
    }
    chat.ban(ann, &den, &user("cat")).await.expect("banned");
    chat.send(platform, &den, says("x"), Some(user("cat")), false).await.expect_err("refused");
    chat.house_keeping().await.expect("kept");
    let app = chat.app_numbered(platform.app.number).await.expect("an answer").expect("the app");
    let (_, from) = chat.hooked_apps().await.expect("apps").first().copied().expect("one");
    let (tellings, next) = chat.tellings(&app, from, 100).await.expect("tellings");
    assert_eq!(tellings.len(), 5, "{tellings:?}");
    let deliveries: Vec<NewDelivery> = tellings
        .into_iter()
        .map(|HookTelling { id, target, event, .. }| NewDelivery { id, target, event, body: "{}".to_owned() })
        .collect();
    assert!(chat.queue_deliveries(&app, &deliveries, (from, next)).await.expect("queued"));
    assert!(!chat.queue_deliveries(&app, &deliveries, (from, next)).await.expect("an answer"), "once");
    for target in chat.waiting_targets(&app).await.expect("targets") {
        chat.place_of(&app, &target).await.expect("a place");
        let first = chat.next_delivery(&app, &target).await.expect("an answer").expect("a delivery");
        assert!(chat.is_still_so(&app, &first).await.expect("an answer"));
        chat.put_off_delivery(&app, first.id, "no answer", 5).await.expect("put off");
        let reply = Reply { state: Some("on".to_owned()), words: Some(says("answer")), ..Reply::default() };
        assert!(chat.delivered(&app, &first, reply).await.expect("delivered").is_none());
        let second = chat.next_delivery(&app, &target).await.expect("an answer").expect("a delivery");
        chat.bury_delivery(&app, &second, "no answer", Some(0)).await.expect("buried");
        chat.retry_delivery(platform, second.id).await.expect("revived");
        chat.bury_delivery(&app, &second, "no answer", None).await.expect("buried");
    }
    for state in [None, Some(DeliveryState::Dead)] {
        let (page, next) = chat.deliveries(platform, state, None, 1).await.expect("a page");
        assert_eq!(page.len(), 1);
        chat.deliveries(platform, state, next, 1).await.expect("the next page");
    }
    chat.webhook(platform).await.expect("a webhook");
    chat.delivery_gauges().await.expect("figures");
    chat.delete_webhook(platform).await.expect("deleted");
    chat.unban(ann, &den, &user("cat")).await.expect("lifted");
}

/// What is asked for those who listen.
async fn told(chat: &Arc<Chat>, app: i64) {
    let all = vec![user("ann"), user("bob")];
    let told = chat.room_for_each(app, &room("den"), |_| all.clone()).await.expect("an answer").expect("the room");
    let (den, seq) = (told.seen.room, told.each.iter().find_map(|one| Some(one.last_message.as_ref()?.seq)));
    let seq = seq.expect("somebody sees something");
    chat.message_at(app, &den.id, seq).await.expect("an answer").expect("the message");
    chat.who_put_away(app, &den, seq, &all).await.expect("an answer");
    chat.superusers_among(app, &den, &all).await.expect("an answer");
    chat.is_kept_apart(app, &den, &user("bob")).await.expect("an answer");
    chat.hearers(app, &den.id, all).await.expect("an answer");
}

async fn the_rest(chat: &Arc<Chat>, platform: &Caller, ann: &Caller) {
    told(chat, platform.app.number).await;
    let names = [("_id", "id"), ("nickname", "nickname"), ("mute", "mutes")];
    let filter = |filter| Filter::parse(&filter).expect("a filter").renamed(&names);
    for filter in [
        None,
        Some(filter(json!({"nickname": {"$regex": "^a.*n$"}}))),
        Some(filter(json!({"country": "TW", "_id": {"$in": ["ann", "bob"]}}))),
        Some(filter(json!({"mute": {"$in": ["den", "hall"]}}))),
    ] {
        chat.find_users(platform, filter.as_ref(), 10, 0).await.expect("users");
    }
    chat.mute(ann, &user("ann"), &room("den"), true, false).await.expect("muted");
    chat.mute(ann, &user("ann"), &room("den"), false, true).await.expect("unmuted");
    chat.account(ann).await.expect("an account");
    chat.groups(platform, 5).await.expect("groups");
    chat.badge(ann, &[]).await.expect("a badge");
    chat.badges_by_tags(ann, None, None).await.expect("badges");
    chat.badges_by_tags(ann, None, Some(1_700_000_000_001)).await.expect("badges");
    chat.badges_of_tokens(&ann.app, &["token-ann".to_owned()]).await.expect("badges");
    let pref = json!({"tags": ["t"]}).as_object().cloned().expect("an object");
    chat.change_group_pref(platform, &room("den"), &user("grp"), pref).await.expect("kept");
    chat.group_prefs(platform, &user("grp")).await.expect("preferences");
    let value = json!({"name": "Set"}).as_object().cloned().expect("an object");
    let set = StickerSet { id: "set".to_owned(), place: 1, value, updated_ms: 0 };
    chat.save_stickers(platform, set).await.expect("saved");
    chat.stickers(platform.app.number).await.expect("sets");
    chat.delete_stickers(platform, "set").await.expect("deleted");
    let keys = json!({"censorship": {"keywords": ["foo"]}}).as_object().cloned().expect("an object");
    chat.set_config(platform, keys).await.expect("set");
    chat.config(ann).await.expect("a configuration");
    chat.delete_config(platform, "censorship").await.expect("deleted");
    chat.stats(platform).await.expect("figures");
    chat.refused(platform.app.number, "USER_BLOCKED");
    chat.moderation_stats(platform, 0, 1_800_000_000_000, BucketSize::Day).await.expect("figures");
    chat.gauges().await.expect("figures");
    let any = AuditQuery {
        actor: None,
        target: None,
        room: None,
        action: None,
        from_ms: Some(0),
        to_ms: None,
        limit: 2,
        after: None,
    };
    for query in [
        AuditQuery { actor: Some(user("ann")), ..any.clone() },
        AuditQuery { target: Some(user("bob")), ..any.clone() },
        AuditQuery { room: Some(room("den")), ..any.clone() },
        AuditQuery { action: Some(Action::Ban), ..any.clone() },
        any,
    ] {
        chat.audit(platform, query).await.expect("entries");
    }
    let grant = Grant { token: "token-bob-2".to_owned(), expires_ms: 1_800_000_000_000 };
    chat.replace_token(platform, &user("bob"), grant).await.expect("replaced");
    chat.house_keeping().await.expect("kept");
}
