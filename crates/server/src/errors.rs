//! Errors as the wire tells them: which row of the one table a refusal or fault gets.
//!
//! Handlers return [`ApiError`] and never write an error body. The dispatcher does, because the
//! text of some refusals depends on the act (`rest.md`, Appendix A). A fault is never told as a
//! refusal: what the store reports becomes 500 or 503, and its cause stays in the log.

pub mod rows;

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use banter_chat::Error;
use banter_domain::id::BadId;
use banter_domain::moderation::{Act, Denied};
use serde_json::{Value, json};

pub use rows::Row;

/// What a handler answers when it does not do what was asked.
#[derive(Debug)]
pub enum ApiError {
    /// A row of the table as it stands.
    Row(Row),
    /// A row whose message has a `{}`, and what belongs there.
    Detailed(Row, String),
    /// What the chat said; its row follows from the cause and the route's act.
    Chat(Error),
    /// No such method here; the text is the `Allow` header.
    MethodNotAllowed(String),
    /// Too many calls; try again after so many seconds (at least 1).
    RateLimited(u64),
    /// Bytes of a file that is only so long.
    BadRange(u64),
    /// A fault of the edge itself; the text goes to the log and nowhere else.
    Fault(String),
}

impl Row {
    /// This row, with its `{}` filled.
    #[must_use]
    pub fn with(self, detail: impl Into<String>) -> ApiError {
        ApiError::Detailed(self, detail.into())
    }

    /// The body of this row with another message.
    fn body(self, message: &str) -> Value {
        json!({"RC": self.status, "RM": self.rm, "error": {"code": self.code, "message": message}})
    }
}

impl From<Row> for ApiError {
    fn from(row: Row) -> Self {
        Self::Row(row)
    }
}

impl From<Error> for ApiError {
    /// A room one may not know of is no room, from here on.
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(Denied::NoSuchRoom) => Self::Chat(Error::NoRoom),
            error => Self::Chat(error),
        }
    }
}

impl From<BadId> for ApiError {
    fn from(_: BadId) -> Self {
        Self::Row(rows::INVALID_ID)
    }
}

impl ApiError {
    /// The row this error gets on a route that performs `act`. A handler whose page has another
    /// text says so: [`ApiError::no_room_is`], [`ApiError::no_user_is`], or a match on [`Error`]
    /// before it becomes an [`ApiError`].
    #[must_use]
    pub fn row(&self, act: Act) -> Row {
        match self {
            Self::Row(row) | Self::Detailed(row, _) => *row,
            Self::Chat(error) => chat_row(error, act),
            Self::MethodNotAllowed(_) => rows::METHOD_NOT_ALLOWED,
            Self::RateLimited(_) => rows::RATE_LIMIT_EXCEEDED,
            Self::BadRange(_) => rows::RANGE_NOT_SATISFIABLE,
            Self::Fault(_) => rows::INTERNAL,
        }
    }

    /// Is it that there is no such room (or none the caller may know of)?
    #[must_use]
    pub fn is_no_room(&self) -> bool {
        matches!(self, Self::Chat(Error::NoRoom))
    }

    /// The same error, but a missing room gets this row:
    /// `chat.send(..).await.map_err(|error| ApiError::from(error).no_room_is(rows::NOT_IN_ROOM))?`.
    #[must_use]
    pub fn no_room_is(self, row: Row) -> Self {
        if self.is_no_room() { Self::Row(row) } else { self }
    }

    /// The same error, but a missing user gets this row.
    #[must_use]
    pub fn no_user_is(self, row: Row) -> Self {
        if matches!(self, Self::Chat(Error::NoUser)) { Self::Row(row) } else { self }
    }

    /// What the log says of it. `None`: not a fault, nothing to log.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        match self {
            Self::Chat(Error::Store(banter_store::Error::TooBroad)) => None,
            Self::Chat(error @ (Error::Store(_) | Error::NoApp | Error::AppExists(_))) => Some(error.to_string()),
            Self::Fault(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Status, body and extra headers, as they go out on a route that performs `act`.
    #[must_use]
    pub fn told(&self, act: Act) -> (Row, Value) {
        let row = self.row(act);
        let body = match self {
            Self::Detailed(_, detail) => row.body(&row.message.replace("{}", detail)),
            Self::Chat(Error::TooMuch(why)) => row.body(why),
            Self::RateLimited(seconds) => {
                let mut body = row.body(row.message);
                if let Some(fields) = body.as_object_mut() {
                    fields.insert("retryAfter".to_owned(), json!(seconds));
                }
                body
            }
            _ => row.body(row.message),
        };
        (row, body)
    }
}

/// An error on its way to the dispatcher, carried in the extensions of an empty answer.
#[derive(Debug, Clone)]
pub(crate) struct Failed(pub(crate) Arc<ApiError>);

impl IntoResponse for ApiError {
    /// An empty answer that carries the error; the dispatcher writes status, headers and body.
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(Failed(Arc::new(self)));
        response
    }
}

