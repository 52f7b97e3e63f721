//! Every documented error is produced by the situation it names (`golden/errors.json` holds them
//! as documented), but for those a ruling replaced.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{Answer, House};

/// Documented errors that are not produced as documented, and what stands in their place.
const REPLACED: [(&str, &str); 13] = [
    ("api-key-error-missing-api-key", "INVALID_API_KEY, missing or wrong (rest.md 0.2)"),
    ("api-key-error-insufficient-permissions", "an API key may call every endpoint"),
    ("client-key-error-client-key-mismatch", "withdrawn by the rulings"),
    ("get-config-401-invalid-auth", "INVALID_TOKEN, withdrawn by the rulings"),
    ("delete-config-404-config-not-found", "the other page's RM (rest.md 6)"),
    ("get-message-by-a-room-403-not-room-member", "the other page's text (rest.md 5.4)"),
    ("get-message-by-a-room-404-room-not-found", "the other page's text (rest.md 5.4)"),
    ("list-members-404-room-not-found", "the other page's text (rest.md 3.4)"),
    ("list-users-413-result-too-large", "the limit is clamped, withdrawn by the rulings"),
    ("assign-token-409-user-exists", "an upsert, withdrawn by the rulings"),
    ("issue-token-409-user-exists", "an upsert, withdrawn by the rulings"),
    ("api-key-error-rate-limit-exceeded", "in `bad_input`, with a server of its own"),
    ("client-key-error-invalid-client-key", "the text of GET /me (rest.md 0.2)"),
];

