//! Cursors: where a page went to, as a text that a client gives back as it is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// By so many bytes a forged or cut one is known.
const CHECK: usize = 4;

/// A place as a cursor.
pub(super) fn written(place: &[u8]) -> String {
    let mut bytes = place.to_vec();
    bytes.extend(blake3::hash(place).as_bytes().iter().take(CHECK));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place of a cursor. `None`: it is none that was given here.
pub(super) fn read(text: &str) -> Option<Vec<u8>> {
    let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let check = bytes.split_off(bytes.len().checked_sub(CHECK)?);
    (blake3::hash(&bytes).as_bytes().get(..CHECK) == Some(check.as_slice())).then_some(bytes)
}
