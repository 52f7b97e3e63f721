//! The rules in every situation there can be, each ruling by its number.
//!
//! Nothing is sampled: acts, callers, roles, bans, blocks, freezes and kinds of rooms are few
//! enough to go through all of them.
#![cfg(test)]

mod moments;
mod rights;

use banter_domain::moderation::{
    Act, Actor, Awaited, Denied, Frozen, Target, hears, may_answer, may_be_brought, may_change_room, may_hear_room,
    may_notify, shows_reading, webhook_stands,
};
use banter_domain::room::{Role, Room, Standing};

use moments::*;

// What holds of all rules.

#[test]
fn a_ban_never_allows_anything_more() {
    never_allows_more(|moment| moment.standing.banned = true);
}

#[test]
fn a_block_never_allows_anything_more() {
    never_allows_more(|moment| moment.standing.blocked = true);
}

#[test]
fn a_freeze_never_allows_anything_more() {
    never_allows_more(|moment| moment.room.frozen = true);
}

#[test]
fn hiding_a_room_never_allows_anything_more() {
    never_allows_more(|moment| moment.standing.hidden = true);
}

#[test]
fn a_lower_role_never_allows_anything_more() {
    never_allows_more(|moment| {
        moment.standing.role = match moment.standing.role {
            Some(Role::Owner) => Some(Role::Manager),
            Some(Role::Manager) => Some(Role::Member),
            Some(Role::Member) | None => None,
        }
    });
}

#[test]
fn leaving_never_allows_anything_more() {
    never_allows_more(|moment| moment.standing.member = false);
}

#[test]
fn not_having_written_a_message_never_allows_anything_more() {
    never_allows_more(|moment| moment.author = false);
}

#[test]
fn a_user_never_does_more_than_an_api_key_that_acts_for_him() {
    never_allows_more(|moment| {
        if moment.actor == Actor::PlatformAs {
            moment.actor = Actor::User;
        }
    });
}

#[test]
fn what_a_room_is_closed_to_is_not_decided_here() {
    always(|act, moment| {
        assert_eq!(moment.decide(act), moment.with(|other| other.room.closed = !other.room.closed).decide(act));
    });
}

#[test]
fn reasons_come_in_one_order() {
    // No such room, then ban, then block, then membership and role, then freeze.
    let place = |denied: Denied| match denied {
        Denied::NoSuchRoom => 0,
        Denied::Banned => 1,
        Denied::Blocked => 2,
        Denied::NotAMember | Denied::NotPermitted(_) => 3,
        Denied::Frozen => 4,
        other => panic!("decide never says {other:?}"),
    };
    always(|act, moment| {
        let Err(told) = moment.decide(act) else { return };
        let terms = act.terms();
        let Standing { banned, blocked, hidden, .. } = moment.standing;
        let first = match () {
            () if hidden => 0,
            () if terms.ban && banned => 1,
            () if terms.block && blocked => 2,
            () => 3,
        };
        assert!(place(told) == first || (first == 3 && place(told) == 4), "{act:?} {told:?} in {moment:?}");
        let thawed = moment.with(|other| other.room.frozen = false);
        assert_eq!(told == Denied::Frozen, moment.room.frozen && thawed.decide(act).is_ok(), "{act:?} in {moment:?}");
    });
}

// The rulings, by number.

#[test]
fn r02_in_an_owned_group_only_the_owner_reads_the_bans() {
    for act in [Act::ListBans, Act::Ban, Act::Unban] {
        for role in ROLES {
            let asked = at_peace(owned(), role, role.is_some()).decide(act);
            let expected = if role == Some(Role::Owner) { Ok(()) } else { Err(Denied::NotPermitted(act)) };
            assert_eq!(asked, expected, "{act:?} {role:?}");
        }
        assert_eq!(at_peace(owned(), Some(Role::Owner), false).decide(act), Ok(()), "an owner need not be a member");
    }
}

#[test]
fn r02_in_a_group_without_owner_only_the_platform_reads_the_bans() {
    for act in [Act::ListBans, Act::Ban, Act::Unban] {
        for role in [None, Some(Role::Member), Some(Role::Manager)] {
            let moment = at_peace(ownerless(), role, role.is_some());
            assert_eq!(moment.decide(act), Err(Denied::NotPermitted(act)), "{act:?} {role:?}");
            assert_eq!(moment.with(|other| other.actor = Actor::Platform).decide(act), Ok(()));
        }
    }
}

#[test]
fn r02_r15_in_a_direct_room_either_of_the_two_does() {
    for act in [Act::ListBans, Act::Ban, Act::Unban] {
        for blocked in BOTH {
            let moment = member_of(direct()).with(|other| other.standing.blocked = blocked);
            assert_eq!(moment.decide(act), Ok(()), "{act:?}, blocked: {blocked}");
        }
        assert_eq!(at_peace(direct(), None, false).decide(act), Err(Denied::NotAMember), "{act:?}");
    }
}

