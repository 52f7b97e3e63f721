//! What is said, changed, taken back and read again.

use futures_util::future::join_all;
use serde_json::{Value, json};

use banter_server::ServeSettings;

use crate::common::{Caller, House};
use crate::host::another_door;
use crate::shape::{expect_documented, expect_time, expect_whole};

/// The den with Ann as owner and Bob.
async fn den(house: &House) -> [Caller; 2] {
    house.room("den").owner("ann").members(["bob"]).await;
    house.users(["ann", "bob"]).await
}

fn ids(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|message| message["_id"].as_str().unwrap()).collect()
}

/// Edits a message, and returns when that was, milliseconds.
async fn edited_ms(by: &Caller, message: &str) -> i64 {
    by.edits("den", message, "changed").await.expect_ok();
    by.get(&format!("/rooms/den/messages/v3?limit=1&beforeMessage={message}")).await.expect_list()[0]["updatedAtMS"]
        .as_i64()
        .unwrap()
}

each_store! {
    async fn a_message_comes_back_whole(house: House) {
        let [_, bob] = den(&house).await;
        let sent = bob.says("den", "hello").await.expect_ok();
        assert_eq!((&sent["_id"], &sent["room"], &sent["messageType"], &sent["message"]), (&sent["id"], &json!("den"), &json!("text"), &json!("hello")));
        assert_eq!(sent["_id"].as_str().map(str::len), Some(24));
        assert_eq!((&sent["sender"]["_id"], &sent["sender"]["nickname"], &sent["appID"]), (&json!("bob"), &json!("Bob"), &json!(house.keys().app)));
        for (text, ms) in [("messageTime", "messageTimeMS"), ("createdAt", "createdAtMS"), ("updatedAt", "updatedAtMS")] {
            assert_eq!(expect_time(&sent[text]), expect_whole(&sent[ms]));
        }
        assert_eq!((&sent["reactions"], &sent["reactionCount"], &sent["pinned"], &sent["isPined"]), (&json!([]), &json!(0), &json!(false), &json!(false)));
        assert!(sent.get("data").is_none());
        let page = bob.reads("den").await.expect_ok();
        assert_eq!((&page["totalCount"], &page["userDeletedIDs"], &page["data"][0]), (&json!(1), &json!([]), &sent));
    }

    async fn what_is_not_a_messages_own_is_dropped(house: House) {
        let [_, bob] = den(&house).await;
        let sent = bob.sends("den", json!({
            "roomId": "elsewhere", "room": "elsewhere", "id": "x", "video": {"u": "data:"}, "files": [1], "sender": "ann", "force": true,
            "messageType": "video", "message": "", "originalUrl": "https://f.example/v", "thumbnailUrl": "t", "width": 1, "height": 2, "duration": 3.5,
            "extra": "{\"a\":1}",
        })).await.expect_ok();
        for dropped in ["roomId", "video", "files", "force", "data"] {
            assert!(sent.get(dropped).is_none(), "{dropped}: {sent}");
        }
        assert_eq!((&sent["room"], &sent["sender"]["_id"]), (&json!("den"), &json!("bob")));
        assert_eq!((&sent["originalUrl"], &sent["width"], &sent["duration"], &sent["extra"]), (&json!("https://f.example/v"), &json!(1), &json!(3.5), &json!("{\"a\":1}")));
        let number = bob.sends("den", json!({"messageType": "text", "message": 1111234})).await.expect_ok();
        assert_eq!(number["message"], "1111234", "clients read a text");
        let custom = bob.sends("den", json!({"messageType": "poll", "message": {"q": 1}, "extra": {"b": [1]}})).await.expect_ok();
        assert_eq!((&custom["message"], &custom["extra"]), (&json!({"q": 1}), &json!({"b": [1]})));
        for system in ["joinRoom", "addMember", "deleteMember", "addMembers", "leaveRoom", "assignAdmin"] {
            bob.sends("den", json!({"messageType": system, "message": "x"})).await.expect_error(400, "INVALID_MESSAGE_FORMAT");
        }
    }

    async fn each_type_carries_what_it_is_drawn_from(house: House) {
        let [_, bob] = den(&house).await;
        let platform = house.platform();
        for kind in ["image", "mixed", "sticker", "video", "audio", "file", "location", "template", "flex", "line", "payment"] {
            let bare = json!({"messageType": kind, "message": "x", "images": [], "latitude": 1});
            let refused = bob.sends("den", bare.clone()).await;
            refused.expect_error_saying(400, "Invalid parameters", "INVALID_MESSAGE_FORMAT", "Message content or type is invalid");
            let with = |more: Value| {
                let mut all = bare.clone();
                all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                all
            };
            platform.post("/messages", with(json!({"room": "den", "sender": "bob"}))).await.expect_error(400, "INVALID_MESSAGE_FORMAT");
            platform.post("/messages/batch", with(json!({"sender": "bob", "paras": [{"room": "den"}]}))).await.expect_error(400, "INVALID_MESSAGE_FORMAT");
        }
        // As the clients send them.
        for body in [
            json!({"messageType": "image", "images": [{"originalUrl": "u", "thumbnailUrl": "t", "width": 1, "height": 1}]}),
            json!({"messageType": "image", "originalUrl": "u", "thumbnailUrl": "t", "width": 1, "height": 1}),
            json!({"messageType": "file", "originalUrl": "u", "extra": "{\"fileName\":\"a.txt\"}"}),
            json!({"messageType": "audio", "originalUrl": "u", "duration": 2, "extra": {"mimeType": "audio/mp4"}}),
            json!({"messageType": "sticker", "sticker": "FunFunFamily-3"}),
            json!({"messageType": "location", "message": "Taipei", "latitude": 25.03, "longitude": 121.56}),
        ] {
            bob.sends("den", body).await.expect_ok();
        }
        let picture = bob.sends("den", json!({"messageType": "image", "originalUrl": "u"})).await.expect_ok();
        let edited = bob.edits("den", picture["_id"].as_str().unwrap(), "words for it").await.expect_ok();
        assert_eq!((&edited["messageType"], &edited["message"]), (&json!("image"), &json!("words for it")));
    }

    async fn those_who_speak_at_once_are_judged_one_by_one(house: House) {
        house.room("den").owner("ann").members(["bob", "mia", "max"]).await;
        let [ann, bob, mia, max, out] = house.users(["ann", "bob", "mia", "max", "out"]).await;
        ann.bans("den", "max").await.expect_ok();
        ann.said("den", "first").await;
        let all = [&bob, &mia, &max, &out];
        let talk = (0..40).map(|number| async move {
            let (who, text) = (number % 4, format!("{number:02}"));
            let words = match number {
                8 => json!({"messageType": "text", "message": text, "mentions": ["ann"]}),
                9 => json!({"messageType": "text", "message": text, "reply": "0123456789abcdef01234567"}),
                _ => json!({"messageType": "text", "message": text}),
            };
            (who, text, all[who].sends("den", words).await)
        });
        let mut told = Vec::new();
        for (who, text, answer) in join_all(talk).await {
            match who {
                2 => answer.expect_refused("USER_BANNED"),
                3 => answer.expect_refused("NOT_ROOM_MEMBER"),
                _ => {
                    let sent = answer.expect_ok();
                    assert_eq!((&sent["message"], &sent["sender"]["_id"]), (&json!(text), &json!(["bob", "mia"][who])));
                    told.push((sent["_id"].clone(), sent["createdAtMS"].clone(), text));
                }
            }
        }
        assert_eq!(told.len(), 20);
        let page = ann.reads("den").await.expect_ok();
        let kept = page["data"].as_array().unwrap();
        for (id, at, text) in &told {
            let kept = kept.iter().find(|kept| kept["_id"] == *id).expect(text);
            assert_eq!((&kept["message"], &kept["createdAtMS"]), (&json!(text), at));
        }
        assert_eq!(page["totalCount"], 21);
        let said = house.said("den").await;
        assert_eq!((said.len(), said[0].as_str()), (21, "first"));
        // Each has read up to his own last word, and who said nothing nothing.
        let after = |of: usize| said.iter().rev().take_while(|text| text.parse::<usize>().is_ok_and(|n| n % 4 != of)).count();
        assert_eq!((bob.unread("den").await, mia.unread("den").await), (after(0) as i64, after(1) as i64));
        assert_eq!((ann.unread("den").await, max.unread("den").await), (20, 21));
        assert_eq!(ann.room("den").await.expect_ok()["isMentioned"], true);
        // A room that is not there is nobody else's trouble.
        let [there, nowhere] = futures_util::future::join(mia.says("den", "here"), mia.says("nowhere", "here")).await.into();
        there.expect_ok();
        nowhere.expect_refused("NOT_ROOM_MEMBER");
    }

    async fn a_reply_brings_what_it_answers(house: House) {
        let [ann, bob] = den(&house).await;
        let first = bob.said("den", "first").await;
        let second = ann.sends("den", json!({"messageType": "text", "message": "second", "reply": first})).await.expect_ok();
        let third = bob.sends("den", json!({"messageType": "text", "message": "third", "reply": second["_id"]})).await.expect_ok();
        assert_eq!((&third["reply"]["message"], &third["reply"]["sender"]["_id"], &third["reply"]["messageType"]), (&json!("second"), &json!("ann"), &json!("text")));
        assert!(third["reply"]["reply"].is_null() || third["reply"].get("reply").is_none(), "one level deep: {third}");
        let lost = bob.sends("den", json!({"messageType": "text", "message": "x", "reply": "0123456789abcdef01234567"})).await;
        assert!(lost.status >= 400 || lost.expect_ok().get("reply").is_none(), "nothing is made up: {lost}");
    }

    async fn a_message_is_edited_by_its_author(house: House) {
        let [ann, bob] = den(&house).await;
        let id = bob.said("den", "helo").await;
        ann.said("den", "later").await;
        let edited = bob.edits("den", &id, "hello").await.expect_ok();
        assert_eq!((&edited["_id"], &edited["message"], &edited["messageType"]), (&json!(id), &json!("hello"), &json!("text")));
        assert!(expect_time(&edited["editedAt"]) >= expect_time(&edited["createdAt"]));
        assert_eq!(house.said("den").await, ["hello", "later"], "it keeps its place");
        ann.edits("den", &id, "x").await.expect_refused("INSUFFICIENT_PERMISSIONS");
        house.platform().edits("den", &id, "by the platform").await.expect_ok();
        bob.edits("den", "0123456789abcdef01234567", "x").await.expect_error(404, "MESSAGE_NOT_FOUND");
        house.room("hall").owner("bob").await;
        bob.edits("hall", &id, "x").await.expect_error(404, "MESSAGE_NOT_FOUND");
    }

    async fn a_message_is_taken_back(house: House) {
        let [ann, bob] = den(&house).await;
        let picture = json!({"messageType": "image", "message": "look", "originalUrl": "https://f.example/p", "images": [{"originalUrl": "https://f.example/p"}]});
        let id = bob.sends("den", picture).await.expect_ok()["_id"].as_str().unwrap().to_owned();
        let answer = bob.recalls("den", &id).await;
        expect_documented(&answer, "recall-a-message");
        let recalled = answer.expect_ok();
        assert_eq!((&recalled["_id"], &recalled["messageType"], &recalled["message"]), (&json!(id), &json!("recall"), &json!("")));
        assert!(!recalled.to_string().contains("f.example"), "its picture is gone: {recalled}");
        let other = bob.said("den", "by bob").await;
        let by_owner = ann.recalls("den", &other).await.expect_ok();
        assert_eq!(by_owner["sender"]["_id"], "ann", "who took it back");
        let hers = ann.said("den", "by ann").await;
        bob.recalls("den", &hers).await.expect_refused("INSUFFICIENT_PERMISSIONS");
        house.platform().recalls("den", &hers).await.expect_ok();
    }

    async fn a_message_is_deleted_for_all(house: House) {
        let [ann, bob] = den(&house).await;
        let first = bob.said("den", "first").await;
        let second = bob.said("den", "second").await;
        assert_eq!(ann.unread("den").await, 2);
        let answer = ann.erases("den", &second).await;
        let deleted = answer.expect_ok_saying("Message deleted successfully");
        expect_documented(&answer, "delete-a-message");
        assert_eq!((&deleted["deletedCount"], &deleted["roomID"], &deleted["messageID"], &deleted["deletedBy"]), (&json!(1), &json!("den"), &json!(second), &json!("ann")));
        let room = ann.room("den").await.expect_ok();
        assert_eq!((&room["lastMessage"]["_id"], &room["unread"]), (&json!(first), &json!(1)));
        ann.erases("den", &second).await.expect_error_saying(404, "Message not found", "MESSAGE_NOT_FOUND", "The specified message does not exist in this room");
        bob.erases("den", &first).await.expect_error_saying(
            403, "Permission denied", "INSUFFICIENT_PERMISSION", "Only platform admin, room owner or room manager can delete messages");
        bob.said("den", "third").await;
        let answer = house.platform().erases("den", "_all").await;
        assert_eq!(answer.expect_ok_saying("All messages deleted successfully")["deletedCount"], 2);
        expect_documented(&answer, "delete-a-message-delete-all-messages");
        assert_eq!(ann.reads("den").await.expect_ok()["totalCount"], 0);
        assert_eq!(ann.unread("den").await, 0);
        assert!(ann.room("den").await.expect_ok()["lastMessage"].is_null());
    }

    async fn one_message_of_a_room_is_pinned(house: House) {
        let [ann, bob] = den(&house).await;
        let first = bob.said("den", "first").await;
        let second = bob.said("den", "second").await;
        expect_documented(&ann.pins(&first).await, "pin-a-message");
        let pinned = ann.pins(&second).await.expect_ok();
        assert_eq!((&pinned["pinned"], &pinned["isPined"]), (&json!(true), &json!(true)));
        let marks: Vec<_> = ann.reads("den").await.expect_list().iter().map(|message| message["pinned"].clone()).collect();
        assert_eq!(marks, [true, false], "pinning replaces");
        bob.pins(&first).await.expect_error(403, "INSUFFICIENT_PERMISSION");
        let answer = house.platform().unpins(&second).await;
        expect_documented(&answer, "unpin-a-message");
        assert_eq!(answer.expect_ok()["pinned"], false);
        ann.pins("0123456789abcdef01234567").await.expect_error(404, "MESSAGE_NOT_FOUND");
    }

    async fn a_reaction_that_is_none_is_refused(house: House) {
        let [_, bob] = den(&house).await;
        let message = bob.said("den", "hello").await;
        for bad in ["x".repeat(65), String::new(), "a\u{7}".to_owned()] {
            bob.reacts(&message, &bad).await.expect_error(400, "INVALID_BODY");
            bob.unreacts(&message, &bad).await.expect_error(400, "INVALID_QUERY");
        }
        bob.delete(&format!("/messages/{message}/reaction")).await.expect_error(400, "MISSING_PARAMETER");
    }

    async fn reactions_are_a_set(house: House) {
        let [ann, bob] = den(&house).await;
        let id = bob.said("den", "react").await;
        ann.reacts(&id, "👍").await.expect_ok();
        ann.reacts(&id, "👍").await.expect_ok();
        bob.reacts(&id, "🎉").await.expect_ok();
        let both = ann.reacts(&id, "🎉").await.expect_ok();
        assert_eq!(both["reactions"], json!([{"client": "ann", "reaction": "👍"}, {"client": "bob", "reaction": "🎉"}, {"client": "ann", "reaction": "🎉"}]));
        assert_eq!(both["reactionCount"], 3);
        let fewer = ann.unreacts(&id, "👍").await.expect_ok();
        assert_eq!(fewer["reactionCount"], 2);
        ann.unreacts(&id, "👍").await.expect_ok();
        house.user("eve").await.reacts(&id, "x").await.expect_some_refusal();
    }

    async fn an_outsider_learns_of_no_message_by_its_id(house: House) {
        let [ann, bob] = den(&house).await;
        let id = bob.said("den", "hello").await;
        house.room("den2").owner("ann").members(["cid"]).await;
        let [eve, cid, dan] = house.users(["eve", "cid", "dan"]).await;
        ann.bans("den", "dan").await.expect_ok();
        let nowhere = "0123456789abcdef01234567";
        for outsider in [&eve, &cid, &dan] {
            for of in [id.as_str(), nowhere] {
                for answer in [
                    outsider.reacts(of, "x").await, outsider.unreacts(of, "x").await, outsider.pins(of).await, outsider.unpins(of).await,
                    outsider.posts(&format!("/messages/{of}/hidden")).await, outsider.delete(&format!("/messages/{of}/hidden")).await,
                ] {
                    answer.expect_error_saying(404, "Message not found", "MESSAGE_NOT_FOUND", "The specified message does not exist in this room");
                }
            }
        }
        bob.pins(&id).await.expect_error(403, "INSUFFICIENT_PERMISSION");
    }

    async fn pages_begin_with_their_anchor(house: House) {
        let [_, bob] = den(&house).await;
        house.platform().post("/admin/clients", json!({"_id": "bob", "description": "likes ladders"})).await.expect_ok();
        let mut all = Vec::new();
        for number in 0..9 {
            all.push(bob.said("den", &number.to_string()).await);
        }
        let page = async |query: String| bob.get(&format!("/rooms/den/messages/v3?{query}")).await.expect_ok();
        let newest = page("limit=3".to_owned()).await;
        assert_eq!((ids(&newest), &newest["totalCount"]), (vec![&*all[8], &all[7], &all[6]], &json!(9)));
        assert_eq!(ids(&page(format!("limit=3&beforeMessage={}&sortOrder=desc", all[6])).await), [&*all[6], &all[5], &all[4]]);
        assert_eq!(ids(&page(format!("limit=3&beforeMessage={}", all[1])).await), [&*all[1], &all[0]]);
        assert_eq!(ids(&page(format!("limit=3&afterMessage={}&sortOrder=asc", all[2])).await), [&*all[2], &all[3], &all[4]]);
        assert_eq!(ids(&page("limit=2&sortOrder=asc".to_owned()).await), [&*all[0], &all[1]]);
        assert_eq!(page(String::new()).await["data"].as_array().unwrap().len(), 9, "20 without a limit");
        let gone = "0123456789abcdef01234567";
        assert!([200, 400, 404].contains(&bob.get(&format!("/rooms/den/messages/v3?beforeMessage={gone}")).await.status));
        bob.get("/rooms/den/messages/v3?beforeMessage=x").await.expect_some_refusal();
        expect_documented(&bob.get("/rooms/den/messages/v3?limit=50").await, "list-messages");
    }

    async fn what_changed_since_is_found(house: House) {
        let [_, bob] = den(&house).await;
        let old = bob.said("den", "old").await;
        let new = bob.said("den", "new").await;
        let seen = bob.reads("den").await.expect_list()[0]["updatedAtMS"].as_i64().unwrap();
        bob.edits("den", &old, "edited").await.expect_ok();
        let page = bob.get("/rooms/den/messages/v3?afterTime=0").await.expect_ok();
        assert_eq!(ids(&page), [&*new, &old]);
        let page = bob.get(&format!("/rooms/den/messages/v3?afterTime={}&timeRangeField=updatedAt", seen - 1)).await.expect_ok();
        assert!(ids(&page).contains(&&*old), "an edit is found by its time");
        let none = bob.get("/rooms/den/messages/v3?afterTime=2999-01-01T00:00:00Z").await.expect_ok();
        assert_eq!(none["data"], json!([]));
        for bad in ["afterTime=x", "limit=0", "limit=-1", "limit=x", "timeRangeField=x", "sortOrder=x"] {
            bob.get(&format!("/rooms/den/messages/v3?{bad}")).await.expect_error(400, "INVALID_QUERY");
        }
    }

    async fn what_changed_and_what_is_new_fill_one_page(house: House) {
        let [_, bob] = den(&house).await;
        let mut all = Vec::new();
        for number in 0..6 {
            all.push(bob.said("den", &number.to_string()).await);
        }
        // All were stored before the moment that is asked for, and some change after it.
        let stored = bob.reads("den").await.expect_list()[0]["createdAtMS"].as_i64().unwrap();
        let mut since = stored;
        while since <= stored {
            since = edited_ms(&bob, &all[3]).await - 1;
        }
        for message in [&all[1], &all[0]] {
            bob.edits("den", message, "changed").await.expect_ok();
        }
        let new = bob.said("den", "new").await;
        let page = async |query: &str| {
            let query = format!("afterTime={since}&{query}");
            let page = bob.get(&format!("/rooms/den/messages/v3?{query}")).await.expect_ok();
            ids(&page).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let changed = "timeRangeField=updatedAt";
        assert_eq!(page(changed).await, [&*new, &all[3], &all[1], &all[0]]);
        assert_eq!(page(&format!("{changed}&sortOrder=asc")).await, [&*all[0], &all[1], &all[3], &new]);
        assert_eq!(page(&format!("{changed}&limit=3")).await, [&*new, &all[3], &all[1]]);
        assert_eq!(page(&format!("{changed}&limit=3&sortOrder=asc")).await, [&*all[0], &all[1], &all[3]]);
        assert_eq!(page(&format!("{changed}&limit=2&beforeMessage={}", all[3])).await, [&*all[3], &all[1]]);
        assert_eq!(page(&format!("{changed}&limit=1&afterMessage={}&sortOrder=asc", all[1])).await, [&*all[1]]);
        for stored in ["timeRangeField=createdAt", "timeRangeField=messageTime"] {
            assert_eq!(page(stored).await, [&*new], "{stored}");
        }
    }

    async fn only_members_read_and_write(house: House) {
        den(&house).await;
        let eve = house.user("eve").await;
        for room in ["den", "nowhere"] {
            eve.says(room, "x").await.expect_error_saying(403, "Forbidden", "NOT_ROOM_MEMBER", "Client is not in the room or room does not exist");
        }
        eve.reads("den").await.expect_error_saying(403, "Forbidden", "NOT_ROOM_MEMBER", "Client is not in the room or room does not exist");
        eve.reads("nowhere").await.expect_error_saying(404, "Room not found", "ROOM_NOT_FOUND", "The specified room does not exist");
        house.user("bob").await.sends("den", json!({"messageType": 7, "message": "x"})).await.expect_some_refusal();
        house.user("bob").await.sends("den", json!({"messageType": "text"})).await.expect_error(400, "INVALID_MESSAGE_FORMAT");
    }

    async fn the_platform_speaks_for_others(house: House) {
        den(&house).await;
        house.user("system").await;
        let body = json!({"room": "den", "sender": "system", "message": "welcome", "messageType": "text", "push": false, "skipTotalBadge": false});
        let answer = house.platform().post("/messages", body.clone()).await;
        expect_documented(&answer, "send-a-message");
        assert_eq!(answer.expect_ok()["sender"], "system");
        for (field, value, status, code) in [
            ("room", "nowhere", 404, "ROOM_NOT_FOUND"),
            ("sender", "ghost", 404, "USER_NOT_FOUND"),
        ] {
            let mut bad = body.clone();
            bad[field] = json!(value);
            house.platform().post("/messages", bad).await.expect_error(status, code);
        }
        for missing in ["room", "sender", "message", "messageType"] {
            let mut bad = body.clone();
            bad.as_object_mut().unwrap().remove(missing);
            house.platform().post("/messages", bad).await.expect_some_refusal();
        }
        // The platform in its own name.
        let own = house.platform().says("den", "from above").await.expect_ok();
        assert_eq!(own["sender"]["_id"], "platform");
    }

    async fn a_batch_is_only_so_large_in_all(house: House) {
        den(&house).await;
        let paras = |many: usize| (0..many).map(|n| json!({"receiver": format!("user{n}")})).collect::<Vec<_>>();
        for field in ["contents", "template", "extra"] {
            let mut batch = json!({"sender": "bob", "messageType": "custom", "message": "x", "paras": paras(500)});
            batch[field] = json!({"text": "x".repeat(200_000)});
            let (_, why) = house.platform().post("/messages/batch", batch).await.expect_error(400, "INVALID_BODY");
            assert!(why.contains("64 MiB"), "{why}");
        }
    }

    async fn a_batch_goes_to_many(house: House) {
        den(&house).await;
        house.users(["cid", "dan", "system"]).await;
        let body = json!({
            "messageType": "text", "message": "Dear $name$, $what$", "sender": "system", "extra": {"to": "$name$"}, "push": true,
            "paras": [{"receiver": "cid", "$name$": "Cid", "$what$": "hi"}, {"room": "den", "receiver": "dan", "$name$": "all", "$what$": "$name$"}],
        });
        let answer = house.platform().post("/messages/batch", body).await;
        expect_documented(&answer, "batch-send-messages");
        let done = answer.expect_ok();
        assert_eq!((&done["count"], &done["refused"]), (&json!(2), &json!(0)));
        assert_eq!(house.said("den").await, ["Dear all, $name$"], "what was filled in is not filled again");
        let cid = house.user("cid").await;
        let rooms = cid.rooms().await.expect_list();
        assert_eq!((&rooms[0]["lastMessage"]["message"], &rooms[0]["roomType"]), (&json!("Dear Cid, hi"), &json!("direct")));
        assert_eq!(rooms[0]["lastMessage"]["extra"], json!({"to": "Cid"}));
        house.platform().post("/messages/batch", json!({"message": "x"})).await.expect_some_refusal();
        // A user writes to his own rooms, as himself.
        let bob = house.user("bob").await;
        house.room("hall").owner("ann").await;
        let own = json!({"messageType": "text", "message": "news", "sender": "ann", "paras": [{"room": "den"}, {"room": "hall"}]});
        let done = bob.post("/messages/batch", own).await.expect_ok();
        assert_eq!((&done["count"], &done["refused"]), (&json!(2), &json!(1)));
        let last = &bob.reads("den").await.expect_list()[0];
        assert_eq!((&last["message"], &last["sender"]["_id"]), (&json!("news"), &json!("bob")));
        assert_eq!(house.said("hall").await, [""; 0]);
    }

    async fn whom_a_batch_refuses_is_counted(house: House) {
        den(&house).await;
        house.user("ann").await.bans("den", "bob").await.expect_ok();
        let door = another_door(&house, ServeSettings::default()).await;
        let words = json!({"messageType": "text", "message": "x", "sender": "bob", "paras": [{"room": "den"}]});
        assert_eq!(door.platform().post("/messages/batch", words).await.expect_ok()["refused"], 1);
        let metrics = String::from_utf8(door.nobody().get("/metrics").await.bytes).expect("a text");
        assert!(metrics.contains("banter_refusals_total{reason=\"USER_BANNED\"} 1\n"), "{metrics}");
    }

    async fn where_only_the_platform_calls_it_acts_for_nobody(house: House) {
        den(&house).await;
        let words = json!({"room": "den", "messageType": "text", "message": "x", "sender": "bob"});
        for whom in ["ann", "nobody", "a/b"] {
            let platform = house.platform().with_header("im-client-id", whom);
            assert_eq!(platform.post("/messages", words.clone()).await.expect_ok()["sender"], "bob");
        }
    }

    async fn a_batch_is_masked_as_it_is_read(house: House) {
        den(&house).await;
        house.platform().post("/config", json!({"censorship": {"keywords": ["name", "darn"]}})).await.expect_ok();
        let body = json!({
            "messageType": "template", "message": "Hi $name$, your name is $d$n", "extra": {"to": "$name$"},
            "template": {"text": "darn it"}, "paras": [{"room": "den", "$name$": "darn Bob", "$d$": "dar"}],
        });
        house.platform().post("/messages/batch", body).await.expect_ok();
        let message = &house.user("bob").await.reads("den").await.expect_list()[0];
        assert_eq!(message["message"], "Hi **** Bob, your **** is ****");
        assert_eq!((&message["extra"]["to"], &message["template"]["text"]), (&json!("darn Bob"), &json!("**** it")));
    }
}
