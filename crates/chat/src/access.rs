//! Who asks: apps by their keys, users by their tokens.
//!
//! What was asked before is remembered only where this process is the whole server, but for what never
//! changes: an app's client key. Even there every write looks at its token again inside its transaction.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use banter_domain::id::{AppId, UserId};
use banter_domain::moderation::Actor;
use banter_domain::record::Doer;
use banter_store::AppRow;

use crate::{Chat, Result};

mod apps;
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

    /// The user for whom an API key acts, if it names one.
    pub(crate) fn on_behalf_of(&self) -> Option<&UserId> {
        match &self.who {
            Who::Platform { on_behalf_of } => on_behalf_of.as_ref(),
            Who::User { .. } => None,
        }
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
            Who::Platform { on_behalf_of } => Doer::Platform(on_behalf_of.clone()),
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
    by_api_key_hash: HashMap<String, Arc<App>, foldhash::fast::RandomState>,
    by_client_key: HashMap<String, Arc<App>, foldhash::fast::RandomState>,
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
        blake3::keyed_hash(&self.secret, &[what.as_bytes(), &[0], secret.as_bytes()].concat())
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
}
