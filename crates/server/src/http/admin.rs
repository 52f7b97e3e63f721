//! Figures and records for whoever runs the app: `/admin/stats`, `/admin/audit`, …

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::{AuditQuery, Bucket, BucketSize, ModerationStats};
use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::moderation::Act;
use banter_domain::record::{Action, Doer, Entry};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Edge;
use super::answer::Answer;
use super::cursor;
use super::extract::{Caller, Query};
use super::limits_of_fields as limits;
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::view::message::Hex;
use super::view::sample;
use super::view::time::Iso;
use crate::errors::{ApiError, rows};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Entries of a page of the audit when the request names no limit.
const PAGE: usize = 100;

/// Spans of one table of figures.
const BUCKETS: i64 = 1_000;

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let figures = |route: Route| route.auth(Auth::ApiKey).clients_get(rows::PLATFORM_ONLY).tag("Figures");
    vec![
        figures(Route::new(Act::Operate, Method::GET, "/admin/connection-count", connection_count))
            .summary("Count open connections")
            .answer(Shape::object("ConnectionCount").required(
                "count",
                Kind::Integer,
                "Connections of the app's users and keys",
            ))
            .example(sample::answer(&json!({"count": 3}))),
        figures(Route::new(Act::Operate, Method::GET, "/admin/stats", stats))
            .summary("What went on during the last hour")
            .answer(stats_shape())
            .example(sample::answer(&json!({
                "clientKey": "demo-client-key", "apiKey": "********-key",
                "startTime": "2021-08-04T14:18:10.735Z", "endTime": "2021-08-04T15:18:10.735Z",
                "start": 1_628_086_690, "end": 1_628_090_290, "userList": ["aaa", "bbb"], "roomCount": 1,
                "totalRoomCount": 4, "messageCount": 2, "peakConnectionCount": 3, "totalMem": 8_589_934_592_i64,
                "freeMem": 3_221_225_472_i64,
            }))),
        figures(Route::new(Act::Operate, Method::GET, "/admin/audit", audit))
            .summary("Who did what to whom, newest first")
            .param(Param::query("actor", Kind::Id, "Only what he did"))
            .param(Param::query("target", Kind::Id, "Only what was done to him"))
            .param(Param::query("room", Kind::Id, "Only in this room"))
            .param(Param::query(
                "action",
                Kind::Text,
                "Only this: block, unblock, ban, unban, freeze, thaw, force, role, owner, …",
            ))
            .param(Param::query("from", Kind::TimeOrMs, "From this moment on"))
            .param(Param::query("to", Kind::TimeOrMs, "Before this moment"))
            .param(Param::query("limit", Kind::Integer, "1 to 1,000, default 100"))
            .param(Param::query("cursor", Kind::Text, "`nextCursor` of the page before"))
            .answer(audit_shape())
            .example(sample::answer(&json!({"data": [{
                "_id": "610aafe20000000000000001", "id": "610aafe20000000000000001", "doer": "user", "actor": "aaa",
                "action": "ban", "target": "bbb", "room": "demo-room", "createdAt": "2021-08-04T15:18:10.735Z",
                "createdAtMS": 1_628_090_290_735_i64, "address": "127.0.0.1",
            }]})))
            .errors(&[rows::INVALID_QUERY_PARAMETER, rows::INVALID_ID]),
        figures(Route::new(Act::Operate, Method::GET, "/admin/moderation/stats", moderation))
            .summary("What moderation did, and how things stand")
            .param(Param::query("from", Kind::TimeOrMs, "Default: a day ago; with days, thirty days ago"))
            .param(Param::query("to", Kind::TimeOrMs, "Default: now"))
            .param(Param::query("bucket", Kind::OneOf(&["hour", "day"]), "Default `hour`; at most 1,000 of them"))
            .answer(moderation_shape())
            .example(sample::answer(&json!(Moderation::of(&sample_figures(), (0, HOUR_MS, HOUR_MS)))))
            .errors(&[rows::INVALID_QUERY_PARAMETER]),
    ]
}

fn stats_shape() -> Shape {
    Shape::object("Stats")
        .required("clientKey", Kind::Text, "The app's client key")
        .required("apiKey", Kind::Text, "The last four characters of its API key")
        .required("startTime", Kind::Time, "The hour's beginning")
        .required("endTime", Kind::Time, "The hour's end")
        .required("start", Kind::Integer, "Its beginning, seconds since the epoch")
        .required("end", Kind::Integer, "Its end, seconds since the epoch")
        .required("userList", Kind::Ids, "Who did something")
        .required("roomCount", Kind::Integer, "In how many rooms something was said")
        .required("totalRoomCount", Kind::Integer, "How many rooms there are")
        .required("messageCount", Kind::Integer, "How many messages were sent")
        .required("peakConnectionCount", Kind::Integer, "The most connections at once")
        .required("totalMem", Kind::Integer, "The machine's memory, bytes")
        .required("freeMem", Kind::Integer, "Of it still to be had, bytes")
}

