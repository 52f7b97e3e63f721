//! Sockets across a kill and a restart of the server: nothing that was acknowledged is lost to a client that
//! comes back and reads what it missed, and nothing is heard twice.

use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Caller, House};
use crate::dice::{Dice, rounds};
use crate::place::Place;
use crate::process::{Server, binary, block_on, command, keys};
use crate::socket::Socket;

fn serve(place: &Place, listen: &str) -> Server {
    let keys = keys();
    let mut command: Command = command(binary());
    command.args(["serve", "--listen", listen, "--rate-limit", "0", "--log-level", "error"]);
    command.args(place.flags()).args(["--app-id", &keys.app, "--api-key", &keys.api, "--client-key", &keys.client]);
    Server::of(command)
}

/// The words of what he heard, in order.
fn words(socket: &Socket) -> Vec<String> {
    let heard = socket.heard();
    let said = heard.iter().filter(|(event, _)| event == "chat message");
    said.map(|(_, message)| message["message"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What somebody reads of the den, oldest first.
async fn read(who: &Caller) -> Vec<String> {
    let mut page = who.get("/rooms/den/messages/v3?limit=1000").await.expect_list();
    page.reverse();
    page.iter().map(|message| message["message"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Speaks until the server is gone. Answers with what was acknowledged.
async fn speaks_until_the_end(ann: &Caller, from: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    loop {
        let text = format!("{}", from + acknowledged.len());
        let message = json!({"messageType": "text", "message": text});
        let sent = ann.request(reqwest::Method::POST, "/rooms/den/message").json(&message).send().await;
        let Ok(answer) = sent else { return acknowledged };
        if answer.status() != 200 || answer.bytes().await.is_err() {
            return acknowledged;
        }
        acknowledged.push(text);
    }
}

async fn through_kills(place: Place, rounds: u64) {
    let mut dice = Dice::new("sockets through kills");
    let mut server = serve(&place, "127.0.0.1:0");
    let listen = server.address.trim_start_matches("http://").to_owned();
    let house: House = server.house();
    house.room("den").owner("ann").members(["bob"]).await;
    let [ann, bob] = house.users(["ann", "bob"]).await;
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..rounds {
        let Some(socket) = house.listens(&bob).await else { return };
        let from = acknowledged.len();
        let speaking = speaks_until_the_end(&ann, from);
        let wanted = usize::try_from(dice.roll(20)).expect("a small number");
        let killing = async {
            socket.hears("chat message", |message| message["message"] == (from + wanted).to_string().as_str()).await;
            server.kill();
        };
        let (more, ()) = tokio::join!(speaking, killing);
        acknowledged.extend(more);
        socket.hears("!disconnect", |_| true).await;
        let before: Vec<String> = words(&socket);
        server = serve(&place, &listen);
        let again = house.listens(&bob).await.expect("a socket");
        let kept = read(&bob).await;
        assert!(kept.starts_with(&acknowledged), "round {round}: what was acknowledged is there");
        assert!(kept.len() <= acknowledged.len() + 1, "round {round}: and at most the one that was under way");
        assert_eq!(kept[from..from + before.len()], before, "round {round}: heard in order, once each");
        acknowledged = kept;
        let fresh = acknowledged.len().to_string();
        ann.said("den", &fresh).await;
        again.hears("chat message", |message| message["message"] == fresh.as_str()).await;
        assert_eq!(words(&again), [fresh.clone()], "round {round}: nothing of before is told again");
        acknowledged.push(fresh);
        // A ban made before the next kill holds for sockets after it.
        let banned = ann.bans("den", "bob").await.expect_ok();
        server.kill();
        server = serve(&place, &listen);
        let shut_out = house.listens(&bob).await.expect("a socket");
        let refused: Value = shut_out.asks("chat message", json!([{ "room": "den", "message": "x" }])).await;
        assert_eq!(refused["error"]["code"], "USER_BANNED", "{banned}");
        ann.unbans("den", "bob").await.expect_ok();
    }
}

#[test]
fn n_22_sockets_come_back_after_a_kill_and_miss_nothing() {
    block_on(async {
        for (name, place) in Place::each().await {
            println!("over {name}");
            through_kills(place, rounds("BANTER_CRASHES", 3).div_ceil(3)).await;
        }
    });
}
