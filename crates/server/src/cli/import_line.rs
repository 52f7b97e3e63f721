//! One line of an import: a JSON object in the documented shapes, with its `kind`.
//!
//! Users and rooms may be named by id wherever another object needs them; given as objects, they
//! are brought in as well. Fields the shapes do not have are ignored, or stored where the shape
//! stores them (custom fields of a user, properties of a member).

use std::collections::HashMap;

use banter_chat::{NewKind, Record, RoomChange, Words};
use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::{Kind, Reaction};
use banter_domain::user::{UserChange, UserKind};
use serde_json::{Map, Value, json};

use crate::clock::hex;
use crate::http::extract::has_nul;
use crate::http::view::message::ECHOED;
use crate::http::view::time::parse_value;
use crate::http::view::{room, user};

type Read<T> = Result<T, String>;

/// How often a message without an id came so far, by the id its first line made for it.
pub(super) type Earlier = HashMap<ObjectId, u64>;

/// Reads a line. Errors: a sentence that says what is wrong with it.
pub(super) fn parse(line: &[u8], earlier: &mut Earlier) -> Read<Vec<Record>> {
    if has_nul(line) {
        return Err("a text holds NUL".to_owned());
    }
    let mut fields: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| format!("not a JSON object: {error}"))?;
    let kind = text(&mut fields, "kind")?.ok_or("there is no kind")?;
    let mut found = Found::default();
    let itself = match kind.as_str() {
        "client" => Some(client(fields, &mut found)?),
        "room" => Some(whole_room(fields, &mut found)?),
        "member" => Some(member(fields, &mut found)?),
        "message" => Some(message(fields, &mut found, (line, earlier))?),
        "blockStatus" => Some(relation(fields, &mut found)?),
        other => return Err(format!("no kind of thing is called {other:?}")),
    };
    found.records.extend(itself);
    Ok(found.records)
}

/// What was found inside of other objects; it comes before them.
#[derive(Default)]
struct Found {
    records: Vec<Record>,
}

impl Found {
    /// A user, named by id or given as an object.
    fn user(&mut self, field: &str, value: Value) -> Read<UserId> {
        match value {
            Value::String(id) => UserId::parse(id).map_err(|error| format!("{field}: {error}")),
            Value::Object(fields) => {
                let mut record = client(fields, self).map_err(|why| format!("{field}: {why}"))?;
                let Record::User { id, implied, .. } = &mut record else { return Err(format!("{field}: no user")) };
                *implied = true;
                let id = id.clone();
                self.records.push(record);
                Ok(id)
            }
            _ => Err(format!("{field} is neither an id nor an object")),
        }
    }

    fn users(&mut self, fields: &mut Map<String, Value>, field: &str) -> Read<Vec<UserId>> {
        list(fields, field)?.into_iter().map(|user| self.user(field, user)).collect()
    }

    /// A room, named by id or given as an object; the object says no more of it than its kind and
    /// when it was made.
    fn room(&mut self, value: Value) -> Read<(RoomId, Option<NewKind>)> {
        match value {
            Value::String(id) => Ok((RoomId::parse(id).map_err(|error| format!("room: {error}"))?, None)),
            Value::Object(mut fields) => {
                let id = id_text(&mut fields).and_then(|id| RoomId::parse(id).map_err(|error| error.to_string()));
                let id = id.map_err(|why| format!("room: {why}"))?;
                let kind = room_kind(&mut fields)?;
                let created_ms = moment(&mut fields, "createdTime")?;
                let (change, members, managers) = (RoomChange::default(), Vec::new(), Vec::new());
                self.records.push(Record::Room {
                    id: id.clone(),
                    kind,
                    owner: None,
                    created_ms,
                    change,
                    members,
                    managers,
                    implied: true,
                });
                Ok((id, kind))
            }
            _ => Err("room is neither an id nor an object".to_owned()),
        }
    }
}

