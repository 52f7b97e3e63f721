//! An app of its own, its people and its rooms.

use std::collections::HashMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::caller::Caller;

/// What opens an app.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) app: String,
    pub(crate) api: String,
    pub(crate) client: String,
}

/// How long an answer may take that surely comes.
const PATIENCE: Duration = Duration::from_secs(120);

/// An app on a running server. Cheap to clone; the people are made when they are first named.
#[derive(Clone)]
pub(crate) struct House(Arc<Inner>);

struct Inner {
    base: String,
    keys: Keys,
    http: reqwest::Client,
    tokens: Mutex<HashMap<String, String>>,
}

impl House {
    /// `base`: where the server listens, `http://127.0.0.1:3100`.
    pub(crate) fn new(base: impl Into<String>, keys: Keys) -> Self {
        // Unlike the server itself, people follow where they are sent; what lies elsewhere is none of the tests'.
        let follows = reqwest::redirect::Policy::custom(|sent| match sent.url().host_str() {
            Some("127.0.0.1") if sent.previous().len() < 3 => sent.follow(),
            _ => sent.stop(),
        });
        let http = banter_server::outgoing::client().timeout(PATIENCE).redirect(follows).build().expect("a client");
        Self(Arc::new(Inner { base: base.into(), keys, http, tokens: Mutex::default() }))
    }

    pub(crate) fn base(&self) -> &str {
        &self.0.base
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.0.http
    }

    /// Who holds the API key.
    pub(crate) fn platform(&self) -> Caller {
        Caller::new(self, "platform", vec![("im-api-key", self.keys().api.clone())])
    }

    /// The API key on behalf of a user.
    pub(crate) fn platform_for(&self, user: &str) -> Caller {
        let headers = vec![("im-api-key", self.keys().api.clone()), ("im-client-id", user.to_owned())];
        Caller::new(self, user, headers)
    }

    /// Nobody: no key, no token.
    pub(crate) fn nobody(&self) -> Caller {
        Caller::new(self, "nobody", Vec::new())
    }

    /// Somebody with this token, whatever it is.
    pub(crate) fn bearer(&self, name: &str, token: &str) -> Caller {
        let headers = vec![("im-client-key", self.keys().client.clone()), ("im-authorization", token.to_owned())];
        Caller::new(self, name, headers)
    }

    /// A user with a token, made when he is first named. His nickname is his id with a capital.
    pub(crate) async fn user(&self, id: &str) -> Caller {
        let known = self.0.tokens.lock().unwrap().get(id).cloned();
        let token = match known {
            Some(token) => token,
            None => self.sign_up(id).await,
        };
        self.bearer(id, &token)
    }

    /// Several users at once.
    pub(crate) async fn users<const N: usize>(&self, ids: [&str; N]) -> [Caller; N] {
        let mut callers = Vec::new();
        for id in ids {
            callers.push(self.user(id).await);
        }
        callers.try_into().unwrap_or_else(|_| unreachable!("one caller an id"))
    }

    async fn sign_up(&self, id: &str) -> String {
        let nickname = nickname(id);
        let avatar = format!("http://pictures.example/{id}");
        let body = json!({"_id": id, "nickname": nickname, "avatarUrl": avatar, "issueAccessToken": true});
        let account = self.platform().post("/admin/clients", body).await.expect_ok();
        let token = account["token"].as_str().unwrap_or_else(|| panic!("no token in {account}")).to_owned();
        self.0.tokens.lock().unwrap().insert(id.to_owned(), token.clone());
        token
    }

    /// A group with this id, described and then awaited.
    pub(crate) fn room(&self, id: &str) -> Plan {
        Plan { house: self.clone(), id: id.to_owned(), owner: None, members: Vec::new(), more: json!({}) }
    }

    /// The direct room of two, opened by the first. Returns its id.
    pub(crate) async fn direct(&self, one: &str, other: &str) -> String {
        self.user(other).await;
        let room = self.user(one).await.opens(other).await.expect_ok();
        room["_id"].as_str().unwrap_or_else(|| panic!("a room without an id: {room}")).to_owned()
    }

    /// What people said in a room, oldest first. Read by the platform.
    pub(crate) async fn said(&self, room: &str) -> Vec<String> {
        let mut said: Vec<String> = self
            .platform()
            .reads(room)
            .await
            .expect_list()
            .iter()
            .filter(|message| !SYSTEM.contains(&message["messageType"].as_str().unwrap_or_default()))
            .map(|message| message["message"].as_str().unwrap_or_default().to_owned())
            .collect();
        said.reverse();
        said
    }
}

/// Messages that the server writes about a room.
const SYSTEM: [&str; 6] = ["joinRoom", "leaveRoom", "addMember", "addMembers", "deleteMember", "assignAdmin"];

/// The nickname of a user made by [`House::user`].
pub(crate) fn nickname(id: &str) -> String {
    let mut letters = id.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A group to be made. Await it; the result is the room as the platform sees it.
pub(crate) struct Plan {
    house: House,
    id: String,
    owner: Option<String>,
    members: Vec<String>,
    more: Value,
}

impl Plan {
    /// Its owner, who is a member too.
    pub(crate) fn owner(mut self, id: &str) -> Self {
        self.owner = Some(id.to_owned());
        self.members.insert(0, id.to_owned());
        self
    }

    pub(crate) fn members<const N: usize>(mut self, ids: [&str; N]) -> Self {
        self.members.extend(ids.map(str::to_owned));
        self
    }

    /// Any other field of the room.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.more[field] = value.into();
        self
    }

    async fn make(self) -> Value {
        for member in &self.members {
            self.house.user(member).await;
        }
        let mut body = self.more;
        body["_id"] = json!(self.id);
        body["roomType"] = json!("group");
        body["name"] = json!(nickname(&self.id));
        body["members"] = json!(self.members);
        if let Some(owner) = self.owner {
            body["owner"] = json!(owner);
        }
        self.house.platform().post("/rooms", body).await.expect_ok()
    }
}

impl IntoFuture for Plan {
    type Output = Value;
    type IntoFuture = Pin<Box<dyn Future<Output = Value>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}