/// The request that gets each documented error. `None`: no situation is known here.
async fn situation(house: &House, name: &str) -> Option<Answer> {
    let [ann, bob, bad] = [house.user("ann").await, house.user("bob").await, house.bearer("bad", "bad-token")];
    let (platform, thief) = (house.platform(), house.nobody().with_header("im-api-key", "wrong"));
    let gone = "0123456789abcdef01234567";
    let long = "x".repeat(256);
    Some(match name {
        "api-key-error-invalid-api-key" | "send-a-message-401-invalid-api-key" => {
            thief.post("/messages", json!({})).await
        }
        "client-key-error-missing-client-key" => ann.without_header("im-client-key").get("/me").await,
        "delete-config-401-invalid-api-key" | "delete-sensitive-words-401-invalid-api-key" => {
            thief.delete("/config/a").await
        }
        "update-config-401-invalid-api-key" | "update-sensitive-words-401-invalid-api-key" => {
            thief.post("/config", json!({})).await
        }
        "push-to-clients-401-invalid-api-key" => thief.post("/push/push2clients", json!({})).await,
        "push-to-clients-400-missing-parameter" => platform.post("/push/push2clients", json!({})).await,
        "update-config-400-invalid-body" => platform.post("/config", json!([])).await,
        "get-unread-message-by-a-room-401-invalid-token" => bad.post("/badges/byRoomTags", json!({})).await,
        "get-unread-message-by-a-room-400-invalid-tags" => {
            ann.post("/badges/byRoomTags", json!({"tags": "demo"})).await
        }
        "get-unread-message-by-a-user-401-invalid-token" => bad.get("/me/badge").await,
        "get-unread-message-by-a-user-400-invalid-room-tags" => ann.get("/me/badge?roomTags=").await,
        "delete-a-message-401-invalid-token" => bad.erases("den", gone).await,
        "delete-a-message-403-insufficient-permission" => bob.erases("den", gone).await,
        "delete-a-message-404-message-not-found" => ann.erases("den", gone).await,
        "delete-a-message-404-room-not-found" => ann.erases("nowhere", gone).await,
        "get-message-by-a-room-401-invalid-token" | "list-messages-401-invalid-token" => bad.reads("den").await,
        "list-messages-403-not-room-member" => house.user("eve").await.reads("den").await,
        "list-messages-404-room-not-found" => ann.reads("nowhere").await,
        "search-message-401-invalid-token" => bad.searches("x").await,
        "search-message-400-invalid-search-type" => ann.post("/search", json!({"type": [], "keyword": "x"})).await,
        "send-a-message-404-room-not-found" => {
            platform
                .post("/messages", json!({"room": "nowhere", "sender": "ann", "messageType": "text", "message": "x"}))
                .await
        }
        "ban-a-member-401-invalid-token" => bad.bans("den", "bob").await,
        "ban-a-member-403-insufficient-permissions" => bob.bans("den", "cid").await,
        "ban-a-member-404-room-or-user-not-found" => ann.bans("den", "ghost").await,
        "ban-a-member-409-user-already-blocked" => ann.bans("den", "xen").await,
        "list-banned-members-401-invalid-token" | "seed-list-banned-members-401-invalid-token" => {
            bad.bans_of("den").await
        }
        "list-banned-members-403-insufficient-permissions"
        | "seed-list-banned-members-403-insufficient-permissions" => bob.bans_of("den").await,
        "list-banned-members-404-room-not-found" | "seed-list-banned-members-404-room-not-found" => {
            ann.bans_of("nowhere").await
        }
        "unban-a-member-401-invalid-token" => bad.unbans("den", "xen").await,
        "unban-a-member-403-insufficient-permissions" => bob.unbans("den", "xen").await,
        "unban-a-member-404-block-not-found" => ann.unbans("den", "bob").await,
        "unban-a-member-400-invalid-user-id" => ann.unbans("den", &long).await,
        "block-a-user-401-invalid-token" => bad.blocks("bob").await,
        "block-a-user-404-user-not-found" => ann.blocks("ghost").await,
        "block-a-user-400-self-block-forbidden" => ann.blocks("ann").await,
        "block-a-user-409-user-already-blocked" => ann.blocks("xen").await,
        "list-blocked-users-401-invalid-token" | "seed-list-blocked-users-401-invalid-token" => bad.my_blocks().await,
        "list-blocked-users-403-insufficient-permissions" | "seed-list-blocked-users-403-insufficient-permissions" => {
            house.platform_for("ghost").my_blocks().await
        }
        "unblock-a-user-401-invalid-token" => bad.unblocks("bob").await,
        "unblock-a-user-404-block-not-found" => ann.unblocks("bob").await,
        "unblock-a-user-400-invalid-user-id" => ann.unblocks(&long).await,
        "freeze-a-chatroom-401-invalid-token" => bad.freezes("den").await,
        "freeze-a-chatroom-403-insufficient-permissions" => bob.freezes("den").await,
        "freeze-a-chatroom-404-room-not-found" => ann.freezes("nowhere").await,
        "mute-a-member-401-invalid-api-key" => thief.posts("/admin/clients/ann/mute/den").await,
        "mute-a-member-404-client-not-found" => platform.posts("/admin/clients/ghost/mute/den").await,
        "mute-a-member-404-room-not-found" => platform.posts("/admin/clients/ann/mute/nowhere").await,
        "unmute-a-member-401-invalid-api-key" => thief.delete("/admin/clients/ann/mute/den").await,
        "unmute-a-member-404-client-not-found" => platform.delete("/admin/clients/ghost/mute/den").await,
        "unmute-a-member-404-room-not-found" => platform.delete("/admin/clients/ann/mute/nowhere").await,
        "unmute-a-member-400-room-not-muted" => platform.delete("/admin/clients/ann/mute/den").await,
        "delete-sensitive-words-403-insufficient-permissions" => ann.delete("/config/a").await,
        "delete-sensitive-words-404-config-not-found" => platform.delete("/config/a").await,
        "get-sensitive-words-401-invalid-token" => bad.get("/config").await,
        "get-sensitive-words-403-insufficient-permissions" => house.platform_for("ghost").get("/config").await,
        "update-sensitive-words-403-insufficient-permissions" => ann.post("/config", json!({"a": 1})).await,
        "update-sensitive-words-400-invalid-config-format" => {
            platform.post("/config", json!({"censorship": {"keywords": "x"}})).await
        }
        "connection-count-401-invalid-api-key" => thief.get("/admin/connection-count").await,
        "connection-count-403-permission-denied" => ann.get("/admin/connection-count").await,
        "stats-401-invalid-api-key" => thief.get("/admin/stats").await,
        "stats-403-permission-denied" => ann.get("/admin/stats").await,
        "get-a-room-404-room-not-found" => ann.room("nowhere").await,
        "update-a-room-401-invalid-token" => bad.updates("den", json!({"name": "x"})).await,
        "update-a-room-403-insufficient-permissions" => bob.updates("den", json!({"name": "x"})).await,
        "update-a-room-404-room-not-found" => ann.updates("nowhere", json!({"name": "x"})).await,
        "list-members-401-invalid-token" => bad.room("den").await,
        "list-members-403-not-room-member" => house.user("eve").await.room("den").await,
        "create-group-401-invalid-api-key" => thief.post("/admin/groups", json!({})).await,
        "create-group-400-missing-parameter" => platform.post("/admin/groups", json!({})).await,
        "create-group-409-group-already-exists" => {
            platform.post("/admin/groups", json!({"_id": "crew", "nickname": "x"})).await
        }
        "list-groups-401-invalid-api-key" => thief.get("/admin/groups").await,
        "get-a-user-401-invalid-token" => bad.get("/me").await,
        "get-a-user-403-invalid-client-key" => ann.with_header("im-client-key", "wrong").get("/me").await,
        "list-users-400-invalid-query" => platform.get("/admin/clients?q=%7B").await,
        "list-users-401-invalid-api-key" => thief.get("/admin/clients").await,
        "assign-token-400-invalid-request" => {
            platform
                .post(
                    "/admin/clients",
                    json!({"_id": "ann", "issueAccessToken": false, "expirationDate": "2199-01-01T00:00:00Z"}),
                )
                .await
        }
        "issue-token-400-invalid-request" => platform.post("/admin/clients", json!({"issueAccessToken": true})).await,
        "assign-token-401-unauthorized" | "issue-token-401-unauthorized" => {
            thief.post("/admin/clients", json!({"_id": "x"})).await
        }
        "revoke-token-401-unauthorized" => thief.delete("/admin/clients/ann/token").await,
        "revoke-token-404-client-not-found" => platform.delete("/admin/clients/user001/token").await,
        "revoke-token-404-token-not-found" => {
            platform.ask(Method::DELETE, "/admin/clients/ann/token", Some(json!({"token": "x"}))).await
        }
        "update-token-400-invalid-request" => {
            platform.put("/admin/clients/ann/token", json!({"token": "x", "expirationDate": "soon"})).await
        }
        "update-token-401-unauthorized" => thief.put("/admin/clients/ann/token", json!({})).await,
        "update-token-404-client-not-found" => {
            platform
                .put("/admin/clients/user002/token", json!({"token": "x", "expirationDate": "2199-01-01T00:00:00Z"}))
                .await
        }
        "update-token-409-token-conflict" => {
            platform
                .put(
                    "/admin/clients/ann/token",
                    json!({"token": bob.token(), "expirationDate": "2199-01-01T00:00:00Z"}),
                )
                .await
        }
        _ => return None,
    })
}

