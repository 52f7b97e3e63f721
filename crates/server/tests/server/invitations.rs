//! Being asked into rooms: who is asked, who learns of it, and what becomes of it.

use banter_server::ServeSettings;
use serde_json::{Value, json};

use crate::common::{Answer, Caller, House};
use crate::host::Own;
use crate::sight::{expect_same, sight};

impl Caller {
    /// Asks users into a room.
    async fn asks_in<const N: usize>(&self, room: &str, users: [&str; N]) -> Answer {
        let body = json!({"invitees": users.as_slice(), "invitationRequired": true, "systemMessage": true});
        self.post(&format!("/rooms/{room}/members"), body).await
    }

    /// The rooms he is asked into.
    async fn is_asked_into(&self) -> Vec<String> {
        names(&self.get("/rooms/invitations").await, "room")
    }
}

fn names(list: &Answer, whose: &str) -> Vec<String> {
    list.expect_list().iter().map(|one| one[whose]["_id"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Asks until the server's clock shows another second.
async fn a_second_ends(house: &House) {
    let shown = async || {
        let answer = house.http().get(format!("{}/healthz", house.base())).send().await.expect("an answer");
        answer.headers()["date"].clone()
    };
    let begun = shown().await;
    while shown().await == begun {}
}

each_store! {
    async fn who_is_asked_comes_when_he_joins(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob, cid, eve] = house.users(["ann", "bob", "cid", "eve"]).await;
        let seen = bob.asks_in("den", ["cid"]).await.expect_ok();
        assert_eq!(seen["members"].as_array().unwrap().len(), 2, "he is asked, and not there: {seen}");
        assert_eq!(house.said("den").await, [""; 0], "nothing is said about it");
        let mine = cid.get("/rooms/invitations").await.expect_ok();
        let one = &mine["data"][0];
        assert_eq!((&mine["totalCount"], &one["inviter"]["_id"], &one["room"]["_id"]), (&json!(1), &json!("bob"), &json!("den")));
        assert_eq!((&one["room"]["members"], &one["room"]["isSuperuser"]), (&json!([]), &json!(false)), "from outside: {one}");
        assert!(one["createdTimeMS"].is_i64() && one["createdAt"].is_string() && one["room"].get("unread").is_none(), "{one}");
        let of_room = ann.get("/rooms/den/invitations").await.expect_list();
        assert_eq!((of_room.len(), &of_room[0]["invitee"]["_id"], of_room[0].get("room")), (1, &json!("cid"), None));
        eve.get("/rooms/den/invitations").await.expect_refused("NOT_ROOM_MEMBER");
        cid.reads("den").await.expect_refused("NOT_ROOM_MEMBER");
        cid.joins("den").await.expect_ok();
        cid.said("den", "here").await;
        assert!(cid.is_asked_into().await.is_empty() && ann.get("/rooms/den/invitations").await.expect_list().is_empty());
    }

    async fn an_invitation_opens_a_closed_room_and_nothing_else(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob, cid, dan, eve] = house.users(["ann", "bob", "cid", "dan", "eve"]).await;
        bob.asks_in("den", ["eve"]).await.expect_ok();
        ann.updates("den", json!({"opening": 0})).await.expect_ok();
        bob.asks_in("den", ["cid"]).await.expect_refused("ROOM_CLOSED");
        ann.asks_in("den", ["cid", "dan"]).await.expect_ok();
        // Who asked her in could not bring her himself by now.
        eve.joins("den").await.expect_refused("ROOM_CLOSED");
        cid.joins("den").await.expect_ok();
        ann.freezes("den").await.expect_ok_saying("Room frozen successfully");
        dan.joins("den").await.expect_refused("ROOM_FROZEN");
        ann.thaws("den").await.expect_ok();
        dan.joins("den").await.expect_ok();
    }

    async fn l_08_whoever_blocks_the_inviter_hears_nothing_of_the_invitations_end(house: House) {
        house.room("den").owner("cid").members(["bob"]).await;
        let [ann, bob, _] = house.users(["ann", "bob", "cid"]).await;
        let Some(of_ann) = house.listens(&ann).await else { return };
        bob.asks_in("den", ["ann"]).await.expect_ok();
        of_ann.hears("invitation", |_| true).await;
        ann.blocks("bob").await.expect_ok();
        let before = of_ann.heard_until_now(&house, &ann).await.len();
        bob.post("/rooms/den/delete/invitations", json!({"invitees": ["ann"]})).await.expect_ok();
        let heard = of_ann.heard_until_now(&house, &ann).await;
        assert!(heard[before..].iter().all(|(event, payload)| event == "room" && payload["_id"] != "den"), "{:#?}", &heard[before..]);
    }

    async fn invitations_are_declined_and_taken_back(house: House) {
        house.room("den").owner("ann").members(["bob", "max"]).await;
        let [ann, bob, max, cid, dan] = house.users(["ann", "bob", "max", "cid", "dan"]).await;
        house.users(["eve", "fay"]).await;
        bob.asks_in("den", ["cid", "dan", "eve"]).await.expect_ok();
        ann.asks_in("den", ["fay"]).await.expect_ok();
        assert!(names(&cid.delete("/rooms/den/invitations").await, "room").is_empty());
        cid.delete("/rooms/den/invitations").await.expect_ok();
        cid.delete("/rooms/nowhere/invitations").await.expect_ok();
        max.post("/rooms/den/delete/invitations", json!({"invitees": ["dan"]})).await.expect_refused("INSUFFICIENT_PERMISSIONS");
        bob.post("/rooms/den/delete/invitations", json!({"invitees": ["fay"]})).await.expect_refused("INSUFFICIENT_PERMISSIONS");
        cid.post("/rooms/den/delete/invitations", json!({"invitees": ["dan"]})).await.expect_refused("NOT_ROOM_MEMBER");
        let rest = bob.post("/rooms/den/delete/invitations", json!({"invitees": ["dan"], "systemMessage": true})).await;
        assert_eq!(names(&rest, "invitee").len(), 2);
        let words = ann.room("den").await.expect_ok()["lastMessage"].clone();
        assert_eq!((&words["messageType"], &words["extra"]["invitees"][0]["_id"]), (&json!("cancelInvitations"), &json!("dan")));
        assert!(dan.is_asked_into().await.is_empty());
        assert_eq!(names(&ann.delete("/rooms/den/invitations/eve").await, "invitee"), ["fay"]);
        ann.delete("/rooms/den/invitations/eve").await.expect_ok();
        ann.post("/rooms/den/delete/invitations", json!({})).await.expect_error(400, "MISSING_PARAMETER");
    }

    async fn whoever_is_there_already_or_asked_again_is_one(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        ann.asks_in("den", ["bob"]).await.expect_ok();
        assert!(bob.is_asked_into().await.is_empty(), "he is there already");
        bob.asks_in("den", ["cid"]).await.expect_ok();
        ann.asks_in("den", ["cid"]).await.expect_ok();
        let asked = cid.get("/rooms/invitations").await.expect_list();
        assert_eq!((asked.len(), &asked[0]["inviter"]["_id"]), (1, &json!("ann")), "who asked last");
        ann.invites("den", ["cid"]).await.expect_ok();
        assert!(cid.is_asked_into().await.is_empty(), "he was brought in");
        let opened = json!({"roomType": "group", "_id": "hall", "invitee": ["bob"], "invitationRequired": true});
        let hall = ann.post("/rooms/createAndJoin", opened).await.expect_ok();
        assert_eq!((hall["members"].as_array().unwrap().len(), bob.is_asked_into().await), (1, vec!["hall".to_owned()]));
        let direct = json!({"roomType": "direct", "invitee": "bob", "invitationRequired": true});
        let direct = ann.post("/rooms/createAndJoin", direct).await.expect_ok();
        assert_eq!(direct["members"].as_array().unwrap().len(), 2, "into a direct room nobody is asked");
        let crew = json!({"_id": "crew", "nickname": "Crew", "members": ["dan"]});
        house.user("dan").await;
        house.platform().post("/admin/groups", crew).await.expect_ok();
        let seen = ann.asks_in("hall", ["crew"]).await.expect_ok();
        assert_eq!(seen["members"].as_array().unwrap().len(), 2, "a user group cannot answer: it comes at once");
    }

    async fn l_08_who_is_kept_apart_is_not_asked_either_and_nobody_is_told(house: House) {
        house.room("den").owner("bob").members(["cid"]).await;
        house.room("yard").owner("ann").members(["cid"]).await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        ann.blocks("bob").await.expect_ok();
        let (before, of_bob) = (sight(&ann, &["den"], &[]).await, sight(&bob, &["yard"], &[]).await);
        bob.asks_in("den", ["ann"]).await.expect_ok();
        ann.asks_in("yard", ["bob"]).await.expect_ok();
        let group = json!({"_id": "two", "roomType": "group", "invitee": ["ann"], "invitationRequired": true});
        bob.post("/rooms/createAndJoin", group).await.expect_ok();
        expect_same(&before, &sight(&ann, &["den"], &[]).await);
        assert_eq!(of_bob["/rooms/invitations"], sight(&bob, &["yard"], &[]).await["/rooms/invitations"]);
        // Groups are unaffected by a block: a third one may.
        cid.asks_in("den", ["ann"]).await.expect_ok();
        assert_eq!(ann.is_asked_into().await, ["den"]);
        // And the blocked side cannot make it his own.
        bob.asks_in("den", ["ann"]).await.expect_ok();
        assert_eq!(ann.get("/rooms/invitations").await.expect_list()[0]["inviter"]["_id"], "cid");
    }

    async fn l_08_a_block_ends_what_the_blocked_had_asked_and_he_cannot_tell(house: House) {
        house.room("den").owner("bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        bob.asks_in("den", ["ann"]).await.expect_ok();
        bob.updates("den", json!({"opening": 0})).await.expect_ok();
        let before = bob.get("/rooms/den/invitations").await.body();
        ann.blocks("bob").await.expect_ok();
        assert!(ann.is_asked_into().await.is_empty());
        assert_eq!(ann.get("/rooms/invitations").await.expect_ok()["totalCount"], 0);
        assert_eq!(bob.get("/rooms/den/invitations").await.body(), before, "r09: his list does not tell");
        ann.joins("den").await.expect_refused("ROOM_CLOSED");
        ann.unblocks("bob").await.expect_ok();
        assert_eq!(ann.is_asked_into().await, ["den"]);
        // The other way round nothing that was there goes away: it would tell the blocked.
        house.room("yard").owner("ann").await;
        ann.asks_in("yard", ["bob"]).await.expect_ok();
        let of_bob = bob.get("/rooms/invitations").await.body();
        ann.blocks("bob").await.expect_ok();
        assert_eq!(bob.get("/rooms/invitations").await.body(), of_bob);
    }

    async fn n_05_the_banned_is_not_asked_and_does_not_come_by_an_older_invitation(house: House) {
        house.room("den").owner("ann").members(["max"]).await;
        let [ann, max, xen] = house.users(["ann", "max", "xen"]).await;
        max.asks_in("den", ["xen"]).await.expect_ok();
        ann.bans("den", "xen").await.expect_ok();
        xen.joins("den").await.expect_refused("USER_BANNED");
        assert_eq!(xen.is_asked_into().await, ["den"], "the invitation is not used up");
        ann.asks_in("den", ["xen"]).await.expect_refused("USER_BANNED");
        max.asks_in("den", ["xen"]).await.expect_refused("INSUFFICIENT_PERMISSIONS");
        ann.unbans("den", "xen").await.expect_ok();
        xen.joins("den").await.expect_ok();
        ann.bans("den", "max").await.expect_ok();
        house.user("eve").await;
        max.asks_in("den", ["eve"]).await.expect_refused("USER_BANNED");
        max.post("/rooms/den/delete/invitations", json!({"invitees": ["eve"]})).await.expect_refused("USER_BANNED");
    }

    async fn invitations_go_with_their_room_and_their_people(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        bob.asks_in("den", ["cid"]).await.expect_ok();
        house.platform().delete("/admin/clients/bob").await.expect_ok();
        assert!(cid.is_asked_into().await.is_empty());
        ann.asks_in("den", ["cid"]).await.expect_ok();
        ann.delete("/rooms/den").await.expect_ok();
        assert!(cid.is_asked_into().await.is_empty());
        house.room("den").owner("ann").await;
        assert!(cid.is_asked_into().await.is_empty(), "a new room of the id asks nobody");
    }

    async fn who_is_asked_hears_it_on_all_his_devices_and_nobody_else_does(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        let Some(one) = house.listens(&cid).await else { return };
        let [two, other] = [house.listens(&cid).await.unwrap(), house.listens(&bob).await.unwrap()];
        ann.asks_in("den", ["cid"]).await.expect_ok();
        for socket in [&one, &two] {
            let asked = socket.hears("invitation", |_| true).await;
            assert_eq!((&asked["room"]["_id"], &asked["inviter"]["_id"]), (&json!("den"), &json!("ann")), "{asked}");
            assert!(asked["createdTimeMS"].is_i64() && asked["updatedTimeMS"].is_i64(), "{asked}");
        }
        ann.delete("/rooms/den/invitations/cid").await.expect_ok();
        for socket in [&one, &two] {
            assert_eq!(socket.hears("cancelInvitation", |_| true).await, json!({"room": "den"}));
        }
        let heard = other.heard_until_now(&house, &bob).await;
        assert!(heard.is_empty(), "{heard:?}");
    }

    async fn l_08_no_invitation_is_heard_across_a_block(house: House) {
        house.room("den").owner("bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let Some(socket) = house.listens(&ann).await else { return };
        ann.blocks("bob").await.expect_ok();
        let before = socket.heard_until_now(&house, &ann).await.len();
        bob.asks_in("den", ["ann"]).await.expect_ok();
        let heard = socket.heard_until_now(&house, &ann).await;
        let more: Vec<&Value> = heard[before..].iter().filter(|(event, _)| event != "room").map(|(_, payload)| payload).collect();
        assert!(more.is_empty(), "{more:?}");
    }

    async fn l_08_the_end_of_an_invitation_is_not_heard_across_a_block_that_came_before_it_could_be(house: House) {
        let mut own = Own::over(&house).await;
        let here = own.start(ServeSettings::default()).await;
        for room in ["den", "hall"] {
            here.room(room).owner("bob").await;
        }
        let [ann, bob, cid] = here.users(["ann", "bob", "cid"]).await;
        let Some(socket) = here.listens(&ann).await else { return };
        here.room("loft").owner("cid").await;
        for (inviter, room) in [(&bob, "den"), (&bob, "hall"), (&cid, "loft")] {
            inviter.asks_in(room, ["ann"]).await.expect_ok();
            socket.hears("invitation", |asked| asked["room"]["_id"] == room).await;
        }
        bob.delete("/rooms/hall/invitations/ann").await.expect_ok();
        socket.hears("cancelInvitation", |gone| gone["room"] == "hall").await;
        let there = own.beside(&here).await;
        a_second_ends(&here).await;
        // Nobody here is told of these yet.
        there.platform_for("bob").delete("/rooms/den/invitations/ann").await.expect_ok();
        there.platform_for("cid").delete("/rooms/loft/invitations/ann").await.expect_ok();
        there.platform_for("ann").blocks("bob").await.expect_ok();
        a_second_ends(&here).await;
        let heard = socket.heard_until_now(&here, &ann).await;
        let gone: Vec<&Value> = heard.iter().filter(|(event, _)| event == "cancelInvitation").map(|(_, payload)| &payload["room"]).collect();
        assert_eq!(gone, [&json!("hall"), &json!("loft")]);
        own.stop().await;
    }
}
