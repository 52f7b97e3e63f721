//! Who is notified of what, and who is not.

use std::sync::Arc;

use banter_server::ServeSettings;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::common::{Caller, House, segment};
use crate::host::Own;
use crate::push_services::{Answers, Pushed, Services};

/// A server of its own that notifies, and the services it notifies through.
pub(crate) struct Scene {
    pub(crate) own: Own,
    pub(crate) services: Services,
    pub(crate) house: House,
}

impl Scene {
    /// Over the same kind of store as a house.
    pub(crate) async fn like(house: &House) -> Self {
        let (mut own, services) = (Own::over(house).await, Services::start().await);
        let house = own.start(notifying(&services)).await;
        Self { own, services, house }
    }

    /// A user with a device of Apple's, whose token is his id with `-phone`.
    pub(crate) async fn with_phone(&self, id: &str) -> Caller {
        let user = self.house.user(id).await;
        subscribes(&user, "ios", &format!("{id}-phone")).await;
        user
    }

    /// All that was sent on account of what happened before this call. The server stops with it: what
    /// is in hand then is sent.
    pub(crate) async fn pushed(mut self) -> Vec<Pushed> {
        self.with_phone("fence").await;
        pushes(&self.house, ["fence"], json!({"alert": "enough"})).await;
        self.services.gets("fence-phone").await;
        self.own.stop().await;
        self.services.all().into_iter().filter(|one| one.token != "fence-phone").collect()
    }

    /// The devices that were notified of what happened before this call.
    async fn notified(self) -> Vec<String> {
        let mut tokens: Vec<String> = self.pushed().await.into_iter().map(|one| one.token).collect();
        tokens.sort();
        tokens
    }
}

pub(crate) fn notifying(services: &Services) -> ServeSettings {
    ServeSettings { push: services.settings(), ..ServeSettings::default() }
}

/// Registers a device that is called as its token.
pub(crate) async fn subscribes(user: &Caller, kind: &str, token: &str) {
    let body = json!({"type": kind, "token": token, "deviceId": token});
    assert_eq!(user.post("/me/subscribe", body).await.expect_ok(), json!({}));
}

pub(crate) async fn pushes<const N: usize>(house: &House, clients: [&str; N], payload: Value) {
    let body = json!({"clients": clients.as_slice(), "payload": payload});
    assert_eq!(house.platform().post("/push/push2clients", body).await.expect_ok(), json!({}));
}

/// Waits until the server has counted that so many pushes through a service ended so: a moment after the
/// service has answered.
pub(crate) async fn until_counted(house: &House, ends: &[(&str, &str, i32)]) {
    let line = |(service, end, count): &(&str, &str, i32)| {
        format!("banter_pushes_total{{service=\"{service}\",outcome=\"{end}\"}} {count}\n")
    };
    let mut metrics = String::new();
    for _ in 0..10_000 {
        metrics = String::from_utf8(house.nobody().get("/metrics").await.bytes).expect("a text");
        if ends.iter().all(|one| metrics.contains(&line(one))) {
            return;
        }
    }
    panic!("not counted: {metrics}");
}

fn body(pushed: &Pushed) -> &Value {
    &pushed.body["aps"]["alert"]["body"]
}

