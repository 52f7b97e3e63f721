//! Who listens, and to which rooms. Nothing here asks a database or writes to a socket.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use banter_chat::{App, TokenHash};
use banter_domain::id::{RoomId, UserId};

use super::line::Line;

/// Names a socket in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SocketId(u64);

/// Whose socket it is, and by which token.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) app: Arc<App>,
    pub(super) user: UserId,
    pub(super) token: TokenHash,
    /// When the token ends, milliseconds since the epoch.
    pub(super) expires_ms: i64,
}

struct Socket {
    line: Arc<dyn Line>,
    /// `None`: nobody said yet who he is, or what he said is no longer true.
    identity: Option<Identity>,
    /// Said who he is, but does not hear yet.
    deaf: bool,
    rooms: HashSet<RoomId>,
    /// While it is deaf: what changed meanwhile about what it is going to hear.
    changed: HashMap<RoomId, bool>,
    /// Since when it is as it is, of a clock that only goes forward.
    since: Duration,
}

/// All sockets of this process.
#[derive(Default)]
pub(super) struct Registry {
    last: u64,
    /// How often rooms or user groups ended: what was read before may name some that are gone.
    ends: u64,
    sockets: HashMap<SocketId, Socket>,
    by_user: HashMap<(i64, UserId), HashSet<SocketId>>,
    by_room: HashMap<(i64, RoomId), HashSet<SocketId>>,
}

impl Registry {
    /// A socket that nobody has spoken on yet.
    pub(super) fn open(&mut self, line: Arc<dyn Line>, now: Duration) -> SocketId {
        self.last += 1;
        let id = SocketId(self.last);
        let (rooms, changed) = (HashSet::new(), HashMap::new());
        self.sockets.insert(id, Socket { line, identity: None, deaf: true, rooms, changed, since: now });
        id
    }

    /// A socket is gone.
    pub(super) fn close(&mut self, id: SocketId) {
        self.forget(id, Duration::ZERO);
        self.sockets.remove(&id);
    }

