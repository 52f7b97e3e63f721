//! Webhooks: what rooms' robots and the app are told, in which order, and where it never goes.

use serde_json::{Value, json};

use crate::common::{House, Robot, Says};
use crate::host::{Own, settings};

/// A den of Ann's whose webhook leads to a robot. What came of its making is not looked at.
async fn den(house: &House, robot: &Robot) {
    house.room("den").owner("ann").members(["bob"]).await;
    house.user("ann").await.updates("den", json!({"webhook": robot.url})).await.expect_ok();
}

/// The app's own webhook leads to a robot. Returns the secret.
async fn moderated(house: &House, robot: &Robot) -> String {
    let set = house.platform().put("/admin/webhook", json!({"url": robot.url})).await.expect_ok();
    set["secret"].as_str().unwrap_or_else(|| panic!("no secret: {set}")).to_owned()
}

async fn deliveries(house: &House, state: &str) -> Vec<Value> {
    house.platform().get(&format!("/admin/webhook/deliveries?state={state}")).await.expect_list()
}

/// Waits until so many deliveries are in a state.
async fn until(house: &House, state: &str, count: usize) -> Vec<Value> {
    loop {
        let found = deliveries(house, state).await;
        if found.len() >= count {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

each_store! {
    async fn the_robot_is_told_who_comes_and_goes(house: House) {
        let mut robot = Robot::listens().await;
        for (id, robots) in [("sss", false), ("ccc", false), ("robot001", true)] {
            let nickname = format!("N {id}");
            house.platform().post("/admin/clients", json!({"_id": id, "nickname": nickname, "isRobot": robots})).await.expect_ok();
        }
        den(&house, &robot).await;
        let shown = |id: &str| json!({"_id": id, "nickname": format!("N {id}"), "isRobot": id == "robot001", "lastLoginTimeMS": 0, "id": id});
        let told = |event: &str, members: &[&str]| json!({
            "appID": house.keys().app, "clientID": "platform", "roomID": "den", "event": event, "botState": "",
            "data": {"room": "den", "sender": shown("sss"), "members": members.iter().map(|id| shown(id)).collect::<Vec<_>>()},
        });
        let sss = house.platform_for("sss");
        sss.joins("den").await.expect_ok();
        assert_eq!(robot.hears().await.body, told("JOIN_ROOM", &["sss"]));
        house.user("ann").await.sets("den", "sss", "role", "admin").await.expect_ok();
        sss.invites("den", ["robot001", "ccc"]).await.expect_ok();
        assert_eq!(robot.hears().await.body, told("ADD_MEMBERS", &["robot001", "ccc"]));
        sss.removes("den", ["ccc"]).await.expect_ok();
        assert_eq!(robot.hears().await.body, told("DELETE_MEMBERS", &["ccc"]));
        sss.leaves("den").await.expect_ok();
        assert_eq!(robot.hears().await.body, told("DELETE_MEMBERS", &["sss"]));
        robot.hears_no_more();
    }

    async fn the_robot_is_told_what_is_said(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        let ann = house.user("ann").await;
        let before = house.user("bob").await.said("den", "Bonjour 2").await;
        let heard = robot.hears().await;
        assert_eq!(heard.path, "/hook");
        assert_eq!(heard.header("content-type"), "application/json; charset=utf-8");
        assert_eq!(heard.header("x-banter-event"), "MESSAGE");
        let mut body = heard.body.clone();
        let message = body["data"].take();
        assert_eq!(body, json!({"appID": house.keys().app, "clientID": "platform", "roomID": "den", "event": "MESSAGE", "botState": "", "data": null}));
        assert_eq!(message, ann.reads("den").await.expect_list()[0], "it is the message as everybody reads it");
        assert_eq!(message["_id"], before);
        assert!(message["sender"]["isRobot"].is_boolean() && message["sender"]["id"] == "bob");
    }

    async fn nothing_is_told_of_before_there_was_a_webhook(house: House) {
        let mut robot = Robot::listens().await;
        house.room("den").owner("ann").await;
        let ann = house.user("ann").await;
        ann.said("den", "before").await;
        ann.updates("den", json!({"webhook": robot.url})).await.expect_ok();
        ann.said("den", "after").await;
        assert_eq!(robot.hears_words().await, "after");
        ann.updates("den", json!({"webhook": ""})).await.expect_ok();
        ann.said("den", "to nobody").await;
        ann.updates("den", json!({"webhook": robot.url})).await.expect_ok();
        ann.said("den", "to the robot").await;
        while robot.hears_words().await != "to the robot" {}
        robot.hears_no_more();
    }

    async fn what_the_server_says_and_what_changes_is_no_message(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        let (ann, bob) = (house.user("ann").await, house.user("bob").await);
        house.user("cat").await;
        ann.post("/rooms/den/members", json!({"invitees": ["cat"], "systemMessage": true})).await.expect_ok();
        assert_eq!(robot.hears().await.event(), "ADD_MEMBERS");
        let message = bob.said("den", "hello").await;
        assert_eq!(robot.hears_words().await, "hello");
        bob.edits("den", &message, "hullo").await.expect_ok();
        ann.reacts(&message, "👍").await.expect_ok();
        bob.recalls("den", &message).await.expect_ok();
        bob.said("den", "again").await;
        assert_eq!(robot.hears_words().await, "again");
        robot.hears_no_more();
    }

    async fn n_30_moderation_is_told_once_each_in_order_and_signed(house: House) {
        let mut robot = Robot::listens().await;
        let secret = moderated(&house, &robot).await;
        house.room("den").owner("ann").members(["bob"]).await;
        let (ann, bob) = (house.user("ann").await, house.user("bob").await);
        ann.bans("den", "bob").await.expect_ok();
        ann.bans("den", "bob").await.expect_error(409, "USER_ALREADY_BLOCKED");
        ann.unbans("den", "bob").await.expect_ok();
        ann.freezes("den").await.expect_ok_saying("Room frozen successfully");
        ann.freezes("den").await.expect_ok_saying("Room frozen successfully");
        ann.thaws("den").await.expect_ok();
        bob.blocks("ann").await.expect_ok();
        bob.unblocks("ann").await.expect_ok();
        ann.bans("den", "bob").await.expect_ok();
        let mut heard = Vec::new();
        for _ in 0..7 {
            heard.push(robot.hears().await);
        }
        let events: Vec<&str> = heard.iter().map(|heard| heard.event()).collect();
        assert_eq!(events, ["BAN", "UNBAN", "FREEZE", "UNFREEZE", "BLOCK", "UNBLOCK", "BAN"]);
        assert!(heard.is_sorted_by(|one, next| one.id() < next.id()), "their ids are in their order");
        for one in &heard {
            assert!(one.is_signed_with(&secret) && !one.is_signed_with("another"), "{one:?}");
            assert_eq!(one.header("x-banter-event"), one.event());
        }
        let ban = &heard[0].body;
        assert_eq!((&ban["roomID"], &ban["data"]["room"]), (&json!("den"), &json!("den")));
        assert_eq!((&ban["data"]["blocker"]["_id"], &ban["data"]["blockee"]["_id"]), (&json!("ann"), &json!("bob")));
        assert_eq!((&ban["data"]["sender"]["_id"], &ban["data"]["blockee"]["nickname"]), (&json!("ann"), &json!("Bob")));
        assert_eq!(heard[2].body["data"], json!({"room": "den", "sender": ban["data"]["sender"]}));
        assert_eq!(heard[4].body["data"]["blocker"]["_id"], "bob");
        let done = until(&house, "done", 7).await;
        assert_eq!(done.len(), 7, "one delivery a change: {done:?}");
        // Each can be told again, as it was.
        house.platform().posts(&format!("/admin/webhook/deliveries/{}/retry", heard[1].id())).await.expect_ok();
        let again = robot.hears().await;
        assert_eq!((again.id(), &again.bytes), (heard[1].id(), &heard[1].bytes));
        until(&house, "done", 7).await;
        robot.hears_no_more();
    }

    async fn the_app_chooses_what_it_is_told(house: House) {
        let mut robot = Robot::listens().await;
        house.platform().put("/admin/webhook", json!({"url": robot.url, "events": ["UNBAN"]})).await.expect_ok();
        house.room("den").owner("ann").members(["bob"]).await;
        let ann = house.user("ann").await;
        ann.bans("den", "bob").await.expect_ok();
        house.user("bob").await.says("den", "x").await.expect_refused("USER_BANNED");
        ann.unbans("den", "bob").await.expect_ok();
        assert_eq!(robot.hears().await.event(), "UNBAN");
        robot.hears_no_more();
    }

    async fn l_22_a_refused_message_is_told_to_no_room(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        let (ann, bob) = (house.user("ann").await, house.user("bob").await);
        let direct = house.direct("ann", "bob").await;
        house.platform().put(&format!("/rooms/{direct}"), json!({"webhook": robot.url})).await.expect_ok();
        ann.said(&direct, "hello bob").await;
        assert_eq!(robot.hears_words().await, "hello bob");
        bob.blocks("ann").await.expect_ok();
        for (who, room) in [(&ann, &direct), (&bob, &direct)] {
            who.says(room, "refused").await.expect_refused("USER_BLOCKED");
        }
        let batch = json!({"messageType": "text", "message": "refused", "sender": "ann", "paras": [{"room": direct}]});
        assert_eq!(house.platform().post("/messages/batch", batch).await.expect_ok()["refused"], 1);
        ann.bans("den", "bob").await.expect_ok();
        bob.says("den", "refused").await.expect_refused("USER_BANNED");
        bob.invites("den", ["ann"]).await.expect_refused("USER_BANNED");
        // Who is banned leaves without a sign of life.
        bob.leaves("den").await.expect_ok();
        bob.joins("den").await.expect_refused("USER_BANNED");
        ann.freezes("den").await.expect_ok_saying("Room frozen successfully");
        ann.says("den", "refused").await.expect_refused("ROOM_FROZEN");
        ann.thaws("den").await.expect_ok();
        ann.said("den", "said").await;
        assert_eq!(robot.hears_words().await, "said");
        bob.unblocks("ann").await.expect_ok();
        ann.said(&direct, "said again").await;
        assert_eq!(robot.hears_words().await, "said again");
        robot.hears_no_more();
    }

    async fn r10_only_the_app_is_told_of_refused_messages_and_not_of_each(house: House) {
        let mut robot = Robot::listens().await;
        house.room("den").owner("ann").members(["bob"]).await;
        let (ann, bob) = (house.user("ann").await, house.user("bob").await);
        moderated(&house, &robot).await;
        ann.bans("den", "bob").await.expect_ok();
        assert_eq!(robot.hears().await.event(), "BAN");
        bob.says("den", "one").await.expect_refused("USER_BANNED");
        let told = robot.hears().await.body;
        assert_eq!((&told["event"], &told["roomID"]), (&json!("MESSAGE_REFUSED"), &json!("den")));
        assert_eq!(told["data"]["sender"]["_id"], "bob");
        assert_eq!((&told["data"]["reason"], &told["data"]["count"]), (&json!("USER_BANNED"), &json!(1)));
        for _ in 0..20 {
            bob.says("den", "and again").await.expect_refused("USER_BANNED");
        }
        // Somebody else's is told at once, and after it nothing of his: not before the minute is over.
        let direct = house.direct("ann", "bob").await;
        ann.blocks("bob").await.expect_ok();
        assert_eq!(robot.hears().await.event(), "BLOCK");
        bob.says(&direct, "x").await.expect_refused("USER_BLOCKED");
        assert_eq!(robot.hears().await.body["data"]["reason"], "USER_BLOCKED");
        robot.hears_no_more();
    }

    async fn what_is_not_taken_is_told_again_and_the_next_waits(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        let ann = house.user("ann").await;
        for status in [500, 404, 302] {
            robot.says(Says::This(status, json!({})));
        }
        ann.said("den", "one").await;
        ann.said("den", "two").await;
        let mut heard = Vec::new();
        for _ in 0..5 {
            heard.push(robot.hears().await);
        }
        let words: Vec<&str> = heard.iter().map(|heard| heard.words()).collect();
        assert_eq!(words, ["one", "one", "one", "one", "two"]);
        assert!(heard[..4].iter().all(|one| one.id() == heard[0].id() && one.bytes == heard[0].bytes));
    }

    async fn a_robot_that_does_not_answer_holds_up_nobody_else(house: House) {
        let (mut slow, mut quick) = (Robot::listens().await, Robot::listens().await);
        slow.says(Says::Nothing);
        house.room("slow").owner("ann").with("webhook", slow.url.clone()).await;
        house.room("quick").owner("ann").with("webhook", quick.url.clone()).await;
        let ann = house.user("ann").await;
        for (room, robot) in [("slow", &mut slow), ("quick", &mut quick)] {
            ann.said(room, "first").await;
            ann.said(room, "second").await;
            assert_eq!(robot.hears_words().await, "first");
        }
        assert_eq!(quick.hears_words().await, "second");
        slow.hears_no_more();
    }

    async fn a_redirect_is_not_followed(house: House) {
        let (mut robot, mut other) = (Robot::listens().await, Robot::listens().await);
        den(&house, &robot).await;
        robot.says(Says::Redirect(other.url.clone()));
        house.user("ann").await.said("den", "x").await;
        assert_eq!(robot.hears_words().await, "x");
        assert_eq!(robot.hears_words().await, "x", "it is told again, where it was to be told");
        other.hears_no_more();
    }

    async fn what_can_go_nowhere_is_seen_and_told_when_it_can(house: House) {
        let mut robot = Robot::listens().await;
        house.room("den").owner("ann").await;
        let ann = house.user("ann").await;
        for (webhook, words) in [("robot001", "one"), ("http://me@example.com/", "two"), ("ftp://example.com/", "three")] {
            ann.updates("den", json!({"webhook": webhook})).await.expect_ok();
            ann.said("den", words).await;
        }
        let dead = until(&house, "dead", 3).await;
        for one in &dead {
            assert_eq!((&one["event"], &one["room"], &one["state"]), (&json!("MESSAGE"), &json!("den"), &json!("dead")));
            assert!(one["reason"].as_str().is_some_and(|reason| reason.contains("http")), "{one}");
        }
        assert_eq!(house.platform().get("/admin/webhook").await.expect_ok()["dead"], 3);
        ann.updates("den", json!({"webhook": robot.url})).await.expect_ok();
        let first = dead.iter().find(|one| one["body"]["data"]["message"] == "one").expect("the first one");
        let id = first["_id"].as_str().expect("an id");
        let revived = house.platform().posts(&format!("/admin/webhook/deliveries/{id}/retry")).await.expect_ok();
        assert_eq!((&revived["state"], &revived["failed"]), (&json!("waiting"), &json!(0)));
        let heard = robot.hears().await;
        assert_eq!((heard.words(), heard.id()), ("one", id));
        let page = house.platform().get("/admin/webhook/deliveries?state=dead&limit=1").await.expect_ok();
        assert_eq!(page["data"][0]["body"]["data"]["message"], "three");
        let next = page["nextCursor"].as_str().expect("more follows");
        let rest = house.platform().get(&format!("/admin/webhook/deliveries?state=dead&cursor={next}")).await.expect_list();
        assert_eq!((rest.len(), &rest[0]["body"]["data"]["message"]), (1, &json!("two")));
    }

    async fn what_fails_for_too_long_is_given_up_with_what_waits_behind_it(house: House) {
        let impatient = banter_server::ServeSettings { webhook_patience: std::time::Duration::ZERO, ..settings() };
        let mut own = Own::over(&house).await;
        let house = own.start(impatient).await;
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        let ann = house.user("ann").await;
        robot.says(Says::This(503, json!({})));
        ann.said("den", "one").await;
        let dead = until(&house, "dead", 1).await;
        assert_eq!((&dead[0]["reason"], &dead[0]["failed"]), (&json!("answered 503"), &json!(1)));
        assert_eq!(robot.hears_words().await, "one");
        ann.said("den", "two").await;
        assert_eq!(robot.hears_words().await, "two", "whoever is well again is told");
        own.stop().await;
    }

    async fn a_restart_goes_on_where_it_was(house: House) {
        let mut own = Own::over(&house).await;
        let house = own.start(settings()).await;
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        let ann = house.user("ann").await;
        for _ in 0..3 {
            robot.says(Says::This(500, json!({})));
        }
        for number in 0..10 {
            ann.said("den", &format!("{number}")).await;
        }
        assert_eq!(robot.hears_words().await, "0");
        let token = ann.token().to_owned();
        own.stop().await;
        let house = own.start(settings()).await;
        // Said by a process whose ids could be smaller in the same second.
        let ann = house.bearer("ann", &token);
        for number in 10..13 {
            ann.said("den", &format!("{number}")).await;
        }
        let mut heard = vec!["0".to_owned()];
        while heard.last().is_none_or(|last| last != "12") {
            heard.push(robot.hears_words().await);
        }
        heard.dedup();
        let all: Vec<String> = (0..13).map(|number| number.to_string()).collect();
        assert_eq!(heard, all, "each at least once, in order");
        own.stop().await;
    }

    async fn what_is_taken_back_while_a_webhook_is_down_is_not_told_later(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        let ann = house.user("ann").await;
        // The first keeps the others waiting until they are gone.
        for _ in 0..1_000 {
            robot.says(Says::This(500, json!({})));
        }
        ann.said("den", "first").await;
        assert_eq!(robot.hears_words().await, "first");
        let [recalled, deleted, hidden] = [ann.said("den", "recalled").await, ann.said("den", "deleted").await, ann.said("den", "hidden").await];
        until(&house, "waiting", 4).await;
        ann.recalls("den", &recalled).await.expect_ok();
        ann.erases("den", &deleted).await.expect_ok_saying("Message deleted successfully");
        ann.posts(&format!("/messages/{hidden}/hidden")).await.expect_ok();
        ann.said("den", "last").await;
        robot.forgets_what_to_say();
        loop {
            match robot.hears_words().await.as_str() {
                "first" => {}
                "last" => break,
                other => panic!("{other} is told though it is gone"),
            }
        }
    }

    async fn nobody_is_led_to_this_machine(house: House) {
        let mut own = Own::over(&house).await;
        let house = own.start(banter_server::ServeSettings::default()).await;
        let mut robot = Robot::listens().await;
        house.room("den").owner("ann").await;
        let ann = house.user("ann").await;
        let port = robot.port;
        let hosts = ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "10.0.0.1", "169.254.169.254"];
        for host in hosts {
            ann.updates("den", json!({"webhook": format!("http://{host}:{port}/")})).await.expect_ok();
            ann.said("den", host).await;
            house.platform().put("/admin/webhook", json!({"url": format!("http://{host}:{port}/")})).await.expect_ok();
            ann.freezes("den").await.expect_ok_saying("Room frozen successfully");
            ann.thaws("den").await.expect_ok();
        }
        let dead = until(&house, "dead", 3 * hosts.len()).await;
        for one in dead {
            assert_eq!(one["reason"], "the address is not one of the public internet", "{one}");
            assert_eq!(one["failed"], 1);
        }
        robot.hears_no_more();
        own.stop().await;
    }

    async fn a_key_goes_behind_the_prefix(house: House) {
        let mut robot = Robot::listens().await;
        let prefix = format!("http://127.0.0.1:{}/hooks/", robot.port).parse().expect("an address");
        let mut own = Own::over(&house).await;
        let house = own.start(banter_server::ServeSettings { webhook_prefix: Some(prefix), ..settings() }).await;
        house.room("den").owner("ann").await;
        let ann = house.user("ann").await;
        ann.updates("den", json!({"webhook": "../secrets"})).await.expect_ok();
        ann.said("den", "one").await;
        until(&house, "dead", 1).await;
        ann.updates("den", json!({"webhook": "robot001"})).await.expect_ok();
        ann.said("den", "two").await;
        let heard = robot.hears().await;
        assert_eq!((heard.path.as_str(), heard.words()), ("/hooks/robot001", "two"));
        own.stop().await;
    }

    async fn a_room_of_the_same_id_is_not_told_of_the_one_before(house: House) {
        let (mut robot, mut other) = (Robot::listens().await, Robot::listens().await);
        den(&house, &robot).await;
        let ann = house.user("ann").await;
        robot.says(Says::Nothing);
        ann.said("den", "one").await;
        assert_eq!(robot.hears_words().await, "one");
        ann.said("den", "two").await;
        until(&house, "waiting", 2).await;
        ann.delete("/rooms/den").await.expect_ok();
        assert!(deliveries(&house, "waiting").await.is_empty());
        den(&house, &other).await;
        ann.said("den", "three").await;
        assert_eq!(other.hears_words().await, "three");
        other.hears_no_more();
    }

    async fn the_secret_is_shown_once_and_the_one_before_holds_for_a_day(house: House) {
        let mut robot = Robot::listens().await;
        let first = moderated(&house, &robot).await;
        let again = house.platform().put("/admin/webhook", json!({"url": robot.url})).await.expect_ok();
        assert!(again.get("secret").is_none(), "{again}");
        let second = house.platform().posts("/admin/webhook/secret").await.expect_ok()["secret"].as_str().expect("a secret").to_owned();
        den(&house, &robot).await;
        house.user("ann").await.said("den", "x").await;
        let heard = robot.hears().await;
        assert!(first != second && heard.is_signed_with(&first) && heard.is_signed_with(&second), "{heard:?}");
        for caller in [house.platform(), house.user("ann").await] {
            for path in ["/config", "/rooms/den"] {
                let answer = caller.get(path).await;
                assert!(!String::from_utf8_lossy(&answer.bytes).contains(&second), "{answer}");
            }
        }
        let read = house.platform().get("/admin/webhook").await;
        assert!(!String::from_utf8_lossy(&read.bytes).contains(&second), "{read}");
        let entries = house.platform().get("/admin/audit?action=webhook").await.expect_list();
        assert_eq!(entries.len(), 3, "{entries:?}");
    }

    async fn the_webhook_is_set_read_and_taken_away(house: House) {
        let platform = house.platform();
        let none = platform.get("/admin/webhook").await.expect_ok();
        assert!(none.get("url").is_none() && none["waiting"] == 0, "{none}");
        platform.delete("/admin/webhook").await.expect_error(404, "WEBHOOK_NOT_FOUND");
        for bad in [json!({"url": "robot001"}), json!({"url": "ftp://example.com"}), json!({"url": "http://a@example.com"}), json!({"url": "https://example.com", "events": ["MESSAGE"]})] {
            platform.put("/admin/webhook", bad).await.expect_error(400, "INVALID_BODY");
        }
        platform.put("/admin/webhook", json!({})).await.expect_error(400, "MISSING_PARAMETER");
        platform.put("/admin/webhook", json!({"url": "https://example.com/a", "events": ["BAN"]})).await.expect_ok();
        let set = platform.get("/admin/webhook").await.expect_ok();
        assert_eq!((&set["url"], &set["events"]), (&json!("https://example.com/a"), &json!(["BAN"])));
        platform.delete("/admin/webhook").await.expect_ok();
        platform.posts("/admin/webhook/deliveries/5c1ddf2d1536bbb6c49f7cfe/retry").await.expect_error(404, "DELIVERY_NOT_FOUND");
        for bad in ["state=lost", "limit=0", "cursor=x"] {
            platform.get(&format!("/admin/webhook/deliveries?{bad}")).await.expect_error(400, "INVALID_QUERY");
        }
    }

    async fn webhooks_are_counted(house: House) {
        let mut robot = Robot::listens().await;
        den(&house, &robot).await;
        robot.says(Says::This(500, json!({})));
        house.user("ann").await.said("den", "x").await;
        assert_eq!(robot.hears_words().await, "x");
        assert_eq!(robot.hears_words().await, "x");
        let text = String::from_utf8_lossy(&house.nobody().get("/metrics").await.bytes).into_owned();
        for part in ["banter_webhook_deliveries_total{outcome=\"failed\"}", "banter_webhook_waiting", "banter_webhook_dead", "banter_webhook_lag_seconds"] {
            assert!(text.contains(part), "{part} is not in the metrics:\n{text}");
        }
    }
}
