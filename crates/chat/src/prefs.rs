//! What users keep for their own clients. Nobody else ever sees any of it (L-38).

use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::{expect_not_shut_out, hears};
use banter_domain::record::Topic;
use banter_domain::user::UserKind;
use serde_json::{Map, Value, json};

use crate::open::Open;
use crate::rooms::OwnRooms;
use crate::{Caller, Chat, Error, Result};

/// The most preferences a user may have.
const MAX_PREFS: usize = 200;

impl Chat {
    /// The caller's preferences, by name.
    pub async fn prefs(&self, caller: &Caller) -> Result<Vec<(String, Value)>> {
        Ok(self.store.view(caller.app.number).await?.prefs(&caller.user()).await?)
    }

    /// Sets one of the caller's preferences. Errors: [`Error::NoUser`], [`Error::TooMuch`].
    pub async fn set_pref(&self, caller: &Caller, name: &str, value: &Value) -> Result<()> {
        let mut open = self.begin(caller).await?;
        let user = caller.user();
        open.tx.lock_user(&user).await?.ok_or(Error::NoUser)?;
        let known = open.tx.prefs(&user).await?;
        if known.len() >= MAX_PREFS && !known.iter().any(|(known, _)| known == name) {
            return Err(Error::TooMuch(format!("a user has at most {MAX_PREFS} preferences")));
        }
        open.tx.put_pref(&user, name, value).await?;
        open.event(Topic::Pref, None, Some(&user), Some(json!({ "name": name, "value": value }))).await?;
        open.done().await
    }

    /// Takes one of the caller's preferences away; one that is not there changes nothing.
    pub async fn delete_pref(&self, caller: &Caller, name: &str) -> Result<()> {
        let mut open = self.begin(caller).await?;
        let user = caller.user();
        open.tx.lock_user(&user).await?.ok_or(Error::NoUser)?;
        if open.tx.delete_pref(&user, name).await? {
            open.event(Topic::Pref, None, Some(&user), Some(json!({ "name": name }))).await?;
        }
        open.done().await
    }

    /// The caller's preferences for his rooms, those that have any.
    pub async fn room_prefs(&self, caller: &Caller) -> Result<Vec<(RoomId, Map<String, Value>)>> {
        let mut view = self.store.view(caller.app.number).await?;
        let user = caller.user();
        let (mut own, mut found) = (OwnRooms::of(&user), Vec::new());
        while let Some(some) = own.next(&mut view).await? {
            let set = some.into_iter().filter(|own| !own.pref.is_empty());
            found.extend(set.map(|own| (own.room.id, own.pref)));
        }
        Ok(found)
    }

    /// Changes the caller's preferences for a room he is in, and answers with all of them; null takes
    /// one away. Errors: [`Error::NoRoom`].
    pub async fn change_room_pref(
        &self,
        caller: &Caller,
        room: &RoomId,
        changes: Map<String, Value>,
    ) -> Result<Map<String, Value>> {
        let mut open = self.begin(caller).await?;
        let pref = open.change_room_pref(room, changes).await?;
        open.done().await?;
        Ok(pref)
    }
}

impl Chat {
    /// What a user group the caller is in keeps about his rooms. Errors: [`Error::NoGroup`].
    pub async fn group_prefs(&self, caller: &Caller, group: &UserId) -> Result<Vec<(RoomId, Map<String, Value>)>> {
        let mut view = self.store.view(caller.app.number).await?;
        let user = caller.user();
        if !caller.is_platform() && !view.is_in_group(group, &user).await? {
            return Err(Error::NoGroup);
        }
        let (mut own, mut found) = (OwnRooms::of(if caller.is_platform() { group } else { &user }), Vec::new());
        while let Some(some) = own.next(&mut view).await? {
            let ids: Vec<RoomId> = some.into_iter().map(|own| own.room.id).collect();
            found.extend(view.group_prefs(group, &ids).await?);
        }
        Ok(found)
    }

    /// Changes what a user group the caller is in keeps about a room he is in; null takes one away. Errors:
    /// [`Error::NoGroup`], [`Error::NoRoom`].
    pub async fn change_group_pref(
        &self,
        caller: &Caller,
        room: &RoomId,
        group: &UserId,
        changes: Map<String, Value>,
    ) -> Result<Map<String, Value>> {
        let mut open = self.begin(caller).await?;
        let room = open.lock_room(room).await?;
        if !caller.is_platform() {
            let user = caller.user();
            // To a user, a room he is not in is none.
            let standing = open.tx.standing(&room.id, &user).await?;
            if !hears(standing) {
                return Err(Error::NoRoom);
            }
            if !open.tx.is_in_group(group, &user).await? {
                return Err(Error::NoGroup);
            }
            // The others of the group read it.
            expect_not_shut_out(standing)?;
        } else if open.tx.user(group).await?.is_none_or(|user| user.kind != UserKind::Group) {
            return Err(Error::NoGroup);
        }
        let mut pref = open.tx.group_pref(group, &room.id).await?;
        apply(&mut pref, changes);
        open.tx.put_group_pref(&room, group, &pref).await?;
        open.done().await?;
        Ok(pref)
    }
}

/// Changes preferences; null takes one away.
fn apply(pref: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (name, value) in changes {
        match value {
            Value::Null => drop(pref.remove(&name)),
            value => drop(pref.insert(name, value)),
        }
    }
}

impl Open<'_> {
    async fn change_room_pref(&mut self, id: &RoomId, changes: Map<String, Value>) -> Result<Map<String, Value>> {
        let room = self.lock_room(id).await?;
        let user = self.caller.user();
        let outlook = self.tx.outlook(&room, &user).await?;
        // To a user, a room he is not in is none.
        if !hears(outlook.standing) {
            return Err(Error::NoRoom);
        }
        let mut pref = outlook.pref;
        apply(&mut pref, changes);
        let read = self.tx.read_mark(id, &user).await?.unwrap_or(0);
        self.tx.set_room_pref(&room, &user, &pref, read, self.now_ms).await?;
        let payload = json!({ "room": id.as_str(), "pref": pref });
        self.event(Topic::RoomPref, None, Some(&user), Some(payload)).await?;
        Ok(pref)
    }
}
