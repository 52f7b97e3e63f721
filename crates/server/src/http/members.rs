//! Coming into rooms, leaving them, and what a room remembers of its members.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::{Property, Way};
use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::moderation::Act;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Edge;
use super::answer::Answer;
use super::extract::{Body, Caller, Path};
use super::limits_of_fields::{self as limits, bad, missing};
use super::rooms::show;
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::view::message::Hex;
use super::view::room::{RoomView, is_ours};
use super::view::sample;
use crate::errors::{ApiError, Row, rows};

/// What may stand in the way of whoever wants in.
const DOOR: [Row; 5] =
    [rows::USER_BANNED, rows::ROOM_CLOSED, rows::ROOM_FROZEN, rows::DIRECT_ROOM, rows::ROOM_NOT_FOUND];

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    vec![
        of_room(Route::new(Act::Invite, Method::POST, "/rooms/{id}/members", add))
            .auth(Auth::Either)
            .summary("Bring people into a room")
            .text("A user who has blocked the caller, or is blocked by him, is left out, and nobody is told.")
            .body(
                Shape::object("Invitees")
                    .required("invitees", Kind::Ids, "Whom, at most 1,000, each once")
                    .field("systemMessage", Kind::Flag, "Write into the room who came in; default false")
                    .field("invitationRequired", Kind::Flag, "Only ask them: each comes when he joins. Ignored for direct rooms and user groups"),
            )
            .body_example(json!({"invitees": ["bbb", "ccc"], "systemMessage": true}))
            .errors(&DOOR)
            .errors(&[
                rows::MISSING_PARAMETER,
                rows::NOT_ROOM_MEMBER,
                rows::USER_BLOCKED,
                rows::TARGET_BANNED,
                rows::INVITE_DENIED,
                rows::USER_NOT_FOUND,
            ]),
        of_room(Route::new(Act::Invite, Method::POST, "/rooms/{id}/members/{invitee}", add_one))
            .auth(Auth::Either)
            .summary("Bring one user into a room")
            .text("As `POST /rooms/{id}/members`, under its older name.")
            .param(Param::path("invitee", "Whom"))
            .errors(&DOOR)
            .errors(&[
                rows::NOT_ROOM_MEMBER,
                rows::USER_BLOCKED,
                rows::TARGET_BANNED,
                rows::INVITE_DENIED,
                rows::USER_NOT_FOUND,
            ]),
        of_room(Route::new(Act::Remove, Method::DELETE, "/rooms/{id}/members/{client}", remove_one))
            .auth(Auth::Either)
            .summary("Leave a room, or put one out of it")
            .text("As `POST /rooms/{id}/delete/members`, under its older name.")
            .param(Param::path("client", "Whom"))
            .errors(&[
                rows::REMOVE_SUPERUSER_ONLY,
                rows::NOT_ROOM_MEMBER,
                rows::USER_BANNED,
                rows::USER_BLOCKED,
                rows::MEMBER_NOT_FOUND,
                rows::ROOM_NOT_FOUND,
            ]),
        of_room(Route::new(Act::Remove, Method::POST, "/rooms/{id}/delete/members", remove))
            .auth(Auth::Either)
            .summary("Leave a room, or put people out of it")
            .text("Anybody leaves by naming himself; owner, managers and the platform put others out. Leaving twice changes nothing.")
            .body(
                Shape::object("Leavers")
                    .required("members", Kind::Ids, "Who, at most 1,000, each once")
                    .field("systemMessage", Kind::Flag, "Write into the room who is gone; default false"),
            )
            .body_example(json!({"members": ["ccc"], "systemMessage": true}))
            .errors(&[
                rows::MISSING_PARAMETER,
                rows::REMOVE_SUPERUSER_ONLY,
                rows::NOT_ROOM_MEMBER,
                rows::USER_BANNED,
                rows::USER_BLOCKED,
                rows::MEMBER_NOT_FOUND,
                rows::ROOM_NOT_FOUND,
            ]),
        of_room(Route::new(Act::SetOthersProperty, Method::PUT, "/rooms/{id}/member/{client}", set_property))
            .auth(Auth::Either)
            .summary("Set a property of a member, or his role")
            .text(
                "`role` is `admin` (a manager) or `member`, set by owner, managers and the platform. Any other property is \
                 the app's own; a member sets his own.",
            )
            .param(Param::path("client", "Whose"))
            .body(
                Shape::object("Property")
                    .required("property", Kind::Text, "Its name, at most 255 characters")
                    .required("value", Kind::Any, "Any JSON of at most 4,096 bytes; null removes it"),
            )
            .body_example(json!({"property": "role", "value": "admin"}))
            .errors(&[
                rows::MISSING_PARAMETER,
                rows::INVALID_ROLE,
                rows::PROPERTY_SUPERUSER_ONLY,
                rows::NOT_ROOM_MEMBER,
                rows::USER_BANNED,
                rows::USER_BLOCKED,
                rows::ROOM_FROZEN,
                rows::MEMBER_NOT_FOUND,
                rows::ROOM_NOT_FOUND,
            ]),
        Route::new(Act::MarkRead, Method::PUT, "/rooms/{id}/lastRead", mark_read)
            .tag("Members")
            .summary("Say how far one has read")
            .text("Never moves backwards.")
            .param(Param::path("id", "Which room"))
            .body(Shape::object("LastRead").field("message", Kind::Id, "The last message read; absent: all of them"))
            .body_example(json!({"message": "610aafe20000000000000001"}))
            .answer(
                Shape::object("Reading")
                    .required("client", Kind::Id, "Who")
                    .field("lastRead", Kind::Id, "The last message read; absent: none")
                    .required("badge", Kind::Integer, "Messages not read"),
            )
            .example(sample::answer(&json!({"client": "aaa", "lastRead": "610aafe20000000000000001", "badge": 0})))
            .errors(&[rows::NOT_ROOM_MEMBER, rows::MESSAGE_NOT_FOUND, rows::ROOM_NOT_FOUND]),
        Route::new(Act::Type, Method::POST, "/rooms/{id}/typing", typing)
            .tag("Members")
            .summary("Show that one is typing")
            .text("The others in the room hear `typing` on their sockets; nothing is stored.")
            .param(Param::path("id", "Which room"))
            .body(Shape::object("TypingNow").field("message", Kind::Text, "What stands there so far"))
            .body_example(json!({"message": "hel"}))
            .answer(
                Shape::object("Typing")
                    .required("room", Kind::Id, "Where")
                    .required("sender", Kind::Id, "Who")
                    .required("message", Kind::Text, "What stands there so far"),
            )
            .example(sample::answer(&json!({"message": "hel", "room": "demo-room", "sender": "aaa"})))
            .errors(&[
                rows::INVALID_MESSAGE_FORMAT,
                rows::NOT_ROOM_MEMBER,
                rows::USER_BANNED,
                rows::USER_BLOCKED,
                rows::ROOM_FROZEN,
                rows::ROOM_NOT_FOUND,
            ]),
        of_room(Route::new(Act::Join, Method::POST, "/rooms/{id}/join", join))
            .summary("Join a room")
            .body(Shape::object("Joining").field("systemMessage", Kind::Flag, "Write into the room who came in; default false"))
            .body_example(json!({"systemMessage": true}))
            .errors(&DOOR),
    ]
}

