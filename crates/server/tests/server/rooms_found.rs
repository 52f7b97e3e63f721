//! Small questions about rooms (rest.md 3.5), and the older names of bringing and removing.

use serde_json::{Value, json};

use crate::common::House;

each_store! {
    async fn the_ids_of_ones_rooms_come_in_pages(house: House) {
        for room in ["one", "two", "three"] {
            house.room(room).owner("ann").await;
        }
        let ann = house.user("ann").await;
        ann.freezes("two").await.expect_ok_saying("Room frozen successfully");
        let all = ann.get("/rooms/ids").await.expect_ok();
        assert_eq!(all, json!({"totalCount": 2, "data": ["one", "three"]}), "active ones only");
        let page = ann.get("/rooms/ids?skip=1&limit=1").await.expect_ok();
        assert_eq!(page, json!({"totalCount": 2, "data": ["three"]}));
        ann.get("/rooms/ids?limit=x").await.expect_error(400, "INVALID_QUERY");
    }

    async fn rooms_one_left_are_listed_until_one_comes_back(house: House) {
        house.room("den").owner("ann").members(["bob"]).with("cover", "c").with("roomTags", json!(["t"])).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        assert_eq!(bob.get("/rooms/quitted").await.expect_ok(), json!({"totalCount": 0, "data": []}));
        bob.post("/roomPrefs/den", json!({"tags": ["mine"]})).await.expect_ok();
        bob.leaves("den").await.expect_ok();
        let left = bob.get("/rooms/quitted").await.expect_list();
        let keys: Vec<&String> = left[0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["_id", "cover", "createdTimeMS", "encrypted", "id", "name", "pref", "roomTags", "roomType"]);
        assert!(left[0]["pref"]["quittedAt"].is_string(), "{left:?}");
        ann.invites("den", ["bob"]).await.expect_ok();
        assert!(bob.get("/rooms/quitted").await.expect_list().is_empty());
    }

    async fn r09_whether_a_room_exists_is_no_secret_but_of_one_a_block_made(house: House) {
        house.room("den").owner("ann").await;
        let [ann, bob, eve] = house.users(["ann", "bob", "eve"]).await;
        let exists = async |who: &crate::common::Caller, room: &str| {
            who.get(&format!("/rooms/{room}/exists")).await.expect_ok()["exists"].clone()
        };
        assert_eq!((exists(&eve, "den").await, exists(&eve, "nowhere").await), (json!(true), json!(false)));
        let hidden = ann.blocks("bob").await.expect_ok()["room"].as_str().unwrap().to_owned();
        assert_eq!(exists(&ann, &hidden).await, true);
        assert_eq!((exists(&bob, &hidden).await, exists(&eve, &hidden).await), (json!(false), json!(false)));
        assert_eq!(exists(&house.platform(), &hidden).await, true);
    }

    async fn messages_are_counted_whole_or_from_a_moment_on(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob, eve] = house.users(["ann", "bob", "eve"]).await;
        let mut times = Vec::new();
        for word in ["one", "two", "three", "four"] {
            times.push(ann.says("den", word).await.expect_ok()["createdAtMS"].as_i64().unwrap());
        }
        let count = async |path: &str| bob.get(path).await.expect_ok()["count"].as_i64().unwrap();
        assert_eq!(count("/rooms/den/count").await, 4);
        let after = |at: i64| times.iter().filter(|time| **time > at).count() as i64;
        for at in [0, times[0] - 1, times[0], times[2], times[3], times[3] + 1] {
            assert_eq!(count(&format!("/rooms/den/count?timeInMS={at}")).await, after(at), "{at} of {times:?}");
        }
        eve.get("/rooms/den/count").await.expect_refused("NOT_ROOM_MEMBER");
        bob.get("/rooms/den/count?timeInMS=soon").await.expect_error(400, "INVALID_QUERY");
    }

    async fn the_pinned_message_is_a_list_of_one(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        assert_eq!(bob.get("/rooms/den/pined-messages").await.expect_ok(), json!({"totalCount": 0, "data": []}));
        let one = ann.said("den", "one").await;
        ann.pins(&one).await.expect_ok();
        let pinned = bob.get("/rooms/den/pined-messages").await.expect_list();
        assert_eq!((pinned.len(), &pinned[0]["_id"], &pinned[0]["isPined"]), (1, &json!(one), &json!(true)));
    }

    async fn one_is_brought_and_put_out_under_the_older_names_too(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        bob.posts("/rooms/den/members/cid").await.expect_ok();
        cid.said("den", "here").await;
        bob.posts("/rooms/den/members/bob").await.expect_error(400, "INVALID_BODY");
        bob.delete("/rooms/den/members/cid").await.expect_refused("INSUFFICIENT_PERMISSIONS");
        ann.delete("/rooms/den/members/cid").await.expect_ok();
        cid.reads("den").await.expect_refused("NOT_ROOM_MEMBER");
        bob.delete("/rooms/den/members/bob").await.expect_ok();
        bob.reads("den").await.expect_refused("NOT_ROOM_MEMBER");
    }

    async fn badges_are_counted_up_to_a_moment_and_for_several_tokens(house: House) {
        house.room("den").owner("ann").members(["bob"]).with("roomTags", json!(["work"])).await;
        house.room("hall").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.said("den", "one").await;
        let second = ann.says("den", "two").await.expect_ok();
        let third = ann.said("den", "three").await;
        ann.erases("den", &third).await.expect_ok_saying("Message deleted successfully");
        ann.said("hall", "untagged").await;
        let counted = async |before: Value| {
            bob.post("/badges/byRoomTagsAndTime", json!({"tags": ["work", "none"], "beforeTime": before})).await.expect_ok()
        };
        assert_eq!(counted(json!("2199-01-01T00:00:00Z")).await, json!({"totalBadge": 2, "data": {"work": 2, "none": 0}}));
        assert_eq!(counted(json!(0)).await["totalBadge"], 0);
        let at = second["createdAtMS"].as_i64().unwrap();
        assert_eq!(counted(json!(at + 1)).await["totalBadge"], 2);
        assert!(counted(json!(at)).await["totalBadge"].as_i64().unwrap() < 2);
        bob.post("/badges/byRoomTagsAndTime", json!({"tags": []})).await.expect_error(400, "MISSING_PARAMETER");
        let key_alone = house.nobody().with_header("im-client-key", &house.keys().client);
        let asked = json!({"tokens": [ann.token(), "nobody's", bob.token(), bob.token()]});
        let badges = key_alone.post("/badges/", asked.clone()).await.expect_ok();
        assert_eq!(badges, json!({"data": [{"client": "ann", "badge": 0}, {"client": "bob", "badge": 3}], "totalBadge": 3}));
        house.nobody().post("/badges/", asked).await.expect_error(403, "MISSING_CLIENT_KEY");
    }

    async fn what_a_user_group_keeps_is_read_and_written_by_those_in_it(house: House) {
        let [ann, bob, eve] = house.users(["ann", "bob", "eve"]).await;
        let crew = json!({"_id": "crew", "nickname": "Crew", "members": ["ann", "bob"]});
        house.platform().post("/admin/groups", crew).await.expect_ok();
        house.room("den").owner("eve").members(["crew"]).await;
        let kept = ann.post("/roomPrefs/den/group/crew", json!({"tags": ["t"], "sticky": true, "other": 1})).await.expect_ok();
        assert_eq!(kept, json!({"room": "den", "tags": ["t"], "sticky": true}));
        let less = bob.delete("/roomPrefs/den/group/crew/sticky").await.expect_ok();
        assert_eq!(less, json!({"room": "den", "tags": ["t"]}));
        assert_eq!(bob.get("/roomPrefs/group/crew").await.expect_ok(), json!({"totalCount": 1, "data": [less]}));
        assert_eq!(bob.room("den").await.expect_ok()["pref"], json!({}), "his own are his own (L-38)");
        eve.post("/roomPrefs/den/group/crew", json!({"tags": []})).await.expect_error(404, "GROUP_NOT_FOUND");
        eve.get("/roomPrefs/group/crew").await.expect_error(404, "GROUP_NOT_FOUND");
        bob.post("/roomPrefs/nowhere/group/crew", json!({"tags": []})).await.expect_error(404, "ROOM_NOT_FOUND");
    }
}
