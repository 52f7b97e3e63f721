//! One user floods a room over four connections while he is shut out of it. Once that is
//! acknowledged, no message of his gets a place behind it, on either store.
//!
//! Nothing here waits for a time: a round goes on when messages have arrived, and ends when every
//! connection was refused.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::common::{Answer, Caller, House};
use crate::dice::{Dice, rounds};
use crate::place::Place;
use crate::process::{Server, binary, block_on, command, sabotaged};

/// What shuts the flooder out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shut {
    Ban,
    /// In every other round in a second direct room of the two.
    Block,
    /// In a user group's direct room: he speaks for it, or in every other round to it, and it holds who blocks him.
    BlockInAGroup,
    Freeze,
    Revoke,
}

impl Shut {
    /// What it is called in the records.
    fn action(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Block | Self::BlockInAGroup => "block",
            Self::Freeze => "freeze",
            Self::Revoke => "revoke-tokens",
        }
    }
}

const CONNECTIONS: usize = 4;

/// A flooder, the room he floods, and whoever shuts him out.
struct Scene {
    flooder: Caller,
    other: Caller,
    room: String,
}

impl Scene {
    async fn set(house: &House, shut: Shut, round: u64) -> Self {
        let [flooder, other, room] =
            [format!("f{round}{shut:?}"), format!("o{round}{shut:?}"), format!("r{round}{shut:?}")];
        let room = match shut {
            Shut::Block if round.is_multiple_of(2) => house.direct(&flooder, &other).await,
            Shut::Block => {
                house.direct(&flooder, &other).await;
                let second = json!({"_id": room, "roomType": "direct", "members": [flooder, other]});
                house.platform().post("/rooms", second).await.expect_ok();
                room
            }
            Shut::BlockInAGroup => {
                let (inside, outside) = if round.is_multiple_of(2) { (&flooder, &other) } else { (&other, &flooder) };
                house.user(inside).await;
                let group = json!({"_id": room, "nickname": "them", "members": [inside]});
                house.platform().post("/admin/groups", group).await.expect_ok();
                let opened = house.user(outside).await.opens(&room).await.expect_ok();
                opened["_id"].as_str().expect("an id").to_owned()
            }
            Shut::Ban | Shut::Freeze | Shut::Revoke => {
                house.room(&room).owner(&other).members([flooder.as_str()]).await;
                room
            }
        };
        Self { flooder: house.user(&flooder).await, other: house.user(&other).await, room }
    }

    async fn shut(&self, house: &House, shut: Shut) -> Answer {
        let flooder = &self.flooder.id;
        match shut {
            Shut::Ban => self.other.bans(&self.room, flooder).await,
            Shut::Block | Shut::BlockInAGroup => self.other.blocks(flooder).await,
            Shut::Freeze => self.other.freezes(&self.room).await,
            Shut::Revoke => {
                house
                    .platform()
                    .ask(reqwest::Method::DELETE, &format!("/admin/clients/{flooder}/token"), Some(json!({})))
                    .await
            }
        }
    }

    /// The record of the shutting out. Records and messages take their ids from one growing series,
    /// each under the lock that decides, so this is its place among the messages.
    async fn place(&self, house: &House, shut: Shut) -> String {
        let of = match shut {
            Shut::Freeze => format!("room={}", self.room),
            Shut::Ban | Shut::Block | Shut::BlockInAGroup | Shut::Revoke => format!("target={}", self.flooder.id),
        };
        let path = format!("/admin/audit?{of}&action={}", shut.action());
        let records = house.platform().ask(reqwest::Method::GET, &path, None).await.expect_ok();
        records["data"][0]["_id"].as_str().expect("a record").to_owned()
    }

    /// The room's messages: how many, and the newest hundred.
    async fn order(&self, house: &House) -> (i64, Vec<String>) {
        let page = house.platform().reads(&self.room).await.expect_ok();
        let ids = page["data"]
            .as_array()
            .expect("messages")
            .iter()
            .map(|message| message["_id"].as_str().expect("an id").to_owned());
        (page["totalCount"].as_i64().expect("a number"), ids.collect())
    }
}

/// Sends until it was refused three times after the shutting out was acknowledged. Answers what was
/// accepted although it was sent after that.
async fn flood(connection: Caller, room: String, shut: Arc<AtomicBool>, sent: watch::Sender<u64>) -> Vec<String> {
    let mut too_late = Vec::new();
    let mut refusals = 0;
    for number in 0.. {
        let behind = shut.load(Ordering::SeqCst);
        let answer = connection.says(&room, &format!("{number}")).await;
        if answer.status == 200 {
            sent.send_modify(|count| *count += 1);
            if behind {
                too_late.push(answer.to_string());
            }
        } else if behind {
            refusals += 1;
        }
        if refusals == 3 || too_late.len() > 20 {
            break;
        }
    }
    too_late
}

