//! Making rooms, and opening the room of a pair.

use banter_domain::id::{Pair, RoomId, UserId};
use banter_domain::message::Kind;
use banter_domain::moderation::{Act, Actor, Denied};
use banter_domain::record::Topic;
use banter_domain::room::{Room, RoomKind, RoomSeen, Standing};
use banter_store::{LockedRoom, Place};

use super::seen::seen;
use super::{NewKind, NewRoom, Way, new_room_row};
use crate::kept::Shown;
use crate::open::Open;
use crate::{Caller, Chat, Error, Result};

impl Chat {
    /// Makes a room without joining it (rest.md 3.1). A user becomes the owner of a group he
    /// makes. Errors: [`Error::RoomExists`], [`Error::NoUser`], [`Error::BadRoomKind`], refusals.
    pub async fn create_room(&self, caller: &Caller, new: NewRoom) -> Result<RoomSeen> {
        let mut open = self.begin(caller).await?;
        open.hold_pairs(&new.members).await?;
        let (mut room, members) = match new.kind.unwrap_or(NewKind::Group) {
            NewKind::Direct => {
                let pair = open.pair_for(&new)?;
                let members = pair.both().map(Clone::clone).to_vec();
                open.require_users(&members).await?;
                open.tx.lock_pair(&pair).await?;
                (open.make_room(&new, RoomKind::Direct(pair)).await?, members)
            }
            NewKind::Group => (open.make_room(&new, RoomKind::Group).await?, new.members.clone()),
            NewKind::Custom => (open.make_room(&new, RoomKind::Custom).await?, new.members.clone()),
        };
        let brought = if room.kind.is_direct() {
            open.seat(&room, &caller.user()).await?;
            members
        } else {
            open.bring(&mut room, &members, Way::Brought).await?
        };
        open.welcome(&mut room, brought, new.system_message).await?;
        let seen = seen(&mut open.tx, &room, caller.viewer().as_ref()).await?;
        open.done().await?;
        Ok(seen)
    }

    /// Makes a room, or opens the one that is there, and joins it (rest.md 3.2). Errors as
    /// [`Chat::create_room`] and [`Chat::join`].
    pub async fn open_room(&self, caller: &Caller, new: NewRoom) -> Result<RoomSeen> {
        let mut open = self.begin(caller).await?;
        let mut others = new.members.clone();
        if let Some(id) = &new.id {
            others.extend(open.inviter(id).await?);
        }
        open.hold_pairs(&others).await?;
        let room = match new.kind.unwrap_or(NewKind::Group) {
            NewKind::Direct => open.open_direct(&new).await?,
            NewKind::Group => open.open_group(&new, RoomKind::Group).await?,
            NewKind::Custom => open.open_group(&new, RoomKind::Custom).await?,
        };
        let seen = seen(&mut open.tx, &room, caller.viewer().as_ref()).await?;
        open.done().await?;
        Ok(seen)
    }
}

