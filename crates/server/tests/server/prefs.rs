//! What users keep for their own clients.

use serde_json::{Value, json};

use crate::common::House;

each_store! {
    async fn preferences_are_a_bare_array_of_whatever_was_kept(house: House) {
        let ann = house.user("ann").await;
        // The web client lists no room before this is an array.
        assert_eq!(ann.get("/me/pref").await.expect_ok(), json!([]));
        let folders = json!([{ "key": "f1", "name": "Work" }]);
        let set = ann.post("/me/pref/folders-meta", folders.clone()).await.expect_ok();
        assert_eq!(set, json!({ "key": "folders-meta", "data": folders }));
        for (key, data) in [("f1", json!({ "children": [{ "id": "den", "type": "room" }] })), ("text", json!("x")), ("flag", json!(true)), ("number", json!(-1.5))] {
            ann.post(&format!("/me/pref/{key}"), data).await.expect_ok();
        }
        ann.delete("/me/pref/text").await.expect_ok();
        ann.delete("/me/pref/text").await.expect_ok();
        let kept = ann.get("/me/pref").await.expect_ok();
        let keys: Vec<&str> = kept.as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap()).collect();
        assert_eq!(keys, ["f1", "flag", "folders-meta", "number"]);
        assert_eq!(kept[2]["data"], folders);
        let by_name = ann.get("/me/prefs").await.expect_ok();
        assert_eq!((&by_name["folders-meta"], &by_name["number"]), (&folders, &json!(-1.5)));
        assert_eq!(ann.get("/me/pref?key=folders-meta").await.expect_ok(), json!({ "key": "folders-meta", "data": folders }));
        assert_eq!(ann.get("/me/pref?key=none").await.expect_ok(), json!({}));
        assert_eq!(house.user("bob").await.get("/me/pref").await.expect_ok(), json!([]));
        let long = "x".repeat(262_145);
        ann.post("/me/pref/long", json!(long)).await.expect_error(400, "INVALID_BODY");
        for number in 4..200 {
            ann.post(&format!("/me/pref/k{number}"), json!({})).await.expect_ok();
        }
        ann.post("/me/pref/one-too-many", json!({})).await.expect_error(400, "LIMIT_EXCEEDED");
        ann.post("/me/pref/f1", json!({ "children": [] })).await.expect_ok();
    }

    async fn preferences_for_a_room_change_one_by_one_and_show_in_the_room(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob, eve] = house.users(["ann", "bob", "eve"]).await;
        let one = ann.post("/roomPrefs/den", json!({ "sticky": true, "tags": ["work"], "unknown": 1 })).await.expect_ok();
        assert_eq!(one, json!({ "room": "den", "sticky": true, "tags": ["work"] }));
        let two = ann.post("/roomPrefs/den", json!({ "sticky": null, "hidden": true, "tagColors": { "work": "red" } })).await.expect_ok();
        let all = json!({ "room": "den", "hidden": true, "tags": ["work"], "tagColors": { "work": "red" } });
        assert_eq!(two, all);
        assert_eq!(ann.get("/roomPrefs").await.expect_ok(), json!({ "totalCount": 1, "data": [all] }));
        let seen = ann.room("den").await.expect_ok();
        assert_eq!((&seen["pref"]["hidden"], &seen["pref"]["tags"]), (&json!(true), &json!(["work"])));
        assert_eq!(bob.room("den").await.expect_ok()["pref"], json!({}));
        let less = ann.delete("/roomPrefs/den/hidden").await.expect_ok();
        assert!(less.get("hidden").is_none(), "{less}");
        for bad in [json!({ "tags": "work" }), json!({ "sticky": 1 }), json!({ "tagColors": [] }), json!({ "folder": 1 })] {
            ann.post("/roomPrefs/den", bad).await.expect_error(400, "INVALID_BODY");
        }
        eve.post("/roomPrefs/den", json!({ "sticky": true })).await.expect_error(404, "ROOM_NOT_FOUND");
        eve.post("/roomPrefs/nowhere", json!({ "sticky": true })).await.expect_error(404, "ROOM_NOT_FOUND");
    }

    async fn a_seat_through_a_user_group_keeps_its_unread_when_it_gets_preferences(house: House) {
        let [ann, bob] = house.users(["ann", "bob"]).await;
        house.platform().post("/admin/groups", json!({ "_id": "crew", "nickname": "Crew", "members": ["bob"] })).await.expect_ok();
        house.room("den").owner("ann").members(["crew"]).await;
        ann.said("den", "one").await;
        ann.said("den", "two").await;
        let before = bob.unread("den").await;
        bob.post("/roomPrefs/den", json!({ "sticky": true })).await.expect_ok();
        assert_eq!((bob.unread("den").await, before), (2, 2));
    }

    async fn l_38_preferences_are_heard_by_their_user_on_all_his_devices_and_by_nobody_else(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let Some(one) = house.listens(&ann).await else { return };
        let [two, other] = [house.listens(&ann).await.unwrap(), house.listens(&bob).await.unwrap()];
        ann.post("/me/pref/f1", json!({ "children": [] })).await.expect_ok();
        ann.delete("/me/pref/f1").await.expect_ok();
        ann.post("/roomPrefs/den", json!({ "sticky": true })).await.expect_ok();
        for socket in [&one, &two] {
            let changed = socket.hears("myPrefChange", |_| true).await;
            assert_eq!(changed, json!({ "key": "f1", "data": { "children": [] } }));
            assert_eq!(socket.hears("myPrefDelete", |_| true).await, Value::from("f1"));
            assert_eq!(socket.hears("roomPref", |_| true).await, json!({ "room": "den", "sticky": true }));
        }
        let heard = other.heard_until_now(&house, &bob).await;
        assert!(heard.is_empty(), "{heard:?}");
    }
}
