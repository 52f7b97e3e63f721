//! Blocks and bans as rows.

use banter_domain::id::{ObjectId, Pair, RoomId, UserId};
use banter_domain::relation::{Relation, RelationKind};

use crate::read::Read;
use crate::rooms::{LockedPair, LockedRoom};
use crate::sql::{Row, binds};
use crate::{Result, Tx, View};

/// What saving a relation found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// It is new, or lifted before and active again.
    Done(Relation),
    /// It was active already; nothing was written.
    Already(Relation),
}

const RELATION: &str = "id, kind, room, blocker, blockee, created_ms, updated_ms, lifted_ms";

fn relation(mut row: Row) -> Result<Relation> {
    Ok(Relation {
        id: row.object_id(0)?,
        kind: if row.str(1)? == "ban" { RelationKind::Ban } else { RelationKind::Block },
        room: row.room_id(2)?,
        blocker: row.user(3)?,
        blockee: row.user(4)?,
        created_ms: row.int(5)?,
        updated_ms: row.int(6)?,
        lifted_ms: row.int_opt(7)?,
    })
}

impl View {
    /// The block of one user by another, active or lifted.
    pub async fn block(&mut self, blocker: &UserId, blockee: &UserId) -> Result<Option<Relation>> {
        let text = format!(
            "SELECT {RELATION} FROM relations WHERE app = $1 AND kind = 'block' AND blocker = $2 AND blockee = $3"
        );
        let rows = self.session.rows(&text, binds![self.app, blocker, blockee]).await?;
        rows.into_iter().next().map(relation).transpose()
    }

    /// The ban of a user from a room, active or lifted, whether or not the room exists.
    pub async fn ban(&mut self, room: &RoomId, blockee: &UserId) -> Result<Option<Relation>> {
        let text =
            format!("SELECT {RELATION} FROM relations WHERE app = $1 AND kind = 'ban' AND room = $2 AND blockee = $3");
        let rows = self.session.rows(&text, binds![self.app, room, blockee]).await?;
        rows.into_iter().next().map(relation).transpose()
    }

    /// Which of some users have blocked one user, or are blocked by him.
    pub async fn blocked_with(&mut self, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let text = "SELECT blockee FROM relations WHERE app = $1 AND kind = 'block' AND blocker = $2
                AND blockee = ANY($3) AND lifted_ms IS NULL
            UNION
            SELECT blocker FROM relations WHERE app = $1 AND kind = 'block' AND blockee = $2
                AND blocker = ANY($3) AND lifted_ms IS NULL";
        let rows = self.session.rows(text, binds![self.app, user, others]).await?;
        rows.into_iter().map(|mut row| row.user(0)).collect()
    }

    /// Whose bans hold, or would hold, in a room of this id.
    pub async fn banners(&mut self, room: &RoomId) -> Result<Vec<UserId>> {
        let text = "SELECT DISTINCT blocker FROM relations WHERE app = $1 AND room = $2 AND kind = 'ban'
            AND lifted_ms IS NULL";
        let rows = self.session.rows(text, binds![self.app, room]).await?;
        rows.into_iter().map(|mut row| row.user(0)).collect()
    }

    /// Which of some users are banned from a room.
    pub async fn banned_among(&mut self, room: &RoomId, users: &[UserId]) -> Result<Vec<UserId>> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let text = "SELECT blockee FROM relations WHERE app = $1 AND kind = 'ban' AND room = $2
            AND blockee = ANY($3) AND lifted_ms IS NULL";
        let rows = self.session.rows(text, binds![self.app, room, users]).await?;
        rows.into_iter().map(|mut row| row.user(0)).collect()
    }
}

impl Tx {
    /// Blocks: `blocker` shuts out the other one of a locked pair, in the pair's room. `id` names
    /// the record if it is a new one; `room_created_ms` is when the blocker may know it was made.
    pub async fn save_block(
        &mut self,
        pair: &LockedPair,
        room: &LockedRoom,
        blocker: &UserId,
        room_created_ms: i64,
        (id, now_ms): (ObjectId, i64),
    ) -> Result<Option<Saved>> {
        let Some(blockee) = pair.pair().other(blocker).cloned() else { return Ok(None) };
        let known = self.block(blocker, &blockee).await?;
        let new = Relation {
            id,
            kind: RelationKind::Block,
            room: room.id.clone(),
            blocker: blocker.clone(),
            blockee,
            created_ms: now_ms,
            updated_ms: now_ms,
            lifted_ms: None,
        };
        self.save_relation(known, new, "direct", room_created_ms).await.map(Some)
    }

