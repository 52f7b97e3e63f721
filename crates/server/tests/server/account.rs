//! What a user does about himself.

use serde_json::{Value, json};

use crate::common::{Caller, House};

/// A second token of a user, on another device.
async fn second_device(house: &House, user: &str) -> Caller {
    let given =
        house.platform().post("/admin/clients", json!({ "_id": user, "issueAccessToken": true })).await.expect_ok();
    house.bearer(user, given["token"].as_str().expect("a token"))
}

each_store! {
    async fn one_changes_his_own_profile_and_nothing_else(house: House) {
        let ann = house.user("ann").await;
        house.platform().post("/admin/clients", json!({ "_id": "ann", "vip": false, "email": "ann@example.org" })).await.expect_ok();
        let all = json!({
            "nickname": "Annie", "avatarUrl": "a.png", "description": "me", "vip": true, "email": null, "team": "red",
            "isRobot": true, "_id": "bob",
        });
        let changed = ann.post("/me", all).await.expect_ok();
        assert_eq!((&changed["_id"], &changed["nickname"], &changed["avatarUrl"]), (&json!("ann"), &json!("Annie"), &json!("a.png")));
        assert_eq!((&changed["vip"], &changed["email"], changed.get("team")), (&json!(false), &json!("ann@example.org"), None),
            "what the app keeps about somebody is not his to say");
        assert_eq!(changed["isRobot"], false, "whether somebody is a robot is not his to say");
        assert_eq!(ann.get("/me").await.expect_ok(), changed);
        house.platform_for("nobody-there").post("/me", json!({ "nickname": "x" })).await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
        let off = ann.posts("/me/notification/disable").await.expect_ok();
        let on = ann.posts("/me/notification/enable").await.expect_ok();
        assert_eq!((&off["notificationEnabled"], &on["notificationEnabled"]), (&json!(false), &json!(true)));
    }

    async fn logging_out_ends_this_token_and_logging_others_out_all_the_rest(house: House) {
        let one = house.user("ann").await;
        let [two, three] = [second_device(&house, "ann").await, second_device(&house, "ann").await];
        let socket = house.listens(&two).await;
        let others = one.posts("/me/logout-others").await.expect_list();
        assert_eq!(others.len(), 2);
        assert!(others.iter().all(|record| record["expirationDateMS"].is_i64() && record.get("token").is_none()), "{others:?}");
        one.get("/me").await.expect_ok();
        for gone in [&two, &three] {
            gone.get("/me").await.expect_error(401, "INVALID_TOKEN");
        }
        if let Some(socket) = &socket {
            socket.hears("!disconnect", |_| true).await;
        }
        let record = one.posts("/me/logout").await.expect_ok();
        assert_eq!(record["token"], one.token(), "the request carried it (R-18)");
        one.get("/me").await.expect_error(401, "INVALID_TOKEN");
        let entries = house.platform().get("/admin/audit?action=revoke-tokens&target=ann").await.expect_list();
        let told: Vec<&Value> = entries.iter().map(|entry| &entry["actor"]).collect();
        assert_eq!(told, [&json!("ann"), &json!("ann")]);
    }
}
