//! The text of cursors: base64 without padding, safe in URLs. Clients get cursors as opaque text, and each list decides what is
//! in its own.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The opaque text of a cursor's content.
pub(crate) fn encode(content: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(content)
}

/// The content of a cursor. `None` if it is not the text of a cursor.
pub(crate) fn decode(cursor: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(cursor).ok()
}

/// The content of a cursor that contains text.
pub(crate) fn decode_text(cursor: &str) -> Option<String> {
    String::from_utf8(decode(cursor)?).ok()
}
