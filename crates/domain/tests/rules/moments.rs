//! Every situation the rules can be asked about.

use banter_domain::id::{Pair, RoomId, UserId};
use banter_domain::moderation::{Act, Actor, Denied, Facts, decide};
use banter_domain::room::{Role, Room, RoomKind, Standing};

pub(crate) const ACTORS: [Actor; 3] = [Actor::Platform, Actor::PlatformAs, Actor::User];
pub(crate) const ROLES: [Option<Role>; 4] = [None, Some(Role::Member), Some(Role::Manager), Some(Role::Owner)];
pub(crate) const BOTH: [bool; 2] = [false, true];

/// One moment: who asks, where, and how he stands there.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) actor: Actor,
    pub(crate) room: Room,
    pub(crate) standing: Standing,
    pub(crate) author: bool,
}

impl Moment {
    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts { actor: self.actor, room: &self.room, standing: self.standing, author: self.author }
    }

    pub(crate) fn decide(&self, act: Act) -> Result<(), Denied> {
        decide(act, self.facts())
    }

    pub(crate) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut other = self.clone();
        change(&mut other);
        other
    }
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::parse(id).expect("a user id")
}

pub(crate) fn room(kind: RoomKind, owner: Option<&str>) -> Room {
    Room {
        id: RoomId::parse("den").expect("a room id"),
        kind,
        owner: owner.map(user),
        name: None,
        cover: None,
        description: None,
        tags: Vec::new(),
        webhook: None,
        webhook_by: None,
        bot_mode: false,
        bot_state: String::new(),
        ext_params: None,
        frozen: false,
        closed: false,
        secret: false,
        last_seq: 0,
        last_count: 0,
        total: 0,
        last_message: None,
        last_message_ms: 0,
        pinned: None,
        created_ms: 0,
    }
}

pub(crate) fn direct() -> Room {
    room(RoomKind::Direct(Pair::of(&user("ann"), &user("bob")).expect("two people")), None)
}

pub(crate) fn owned() -> Room {
    room(RoomKind::Group, Some("ann"))
}

pub(crate) fn ownerless() -> Room {
    room(RoomKind::Group, None)
}

/// Every kind of room, open and closed, frozen and not.
pub(crate) fn rooms() -> Vec<Room> {
    let kinds = [direct(), owned(), ownerless(), room(RoomKind::Custom, Some("ann")), room(RoomKind::Custom, None)];
    let mut rooms = Vec::new();
    for kind in kinds {
        for frozen in BOTH {
            for closed in BOTH {
                rooms.push(Room { frozen, closed, ..kind.clone() });
            }
        }
    }
    rooms
}

/// Every standing, also those no database can hold: a rule must not be the one to open a door.
pub(crate) fn standings() -> Vec<Standing> {
    let mut standings = Vec::new();
    for role in ROLES {
        for member in BOTH {
            for banned in BOTH {
                for blocked in BOTH {
                    for hidden in BOTH {
                        standings.push(Standing { role, member, banned, blocked, hidden, in_group_only: false });
                    }
                }
            }
        }
    }
    standings
}

/// Every moment there is.
pub(crate) fn moments() -> Vec<Moment> {
    let mut moments = Vec::new();
    for actor in ACTORS {
        for room in rooms() {
            for standing in standings() {
                for author in BOTH {
                    moments.push(Moment { actor, room: room.clone(), standing, author });
                }
            }
        }
    }
    moments
}

/// Asks about every act in every moment.
pub(crate) fn always(check: impl Fn(Act, &Moment)) {
    for moment in moments() {
        for act in Act::ALL {
            check(act, &moment);
        }
    }
}

/// A change after which nothing may be allowed that was refused before.
pub(crate) fn never_allows_more(change: impl Fn(&mut Moment)) {
    always(|act, before| {
        let after = before.with(&change);
        if before.decide(act).is_err() {
            assert!(after.decide(act).is_err(), "{act:?} was refused in {before:?} and is allowed in {after:?}");
        }
    });
}

/// A user in a room where nothing stands against him.
pub(crate) fn at_peace(room: Room, role: Option<Role>, member: bool) -> Moment {
    let standing = Standing { role, member, ..Standing::default() };
    Moment { actor: Actor::User, room, standing, author: false }
}

pub(crate) fn member_of(room: Room) -> Moment {
    at_peace(room, Some(Role::Member), true)
}