#[test]
fn r07_a_block_stops_what_reaches_the_other_and_nothing_else() {
    let stopped = [
        Act::UpdateRoom,
        Act::Freeze,
        Act::Appoint,
        Act::DeleteRoom,
        Act::Invite,
        Act::Remove,
        Act::SetOwnProperty,
        Act::SetOthersProperty,
        Act::Send,
        Act::Upload,
        Act::Type,
        Act::Edit,
        Act::DeleteMessages,
        Act::Hide,
        Act::Pin,
        Act::React,
    ];
    for act in Act::ALL {
        let moment = member_of(direct()).with(|other| {
            other.standing.blocked = true;
            other.author = true;
        });
        assert_eq!(moment.decide(act) == Err(Denied::Blocked), stopped.contains(&act), "{act:?}");
        assert_eq!(act.terms().block, stopped.contains(&act), "{act:?}");
    }
}

#[test]
fn r07_l04_one_takes_back_his_own_words_through_a_block() {
    let moment = member_of(direct()).with(|other| other.standing.blocked = true);
    assert_eq!(moment.with(|other| other.author = true).decide(Act::Recall), Ok(()));
    assert_eq!(moment.decide(Act::Recall), Err(Denied::NotPermitted(Act::Recall)));
}

#[test]
fn r07_who_is_kept_apart_is_left_out_without_a_word() {
    for moment in moments().into_iter().filter(|moment| moment.actor != Actor::Platform) {
        for standing in standings().into_iter().filter(|standing| !standing.banned) {
            for blocked in BOTH {
                let brought = may_be_brought(moment.facts(), Target { standing, blocked });
                assert_eq!(brought, Ok(!blocked), "{moment:?}");
            }
        }
    }
}

#[test]
fn r07_r13_what_one_reads_shows_unless_a_ban_or_block_stands_between() {
    for standing in standings() {
        assert_eq!(shows_reading(standing), !standing.banned && !standing.blocked, "{standing:?}");
    }
    for (banned, blocked) in [(true, false), (false, true)] {
        let moment = member_of(direct()).with(|other| {
            other.standing.banned = banned;
            other.standing.blocked = blocked;
        });
        assert_eq!(moment.decide(Act::MarkRead), Ok(()), "reading on is allowed; it does not show");
    }
}

#[test]
fn r08_a_direct_room_takes_no_third_whoever_asks() {
    for moment in moments() {
        let asked = may_change_room(moment.facts(), true, false);
        if moment.room.kind.is_direct() {
            let expected = if moment.standing.blocked { Denied::Blocked } else { Denied::DirectRoom };
            assert_eq!(asked, Err(expected), "{moment:?}");
        } else {
            assert_eq!(asked, may_change_room(moment.facts(), false, false), "elsewhere nobody is a stranger");
        }
    }
}

#[test]
fn a_closed_room_takes_whom_superusers_and_the_platform_bring() {
    for moment in moments() {
        let open = moment.actor != Actor::User || moment.standing.is_superuser() || !moment.room.closed;
        let expected = if open { Ok(()) } else { Err(Denied::Closed) };
        assert_eq!(may_change_room(moment.facts(), false, false), expected, "{moment:?}");
        assert_eq!(may_change_room(moment.facts(), false, true), Ok(()), "whoever is asked in may come: {moment:?}");
    }
}

#[test]
fn r09_a_hidden_room_is_no_room_and_that_beats_everything() {
    always(|act, moment| {
        let hidden = moment.with(|other| other.standing.hidden = true);
        let expected = if moment.actor == Actor::Platform { Ok(()) } else { Err(Denied::NoSuchRoom) };
        assert_eq!(hidden.decide(act), expected, "{act:?} in {hidden:?}");
        if !moment.standing.hidden {
            assert_ne!(moment.decide(act), Err(Denied::NoSuchRoom), "{act:?} in {moment:?}");
        }
    });
    for standing in standings() {
        let insider = standing.member || standing.role == Some(Role::Owner);
        assert_eq!(may_hear_room(standing), insider && !standing.hidden, "{standing:?}");
    }
}

#[test]
fn r09_r13_members_hear_a_room_banned_ones_too_and_nobody_from_whom_it_is_hidden() {
    for standing in standings() {
        assert_eq!(hears(standing), standing.member && !standing.hidden, "{standing:?}");
        // Who hears a room may also know of it.
        assert!(!hears(standing) || may_hear_room(standing), "{standing:?}");
    }
}

