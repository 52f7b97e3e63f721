//! Killed while it tells a robot what is said: the robot hears all of it, in order.

use serde_json::json;

use crate::common::{Caller, Robot, Says};
use crate::dice::{Dice, rounds};
use crate::place::Place;
use crate::process::{Server, binary, block_on, command};

fn start(place: &Place) -> Server {
    let mut command = command(binary());
    command.env("BANTER_WEBHOOK_PRIVATE", "true").env("BANTER_WEBHOOK_RETRY", "1");
    Server::start_as(command, place)
}

/// Says the next numbers until the server is gone, and returns the one that may or may not have been said.
async fn counts(ann: &Caller, mut next: u64) -> u64 {
    loop {
        let body = json!({"messageType": "text", "message": next.to_string()});
        let sent = ann.request("POST".parse().expect("a method"), "/rooms/den/message").json(&body).send().await;
        match sent {
            Ok(answer) if answer.status() == 200 => next += 1,
            Ok(answer) => panic!("{answer:?}"),
            Err(_) => return next,
        }
    }
}

#[test]
fn n_30_what_was_acknowledged_is_told_after_a_kill() {
    block_on(async {
        for (store, place) in Place::each().await {
            let mut dice = Dice::new("webhooks");
            let mut robot = Robot::listens().await;
            robot.says(Says::This(500, json!({})));
            let mut server = start(&place);
            let house = server.house();
            house.room("den").owner("ann").with("webhook", robot.url.clone()).await;
            let token = house.user("ann").await.token().to_owned();
            let (mut next, mut heard) = (0, Vec::<(String, String)>::new());
            for _ in 0..rounds("BANTER_CRASHES", 2) {
                let ann = server.house().bearer("ann", &token);
                let work = tokio::spawn(async move { counts(&ann, next).await });
                let enough = heard.len() as u64 + 1 + dice.roll(60);
                while (heard.len() as u64) < enough {
                    let one = robot.hears().await;
                    heard.push((one.id().to_owned(), one.words().to_owned()));
                }
                server.kill();
                next = work.await.expect("it counted");
                server = start(&place);
                // What nobody was told of: was it said?
                let said = server.house().said("den").await;
                let last: u64 = said.last().expect("something was said").parse().expect("a number");
                assert!(last + 1 == next || last == next, "{store}: {next} is next, and {last} was the last");
                next = last + 1;
            }
            server.house().bearer("ann", &token).said("den", "over").await;
            while heard.last().is_none_or(|(_, words)| words != "over") {
                let one = robot.hears().await;
                heard.push((one.id().to_owned(), one.words().to_owned()));
            }
            // What was under way at the kill is told twice, under the same id.
            heard.dedup();
            let words: Vec<&str> = heard.iter().map(|(_, words)| words.as_str()).collect();
            let all: Vec<String> = (0..next).map(|number| number.to_string()).chain(["over".to_owned()]).collect();
            assert_eq!(words, all, "{store}: each, in order");
        }
    });
}
