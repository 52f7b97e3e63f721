//! Tokens that are asked about at the same time are looked up together. Where nothing may be remembered every request
//! asks about one, and a question of its own for each would cost more than most of what is asked for.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use banter_store::{Error as StoreError, Store, TokenRow};
use tokio::sync::oneshot;

/// So many tokens are looked up at once at most.
const TOGETHER: usize = 256;

struct Waiting {
    /// The app, and the token's hash.
    token: (i64, String),
    answer: oneshot::Sender<Result<Option<TokenRow>, StoreError>>,
}

/// Those who wait for a token to be looked up.
#[derive(Default)]
pub(super) struct Lookups {
    waiting: Mutex<Vec<Waiting>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Lookups {
    /// A token as it is stored at some moment after this was called, so that a revocation acknowledged before shows.
    pub(super) async fn ask(&self, store: &Store, app: i64, hash: String) -> Result<Option<TokenRow>, StoreError> {
        let (answer, mut told) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { token: (app, hash), answer });
        let told = loop {
            tokio::select! {
                biased;
                told = &mut told => break told,
                turn = Arc::clone(&self.turn).lock_owned() => {
                    let next = self.next();
                    if !next.is_empty() {
                        let store = store.clone();
                        // Whoever asks may go away; the others' answers do not go with him.
                        tokio::spawn(async move {
                            look_up(&store, next).await;
                            drop(turn);
                        });
                    }
                }
            }
        };
        told.unwrap_or_else(|_| Err(StoreError::Database("the look at a token was given up".to_owned())))
    }

    /// Those who are next.
    fn next(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| !one.answer.is_closed());
        let next = waiting.len().min(TOGETHER);
        waiting.drain(..next).collect()
    }
}

async fn look_up(store: &Store, asked: Vec<Waiting>) {
    let tokens: HashSet<&(i64, String)> = asked.iter().map(|one| &one.token).collect();
    let found = store.tokens(tokens.into_iter().cloned().collect()).await;
    for Waiting { token, answer } in asked {
        // Who does not wait any more is not told.
        let _ = answer.send(match &found {
            Ok(found) => Ok(found.get(&token).cloned()),
            Err(error) => Err(error.clone()),
        });
    }
}
