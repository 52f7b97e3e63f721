//! Killed at random moments under work of every kind, and started again: everything that was
//! acknowledged is there, and nothing is there by halves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::common::{Caller, House};
use crate::dice::{Dice, rounds};
use crate::place::Place;
use crate::process::{Server, block_on};

const WRITERS: u64 = 3;

/// What is known of one worker's doing: how many of his acts were acknowledged, in order. The one
/// after that may or may not have happened.
#[derive(Debug, Default)]
pub(crate) struct Known {
    acknowledged: AtomicU64,
}

impl Known {
    fn count(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Takes what was found after a crash as the truth, if it can be.
    fn settle(&self, found: u64, what: &str) -> Result<(), String> {
        let known = self.count();
        if found != known && found != known + 1 {
            return Err(format!("{what}: {known} were acknowledged, {found} are there"));
        }
        self.acknowledged.store(found, Ordering::SeqCst);
        Ok(())
    }
}

/// Everything that was promised so far, over all crashes.
#[derive(Default)]
pub(crate) struct Promises {
    words: [Known; WRITERS as usize],
    bans: Known,
    blocks: Known,
    users: Known,
    edits: Known,
    tokens: Mutex<Vec<(String, String)>>,
}

/// Asks in a way that may end with the server. `None`: it is gone, and nobody knows what happened.
async fn try_ask(caller: &Caller, method: &str, path: &str, body: Option<Value>) -> Option<Value> {
    let mut request = caller.request(method.parse().expect("a method"), path);
    if let Some(body) = &body {
        request = request.json(body);
    }
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    let body: Value = response.json().await.ok()?;
    assert_eq!(status, 200, "{method} {path}: {body}");
    Some(body["result"].clone())
}

/// The people and rooms everything happens in; made once.
pub(crate) async fn furnish(house: &House) {
    for writer in 0..WRITERS {
        house.user(&format!("writer{writer}")).await;
    }
    house.room("den").owner("ann").members(["writer0", "writer1", "writer2", "reader", "xen"]).await;
    house.room("slate").owner("ann").await;
    house.user("bob").await;
    house.user("ann").await.said("slate", "0").await;
}

/// Starts the work of every kind. Each worker goes on until the server is gone.
pub(crate) async fn work(house: &House, promises: &Arc<Promises>, done: &watch::Sender<u64>) -> JoinSet<()> {
    let mut work = JoinSet::new();
    let slate = house.platform().reads("slate").await.expect_list()[0]["_id"].as_str().expect("an id").to_owned();
    for writer in 0..WRITERS {
        let (caller, promises, done) =
            (house.user(&format!("writer{writer}")).await, Arc::clone(promises), done.clone());
        work.spawn(async move {
            let known = &promises.words[usize::try_from(writer).expect("fits")];
            loop {
                let body = json!({"messageType": "text", "message": format!("{writer}:{}", known.count())});
                if try_ask(&caller, "POST", "/rooms/den/message", Some(body)).await.is_none() {
                    return;
                }
                acknowledge(known, &done);
            }
        });
    }
    let (ann, platform) = (house.user("ann").await, house.platform());
    for kind in 0..4 {
        let (ann, platform, promises, done, slate) =
            (ann.clone(), platform.clone(), Arc::clone(promises), done.clone(), slate.clone());
        work.spawn(async move {
            loop {
                // Odd and even: done and undone.
                let toggle = |known: &Known| if known.count().is_multiple_of(2) { "POST" } else { "DELETE" };
                let (known, asked) = match kind {
                    0 => {
                        (&promises.bans, try_ask(&ann, toggle(&promises.bans), "/blockStatus/room/den/xen", None).await)
                    }
                    1 => (&promises.blocks, try_ask(&ann, toggle(&promises.blocks), "/blockStatus/my/bob", None).await),
                    2 => {
                        let id = format!("user{}", promises.users.count());
                        let made = try_ask(
                            &platform,
                            "POST",
                            "/admin/clients",
                            Some(json!({"_id": id, "issueAccessToken": true})),
                        )
                        .await;
                        if let Some(token) = made.as_ref().and_then(|made| made["token"].as_str()) {
                            promises.tokens.lock().await.push((id, token.to_owned()));
                        }
                        (&promises.users, made)
                    }
                    _ => {
                        let words = json!({"_id": slate, "message": (promises.edits.count() + 1).to_string()});
                        (&promises.edits, try_ask(&ann, "POST", "/rooms/slate/message", Some(words)).await)
                    }
                };
                if asked.is_none() {
                    return;
                }
                acknowledge(known, &done);
            }
        });
    }
    work
}

fn acknowledge(known: &Known, done: &watch::Sender<u64>) {
    known.acknowledged.fetch_add(1, Ordering::SeqCst);
    done.send_modify(|count| *count += 1);
}

/// Every message of a room, oldest first.
async fn all_of(house: &House, room: &str) -> Result<Vec<Value>, String> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let after = all
            .last()
            .map(|message| format!("&afterMessage={}", message["_id"].as_str().unwrap_or_default()))
            .unwrap_or_default();
        let answer = house.platform().get(&format!("/rooms/{room}/messages/v3?limit=100&sortOrder=asc{after}")).await;
        if answer.status != 200 {
            return Err(format!("{room} is lost: {answer}"));
        }
        let page = answer.expect_ok();
        let data = page["data"].as_array().cloned().unwrap_or_default();
        let skip = usize::from(!all.is_empty());
        let before = all.len();
        all.extend(data.into_iter().skip(skip));
        if all.len() == before || page["totalCount"] == all.len() {
            return if page["totalCount"] == all.len() {
                Ok(all)
            } else {
                Err(format!("{room} counts {} and holds {}", page["totalCount"], all.len()))
            };
        }
    }
}

