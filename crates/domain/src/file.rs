//! Files, and who may read them.

use serde_json::{Map, Value};

use crate::id::{Bucket, ObjectId, UserId};
use crate::moderation::{Act, Actor, Denied};

/// A file as stored, without its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// Its id. Unlike others it does not say when it was made: nobody can guess it.
    pub id: ObjectId,
    /// What it is sorted by.
    pub bucket: Bucket,
    /// What its uploader calls it.
    pub name: String,
    /// Its media type.
    pub media: MediaType,
    /// How long it is, bytes.
    pub length: u64,
    /// The MD5 of its bytes, 32 hex digits.
    pub md5: String,
    /// What its uploader said of it.
    pub extra: Map<String, Value>,
    /// Who brought it.
    pub uploader: UserId,
    /// When, milliseconds.
    pub uploaded_ms: i64,
}

/// A media type such as `image/png`: lower-case, without parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType(String);

impl MediaType {
    /// What nothing is known of.
    const UNKNOWN: &str = "application/octet-stream";

    /// Reads what a client says a file is. What is no media type reads as bytes of no known kind.
    #[must_use]
    pub fn said(text: &str) -> Self {
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let fits = essence.split_once('/').is_some_and(|(class, kind)| is_token(class) && is_token(kind));
        Self(if fits { essence } else { Self::UNKNOWN.to_owned() })
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// May a browser show it where it stands? Pictures, sounds and films: they run nothing. A picture in SVG is a
    /// document that can.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        let shown = |class: &str| self.0.strip_prefix(class).is_some_and(|kind| kind != "svg+xml");
        ["image/", "audio/", "video/"].into_iter().any(shown)
    }
}

/// What a name in a media type may be made of, of a sane length.
fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
}

/// The picture these first bytes begin, of those every browser shows. `None`: another file.
#[must_use]
pub fn picture(first: &[u8]) -> Option<MediaType> {
    let kind = match first {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f', ..] => "image/avif",
        _ => return None,
    };
    Some(MediaType(kind.to_owned()))
}

/// Which media types are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaTypes(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    refused: bool,
    class: String,
    kind: String,
}

impl MediaTypes {
    /// Reads a list as `image/*,video/mp4` or `*/*,!text/html`: what is named is taken, what is named with `!` is
    /// not, whatever the order. Errors: the entry that is none.
    pub fn parse(list: &str) -> Result<Self, String> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let read = |entry: &str| {
            let (refused, named) = entry.strip_prefix('!').map_or((false, entry), |named| (true, named));
            let (class, kind) = named.split_once('/')?;
            let is_name = |name: &str| name == "*" || is_token(name);
            let fits = is_name(class) && is_name(kind) && (class != "*" || kind == "*");
            fits.then(|| Pattern { refused, class: class.to_ascii_lowercase(), kind: kind.to_ascii_lowercase() })
        };
        let all = entries.map(|entry| read(entry).ok_or_else(|| format!("{entry:?} is not a media type")));
        all.collect::<Result<_, _>>().map(Self)
    }

    /// A list that takes nothing.
    #[must_use]
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Is this one taken?
    #[must_use]
    pub fn take(&self, media: &MediaType) -> bool {
        let (class, kind) = media.0.split_once('/').unwrap_or_default();
        let named = |pattern: &&Pattern| {
            (pattern.class == "*" || pattern.class == class) && (pattern.kind == "*" || pattern.kind == kind)
        };
        self.0.iter().filter(named).any(|pattern| !pattern.refused)
            && !self.0.iter().filter(named).any(|pattern| pattern.refused)
    }
}

/// May a file be read that no room has? By who brought it, and by the platform: nobody else knows of it yet.
pub fn may_read_unsent(file: &File, actor: Actor, reader: &UserId) -> Result<(), Denied> {
    if actor == Actor::Platform || file.uploader == *reader { Ok(()) } else { Err(Denied::NotPermitted(Act::ReadFile)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_media_type_is_of_no_known_kind() {
        for (said, read) in [
            ("image/PNG", "image/png"),
            (" text/html; charset=utf-8", "text/html"),
            ("application/vnd.ms-excel", "application/vnd.ms-excel"),
            ("", "application/octet-stream"),
            ("image", "application/octet-stream"),
            ("image/", "application/octet-stream"),
            ("image/png/x", "application/octet-stream"),
            ("image/p ng", "application/octet-stream"),
            ("image/p\r\nx: y", "application/octet-stream"),
            ("*/*", "application/octet-stream"),
        ] {
            assert_eq!(MediaType::said(said).as_str(), read, "{said:?}");
        }
    }

    #[test]
    fn nothing_is_shown_that_can_run() {
        for (said, shown) in [
            ("image/png", true),
            ("image/svg+xml", false),
            ("IMAGE/SVG+XML; x=y", false),
            ("audio/mpeg", true),
            ("video/mp4", true),
            ("text/html", false),
            ("application/xhtml+xml", false),
            ("text/xml", false),
            ("application/pdf", false),
            ("imagex/png", false),
        ] {
            assert_eq!(MediaType::said(said).is_shown(), shown, "{said}");
        }
    }

    #[test]
    fn a_list_takes_what_it_names_and_not_what_it_refuses() {
        let list = MediaTypes::parse("image/*, !image/svg+xml,application/PDF").expect("a list");
        for (said, taken) in
            [("image/png", true), ("image/svg+xml", false), ("application/pdf", true), ("text/plain", false)]
        {
            assert_eq!(list.take(&MediaType::said(said)), taken, "{said}");
        }
        assert!(MediaTypes::parse("!text/html,*/*").expect("a list").take(&MediaType::said("text/plain")));
        assert!(!MediaTypes::parse("!text/html,*/*").expect("a list").take(&MediaType::said("text/html")));
        assert!(!MediaTypes::parse("").expect("a list").take(&MediaType::said("text/plain")));
        for bad in ["image", "*/png", "image/ png", "!"] {
            assert!(MediaTypes::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pictures_are_known_by_how_they_begin() {
        assert_eq!(picture(b"\x89PNG\r\n\x1a\nrest").map(|kind| kind.0), Some("image/png".to_owned()));
        assert_eq!(picture(b"RIFF\0\0\0\0WEBPVP8 ").map(|kind| kind.0), Some("image/webp".to_owned()));
        assert_eq!(picture(b"RIFF\0\0\0\0WAVE"), None);
        for other in [&b""[..], b"<svg", b"<html", b"GIF", b"\xff\xd8"] {
            assert_eq!(picture(other), None, "{other:?}");
        }
    }

    #[test]
    fn an_unsent_file_is_its_uploaders() {
        let user = |id: &str| UserId::parse(id).expect("an id");
        let file = File {
            id: ObjectId::from_bytes([1; 12]),
            bucket: Bucket::parse("b").expect("a bucket"),
            name: "x".to_owned(),
            media: MediaType::said(""),
            length: 1,
            md5: String::new(),
            extra: Map::new(),
            uploader: user("ann"),
            uploaded_ms: 0,
        };
        for actor in [Actor::User, Actor::PlatformAs] {
            assert_eq!(may_read_unsent(&file, actor, &user("ann")), Ok(()));
            assert_eq!(may_read_unsent(&file, actor, &user("bob")), Err(Denied::NotPermitted(Act::ReadFile)));
        }
        assert_eq!(may_read_unsent(&file, Actor::Platform, &UserId::platform()), Ok(()));
    }
}
