//! Every path by which a banned user could still act in the room: the rows `N-…` of the effect
//! matrix. Olga owns the den, Max is a member, Xen is banned. Rows whose paths are not served yet
//! stand in `docs/moderation.md` as open.

use futures_util::future::join;
use serde_json::json;

use crate::common::{Caller, House};
use crate::sight::{expect_same, sight};

/// The den with everybody in it and Xen banned.
async fn den(house: &House) -> [Caller; 3] {
    house.room("den").owner("olga").members(["max", "xen"]).await;
    let people = house.users(["olga", "max", "xen"]).await;
    people[0].bans("den", "xen").await.expect_ok();
    people
}

each_store! {
    async fn n_02_no_path_carries_the_banneds_words(house: House) {
        let [olga, _, xen] = den(&house).await;
        let before = sight(&olga, &["den"], &["hello"]).await;
        xen.says("den", "hello").await.expect_refused("USER_BANNED");
        let platform = house.platform();
        let words = json!({"room": "den", "sender": "xen", "messageType": "text", "message": "hello"});
        platform.post("/messages", words.clone()).await.expect_refused("USER_BANNED");
        platform.sends("den", words.clone()).await.expect_refused("USER_BANNED");
        let batch = json!({"sender": "xen", "messageType": "text", "message": "hello", "paras": [{"room": "den"}]});
        assert_eq!(platform.post("/messages/batch", batch).await.expect_ok()["refused"], 1);
        let own = json!({"messageType": "text", "message": "hello", "paras": [{"room": "den"}]});
        assert_eq!(xen.post("/messages/batch", own).await.expect_ok()["refused"], 1);
        expect_same(&before, &sight(&olga, &["den"], &["hello"]).await);

        let mut forced = words;
        forced["force"] = json!(true);
        platform.post("/messages", forced).await.expect_ok();
        assert_eq!(house.said("den").await, ["hello"]);
        assert_eq!(platform.get("/admin/audit?action=force&target=xen").await.expect_list().len()
            + platform.get("/admin/audit?action=force&actor=xen").await.expect_list().len(), 1);
    }

    async fn n_04_the_banned_reads_on(house: House) {
        let [olga, _, xen] = den(&house).await;
        let message = olga.said("den", "for all").await;
        assert_eq!(xen.room_ids().await, ["den"]);
        let seen = xen.room("den").await.expect_ok();
        assert_eq!(seen["lastMessage"]["_id"], message);
        assert_eq!(xen.sees_members("den").await, ["max", "olga", "xen"]);
        assert_eq!(xen.reads("den").await.expect_list()[0]["_id"], message);
    }

    async fn n_05_the_banned_does_not_come_back(house: House) {
        let [olga, max, xen] = den(&house).await;
        xen.joins("den").await.expect_refused("USER_BANNED");
        xen.leaves("den").await.expect_ok();
        assert_eq!(olga.sees_members("den").await, ["max", "olga"]);
        xen.joins("den").await.expect_refused("USER_BANNED");
        xen.post("/rooms/createAndJoin", json!({"_id": "den", "roomType": "group"})).await.expect_refused("USER_BANNED");
        max.invites("den", ["xen"]).await.expect_refused("INSUFFICIENT_PERMISSIONS");
        olga.invites("den", ["xen"]).await.expect_refused("USER_BANNED");
        house.platform().invites("den", ["xen"]).await.expect_refused("USER_BANNED");
        house.platform().post("/rooms", json!({"_id": "den", "members": ["xen"]})).await.expect_error(409, "ROOM_ALREADY_EXISTS");
        assert_eq!(olga.sees_members("den").await, ["max", "olga"]);
        olga.unbans("den", "xen").await.expect_ok();
        olga.invites("den", ["xen"]).await.expect_ok();
        xen.said("den", "back").await;
    }

    async fn n_05_a_refused_invitation_brings_nobody_in(house: House) {
        let [olga, max, _] = den(&house).await;
        house.user("new").await;
        house.user("xen").await.leaves("den").await.expect_ok();
        olga.invites("den", ["new", "xen"]).await.expect_refused("USER_BANNED");
        max.invites("den", ["new", "xen"]).await.expect_refused("INSUFFICIENT_PERMISSIONS");
        assert_eq!(olga.sees_members("den").await, ["max", "olga"], "all or nothing");
    }

    async fn n_06_the_banned_changes_nothing(house: House) {
        house.room("den").owner("olga").members(["max", "xen"]).await;
        let [olga, xen] = house.users(["olga", "xen"]).await;
        let [hers, his] = [olga.said("den", "hers").await, xen.said("den", "his").await];
        xen.reacts(&hers, "👍").await.expect_ok();
        house.room("hall").owner("olga").await;
        house.user("guest").await;
        olga.sets("den", "xen", "role", "admin").await.expect_ok();
        olga.bans("den", "xen").await.expect_ok();
        let before = sight(&olga, &["den"], &["his"]).await;
        for refused in [
            xen.edits("den", &his, "x").await,
            xen.edits("den", &hers, "x").await,
            xen.recalls("den", &his).await,
            xen.recalls("den", &hers).await,
            xen.erases("den", &his).await,
            xen.erases("den", &hers).await,
            xen.erases("den", "_all").await,
            xen.pins(&his).await,
            xen.unpins(&his).await,
            xen.reacts(&hers, "👎").await,
            xen.unreacts(&hers, "👍").await,
            xen.invites("den", ["guest"]).await,
            xen.removes("den", ["max"]).await,
            xen.updates("den", json!({"name": "mine"})).await,
            xen.updates("den", json!({"status": 0})).await,
            xen.updates("den", json!({"managers": ["xen"]})).await,
            xen.sets("den", "xen", "score", 9).await,
            xen.sets("den", "max", "role", "admin").await,
        ] {
            refused.expect_refused("USER_BANNED");
        }
        expect_same(&before, &sight(&olga, &["den"], &["his"]).await);
    }

    async fn n_07_nobody_sees_how_far_the_banned_has_read(house: House) {
        let [olga, max, xen] = den(&house).await;
        let message = olga.said("den", "read me").await;
        let before = [sight(&olga, &["den"], &[]).await, sight(&max, &["den"], &[]).await];
        xen.marks_read("den", &message).await.expect_ok();
        assert_eq!(xen.unread("den").await, 0);
        expect_same(&before[0], &sight(&olga, &["den"], &[]).await);
        expect_same(&before[1], &sight(&max, &["den"], &[]).await);
    }

    async fn n_08_n_09_the_banned_counts_as_any_reader(house: House) {
        let [olga, _, xen] = den(&house).await;
        let mention = json!({"messageType": "text", "message": "@xen look", "mentions": ["xen"]});
        olga.sends("den", mention).await.expect_ok();
        let seen = xen.room("den").await.expect_ok();
        assert_eq!((&seen["unread"], &seen["isMentioned"]), (&json!(1), &json!(true)));
        assert_eq!(xen.badge().await, 1);
        assert_eq!(xen.reads("den").await.expect_list()[0]["mentions"], json!(["xen"]));
    }

    async fn n_10_the_banned_searches_what_he_may_read(house: House) {
        let [olga, _, xen] = den(&house).await;
        let message = olga.said("den", "heron").await;
        let found = xen.searches("heron").await.expect_ok();
        assert_eq!(found["messages"][0]["messages"], json!([message]));
    }

    async fn n_11_a_new_token_is_no_new_user(house: House) {
        let [_, _, xen] = den(&house).await;
        xen.says("den", "x").await.expect_refused("USER_BANNED");
        let issued = house.platform().post("/admin/clients", json!({"_id": "xen", "issueAccessToken": true})).await.expect_ok();
        let opaque = format!("opaque-{}", house.keys().app);
        house.platform().post("/admin/clients", json!({"_id": "xen", "token": opaque})).await.expect_ok();
        for token in [issued["token"].as_str().unwrap(), &opaque] {
            let xen = house.bearer("xen", token).with_header("im-device-id", "another");
            xen.says("den", "x").await.expect_refused("USER_BANNED");
        }
        assert_eq!(house.said("den").await, [""; 0]);
    }

    async fn n_13_a_user_group_does_not_carry_the_banned(house: House) {
        let [olga, max, xen] = den(&house).await;
        house.user("ivy").await;
        xen.leaves("den").await.expect_ok();
        let crew = json!({"_id": "crew", "nickname": "Crew", "members": ["xen", "ivy"]});
        house.platform().post("/admin/groups", crew).await.expect_ok();
        olga.invites("den", ["crew"]).await.expect_ok();
        let ivy = house.user("ivy").await;
        ivy.said("den", "by way of the crew").await;
        let message = max.said("den", "hello").await;
        xen.says("den", "me too").await.expect_refused("USER_BANNED");
        xen.reacts(&message, "👍").await.expect_refused("USER_BANNED");
        assert_eq!(xen.reads("den").await.expect_list().len(), 2, "R-17: he reads, as the banned do");
    }

    async fn n_14_robots_speak_for_themselves(house: House) {
        den(&house).await;
        let robot = json!({"_id": "bot", "isRobot": true});
        house.platform().post("/admin/clients", robot).await.expect_ok();
        house.platform().bans("den", "bot").await.expect_ok();
        let words = json!({"room": "den", "sender": "bot", "messageType": "text", "message": "beep"});
        house.platform().post("/messages", words).await.expect_ok();
        assert_eq!(house.said("den").await, ["beep"]);
    }

    async fn n_15_a_stranger_can_be_banned_in_advance(house: House) {
        let [olga, _, _] = den(&house).await;
        let yan = house.user("yan").await;
        olga.bans("den", "yan").await.expect_ok();
        assert_eq!(olga.sees_banned("den").await, ["yan", "xen"]);
        yan.joins("den").await.expect_refused("USER_BANNED");
        olga.bans("den", "ghost").await.expect_error(404, "ROOM_OR_USER_NOT_FOUND");
        olga.unbans("den", "yan").await.expect_ok();
        yan.joins("den").await.expect_ok();
    }

    async fn n_16_who_may_not_read_the_ban_list(house: House) {
        let [olga, max, xen] = den(&house).await;
        house.room("hall").owner("zoe").await;
        let zoe = house.user("zoe").await;
        olga.sets("den", "max", "role", "admin").await.expect_ok();
        for reader in [&max, &xen, &zoe] {
            let said = reader.bans_of("den").await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
            assert_eq!(said.1, "Only room owner can view blocklist in group chat rooms");
            reader.bans_of("no-room").await.expect_error(404, "ROOM_NOT_FOUND");
        }
    }

    async fn n_17_a_new_owner_takes_over_the_bans(house: House) {
        let [olga, max, xen] = den(&house).await;
        olga.updates("den", json!({"owner": "max"})).await.expect_ok();
        olga.bans_of("den").await.expect_refused("INSUFFICIENT_PERMISSIONS");
        olga.unbans("den", "xen").await.expect_refused("INSUFFICIENT_PERMISSIONS");
        olga.bans("den", "max").await.expect_refused("INSUFFICIENT_PERMISSIONS");
        xen.says("den", "free?").await.expect_refused("USER_BANNED");
        assert_eq!(max.sees_banned("den").await, ["xen"]);
        max.unbans("den", "xen").await.expect_ok();
        xen.said("den", "free").await;
    }

    async fn n_18_nobody_bans_himself_or_the_owner(house: House) {
        let [olga, max, _] = den(&house).await;
        olga.bans("den", "olga").await.expect_error_saying(
            400,
            "Cannot block yourself",
            "SELF_BLOCK_FORBIDDEN",
            "Users cannot block themselves",
        );
        max.bans("den", "olga").await.expect_refused("INSUFFICIENT_PERMISSIONS");
        max.bans("den", "max").await.expect_some_refusal();
        house.platform().bans("den", "olga").await.expect_ok();
        olga.says("den", "my own den").await.expect_refused("USER_BANNED");
    }

    async fn n_19_two_who_ban_and_unban_at_once_leave_no_half(house: House) {
        let [olga, _, xen] = den(&house).await;
        let platform = house.platform();
        for _ in 0..15 {
            join(platform.bans("den", "xen"), olga.unbans("den", "xen")).await;
            let listed = olga.sees_banned("den").await;
            let spoke = xen.says("den", "now?").await.status == 200;
            assert_eq!(listed.is_empty(), spoke, "the list says {listed:?}, speaking: {spoke}");
        }
        let audit = platform.get("/admin/audit?room=den&limit=100").await.expect_list();
        let count = |action: &str| audit.iter().filter(|entry| entry["action"] == action).count();
        let active = olga.sees_banned("den").await.len();
        assert_eq!(count("ban"), count("unban") + active, "every change is on record, and no other");
    }

    async fn n_21_the_strongest_that_remains_holds(house: House) {
        let [olga, max, xen] = den(&house).await;
        olga.freezes("den").await.expect_ok_saying("Room frozen successfully");
        xen.says("den", "x").await.expect_refused("USER_BANNED");
        max.says("den", "x").await.expect_refused("ROOM_FROZEN");
        olga.unbans("den", "xen").await.expect_ok();
        xen.says("den", "x").await.expect_refused("ROOM_FROZEN");
        olga.bans("den", "xen").await.expect_ok();
        olga.thaws("den").await.expect_ok();
        xen.says("den", "x").await.expect_refused("USER_BANNED");
        max.said("den", "ok").await;
        olga.unbans("den", "xen").await.expect_ok();
        xen.said("den", "ok").await;
    }

    async fn n_24_deleting_the_room_does_not_free_the_banned(house: House) {
        let [olga, _, xen] = den(&house).await;
        olga.delete("/rooms/den").await.expect_ok();
        assert_eq!(olga.shuts_out().await, [""; 0], "a deleted room's bans leave all lists");
        olga.bans_of("den").await.expect_error(404, "ROOM_NOT_FOUND");
        house.room("den").owner("olga").members(["max"]).await;
        xen.joins("den").await.expect_refused("USER_BANNED");
        assert_eq!(olga.sees_banned("den").await, ["xen"]);
        assert_eq!(olga.shuts_out().await, ["xen"]);
    }

    async fn n_25_an_unban_frees_at_once(house: House) {
        let [olga, _, xen] = den(&house).await;
        let message = olga.said("den", "while banned").await;
        olga.unbans("den", "xen").await.expect_ok();
        xen.said("den", "thanks").await;
        assert_eq!(olga.sees_members("den").await, ["max", "olga", "xen"]);
        assert_eq!(xen.reads("den").await.expect_list()[1]["_id"], message);
    }

    async fn n_28_words_are_masked_wherever_they_stand(house: House) {
        let [olga, max, _] = den(&house).await;
        let words = json!({"censorship": {"keywords": ["badger", "獾"]}});
        house.platform().post("/config", words).await.expect_ok();
        let message = max.said("den", "a badger here").await;
        max.edits("den", &message, "two badgers, 獾").await.expect_ok();
        let batch = json!({"messageType": "text", "message": "badger!", "sender": "max", "paras": [{"room": "den"}]});
        house.platform().post("/messages/batch", batch).await.expect_ok();
        assert_eq!(house.said("den").await, ["two ******s, *", "******!"]);
        house.platform().post("/admin/clients", json!({"_id": "max", "nickname": "Badger badger"})).await.expect_ok();
        assert_eq!(max.get("/me").await.expect_ok()["nickname"], "Badger ******");
        olga.updates("den", json!({"name": "the badger's den"})).await.expect_ok();
        assert_eq!(olga.room("den").await.expect_ok()["name"], "the ******'s den");
        let named = json!({"_id": "earth", "roomType": "group", "name": "badger earth"});
        assert_eq!(olga.post("/rooms/createAndJoin", named).await.expect_ok()["name"], "****** earth");
    }

    async fn n_29_everybody_reads_the_configuration_and_only_the_platform_writes_it(house: House) {
        let [_, max, _] = den(&house).await;
        let words = json!({"censorship": {"keywords": ["badger"]}, "announcement": {"text": "hi", "pin": true}});
        house.platform().post("/config", words.clone()).await.expect_ok();
        assert_eq!(max.get("/config").await.expect_ok(), words);
        max.post("/config", json!({"a": 1})).await.expect_refused("INSUFFICIENT_PERMISSIONS");
    }
}
