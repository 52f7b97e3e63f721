//! The listener: connections in, requests to the dispatcher, and an orderly end.
//!
//! HTTP/1.1 and HTTP/2 without TLS on one port; TLS is a proxy's business. A client that is too
//! slow with its headers is cut off, one whose headers are too many is answered 431 by the HTTP
//! library.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::Edge;
use super::connections::Connection;
use super::dispatch::dispatch;
use super::sockets::Sockets;
use super::webhooks::Hooks;
use crate::push::{Counted, Listens, Pushing};

/// A listening server. Dropped without [`Running::stop`], it goes on until the process ends.
pub struct Running {
    /// Where it listens: the real port when 0 was asked.
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Running {
    /// Stops accepting, answers what was accepted (as long as the settings allow) and returns.
    pub async fn stop(self) {
        if self.stop.send(()).is_err() || self.ended.await.is_err() {
            tracing::warn!("the listener had ended already");
        }
    }
}

/// Listens as the settings say. Errors: the address cannot be had, or no client for webhooks.
pub(crate) async fn listen(edge: Edge) -> io::Result<Running> {
    let listener = TcpListener::bind(edge.settings.listen).await?;
    let address = listener.local_addr()?;
    let hooks = Hooks::over(&edge)?;
    let hooks = edge.hooks.get_or_init(|| hooks).clone();
    let (stop, stopped) = oneshot::channel();
    let pushing = pushing(&edge)?;
    let ended = tokio::spawn(serve(edge, listener, pushing, hooks, stopped));
    Ok(Running { address, stop, ended })
}

/// Notifies devices of what happens here.
fn pushing(edge: &Edge) -> io::Result<Pushing> {
    let (listening, counting) = (edge.clone(), edge.clone());
    let listens: Listens =
        Arc::new(move |app, user| listening.sockets.get().is_some_and(|sockets| sockets.is_connected(app, user)));
    let counted: Counted = Arc::new(move |service, end| counting.metrics.pushed(service.name(), end.name()));
    Pushing::start(&edge.settings.push, &edge.chat, &edge.senses, &listens, &counted)
}

async fn serve(
    edge: Edge,
    listener: TcpListener,
    mut pushing: Pushing,
    hooks: Arc<Hooks>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut http = Builder::new(TokioExecutor::new());
    // Saying what is the library's own limit anyway would cost an allocation a request.
    if edge.settings.max_headers != 100 {
        http.http1().max_headers(edge.settings.max_headers);
    }
    http.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(30)).max_concurrent_streams(200);
    let http = Arc::new(http);
    let (stop, stopping) = watch::channel(());
    let sockets = edge.sockets.get_or_init(|| Sockets::over(&edge)).clone();
    let delivery = tokio::spawn(sockets.clone().deliver(edge.clone()));
    let house_keeping = tokio::spawn(keep_house(edge.clone()));
    let webhooks = tokio::spawn(hooks.run(edge.clone(), stopping.clone()));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = Arc::new(Connection::new(edge.connections.clone(), peer.ip()));
                tokio::spawn(converse(edge.clone(), http.clone(), stream, connection, stopping.clone()));
            }
            Err(error) => {
                // Out of files, most likely: those who are connected must go before others come.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop((listener, stopping));
    stop.send_replace(());
    pushing.wind_up();
    sockets.close();
    let patience = edge.settings.stop_timeout;
    // Each connection holds a receiver to its end, and so does the telling of webhooks.
    let answered = tokio::time::timeout(patience, stop.closed());
    let (answered, pushed) = tokio::join!(answered, tokio::time::timeout(patience, pushing.ended()));
    if answered.is_err() {
        tracing::warn!("some requests were not answered before the server stopped");
    }
    if pushed.is_err() {
        tracing::warn!("some pushes were not done before the server stopped; they are sent again after the next start");
    }
    for task in [house_keeping, delivery, webhooks] {
        task.abort();
        drop(task.await);
    }
    if let Err(error) = edge.chat.house_keeping().await {
        tracing::warn!(%error, "what was counted lately could not be written down");
    }
}

