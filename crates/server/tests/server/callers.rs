//! Every route of the server, asked by six kinds of caller. The table of routes is the server's
//! own: a new route fails here until it says what its request looks like and who gets a 2xx.

use banter_domain::moderation::Act;
use banter_server::Route;
use banter_server::http::routes::Auth;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::common::{Answer, Caller, House};
use crate::host::other_app;
use crate::sight::sight;

/// A word that stands in everything of the house that is nobody else's business.
const SECRET: &str = "quicksilver";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nobody,
    Foreigner,
    Outsider,
    Member,
    Owner,
    Platform,
}

use Kind::{Foreigner, Member, Nobody, Outsider, Owner, Platform};

const KINDS: [Kind; 6] = [Nobody, Foreigner, Outsider, Member, Owner, Platform];

/// Who gets a 2xx for an act on the den or on Ann's message in it.
fn allowed(route: &Route) -> &'static [Kind] {
    const USERS: &[Kind] = &[Foreigner, Outsider, Member, Owner, Platform];
    const OF_THE_APP: &[Kind] = &[Outsider, Member, Owner, Platform];
    const INSIDE: &[Kind] = &[Member, Owner, Platform];
    const ABOVE: &[Kind] = &[Owner, Platform];
    if route.auth == Auth::ApiKey {
        return &[Platform];
    }
    match route.act {
        Act::Look => &KINDS,
        Act::Operate => &[Platform],
        // There is no such room in another app, and that is no secret.
        Act::FindRoom => USERS,
        // One mutes a room one is in.
        Act::MindOwn if route.path.contains("{group}") => &[Member, Platform],
        Act::MindOwn if route.path.contains("{room}") => INSIDE,
        Act::MindOwn | Act::ListBlocks | Act::CreateRoom | Act::OpenRoom | Act::Search | Act::SendBatch => USERS,
        // Of several files, those one may read.
        Act::ReadFile if !route.path.contains('{') => USERS,
        // The list of one's rooms.
        Act::ReadRoom if !route.path.contains('{') => USERS,
        Act::Block | Act::Unblock | Act::Join => OF_THE_APP,
        Act::ReadRoom
        | Act::ReadMessages
        | Act::ReadFile
        | Act::Send
        | Act::Upload
        | Act::React
        | Act::MarkRead
        | Act::Type
        | Act::PutAway
        | Act::Leave
        | Act::SetOwnProperty
        | Act::Invite => INSIDE,
        Act::ListBans | Act::Ban | Act::Unban | Act::UpdateRoom | Act::Freeze | Act::Appoint | Act::DeleteRoom => ABOVE,
        Act::Remove | Act::SetOthersProperty | Act::Edit | Act::Recall | Act::DeleteMessages | Act::Pin => ABOVE,
        Act::Hide | Act::Uninvite => ABOVE,
    }
}

/// Calls that only make sense for those in whose name something is: the platform has no place in a
/// room, so what concerns a place answers it otherwise.
fn platform_is_nobody_there(route: &Route) -> bool {
    matches!(route.act, Act::MarkRead | Act::Leave | Act::SetOwnProperty | Act::Join | Act::React)
        || route.act == Act::PutAway
        || (route.path.starts_with("/roomPrefs/{room}") && !route.path.contains("{group}"))
        || (route.method == "POST" && route.path == "/me")
        // There is no delivery of this id.
        || route.path.ends_with("/retry")
}

