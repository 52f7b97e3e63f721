//! One user shuts out another: `/blockStatus/my/{blockee}`.

use serde_json::json;

use crate::common::House;
use crate::shape::{expect_fields, expect_short_user, expect_time};

const WRITTEN: [&str; 6] = ["appID", "blockee", "blocker", "room", "createdAt", "updatedAt"];

each_store! {
    async fn a_block_answers_with_what_was_written(house: House) {
        let [aaa, _] = house.users(["aaa", "ccc"]).await;
        let block = aaa.blocks("ccc").await.expect_ok();
        expect_fields(&block, &WRITTEN);
        assert_eq!(block["appID"], house.keys().app);
        expect_short_user(&block["blockee"], "ccc", "Ccc");
        assert_eq!(block["blocker"], "aaa");
        assert_eq!(block["room"], "2bec603e94a210092439e83ff2d79ac1");
        assert_eq!(block["createdAt"], block["updatedAt"]);
        let listed = &aaa.my_blocks().await.expect_list()[0];
        assert_eq!((&listed["createdAt"], &listed["updatedAt"]), (&block["createdAt"], &block["updatedAt"]));
    }

    async fn an_unblock_answers_with_the_same_and_a_new_time(house: House) {
        let [ann, _] = house.users(["ann", "bob"]).await;
        let block = ann.blocks("bob").await.expect_ok();
        let lifted = ann.unblocks("bob").await.expect_ok();
        expect_fields(&lifted, &WRITTEN);
        assert_eq!((&lifted["blocker"], &lifted["room"], &lifted["createdAt"]), (&block["blocker"], &block["room"], &block["createdAt"]));
        assert!(expect_time(&lifted["updatedAt"]) >= expect_time(&block["updatedAt"]));
    }

    async fn bodies_are_empty_or_an_empty_object(house: House) {
        let [ann, _] = house.users(["ann", "bob"]).await;
        ann.post("/blockStatus/my/bob", json!({})).await.expect_ok();
        ann.ask(reqwest::Method::DELETE, "/blockStatus/my/bob", Some(json!({}))).await.expect_ok();
        ann.posts("/blockStatus/my/bob/").await.expect_ok();
        assert_eq!(ann.get("/blockStatus/my/").await.expect_list().len(), 1);
    }

    async fn blocking_twice_is_refused_and_changes_nothing(house: House) {
        let [ann, _] = house.users(["ann", "bob"]).await;
        ann.blocks("bob").await.expect_ok();
        let before = ann.my_blocks().await.bytes;
        ann.blocks("bob").await.expect_error_saying(
            409,
            "User already blocked",
            "USER_ALREADY_BLOCKED",
            "This user is already in your block list",
        );
        assert_eq!(ann.my_blocks().await.bytes, before);
    }

    async fn nobody_blocks_himself(house: House) {
        let ann = house.user("ann").await;
        ann.blocks("ann").await.expect_error_saying(
            400,
            "Cannot block yourself",
            "SELF_BLOCK_FORBIDDEN",
            "Users cannot block themselves",
        );
        ann.unblocks("ann").await.expect_error(400, "INVALID_USER_ID");
    }

    async fn nobody_blocks_a_user_who_does_not_exist(house: House) {
        let ann = house.user("ann").await;
        ann.blocks("ghost").await.expect_error_saying(
            404,
            "User not found",
            "USER_NOT_FOUND",
            "The specified user does not exist",
        );
        assert_eq!(ann.shuts_out().await, [""; 0]);
    }

    async fn what_was_not_blocked_cannot_be_unblocked(house: House) {
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let not_found = |answer: crate::common::Answer| {
            answer.expect_error_saying(
                404,
                "Block relationship not found",
                "BLOCK_NOT_FOUND",
                "No block relationship exists with this user",
            );
        };
        not_found(ann.unblocks("bob").await);
        not_found(ann.unblocks("ghost").await);
        ann.blocks("bob").await.expect_ok();
        // Only one's own: the blocked side has nothing to lift.
        not_found(bob.unblocks("ann").await);
        assert_eq!(ann.shuts_out().await, ["bob"]);
        ann.unblocks("bob").await.expect_ok();
        not_found(ann.unblocks("bob").await);
        let long = "x".repeat(256);
        ann.unblocks(&long).await.expect_error_saying(
            400,
            "Invalid user ID",
            "INVALID_USER_ID",
            "The specified user ID is not valid",
        );
        ann.unblocks("a\nb").await.expect_error(400, "INVALID_USER_ID");
    }

    async fn an_id_that_cannot_be_one_is_told_so_however_it_is_written(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let ann = house.user("ann").await;
        for bad in ["%00", "a%00b", "%FF", "%zz", "a%0Ab", "a%2Fb", "a..b", &"x".repeat(256)] {
            let unblocked = ann.delete(&format!("/blockStatus/my/{bad}")).await;
            unblocked.expect_error_saying(400, "Invalid user ID", "INVALID_USER_ID", "The specified user ID is not valid");
            let unbanned = ann.delete(&format!("/blockStatus/room/den/{bad}")).await;
            unbanned.expect_error_saying(400, "Invalid parameters", "INVALID_USER_ID", "The specified user ID is not valid");
            // To block or ban, an id that cannot be is nobody's.
            ann.posts(&format!("/blockStatus/my/{bad}")).await.expect_error(404, "USER_NOT_FOUND");
            ann.posts(&format!("/blockStatus/room/den/{bad}")).await.expect_error(404, "ROOM_OR_USER_NOT_FOUND");
            ann.posts(&format!("/blockStatus/room/{bad}/bob")).await.expect_error(404, "ROOM_OR_USER_NOT_FOUND");
            ann.delete(&format!("/blockStatus/room/{bad}/bob")).await.expect_error(404, "ROOM_NOT_FOUND");
            ann.get(&format!("/blockStatus/room/{bad}")).await.expect_error(400, "INVALID_ID");
        }
    }

    async fn an_unblock_lifts_no_ban(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.bans("den", "bob").await.expect_ok();
        ann.blocks("bob").await.expect_ok();
        ann.unblocks("bob").await.expect_ok();
        assert_eq!(ann.sees_banned("den").await, ["bob"]);
        bob.says("den", "hello").await.expect_refused("USER_BANNED");
    }

    async fn an_api_key_blocks_for_the_user_it_names(house: House) {
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let block = house.platform_for("ann").blocks("bob").await.expect_ok();
        assert_eq!(block["blocker"], "ann");
        assert_eq!(ann.shuts_out().await, ["bob"]);
        house.platform_for("ann").unblocks("bob").await.expect_ok();
        assert_eq!(ann.shuts_out().await, [""; 0]);
        assert_eq!(bob.shuts_out().await, [""; 0]);
    }

    async fn a_block_makes_the_pairs_room_and_keeps_what_was_said(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.said(&room, "hi").await;
        bob.said(&room, "hello").await;
        ann.blocks("bob").await.expect_ok();
        for side in [&ann, &bob] {
            side.says(&room, "more").await.expect_error_saying(
                403,
                "Access denied",
                "USER_BLOCKED",
                "Messages cannot be sent in this room because of a block",
            );
            assert_eq!(side.reads(&room).await.expect_list().len(), 2, "what was said stays");
        }
        ann.unblocks("bob").await.expect_ok();
        ann.said(&room, "again").await;
        bob.said(&room, "again").await;
    }

    async fn the_blocker_sees_when_he_blocked_and_the_other_sees_nothing(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        assert!(ann.room(&room).await.expect_ok()["didBlockAt"].is_null());
        let before = bob.room(&room).await.expect_ok();
        let block = ann.blocks("bob").await.expect_ok();
        let seen = ann.room(&room).await.expect_ok();
        assert_eq!(seen["didBlockAt"], block["updatedAt"]);
        assert_eq!(seen["didBlockAtMS"], expect_time(&block["updatedAt"]));
        assert_eq!(bob.room(&room).await.expect_ok(), before);
        ann.unblocks("bob").await.expect_ok();
        assert!(ann.room(&room).await.expect_ok()["didBlockAt"].is_null());
    }

    async fn groups_are_not_touched_by_a_block(house: House) {
        house.room("den").owner("ann").members(["bob", "cid"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.blocks("bob").await.expect_ok();
        ann.said("den", "one").await;
        let message = bob.said("den", "two").await;
        ann.reacts(&message, "👍").await.expect_ok();
        assert_eq!(house.said("den").await, ["one", "two"]);
    }
}
