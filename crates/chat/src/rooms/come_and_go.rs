//! Coming into rooms, being brought, leaving, being removed.

use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::Kind;
use banter_domain::moderation::{Act, Actor, Facts, Target, decide, may_be_brought, may_change_room, shows_reading};
use banter_domain::record::Topic;
use banter_domain::room::{Invitation, RoomSeen, Standing};
use banter_domain::user::UserKind;
use banter_store::{LockedRoom, NewMessage, Place};
use serde_json::{Map, Value as Json, json};

use super::seen::seen;
use super::{Way, new_room_row};
use crate::open::Open;
use crate::{Caller, Chat, Error, Result};

impl Chat {
    /// The caller joins a room (rest.md 3.12). A member just gets it. Errors: [`Error::NoRoom`],
    /// refusals.
    pub async fn join(&self, caller: &Caller, id: &RoomId, system_message: bool) -> Result<RoomSeen> {
        let mut open = self.begin(caller).await?;
        let inviter = open.inviter(id).await?;
        open.hold_pairs(&inviter).await?;
        let room = open.lock_room(id).await?;
        let standing = open.standing_of_caller(&room).await?;
        // Judged even for a member, so that a banned one is told so (N-05).
        open.judge(Act::Join, &room).await?;
        let room = open.enter(room, standing, system_message).await?;
        let seen = seen(&mut open.tx, &room, caller.viewer().as_ref()).await?;
        open.done().await?;
        Ok(seen)
    }

    /// The caller brings users into a room, or asks them in (rest.md 3.8). Whoever is in it already
    /// stays; whom a block keeps from the caller is left out, and nobody is told. Errors: [`Error::NoRoom`],
    /// [`Error::NoUser`], refusals.
    pub async fn add_members(
        &self,
        caller: &Caller,
        id: &RoomId,
        users: Vec<UserId>,
        way: Way,
        say: bool,
    ) -> Result<RoomSeen> {
        let mut open = self.begin(caller).await?;
        open.hold_pairs(&users).await?;
        let mut room = open.lock_room(id).await?;
        open.judge(Act::Invite, &room).await?;
        let brought = open.bring(&mut room, &users, way).await?;
        if say && !brought.is_empty() {
            let kind = if brought.len() == 1 { Kind::AddMember } else { Kind::AddMembers };
            open.say(&mut room, kind, &caller.user(), &brought).await?;
        }
        if !brought.is_empty() {
            open.room_changed(&room).await?;
        }
        let seen = seen(&mut open.tx, &room, caller.viewer().as_ref()).await?;
        open.done().await?;
        Ok(seen)
    }

    /// The caller leaves, or puts others out of a room (rest.md 3.9, R-28). Leaving twice changes
    /// nothing. Errors: [`Error::NoRoom`], [`Error::NoMember`], refusals.
    pub async fn remove_members(
        &self,
        caller: &Caller,
        id: &RoomId,
        users: Vec<UserId>,
        say: bool,
    ) -> Result<RoomSeen> {
        let mut open = self.begin(caller).await?;
        let mut room = open.lock_room(id).await?;
        let user = caller.user();
        let itself = !caller.is_platform() && !users.is_empty() && users.iter().all(|one| *one == user);
        let standing = open.standing_of_caller(&room).await?;
        if itself && !standing.member && !standing.hidden && open.tx.has_left(&room.id, &user).await? {
            // He is gone already, and is not shown what he left.
            let room = new_room_row(room.id.clone(), room.kind.clone(), room.created_ms);
            open.done().await?;
            return Ok(RoomSeen { room, owner: None, members: Vec::new(), last_message: None, outlook: None });
        }
        open.judge(if itself { Act::Leave } else { Act::Remove }, &room).await?;
        for user in &users {
            if !open.tx.delete_member(&room, user, open.now_ms).await? {
                return Err(Error::NoMember);
            }
        }
        // Words about one who is shut out would be a sign of life from him.
        let quiet = itself && !shows_reading(standing);
        if say && !quiet && !users.is_empty() {
            let kind = if itself { Kind::LeaveRoom } else { Kind::DeleteMember };
            open.say(&mut room, kind, &user, &users).await?;
        }
        // They hear the words about them, and nothing after.
        let mut told = (!quiet).then(|| open.came_or_left(&room, &users));
        for user in &users {
            open.event(Topic::Left, Some((&room.id, room.last_seq)), Some(user), told.take()).await?;
        }
        if quiet {
            open.room_changed_by(&room, standing).await?;
        } else {
            open.room_changed(&room).await?;
        }
        let seen = seen(&mut open.tx, &room, caller.viewer().as_ref()).await?;
        open.done().await?;
        Ok(seen)
    }
}

