//! An engine that passes everything on and writes down what it was asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use banter_store::Result;
use banter_store::sql::{Engine, EngineKind, Row, Session, Statement, Value};

type Seen = Arc<Mutex<BTreeMap<String, Vec<Value>>>>;

/// Statements of transactions to write that were left without a commit.
type Left = Arc<Mutex<Vec<String>>>;

/// A statement that was sent.
pub(crate) struct Asked {
    pub(crate) text: String,
    pub(crate) binds: Vec<Value>,
}

pub(crate) struct Recorder {
    inner: Arc<dyn Engine>,
    seen: Seen,
    left: Left,
}

impl Recorder {
    pub(crate) fn over(inner: Arc<dyn Engine>) -> Self {
        Self { inner, seen: Seen::default(), left: Left::default() }
    }

    /// What was last asked in each transaction to write that ended without a commit.
    pub(crate) fn left(&self) -> Vec<String> {
        self.left.lock().expect("a lock").clone()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        let seen = self.seen.lock().expect("a lock");
        seen.iter().map(|(text, binds)| Asked { text: text.clone(), binds: binds.clone() }).collect()
    }

    fn watched(&self, inner: Box<dyn Session>) -> Box<dyn Session> {
        Box::new(Watched { inner: Some(inner), seen: self.seen.clone(), left: None, last: String::new() })
    }
}

#[async_trait]
impl Engine for Recorder {
    async fn write(&self) -> Result<Box<dyn Session>> {
        let (inner, left) = (Some(self.inner.write().await?), Some(self.left.clone()));
        Ok(Box::new(Watched { inner, seen: self.seen.clone(), left, last: String::new() }))
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

    fn lost(&self) -> u64 {
        self.inner.lost()
    }

    fn kind(&self) -> EngineKind {
        self.inner.kind()
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        self.inner.backup(to).await
    }
}

struct Watched {
    /// `None`: committed.
    inner: Option<Box<dyn Session>>,
    seen: Seen,
    /// Of a transaction to write: where it is noted if nobody commits it.
    left: Option<Left>,
    last: String,
}

impl Watched {
    fn note(&mut self, text: &str, binds: &[Value]) -> &mut Box<dyn Session> {
        text.clone_into(&mut self.last);
        self.seen.lock().expect("a lock").entry(text.to_owned()).or_insert_with(|| binds.to_vec());
        self.inner.as_mut().expect("nothing is asked after the commit")
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let (Some(_), Some(left)) = (&self.inner, &self.left) {
            left.lock().expect("a lock").push(std::mem::take(&mut self.last));
        }
    }
}

#[async_trait]
impl Session for Watched {
    async fn rows(&mut self, text: &str, binds: Vec<Value>) -> Result<Vec<Row>> {
        self.note(text, &binds).rows(text, binds).await
    }

    async fn run(&mut self, text: &str, binds: Vec<Value>) -> Result<u64> {
        self.note(text, &binds).run(text, binds).await
    }

    async fn put(&mut self, text: &str, binds: Vec<Value>) -> Result<()> {
        self.note(text, &binds).put(text, binds).await
    }

    async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        for statement in &statements {
            self.note(&statement.text, &statement.binds);
        }
        self.inner.as_mut().expect("nothing is asked after the commit").batch(statements).await
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.inner.take().expect("committed once").commit().await
    }
}