/// One round. Errors: what got through.
async fn round(house: &House, shut: Shut, number: u64, dice: &mut Dice) -> Result<(), String> {
    let scene = Scene::set(house, shut, number).await;
    let acknowledged = Arc::new(AtomicBool::new(false));
    let (sent, mut arrived) = watch::channel(0);
    let mut flooders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        // A client of its own is a connection of its own.
        let connection =
            House::new(house.base(), house.keys().clone()).bearer(&scene.flooder.id, scene.flooder.token());
        flooders.spawn(flood(connection, scene.room.clone(), Arc::clone(&acknowledged), sent.clone()));
    }
    let enough = 1 + dice.roll(25);
    arrived.wait_for(|count| *count >= enough).await.expect("messages arrive");
    let answer = scene.shut(house, shut).await;
    assert_eq!(answer.status, 200, "{answer}");
    acknowledged.store(true, Ordering::SeqCst);
    let at_once = scene.order(house).await;
    let place = scene.place(house, shut).await;
    let too_late = flooders.join_all().await.concat();
    let in_the_end = scene.order(house).await;
    if !too_late.is_empty() {
        return Err(format!("round {number}: sent after the acknowledgement and accepted: {too_late:?}"));
    }
    if let Some(id) = in_the_end.1.iter().find(|id| **id > place) {
        return Err(format!("round {number}: message {id} has its place behind {place}"));
    }
    if at_once != in_the_end {
        let news: Vec<_> = in_the_end.1.iter().filter(|id| !at_once.1.contains(id)).collect();
        return Err(format!("round {number}: {} then {} messages; placed behind: {news:?}", at_once.0, in_the_end.0));
    }
    Ok(())
}

/// Rounds against one server. Errors: the first that failed.
async fn race(server: &Server, shut: Shut, rounds: u64) -> Result<(), String> {
    let mut dice = Dice::new(&format!("{shut:?}"));
    let house = server.house();
    for number in 0..rounds {
        round(&house, shut, number, &mut dice).await?;
    }
    Ok(())
}

fn never_lets_anything_through(shut: Shut) {
    block_on(async {
        for (store, place) in Place::each().await {
            let server = Server::start_as(command(binary()), &place);
            if let Err(what) = race(&server, shut, rounds("BANTER_RACES", 3)).await {
                panic!("{store}: {what}");
            }
        }
    });
}

#[test]
fn no_message_after_a_ban() {
    never_lets_anything_through(Shut::Ban);
}

#[test]
fn no_message_after_a_block() {
    never_lets_anything_through(Shut::Block);
}

#[test]
fn no_message_after_a_block_of_one_who_speaks_for_a_user_group() {
    never_lets_anything_through(Shut::BlockInAGroup);
}

#[test]
fn no_message_after_a_freeze() {
    never_lets_anything_through(Shut::Freeze);
}

#[test]
fn no_message_after_a_revocation() {
    never_lets_anything_through(Shut::Revoke);
}

/// With its lock taken away the same race is lost, on every store. SQLite's one writer is a lock
/// as well; what is taken away there is the second look at the facts behind it.
fn is_lost_without(lock: &str, shut: Shut) {
    let Some(sabotaged) = sabotaged() else { return };
    block_on(async {
        let mut lost = Vec::new();
        for (store, place) in Place::each().await {
            let how = lost_in(&sabotaged, &place, lock, shut).await;
            let Err(how) = how else {
                panic!("the race of {shut:?} does not need {lock} on {store}: it proves nothing")
            };
            lost.push(format!("{store}: {how}"));
        }
        println!("without {lock} the race of {shut:?} is lost: {lost:?}");
    });
}

async fn lost_in(sabotaged: &Path, place: &Place, lock: &str, shut: Shut) -> Result<(), String> {
    let mut command = command(sabotaged.to_path_buf());
    command.env("BANTER_SABOTAGE", lock);
    let server = Server::start_as(command, place);
    race(&server, shut, rounds("BANTER_RACES", 3).max(300)).await
}

#[test]
fn a_ban_needs_the_rooms_lock() {
    is_lost_without("room-lock", Shut::Ban);
}

#[test]
fn a_freeze_needs_the_rooms_lock() {
    is_lost_without("room-lock", Shut::Freeze);
}

#[test]
fn a_block_needs_the_pairs_lock() {
    is_lost_without("pair-lock", Shut::Block);
}

#[test]
fn a_block_of_one_who_speaks_for_a_user_group_needs_the_pairs_lock() {
    is_lost_without("pair-lock", Shut::BlockInAGroup);
}

#[test]
fn a_revocation_needs_the_check_of_the_token() {
    is_lost_without("token-check", Shut::Revoke);
}
