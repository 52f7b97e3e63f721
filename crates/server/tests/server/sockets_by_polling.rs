//! Sockets that ask again and again what there is to hear (polling), and turn into websockets.

use std::time::Duration;

use banter_server::ServeSettings;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::common::{Caller, House};
use crate::host::another_door;

/// A client of its own, so that every question is seen: nothing is asked unless the test asks.
struct Poller {
    http: reqwest::Client,
    url: String,
}

impl Poller {
    /// Opens a session and the namespace.
    async fn open(house: &House) -> Self {
        let http = banter_server::outgoing::client().timeout(Duration::from_secs(60)).build().expect("a client");
        let base = format!("{}/socket.io/?EIO=4&transport=polling", house.base());
        let opened = http.get(&base).send().await.expect("an answer").text().await.expect("a text");
        let opened: Value = serde_json::from_str(opened.strip_prefix('0').expect("an open packet")).expect("JSON");
        assert_eq!(opened["upgrades"], json!(["websocket"]), "{opened}");
        let poller = Self { http, url: format!("{base}&sid={}", opened["sid"].as_str().expect("an id")) };
        poller.says("40").await;
        assert!(poller.hears().await.expect("a session").starts_with("40"));
        poller
    }

    async fn says(&self, packet: &str) {
        let answer = self.http.post(&self.url).body(packet.to_owned()).send().await.expect("an answer");
        assert_eq!(answer.text().await.expect("a text"), "ok");
    }

    /// What there is to hear, waiting until there is something; pings are answered on the way. `None`: the
    /// session is over.
    async fn hears(&self) -> Option<String> {
        loop {
            let answer = self.http.get(&self.url).send().await.ok()?;
            let (status, text) = (answer.status(), answer.text().await.ok()?);
            assert!(status == 200 || text.contains("Session ID unknown"), "{status}: {text}");
            if status != 200 {
                return None;
            }
            let packets: Vec<&str> = text.split('\u{1e}').filter(|packet| *packet != "2").collect();
            if packets.len() < text.split('\u{1e}').count() {
                self.says("3").await;
            }
            if !packets.is_empty() {
                return Some(packets.join("\u{1e}"));
            }
        }
    }

    async fn enters(&self, house: &House, user: &Caller) {
        let headers = json!({ "CLIENT_KEY": house.keys().client, "Authorization": user.token() });
        self.says(&format!("421{}", json!(["auth2", user.token(), headers]))).await;
        let entered = self.hears().await.expect("a session");
        assert!(entered.contains("\"RC\":0"), "{entered}");
    }
}

/// What comes next over a connection, to the end of a line or of an answer.
async fn next_line(stream: &mut BufReader<TcpStream>) -> String {
    let read = stream.fill_buf().await.expect("the connection stands");
    assert!(!read.is_empty(), "it was cut off");
    let line = read.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    let (line, length) = (String::from_utf8_lossy(line).into_owned(), line.len());
    stream.consume(length);
    line
}

