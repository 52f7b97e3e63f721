//! Who asks: apps by their keys, users by their tokens.
//!
//! What was asked before is remembered only where this process is the whole server, but for what never
//! changes: an app's client key. Even there every write looks at its token again inside its transaction.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use banter_domain::id::{AppId, UserId};
use banter_domain::moderation::Actor;
use banter_domain::record::{Action, Doer, Entry};
use banter_domain::user::{Profile, User, UserKind};
use banter_store::{AppRow, Tx};
use serde_json::Map;

use crate::{Chat, Error, Result};

mod lookups;

use lookups::Lookups;

/// An app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// The number its rows begin with.
    pub number: i64,
    /// Its name.
    pub id: AppId,
    /// Its client key, which is public.
    pub client_key: String,
    /// The last four characters of its API key.
    pub api_key_tail: String,
    /// When it was made, milliseconds.
    pub created_ms: i64,
}

impl From<AppRow> for App {
    fn from(row: AppRow) -> Self {
        Self {
            number: row.number,
            id: row.id,
            client_key: row.client_key,
            api_key_tail: row.api_key_tail,
            created_ms: row.created_ms,
        }
    }
}

impl App {
    /// Has it keys yet? One that an import made gets them at a start that names it.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.client_key.starts_with(NO_KEY)
    }
}

/// What stands in place of the keys of an app that has none yet. No key is looked up that begins
/// so, and no hash does.
const NO_KEY: &str = "none:";

/// The keyed hash of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// As it is stored.
    pub(crate) fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

/// Whoever calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Of which app.
    pub app: Arc<App>,
    /// Platform or user.
    pub who: Who,
    /// From which address, for the audit.
    pub address: Option<IpAddr>,
}

/// The platform or a user.
#[derive(Debug, Clone)]
pub enum Who {
    /// An API key, perhaps naming a user for whom it acts.
    Platform {
        /// That user.
        on_behalf_of: Option<UserId>,
    },
    /// A user with his token.
    User {
        /// Who.
        id: UserId,
        /// By which token; it is looked at again in every write.
        token: TokenHash,
    },
}

impl Caller {
    /// The user who acts; for an API key that names none, the platform's own client.
    #[must_use]
    pub fn user(&self) -> UserId {
        match &self.who {
            Who::User { id, .. } | Who::Platform { on_behalf_of: Some(id) } => id.clone(),
            Who::Platform { on_behalf_of: None } => UserId::platform(),
        }
    }

    /// Does an API key call?
    #[must_use]
    pub fn is_platform(&self) -> bool {
        matches!(self.who, Who::Platform { .. })
    }

    pub(crate) fn actor(&self) -> Actor {
        match &self.who {
            Who::User { .. } => Actor::User,
            Who::Platform { on_behalf_of: Some(_) } => Actor::PlatformAs,
            Who::Platform { on_behalf_of: None } => Actor::Platform,
        }
    }

    pub(crate) fn doer(&self) -> Doer {
        match &self.who {
            Who::User { id, .. } => Doer::User(id.clone()),
            Who::Platform { .. } => Doer::Platform,
        }
    }
}

/// At most so many tokens are remembered; past it all are forgotten.
const REMEMBERED_TOKENS: usize = 100_000;

#[derive(Default)]
struct Tokens {
    /// Moves with every revocation, so that what was read before one is not remembered after it.
    generation: u64,
    /// Keyed by what nobody can choose, so a quick hash will do.
    known: HashMap<(i64, TokenHash), (UserId, i64), foldhash::fast::RandomState>,
}

#[derive(Default)]
struct Apps {
    by_api_key_hash: HashMap<String, Arc<App>>,
    by_client_key: HashMap<String, Arc<App>>,
}

/// What was asked before.
pub(crate) struct Cache {
    alone: bool,
    apps: RwLock<Apps>,
    tokens: RwLock<Tokens>,
    lookups: Lookups,
}

impl Cache {
    pub(crate) fn new(alone: bool) -> Self {
        Self { alone, apps: RwLock::default(), tokens: RwLock::default(), lookups: Lookups::default() }
    }

    fn app(&self, find: impl FnOnce(&Apps) -> Option<&Arc<App>>) -> Option<Arc<App>> {
        find(&self.apps.read().unwrap_or_else(PoisonError::into_inner)).cloned()
    }

    fn remember_app(&self, remember: impl FnOnce(&mut Apps)) {
        remember(&mut self.apps.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn forget_apps(&self) {
        *self.apps.write().unwrap_or_else(PoisonError::into_inner) = Apps::default();
    }

    /// After the commit of a revocation or of a new binding, before it is acknowledged.
    fn forget_tokens(&self, app: i64, hashes: &[TokenHash]) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.generation += 1;
        for hash in hashes {
            tokens.known.remove(&(app, *hash));
        }
    }
}

impl Chat {
    /// Forgets tokens that ended, or are bound anew, and lets nobody hear by them any more. After the
    /// commit, before it is acknowledged. `hashes`: as they are stored.
    pub(crate) fn end_tokens(&self, app: i64, hashes: &[String]) {
        let read = |hash: &String| blake3::Hash::from_hex(hash).ok().map(|hash| TokenHash(*hash.as_bytes()));
        let hashes: Vec<TokenHash> = hashes.iter().filter_map(read).collect();
        self.access.forget_tokens(app, &hashes);
        self.each_ear(|ears| ears.revoked(app, &hashes));
    }

