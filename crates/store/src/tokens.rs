//! Tokens: whose they are, and until when. What is stored of a token is a keyed hash.

use std::collections::HashMap;
use std::sync::LazyLock;

use banter_domain::id::UserId;
use banter_domain::user::User;

use crate::read::Read;
use crate::sql::{Row, Statement, Value, binds};
use crate::users::{USER, USER_COLUMNS, user};
use crate::{EngineKind, Result, Store, Tx, View};

/// A user at the beginning of an act of his.
#[derive(Debug, Clone)]
pub struct Entered {
    /// Who.
    pub user: User,
    /// The configured sensitive words, if they were asked for and there are any.
    pub words: Option<String>,
}

static ENTER: LazyLock<String> = LazyLock::new(|| enter_with("NULL"));
static ENTER_WITH_WORDS: LazyLock<String> =
    LazyLock::new(|| enter_with("(SELECT c.value FROM config c WHERE c.app = t.app AND c.name = 'censorship')"));

fn enter_with(words: &str) -> String {
    format!(
        "SELECT {USER}, {words} FROM tokens t JOIN users u ON u.app = t.app AND u.id = t.user_id
         WHERE t.app = $1 AND t.hash = $2 AND t.expires_ms > $3 FOR SHARE OF t"
    )
}

/// A token as stored; the token itself is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Whose.
    pub user: UserId,
    /// When it was made, milliseconds.
    pub created_ms: i64,
    /// When it was last bound, milliseconds.
    pub updated_ms: i64,
    /// When it runs out, milliseconds.
    pub expires_ms: i64,
}

fn token(mut row: Row) -> Result<TokenRow> {
    Ok(TokenRow { user: row.user(0)?, created_ms: row.int(1)?, updated_ms: row.int(2)?, expires_ms: row.int(3)? })
}

/// Those who entered, by the hashes of their tokens.
pub(crate) fn entered(rows: Vec<Row>) -> Result<HashMap<String, Entered>> {
    let read = |mut row: Row| {
        let entered = Entered { user: user(&mut row, 0)?, words: row.text_opt(USER_COLUMNS)? };
        Ok((row.text(USER_COLUMNS + 1)?, entered))
    };
    rows.into_iter().map(read).collect()
}

impl Store {
    /// Those of some tokens that there are, by app and hash, in a moment of their own. PostgreSQL only.
    pub async fn tokens(&self, asked: Vec<(i64, String)>) -> Result<HashMap<(i64, String), TokenRow>> {
        let (apps, hashes): (Vec<String>, Vec<String>) =
            asked.into_iter().map(|(app, hash)| (app.to_string(), hash)).unzip();
        // One by one: else PostgreSQL may read all tokens of an app to find those few.
        let text = "SELECT t.* FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS TEXT[])) AS h (app, hash)
            CROSS JOIN LATERAL (SELECT x.user_id, x.created_ms, x.updated_ms, x.expires_ms, x.app, x.hash FROM tokens x
                WHERE x.app = CAST(h.app AS BIGINT) AND x.hash = h.hash OFFSET 0) t";
        let rows = self.engine.once(text, binds![Value::from(apps), Value::from(hashes)]).await?;
        rows.into_iter().map(|mut row| Ok(((row.int(4)?, row.text(5)?), token(row)?))).collect()
    }
}

impl View {
    /// The token with this hash.
    pub async fn token(&mut self, hash: &str) -> Result<Option<TokenRow>> {
        let text = "SELECT user_id, created_ms, updated_ms, expires_ms FROM tokens WHERE app = $1 AND hash = $2";
        let rows = self.session.rows(text, binds![self.app, hash]).await?;
        rows.into_iter().next().map(token).transpose()
    }
}

