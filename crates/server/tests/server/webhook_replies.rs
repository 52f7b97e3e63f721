//! What a robot answers its webhook with: said in the room by the rules that hold for everybody.

use banter_chat::{Reply, Words};
use banter_domain::id::RoomId;
use banter_domain::webhook::Target;
use serde_json::{Value, json};

use crate::common::{House, Robot, Says};
use crate::host::{Own, settings};

/// A den of Ann's with Bob and a robot in it, whose webhook may answer.
async fn den(house: &House, robot: &Robot) {
    house.platform().post("/admin/clients", json!({"_id": "robot001", "isRobot": true})).await.expect_ok();
    house.room("den").owner("ann").members(["bob"]).with("botMode", true).await;
    house.platform().invites("den", ["robot001"]).await.expect_ok();
    house.user("ann").await.updates("den", json!({"webhook": robot.url})).await.expect_ok();
}

fn reply(sender: &str, words: &str) -> Value {
    json!({"senderID": sender, "toBotState": null, "data": {"message": words, "messageType": "text"}})
}

/// Ann asks, the robot answers, and Ann speaks on: when that is told, the answer was dealt with.
async fn asked(house: &House, robot: &mut Robot, answer: Value) -> Vec<String> {
    let ann = house.user("ann").await;
    robot.answers(answer);
    ann.said("den", "?").await;
    assert_eq!(robot.hears_words().await, "?");
    ann.said("den", ".").await;
    assert_eq!(robot.hears_words().await, ".");
    house.said("den").await
}

