//! Every path by which a blocked pair could still reach or observe each other: the rows `L-…` of
//! the effect matrix. Ann blocks Bob. Rows whose paths are not served yet stand in
//! `docs/moderation.md` as open.

use serde_json::{Value, json};

use crate::common::House;
use crate::sight::{expect_same, keys, sight};

each_store! {
    async fn l_02_the_blocker_cannot_send_either(house: House) {
        let room = house.direct("ann", "bob").await;
        let ann = house.user("ann").await;
        ann.blocks("bob").await.expect_ok();
        ann.says(&room, "hello").await.expect_refused("USER_BLOCKED");
        assert_eq!(house.said(&room).await, [""; 0]);
    }

    async fn l_03_no_path_carries_the_blockeds_words(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.blocks("bob").await.expect_ok();
        let before = sight(&ann, &[&room], &["hello"]).await;

        bob.says(&room, "hello").await.expect_refused("USER_BLOCKED");
        let platform = house.platform();
        let words = json!({"room": room, "sender": "bob", "messageType": "text", "message": "hello"});
        platform.post("/messages", words.clone()).await.expect_refused("USER_BLOCKED");
        platform.sends(&room, json!({"sender": "bob", "messageType": "text", "message": "hello"})).await.expect_refused("USER_BLOCKED");
        for paras in [json!([{"receiver": "ann"}]), json!([{"room": room}])] {
            let batch = json!({"sender": "bob", "messageType": "text", "message": "hello", "paras": paras});
            let done = platform.post("/messages/batch", batch).await.expect_ok();
            assert_eq!((&done["count"], &done["refused"]), (&json!(1), &json!(1)), "{done}");
        }
        let own = json!({"messageType": "text", "message": "hello", "paras": [{"room": room}]});
        assert_eq!(bob.post("/messages/batch", own).await.expect_ok()["refused"], 1);
        expect_same(&before, &sight(&ann, &[&room], &["hello"]).await);

        let mut forced = words;
        forced["force"] = json!(true);
        platform.post("/messages", forced).await.expect_ok();
        assert_eq!(house.said(&room).await, ["hello"]);
        let audit = platform.get("/admin/audit?action=force").await.expect_list();
        assert_eq!((audit.len(), &audit[0]["room"]), (1, &json!(room)), "{audit:?}");
    }

    async fn l_04_old_messages_stay_as_they_are(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let [of_ann, of_bob] = [ann.said(&room, "from ann").await, bob.said(&room, "from bob").await];
        ann.blocks("bob").await.expect_ok();
        let before = sight(&ann, &[&room], &["from"]).await;
        bob.edits(&room, &of_bob, "changed").await.expect_refused("USER_BLOCKED");
        ann.edits(&room, &of_ann, "changed").await.expect_refused("USER_BLOCKED");
        bob.pins(&of_bob).await.expect_refused("USER_BLOCKED");
        bob.pins(&of_ann).await.expect_refused("USER_BLOCKED");
        bob.unpins(&of_ann).await.expect_refused("USER_BLOCKED");
        bob.erases(&room, &of_ann).await.expect_some_refusal();
        bob.erases(&room, "_all").await.expect_some_refusal();
        bob.recalls(&room, &of_ann).await.expect_some_refusal();
        expect_same(&before, &sight(&ann, &[&room], &["from"]).await);

        // Taking one's own word back reaches nobody.
        let recalled = bob.recalls(&room, &of_bob).await.expect_ok();
        assert_eq!((&recalled["messageType"], &recalled["message"]), (&json!("recall"), &json!("")));
        assert_eq!(house.said(&room).await, ["from ann", ""]);
    }

    async fn l_05_no_reaction_passes(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let message = ann.said(&room, "hi").await;
        bob.reacts(&message, "👍").await.expect_ok();
        ann.blocks("bob").await.expect_ok();
        let before = sight(&ann, &[&room], &[]).await;
        bob.reacts(&message, "👎").await.expect_refused("USER_BLOCKED");
        bob.unreacts(&message, "👍").await.expect_refused("USER_BLOCKED");
        ann.reacts(&message, "👍").await.expect_refused("USER_BLOCKED");
        expect_same(&before, &sight(&ann, &[&room], &[]).await);
    }

    async fn l_06_a_room_made_by_a_block_is_no_room_to_the_blocked(house: House) {
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let room = ann.blocks("bob").await.expect_ok()["room"].as_str().unwrap().to_owned();
        let unknown = "0123456789abcdef0123456789abcdef";
        assert_eq!(bob.room_ids().await, [""; 0]);
        let message = "0123456789abcdef01234567";
        for (method, path, body) in [
            ("GET", "/rooms/ROOM", Value::Null),
            ("PUT", "/rooms/ROOM", json!({"name": "x"})),
            ("PUT", "/rooms/ROOM", json!({"status": 0})),
            ("DELETE", "/rooms/ROOM", Value::Null),
            ("POST", "/rooms/ROOM/join", Value::Null),
            ("POST", "/rooms/ROOM/members", json!({"invitees": ["ann"]})),
            ("POST", "/rooms/ROOM/delete/members", json!({"members": ["ann"]})),
            ("POST", "/rooms/ROOM/delete/members", json!({"members": ["bob"]})),
            ("PUT", "/rooms/ROOM/member/bob", json!({"property": "score", "value": 1})),
            ("PUT", "/rooms/ROOM/member/ann", json!({"property": "role", "value": "admin"})),
            ("PUT", "/rooms/ROOM/lastRead", json!({})),
            ("POST", "/rooms/ROOM/message", json!({"messageType": "text", "message": "hi"})),
            ("POST", "/rooms/ROOM/message", json!({"_id": message, "message": "hi"})),
            ("GET", "/rooms/ROOM/messages/v3", Value::Null),
            ("DELETE", "/rooms/ROOM/messages/_all", Value::Null),
            ("GET", "/blockStatus/room/ROOM", Value::Null),
            ("POST", "/blockStatus/room/ROOM/ann", Value::Null),
            ("DELETE", "/blockStatus/room/ROOM/ann", Value::Null),
            ("POST", "/me/mute/ROOM", Value::Null),
            ("POST", "/search", json!({"type": ["messages"], "keyword": "hi", "room": "ROOM"})),
            ("POST", "/messages/batch", json!({"messageType": "text", "message": "hi", "paras": [{"room": "ROOM"}]})),
        ] {
            let ask = async |name: &str| {
                let body = (!body.is_null()).then(|| serde_json::from_str(&body.to_string().replace("ROOM", name)).unwrap());
                let answer = bob.ask(method.parse().unwrap(), &path.replace("ROOM", name), body).await;
                let mut said = answer.body().to_string().replace(name, "ROOM");
                if let Some(batch) = answer.body()["result"]["batchID"].as_str() {
                    said = said.replace(batch, "BATCH");
                }
                (answer.status, said)
            };
            assert_eq!(ask(&room).await, ask(unknown).await, "{method} {path} {body}");
        }
        ann.unblocks("bob").await.expect_ok();
        assert_eq!(bob.room(&room).await.body(), bob.room(unknown).await.body(), "nor is it after the block");
        assert_eq!(bob.room_ids().await, [""; 0]);

        bob.opens("ann").await.expect_ok();
        assert_eq!(bob.room_ids().await, [room]);
    }

    async fn l_07_a_new_direct_room_is_no_way_around(house: House) {
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.blocks("bob").await.expect_ok();
        let before = sight(&ann, &[], &[]).await;
        let opened = bob.opens("ann").await.expect_ok()["_id"].as_str().unwrap().to_owned();
        bob.says(&opened, "hello").await.expect_refused("USER_BLOCKED");
        let body = json!({"_id": "elsewhere", "roomType": "direct", "members": ["ann", "bob"]});
        house.platform().post("/rooms", body).await.expect_ok();
        for room in [&opened, "elsewhere"] {
            bob.says(room, "hello").await.expect_refused("USER_BLOCKED");
            ann.says(room, "hello").await.expect_refused("USER_BLOCKED");
        }
        let after = sight(&ann, &[], &[]).await;
        assert_eq!(before["/me/badge"], after["/me/badge"]);
        assert_eq!(before["/blockStatus/my"], after["/blockStatus/my"]);
    }

    async fn l_08_the_blocked_cannot_bring_the_blocker_into_a_group(house: House) {
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        ann.blocks("bob").await.expect_ok();
        let before = sight(&ann, &[], &[]).await;
        let group = json!({"_id": "one", "roomType": "group", "name": "One", "invitee": ["ann", "cid"]});
        bob.post("/rooms/createAndJoin", group).await.expect_ok();
        assert_eq!(bob.sees_members("one").await, ["bob", "cid"]);
        bob.post("/rooms/createAndJoin", json!({"_id": "two", "roomType": "group", "invitee": "ann"})).await.expect_ok();
        assert_eq!(bob.sees_members("two").await, ["bob"]);
        bob.post("/rooms", json!({"_id": "three", "roomType": "group", "members": ["ann", "cid"]})).await.expect_ok();
        assert_eq!(cid.sees_members("three").await, ["cid"]);
        bob.invites("one", ["ann"]).await.expect_ok();
        bob.invites("two", ["ann", "cid"]).await.expect_ok();
        assert_eq!(bob.sees_members("one").await, ["bob", "cid"]);
        assert_eq!(bob.sees_members("two").await, ["bob", "cid"]);
        expect_same(&before, &sight(&ann, &[], &[]).await);
        // Somebody else may: groups are unaffected by a block.
        cid.invites("one", ["ann"]).await.expect_ok();
        assert_eq!(bob.sees_members("one").await, ["ann", "bob", "cid"]);
    }

    async fn l_09_a_user_group_does_not_carry_the_blocker_either(house: House) {
        let [ann, bob, _] = house.users(["ann", "bob", "cid"]).await;
        let group = json!({"_id": "crew", "nickname": "Crew", "members": ["ann", "cid"]});
        house.platform().post("/admin/groups", group).await.expect_ok();
        ann.blocks("bob").await.expect_ok();
        let before = sight(&ann, &[], &[]).await;
        bob.post("/rooms/createAndJoin", json!({"_id": "den", "roomType": "group", "invitee": ["crew"]})).await;
        bob.invites("den", ["crew"]).await;
        bob.says("den", "hello").await;
        expect_same(&before, &sight(&ann, &[], &["hello"]).await.into_iter().filter(|(path, _)| before.contains_key(path)).collect());
    }

    async fn l_11_how_far_one_has_read_stays_with_him(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let of_bob = bob.said(&room, "read me").await;
        let of_ann = ann.said(&room, "read me too").await;
        ann.blocks("bob").await.expect_ok();
        let seen_by = [sight(&bob, &[&room], &[]).await, sight(&ann, &[&room], &[]).await];
        let ann_before = ann.room(&room).await.expect_ok()["unread"].clone();
        ann.marks_read(&room, &of_ann).await.expect_ok();
        ann.marks_read(&room, &of_bob).await.expect_ok();
        expect_same(&seen_by[0], &sight(&bob, &[&room], &[]).await);
        assert_eq!(ann.unread(&room).await, 0, "his own mark moves: it was {ann_before}");
        let before = properties_of(&ann.room(&room).await.expect_ok(), "bob");
        bob.marks_read(&room, &of_ann).await.expect_ok();
        assert_eq!(properties_of(&ann.room(&room).await.expect_ok(), "bob"), before);
        assert_eq!(bob.unread(&room).await, 0);
    }

    async fn l_12_l_13_no_field_tells_of_a_block(house: House) {
        let room = house.direct("ann", "bob").await;
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.said(&room, "dear bob").await;
        ann.said("den", "dear all").await;
        let rooms = [room.as_str(), "den"];
        let before = sight(&bob, &rooms, &["dear", "ann"]).await;
        ann.blocks("bob").await.expect_ok();
        expect_same(&before, &sight(&bob, &rooms, &["dear", "ann"]).await);
        ann.unblocks("bob").await.expect_ok();
        expect_same(&before, &sight(&bob, &rooms, &["dear", "ann"]).await);
        ann.blocks("bob").await.expect_ok();
        let change = json!({"_id": "ann", "nickname": "Anna", "description": "new"});
        house.platform().post("/admin/clients", change).await.expect_ok();
        let seen = bob.room(&room).await.expect_ok().to_string();
        assert!(seen.contains("Anna"), "a profile goes on as before: {seen}");
    }

    async fn l_14_l_15_l_17_nothing_refused_counts_shows_or_is_stored(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        bob.said(&room, "the last word").await;
        ann.blocks("bob").await.expect_ok();
        let [of_ann, of_bob] = [sight(&ann, &[&room], &["word"]).await, sight(&bob, &[&room], &["word"]).await];
        for _ in 0..3 {
            bob.says(&room, "one more word").await.expect_refused("USER_BLOCKED");
        }
        expect_same(&of_ann, &sight(&ann, &[&room], &["word"]).await);
        expect_same(&of_bob, &sight(&bob, &[&room], &["word"]).await);
        ann.unblocks("bob").await.expect_ok();
        assert_eq!((ann.unread(&room).await, ann.badge().await), (1, 1));
        let seen = ann.room(&room).await.expect_ok();
        assert_eq!(seen["lastMessage"]["message"], "the last word");
        let history = ann.reads(&room).await.expect_ok();
        assert_eq!((&history["totalCount"], history["data"].as_array().unwrap().len()), (&json!(1), 1));
    }

    async fn l_18_search_finds_nothing_refused_and_the_list_finds_the_blocked(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        bob.said(&room, "heron in spring").await;
        ann.blocks("bob").await.expect_ok();
        bob.says(&room, "heron in autumn").await.expect_refused("USER_BLOCKED");
        for side in [&ann, &bob] {
            let found = side.searches("heron").await.expect_ok();
            assert_eq!(found["messages"][0]["messages"].as_array().unwrap().len(), 1, "{found}");
        }
        assert_eq!(ann.get("/blockStatus/my?q=bo").await.expect_list().len(), 1);
    }

    async fn l_20_a_group_may_quote_the_blocked(house: House) {
        house.room("den").owner("cid").members(["ann", "bob"]).await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        ann.blocks("bob").await.expect_ok();
        let quoted = bob.said("den", "quote me").await;
        cid.sends("den", json!({"messageType": "text", "message": "indeed", "reply": quoted})).await.expect_ok();
        let last = &ann.reads("den").await.expect_list()[0];
        assert_eq!((&last["reply"]["_id"], &last["reply"]["message"]), (&json!(quoted), &json!("quote me")));
    }

    async fn l_21_every_token_and_every_key_speaks_for_the_same_bob(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, old] = house.users(["ann", "bob"]).await;
        let issued = house.platform().post("/admin/clients", json!({"_id": "bob", "issueAccessToken": true})).await.expect_ok();
        let second = house.bearer("bob", issued["token"].as_str().unwrap());
        ann.blocks("bob").await.expect_ok();
        let bound = json!({"_id": "bob", "token": format!("opaque-{}", house.keys().app)});
        house.platform().post("/admin/clients", bound.clone()).await.expect_ok();
        let third = house.bearer("bob", bound["token"].as_str().unwrap());
        for bob in [old, second, third] {
            bob.says(&room, "hello").await.expect_refused("USER_BLOCKED");
        }
        house.platform_for("bob").sends(&room, json!({"messageType": "text", "message": "x", "sender": "bob"})).await.expect_refused("USER_BLOCKED");
        // A robot is nobody's mouth.
        house.platform().post("/admin/clients", json!({"_id": "helper", "isRobot": true})).await.expect_ok();
        let help = json!({"room": room, "sender": "helper", "messageType": "text", "message": "may I help?"});
        house.platform().post("/messages", help).await.expect_ok();
        assert_eq!(house.said(&room).await, ["may I help?"]);
    }

    async fn l_07_the_blocked_brings_nobody_back(house: House) {
        let room = house.direct("ann", "bob").await;
        let second = json!({"_id": "second", "roomType": "direct", "members": ["ann", "bob"]});
        house.platform().post("/rooms", second.clone()).await.expect_ok();
        let [ann, bob] = house.users(["ann", "bob"]).await;
        for id in [room.as_str(), "second"] {
            ann.leaves(id).await.expect_ok();
        }
        ann.blocks("bob").await.expect_ok();
        let hers = ann.room_ids().await;
        for _ in 0..2 {
            bob.opens("ann").await.expect_ok();
            bob.post("/rooms/createAndJoin", json!({"_id": "second", "roomType": "direct", "invitee": "ann"})).await.expect_ok();
            assert_eq!(ann.room_ids().await, hers);
        }
    }

    async fn l_34_a_new_start_is_no_way_around(house: House) {
        let room = house.direct("ann", "bob").await;
        let ann = house.user("ann").await;
        ann.blocks("bob").await.expect_ok();
        house.platform().delete("/admin/clients/bob").await.expect_ok();
        let again = house.platform().post("/admin/clients", json!({"_id": "bob", "issueAccessToken": true})).await.expect_ok();
        let bob = house.bearer("bob", again["token"].as_str().unwrap());
        bob.post(&format!("/rooms/{room}/join"), json!({"systemMessage": true})).await;
        bob.says(&room, "hello").await.expect_refused("USER_BLOCKED");
        let all = ann.reads(&room).await.expect_list();
        assert!(all.is_empty(), "not even that he came: {all:?}");
    }

    async fn l_08_an_invitation_ends_with_a_block(house: House) {
        house.room("den").owner("ann").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.put("/rooms/den", json!({"opening": 0})).await.expect_ok();
        ann.post("/rooms/den/members", json!({"invitees": ["bob"], "invitationRequired": true})).await.expect_ok();
        ann.blocks("bob").await.expect_ok();
        bob.joins("den").await.expect_refused("ROOM_CLOSED");
        ann.unblocks("bob").await.expect_ok();
        bob.joins("den").await.expect_ok();
    }

    async fn l_25_nobody_reads_anothers_list(house: House) {
        let [ann, bob, eve] = house.users(["ann", "bob", "eve"]).await;
        ann.blocks("bob").await.expect_ok();
        for reader in [&bob, &eve] {
            for query in ["", "?user=ann", "?blocker=ann", "?client=ann", "?IM-CLIENT-ID=ann"] {
                let list = reader.clone().with_header("im-client-id", "ann").get(&format!("/blockStatus/my{query}")).await;
                assert_eq!(list.expect_list().len(), 0);
            }
        }
        assert_eq!(house.platform_for("ann").shuts_out().await, ["bob"]);
    }

    async fn l_27_r11_a_mutual_block_holds_until_both_are_lifted(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.blocks("bob").await.expect_ok();
        bob.blocks("ann").await.expect_ok();
        assert_eq!((ann.shuts_out().await, bob.shuts_out().await), (vec!["bob".to_owned()], vec!["ann".to_owned()]));
        ann.unblocks("bob").await.expect_ok();
        ann.says(&room, "hello").await.expect_refused("USER_BLOCKED");
        bob.says(&room, "hello").await.expect_refused("USER_BLOCKED");
        assert_eq!((ann.shuts_out().await.len(), bob.shuts_out().await.len()), (0, 1));
        bob.unblocks("ann").await.expect_ok();
        ann.said(&room, "hello").await;
        bob.said(&room, "hello").await;
    }

    async fn l_28_l_31_after_an_unblock_only_new_words_pass(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.blocks("bob").await.expect_ok();
        bob.says(&room, "held back").await.expect_refused("USER_BLOCKED");
        bob.says(&room, "held back").await.expect_refused("USER_BLOCKED");
        ann.unblocks("bob").await.expect_ok();
        assert_eq!(house.said(&room).await, [""; 0], "nothing floods in");
        bob.said(&room, "first").await;
        ann.said(&room, "second").await;
        assert_eq!(house.said(&room).await, ["first", "second"]);
    }

    async fn l_29_the_platform_speaks_into_a_blocked_room(house: House) {
        let room = house.direct("ann", "bob").await;
        house.user("ann").await.blocks("bob").await.expect_ok();
        let notice = json!({"room": room, "sender": "platform", "messageType": "announcement", "message": "a notice"});
        house.platform().post("/messages", notice).await.expect_ok();
        house.platform().says(&room, "another").await.expect_ok();
        assert_eq!(house.said(&room).await, ["a notice", "another"]);
    }

    async fn l_30_nor_does_the_blocker_bring_the_blocked_in(house: House) {
        // R-07 overrules the row: neither can bring the other into a group, and nobody is told.
        house.room("den").owner("ann").await;
        let ann = house.user("ann").await;
        house.user("bob").await;
        ann.blocks("bob").await.expect_ok();
        ann.invites("den", ["bob"]).await.expect_ok();
        assert_eq!(ann.sees_members("den").await, ["ann"]);
        house.platform().invites("den", ["bob"]).await.expect_ok();
        assert_eq!(ann.sees_members("den").await, ["ann", "bob"]);
    }

    async fn l_34_a_block_outlives_the_blocked(house: House) {
        let room = house.direct("ann", "bob").await;
        let ann = house.user("ann").await;
        ann.blocks("bob").await.expect_ok();
        house.platform().delete("/admin/clients/bob").await.expect_ok();
        assert_eq!(ann.shuts_out().await, ["bob"]);
        let again = json!({"_id": "bob", "nickname": "New Bob", "issueAccessToken": true});
        let token = house.platform().post("/admin/clients", again).await.expect_ok()["token"].as_str().unwrap().to_owned();
        let bob = house.bearer("bob", &token);
        assert_eq!(ann.my_blocks().await.expect_list()[0]["blockee"]["nickname"], "New Bob");
        let opened = bob.opens("ann").await.expect_ok()["_id"].as_str().unwrap().to_owned();
        for room in [&room, &opened] {
            bob.says(room, "hello").await.expect_some_refusal();
        }
        bob.says(&opened, "hello").await.expect_refused("USER_BLOCKED");
        assert_eq!(house.said(&room).await, [""; 0]);
    }

    async fn l_36_a_direct_room_never_becomes_a_group(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        ann.invites(&room, ["cid"]).await.expect_some_refusal();
        ann.blocks("bob").await.expect_ok();
        for side in [&ann, &bob] {
            side.invites(&room, ["cid"]).await.expect_refused("USER_BLOCKED");
            side.updates(&room, json!({"roomType": "group", "name": "x"})).await.expect_some_refusal();
        }
        cid.joins(&room).await.expect_some_refusal();
        house.platform().updates(&room, json!({"roomType": "group"})).await;
        bob.says(&room, "hello").await.expect_refused("USER_BLOCKED");
        assert_eq!(ann.sees_members(&room).await, ["ann", "bob"]);
        assert_eq!(ann.room(&room).await.expect_ok()["roomType"], "direct");
    }

    async fn l_39_no_object_says_who_blocks_whom(house: House) {
        let room = house.direct("ann", "bob").await;
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.said(&room, "word").await;
        ann.blocks("bob").await.expect_ok();
        for (path, seen) in sight(&bob, &[&room, "den"], &["word", "ann"]).await {
            let mut found = Vec::new();
            keys(&serde_json::from_str(seen.split_once(' ').unwrap().1).unwrap(), &mut found);
            let own = ["didBlockAt", "didBlockAtMS", "wasBlockedAt", "wasBlockedAtMS"];
            found.retain(|key| key.to_lowercase().contains("block") && !own.contains(&key.as_str()));
            assert_eq!(found, [""; 0], "{path}");
        }
    }

    async fn t_4_refused_acts_leave_no_trace(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let message = ann.said(&room, "hello").await;
        ann.blocks("bob").await.expect_ok();
        let before = sight(&ann, &[&room], &["hello"]).await;
        let by_platform = sight(&house.platform(), &[&room], &["hello"]).await;
        for refused in [
            bob.says(&room, "hello").await,
            bob.edits(&room, &message, "x").await,
            bob.recalls(&room, &message).await,
            bob.erases(&room, &message).await,
            bob.pins(&message).await,
            bob.reacts(&message, "x").await,
            bob.invites(&room, ["ann"]).await,
            bob.updates(&room, json!({"name": "mine"})).await,
            bob.updates(&room, json!({"status": 0})).await,
            bob.sets(&room, "bob", "score", 1).await,
            bob.sets(&room, "ann", "role", "admin").await,
            bob.removes(&room, ["ann"]).await,
            bob.delete(&format!("/rooms/{room}")).await,
        ] {
            refused.expect_some_refusal();
        }
        expect_same(&before, &sight(&ann, &[&room], &["hello"]).await);
        expect_same(&by_platform, &sight(&house.platform(), &[&room], &["hello"]).await);
    }
}

/// What a room says about one member's reading.
fn properties_of(room: &Value, user: &str) -> Value {
    let all = room["memberProperties"].as_array().unwrap_or_else(|| panic!("no memberProperties: {room}"));
    all.iter().find(|one| one["client"] == user).cloned().unwrap_or_default()
}
