//! What cannot be meant is refused with a code, changes nothing, and the server goes on.

use std::time::Duration;

use banter_server::{Route, ServeSettings};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{Answer, Caller, House, segment};
use crate::host::another_door;
use crate::sight::{expect_same, sight};

/// Routes that read a body, with who may send one.
const WITH_BODY: [(&str, &str); 20] = [
    ("POST", "/admin/clients"),
    ("POST", "/admin/clients/list"),
    ("PUT", "/admin/clients/ann/token"),
    ("DELETE", "/admin/clients/ann/token"),
    ("POST", "/admin/groups"),
    ("POST", "/rooms"),
    ("POST", "/rooms/createAndJoin"),
    ("PUT", "/rooms/den"),
    ("POST", "/rooms/den/members"),
    ("POST", "/rooms/den/delete/members"),
    ("PUT", "/rooms/den/member/bob"),
    ("PUT", "/rooms/den/lastRead"),
    ("POST", "/rooms/den/message"),
    ("POST", "/messages"),
    ("POST", "/messages/batch"),
    ("POST", "/search"),
    ("POST", "/config"),
    ("POST", "/me/subscribe"),
    ("POST", "/me/unsubscribe"),
    ("POST", "/push/push2clients"),
];

async fn den(house: &House) -> [Caller; 2] {
    house.room("den").owner("ann").members(["bob"]).await;
    house.user("ann").await.said("den", "hello").await;
    house.users(["ann", "bob"]).await
}

/// The API key, or Ann where the platform has no place of its own.
async fn asking(house: &House, path: &str) -> Caller {
    if path.ends_with("/lastRead") { house.user("ann").await } else { house.platform() }
}

async fn send_raw(caller: &Caller, method: &str, path: &str, media: Option<&str>, body: Vec<u8>) -> Answer {
    let mut request = caller.request(method.parse().expect("a method"), path);
    if let Some(media) = media {
        request = request.header("content-type", media);
    }
    let response = request.body(body).send().await.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
    Answer::of(format!("{method} {path}"), response).await
}

/// One connection, spoken to byte by byte. What came back before it was closed.
async fn raw(house: &House, request: &[u8]) -> String {
    let address = house.base().strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
    read.expect("answered and closed within half a minute").ok();
    String::from_utf8_lossy(&answer).into_owned()
}

fn headers(house: &House) -> String {
    format!("host: x\r\nim-api-key: {}\r\nconnection: close\r\n", house.keys().api)
}