fn of_room(route: Route) -> Route {
    route
        .tag("Members")
        .param(Param::path("id", "Which room"))
        .answer(Shape::of::<RoomView<'_>>())
        .example(sample::answer(&sample::room_shown()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invitees {
    invitees: Option<Vec<String>>,
    system_message: Option<bool>,
    invitation_required: Option<bool>,
}

/// `POST /rooms/{id}/members`
async fn add(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    Body(body): Body<Invitees>,
) -> Result<Response, ApiError> {
    let invitees = limits::users("invitees", body.invitees.ok_or_else(|| missing("invitees"))?)?;
    if !caller.is_platform() && invitees.contains(&caller.user()) {
        return Err(bad("invitees", "others than oneself"));
    }
    let way = way(body.invitation_required);
    let seen = edge.chat.add_members(&caller, &room, invitees, way, body.system_message.unwrap_or(false)).await?;
    Ok(show(&caller, &seen))
}

/// How people come in, as `invitationRequired` says.
pub(super) fn way(invitation_required: Option<bool>) -> Way {
    if invitation_required == Some(true) { Way::Asked } else { Way::Brought }
}

/// `POST /rooms/{id}/members/{invitee}`
async fn add_one(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((room, invitee)): Path<(RoomId, UserId)>,
) -> Result<Response, ApiError> {
    if !caller.is_platform() && invitee == caller.user() {
        return Err(bad("invitee", "another than oneself"));
    }
    let seen = edge.chat.add_members(&caller, &room, vec![invitee], Way::Brought, false).await?;
    Ok(show(&caller, &seen))
}

/// `DELETE /rooms/{id}/members/{client}`
async fn remove_one(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((room, member)): Path<(RoomId, UserId)>,
) -> Result<Response, ApiError> {
    let seen = edge.chat.remove_members(&caller, &room, vec![member], false).await?;
    Ok(show(&caller, &seen))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Leavers {
    members: Option<Vec<String>>,
    system_message: Option<bool>,
}

/// `POST /rooms/{id}/delete/members`
async fn remove(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    Body(body): Body<Leavers>,
) -> Result<Response, ApiError> {
    let members = limits::users("members", body.members.ok_or_else(|| missing("members"))?)?;
    let seen = edge.chat.remove_members(&caller, &room, members, body.system_message.unwrap_or(false)).await?;
    Ok(show(&caller, &seen))
}

#[derive(Deserialize)]
struct Given {
    property: Option<String>,
    #[serde(default, deserialize_with = "limits::present")]
    value: Option<Value>,
}

impl Given {
    fn read(self) -> Result<Property, ApiError> {
        let name = self.property.ok_or_else(|| missing("property"))?;
        let value = self.value.ok_or_else(|| missing("value"))?;
        match (name.as_str(), &value) {
            ("role", value) if value == "admin" => Ok(Property::Manager(true)),
            ("role", value) if value == "member" => Ok(Property::Manager(false)),
            ("role", _) => Err(rows::INVALID_ROLE.into()),
            (name, _) if is_ours(name) || !limits::is_name(name, limits::FIELD_NAME) => {
                Err(bad("property", "of 1 to 255 characters, and none that the server keeps itself"))
            }
            (_, value) if value.to_string().len() > limits::PROPERTY => {
                Err(bad("value", &format!("at most {} bytes of JSON", limits::PROPERTY)))
            }
            _ => Ok(Property::Custom(name, value)),
        }
    }
}

/// `PUT /rooms/{id}/member/{client}`
async fn set_property(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((room, user)): Path<(RoomId, UserId)>,
    Body(given): Body<Given>,
) -> Result<Response, ApiError> {
    let seen = edge.chat.set_property(&caller, &room, &user, given.read()?).await?;
    Ok(show(&caller, &seen))
}

#[derive(Deserialize)]
struct LastRead {
    message: Option<String>,
}

#[derive(Deserialize)]
struct TypingNow {
    #[serde(default)]
    message: Option<String>,
}

/// `POST /rooms/{id}/typing`
async fn typing(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    Body(body): Body<TypingNow>,
) -> Result<Response, ApiError> {
    let text = super::sockets::typing(&edge, &caller, &room, body.message.unwrap_or_default()).await?;
    let typed = json!({"message": text, "room": room.as_str(), "sender": caller.user().as_str()});
    Ok(Answer(typed).into_response())
}

/// `PUT /rooms/{id}/lastRead`
async fn mark_read(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    Body(body): Body<LastRead>,
) -> Result<Response, ApiError> {
    // A client in an empty room has no message to name.
    let message = body.message.filter(|message| !message.is_empty());
    let message = message.map(|message| ObjectId::parse(&message).ok_or(rows::INVALID_ID)).transpose()?;
    let reading = edge.chat.mark_read(&caller, &room, message).await?;
    let mut shown = json!({"client": reading.user.as_str(), "badge": reading.badge});
    if let (Some(last), Some(fields)) = (reading.last_read, shown.as_object_mut()) {
        fields.insert("lastRead".to_owned(), json!(Hex(last)));
    }
    Ok(Answer(shown).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Joining {
    system_message: Option<bool>,
}

/// `POST /rooms/{id}/join`
async fn join(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    Body(body): Body<Joining>,
) -> Result<Response, ApiError> {
    let seen = edge.chat.join(&caller, &room, body.system_message.unwrap_or(false)).await?;
    Ok(show(&caller, &seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(body: Value) -> Result<Property, &'static str> {
        let given: Given = serde_json::from_value(body).unwrap();
        given.read().map_err(|error| error.row(Act::SetOthersProperty).code)
    }

    #[test]
    fn a_role_is_admin_or_member() {
        assert!(matches!(reads(json!({"property": "role", "value": "admin"})), Ok(Property::Manager(true))));
        assert!(matches!(reads(json!({"property": "role", "value": "member"})), Ok(Property::Manager(false))));
        for value in [json!("owner"), json!(1), json!(null), json!("Admin")] {
            assert_eq!(reads(json!({"property": "role", "value": value})).err(), Some("INVALID_ROLE"));
        }
    }

    #[test]
    fn other_properties_are_the_apps_own() {
        assert!(matches!(reads(json!({"property": "score", "value": null})), Ok(Property::Custom(_, Value::Null))));
        assert_eq!(reads(json!({"property": "score"})).err(), Some("MISSING_PARAMETER"));
        assert_eq!(reads(json!({"value": 1})).err(), Some("MISSING_PARAMETER"));
        for name in ["badge", "lastRead", "client", ""] {
            assert_eq!(reads(json!({"property": name, "value": 1})).err(), Some("INVALID_BODY"), "{name}");
        }
        let long = "x".repeat(limits::PROPERTY);
        assert_eq!(reads(json!({"property": "score", "value": long})).err(), Some("INVALID_BODY"));
    }
}
