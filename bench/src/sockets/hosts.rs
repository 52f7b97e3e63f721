//! Servers with sockets, asked the same way: Banter, and those it is compared with.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::json;

use super::crowd::mark;
use super::{Socket, Speech, open_all};
use crate::Result;
use crate::house::{House, ids};
use crate::process::{Program, cpu_us};
use crate::request::{Asker, post};

/// The room that everybody is in.
pub(crate) const ROOM: &str = "den";

/// A running server whose sockets are measured.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: &'static str,
    speech: Speech,
    running: Running,
    /// Who opens a socket: users of Banter, or nobody in particular.
    people: Vec<Option<Asker>>,
    /// By lane, the request that sends the message marked with [`nothing`].
    requests: Arc<Vec<String>>,
}

#[derive(Debug)]
enum Running {
    Banter(House),
    Other(Program),
}

/// Which server stands beside Banter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Other {
    /// A bare websocket loop.
    Broadcast,
    /// The library Banter's sockets stand on.
    Library,
    /// Node's `socket.io`.
    Node,
}

impl Other {
    fn name(self) -> &'static str {
        match self {
            Self::Broadcast => "broadcast",
            Self::Library => "library",
            Self::Node => "node",
        }
    }
}

/// Where a message's mark is put.
fn nothing() -> String {
    mark(0, 0)
}

impl Host {
    /// Banter with users in groups of so many, all with tokens. The first group is [`ROOM`].
    pub(crate) async fn banter(house: House, people: usize, group: usize) -> Result<Self> {
        let names = ids("listener", people);
        house.people(&names, 1).await?;
        let askers = house.tokens(&names).await?;
        let room = |(number, some): (usize, &[String])| {
            let id = if number == 0 { ROOM.to_owned() } else { format!("{ROOM}-{number}") };
            let body =
                json!({ "_id": id, "name": "A room", "roomType": "group", "owner": some.first(), "members": some });
            house.platform().post("/rooms", &body)
        };
        house.send_all(names.chunks(group).enumerate().map(room).collect()).await?;
        let text = format!("{} What a day it was, and nobody said a word about it.", nothing());
        let body = json!({ "messageType": "text", "message": text });
        let say = |asker: &Asker| String::from_utf8(asker.post(&format!("/rooms/{ROOM}/message"), &body));
        let requests = askers.iter().take(group).map(say).collect::<std::result::Result<Vec<_>, _>>()?;
        let people = askers.into_iter().map(Some).collect();
        let running = Running::Banter(house);
        Ok(Self { name: "banter", speech: Speech::SocketIo, running, people, requests: Arc::new(requests) })
    }

    /// One of the others, which sends what Banter would: `frame` is one message as Banter's clients hear it.
    pub(crate) fn other(which: Other, out: &Path, folder: &Path, people: usize, frame: &str) -> Result<Self> {
        let mut command = match which {
            Other::Broadcast | Other::Library => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg(if which == Other::Library { "reference-library" } else { "reference-broadcast" });
                command
            }
            Other::Node => super::node::command(out)?,
        };
        let log = folder.join(format!("{}-{people}.log", which.name()));
        let program = Program::start(&mut command, &log)?;
        let payload = frame.strip_prefix("42[\"chat message\",").and_then(|rest| rest.strip_suffix(']'));
        let (speech, body) = match which {
            Other::Broadcast => (Speech::Bare, frame),
            Other::Library | Other::Node => (Speech::SocketIo, payload.ok_or("a frame that is no message")?),
        };
        let requests = Arc::new(vec![post("/say", body)]);
        Ok(Self { name: which.name(), speech, running: Running::Other(program), people: vec![None; people], requests })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        match &self.running {
            Running::Banter(house) => house.address(),
            Running::Other(program) => program.address,
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        match &self.running {
            Running::Banter(house) => house.program.pid(),
            Running::Other(program) => program.pid(),
        }
    }

    /// CPU time it took so far, in microseconds.
    pub(crate) fn cpu_us(&self) -> Result<f64> {
        cpu_us(self.pid())
    }

    /// A socket for each of its people.
    pub(crate) async fn sockets(&self) -> Result<Vec<Socket>> {
        open_all(self.address(), self.speech, &self.people).await
    }

    /// Opens a socket for each of its people and closes it again, a few at a time, so that whatever is
    /// kept after somebody's first time is there.
    pub(crate) async fn warm_up(&self) -> Result<()> {
        for some in self.people.chunks(64) {
            drop(open_all(self.address(), self.speech, some).await?);
        }
        Ok(())
    }

    /// What writes the request that sends the message with a mark into [`ROOM`].
    pub(crate) fn request(&self) -> impl Fn(usize, &str) -> Vec<u8> + Send + Sync + Clone + 'static {
        let (requests, nothing) = (Arc::clone(&self.requests), nothing());
        move |lane, mark| {
            let request = requests.get(lane % requests.len().max(1)).map(String::as_str).unwrap_or_default();
            request.replacen(&nothing, mark, 1).into_bytes()
        }
    }

    /// One message as a client hears it. There must be no other sockets yet.
    pub(crate) async fn sample(&self) -> Result<String> {
        let first = self.people.get(..1).unwrap_or_default();
        let mut sockets = open_all(self.address(), self.speech, first).await?;
        let socket = sockets.first_mut().ok_or("nobody listens")?;
        crate::load::send_all(self.address(), vec![self.request()(0, &nothing())], 1).await?;
        while let Some(text) = socket.next().await {
            if text.contains(&nothing()) {
                return Ok(text.as_str().to_owned());
            }
        }
        Err("a message was not heard".into())
    }

    /// Stops it.
    pub(crate) async fn close(self) -> Result<()> {
        match self.running {
            Running::Banter(house) => house.close().await,
            Running::Other(program) => program.stop(),
        }
    }
}
