//! A house: an app of its own on a running server, with people who do things in it over HTTP.
//!
//! It knows the wire and nothing else of the server. Every answer is checked for the envelope
//! before a test sees it.

mod answer;
mod caller;
mod house;
mod robot;

pub(crate) use answer::Answer;
pub(crate) use caller::{Caller, Form, segment};
pub(crate) use house::{House, Keys};
pub(crate) use robot::{Robot, Says};