    fn keyed(&self, what: &str, secret: &str) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(what.as_bytes()).update(&[0]).update(secret.as_bytes());
        hasher.finalize()
    }

    pub(crate) fn hash(&self, what: &str, secret: &str) -> String {
        self.keyed(what, secret).to_hex().to_string()
    }

    pub(crate) fn token_hash(&self, token: &str) -> TokenHash {
        TokenHash(*self.keyed("token", token).as_bytes())
    }

    /// The app with this API key. The key is compared as a keyed hash, so that no time taken tells
    /// anything of it.
    pub async fn app_of_api_key(&self, key: &str) -> Result<Option<Arc<App>>> {
        let hash = self.hash("api-key", key);
        if let Some(app) = self.access.app(|apps| apps.by_api_key_hash.get(&hash)) {
            return Ok(Some(app));
        }
        let row = self.store.view(0).await?.app_of_api_key(&hash).await?;
        Ok(row.map(|row| {
            let app = Arc::new(App::from(row));
            if self.access.alone {
                self.access.remember_app(|apps| drop(apps.by_api_key_hash.insert(hash, app.clone())));
            }
            app
        }))
    }

    /// The app with this client key.
    pub async fn app_of_client_key(&self, key: &str) -> Result<Option<Arc<App>>> {
        if let Some(app) = self.access.app(|apps| apps.by_client_key.get(key)) {
            return Ok(Some(app));
        }
        if key.contains('\0') || key.starts_with(NO_KEY) {
            return Ok(None);
        }
        let row = self.store.view(0).await?.app_of_client_key(key).await?;
        Ok(row.map(|row| {
            let app = Arc::new(App::from(row));
            // An app keeps its client key for ever, whoever else serves it: this does not outdate.
            self.access.remember_app(|apps| drop(apps.by_client_key.insert(key.to_owned(), app.clone())));
            app
        }))
    }

    /// Whose token this is, if it is alive.
    pub async fn user_of_token(&self, app: &App, token: &str) -> Result<Option<(UserId, TokenHash)>> {
        let hash = self.token_hash(token);
        let now_ms = self.now();
        let key = (app.number, hash);
        let generation = {
            let tokens = self.access.tokens.read().unwrap_or_else(PoisonError::into_inner);
            if let Some((user, expires_ms)) = tokens.known.get(&key) {
                return Ok((*expires_ms > now_ms).then(|| (user.clone(), key.1)));
            }
            tokens.generation
        };
        let row = if self.access.alone {
            self.store.view(app.number).await?.token(&hash.hex()).await?
        } else {
            self.access.lookups.ask(&self.store, app.number, hash.hex()).await?
        };
        let Some(row) = row else { return Ok(None) };
        if row.expires_ms <= now_ms {
            return Ok(None);
        }
        if self.access.alone {
            let mut tokens = self.access.tokens.write().unwrap_or_else(PoisonError::into_inner);
            if tokens.generation == generation {
                if tokens.known.len() >= REMEMBERED_TOKENS {
                    tokens.known.clear();
                }
                tokens.known.insert(key, (row.user.clone(), row.expires_ms));
            }
        }
        Ok(Some((row.user, key.1)))
    }

    /// All apps, oldest first.
    pub async fn apps(&self) -> Result<Vec<App>> {
        Ok(self.store.apps().await?.into_iter().map(App::from).collect())
    }

    /// Makes an app. Errors: [`Error::AppExists`] if its id or one of its keys is taken.
    pub async fn create_app(&self, id: AppId, api_key: &str, client_key: &str) -> Result<Arc<App>> {
        let now_ms = self.now();
        let tx = self.store.change(0).await?;
        let keys = (self.hash("api-key", api_key), tail(api_key), client_key.to_owned());
        let (mut tx, row) = self.insert_app(tx, id, keys, now_ms).await?;
        tx.insert_audit(&self.operator_entry(Action::CreateApp, now_ms), None).await?;
        tx.commit().await?;
        self.access.forget_apps();
        Ok(Arc::new(App::from(row)))
    }

    /// The app to import into; it is made, without keys, if it is missing.
    pub(crate) async fn app_for_import(&self, mut tx: Tx, id: &AppId, now_ms: i64) -> Result<Tx> {
        match tx.apps().await?.into_iter().find(|app| app.id == *id) {
            Some(app) => Ok(tx.of_app(app.number)),
            None => {
                let none = format!("{NO_KEY}{id}");
                let (tx, _) = self.insert_app(tx, id.clone(), (none.clone(), String::new(), none), now_ms).await?;
                Ok(tx)
            }
        }
    }

