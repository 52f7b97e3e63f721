//! Tells those who listen what happened, in the order in which it happened.
//!
//! One task reads each app's outbox and tells each event to the end before it looks at the next one,
//! so every socket hears a room's events in the room's order, after their commits.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use banter_chat::{App, Happening, RoomForEach, RoomOfOne, StoreError};
use banter_domain::id::{RoomId, UserId};
use banter_domain::record::Topic;
use banter_domain::room::{Room, RoomSeen};
use serde_json::{Value, json};

use super::events::Event;
use super::line::Line;
use super::{ANONYMOUS, Sockets, locked, tell};
use crate::http::invitations::from_outside;
use crate::http::view::invitation::InvitationView;
use crate::http::view::message::MessageView;
use crate::http::view::room::RoomView;
use crate::http::view::time::Iso;
use crate::http::{Edge, prefs};

/// So many events are read at once.
const AT_ONCE: usize = 256;
/// After a fault of the database: how long until it is asked again.
const PAUSE: Duration = Duration::from_millis(200);
/// So long a socket that ended is known as such: longer than the library keeps a client that says nothing.
const REMEMBERED: Duration = Duration::from_secs(120);
/// How often tokens that ended and sockets that are nobody's are looked for.
const OFTEN: Duration = Duration::from_secs(1);

/// Goes on until it is aborted.
pub(super) async fn run(sockets: &Arc<Sockets>, edge: &Edge) {
    // Beside each other: what must end in time does not wait for what is to be told.
    tokio::join!(keep_telling(sockets, edge), keep_sweeping(sockets, edge));
}

async fn keep_sweeping(sockets: &Arc<Sockets>, edge: &Edge) {
    let mut often = tokio::time::interval(OFTEN);
    often.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        often.tick().await;
        sweep(sockets, edge);
    }
}

async fn keep_telling(sockets: &Arc<Sockets>, edge: &Edge) {
    loop {
        sockets.wake.notified().await;
        let news: Vec<i64> = locked(&sockets.news).drain().collect();
        for app in news {
            if let Err(error) = catch_up(sockets, edge, app).await {
                tracing::error!(%error, "what happened could not be read; it is tried again");
                locked(&sockets.news).insert(app);
                tokio::time::sleep(PAUSE).await;
                sockets.wake.notify_one();
            }
        }
    }
}

fn sweep(sockets: &Sockets, edge: &Edge) {
    let now = (edge.senses.elapsed)();
    // The library does not tell of every socket that ends while it opens.
    let mut gone = Vec::new();
    locked(&sockets.talks).retain(|_, talk| {
        let Some(since) = talk.over_since(now) else { return true };
        gone.push(talk.place());
        // The library may still hold what waits for one that polls: it is known as ended for longer than that.
        now.saturating_sub(since) < REMEMBERED
    });
    locked(&sockets.early).retain(|_, asked| !asked.connection().is_over());
    for id in gone {
        sockets.registry().close(id);
    }
    let mut ended = sockets.registry().expire(edge.chat.now());
    if let Some(since) = now.checked_sub(ANONYMOUS) {
        ended.extend(sockets.registry().nobodys(since));
    }
    for line in ended {
        line.cut();
    }
}

async fn catch_up(sockets: &Sockets, edge: &Edge, number: i64) -> banter_chat::Result<()> {
    loop {
        let Some((app, from)) = locked(&sockets.followed).get(&number).cloned() else { return Ok(()) };
        let (happened, next) = edge.chat.happenings(number, from, AT_ONCE).await?;
        let more = happened.len() >= AT_ONCE;
        for one in happened {
            match deliver(sockets, edge, &app, &one).await {
                // What cannot be read today cannot be read tomorrow either; what follows can.
                Err(banter_chat::Error::Store(StoreError::Corrupt(what))) => {
                    tracing::error!(id = %one.id, what, "an event cannot be told");
                }
                told => told?,
            }
            // What was told is not told again, whatever goes wrong after it.
            set_next(sockets, number, one.id.successor());
        }
        set_next(sockets, number, next);
        if !more {
            return Ok(());
        }
    }
}

fn set_next(sockets: &Sockets, number: i64, next: banter_domain::id::ObjectId) {
    if let Some((_, from)) = locked(&sockets.followed).get_mut(&number) {
        *from = next;
    }
}

