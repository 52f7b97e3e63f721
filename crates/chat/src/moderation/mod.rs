//! Blocking, banning, and the two lists.

mod bans;
mod blocks;
mod lists;

use banter_domain::relation::Relation;
use banter_domain::user::Profile;
pub use lists::ListReader;

/// A block or ban that was written or lifted.
#[derive(Debug, Clone)]
pub struct Written {
    /// The record.
    pub relation: Relation,
    /// Who is shut out.
    pub blockee: Profile,
}
