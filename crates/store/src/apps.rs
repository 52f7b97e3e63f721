//! Apps and their keys.

use banter_domain::id::AppId;

use crate::sql::{Row, binds};
use crate::{Error, Result, Store, Tx, View};

/// An app as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRow {
    /// The number every row of the app starts with.
    pub number: i64,
    /// Its name.
    pub id: AppId,
    /// Keyed hash of its API key.
    pub api_key_hash: String,
    /// The last four characters of its API key.
    pub api_key_tail: String,
    /// Its client key, which is public.
    pub client_key: String,
    /// When it was made, milliseconds.
    pub created_ms: i64,
}

const COLUMNS: &str = "app, id, api_key_hash, api_key_tail, client_key, created_ms";

fn app(mut row: Row) -> Result<AppRow> {
    Ok(AppRow {
        number: row.int(0)?,
        id: AppId::parse(row.text(1)?).map_err(|why| Error::Corrupt(why.to_string()))?,
        api_key_hash: row.text(2)?,
        api_key_tail: row.text(3)?,
        client_key: row.text(4)?,
        created_ms: row.int(5)?,
    })
}

impl Store {
    /// All apps, oldest first.
    pub async fn apps(&self) -> Result<Vec<AppRow>> {
        let mut view = self.view(0).await?;
        view.apps().await
    }
}

impl View {
    /// All apps, oldest first.
    pub async fn apps(&mut self) -> Result<Vec<AppRow>> {
        let text = format!("SELECT {COLUMNS} FROM apps ORDER BY app");
        self.session.rows(&text, binds![]).await?.into_iter().map(app).collect()
    }

    /// The app of this name.
    pub async fn app_of_id(&mut self, id: &AppId) -> Result<Option<AppRow>> {
        let text = format!("SELECT {COLUMNS} FROM apps WHERE id = $1");
        self.session.rows(&text, binds![id.as_str()]).await?.pop().map(app).transpose()
    }

    /// The app with this API key.
    pub async fn app_of_api_key(&mut self, hash: &str) -> Result<Option<AppRow>> {
        let text = format!("SELECT {COLUMNS} FROM apps WHERE api_key_hash = $1");
        self.session.rows(&text, binds![hash]).await?.pop().map(app).transpose()
    }

    /// The app with this client key.
    pub async fn app_of_client_key(&mut self, key: &str) -> Result<Option<AppRow>> {
        let text = format!("SELECT {COLUMNS} FROM apps WHERE client_key = $1");
        self.session.rows(&text, binds![key]).await?.pop().map(app).transpose()
    }
}

impl Tx {
    /// Writes a new app. False: its id or one of its keys is taken.
    pub async fn insert_app(&mut self, new: &AppRow) -> Result<bool> {
        let text = "INSERT INTO apps (app, id, api_key_hash, api_key_tail, client_key, created_ms)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
        let values = binds![
            new.number,
            new.id.as_str(),
            new.api_key_hash.as_str(),
            new.api_key_tail.as_str(),
            new.client_key.as_str(),
            new.created_ms
        ];
        Ok(self.view.session.run(text, values).await? == 1)
    }

    /// Gives an app its keys. False: another app has one of them.
    pub async fn set_keys(&mut self, app: i64, hash: &str, tail: &str, client_key: &str) -> Result<bool> {
        let text = "UPDATE apps SET api_key_hash = $2, api_key_tail = $3, client_key = $4 WHERE app = $1
            AND NOT EXISTS (SELECT 1 FROM apps o WHERE o.app <> $1 AND (o.api_key_hash = $2 OR o.client_key = $4))";
        Ok(self.view.session.run(text, binds![app, hash, tail, client_key]).await? == 1)
    }

    /// Gives an app another API key.
    pub async fn set_api_key(&mut self, app: i64, hash: &str, tail: &str) -> Result<()> {
        let text = "UPDATE apps SET api_key_hash = $2, api_key_tail = $3 WHERE app = $1";
        self.view.session.put(text, binds![app, hash, tail]).await
    }
}
