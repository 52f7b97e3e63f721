//! The promises, kept by the server as its users meet it: over HTTP, over both stores.
//!
//! One file a subject. Each test has an app of its own on a server that all tests of a store share.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
mod host;
mod push_services;
mod shape;
mod sight;
mod socket;

/// Writes a test once and runs it over every store.
macro_rules! each_store {
    ($($(#[$about:meta])* async fn $name:ident($house:ident: House) $body:block)+) => {
        $($(#[$about])* async fn $name($house: House) $body)+

        mod sqlite {
            $(#[test] fn $name() { crate::host::on(crate::host::Store::Sqlite, super::$name); })+
        }

        mod postgres {
            $(#[test] fn $name() { crate::host::on(crate::host::Store::Postgres, super::$name); })+
        }
    };
}

mod account;
mod bad_input;
mod bans;
mod blocks;
mod browser;
mod callers;
mod config;
mod devices;
mod docs;
mod effects_by_route;
mod effects_of_bans;
mod effects_of_blocks;
mod effects_on_user_groups;
mod errors;
mod every_device;
mod figures;
mod file_rights;
mod files;
mod filters;
mod invitations;
mod lists;
mod messages;
mod messages_in_sight;
mod model;
mod non_interference;
mod openapi;
mod pages;
mod prefs;
mod push;
mod rooms;
mod rooms_found;
mod rulings;
mod search;
mod sends_together;
mod sockets;
mod sockets_by_polling;
mod sockets_entering;
mod stickers;
mod tidy;
mod users;
mod webhook_replies;
mod webhooks;
