//! The server against a small model of the rules, written apart from the server's own: random
//! people block, ban, freeze, lift, invite, leave and speak, for themselves and for a user group, and the two never differ.
//!
//! `BANTER_SEED` repeats a run; `BANTER_MODEL_STEPS` makes it longer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::json;

use crate::common::{Answer, Caller, House};

const PEOPLE: [&str; 5] = ["ann", "bob", "cid", "dan", "eve"];
/// A user group, and who is in it.
const CREW: &str = "crew";
const IN_CREW: [&str; 2] = ["dan", "eve"];
/// To whom something is done.
const ANYBODY: [&str; 6] = ["ann", "bob", "cid", "dan", "eve", CREW];
const GROUPS: [(&str, &str); 2] = [("den", "ann"), ("hall", "bob")];

/// Who is asked to do what to whom, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Do {
    Block,
    Unblock,
    Open,
    SayTo,
    /// Somebody of the crew speaks in its direct room with somebody.
    SayForCrew,
    Say,
    Edit,
    Ban,
    Unban,
    PlatformBans,
    PlatformUnbans,
    Freeze,
    Thaw,
    Join,
    Leave,
    Invite,
    Remove,
    Promote,
}

const ALL: [Do; 18] = [
    Do::Block,
    Do::Unblock,
    Do::Open,
    Do::SayTo,
    Do::SayForCrew,
    Do::Say,
    Do::Edit,
    Do::Ban,
    Do::Unban,
    Do::PlatformBans,
    Do::PlatformUnbans,
    Do::Freeze,
    Do::Thaw,
    Do::Join,
    Do::Leave,
    Do::Invite,
    Do::Remove,
    Do::Promote,
];

type Name = &'static str;