each_store! {
    async fn a_body_that_is_none_is_refused_everywhere(house: House) {
        den(&house).await;
        let before = sight(&house.platform(), &["den"], &["hello"]).await;
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let deep_object = format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000));
        let bodies: [(&str, &[u8]); 13] = [
            ("cut off", b"{\"a\":"),
            ("not JSON", b"hello"),
            ("a comma too many", b"{\"a\":1,}"),
            ("two of them", b"{} {}"),
            ("a list", b"[]"),
            ("a text", b"\"x\""),
            ("a number", b"1"),
            ("null", b"null"),
            ("not UTF-8", b"{\"message\":\"\xff\xfe\"}"),
            ("half a surrogate", b"{\"message\":\"\\ud800\"}"),
            ("NUL", b"{\"message\":\"a\\u0000b\",\"_id\":\"a\\u0000b\"}"),
            ("deep lists", deep.as_bytes()),
            ("deep objects", deep_object.as_bytes()),
        ];
        for (method, path) in WITH_BODY {
            let caller = asking(&house, path).await;
            for (what, bytes) in &bodies {
                let answer = send_raw(&caller, method, path, Some("application/json"), bytes.to_vec()).await;
                assert_eq!(answer.status, 400, "{what}: {answer}");
                answer.expect_some_refusal();
                if bytes.starts_with(b"{") || bytes.starts_with(b"[") {
                    let form = [b"\xef\xbb\xbf \n", *bytes].concat();
                    let answer = send_raw(&caller, method, path, Some("application/x-www-form-urlencoded"), form).await;
                    let (_, said) = answer.expect_error(400, "INVALID_BODY");
                    assert!(said.contains("Content-Type"), "{what}: {said}");
                }
            }
            for media in ["application/xml", "text/plain", "multipart/form-data; boundary=x"] {
                let answer = send_raw(&caller, method, path, Some(media), b"<a/>".to_vec()).await;
                answer.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
            }
        }
        expect_same(&before, &sight(&house.platform(), &["den"], &["hello"]).await);
    }

    async fn a_form_of_countless_fields_is_refused_at_once(house: House) {
        den(&house).await;
        let key_alone = house.nobody().with_header("im-client-key", &house.keys().client);
        let form = |many: usize| (0..many).map(|n| format!("f{n}=x")).collect::<Vec<_>>().join("&").into_bytes();
        let countless = async |caller: &Caller, path: &str| {
            let answer = send_raw(caller, "POST", path, Some("application/x-www-form-urlencoded"), form(70_000)).await;
            answer.expect_error(400, "INVALID_BODY");
        };
        let all = async {
            for path in ["/badges", "/auths/sign/v2"] {
                countless(&key_alone, path).await;
            }
            countless(&house.platform(), "/admin/clients").await;
        };
        tokio::time::timeout(Duration::from_secs(5), all).await.expect("nobody waits for it");
        let answer = send_raw(&key_alone, "POST", "/badges", Some("application/x-www-form-urlencoded"), form(2_000)).await;
        answer.expect_error(400, "MISSING_PARAMETER");
    }

    async fn a_body_nobody_asked_for_is_passed_over_if_it_is_one(house: House) {
        let [ann, _] = den(&house).await;
        let json = Some("application/json");
        let routes = [("POST", "/blockStatus/my/bob"), ("DELETE", "/blockStatus/my/bob"), ("POST", "/blockStatus/room/den/bob"), ("DELETE", "/blockStatus/room/den/bob")];
        for (method, path) in routes {
            let before = sight(&house.platform(), &["den"], &["hello"]).await;
            let deep = "[".repeat(200) + &"]".repeat(200);
            for bad in ["{", "hello", "{} {}", "{\"a\":1,}", "\"\\ud800\"", &deep] {
                send_raw(&ann, method, path, json, bad.into()).await.expect_error(400, "INVALID_BODY");
            }
            send_raw(&ann, method, path, json, b"\"\xff\"".to_vec()).await.expect_error(400, "INVALID_BODY");
            for media in [json, None] {
                let answer = send_raw(&ann, method, path, media, vec![b' '; (1 << 20) + 1]).await;
                answer.expect_error(413, "PAYLOAD_TOO_LARGE");
            }
            expect_same(&before, &sight(&house.platform(), &["den"], &["hello"]).await);
            ann.ask(method.parse().unwrap(), path, None).await.expect_ok();
        }
        for (media, body) in [(json, ""), (json, " "), (json, "{}"), (json, "null"), (json, "[1]"), (None, "{"), (Some("text/plain"), "{")] {
            send_raw(&ann, "POST", "/me/mute/den", media, body.into()).await.expect_ok();
        }
        // A client that sends it where nothing is changed is none the wiser.
        send_raw(&ann, "GET", "/me", json, b"{}".to_vec()).await.expect_ok();
    }

    async fn who_sends_what_is_not_read_is_told_that_the_connection_ends(house: House) {
        let ann = house.user("ann").await;
        let json = Some("application/json");
        let long = " ".repeat(64 << 10);
        for (method, path) in [("POST", "/messages"), ("POST", "/no/such/path"), ("PATCH", "/rooms")] {
            let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}", long.len());
            let text = raw(&house, format!("{head}\r\n\r\n{long}").as_bytes()).await.to_lowercase();
            assert!(text.starts_with("http/1.1 4") && text.contains("\r\nconnection: close\r\n"), "{method} {path}: {text}");
            let answer = send_raw(&house.nobody(), method, path, json, b"{}".to_vec()).await;
            answer.expect_some_refusal();
            assert_eq!(answer.header("connection"), "", "a short one is read: {answer}");
        }
        // One that is too long is read all the same, up to a point.
        let answer = send_raw(&ann, "POST", "/rooms", json, vec![b' '; 4 << 20]).await;
        answer.expect_error(413, "PAYLOAD_TOO_LARGE");
        assert_eq!(answer.header("connection"), "", "{answer}");
    }

    async fn a_field_of_the_wrong_type_is_refused(house: House) {
        let [ann, _] = den(&house).await;
        let platform = house.platform();
        let before = sight(&platform, &["den"], &["hello"]).await;
        for (caller, method, path, body) in [
            (&platform, "POST", "/admin/clients", json!({"_id": 7})),
            (&platform, "POST", "/admin/clients", json!({"_id": "x", "nickname": 7})),
            (&platform, "POST", "/admin/clients", json!({"_id": "x", "issueAccessToken": "yes"})),
            (&platform, "POST", "/admin/clients", json!({"_id": "x", "token": 1})),
            (&platform, "POST", "/admin/clients", json!({"_id": "x", "token": "t", "expirationDate": "tomorrow"})),
            (&platform, "POST", "/admin/clients", json!({"_id": "x", "token": ""})),
            (&platform, "POST", "/me/subscribe", json!({"type": "phone", "token": "t"})),
            (&platform, "POST", "/me/subscribe", json!({"type": "ios", "token": "a b"})),
            (&platform, "POST", "/me/subscribe", json!({"type": "ios", "token": "x".repeat(2_049)})),
            (&platform, "POST", "/me/subscribe", json!({"type": "ios", "token": "t", "deviceId": "x".repeat(256)})),
            (&platform, "POST", "/push/push2clients", json!({"clients": "ann", "payload": {}})),
            (&platform, "POST", "/push/push2clients", json!({"clients": [1], "payload": {}})),
            (&platform, "POST", "/push/push2clients", json!({"clients": vec!["ann"; 1_001], "payload": {}})),
            (&platform, "POST", "/push/push2clients", json!({"clients": ["ann"], "payload": []})),
            (&platform, "POST", "/push/push2clients", json!({"clients": ["ann"], "payload": {"alert": 1}})),
            (&platform, "POST", "/push/push2clients", json!({"clients": ["ann"], "payload": {"badge": -1}})),
            (&platform, "POST", "/push/push2clients", json!({"clients": ["ann"], "payload": {"expiry": "soon"}})),
            (&platform, "POST", "/push/push2clients", json!({"clients": ["ann"], "payload": {"topic": "a b"}})),
            (&platform, "POST", "/push/push2clients", json!({"clients": ["ann"], "payload": {"body": "x".repeat(3_073)}})),
            (&platform, "POST", "/admin/clients/list", json!({"data": "x"})),
            (&platform, "POST", "/admin/clients/list", json!({"data": [1]})),
            (&platform, "POST", "/admin/clients/list", json!({})),
            (&platform, "POST", "/admin/groups", json!({"nickname": 1})),
            (&platform, "POST", "/admin/groups", json!({"nickname": "x", "members": "bob"})),
            (&platform, "PUT", "/admin/webhook", json!({"url": 7})),
            (&platform, "PUT", "/admin/webhook", json!({"url": "https://example.com/", "events": "BAN"})),
            (&platform, "POST", "/rooms", json!({"_id": 1})),
            (&platform, "POST", "/rooms", json!({"members": "bob"})),
            (&platform, "POST", "/rooms", json!({"members": [1]})),
            (&platform, "POST", "/rooms", json!({"roomTags": "x"})),
            (&platform, "POST", "/rooms", json!({"name": ["x"]})),
            (&platform, "POST", "/rooms", json!({"systemMessage": 3})),
            (&ann, "PUT", "/rooms/den", json!({"status": 2})),
            (&ann, "PUT", "/rooms/den", json!({"status": "frozen"})),
            (&ann, "PUT", "/rooms/den", json!({"opening": -1})),
            (&ann, "PUT", "/rooms/den", json!({"managers": "bob"})),
            (&ann, "PUT", "/rooms/den", json!({"owner": ["bob"]})),
            (&ann, "POST", "/rooms/den/members", json!({"invitees": {"a": 1}})),
            (&ann, "POST", "/rooms/den/members", json!({})),
            (&ann, "POST", "/rooms/den/delete/members", json!({"members": 1})),
            (&ann, "POST", "/rooms/den/message", json!({"messageType": ["text"], "message": "x"})),
            (&ann, "POST", "/rooms/den/message", json!({"_id": 1, "message": "x"})),
            (&ann, "POST", "/rooms/den/message", json!({"messageType": "text", "message": "x", "mentions": "bob"})),
            (&ann, "POST", "/rooms/den/message", json!({"messageType": "text", "message": "x", "reply": 1})),
            (&ann, "PUT", "/rooms/den/lastRead", json!({"message": 1})),
            (&ann, "PUT", "/rooms/den/lastRead", json!({"message": "not-an-id"})),
            (&ann, "PUT", "/rooms/den/member/bob", json!({"property": 1, "value": 1})),
            (&ann, "PUT", "/rooms/den/member/bob", json!({"value": 1})),
            (&ann, "POST", "/search", json!({"type": "messages", "keyword": 1})),
            (&ann, "POST", "/search", json!({"type": ["messages"], "keyword": "x", "limit": "many"})),
            (&ann, "POST", "/badges/byRoomTags", json!({"tags": [1]})),
            (&platform, "POST", "/messages/batch", json!({"messageType": "text", "message": "x", "paras": "all"})),
            (&platform, "POST", "/messages/batch", json!({"messageType": "text", "message": "x", "paras": [{"room": 1}]})),
        ] {
            let answer = caller.ask(method.parse().unwrap(), path, Some(body.clone())).await;
            assert_eq!(answer.status, 400, "{body}: {answer}");
            answer.expect_some_refusal();
        }
        expect_same(&before, &sight(&platform, &["den"], &["hello"]).await);
    }

    async fn an_id_that_cannot_be_one_is_refused_in_every_path(house: House) {
        den(&house).await;
        let before = sight(&house.platform(), &["den"], &["hello"]).await;
        let long = "x".repeat(256);
        let bad = ["%00", "a%0Ab", "%7F", "a%2Fb", "%2E%2E", "a..b", "%FF", "%C3%28", "%zz", "%", "%2", &long, "%E2%80"];
        for route in banter_server::routes().into_iter().filter(|route| route.path.contains('{')) {
            for bad in bad {
                let path = filled(&route, bad);
                let text = raw(&house, format!("{} {path} HTTP/1.1\r\n{}content-length: 0\r\n\r\n", route.method, headers(&house)).as_bytes()).await;
                let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
                assert!(matches!(status.as_str(), "400" | "404"), "{} {path}: {text}", route.method);
                assert!(text.contains("\"code\""), "{} {path}: {text}", route.method);
            }
        }
        expect_same(&before, &sight(&house.platform(), &["den"], &["hello"]).await);
    }

    async fn an_id_that_cannot_be_one_is_refused_in_every_body(house: House) {
        let [ann, _] = den(&house).await;
        let platform = house.platform();
        for bad in ["", "a/b", "..", ".", "a\nb", "a\u{7f}", &"é".repeat(256)] {
            for (caller, method, path, body) in [
                (&platform, Method::POST, "/admin/clients", json!({"_id": bad})),
                (&platform, Method::POST, "/admin/clients/list", json!({"data": [{"_id": "ok"}, {"_id": bad}]})),
                (&platform, Method::POST, "/admin/groups", json!({"_id": bad, "nickname": "x"})),
                (&platform, Method::POST, "/admin/groups", json!({"nickname": "x", "members": [bad]})),
                (&platform, Method::POST, "/rooms", json!({"_id": bad})),
                (&platform, Method::POST, "/rooms", json!({"members": ["ann", bad]})),
                (&ann, Method::POST, "/rooms/createAndJoin", json!({"_id": bad, "roomType": "group"})),
                (&ann, Method::POST, "/rooms/createAndJoin", json!({"invitee": bad, "roomType": "direct"})),
                (&ann, Method::POST, "/rooms/den/members", json!({"invitees": [bad]})),
                (&ann, Method::POST, "/rooms/den/delete/members", json!({"members": [bad]})),
                (&platform, Method::POST, "/messages", json!({"room": bad, "sender": "ann", "messageType": "text", "message": "x"})),
                (&platform, Method::POST, "/messages", json!({"room": "den", "sender": bad, "messageType": "text", "message": "x"})),
            ] {
                let answer = caller.ask(method, path, Some(body.clone())).await;
                assert_eq!(answer.status, 400, "{body}: {answer}");
                answer.expect_some_refusal();
            }
        }
        // The longest id is fine, and so is one in any script.
        for good in ["é".repeat(255), "用戶 1".to_owned(), "a b+c%&?#".to_owned(), "'; DROP TABLE users; --".to_owned()] {
            platform.post("/admin/clients", json!({"_id": good})).await.expect_ok();
            ann.blocks(&good).await.expect_ok();
            assert_eq!(ann.shuts_out().await, [good.as_str()]);
            ann.unblocks(&good).await.expect_ok();
        }
    }

    async fn nobody_is_named_twice_or_as_his_own_other(house: House) {
        let [ann, _] = den(&house).await;
        let platform = house.platform();
        house.user("new").await;
        for (caller, path, body) in [
            (&platform, "/rooms", json!({"_id": "x", "members": ["ann", "ann"]})),
            (&platform, "/rooms", json!({"_id": "x", "roomType": "direct", "members": ["ann", "ann"]})),
            (&platform, "/rooms", json!({"_id": "x", "roomType": "direct", "members": ["ann"]})),
            (&platform, "/rooms", json!({"_id": "x", "roomType": "direct", "members": []})),
            (&platform, "/rooms", json!({"_id": "x", "roomType": "direct", "members": ["ann", "bob", "new"]})),
            (&platform, "/admin/groups", json!({"_id": "x", "nickname": "x", "members": ["ann", "ann"]})),
            (&platform, "/admin/groups", json!({"_id": "x", "nickname": "x", "members": ["x"]})),
            (&ann, "/rooms/createAndJoin", json!({"roomType": "direct", "invitee": "ann"})),
            (&ann, "/rooms/createAndJoin", json!({"roomType": "group", "invitee": ["new", "new"]})),
            (&ann, "/rooms/den/members", json!({"invitees": ["new", "new"]})),
            (&ann, "/blockStatus/my/ann", json!({})),
            (&ann, "/blockStatus/room/den/ann", json!({})),
        ] {
            let answer = caller.post(path, body.clone()).await;
            let code = answer.expect_some_refusal();
            assert!(!code.is_empty(), "{body}");
        }
        platform.room("x").await.expect_error(404, "ROOM_NOT_FOUND");
        let message = ann.said("den", "x").await;
        ann.sends("den", json!({"_id": message, "message": "x", "reply": message})).await;
        let seen = ann.reads("den").await.expect_list();
        assert!(seen[0].get("reply").is_none_or(|reply| reply["reply"].is_null()), "a message does not answer itself: {}", seen[0]);
    }

    async fn r25_a_limit_that_is_none_is_refused_but_where_its_page_says_what_it_means(house: House) {
        let [ann, _] = den(&house).await;
        let platform = house.platform();
        for (caller, path) in [
            (&ann, "/blockStatus/my"),
            (&ann, "/blockStatus/room/den"),
            (&ann, "/rooms/den/messages/v3"),
            (&platform, "/admin/groups"),
            (&platform, "/admin/audit"),
        ] {
            for limit in ["0", "-1", "x", "1.5", "", "99999999999999999999999", "1e3", "0x10"] {
                caller.get(&format!("{path}?limit={limit}")).await.expect_error(400, "INVALID_QUERY");
            }
        }
        for limit in ["-1", "x", "1.5", "99999999999999999999999"] {
            ann.get(&format!("/rooms?limit={limit}")).await.expect_error(400, "INVALID_QUERY");
            platform.get(&format!("/admin/clients?limit={limit}")).await.expect_error(400, "INVALID_QUERY");
        }
        ann.get("/rooms?limit=0").await.expect_ok();
        platform.get("/admin/clients?limit=100000").await.expect_ok();
    }

    async fn r25_a_body_over_the_limit_is_413(house: House) {
        let [ann, _] = den(&house).await;
        let padded = |size: usize| json!({"description": "", "pad": "x".repeat(size)}).to_string().into_bytes();
        send_raw(&ann, "PUT", "/rooms/den", Some("application/json"), padded((1 << 20) + 1)).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        send_raw(&ann, "PUT", "/rooms/den", Some("application/json"), padded((1 << 20) - 100)).await.expect_ok();
        let message = |size: usize| json!({"messageType": "text", "message": "x", "pad": "x".repeat(size)}).to_string().into_bytes();
        send_raw(&ann, "POST", "/rooms/den/message", Some("application/json"), message(2 << 20)).await.expect_ok();
        let answer = send_raw(&ann, "POST", "/rooms/den/message", Some("application/json"), message((10 << 20) + 1)).await;
        answer.expect_error(413, "PAYLOAD_TOO_LARGE");
        ann.says("den", &"x".repeat(1 << 20)).await.expect_some_refusal();
    }

    async fn an_unknown_method_is_405_and_says_which_are_known(house: House) {
        den(&house).await;
        for (method, path, known) in [
            ("PUT", "/blockStatus/my", vec!["GET"]),
            ("PATCH", "/rooms/den", vec!["GET", "PUT", "DELETE"]),
            ("GET", "/search", vec!["POST"]),
            ("FETCH", "/config", vec!["GET", "POST"]),
            ("PUT", "/socket.io/", vec!["GET", "POST"]),
            ("DELETE", "/socket.io", vec!["GET", "POST"]),
            ("PATCH", "/socket.io/?EIO=4&transport=polling", vec!["GET", "POST"]),
        ] {
            let answer = house.platform().ask(method.parse().unwrap(), path, None).await;
            answer.expect_error(405, "METHOD_NOT_ALLOWED");
            let allow = answer.header("allow").to_owned();
            assert!(known.iter().all(|known| allow.contains(known)) && !allow.contains(method), "{method} {path}: {allow}");
        }
        house.platform().get("/no/such/path").await.expect_error(404, "NOT_FOUND");
    }

    async fn too_many_headers_are_431(house: House) {
        let many: String = (0..500).map(|number| format!("x-header-{number}: 1\r\n")).collect();
        let text = raw(&house, format!("GET /config HTTP/1.1\r\n{}{many}\r\n", headers(&house)).as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 431"), "{text}");
        let long = "y".repeat(1 << 20);
        let text = raw(&house, format!("GET /config HTTP/1.1\r\n{}x: {long}\r\n\r\n", headers(&house)).as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 431") || text.is_empty(), "{text}");
        let http2 = banter_server::outgoing::client().http2_prior_knowledge().build().expect("a client");
        let request = |headers: usize| {
            let request = http2.get(format!("{}/healthz", house.base()));
            (0..headers).fold(request, |request, number| request.header(format!("x-header-{number}"), "1")).send()
        };
        assert_eq!(request(50).await.expect("an answer").status(), 200);
        assert_eq!(request(150).await.expect("an answer").status(), 431);
        house.platform().get("/config").await.expect_ok();
    }

    async fn who_dawdles_is_shown_the_door(house: House) {
        let second = Duration::from_secs(1);
        let settings = ServeSettings { header_timeout: second, body_timeout: second, ..ServeSettings::default() };
        let hasty = another_door(&house, settings).await;
        let text = raw(&hasty, b"GET /config HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
        let text = raw(&hasty, format!("POST /config HTTP/1.1\r\n{}content-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"a\"", headers(&house)).as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 408") && text.contains("REQUEST_TIMEOUT"), "{text}");
        assert_eq!(hasty.platform().get("/config").await.expect_ok(), json!({}));
        // HTTP/2: nothing behind the greeting, and nothing behind a request (RFC 9113 6.2: a header of one frame).
        let greeting = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let request = b"\0\0\x0f\x01\x05\0\0\0\x01\x82\x86\x44\x08/healthz\x41\x01x";
        let silent = raw(&hasty, greeting).await;
        assert!(!silent.contains("HTTP/1.1"), "{silent:?}");
        let idle = raw(&hasty, &[&greeting[..], &request[..]].concat()).await;
        let goes = [0, 0, 8, 7];
        assert!(idle.as_bytes().windows(4).any(|frame| frame == goes), "it is told that the connection ends: {idle:?}");
        assert!(idle.contains("ok") && !idle.contains("HTTP/1.1"), "answered first: {idle:?}");
    }

    async fn r23_too_many_calls_with_one_key_are_429(house: House) {
        let busy = another_door(&house, ServeSettings { rate_limit: 5, ..ServeSettings::default() }).await;
        let refused = async {
            loop {
                let answer = busy.platform().get("/config").await;
                if answer.status != 200 {
                    break answer;
                }
            }
        };
        let refused = tokio::time::timeout(Duration::from_secs(20), refused).await.expect("a limit");
        refused.expect_error_saying(429, "Too many requests", "RATE_LIMIT_EXCEEDED", "Too many requests, please try again later");
        let after = refused.body()["retryAfter"].as_u64().expect("seconds");
        assert!(after >= 1 && refused.header("retry-after") == after.to_string(), "{refused}");
        // Another app's key is not concerned, nor is the app's own elsewhere, nor are its users.
        crate::host::other_app(&house).await.platform().get("/config").await.expect_ok();
        house.user("ann").await.get("/config").await.expect_ok();
        let none = another_door(&house, ServeSettings { rate_limit: 0, ..ServeSettings::default() }).await;
        for _ in 0..50 {
            none.platform().get("/config").await.expect_ok();
        }
    }

    async fn a_query_that_cannot_be_read_is_refused(house: House) {
        let [ann, _] = den(&house).await;
        for path in ["/blockStatus/my", "/rooms", "/rooms/den/messages/v3", "/me/badge"] {
            for query in ["a=%FF", "q=%zz", "q=%00", "limit=1&limit=2"] {
                let answer = ann.get(&format!("{path}?{query}")).await;
                if query.starts_with("limit") && path == "/me/badge" {
                    continue;
                }
                answer.expect_error(400, "INVALID_QUERY");
            }
        }
        ann.get("/blockStatus/my?q=a%0Ab").await.expect_error(400, "INVALID_QUERY");
        let filter = segment(&json!({"nickname": {"$regex": "x".repeat(30_000)}}).to_string());
        let answer = house.platform().get(&format!("/admin/clients?q={filter}")).await;
        assert!((400..500).contains(&answer.status), "{answer}");
    }

    async fn browsers_are_answered_before_they_are_asked_who_they_are(house: House) {
        for path in ["/blockStatus/my", "/rooms/den/message", "/no/such/path"] {
            let preflight = house.nobody()
                .with_header("origin", "https://app.example")
                .with_header("access-control-request-method", "POST")
                .with_header("access-control-request-headers", "im-client-key,im-authorization,content-type,x-timezone")
                .ask(Method::OPTIONS, path, None).await;
            assert!(matches!(preflight.status, 200 | 204), "{preflight}");
            assert!(!preflight.header("access-control-allow-origin").is_empty());
            assert!(preflight.header("access-control-max-age").parse::<u32>().is_ok_and(|age| age >= 600));
            let allowed = preflight.header("access-control-allow-headers").to_lowercase();
            for header in ["content-type", "im-client-key", "im-authorization", "im-api-key", "im-client-id", "im-device-id", "authorization", "client_key", "api_key", "x-timezone", "accept-language"] {
                assert!(allowed.split(',').any(|one| one.trim() == header), "{header}: {allowed}");
            }
            for method in ["GET", "POST", "PUT", "DELETE"] {
                assert!(preflight.header("access-control-allow-methods").contains(method));
            }
        }
        let refused = house.nobody().with_header("origin", "https://app.example").get("/me").await;
        assert!(!refused.header("access-control-allow-origin").is_empty(), "an error, too, must reach the page: {refused}");
    }

    async fn older_headers_and_forms_are_understood(house: House) {
        let ann = house.user("ann").await;
        let legacy = house.nobody().with_header("client_key", &house.keys().client).with_header("authorization", ann.token());
        legacy.get("/me").await.expect_ok();
        house.nobody().with_header("api_key", &house.keys().api).get("/config").await.expect_ok();
        let form = send_raw(&house.platform(), "POST", "/admin/clients", Some("application/x-www-form-urlencoded"), b"_id=form&nickname=A+B".to_vec()).await;
        assert_eq!(form.expect_ok()["nickname"], "A B");
        // What curl sends unless it is told otherwise: read as a form it would say nothing, and make a room without a name.
        let json = send_raw(&ann, "POST", "/rooms", Some("application/x-www-form-urlencoded"), br#" {"name": "A=B"}"#.to_vec()).await;
        let (_, said) = json.expect_error(400, "INVALID_BODY");
        assert!(said.contains("Content-Type"), "{said}");
        assert_eq!(ann.get("/rooms").await.expect_ok()["totalCount"], 0);
        send_raw(&ann, "POST", "/rooms", Some("application/x-www-form-urlencoded"), b"{ }".to_vec()).await.expect_ok();
        send_raw(&ann, "GET", "/me", Some("application/json"), b"{}".to_vec()).await.expect_ok();
        ann.get("/me/").await.expect_ok();
    }
}

/// A route's path with a bad segment in each place that is to be filled.
fn filled(route: &Route, bad: &str) -> String {
    let segments = route.path.split('/').map(|segment| if segment.starts_with('{') { bad } else { segment });
    segments.collect::<Vec<_>>().join("/")
}