#[test]
fn r10_a_member_does_not_learn_from_an_invitation_who_is_banned() {
    for moment in moments() {
        for standing in standings().into_iter().filter(|standing| standing.banned) {
            for blocked in BOTH {
                let told = moment.actor != Actor::User || moment.standing.role == Some(Role::Owner);
                let expected = if told { Denied::TargetBanned } else { Denied::NotPermitted(Act::Invite) };
                let brought = may_be_brought(moment.facts(), Target { standing, blocked });
                assert_eq!(brought, Err(expected), "{moment:?}");
            }
        }
    }
}

#[test]
fn r10_both_sides_of_a_block_are_refused_alike() {
    // The rule is not told who blocked whom, so it cannot tell either.
    for act in Act::ALL.into_iter().filter(|act| act.terms().block) {
        for author in BOTH {
            let moment = member_of(direct()).with(|other| {
                other.standing.blocked = true;
                other.author = author;
            });
            assert_eq!(moment.decide(act), Err(Denied::Blocked), "{act:?}");
        }
    }
}

#[test]
fn r13_a_banned_user_reads_leaves_and_minds_his_own_and_no_more() {
    let allowed = [
        Act::Look,
        Act::Operate,
        Act::MindOwn,
        Act::ListBlocks,
        Act::Block,
        Act::Unblock,
        Act::ListBans,
        Act::CreateRoom,
        Act::OpenRoom,
        Act::ReadRoom,
        Act::ReadMessages,
        Act::ReadFile,
        Act::Search,
        Act::FindRoom,
        Act::Leave,
        Act::PutAway,
        // Each of its messages is judged as one that is sent.
        Act::SendBatch,
        Act::MarkRead,
    ];
    for act in Act::ALL {
        assert_eq!(act.terms().ban, !allowed.contains(&act), "{act:?}");
        for role in ROLES.into_iter().flatten() {
            let moment = at_peace(owned(), Some(role), true).with(|other| {
                other.standing.banned = true;
                other.author = true;
            });
            assert_eq!(moment.decide(act) == Err(Denied::Banned), !allowed.contains(&act), "{act:?} {role:?}");
        }
    }
}

#[test]
fn r13_who_was_banned_before_he_came_does_not_come() {
    let stranger = at_peace(owned(), None, false).with(|other| other.standing.banned = true);
    assert_eq!(stranger.decide(Act::Join), Err(Denied::Banned));
}

#[test]
fn r14_an_owner_whom_the_platform_banned_does_not_free_himself() {
    let owner = at_peace(owned(), Some(Role::Owner), true).with(|other| other.standing.banned = true);
    for act in [Act::Unban, Act::Ban, Act::DeleteRoom, Act::Appoint] {
        assert_eq!(owner.decide(act), Err(Denied::Banned), "{act:?}");
        assert_eq!(owner.with(|other| other.actor = Actor::Platform).decide(act), Ok(()), "{act:?}");
    }
}

#[test]
fn r16_the_platform_in_its_own_name_is_never_refused() {
    always(|act, moment| {
        let platform = moment.with(|other| other.actor = Actor::Platform);
        assert_eq!(platform.decide(act), Ok(()), "{act:?} in {platform:?}");
        let target = Target { standing: moment.standing, blocked: moment.standing.blocked };
        let brought = may_be_brought(platform.facts(), target);
        let expected = if target.standing.banned { Err(Denied::TargetBanned) } else { Ok(true) };
        assert_eq!(brought, expected, "it brings in all but the banned: {platform:?}");
    });
}

#[test]
fn r16_an_api_key_that_names_a_user_is_held_by_his_bans_and_blocks_alone() {
    always(|act, moment| {
        let named = moment.with(|other| other.actor = Actor::PlatformAs);
        let Standing { banned, blocked, hidden, .. } = named.standing;
        let expected = match act.terms() {
            _ if hidden => Err(Denied::NoSuchRoom),
            terms if terms.ban && banned => Err(Denied::Banned),
            terms if terms.block && blocked => Err(Denied::Blocked),
            _ => Ok(()),
        };
        assert_eq!(named.decide(act), expected, "{act:?} in {named:?}");
    });
}

#[test]
fn r17_who_is_in_through_a_user_group_acts_as_a_member_and_is_banned_as_one() {
    // A standing does not say by which way its user came in; a plain member is what he is.
    let through_a_group = member_of(owned());
    assert_eq!(through_a_group.decide(Act::Send), Ok(()));
    let banned = through_a_group.with(|other| other.standing.banned = true);
    assert_eq!(banned.decide(Act::Send), Err(Denied::Banned));
    assert_eq!(banned.decide(Act::ReadMessages), Ok(()));
}