fn audit_shape() -> Shape {
    let entry = Shape::object("AuditEntry")
        .required("_id", Kind::Id, "Same as `id`")
        .required("id", Kind::Id, "Time-ordered")
        .required("doer", Kind::OneOf(&["user", "platform", "operator"]), "A user, an API key, or the command line")
        .field("actor", Kind::Id, "The user who did it, or in whose name an API key did")
        .required("action", Kind::Text, "What")
        .field("target", Kind::Id, "Whom")
        .field("room", Kind::Id, "Where")
        .required("createdAt", Kind::Time, "When")
        .required("createdAtMS", Kind::Integer, "When, milliseconds")
        .field("address", Kind::Text, "From which address")
        .field("detail", Kind::Any, "More about it");
    Shape::object("Audit").required("data", Kind::many(entry), "Newest first").field(
        "nextCursor",
        Kind::Text,
        "Present when more follows",
    )
}

fn moderation_shape() -> Shape {
    let bucket = Shape::object("ModerationBucket")
        .required("start", Kind::Time, "Its beginning")
        .required("startMS", Kind::Integer, "The same, milliseconds")
        .required("blocks", Kind::Integer, "Blocks made")
        .required("unblocks", Kind::Integer, "Blocks lifted")
        .required("bans", Kind::Integer, "Bans made")
        .required("unbans", Kind::Integer, "Bans lifted")
        .required("refused", Kind::Counts, "Refused acts by reason");
    let blocked = Shape::object("OftenBlocked").required("id", Kind::Id, "Who").required(
        "count",
        Kind::Integer,
        "By how many others, at least five",
    );
    Shape::object("ModerationStats")
        .required("from", Kind::Time, "The first bucket's beginning")
        .required("to", Kind::Time, "The end")
        .required("bucket", Kind::OneOf(&["hour", "day"]), "How wide a bucket is; days are of UTC")
        .required("buckets", Kind::many(bucket), "Oldest first, none left out")
        .required("activeBlocks", Kind::Integer, "Blocks that hold now")
        .required("activeBans", Kind::Integer, "Bans that hold now")
        .field(
            "medianUnblockMS",
            Kind::Integer,
            "How long blocks lifted in the span had held, the median, milliseconds",
        )
        .required("mutualShare", Kind::Number, "Of the blocks that hold, those answered by one the other way, 0 to 1")
        .required("mostBlocked", Kind::many(blocked), "Never by whom")
}

/// `GET /admin/connection-count`
async fn connection_count(State(edge): State<Edge>, Caller(caller): Caller) -> Result<Response, ApiError> {
    Ok(Answer(json!({"count": edge.connections.of_app(caller.app.number)})).into_response())
}

/// `GET /admin/stats`
async fn stats(State(edge): State<Edge>, Caller(caller): Caller) -> Result<Response, ApiError> {
    let stats = edge.chat.stats(&caller).await?;
    let fault = |error: sysinfo::Error| ApiError::Fault(format!("the machine does not tell its memory: {error}"));
    let mut machine = sysinfo::System::new().map_err(fault)?;
    machine.refresh_memory();
    let result = json!({
        "clientKey": caller.app.client_key,
        "apiKey": format!("********{}", caller.app.api_key_tail),
        "startTime": Iso::of(stats.start_ms),
        "endTime": Iso::of(stats.end_ms),
        "start": stats.start_ms.div_euclid(1_000),
        "end": stats.end_ms.div_euclid(1_000),
        "userList": stats.users.iter().map(UserId::as_str).collect::<Vec<_>>(),
        "roomCount": stats.room_count,
        "totalRoomCount": stats.total_room_count,
        "messageCount": stats.message_count,
        "peakConnectionCount": edge.connections.peak_of_app(caller.app.number),
        "totalMem": machine.total_memory(),
        "freeMem": machine.available_memory(),
    });
    Ok(Answer(result).into_response())
}

fn refused(name: &str) -> ApiError {
    rows::INVALID_QUERY_PARAMETER.with(name)
}

/// `GET /admin/audit`
async fn audit(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let (entries, next) = edge.chat.audit(&caller, asked(&query)?).await?;
    let mut result = json!({"data": entries.iter().map(entry_shown).collect::<Vec<_>>()});
    if let (Some(next), Some(fields)) = (next, result.as_object_mut()) {
        fields.insert("nextCursor".to_owned(), cursor::written(next.to_string().as_bytes()).into());
    }
    Ok(Answer(result).into_response())
}

