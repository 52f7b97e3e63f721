//! Names of things.
//!
//! An id that exists is valid: it was checked when it was made. Nothing here knows what an id is
//! called on the wire or how it is stored.

use std::fmt;

use compact_str::CompactString;

/// The longest id, in characters (ours; `docs/protocol.md`, limits).
pub const MAX_ID_CHARS: usize = 255;

/// Why a text cannot be an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// Nothing in it.
    #[error("an id is empty")]
    Empty,
    /// More than [`MAX_ID_CHARS`] characters.
    #[error("an id is longer than {MAX_ID_CHARS} characters")]
    TooLong,
    /// A control character, `/`, `..`, or `.` alone: such an id cannot stand in a path.
    #[error("an id holds a control character, '/' or '..'")]
    Forbidden,
}

fn check(text: &str) -> Result<(), BadId> {
    if is_plain(text.as_bytes()) {
        Ok(())
    } else if text.is_empty() {
        Err(BadId::Empty)
    } else if text.chars().nth(MAX_ID_CHARS).is_some() {
        Err(BadId::TooLong)
    } else if text == "." || text.contains("..") || text.contains(|c: char| c == '/' || c.is_control()) {
        Err(BadId::Forbidden)
    } else {
        Ok(())
    }
}

/// What nearly every id is, seen in one pass: ASCII, short, nothing forbidden in it.
fn is_plain(text: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'.');
    (1..=MAX_ID_CHARS).contains(&text.len()) && text.iter().all(allowed)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(CompactString);

        impl $name {
            /// Checks a text. Errors: [`BadId`].
            pub fn parse(text: impl Into<CompactString>) -> Result<Self, BadId> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// A person, a robot or a user group, named by whoever runs the app.
    UserId
}
id! {
    /// A place where people write to each other.
    RoomId
}
id! {
    /// An app: users, rooms and messages of different apps never meet.
    AppId
}
id! {
    /// What files are sorted by, as an app likes; it is part of their address.
    Bucket
}

impl Bucket {
    /// Is what lies here for everybody who has its address: pictures of users and rooms?
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.0 == "public"
    }
}

impl UserId {
    /// The platform's own client, which speaks when an API key names no sender. The id is
    /// reserved in every app.
    #[must_use]
    pub fn platform() -> Self {
        Self(CompactString::const_new("platform"))
    }

    /// Is this the platform's own client?
    #[must_use]
    pub fn is_platform(&self) -> bool {
        self.0 == "platform"
    }
}

impl RoomId {
    /// 32 hex digits that stand for this id where its own characters may not (search index).
    #[must_use]
    pub fn digest(&self) -> String {
        md5_hex(&self.0)
    }
}

fn md5_hex(text: &str) -> String {
    use md5::{Digest, Md5};
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl From<ObjectId> for RoomId {
    fn from(id: ObjectId) -> Self {
        Self(compact_str::format_compact!("{id}"))
    }
}

/// A time-ordered id of 24 lower-case hex digits: 4 bytes of seconds since the epoch, 5 bytes
/// that tell processes apart, 3 bytes that count within the second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 12]);

impl ObjectId {
    /// Reads 24 hex digits, of either case. `None`: it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 24 {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut bytes = [0; 12];
        for (byte, [high, low]) in bytes.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }

    /// An id of bytes from elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The id right after this one; the last one of all has none after it.
    #[must_use]
    pub fn successor(self) -> Self {
        let mut bytes = self.0;
        for byte in bytes.iter_mut().rev() {
            let (next, carry) = byte.overflowing_add(1);
            *byte = next;
            if !carry {
                return Self(bytes);
            }
        }
        self
    }

    /// The first id of a second: every id made in or after it is at least this.
    #[must_use]
    pub fn first_of(at_ms: i64) -> Self {
        Self::of(seconds(at_ms), [0; 5], 0)
    }

    fn of(seconds: u32, process: [u8; 5], count: u32) -> Self {
        let [a, b, c, d] = seconds.to_be_bytes();
        let [e, f, g, h, i] = process;
        let [_, j, k, l] = count.to_be_bytes();
        Self([a, b, c, d, e, f, g, h, i, j, k, l])
    }
}

fn seconds(at_ms: i64) -> u32 {
    u32::try_from(at_ms.div_euclid(1000).max(0)).unwrap_or(u32::MAX)
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 0xf)).copied().unwrap_or(b'0');
        let mut text = [0; 24];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [digit(byte >> 4), digit(byte)];
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes [`ObjectId`]s that grow within one process, whatever the clock does.
#[derive(Debug)]
pub struct ObjectIds {
    process: [u8; 5],
    last: std::sync::Mutex<(u32, u32)>,
}

