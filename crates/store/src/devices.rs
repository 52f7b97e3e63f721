//! Devices that registered for notifications.

use banter_domain::id::{RoomId, UserId};
use banter_domain::push::{Device, DeviceKind, DeviceToken, Service};

use crate::members::parsed;
use crate::read::Read;
use crate::sql::{Row, Value, binds};
use crate::{Error, Result, Tx, View};

/// Whose devices are asked for.
#[derive(Debug, Clone, Copy)]
pub enum Among<'a> {
    /// Those who are in a room themselves.
    Room(&'a RoomId),
    /// The people of a user group who are not in a room themselves.
    Group(&'a UserId, &'a RoomId),
}

/// Which of a user's devices go.
#[derive(Debug, Clone, Copy)]
pub enum Going<'a> {
    /// All.
    All,
    /// Those of this name.
    Named(&'a str),
    /// All but those of this name.
    AllBut(&'a str),
}

/// What somebody wants, as far as it concerns a notification.
#[derive(Debug, Clone, Copy)]
pub struct Wishes {
    /// Notifications at all.
    pub any: bool,
    /// None from this room.
    pub muted: bool,
}

fn device(mut row: Row) -> Result<Device> {
    let corrupt = |what: &str| Error::Corrupt(format!("a device with {what}"));
    Ok(Device {
        user: row.user(0)?,
        name: row.text(1)?,
        kind: DeviceKind::parse(row.str(2)?).ok_or_else(|| corrupt("an unknown kind"))?,
        token: DeviceToken::parse(row.text(3)?).ok_or_else(|| corrupt("a token that is none"))?,
        since_ms: row.int(4)?,
    })
}

/// The kinds of devices a service reaches.
fn kinds(service: Service) -> Value {
    let kinds = DeviceKind::ALL.into_iter().filter(|kind| kind.service() == Some(service));
    Value::Texts(kinds.map(|kind| kind.name().to_owned()).collect())
}

impl View {
    /// A page of the devices a service reaches, in the order of their owners, after one of them.
    /// Whoever has no such device costs a look at an index and is not read.
    pub async fn devices_among(
        &mut self,
        among: Among<'_>,
        service: Service,
        after: Option<&Device>,
        limit: usize,
    ) -> Result<Vec<Device>> {
        // Spelt from the owners to their devices, as both engines should go: a page ends where it is full.
        let (text, of, room) = match among {
            Among::Room(room) => (
                "SELECT d.user_id, d.name, d.kind, d.token, d.since_ms FROM members m CROSS JOIN devices d
                 WHERE m.app = $1 AND m.room = $2 AND m.user_id >= $3 AND m.member = 1
                    AND d.app = m.app AND d.user_id = m.user_id AND (d.user_id, d.name, d.kind) > ($3, $4, $5)
                    AND d.kind = ANY($6) ORDER BY m.user_id, d.name, d.kind LIMIT $7",
                room.as_str(),
                None,
            ),
            Among::Group(group, room) => (
                "SELECT d.user_id, d.name, d.kind, d.token, d.since_ms FROM group_members g CROSS JOIN devices d
                 WHERE g.app = $1 AND g.grp = $2 AND g.user_id >= $3
                    AND d.app = g.app AND d.user_id = g.user_id AND (d.user_id, d.name, d.kind) > ($3, $4, $5)
                    AND d.kind = ANY($6) AND NOT EXISTS (SELECT 1 FROM members m WHERE m.app = g.app AND m.room = $8
                        AND m.user_id = g.user_id AND m.member = 1)
                 ORDER BY g.user_id, d.name, d.kind LIMIT $7",
                group.as_str(),
                Some(room),
            ),
        };
        let (user, name, kind) = after.map_or(("", "", ""), |last| {
            let Device { user, name, kind, .. } = last;
            (user.as_str(), name.as_str(), kind.name())
        });
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut values = binds![self.app, of, user, name, kind, kinds(service), limit];
        values.extend(room.map(Value::from));
        let rows = self.session.rows(text, values).await?;
        rows.into_iter().map(device).collect()
    }

    /// The user groups that are in a room.
    pub async fn groups_in(&mut self, room: &RoomId) -> Result<Vec<UserId>> {
        let text = "SELECT m.user_id FROM members m JOIN users u ON u.app = m.app AND u.id = m.user_id
            WHERE m.app = $1 AND m.room = $2 AND m.member = 1 AND u.kind = 'group' ORDER BY m.user_id";
        let rows = self.session.rows(text, binds![self.app, room]).await?;
        rows.into_iter().map(|mut row| row.user(0)).collect()
    }

    /// All devices of some users that a service reaches.
    pub async fn devices_of(&mut self, users: &[UserId], service: Service) -> Result<Vec<Device>> {
        let text = "SELECT user_id, name, kind, token, since_ms FROM devices
            WHERE app = $1 AND user_id = ANY($2) AND kind = ANY($3) ORDER BY user_id, name, kind";
        let rows = self.session.rows(text, binds![self.app, users, kinds(service)]).await?;
        rows.into_iter().map(device).collect()
    }

    /// What the owner of a device wants; `room`: where something is said. `None`: it is not registered
    /// as it was any more.
    pub async fn wishes(&mut self, device: &Device, room: Option<&RoomId>) -> Result<Option<Wishes>> {
        let text = "SELECT u.notifications,
                EXISTS (SELECT 1 FROM mutes WHERE app = $1 AND user_id = $2 AND room = $6),
                (SELECT pref FROM members WHERE app = $1 AND room = $6 AND user_id = $2)
            FROM devices d JOIN users u ON u.app = d.app AND u.id = d.user_id
            WHERE d.app = $1 AND d.user_id = $2 AND d.name = $3 AND d.kind = $4 AND d.token = $5";
        let Device { user, name, kind, token, .. } = device;
        let room = room.map(RoomId::as_str).unwrap_or_default();
        let values = binds![self.app, user, name.as_str(), kind.name(), token.reveal(), room];
        let Some(mut row) = self.session.rows(text, values).await?.into_iter().next() else { return Ok(None) };
        let pref = row.text_opt(2)?.map(|text| parsed(&text)).transpose()?.unwrap_or_default();
        let muted = row.flag(1)? || pref.get("muted").is_some_and(|muted| muted == true);
        Ok(Some(Wishes { any: row.flag(0)?, muted }))
    }
}

impl Tx {
    /// Registers a device: in place of what its owner had under this name and kind, and in place of
    /// whoever had its token. Its owner's row is to be locked.
    pub async fn put_device(&mut self, device: &Device) -> Result<()> {
        let Device { user, name, kind, token, since_ms } = device;
        self.delete_device(user, name, *kind).await?;
        let text = "INSERT INTO devices (app, user_id, name, kind, token, since_ms) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (app, token) DO UPDATE SET user_id = $2, name = $3, kind = $4, since_ms = $6";
        let values = binds![self.view.app, user, name.as_str(), kind.name(), token.reveal(), *since_ms];
        self.view.session.put(text, values).await
    }

    /// Leaves a user this many devices, those that registered last. His row is to be locked.
    pub async fn bound_devices(&mut self, user: &UserId, most: usize) -> Result<()> {
        let text = "SELECT user_id, name, kind, token, since_ms FROM devices WHERE app = $1 AND user_id = $2
            ORDER BY since_ms DESC, name, kind";
        let rows = self.view.session.rows(text, binds![self.view.app, user]).await?;
        for row in rows.into_iter().skip(most) {
            let Device { name, kind, .. } = device(row)?;
            self.delete_device(user, &name, kind).await?;
        }
        Ok(())
    }

    /// Takes a device off. False: it is not registered.
    pub async fn delete_device(&mut self, user: &UserId, name: &str, kind: DeviceKind) -> Result<bool> {
        let text = "DELETE FROM devices WHERE app = $1 AND user_id = $2 AND name = $3 AND kind = $4";
        Ok(self.view.session.run(text, binds![self.view.app, user, name, kind.name()]).await? > 0)
    }

    /// Takes off some of a user's devices.
    pub async fn delete_devices(&mut self, user: &UserId, going: Going<'_>) -> Result<()> {
        let (more, name) = match going {
            Going::All => ("", None),
            Going::Named(name) => (" AND name = $3", Some(name)),
            Going::AllBut(name) => (" AND name <> $3", Some(name)),
        };
        let text = format!("DELETE FROM devices WHERE app = $1 AND user_id = $2{more}");
        let mut values = binds![self.view.app, user];
        values.extend(name.map(Value::from));
        self.view.session.put(&text, values).await
    }

    /// Takes a device off that its service no longer knows, unless it registered again meanwhile.
    pub async fn delete_dead(&mut self, device: &Device) -> Result<()> {
        let Device { user, name, kind, token, since_ms } = device;
        let text = "DELETE FROM devices WHERE app = $1 AND user_id = $2 AND name = $3 AND kind = $4 AND token = $5
            AND since_ms = $6";
        let values = binds![self.view.app, user, name.as_str(), kind.name(), token.reveal(), *since_ms];
        self.view.session.put(text, values).await
    }
}
