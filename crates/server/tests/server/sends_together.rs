//! Sends that wait for one another go together (docs/decisions/0025), and nobody can tell.

use futures_util::future::{Either, join_all, select};
use serde_json::json;

use crate::common::{Caller, House};
use crate::host::Own;

each_store! {
    async fn each_of_many_hears_what_became_of_his_own(house: House) {
        for room in ["den", "attic", "cellar"] {
            house.room(room).owner("ann").members(["bob", "cat", "dan", "eve"]).await;
        }
        let [ann, bob, cat, dan, eve] = house.users(["ann", "bob", "cat", "dan", "eve"]).await;
        let fox = house.user("fox").await;
        let again = json!({"_id": "bob", "issueAccessToken": true});
        let again = house.platform().post("/admin/clients", again).await.expect_ok();
        let bobs_other_phone = house.bearer("bob", again["token"].as_str().unwrap());
        ann.bans("den", "dan").await.expect_ok();
        ann.freezes("cellar").await.expect_ok_saying("Room frozen successfully");
        for _ in 0..12 {
            let wishes = [
                (&bob, "den", None),
                (&bobs_other_phone, "den", None),
                (&cat, "den", None),
                (&cat, "den", None),
                (&dan, "den", Some((403, "USER_BANNED"))),
                (&dan, "attic", None),
                (&fox, "den", Some((403, "NOT_ROOM_MEMBER"))),
                (&bob, "attic", None),
                (&eve, "cellar", Some((403, "ROOM_FROZEN"))),
                (&eve, "nowhere", Some((403, "NOT_ROOM_MEMBER"))),
            ];
            let say = async |(who, room, refusal): (&Caller, &str, Option<(u16, &str)>)| {
                let answer = who.says(room, "all at once").await;
                match refusal {
                    None => drop(answer.expect_ok()),
                    Some((status, code)) => drop(answer.expect_error(status, code)),
                }
            };
            join_all(wishes.into_iter().map(say)).await;
        }
        for (room, count) in [("den", 48), ("attic", 24), ("cellar", 0)] {
            assert_eq!(ann.get(&format!("/rooms/{room}/count")).await.expect_ok()["count"], count, "{room}");
        }
        // What one writes one has read, and so has everything before it.
        assert_eq!((ann.unread("den").await, ann.unread("attic").await, eve.unread("den").await), (48, 24, 48));
        let unread = [bob.unread("den").await, cat.unread("den").await];
        assert!(unread.contains(&0) && unread.iter().all(|unread| *unread < 4), "{unread:?}");
        assert_eq!(bob.unread("attic").await + dan.unread("attic").await, 1);
    }

    async fn whose_token_is_revoked_is_left_out(house: House) {
        house.room("den").owner("ann").members(["bob", "cat"]).await;
        let [bob, cat] = house.users(["bob", "cat"]).await;
        bob.said("den", "before").await;
        let platform = house.platform();
        let says = async |who: &Caller| who.says("den", "at the same time").await;
        let (revoked, answers) = tokio::join!(
            platform.delete("/admin/clients/bob/token"),
            join_all([&bob, &cat, &bob, &cat].map(says)),
        );
        revoked.expect_ok();
        for answer in [&answers[1], &answers[3]] {
            answer.expect_ok();
        }
        assert!([&answers[0], &answers[2]].iter().all(|answer| [200, 401].contains(&answer.status)));
        assert_eq!(bob.says("den", "after").await.status, 401);
    }

    async fn who_hangs_up_takes_nobody_with_him(house: House) {
        house.room("den").owner("ann").members(["bob", "cat", "dan"]).await;
        let [ann, bob, cat, dan] = house.users(["ann", "bob", "cat", "dan"]).await;
        let mut told = 0;
        for _ in 0..30 {
            let stays = [&bob, &dan].map(async |who: &Caller| who.says("den", "I stay").await.expect_ok());
            let first = select(Box::pin(join_all(stays)), Box::pin(cat.says("den", "I may go"))).await;
            // Whoever was slower is gone in the middle of it, as far as he came.
            told += match first {
                Either::Left(_) => 2,
                Either::Right((answer, stays)) => {
                    answer.expect_ok();
                    stays.await;
                    3
                }
            };
        }
        // What she had begun to say gets in before this is answered, or never.
        house.platform().delete("/admin/clients/cat/token").await.expect_ok();
        let count = ann.get("/rooms/den/count").await.expect_ok()["count"].as_i64().unwrap();
        assert!((told..=90).contains(&count), "{count} where {told} were told");
        assert_eq!(ann.unread("den").await, count);
        dan.said("den", "I go on").await;
        assert_eq!(ann.unread("den").await, count + 1);
    }

    async fn a_room_that_somebody_has_holds_up_no_other(house: House) {
        let mut own = Own::over(&house).await;
        let house = own.start(banter_server::ServeSettings::default()).await;
        let rooms = ["one", "two", "three", "four", "five", "six"];
        for room in rooms {
            house.room(room).owner("ann").members(["bob"]).await;
        }
        let [ann, bob] = house.users(["ann", "bob"]).await;
        // SQLite has one lock for all rooms.
        if let Some(held) = own.holds(&house, "one").await {
            let waiting = Box::pin(bob.says("one", "I wait"));
            let others = Box::pin(async {
                for _ in 0..3 {
                    join_all(rooms.iter().skip(1).map(async |room| drop(ann.said(room, "I do not").await))).await;
                }
            });
            let waiting = match select(waiting, others).await {
                Either::Left((answer, _)) => panic!("it is locked: {}", answer.body()),
                Either::Right(((), waiting)) => waiting,
            };
            drop(held);
            waiting.await.expect_ok();
        }
        ann.says("one", "nor do I").await.expect_ok();
        own.stop().await;
    }
}