fn client(mut fields: Map<String, Value>, found: &mut Found) -> Read<Record> {
    let id = UserId::parse(id_text(&mut fields)?).map_err(|error| error.to_string())?;
    let kind = match text(&mut fields, "clientType")?.as_deref() {
        None | Some("user") => UserKind::Person,
        Some("group") => UserKind::Group,
        Some(other) => return Err(format!("no clientType is called {other:?}")),
    };
    let members = if fields.get("members").is_some_and(Value::is_array) {
        Some(found.users(&mut fields, "members")?)
    } else {
        None
    };
    if members.is_some() && kind == UserKind::Person {
        return Err("only a client of clientType \"group\" has members".to_owned());
    }
    let change = UserChange {
        nickname: text(&mut fields, "nickname")?,
        avatar_url: text(&mut fields, "avatarUrl")?,
        description: text(&mut fields, "description")?,
        is_robot: flag(&mut fields, "isRobot")?,
        last_login_ms: moment(&mut fields, "lastLoginTime")?,
        created_ms: moment(&mut fields, "createdAt")?,
        custom: Map::new(),
    };
    fields.retain(|name, value| !user::is_ours(name) && !value.is_null());
    Ok(Record::User { id, kind, change: UserChange { custom: fields, ..change }, members, implied: false })
}

fn whole_room(mut fields: Map<String, Value>, found: &mut Found) -> Read<Record> {
    let id = RoomId::parse(id_text(&mut fields)?).map_err(|error| error.to_string())?;
    let kind = room_kind(&mut fields)?;
    let owner = take(&mut fields, "owner").map(|owner| found.user("owner", owner)).transpose()?;
    let members = found.users(&mut fields, "members")?;
    let managers = found.users(&mut fields, "managers")?;
    let created_ms = moment(&mut fields, "createdTime")?;
    for place in list(&mut fields, "memberProperties")? {
        let Value::Object(mut place) = place else {
            return Err("memberProperties holds something that is no object".to_owned());
        };
        place.insert("room".to_owned(), json!(id.as_str()));
        let record = member(place, found).map_err(|why| format!("memberProperties: {why}"))?;
        found.records.push(record);
    }
    let change = RoomChange {
        name: text(&mut fields, "name")?,
        cover: text(&mut fields, "cover")?,
        description: text(&mut fields, "description")?,
        tags: texts(&mut fields, "roomTags")?,
        webhook: text(&mut fields, "webhook")?,
        bot_mode: flag(&mut fields, "botMode")?,
        ext_params: text(&mut fields, "extParams")?,
        closed: switch(&mut fields, "opening")?.map(|open| !open),
        frozen: switch(&mut fields, "status")?.map(|active| !active),
        owner: None,
        managers: None,
    };
    Ok(Record::Room { id, kind, owner, created_ms, change, members, managers, implied: false })
}

fn member(mut fields: Map<String, Value>, found: &mut Found) -> Read<Record> {
    let (room, _) = found.room(must(&mut fields, "room")?)?;
    let user = found.user("client", must(&mut fields, "client")?)?;
    let manager = match text(&mut fields, "role")?.as_deref() {
        None | Some("member") => false,
        Some("admin") => true,
        Some(other) => return Err(format!("no role is called {other:?}")),
    };
    let last_read = text(&mut fields, "lastRead")?.map(|id| object_id("lastRead", &id)).transpose()?;
    fields.retain(|name, value| !room::is_ours(name) && !KEYS.contains(&name.as_str()) && !value.is_null());
    Ok(Record::Member { room, user, manager, last_read, properties: fields })
}

/// What a stored thing carries beside its fields; never a property.
const KEYS: [&str; 4] = ["_id", "id", "appID", "__v"];

fn message(mut fields: Map<String, Value>, found: &mut Found, (line, earlier): (&[u8], &mut Earlier)) -> Read<Record> {
    let id = if fields.contains_key("_id") || fields.contains_key("id") { Some(id_text(&mut fields)?) } else { None };
    let id = id.map(|id| object_id("_id", &id)).transpose()?;
    let (room, _) = found.room(must(&mut fields, "room")?)?;
    let sender = found.user("sender", must(&mut fields, "sender")?)?;
    let created_ms = moment(&mut fields, "createdAt")?;
    let message_ms = moment(&mut fields, "messageTime")?;
    let created_ms = created_ms.or(message_ms).ok_or("there is no createdAt")?;
    let updated_ms = moment(&mut fields, "updatedAt")?.unwrap_or(created_ms);
    let edited_ms = moment(&mut fields, "editedAt")?;
    let reactions = reactions(list(&mut fields, "reactions")?)?;
    let words = words(fields)?;
    // Without an id the line itself names the message, so that a second import finds it.
    let id = id.or_else(|| named_by(line, created_ms, earlier));
    let message_ms = message_ms.unwrap_or(created_ms);
    Ok(Record::Message { id, room, sender, words, message_ms, created_ms, updated_ms, edited_ms, reactions })
}

