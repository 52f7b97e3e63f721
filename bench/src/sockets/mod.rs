//! Sockets as their clients see them: opened, named, listened to, and many at once.

pub(crate) mod crowd;
pub(crate) mod hosts;
pub(crate) mod node;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::Result;
use crate::house::CLIENT_KEY;
use crate::request::Asker;

/// How long a socket may take to open, or to be answered.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long `auth2` may be without an answer until it is said again.
const AGAIN: Duration = Duration::from_secs(2);
/// How often it was.
static SAID_AGAIN: AtomicU32 = AtomicU32::new(0);

/// How often an `auth2` had to be said again, for it was not answered.
pub(crate) fn said_again() -> u32 {
    SAID_AGAIN.load(Ordering::Relaxed)
}

/// What is spoken over a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    /// Nothing above the websocket.
    Bare,
    /// Engine.IO 4 and Socket.IO 5, without polling.
    SocketIo,
}

/// One open socket.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    speech: Speech,
}

impl Socket {
    /// Connects, until the server has said that the socket is there.
    pub(crate) async fn open(address: SocketAddr, speech: Speech) -> Result<Self> {
        timeout(PATIENCE, Self::opened(address, speech)).await.map_err(|_| "a socket did not open")?
    }

    async fn opened(address: SocketAddr, speech: Speech) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let path = match speech {
            Speech::Bare => "socket",
            Speech::SocketIo => "socket.io/?EIO=4&transport=websocket",
        };
        let config = WebSocketConfig::default().read_buffer_size(4096);
        let (stream, _) = client_async_with_config(format!("ws://{address}/{path}"), stream, Some(config)).await?;
        let mut socket = Self { stream, speech };
        let (word, answer) = match speech {
            Speech::Bare => ("here?", "here"),
            Speech::SocketIo => ("40", "40"),
        };
        socket.say(word).await?;
        socket.wait_for(answer).await?;
        Ok(socket)
    }

    /// Says who it is, and waits until that is accepted.
    pub(crate) async fn enter(&mut self, asker: &Asker) -> Result<()> {
        let Asker::User { token, .. } = asker else { return Err("only users have sockets".into()) };
        let word = format!("420{}", json!(["auth2", token, { "IM-CLIENT-KEY": CLIENT_KEY }]));
        let begin = Instant::now();
        let answer = loop {
            self.say(&word).await?;
            match timeout(AGAIN, self.wait_for("430")).await {
                Ok(answer) => break answer?,
                Err(_) if begin.elapsed() < PATIENCE => SAID_AGAIN.fetch_add(1, Ordering::Relaxed),
                Err(_) => return Err("a socket's auth2 was not answered".into()),
            };
        };
        let said: Value = serde_json::from_str(answer.strip_prefix("430").unwrap_or_default())?;
        match said.pointer("/0/RC") {
            Some(code) if code == 0 => Ok(()),
            _ => Err(format!("auth2 was answered {said}").into()),
        }
    }

    /// Sends one text as it is.
    pub(crate) async fn say(&mut self, text: &str) -> Result<()> {
        Ok(self.stream.send(Message::text(text)).await?)
    }

    /// The next text that means something; heartbeats are answered on the way. `None`: the server has
    /// ended the connection, in whatever way.
    pub(crate) async fn next(&mut self) -> Option<Utf8Bytes> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) if self.speech == Speech::SocketIo && text.as_str() == "2" => {
                    self.stream.send(Message::text("3")).await.ok()?;
                }
                Some(Ok(Message::Text(text))) => return Some(text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    async fn wait_for(&mut self, beginning: &str) -> Result<Utf8Bytes> {
        while let Some(text) = self.next().await {
            if text.starts_with(beginning) {
                return Ok(text);
            }
        }
        Err(format!("a socket was closed before it heard {beginning}").into())
    }
}

/// Opens a socket for each asker, some at once.
pub(crate) async fn open_all(address: SocketAddr, speech: Speech, askers: &[Option<Asker>]) -> Result<Vec<Socket>> {
    const AT_ONCE: usize = 64;
    let mut sockets = Vec::with_capacity(askers.len());
    for some in askers.chunks(AT_ONCE) {
        let opening = some.iter().map(|asker| async move {
            let mut socket = Socket::open(address, speech).await?;
            if let Some(asker) = asker {
                socket.enter(asker).await?;
            }
            Result::Ok(socket)
        });
        for socket in futures_util::future::join_all(opening).await {
            sockets.push(socket?);
        }
    }
    Ok(sockets)
}