/// What was decided: `Ok`, or the status and code of the refusal.
type Verdict = Result<(), (u16, &'static str)>;

#[derive(Debug, Default)]
struct Group {
    owner: Name,
    members: BTreeSet<Name>,
    managers: BTreeSet<Name>,
    /// Who is banned, and by whom.
    banned: BTreeMap<Name, Name>,
    frozen: bool,
    said: Vec<String>,
    /// The last message of each, by its place in `said`.
    last_of: BTreeMap<Name, usize>,
}

/// The direct room of two, which each can see once it was opened or written in.
#[derive(Debug, Default)]
struct Direct {
    seen_by: BTreeSet<Name>,
    said: Vec<String>,
    /// One of the two opened it, or something was said: it is not only what a block made.
    opened: bool,
}

#[derive(Debug, Default)]
struct Model {
    blocks: BTreeSet<(Name, Name)>,
    groups: BTreeMap<Name, Group>,
    directs: BTreeMap<(Name, Name), Direct>,
}

fn pair(one: Name, other: Name) -> (Name, Name) {
    (one.min(other), one.max(other))
}

impl Model {
    fn apart(&self, one: Name, other: Name) -> bool {
        self.blocks.contains(&(one, other)) || self.blocks.contains(&(other, one))
    }

    /// What must come of it; and if nothing stands against it, it is done.
    fn judge(&mut self, what: Do, who: Name, whom: Name, room: Name, words: &str) -> Verdict {
        // A user group is kept apart with any of its people; one's own hears what one says to it.
        let to_crew = whom == CREW && !(what == Do::SayTo && IN_CREW.contains(&who));
        let apart = self.apart(who, whom) || (to_crew && IN_CREW.iter().any(|one| self.apart(who, one)));
        let direct = self.directs.get(&pair(who, whom));
        match what {
            Do::Block if who == whom => Err((400, "SELF_BLOCK_FORBIDDEN")),
            Do::Block => {
                if !self.blocks.insert((who, whom)) {
                    return Err((409, "USER_ALREADY_BLOCKED"));
                }
                self.directs.entry(pair(who, whom)).or_default().seen_by.insert(who);
                Ok(())
            }
            Do::Unblock if who == whom => Err((400, "INVALID_USER_ID")),
            Do::Unblock => self.blocks.remove(&(who, whom)).then_some(()).ok_or((404, "BLOCK_NOT_FOUND")),
            Do::Open if who == whom => Err((400, "INVALID_ROOM_TYPE")),
            Do::Open => {
                let known = self.directs.contains_key(&pair(who, whom));
                let direct = self.directs.entry(pair(who, whom)).or_default();
                direct.seen_by.insert(who);
                // Nobody is brought by whom he is kept apart from, but to where a block of his stands.
                if !apart || (known && !direct.opened) {
                    direct.seen_by.insert(whom);
                }
                direct.opened = true;
                Ok(())
            }
            Do::SayTo => match direct {
                Some(direct) if direct.seen_by.contains(who) => {
                    if apart {
                        return Err((403, "USER_BLOCKED"));
                    }
                    let direct = self.directs.entry(pair(who, whom)).or_default();
                    direct.said.push(words.to_owned());
                    direct.seen_by.extend([who, whom]);
                    direct.opened = true;
                    Ok(())
                }
                _ => Err((403, "NOT_ROOM_MEMBER")),
            },
            Do::SayForCrew => {
                let apart = apart || self.apart(whom, CREW);
                match self.directs.get_mut(&pair(whom, CREW)) {
                    Some(direct) if direct.seen_by.contains(CREW) => {
                        if apart {
                            return Err((403, "USER_BLOCKED"));
                        }
                        direct.said.push(words.to_owned());
                        direct.seen_by.insert(whom);
                        direct.opened = true;
                        Ok(())
                    }
                    _ => Err((403, "NOT_ROOM_MEMBER")),
                }
            }
            _ => self.groups.get_mut(room).expect("a group").judge(what, who, whom, apart, words),
        }
    }
}

impl Group {
    fn by_crew(&self, who: Name) -> bool {
        IN_CREW.contains(&who) && self.members.contains(CREW)
    }

    fn is_inside(&self, who: Name) -> bool {
        self.members.contains(who) || self.by_crew(who)
    }

    fn is_out(&self, who: Name) -> bool {
        self.banned.contains_key(who)
            || (!self.members.contains(who) && self.by_crew(who) && self.banned.contains_key(CREW))
    }

    fn is_above(&self, who: Name) -> bool {
        who == self.owner || self.managers.contains(who)
    }

    fn judge(&mut self, what: Do, who: Name, whom: Name, apart: bool, words: &str) -> Verdict {
        let Self { owner, banned, members, .. } = &*self;
        let (owner, out, inside) = (*owner, self.is_out(who), self.is_inside(who));
        const BANNED: Verdict = Err((403, "USER_BANNED"));
        const STRANGER: Verdict = Err((403, "NOT_ROOM_MEMBER"));
        const FROZEN: Verdict = Err((403, "ROOM_FROZEN"));
        const NOT_HIS: Verdict = Err((403, "INSUFFICIENT_PERMISSIONS"));
        match what {
            Do::Say | Do::Edit if out => BANNED,
            Do::Say | Do::Edit if !inside => STRANGER,
            Do::Say | Do::Edit if self.frozen => FROZEN,
            Do::Say => {
                self.last_of.insert(who, self.said.len());
                self.said.push(words.to_owned());
                Ok(())
            }
            Do::Edit => {
                words.clone_into(&mut self.said[self.last_of[who]]);
                Ok(())
            }
            Do::Ban | Do::Unban if out => BANNED,
            Do::Ban | Do::Unban if who != owner => NOT_HIS,
            Do::Ban if who == whom => Err((400, "SELF_BLOCK_FORBIDDEN")),
            Do::Ban | Do::PlatformBans if banned.contains_key(whom) => Err((409, "USER_ALREADY_BLOCKED")),
            Do::Ban | Do::PlatformBans => {
                self.banned.insert(whom, if what == Do::Ban { who } else { "platform" });
                Ok(())
            }
            Do::Unban | Do::PlatformUnbans => self.banned.remove(whom).map(|_| ()).ok_or((404, "BLOCK_NOT_FOUND")),
            Do::Freeze | Do::Thaw | Do::Remove | Do::Promote if out => BANNED,
            Do::Freeze | Do::Thaw | Do::Promote if !self.is_above(who) => NOT_HIS,
            Do::Freeze | Do::Thaw => {
                self.frozen = what == Do::Freeze;
                Ok(())
            }
            Do::Promote if !members.contains(whom) => Err((404, "MEMBER_NOT_FOUND")),
            Do::Promote => {
                self.managers.insert(whom);
                Ok(())
            }
            Do::Join if out => BANNED,
            Do::Join if self.frozen => FROZEN,
            Do::Join => {
                self.members.insert(who);
                Ok(())
            }
            Do::Leave => {
                self.go(who);
                Ok(())
            }
            Do::Invite if out => BANNED,
            Do::Invite if !inside && who != owner => STRANGER,
            Do::Invite if self.frozen => FROZEN,
            Do::Invite if self.is_out(whom) => {
                if who == owner {
                    BANNED
                } else {
                    NOT_HIS
                }
            }
            Do::Invite => {
                if !apart && !self.is_inside(whom) {
                    self.members.insert(whom);
                }
                Ok(())
            }
            Do::Remove if !self.is_above(who) => NOT_HIS,
            Do::Remove if !members.contains(whom) => Err((404, "MEMBER_NOT_FOUND")),
            Do::Remove => {
                self.go(whom);
                Ok(())
            }
            Do::Block | Do::Unblock | Do::Open | Do::SayTo | Do::SayForCrew => unreachable!("not in a group"),
        }
    }

    fn go(&mut self, who: Name) {
        self.members.remove(who);
        self.managers.remove(who);
    }
}

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).expect("fits")
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