impl Open<'_> {
    /// The two of a direct room to be made: as named, or the caller and the one named.
    fn pair_for(&self, new: &NewRoom) -> Result<Pair> {
        let caller = self.caller.user();
        let pair = match new.members.as_slice() {
            [one, other] => Pair::of(one, other),
            [other] if !self.caller.is_platform() => Pair::of(&caller, other),
            _ => None,
        };
        // Only the platform makes rooms for two others.
        pair.filter(|pair| self.caller.is_platform() || pair.has(&caller)).ok_or(Error::BadRoomKind)
    }

    async fn require_users(&mut self, users: &[UserId]) -> Result<()> {
        let known = self.tx.users(users).await?;
        if users.iter().all(|user| known.contains_key(user)) { Ok(()) } else { Err(Error::NoUser) }
    }

    /// Writes a new room under the wanted id, or a fresh one.
    async fn make_room(&mut self, new: &NewRoom, kind: RoomKind) -> Result<LockedRoom> {
        let id = match &new.id {
            None => RoomId::from(self.new_id()),
            Some(id) => {
                self.claim(id).await?;
                id.clone()
            }
        };
        let owner = match (&new.owner, &kind) {
            (_, RoomKind::Direct(_)) => None,
            (Some(owner), _) if self.caller.is_platform() => {
                self.require_users(std::slice::from_ref(owner)).await?;
                Some(owner.clone())
            }
            (_, _) => self.caller.viewer(),
        };
        let hooked = new.webhook.as_ref().is_some_and(|webhook| !webhook.is_empty());
        if kind.is_direct() && !self.caller.is_platform() && (hooked || new.bot_mode == Some(true)) {
            // Neither of the two lets somebody else listen and speak there, nor could he do so later.
            return Err(Denied::NotPermitted(Act::UpdateRoom).into());
        }
        let masked = self.words().await?;
        let mask = |text: &Option<String>| text.as_deref().map(|text| masked.mask(text).into_owned());
        let row = Room {
            owner,
            name: mask(&new.name),
            cover: new.cover.clone(),
            description: mask(&new.description),
            tags: new.tags.clone(),
            webhook: new.webhook.clone(),
            webhook_by: if hooked { self.setter() } else { None },
            bot_mode: new.bot_mode.unwrap_or(false),
            ext_params: new.ext_params.clone(),
            ..new_room_row(id, kind, self.now_ms)
        };
        let room = self.tx.insert_room(&row).await?.ok_or(Error::RoomExists)?;
        if hooked {
            self.begin_webhooks().await?;
        }
        if let Some(owner) = &room.owner
            && !self.tx.banned_among(&room.id, std::slice::from_ref(owner)).await?.is_empty()
        {
            // A ban outlives its room: nobody makes himself the owner of where he is banned (N-05).
            let itself = *owner == self.caller.user();
            return Err(if itself { Denied::Banned } else { Denied::TargetBanned }.into());
        }
        self.outdate_bans(&room).await?;
        if let (Some(owner), true) = (&room.owner, self.caller.is_platform()) {
            let owner = owner.clone();
            self.tx.insert_member(&room, &owner, Place::default(), self.now_ms).await?;
        }
        let maker = self.caller.user();
        self.note(&maker);
        self.event(Topic::Room, Some((&room.id, room.last_seq)), Some(&maker), None).await?;
        Ok(room)
    }

    /// Bans of a room of this id show again, or no longer.
    pub(crate) async fn outdate_bans(&mut self, room: &LockedRoom) -> Result<()> {
        let app = self.app();
        let banners = self.tx.banners(&room.id).await?;
        self.outdates(banners.into_iter().map(|user| Shown::MadeBy(app, user)));
        self.outdates([Shown::Room(app, room.id.clone())]);
        Ok(())
    }

    /// Makes way for a new room under an id: a room that a block made, and that the caller cannot
    /// know of, moves to a fresh id. Errors: [`Error::RoomExists`].
    pub(crate) async fn claim(&mut self, id: &RoomId) -> Result<()> {
        let Some(room) = self.tx.room(id).await? else { return Ok(()) };
        let Some(pair) = room.kind.pair() else { return Err(Error::RoomExists) };
        let members = pair.both().map(Clone::clone);
        let mut pair = self.tx.lock_pair(pair).await?;
        let Some(mut room) = self.tx.lock_room(id).await? else { return Ok(()) };
        let standing = self.standing_of_caller(&room).await?;
        if !room.secret || room.last_seq > 0 || standing.member && !standing.hidden {
            return Err(Error::RoomExists);
        }
        let fresh = self.chat.timeless_room_id();
        // Who hears it hears it no longer under the id that others get.
        self.event(Topic::RoomDeleted, Some((id, room.last_seq)), None, None).await?;
        self.tx.rename_room(&mut pair, &mut room, &fresh).await?;
        for user in &members {
            self.event(Topic::Joined, Some((&fresh, room.last_seq)), Some(user), None).await?;
        }
        let app = self.app();
        self.outdates(members.map(|user| Shown::MadeBy(app, user)));
        Ok(())
    }

    /// Says that people came, if that is wanted and there are any.
    async fn welcome(&mut self, room: &mut LockedRoom, brought: Vec<UserId>, say: bool) -> Result<()> {
        // In a direct room it would be a first word to the other side.
        if say && !brought.is_empty() && !room.kind.is_direct() {
            let by = room.owner.clone().unwrap_or_else(|| self.caller.user());
            self.say(room, Kind::AddMembers, &by, &brought).await?;
        }
        Ok(())
    }

    async fn open_group(&mut self, new: &NewRoom, kind: RoomKind) -> Result<LockedRoom> {
        let caller = self.caller.user();
        if let Some(id) = &new.id
            && let Some(room) = self.tx.lock_room(id).await?
        {
            let standing = self.standing_of_caller(&room).await?;
            if !standing.hidden {
                return self.enter(room, standing, new.system_message).await;
            }
        }
        let mut room = match self.make_room(new, kind).await {
            Ok(room) => room,
            // Somebody else made it in the meantime: then it is there to be joined.
            Err(Error::RoomExists) => {
                let id = new.id.as_ref().ok_or(Error::RoomExists)?;
                let room = self.lock_room(id).await?;
                let standing = self.standing_of_caller(&room).await?;
                if standing.hidden || room.kind.is_direct() {
                    return Err(Error::RoomExists);
                }
                return self.enter(room, standing, new.system_message).await;
            }
            Err(error) => return Err(error),
        };
        let standing = self.tx.standing(&room.id, &caller).await?;
        if standing.banned {
            return Err(Denied::Banned.into());
        }
        self.tx.insert_member(&room, &caller, Place::default(), self.now_ms).await?;
        let others: Vec<UserId> = new.members.iter().filter(|user| **user != caller).cloned().collect();
        let brought = self.bring(&mut room, &others, new.way).await?;
        self.welcome(&mut room, brought, new.system_message).await?;
        Ok(room)
    }

    /// Into a direct room nobody gets but its two, whoever knows or computes its id.
    async fn open_direct(&mut self, new: &NewRoom) -> Result<LockedRoom> {
        let caller = self.caller.user();
        let others: Vec<&UserId> = new.members.iter().filter(|user| **user != caller).collect();
        if let Some(id) = &new.id
            && let Some(room) = self.tx.lock_room(id).await?
        {
            let standing = self.standing_of_caller(&room).await?;
            let other = room.kind.pair().and_then(|pair| pair.other(&caller));
            // What is hidden from him is none to him, unless it is the very room he asks for.
            if let Some(other) = other
                && (!standing.hidden || others.as_slice() == [other])
            {
                return self.enter_direct(room).await;
            }
            let computed = others.first().and_then(|other| Pair::of(&caller, other)).map(|pair| pair.computed_room());
            if !room.secret && computed.as_ref() == Some(id) {
                // Somebody else's room under the id this pair computes is not the pair's.
                return self.open_direct_of(&others, None, new).await;
            }
            if !room.secret {
                return Err(if room.kind.is_direct() { Denied::DirectRoom.into() } else { Error::RoomExists });
            }
        }
        self.open_direct_of(&others, new.id.as_ref(), new).await
    }

    /// Opens the room of the caller and one other, under an id if one is wanted.
    async fn open_direct_of(&mut self, others: &[&UserId], id: Option<&RoomId>, new: &NewRoom) -> Result<LockedRoom> {
        let caller = self.caller.user();
        let [other] = others else { return Err(Error::BadRoomKind) };
        let pair = Pair::of(&caller, other).ok_or(Error::BadRoomKind)?;
        self.require_users(&[caller.clone(), (*other).clone()]).await?;
        let mut pair = self.tx.lock_pair(&pair).await?;
        let room = match (id, self.room_of_pair(&mut pair).await?) {
            (None, Some(room)) => room,
            (None, None) => self.make_pair_room(&mut pair, false).await?,
            (Some(id), Some(room)) if room.id == *id => room,
            (Some(_), known) => {
                let made = self.make_room(new, RoomKind::Direct(pair.pair().clone())).await?;
                // A room he cannot know of is not the pair's for him.
                let unknown = match &known {
                    None => true,
                    Some(known) => self.standing_of_caller(known).await?.hidden,
                };
                if unknown {
                    self.tx.set_pair_room(&mut pair, Some(&made.id)).await?;
                }
                made
            }
        };
        let room = self.enter_direct(room).await?;
        if pair.room.as_ref() == Some(&room.id) {
            for user in pair.pair().both() {
                let outlook = self.tx.outlook(&room, user).await?;
                if outlook.standing.member && !outlook.standing.hidden {
                    self.show_block_in(&room, user, outlook.created_ms).await?;
                }
            }
        }
        Ok(room)
    }

    /// One of the two comes (back) to a direct room; from now on both see it.
    async fn enter_direct(&mut self, mut room: LockedRoom) -> Result<LockedRoom> {
        let caller = self.caller.user();
        let other = room.kind.pair().and_then(|pair| pair.other(&caller)).cloned();
        let apart = match &other {
            Some(other) if self.caller.actor() != Actor::Platform => self.kept_apart(&caller, other).await?,
            Some(_) | None => false,
        };
        // What a block made is there for both once one of them opens it. Else nobody is brought back by whom
        // he is kept apart from (L-07).
        if apart && !room.secret {
            self.show(&room, &caller).await?;
        } else {
            self.show_to_both(&mut room).await?;
        }
        self.seat(&room, &caller).await?;
        self.note(&caller);
        Ok(room)
    }

    /// Both of a direct room are in it (again). Where a block stands between them, the other one's
    /// place is hidden from him until something is said: he is not brought anywhere, and whoever
    /// looks at the room is told nothing of the block.
    pub(crate) async fn seat(&mut self, room: &LockedRoom, opener: &UserId) -> Result<()> {
        let pair = room.kind.pair().cloned().ok_or(Error::BadRoomKind)?;
        for member in pair.both() {
            if !self.tx.standing(&room.id, member).await?.member {
                let hidden = member != opener
                    && self.caller.actor() != Actor::Platform
                    && self.kept_apart(opener, member).await?;
                self.tx.insert_member(room, member, Place { hidden, ..Place::default() }, self.now_ms).await?;
                if !hidden {
                    self.seated(room, member).await?;
                }
            }
        }
        Ok(())
    }

    /// Does a block stand between a user and another, or one of the people of a user group (L-09)?
    pub(crate) async fn kept_apart(&mut self, user: &UserId, other: &UserId) -> Result<bool> {
        let mut all = vec![other.clone()];
        all.extend(self.tx.group_members(std::slice::from_ref(other)).await?.into_values().flatten());
        Ok(!self.tx.blocked_with(user, &all).await?.is_empty())
    }

    pub(super) async fn standing_of_caller(&mut self, room: &LockedRoom) -> Result<Standing> {
        Ok(self.tx.standing(&room.id, &self.caller.user()).await?)
    }

    /// The caller comes into a room that is there: a member just gets it, others join (rest.md 3.12).
    pub(super) async fn enter(&mut self, mut room: LockedRoom, standing: Standing, say: bool) -> Result<LockedRoom> {
        if !standing.member {
            self.judge(Act::Join, &room).await?;
            self.come_in(&mut room, standing, say).await?;
        }
        Ok(room)
    }
}
