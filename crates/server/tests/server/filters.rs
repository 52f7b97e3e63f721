//! Filters over users: `GET /admin/clients?q=` (rest.md 2.3).

use serde_json::{Map, Value, json};

use crate::common::{House, segment};

/// Who is found, by id.
async fn found(house: &House, q: &Value) -> Vec<String> {
    let page = house.platform().get(&format!("/admin/clients?q={}", segment(&q.to_string()))).await.expect_ok();
    let data = page["data"].as_array().unwrap();
    assert_eq!(page["totalCount"], data.len(), "{q}");
    data.iter().map(|user| user["_id"].as_str().unwrap().to_owned()).collect()
}

async fn expect_refused(house: &House, q: &Value) {
    let answer = house.platform().get(&format!("/admin/clients?q={}", segment(&q.to_string()))).await;
    answer.expect_error(400, "INVALID_QUERY");
}

/// Ann owns two rooms and muted both; Bob, who came into both, muted one; Cid is a robot who is in none.
async fn people(house: &House) {
    for room in ["demo-room", "other"] {
        house.room(room).owner("ann").members(["bob"]).await;
    }
    let [ann, bob, _] = house.users(["ann", "bob", "cid"]).await;
    for room in ["demo-room", "other"] {
        ann.posts(&format!("/me/mute/{room}")).await.expect_ok();
    }
    bob.posts("/me/mute/other").await.expect_ok();
    bob.posts("/me/notification/disable").await.expect_ok();
    let cid = json!({"_id": "cid", "isRobot": true, "description": "a robot", "level": 3});
    house.platform().post("/admin/clients", cid).await.expect_ok();
}

