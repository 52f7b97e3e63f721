//! How a socket says who it is, and what of it is refused before anybody hears it (realtime.md).

use std::time::Duration;

use serde_json::json;

use crate::common::House;
use crate::socket::decoded;
use crate::sockets::{den, messages};

const WEB: [&str; 1] = ["websocket"];

each_store! {
    async fn a_socket_says_who_it_is_in_either_spelling_and_encoding(house: House) {
        let [ann, bob, _] = den(&house).await;
        // As the web client: no acknowledgement needed, headers in its own spelling.
        let Some(web) = house.listens(&ann).await else { return };
        // As the mobile clients: `conf` first, everything in base64 from then on, acknowledgements too.
        let mobile = house.socket(json!({ "transports": WEB })).await.unwrap();
        let configured = mobile.asks("conf", json!([{ "encoding": "base64" }])).await;
        assert_eq!(decoded(&configured)["RC"], 0, "{configured}");
        let headers = json!({ "IM-CLIENT-KEY": house.keys().client, "IM-Authorization": bob.token() });
        let entered = decoded(&mobile.asks("auth2", json!([format!("Bearer {}", bob.token()), headers])).await);
        assert_eq!((&entered["RC"], &entered["result"]["_id"]), (&json!(0), &json!("bob")), "{entered}");
        // By the older name, with the token alone.
        let older = house.socket(json!({ "transports": WEB })).await.unwrap();
        let entered = older.asks("auth", json!([ann.token()])).await;
        assert_eq!(entered["result"]["_id"], "ann", "{entered}");
        let said = ann.said("den", "hello").await;
        for (socket, base64) in [(&web, false), (&mobile, true), (&older, false)] {
            let heard = socket.hears("chat message", |payload| decoded(payload)["_id"] == said.as_str()).await;
            assert_eq!(heard.is_string(), base64, "{heard}");
            let heard = decoded(&heard);
            assert_eq!((&heard["room"], &heard["sender"]["_id"]), (&json!("den"), &json!("ann")));
            assert!(heard["createdAtMS"].is_i64() && heard["messageType"] == "text", "{heard}");
        }
    }

    async fn whoever_speaks_as_soon_as_he_may_is_heard(house: House) {
        let ann = house.user("ann").await;
        for transport in ["websocket", "websocket", "polling", "websocket"] {
            let Some(answers) = house.enters_at_once(&ann, 50, transport).await else { return };
            assert!(answers.len() == 50 && answers.iter().all(|answer| answer["RC"] == 0), "{answers:?}");
        }
    }

    async fn a_failed_entry_is_told_and_leaves_the_socket_open_and_deaf(house: House) {
        let [ann, ..] = den(&house).await;
        let Some(socket) = house.socket(json!({ "transports": WEB })).await else { return };
        let key = house.keys().client.clone();
        for (token, key, status) in [("nonsense", key.as_str(), 401), (ann.token(), "no-such-key", 403), ("", &key, 401)] {
            let refused = socket.asks("auth2", json!([token, { "CLIENT_KEY": key }])).await;
            assert_eq!(refused["RC"], status, "{refused}");
            assert!(refused["error"]["code"].is_string(), "{refused}");
        }
        let unheard = socket.asks("chat message", json!([{ "room": "den", "message": "x" }])).await;
        assert_eq!(unheard["error"]["code"], "INVALID_TOKEN");
        ann.said("den", "not for everybody").await;
        let entered = socket.enters(&house, &ann).await;
        assert_eq!(entered["RC"], 0, "the socket was left open: {entered}");
        assert_eq!(messages(&socket.heard_until_now(&house, &ann).await), [""; 0]);
    }

    async fn what_is_said_must_be_sound_as_over_rest(house: House) {
        let [ann, ..] = den(&house).await;
        let Some(socket) = house.listens(&ann).await else { return };
        let deep = |depth: usize| (1..depth).fold(json!([]), |inner, _| json!([inner]));
        for (body, sound) in [
            (json!({ "messageType": "text", "message": "a\0b" }), false),
            (json!({ "messageType": "image", "message": "", "originalUrl": "a\0b" }), false),
            (json!({ "messageType": "custom", "message": "x", "extra": { "a\0": 1 } }), false),
            (json!({ "messageType": "custom", "message": "x", "extra": { "a": ["\0"] } }), false),
            (json!({ "messageType": "custom", "message": deep(100) }), false),
            (json!({ "messageType": "custom", "message": deep(64) }), false),
            (json!({ "messageType": "custom", "message": deep(63) }), true),
            (json!({ "messageType": "text", "message": r"a\u0000b" }), true),
        ] {
            let over_rest = ann.sends("den", body.clone()).await.body();
            let mut said = body.clone();
            said["room"] = json!("den");
            let over_socket = socket.asks("chat message", json!([said])).await;
            assert_eq!(over_socket["RC"] == 0, sound, "{body}: {over_socket}");
            if !sound {
                assert_eq!(over_socket["error"]["code"], "INVALID_BODY", "{body}: {over_socket}");
                assert_eq!(over_socket, over_rest, "{body}");
            }
        }
        let stranger = house.socket(json!({ "transports": WEB })).await.unwrap();
        for (event, arguments) in [
            ("typing", json!([{ "room": "den", "message": "a\0b" }])),
            ("typing", json!(["den", "a\0b"])),
            ("conf", json!([{ "encoding": "a\0b" }])),
            ("auth2", json!([ann.token(), { "device": "a\0b" }])),
        ] {
            let socket = if event == "auth2" { &stranger } else { &socket };
            let refused = socket.asks(event, arguments.clone()).await;
            assert_eq!(refused["error"]["code"], "INVALID_BODY", "{event} {arguments}: {refused}");
        }
        assert_eq!(house.said("den").await.len(), 4, "those that were sound, each way");
    }

    async fn what_a_type_must_carry_it_must_carry_over_a_socket_too(house: House) {
        let [ann, ..] = den(&house).await;
        let Some(socket) = house.listens(&ann).await else { return };
        let refused = socket.asks("chat message", json!([{ "room": "den", "messageType": "sticker", "message": "" }])).await;
        assert_eq!((&refused["RC"], &refused["error"]["code"]), (&json!(400), &json!("INVALID_MESSAGE_FORMAT")), "{refused}");
        let said = socket.asks("chat message", json!([{ "room": "den", "messageType": "sticker", "sticker": "FunFunFamily-1" }])).await;
        assert_eq!(said["result"]["sticker"], "FunFunFamily-1", "{said}");
    }

    async fn open_sockets_are_counted_for_their_app(house: House) {
        let [ann, bob, _] = den(&house).await;
        let count = async || house.platform().get("/admin/connection-count").await.expect_ok()["count"].clone();
        assert_eq!(count().await, 0, "requests are no sockets");
        let Some(one) = house.listens(&ann).await else { return };
        let two = house.listens(&bob).await.unwrap();
        assert_eq!(count().await, 2);
        let peak = house.platform().get("/admin/stats").await.expect_ok()["peakConnectionCount"].clone();
        assert_eq!(peak, 2);
        drop((one, two));
        tokio::time::timeout(Duration::from_secs(20), async { while count().await != 0 {} }).await.expect("they are gone");
    }

    async fn another_version_of_the_protocol_is_refused(house: House) {
        for query in ["EIO=3&transport=polling", "EIO=3&transport=websocket", "EIO=4&transport=pigeon"] {
            let answer = house.http().get(format!("{}/socket.io/?{query}", house.base())).send().await.unwrap();
            assert_eq!(answer.status(), 400, "{query}");
            assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        }
    }
}
