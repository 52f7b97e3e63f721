//! Users, tokens, mutes, user groups.

use banter_domain::filter::Filter;
use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::{Act, Denied, may_hear_room};
use banter_domain::record::{Action, Topic};
use banter_domain::user::{Profile, User, UserChange, UserKind};
use banter_store::{Going, TokenRow};
use serde_json::{Map, Value, json};

use crate::kept::Shown;
use crate::open::Open;
use crate::{Caller, Chat, Error, Page, Result};

/// A user with what only he and the platform see.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user.
    pub user: User,
    /// The rooms he muted.
    pub mutes: Vec<RoomId>,
}

/// A token to be bound to a user.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The token; only its keyed hash is stored.
    pub token: String,
    /// When it runs out, milliseconds.
    pub expires_ms: i64,
}

/// A token's record, without the token.
#[derive(Debug, Clone, Copy)]
pub struct TokenRecord {
    /// When it was made, milliseconds.
    pub created_ms: i64,
    /// When it was last bound, milliseconds.
    pub updated_ms: i64,
    /// When it runs out, milliseconds.
    pub expires_ms: i64,
}

impl TokenRecord {
    pub(crate) fn of(row: &TokenRow) -> Self {
        let TokenRow { created_ms, updated_ms, expires_ms, .. } = *row;
        Self { created_ms, updated_ms, expires_ms }
    }
}

/// A user group: a virtual user whose members share its rooms.
#[derive(Debug, Clone)]
pub struct UserGroup {
    /// The virtual user.
    pub user: User,
    /// Who is in it.
    pub members: Vec<UserId>,
}

impl Chat {
    /// Makes or changes a user; only what is given changes (rest.md 2.1). With a grant, a token is
    /// bound to him beside those he has. Errors: [`Error::BadUser`] for the platform's own client,
    /// [`Error::TokenTaken`].
    pub async fn save_user(
        &self,
        caller: &Caller,
        id: UserId,
        change: UserChange,
        grant: Option<Grant>,
    ) -> Result<Account> {
        let mut open = self.begin(caller).await?;
        if let Some(grant) = &grant {
            open.bind(&id, grant).await?;
        }
        let user = open.save_user(id, change).await?;
        let mutes = open.tx.mutes(&user.profile.id).await?;
        open.done().await?;
        if let Some(grant) = &grant {
            self.end_tokens(caller.app.number, &[self.token_hash(&grant.token).hex()]);
        }
        Ok(Account { user, mutes })
    }

    /// Makes or changes many users, all or none. Errors as [`Chat::save_user`].
    pub async fn save_users(&self, caller: &Caller, mut users: Vec<(UserId, UserChange)>) -> Result<usize> {
        let count = users.len();
        let mut open = self.begin(caller).await?;
        // In one order, so that two calls that name the same people do not wait for each other.
        users.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (id, change) in users {
            open.save_user(id, change).await?;
        }
        open.done().await?;
        Ok(count)
    }

    /// A page of the app's users by id; people and robots, not user groups.
    pub async fn find_users(
        &self,
        caller: &Caller,
        filter: Option<&Filter>,
        limit: usize,
        skip: usize,
    ) -> Result<Page<Account>> {
        let mut view = self.store.view(caller.app.number).await?;
        let found = view.find_users(filter, limit, skip).await?;
        let ids: Vec<UserId> = found.users.iter().map(|user| user.profile.id.clone()).collect();
        let mut mutes = view.mutes_of(&ids).await?;
        let data = found
            .users
            .into_iter()
            .map(|user| Account { mutes: mutes.remove(&user.profile.id).unwrap_or_default(), user })
            .collect();
        Ok(Page { total: found.total, data })
    }

    /// Binds a token in place of all the user has (rest.md 2.4). Errors: [`Error::NoUser`],
    /// [`Error::TokenTaken`].
    pub async fn replace_token(&self, caller: &Caller, id: &UserId, grant: Grant) -> Result<Account> {
        if id.is_platform() {
            return Err(Error::BadUser);
        }
        let mut open = self.begin(caller).await?;
        // Tokens before users, as every act of a user locks them.
        let mut gone: Vec<String> = open.tx.delete_tokens(id, None).await?.into_iter().map(|(hash, _)| hash).collect();
        // That nobody is there comes before that somebody else has the token.
        if open.tx.user(id).await?.is_none() {
            return Err(Error::NoUser);
        }
        open.bind(id, &grant).await?;
        let user = open.tx.lock_user(id).await?.ok_or(Error::NoUser)?;
        open.note_revoked(id, gone.len()).await?;
        let mutes = open.tx.mutes(id).await?;
        open.done().await?;
        gone.push(self.token_hash(&grant.token).hex());
        self.end_tokens(caller.app.number, &gone);
        Ok(Account { user, mutes })
    }

