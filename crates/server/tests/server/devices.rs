//! Which devices are notified, and what the platform says to them.

use serde_json::{Value, json};

use crate::common::House;
use crate::push::{Scene, pushes, subscribes, until_counted};
use crate::push_services::{Answers, Services};

/// What the phone is told by the platform, so that it is known to be registered.
async fn rings(scene: &Scene, user: &str, token: &str) {
    let before = scene.services.count(token);
    pushes(&scene.house, [user], json!({"alert": "ring"})).await;
    scene.services.gets_nth(token, before + 1).await;
}

/// The devices of Apple's that the platform reaches when it speaks to some users.
async fn reached<const N: usize>(scene: Scene, users: [&str; N]) -> Vec<String> {
    pushes(&scene.house, users, json!({"title": "last"})).await;
    let last = |one: &&crate::push_services::Pushed| one.body["aps"]["alert"]["title"] == "last";
    let mut tokens: Vec<String> = scene.pushed().await.iter().filter(last).map(|one| one.token.clone()).collect();
    tokens.sort();
    tokens
}

each_store! {
    async fn a_device_is_one_users_at_a_time(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, bob] = scene.house.users(["ann", "bob"]).await;
        subscribes(&ann, "ios", "shared").await;
        rings(&scene, "ann", "shared").await;
        subscribes(&bob, "ios", "shared").await;
        rings(&scene, "bob", "shared").await;
        // A device that registers anew under its name has a new token.
        bob.post("/me/subscribe", json!({"type": "ios", "token": "renewed", "deviceId": "shared"})).await.expect_ok();
        let told: Value = bob.get("/me").await.expect_ok();
        assert!(!told.to_string().contains("renewed"), "{told}");
        assert_eq!(reached(scene, ["ann", "bob"]).await, ["renewed"]);
    }

    async fn a_device_is_taken_off_by_its_user_by_logging_out_and_with_his_account(house: House) {
        let scene = Scene::like(&house).await;
        let platform = scene.house.platform();
        let mut users = Vec::new();
        for id in ["uns", "log", "oth", "del", "rev", "api", "eve"] {
            let user = scene.house.user(id).await;
            subscribes(&user, "ios", &format!("{id}-1")).await;
            subscribes(&user, "ios", &format!("{id}-2")).await;
            users.push(user);
        }
        let off = users[0].post("/me/unsubscribe", json!({"type": "ios", "deviceId": "uns-1"})).await.expect_ok();
        assert_eq!(off, json!({"n": 1, "ok": 1}));
        let again = users[0].post("/me/unsubscribe", json!({"type": "ios", "deviceId": "uns-1"})).await.expect_ok();
        assert_eq!(again, json!({"n": 0, "ok": 1}));
        users[1].clone().with_header("im-device-id", "log-1").posts("/me/logout").await.expect_ok();
        users[2].clone().with_header("im-device-id", "oth-1").posts("/me/logout-others").await.expect_ok();
        platform.delete("/admin/clients/del").await.expect_ok();
        platform.delete("/admin/clients/rev/token").await.expect_ok();
        scene.house.platform_for("api").posts("/me/logout").await.expect_ok();
        users[6].posts("/me/logout").await.expect_ok();
        scene.house.user("ann").await.with_header("im-device-id", &"x".repeat(256)).posts("/me/logout").await.expect_error(400, "INVALID_ID");
        let left = reached(scene, ["uns", "log", "oth", "del", "rev", "api", "eve"]).await;
        assert_eq!(left, ["eve-1", "eve-2", "log-2", "oth-1", "uns-2"]);
    }

    async fn a_user_has_twenty_devices_and_the_oldest_makes_way(house: House) {
        let scene = Scene::like(&house).await;
        let ann = scene.house.user("ann").await;
        for number in 0..30 {
            subscribes(&ann, "apns", &format!("phone-{number:02}")).await;
        }
        let left = reached(scene, ["ann"]).await;
        assert_eq!((left.len(), left.last().map(String::as_str)), (20, Some("phone-29")), "{left:?}");
    }

    async fn an_api_key_registers_for_whom_it_names(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, _] = scene.house.users(["ann", "bob"]).await;
        let body = |client: &str| json!({"type": "ios", "token": format!("for-{client}"), "clientId": client});
        scene.house.platform().post("/me/subscribe", body("bob")).await.expect_ok();
        scene.house.platform().post("/me/subscribe", body("nobody-there")).await.expect_some_refusal();
        // A user registers for himself, whoever he names.
        ann.post("/me/subscribe", json!({"type": "ios", "token": "anns", "clientId": "bob"})).await.expect_ok();
        for (missing, body) in [("type", json!({"token": "t"})), ("token", json!({"type": "ios"}))] {
            let (_, message) = ann.post("/me/subscribe", body).await.expect_error(400, "MISSING_PARAMETER");
            assert_eq!(message, format!("{missing} is required"));
        }
        pushes(&scene.house, ["bob"], json!({"alert": "x"})).await;
        scene.services.gets("for-bob").await;
        assert_eq!(reached(scene, ["ann", "bob"]).await, ["anns", "for-bob"]);
    }

    async fn a_device_its_service_no_longer_knows_is_taken_off(house: House) {
        let scene = Scene::like(&house).await;
        let ann = scene.house.user("ann").await;
        let users = ["bad", "unr", "arg", "top", "oks"];
        scene.house.room("den").owner("ann").members(users).await;
        let error = |status: &str, detail: Value| json!({"error": {"status": status, "message": "x", "details": [detail]}});
        let unregistered = error("NOT_FOUND", json!({"errorCode": "UNREGISTERED"}));
        let argument = error("INVALID_ARGUMENT", json!({"fieldViolations": [{"field": "message.token"}]}));
        for (user, kind, status, answer) in [
            ("bad", "ios", 410, json!({"reason": "Unregistered"})),
            ("unr", "fcm", 404, unregistered),
            ("arg", "android", 400, argument),
            ("top", "ios", 400, json!({"reason": "DeviceTokenNotForTopic"})),
            ("oks", "web", 200, json!({})),
        ] {
            subscribes(&scene.house.user(user).await, kind, user).await;
            scene.services.answer(user, [Answers::At(status, answer)]);
        }
        ann.said("den", "one").await;
        for user in users {
            scene.services.gets(user).await;
        }
        until_counted(&scene.house, &[("apns", "gone", 1), ("fcm", "gone", 2)]).await;
        ann.said("den", "two").await;
        let services: Services = scene.services.clone();
        scene.pushed().await;
        let counts = users.map(|user| services.count(user));
        assert_eq!(counts, [1, 1, 1, 2, 2], "{users:?}");
    }

    async fn the_platform_speaks_to_whom_it_names(house: House) {
        let scene = Scene::like(&house).await;
        let [ann, _, off] = [scene.with_phone("ann").await, scene.with_phone("bob").await, scene.with_phone("off").await];
        subscribes(&ann, "fcm", "ann-browser").await;
        subscribes(&ann, "ios-voip", "ann-calls").await;
        off.posts("/me/notification/disable").await.expect_ok();
        // Blocks are between users.
        ann.blocks("bob").await.expect_ok();
        let payload = json!({
            "type": "marketing", "alert": "sale", "badge": 1, "sound": "default", "topic": "io.other.app",
            "title": "Today", "body": "A sale today", "icon": "https://example.com/icon.png", "collapseKey": "promo",
            "expiry": 1_900_000_000,
        });
        pushes(&scene.house, ["ann", "bob", "off", "nobody-there", "ann"], payload).await;
        let apple = scene.services.gets("ann-phone").await;
        let alert = json!({"title": "Today", "body": "sale"});
        assert_eq!(apple.body, json!({"aps": {"alert": alert, "badge": 1, "sound": "default"}, "type": "marketing"}));
        let headers = ["apns-topic", "apns-collapse-id", "apns-expiration"].map(|name| apple.header(name));
        assert_eq!(headers, ["io.other.app", "promo", "1900000000"]);
        let google = scene.services.gets("ann-browser").await.body["message"].clone();
        assert_eq!(google["notification"], json!({"title": "Today", "body": "A sale today"}));
        assert_eq!(google["webpush"]["notification"]["icon"], "https://example.com/icon.png");
        assert_eq!(google["android"]["collapse_key"], "promo");
        let localised = json!({"alert": {"loc-key": "NEW", "loc-args": ["Ann"]}, "title": "New"});
        pushes(&scene.house, ["bob"], localised).await;
        let alert = scene.services.gets_nth("bob-phone", 2).await.body["aps"]["alert"].clone();
        assert_eq!(alert, json!({"title": "New", "loc-key": "NEW", "loc-args": ["Ann"]}));
        let mut all: Vec<String> = scene.pushed().await.into_iter().map(|one| one.token).collect();
        all.sort();
        assert_eq!(all, ["ann-browser", "ann-phone", "bob-phone", "bob-phone"]);
    }
}
