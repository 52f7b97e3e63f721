//! What the platform reads about its app: figures, the audit, moderation statistics.

use serde_json::{Value, json};

use crate::common::House;
use crate::shape::{expect_documented, expect_time, expect_whole};

each_store! {
    async fn no_figure_is_a_constant(house: House) {
        let stats = async || house.platform().get("/admin/stats").await.expect_ok();
        let before = stats().await;
        assert_eq!((&before["roomCount"], &before["totalRoomCount"], &before["messageCount"], &before["userList"]), (&json!(0), &json!(0), &json!(0), &json!([])));
        house.room("den").owner("ann").members(["bob"]).await;
        house.room("quiet").owner("ann").await;
        house.user("bob").await.said("den", "hello").await;
        let after = stats().await;
        assert_eq!((&after["roomCount"], &after["totalRoomCount"], &after["messageCount"]), (&json!(1), &json!(2), &json!(1)));
        assert!(after["userList"].as_array().unwrap().contains(&json!("bob")), "{after}");
        assert_eq!(after["clientKey"], house.keys().client);
        let masked = after["apiKey"].as_str().unwrap();
        let tail = &house.keys().api[house.keys().api.len() - 4..];
        assert!(masked.ends_with(tail) && !masked.contains(&house.keys().api), "R-18: {masked}");
        assert_eq!(expect_time(&after["endTime"]) / 1000, expect_whole(&after["end"]));
        assert_eq!(expect_whole(&after["end"]) - expect_whole(&after["start"]), 3600);
        assert!(expect_whole(&after["totalMem"]) > expect_whole(&after["freeMem"]));
        expect_documented(&house.platform().get("/admin/stats").await, "stats");
        expect_documented(&house.platform().get("/admin/connection-count").await, "connection-count");
        let ann = house.user("ann").await;
        for path in ["/admin/stats", "/admin/connection-count"] {
            ann.get(path).await.expect_error_saying(403, "Forbidden", "PERMISSION_DENIED", "Platform API permission required");
        }
    }

    async fn active_are_the_people_who_did_something(house: House) {
        let active = async || {
            let stats = house.platform().get("/admin/stats").await.expect_ok();
            let mut all: Vec<String> = serde_json::from_value(stats["userList"].clone()).unwrap();
            all.sort();
            all
        };
        let platform = house.platform();
        platform.post("/admin/clients", json!({"_id": "bot", "isRobot": true})).await.expect_ok();
        house.users(["ann", "bob", "cid", "dan", "eve", "fay"]).await;
        // Whoever is brought, asked, written to or changed by the platform did nothing.
        let body = json!({"_id": "den", "members": ["ann", "bob", "bot"], "owner": "ann"});
        platform.post("/rooms", body).await.expect_ok();
        platform.post("/rooms/den/members", json!({"invitees": ["cid"]})).await.expect_ok();
        platform.post("/rooms/den/members", json!({"invitees": ["eve"], "invitationRequired": true})).await.expect_ok();
        platform.post("/admin/clients", json!({"_id": "dan", "nickname": "Dan"})).await.expect_ok();
        platform.posts("/admin/clients/bob/mute/den").await.expect_ok();
        platform.says("den", "hello").await.expect_ok();
        let robots = json!({"room": "den", "sender": "bot", "message": "beep", "messageType": "text"});
        platform.post("/messages", robots).await.expect_ok();
        assert_eq!(active().await, [""; 0]);
        house.user("dan").await.post("/me", json!({"nickname": "Danny"})).await.expect_ok();
        house.user("bob").await.delete("/me/mute/den").await.expect_ok();
        house.user("ann").await.blocks("fay").await.expect_ok();
        // The room that ann's block made shows to fay, who does nothing, when ann opens it.
        house.user("ann").await.opens("fay").await.expect_ok();
        house.user("eve").await.delete("/rooms/den/invitations").await.expect_ok();
        assert_eq!(active().await, ["ann", "bob", "dan", "eve"]);
        house.user("cid").await.leaves("den").await.expect_ok();
        assert_eq!(active().await, ["ann", "bob", "cid", "dan", "eve"]);
    }

    async fn r26_every_moderation_leaves_an_entry(house: House) {
        house.room("den").owner("ann").members(["bob", "cid"]).await;
        let [ann, _, _] = house.users(["ann", "bob", "cid"]).await;
        let platform = house.platform();
        ann.blocks("bob").await.expect_ok();
        ann.unblocks("bob").await.expect_ok();
        ann.blocks("bob").await.expect_ok();
        ann.bans("den", "cid").await.expect_ok();
        platform.unbans("den", "cid").await.expect_ok();
        ann.freezes("den").await.expect_ok_saying("Room frozen successfully");
        ann.thaws("den").await.expect_ok();
        ann.sets("den", "bob", "role", "admin").await.expect_ok();
        ann.updates("den", json!({"owner": "bob"})).await.expect_ok();
        // Nothing that was refused leaves one.
        ann.bans("den", "cid").await.expect_some_refusal();
        ann.blocks("bob").await.expect_error(409, "USER_ALREADY_BLOCKED");

        let entries = platform.get("/admin/audit?limit=100").await.expect_list();
        let of_room_or_block: Vec<&str> = entries.iter().filter_map(|entry| entry["action"].as_str()).collect();
        let told: Vec<&str> = of_room_or_block.into_iter().filter(|action| *action != "create-app").collect();
        assert_eq!(told, ["owner", "role", "thaw", "freeze", "unban", "ban", "block", "unblock", "block"], "newest first");
        let ban = entries.iter().find(|entry| entry["action"] == "ban").unwrap();
        assert_eq!((&ban["actor"], &ban["target"], &ban["room"]), (&json!("ann"), &json!("cid"), &json!("den")), "{ban}");
        assert!(ban.to_string().contains("127.0.0.1"), "from which address: {ban}");

        let count = async |query: &str| platform.get(&format!("/admin/audit?limit=100&{query}")).await.expect_list().len();
        assert_eq!(count("actor=ann").await, 8);
        assert_eq!(count("target=cid").await, 2);
        assert_eq!(count("room=den&action=ban").await, 1);
        assert_eq!(count("action=block").await, 2);
        assert_eq!(count("from=2999-01-01T00:00:00Z").await, 0);
        assert_eq!(count("to=2000-01-01T00:00:00Z").await, 0);
        let mut pages = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = platform.get(&format!("/admin/audit?limit=2{cursor}")).await.expect_ok();
            pages.extend(page["data"].as_array().unwrap().clone());
            match page.get("nextCursor").and_then(Value::as_str) {
                Some(next) => cursor = format!("&cursor={}", crate::common::segment(next)),
                None => break,
            }
        }
        assert_eq!(pages, entries);
        // To the millisecond: what happened at `to` is not there, what happened at `from` is.
        let at = |entry: &Value| entry["createdAtMS"].as_i64().unwrap();
        let (first, last) = (at(entries.last().unwrap()), at(&entries[0]));
        for (from, to) in [(first, last), (first + 1, last + 1), (at(ban), at(ban) + 1), (last, last)] {
            let wanted: Vec<&Value> = entries.iter().filter(|entry| (from..to).contains(&at(entry))).collect();
            let found = platform.get(&format!("/admin/audit?limit=100&from={from}&to={to}")).await.expect_list();
            assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{from} to {to}");
        }
        for bad in ["limit=0", "limit=x", "cursor=x", "cursor=ffffffffffffffffffffffff", "from=x", "action=dance"] {
            platform.get(&format!("/admin/audit?{bad}")).await.expect_error(400, "INVALID_QUERY");
        }
        ann.get("/admin/audit").await.expect_some_refusal();
    }

    async fn r26_an_entry_says_in_whose_name_an_api_key_acted(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        house.user("cid").await;
        let for_ann = house.platform_for("ann");
        for_ann.blocks("bob").await.expect_ok();
        for_ann.bans("den", "bob").await.expect_ok();
        house.platform().unbans("den", "bob").await.expect_ok();
        let entries = house.platform().get("/admin/audit?actor=ann").await.expect_list();
        let told: Vec<_> = entries.iter().map(|entry| (&entry["action"], &entry["doer"], &entry["actor"])).collect();
        let (platform, ann) = (json!("platform"), json!("ann"));
        assert_eq!(told, [(&json!("ban"), &platform, &ann), (&json!("block"), &platform, &ann)]);
        let own = &house.platform().get("/admin/audit?action=unban").await.expect_list()[0];
        assert_eq!((&own["doer"], own.get("actor")), (&platform, None), "in nobody's name: {own}");
    }

    async fn r27_moderation_is_counted(house: House) {
        house.room("den").owner("ann").members(["bob", "cid"]).await;
        let room = house.direct("ann", "bob").await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        ann.blocks("bob").await.expect_ok();
        bob.blocks("ann").await.expect_ok();
        ann.blocks("cid").await.expect_ok();
        ann.unblocks("cid").await.expect_ok();
        ann.bans("den", "cid").await.expect_ok();
        bob.says(&room, "x").await.expect_refused("USER_BLOCKED");
        cid.says("den", "x").await.expect_refused("USER_BANNED");
        cid.says("den", "x").await.expect_refused("USER_BANNED");
        for number in 0..5 {
            house.user(&format!("fan{number}")).await.blocks("cid").await.expect_ok();
        }

        let platform = house.platform();
        // Refusals are tallied beside the answer; they are there when the house was kept once.
        let told = async {
            loop {
                let stats = platform.get("/admin/moderation/stats?bucket=hour").await.expect_ok();
                if stats.to_string().contains("USER_BANNED") {
                    break stats;
                }
            }
        };
        let stats = tokio::time::timeout(std::time::Duration::from_secs(20), told).await.expect("refusals are counted");
        let sum = |name: &str| -> i64 { stats["buckets"].as_array().unwrap().iter().map(|bucket| bucket[name].as_i64().unwrap_or(0)).sum() };
        assert_eq!((sum("blocks"), sum("unblocks"), sum("bans"), sum("unbans")), (8, 1, 1, 0), "{stats}");
        let refused = |reason: &str| -> i64 { stats["buckets"].as_array().unwrap().iter().map(|bucket| bucket["refused"][reason].as_i64().unwrap_or(0)).sum() };
        assert_eq!((refused("USER_BLOCKED"), refused("USER_BANNED")), (1, 2), "{stats}");
        assert_eq!((&stats["activeBlocks"], &stats["activeBans"]), (&json!(7), &json!(1)), "{stats}");
        assert!(stats.to_string().contains("cid") && !stats.to_string().contains("fan0"), "who is blocked by five, and never by whom: {stats}");
        for bad in ["bucket=week", "from=x", "to=x"] {
            platform.get(&format!("/admin/moderation/stats?{bad}")).await.expect_error(400, "INVALID_QUERY");
        }
        ann.get("/admin/moderation/stats").await.expect_some_refusal();
    }

    async fn the_median_of_two_is_their_mean(house: House) {
        let [ann, _, _] = house.users(["ann", "bob", "cid"]).await;
        let blocked = [ann.blocks("bob").await.expect_ok(), ann.blocks("cid").await.expect_ok()];
        let lifted = [ann.unblocks("bob").await.expect_ok(), ann.unblocks("cid").await.expect_ok()];
        let [one, other] = [0, 1].map(|at| expect_time(&lifted[at]["updatedAt"]) - expect_time(&blocked[at]["updatedAt"]));
        let stats = house.platform().get("/admin/moderation/stats").await.expect_ok();
        assert_eq!(stats["medianUnblockMS"], (one + other) / 2, "of {one} and {other}: {stats}");
    }
}
