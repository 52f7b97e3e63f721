//! The filter of `GET /admin/clients`.
//!
//! A field of ours is filtered by what the answer shows of it, a field of the app's own by what is stored. What the
//! answer never shows is refused: a filter must not find somebody by what nobody can see.

use banter_domain::filter::Filter;
use banter_domain::id::AppId;
use banter_domain::user::UserKind;
use serde_json::{Value, json};

use crate::errors::{ApiError, rows};
use crate::http::view::user::{client_type, is_ours};

/// What our own fields of a user are called in filters.
const FIELDS: [(&str, &str); 13] = [
    ("_id", "id"),
    ("id", "id"),
    ("nickname", "nickname"),
    ("avatarUrl", "avatar_url"),
    ("description", "description"),
    ("isRobot", "is_robot"),
    ("mute", "mutes"),
    ("notificationEnabled", "notifications"),
    ("lastLoginTime", "last_login"),
    ("lastLoginTimeMS", "last_login_ms"),
    ("lastJoinOrCreateRoomTime", "last_room_ms"),
    ("createdAt", "created_ms"),
    ("updatedAt", "updated_ms"),
];

/// Our own fields that are the same for everybody on the list.
const APP: &str = "appID";
const TYPE: &str = "clientType";

/// The operators this endpoint documents (rest.md 2.3).
const OPERATORS: [&str; 12] =
    ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$regex", "$options", "$in", "$nin", "$exists", "$type"];

/// Reads `q`. Errors: 400 `INVALID_QUERY` for what this endpoint does not document.
pub(super) fn read(text: &str, app: &AppId) -> Result<Filter, ApiError> {
    let filter = serde_json::from_str::<Value>(text).map_err(|_| rows::INVALID_FILTER)?;
    if !is_documented(&filter) {
        return Err(rows::INVALID_FILTER.into());
    }
    let filter = Filter::parse(&filter).map_err(|_| rows::INVALID_FILTER)?.settled(APP, &json!(app.as_str()));
    // User groups are not on the list.
    Ok(filter.settled(TYPE, &json!(client_type(UserKind::Person))).renamed(&FIELDS))
}

/// Does it use nothing but documented operators, on fields that are shown?
fn is_documented(filter: &Value) -> bool {
    let Some(fields) = filter.as_object() else { return false };
    fields.iter().all(|(field, test)| {
        let tests = test.as_object();
        !field.starts_with('$')
            && is_shown(field)
            && tests.is_none_or(|tests| tests.keys().all(|name| OPERATORS.contains(&name.as_str())))
    })
}

/// None of ours holds an object, so a path into one leads nowhere.
fn is_shown(field: &str) -> bool {
    let ours = field.split('.').next().is_some_and(is_ours);
    !ours || [APP, TYPE].contains(&field) || FIELDS.iter().any(|(name, _)| *name == field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_of_ours_is_filtered_or_refused() {
        for field in ["_id", "mute", "clientType", "appID", "lastLoginTime", "email", "address.city"] {
            assert!(is_documented(&json!({field: {"$ne": "x"}})), "{field}");
        }
        for field in ["token", "expirationDate", "data", "__v", "members", "isSocketConnected", "mute.0", "nickname.x"]
        {
            assert!(!is_documented(&json!({field: {"$ne": "x"}})), "{field}");
        }
        assert!(!is_documented(&json!([])));
        assert!(!is_documented(&json!({"$or": [{"a": 1}]})));
        assert!(!is_documented(&json!({"mute": {"$all": ["a"]}})));
    }
}