    /// It hears nothing from now on, and is nobody's.
    pub(super) fn forget(&mut self, id: SocketId, now: Duration) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let Some(identity) = socket.identity.take() else { return };
        let rooms = std::mem::take(&mut socket.rooms);
        (socket.deaf, socket.since) = (true, now);
        socket.changed.clear();
        let app = identity.app.number;
        for room in rooms {
            leave(&mut self.by_room, (app, room), id);
        }
        leave(&mut self.by_user, (app, identity.user), id);
    }

    /// Somebody said who he is. He does not hear before [`Registry::hear`]; a revocation in between
    /// already finds him. A socket that is gone stays gone.
    pub(super) fn enter(&mut self, id: SocketId, identity: Identity) {
        self.forget(id, Duration::ZERO);
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        self.by_user.entry((identity.app.number, identity.user.clone())).or_default().insert(id);
        socket.identity = Some(identity);
    }

    /// He hears his own events and these rooms. False: the token he entered with is gone.
    pub(super) fn hear(&mut self, id: SocketId, token: TokenHash, expires_ms: i64, rooms: Vec<RoomId>) -> bool {
        let Some(socket) = self.sockets.get_mut(&id) else { return false };
        let Some(identity) = socket.identity.as_mut().filter(|identity| identity.token == token) else { return false };
        identity.expires_ms = expires_ms;
        socket.deaf = false;
        let app = identity.app.number;
        let mut rooms: HashSet<RoomId> = rooms.into_iter().collect();
        for (room, hears) in std::mem::take(&mut socket.changed) {
            if hears {
                rooms.insert(room);
            } else {
                rooms.remove(&room);
            }
        }
        for room in &rooms {
            self.by_room.entry((app, room.clone())).or_default().insert(id);
        }
        socket.rooms = rooms;
        true
    }

    /// One user hears a room, or hears it no longer, on all his sockets.
    pub(super) fn set_hearing(&mut self, app: i64, room: &RoomId, user: &UserId, hears: bool) {
        let Some(ids) = self.by_user.get(&(app, user.clone())) else { return };
        for id in ids {
            let Some(socket) = self.sockets.get_mut(id) else { continue };
            if socket.deaf {
                socket.changed.insert(room.clone(), hears);
            } else if hears {
                if socket.rooms.insert(room.clone()) {
                    self.by_room.entry((app, room.clone())).or_default().insert(*id);
                }
            } else if socket.rooms.remove(room) {
                leave(&mut self.by_room, (app, room.clone()), *id);
            }
        }
    }

    /// How often something ended that a socket which is just entering may have read of.
    pub(super) fn ends(&self) -> u64 {
        self.ends
    }

    /// A user group is gone, or something else that rooms were heard through.
    pub(super) fn end_something(&mut self, app: i64) {
        self.ends += 1;
        self.unsay(app, HashMap::clear);
    }

    /// What was noted for those who are just entering is read by them again.
    fn unsay(&mut self, app: i64, what: impl Fn(&mut HashMap<RoomId, bool>)) {
        let of_app = |socket: &&mut Socket| socket.identity.as_ref().is_some_and(|of| of.app.number == app);
        self.sockets.values_mut().filter(of_app).for_each(|socket| what(&mut socket.changed));
    }

    /// Nobody hears a room any more: it is gone.
    pub(super) fn end_room(&mut self, app: i64, room: &RoomId) {
        self.ends += 1;
        self.unsay(app, |changed| {
            changed.remove(room);
        });
        for id in self.by_room.remove(&(app, room.clone())).into_iter().flatten() {
            if let Some(socket) = self.sockets.get_mut(&id) {
                socket.rooms.remove(room);
            }
        }
    }

    /// Whose socket it is, once it hears.
    pub(super) fn identity(&self, id: SocketId) -> Option<Identity> {
        self.sockets.get(&id).filter(|socket| !socket.deaf)?.identity.clone()
    }

    /// The sockets that hear a room.
    pub(super) fn of_room(&self, app: i64, room: &RoomId) -> Vec<Arc<dyn Line>> {
        self.lines(self.by_room.get(&(app, room.clone())))
    }

    /// The sockets that hear a room, but for those of some users.
    pub(super) fn of_room_but(&self, app: i64, room: &RoomId, without: &HashSet<UserId>) -> Vec<Arc<dyn Line>> {
        let ids = self.by_room.get(&(app, room.clone())).into_iter().flatten();
        let sockets = ids.filter_map(|id| self.sockets.get(id)).filter(|socket| !socket.deaf);
        let hears = |socket: &&Socket| socket.identity.as_ref().is_some_and(|of| !without.contains(&of.user));
        sockets.filter(hears).map(|socket| Arc::clone(&socket.line)).collect()
    }

    /// The sockets of a user, those that hear.
    pub(super) fn of_user(&self, app: i64, user: &UserId) -> Vec<Arc<dyn Line>> {
        self.lines(self.by_user.get(&(app, user.clone())))
    }

    /// All sockets, whoever has them.
    pub(super) fn all(&self) -> Vec<Arc<dyn Line>> {
        self.sockets.values().map(|socket| Arc::clone(&socket.line)).collect()
    }

    /// Those that have been nobody's since then.
    pub(super) fn nobodys(&self, since: Duration) -> Vec<Arc<dyn Line>> {
        let waits = |socket: &&Socket| socket.identity.is_none() && socket.since <= since;
        self.sockets.values().filter(waits).map(|socket| Arc::clone(&socket.line)).collect()
    }

    fn lines(&self, ids: Option<&HashSet<SocketId>>) -> Vec<Arc<dyn Line>> {
        let sockets = ids.into_iter().flatten().filter_map(|id| self.sockets.get(id));
        sockets.filter(|socket| !socket.deaf).map(|socket| Arc::clone(&socket.line)).collect()
    }

    /// Does anybody hear a room?
    pub(super) fn is_heard(&self, app: i64, room: &RoomId) -> bool {
        self.by_room.contains_key(&(app, room.clone()))
    }

    /// Users who hear a room.
    pub(super) fn users_of_room(&self, app: i64, room: &RoomId) -> HashSet<UserId> {
        let ids = self.by_room.get(&(app, room.clone()));
        let user = |id: &SocketId| self.sockets.get(id)?.identity.as_ref().map(|identity| identity.user.clone());
        ids.into_iter().flatten().filter_map(user).collect()
    }

    /// Has a user any socket, if only one that does not hear yet?
    pub(super) fn is_here(&self, app: i64, user: &UserId) -> bool {
        self.by_user.contains_key(&(app, user.clone()))
    }

    /// Has a user a socket that hears?
    pub(super) fn hears_anything(&self, app: i64, user: &UserId) -> bool {
        let ids = self.by_user.get(&(app, user.clone())).into_iter().flatten();
        ids.filter_map(|id| self.sockets.get(id)).any(|socket| !socket.deaf)
    }

    /// All rooms of an app that somebody hears.
    pub(super) fn rooms_of_app(&self, app: i64) -> Vec<RoomId> {
        self.by_room.keys().filter(|(of, _)| *of == app).map(|(_, room)| room.clone()).collect()
    }

    /// Takes from their sockets those who came with one of these tokens, heard or not.
    pub(super) fn revoke(&mut self, app: i64, tokens: &[TokenHash]) -> Vec<Arc<dyn Line>> {
        self.end(|identity| identity.app.number == app && tokens.contains(&identity.token))
    }

    /// Takes from their sockets those whose token has ended.
    pub(super) fn expire(&mut self, now_ms: i64) -> Vec<Arc<dyn Line>> {
        self.end(|identity| identity.expires_ms <= now_ms)
    }

    fn end(&mut self, ends: impl Fn(&Identity) -> bool) -> Vec<Arc<dyn Line>> {
        let ended: Vec<SocketId> = self
            .sockets
            .iter()
            .filter(|(_, socket)| socket.identity.as_ref().is_some_and(&ends))
            .map(|(id, _)| *id)
            .collect();
        ended
            .into_iter()
            .filter_map(|id| {
                self.forget(id, Duration::MAX);
                self.sockets.get(&id).map(|socket| Arc::clone(&socket.line))
            })
            .collect()
    }

    /// How many sockets are open.
    pub(super) fn len(&self) -> usize {
        self.sockets.len()
    }
}

fn leave<K: std::hash::Hash + Eq>(map: &mut HashMap<K, HashSet<SocketId>>, key: K, id: SocketId) {
    if let Slot::Occupied(mut slot) = map.entry(key) {
        slot.get_mut().remove(&id);
        if slot.get().is_empty() {
            slot.remove();
        }
    }
}
