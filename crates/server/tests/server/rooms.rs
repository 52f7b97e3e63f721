//! Rooms and who is in them.

use serde_json::{Value, json};

use crate::common::{Caller, House, segment};
use crate::shape::{expect_documented, expect_time, expect_whole};

each_store! {
    async fn the_platform_makes_a_room(house: House) {
        house.users(["user-a", "user-b", "user-c"]).await;
        let body = json!({
            "_id": "project-room-001", "name": "專案討論群", "cover": "https://pictures.example/c", "roomType": "group",
            "roomTags": ["project", "team-a"], "members": ["user-a", "user-b", "user-c"], "systemMessage": true,
        });
        let answer = house.platform().post("/rooms/", body.clone()).await;
        expect_documented(&answer, "create-a-room");
        assert_eq!(answer.expect_ok()["members"], json!(["user-a", "user-b", "user-c"]));
        house.platform().post("/rooms", body).await.expect_error(409, "ROOM_ALREADY_EXISTS");
        let message = &house.platform().reads("project-room-001").await.expect_list()[0];
        assert_eq!(message["messageType"], "addMembers");
        assert_eq!(message["extra"]["invitees"].as_array().unwrap().len(), 3);
        assert_eq!(house.user("user-a").await.unread("project-room-001").await, 0, "a system message is news to nobody");

        let direct = json!({"roomType": "direct", "members": ["user-a", "user-b"]});
        let answer = house.platform().post("/rooms/", direct).await;
        expect_documented(&answer, "basic-integration-create-room");
        assert_eq!(answer.expect_ok()["_id"].as_str().map(str::len), Some(24));
        house.platform().post("/rooms", json!({"roomType": "castle"})).await.expect_error(400, "INVALID_ROOM_TYPE");
        for taken in ["ids", "quitted", "invitations"] {
            for path in ["/rooms", "/rooms/createAndJoin"] {
                house.platform().post(path, json!({"_id": taken})).await.expect_error(400, "INVALID_ID");
            }
        }
        house.platform().post("/rooms", json!({"members": ["ghost"]})).await.expect_error(404, "USER_NOT_FOUND");
    }

    async fn a_user_makes_a_room_and_owns_it_from_outside(house: House) {
        let ann = house.user("ann").await;
        let made = ann.post("/rooms", json!({"_id": "mine", "name": "Mine", "roomType": "group"})).await.expect_ok();
        assert_eq!(made["members"], json!([]));
        let seen = ann.room("mine").await.expect_ok();
        assert_eq!((&seen["owner"]["_id"], &seen["isSuperuser"]), (&json!("ann"), &json!(true)));
        ann.says("mine", "x").await.expect_refused("NOT_ROOM_MEMBER");
        ann.joins("mine").await.expect_ok();
        ann.said("mine", "x").await;
    }

    async fn a_direct_room_is_opened_by_either_and_found_again(house: House) {
        let [ann, bob, eve] = house.users(["ann", "bob", "eve"]).await;
        let room = ann.opens("bob").await.expect_ok();
        let id = room["_id"].as_str().unwrap();
        assert_eq!(id.len(), 32);
        assert_eq!((&room["roomType"], &room["isSuperuser"], room.get("owner")), (&json!("direct"), &json!(true), None));
        assert_eq!(bob.opens("ann").await.expect_ok()["_id"], id);
        let array = json!({"roomType": "direct", "invitee": ["ann"], "name": ""});
        assert_eq!(bob.post("/rooms/createAndJoin", array).await.expect_ok()["_id"], id);
        eve.joins(id).await.expect_some_refusal();
        eve.post("/rooms/createAndJoin", json!({"_id": id})).await.expect_some_refusal();
        eve.room(id).await.expect_error_saying(403, "Forbidden", "NOT_ROOM_MEMBER", "You are not a member of this room");
        ann.opens("ann").await.expect_error(400, "INVALID_ROOM_TYPE");
        ann.opens("ghost").await.expect_error(404, "USER_NOT_FOUND");
        ann.post("/rooms/createAndJoin", json!({"roomType": "direct", "invitee": ["bob", "eve"]})).await.expect_error(400, "INVALID_ROOM_TYPE");
    }

    async fn a_room_shows_all_that_clients_need(house: House) {
        house.room("den").owner("ann").members(["bob"]).with("description", "d").with("cover", "c").with("roomTags", json!(["t"])).with("webhook", "w").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let message = bob.said("den", "hello").await;
        bob.marks_read("den", &message).await.expect_ok();
        let room = ann.room("den").await.expect_ok();
        assert_eq!((&room["_id"], &room["id"], &room["appID"]), (&json!("den"), &json!("den"), &json!(house.keys().app)));
        assert_eq!((&room["status"], &room["opening"], &room["unread"]), (&json!(1), &json!(1), &json!(1)));
        assert_eq!((&room["isMentioned"], &room["muted"], &room["isSuperuser"]), (&json!(false), &json!(false), &json!(true)));
        assert_eq!((&room["encrypted"], &room["serviceStatus"], &room["botMode"], &room["botState"]), (&json!(false), &json!(0), &json!(false), &json!("")));
        assert_eq!(room["owner"]["_id"], "ann");
        assert_eq!(expect_time(&room["createdTime"]), expect_whole(&room["createdTimeMS"]));
        for member in room["members"].as_array().unwrap() {
            assert_eq!((&member["_id"], &member["clientType"]), (&member["id"], &json!("user")));
        }
        let of_bob = room["memberProperties"].as_array().unwrap().iter().find(|one| one["client"] == "bob").unwrap();
        assert_eq!((&of_bob["lastRead"], &of_bob["badge"]), (&json!(message), &json!(0)));
        assert!(room.get("data").is_none());
        ann.marks_read("den", &message).await.expect_ok();
        expect_documented(&ann.room("den").await, "get-a-room");
        house.room("bare").await;
        let bare = house.platform().room("bare").await.expect_ok();
        assert!(bare["lastMessage"].is_null() && bare["members"] == json!([]), "{bare}");
    }

    async fn one_lists_his_rooms(house: House) {
        for (id, tag) in [("r1", "red"), ("r2", "blue"), ("r3", "red")] {
            house.room(id).owner("ann").members(["bob"]).with("roomTags", json!([tag])).with("description", "d").with("cover", "c").with("webhook", "w").await;
        }
        house.room("other").owner("bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        bob.said("r1", "older").await;
        let newer = bob.said("r3", "newer").await;
        let ids = async |query: &str| {
            let page = ann.get(&format!("/rooms{query}")).await.expect_ok();
            let ids: Vec<String> = page["data"].as_array().unwrap().iter().map(|room| room["_id"].as_str().unwrap().to_owned()).collect();
            (page["totalCount"].as_i64().unwrap(), ids.join(" "))
        };
        assert_eq!(ids("?sort=-lastMessage").await, (3, "r3 r1 r2".to_owned()));
        assert_eq!(ids("?sort=-lastMessage&limit=1&skip=1").await, (3, "r1".to_owned()));
        for (query, falls) in [("?sort=createdTime", false), ("?sort=-createdTime&limit=0", true)] {
            let rooms = ann.get(&format!("/rooms{query}")).await.expect_list();
            let mut times: Vec<i64> = rooms.iter().map(|room| expect_whole(&room["createdTimeMS"])).collect();
            if falls {
                times.reverse();
            }
            assert!(times.len() == 3 && times.is_sorted(), "{query}: {times:?}");
        }
        let q = segment(r#"{ "members": "ann", "roomTags": "red" }"#);
        assert_eq!(ids(&format!("?q={q}&sort=lastMessage")).await, (2, "r1 r3".to_owned()));
        let q = segment(r#"{"roomTags":{"$in":["blue"]}}"#);
        assert_eq!(ids(&format!("?q={q}")).await, (1, "r2".to_owned()));
        ann.posts("/me/mute/r2").await.expect_ok();
        ann.updates("r1", json!({"opening": 0, "botMode": true, "extParams": "{}"})).await.expect_ok();
        ann.post("/roomPrefs/r3", json!({"sticky": true})).await.expect_ok();
        for (q, found) in [
            (json!({"muted": true}), "r2"),
            (json!({"opening": 0, "botMode": true, "extParams": "{}", "status": 1}), "r1"),
            (json!({"pref.sticky": true}), "r3"),
            (json!({"status": 0}), ""),
            (json!({"owner._id": "ann", "createdTime": {"$gt": "2000-01-01"}, "botMode": {"$ne": true}}), "r3 r2"),
            (json!({"createdTime": {"$lt": "2000-01-01T00:00:00Z"}}), ""),
            (json!({"$or": [{"members": "bob"}, {"_id": "r3"}]}), "r3"),
        ] {
            let q = segment(&q.to_string());
            assert_eq!(ids(&format!("?q={q}")).await.1, found, "{q}");
        }
        for unknown in [json!({"lastMessage.message": "x"}), json!({"$nor": [{"isMentioned": true}]}), json!({"nmae": "x"})] {
            ann.get(&format!("/rooms?q={}", segment(&unknown.to_string()))).await.expect_error(400, "INVALID_QUERY");
        }
        let last = bob.said("r2", "newest").await;
        ann.marks_read("r3", &newer).await.expect_ok();
        ann.marks_read("r2", &last).await.expect_ok();
        assert_eq!(ids("?sort=-lastMessage&sortUnreadFirst=1").await.1, "r1 r2 r3");
        assert_eq!(ids("?updatedAfter=2999-01-01T00:00:00Z").await, (0, String::new()));
        assert_eq!(ids("?updatedAfter=0").await.0, 3);
        ann.freezes("r2").await.expect_ok_saying("Room frozen successfully");
        assert_eq!(ids("?sort=-lastMessage").await, (2, "r3 r1".to_owned()), "a frozen room leaves the list");
        ann.room("r2").await.expect_ok();
        for bad in ["?updatedAfter=x", "?pref=x", "?pref=%5B%5D", "?q=x", "?limit=-1", "?limit=x", "?skip=-1"] {
            ann.get(&format!("/rooms{bad}")).await.expect_error(400, "INVALID_QUERY");
        }
        assert_eq!(house.platform_for("bob").room_ids().await.len(), 3);
        assert_eq!(house.platform().room_ids().await.len(), 0);
    }

    async fn a_room_is_changed_by_its_superusers(house: House) {
        house.room("den").owner("ann").members(["max", "bob"]).with("description", "d").with("cover", "c").await;
        let [ann, max, bob] = house.users(["ann", "max", "bob"]).await;
        bob.said("den", "x").await;
        let change = json!({"name": "New", "description": "D", "cover": "C", "roomTags": ["a"], "extParams": "{}", "botMode": true, "opening": 0});
        let answer = ann.updates("den", change.clone()).await;
        expect_documented(&answer, "update-a-room");
        let room = answer.expect_ok();
        for (field, value) in change.as_object().unwrap() {
            assert_eq!(&room[field], value, "{field}");
        }
        bob.updates("den", json!({"name": "x"})).await.expect_error_saying(
            403, "Forbidden", "INSUFFICIENT_PERMISSIONS", "Only room owner, manager, or platform admin can update room");
        bob.freezes("den").await.expect_error_saying(
            403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "Only room owner, manager, or platform admin can freeze room");
        ann.updates("den", json!({"managers": ["max"]})).await.expect_ok();
        assert_eq!(max.room("den").await.expect_ok()["isSuperuser"], true);
        max.updates("den", json!({"name": "By Max"})).await.expect_ok();
        max.updates("den", json!({"owner": "max"})).await.expect_some_refusal();
        ann.updates("den", json!({"owner": "bob"})).await.expect_ok();
        assert_eq!(bob.room("den").await.expect_ok()["owner"]["_id"], "bob");
        house.room("commons").members(["ann", "bob"]).await;
        bob.updates("commons", json!({"name": "Ours"})).await.expect_ok();
        ann.updates("nowhere", json!({"name": "x"})).await.expect_error_saying(
            404, "Room not found", "ROOM_NOT_FOUND", "Room with specified ID does not exist");
        ann.updates("den", json!({"roomType": "direct"})).await;
        assert_eq!(ann.room("den").await.expect_ok()["roomType"], "group", "a room's kind never changes");
    }

    async fn a_frozen_room_is_still(house: House) {
        house.room("den").owner("ann").members(["max", "bob"]).with("description", "d").with("cover", "c").await;
        let [ann, max, bob] = house.users(["ann", "max", "bob"]).await;
        let message = bob.said("den", "before").await;
        ann.sets("den", "max", "role", "admin").await.expect_ok();
        let frozen = max.freezes("den").await;
        expect_documented(&frozen, "freeze-a-chatroom");
        assert_eq!(frozen.expect_ok_saying("Room frozen successfully")["status"], 0);
        house.user("new").await;
        for refused in [
            bob.says("den", "x").await,
            ann.says("den", "x").await,
            bob.edits("den", &message, "x").await,
            bob.reacts(&message, "x").await,
            ann.invites("den", ["new"]).await,
            house.user("new").await.joins("den").await,
        ] {
            refused.expect_error(403, "ROOM_FROZEN");
            assert_eq!(refused.body()["RM"], "Permission denied");
        }
        bob.reads("den").await.expect_ok();
        house.platform().says("den", "the platform passes").await.expect_ok();
        ann.thaws("den").await.expect_ok();
        bob.said("den", "after").await;
        assert_eq!(house.said("den").await, ["before", "the platform passes", "after"]);
    }

    async fn members_come_and_go(house: House) {
        house.room("den").owner("ann").members(["bob"]).with("description", "d").with("cover", "c").with("webhook", "w").with("roomTags", json!(["t"])).await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        house.users(["dan", "eve"]).await;
        let answer = bob.post("/rooms/den/members", json!({"invitees": ["cid"], "systemMessage": true})).await;
        expect_documented(&answer, "add-a-member");
        let last = |room: Value| room["lastMessage"].clone();
        let added = last(answer.expect_ok());
        assert_eq!((&added["messageType"], &added["member"]["_id"], &added["message"]), (&json!("addMember"), &json!("cid"), &json!("Cid")));
        assert_eq!(added["extra"]["invitees"][0]["_id"], "cid");
        cid.said("den", "hi").await;
        ann.post("/rooms/den/members", json!({"invitees": ["ghost"]})).await.expect_error(404, "USER_NOT_FOUND");
        house.user("dan").await.invites("den", ["eve"]).await.expect_refused("NOT_ROOM_MEMBER");

        let answer = ann.post("/rooms/den/delete/members", json!({"members": ["cid"], "systemMessage": true})).await;
        expect_documented(&answer, "remove-a-member");
        let removed = last(answer.expect_ok());
        assert_eq!((&removed["messageType"], &removed["extra"]["members"][0]["_id"]), (&json!("deleteMember"), &json!("cid")));
        cid.reads("den").await.expect_refused("NOT_ROOM_MEMBER");
        ann.removes("den", ["cid"]).await.expect_error_saying(404, "Member not found", "MEMBER_NOT_FOUND", "The specified user is not a member of this room");
        let left = bob.post("/rooms/den/delete/members", json!({"members": ["bob"], "systemMessage": true})).await;
        left.expect_ok();
        bob.leaves("den").await.expect_ok();
        let message = &ann.reads("den").await.expect_list()[0];
        assert_eq!((&message["messageType"], &message["sender"]["_id"]), (&json!("leaveRoom"), &json!("bob")));
        let joined = bob.post("/rooms/den/join", json!({"systemMessage": true})).await.expect_ok();
        assert_eq!(last(joined)["messageType"], "joinRoom");
    }

    async fn a_closed_room_takes_nobody_but_from_its_superusers(house: House) {
        house.room("den").owner("ann").members(["bob"]).with("opening", 0).await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        ann.updates("den", json!({"opening": 0})).await.expect_ok();
        cid.joins("den").await.expect_some_refusal();
        bob.invites("den", ["cid"]).await.expect_some_refusal();
        ann.invites("den", ["cid"]).await.expect_ok();
        cid.said("den", "in").await;
    }

    async fn members_have_roles_and_properties(house: House) {
        house.room("den").owner("ann").members(["bob", "cid"]).await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        let answer = ann.sets("den", "bob", "role", "admin").await;
        expect_documented(&answer, "update-role");
        assert_eq!(answer.expect_ok()["managers"], json!(["bob"]));
        expect_documented(&cid.sets("den", "cid", "location", json!({"x": 1})).await, "update-member-property");
        cid.sets("den", "bob", "location", "x").await.expect_refused("INSUFFICIENT_PERMISSIONS");
        cid.sets("den", "cid", "role", "admin").await.expect_refused("INSUFFICIENT_PERMISSIONS");
        bob.sets("den", "cid", "score", 7).await.expect_ok();
        let of_cid = property(&cid, "cid").await;
        assert_eq!((&of_cid["location"], &of_cid["score"], of_cid.get("role")), (&json!({"x": 1}), &json!(7), None));
        assert_eq!(property(&cid, "bob").await["role"], "admin");
        ann.sets("den", "bob", "role", "king").await.expect_error(400, "INVALID_ROLE");
        ann.sets("den", "ghost", "role", "admin").await.expect_error(404, "MEMBER_NOT_FOUND");
        ann.sets("den", "bob", "role", "member").await.expect_ok();
        assert_eq!(ann.room("den").await.expect_ok()["managers"], json!([]));
    }

    async fn only_who_is_in_the_room_himself_has_properties(house: House) {
        house.users(["dan", "eve"]).await;
        let group = json!({"_id": "crew", "nickname": "Crew", "members": ["dan"]});
        house.platform().post("/admin/groups", group).await.expect_ok();
        house.room("den").owner("ann").members(["bob", "crew"]).await;
        let [ann, bob, dan] = house.users(["ann", "bob", "dan"]).await;
        bob.sets("den", "bob", "score", 1).await.expect_ok();
        bob.leaves("den").await.expect_ok();
        let said = ann.said("den", "hello").await;
        dan.marks_read("den", &said).await.expect_ok();
        // Whoever left, whoever is there through a user group alone, read or not, and whoever never came.
        for (who, whom) in [(&ann, "bob"), (&ann, "dan"), (&dan, "dan"), (&ann, "eve"), (&house.platform(), "bob")] {
            who.sets("den", whom, "score", 2).await.expect_error(404, "MEMBER_NOT_FOUND");
        }
        ann.invites("den", ["bob"]).await.expect_ok();
        assert_eq!(property(&ann, "bob").await.get("score"), None, "what was left behind is gone");
    }

    async fn unread_is_counted_and_read_away(house: House) {
        house.room("den").owner("ann").members(["bob"]).with("roomTags", json!(["demo", "work"])).await;
        house.room("hall").owner("ann").members(["bob"]).with("roomTags", json!(["work"])).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let first = bob.said("den", "1").await;
        let second = bob.said("den", "2").await;
        bob.said("hall", "3").await;
        assert_eq!((ann.unread("den").await, ann.badge().await, bob.badge().await), (2, 3, 0));
        expect_documented(&ann.get("/me/badge?roomTags=demo&roomTags=work").await, "get-unread-message-by-a-user");
        let of = async |tags: &str| ann.get(&format!("/me/badge?{tags}")).await.expect_ok()["badge"].as_i64().unwrap();
        assert_eq!((of("roomTags=work").await, of("roomTags=demo&roomTags=work").await, of("roomTags=none").await), (3, 2, 0));
        let badges = ann.post("/badges/byRoomTags", json!({"tags": ["work", "none"]})).await.expect_ok();
        assert_eq!(badges, json!({"totalBadge": 3, "data": {"work": 3, "none": 0}}));
        let all = ann.post("/badges/byRoomTags", json!({})).await.expect_ok();
        assert_eq!(all, json!({"totalBadge": 3, "data": {"work": 3, "demo": 2}}));
        let read = ann.marks_read("den", &first).await.expect_ok();
        assert_eq!(read, json!({"client": "ann", "lastRead": first, "badge": 1}));
        assert_eq!(ann.marks_read("den", &second).await.expect_ok()["badge"], 0);
        assert_eq!(ann.marks_read("den", &first).await.expect_ok()["badge"], 0, "it never moves back");
        bob.said("hall", "4").await;
        assert_eq!(ann.put("/rooms/hall/lastRead", json!({})).await.expect_ok()["badge"], 0);
        assert_eq!(ann.badge().await, 0);
    }

    async fn a_tag_given_twice_is_one(house: House) {
        house.room("den").owner("ann").members(["bob"]).with("roomTags", json!(["x", "x", "y"])).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        assert_eq!(bob.room("den").await.expect_ok()["roomTags"], json!(["x", "y"]));
        let changed = ann.updates("den", json!({"roomTags": ["z", "x", "z", "y", "x"]})).await.expect_ok();
        assert_eq!(changed["roomTags"], json!(["z", "x", "y"]), "in the order they are first given");
        bob.said("den", "1").await;
        let badges = ann.post("/badges/byRoomTags", json!({"tags": ["x", "x"]})).await.expect_ok();
        assert_eq!(badges, json!({"totalBadge": 1, "data": {"x": 1}}));
    }

    async fn a_room_is_deleted_with_everything_in_it(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        bob.said("den", "heron").await;
        bob.delete("/rooms/den").await.expect_refused("INSUFFICIENT_PERMISSIONS");
        expect_documented(&ann.delete("/rooms/den").await, "delete-a-room");
        bob.room("den").await.expect_error(404, "ROOM_NOT_FOUND");
        assert_eq!(bob.room_ids().await, [""; 0]);
        assert_eq!(bob.searches("heron").await.expect_ok()["messages"], json!([]));
        ann.delete("/rooms/den").await.expect_error(404, "ROOM_NOT_FOUND");
        house.room("den").owner("bob").await;
        assert_eq!(house.said("den").await, [""; 0], "a new room of that id is empty");
    }
}

async fn property(eyes: &Caller, user: &str) -> Value {
    let room = eyes.room("den").await.expect_ok();
    room["memberProperties"].as_array().unwrap().iter().find(|one| one["client"] == user).unwrap().clone()
}