/// What a sensible request of this route carries.
pub(crate) fn body(route: &Route) -> Option<Value> {
    Some(match (route.method.as_str(), route.path) {
        ("GET" | "HEAD", _) => return None,
        ("POST", "/rooms") => json!({"roomType": "group"}),
        ("POST", "/rooms/createAndJoin") => json!({"roomType": "group"}),
        ("PUT", "/rooms/{id}") => json!({"description": "changed"}),
        ("POST", "/rooms/{id}/members") => json!({"invitees": ["guest"]}),
        ("POST", "/rooms/{id}/delete/members") => json!({"members": ["max"]}),
        ("PUT", path) if path.starts_with("/rooms/{id}/member/") => json!({"property": "score", "value": 1}),
        ("PUT", "/rooms/{id}/lastRead") => json!({}),
        ("POST", path) if path.starts_with("/rooms/{") && path.ends_with("/message") => {
            json!({"messageType": "text", "message": "x"})
        }
        ("POST", "/messages") => json!({"room": "den", "sender": "ann", "messageType": "text", "message": "x"}),
        ("POST", "/messages/batch") => json!({"messageType": "text", "message": "x", "paras": [{"room": "den"}]}),
        ("POST", path) if path.ends_with("/reaction") => json!({"reaction": "x"}),
        ("POST", "/files/stats") => json!({"ids": ["0123456789abcdef01234567"]}),
        ("POST", "/search") => json!({"type": ["messages", "roomName", "roomMember"], "keyword": SECRET}),
        ("POST", "/admin/clients") => json!({"_id": "new"}),
        ("POST", "/admin/clients/list") => json!({"data": [{"_id": "new"}]}),
        ("POST", "/admin/groups") => json!({"nickname": "new"}),
        ("PUT", path) if path.ends_with("/token") => {
            json!({"token": "a-new-token", "expirationDate": "2199-01-01T00:00:00Z"})
        }
        ("POST", "/me/subscribe") => json!({"type": "ios", "token": "a-token", "deviceId": "phone"}),
        ("POST", "/me/unsubscribe") => json!({"type": "ios", "deviceId": "phone"}),
        ("POST", "/push/push2clients") => json!({"clients": ["ann"], "payload": {"alert": "x"}}),
        ("POST", "/me") => json!({"description": "changed"}),
        ("PUT", "/admin/webhook") => json!({"url": "http://user.invalid/"}),
        ("POST", "/config") => json!({"key": 1}),
        ("POST", "/badges/byRoomTags") => json!({}),
        ("POST", "/badges/byRoomTagsAndTime") => json!({"beforeTime": "2199-01-01T00:00:00Z"}),
        ("POST", "/badges") => json!({"tokens": ["none"]}),
        ("POST", "/auths/sign" | "/auths/sign/v2") => json!({"id": "new"}),
        ("POST", "/admin/stickers") => json!({"_id": "new", "name": "new"}),
        ("POST", "/rooms/{id}/delete/invitations") => json!({"invitees": ["zoe"]}),
        ("POST", "/messages/user-delete") => json!({"room": "den", "messages": []}),
        ("POST", "/messages/user-delete/all-in-room") => json!({"room": "den"}),
        ("POST", path) if path.ends_with("hide-by-sender-in-room") => json!({"room": "den", "sender": "ann"}),
        _ => return None,
    })
}

/// A picture of it is found by everybody, wherever it lies.
fn sticker_set() -> Value {
    json!({"_id": "set", "name": "Set", "images": [{"resourceId": "set/1.png", "Location": "https://cdn.example.com/1.png"}]})
}

/// A house with a den: Ann owns it, Mia and Max are members, Guest is a user, Eve an outsider; all
/// block Xen, and Yan is banned.
pub(crate) struct Scene {
    pub(crate) house: House,
    foreign: House,
    pub(crate) message: String,
    pub(crate) file: String,
}

impl Scene {
    pub(crate) async fn set(house: &House) -> Self {
        let house = other_app(house).await;
        let foreign = other_app(&house).await;
        house.users(["ann", "mia", "eve", "guest", "xen", "yan"]).await;
        foreign.user("fay").await;
        house
            .room("den")
            .owner("ann")
            .members(["mia", "max"])
            .with("description", SECRET)
            .with("roomTags", json!([SECRET]))
            .await;
        let ann = house.user("ann").await;
        let message = ann.said("den", &format!("a {SECRET} word")).await;
        ann.reacts(&message, "👍").await.expect_ok();
        for blocker in ["ann", "mia", "eve"] {
            house.user(blocker).await.blocks("xen").await.expect_ok();
        }
        house.platform().blocks("xen").await;
        ann.bans("den", "yan").await.expect_ok();
        let asked = json!({"invitees": ["zoe"], "invitationRequired": true});
        house.user("zoe").await;
        ann.post("/rooms/den/members", asked).await.expect_ok();
        let crew = json!({"_id": "crew", "nickname": "Crew", "members": ["mia"]});
        house.platform().post("/admin/groups", crew).await.expect_ok();
        house.platform().post("/admin/stickers", sticker_set()).await.expect_ok();
        house.platform().post("/config", json!({"theme": 1})).await.expect_ok();
        let hook = json!({"url": format!("http://user.invalid/{SECRET}"), "events": ["FREEZE"]});
        house.platform().put("/admin/webhook", hook).await.expect_ok();
        house.platform().posts("/admin/clients/ann/mute/den").await.expect_ok();
        let file = ann.uploads("secrets", "den", SECRET, "text/plain", SECRET).await.expect_ok();
        let file = file["_id"].as_str().expect("an id").to_owned();
        Self { house, foreign, message, file }
    }

    async fn caller(&self, kind: Kind) -> Caller {
        match kind {
            Nobody => self.house.nobody(),
            Foreigner => self.foreign.user("fay").await,
            Outsider => self.house.user("eve").await,
            Member => self.house.user("mia").await,
            Owner => self.house.user("ann").await,
            Platform => self.house.platform(),
        }
    }

