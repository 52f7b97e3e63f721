//! Tokens that are asked about at the same time are looked up together. Where nothing may be remembered every request
//! asks about one, and a question of its own for each would cost more than most of what is asked for.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use banter_store::{Error as StoreError, Store, TokenRow};
use tokio::sync::oneshot;

/// So many tokens are looked up at once at most.
const TOGETHER: usize = 256;

struct Waiting {
    app: i64,
    hash: String,
    answer: oneshot::Sender<Result<Option<TokenRow>, StoreError>>,
}

/// Those who wait for a token to be looked up.
#[derive(Default)]
pub(super) struct Lookups {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

impl Lookups {
    /// A token as it is stored at some moment after this was called, so that a revocation acknowledged before shows.
    pub(super) async fn ask(&self, store: &Store, app: i64, hash: String) -> Result<Option<TokenRow>, StoreError> {
        loop {
            let (answer, mut told) = oneshot::channel();
            let waiting = Waiting { app, hash: hash.clone(), answer };
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
            let told = loop {
                tokio::select! {
                    biased;
                    told = &mut told => break told,
                    turn = self.turn.lock() => {
                        let next = self.next(app);
                        look_up(store, app, next).await;
                        drop(turn);
                    }
                }
            };
            // Else whoever had the turn went away in the middle of it.
            if let Ok(found) = told {
                return found;
            }
        }
    }

    /// Those of an app who wait.
    fn next(&self, app: i64) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut next, mut later) = (Vec::new(), Vec::new());
        for one in waiting.drain(..).filter(|one| !one.answer.is_closed()) {
            let list = if one.app == app && next.len() < TOGETHER { &mut next } else { &mut later };
            list.push(one);
        }
        *waiting = later;
        next
    }
}

async fn look_up(store: &Store, app: i64, asked: Vec<Waiting>) {
    let hashes: HashSet<&String> = asked.iter().map(|one| &one.hash).collect();
    if hashes.is_empty() {
        return;
    }
    let found = store.tokens(app, hashes.into_iter().cloned().collect()).await;
    for Waiting { hash, answer, .. } in asked {
        // Who does not wait any more is not told.
        let _ = answer.send(match &found {
            Ok(found) => Ok(found.get(&hash).cloned()),
            Err(error) => Err(error.clone()),
        });
    }
}
