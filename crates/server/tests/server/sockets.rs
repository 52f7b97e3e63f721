//! What is heard over sockets, by whom, and in which order (realtime.md; ).

use std::time::Duration;

use banter_server::ServeSettings;
use serde_json::{Value, json};

use crate::common::{Caller, House};
use crate::socket::{Heard, decoded};

/// The texts of the messages in what was heard, in order.
pub(crate) fn messages(heard: &Heard) -> Vec<String> {
    let text = |payload: &Value| decoded(payload)["message"].as_str().unwrap_or_default().to_owned();
    heard.iter().filter(|(event, _)| event == "chat message").map(|(_, payload)| text(payload)).collect()
}

fn events(heard: &Heard) -> Vec<&str> {
    heard.iter().map(|(event, _)| event.as_str()).collect()
}

/// Ann owns the den; Bob and Cat are in it.
pub(crate) async fn den(house: &House) -> [Caller; 3] {
    house.room("den").owner("ann").members(["bob", "cat"]).await;
    house.users(["ann", "bob", "cat"]).await
}

each_store! {
    async fn r09_a_second_block_tells_the_first_blocker_nothing(house: House) {
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let Some(first) = house.listens(&ann).await else { return };
        ann.blocks("bob").await.expect_ok();
        let before = first.heard_until_now(&house, &ann).await.len();
        bob.blocks("ann").await.expect_ok();
        bob.opens("ann").await.expect_ok();
        let heard = first.heard_until_now(&house, &ann).await;
        let more: Vec<_> = heard[before..].iter().filter(|(_, payload)| {
            !payload["_id"].as_str().is_some_and(|id| id.starts_with("fence-"))
        }).collect();
        assert!(more.is_empty(), "{more:?}");
    }

    async fn who_left_a_direct_room_and_opens_it_again_hears_it(house: House) {
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let dm = house.direct("ann", "bob").await;
        let Some(socket) = house.listens(&ann).await else { return };
        ann.leaves(&dm).await.expect_ok();
        ann.opens("bob").await.expect_ok();
        bob.said(&dm, "back again").await;
        socket.hears("chat message", |message| message["message"] == "back again").await;
    }

    async fn everybody_in_a_room_hears_it_in_its_order_on_all_his_devices(house: House) {
        let [ann, bob, cat] = den(&house).await;
        let Some(one) = house.listens(&ann).await else { return };
        let [two, other] = [house.listens(&ann).await.unwrap(), house.listens(&bob).await.unwrap()];
        let mut said = Vec::new();
        for number in 0..20 {
            let who = [&ann, &bob, &cat][number % 3];
            said.push(format!("{number}"));
            if number % 2 == 0 {
                who.said("den", &number.to_string()).await;
            } else {
                let answer = other.asks("chat message", json!([{ "room": "den", "message": number.to_string() }])).await;
                assert_eq!((&answer["RC"], &answer["result"]["sender"]["_id"]), (&json!(0), &json!("bob")), "{answer}");
            }
        }
        for (socket, user) in [(&one, &ann), (&two, &ann), (&other, &bob)] {
            assert_eq!(messages(&socket.heard_until_now(&house, user).await), said);
        }
    }

    async fn t_03_what_was_refused_reaches_nobody(house: House) {
        let [ann, bob, cat] = den(&house).await;
        let dm = house.direct("ann", "bob").await;
        let Some(to_ann) = house.listens(&ann).await else { return };
        let [by_bob, to_cat] = [house.listens(&bob).await.unwrap(), house.listens(&cat).await.unwrap()];
        ann.blocks("bob").await.expect_ok();
        ann.bans("den", "bob").await.expect_ok();
        let before = [to_ann.heard_until_now(&house, &ann).await.len(), to_cat.heard_until_now(&house, &cat).await.len()];
        for room in ["den", dm.as_str()] {
            let code = if room == "den" { "USER_BANNED" } else { "USER_BLOCKED" };
            let refused = by_bob.asks("chat message", json!([{ "room": room, "message": "psst" }])).await;
            assert_eq!((&refused["RC"], &refused["error"]["code"]), (&json!(403), &json!(code)), "{refused}");
            by_bob.tells("typing", json!([room])).await;
            let refused = by_bob.asks("typing", json!([{ "room": room, "message": "ps" }])).await;
            assert_eq!(refused["RC"], 0, "r10: it is dropped without a word: {refused}");
            bob.says(room, "psst").await.expect_refused(code);
            bob.marks_read(room, "").await;
        }
        // L-02: the other way round as well.
        let refused = to_ann.asks("chat message", json!([{ "room": dm, "message": "and you" }])).await;
        assert_eq!(refused["error"]["code"], "USER_BLOCKED");
        to_ann.tells("typing", json!([dm])).await;
        let fences = |heard: &Heard| heard.iter().filter(|(_, payload)| {
            payload["_id"].as_str().is_some_and(|id| id.starts_with("fence-"))
        }).count();
        for (socket, user, before) in [(&to_ann, &ann, before[0]), (&to_cat, &cat, before[1])] {
            let heard = socket.heard_until_now(&house, user).await;
            assert_eq!(heard.len() - fences(&heard), before, "{:?}", &heard[before..]);
        }
        assert!(!events(&by_bob.heard()).contains(&"typing"));
    }

    async fn l_01_a_blocked_users_socket_sends_nothing(house: House) {
        let [ann, bob, _] = den(&house).await;
        let dm = house.direct("ann", "bob").await;
        let Some(socket) = house.listens(&bob).await else { return };
        let sent = socket.asks("chat message", json!([{ "room": dm, "message": "before" }])).await;
        assert_eq!(sent["RC"], 0, "{sent}");
        ann.blocks("bob").await.expect_ok();
        let refused = socket.asks("chat message", json!([{ "room": dm, "message": "after" }])).await;
        assert_eq!((&refused["RC"], &refused["RM"], &refused["error"]["code"]), (&json!(403), &json!("Access denied"), &json!("USER_BLOCKED")));
        assert_eq!(house.said(&dm).await, ["before"]);
        // Taking back an old one is allowed, and is no sign of life.
        let Some(listening) = house.listens(&ann).await else { return };
        let id = sent["result"]["_id"].as_str().unwrap();
        let taken_back = socket.asks("chat message", json!([{ "room": dm, "_id": id, "messageType": "recall" }])).await;
        assert_eq!(taken_back["RC"], 0, "{taken_back}");
        socket.hears("chat message", |message| message["messageType"] == "recall").await;
        let heard = listening.heard_until_now(&house, &ann).await;
        assert!(heard.is_empty(), "{heard:?}");
    }

    async fn l_10_nobody_sees_the_other_type_across_a_block(house: House) {
        let [ann, bob, _] = den(&house).await;
        let dm = house.direct("ann", "bob").await;
        let Some(to_ann) = house.listens(&ann).await else { return };
        let to_bob = house.listens(&bob).await.unwrap();
        to_bob.asks("typing", json!([dm])).await;
        to_ann.hears("typing", |typing| typing["room"] == dm.as_str()).await;
        ann.blocks("bob").await.expect_ok();
        bob.post(&format!("/rooms/{dm}/typing"), json!({})).await.expect_refused("USER_BLOCKED");
        ann.post(&format!("/rooms/{dm}/typing"), json!({})).await.expect_refused("USER_BLOCKED");
        to_ann.asks("typing", json!([dm])).await;
        let typing = |heard: &Heard| heard.iter().filter(|(event, _)| event == "typing").count();
        assert_eq!(typing(&to_ann.heard_until_now(&house, &ann).await), 1);
        assert_eq!(typing(&to_bob.heard_until_now(&house, &bob).await), 0);
        // In groups they go on.
        to_bob.asks("typing", json!(["den"])).await;
        to_ann.hears("typing", |typing| typing["room"] == "den").await;
    }

    async fn n_01_a_socket_that_was_there_before_the_ban_sends_no_more(house: House) {
        let [ann, bob, cat] = den(&house).await;
        let Some(socket) = house.listens(&bob).await else { return };
        let member = house.listens(&cat).await.unwrap();
        assert_eq!(socket.asks("chat message", json!([{ "room": "den", "message": "before" }])).await["RC"], 0);
        ann.bans("den", "bob").await.expect_ok();
        let refused = socket.asks("chat message", json!([{ "room": "den", "message": "after" }])).await;
        assert_eq!((&refused["RC"], &refused["error"]["code"]), (&json!(403), &json!("USER_BANNED")));
        socket.asks("typing", json!(["den"])).await;
        let heard = member.heard_until_now(&house, &cat).await;
        assert_eq!((messages(&heard), events(&heard).contains(&"typing")), (vec!["before".to_owned()], false));
        ann.unbans("den", "bob").await.expect_ok();
        assert_eq!(socket.asks("chat message", json!([{ "room": "den", "message": "again" }])).await["RC"], 0);
    }

    async fn r12_a_block_shows_on_the_blockers_devices_and_nowhere_else(house: House) {
        let [ann, bob, _] = den(&house).await;
        let dm = house.direct("ann", "bob").await;
        let Some(one) = house.listens(&ann).await else { return };
        let [two, blocked] = [house.listens(&ann).await.unwrap(), house.listens(&bob).await.unwrap()];
        let quiet = blocked.heard_until_now(&house, &bob).await.len();
        ann.blocks("bob").await.expect_ok();
        ann.unblocks("bob").await.expect_ok();
        for socket in [&one, &two] {
            for op in ["block", "unblock"] {
                let status = socket.hears("blockStatus", |status| status["op"] == op).await;
                assert_eq!((&status["blockee"], &status["room"]), (&json!("bob"), &json!(dm)), "{status}");
                assert!(status["createdAt"].is_string() && status["updatedAt"].is_string(), "{status}");
            }
            let heard = socket.heard_until_now(&house, &ann).await;
            let rooms: Vec<bool> = heard.iter()
                .filter(|(event, room)| event == "room" && room["_id"] == dm.as_str())
                .map(|(_, room)| room["didBlockAt"].is_string()).collect();
            assert!(rooms.ends_with(&[false]), "didBlockAt comes and goes: {rooms:?}");
        }
        // not a byte to the other side.
        let heard = blocked.heard_until_now(&house, &bob).await;
        assert!(events(&heard)[quiet..].iter().all(|event| *event == "room"), "{heard:?}");
        assert!(heard[quiet..].iter().all(|(_, room)| room["_id"] != dm.as_str()), "{heard:?}");
    }

    async fn l_06_a_room_made_by_a_block_is_heard_of_by_the_blocker_alone(house: House) {
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let Some(blocker) = house.listens(&ann).await else { return };
        let blocked = house.listens(&bob).await.unwrap();
        ann.blocks("bob").await.expect_ok();
        let status = blocker.hears("blockStatus", |_| true).await;
        blocker.hears("room", |room| room["_id"] == status["room"]).await;
        let heard = blocked.heard_until_now(&house, &bob).await;
        assert!(heard.is_empty(), "{heard:?}");
        // Opened and spoken in, it is heard by both.
        ann.unblocks("bob").await.expect_ok();
        let dm = bob.opens("ann").await.expect_ok();
        ann.said(dm["_id"].as_str().unwrap(), "there you are").await;
        blocked.hears("chat message", |message| message["message"] == "there you are").await;
    }

    async fn l_07_opening_leaving_and_coming_back_are_no_signs_of_life(house: House) {
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let dm = house.direct("ann", "bob").await;
        ann.blocks("bob").await.expect_ok();
        let Some(blocker) = house.listens(&ann).await else { return };
        bob.opens("ann").await.expect_ok();
        bob.leaves(&dm).await.expect_ok();
        bob.opens("ann").await.expect_ok();
        bob.post("/rooms", json!({ "roomType": "direct", "members": ["bob", "ann"] })).await;
        let heard = blocker.heard_until_now(&house, &ann).await;
        assert!(heard.is_empty(), "{heard:?}");
    }

    async fn n_03_a_banned_user_hears_on_and_learns_of_his_ban(house: House) {
        let [ann, bob, cat] = den(&house).await;
        let Some(owner) = house.listens(&ann).await else { return };
        let [banned, member] = [house.listens(&bob).await.unwrap(), house.listens(&cat).await.unwrap()];
        ann.bans("den", "bob").await.expect_ok();
        let status = owner.hears("blockStatus", |status| status["op"] == "ban").await;
        assert_eq!((&status["blockee"], &status["room"]), (&json!("bob"), &json!("den")));
        banned.hears("room", |room| room["_id"] == "den" && room["wasBlockedAt"].is_string()).await;
        cat.said("den", "he hears this").await;
        banned.hears("chat message", |message| message["message"] == "he hears this").await;
        // his reading shows to nobody.
        let last = bob.reads("den").await.expect_list()[0]["_id"].as_str().unwrap().to_owned();
        bob.marks_read("den", &last).await.expect_ok();
        let heard = member.heard_until_now(&house, &cat).await;
        assert!(heard.iter().all(|(event, _)| event != "lastRead" && event != "blockStatus"), "{heard:?}");
        ann.unbans("den", "bob").await.expect_ok();
        banned.hears("room", |room| room["_id"] == "den" && room["wasBlockedAt"].is_null()).await;
        owner.hears("blockStatus", |status| status["op"] == "unban").await;
        bob.marks_read("den", &last).await.expect_ok();
    }

    async fn typing_reaches_the_others_and_not_the_typist(house: House) {
        let [ann, bob, cat] = den(&house).await;
        let Some(typist) = house.listens(&ann).await else { return };
        let [one, two] = [house.listens(&bob).await.unwrap(), house.listens(&cat).await.unwrap()];
        typist.tells("typing", json!(["den"])).await;
        for socket in [&one, &two] {
            let heard = socket.hears("typing", |_| true).await;
            assert_eq!((&heard["room"], &heard["sender"]), (&json!("den"), &json!("ann")));
            assert_eq!(heard["senderInfo"]["_id"], "ann", "the web client dies without it: {heard}");
        }
        let typed = bob.post("/rooms/den/typing", json!({ "message": "hel" })).await.expect_ok();
        assert_eq!(typed, json!({ "message": "hel", "room": "den", "sender": "bob" }));
        typist.hears("typing", |heard| heard["sender"] == "bob" && heard["message"] == "hel").await;
        assert!(typist.heard().iter().all(|(_, heard)| heard["sender"] != "ann"));
        // N-28: what is typed is masked as what is sent is.
        house.platform().post("/config", json!({ "censorship": { "keywords": ["darn"] } })).await.expect_ok();
        let typed = cat.post("/rooms/den/typing", json!({ "message": "oh darn" })).await.expect_ok();
        assert_eq!(typed["message"], "oh ****");
        typist.hears("typing", |heard| heard["sender"] == "cat" && heard["message"] == "oh ****").await;
        // Whom an API key names types, if he may.
        let as_cat = house.platform_for("cat");
        let typed = as_cat.post("/rooms/den/typing", json!({ "message": "for her" })).await.expect_ok();
        assert_eq!(typed["sender"], "cat");
        typist.hears("typing", |heard| heard["sender"] == "cat" && heard["message"] == "for her").await;
        ann.bans("den", "cat").await.expect_ok();
        as_cat.post("/rooms/den/typing", json!({ "message": "psst" })).await.expect_refused("USER_BANNED");
        assert!(one.heard_until_now(&house, &bob).await.iter().all(|(_, heard)| heard["message"] != "psst"));
        // Told at most once a second: of many at once most are dropped without a word.
        for _ in 0..30 {
            typist.tells("typing", json!(["den"])).await;
        }
        let heard = one.heard_until_now(&house, &bob).await;
        let told = heard.iter().filter(|(event, heard)| event == "typing" && heard["sender"] == "ann").count();
        assert!((1..20).contains(&told), "{told} of 31");
    }

    async fn reading_shows_but_not_across_a_block(house: House) {
        let [ann, bob, _] = den(&house).await;
        let dm = house.direct("ann", "bob").await;
        let said = [bob.said("den", "one").await, bob.said(&dm, "two").await];
        let Some(socket) = house.listens(&bob).await else { return };
        ann.marks_read("den", &said[0]).await.expect_ok();
        let read = socket.hears("lastRead", |_| true).await;
        assert_eq!(read, json!({ "roomID": "den", "memberID": "ann", "messageID": said[0] }));
        // L-11
        bob.blocks("ann").await.expect_ok();
        ann.marks_read(&dm, &said[1]).await.expect_ok();
        let heard = socket.heard_until_now(&house, &bob).await;
        assert!(heard.iter().all(|(event, read)| event != "lastRead" || read["roomID"] != dm.as_str()), "{heard:?}");
    }

    async fn who_comes_hears_and_who_goes_hears_no_more(house: House) {
        let [ann, bob, _] = den(&house).await;
        let [dan, eve] = house.users(["dan", "eve"]).await;
        house.platform().post("/admin/groups", json!({ "_id": "crew", "nickname": "Crew", "members": ["eve"] })).await.expect_ok();
        let Some(member) = house.listens(&bob).await else { return };
        let [comes, in_crew] = [house.listens(&dan).await.unwrap(), house.listens(&eve).await.unwrap()];
        ann.said("den", "before").await;
        ann.post("/rooms/den/members", json!({ "invitees": ["dan", "crew"], "systemMessage": true })).await.expect_ok();
        for socket in [&comes, &in_crew, &member] {
            socket.hears("chat message", |message| message["messageType"] == "addMembers").await;
            let room = socket.hears("room", |room| room["_id"] == "den").await;
            assert!(room["members"].is_array() && room["unread"].is_i64() && room["pref"].is_object(), "{room}");
        }
        ann.said("den", "while").await;
        ann.post("/rooms/den/delete/members", json!({ "members": ["dan", "crew"], "systemMessage": true })).await.expect_ok();
        ann.said("den", "after").await;
        member.hears("chat message", |message| message["message"] == "after").await;
        for (socket, user) in [(&comes, &dan), (&in_crew, &eve)] {
            let heard = socket.heard_until_now(&house, user).await;
            let texts = messages(&heard);
            assert!(texts.contains(&"while".to_owned()) && !texts.contains(&"before".to_owned()), "{texts:?}");
            assert_eq!(heard.last().map(|(_, last)| last["messageType"].clone()), Some(json!("deleteMember")), "{heard:?}");
        }
    }

    async fn changes_of_a_message_are_heard_again(house: House) {
        let [ann, bob, _] = den(&house).await;
        let Some(socket) = house.listens(&bob).await else { return };
        let id = ann.said("den", "first").await;
        ann.edits("den", &id, "second").await.expect_ok();
        socket.hears("chat message", |message| message["_id"] == id.as_str() && message["message"] == "second").await;
        bob.reacts(&id, "👍").await.expect_ok();
        socket.hears("chat message", |message| message["reactions"] == json!([{ "client": "bob", "reaction": "👍" }])).await;
        ann.recalls("den", &id).await.expect_ok();
        let recalled = socket.hears("chat message", |message| message["messageType"] == "recall").await;
        assert_eq!((&recalled["_id"], &recalled["sender"]["_id"]), (&json!(id), &json!("ann")));
        ann.freezes("den").await.expect_ok_saying("Room frozen successfully");
        socket.hears("room", |room| room["_id"] == "den" && room["status"] == 0).await;
    }

    async fn a_revoked_token_hears_nothing_more_and_its_socket_ends_once(house: House) {
        let [ann, bob, cat] = den(&house).await;
        let Some(witness) = house.listens(&cat).await else { return };
        let socket = house.listens(&bob).await.unwrap();
        let revoked = house.platform().ask(reqwest::Method::DELETE, "/admin/clients/bob/token", Some(json!({}))).await;
        revoked.expect_ok();
        ann.said("den", "not for bob").await;
        witness.hears("chat message", |message| message["message"] == "not for bob").await;
        let reason = socket.hears("!disconnect", |_| true).await;
        assert_eq!(reason, "transport close", "a farewell would bring clients back at once");
        assert_eq!(messages(&socket.heard()), [""; 0]);
    }

    async fn who_does_not_keep_up_is_cut_off_and_counted_and_slows_nobody(house: House) {
        let [ann, bob, cat] = den(&house).await;
        let settings = ServeSettings { socket_queue: 16, ..ServeSettings::default() };
        let door = crate::host::another_door(&house, settings).await;
        let Some(slow) = door.listens(&bob).await else { return };
        let quick = door.listens(&cat).await.unwrap();
        slow.stops_reading().await;
        let long = "x".repeat(60_000);
        let metrics = || async { door.http().get(format!("{}/metrics", door.base())).send().await.unwrap().text().await.unwrap() };
        let mut number = 0;
        // Until the buffers of the system are full, and then the queue.
        while !metrics().await.contains("banter_socket_overflows_total 1") {
            ann.said("den", &format!("{number} {long}")).await;
            number += 1;
            assert!(number < 2000, "it was never cut off");
        }
        let last = format!("{} ", number - 1);
        quick.hears("chat message", |message| message["message"].as_str().unwrap().starts_with(&last)).await;
        assert_eq!(messages(&quick.heard()).len(), number, "nothing was lost to the others");
        tokio::time::timeout(Duration::from_secs(20), async {
            while !metrics().await.contains("banter_open_sockets 1\n") {
                tokio::task::yield_now().await;
            }
        }).await.expect("the slow one is gone");
    }
}