fn documented() -> Vec<Value> {
    serde_json::from_str(include_str!("../golden/errors.json")).expect("documented errors")
}

each_store! {
    async fn every_documented_error_comes_of_the_situation_it_names(house: House) {
        house.room("den").owner("ann").members(["bob", "cid", "xen"]).await;
        house.platform().post("/admin/groups", json!({"_id": "crew", "nickname": "Crew"})).await.expect_ok();
        let ann = house.user("ann").await;
        ann.bans("den", "xen").await.expect_ok();
        ann.blocks("xen").await.expect_ok();
        let replaced = BTreeMap::from(REPLACED);
        let mut wrong = Vec::new();
        for error in documented() {
            let name = error["name"].as_str().unwrap();
            let Some(answer) = situation(&house, name).await else {
                if !replaced.contains_key(name) {
                    wrong.push(format!("{name}: no situation here produces it"));
                }
                continue;
            };
            let expected = match error["response"]["RC"].is_null() {
                false => error["response"].clone(),
                // Pages that show the error alone; a bad API key has one text everywhere.
                true => {
                    let told = answer.body();
                    let text = match error["response"]["error"].as_str().unwrap() {
                        "UNAUTHORIZED" => json!({"code": "INVALID_API_KEY", "message": "Invalid or missing API key"}),
                        code => json!({"code": code, "message": error["response"]["message"]}),
                    };
                    json!({"RC": answer.status, "RM": told["RM"], "error": text})
                }
            };
            if answer.body() != expected || (error["status"].is_u64() && error["status"] != answer.status) {
                wrong.push(format!("{name}: documented {expected}, but {answer}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn no_error_is_both_replaced_and_produced_nor_forgotten() {
    let names: Vec<String> = documented().iter().map(|error| error["name"].as_str().unwrap().to_owned()).collect();
    for (name, why) in REPLACED {
        assert!(names.iter().any(|known| known == name), "{name} ({why}) is not documented any more");
    }
}
