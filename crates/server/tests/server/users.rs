//! Users, their tokens, what they mute, and user groups.

use base64::Engine;
use serde_json::{Value, json};

use crate::common::{Caller, House, segment};
use crate::shape::{expect_documented, expect_fields, expect_time};

each_store! {
    async fn a_user_is_made_and_changed_by_the_same_call(house: House) {
        let platform = house.platform();
        let body = json!({
            "_id": "user123", "nickname": "張小明", "avatarUrl": "https://pictures.example/1", "description": "d",
            "email": "a@example.com", "level": {"stars": [1, 2]}, "issueAccessToken": true,
        });
        let answer = platform.post("/admin/clients", body).await;
        let made = answer.expect_ok();
        assert_eq!((&made["_id"], &made["id"], &made["nickname"]), (&json!("user123"), &json!("user123"), &json!("張小明")));
        assert_eq!((&made["appID"], &made["clientType"], &made["isRobot"]), (&json!(house.keys().app), &json!("user"), &json!(false)));
        assert_eq!((&made["email"], &made["level"], &made["mute"]), (&json!("a@example.com"), &json!({"stars": [1, 2]}), &json!([])));
        expect_time(&made["expirationDate"]);
        platform.post("/rooms", json!({"_id": "any", "members": ["user123"]})).await.expect_ok();

        let change = json!({"_id": "user123", "nickname": "王小華", "issueAccessToken": true});
        let answer = platform.post("/admin/clients", change).await;
        expect_documented(&answer, "create-a-user");
        expect_documented(&answer, "basic-integration-create-user");
        let changed = answer.expect_ok();
        assert_eq!((&changed["nickname"], &changed["email"], &changed["avatarUrl"]), (&json!("王小華"), &json!("a@example.com"), &json!("https://pictures.example/1")));
        let plain = platform.post("/admin/clients", json!({"_id": "user123"})).await.expect_ok();
        assert!(plain.get("token").is_none() && plain.get("expirationDate").is_none(), "no token was issued: {plain}");
    }

    async fn an_issued_token_is_a_jwt_that_names_its_user(house: House) {
        let ann = house.user("ann").await;
        let parts: Vec<&str> = ann.token().split('.').collect();
        assert_eq!(parts.len(), 3);
        let payload = claims(ann.token());
        assert_eq!(payload["id"], "ann");
        let life = payload["exp"].as_i64().unwrap() - payload["iat"].as_i64().unwrap();
        assert!((life - 7 * 24 * 3600).abs() <= 1, "a week, to the second: {life}");
        // Its signature counts, and so does its row.
        let forged = format!("{}.{}.{}", parts[0], parts[1], "A".repeat(parts[2].len()));
        house.bearer("ann", &forged).get("/me").await.expect_error(401, "INVALID_TOKEN");
        let none = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
        house.bearer("ann", &none).get("/me").await.expect_error(401, "INVALID_TOKEN");
    }

    async fn an_issued_token_shows_no_sensitive_word(house: House) {
        let platform = house.platform();
        platform.post("/config", json!({"censorship": {"keywords": ["grim"]}})).await.expect_ok();
        let body = json!({"_id": "ann", "nickname": "Ann grim", "issueAccessToken": true});
        let saved = platform.post("/admin/clients", body).await;
        let signed = platform.post("/auths/sign/v2", json!({"id": "bob", "nickname": "Bob grim"})).await;
        let bare = platform.post("/auths/sign", json!({"id": "cid", "nickname": "Cid grim"})).await;
        for (answer, shown, name) in [(&saved, saved.expect_ok(), "Ann ****"), (&signed, signed.expect_ok(), "Bob ****"), (&bare, bare.body(), "Cid ****")] {
            assert_eq!(shown["nickname"], name, "{answer}");
            let claims = claims(shown["token"].as_str().unwrap());
            assert_eq!(claims["nickname"], name, "{claims}");
            // Who reads his token never takes it for longer than it is.
            assert_eq!(claims["exp"], expect_time(&shown["expirationDate"]).div_euclid(1000), "{answer}");
        }
        assert_eq!(signed.expect_ok()["exp"], expect_time(&signed.expect_ok()["expirationDate"]).div_euclid(1000));
    }

    async fn a_token_that_got_lost_on_the_way_revokes_nothing(house: House) {
        let (ann, platform) = (house.user("ann").await, house.platform());
        for lost in [json!({"token": null}), json!({"token": ""})] {
            let answer = revoke(&platform, "ann", lost).await;
            answer.expect_error_saying(400, "Bad Request", "INVALID_REQUEST", "Missing required field: token");
            ann.get("/me").await.expect_ok();
        }
        assert_eq!(revoke(&platform, "ann", json!({})).await.expect_ok()["revokedTokens"], 1);
        ann.get("/me").await.expect_error(401, "INVALID_TOKEN");
    }

    async fn who_is_not_there_is_not_found_whoever_has_the_token(house: House) {
        let ann = house.user("ann").await;
        let taken = json!({"token": ann.token(), "expirationDate": "2199-01-01T00:00:00Z"});
        let answer = house.platform().put("/admin/clients/nobody/token", taken).await;
        answer.expect_error_saying(404, "Client not found", "CLIENT_NOT_FOUND", "Client with id 'nobody' not found");
        ann.get("/me").await.expect_ok();
    }

    async fn tokens_are_bound_replaced_and_revoked(house: House) {
        let platform = house.platform();
        let first = house.user("user002").await;
        let own = format!("my-custom-token-{}", house.keys().app);
        let far = "2199-06-30T12:00:00Z";
        let bind = json!({"_id": "user002", "nickname": "John", "avatarUrl": "x", "token": own, "expirationDate": far, "issueAccessToken": false});
        let answer = platform.post("/admin/clients", bind).await;
        expect_documented(&answer, "assign-token");
        assert_eq!(answer.expect_ok()["token"], own);
        let bound = house.bearer("user002", &own);
        bound.get("/me").await.expect_ok();
        first.get("/me").await.expect_ok();

        let new = format!("new-token-{}", house.keys().app);
        let answer = platform.put("/admin/clients/user002/token", json!({"token": new, "expirationDate": far})).await;
        expect_documented(&answer, "update-token");
        let result = answer.expect_ok();
        assert_eq!((&result["token"], &result["client"]), (&json!(new), &json!("user002")));
        for old in [&first, &bound] {
            old.get("/me").await.expect_error(401, "INVALID_TOKEN");
        }
        let replaced = house.bearer("user002", &new);
        replaced.get("/me").await.expect_ok();

        let one = revoke(&platform, "user002", json!({"token": new})).await;
        expect_documented(&one, "revoke-token");
        assert_eq!((&one.body()["revokedTokens"], &one.expect_ok()["data"][0]["token"]), (&json!(1), &json!(new)));
        replaced.get("/me").await.expect_error(401, "INVALID_TOKEN");

        for _ in 0..3 {
            platform.post("/admin/clients", json!({"_id": "user002", "issueAccessToken": true})).await.expect_ok();
        }
        let all = revoke(&platform, "user002", json!({})).await;
        expect_documented(&all, "revoke-token-revoke-all-tokens");
        assert_eq!(all.body()["revokedTokens"], 3);
        let records = all.expect_ok()["data"].clone();
        for record in records.as_array().unwrap() {
            assert!(record.get("token").is_none(), "R-18: a token is shown once: {record}");
            expect_time(&record["expirationDate"]);
        }
    }

    async fn a_token_that_ran_out_is_no_token(house: House) {
        let token = format!("short-{}", house.keys().app);
        let bind = json!({"_id": "ann", "token": token, "expirationDate": "2020-01-01T00:00:00Z"});
        house.platform().post("/admin/clients", bind).await;
        house.bearer("ann", &token).get("/me").await.expect_error(401, "INVALID_TOKEN");
    }

    async fn a_token_belongs_to_one_user_of_one_app(house: House) {
        let token = format!("shared-{}", house.keys().app);
        house.platform().post("/admin/clients", json!({"_id": "ann", "token": token})).await.expect_ok();
        let taken = house.platform().post("/admin/clients", json!({"_id": "bob", "token": token})).await;
        taken.expect_error(409, "TOKEN_CONFLICT");
        let other = crate::host::other_app(&house).await;
        other.bearer("ann", &token).get("/me").await.expect_error(401, "INVALID_TOKEN");
    }

    async fn apps_made_at_the_same_time_are_all_made(house: House) {
        for app in crate::host::apps_at_once(&house, 10).await {
            app.user("ann").await.get("/me").await.expect_ok();
        }
    }

    async fn many_users_come_in_one_call(house: House) {
        let data: Vec<Value> = (0..1000).map(|n| json!({"_id": format!("u{n}"), "nickname": "N"})).collect();
        let answer = house.platform().post("/admin/clients/list", json!({"data": data})).await;
        expect_documented(&answer, "batch-create-users");
        assert_eq!(answer.expect_ok()["count"], 1000);
        let page = house.platform().get("/admin/clients?limit=1").await.expect_ok();
        assert_eq!(page["totalCount"], 1000);
        let bad = json!({"data": [{"_id": "new"}, {"_id": "no/slash"}]});
        house.platform().post("/admin/clients/list", bad).await.expect_error(400, "INVALID_ID");
        assert_eq!(house.platform().get("/admin/clients?limit=1").await.expect_ok()["totalCount"], 1000, "all or nothing");
    }

    async fn users_are_found_by_any_field(house: House) {
        let people = json!([
            {"_id": "a1", "nickname": "Amy", "email": "amy@example.com", "age": 30, "tags": ["x"], "avatarUrl": "y"},
            {"_id": "b2", "nickname": "Bob", "email": "bob@example.org", "age": 40.5},
            {"_id": "c3", "nickname": "amy lee", "age": "30", "vip": true},
            {"_id": "d4", "nickname": "50%_'; DROP TABLE users;--"},
        ]);
        house.platform().post("/admin/clients/list", json!({"data": people})).await.expect_ok();
        for (q, found) in [
            (json!({"nickname": "Amy"}), vec!["a1"]),
            (json!({"nickname": {"$eq": "Amy"}}), vec!["a1"]),
            (json!({"nickname": {"$ne": "Amy"}}), vec!["b2", "c3", "d4"]),
            (json!({"_id": {"$in": ["a1", "d4", "zz"]}}), vec!["a1", "d4"]),
            (json!({"id": {"$nin": ["a1", "d4"]}}), vec!["b2", "c3"]),
            (json!({"age": {"$gt": 29}}), vec!["a1", "b2"]),
            (json!({"age": {"$gte": 30, "$lt": 40}}), vec!["a1"]),
            (json!({"age": {"$lte": 30}}), vec!["a1"]),
            (json!({"age": {"$type": "string"}}), vec!["c3"]),
            (json!({"age": {"$exists": false}}), vec!["d4"]),
            (json!({"avatarUrl": {"$exists": true}}), vec!["a1"]),
            (json!({"nickname": {"$regex": "^amy", "$options": "i"}}), vec!["a1", "c3"]),
            (json!({"nickname": {"$regex": "^amy"}}), vec!["c3"]),
            (json!({"email": {"$regex": "example\\.(com|org)$"}}), vec!["a1", "b2"]),
            (json!({"nickname": "50%_'; DROP TABLE users;--"}), vec!["d4"]),
            (json!({"vip": true}), vec!["c3"]),
            (json!({"age": 30, "nickname": "Amy"}), vec!["a1"]),
            (json!({}), vec!["a1", "b2", "c3", "d4"]),
        ] {
            let page = house.platform().get(&format!("/admin/clients?q={}", segment(&q.to_string()))).await.expect_ok();
            let ids: Vec<&str> = page["data"].as_array().unwrap().iter().map(|user| user["_id"].as_str().unwrap()).collect();
            assert_eq!(ids, found, "{q}");
            assert_eq!(page["totalCount"], found.len(), "{q}");
        }
        for q in [
            "{", "[]", "1", r#"{"$where":"1"}"#, r#"{"age":{"$near":1}}"#, r#"{"$or":[{"a":1}]}"#, r#"{"a":{"$regex":"("}}"#,
            r#"{"a":{"$in":1}}"#, r#"{"a":{"$regex":"a","$options":"z"}}"#, r#"{"a":{"$exists":"x"}}"#,
            &format!(r#"{{"a":{{"$regex":"{}"}}}}"#, "(a*)*".repeat(2000)),
        ] {
            let answer = house.platform().get(&format!("/admin/clients?q={}", segment(q))).await;
            answer.expect_error_saying(400, "Invalid query syntax", "INVALID_QUERY", "MongoDB query syntax error");
        }
        expect_documented(&house.platform().get("/admin/clients?q=%7B%22_id%22:%22a1%22%7D&limit=20&skip=0").await, "list-users");
    }

    async fn users_come_in_pages_by_id(house: House) {
        let data: Vec<Value> = (0..120).map(|n| json!({"_id": format!("u{n:03}")})).collect();
        house.platform().post("/admin/clients/list", json!({"data": data})).await.expect_ok();
        let count = async |query: &str| {
            let page = house.platform().get(&format!("/admin/clients{query}")).await.expect_ok();
            (page["totalCount"].as_i64().unwrap(), page["data"].as_array().unwrap().len(), page["data"][0]["_id"].clone())
        };
        assert_eq!(count("").await, (120, 50, json!("u000")));
        assert_eq!(count("?limit=500").await, (120, 100, json!("u000")));
        assert_eq!(count("?limit=100&skip=100").await, (120, 20, json!("u100")));
        assert_eq!(count("?skip=120").await, (120, 0, Value::Null));
    }

    async fn one_reads_his_own_profile(house: House) {
        let ann = house.user("ann").await;
        house.platform().post("/admin/clients", json!({"_id": "ann", "email": "a@example.com"})).await.expect_ok();
        let answer = ann.get("/me").await;
        expect_documented(&answer, "get-a-user");
        let me = answer.expect_ok();
        assert_eq!((&me["_id"], &me["id"], &me["email"]), (&json!("ann"), &json!("ann"), &json!("a@example.com")));
        assert!(me.get("token").is_none() && me.get("data").is_none(), "{me}");
        assert_eq!(house.platform_for("ann").get("/me").await.expect_ok(), me);
        house.bearer("ann", "x").get("/me").await.expect_error(401, "INVALID_TOKEN");
    }

    async fn a_mute_ends_with_its_room_and_can_always_be_taken_back(house: House) {
        house.room("den").owner("ann").members(["bob", "cid"]).await;
        house.room("hall").owner("ann").members(["bob"]).await;
        let [ann, bob, cid] = house.users(["ann", "bob", "cid"]).await;
        for (user, room) in [(&bob, "den"), (&bob, "hall"), (&cid, "den")] {
            user.posts(&format!("/me/mute/{room}")).await.expect_ok();
        }
        bob.leaves("hall").await.expect_ok();
        assert_eq!(bob.get("/me").await.expect_ok()["mute"], json!(["den", "hall"]));
        assert_eq!(bob.delete("/me/mute/hall").await.expect_ok()["mute"], json!(["den"]), "though he left");
        bob.delete("/me/mute/hall").await.expect_error(404, "ROOM_NOT_FOUND");
        bob.posts("/me/mute/hall").await.expect_error(404, "ROOM_NOT_FOUND");
        ann.delete("/rooms/den").await.expect_ok();
        for user in [&bob, &cid] {
            assert_eq!(user.get("/me").await.expect_ok()["mute"], json!([]), "{}", user.id);
        }
        bob.delete("/me/mute/den").await.expect_error(404, "ROOM_NOT_FOUND");
        house.platform().delete("/admin/clients/bob/mute/den").await.expect_error(404, "ROOM_NOT_FOUND");
        house.room("den").owner("ann").members(["bob"]).await;
        assert_eq!(bob.room("den").await.expect_ok()["muted"], false, "another room, another mute");
    }

    async fn a_muted_room_is_quiet_and_nothing_else(house: House) {
        house.room("demo").owner("aaa").members(["bbb"]).await;
        let [aaa, bbb] = house.users(["aaa", "bbb"]).await;
        house.platform().post("/admin/clients", json!({"_id": "aaa", "description": "d", "email": "e"})).await.expect_ok();
        expect_documented(&house.platform().posts("/admin/clients/aaa/mute/demo").await, "mute-a-member");
        assert_eq!(house.platform().posts("/admin/clients/aaa/mute/demo").await.expect_ok()["mute"], json!(["demo"]), "again is fine");
        assert_eq!(aaa.room("demo").await.expect_ok()["muted"], true);
        assert_eq!(bbb.room("demo").await.expect_ok()["muted"], false);
        bbb.said("demo", "still heard").await;
        assert_eq!(aaa.unread("demo").await, 1);
        assert_eq!(house.platform().delete("/admin/clients/aaa/mute/demo").await.expect_ok()["mute"], json!([]));
        expect_documented(&aaa.posts("/me/mute/demo").await, "mute-room-notification");
        assert_eq!(aaa.get("/me").await.expect_ok()["mute"], json!(["demo"]));
        let answer = aaa.delete("/me/mute/demo").await;
        assert_eq!(answer.expect_ok()["mute"], json!([]));
        aaa.delete("/me/mute/demo").await.expect_ok();
        aaa.posts("/me/mute/nowhere").await.expect_error(404, "ROOM_NOT_FOUND");
    }

    async fn a_user_group_brings_its_people_into_a_room(house: House) {
        house.users(["agent001", "agent002"]).await;
        let group = json!({"_id": "service", "nickname": "客服團隊", "avatarUrl": "x", "members": ["agent001", "agent002"]});
        let answer = house.platform().post("/admin/groups", group).await;
        expect_documented(&answer, "create-group");
        expect_documented(&house.platform().get("/admin/groups?limit=50").await, "list-groups");
        house.room("desk").owner("boss").members(["service"]).await;
        let agent = house.user("agent001").await;
        assert_eq!(agent.room_ids().await, ["desk"]);
        agent.said("desk", "may I help?").await;
        let seen = house.user("boss").await.room("desk").await.expect_ok();
        let group = seen["members"].as_array().unwrap().iter().find(|member| member["_id"] == "service").unwrap().clone();
        assert_eq!(group["clientType"], "group");
        assert_eq!(group["members"].as_array().unwrap().len(), 2);
        assert_eq!(group["members"][0]["clientType"], "user");
        let made = house.platform().post("/admin/groups", json!({"nickname": "No id"})).await.expect_ok();
        assert_eq!(made["_id"].as_str().map(str::len), Some(24));
        assert_eq!(made["members"], json!([]));
    }

    async fn deleting_a_user_ends_his_sessions(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        bob.said("den", "remember me").await;
        expect_fields(&house.platform().delete("/admin/clients/bob").await.expect_ok(), &["deleted"]);
        bob.get("/me").await.expect_error(401, "INVALID_TOKEN");
        ann.blocks("bob").await.expect_error(404, "USER_NOT_FOUND");
        let message = &ann.reads("den").await.expect_list()[0];
        assert_eq!((&message["message"], &message["sender"]["_id"]), (&json!("remember me"), &json!("bob")));
        // A new user of the same id has none of the old one's tokens.
        house.platform().post("/admin/clients", json!({"_id": "bob"})).await.expect_ok();
        bob.get("/me").await.expect_error(401, "INVALID_TOKEN");
    }
}

async fn revoke(platform: &Caller, user: &str, body: Value) -> crate::common::Answer {
    platform.ask(reqwest::Method::DELETE, &format!("/admin/clients/{user}/token"), Some(body)).await
}

/// What a token says.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three parts");
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice(&payload).expect("JSON")
}