impl Tx {
    /// Whose token this is, if it is still alive. Held until the transaction ends: a revocation
    /// waits for it, and whoever comes after a revocation finds nothing. With the user come
    /// the app's sensitive words as configured, where others may change them behind this process.
    pub async fn enter(&mut self, hash: &str, now_ms: i64) -> Result<Option<Entered>> {
        let text: &str = match self.view.kind {
            EngineKind::Sqlite => &ENTER,
            EngineKind::Postgres => &ENTER_WITH_WORDS,
        };
        let rows = self.view.session.rows(text, binds![self.view.app, hash, now_ms]).await?;
        let entered = |mut row: Row| Ok(Entered { user: user(&mut row, 0)?, words: row.text_opt(USER_COLUMNS)? });
        rows.into_iter().next().map(entered).transpose()
    }

    /// As [`Tx::enter`], for several tokens, at most one of each user's: whoever revokes all of a user's would
    /// else have some of them and wait for others. `waits`: for those that somebody else has; else they are left out.
    /// PostgreSQL only.
    pub(crate) fn entering(&self, hashes: Vec<String>, waits: bool, now_ms: i64) -> Statement {
        let skip = if waits { "" } else { " SKIP LOCKED" };
        // One by one: else PostgreSQL may read all tokens of the app to find those few.
        let text = format!(
            "SELECT {USER}, (SELECT c.value FROM config c WHERE c.app = $1 AND c.name = 'censorship'), t.hash
             FROM (SELECT unnest(CAST($2 AS TEXT[])) AS hash) h
             CROSS JOIN LATERAL (SELECT x.hash, x.user_id FROM tokens x
                WHERE x.app = $1 AND x.hash = h.hash AND x.expires_ms > $3 FOR SHARE{skip}) t
             JOIN users u ON u.app = $1 AND u.id = t.user_id"
        );
        Statement { text: text.into(), binds: binds![self.view.app, hashes, now_ms] }
    }

    /// Writes a token, new or bound again to the same user. False: it is another's.
    pub async fn put_token(&mut self, hash: &str, token: &TokenRow) -> Result<bool> {
        let text = "INSERT INTO tokens (app, hash, user_id, created_ms, updated_ms, expires_ms)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (app, hash) DO UPDATE SET updated_ms = $5, expires_ms = $6 WHERE tokens.user_id = $3";
        let values = binds![self.view.app, hash, &token.user, token.created_ms, token.updated_ms, token.expires_ms];
        Ok(self.view.session.run(text, values).await? > 0)
    }

    /// Deletes all tokens of a user, or the one with this hash, and returns them.
    pub async fn delete_tokens(&mut self, id: &UserId, hash: Option<&str>) -> Result<Vec<(String, TokenRow)>> {
        let text = "DELETE FROM tokens WHERE app = $1 AND user_id = $2 AND ($3 = '' OR hash = $3)
            RETURNING user_id, created_ms, updated_ms, expires_ms, hash";
        let rows = self.view.session.rows(text, binds![self.view.app, id, hash.unwrap_or_default()]).await?;
        rows.into_iter().map(|mut row| Ok((row.text(4)?, token(row)?))).collect()
    }

    /// Deletes all tokens of a user but one, and returns them by their hashes.
    pub async fn delete_other_tokens(&mut self, id: &UserId, kept: &str) -> Result<Vec<(String, TokenRow)>> {
        let text = "DELETE FROM tokens WHERE app = $1 AND user_id = $2 AND hash <> $3
            RETURNING user_id, created_ms, updated_ms, expires_ms, hash";
        let rows = self.view.session.rows(text, binds![self.view.app, id, kept]).await?;
        rows.into_iter().map(|mut row| Ok((row.text(4)?, token(row)?))).collect()
    }

    /// Deletes tokens that ran out before a moment, at most `limit`.
    pub async fn prune_tokens(&mut self, before_ms: i64, limit: i64) -> Result<()> {
        let text = "DELETE FROM tokens WHERE app = $1 AND hash IN
            (SELECT hash FROM tokens WHERE app = $1 AND expires_ms < $2 LIMIT $3)";
        self.view.session.put(text, binds![self.view.app, before_ms, limit]).await
    }
}