    /// The route's path with everything filled in. The user named is one on whom the act is possible.
    pub(crate) fn path(&self, route: &Route) -> String {
        let user = match (route.act, route.method.as_str()) {
            (Act::Block, _) => "guest",
            (Act::Unblock, _) => "xen",
            (Act::Ban, _) => "mia",
            (Act::Unban, _) => "yan",
            (Act::SetOthersProperty | Act::SetOwnProperty | Act::Remove, _) => "max",
            (Act::Invite, _) => "guest",
            (Act::Uninvite, _) => "zoe",
            _ => "ann",
        };
        let mut path = String::new();
        let mut segments = route.path.split('/').peekable();
        let mut before = "";
        while let Some(segment) = segments.next() {
            let filled = match (segment, before) {
                (segment, _) if !segment.starts_with('{') => segment,
                ("{key}", _) => "theme",
                ("{group}", _) => "crew",
                ("{id}", "stickers") => "set",
                (_, "roomPrefs") => "den",
                ("{file}", _) => "swagger-ui.css",
                (_, "rooms" | "room" | "mute") => "den",
                (_, "messages" | "deliveries") => self.message.as_str(),
                ("{bucket}", _) => "secrets",
                ("{id}", "filled") => self.file.as_str(),
                _ => user,
            };
            path.push_str(filled);
            if segments.peek().is_some() {
                path.push('/');
            }
            before =
                if segment.starts_with('{') { if filled == "den" { "the den" } else { "filled" } } else { segment };
        }
        path.push_str(match (route.method.as_str(), route.path) {
            ("DELETE", path) if path.ends_with("/reaction") => "?reaction=%F0%9F%91%8D",
            ("GET", "/stickers/res") => "?resourceId=set/1.png",
            ("GET", "/messages/user-delete") => "?room=den",
            ("GET", "/messages/batch") => "?batchID=610aafe20000000000000001",
            _ => "",
        });
        path
    }

    async fn ask(&self, route: &Route, kind: Kind) -> Answer {
        let caller = self.caller(kind).await;
        if route.act == Act::Upload {
            return caller.uploads("secrets", "den", "new.txt", "text/plain", "new").await;
        }
        caller.ask(route.method.clone(), &self.path(route), body(route)).await
    }
}

/// Asks one route in every name, each in a scene of its own. What was unexpected comes back.
async fn unexpected(house: &House, route: &Route) -> Vec<String> {
    let mut unexpected = Vec::new();
    for kind in KINDS {
        let scene = Scene::set(house).await;
        let platform = scene.house.platform();
        let before = sight(&platform, &["den"], &[SECRET]).await;
        let answer = scene.ask(route, kind).await;
        let ok = [2, 3].contains(&(answer.status / 100));
        let may = allowed(route).contains(&kind);
        let what = format!("{kind:?}: {answer}");
        if ok && !may {
            unexpected.push(format!("an unexpected 2xx for {what}"));
        }
        if !ok && may && !(kind == Platform && platform_is_nobody_there(route)) {
            unexpected.push(format!("no 2xx for {what}"));
        }
        if answer.status >= 500 {
            unexpected.push(format!("a fault for {what}"));
        }
        if [Nobody, Foreigner].contains(&kind) || !may {
            if String::from_utf8_lossy(&answer.bytes).contains(SECRET) {
                unexpected.push(format!("a secret told to {what}"));
            }
            if sight(&platform, &["den"], &[SECRET]).await != before {
                unexpected.push(format!("something changed by {what}"));
            }
        }
        // A picture of a set lies elsewhere: one is sent there.
        if !ok && answer.status != 302 {
            answer.expect_some_refusal();
        }
    }
    unexpected
}

each_store! {
    async fn no_route_gives_anybody_more_than_his_own(house: House) {
        let routes = banter_server::routes();
        let mut all = Vec::new();
        for some in routes.chunks(8) {
            all.extend(join_all(some.iter().map(|route| unexpected(&house, route))).await.concat());
        }
        assert!(all.is_empty(), "{} unexpected:\n{}", all.len(), all.join("\n"));
    }

    async fn an_api_key_of_another_app_is_no_key_here(house: House) {
        let scene = Scene::set(&house).await;
        let before = sight(&scene.house.platform(), &["den"], &[SECRET]).await;
        for route in banter_server::routes() {
            let answer = scene.foreign.platform().ask(route.method.clone(), &scene.path(&route), body(&route)).await;
            assert!(!String::from_utf8_lossy(&answer.bytes).contains(SECRET), "{route:?}: {answer}");
            let named = scene.foreign.platform_for("ann").ask(route.method.clone(), &scene.path(&route), body(&route)).await;
            assert!(!String::from_utf8_lossy(&named.bytes).contains(SECRET), "{route:?}: {named}");
        }
        assert_eq!(before, sight(&scene.house.platform(), &["den"], &[SECRET]).await);
    }

    async fn a_token_is_good_in_its_own_app_alone(house: House) {
        let scene = Scene::set(&house).await;
        let ann = scene.house.user("ann").await;
        for route in banter_server::routes().into_iter().filter(|route| matches!(route.auth, Auth::Client | Auth::Either | Auth::Address)) {
            let smuggled = ann.clone().with_header("im-client-key", &scene.foreign.keys().client);
            smuggled.ask(route.method.clone(), &scene.path(&route), body(&route)).await.expect_error(401, "INVALID_TOKEN");
        }
    }
}
