//! The two founding lists: who one shut out, and who is banned from a room.

use serde_json::json;

use crate::common::House;
use crate::shape::{expect_fields, expect_short_room, expect_short_user, expect_time};

each_store! {
    async fn r06_a_block_is_listed_with_the_founding_fields_and_no_other(house: House) {
        let [aaa, _] = house.users(["aaa", "ccc"]).await;
        aaa.blocks("ccc").await.expect_ok();

        let answer = aaa.my_blocks().await;
        let list = answer.expect_list();
        assert_eq!(list.len(), 1, "{answer}");
        expect_fields(&answer.body(), &["RC", "RM", "result"]);
        expect_fields(&answer.body()["result"], &["data"]);
        expect_fields(&list[0], &["blockee", "blocker", "room", "createdAt", "updatedAt"]);
        expect_short_user(&list[0]["blockee"], "ccc", "Ccc");
        assert_eq!(list[0]["blocker"], "aaa");
        // The room's id is the pair's, as in the founding example.
        expect_short_room(&list[0]["room"], "2bec603e94a210092439e83ff2d79ac1", "direct");
        assert_eq!(expect_time(&list[0]["createdAt"]), expect_time(&list[0]["updatedAt"]));
        assert!(answer.header("content-type").starts_with("application/json"), "{}", answer.header("content-type"));
    }

    async fn r06_a_ban_is_listed_with_the_founding_fields_and_no_other(house: House) {
        house.room("demo-room").owner("aaa").members(["ccc"]).await;
        let aaa = house.user("aaa").await;
        aaa.bans("demo-room", "ccc").await.expect_ok();

        let answer = aaa.bans_of("demo-room").await;
        let list = answer.expect_list();
        assert_eq!(list.len(), 1, "{answer}");
        expect_fields(&answer.body()["result"], &["data"]);
        expect_fields(&list[0], &["blockee", "blocker", "room", "createdAt", "updatedAt"]);
        expect_short_user(&list[0]["blockee"], "ccc", "Ccc");
        expect_short_user(&list[0]["blocker"], "aaa", "Aaa");
        expect_short_room(&list[0]["room"], "demo-room", "group");
        assert_eq!(expect_time(&list[0]["createdAt"]), expect_time(&list[0]["updatedAt"]));
    }

    async fn an_empty_list_is_an_empty_array(house: House) {
        house.room("den").owner("ann").await;
        let ann = house.user("ann").await;
        let empty = json!({"RC": 0, "RM": "OK", "result": {"data": []}});
        assert_eq!(ann.my_blocks().await.body(), empty);
        assert_eq!(ann.bans_of("den").await.body(), empty);
        house.user("bob").await;
        ann.blocks("bob").await.expect_ok();
        ann.unblocks("bob").await.expect_ok();
        ann.bans("den", "bob").await.expect_ok();
        ann.unbans("den", "bob").await.expect_ok();
        assert_eq!(ann.my_blocks().await.body(), empty);
        assert_eq!(ann.bans_of("den").await.body(), empty);
    }

    async fn a_user_without_a_picture_has_no_empty_picture(house: House) {
        let ann = house.user("ann").await;
        house.platform().post("/admin/clients", json!({"_id": "bare"})).await.expect_ok();
        ann.blocks("bare").await.expect_ok();
        let blockee = &ann.my_blocks().await.expect_list()[0]["blockee"];
        assert_eq!((&blockee["_id"], &blockee["id"]), (&json!("bare"), &json!("bare")));
        assert!(blockee.get("avatarUrl").is_none(), "{blockee}");
        assert_eq!(blockee["lastLoginTimeMS"], 0);
    }

    async fn r01_my_list_holds_my_blocks_and_my_bans_newest_first(house: House) {
        house.room("den").owner("ann").members(["bob", "cid", "dan", "eve"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.blocks("bob").await.expect_ok();
        ann.bans("den", "cid").await.expect_ok();
        ann.blocks("dan").await.expect_ok();
        bob.blocks("ann").await.expect_ok();
        house.platform().bans("den", "eve").await.expect_ok();

        assert_eq!(ann.shuts_out().await, ["dan", "cid", "bob"]);
        let list = ann.my_blocks().await.expect_list();
        let kinds: Vec<&str> = list.iter().map(|entry| entry["room"]["roomType"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["direct", "group", "direct"]);
        assert!(list.iter().all(|entry| entry["blocker"] == "ann"));
        assert!(list.is_sorted_by_key(|entry| std::cmp::Reverse(expect_time(&entry["updatedAt"]))));
        assert_eq!(bob.shuts_out().await, ["ann"]);
    }

    async fn r01_who_blocks_again_keeps_the_first_time_and_comes_first(house: House) {
        let [ann, _, _] = house.users(["ann", "bob", "cid"]).await;
        ann.blocks("bob").await.expect_ok();
        let first = ann.my_blocks().await.expect_list()[0]["createdAt"].clone();
        ann.blocks("cid").await.expect_ok();
        assert_eq!(ann.shuts_out().await, ["cid", "bob"]);

        ann.unblocks("bob").await.expect_ok();
        ann.blocks("bob").await.expect_ok();
        assert_eq!(ann.shuts_out().await, ["bob", "cid"]);
        let again = &ann.my_blocks().await.expect_list()[0];
        assert_eq!(again["createdAt"], first);
        assert!(expect_time(&again["updatedAt"]) >= expect_time(&first));
        expect_fields(again, &["blockee", "blocker", "room", "createdAt", "updatedAt"]);
    }

    async fn r02_a_rooms_list_holds_every_ban_whoever_made_it(house: House) {
        house.room("den").owner("ann").members(["bob", "cid"]).await;
        let ann = house.user("ann").await;
        ann.bans("den", "bob").await.expect_ok();
        house.platform().bans("den", "cid").await.expect_ok();
        assert_eq!(ann.sees_banned("den").await, ["cid", "bob"]);
        assert_eq!(house.platform().sees_banned("den").await, ["cid", "bob"]);
        let by: Vec<_> = ann.bans_of("den").await.expect_list().iter().map(|ban| ban["blocker"]["_id"].clone()).collect();
        assert_eq!(by, ["platform", "ann"]);
    }

    async fn r02_only_the_owner_and_the_platform_read_a_rooms_list(house: House) {
        house.room("den").owner("ann").members(["bob", "max"]).await;
        let [ann, max] = house.users(["ann", "max"]).await;
        ann.bans("den", "bob").await.expect_ok();
        ann.sets("den", "max", "role", "admin").await.expect_ok();
        house.room("other").owner("zoe").await;
        for name in ["bob", "max", "zoe", "nobody-there"] {
            house.user(name).await.bans_of("den").await.expect_error_saying(
                403,
                "Access denied",
                "INSUFFICIENT_PERMISSIONS",
                "Only room owner can view blocklist in group chat rooms",
            );
        }
        let _ = max;
        house.room("commons").members(["ann", "bob"]).await;
        ann.bans_of("commons").await.expect_refused("INSUFFICIENT_PERMISSIONS");
        house.platform().bans_of("commons").await.expect_ok();
    }

    async fn r02_in_a_direct_room_each_reads_his_own_records(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob, eve] = house.users(["ann", "bob", "eve"]).await;
        ann.blocks("bob").await.expect_ok();
        assert_eq!(ann.sees_banned(&room).await, ["bob"]);
        assert_eq!(bob.sees_banned(&room).await, [""; 0]);
        bob.blocks("ann").await.expect_ok();
        assert_eq!(ann.sees_banned(&room).await, ["bob"]);
        assert_eq!(bob.sees_banned(&room).await, ["ann"]);
        assert_eq!(house.platform().sees_banned(&room).await, ["ann", "bob"]);
        let ban = &ann.bans_of(&room).await.expect_list()[0];
        expect_short_user(&ban["blocker"], "ann", "Ann");
        expect_short_room(&ban["room"], &room, "direct");
        eve.bans_of(&room).await.expect_error_saying(
            403,
            "Forbidden",
            "NOT_ROOM_MEMBER",
            "You are not a member of this room",
        );
    }

    async fn r02_an_api_key_reads_all_whomever_it_names(house: House) {
        let [ann, _, _] = house.users(["ann", "bob", "cid"]).await;
        // The room that ann's block makes is hidden from bob.
        let room = ann.blocks("bob").await.expect_ok()["room"].as_str().unwrap().to_owned();
        house.room("den").owner("ann").members(["bob"]).await;
        ann.bans("den", "bob").await.expect_ok();
        for name in ["ann", "bob", "cid", "nobody-there"] {
            let named = house.platform_for(name);
            assert_eq!(named.sees_banned(&room).await, ["bob"], "for {name}");
            assert_eq!(named.sees_banned("den").await, ["bob"], "for {name}");
        }
    }

    async fn r02_the_order_of_checks_is_token_room_permission(house: House) {
        house.room("den").owner("ann").await;
        let bad = house.bearer("bad", "no-such-token");
        for room in ["den", "no-such-room"] {
            bad.bans_of(room).await.expect_error_saying(401, "Unauthorized", "INVALID_TOKEN", "Invalid or expired token");
        }
        house.user("eve").await.bans_of("no-such-room").await.expect_error_saying(
            404,
            "Room not found",
            "ROOM_NOT_FOUND",
            "The specified room does not exist",
        );
        house.platform().bans_of("no-such-room").await.expect_error(404, "ROOM_NOT_FOUND");
        house.user("eve").await.bans_of("den").await.expect_refused("INSUFFICIENT_PERMISSIONS");
    }

    async fn a_list_needs_token_and_client_key(house: House) {
        house.room("den").owner("ann").await;
        let ann = house.user("ann").await;
        for path in ["/blockStatus/my", "/blockStatus/room/den"] {
            let alone = ann.clone().without_header("im-client-key");
            let answer = alone.get(path).await;
            assert!(matches!(answer.status, 401 | 403), "{answer}");
            answer.expect_some_refusal();
            let foreign = ann.clone().with_header("im-client-key", "not-a-client-key");
            foreign.get(path).await.expect_error_saying(403, "Forbidden", "INVALID_CLIENT_KEY", "Invalid client key");
            let silent = ann.clone().without_header("im-authorization");
            silent.get(path).await.expect_error_saying(401, "Unauthorized", "INVALID_TOKEN", "Invalid or expired token");
            house.nobody().get(path).await.expect_some_refusal();
            ann.clone().with_header("im-authorization", &format!("Bearer {}", ann.token())).get(path).await.expect_ok();
            let keyed = ann.clone().with_header("im-api-key", "not-an-api-key");
            keyed.get(path).await.expect_error_saying(401, "Unauthorized", "INVALID_API_KEY", "Invalid or missing API key");
        }
    }

    async fn an_api_key_reads_the_list_of_the_user_it_names(house: House) {
        let [ann, _] = house.users(["ann", "bob"]).await;
        ann.blocks("bob").await.expect_ok();
        assert_eq!(house.platform_for("ann").shuts_out().await, ["bob"]);
        assert_eq!(house.platform().shuts_out().await, [""; 0]);
        house.platform_for("ghost").my_blocks().await.expect_error_saying(
            403,
            "Access denied",
            "INSUFFICIENT_PERMISSIONS",
            "You don't have permission to access this resource",
        );
        // A user's token alone decides who he is.
        let posing = house.user("bob").await.with_header("im-client-id", "ann");
        assert_eq!(posing.shuts_out().await, [""; 0]);
    }

    async fn a_profile_changed_a_moment_ago_shows_in_both_lists(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, _] = house.users(["ann", "bob"]).await;
        ann.blocks("bob").await.expect_ok();
        ann.bans("den", "bob").await.expect_ok();
        for name in ["Robert", "Bobby"] {
            house.platform().post("/admin/clients", json!({"_id": "bob", "nickname": name})).await.expect_ok();
            let mine = ann.my_blocks().await.expect_list();
            assert!(mine.iter().all(|entry| entry["blockee"]["nickname"] == name), "{mine:?}");
            assert_eq!(ann.bans_of("den").await.expect_list()[0]["blockee"]["nickname"], name);
        }
        house.platform().post("/admin/clients", json!({"_id": "ann", "nickname": "Anna"})).await.expect_ok();
        assert_eq!(ann.bans_of("den").await.expect_list()[0]["blocker"]["nickname"], "Anna");
        assert_eq!(ann.my_blocks().await.expect_list()[0]["blocker"], "ann");
    }

    async fn r05_a_deleted_user_is_listed_without_name_or_picture(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, _] = house.users(["ann", "bob"]).await;
        ann.blocks("bob").await.expect_ok();
        ann.bans("den", "bob").await.expect_ok();
        let deleted = house.platform().delete("/admin/clients/bob").await.expect_ok();
        assert_eq!(deleted, json!({"deleted": true}));
        let nobody = json!({"_id": "bob", "id": "bob", "nickname": "", "lastLoginTimeMS": 0});
        for entry in ann.my_blocks().await.expect_list() {
            assert_eq!(entry["blockee"], nobody);
        }
        assert_eq!(ann.bans_of("den").await.expect_list()[0]["blockee"], nobody);
        house.platform().delete("/admin/clients/bob").await.expect_error(404, "CLIENT_NOT_FOUND");
    }
}
