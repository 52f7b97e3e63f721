//! People, and what they do.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::house::House;

/// A text as one segment of a path, or one value of a query.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Somebody who asks: a user with his token, whoever holds the API key, or nobody.
#[derive(Clone)]
pub(crate) struct Caller {
    house: House,
    pub(crate) id: String,
    headers: Vec<(&'static str, String)>,
}

impl Caller {
    pub(crate) fn new(house: &House, id: &str, headers: Vec<(&'static str, String)>) -> Self {
        Self { house: house.clone(), id: id.to_owned(), headers }
    }

    /// The same with one header more, or another value of it.
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The same without a header.
    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    pub(crate) fn token(&self) -> &str {
        self.headers.iter().find(|(name, _)| *name == "im-authorization").map_or("", |(_, token)| token)
    }

    /// A request ready to be sent, for what the verbs below do not say.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.house.http().request(method, format!("{}{path}", self.house.base()));
        self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
    }

    /// Any request. `None`: no body and no content type.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let asked = format!("{} {method} {path}", self.id);
        let mut request = self.request(method, path);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{asked}: {error:?}"));
        Answer::of(asked, response).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// A POST without a body.
    pub(crate) async fn posts(&self, path: &str) -> Answer {
        self.ask(Method::POST, path, None).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None).await
    }

    // Lists, blocks and bans.

    pub(crate) async fn my_blocks(&self) -> Answer {
        self.get("/blockStatus/my").await
    }

    pub(crate) async fn bans_of(&self, room: &str) -> Answer {
        self.get(&format!("/blockStatus/room/{}", segment(room))).await
    }

    pub(crate) async fn blocks(&self, user: &str) -> Answer {
        self.posts(&format!("/blockStatus/my/{}", segment(user))).await
    }

    pub(crate) async fn unblocks(&self, user: &str) -> Answer {
        self.delete(&format!("/blockStatus/my/{}", segment(user))).await
    }

    pub(crate) async fn bans(&self, room: &str, user: &str) -> Answer {
        self.posts(&format!("/blockStatus/room/{}/{}", segment(room), segment(user))).await
    }

    pub(crate) async fn unbans(&self, room: &str, user: &str) -> Answer {
        self.delete(&format!("/blockStatus/room/{}/{}", segment(room), segment(user))).await
    }

    /// The ids in his block list, in its order.
    pub(crate) async fn shuts_out(&self) -> Vec<String> {
        names(&self.my_blocks().await)
    }

    /// The ids in a room's ban list, in its order.
    pub(crate) async fn sees_banned(&self, room: &str) -> Vec<String> {
        names(&self.bans_of(room).await)
    }

    // Words.

    pub(crate) async fn says(&self, room: &str, words: &str) -> Answer {
        self.sends(room, json!({"messageType": "text", "message": words})).await
    }

    /// Says it, and returns the message's id.
    pub(crate) async fn said(&self, room: &str, words: &str) -> String {
        let message = self.says(room, words).await.expect_ok();
        message["_id"].as_str().unwrap_or_else(|| panic!("a message without an id: {message}")).to_owned()
    }

    pub(crate) async fn sends(&self, room: &str, message: Value) -> Answer {
        self.post(&format!("/rooms/{}/message", segment(room)), message).await
    }

    pub(crate) async fn edits(&self, room: &str, message: &str, words: &str) -> Answer {
        self.sends(room, json!({"_id": message, "message": words})).await
    }

    pub(crate) async fn recalls(&self, room: &str, message: &str) -> Answer {
        self.sends(room, json!({"_id": message, "messageType": "recall"})).await
    }

    pub(crate) async fn erases(&self, room: &str, message: &str) -> Answer {
        self.delete(&format!("/rooms/{}/messages/{message}", segment(room))).await
    }

    pub(crate) async fn pins(&self, message: &str) -> Answer {
        self.posts(&format!("/messages/{message}/pin")).await
    }

    pub(crate) async fn unpins(&self, message: &str) -> Answer {
        self.delete(&format!("/messages/{message}/pin")).await
    }

    pub(crate) async fn reacts(&self, message: &str, reaction: &str) -> Answer {
        self.post(&format!("/messages/{message}/reaction"), json!({"reaction": reaction})).await
    }

    pub(crate) async fn unreacts(&self, message: &str, reaction: &str) -> Answer {
        self.delete(&format!("/messages/{message}/reaction?reaction={}", segment(reaction))).await
    }

    pub(crate) async fn reads(&self, room: &str) -> Answer {
        self.get(&format!("/rooms/{}/messages/v3?limit=100", segment(room))).await
    }

    pub(crate) async fn marks_read(&self, room: &str, message: &str) -> Answer {
        self.put(&format!("/rooms/{}/lastRead", segment(room)), json!({"message": message})).await
    }

    pub(crate) async fn searches(&self, keyword: &str) -> Answer {
        self.post("/search", json!({"type": ["messages"], "keyword": keyword})).await
    }

    // Files.

    /// Uploads a file as the web client does: the file, then where it belongs. No room: `extra` is left out.
    pub(crate) async fn uploads(
        &self,
        bucket: &str,
        room: &str,
        name: &str,
        media: &str,
        bytes: impl AsRef<[u8]>,
    ) -> Answer {
        let mut body = Form::default();
        body.file(name, media, bytes.as_ref());
        if !room.is_empty() {
            body.extra(&json!({"roomId": room}).to_string());
        }
        self.posts_form(bucket, body).await
    }