impl ObjectIds {
    /// So far is counted within a second.
    const LAST_COUNT: u32 = 0x00ff_ffff;

    /// `process` should be random: it keeps the ids of two processes apart.
    #[must_use]
    pub fn new(process: [u8; 5]) -> Self {
        Self { process, last: std::sync::Mutex::new((0, 0)) }
    }

    /// From here on every id is later than this one, which another process may have made in this second.
    pub fn go_on_after(&self, id: ObjectId) {
        let [a, b, c, d, ..] = id.0;
        let past = (u32::from_be_bytes([a, b, c, d]), Self::LAST_COUNT);
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *last = past.max(*last);
    }

    /// The next id, for a thing made at `now_ms`.
    pub fn next(&self, now_ms: i64) -> ObjectId {
        let now = seconds(now_ms);
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *last = match *last {
            (second, _) if now > second => (now, 0),
            (second, Self::LAST_COUNT) => (second.saturating_add(1), 0),
            (second, count) => (second, count + 1),
        };
        ObjectId::of(last.0, self.process, last.1)
    }
}

/// Two different users, in one order: the unit a block acts on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    low: UserId,
    high: UserId,
}

impl Pair {
    /// `None`: a user does not pair with himself.
    #[must_use]
    pub fn of(one: &UserId, other: &UserId) -> Option<Self> {
        let (low, high) = match one.cmp(other) {
            std::cmp::Ordering::Less => (one, other),
            std::cmp::Ordering::Greater => (other, one),
            std::cmp::Ordering::Equal => return None,
        };
        Some(Self { low: low.clone(), high: high.clone() })
    }

    /// The two, in their stored order.
    #[must_use]
    pub fn both(&self) -> [&UserId; 2] {
        [&self.low, &self.high]
    }

    /// The other one. `None`: `user` is not of this pair.
    #[must_use]
    pub fn other(&self, user: &UserId) -> Option<&UserId> {
        if *user == self.low {
            Some(&self.high)
        } else if *user == self.high {
            Some(&self.low)
        } else {
            None
        }
    }

    /// Is `user` one of the two?
    #[must_use]
    pub fn has(&self, user: &UserId) -> bool {
        self.other(user).is_some()
    }

    /// The room id clients compute for this pair: md5 of both ids, lower-cased, sorted, joined by
    /// `_`. Different pairs can share it, so it names a room only while no other claims it.
    #[must_use]
    pub fn computed_room(&self) -> RoomId {
        let mut ids = [self.low.as_str().to_lowercase(), self.high.as_str().to_lowercase()];
        ids.sort();
        RoomId(md5_hex(&ids.join("_")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn r08_the_pairs_room_id_is_the_seeds() {
        let user = |id| UserId::parse(id).expect("a valid id");
        let pair = |a, b| Pair::of(&user(a), &user(b)).expect("two users");
        assert_eq!(pair("aaa", "ccc").computed_room().as_str(), "2bec603e94a210092439e83ff2d79ac1");
        assert_eq!(pair("ddd", "aaa").computed_room().as_str(), "8ab6c2ec1f2ee3f7d46cea03bdca4c9b");
        assert_eq!(pair("AAA", "ccc").computed_room(), pair("aaa", "CCC").computed_room());
        assert_eq!(pair("a_b", "c").computed_room(), pair("a", "b_c").computed_room());
    }

    #[test]
    fn an_id_that_cannot_stand_in_a_path_is_refused() {
        for (text, why) in
            [("", BadId::Empty), ("a/b", BadId::Forbidden), ("..", BadId::Forbidden), ("a\0b", BadId::Forbidden)]
        {
            assert_eq!(UserId::parse(text), Err(why), "{text:?}");
        }
        assert_eq!(UserId::parse("é".repeat(256)), Err(BadId::TooLong));
        assert!(UserId::parse("é".repeat(255)).is_ok());
    }

    #[test]
    fn the_ids_of_a_process_come_after_those_of_the_one_before() {
        let (before, after) = (ObjectIds::new([9; 5]), ObjectIds::new([1; 5]));
        let last = before.next(5_000);
        assert!(after.next(5_000) < last, "within a second chance decides");
        after.go_on_after(last);
        assert!(after.next(5_000) > last);
        // What is known to be past is no reason to go back.
        after.go_on_after(ObjectId::first_of(0));
        assert!(after.next(0) > last);
    }

    proptest! {
        #[test]
        fn object_ids_grow_whatever_the_clock_does(times in prop::collection::vec(0_i64..10_000, 1..200)) {
            let ids = ObjectIds::new([1, 2, 3, 4, 5]);
            let made: Vec<_> = times.iter().map(|at| ids.next(*at)).collect();
            prop_assert!(made.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(ObjectId::parse(&made[0].to_string()), Some(made[0]));
        }
    }
}
