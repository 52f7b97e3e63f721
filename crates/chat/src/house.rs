//! House keeping: what has to be done now and then, by nobody's order.

use std::sync::PoisonError;

use banter_domain::id::ObjectId;

use crate::{Chat, Result};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// At most so many rows go in one transaction, so that nobody waits long behind it.
const PRUNE_STEP: i64 = 1_000;

impl Chat {
    /// Counts an act that was refused, for the figures of R-27. Only a number is kept: no trace of
    /// who was refused what.
    pub fn refused(&self, app: i64, reason: &'static str) {
        let now_ms = self.now();
        let hour_ms = now_ms - now_ms.rem_euclid(HOUR_MS);
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals.entry((app, hour_ms, reason)).or_default() += 1;
    }

    /// Writes the counted refusals down.
    pub(crate) async fn flush_refusals(&self) -> Result<()> {
        let counted = std::mem::take(&mut *self.refusals.lock().unwrap_or_else(PoisonError::into_inner));
        let written = self.write_refusals(&counted).await;
        if written.is_err() {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, count) in counted {
                *refusals.entry(key).or_default() += count;
            }
        }
        written
    }

    async fn write_refusals(&self, counted: &std::collections::HashMap<(i64, i64, &'static str), i64>) -> Result<()> {
        if counted.is_empty() {
            return Ok(());
        }
        let mut sorted: Vec<_> = counted.iter().collect();
        sorted.sort();
        let mut tx = self.store.change(0).await?;
        for ((app, hour_ms, reason), count) in sorted {
            tx = tx.of_app(*app);
            tx.add_tally(*hour_ms, reason, *count).await?;
        }
        Ok(tx.commit().await?)
    }

    /// To be called about once a second: indexes what was written, writes figures and refusals down.
    pub async fn house_keeping(&self) -> Result<()> {
        self.index_pending().await?;
        self.flush_refusals().await?;
        self.tell_refusals().await
    }

    /// To be called now and then, an hour or less apart: forgets what is too old to be of use
    /// (events and deliveries past their days, tokens that ran out), and removes files that are gone.
    pub async fn forget_the_old(&self) -> Result<()> {
        let now_ms = self.now();
        let before = ObjectId::first_of(now_ms - i64::from(self.options.outbox_days) * DAY_MS);
        for app in self.apps().await? {
            loop {
                let mut tx = self.store.change(app.number).await?;
                let mut more = tx.prune_events(before, PRUNE_STEP).await?;
                more |= tx.prune_deliveries(before, PRUNE_STEP).await?;
                tx.prune_tokens(now_ms, PRUNE_STEP).await?;
                tx.commit().await?;
                if !more {
                    break;
                }
            }
        }
        // Last: where files lie may be out of reach while the database is not.
        for app in self.apps().await? {
            self.sweep_files(app.number).await?;
        }
        Ok(())
    }

    /// How many blocks and bans hold, in all apps.
    pub async fn gauges(&self) -> Result<(i64, i64)> {
        Ok(self.store.view_long(0).await?.count_active_everywhere().await?)
    }
}