/// An id made of a message's time, of its line, and of how many equal lines came before it: who
/// says the same twice in a moment has said it twice.
fn named_by(line: &[u8], created_ms: i64, earlier: &mut Earlier) -> Option<ObjectId> {
    let second = ObjectId::first_of(created_ms).to_string();
    let id =
        |digest: blake3::Hash| ObjectId::parse(&format!("{}{}", second.get(..8)?, hex(digest.as_bytes().get(..8)?)));
    let first = id(blake3::hash(line))?;
    let before = earlier.entry(first).or_default();
    let number = *before;
    *before += 1;
    if number == 0 {
        return Some(first);
    }
    id(blake3::Hasher::new().update(line).update(&number.to_be_bytes()).finalize())
}

fn words(mut fields: Map<String, Value>) -> Read<Words> {
    let kind = text(&mut fields, "messageType")?;
    let said = match fields.remove("message").unwrap_or_default() {
        Value::Null => Value::from(""),
        // As a sent one: clients take nothing but texts for words.
        value @ (Value::Bool(_) | Value::Number(_)) => Value::String(value.to_string()),
        value => value,
    };
    let reply = match take(&mut fields, "reply") {
        None => None,
        Some(Value::Object(mut reply)) => Some(object_id("reply", &id_text(&mut reply)?)?),
        Some(Value::String(id)) => Some(object_id("reply", &id)?),
        Some(_) => return Err("reply is neither an id nor an object".to_owned()),
    };
    let mentions = texts(&mut fields, "mentions")?.unwrap_or_default();
    let mentions = mentions.into_iter().map(|id| UserId::parse(id).map_err(|error| format!("mentions: {error}")));
    let mentions = mentions.collect::<Read<Vec<_>>>()?;
    let subjects = if kind.as_deref().is_some_and(Kind::is_system) { subjects(&fields) } else { Vec::new() };
    fields.retain(|name, value| (ECHOED.contains(&name.as_str()) || name == "extra") && !value.is_null());
    if !subjects.is_empty() {
        fields.remove("extra");
        fields.insert("subjects".to_owned(), Value::Array(subjects));
    }
    Ok(Words { kind, text: said, body: fields, reply, mentions, ..Words::default() })
}

/// Whom a system message is about.
fn subjects(fields: &Map<String, Value>) -> Vec<Value> {
    let listed = |name: &str| fields.get("extra").and_then(|extra| extra.get(name)).and_then(Value::as_array);
    let members = listed("invitees").or_else(|| listed("members"));
    let all: Vec<&Value> = match members {
        Some(members) => members.iter().collect(),
        None => fields.get("member").into_iter().collect(),
    };
    all.into_iter()
        .filter_map(|user| {
            let id = user.get("_id").or_else(|| user.get("id"))?.as_str()?;
            let field = |name: &str| user.get(name).cloned().unwrap_or_default();
            let last_login_ms = user.get("lastLoginTimeMS").and_then(Value::as_i64).unwrap_or(0);
            Some(json!({
                "id": id, "nickname": field("nickname"), "avatar_url": field("avatarUrl"), "last_login_ms": last_login_ms,
            }))
        })
        .collect()
}

fn reactions(given: Vec<Value>) -> Read<Vec<Reaction>> {
    let one = |reaction: Value| {
        let field =
            |name: &str| reaction.get(name).and_then(Value::as_str).ok_or("a reaction has no client or no reaction");
        let user = UserId::parse(field("client")?).map_err(|error| format!("reactions: {error}"))?;
        Ok(Reaction { user, reaction: field("reaction")?.to_owned() })
    };
    given.into_iter().map(one).collect()
}