each_store! {
    async fn each_field_that_is_shown_filters_by_what_is_shown(house: House) {
        people(&house).await;
        // Where a socket can be had, Ann has logged in.
        let _listening = house.listens(&house.user("ann").await).await;
        let shown = house.platform().get("/admin/clients").await.expect_list();
        let ids = |holds: &dyn Fn(&Map<String, Value>) -> bool| -> Vec<String> {
            let users = shown.iter().filter(|user| holds(user.as_object().unwrap()));
            users.map(|user| user["_id"].as_str().unwrap().to_owned()).collect()
        };
        let fields = shown.iter().flat_map(|user| user.as_object().unwrap());
        let mut asked: Vec<(&String, &Value)> = fields
            .flat_map(|(field, value)| value.as_array().map_or_else(|| vec![(field, value)], |list| list.iter().map(|entry| (field, entry)).collect()))
            .collect();
        for field in ["appID", "clientType", "mute", "lastJoinOrCreateRoomTime", "notificationEnabled", "level"] {
            assert!(asked.iter().any(|(name, _)| *name == field), "{field} is not shown");
        }
        asked.sort_by_key(|(field, value)| (*field, value.to_string()));
        asked.dedup();
        for (field, value) in asked {
            let holds = |user: &Map<String, Value>| user.get(field).is_some_and(|own| own == value || own.as_array().is_some_and(|list| list.contains(value)));
            let (those, others) = (ids(&holds), ids(&|user| !holds(user)));
            for test in [value.clone(), json!({"$eq": value}), json!({"$in": [value, "none"]}), json!({"$gte": value, "$lte": value})] {
                assert_eq!(found(&house, &json!({field: test})).await, those, "{field}: {test}");
            }
            for test in [json!({"$ne": value}), json!({"$nin": ["none", value]})] {
                assert_eq!(found(&house, &json!({field: test})).await, others, "{field}: {test}");
            }
            let have = ids(&|user| user.contains_key(field));
            assert_eq!(found(&house, &json!({field: {"$exists": true}})).await, have, "{field}");
        }
    }

    async fn fields_of_ours_are_what_their_types_say(house: House) {
        people(&house).await;
        let all = ["ann", "bob", "cid"];
        for (q, who) in [
            (json!({"mute": {"$type": "array"}}), &all[..]),
            (json!({"mute": {"$type": "string"}}), &all[..2]),
            (json!({"mute": {"$exists": false}}), &[]),
            (json!({"mute": null}), &[]),
            (json!({"mute": 1}), &[]),
            (json!({"mute": {"$ne": 1}}), &all),
            (json!({"mute": {"$nin": ["demo-room", "other"]}}), &all[2..]),
            (json!({"mute": {"$lt": "e"}}), &all[..1]),
            (json!({"mute": {"$regex": "^demo"}}), &all[..1]),
            (json!({"mute": {"$regex": "^O..ER$", "$options": "i"}, "isRobot": false}), &all[..2]),
            (json!({"clientType": "user"}), &all),
            (json!({"clientType": {"$ne": "user"}}), &[]),
            (json!({"clientType": "group"}), &[]),
            (json!({"clientType": {"$regex": "^US", "$options": "i"}}), &all),
            (json!({"appID": house.keys().app}), &all),
            (json!({"appID": {"$exists": false}}), &[]),
            (json!({"appID": {"$in": ["another", "app"]}}), &[]),
            (json!({"lastLoginTime": {"$exists": false}, "lastLoginTimeMS": 0}), &all),
            (json!({"lastLoginTime": {"$gt": "2020-01-01"}}), &[]),
            (json!({"lastJoinOrCreateRoomTime": {"$gt": "2020-01-01T00:00:00Z", "$type": "date"}}), &all[1..2]),
            (json!({"lastJoinOrCreateRoomTime": null}), &["ann", "cid"]),
            (json!({"createdAt": {"$gt": 1_577_836_800_000_i64, "$lt": "2199-01-01"}}), &all),
            (json!({"createdAt": {"$type": "string"}}), &[]),
            (json!({"updatedAt": {"$regex": "^20"}}), &[]),
            (json!({"updatedAt": true}), &[]),
        ] {
            assert_eq!(found(&house, &q).await, who, "{q}");
        }
    }

    async fn a_custom_field_is_found_whatever_its_name(house: House) {
        let long = "欄".repeat(255);
        let names = ["客戶等級", "Größe", "two words", "it's", "say \"hi\"", "back\\slash", "a[0]", "@id", "@nickname", "1$'; DROP TABLE users; --", "%_?", "🙂", &long];
        for (n, name) in names.iter().enumerate() {
            let user = json!({"_id": format!("u{n:02}"), *name: "here", "in": {*name: {"$x": [n]}}});
            house.platform().post("/admin/clients", user).await.expect_ok();
        }
        for (n, name) in names.iter().enumerate() {
            let (name, who) = (*name, [format!("u{n:02}")]);
            for q in [
                json!({name: "here"}),
                json!({name: {"$exists": true}}),
                json!({name: {"$regex": "^H.re$", "$options": "i"}}),
                json!({format!("in.{name}.$x"): n}),
                json!({format!("in.{name}"): {"$type": "object"}}),
            ] {
                assert_eq!(found(&house, &q).await, who, "{q}");
            }
            assert_eq!(found(&house, &json!({name: {"$ne": "here"}})).await.len(), names.len() - 1, "{name}");
        }
        // A dot leads into an object: a name that holds one is nobody's.
        house.platform().post("/admin/clients", json!({"_id": "dotted", "a.b": 1})).await.expect_ok();
        assert!(found(&house, &json!({"a.b": 1})).await.is_empty());
        for name in ["", ".", "a..b", "a.b.c.d.e", "a\0b", &format!("{long}x")] {
            expect_refused(&house, &json!({name: 1})).await;
        }
    }

    async fn rooms_are_filtered_by_some_operators_that_users_are_not(house: House) {
        people(&house).await;
        let ann = house.user("ann").await;
        for q in [
            json!({"name": {"$all": ["Other"]}}),
            json!({"name": {"$not": {"$eq": "Demo-room"}}}),
            json!({"$and": [{"name": "Other"}]}),
            json!({"$or": [{"name": "Other"}, {"name": "None"}]}),
            json!({"$nor": [{"name": "Demo-room"}]}),
        ] {
            expect_refused(&house, &q).await;
            let rooms = ann.get(&format!("/rooms?q={}", segment(&q.to_string()))).await.expect_list();
            let ids: Vec<&Value> = rooms.iter().map(|room| &room["_id"]).collect();
            assert_eq!(ids, ["other"], "{q}");
        }
    }

    async fn what_is_never_shown_is_no_field_to_filter_by(house: House) {
        people(&house).await;
        for field in ["token", "expirationDate", "members", "data", "isSocketConnected", "lastActiveTime", "__v", "mute.0", "nickname.first"] {
            for test in [json!("x"), json!({"$ne": "x"}), json!({"$exists": false})] {
                expect_refused(&house, &json!({field: test})).await;
            }
        }
        expect_refused(&house, &json!({"mute": ["demo-room"]})).await;
        expect_refused(&house, &json!({"mute": {"$all": ["demo-room"]}})).await;
        expect_refused(&house, &json!({"mute": {"$size": 1}})).await;
    }
}
