//! What each role may do.

use banter_domain::moderation::{Act, Denied};
use banter_domain::room::{Role, Room, RoomKind};

use crate::moments::*;

/// Who may do what where nothing stands against him. `+` may, `m` is told that he is not a member,
/// `p` that he is not permitted. In an owned group: a stranger, a member, a manager, the owner, an
/// owner who is not a member. In a group without owner, and in a direct room: a stranger, a member.
const RIGHTS: [(Act, &str, &str, &str); 37] = [
    (Act::Look, "+++++", "++", "++"),
    (Act::Operate, "ppppp", "pp", "pp"),
    (Act::MindOwn, "+++++", "++", "++"),
    (Act::ListBlocks, "+++++", "++", "++"),
    (Act::Block, "+++++", "++", "++"),
    (Act::Unblock, "+++++", "++", "++"),
    (Act::ListBans, "ppp++", "pp", "m+"),
    (Act::Ban, "ppp++", "pp", "m+"),
    (Act::Unban, "ppp++", "pp", "m+"),
    (Act::CreateRoom, "+++++", "++", "++"),
    (Act::OpenRoom, "+++++", "++", "++"),
    (Act::ReadRoom, "m++++", "m+", "m+"),
    (Act::ReadMessages, "m++++", "m+", "m+"),
    (Act::Search, "+++++", "++", "++"),
    (Act::FindRoom, "+++++", "++", "++"),
    (Act::UpdateRoom, "pp+++", "p+", "p+"),
    (Act::Freeze, "pp+++", "pp", "pp"),
    (Act::Appoint, "pp+++", "pp", "pp"),
    (Act::DeleteRoom, "ppp++", "pp", "pp"),
    (Act::Invite, "m++++", "m+", "m+"),
    (Act::Uninvite, "mp+++", "mp", "mp"),
    (Act::Join, "+++++", "++", "++"),
    (Act::Leave, "m+++m", "m+", "m+"),
    (Act::Remove, "pp+++", "pp", "pp"),
    (Act::SetOwnProperty, "m+++m", "m+", "m+"),
    (Act::SetOthersProperty, "pp+++", "pp", "pp"),
    (Act::Send, "m+++m", "m+", "m+"),
    (Act::SendBatch, "+++++", "++", "++"),
    (Act::Edit, "mpppp", "mp", "mp"),
    (Act::Recall, "mp+++", "mp", "mp"),
    (Act::DeleteMessages, "pp+++", "pp", "pp"),
    (Act::PutAway, "m+++m", "m+", "m+"),
    (Act::Hide, "pp+++", "pp", "pp"),
    (Act::Pin, "pp+++", "pp", "pp"),
    (Act::React, "m+++m", "m+", "m+"),
    (Act::MarkRead, "m+++m", "m+", "m+"),
    (Act::Type, "m+++m", "m+", "m+"),
];

#[test]
fn roles_have_these_rights_and_no_others() {
    assert_eq!(RIGHTS.map(|(act, ..)| act), Act::ALL);
    let in_group = [
        (None, false),
        (Some(Role::Member), true),
        (Some(Role::Manager), true),
        (Some(Role::Owner), true),
        (Some(Role::Owner), false),
    ];
    for (act, of_owned, of_ownerless, of_direct) in RIGHTS {
        let told = |room: &Room, (role, member): (Option<Role>, bool)| {
            let moment = at_peace(room.clone(), role, member);
            if [Act::Edit, Act::Recall, Act::Uninvite].contains(&act) && (member || role == Some(Role::Owner)) {
                // Whoever is in the room changes and takes back what is his own.
                assert_eq!(moment.with(|other| other.author = true).decide(act), Ok(()), "{act:?} {role:?}");
            }
            match moment.decide(act) {
                Ok(()) => '+',
                Err(Denied::NotAMember) => 'm',
                Err(Denied::NotPermitted(named)) if named == act => 'p',
                Err(other) => panic!("{act:?} {role:?}: {other:?}"),
            }
        };
        let all =
            |room: &Room, who: &[(Option<Role>, bool)]| who.iter().map(|who| told(room, *who)).collect::<String>();
        assert_eq!(all(&owned(), &in_group), of_owned, "{act:?} in an owned group");
        assert_eq!(all(&ownerless(), &in_group[..2]), of_ownerless, "{act:?} in a group without owner");
        assert_eq!(all(&direct(), &in_group[..2]), of_direct, "{act:?} in a direct room");
        let custom = Room { kind: RoomKind::Custom, ..owned() };
        assert_eq!(all(&custom, &in_group), of_owned, "{act:?}: a custom room is a group to the rules");
    }
}
