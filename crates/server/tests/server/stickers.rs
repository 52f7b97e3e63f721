//! Sets of stickers, and tokens for trying things out.

use banter_server::ServeSettings;
use serde_json::json;

use crate::common::House;
use crate::host::another_door;

each_store! {
    async fn sets_of_stickers_are_listed_in_their_order_and_lead_to_their_pictures(house: House) {
        let platform = house.platform();
        let cat = json!({"_id": "cat", "name": "Cats", "order": 2, "zip": {"resourceId": "cat/all.zip"},
            "images": [{"resourceId": "cat/1.png", "Location": "https://cdn.example.com/cat/1.png"}]});
        platform.post("/admin/stickers", cat).await.expect_ok();
        platform.post("/admin/stickers", json!({"_id": "dog", "name": "Dogs", "order": 1})).await.expect_ok();
        let key_alone = house.nobody().with_header("im-client-key", &house.keys().client);
        let sets = key_alone.get("/stickers").await.expect_list();
        assert_eq!((&sets[0]["_id"], &sets[1]["_id"]), (&json!("dog"), &json!("cat")));
        assert_eq!(sets[1]["images"], json!([{"resourceId": "cat/1.png"}]), "where they lie is the platform's business");
        assert!(sets[1]["updatedAtMS"].is_i64() && sets[1]["zip"]["resourceId"] == "cat/all.zip", "{sets:?}");
        let listed = platform.get("/admin/stickers").await.expect_list();
        assert_eq!(listed[1]["images"][0]["Location"], "https://cdn.example.com/cat/1.png");
        let path = format!("/stickers/res?resourceId=cat/1.png&appID={}", house.keys().app);
        let http = banter_server::outgoing::client().build().expect("a client");
        let found = http.get(format!("{}{path}", house.base())).send().await.expect("an answer");
        assert_eq!((found.status().as_u16(), &found.headers()["location"]), (302, &"https://cdn.example.com/cat/1.png".parse().unwrap()));
        house.nobody().get("/stickers/res?resourceId=cat/2.png").await.expect_error(404, "STICKER_NOT_FOUND");
        house.nobody().get("/stickers").await.expect_error(403, "MISSING_CLIENT_KEY");
        for bad in [json!({"_id": "x", "name": "X", "images": [{"resourceId": "a", "Location": "javascript:alert(1)"}]}), json!({"_id": "x/y", "name": "X"})] {
            platform.post("/admin/stickers", bad).await.expect_some_refusal();
        }
        platform.post("/admin/stickers", json!({"_id": "x"})).await.expect_error(400, "MISSING_PARAMETER");
        assert_eq!(platform.delete("/admin/stickers/cat").await.expect_ok(), json!({"n": 1, "ok": 1}));
        platform.delete("/admin/stickers/cat").await.expect_error(404, "STICKER_NOT_FOUND");
    }

    async fn r19_a_client_key_alone_issues_tokens_only_in_the_sandbox(house: House) {
        let signed = house.platform().post("/auths/sign/v2", json!({"id": "zoe", "nickname": "Zoe"})).await.expect_ok();
        assert_eq!((&signed["authType"], &signed["id"], &signed["nickname"]), (&json!("Standalone JWT"), &json!("zoe"), &json!("Zoe")));
        assert!(signed["exp"].is_i64() && signed["expirationDate"].is_string(), "{signed}");
        let zoe = house.bearer("zoe", signed["token"].as_str().unwrap());
        assert_eq!(zoe.get("/me").await.expect_ok()["nickname"], "Zoe");
        let bare = house.platform().post("/auths/sign", json!({"id": "zoe"})).await.body();
        assert!(bare["token"].is_string() && bare.get("RC").is_none(), "{bare}");
        let key_alone = house.nobody().with_header("im-client-key", &house.keys().client);
        key_alone.post("/auths/sign/v2", json!({"id": "zoe"})).await.expect_error(403, "SANDBOX_OFF");
        zoe.post("/auths/sign/v2", json!({"id": "ann"})).await.expect_error(403, "SANDBOX_OFF");
        house.nobody().post("/auths/sign/v2", json!({"id": "zoe"})).await.expect_error(403, "MISSING_CLIENT_KEY");
        house.platform().post("/auths/sign/v2", json!({})).await.expect_error(400, "INVALID_REQUEST");
        house.platform().post("/auths/sign/v2", json!({"id": "platform"})).await.expect_error(400, "INVALID_USER_ID");
        let sandbox = another_door(&house, ServeSettings { sandbox: true, ..ServeSettings::default() }).await;
        let key_alone = sandbox.nobody().with_header("im-client-key", &sandbox.keys().client);
        let signed = key_alone.post("/auths/sign/v2", json!({"id": "new"})).await.expect_ok();
        house.bearer("new", signed["token"].as_str().unwrap()).get("/me").await.expect_ok();
        let wrong = sandbox.nobody().with_header("im-client-key", "no-such-key");
        wrong.post("/auths/sign/v2", json!({"id": "new"})).await.expect_error(403, "INVALID_CLIENT_KEY");
    }
}