async fn deliver(sockets: &Sockets, edge: &Edge, app: &Arc<App>, one: &Happening) -> banter_chat::Result<()> {
    let told = Told { sockets, edge, app };
    // What a newer version wrote is told by the newer version.
    let Some(topic) = one.topic else { return Ok(()) };
    match (topic, &one.room, &one.user) {
        (Topic::Message, Some(room), _) => told.message(room, one, false).await,
        (Topic::MessageChanged, Some(room), _) => told.message(room, one, true).await,
        (Topic::Room, Some(room), Some(user)) if field(&one.payload, "alone") == true => {
            told.room(room, |_, _| vec![user.clone()]).await
        }
        (Topic::MessagesDeleted | Topic::Room, Some(room), _) => told.room(room, everybody).await,
        (Topic::Joined | Topic::Left, Some(room), Some(user)) => told.hearing(room, user).await,
        (Topic::RoomDeleted, Some(room), _) => {
            sockets.registry().end_room(app.number, room);
            Ok(())
        }
        (Topic::Read, Some(room), Some(user)) => told.read(room, user, &one.payload).await,
        (Topic::Block, None, Some(blocker)) => told.block(blocker, &one.payload).await,
        (Topic::Pref, None, Some(user)) => {
            told.pref(user, &one.payload);
            Ok(())
        }
        (Topic::RoomPref, None, Some(user)) => {
            told.room_pref(user, &one.payload);
            Ok(())
        }
        (Topic::Ban, Some(room), Some(by)) => told.ban(room, by, &one.payload).await,
        (Topic::Invited, Some(room), Some(invitee)) => told.invited(room, invitee).await,
        (Topic::Uninvited, None, Some(invitee)) => told.uninvited(invitee, &one.payload).await,
        (Topic::PutAway, None, Some(user)) => {
            let payload = json!({
                "room": field(&one.payload, "room"), "messages": field(&one.payload, "messages"),
                "isUserDeleteAllMessagesInRoom": field(&one.payload, "all"),
            });
            tell(sockets.registry().of_user(app.number, user), Event::DeletedForOneself, &payload);
            Ok(())
        }
        (Topic::User, ..) if field(&one.payload, "deleted") == true => told.everything().await,
        // Of these nobody is told: profiles show when they are read, and revocations were acted upon.
        (Topic::User | Topic::TokensRevoked | Topic::Config | Topic::Push | Topic::Refused, ..) => Ok(()),
        (topic, ..) => {
            tracing::error!(?topic, id = %one.id, "an event of the outbox makes no sense");
            Ok(())
        }
    }
}

/// A field of a payload; null: it is not there.
fn field<'a>(payload: &'a Value, name: &str) -> &'a Value {
    payload.get(name).unwrap_or(&Value::Null)
}

/// Everybody in a room, and who still hears it though he may not be in it any more.
fn everybody(seen: &RoomSeen, hear: &HashSet<UserId>) -> Vec<UserId> {
    let in_it = seen.members.iter().flat_map(|seen| {
        let people = seen.group.iter().map(|user| user.profile.id.clone());
        people.chain([seen.member.user.clone()])
    });
    in_it.chain(hear.iter().cloned()).collect::<HashSet<_>>().into_iter().collect()
}

/// What one event is told with.
struct Told<'a> {
    sockets: &'a Sockets,
    edge: &'a Edge,
    app: &'a Arc<App>,
}

