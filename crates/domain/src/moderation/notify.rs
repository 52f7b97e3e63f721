//! Who is notified of a message on a device of his.

use super::hears;
use crate::room::Standing;

/// Somebody who might be notified of a message, as things stand at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Awaited {
    /// How he stands in the room.
    pub standing: Standing,
    /// How who wrote the message stands there.
    pub sender: Standing,
    /// He wrote it himself.
    pub wrote_it: bool,
    /// He is listening on a socket, and heard it there.
    pub listens: bool,
    /// He wants no notification from the room.
    pub muted: bool,
    /// He wants notifications at all.
    pub wants_any: bool,
}

/// May he be notified? Asked as late as can be, at every try: a ban or block that was acknowledged
/// meanwhile holds.
///
/// Not who is banned (N-08, N-09), nor who would be by one who is; not in a direct room where a block
/// stands between the two (L-16), which is nothing between either of them and the platform (L-29);
/// not those from whom the room is hidden or who left it; not who wants to be left alone.
#[must_use]
pub fn may_notify(awaited: Awaited) -> bool {
    let Awaited { standing, sender, wrote_it, listens, muted, wants_any } = awaited;
    let shut_out = standing.banned || sender.banned || (standing.blocked && sender.blocked);
    hears(standing) && !shut_out && !wrote_it && !listens && !muted && wants_any
}
