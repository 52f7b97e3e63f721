//! Users found by filters, the same on every engine.

use banter_domain::filter::{FieldPath, Filter};
use banter_domain::id::{RoomId, UserId};
use banter_domain::user::{Profile, User, UserKind};
use banter_store::{Error, REGEX_ROWS, Result, Store, View};
use serde_json::{Value, json};

use crate::house::House;

/// What the fields are called by those who ask, and here.
const NAMES: [(&str, &str); 5] =
    [("id", "id"), ("nickname", "nickname"), ("seen", "last_login"), ("robot", "is_robot"), ("mute", "mutes")];

fn filter(filter: &Value) -> Filter {
    Filter::parse(filter).unwrap().renamed(&NAMES)
}

/// A user by nickname, last login and custom fields; a robot if his id says so.
fn user(id: &str, nickname: Option<&str>, login_ms: i64, custom: Value) -> User {
    User {
        profile: Profile {
            id: UserId::parse(id.to_owned()).unwrap(),
            nickname: nickname.map(str::to_owned),
            avatar_url: None,
            last_login_ms: login_ms,
        },
        kind: UserKind::Person,
        description: None,
        is_robot: id.starts_with("bot"),
        notifications: true,
        created_ms: 1,
        updated_ms: 1,
        last_room_ms: None,
        custom: custom.as_object().cloned().unwrap(),
    }
}

fn people() -> Vec<(User, Vec<&'static str>)> {
    vec![
        (
            user("ann", Some("Ann Smith"), 5, json!({"tags": ["work", "Büro"], "n": 1.0, "客戶": {"a b": "x"}})),
            vec!["den"],
        ),
        (user("bob", Some("ſmith É"), 0, json!({"tags": "WORK", "n": 1_i64 << 60, "q\"": "x", "b\\": [true]})), vec![]),
        (
            user("bot", None, 9, json!({"n": 0.1, "it's": null, "[0]": "$1", "客戶": {"a b": [1, "Xy"]}})),
            vec!["den", "hall"],
        ),
        (user("cid", Some("KELVIN \u{212a}é"), 5, json!({"tags": [], "n": "1", "$odd": 1})), vec!["Hall"]),
    ]
}

/// What a field of a user is, as the filter's meaning takes it.
fn lookup(user: &User, mutes: &[&str], path: &FieldPath) -> Option<Value> {
    match path.as_str() {
        "$nickname" => user.profile.nickname.clone().map(Value::from),
        "$is_robot" => Some(user.is_robot.into()),
        "$mutes" => Some(mutes.into()),
        _ => path.find_in(&Value::Object(user.custom.clone())).cloned(),
    }
}

/// Tests of every kind, the patterns among them of those that a database can run and those that it cannot.
fn tests() -> Vec<Value> {
    let mut tests: Vec<Value> = [json!(null), json!(true), json!(5), json!(0.1), json!("x"), json!("den"), json!("$1")]
        .into_iter()
        .flat_map(|value| {
            ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"].into_iter().map(move |name| json!({name: value}))
        })
        .collect();
    for list in [json!(["x", "work", 1]), json!([null, "den"]), json!([])] {
        tests.extend(["$in", "$nin", "$all"].map(|name| json!({name: list})));
    }
    tests.extend([true, false].map(|there| json!({"$exists": there})));
    let kinds = ["string", "bool", "number", "int", "double", "null", "array", "object", "date"];
    tests.extend(kinds.map(|kind| json!({"$type": kind})));
    for pattern in [
        "smith", "^ſ?mith", "K", "^k.*é$", "É", "w.rk", "büro", "^(x|xy)$", "a|n$", "\\d", ".*HALL", "^den$",
        "a\\x00b", "",
    ] {
        tests.extend(["", "i"].map(|options| json!({"$regex": pattern, "$options": options})));
        tests.push(json!({"$not": {"$regex": pattern, "$options": "i"}}));
    }
    tests
}

async fn found(view: &mut View, q: &Value, limit: usize, skip: usize) -> Result<(i64, Vec<String>)> {
    let found = view.find_users(Some(&filter(q)), limit, skip).await?;
    Ok((found.total, found.users.iter().map(|user| user.profile.id.as_str().to_owned()).collect()))
}

