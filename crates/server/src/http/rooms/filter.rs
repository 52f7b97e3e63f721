//! The filter `q` of `GET /rooms`: which fields of a room it may ask about, and what they are called inside.
//!
//! What it cannot answer is refused: a field that is never there would give an empty list, and look like an answer.

use banter_domain::filter::{Filter, Scalar, Test};
use banter_domain::instant::instant_ms;

/// What the fields of a room are called in filters. Of the caller's preferences for it, `pref`, any may be asked.
const FIELDS: [(&str, &str); 20] = [
    ("_id", "id"),
    ("id", "id"),
    ("name", "name"),
    ("cover", "cover"),
    ("description", "description"),
    ("roomType", "kind"),
    ("owner", "owner"),
    ("owner._id", "owner"),
    ("owner.id", "owner"),
    ("createdTime", "created_ms"),
    ("createdTimeMS", "created_ms"),
    ("roomTags", "tags"),
    ("unread", "unread"),
    ("muted", "muted"),
    ("status", "status"),
    ("opening", "opening"),
    ("webhook", "webhook"),
    ("botMode", "bot_mode"),
    ("botState", "bot_state"),
    ("extParams", "ext_params"),
];

/// Whatever the client thinks he is called: these are the caller's rooms (rest.md 3.3).
const IGNORED: &str = "members";

/// The filter as the list understands it. `None`: it asks about something that is not answered.
pub(super) fn understood(filter: Filter) -> Option<Filter> {
    let kept = asked(filter).ok()?;
    Some(kept.map_or_else(Filter::always, |filter| filter.renamed(&FIELDS)))
}

/// A part of the filter asks about something that is not answered.
struct Unanswered;

/// The filter without what is ignored; `None`: nothing is left of it.
fn asked(filter: Filter) -> Result<Option<Filter>, Unanswered> {
    Ok(match filter {
        Filter::All(parts) => many(parts)?.map(Filter::All),
        Filter::Any(parts) => many(parts)?.map(Filter::Any),
        Filter::NoneOf(parts) => many(parts)?.map(Filter::NoneOf),
        Filter::Not(part) => asked(*part)?.map(|part| Filter::Not(Box::new(part))),
        Filter::Field { path, test } => {
            let name = path.as_str();
            let first = path.segments().next();
            if first == Some(IGNORED) {
                None
            } else if first == Some("pref") {
                Some(Filter::Field { path, test })
            } else if !FIELDS.iter().any(|(theirs, _)| *theirs == name) {
                return Err(Unanswered);
            } else if matches!(name, "createdTime" | "createdTimeMS") {
                let test = timed(test)?;
                Some(Filter::Field { path, test })
            } else {
                Some(Filter::Field { path, test })
            }
        }
    })
}

/// What is left of several parts; `None`: all of them are ignored.
fn many(parts: Vec<Filter>) -> Result<Option<Vec<Filter>>, Unanswered> {
    let were_none = parts.is_empty();
    let mut left = Vec::with_capacity(parts.len());
    for part in parts {
        left.extend(asked(part)?);
    }
    Ok((were_none || !left.is_empty()).then_some(left))
}

/// A test of a time: moments written as texts become milliseconds.
fn timed(test: Test) -> Result<Test, Unanswered> {
    let one = |value: Scalar| match value {
        Scalar::Text(text) => instant_ms(&text).map(Scalar::Int).ok_or(Unanswered),
        value @ (Scalar::Null | Scalar::Int(_) | Scalar::Real(_)) => Ok(value),
        Scalar::Bool(_) => Err(Unanswered),
    };
    let all = |values: Vec<Scalar>| values.into_iter().map(one).collect::<Result<Vec<_>, _>>();
    Ok(match test {
        Test::Eq(value) => Test::Eq(one(value)?),
        Test::Ne(value) => Test::Ne(one(value)?),
        Test::Gt(value) => Test::Gt(one(value)?),
        Test::Gte(value) => Test::Gte(one(value)?),
        Test::Lt(value) => Test::Lt(one(value)?),
        Test::Lte(value) => Test::Lte(one(value)?),
        Test::In(values) => Test::In(all(values)?),
        Test::Nin(values) => Test::Nin(all(values)?),
        Test::HasAll(values) => Test::HasAll(all(values)?),
        Test::Exists(wanted) => Test::Exists(wanted),
        Test::Type(_) | Test::Regex(_) => return Err(Unanswered),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(filter: Value) -> Option<Filter> {
        understood(Filter::parse(&filter).unwrap())
    }

    #[test]
    fn members_are_ignored_wherever_they_stand() {
        for ignored in [
            json!({"members": "ann"}),
            json!({"members._id": {"$in": ["ann"]}}),
            json!({"$or": [{"members": "ann"}, {"$and": [{"members": "bob"}]}]}),
            json!({"$nor": [{"members": "ann"}]}),
            json!({"members": {"$not": {"$eq": "ann"}}}),
        ] {
            assert!(read(ignored.clone()).unwrap().is_always(), "{ignored}");
        }
        let left = read(json!({"$or": [{"members": "ann"}, {"name": "x"}]}));
        assert_eq!(left, read(json!({"$or": [{"name": "x"}]})));
    }

    #[test]
    fn what_is_not_answered_is_refused_and_never_empty() {
        for refused in [
            json!({"lastMessage.sender": "ann"}),
            json!({"name": "x", "$or": [{"isMentioned": true}]}),
            json!({"$nor": [{"nmae": "x"}]}),
            json!({"roomTags.x": 1}),
            json!({"createdTime": {"$gt": "soon"}}),
            json!({"createdTime": {"$regex": "2021"}}),
            json!({"createdTimeMS": {"$type": "string"}}),
        ] {
            assert_eq!(read(refused.clone()), None, "{refused}");
        }
        let by_text = read(json!({"createdTime": {"$gt": "2021-08-04T15:18:10.735Z"}}));
        assert_eq!(by_text, read(json!({"createdTimeMS": {"$gt": 1_628_090_290_735_i64}})));
        assert!(read(json!({"pref.sticky": true, "status": 1, "opening": 1})).is_some());
    }
}