each_store! {
    async fn nobody_opens_any_number_of_sockets_by_polling(house: House) {
        let door = another_door(&house, ServeSettings { poll_openings: 3, ..ServeSettings::default() }).await;
        let open = |transport: &'static str| {
            let request = door.http().get(format!("{}/socket.io/?EIO=4&transport={transport}", door.base()));
            async move { request.send().await.expect("an answer") }
        };
        for _ in 0..3 {
            assert_eq!(open("polling").await.status(), 200);
        }
        let refused = open("polling").await;
        assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (429, true));
        assert_eq!(refused.headers()["access-control-allow-origin"], "*");
        assert_ne!(open("websocket").await.status(), 429, "its connection bounds it");
    }

    async fn a_client_polls_and_turns_to_a_websocket(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let Some(polling) = house.socket(json!({ "transports": ["polling"] })).await else { return };
        let upgrading = house.socket(json!({ "transports": ["polling", "websocket"] })).await.unwrap();
        for socket in [&polling, &upgrading] {
            assert_eq!(socket.enters(&house, &bob).await["RC"], 0);
        }
        for number in 0..30 {
            ann.said("den", &number.to_string()).await;
        }
        for socket in [&polling, &upgrading] {
            socket.hears("chat message", |message| message["message"] == "29").await;
            let heard = socket.heard();
            let words: Vec<&str> = heard.iter().filter(|(event, _)| event == "chat message").map(|(_, message)| message["message"].as_str().unwrap()).collect();
            assert_eq!(words, (0..30).map(|number| number.to_string()).collect::<Vec<_>>());
        }
        for socket in [&polling, &upgrading] {
            let sent = socket.asks("chat message", json!([{ "room": "den", "message": "by socket" }])).await;
            assert_eq!(sent["RC"], 0, "{sent}");
        }
        ann.bans("den", "bob").await.expect_ok();
        let refused = polling.asks("chat message", json!([{ "room": "den", "message": "x" }])).await;
        assert_eq!(refused["error"]["code"], "USER_BANNED");
    }

    async fn r21_what_waits_for_a_poller_is_not_handed_out_after_his_token_is_revoked(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let Some(fence) = house.listens(&ann).await else { return };
        let poller = Poller::open(&house).await;
        poller.enters(&house, &bob).await;
        ann.said("den", "quicksilver").await;
        fence.heard_until_now(&house, &ann).await;
        // It lies in his queue now, and nobody has asked for it.
        house.platform().delete("/admin/clients/bob/token").await.expect_ok();
        assert_eq!(poller.hears().await, None);
    }

    async fn r21_a_question_that_waits_ends_with_the_token_and_hears_nothing(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let poller = Poller::open(&house).await;
        poller.enters(&house, &bob).await;
        let asking = poller.hears();
        let revoking = async {
            // The answer to this one comes when the server has read what came before it on other connections,
            // or it has not: either way nothing may be heard after it.
            house.platform().delete("/admin/clients/bob/token").await.expect_ok();
            ann.said("den", "quicksilver").await;
        };
        let (heard, ()) = tokio::join!(asking, revoking);
        assert!(heard.is_none_or(|heard| !heard.contains("quicksilver")));
        assert_eq!(poller.hears().await, None);
    }

    async fn r21_who_asks_over_the_same_connection_as_a_revoked_poller_is_answered(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let poller = Poller::open(&house).await;
        poller.enters(&house, &bob).await;
        ann.said("den", "quicksilver").await;
        // What a proxy does: bob's question, and after its answer somebody else's, over one connection.
        let address = house.base().strip_prefix("http://").expect("an address");
        let mut proxy = BufReader::new(TcpStream::connect(address).await.expect("connected"));
        let path = poller.url.strip_prefix(house.base()).expect("a path");
        proxy.get_mut().write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.expect("written");
        while !next_line(&mut proxy).await.contains("quicksilver") {}
        let body = json!({ "message": "mercury" }).to_string();
        let head = format!(
            "POST /rooms/den/message HTTP/1.1\r\nhost: x\r\nim-client-key: {}\r\nim-authorization: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
            house.keys().client,
            ann.token(),
            body.len()
        );
        proxy.get_mut().write_all(head.as_bytes()).await.expect("written");
        while !next_line(&mut proxy).await.contains("100 Continue") {}
        house.platform().delete("/admin/clients/bob/token").await.expect_ok();
        proxy.get_mut().write_all(body.as_bytes()).await.expect("written");
        while !next_line(&mut proxy).await.contains("mercury") {}
        assert_eq!(poller.hears().await, None);
    }

    async fn a_poller_that_never_asks_is_cut_off_and_the_others_hear_on(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let settings = ServeSettings { socket_queue: 16, ..ServeSettings::default() };
        let door = another_door(&house, settings).await;
        let Some(quick) = door.listens(&bob).await else { return };
        let poller = Poller::open(&door).await;
        poller.enters(&door, &bob).await;
        for number in 0..40 {
            ann.said("den", &number.to_string()).await;
        }
        quick.hears("chat message", |message| message["message"] == "39").await;
        assert_eq!(poller.hears().await, None, "its queue was full");
    }

    async fn a_websocket_is_cut_off_by_the_bytes_that_wait_for_it_as_well(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let settings = ServeSettings { socket_queue: 1 << 20, socket_queue_bytes: 1 << 20, ..ServeSettings::default() };
        let door = another_door(&house, settings).await;
        let Some(slow) = door.listens(&bob).await else { return };
        slow.stops_reading().await;
        let metrics = async || door.http().get(format!("{}/metrics", door.base())).send().await.unwrap().text().await.unwrap();
        let long = "x".repeat(60_000);
        let mut number = 0;
        while !metrics().await.contains("banter_socket_overflows_total 1") {
            ann.said("den", &long).await;
            number += 1;
            assert!(number < 2000, "it was never cut off");
        }
    }
}
