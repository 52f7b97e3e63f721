//! What users keep for their own clients: preferences of their own, and for each of their rooms.

use banter_domain::id::{RoomId, UserId};
use serde_json::{Map, Value as Json};

use crate::read::{Read, map_text};
use crate::sql::binds;
use crate::{LockedRoom, Result, Tx, View};

impl View {
    /// What a user group keeps about a room.
    pub async fn group_pref(&mut self, group: &UserId, room: &RoomId) -> Result<Map<String, Json>> {
        let text = "SELECT pref FROM group_prefs WHERE app = $1 AND grp = $2 AND room = $3";
        let rows = self.session.rows(text, binds![self.app, group, room]).await?;
        rows.into_iter().next().map_or(Ok(Map::new()), |mut row| row.map(0))
    }

    /// What a user group keeps about those of some rooms it keeps something about.
    pub async fn group_prefs(&mut self, group: &UserId, rooms: &[RoomId]) -> Result<Vec<(RoomId, Map<String, Json>)>> {
        let text = "SELECT room, pref FROM group_prefs WHERE app = $1 AND grp = $2 AND room = ANY($3) ORDER BY room";
        let rows = self.session.rows(text, binds![self.app, group, rooms]).await?;
        rows.into_iter().map(|mut row| Ok((row.room_id(0)?, row.map(1)?))).collect()
    }

    /// Is this user in a user group?
    pub async fn is_in_group(&mut self, group: &UserId, user: &UserId) -> Result<bool> {
        let text = "SELECT 1 FROM group_members WHERE app = $1 AND grp = $2 AND user_id = $3";
        Ok(!self.session.rows(text, binds![self.app, group, user]).await?.is_empty())
    }

    /// A user's preferences, by name.
    pub async fn prefs(&mut self, user: &UserId) -> Result<Vec<(String, Json)>> {
        let text = "SELECT name, value FROM prefs WHERE app = $1 AND user_id = $2 ORDER BY name";
        let rows = self.session.rows(text, binds![self.app, user]).await?;
        rows.into_iter().map(|mut row| Ok((row.text(0)?, row.json(1)?))).collect()
    }
}

impl Tx {
    /// Sets one of a user's preferences. His row is to be locked.
    pub async fn put_pref(&mut self, user: &UserId, name: &str, value: &Json) -> Result<()> {
        let text = "INSERT INTO prefs (app, user_id, name, value) VALUES ($1, $2, $3, $4)
            ON CONFLICT (app, user_id, name) DO UPDATE SET value = $4";
        self.view.session.put(text, binds![self.view.app, user, name, value.to_string()]).await
    }

    /// Takes one of a user's preferences away. False: he has none of that name.
    pub async fn delete_pref(&mut self, user: &UserId, name: &str) -> Result<bool> {
        let text = "DELETE FROM prefs WHERE app = $1 AND user_id = $2 AND name = $3";
        Ok(self.view.session.run(text, binds![self.view.app, user, name]).await? > 0)
    }

    /// Writes what a user group keeps about a room.
    pub async fn put_group_pref(&mut self, room: &LockedRoom, group: &UserId, pref: &Map<String, Json>) -> Result<()> {
        let text = "INSERT INTO group_prefs (app, grp, room, pref) VALUES ($1, $2, $3, $4)
            ON CONFLICT (app, grp, room) DO UPDATE SET pref = $4";
        self.view.session.put(text, binds![self.view.app, group, &room.room.id, map_text(pref)]).await
    }

    /// Writes a user's preferences for a room he is in. Who is there through a user group gets a row
    /// that remembers them, with how far he has read.
    pub async fn set_room_pref(
        &mut self,
        room: &LockedRoom,
        user: &UserId,
        pref: &Map<String, Json>,
        read_count: i64,
        at_ms: i64,
    ) -> Result<()> {
        let text = "INSERT INTO members (app, room, user_id, member, joined_ms, read_count, shown_count, pref)
            VALUES ($1, $2, $3, 0, $4, $5, $5, $6)
            ON CONFLICT (app, room, user_id) DO UPDATE SET pref = $6, left_ms = NULL";
        let values = binds![self.view.app, &room.room.id, user, at_ms, read_count, map_text(pref)];
        self.view.session.put(text, values).await
    }
}
