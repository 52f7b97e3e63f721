//! A client for HTTP/1.1 that knows just enough to measure a server, and costs next to nothing.
//!
//! One request at a time over one kept connection; the body may be framed by its length or in
//! chunks. It never pipelines, decompresses, redirects or retries: a closed connection is an error.

use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Result;

/// How much is read at once; a body of twenty entries fits with its head.
const WINDOW: usize = 64 * 1024;

/// What is known of an answer without keeping it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Bytes of the body, without framing.
    pub(crate) body: usize,
    /// When its first byte was here.
    pub(crate) first_byte: Instant,
}

/// An answer kept whole.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) answer: Answer,
    pub(crate) etag: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// One kept connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    window: Vec<u8>,
    head: Vec<u8>,
}

/// Where an answer's body ends.
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked(Chunks),
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, window: vec![0; WINDOW], head: Vec::with_capacity(1024) })
    }

    /// Asks and reads the whole answer, of which only the outline is kept.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.exchange(request, |_| {}).await
    }

    /// Asks and keeps the answer.
    pub(crate) async fn fetch(&mut self, request: &[u8]) -> Result<Whole> {
        let mut body = Vec::new();
        let answer = self.exchange(request, |part| body.extend_from_slice(part)).await?;
        let etag = header(&self.head, b"etag").map(|tag| String::from_utf8_lossy(tag).into_owned());
        Ok(Whole { answer, etag, body })
    }

    /// Asks, and tells of every part of the body as it arrives.
    async fn exchange(&mut self, request: &[u8], mut on_part: impl FnMut(&[u8])) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.finish(&mut on_part).await
    }

    /// Sends a request whose answer is read later, with [`Connection::finish`].
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        Ok(())
    }

    /// Reads one answer to its end.
    pub(crate) async fn finish(&mut self, on_part: &mut impl FnMut(&[u8])) -> Result<Answer> {
        self.head.clear();
        let mut first_byte = None;
        let mut filled = 0;
        let head_end = loop {
            let room = self.window.get_mut(filled..).ok_or("the head of an answer is longer than the window")?;
            let read = self.stream.read(room).await?;
            if read == 0 {
                return Err("the server closed the connection".into());
            }
            first_byte.get_or_insert_with(Instant::now);
            filled += read;
            let seen = self.window.get(..filled).unwrap_or_default();
            if let Some(at) = find(seen, b"\r\n\r\n") {
                break at + 4;
            }
        };
        let first_byte = first_byte.unwrap_or_else(Instant::now);
        self.head.extend_from_slice(self.window.get(..head_end).unwrap_or_default());
        let status = status_of(&self.head)?;
        let mut framing = framing_of(&self.head, status)?;
        let mut body = 0;
        let mut begin = head_end;
        loop {
            let part = self.window.get(begin..filled).unwrap_or_default();
            let done = match &mut framing {
                Framing::Length(length) => {
                    let taken = part.get(..part.len().min(*length - body)).unwrap_or_default();
                    on_part(taken);
                    body += taken.len();
                    body == *length
                }
                Framing::Chunked(chunks) => chunks.feed(part, &mut |data| {
                    on_part(data);
                    body += data.len();
                })?,
            };
            if done {
                return Ok(Answer { status, body, first_byte });
            }
            begin = 0;
            filled = self.stream.read(&mut self.window).await?;
            if filled == 0 {
                return Err("the server closed the connection in the middle of a body".into());
            }
        }
    }
}

/// Where the decoder of a chunked body stands.
#[derive(Debug, Default, PartialEq, Eq)]
struct Chunks {
    /// The line being read: a size, or a trailer.
    line: Vec<u8>,
    /// Bytes of data still to come in this chunk.
    left: usize,
    /// The line end after a chunk's data is still to come.
    closing: bool,
    /// The last chunk was seen; trailers follow until an empty line.
    last: bool,
}

impl Chunks {
    /// Takes in what arrived and says whether the body is complete.
    fn feed(&mut self, mut part: &[u8], on_data: &mut impl FnMut(&[u8])) -> Result<bool> {
        while !part.is_empty() {
            if self.left > 0 {
                let (data, rest) = part.split_at(part.len().min(self.left));
                on_data(data);
                self.left -= data.len();
                part = rest;
                continue;
            }
            let Some(end) = part.iter().position(|byte| *byte == b'\n') else {
                self.line.extend_from_slice(part);
                return Ok(false);
            };
            let (line, rest) = part.split_at(end + 1);
            self.line.extend_from_slice(line);
            part = rest;
            let line = std::mem::take(&mut self.line);
            let line = line.trim_ascii();
            if self.last {
                if line.is_empty() {
                    return Ok(true);
                }
            } else if self.closing {
                self.closing = false;
            } else {
                let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
                self.left = usize::from_str_radix(std::str::from_utf8(size)?, 16)?;
                self.last = self.left == 0;
                self.closing = !self.last;
            }
        }
        Ok(false)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn status_of(head: &[u8]) -> Result<u16> {
    let digits = head.get(9..12).ok_or("an answer without a status")?;
    Ok(std::str::from_utf8(digits)?.parse()?)
}

fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (found, rest) = line.split_at_checked(name.len())?;
        let value = rest.strip_prefix(b":")?;
        found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

fn framing_of(head: &[u8], status: u16) -> Result<Framing> {
    if status == 304 || status == 204 {
        return Ok(Framing::Length(0));
    }
    if let Some(length) = header(head, b"content-length") {
        return Ok(Framing::Length(std::str::from_utf8(length)?.parse()?));
    }
    match header(head, b"transfer-encoding") {
        Some(b"chunked") => Ok(Framing::Chunked(Chunks::default())),
        _ => Err("an answer whose end cannot be known".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_read_wherever_it_is_cut() {
        let wire = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n";
        for cut in 0..wire.len() {
            let (one, two) = wire.split_at(cut);
            let mut chunks = Chunks::default();
            let mut body = Vec::new();
            let mut take = |data: &[u8]| body.extend_from_slice(data);
            assert!(!chunks.feed(one, &mut take).unwrap());
            assert!(chunks.feed(two, &mut take).unwrap());
            assert_eq!(body, b"hello world");
        }
    }

    #[test]
    fn a_head_is_understood() {
        let head = b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\ncontent-length: 12\r\n\r\n";
        assert_eq!(status_of(head).unwrap(), 200);
        assert_eq!(header(head, b"etag"), Some(&b"\"a\""[..]));
        assert_eq!(framing_of(head, 200).unwrap(), Framing::Length(12));
        assert_eq!(framing_of(head, 304).unwrap(), Framing::Length(0));
        assert!(framing_of(b"HTTP/1.1 200 OK\r\n\r\n", 200).is_err());
    }
}