each_store! {
    async fn a_message_is_pushed_to_who_is_away_and_not_to_who_wrote_it(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, bob] = [scene.with_phone("ann").await, scene.with_phone("bob").await];
        subscribes(&bob, "fcm", "bob-browser").await;
        scene.house.room("den").owner("ann").members(["bob"]).await;
        let id = ann.said("den", "hello").await;
        let apple = scene.services.gets("bob-phone").await;
        let alert = json!({"title": "Den", "body": "hello"});
        let aps = json!({"alert": alert, "badge": 1, "sound": "default"});
        assert_eq!(apple.body, json!({"aps": aps, "room": "den", "message": id, "sender": "ann"}));
        assert_eq!(apple.header("apns-topic"), "io.sample.app");
        assert_eq!((apple.header("apns-push-type"), apple.header("apns-priority")), ("alert", "10"));
        let google = scene.services.gets("bob-browser").await.body["message"].clone();
        assert_eq!(google["notification"], json!({"title": "Den", "body": "hello"}));
        assert_eq!(google["data"], json!({"room": "den", "message": id, "sender": "ann"}));
        assert_eq!(google["android"]["notification"]["notification_count"], 1);
        ann.said("den", "again").await;
        assert_eq!(scene.services.gets_nth("bob-phone", 2).await.body["aps"]["badge"], 2);
        scene.services.gets_nth("bob-browser", 2).await;
        assert_eq!(scene.services.accesses(), 1, "an access token is used until it ends");
        assert_eq!(scene.notified().await, ["bob-browser", "bob-browser", "bob-phone", "bob-phone"]);
    }

    async fn what_is_shown_is_masked_cut_and_named_after_the_room_or_the_sender(house: House) {
        let scene = Scene::like(&house).await;
        let ann = scene.house.user("ann").await;
        let bob = scene.with_phone("bob").await;
        subscribes(&bob, "android", "bob-android").await;
        scene.house.platform().post("/config", json!({"censorship": {"keywords": ["darn"]}})).await.expect_ok();
        let direct = scene.house.direct("ann", "bob").await;
        ann.said(&direct, &format!("darn{}", "é".repeat(300))).await;
        let alert = scene.services.gets("bob-phone").await.body["aps"]["alert"].clone();
        assert_eq!(alert, json!({"title": "Ann", "body": format!("****{}…", "é".repeat(195))}));
        ann.sends(&direct, json!({"messageType": "image", "originalUrl": "http://pictures.example/1"})).await.expect_ok();
        let apple = scene.services.gets_nth("bob-phone", 2).await.body["aps"]["alert"].clone();
        assert_eq!(apple, json!({"title": "Ann", "loc-key": "im_loc_image", "loc-args": ["Ann"]}));
        let android = scene.services.gets_nth("bob-android", 2).await.body["message"]["android"].clone();
        assert_eq!(android["notification"]["body_loc_key"], "im_loc_image");
    }

    async fn only_words_are_news(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, bob] = [scene.with_phone("ann").await, scene.with_phone("bob").await];
        scene.house.room("den").owner("ann").members(["bob"]).await;
        let id = ann.said("den", "hello").await;
        scene.services.gets("bob-phone").await;
        ann.edits("den", &id, "hullo").await.expect_ok();
        bob.reacts(&id, "👍").await.expect_ok();
        ann.pins(&id).await.expect_ok();
        ann.recalls("den", &id).await.expect_ok();
        scene.house.user("cat").await;
        ann.post("/rooms/den/members", json!({"invitees": ["cat"], "systemMessage": true})).await.expect_ok();
        assert_eq!(scene.notified().await, ["bob-phone"], "no change of a message, and no system message");
    }

    async fn l_16_a_refused_message_is_pushed_to_nobody(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, bob] = [scene.with_phone("ann").await, scene.with_phone("bob").await];
        let direct = scene.house.direct("ann", "bob").await;
        let old = bob.said(&direct, "hello").await;
        scene.services.gets("ann-phone").await;
        ann.blocks("bob").await.expect_ok();
        bob.says(&direct, "still there?").await.expect_refused("USER_BLOCKED");
        ann.says(&direct, "never mind").await.expect_refused("USER_BLOCKED");
        bob.reacts(&old, "👍").await.expect_refused("USER_BLOCKED");
        bob.recalls(&direct, &old).await.expect_ok();
        let platform = scene.house.platform();
        let as_bob = json!({"room": direct, "sender": "bob", "message": "x", "messageType": "text"});
        platform.post("/messages", as_bob.clone()).await.expect_refused("USER_BLOCKED");
        let to_many = json!({"sender": "bob", "message": "x", "messageType": "text", "push": true, "paras": [{"receiver": "ann"}]});
        platform.post("/messages/batch", to_many).await.expect_ok();
        // What is forced past a block stands in the room and rings nobody's phone.
        let mut forced = as_bob;
        forced["force"] = json!(true);
        platform.post("/messages", forced).await.expect_ok();
        assert_eq!(scene.notified().await, ["ann-phone"]);
    }

    async fn l_16_a_block_between_the_words_and_the_push_stops_the_push(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, bob] = [scene.with_phone("ann").await, scene.house.user("bob").await];
        let direct = scene.house.direct("ann", "bob").await;
        let held = Arc::new(Notify::new());
        scene.services.answer("ann-phone", [Answers::Held(503, json!({}), held.clone())]);
        bob.said(&direct, "hello").await;
        scene.services.gets("ann-phone").await;
        // The service has not taken it yet; from the block on it must not get it again.
        ann.blocks("bob").await.expect_ok();
        held.notify_one();
        assert_eq!(scene.notified().await, ["ann-phone"], "there was no second try");
    }

    async fn what_is_taken_out_of_sight_before_its_push_is_not_pushed(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, bob] = [scene.with_phone("ann").await, scene.house.user("bob").await];
        scene.house.room("den").owner("ann").members(["bob"]).await;
        let held = Arc::new(Notify::new());
        scene.services.answer("ann-phone", [Answers::Held(503, json!({}), held.clone())]);
        let id = bob.said("den", "something ugly").await;
        scene.services.gets("ann-phone").await;
        ann.posts(&format!("/messages/{id}/hidden")).await.expect_ok();
        held.notify_one();
        assert_eq!(scene.notified().await, ["ann-phone"], "there was no second try");
    }

    async fn l_29_the_platform_is_heard_while_a_block_stands(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, _] = [scene.with_phone("ann").await, scene.with_phone("bob").await];
        let direct = scene.house.direct("ann", "bob").await;
        ann.blocks("bob").await.expect_ok();
        scene.house.platform().says(&direct, "be kind").await.expect_ok();
        assert_eq!(scene.notified().await, ["ann-phone", "bob-phone"]);
    }

    async fn n_08_n_09_a_banned_user_is_not_notified_though_he_is_named_and_though_it_counts(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, bob, _] = [scene.house.user("ann").await, scene.with_phone("bob").await, scene.with_phone("cat").await];
        scene.house.room("den").owner("ann").members(["bob", "cat"]).await;
        ann.bans("den", "bob").await.expect_ok();
        let named = json!({"messageType": "text", "message": "@bob", "mentions": ["bob"]});
        ann.sends("den", named).await.expect_ok();
        scene.services.gets("cat-phone").await;
        assert_eq!(bob.unread("den").await, 1);
        ann.unbans("den", "bob").await.expect_ok();
        ann.said("den", "back again").await;
        assert_eq!(scene.services.gets("bob-phone").await.body["aps"]["badge"], 2);
        scene.services.gets_nth("cat-phone", 2).await;
        assert_eq!(scene.notified().await, ["bob-phone", "cat-phone", "cat-phone"]);
    }

    async fn n_08_a_ban_between_the_words_and_the_push_stops_the_push(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, bob] = [scene.with_phone("ann").await, scene.with_phone("bob").await];
        scene.house.room("den").owner("ann").members(["bob"]).await;
        let held = ["ann-phone", "bob-phone"].map(|phone| {
            let held = Arc::new(Notify::new());
            scene.services.answer(phone, [Answers::Held(503, json!({}), held.clone())]);
            held
        });
        ann.said("den", "hello").await;
        bob.said("den", "hello you").await;
        scene.services.gets("bob-phone").await;
        scene.services.gets("ann-phone").await;
        ann.bans("den", "bob").await.expect_ok();
        held.iter().for_each(|held| held.notify_one());
        // Neither is the banned told, nor is anybody told what he had said.
        assert_eq!(scene.notified().await, ["ann-phone", "bob-phone"]);
    }

    async fn who_wants_to_be_left_alone_is(house: House) {
        let scene = Scene::like(&house).await;
        let ann = scene.house.user("ann").await;
        let mut users = Vec::new();
        for id in ["mut", "pre", "off", "gon", "eve"] {
            users.push(scene.with_phone(id).await);
        }
        scene.house.room("den").owner("ann").members(["mut", "pre", "off", "gon", "eve"]).await;
        users[0].posts("/me/mute/den").await.expect_ok();
        users[1].post("/roomPrefs/den", json!({"muted": true})).await.expect_ok();
        users[2].posts("/me/notification/disable").await.expect_ok();
        users[3].leaves("den").await.expect_ok();
        ann.said("den", "one").await;
        scene.services.gets("eve-phone").await;
        users[0].delete("/me/mute/den").await.expect_ok();
        users[1].post("/roomPrefs/den", json!({"muted": false})).await.expect_ok();
        users[2].posts("/me/notification/enable").await.expect_ok();
        ann.said("den", "two").await;
        assert_eq!(scene.notified().await, ["eve-phone", "eve-phone", "mut-phone", "off-phone", "pre-phone"]);
    }

    async fn who_listens_on_a_socket_is_not_rung_up(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, bob, _] = [scene.house.user("ann").await, scene.with_phone("bob").await, scene.with_phone("cat").await];
        scene.house.room("den").owner("ann").members(["bob", "cat"]).await;
        let Some(socket) = scene.house.listens(&bob).await else { return };
        ann.said("den", "hello").await;
        socket.hears("chat message", |_| true).await;
        scene.services.gets("cat-phone").await;
        assert_eq!(scene.notified().await, ["cat-phone"]);
    }

    async fn a_sender_says_how_a_message_is_told(house: House) {
        let scene = Scene::like(&house).await;
        scene.house.user("ann").await;
        scene.with_phone("bob").await;
        scene.house.room("den").owner("ann").members(["bob"]).await;
        let platform = scene.house.platform();
        let message = |text: &str, more: Value| {
            let mut message = json!({"room": "den", "sender": "ann", "message": text, "messageType": "text"});
            message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            message
        };
        platform.post("/messages", message("silent", json!({"push": false}))).await.expect_ok();
        platform.post("/messages", message("no badge", json!({"skipTotalBadge": true}))).await.expect_ok();
        platform.post("/messages", message("loud", json!({}))).await.expect_ok();
        let batch = |text: &str, more: Value| {
            let mut batch = message(text, more);
            batch["paras"] = json!([{"room": "den"}]);
            batch
        };
        platform.post("/messages/batch", batch("a quiet batch", json!({}))).await.expect_ok();
        platform.post("/messages/batch", batch("a loud batch", json!({"push": true}))).await.expect_ok();
        let mut told: Vec<(Value, Value)> =
            scene.pushed().await.iter().map(|one| (body(one).clone(), one.body["aps"]["badge"].clone())).collect();
        told.sort_by_key(|(body, _)| body.to_string());
        assert!(told[0].1.as_i64() >= Some(3) && told[1].1.as_i64() >= Some(3), "{told:?}");
        let told: Vec<(Value, bool)> = told.into_iter().map(|(body, badge)| (body, badge.is_null())).collect();
        assert_eq!(told, [(json!("a loud batch"), false), (json!("loud"), false), (json!("no badge"), true)]);
    }

    async fn people_of_a_user_group_are_notified_once(house: House) {
        let scene = Scene::like(&house).await;
        let ann = scene.house.user("ann").await;
        for id in ["bob", "cat", "dan"] {
            scene.with_phone(id).await;
        }
        for (group, members) in [("crew", json!(["bob", "cat"])), ("team", json!(["cat", "dan"]))] {
            let body = json!({"_id": group, "nickname": group, "members": members});
            scene.house.platform().post("/admin/groups", body).await.expect_ok();
        }
        scene.house.platform().post("/rooms", json!({"_id": "den", "roomType": "group", "owner": "ann", "members": ["bob", "crew", "team"]})).await.expect_ok();
        ann.bans("den", "dan").await.expect_ok();
        ann.said("den", "hello").await;
        assert_eq!(scene.notified().await, ["bob-phone", "cat-phone"]);
    }

    async fn a_room_of_many_devices_is_gone_through_page_by_page(house: House) {
        let scene = Scene::like(&house).await;
        scene.house.room("den").owner("ann").members(["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8", "b9", "c0"]).await;
        let mut all = Vec::new();
        for user in ["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8", "b9", "c0"] {
            let user = scene.house.user(user).await;
            for number in 0..20 {
                all.push(format!("{}-{number}", user.id));
                subscribes(&user, "ios", all.last().expect("a token")).await;
            }
        }
        all.sort();
        scene.house.user("ann").await.said("den", "hello").await;
        assert_eq!(scene.notified().await, all);
    }

    async fn a_service_that_cannot_is_asked_again_and_then_no_more(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, bob] = [scene.house.user("ann").await, scene.with_phone("bob").await];
        subscribes(&bob, "web", "bob-browser").await;
        scene.house.room("den").owner("ann").members(["bob"]).await;
        let busy = || Answers::At(503, json!({}));
        let expired = Answers::At(403, json!({"reason": "ExpiredProviderToken"}));
        scene.services.answer("bob-phone", [Answers::At(429, json!({})), expired, busy()]);
        scene.services.answer("bob-browser", [busy(), Answers::At(401, json!({})), busy(), busy(), busy()]);
        ann.said("den", "hello").await;
        scene.services.gets_nth("bob-phone", 4).await;
        scene.services.gets_nth("bob-browser", 4).await;
        let refused = Answers::At(400, json!({"reason": "PayloadEmpty"}));
        scene.services.answer("bob-phone", [refused]);
        ann.said("den", "again").await;
        scene.services.gets_nth("bob-browser", 6).await;
        scene.services.gets_nth("bob-phone", 5).await;
        ann.said("den", "and again").await;
        scene.services.gets_nth("bob-phone", 6).await;
        scene.services.gets_nth("bob-browser", 7).await;
        let ends =
            [("apns", "delivered", 2), ("apns", "refused", 1), ("fcm", "delivered", 2), ("fcm", "given_up", 1)];
        until_counted(&scene.house, &ends).await;
    }

    async fn a_restart_goes_on_where_it_was_and_tells_nothing_twice(house: House) {
        let mut scene = Scene::like(&house).await;
        scene.house.room("den").owner("ann").members(["bob"]).await;
        scene.with_phone("bob").await;
        scene.house.user("ann").await.said("den", "one").await;
        scene.services.gets("bob-phone").await;
        scene.own.stop().await;
        // While nobody is notified, something is said.
        let house = scene.own.start(ServeSettings::default()).await;
        house.user("ann").await.said("den", "two").await;
        scene.own.stop().await;
        scene.house = scene.own.start(notifying(&scene.services)).await;
        let two = scene.services.gets_nth("bob-phone", 2).await;
        assert_eq!(body(&two), "two");
        assert_eq!(scene.notified().await, ["bob-phone", "bob-phone"]);
    }

    async fn what_was_in_hand_when_the_server_stopped_is_told_after_the_next_start(house: House) {
        let mut scene = Scene::like(&house).await;
        scene.house.room("den").owner("ann").members(["bob"]).await;
        scene.with_phone("bob").await;
        scene.own.stop().await;
        // With long pauses between tries, it waits for its second when the server stops.
        let mut patient = notifying(&scene.services);
        patient.push.pause = std::time::Duration::from_secs(3600);
        scene.house = scene.own.start(patient).await;
        scene.services.answer("bob-phone", [Answers::At(503, json!({}))]);
        scene.house.user("ann").await.said("den", "hello").await;
        scene.services.gets("bob-phone").await;
        scene.own.stop().await;
        scene.house = scene.own.start(notifying(&scene.services)).await;
        scene.services.gets_nth("bob-phone", 2).await;
        assert_eq!(scene.notified().await, ["bob-phone", "bob-phone"]);
    }

    async fn an_app_that_never_notified_begins_with_what_comes(house: House) {
        let services = Services::start().await;
        let mut own = Own::over(&house).await;
        let house = own.start(ServeSettings::default()).await;
        house.room("den").owner("ann").members(["bob"]).await;
        subscribes(&house.user("bob").await, "ios", "bob-phone").await;
        house.user("ann").await.said("den", "long ago").await;
        own.stop().await;
        let house = own.start(notifying(&services)).await;
        house.user("ann").await.said("den", "now").await;
        assert_eq!(body(&services.gets("bob-phone").await), "now");
        assert_eq!(Scene { own, services, house }.notified().await, ["bob-phone"]);
    }

    async fn a_room_id_with_odd_characters_is_pushed_as_it_is(house: House) {
        let scene = Scene::like(&house).await;
        scene.with_phone("bob").await;
        let room = "d\"e n";
        scene.house.room(room).owner("ann").members(["bob"]).await;
        scene.house.user("ann").await.post(&format!("/rooms/{}/message", segment(room)), json!({"message": "x"})).await.expect_ok();
        assert_eq!(scene.services.gets("bob-phone").await.body["room"], room);
    }
}