impl Open<'_> {
    /// Holds the pairs of the caller with those he would bring, before any room: whether a block stands
    /// between them stays as it is read. The platform is kept apart from nobody.
    pub(super) async fn hold_pairs(&mut self, users: &[UserId]) -> Result<()> {
        if users.is_empty() || self.caller.actor() == Actor::Platform {
            return Ok(());
        }
        let mut all = users.to_vec();
        all.extend(self.tx.group_members(users).await?.into_values().flatten());
        let caller = self.caller.user();
        self.tx.lock_pairs(&caller, &all).await?;
        self.move_on();
        Ok(())
    }

    /// Brings users into a room that takes them, or asks them in, and returns who came. Into a direct room
    /// nobody is asked (rest.md 3.8), and a user group cannot answer: they come at once. Errors:
    /// [`Error::NoUser`], refusals.
    pub(crate) async fn bring(&mut self, room: &mut LockedRoom, users: &[UserId], way: Way) -> Result<Vec<UserId>> {
        let (actor, caller) = (self.caller.actor(), self.caller.user());
        // Held until the end: nobody is brought who is deleted meanwhile. With the caller, since all who
        // are noted at the end must be locked in one order.
        let mut held = users.to_vec();
        held.push(caller.clone());
        let known = self.tx.lock_users(&held).await?;
        let groups: Vec<UserId> =
            known.values().filter(|user| user.kind == UserKind::Group).map(|user| user.profile.id.clone()).collect();
        let in_groups = self.tx.group_members(&groups).await?;
        let mut all: Vec<UserId> = users.to_vec();
        all.extend(in_groups.values().flatten().cloned());
        let kept_apart =
            if actor == Actor::Platform { Vec::new() } else { self.tx.blocked_with(&caller, &all).await? };
        let standing = self.standing_of_caller(room).await?;
        let mut brought: Vec<UserId> = Vec::new();
        for user in users {
            if !known.contains_key(user) {
                return Err(Error::NoUser);
            }
            let theirs = self.tx.standing(&room.id, user).await?;
            let facts = Facts { actor, room, standing, author: false };
            let stranger = room.kind.pair().is_some_and(|pair| !pair.has(user));
            may_change_room(facts, stranger, false)?;
            // A user group is kept out as a whole if it holds somebody who is kept apart (L-09).
            let blocked = kept_apart.contains(user)
                || in_groups.get(user).is_some_and(|people| people.iter().any(|one| kept_apart.contains(one)));
            if may_be_brought(facts, Target { standing: theirs, blocked })? && !theirs.member && !brought.contains(user)
            {
                brought.push(user.clone());
            }
        }
        let (asked, came): (Vec<UserId>, Vec<UserId>) =
            brought.into_iter().partition(|user| way == Way::Asked && !room.kind.is_direct() && !groups.contains(user));
        let mut told = Some(self.came_or_left(room, &came));
        for user in &came {
            self.tx.insert_member(room, user, Place::default(), self.now_ms).await?;
            self.note(user);
            self.event(Topic::Joined, Some((&room.id, room.last_seq)), Some(user), told.take()).await?;
        }
        for invitee in asked {
            let asked = Invitation { invitee, inviter: caller.clone() };
            self.tx.put_invitation(room, &asked, self.now_ms).await?;
            self.event(Topic::Invited, Some((&room.id, room.last_seq)), Some(&asked.invitee), None).await?;
        }
        Ok(came)
    }

    /// The caller comes into a room he may join.
    pub(super) async fn come_in(&mut self, room: &mut LockedRoom, standing: Standing, say: bool) -> Result<()> {
        let (actor, caller) = (self.caller.actor(), self.caller.user());
        let stranger = room.kind.pair().is_some_and(|pair| !pair.has(&caller));
        let asked = match self.tx.invitation(&room.id, &caller).await? {
            Some(invitation) => self.still_brings(room, &invitation.inviter.id).await?,
            None => false,
        };
        may_change_room(Facts { actor, room, standing, author: false }, stranger, asked)?;
        self.tx.insert_member(room, &caller, Place::default(), self.now_ms).await?;
        self.note(&caller);
        let told = shows_reading(standing).then(|| self.came_or_left(room, std::slice::from_ref(&caller)));
        self.event(Topic::Joined, Some((&room.id, room.last_seq)), Some(&caller), told).await?;
        if say && shows_reading(standing) {
            self.say(room, Kind::JoinRoom, &caller, std::slice::from_ref(&caller)).await?;
        }
        self.room_changed_by(room, standing).await
    }

    /// Who invited the caller into a room, if anybody did.
    pub(super) async fn inviter(&mut self, room: &RoomId) -> Result<Vec<UserId>> {
        let invitation = self.tx.invitation(room, &self.caller.user()).await?;
        Ok(invitation.into_iter().map(|invitation| invitation.inviter.id).filter(|id| !id.is_platform()).collect())
    }

    /// Might whoever invited the caller bring him in by himself now? Not whom a block keeps from him.
    async fn still_brings(&mut self, room: &LockedRoom, inviter: &UserId) -> Result<bool> {
        let caller = self.caller.user();
        if !self.tx.blocked_with(&caller, std::slice::from_ref(inviter)).await?.is_empty() {
            return Ok(false);
        }
        let standing = self.tx.standing(&room.id, inviter).await?;
        let actor = if inviter.is_platform() { Actor::Platform } else { Actor::User };
        let facts = Facts { actor, room, standing, author: false };
        Ok(decide(Act::Invite, facts).is_ok() && may_change_room(facts, false, false).is_ok())
    }

    /// What the room's webhook is told of people who came or left together: it stands in the first event
    /// of their act. When the room was made tells it from another one of its id.
    fn came_or_left(&self, room: &LockedRoom, people: &[UserId]) -> Json {
        let people: Vec<&str> = people.iter().map(UserId::as_str).collect();
        json!({ "by": self.caller.user().as_str(), "people": people, "room_ms": room.created_ms })
    }

    /// Tells everybody in a room that it is another now.
    pub(crate) async fn room_changed(&mut self, room: &LockedRoom) -> Result<()> {
        let by = self.caller.user();
        self.event(Topic::Room, Some((&room.id, room.last_seq)), Some(&by), None).await
    }

    /// Tells one user alone that he is in a room, from now on or again.
    pub(crate) async fn seated(&mut self, room: &LockedRoom, user: &UserId) -> Result<()> {
        let place = Some((&room.id, room.last_seq));
        self.event(Topic::Joined, place, Some(user), None).await?;
        self.event(Topic::Room, place, Some(user), Some(json!({ "alone": true, "seated": true }))).await
    }

    /// As [`Open::room_changed`], by what the caller did, who stands so: if he is shut out he alone is
    /// told, for to the others it would be a sign of life from him (L-07).
    pub(crate) async fn room_changed_by(&mut self, room: &LockedRoom, standing: Standing) -> Result<()> {
        let by = self.caller.user();
        let alone = (!shows_reading(standing)).then(|| json!({ "alone": true }));
        self.event(Topic::Room, Some((&room.id, room.last_seq)), Some(&by), alone).await
    }

    /// Writes a message of the server's own about people coming, going or being appointed.
    pub(crate) async fn say(
        &mut self,
        room: &mut LockedRoom,
        kind: Kind,
        sender: &UserId,
        about: &[UserId],
    ) -> Result<ObjectId> {
        self.show_to_both(room).await?;
        let known = self.tx.users(about).await?;
        let name = |id: &UserId| {
            let nickname = known.get(id).and_then(|user| user.profile.nickname.clone());
            nickname.filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_string())
        };
        let subjects: Vec<_> = about
            .iter()
            .map(|id| {
                let profile = known.get(id).map(|user| &user.profile);
                json!({
                    "id": id.as_str(),
                    "nickname": profile.and_then(|profile| profile.nickname.as_deref()),
                    "avatar_url": profile.and_then(|profile| profile.avatar_url.as_deref()),
                    "last_login_ms": profile.map_or(0, |profile| profile.last_login_ms),
                })
            })
            .collect();
        let names: Vec<String> = about.iter().map(name).collect();
        let body = Map::from_iter([("subjects".to_owned(), subjects.into())]);
        let new = NewMessage {
            id: self.new_id(),
            sender: sender.clone(),
            kind: kind.name().to_owned(),
            text: names.join(", ").into(),
            body,
            reply: None,
            mentions: Vec::new(),
            batch: None,
            counts: false,
            forced: false,
            from_group: false,
            now_ms: self.now_ms,
        };
        let (seq, _) = self.tx.insert_message(room, &new).await?;
        self.event(Topic::Message, Some((&room.id, seq)), Some(sender), None).await?;
        Ok(new.id)
    }
}