/// What must be done now and then.
async fn keep_house(edge: Edge) {
    const OFTEN: Duration = Duration::from_secs(1);
    /// So many rounds make the hour after which old things are forgotten.
    const HOUR: u64 = 3600;
    let mut every = tokio::time::interval(OFTEN);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut round, mut failing) = (0_u64, false);
    loop {
        every.tick().await;
        let mut done = edge.chat.house_keeping().await;
        if done.is_ok() && round.is_multiple_of(HOUR) {
            done = edge.chat.forget_the_old().await;
        }
        round += 1;
        // A database that is away is told once, not every second.
        match &done {
            Err(error) if !failing => tracing::warn!(%error, "house keeping failed; it is tried again every second"),
            Ok(()) if failing => tracing::info!("house keeping works again"),
            _ => {}
        }
        failing = done.is_err();
    }
}

/// One connection, to its end.
async fn converse(
    edge: Edge,
    http: Arc<Builder<TokioExecutor>>,
    stream: TcpStream,
    connection: Arc<Connection>,
    mut stopping: watch::Receiver<()>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone at once");
        return;
    }
    let patience = edge.settings.header_timeout;
    let wire = TokioIo::new(Wire { stream, connection: connection.clone() });
    let service = {
        let connection = connection.clone();
        service_fn(move |request| dispatch(edge.clone(), connection.clone(), request))
    };
    let mut talk = pin!(http.serve_connection_with_upgrades(wire, service));
    let told = stopping.clone();
    let mut stop = pin!(stopping.changed());
    let mut alarm = pin!(tokio::time::sleep(patience));
    let (mut armed, mut stopped) = (false, false);
    // Stop and alarm are polled once, so that they wake this task; from then on a look at each is
    // enough. Polling them with every request would cost a tenth of it.
    let ended = poll_fn(|context| {
        let stops = if armed { told.has_changed().unwrap_or(true) } else { stop.as_mut().poll(context).is_ready() };
        if stops && !stopped {
            stopped = true;
            talk.as_mut().graceful_shutdown();
        }
        if !armed || alarm.is_elapsed() {
            while alarm.as_mut().poll(context).is_ready() {
                match connection.patience_left(patience) {
                    Some(left) => alarm.set(tokio::time::sleep(left)),
                    // Over HTTP/2 a client is told that it ends, before it sends the next request in vain.
                    None if connection.is_http2() && !stopped => {
                        stopped = true;
                        talk.as_mut().graceful_shutdown();
                        alarm.set(tokio::time::sleep(patience));
                    }
                    None => return Poll::Ready(None),
                }
            }
        }
        armed = true;
        talk.as_mut().poll(context).map(Some)
    });
    match ended.await {
        None => tracing::debug!("a client took too long with its request"),
        Some(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Some(Ok(())) => {}
    }
}

/// The answer to headers that take too long, which the HTTP library leaves to us.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// A connection's bytes. It knows whether somebody is in the middle of saying something, so that
/// a client that was too slow with its headers is told, and one that was merely idle is not.
struct Wire {
    stream: TcpStream,
    connection: Arc<Connection>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.connection.end();
        if self.connection.is_owed_a_word() {
            // As much as fits; who does not read it is cut off all the same.
            drop(self.stream.try_write(TOO_SLOW));
        }
    }
}

/// How much of what was written was taken. `None`: nothing could be.
fn taken(written: &Poll<io::Result<usize>>) -> Option<usize> {
    match written {
        Poll::Ready(done) => Some(done.as_ref().copied().unwrap_or(0)),
        Poll::Pending => None,
    }
}

fn cut() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.connection.is_cut_for_reader(cx) {
            return Poll::Ready(Err(cut()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        match buf.filled().get(before..) {
            None | Some([]) => {}
            Some(bytes) => self.connection.spoke(bytes),
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.connection.is_cut_for_writer(cx) {
            return Poll::Ready(Err(cut()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.connection.wrote(taken(&written));
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.connection.is_cut_for_writer(cx) {
            return Poll::Ready(Err(cut()));
        }
        // An answer without a body is one piece, and the kernel sends that for less than a list of one.
        let written = match bufs {
            [whole] => Pin::new(&mut self.stream).poll_write(cx, whole),
            pieces => Pin::new(&mut self.stream).poll_write_vectored(cx, pieces),
        };
        self.connection.wrote(taken(&written));
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
