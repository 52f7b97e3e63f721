//! What one does over a socket only: coming, and typing.

use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::Act;
use banter_domain::user::Profile;

use crate::kept::Shown;
use crate::messages::Speaker;
use crate::users::Account;
use crate::{Caller, Chat, Error, Result};

impl Chat {
    /// A user has come: his last login is now. Answers with his own view of himself. Errors:
    /// [`Error::TokenGone`], [`Error::NoUser`].
    pub async fn log_in(&self, caller: &Caller) -> Result<Account> {
        let mut open = self.begin(caller).await?;
        let id = caller.user();
        let mut user = open.tx.lock_user(&id).await?.ok_or(Error::NoUser)?;
        user.profile.last_login_ms = user.profile.last_login_ms.max(open.now_ms);
        open.tx.put_user(&user).await?;
        let app = open.app();
        open.outdates([Shown::User(app, id.clone())]);
        let mutes = open.tx.mutes(&id).await?;
        open.done().await?;
        Ok(Account { user, mutes })
    }

    /// The caller, or the user for whom an API key acts, types in a room; nothing is stored. `tell` is called while the
    /// room is locked: after a ban, block or removal was acknowledged nobody is told. `listeners`: who might be;
    /// those of them are told who are in the room. Answers with the text as it was told, sensitive words masked (N-28).
    /// Errors: [`Error::NoRoom`], refusals.
    pub async fn typing(
        &self,
        caller: &Caller,
        room: &RoomId,
        text: &str,
        listeners: &[UserId],
        tell: impl FnOnce(&Profile, &str, &[UserId]) + Send,
    ) -> Result<String> {
        let mut open = self.begin(caller).await?;
        let Speaker { user: typist, actor, .. } = open.speaker(caller.on_behalf_of().cloned(), false).await?;
        let room = open.lock_room(room).await?;
        open.judge_as(Act::Type, &room, &typist.profile.id, actor, false).await?;
        let hear = open.tx.hearers_among(&room.id, listeners).await?;
        let shown = open.words().await?.mask(text).into_owned();
        tell(&typist.profile, &shown, &hear);
        open.done().await?;
        Ok(shown)
    }
}
