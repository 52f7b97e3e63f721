use super::*;

const BLOCK: &str = r#"{"kind":"blockStatus","blockee":{"_id":"ccc","avatarUrl":"http://x/1","nickname":"Cathy","id":"ccc",
    "lastLoginTimeMS":1600006869368},"blocker":"aaa","room":{"_id":"2bec603e94a210092439e83ff2d79ac1","roomType":"direct",
    "id":"2bec603e94a210092439e83ff2d79ac1","createdTimeMS":1628089206798},"createdAt":"2021-08-04T15:18:10.735Z",
    "updatedAt":"2021-08-04T15:18:10.735Z"}"#;

fn read(line: &Value) -> Read<Vec<Record>> {
    parse(line.to_string().as_bytes(), &mut Earlier::new())
}

#[test]
fn a_seeds_record_brings_its_user_and_room() {
    let records = parse(BLOCK.as_bytes(), &mut Earlier::new()).expect("a line");
    let [
        Record::User { id, change, implied: true, .. },
        Record::Room { kind, created_ms, implied: true, .. },
        Record::Relation { blocker, created_ms: at, .. },
    ] = records.as_slice()
    else {
        panic!("{records:?}");
    };
    assert_eq!((id.as_str(), blocker.as_str()), ("ccc", "aaa"));
    assert_eq!((change.nickname.as_deref(), change.last_login_ms), (Some("Cathy"), Some(1_600_006_869_368)));
    assert_eq!((*kind, *created_ms, *at), (Some(NewKind::Direct), Some(1_628_089_206_798), 1_628_090_290_735));
}

#[test]
fn fields_of_the_apps_own_are_kept_and_ours_are_not() {
    let records = read(
        &json!({"kind": "client", "_id": "a", "city": "x", "token": "t", "appID": "y", "isSocketConnected": true}),
    );
    let records = records.expect("a line");
    let [Record::User { change, implied: false, .. }] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(Value::Object(change.custom.clone()), json!({"city": "x"}));
}

#[test]
fn a_message_without_an_id_is_the_same_message_twice() {
    let line = json!({"kind": "message", "room": "r", "sender": {"_id": "a"}, "message": 5, "createdAtMS": 1_628_090_290_735_i64,
        "video": {"x": 1}, "width": 3, "reactions": [{"client": "b", "reaction": "+1"}]});
    let ids: Vec<_> = (0..2)
        .map(|_| match read(&line).expect("a line").pop() {
            Some(Record::Message { id, words, reactions, .. }) => {
                assert_eq!((words.text, Value::Object(words.body)), (json!("5"), json!({"width": 3})));
                assert_eq!(reactions.len(), 1);
                id.expect("an id")
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0].to_string()[..8], format!("{:08x}", 1_628_090_290));
}

#[test]
fn equal_lines_of_one_file_are_messages_of_their_own() {
    let line = json!({"kind": "message", "room": "r", "sender": "a", "message": "ha", "createdAtMS": 1}).to_string();
    let file = || {
        let mut earlier = Earlier::new();
        let mut id = || match parse(line.as_bytes(), &mut earlier).expect("a line").pop() {
            Some(Record::Message { id, .. }) => id.expect("an id"),
            other => panic!("{other:?}"),
        };
        [id(), id(), id()]
    };
    let [first, second, third] = file();
    assert!(first != second && second != third && first != third);
    assert_eq!(file(), [first, second, third], "read again");
}

#[test]
fn a_bad_line_says_why() {
    for (line, why) in [
        (json!([]), "not a JSON object"),
        (json!({}), "no kind"),
        (json!({"kind": "robot"}), "robot"),
        (json!({"kind": "client"}), "_id"),
        (json!({"kind": "client", "_id": "a", "id": "b"}), "differ"),
        (json!({"kind": "client", "_id": ""}), "empty"),
        (json!({"kind": "client", "_id": "a", "nickname": 5}), "nickname"),
        (json!({"kind": "client", "_id": "a\0"}), "NUL"),
        (json!({"kind": "room", "_id": "r", "status": 2}), "status"),
        (json!({"kind": "room", "_id": "r", "roomType": "x"}), "roomType"),
        (json!({"kind": "blockStatus", "blocker": "a", "blockee": "b"}), "createdAt"),
        (
            json!({"kind": "blockStatus", "blocker": "a", "blockee": {"nickname": "x"}, "createdAt": 1}),
            "blockee: there is no _id",
        ),
        (json!({"kind": "blockStatus", "blocker": "a", "blockee": "b", "createdAt": "soon"}), "createdAt"),
        (json!({"kind": "blockStatus", "blocker": "a", "blockee": "b", "createdAt": 2, "updatedAt": 1}), "before"),
        (json!({"kind": "member", "room": "r", "client": "a", "role": "king"}), "king"),
        (json!({"kind": "message", "room": "r", "sender": "a"}), "createdAt"),
    ] {
        let told = read(&line).expect_err("refused");
        assert!(told.contains(why), "{line}: {told}");
    }
}