/// The same, done for real.
struct Real {
    house: House,
    people: BTreeMap<Name, Caller>,
    /// Ids of direct rooms, as far as anybody was told.
    rooms: BTreeMap<(Name, Name), String>,
    /// The last message of each in each group.
    last_of: BTreeMap<(Name, Name), String>,
}

impl Real {
    async fn act(&mut self, what: Do, who: Name, whom: Name, room: Name, words: &str) -> Answer {
        let me = self.people[who].clone();
        let platform = self.house.platform();
        let answer = match what {
            Do::Block => me.blocks(whom).await,
            Do::Unblock => me.unblocks(whom).await,
            Do::Open => me.opens(whom).await,
            Do::SayTo | Do::SayForCrew => {
                let pair = if what == Do::SayTo { pair(who, whom) } else { pair(whom, CREW) };
                me.says(self.rooms.get(&pair).map_or("ffffffffffffffffffffffff", String::as_str), words).await
            }
            Do::Say => me.says(room, words).await,
            Do::Edit => me.edits(room, &self.last_of[&(who, room)], words).await,
            Do::Ban => me.bans(room, whom).await,
            Do::Unban => me.unbans(room, whom).await,
            Do::PlatformBans => platform.bans(room, whom).await,
            Do::PlatformUnbans => platform.unbans(room, whom).await,
            Do::Freeze => me.freezes(room).await,
            Do::Thaw => me.thaws(room).await,
            Do::Join => me.joins(room).await,
            Do::Leave => me.leaves(room).await,
            Do::Invite => me.invites(room, [whom]).await,
            Do::Remove => me.removes(room, [whom]).await,
            Do::Promote => me.sets(room, whom, "role", "admin").await,
        };
        if answer.status == 200 {
            let result = answer.body()["result"].clone();
            let text = |field: &str| result[field].as_str().unwrap_or_default().to_owned();
            match what {
                Do::Block => drop(self.rooms.insert(pair(who, whom), text("room"))),
                Do::Open => drop(self.rooms.insert(pair(who, whom), text("_id"))),
                Do::Say => drop(self.last_of.insert((who, room), text("_id"))),
                _ => {}
            }
        }
        answer
    }

