//! The app's configuration.

use serde_json::json;

use crate::common::House;
use crate::shape::expect_documented;

each_store! {
    async fn configuration_is_kept_key_by_key(house: House) {
        let ann = house.user("ann").await;
        let platform = house.platform();
        assert_eq!(ann.get("/config").await.expect_ok(), json!({}));
        let all = json!({
            "announcement": {"text": "歡迎", "pin": true}, "censorship": {"keywords": ["廣告", "spam"]},
            "featureFlags": {"enableVoiceMessage": true, "enableFileSharing": true, "maxFileSize": 10}, "anything": [1, null],
        });
        let answer = platform.post("/config", all.clone()).await;
        assert_eq!(answer.expect_ok(), all);
        let change = json!({"announcement": {"text": "New", "pin": false}});
        let changed = platform.post("/config", change.clone()).await.expect_ok();
        assert_eq!((&changed["announcement"], &changed["anything"]), (&change["announcement"], &all["anything"]));
        expect_documented(&ann.get("/config").await, "get-config");
        assert_eq!(platform.get("/config").await.expect_ok(), changed);
        expect_documented(&platform.delete("/config/announcement").await, "delete-config");
        assert!(ann.get("/config").await.expect_ok().get("announcement").is_none());
        platform.delete("/config/announcement").await.expect_error_saying(
            404, "Config not found", "CONFIG_NOT_FOUND", "The specified config key does not exist");
    }

    async fn configuration_that_is_none_is_refused(house: House) {
        let platform = house.platform();
        for body in [json!([1]), json!("x"), json!(1), json!(null)] {
            platform.post("/config", body).await.expect_error_saying(
                400, "Bad Request", "INVALID_BODY", "Request body must be a valid JSON object");
        }
        for keywords in [json!("spam"), json!([1]), json!({"a": 1}), json!(null)] {
            platform.post("/config", json!({"censorship": {"keywords": keywords}})).await.expect_error_saying(
                400, "Invalid request format", "INVALID_CONFIG_FORMAT", "Config format is invalid or malformed");
        }
        assert_eq!(platform.get("/config").await.expect_ok(), json!({}));
    }

    async fn words_are_masked_from_the_moment_they_are_named(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let bob = house.user("bob").await;
        let platform = house.platform();
        bob.said("den", "spam").await;
        platform.post("/config", json!({"censorship": {"keywords": ["spam", "spammer", "廣告"]}})).await.expect_ok();
        for (said, kept) in [
            ("no spam here", "no **** here"), ("SPAM", "SPAM"), ("spammer", "*******"), ("廣告spam", "******"), ("eggs", "eggs"),
        ] {
            let message = bob.says("den", said).await.expect_ok();
            assert_eq!(message["message"], kept);
            assert_eq!(message["message"].as_str().unwrap().chars().count(), said.chars().count(), "as long as before");
        }
        let words = json!({"room": "den", "sender": "ann", "messageType": "text", "message": "platform spam"});
        assert_eq!(platform.post("/messages", words).await.expect_ok()["message"], "platform ****");
        platform.delete("/config/censorship").await.expect_ok();
        assert_eq!(bob.says("den", "spam").await.expect_ok()["message"], "spam");
    }
}
