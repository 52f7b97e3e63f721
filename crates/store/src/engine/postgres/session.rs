//! Transactions on PostgreSQL, in as few round trips as the calls allow.
//!
//! `BEGIN` and every `put` wait for the next call that needs an answer and travel with it. What
//! failed is told there; after that the session refuses everything, as PostgreSQL does.

use async_trait::async_trait;
use deadpool_postgres::Object;
use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::types::ToSql;

use super::faults::fault;
use super::pipeline::{Sent, in_order};
use super::values::{Bound, rows};
use crate::sql::{Row, Session, Statement, Value};
use crate::{Error, Result};

/// Prepared statements kept a connection. Texts are constants with few variants; should somebody
/// build them from data, this keeps the server's memory in bounds.
const KEPT: usize = 1024;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was sent.
    Unbegun,
    /// Inside a transaction.
    Open,
    /// A statement failed or its answer was not awaited: only a rollback is left.
    Broken,
    /// Nothing is open any more.
    Over,
}

/// An open transaction.
pub(super) struct Transaction {
    /// `None` only while it is dropped.
    connection: Option<Object>,
    /// A place among the long readers.
    permit: Option<OwnedSemaphorePermit>,
    begin: &'static str,
    state: State,
    puts: Vec<Statement>,
}

/// What a statement of a pipeline is sent for.
enum Step {
    Command(&'static str),
    /// Only its success matters.
    Put(Statement),
    /// It is asked how many rows it touched.
    Run(Statement),
    /// It is asked for its rows.
    Ask(Statement),
}

/// What came back.
enum Answer {
    Done,
    Touched(u64),
    Rows(Vec<tokio_postgres::Row>),
}

impl Transaction {
    pub(super) fn new(connection: Object, begin: &'static str, permit: Option<OwnedSemaphorePermit>) -> Self {
        let connection = Some(connection);
        Self { connection, permit, begin, state: State::Unbegun, puts: Vec::new() }
    }

    /// Sends what waits and then `steps`, in one round trip, and returns the answers to `steps`.
    async fn send(&mut self, steps: Vec<Step>) -> Result<Vec<Answer>> {
        let begin = match self.state {
            State::Unbegun => Some(Step::Command(self.begin)),
            State::Open => None,
            State::Broken | State::Over => return Err(broken()),
        };
        let Some(connection) = &self.connection else { return Err(broken()) };
        // Until the answers are in. A caller may stop waiting for them at any point below.
        let was = std::mem::replace(&mut self.state, State::Broken);
        let asked = steps.len();
        let puts = std::mem::take(&mut self.puts).into_iter().map(Step::Put);
        let all: Vec<Step> = begin.into_iter().chain(puts).chain(steps).collect();

        let prepared = prepare(connection, &all).await;
        if prepared.is_err() && was == State::Unbegun {
            // Nothing is open on the server yet, so the connection goes back as it is.
            self.state = State::Over;
        }
        let prepared = prepared?;
        let sent = all.iter().zip(&prepared).map(|(step, prepared)| carry_out(connection, step, prepared));
        let mut answers = in_order(sent.collect()).await.map_err(|error| fault(&error))?;
        self.state = State::Open;
        Ok(answers.split_off(answers.len().saturating_sub(asked)))
    }
}

/// The prepared statement of each step. One that this connection does not know yet costs a round
/// trip, once, before anything of the pipeline is sent: the order of the steps is not touched.
async fn prepare(connection: &Object, steps: &[Step]) -> Result<Vec<Option<tokio_postgres::Statement>>> {
    if connection.statement_cache.size() > KEPT {
        connection.statement_cache.clear();
    }
    let mut texts: Vec<&str> = steps.iter().filter_map(Step::text).collect();
    texts.sort_unstable();
    texts.dedup();
    let each = texts.iter().map(|text| -> Sent<'_, _, _> { Box::pin(connection.prepare_cached(text)) });
    let known = in_order(each.collect()).await.map_err(|error| fault(&error))?;
    let find = |text: &str| texts.binary_search(&text).ok().and_then(|at| known.get(at)).cloned();
    Ok(steps.iter().map(|step| step.text().and_then(find)).collect())
}

impl Step {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Command(_) => None,
            Self::Put(statement) | Self::Run(statement) | Self::Ask(statement) => Some(&statement.text),
        }
    }
}

