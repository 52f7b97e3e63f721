//! Figures: what moderation did, and how much goes on.

use banter_domain::id::{ObjectId, UserId};

use crate::read::Read;
use crate::sql::binds;
use crate::{Result, View};

/// A span of time: from `from_ms` to `to_ms`, both of it, in steps of `step_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning, milliseconds.
    pub from_ms: i64,
    /// Its last moment, milliseconds.
    pub to_ms: i64,
    /// The width of a bucket, milliseconds.
    pub step_ms: i64,
}

impl Span {
    /// Ids of what was made in it lie between these, the second one not among them: ids know seconds.
    fn ids(self) -> (ObjectId, ObjectId) {
        (ObjectId::first_of(self.from_ms), ObjectId::first_of(self.to_ms.saturating_add(1_000)))
    }
}

/// Refused acts in one bucket: its beginning, the reason, how many.
pub type Refusals = (i64, String, i64);

impl View {
    /// How often something was done, by bucket: its beginning, the action, the count.
    pub async fn count_actions(&mut self, span: Span) -> Result<Vec<(i64, String, i64)>> {
        let text = "SELECT (at_ms / $4) * $4 AS bucket, action, count(*) FROM audit
            WHERE app = $1 AND id >= $2 AND id < $3 AND at_ms >= $5 AND at_ms <= $6
                AND action IN ('block', 'unblock', 'ban', 'unban')
            GROUP BY bucket, action ORDER BY bucket, action";
        let (from, to) = span.ids();
        let values = binds![self.app, from, to, span.step_ms, span.from_ms, span.to_ms];
        let rows = self.session.rows(text, values).await?;
        rows.into_iter().map(|mut row| Ok((row.int(0)?, row.text(1)?, row.int(2)?))).collect()
    }

    /// Refused acts by bucket and reason.
    pub async fn count_refusals(&mut self, span: Span) -> Result<Vec<Refusals>> {
        let text = "SELECT (hour_ms / $4) * $4 AS bucket, name, CAST(SUM(count) AS BIGINT) FROM tallies
            WHERE app = $1 AND hour_ms >= $2 AND hour_ms <= $3 GROUP BY bucket, name ORDER BY bucket, name";
        let rows = self.session.rows(text, binds![self.app, span.from_ms, span.to_ms, span.step_ms]).await?;
        rows.into_iter().map(|mut row| Ok((row.int(0)?, row.text(1)?, row.int(2)?))).collect()
    }

    /// How many blocks and bans hold.
    pub async fn count_active(&mut self) -> Result<(i64, i64)> {
        let text = "SELECT kind, count(*) FROM relations WHERE app = $1 AND kind IN ('block', 'ban') AND listed = 1
            GROUP BY kind";
        let (mut blocks, mut bans) = (0, 0);
        for row in self.session.rows(text, binds![self.app]).await? {
            match row.str(0)? {
                "ban" => bans = row.int(1)?,
                _ => blocks = row.int(1)?,
            }
        }
        Ok((blocks, bans))
    }

    /// How many blocks and bans hold, in all apps: two looks, however many apps there are.
    pub async fn count_active_everywhere(&mut self) -> Result<(i64, i64)> {
        let mut counts = [0, 0];
        for (count, kind) in counts.iter_mut().zip(["block", "ban"]) {
            let text = "SELECT count(*) FROM relations o WHERE o.listed = 1 AND o.kind = $1";
            let rows = self.session.rows(text, binds![kind]).await?;
            *count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        }
        let [blocks, bans] = counts;
        Ok((blocks, bans))
    }

    /// How many active blocks are answered by one the other way.
    pub async fn count_mutual(&mut self) -> Result<i64> {
        let text = "SELECT count(*) FROM relations o WHERE o.app = $1 AND o.kind = 'block' AND o.listed = 1
            AND EXISTS (SELECT 1 FROM relations b WHERE b.app = o.app AND b.kind = 'block' AND b.blocker = o.blockee
                AND b.blockee = o.blocker AND b.lifted_ms IS NULL)";
        self.session.rows(text, binds![self.app]).await?.first().map_or(Ok(0), |row| row.int(0))
    }

