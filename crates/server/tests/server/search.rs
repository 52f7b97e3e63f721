//! Finding what was said, and rooms (R-24).

use serde_json::{Value, json};

use crate::common::{Caller, House, segment};
use crate::shape::expect_documented;

/// Rooms and words for every test here: Ann is in both, Bob in the den alone.
async fn library(house: &House) -> [Caller; 2] {
    house
        .room("den")
        .owner("ann")
        .members(["bob"])
        .with("roomTags", json!(["work"]))
        .with("description", "d")
        .with("cover", "c")
        .await;
    house.room("hall").owner("ann").with("roomTags", json!(["play"])).await;
    house.users(["ann", "bob"]).await
}

/// The messages found, by room, oldest first.
async fn found(seeker: &Caller, body: Value) -> Vec<(String, Vec<String>)> {
    let result = seeker.post("/search", body).await.expect_ok();
    let rooms = result["messages"].as_array().unwrap_or_else(|| panic!("messages is a list: {result}"));
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let mut found: Vec<_> = rooms
        .iter()
        .map(|one| (text(&one["room"]["_id"]), one["messages"].as_array().unwrap().iter().map(text).collect()))
        .collect();
    found.sort();
    found
}

fn messages(keyword: &str) -> Value {
    json!({"type": ["messages"], "keyword": keyword})
}

