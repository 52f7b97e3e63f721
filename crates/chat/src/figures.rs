//! Figures and the audit.

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::record::{Action, Entry};
use banter_store::Span;

use crate::{Caller, Chat, Result};

const HOUR_MS: i64 = 3_600_000;

/// What went on in an app during the last hour.
#[derive(Debug, Clone)]
pub struct Stats {
    /// Its beginning, milliseconds.
    pub start_ms: i64,
    /// Its end, milliseconds.
    pub end_ms: i64,
    /// Who did something.
    pub users: Vec<UserId>,
    /// In how many rooms something was said.
    pub room_count: i64,
    /// How many rooms there are.
    pub total_room_count: i64,
    /// How many messages were sent.
    pub message_count: i64,
}

/// Which entries of the audit are asked for; `None`: any.
#[derive(Debug, Clone)]
pub struct AuditQuery {
    /// Who did it.
    pub actor: Option<UserId>,
    /// To whom.
    pub target: Option<UserId>,
    /// Where.
    pub room: Option<RoomId>,
    /// What.
    pub action: Option<Action>,
    /// From this moment on, milliseconds.
    pub from_ms: Option<i64>,
    /// Before this moment, milliseconds.
    pub to_ms: Option<i64>,
    /// At most so many.
    pub limit: usize,
    /// After this one, going back in time.
    pub after: Option<ObjectId>,
}

/// How wide a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketSize {
    /// An hour.
    Hour,
    /// A day, of UTC.
    Day,
}

/// What moderation did in one span.
#[derive(Debug, Clone, Default)]
pub struct Bucket {
    /// Its beginning, milliseconds.
    pub start_ms: i64,
    /// Blocks made.
    pub blocks: i64,
    /// Blocks lifted.
    pub unblocks: i64,
    /// Bans made.
    pub bans: i64,
    /// Bans lifted.
    pub unbans: i64,
    /// Refused acts by reason.
    pub refused: Vec<(String, i64)>,
}

/// What moderation did, and how things stand.
#[derive(Debug, Clone)]
pub struct ModerationStats {
    /// By time.
    pub buckets: Vec<Bucket>,
    /// Blocks that hold.
    pub active_blocks: i64,
    /// Bans that hold.
    pub active_bans: i64,
    /// The median time that blocks lifted in the span had held, milliseconds.
    pub median_held_ms: Option<i64>,
    /// The share of blocks that hold and are answered the other way, 0 to 1.
    pub mutual_share: f64,
    /// Users blocked by at least five others, and by how many; never by whom.
    pub most_blocked: Vec<(UserId, i64)>,
}

impl Chat {
    /// What went on during the last hour.
    pub async fn stats(&self, caller: &Caller) -> Result<Stats> {
        let end_ms = self.now();
        let start_ms = end_ms - HOUR_MS;
        let mut view = self.store.view_long(caller.app.number).await?;
        let (users, room_count, message_count) = view.activity(ObjectId::first_of(start_ms)).await?;
        let total_room_count = view.count_rooms().await?;
        Ok(Stats { start_ms, end_ms, users, room_count, total_room_count, message_count })
    }

    /// A page of the audit, newest first, and where the next one begins.
    pub async fn audit(&self, caller: &Caller, query: AuditQuery) -> Result<(Vec<Entry>, Option<ObjectId>)> {
        let mut view = self.store.view(caller.app.number).await?;
        let mut page = view
            .audit(
                query.actor.as_ref(),
                query.target.as_ref(),
                query.room.as_ref(),
                query.action.map(Action::name),
                (query.after, query.from_ms, query.to_ms),
                query.limit.saturating_add(1),
            )
            .await?;
        let more = page.len() > query.limit;
        page.truncate(query.limit);
        let next = if more { page.last().map(|last| last.id) } else { None };
        Ok((page, next))
    }

    /// What moderation did in a span, and how things stand now.
    pub async fn moderation_stats(
        &self,
        caller: &Caller,
        from_ms: i64,
        to_ms: i64,
        bucket: BucketSize,
    ) -> Result<ModerationStats> {
        self.flush_refusals().await?;
        let step_ms = match bucket {
            BucketSize::Hour => HOUR_MS,
            BucketSize::Day => 24 * HOUR_MS,
        };
        let span = Span { from_ms: from_ms - from_ms.rem_euclid(HOUR_MS), to_ms, step_ms };
        let mut view = self.store.view_long(caller.app.number).await?;
        let mut buckets: Vec<Bucket> = Vec::new();
        for (start_ms, action, count) in view.count_actions(span).await? {
            let bucket = bucket_at(&mut buckets, start_ms);
            match Action::parse(&action) {
                Some(Action::Block) => bucket.blocks = count,
                Some(Action::Unblock) => bucket.unblocks = count,
                Some(Action::Ban) => bucket.bans = count,
                Some(Action::Unban) => bucket.unbans = count,
                _ => {}
            }
        }
        for (start_ms, reason, count) in view.count_refusals(span).await? {
            bucket_at(&mut buckets, start_ms).refused.push((reason, count));
        }
        buckets.sort_by_key(|bucket| bucket.start_ms);
        let (active_blocks, active_bans) = view.count_active().await?;
        let mutual = view.count_mutual().await?;
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
        let mutual_share = if active_blocks == 0 { 0.0 } else { mutual as f64 / active_blocks as f64 };
        Ok(ModerationStats {
            buckets,
            active_blocks,
            active_bans,
            median_held_ms: view.median_held(span).await?,
            mutual_share,
            most_blocked: view.most_blocked(5, 100).await?,
        })
    }
}

fn bucket_at(buckets: &mut Vec<Bucket>, start_ms: i64) -> &mut Bucket {
    let at = match buckets.iter().position(|bucket| bucket.start_ms == start_ms) {
        Some(at) => at,
        None => {
            buckets.push(Bucket { start_ms, ..Bucket::default() });
            buckets.len() - 1
        }
    };
    #[expect(clippy::indexing_slicing, reason = "found or just pushed")]
    &mut buckets[at]
}