/// Compares a restarted server with what was promised. Errors: what is lost, or there by halves.
pub(crate) async fn verify(house: &House, promises: &Promises) -> Result<(), String> {
    let messages = all_of(house, "den").await?;
    let mut next = [0_u64; WRITERS as usize];
    for message in &messages {
        let text = message["message"].as_str().unwrap_or_default();
        let (writer, number) = text.split_once(':').ok_or_else(|| format!("a message by halves: {message}"))?;
        let (writer, number): (usize, u64) = (writer.parse().expect("a number"), number.parse().expect("a number"));
        if number != next[writer] {
            return Err(format!("writer {writer}: message {} is missing before {number}", next[writer]));
        }
        next[writer] += 1;
    }
    for (writer, found) in next.into_iter().enumerate() {
        promises.words[writer].settle(found, &format!("words of writer {writer}"))?;
    }
    let reader = house.platform_for("reader").room("den").await.expect_ok();
    if reader["unread"] != messages.len()
        || reader["lastMessage"]["_id"] != messages.last().map_or(Value::Null, |last| last["_id"].clone())
    {
        return Err(format!(
            "{} messages, but the room says {} unread and {}",
            messages.len(),
            reader["unread"],
            reader["lastMessage"]
        ));
    }
    let slate: u64 = house.said("slate").await[0].parse().expect("a number");
    promises.edits.settle(slate, "edits")?;

    let banned = house.platform().sees_banned("den").await.contains(&"xen".to_owned());
    settle_toggle(house, &promises.bans, banned, "bans", "room=den&target=xen").await?;
    let blocked = house.platform_for("ann").get("/blockStatus/my?ids=bob").await.expect_list().len() == 1;
    settle_toggle(house, &promises.blocks, blocked, "blocks", "target=bob").await?;

    let users = house
        .platform()
        .get("/admin/clients?limit=1&q=%7B%22_id%22%3A%7B%22%24regex%22%3A%22%5Euser%22%7D%7D")
        .await
        .expect_ok();
    promises.users.settle(users["totalCount"].as_u64().expect("a number"), "users")?;
    for (id, token) in promises.tokens.lock().await.iter().rev().take(50) {
        let me = house.bearer(id, token).get("/me").await;
        if me.status != 200 {
            return Err(format!("the token of {id} is lost: {me}"));
        }
    }
    Ok(())
}

/// A relation that is made and lifted in turn: whether it holds, and the audit's entries for it, tell
/// how often.
async fn settle_toggle(house: &House, known: &Known, holds: bool, what: &str, query: &str) -> Result<(), String> {
    let entries = count_audit(house, query).await;
    if (entries % 2 == 1) != holds {
        return Err(format!(
            "{what}: {entries} entries in the audit, and it {}",
            if holds { "holds" } else { "does not hold" }
        ));
    }
    known.settle(entries, what)
}

async fn count_audit(house: &House, query: &str) -> u64 {
    let mut count = 0;
    let mut cursor = String::new();
    loop {
        let page = house.platform().get(&format!("/admin/audit?limit=1000&{query}{cursor}")).await.expect_ok();
        count += page["data"].as_array().expect("entries").len() as u64;
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", crate::common::segment(next)),
            None => return count,
        }
    }
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    block_on(async {
        for (store, place) in Place::each().await {
            let mut dice = Dice::new("crash");
            let promises = Arc::new(Promises::default());
            let mut server = Server::start(&place);
            furnish(&server.house()).await;
            for round in 0..rounds("BANTER_CRASHES", 2) {
                let (done, mut seen) = watch::channel(0);
                let work = work(&server.house(), &promises, &done).await;
                let enough = 1 + dice.roll(400);
                seen.wait_for(|count| *count >= enough).await.expect("work is done");
                server.kill();
                work.join_all().await;
                server = Server::start(&place);
                if let Err(what) = verify(&server.house(), &promises).await {
                    panic!("{store}, crash {round}: {what}");
                }
            }
        }
    });
}
