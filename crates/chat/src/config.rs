//! The app's configuration, and the sensitive words in it.

use std::sync::{Arc, PoisonError};

use banter_domain::record::Topic;
use banter_domain::words::WordFilter;
use banter_store::{EngineKind, View};
use serde_json::{Map, Value};

use crate::{Caller, Chat, Error, Result};

/// Under which key, and which field of it, the sensitive words stand (rest.md 6).
const WORDS: (&str, &str) = ("censorship", "keywords");

impl Chat {
    /// The app's configuration.
    pub async fn config(&self, caller: &Caller) -> Result<Map<String, Value>> {
        Ok(self.store.view(caller.app.number).await?.config().await?)
    }

    /// Sets top-level keys, and returns the whole. Errors: [`Error::TooMuch`] if the sensitive
    /// words pass their bounds.
    pub async fn set_config(&self, caller: &Caller, keys: Map<String, Value>) -> Result<Map<String, Value>> {
        let mut open = self.begin(caller).await?;
        if let Some(value) = keys.get(WORDS.0) {
            build(value)?;
        }
        for (name, value) in &keys {
            open.tx.put_config(name, value).await?;
        }
        open.event(Topic::Config, None, None, None).await?;
        let all = open.tx.config().await?;
        open.done().await?;
        self.forget_words(caller.app.number);
        Ok(all)
    }

    /// Deletes a top-level key. Errors: [`Error::NoConfig`].
    pub async fn delete_config(&self, caller: &Caller, name: &str) -> Result<()> {
        let mut open = self.begin(caller).await?;
        if !open.tx.delete_config(name).await? {
            return Err(Error::NoConfig);
        }
        open.event(Topic::Config, None, None, None).await?;
        open.done().await?;
        self.forget_words(caller.app.number);
        Ok(())
    }

    /// A text as it is stored: its sensitive words masked.
    pub async fn masked(&self, caller: &Caller, text: &str) -> Result<String> {
        let words = self.begin(caller).await?.words().await?;
        Ok(words.mask(text).into_owned())
    }

    fn forget_words(&self, app: i64) {
        self.words.write().unwrap_or_else(PoisonError::into_inner).remove(&app);
    }

    /// The sensitive words of an app. What was built is used again as long as the configuration
    /// says the same; where this process is the whole server that is not even asked. Called inside
    /// a write. `asked`: what is configured, if that was asked already.
    pub(crate) async fn words_of(
        &self,
        app: i64,
        view: &mut View,
        asked: Option<Option<String>>,
    ) -> Result<Arc<WordFilter>> {
        let known = self.words.read().unwrap_or_else(PoisonError::into_inner).get(&app).cloned();
        if let (Some((_, filter)), EngineKind::Sqlite) = (&known, self.store.kind()) {
            return Ok(filter.clone());
        }
        let text = match asked.filter(|_| self.store.kind() == EngineKind::Postgres) {
            Some(text) => text.unwrap_or_default(),
            None => view.config_of(WORDS.0).await?.map(|value| value.to_string()).unwrap_or_default(),
        };
        if let Some((built_from, filter)) = known
            && built_from == text
        {
            return Ok(filter);
        }
        let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).map_err(|_| corrupt())? };
        let filter = Arc::new(build(&value)?);
        self.words.write().unwrap_or_else(PoisonError::into_inner).insert(app, (text, filter.clone()));
        Ok(filter)
    }
}

fn corrupt() -> Error {
    Error::Store(banter_store::Error::Corrupt("the sensitive words are not JSON".to_owned()))
}

fn build(value: &Value) -> Result<WordFilter> {
    let words: Vec<String> = value
        .get(WORDS.1)
        .and_then(Value::as_array)
        .map(|words| words.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    WordFilter::new(&words).map_err(|error| Error::TooMuch(error.to_string()))
}
