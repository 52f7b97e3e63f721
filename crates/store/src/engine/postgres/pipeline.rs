//! Several statements in one round trip.
//!
//! The driver sends a statement when its future is first polled and answers come in the same order.
//! So every future is polled once, in order, which sends them all, and then awaited in order.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// A statement on its way.
pub(super) type Sent<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// Sends all, then gathers the answers; if one fails, the first failure.
///
/// A statement that fails before it was sent (a value that does not fit its place) is unknown to
/// the server, which would carry out the rest, a COMMIT among it. So nothing after it is sent.
pub(super) async fn in_order<T, E>(statements: Vec<Sent<'_, T, E>>) -> Result<Vec<T>, E> {
    let mut answers = Vec::with_capacity(statements.len());
    let mut sent = Vec::with_capacity(statements.len());
    for mut statement in statements {
        let early = poll_fn(|context| Poll::Ready(statement.as_mut().poll(context))).await;
        let unsent = matches!(early, Poll::Ready(Err(_)));
        sent.push((statement, early));
        if unsent {
            break;
        }
    }
    let mut failure = None;
    // All are awaited even after a failure, so that the connection is quiet afterwards.
    for (statement, early) in sent {
        let answer = match early {
            Poll::Ready(answer) => answer,
            Poll::Pending => statement.await,
        };
        match answer {
            Ok(answer) => answers.push(answer),
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or(Ok(answers), Err)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn statement<'a>(log: &'a Mutex<Vec<String>>, name: &'a str, fails: bool) -> Sent<'a, &'a str, String> {
        Box::pin(async move {
            if let Ok(mut log) = log.lock() {
                log.push(format!("sent {name}"));
            }
            tokio::task::yield_now().await;
            if let Ok(mut log) = log.lock() {
                log.push(format!("answered {name}"));
            }
            if fails { Err(format!("{name} failed")) } else { Ok(name) }
        })
    }

    #[tokio::test]
    async fn all_are_sent_before_the_first_answer_is_awaited() {
        let log = Mutex::default();
        let all = vec![statement(&log, "a", false), statement(&log, "b", false)];
        assert_eq!(in_order(all).await, Ok(vec!["a", "b"]));
        let log = log.into_inner().unwrap_or_default();
        assert_eq!(log, ["sent a", "sent b", "answered a", "answered b"]);
    }

    #[tokio::test]
    async fn the_first_failure_is_told_after_all_answers() {
        let log = Mutex::default();
        let all = vec![statement(&log, "a", true), statement(&log, "b", true), statement(&log, "c", false)];
        assert_eq!(in_order(all).await, Err("a failed".to_owned()));
        assert_eq!(log.into_inner().unwrap_or_default().len(), 6);
    }

    #[tokio::test]
    async fn nothing_is_sent_after_one_that_could_not_be_sent() {
        let log = Mutex::default();
        let all = vec![
            statement(&log, "a", false),
            Box::pin(async { Err("does not fit".to_owned()) }),
            statement(&log, "commit", false),
        ];
        assert_eq!(in_order(all).await, Err("does not fit".to_owned()));
        assert_eq!(log.into_inner().unwrap_or_default(), ["sent a", "answered a"]);
    }
}
