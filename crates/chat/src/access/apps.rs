//! Making apps, and giving them keys: what the operator does.

use std::sync::Arc;

use banter_domain::id::{AppId, UserId};
use banter_domain::record::{Action, Doer, Entry};
use banter_domain::user::{Profile, User, UserKind};
use banter_store::{AppRow, Tx};
use serde_json::Map;

use super::{App, NO_KEY};
use crate::{Chat, Error, Result};

impl Chat {
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