fn asked(query: &Query) -> Result<AuditQuery, ApiError> {
    let text = |name| Ok::<_, ApiError>(query.one(name)?.filter(|text| !text.is_empty()));
    Ok(AuditQuery {
        actor: text("actor")?.map(UserId::parse).transpose()?,
        target: text("target")?.map(UserId::parse).transpose()?,
        room: text("room")?.map(RoomId::parse).transpose()?,
        action: text("action")?.map(|name| Action::parse(name).ok_or_else(|| refused("action"))).transpose()?,
        from_ms: query.moment("from")?,
        to_ms: query.moment("to")?,
        limit: limits::limit(query, PAGE, limits::PAGE)?,
        after: text("cursor")?.map(|text| place(text).ok_or_else(|| refused("cursor"))).transpose()?,
    })
}

/// A cursor of the audit holds the last entry's id.
fn place(text: &str) -> Option<ObjectId> {
    cursor::read(text).and_then(|id| ObjectId::parse(std::str::from_utf8(&id).ok()?))
}

fn entry_shown(entry: &Entry) -> Value {
    let (doer, actor) = match &entry.doer {
        Doer::Platform(user) => ("platform", user.as_ref().map(UserId::as_str)),
        Doer::User(user) => ("user", Some(user.as_str())),
        Doer::Operator => ("operator", None),
    };
    let mut shown = json!({
        "_id": Hex(entry.id),
        "id": Hex(entry.id),
        "doer": doer,
        "action": entry.action,
        "createdAt": Iso::of(entry.at_ms),
        "createdAtMS": entry.at_ms,
    });
    let optional = [
        ("actor", actor.map(Value::from)),
        ("target", entry.target.as_ref().map(|user| user.as_str().into())),
        ("room", entry.room.as_ref().map(|room| room.as_str().into())),
        ("address", entry.address.as_deref().map(Value::from)),
        ("detail", entry.detail.clone()),
    ];
    if let Some(fields) = shown.as_object_mut() {
        fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    shown
}

/// `GET /admin/moderation/stats`
async fn moderation(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let (bucket, span) = span(&query, edge.chat.now())?;
    let (from_ms, to_ms, _) = span;
    let figures = edge.chat.moderation_stats(&caller, from_ms, to_ms, bucket).await?;
    Ok(Answer(Moderation::of(&figures, span)).into_response())
}

/// The width of a bucket, and where the span begins (with a bucket), ends, and steps, milliseconds.
fn span(query: &Query, now_ms: i64) -> Result<(BucketSize, (i64, i64, i64)), ApiError> {
    let (bucket, step_ms, default_ms) = match query.one("bucket")? {
        None | Some("" | "hour") => (BucketSize::Hour, HOUR_MS, DAY_MS),
        Some("day") => (BucketSize::Day, DAY_MS, 30 * DAY_MS),
        Some(_) => return Err(refused("bucket")),
    };
    let to_ms = query.moment("to")?.unwrap_or(now_ms);
    let from_ms = query.moment("from")?.unwrap_or(to_ms.saturating_sub(default_ms));
    let from_ms = from_ms.saturating_sub(from_ms.rem_euclid(step_ms));
    if from_ms >= to_ms || to_ms.saturating_sub(from_ms) > BUCKETS * step_ms {
        return Err(refused("from"));
    }
    Ok((bucket, (from_ms, to_ms, step_ms)))
}

/// The figures as shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Moderation {
    from: Iso,
    to: Iso,
    bucket: &'static str,
    buckets: Vec<Value>,
    active_blocks: i64,
    active_bans: i64,
    #[serde(rename = "medianUnblockMS", skip_serializing_if = "Option::is_none")]
    median_unblock_ms: Option<i64>,
    mutual_share: f64,
    most_blocked: Vec<Value>,
}

impl Moderation {
    fn of(figures: &ModerationStats, (from_ms, to_ms, step_ms): (i64, i64, i64)) -> Self {
        let starts =
            std::iter::successors(Some(from_ms), |start| Some(start + step_ms)).take_while(|start| *start < to_ms);
        let shown = |start: i64| match figures.buckets.iter().find(|bucket| bucket.start_ms == start) {
            Some(bucket) => bucket_shown(bucket),
            None => bucket_shown(&Bucket { start_ms: start, ..Bucket::default() }),
        };
        let blocked = |(user, count): &(UserId, i64)| json!({"id": user.as_str(), "count": count});
        Self {
            from: Iso::of(from_ms),
            to: Iso::of(to_ms),
            bucket: if step_ms == HOUR_MS { "hour" } else { "day" },
            buckets: starts.map(shown).collect(),
            active_blocks: figures.active_blocks,
            active_bans: figures.active_bans,
            median_unblock_ms: figures.median_held_ms,
            mutual_share: figures.mutual_share,
            most_blocked: figures.most_blocked.iter().map(blocked).collect(),
        }
    }
}

