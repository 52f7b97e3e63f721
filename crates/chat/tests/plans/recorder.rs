//! An engine that passes everything on and writes down what it was asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use banter_store::Result;
use banter_store::sql::{Engine, EngineKind, Row, Session, Statement, Value};

type Seen = Arc<Mutex<BTreeMap<String, Vec<Value>>>>;

/// A statement that was sent.
pub(crate) struct Asked {
    pub(crate) text: String,
    pub(crate) binds: Vec<Value>,
}

pub(crate) struct Recorder {
    inner: Arc<dyn Engine>,
    seen: Seen,
}

impl Recorder {
    pub(crate) fn over(inner: Arc<dyn Engine>) -> Self {
        Self { inner, seen: Seen::default() }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        let seen = self.seen.lock().expect("a lock");
        seen.iter().map(|(text, binds)| Asked { text: text.clone(), binds: binds.clone() }).collect()
    }

    fn watched(&self, inner: Box<dyn Session>) -> Box<dyn Session> {
        Box::new(Watched { inner, seen: self.seen.clone() })
    }
}

#[async_trait]
impl Engine for Recorder {
    async fn write(&self) -> Result<Box<dyn Session>> {
        Ok(self.watched(self.inner.write().await?))
    }

    async fn read(&self) -> Result<Box<dyn Session>> {
        Ok(self.watched(self.inner.read().await?))
    }

    async fn read_long(&self) -> Result<Box<dyn Session>> {
        Ok(self.watched(self.inner.read_long().await?))
    }

    async fn settled(&self) -> Result<()> {
        self.inner.settled().await
    }

    fn kind(&self) -> EngineKind {
        self.inner.kind()
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        self.inner.backup(to).await
    }
}

struct Watched {
    inner: Box<dyn Session>,
    seen: Seen,
}

impl Watched {
    fn note(&self, text: &str, binds: &[Value]) {
        self.seen.lock().expect("a lock").entry(text.to_owned()).or_insert_with(|| binds.to_vec());
    }
}

#[async_trait]
impl Session for Watched {
    async fn run(&mut self, text: &str, binds: Vec<Value>) -> Result<u64> {
        self.note(text, &binds);
        self.inner.run(text, binds).await
    }

    async fn put(&mut self, text: &str, binds: Vec<Value>) -> Result<()> {
        self.note(text, &binds);
        self.inner.put(text, binds).await
    }

    async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        for statement in &statements {
            self.note(&statement.text, &statement.binds);
        }
        self.inner.batch(statements).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.inner.commit().await
    }
}