    /// Bans a user from a locked room.
    pub async fn save_ban(
        &mut self,
        room: &LockedRoom,
        blocker: &UserId,
        blockee: &UserId,
        (id, now_ms): (ObjectId, i64),
    ) -> Result<Saved> {
        let known = self.ban(&room.id, blockee).await?;
        let new = Relation {
            id,
            kind: RelationKind::Ban,
            room: room.id.clone(),
            blocker: blocker.clone(),
            blockee: blockee.clone(),
            created_ms: now_ms,
            updated_ms: now_ms,
            lifted_ms: None,
        };
        self.save_relation(known, new, room.kind.name(), room.created_ms).await
    }

    async fn save_relation(
        &mut self,
        known: Option<Relation>,
        new: Relation,
        room_kind: &str,
        room_created_ms: i64,
    ) -> Result<Saved> {
        let saved = match known {
            Some(known) if known.lifted_ms.is_none() => return Ok(Saved::Already(known)),
            // A re-block keeps its record and when it was first made (Q6), and moves forward.
            Some(known) => Relation {
                id: known.id,
                created_ms: known.created_ms,
                updated_ms: new.updated_ms.max(known.updated_ms + 1),
                ..new
            },
            None => new,
        };
        self.put_relation(&saved, room_kind, room_created_ms).await?;
        Ok(Saved::Done(saved))
    }

    /// Writes a relation as it is, new or not.
    pub(crate) async fn put_relation(&mut self, saved: &Relation, room_kind: &str, room_created_ms: i64) -> Result<()> {
        let text =
            "INSERT INTO relations (app, id, kind, blocker, blockee, room, room_kind, room_created_ms, created_ms,
                updated_ms, lifted_ms, listed)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            ON CONFLICT (app, id) DO UPDATE SET blocker = $4, room = $6, room_kind = $7, room_created_ms = $8,
                created_ms = $9, updated_ms = $10, lifted_ms = $11, listed = $12";
        let values = binds![
            self.view.app,
            saved.id,
            match saved.kind {
                RelationKind::Block => "block",
                RelationKind::Ban => "ban",
            },
            &saved.blocker,
            &saved.blockee,
            &saved.room,
            room_kind,
            room_created_ms,
            saved.created_ms,
            saved.updated_ms,
            saved.lifted_ms,
            saved.lifted_ms.is_none(),
        ];
        self.view.session.put(text, values).await
    }

    /// Lifts the block that `blocker` holds in a locked pair. `None`: there is none.
    pub async fn lift_block(&mut self, pair: &LockedPair, blocker: &UserId, now_ms: i64) -> Result<Option<Relation>> {
        let Some(blockee) = pair.pair().other(blocker).cloned() else { return Ok(None) };
        let known = self.block(blocker, &blockee).await?;
        self.lift(known, now_ms).await
    }

    /// Lifts a user's ban from a locked room. `None`: there is none.
    pub async fn lift_ban(&mut self, room: &LockedRoom, blockee: &UserId, now_ms: i64) -> Result<Option<Relation>> {
        let known = self.ban(&room.id, blockee).await?;
        self.lift(known, now_ms).await
    }

    async fn lift(&mut self, known: Option<Relation>, now_ms: i64) -> Result<Option<Relation>> {
        let Some(known) = known.filter(|known| known.lifted_ms.is_none()) else { return Ok(None) };
        let at_ms = now_ms.max(known.updated_ms + 1);
        let text = "UPDATE relations SET lifted_ms = $3, updated_ms = $3, listed = 0 WHERE app = $1 AND id = $2";
        self.view.session.put(text, binds![self.view.app, known.id, at_ms]).await?;
        Ok(Some(Relation { updated_ms: at_ms, lifted_ms: Some(at_ms), ..known }))
    }

    /// A blocker sees the pair's room: his block is shown there from now on, made when he may know.
    pub async fn move_block(&mut self, pair: &Pair, blocker: &UserId, room: &LockedRoom, made_ms: i64) -> Result<()> {
        let Some(blockee) = pair.other(blocker) else { return Ok(()) };
        let text = "UPDATE relations SET room = $4, room_created_ms = $5 WHERE app = $1 AND kind = 'block'
            AND blocker = $2 AND blockee = $3";
        self.view.session.put(text, binds![self.view.app, blocker, blockee, &room.id, made_ms]).await
    }
}
