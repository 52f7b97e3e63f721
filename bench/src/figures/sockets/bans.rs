//! Somebody types without a pause, over REST and over sockets, and is banned: what is still heard of it?
//!
//! What reached the listeners' end before the ban's acknowledgement did is read first, without waiting;
//! it counts as before. Everything after is counted, until a message that was sent later has arrived on the
//! same sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::select_all;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::task::coop::unconstrained;
use tokio::time::timeout;

use super::{Bench, SQLITE};
use crate::Result;
use crate::house::House;
use crate::http::Connection;
use crate::report::{Aim, Figure};
use crate::request::Asker;
use crate::sockets::{Socket, Speech};
use crate::stats::ratio;

const ROOM: &str = "den";
/// Connections that type over REST.
const HANDS: usize = 3;
/// Sockets that type in turn: each is heard once a second at most.
const TYPISTS: usize = 100;
/// How long typing goes on after the ban was acknowledged.
const AFTER: Duration = Duration::from_millis(5);

/// All that is needed for a round.
struct Room {
    house: House,
    owner: Asker,
    typist: Asker,
    /// Of the owner and of a third.
    listeners: Vec<Socket>,
    typists: Vec<Socket>,
}

#[derive(Default)]
struct Seen {
    before: u64,
    after: u64,
    /// Of the last one after, how long after.
    latest: Duration,
    refused: u64,
}

/// Bans and unbans.
pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<()> {
    eprintln!("sockets: {} bans of somebody who types …", bench.pace.bans);
    let house = bench.socket_house("bans").await?;
    let names = ["owner", "typist", "third"].map(str::to_owned);
    let [owner, typist, third]: [Asker; 3] =
        house.tokens(&names).await?.try_into().map_err(|_| "three tokens were asked for")?;
    let body = json!({ "_id": ROOM, "name": "A room", "roomType": "group", "owner": "owner", "members": names });
    house.fetch(&house.platform().post("/rooms", &body)).await?;
    let mut listeners = Vec::new();
    for asker in [&owner, &third] {
        let mut socket = Socket::open(house.address(), Speech::SocketIo).await?;
        socket.enter(asker).await?;
        listeners.push(socket);
    }
    let mut typists = Vec::new();
    for _ in 0..TYPISTS {
        let mut socket = Socket::open(house.address(), Speech::SocketIo).await?;
        socket.enter(&typist).await?;
        typists.push(socket);
    }
    let mut room = Room { house, owner, typist, listeners, typists };
    let mut seen = Seen::default();
    for round in 0..bench.pace.bans {
        room.round(round, &mut seen).await?;
    }
    room.house.close().await?;
    let figure = Figure::new(
        "sockets.bans.typing-after",
        SQLITE,
        (seen.after as f64, "events"),
        (bench.pace.bans as f64, "bans"),
        ratio(seen.after as f64, bench.pace.bans as f64),
    )
    .aim_value(Aim::AtMost(0.0))
    .detail("typingHeardBefore", seen.before)
    .detail("typingRefused", seen.refused)
    .detail("lastAfterMs", seen.latest.as_secs_f64() * 1e3);
    bench.report.add(figure);
    Ok(())
}

impl Room {
    async fn round(&mut self, number: usize, seen: &mut Seen) -> Result<()> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut hands = JoinSet::new();
        for _ in 0..HANDS {
            let request = self.typist.post(&format!("/rooms/{ROOM}/typing"), &json!({ "message": "I" }));
            hands.spawn(type_on(self.house.address(), request, Arc::clone(&stop)));
        }
        // He is heard typing, by everybody.
        for socket in &mut self.listeners {
            while !is_typing(&hear(socket).await?) {}
            seen.before += 1;
        }
        let count = self.typists.len();
        let typist = self.typists.get_mut(number % count.max(1)).ok_or("nobody types")?;
        typist.say(&format!("42[\"typing\",\"{ROOM}\"]")).await?;
        self.house.fetch(&self.owner.post_empty(&format!("/blockStatus/room/{ROOM}/typist"))).await?;
        let banned = Instant::now();
        for socket in &mut self.listeners {
            while let Some(text) = unconstrained(socket.next()).now_or_never() {
                let text = text.ok_or("a listener was cut off")?;
                seen.before += u64::from(is_typing(&text));
            }
        }
        let mut after = |text: &str| {
            if is_typing(text) {
                seen.after += 1;
                seen.latest = seen.latest.max(banned.elapsed());
            }
        };
        while let Some(left) = AFTER.checked_sub(banned.elapsed()) {
            let each = self.listeners.iter_mut().map(|socket| Box::pin(hear(socket)));
            if let Ok((text, ..)) = timeout(left, select_all(each)).await {
                after(&text?);
            }
        }
        stop.store(true, Ordering::Relaxed);
        while let Some(refused) = hands.join_next().await {
            seen.refused += refused??;
        }
        let last = format!("round {number} is over");
        let body = json!({ "messageType": "text", "message": last });
        self.house.fetch(&self.owner.post(&format!("/rooms/{ROOM}/message"), &body)).await?;
        for socket in &mut self.listeners {
            loop {
                let text = hear(socket).await?;
                after(&text);
                if text.contains(&last) {
                    break;
                }
            }
        }
        self.house.fetch(&self.owner.delete(&format!("/blockStatus/room/{ROOM}/typist"))).await?;
        Ok(())
    }
}

/// Types until it is told to stop; returns how often it was refused.
async fn type_on(address: std::net::SocketAddr, request: Vec<u8>, stop: Arc<AtomicBool>) -> Result<u64> {
    let mut connection = Connection::open(address).await?;
    let mut refused = 0;
    while !stop.load(Ordering::Relaxed) {
        match connection.ask(&request).await?.status {
            200 => {}
            403 => refused += 1,
            status => return Err(format!("typing was answered {status}").into()),
        }
    }
    Ok(refused)
}

async fn hear(socket: &mut Socket) -> Result<String> {
    Ok(socket.next().await.ok_or("a listener was cut off")?.as_str().to_owned())
}

fn is_typing(text: &str) -> bool {
    text.starts_with("42[\"typing\"")
}
