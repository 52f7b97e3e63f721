//! Being asked into rooms (rest.md 3.13). One accepts by joining.

use banter_domain::id::{RoomId, UserId};
use banter_domain::message::Kind;
use banter_domain::moderation::Act;
use banter_domain::record::Topic;
use banter_domain::room::InvitationSeen;
use serde_json::json;

use super::readable;
use crate::{Caller, Chat, Page, Result};

impl Chat {
    /// Where the caller is asked to come, the newest first. What somebody asks whom he has blocked does not
    /// reach him.
    pub async fn my_invitations(&self, caller: &Caller, skip: usize, limit: usize) -> Result<Page<InvitationSeen>> {
        let mut view = self.store.view(caller.app.number).await?;
        let (total, data) = view.invitations_to(&caller.user(), skip, limit).await?;
        Ok(Page { total, data })
    }

    /// Who is asked into a room, the newest first. Errors: [`crate::Error::NoRoom`], refusals.
    pub async fn invitations_into(
        &self,
        caller: &Caller,
        room: &RoomId,
        skip: usize,
        limit: usize,
    ) -> Result<Page<InvitationSeen>> {
        let mut view = self.store.view(caller.app.number).await?;
        readable(&mut view, caller, room, Act::ReadRoom).await?;
        let (total, data) = view.invitations_into(room, skip, limit).await?;
        Ok(Page { total, data })
    }

    /// The caller will not come. Where nobody asked him nothing changes, and he learns of no room.
    pub async fn decline_invitation(&self, caller: &Caller, room: &RoomId) -> Result<()> {
        let mut open = self.begin(caller).await?;
        let user = caller.user();
        if open.tx.delete_invitation(room, &user).await? {
            // For his other devices.
            let payload = json!({ "room": room.as_str() });
            open.event(Topic::Uninvited, None, Some(&user), Some(payload)).await?;
        }
        open.done().await
    }

    /// Takes invitations back: those the caller made; owner, managers and the platform anybody's. Whoever is
    /// not asked is passed over. Errors: [`crate::Error::NoRoom`], refusals.
    pub async fn cancel_invitations(
        &self,
        caller: &Caller,
        room: &RoomId,
        invitees: Vec<UserId>,
        say: bool,
    ) -> Result<()> {
        let mut open = self.begin(caller).await?;
        let mut room = open.lock_room(room).await?;
        let asked = open.tx.invitations_among(&room.id, &invitees).await?;
        let user = caller.user();
        open.judge_on(Act::Uninvite, &room, asked.iter().all(|asked| asked.inviter == user)).await?;
        for asked in &asked {
            // Whoever was never told of it, because he blocks the inviter, is not told of its end.
            let reached = open.tx.invitation(&room.id, &asked.invitee).await?.is_some();
            open.tx.delete_invitation(&room.id, &asked.invitee).await?;
            if reached {
                let payload = json!({ "room": room.id.as_str(), "inviter": asked.inviter.as_str() });
                open.event(Topic::Uninvited, None, Some(&asked.invitee), Some(payload)).await?;
            }
        }
        if say && !asked.is_empty() {
            let gone: Vec<UserId> = asked.into_iter().map(|asked| asked.invitee).collect();
            open.say(&mut room, Kind::CancelInvitations, &user, &gone).await?;
        }
        open.done().await
    }

    /// An invitation as its invitee sees it now. `None`: it is over, or does not reach him.
    pub async fn invitation(&self, app: i64, room: &RoomId, invitee: &UserId) -> Result<Option<InvitationSeen>> {
        Ok(self.store.view(app).await?.invitation(room, invitee).await?)
    }
}