    /// Posts any form to a bucket.
    pub(crate) async fn posts_form(&self, bucket: &str, form: Form) -> Answer {
        let path = format!("/files/{}", segment(bucket));
        let (media, bytes) = form.done();
        let request = self.request(Method::POST, &path).header("content-type", media).body(bytes);
        let response = request.send().await.unwrap_or_else(|error| panic!("{} uploads: {error:?}", self.id));
        Answer::of(format!("{} POST {path}", self.id), response).await
    }

    /// An address of a file that works without headers.
    pub(crate) async fn signs(&self, file: &str) -> Answer {
        self.get(&format!("{file}?signedUrlOnly=true")).await
    }

    // Rooms.

    pub(crate) async fn rooms(&self) -> Answer {
        self.get("/rooms").await
    }

    /// The ids of his rooms.
    pub(crate) async fn room_ids(&self) -> Vec<String> {
        let rooms = self.rooms().await.expect_list();
        rooms.iter().map(|room| room["_id"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) async fn room(&self, room: &str) -> Answer {
        self.get(&format!("/rooms/{}", segment(room))).await
    }

    /// Opens the direct room with somebody.
    pub(crate) async fn opens(&self, user: &str) -> Answer {
        self.post("/rooms/createAndJoin", json!({"roomType": "direct", "invitee": user})).await
    }

    pub(crate) async fn joins(&self, room: &str) -> Answer {
        self.posts(&format!("/rooms/{}/join", segment(room))).await
    }

    pub(crate) async fn invites<const N: usize>(&self, room: &str, users: [&str; N]) -> Answer {
        self.post(&format!("/rooms/{}/members", segment(room)), json!({"invitees": users.as_slice()})).await
    }

    pub(crate) async fn removes<const N: usize>(&self, room: &str, users: [&str; N]) -> Answer {
        self.post(&format!("/rooms/{}/delete/members", segment(room)), json!({"members": users.as_slice()})).await
    }

    pub(crate) async fn leaves(&self, room: &str) -> Answer {
        self.removes(room, [self.id.as_str()]).await
    }

    pub(crate) async fn updates(&self, room: &str, change: Value) -> Answer {
        self.put(&format!("/rooms/{}", segment(room)), change).await
    }

    pub(crate) async fn freezes(&self, room: &str) -> Answer {
        self.updates(room, json!({"status": 0})).await
    }

    pub(crate) async fn thaws(&self, room: &str) -> Answer {
        self.updates(room, json!({"status": 1})).await
    }

    pub(crate) async fn sets(&self, room: &str, user: &str, property: &str, value: impl Into<Value>) -> Answer {
        let path = format!("/rooms/{}/member/{}", segment(room), segment(user));
        self.put(&path, json!({"property": property, "value": value.into()})).await
    }

    /// Who is in a room, as he sees it, sorted.
    pub(crate) async fn sees_members(&self, room: &str) -> Vec<String> {
        let room = self.room(room).await.expect_ok();
        let members = room["members"].as_array().unwrap_or_else(|| panic!("no members: {room}"));
        let mut ids: Vec<String> = members.iter().map(|m| m["_id"].as_str().unwrap_or_default().to_owned()).collect();
        ids.sort();
        ids
    }

    pub(crate) async fn unread(&self, room: &str) -> i64 {
        self.room(room).await.expect_ok()["unread"].as_i64().expect("unread is a number")
    }

    pub(crate) async fn badge(&self) -> i64 {
        self.get("/me/badge").await.expect_ok()["badge"].as_i64().expect("badge is a number")
    }
}

/// A body of `multipart/form-data`, written by hand: what clients get wrong must be sayable.
#[derive(Default)]
pub(crate) struct Form(Vec<u8>);

impl Form {
    const BOUNDARY: &str = "----a-boundary-of-our-own";

    /// A part with these headers.
    pub(crate) fn part(&mut self, headers: &str, bytes: &[u8]) {
        self.0.extend_from_slice(format!("--{}\r\n{headers}\r\n\r\n", Self::BOUNDARY).as_bytes());
        self.0.extend_from_slice(bytes);
        self.0.extend_from_slice(b"\r\n");
    }

    pub(crate) fn file(&mut self, name: &str, media: &str, bytes: &[u8]) {
        let headers =
            format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {media}");
        self.part(&headers, bytes);
    }

    pub(crate) fn extra(&mut self, json: &str) {
        self.part("Content-Disposition: form-data; name=\"extra\"", json.as_bytes());
    }

    /// Its content type and its bytes.
    pub(crate) fn done(mut self) -> (String, Vec<u8>) {
        self.0.extend_from_slice(format!("--{}--\r\n", Self::BOUNDARY).as_bytes());
        (format!("multipart/form-data; boundary={}", Self::BOUNDARY), self.0)
    }
}

fn names(list: &Answer) -> Vec<String> {
    let entries = list.expect_list();
    entries.iter().map(|entry| entry["blockee"]["_id"].as_str().unwrap_or_default().to_owned()).collect()
}