each_store! {
    async fn r24_latin_words_are_found_by_their_beginning(house: House) {
        let [ann, _] = library(&house).await;
        let id = ann.said("den", "The Crème brûlée at Zürich's café").await;
        for hit in ["creme", "CRÈME", "brul", "zurich", "cafe", "the", "creme caf", "caf the"] {
            assert_eq!(found(&ann, messages(hit)).await, [("den".to_owned(), vec![id.clone()])], "{hit}");
        }
        for miss in ["reme", "rulee", "thermal", "creme tea"] {
            assert_eq!(found(&ann, messages(miss)).await, [], "{miss}");
        }
    }

    async fn r24_chinese_japanese_and_korean_are_found_by_any_part(house: House) {
        let [ann, _] = library(&house).await;
        let one = ann.said("den", "明天下午兩點開會，請準時").await;
        let two = ann.said("den", "こんにちは世界").await;
        let three = ann.said("den", "안녕하세요 여러분").await;
        for (keyword, id) in [("開", &one), ("下午", &one), ("兩點開會", &one), ("準時", &one), ("世界", &two), ("にち", &two), ("녕하", &three), ("여러분", &three)] {
            assert_eq!(found(&ann, messages(keyword)).await, [("den".to_owned(), vec![id.clone()])], "{keyword}");
        }
        for miss in ["午下", "會開", "世間"] {
            assert_eq!(found(&ann, messages(miss)).await, [], "{miss}");
        }
    }

    async fn one_finds_only_in_his_own_rooms(house: House) {
        let [ann, bob] = library(&house).await;
        let first = ann.said("den", "heron one").await;
        let second = bob.said("den", "heron two").await;
        let hidden = ann.said("hall", "heron three").await;
        let both = vec![first, second];
        assert_eq!(found(&bob, messages("heron")).await, [("den".to_owned(), both.clone())]);
        assert_eq!(found(&ann, messages("heron")).await, [("den".to_owned(), both.clone()), ("hall".to_owned(), vec![hidden.clone()])]);
        assert_eq!(found(&house.user("eve").await, messages("heron")).await, []);
        let in_room = |room: &str| json!({"type": ["messages"], "keyword": "heron", "room": room});
        assert_eq!(found(&ann, in_room("hall")).await, [("hall".to_owned(), vec![hidden])]);
        let other = bob.post("/search", in_room("hall")).await;
        if other.status == 200 {
            assert_eq!(other.expect_ok()["messages"], json!([]));
        } else {
            other.expect_some_refusal();
        }
        let tagged = json!({"type": ["messages"], "keyword": "heron", "roomTags": ["work"]});
        assert_eq!(found(&ann, tagged).await, [("den".to_owned(), both)]);
        let tagged = json!({"type": ["messages"], "keyword": "heron", "roomTags": ["work", "play"]});
        assert_eq!(found(&ann, tagged).await, []);
    }

    async fn what_is_gone_is_not_found(house: House) {
        let [ann, bob] = library(&house).await;
        let recalled = bob.said("den", "heron recalled").await;
        let deleted = bob.said("den", "heron deleted").await;
        let edited = bob.said("den", "heron edited").await;
        let kept = bob.said("den", "heron kept").await;
        bob.recalls("den", &recalled).await.expect_ok();
        ann.erases("den", &deleted).await.expect_ok_saying("Message deleted successfully");
        bob.edits("den", &edited, "stork edited").await.expect_ok();
        assert_eq!(found(&bob, messages("heron")).await, [("den".to_owned(), vec![kept])]);
        assert_eq!(found(&bob, messages("stork")).await, [("den".to_owned(), vec![edited])]);
        house.room("den2").owner("ann").members(["bob"]).await;
        bob.said("den2", "heron left").await;
        bob.leaves("den2").await.expect_ok();
        assert_eq!(found(&bob, messages("left")).await, []);
    }

    async fn what_changes_after_it_was_found_is_found_as_it_is_now(house: House) {
        let [ann, bob] = library(&house).await;
        let id = bob.said("den", "heron edited").await;
        assert_eq!(found(&bob, messages("heron")).await, [("den".to_owned(), vec![id.clone()])]);
        bob.edits("den", &id, "stork edited").await.expect_ok();
        assert_eq!(found(&bob, messages("heron")).await, []);
        assert_eq!(found(&bob, messages("stork")).await, [("den".to_owned(), vec![id.clone()])]);
        // Changed before the index has seen it, and again after.
        let early = bob.said("den", "plover").await;
        bob.edits("den", &early, "dunlin").await.expect_ok();
        assert_eq!(found(&bob, messages("dunlin")).await, [("den".to_owned(), vec![early.clone()])]);
        bob.recalls("den", &early).await.expect_ok();
        for gone in ["plover", "dunlin"] {
            assert_eq!(found(&bob, messages(gone)).await, [], "{gone}");
        }
        // The newest messages go, and what comes after them is found all the same.
        bob.edits("den", &id, "heron again").await.expect_ok();
        ann.erases("den", "_all").await.expect_ok_saying("All messages deleted successfully");
        assert_eq!(found(&bob, messages("heron")).await, []);
        let after = bob.said("den", "crane after").await;
        assert_eq!(found(&bob, messages("crane")).await, [("den".to_owned(), vec![after])]);
        assert_eq!(found(&bob, messages("heron")).await, []);
    }

    async fn every_kind_asked_for_is_a_list(house: House) {
        let [ann, _] = library(&house).await;
        ann.said("den", "hello").await;
        ann.said("hall", "hello").await;
        let all = ["messages", "roomName", "roomMember", "roomTags", "roomPrefTags", "roomPrefFolder", "files"];
        let result = ann.post("/search", json!({"type": all, "keyword": "nothing here"})).await.expect_ok();
        for kind in all {
            assert_eq!(result[kind], json!([]), "{kind}");
        }
        let of = async |kind: &str, keyword: &str| {
            let result = ann.post("/search", json!({"type": [kind], "keyword": keyword})).await.expect_ok();
            assert_eq!(result.as_object().unwrap().len(), 1, "what was asked for and no other: {result}");
            let rooms = result[kind].as_array().unwrap().clone();
            for room in &rooms {
                assert!(room["members"][0]["_id"].is_string(), "a client reads the members: {room}");
            }
            let mut ids: Vec<String> = rooms.iter().map(|room| room["_id"].as_str().unwrap().to_owned()).collect();
            ids.sort();
            ids.join(" ")
        };
        assert_eq!(of("roomName", "DEN").await, "den");
        assert_eq!(of("roomMember", "bob").await, "den");
        assert_eq!(of("roomTags", "play").await, "hall");
        for (id, name) in [("jo", "José Ñandú"), ("lu", "Nandu Lu")] {
            house.platform().post("/admin/clients", json!({"_id": id, "nickname": name})).await.expect_ok();
            let room = json!({"_id": id, "name": name, "owner": "ann", "members": [id]});
            house.platform().post("/rooms", room).await.expect_ok();
        }
        for kind in ["roomName", "roomMember"] {
            for (keyword, found) in [("nan", "jo lu"), ("ñan", "jo lu"), ("JOSE", "jo"), ("osé", "jo"), ("lu", "lu")] {
                assert_eq!(of(kind, keyword).await, found, "{kind} {keyword}");
            }
        }
        expect_documented(&ann.post("/search", json!({"type": ["messages"], "keyword": "hello", "room": "den", "limit": 20})).await, "search-message");
    }

    async fn a_search_for_nothing_known_is_refused(house: House) {
        let [ann, _] = library(&house).await;
        for kind in [json!([]), json!(["everything"]), json!(["messages", "everything"])] {
            ann.post("/search", json!({"type": kind, "keyword": "x"})).await.expect_error_saying(
                400, "Invalid search parameters", "INVALID_SEARCH_TYPE", "Search type must include 'messages'");
        }
        ann.post("/search", json!({"type": ["messages"]})).await.expect_some_refusal();
        for limit in [json!(0), json!(-1), json!("x"), json!(1.5)] {
            ann.post("/search", json!({"type": ["messages"], "keyword": "x", "limit": limit})).await.expect_some_refusal();
        }
        // What means something to an index means nothing here.
        ann.said("den", "100% \"quoted\" AND (more) OR x* NEAR y").await;
        for odd in ["\"", "(", "*", "a OR b", "%", "_", "'", "x*", "NEAR", "-x", ":", "\\"] {
            ann.post("/search", messages(odd)).await.expect_ok();
        }
    }

    async fn the_older_lists_of_messages_find_by_a_keyword(house: House) {
        let [ann, bob] = library(&house).await;
        let texts = |list: &[Value]| list.iter().map(|one| one["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        for (writer, room, text) in [(&ann, "den", "heron one"), (&bob, "den", "a crane"), (&ann, "hall", "heron two"), (&bob, "den", "heron three")] {
            writer.said(room, text).await;
        }
        let asked = [
            (&ann, "/messages?q=heron", vec!["heron three", "heron two", "heron one"]),
            (&ann, "/messages?q=heron&limit=2", vec!["heron three", "heron two"]),
            (&ann, "/messages", vec!["heron three", "heron two", "a crane", "heron one"]),
            (&bob, "/messages?q=heron", vec!["heron three", "heron one"]),
            (&bob, "/rooms/den/messages?q=heron", vec!["heron three", "heron one"]),
            (&bob, "/rooms/den/messages?q=her%20one", vec!["heron one"]),
            (&bob, "/rooms/den/messages?q=stork", vec![]),
        ];
        for (reader, path, expected) in asked {
            let result = reader.get(path).await.expect_ok();
            let list = result["data"].as_array().unwrap();
            assert_eq!((texts(list), &result["totalCount"]), (expected.iter().map(ToString::to_string).collect(), &json!(expected.len())), "{path}");
        }
        let older = bob.get("/rooms/den/messages?sortOrder=asc&limit=2").await.expect_ok();
        assert_eq!(older, bob.get("/rooms/den/messages/v3?sortOrder=asc&limit=2").await.expect_ok());
        for path in ["/rooms/den/messages?q=heron", "/rooms/den/messages"] {
            house.user("eve").await.get(path).await.expect_error(403, "NOT_ROOM_MEMBER");
        }
        bob.get("/rooms/nowhere/messages?q=heron").await.expect_error(404, "ROOM_NOT_FOUND");
        for path in ["/messages", "/rooms/den/messages"] {
            bob.get(&format!("{path}?q=heron&limit=101")).await.expect_error(400, "INVALID_QUERY");
            bob.get(&format!("{path}?q={}", "x".repeat(4_097))).await.expect_error(400, "INVALID_QUERY");
        }
    }

    async fn a_long_message_is_found_like_a_short_one(house: House) {
        let [ann, _] = library(&house).await;
        let words: Vec<String> = (0..900).map(|number| format!("word{number}")).collect();
        let id = ann.said("den", &format!("{} heron", words.join(" "))).await;
        for hit in ["word0", "word899", "heron"] {
            assert_eq!(found(&ann, messages(hit)).await, [("den".to_owned(), vec![id.clone()])], "{hit}");
        }
    }

    async fn a_limit_bounds_what_is_found(house: House) {
        let [ann, _] = library(&house).await;
        for number in 0..6 {
            ann.said("den", &format!("heron {number}")).await;
        }
        let found = found(&ann, json!({"type": ["messages"], "keyword": "heron", "limit": 2})).await;
        assert_eq!(found.iter().map(|(_, ids)| ids.len()).sum::<usize>(), 2);
    }

    async fn more_rooms_than_are_looked_at_in_one_step_are_one_list_all_the_same(house: House) {
        let [ann, bob] = house.users(["ann", "bob"]).await;
        for number in 0..230 {
            let tags = if number % 23 == 0 { json!(["t", "u"]) } else { json!(["t"]) };
            house.room(&format!("r{number:03}")).owner("bob").members(["ann"]).with("roomTags", tags).await;
        }
        for number in [0, 115, 207, 229] {
            bob.said(&format!("r{number:03}"), "findable").await;
        }
        let found = found(&ann, messages("findable")).await;
        assert_eq!(found.iter().map(|(room, _)| room.as_str()).collect::<Vec<_>>(), ["r000", "r115", "r207", "r229"]);
        let query = format!("/rooms?limit=3&q={}", segment(r#"{"roomTags":"u"}"#));
        let page = ann.get(&query).await.expect_ok();
        assert_eq!(page["totalCount"], 10, "{page}");
        let ids: Vec<_> = page["data"].as_array().unwrap().iter().map(|room| room["_id"].as_str().unwrap()).collect();
        assert_eq!(&ids[..2], ["r207", "r115"], "the newest message first");
        assert_eq!(ann.get("/me/badge?roomTags=u").await.expect_ok()["badge"], 3);
        let tags = ann.post("/badges/byRoomTags", json!({"tags": ["u"]})).await.expect_ok();
        assert_eq!(tags, json!({"totalBadge": 3, "data": {"u": 3}}));
    }
}
