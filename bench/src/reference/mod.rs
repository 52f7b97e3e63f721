//! The reference programs: what the same work costs when nothing more is asked.

pub(crate) mod broadcast;
pub(crate) mod fixed;
pub(crate) mod library;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::Result;

/// So many events may wait for one socket, as Banter has it unless told otherwise.
const QUEUE: usize = 1024;
/// The read buffer of a socket, as Banter has it.
const READ_BUFFER: usize = 4096;

/// Listens on a free port of the loopback, says which, and answers until it is stopped.
async fn listen(router: Router) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("reference: listening on http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        // A socket that cannot do this still answers, only later.
        if let Err(error) = stream.set_nodelay(true) {
            eprintln!("reference: no TCP_NODELAY: {error}");
        }
    });
    axum::serve(listener, router).await?;
    Ok(())
}
