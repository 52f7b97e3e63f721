//! Rulings that no other file names: whose room an id is, what a block keeps secret, and what
//! comes of bans when rooms, owners and users change.

use serde_json::json;

use crate::common::House;
use crate::sight::{expect_same, sight};

/// The id clients compute for a pair.
fn computed(one: &str, other: &str) -> &'static str {
    match (one, other) {
        ("aaa", "ccc") => "2bec603e94a210092439e83ff2d79ac1",
        ("aaa", "ddd") => "8ab6c2ec1f2ee3f7d46cea03bdca4c9b",
        _ => panic!("no id is written down for {one} and {other}"),
    }
}

each_store! {
    async fn r08_pairs_whose_ids_collide_never_meet(house: House) {
        let [a_b, c, a, b_c] = house.users(["a_b", "c", "a", "b_c"]).await;
        let one = a_b.opens("c").await.expect_ok()["_id"].as_str().unwrap().to_owned();
        let two = a.opens("b_c").await.expect_ok()["_id"].as_str().unwrap().to_owned();
        assert_eq!((one.len(), two.len()), (32, 24), "the second pair gets a fresh id");
        c.said(&one, "for a_b").await;
        b_c.said(&two, "for a").await;
        for stranger in [&a, &b_c] {
            stranger.reads(&one).await.expect_refused("NOT_ROOM_MEMBER");
            stranger.joins(&one).await.expect_some_refusal();
            stranger.says(&one, "x").await.expect_refused("NOT_ROOM_MEMBER");
        }
        assert_eq!(a_b.opens("c").await.expect_ok()["_id"], one);
        assert_eq!(b_c.opens("a").await.expect_ok()["_id"], two);
        assert_eq!((house.said(&one).await, house.said(&two).await), (vec!["for a_b".to_owned()], vec!["for a".to_owned()]));
    }

    async fn r08_r09_who_opens_a_room_gets_the_id_a_block_holds(house: House) {
        let [a_b, c, a, b_c] = house.users(["a_b", "c", "a", "b_c"]).await;
        let one = a_b.blocks("c").await.expect_ok()["room"].as_str().unwrap().to_owned();
        let two = a.opens("b_c").await.expect_ok()["_id"].as_str().unwrap().to_owned();
        // Another id would tell them that somebody has blocked somebody.
        assert_eq!(one, two);
        a.said(&two, "free").await;
        b_c.said(&two, "free").await;
        for stranger in [&a_b, &c] {
            stranger.reads(&two).await.expect_refused("NOT_ROOM_MEMBER");
            stranger.says(&two, "x").await.expect_refused("NOT_ROOM_MEMBER");
        }
        // The block stands where its pair's room has gone.
        let opened = c.opens("a_b").await.expect_ok()["_id"].as_str().unwrap().to_owned();
        assert_ne!(opened, two);
        assert!(a_b.my_blocks().await.expect_list().iter().all(|entry| entry["room"]["_id"] != *two));
        c.says(&opened, "hello").await.expect_refused("USER_BLOCKED");
        assert_eq!(house.said(&two).await, ["free", "free"]);
    }

    async fn r08_blocks_of_colliding_pairs_are_two(house: House) {
        let [a_b, c, a, b_c] = house.users(["a_b", "c", "a", "b_c"]).await;
        let one = a_b.blocks("c").await.expect_ok()["room"].as_str().unwrap().to_owned();
        let two = a.blocks("b_c").await.expect_ok()["room"].as_str().unwrap().to_owned();
        assert_ne!(one, two);
        a_b.unblocks("c").await.expect_ok();
        let opened = c.opens("a_b").await.expect_ok()["_id"].as_str().unwrap().to_owned();
        assert_eq!(opened, one, "nobody claimed it meanwhile");
        c.said(&opened, "hello").await;
        let closed = b_c.opens("a").await.expect_ok()["_id"].as_str().unwrap().to_owned();
        b_c.says(&closed, "hello").await.expect_refused("USER_BLOCKED");
    }

    async fn r08_ids_that_differ_in_case_are_two_people(house: House) {
        let [big, small, bob] = house.users(["A", "a", "bob"]).await;
        let one = big.opens("bob").await.expect_ok()["_id"].as_str().unwrap().to_owned();
        let two = small.opens("bob").await.expect_ok()["_id"].as_str().unwrap().to_owned();
        assert_ne!(one, two);
        big.said(&one, "from A").await;
        small.reads(&one).await.expect_refused("NOT_ROOM_MEMBER");
        big.blocks("bob").await.expect_ok();
        bob.says(&one, "x").await.expect_refused("USER_BLOCKED");
        bob.said(&two, "to a").await;
        let both = small.opens("A").await.expect_ok()["_id"].as_str().unwrap().to_owned();
        small.said(&both, "we are two").await;
        big.reads(&both).await.expect_ok();
    }

    async fn r08_a_room_under_a_pairs_id_lets_nobody_in(house: House) {
        let [aaa, ccc, eve] = house.users(["aaa", "ccc", "eve"]).await;
        let claimed = computed("aaa", "ccc");
        eve.post("/rooms/createAndJoin", json!({"_id": claimed, "roomType": "group"})).await.expect_ok();
        let room = aaa.opens("ccc").await.expect_ok()["_id"].as_str().unwrap().to_owned();
        assert_ne!(room, claimed);
        ccc.said(&room, "private").await;
        eve.reads(&room).await.expect_refused("NOT_ROOM_MEMBER");
        assert_eq!(ccc.opens("aaa").await.expect_ok()["_id"], room);
        aaa.reads(claimed).await.expect_refused("NOT_ROOM_MEMBER");
        assert_eq!(aaa.blocks("ccc").await.expect_ok()["room"], room);
    }

    async fn r09_a_room_that_claims_a_hidden_rooms_id_wins(house: House) {
        let [aaa, ccc, eve] = house.users(["aaa", "ccc", "eve"]).await;
        let hidden = aaa.blocks("ccc").await.expect_ok()["room"].as_str().unwrap().to_owned();
        assert_eq!(hidden, computed("aaa", "ccc"));
        let claim = json!({"_id": hidden, "roomType": "group"});
        let refused_elsewhere = eve.post("/rooms/createAndJoin", json!({"_id": "free", "roomType": "group"})).await;
        refused_elsewhere.expect_ok();
        // To the blocked side the id is free, so it must be for him to take.
        ccc.post("/rooms/createAndJoin", claim).await.expect_ok();
        ccc.said(&hidden, "mine").await;
        aaa.reads(&hidden).await.expect_refused("NOT_ROOM_MEMBER");
        let listed = aaa.my_blocks().await.expect_list();
        let fresh = listed[0]["room"]["_id"].as_str().unwrap();
        assert_eq!(fresh.len(), 24, "the pair gets a fresh id: {fresh}");
        assert_eq!(ccc.opens("aaa").await.expect_ok()["_id"], fresh);
        ccc.says(fresh, "hello").await.expect_refused("USER_BLOCKED");
        assert_eq!(aaa.unblocks("ccc").await.expect_ok()["room"], fresh);
    }

    async fn r09_the_blocked_reads_the_same_before_and_after(house: House) {
        let room = house.direct("ann", "bob").await;
        house.room("den").owner("ann").members(["bob", "cid"]).await;
        let [ann, bob, _] = house.users(["ann", "bob", "cid"]).await;
        ann.said(&room, "a word").await;
        bob.said("den", "a word").await;
        let strangers = house.user("dan").await;
        let (rooms, words) = ([room.as_str(), "den"], ["word", "ann", "den"]);
        let before = sight(&bob, &rooms, &words).await;
        let of_dan = sight(&strangers, &[], &["ann"]).await;
        ann.blocks("bob").await.expect_ok();
        ann.blocks("dan").await.expect_ok();
        expect_same(&before, &sight(&bob, &rooms, &words).await);
        expect_same(&of_dan, &sight(&strangers, &[], &["ann"]).await);
        ann.marks_read(&room, "").await;
        ann.unblocks("bob").await.expect_ok();
        ann.unblocks("dan").await.expect_ok();
        expect_same(&before, &sight(&bob, &rooms, &words).await);
        expect_same(&of_dan, &sight(&strangers, &[], &["ann"]).await);
    }

    async fn r09_a_hidden_room_appears_with_its_first_message(house: House) {
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let room = ann.blocks("bob").await.expect_ok()["room"].as_str().unwrap().to_owned();
        ann.unblocks("bob").await.expect_ok();
        assert_eq!(bob.room_ids().await, [""; 0]);
        ann.said(&room, "hello after all").await;
        assert_eq!(bob.room_ids().await, [room.as_str()]);
        assert_eq!(bob.unread(&room).await, 1);
        let seen = bob.room(&room).await.expect_ok();
        let first = seen["lastMessage"]["createdAtMS"].as_i64().unwrap();
        assert!(seen["createdTimeMS"].as_i64().unwrap() >= first - 1, "its making does not date the block: {seen}");
    }

    async fn r10_two_refusals_read_alike_on_both_sides(house: House) {
        let room = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.blocks("bob").await.expect_ok();
        let [hers, his] = [ann.says(&room, "x").await, bob.says(&room, "x").await];
        assert_eq!(hers.bytes, his.bytes);
    }

    async fn r13_leaving_and_coming_back_does_not_wash_a_ban(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.bans("den", "bob").await.expect_ok();
        bob.leaves("den").await.expect_ok();
        bob.joins("den").await.expect_refused("USER_BANNED");
        assert_eq!(ann.sees_banned("den").await, ["bob"]);
        ann.removes("den", ["bob"]).await.expect_error(404, "MEMBER_NOT_FOUND");
        ann.unbans("den", "bob").await.expect_ok();
        bob.joins("den").await.expect_ok();
    }

    async fn r14_bans_stand_when_the_owner_goes(house: House) {
        house.room("den").owner("ann").members(["bob", "max"]).await;
        let [ann, bob, max] = house.users(["ann", "bob", "max"]).await;
        ann.bans("den", "bob").await.expect_ok();
        ann.updates("den", json!({"owner": "max"})).await.expect_ok();
        ann.leaves("den").await.expect_ok();
        bob.says("den", "x").await.expect_refused("USER_BANNED");
        assert_eq!(ann.shuts_out().await, ["bob"], "it is still hers, and she reads it among her own");
        assert_eq!(max.shuts_out().await, [""; 0]);
        max.unbans("den", "bob").await.expect_ok();
        assert_eq!(ann.shuts_out().await, [""; 0]);
    }

    async fn r16_an_api_key_is_held_to_the_bans_of_whom_it_names(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let ann = house.user("ann").await;
        house.user("bob").await;
        ann.bans("den", "bob").await.expect_ok();
        ann.freezes("den").await.expect_ok_saying("Room frozen successfully");
        let platform = house.platform();
        let as_user = |user: &str| json!({"room": "den", "sender": user, "messageType": "text", "message": "x"});
        platform.post("/messages", as_user("bob")).await.expect_refused("USER_BANNED");
        platform.post("/messages", as_user("ann")).await.expect_ok();
        platform.sends("den", json!({"messageType": "text", "message": "x", "sender": "bob"})).await.expect_refused("USER_BANNED");
        platform.says("den", "passes").await.expect_ok();
        let bad = json!({"room": "den", "sender": "bob", "messageType": "text", "message": "x", "force": "yes"});
        platform.post("/messages", bad).await.expect_some_refusal();
        let batch = json!({"messageType": "text", "message": "x", "sender": "bob", "force": true, "paras": [{"room": "den"}]});
        assert_eq!(platform.post("/messages/batch", batch).await.expect_ok()["refused"], 0);
        assert_eq!(platform.get("/admin/audit?action=force").await.expect_list().len(), 1);
    }

    async fn r16_platform_is_nobodys_name(house: House) {
        let body = json!({"_id": "platform", "nickname": "Not me", "issueAccessToken": true});
        house.platform().post("/admin/clients", body).await.expect_some_refusal();
        house.platform().post("/admin/groups", json!({"_id": "platform", "nickname": "x"})).await.expect_some_refusal();
    }

    async fn r17_a_group_carries_nobody_further_than_himself(house: House) {
        house.users(["bob", "cid"]).await;
        let crew = json!({"_id": "crew", "nickname": "Crew", "members": ["bob", "cid"]});
        house.platform().post("/admin/groups", crew).await.expect_ok();
        house.room("den").owner("ann").members(["crew"]).await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        ann.bans("den", "bob").await.expect_ok();
        bob.says("den", "x").await.expect_refused("USER_BANNED");
        assert_eq!(bob.reads("den").await.status, 200);
        cid.said("den", "free").await;
        bob.invites("den", ["cid"]).await.expect_refused("USER_BANNED");
    }

    async fn r18_keys_are_shown_once(house: House) {
        let ann = house.user("ann").await;
        let token = ann.token().to_owned();
        for path in ["/admin/clients", "/admin/stats", "/admin/audit", "/config", "/metrics"] {
            let answer = house.platform().get(path).await;
            let text = String::from_utf8_lossy(&answer.bytes).into_owned();
            assert!(!text.contains(&token) && !text.contains(&house.keys().api), "{path} tells a secret");
        }
    }

    async fn r20_only_bad_credentials_are_401(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        ann.bans("den", "bob").await.expect_ok();
        for answer in [
            bob.says("den", "x").await,
            bob.bans("den", "ann").await,
            bob.room("nowhere").await,
            bob.clone().with_header("im-client-key", "wrong").get("/me").await,
            bob.clone().without_header("im-client-key").get("/me").await,
            bob.get("/no/such/path").await,
        ] {
            assert_ne!(answer.status, 401, "{answer}");
            answer.expect_some_refusal();
        }
    }

    async fn r28_members_are_removed_by_superusers_alone(house: House) {
        house.room("den").owner("ann").members(["max", "bob", "cid"]).await;
        house.room("commons").members(["bob", "cid"]).await;
        let direct = house.direct("bob", "cid").await;
        let [ann, max, bob] = house.users(["ann", "max", "bob"]).await;
        ann.sets("den", "max", "role", "admin").await.expect_ok();
        for room in ["den", "commons", &direct] {
            bob.removes(room, ["cid"]).await.expect_error_saying(
                403,
                "Permission denied",
                "INSUFFICIENT_PERMISSIONS",
                "Only room owner, manager, or platform admin can remove members",
            );
        }
        max.removes("den", ["cid"]).await.expect_ok();
        house.platform().removes("commons", ["cid"]).await.expect_ok();
        bob.leaves("den").await.expect_ok();
    }
}
