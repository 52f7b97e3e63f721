//! How things look on the wire.
//!
//! A view borrows what an action returned and names its fields as `spec/model.md` does. It decides
//! nothing and looks nothing up. No view of a single thing has a field `data`: a client SDK would
//! take that field for the whole answer.

pub mod invitation;
pub mod message;
pub mod room;
pub mod sample;
pub mod time;
pub mod user;

#[cfg(test)]
mod tests;

use serde::Serialize;

/// A page of a list, and how many there are in all.
#[derive(Debug, Serialize)]
pub struct Listing<T> {
    #[serde(rename = "totalCount")]
    total: i64,
    data: Vec<T>,
}

impl<T> Listing<T> {
    /// Of a page's entries.
    #[must_use]
    pub fn of(total: i64, data: Vec<T>) -> Self {
        Self { total, data }
    }
}
