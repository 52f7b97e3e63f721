//! The verdict.

use super::{Act, Denied, Frozen, Needs, Terms};
use crate::room::{Role, Room, Standing};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// An API key in its own name: passes roles and freezes, never a user's ban or block.
    Platform,
    /// A user, or an API key that names a user as the one who acts.
    User,
    /// An API key that names a user and runs the app in doing so: roles and freezes do not stop
    /// it, the named user's bans and blocks do.
    PlatformAs,
}

/// Facts for one verdict, all read under the same lock.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Who acts.
    pub actor: Actor,
    /// Where.
    pub room: &'a Room,
    /// How the acting user stands there.
    pub standing: Standing,
    /// For acts on a message: did the acting user write it?
    pub author: bool,
}

/// Somebody acted upon.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// How he stands in the room.
    pub standing: Standing,
    /// Has either of actor and target blocked the other?
    pub blocked: bool,
}

/// May this be done? Every refusal of Banter comes from here or from the rules beside it.
///
/// The order is part of the promise: a room one may not know of is no room; then ban, then block,
/// then membership and role, then freeze.
pub fn decide(act: Act, facts: Facts<'_>) -> Result<(), Denied> {
    let terms = act.terms();
    let Facts { actor, room, standing, author } = facts;
    if standing.hidden && actor != Actor::Platform {
        return Err(Denied::NoSuchRoom);
    }
    match actor {
        Actor::Platform => Ok(()),
        Actor::PlatformAs => shut_out(terms, standing),
        Actor::User => {
            shut_out(terms, standing)?;
            entitled(act, terms.needs, room, standing, author)?;
            match terms.frozen {
                Frozen::Stops if room.frozen => Err(Denied::Frozen),
                Frozen::StopsMembers if room.frozen && !standing.is_superuser() => Err(Denied::Frozen),
                Frozen::Stops | Frozen::StopsMembers | Frozen::Passes => Ok(()),
            }
        }
    }
}

fn shut_out(terms: Terms, standing: Standing) -> Result<(), Denied> {
    let Standing { banned, blocked, .. } = standing;
    expect_not_shut_out(Standing { banned: terms.ban && banned, blocked: terms.block && blocked, ..standing })
}

/// Whoever is banned, or kept apart by a block, leaves nothing that others read.
pub fn expect_not_shut_out(standing: Standing) -> Result<(), Denied> {
    if standing.banned {
        Err(Denied::Banned)
    } else if standing.blocked {
        Err(Denied::Blocked)
    } else {
        Ok(())
    }
}

fn entitled(act: Act, needs: Needs, room: &Room, standing: Standing, author: bool) -> Result<(), Denied> {
    let insider = standing.member || standing.role == Some(Role::Owner);
    let allowed = match needs {
        Needs::Nothing => return Ok(()),
        Needs::Insider if insider => return Ok(()),
        Needs::Member if standing.member => return Ok(()),
        Needs::Insider | Needs::Member => return Err(Denied::NotAMember),
        Needs::Platform => false,
        Needs::Owner => standing.role == Some(Role::Owner),
        Needs::Superuser => standing.is_superuser(),
        Needs::SuperuserOrOwnerless => standing.is_superuser() || (room.owner.is_none() && standing.member),
        Needs::OwnerOrDirect if room.kind.is_direct() => {
            return if standing.member { Ok(()) } else { Err(Denied::NotAMember) };
        }
        Needs::OwnerOrDirect => standing.role == Some(Role::Owner),
        Needs::Author | Needs::AuthorOrSuperuser if !insider => return Err(Denied::NotAMember),
        Needs::Author => author,
        Needs::AuthorOrSuperuser => author || standing.is_superuser(),
    };
    if allowed { Ok(()) } else { Err(Denied::NotPermitted(act)) }
}

/// What becomes of one invitee (R-07, R-10, R-13; EFFECTS L-08, N-05). `Ok(false)`: he is left
/// out and nobody is told.
pub fn may_be_brought(facts: Facts<'_>, target: Target) -> Result<bool, Denied> {
    let told = facts.actor != Actor::User || facts.standing.role == Some(Role::Owner);
    if target.standing.banned {
        Err(if told { Denied::TargetBanned } else { Denied::NotPermitted(Act::Invite) })
    } else {
        Ok(facts.actor == Actor::Platform || !target.blocked)
    }
}

/// May somebody come in, or be brought in, while the room is closed? And is there room for a
/// third in a direct one? `stranger`: not one of a direct room's two. `asked`: somebody who might
/// bring him has invited him, so that the room is open to him.
pub fn may_change_room(facts: Facts<'_>, stranger: bool, asked: bool) -> Result<(), Denied> {
    if stranger && facts.room.kind.is_direct() {
        Err(if facts.standing.blocked { Denied::Blocked } else { Denied::DirectRoom })
    } else if facts.room.closed && facts.actor == Actor::User && !facts.standing.is_superuser() && !asked {
        Err(Denied::Closed)
    } else {
        Ok(())
    }
}

/// Does what one reads show to the others? Not from a banned user, nor between a blocked
/// pair.
#[must_use]
pub fn shows_reading(standing: Standing) -> bool {
    !standing.banned && !standing.blocked
}

/// Does somebody who stands so hear what happens in the room? Its members do, banned ones too
/// not those from whom the room is hidden.
#[must_use]
pub fn hears(standing: Standing) -> bool {
    standing.member && !standing.hidden
}

/// Does somebody who stands so see what was taken out of the members' sight?
#[must_use]
pub fn sees_hidden(actor: Actor, standing: Standing) -> bool {
    actor == Actor::Platform || standing.is_superuser()
}

/// May somebody who stands so know of the room at all?
#[must_use]
pub fn may_hear_room(standing: Standing) -> bool {
    (standing.member || standing.role == Some(Role::Owner)) && !standing.hidden
}
