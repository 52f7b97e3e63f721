//! What of a room's messages somebody sees: what he deleted for himself and what superusers hid are not
//! there; and other ways to read.

use serde_json::{Value, json};

use crate::common::{Caller, House};

/// The words of a room as somebody reads them, newest first.
async fn words(eyes: &Caller, room: &str) -> Vec<String> {
    texts(&eyes.reads(room).await.expect_list())
}

fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["message"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Ann owns the den; she said three things there, which Bob has not read.
async fn den(house: &House) -> ([Caller; 3], [String; 3]) {
    house.room("den").owner("ann").members(["bob", "max"]).await;
    let all = house.users(["ann", "bob", "max"]).await;
    let mut ids = Vec::new();
    for word in ["quartz one", "quartz two", "quartz three"] {
        ids.push(all[0].said("den", word).await);
    }
    (all, ids.try_into().expect("three"))
}

each_store! {
    async fn what_one_deletes_for_himself_is_gone_for_him_alone(house: House) {
        let ([ann, bob, _], [one, two, three]) = den(&house).await;
        let done = bob.post("/messages/user-delete", json!({"room": "den", "messages": [two, three, "0123456789abcdef01234567"]})).await.expect_ok();
        let mut named: Vec<&str> = done["messages"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        named.sort_unstable();
        assert_eq!((&done["n"], &done["ok"], named), (&json!(2), &json!(1), vec![two.as_str(), three.as_str()]), "{done}");
        let page = bob.reads("den").await.expect_ok();
        assert_eq!((texts(page["data"].as_array().unwrap()), &page["totalCount"]), (vec!["quartz one".to_owned()], &json!(1)));
        assert_eq!(page["userDeletedIDs"], json!([three, two]));
        assert_eq!(bob.room("den").await.expect_ok()["lastMessage"]["_id"], json!(one));
        assert_eq!(bob.rooms().await.expect_list()[0]["lastMessage"]["_id"], json!(one));
        assert_eq!(bob.searches("quartz").await.expect_ok()["messages"][0]["messages"], json!([one]));
        assert_eq!(bob.get("/rooms/den/count").await.expect_ok()["count"], 1);
        assert_eq!(words(&ann, "den").await.len(), 3, "to everybody else they stay");
        assert_eq!(ann.room("den").await.expect_ok()["lastMessage"]["_id"], json!(three));
        let listed = bob.get("/messages/user-delete?room=den").await.expect_ok();
        assert_eq!((&listed["totalCount"], &listed["data"][0]["message"]), (&json!(2), &json!(three)));
        assert!(listed["data"][0]["createdAt"].is_string(), "{listed}");
        assert_eq!(ann.get("/messages/user-delete?room=den").await.expect_ok()["totalCount"], 0);
        let again = bob.post("/messages/user-delete", json!({"room": "den", "messages": [two]})).await.expect_ok();
        assert_eq!(again["n"], 0, "twice is once");
        // Of a page only what falls into its stretch is named.
        let page = bob.get(&format!("/rooms/den/messages/v3?limit=1&beforeMessage={one}")).await.expect_ok();
        assert_eq!(page["userDeletedIDs"], json!([]));
        // Nor what is before the moment that is asked for.
        let at = ann.reads("den").await.expect_list()[0]["createdAtMS"].as_i64().unwrap();
        for field in ["updatedAt", "createdAt", "messageTime"] {
            let page = async |after: i64| bob.get(&format!("/rooms/den/messages/v3?afterTime={after}&timeRangeField={field}")).await.expect_ok();
            assert_eq!(page(at).await["userDeletedIDs"], json!([]), "{field}");
            assert_eq!(page(at - 1).await["userDeletedIDs"][0], json!(three), "{field}");
            assert_eq!(page(0).await["userDeletedIDs"], json!([three, two]), "{field}");
        }
        for bad in [json!({"messages": [two]}), json!({"room": "den"})] {
            bob.post("/messages/user-delete", bad).await.expect_error(400, "MISSING_PARAMETER");
        }
        bob.post("/messages/user-delete", json!({"room": "den", "messages": ["x"]})).await.expect_error(400, "INVALID_ID");
    }

    async fn a_room_is_cleared_for_oneself_and_begins_anew(house: House) {
        let ([ann, bob, _], [_, _, three]) = den(&house).await;
        assert_eq!(bob.unread("den").await, 3);
        let done = bob.post("/messages/user-delete/all-in-room", json!({"room": "den"})).await.expect_ok();
        assert_eq!((&done["n"], done["messages"].as_array().unwrap().len()), (&json!(3), 3));
        assert!(words(&bob, "den").await.is_empty());
        assert_eq!((bob.unread("den").await, bob.room("den").await.expect_ok().get("lastMessage").is_some()), (0, false));
        assert_eq!(bob.reads("den").await.expect_ok()["userDeletedIDs"][0], json!(three));
        let new = ann.said("den", "fresh").await;
        let page = bob.reads("den").await.expect_ok();
        assert_eq!((&page["totalCount"], &page["data"][0]["_id"], bob.unread("den").await), (&json!(1), &json!(new), 1));
        bob.post("/messages/user-delete", json!({"room": "den", "messages": [new]})).await.expect_ok();
        assert!(words(&bob, "den").await.is_empty());
        assert_eq!(words(&ann, "den").await.len(), 4);
        house.user("eve").await.post("/messages/user-delete/all-in-room", json!({"room": "den"})).await.expect_refused("NOT_ROOM_MEMBER");
    }

    async fn r13_a_banned_or_blocked_user_deletes_for_himself(house: House) {
        let ([ann, bob, _], [one, ..]) = den(&house).await;
        ann.bans("den", "bob").await.expect_ok();
        bob.post("/messages/user-delete", json!({"room": "den", "messages": [one]})).await.expect_ok();
        assert_eq!(words(&bob, "den").await.len(), 2);
        let dm = house.direct("ann", "bob").await;
        let old = ann.said(&dm, "old").await;
        ann.blocks("bob").await.expect_ok();
        bob.post("/messages/user-delete", json!({"room": dm, "messages": [old]})).await.expect_ok();
        assert!(words(&bob, &dm).await.is_empty());
        assert_eq!(words(&ann, &dm).await, ["old"]);
    }

    async fn what_one_deletes_for_himself_is_heard_on_his_devices_alone(house: House) {
        let ([ann, bob, _], [one, ..]) = den(&house).await;
        let Some(two) = house.listens(&bob).await else { return };
        let other = house.listens(&ann).await.unwrap();
        bob.post("/messages/user-delete", json!({"room": "den", "messages": [one]})).await.expect_ok();
        let heard = two.hears("userDeleteMessages", |_| true).await;
        assert_eq!(heard, json!({"room": "den", "messages": [one], "isUserDeleteAllMessagesInRoom": false}));
        bob.post("/messages/user-delete/all-in-room", json!({"room": "den"})).await.expect_ok();
        two.hears("userDeleteMessages", |heard| heard["isUserDeleteAllMessagesInRoom"] == true).await;
        let heard = other.heard_until_now(&house, &ann).await;
        assert!(heard.is_empty(), "{heard:?}");
    }

    async fn no_event_brings_back_what_is_out_of_sight(house: House) {
        let ([ann, bob, max], _) = den(&house).await;
        let (Some(of_bob), Some(of_max)) = (house.listens(&bob).await, house.listens(&max).await) else { return };
        let newest = ann.said("den", "secret words").await;
        of_bob.hears("chat message", |message| message["message"] == "secret words").await;
        let before = of_bob.heard_until_now(&house, &bob).await.len();
        ann.posts(&format!("/messages/{newest}/hidden")).await.expect_ok();
        ann.updates("den", json!({"name": "The Den"})).await.expect_ok();
        let heard = of_bob.heard_until_now(&house, &bob).await;
        assert!(heard.len() > before + 1, "the room is told of");
        assert!(heard[before..].iter().all(|heard| !format!("{heard:?}").contains("secret words")), "{:#?}", &heard[before..]);
        ann.delete(&format!("/messages/{newest}/hidden")).await.expect_ok();
        // Max deletes it for himself: neither the room nor a reaction brings it back to his devices.
        let before = of_max.heard_until_now(&house, &max).await.len();
        max.post("/messages/user-delete", json!({"room": "den", "messages": [newest]})).await.expect_ok();
        bob.reacts(&newest, "like").await.expect_ok();
        ann.updates("den", json!({"name": "Den"})).await.expect_ok();
        let heard = of_max.heard_until_now(&house, &max).await;
        assert!(heard.len() > before, "the room is told of");
        assert!(heard[before..].iter().all(|heard| !format!("{heard:?}").contains("secret words")), "{:#?}", &heard[before..]);
        of_bob.hears("chat message", |message| message["reactionCount"] == 1).await;
    }

    async fn what_superusers_hide_is_there_for_nobody_else(house: House) {
        let ([ann, bob, max], [_, two, three]) = den(&house).await;
        ann.sets("den", "max", "role", "admin").await.expect_ok();
        let answer = bob.sends("den", json!({"messageType": "text", "message": "an answer", "reply": three})).await.expect_ok();
        ann.pins(&three).await.expect_ok();
        bob.posts(&format!("/messages/{three}/hidden")).await.expect_refused("INSUFFICIENT_PERMISSION");
        let hidden = max.posts(&format!("/messages/{three}/hidden")).await.expect_ok();
        assert_eq!(hidden["isHidden"], true);
        max.posts(&format!("/messages/{three}/hidden")).await.expect_ok();
        assert_eq!(words(&bob, "den").await, ["an answer", "Max", "quartz two", "quartz one"], "Max was made a manager");
        let quoting = bob.reads("den").await.expect_list()[0].clone();
        assert_eq!((&quoting["_id"], quoting.get("reply")), (&answer["_id"], None), "it is not quoted");
        assert!(bob.get("/rooms/den/pined-messages").await.expect_list().is_empty());
        let found = bob.searches("quartz").await.expect_ok()["messages"][0]["messages"].clone();
        assert!(!found.to_string().contains(&three) && found.to_string().contains(&two), "{found}");
        bob.get(&format!("/rooms/den/messages/{three}")).await.expect_error(404, "MESSAGE_NOT_FOUND");
        bob.reacts(&three, "like").await.expect_error(404, "MESSAGE_NOT_FOUND");
        for above in [&ann, &max, &house.platform()] {
            let seen = above.reads("den").await.expect_list();
            let seen = seen.iter().find(|message| message["_id"] == three.as_str()).expect("it is there for him");
            assert_eq!(seen["isHidden"], true);
        }
        let none = bob.reads("den").await.expect_list();
        assert!(none.iter().all(|message| message.get("isHidden").is_none()), "{none:?}");
        max.delete(&format!("/messages/{three}/hidden")).await.expect_ok();
        assert!(words(&bob, "den").await.contains(&"quartz three".to_owned()));
        let counted = ann.post("/messages/hide-by-sender-in-room", json!({"room": "den", "sender": "ann"})).await.expect_ok();
        assert_eq!(counted, json!({"n": 4, "nModified": 4, "ok": 1}), "with the word that Max is a manager");
        assert_eq!(words(&bob, "den").await.iter().filter(|text| text.starts_with("quartz")).count(), 0);
        assert_eq!(bob.reads("den").await.expect_ok()["totalCount"], bob.reads("den").await.expect_list().len());
        ann.said("den", "what comes later is seen").await;
        assert_eq!(words(&bob, "den").await[0], "what comes later is seen");
        ann.post("/messages/unhide-by-sender-in-room", json!({"room": "den", "sender": "ann"})).await.expect_ok();
        assert!(words(&bob, "den").await.contains(&"quartz two".to_owned()));
        bob.post("/messages/hide-by-sender-in-room", json!({"room": "den", "sender": "ann"})).await.expect_refused("INSUFFICIENT_PERMISSION");
        ann.post("/messages/hide-by-sender-in-room", json!({"room": "den"})).await.expect_error(400, "MISSING_PARAMETER");
        let entries = house.platform().get("/admin/audit?action=hide").await.expect_list();
        assert_eq!(entries.len(), 2, "{entries:?}");
        bob.get(&format!("/rooms/den/messages/{two}")).await.expect_ok();
    }

    async fn what_is_hidden_is_heard_by_superusers_alone(house: House) {
        let ([ann, bob, _], [one, ..]) = den(&house).await;
        let Some(of_bob) = house.listens(&bob).await else { return };
        let of_ann = house.listens(&ann).await.unwrap();
        ann.posts(&format!("/messages/{one}/hidden")).await.expect_ok();
        ann.reacts(&one, "like").await.expect_ok();
        of_ann.hears("chat message", |message| message["isHidden"] == true && message["reactionCount"] == 1).await;
        let heard = of_bob.heard_until_now(&house, &bob).await;
        assert!(heard.iter().all(|(event, _)| event == "room"), "{heard:?}");
        ann.delete(&format!("/messages/{one}/hidden")).await.expect_ok();
        of_bob.hears("chat message", |message| message["_id"] == one.as_str() && message.get("isHidden").is_none()).await;
    }

    async fn a_message_is_read_with_what_was_said_around_it(house: House) {
        let ([_, bob, _], [one, two, three]) = den(&house).await;
        let ids = async |query: &str| {
            let page = bob.get(&format!("/rooms/den/messages/{two}{query}")).await.expect_ok();
            assert_eq!(page["totalCount"], 3);
            page["data"].as_array().unwrap().iter().map(|message| message["_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids("").await, [three.clone(), two.clone(), one.clone()]);
        assert_eq!(ids("?before=0&after=1").await, [three, two.clone()]);
        assert_eq!(ids("?before=1&after=0").await, [two.clone(), one]);
        bob.get(&format!("/rooms/den/messages/{two}?before=1001")).await.expect_error(400, "INVALID_QUERY");
        bob.get("/rooms/den/messages/0123456789abcdef01234567").await.expect_error(404, "MESSAGE_NOT_FOUND");
        house.user("eve").await.get(&format!("/rooms/den/messages/{two}")).await.expect_refused("NOT_ROOM_MEMBER");
    }

    async fn the_newest_of_all_rooms_come_in_one_list(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        house.room("hall").owner("ann").members(["bob"]).await;
        house.room("attic").owner("ann").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        for (room, word) in [("den", "1"), ("hall", "2"), ("attic", "x"), ("den", "3"), ("hall", "4")] {
            ann.said(room, word).await;
        }
        let recent = bob.get("/messages/recent?limit=3").await.expect_ok();
        assert_eq!((texts(recent["data"].as_array().unwrap()), &recent["count"]), (["4", "3", "2"].map(str::to_owned).to_vec(), &json!(3)));
        assert_eq!(texts(&bob.get("/messages/recent").await.expect_list()), ["4", "3", "2", "1"]);
        bob.get("/messages/recent?limit=101").await.expect_error(400, "INVALID_QUERY");
    }

    async fn the_platform_reads_batches_and_spans_of_time(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        house.room("hall").owner("ann").await;
        let ann = house.user("ann").await;
        ann.said("den", "before").await;
        let paras = json!([{"room": "den"}, {"room": "hall"}]);
        let batch = json!({"sender": "ann", "messageType": "text", "message": "all", "paras": paras});
        let id = house.platform().post("/messages/batch", batch).await.expect_ok()["batchID"].as_str().unwrap().to_owned();
        let found = house.platform().get(&format!("/messages/batch?batchID={id}")).await.expect_ok();
        assert_eq!((&found["count"], texts(found["data"].as_array().unwrap())), (&json!(2), vec!["all".to_owned(); 2]));
        house.platform().get("/messages/batch").await.expect_error(400, "INVALID_QUERY");
        let all = house.platform().get("/admin/messages?startDate=2020-08-25T15:34:32Z&limit=2").await.expect_ok();
        assert_eq!((&all["totalCount"], all["data"].as_array().unwrap().len()), (&json!(3), 2));
        assert_eq!(house.platform().get("/admin/messages?endDate=2020-08-25T15:34:32Z").await.expect_ok()["totalCount"], 0);
        ann.get("/admin/messages").await.expect_error(401, "INVALID_API_KEY");
    }
}