fn bucket_shown(bucket: &Bucket) -> Value {
    let refused: Map<String, Value> =
        bucket.refused.iter().map(|(reason, count)| (reason.clone(), json!(count))).collect();
    json!({
        "start": Iso::of(bucket.start_ms),
        "startMS": bucket.start_ms,
        "blocks": bucket.blocks,
        "unblocks": bucket.unblocks,
        "bans": bucket.bans,
        "unbans": bucket.unbans,
        "refused": refused,
    })
}

/// For the document.
fn sample_figures() -> ModerationStats {
    ModerationStats {
        buckets: vec![Bucket {
            start_ms: 0,
            blocks: 2,
            bans: 1,
            refused: vec![("USER_BANNED".to_owned(), 3)],
            ..Bucket::default()
        }],
        active_blocks: 2,
        active_bans: 1,
        median_held_ms: Some(HOUR_MS),
        mutual_share: 0.5,
        most_blocked: vec![(sample::id("ddd"), 5)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_628_090_290_735;

    #[test]
    fn spans_begin_with_a_bucket_and_are_bounded() {
        let read = |text: &str| span(&Query::parse(text).unwrap(), NOW);
        let (bucket, (from, to, step)) = read("").unwrap();
        assert_eq!((bucket, to, step), (BucketSize::Hour, NOW, HOUR_MS));
        assert!(from % HOUR_MS == 0 && from <= NOW - DAY_MS && from > NOW - DAY_MS - HOUR_MS);
        let (bucket, (from, ..)) = read("bucket=day&from=2021-08-01T10:00:00Z").unwrap();
        assert_eq!((bucket, Iso::of(from).as_str()), (BucketSize::Day, "2021-08-01T00:00:00.000Z"));
        for bad in ["bucket=week", "from=soon", "from=0", "from=2021-08-05&to=2021-08-04", "from=-99999999999999999"] {
            assert_eq!(read(bad).unwrap_err().row(Act::Operate).code, "INVALID_QUERY", "{bad}");
        }
    }

    #[test]
    fn no_bucket_is_left_out() {
        let shown = json!(Moderation::of(&sample_figures(), (0, 3 * HOUR_MS - 1, HOUR_MS)));
        assert_eq!(shown["buckets"].as_array().map(Vec::len), Some(3));
        assert_eq!(shown["buckets"][0]["refused"], json!({"USER_BANNED": 3}));
        assert_eq!(shown["buckets"][2]["blocks"], 0);
        assert_eq!(shown["mostBlocked"], json!([{"id": "ddd", "count": 5}]));
    }

    #[test]
    fn entries_leave_out_what_there_is_not() {
        let entry = Entry {
            id: sample::object_id(0),
            doer: Doer::User(sample::id("aaa")),
            action: "ban".to_owned(),
            target: Some(sample::id("bbb")),
            room: None,
            at_ms: NOW,
            address: None,
            detail: None,
        };
        let shown = entry_shown(&entry);
        assert_eq!((&shown["doer"], &shown["actor"], &shown["target"]), (&json!("user"), &json!("aaa"), &json!("bbb")));
        assert!(shown.get("room").is_none() && shown.get("address").is_none());
        let platform = entry_shown(&Entry { doer: Doer::Platform(None), ..entry.clone() });
        assert!(platform.get("actor").is_none());
        let named = entry_shown(&Entry { doer: Doer::Platform(Some(sample::id("ccc"))), ..entry });
        assert_eq!((&named["doer"], &named["actor"]), (&json!("platform"), &json!("ccc")));
    }

    #[test]
    fn questions_to_the_audit_are_checked() {
        let read = |text: &str| asked(&Query::parse(text).unwrap());
        let next = cursor::written(b"5f890cf37d980e06f6aaf349");
        let query = read(&format!("actor=aaa&action=ban&limit=5&cursor={next}")).unwrap();
        assert_eq!(
            (query.action, query.limit, query.after),
            (Some(Action::Ban), 5, ObjectId::parse("5f890cf37d980e06f6aaf349"))
        );
        for bad in ["action=dance", "cursor=5f89", "cursor=5f890cf37d980e06f6aaf349", "limit=0", "from=soon"] {
            assert_eq!(read(bad).unwrap_err().row(Act::Operate).code, "INVALID_QUERY", "{bad}");
        }
        assert_eq!(read("actor=a/b").unwrap_err().row(Act::Operate).code, "INVALID_ID");
    }
}
