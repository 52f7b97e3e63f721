//! Changing, freezing, giving away and deleting rooms.

use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::{Act, Denied};
use banter_domain::record::{Action, Topic};
use banter_domain::room::{Room, RoomSeen};
use banter_store::{LockedRoom, Place};
use serde_json::json;

use super::RoomChange;
use super::seen::seen;
use crate::kept::Shown;
use crate::open::Open;
use crate::{Caller, Chat, Error, Result};

impl Chat {
    /// Changes a room (rest.md 3.6). Errors: [`Error::NoRoom`], [`Error::NoUser`],
    /// [`Error::NoMember`], refusals; then nothing of the change is done.
    pub async fn update_room(&self, caller: &Caller, id: &RoomId, change: RoomChange) -> Result<RoomSeen> {
        let mut open = self.begin(caller).await?;
        let mut room = open.lock_room(id).await?;
        open.judge_change(&room, &change).await?;
        if let Some(frozen) = change.frozen
            && frozen != room.frozen
        {
            open.tx.take_place(&mut room).await?;
            let action = if frozen { Action::Freeze } else { Action::Thaw };
            open.audit(action, None, Some(id), None, None).await?;
        }
        if let Some(owner) = &change.owner {
            open.give_away(&mut room, owner).await?;
        }
        if let Some(managers) = &change.managers {
            open.appoint(&room, managers).await?;
        }
        let words = open.words().await?;
        let mask = |new: Option<String>, old: &Option<String>| {
            new.map(|text| words.mask(&text).into_owned()).or_else(|| old.clone())
        };
        let now = Room {
            name: mask(change.name, &room.name),
            cover: change.cover.or_else(|| room.cover.clone()),
            description: mask(change.description, &room.description),
            tags: change.tags.unwrap_or_else(|| room.tags.clone()),
            webhook_by: if change.webhook.is_some() { open.setter() } else { room.webhook_by.clone() },
            webhook: change.webhook.or_else(|| room.webhook.clone()),
            bot_mode: change.bot_mode.unwrap_or(room.bot_mode),
            ext_params: change.ext_params.or_else(|| room.ext_params.clone()),
            closed: change.closed.unwrap_or(room.closed),
            frozen: change.frozen.unwrap_or(room.frozen),
            owner: change.owner.or_else(|| room.owner.clone()),
            ..(*room).clone()
        };
        if now.webhook.as_ref().is_some_and(|webhook| !webhook.is_empty()) && now.webhook != room.webhook {
            open.begin_webhooks().await?;
        }
        let frozen = (now.frozen != room.frozen).then(|| json!({ "frozen": now.frozen }));
        open.tx.save_room(&mut room, now).await?;
        open.event(Topic::Room, Some((id, room.last_seq)), Some(&caller.user()), frozen).await?;
        let seen = seen(&mut open.tx, &room, caller.viewer().as_ref()).await?;
        open.done().await?;
        Ok(seen)
    }

    /// Deletes a room with its messages; its bans stay on record. Errors:
    /// [`Error::NoRoom`], refusals.
    pub async fn delete_room(&self, caller: &Caller, id: &RoomId) -> Result<()> {
        let mut open = self.begin(caller).await?;
        let room = open.lock_room(id).await?;
        open.judge(Act::DeleteRoom, &room).await?;
        open.outdate_bans(&room).await?;
        open.audit(Action::DeleteRoom, None, Some(id), None, None).await?;
        open.event(Topic::RoomDeleted, Some((id, room.last_seq)), Some(&caller.user()), None).await?;
        open.tx.delete_room(room, open.now_ms).await?;
        open.done().await
    }
}

impl Open<'_> {
    /// Who sets something; `None`: the platform.
    pub(super) fn setter(&self) -> Option<UserId> {
        (!self.caller.is_platform()).then(|| self.caller.user())
    }

    /// A change is judged by its weightiest part first, and by every part.
    async fn judge_change(&mut self, room: &LockedRoom, change: &RoomChange) -> Result<()> {
        if change.frozen.is_some() {
            self.judge(Act::Freeze, room).await?;
        }
        if change.owner.is_some() || change.managers.is_some() {
            self.judge(Act::Appoint, room).await?;
        }
        let RoomChange { name, cover, description, tags, webhook, bot_mode, ext_params, closed, .. } = change;
        let looks = name.is_some() || cover.is_some();
        let inner = description.is_some()
            || tags.is_some()
            || webhook.is_some()
            || bot_mode.is_some()
            || ext_params.is_some()
            || closed.is_some();
        let other = change.frozen.is_some() || change.owner.is_some() || change.managers.is_some();
        if looks || inner || !other {
            let standing = self.judge(Act::UpdateRoom, room).await?;
            // Where nobody owns a room its members may name it, and no more.
            if inner && !self.caller.is_platform() && !standing.is_superuser() {
                return Err(Denied::NotPermitted(Act::UpdateRoom).into());
            }
        }
        Ok(())
    }

    /// Only the owner and the platform give a room away; a user only to somebody who is in it and
    /// not banned.
    async fn give_away(&mut self, room: &mut LockedRoom, owner: &UserId) -> Result<()> {
        if room.kind.is_direct() || !self.caller.is_platform() && room.owner.as_ref() != Some(&self.caller.user()) {
            return Err(Denied::NotPermitted(Act::Appoint).into());
        }
        if self.tx.user(owner).await?.is_none() {
            return Err(Error::NoUser);
        }
        let theirs = self.tx.standing(&room.id, owner).await?;
        if theirs.banned {
            return Err(Denied::TargetBanned.into());
        }
        if !theirs.member {
            if !self.caller.is_platform() {
                return Err(Error::NoMember);
            }
            self.tx.insert_member(room, owner, Place::default(), self.now_ms).await?;
        }
        let detail = json!({ "before": room.owner.as_ref().map(UserId::as_str) });
        self.audit(Action::Owner, Some(owner), Some(&room.id), Some(detail), None).await?;
        let app = self.app();
        self.outdates([Shown::Room(app, room.id.clone())]);
        Ok(())
    }

    /// Exactly these members are managers from now on.
    async fn appoint(&mut self, room: &LockedRoom, managers: &[UserId]) -> Result<()> {
        for seen in self.tx.members(&room.id).await? {
            let wanted = managers.contains(&seen.member.user);
            if wanted != seen.member.manager {
                self.tx.set_manager(room, &seen.member.user, wanted).await?;
                let detail = json!({ "manager": wanted });
                self.audit(Action::Role, Some(&seen.member.user), Some(&room.id), Some(detail), None).await?;
            }
        }
        for manager in managers {
            if !self.tx.member(&room.id, manager).await?.is_some_and(|member| member.manager) {
                return Err(Error::NoMember);
            }
        }
        Ok(())
    }
}
