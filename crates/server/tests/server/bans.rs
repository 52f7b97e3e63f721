//! A room shuts out a user: `/blockStatus/room/{roomID}/{blockee}`.

use crate::common::House;
use crate::shape::{expect_fields, expect_short_user, expect_time};

const WRITTEN: [&str; 6] = ["appID", "blockee", "blocker", "room", "createdAt", "updatedAt"];

each_store! {
    async fn a_banned_member_cannot_speak(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;

        bob.says("den", "hello").await.expect_ok();
        ann.bans("den", "bob").await.expect_ok();
        bob.says("den", "anyone?").await.expect_refused("USER_BANNED");
        ann.unbans("den", "bob").await.expect_ok();
        bob.says("den", "thank you").await.expect_ok();

        assert_eq!(house.said("den").await, ["hello", "thank you"]);
    }

    async fn a_ban_answers_with_what_was_written(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let ann = house.user("ann").await;
        let ban = ann.bans("den", "bob").await.expect_ok();
        expect_fields(&ban, &WRITTEN);
        assert_eq!((&ban["appID"], &ban["blocker"], &ban["room"]), (&house.keys().app.as_str().into(), &"ann".into(), &"den".into()));
        expect_short_user(&ban["blockee"], "bob", "Bob");
        assert_eq!(ban["createdAt"], ban["updatedAt"]);
        let lifted = house.platform().unbans("den", "bob").await.expect_ok();
        expect_fields(&lifted, &WRITTEN);
        assert_eq!(lifted["blocker"], "ann", "who banned, not who lifted");
        assert_eq!(lifted["createdAt"], ban["createdAt"]);
        assert!(expect_time(&lifted["updatedAt"]) >= expect_time(&ban["updatedAt"]));
    }

    async fn only_owner_and_platform_ban(house: House) {
        house.room("den").owner("ann").members(["bob", "max", "mia"]).await;
        house.user("ann").await.sets("den", "max", "role", "admin").await.expect_ok();
        for name in ["bob", "max", "outsider"] {
            house.user(name).await.bans("den", "mia").await.expect_error_saying(
                403,
                "Access denied",
                "INSUFFICIENT_PERMISSIONS",
                "Only platform admin and room owner can block users in group chat rooms",
            );
        }
        house.platform().bans("den", "mia").await.expect_ok();
        for name in ["bob", "max", "outsider"] {
            house.user(name).await.unbans("den", "mia").await.expect_error_saying(
                403,
                "Access denied",
                "INSUFFICIENT_PERMISSIONS",
                "Only room owner can unblock users in group chat rooms",
            );
        }
        house.user("ann").await.unbans("den", "mia").await.expect_ok();
    }

    async fn in_a_group_without_owner_only_the_platform_bans(house: House) {
        house.room("commons").members(["ann", "bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.bans("commons", "bob").await.expect_refused("INSUFFICIENT_PERMISSIONS");
        house.platform().bans("commons", "bob").await.expect_ok();
        bob.says("commons", "hello").await.expect_refused("USER_BANNED");
        ann.unbans("commons", "bob").await.expect_refused("INSUFFICIENT_PERMISSIONS");
        assert_eq!(house.platform().sees_banned("commons").await, ["bob"]);
        house.platform().unbans("commons", "bob").await.expect_ok();
        bob.said("commons", "hello").await;
    }

    async fn a_second_ban_is_refused_whoever_asks(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let ann = house.user("ann").await;
        ann.bans("den", "bob").await.expect_ok();
        for again in [ann, house.platform()] {
            again.bans("den", "bob").await.expect_error_saying(
                409,
                "User already blocked",
                "USER_ALREADY_BLOCKED",
                "This user is already blocked in this room",
            );
        }
        assert_eq!(house.platform().sees_banned("den").await, ["bob"]);
    }

    async fn room_and_user_must_exist(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let ann = house.user("ann").await;
        for (room, user) in [("den", "ghost"), ("no-room", "bob")] {
            ann.bans(room, user).await.expect_error_saying(
                404,
                "Resource not found",
                "ROOM_OR_USER_NOT_FOUND",
                "The specified room or user does not exist",
            );
        }
        ann.unbans("den", "bob").await.expect_error_saying(
            404,
            "Block relationship not found",
            "BLOCK_NOT_FOUND",
            "No block relationship exists for this user in the specified room",
        );
        ann.unbans("no-room", "bob").await.expect_error(404, "ROOM_NOT_FOUND");
        ann.unbans("den", &"x".repeat(256)).await.expect_error_saying(
            400,
            "Invalid parameters",
            "INVALID_USER_ID",
            "The specified user ID is not valid",
        );
    }

    async fn a_ban_again_keeps_the_first_time(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let ann = house.user("ann").await;
        let first = ann.bans("den", "bob").await.expect_ok();
        ann.unbans("den", "bob").await.expect_ok();
        let again = house.platform().bans("den", "bob").await.expect_ok();
        assert_eq!(again["createdAt"], first["createdAt"]);
        assert_eq!(again["blocker"], "platform", "who banned him now");
        assert_eq!(ann.sees_banned("den").await, ["bob"]);
        assert_eq!(ann.shuts_out().await, [""; 0], "it is no longer the owner's own");
    }

    async fn the_banned_sees_when_and_nobody_else_does(house: House) {
        house.room("den").owner("ann").members(["bob", "cid"]).await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        assert!(bob.room("den").await.expect_ok()["wasBlockedAt"].is_null());
        let before = cid.room("den").await.expect_ok();
        let ban = ann.bans("den", "bob").await.expect_ok();
        let seen = bob.room("den").await.expect_ok();
        assert_eq!(seen["wasBlockedAt"], ban["updatedAt"]);
        assert_eq!(seen["wasBlockedAtMS"], expect_time(&ban["updatedAt"]));
        assert_eq!(cid.room("den").await.expect_ok(), before);
        ann.unbans("den", "bob").await.expect_ok();
        assert!(bob.room("den").await.expect_ok()["wasBlockedAt"].is_null());
    }

    async fn a_ban_holds_in_its_room_alone(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        house.room("hall").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.bans("den", "bob").await.expect_ok();
        bob.said("hall", "hello").await;
        let direct = house.direct("bob", "ann").await;
        bob.said(&direct, "why?").await;
        assert_eq!(ann.sees_banned("hall").await, [""; 0]);
    }

    async fn r15_in_a_direct_room_a_ban_is_a_block(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob, _] = house.users(["ann", "bob", "cid"]).await;
        let block = ann.bans(&room, "bob").await.expect_ok();
        expect_fields(&block, &WRITTEN);
        assert_eq!((&block["blocker"], &block["room"]), (&"ann".into(), &room.as_str().into()));
        assert_eq!(ann.shuts_out().await, ["bob"]);
        bob.says(&room, "hello?").await.expect_refused("USER_BLOCKED");
        ann.bans(&room, "cid").await.expect_error(404, "ROOM_OR_USER_NOT_FOUND");
        for (who, whom) in [(&ann, "cid"), (&ann, "ghost"), (&ann, "ann"), (&house.platform(), "cid")] {
            who.unbans(&room, whom).await.expect_error_saying(
                404, "Resource not found", "ROOM_OR_USER_NOT_FOUND", "The specified room or user does not exist");
        }
        ann.bans(&room, "bob").await.expect_error(409, "USER_ALREADY_BLOCKED");
        bob.unbans(&room, "ann").await.expect_error(404, "BLOCK_NOT_FOUND");
        ann.unbans(&room, "bob").await.expect_ok();
        bob.said(&room, "hello!").await;
        // With an API key the blocker is the member who is not named.
        let block = house.platform().bans(&room, "ann").await.expect_ok();
        assert_eq!(block["blocker"], "bob");
        assert_eq!(bob.shuts_out().await, ["ann"]);
        assert_eq!(ann.shuts_out().await, [""; 0]);
    }
}