    /// Revokes all tokens of a user, and his devices with them, or one (rest.md 2.5). No act begun with
    /// them after this returns succeeds. Errors: [`Error::NoUser`], [`Error::NoToken`].
    pub async fn revoke_tokens(&self, caller: &Caller, id: &UserId, token: Option<&str>) -> Result<Vec<TokenRecord>> {
        let mut open = self.begin(caller).await?;
        let hash = token.map(|token| self.token_hash(token).hex());
        let gone = open.tx.delete_tokens(id, hash.as_deref()).await?;
        if open.tx.user(id).await?.is_none() {
            return Err(Error::NoUser);
        }
        if gone.is_empty() && token.is_some() {
            return Err(Error::NoToken);
        }
        if token.is_none() {
            // Nothing is left that could hear, so nothing is to be told.
            open.tx.delete_devices(id, Going::All).await?;
        }
        open.note_revoked(id, gone.len()).await?;
        open.done().await?;
        let (hashes, records): (Vec<String>, Vec<TokenRecord>) =
            gone.into_iter().map(|(hash, row)| (hash, TokenRecord::of(&row))).unzip();
        self.end_tokens(caller.app.number, &hashes);
        Ok(records)
    }

    /// Deletes a user; blocks and bans against him stay. Errors: [`Error::NoUser`],
    /// [`Error::BadUser`] for the platform's own client.
    pub async fn delete_user(&self, caller: &Caller, id: &UserId) -> Result<()> {
        let mut open = self.begin(caller).await?;
        if id.is_platform() {
            return Err(Error::BadUser);
        }
        let gone: Vec<String> = open.tx.delete_tokens(id, None).await?.into_iter().map(|(hash, _)| hash).collect();
        for room in open.tx.rooms_of(id).await? {
            if let Some(room) = open.tx.lock_room(&room).await?
                && open.tx.delete_member(&room, id, open.now_ms).await?
            {
                open.room_changed(&room).await?;
            }
        }
        if open.tx.lock_user(id).await?.is_none() {
            return Err(Error::NoUser);
        }
        open.tx.delete_user(id).await?;
        open.audit(Action::DeleteUser, Some(id), None, None, None).await?;
        open.event(Topic::User, None, Some(id), Some(json!({ "deleted": true }))).await?;
        let app = open.app();
        open.outdates([Shown::User(app, id.clone()), Shown::MadeBy(app, id.clone())]);
        open.done().await?;
        self.end_tokens(caller.app.number, &gone);
        Ok(())
    }

    /// The caller himself. Errors: [`Error::NoUser`] if an API key names nobody who exists.
    pub async fn account(&self, caller: &Caller) -> Result<Account> {
        let id = caller.user();
        let mut view = self.store.view(caller.app.number).await?;
        let user = view.user(&id).await?.ok_or(Error::NoUser)?;
        Ok(Account { mutes: view.mutes(&id).await?, user })
    }

    /// Puts a room on a user's mute list, or takes it off; notifications only. Users mute for
    /// themselves, the platform for anybody. Errors: [`Error::NoUser`], [`Error::NoRoom`], and if
    /// `must_be_muted`, [`Error::NotMuted`].
    pub async fn mute(
        &self,
        caller: &Caller,
        id: &UserId,
        room: &RoomId,
        on: bool,
        must_be_muted: bool,
    ) -> Result<Account> {
        let mut open = self.begin(caller).await?;
        if !caller.is_platform() && caller.user() != *id {
            return Err(Denied::NotPermitted(Act::Operate).into());
        }
        let user = open.tx.lock_user(id).await?.ok_or(Error::NoUser)?;
        let known = open.tx.room(room).await?.is_some();
        // To a user, a room he is not in is none: he learns of no room by muting it.
        let there = known && (caller.is_platform() || may_hear_room(open.tx.standing(room, id).await?));
        // What is on his list can be taken off it, whatever became of the room.
        let changed = if there || !on { open.tx.set_mute(id, room, on).await? } else { false };
        if !there && !changed {
            return Err(Error::NoRoom);
        }
        if must_be_muted && !changed {
            return Err(Error::NotMuted);
        }
        open.user_changed(id).await?;
        let mutes = open.tx.mutes(id).await?;
        open.done().await?;
        Ok(Account { user, mutes })
    }

