//! Messages: sending, changing, deleting, reading.

mod batch;
mod change;
mod delete;
mod hide;
mod lanes;
mod put_away;
mod read;
mod send;
mod together;

use banter_domain::id::{ObjectId, UserId};
use banter_domain::push::Notice;
pub use batch::{Batch, BatchDone, Para};
pub use delete::Deleted;
pub use put_away::PutAwayDone;
pub(crate) use read::seen_by;
pub use read::{MessagesOfApp, MessagesPage};
pub(crate) use send::Speaker;
use serde_json::{Map, Value};
pub(crate) use together::Sending;

/// What somebody wants to say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Words {
    /// Its type; `None`: text.
    pub kind: Option<String>,
    /// What it says: text, or any JSON for types that are not text.
    pub text: Value,
    /// The other accepted fields, as given.
    pub body: Map<String, Value>,
    /// The message it answers.
    pub reply: Option<ObjectId>,
    /// Users it names.
    pub mentions: Vec<UserId>,
    /// How those who are away are told of it, if it is new.
    pub notice: Notice,
    /// Files whose addresses it holds, of whomever.
    pub files: Vec<ObjectId>,
}