impl Told<'_> {
    /// A message, new or changed. What somebody changes while a block stands between the two of a
    /// direct room shows to him alone.
    async fn message(&self, room: &RoomId, one: &Happening, changed: bool) -> banter_chat::Result<()> {
        let number = self.app.number;
        let Some(seq) = one.seq.filter(|_| self.sockets.registry().is_heard(number, room)) else { return Ok(()) };
        let Some((room, message)) = self.edge.chat.message_at(number, room, seq).await? else { return Ok(()) };
        if message.id > one.id {
            // Another room has the id by now, and this is its message.
            return Ok(());
        }
        let alone = match &one.user {
            Some(user) if changed => self.edge.chat.is_kept_apart(number, &room, user).await?.then_some(user),
            _ => None,
        };
        let lines = match alone {
            Some(user) => self.sockets.registry().of_user(number, user),
            None if message.hidden => self.of_superusers(&room).await?,
            None if changed => {
                // Who deleted it for himself does not get it back.
                let listeners: Vec<UserId> =
                    self.sockets.registry().users_of_room(number, &room.id).into_iter().collect();
                let without = self.edge.chat.who_put_away(number, &room, message.seq, &listeners).await?;
                self.sockets.registry().of_room_but(number, &room.id, &without)
            }
            None => self.sockets.registry().of_room(number, &room.id),
        };
        tell(lines, Event::Message, &MessageView::of(&self.app.id, &message));
        Ok(())
    }

    /// Those of a room's listeners who see what is out of the members' sight.
    async fn of_superusers(&self, room: &Room) -> banter_chat::Result<Vec<Arc<dyn Line>>> {
        let number = self.app.number;
        let listeners: Vec<UserId> = self.sockets.registry().users_of_room(number, &room.id).into_iter().collect();
        let above = self.edge.chat.superusers_among(number, room, &listeners).await?;
        let registry = self.sockets.registry();
        Ok(above.iter().flat_map(|user| registry.of_user(number, user)).collect())
    }

    /// Somebody is asked into a room, if that still reaches him.
    async fn invited(&self, room: &RoomId, invitee: &UserId) -> banter_chat::Result<()> {
        let number = self.app.number;
        let lines = self.sockets.registry().of_user(number, invitee);
        if lines.is_empty() {
            return Ok(());
        }
        if let Some(invitation) = self.edge.chat.invitation(number, room, invitee).await? {
            let outside = from_outside(&invitation);
            let told =
                || tell(lines, Event::Invitation, &InvitationView::of(&self.app.id, &invitation, Some(&outside)));
            self.edge.chat.unless_blocked(number, (invitee, &invitation.inviter.id), told).await?;
        }
        Ok(())
    }

    /// Somebody is asked into a room no longer. If he took it back whom the invitee blocked meanwhile, that does not
    /// reach him any more.
    async fn uninvited(&self, invitee: &UserId, payload: &Value) -> banter_chat::Result<()> {
        let lines = self.sockets.registry().of_user(self.app.number, invitee);
        if lines.is_empty() {
            return Ok(());
        }
        let told = || tell(lines, Event::InvitationCancelled, &json!({ "room": field(payload, "room") }));
        match field(payload, "inviter").as_str().and_then(|user| UserId::parse(user).ok()) {
            Some(inviter) => self.edge.chat.unless_blocked(self.app.number, (invitee, &inviter), told).await,
            // He declined it himself.
            None => {
                told();
                Ok(())
            }
        }
    }

    /// One user came or went; of a user group, everybody in it.
    async fn hearing(&self, room: &RoomId, user: &UserId) -> banter_chat::Result<()> {
        let number = self.app.number;
        let people = self.edge.chat.people_of(number, user).await?;
        let here = {
            let registry = self.sockets.registry();
            people.into_iter().filter(|user| registry.is_here(number, user)).collect()
        };
        for (user, hears) in self.edge.chat.hearers(number, room, here).await? {
            self.sockets.registry().set_hearing(number, room, &user, hears);
        }
        Ok(())
    }

    /// The room as each of some sees it, on all his sockets; who hears it is set right on the way.
    async fn room(
        &self,
        room: &RoomId,
        to: impl FnOnce(&RoomSeen, &HashSet<UserId>) -> Vec<UserId> + Send,
    ) -> banter_chat::Result<()> {
        let number = self.app.number;
        let hear = self.sockets.registry().users_of_room(number, room);
        let here = |seen: &RoomSeen| {
            let registry = self.sockets.registry();
            to(seen, &hear).into_iter().filter(|user| registry.is_here(number, user)).collect()
        };
        // Who is not in it any more hears it until it is told that he left: the words about him come first.
        let Some(RoomForEach { mut seen, each }) = self.edge.chat.room_for_each(number, room, here).await? else {
            return Ok(());
        };
        for RoomOfOne { user, outlook, last_message } in each {
            let lines = {
                let mut registry = self.sockets.registry();
                registry.set_hearing(number, room, &user, true);
                registry.of_user(number, &user)
            };
            (seen.outlook, seen.last_message) = (Some(outlook), last_message);
            tell(lines, Event::Room, &RoomView::of(&self.app.id, &seen, Some(&user)));
        }
        Ok(())
    }

    /// A block or ban that came meanwhile stands between them now.
    async fn read(&self, room: &RoomId, user: &UserId, payload: &Value) -> banter_chat::Result<()> {
        // Whoever read nothing read up to no message, and clients ignore what is no text.
        if let Some(message) = field(payload, "message").as_str()
            && self.edge.chat.still_shows_reading(self.app.number, room, user).await?
        {
            let read = json!({ "roomID": room.as_str(), "memberID": user.as_str(), "messageID": message });
            let lines = self.sockets.registry().of_room(self.app.number, room);
            tell(lines, Event::LastRead, &read);
        }
        Ok(())
    }

    fn pref(&self, user: &UserId, payload: &Value) {
        let lines = self.sockets.registry().of_user(self.app.number, user);
        let name = field(payload, "name");
        match payload.get("value") {
            Some(value) => tell(lines, Event::PrefChange, &json!({ "key": name, "data": value })),
            None => tell(lines, Event::PrefDelete, name),
        }
    }

    fn room_pref(&self, user: &UserId, payload: &Value) {
        let room = field(payload, "room").as_str().and_then(|room| RoomId::parse(room).ok());
        if let (Some(room), Some(pref)) = (room, field(payload, "pref").as_object()) {
            let lines = self.sockets.registry().of_user(self.app.number, user);
            tell(lines, Event::RoomPref, &prefs::shown(&room, pref.clone()));
        }
    }

    /// Only the blocker's own devices learn of a block.
    async fn block(&self, blocker: &UserId, payload: &Value) -> banter_chat::Result<()> {
        let status = self.status(payload, ("block", "unblock"), field(payload, "room").as_str().unwrap_or_default());
        if let Some(room) = field(payload, "room").as_str().and_then(|room| RoomId::parse(room).ok()) {
            self.room(&room, |_, _| vec![blocker.clone()]).await?;
        }
        // Last, after everything that may fail and is then told again.
        tell(self.sockets.registry().of_user(self.app.number, blocker), Event::BlockStatus, &status);
        Ok(())
    }

    /// Who banned and the room's owner learn of a ban, and of the room so do they and the banned user
    ///
    async fn ban(&self, room: &RoomId, by: &UserId, payload: &Value) -> banter_chat::Result<()> {
        let banned = field(payload, "blockee").as_str().and_then(|user| UserId::parse(user).ok());
        let mut owner = None;
        let concerned = |seen: &RoomSeen, _: &HashSet<UserId>| {
            owner.clone_from(&seen.room.owner);
            let all = [Some(by.clone()), banned, seen.room.owner.clone()].into_iter().flatten();
            all.collect::<HashSet<_>>().into_iter().collect()
        };
        self.room(room, concerned).await?;
        let status = self.status(payload, ("ban", "unban"), room.as_str());
        for user in [Some(by.clone()), owner].into_iter().flatten().collect::<HashSet<_>>() {
            let lines = self.sockets.registry().of_user(self.app.number, &user);
            tell(lines, Event::BlockStatus, &status);
        }
        Ok(())
    }

    fn status(&self, payload: &Value, (on, off): (&str, &str), room: &str) -> Value {
        let moment = |name: &str| Iso::of(field(payload, name).as_i64().unwrap_or_default());
        json!({
            "op": if field(payload, "active") == true { on } else { off },
            "blockee": field(payload, "blockee"),
            "room": room,
            "createdAt": moment("created_ms"), "updatedAt": moment("updated_ms"),
        })
    }

    /// A user or user group is gone: who hears which room is set right everywhere.
    async fn everything(&self) -> banter_chat::Result<()> {
        let number = self.app.number;
        let rooms = {
            let mut registry = self.sockets.registry();
            registry.end_something(number);
            registry.rooms_of_app(number)
        };
        for room in rooms {
            let hear: Vec<UserId> = self.sockets.registry().users_of_room(number, &room).into_iter().collect();
            for (user, hears) in self.edge.chat.hearers(number, &room, hear).await? {
                self.sockets.registry().set_hearing(number, &room, &user, hears);
            }
        }
        Ok(())
    }
}