    /// Everything the model knows, compared.
    async fn compare(&self, model: &Model) {
        for (who, me) in &self.people {
            let mut listed = me.shuts_out().await;
            listed.sort();
            let mut expected: Vec<String> =
                model.blocks.iter().filter(|(by, _)| by == who).map(|(_, whom)| (*whom).to_owned()).collect();
            let bans = model.groups.values().flat_map(|group| &group.banned);
            expected.extend(bans.filter(|(_, by)| *by == who).map(|(whom, _)| (*whom).to_owned()));
            expected.sort();
            assert_eq!(listed, expected, "the list of {who}");
            let rooms: BTreeSet<String> = me.room_ids().await.into_iter().collect();
            let groups = model
                .groups
                .iter()
                .filter(|(_, group)| group.is_inside(who) && !group.frozen)
                .map(|(id, _)| (*id).to_owned());
            let directs = model.directs.iter().filter(|((low, high), direct)| {
                let sees = |side: Name| (*low == side || *high == side) && direct.seen_by.contains(side);
                sees(who) || (IN_CREW.contains(who) && sees(CREW))
            });
            let expected: BTreeSet<String> = groups.chain(directs.map(|(pair, _)| self.rooms[pair].clone())).collect();
            assert_eq!(rooms, expected, "the rooms of {who}");
        }
        let platform = self.house.platform();
        for (id, group) in &model.groups {
            let listed: BTreeSet<String> = platform.sees_banned(id).await.into_iter().collect();
            assert_eq!(listed, group.banned.keys().map(|name| (*name).to_owned()).collect(), "the bans of {id}");
            assert_eq!(
                platform.sees_members(id).await,
                group.members.iter().copied().collect::<Vec<_>>(),
                "the members of {id}"
            );
            // The newest hundred, some of which are the server's own.
            let said = self.house.said(id).await;
            assert!(group.said.ends_with(&said), "what was said in {id}: {said:?}");
            assert!(said.len() >= group.said.len().min(20), "what was said in {id}: {said:?}");
        }
        for (pair, direct) in &model.directs {
            assert_eq!(self.house.said(&self.rooms[pair]).await, direct.said, "what {pair:?} said");
        }
    }
}

/// One life of a house.
async fn live(house: House, seed: u64, steps: usize) {
    let mut dice = Dice(seed);
    let mut model = Model::default();
    let mut people = BTreeMap::new();
    for name in PEOPLE {
        people.insert(name, house.user(name).await);
    }
    let crew = json!({"_id": CREW, "nickname": "Crew", "members": IN_CREW});
    house.platform().post("/admin/groups", crew).await.expect_ok();
    for (id, owner) in GROUPS {
        house.room(id).owner(owner).members(["cid"]).await;
        model.groups.insert(id, Group { owner, members: [owner, "cid"].into(), ..Group::default() });
    }
    let mut real = Real { house, people, rooms: BTreeMap::new(), last_of: BTreeMap::new() };
    let mut history = VecDeque::new();
    for step in 0..steps {
        let (what, who, whom) = (dice.pick(&ALL), dice.pick(&PEOPLE), dice.pick(&ANYBODY));
        let room = dice.pick(&GROUPS).0;
        let group = &model.groups[room];
        let pointless = match what {
            Do::SayTo | Do::Invite => who == whom,
            Do::SayForCrew => !IN_CREW.contains(&who) || who == whom || whom == CREW,
            Do::Edit => !group.last_of.contains_key(who),
            // What an owner's own leaving, leaving where one is not, or joining where one is, comes
            // to is told elsewhere.
            Do::Leave => who == group.owner || !group.members.contains(who),
            Do::Join => group.is_inside(who),
            Do::Remove => whom == group.owner || who == whom,
            Do::Promote => whom == group.owner || who == whom || whom == CREW,
            _ => false,
        };
        if pointless {
            continue;
        }
        let words = format!("{step}");
        history.push_back(format!("{step}: {who} {what:?} {whom} in {room}"));
        if history.len() > 25 {
            history.pop_front();
        }
        let answer = real.act(what, who, whom, room, &words).await;
        let verdict = model.judge(what, who, whom, room, &words);
        let same = match verdict {
            Ok(()) => answer.status == 200,
            Err((status, code)) => answer.status == status && answer.body()["error"]["code"] == code,
        };
        assert!(same, "seed {seed}: the model says {verdict:?}, but {answer}\n{history:#?}\n{model:#?}");
        if step % 50 == 49 {
            real.compare(&model).await;
        }
    }
    real.compare(&model).await;
}

each_store! {
    async fn the_server_and_the_model_never_differ(house: House) {
        let seed = std::env::var("BANTER_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0));
        let steps: usize = std::env::var("BANTER_MODEL_STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(5_000);
        println!("BANTER_SEED={seed}");
        for life in 0..steps.div_ceil(1_000) {
            let seed = seed.wrapping_add(life as u64);
            live(crate::host::other_app(&house).await, seed, steps.min(1_000)).await;
        }
    }
}