each_store! {
    async fn a_robot_answers_in_the_room_and_is_not_told_of_it(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        let said = asked(&house, &mut robot, reply("robot001", "how may I help")).await;
        assert!(said.contains(&"how may I help".to_owned()), "{said:?}");
        let answer = house.user("bob").await.reads("den").await.expect_list();
        let answer = answer.iter().find(|message| message["message"] == "how may I help").expect("it is there");
        assert_eq!((&answer["sender"]["_id"], &answer["sender"]["isRobot"]), (&json!("robot001"), &json!(true)));
        // Nobody named: the platform's own client.
        asked(&house, &mut robot, json!({"data": {"message": "nobody said this"}})).await;
        let all = house.platform().reads("den").await.expect_list();
        let answer = all.iter().find(|message| message["message"] == "nobody said this").expect("it is there");
        assert_eq!(answer["sender"]["_id"], "platform");
        robot.hears_no_more();
    }

    async fn an_answer_counts_only_where_the_room_wants_one(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        house.user("ann").await.updates("den", json!({"botMode": false})).await.expect_ok();
        let both = json!({"senderID": "robot001", "toBotState": "eager", "data": {"message": "unwanted"}});
        let said = asked(&house, &mut robot, both).await;
        assert_eq!(said, ["?", "."]);
        assert_eq!(house.platform().room("den").await.expect_ok()["botState"], "");
        house.user("ann").await.updates("den", json!({"botMode": true})).await.expect_ok();
        robot.says(Says::This(201, reply("robot001", "not 200")));
        house.user("ann").await.said("den", "!").await;
        assert_eq!(robot.hears_words().await, "!");
        for nothing in [json!({"toBotState": null, "data": null}), json!([1]), json!("no object"), reply("a/b", "x"), reply("robot001", "")] {
            let said = asked(&house, &mut robot, nothing).await;
            assert!(said.iter().all(|words| ["?", ".", "!"].contains(&words.as_str())), "{said:?}");
        }
    }

    async fn the_robot_names_its_state(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        let ann = house.user("ann").await;
        robot.answers(json!({"toBotState": "active"}));
        ann.said("den", "one").await;
        assert_eq!(robot.hears().await.body["botState"], "");
        // Told once the state is known.
        while ann.room("den").await.expect_ok()["botState"] != "active" {
            tokio::task::yield_now().await;
        }
        ann.said("den", "two").await;
        assert_eq!(robot.hears().await.body["botState"], "active");
    }

    async fn l_23_an_answer_in_the_name_of_somebody_blocked_is_refused(house: House) {
        let mut robot = Robot::listens().await;
        let direct = house.direct("ann", "bob").await;
        let (ann, bob) = (house.user("ann").await, house.user("bob").await);
        let change = json!({"webhook": robot.url, "botMode": true});
        house.platform().put(&format!("/rooms/{direct}"), change).await.expect_ok();
        robot.answers(reply("bob", "let through"));
        ann.said(&direct, "?").await;
        assert_eq!(robot.hears_words().await, "?");
        while !house.said(&direct).await.contains(&"let through".to_owned()) {
            tokio::task::yield_now().await;
        }
        robot.answers(reply("bob", "slipped through"));
        let platform = house.platform();
        ann.blocks("bob").await.expect_ok();
        // The platform speaks into a blocked room (L-29), and the robot is told.
        platform.said(&direct, "still there").await;
        assert_eq!(robot.hears_words().await, "still there");
        platform.said(&direct, "on").await;
        assert_eq!(robot.hears_words().await, "on");
        assert_eq!(house.said(&direct).await, ["?", "let through", "still there", "on"]);
        bob.says(&direct, "x").await.expect_refused("USER_BLOCKED");
    }

    async fn n_14_an_answer_in_the_name_of_somebody_banned_is_refused_and_a_robots_is_not(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        let ann = house.user("ann").await;
        ann.bans("den", "bob").await.expect_ok();
        ann.bans("den", "robot001").await.expect_ok();
        let said = asked(&house, &mut robot, reply("bob", "slipped through")).await;
        assert_eq!(said, ["?", "."]);
        // Nor is anybody heard who is not there.
        let said = asked(&house, &mut robot, reply("nobody-at-all", "slipped through")).await;
        assert!(!said.contains(&"slipped through".to_owned()), "{said:?}");
        let said = asked(&house, &mut robot, reply("robot001", "robots speak")).await;
        assert!(said.contains(&"robots speak".to_owned()), "{said:?}");
    }

    async fn a_users_webhook_names_nobody_but_robots_and_himself(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        house.user("max").await;
        for (named, heard) in [("bob", false), ("max", false), ("ann", true), ("robot001", true)] {
            let words = format!("in the name of {named}");
            let said = asked(&house, &mut robot, reply(named, &words)).await;
            assert_eq!(said.contains(&words), heard, "{named}: {said:?}");
        }
        // The platform's own may: it acts for them.
        house.platform().put("/rooms/den", json!({"webhook": robot.url})).await.expect_ok();
        let said = asked(&house, &mut robot, reply("bob", "the platform says so")).await;
        assert!(said.contains(&"the platform says so".to_owned()), "{said:?}");
    }

    async fn a_webhook_listens_and_speaks_as_long_as_its_setter_may_set_it(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        let (ann, bob) = (house.user("ann").await, house.user("bob").await);
        ann.sets("den", "bob", "role", "admin").await.expect_ok();
        bob.updates("den", json!({"webhook": robot.url})).await.expect_ok();
        let mut fence = Robot::listens().await;
        house.room("fence").owner("ann").await;
        ann.updates("fence", json!({"webhook": fence.url})).await.expect_ok();
        ann.said("den", "one").await;
        assert_eq!(robot.hears_words().await, "one");
        ann.bans("den", "bob").await.expect_ok();
        ann.said("den", "two").await;
        // What happened is read in its order: this comes after it.
        ann.said("fence", "read").await;
        assert_eq!(fence.hears_words().await, "read");
        ann.unbans("den", "bob").await.expect_ok();
        ann.said("den", "three").await;
        assert_eq!(robot.hears_words().await, "three");
        ann.removes("den", ["bob"]).await.expect_ok();
        ann.said("den", "four").await;
        ann.said("fence", "read").await;
        assert_eq!(fence.hears_words().await, "read");
        ann.updates("den", json!({"webhook": robot.url})).await.expect_ok();
        ann.said("den", "five").await;
        assert_eq!(robot.hears_words().await, "five");
    }

    async fn what_waits_is_not_told_once_the_setter_is_banned(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        let (ann, bob) = (house.user("ann").await, house.user("bob").await);
        ann.sets("den", "bob", "role", "admin").await.expect_ok();
        bob.updates("den", json!({"webhook": robot.url})).await.expect_ok();
        for _ in 0..1_000 {
            robot.says(Says::This(500, json!({})));
        }
        ann.said("den", "one").await;
        ann.said("den", "two").await;
        assert_eq!(robot.hears_words().await, "one");
        ann.bans("den", "bob").await.expect_ok();
        // He may have been asked once more while she did it; then all that waits is dead.
        let dead = || async { house.platform().get("/admin/webhook/deliveries?state=dead").await.expect_list().len() };
        while dead().await < 2 {
            tokio::task::yield_now().await;
        }
        robot.forgets_what_to_say();
        while let Some(heard) = robot.has_heard() {
            assert_eq!(heard.words(), "one");
        }
    }

    async fn a_users_webhook_is_silent_in_a_frozen_room(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        house.user("ann").await.freezes("den").await.expect_ok_saying("Room frozen successfully");
        let platform = house.platform();
        robot.answers(reply("robot001", "through the ice"));
        for words in ["one", "two"] {
            platform.said("den", words).await;
            assert_eq!(robot.hears_words().await, words);
        }
        assert_eq!(house.said("den").await, ["one", "two"]);
    }

    async fn l_40_no_robot_speaks_between_two_of_whom_one_blocks_the_other(house: House) {
        let mut robot = Robot::listens().await;
        let direct = house.direct("ann", "bob").await;
        house.platform().post("/admin/clients", json!({"_id": "robot001", "isRobot": true})).await.expect_ok();
        let change = json!({"webhook": robot.url, "botMode": true});
        house.platform().put(&format!("/rooms/{direct}"), change.clone()).await.expect_ok();
        let (ann, bob) = (house.user("ann").await, house.user("bob").await);
        robot.says(Says::This(500, json!({})));
        bob.said(&direct, "?").await;
        assert_eq!(robot.hears_words().await, "?");
        ann.blocks("bob").await.expect_ok();
        for answer in [reply("robot001", "slipped through"), json!({"toBotState": "slipped through"})] {
            robot.answers(answer);
        }
        let platform = house.platform();
        for words in ["one", "two", "three"] {
            platform.said(&direct, words).await;
        }
        while robot.hears_words().await != "three" {}
        assert_eq!(house.said(&direct).await, ["?", "one", "two", "three"]);
        assert_eq!(platform.room(&direct).await.expect_ok()["botState"], "");
        // Neither of the two brings a third along, now or when he makes the room.
        bob.updates(&direct, change.clone()).await.expect_refused("USER_BLOCKED");
        let mut new = json!({"roomType": "direct", "members": ["ann", "cat"]});
        house.user("cat").await;
        new["webhook"] = change["webhook"].clone();
        ann.post("/rooms", new.clone()).await.expect_refused("INSUFFICIENT_PERMISSIONS");
        new["webhook"] = json!("");
        ann.post("/rooms", new).await.expect_ok();
    }

    async fn l_32_nobody_gets_a_file_by_naming_it_in_an_answer(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        house.room("secret").owner("bob").members(["robot001"]).await;
        let bob = house.user("bob").await;
        let file = bob.uploads("pictures", "secret", "a.txt", "text/plain", "a secret").await.expect_ok();
        let path = format!("/files/pictures/{}", file["_id"].as_str().expect("an id"));
        bob.sends("secret", json!({"messageType": "image", "originalUrl": path})).await.expect_ok();
        for named in ["bob", "robot001", "ann"] {
            let data = json!({"messageType": "image", "originalUrl": path, "message": "x"});
            asked(&house, &mut robot, json!({"senderID": named, "data": data})).await;
        }
        house.user("ann").await.get(&path).await.expect_refused("INSUFFICIENT_PERMISSIONS");
    }

    async fn r10_the_app_is_told_of_a_refused_answer(house: House) {
        let (mut robot, mut app) = (Robot::listens().await, Robot::listens().await);
        den(&house, &robot).await;
        house.user("ann").await.bans("den", "bob").await.expect_ok();
        let hook = json!({"url": app.url, "events": ["MESSAGE_REFUSED"]});
        house.platform().put("/admin/webhook", hook).await.expect_ok();
        asked(&house, &mut robot, reply("bob", "slipped through")).await;
        let told = app.hears().await.body;
        assert_eq!((&told["data"]["sender"]["_id"], &told["data"]["reason"]), (&json!("bob"), &json!("USER_BANNED")));
    }

    async fn n_28_a_robots_words_are_masked(house: House) {
        let mut robot = Robot::listens().await;
        house.platform().post("/config", json!({"censorship": {"keywords": ["darn"]}})).await.expect_ok();
        den(&house, &robot).await;
        let said = asked(&house, &mut robot, reply("robot001", "darn it")).await;
        assert!(said.contains(&"**** it".to_owned()), "{said:?}");
    }

    async fn an_answer_is_said_once_though_it_comes_twice(house: House) {
        let mut own = Own::over(&house).await;
        let house = own.start(settings()).await;
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        // The requests fail; what would have come of them is done by hand, so that it comes twice for sure.
        for _ in 0..1_000 {
            robot.says(Says::This(500, json!({})));
        }
        house.user("ann").await.said("den", "?").await;
        assert_eq!(robot.hears_words().await, "?");
        let keys = house.keys().clone();
        let chat = own.chat();
        own.stop().await;
        let app = chat.app_of_api_key(&keys.api).await.expect("an answer").expect("the app");
        let target = Target::Room(RoomId::parse("den").expect("an id"));
        let delivery = chat.next_delivery(&app, &target).await.expect("an answer").expect("it waits");
        let words = Words { text: json!("once"), ..Words::default() };
        for _ in 0..2 {
            let reply = Reply { words: Some(words.clone()), ..Reply::default() };
            assert!(chat.delivered(&app, &delivery, reply).await.expect("an answer").is_none());
        }
        let query = banter_chat::MessagesQuery { anchor: None, ascending: true, limit: 10, after_time: None };
        let platform = banter_chat::Caller { app, who: banter_chat::Who::Platform { on_behalf_of: None }, address: None };
        let page = chat.messages(&platform, &RoomId::parse("den").expect("an id"), query).await.expect("messages");
        let said: Vec<&Value> = page.data.iter().map(|message| &message.text).collect();
        assert_eq!(said, ["?", "once"]);
    }
}