#[test]
fn r28_members_are_removed_by_superusers_and_leave_by_themselves() {
    for room in [owned(), ownerless(), direct()] {
        for role in ROLES {
            let moment = at_peace(room.clone(), role, role.is_some());
            let may = matches!(role, Some(Role::Owner | Role::Manager));
            let expected = if may { Ok(()) } else { Err(Denied::NotPermitted(Act::Remove)) };
            assert_eq!(moment.decide(Act::Remove), expected, "{role:?} in {room:?}");
            let leaving = if role.is_some() { Ok(()) } else { Err(Denied::NotAMember) };
            assert_eq!(moment.decide(Act::Leave), leaving, "{role:?} in {room:?}");
        }
    }
}

#[test]
fn a_freeze_stops_words_and_comers_and_lets_the_rest_be() {
    let stops = [Act::Invite, Act::Join, Act::Send, Act::Upload, Act::React, Act::Edit, Act::Type];
    let stops_members = [Act::UpdateRoom, Act::SetOwnProperty];
    for act in Act::ALL {
        let expected = match act {
            act if stops.contains(&act) => Frozen::Stops,
            act if stops_members.contains(&act) => Frozen::StopsMembers,
            _ => Frozen::Passes,
        };
        assert_eq!(act.terms().frozen, expected, "{act:?}");
        for role in ROLES.into_iter().flatten() {
            let moment = at_peace(owned(), Some(role), true).with(|other| {
                other.room.frozen = true;
                other.author = true;
            });
            if moment.with(|other| other.room.frozen = false).decide(act).is_ok() {
                let refused = expected == Frozen::Stops || (expected == Frozen::StopsMembers && role == Role::Member);
                assert_eq!(moment.decide(act) == Err(Denied::Frozen), refused, "{act:?} {role:?}");
            }
            assert_eq!(moment.with(|other| other.actor = Actor::PlatformAs).decide(act), Ok(()), "{act:?}");
        }
    }
}

#[test]
fn l16_n08_r09_a_notification_reaches_who_hears_the_room_and_nobody_a_ban_or_block_keeps_away() {
    let standings = standings();
    for standing in &standings {
        for sender in &standings {
            let awaited = Awaited {
                standing: *standing,
                sender: *sender,
                wrote_it: false,
                listens: false,
                muted: false,
                wants_any: true,
            };
            let kept_away = standing.banned || sender.banned || (standing.blocked && sender.blocked);
            assert_eq!(may_notify(awaited), hears(*standing) && !kept_away, "{awaited:?}");
            // Each of these alone is enough for silence.
            for quiet in [
                Awaited { wrote_it: true, ..awaited },
                Awaited { listens: true, ..awaited },
                Awaited { muted: true, ..awaited },
                Awaited { wants_any: false, ..awaited },
            ] {
                assert!(!may_notify(quiet), "{quiet:?}");
            }
        }
    }
}

#[test]
fn l29_the_platform_notifies_both_of_a_blocked_pair() {
    let member = Standing { role: Some(Role::Member), member: true, ..Standing::default() };
    let apart = Standing { blocked: true, ..member };
    let of =
        |sender| Awaited { standing: apart, sender, wrote_it: false, listens: false, muted: false, wants_any: true };
    // The platform's own client stands nowhere.
    assert!(may_notify(of(Standing::default())));
    assert!(!may_notify(of(apart)));
}

#[test]
fn r16_a_webhook_stands_as_long_as_its_setter_may_set_it() {
    for room in rooms() {
        for standing in standings() {
            assert!(webhook_stands(&room, standing), "the platform's own stands");
            let by_max = Room { webhook_by: Some(user("max")), ..room.clone() };
            let may = standing.is_superuser() && !standing.banned && !standing.blocked && !standing.hidden;
            assert_eq!(webhook_stands(&by_max, standing), may, "{by_max:?} {standing:?}");
        }
    }
}

#[test]
fn l_40_r16_a_webhook_answers_in_few_names() {
    let (max, bob) = (user("max"), user("bob"));
    for room in rooms() {
        for sender in [None, Some(&max), Some(&bob)] {
            assert_eq!(may_answer(&room, true, sender), Err(Denied::Blocked));
            assert_eq!(may_answer(&room, false, sender), Ok(()), "the platform acts for everybody");
            let by_max = Room { webhook_by: Some(max.clone()), ..room.clone() };
            assert_eq!(may_answer(&by_max, true, sender), Err(Denied::Blocked));
            let expected = match sender {
                Some(sender) if *sender == bob => Err(Denied::NotPermitted(Act::Send)),
                _ if room.frozen => Err(Denied::Frozen),
                _ => Ok(()),
            };
            assert_eq!(may_answer(&by_max, false, sender), expected);
        }
    }
}