    /// Makes a user group. Errors: [`Error::GroupExists`], [`Error::NoUser`].
    pub async fn create_group(
        &self,
        caller: &Caller,
        id: Option<UserId>,
        nickname: String,
        avatar_url: Option<String>,
        members: Vec<UserId>,
    ) -> Result<UserGroup> {
        let mut open = self.begin(caller).await?;
        let id = match id {
            Some(id) => id,
            None => UserId::parse(open.new_id().to_string()).map_err(|_| Error::BadUser)?,
        };
        if open.tx.user(&id).await?.is_some() {
            return Err(Error::GroupExists);
        }
        let known = open.tx.users(&members).await?;
        if members.iter().any(|member| known.get(member).is_none_or(|user| user.kind == UserKind::Group)) {
            return Err(Error::NoUser);
        }
        let words = open.words().await?;
        let mut user = new_user(id.clone(), open.now_ms);
        user.kind = UserKind::Group;
        user.profile.nickname = Some(words.mask(&nickname).into_owned());
        user.profile.avatar_url = avatar_url;
        if !open.tx.insert_user(&user).await? {
            return Err(Error::GroupExists);
        }
        open.event(Topic::User, None, Some(&id), None).await?;
        let app = open.app();
        open.outdates([Shown::User(app, id.clone())]);
        let mut distinct: Vec<UserId> = Vec::new();
        for member in members {
            if !distinct.contains(&member) {
                open.tx.insert_group_member(&id, &member).await?;
                distinct.push(member);
            }
        }
        open.done().await?;
        Ok(UserGroup { user, members: distinct })
    }

    /// The app's user groups by id, at most `limit`.
    pub async fn groups(&self, caller: &Caller, limit: usize) -> Result<Page<UserGroup>> {
        let mut view = self.store.view(caller.app.number).await?;
        let found = view.groups(limit).await?;
        let ids: Vec<UserId> = found.users.iter().map(|user| user.profile.id.clone()).collect();
        let mut members = view.group_members(&ids).await?;
        let data = found
            .users
            .into_iter()
            .map(|user| UserGroup { members: members.remove(&user.profile.id).unwrap_or_default(), user })
            .collect();
        Ok(Page { total: found.total, data })
    }
}

impl Open<'_> {
    /// Writes a user with what a change gives.
    pub(crate) async fn save_user(&mut self, id: UserId, change: UserChange) -> Result<User> {
        if id.is_platform() {
            return Err(Error::BadUser);
        }
        let words = self.words().await?;
        let mut user = match self.tx.lock_user(&id).await? {
            Some(known) => known,
            None => {
                // If somebody else makes him at this moment, what he writes is kept.
                let new = new_user(id.clone(), self.now_ms);
                if self.tx.insert_user(&new).await? { new } else { self.tx.lock_user(&id).await?.unwrap_or(new) }
            }
        };
        if let Some(nickname) = change.nickname {
            user.profile.nickname = Some(words.mask(&nickname).into_owned());
        }
        user.profile.avatar_url = change.avatar_url.or(user.profile.avatar_url);
        user.description = match change.description {
            Some(text) => Some(words.mask(&text).into_owned()),
            None => user.description,
        };
        user.is_robot = change.is_robot.unwrap_or(user.is_robot);
        user.profile.last_login_ms = change.last_login_ms.unwrap_or(user.profile.last_login_ms);
        user.created_ms = change.created_ms.unwrap_or(user.created_ms);
        user.updated_ms = self.now_ms;
        for (name, value) in change.custom {
            match value {
                Value::Null => drop(user.custom.remove(&name)),
                value => drop(user.custom.insert(name, value)),
            }
        }
        self.tx.put_user(&user).await?;
        self.user_changed(&user.profile.id).await?;
        let app = self.app();
        self.outdates([Shown::User(app, user.profile.id.clone())]);
        Ok(user)
    }

    /// Tells that a user's own data changed; figures know it from him if he did it himself.
    pub(crate) async fn user_changed(&mut self, id: &UserId) -> Result<()> {
        let payload = (self.caller.user() == *id).then(|| json!({ "itself": true }));
        self.event(Topic::User, None, Some(id), payload).await
    }

    /// Binds a token to a user. Errors: [`Error::TokenTaken`] if another has it.
    async fn bind(&mut self, id: &UserId, grant: &Grant) -> Result<()> {
        let hash = self.chat.token_hash(&grant.token);
        let known = self.tx.token(&hash.hex()).await?;
        if known.as_ref().is_some_and(|known| known.user != *id) {
            return Err(Error::TokenTaken);
        }
        let row = TokenRow {
            user: id.clone(),
            created_ms: known.map_or(self.now_ms, |known| known.created_ms),
            updated_ms: self.now_ms,
            expires_ms: grant.expires_ms,
        };
        if self.tx.put_token(&hash.hex(), &row).await? { Ok(()) } else { Err(Error::TokenTaken) }
    }

    pub(crate) async fn note_revoked(&mut self, id: &UserId, count: usize) -> Result<()> {
        let detail = json!({ "tokens": count });
        self.audit(Action::RevokeTokens, Some(id), None, Some(detail.clone()), None).await?;
        self.event(Topic::TokensRevoked, None, Some(id), Some(detail)).await
    }
}

pub(crate) fn new_user(id: UserId, now_ms: i64) -> User {
    User {
        profile: Profile { id, nickname: None, avatar_url: None, last_login_ms: 0 },
        kind: UserKind::Person,
        description: None,
        is_robot: false,
        notifications: true,
        created_ms: now_ms,
        updated_ms: now_ms,
        last_room_ms: None,
        custom: Map::new(),
    }
}
