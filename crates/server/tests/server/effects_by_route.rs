//! What a ban and a block stop, on every route whose act they stop. The list of routes is the server's own: a new route
//! whose act is stopped is tried here, by the user and by the API key in his name, and fails until its request is refused
//! for the ban or the block and for nothing else.

use banter_server::http::routes::Auth;
use banter_server::{Route, routes};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::callers::{Scene, body};
use crate::common::{Answer, Caller, House};
use crate::sight::sight;

/// A word that is nowhere in the house.
const NOWHERE: &str = "heron";

/// Where Mia asks, a message there that is hers, and a file.
struct Hers {
    room: String,
    message: String,
    file: String,
}

impl Hers {
    async fn in_room(scene: &Scene, room: &str) -> Self {
        let mia = scene.house.user("mia").await;
        let message = mia.said(room, "mine").await;
        mia.reacts(&message, "👍").await.expect_ok();
        let file = mia.uploads("secrets", room, "mine.txt", "text/plain", "mine").await.expect_ok();
        let file = file["_id"].as_str().expect("an id").to_owned();
        Self { room: room.to_owned(), message, file }
    }

    /// A route's request, by Mia or by the API key in her name.
    async fn ask(&self, scene: &Scene, caller: &Caller, route: &Route) -> Answer {
        let room = self.room.as_str();
        if route.path == "/files/{bucket}" {
            return caller.uploads("secrets", room, "new.txt", "text/plain", "new").await;
        }
        let path = scene.path(route).replace(&scene.message, &self.message).replace(&scene.file, &self.file);
        let path = path.split('/').map(|part| if part == "den" { room } else { part }).collect::<Vec<_>>().join("/");
        let body = match (route.path, body(route)) {
            ("/rooms/createAndJoin", _) => Some(json!({"_id": room})),
            (_, None) => None,
            (_, Some(body)) => {
                let text = body.to_string().replace("\"den\"", &format!("\"{room}\""));
                let mut body: Value = serde_json::from_str(&text).expect("as it was");
                if body.get("messageType").is_some() {
                    body["sender"] = json!("mia");
                }
                Some(body)
            }
        };
        caller.ask(route.method.clone(), &path, body).await
    }

    /// What the route lets pass.
    async fn passes(&self, scene: &Scene, route: &Route, code: &str) -> Vec<String> {
        let (mia, platform) = (scene.house.user("mia").await, scene.house.platform_for("mia"));
        let mut wrong = Vec::new();
        let before = sight(&scene.house.platform(), &[&self.room], &[NOWHERE]).await;
        for caller in [Some(mia).filter(|_| route.auth != Auth::ApiKey), Some(platform)].into_iter().flatten() {
            let answer = self.ask(scene, &caller, route).await;
            if !stopped(route, &answer, code) {
                wrong.push(answer.to_string());
            }
        }
        if sight(&scene.house.platform(), &[&self.room], &[NOWHERE]).await != before {
            wrong.push(format!("{route:?} changed something"));
        }
        wrong
    }
}

/// Refused with this code, or, of several recipients, to the only one.
fn stopped(route: &Route, answer: &Answer, code: &str) -> bool {
    match route.path {
        "/messages/batch" => answer.status == 200 && answer.body()["result"]["refused"] == 1,
        _ => answer.status == 403 && answer.body()["error"]["code"] == code,
    }
}

async fn on_each(routes: Vec<Route>, wrong: impl AsyncFn(&Route) -> Vec<String>) {
    assert!(routes.len() > 10, "there are such routes");
    let mut all = Vec::new();
    for some in routes.chunks(8) {
        all.extend(join_all(some.iter().map(|route| wrong(route))).await.concat());
    }
    assert!(all.is_empty(), "{} pass:\n{}", all.len(), all.join("\n"));
}

each_store! {
    async fn what_a_ban_stops_it_stops_on_every_route(house: House) {
        let concerned = routes().into_iter().filter(|route| route.act.terms().ban).collect();
        on_each(concerned, async |route| {
            let scene = Scene::set(&house).await;
            let hers = Hers::in_room(&scene, "den").await;
            scene.house.user("ann").await.bans("den", "mia").await.expect_ok();
            hers.passes(&scene, route, "USER_BANNED").await
        }).await;
    }

    async fn what_a_block_stops_it_stops_on_every_route(house: House) {
        let concerned: Vec<Route> = routes().into_iter().filter(|route| route.act.terms().block).collect();
        for (blocker, blockee) in [("ann", "mia"), ("mia", "ann")] {
            on_each(concerned.clone(), async |route| {
                let scene = Scene::set(&house).await;
                let room = scene.house.user("mia").await.opens("ann").await.expect_ok();
                let hers = Hers::in_room(&scene, room["_id"].as_str().expect("an id")).await;
                scene.house.user(blocker).await.blocks(blockee).await.expect_ok();
                hers.passes(&scene, route, "USER_BLOCKED").await
            }).await;
        }
    }
}
