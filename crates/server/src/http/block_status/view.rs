//! Entries of the two lists on the wire, and the answers of what fills them (model.md §5).

use std::sync::Arc;

use banter_chat::Written;
use banter_domain::id::AppId;
use banter_domain::relation::{Listed, RoomBrief};
use banter_domain::user::Profile;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::http::routes::{Kind, Shape};
use crate::http::view::time::Iso;
use crate::http::view::user::ShortUser;

/// One entry of a list; R-06: the seeds' fields and no other.
#[derive(Serialize)]
pub(super) struct EntryView<'a> {
    blockee: ShortUser<'a>,
    blocker: Blocker<'a>,
    room: Room<'a>,
    #[serde(rename = "createdAt")]
    created_at: Iso,
    #[serde(rename = "updatedAt")]
    updated_at: Iso,
    /// Only in `since` mode, of lifted entries.
    #[serde(rename = "unblockAt", skip_serializing_if = "Option::is_none")]
    unblock_at: Option<Iso>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Blocker<'a> {
    Id(&'a str),
    User(&'a RawValue),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Room<'a> {
    Own(RoomView<'a>),
    Shared(&'a RawValue),
}

/// What the entry before had, as it was written.
struct Last<T>(Option<(Arc<T>, Box<RawValue>)>);

impl<T> Last<T> {
    fn written<V: Serialize>(&mut self, one: &Arc<T>, view: impl FnOnce() -> V) -> serde_json::Result<&RawValue> {
        let same = self.0.take().filter(|(last, _)| Arc::ptr_eq(last, one));
        let written = match same {
            Some((_, written)) => written,
            None => to_raw_value(&view())?,
        };
        Ok(&self.0.insert((Arc::clone(one), written)).1)
    }
}

/// Who shut out in the entries before, and where: of a room's list mostly the same, and then written once.
pub(super) struct Before {
    blocker: Last<Profile>,
    room: Last<RoomBrief>,
}

impl Before {
    /// Before the first entry.
    pub(super) const fn none() -> Self {
        Self { blocker: Last(None), room: Last(None) }
    }
}

#[derive(Serialize)]
struct RoomView<'a> {
    #[serde(rename = "_id")]
    key: &'a str,
    #[serde(rename = "roomType")]
    kind: &'a str,
    id: &'a str,
    #[serde(rename = "createdTimeMS")]
    created_ms: i64,
}

impl<'a> RoomView<'a> {
    fn of(room: &'a RoomBrief) -> Self {
        Self { key: room.id.as_str(), kind: room.kind.name(), id: room.id.as_str(), created_ms: room.created_ms }
    }
}

impl<'a> EntryView<'a> {
    /// `with_user`: the blocker as a user, not only his id; `since`: lifted entries say when.
    /// Errors: as writing JSON has them.
    pub(super) fn of(
        entry: &'a Listed,
        with_user: bool,
        since: bool,
        before: &'a mut Before,
    ) -> serde_json::Result<Self> {
        let (blocker, room) = if with_user {
            let blocker = before.blocker.written(&entry.blocker, || ShortUser::of(&entry.blocker))?;
            let room = before.room.written(&entry.room, || RoomView::of(&entry.room))?;
            (Blocker::User(blocker), Room::Shared(room))
        } else {
            (Blocker::Id(entry.blocker.id.as_str()), Room::Own(RoomView::of(&entry.room)))
        };
        let created_at = Iso::of(entry.created_ms);
        Ok(Self {
            blockee: ShortUser::of(&entry.blockee),
            blocker,
            room,
            created_at,
            updated_at: if entry.updated_ms == entry.created_ms { created_at } else { Iso::of(entry.updated_ms) },
            unblock_at: entry.lifted_ms.filter(|_| since).map(Iso::of),
        })
    }
}

/// A block or ban that was made or lifted.
#[derive(Serialize, ToSchema)]
#[schema(as = BlockStatus)]
pub(super) struct WrittenView<'a> {
    /// Which app.
    #[serde(rename = "appID")]
    app: &'a str,
    /// Who is shut out.
    blockee: ShortUser<'a>,
    /// The id of who shuts out.
    blocker: &'a str,
    /// The id of the room.
    room: &'a str,
    /// When it was first made.
    #[serde(rename = "createdAt")]
    #[schema(value_type = String)]
    created_at: Iso,
    /// When it last became active, or was lifted.
    #[serde(rename = "updatedAt")]
    #[schema(value_type = String)]
    updated_at: Iso,
}

impl<'a> WrittenView<'a> {
    pub(super) fn of(app: &'a AppId, written: &'a Written) -> Self {
        let relation = &written.relation;
        Self {
            app: app.as_str(),
            blockee: ShortUser::of(&written.blockee),
            blocker: relation.blocker.as_str(),
            room: relation.room.as_str(),
            created_at: Iso::of(relation.created_ms),
            updated_at: Iso::of(relation.updated_ms),
        }
    }
}

/// The shape of a list, for the document.
pub(super) fn list_shape(name: &'static str, with_user: bool) -> Shape {
    let entry = if with_user { "BanRecord" } else { "BlockRelationship" };
    let blocker = if with_user { Kind::one(Shape::of::<ShortUser<'_>>()) } else { Kind::Id };
    let room = Shape::object("ShortRoom")
        .required("_id", Kind::Id, "Same as `id`")
        .required("roomType", Kind::Text, "`direct`, `group` or `custom`")
        .required("id", Kind::Id, "Which room")
        .required("createdTimeMS", Kind::Integer, "When it was made, milliseconds");
    let entry = Shape::object(entry)
        .required("blockee", Kind::one(Shape::of::<ShortUser<'_>>()), "Who is shut out")
        .required("blocker", blocker, "Who shuts out")
        .required("room", Kind::one(room), "Where")
        .required("createdAt", Kind::Time, "When it was first made")
        .required("updatedAt", Kind::Time, "When it last became active")
        .field("unblockAt", Kind::Time, "When it was lifted; only where `since` was given");
    Shape::object(name).required("data", Kind::many(entry), "Newest first").field(
        "nextCursor",
        Kind::Text,
        "Where the next page begins; only if `limit` was given and more follows",
    )
}

fn user(id: &str, nickname: &str) -> Value {
    json!({"_id": id, "nickname": nickname, "avatarUrl": "https://example.com/face.jpg", "id": id,
        "lastLoginTimeMS": 1_600_006_869_368_i64})
}

/// An example of a list.
pub(super) fn list_sample(with_user: bool) -> Value {
    let (room, kind) = if with_user { ("demo-room", "group") } else { ("2bec603e94a210092439e83ff2d79ac1", "direct") };
    json!({"data": [{
        "blockee": user("ccc", "Cathy"),
        "blocker": if with_user { user("aaa", "Alecia") } else { json!("aaa") },
        "room": {"_id": room, "roomType": kind, "id": room, "createdTimeMS": 1_628_089_206_798_i64},
        "createdAt": "2021-08-04T15:18:10.735Z",
        "updatedAt": "2021-08-04T15:18:10.735Z",
    }]})
}

/// An example of a written block or ban.
pub(super) fn written_sample() -> Value {
    json!({
        "appID": "SampleApp", "blockee": user("ccc", "Cathy"), "blocker": "aaa", "room": "demo-room",
        "createdAt": "2021-08-04T16:08:53.057Z", "updatedAt": "2021-08-04T16:08:53.057Z",
    })
}
