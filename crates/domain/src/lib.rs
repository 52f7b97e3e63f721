//! Banter's words and pure rules.
//!
//! Facts in, verdict out. Nothing here reads a clock, a database or a socket, and nothing here
//! knows how a thing is called on the wire.

pub mod address;
pub mod file;
pub mod filter;
pub mod id;
pub mod instant;
pub mod message;
pub mod moderation;
pub mod push;
pub mod record;
pub mod relation;
pub mod room;
pub mod search;
pub mod sticker;
pub mod user;
pub mod webhook;
pub mod words;