pub(crate) async fn filters_mean_the_same(house: &House) {
    let store = Store::over(house.open().await.unwrap());
    let mut tx = store.change(7).await.unwrap();
    for (user, mutes) in people() {
        tx.put_user(&user).await.unwrap();
        for room in mutes {
            tx.set_mute(&user.profile.id, &RoomId::parse(room.to_owned()).unwrap(), true).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let mut view = store.view(7).await.unwrap();
    let fields = ["nickname", "robot", "mute", "tags", "n", "客戶", "客戶.a b", "q\"", "b\\", "it's", "[0]", "none"];
    for field in fields {
        for test in tests() {
            let q = json!({field: test});
            let means = |user: &User, mutes: &[&str]| filter(&q).matches(&|path| lookup(user, mutes, path));
            let meant: Vec<String> = people()
                .iter()
                .filter(|(user, mutes)| means(user, mutes))
                .map(|(user, _)| user.profile.id.as_str().to_owned())
                .collect();
            let total = i64::try_from(meant.len()).unwrap();
            assert_eq!(found(&mut view, &q, 10, 0).await.unwrap(), (total, meant), "{q}");
        }
    }
    for (q, who) in [
        (json!({"seen": "1970-01-01T00:00:00.005Z"}), &["ann", "cid"][..]),
        (json!({"seen": {"$gt": 5}}), &["bot"]),
        (json!({"seen": {"$exists": false}}), &["bob"]),
        // One is for the database and the other is judged here: both are asked of the same user.
        (
            json!({"seen": {"$lt": "1971-01-01"}, "nickname": {"$not": {"$regex": "^.NN|N$", "$options": "i"}}}),
            &["bot", "cid"],
        ),
        (
            json!({"$or": [{"seen": {"$gt": 5}}, {"nickname": {"$regex": "^.nn|N$"}}, {"mute": {"$regex": "^H.ll$"}}]}),
            &["ann", "bot", "cid"],
        ),
    ] {
        assert_eq!(found(&mut view, &q, 10, 0).await.unwrap().1, who, "{q}");
    }
}

pub(crate) async fn a_pattern_is_judged_for_so_many_users(house: &House) {
    let engine = house.open().await.unwrap();
    let store = Store::over(engine.clone());
    let people = async |from: usize, to: usize| {
        let mut session = engine.write().await.unwrap();
        let text = "INSERT INTO users (app, id, kind, nickname, created_ms, updated_ms, fold)
            WITH RECURSIVE n(i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $2)
            SELECT 7, 'u' || i, 'person', 'n' || i, 1, 1, '' FROM n";
        let bounds = [from, to].map(|bound| i64::try_from(bound).unwrap().into());
        session.put(text, bounds.to_vec()).await.unwrap();
        // PostgreSQL notices by itself that a table has grown, but not at once.
        session.put("ANALYZE users", vec![]).await.unwrap();
        session.commit().await.unwrap();
    };
    let all = json!({"nickname": {"$regex": "n\\d+$"}});
    people(1, REGEX_ROWS).await;
    let page = found(&mut store.view(7).await.unwrap(), &all, 2, 1).await.unwrap();
    assert_eq!(page, (i64::try_from(REGEX_ROWS).unwrap(), vec!["u10".to_owned(), "u100".to_owned()]));
    people(REGEX_ROWS + 1, REGEX_ROWS + 1).await;
    let mut view = store.view(7).await.unwrap();
    assert!(matches!(found(&mut view, &all, 2, 1).await, Err(Error::TooBroad)));
    // Those without what a pattern needs are not counted, nor those the rest of the filter leaves out.
    for (q, total) in [
        (json!({"nickname": {"$regex": "^n77.77$"}}), 10),
        (json!({"nickname": {"$regex": "^N77.77$", "$options": "i"}}), 10),
        (json!({"nickname": {"$regex": "^(n1234|N4321)\\d?$", "$options": "i"}}), 22),
        (json!({"nickname": {"$regex": "N777", "$options": "i"}}), 111),
        (json!({"nickname": {"$regex": "\\d$"}, "id": {"$lt": "u2"}}), 11_113),
    ] {
        assert_eq!(found(&mut view, &q, 1, 0).await.unwrap().0, total, "{q}");
    }
}
