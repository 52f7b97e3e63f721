//! What a user does about himself.

use banter_domain::id::UserId;
use banter_domain::user::UserChange;
use banter_store::Going;

use crate::kept::Shown;
use crate::users::{Account, TokenRecord};
use crate::{Caller, Chat, Error, Result, Who};

impl Chat {
    /// Changes the caller's own profile. Errors: [`Error::BadUser`] for the platform's own client.
    pub async fn change_me(&self, caller: &Caller, change: UserChange) -> Result<Account> {
        let mut open = self.begin(caller).await?;
        let id = caller.user();
        let user = open.save_user(id, change).await?;
        let mutes = open.tx.mutes(&user.profile.id).await?;
        open.done().await?;
        Ok(Account { user, mutes })
    }

    /// Does the caller want notifications at all? Errors: [`Error::NoUser`].
    pub async fn set_notifications(&self, caller: &Caller, on: bool) -> Result<Account> {
        let mut open = self.begin(caller).await?;
        let id = caller.user();
        let mut user = open.tx.lock_user(&id).await?.ok_or(Error::NoUser)?;
        user.notifications = on;
        open.tx.put_user(&user).await?;
        open.user_changed(&id).await?;
        let app = open.app();
        open.outdates([Shown::User(app, id.clone())]);
        let mutes = open.tx.mutes(&id).await?;
        open.done().await?;
        Ok(Account { user, mutes })
    }

    /// Ends the token the caller came with (rest.md 0.2, logout), or all his others. An API key that
    /// names a user ends all of that user's. When this returns nothing is done or heard by them any
    /// more. `device`: what the caller's client calls the device it runs on; that device, or all
    /// others, are notified no more. Whose tokens all end, has no device any more. Answers with the records
    /// of what ended.
    pub async fn log_out(&self, caller: &Caller, others: bool, device: Option<&str>) -> Result<Vec<TokenRecord>> {
        let mut open = self.begin(caller).await?;
        let id: UserId = caller.user();
        let going = match (&caller.who, device) {
            (Who::Platform { .. }, _) => Some(Going::All),
            (Who::User { .. }, device) if others => device.map(Going::AllBut),
            (Who::User { .. }, device) => device.map(Going::Named),
        };
        let gone = match &caller.who {
            Who::User { token, .. } if others => open.tx.delete_other_tokens(&id, &token.hex()).await?,
            Who::User { token, .. } => open.tx.delete_tokens(&id, Some(&token.hex())).await?,
            Who::Platform { .. } => open.tx.delete_tokens(&id, None).await?,
        };
        if let Some(going) = going {
            open.tx.delete_devices(&id, going).await?;
        }
        open.note_revoked(&id, gone.len()).await?;
        open.done().await?;
        let (hashes, records): (Vec<String>, Vec<TokenRecord>) =
            gone.into_iter().map(|(hash, row)| (hash, TokenRecord::of(&row))).unzip();
        self.end_tokens(caller.app.number, &hashes);
        Ok(records)
    }
}
