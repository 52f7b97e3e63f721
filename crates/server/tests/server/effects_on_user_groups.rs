//! Blocks and bans where user groups are in between: people who act through one, and people a group would reach.

use serde_json::json;

use crate::common::House;

each_store! {
    async fn l_21_a_user_group_is_nobodys_mouth(house: House) {
        house.users(["ann", "bob", "kim"]).await;
        let crew = json!({"_id": "crew", "nickname": "Crew", "members": ["bob", "kim"]});
        house.platform().post("/admin/groups", crew).await.expect_ok();
        let room = house.user("ann").await.opens("crew").await.expect_ok();
        let room = room["_id"].as_str().expect("an id").to_owned();
        let [ann, bob, kim] = house.users(["ann", "bob", "kim"]).await;
        let message = bob.said(&room, "for the crew").await;
        // Of one of its people: he is silent, the others are not.
        ann.blocks("bob").await.expect_ok();
        bob.says(&room, "still for the crew").await.expect_refused("USER_BLOCKED");
        bob.edits(&room, &message, "other words").await.expect_refused("USER_BLOCKED");
        bob.reacts(&message, "👍").await.expect_refused("USER_BLOCKED");
        kim.said(&room, "me for the crew").await;
        // Her words would be words to him.
        ann.says(&room, "to the crew").await.expect_refused("USER_BLOCKED");
        ann.unblocks("bob").await.expect_ok();
        bob.said(&room, "again").await;
        ann.said(&room, "to the crew").await;
        // Of the group: nobody speaks there, whoever he is.
        ann.blocks("crew").await.expect_ok();
        for side in [&ann, &bob, &kim] {
            side.says(&room, "hello").await.expect_refused("USER_BLOCKED");
            side.reacts(&message, "👍").await.expect_refused("USER_BLOCKED");
        }
        ann.unblocks("crew").await.expect_ok();
        kim.said(&room, "we are back").await;
        // By one of its people: he does not speak to whom he blocked.
        bob.blocks("ann").await.expect_ok();
        bob.says(&room, "hello").await.expect_refused("USER_BLOCKED");
    }

    async fn l_09_l_21_nor_does_a_user_group_that_holds_him_bring_words(house: House) {
        house.users(["ann", "bob", "kim"]).await;
        let crew = json!({"_id": "crew", "nickname": "Crew", "members": ["ann", "kim"]});
        house.platform().post("/admin/groups", crew).await.expect_ok();
        let [ann, bob, kim] = house.users(["ann", "bob", "kim"]).await;
        ann.blocks("bob").await.expect_ok();
        let before = ann.room_ids().await;
        let room = bob.opens("crew").await.expect_ok();
        let room = room["_id"].as_str().expect("an id");
        bob.says(room, "to the crew").await.expect_refused("USER_BLOCKED");
        assert_eq!((ann.room_ids().await, kim.room_ids().await.len()), (before, 0));
        ann.unblocks("bob").await.expect_ok();
        bob.said(room, "to the crew").await;
        kim.said(room, "welcome").await;
        ann.blocks("bob").await.expect_ok();
        bob.says(room, "again").await.expect_refused("USER_BLOCKED");
        ann.says(room, "for the crew").await.expect_refused("USER_BLOCKED");
        kim.said(room, "he is gone").await;
    }

    async fn l_21_what_a_user_group_keeps_is_not_written_by_the_shut_out(house: House) {
        house.users(["ann", "bob", "olga"]).await;
        let crew = json!({"_id": "crew", "nickname": "Crew", "members": ["ann", "bob"]});
        house.platform().post("/admin/groups", crew).await.expect_ok();
        house.room("den").owner("olga").members(["ann", "bob"]).await;
        let room = house.direct("ann", "bob").await;
        let [ann, bob, olga] = house.users(["ann", "bob", "olga"]).await;
        olga.bans("den", "bob").await.expect_ok();
        ann.blocks("bob").await.expect_ok();
        for (id, code) in [("den", "USER_BANNED"), (room.as_str(), "USER_BLOCKED")] {
            bob.post(&format!("/roomPrefs/{id}/group/crew"), json!({"tags": ["a word"]})).await.expect_refused(code);
        }
        ann.post("/roomPrefs/den/group/crew", json!({"tags": ["mine"]})).await.expect_ok();
    }

    async fn n_13_a_banned_user_group_carries_nobody(house: House) {
        house.room("den").owner("olga").members(["max"]).await;
        let [olga, max] = house.users(["olga", "max"]).await;
        house.users(["ivy", "joe"]).await;
        for (id, people) in [("crew", ["ivy", "max"]), ("team", ["joe", "ivy"])] {
            let group = json!({"_id": id, "nickname": id, "members": people});
            house.platform().post("/admin/groups", group).await.expect_ok();
        }
        olga.invites("den", ["crew"]).await.expect_ok();
        let [ivy, joe] = house.users(["ivy", "joe"]).await;
        ivy.said("den", "by way of the crew").await;
        olga.bans("den", "crew").await.expect_ok();
        ivy.says("den", "again").await.expect_refused("USER_BANNED");
        assert_eq!(ivy.reads("den").await.expect_list().len(), 1, "R-17: she reads, as the banned do");
        max.said("den", "a member of my own").await;
        // Another way in holds, until it is banned as well.
        olga.invites("den", ["team"]).await.expect_ok();
        ivy.said("den", "by way of the team").await;
        olga.bans("den", "team").await.expect_ok();
        for one in [&ivy, &joe] {
            one.says("den", "again").await.expect_refused("USER_BANNED");
        }
        olga.unbans("den", "crew").await.expect_ok();
        ivy.said("den", "by way of the crew").await;
        joe.says("den", "me too").await.expect_refused("USER_BANNED");
        // Of another kind of room under the same id it says nothing: there it could not be lifted.
        house.platform().delete("/rooms/den").await.expect_ok();
        house.platform().post("/rooms", json!({"_id": "den", "roomType": "direct", "members": ["olga", "team"]})).await.expect_ok();
        joe.said("den", "for the team").await;
    }
}
