//! Who may do what to whom: the whole of Banter's verdicts, as one pure function.
//!
//! [`decide`] takes facts read under the room's lock and says yes or why not. It reads nothing,
//! writes nothing and knows no clock. Every route names the [`Act`] it performs; what an act needs
//! stands in one table, [`Act::terms`].

mod act;
mod decide;
mod denied;
mod hook;
mod notify;

pub use act::{Act, Frozen, Needs, Terms};
pub use decide::{
    Actor, Facts, Target, decide, expect_not_shut_out, hears, may_be_brought, may_change_room, may_hear_room,
    sees_hidden, shows_reading,
};
pub use denied::Denied;
pub use hook::{may_answer, webhook_stands};
pub use notify::{Awaited, may_notify};