/// What the chat's answer is on the wire. Matched in full: a new cause must find its row here.
fn chat_row(error: &Error, act: Act) -> Row {
    match error {
        Error::Denied(denied) => denied_row(*denied, act),
        Error::TokenGone => rows::INVALID_TOKEN,
        Error::NoRoom => match act {
            Act::Ban => rows::ROOM_OR_USER_NOT_FOUND,
            Act::UpdateRoom | Act::Freeze | Act::Appoint => rows::ROOM_WITH_ID_NOT_FOUND,
            _ => rows::ROOM_NOT_FOUND,
        },
        Error::NoUser => match act {
            Act::Ban | Act::Unban => rows::ROOM_OR_USER_NOT_FOUND,
            Act::Unblock => rows::BLOCK_NOT_FOUND,
            Act::ListBlocks => rows::NO_ACCESS,
            Act::Operate => rows::CLIENT_NOT_FOUND,
            _ => rows::USER_NOT_FOUND,
        },
        Error::NoMessage => rows::MESSAGE_NOT_FOUND,
        Error::NoFile => rows::FILE_NOT_FOUND,
        Error::NoMember => rows::MEMBER_NOT_FOUND,
        Error::NoRelation => match act {
            Act::Unban => rows::BAN_NOT_FOUND,
            _ => rows::BLOCK_NOT_FOUND,
        },
        Error::AlreadyShutOut => match act {
            Act::Ban => rows::ALREADY_BANNED,
            _ => rows::ALREADY_BLOCKED,
        },
        Error::Oneself => rows::SELF_BLOCK_FORBIDDEN,
        Error::BadUser => match act {
            Act::Unblock | Act::Block => rows::INVALID_USER_ID,
            _ => rows::INVALID_USER_ID_IN_ROOM,
        },
        Error::RoomExists => rows::ROOM_ALREADY_EXISTS,
        Error::GroupExists => rows::GROUP_ALREADY_EXISTS,
        Error::BadRoomKind => rows::INVALID_ROOM_TYPE,
        Error::TokenTaken => rows::TOKEN_CONFLICT,
        Error::NoToken => rows::TOKEN_NOT_FOUND,
        Error::NoConfig => rows::CONFIG_NOT_FOUND,
        Error::NotMuted => rows::ROOM_NOT_MUTED,
        Error::NoWebhook => rows::WEBHOOK_NOT_FOUND,
        Error::NoDelivery => rows::DELIVERY_NOT_FOUND,
        Error::NoStickers => rows::STICKERS_NOT_FOUND,
        Error::NoGroup => rows::GROUP_NOT_FOUND,
        Error::TooMuch(_) => rows::LIMIT_EXCEEDED,
        // Apps are made and named on the command line; on the wire both are faults.
        Error::AppExists(_) | Error::NoApp => rows::INTERNAL,
        Error::Store(error) => match error {
            banter_store::Error::TooBroad => rows::RESULT_TOO_LARGE,
            banter_store::Error::Unreachable(_) | banter_store::Error::TryAgain(_) => rows::UNAVAILABLE,
            banter_store::Error::Database(_)
            | banter_store::Error::Corrupt(_)
            | banter_store::Error::Bytes(_)
            | banter_store::Error::NotDurable(_)
            | banter_store::Error::Setting(_) => rows::INTERNAL,
        },
    }
}

