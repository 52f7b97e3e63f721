//! What a user sends is done to its end, whoever goes away meanwhile.
#![cfg(test)]

#[path = "../common/stores.rs"]
mod stores;

use std::future::{Future, ready};
use std::sync::Arc;

use banter_chat::{Caller, Chat, Grant, NewRoom, Options, Who, Words};
use banter_domain::id::{AppId, RoomId, UserId};
use banter_domain::user::UserChange;
use banter_store::Store;
use banter_store::sql::Engine;
use serde_json::json;

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("an id")
}

/// Begins something, and goes away before it has ended.
async fn begins_and_goes_away<T>(something: impl Future<Output = T>) {
    tokio::select! {
        biased;
        _ = something => panic!("somebody holds the room"),
        () = ready(()) => {}
    }
}

async fn who_goes_away_is_heard_and_holds_up_nobody(engine: Arc<dyn Engine>) {
    let store = Store::over(engine);
    let clock = Arc::new(|| 1_700_000_000_000);
    let chat = Arc::new(Chat::new(store.clone(), [7; 32], clock, [1; 5], Options::default()));
    let app = chat.create_app(AppId::parse("app").expect("an id"), "api", "client").await.expect("an app");
    let platform = Caller { app: app.clone(), who: Who::Platform { on_behalf_of: None }, address: None };
    let mut callers = Vec::new();
    for id in ["ann", "bob", "cat"] {
        let token = format!("token-{id}");
        let grant = Grant { token: token.clone(), expires_ms: 1_800_000_000_000 };
        chat.save_user(&platform, user(id), UserChange::default(), Some(grant)).await.expect("a user");
        let (id, token) = chat.user_of_token(&app, &token).await.expect("an answer").expect("a user");
        callers.push(Caller { app: app.clone(), who: Who::User { id, token }, address: None });
    }
    let den = RoomId::parse("den").expect("an id");
    let members = vec![user("ann"), user("bob"), user("cat")];
    let room = NewRoom { id: Some(den.clone()), members, ..NewRoom::default() };
    chat.create_room(&platform, room).await.expect("a room");
    let says = |who: &Caller, text: &str| {
        let (chat, who, den) = (chat.clone(), who.clone(), den.clone());
        let words = Words { text: json!(text), ..Words::default() };
        async move { chat.send(&who, &den, words, None, false).await }
    };
    // The whole database is held on SQLite, the room on PostgreSQL.
    let mut held = store.change(app.number).await.expect("a transaction");
    held.lock_room(&den).await.expect("an answer").expect("a room");
    let [ann, bob, cat] = &callers[..] else { panic!("three") };
    begins_and_goes_away(says(ann, "I go")).await;
    let stays = tokio::spawn(says(bob, "I stay"));
    begins_and_goes_away(says(cat, "and so do I")).await;
    drop(held);
    stays.await.expect("no panic").expect("it is said");
    let last = says(bob, "that was all").await.expect("it is said");
    assert_eq!(last.seq, 4, "all were said, each once");
}

#[tokio::test]
async fn sqlite_who_goes_away_is_heard_and_holds_up_nobody() {
    stores::sqlite(who_goes_away_is_heard_and_holds_up_nobody).await;
}

#[tokio::test]
async fn postgres_who_goes_away_is_heard_and_holds_up_nobody() {
    stores::postgres("sends", who_goes_away_is_heard_and_holds_up_nobody).await;
}