    /// The median time that blocks lifted in a span had held, milliseconds: of an even number the mean of the middle two.
    pub async fn median_held(&mut self, span: Span) -> Result<Option<i64>> {
        let of = "FROM audit WHERE app = $1 AND action = 'unblock' AND id >= $2 AND id < $3 AND held_ms IS NOT NULL";
        let (from, to) = span.ids();
        let rows = self.session.rows(&format!("SELECT count(*) {of}"), binds![self.app, from, to]).await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        if count == 0 {
            return Ok(None);
        }
        let text = format!("SELECT held_ms {of} ORDER BY held_ms LIMIT $4 OFFSET $5");
        let values = binds![self.app, from, to, 2 - count % 2, (count - 1) / 2];
        let middle: Vec<i64> =
            self.session.rows(&text, values).await?.into_iter().map(|row| row.int(0)).collect::<Result<_>>()?;
        Ok(match middle.as_slice() {
            [one, other] => Some(one.midpoint(*other)),
            one => one.first().copied(),
        })
    }

    /// Users blocked by at least `least` others, most first, at most `limit`.
    pub async fn most_blocked(&mut self, least: i64, limit: i64) -> Result<Vec<(UserId, i64)>> {
        let text = "SELECT blockee, count(*) AS times FROM relations WHERE app = $1 AND kind = 'block' AND listed = 1
            GROUP BY blockee HAVING count(*) >= $2 ORDER BY times DESC, blockee LIMIT $3";
        let rows = self.session.rows(text, binds![self.app, least, limit]).await?;
        rows.into_iter().map(|mut row| Ok((row.user(0)?, row.int(1)?))).collect()
    }

    /// Since a moment: which people did something, in how many rooms messages were written, and how many.
    pub async fn activity(&mut self, since: ObjectId) -> Result<(Vec<UserId>, i64, i64)> {
        // An event names who did something, or whom it is for; he is listed only where he did it.
        let people = "SELECT active.user_id FROM (
                SELECT DISTINCT ev.user_id FROM events ev
                WHERE ev.app = $1 AND ev.id >= $2 AND ev.user_id IS NOT NULL AND ev.user_id <> 'platform'
                    AND CASE ev.topic
                        WHEN 'user' THEN COALESCE(ev.payload, '') LIKE '%\"itself\"%'
                        WHEN 'room' THEN COALESCE(ev.payload, '') NOT LIKE '%\"seated\"%'
                        WHEN 'uninvited' THEN COALESCE(ev.payload, '') NOT LIKE '%\"inviter\"%'
                        ELSE ev.topic NOT IN ('tokens-revoked', 'joined', 'left', 'invited') END) active
            LEFT JOIN users u ON u.app = $1 AND u.id = active.user_id
            WHERE u.id IS NULL OR (u.kind = 'person' AND u.is_robot = 0)
            ORDER BY active.user_id";
        let rows = self.session.rows(people, binds![self.app, since]).await?;
        let people = rows.into_iter().map(|mut row| row.user(0)).collect::<Result<_>>()?;
        let text =
            "SELECT count(DISTINCT room), count(*) FROM events WHERE app = $1 AND id >= $2 AND topic = 'message'";
        let rows = self.session.rows(text, binds![self.app, since]).await?;
        let (rooms, messages) =
            rows.first().map_or(Ok((0, 0)), |row| Ok::<_, crate::Error>((row.int(0)?, row.int(1)?)))?;
        Ok((people, rooms, messages))
    }

    /// How many rooms the app has.
    pub async fn count_rooms(&mut self) -> Result<i64> {
        let text = "SELECT count(*) FROM rooms WHERE app = $1";
        self.session.rows(text, binds![self.app]).await?.first().map_or(Ok(0), |row| row.int(0))
    }
}