fn denied_row(denied: Denied, act: Act) -> Row {
    match denied {
        Denied::NoSuchRoom => chat_row(&Error::NoRoom, act),
        Denied::NotAMember => match act {
            Act::ReadMessages | Act::Send | Act::SendBatch | Act::Edit | Act::Recall => rows::NOT_IN_ROOM,
            _ => rows::NOT_ROOM_MEMBER,
        },
        Denied::Banned => rows::USER_BANNED,
        Denied::Blocked => rows::USER_BLOCKED,
        Denied::Frozen => rows::ROOM_FROZEN,
        Denied::NotPermitted(act) => not_permitted_row(act),
        Denied::TargetBanned => rows::TARGET_BANNED,
        Denied::TargetIsOwner => not_permitted_row(act),
        Denied::Closed => rows::ROOM_CLOSED,
        Denied::DirectRoom => rows::DIRECT_ROOM,
        Denied::Oneself => match act {
            Act::Block | Act::Ban => rows::SELF_BLOCK_FORBIDDEN,
            Act::Unblock => rows::INVALID_USER_ID,
            _ => rows::INVALID_USER_ID_IN_ROOM,
        },
    }
}

/// The texts for a missing role, one per act.
fn not_permitted_row(act: Act) -> Row {
    match act {
        Act::Operate => rows::PLATFORM_ONLY,
        Act::ListBlocks => rows::NO_ACCESS,
        Act::ListBans => rows::BANS_OWNER_ONLY,
        Act::Ban => rows::BAN_OWNER_ONLY,
        Act::Unban => rows::UNBAN_OWNER_ONLY,
        Act::UpdateRoom | Act::Appoint => rows::UPDATE_SUPERUSER_ONLY,
        Act::Freeze => rows::FREEZE_SUPERUSER_ONLY,
        Act::DeleteRoom => rows::DELETE_OWNER_ONLY,
        Act::Remove => rows::REMOVE_SUPERUSER_ONLY,
        Act::Invite => rows::INVITE_DENIED,
        Act::SetOwnProperty | Act::SetOthersProperty => rows::PROPERTY_SUPERUSER_ONLY,
        Act::Edit | Act::Recall => rows::AUTHOR_ONLY,
        Act::DeleteMessages => rows::DELETE_MESSAGE_SUPERUSER_ONLY,
        Act::Pin => rows::PIN_SUPERUSER_ONLY,
        Act::Hide => rows::HIDE_SUPERUSER_ONLY,
        Act::Uninvite => rows::UNINVITE_DENIED,
        Act::ReadFile => rows::FILE_NOT_READABLE,
        Act::Look
        | Act::MindOwn
        | Act::Block
        | Act::Unblock
        | Act::CreateRoom
        | Act::OpenRoom
        | Act::ReadRoom
        | Act::ReadMessages
        | Act::Search
        | Act::FindRoom
        | Act::PutAway
        | Act::Join
        | Act::Leave
        | Act::Send
        | Act::Upload
        | Act::SendBatch
        | Act::React
        | Act::MarkRead
        | Act::Type => rows::NOT_PERMITTED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_says_something_and_401_means_bad_credentials() {
        for row in rows::ALL {
            assert!(!row.rm.is_empty() && !row.message.is_empty(), "{row:?}");
            assert!((400..600).contains(&row.status), "{row:?}");
            if row.status == 401 {
                assert!(["INVALID_TOKEN", "INVALID_API_KEY"].contains(&row.code), "R-20: {row:?}");
            }
        }
        for (index, row) in rows::ALL.iter().enumerate() {
            assert!(!rows::ALL[..index].contains(row), "twice: {row:?}");
        }
    }

    #[test]
    fn every_act_has_its_rows() {
        for act in Act::ALL {
            for denied in
                [Denied::NotPermitted(act), Denied::TargetIsOwner, Denied::NotAMember, Denied::Banned, Denied::Blocked]
            {
                let (row, body) = ApiError::from(Error::Denied(denied)).told(act);
                assert_eq!(row.status, 403, "{act:?} {denied:?}");
                assert_eq!(body["RC"], 403);
                assert!(rows::ALL.contains(&row));
            }
        }
    }

    #[test]
    fn r09_a_room_one_may_not_know_of_reads_as_no_room() {
        for act in Act::ALL {
            let hidden = ApiError::from(Error::Denied(Denied::NoSuchRoom));
            let absent = ApiError::from(Error::NoRoom);
            assert!(hidden.is_no_room());
            assert_eq!(hidden.told(act), absent.told(act));
        }
    }

    #[test]
    fn a_fault_is_masked_and_logged() {
        let fault = ApiError::from(Error::Store(banter_store::Error::Database("disk on fire".into())));
        let (row, body) = fault.told(Act::Ban);
        assert_eq!(row, rows::INTERNAL);
        assert!(!body.to_string().contains("fire"));
        assert!(fault.fault().is_some_and(|text| text.contains("fire")));
    }
}