fn carry_out<'a>(
    connection: &'a Object,
    step: &'a Step,
    prepared: &'a Option<tokio_postgres::Statement>,
) -> Sent<'a, Answer, tokio_postgres::Error> {
    Box::pin(async move {
        match (step, prepared) {
            (Step::Put(statement) | Step::Run(statement), Some(prepared)) => {
                let binds = statement.binds.iter().map(Bound);
                Ok(Answer::Touched(connection.execute_raw(prepared, binds).await?))
            }
            (Step::Ask(statement), Some(prepared)) => {
                let binds: Vec<Bound<'_>> = statement.binds.iter().map(Bound).collect();
                let binds: Vec<&(dyn ToSql + Sync)> = binds.iter().map(|bound| bound as &(dyn ToSql + Sync)).collect();
                Ok(Answer::Rows(connection.query(prepared, &binds).await?))
            }
            (Step::Command(text), _) => {
                connection.batch_execute(text).await?;
                Ok(Answer::Done)
            }
            // Every step with a text was prepared.
            (Step::Put(_) | Step::Run(_) | Step::Ask(_), None) => Ok(Answer::Done),
        }
    })
}

/// Asks one question outside of any transaction.
pub(super) async fn once(connection: &Object, text: &str, binds: Vec<Value>) -> Result<Vec<Row>> {
    let step = [Step::Ask(Statement { text: text.to_owned().into(), binds })];
    let prepared = prepare(connection, &step).await?;
    let sent = step.iter().zip(&prepared).map(|(step, prepared)| carry_out(connection, step, prepared));
    match in_order(sent.collect()).await.map_err(|error| fault(&error))?.pop() {
        Some(Answer::Rows(answer)) => rows(&answer),
        _ => Err(unanswered()),
    }
}

fn broken() -> Error {
    Error::Database("an earlier statement of this transaction failed".to_owned())
}

#[async_trait]
impl Session for Transaction {
    async fn run(&mut self, text: &str, binds: Vec<Value>) -> Result<u64> {
        let statement = Statement { text: text.to_owned().into(), binds };
        match self.send(vec![Step::Run(statement)]).await?.pop() {
            Some(Answer::Touched(touched)) => Ok(touched),
            _ => Err(unanswered()),
        }
    }

    async fn put(&mut self, text: &str, binds: Vec<Value>) -> Result<()> {
        if matches!(self.state, State::Broken | State::Over) {
            return Err(broken());
        }
        self.puts.push(Statement { text: text.to_owned().into(), binds });
        Ok(())
    }

    async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        let answers = self.send(statements.into_iter().map(Step::Ask).collect()).await?;
        let read = |answer| match answer {
            Answer::Rows(answer) => rows(&answer),
            Answer::Done | Answer::Touched(_) => Err(unanswered()),
        };
        let read: Result<Vec<_>> = answers.into_iter().map(read).collect();
        if read.is_err() {
            self.state = State::Broken;
        }
        read
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        if self.state == State::Unbegun && self.puts.is_empty() {
            return Ok(());
        }
        // PostgreSQL answers the COMMIT of a failed transaction with success and a rollback; what
        // failed before it in the pipeline makes this fail.
        self.send(vec![Step::Command("COMMIT")]).await?;
        self.state = State::Over;
        Ok(())
    }
}

fn unanswered() -> Error {
    Error::Database("PostgreSQL gave no such answer".to_owned())
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if matches!(self.state, State::Unbegun | State::Over) {
            return; // back into the pool, as it came
        }
        let permit = self.permit.take();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            drop(Object::take(connection));
            return;
        };
        // It goes back into the pool only when nothing is open on it any more.
        runtime.spawn(async move {
            if connection.batch_execute("ROLLBACK").await.is_err() {
                drop(Object::take(connection));
            }
            drop(permit);
        });
    }
}
