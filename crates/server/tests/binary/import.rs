//! `banter import`: everything or nothing, with the times of the file, as often as one likes.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::House;
use crate::contract::seed;
use crate::place::Place;
use crate::process::{Server, block_on, keys, run, said};

/// The records of a founding document's example, one a line.
fn lines_of(example: &str) -> String {
    let mut lines = String::new();
    for entry in seed(example)["result"]["data"].as_array().expect("a list") {
        let mut line = entry.clone();
        line["kind"] = json!("blockStatus");
        writeln!(lines, "{line}").expect("written");
    }
    lines
}

/// Imports a text into the app of a place.
fn import(place: &Place, text: &str) -> std::process::Output {
    let file = place.file("records.ndjson");
    std::fs::write(&file, text).expect("written");
    run_import(place, &file)
}

fn run_import(place: &Place, file: &Path) -> std::process::Output {
    let mut flags = place.flags();
    flags.push(file.to_string_lossy().into_owned());
    run(&["import", "--app-id", &keys().app], &flags)
}

#[track_caller]
fn expect_imported(output: &std::process::Output) {
    assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
}

/// A server in a place whose app was made by an import: its API key becomes ours, its client key stays.
fn serve(place: &Place) -> (Server, House) {
    let rotated = run(&["app", "rotate-key", "--app-id", &keys().app, "--api-key", &keys().api], &place.flags());
    assert_eq!(rotated.status.code(), Some(0), "{}", said(&rotated.stderr));
    let list = said(&run(&["app", "list"], &place.flags()).stdout);
    let client = list
        .split("client-key ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .expect("a client key")
        .to_owned();
    let mut command = crate::process::command(crate::process::binary());
    command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn"]).args(place.flags());
    let server = Server::of(command);
    let house = House::new(server.address.clone(), crate::common::Keys { client, ..keys() });
    (server, house)
}

#[test]
fn one_founding_document_alone_gives_its_own_answer() {
    block_on(async {
        for (example, path) in [
            ("seed-list-blocked-users", "/blockStatus/my"),
            ("seed-list-banned-members", "/blockStatus/room/demo-room"),
        ] {
            for (store, place) in Place::each().await {
                expect_imported(&import(&place, &lines_of(example)));
                let (_server, house) = serve(&place);
                let as_platform = house.platform_for("aaa").get(path).await;
                assert_eq!(as_platform.body(), seed(example), "{store}");
                let token =
                    house.platform().post("/admin/clients", json!({"_id": "aaa", "issueAccessToken": true})).await;
                let token = token.expect_ok()["token"].as_str().expect("a token").to_owned();
                let answer = house.bearer("aaa", &token).get(path).await;
                assert_eq!(answer.body(), seed(example), "{store}: as the user himself");
            }
        }
    });
}

/// The same records taken apart: users and rooms have short lines of their own, and relations name
/// them by id.
fn lines_apart(example: &str) -> String {
    let mut lines = Vec::new();
    for line in lines_of(example).lines() {
        let mut relation: Value = serde_json::from_str(line).expect("an object");
        for (field, kind) in [("blocker", "client"), ("blockee", "client"), ("room", "room")] {
            let Value::Object(mut thing) = relation[field].take() else { continue };
            relation[field] = thing["_id"].clone();
            thing.insert("kind".to_owned(), json!(kind));
            lines.push(Value::Object(thing));
        }
        relation["blocker"] = json!("aaa");
        lines.push(relation);
    }
    lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_short_line_of_a_room_leaves_its_people_to_the_relations() {
    block_on(async {
        for (example, path) in [
            ("seed-list-blocked-users", "/blockStatus/my"),
            ("seed-list-banned-members", "/blockStatus/room/demo-room"),
        ] {
            for (store, place) in Place::each().await {
                let records = lines_apart(example);
                expect_imported(&import(&place, &records));
                let again = import(&place, &records);
                assert!(
                    said(&again.stdout).contains("changed 0 users, 0 rooms, 0 places in rooms, 0 messages, 0 blocks")
                );
                let (_server, house) = serve(&place);
                let token =
                    house.platform().post("/admin/clients", json!({"_id": "aaa", "issueAccessToken": true})).await;
                let token = token.expect_ok()["token"].as_str().expect("a token").to_owned();
                assert_eq!(house.bearer("aaa", &token).get(path).await.body(), seed(example), "{store}");
                if path == "/blockStatus/my" {
                    let rooms = house.platform_for("ccc").rooms().await.expect_ok();
                    assert_eq!(rooms["totalCount"], 0, "{store}: the blocked does not see the room: {rooms}");
                }
            }
        }
    });
}

#[test]
fn what_is_imported_is_counted_once() {
    block_on(async {
        for (store, place) in Place::each().await {
            let records = r#"{"kind":"client","_id":"ann"}
                {"kind":"room","_id":"den","name":"Den","owner":"ann","createdTimeMS":1700000000000}"#;
            let output = import(&place, records);
            assert!(
                said(&output.stdout).contains("changed 1 users, 1 rooms, 1 places in rooms"),
                "{store}: {output:?}"
            );
        }
    });
}

#[test]
fn a_room_whose_two_nobody_names_is_a_bad_line() {
    block_on(async {
        for (store, place) in Place::each().await {
            let output = import(
                &place,
                "{\"kind\":\"client\",\"_id\":\"a\"}\n{\"kind\":\"room\",\"_id\":\"x\",\"roomType\":\"direct\"}",
            );
            let line = said(&output.stderr);
            assert!(output.status.code() == Some(1) && line.contains(":2:"), "{store}: {line}");
        }
    });
}

#[test]
fn both_founding_documents_together_put_the_ban_first() {
    block_on(async {
        for (store, place) in Place::each().await {
            expect_imported(&import(
                &place,
                &(lines_of("seed-list-blocked-users") + &lines_of("seed-list-banned-members")),
            ));
            let (_server, house) = serve(&place);
            let mine = house.platform_for("aaa").my_blocks().await.expect_list();
            let mut expected = seed("seed-list-blocked-users")["result"]["data"].as_array().unwrap().clone();
            let mut ban = seed("seed-list-banned-members")["result"]["data"][0].clone();
            ban["blocker"] = json!("aaa");
            expected.insert(0, ban);
            assert_eq!(mine, expected, "{store}");
        }
    });
}

/// A little of everything.
fn story() -> String {
    [
        json!({"kind": "client", "_id": "ann", "nickname": "Ann", "email": "a@example.com", "createdAt": "2020-01-01T00:00:00.000Z"}),
        json!({"kind": "client", "_id": "bob", "nickname": "Bob", "lastLoginTimeMS": 1_600_000_000_000_i64}),
        json!({"kind": "room", "_id": "den", "name": "Den", "roomType": "group", "owner": "ann", "roomTags": ["t"], "createdTimeMS": 1_600_000_000_000_i64}),
        json!({"kind": "member", "room": "den", "client": "ann"}),
        json!({"kind": "member", "room": "den", "client": "bob", "role": "admin"}),
        json!({"kind": "message", "_id": "5f890cf37d980e06f6aaf349", "room": "den", "sender": "bob", "messageType": "text", "message": "long ago", "createdAtMS": 1_602_817_267_925_i64}),
        json!({"kind": "message", "room": "den", "sender": "ann", "messageType": "text", "message": "heron", "createdAtMS": 1_602_817_267_999_i64}),
        json!({"kind": "blockStatus", "blocker": "ann", "blockee": "bob", "createdAt": "2021-08-04T15:18:10.735Z", "updatedAt": "2021-08-04T15:18:10.735Z"}),
        json!({"kind": "blockStatus", "blocker": "ann", "blockee": "bob", "room": "den", "createdAt": "2021-08-04T15:18:11.735Z", "updatedAt": "2021-08-04T15:18:12.735Z"}),
    ]
    .map(|line| line.to_string())
    .join("\n")
}

/// What an app looks like from above.
async fn look(house: &House) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in ["/admin/clients", "/rooms/den", "/rooms/den/messages/v3", "/blockStatus/room/den", "/config"] {
        seen.push(house.platform().get(path).await.body());
    }
    seen.push(house.platform_for("ann").my_blocks().await.body());
    seen.push(house.platform_for("bob").rooms().await.body());
    seen
}

#[test]
fn importing_twice_changes_nothing() {
    block_on(async {
        for (store, place) in Place::each().await {
            expect_imported(&import(&place, &story()));
            let (server, house) = serve(&place);
            let before = look(&house).await;
            let text = serde_json::to_string(&before).unwrap();
            for part in
                ["long ago", "2021-08-04T15:18:12.735Z", "5f890cf37d980e06f6aaf349", "a@example.com", "1600000000000"]
            {
                assert!(text.contains(part), "{store}: {part} did not come in: {text}");
            }
            assert_eq!(
                house.platform_for("bob").searches("heron").await.expect_ok()["messages"].as_array().unwrap().len(),
                1
            );
            house.platform_for("bob").with_header("im-api-key", &keys().api).get("/me").await.expect_ok();
            drop(server);
            expect_imported(&import(&place, &story()));
            let (_server, house) = serve(&place);
            assert_eq!(look(&house).await, before, "{store}");
        }
    });
}

#[test]
fn a_bad_line_is_named_and_nothing_comes_in() {
    block_on(async {
        for (store, place) in Place::each().await {
            expect_imported(&import(&place, &story()));
            // A debug build takes its time over so many.
            let lines = if std::env::var_os("BANTER_BIN").is_some() { 100_000 } else { 10_000 };
            let mut long = String::new();
            for number in 0..lines {
                match number % 4 {
                    0 => writeln!(long, r#"{{"kind":"client","_id":"u{number}","nickname":"N{number}"}}"#),
                    1 => writeln!(long, r#"{{"kind":"blockStatus","blocker":"ann","blockee":"u{}","createdAt":"2021-08-04T15:18:10.735Z"}}"#, number - 1),
                    2 => writeln!(long, r#"{{"kind":"member","room":"den","client":"u{}"}}"#, number - 2),
                    _ => writeln!(long, r#"{{"kind":"message","room":"den","sender":"u{}","message":"m","messageType":"text","createdAtMS":{}}}"#, number - 3, 1_602_817_268_000_i64 + number),
                }
                .expect("written");
            }
            for (bad, number) in [
                (format!("{long}{{\"kind\":\"client\"}}\n"), lines + 1),
                (format!("{long}{{\"kind\":\"member\",\"room\":\"nowhere\",\"client\":\"ann\"}}\n"), lines + 1),
                (story().replacen("\"sender\":\"bob\"", "\"sender\":7", 1), 6),
                ("{\"kind\":\"client\",\"_id\":\"new\"}\nnot JSON\n".to_owned(), 2),
            ] {
                let output = import(&place, &bad);
                let line = said(&output.stderr);
                assert!(output.status.code().is_some_and(|code| code != 0), "{store}: line {number} is bad");
                assert!(line.contains(&format!(":{number}:")), "{store}: it should name line {number}: {line}");
            }
            let (_server, house) = serve(&place);
            let users = house.platform().get("/admin/clients").await.expect_ok();
            assert_eq!(users["totalCount"], 2, "{store}");
            assert_eq!(
                house.platform().room("den").await.expect_ok()["members"].as_array().unwrap().len(),
                2,
                "{store}"
            );
            assert_eq!(house.platform_for("ann").my_blocks().await.expect_list().len(), 2, "{store}");
            assert_eq!(house.said("den").await, ["long ago", "heron"], "{store}");
        }
    });
}

#[test]
fn who_says_the_same_twice_in_a_moment_has_said_it_twice() {
    block_on(async {
        for (store, place) in Place::each().await {
            let line = r#"{"kind":"message","room":"den","sender":"ann","message":"ha","messageType":"text","createdAtMS":1602817268500}"#;
            let text = format!("{}\n{line}\n{line}\n{line}", story());
            for _ in 0..2 {
                expect_imported(&import(&place, &text));
            }
            let (_server, house) = serve(&place);
            assert_eq!(house.said("den").await, ["long ago", "heron", "ha", "ha", "ha"], "{store}");
        }
    });
}

#[test]
fn an_id_is_of_one_message_in_one_room() {
    let message = |room: &str, text: &str| {
        json!({"kind": "message", "_id": "5f890cf37d980e06f6aaf349", "room": room, "sender": "bob", "messageType": "text",
            "message": text, "createdAtMS": 1_602_817_267_925_i64})
        .to_string()
    };
    let other = json!({"kind": "room", "_id": "hall", "roomType": "group", "owner": "ann"}).to_string();
    block_on(async {
        for (store, place) in Place::each().await {
            expect_imported(&import(&place, &story()));
            for (bad, number, why) in [
                (format!("{other}\n{}", message("hall", "long ago")), 2, "another room"),
                (format!("{}\n{}", message("den", "long ago"), message("den", "another")), 2, "another message"),
                (
                    format!("{other}\n{}\n{}", message("den", "long ago"), message("hall", "long ago")),
                    3,
                    "another message",
                ),
            ] {
                let output = import(&place, &bad);
                let line = said(&output.stderr);
                assert_eq!(output.status.code(), Some(1), "{store}: {line}");
                assert!(line.contains(&format!(":{number}:")) && line.contains(why), "{store}: {line}");
            }
            // The same message once more, even twice in one file, is left as it is.
            expect_imported(&import(&place, &format!("{0}\n{0}", message("den", "changed since"))));
            let (_server, house) = serve(&place);
            assert_eq!(house.said("den").await, ["long ago", "heron"], "{store}");
            assert_eq!(house.platform().get("/rooms/hall").await.status, 404, "{store}");
        }
    });
}

#[test]
fn who_is_only_named_stays_what_he_is() {
    let story = [
        json!({"kind": "client", "_id": "ann", "nickname": "Ann"}),
        json!({"kind": "client", "_id": "bot", "nickname": "Bot", "isRobot": true}),
        json!({"kind": "client", "_id": "crew", "nickname": "Crew", "clientType": "group", "members": ["ann"]}),
        json!({"kind": "room", "_id": "den", "roomType": "group", "owner": "ann", "members": [{"_id": "crew"}, {"_id": "bot", "isRobot": false}]}),
    ];
    let names = [
        json!({"kind": "blockStatus", "blocker": "ann", "blockee": {"_id": "crew", "nickname": "The crew"}, "createdAt": 1_602_817_267_925_i64}),
        json!({"kind": "message", "room": "den", "sender": {"_id": "bot", "isRobot": false, "clientType": "group"}, "message": "beep", "createdAtMS": 1_602_817_267_925_i64}),
    ];
    let text = |lines: &[Value]| lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    block_on(async {
        for (store, place) in Place::each().await {
            expect_imported(&import(&place, &text(&story)));
            expect_imported(&import(&place, &text(&names)));
            let (_server, house) = serve(&place);
            let room = house.platform().room("den").await.expect_ok();
            let who = |id: &str| room["members"].as_array().unwrap().iter().find(|member| member["_id"] == id).cloned();
            let (crew, bot) = (who("crew").expect("a member"), who("bot").expect("a member"));
            assert_eq!((&crew["clientType"], &crew["nickname"]), (&json!("group"), &json!("The crew")), "{store}");
            assert_eq!((&bot["clientType"], &bot["isRobot"]), (&json!("user"), &json!(true)), "{store}");
        }
    });
}