fn relation(mut fields: Map<String, Value>, found: &mut Found) -> Read<Record> {
    let blocker = found.user("blocker", must(&mut fields, "blocker")?)?;
    let blockee = found.user("blockee", must(&mut fields, "blockee")?)?;
    let (room, room_kind) = match take(&mut fields, "room") {
        None => (None, None),
        Some(room) => found.room(room).map(|(room, kind)| (Some(room), kind))?,
    };
    let created_ms = moment(&mut fields, "createdAt")?.ok_or("there is no createdAt")?;
    let lifted_ms = moment(&mut fields, "unblockAt")?;
    let updated_ms = moment(&mut fields, "updatedAt")?.or(lifted_ms).unwrap_or(created_ms);
    if updated_ms < created_ms || lifted_ms.is_some_and(|lifted_ms| lifted_ms < created_ms) {
        return Err("it was updated or lifted before it was created".to_owned());
    }
    Ok(Record::Relation { blocker, blockee, room, room_kind, created_ms, updated_ms, lifted_ms })
}

fn room_kind(fields: &mut Map<String, Value>) -> Read<Option<NewKind>> {
    match text(fields, "roomType")?.as_deref() {
        None => Ok(None),
        Some("direct") => Ok(Some(NewKind::Direct)),
        Some("group") => Ok(Some(NewKind::Group)),
        Some("custom") => Ok(Some(NewKind::Custom)),
        Some(other) => Err(format!("no roomType is called {other:?}")),
    }
}

/// `_id` and `id` mean the same; where both are given they must be equal.
fn id_text(fields: &mut Map<String, Value>) -> Read<String> {
    match (text(fields, "_id")?, text(fields, "id")?) {
        (Some(one), Some(other)) if one != other => Err("_id and id differ".to_owned()),
        (Some(id), _) | (None, Some(id)) => Ok(id),
        (None, None) => Err("there is no _id".to_owned()),
    }
}

fn object_id(field: &str, text: &str) -> Read<ObjectId> {
    ObjectId::parse(text).ok_or_else(|| format!("{field} is not 24 hex digits"))
}

fn take(fields: &mut Map<String, Value>, name: &str) -> Option<Value> {
    fields.remove(name).filter(|value| !value.is_null())
}

fn must(fields: &mut Map<String, Value>, name: &str) -> Read<Value> {
    take(fields, name).ok_or_else(|| format!("there is no {name}"))
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Read<Option<String>> {
    match take(fields, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name} is not a text")),
    }
}

fn list(fields: &mut Map<String, Value>, name: &str) -> Read<Vec<Value>> {
    match take(fields, name) {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(format!("{name} is not a list")),
    }
}

fn texts(fields: &mut Map<String, Value>, name: &str) -> Read<Option<Vec<String>>> {
    let list = take(fields, name).map(serde_json::from_value);
    list.transpose().map_err(|_| format!("{name} is not a list of texts"))
}

fn flag(fields: &mut Map<String, Value>, name: &str) -> Read<Option<bool>> {
    match take(fields, name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(_) => Err(format!("{name} is neither true nor false")),
    }
}

/// 0 or 1.
fn switch(fields: &mut Map<String, Value>, name: &str) -> Read<Option<bool>> {
    match take(fields, name).map(|value| value.as_i64()) {
        None => Ok(None),
        Some(Some(0)) => Ok(Some(false)),
        Some(Some(1)) => Ok(Some(true)),
        Some(_) => Err(format!("{name} is neither 0 nor 1")),
    }
}

/// A moment stands as `name`, or as `nameMS` in milliseconds, which is the more exact.
fn moment(fields: &mut Map<String, Value>, name: &str) -> Read<Option<i64>> {
    let exact = format!("{name}MS");
    let (exact_value, value) = (take(fields, &exact), take(fields, name));
    exact_value.or(value).map(|value| parse_value(&value).map_err(|error| format!("{name}: {error}"))).transpose()
}

#[cfg(test)]
mod tests;