    /// Writes an app and its platform's own client.
    async fn insert_app(
        &self,
        mut tx: Tx,
        id: AppId,
        (api_key_hash, api_key_tail, client_key): (String, String, String),
        now_ms: i64,
    ) -> Result<(Tx, AppRow)> {
        let mut row = AppRow { number: 0, id, api_key_hash, api_key_tail, client_key, created_ms: now_ms };
        loop {
            let apps = tx.apps().await?;
            let same = |app: &AppRow| {
                app.id == row.id || app.api_key_hash == row.api_key_hash || app.client_key == row.client_key
            };
            if apps.iter().any(same) {
                let why = format!("an app named {}, or with one of these keys, exists already", row.id);
                return Err(Error::AppExists(why));
            }
            // If somebody else takes the number at this moment, the next one is tried.
            row.number = apps.iter().map(|app| app.number).max().unwrap_or(0) + 1;
            if tx.insert_app(&row).await? {
                break;
            }
        }
        let number = row.number;
        let mut tx = tx.of_app(number);
        tx.put_user(&platform(now_ms)).await?;
        Ok((tx, row))
    }

    /// The app, made if it is missing. Errors: [`Error::AppExists`] if it exists with other keys.
    pub async fn ensure_app(&self, id: AppId, api_key: &str, client_key: &str) -> Result<Arc<App>> {
        let known = self.store.apps().await?.into_iter().find(|app| app.id == id);
        match known {
            None => match self.create_app(id.clone(), api_key, client_key).await {
                // Another server that starts at this moment may have made it.
                Err(Error::AppExists(why)) => {
                    self.app_with_keys(&id, api_key, client_key).await?.ok_or(Error::AppExists(why))
                }
                made => made,
            },
            Some(row) if row.api_key_hash == self.hash("api-key", api_key) && row.client_key == client_key => {
                Ok(Arc::new(App::from(row)))
            }
            Some(row) if !App::from(row.clone()).has_keys() => {
                let now_ms = self.now();
                let mut tx = self.store.change(row.number).await?;
                let hash = self.hash("api-key", api_key);
                if !tx.set_keys(row.number, &hash, &tail(api_key), client_key).await? {
                    return Err(Error::AppExists(format!("another app has one of the keys given for {id}")));
                }
                tx.insert_audit(&self.operator_entry(Action::RotateKey, now_ms), None).await?;
                tx.commit().await?;
                self.access.forget_apps();
                let keys = (tail(api_key), client_key.to_owned());
                Ok(Arc::new(App { api_key_tail: keys.0, client_key: keys.1, ..App::from(row) }))
            }
            Some(_) => Err(Error::AppExists(format!(
                "app {id} exists with other keys; to replace its API key run `banter app rotate-key {id}`"
            ))),
        }
    }

    async fn app_with_keys(&self, id: &AppId, api_key: &str, client_key: &str) -> Result<Option<Arc<App>>> {
        let hash = self.hash("api-key", api_key);
        let same = |app: &AppRow| app.id == *id && app.api_key_hash == hash && app.client_key == client_key;
        Ok(self.store.apps().await?.into_iter().find(same).map(|row| Arc::new(App::from(row))))
    }

    /// Gives an app another API key; the old one ends at once. An app without keys gets a client key
    /// as well.
    pub async fn rotate_key(&self, id: &AppId, api_key: &str) -> Result<Arc<App>> {
        let Some(row) = self.store.apps().await?.into_iter().find(|app| app.id == *id) else {
            return Err(Error::NoApp);
        };
        if !App::from(row.clone()).has_keys() {
            let client_key: String = self.hash("client-key", api_key).chars().take(32).collect();
            return self.ensure_app(id.clone(), api_key, &client_key).await;
        }
        let now_ms = self.now();
        let mut tx = self.store.change(row.number).await?;
        tx.set_api_key(row.number, &self.hash("api-key", api_key), &tail(api_key)).await?;
        tx.insert_audit(&self.operator_entry(Action::RotateKey, now_ms), None).await?;
        tx.commit().await?;
        self.access.forget_apps();
        Ok(Arc::new(App { api_key_tail: tail(api_key), ..App::from(row) }))
    }

    fn operator_entry(&self, action: Action, at_ms: i64) -> Entry {
        Entry {
            id: self.ids.next(at_ms),
            doer: Doer::Operator,
            action: action.name().to_owned(),
            target: None,
            room: None,
            at_ms,
            address: None,
            detail: None,
        }
    }
}

fn tail(key: &str) -> String {
    let skip = key.chars().count().saturating_sub(4);
    key.chars().skip(skip).collect()
}

/// The platform's own client, in every app.
fn platform(now_ms: i64) -> User {
    User {
        profile: Profile {
            id: UserId::platform(),
            nickname: Some("Platform".to_owned()),
            avatar_url: None,
            last_login_ms: 0,
        },
        kind: UserKind::Person,
        description: None,
        is_robot: true,
        notifications: false,
        created_ms: now_ms,
        updated_ms: now_ms,
        last_room_ms: None,
        custom: Map::new(),
    }
}
